//! The message of a transaction: what the content events build up, and what is read from it in the end.

mod body;
mod header;

pub(crate) use body::Body;
pub use header::{Header, Mailbox};

use serde::Serialize;

/// What was sent as a message.
#[derive(Debug, Clone, Default, Serialize)]
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
    /// Subject, decoded (RFC 2047).
    pub subject: Option<String>,
    /// From (RFC 5322 §3.6.2).
    pub from: Vec<Mailbox>,
    /// To, groups opened.
    pub to: Vec<Mailbox>,
    /// Cc, groups opened.
    pub cc: Vec<Mailbox>,
    /// Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// Date, as ISO 8601 with its zone.
    pub date: Option<String>,
    /// Message-ID without its angle brackets.
    pub message_id: Option<String>,
    /// All header fields in order, decoded; `None` where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<Header>>,
    /// The decoded text body; `None` where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
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
