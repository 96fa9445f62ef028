//! What stops the reading of a capture. A damaged packet stops nothing: see [`DecodeError`](crate::DecodeError).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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
    #[error("{}: cannot be read at octet {offset}: {}; the packets before it were read", .path.display(), Lower(.source))]
    Read {
        /// The input as it was named.
        path: PathBuf,
        /// The first octet that could not be read.
        offset: u64,
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
    #[error("{}: cut off in the middle of a {part} at octet {offset}: {wanted} octets wanted, {got} there; the packets before it were read", .path.display())]
    Truncated {
        /// The input as it was named.
        path: PathBuf,
        /// What was cut.
        part: Part,
        /// Where that part begins.
        offset: u64,
        /// Octets the part has, as far as is known.
        wanted: u64,
        /// Octets that are there.
        got: u64,
    },
    /// A field contradicts its surroundings, so that it is not known where the next record begins.
    #[error("{}: damaged at octet {offset}: {fault} is {got}, {wanted} wanted; the packets before it were read", .path.display())]
    Malformed {
        /// The input as it was named.
        path: PathBuf,
        /// Where the record or block begins.
        offset: u64,
        /// Which field.
        fault: Fault,
        /// What it should have been; for a length the least.
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
            | Self::UnsupportedVersion { path, .. }
            | Self::Truncated { path, .. }
            | Self::Malformed { path, .. } => path,
        }
    }

    /// Whether the input merely ends too early, as that of an interrupted recording does.
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Truncated { .. })
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
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlockLength => "the block length",
            Self::BlockAlignment => "the block length modulo 4",
            Self::TrailingBlockLength => "the block length behind the block",
            Self::ByteOrderMagic => "the byte-order magic",
        })
    }
}

/// An operating system's message, which begins with a capital, in the middle of ours.
struct Lower<'a>(&'a io::Error);

impl fmt::Display for Lower<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let mut rest = text.chars();
        match rest.next() {
            Some(first) => write!(f, "{}{}", first.to_lowercase(), rest.as_str()),
            None => Ok(()),
        }
    }
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
        let cut = Error::Truncated { path: "x.pcap".into(), part: Part::Record, offset: 4242, wanted: 1500, got: 12 };
        assert_eq!(
            cut.to_string(),
            "x.pcap: cut off in the middle of a record at octet 4242: 1500 octets wanted, 12 there; \
             the packets before it were read"
        );
        let zip = Error::NotACapture { path: "x.zip".into(), got: vec![0x50, 0x4b, 3, 4] };
        assert!(zip.to_string().starts_with("x.zip: is no capture: begins with 50 4b 03 04; "), "{zip}");
        let gone = Error::Open { path: "x".into(), source: io::Error::other("No such file") };
        assert_eq!(gone.to_string(), "x: cannot be opened: no such file; check the name and the permissions");
    }
}
