//! A whole run: every input in order, one recording, one report.

use capture::Decoder;
use reassembly::{FlowLimits, FlowTable};

use crate::connection::Observer;
use crate::pipeline::{self, Counts};
use crate::plan::Plan;
use crate::report::{Capture, CaptureFile, Fragments, Report};
use crate::session::Options;

/// Reads all inputs of a plan. What is wrong with an input stands in [`Capture::files`]; what was read before counts.
pub fn analyse(plan: &Plan, options: Options) -> Report {
    let mut sessions = Vec::new();
    let mut observer = Observer::new(options, |session| sessions.push(session));
    let mut table = FlowTable::new(FlowLimits::default());
    let mut decoder = Decoder::new();
    let mut counts = Counts::default();
    let mut files: Vec<CaptureFile> = Vec::new();
    for input in &plan.inputs {
        files.push(pipeline::read(input, &mut decoder, &mut table, &mut observer, &mut counts));
    }
    table.finish(&mut observer);
    files.extend(plan.unreadable.iter().map(CaptureFile::unreadable));
    let limits = table.limit_counts();
    let decoded = decoder.counts();
    let fragments = Fragments::from(decoded.fragments);
    if fragments.unused > 0 {
        counts.decode_errors.insert("fragment", fragments.unused);
    }
    let reached = [
        ("record_octets", counts.oversized_records),
        ("carriers", decoded.nested_too_deep),
        ("datagrams_in_reassembly", decoded.fragments.limit_reached),
        ("flows", limits.flows_evicted),
        ("held_octets_per_direction", limits.held_per_direction),
        ("held_octets_per_table", limits.held_per_table),
        ("compared_octets_per_table", limits.compared_per_table),
    ];
    let capture = Capture {
        files,
        packets: counts.packets,
        tcp_segments: counts.tcp_segments,
        tcp_connections: table.connections(),
        encapsulations: counts.encapsulations,
        fragments,
        decode_errors: counts.decode_errors,
        limits_reached: reached.into_iter().chain(counts.inputs_ended).filter(|&(_, count)| count > 0).collect(),
    };
    Report::new(sessions, capture)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn testdata(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
    }

    /// The contract: "Several files are one recording: … a connection may begin in one and end in another."
    #[test]
    fn several_files_are_one_recording() {
        let parts = [3, 1, 2].map(|part| testdata(&format!("rotated/part-{part}.pcap")));
        let report = analyse(&Plan::new(&parts), Options::default());
        let whole = analyse(&Plan::new(&[testdata("exim-rotated.pcap")]), Options::default());
        assert_eq!(report.summary, whole.summary);
        assert_eq!(report.capture.packets, whole.capture.packets);
        assert_eq!(report.capture.files.len(), 3);
    }

    #[test]
    fn what_cannot_be_read_stands_behind_what_was() {
        let report = analyse(&Plan::new(&[testdata("missing.pcap"), testdata("exim-plain.pcap")]), Options::default());
        let errors: Vec<bool> = report.capture.files.iter().map(|file| file.error.is_some()).collect();
        assert_eq!(errors, [false, true]);
        assert_eq!(report.summary.total_sessions, 1);
    }
}
