//! Whom a SASL exchange names, from what the client sent.

use std::fmt;

use super::mechanism::{
    cram_md5_username, digest_md5, external, oauthbearer, plain, scram_client_first, xoauth2_username,
};
use super::{Secret, decode_base64, ntlm_authenticate};

/// The two names of a SASL exchange (RFC 4422 §2), not necessarily UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Whose credentials were used. For OAUTHBEARER, whose token speaks for itself, the name beside it.
    pub username: Option<Vec<u8>>,
    /// Whom the client asked to act as, where it said so.
    pub authorization_id: Option<Vec<u8>>,
}

/// One exchange: the mechanism of an AUTH command and the client's responses, in order.
///
/// ```
/// use smtp_parser::{SaslExchange, Secret};
///
/// // RFC 4954 §4.1
/// let mut exchange = SaslExchange::new(b"PLAIN");
/// exchange.respond(Secret::new(b"dGVzdAB0ZXN0ADEyMzQ="));
/// assert_eq!(exchange.identity().username.as_deref(), Some(&b"test"[..]));
/// ```
pub struct SaslExchange {
    mechanism: Mechanism,
    /// Responses given so far.
    responses: usize,
    identity: Identity,
    password: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    CramMd5,
    DigestMd5,
    Scram,
    XOAuth2,
    OAuthBearer,
    Ntlm,
    External,
    /// ANONYMOUS, GSSAPI, and what else names nobody in a way that can be read.
    Other,
}

impl SaslExchange {
    /// An exchange of `mechanism`, a name in any case.
    pub fn new(mechanism: &[u8]) -> Self {
        Self { mechanism: Mechanism::parse(mechanism), responses: 0, identity: Identity::default(), password: None }
    }

    /// The client's next response as sent, in base64: first the initial response of the AUTH command, where it has
    /// one. What cannot be decoded, and `*`, tells nothing.
    pub fn respond(&mut self, response: Secret<'_>) {
        let nth = self.responses;
        self.responses = nth.saturating_add(1);
        if let Some(message) = decode_base64(response.reveal()) {
            self.read(nth, &message);
        }
    }

    /// Who the client says it is, as far as the responses tell.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The password, where the mechanism sends one: PLAIN and LOGIN.
    pub fn password(&self) -> Option<Secret<'_>> {
        self.password.as_deref().map(Secret::new)
    }

    fn read(&mut self, nth: usize, message: &[u8]) {
        let identity = &mut self.identity;
        match self.mechanism {
            Mechanism::Plain => {
                if let Some(message) = plain(message) {
                    identity.username = Some(message.authentication_id.to_vec());
                    identity.authorization_id = not_empty(message.authorization_id);
                    self.password = Some(message.password.reveal().to_vec());
                }
            }
            // No standard, but all servers ask for the user name first and for the password then.
            Mechanism::Login => match nth {
                0 => identity.username = Some(message.to_vec()),
                1 => self.password = Some(message.to_vec()),
                _ => {}
            },
            Mechanism::CramMd5 => set(&mut identity.username, cram_md5_username(message)),
            Mechanism::DigestMd5 => {
                let names = digest_md5(message);
                set(&mut identity.username, names.username.as_deref());
                set(&mut identity.authorization_id, names.authorization_id.as_deref());
            }
            Mechanism::Scram => {
                if identity.username.is_none()
                    && let Some(names) = scram_client_first(message)
                {
                    set(&mut identity.username, names.username.as_deref());
                    set(&mut identity.authorization_id, names.authorization_id.as_deref());
                }
            }
            Mechanism::XOAuth2 => set(&mut identity.username, xoauth2_username(message)),
            Mechanism::OAuthBearer => {
                let name = oauthbearer(message);
                set(&mut identity.username, name.as_deref());
                set(&mut identity.authorization_id, name.as_deref());
            }
            Mechanism::Ntlm => {
                let message = ntlm_authenticate(message);
                set(&mut identity.username, message.as_ref().map(|message| message.username.as_slice()));
            }
            Mechanism::External => set(&mut identity.authorization_id, external(message)),
            Mechanism::Other => {}
        }
    }
}

impl fmt::Debug for SaslExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, responses, identity, .. } = self;
        f.debug_struct("SaslExchange")
            .field("mechanism", mechanism)
            .field("responses", responses)
            .field("identity", identity)
            .field("password", &self.password())
            .finish()
    }
}

impl Mechanism {
    fn parse(name: &[u8]) -> Self {
        match name.to_ascii_uppercase().as_slice() {
            b"PLAIN" => Self::Plain,
            b"LOGIN" => Self::Login,
            b"CRAM-MD5" => Self::CramMd5,
            b"DIGEST-MD5" => Self::DigestMd5,
            b"XOAUTH2" => Self::XOAuth2,
            b"OAUTHBEARER" => Self::OAuthBearer,
            b"NTLM" => Self::Ntlm,
            b"EXTERNAL" => Self::External,
            name if name.starts_with(b"SCRAM-") => Self::Scram,
            _ => Self::Other,
        }
    }
}

fn set(place: &mut Option<Vec<u8>>, name: Option<&[u8]>) {
    if let Some(name) = name {
        *place = Some(name.to_vec());
    }
}

fn not_empty(name: &[u8]) -> Option<Vec<u8>> {
    (!name.is_empty()).then(|| name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn names(mechanism: &str, responses: &[&str], username: Option<&str>, authorization_id: Option<&str>) {
        let mut exchange = SaslExchange::new(mechanism.as_bytes());
        for response in responses {
            exchange.respond(Secret::new(response.as_bytes()));
        }
        let identity = exchange.identity();
        assert_eq!(identity.username.as_deref(), username.map(str::as_bytes));
        assert_eq!(identity.authorization_id.as_deref(), authorization_id.map(str::as_bytes));
    }

    /// RFC 4954 §4.1: with initial response, and with an empty one followed by a response.
    #[test]
    fn plain_examples_of_rfc_4954() {
        names("PLAIN", &["dGVzdAB0ZXN0ADEyMzQ="], Some("test"), Some("test"));
        names("plain", &["AHRlc3QAMTIzNA=="], Some("test"), None);
    }

    #[test]
    fn cram_md5_example_of_rfc_2195() {
        names("CRAM-MD5", &["dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"], Some("tim"), None);
    }

    /// RFC 4954 §4.3, the example with DIGEST-MD5, whose last response is empty.
    #[test]
    fn digest_md5_ends_with_an_empty_response() {
        let response = data_encoding::BASE64.encode(b"username=\"chris\",realm=\"elwood.innosoft.com\",qop=auth");
        names("DIGEST-MD5", &[&response, ""], Some("chris"), None);
    }

    #[test]
    fn login_sends_a_name_then_a_password() {
        // "Username:" and "Password:" are asked for; "dGVzdA==" is "test", "MTIzNA==" is "1234".
        names("LOGIN", &["dGVzdA==", "MTIzNA=="], Some("test"), None);
        let mut exchange = SaslExchange::new(b"login");
        exchange.respond(Secret::new(b"dGVzdA=="));
        assert_eq!(exchange.password(), None);
        exchange.respond(Secret::new(b"MTIzNA=="));
        assert_eq!(exchange.password().map(|password| password.reveal()), Some(&b"1234"[..]));
        assert!(!format!("{exchange:?}").contains(&format!("{:?}", b"1234")));
    }

    /// RFC 7677 §3 (SCRAM-SHA-256), the two messages of the client.
    #[test]
    fn scram_names_its_user_in_the_first_message() {
        let first = data_encoding::BASE64.encode(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = data_encoding::BASE64.encode(b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF,p=dHzbZap");
        names("SCRAM-SHA-256", &[&first, &last], Some("user"), None);
    }

    #[test]
    fn external_and_its_empty_response() {
        names("EXTERNAL", &["="], None, None);
        names("EXTERNAL", &["ZnJlZEBleGFtcGxlLmNvbQ=="], None, Some("fred@example.com"));
    }

    #[test]
    fn what_names_nobody() {
        names("PLAIN", &["*"], None, None);
        names("PLAIN", &["not base64!"], None, None);
        names("GSSAPI", &["dGVzdA=="], None, None);
        names("ANONYMOUS", &["c2lyaGM="], None, None);
    }
}
