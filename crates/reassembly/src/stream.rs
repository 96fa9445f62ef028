//! One direction of a connection: from sequence numbers to offsets, and how far everything has come.
//!
//! ```text
//!   offset  0                    next            acknowledged        fin
//!           │█████ delivered █████│   hole  [held]     │              │
//!   seq     origin                                     └ by the other side
//! ```

use capture::{Segment, SeqNumber, Timestamp};

use crate::assembler::Assembler;
use crate::ended::Beginning;
use crate::history::History;

/// One direction. `next <= fin` once the FIN is known; `next` never goes back.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number of the octet at offset 0.
    origin: Option<SeqNumber>,
    /// Whether `origin` cannot move any more: it comes from a SYN of this direction, or the flow is over.
    pub(crate) origin_is_settled: bool,
    /// Whether any segment of this direction was captured.
    pub(crate) seen: bool,
    /// Whether an earlier beginning than the one known was waited for long enough.
    pub(crate) was_awaited: bool,
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
    /// Offset up to which the other side was willing to receive, as far as its windows were captured.
    window_edge: Option<u64>,
    /// Whether the other side has acknowledged the FIN.
    pub(crate) fin_acknowledged: bool,
    /// What this side said in its SYN about its own windows.
    scale: Scale,
    /// Whether the FIN was delivered.
    pub(crate) half_closed: bool,
    /// Since when the other side has acknowledged octets that the capture has not shown.
    pub(crate) stalled_since: Option<Timestamp>,
    pub(crate) held: Assembler,
    /// Octets outside the window, and a FIN.
    pub(crate) beyond: Assembler,
    pub(crate) fin_beyond: Option<u64>,
    /// Of what was delivered to an observer that follows.
    pub(crate) history: Option<Box<History>>,
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
    /// Octets that came again: the same as before, or at a place that was given up or delivered too long ago to tell.
    pub retransmitted: u64,
    /// Octets that came again in a copy that differs from the first one, by whole ranges.
    pub conflicting: u64,
    /// Octets that were sent and are not in the capture.
    pub missing: u64,
    /// Octets that are no part of the stream: before its first known octet, outside any window, behind the FIN, in a
    /// reset, a keep-alive or a SYN that proved to be a stray, and everything after [`crate::Interest::Ignore`].
    pub discarded: u64,
}

impl StreamOctets {
    /// Counts captured octets that are no part of the stream.
    pub(crate) fn discard(&mut self, octets: usize) {
        self.payload += octets as u64;
        self.discarded += octets as u64;
    }
}

/// The Window Scale option (RFC 7323 §2.2) of a side's SYN.
#[derive(Debug, Clone, Copy, Default)]
enum Scale {
    /// The SYN was not captured.
    #[default]
    Unknown,
    /// It has none.
    Absent,
    /// It has this one.
    Shift(u8),
}

/// The largest window RFC 7323 §2.3 allows is 2^30 octets: what is further away than that from what is expected does
/// not belong to this stream.
const WINDOW: i64 = 1 << 30;

/// > … the shift count must be limited to 14 (RFC 7323 §2.3).
const LARGEST_SHIFT: u8 = 14;

/// A SYN that is captured behind octets of its own side is not further away from them than this.
const NEAR: i64 = 1 << 20;

/// A stream picked up in the middle can still begin earlier while no more pieces than this wait.
const MOVABLE_PIECES: usize = 64;

impl Stream {
    /// Records the SYN. Its sequence number is one before the first octet's (RFC 9293 §3.4). Returns by how much
    /// offsets have become larger.
    pub(crate) fn on_syn(&mut self, isn: SeqNumber) -> i64 {
        if !self.is_untouched() && !self.may_begin_at(isn) {
            return 0;
        }
        let moved = self.move_origin(isn.plus(1));
        self.origin_is_settled = true;
        moved
    }

    /// Another SYN of this side proved to be the one that counts.
    pub(crate) fn begin_again(&mut self, isn: SeqNumber) {
        self.origin = Some(isn.plus(1));
        self.origin_is_settled = true;
        (self.acknowledged, self.excused) = (0, 0);
        (self.window_edge, self.stalled_since) = (None, None);
    }

    /// Whether no octet has been placed by the origin yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.next == 0 && self.held.is_empty() && self.fin.is_none()
    }

    /// Whether nothing has been placed by the origin yet, so that a SYN may still set it.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.origin_is_settled && self.is_empty()
    }

    /// Whether what has been placed by the origin can be behind a SYN with this number, which is captured late.
    pub(crate) fn may_begin_at(&self, isn: SeqNumber) -> bool {
        let distance = self.origin.map(|origin| i64::from(origin.distance_from(isn.plus(1))));
        self.may_move() && distance.is_some_and(|distance| (0..=NEAR).contains(&distance))
    }

    /// Whether the octets that come first are perhaps not the first: picked up in the middle, or before the SYN.
    fn may_move(&self) -> bool {
        !self.origin_is_settled && self.next == 0 && !self.half_closed
    }

    /// Whether an earlier beginning may still turn up. Where `syn_seen` says that the other side's SYN was captured, this
    /// side has answered it; else it is the beginning if the other side has received what stands there.
    pub(crate) fn awaits_beginning(&self, syn_seen: bool) -> bool {
        self.may_move() && !self.was_awaited && (syn_seen || !self.seen || self.acknowledged == 0)
    }

    /// How it began, as far as is known.
    pub(crate) fn beginning(&self) -> Beginning {
        self.origin.map_or(Beginning::Unseen, Beginning::At)
    }

    /// Makes the first number seen the origin, where nothing better is known. Returns by how much offsets have become
    /// larger.
    pub(crate) fn assume_origin(&mut self, seq: SeqNumber) -> i64 {
        let Some(origin) = self.origin else { return self.move_origin(seq) };
        // An earlier octet turns up before any was delivered.
        let distance = i64::from(seq.distance_from(origin));
        if self.may_move() && (-WINDOW..0).contains(&distance) && self.held.pieces() <= MOVABLE_PIECES {
            return self.move_origin(seq);
        }
        0
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
        // The FIN takes a number, too (RFC 9293 §3.4).
        self.fin_acknowledged |= self.fin.is_some_and(|fin| offset > fin);
        let offset = self.fin.map_or(offset, |fin| offset.min(fin));
        self.was_acknowledged = true;
        self.acknowledged = self.acknowledged.max(offset);
        Some(offset)
    }

    /// How many octets of `other` this side is willing to receive, as it says in this segment; the most it can mean
    /// where the SYN was not captured.
    ///
    /// > The window field … in a segment where the SYN bit is set … MUST NOT be scaled (RFC 7323 §2.2).
    pub(crate) fn window(&self, segment: &Segment<'_>, other: &Self) -> u64 {
        let shift = match (self.scale, other.scale) {
            _ if segment.flags.syn => 0,
            // Both sides have to send the option before either may scale.
            (Scale::Absent, _) | (_, Scale::Absent) => 0,
            (Scale::Shift(shift), _) => shift.min(LARGEST_SHIFT),
            (Scale::Unknown, _) => LARGEST_SHIFT,
        };
        u64::from(segment.window) << shift
    }

    /// Records that the other side was willing to receive this many octets behind `offset`.
    pub(crate) fn on_window(&mut self, offset: u64, octets: u64) {
        let edge = offset.saturating_add(octets);
        self.window_edge = Some(self.window_edge.map_or(edge, |before| before.max(edge)));
    }

    /// Offset up to which the receiver has taken or may have taken octets, as far as its windows were captured.
    pub(crate) fn reach(&self) -> u64 {
        self.window_edge.map_or(u64::MAX, |edge| edge.max(self.acknowledged))
    }

    /// Up to which offset octets beyond the window that begin at `first` are of the stream after all.
    pub(crate) fn admits(&self, first: u64, is_over: bool) -> u64 {
        let received = self.acknowledged.max(self.next);
        if is_over && first <= self.next { u64::MAX } else { received }
    }

    /// Whether the receiver looks at what a segment with this number acknowledges.
    ///
    /// > If an incoming segment is not acceptable, an acknowledgment should be sent in reply … After sending the
    /// > acknowledgment, drop the unacceptable segment (RFC 9293 §3.10.7.4).
    ///
    /// A copy of what was received is not acceptable either, but what it acknowledges is old, and does no harm.
    pub(crate) fn is_acceptable(&self, seq: SeqNumber) -> bool {
        if self.origin.is_none() || self.window_edge.is_none() {
            return true;
        }
        // From the SYN or a keep-alive in front of the first octet to the number behind the FIN.
        let last = self.reach().max(self.seen_end()).saturating_add(1);
        self.offset_of(seq).is_some_and(|offset| u64::try_from(offset + 1).is_ok_and(|behind| behind <= last + 1))
    }

    /// Whether this number is within the window, or not far from the octets that were delivered.
    pub(crate) fn is_near(&self, seq: SeqNumber) -> bool {
        let distance = self.expected().map(|expected| i64::from(seq.distance_from(expected)));
        distance.is_none_or(|distance| (-NEAR..=NEAR).contains(&distance))
            || (self.window_edge.is_some() && self.is_acceptable(seq))
    }

    /// How many octets that were cut off their segment come next.
    pub(crate) fn cut(&self) -> Option<u64> {
        let (offset, piece) = self.held.first()?;
        (offset == self.next && piece.bytes.is_empty()).then_some(piece.missing)
    }

    /// Memory that waiting octets take, in octets.
    pub(crate) fn held_cost(&self) -> usize {
        self.held.cost() + self.beyond.cost()
    }

    /// Records the option of this side's SYN.
    pub(crate) fn on_window_scale(&mut self, shift: Option<u8>) {
        self.scale = shift.map_or(Scale::Absent, Scale::Shift);
    }

    /// Whether the receiver takes a reset with this number for one.
    ///
    /// > If the RST bit is set and the sequence number is outside the current receive window, silently drop the segment
    /// > (RFC 9293 §3.10.7.4).
    ///
    /// The window reaches from what was acknowledged to the edge of what was offered. Both are what the capture shows of
    /// it: where it has shown more octets than that, they were received, and where it shows no window, the largest one
    /// is assumed. A number within the window that is not the next one is answered by a challenge (RFC 5961 §3.2); the
    /// other side then resets with the right one, so that it makes no difference to the end.
    pub(crate) fn accepts_reset(&self, seq: SeqNumber) -> bool {
        let Some(offset) = self.offset_of(seq) else { return false };
        let Some(edge) = self.window_edge else { return true };
        let seen = self.seen_end();
        let last = edge.max(seen + u64::from(self.fin.is_some()));
        u64::try_from(offset).is_ok_and(|offset| (self.acknowledged.min(seen)..=last).contains(&offset))
    }

    /// Offset behind the last octet that was captured or given up.
    pub(crate) fn seen_end(&self) -> u64 {
        self.held.end_offset().map_or(self.next, |end| end.max(self.next))
    }

    /// The same for the offsets of the other direction that waiting octets acknowledge.
    pub(crate) fn shift_acknowledged(&mut self, by: i64) {
        self.held.shift_acknowledged(by);
        self.beyond.shift_acknowledged(by);
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
        if !self.seen {
            return None;
        }
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

    fn move_origin(&mut self, origin: SeqNumber) -> i64 {
        let moved = self.origin.map_or(0, |old| i64::from(old.distance_from(origin)));
        if self.origin.is_some() {
            if self.was_acknowledged {
                self.acknowledged = self.acknowledged.checked_add_signed(moved).unwrap_or(0);
            }
            self.fin = self.fin.and_then(|fin| fin.checked_add_signed(moved));
            self.fin_beyond = self.fin_beyond.and_then(|fin| fin.checked_add_signed(moved));
            self.window_edge = self.window_edge.and_then(|edge| edge.checked_add_signed(moved));
            self.excused = 0;
            for waiting in [&mut self.held, &mut self.beyond] {
                if !waiting.is_empty() {
                    waiting.shift(u64::try_from(moved).unwrap_or(0));
                }
            }
        }
        self.origin = Some(origin);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembler::Incoming;

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
        stream.held.insert(30, &Incoming { bytes: b"x", ..Incoming::default() }, |_| {});
        assert_eq!(stream.assume_origin(SeqNumber::new(880)), 20);
        assert_eq!(stream.held.first_offset(), Some(50), "what is held moves with it");
        stream.held.pop_first();
        stream.next = 5;
        stream.assume_origin(SeqNumber::new(800));
        assert_eq!(stream.offset_of(SeqNumber::new(900)), Some(20), "not once octets were delivered");
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
