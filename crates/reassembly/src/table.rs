//! All connections of a recording: one look-up per segment, idle time, limits.
//!
//! Flows live in a slab; a map leads from the key to the slot, and two chains through the slots — flows that are open,
//! and flows that have ended and linger — hold them in the order of their last segment, so that the one silent for the
//! longest is always at the front.

use std::collections::HashMap;

use capture::{Segment, Timestamp};

use crate::chain::{Chain, Links};
use crate::flow::{Claim, Flow};
use crate::key::{FlowKey, Side};
use crate::{FlowEnd, FlowLimits, FlowObserver, LimitCounts};

/// Connections that have been seen and have not ended, each with its observer's state `S`.
#[derive(Debug)]
pub struct FlowTable<S> {
    limits: FlowLimits,
    slots: HashMap<FlowKey, u32>,
    flows: Vec<Slot<S>>,
    free: Vec<u32>,
    open: Chain,
    lingering: Chain,
    held: usize,
    now: Timestamp,
    leap: Option<Timestamp>,
    counts: LimitCounts,
    connections: u64,
    unclaimed_octets: u64,
}

#[derive(Debug)]
struct Slot<S> {
    flow: Option<Flow<S>>,
    links: Links,
    lingers: bool,
}

impl<S> FlowTable<S> {
    /// An empty table.
    pub fn new(limits: FlowLimits) -> Self {
        Self {
            limits,
            slots: HashMap::new(),
            flows: Vec::new(),
            free: Vec::new(),
            open: Chain::default(),
            lingering: Chain::default(),
            held: 0,
            now: Timestamp::from_nanos(i64::MIN),
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

    /// Payload octets of segments that belong to no connection: resets of unknown ones, and what has come long after the
    /// end of one.
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
        let slot = match self.slots.get(&key) {
            None => self.begin(key, side, segment, observer),
            Some(&slot) => match self.flow_mut(slot).map(|(flow, limits)| flow.claim(side, segment, limits)) {
                Some(Claim::Own) => Some(slot),
                Some(Claim::Next(earlier_syn)) => self.succeed(slot, key, side, segment, earlier_syn, observer),
                Some(Claim::Stray) => {
                    if let Some((flow, _)) = self.flow_mut(slot) {
                        flow.discard(side, segment);
                    }
                    return self.expire(observer);
                }
                Some(Claim::Tail) | None => None,
            },
        };
        match slot {
            Some(slot) => self.feed(slot, side, segment, observer),
            None => self.unclaimed_octets += segment.payload.len() as u64,
        }
        self.expire(observer);
    }

    /// The clock of the table follows the packets. A leap forward counts only when a second packet confirms it: one
    /// corrupt time must not end every connection.
    fn advance(&mut self, time: Timestamp) {
        let is_first = self.connections == 0;
        let leaps = !is_first && time.since(self.now) > self.limits.idle_time;
        if leaps && self.leap.is_none_or(|earlier| time < earlier) {
            self.leap = Some(time);
        } else {
            self.now = self.now.max(time);
            self.leap = None;
        }
    }

    /// Ends every connection that is left: the recording is over.
    pub fn finish<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        self.expire(observer);
        // In the order of their last segments, so that the result does not depend on the order of a hash map.
        while let Some(slot) = self.lingering.front().or(self.open.front()) {
            self.end(slot, FlowEnd::EndOfCapture, observer);
        }
    }

    /// A connection that has not been seen before. A RST alone, or a bare FIN, is the tail of an old one.
    fn begin<O: FlowObserver<State = S>>(
        &mut self,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        observer: &mut O,
    ) -> Option<u32> {
        let says_nothing = segment.payload.is_empty() && segment.missing == 0;
        if segment.flags.rst || (segment.flags.fin && says_nothing) {
            return None;
        }
        if self.slots.len() >= self.limits.flows {
            self.evict(observer);
        }
        Some(self.insert(key, Flow::open(key, side, segment, observer)))
    }

    /// The 4-tuple is used by a new connection: the old one ends, and the segment goes to the new one.
    fn succeed<O: FlowObserver<State = S>>(
        &mut self,
        old: u32,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        earlier_syn: Option<(std::net::SocketAddr, capture::SeqNumber, Timestamp)>,
        observer: &mut O,
    ) -> Option<u32> {
        let idle = self
            .flow_mut(old)
            .is_some_and(|(flow, limits)| segment.timestamp.since(flow.last_seen()) > flow.patience(limits));
        self.end(old, if idle { FlowEnd::Idle } else { FlowEnd::Replaced }, observer);
        let Some((_, isn, timestamp)) = earlier_syn else {
            return self.begin(key, side, segment, observer);
        };
        let flow = Flow::open(key, side, segment, observer).with_earlier_syn(isn, timestamp);
        Some(self.insert(key, flow))
    }

    fn insert(&mut self, key: FlowKey, flow: Flow<S>) -> u32 {
        self.connections += 1;
        let fresh = Slot { flow: Some(flow), links: Links::default(), lingers: false };
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
        self.slots.insert(key, slot);
        self.open.push_back(slot, &mut self.flows);
        slot
    }

    fn feed<O: FlowObserver<State = S>>(&mut self, slot: u32, side: Side, segment: &Segment<'_>, observer: &mut O) {
        let Some(place) = self.flows.get_mut(slot as usize) else { return };
        let Some(flow) = place.flow.as_mut() else { return };
        let (held_before, _) = flow.held_cost();
        flow.segment(side, segment, &self.limits, observer);
        let (mut held_after, largest) = flow.held_cost();
        if held_after > 0 {
            if largest > self.limits.held_octets_per_direction {
                self.counts.held_per_direction += 1;
                flow.shrink(self.limits.held_octets_per_direction, observer);
            }
            if (self.held - held_before) + flow.held_cost().0 > self.limits.held_octets_per_table {
                self.counts.held_per_table += 1;
                flow.shrink(0, observer);
            }
            held_after = flow.held_cost().0;
        }
        self.held = self.held - held_before + held_after;
        let was_lingering = place.lingers;
        let lingers = flow.has_ended();
        place.lingers = lingers;
        if was_lingering {
            self.lingering.remove(slot, &mut self.flows);
        } else {
            self.open.remove(slot, &mut self.flows);
        }
        if lingers {
            self.lingering.push_back(slot, &mut self.flows);
        } else {
            self.open.push_back(slot, &mut self.flows);
        }
    }

    /// Ends connections that have been silent for too long. It makes room; the outcome of a connection does not depend
    /// on it, because [`Flow::claim`] measures the silence of a connection by its own packets.
    fn expire<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        for chain in [true, false] {
            while let Some(slot) = if chain { self.lingering.front() } else { self.open.front() } {
                let now = self.now;
                let silent = self
                    .flow_mut(slot)
                    .is_some_and(|(flow, limits)| now.since(flow.last_seen()) > flow.patience(limits));
                if !silent {
                    self.pass_over_the_future(slot, chain);
                    break;
                }
                self.end(slot, FlowEnd::Idle, observer);
            }
        }
    }

    /// A flow whose last packet is later than now (its time was corrupt) must not stand in the way of those behind it.
    fn pass_over_the_future(&mut self, slot: u32, lingers: bool) {
        let now = self.now;
        if self.flow_mut(slot).is_some_and(|(flow, _)| flow.last_seen() > now) {
            let chain = if lingers { &mut self.lingering } else { &mut self.open };
            chain.remove(slot, &mut self.flows);
            chain.push_back(slot, &mut self.flows);
        }
    }

    /// Makes room for one more connection.
    fn evict<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        if let Some(slot) = self.lingering.front() {
            self.end(slot, FlowEnd::Evicted, observer);
        } else if let Some(slot) = self.open.front() {
            self.counts.flows_evicted += 1;
            self.end(slot, FlowEnd::Evicted, observer);
        }
    }

    fn end<O: FlowObserver<State = S>>(&mut self, slot: u32, reason: FlowEnd, observer: &mut O) {
        let Some(place) = self.flows.get(slot as usize) else { return };
        if place.lingers {
            self.lingering.remove(slot, &mut self.flows);
        } else {
            self.open.remove(slot, &mut self.flows);
        }
        let Some(mut flow) = self.flows.get_mut(slot as usize).and_then(|place| place.flow.take()) else { return };
        self.slots.remove(&flow.info().key);
        self.free.push(slot);
        self.held -= flow.held_cost().0;
        flow.finish(observer);
        let end = flow.end_or(reason);
        observer.close(flow, end);
    }

    fn flow_mut(&mut self, slot: u32) -> Option<(&mut Flow<S>, &FlowLimits)> {
        let flow = self.flows.get_mut(slot as usize)?.flow.as_mut()?;
        Some((flow, &self.limits))
    }
}

impl<S> AsMut<Links> for Slot<S> {
    fn as_mut(&mut self) -> &mut Links {
        &mut self.links
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

        fn close(&mut self, flow: Flow<()>, end: FlowEnd) {
            self.0.push((flow.info().originator.port(), end));
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

    #[test]
    fn at_the_end_connections_leave_in_the_order_of_their_last_segments() {
        let limits = FlowLimits { idle_time: Duration::from_secs(10), ..FlowLimits::default() };
        let segments = [from(1, 0, "S", "", 0), from(2, 0, "S", "", 1), from(3, 0, "S", "", 2), from(1, 1, "", "x", 3)];
        let (mut table, mut ends) = table(limits, &segments);
        table.finish(&mut ends);
        assert_eq!(ends.0, [2, 3, 1].map(|port| (port, FlowEnd::EndOfCapture)));
    }
}
