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

use crate::FlowLimits;
use crate::flow::Claim;
use crate::key::{FlowKey, Side};

/// See the module.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: FlowKey,
    pub(crate) last_seen: Timestamp,
    /// What the observer calls it.
    pub(crate) number: Option<u64>,
    pub(crate) low: Beginning,
    pub(crate) high: Beginning,
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
        let own = match side {
            Side::Low => self.low,
            Side::High => self.high,
        };
        if segment.flags.syn && !own.can_be(segment.seq) {
            return Claim::Next(None);
        }
        self.last_seen = self.last_seen.max(segment.timestamp);
        Claim::Tail
    }
}
