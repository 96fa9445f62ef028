//! Segments of one direction in any order, with repetitions and overlaps, alike or not: what is told is what a map from
//! offset to the octet captured first says, gaps where it has none, and every octet is counted where that map puts it.
//!
//! Input: an octet for the choices, then four octets a segment:
//!
//! ```text
//!   choices  bit 0 sequence numbers that wrap, 1 a FIN behind the last octet, 2 no SYN
//!   0–1 offset, modulo 4,096
//!   2   octets of payload
//!   3   bits 0–1 added to each octet, 2–3 octets cut off by the snap length, 4–7 milliseconds since the segment before
//! ```

#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use capture::{Flags, Segment, SeqNumber, Timestamp};
use libfuzzer_sys::fuzz_target;
use reassembly::{
    Comparison, Direction, Flow, FlowEnd, FlowInfo, FlowLimits, FlowObserver, FlowTable, Interest, StreamEvent,
    StreamOctets,
};

fuzz_target!(|input: &[u8]| {
    let Some((&[choices], rest)) = input.split_first_chunk::<1>() else { return };
    let isn = if choices & 1 == 0 { 7 } else { u32::MAX - 900 };
    // What was cut off may come at any later time.
    let limits = FlowLimits { reorder_time: Duration::from_secs(1 << 30), ..FlowLimits::default() };
    let mut table = FlowTable::new(limits);
    let (mut twin, mut listener) = (Twin::default(), Listener::default());
    let mut segment = Segment {
        source: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        destination: SocketAddr::from(([198, 51, 100, 2], 25)),
        seq: SeqNumber::new(isn),
        ack: None,
        flags: Flags { syn: true, ..Flags::default() },
        window: 65_535,
        window_scale: None,
        payload: &[],
        payload_at: None,
        missing: 0,
        timestamp: Timestamp::default(),
        encapsulation: capture::Encapsulation::default(),
    };
    let has_syn = choices & 4 == 0;
    if has_syn {
        table.push(&segment, &mut listener);
    }
    segment.flags.syn = false;
    let mut origin = has_syn.then_some(0);
    for &[low, high, len, bits] in rest.as_chunks::<4>().0 {
        let offset = u64::from(u16::from_le_bytes([low, high]) % 4_096);
        // Without a SYN the first octet captured is the first there is.
        if offset < *origin.get_or_insert(offset) {
            continue;
        }
        let octets: Vec<u8> = (offset..).take(usize::from(len)).map(|at| octet(at).wrapping_add(bits & 3)).collect();
        let missing = u32::from(bits >> 2 & 3);
        segment.seq = SeqNumber::new(isn).plus(1).plus(u32::try_from(offset).unwrap_or(0));
        segment.timestamp = later(segment.timestamp, bits >> 4);
        table.push(&Segment { payload: &octets, missing, ..segment }, &mut listener);
        twin.take(offset, &octets, missing);
    }
    if choices & 2 != 0 && twin.end > 0 {
        segment.seq = SeqNumber::new(isn).plus(1).plus(u32::try_from(twin.end).unwrap_or(0));
        segment.flags.fin = true;
        table.push(&segment, &mut listener);
    }
    table.finish(&mut listener);
    twin.assert_told(&listener, origin.unwrap_or(0));
});

fn octet(at: u64) -> u8 {
    let [low, high, ..] = at.to_le_bytes();
    low ^ high.wrapping_mul(37)
}

fn later(time: Timestamp, millis: u8) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() + i64::from(millis) * 1_000_000)
}

/// What was captured first at each offset: an octet, or nothing because the snap length cut it off.
#[derive(Default)]
struct Twin {
    places: BTreeMap<u64, Option<u8>>,
    end: u64,
    payload: u64,
    again: u64,
    differing: u64,
    /// Segments of one octet.
    single: u64,
}

impl Twin {
    fn take(&mut self, offset: u64, octets: &[u8], missing: u32) {
        self.payload += octets.len() as u64;
        self.single += u64::from(octets.len() == 1);
        for (at, &octet) in (offset..).zip(octets) {
            match self.places.get(&at) {
                Some(Some(first)) => {
                    self.again += 1;
                    self.differing += u64::from(*first != octet);
                }
                // Not captured yet, or cut off.
                Some(None) | None => drop(self.places.insert(at, Some(octet))),
            }
        }
        let behind = offset + octets.len() as u64;
        for at in behind..behind + u64::from(missing) {
            self.places.entry(at).or_insert(None);
        }
        self.end = self.places.keys().next_back().map_or(0, |last| last + 1);
    }

    /// Offsets of the table count from `origin` on.
    fn assert_told(&self, listener: &Listener, origin: u64) {
        let told = &listener.told;
        let expected = (origin..self.end).map(|at| self.places.get(&at).copied().flatten());
        assert!(told.iter().copied().eq(expected), "{told:?}");
        let Some(octets) = listener.octets else { return assert_eq!(self.payload, 0) };
        assert_eq!(octets.payload, self.payload);
        assert_eq!(octets.delivered, told.iter().flatten().count() as u64);
        assert_eq!(octets.missing, told.iter().filter(|place| place.is_none()).count() as u64);
        // A single octet at the end of all that was sent is taken for a keep-alive.
        assert_eq!(octets.retransmitted + octets.conflicting + octets.discarded, self.again);
        assert!(octets.discarded <= self.single);
        assert_eq!(octets.conflicting, listener.conflicting);
        assert!(octets.conflicting == 0 || self.differing > 0, "a conflict is made up");
        // Octets that were cut off hide what was before them, and those of keep-alives are not compared.
        let all_compared = self.single == 0 && !told.contains(&None);
        assert!(octets.conflicting > 0 || self.differing == 0 || !all_compared, "a conflict is overlooked");
    }
}

#[derive(Default)]
struct Listener {
    /// Each place of the stream: an octet, or a gap.
    told: Vec<Option<u8>>,
    conflicting: u64,
    octets: Option<StreamOctets>,
}

impl FlowObserver for Listener {
    type State = ();

    fn open(&mut self, _: &FlowInfo) {}

    fn event(&mut self, _: &FlowInfo, (): &mut (), event: StreamEvent<'_>) -> Interest {
        match event {
            StreamEvent::Data { offset, bytes, .. } => {
                assert_eq!(offset, self.told.len() as u64);
                self.told.extend(bytes.iter().copied().map(Some));
            }
            StreamEvent::Gap { offset, len, .. } => {
                assert_eq!(offset, self.told.len() as u64);
                self.told.extend((0..len).map(|_| None));
            }
            StreamEvent::Overlap { len, comparison: Comparison::Different { first, later }, .. } => {
                assert!(first > 0 && len <= later, "{len} of {first} and {later}");
                self.conflicting += len;
            }
            StreamEvent::Overlap { .. } => {}
            StreamEvent::HalfClosed { offset, .. } => assert_eq!(offset, self.told.len() as u64),
        }
        Interest::Follow
    }

    fn close(&mut self, flow: Flow<()>, _: FlowEnd) -> Option<u64> {
        assert!(self.octets.is_none(), "one connection became two");
        self.octets = Some(flow.octets(Direction::FromOriginator));
        assert_eq!(flow.octets(Direction::FromResponder), StreamOctets::default());
        None
    }
}
