//! All lines, put in order and written as one document.

use std::collections::BTreeMap;
use std::io::{self, Write};

use memchr::memmem;
use rayon::prelude::*;

use super::SCHEMA_VERSION;
use super::batch::{Batch, SessionLine, TransactionLine};
use super::frames::{Frames, Place, Unpacked};
use crate::model::{Late, Octets};
use crate::output::json;
use crate::report::{Capture, Occurrences, Summary, in_order};

/// The lines of the document, made but not yet in order.
#[derive(Debug)]
pub struct Lines {
    batches: Vec<Batch>,
    /// What came after the lines of sessions were made, by their number in the batches.
    late: BTreeMap<u64, Late>,
}

/// Lines that are put together by one thread at a time, about a megabyte of them.
const LINES_AT_A_TIME: usize = 512;

impl Lines {
    pub(super) fn new(batches: Vec<Batch>, late: BTreeMap<u64, Late>) -> Self {
        Self { batches, late }
    }

    /// Writes the document.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, capture: &Capture, mut out: impl io::Write) -> io::Result<()> {
        let mut summary = Summary::default();
        self.batches.iter().for_each(|batch| summary.merge(&batch.summary));
        let sessions = self.sessions();
        write!(out, "{{\"protocol\":\"SMTP\",\"schema_version\":{SCHEMA_VERSION},\n\"summary\":")?;
        serde_json::to_writer(&mut out, &summary)?;
        out.write_all(b",\n\"sessions\":{")?;
        write_lines(&sessions, &mut out)?;
        out.write_all(b"},\n\"transactions\":[")?;
        write_lines(&in_order_of_time(&sessions), &mut out)?;
        out.write_all(b"],\n\"capture\":")?;
        serde_json::to_writer(&mut out, &self.with_limits(capture))?;
        out.write_all(b"}\n")
    }

    /// The capture with the limits that were reached in the bodies of messages.
    fn with_limits(&self, capture: &Capture) -> Capture {
        let mut capture = capture.clone();
        capture.count_limits(self.batches.iter().flat_map(|batch| batch.limits.by_name()));
        capture
    }

    /// The sessions in order, each with its key.
    fn sessions(&self) -> Vec<Placed<'_>> {
        let batches = self.batches.iter().enumerate();
        let all = batches.flat_map(|(number, batch)| batch.sessions.iter().map(move |line| (number, batch, line)));
        let mut sessions: Vec<Placed<'_>> = (0..)
            .zip(all)
            .map(|(session, (number, batch, line))| Placed {
                number,
                batch,
                line,
                key: String::new(),
                late: self.late.get(&session),
            })
            .collect();
        let place = |session: &Placed<'_>| (session.line.first_seen, session.line.four_tuple);
        sessions.sort_by(|a, b| in_order(place(a), place(b)));
        let mut occurrences = Occurrences::default();
        for session in &mut sessions {
            let four_tuple = session.line.four_tuple;
            session.key = occurrences.next(four_tuple).key(four_tuple);
        }
        sessions
    }
}

/// A line of the document.
trait Line: Sync {
    /// Where the kept part of it is: the number of its batch, the frames there, and its place in these.
    fn kept(&self) -> (usize, &Frames, &Place);

    /// Puts the line together from what was kept of it.
    fn write(&self, kept: &[u8], out: &mut Vec<u8>) -> io::Result<()>;
}

/// Writes lines in their order, a comma between them; all threads put them together.
fn write_lines<T: Line>(lines: &[T], out: &mut impl io::Write) -> io::Result<()> {
    let threads = rayon::current_num_threads() + 1;
    let mut rooms: Vec<_> = (0..threads).map(|_| (Unpacked::default(), Vec::new())).collect();
    let mut comma: &[u8] = b"";
    for some in lines.chunks(threads * LINES_AT_A_TIME) {
        let put_together = |((unpacked, room), lines): (&mut (Unpacked, Vec<u8>), &[T])| {
            unpacked.clear();
            room.clear();
            lines.iter().try_for_each(|line| {
                let (batch, frames, place) = line.kept();
                unpacked.load(batch, frames, place)?;
                room.extend_from_slice(b",\n");
                line.write(unpacked.line(batch, place), room)
            })
        };
        rooms.par_iter_mut().zip(some.par_chunks(LINES_AT_A_TIME)).try_for_each(put_together)?;
        for (_, room) in rooms.iter().take(some.len().div_ceil(LINES_AT_A_TIME)) {
            out.write_all(comma)?;
            out.write_all(room.get(1..).unwrap_or_default())?;
            comma = b",";
        }
    }
    Ok(())
}

/// A session's line with all that its place in the document gave it.
struct Placed<'a> {
    /// That of its batch.
    number: usize,
    batch: &'a Batch,
    line: &'a SessionLine,
    key: String,
    /// What came after its line was made.
    late: Option<&'a Late>,
}

impl<'a> Placed<'a> {
    fn transactions(&self) -> &'a [TransactionLine] {
        self.batch.transactions.get(self.line.transactions.clone()).unwrap_or_default()
    }
}

impl Line for Placed<'_> {
    fn kept(&self) -> (usize, &Frames, &Place) {
        (self.number, &self.batch.session_frames, &self.line.place)
    }

    /// What is known only now is put in the place of what was known when the line was made.
    fn write(&self, line: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "\"{}\":", self.key)?;
        let Some(Late { last_seen, octets }) = self.late else {
            out.extend_from_slice(line);
            return Ok(());
        };
        let [before, time, between, figures] = parts(line).unwrap_or([line, &[], &[], &[]]);
        out.extend_from_slice(before);
        if !time.is_empty() {
            write!(out, "{last_seen}")?;
            out.extend_from_slice(between);
            json::append(out, &serde_json::from_slice::<Octets>(figures)?.plus(*octets))?;
            out.push(b'}');
        }
        Ok(())
    }
}

/// A session's line in parts: up to the time of its last packet, that time, up to the figures of its octets, and these. No
/// text from the wire stands before the time, and the octets are the last field.
fn parts(line: &[u8]) -> Option<[&[u8]; 4]> {
    const TIME: &[u8] = b"\"last_seen\":";
    const OCTETS: &[u8] = b",\"octets\":";
    let (before, rest) = line.split_at_checked(memmem::find(line, TIME)? + TIME.len())?;
    let (time, rest) = rest.split_at_checked(memchr::memchr(b',', rest)?)?;
    let (between, figures) = rest.split_at_checked(memmem::rfind(rest, OCTETS)? + OCTETS.len())?;
    Some([before, time, between, figures.strip_suffix(b"}")?])
}

/// A transaction's line with its session.
struct Mail<'s, 'a> {
    session: &'s Placed<'a>,
    line: &'a TransactionLine,
}

impl Line for Mail<'_, '_> {
    fn kept(&self) -> (usize, &Frames, &Place) {
        (self.session.number, &self.session.batch.transaction_frames, &self.line.place)
    }

    fn write(&self, fields: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "{{\"timestamp\":{},\"session\":\"{}\",", self.line.timestamp, self.session.key)?;
        out.extend_from_slice(fields);
        Ok(())
    }
}

/// All transactions by time, those of one moment by the keys of their sessions.
fn in_order_of_time<'s, 'a>(sessions: &'s [Placed<'a>]) -> Vec<Mail<'s, 'a>> {
    let of_session = |session: &'s Placed<'a>| session.transactions().iter().map(move |line| Mail { session, line });
    let mut mails: Vec<_> = sessions.iter().flat_map(of_session).collect();
    mails.sort_by(|a, b| (a.line.timestamp, &a.session.key).cmp(&(b.line.timestamp, &b.session.key)));
    mails
}
