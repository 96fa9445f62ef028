//! Octets beyond the window that the receiver has offered: it drops them, if its window was captured.
//!
//! ```text
//!   delivered ──────────┐            acknowledged, or the edge of the largest window
//!                       ▼ next       ▼
//!   stream   ···████████|   [held]   |      [beyond]
//! ```
//!
//! > Segments with higher beginning sequence numbers … trimming off any portions that lie outside the window (RFC 9293
//! > §3.10.7.4).
//!
//! The packet that opened the window may be captured late or not at all, so they are kept apart rather than dropped. They
//! become octets like others when they are acknowledged, and at the end where they follow without a hole. Those that are left are discarded, without a gap in front of them. What came within the window
//! goes before them.

use crate::assembler::Incoming;
use crate::conversation::{Conversation, Emit};
use crate::event::Direction;

impl Conversation {
    /// Takes in octets beyond the window that have proved to be of the stream: see [`crate::stream::Stream::admits`].
    /// Returns whether there were any.
    pub(crate) fn admit(&mut self, direction: Direction, is_over: bool, emit: &mut Emit<'_>) -> bool {
        let mut admitted = false;
        while let Some(first) = self.streams[direction].beyond.first_offset()
            && first < self.streams[direction].admits(first, is_over)
            && let Some((offset, piece)) = self.streams[direction].beyond.pop_first()
        {
            admitted = true;
            let piece = Incoming {
                bytes: &piece.bytes,
                missing: piece.missing,
                acknowledged: piece.acknowledged,
                timestamp: piece.timestamp,
            };
            let len = piece.bytes.len() as u64;
            let (again, new) = piece.split_at(self.streams[direction].next.saturating_sub(offset));
            if !again.bytes.is_empty() {
                self.compare(direction, offset, again.bytes, len, piece.timestamp, emit);
            }
            let stream = &mut self.streams[direction];
            let at = offset.max(stream.next);
            let (new, behind) = new.split_at(stream.fin.map_or(u64::MAX, |fin| fin.saturating_sub(at)));
            stream.octets.discarded += behind.bytes.len() as u64;
            let (new, beyond) = new.split_at(stream.admits(at, is_over).saturating_sub(at));
            self.hold(direction, at, &new, len, emit);
            self.hold_beyond(direction, at + new.len(), &beyond, len, emit);
        }
        let stream = &mut self.streams[direction];
        if let Some(fin) = stream.fin_beyond
            && fin < stream.admits(fin, is_over)
        {
            stream.fin_beyond = None;
            stream.on_fin(fin);
        }
        admitted
    }

    /// Drops what is beyond the window for good.
    pub(crate) fn discard_beyond(&mut self, direction: Direction) {
        let stream = &mut self.streams[direction];
        let beyond = std::mem::take(&mut stream.beyond);
        stream.octets.discarded += beyond.octets();
    }
}
