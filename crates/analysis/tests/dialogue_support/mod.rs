//! Dialogues as the RFCs print them, turned into captures, read by the library, compared with what is expected.

mod expectation;
mod script;

use analysis::plan::Plan;
use analysis::session::Options;
use analysis::{features, run};
use kit::KitPacket;
use serde_json::Value;

pub(crate) use expectation::expect;
#[allow(unused_imports, reason = "only one of the two test programs takes steps apart")]
pub(crate) use script::{Role, Step};
pub(crate) use script::{parse, play};

/// What `features` prints for captures of these packets, one file for each list, the files in no order.
pub(crate) fn analyse(files: &[&[KitPacket]]) -> Value {
    let directory = tempfile::tempdir().expect("a directory for captures");
    for (i, packets) in files.iter().enumerate() {
        // The first file gets the last name: only the packets' times say which comes first.
        let name = format!("{:03}.pcap", files.len() - i);
        std::fs::write(directory.path().join(name), kit::pcap(packets)).expect("a capture is written");
    }
    let report = run::analyse(&Plan::new(&[directory.path().to_owned()]), Options::default());
    let mut document = Vec::new();
    features::write(&report, &mut document).expect("a vector takes all");
    serde_json::from_slice(&document).expect("one JSON document")
}
