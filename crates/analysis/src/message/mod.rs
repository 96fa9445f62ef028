//! The message of a transaction: what the content events build up, and what is read from it in the end.

mod body;
mod header;

pub(crate) use body::Body;
pub use header::{Header, Mailbox};

use std::borrow::Cow;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::spool::Spooled;

/// What was sent as a message: how much, and the octets that were kept of it.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Octets captured, dots unstuffed, with the CRLF before the dot line and without that line; for BDAT the sum of the
    /// chunks.
    pub bytes: u64,
    /// Octets as sent, stuffed dots and dot line included.
    pub wire_bytes: u64,
    /// Whether its end was seen and no octet is missing.
    pub complete: bool,
    /// What of it is longer than is kept; it was counted on and not read.
    pub cut: Option<Cut>,
    /// SHA-256 of the message, where all of it was kept.
    pub sha256: Option<String>,
    /// The header, or the whole message where the body was asked for; up to the limits of [`MessageOptions`].
    kept: Vec<u8>,
    /// All octets of it, where a command wants to write them.
    pub(crate) whole: Whole,
    /// What is wanted of it.
    options: MessageOptions,
}

/// The octets of a message in a spool. They are in one place: a copy of the record has none.
#[derive(Debug, Default)]
pub(crate) struct Whole(pub(crate) Option<Box<Spooled>>);

impl Clone for Whole {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Message {
    /// Reads the header, and the body where it was asked for. It is read anew at each call: only who prints a message
    /// needs it, and does so once.
    pub fn fields(&self) -> Fields<'_> {
        if self.options.fields { header::read(&self.kept, &self.options) } else { Fields::default() }
    }
}

/// As the contract has it: the counts, then the fields.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("Message", 14)?;
        message.serialize_field("bytes", &self.bytes)?;
        message.serialize_field("wire_bytes", &self.wire_bytes)?;
        message.serialize_field("complete", &self.complete)?;
        message.serialize_field("cut", &self.cut)?;
        message.serialize_field("sha256", &self.sha256)?;
        let fields = self.fields();
        message.serialize_field("subject", &fields.subject)?;
        message.serialize_field("from", &fields.from)?;
        message.serialize_field("to", &fields.to)?;
        message.serialize_field("cc", &fields.cc)?;
        message.serialize_field("reply_to", &fields.reply_to)?;
        message.serialize_field("date", &fields.date)?;
        message.serialize_field("message_id", &fields.message_id)?;
        if let Some(headers) = &fields.headers {
            message.serialize_field("headers", headers)?;
        }
        if let Some(text) = &fields.text {
            message.serialize_field("text", text)?;
        }
        message.end()
    }
}

/// What the header of a message says, and its text. What had not to be decoded is lent from the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Subject, decoded (RFC 2047).
    pub subject: Option<Cow<'a, str>>,
    /// From (RFC 5322 §3.6.2).
    pub from: Vec<Mailbox<'a>>,
    /// To, groups opened.
    pub to: Vec<Mailbox<'a>>,
    /// Cc, groups opened.
    pub cc: Vec<Mailbox<'a>>,
    /// Reply-To.
    pub reply_to: Vec<Mailbox<'a>>,
    /// Date, as ISO 8601 with its zone.
    pub date: Option<String>,
    /// Message-ID without its angle brackets.
    pub message_id: Option<Cow<'a, str>>,
    /// All header fields in order, decoded; `None` where they were not asked for.
    pub headers: Option<Vec<Header<'a>>>,
    /// The decoded text body; `None` where it was not asked for.
    pub text: Option<String>,
}

/// The part of a message that is beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The header, beyond [`MessageOptions::header_limit`].
    Header,
    /// Header and body, beyond [`MessageOptions::body_limit`].
    Body,
}

/// What is to be kept of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageOptions {
    /// Read the header at all.
    pub fields: bool,
    /// List all header fields.
    pub headers: bool,
    /// Keep and decode the text body.
    pub body: bool,
    /// Octets of header that are kept.
    pub header_limit: usize,
    /// Octets of message that are kept where the body was asked for.
    pub body_limit: usize,
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self { fields: true, headers: true, body: false, header_limit: 1 << 20, body_limit: 64 << 20 }
    }
}
