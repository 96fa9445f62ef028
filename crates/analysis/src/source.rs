//! Where the octets of an input come from, counted as they come.
//!
//! A read of a pipe waits for as long as nothing comes, and a signal does not end it. So a thread of its own does the
//! reading, and who waits for that thread looks from time to time whether reading is to end.
//!
//! ```text
//!   file ─▶ Counted ─▶ reader          pipe ─▶ thread ─▶ pieces ─▶ Forwarded ─▶ reader
//!                                                └◀── empty ones ──┘
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use capture::Error;

use crate::plan::{STANDARD_INPUT, is_read_once};
use crate::progress::Progress;

/// Opens an input.
///
/// # Errors
/// Where it cannot be opened, or is a directory.
pub(crate) fn open(path: &Path, progress: &Progress) -> Result<Box<dyn Read + Send>, Error> {
    let open_error = |source| Error::Open { path: path.into(), source };
    if path.as_os_str() == STANDARD_INPUT {
        return Forwarded::start(io::stdin(), progress.clone()).map_err(open_error);
    }
    // Some systems open a directory and fail at the first read.
    if path.is_dir() {
        return Err(Error::Directory { path: path.into() });
    }
    let file = File::open(path).map_err(open_error)?;
    if is_read_once(path) {
        return Forwarded::start(file, progress.clone()).map_err(open_error);
    }
    Ok(Box::new(Counted { file, progress: progress.clone() }))
}

struct Counted {
    file: File,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let octets = self.file.read(place)?;
        self.progress.add(octets);
        Ok(octets)
    }
}

/// The octets and the error of a source that another thread reads.
///
/// The thread ends with the source, or when this is dropped and the source has given something again.
struct Forwarded {
    full: Receiver<io::Result<Piece>>,
    empty: SyncSender<Piece>,
    current: Piece,
    used: usize,
    ended: bool,
    progress: Progress,
    /// When it was seen that reading is to end.
    stopped: Option<Instant>,
}

/// What came with one read: the first octets, as many as the number says.
#[derive(Default)]
struct Piece(Box<[u8]>, usize);

impl Forwarded {
    fn start(source: impl Read + Send + 'static, progress: Progress) -> io::Result<Box<dyn Read + Send>> {
        let (to_reader, full) = sync_channel(PIECES);
        let (empty, to_thread) = sync_channel(PIECES);
        for _ in 0..PIECES {
            // There is room for all of them.
            let _ = empty.send(Piece(vec![0; PIECE_OCTETS].into_boxed_slice(), 0));
        }
        thread::Builder::new().name("input".into()).spawn(move || forward(source, &to_reader, &to_thread))?;
        let current = Piece::default();
        Ok(Box::new(Self { full, empty, current, used: 0, ended: false, progress, stopped: None }))
    }

    /// Waits for the next piece. What comes without a pause when reading is to end is still taken, for a while: who wrote it
    /// may have got the same Ctrl-C, and may be about to write the last packets.
    fn next(&mut self) -> io::Result<Piece> {
        loop {
            if self.stopped.is_none() && self.progress.is_stopped() {
                self.stopped = Some(Instant::now());
            }
            let patience = self.stopped.map_or(Some(ASKED_EVERY), |since| LAST_OCTETS.checked_sub(since.elapsed()));
            let Some(patience) = patience else { return Err(self.broken_off()) };
            match self.full.recv_timeout(patience.min(PAUSE)) {
                Ok(piece) => return piece,
                Err(RecvTimeoutError::Timeout) if self.stopped.is_some() => return Err(self.broken_off()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that reads has stopped"));
                }
            }
        }
    }

    fn broken_off(&self) -> io::Error {
        self.progress.break_off();
        io::Error::other("interrupted")
    }
}

impl Read for Forwarded {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let Piece(octets, len) = &self.current;
        let mut rest = octets.get(self.used..*len).unwrap_or_default();
        if rest.is_empty() && !place.is_empty() && !self.ended {
            let used = std::mem::take(&mut self.current);
            self.used = 0;
            // None before the first one: a read into no room would look like the end.
            if !used.0.is_empty() {
                // A thread that is gone needs no more room.
                let _ = self.empty.try_send(used);
            }
            // An error is told once; behind it is the end.
            self.ended = true;
            self.current = self.next()?;
            let Piece(octets, len) = &self.current;
            self.ended = *len == 0;
            self.progress.add(*len);
            rest = octets.get(..*len).unwrap_or_default();
        }
        let octets = rest.read(place)?;
        self.used += octets;
        Ok(octets)
    }
}

/// Hands over what each read gives until the source ends or nobody wants it.
fn forward(mut source: impl Read, to_reader: &SyncSender<io::Result<Piece>>, empty: &Receiver<Piece>) {
    while let Ok(Piece(mut octets, _)) = empty.recv() {
        let read = loop {
            match source.read(&mut octets) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let goes_on = matches!(read, Ok(1..));
        if to_reader.send(read.map(|len| Piece(octets, len))).is_err() || !goes_on {
            return;
        }
    }
}

/// Octets handed over at once.
const PIECE_OCTETS: usize = 256 << 10;
/// Pieces on their way, full and empty ones together, and so the memory: 1 MiB.
const PIECES: usize = 4;
/// How often is asked whether reading is to end, while nothing comes.
const ASKED_EVERY: Duration = Duration::from_millis(50);
/// Nothing came for so long: whoever wrote before has nothing more to say. Where reading is to end, it ends.
const PAUSE: Duration = Duration::from_millis(250);
/// How long octets that come without a pause are taken after reading was to end.
const LAST_OCTETS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;

    use super::*;

    /// Gives what is sent to it, and waits for it.
    struct Pipe(Receiver<io::Result<Vec<u8>>>);

    impl Read for Pipe {
        fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
            let Ok(octets) = self.0.recv() else { return Ok(0) };
            let octets = octets?;
            place[..octets.len()].copy_from_slice(&octets);
            Ok(octets.len())
        }
    }

    fn pipe() -> (mpsc::Sender<io::Result<Vec<u8>>>, Box<dyn Read + Send>, Progress) {
        let (writer, reader) = mpsc::channel();
        let progress = Progress::default();
        let forwarded = Forwarded::start(Pipe(reader), progress.clone()).expect("a thread");
        (writer, forwarded, progress)
    }

    #[test]
    fn what_a_pipe_gives_comes_as_it_is() {
        let (writer, mut forwarded, progress) = pipe();
        // More pieces than there are at a time, of all sizes.
        let pieces: Vec<Vec<u8>> = (1_u8..20).map(|number| vec![number; usize::from(number) * 13_000]).collect();
        pieces.iter().for_each(|piece| writer.send(Ok(piece.clone())).expect("a reader"));
        drop(writer);
        let mut octets = Vec::new();
        forwarded.read_to_end(&mut octets).expect("octets");
        assert!(octets == pieces.concat());
        assert_eq!(progress.octets(), octets.len() as u64);
        assert_eq!(forwarded.read(&mut [0]).expect("the end, still"), 0);
    }

    #[test]
    fn an_error_comes_behind_what_came_before_it() {
        let (writer, mut forwarded, progress) = pipe();
        writer.send(Ok(b"before".to_vec())).expect("a reader");
        writer.send(Err(io::ErrorKind::ConnectionReset.into())).expect("a reader");
        let mut octets = Vec::new();
        let error = forwarded.read_to_end(&mut octets).expect_err("the error");
        assert_eq!((octets.as_slice(), error.kind()), (&b"before"[..], io::ErrorKind::ConnectionReset));
        assert!(!progress.is_broken_off());
        assert_eq!(forwarded.read(&mut [0]).expect("the end"), 0);
    }

    #[test]
    fn waiting_for_a_pipe_ends_when_reading_is_to_end() {
        let (writer, mut forwarded, progress) = pipe();
        writer.send(Ok(b"last words".to_vec())).expect("a reader");
        progress.stop().store(true, Ordering::Relaxed);
        let mut octets = Vec::new();
        assert!(forwarded.read_to_end(&mut octets).is_err());
        assert_eq!((octets.as_slice(), progress.is_broken_off()), (&b"last words"[..], true));
    }

    /// A pipe that ends by itself was read to its end.
    #[test]
    fn a_pipe_that_ends_when_reading_is_to_end_is_not_broken_off() {
        let (writer, mut forwarded, progress) = pipe();
        progress.stop().store(true, Ordering::Relaxed);
        writer.send(Ok(b"all".to_vec())).expect("a reader");
        drop(writer);
        let mut octets = Vec::new();
        forwarded.read_to_end(&mut octets).expect("octets");
        assert_eq!((octets.as_slice(), progress.is_broken_off()), (&b"all"[..], false));
    }

    #[test]
    fn a_pipe_that_never_pauses_is_broken_off() {
        let progress = Progress::default();
        let mut forwarded = Forwarded::start(io::repeat(0), progress.clone()).expect("a thread");
        progress.stop().store(true, Ordering::Relaxed);
        assert!(io::copy(&mut forwarded, &mut io::sink()).is_err());
        assert!(progress.is_broken_off());
    }
}
