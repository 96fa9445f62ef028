//! What RFC 9293 lets happen on a connection, and what captures do to it: one named case each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connections;
mod properties;
mod rfc9293;
mod windows;

use std::net::SocketAddr;

use capture::{Flags, Segment, SeqNumber, Timestamp};
use reassembly::{
    Comparison, Direction, Flow, FlowEnd, FlowInfo, FlowLimits, FlowObserver, FlowStart, FlowTable, Interest,
    LateSegment, PerDirection, StreamEvent, StreamOctets,
};

/// A segment to be: `c(seq)` from the client, `s(seq)` from the server.
#[derive(Clone, Debug)]
struct Seg {
    from_client: bool,
    seq: u32,
    ack: Option<u32>,
    flags: Flags,
    window: u16,
    scale: Option<u8>,
    payload: Vec<u8>,
    missing: u32,
    millis: i64,
}

fn c(seq: u32) -> Seg {
    Seg {
        from_client: true,
        seq,
        ack: None,
        flags: Flags::default(),
        window: 65_535,
        scale: None,
        payload: Vec::new(),
        missing: 0,
        millis: 0,
    }
}

fn s(seq: u32) -> Seg {
    Seg { from_client: false, ..c(seq) }
}

impl Seg {
    fn ack(mut self, ack: u32) -> Self {
        self.ack = Some(ack);
        self
    }
    fn data(mut self, payload: &str) -> Self {
        self.payload = payload.as_bytes().to_vec();
        self
    }
    fn syn(mut self) -> Self {
        self.flags.syn = true;
        self
    }
    fn fin(mut self) -> Self {
        self.flags.fin = true;
        self
    }
    fn rst(mut self) -> Self {
        self.flags.rst = true;
        self
    }
    fn cut(mut self, missing: u32) -> Self {
        self.missing = missing;
        self
    }
    fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }
    fn scale(mut self, shift: u8) -> Self {
        self.scale = Some(shift);
        self
    }
    fn at(mut self, millis: i64) -> Self {
        self.millis = millis;
        self
    }
}

/// What became of one connection, for comparison.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    start: Option<FlowStart>,
    end: Option<FlowEnd>,
    /// In order of delivery: `>` from the originator, `<` from the responder, gaps as `[cause len]`.
    story: String,
    /// Offset, length, octets of the segment captured first and of the later one.
    conflicts: Vec<(u64, u64, u64, u64)>,
    /// For each delivery: the other direction, what of it was acknowledged, what of it had been delivered.
    causes: Vec<(Direction, u64, u64)>,
    next: PerDirection<u64>,
    octets: [StreamOctets; 2],
    originator_port: u16,
    last_seen: i64,
}

#[derive(Default)]
struct Recorder {
    flows: Vec<Seen>,
    ignore: bool,
}

impl FlowObserver for Recorder {
    type State = Seen;

    fn open(&mut self, _: &FlowInfo) -> Seen {
        Seen::default()
    }

    fn event(&mut self, _: &FlowInfo, seen: &mut Seen, event: StreamEvent<'_>) -> Interest {
        let arrow = |direction| if direction == Direction::FromOriginator { '>' } else { '<' };
        match event {
            StreamEvent::Data { direction, offset, bytes, acknowledged, .. } => {
                let turn = seen.story.rsplit(' ').next().unwrap_or("");
                if !turn.starts_with(arrow(direction)) || turn.ends_with(']') {
                    seen.story += &format!(" {}", arrow(direction));
                }
                seen.story += std::str::from_utf8(bytes).unwrap();
                if let Some(cause) = acknowledged {
                    seen.causes.push((!direction, cause, seen.next[!direction]));
                }
                seen.next[direction] = offset + bytes.len() as u64;
            }
            StreamEvent::Gap { direction, offset, len, cause, .. } => {
                seen.next[direction] = offset + len;
                seen.story += &format!(" {}[{cause:?}_{len}]", arrow(direction));
            }
            StreamEvent::Overlap { offset, len, comparison: Comparison::Different { first, later }, .. } => {
                seen.conflicts.push((offset, len, first, later));
            }
            StreamEvent::Overlap { .. } => {}
            StreamEvent::HalfClosed { direction, .. } => seen.story += &format!(" {}.", arrow(direction)),
        }
        if self.ignore { Interest::Ignore } else { Interest::Follow }
    }

    fn close(&mut self, flow: Flow<Seen>, end: FlowEnd) -> Option<u64> {
        let octets = Direction::BOTH.map(|direction| flow.octets(direction));
        let info = *flow.info();
        self.flows.push(Seen {
            start: Some(info.start),
            end: Some(end),
            octets,
            originator_port: info.originator.port(),
            last_seen: info.last_seen.as_nanos() / 1_000_000,
            ..flow.into_state()
        });
        Some(self.flows.len() as u64 - 1)
    }

    fn late(&mut self, number: u64, segment: LateSegment) {
        let flow = self.flows.get_mut(usize::try_from(number).unwrap()).unwrap();
        flow.last_seen = segment.last_seen.as_nanos() / 1_000_000;
        let octets = flow.octets.get_mut(segment.direction as usize).unwrap();
        octets.payload += segment.octets.payload;
        octets.retransmitted += segment.octets.retransmitted;
        octets.discarded += segment.octets.discarded;
    }
}

fn watch_with(limits: FlowLimits, segments: &[Seg]) -> Vec<Seen> {
    let mut table = FlowTable::new(limits);
    let mut recorder = Recorder::default();
    run(&mut table, &mut recorder, segments);
    assert_all_counted(&table, &recorder, segments);
    recorder.flows
}

fn run(table: &mut FlowTable<Seen>, recorder: &mut Recorder, segments: &[Seg]) {
    run_open(table, recorder, segments);
    finish(table, recorder);
}

fn run_open(table: &mut FlowTable<Seen>, recorder: &mut Recorder, segments: &[Seg]) {
    push_all(table, recorder, segments);
}

fn push_all<O: FlowObserver>(table: &mut FlowTable<O::State>, observer: &mut O, segments: &[Seg]) {
    let client: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    let server: SocketAddr = "198.51.100.2:25".parse().unwrap();
    for seg in segments {
        let (source, destination) = if seg.from_client { (client, server) } else { (server, client) };
        let segment = Segment {
            source,
            destination,
            seq: SeqNumber::new(seg.seq),
            ack: seg.ack.map(SeqNumber::new),
            flags: seg.flags,
            payload: &seg.payload,
            window: seg.window,
            window_scale: seg.scale,
            payload_at: None,
            missing: seg.missing,
            timestamp: Timestamp::from_nanos(seg.millis * 1_000_000),
            encapsulation: capture::Encapsulation::default(),
        };
        table.push(&segment, observer);
    }
}

/// Ends the recording and holds the law of conservation for every connection.
fn finish(table: &mut FlowTable<Seen>, recorder: &mut Recorder) {
    table.finish(recorder);
    for flow in &recorder.flows {
        for (direction, octets) in Direction::BOTH.into_iter().zip(flow.octets) {
            assert_eq!(
                octets.payload,
                octets.delivered + octets.retransmitted + octets.conflicting + octets.discarded,
                "every captured payload octet is accounted for: {flow:?}"
            );
            assert_eq!(flow.next[direction], octets.delivered + octets.missing, "so is the stream: {flow:?}");
        }
    }
}

/// Payload octets that were captured are those of the connections and those of none.
fn assert_all_counted(table: &FlowTable<Seen>, recorder: &Recorder, segments: &[Seg]) {
    let pushed: usize = segments.iter().map(|seg| seg.payload.len()).sum();
    let counted: u64 = recorder.flows.iter().flat_map(|flow| flow.octets).map(|octets| octets.payload).sum();
    assert_eq!(pushed as u64, counted + table.unclaimed_octets(), "{segments:?}");
}

fn watch(segments: &[Seg]) -> Vec<Seen> {
    watch_with(FlowLimits::default(), segments)
}

/// The only connection there is.
fn one(segments: &[Seg]) -> Seen {
    let flows = watch(segments);
    assert_eq!(flows.len(), 1, "{flows:?}");
    flows.into_iter().next().unwrap()
}

fn handshake(client_isn: u32, server_isn: u32) -> Vec<Seg> {
    vec![
        c(client_isn).syn(),
        s(server_isn).syn().ack(client_isn.wrapping_add(1)),
        c(client_isn.wrapping_add(1)).ack(server_isn.wrapping_add(1)),
    ]
}

fn after_handshake(more: impl IntoIterator<Item = Seg>) -> Vec<Seg> {
    handshake(99, 499).into_iter().chain(more).collect()
}
