//! What becomes of whole connections, and what captures do to them.

use std::net::SocketAddr;

use super::*;

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

/// One packet with a time of its own, whichever it is, changes nothing of its own connection either.
#[test]
fn one_corrupt_time_ends_not_its_own_connection() {
    let plain: Vec<Seg> = after_handshake([
        s(500).ack(100).data("220-"),
        c(100).ack(504).data("NOOP"),
        s(504).ack(104).data("250-"),
        c(104).ack(508).data("QUIT"),
        s(508).ack(108).data("221-"),
    ]);
    let plain: Vec<Seg> = plain.into_iter().zip(0..).map(|(seg, millis)| seg.at(50_000_000 + millis)).collect();
    let expected = one(&plain);
    for wrong in [50_000_000 + 3_600_000, 50_000_000 + 365 * 86_400_000, 5_000] {
        for at in 1..plain.len() {
            let mut segments = plain.clone();
            segments[at].millis = wrong;
            let seen = one(&segments);
            assert_eq!((&seen.story, seen.end, seen.octets), (&expected.story, expected.end, expected.octets), "{at}");
            assert!(seen.last_seen < 50_000_100, "{at}");
        }
    }
}

/// The time of the first packet is believed until two others speak against it.
#[test]
fn a_corrupt_time_at_the_beginning_is_put_right() {
    for wrong in [900_000_000, 5_000] {
        let mut segments =
            after_handshake([s(500).ack(100).data("220-"), c(100).ack(504).data("NOOP"), s(504).ack(104).data("250-")]);
        for (seg, millis) in segments.iter_mut().zip(0..) {
            seg.millis = if millis == 0 { wrong } else { 50_000_000 + millis };
        }
        let flows = watch(&segments);
        assert!(flows.iter().any(|flow| flow.story == " <220- >NOOP <250-"), "{flows:?}");
    }
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

/// Two taps, one of which keeps only the beginning of a packet. RFC 9293 §3.10.7.4: what was received before is trimmed off
/// a copy, and the rest of it is new.
#[test]
fn a_whole_copy_behind_one_that_was_cut_is_read() {
    let whole = after_handshake([
        s(500).ack(100).data("220-greeting"),
        c(100).ack(512).data("NOOP,NOOP"),
        s(512).ack(109).data("250-reply").fin(),
        c(109).ack(522).fin(),
        s(522).ack(110),
    ]);
    let cut = |seg: &Seg| Seg {
        payload: seg.payload.iter().copied().take(4).collect(),
        missing: u32::try_from(seg.payload.len().saturating_sub(4)).unwrap(),
        ..seg.clone()
    };
    let expected = one(&whole).story;
    for late in [1, 15, 40, 900] {
        for cut_first in [true, false] {
            let late_of = |is_cut| if is_cut == cut_first { 0 } else { late };
            let at = |seg: &Seg, millis: i64, is_cut| seg.clone().at(millis * 10 + late_of(is_cut));
            let mut both: Vec<Seg> = whole.iter().zip(0..).map(|(seg, millis)| at(&cut(seg), millis, true)).collect();
            both.extend(whole.iter().zip(0..).map(|(seg, millis)| at(seg, millis, false)));
            both.sort_by_key(|seg| seg.millis);
            let seen = one(&both);
            let octets = |story: &str| story.replace(" >.", "").replace(" <.", "");
            assert_eq!(octets(&seen.story), octets(&expected), "{late} {cut_first}");
            assert_eq!((seen.end, seen.octets[0].missing, seen.octets[1].missing), (Some(FlowEnd::Closed), 0, 0));
        }
    }
}

/// Where no copy is whole it is not waited for again, so that little is held.
#[test]
fn cut_octets_are_waited_for_once() {
    let limits = FlowLimits { held_octets_per_direction: 300, ..FlowLimits::default() };
    let (mut table, mut recorder) = (FlowTable::new(limits), Recorder::default());
    let mut segments = after_handshake([c(100).data("ab").cut(8), c(110).data("cd").cut(8).at(1000)]);
    segments.extend((2..40).map(|turn| c(100 + turn * 10).data("xy").cut(8).at(1000 + i64::from(turn))));
    run(&mut table, &mut recorder, &segments);
    assert_eq!(table.limit_counts().held_per_direction, 0);
    let seen = &recorder.flows[0];
    assert_eq!((seen.octets[0].delivered, seen.octets[0].missing), (80, 320));
    assert!(seen.story.starts_with(" >ab >[SnapLength_8] >cd >[SnapLength_8] >xy"), "{}", seen.story);
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
    assert_eq!((seen.end, seen.last_seen), (Some(FlowEnd::Closed), 30));
}

/// The next connection's handshake was not captured: its octets are not near those of the one that is over. What a side
/// sends behind its FIN is.
#[test]
fn the_same_4_tuple_again_behind_a_close_without_its_handshake() {
    let closed = after_handshake([
        c(100).ack(500).data("ab").fin(),
        s(500).ack(103).fin(),
        c(103).ack(501),
        c(103).ack(501).data("behind the FIN"),
    ]);
    let begun_by_client = [c(70_000_000).ack(90_000_000).data("EHLO"), s(90_000_000).ack(70_000_004).data("250")];
    let begun_by_server = [s(90_000_000).ack(70_000_000).data("220"), c(70_000_000).ack(90_000_003).data("EHLO")];
    for (again, story) in [(begun_by_client, " >EHLO <250"), (begun_by_server, " >220 <EHLO")] {
        let flows = watch(&[closed.as_slice(), &again].concat());
        assert_eq!(flows.iter().map(|flow| flow.story.as_str()).collect::<Vec<_>>(), [" >ab >. <.", story]);
        assert_eq!((flows[0].octets[0].discarded, flows[1].start), (14, Some(FlowStart::Midstream)));
    }
}

/// RFC 9293 §3.6: a connection is closed when each side's FIN was sent and acknowledged. Nothing can follow, so that its
/// observer need not wait for the end of the time that it is remembered.
#[test]
fn a_connection_is_handed_over_when_both_ends_are_acknowledged() {
    let ended_after = |segments: &[Seg]| {
        let (mut table, mut recorder) = (FlowTable::new(FlowLimits::default()), Recorder::default());
        run_open(&mut table, &mut recorder, segments);
        recorder.flows.len()
    };
    let until_last_ack = after_handshake([c(100).ack(500).data("ab").fin(), s(500).ack(103).fin()]);
    let with = |last: Seg| ended_after(&[until_last_ack.as_slice(), &[last]].concat());
    assert_eq!(ended_after(&until_last_ack), 0, "the server's FIN may be lost behind the observer");
    assert_eq!(with(c(103).ack(500)), 0);
    assert_eq!(with(c(103).ack(501)), 1);
}

/// RFC 5961 §3.2: a RST that is not exactly the next number is answered by a challenge ACK, and the connection lives. One
/// that somebody slips in must not hide what follows, however long that takes to come.
#[test]
fn what_follows_a_reset_is_taken_in() {
    for late in [900, 1100, 30_000] {
        let seen = one(&after_handshake([c(101).ack(500).rst(), c(100).ack(500).data("ab").at(late)]));
        assert_eq!((seen.story.as_str(), seen.end), (" >ab", Some(FlowEnd::Reset)), "{late}");
    }
}

/// A reset that neither side has taken ends nothing: both go on, and each acknowledges what the other says.
#[test]
fn octets_acknowledged_behind_a_reset_take_it_back() {
    let seen = one(&after_handshake([
        s(500).ack(100).data("220-"),
        s(504).ack(100).rst(),
        c(100).ack(504).data("DATA"),
        s(504).ack(104).data("354-"),
        c(104).ack(508).data("text"),
        s(508).ack(108).data("250-").at(70_000),
    ]));
    assert_eq!((seen.story.as_str(), seen.end), (" <220- >DATA <354- >text <250-", Some(FlowEnd::EndOfCapture)));
}

/// The next connection's handshake was not captured, and the one before has ended without the last ACK, or by a reset.
#[test]
fn the_same_4_tuple_again_behind_any_end_without_its_handshake() {
    let fins = [c(102).ack(500).fin(), s(500).ack(103).fin()];
    let reset = [c(102).ack(500).rst()];
    let again = [
        s((1 << 29) * 3).ack(1 << 30).data("220-").at(5_000),
        c(1 << 30).ack((1 << 29) * 3 + 4).data("EHLO").at(5_001),
        s((1 << 29) * 3 + 4).ack((1 << 30) + 4).data("250-").at(5_002),
    ];
    for end in [&fins[..], &reset] {
        let flows = watch(&after_handshake([&[c(100).ack(500).data("ab")], end, &again].concat()));
        let stories: Vec<&str> = flows.iter().map(|flow| flow.story.split(" >.").next().unwrap()).collect();
        assert_eq!(stories, [" >ab", " >220- <EHLO >250-"]);
        assert_eq!((flows[1].start, flows[0].octets[0].discarded), (Some(FlowStart::Midstream), 0));
    }
}

/// A SYN refused and sent again with the same number (RFC 9293 §3.10.7.3: the reset counts), then taken.
#[test]
fn a_connection_refused_at_first_is_followed_when_it_is_taken() {
    let segments = [
        c(99).syn(),
        s(0).ack(100).rst().at(10),
        c(99).syn().at(500),
        s(499).syn().ack(100).at(510),
        c(100).ack(500).at(520),
        s(500).ack(100).data("220").at(2600),
        c(100).ack(503).data("EHLO").at(2700),
    ];
    let flows = watch(&segments);
    let told: String = flows.iter().map(|flow| flow.story.as_str()).collect();
    assert_eq!(told, " <220 >EHLO");
}

/// The octets before a FIN that comes first may take a second and more to be sent again (RFC 6298 §2.4).
#[test]
fn a_hole_before_the_fin_is_waited_for() {
    let seen = one(&[c(99).syn(), c(105).fin().at(10), c(100).data("hello").at(1300)]);
    assert_eq!((seen.story.as_str(), seen.octets[0].missing), (" >hello >.", 0));
}

/// A FIN outside any window ends nothing, also where the other side was not captured.
#[test]
fn what_follows_a_stray_fin_is_taken_in() {
    let seen = one(&[c(99).syn(), c(3_000_000_000).fin().at(10), c(100).data("hello").at(2100)]);
    assert_eq!(seen.story, " >hello");
}

/// What happens elsewhere in the capture changes nothing, also where its times are not in order.
#[test]
fn another_connection_changes_nothing_of_this_one() {
    let client_then_server = after_handshake([
        c(100).ack(500).data("ab").at(1000),
        c(102).ack(502).fin().at(1500),
        s(500).ack(102).data("cd").at(1200),
        s(502).ack(103).fin().at(1510),
    ]);
    let alone = one(&client_then_server);
    let (mut table, mut recorder) = (FlowTable::new(FlowLimits::default()), Recorder::default());
    run_open(&mut table, &mut recorder, client_then_server.get(..5).unwrap());
    elsewhere(&mut table, &mut recorder, 9_000);
    run_open(&mut table, &mut recorder, client_then_server.get(5..).unwrap());
    finish(&mut table, &mut recorder);
    let stories: Vec<&str> = recorder.flows.iter().map(|flow| flow.story.as_str()).collect();
    assert!(stories.contains(&alone.story.as_str()), "{stories:?} and {}", alone.story);
}

/// A SYN of another connection, so many milliseconds behind the first packet.
fn elsewhere(table: &mut FlowTable<Seen>, recorder: &mut Recorder, millis: i64) {
    let segment = Segment {
        source: "192.0.2.77:7".parse().unwrap(),
        destination: "198.51.100.2:25".parse().unwrap(),
        seq: SeqNumber::new(1),
        ack: None,
        flags: capture::Flags { syn: true, ..capture::Flags::default() },
        payload: &[],
        window: 1000,
        window_scale: None,
        payload_at: None,
        missing: 0,
        timestamp: Timestamp::from_nanos(millis * 1_000_000),
        encapsulation: capture::Encapsulation::default(),
    };
    table.push(&segment, recorder);
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
    let late = [c(102).data("cd").at(600_001), c(104).data("ef").at(600_002)];
    let seen = watch(&after_handshake([&[c(100).data("ab")][..], &late].concat()));
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
