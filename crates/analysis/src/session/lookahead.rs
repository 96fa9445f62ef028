//! What the first octets of a segment look like, where the stream alone does not say where a line or record begins.

use smtp_parser::Verb;

/// RFC 5321 §4.2: `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`.
pub(super) fn begins_like_reply(bytes: &[u8]) -> bool {
    match bytes {
        [a, b, c, rest @ ..] => {
            [a, b, c].into_iter().all(u8::is_ascii_digit) && matches!(rest.first(), Some(b' ' | b'-' | b'\r' | b'\n'))
        }
        _ => false,
    }
}

/// Whether a segment begins with a verb and what may follow one: clients send whole lines.
pub(super) fn begins_like_command(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|octet| !octet.is_ascii_alphabetic()).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    Verb::parse(word).is_some() && matches!(rest.first(), Some(b' ' | b'\r' | b'\n'))
}

/// RFC 8446 §5.1: a record begins with its type, 20 to 23, and a version whose first octet is 3.
pub(super) fn is_tls_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23] | [20..=23, 3, ..])
}

/// RFC 8446 §5.1, `ContentType.handshake`.
pub(crate) const TLS_HANDSHAKE: u8 = 22;
