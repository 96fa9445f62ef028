//! From segments to stream events, next to the floor; pathological twins: every second segment early, one octet in each,
//! a window's worth in reverse order.

#![allow(clippy::expect_used, missing_docs, reason = "a bench: a panic shows the fault, and macros make public items")]

mod short;

use std::io::Cursor;
use std::sync::Arc;

use benches::floor::{Slicing, floor};
use benches::generator::{Profile, Truth, generate};
use capture::{CaptureReader, Decoder, Segment};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reassembly::{Flow, FlowEnd, FlowInfo, FlowLimits, FlowObserver, FlowTable, Interest, StreamEvent};

fn reassembly(criterion: &mut Criterion) {
    for profile in PROFILES {
        let mut file = Vec::new();
        let truth = generate(profile, OCTETS, &mut file).expect("a vector takes all");
        let file: Arc<[u8]> = file.into();
        let in_order = segments(&file);
        assert_eq!(in_order.len() as u64, truth.packets);
        let mut group = criterion.benchmark_group(format!("reassembly/{}", profile.name()));
        group.throughput(Throughput::Bytes(truth.octets));
        group.bench_function("as captured", |bencher| bencher.iter(|| follow(&in_order, &truth)));
        if matches!(profile, Profile::LargeMails | Profile::SmallMails) {
            let swapped = with_pairs_swapped(&in_order);
            group.bench_function("pairs swapped", |bencher| bencher.iter(|| follow(&swapped, &truth)));
        }
        group.bench_function("floor", |bencher| {
            bencher.iter(|| {
                let counts = floor(&*file, Slicing::Strict).expect("a whole file");
                assert_eq!((counts.packets, counts.payload_octets), (truth.packets, truth.payload_octets));
            });
        });
        group.finish();
    }
}

/// Counts what it is told.
#[derive(Debug, Default)]
struct Counter {
    flows: u64,
    closed: u64,
    octets: u64,
    missing: u64,
}

impl FlowObserver for Counter {
    type State = ();

    fn open(&mut self, _: &FlowInfo) {
        self.flows += 1;
    }

    fn event(&mut self, _: &FlowInfo, (): &mut (), event: StreamEvent<'_>) -> Interest {
        match event {
            StreamEvent::Data { bytes, .. } => self.octets += bytes.len() as u64,
            StreamEvent::Gap { len, .. } => self.missing += len,
            StreamEvent::Overlap { .. } | StreamEvent::HalfClosed { .. } => {}
        }
        Interest::Follow
    }

    fn close(&mut self, _: Flow<()>, end: FlowEnd) -> Option<u64> {
        self.closed += u64::from(end == FlowEnd::Closed);
        None
    }
}

fn follow(segments: &[Segment<'_>], truth: &Truth) {
    let (mut table, mut counter) = (FlowTable::new(FlowLimits::default()), Counter::default());
    segments.iter().for_each(|segment| table.push(segment, &mut counter));
    table.finish(&mut counter);
    assert_eq!((counter.flows, counter.closed), (truth.connections, truth.connections));
    assert_eq!((counter.octets, counter.missing), (truth.stream_octets, 0));
}

/// All segments of a capture, their payload lent from the whole file instead of the reader's buffer.
fn segments(file: &Arc<[u8]>) -> Vec<Segment<'_>> {
    let source = Box::new(Cursor::new(Arc::clone(file)));
    let mut reader = CaptureReader::new(source, "bench".into()).expect("a pcap file");
    let mut decoder = Decoder::new();
    let mut segments = Vec::new();
    while let Some(packet) = reader.next_packet().expect("a whole file") {
        let segment = decoder.decode(&packet).expect("a sound packet").expect("TCP");
        let at = segment.payload_at.and_then(|at| usize::try_from(at).ok()).expect("no fragments");
        segments.push(Segment {
            payload: file.get(at..at + segment.payload.len()).expect("within the file"),
            ..segment.without_payload()
        });
    }
    segments
}

/// Neighbours of one direction that both carry data change places, so that the second waits for the first.
fn with_pairs_swapped<'a>(segments: &[Segment<'a>]) -> Vec<Segment<'a>> {
    let mut swapped = segments.to_vec();
    let (pairs, _) = swapped.as_chunks_mut::<2>();
    for [one, other] in pairs {
        let same_direction = (one.source, one.destination) == (other.source, other.destination);
        if same_direction && !one.payload.is_empty() && !other.payload.is_empty() {
            std::mem::swap(one, other);
        }
    }
    swapped
}

/// Those whose connections all close, and have all octets.
const PROFILES: [Profile; 8] = [
    Profile::LargeMails,
    Profile::SmallMails,
    Profile::ShortConnections,
    Profile::Reordered,
    Profile::Elephant,
    Profile::OneOctetSegments,
    Profile::Reversed,
    Profile::EndlessLines,
];
/// Octets of each capture.
const OCTETS: u64 = 8_000_000;

criterion_group! { name = benches; config = short::short(); targets = reassembly }
criterion_main!(benches);
