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
/// | qmail | `ok 1234567890 qp 12345`; qpsmtpd says `Queued!` for `ok` |
/// | Gmail | `2.0.0 OK  1679930257 a12-20020a05 - gsmtp` |
/// | Amazon SES | `Ok 0100018a…-000000` |
/// | Yandex | `2.0.0 Ok: queued on smtp3m.mail.yandex.net as 1430081058-6ltgNFKSir-iHEKdOrm` |
/// | Haraka | `Message Queued (8C2D1A30-….1)` |
///
/// Of what stands behind `queued as` and `id=`, and of the last words before `Message accepted for delivery`, only what has a
/// digit is an id: others say `queued as requested`, or greet there.
pub(crate) fn queue_id(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let find = |marker: &[&str]| {
        let is = |(word, wanted): (&&str, &&str)| word.eq_ignore_ascii_case(wanted);
        words.windows(marker.len()).position(|window| window.iter().zip(marker).all(is))
    };
    let after = |marker: &[&str]| find(marker).and_then(|at| words.get(at + marker.len()).copied());
    let before = |marker: &[&str]| find(marker).and_then(|at| words.get(at.checked_sub(1)?).copied());
    let tagged = |tag: &str| words.iter().find_map(|word| word.trim_start_matches(['[', '(']).strip_prefix(tag));
    let id = after(&["queued", "as"])
        .filter(|word| is_id(word))
        .or_else(|| find(&["queued", "on"]).and_then(|at| queued_on(words.get(at..)?)))
        .or_else(|| tagged("InternalId="))
        .or_else(|| tagged("id=").filter(|word| is_id(word)))
        .or_else(|| before(&["Message", "accepted", "for", "delivery"]).filter(|word| is_id(word)))
        .or_else(|| before(&["-", "gsmtp"]))
        .or_else(|| after(&["Message", "queued"]).filter(|word| word.starts_with('(')))
        .or_else(|| match words.as_slice() {
            [ok, time, "qp", id, ..] if is_qmail(ok, time) => Some(*id),
            [ok, id] if ok.eq_ignore_ascii_case("Ok") && is_of_ses(id) => Some(*id),
            _ => None,
        })?;
    let id = id.trim_matches(|c: char| matches!(c, ',' | '.' | ';' | ']' | ')' | '(' | '<' | '>'));
    (!id.is_empty()).then(|| id.to_owned())
}

/// `queued on HOST as ID`
fn queued_on<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        [_, _, _, linking, id, ..] if linking.eq_ignore_ascii_case("as") => Some(id),
        _ => None,
    }
}

/// Whether a word may be an id: it has a digit, and is no enhanced status code, with or without a colon.
fn is_id(word: &str) -> bool {
    let code = word.trim_end_matches(':');
    let is_code = code.split('.').count() == 3 && code.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    !is_code && word.bytes().any(|octet| octet.is_ascii_digit())
}

fn is_qmail(ok: &str, time: &str) -> bool {
    (ok.eq_ignore_ascii_case("ok") || ok == "Queued!") && time.bytes().all(|octet| octet.is_ascii_digit())
}

/// A time in hexadecimal digits, a UUID and a number of six digits: `0100018f…-8-4-4-4-12-000000`.
fn is_of_ses(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [16, 8, 4, 4, 4, 12, 6] && parts.iter().all(|part| part.bytes().all(|octet| octet.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn names(text: &str, id: &str) {
        assert_eq!(queue_id(text).as_deref(), Some(id), "{text}");
    }

    /// Short and long ids of Postfix, behind a content filter, and of servers that say it in Postfix's words.
    #[test]
    fn postfix() {
        names("2.0.0 Ok: queued as 4Fq2Zc1kTzz9sVx", "4Fq2Zc1kTzz9sVx");
        names("Ok: queued as D863060BD9", "D863060BD9");
        names("2.0.0 Ok: 86 bytes queued as 1E2891CA025, tls F.", "1E2891CA025");
        names("2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 6B1F21C0A2E", "6B1F21C0A2E");
        names("Ok: queued as nhIMmON9SFOPcT0ii4nt2A", "nhIMmON9SFOPcT0ii4nt2A");
        names("Message queued as 6232416d01542d6b321d000d", "6232416d01542d6b321d000d");
        names(
            "2.0.0 Ok: queued on smtp3m.mail.yandex.net as 1430081058-6ltgNFKSir-iHEKdOrm",
            "1430081058-6ltgNFKSir-iHEKdOrm",
        );
    }

    /// Exim before and since 4.97, whose ids are longer.
    #[test]
    fn exim() {
        names("OK id=1pgobK-001mwq-ED", "1pgobK-001mwq-ED");
        names("OK id=10HmaX-000000005vi-0000", "10HmaX-000000005vi-0000");
    }

    #[test]
    fn sendmail_and_opensmtpd() {
        names("2.0.0 w3KJ8s1T012345 Message accepted for delivery", "w3KJ8s1T012345");
        names("MAA07128 Message accepted for delivery", "MAA07128");
        names("2.0.0 7d4a8b2c Message accepted for delivery", "7d4a8b2c");
        names("2.0.0: 7d4a8b2c Message accepted for delivery", "7d4a8b2c");
        for text in [
            "2.0.0 Message accepted for delivery",
            "2.0.0: Message accepted for delivery",
            "OK, message accepted for delivery",
        ] {
            assert_eq!(queue_id(text), None, "{text}");
        }
    }

    #[test]
    fn exchange() {
        names(
            "2.6.0 <x@y> [InternalId=60404977927186, Hostname=A.B.OUTLOOK.COM] 8 bytes in 0.1, Queued mail for delivery",
            "60404977927186",
        );
        names("2.6.0 <x@y> [InternalId=4711] Queued mail for delivery", "4711");
        // Exchange 2003 has no word for it but the Message-ID.
        assert_eq!(queue_id("2.6.0  <x@y> Queued mail for delivery"), None);
    }

    #[test]
    fn qmail_and_qpsmtpd() {
        names("ok 1679930257 qp 4711", "4711");
        names("Queued! 1679930257 qp 4711 <x@y>", "4711");
        assert_eq!(queue_id("ok qp"), None);
    }

    #[test]
    fn gmail() {
        names("2.0.0 OK  1679930257 a12-20020a05620a - gsmtp", "a12-20020a05620a");
        let text = "2.0.0 OK  1731389794 ffacd0b85a97d-381ed975a54si7856017f8f.119 - gsmtp";
        names(text, "ffacd0b85a97d-381ed975a54si7856017f8f.119");
        names("2.0.0 OK DMARC:Quarantine 1679930257 a12-20020a05620a - gsmtp", "a12-20020a05620a");
    }

    #[test]
    fn amazon_ses() {
        let id = "010001871f2c5e0d-8b0f0b3c-1111-4222-8333-444455556666-000000";
        names(&format!("Ok {id}"), id);
        assert_eq!(queue_id("Ok thank-you-very-much-for-your-most-welcome-mail"), None);
    }

    #[test]
    fn haraka() {
        let id = "8C2D1A30-5F5C-4B5E-9F5D-2F7C1B0E5A11.1";
        names(&format!("Message Queued ({id})"), id);
        assert_eq!(queue_id("Message queued for delivery"), None);
    }

    #[test]
    fn texts_without_an_id() {
        for text in ["", "OK", "2.0.0 Ok", "2.1.5 Recipient ok", "2.0.0 Ok: queued as", "Ok: queued on disk", "- gsmtp"]
            .into_iter()
            .chain(["queued as requested", "OK id=none", "Ok: queued as soon as possible"])
        {
            assert_eq!(queue_id(text), None, "{text}");
        }
    }
}
