//! Reads the header fields of RFC 5322 through the crate `mail-parser`.

use mail_parser::{Address, HeaderName, HeaderValue, MessageParser};
use serde::Serialize;

use super::{Fields, MessageOptions};
use crate::output::text;

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// As sent.
    pub name: String,
    /// Unfolded, encoded words decoded.
    pub value: String,
}

/// A mailbox (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mailbox {
    /// Display name, decoded.
    pub name: Option<String>,
    /// addr-spec.
    pub address: Option<String>,
}

/// What the header (or the whole message, where it was kept) says.
pub(super) fn read(octets: &[u8], options: &MessageOptions) -> Fields {
    let parser = fields_that_are_printed();
    let parsed = if options.body { parser.with_mime_headers().parse(octets) } else { parser.parse_headers(octets) };
    let Some(parsed) = parsed else {
        return Fields { headers: options.headers.then(Vec::new), ..Fields::default() };
    };
    // RFC 5322 §3.6 allows each of these once, and real mail has them more than once: no address is lost.
    let all = |name: HeaderName<'static>| {
        let values = parsed.headers().iter().filter(|header| header.name == name);
        values.filter_map(|header| header.value.as_address()).flat_map(mailboxes).collect::<Vec<_>>()
    };
    let listed = || {
        let list = parsed.headers().iter().map(|header| Header {
            name: header.name().to_owned(),
            value: match &header.value {
                HeaderValue::Text(decoded) if is_unstructured(&header.name) => decoded.to_string(),
                _ => unfolded(octets.get(header.offset_start() as usize..header.offset_end() as usize)),
            },
        });
        list.collect()
    };
    Fields {
        subject: parsed.subject().map(str::to_owned),
        from: all(HeaderName::From),
        to: all(HeaderName::To),
        cc: all(HeaderName::Cc),
        reply_to: all(HeaderName::ReplyTo),
        date: parsed.date().map(mail_parser::DateTime::to_rfc3339),
        message_id: parsed.message_id().map(str::to_owned),
        headers: options.headers.then(listed),
        text: if options.body { parsed.body_text(0).map(std::borrow::Cow::into_owned) } else { None },
    }
}

/// Parses what [`Fields`] has a field for, and takes the rest as text.
fn fields_that_are_printed() -> MessageParser {
    MessageParser::new()
        .header_address(HeaderName::From)
        .header_address(HeaderName::To)
        .header_address(HeaderName::Cc)
        .header_address(HeaderName::ReplyTo)
        .header_date(HeaderName::Date)
        .header_id(HeaderName::MessageId)
        .header_text(HeaderName::Subject)
        .default_header_text()
}

/// Whether the parser gives the whole text of a field: of identifiers it gives what is between the brackets.
fn is_unstructured(name: &HeaderName<'_>) -> bool {
    !matches!(
        name,
        HeaderName::MessageId
            | HeaderName::ContentId
            | HeaderName::InReplyTo
            | HeaderName::References
            | HeaderName::ReturnPath
            | HeaderName::ResentMessageId
    )
}

fn mailboxes(address: &Address<'_>) -> Vec<Mailbox> {
    let mailbox = |addr: &mail_parser::Addr<'_>| Mailbox {
        name: addr.name().map(str::to_owned),
        address: addr.address().map(str::to_owned),
    };
    address.iter().map(mailbox).collect()
}

/// RFC 5322 §2.2.3: unfolding removes any CRLF that is immediately followed by white space.
fn unfolded(raw: Option<&[u8]>) -> String {
    text(raw.unwrap_or_default()).replace("\r\n", "").replace('\n', "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(octets: &[u8]) -> Fields {
        read(octets, &MessageOptions::default())
    }

    /// RFC 2047 section 8.
    #[test]
    fn encoded_words_are_decoded() {
        let message = header(
            b"From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>\r\n\
              To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\r\n\
              CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>\r\n\
              Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n \
              =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\r\n\r\n",
        );
        assert_eq!(message.subject.as_deref(), Some("If you can read this you understand the example."));
        let named = |name: &str, address: &str| Mailbox { name: Some(name.into()), address: Some(address.into()) };
        assert_eq!(message.from, [named("Keith Moore", "moore@cs.utk.edu")]);
        assert_eq!(message.to, [named("Keld J\u{f8}rn Simonsen", "keld@dkuug.dk")]);
        assert_eq!(message.cc, [named("Andr\u{e9} Pirard", "PIRARD@vm1.ulg.ac.be")]);
    }

    /// RFC 5322 appendix A.1.3.
    #[test]
    fn groups_are_opened() {
        let message = header(
            b"To: A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;\r\nCc: Undisclosed recipients:;\r\n\r\n",
        );
        let addresses: Vec<_> = message.to.iter().filter_map(|mailbox| mailbox.address.as_deref()).collect();
        assert_eq!(addresses, ["joe@where.test", "joe@where.test", "jdoe@one.test"]);
        assert!(message.cc.is_empty());
    }

    #[test]
    fn fields_given_twice_lose_no_address() {
        let message = header(b"To: a@example.org\r\nTo: b@example.org\r\nMessage-ID: <1@example.org>\r\n\r\n");
        assert_eq!(message.to.len(), 2);
        assert_eq!(message.message_id.as_deref(), Some("1@example.org"));
        let names: Vec<_> = message.headers.iter().flatten().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["To", "To", "Message-ID"]);
    }
}
