//! Any segments of four connections: of each direction every payload octet is accounted for, what is told has no hole,
//! and every connection that opens closes. And one dialogue in any order of arrival, with repetitions: what each side is
//! told to have said is the same.
//!
//! Input: an octet of choices: bit 0 small limits, 1 a dialogue, 2 the observer ignores what has said enough. Then of a
//! dialogue three octets a turn:
//!
//! ```text
//!   0   bit 0 from the client, 1–5 octets less one
//!   1   when it arrives
//!   2   when it arrives once more; the same: it does not
//! ```
//!
//! else eight octets a segment:
//!
//! ```text
//!   0   bit 0 from the client, 1–2 which connection, 3 SYN, 4 FIN, 5 RST, 6 ACK, 7 half the sequence space away
//!   1–2 sequence number, signed, from the initial one on
//!   3–4 acknowledgment number, signed, from the other side's initial one on
//!   5   octets of payload
//!   6   bit 0 differs from the true octets, 1–7 octets cut off by the snap length
//!   7   time since the segment before: up to 127 squared, times 50 ms; from 128 on backwards, in ms
//! ```

#![no_main]

use std::net::{Ipv4Addr, SocketAddr};

use capture::{Flags, Segment, SeqNumber, Timestamp};
use libfuzzer_sys::fuzz_target;
use reassembly::{
    Direction, Flow, FlowEnd, FlowInfo, FlowLimits, FlowObserver, FlowTable, Interest, LateSegment, PerDirection,
    StreamEvent,
};

fuzz_target!(|input: &[u8]| {
    let Some((&[choice], rest)) = input.split_first_chunk::<1>() else { return };
    if choice & 2 != 0 {
        return any_order(rest);
    }
    let small = FlowLimits {
        flows: 2,
        held_octets_per_direction: 700,
        held_octets_per_table: 1_000,
        compared_octets_per_direction: 1_000,
        compared_octets_per_table: 2_000,
        ..FlowLimits::default()
    };
    let limits = if choice % 2 == 0 { FlowLimits::default() } else { small };
    let ignores_from = if choice & 4 == 0 { u64::MAX } else { 60 };
    let mut auditor = Auditor { flows: limits.flows, ignores_from, ..Auditor::default() };
    let mut table = FlowTable::new(limits);
    let (mut millis, mut payload_octets) = (1_000_000_i64, 0);
    for &record in rest.as_chunks::<8>().0 {
        let [bits, seq_low, seq_high, ack_low, ack_high, len, copy, time] = record;
        millis += match time.cast_signed() {
            back @ ..0 => i64::from(back),
            forth => i64::from(forth) * i64::from(forth) * 50,
        };
        let side = Side { from_client: bits & 1 != 0, connection: (bits >> 1) & 3 };
        let seq = i32::from(i16::from_le_bytes([seq_low, seq_high]));
        let ack = i32::from(i16::from_le_bytes([ack_low, ack_high]));
        let payload: Vec<u8> = (seq..).take(usize::from(len)).map(|at| at.to_le_bytes()[0] ^ (copy & 1)).collect();
        let away = if bits & 0x80 != 0 { 1 << 31 } else { 0 };
        let segment = Segment {
            source: side.address(),
            destination: side.other().address(),
            seq: side.initial().plus(seq.cast_unsigned()).plus(away),
            ack: (bits & 0x40 != 0).then(|| side.other().initial().plus(ack.cast_unsigned())),
            flags: Flags { syn: bits & 0x08 != 0, fin: bits & 0x10 != 0, rst: bits & 0x20 != 0 },
            payload: &payload,
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: u32::from(copy >> 1),
            timestamp: Timestamp::from_nanos(millis * 1_000_000),
            encapsulation: capture::Encapsulation::default(),
        };
        payload_octets += u64::from(len);
        table.push(&segment, &mut auditor);
        assert!(auditor.open <= auditor.flows, "more connections than the limit allows");
    }
    table.finish(&mut auditor);
    assert_eq!(auditor.open, 0, "a connection was not closed");
    assert_eq!(auditor.opened, table.connections());
    assert_eq!(auditor.payload + table.unclaimed_octets(), payload_octets);
});

/// Turns of a dialogue in any order.
const TURNS: usize = 60;

/// Handshake, turns, both FINs; all behind the first SYN in the order that the turns say, within the reorder time. When
/// the SYN's answer arrives says the first turn. No more turns than pieces of a direction wait for its beginning (64).
fn any_order(turns: &[u8]) {
    let (client, server) = (Side { from_client: true, connection: 0 }, Side { from_client: false, connection: 0 });
    let (mut sent, mut said) = (PerDirection { from_originator: 1, from_responder: 1 }, PerDirection::<u64>::default());
    let mut arrivals = Vec::new();
    let text: Vec<u8> = (0..=u8::MAX).cycle().take(512).collect();
    let end = [[0, u8::MAX, u8::MAX], [1, u8::MAX, u8::MAX]];
    for (number, &[bits, first, again]) in turns.as_chunks::<3>().0.iter().take(TURNS).chain(&end).enumerate() {
        let side = if bits & 1 == 0 { server } else { client };
        let direction = side.direction();
        let fin = number >= turns.len().div_euclid(3).min(TURNS);
        let payload = if fin {
            &[]
        } else {
            &text[usize::from(said[direction].to_le_bytes()[0])..][..=usize::from(bits >> 1 & 31)]
        };
        let segment = side.says(sent[direction], Some(sent[!direction]), payload, fin);
        sent[direction] += payload.len() as u32 + u32::from(fin);
        said[direction] += payload.len() as u64;
        arrivals.push((first, segment));
        if again != first {
            arrivals.push((again, segment));
        }
    }
    let syn = Segment { flags: Flags { syn: true, ..Flags::default() }, ..client.says(0, None, &[], false) };
    let answer = Segment { flags: syn.flags, ..server.says(0, Some(1), &[], false) };
    arrivals.insert(0, (turns.first().copied().unwrap_or(0), answer));
    arrivals.sort_by_key(|&(time, _)| time);
    let (mut table, mut auditor) = (
        FlowTable::new(FlowLimits::default()),
        Auditor { flows: 1, ignores_from: u64::MAX, is_dialogue: true, ..Auditor::default() },
    );
    for (millis, segment) in (0..).zip([syn].into_iter().chain(arrivals.into_iter().map(|(_, segment)| segment))) {
        table.push(&Segment { timestamp: Timestamp::from_nanos(millis * 1_000_000), ..segment }, &mut auditor);
    }
    table.finish(&mut auditor);
    assert_eq!((auditor.opened, auditor.missing), (1, 0));
    assert_eq!(auditor.ended, Some(FlowEnd::Closed));
    assert_eq!(auditor.delivered, said);
}

#[derive(Clone, Copy)]
struct Side {
    from_client: bool,
    connection: u8,
}

impl Side {
    fn other(self) -> Self {
        Self { from_client: !self.from_client, ..self }
    }

    fn address(self) -> SocketAddr {
        let port = if self.from_client { 40_000 + u16::from(self.connection) } else { 25 };
        SocketAddr::from((Ipv4Addr::new(192, 0, 2, u8::from(self.from_client)), port))
    }

    fn direction(self) -> Direction {
        if self.from_client { Direction::FromOriginator } else { Direction::FromResponder }
    }

    /// A segment, its numbers counted from the initial ones on.
    fn says(self, seq: u32, ack: Option<u32>, payload: &[u8], fin: bool) -> Segment<'_> {
        Segment {
            source: self.address(),
            destination: self.other().address(),
            seq: self.initial().plus(seq),
            ack: ack.map(|ack| self.other().initial().plus(ack)),
            flags: Flags { fin, ..Flags::default() },
            window: 65_535,
            window_scale: None,
            payload,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::default(),
            encapsulation: capture::Encapsulation::default(),
        }
    }

    /// The client's numbers soon wrap.
    fn initial(self) -> SeqNumber {
        SeqNumber::new(if self.from_client { u32::MAX - 200 } else { 1_000 })
    }
}

/// Checks what it is told.
#[derive(Default)]
struct Auditor {
    flows: usize,
    open: usize,
    opened: u64,
    payload: u64,
    missing: u64,
    delivered: PerDirection<u64>,
    ended: Option<FlowEnd>,
    closed: u64,
    /// So many octets of a connection are enough.
    ignores_from: u64,
    /// Each octet is its offset.
    is_dialogue: bool,
}

#[derive(Default)]
struct Heard {
    next: PerDirection<u64>,
    delivered: PerDirection<u64>,
    missing: PerDirection<u64>,
    half_closed: PerDirection<bool>,
    ignores: bool,
}

impl FlowObserver for Auditor {
    type State = Heard;

    fn open(&mut self, _: &FlowInfo) -> Heard {
        self.open += 1;
        self.opened += 1;
        Heard::default()
    }

    fn event(&mut self, _: &FlowInfo, heard: &mut Heard, event: StreamEvent<'_>) -> Interest {
        match event {
            StreamEvent::Data { direction, offset, bytes, .. } => {
                assert_eq!(offset, heard.next[direction], "a hole before data");
                let mut places = (offset..).zip(bytes);
                assert!(!self.is_dialogue || places.all(|(at, &octet)| at.to_le_bytes()[0] == octet), "other octets");
                assert!(!bytes.is_empty() && !heard.half_closed[direction]);
                heard.next[direction] += bytes.len() as u64;
                heard.delivered[direction] += bytes.len() as u64;
            }
            StreamEvent::Gap { direction, offset, len, .. } => {
                assert_eq!(offset, heard.next[direction], "a hole before a gap");
                assert!(len > 0 && !heard.half_closed[direction]);
                heard.next[direction] += len;
                heard.missing[direction] += len;
            }
            StreamEvent::Overlap { len, .. } => assert!(len > 0),
            StreamEvent::HalfClosed { direction, offset, .. } => {
                assert_eq!(offset, heard.next[direction]);
                assert!(!heard.half_closed[direction], "closed twice");
                heard.half_closed[direction] = true;
            }
        }
        let delivered = heard.delivered.from_originator + heard.delivered.from_responder;
        assert!(!heard.ignores, "told although it does not want to hear");
        heard.ignores = delivered > self.ignores_from;
        if heard.ignores { Interest::Ignore } else { Interest::Follow }
    }

    fn close(&mut self, flow: Flow<Heard>, end: FlowEnd) -> Option<u64> {
        self.open -= 1;
        self.ended = Some(end);
        for direction in Direction::BOTH {
            let (octets, heard) = (flow.octets(direction), flow.state());
            let accounted = octets.delivered + octets.retransmitted + octets.conflicting + octets.discarded;
            assert_eq!(octets.payload, accounted, "{octets:?}");
            assert_eq!(octets.delivered, heard.delivered[direction]);
            assert_eq!(octets.missing, heard.missing[direction]);
            assert_eq!(heard.next[direction], octets.delivered + octets.missing);
            self.payload += octets.payload;
            self.missing += octets.missing;
            self.delivered[direction] += octets.delivered;
        }
        self.closed += 1;
        Some(self.closed - 1)
    }

    fn late(&mut self, number: u64, segment: LateSegment) {
        assert!(number < self.closed, "a connection that has not ended is late");
        let octets = segment.octets;
        assert_eq!(octets.payload, octets.retransmitted + octets.discarded);
        self.payload += octets.payload;
    }
}
