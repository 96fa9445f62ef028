//! Reads the header fields of RFC 5322 through the crate `mail-parser`.

use std::borrow::Cow;

use mail_parser::{Address, HeaderName, HeaderValue, MessageParser};
use serde::Serialize;

use super::{Fields, MessageOptions};

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header<'a> {
    /// As sent.
    pub name: Cow<'a, str>,
    /// Unfolded, encoded words decoded.
    pub value: Cow<'a, str>,
}

/// A mailbox (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mailbox<'a> {
    /// Display name, decoded.
    pub name: Option<Cow<'a, str>>,
    /// addr-spec.
    pub address: Option<Cow<'a, str>>,
}

/// What the header says.
pub(super) fn read<'a>(octets: &'a [u8], options: &MessageOptions) -> Fields<'a> {
    let parsed = fields_that_are_printed().parse_headers(octets);
    let mut fields = Fields { headers: options.headers.then(Vec::new), ..Fields::default() };
    let Some(parsed) = parsed else { return fields };
    let own = parsed.parts.into_iter().next().map(|part| part.headers).unwrap_or_default();
    for header in own {
        let name = octets.get(header.offset_field() as usize..header.offset_start() as usize);
        let raw = octets.get(header.offset_start() as usize..header.offset_end() as usize);
        let mut value = None;
        // RFC 5322 §3.6 allows each of these once, and real mail has them more than once: no address is lost, and of
        // the others the last one counts.
        match (&header.name, header.value) {
            (HeaderName::From, HeaderValue::Address(address)) => fields.from.extend(mailboxes(address)),
            (HeaderName::To, HeaderValue::Address(address)) => fields.to.extend(mailboxes(address)),
            (HeaderName::Cc, HeaderValue::Address(address)) => fields.cc.extend(mailboxes(address)),
            (HeaderName::ReplyTo, HeaderValue::Address(address)) => fields.reply_to.extend(mailboxes(address)),
            (HeaderName::Date, date) => fields.date = date.as_datetime().map(mail_parser::DateTime::to_rfc3339),
            (HeaderName::MessageId, id) => fields.message_id = into_text(id),
            (HeaderName::Subject, subject) => {
                fields.subject = into_text(subject);
                value = fields.subject.clone();
            }
            (name, HeaderValue::Text(decoded)) if is_unstructured(name) => value = Some(decoded),
            _ => {}
        }
        if let Some(headers) = &mut fields.headers {
            // > field = field-name ":" (RFC 5322 §2.2); §4.5 lets old mail have blanks between the two.
            let name = name.unwrap_or_default().trim_ascii();
            let name = name.strip_suffix(b":").unwrap_or(name).trim_ascii_end();
            let value = value.unwrap_or_else(|| unfolded(raw));
            headers.push(Header { name: String::from_utf8_lossy(name), value });
        }
    }
    fields
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

fn mailboxes(address: Address<'_>) -> impl Iterator<Item = Mailbox<'_>> {
    let (list, groups) = match address {
        Address::List(list) => (list, Vec::new()),
        Address::Group(groups) => (Vec::new(), groups),
    };
    let all = list.into_iter().chain(groups.into_iter().flat_map(|group| group.addresses));
    all.map(|addr| Mailbox { name: addr.name, address: addr.address })
}

/// The text of a value; of several the last one.
fn into_text(value: HeaderValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        HeaderValue::Text(text) => Some(text),
        HeaderValue::TextList(list) => list.into_iter().next_back(),
        _ => None,
    }
}

/// RFC 5322 §2.2.3: unfolding removes any CRLF that is immediately followed by white space.
fn unfolded(raw: Option<&[u8]>) -> Cow<'_, str> {
    let raw = raw.unwrap_or_default().trim_ascii();
    if !raw.contains(&b'\n') {
        return String::from_utf8_lossy(raw);
    }
    String::from_utf8_lossy(raw).replace("\r\n", "").replace('\n', "").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(octets: &[u8]) -> Fields<'_> {
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
        let named = |name: &'static str, address: &'static str| Mailbox {
            name: Some(name.into()),
            address: Some(address.into()),
        };
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
        let names: Vec<_> = message.headers.iter().flatten().map(|header| &*header.name).collect();
        assert_eq!(names, ["To", "To", "Message-ID"]);
    }
}
