//! One input, from its packets to the connections' table, in one thread.

use std::collections::BTreeMap;

use capture::{DecodeError, Decoder, Encapsulation};
use reassembly::FlowTable;

use crate::connection::{Connection, Observer};
use crate::model::Session;
use crate::output::time::Time;
use crate::plan::Input;
use crate::report::CaptureFile;

/// What was counted while reading.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    pub(crate) tcp_segments: u64,
    /// Segments that each kind of carrier was around.
    pub(crate) encapsulations: BTreeMap<&'static str, u64>,
    pub(crate) decode_errors: BTreeMap<&'static str, u64>,
    pub(crate) oversized_records: u64,
}

impl Counts {
    /// Counts each kind of carrier once for a segment, however often it is around it.
    fn add(&mut self, encapsulation: &Encapsulation) {
        for (place, carrier) in encapsulation.iter().enumerate() {
            if !encapsulation.iter().take(place).any(|outer| outer == carrier) {
                *self.encapsulations.entry(carrier.name()).or_default() += 1;
            }
        }
    }
}

/// Reads one input to its end or to where it is damaged.
pub(crate) fn read<F: FnMut(Session)>(
    input: &Input,
    table: &mut FlowTable<Connection>,
    observer: &mut Observer<F>,
    counts: &mut Counts,
) -> CaptureFile {
    let mut file = CaptureFile::new(&input.path);
    let mut reader = match input.open() {
        Ok(reader) => reader,
        Err(e) => {
            file.fail(&e);
            return file;
        }
    };
    file.format = Some(reader.format().name());
    let mut decoder = Decoder::new();
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(e) => {
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
            Err(e) => *counts.decode_errors.entry(DecodeError::name(e)).or_default() += 1,
        }
    }
    file.packets = reader.packets();
    file.octets = reader.octets();
    counts.packets += reader.packets();
    counts.oversized_records += reader.oversized_records();
    file
}
