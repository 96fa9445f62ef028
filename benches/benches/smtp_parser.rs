//! From octets in stream order to SMTP events, and the floor: the line ends of the same streams, found by memchr. The
//! pathological twins: a stream that comes an octet at a time, and a message of nothing but dots at the start of lines.

#![allow(clippy::expect_used, missing_docs, reason = "a bench: a panic shows the fault, and macros make public items")]

mod short;

use std::hint::black_box;

use benches::floor::{FloorCounts, scan_payload};
use benches::generator::{Profile, Streams, streams};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp_parser::{ClientDecoder, ClientMode, Command, ContentItem, ContentScanner, ServerDecoder, SmtpEvent};

fn decoders(criterion: &mut Criterion) {
    for profile in [Profile::LargeMails, Profile::SmallMails] {
        let streams = streams(profile, OCTETS);
        let mut group = criterion.benchmark_group(format!("smtp_parser/{}", profile.name()));
        group.throughput(Throughput::Bytes(streams.client.len() as u64));
        group.bench_function("client", |bencher| bencher.iter(|| client(&streams, SEGMENT_OCTETS)));
        group.bench_function("client, floor", |bencher| bencher.iter(|| line_ends(&streams.client)));
        group.bench_function("client, an octet at a time", |bencher| bencher.iter(|| client(&streams, 1)));
        group.throughput(Throughput::Bytes(streams.server.len() as u64));
        group.bench_function("server", |bencher| bencher.iter(|| server(&streams)));
        group.bench_function("server, floor", |bencher| bencher.iter(|| line_ends(&streams.server)));
        group.finish();
    }
}

fn content(criterion: &mut Criterion) {
    let line = [b"A".repeat(76), b"\r\n".to_vec()].concat();
    for (name, line, octets) in [("base64", line.as_slice(), 78), ("dots", b"..\r\n".as_slice(), 3)] {
        let lines = CONTENT_OCTETS / line.len();
        let wire = [line.repeat(lines).as_slice(), b".\r\n"].concat();
        let mut group = criterion.benchmark_group("smtp_parser/content");
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| assert_eq!(scan(&wire), lines as u64 * octets)));
        group.bench_function(format!("{name}, floor"), |bencher| {
            bencher.iter(|| assert_eq!(line_ends(&wire), lines as u64 + 1));
        });
        group.finish();
    }
}

/// Reads what the clients sent in pieces of `piece` octets, each DATA answered as its server did.
fn client(streams: &Streams, piece: usize) {
    let mut decoder = ClientDecoder::default();
    let mut begun = streams.truth.contents_begun.iter();
    let (mut commands, mut content, mut ends) = (0, 0, 0);
    for mut rest in streams.client.chunks(piece) {
        loop {
            let step = decoder.step(rest);
            let mut is_content = false;
            match step.event {
                Some(SmtpEvent::Command(line)) => {
                    commands += 1;
                    is_content = matches!(line.command, Command::Data) && begun.next() == Some(&true);
                }
                Some(SmtpEvent::Content(octets)) => content += octets.len() as u64,
                Some(SmtpEvent::ContentEnd { octets }) => ends += octets,
                None if step.consumed == rest.len() => break,
                _ => {}
            }
            rest = rest.get(step.consumed..).expect("no more is consumed than was given");
            if is_content {
                decoder.set_mode(ClientMode::Content);
            }
        }
    }
    let truth = &streams.truth;
    assert_eq!((commands, content, ends), (truth.commands, truth.message_octets, truth.message_octets));
}

fn server(streams: &Streams) {
    let (mut decoder, mut replies) = (ServerDecoder::default(), 0);
    for mut rest in streams.server.chunks(SEGMENT_OCTETS) {
        while !rest.is_empty() {
            let step = decoder.step(rest);
            replies += u64::from(matches!(step.event, Some(SmtpEvent::Reply(_))));
            rest = rest.get(step.consumed..).expect("no more is consumed than was given");
        }
    }
    assert_eq!(replies, streams.truth.replies);
}

fn line_ends(octets: &[u8]) -> u64 {
    let mut counts = FloorCounts::default();
    octets.chunks(SEGMENT_OCTETS).for_each(|payload| scan_payload(payload, &mut counts));
    black_box(counts).line_ends
}

/// The octets of the message, counted piece by piece and told at its end.
fn scan(wire: &[u8]) -> u64 {
    let (mut scanner, mut given, mut told) = (ContentScanner::new(), 0, None);
    for mut rest in wire.chunks(PIECE_OCTETS) {
        while !rest.is_empty() {
            let (consumed, item) = scanner.step(rest);
            match item {
                Some(ContentItem::Octets(octets)) => given += octets.len() as u64,
                Some(ContentItem::End { octets }) => told = Some(octets),
                Some(ContentItem::DotLine(_)) | None => {}
            }
            rest = rest.get(consumed..).expect("no more is consumed than was given");
        }
    }
    assert_eq!(told, Some(given));
    given
}

/// Octets of each pair of streams.
const OCTETS: u64 = 4_000_000;
const CONTENT_OCTETS: usize = 4_000_000;
/// What a full Ethernet frame brings.
const SEGMENT_OCTETS: usize = 1_460;
const PIECE_OCTETS: usize = 64 << 10;

criterion_group! { name = benches; config = short::short(); targets = decoders, content }
criterion_main!(benches);
