//! All lines, put in order and written as one document.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use memchr::memmem;
use rayon::prelude::*;

use super::SCHEMA_VERSION;
use super::batch::{Batch, SessionLine, TransactionLine};
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
        write_lines(&sessions, Placed::write, &mut out)?;
        out.write_all(b"},\n\"transactions\":[")?;
        write_lines(&in_order_of_time(&sessions), Mail::write, &mut out)?;
        out.write_all(b"],\n\"capture\":")?;
        serde_json::to_writer(&mut out, &self.with_limits(capture))?;
        out.write_all(b"}\n")
    }

    /// The capture with the limits that were reached in the bodies of messages.
    fn with_limits(&self, capture: &Capture) -> Capture {
        let mut capture = capture.clone();
        for (limit, count) in
            self.batches.iter().flat_map(|batch| batch.limits.by_name()).filter(|(_, count)| *count > 0)
        {
            *capture.limits_reached.entry(limit).or_default() += count;
        }
        capture
    }

    /// The sessions in order, each with its key.
    fn sessions(&self) -> Vec<Placed<'_>> {
        let all = self.batches.iter().flat_map(|batch| batch.sessions.iter().map(move |line| (batch, line)));
        let mut sessions: Vec<Placed<'_>> = (0..)
            .zip(all)
            .map(|(number, (batch, line))| Placed { batch, line, key: String::new(), late: self.late.get(&number) })
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

/// Writes lines in their order, a comma between them; all threads put them together.
fn write_lines<T: Sync>(
    lines: &[T],
    line: impl Fn(&T, &mut Vec<u8>) -> io::Result<()> + Sync,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let threads = rayon::current_num_threads() + 1;
    let mut rooms = vec![Vec::new(); threads];
    let mut comma: &[u8] = b"";
    for some in lines.chunks(threads * LINES_AT_A_TIME) {
        let put_together = |(room, lines): (&mut Vec<u8>, &[T])| {
            room.clear();
            lines.iter().try_for_each(|one| {
                room.extend_from_slice(b",\n");
                line(one, room)
            })
        };
        rooms.par_iter_mut().zip(some.par_chunks(LINES_AT_A_TIME)).try_for_each(put_together)?;
        for room in rooms.iter().take(some.len().div_ceil(LINES_AT_A_TIME)) {
            out.write_all(comma)?;
            out.write_all(room.get(1..).unwrap_or_default())?;
            comma = b",";
        }
    }
    Ok(())
}

/// A session's line with all that its place in the document gave it.
struct Placed<'a> {
    batch: &'a Batch,
    line: &'a SessionLine,
    key: String,
    /// What came after its line was made.
    late: Option<&'a Late>,
}

impl<'a> Placed<'a> {
    /// Puts its line together. What is known only now is put in the place of what was known when it was made.
    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "\"{}\":", self.key)?;
        let line = self.text(&self.line.line);
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

    fn text(&self, line: &Range<usize>) -> &'a [u8] {
        self.batch.text.get(line.clone()).unwrap_or_default()
    }

    fn transactions(&self) -> &'a [TransactionLine] {
        self.batch.transactions.get(self.line.transactions.clone()).unwrap_or_default()
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

impl Mail<'_, '_> {
    /// Puts the line together.
    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Self { session, line } = self;
        write!(out, "{{\"timestamp\":{},\"session\":\"{}\",", line.timestamp, session.key)?;
        out.extend_from_slice(session.text(&line.fields));
        out.extend_from_slice(b",\"commands\":[");
        out.extend_from_slice(session.text(&line.commands));
        out.extend_from_slice(b"],\"responses\":[");
        let mut comma: &[u8] = b"";
        for answer in session.batch.answers.get(line.answers.clone()).unwrap_or_default() {
            out.extend_from_slice(comma);
            out.extend_from_slice(session.text(&answer.text()));
            out.extend_from_slice(itoa::Buffer::new().format(answer.command).as_bytes());
            out.push(b'}');
            comma = b",";
        }
        out.extend_from_slice(b"]}");
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
