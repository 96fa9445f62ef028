//! AUTH exchanges (RFC 4954): who tried, how, and whether it worked.

use serde::{Serialize, Serializer};
use smtp_parser::{SaslExchange, Secret};

use super::redaction::{REDACTED, is_mechanism};

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
    /// What became of it.
    pub outcome: AuthOutcome,
    /// The code of the reply that decided.
    pub code: Option<Code>,
    /// When AUTH was sent.
    pub timestamp: Time,
    /// Whether the client has sent any response: without one, nothing was exposed.
    #[serde(skip)]
    pub credentials_sent: bool,
    /// The client's responses, only where secrets are to be revealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responses: Option<Vec<SecretText>>,
    /// The password, only where secrets are to be revealed and the mechanism shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
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
    /// The client sent `*`.
    Aborted,
    /// The capture does not show it.
    Unknown,
}

/// An AUTH exchange that is going on.
#[derive(Debug)]
pub(crate) struct AuthExchange {
    mechanism: String,
    timestamp: Time,
    sasl: SaslExchange,
    /// Kept only where secrets are to be revealed.
    responses: Option<Vec<SecretText>>,
    cancelled: bool,
    answers: usize,
}

impl AuthExchange {
    pub(crate) fn new(mechanism: &[u8], initial: Option<Secret<'_>>, timestamp: Time, reveal: bool) -> Self {
        let mut exchange = Self {
            mechanism: if reveal || is_mechanism(mechanism) {
                text(mechanism).to_ascii_uppercase()
            } else {
                REDACTED.to_owned()
            },
            timestamp,
            sasl: SaslExchange::new(mechanism),
            responses: reveal.then(Vec::new),
            cancelled: false,
            answers: 0,
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
        self.sasl.respond(response);
        if let Some(kept) = self.responses.as_mut().filter(|kept| kept.len() < RESPONSES_KEPT) {
            kept.push(SecretText(text(response.reveal()).into()));
        }
    }

    /// Whether, by its mechanism, the client still has something to say: for captures without the server's side.
    pub(crate) fn expects_response(&self) -> bool {
        let responses = match self.mechanism.as_str() {
            "LOGIN" | "NTLM" | "DIGEST-MD5" => 2,
            name if name.starts_with("SCRAM-") => 2,
            _ => 1,
        };
        !self.cancelled && self.answers < responses
    }

    /// The reply that decided, or none.
    pub(crate) fn finish(self, code: Option<Code>) -> AuthAttempt {
        let outcome = match (code.map(Code::class), self.cancelled) {
            (None, _) => AuthOutcome::Unknown,
            (Some(2), _) => AuthOutcome::Success,
            // RFC 4954 §4: a client cancels with "*", which the server rejects with 501.
            (Some(_), true) => AuthOutcome::Aborted,
            (Some(_), false) => AuthOutcome::Failure,
        };
        let identity = self.sasl.identity();
        let password = self.responses.as_ref().and_then(|_| self.sasl.password());
        AuthAttempt {
            username: identity.username.as_deref().map(|name| text(name).into()),
            authorization_id: identity.authorization_id.as_deref().map(|name| text(name).into()),
            password: password.map(|password| SecretText(text(password.reveal()).into())),
            mechanism: self.mechanism,
            outcome,
            code,
            timestamp: self.timestamp,
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
    use crate::samples::{at, code};

    fn exchange(mechanism: &str, responses: &[&str]) -> AuthExchange {
        let mut exchange = AuthExchange::new(mechanism.as_bytes(), None, at(0), false);
        responses.iter().for_each(|response| exchange.respond(Secret::new(response.as_bytes())));
        exchange
    }

    /// RFC 4954 §4: 235 is success; a client that sends "*" is answered 501, and that is no failure of credentials.
    #[test]
    fn the_reply_decides_unless_the_client_cancelled() {
        for (response, reply, outcome) in [
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(235), AuthOutcome::Success),
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(535), AuthOutcome::Failure),
            ("dGVzdAB0ZXN0ADEyMzQ=", Some(454), AuthOutcome::Failure),
            ("dGVzdAB0ZXN0ADEyMzQ=", None, AuthOutcome::Unknown),
            ("*", Some(501), AuthOutcome::Aborted),
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
        assert!(!AuthExchange::new(b"PLAIN", initial, at(0), false).expects_response());
        assert!(AuthExchange::new(b"SCRAM-SHA-256", initial, at(0), false).expects_response());
        assert!(!exchange("LOGIN", &["*"]).expects_response(), "given up");
    }

    /// The contract: secrets appear nowhere unless they are to be revealed. RFC 4954 §4.1's PLAIN has password `1234`.
    #[test]
    fn password_and_responses_are_kept_only_to_be_revealed() {
        let attempt = |reveal| {
            let initial = Some(Secret::new(b"dGVzdAB0ZXN0ADEyMzQ="));
            AuthExchange::new(b"plain", initial, at(0), reveal).finish(Some(code(235)))
        };
        let json = |reveal| serde_json::to_value(attempt(reveal)).expect("JSON");
        assert_eq!((&json(true)["password"], &json(true)["mechanism"]), (&"1234".into(), &"PLAIN".into()));
        assert_eq!((json(false).get("password"), json(false).get("responses")), (None, None));
        assert!(!format!("{:?}", attempt(true)).contains("1234"), "Debug is no way around it");
    }

    /// `AUTH` with a password where the mechanism belongs.
    #[test]
    fn what_is_no_mechanism_is_not_printed() {
        assert_eq!(exchange("hunter2", &[]).finish(None).mechanism, REDACTED);
    }

    #[test]
    fn responses_beyond_the_limit_are_not_kept() {
        let mut exchange = AuthExchange::new(b"LOGIN", None, at(0), true);
        (0..=RESPONSES_KEPT).for_each(|_| exchange.respond(Secret::new(b"am9l")));
        assert_eq!(exchange.finish(None).responses.map(|kept| kept.len()), Some(RESPONSES_KEPT));
    }
}
