//! The inputs of a plan as one recording, and what became of each.
//!
//! One after the other, as rotated files are; where an input begins before the one that is read has ended, as when two taps
//! record one direction each, their packets are merged by time, those of the earlier input first.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use capture::{CaptureReader, Compression, Error, PacketBatch, ReaderLimits, Timestamp};

use super::{Batch, Seen};
use crate::condition::Condition;
use crate::plan::{Input, Plan};
use crate::progress::Progress;
use crate::report::CaptureFile;

/// See the module.
pub(crate) struct Inputs<'p> {
    left: slice::Iter<'p, Input>,
    limits: ReaderLimits,
    progress: &'p Progress,
    /// Reading ended before the inputs did.
    interrupted: bool,
    /// Those that are read, in the order in which they begin.
    open: Vec<Open>,
    /// How many inputs were left when one of them had to wait, because too many are open.
    waits: Option<usize>,
    /// What was seen of each.
    files: Vec<(CaptureFile, Seen)>,
    /// How often each limit was reached, by its name.
    limits_reached: BTreeMap<&'static str, u64>,
}

/// An input that is read.
struct Open {
    /// The number of its file.
    file: usize,
    reader: CaptureReader,
    /// Whether it is read only once: then its source knows when to end.
    ends_itself: bool,
    clock: Clock,
    /// Packets that were read and not taken, from this number on.
    ahead: PacketBatch,
    taken: usize,
}

/// Inputs that are open at a time: each has a buffer and a handle. Further ones wait until one has ended.
const OPEN_INPUTS: usize = 64;

/// Packets and octets of a batch that is merged.
const MERGED_PACKETS: usize = 4096;
const MERGED_OCTETS: usize = 512 << 10;

impl<'p> Inputs<'p> {
    /// These inputs, none of which is open yet.
    pub(crate) fn new(plan: &'p Plan, limits: ReaderLimits) -> Self {
        Self {
            left: plan.inputs.iter(),
            limits,
            progress: &plan.progress,
            interrupted: false,
            open: Vec::new(),
            waits: None,
            files: Vec::new(),
            limits_reached: BTreeMap::new(),
        }
    }

    /// Whether reading is to end here.
    fn is_to_stop(&self) -> bool {
        self.progress.is_stopped() && !self.open.iter().any(|open| open.ends_itself)
    }

    /// Whether reading was ended from outside before the inputs were.
    pub(crate) fn were_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Fills a batch with the next packets of the recording. `false` where there are no more, or where reading is to end.
    pub(super) fn fill(&mut self, batch: &mut Batch) -> bool {
        loop {
            if self.is_to_stop() {
                self.interrupted |= !self.open.is_empty() || self.left.len() > 0;
                self.close_all();
                return false;
            }
            if self.open.is_empty() && !self.open_next() {
                return false;
            }
            match self.open.as_mut_slice() {
                [only] if only.is_drained() => match only.reader.next_batch(&mut batch.packets) {
                    Ok(true) => {
                        let (before, next) = (only.clock, self.left.as_slice().first());
                        if next.is_none_or(|next| !next.begins_before(only.clock.pass(&batch.packets))) {
                            batch.is_of(only.file);
                            return true;
                        }
                        // The next input belongs in the midst of these packets.
                        std::mem::swap(&mut only.ahead, &mut batch.packets);
                        (only.clock, only.taken) = (before, 0);
                    }
                    Ok(false) => self.close(0, Ok(())),
                    Err(e) => self.close(0, Err(e)),
                },
                _ => {
                    if self.merge(batch) {
                        return true;
                    }
                }
            }
        }
    }

    /// Fills a batch with packets of several inputs by their times. `false` where none came.
    fn merge(&mut self, batch: &mut Batch) -> bool {
        batch.start_merging();
        while batch.packets.len() < MERGED_PACKETS && batch.packets.octets().len() < MERGED_OCTETS {
            if let [only] = self.open.as_slice()
                && only.is_drained()
            {
                break;
            }
            self.read_ahead();
            // Those of one moment in the order in which their inputs begin.
            let times = self.open.iter().enumerate().filter_map(|(place, open)| Some((open.next_time()?, place)));
            let Some((time, place)) = times.min() else { break };
            if let Some(next) = self.left.as_slice().first()
                && next.begins_before(time)
            {
                if self.open.len() < OPEN_INPUTS {
                    self.open_next();
                    continue;
                }
                // Counted once for each input that has to wait.
                if self.waits != Some(self.left.len()) {
                    self.waits = Some(self.left.len());
                    self.reached("open_inputs", 1);
                }
            }
            if let Some(open) = self.open.get_mut(place) {
                open.take(batch);
            }
        }
        !batch.packets.is_empty()
    }

    /// Sees to it that each open input has a packet ahead. Those that have none are closed.
    fn read_ahead(&mut self) {
        let mut place = 0;
        while let Some(open) = self.open.get_mut(place) {
            if !open.is_drained() {
                place += 1;
                continue;
            }
            open.taken = 0;
            match open.reader.next_batch(&mut open.ahead) {
                Ok(true) => {}
                Ok(false) => self.close(place, Ok(())),
                Err(e) => self.close(place, Err(e)),
            }
        }
    }

    /// Opens the next input that can be opened. `false` where there is none.
    fn open_next(&mut self) -> bool {
        while let Some(input) = self.left.next() {
            let mut file = CaptureFile::new(&input.path);
            let opened = input.open(self.limits, self.progress);
            file.compression = match &opened {
                Ok(reader) => reader.compression(),
                Err(e) => e.compression(),
            }
            .map(Compression::name);
            file.format = opened.as_ref().ok().map(|reader| reader.format().name());
            let number = self.files.len();
            self.files.push((file, Seen::default()));
            match opened {
                Ok(reader) => {
                    let (clock, ends_itself) = (Clock::new(input.begins), input.is_read_once());
                    let ahead = PacketBatch::default();
                    self.open.push(Open { file: number, reader, ends_itself, clock, ahead, taken: 0 });
                    return true;
                }
                Err(e) => self.ended_by(number, &e),
            }
        }
        false
    }

    /// Takes note of the state in which an open input was left, and closes it.
    fn close(&mut self, place: usize, end: Result<(), Error>) {
        let Open { file: number, reader, ahead, taken, .. } = self.open.remove(place);
        let reached = [
            ("record_octets", reader.oversized_records()),
            ("interfaces", reader.further_interfaces()),
            ("damaged_places", reader.damage().further_places()),
            ("comments", reader.comments().further()),
        ];
        reached.into_iter().for_each(|(limit, times)| self.reached(limit, times));
        if let Err(e) = &end {
            self.ended_by(number, e);
        }
        let Some((file, _)) = self.files.get_mut(number) else { return };
        // What was read ahead is not in the recording.
        file.packets = reader.packets().saturating_sub(ahead.len().saturating_sub(taken) as u64);
        file.octets = reader.octets();
        file.condition = Condition::of(&reader);
    }

    /// Closes what is open: nothing more is wanted.
    pub(super) fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close(0, Ok(()));
        }
    }

    /// Takes note of why the input of this number ended.
    fn ended_by(&mut self, number: usize, error: &Error) {
        if self.progress.is_broken_off() {
            self.interrupted = true;
            return;
        }
        if let Some((file, _)) = self.files.get_mut(number) {
            file.fail(error);
        }
        if let Some(limit) = error.limit_reached() {
            self.reached(limit, 1);
        }
    }

    fn reached(&mut self, limit: &'static str, times: u64) {
        *self.limits_reached.entry(limit).or_default() += times;
    }

    /// Adds what was seen of a batch to its inputs.
    pub(super) fn add(&mut self, batch: &Batch) {
        for (file, seen) in &batch.seen {
            if let Some((_, all)) = self.files.get_mut(*file) {
                all.merge(seen);
            }
        }
        self.reached("carriers", batch.nested_too_deep);
    }

    /// The inputs as a report tells of them, what was seen of all, and how often each limit was reached.
    pub(crate) fn finish(self) -> (Vec<CaptureFile>, Seen, BTreeMap<&'static str, u64>) {
        let mut all = Seen::default();
        let tell = |(mut file, seen): (CaptureFile, Seen)| {
            all.merge(&seen);
            (file.first_seen, file.last_seen) = (seen.first, seen.last);
            file.condition.unread_link_types = seen.unread_link_types;
            file
        };
        let files = self.files.into_iter().map(tell).collect();
        (files, all, self.limits_reached)
    }
}

impl Input {
    fn begins_before(&self, time: Timestamp) -> bool {
        self.begins.is_some_and(|begins| begins < time)
    }
}

impl Open {
    fn is_drained(&self) -> bool {
        self.taken >= self.ahead.len()
    }

    /// The time that the next packet counts with.
    fn next_time(&self) -> Option<Timestamp> {
        Some(self.clock_behind()?.0)
    }

    fn clock_behind(&self) -> Option<Clock> {
        self.clock.behind(&self.ahead, self.taken, self.reader.is_at_end())
    }

    /// Moves the next packet to the batch.
    fn take(&mut self, batch: &mut Batch) {
        if let Some((packet, clock)) = self.ahead.packet(self.taken).zip(self.clock_behind()) {
            self.clock = clock;
            self.taken += 1;
            batch.merge(&packet, self.file);
        }
    }
}

/// The time of an input, which never goes back, so that its packets stay in their order. One packet far ahead has a corrupt
/// time, two are believed: else all other inputs would be read up to it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock(Timestamp);

impl Clock {
    /// That of an input that begins at this time. Standard input comes first, and what it begins with is not known.
    fn new(begins: Option<Timestamp>) -> Self {
        Self(begins.unwrap_or(Timestamp::from_nanos(i64::MIN)))
    }

    /// The clock behind the packet of this number. Behind the last one of the input nothing can wait, so it is believed.
    fn behind(self, batch: &PacketBatch, number: usize, is_last: bool) -> Option<Self> {
        let is_far = |time: Timestamp| time.since(self.0) > FAR_AHEAD;
        let time = batch.packet(number)?.timestamp;
        let is_believed = !is_far(time) || batch.packet(number + 1).map_or(is_last, |next| is_far(next.timestamp));
        Some(if is_believed { Self(self.0.max(time)) } else { self })
    }

    /// Moves it behind all packets of a batch.
    fn pass(&mut self, batch: &PacketBatch) -> Timestamp {
        *self = (0..batch.len()).fold(*self, |clock, number| clock.behind(batch, number, false).unwrap_or(clock));
        self.0
    }
}

/// Longer than packets of a recording in use are apart.
const FAR_AHEAD: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use capture::{LinkType, Packet};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    /// The clock behind each packet of these times, in seconds.
    fn clocks(begins: Option<i64>, seconds: &[i64], is_last: bool) -> Vec<Timestamp> {
        let mut batch = PacketBatch::default();
        batch.start_copying();
        for &second in seconds {
            let timestamp = at(second);
            let link_type = LinkType::ETHERNET;
            batch.push_copy(&Packet { data: &[0], data_at: 0, interface_id: 0, link_type, original_len: 1, timestamp });
        }
        let mut clock = Clock::new(begins.map(at));
        (0..seconds.len())
            .map(|number| {
                clock = clock.behind(&batch, number, is_last).expect("a packet");
                clock.0
            })
            .collect()
    }

    /// The order within an input stays as it is.
    #[test]
    fn the_clock_of_an_input_never_goes_back() {
        assert_eq!(clocks(Some(10), &[10, 12, 11, 5, 13], true), [10, 12, 12, 12, 13].map(at));
    }

    #[test]
    fn a_packet_far_ahead_is_believed_with_the_next() {
        assert_eq!(clocks(Some(10), &[10, 9_000, 11], false), [10, 10, 11].map(at), "a corrupt time");
        assert_eq!(clocks(Some(10), &[10, 9_000, 9_001], false), [10, 9_000, 9_001].map(at), "a silence");
        assert_eq!(clocks(Some(10), &[10, 9_000], false), [10, 10].map(at), "what follows is not known yet");
        assert_eq!(clocks(Some(10), &[10, 9_000], true), [10, 9_000].map(at), "nothing follows");
        assert_eq!(clocks(None, &[10, 11], false).last(), Some(&at(11)), "the beginning of standard input");
    }
}
