//! From a file in memory to segments, next to the floor.

#![allow(clippy::expect_used, missing_docs, reason = "a bench: a panic shows the fault, and macros make public items")]

mod short;

use std::io::Cursor;
use std::sync::Arc;

use benches::floor::{Slicing, floor};
use benches::generator::{Profile, generate};
use capture::{CaptureReader, Decoder};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn capture(criterion: &mut Criterion) {
    // A fragment that never becomes whole is no segment: that flood has no payload to count.
    for profile in Profile::ALL.into_iter().filter(|&profile| profile != Profile::Fragments) {
        let mut file = Vec::new();
        let truth = generate(profile, OCTETS, &mut file).expect("a vector takes all");
        let file: Arc<[u8]> = file.into();
        let mut group = criterion.benchmark_group(format!("capture/{}", profile.name()));
        group.throughput(Throughput::Bytes(truth.octets));
        group.bench_function("reader", |bencher| {
            bencher.iter(|| {
                let mut reader = open(&file);
                let mut octets = 0;
                while let Some(packet) = reader.next_packet().expect("a whole file") {
                    octets += u64::from(packet.original_len);
                }
                assert_eq!((reader.packets(), reader.octets()), (truth.packets, truth.octets));
                octets
            });
        });
        group.bench_function("reader and decoder", |bencher| {
            bencher.iter(|| {
                let (mut reader, mut decoder) = (open(&file), Decoder::new());
                let (mut segments, mut octets) = (0, 0);
                while let Some(packet) = reader.next_packet().expect("a whole file") {
                    let segment = decoder.decode(&packet).expect("a sound packet").expect("TCP");
                    segments += 1;
                    octets += segment.payload.len() as u64;
                }
                assert_eq!((segments, octets), (truth.packets, truth.payload_octets));
            });
        });
        for (name, slicing) in [("floor, strict", Slicing::Strict), ("floor, lax", Slicing::Lax)] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let counts = floor(&*file, slicing).expect("a whole file");
                    assert_eq!((counts.packets, counts.payload_octets), (truth.packets, truth.payload_octets));
                    counts
                });
            });
        }
        group.finish();
    }
}

fn open(file: &Arc<[u8]>) -> CaptureReader {
    CaptureReader::new(Box::new(Cursor::new(Arc::clone(file))), "bench".into()).expect("a pcap file")
}

/// Octets of each capture: more than the second-level cache of common processors.
const OCTETS: u64 = 8_000_000;

criterion_group! { name = benches; config = short::short(); targets = capture }
criterion_main!(benches);
