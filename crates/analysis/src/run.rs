//! A whole run: every input in order, one recording, one report.

use capture::{Decoder, FragmentLimits, ReaderLimits, Segment};
use reassembly::{FlowLimits, FlowTable};

use crate::connection::Observer;
use crate::model::{Late, Session};
use crate::pipeline::{self, Inputs};
use crate::plan::Plan;
use crate::report::{Capture, CaptureFile, Fragments, Report};
use crate::session::Options;
use crate::shards::Shards;
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
    let (sessions, capture) = read_within(plan, options, limits, Vec::new, |_| true);
    Report::new(sessions.into_iter().flatten().collect(), capture)
}

/// Takes in the sessions of a recording, one by one. There are several of them for one recording, which work at the same
/// time: all connections of a 4-tuple have one collector, and which one that is does not depend on the run.
pub trait Collector: Send {
    /// A session has ended, at the packet of this number in the recording, from 0, or ([`u64::MAX`]) with it. They come in the
    /// order in which they end.
    fn session(&mut self, session: Session, moment: u64);

    /// The session that came as number `number`, from 0, had a packet after its end, which is to be added to it.
    fn late(&mut self, number: u64, late: Late);

    /// Where all octets of messages are to be kept, if they are.
    fn spool(&self) -> Option<Spool> {
        None
    }
}

/// Keeps them all.
impl Collector for Vec<Session> {
    fn session(&mut self, session: Session, _: u64) {
        self.push(session);
    }

    fn late(&mut self, number: u64, late: Late) {
        if let Some(session) = usize::try_from(number).ok().and_then(|number| self.get_mut(number)) {
            session.add(late);
        }
    }
}

impl<C: Collector> Collector for &mut C {
    fn session(&mut self, session: Session, moment: u64) {
        (**self).session(session, moment);
    }

    fn late(&mut self, number: u64, late: Late) {
        (**self).late(number, late);
    }

    fn spool(&self) -> Option<Spool> {
        (**self).spool()
    }
}

/// Reads all inputs of a plan, by all threads of the pool it is called in, and hands over each session as it ends to one of the
/// collectors that `collector` makes. What is wrong with an input stands in [`Capture::files`]; what was read before counts.
///
/// From time to time, and at the end, `settle` is given all collectors: whatever ended before that moment is in them, and
/// nothing that ended after it. Where it says no, nothing more is read, and the same where [`Plan::progress`] is told to stop.
pub fn read<C: Collector>(
    plan: &Plan,
    options: Options,
    collector: impl FnMut() -> C,
    settle: impl FnMut(&mut dyn Iterator<Item = &mut C>) -> bool,
) -> (Vec<C>, Capture) {
    read_within(plan, options, Limits::default(), collector, settle)
}

/// The same within other limits.
pub fn read_within<C: Collector>(
    plan: &Plan,
    options: Options,
    limits: Limits,
    collector: impl FnMut() -> C,
    mut settle: impl FnMut(&mut dyn Iterator<Item = &mut C>) -> bool,
) -> (Vec<C>, Capture) {
    let mut shards = Shards::new(options, limits.flows, collector);
    let mut decoder = Decoder::with_limits(limits.fragments);
    let mut inputs = Inputs::new(plan, limits.reader);
    let mut settle = |shards: &mut Shards<C>| settle(&mut shards.collectors());
    if rayon::current_num_threads() > 1 {
        pipeline::read_in_parallel(&mut inputs, &mut decoder, &mut shards, &mut settle);
    } else {
        pipeline::read_in_turn(&mut inputs, &mut decoder, &mut shards, &mut settle);
    }
    shards.finish();
    settle(&mut shards);
    let interrupted = inputs.were_interrupted();
    let (mut files, seen, mut limits_reached) = inputs.finish();
    files.extend(plan.unreadable.iter().map(CaptureFile::unreadable));
    let decoded = decoder.counts();
    let fragments = Fragments::from(decoded.fragments);
    let mut decode_errors = seen.decode_errors;
    if fragments.unused > 0 {
        decode_errors.insert("fragment", fragments.unused);
    }
    let of_decoder =
        [("carriers", decoded.nested_too_deep), ("datagrams_in_reassembly", decoded.fragments.limit_reached)];
    let of_plan = plan.unreadable.iter().filter_map(|input| Some((input.limit_reached?, 1)));
    for (limit, times) in of_decoder.into_iter().chain(of_plan).chain(shards.limits_reached()) {
        *limits_reached.entry(limit).or_default() += times;
    }
    limits_reached.retain(|_, times| *times > 0);
    let capture = Capture {
        packets: files.iter().map(|file| file.packets).sum(),
        files,
        interrupted,
        tcp_segments: seen.tcp_segments,
        cut_packets: seen.cut_packets,
        tcp_connections: shards.connections(),
        unclaimed_octets: shards.unclaimed_octets(),
        encapsulations: seen.encapsulations,
        fragments,
        decode_errors,
        limits_reached,
    };
    (shards.into_collectors(), capture)
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
    for (moment, segment) in (0..).zip(segments) {
        observer.at(moment);
        table.push(&segment, &mut observer);
    }
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
    fn a_whole_file_is_read_without_error() {
        let capture = analyse(&Plan::new(&[testdata("postfix-plain.pcap")]), Options::default()).capture;
        let [file] = capture.files.as_slice() else { panic!("one file: {:?}", capture.files) };
        assert_eq!((file.format, file.truncated, &file.error), (Some("pcap"), false, &None));
        assert_eq!(file.packets, capture.packets);
        assert!(file.first_seen < file.last_seen && capture.tcp_segments <= capture.packets);
    }

    /// What is said of a command or a reply can be looked up: its packet, counted from 1, holds its end.
    #[test]
    fn commands_and_replies_know_their_packets() {
        let path = testdata("exim-pipelining.pcap");
        let mut packets = Vec::new();
        let mut reader = capture::CaptureReader::open(&path).expect("the capture");
        while let Ok(Some(packet)) = reader.next_packet() {
            packets.push(packet.data.to_vec());
        }
        let report = analyse(&Plan::new(&[path]), Options::default());
        let (_, session) = report.sessions.first().expect("a session");
        let holds = |spot: crate::model::Spot, text: &str| {
            let number = usize::try_from(spot.packet.expect("a packet").get()).expect("few");
            memchr::memmem::find(&packets[number - 1], text.as_bytes()).is_some()
        };
        assert!(session.commands.len() > 3 && session.responses.len() > 3);
        assert!(session.commands.iter().all(|command| holds(command.spot, &command.command)));
        assert!(session.responses.iter().all(|reply| holds(reply.spot, &reply.code.to_string())));
        let offsets: Vec<u64> = session.commands.iter().map(|command| command.spot.offset).collect();
        assert!(offsets.first() == Some(&0) && offsets.is_sorted(), "{offsets:?}");
    }

    /// The contract and the design: what was read before an error counts.
    #[test]
    fn a_file_cut_in_its_last_record_has_all_packets_but_that() {
        let whole = analyse(&Plan::new(&[testdata("postfix-plain.pcap")]), Options::default());
        let octets = std::fs::read(testdata("postfix-plain.pcap")).expect("the capture");
        let cut = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(cut.path(), octets.get(..octets.len() - 1).expect("octets")).expect("a copy");
        let report = analyse(&Plan::new(&[cut.path().to_owned()]), Options::default());
        let [file] = report.capture.files.as_slice() else { panic!("one file: {:?}", report.capture.files) };
        assert_eq!((file.packets, file.truncated), (whole.capture.packets - 1, true));
        assert_eq!(report.sessions.len(), 1);
        assert!(file.error.as_ref().is_some_and(|error| error.contains(" octet ")));
    }

    #[test]
    fn what_cannot_be_read_stands_behind_what_was() {
        let report = analyse(&Plan::new(&[testdata("missing.pcap"), testdata("exim-plain.pcap")]), Options::default());
        let errors: Vec<bool> = report.capture.files.iter().map(|file| file.error.is_some()).collect();
        assert_eq!(errors, [false, true]);
        assert_eq!(report.summary.total_sessions, 1);
    }

    /// What was read until then is followed to its end, and it is said that there was more.
    #[test]
    fn reading_ends_where_it_is_interrupted() {
        for threads in [1, 3] {
            let plan = Plan::new(&[testdata("")]);
            let stop = |_: &mut dyn Iterator<Item = &mut Vec<Session>>| {
                plan.progress.stop().store(true, std::sync::atomic::Ordering::Relaxed);
                true
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let (_, capture) = pool.install(|| read(&plan, Options::default(), Vec::new, stop));
            assert!(capture.interrupted && capture.packets > 0, "{capture:?}");
            let read: Vec<_> = capture.files.iter().map(|file| (file.truncated, file.error.is_some())).collect();
            assert!(read.len() < plan.inputs.len() && read.iter().all(|&damage| damage == (false, false)), "{read:?}");
        }
    }

    #[test]
    fn what_was_read_to_its_end_is_not_interrupted() {
        let plan = Plan::new(&[testdata("exim-plain.pcap"), testdata("rotated")]);
        let octets: u64 = plan.inputs.iter().map(|input| input.path.metadata().expect("a file").len()).sum();
        let (_, capture) = read(&plan, Options::default(), Vec::new, |_| true);
        assert!(!capture.interrupted);
        assert_eq!((plan.octets(), plan.progress.octets()), (Some(octets), octets));
    }

    /// Who wants no more gets no more.
    #[test]
    fn reading_ends_where_nothing_more_is_wanted() {
        let plan = Plan::new(&[testdata("")]);
        let enough =
            |sessions: &mut dyn Iterator<Item = &mut Vec<Session>>| sessions.map(|some| some.len()).sum::<usize>() == 0;
        let (sessions, capture) = read(&plan, Options::default(), Vec::new, enough);
        let (packets, some) = (capture.packets, sessions.concat().len());
        let all = analyse(&plan, Options::default()).capture.packets;
        assert!(packets < all && some > 0, "{packets} of {all} packets");
    }
}
