//! Opens a capture, recognises its format and lends its packets one by one from a bounded buffer.
//!
//! Whatever the format, a loop asks the record walker ([`PcapRecords`], [`PcapNgBlocks`]) what stands at the start of
//! the buffer's window. The walker answers with a [`Step`] that holds numbers only, no borrow: where the packet's octets
//! are, how many more are needed, or how many to pass over. The slice is made last, by the public function, so that a
//! packet can borrow the reader and the loop can still refill the buffer.

mod recovery;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::batch::{BatchedPacket, PacketBatch};
use crate::buffer::Buffer;
use crate::compression::{self, Compression, Contents};
use crate::pcap::{self, PcapRecords};
use crate::pcapng::{self, ByteOrder, PcapNgBlocks};
use crate::read_ahead::ReadAhead;
use crate::step::{Extent, Skipped, Step};
use crate::{CommentLog, DamageLog, Error, Fault, Format, Packet, Part, ReaderLimits};

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
/// The memory is one buffer of [`BUFFER_OCTETS`](crate::BUFFER_OCTETS), or of what [`ReaderLimits::record_octets`] asks for where that is
/// more, and the interface descriptions of one section. No length in the input makes it more.
pub struct CaptureReader {
    path: PathBuf,
    buffer: Buffer,
    compression: Option<Compression>,
    format: Format,
    /// In pcapng, and in what follows a pcap file.
    blocks: PcapNgBlocks,
    /// Where the records are those of pcap.
    pcap: Option<PcapRecords>,
    limits: ReaderLimits,
    packets: u64,
    oversized_records: u64,
    malformed_blocks: u64,
    foreign_sections: u64,
    further_files: u64,
    damage: DamageLog,
    finished: bool,
    /// Where reading stopped, where that is before the input's end.
    stopped_at: Option<u64>,
    /// A packet of the next batch.
    carried: Option<BatchedPacket>,
    /// What is wrong behind the packets of the last batch.
    failed: Option<Error>,
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
            Err(source) => return Err(Error::reading(path, 0, 0, source)),
        };
        let mut buffer = Buffer::new(source, limits.buffer_octets());
        let magic_there = match buffer.fill(MAGIC_OCTETS) {
            Ok(there) => there,
            Err(source) => return Err(Error::reading(path, buffer.window().len() as u64, 0, source)),
        };
        let pcap = match buffer.window().first_chunk::<MAGIC_OCTETS>() {
            Some(&pcapng::SECTION_HEADER) => None,
            Some(&magic) if pcap::is_magic(magic) => Some(pcap_header(&mut buffer, &path)?),
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
            format: pcap.as_ref().map_or(Format::PcapNg, PcapRecords::format),
            blocks: PcapNgBlocks::default(),
            pcap,
            limits,
            packets: 0,
            oversized_records: 0,
            malformed_blocks: 0,
            foreign_sections: 0,
            further_files: 0,
            damage: DamageLog::default(),
            finished: false,
            stopped_at: None,
            carried: None,
            failed: None,
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

    /// Fills a batch with the next packets in file order, as many as lie in one buffer. `false` at the end of the capture;
    /// then the batch is empty. The memory of what the batch held is used again. To be called from the first packet on, or
    /// not at all.
    ///
    /// # Errors
    /// Those of [`next_packet`](Self::next_packet), in a call of their own, behind the packets before.
    pub fn next_batch(&mut self, batch: &mut PacketBatch) -> Result<bool, Error> {
        self.buffer.recycle(batch.clear());
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        if let Some(packet) = self.carried.take() {
            batch.push(packet);
        }
        let end = loop {
            let extent = match self.advance() {
                Ok(Some(extent)) => extent,
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            };
            let back = extent.record_len.saturating_sub(extent.data_at);
            let packet = BatchedPacket::new(&extent, self.buffer.place_behind(back), self.buffer.position(), back);
            // From here on the octets are left alone, until the window has left them.
            self.buffer.keep();
            if let Some(octets) = self.buffer.take_left() {
                self.carried = Some(packet);
                batch.close(octets);
                return Ok(true);
            }
            batch.push(packet);
        };
        if batch.is_empty() {
            return end.map(|()| false);
        }
        self.failed = end.err();
        self.buffer.leave();
        batch.close(self.buffer.take_left().unwrap_or_default());
        Ok(true)
    }

    /// Whether the input's end was reached: no further packet will come.
    pub fn is_at_end(&self) -> bool {
        self.finished && self.carried.is_none()
    }

    /// The input as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that its first octets are those of.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the input is compressed; `None` where it is not.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// Packets lent so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of the (decompressed) input that are done with: headers, packets and what was passed over. At the end of a
    /// whole capture that is its length; after an error, the offset of the record it is about.
    pub fn octets(&self) -> u64 {
        self.stopped_at.unwrap_or_else(|| self.buffer.position())
    }

    /// Where the input is damaged, and how many octets were passed over there. What an [`Error`] is about is not among
    /// it.
    pub fn damage(&self) -> &DamageLog {
        &self.damage
    }

    /// The comments in the capture (pcapng).
    pub fn comments(&self) -> &CommentLog {
        self.blocks.comments()
    }

    /// Packets that the capture says were lost before they were written, at all its interfaces (pcapng). `None` where it
    /// does not say.
    pub fn dropped_packets(&self) -> Option<u64> {
        self.blocks.dropped_packets()
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

    /// pcapng interfaces beyond [`ReaderLimits::interfaces`], whose packets are passed over.
    pub fn further_interfaces(&self) -> u64 {
        self.blocks.further_interfaces()
    }

    /// pcapng sections passed over because they are of another major version than 1.
    pub fn foreign_sections(&self) -> u64 {
        self.foreign_sections
    }

    /// Files that follow the first one in the same input, as `cat` writes them, and begin with a header of pcap, or with
    /// one of pcapng behind a file of pcap. Sections of pcapng are not counted.
    pub fn further_files(&self) -> u64 {
        self.further_files
    }

    /// pcapng packets that took the time of the packet before them, having none (Simple Packet Block) or one outside
    /// the years 1677 to 2262.
    pub fn packets_without_time(&self) -> u64 {
        self.blocks.packets_without_time()
    }

    /// Goes behind the next packet and says where it is.
    #[inline]
    fn advance(&mut self) -> Result<Option<Extent>, Error> {
        while !self.finished {
            let (window, ended) = (self.buffer.window(), self.buffer.ended());
            let step = match &mut self.pcap {
                Some(records) => records.step(window, ended, &self.limits),
                None => self.blocks.step(window, ended, self.packets, &self.limits),
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
                let whole = self.buffer.try_fill(wanted);
                if !whole && !self.buffer.ended() {
                    // The buffer is made for the limits, so this is never so; but it must not go on for ever.
                    return Err(self.truncated(offset, wanted as u64, self.buffer.window().len() as u64));
                }
            }
            Step::Cut(wanted) => {
                if let Some(failure) = self.buffer.failure() {
                    return Err(self.read_error(failure));
                }
                let got = self.buffer.window().len() as u64;
                if got == 0 {
                    self.finished = true;
                } else {
                    // Either the end of the recording, or a wrong length in the middle of it.
                    self.recover(offset, |reader| reader.truncated(offset, wanted, got))?;
                }
            }
            Step::Swallows(octets) => {
                self.buffer.consume(octets);
                self.add_damage(offset);
            }
            Step::Skip { octets, trailer, why } => self.pass(offset, octets, trailer, why)?,
            Step::Doubted { total, order, why } => {
                if !self.search_within(offset, total)? {
                    self.pass(offset, total.into(), Some((total, order)), why)?;
                }
            }
            Step::Damaged { fault, wanted, got } => {
                self.recover(offset, |reader| reader.malformed(offset, fault, wanted, got))?;
            }
        }
        Ok(())
    }

    /// Passes over the `octets` from `offset` on, some of which may be done with already.
    fn pass(&mut self, offset: u64, octets: u64, trailer: Option<(u32, ByteOrder)>, why: Skipped) -> Result<(), Error> {
        let trailer_len = if trailer.is_some() { TRAILER_OCTETS } else { 0 };
        let front = octets.saturating_sub(trailer_len as u64);
        let mut got = self.buffer.position().saturating_sub(offset);
        got += self.buffer.skip(front.saturating_sub(got)).map_err(|e| self.read_error(e))?;
        if got == front {
            self.buffer.fill(trailer_len).map_err(|e| self.read_error(e))?;
            got += self.buffer.window().len().min(trailer_len) as u64;
        }
        if got < octets {
            self.stopped_at = Some(offset);
            return Err(self.truncated(offset, octets, got));
        }
        if let (Some((wanted, order)), Some(&raw)) = (trailer, self.buffer.window().first_chunk()) {
            let (wanted, got) = (u64::from(wanted), u64::from(order.u32(raw)));
            if got != wanted {
                let fault = Fault::TrailingBlockLength;
                return self.recover(offset, |reader| reader.malformed(offset, fault, wanted, got));
            }
        }
        self.buffer.consume(trailer_len);
        match why {
            Skipped::NoPacket => {}
            Skipped::Oversized => self.oversized_records += 1,
            Skipped::Malformed => self.malformed_blocks += 1,
            Skipped::ForeignSection => self.foreign_sections += 1,
        }
        Ok(())
    }

    fn read_error(&self, source: std::io::Error) -> Error {
        let offset = self.buffer.position().saturating_add(self.buffer.window().len() as u64);
        Error::reading(self.path.clone(), offset, self.packets, source)
    }

    fn truncated(&self, offset: u64, wanted: u64, got: u64) -> Error {
        let part = if self.pcap.is_some() { Part::Record } else { Part::Block };
        Error::Truncated { path: self.path.clone(), part, offset, packets: self.packets, wanted, got }
    }

    fn malformed(&self, offset: u64, fault: Fault, wanted: u64, got: u64) -> Error {
        Error::Malformed { path: self.path.clone(), offset, packets: self.packets, fault, wanted, got }
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

/// Reads the header of a pcap file whose magic number is known to be one.
fn pcap_header(buffer: &mut Buffer, path: &Path) -> Result<PcapRecords, Error> {
    let whole = buffer.fill(pcap::HEADER_OCTETS);
    let whole = whole.map_err(|e| Error::reading(path.into(), buffer.window().len() as u64, 0, e))?;
    buffer.try_fill(pcap::OPENING_OCTETS);
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
            packets: 0,
            wanted: pcap::HEADER_OCTETS as u64,
            got: buffer.window().len() as u64,
        }),
    }
}

const MAGIC_OCTETS: usize = 4;
const TRAILER_OCTETS: usize = 4;
#[cfg(test)]
pub(crate) mod tests;
