//! One dialogue, many deliveries, one expected result.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot be built is a mistake in the test, which a panic shows best"
)]

mod dialogue_support;

use dialogue_support::{Role, Step, analyse, expect, parse, play};
use kit::{Conversation, KitPacket};
use proptest::prelude::*;
use serde_json::{Value, json};

/// AUTH, a refused recipient, a mail by DATA with stuffed dots, a mail in chunks; pipelining as RFC 2920 allows it.
const DIALOGUE: &str = "S: 220 mx.example.org ESMTP
    C: EHLO client.example.org
    S: 250-mx.example.org
    S: 250-PIPELINING
    S: 250-CHUNKING
    S: 250-SIZE
    S: 250 AUTH PLAIN LOGIN
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: am9l
    S: 334 UGFzc3dvcmQ6
    C: c2VjcmV0
    S: 235 2.7.0 welcome
    C: MAIL FROM:<a@example.org> SIZE=100
    C: RCPT TO:<b@example.net>
    C: RCPT TO:<nobody@example.net>
    C: DATA
    S: 250 2.1.0 ok
    S: 250 2.1.5 ok
    S: 550-5.1.1 nobody
    S: 550 5.1.1 of that name
    S: 354 go on
    C: Subject: dots
    C:
    C: ..
    C: ...three
    C: QUIT
    C: .
    C: MAIL FROM:<>
    C: RCPT TO:<c@example.net>
    C: BDAT 20
    C: Subject: x
    C:
    C= \\x00QUIT\\xff
    C: BDAT 6 LAST
    C: .
    C: .
    S: 250 2.0.0 Ok: queued as 4ABCDE1234
    S: 250 2.1.0 ok
    S: 250 2.1.5 ok
    S: 250 20 octets
    S: 250 2.0.0 Ok: queued as 4ABCDE5678
    C: QUIT
    S: 221 2.0.0 bye
    [close]";

#[test]
fn in_order() {
    expect(
        DIALOGUE,
        &json!({
            "helo": "client.example.org", "verbs": "EHLO AUTH MAIL RCPT RCPT DATA MAIL RCPT BDAT BDAT QUIT",
            "replies": "220/- 250/0 334/1 334/1 235/1 250/2 250/3 550/4 354/5 250/5 250/6 250/7 250/8 250/9 221/10",
            "auth": [{"mechanism": "LOGIN", "username": "joe", "outcome": "success", "code": "235"}],
            "end": "closed", "anomalies": [],
        }),
        &json!([
            {
                "mail_from": "a@example.org", "rcpts": ["b@example.net accepted 250", "nobody@example.net rejected 550"],
                "mail_parameters": {"SIZE": "100"}, "via": "DATA", "outcome": "accepted", "queue_id": "4ABCDE1234",
                "message": {"bytes": 15 + 2 + 3 + 9 + 6, "complete": true, "subject": "dots"},
            },
            {
                "mail_from": "", "rcpts": ["c@example.net accepted 250"], "via": "BDAT", "outcome": "accepted",
                "queue_id": "4ABCDE5678", "message": {"bytes": 26, "complete": true, "subject": "x"},
            },
        ]),
    );
}

/// A delivery: the dialogue's steps, sent so that the whole takes less than a second.
fn deliver(mut pieces: impl FnMut(&[Vec<u8>]) -> Vec<Vec<u8>>) -> Vec<KitPacket> {
    let connection = Conversation::new("192.0.2.1:40000", "198.51.100.25:25").start(START).spacing(SPACING);
    let send = |conversation: Conversation, step: &Step| match step {
        Step::Octets { role, lines, .. } => pieces(lines).iter().fold(conversation, |conversation, piece| match role {
            Role::Client => conversation.client(piece),
            Role::Server => conversation.server(piece),
        }),
        Step::Event(event) if event == "handshake" => conversation.handshake(),
        Step::Event(event) if event == "close" => conversation.close(),
        Step::Event(event) => panic!("the dialogue has no {event}"),
    };
    parse(DIALOGUE).iter().fold(connection, send).packets()
}

const START: i64 = 1_700_000_000_000_000_000;
const SPACING: i64 = 100_000;

fn octet_by_octet(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    lines.concat().iter().map(|&octet| vec![octet]).collect()
}

fn in_one_segment(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    vec![lines.concat()]
}

/// The packets in another order, at the times at which the packets in the old order came.
fn in_order_of(mut packets: Vec<KitPacket>, rank: impl Fn(usize) -> usize) -> Vec<KitPacket> {
    let mut order: Vec<usize> = (0..packets.len()).collect();
    order.sort_by_key(|&index| rank(index));
    let mut reordered: Vec<KitPacket> = order.into_iter().map(|index| packets[index].clone()).collect();
    packets.sort_by_key(|packet| packet.nanos);
    for (packet, original) in reordered.iter_mut().zip(&packets) {
        packet.nanos = original.nanos;
    }
    reordered
}

/// Each packet as often as `copies` says, the copies behind it, a tenth of a millisecond apart.
fn copied(packets: Vec<KitPacket>, copies: impl Fn(usize) -> usize) -> Vec<KitPacket> {
    let mut all: Vec<KitPacket> = Vec::new();
    for (i, packet) in packets.into_iter().enumerate() {
        all.extend(std::iter::repeat_n(packet, copies(i)));
    }
    let mut nanos = START;
    for packet in &mut all {
        packet.nanos = nanos;
        nanos += SPACING;
    }
    all
}

/// Whether a packet comes from the client.
fn from_client(packet: &KitPacket) -> bool {
    // Behind 14 octets of Ethernet and 20 of IPv4, TCP begins with the source port.
    packet.data[34..36] == 40_000_u16.to_be_bytes()
}

/// Sessions and transactions without what a delivery changes: times, and how often octets were sent.
fn essence(mut document: Value) -> Value {
    for session in document["sessions"].as_object_mut().expect("sessions").values_mut() {
        for side in ["client", "server"] {
            let octets = &mut session["octets"][side];
            assert_eq!((&octets["missing"], &octets["conflicting"]), (&json!(0), &json!(0)), "{octets}");
            *octets = Value::Null;
        }
    }
    let mut essence = json!({"sessions": document["sessions"].take(), "transactions": document["transactions"].take()});
    forget_times(&mut essence);
    essence
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !["timestamp", "first_seen", "last_seen"].contains(&name.as_str()));
            object.values_mut().for_each(forget_times);
        }
        Value::Array(array) => array.iter_mut().for_each(forget_times),
        _ => {}
    }
}

fn reference() -> Value {
    essence(analyse(&[&play(&parse(DIALOGUE))]))
}

#[track_caller]
fn same(packets: &[KitPacket]) {
    let (got, wanted) = (essence(analyse(&[packets])), reference());
    assert!(got == wanted, "wanted {wanted:#}\n\ngot {got:#}");
}

#[test]
fn every_line_in_a_segment() {
    same(&deliver(<[Vec<u8>]>::to_vec));
}

#[test]
fn all_lines_of_a_turn_in_one_segment() {
    same(&deliver(in_one_segment));
}

#[test]
fn one_octet_a_segment() {
    same(&deliver(octet_by_octet));
}

#[test]
fn every_packet_twice() {
    for pieces in [in_one_segment, octet_by_octet] {
        same(&copied(deliver(pieces), |_| 2));
    }
}

/// The law of conservation, for a session that is over: `payload` counts each copy, of the octets behind its end, too.
/// A host drops a datagram whose header promises more than came, and the sender sends it again: one octet of one length
/// is one packet that did not come.
#[test]
fn every_packet_first_with_a_damaged_length() {
    for bit in [0x8000, 0x4000, 0x1000] {
        let damaged = copied(play(&parse(DIALOGUE)), |_| 2).into_iter().enumerate().map(|(number, mut packet)| {
            if number % 2 == 0 {
                let total = u16::from_be_bytes([packet.data[16], packet.data[17]]) ^ bit;
                packet.data[16..18].copy_from_slice(&total.to_be_bytes());
            }
            packet
        });
        let damaged: Vec<KitPacket> = damaged.collect();
        same(&damaged);
        let errors = &analyse(&[&damaged])["capture"]["decode_errors"];
        assert_eq!(errors, &json!({"ip_beyond_packet": damaged.len() / 2}));
    }
}

#[test]
fn every_packet_again_behind_the_end() {
    let packets = deliver(<[Vec<u8>]>::to_vec);
    let once = analyse(&[&packets]);
    let again = analyse(&[&copied([&packets[..], &packets[..]].concat(), |_| 1)]);
    assert_eq!(essence(again.clone()), reference());
    let last_seen = |document: &Value| session(document)["last_seen"].as_f64().expect("a time");
    assert!(last_seen(&again) > last_seen(&once), "the copies are packets of the connection");
    for side in ["client", "server"] {
        let figure = |document: &Value, name| session(document)["octets"][side][name].as_u64().expect("a figure");
        assert_eq!(figure(&again, "delivered"), figure(&once, "delivered"));
        assert_eq!(figure(&again, "retransmitted"), figure(&once, "payload"));
        assert_eq!(figure(&again, "payload"), 2 * figure(&once, "payload"));
    }
    assert_eq!(again["capture"]["unclaimed_octets"], 0);
}

/// The only session.
fn session(document: &Value) -> &Value {
    document["sessions"].as_object().and_then(|sessions| sessions.values().next()).expect("a session")
}

/// All of the connection up to its close, then all of it once more.
#[test]
fn every_packet_again_much_later() {
    let packets = deliver(<[Vec<u8>]>::to_vec);
    let data = packets.len() - 3;
    let again = [&packets[3..data], &packets[3..data], &packets[data..]].concat();
    same(&copied([&packets[..3], &again].concat(), |_| 1));
}

/// Within windows, the packets of each side are reversed among themselves.
#[test]
fn each_side_reversed_within_windows() {
    for window in [2, 3, 4, 8] {
        let pieces = |lines: &[Vec<u8>]| lines.concat().chunks(5).map(<[u8]>::to_vec).collect();
        let mut packets = deliver(pieces);
        let end = packets.len() - 3;
        for side in [true, false] {
            let of_side: Vec<usize> = (3..end).filter(|&i| from_client(&packets[i]) == side).collect();
            for window in of_side.chunks(window) {
                let datas: Vec<_> = window.iter().rev().map(|&i| packets[i].data.clone()).collect();
                for (&i, data) in window.iter().zip(datas) {
                    packets[i].original_len = data.len();
                    packets[i].data = data;
                }
            }
        }
        same(&packets);
    }
}

/// A reply captured before its command acknowledges more than was captured.
#[test]
fn all_packets_reversed_within_windows() {
    for window in [2, 3, 5] {
        let packets = deliver(<[Vec<u8>]>::to_vec);
        let end = packets.len() - 3;
        let rank = |i: usize| {
            if i < 3 || i >= end {
                return i;
            }
            let first = 3 + (i - 3) / window * window;
            first + (first + window).min(end) - 1 - i
        };
        same(&in_order_of(packets, rank));
    }
}

/// Timestamps too are the same: the packets are.
#[test]
fn cut_into_two_files_at_every_packet() {
    let packets = deliver(<[Vec<u8>]>::to_vec);
    let whole = analyse(&[&packets]);
    for cut in 1..packets.len() {
        let (first, second) = packets.split_at(cut);
        let parts = analyse(&[first, second]);
        for part in ["summary", "sessions", "transactions"] {
            assert!(parts[part] == whole[part], "cut before packet {cut}: {part} differ");
        }
        assert_eq!(parts["capture"]["packets"], whole["capture"]["packets"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_delivery(
        sizes in prop::collection::vec(1_usize..40, 1..20),
        copies in prop::collection::vec(1_usize..3, 1..20),
        delays in prop::collection::vec(0_usize..6, 1..20),
    ) {
        let mut sizes = sizes.iter().cycle();
        let packets = deliver(|lines| {
            let octets = lines.concat();
            let mut rest = octets.as_slice();
            let mut pieces = Vec::new();
            while let (false, Some(&size)) = (rest.is_empty(), sizes.next()) {
                let (piece, behind) = rest.split_at(size.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = behind;
            }
            pieces
        });
        let data = packets.len() - 3;
        let last = packets.len();
        let packets = copied(packets, |i| if (3..data).contains(&i) { copies[i % copies.len()] } else { 1 });
        let end = packets.len() - (last - data);
        // Handshake and close stay where they are; what lies between comes up to five packets late.
        let rank = |i: usize| match i {
            0..3 => i,
            _ if i >= end => i + 6,
            _ => i + delays[i % delays.len()],
        };
        let packets = in_order_of(packets, rank);
        prop_assert_eq!(essence(analyse(&[&packets])), reference());
    }
}
