//! Captures that are compressed: recognised by their first octets, never by their names, and decompressed as they are
//! read.
//!
//! ```text
//! file → Source → Member, Member, … → Decompressor → (ReadAhead) → the reader's Buffer
//!        octets   one gzip member,    one stream      a thread of
//!        in use   zstd or lz4 frame,  of octets       its own
//!        counted  xz or bzip2 stream
//! ```
//!
//! What is written by `cat a.gz b.gz`, pigz, pbzip2, pzstd or `xz -T0` is one capture: members follow each other until
//! the file ends (RFC 1952 §2.2: "A gzip file consists of a series of 'members'"; RFC 8878 §3: "Zstandard compressed
//! data is made up of one or more frames"). One layer is taken off, no more.
//!
//! Memory is bounded by [`CompressionLimits::window_octets`], time by [`CompressionLimits::expansion`].

mod decompressor;
mod member;
mod source;

use std::fmt;
use std::io::{self, Read};

pub(crate) use decompressor::Decompressor;
use source::Source;

/// How a capture is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 frames (LZ4 Frame Format Description 1.6).
    Lz4,
    /// xz (The .xz File Format 1.2).
    Xz,
    /// bzip2.
    Bzip2,
}

impl Compression {
    /// All that can be read.
    pub const ALL: [Self; 5] = [Self::Gzip, Self::Zstd, Self::Lz4, Self::Xz, Self::Bzip2];

    /// The name of the program that undoes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// What `octets` begin with. [`MAGIC_OCTETS`] are enough.
    fn of(octets: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.begins(octets))
    }

    /// Whether a member begins here. As much as its format fixes is looked at, so that chance matches are rare.
    fn begins(self, octets: &[u8]) -> bool {
        match self {
            // RFC 1952 §2.3.1: "ID1 = 31 (0x1f, \037), ID2 = 139 (0x8b, \213)"; "CM = 8 denotes the "deflate"
            // compression method".
            Self::Gzip => octets.starts_with(&[0x1f, 0x8b, 8]),
            // RFC 8878 §3.1.1: "Magic_Number: 4 bytes, little-endian format. Value: 0xFD2FB528."
            Self::Zstd => octets.starts_with(&0xfd2f_b528_u32.to_le_bytes()),
            // LZ4 Frame Format, General Structure: "4 Bytes, Little endian format. Value : 0x184D2204".
            Self::Lz4 => octets.starts_with(&0x184d_2204_u32.to_le_bytes()),
            // The .xz File Format §2.1.1.1: "FD 37 7A 58 5A 00".
            Self::Xz => octets.starts_with(b"\xfd7zXZ\0"),
            // "BZh", the block size in 100 kB, then the magic of a block (π) or of the end (√π).
            Self::Bzip2 => {
                octets.starts_with(b"BZh")
                    && matches!(octets.get(3), Some(b'1'..=b'9'))
                    && matches!(
                        octets.get(4..10),
                        Some([0x31, 0x41, 0x59, 0x26, 0x53, 0x59] | [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
                    )
            }
        }
    }

    /// Whether `octets`, the last ones of a file and fewer than [`MAGIC_OCTETS`], are the beginning of a member.
    fn may_begin(self, octets: &[u8]) -> bool {
        let magic: &[u8] = match self {
            Self::Gzip => &[0x1f, 0x8b, 8],
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
            Self::Lz4 => &[0x04, 0x22, 0x4d, 0x18],
            Self::Xz => b"\xfd7zXZ\0",
            Self::Bzip2 => b"BZh",
        };
        let is_start = magic.starts_with(octets) || (self == Self::Bzip2 && octets.starts_with(magic));
        let is_skipped = self.has_skippable_frames()
            && octets.len() < 4
            && octets
                .iter()
                .zip([0x50, 0x2a, 0x4d])
                .enumerate()
                .all(|(index, (&octet, wanted))| if index == 0 { octet & 0xf0 == wanted } else { octet == wanted });
        octets.len() < MAGIC_OCTETS && (is_start || is_skipped)
    }

    /// Whether frames for others to skip may stand between its frames.
    fn has_skippable_frames(self) -> bool {
        matches!(self, Self::Zstd | Self::Lz4)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a compressed capture may cost at most. Reaching a limit ends the input with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionLimits {
    /// Octets that a decoder has to look back over: the window of a zstd frame, the dictionary of an xz block. It is
    /// what a decoder needs in memory; the other formats fix theirs at 4 MiB or less. The default, 128 MiB, is what
    /// `zstd -d` allows without `--long`, and twice what `xz -9` asks for.
    pub window_octets: u64,
    /// Octets that may come out for each one that went in, once [`free_octets`](Self::free_octets) have come out. The
    /// default is 10 000. Of captures of TCP segments that carry nothing but zeros, 731 was the most that gzip, zstd, lz4,
    /// xz or bzip2 made of packets of 9 kB, and 4 545 (bzip2) of the 64 KiB that segmentation offload leaves; deflate
    /// cannot exceed 1 032, bzip2 and zstd can exceed 30 000.
    pub expansion: u64,
    /// Octets that come out at whatever expansion. The default is 1 GiB, a few seconds' work.
    pub free_octets: u64,
}

impl Default for CompressionLimits {
    fn default() -> Self {
        Self { window_octets: 128 << 20, expansion: 10_000, free_octets: 1 << 30 }
    }
}

/// What is wrong with compressed data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionFault {
    /// The data contradict themselves or their checksum.
    Corrupt,
    /// The file ends inside a member.
    Truncated,
    /// Something else follows the last member: its first octets, up to four.
    Trailing(Vec<u8>),
    /// More window is asked for than [`CompressionLimits::window_octets`].
    Window {
        /// What is asked for, where it is known.
        wanted: Option<u64>,
        /// The limit.
        limit: u64,
    },
    /// More came out of it than [`CompressionLimits::expansion`] allows.
    Expansion {
        /// The limit.
        limit: u64,
    },
    /// A dictionary is needed that the file does not hold.
    Dictionary,
}

/// What was found inside, where a capture was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// A second layer of compression.
    Compressed(Compression),
    /// A tar archive.
    Tar,
    /// Something else: its first octets, up to four.
    Unknown(Vec<u8>),
}

impl Contents {
    /// What `octets` are the beginning of. [`Self::OCTETS`] are enough.
    pub(crate) fn of(octets: &[u8]) -> Self {
        // POSIX.1-2017 pax, ustar Interchange Format: "magic" at octet 257.
        if octets.get(257..262) == Some(b"ustar") {
            return Self::Tar;
        }
        match Compression::of(octets) {
            Some(compression) => Self::Compressed(compression),
            None => Self::Unknown(octets.iter().copied().take(4).collect()),
        }
    }

    /// What [`of`](Self::of) looks at.
    pub(crate) const OCTETS: usize = 262;
}

/// A fault on its way through [`Read`], inside an [`io::Error`].
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) compression: Compression,
    /// Octets of the file that were in use.
    pub(crate) compressed_offset: u64,
    pub(crate) fault: CompressionFault,
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.compression, self.fault)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

/// Looks at the first octets of `source` and puts a decompressor in front of it where they ask for one.
pub(crate) fn detect(
    mut source: Box<dyn Read + Send>,
    limits: CompressionLimits,
) -> io::Result<(Box<dyn Read + Send>, Option<Compression>)> {
    let mut first = [0; MAGIC_OCTETS];
    let len = source::read_full(&mut source, &mut first)?;
    let first = first.get(..len).unwrap_or_default().to_vec();
    let (compression, skippable) = (Compression::of(&first), is_skippable(&first));
    let whole: Box<dyn Read + Send> = Box::new(io::Cursor::new(first.clone()).chain(source));
    if compression.is_none() && !skippable {
        return Ok((whole, None));
    }
    let mut source = Source::new(whole);
    // pzstd writes a frame to be skipped before each of its own. Whose it is, the first other frame says.
    let compression = match compression {
        Some(compression) => Some(compression),
        None => {
            while source.skip_frame()?.is_some_and(|whole| whole) {}
            Compression::of(source.peek(MAGIC_OCTETS)?).filter(|compression| compression.has_skippable_frames())
        }
    };
    Ok(match compression {
        Some(compression) => (Box::new(Decompressor::new(compression, source, limits)), Some(compression)),
        // Nothing that frames to be skipped stand before, and they are no capture themselves. What was skipped is gone, so
        // that the offsets of whatever is behind it would be wrong.
        None => (Box::new(io::Cursor::new(first)), None),
    })
}

/// RFC 8878 §3.1.2: "Magic_Number: 4 bytes, little-endian format. Value: 0x184D2A5?, which means any value from
/// 0x184D2A50 to 0x184D2A5F." lz4 has the same.
fn is_skippable(octets: &[u8]) -> bool {
    octets.first_chunk().is_some_and(|&magic| u32::from_le_bytes(magic) & !0xf == 0x184d_2a50)
}

/// What has to be seen of a file to know its compression.
const MAGIC_OCTETS: usize = 10;

#[cfg(test)]
mod tests;
