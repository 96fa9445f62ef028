//! The message of a transaction: what the content events build up, and what is read from it in the end.
//!
//! | module | what it is for |
//! |---|---|
//! | `body` | the octets while they come |
//! | `header` | all fields of a header, each as what it is |
//! | `field`, `lexical` | where fields begin and end; blanks, comments, quoted strings |
//! | `encoded_word`, `address`, `date` | text, lists of addresses, dates |
//! | `received`, `claims`, `authentication` | the way a message says it came, and what it says of itself |
//! | `alignment` | the envelope against the header |

mod address;
pub mod alignment;
pub mod authentication;
mod body;
pub mod claims;
mod date;
mod encoded_word;
mod field;
mod header;
mod lexical;
mod received;

pub use address::Mailbox;
pub(crate) use body::Body;
pub use date::DateTime;
pub use header::Header;
pub use received::Hop;

use std::borrow::Cow;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use claims::Claims;

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
    /// SHA-256 of the message, on request.
    pub sha256: Option<String>,
    /// The header, or the whole message where the body was asked for; up to the limits of [`MessageOptions`].
    kept: Vec<u8>,
    /// What is wanted of it.
    options: MessageOptions,
}

impl Message {
    /// Reads the header, and the body where it was asked for. It is read anew at each call: only who prints a message
    /// needs it, and does so once.
    pub fn fields(&self) -> Fields<'_> {
        let mut fields = if self.options.fields { header::read(&self.kept, &self.options) } else { Fields::default() };
        fields.is_whole |= self.options.fields && self.complete && self.cut.is_none();
        fields
    }

    /// How many hops and how many claims of its header are beyond the limits. A short header is not looked at: it has no
    /// room for so many.
    pub(crate) fn beyond_limits(&self) -> (u64, u64) {
        let MessageOptions { fields, hops_limit, claims_limit, .. } = self.options;
        let needed = (hops_limit.saturating_mul(LEAST_HOP)).min(claims_limit.saturating_mul(LEAST_CLAIM));
        if fields && self.kept.len() > needed { header::beyond_limits(&self.kept, &self.options) } else { (0, 0) }
    }

    /// The message with what is read from it, to be printed: the counts, then the fields, as the contract has it.
    pub fn read(&self) -> ReadMessage<'_> {
        ReadMessage { message: self, fields: self.fields() }
    }
}

/// Octets of `Received:` and a line end.
const LEAST_HOP: usize = 10;

/// Octets of `a,`, a URL of a list without its brackets. A result of Authentication-Results takes more.
const LEAST_CLAIM: usize = 2;

/// A message with what is read from it.
#[derive(Debug)]
pub struct ReadMessage<'a> {
    message: &'a Message,
    /// What its header says.
    pub fields: Fields<'a>,
}

impl Serialize for ReadMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.message.serialize_with(&self.fields, serializer)
    }
}

/// As the contract has it: the counts, then the fields.
impl Message {
    fn serialize_with<S: Serializer>(&self, fields: &Fields<'_>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("Message", 14)?;
        message.serialize_field("bytes", &self.bytes)?;
        message.serialize_field("wire_bytes", &self.wire_bytes)?;
        message.serialize_field("complete", &self.complete)?;
        message.serialize_field("cut", &self.cut)?;
        message.serialize_field("sha256", &self.sha256)?;
        message.serialize_field("subject", &fields.subject)?;
        message.serialize_field("from", &fields.from)?;
        message.serialize_field("to", &fields.to)?;
        message.serialize_field("cc", &fields.cc)?;
        message.serialize_field("reply_to", &fields.reply_to)?;
        message.serialize_field("date", &fields.date)?;
        message.serialize_field("message_id", &fields.message_id)?;
        message.serialize_field("received", &fields.received)?;
        message.serialize_field("further_received", &fields.further_received)?;
        message.serialize_field("claims", &fields.claims)?;
        message.serialize_field("further_claims", &fields.further_claims)?;
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
    /// Bcc, Resent-To, Resent-Cc and Resent-Bcc: not printed, but who stands there stands in the header.
    pub other_recipients: Vec<Mailbox<'a>>,
    /// Date with its zone; `None` also for an impossible one.
    pub date: Option<DateTime>,
    /// Message-ID without its angle brackets.
    pub message_id: Option<Cow<'a, str>>,
    /// The Received fields, topmost first.
    pub received: Vec<Hop<'a>>,
    /// How many more there are, beyond the limit.
    pub further_received: u64,
    /// What the message says of itself.
    pub claims: Claims<'a>,
    /// How many more claims there are, beyond the limit.
    pub further_claims: u64,
    /// Whether the end of the header is there.
    pub is_whole: bool,
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
    /// Received fields that are read.
    pub hops_limit: usize,
    /// Claims that are read: signatures, results and their properties, URLs of lists.
    pub claims_limit: usize,
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self {
            fields: true,
            headers: true,
            body: false,
            header_limit: 1 << 20,
            body_limit: 64 << 20,
            hops_limit: 1_000,
            claims_limit: 10_000,
        }
    }
}
