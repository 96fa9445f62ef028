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
            kept.push(SecretText(text(response.reveal())));
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
            username: identity.username.as_deref().map(text),
            authorization_id: identity.authorization_id.as_deref().map(text),
            password: password.map(|password| SecretText(text(password.reveal()))),
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
