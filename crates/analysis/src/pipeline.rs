//! One input, from its packets to the connections' table, in one thread.

use std::collections::BTreeMap;

use capture::{Compression, DecodeError, Decoder, Encapsulation, LinkType, ReaderLimits};
use reassembly::FlowTable;

use crate::condition::{Condition, UnreadLink};
use crate::connection::{Connection, Observer};
use crate::output::time::Time;
use crate::plan::Input;
use crate::report::CaptureFile;
use crate::run::Collector;

/// What was counted while reading.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    pub(crate) tcp_segments: u64,
    /// Segments that each kind of carrier was around.
    pub(crate) encapsulations: BTreeMap<&'static str, u64>,
    pub(crate) decode_errors: BTreeMap<&'static str, u64>,
    /// How often each limit of a reader was reached, by its name.
    pub(crate) limits_reached: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn ended_by(&mut self, error: &capture::Error) {
        if let Some(limit) = error.limit_reached() {
            self.reached(limit, 1);
        }
    }

    pub(crate) fn reached(&mut self, limit: &'static str, times: u64) {
        *self.limits_reached.entry(limit).or_default() += times;
    }

    /// Counts each kind of carrier once for a segment, however often it is around it.
    fn add(&mut self, encapsulation: &Encapsulation) {
        for (place, carrier) in encapsulation.iter().enumerate() {
            if !encapsulation.iter().take(place).any(|outer| outer == carrier) {
                *self.encapsulations.entry(carrier.name()).or_default() += 1;
            }
        }
    }
}

/// Reads one input to its end or to where it is damaged. The decoder is that of the whole recording: a datagram may come
/// in fragments that stand in two files.
pub(crate) fn read<C: Collector>(
    input: &Input,
    limits: ReaderLimits,
    decoder: &mut Decoder,
    table: &mut FlowTable<Connection>,
    observer: &mut Observer<'_, C>,
    counts: &mut Counts,
) -> CaptureFile {
    let mut file = CaptureFile::new(&input.path);
    let mut reader = match input.open(limits) {
        Ok(reader) => reader,
        Err(e) => {
            file.compression = e.compression().map(Compression::name);
            counts.ended_by(&e);
            file.fail(&e);
            return file;
        }
    };
    let mut unread_link_types = BTreeMap::new();
    file.format = Some(reader.format().name());
    file.compression = reader.compression().map(Compression::name);
    while observer.wants_more() {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(e) => {
                counts.ended_by(&e);
                file.fail(&e);
                break;
            }
        };
        let time = Time(packet.timestamp);
        file.first_seen = Some(file.first_seen.map_or(time, |first| first.min(time)));
        file.last_seen = Some(file.last_seen.map_or(time, |last| last.max(time)));
        match decoder.decode(&packet) {
            Ok(Some(segment)) => {
                counts.tcp_segments += 1;
                counts.add(&segment.encapsulation);
                table.push(&segment, observer);
            }
            Ok(None) => {}
            Err(e) => {
                if let DecodeError::UnsupportedLinkType(LinkType(link_type)) = e {
                    let first = UnreadLink { offset: packet.data_at, packets: 0 };
                    unread_link_types.entry(link_type).or_insert(first).packets += 1;
                }
                *counts.decode_errors.entry(DecodeError::name(e)).or_default() += 1;
            }
        }
    }
    file.packets = reader.packets();
    file.octets = reader.octets();
    file.condition = Condition { unread_link_types, ..Condition::of(&reader) };
    counts.packets += reader.packets();
    counts.reached("record_octets", reader.oversized_records());
    counts.reached("interfaces", reader.further_interfaces());
    counts.reached("damaged_places", reader.damage().further_places());
    counts.reached("comments", reader.comments().further());
    file
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use reassembly::FlowLimits;

    use super::*;
    use crate::plan::Plan;
    use crate::session::Options;

    fn read_one(path: PathBuf) -> (CaptureFile, Counts, usize) {
        let plan = Plan::new(&[path]);
        let input = plan.inputs.first().expect("an input");
        let mut sessions = Vec::new();
        let mut observer = Observer::new(Options::default(), &mut sessions);
        let mut table = FlowTable::new(FlowLimits::default());
        let mut counts = Counts::default();
        let file = read(input, ReaderLimits::default(), &mut Decoder::new(), &mut table, &mut observer, &mut counts);
        table.finish(&mut observer);
        (file, counts, sessions.len())
    }

    fn plain() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/postfix-plain.pcap")
    }

    #[test]
    fn a_whole_file_is_read_without_error() {
        let (file, counts, sessions) = read_one(plain());
        assert_eq!((file.format, file.truncated, file.error), (Some("pcap"), false, None));
        assert_eq!((file.packets, sessions), (counts.packets, 1));
        assert!(file.first_seen < file.last_seen && counts.tcp_segments <= counts.packets);
    }

    /// The contract and the design: what was read before an error counts.
    #[test]
    fn a_file_cut_in_its_last_record_has_all_packets_but_that() {
        let (whole, ..) = read_one(plain());
        let octets = std::fs::read(plain()).expect("the capture");
        let cut = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(cut.path(), octets.get(..octets.len() - 1).expect("octets")).expect("a copy");
        let (file, _, sessions) = read_one(cut.path().to_owned());
        assert_eq!((file.packets, file.truncated, sessions), (whole.packets - 1, true, 1));
        assert!(file.error.is_some_and(|error| error.contains(" octet ")));
    }
}
