//! A connection that is over: what is remembered so that its late segments do not look like a new one.
//!
//! ```text
//!   open ── both FINs delivered and acknowledged ──▶ handed over, remembered ── silent for the linger time ──▶ forgotten
//!     └──── any other end ──▶ lingering ── silent for the linger time ──▶ handed over, forgotten
//! ```
//!
//! The flow itself goes to its observer as soon as nothing can be added to it: a busy server closes thousands of
//! connections within the time that they have to be remembered. Behind any other end octets may still come.

use capture::{Segment, SeqNumber, Timestamp};

use crate::event::{Direction, PerDirection};
use crate::flow::Claim;
use crate::key::{FlowKey, Side};
use crate::{FlowLimits, LateSegment, StreamOctets};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) key: FlowKey,
    pub(crate) last_seen: Timestamp,
    /// What the observer calls it.
    pub(crate) number: Option<u64>,
    pub(crate) originator: Side,
    pub(crate) streams: PerDirection<Extent>,
    /// Whether the observer did not want to hear of it.
    pub(crate) ignored: bool,
}

/// The stream of a side, once nothing will be added to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) beginning: Beginning,
    /// The number behind its last octet, that of the FIN.
    pub(crate) end: Option<SeqNumber>,
    /// How long it is.
    pub(crate) octets: u64,
}

/// How a side's stream began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing of this side was captured.
    Unseen,
    /// Its first octet has this number.
    At(SeqNumber),
}

impl Beginning {
    /// Whether a SYN with this number can be the one the stream began with.
    pub(crate) fn can_be(self, isn: SeqNumber) -> bool {
        match self {
            Self::Unseen => true,
            Self::At(first) => first == isn.plus(1),
        }
    }
}

impl Ended {
    /// Whether a segment is a late one of this connection, or the first of the next.
    pub(crate) fn claim(&mut self, side: Side, segment: &Segment<'_>, limits: &FlowLimits) -> Claim {
        if segment.timestamp.since(self.last_seen) > limits.linger_time {
            return if segment.flags.rst { Claim::Tail } else { Claim::Next(None) };
        }
        let own = self.streams[self.direction(side)];
        if segment.flags.syn && !own.beginning.can_be(segment.seq) {
            return Claim::Next(None);
        }
        if !segment.flags.rst && own.is_far_from(segment) {
            return Claim::Next(None);
        }
        self.last_seen = self.last_seen.max(segment.timestamp);
        Claim::Own
    }

    /// Whether a segment is a copy of one of this connection's, captured when the next one had begun: its SYN, or octets
    /// that have a place in its stream and, as far as is known, none in the next one's.
    pub(crate) fn is_copy(&self, side: Side, segment: &Segment<'_>, limits: &FlowLimits, of_next: bool) -> bool {
        if segment.timestamp.since(self.last_seen) > limits.linger_time {
            return false;
        }
        let own = self.streams[self.direction(side)];
        if segment.flags.syn {
            return own.beginning == Beginning::At(segment.seq.plus(1));
        }
        let payload = segment.payload.len() as u64;
        !of_next && payload > 0 && own.overlap(segment) == payload
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.originator { Direction::FromOriginator } else { Direction::FromResponder }
    }

    /// What a segment that came late adds to what became of the payload octets. Its octets are not there any more to be
    /// compared with: those that have a place in the stream count as the same.
    pub(crate) fn late(&self, side: Side, segment: &Segment<'_>) -> LateSegment {
        let direction = self.direction(side);
        let payload = segment.payload.len() as u64;
        let is_text = !segment.flags.rst && !self.ignored;
        let retransmitted = if is_text { self.streams[direction].overlap(segment) } else { 0 };
        let octets =
            StreamOctets { payload, retransmitted, discarded: payload - retransmitted, ..StreamOctets::default() };
        LateSegment { last_seen: self.last_seen, direction, octets }
    }
}

/// Octets that are further away from a stream than this are of another one, whose SYN was not captured: what a sender says
/// behind its FIN follows it, while the numbers of the next connection begin anywhere (RFC 9293 §3.4.1).
const FAR: u64 = 1 << 20;

impl Extent {
    /// Whether the octets of a segment are so far before or behind the stream that they cannot be of it.
    pub(crate) fn is_far_from(&self, segment: &Segment<'_>) -> bool {
        let Some(end) = self.end.filter(|_| !segment.payload.is_empty()) else { return false };
        let distance = i64::from(segment.seq.distance_from(end));
        let allowed = if distance > 0 { FAR } else { self.octets.saturating_add(FAR) };
        distance.unsigned_abs() > allowed
    }

    /// How many octets of a segment have a place in the stream.
    fn overlap(&self, segment: &Segment<'_>) -> u64 {
        let Some(end) = self.end else { return 0 };
        let first = if segment.flags.syn { segment.seq.plus(1) } else { segment.seq };
        // Octets between the segment's first one and the end of the stream.
        let Ok(behind) = u64::try_from(-i64::from(first.distance_from(end))) else { return 0 };
        let payload = segment.payload.len() as u64;
        let before = behind.saturating_sub(self.octets).min(payload);
        (payload - before).min(behind - before.min(behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(seq: u32, payload: &[u8]) -> Segment<'_> {
        Segment {
            source: ([192, 0, 2, 1], 40_000).into(),
            destination: ([198, 51, 100, 2], 25).into(),
            seq: SeqNumber::new(seq),
            ack: None,
            flags: capture::Flags { syn: false, fin: false, rst: false },
            payload,
            window: 0,
            window_scale: None,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::from_nanos(0),
            encapsulation: capture::Encapsulation::default(),
        }
    }

    /// RFC 9293 §3.4: numbers are compared modulo 2^32. The stream is of ten octets, from 2^32 - 4 to 5.
    #[test]
    fn octets_before_and_behind_the_stream_have_no_place_in_it() {
        let first = SeqNumber::new(u32::MAX - 3);
        let stream = Extent { beginning: Beginning::At(first), end: Some(first.plus(10)), octets: 10 };
        let overlap = |seq, payload: &[u8]| stream.overlap(&segment(seq, payload));
        assert_eq!(overlap(u32::MAX - 3, b"0123456789"), 10);
        assert_eq!(overlap(u32::MAX - 5, b"..0123456789.."), 10);
        assert_eq!(overlap(0, b"456"), 3);
        assert_eq!(overlap(5, b"9.."), 1);
        assert_eq!(overlap(6, b"..."), 0);
        assert_eq!(overlap(u32::MAX - 6, b"..."), 0);
        assert_eq!(overlap(u32::MAX - 5, b"..0"), 1);
        assert_eq!(Extent { end: None, ..stream }.overlap(&segment(0, b"456")), 0);
    }

    #[test]
    fn far_from_a_stream_is_what_lies_a_mebioctet_before_or_behind_it() {
        let first = SeqNumber::new(100);
        let octets = 5 << 20;
        let stream = Extent { beginning: Beginning::At(first), end: Some(first.plus(5 << 20)), octets };
        let is_far = |seq: SeqNumber| stream.is_far_from(&Segment { seq, ..segment(0, b"x") });
        let near = [
            first,
            first.plus(1 << 20),
            first.plus(5 << 20),
            first.plus(6 << 20),
            first.plus(0_u32.wrapping_sub(1 << 20)),
        ];
        assert_eq!(near.map(is_far), [false; 5]);
        let far = [first.plus((6 << 20) + 1), first.plus(0_u32.wrapping_sub((1 << 20) + 1)), first.plus(1 << 31)];
        assert_eq!(far.map(is_far), [true; 3]);
        assert!(!Extent { end: None, ..stream }.is_far_from(&segment(1 << 31, b"x")));
    }
}
