//! One member after the other, as one stream of octets, within limits.

use std::io::{self, Read};

use super::member::{Fault, Member, Step};
use super::source::Source;
use super::{Compression, CompressionFault, CompressionLimits, Failure, MAGIC_OCTETS};

/// The octets of all members. An error comes after all octets before it, once; then the end.
pub(crate) struct Decompressor {
    compression: Compression,
    limits: CompressionLimits,
    /// Without octets while a member's decoder has the source.
    source: Source,
    member: Option<Member>,
    produced: u64,
    fault: Option<Fault>,
    finished: bool,
}

impl Decompressor {
    pub(super) fn new(compression: Compression, source: Source, limits: CompressionLimits) -> Self {
        Self { compression, limits, source, member: None, produced: 0, fault: None, finished: false }
    }

    /// Begins the next member. `false` at the end of the file.
    fn next_member(&mut self) -> Result<bool, Fault> {
        match self.find_member() {
            Ok(true) => {
                self.member = Some(Member::new(self.compression, &mut self.source, &self.limits)?);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(Stop::Fault(fault)) => Err(fault),
            Err(Stop::Read(e)) => Err((CompressionFault::Corrupt, Some(e.into()))),
        }
    }

    /// Goes to the next member, over what may stand between two.
    fn find_member(&mut self) -> Result<bool, Stop> {
        loop {
            let octets = self.source.peek(MAGIC_OCTETS)?;
            if self.compression.begins(octets) {
                return Ok(true);
            }
            let Some(&first) = octets.first() else { return Ok(false) };
            let got = octets.iter().copied().take(4).collect();
            match (self.compression, first) {
                // Tapes and block devices fill up with zeros; gzip(1) passes over them, too.
                (Compression::Gzip, 0) => {
                    self.source.skip_zeros()?;
                }
                // The .xz File Format §2.2: "Stream Padding MUST contain only null bytes. To preserve the four-byte
                // alignment of consecutive Streams, the size of Stream Padding MUST be a multiple of four bytes."
                (Compression::Xz, 0) => {
                    let zeros = self.source.skip_zeros()?;
                    if zeros % 4 != 0 && self.source.peek(1)?.is_empty() {
                        return Err(Stop::Fault((CompressionFault::Truncated, None)));
                    }
                    if zeros % 4 != 0 {
                        return Err(Stop::Fault((
                            CompressionFault::Corrupt,
                            Some("stream padding is no multiple of four octets".into()),
                        )));
                    }
                }
                (compression, _) if compression.may_begin(octets) => {
                    return Err(Stop::Fault((CompressionFault::Truncated, None)));
                }
                (compression, _) => match compression.has_skippable_frames().then(|| self.source.skip_frame()) {
                    Some(skipped) => match skipped? {
                        Some(true) => {}
                        Some(false) => return Err(Stop::Fault((CompressionFault::Truncated, None))),
                        None => return Err(Stop::Fault((CompressionFault::Trailing(got), None))),
                    },
                    None => return Err(Stop::Fault((CompressionFault::Trailing(got), None))),
                },
            }
        }
    }

    /// Fills `place`, as far as one step does. Zero at the end.
    fn step(&mut self, place: &mut [u8]) -> Result<usize, Fault> {
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let Some(member) = &mut self.member else {
                match self.next_member()? {
                    true => continue,
                    false => return Ok(0),
                }
            };
            let octets = match member.decode(&mut self.source, place, &self.limits) {
                Step::Octets(octets) => octets,
                Step::Fault(octets, fault) => {
                    self.fault = Some(fault);
                    octets
                }
                Step::End => {
                    if let Some(source) = self.member.take().and_then(Member::into_source) {
                        self.source = source;
                    }
                    0
                }
            };
            let octets = self.within_limit(octets);
            if octets > 0 {
                return Ok(octets);
            }
        }
    }

    /// How many of the octets that just came out may be handed on.
    fn within_limit(&mut self, octets: usize) -> usize {
        let CompressionLimits { expansion, free_octets, .. } = self.limits;
        let most = self.current_source().position().saturating_mul(expansion).max(free_octets);
        let left = usize::try_from(most.saturating_sub(self.produced)).unwrap_or(usize::MAX);
        if octets > left {
            self.fault = Some((CompressionFault::Expansion { limit: expansion }, None));
        }
        let octets = octets.min(left);
        self.produced += octets as u64;
        octets
    }

    fn current_source(&mut self) -> &mut Source {
        match self.member.as_mut().and_then(Member::source) {
            Some(source) => source,
            None => &mut self.source,
        }
    }
}

impl Read for Decompressor {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        if place.is_empty() || self.finished {
            return Ok(0);
        }
        match self.step(place) {
            Ok(0) => {
                self.finished = true;
                Ok(0)
            }
            Ok(octets) => Ok(octets),
            Err((fault, source)) => {
                self.finished = true;
                let compression = self.compression;
                let file = self.current_source();
                // Where the operating system stopped reading, nothing is wrong with the compression.
                if let Some(e) = file.take_failure() {
                    return Err(e);
                }
                Err(Failure { compression, compressed_offset: file.position(), fault, source }.into())
            }
        }
    }
}

/// Why no member was found.
enum Stop {
    Fault(Fault),
    Read(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}
