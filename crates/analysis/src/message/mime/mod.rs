//! The body of a message: its parts (RFC 2045, RFC 2046), what is attached, and the URLs in its text.
//!
//! | module | what it is for |
//! |---|---|
//! | `reader` | reads a message as it comes, in any slices |
//! | `delimiter` | what is open, and the lines that delimit parts |
//! | `line_break` | the line break that belongs to a delimiter line |
//! | `entity` | what a part's header says |
//! | `leaf` | a body, decoded, counted and hashed |
//! | `base64`, `quoted_printable` | transfer encodings |
//! | `part` | a part as users see it |
//! | `container` | S/MIME, OpenPGP, TNEF, encrypted archives |
//! | `report` | delivery and disposition notifications |
//! | `url`, `html` | URLs of text |

mod base64;
mod container;
mod delimiter;
mod entity;
mod html;
mod leaf;
mod line_break;
mod part;
mod quoted_printable;
mod reader;
mod report;
mod url;

#[cfg(test)]
mod tests;

pub use container::{Container, Protection};
pub use entity::CONTENT_FIELDS_OCTETS;
pub use part::Part;
pub(super) use part::attachments;
pub use reader::Reader;
pub use report::{Notification, NotifiedRecipient, RECIPIENTS};
pub use url::{LINK_TEXT_OCTETS, URL_OCTETS, Url};

/// What is wanted of a message's body, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MimeOptions {
    /// SHA-256 of the message, and MD5 of its parts.
    pub hashes: bool,
    /// Keep the text of the mail.
    pub text: bool,
    /// Octets of the message's header that are kept.
    pub header_limit: usize,
    /// Octets of a part's header that are kept.
    pub part_header_limit: usize,
    /// Octets of all parts' headers that are kept.
    pub part_headers_limit: usize,
    /// Multiparts and attached messages around a part.
    pub depth_limit: usize,
    /// Attached messages around a part; each of them may be hashed.
    pub messages_limit: usize,
    /// Parts that are kept.
    pub parts_limit: usize,
    /// Octets of decoded text that are kept of a part.
    pub text_limit: usize,
    /// URLs that are kept.
    pub urls_limit: usize,
}

impl Default for MimeOptions {
    fn default() -> Self {
        Self {
            hashes: false,
            text: false,
            header_limit: 1 << 20,
            part_header_limit: 64 << 10,
            part_headers_limit: 2 << 20,
            depth_limit: 100,
            messages_limit: 10,
            parts_limit: 10_000,
            text_limit: 1 << 20,
            urls_limit: 1000,
        }
    }
}

/// What a message's body is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mime {
    /// The message and all that is in it, in order of appearance.
    pub parts: Vec<Part>,
    /// The URLs of its text and HTML parts.
    pub urls: Vec<Url>,
    /// The text of the mail: its first plain text, else its first HTML as text. `None` where it was not asked for.
    pub text: Option<String>,
    /// SHA-256 of the message, on request; `None` where octets are missing.
    pub sha256: Option<String>,
    /// How often a limit was reached.
    pub reached: Reached,
    /// Which octets are what.
    pub counted: Counted,
}

/// How often each limit was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Multiparts and messages that were too deep to be opened.
    pub depth: u64,
    /// Parts that are not kept.
    pub parts: u64,
    /// Headers of parts that were cut.
    pub part_headers: u64,
    /// Texts that were cut.
    pub text: u64,
    /// URLs that are not kept.
    pub urls: u64,
}

/// Every octet of a message is counted once: the sum is the number of octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Of headers, with the empty line behind them.
    pub headers: u64,
    /// Of delimiter lines, with the line breaks before them that would else belong to a body.
    pub delimiters: u64,
    /// Of the bodies of parts that have no parts.
    pub bodies: u64,
    /// Of preambles and epilogues, and of parts that are not kept.
    pub outside: u64,
}

impl Counted {
    /// All octets.
    pub fn sum(&self) -> u64 {
        self.headers + self.delimiters + self.bodies + self.outside
    }
}
