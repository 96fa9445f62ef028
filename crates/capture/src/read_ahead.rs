//! Reading in a thread of its own: what a slow source gives is made while what it gave before is used.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// The octets and the error of a source, read by another thread up to [`PIECES`] pieces of [`PIECE_OCTETS`] ahead.
///
/// The thread ends with the source, or when this is dropped and it has a piece to hand over.
pub(crate) struct ReadAhead {
    full: Receiver<Piece>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    used: usize,
    /// What ended the source behind `current`.
    end: Option<io::Result<()>>,
}

/// Octets, and how the source ended behind them, if it did.
struct Piece(Vec<u8>, Option<io::Result<()>>);

impl ReadAhead {
    /// Starts the thread. Without one to be had, the source comes back as it is.
    pub(crate) fn start(source: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        let (to_reader, full) = sync_channel(PIECES);
        let (empty, to_thread) = sync_channel(PIECES);
        // Handed over once the thread runs, so that it is not lost with a thread that does not start.
        let (hand_over, source_there) = sync_channel::<Box<dyn Read + Send>>(1);
        let work = move || {
            if let Ok(source) = source_there.recv() {
                read_pieces(source, &to_reader, &to_thread);
            }
        };
        if thread::Builder::new().name("decompression".into()).spawn(work).is_err() {
            return source;
        }
        for _ in 0..PIECES {
            // There is room for all of them.
            let _ = empty.send(Vec::with_capacity(PIECE_OCTETS));
        }
        match hand_over.send(source) {
            Ok(()) => Box::new(Self { full, empty, current: Vec::new(), used: 0, end: None }),
            Err(back) => back.0,
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut rest = self.current.get(self.used..).unwrap_or_default();
            if !rest.is_empty() || place.is_empty() {
                let octets = rest.read(place)?;
                self.used += octets;
                return Ok(octets);
            }
            match &mut self.end {
                // An error is told once; behind it is the end.
                Some(end) => return std::mem::replace(end, Ok(())).map(|()| 0),
                None => {
                    // A thread that is gone needs no more room.
                    let _ = self.empty.try_send(std::mem::take(&mut self.current));
                    let stopped = |_| io::Error::other("the thread that decompresses has stopped");
                    let Piece(octets, end) = self.full.recv().map_err(stopped)?;
                    (self.current, self.used, self.end) = (octets, 0, end);
                }
            }
        }
    }
}

/// Fills pieces until the source ends or nobody wants them.
fn read_pieces(mut source: Box<dyn Read + Send>, to_reader: &SyncSender<Piece>, empty: &Receiver<Vec<u8>>) {
    while let Ok(mut octets) = empty.recv() {
        octets.resize(PIECE_OCTETS, 0);
        let (mut filled, mut end) = (0, None);
        while end.is_none() && filled < PIECE_OCTETS {
            match octets.get_mut(filled..).map_or(Ok(0), |room| source.read(room)) {
                Ok(0) => end = Some(Ok(())),
                Ok(more) => filled += more,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => end = Some(Err(e)),
            }
        }
        octets.truncate(filled);
        let ended = end.is_some();
        if to_reader.send(Piece(octets, end)).is_err() || ended {
            return;
        }
    }
}

/// Octets handed over at once.
const PIECE_OCTETS: usize = 256 << 10;
/// Pieces on their way, full and empty ones together, and so the memory: 1 MiB.
const PIECES: usize = 4;
