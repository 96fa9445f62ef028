//! All connections of a recording: one look-up per segment, idle time, limits.
//!
//! Connections live in a slab; a map leads from the key to the slot. One chain through the slots for each [`Rank`] holds
//! them in the order of their last segment, so that the one silent for the longest is always at the front, and all of a
//! rank may be silent for the same time; another one holds those with octets that wait, in the order in which they began
//! to, a third one those with octets to compare with, in the order in which these last grew (`chains`). `room` holds the limits.

mod chains;
mod room;

use std::hash::BuildHasher;

use capture::{Segment, SeqNumber, Timestamp};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::chain::Chain;
use crate::flow::{Claim, Flow};
use crate::handshake::Handshake;
use crate::key::{FlowKey, Side};
use crate::leap::{is_apart, is_confirmed};
use crate::slot::{BY_HISTORY, BY_RANK, BY_WAIT, Entry, Rank, Slot};
use crate::{FlowEnd, FlowLimits, FlowObserver, LimitCounts};

/// Connections that have been seen and have not ended, each with its observer's state `S`.
#[derive(Debug)]
pub struct FlowTable<S> {
    limits: FlowLimits,
    /// Slots by the hash of their key.
    slots: HashTable<u32>,
    hasher: DefaultHashBuilder,
    flows: Vec<Slot<S>>,
    free: Vec<u32>,
    ranks: [Chain<BY_RANK>; Rank::ALL.len()],
    waiting: Chain<BY_WAIT>,
    held: usize,
    remembering: Chain<BY_HISTORY>,
    compared: usize,
    now: Timestamp,
    /// Before this time no connection has been silent for too long.
    due: Timestamp,
    leap: Option<Timestamp>,
    counts: LimitCounts,
    connections: u64,
    unclaimed_octets: u64,
}

impl<S> FlowTable<S> {
    /// An empty table.
    pub fn new(limits: FlowLimits) -> Self {
        Self {
            limits,
            slots: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            flows: Vec::new(),
            free: Vec::new(),
            ranks: Default::default(),
            waiting: Chain::default(),
            held: 0,
            remembering: Chain::default(),
            compared: 0,
            now: Timestamp::from_nanos(i64::MIN),
            due: Timestamp::from_nanos(i64::MAX),
            leap: None,
            counts: LimitCounts::default(),
            connections: 0,
            unclaimed_octets: 0,
        }
    }

    /// Connections seen so far.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Payload octets of segments that belong to no connection: resets of unknown ones and of those that have been silent
    /// for too long, and late segments of connections that the observer gave no number.
    pub fn unclaimed_octets(&self) -> u64 {
        self.unclaimed_octets
    }

    /// How often each limit was reached so far.
    pub fn limit_counts(&self) -> LimitCounts {
        self.counts
    }

    /// Takes in the next segment of the recording and tells the observer what follows from it.
    pub fn push<O: FlowObserver<State = S>>(&mut self, segment: &Segment<'_>, observer: &mut O) {
        self.advance(segment.timestamp);
        let (key, side) = FlowKey::with_side(segment.source, segment.destination);
        let slot = match self.find(&key) {
            None => self.begin(key, side, segment, observer),
            Some(slot) if self.is_of_predecessor(slot, side, segment) => {
                self.discard(slot, side, segment);
                None
            }
            Some(slot) if self.advance_handshake(slot, side, segment) => None,
            Some(slot) => {
                self.make_flow(slot, observer);
                match self.claim(slot, side, segment, observer) {
                    Some(Claim::Own) => Some(slot),
                    Some(Claim::Next(earlier_syn)) => self.succeed(slot, key, side, segment, earlier_syn, observer),
                    Some(Claim::Stray) => {
                        self.discard(slot, side, segment);
                        None
                    }
                    Some(Claim::Tail) | None => {
                        self.unclaimed_octets += segment.payload.len() as u64;
                        None
                    }
                }
            }
        };
        if let Some(slot) = slot {
            self.feed(slot, side, segment, observer);
        }
        self.expire(observer);
    }

    /// Whether the connection in this slot has taken the place of another one, and the segment is a late copy of one of that.
    fn is_of_predecessor(&self, slot: u32, side: Side, segment: &Segment<'_>) -> bool {
        let Some(Slot { predecessor: Some(predecessor), entry, .. }) = self.flows.get(slot as usize) else {
            return false;
        };
        let of_next = match entry {
            Entry::Flow(flow) => flow.is_near(side, segment),
            Entry::Handshake(_) | Entry::Ended(_) | Entry::Free => false,
        };
        predecessor.is_copy(side, segment, &self.limits, of_next)
    }

    /// Counts the octets of a segment that proved to be no part of the connection.
    fn discard(&mut self, slot: u32, side: Side, segment: &Segment<'_>) {
        match self.flow_mut(slot) {
            Some((flow, _)) => flow.discard(side, segment),
            None => self.unclaimed_octets += segment.payload.len() as u64,
        }
    }

    /// The clock of the table follows the packets. A leap counts only when a second packet confirms it: one corrupt time
    /// must not end every connection.
    fn advance(&mut self, time: Timestamp) {
        let is_first = self.connections == 0;
        let idle_time = self.limits.idle_time;
        if is_first || !is_apart(self.now, time, idle_time) {
            (self.now, self.leap) = (self.now.max(time), None);
        } else if is_confirmed(self.now, self.leap, time, idle_time) {
            (self.now, self.leap) = (time, None);
        } else {
            self.leap = Some(time);
        }
    }

    /// The table's clock: the latest packet time that is believed. `None` before the first segment.
    pub fn now(&self) -> Option<Timestamp> {
        (self.connections > 0).then_some(self.now)
    }

    /// Lets time pass without a segment: others have seen packets of this time, in the same recording.
    pub fn pass_time<O: FlowObserver<State = S>>(&mut self, until: Timestamp, observer: &mut O) {
        if self.connections > 0 && until > self.now {
            (self.now, self.leap) = (until, None);
            self.expire(observer);
        }
    }

    /// Ends every connection that is left: the recording is over.
    pub fn finish<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        self.expire(observer);
        // In the order of their last segments, so that the result does not depend on the order of a hash map.
        while let Some(slot) = self.front(Rank::Lingering).or_else(|| self.oldest(&Rank::ALL)) {
            self.end(slot, FlowEnd::EndOfCapture, observer);
        }
    }

    fn claim<O: FlowObserver<State = S>>(
        &mut self,
        slot: u32,
        side: Side,
        segment: &Segment<'_>,
        observer: &mut O,
    ) -> Option<Claim> {
        let claim = match &mut self.flows.get_mut(slot as usize)?.entry {
            Entry::Flow(flow) => flow.claim(side, segment, &self.limits),
            Entry::Ended(ended) => {
                let claim = ended.claim(side, segment, &self.limits);
                if matches!(claim, Claim::Own) {
                    match ended.number {
                        Some(number) => observer.late(number, ended.late(side, segment)),
                        None => self.unclaimed_octets += segment.payload.len() as u64,
                    }
                    self.touch(slot, Rank::Lingering);
                }
                claim
            }
            Entry::Handshake(_) | Entry::Free => return None,
        };
        Some(claim)
    }

    /// A connection that has not been seen before; returned if the segment is still to be fed. A RST alone, or a bare FIN,
    /// is the tail of an old one.
    fn begin<O: FlowObserver<State = S>>(
        &mut self,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        observer: &mut O,
    ) -> Option<u32> {
        let says_nothing = segment.payload.is_empty() && segment.missing == 0;
        if segment.flags.rst || (segment.flags.fin && says_nothing) {
            self.unclaimed_octets += segment.payload.len() as u64;
            return None;
        }
        if self.slots.len() >= self.limits.flows {
            self.evict(observer);
        }
        if let Some(handshake) = Handshake::begin(key, side, segment) {
            self.insert(&key, Entry::Handshake(handshake));
            return None;
        }
        Some(self.insert(&key, Entry::Flow(Box::new(Flow::open(key, side, segment, observer)))))
    }

    /// The 4-tuple is used by a new connection: the old one ends, and the segment goes to the new one.
    fn succeed<O: FlowObserver<State = S>>(
        &mut self,
        old: u32,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        earlier_syn: Option<(SeqNumber, Timestamp)>,
        observer: &mut O,
    ) -> Option<u32> {
        let idle = self
            .flow_mut(old)
            .is_some_and(|(flow, limits)| segment.timestamp.since(flow.last_seen()) > flow.patience(limits));
        let predecessor = self.flows.get(old as usize).and_then(|place| place.entry.remembered());
        self.end(old, if idle { FlowEnd::Idle } else { FlowEnd::Replaced }, observer);
        let slot = match earlier_syn {
            None => self.begin(key, side, segment, observer),
            Some((isn, timestamp)) => {
                let flow = Flow::open(key, side, segment, observer).with_earlier_syn(isn, timestamp);
                Some(self.insert(&key, Entry::Flow(Box::new(flow))))
            }
        };
        if let Some(place) = self.find(&key).and_then(|slot| self.flows.get_mut(slot as usize)) {
            place.predecessor = predecessor.map(Box::new);
        }
        slot
    }

    fn find(&self, key: &FlowKey) -> Option<u32> {
        let is_of_key = |&slot: &u32| self.flows.get(slot as usize).and_then(|place| place.entry.key()) == Some(key);
        self.slots.find(self.hasher.hash_one(key), is_of_key).copied()
    }

    fn insert(&mut self, key: &FlowKey, entry: Entry<S>) -> u32 {
        self.connections += 1;
        let fresh = Slot::new(entry);
        let rank = fresh.rank;
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.flows.get_mut(slot as usize) {
                    *place = fresh;
                }
                slot
            }
            None => {
                // The limit on flows is far below 2^32; a table configured beyond that shares its last slot.
                let slot = u32::try_from(self.flows.len()).unwrap_or(u32::MAX);
                self.flows.push(fresh);
                slot
            }
        };
        let Self { slots, hasher, flows, .. } = self;
        slots.insert_unique(hasher.hash_one(key), slot, |&slot| {
            let key = flows.get(slot as usize).and_then(|place| place.entry.key());
            key.map_or(0, |key| hasher.hash_one(key))
        });
        self.link(slot, rank);
        slot
    }

    /// Whether the slot holds no more than a handshake, and the segment is of it.
    fn advance_handshake(&mut self, slot: u32, side: Side, segment: &Segment<'_>) -> bool {
        let Some(Slot { entry: Entry::Handshake(handshake), .. }) = self.flows.get_mut(slot as usize) else {
            return false;
        };
        let advances = handshake.advance(side, segment, &self.limits);
        if advances {
            let rank = match (handshake.has_ended(), handshake.is_complete()) {
                (true, _) => Rank::Lingering,
                (false, true) => Rank::Established,
                (false, false) => Rank::Silent,
            };
            self.touch(slot, rank);
        }
        advances
    }

    /// A handshake becomes a flow.
    fn make_flow<O: FlowObserver<State = S>>(&mut self, slot: u32, observer: &mut O) {
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        if !matches!(place.entry, Entry::Handshake(_)) {
            return;
        }
        if let Entry::Handshake(handshake) = std::mem::replace(&mut place.entry, Entry::Free)
            && let Some(flow) = handshake.into_flow(&self.limits, observer)
        {
            place.entry = Entry::Flow(Box::new(flow));
        }
    }

    fn feed<O: FlowObserver<State = S>>(&mut self, slot: u32, side: Side, segment: &Segment<'_>, observer: &mut O) {
        let Some((flow, limits)) = self.flow_mut(slot) else { return };
        let (held_before, compared_before) = (flow.held_cost(), flow.compared_cost());
        flow.segment(side, segment, limits, observer);
        let mut held = flow.held_cost();
        let is_too_much = held > 0 && flow.largest_held_cost() > limits.held_octets_per_direction;
        if is_too_much {
            flow.shrink(limits.held_octets_per_direction, observer);
            held = flow.held_cost();
        }
        if flow.has_ended() {
            // What comes again now makes no difference to anybody.
            flow.forget_history();
        }
        let compared = flow.compared_cost();
        let is_over = flow.is_over();
        let rank = match (flow.has_ended(), flow.is_silent()) {
            (true, _) => Rank::Lingering,
            (false, true) => Rank::Silent,
            (false, false) => Rank::Open,
        };
        self.counts.held_per_direction += u64::from(is_too_much);
        self.touch(slot, rank);
        // Both are counted before either limit is looked at: making room can deliver octets of this connection, too.
        if compared != compared_before {
            self.compared = self.compared - compared_before + compared;
            self.note_remembering(slot, compared > 0);
        }
        if held != held_before {
            self.held = self.held - held_before + held;
            self.note_waiting(slot, held > 0);
            self.make_room(observer);
        }
        self.forget_what_is_too_much();
        if is_over {
            self.settle(slot, observer);
        }
    }

    /// Hands over a connection that is over; it is remembered.
    fn settle<O: FlowObserver<State = S>>(&mut self, slot: u32, observer: &mut O) {
        self.note_waiting(slot, false);
        self.note_remembering(slot, false);
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        let Entry::Flow(flow) = std::mem::replace(&mut place.entry, Entry::Free) else { return };
        place.entry = Entry::Ended(flow.remembered());
        self.touch(slot, Rank::Lingering);
        let number = self.hand_over(*flow, FlowEnd::Closed, observer);
        if let Some(Slot { entry: Entry::Ended(ended), .. }) = self.flows.get_mut(slot as usize) {
            ended.number = number;
        }
    }

    fn hand_over<O: FlowObserver<State = S>>(
        &mut self,
        mut flow: Flow<S>,
        reason: FlowEnd,
        observer: &mut O,
    ) -> Option<u64> {
        self.held -= flow.held_cost();
        self.compared -= flow.compared_cost();
        flow.forget_history();
        flow.finish(observer);
        let end = flow.end_or(reason);
        observer.close(flow, end)
    }

    fn end<O: FlowObserver<State = S>>(&mut self, slot: u32, reason: FlowEnd, observer: &mut O) {
        self.make_flow(slot, observer);
        self.unlink(slot);
        self.note_waiting(slot, false);
        self.note_remembering(slot, false);
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        let entry = std::mem::replace(&mut place.entry, Entry::Free);
        let Some(hash) = entry.key().map(|key| self.hasher.hash_one(key)) else { return };
        if let Ok(entry) = self.slots.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        if let Entry::Flow(flow) = entry {
            self.hand_over(*flow, reason, observer);
        }
    }

    fn last_seen(&self, slot: u32) -> Option<Timestamp> {
        self.flows.get(slot as usize).map(|place| place.entry.last_seen())
    }

    fn flow_mut(&mut self, slot: u32) -> Option<(&mut Flow<S>, &FlowLimits)> {
        match &mut self.flows.get_mut(slot as usize)?.entry {
            Entry::Flow(flow) => Some((flow, &self.limits)),
            Entry::Handshake(_) | Entry::Ended(_) | Entry::Free => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use capture::{Flags, SeqNumber};

    use super::*;
    use crate::{FlowInfo, Interest, StreamEvent};

    /// The client's port and the end of each connection, in the order in which they ended.
    #[derive(Default)]
    struct Ends(Vec<(u16, FlowEnd)>);

    impl FlowObserver for Ends {
        type State = ();

        fn open(&mut self, _: &FlowInfo) {}

        fn event(&mut self, _: &FlowInfo, (): &mut (), _: StreamEvent<'_>) -> Interest {
            Interest::Follow
        }

        fn close(&mut self, flow: Flow<()>, end: FlowEnd) -> Option<u64> {
            self.0.push((flow.info().originator.port(), end));
            None
        }
    }

    /// A segment of the client at this port; `flags` are letters: `S`, `F`, `R`.
    fn from(port: u16, seq: u32, flags: &str, payload: &'static str, second: i64) -> Segment<'static> {
        Segment {
            source: SocketAddr::from(([192, 0, 2, 1], port)),
            destination: SocketAddr::from(([198, 51, 100, 2], 25)),
            seq: SeqNumber::new(seq),
            ack: None,
            flags: Flags { syn: flags.contains('S'), fin: flags.contains('F'), rst: flags.contains('R') },
            payload: payload.as_bytes(),
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::from_nanos(second * 1_000_000_000),
            encapsulation: capture::Encapsulation::default(),
        }
    }

    fn table(limits: FlowLimits, segments: &[Segment<'static>]) -> (FlowTable<()>, Ends) {
        let (mut table, mut ends) = (FlowTable::new(limits), Ends::default());
        segments.iter().for_each(|segment| table.push(segment, &mut ends));
        (table, ends)
    }

    /// Another table of the same recording has seen later packets.
    #[test]
    fn time_passes_without_a_segment_and_never_back() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        let limits = FlowLimits { idle_time: Duration::from_secs(10), ..FlowLimits::default() };
        let (mut table, mut ends) = table(limits, &[from(1, 0, "S", "", 100)]);
        assert_eq!(table.now(), Some(at(100)));
        table.pass_time(at(5), &mut ends);
        table.pass_time(at(110), &mut ends);
        assert_eq!((ends.0.as_slice(), table.now()), ([].as_slice(), Some(at(110))));
        table.pass_time(at(111), &mut ends);
        assert_eq!(ends.0, [(1, FlowEnd::Idle)]);
        let (mut untouched, mut ends) = super::tests::table(limits, &[]);
        untouched.pass_time(at(5), &mut ends);
        assert_eq!(untouched.now(), None);
    }

    #[test]
    fn beyond_the_limit_the_one_silent_for_the_longest_goes() {
        let limits = FlowLimits { flows: 2, ..FlowLimits::default() };
        let (table, ends) = table(
            limits,
            &[from(1, 0, "S", "", 0), from(2, 0, "S", "", 1), from(1, 1, "", "x", 2), from(3, 0, "S", "", 3)],
        );
        assert_eq!(ends.0, [(2, FlowEnd::Evicted)]);
        assert_eq!((table.limit_counts().flows_evicted, table.connections()), (1, 3));
    }

    #[test]
    fn silence_ends_a_connection_when_another_packet_shows_the_time() {
        let (_, ends) =
            table(FlowLimits::default(), &[from(1, 0, "S", "", 0), from(2, 0, "S", "", 300), from(2, 1, "", "x", 601)]);
        assert_eq!(ends.0, [(1, FlowEnd::Idle)]);
    }

    #[test]
    fn one_corrupt_time_ends_nothing() {
        let year = 365 * 86_400;
        let (_, ends) = table(
            FlowLimits::default(),
            &[from(1, 0, "S", "", 0), from(2, 0, "S", "", year), from(1, 1, "", "x", 1), from(1, 2, "", "y", 2)],
        );
        assert!(ends.0.iter().all(|&(port, _)| port != 1), "{:?}", ends.0);
    }

    /// RFC 9293 §3.4.2: a connection is remembered after its end, so that old duplicates are not taken for new ones.
    #[test]
    fn a_late_duplicate_of_a_closed_connection_is_no_new_one() {
        let closed = [from(1, 0, "S", "", 0), from(1, 1, "F", "x", 1)];
        let (mut table, mut ends) = table(FlowLimits::default(), &closed);
        table.push(&from(1, 1, "", "x", 2), &mut ends);
        table.finish(&mut ends);
        assert_eq!((table.connections(), ends.0), (1, vec![(1, FlowEnd::Closed)]));
    }

    #[test]
    fn a_reset_or_a_bare_fin_of_an_unknown_connection_begins_none() {
        let (table, _) = table(FlowLimits::default(), &[from(1, 5, "R", "", 0), from(2, 5, "F", "", 1)]);
        assert_eq!(table.connections(), 0);
    }

    /// What two waiting pieces of one octet cost.
    const TWO_PIECES: usize = 2 * (FlowLimits::PIECE_OVERHEAD + 1);

    #[test]
    fn octets_beyond_the_limit_of_a_direction_do_not_wait() {
        let limits = FlowLimits { held_octets_per_direction: TWO_PIECES, ..FlowLimits::default() };
        let (table, _) = table(
            limits,
            &[from(1, 0, "S", "", 0), from(1, 11, "", "a", 0), from(1, 21, "", "b", 0), from(1, 31, "", "c", 0)],
        );
        assert_eq!((table.limit_counts().held_per_direction, table.limit_counts().held_per_table), (1, 0));
    }

    #[test]
    fn octets_beyond_the_limit_of_the_table_do_not_wait() {
        let limits = FlowLimits { held_octets_per_table: TWO_PIECES, ..FlowLimits::default() };
        let early = |port| [from(port, 0, "S", "", 0), from(port, 11, "", "a", 0)];
        let (table, _) = table(limits, &[early(1), early(2), early(3)].concat());
        assert_eq!((table.limit_counts().held_per_direction, table.limit_counts().held_per_table), (0, 1));
    }

    /// Somebody who lets octets wait behind holes on many connections must not take the room of others.
    #[test]
    fn the_flow_that_has_waited_for_the_longest_makes_room() {
        let limits = FlowLimits { held_octets_per_table: TWO_PIECES, ..FlowLimits::default() };
        let early = |port, second| [from(port, 0, "S", "", second), from(port, 11, "", "a", second)];
        // The first one goes on, and still it is the one that waits for the longest.
        let segments = [early(1, 0).as_slice(), &early(2, 1), &[from(1, 0, "S", "", 2)], &early(3, 3)].concat();
        let (mut table, _) = table(limits, &segments);
        let waiting = [1, 2, 3].map(|port| {
            let key = FlowKey::new(from(port, 0, "", "", 0).source, from(port, 0, "", "", 0).destination);
            let slot = table.find(&key).expect("a connection");
            table.flow_mut(slot).map(|(flow, _)| flow.held_cost() > 0)
        });
        assert_eq!(waiting, [Some(false), Some(true), Some(true)]);
    }

    /// One segment reaches the limit of its direction, which delivers octets, and then that of the table by itself.
    #[test]
    fn both_limits_can_be_reached_by_one_segment() {
        static LONG: [u8; 600] = [b'b'; 600];
        let limits = FlowLimits {
            held_octets_per_table: TWO_PIECES + 550,
            held_octets_per_direction: FlowLimits::PIECE_OVERHEAD + LONG.len(),
            ..FlowLimits::default()
        };
        let early = |port| [from(port, 0, "S", "", 0), from(port, 11, "", "a", 0)];
        let long = Segment { payload: &LONG, ..from(1, 21, "", "", 1) };
        let segments = [early(1).as_slice(), &early(2), &[long]].concat();
        let (mut table, mut ends) = table(limits, &segments);
        assert_eq!((table.limit_counts().held_per_direction, table.limit_counts().held_per_table), (1, 1));
        table.finish(&mut ends);
        assert_eq!((table.held, table.compared), (0, 0));
    }

    /// A flood of SYNs ends nothing but other connections that have shown no octet.
    #[test]
    fn connections_that_have_shown_octets_are_evicted_last() {
        let limits = FlowLimits { flows: 3, ..FlowLimits::default() };
        let mail = [from(1, 0, "S", "", 0), from(1, 1, "", "EHLO", 1)];
        let flood = (10..20).map(|port| from(port, 0, "S", "", i64::from(port)));
        let (mut table, mut ends) = table(limits, &mail.into_iter().chain(flood).collect::<Vec<_>>());
        assert_eq!(ends.0, (10..18).map(|port| (port, FlowEnd::Evicted)).collect::<Vec<_>>());
        table.finish(&mut ends);
        assert!(ends.0.contains(&(1, FlowEnd::EndOfCapture)));
    }

    #[test]
    fn a_whole_handshake_outlasts_a_flood_of_syns() {
        let limits = FlowLimits { flows: 2, ..FlowLimits::default() };
        let (syn, ack) = (from(1, 0, "S", "", 0), Segment { ack: Some(SeqNumber::new(8)), ..from(1, 1, "", "", 0) });
        let (source, destination, ack_of_syn) = (syn.destination, syn.source, Some(SeqNumber::new(1)));
        let answer = Segment { source, destination, ack: ack_of_syn, ..from(1, 7, "S", "", 0) };
        let flood = (10..14).map(|port| from(port, 0, "S", "", i64::from(port)));
        let (_, ends) = table(limits, &[syn, answer, ack].into_iter().chain(flood).collect::<Vec<_>>());
        assert_eq!(ends.0, [10, 11, 12].map(|port| (port, FlowEnd::Evicted)));
    }

    /// One that has been closed is remembered for as long as one that has only begun.
    #[test]
    fn of_ended_and_of_begun_connections_the_one_silent_for_longer_is_evicted() {
        let limits = FlowLimits { flows: 2, ..FlowLimits::default() };
        let ended = |second| [from(1, 0, "S", "", second), from(1, 1, "F", "x", second)];
        let begun = |second| from(2, 0, "S", "", second);
        let (_, ends) = table(limits, &[&ended(0)[..], &[begun(1), from(3, 0, "S", "", 2)]].concat());
        assert_eq!(ends.0, [(1, FlowEnd::Closed)]);
        let (_, ends) = super::tests::table(limits, &[&[begun(0)][..], &ended(1), &[from(3, 0, "S", "", 2)]].concat());
        assert_eq!(ends.0, [(2, FlowEnd::Evicted)]);
    }

    #[test]
    fn at_the_end_connections_leave_in_the_order_of_their_last_segments() {
        let limits = FlowLimits { idle_time: Duration::from_secs(10), ..FlowLimits::default() };
        let segments = [from(1, 0, "S", "", 0), from(2, 0, "S", "", 1), from(3, 0, "S", "", 2), from(1, 1, "", "x", 3)];
        let (mut table, mut ends) = table(limits, &segments);
        table.finish(&mut ends);
        assert_eq!(ends.0, [2, 3, 1].map(|port| (port, FlowEnd::EndOfCapture)));
    }
}
