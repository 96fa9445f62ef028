//! A place in the table: a connection, what it has shown, and its links in the table's chains.

use std::time::Duration;

use capture::Timestamp;

use crate::FlowLimits;
use crate::chain::{Linked, Links};
use crate::ended::Ended;
use crate::flow::Flow;
use crate::handshake::Handshake;
use crate::key::FlowKey;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slot<S> {
    pub(crate) entry: Entry<S>,
    /// The connection of the same 4-tuple before it.
    pub(crate) predecessor: Option<Box<Ended>>,
    pub(crate) rank: Rank,
    pub(crate) is_waiting: bool,
    pub(crate) by_rank: Links,
    pub(crate) by_wait: Links,
    pub(crate) remembers: bool,
    pub(crate) by_history: Links,
}

/// What is known of a connection.
#[derive(Debug)]
pub(crate) enum Entry<S> {
    Free,
    Handshake(Handshake),
    Flow(Box<Flow<S>>),
    Ended(Ended),
}

/// What a connection has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Its end: it is only remembered, or waits for what may still come.
    Lingering,
    /// No octet yet, and no whole handshake.
    Silent,
    /// A whole handshake.
    Established,
    /// Octets.
    Open,
}

impl Rank {
    pub(crate) const ALL: [Self; 4] = [Self::Lingering, Self::Silent, Self::Established, Self::Open];

    /// How long a connection of this rank may be silent.
    pub(crate) fn patience(self, limits: &FlowLimits) -> Duration {
        match self {
            Self::Lingering => limits.linger_time,
            Self::Silent | Self::Established | Self::Open => limits.idle_time,
        }
    }
}

/// The links of the chain of each rank.
pub(crate) const BY_RANK: usize = 0;
/// The links of the chain of those with octets that wait.
pub(crate) const BY_WAIT: usize = 1;
/// The links of the chain of those with octets to compare with.
pub(crate) const BY_HISTORY: usize = 2;

impl<S> Slot<S> {
    /// A connection that is in no chain.
    pub(crate) fn new(entry: Entry<S>) -> Self {
        Self {
            entry,
            predecessor: None,
            rank: Rank::Silent,
            by_rank: Links::default(),
            is_waiting: false,
            by_wait: Links::default(),
            remembers: false,
            by_history: Links::default(),
        }
    }
}

impl<S> Entry<S> {
    pub(crate) fn key(&self) -> Option<&FlowKey> {
        match self {
            Self::Free => None,
            Self::Handshake(handshake) => Some(handshake.key()),
            Self::Flow(flow) => Some(&flow.info().key),
            Self::Ended(ended) => Some(&ended.key),
        }
    }

    /// What is remembered of it when another one takes its place.
    pub(crate) fn remembered(&self) -> Option<Ended> {
        match self {
            Self::Flow(flow) => Some(flow.remembered()),
            Self::Ended(ended) => Some(ended.clone()),
            Self::Handshake(_) | Self::Free => None,
        }
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        match self {
            Self::Free => Timestamp::default(),
            Self::Handshake(handshake) => handshake.last_seen(),
            Self::Flow(flow) => flow.last_seen(),
            Self::Ended(ended) => ended.last_seen,
        }
    }
}

impl<S> Linked<BY_RANK> for Slot<S> {
    fn links(&mut self) -> &mut Links {
        &mut self.by_rank
    }
}

impl<S> Linked<BY_HISTORY> for Slot<S> {
    fn links(&mut self) -> &mut Links {
        &mut self.by_history
    }
}

impl<S> Linked<BY_WAIT> for Slot<S> {
    fn links(&mut self) -> &mut Links {
        &mut self.by_wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten million SYNs must not need much memory: a connection that has shown no octet has no streams.
    #[test]
    fn a_handshake_takes_a_fraction_of_the_memory_of_a_flow() {
        assert!(size_of::<Slot<()>>() <= 224, "{} octets", size_of::<Slot<()>>());
        assert!(size_of::<Slot<()>>() < size_of::<Flow<()>>() / 2);
    }
}
