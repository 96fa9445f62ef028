//! The octets of messages, for a command that writes them: in memory as long as they are few, then in files of a folder
//! of their own.
//!
//! ```text
//!   octets ─▶ buffer ─ full, or too much in all buffers ─▶ SHA-256 ─▶ file (opened, appended to, closed)
//! ```
//!
//! A file is open only while it is written to, so that a thousand messages that come at once take no thousand handles.
//! What cannot be written is told by [`Spool::failure`]; from then on nothing is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempPath;

/// Where messages are kept. All that are in one spool share its limits.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    limits: SpoolLimits,
    /// Files begun, which gives each a name of its own.
    files: AtomicU64,
    /// Room of all buffers.
    in_memory: AtomicUsize,
    has_failed: AtomicBool,
    failure: Mutex<Option<SpoolError>>,
}

/// What a spool may hold in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Octets of one message; those before them are in its file.
    pub message_octets: usize,
    /// Octets of all messages together. One that grows beyond it goes to its file at once.
    pub all_octets: usize,
    /// Gaps of a message that are listed; further ones are counted.
    pub gaps: usize,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { message_octets: 256 << 10, all_octets: 64 << 20, gaps: 1000 }
    }
}

/// A file of a spool could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot keep a message; files with names are whole, but there is no index of them", path.display())]
pub struct SpoolError {
    path: PathBuf,
    source: io::Error,
}

impl Spool {
    /// A spool whose files are in `folder`, which is there and belongs to it alone.
    pub fn new(folder: PathBuf, limits: SpoolLimits) -> Self {
        Self(Arc::new(Shared {
            folder,
            limits,
            files: AtomicU64::new(0),
            in_memory: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            failure: Mutex::default(),
        }))
    }

    /// Whether something could not be kept.
    pub fn has_failed(&self) -> bool {
        self.0.has_failed.load(Relaxed)
    }

    /// What could not be kept first; asked again, nothing.
    pub fn failure(&self) -> Option<SpoolError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, failure: SpoolError) {
        if !self.0.has_failed.swap(true, Relaxed) {
            *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
    }

    /// A name for a new file.
    fn new_path(&self) -> Result<TempPath, SpoolError> {
        let path = self.0.folder.join(self.0.files.fetch_add(1, Relaxed).to_string());
        TempPath::try_from_path(&path).map_err(|source| error(&path, source))
    }

    /// Octets of room in memory.
    fn in_memory(&self) -> usize {
        self.0.in_memory.load(Relaxed)
    }
}

/// One message in a spool.
#[derive(Debug)]
pub struct Spooled {
    spool: Spool,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Room of the buffer as far as it is counted in the spool.
    counted: usize,
    file: Option<TempPath>,
    in_file: u64,
    /// Of what is in the file.
    hash: Sha256,
    /// Of all, once it has ended.
    sha256: Option<[u8; 32]>,
    gaps: Vec<Gap>,
    further_gaps: u64,
}

/// Octets of a message that are not in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Octets of the message that were captured before it.
    pub offset: u64,
    /// How many were sent in its place; `None` for a part that the server fetched elsewhere (RFC 4468).
    pub octets: Option<u64>,
}

/// A piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The next octets.
    Octets(&'a [u8]),
    /// Octets are missing here.
    Gap,
}

impl Spooled {
    pub(crate) fn new(spool: Spool) -> Self {
        Self {
            spool,
            buffer: Vec::new(),
            counted: 0,
            file: None,
            in_file: 0,
            hash: Sha256::new(),
            sha256: None,
            gaps: Vec::new(),
            further_gaps: 0,
        }
    }

    /// The next octets.
    pub(crate) fn append(&mut self, octets: &[u8]) {
        if self.spool.has_failed() {
            return;
        }
        let limits = self.spool.0.limits;
        if !self.buffer.is_empty() && self.buffer.len() + octets.len() > limits.message_octets {
            self.spill();
            if self.spool.has_failed() {
                return;
            }
        }
        // Copied: the segment's buffer is gone before the message is complete.
        self.buffer.extend_from_slice(octets);
        self.count();
        if self.spool.in_memory() > limits.all_octets {
            self.spill();
            self.let_go();
        }
    }

    /// Octets that are not in the capture.
    pub(crate) fn gap(&mut self, octets: Option<u64>) {
        let offset = self.len();
        let is_listed = self.gaps.len() < self.spool.0.limits.gaps;
        match (self.gaps.last_mut(), octets) {
            (Some(Gap { offset: same, octets: Some(before) }), Some(more)) if *same == offset => *before += more,
            _ if is_listed => self.gaps.push(Gap { offset, octets }),
            _ => self.further_gaps += 1,
        }
    }

    /// Takes back the last octets: they were no part of the message after all, which has only so many.
    pub(crate) fn take_back_to(&mut self, octets: u64) {
        match octets.checked_sub(self.in_file).map(usize::try_from) {
            Some(in_buffer) => self.buffer.truncate(in_buffer.unwrap_or(usize::MAX)),
            None => {
                self.buffer.clear();
                if let Err(e) = self.shorten(octets) {
                    self.fail(e);
                }
            }
        }
    }

    /// The message has ended. It may wait for long now, so it makes room for those that still come.
    pub(crate) fn end(&mut self) {
        self.sha256 = Some(self.sha256());
        if self.spool.in_memory() > self.spool.0.limits.all_octets / 2 {
            self.spill();
            self.let_go();
        }
    }

    /// Octets of it.
    pub fn len(&self) -> u64 {
        self.in_file + self.buffer.len() as u64
    }

    /// Whether nothing of it was captured.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SHA-256 of it.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256.unwrap_or_else(|| self.hash.clone().chain_update(&self.buffer).finalize().into())
    }

    /// What is missing of it, in order.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Gaps beyond the limit.
    pub fn further_gaps(&self) -> u64 {
        self.further_gaps
    }

    /// Its octets from the first one on.
    ///
    /// # Errors
    /// Where its file cannot be opened.
    pub fn read(&self) -> Result<impl Read + '_, SpoolError> {
        let file: Box<dyn Read> = match &self.file {
            Some(path) => Box::new(File::open(path).map_err(|source| error(path, source))?),
            None => Box::new(io::empty()),
        };
        Ok(file.chain(self.buffer.as_slice()))
    }

    /// Reads its octets in pieces, with what is missing between them.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub(crate) fn pieces(&self, mut take: impl FnMut(Piece<'_>)) -> Result<(), SpoolError> {
        let mut gaps = self.gaps.iter().map(|gap| gap.offset).peekable();
        let mut room = vec![0; PIECE_OCTETS];
        let (mut octets, mut at) = (self.read()?, 0);
        loop {
            while gaps.next_if_eq(&at).is_some() {
                take(Piece::Gap);
            }
            let most = gaps.peek().map_or(u64::MAX, |next| next.saturating_sub(at));
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(PIECE_OCTETS);
            match octets.read(room.get_mut(..most).unwrap_or_default()) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    at += read as u64;
                    take(Piece::Octets(room.get(..read).unwrap_or_default()));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(error(self.file.as_deref().unwrap_or(&self.spool.0.folder), e)),
            }
        }
    }

    /// All of it in one file.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn into_file(mut self) -> Result<TempPath, SpoolError> {
        self.write_buffer()?;
        match self.file.take() {
            Some(path) => Ok(path),
            None => Err(error(&self.spool.0.folder, io::ErrorKind::NotFound.into())),
        }
    }

    fn spill(&mut self) {
        if self.sha256.is_none() {
            self.hash.update(&self.buffer);
        }
        if let Err(e) = self.write_buffer() {
            self.fail(e);
        }
    }

    /// Appends what is in the buffer to the file.
    fn write_buffer(&mut self) -> Result<(), SpoolError> {
        let begins = self.file.is_none();
        if self.buffer.is_empty() && !begins {
            return Ok(());
        }
        let path = match &mut self.file {
            Some(path) => path,
            empty => empty.insert(self.spool.new_path()?),
        };
        let written = OpenOptions::new()
            .append(true)
            .create_new(begins)
            .open(&*path)
            .and_then(|mut file| file.write_all(&self.buffer))
            .map_err(|source| error(path, source));
        self.in_file += self.buffer.len() as u64;
        self.buffer.clear();
        written
    }

    /// Cuts the file; what is left is read again for its hash.
    fn shorten(&mut self, octets: u64) -> Result<(), SpoolError> {
        self.hash = Sha256::new();
        self.in_file = octets;
        let Some(path) = &self.file else { return Ok(()) };
        let cut = || -> io::Result<_> {
            OpenOptions::new().write(true).open(path)?.set_len(octets)?;
            hash_of(File::open(path)?)
        };
        self.hash = cut().map_err(|source| error(path, source))?;
        Ok(())
    }

    fn fail(&mut self, failure: SpoolError) {
        self.spool.fail(failure);
        self.buffer.clear();
        self.let_go();
    }

    /// Gives the room of the buffer, which is empty, back.
    fn let_go(&mut self) {
        self.buffer = Vec::new();
        self.count();
    }

    fn count(&mut self) {
        let room = self.buffer.capacity();
        if room != self.counted {
            let all = &self.spool.0.in_memory;
            all.fetch_add(room, Relaxed);
            all.fetch_sub(self.counted, Relaxed);
            self.counted = room;
        }
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        self.spool.0.in_memory.fetch_sub(self.counted, Relaxed);
    }
}

/// The state of the hash behind all that can be read.
pub(crate) fn hash_of(mut octets: impl Read) -> io::Result<Sha256> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_OCTETS];
    loop {
        match octets.read(&mut piece) {
            Ok(0) => return Ok(hash),
            Ok(read) => hash.update(piece.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Octets read from a file at a time.
const PIECE_OCTETS: usize = 64 << 10;

fn error(path: &Path, source: io::Error) -> SpoolError {
    SpoolError { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const SMALL: SpoolLimits = SpoolLimits { message_octets: 100, all_octets: 1 << 20, gaps: 3 };

    fn spool(limits: SpoolLimits) -> (TempDir, Spool) {
        let folder = TempDir::new().expect("a folder");
        let spool = Spool::new(folder.path().to_owned(), limits);
        (folder, spool)
    }

    /// A message that is different everywhere.
    fn text(octets: usize) -> Vec<u8> {
        (0..).flat_map(u32::to_le_bytes).take(octets).collect()
    }

    fn append_all(spool: &Spool, octets: &[u8], piece: usize) -> Spooled {
        let mut spooled = Spooled::new(spool.clone());
        octets.chunks(piece).for_each(|piece| spooled.append(piece));
        spooled
    }

    /// Everything that can be asked of it gives these octets.
    #[track_caller]
    fn is(mut spooled: Spooled, octets: &[u8]) {
        let before = spooled.sha256();
        spooled.end();
        assert_eq!((spooled.len(), spooled.is_empty()), (octets.len() as u64, octets.is_empty()));
        let mut read = Vec::new();
        spooled.read().expect("a reader").read_to_end(&mut read).expect("octets");
        assert_eq!(read, octets);
        let sha256: [u8; 32] = Sha256::digest(octets).into();
        assert_eq!((before, spooled.sha256()), (sha256, sha256));
        let file = spooled.into_file().expect("a file");
        assert_eq!(std::fs::read(file).expect("octets"), octets);
    }

    fn files(folder: &TempDir) -> usize {
        folder.path().read_dir().expect("a folder").count()
    }

    #[test]
    fn what_goes_in_comes_out_however_it_is_cut() {
        let (_folder, spool) = spool(SMALL);
        for octets in [0, 1, 99, 100, 101, 250, 1000] {
            for piece in [1, 7, 99, 100, 101, 5000] {
                is(append_all(&spool, &text(octets), piece), &text(octets));
            }
        }
    }

    /// However long a message is, no more of it is in memory than the limit; a vector that grows may have twice the room.
    #[test]
    fn a_message_in_memory_is_never_longer_than_its_limit() {
        let (_folder, spool) = spool(SpoolLimits::default());
        let (limit, piece) = (SpoolLimits::default().message_octets, text(1460));
        let mut spooled = Spooled::new(spool.clone());
        for _ in 0..10_000 {
            spooled.append(&piece);
            assert!(spooled.buffer.len() <= limit && spool.in_memory() <= 2 * limit, "{}", spool.in_memory());
        }
        assert_eq!((spooled.len(), spooled.in_file > 14_000_000), (14_600_000, true));
    }

    #[test]
    fn all_messages_together_are_never_longer_than_theirs() {
        let limits = SpoolLimits { message_octets: 1000, all_octets: 5000, gaps: 1 };
        let (folder, spool) = spool(limits);
        let mut all: Vec<Spooled> = (0..50).map(|_| Spooled::new(spool.clone())).collect();
        for _ in 0..20 {
            for spooled in &mut all {
                spooled.append(&text(90));
                assert!(spool.in_memory() <= limits.all_octets, "{}", spool.in_memory());
            }
        }
        assert!(files(&folder) > 1);
        all.into_iter().for_each(|spooled| is(spooled, &text(90).repeat(20)));
        assert_eq!((spool.in_memory(), files(&folder)), (0, 0), "what is no longer needed is gone");
    }

    /// Messages that wait for the end of their session leave half of the room to those that still come.
    #[test]
    fn a_message_that_has_ended_makes_room() {
        let (_folder, spool) = spool(SpoolLimits { message_octets: 1000, all_octets: 1000, gaps: 1 });
        let mut ended: Vec<Spooled> = Vec::new();
        for _ in 0..20 {
            let mut spooled = append_all(&spool, &text(100), 100);
            spooled.end();
            ended.push(spooled);
            assert!(spool.in_memory() <= 500, "{}", spool.in_memory());
        }
        ended.into_iter().for_each(|spooled| is(spooled, &text(100)));
    }

    /// What was taken for the message and was none is no part of it, wherever it is by then.
    #[test]
    fn what_is_taken_back_is_gone() {
        let (_folder, spool) = spool(SMALL);
        for (octets, back) in [(50_usize, 10_u64), (50, 50), (250, 10), (250, 60), (250, 150), (250, 250), (1000, 999)]
        {
            let mut spooled = append_all(&spool, &text(octets), 7);
            spooled.take_back_to(octets as u64 - back);
            spooled.append(b"end");
            let left = text(octets).get(..octets - usize::try_from(back).expect("few")).map(<[u8]>::to_vec);
            is(spooled, &[left.expect("octets"), b"end".to_vec()].concat());
        }
    }

    #[test]
    fn gaps_are_where_they_are_and_further_ones_are_counted() {
        let (_folder, spool) = spool(SMALL);
        let mut spooled = Spooled::new(spool);
        spooled.gap(Some(5));
        spooled.append(&text(150));
        spooled.gap(Some(10));
        spooled.gap(Some(20));
        spooled.gap(None);
        spooled.gap(Some(1));
        let gap = |offset, octets| Gap { offset, octets };
        assert_eq!(spooled.gaps(), [gap(0, Some(5)), gap(150, Some(30)), gap(150, None)]);
        assert_eq!(spooled.further_gaps(), 1);
        let mut pieces = Vec::new();
        let take = |piece: Piece<'_>| {
            pieces.push(match piece {
                Piece::Octets(octets) => octets.len(),
                Piece::Gap => 0,
            });
        };
        spooled.pieces(take).expect("pieces");
        assert_eq!(pieces, [0, 150, 0, 0]);
        is(spooled, &text(150));
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_nothing_is_kept_from_then_on() {
        let (folder, spool) = spool(SMALL);
        folder.close().expect("an empty folder");
        let mut spooled = append_all(&spool, &text(1000), 10);
        spooled.append(&text(1000));
        assert!(spool.has_failed() && spooled.buffer.is_empty() && spool.in_memory() == 0);
        let failure = spool.failure().expect("a failure");
        assert_eq!(failure.source.kind(), io::ErrorKind::NotFound);
        assert!(spool.failure().is_none());
    }
}
