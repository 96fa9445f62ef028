//! What an observer of connections is told, and what it answers.

use std::ops::{Index, IndexMut, Not};

use capture::Timestamp;

use crate::{Flow, FlowInfo, StreamOctets};

/// Which side sent: the one that opened the connection, or the one that was called.
///
/// Where the capture does not hold the handshake, the side that was seen first counts as the originator; what the
/// sides *say* may show a reader of the streams that it was the other way around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Sent by the side that opened the connection.
    FromOriginator,
    /// Sent by the side that was called.
    FromResponder,
}

impl Direction {
    /// Both, the originator's first.
    pub const BOTH: [Self; 2] = [Self::FromOriginator, Self::FromResponder];
}

impl Not for Direction {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::FromOriginator => Self::FromResponder,
            Self::FromResponder => Self::FromOriginator,
        }
    }
}

/// One value for each direction, indexed by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerDirection<T> {
    /// Of what the originator sent.
    pub from_originator: T,
    /// Of what the responder sent.
    pub from_responder: T,
}

impl<T> Index<Direction> for PerDirection<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        match direction {
            Direction::FromOriginator => &self.from_originator,
            Direction::FromResponder => &self.from_responder,
        }
    }
}

impl<T> IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::FromOriginator => &mut self.from_originator,
            Direction::FromResponder => &mut self.from_responder,
        }
    }
}

/// Something that happened on a connection. Offsets count the octets of one direction from 0, the first octet after
/// the SYN or, without a handshake, the first one known.
///
/// For each direction `Data` and `Gap` follow each other without a hole: each begins where the one before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The next octets of one direction.
    Data {
        /// Who sent them.
        direction: Direction,
        /// Where they stand in the stream of that direction.
        offset: u64,
        /// At least one octet.
        bytes: &'a [u8],
        /// Up to which offset of the other direction the sender had received when it sent this; `None` where the
        /// segment has no ACK or the other direction is unknown.
        acknowledged: Option<u64>,
        /// When the segment that brought them was captured. Not always ascending: octets can have waited.
        timestamp: Timestamp,
    },
    /// Octets that are known to have been sent and that the capture does not hold.
    Gap {
        /// Who sent them.
        direction: Direction,
        /// Where the first one stands.
        offset: u64,
        /// How many, at least one.
        len: u64,
        /// How it is known.
        cause: GapCause,
        /// When it became known.
        timestamp: Timestamp,
    },
    /// Octets that came once more: a retransmission, or something that wants to look like one.
    Overlap {
        /// Who sent them.
        direction: Direction,
        /// Where the first one stands.
        offset: u64,
        /// How many, at least one.
        len: u64,
        /// Whether they are the same as those that were captured first, which count.
        comparison: Comparison,
        /// When the later copy was captured.
        timestamp: Timestamp,
    },
    /// The FIN was reached: this direction has no more octets.
    HalfClosed {
        /// Who closed.
        direction: Direction,
        /// How many octets the direction had.
        offset: u64,
        /// When it was reached.
        timestamp: Timestamp,
    },
}

/// How two copies of octets compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// They differ: two versions of one range were captured.
    Different {
        /// Octets of the segment that was captured first, or what is left of it.
        first: u64,
        /// Octets of the segment that was captured later, all of it.
        later: u64,
    },
    /// The octets captured first were delivered or given up too long ago to be compared.
    Unknown,
}

/// How it is known that octets are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapCause {
    /// The other side acknowledged them, and they did not turn up within [`crate::FlowLimits::reorder_time`].
    Acknowledged,
    /// More octets than [`crate::FlowLimits::held_octets_per_direction`] (or the table's total) wait behind them.
    ReorderLimit,
    /// The connection, or the capture, ended with octets waiting behind them.
    FlowEnd,
    /// The capture's snap length cut them off their segment.
    SnapLength,
}

/// How a connection begins in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowStart {
    /// With a SYN, or at least with the SYN/ACK.
    Handshake,
    /// With some later segment.
    Midstream,
}

/// How a connection ended, as far as the capture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowEnd {
    /// By a FIN of each side (of the one side that was captured).
    Closed,
    /// By a RST.
    Reset,
    /// A later connection with the same 4-tuple began.
    Replaced,
    /// No packet for [`crate::FlowLimits::idle_time`] of packet time.
    Idle,
    /// More than [`crate::FlowLimits::flows`] connections were open, and this one had been silent the longest.
    Evicted,
    /// The capture ended before the connection did.
    EndOfCapture,
}

/// Whether an observer wants to hear more of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Go on.
    Follow,
    /// No further event of this connection: its octets are counted as discarded, only its end is still found.
    Ignore,
}

/// Follows connections. The table calls, for each one: `open` once, `event` any number of times, `close` once, `late` any
/// number of times.
pub trait FlowObserver {
    /// What the observer keeps for a connection; it travels in the [`Flow`].
    type State;

    /// A connection has shown more than a handshake, or is about to close without.
    fn open(&mut self, flow: &FlowInfo) -> Self::State;

    /// Something happened on it. In stream order for each direction, in causal order between the two. After
    /// [`Interest::Ignore`] no further event comes.
    fn event(&mut self, flow: &FlowInfo, state: &mut Self::State, event: StreamEvent<'_>) -> Interest;

    /// The connection ended, all that was held for it has been delivered. The observer gets the flow for good. If it gives
    /// it a number, it is told of segments that come while the connection is still remembered.
    fn close(&mut self, flow: Flow<Self::State>, end: FlowEnd) -> Option<u64>;

    /// A segment of the connection that was given this number came after it had been closed.
    fn late(&mut self, number: u64, segment: LateSegment) {
        let _ = (number, segment);
    }
}

/// What a segment changes that came after its connection had been handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateSegment {
    /// The latest packet of the connection, this one or one before.
    pub last_seen: Timestamp,
    /// Who sent it.
    pub direction: Direction,
    /// What is to be added to [`Flow::octets`] of this direction: the stream itself has not become longer.
    pub octets: StreamOctets,
}
