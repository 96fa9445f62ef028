//! A whole run: every input in order, one recording, one report.

use capture::{Decoder, FragmentLimits, ReaderLimits, Segment};
use reassembly::{FlowLimits, FlowTable};

use crate::connection::Observer;
use crate::model::{Late, Session};
use crate::pipeline::{self, Counts};
use crate::plan::Plan;
use crate::report::{Capture, CaptureFile, Fragments, Report};
use crate::session::Options;
use crate::spool::Spool;

/// What a run may hold at most. What is kept of sessions stands in [`Options`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of each input's reader.
    pub reader: ReaderLimits,
    /// Of fragments that wait to be whole.
    pub fragments: FragmentLimits,
    /// Of connections.
    pub flows: FlowLimits,
}

/// Reads all inputs of a plan and keeps every session, for who needs them all at once.
pub fn analyse(plan: &Plan, options: Options) -> Report {
    analyse_within(plan, options, Limits::default())
}

/// The same within other limits.
pub fn analyse_within(plan: &Plan, options: Options, limits: Limits) -> Report {
    let mut sessions = Vec::new();
    let capture = read_within(plan, options, limits, &mut sessions);
    Report::new(sessions, capture)
}

/// Takes in the sessions of a recording, one by one.
pub trait Collector {
    /// A session has ended. They come in the order in which they end.
    fn session(&mut self, session: Session);

    /// The session that came as number `number`, from 0, had a packet after its end, which is to be added to it.
    fn late(&mut self, number: u64, late: Late);

    /// Where all octets of messages are to be kept, if they are.
    fn spool(&self) -> Option<Spool> {
        None
    }

    /// Whether to read on. It is asked at each packet.
    fn wants_more(&self) -> bool {
        true
    }
}

/// Keeps them all.
impl Collector for Vec<Session> {
    fn session(&mut self, session: Session) {
        self.push(session);
    }

    fn late(&mut self, number: u64, late: Late) {
        if let Some(session) = usize::try_from(number).ok().and_then(|number| self.get_mut(number)) {
            session.add(late);
        }
    }
}

/// Reads all inputs of a plan and hands over each session as it ends. What is wrong with an input stands in
/// [`Capture::files`]; what was read before counts.
pub fn read(plan: &Plan, options: Options, collector: &mut impl Collector) -> Capture {
    read_within(plan, options, Limits::default(), collector)
}

/// The same within other limits.
pub fn read_within(plan: &Plan, options: Options, limits: Limits, collector: &mut impl Collector) -> Capture {
    let mut observer = Observer::new(options, collector);
    let mut table = FlowTable::new(limits.flows);
    let mut decoder = Decoder::with_limits(limits.fragments);
    let mut counts = Counts::default();
    let mut files: Vec<CaptureFile> = Vec::new();
    for input in &plan.inputs {
        files.push(pipeline::read(input, limits.reader, &mut decoder, &mut table, &mut observer, &mut counts));
    }
    table.finish(&mut observer);
    files.extend(plan.unreadable.iter().map(CaptureFile::unreadable));
    plan.unreadable.iter().filter_map(|input| input.limit_reached).for_each(|limit| counts.reached(limit, 1));
    let of_sessions = observer.limits_reached();
    let of_flows = table.limit_counts();
    let decoded = decoder.counts();
    let fragments = Fragments::from(decoded.fragments);
    if fragments.unused > 0 {
        counts.decode_errors.insert("fragment", fragments.unused);
    }
    let reached = [
        ("carriers", decoded.nested_too_deep),
        ("datagrams_in_reassembly", decoded.fragments.limit_reached),
        ("flows", of_flows.flows_evicted),
        ("held_octets_per_direction", of_flows.held_per_direction),
        ("held_octets_per_table", of_flows.held_per_table),
        ("compared_octets_per_table", of_flows.compared_per_table),
    ];
    Capture {
        files,
        packets: counts.packets,
        tcp_segments: counts.tcp_segments,
        tcp_connections: table.connections(),
        unclaimed_octets: table.unclaimed_octets(),
        encapsulations: counts.encapsulations,
        fragments,
        decode_errors: counts.decode_errors,
        limits_reached: reached
            .into_iter()
            .chain(of_sessions.by_name())
            .chain(counts.limits_reached)
            .filter(|&(_, count)| count > 0)
            .collect(),
    }
}

/// Follows segments that come from elsewhere than a capture file, in the order of their times, and hands over each session
/// as it ends.
pub fn follow<'a>(
    segments: impl IntoIterator<Item = Segment<'a>>,
    options: Options,
    limits: FlowLimits,
    collector: &mut impl Collector,
) {
    let mut observer = Observer::new(options, collector);
    let mut table = FlowTable::new(limits);
    segments.into_iter().for_each(|segment| table.push(&segment, &mut observer));
    table.finish(&mut observer);
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

    /// Who wants no more gets no more.
    #[test]
    fn reading_ends_where_nothing_more_is_wanted() {
        struct First(usize);
        impl Collector for First {
            fn session(&mut self, _: Session) {
                self.0 += 1;
            }

            fn late(&mut self, _: u64, _: Late) {}

            fn wants_more(&self) -> bool {
                self.0 == 0
            }
        }
        let plan = Plan::new(&[testdata("quickstart.pcapng")]);
        let mut first = First(0);
        let packets = read(&plan, Options::default(), &mut first).packets;
        let all = analyse(&plan, Options::default()).capture.packets;
        assert!(packets < all && first.0 > 0, "{packets} of {all} packets");
    }
}
