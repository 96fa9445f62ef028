//! Every limit outside a session is reached by a capture made for it, and shows in `capture.limits_reached`. Those of
//! sessions are tested in `session/limits.rs`, those of messages in `messages.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use analysis::message::MessageOptions;
use analysis::plan::Plan;
use analysis::run::{Limits, analyse_within};
use analysis::session::Options;
use analysis::{features, run};
use capture::{FragmentLimits, ReaderLimits};
use kit::{Conversation, Interface, KitPacket, PcapNgWriter, TcpPacket, pcap};
use process::{Folder, Mail, START_NANOS, document, one_mail, smtpscope};
use reassembly::FlowLimits;
use serde_json::{Value, json};

/// What `features` says of this file within these limits.
fn within(limits: Limits, file: &[u8]) -> Value {
    let folder = Folder::new();
    let path = folder.file("a", file);
    // What is in the messages has limits of its own: see `messages.rs`.
    let message = MessageOptions { parts: false, ..MessageOptions::default() };
    let options = Options { message, ..Options::default() };
    let report = analyse_within(&Plan::new(&[path.into()]), options, limits);
    let mut document = Vec::new();
    features::write(&report, &mut document).unwrap();
    serde_json::from_slice(&document).unwrap()
}

/// The limit is reached so many times, no other is, and of the mail nothing is lost.
#[track_caller]
fn assert_reached(document: &Value, limit: &str, times: u64) {
    assert_eq!(document["capture"]["limits_reached"], json!({ limit: times }));
    assert_eq!(document["summary"]["completed_transactions"], 1);
}

fn reader(limits: ReaderLimits) -> Limits {
    Limits { reader: limits, ..Limits::default() }
}

fn of_flows(limits: FlowLimits) -> Limits {
    Limits { flows: limits, ..Limits::default() }
}

#[test]
fn what_reaches_no_limit_says_so() {
    assert_reached_none(&within(Limits::default(), &pcap(&one_mail())));
}

#[track_caller]
fn assert_reached_none(document: &Value) {
    assert_eq!(document["capture"]["limits_reached"], json!({}));
    assert_eq!(document["summary"]["completed_transactions"], 1);
}

/// The document's table.
#[test]
fn the_defaults_are_those_of_the_document() {
    let run::Limits { reader, fragments, flows } = Limits::default();
    assert_eq!((reader.record_octets, reader.interfaces, reader.damaged_places), (262_144, 65_536, 32));
    assert_eq!((reader.comments, reader.comment_octets), (64, 1_024));
    let compression = reader.compression;
    assert_eq!((compression.window_octets, compression.expansion), (128 << 20, 10_000));
    assert_eq!(compression.free_octets, 1 << 30);
    assert_eq!((fragments.datagrams, fragments.time), (64, 60_000_000_000));
    assert_eq!((flows.flows, flows.idle_time.as_secs()), (1_000_000, 600));
    assert_eq!((flows.held_octets_per_direction, flows.held_octets_per_table), (1 << 20, 64 << 20));
    assert_eq!((flows.linger_time.as_secs(), flows.reorder_time.as_secs()), (60, 1));
    let Options { message, recipients_limit, pending_limit, held_limit, anomalies_limit, records_limit, .. } =
        Options::default();
    assert_eq!((recipients_limit, pending_limit, held_limit), (100_000, 1_024, 64 << 10));
    assert_eq!((anomalies_limit, records_limit), (1_000, 100_000));
    assert_eq!((message.header_limit, message.kept_limit, message.body_limit), (1 << 20, 1 << 20, 1 << 20));
    assert_eq!((message.hops_limit, message.claims_limit), (1_000, 10_000));
}

#[test]
fn record_octets() {
    let mut packets = one_mail();
    packets.insert(3, KitPacket::new(START_NANOS, vec![0; 262_145]));
    let file = packets.iter().fold(PcapNgWriter::new().section().interface(Interface::default()), |writer, packet| {
        writer.enhanced(0, packet)
    });
    assert_reached(&within(Limits::default(), &file.file()), "record_octets", 1);
}

#[test]
fn interfaces() {
    let start = PcapNgWriter::new().section();
    let start = (0..4).fold(start, |writer, _| writer.interface(Interface::default()));
    let file = one_mail().iter().fold(start, |writer, packet| writer.enhanced(1, packet));
    let document = within(reader(ReaderLimits { interfaces: 2, ..ReaderLimits::default() }), &file.file());
    assert_reached(&document, "interfaces", 2);
}

#[test]
fn comments() {
    let start = PcapNgWriter::new().section().interface(Interface::default());
    let file = one_mail().iter().fold(start, |writer, packet| writer.enhanced_with(0, packet, &[(1, b"a comment")]));
    let document =
        within(reader(ReaderLimits { comments: 3, comment_octets: 4, ..ReaderLimits::default() }), &file.file());
    assert_reached(&document, "comments", one_mail().len() as u64 - 3);
    assert_eq!(document["capture"]["files"][0]["comments"].as_array().unwrap().len(), 3);
    assert_eq!(document["capture"]["files"][0]["comments"][0]["text"], "a co");
}

#[test]
fn damaged_places() {
    let packets = one_mail();
    let mut octets = pcap(&packets);
    for number in [12, 8, 4] {
        let at = pcap(&packets[..number]).len();
        octets.splice(at..at, [0x55; 50]);
    }
    let document = within(reader(ReaderLimits { damaged_places: 1, ..ReaderLimits::default() }), &octets);
    assert_reached(&document, "damaged_places", 2);
}

/// A frame of zstd whose header (RFC 8878 §3.1.1.1) asks for a window of 2^30 octets; the program's own limits.
#[test]
fn decompression_window() {
    let folder = Folder::new();
    let exponent_20 = 20 << 3;
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, exponent_20, 1, 0, 0];
    let (bomb, plain) = (folder.file("a.zst", &frame), folder.file("b.pcap", &pcap(&one_mail())));
    let run = smtpscope(&["features", &bomb, &plain]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("a window of 1073741824 octets"), "{}", run.stderr);
    assert_reached(&run.document(), "decompression_window", 1);
}

#[test]
fn decompression_expansion() {
    use std::io::Write;
    let octets = [pcap(&one_mail()), vec![0; 4 << 20]].concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&octets).unwrap();
    let compression = capture::CompressionLimits { expansion: 20, free_octets: 64 << 10, ..Default::default() };
    let limits = reader(ReaderLimits { compression, ..ReaderLimits::default() });
    assert_reached(&within(limits, &encoder.finish().unwrap()), "decompression_expansion", 1);
}

#[test]
fn carriers() {
    let nested = |frame: &[u8]| (0..17).fold(frame.to_vec(), |frame, _| kit::tunnel::ip_in_ip(&frame));
    let deep = KitPacket::new(START_NANOS, nested(&one_mail()[3].data));
    let packets = [&[deep][..], &one_mail()].concat();
    assert_reached(&within(Limits::default(), &pcap(&packets)), "carriers", 1);
}

/// More first fragments at a time than are kept, around a mail.
#[test]
fn datagrams_in_reassembly() {
    let first_fragment = |number: u16| {
        let segment = TcpPacket { payload: &[b'x'; 4], ..TcpPacket::new("192.0.2.9:1", "192.0.2.10:25") };
        let mut frame = segment.ethernet();
        frame[18..20].copy_from_slice(&number.to_be_bytes());
        frame[20] = 0x20;
        KitPacket::new(START_NANOS, frame)
    };
    let packets: Vec<_> = (1..=66).map(first_fragment).chain(one_mail()).collect();
    let document = within(Limits::default(), &pcap(&packets));
    assert_eq!(document["capture"]["decode_errors"], json!({"fragment": 66}));
    assert_reached(&document, "datagrams_in_reassembly", 2);
    let limits =
        Limits { fragments: FragmentLimits { datagrams: 100, ..FragmentLimits::default() }, ..Limits::default() };
    assert_reached_none(&within(limits, &pcap(&packets)));
}

/// Captures that all go on at the same time. Those that have to wait are read, too.
#[test]
fn open_inputs() {
    let folder = Folder::new();
    let at = |number: u16, nanos| {
        let source = format!("203.0.113.1:{number}");
        let segment = TcpPacket { syn: true, ack: None, ..TcpPacket::new(&source, "203.0.113.2:80") };
        KitPacket::new(nanos, segment.ethernet())
    };
    let of_others = (1..=70_u16).map(|number| {
        let begins = START_NANOS - 100_000_000_000 + i64::from(number);
        pcap(&[at(number, begins), at(number, START_NANOS + 100_000_000_000)])
    });
    let files: Vec<_> = of_others
        .chain([pcap(&one_mail())])
        .enumerate()
        .map(|(number, file)| folder.file(&number.to_string(), &file).into())
        .collect();
    let mut document = Vec::new();
    features::write(&run::analyse(&Plan::new(&files), Options::default()), &mut document).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_reached(&document, "open_inputs", 7);
    assert_eq!(document["capture"]["packets"], 140 + one_mail().len());
}

/// SYNs of others in the midst of a mail: those that wait for nothing are given up, the mail is not. The limit is divided
/// among 16 tables, each of which gets more than its part.
#[test]
fn connections() {
    let syn = |number: u16| {
        let source = format!("203.0.113.1:{number}");
        KitPacket::new(
            START_NANOS,
            TcpPacket { syn: true, ack: None, ..TcpPacket::new(&source, "203.0.113.2:80") }.ethernet(),
        )
    };
    let packets: Vec<_> = (1..=600).map(syn).chain(one_mail()).collect();
    let document = within(flows_of(320), &pcap(&packets));
    let evicted = document["capture"]["limits_reached"]["flows"].as_u64().unwrap();
    assert_eq!((evicted, document["capture"]["tcp_connections"].as_u64()), (281, Some(601)));
    assert_eq!(document["summary"]["completed_transactions"], 1);
}

fn flows_of(flows: usize) -> Limits {
    of_flows(FlowLimits { flows, ..FlowLimits::default() })
}

/// A message that lacks its second segment, which nobody acknowledges, and goes on for 2 MiB.
fn with_a_hole() -> Vec<KitPacket> {
    let text = format!("Subject: hole\r\n\r\n{}", "a line of a long message\r\n".repeat(80_000));
    let mut talk = Conversation::new("192.0.2.1:20000", process::SERVER)
        .start(START_NANOS)
        .spacing(1_000)
        .handshake()
        .server(b"220 mx.example ESMTP\r\n")
        .client(b"EHLO client.example\r\n")
        .server(b"250 mx.example\r\n")
        .client(b"MAIL FROM:<a@example.org>\r\n")
        .server(b"250 ok\r\n")
        .client(b"RCPT TO:<b@example.org>\r\n")
        .server(b"250 ok\r\n")
        .client(b"DATA\r\n")
        .server(b"354 go on\r\n")
        .client(&text.as_bytes()[..1_000])
        .client_dropped(&text.as_bytes()[1_000..2_000]);
    talk = talk.client(&text.as_bytes()[2_000..]).client(b".\r\n").server(b"250 taken\r\n");
    talk.client(b"QUIT\r\n").server(b"221 bye\r\n").close().packets()
}

#[test]
fn held_octets_per_direction() {
    let document = within(Limits::default(), &pcap(&with_a_hole()));
    assert_reached(&document, "held_octets_per_direction", 1);
    assert_eq!(document["transactions"][0]["message"]["complete"], false);
}

#[test]
fn held_octets_per_table() {
    let limits = FlowLimits { held_octets_per_table: 100_000, ..FlowLimits::default() };
    let document = within(of_flows(limits), &pcap(&with_a_hole()));
    assert_reached(&document, "held_octets_per_table", 1);
}

/// RFC 5321 §4.5.3.2: the longest timeout is 10 minutes. A mail an hour after a connection that nobody closed.
#[test]
fn idle_time() {
    let abandoned =
        Conversation::new("192.0.2.9:1", "192.0.2.10:80").start(START_NANOS - 3_600_000_000_000).handshake();
    let packets = [abandoned.packets(), Mail::default().packets(0)].concat();
    assert_reached(&within(Limits::default(), &pcap(&packets)), "idle_time", 1);
}

/// The program prints them for people, too.
#[test]
fn limits_stand_in_the_summary() {
    let folder = Folder::new();
    let abandoned =
        Conversation::new("192.0.2.9:1", "192.0.2.10:80").start(START_NANOS - 3_600_000_000_000).handshake();
    let path = folder.file("a.pcap", &pcap(&[abandoned.packets(), one_mail()].concat()));
    assert_eq!(document(&["features", &path])["capture"]["limits_reached"], json!({"idle_time": 1}));
    assert!(smtpscope(&["summary", &path]).succeeds().text().contains("idle time reached 1 times"));
}
