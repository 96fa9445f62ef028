//! The cases of RFC 9293 that a passive observer has to get right, with the clause each comes from.

use super::*;

fn stories(flows: &[Seen]) -> Vec<&str> {
    flows.iter().map(|flow| flow.story.as_str()).collect()
}

fn ends(flows: &[Seen]) -> Vec<FlowEnd> {
    flows.iter().filter_map(|flow| flow.end).collect()
}

/// §3.10.7.4: "trimming off any portions that lie outside the window".
#[test]
fn a_retransmission_cut_otherwise_brings_what_is_new_of_it() {
    let seen = one(&after_handshake([c(100).data("abcd"), c(104).data("efgh"), c(102).data("cdefghij")]));
    assert_eq!(seen.story, " >abcdefghij");
    assert_eq!((seen.octets[0].retransmitted, seen.octets[0].delivered), (6, 10));
}

/// The contract: "Of conflicting copies of an octet the one captured first counts."
#[test]
fn a_conflict_in_part_of_a_segment_names_both_lengths() {
    let seen = one(&after_handshake([c(104).data("efgh"), c(102).data("CDEF"), c(100).data("ab")]));
    assert_eq!(seen.story, " >abCDefgh");
    assert_eq!(seen.conflicts, [(4, 2, 4, 4)], "two octets at 4 of a segment of four and one of four");
    assert_eq!((seen.octets[0].conflicting, seen.octets[0].delivered), (2, 8));
}

/// Two held segments, and one that covers both and the holes around them.
#[test]
fn a_segment_over_several_held_ones_is_compared_with_each() {
    let seen =
        one(&after_handshake([c(102).data("cd"), c(106).data("gh"), c(101).data("bcdefGHij"), c(100).data("a")]));
    assert_eq!(seen.story, " >abcdefghij");
    assert_eq!(seen.conflicts, [(6, 2, 2, 9)]);
    assert_eq!((seen.octets[0].conflicting, seen.octets[0].retransmitted), (2, 2));
}

mod copies_of_what_was_delivered {
    use super::*;

    fn conflicts_with(limits: FlowLimits, segments: &[Seg]) -> Vec<(u64, u64, u64, u64)> {
        watch_with(limits, segments).remove(0).conflicts
    }

    /// Octets in order are delivered at once; another version of them is what an injection looks like.
    #[test]
    fn another_version_is_a_conflict() {
        let seen = one(&after_handshake([
            c(100).ack(500).data("TO:<a@x>\r\n"),
            c(100).ack(500).data("TO:<b@x>\r\n"),
            c(104).ack(500).data("c@x>"),
            c(110).ack(500).data("DATA"),
        ]));
        assert_eq!(seen.story, " >TO:<a@x>\r\nDATA");
        assert_eq!(seen.conflicts, [(0, 10, 10, 10), (4, 4, 10, 4)]);
        assert_eq!((seen.octets[0].conflicting, seen.octets[0].retransmitted, seen.octets[0].delivered), (14, 0, 14));
    }

    #[test]
    fn part_of_it_may_be_new() {
        let seen = one(&after_handshake([c(100).data("abcd"), c(102).data("cXef"), c(104).data("efgh")]));
        assert_eq!(seen.story, " >abcdefgh");
        assert_eq!(seen.conflicts, [(2, 2, 4, 4)]);
        assert_eq!((seen.octets[0].conflicting, seen.octets[0].retransmitted), (2, 2));
    }

    /// Also where they waited before, and in both directions.
    #[test]
    fn it_makes_no_difference_how_they_were_delivered() {
        let seen = one(&after_handshake([
            c(102).data("cd"),
            c(100).data("ab"),
            c(100).data("abCd"),
            s(500).ack(104).data("250-"),
            s(500).ack(104).data("550-"),
        ]));
        assert_eq!(seen.conflicts, [(0, 4, 2, 4), (0, 4, 4, 4)]);
        assert_eq!((seen.octets[0].conflicting, seen.octets[1].conflicting), (4, 4));
    }

    /// What cannot be compared is no conflict: it is further back than the limit, or before a gap.
    #[test]
    fn what_is_no_longer_there_counts_as_retransmitted() {
        let limits = FlowLimits { compared_octets_per_direction: 512, ..FlowLimits::default() };
        let segments = after_handshake([
            c(100).data(&"a".repeat(600)),
            c(100).data(&"b".repeat(80)),
            c(600).data(&"b".repeat(100)),
        ]);
        assert_eq!(conflicts_with(limits, &segments), [(500, 100, 600, 100)]);
        let none = FlowLimits { compared_octets_per_direction: 0, ..FlowLimits::default() };
        assert_eq!(conflicts_with(none, &segments), []);
        let gap = [c(100).data("ab").cut(2), c(104).data("ef"), c(106).at(1000)];
        let behind_a_gap = after_handshake(gap.into_iter().chain([c(100).data("XXXXXX").at(1001)]));
        assert_eq!(conflicts_with(FlowLimits::default(), &behind_a_gap), [(4, 2, 2, 6)]);
    }

    /// The limit of the table: the connection whose octets have not grown for the longest loses them.
    #[test]
    fn the_memory_for_it_has_a_limit() {
        let limits = FlowLimits { compared_octets_per_table: 1_600, ..FlowLimits::default() };
        let mut table = FlowTable::new(limits);
        let mut recorder = Recorder::default();
        let of = |port: u16, seq: u32, text: &'static str| Segment {
            source: SocketAddr::from(([192, 0, 2, 1], port)),
            destination: "198.51.100.2:25".parse().unwrap(),
            seq: SeqNumber::new(seq),
            ack: None,
            flags: Flags::default(),
            window: 65_535,
            window_scale: None,
            payload: text.as_bytes(),
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::default(),
            encapsulation: capture::Encapsulation::default(),
        };
        for port in [1, 2, 3] {
            table.push(&Segment { flags: c(0).syn().flags, ..of(port, 0, "octets") }, &mut recorder);
        }
        assert_eq!(table.limit_counts().compared_per_table, 1);
        for port in [1, 2, 3] {
            table.push(&of(port, 1, "OCTETS"), &mut recorder);
        }
        finish(&mut table, &mut recorder);
        let conflicting: Vec<u64> = recorder.flows.iter().map(|flow| flow.octets[0].conflicting).collect();
        assert_eq!(conflicting, [0, 6, 6]);
    }
}

/// RFC 7413 §3: a server that does not know the cookie acknowledges the SYN alone, and the client sends the octets again.
#[test]
fn the_octets_of_a_syn_may_come_again_behind_it() {
    let seen = one(&[
        c(99).syn().data("EHLO"),
        s(499).syn().ack(100),
        c(100).ack(500).data("EHLO"),
        s(500).ack(104).data("250 "),
    ]);
    assert_eq!(seen.story, " >EHLO <250 ");
    assert_eq!((seen.octets[0].delivered, seen.octets[0].retransmitted), (4, 4));
}

/// §3.4: "the FIN is considered to occur after the last actual data octet in a segment in which it occurs".
#[test]
fn a_fin_counts_behind_the_octets_of_its_segment() {
    let seen = one(&after_handshake([
        c(100).ack(500).data("QUIT").fin(),
        s(500).ack(105).data("221 ").fin(),
        c(105).ack(505),
    ]));
    assert_eq!(seen.story, " >QUIT >. <221  <.");
    assert_eq!((seen.end, seen.octets[0].missing), (Some(FlowEnd::Closed), 0));
}

/// §3.10.7.4, FIN-WAIT and after: segment text behind the FIN "should not occur".
#[test]
fn octets_behind_a_fin_are_discarded_also_where_they_overlap_it() {
    let seen = one(&after_handshake([c(100).data("ab").fin(), c(100).data("abXX"), c(103).data("YY")]));
    assert_eq!(seen.story, " >ab >.");
    let octets = seen.octets[0];
    assert_eq!((octets.payload, octets.delivered, octets.retransmitted, octets.discarded), (8, 2, 2, 4));
}

mod resets {
    use super::*;

    /// The client's SYN and the server's, with Window Scale options, and 30 octets of the server acknowledged.
    fn established(window: u16, scale: Option<u8>) -> Vec<Seg> {
        let with = |seg: Seg| scale.map_or(seg.clone(), |shift| seg.scale(shift));
        vec![
            with(c(99).syn()),
            with(s(499).syn().ack(100)),
            c(100).ack(500).window(window),
            s(500).ack(100).data(&"x".repeat(30)),
            c(100).ack(530).window(window),
        ]
    }

    fn end_after(mut segments: Vec<Seg>, more: Seg) -> FlowEnd {
        segments.push(more);
        one(&segments).end.unwrap()
    }

    /// §3.10.7.4: "If the RST bit is set and the sequence number is outside the current receive window, silently drop
    /// the segment".
    #[test]
    fn one_outside_the_window_ends_nothing() {
        for (seq, end) in [
            (529, FlowEnd::EndOfCapture),
            (530, FlowEnd::Reset),
            (531, FlowEnd::Reset),
            (530 + 1000, FlowEnd::Reset),
            (530 + 1001, FlowEnd::EndOfCapture),
            (530 + (1 << 29), FlowEnd::EndOfCapture),
            (0, FlowEnd::EndOfCapture),
        ] {
            assert_eq!(end_after(established(1000, None), s(seq).ack(100).rst()), end, "{seq}");
        }
    }

    /// RFC 7323 §2.3: windows are shifted by the count of the sender's SYN, if both SYNs have the option.
    #[test]
    fn the_window_is_scaled_if_both_sides_said_so() {
        assert_eq!(end_after(established(1000, Some(4)), s(530 + 16_000).rst()), FlowEnd::Reset);
        assert_eq!(end_after(established(1000, Some(4)), s(530 + 16_001).rst()), FlowEnd::EndOfCapture);
        let mut one_sided = established(1000, Some(4));
        one_sided[1].scale = None;
        assert_eq!(end_after(one_sided, s(530 + 16_000).rst()), FlowEnd::EndOfCapture);
    }

    /// §3.10.7.1: what comes for a connection that is not there is answered by a reset with the number that was
    /// acknowledged, which is also what a closed window lets in.
    #[test]
    fn one_with_the_number_that_was_acknowledged_ends_it() {
        assert_eq!(end_after(established(0, None), s(530).rst()), FlowEnd::Reset);
        let mut behind_fin = established(1000, None);
        behind_fin.extend([s(530).ack(100).fin(), c(100).ack(531).data("late")]);
        assert_eq!(end_after(behind_fin, s(531).rst()), FlowEnd::Reset);
    }

    /// The capture shows octets beyond the window, so that window is not all there was.
    #[test]
    fn one_behind_the_octets_that_were_captured_ends_it() {
        let mut segments = established(10, None);
        segments.push(s(530).ack(100).data(&"y".repeat(40)));
        assert_eq!(end_after(segments, s(570).ack(100).rst()), FlowEnd::Reset);
    }

    #[test]
    fn one_of_the_only_side_that_was_captured_ends_it() {
        let only = vec![s(499).syn().ack(100), s(500).ack(100).data("220 "), s(504).ack(120).data("250 ")];
        for seq in [500, 504, 508, 508 + 200_000] {
            assert_eq!(end_after(only.clone(), s(seq).rst()), FlowEnd::Reset, "{seq}");
        }
        assert_eq!(end_after(only.clone(), c(120).rst()), FlowEnd::Reset, "the other side's first");
        assert_eq!(end_after(only, s(508 + (1 << 30) + 1).rst()), FlowEnd::EndOfCapture, "beyond any window");
    }

    /// Picked up in the middle the scale is unknown, and the largest may have been meant.
    #[test]
    fn one_in_the_largest_window_ends_a_connection_picked_up_in_the_middle() {
        let middle = vec![s(700).ack(300).data("250 "), c(300).ack(704).window(100)];
        assert_eq!(end_after(middle.clone(), s(704 + 1_000_000).rst()), FlowEnd::Reset);
        assert_eq!(end_after(middle, s(704 + 2_000_000).rst()), FlowEnd::EndOfCapture);
    }

    /// §3.10.7.3, SYN-SENT: only a reset with an acceptable ACK is one.
    #[test]
    fn a_syn_is_refused_by_a_reset_that_acknowledges_it() {
        assert_eq!(end_after(vec![c(99).syn()], s(0).ack(100).rst()), FlowEnd::Reset);
        assert_eq!(end_after(vec![c(99).syn().data("EHLO")], s(0).ack(104).rst()), FlowEnd::Reset);
        assert_eq!(end_after(vec![c(99).syn()], s(0).ack(101).rst()), FlowEnd::EndOfCapture);
        assert_eq!(end_after(vec![c(99).syn()], s(0).rst()), FlowEnd::EndOfCapture);
    }

    /// §3.5.3: "TCP implementations SHOULD allow a received RST segment to include data", a diagnosis.
    #[test]
    fn their_text_is_discarded_whether_they_count_or_not() {
        let mut segments = established(1000, None);
        segments.extend([s(400).data("forged").rst(), s(530).data("no such port").rst()]);
        let seen = one(&segments);
        assert_eq!((seen.octets[1].payload, seen.octets[1].discarded), (30 + 18, 18));
    }

    #[test]
    fn the_text_of_one_of_no_connection_is_counted_by_the_table() {
        let mut table = FlowTable::new(FlowLimits::default());
        run(&mut table, &mut Recorder::default(), &[s(1).data("who?").rst()]);
        assert_eq!((table.connections(), table.unclaimed_octets()), (0, 4));
    }
}

mod probes {
    use super::*;

    /// §3.8.4: "SEG.SEQ = SND.NXT-1 and may or may not contain one garbage octet of data".
    #[test]
    fn keep_alives_are_no_copies() {
        let seen = one(&after_handshake([
            c(100).ack(500).data("NOOP"),
            s(500).ack(104),
            c(103).ack(500).at(60_000),
            s(500).ack(104).at(60_001),
            c(103).ack(500).data("\0").at(120_000),
            s(500).ack(104).at(120_001),
            c(104).ack(500).data("QUIT").at(120_002),
        ]));
        assert_eq!(seen.story, " >NOOPQUIT");
        assert!(seen.conflicts.is_empty());
        let octets = seen.octets[0];
        assert_eq!((octets.discarded, octets.retransmitted, octets.conflicting, octets.missing), (1, 0, 0, 0));
    }

    /// One octet that was not acknowledged yet is a retransmission like any other.
    #[test]
    fn an_octet_that_was_not_acknowledged_is_sent_again() {
        let seen = one(&after_handshake([c(100).ack(500).data("x"), c(100).ack(500).data("x"), s(500).ack(101)]));
        assert_eq!((seen.octets[0].retransmitted, seen.octets[0].discarded), (1, 0));
    }

    /// §3.8.6.1: "the sending TCP peer must regularly transmit at least one octet of new data … when the window is zero";
    /// it is sent again with what follows once the window opens.
    #[test]
    fn an_octet_that_probes_a_closed_window_is_sent_again_later() {
        let seen = one(&after_handshake([
            s(500).ack(100).window(4),
            c(100).ack(500).data("abcd"),
            s(500).ack(104).window(0),
            c(104).ack(500).data("e").at(5_000),
            s(500).ack(104).window(0).at(5_001),
            c(104).ack(500).data("e").at(10_000),
            s(500).ack(104).window(1000).at(10_001),
            c(104).ack(500).data("efgh").at(10_002),
            s(500).ack(108).at(10_003),
        ]));
        assert_eq!(seen.story, " >abcdefgh");
        assert!(seen.conflicts.is_empty());
        assert_eq!((seen.octets[0].missing, seen.octets[0].retransmitted), (0, 2));
    }
}

/// §3.5, figure 7: both sides send a SYN, and each answers the other's.
#[test]
fn a_simultaneous_open_is_one_connection() {
    let seen = one(&[
        c(99).syn(),
        s(299).syn(),
        s(299).syn().ack(100),
        c(99).syn().ack(300),
        c(100).ack(300).data("EHLO"),
        s(300).ack(104).data("250 "),
    ]);
    assert_eq!((seen.story.as_str(), seen.start), (" >EHLO <250 ", Some(FlowStart::Handshake)));
    assert_eq!((seen.octets[0].missing, seen.octets[1].missing), (0, 0));
}

/// §3.6: "The side of the connection that has called CLOSE may continue to RECEIVE until it is told that the other side has
/// CLOSED also."
#[test]
fn the_other_side_goes_on_behind_a_half_close() {
    let half = [
        c(100).ack(500).data("DATA").fin(),
        s(500).ack(105),
        s(500).ack(105).data("250-").at(90_000),
        c(105).ack(504).at(90_001),
        s(504).ack(105).data("250+").at(90_002),
    ];
    let seen = one(&after_handshake(half.clone()));
    assert_eq!((seen.story.as_str(), seen.end), (" >DATA >. <250-250+", Some(FlowEnd::EndOfCapture)));
    let closed = half.into_iter().chain([s(508).ack(105).fin().at(90_003), c(105).ack(509).at(90_004)]);
    assert_eq!(one(&after_handshake(closed)).end, Some(FlowEnd::Closed));
}

mod handshakes {
    use super::*;

    /// §3.8.1: what is not acknowledged is sent again, a SYN as well.
    #[test]
    fn a_syn_is_sent_again_until_it_is_answered() {
        let seen = one(&[
            c(99).syn(),
            c(99).syn().at(1_000),
            c(99).syn().at(3_000),
            s(499).syn().ack(100).at(3_001),
            s(499).syn().ack(100).at(4_001),
            c(100).ack(500).at(4_002),
            s(500).ack(100).data("220 ").at(4_003),
        ]);
        assert_eq!((seen.story.as_str(), seen.octets[0].missing), (" <220 ", 0));
        assert_eq!(seen.start, Some(FlowStart::Handshake));
    }

    /// The client's ACK shows which of two SYN/ACKs it has taken.
    #[test]
    fn of_two_syn_acks_the_one_that_is_acknowledged_counts() {
        let begin = [c(99).syn(), s(499).syn().ack(100), s(899).syn().ack(100).at(1)];
        for (isn, greeting_first) in [(499, false), (899, false), (499, true), (899, true)] {
            let greeting = s(isn + 1).ack(100).data("220 ").at(3);
            let ack = c(100).ack(isn + 1).at(if greeting_first { 4 } else { 2 });
            let mut segments = begin.to_vec();
            segments.extend(if greeting_first { [greeting, ack] } else { [ack, greeting] });
            segments.push(c(100).ack(isn + 5).data("QUIT").at(5));
            let seen = one(&segments);
            assert_eq!(seen.story, " <220  >QUIT", "{isn} {greeting_first}");
            assert_eq!((seen.octets[1].missing, seen.octets[1].discarded), (0, 0));
        }
    }

    /// §3.4.3: a host that has forgotten a connection begins a new one from the same port; RFC 7413 lets the SYN carry octets.
    #[test]
    fn a_syn_with_octets_takes_the_place_of_an_open_connection() {
        let mut segments = after_handshake([c(100).ack(500).data("first")]);
        segments.extend([c(7000).syn().data("EHLO"), s(8000).syn().ack(7005), c(7005).ack(8001).data(" a")]);
        let flows = watch(&segments);
        assert_eq!(ends(&flows), [FlowEnd::Replaced, FlowEnd::EndOfCapture]);
        assert_eq!((flows[1].octets[0].missing, flows[1].octets[0].delivered), (4, 2));
        assert_eq!(flows[0].octets[0].discarded, 4, "nobody knew then whose octets they were");
    }

    /// §3.4.2: "A TCP connection in TIME-WAIT may be reopened by a new SYN".
    #[test]
    fn a_syn_reopens_what_was_closed_or_reset() {
        let closed = [c(100).ack(500).fin(), s(500).ack(101).fin(), c(101).ack(501)];
        let reset = [c(100).ack(500).data("x"), s(500).ack(101).rst()];
        for end in [closed.as_slice(), reset.as_slice()] {
            let mut segments = after_handshake(end.to_vec());
            segments.extend([c(200_000).syn().at(10), s(90_000).syn().ack(200_001).at(11)]);
            segments.extend([c(200_001).ack(90_001).data("new").at(12)]);
            let flows = watch(&segments);
            assert_eq!((flows.len(), flows[1].story.as_str()), (2, " >new"));
        }
    }
}

mod captures {
    use super::*;

    fn whole() -> Vec<Seg> {
        after_handshake([
            s(500).ack(100).data("220-"),
            c(100).ack(504).data("NOOP"),
            s(504).ack(104).data("250-"),
            c(104).ack(508).data("QUIT"),
            s(508).ack(108).data("221-").fin(),
            c(108).ack(513).fin(),
            s(513).ack(109),
        ])
    }

    const STORY: &str = " <220- >NOOP <250- >QUIT <221- <. >.";

    /// A mirror of both directions of two ports shows every packet twice.
    #[test]
    fn every_packet_twice_is_the_same_connection() {
        let once = whole();
        let next_to_each_other: Vec<Seg> = once.iter().flat_map(|seg| [seg.clone(), seg.clone()]).collect();
        let mut apart = next_to_each_other.clone();
        let behind = apart.len() - 1;
        (1..behind).step_by(2).for_each(|at| apart.swap(at, at + 1));
        for twice in [next_to_each_other, apart] {
            let flows = watch(&twice);
            assert_eq!(stories(&flows), [STORY]);
            assert_eq!(ends(&flows), [FlowEnd::Closed]);
            for octets in flows[0].octets {
                assert_eq!(
                    (octets.delivered, octets.retransmitted, octets.missing),
                    (octets.payload / 2, octets.payload / 2, 0)
                );
            }
        }
    }

    /// Capture cards and multi-queue drivers hand over packets of one connection in another order, milliseconds apart.
    #[test]
    fn packets_reordered_by_milliseconds_are_put_in_order() {
        let once = whole();
        for distance in 1..5 {
            let mut late = once.clone();
            for from in (3..late.len() - distance).step_by(distance + 1) {
                late[from..=from + distance].reverse();
            }
            late.iter_mut().zip(0..).for_each(|(seg, millis)| seg.millis = millis * 7);
            let seen = one(&late);
            assert_eq!((seen.octets[0].missing, seen.octets[1].missing), (0, 0), "{}", seen.story);
            let of = |arrow: char| seen.story.split(' ').filter(|turn| turn.starts_with(arrow)).collect::<String>();
            assert_eq!((of('>'), of('<')), (">NOOP>QUIT>.".into(), "<220-<250-<221-<.".into()), "{distance}");
        }
    }

    #[test]
    fn only_the_server_captured() {
        let only: Vec<Seg> = whole().into_iter().filter(|seg| !seg.from_client).collect();
        let seen = one(&only);
        assert_eq!((seen.story.as_str(), seen.end), (" <220-250-221- <.", Some(FlowEnd::Closed)));
        assert_eq!((seen.start, seen.octets[0]), (Some(FlowStart::Handshake), StreamOctets::default()));
    }

    #[test]
    fn picked_up_in_the_middle_on_the_client_s_turn() {
        let seen = one(&whole()[4..]);
        assert_eq!((seen.story.as_str(), seen.start), (" >NOOP <250- >QUIT <221- <. >.", Some(FlowStart::Midstream)));
        assert_eq!(seen.originator_port, 40_000);
    }

    /// The first packets captured of a connection are not its first, and come in the wrong order: the reply waits for the
    /// command, and an earlier one turns up meanwhile.
    #[test]
    fn picked_up_in_the_middle_and_out_of_order() {
        let seen = one(&[
            c(100).ack(510).data("NOOP"),
            s(510).ack(108).data("second").at(1),
            s(504).ack(104).data("first ").at(2),
            c(104).ack(516).data("QUIT").at(3),
        ]);
        let server: String = seen.story.split(" <").skip(1).map(|part| part.split(" >").next().unwrap()).collect();
        assert_eq!((server.as_str(), seen.octets[1].discarded), ("first second", 0), "{}", seen.story);
    }

    /// What comes before the first octet that was delivered has no place in the stream any more. It is delivered when the
    /// other side has acknowledged it, or after the reorder time.
    #[test]
    fn octets_before_the_first_delivered_one_are_discarded() {
        let acknowledged = [s(700).ack(304).data("221-").at(1), c(304).ack(704).at(2)];
        let waited = [c(304).ack(700).at(1000)];
        for (delivers, story) in [(acknowledged.as_slice(), " >QUIT <221- >!"), (&waited, " >QUIT!")] {
            let again = c(296).ack(700).data("NOOPQUIT!").at(1001);
            let seen = one(&[&[c(300).ack(700).data("QUIT")], delivers, &[again]].concat());
            assert_eq!(seen.story, story);
            let octets = seen.octets[0];
            assert_eq!((octets.delivered, octets.retransmitted, octets.discarded), (5, 4, 4));
        }
    }

    /// RFC 9293 §3.4: the octets of a stream are in the order of their numbers, whichever the capture shows first.
    #[test]
    fn picked_up_in_the_middle_of_pipelined_commands_in_another_order() {
        let commands = [c(300).ack(700).data("MAIL,"), c(305).ack(700).data("RCPT,"), c(310).ack(700).data("DATA.")];
        let reply = s(700).ack(315).data("250-").at(3);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let commands = order.iter().zip(0..).map(|(&at, millis): (&usize, i64)| commands[at].clone().at(millis));
            let seen = one(&commands.clone().chain([reply.clone()]).collect::<Vec<_>>());
            assert_eq!(seen.story, " >MAIL,RCPT,DATA. <250-", "{order:?}");
            let seen = one(&[reply.clone()].into_iter().chain(commands).collect::<Vec<_>>());
            assert_eq!(seen.story, " <MAIL,RCPT,DATA. >250-", "{order:?}, reply first");
        }
    }

    /// Two taps, one for each direction, merged with different clocks. RFC 9293 §3.10.7.4: what acknowledges octets was
    /// sent behind them.
    #[test]
    fn one_side_as_a_whole_later_than_the_other() {
        for client_is_late in [false, true] {
            for late in [2, 50, 900] {
                let mut segments = whole();
                for (seg, millis) in segments.iter_mut().zip(0..) {
                    seg.millis = if seg.from_client == client_is_late { millis + late } else { millis };
                }
                segments.sort_by_key(|seg| seg.millis);
                let seen = one(&segments);
                // Of two FINs that cross neither is the first.
                let octets = seen.story.replace(" >.", "").replace(" <.", "");
                assert_eq!(octets, " <220- >NOOP <250- >QUIT <221-", "{client_is_late} {late}");
                assert_eq!((seen.originator_port, seen.octets[0].missing + seen.octets[1].missing), (40_000, 0));
                assert_eq!((seen.start, seen.end), (Some(FlowStart::Handshake), Some(FlowEnd::Closed)));
            }
        }
    }

    /// §3.5, figure 6: octets come behind the SYN, whichever is captured first.
    #[test]
    fn a_handshake_in_any_order_with_the_first_octets() {
        let greeting = s(500).ack(100).data("220-");
        let command = c(100).ack(504).data("NOOP");
        let reply = s(504).ack(104).data("250-");
        let segments = [handshake(99, 499), vec![greeting, command, reply]].concat();
        for order in permutations(segments.len()) {
            let shuffled: Vec<Seg> =
                order.iter().zip(0..).map(|(&at, millis)| segments[at].clone().at(millis)).collect();
            let seen = one(&shuffled);
            let expected = if seen.originator_port == 25 { " >220- <NOOP >250-" } else { " <220- >NOOP <250-" };
            assert_eq!((seen.story.as_str(), seen.start), (expected, Some(FlowStart::Handshake)), "{order:?}");
        }
    }

    fn permutations(len: usize) -> Vec<Vec<usize>> {
        (0..len).fold(vec![Vec::new()], |shorter, next| {
            let with_next = |order: Vec<usize>| {
                let insert = |at| {
                    let (front, back) = order.split_at(at);
                    [front, &[next], back].concat()
                };
                (0..=order.len()).map(insert).collect::<Vec<_>>()
            };
            shorter.into_iter().flat_map(with_next).collect()
        })
    }

    /// A side that was never captured is waited for once, and not for longer than the reorder time.
    #[test]
    fn the_only_side_captured_waits_for_the_other_once() {
        let until = |segments: &[Seg]| {
            let (mut table, mut recorder) = (FlowTable::new(FlowLimits::default()), Stories::default());
            push_all(&mut table, &mut recorder, segments);
            recorder.0
        };
        let only = [
            c(99).syn(),
            c(100).ack(500).at(20),
            c(100).ack(524).data("EHLO").at(50),
            c(104).ack(600).data("MAIL").at(1049),
            c(108).ack(610).data("RCPT").at(1050),
            c(112).ack(620).data("DATA").at(1051),
        ];
        assert_eq!(until(&only[..4]), "");
        assert_eq!(until(&only[..5]), "EHLOMAILRCPT");
        assert_eq!(until(&only), "EHLOMAILRCPTDATA");
        assert_eq!(one(&only).octets[1], StreamOctets::default());
    }

    /// The limits hold for what waits for a side that was not captured; it is not waited for behind them.
    #[test]
    fn the_limit_ends_the_wait_for_the_other_side() {
        let limits = FlowLimits { held_octets_per_direction: 1_000, ..FlowLimits::default() };
        let (mut table, mut recorder) = (FlowTable::new(limits), Stories::default());
        let text = "x".repeat(600);
        let only = [c(99).syn(), c(100).ack(524).data(&text), c(700).ack(524).data(&text), c(1300).ack(600).data("x")];
        push_all(&mut table, &mut recorder, &only);
        assert_eq!((recorder.0.len(), table.limit_counts().held_per_direction), (1201, 1));
    }

    /// All octets that were delivered.
    #[derive(Default)]
    struct Stories(String);

    impl FlowObserver for Stories {
        type State = ();

        fn open(&mut self, _: &FlowInfo) {}

        fn event(&mut self, _: &FlowInfo, (): &mut (), event: StreamEvent<'_>) -> Interest {
            match event {
                StreamEvent::Data { bytes, .. } => self.0 += std::str::from_utf8(bytes).unwrap(),
                StreamEvent::Gap { .. } => self.0 += "[gap]",
                _ => {}
            }
            Interest::Follow
        }

        fn close(&mut self, _: Flow<()>, _: FlowEnd) -> Option<u64> {
            None
        }
    }

    /// Duplicates of both directions, FINs and the handshake, long after the end but within the time a stack remembers it.
    #[test]
    fn late_duplicates_of_a_closed_connection_begin_no_new_one() {
        let mut segments = whole();
        segments.extend(whole().into_iter().map(|seg| seg.at(59_000)));
        let mut table = FlowTable::new(FlowLimits::default());
        let mut recorder = Recorder::default();
        run(&mut table, &mut recorder, &segments);
        assert_eq!(stories(&recorder.flows), [STORY]);
        assert_eq!((table.connections(), table.unclaimed_octets()), (1, 0));
        let retransmitted = recorder.flows[0].octets.map(|octets| octets.retransmitted);
        assert_eq!(retransmitted.iter().sum::<u64>(), 20, "each octet came twice");
    }
}

/// Sequence numbers wrap in each direction by itself, with octets held across it, and the FIN behind it.
#[test]
fn numbers_wrap_under_held_octets_and_the_fin() {
    let isn = u32::MAX - 4;
    let seen = one(&[
        c(isn).syn(),
        s(isn).syn().ack(isn + 1),
        c(1).ack(isn + 1).data("ghij").fin(),
        c(isn + 1).ack(isn + 1).data("bcd"),
        c(u32::MAX).ack(isn + 1).data("ef"),
        s(isn + 1).ack(6).data("250 ok").fin(),
    ]);
    assert_eq!(seen.story, " >bcdefghij >. <250 ok <.");
    assert_eq!((seen.end, seen.octets[0].missing), (Some(FlowEnd::Closed), 0));
}
