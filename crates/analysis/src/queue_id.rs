//! The name a server gives a mail it accepted, from the text of the final reply where its form is known.

/// The queue id in the text of a 250 to the end of the message.
///
/// | server | text |
/// |---|---|
/// | Postfix | `2.0.0 Ok: queued as 4Fq2Zc1kTzz9sVx` |
/// | Exim | `OK id=1pgobK-001mwq-ED` |
/// | Sendmail | `2.0.0 w3KJ8s1T012345 Message accepted for delivery` |
/// | OpenSMTPD | `2.0.0 7d4a8b2c Message accepted for delivery` |
/// | Exchange | `2.6.0 <…> [InternalId=123, Hostname=…] Queued mail for delivery` |
/// | qmail | `ok 1234567890 qp 12345` |
/// | Gmail | `2.0.0 OK  1679930257 a12-20020a05 - gsmtp` |
/// | Amazon SES | `Ok 0100018a…-000000` |
pub(crate) fn queue_id(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let after = |marker: &[&str]| {
        let at = words
            .windows(marker.len())
            .position(|window| window.iter().zip(marker).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted)))?;
        words.get(at + marker.len()).copied()
    };
    let tagged = |tag: &str| words.iter().find_map(|word| word.trim_start_matches(['[', '(']).strip_prefix(tag));
    let before = |marker: &[&str]| {
        let at = words
            .windows(marker.len())
            .position(|window| window.iter().zip(marker).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted)))?;
        words.get(at.checked_sub(1)?).copied()
    };
    let id = after(&["queued", "as"])
        .or_else(|| tagged("InternalId="))
        .or_else(|| tagged("id="))
        .or_else(|| before(&["Message", "accepted", "for", "delivery"]).filter(|word| !is_enhanced_code(word)))
        .or_else(|| before(&["-", "gsmtp"]))
        .or_else(|| after(&["qp"]).filter(|_| words.first().is_some_and(|word| word.eq_ignore_ascii_case("ok"))))
        .or_else(|| match words.as_slice() {
            ["Ok", id] if id.len() > 30 && id.contains('-') => Some(id),
            _ => None,
        })?;
    let id = id.trim_matches(|c: char| matches!(c, ',' | '.' | ';' | ']' | ')' | '<' | '>'));
    (!id.is_empty()).then(|| id.to_owned())
}

fn is_enhanced_code(word: &str) -> bool {
    word.split('.').count() == 3 && word.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms() {
        for (text, id) in [
            ("2.0.0 Ok: queued as 4Fq2Zc1kTzz9sVx", Some("4Fq2Zc1kTzz9sVx")),
            ("OK id=1pgobK-001mwq-ED", Some("1pgobK-001mwq-ED")),
            ("2.0.0 w3KJ8s1T012345 Message accepted for delivery", Some("w3KJ8s1T012345")),
            ("2.0.0 7d4a8b2c Message accepted for delivery", Some("7d4a8b2c")),
            ("2.0.0 Message accepted for delivery", None),
            (
                "2.6.0 <x@y> [InternalId=60404977927186, Hostname=A.B.OUTLOOK.COM] 8 bytes in 0.1, Queued mail for delivery",
                Some("60404977927186"),
            ),
            ("ok 1679930257 qp 4711", Some("4711")),
            ("2.0.0 OK  1679930257 a12-20020a05620a - gsmtp", Some("a12-20020a05620a")),
            (
                "Ok 010001871f2c5e0d-8b0f0b3c-1111-4222-8333-444455556666-000000",
                Some("010001871f2c5e0d-8b0f0b3c-1111-4222-8333-444455556666-000000"),
            ),
            ("OK", None),
            ("2.1.5 Recipient ok", None),
        ] {
            assert_eq!(queue_id(text).as_deref(), id, "{text}");
        }
    }
}
