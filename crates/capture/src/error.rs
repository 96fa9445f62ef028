//! What stops the reading of a capture. A damaged packet stops nothing: see [`DecodeError`](crate::DecodeError).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::compression::{Compression, CompressionFault, Contents, Failure};

/// Why a capture could not be read, or not to its end. Every packet before `offset` has been handed out.
///
/// Offsets are octets from the start of the (decompressed) input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system did not open it.
    #[error("{}: cannot be opened: {}; check the name and the permissions", .path.display(), Lower(.source))]
    Open {
        /// The input as it was named.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{}: is a directory, not a capture; name the files in it", .path.display())]
    Directory {
        /// The input as it was named.
        path: PathBuf,
    },
    /// The operating system stopped reading it.
    #[error("{}: cannot be read at octet {offset}: {}; {}", .path.display(), Lower(.source), Before(.packets))]
    Read {
        /// The input as it was named.
        path: PathBuf,
        /// The first octet that could not be read.
        offset: u64,
        /// Packets that were read before it.
        packets: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// It holds no octet at all, not even the header that a capture without packets has.
    #[error("{}: is empty; a capture without packets has a header, so this one was not written to the end", .path.display())]
    Empty {
        /// The input as it was named.
        path: PathBuf,
    },
    /// Its first octets are those of no known capture format.
    #[error("{}: is no capture: begins with {}; a pcap or pcapng file is wanted, and editcap -F pcapng converts others", .path.display(), Hex(.got))]
    NotACapture {
        /// The input as it was named.
        path: PathBuf,
        /// Its first octets, up to four.
        got: Vec<u8>,
    },
    /// What it is compressed from is no capture.
    #[error("{}: is no capture: the {compression} data hold {found}; one layer of compression is read, and a pcap or pcapng file is wanted in it", .path.display())]
    NoCaptureInside {
        /// The input as it was named.
        path: PathBuf,
        /// How it is compressed.
        compression: Compression,
        /// What is inside.
        found: Contents,
    },
    /// Its compressed data are damaged, cut short or beyond a limit.
    #[error("{}: {}", .path.display(), Told::new(.compression, .fault, .compressed_offset, .offset, .packets, .source))]
    Compressed {
        /// The input as it was named.
        path: PathBuf,
        /// How it is compressed.
        compression: Compression,
        /// Octets that came out before it.
        offset: u64,
        /// Packets that were read before it.
        packets: u64,
        /// Octets of the file that were in use by then: the fault is before this octet, if not at it.
        compressed_offset: u64,
        /// What is wrong.
        fault: CompressionFault,
        /// What the decoder said.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Its header names a version of the format that is laid out differently.
    #[error("{}: version {got} at octet {offset}, where version {wanted} is wanted; editcap -F pcapng converts it", .path.display())]
    UnsupportedVersion {
        /// The input as it was named.
        path: PathBuf,
        /// Where the header begins.
        offset: u64,
        /// The major version this reader knows.
        wanted: u16,
        /// The major version in the header.
        got: u16,
    },
    /// It ends inside a header, a record or a block.
    #[error("{}: cut off in the middle of a {part} at octet {offset}: {wanted} octets wanted, {got} there; {}", .path.display(), Before(.packets))]
    Truncated {
        /// The input as it was named.
        path: PathBuf,
        /// What was cut.
        part: Part,
        /// Where that part begins.
        offset: u64,
        /// Packets that were read before it.
        packets: u64,
        /// Octets the part has, as far as is known.
        wanted: u64,
        /// Octets that are there.
        got: u64,
    },
    /// A field contradicts its surroundings, and no record was found between there and the input's end.
    #[error("{}: damaged at octet {offset}: {fault} is {got}, {wanted} wanted, and no further record was found behind it; {}", .path.display(), Before(.packets))]
    Malformed {
        /// The input as it was named.
        path: PathBuf,
        /// Where the record or block begins.
        offset: u64,
        /// Packets that were read before it.
        packets: u64,
        /// Which field.
        fault: Fault,
        /// What it should have been; for a length the least or the most.
        wanted: u64,
        /// What it is.
        got: u64,
    },
}

impl Error {
    /// The input it is about, as it was named.
    pub fn path(&self) -> &Path {
        match self {
            Self::Open { path, .. }
            | Self::Directory { path }
            | Self::Read { path, .. }
            | Self::Empty { path }
            | Self::NotACapture { path, .. }
            | Self::NoCaptureInside { path, .. }
            | Self::Compressed { path, .. }
            | Self::UnsupportedVersion { path, .. }
            | Self::Truncated { path, .. }
            | Self::Malformed { path, .. } => path,
        }
    }

    /// Whether the input merely ends too early, as that of an interrupted recording does.
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Compressed { fault: CompressionFault::Truncated, .. })
    }

    /// Whether the input is no capture at all, as most files of a directory may be; an archive of something else counts.
    pub fn is_about_something_else(&self) -> bool {
        matches!(self, Self::NotACapture { .. } | Self::NoCaptureInside { .. } | Self::Empty { .. })
    }

    /// The limit that ended the input, by its name in a report; `None` where something else did.
    pub fn limit_reached(&self) -> Option<&'static str> {
        match self {
            Self::Compressed { fault: CompressionFault::Window { .. }, .. } => Some("decompression_window"),
            Self::Compressed { fault: CompressionFault::Expansion { .. }, .. } => Some("decompression_expansion"),
            _ => None,
        }
    }

    /// How the input is compressed, as far as the error is about that.
    pub fn compression(&self) -> Option<Compression> {
        match self {
            Self::NoCaptureInside { compression, .. } | Self::Compressed { compression, .. } => Some(*compression),
            _ => None,
        }
    }

    /// What came out of a source that could not be read at `offset`: a decompressor's fault, or the operating system's.
    pub(crate) fn reading(path: PathBuf, offset: u64, packets: u64, source: io::Error) -> Self {
        match source.downcast::<Failure>() {
            Ok(Failure { compression, compressed_offset, fault, source }) => {
                Self::Compressed { path, compression, offset, packets, compressed_offset, fault, source }
            }
            Err(source) => Self::Read { path, offset, packets, source },
        }
    }
}

/// What a truncated capture ends in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The header that a pcap file begins with.
    FileHeader,
    /// A pcap packet record.
    Record,
    /// A pcapng block.
    Block,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileHeader => "file header",
            Self::Record => "record",
            Self::Block => "block",
        })
    }
}

/// The field that a damaged capture has wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// pcapng Block Total Length, less than the block's own fixed fields.
    BlockLength,
    /// pcapng Block Total Length, no multiple of four.
    BlockAlignment,
    /// pcapng Block Total Length, the copy behind the block.
    TrailingBlockLength,
    /// pcapng Byte-Order Magic.
    ByteOrderMagic,
    /// pcap Captured Packet Length, more than can be.
    CapturedLength,
    /// pcap Original Packet Length, none.
    OriginalLength,
    /// The second half of a pcap timestamp, a second or more.
    Fraction,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlockLength => "the block length",
            Self::BlockAlignment => "the block length modulo 4",
            Self::TrailingBlockLength => "the block length behind the block",
            Self::ByteOrderMagic => "the byte-order magic",
            Self::CapturedLength => "the captured length",
            Self::OriginalLength => "the original length",
            Self::Fraction => "the fraction of the second",
        })
    }
}

/// What is wrong with compressed data, where, and what to do.
struct Told<'a> {
    compression: &'a Compression,
    fault: &'a CompressionFault,
    compressed_offset: &'a u64,
    offset: &'a u64,
    packets: &'a u64,
    source: &'a Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl<'a> Told<'a> {
    fn new(
        compression: &'a Compression,
        fault: &'a CompressionFault,
        compressed_offset: &'a u64,
        offset: &'a u64,
        packets: &'a u64,
        source: &'a Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { compression, fault, compressed_offset, offset, packets, source }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compression, compressed_offset, offset, .. } = self;
        let before = Before(self.packets);
        let place = format_args!("at octet {compressed_offset} of the file, octet {offset} of what it holds");
        match self.fault {
            CompressionFault::Corrupt => {
                write!(f, "{compression} data damaged {place}")?;
                if let Some(source) = self.source {
                    write!(f, ": {}", lower(&source.to_string()))?;
                }
                write!(f, "; {before}")
            }
            CompressionFault::Truncated => {
                write!(f, "{compression} data cut off {place}; {before}")
            }
            CompressionFault::Trailing(got) => write!(
                f,
                "begins with {} behind its {compression} data, {place}; {before}, split the file there for the rest",
                Hex(got)
            ),
            CompressionFault::Window { wanted, limit } => {
                write!(f, "{compression} data need ")?;
                match wanted {
                    Some(wanted) => write!(f, "a window of {wanted} octets")?,
                    None => f.write_str("a dictionary")?,
                }
                write!(f, " beyond the limit of {limit} octets {place}; decompress it first, with {compression} -dc")
            }
            CompressionFault::Expansion { limit } => write!(
                f,
                "{compression} data expand more than {limit} times {place}, as a decompression bomb does; {before}, decompress it with {compression} -dc if it is none"
            ),
            CompressionFault::Dictionary => {
                write!(f, "{compression} data need a dictionary {place}; decompress it first, with that dictionary")
            }
        }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compressed(compression) => write!(f, "{compression} data once more"),
            Self::Tar => f.write_str("a tar archive"),
            Self::Unknown(got) => write!(f, "something that begins with {}", Hex(got)),
        }
    }
}

/// What became of the packets before an error, of which there are so many.
struct Before<'a>(&'a u64);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self.0 == 0 { "there was no packet before it" } else { "the packets before it were read" })
    }
}

/// An operating system's message, which begins with a capital, in the middle of ours.
struct Lower<'a>(&'a io::Error);

impl fmt::Display for Lower<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lower(&self.0.to_string()))
    }
}

fn lower(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |first| first.to_lowercase().chain(rest).collect())
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_where_what_and_what_to_do() {
        for (packets, before) in [(0, "there was no packet before it"), (9, "the packets before it were read")] {
            let (path, part) = ("x.pcap".into(), Part::Record);
            let cut = Error::Truncated { path, part, offset: 4242, packets, wanted: 1500, got: 12 };
            let expected = "x.pcap: cut off in the middle of a record at octet 4242: 1500 octets wanted, 12 there; ";
            assert_eq!(cut.to_string(), format!("{expected}{before}"));
        }
        let zip = Error::NotACapture { path: "x.zip".into(), got: vec![0x50, 0x4b, 3, 4] };
        assert!(zip.to_string().starts_with("x.zip: is no capture: begins with 50 4b 03 04; "), "{zip}");
        let gone = Error::Open { path: "x".into(), source: io::Error::other("No such file") };
        assert_eq!(gone.to_string(), "x: cannot be opened: no such file; check the name and the permissions");
    }
}
