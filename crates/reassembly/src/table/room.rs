//! The limits of the table: what is given up, and which connection ends, where there is too much of something.

use capture::Timestamp;

use super::FlowTable;
use crate::slot::Rank;
use crate::{FlowEnd, FlowObserver};

impl<S> FlowTable<S> {
    /// Where too much is kept to be compared, the connections whose octets have not grown for the longest lose theirs.
    pub(super) fn forget_what_is_too_much(&mut self) {
        while self.compared > self.limits.compared_octets_per_table
            && let Some(slot) = self.remembering.front()
        {
            self.counts.compared_per_table += 1;
            if let Some((flow, _)) = self.flow_mut(slot) {
                let cost = flow.compared_cost();
                flow.forget_history();
                self.compared -= cost;
            }
            self.note_remembering(slot, false);
        }
    }

    /// Where too much waits, the connection that has waited for the longest waits no longer: not the one that comes now,
    /// which may be fine in a moment.
    pub(super) fn make_room<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        while self.held > self.limits.held_octets_per_table
            && let Some(slot) = self.waiting.front()
        {
            self.counts.held_per_table += 1;
            if let Some((flow, _)) = self.flow_mut(slot) {
                let (held, compared) = (flow.held_cost(), flow.compared_cost());
                flow.shrink(0, observer);
                let compared_now = flow.compared_cost();
                self.held -= held;
                if compared != compared_now {
                    self.compared = self.compared - compared + compared_now;
                    self.note_remembering(slot, compared_now > 0);
                }
            }
            self.note_waiting(slot, false);
        }
    }

    /// Ends connections that have been silent for too long. It makes room; the outcome of a connection does not depend
    /// on it, because [`Flow::claim`] measures the silence of a connection by its own packets.
    pub(super) fn expire<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        // While a leap is not confirmed it may be the clock that is wrong.
        if self.now <= self.due || self.leap.is_some() {
            return;
        }
        self.due = Timestamp::from_nanos(i64::MAX);
        for rank in Rank::ALL {
            while let Some((slot, last_seen)) = self.front(rank).and_then(|slot| Some((slot, self.last_seen(slot)?))) {
                let due = last_seen.plus(rank.patience(&self.limits));
                if self.now > due {
                    self.end(slot, FlowEnd::Idle, observer);
                    continue;
                }
                if last_seen > self.now {
                    // Its time was corrupt: it must not stand in the way of those behind it, which are looked at next.
                    self.touch(slot, rank);
                    self.due = self.now;
                }
                self.due = self.due.min(due);
                break;
            }
        }
    }

    /// Makes room for one more connection. One that has shown octets goes last, one that has shown that both sides are
    /// there last but one: a flood of SYNs must end neither.
    pub(super) fn evict<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        let oldest =
            self.oldest(&[Rank::Lingering, Rank::Silent]).or(self.front(Rank::Established)).or(self.front(Rank::Open));
        let Some(slot) = oldest else { return };
        let is_open = self.flows.get(slot as usize).is_some_and(|place| place.rank != Rank::Lingering);
        self.counts.flows_evicted += u64::from(is_open);
        self.end(slot, FlowEnd::Evicted, observer);
    }
}
