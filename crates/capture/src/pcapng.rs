//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks.
//!
//! ```text
//!                         1                   2                   3
//!     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!    ├─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┼─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┤
//!  0 │                          Block Type                           │
//!  4 │                      Block Total Length                       │
//!  8 │           Block Body, variable, padded to 32 bits …           │
//!    │                      Block Total Length                       │
//!
//!    Section Header Block (0x0A0D0D0A)      Interface Description Block (1)
//!  8 │        Byte-Order Magic       │    8 │   LinkType    │   Reserved    │
//! 12 │ Major Version │ Minor Version │   12 │            SnapLen            │
//! 16 │    Section Length, 64 bits    │   16 │           Options …           │
//! 24 │           Options …           │
//!
//!    Enhanced Packet Block (6)              Packet Block (2, obsolete)
//!  8 │         Interface ID          │    8 │ Interface ID  │  Drops Count  │
//! 12 │   Timestamp, high 32 bits     │   12 │   Timestamp, high 32 bits     │
//! 16 │   Timestamp, low 32 bits      │   16 │   Timestamp, low 32 bits      │
//! 20 │    Captured Packet Length     │   20 │    Captured Packet Length     │
//! 24 │    Original Packet Length     │   24 │    Original Packet Length     │
//! 28 │        Packet Data …          │   28 │        Packet Data …          │
//!    │          Options …            │      │          Options …            │
//!
//!    Simple Packet Block (3)
//!  8 │    Original Packet Length     │
//! 12 │        Packet Data …          │
//! ```
//!
//! The blocks are walked by their lengths, and only those that describe an interface or hold a packet are looked into:
//! the others are passed over whatever their size. Interface descriptions are left to pcap-parser. Packet blocks are
//! not: it would collect the options of each, an allocation a packet, and knows no Packet Block; and where a captured
//! length goes beyond its block it asks for more input, which no input can satisfy.

use pcap_parser::pcapng::{
    InterfaceDescriptionBlock, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};
use pcap_parser::{EPB_MAGIC, IDB_MAGIC, OptionCode, SPB_MAGIC};

use crate::reader::{Extent, ReaderLimits, Skipped, Step};
use crate::{Fault, LinkType, Timestamp};

/// Walks the blocks of one pcapng file.
#[derive(Debug, Default)]
pub(crate) struct PcapNgBlocks {
    order: ByteOrder,
    /// The section is of another major version: its blocks have types and lengths, and nothing else is known of them.
    foreign: bool,
    /// The section's interfaces, by number. One whose description could not be read keeps its place as `None`, or all
    /// behind it would be taken for their neighbours.
    interfaces: Vec<Option<Interface>>,
    /// The time of the last packet that had one.
    last_time: Timestamp,
    packets_without_time: u64,
}

impl PcapNgBlocks {
    /// What stands at the start of the window. The state changes only with a step that passes the block.
    #[inline]
    pub(crate) fn step(&mut self, window: &[u8], limits: &ReaderLimits) -> Step {
        let Some(&[a, b, c, d, e, f, g, h, ..]) = window.first_chunk::<BLOCK_MIN_OCTETS>() else {
            return Step::More(BLOCK_MIN_OCTETS);
        };
        if [a, b, c, d] == SECTION_HEADER {
            return self.section_header(window);
        }
        let block_type = self.order.u32([a, b, c, d]);
        let total = self.order.u32([e, f, g, h]);
        if let Some(damaged) = self.check_length(total, BLOCK_MIN_OCTETS) {
            return damaged;
        }
        if self.foreign || !matches!(block_type, EPB_MAGIC | SPB_MAGIC | PACKET_BLOCK | IDB_MAGIC) {
            return self.skip(total, Skipped::NoPacket);
        }
        if total > limits.block_octets() {
            if block_type == IDB_MAGIC {
                self.add_interface(None, limits);
            }
            return self.skip(total, Skipped::Oversized);
        }
        let len = usize::try_from(total).unwrap_or(usize::MAX);
        let Some(block) = window.get(..len) else { return Step::More(len) };
        match block_type {
            IDB_MAGIC => self.interface_description(block, total, limits),
            SPB_MAGIC => self.simple_packet(block, total, limits),
            _ => self.packet(block, block_type, total, limits),
        }
    }

    pub(crate) fn packets_without_time(&self) -> u64 {
        self.packets_without_time
    }

    /// A new section: its byte order, and interfaces numbered from 0.
    ///
    /// > In case an application cannot read a Section because of different version number, it MUST skip everything until
    /// > the next Section Header Block.
    #[cold]
    fn section_header(&mut self, window: &[u8]) -> Step {
        let Some(&[_, _, _, _, e, f, g, h, i, j, k, l, m, n, _, _]) = window.first_chunk::<16>() else {
            return Step::More(16);
        };
        let magic = [i, j, k, l];
        self.order = match u32::from_be_bytes(magic) {
            BYTE_ORDER_MAGIC => ByteOrder::Big,
            _ if u32::from_le_bytes(magic) == BYTE_ORDER_MAGIC => ByteOrder::Little,
            got => {
                let (wanted, got) = (u64::from(BYTE_ORDER_MAGIC), u64::from(got));
                return Step::Damaged { fault: Fault::ByteOrderMagic, wanted, got };
            }
        };
        let version = self.order.u16([m, n]);
        let total = self.order.u32([e, f, g, h]);
        if let Some(damaged) = self.check_length(total, SECTION_HEADER_MIN_OCTETS) {
            return damaged;
        }
        self.interfaces.clear();
        self.foreign = version != VERSION_MAJOR;
        self.skip(total, if self.foreign { Skipped::ForeignSection } else { Skipped::NoPacket })
    }

    #[cold]
    fn interface_description(&mut self, block: &[u8], total: u32, limits: &ReaderLimits) -> Step {
        let parsed = match self.order {
            ByteOrder::Big => parse_interfacedescriptionblock_be(block),
            ByteOrder::Little => parse_interfacedescriptionblock_le(block),
        };
        let interface = parsed.ok().map(|(_, description)| Interface::new(&description, self.order));
        let why = if interface.is_some() { Skipped::NoPacket } else { Skipped::Malformed };
        self.add_interface(interface, limits);
        self.skip(total, why)
    }

    fn add_interface(&mut self, interface: Option<Interface>, limits: &ReaderLimits) {
        if self.interfaces.len() < limits.interfaces {
            self.interfaces.push(interface);
        }
    }

    /// An Enhanced Packet Block, or the Packet Block it replaced.
    #[inline]
    fn packet(&mut self, block: &[u8], block_type: u32, total: u32, limits: &ReaderLimits) -> Step {
        let Some(&fields) = block.first_chunk::<PACKET_DATA_AT>() else { return self.skip(total, Skipped::Malformed) };
        let [_, _, _, _, _, _, _, _, i0, i1, i2, i3, fields @ ..] = fields;
        let [h0, h1, h2, h3, l0, l1, l2, l3, c0, c1, c2, c3, o0, o1, o2, o3] = fields;
        let interface_id = match block_type {
            PACKET_BLOCK => u32::from(self.order.u16([i0, i1])),
            _ => self.order.u32([i0, i1, i2, i3]),
        };
        let captured = self.order.u32([c0, c1, c2, c3]);
        if captured > limits.record_octets {
            return self.skip(total, Skipped::Oversized);
        }
        let data_len = usize::try_from(captured).unwrap_or(usize::MAX);
        let room = block.len().saturating_sub(PACKET_DATA_AT + TRAILER_OCTETS);
        let Some(interface) = self.interface(interface_id).filter(|_| data_len <= room) else {
            return self.skip(total, Skipped::Malformed);
        };
        if let Some(damaged) = self.check_trailer(block, total) {
            return damaged;
        }
        let units = u64::from(self.order.u32([h0, h1, h2, h3])) << 32 | u64::from(self.order.u32([l0, l1, l2, l3]));
        let timestamp = self.time_or_last(interface.timestamp(units));
        Step::Packet(Extent {
            record_len: block.len(),
            data_at: PACKET_DATA_AT,
            data_len,
            interface_id,
            link_type: interface.link_type,
            original_len: self.order.u32([o0, o1, o2, o3]).max(captured),
            timestamp,
        })
    }

    /// > The Simple Packet Block does not contain the Interface ID field. Therefore, it MUST be assumed that all the
    /// > Simple Packet Blocks have been captured on the interface previously specified in the first Interface
    /// > Description Block.
    ///
    /// And its captured length is the smaller one of that interface's SnapLen and the original length.
    fn simple_packet(&mut self, block: &[u8], total: u32, limits: &ReaderLimits) -> Step {
        let (Some(&[.., a, b, c, d]), Some(interface)) =
            (block.first_chunk::<SIMPLE_PACKET_DATA_AT>(), self.interface(0))
        else {
            return self.skip(total, Skipped::Malformed);
        };
        if let Some(damaged) = self.check_trailer(block, total) {
            return damaged;
        }
        let original_len = self.order.u32([a, b, c, d]);
        let captured = if interface.snap_len == 0 { original_len } else { original_len.min(interface.snap_len) };
        let room = block.len().saturating_sub(SIMPLE_PACKET_DATA_AT + TRAILER_OCTETS);
        let data_len = usize::try_from(captured).unwrap_or(usize::MAX).min(room);
        if data_len as u64 > u64::from(limits.record_octets) {
            return self.skip(total, Skipped::Oversized);
        }
        let timestamp = self.time_or_last(None);
        Step::Packet(Extent {
            record_len: block.len(),
            data_at: SIMPLE_PACKET_DATA_AT,
            data_len,
            interface_id: 0,
            link_type: interface.link_type,
            original_len,
            timestamp,
        })
    }

    #[inline]
    fn interface(&self, id: u32) -> Option<Interface> {
        self.interfaces.get(usize::try_from(id).ok()?).copied().flatten()
    }

    #[inline]
    fn time_or_last(&mut self, time: Option<Timestamp>) -> Timestamp {
        match time {
            Some(time) => self.last_time = time,
            None => self.packets_without_time += 1,
        }
        self.last_time
    }

    /// > Block Total Length (32 bits): an unsigned integer giving the total size of this block, in octets. […] This value
    /// > MUST be a multiple of 4.
    #[inline]
    fn check_length(&self, total: u32, least: usize) -> Option<Step> {
        if (total as usize) < least {
            return Some(Step::Damaged { fault: Fault::BlockLength, wanted: least as u64, got: total.into() });
        }
        let rest = total % 4;
        (rest != 0).then_some(Step::Damaged { fault: Fault::BlockAlignment, wanted: 0, got: rest.into() })
    }

    #[inline]
    fn check_trailer(&self, block: &[u8], total: u32) -> Option<Step> {
        let got = self.order.u32(*block.last_chunk()?);
        (got != total).then_some(Step::Damaged {
            fault: Fault::TrailingBlockLength,
            wanted: total.into(),
            got: got.into(),
        })
    }

    fn skip(&self, total: u32, why: Skipped) -> Step {
        Step::Skip { octets: total.into(), trailer: Some((total, self.order)), why }
    }
}

/// The byte order of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ByteOrder {
    Big,
    #[default]
    Little,
}

impl ByteOrder {
    #[inline]
    pub(crate) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(octets),
            Self::Little => u32::from_le_bytes(octets),
        }
    }

    #[inline]
    fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(octets),
            Self::Little => u16::from_le_bytes(octets),
        }
    }

    fn i64(self, octets: [u8; 8]) -> i64 {
        match self {
            Self::Big => i64::from_be_bytes(octets),
            Self::Little => i64::from_le_bytes(octets),
        }
    }
}

/// What an Interface Description Block says of an interface's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interface {
    link_type: LinkType,
    /// Zero where there is no limit.
    snap_len: u32,
    unit: TimeUnit,
    /// if_tsoffset and if_tsoffset_ns together, in nanoseconds.
    offset: i128,
}

impl Interface {
    fn new(description: &InterfaceDescriptionBlock<'_>, order: ByteOrder) -> Self {
        let mut interface = Self {
            link_type: LinkType(description.linktype.0.cast_unsigned()),
            snap_len: description.snaplen,
            unit: TimeUnit::from_resolution(DEFAULT_RESOLUTION),
            offset: 0,
        };
        // pcap-parser reads options on behind opt_endofopt, and has if_tsresol and if_tsoffset in fields of their own,
        // but the latter always as if the section were little-endian. It does not know if_tsoffset_ns.
        let (mut seconds, mut nanos) = (0, 0);
        for option in description.options.iter().take_while(|option| option.code != OptionCode::EndOfOpt) {
            match (option.code, option.as_bytes()) {
                (OptionCode::IfTsresol, Ok(&[resolution])) => interface.unit = TimeUnit::from_resolution(resolution),
                (OptionCode::IfTsoffset, Ok(octets)) => {
                    seconds = octets.try_into().map_or(0, |octets| order.i64(octets));
                }
                (IF_TSOFFSET_NS, Ok(octets)) => {
                    nanos = octets.try_into().map_or(0, |octets| order.u32(octets).cast_signed());
                }
                _ => {}
            }
        }
        interface.offset = i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos);
        interface
    }

    /// > The 'if_tsoffset' option value, converted from seconds to units of time, plus the timestamp value, represents the
    /// > number of units of time that have elapsed since 1970-01-01 00:00:00 UTC.
    ///
    /// `None` where that many nanoseconds do not fit 64 bits.
    #[inline]
    fn timestamp(&self, units: u64) -> Option<Timestamp> {
        let nanos = self.unit.nanos(units).checked_add(self.offset)?;
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }
}

/// How a count of an interface's time units becomes nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeUnit {
    /// A unit is this many nanoseconds: at most 10^9.
    Nanos(u32),
    /// A nanosecond is this many units.
    PerNano(u64),
    /// A second is two to the power of this many units: at most 127.
    PerSecondLog2(u8),
}

impl TimeUnit {
    /// > The if_tsresol option identifies the resolution of timestamps. If the Most Significant Bit is equal to zero, the
    /// > remaining bits indicates the resolution of the timestamp as a negative power of 10 […]. If the Most Significant
    /// > Bit is equal to one, the remaining bits indicates the resolution as negative power of 2 (e.g. 10 means 1/1024 of
    /// > second). If this option is not present, a resolution of 10^-6 is assumed […].
    ///
    /// pcap-parser's `build_ts_resolution` compares the octet with its top bit still set and so refuses every power of 2.
    fn from_resolution(octet: u8) -> Self {
        let exponent = octet & 0x7f;
        if octet & 0x80 != 0 {
            return Self::PerSecondLog2(exponent);
        }
        match 9_u8.checked_sub(exponent) {
            Some(zeros) => Self::Nanos(10_u32.saturating_pow(zeros.into())),
            // Past 10^-28 every count that fits 64 bits is less than a nanosecond, and the quotient is zero.
            None => Self::PerNano(10_u64.saturating_pow(u32::from(exponent) - 9)),
        }
    }

    /// No case can overflow: 2^64 units of at most 10^9 nanoseconds.
    #[inline]
    fn nanos(self, units: u64) -> i128 {
        match self {
            Self::Nanos(nanos) => i128::from(units) * i128::from(nanos),
            Self::PerNano(divisor) => i128::from(units / divisor.max(1)),
            Self::PerSecondLog2(exponent) => (i128::from(units) * NANOS_PER_SECOND) >> exponent,
        }
    }
}

/// > The block type of the Section Header Block is the integer corresponding to the 4-char string "\n\r\r\n"
/// > (0x0A0D0D0A). […] This value is palindromic, so that the reader is able to recognize the Section Header Block
/// > regardless of the endianness of the section.
pub(crate) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const VERSION_MAJOR: u16 = 1;
/// The obsolete Packet Block, which pcap-parser does not know.
const PACKET_BLOCK: u32 = 2;
const IF_TSOFFSET_NS: OptionCode = OptionCode(19);
const BLOCK_MIN_OCTETS: usize = 12;
const SECTION_HEADER_MIN_OCTETS: usize = 28;
const PACKET_DATA_AT: usize = 28;
const SIMPLE_PACKET_DATA_AT: usize = 12;
const TRAILER_OCTETS: usize = 4;
const DEFAULT_RESOLUTION: u8 = 6;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use kit::{Interface, KitPacket, PcapNgWriter};

    use super::*;
    use crate::reader::tests::{drain, read, reader};
    use crate::{Error, Format};

    const NANOS: i64 = 1_340_954_905_298_858_123;

    fn packet(data: &[u8]) -> KitPacket {
        KitPacket::new(NANOS, data.to_vec())
    }

    /// The draft on isb_starttime and isb_endtime: "96 c3 04 00 73 89 6a 65, in Little Endian, decodes to 2012-06-29
    /// 06:17:00.834163 UTC", and 97 c3 04 00 aa 47 ca 64 to 07:28:25.298858 of that day.
    #[test]
    fn the_drafts_timestamps_are_the_times_it_says() {
        let unit = TimeUnit::from_resolution(DEFAULT_RESOLUTION);
        assert_eq!(unit.nanos(0x0004_c396_656a_8973), 1_340_950_620_834_163_000);
        assert_eq!(unit.nanos(0x0004_c397_64ca_47aa), 1_340_954_905_298_858_000);
    }

    #[test]
    fn sections_have_their_own_byte_order_and_interfaces() {
        let file = PcapNgWriter::new()
            .section()
            .interface(Interface { tsresol: Some(9), ..Interface::default() })
            .interface(Interface { link_type: 113, ..Interface::default() })
            .enhanced(1, &packet(b"one"))
            .enhanced(0, &packet(b"two"))
            .big_endian()
            .section()
            .interface(Interface { link_type: 101, tsoffset: Some(-7_200), ..Interface::default() })
            .enhanced_with(0, &packet(b"three"), &[(1, b"a comment"), (2, &[0, 0, 0, 1])])
            .obsolete(0, &packet(b"four"))
            .little_endian()
            .section()
            .interface(Interface { tsoffset: Some(1 << 30), ..Interface::default() })
            .enhanced(0, &packet(b"five"))
            .file();
        assert_eq!(reader(&file).unwrap().format(), Format::PcapNg);
        let kept = read(&file);
        let seen: Vec<_> =
            kept.iter().map(|p| (&p.data[..], p.interface_id, p.link_type, p.nanos - NANOS / 1_000 * 1_000)).collect();
        assert_eq!(
            seen,
            [
                (&b"one"[..], 1, LinkType::LINUX_SLL, 0),
                (b"two", 0, LinkType::ETHERNET, 123),
                (b"three", 0, LinkType::RAW, 0),
                (b"four", 0, LinkType::RAW, 0),
                (b"five", 0, LinkType::ETHERNET, 0),
            ]
        );
    }

    #[test]
    fn every_resolution_is_a_power_of_ten_or_two() {
        for (resolution, nanos) in [
            (0, 1_340_954_905_000_000_000),
            (3, 1_340_954_905_298_000_000),
            (9, NANOS),
            // 2^-10 s: 0.298858123 s are 306 units, which are 298 828 125 ns.
            (0x80 | 10, 1_340_954_905_298_828_125),
            (0x80, 1_340_954_905_000_000_000),
        ] {
            let interface = Interface { tsresol: Some(resolution), ..Interface::default() };
            let file = PcapNgWriter::new().section().interface(interface).enhanced(0, &packet(b"")).file();
            assert_eq!(read(&file)[0].nanos, nanos, "{resolution:#x}");
        }
        // Picoseconds last 213 days in 64 bits.
        let interface = Interface { tsresol: Some(12), ..Interface::default() };
        let soon = KitPacket::new(1_234_567_890, vec![]);
        assert_eq!(
            read(&PcapNgWriter::new().section().interface(interface).enhanced(0, &soon).file())[0].nanos,
            1_234_567_890
        );
        for resolution in 0..=255 {
            let unit = TimeUnit::from_resolution(resolution);
            assert!(unit.nanos(u64::MAX) >= unit.nanos(1) && unit.nanos(1) >= 0, "{resolution}");
        }
    }

    #[test]
    fn a_packet_without_time_has_that_of_the_packet_before() {
        let writer = PcapNgWriter::new().section().interface(Interface { snap_len: 3, ..Interface::default() });
        let start = writer.written().len();
        let file = writer.simple(&packet(b"first")).enhanced(0, &packet(b"2")).simple(&packet(b"3")).file();
        let mut walker = reader(&file).unwrap();
        let (kept, _) = drain(&mut walker);
        let second = NANOS / 1_000 * 1_000;
        assert_eq!(kept.iter().map(|packet| packet.nanos).collect::<Vec<_>>(), [0, second, second]);
        assert_eq!(walker.packets_without_time(), 2);
        assert_eq!((&kept[0].data[..], kept[0].original_len), (&b"fir"[..], 5), "SnapLen, without the padding");
        assert_eq!(kept[0].data_at, start as u64 + 12);

        // A time that 64 bits of nanoseconds do not hold: the packet counts, with the time before it.
        let mut file = PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b"1")).file();
        let rest = PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b""));
        file.extend(with_the_last_time_there_is(rest.file()));
        let mut walker = reader(&file).unwrap();
        let (kept, _) = drain(&mut walker);
        assert_eq!(kept.iter().map(|packet| packet.nanos).collect::<Vec<_>>(), [second, second]);
        assert_eq!(walker.packets_without_time(), 1);
    }

    /// Sets the timestamp of the last block, an empty Enhanced Packet Block, to its largest value.
    fn with_the_last_time_there_is(mut file: Vec<u8>) -> Vec<u8> {
        let at = file.len() - 32 + 12;
        file[at..at + 8].fill(0xff);
        file
    }

    #[test]
    fn a_damaged_description_keeps_its_number() {
        let file = PcapNgWriter::new()
            .section()
            .block(1, &[1, 0])
            .interface(Interface { link_type: 101, ..Interface::default() })
            .file();
        // The writer counts only its own descriptions: the packet names 0 and means the second.
        let mut block = PcapNgWriter::new().section().interface(Interface::default());
        let before = block.written().len();
        block = block.enhanced(0, &packet(b"x"));
        for (interface, read, malformed) in [(0_u8, 0, 2), (1, 1, 1), (2, 0, 2)] {
            let mut packet = block.written()[before..].to_vec();
            packet[8] = interface;
            let mut reader = reader(&[&file[..], &packet].concat()).unwrap();
            let (kept, error) = drain(&mut reader);
            assert!(error.is_none());
            assert_eq!((kept.len(), reader.malformed_blocks()), (read, malformed), "interface {interface}");
            assert!(kept.iter().all(|packet| packet.link_type == LinkType::RAW));
        }
    }

    #[test]
    fn interfaces_are_limited() {
        let limits = ReaderLimits { interfaces: 2, ..ReaderLimits::default() };
        let mut writer = PcapNgWriter::new().section();
        for _ in 0..3 {
            writer = writer.interface(Interface::default());
        }
        let file = writer.enhanced(1, &packet(b"1")).enhanced(2, &packet(b"2")).file();
        let mut reader = reader(&file).unwrap().with_limits(limits);
        assert_eq!(drain(&mut reader).0.len(), 1);
        assert_eq!(reader.malformed_blocks(), 1);
    }

    #[test]
    fn a_captured_length_beyond_its_block_spoils_that_packet_only() {
        let start = PcapNgWriter::new().section().interface(Interface::default());
        let at = start.written().len() + 20;
        let mut file = start.enhanced(0, &packet(b"1234")).enhanced(0, &packet(b"ok")).file();
        for captured in [5_u32, 8, 9, 200_000] {
            file[at..at + 4].copy_from_slice(&captured.to_le_bytes());
            let mut reader = reader(&file).unwrap();
            let (kept, error) = drain(&mut reader);
            assert!(error.is_none());
            assert_eq!((kept.len(), reader.malformed_blocks()), (1, 1), "{captured}");
        }
    }

    #[test]
    fn a_block_whose_lengths_disagree_ends_the_reading() {
        let start = PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b"1"));
        let at = start.written().len();
        // Held in the window, and passed over in several.
        for file in [start.clone().enhanced(0, &packet(b"2")), start.clone().block(0x0bad, &vec![1; 2_000_000])] {
            let whole = file.file();
            for (octets, fault, wanted, got) in
                [(8_u32, Fault::BlockLength, 12, 8), (0, Fault::BlockLength, 12, 0), (35, Fault::BlockAlignment, 0, 3)]
            {
                let mut file = whole.clone();
                file[at + 4..at + 8].copy_from_slice(&octets.to_le_bytes());
                assert_malformed(&file, at, fault, wanted, got);
            }
            let mut file = whole.clone();
            let total = (whole.len() - at) as u64;
            let last = file.len() - 4;
            file[last] ^= 0xff;
            assert_malformed(&file, at, Fault::TrailingBlockLength, total, total ^ 0xff);
        }
    }

    fn assert_malformed(file: &[u8], at: usize, expected: Fault, least: u64, is: u64) {
        let (kept, error) = drain(&mut reader(file).unwrap());
        assert_eq!(kept.len(), 1, "the packet before it was read");
        let Some(Error::Malformed { offset, fault, wanted, got, .. }) = error else { panic!("{error:?}") };
        assert_eq!((offset, fault, wanted, got), (at as u64, expected, least, is));
    }

    #[test]
    fn a_section_of_neither_order_is_refused_one_of_another_version_passed_over() {
        let whole = PcapNgWriter::new().section().file();
        let mut file = whole.clone();
        file[8] = 0;
        let (_, error) = drain(&mut reader(&file).unwrap());
        assert!(matches!(error, Some(Error::Malformed { fault: Fault::ByteOrderMagic, .. })), "{error:?}");
        let mut file = whole;
        file[12] = 2;
        let unreadable = PcapNgWriter::new().section().block(1, b"not like ours").block(6, &[0; 40]).file();
        file.extend(&unreadable[28..]);
        file.extend(PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b"x")).file());
        let mut reader = reader(&file).unwrap();
        let (kept, error) = drain(&mut reader);
        assert!(error.is_none());
        assert_eq!((kept.len(), reader.foreign_sections(), reader.malformed_blocks()), (1, 1, 0));
    }

    #[test]
    fn an_unknown_block_of_any_size_is_passed_over() {
        let file = PcapNgWriter::new()
            .section()
            .block(10, &vec![3; 3_000_000])
            .interface(Interface::default())
            .block(0x4000_0bad, &[])
            .enhanced(0, &packet(b"x"))
            .block(5, &[0; 12])
            .file();
        let mut reader = reader(&file).unwrap();
        assert_eq!(drain(&mut reader).0.len(), 1);
        assert_eq!((reader.oversized_records(), reader.malformed_blocks()), (0, 0));
    }

    #[test]
    fn offsets_in_seconds_and_nanoseconds_add_up() {
        // if_tsoffset 2, if_tsoffset_ns -1, big-endian, and no opt_endofopt.
        let description =
            [0, 1, 0, 0, 0, 0, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2, 0, 19, 0, 4, 0xff, 0xff, 0xff, 0xff];
        let file = PcapNgWriter::new().big_endian().section().block(1, &description).file();
        let writer = PcapNgWriter::new().big_endian().section().interface(Interface::default());
        let before = writer.written().len();
        let epb = writer.enhanced(0, &KitPacket::new(5_000, vec![])).file();
        assert_eq!(read(&[&file[..], &epb[before..]].concat())[0].nanos, 2_000_004_999);
    }

    #[test]
    fn options_end_at_opt_endofopt() {
        // if_tsresol 9, opt_endofopt, and a stray if_tsresol 0 behind it.
        let options = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0];
        let file = PcapNgWriter::new().section().block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0][..], &options].concat()).file();
        let writer = PcapNgWriter::new().section().interface(Interface { tsresol: Some(9), ..Interface::default() });
        let before = writer.written().len();
        let epb = writer.enhanced(0, &packet(b"x")).file();
        assert_eq!(read(&[&file[..], &epb[before..]].concat())[0].nanos, NANOS);
    }
}
