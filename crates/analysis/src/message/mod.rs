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
//! | `domain` | names that are compared |

mod address;
pub mod alignment;
pub mod authentication;
mod body;
pub mod claims;
mod date;
mod domain;
mod encoded_word;
mod field;
mod header;
mod lexical;
pub mod mime;
mod received;

pub use address::Mailbox;
pub(crate) use body::Body;
pub use date::DateTime;
pub use header::Header;
pub use received::Hop;

use std::borrow::Cow;
use std::sync::OnceLock;

use mime::{Mime, MimeOptions, Part, Reader};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::spool::Spooled;
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
    /// Whether its header is longer than is kept; it was counted on and not read.
    pub cut: Option<Cut>,
    /// SHA-256 of its octets, where all of them were kept.
    pub sha256: Option<String>,
    /// All octets of it, where a command wants to write them.
    pub(crate) whole: Whole,
    /// Whether its end was seen.
    ended: bool,
    /// The header, or the whole message where its parts are wanted and it was not read as it came.
    kept: Vec<u8>,
    /// Octets of the header in `kept`.
    header: usize,
    /// What its body is, once that was read.
    mime: OnceMime,
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

/// What a body is, read at most once.
#[derive(Debug, Clone, Default)]
struct OnceMime(OnceLock<Box<Mime>>);

impl From<Option<Box<Mime>>> for OnceMime {
    fn from(mime: Option<Box<Mime>>) -> Self {
        Self(mime.map(OnceLock::from).unwrap_or_default())
    }
}

impl Message {
    /// Reads the header. It is read anew at each call: only who prints a message needs it, and does so once.
    pub fn fields(&self) -> Fields<'_> {
        let mut fields =
            if self.options.fields { header::read(self.header(), &self.options) } else { Fields::default() };
        fields.is_whole |= self.options.fields && self.complete && self.cut.is_none();
        fields
    }

    fn header(&self) -> &[u8] {
        self.kept.get(..self.header).unwrap_or_default()
    }

    /// How many hops and how many claims of its header are beyond the limits. A short header is not looked at: it has no
    /// room for so many.
    pub(crate) fn beyond_limits(&self) -> (u64, u64) {
        let MessageOptions { fields, hops_limit, claims_limit, .. } = self.options;
        let needed = (hops_limit.saturating_mul(LEAST_HOP)).min(claims_limit.saturating_mul(LEAST_CLAIM));
        if fields && self.header > needed { header::beyond_limits(self.header(), &self.options) } else { (0, 0) }
    }

    /// What its body is, where that is wanted. A message that is kept is read at the first call, so that it costs the thread
    /// that prints it and not the one that reads the capture.
    pub fn mime(&self) -> Option<&Mime> {
        let read = || {
            let mut reader = Reader::new(self.options.mime());
            reader.push(&self.kept, &mut |_, _| {});
            Box::new(reader.finish(self.ended, &mut |_, _| {}))
        };
        (self.options.fields && self.options.parts).then(|| self.mime.0.get_or_init(read).as_ref())
    }

    /// Octets that are kept of it.
    pub(crate) fn kept_octets(&self) -> usize {
        self.kept.len()
    }

    /// Reads it now, and keeps its header only.
    pub(crate) fn settle(&mut self) {
        if self.mime().is_some() {
            self.kept.truncate(self.header);
            self.kept.shrink_to_fit();
        }
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
        let mut message = serializer.serialize_struct("Message", 18)?;
        message.serialize_field("bytes", &self.bytes)?;
        message.serialize_field("wire_bytes", &self.wire_bytes)?;
        message.serialize_field("complete", &self.complete)?;
        let mime = self.mime();
        let text_is_cut = self.options.body && mime.is_some_and(|mime| mime.reached.text > 0);
        message.serialize_field("cut", &self.cut.or(text_is_cut.then_some(Cut::Body)))?;
        let sha256 = self.sha256.as_deref().or_else(|| mime.and_then(|mime| mime.sha256.as_deref()));
        message.serialize_field("sha256", &sha256)?;
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
        if let Some(mime) = mime {
            message.serialize_field("parts", &mime.parts)?;
            message.serialize_field("attachments", &Attachments(&mime.parts))?;
            message.serialize_field("urls", &mime.urls)?;
            if let Some(text) = &mime.text {
                message.serialize_field("text", text)?;
            }
        }
        message.end()
    }
}

/// The attachments among parts.
struct Attachments<'a>(&'a [Part]);

impl Serialize for Attachments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(mime::attachments(self.0))
    }
}

/// What the header of a message says. What had not to be decoded is lent from the message.
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
}

/// The part of a message that is beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The header, beyond [`MessageOptions::header_limit`].
    Header,
    /// A text in it, beyond [`MessageOptions::body_limit`].
    Body,
}

/// What is to be kept of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageOptions {
    /// Read the header at all.
    pub fields: bool,
    /// List all header fields.
    pub headers: bool,
    /// Read the body: its parts, attachments and URLs.
    pub parts: bool,
    /// Print the text of the body.
    pub body: bool,
    /// Compute SHA-256 of the message, and MD5 of attachments.
    pub hashes: bool,
    /// Octets of header that are kept.
    pub header_limit: usize,
    /// Octets of message that are kept until it is read; a longer one is read as it comes.
    pub kept_limit: usize,
    /// Octets of decoded text that are kept of a part.
    pub body_limit: usize,
    /// Received fields that are read.
    pub hops_limit: usize,
    /// Claims that are read: signatures, results and their properties, URLs of lists.
    pub claims_limit: usize,
}

impl MessageOptions {
    pub(crate) fn mime(&self) -> MimeOptions {
        MimeOptions {
            hashes: self.hashes,
            text: self.body,
            header_limit: self.header_limit,
            text_limit: self.body_limit,
            ..MimeOptions::default()
        }
    }
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self {
            fields: true,
            headers: true,
            parts: true,
            body: false,
            hashes: false,
            header_limit: 1 << 20,
            kept_limit: 1 << 20,
            body_limit: 1 << 20,
            hops_limit: 1_000,
            claims_limit: 10_000,
        }
    }
}
