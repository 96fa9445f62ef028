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
    let start = bytes.get(..=LONGEST_VERB).unwrap_or(bytes);
    let end = start.iter().position(|octet| matches!(octet, b' ' | b'\r' | b'\n'));
    end.and_then(|end| start.get(..end)).is_some_and(|word| Verb::parse(word).is_some())
}

/// RFC 8446 §5.1: a record begins with its type, 20 to 23, and a version whose first octet is 3. RFC 5246 appendix E.2: the
/// first may be a ClientHello of SSL 2.0, a length whose highest bit is set, and the type 1.
pub(super) fn begins_like_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23] | [20..=23, 3, ..] | [0x80..=0xff, _, 1, ..] | [0x80..=0xff] | [0x80..=0xff, _])
}

/// A record of a handshake alone. No line begins with its first octet.
pub(super) fn begins_like_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [22] | [22, 3, ..])
}

/// Octets of X-ANONYMOUSTLS.
pub(super) const LONGEST_VERB: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_begin_with_three_digits_and_a_separator() {
        assert!(begins_like_reply(b"250 ok\r\n") && begins_like_reply(b"250-mx\r\n") && begins_like_reply(b"250\r\n"));
        assert!(!begins_like_reply(b"2500\r\n") && !begins_like_reply(b"25 0") && !begins_like_reply(b"250"));
    }

    #[test]
    fn commands_begin_with_a_verb_and_its_end() {
        assert!(begins_like_command(b"mail FROM:<a@b>\r\n") && begins_like_command(b"QUIT\r\n"));
        assert!(!begins_like_command(b"Subject: x\r\n") && !begins_like_command(b"QUITE\r\n"));
        assert!(!begins_like_command(b"QUIT") && !begins_like_command(b"X-EXPS-GSSAPI\r\n"));
    }

    /// Some have a hyphen or digits in them.
    #[test]
    fn every_verb_of_the_grammar_begins_a_command() {
        for verb in Verb::ALL {
            for end in [" x\r\n", "\r\n", "\n"] {
                assert!(begins_like_command(format!("{verb}{end}").as_bytes()), "{verb}");
            }
        }
    }

    /// RFC 8446 §5.1: change_cipher_spec(20), alert(21), handshake(22), application_data(23).
    #[test]
    fn tls_begins_with_type_and_version() {
        assert!(begins_like_tls(&[22, 3, 1]) && begins_like_tls(&[23, 3, 3]) && begins_like_tls(&[21]));
        assert!(begins_like_tls(&[0x80, 46, 1, 3, 1]) && begins_like_tls(&[0x80]));
        assert!(!begins_like_tls(b"EHLO") && !begins_like_tls(&[22, 9]) && !begins_like_tls(&[]));
        assert!(!begins_like_tls("\u{fc}ber".as_bytes()));
    }
}
