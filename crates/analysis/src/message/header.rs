//! Reads the header fields of RFC 5322 through the crate `mail-parser`.

use mail_parser::{Address, HeaderValue, MessageParser};
use serde::Serialize;

use super::{Message, MessageOptions};
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

/// Fills in what the header (or the whole message, where it was kept) says.
pub(super) fn read(mut message: Message, octets: &[u8], options: &MessageOptions) -> Message {
    let parser = if options.body { MessageParser::default() } else { MessageParser::default().default_header_text() };
    let parsed = if options.body { parser.parse(octets) } else { parser.parse_headers(octets) };
    let Some(parsed) = parsed else {
        message.headers = options.headers.then(Vec::new);
        return message;
    };
    message.subject = parsed.subject().map(str::to_owned);
    message.from = parsed.from().map(mailboxes).unwrap_or_default();
    message.to = parsed.to().map(mailboxes).unwrap_or_default();
    message.cc = parsed.cc().map(mailboxes).unwrap_or_default();
    message.reply_to = parsed.reply_to().map(mailboxes).unwrap_or_default();
    message.date = parsed.date().map(mail_parser::DateTime::to_rfc3339);
    message.message_id = parsed.message_id().map(str::to_owned);
    if options.headers {
        let list = parsed.headers().iter().map(|header| Header {
            name: header.name().to_owned(),
            value: match &header.value {
                HeaderValue::Text(decoded) => decoded.to_string(),
                _ => unfolded(octets.get(header.offset_start() as usize..header.offset_end() as usize)),
            },
        });
        message.headers = Some(list.collect());
    }
    if options.body {
        message.text = parsed.body_text(0).map(std::borrow::Cow::into_owned);
    }
    message
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
