//! One direction of a connection: from sequence numbers to offsets, and how far everything has come.
//!
//! ```text
//!   offset  0                    next            acknowledged        fin
//!           │█████ delivered █████│   hole  [held]     │              │
//!   seq     origin                                     └ by the other side
//! ```

use capture::{SeqNumber, Timestamp};

use crate::assembler::Assembler;

/// One direction. `next <= fin` once the FIN is known; `next` never goes back.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number of the octet at offset 0.
    origin: Option<SeqNumber>,
    /// Whether `origin` cannot move any more: it comes from a SYN of this direction, or the flow is over.
    pub(crate) origin_is_settled: bool,
    /// Whether any segment of this direction was captured.
    pub(crate) seen: bool,
    /// Offset of the next octet to deliver.
    pub(crate) next: u64,
    /// Offset up to which the other side has acknowledged, the FIN not counted.
    pub(crate) acknowledged: u64,
    /// Whether it has acknowledged anything at all.
    was_acknowledged: bool,
    /// Offset up to which what acknowledges it no longer waits: what is missing there is taken for a FIN.
    pub(crate) excused: u64,
    /// Offset behind the last octet, once the FIN is known.
    pub(crate) fin: Option<u64>,
    /// Whether the FIN was delivered.
    pub(crate) half_closed: bool,
    /// Since when the other side has acknowledged octets that the capture has not shown.
    pub(crate) stalled_since: Option<Timestamp>,
    pub(crate) held: Assembler,
    pub(crate) octets: StreamOctets,
}

/// What became of the payload octets of one direction.
///
/// `payload = delivered + retransmitted + conflicting + discarded`, once the flow has ended; the stream that was seen is
/// `delivered + missing` octets long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamOctets {
    /// Payload octets in captured segments, each copy counted.
    pub payload: u64,
    /// Octets handed on, each once.
    pub delivered: u64,
    /// Octets that came again.
    pub retransmitted: u64,
    /// Octets that came again in a copy that differs from the first one. Octets already delivered cannot be compared
    /// and count as retransmitted.
    pub conflicting: u64,
    /// Octets that were sent and are not in the capture.
    pub missing: u64,
    /// Octets outside any window, or behind the FIN.
    pub discarded: u64,
}

/// The largest window RFC 7323 §2.3 allows is 2^30 octets: what is further away than that from what is expected does
/// not belong to this stream.
const WINDOW: i64 = 1 << 30;

impl Stream {
    /// Records the SYN. Its sequence number is one before the first octet's (RFC 9293 §3.4).
    pub(crate) fn on_syn(&mut self, isn: SeqNumber) {
        if !self.is_untouched() {
            return;
        }
        self.move_origin(isn.plus(1));
        self.origin_is_settled = true;
    }

    /// Whether nothing has been placed by the origin yet, so that a SYN may still set it.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.origin_is_settled && self.next == 0 && self.held.is_empty() && self.fin.is_none()
    }

    /// Whether a SYN with this number can be the one this stream began with.
    pub(crate) fn began_with(&self, isn: SeqNumber) -> bool {
        self.origin == Some(isn.plus(1)) || (self.origin.is_none() && !self.seen)
    }

    /// Makes the first number seen the origin, where nothing better is known.
    pub(crate) fn assume_origin(&mut self, seq: SeqNumber) {
        match self.origin {
            None => self.origin = Some(seq),
            // Picked up in the middle, and an earlier octet turns up before any was delivered.
            Some(origin) if !self.origin_is_settled && self.next == 0 && self.held.is_empty() && !self.half_closed => {
                let distance = i64::from(seq.distance_from(origin));
                if (-WINDOW..0).contains(&distance) {
                    self.move_origin(seq);
                }
            }
            Some(_) => {}
        }
    }

    /// Where the octet with this number stands: `None` if unknown or outside any window; negative before the origin.
    pub(crate) fn offset_of(&self, seq: SeqNumber) -> Option<i64> {
        let expected = self.expected()?;
        let distance = i64::from(seq.distance_from(expected));
        let next = i64::try_from(self.next).ok()?;
        (-WINDOW..=WINDOW).contains(&distance).then(|| next + distance)
    }

    /// The sequence number of the octet at `next`.
    pub(crate) fn expected(&self) -> Option<SeqNumber> {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers are offsets modulo 2^32")]
        self.origin.map(|origin| origin.plus(self.next as u32))
    }

    /// Records an acknowledgment by the other side and returns the offset it stands for, without the FIN.
    pub(crate) fn on_ack(&mut self, ack: SeqNumber) -> Option<u64> {
        let offset = u64::try_from(self.offset_of(ack)?).ok()?;
        let offset = self.fin.map_or(offset, |fin| offset.min(fin));
        self.was_acknowledged = true;
        self.acknowledged = self.acknowledged.max(offset);
        Some(offset)
    }

    /// Records where the stream ends; the first FIN counts. One in front of octets that were captured ends nothing.
    pub(crate) fn on_fin(&mut self, offset: u64) {
        if self.fin.is_none() && offset >= self.next && self.held.end_offset().is_none_or(|end| end <= offset) {
            self.fin = Some(offset);
            self.acknowledged = self.acknowledged.min(offset);
        }
    }

    /// Octets from `next` on that the other side is known to have received and that have not been captured.
    ///
    /// A single octet at the very end is more likely a FIN that was not captured: it takes a number too.
    pub(crate) fn acknowledged_hole(&self) -> Option<u64> {
        let end = self.acknowledged.min(self.held.first_offset().unwrap_or(u64::MAX));
        let hole = end.checked_sub(self.next).filter(|&len| len > 0)?;
        (hole > 1 || !self.held.is_empty() || self.fin.is_some()).then_some(hole)
    }

    /// Octets come in order although later ones have been acknowledged for a while: either they are only late, and the
    /// next ACK says so again, or that ACK was of something never sent (RFC 9293 §3.10.7.4 discards it).
    pub(crate) fn refute_ack(&mut self) {
        if self.stalled_since.take().is_some() {
            self.acknowledged = self.acknowledged.min(self.next);
        }
    }

    /// Whether an octet up to `offset` is still to be delivered, so that what acknowledges it has to wait.
    pub(crate) fn is_behind(&self, offset: u64) -> bool {
        self.seen && offset > self.next.max(self.excused)
    }

    fn move_origin(&mut self, origin: SeqNumber) {
        if let Some(old) = self.origin {
            let moved = i64::from(old.distance_from(origin));
            if self.was_acknowledged {
                self.acknowledged = self.acknowledged.checked_add_signed(moved).unwrap_or(0);
            }
            self.fin = self.fin.and_then(|fin| fin.checked_add_signed(moved));
            self.excused = 0;
        }
        self.origin = Some(origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_the_wrap_of_sequence_numbers() {
        let mut stream = Stream::default();
        stream.on_syn(SeqNumber::new(u32::MAX - 1));
        assert_eq!(stream.offset_of(SeqNumber::new(u32::MAX)), Some(0));
        assert_eq!(stream.offset_of(SeqNumber::new(9)), Some(10));
        stream.next = 1 << 33;
        assert_eq!(stream.offset_of(SeqNumber::new(u32::MAX)), Some(1 << 33));
        assert_eq!(stream.offset_of(SeqNumber::new(u32::MAX - 1)), Some((1 << 33) - 1));
    }

    #[test]
    fn numbers_outside_the_largest_window_have_no_offset() {
        let mut stream = Stream::default();
        stream.on_syn(SeqNumber::new(0));
        assert_eq!(stream.offset_of(SeqNumber::new(0x4000_0001)), Some(1 << 30));
        assert_eq!(stream.offset_of(SeqNumber::new(0x4000_0002)), None);
    }

    #[test]
    fn an_earlier_octet_moves_the_origin_of_a_stream_picked_up_in_the_middle() {
        let mut stream = Stream::default();
        stream.assume_origin(SeqNumber::new(1000));
        stream.on_ack(SeqNumber::new(1010));
        stream.assume_origin(SeqNumber::new(900));
        assert_eq!(stream.offset_of(SeqNumber::new(900)), Some(0));
        assert_eq!(stream.acknowledged, 110);
        stream.next = 5;
        stream.assume_origin(SeqNumber::new(800));
        assert_eq!(stream.offset_of(SeqNumber::new(900)), Some(0), "not once octets were delivered");
    }

    #[test]
    fn an_acknowledged_octet_at_the_end_may_be_an_unseen_fin() {
        let mut stream = Stream { seen: true, ..Stream::default() };
        stream.on_syn(SeqNumber::new(0));
        stream.on_ack(SeqNumber::new(2));
        assert_eq!(stream.acknowledged_hole(), None);
        stream.on_ack(SeqNumber::new(3));
        assert_eq!(stream.acknowledged_hole(), Some(2));
    }
}
