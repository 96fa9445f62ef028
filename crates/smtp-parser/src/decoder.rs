//! The two directions of a connection, each a decoder over its octets.

mod client;
mod server;

pub use client::{ClientDecoder, ClientMode};
pub use server::{PendingReply, ServerDecoder};

/// What a gap in the capture did to a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapEffect {
    /// Lines: the partial line is lost, and what comes next is taken to be the tail of a broken line. It is consumed
    /// without an event up to the next LF; `assume_line_start` revokes that.
    LineBroken {
        /// Octets of the partial line that were given up.
        dropped: u64,
    },
    /// DATA: whether the end of the content was among the lost octets is not known. The decoder goes on in the
    /// content, not at a line's start.
    ContentBroken,
    /// BDAT: the gap lies within the chunk.
    ChunkShortened {
        /// Octets of the chunk that are still to come.
        remaining: u64,
    },
    /// BDAT: the chunk ended in the gap; the next step gives its [`ContentEnd`](crate::SmtpEvent::ContentEnd).
    ChunkEnded {
        /// Lost octets behind the chunk. If any, they are of commands, as with `LineBroken`.
        beyond: u64,
    },
    /// Nothing is read here anyway.
    Opaque,
}
