//! The pcap format (draft-ietf-opsawg-pcap): one header, then records.
//!
//! ```text
//!                         1                   2                   3
//!     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!    ├─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┼─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┤
//!  0 │                          Magic Number                         │
//!  4 │          Major Version        │         Minor Version         │
//!  8 │                           Reserved1                           │
//! 12 │                           Reserved2                           │
//! 16 │                            SnapLen                            │
//! 20 │FCS len│R│P│     Reserved3     │        Link-layer type        │
//!    ├───────────────────────────────┴───────────────────────────────┤
//!
//!  0 │                      Timestamp (Seconds)                      │
//!  4 │            Timestamp (Microseconds or nanoseconds)            │
//!  8 │                    Captured Packet Length                     │
//! 12 │                    Original Packet Length                     │
//! 16 │                    Packet Data, not padded …                  │
//! ```

use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use crate::reader::{Extent, ReaderLimits, Skipped, Step};
use crate::{LinkType, Timestamp};

/// Walks the records of one pcap file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PcapRecords {
    big_endian: bool,
    /// Nanoseconds in a unit of the timestamp's second half: 1 or 1 000.
    nanos_per_unit: i64,
    link_type: LinkType,
}

impl PcapRecords {
    /// What stands at the start of the window.
    ///
    /// > A pcap file reader MAY convert an Original Packet Length that is less than the Captured Packet Length to a value
    /// > that is greater than or equal to the Captured Packet Length.
    #[inline]
    pub(crate) fn step(&self, window: &[u8], limits: &ReaderLimits) -> Step {
        let parsed = if self.big_endian { parse_pcap_frame_be(window) } else { parse_pcap_frame(window) };
        match parsed {
            Ok((_, record)) if record.caplen <= limits.record_octets => Step::Packet(Extent {
                record_len: RECORD_HEADER_OCTETS + record.data.len(),
                data_at: RECORD_HEADER_OCTETS,
                data_len: record.data.len(),
                interface_id: 0,
                link_type: self.link_type,
                original_len: record.origlen.max(record.caplen),
                timestamp: self.timestamp(record.ts_sec, record.ts_usec),
            }),
            _ => self.step_without_record(window, limits),
        }
    }

    pub(crate) fn is_nanosecond_precision(&self) -> bool {
        self.nanos_per_unit == 1
    }

    /// > The seconds value is a 32-bit unsigned integer that represents the number of seconds that have elapsed since
    /// > 1970-01-01 00:00:00 UTC, and the microseconds or nanoseconds value represents the number of microseconds or
    /// > nanoseconds that have elapsed since that seconds.
    ///
    /// The sum of two such numbers cannot leave the range of [`Timestamp`]. A second half of a second or more, which a
    /// careless writer leaves, counts as what it says.
    #[inline]
    fn timestamp(&self, seconds: u32, fraction: u32) -> Timestamp {
        let whole = i64::from(seconds).saturating_mul(NANOS_PER_SECOND);
        Timestamp::from_nanos(whole.saturating_add(i64::from(fraction).saturating_mul(self.nanos_per_unit)))
    }

    /// The record is not whole in the window, or must not be.
    #[cold]
    fn step_without_record(&self, window: &[u8], limits: &ReaderLimits) -> Step {
        let Some(header) = window.first_chunk::<RECORD_HEADER_OCTETS>() else {
            return Step::More(RECORD_HEADER_OCTETS);
        };
        let [.., a, b, c, d, _, _, _, _] = *header;
        let captured = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes }([a, b, c, d]);
        if captured > limits.record_octets {
            let octets = RECORD_HEADER_OCTETS as u64 + u64::from(captured);
            return Step::Skip { octets, trailer: None, why: Skipped::Oversized };
        }
        Step::More(RECORD_HEADER_OCTETS.saturating_add(usize::try_from(captured).unwrap_or(usize::MAX)))
    }
}

/// Whether a file begins like pcap.
///
/// > Magic Number (32 bits): an unsigned magic number, whose value is either the hexadecimal number 0xA1B2C3D4 or the
/// > hexadecimal number 0xA1B23C4D.
///
/// In either byte order. The "modified" format of old Linux kernels (0xA1B2CD34), which pcap-parser would take for a
/// pcap file, has longer record headers and is not one of them.
pub(crate) fn is_magic(octets: [u8; 4]) -> bool {
    [u32::from_be_bytes(octets), u32::from_le_bytes(octets)]
        .iter()
        .any(|magic| matches!(magic, 0xa1b2_c3d4 | 0xa1b2_3c4d))
}

/// The header at the start of the window: `None` where it is not all there, the major version where that is another.
pub(crate) fn parse_header(window: &[u8]) -> Option<Result<PcapRecords, u16>> {
    let (_, header) = parse_pcap_header(window).ok()?;
    if header.version_major != VERSION_MAJOR {
        return Some(Err(header.version_major));
    }
    Some(Ok(PcapRecords {
        big_endian: header.is_bigendian(),
        nanos_per_unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
        // The upper half of the field says how long a frame check sequence the packets end in; it is no part of the
        // number, though pcap-parser hands over the whole.
        link_type: LinkType(header.network.0.cast_unsigned() & 0xffff),
    }))
}

pub(crate) const HEADER_OCTETS: usize = 24;
/// > Major Version (16 bits): an unsigned value, giving the number of the current major version of the format. The value
/// > for the current version of the format is 2.
pub(crate) const VERSION_MAJOR: u16 = 2;
const RECORD_HEADER_OCTETS: usize = 16;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use kit::{KitPacket, PcapWriter};

    use crate::reader::tests::{drain, read, reader};
    use crate::{Error, Format, LinkType, Part};

    #[test]
    fn both_byte_orders_and_both_resolutions() {
        let packets = [
            KitPacket::new(1_340_954_905_298_858_123, vec![1, 2, 3]),
            KitPacket::new(4_294_967_295_999_999_999, vec![0; 100]).cut(4),
        ];
        let nanos = |unit: i64| packets.iter().map(|packet| packet.nanos / unit * unit).collect::<Vec<_>>();
        for (writer, format, unit) in [
            (PcapWriter::new(), Format::Pcap, 1_000),
            (PcapWriter::new().big_endian(), Format::Pcap, 1_000),
            (PcapWriter::new().nanoseconds(), Format::PcapNanoseconds, 1),
            (PcapWriter::new().nanoseconds().big_endian(), Format::PcapNanoseconds, 1),
        ] {
            let file = writer.file(&packets);
            assert_eq!(reader(&file).unwrap().format(), format);
            let kept = read(&file);
            assert_eq!(kept.iter().map(|packet| packet.nanos).collect::<Vec<_>>(), nanos(unit));
            assert_eq!(kept.iter().map(|packet| packet.data_at).collect::<Vec<_>>(), [24 + 16, 24 + 16 + 3 + 16]);
            assert_eq!(kept.iter().map(|packet| packet.original_len).collect::<Vec<_>>(), [3, 100]);
            assert_eq!(kept[0].data, [1, 2, 3]);
            assert_eq!(kept[0].link_type, LinkType::ETHERNET);
        }
    }

    #[test]
    fn a_header_without_records_is_a_capture() {
        assert!(read(&PcapWriter::new().file(&[])).is_empty());
    }

    #[test]
    fn the_link_type_is_the_lower_half_of_its_field() {
        let file = PcapWriter::new().link_type(0x2400_0071).file(&[KitPacket::new(0, vec![])]);
        assert_eq!(read(&file)[0].link_type, LinkType::LINUX_SLL);
    }

    #[test]
    fn a_length_of_four_gib_is_an_end_not_an_allocation() {
        let mut file = PcapWriter::new().file(&[KitPacket::new(0, vec![1])]);
        let second = file.len() as u64;
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 7, 7]);
        let (kept, error) = drain(&mut reader(&file).unwrap());
        assert_eq!(kept.len(), 1);
        let Some(Error::Truncated { part: Part::Record, offset, wanted, got, .. }) = error else { panic!("{error:?}") };
        assert_eq!((offset, wanted, got), (second, 16 + u64::from(u32::MAX), 18));
    }

    #[test]
    fn another_major_version_is_refused() {
        let mut file = PcapWriter::new().file(&[]);
        file[4] = 3;
        assert!(matches!(reader(&file), Err(Error::UnsupportedVersion { wanted: 2, got: 3, .. })));
    }
}
