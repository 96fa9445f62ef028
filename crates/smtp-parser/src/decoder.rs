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
    /// BDAT: the gap lies within the chunk. So with XEXCH50 and its blob.
    ChunkShortened {
        /// Octets of the chunk that are still to come.
        remaining: u64,
    },
    /// BDAT: the chunk ended in the gap; the next step gives its [`ContentEnd`](crate::SmtpEvent::ContentEnd). So with
    /// XEXCH50, its blob and [`BlobEnd`](crate::SmtpEvent::BlobEnd).
    ChunkEnded {
        /// Lost octets behind the chunk. If any, they are of commands, as with `LineBroken`.
        beyond: u64,
    },
    /// Nothing is read here anyway.
    Opaque,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was lost of a line is the same loss on either side: the octets that were held, not those of the gap.
    #[test]
    fn a_gap_breaks_the_line_of_either_side() {
        let (mut client, mut server) = (ClientDecoder::default(), ServerDecoder::default());
        client.step(b"MAIL");
        server.step(b"250 o");
        assert_eq!(client.gap(100), GapEffect::LineBroken { dropped: 4 });
        assert_eq!(server.gap(100), GapEffect::LineBroken { dropped: 5 });
    }

    /// RFC 3207 §4: behind STARTTLS both sides are TLS, and nothing lost of it was a line.
    #[test]
    fn a_gap_in_tls_breaks_nothing_on_either_side() {
        let (mut client, mut server) = (ClientDecoder::default(), ServerDecoder::default());
        client.set_mode(ClientMode::Opaque);
        server.set_opaque(true);
        assert_eq!([client.gap(5), server.gap(5)], [GapEffect::Opaque, GapEffect::Opaque]);
    }
}
