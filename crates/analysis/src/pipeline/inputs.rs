//! The inputs of a plan, one after the other, and what became of each.

use std::collections::BTreeMap;
use std::slice;

use capture::{CaptureReader, Compression, Error, ReaderLimits};

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
    /// Whether the one that is open is read only once: then its source knows when to end.
    ends_itself: bool,
    /// The one that is read, whose file is the last.
    open: Option<CaptureReader>,
    /// What was seen of each.
    files: Vec<(CaptureFile, Seen)>,
    /// How often each limit of a reader was reached, by its name.
    limits_reached: BTreeMap<&'static str, u64>,
}

impl<'p> Inputs<'p> {
    /// These inputs, none of which is open yet.
    pub(crate) fn new(plan: &'p Plan, limits: ReaderLimits) -> Self {
        Self {
            left: plan.inputs.iter(),
            limits,
            progress: &plan.progress,
            interrupted: false,
            ends_itself: false,
            open: None,
            files: Vec::new(),
            limits_reached: BTreeMap::new(),
        }
    }

    /// The input that is open, or the next one that can be opened. `None` where there is no more, or where reading is to end.
    pub(super) fn open(&mut self) -> Option<(&mut CaptureReader, &mut Seen)> {
        loop {
            if self.is_to_stop() {
                self.interrupted |= self.open.is_some() || self.left.len() > 0;
                self.close(Ok(()));
                return None;
            }
            if self.open.is_some() {
                break;
            }
            let input = self.left.next()?;
            self.ends_itself = input.is_read_once();
            let mut file = CaptureFile::new(&input.path);
            match input.open(self.limits, self.progress) {
                Ok(reader) => {
                    file.format = Some(reader.format().name());
                    file.compression = reader.compression().map(Compression::name);
                    self.open = Some(reader);
                }
                Err(e) => {
                    file.compression = e.compression().map(Compression::name);
                    self.ended_by(&e, &mut file);
                }
            }
            self.files.push((file, Seen::default()));
        }
        self.open.as_mut().zip(self.files.last_mut().map(|(_, seen)| seen))
    }

    /// Takes note of the state in which the open input was left, and closes it.
    pub(super) fn close(&mut self, end: Result<(), Error>) {
        let Some(reader) = self.open.take() else { return };
        let Some((mut file, seen)) = self.files.pop() else { return };
        file.packets = reader.packets();
        file.octets = reader.octets();
        file.condition = Condition::of(&reader);
        let reached = [
            ("record_octets", reader.oversized_records()),
            ("interfaces", reader.further_interfaces()),
            ("damaged_places", reader.damage().further_places()),
            ("comments", reader.comments().further()),
        ];
        for (limit, times) in reached {
            *self.limits_reached.entry(limit).or_default() += times;
        }
        if let Err(e) = end {
            self.ended_by(&e, &mut file);
        }
        self.files.push((file, seen));
    }

    fn ended_by(&mut self, error: &Error, file: &mut CaptureFile) {
        if self.progress.is_broken_off() {
            self.interrupted = true;
            return;
        }
        file.fail(error);
        if let Some(limit) = error.limit_reached() {
            *self.limits_reached.entry(limit).or_default() += 1;
        }
    }

    /// Whether the open input is to be left where it is.
    pub(super) fn is_to_stop(&self) -> bool {
        self.progress.is_stopped() && !(self.ends_itself && self.open.is_some())
    }

    /// Whether reading was ended from outside before the inputs were.
    pub(crate) fn were_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Fills a batch with the next packets of the recording. `false` where there are no more.
    pub(super) fn fill(&mut self, batch: &mut Batch) -> bool {
        while let Some((reader, _)) = self.open() {
            match batch.fill(reader) {
                Ok(true) => {
                    batch.file = self.files.len() - 1;
                    return true;
                }
                Ok(false) => self.close(Ok(())),
                Err(e) => self.close(Err(e)),
            }
        }
        false
    }

    /// Adds what was seen of a batch to its input.
    pub(super) fn add(&mut self, batch: &Batch) {
        if let Some((_, seen)) = self.files.get_mut(batch.file) {
            seen.merge(&batch.seen);
        }
        *self.limits_reached.entry("carriers").or_default() += batch.nested_too_deep;
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
