//! Octets that come once more: compared with the first copy, counted and told.

use capture::Timestamp;

use crate::assembler::{Assembler, Duplicate, Incoming};
use crate::conversation::{Conversation, Emit};
use crate::event::{Comparison, Direction, Interest, StreamEvent};
use crate::stream::Stream;

impl Conversation {
    /// Compares octets that were delivered with those that come again, as far as they are still there.
    pub(crate) fn compare(
        &mut self,
        direction: Direction,
        offset: u64,
        bytes: &[u8],
        later: u64,
        timestamp: Timestamp,
        emit: &mut Emit<'_>,
    ) {
        let Self { streams, ignored, .. } = self;
        let stream = &mut streams[direction];
        let compared = stream.history.as_ref().map(|history| history.compare(offset, bytes));
        let (unknown, comparison) = compared.unwrap_or((bytes.len(), None));
        let (unknown, known) = (unknown as u64, (bytes.len() - unknown) as u64);
        if unknown > 0 {
            let comparison = Comparison::Unknown;
            Overlap { direction, offset, len: unknown, comparison }.tell(stream, ignored, timestamp, emit);
        }
        if let Some(comparison) = comparison {
            let comparison = match comparison {
                Comparison::Different { first, .. } => Comparison::Different { first, later },
                same => same,
            };
            let offset = offset + unknown;
            Overlap { direction, offset, len: known, comparison }.tell(stream, ignored, timestamp, emit);
        }
    }

    /// Keeps what is new of a segment until its turn comes.
    pub(crate) fn hold(&mut self, direction: Direction, at: u64, new: &Incoming<'_>, later: u64, emit: &mut Emit<'_>) {
        let held = std::mem::take(&mut self.streams[direction].held);
        self.streams[direction].held = self.insert(held, direction, at, new, later, emit);
    }

    /// Keeps what is new of a segment outside the window.
    pub(crate) fn hold_beyond(
        &mut self,
        direction: Direction,
        at: u64,
        new: &Incoming<'_>,
        later: u64,
        emit: &mut Emit<'_>,
    ) {
        let beyond = std::mem::take(&mut self.streams[direction].beyond);
        self.streams[direction].beyond = self.insert(beyond, direction, at, new, later, emit);
    }

    fn insert(
        &mut self,
        mut held: Assembler,
        direction: Direction,
        at: u64,
        new: &Incoming<'_>,
        later: u64,
        emit: &mut Emit<'_>,
    ) -> Assembler {
        let Self { streams, ignored, .. } = self;
        let stream = &mut streams[direction];
        held.insert(at, new, |Duplicate { offset, len, first_len, conflicting }| {
            let comparison =
                if conflicting { Comparison::Different { first: first_len, later } } else { Comparison::Same };
            Overlap { direction, offset, len, comparison }.tell(stream, ignored, new.timestamp, emit);
        });
        held
    }
}

/// A range of octets that came once more.
struct Overlap {
    direction: Direction,
    offset: u64,
    len: u64,
    comparison: Comparison,
}

impl Overlap {
    /// Counts it and tells the observer.
    fn tell(self, stream: &mut Stream, ignored: &mut bool, timestamp: Timestamp, emit: &mut Emit<'_>) {
        let Self { direction, offset, len, comparison } = self;
        match comparison {
            Comparison::Different { .. } => stream.octets.conflicting += len,
            Comparison::Same | Comparison::Unknown => stream.octets.retransmitted += len,
        }
        if !*ignored {
            *ignored = emit(StreamEvent::Overlap { direction, offset, len, comparison, timestamp }) == Interest::Ignore;
        }
    }
}
