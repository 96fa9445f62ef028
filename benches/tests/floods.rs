//! Mail in a flood is analysed like mail without one.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::BufWriter;

use analysis::plan::Plan;
use analysis::report::Report;
use analysis::run;
use analysis::session::Options;
use benches::generator::{Profile, Truth, generate};

fn analysed(profile: Profile) -> (Truth, Report) {
    let directory = tempfile::tempdir().expect("a directory for the capture");
    let path = directory.path().join("capture.pcap");
    let file = BufWriter::new(File::create(&path).expect("a file for the capture"));
    let truth = generate(profile, OCTETS, file).expect("the capture is written");
    let report = run::analyse(&Plan::new(&[path]), Options::default());
    (truth, report)
}

fn assert_mails(truth: &Truth, report: &Report) {
    let summary = &report.summary;
    assert_eq!(report.capture.packets, truth.packets);
    assert_eq!(truth.sessions, 10);
    let outcomes =
        [summary.completed_transactions, summary.rejected_transactions, summary.aborted_transactions].map(|n| n as u64);
    assert_eq!(outcomes, [truth.accepted_transactions, truth.rejected_transactions, truth.aborted_transactions]);
    assert_eq!((summary.recipients, summary.accepted_recipients), (truth.recipients, truth.accepted_recipients));
    assert_eq!(summary.message_bytes, truth.message_octets);
}

#[test]
fn mail_in_a_flood_of_syns() {
    let (truth, report) = analysed(Profile::SynFlood);
    assert_mails(&truth, &report);
    assert_eq!(report.capture.tcp_connections, truth.connections);
    assert_eq!(report.summary.total_sessions as u64, truth.sessions);
}

#[test]
fn mail_among_octets_out_of_order() {
    let (truth, report) = analysed(Profile::OutOfOrder);
    assert_mails(&truth, &report);
    assert_eq!(report.capture.tcp_connections, truth.connections);
}

#[test]
fn mail_among_fragments() {
    let (truth, report) = analysed(Profile::Fragments);
    assert_mails(&truth, &report);
    assert_eq!(report.capture.tcp_connections, truth.connections);
    assert_eq!(report.summary.total_sessions as u64, truth.sessions);
}

/// Forty thousand packets.
const OCTETS: u64 = 3_000_000;
