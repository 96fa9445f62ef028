//! The messages of the SASL mechanisms seen with SMTP, each after base64 was removed.

use std::borrow::Cow;

use super::Secret;

/// A name in a message, copied only where the message escapes a character of it.
pub type Name<'a> = Cow<'a, [u8]>;

/// The two names in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names<'a> {
    /// Whose credentials are used.
    pub username: Option<Name<'a>>,
    /// Whom to act as, where the client says so.
    pub authorization_id: Option<Name<'a>>,
    /// The realm that the user name is of, in DIGEST-MD5.
    pub realm: Option<Name<'a>>,
}

/// The message of PLAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain<'a> {
    /// Whom to act as; empty for the same as below.
    pub authorization_id: &'a [u8],
    /// Whose password it is.
    pub authentication_id: &'a [u8],
    /// The password.
    pub password: Secret<'a>,
}

/// RFC 4616 §2:
/// ```text
/// message   = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
pub fn plain(message: &[u8]) -> Option<Plain<'_>> {
    let mut parts = message.splitn(3, |&octet| octet == 0);
    let (authorization_id, authentication_id, password) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Plain { authorization_id, authentication_id, password: Secret::new(password) })
}

/// RFC 2195 §2:
/// > the client makes note of the data and then responds with a string consisting of the user name, a space, and a
/// > 'digest'.
pub fn cram_md5_username(response: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b' ', response)?;
    response.get(..at)
}

/// The values of `username`, `realm` and `authzid` in a response of DIGEST-MD5.
///
/// RFC 2831 §2.1.2:
/// ```text
/// digest-response  = 1#( username | realm | nonce | cnonce | nonce-count | qop | digest-uri | response |
///                        maxbuf | charset | cipher | authzid | auth-param )
/// username         = "username" "=" <"> username-value <">
/// realm            = "realm" "=" <"> realm-value <">
/// authzid          = "authzid" "=" <"> authzid-value <">
/// ```
pub fn digest_md5(response: &[u8]) -> Names<'_> {
    let mut names = Names::default();
    let mut rest = response;
    while let Some((Directive { name, value }, behind)) = directive(rest) {
        match name.to_ascii_lowercase().as_slice() {
            b"username" => names.username = Some(value),
            b"realm" => names.realm = Some(value),
            b"authzid" => names.authorization_id = Some(value),
            _ => {}
        }
        rest = behind;
    }
    names
}

/// `name "=" ( token / quoted-string )`, the value without quotes and quoted pairs.
struct Directive<'a> {
    name: &'a [u8],
    value: Name<'a>,
}

/// The first directive, and what stands behind it.
fn directive(input: &[u8]) -> Option<(Directive<'_>, &[u8])> {
    let start = input.iter().position(|octet| !matches!(octet, b',' | b' ' | b'\t'))?;
    let input = input.get(start..)?;
    let (name, rest) = input.split_at_checked(memchr::memchr(b'=', input)?)?;
    let rest = rest.get(1..)?;
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
        let (value, rest) = rest.split_at_checked(end)?;
        return Some((Directive { name, value: Cow::Borrowed(value) }, rest));
    };
    let mut octets = quoted.iter().enumerate();
    let mut escaped = false;
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'\\' => {
                escaped = true;
                octets.next();
            }
            b'"' => {
                let (value, rest) = quoted.split_at_checked(at)?;
                // Copied only where a quoted pair makes the value differ from what was sent.
                let value = if escaped { Cow::Owned(without_quoted_pairs(value)) } else { Cow::Borrowed(value) };
                return Some((Directive { name, value }, rest.get(1..)?));
            }
            _ => {}
        }
    }
    None
}

fn without_quoted_pairs(value: &[u8]) -> Vec<u8> {
    let mut octets = value.iter().copied();
    let next = || match octets.next() {
        Some(b'\\') => octets.next(),
        octet => octet,
    };
    std::iter::from_fn(next).collect()
}

/// User name and authorization identity in the first message of a SCRAM client.
///
/// RFC 5802 §7:
/// ```text
/// gs2-header      = gs2-cbind-flag "," [ authzid ] ","
/// authzid         = "a=" saslname
/// username        = "n=" saslname
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// client-first-message      = gs2-header client-first-message-bare
/// ```
pub fn scram_client_first(message: &[u8]) -> Option<Names<'_>> {
    let (authorization_id, bare) = gs2_header(message)?;
    let username = bare.split(|&octet| octet == b',').find_map(|attribute| attribute.strip_prefix(b"n="))?;
    Some(Names { username: Some(saslname(username)), authorization_id, realm: None })
}

/// The authorization identity in the first message of OAUTHBEARER.
///
/// RFC 7628 §3.1:
/// ```text
/// kvsep          = %x01
/// client-resp    = (gs2-header kvsep *kvpair kvsep) / kvsep
/// ```
/// > The GS2 header MAY include the username associated with the resource being accessed, the "authzid".
pub fn oauthbearer(message: &[u8]) -> Option<Name<'_>> {
    gs2_header(message)?.0
}

/// The user in the first message of XOAUTH2, which Google and Microsoft describe:
/// `"user=" {User} ^A "auth=Bearer " {Access Token} ^A ^A`.
pub fn xoauth2_username(message: &[u8]) -> Option<&[u8]> {
    message.split(|&octet| octet == 1).find_map(|pair| pair.strip_prefix(b"user="))
}

/// The token in the first message of XOAUTH2 or OAUTHBEARER.
///
/// RFC 7628 §3.1:
/// ```text
/// kvpair         = key "=" value kvsep
/// ```
/// > auth (REQUIRED):  The payload that would be in the HTTP Authorization header
///
/// RFC 6750 §2.1:
/// ```text
/// credentials = "Bearer" 1*SP b64token
/// ```
/// RFC 9110 §11.1: the scheme is case-insensitive.
pub fn bearer_token(message: &[u8]) -> Option<Secret<'_>> {
    let credentials = message.split(|&octet| octet == 1).find_map(|pair| pair.strip_prefix(b"auth="))?;
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then(|| Secret::new(token))
}

/// The authorization identity of EXTERNAL, where the client names one (RFC 4422 appendix A). An empty response asks for
/// the identity that goes with the credentials.
pub const fn external(message: &[u8]) -> Option<&[u8]> {
    if message.is_empty() { None } else { Some(message) }
}

/// What a client of ANONYMOUS says about itself (RFC 4505 §2: `message = [ email / token ]`); no identity.
pub const fn anonymous_trace(message: &[u8]) -> Option<&[u8]> {
    if message.is_empty() { None } else { Some(message) }
}

/// The authorization identity in a gs2-header, and what follows the header.
fn gs2_header(message: &[u8]) -> Option<(Option<Name<'_>>, &[u8])> {
    let mut parts = message.splitn(3, |&octet| octet == b',');
    let (_channel_binding, authzid, rest) = (parts.next()?, parts.next()?, parts.next()?);
    Some((authzid.strip_prefix(b"a=").map(saslname), rest))
}

/// RFC 5802 §5.1:
/// > The characters ',' or '=' in usernames are sent as '=2C' and '=3D' respectively.
fn saslname(name: &[u8]) -> Name<'_> {
    if memchr::memchr(b'=', name).is_none() {
        return Cow::Borrowed(name);
    }
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, behind @ ..] = rest {
        (rest, _) = match rest {
            [b'=', b'2', b'C' | b'c', behind @ ..] => (behind, decoded.push(b',')),
            [b'=', b'3', b'D' | b'd', behind @ ..] => (behind, decoded.push(b'=')),
            _ => (behind, decoded.push(*first)),
        };
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_examples_of_rfc_4616_section_4() {
        let message = plain(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!((message.authorization_id, message.authentication_id), (&b""[..], &b"tim"[..]));
        assert_eq!(message.password.reveal(), b"tanstaaftanstaaf");
        let message = plain(b"Ursel\0Kurt\0xipj3plmq").unwrap();
        assert_eq!((message.authorization_id, message.authentication_id), (&b"Ursel"[..], &b"Kurt"[..]));
        assert!(!format!("{message:?}").contains("xipj3plmq"));
        assert_eq!(plain(b"tim\0tanstaaftanstaaf"), None);
    }

    #[test]
    fn cram_md5_example_of_rfc_2195_section_2() {
        assert_eq!(cram_md5_username(b"tim b913a602c7eda7a495b4e6e7334d3890"), Some(&b"tim"[..]));
        assert_eq!(cram_md5_username(b"a user b913a602c7eda7a495b4e6e7334d3890"), Some(&b"a user"[..]));
    }

    #[test]
    fn digest_md5_example_of_rfc_2831_section_4() {
        let response = b"charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",\
            nc=00000001,cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",\
            response=d388dad90d4bbd760a152321f2143af7,qop=auth";
        let names = digest_md5(response);
        assert_eq!((names.username.as_deref(), names.authorization_id), (Some(&b"chris"[..]), None));
        assert_eq!(names.realm.as_deref(), Some(&b"elwood.innosoft.com"[..]));
    }

    #[test]
    fn digest_md5_values_are_unquoted() {
        let Names { username, authorization_id, .. } =
            digest_md5(b"realm=\"username=\\\"x\\\"\", username=\"a\\\"b,c\",authzid=\"d\"");
        assert_eq!(username.as_deref(), Some(&b"a\"b,c"[..]));
        assert_eq!(authorization_id.as_deref(), Some(&b"d"[..]));
    }

    #[test]
    fn scram_examples_of_rfc_5802_section_5_and_7677_section_3() {
        for (message, name) in [
            (&b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"[..], &b"user"[..]),
            (b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", b"user"),
        ] {
            let names = scram_client_first(message).unwrap();
            assert_eq!((names.username.as_deref(), names.authorization_id), (Some(name), None));
        }
        let Names { username, authorization_id, .. } =
            scram_client_first(b"p=tls-unique,a=ad=3Dmin,n=a=2Cb,r=x").unwrap();
        assert_eq!((username.as_deref(), authorization_id.as_deref()), (Some(&b"a,b"[..]), Some(&b"ad=min"[..])));
    }

    #[test]
    fn oauthbearer_example_of_rfc_7628_section_4_1() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(oauthbearer(message).as_deref(), Some(&b"user@example.com"[..]));
        let token = bearer_token(message).map(|token| token.reveal());
        assert_eq!(token, Some(&b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="[..]));
        assert_eq!(bearer_token(b"n,,\x01auth=Basic dGVzdA==\x01\x01"), None, "another scheme");
        assert_eq!(bearer_token(b"n,,\x01auth=Bearer \x01\x01"), None, "no token: RFC 7628 §4.3");
        assert_eq!(bearer_token(b"\x01"), None);
    }

    #[test]
    fn xoauth2_example_of_googles_description() {
        let message = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        assert_eq!(xoauth2_username(message), Some(&b"someuser@example.com"[..]));
        let token = bearer_token(message).map(|token| token.reveal());
        assert_eq!(token, Some(&b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"[..]));
    }

    #[test]
    fn external_examples_of_rfc_4422_appendix_a_1() {
        assert_eq!(external(b""), None);
        assert_eq!(external(b"fred@example.com"), Some(&b"fred@example.com"[..]));
    }

    #[test]
    fn anonymous_example_of_rfc_4505_section_2() {
        assert_eq!(anonymous_trace(b"sirhc"), Some(&b"sirhc"[..]));
    }
}
