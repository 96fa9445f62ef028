//! Whom a SASL exchange names, from what the client sent.

use std::fmt;

use super::mechanism::{
    anonymous_trace, bearer_token, cram_md5_username, digest_md5, external, oauthbearer, plain, scram_client_first,
    xoauth2_username,
};
use super::{Secret, decode_base64, gssapi_authorization_id, ntlm_authenticate, ntlm_message, ntlm_negotiate};

/// The two names of a SASL exchange (RFC 4422 §2), not necessarily UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Whose credentials were used. For OAUTHBEARER, whose token speaks for itself, the name beside it.
    pub username: Option<Vec<u8>>,
    /// Whom the client asked to act as, where it said so.
    pub authorization_id: Option<Vec<u8>>,
    /// What the user name is of: NTLM's domain, DIGEST-MD5's realm.
    pub domain: Option<Vec<u8>>,
    /// The client's machine, which NTLM names.
    pub workstation: Option<Vec<u8>>,
    /// What a client of ANONYMOUS says about itself, which identifies nobody.
    pub trace: Option<Vec<u8>>,
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
    token: Option<Vec<u8>>,
    speaks_ntlm: bool,
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
    /// GSSAPI and GSS-SPNEGO: Kerberos, and NTLM in disguise.
    Gssapi,
    External,
    Anonymous,
    /// What names nobody in a way that can be read.
    Other,
}

impl SaslExchange {
    /// An exchange of `mechanism`, a name in any case.
    pub fn new(mechanism: &[u8]) -> Self {
        let mechanism = Mechanism::parse(mechanism);
        Self { mechanism, responses: 0, identity: Identity::default(), password: None, token: None, speaks_ntlm: false }
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

    /// The bearer token, where the mechanism sends one: XOAUTH2 and OAUTHBEARER.
    pub fn token(&self) -> Option<Secret<'_>> {
        self.token.as_deref().map(Secret::new)
    }

    /// Whether the client has sent a message of NTLM, be it inside GSSAPI.
    pub const fn speaks_ntlm(&self) -> bool {
        self.speaks_ntlm
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
                0 => identity.username = not_empty(message),
                1 => self.password = Some(message.to_vec()),
                _ => {}
            },
            Mechanism::CramMd5 => set(&mut identity.username, cram_md5_username(message)),
            Mechanism::DigestMd5 => {
                let names = digest_md5(message);
                set(&mut identity.username, names.username.as_deref());
                set(&mut identity.authorization_id, names.authorization_id.as_deref());
                set(&mut identity.domain, names.realm.as_deref());
            }
            Mechanism::Scram => {
                if identity.username.is_none()
                    && let Some(names) = scram_client_first(message)
                {
                    set(&mut identity.username, names.username.as_deref());
                    set(&mut identity.authorization_id, names.authorization_id.as_deref());
                }
            }
            Mechanism::XOAuth2 => {
                set(&mut identity.username, xoauth2_username(message));
                set(&mut self.token, bearer_token(message).map(|token| token.reveal()));
            }
            Mechanism::OAuthBearer => {
                set(&mut self.token, bearer_token(message).map(|token| token.reveal()));
                let name = oauthbearer(message);
                set(&mut identity.username, name.as_deref());
                set(&mut identity.authorization_id, name.as_deref());
            }
            Mechanism::Ntlm => self.speaks_ntlm |= read_ntlm(identity, message),
            Mechanism::Gssapi => {
                self.speaks_ntlm |= read_ntlm(identity, message);
                set(&mut identity.authorization_id, gssapi_authorization_id(message).as_deref());
            }
            Mechanism::External => set(&mut identity.authorization_id, external(message)),
            Mechanism::Anonymous => set(&mut identity.trace, anonymous_trace(message)),
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
            .field("token", &self.token())
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
            b"GSSAPI" | b"GSS-SPNEGO" => Self::Gssapi,
            b"ANONYMOUS" => Self::Anonymous,
            b"EXTERNAL" => Self::External,
            name if name.starts_with(b"SCRAM-") => Self::Scram,
            _ => Self::Other,
        }
    }
}

/// The names of NTLM's first and third message; what one leaves empty the other may say. Whether it is one.
fn read_ntlm(identity: &mut Identity, message: &[u8]) -> bool {
    let Some(message) = ntlm_message(message) else { return false };
    if let Some(names) = ntlm_negotiate(message) {
        set(&mut identity.domain, not_empty(names.domain).as_deref());
        set(&mut identity.workstation, not_empty(names.workstation).as_deref());
    }
    if let Some(names) = ntlm_authenticate(message) {
        set(&mut identity.username, not_empty(&names.username).as_deref());
        set(&mut identity.domain, not_empty(&names.domain).as_deref());
        set(&mut identity.workstation, not_empty(&names.workstation).as_deref());
    }
    true
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

    /// RFC 5802 §4: the names with `-PLUS`, which bind to the TLS channel, and RFC 7677 and the SHA-512 of practice.
    #[test]
    fn every_scram_is_read_alike() {
        let first = data_encoding::BASE64.encode(b"p=tls-exporter,a=admin,n=user,r=rOprNGfwEbeRWgbNEkqO");
        for hash in ["SHA-1", "SHA-256", "SHA-512"] {
            names(&format!("SCRAM-{hash}"), &[&first], Some("user"), Some("admin"));
            names(&format!("scram-{hash}-plus"), &[&first], Some("user"), Some("admin"));
        }
    }

    /// RFC 4954 §4: the initial response may be left out, be "=", or be the first response; here that of LOGIN.
    #[test]
    fn login_with_an_initial_response() {
        let mut exchange = SaslExchange::new(b"LOGIN");
        exchange.respond(Secret::new(b"dGVzdA=="));
        exchange.respond(Secret::new(b"*"));
        assert_eq!(exchange.identity().username.as_deref(), Some(&b"test"[..]));
        assert_eq!(exchange.password(), None, "given up");
        names("LOGIN", &["="], None, None);
    }

    /// [MS-NLMP] §1.3.1.1: NEGOTIATE, then AUTHENTICATE; the first alone where the server refused.
    #[test]
    fn ntlm_bare_and_inside_gssapi() {
        let third = data_encoding::BASE64.encode(
            b"NTLMSSP\0\x03\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40\0\0\0\x06\0\x06\0\x40\0\0\0\x08\0\x08\0\x46\0\0\0\
              \x04\0\x04\0\x4e\0\0\0\0\0\0\0\x52\0\0\0\x01\0\0\0D\0O\0M\0u\0s\0e\0r\0W\0S\0",
        );
        let first = "TlRMTVNTUAABAAAABzIAAAYABgArAAAACwALACAAAABXT1JLU1RBVElPTkRPTUFJTg==";
        for mechanism in ["NTLM", "GSSAPI", "GSS-SPNEGO"] {
            let mut exchange = SaslExchange::new(mechanism.as_bytes());
            exchange.respond(Secret::new(first.as_bytes()));
            assert!(exchange.speaks_ntlm());
            let identity = exchange.identity();
            assert_eq!(identity.domain.as_deref(), Some(&b"DOMAIN"[..]));
            assert_eq!((identity.workstation.as_deref(), &identity.username), (Some(&b"WORKSTATION"[..]), &None));
            exchange.respond(Secret::new(third.as_bytes()));
            let identity = exchange.identity();
            assert_eq!(identity.username.as_deref(), Some(&b"user"[..]));
            assert_eq!(identity.domain.as_deref(), Some(&b"DOM"[..]));
            assert_eq!(identity.workstation.as_deref(), Some(&b"WS"[..]));
        }
    }

    /// RFC 7628 §4.1 and §3.2.3: after a failure the client sends a lone ^A, which names nobody anew.
    #[test]
    fn oauth() {
        let first =
            data_encoding::BASE64.encode(b"n,a=user@example.com,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBh\x01\x01");
        names("OAUTHBEARER", &[&first, "AQ=="], Some("user@example.com"), Some("user@example.com"));
        let first = data_encoding::BASE64.encode(b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4\x01\x01");
        names("XOAUTH2", &[&first, ""], Some("someuser@example.com"), None);
    }

    /// RFC 4505's "sirhc", and RFC 4752 §3.1 with the token of RFC 4121 §4.2.6.2.
    #[test]
    fn anonymous_and_kerberos() {
        let mut exchange = SaslExchange::new(b"ANONYMOUS");
        exchange.respond(Secret::new(b"c2lyaGM="));
        assert_eq!(exchange.identity(), &Identity { trace: Some(b"sirhc".to_vec()), ..Identity::default() });
        let last =
            data_encoding::BASE64.encode(b"\x05\x04\x04\xff\0\x0c\0\0\0\0\0\0\0\0\0\x01\x01\0\0\0fredchecksum-12-");
        names("GSSAPI", &["YIICIQ==", "", &last], None, Some("fred"));
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
