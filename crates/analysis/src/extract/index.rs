//! The index: a line of JSON for each mail, in the order of the transactions in `features`.
//!
//! Which place a line has, and which number its session has among those of its 4-tuple, is known in the end. Until then
//! the lines are in a file, and only where they stand there is kept.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::Error;
use crate::model::FourTuple;
use crate::output::time::Time;
use crate::report::{Occurrences, in_order};

/// See the module.
#[derive(Debug)]
pub(super) struct Index {
    sessions: Vec<(Time, FourTuple)>,
    lines: Vec<Line>,
    path: PathBuf,
    file: BufWriter<File>,
    octets: u64,
}

#[derive(Debug)]
struct Line {
    timestamp: Time,
    session: usize,
    start: u64,
    octets: usize,
}

impl Index {
    /// An index whose lines wait in a file of this folder.
    pub(super) fn new(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lines");
        let file = File::create_new(&path).map_err(|source| Error::Write { path: path.clone(), source })?;
        Ok(Self { sessions: Vec::new(), lines: Vec::new(), path, file: BufWriter::new(file), octets: 0 })
    }

    /// Takes note of a session; gives its number.
    pub(super) fn session(&mut self, first_seen: Time, four_tuple: FourTuple) -> usize {
        self.sessions.push((first_seen, four_tuple));
        self.sessions.len() - 1
    }

    /// Adds a line: the fields behind the session's key, as an object.
    pub(super) fn add(&mut self, session: usize, timestamp: Time, fields: &[u8]) -> Result<(), Error> {
        self.file.write_all(fields).map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.lines.push(Line { timestamp, session, start: self.octets, octets: fields.len() });
        self.octets += fields.len() as u64;
        Ok(())
    }

    /// The key of each session, by its number.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut numbered: Vec<_> = self.sessions.iter().copied().enumerate().collect();
        numbered.sort_by(|&(_, a), &(_, b)| in_order(a, b));
        let mut occurrences = Occurrences::default();
        let mut keys = vec![String::new(); self.sessions.len()];
        for (number, (_, four_tuple)) in numbered {
            if let Some(key) = keys.get_mut(number) {
                *key = occurrences.next(four_tuple).key(four_tuple);
            }
        }
        keys
    }

    /// Writes all lines in order to a file of the same folder.
    pub(super) fn finish(self, keys: &[String], folder: &Path) -> Result<TempPath, Error> {
        let Self { mut lines, path, file, .. } = self;
        let key = |line: &Line| keys.get(line.session).map_or("", String::as_str);
        lines.sort_by(|a, b| (a.timestamp, key(a)).cmp(&(b.timestamp, key(b))));
        let failed = |source| Error::Write { path: path.clone(), source };
        drop(file.into_inner().map_err(|e| failed(e.into_error()))?);
        let mut waiting = File::open(&path).map_err(failed)?;
        let in_order = folder.join("index");
        let mut out = BufWriter::new(File::create_new(&in_order).map_err(failed)?);
        let mut text = Vec::new();
        let mut write = |line: &Line| {
            text.resize(line.octets, 0);
            waiting.seek(SeekFrom::Start(line.start))?;
            waiting.read_exact(&mut text)?;
            write!(out, "{{\"timestamp\":{},\"session\":\"{}\",", line.timestamp, key(line))?;
            out.write_all(text.get(1..).unwrap_or_default())?;
            out.write_all(b"\n")
        };
        lines.iter().try_for_each(&mut write).and_then(|()| out.flush()).map_err(failed)?;
        TempPath::try_from_path(&in_order).map_err(failed)
    }
}
