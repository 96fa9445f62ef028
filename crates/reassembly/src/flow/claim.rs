//! Whether a segment is of this connection, or of another one on the same 4-tuple.

use capture::{Segment, SeqNumber, Timestamp};

use super::Flow;
use crate::FlowLimits;
use crate::event::Direction;
use crate::key::Side;

/// A SYN on an open connection that may or may not begin the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingSyn {
    direction: Direction,
    isn: SeqNumber,
    /// Octets it carried: the answer may acknowledge them.
    octets: u32,
    /// What it acknowledged itself.
    acknowledged: Option<SeqNumber>,
    timestamp: Timestamp,
}

/// What a segment means for the flow its 4-tuple names.
pub(crate) enum Claim {
    /// It belongs to it.
    Own,
    /// It belongs to a later connection, whose SYN this is or was seen at the given time with this number.
    Next(Option<(SeqNumber, Timestamp)>),
    /// It belongs to nothing that can be told yet.
    Stray,
    /// It comes after the connection has ended by silence, and begins none.
    Tail,
}

impl<S> Flow<S> {
    /// Whether this segment belongs to this connection or shows that another one has taken its place.
    pub(crate) fn claim(&mut self, side: Side, segment: &Segment<'_>, limits: &FlowLimits) -> Claim {
        let silence = segment.timestamp.since(self.info.last_seen);
        if silence > self.patience(limits) && !self.leaps_alone(side, segment, limits) {
            return if segment.flags.rst { Claim::Tail } else { Claim::Next(None) };
        }
        let direction = self.direction(side);
        let own = &self.conversation.streams[direction];
        if segment.flags.syn {
            // SYN/ACK of the SYN that is remembered: the new connection stands.
            if let (Some(pending), Some(ack)) = (self.pending_syn, segment.ack)
                && pending.direction == !direction
                && (0..=i64::from(pending.octets)).contains(&i64::from(ack.distance_from(pending.isn.plus(1))))
            {
                return Claim::Next(Some((pending.isn, pending.timestamp)));
            }
            let is_first = own.may_begin_at(segment.seq) || (own.is_untouched() && !self.has_ended());
            if is_first || own.beginning().can_be(segment.seq) {
                return Claim::Own;
            }
            if self.has_ended() {
                return Claim::Next(None);
            }
            self.pending_syn = Some(PendingSyn {
                direction,
                isn: segment.seq,
                octets: u32::try_from(segment.payload.len()).unwrap_or(u32::MAX),
                acknowledged: segment.ack,
                timestamp: segment.timestamp,
            });
            return Claim::Stray;
        }
        if self.confirms_second_answer(direction, segment) {
            return Claim::Own;
        }
        if self.has_ended() && !segment.flags.rst && self.extent(direction).is_far_from(segment) {
            return Claim::Next(None);
        }
        if let Some(pending) = self.pending_syn
            && pending.direction == direction
            && !segment.payload.is_empty()
            && segment.seq == pending.isn.plus(1)
            && self.conversation.streams[direction].expected() != Some(segment.seq)
        {
            return Claim::Next(Some((pending.isn, pending.timestamp)));
        }
        Claim::Own
    }

    /// Two SYN/ACKs with different numbers answer one SYN: that of a server that has restarted, or of a device in between.
    /// Which of them the caller took shows in what it acknowledges, or in where the answers go on.
    pub(super) fn confirms_second_answer(&mut self, direction: Direction, segment: &Segment<'_>) -> bool {
        let Some(pending) = self.pending_syn else { return false };
        let first_octet = pending.isn.plus(1);
        let streams = &mut self.conversation.streams;
        let answers_the_same_syn = pending.acknowledged.is_some_and(|ack| {
            let caller = &streams[!pending.direction];
            caller.offset_of(ack).is_some_and(|at| u64::try_from(at).is_ok_and(|at| at <= caller.seen_end()))
        });
        let is_confirmed = if direction == pending.direction {
            segment.seq == first_octet && !segment.payload.is_empty()
        } else {
            segment.ack == Some(first_octet)
        };
        let confirms = answers_the_same_syn && is_confirmed && streams[pending.direction].is_empty();
        if confirms {
            streams[pending.direction].begin_again(pending.isn);
            self.pending_syn = None;
        }
        confirms
    }
}
