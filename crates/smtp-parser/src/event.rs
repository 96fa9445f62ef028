//! What a decoder says about the octets it was given.

use crate::auth::Secret;
use crate::command::CommandLine;
use crate::content::DotLineVariant;
use crate::reply::{Reply, ReplyError};

/// One thing that was said. Slices are lent from the input, or from the decoder where a line was split over inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmtpEvent<'a> {
    /// Client, in command mode: one line.
    Command(CommandLine<'a>),
    /// Server: one complete reply, its lines folded.
    Reply(Reply<'a>),
    /// Client: octets of the message; after dot-unstuffing for DATA, as sent for BDAT. Never empty.
    Content(&'a [u8]),
    /// Client, inside DATA: a lone dot between line ends that are not both CRLF. The strict reading goes on, and the
    /// content so far ended right behind that dot line.
    DotLine(DotLineVariant),
    /// Client: the end of the content. For DATA CRLF "." CRLF was seen, and `octets` counts the message with the CRLF
    /// before the dot line and without the dot line. For BDAT the chunk is over, and `octets` counts what of it was
    /// captured.
    ContentEnd {
        /// Octets of content given in [`SmtpEvent::Content`] since it began.
        octets: u64,
    },
    /// Client, behind XEXCH50: the blob is over, and `octets` counts what of it was captured.
    BlobEnd {
        /// Octets given in [`SmtpEvent::Opaque`] since it began.
        octets: u64,
    },
    /// Client, one line in the mode for SASL responses (RFC 4954 §4), without its line end.
    AuthResponse(Secret<'a>),
    /// Server: a line that is no reply.
    Malformed {
        /// Why not.
        error: ReplyError,
        /// The line without its line end.
        line: &'a [u8],
        /// Octets on the wire, the line end among them.
        octets: u64,
    },
    /// Octets that were not read: TLS, a tunnel, or a blob.
    Opaque {
        /// How many.
        octets: u64,
    },
}

/// The outcome of one call of `step`.
///
/// | consumed | event | meaning |
/// |---|---|---|
/// | any | some | advance the input by `consumed`, take the event, step again |
/// | less than the input | none | octets without an event (the tail of a broken line); step again |
/// | the whole input | none | what is incomplete was copied into the decoder; more input wanted |
///
/// An event may come with `consumed == 0`, and one may be due when the input is used up: the end of a BDAT chunk, a
/// dot line. So step until the last row, even with an empty input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Octets of the input that are dealt with.
    pub consumed: usize,
    /// At most one event.
    pub event: Option<SmtpEvent<'a>>,
}

impl<'a> Step<'a> {
    pub(crate) const fn new(consumed: usize, event: SmtpEvent<'a>) -> Self {
        Self { consumed, event: Some(event) }
    }

    pub(crate) const fn silent(consumed: usize) -> Self {
        Self { consumed, event: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_step_has_no_event_and_any_other_has_one() {
        assert_eq!(Step::silent(3), Step { consumed: 3, event: None });
        let event = SmtpEvent::Content(b"text");
        assert_eq!(Step::new(4, event), Step { consumed: 4, event: Some(event) });
    }

    /// RFC 4954 §4's response may hold a password.
    #[test]
    fn an_auth_response_does_not_print() {
        let shown = format!("{:?}", Step::new(6, SmtpEvent::AuthResponse(Secret::new(b"hunter2"))));
        assert!(!shown.contains("hunter2") && shown.contains("[redacted]"), "{shown}");
    }
}
