//! The compressed octets, with a count of those in use.

use std::io::{self, BufRead, Read};

use super::is_skippable;

/// A buffer in front of a file, which is always filled as far as it goes, so that what a decoder sees does not depend on
/// the sizes of the reads.
pub(super) struct Source {
    inner: Box<dyn Read + Send>,
    octets: Box<[u8]>,
    start: usize,
    end: usize,
    position: u64,
    /// Nothing more will come.
    ended: bool,
    /// Octets were asked for behind the end.
    starved: bool,
    /// What the operating system said; decoders put errors of their own in its place.
    failure: Option<io::Error>,
}

impl Source {
    pub(super) fn new(inner: Box<dyn Read + Send>) -> Self {
        Self { octets: vec![0; CAPACITY].into_boxed_slice(), inner, ..Self::default() }
    }

    /// Octets that were taken, from the beginning of the file.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether octets were asked for behind the end of the file.
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// The error that stopped the reading, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The next octets, up to `wanted` (at most [`CAPACITY`]); fewer at the end of the file only.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.refill();
            self.check()?;
        }
        let there = self.octets.get(self.start..self.end).unwrap_or_default();
        Ok(there.get(..wanted).unwrap_or(there))
    }

    /// Passes over zeros. Returns their number.
    pub(super) fn skip_zeros(&mut self) -> io::Result<u64> {
        let from = self.position;
        loop {
            let at_end = self.peek(1)?.is_empty();
            let window = self.octets.get(self.start..self.end).unwrap_or_default();
            let zeros = window.iter().take_while(|&&octet| octet == 0).count();
            let only_zeros = zeros == window.len();
            self.consume(zeros);
            if at_end || !only_zeros {
                return Ok(self.position - from);
            }
        }
    }

    /// Passes over a frame that is to be skipped: `None` where there is none, `false` where the file ends inside it.
    ///
    /// RFC 8878 §3.1.2: "Frame_Size: This is the size, in bytes, of the following User_Data (without including the magic
    /// number nor the size field itself). This field is represented using 4 bytes, little-endian format".
    pub(super) fn skip_frame(&mut self) -> io::Result<Option<bool>> {
        let header = self.peek(8)?;
        if !is_skippable(header) {
            return Ok(None);
        }
        let Some(&size) = header.last_chunk().filter(|_| header.len() == 8) else { return Ok(Some(false)) };
        let mut left = 8 + u64::from(u32::from_le_bytes(size));
        while left > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                return Ok(Some(false));
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(there);
            self.consume(step);
            left -= step as u64;
        }
        Ok(Some(true))
    }

    /// Moves what is there to the front and reads until the buffer is full.
    fn refill(&mut self) {
        if self.ended {
            return;
        }
        self.octets.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < CAPACITY {
            let filled = self.end;
            let Some(room) = self.octets.get_mut(filled..) else { break };
            match self.inner.read(room) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(octets) => self.end = (filled + octets).min(CAPACITY),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // What came before it is used first.
                Err(e) => {
                    (self.ended, self.failure) = (true, Some(e));
                    break;
                }
            }
        }
    }

    /// The error of the operating system, where that is why there are no octets. [`take_failure`](Self::take_failure)
    /// has it; this one stands for it, because a decoder may lose the error it is given.
    fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some(e) if self.start == self.end => Err(e.kind().into()),
            _ => Ok(()),
        }
    }
}

impl Read for Source {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let mut there = self.fill_buf()?;
        let octets = there.read(place)?;
        self.consume(octets);
        Ok(octets)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.refill();
            self.check()?;
            self.starved |= self.start == self.end;
        }
        Ok(self.octets.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.end - self.start);
        self.start += octets;
        self.position += octets as u64;
    }
}

impl Default for Source {
    /// One without octets, in the place of one that is elsewhere.
    fn default() -> Self {
        Self {
            inner: Box::new(io::empty()),
            octets: Box::default(),
            start: 0,
            end: 0,
            position: 0,
            ended: false,
            starved: false,
            failure: None,
        }
    }
}

/// Reads until `place` is full or the input ends. Returns how many octets there were.
pub(super) fn read_full(source: &mut dyn Read, place: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = place.get_mut(filled..).filter(|room| !room.is_empty()) {
        match source.read(room) {
            Ok(0) => break,
            Ok(octets) => filled += octets,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Octets of the buffer.
const CAPACITY: usize = 128 << 10;
