//! From a capture file to the report and to the document of `features`, next to the floor.

#![allow(clippy::expect_used, missing_docs, reason = "a bench: a panic shows the fault, and macros make public items")]

mod short;

use std::io;
use std::path::Path;

use analysis::plan::Plan;
use analysis::report::Report;
use analysis::session::Options;
use analysis::{features, run};
use benches::floor::{Slicing, floor};
use benches::generator::{Profile, Truth, generate};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn pipeline(criterion: &mut Criterion) {
    for profile in Profile::ALL {
        let directory = tempfile::tempdir().expect("a directory for the capture");
        let path = directory.path().join("capture.pcap");
        let file = std::fs::File::create(&path).expect("a file for the capture");
        let truth = generate(profile, OCTETS, io::BufWriter::new(file)).expect("the capture is written");
        let mut group = criterion.benchmark_group(format!("pipeline/{}", profile.name()));
        group.throughput(Throughput::Bytes(truth.octets));
        group.bench_function("floor", |bencher| {
            bencher.iter(|| {
                let file = std::fs::File::open(&path).expect("the capture");
                let counts = floor(file, Slicing::Strict).expect("a whole file");
                assert_eq!((counts.octets, counts.packets), (truth.octets, truth.packets));
            });
        });
        group.bench_function("report", |bencher| bencher.iter(|| report(profile, &path, &truth)));
        group.bench_function("features", |bencher| {
            bencher.iter(|| features::write(&report(profile, &path, &truth), io::sink()).expect("a sink takes all"));
        });
        group.finish();
    }
}

fn report(profile: Profile, path: &Path, truth: &Truth) -> Report {
    let report = run::analyse(&Plan::new(&[path.to_owned()]), Options::default());
    let summary = &report.summary;
    assert_eq!((report.capture.packets, report.capture.tcp_connections), (truth.packets, truth.connections));
    // A hundred connections of that flood begin like mail, and are sessions.
    if profile != Profile::OutOfOrder {
        assert_eq!(summary.total_sessions as u64, truth.sessions);
    }
    let outcomes = (summary.completed_transactions, summary.rejected_transactions, summary.aborted_transactions);
    let (accepted, rejected, aborted) = outcomes;
    assert_eq!(
        (accepted as u64, rejected as u64, aborted as u64),
        (truth.accepted_transactions, truth.rejected_transactions, truth.aborted_transactions)
    );
    assert_eq!((summary.recipients, summary.accepted_recipients), (truth.recipients, truth.accepted_recipients));
    assert_eq!(summary.message_bytes, truth.message_octets);
    report
}

/// Small enough for a look in continuous integration.
const OCTETS: u64 = 8 << 20;

criterion_group! { name = benches; config = short::short(); targets = pipeline }
criterion_main!(benches);
