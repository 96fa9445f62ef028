//! What the streams of a connection show of a dialogue: octets, octets that are lost, octets that came in two versions.

use std::num::NonZeroU64;

use reassembly::{Comparison, Direction, StreamEvent};

use crate::anomaly::Role;
use crate::output::time::Time;
use crate::session::{Stamp, Tracker};

/// One event of a stream without its octets, so that it can be kept apart from them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    Octets { direction: Direction, len: usize, at: Stamp },
    Gap { direction: Direction, octets: u64, at: Stamp },
    Conflict { direction: Direction, octets: u64, lengths: (u64, u64), at: Stamp },
}

impl Turn {
    /// The event, which this packet has brought, and its octets; `None` where it shows nothing of a dialogue.
    #[inline]
    pub(crate) fn of(event: StreamEvent<'_>, packet: Option<NonZeroU64>) -> Option<(Self, &[u8])> {
        let stamp =
            |offset, timestamp, acknowledged| Stamp { offset, timestamp: Time(timestamp), acknowledged, packet };
        Some(match event {
            StreamEvent::Data { direction, offset, bytes, acknowledged, timestamp } => {
                (Self::Octets { direction, len: bytes.len(), at: stamp(offset, timestamp, acknowledged) }, bytes)
            }
            StreamEvent::Gap { direction, offset, len, timestamp, .. } => {
                (Self::Gap { direction, octets: len, at: stamp(offset, timestamp, None) }, &[])
            }
            StreamEvent::Overlap {
                direction,
                offset,
                len,
                comparison: Comparison::Different { first, later },
                timestamp,
            } => {
                let at = stamp(offset, timestamp, None);
                (Self::Conflict { direction, octets: len, lengths: (first, later), at }, &[])
            }
            StreamEvent::Overlap { .. } | StreamEvent::HalfClosed { .. } => return None,
        })
    }

    /// Tells the tracker of a session with this client.
    #[inline]
    pub(crate) fn tell(self, octets: &[u8], tracker: &mut Tracker, client: Direction) {
        match self {
            Self::Octets { direction, at, .. } => tracker.octets(role(direction, client), octets, at),
            Self::Gap { direction, octets, at } => tracker.gap(role(direction, client), octets, at),
            Self::Conflict { direction, octets, lengths, at } => {
                tracker.conflict(role(direction, client), octets, lengths, at);
            }
        }
    }
}

/// Who speaks in this direction.
pub(crate) fn role(direction: Direction, client: Direction) -> Role {
    if direction == client { Role::Client } else { Role::Server }
}
