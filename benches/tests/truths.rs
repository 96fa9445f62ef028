//! The program finds in every kind of traffic exactly what the generator put in.

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

fn assert_truth(profile: Profile) {
    let (truth, report) = analysed(profile);
    let summary = &report.summary;
    assert_eq!((report.capture.packets, report.capture.tcp_connections), (truth.packets, truth.connections));
    let outcomes = [
        summary.completed_transactions,
        summary.rejected_transactions,
        summary.aborted_transactions,
        summary.incomplete_transactions,
    ];
    let expected = [truth.accepted_transactions, truth.rejected_transactions, truth.aborted_transactions, 0];
    assert_eq!(outcomes.map(|n| n as u64), expected);
    assert_eq!((summary.recipients, summary.accepted_recipients), (truth.recipients, truth.accepted_recipients));
    assert_eq!(summary.message_bytes, truth.message_octets);
    // A hundred connections of that flood begin like mail, and are sessions.
    if profile != Profile::OutOfOrder {
        assert_eq!(summary.total_sessions as u64, truth.sessions);
        assert_eq!((summary.tls_sessions as u64, summary.total_commands as u64), (truth.tls_sessions, truth.commands));
    }
}

macro_rules! truths {
    ($($test:ident: $profile:ident)*) => {
        $(#[test]
        fn $test() {
            assert_truth(Profile::$profile);
        })*

        #[test]
        fn every_profile_is_tested() {
            assert_eq!([$(Profile::$profile),*], Profile::ALL);
        }
    };
}

truths! {
    large_mails: LargeMails
    small_mails: SmallMails
    mail_among_web: MailAmongWeb
    short_connections: ShortConnections
    pipelined: Pipelined
    bdat: Bdat
    starttls: StartTls
    implicit_tls: ImplicitTls
    reordered: Reordered
    one_elephant_connection: Elephant
    one_mail_each: OneMailEach
    one_octet_segments: OneOctetSegments
    reversed_to_the_limit: Reversed
    lines_without_end: EndlessLines
    mail_in_a_flood_of_syns: SynFlood
    mail_among_half_open_connections: HalfOpen
    mail_among_octets_out_of_order: OutOfOrder
    mail_among_fragments: Fragments
}

/// Some thousand to forty thousand packets.
const OCTETS: u64 = 3_000_000;
