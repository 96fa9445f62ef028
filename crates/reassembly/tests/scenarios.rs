//! What RFC 9293 lets happen on a connection, and what captures do to it: one named case each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::time::Duration;

use capture::{Flags, Segment, SeqNumber, Timestamp};
use reassembly::{
    Comparison, Direction, Flow, FlowEnd, FlowInfo, FlowLimits, FlowObserver, FlowStart, FlowTable, Interest, PerDirection,
    StreamEvent, StreamOctets,
};

/// A segment to be: `c(seq)` from the client, `s(seq)` from the server.
#[derive(Clone, Debug)]
struct Seg {
    from_client: bool,
    seq: u32,
    ack: Option<u32>,
    flags: Flags,
    payload: Vec<u8>,
    missing: u32,
    millis: i64,
}

fn c(seq: u32) -> Seg {
    Seg { from_client: true, seq, ack: None, flags: Flags::default(), payload: Vec::new(), missing: 0, millis: 0 }
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
            StreamEvent::Gap { direction, len, cause, .. } => {
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

    fn close(&mut self, flow: Flow<Seen>, end: FlowEnd) {
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
    }
}

fn watch_with(limits: FlowLimits, segments: &[Seg]) -> Vec<Seen> {
    let mut table = FlowTable::new(limits);
    let mut recorder = Recorder::default();
    run(&mut table, &mut recorder, segments);
    recorder.flows
}

fn run(table: &mut FlowTable<Seen>, recorder: &mut Recorder, segments: &[Seg]) {
    run_open(table, recorder, segments);
    finish(table, recorder);
}

fn run_open(table: &mut FlowTable<Seen>, recorder: &mut Recorder, segments: &[Seg]) {
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
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: seg.missing,
            timestamp: Timestamp::from_nanos(seg.millis * 1_000_000),
            encapsulation: capture::Encapsulation::default(),
        };
        table.push(&segment, recorder);
    }
}

fn finish(table: &mut FlowTable<Seen>, recorder: &mut Recorder) {
    table.finish(recorder);
    for flow in &recorder.flows {
        for octets in flow.octets {
            assert_eq!(
                octets.payload,
                octets.delivered + octets.retransmitted + octets.conflicting + octets.discarded,
                "every captured payload octet is accounted for: {flow:?}"
            );
        }
    }
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

#[test]
fn a_whole_connection() {
    let seen = one(&after_handshake([
        s(500).ack(100).data("220 "),
        c(100).ack(504).data("QUIT"),
        s(504).ack(104).data("221 ").fin(),
        c(104).ack(509).fin(),
        s(509).ack(105),
    ]));
    assert_eq!(seen.story, " <220  >QUIT <221  <. >.");
    assert_eq!((seen.start, seen.end), (Some(FlowStart::Handshake), Some(FlowEnd::Closed)));
    assert_eq!(seen.originator_port, 40000);
}

#[test]
fn sequence_numbers_wrap() {
    let isn = u32::MAX - 2;
    let mut segments = handshake(isn, 499);
    segments.extend([c(u32::MAX - 1).ack(500).data("ab"), c(0).ack(500).data("cd"), c(2).ack(500).data("ef")]);
    assert_eq!(one(&segments).story, " >abcdef");
}

#[test]
fn octets_out_of_order_are_put_in_order() {
    let seen = one(&after_handshake([c(104).data("efgh"), c(102).data("cd"), c(100).data("ab")]));
    assert_eq!(seen.story, " >abcdefgh");
}

#[test]
fn a_retransmission_is_delivered_once() {
    let seen = one(&after_handshake([c(100).data("abcd"), c(100).data("abcd"), c(102).data("cdef")]));
    assert_eq!(seen.story, " >abcdef");
    assert_eq!(seen.octets[0].retransmitted, 6);
}

#[test]
fn of_conflicting_copies_the_first_captured_counts() {
    let seen = one(&after_handshake([c(102).data("cdef"), c(100).data("abXYZf"), c(106).data("gh")]));
    assert_eq!(seen.story, " >abcdefgh");
    assert_eq!(seen.conflicts, [(2, 4, 4, 6)], "four octets at 2 of a segment of four and one of six");
    assert_eq!(seen.octets[0].conflicting, 4);
}

#[test]
fn a_syn_can_carry_octets() {
    // RFC 9293 §3.4: the SYN is considered to occur before the first actual data octet of the segment.
    let seen = one(&[c(99).syn().data("EHLO"), s(499).syn().ack(104), c(104).ack(500).data(" x")]);
    assert_eq!(seen.story, " >EHLO x");
}

#[test]
fn octets_behind_the_fin_are_no_part_of_the_stream() {
    let seen = one(&after_handshake([c(100).data("ab").fin(), c(102).data("zz")]));
    assert_eq!(seen.story, " >ab >.");
    assert_eq!(seen.octets[0].discarded, 2);
}

#[test]
fn a_fin_in_front_of_captured_octets_ends_nothing() {
    let seen = one(&after_handshake([s(621).data("behind"), s(500).fin(), s(500).ack(100).data("first")]));
    assert_eq!(seen.story, " <first <[FlowEnd_116] <behind");
}

#[test]
fn an_earlier_octet_moves_the_fin_of_a_stream_picked_up_in_the_middle() {
    let seen = one(&[c(99).syn(), s(755).ack(100).fin(), s(521).ack(100).data("octets before the FIN")]);
    assert_eq!(seen.octets[1].discarded, 0);
    assert!(seen.story.contains("<octets before the FIN <[FlowEnd_213] <."), "{}", seen.story);
}

#[test]
fn a_fin_that_is_early_waits_for_the_octets_before_it() {
    let seen = one(&after_handshake([c(102).data("cd").fin(), c(100).data("ab")]));
    assert_eq!(seen.story, " >abcd >.");
}

#[test]
fn a_reply_captured_before_its_command_comes_after_it() {
    let seen = one(&after_handshake([s(500).ack(104).data("250 "), c(100).ack(500).data("NOOP")]));
    assert_eq!(seen.story, " >NOOP <250 ");
}

#[test]
fn a_reply_to_a_lost_command_comes_behind_the_gap() {
    let seen = one(&after_handshake([
        s(500).ack(104).data("250 "),
        c(104).ack(504).data("QUIT").at(400),
        c(104).ack(504).data("QUIT").at(1400),
    ]));
    assert_eq!(seen.story, " >[Acknowledged_4] <250  >QUIT");
    assert_eq!(seen.octets[0].missing, 4);
}

#[test]
fn acknowledged_octets_may_be_late_but_not_for_ever() {
    let late = [c(104).data("QUIT").ack(500), s(500).ack(108), c(100).ack(500).data("NOOP").at(900)];
    assert_eq!(one(&after_handshake(late.clone())).story, " >NOOPQUIT");
    let mut too_late = late.to_vec();
    too_late.insert(2, s(500).ack(108).at(1000));
    let seen = one(&after_handshake(too_late));
    assert_eq!(seen.story, " >[Acknowledged_4] >QUIT");
    assert_eq!((seen.octets[0].missing, seen.octets[0].retransmitted), (4, 4));
}

#[test]
fn an_ack_of_octets_never_sent_costs_nothing() {
    let seen = one(&after_handshake([
        s(500).ack(100 + (1 << 29)),
        c(100).ack(500).data("NOOP").at(500),
        c(104).ack(500).data("QUIT").at(3000),
        s(500).ack(108).data("221 ").at(3001),
    ]));
    assert_eq!(seen.story, " >NOOPQUIT <221 ");
}

#[test]
fn one_corrupt_time_ends_no_other_connection() {
    let mut table = FlowTable::new(FlowLimits::default());
    let mut recorder = Recorder::default();
    let mut segments = after_handshake([c(100).ack(500).data("first")]);
    run_open(&mut table, &mut recorder, &segments);
    let elsewhere = Segment {
        source: "192.0.2.9:9".parse().unwrap(),
        destination: "198.51.100.2:25".parse().unwrap(),
        seq: SeqNumber::new(0),
        ack: None,
        flags: Flags { syn: true, ..Flags::default() },
        payload: &[],
        window: 65_535,
        window_scale: None,
        payload_at: None,
        missing: 0,
        timestamp: Timestamp::from_nanos(4_000_000_000_000_000_000),
        encapsulation: capture::Encapsulation::default(),
    };
    table.push(&elsewhere, &mut recorder);
    segments = vec![c(105).ack(500).data("second").at(10)];
    run(&mut table, &mut recorder, &segments);
    assert!(recorder.flows.iter().any(|flow| flow.story == " >firstsecond"), "{:?}", recorder.flows);
}

#[test]
fn a_hole_nobody_acknowledged_is_waited_for() {
    let seen = one(&after_handshake([c(104).data("QUIT"), s(500).ack(100).at(90_000), c(100).data("NOOP").at(90_500)]));
    assert_eq!(seen.story, " >NOOPQUIT");
}

#[test]
fn a_hole_at_the_end_is_a_gap() {
    let seen = one(&after_handshake([c(100).data("ab"), c(110).data("k")]));
    assert_eq!(seen.story, " >ab >[FlowEnd_8] >k");
    let seen = one(&after_handshake([c(100).data("ab"), s(500).ack(110)]));
    assert_eq!(seen.story, " >ab >[Acknowledged_8]");
    let seen = one(&after_handshake([c(100).data("ab"), c(110).fin()]));
    assert_eq!(seen.story, " >ab >[FlowEnd_8] >.");
}

#[test]
fn an_acknowledged_fin_is_no_missing_octet() {
    let seen = one(&after_handshake([c(100).data("ab"), s(500).ack(103), c(103).ack(500)]));
    assert_eq!(seen.story, " >ab");
    assert_eq!(seen.octets[0].missing, 0);
}

#[test]
fn the_reorder_limit_makes_a_gap() {
    let limits = FlowLimits { held_octets_per_direction: 1000, ..FlowLimits::default() };
    let long = "x".repeat(600);
    let flows = watch_with(limits, &after_handshake([c(101).data(&long), c(801).data(&long), c(100).data("a")]));
    assert_eq!(flows[0].octets[0].missing, 1 + 100, "the hole in front; the next one is left at the end");
    assert!(flows[0].story.starts_with(" >[ReorderLimit_1] >xxx"));
}

#[test]
fn the_limit_of_the_table_makes_a_gap() {
    let limits = FlowLimits { held_octets_per_table: 500, ..FlowLimits::default() };
    let mut table = FlowTable::new(limits);
    let mut recorder = Recorder::default();
    run(&mut table, &mut recorder, &after_handshake([c(101).data(&"x".repeat(600))]));
    assert!(recorder.flows[0].story.starts_with(" >[ReorderLimit_1] >xxx"));
    assert_eq!(table.limit_counts().held_per_table, 1);
}

#[test]
fn what_the_snap_length_cut_is_a_gap() {
    let seen = one(&after_handshake([c(100).data("ab").cut(8), c(110).data("kl"), c(122).data("wx"), c(112).cut(10)]));
    assert_eq!(seen.story, " >ab >[SnapLength_8] >kl >[SnapLength_10] >wx");
}

#[test]
fn a_reset_ends_it() {
    let seen = one(&after_handshake([c(100).data("ab"), s(500).ack(102).rst()]));
    assert_eq!(seen.end, Some(FlowEnd::Reset));
    let seen = one(&after_handshake([c(100).data("ab"), s(0x7000_0000).rst(), c(102).data("cd")]));
    assert_eq!((seen.end, seen.story.as_str()), (Some(FlowEnd::EndOfCapture), " >abcd"), "outside any window");
}

#[test]
fn the_same_4_tuple_again() {
    let closed = [c(100).ack(500).fin(), s(500).ack(101).fin(), c(101).ack(501)];
    let mut segments = after_handshake(closed);
    segments.extend(handshake(7000, 8000));
    segments.push(c(7001).ack(8001).data("again"));
    let flows = watch(&segments);
    assert_eq!(
        flows.iter().map(|flow| flow.end).collect::<Vec<_>>(),
        [Some(FlowEnd::Closed), Some(FlowEnd::EndOfCapture)]
    );
    assert_eq!(flows[1].story, " >again");
}

#[test]
fn the_same_4_tuple_again_without_an_end() {
    let mut segments = after_handshake([c(100).ack(500).data("first")]);
    segments.extend(handshake(7000, 8000));
    segments.push(c(7001).ack(8001).data("again"));
    let flows = watch(&segments);
    assert_eq!(
        flows.iter().map(|flow| flow.end).collect::<Vec<_>>(),
        [Some(FlowEnd::Replaced), Some(FlowEnd::EndOfCapture)]
    );
    assert_eq!((flows[0].story.as_str(), flows[1].story.as_str()), (" >first", " >again"));
}

#[test]
fn the_same_4_tuple_again_with_one_side_captured() {
    let segments = [c(99).syn(), c(100).ack(500).data("first"), c(7000).syn(), c(7001).ack(8001).data("again")];
    let flows = watch(&segments);
    assert_eq!(flows.iter().map(|flow| flow.story.as_str()).collect::<Vec<_>>(), [" >first", " >again"]);
}

#[test]
fn a_stray_syn_changes_nothing() {
    // A delayed duplicate SYN of some older connection is answered by a challenge ACK (RFC 9293 §3.10.7.4).
    let seen = one(&after_handshake([c(100).data("ab"), c(5).syn(), s(500).ack(102), c(102).ack(500).data("cd")]));
    assert_eq!(seen.story, " >abcd");
}

#[test]
fn late_segments_of_a_closed_connection_are_no_new_one() {
    let seen = one(&after_handshake([
        c(100).ack(500).data("ab").fin(),
        s(500).ack(103).fin(),
        c(103).ack(501),
        c(100).ack(500).data("ab").fin().at(20),
        c(99).syn().at(30),
    ]));
    assert_eq!(seen.story, " >ab >. <.");
    assert_eq!(seen.last_seen, 30);
}

#[test]
fn picked_up_in_the_middle() {
    let seen = one(&[s(700).ack(300).data("250 "), c(300).ack(704).data("QUIT"), s(704).ack(304).data("221 ")]);
    assert_eq!(seen.story, " >250  <QUIT >221 ", "the side seen first counts as the originator");
    assert_eq!(seen.start, Some(FlowStart::Midstream));
}

#[test]
fn a_syn_ack_shows_who_was_called() {
    let seen = one(&[s(499).syn().ack(100), c(99).syn(), c(100).ack(500).data("EHLO")]);
    assert_eq!((seen.story.as_str(), seen.originator_port), (" >EHLO", 40000));
    assert_eq!(seen.start, Some(FlowStart::Handshake));
}

#[test]
fn one_side_captured() {
    let seen = one(&[c(99).syn(), c(100).ack(500).data("EHLO"), c(104).ack(900).data("MAIL").at(5000), c(108).fin()]);
    assert_eq!((seen.story.as_str(), seen.end), (" >EHLOMAIL >.", Some(FlowEnd::Closed)));
    assert_eq!(seen.octets[1], StreamOctets::default());
}

#[test]
fn silence_ends_a_connection_by_its_own_packets() {
    let seen = watch(&after_handshake([c(100).data("ab"), c(102).data("cd").at(600_001)]));
    assert_eq!(
        seen.iter().map(|flow| flow.end).collect::<Vec<_>>(),
        [Some(FlowEnd::Idle), Some(FlowEnd::EndOfCapture)]
    );
    let seen = watch(&after_handshake([c(100).data("ab"), c(102).data("cd").at(600_000)]));
    assert_eq!(seen.len(), 1);
}

#[test]
fn the_limit_on_flows_evicts_the_one_silent_for_the_longest() {
    let limits = FlowLimits { flows: 2, ..FlowLimits::default() };
    let mut table = FlowTable::new(limits);
    let mut recorder = Recorder::default();
    let server: SocketAddr = "198.51.100.2:25".parse().unwrap();
    for (port, millis) in [(1, 0), (2, 1), (1, 2), (3, 3)] {
        let segment = Segment {
            source: format!("192.0.2.1:{port}").parse().unwrap(),
            destination: server,
            seq: SeqNumber::new(0),
            ack: None,
            flags: Flags { syn: true, ..Flags::default() },
            payload: &[],
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::from_nanos(millis * 1_000_000),
            encapsulation: capture::Encapsulation::default(),
        };
        table.push(&segment, &mut recorder);
    }
    assert_eq!(recorder.flows.len(), 1);
    assert_eq!((recorder.flows[0].originator_port, recorder.flows[0].end), (2, Some(FlowEnd::Evicted)));
    assert_eq!(table.limit_counts().flows_evicted, 1);
}

#[test]
fn an_ignored_connection_gives_no_further_event() {
    let mut recorder = Recorder { ignore: true, ..Recorder::default() };
    let mut table = FlowTable::new(FlowLimits::default());
    run(&mut table, &mut recorder, &after_handshake([c(100).data("ab"), c(102).data("cd"), c(104).rst()]));
    assert_eq!((recorder.flows[0].story.as_str(), recorder.flows[0].end), (" >ab", Some(FlowEnd::Reset)));
}

mod any_order {
    use super::*;
    use proptest::prelude::*;

    /// A dialogue of alternating turns, each octet a segment or more, as lists of segments with their times.
    fn dialogue(turns: &[(bool, usize)]) -> Vec<Seg> {
        let mut segments = handshake(99, 499);
        let (mut client, mut server, mut letter) = (100, 500, 0u8);
        for &(from_client, len) in turns {
            let text: String = (0..len)
                .map(|_| {
                    letter = (letter + 1) % 26;
                    char::from(b'a' + letter)
                })
                .collect();
            let len = u32::try_from(len).unwrap();
            if from_client {
                segments.push(c(client).ack(server).data(&text));
                client += len;
            } else {
                segments.push(s(server).ack(client).data(&text));
                server += len;
            }
        }
        segments.push(c(client).ack(server).fin());
        segments.push(s(server).ack(client + 1).fin());
        segments
    }

    proptest! {
        /// Within the reorder time any order of arrival, with any duplicates, tells the same story.
        #[test]
        fn tells_one_story(
            turns in prop::collection::vec((any::<bool>(), 1usize..9), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let plain = dialogue(&turns);
            let expected = one(&plain);
            let (opening, rest) = plain.split_at(3);
            let mut rest: Vec<Seg> = rest.to_vec();
            for pair in order.chunks(2) {
                if let [a, b] = pair { let (a, b) = (a.index(rest.len()), b.index(rest.len())); rest.swap(a, b); }
                if let [a] = pair { let copy = rest[a.index(rest.len())].clone(); rest.push(copy); }
            }
            let shuffled: Vec<Seg> = opening.iter().cloned().chain(rest).enumerate()
                .map(|(index, seg)| seg.at(i64::try_from(index).unwrap())).collect();
            let seen = one(&shuffled);
            let letters = |story: &str, arrow: char| -> String {
                story.split(' ').filter(|turn| turn.starts_with(arrow) && !turn.ends_with('.')).map(|turn| &turn[1..]).collect()
            };
            prop_assert_eq!(letters(&seen.story, '>'), letters(&expected.story, '>'));
            prop_assert_eq!(letters(&seen.story, '<'), letters(&expected.story, '<'));
            prop_assert_eq!(seen.octets[0].missing + seen.octets[1].missing, 0);
            prop_assert_eq!(seen.end, Some(FlowEnd::Closed));
            for (direction, cause, delivered) in seen.causes {
                // An acknowledgment can count the FIN, which is no octet.
                prop_assert!(cause.min(seen.next[direction]) <= delivered);
            }
        }

        /// Whatever arrives, every payload octet is accounted for and no direction is delivered twice.
        #[test]
        fn loses_no_octet(segments in prop::collection::vec(
            (any::<bool>(), 0u32..60, prop::option::of(0u32..70), "[a-z]{0,9}", 0u8..20, 0u32..4, 0i64..3000), 0..60)) {
            let segments: Vec<Seg> = segments.into_iter().map(|(client, seq, ack, text, flags, missing, millis)| Seg {
                flags: Flags { syn: flags == 1, fin: flags == 2, rst: flags == 3 },
                from_client: client, seq, ack, payload: text.into_bytes(), missing, millis,
            }).collect();
            let limits = FlowLimits { held_octets_per_direction: 600, reorder_time: Duration::from_millis(200), ..FlowLimits::default() };
            for flow in watch_with(limits, &segments) {
                let delivered: u64 = flow.octets.iter().map(|octets| octets.delivered).sum();
                let letters = flow.story.split(' ').filter(|turn| !turn.contains('[')).flat_map(str::chars).filter(char::is_ascii_lowercase).count();
                prop_assert_eq!(delivered, letters as u64);
            }
        }
    }
}
