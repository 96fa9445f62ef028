//! What lies outside the receiver's window is no part of the stream.
//!
//! > If an incoming segment is not acceptable, an acknowledgment should be sent in reply … After sending the
//! > acknowledgment, drop the unacceptable segment and return (RFC 9293 §3.10.7.4).

use super::*;

/// The client's window and the server's, not scaled.
fn established(window: u16) -> Vec<Seg> {
    vec![c(99).syn(), s(499).syn().ack(100).window(window), c(100).ack(500), c(100).ack(500).data("EHLO")]
}

fn behind(opening: Vec<Seg>, more: impl IntoIterator<Item = Seg>) -> Vec<Seg> {
    opening.into_iter().chain(more).collect()
}

#[test]
fn octets_far_beyond_the_window_are_discarded() {
    let seen = one(&behind(
        established(1000),
        [
            s(500).ack(104).data("250-"),
            c(104 + 500_000_000).ack(504).data("MAIL FROM:<evil@x>"),
            s(504 + 500_000_000).ack(104).data("250 "),
            c(104).ack(504).data("QUIT"),
            s(504).ack(108).data("221-").fin(),
            c(108).ack(509).fin(),
            s(509).ack(109),
        ],
    ));
    assert_eq!(seen.story, " >EHLO <250- >QUIT <221- <. >.");
    assert_eq!((seen.octets[0].discarded, seen.octets[0].missing), (18, 0));
    assert_eq!((seen.octets[1].discarded, seen.octets[1].missing), (4, 0));
    assert_eq!(seen.end, Some(FlowEnd::Closed));
}

/// The ACK that opened the window is captured behind the octets for which it did.
#[test]
fn octets_beyond_the_window_are_taken_when_they_are_acknowledged() {
    let late = |ack: Seg| {
        behind(
            established(8),
            [c(112).ack(500).data("RCPT").at(1), c(108).ack(500).data("MAIL").at(2), c(104).ack(500).data("RSET"), ack],
        )
    };
    let opened = one(&late(s(500).ack(104).window(100).at(3)));
    let acknowledged = one(&late(s(500).ack(116).window(0).at(3)));
    for seen in [opened, acknowledged] {
        assert_eq!((seen.story.as_str(), seen.octets[0].discarded), (" >EHLORSETMAILRCPT", 0));
    }
}

/// The receiver's packets are not captured but for its SYN: its window is not known any more.
#[test]
fn octets_without_a_hole_are_taken_whatever_the_window() {
    let seen = one(&behind(
        established(6),
        [
            c(104).ack(500).data("MAIL").at(2000),
            c(112).ack(500).data("DATA").at(2001),
            c(108).ack(500).data("RCPT").at(2002),
            c(200).ack(500).data("far").at(2003),
        ],
    ));
    assert_eq!((seen.story.as_str(), seen.octets[0].missing), (" >EHLOMAILRCPTDATA", 0));
    assert_eq!(seen.octets[0].discarded, 3);
}

/// Of two copies the one counts that came within the window, though the other one was captured first.
#[test]
fn what_came_within_the_window_counts() {
    let seen = one(&behind(
        established(8),
        [
            c(110).ack(500).data("XXXX").at(1),
            s(500).ack(104).window(100).at(2),
            c(104).ack(500).data("MAIL_FROM").at(3),
            s(500).ack(113).window(100).at(4),
            c(113).ack(500).data("QUIT").at(5),
        ],
    ));
    assert_eq!(seen.story, " >EHLOMAIL_FROMQUIT");
    assert_eq!((seen.octets[0].conflicting, seen.octets[0].delivered, seen.octets[0].missing), (4, 17, 0));
}

/// What waits beyond the window goes first where too much waits.
#[test]
fn the_limit_discards_what_is_beyond_the_window() {
    let limits = FlowLimits { held_octets_per_direction: 1_000, ..FlowLimits::default() };
    let far = |seq: u32| c(seq).ack(500).data(&"x".repeat(600)).at(i64::from(seq % 1_000));
    let segments = behind(established(1_000), [c(106).ack(500).data("IL"), far(200_001), far(300_002)]);
    let segments = behind(segments, [c(104).ack(500).data("MA").at(3), s(500).ack(108).at(4)]);
    let seen = watch_with(limits, &segments).remove(0);
    assert_eq!((seen.story.as_str(), seen.octets[0].discarded, seen.octets[0].missing), (" >EHLOMAIL", 1200, 0));
}

/// Numbers that count from other initial ones.
fn renumbered(segments: &[Seg], client: u32, server: u32) -> Vec<Seg> {
    let renumber = |seg: &Seg| {
        let (own, other) = if seg.from_client { (client, server) } else { (server, client) };
        Seg { seq: seg.seq.wrapping_add(own), ack: seg.ack.map(|ack| ack.wrapping_add(other)), ..seg.clone() }
    };
    segments.iter().map(renumber).collect()
}

/// §3.4.3: numbers begin anywhere, so that octets of an older connection of the same 4-tuple are outside the window.
#[test]
fn late_copies_of_an_older_connection_are_no_part_of_the_next() {
    let mail = |text: &str| {
        after_handshake([
            s(500).ack(100).data("220-").at(10),
            c(100).ack(504).data(text).at(20),
            s(504).ack(100 + u32::try_from(text.len()).unwrap()).data("250-").at(30),
            c(104).ack(508).data("QUIT").at(40),
            s(508).ack(108).data("221-").fin().at(50),
            c(108).ack(513).fin().at(60),
            s(513).ack(109).at(70),
        ])
    };
    for away in [1_500_000, 0_u32.wrapping_sub(500_000_000), 1_500_000_000] {
        let old = renumbered(&mail("OLD-"), 3_000_000_000, 2_000_000_000);
        let new = renumbered(&mail("NEW-"), 3_000_000_000_u32.wrapping_add(away), 2_000_000_000_u32.wrapping_add(away));
        let late = |seg: &Seg, millis| seg.clone().at(seg.millis + millis);
        let mut segments = old.clone();
        segments.extend(new.iter().map(|seg| late(seg, 100)));
        segments.extend(old.iter().map(|seg| late(seg, 115)));
        segments.sort_by_key(|seg| seg.millis);
        let flows = watch(&segments);
        let stories: Vec<&str> = flows.iter().map(|flow| flow.story.as_str()).collect();
        let story = |text| format!(" <220- >{text} <250- >QUIT <221- <. >.");
        assert_eq!(stories, [story("OLD-"), story("NEW-")], "{away}");
        assert!(flows.iter().all(|flow| flow.end == Some(FlowEnd::Closed)));
    }
}

/// A FIN outside the window closes nothing, so that the connection may be silent for longer than one that was closed.
#[test]
fn fins_outside_the_window_end_nothing() {
    for (client, server) in [(0x8000_0000, 0x9000_0000), (0x1000_0000, 0x1000_0000), (2_000, 200_000)] {
        let seen = one(&behind(
            established(1000),
            [
                s(500).ack(104).window(1000).data("250-"),
                c(104).ack(504).window(1000),
                c(client).ack(0x7000_0000).fin(),
                s(server).ack(client + 1).fin(),
                c(104).ack(504).data("DATA").at(70_000),
                s(504).ack(108).data("354-").at(70_001),
            ],
        ));
        assert_eq!(seen.story, " >EHLO <250- >DATA <354-");
        assert_eq!((seen.end, seen.octets[0].missing, seen.octets[1].missing), (Some(FlowEnd::EndOfCapture), 0, 0));
    }
}
