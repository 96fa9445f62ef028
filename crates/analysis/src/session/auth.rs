//! AUTH exchanges (RFC 4954): who tried, how, and whether it worked.

use serde::{Serialize, Serializer};
use smtp_parser::{SaslExchange, Secret};

use super::digest::{DigestKey, SecretDigest};
use super::redaction::{REDACTED, is_mechanism};
use super::{Options, Stamp};
use crate::model::Spot;
use crate::output::codes::Code;
use crate::output::text;
use crate::output::time::Time;

/// One AUTH command and what followed from it.
#[derive(Debug, Clone, Serialize)]
pub struct AuthAttempt {
    /// The SASL mechanism in upper case.
    pub mechanism: String,
    /// The authentication identity, where the mechanism shows it.
    pub username: Option<String>,
    /// The authorization identity, where there is one.
    pub authorization_id: Option<String>,
    /// What the user name is of: NTLM's domain, DIGEST-MD5's realm.
    pub domain: Option<String>,
    /// The client's machine, which NTLM names.
    pub workstation: Option<String>,
    /// What a client of ANONYMOUS says about itself; it identifies nobody.
    pub trace: Option<String>,
    /// What became of it.
    pub outcome: AuthOutcome,
    /// The code of the reply that decided.
    pub code: Option<Code>,
    /// When AUTH was sent.
    pub timestamp: Time,
    /// Where AUTH stands.
    #[serde(skip)]
    pub spot: Spot,
    /// Whether the client has sent any response: without one, nothing was exposed.
    #[serde(skip)]
    pub credentials_sent: bool,
    /// Whether a password or token can be read in them.
    #[serde(skip)]
    pub secret_seen: bool,
    /// The client's responses, only where secrets are to be revealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responses: Option<Vec<SecretText>>,
    /// The password, only where secrets are to be revealed and the mechanism shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// Equal for equal secrets of one run, only where that was asked for and the mechanism shows the password or token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_digest: Option<SecretDigest>,
}

/// A secret that may be printed as JSON because its owner asked for it. It still prints as redacted anywhere else.
#[derive(Clone)]
pub struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What became of an AUTH exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthOutcome {
    /// 235.
    Success,
    /// 4xx or 5xx.
    Failure,
    /// The client sent `*` and was not let in all the same.
    Aborted,
    /// The capture does not show it, or the reply is none that decides.
    Unknown,
}

/// An AUTH exchange that is going on.
#[derive(Debug)]
pub(crate) struct AuthExchange {
    mechanism: String,
    timestamp: Time,
    spot: Spot,
    sasl: SaslExchange,
    /// Kept only where secrets are to be revealed.
    responses: Option<Vec<SecretText>>,
    digest_key: Option<DigestKey>,
    cancelled: bool,
    answers: usize,
    /// A response is not in the capture: what those behind it mean is not known.
    has_gap: bool,
}

impl AuthExchange {
    pub(crate) fn new(mechanism: &[u8], initial: Option<Secret<'_>>, at: Stamp, options: &Options) -> Self {
        let reveal = options.reveal_secrets;
        let mut exchange = Self {
            mechanism: if reveal || is_mechanism(mechanism) {
                text(mechanism).to_ascii_uppercase()
            } else {
                REDACTED.to_owned()
            },
            timestamp: at.timestamp,
            spot: at.spot(),
            sasl: SaslExchange::new(mechanism),
            responses: reveal.then(Vec::new),
            digest_key: options.secret_digests,
            cancelled: false,
            answers: 0,
            has_gap: false,
        };
        if let Some(initial) = initial {
            exchange.respond(initial);
        }
        exchange
    }

    /// The client's answer to a challenge, or its initial response.
    pub(crate) fn respond(&mut self, response: Secret<'_>) {
        self.answers += 1;
        self.cancelled |= response.is_cancel();
        if !self.has_gap {
            self.sasl.respond(response);
        }
        if let Some(kept) = self.responses.as_mut().filter(|kept| kept.len() < RESPONSES_KEPT) {
            kept.push(SecretText(text(response.reveal()).into()));
        }
    }

    /// A response is lost.
    pub(crate) fn respond_out_of_sight(&mut self) {
        self.answers += 1;
        self.has_gap = true;
    }

    /// The password or token, where the mechanism has shown it so far.
    pub(crate) fn secret(&self) -> Option<Secret<'_>> {
        self.sasl.password().or(self.sasl.token())
    }

    /// Whether, by its mechanism, the client still has something to say: for captures without the server's side.
    pub(crate) fn expects_response(&self) -> bool {
        !self.cancelled && self.answers < self.responses_of_mechanism()
    }

    /// How many responses a client sends that gets through. RFC 4954 §4 has no data with the 235: what the server has to
    /// say last is a challenge, and the client's response to it is empty.
    fn responses_of_mechanism(&self) -> usize {
        match self.mechanism.as_str() {
            "LOGIN" | "NTLM" => 2,
            // RFC 2831 §2.1.3: the server's `rspauth` is such a challenge; RFC 5802 §5: so is `v=`.
            "DIGEST-MD5" => 2,
            name if name.starts_with("SCRAM-") => 3,
            // RFC 4178 §4.2: NTLM is two tokens, Kerberos one that the server's last token follows.
            "GSS-SPNEGO" => 2,
            // Exchange negotiates NTLM here as in GSS-SPNEGO.
            "GSSAPI" if self.sasl.speaks_ntlm() => 2,
            // RFC 4752 §3.1: a token, an empty response to the server's token, and the security layer.
            "GSSAPI" => 3,
            _ => 1,
        }
    }

    /// The reply that decided, or none.
    pub(crate) fn finish(self, code: Option<Code>) -> AuthAttempt {
        let outcome = match (code.map(Code::class), self.cancelled) {
            // RFC 4954 §4: "Otherwise, the server … issues a 235 response"; it has no other success.
            (Some(2), _) if code.is_some_and(|code| code.is(235)) => AuthOutcome::Success,
            // RFC 4954 §4: a client cancels with "*", which the server rejects with 501.
            (_, true) => AuthOutcome::Aborted,
            (Some(4 | 5), false) => AuthOutcome::Failure,
            (_, false) => AuthOutcome::Unknown,
        };
        let identity = self.sasl.identity();
        let name = |name: &Option<Vec<u8>>| name.as_deref().map(|name| text(name).into());
        let password = self.responses.as_ref().and_then(|_| self.sasl.password());
        let secret = self.secret();
        AuthAttempt {
            username: name(&identity.username),
            authorization_id: name(&identity.authorization_id),
            domain: name(&identity.domain),
            workstation: name(&identity.workstation),
            trace: name(&identity.trace),
            secret_seen: secret.is_some(),
            secret_digest: self.digest_key.zip(secret).map(|(key, secret)| key.digest(secret)),
            password: password.map(|password| SecretText(text(password.reveal()).into())),
            mechanism: self.mechanism,
            outcome,
            code,
            timestamp: self.timestamp,
            spot: self.spot,
            credentials_sent: self.answers > usize::from(self.cancelled),
            responses: self.responses,
        }
    }
}

/// Responses of one exchange that are kept; the longest known mechanism needs four.
const RESPONSES_KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::code;

    const AT: Stamp =
        Stamp { offset: 0, timestamp: Time(capture::Timestamp::from_nanos(0)), acknowledged: None, packet: None };

    fn revealing() -> Options {
        Options { reveal_secrets: true, ..Options::default() }
    }

    fn exchange(mechanism: &str, responses: &[&str]) -> AuthExchange {
        let mut exchange = AuthExchange::new(mechanism.as_bytes(), None, AT, &Options::default());
        responses.iter().for_each(|response| exchange.respond(Secret::new(response.as_bytes())));
        exchange
    }

    /// LOGIN sends the user name first. Where that is lost, the password behind it is not taken for it.
    #[test]
    fn behind_a_lost_response_nobody_knows_what_the_next_one_is() {
        let mut exchange = exchange("LOGIN", &[]);
        exchange.respond_out_of_sight();
        exchange.respond(Secret::new(b"c2VjcmV0LXBhc3N3b3Jk"));
        assert_eq!(exchange.finish(Some(code(235))).username, None);
    }

    /// RFC 4954 §4: 235 is success; a client that sends "*" is answered 501, and that is no failure of credentials.
    #[test]
    fn the_reply_decides_unless_the_client_cancelled() {
        for (response, reply, outcome) in [
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(235), AuthOutcome::Success),
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(535), AuthOutcome::Failure),
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(454), AuthOutcome::Failure),
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(250), AuthOutcome::Unknown),
            ("dGVzdAB0ZXN0ADEyMzQ=", None, AuthOutcome::Unknown),
            ("*", Some(501), AuthOutcome::Aborted),
            ("*", None, AuthOutcome::Aborted),
        ] {
            let attempt = exchange("PLAIN", &[response]).finish(reply.map(code));
            assert_eq!((attempt.outcome, attempt.code), (outcome, reply.map(code)), "{reply:?}");
        }
    }

    #[test]
    fn a_cancellation_exposes_nothing_but_what_was_sent_before_it() {
        let sent = |responses| exchange("LOGIN", responses).finish(Some(code(501))).credentials_sent;
        assert!(!sent(&[]) && !sent(&["*"]));
        assert!(sent(&["am9l"]) && sent(&["am9l", "*"]));
    }

    /// RFC 4954 §4: the initial response counts as the answer to the first challenge.
    #[test]
    fn an_initial_response_spares_the_first_challenge() {
        let initial = Some(Secret::new(b"dGVzdAB0ZXN0ADEyMzQ="));
        assert!(exchange("PLAIN", &[]).expects_response());
        assert!(!AuthExchange::new(b"PLAIN", initial, AT, &Options::default()).expects_response());
        assert!(AuthExchange::new(b"SCRAM-SHA-256", initial, AT, &Options::default()).expects_response());
        assert!(!exchange("LOGIN", &["*"]).expects_response(), "given up");
    }

    /// How often a client speaks: LOGIN for its name and password; RFC 4616, 2195, 4422, 4505, 7628 once; RFC 2831 §2.1,
    /// RFC 5802 §5 and RFC 4752 §3.1 with the empty response to the server's last challenge.
    #[test]
    fn each_mechanism_has_its_number_of_responses() {
        for (mechanism, responses) in [
            ("PLAIN", 1),
            ("LOGIN", 2),
            ("CRAM-MD5", 1),
            ("DIGEST-MD5", 2),
            ("SCRAM-SHA-1", 3),
            ("scram-sha-256-plus", 3),
            ("NTLM", 2),
            ("GSSAPI", 3),
            ("GSS-SPNEGO", 2),
            ("XOAUTH2", 1),
            ("OAUTHBEARER", 1),
            ("EXTERNAL", 1),
            ("ANONYMOUS", 1),
        ] {
            let given = |count: usize| exchange(mechanism, &vec!["YIIC"; count]);
            assert!(given(responses - 1).expects_response(), "{mechanism}");
            assert!(!given(responses).expects_response(), "{mechanism}");
        }
    }

    /// The first message of a Windows client, as in Davenport's "The NTLM Authentication Protocol".
    #[test]
    fn gssapi_that_turns_out_to_be_ntlm_has_two_responses() {
        let first = "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAFASgKAAAADw==";
        assert!(exchange("GSSAPI", &[first]).expects_response());
        assert!(!exchange("GSSAPI", &[first, "TlRMTVNTUAADAAAA"]).expects_response());
    }

    /// RFC 4954 §4.1's password `1234`, by PLAIN and by LOGIN; RFC 7628 §4.1's kind of token by both its mechanisms.
    #[test]
    fn equal_secrets_have_equal_digests_within_a_run_only() {
        let digest = |mechanism: &str, responses: &[&str], key: u8| {
            let options = Options { secret_digests: Some(DigestKey::new([key; 16])), ..Options::default() };
            let mut exchange = AuthExchange::new(mechanism.as_bytes(), None, AT, &options);
            responses.iter().for_each(|response| exchange.respond(Secret::new(response.as_bytes())));
            exchange.finish(None).secret_digest
        };
        let plain = digest("PLAIN", &["dGVzdAB0ZXN0ADEyMzQ="], 1);
        assert!(plain.is_some());
        assert_eq!(plain, digest("LOGIN", &["dGVzdA==", "MTIzNA=="], 1));
        assert_ne!(plain, digest("LOGIN", &["dGVzdA==", "MTIzNQ=="], 1), "another password");
        assert_ne!(plain, digest("PLAIN", &["dGVzdAB0ZXN0ADEyMzQ="], 2), "another run");
        let encoded = |message: &[u8]| data_encoding::BASE64.encode(message);
        let token = digest("XOAUTH2", &[&encoded(b"user=a@x\x01auth=Bearer vF9dft4q\x01\x01")], 1);
        assert!(token.is_some());
        assert_eq!(token, digest("OAUTHBEARER", &[&encoded(b"n,a=a@x,\x01auth=Bearer vF9dft4q\x01\x01")], 1));
        assert_eq!(digest("CRAM-MD5", &["dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"], 1), None, "not shown");
    }

    /// The contract: secrets appear nowhere unless they are to be revealed. RFC 4954 §4.1's PLAIN has password `1234`.
    #[test]
    fn password_and_responses_are_kept_only_to_be_revealed() {
        let attempt = |reveal| {
            let initial = Some(Secret::new(b"dGVzdAB0ZXN0ADEyMzQ="));
            AuthExchange::new(b"plain", initial, AT, &Options { reveal_secrets: reveal, ..Options::default() })
                .finish(Some(code(235)))
        };
        let json = |reveal| serde_json::to_value(attempt(reveal)).expect("JSON");
        assert_eq!((&json(true)["password"], &json(true)["mechanism"]), (&"1234".into(), &"PLAIN".into()));
        assert_eq!((json(false).get("password"), json(false).get("responses")), (None, None));
        assert_eq!(json(false).get("secret_digest"), None, "it was not asked for");
        assert!(!format!("{:?}", attempt(true)).contains("1234"), "Debug is no way around it");
    }

    /// `AUTH` with a password where the mechanism belongs.
    #[test]
    fn what_is_no_mechanism_is_not_printed() {
        assert_eq!(exchange("hunter2", &[]).finish(None).mechanism, REDACTED);
    }

    #[test]
    fn responses_beyond_the_limit_are_not_kept() {
        let mut exchange = AuthExchange::new(b"LOGIN", None, AT, &revealing());
        (0..=RESPONSES_KEPT).for_each(|_| exchange.respond(Secret::new(b"am9l")));
        assert_eq!(exchange.finish(None).responses.map(|kept| kept.len()), Some(RESPONSES_KEPT));
    }
}
