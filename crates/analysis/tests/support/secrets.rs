//! Finds SASL responses in the octets of a capture file, without a packet being decoded: what the program has to keep to
//! itself.

use data_encoding::BASE64;

/// A response that gives a secret away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaslResponse {
    pub(crate) mechanism: &'static str,
    /// As sent.
    pub(crate) encoded: String,
    /// The password, or the digest of CRAM-MD5.
    pub(crate) secret: String,
}

/// The responses of PLAIN, LOGIN and CRAM-MD5 among the lines of a file, those of PLAIN and LOGIN with known passwords.
pub(crate) fn sasl_responses(file: &[u8], passwords: &[&str]) -> Vec<SaslResponse> {
    let line_ends = file.windows(2).enumerate().filter(|(_, pair)| *pair == b"\r\n").map(|(index, _)| index);
    let mut found: Vec<SaslResponse> = line_ends.filter_map(|end| response_before(&file[..end], passwords)).collect();
    found.dedup();
    found
}

/// The shortest run of base64 at the end that is a response: the octets in front of it may be a packet's header.
fn response_before(octets: &[u8], passwords: &[&str]) -> Option<SaslResponse> {
    let is_base64 = |octet: &&u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let run = octets.iter().rev().take(LONGEST).take_while(is_base64).count();
    (4..=run).step_by(4).find_map(|length| {
        let encoded = &octets[octets.len() - length..];
        let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
        let (mechanism, secret) = secret_in(&decoded, passwords)?;
        Some(SaslResponse { mechanism, encoded: String::from_utf8_lossy(encoded).into_owned(), secret })
    })
}

const LONGEST: usize = 256;

fn secret_in(decoded: &str, passwords: &[&str]) -> Option<(&'static str, String)> {
    // RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
    let plain = decoded.rsplit_once('\0').filter(|(identities, _)| identities.contains('\0'));
    // RFC 2195 §2: the user name, a blank and the digest "in hexadecimal format, using lower-case characters".
    let is_digest = |digest: &str| digest.len() == 32 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let cram = decoded.split_once(' ').filter(|(_, digest)| is_digest(digest));
    if passwords.contains(&decoded) {
        Some(("LOGIN", decoded.to_owned()))
    } else if let Some((_, password)) = plain.filter(|(_, password)| passwords.contains(password)) {
        Some(("PLAIN", password.to_owned()))
    } else {
        cram.map(|(_, digest)| ("CRAM-MD5", digest.to_owned()))
    }
}
