//! Opens a capture, recognises its format and lends its packets one by one from a bounded buffer.
//!
//! Whatever the format, a loop asks the record walker ([`PcapRecords`], [`PcapNgBlocks`]) what stands at the start of
//! the buffer's window. The walker answers with a [`Step`] that holds numbers only, no borrow: where the packet's octets
//! are, how many more are needed, or how many to pass over. The slice is made last, by the public function, so that a
//! packet can borrow the reader and the loop can still refill the buffer.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::buffer::Buffer;
use crate::compression::{self, Compression, CompressionLimits, Contents};
use crate::pcap::{self, PcapRecords};
use crate::pcapng::{self, ByteOrder, PcapNgBlocks};
use crate::read_ahead::ReadAhead;
use crate::{Error, Fault, LinkType, Packet, Part, Timestamp};

/// Reads one capture from its start to its end, in constant memory.
///
/// ```no_run
/// # fn main() -> Result<(), capture::Error> {
/// let mut reader = capture::CaptureReader::open("mail.pcapng".as_ref())?;
/// while let Some(packet) = reader.next_packet()? {
///     println!("{} octets", packet.data.len());
/// }
/// # Ok(())
/// # }
/// ```
///
/// The memory is one buffer of [`BUFFER_OCTETS`], or of what [`ReaderLimits::record_octets`] asks for where that is
/// more, and the interface descriptions of one section. No length in the input makes it more.
pub struct CaptureReader {
    path: PathBuf,
    buffer: Buffer,
    compression: Option<Compression>,
    records: Records,
    limits: ReaderLimits,
    packets: u64,
    oversized_records: u64,
    malformed_blocks: u64,
    foreign_sections: u64,
    finished: bool,
}

impl CaptureReader {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be opened or read, is a directory, is empty, or is no capture.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with_limits(path, ReaderLimits::default())
    }

    /// Opens the file at `path`, with these limits from its first octet on.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with_limits(path: &Path, limits: ReaderLimits) -> Result<Self, Error> {
        // Asked before opening: some systems open a directory and fail at the first read, others refuse with an error
        // that says nothing of directories.
        if path.is_dir() {
            return Err(Error::Directory { path: path.into() });
        }
        let file = File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
        Self::new_with_limits(Box::new(file), path.into(), limits)
    }

    /// Reads from `source`; `name` is what messages call it (`-` for standard input).
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or is no capture.
    pub fn new(source: Box<dyn Read + Send>, name: PathBuf) -> Result<Self, Error> {
        Self::new_with_limits(source, name, ReaderLimits::default())
    }

    /// Reads from `source`, with these limits from its first octet on.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn new_with_limits(source: Box<dyn Read + Send>, name: PathBuf, limits: ReaderLimits) -> Result<Self, Error> {
        let path = name;
        let (source, compression) = match compression::detect(source, limits.compression) {
            Ok(detected) => detected,
            Err(source) => return Err(Error::reading(path, 0, source)),
        };
        let mut buffer = Buffer::new(source, limits.buffer_octets());
        let magic_there = match buffer.fill(MAGIC_OCTETS) {
            Ok(there) => there,
            Err(source) => return Err(Error::reading(path, buffer.window().len() as u64, source)),
        };
        let records = match buffer.window().first_chunk::<MAGIC_OCTETS>() {
            Some(&pcapng::SECTION_HEADER) => Records::PcapNg(PcapNgBlocks::default()),
            Some(&magic) if pcap::is_magic(magic) => Records::Pcap(pcap_header(&mut buffer, &path)?),
            _ if !magic_there && buffer.window().is_empty() => return Err(Error::Empty { path }),
            _ if let Some(compression) = compression => {
                // What cannot be read of it is not needed to say so.
                let _ = buffer.fill(Contents::OCTETS);
                return Err(Error::NoCaptureInside { path, compression, found: Contents::of(buffer.window()) });
            }
            _ => {
                let got = buffer.window().iter().copied().take(MAGIC_OCTETS).collect();
                return Err(Error::NotACapture { path, got });
            }
        };
        Ok(Self {
            path,
            buffer,
            compression,
            records,
            limits,
            packets: 0,
            oversized_records: 0,
            malformed_blocks: 0,
            foreign_sections: 0,
            finished: false,
        })
    }

    /// The same reader with other limits. To be called before the first packet is read. Those of compression are in
    /// force from the first octet on and are set by [`open_with_limits`](Self::open_with_limits) only.
    #[must_use]
    pub fn with_limits(mut self, limits: ReaderLimits) -> Self {
        self.buffer.reserve(limits.buffer_octets());
        self.limits = limits;
        self
    }

    /// The same reader, which decompresses in a thread of its own. It changes nothing but the time it takes, and nothing
    /// at all where the input is not compressed.
    #[must_use]
    pub fn decompressing_ahead(mut self) -> Self {
        if self.compression.is_some() {
            self.buffer.change_source(ReadAhead::start);
        }
        self
    }

    /// The next packet in file order, `None` at the end of the capture.
    ///
    /// # Errors
    /// Where the input ends inside a record, cannot be read, or is damaged so that the next record's place is unknown.
    /// Every packet before that has been lent by then; every call after it returns `None`.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Error> {
        let Some(extent) = self.advance()? else { return Ok(None) };
        let back = extent.record_len.saturating_sub(extent.data_at);
        Ok(Some(Packet {
            data: self.buffer.behind(back, extent.data_len),
            data_at: self.buffer.position().saturating_sub(back as u64),
            interface_id: extent.interface_id,
            link_type: extent.link_type,
            original_len: extent.original_len,
            timestamp: extent.timestamp,
        }))
    }

    /// The input as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that its first octets are those of.
    pub fn format(&self) -> Format {
        match &self.records {
            Records::Pcap(records) if records.is_nanosecond_precision() => Format::PcapNanoseconds,
            Records::Pcap(_) => Format::Pcap,
            Records::PcapNg(_) => Format::PcapNg,
        }
    }

    /// How the input is compressed; `None` where it is not.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// Packets lent so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of the (decompressed) input that are done with: headers, packets and what was passed over. At the end of a whole capture
    /// that is its length; after an error, the offset of the record it is about.
    pub fn octets(&self) -> u64 {
        self.buffer.position()
    }

    /// Records and blocks passed over because they are larger than [`ReaderLimits::record_octets`] allows.
    pub fn oversized_records(&self) -> u64 {
        self.oversized_records
    }

    /// pcapng blocks passed over because their contents contradict themselves: a captured length beyond the block, an
    /// interface that was not described (or more than [`ReaderLimits::interfaces`] were).
    pub fn malformed_blocks(&self) -> u64 {
        self.malformed_blocks
    }

    /// pcapng sections passed over because they are of another major version than 1.
    pub fn foreign_sections(&self) -> u64 {
        self.foreign_sections
    }

    /// pcapng packets that took the time of the packet before them, having none (Simple Packet Block) or one outside
    /// the years 1677 to 2262.
    pub fn packets_without_time(&self) -> u64 {
        match &self.records {
            Records::Pcap(_) => 0,
            Records::PcapNg(blocks) => blocks.packets_without_time(),
        }
    }

    /// Goes behind the next packet and says where it is.
    #[inline]
    fn advance(&mut self) -> Result<Option<Extent>, Error> {
        while !self.finished {
            let window = self.buffer.window();
            let step = match &mut self.records {
                Records::Pcap(records) => records.step(window, &self.limits),
                Records::PcapNg(blocks) => blocks.step(window, &self.limits),
            };
            if let Step::Packet(extent) = step {
                self.buffer.consume(extent.record_len);
                self.packets += 1;
                return Ok(Some(extent));
            }
            if let Err(e) = self.settle(step) {
                self.finished = true;
                return Err(e);
            }
        }
        Ok(None)
    }

    /// Everything that is not a packet in the window: about once in a thousand packets.
    #[cold]
    fn settle(&mut self, step: Step) -> Result<(), Error> {
        let offset = self.buffer.position();
        match step {
            Step::Packet(_) => {}
            Step::More(wanted) => {
                let whole = self.buffer.fill(wanted).map_err(|e| self.read_error(e))?;
                let got = self.buffer.window().len();
                if !whole && got > 0 {
                    return Err(self.truncated(offset, wanted as u64, got as u64));
                }
                self.finished = !whole;
            }
            Step::Skip { octets, trailer, why } => {
                let trailer_len = if trailer.is_some() { TRAILER_OCTETS } else { 0 };
                let front = octets.saturating_sub(trailer_len as u64);
                let mut got = self.buffer.skip(front).map_err(|e| self.read_error(e))?;
                if got == front {
                    self.buffer.fill(trailer_len).map_err(|e| self.read_error(e))?;
                    got += self.buffer.window().len().min(trailer_len) as u64;
                }
                if got < octets {
                    return Err(self.truncated(offset, octets, got));
                }
                if let (Some((wanted, order)), Some(&raw)) = (trailer, self.buffer.window().first_chunk()) {
                    let (wanted, got) = (u64::from(wanted), u64::from(order.u32(raw)));
                    if got != wanted {
                        return Err(self.malformed(offset, Fault::TrailingBlockLength, wanted, got));
                    }
                }
                self.buffer.consume(trailer_len);
                match why {
                    Skipped::NoPacket => {}
                    Skipped::Oversized => self.oversized_records += 1,
                    Skipped::Malformed => self.malformed_blocks += 1,
                    Skipped::ForeignSection => self.foreign_sections += 1,
                }
            }
            Step::Damaged { fault, wanted, got } => return Err(self.malformed(offset, fault, wanted, got)),
        }
        Ok(())
    }

    fn read_error(&self, source: std::io::Error) -> Error {
        let offset = self.buffer.position().saturating_add(self.buffer.window().len() as u64);
        Error::reading(self.path.clone(), offset, source)
    }

    fn truncated(&self, offset: u64, wanted: u64, got: u64) -> Error {
        let part = match self.records {
            Records::Pcap(_) => Part::Record,
            Records::PcapNg(_) => Part::Block,
        };
        Error::Truncated { path: self.path.clone(), part, offset, wanted, got }
    }

    fn malformed(&self, offset: u64, fault: Fault, wanted: u64, got: u64) -> Error {
        Error::Malformed { path: self.path.clone(), offset, fault, wanted, got }
    }
}

impl fmt::Debug for CaptureReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureReader")
            .field("path", &self.path)
            .field("format", &self.format())
            .field("packets", &self.packets)
            .field("octets", &self.octets())
            .finish_non_exhaustive()
    }
}

/// What a reader holds at most. Reaching a limit is counted, and reading goes on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Captured octets of one packet. Larger ones are passed over without being held, and counted in
    /// [`CaptureReader::oversized_records`]. The default, 262 144, is the largest snap length libpcap sets.
    pub record_octets: u32,
    /// Interfaces described in one pcapng section. The packets of further ones are counted in
    /// [`CaptureReader::malformed_blocks`]. The default is 65 536.
    pub interfaces: usize,
    /// What decompression may cost.
    pub compression: CompressionLimits,
}

impl ReaderLimits {
    /// What a block may have, fixed fields and options included, when its packet has [`record_octets`](Self::record_octets).
    pub(crate) fn block_octets(&self) -> u32 {
        self.record_octets.saturating_add(BLOCK_OVERHEAD_OCTETS)
    }

    fn buffer_octets(&self) -> usize {
        usize::try_from(self.block_octets()).unwrap_or(usize::MAX).max(BUFFER_OCTETS)
    }
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { record_octets: 262_144, interfaces: 65_536, compression: CompressionLimits::default() }
    }
}

/// A capture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// pcap with microseconds (draft-ietf-opsawg-pcap, magic number 0xA1B2C3D4).
    Pcap,
    /// pcap with nanoseconds (magic number 0xA1B23C4D).
    PcapNanoseconds,
    /// pcapng (draft-ietf-opsawg-pcapng).
    PcapNg,
}

impl Format {
    /// The name that Wireshark's tools (`editcap -F`) have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNanoseconds => "nsecpcap",
            Self::PcapNg => "pcapng",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Octets of the buffer that packets are lent from, unless a larger record limit needs more.
pub const BUFFER_OCTETS: usize = 512 * 1024;

/// A format's record walker.
enum Records {
    Pcap(PcapRecords),
    PcapNg(PcapNgBlocks),
}

/// What a record walker finds at the start of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A whole packet.
    Packet(Extent),
    /// Nothing yet: the window has to hold this many octets first.
    More(usize),
    /// Something to pass over, and the length that is repeated in its last four octets.
    Skip { octets: u64, trailer: Option<(u32, ByteOrder)>, why: Skipped },
    /// A field that makes the next record's place unknown.
    Damaged { fault: Fault, wanted: u64, got: u64 },
}

/// Where in a record a packet's octets are, and what the record says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Octets of the whole record, all of them in the window.
    pub(crate) record_len: usize,
    /// Where the data begins, from the record's first octet.
    pub(crate) data_at: usize,
    /// Octets of the data.
    pub(crate) data_len: usize,
    pub(crate) interface_id: u32,
    pub(crate) link_type: LinkType,
    pub(crate) original_len: u32,
    pub(crate) timestamp: Timestamp,
}

/// Why something was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    NoPacket,
    Oversized,
    Malformed,
    /// The header of a section of another major version, whose blocks follow as `NoPacket`.
    ForeignSection,
}

/// Reads the header of a pcap file whose magic number is known to be one.
fn pcap_header(buffer: &mut Buffer, path: &Path) -> Result<PcapRecords, Error> {
    let whole = buffer.fill(pcap::HEADER_OCTETS);
    let whole = whole.map_err(|e| Error::reading(path.into(), buffer.window().len() as u64, e))?;
    match pcap::parse_header(buffer.window()) {
        Some(Ok(records)) if whole => {
            buffer.consume(pcap::HEADER_OCTETS);
            Ok(records)
        }
        Some(Err(got)) if whole => {
            Err(Error::UnsupportedVersion { path: path.into(), offset: 0, wanted: pcap::VERSION_MAJOR, got })
        }
        _ => Err(Error::Truncated {
            path: path.into(),
            part: Part::FileHeader,
            offset: 0,
            wanted: pcap::HEADER_OCTETS as u64,
            got: buffer.window().len() as u64,
        }),
    }
}

const MAGIC_OCTETS: usize = 4;
const TRAILER_OCTETS: usize = 4;
/// Fixed fields of a packet block, and options as long as they can be expected.
const BLOCK_OVERHEAD_OCTETS: u32 = 65_536;

#[cfg(test)]
pub(crate) mod tests {
    use kit::{KitPacket, PcapNgWriter, PcapWriter};
    use proptest::prelude::*;

    use super::*;

    /// A packet and its octets, to keep.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Kept {
        pub(crate) data: Vec<u8>,
        pub(crate) data_at: u64,
        pub(crate) interface_id: u32,
        pub(crate) link_type: LinkType,
        pub(crate) original_len: u32,
        pub(crate) nanos: i64,
    }

    /// Everything a reader gives; the error is the last thing it does.
    pub(crate) fn drain(reader: &mut CaptureReader) -> (Vec<Kept>, Option<Error>) {
        let mut kept = Vec::new();
        let error = loop {
            match reader.next_packet() {
                Ok(Some(packet)) => kept.push(Kept {
                    data: packet.data.to_vec(),
                    data_at: packet.data_at,
                    interface_id: packet.interface_id,
                    link_type: packet.link_type,
                    original_len: packet.original_len,
                    nanos: packet.timestamp.as_nanos(),
                }),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(reader.next_packet().unwrap().is_none(), "nothing comes after the end");
        assert_eq!(reader.packets(), kept.len() as u64);
        (kept, error)
    }

    pub(crate) fn reader(file: &[u8]) -> Result<CaptureReader, Error> {
        CaptureReader::new(Box::new(std::io::Cursor::new(file.to_vec())), "x".into())
    }

    /// All of a file that is to be whole.
    pub(crate) fn read(file: &[u8]) -> Vec<Kept> {
        let mut reader = reader(file).unwrap();
        let (kept, error) = drain(&mut reader);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(reader.octets(), file.len() as u64);
        kept
    }

    fn three() -> Vec<KitPacket> {
        [5, 0, 70].into_iter().map(|len| KitPacket::new(1_000, vec![len; len.into()])).collect()
    }

    /// One whole file of each format, with packets of several sizes.
    fn files() -> Vec<Vec<u8>> {
        let packets = three();
        let ng = PcapNgWriter::new().section().interface(kit::Interface { tsresol: Some(9), ..Default::default() });
        let ng = ng.enhanced_with(0, &packets[0], &[(1, b"comment")]).block(0x0bad, &[1; 9]).simple(&packets[1]);
        let ng = ng.big_endian().section().interface(kit::Interface::default()).obsolete(0, &packets[2]);
        vec![PcapWriter::new().file(&packets), PcapWriter::new().big_endian().file(&packets), ng.file()]
    }

    #[test]
    fn a_capture_cut_anywhere_gives_its_whole_packets_and_one_error() {
        for file in files() {
            let whole = read(&file);
            for cut in 0..file.len() {
                let mut reader = match reader(&file[..cut]) {
                    Ok(reader) => reader,
                    Err(error) => {
                        let expected = match cut {
                            0 => matches!(error, Error::Empty { .. }),
                            1..4 => matches!(error, Error::NotACapture { .. }),
                            _ => matches!(error, Error::Truncated { part: Part::FileHeader, wanted: 24, .. }),
                        };
                        assert!(expected && cut < 24, "{cut}: {error}");
                        continue;
                    }
                };
                let (kept, error) = drain(&mut reader);
                let ends = whole.iter().filter(|packet| packet.data_at + packet.data.len() as u64 <= cut as u64);
                let there = ends.count();
                assert!(kept.len() == there || kept.len() + 1 == there, "{cut}: a block has octets behind its packet");
                assert_eq!(kept, whole[..kept.len()]);
                match error {
                    Some(Error::Truncated { offset, wanted, got, .. }) => {
                        assert_eq!(offset + got, cut as u64);
                        assert!(wanted > got, "{cut}: {wanted} {got}");
                    }
                    Some(other) => panic!("{cut}: {other}"),
                    None => assert_eq!(reader.octets(), cut as u64, "the cut was between two records"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_capture_is_told_apart() {
        let dir = std::env::temp_dir();
        assert!(matches!(CaptureReader::open(&dir), Err(Error::Directory { path }) if path == dir));
        let missing = dir.join("a file that is not there");
        assert!(matches!(CaptureReader::open(&missing), Err(Error::Open { path, .. }) if path == missing));
        assert!(matches!(reader(b""), Err(Error::Empty { .. })));
        let error = reader(b"PK\x03\x04 and more").unwrap_err();
        assert!(matches!(&error, Error::NotACapture { got, .. } if got == b"PK\x03\x04"), "{error}");
        // The "modified" pcap format has longer record headers: not to be taken for pcap.
        assert!(matches!(reader(&[0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0]), Err(Error::NotACapture { .. })));
    }

    #[test]
    fn a_file_is_read_by_its_name() {
        let path = std::env::temp_dir().join(format!("smtpscope-reader-{}.pcap", std::process::id()));
        std::fs::write(&path, PcapWriter::new().file(&three())).unwrap();
        let mut reader = CaptureReader::open(&path).unwrap();
        assert_eq!((reader.path(), reader.format().name()), (&*path, "pcap"));
        assert_eq!(drain(&mut reader).0.len(), 3);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_failing_input_gives_what_came_before() {
        struct Fails(Vec<u8>);
        impl Read for Fails {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                if self.0.is_empty() {
                    return Err(std::io::Error::other("Disk on fire"));
                }
                let octets = self.0.len().min(buf.len());
                buf[..octets].copy_from_slice(&self.0[..octets]);
                self.0.drain(..octets);
                Ok(octets)
            }
        }
        let file = PcapWriter::new().file(&three());
        let len = file.len() as u64;
        let mut reader = CaptureReader::new(Box::new(Fails(file)), "-".into()).unwrap();
        let (kept, error) = drain(&mut reader);
        assert_eq!(kept.len(), 3);
        let error = error.unwrap();
        assert!(matches!(&error, Error::Read { offset, .. } if *offset == len), "{error}");
        assert!(error.to_string().contains("disk on fire"), "{error}");
    }

    #[test]
    fn oversized_records_are_passed_over_and_counted() {
        let packets: Vec<_> = [10, 300_000, 101, 100].map(|len| KitPacket::new(0, vec![1; len])).into();
        let limits = ReaderLimits { record_octets: 100, ..ReaderLimits::default() };
        for file in [PcapWriter::new().snap_len(1 << 30).file(&packets), kit::pcapng(&packets)] {
            let mut reader = reader(&file).unwrap().with_limits(limits);
            let (kept, error) = drain(&mut reader);
            assert!(error.is_none());
            assert_eq!(kept.iter().map(|packet| packet.data.len()).collect::<Vec<_>>(), [10, 100]);
            assert_eq!(reader.oversized_records(), 2);
        }
    }

    #[test]
    fn the_largest_record_allowed_is_read_and_one_more_octet_is_not() {
        let largest = usize::try_from(ReaderLimits::default().record_octets).unwrap();
        let packets = [largest, largest + 1, largest].map(|len| KitPacket::new(0, vec![1; len]));
        for file in [PcapWriter::new().snap_len(1 << 30).file(&packets), kit::pcapng(&packets)] {
            let mut reader = reader(&file).unwrap();
            assert_eq!(drain(&mut reader).0.len(), 2);
            assert_eq!(reader.oversized_records(), 1);
        }
    }

    #[test]
    fn a_larger_limit_is_met_with_a_larger_buffer() {
        let packets = [KitPacket::new(0, vec![1; 1 << 20]), KitPacket::new(0, vec![2])];
        let limits = ReaderLimits { record_octets: 1 << 20, ..ReaderLimits::default() };
        for file in [PcapWriter::new().snap_len(1 << 30).file(&packets), kit::pcapng(&packets)] {
            assert_eq!(drain(&mut reader(&file).unwrap().with_limits(limits)).0.len(), 2);
        }
    }

    /// Gives the octets of `file` in reads of the sizes given, then one by one.
    struct Pieces(Vec<u8>, Vec<usize>);

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let octets = self.1.pop().unwrap_or(1).clamp(1, buf.len().max(1)).min(self.0.len()).min(buf.len());
            buf[..octets].copy_from_slice(&self.0[..octets]);
            self.0.drain(..octets);
            Ok(octets)
        }
    }

    proptest! {
        #[test]
        fn the_sizes_of_the_reads_change_nothing(which in 0..3_usize, sizes in prop::collection::vec(1..50_usize, 0..20)) {
            let file = files().swap_remove(which);
            let whole = read(&file);
            for packet in &whole {
                let at = usize::try_from(packet.data_at).unwrap();
                prop_assert_eq!(&file[at..at + packet.data.len()], &packet.data);
            }
            let mut reader = CaptureReader::new(Box::new(Pieces(file, sizes)), "-".into()).unwrap();
            let (kept, error) = drain(&mut reader);
            prop_assert!(error.is_none());
            prop_assert_eq!(kept, whole);
        }

        #[test]
        fn damage_never_panics_nor_takes_more_memory(
            which in 0..3_usize,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut file = files().swap_remove(which);
            for (at, octet) in damage {
                let at = at.index(file.len());
                file[at] = octet;
            }
            file.extend(tail);
            if let Ok(mut reader) = reader(&file) {
                drain(&mut reader);
                prop_assert_eq!(reader.buffer.capacity(), BUFFER_OCTETS);
                prop_assert!(reader.octets() <= file.len() as u64);
            }
        }

        #[test]
        fn random_octets_never_panic(
            magic in prop::sample::select(vec![[0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d], pcapng::SECTION_HEADER]),
            rest in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let file = [&magic[..], &rest].concat();
            if let Ok(mut reader) = reader(&file) {
                drain(&mut reader);
                prop_assert_eq!(reader.buffer.capacity(), BUFFER_OCTETS);
            }
        }
    }
}
