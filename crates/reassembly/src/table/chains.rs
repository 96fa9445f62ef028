//! In which order connections are looked at when room has to be made.

use super::FlowTable;
use crate::chain::Chain;
use crate::slot::Rank;

impl<S> FlowTable<S> {
    /// Moves a connection to the end of the chain of its rank.
    pub(super) fn touch(&mut self, slot: u32, rank: Rank) {
        self.unlink(slot);
        self.link(slot, rank);
    }

    pub(super) fn link(&mut self, slot: u32, rank: Rank) {
        if let Some(place) = self.flows.get_mut(slot as usize) {
            place.rank = rank;
            self.due = self.due.min(place.entry.last_seen().plus(rank.patience(&self.limits)));
        }
        if let Some(chain) = self.ranks.get_mut(rank as usize) {
            chain.push_back(slot, &mut self.flows);
        }
    }

    /// Takes a connection out of the chain of its rank.
    pub(super) fn unlink(&mut self, slot: u32) {
        let rank = self.flows.get(slot as usize).map(|place| place.rank as usize);
        if let Some(chain) = rank.and_then(|rank| self.ranks.get_mut(rank)) {
            chain.remove(slot, &mut self.flows);
        }
    }

    pub(super) fn front(&self, rank: Rank) -> Option<u32> {
        self.ranks.get(rank as usize).and_then(Chain::front)
    }

    /// Of the connections at the front of these chains the one silent for the longest.
    pub(super) fn oldest(&self, ranks: &[Rank]) -> Option<u32> {
        ranks.iter().filter_map(|&rank| self.front(rank)).min_by_key(|&slot| self.last_seen(slot))
    }

    /// Records whether octets of this connection wait.
    pub(super) fn note_waiting(&mut self, slot: u32, waits: bool) {
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        let was_waiting = std::mem::replace(&mut place.is_waiting, waits);
        match (was_waiting, waits) {
            (false, true) => self.waiting.push_back(slot, &mut self.flows),
            (true, false) => self.waiting.remove(slot, &mut self.flows),
            _ => {}
        }
    }

    /// Records whether this connection has octets to compare with, more or less than before.
    pub(super) fn note_remembering(&mut self, slot: u32, remembers: bool) {
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        if std::mem::replace(&mut place.remembers, remembers) {
            self.remembering.remove(slot, &mut self.flows);
        }
        if remembers {
            self.remembering.push_back(slot, &mut self.flows);
        }
    }
}
