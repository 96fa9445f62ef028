//! Authentication (RFC 4954): secrets that do not print, and who it is that a SASL exchange claims to be.

mod gssapi;
mod mechanism;
mod ntlm;
mod sasl;

use std::fmt;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

pub use gssapi::gssapi_authorization_id;
pub use mechanism::{
    Name, Names, Plain, anonymous_trace, bearer_token, cram_md5_username, digest_md5, external, oauthbearer, plain,
    scram_client_first, xoauth2_username,
};
pub use ntlm::{NtlmAuthenticate, NtlmNegotiate, ntlm_authenticate, ntlm_message, ntlm_negotiate};
pub use sasl::{Identity, SaslExchange};

/// Octets that must not reach a report unasked. `Debug` and `Display` print `[redacted]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(&'a [u8]);

impl<'a> Secret<'a> {
    /// Makes a secret of `octets`.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The octets. Every call is a place to look at in review.
    pub const fn reveal(&self) -> &'a [u8] {
        self.0
    }

    /// How many octets there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the line that gives the exchange up.
    ///
    /// RFC 4954 §4:
    /// > If the client wishes to cancel the authentication exchange, it issues a line with a single "*".
    pub const fn is_cancel(&self) -> bool {
        matches!(self.0, b"*")
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Decodes a SASL response; `=` is an empty one (RFC 4954 §4). Padding may be missing, blanks may stand anywhere, and
/// the bits beyond the last octet may be set: servers take all of these. `None` where it is not base64 even so.
pub fn decode_base64(response: &[u8]) -> Option<Vec<u8>> {
    BASE64.as_ref()?.decode(response).ok()
}

/// `None` is for a specification that data-encoding refuses, which a test excludes.
static BASE64: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.ignore.push_str(" \t\r\n=");
    specification.check_trailing_bits = false;
    specification.encoding().ok()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new(b"test");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(secret)), "[redacted] [redacted] Some([redacted])");
        assert_eq!((secret.reveal(), secret.len(), secret.is_empty()), (&b"test"[..], 4, false));
    }

    #[test]
    fn cancel_is_a_lone_asterisk() {
        assert!(Secret::new(b"*").is_cancel());
        assert!(!Secret::new(b"Kg==").is_cancel());
    }

    /// The test vectors of RFC 4648 §10.
    #[test]
    fn base64_with_and_without_padding() {
        for (text, decoded) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba")]
        {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), Some(decoded.as_bytes()));
            assert_eq!(decode_base64(text.trim_end_matches('=').as_bytes()).as_deref(), Some(decoded.as_bytes()));
        }
    }

    #[test]
    fn base64_with_blanks_and_stray_bits() {
        assert_eq!(decode_base64(b" Zm9v YmE= \t").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(decode_base64(b"Zh==").as_deref(), Some(&b"f"[..]));
        assert_eq!(decode_base64(b"=").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_is_not_base64() {
        assert_eq!(decode_base64(b"Zm9v!"), None);
        assert_eq!(decode_base64(b"Zm9vY"), None);
    }
}
