//! The crate protolens and its SMTP task, fed the same segments as our own table and decoders, next to the floor.
//!
//! It wants a blank in front of every path and reads one mail per connection, so the profile is `one-mail-each`.

#![allow(clippy::expect_used, missing_docs, reason = "a bench: a panic shows the fault, and macros make public items")]

mod short;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use analysis::report::{Capture, Report};
use analysis::run::follow;
use analysis::session::Options;
use benches::floor::{Slicing, floor};
use benches::generator::{Profile, Truth, generate};
use capture::{CaptureReader, Decoder, Segment};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protolens::{L7Proto, Packet, Prolens, Task, TransProto};
use reassembly::FlowLimits;

fn protolens(criterion: &mut Criterion) {
    let (file, truth) = captured(Profile::OneMailEach);
    let segments = segments(&file);
    assert_eq!(mails(&segments).recipients, truth.recipients);
    // A path without the blank, as RFC 5321 has it, ends its parser: not one recipient of as many mails.
    let (strict, _) = captured(Profile::SmallMails);
    assert_eq!(mails(&self::segments(&strict)).recipients, 0);

    let mut group = criterion.benchmark_group("protolens/one-mail-each");
    group.throughput(Throughput::Bytes(truth.octets));
    group.bench_function("floor", |bencher| {
        bencher.iter(|| assert_eq!(floor(&*file, Slicing::Strict).expect("a whole file").packets, truth.packets));
    });
    group.bench_function("smtpscope, from segments", |bencher| bencher.iter(|| ours(&segments, &truth)));
    group.bench_function("protolens, from segments", |bencher| {
        bencher.iter(|| {
            let found = mails(&segments);
            assert_eq!((found.senders, found.recipients), (truth.accepted_transactions, truth.recipients));
            // Of bodies without headers, as it sees them; there is no truth about those.
            assert!((1..truth.message_octets).contains(&found.body_octets), "{found:?}");
            assert_eq!(found.reply_lines, truth.replies + EXTENSION_LINES * truth.sessions);
        });
    });
    group.finish();
}

fn ours(segments: &[(Segment<'_>, Lent)], truth: &Truth) {
    let mut sessions = Vec::new();
    follow(segments.iter().map(|(segment, _)| *segment), Options::default(), FlowLimits::default(), &mut sessions);
    let summary = Report::new(sessions, Capture::default()).summary;
    let found = (summary.completed_transactions as u64, summary.recipients, summary.message_bytes);
    assert_eq!(found, (truth.accepted_transactions, truth.recipients, truth.message_octets));
}

/// A segment as protolens wants it: cheap to clone, and lending nothing.
#[derive(Clone)]
struct Lent {
    file: Arc<[u8]>,
    source: SocketAddr,
    destination: SocketAddr,
    seq: u32,
    syn: bool,
    fin: bool,
    payload: std::ops::Range<usize>,
}

impl Packet for Lent {
    fn trans_proto(&self) -> TransProto {
        TransProto::Tcp
    }

    fn sip(&self) -> IpAddr {
        self.source.ip()
    }

    fn dip(&self) -> IpAddr {
        self.destination.ip()
    }

    fn tu_sport(&self) -> u16 {
        self.source.port()
    }

    fn tu_dport(&self) -> u16 {
        self.destination.port()
    }

    fn seq(&self) -> u32 {
        self.seq
    }

    fn syn(&self) -> bool {
        self.syn
    }

    fn fin(&self) -> bool {
        self.fin
    }

    fn payload_len(&self) -> usize {
        self.payload.len()
    }

    fn payload(&self) -> &[u8] {
        self.file.get(self.payload.clone()).unwrap_or_default()
    }
}

/// What protolens told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    senders: u64,
    recipients: u64,
    reply_lines: u64,
    body_octets: u64,
}

/// A task for each connection. protolens has no table of connections, so a map of ports and addresses is ours.
fn mails(segments: &[(Segment<'_>, Lent)]) -> Found {
    let counters: [Rc<Cell<u64>>; 4] = Default::default();
    let count = |index: usize| counters.get(index).cloned().unwrap_or_default();
    let mut prolens = Prolens::<Lent>::default();
    let senders = count(0);
    prolens.set_cb_smtp_mailfrom(move |_: &[u8], _, _| senders.set(senders.get() + 1));
    let recipients = count(1);
    prolens.set_cb_smtp_rcpt(move |_: &[u8], _, _| recipients.set(recipients.get() + 1));
    let lines = count(2);
    prolens.set_cb_smtp_srv(move |_: &[u8], _, _| lines.set(lines.get() + 1));
    let body = count(3);
    prolens.set_cb_smtp_body(move |octets: &[u8], _, _, _, _| body.set(body.get() + octets.len() as u64));
    let mut tasks: HashMap<(SocketAddr, SocketAddr), Task<Lent>> = HashMap::new();
    for (_, lent) in segments {
        let key = (lent.source.min(lent.destination), lent.source.max(lent.destination));
        let task = tasks.entry(key).or_insert_with(|| {
            let mut task = prolens.new_task(TransProto::Tcp);
            prolens.set_task_parser(&mut task, L7Proto::Smtp);
            task
        });
        prolens.run_task(task, lent.clone());
    }
    let [senders, recipients, reply_lines, body_octets] = counters.map(|counter| counter.get());
    Found { senders, recipients, reply_lines, body_octets }
}

fn captured(profile: Profile) -> (Arc<[u8]>, Truth) {
    let mut file = Vec::new();
    let truth = generate(profile, OCTETS, &mut file).expect("a vector takes all");
    (file.into(), truth)
}

/// All segments of a capture, for us and for protolens, made before anything is measured.
fn segments(file: &Arc<[u8]>) -> Vec<(Segment<'_>, Lent)> {
    let source = Box::new(Cursor::new(Arc::clone(file)));
    let mut reader = CaptureReader::new(source, "bench".into()).expect("a pcap file");
    let mut decoder = Decoder::new();
    let mut segments = Vec::new();
    while let Some(packet) = reader.next_packet().expect("a whole file") {
        let segment = decoder.decode(&packet).expect("a sound packet").expect("TCP");
        let at = segment.payload_at.and_then(|at| usize::try_from(at).ok()).expect("no fragments");
        let payload = at..at + segment.payload.len();
        let header = packet_seq(&packet);
        let lent = Lent {
            file: Arc::clone(file),
            source: segment.source,
            destination: segment.destination,
            seq: header.0,
            syn: header.1 & 2 != 0,
            fin: header.1 & 1 != 0,
            payload: payload.clone(),
        };
        segments.push((
            Segment { payload: file.get(payload).expect("within the file"), ..segment.without_payload() },
            lent,
        ));
    }
    segments
}

/// Sequence number and control bits, as they stand behind an Ethernet and an IPv4 header without options.
fn packet_seq(packet: &capture::Packet<'_>) -> (u32, u8) {
    let seq = packet.data.get(38..42).and_then(<[u8]>::first_chunk).expect("a TCP header");
    (u32::from_be_bytes(*seq), *packet.data.get(47).expect("a TCP header"))
}

/// Lines of a reply to EHLO beyond the first.
const EXTENSION_LINES: u64 = 4;
/// Octets of each capture.
const OCTETS: u64 = 8_000_000;

criterion_group! { name = benches; config = short::short(); targets = protolens }
criterion_main!(benches);
