//! What is waited for no longer: the time that is up, and the hole that becomes a gap.

use std::time::Duration;

use capture::Timestamp;

use super::{Conversation, Emit};
use crate::event::{Direction, GapCause};
use crate::stream::Stream;

impl Conversation {
    /// Makes a gap of the hole in front of what waits in this direction, until at most `cost` waits.
    pub(crate) fn shrink(&mut self, direction: Direction, cost: usize, now: Timestamp, emit: &mut Emit<'_>) {
        if !self.streams[direction].beyond.is_empty() && self.streams[direction].held_cost() > cost {
            self.admit(direction, true, emit);
            self.drain(emit);
            self.discard_beyond(direction);
        }
        while self.streams[direction].held.cost() > cost {
            self.give_up(direction, GapCause::ReorderLimit, now, emit);
            self.drain(emit);
        }
    }

    /// Starts or stops the clock of acknowledged octets that have not turned up.
    pub(super) fn note_stalls(&mut self, now: Timestamp) {
        for direction in Direction::BOTH {
            let waits = self.is_stalled_at_beginning(direction) || self.streams[direction].cut().is_some();
            let stream = &mut self.streams[direction];
            if !stream.is_behind(stream.acknowledged) && !waits {
                stream.stalled_since = None;
            } else if stream.stalled_since.is_none() {
                stream.stalled_since = Some(now);
            }
        }
    }

    pub(super) fn give_up_late_octets(&mut self, now: Timestamp, reorder_time: Duration, emit: &mut Emit<'_>) {
        self.note_stalls(now);
        let is_overdue = |stream: &Stream| stream.stalled_since.is_some_and(|since| now.since(since) >= reorder_time);
        for direction in Direction::BOTH {
            if is_overdue(&self.streams[direction]) && self.streams[direction].cut().is_some() {
                self.give_up_cut(direction, emit);
                self.drain(emit);
            }
            while is_overdue(&self.streams[direction])
                && let Some(hole) = self.streams[direction].acknowledged_hole()
            {
                self.gap(direction, hole, GapCause::Acknowledged, now, emit);
                self.drain(emit);
            }
        }
        // A direction without a hole may only have waited for the other one's: it is excused if it still lags behind.
        self.note_stalls(now);
        for direction in Direction::BOTH {
            let stream = &mut self.streams[direction];
            if is_overdue(stream) {
                stream.excused = stream.acknowledged;
                stream.stalled_since = None;
                stream.was_awaited = true;
                self.drain(emit);
            }
        }
        self.note_stalls(now);
    }

    /// Octets that were cut off have not come in another copy: if none ever has, none will.
    pub(super) fn give_up_cut(&mut self, direction: Direction, emit: &mut Emit<'_>) {
        self.cuts_are_final |= !Direction::BOTH.iter().any(|&direction| self.streams[direction].held.was_filled());
        if let Some((_, piece)) = self.streams[direction].held.pop_first() {
            self.gap(direction, piece.missing, GapCause::SnapLength, piece.timestamp, emit);
        }
    }

    /// The direction whose first held piece was captured earliest.
    pub(super) fn longest_waiting(&self) -> Option<Direction> {
        Direction::BOTH
            .into_iter()
            .filter_map(|direction| Some((self.streams[direction].held.first()?.1.timestamp, direction)))
            .min()
            .map(|(_, direction)| direction)
    }

    /// Delivers the first held piece of this direction, whatever it waits for.
    pub(super) fn give_up(&mut self, direction: Direction, cause: GapCause, now: Timestamp, emit: &mut Emit<'_>) {
        if Direction::BOTH.into_iter().any(|direction| self.is_stalled_at_beginning(direction)) {
            for direction in Direction::BOTH {
                self.streams[direction].was_awaited = true;
            }
            return;
        }
        if self.streams[direction].cut().is_some() {
            self.give_up_cut(direction, emit);
            return;
        }
        // The other direction first, as far as it is known to have been received.
        let awaited = self.streams[direction].held.first().and_then(|(_, piece)| piece.acknowledged);
        let other = &self.streams[!direction];
        if let Some(hole) = other.acknowledged_hole().filter(|_| awaited.is_some_and(|offset| other.is_behind(offset)))
        {
            self.gap(!direction, hole, GapCause::Acknowledged, now, emit);
            return;
        }
        let stream = &self.streams[direction];
        let hole = stream.held.first_offset().map_or(0, |offset| offset - stream.next);
        if hole > 0 {
            self.gap(direction, hole, cause, now, emit);
        } else {
            self.deliver_held(direction, emit);
        }
    }
}
