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
//!
//! What libpcap reads is read: both byte orders of the magic numbers for microseconds, nanoseconds and the modified
//! format, versions 2.0 to 2.4 and 543.0 with their orders of the two lengths, and the length of the frame check
//! sequence in the link type's field. Of what only Wireshark reads: the longer record headers of Red Hat 6.1, SuSE 6.3
//! and Nokia, told apart by whether records follow each other.

mod header;
mod record;

use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be};

use crate::pcapng::ByteOrder;
use crate::step::{Extent, Skipped, Step};
use crate::{Fault, Format, LinkType, ReaderLimits, Timestamp};
use header::FileHeader;
pub(crate) use header::{HEADER_OCTETS, VERSION_MAJOR};
use record::{COMMON_OCTETS, Layout, Lengths, Misfit, RecordHeader};

/// Walks the records of one pcap file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PcapRecords {
    layout: Layout,
    format: Format,
    link_type: LinkType,
    fcs_octets: u8,
    /// The record at the start of the window was looked at from the one before it, and is sound.
    checked: bool,
    /// Of the last packet.
    last_seconds: Option<u32>,
}

impl PcapRecords {
    /// What stands at the start of the window; `ended` where nothing comes behind it.
    ///
    /// A record is believed where the header behind it is sound, too: that is where a wrong length shows.
    ///
    /// > A pcap file reader MAY convert an Original Packet Length that is less than the Captured Packet Length to a value
    /// > that is greater than or equal to the Captured Packet Length.
    #[inline]
    pub(crate) fn step(&mut self, window: &[u8], ended: bool, limits: &ReaderLimits) -> Step {
        if self.layout.header_octets == COMMON_OCTETS && self.layout.lengths == Lengths::CapturedFirst {
            let parsed = match self.layout.order {
                ByteOrder::Big => parse_pcap_frame_be(window),
                ByteOrder::Little => parse_pcap_frame(window),
            };
            if let Ok((behind, record)) = parsed {
                let header = RecordHeader {
                    seconds: record.ts_sec,
                    fraction: record.ts_usec,
                    captured: record.caplen,
                    original: record.origlen,
                };
                let next = self.layout.header(behind, 0);
                if (self.checked || self.layout.is_sound(&header, limits))
                    && next.is_some_and(|next| self.layout.is_sound(&next, limits))
                {
                    return self.lend(&header, true);
                }
            }
        }
        self.step_carefully(window, ended, limits)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Where a chain of records begins, before `to`; see [`Layout::find`].
    pub(crate) fn find(
        &mut self,
        view: &[u8],
        to: usize,
        reach: usize,
        whole: bool,
        limits: &ReaderLimits,
    ) -> Option<usize> {
        self.checked = false;
        self.layout.find(view, (0, to), (reach, whole), self.last_seconds, limits)
    }

    /// The window's first record, which is whole.
    #[inline]
    fn lend(&mut self, header: &RecordHeader, next_is_sound: bool) -> Step {
        self.checked = next_is_sound;
        self.last_seconds = Some(header.seconds);
        let data_len = usize::try_from(header.captured).unwrap_or(usize::MAX);
        let extent = Extent {
            record_len: self.layout.header_octets.saturating_add(data_len),
            data_at: self.layout.header_octets,
            data_len,
            interface_id: 0,
            link_type: self.link_type,
            original_len: header.original.max(header.captured),
            timestamp: self.timestamp(header.seconds, header.fraction),
        };
        Step::Packet(if self.fcs_octets == 0 { extent } else { extent.without_frame_check(self.fcs_octets) })
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
        let nanos_per_unit = if self.layout.units_per_second == 1_000_000 { 1_000 } else { 1 };
        Timestamp::from_nanos(whole.saturating_add(i64::from(fraction).saturating_mul(nanos_per_unit)))
    }

    /// The same as [`step`](Self::step) for every layout, for what is not whole, and for what is odd.
    #[cold]
    fn step_carefully(&mut self, window: &[u8], ended: bool, limits: &ReaderLimits) -> Step {
        let layout = self.layout;
        let header_octets = layout.header_octets;
        let Some(header) = layout.header(window, 0) else { return Step::wait(header_octets, ended) };
        let captured = usize::try_from(header.captured).unwrap_or(usize::MAX);
        let len = header_octets.saturating_add(captured);
        if header.captured > limits.record_octets {
            if layout.is_oversized(&header, limits) {
                self.checked = false;
                return Step::Skip { octets: len as u64, trailer: None, why: Skipped::Oversized };
            }
            let (wanted, got) = (limits.record_octets.into(), header.captured.into());
            return Step::Damaged { fault: Fault::CapturedLength, wanted, got };
        }
        if window.len() < len {
            return Step::wait(len, ended);
        }
        if window.len() < len + header_octets && !ended {
            return Step::More(len + header_octets);
        }
        let sound = self.checked || layout.is_sound(&header, limits);
        let next = layout.header(window, len);
        let next_is_sound = next.is_some_and(|next| layout.is_sound(&next, limits));
        let next_is_no_fault = next.is_none_or(|next| layout.is_oversized(&next, limits));
        if sound && (next_is_sound || next_is_no_fault) {
            return self.lend(&header, next_is_sound);
        }
        // Odd, or damaged: what is further behind decides. Only a fixed number of octets of it, so that the size of
        // the source's reads decides nothing.
        let reach = len.saturating_add(REACH_OCTETS);
        if window.len() < reach && !ended {
            return Step::More(reach);
        }
        let (view, whole) = match window.get(..reach) {
            Some(view) => (view, false),
            None => (window, true),
        };
        if let Some(at) = layout.find(view, (header_octets, len), (REACH_OCTETS, whole), Some(header.seconds), limits) {
            self.checked = false;
            return Step::Swallows(at);
        }
        let timely = self.last_seconds.is_none_or(|last| header.is_near(last));
        if sound && timely || layout.is_followed(view, 0, whole, limits) {
            return self.lend(&header, false);
        }
        self.damaged(&header)
    }

    fn damaged(&self, header: &RecordHeader) -> Step {
        let most = self.layout.units_per_second - 1;
        let (fault, wanted, got) = if header.fraction > most {
            (Fault::Fraction, most, header.fraction)
        } else if header.original == 0 {
            (Fault::OriginalLength, 1, 0)
        } else {
            (Fault::CapturedLength, header.original, header.captured)
        };
        Step::Damaged { fault, wanted: wanted.into(), got: got.into() }
    }
}

/// Whether a file begins like pcap.
pub(crate) fn is_magic(octets: [u8; 4]) -> bool {
    header::magic(octets).is_some()
}

/// The header at the start of the window, and how the records behind it are laid out: `None` where it is not all there,
/// the major version where that is another. The window has [`OPENING_OCTETS`] or all of the input.
pub(crate) fn parse_header(window: &[u8]) -> Option<Result<PcapRecords, u16>> {
    let header = match FileHeader::parse(window.first_chunk()?)? {
        Ok(header) => header,
        Err(major) => return Some(Err(major)),
    };
    let records = window.get(HEADER_OCTETS..).unwrap_or_default();
    let (view, whole) = match records.get(..LAYOUT_OCTETS) {
        Some(view) => (view, false),
        None => (records, true),
    };
    let layout_of = |header_octets| Layout { header_octets, ..header.layout };
    let fits = |&&(header_octets, _): &&(usize, Format)| layout_of(header_octets).misfit(view, whole, false);
    // One record, and four octets: the beginning of a modified one behind it, or what SuSE put in its header. That ends
    // in three octets of padding.
    let is_unlikely = |&&(header_octets, _): &&(usize, Format)| {
        let padding = records.get(header_octets - 3..header_octets).unwrap_or_default();
        header_octets == SUSE_HEADER_OCTETS && padding != [0; 3]
    };
    let layouts = header.layouts();
    // Without a likeliest layout the best is taken; else another only where it fits and the likeliest makes no sense:
    // the end of a cut file, or damage, looks like anything.
    let &(header_octets, format) = match layouts.first().filter(|_| header.has_a_likeliest_layout()) {
        Some(likeliest) if layout_of(likeliest.0).misfit(view, whole, true) == Misfit::Broken => {
            layouts.iter().find(|layout| fits(layout) == Misfit::None).unwrap_or(likeliest)
        }
        Some(likeliest) => likeliest,
        None => layouts.iter().min_by_key(|layout| match fits(layout) {
            Misfit::None if is_unlikely(layout) => Misfit::Unlikely,
            misfit => misfit,
        })?,
    };
    let layout = layout_of(header_octets);
    Some(Ok(PcapRecords {
        layout,
        format,
        link_type: header.link_type,
        fcs_octets: header.fcs_octets,
        checked: false,
        last_seconds: None,
    }))
}

/// How far behind a record its followers are looked at, when something is odd.
const REACH_OCTETS: usize = 48 << 10;
/// Octets of a record header of SuSE 6.3.
const SUSE_HEADER_OCTETS: usize = 28;
/// How many octets of records are looked at to tell layouts apart.
const LAYOUT_OCTETS: usize = 64 << 10;
/// Octets of a file that show how its records are laid out.
pub(crate) const OPENING_OCTETS: usize = HEADER_OCTETS + LAYOUT_OCTETS;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use kit::{KitPacket, PcapWriter};

    use crate::reader::tests::{drain, read, reader};
    use crate::{Error, Fault, Format, LinkType};

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
        let file = PcapWriter::new().link_type(0x2400_0071).file(&[KitPacket::new(0, vec![1])]);
        assert_eq!(read(&file)[0].link_type, LinkType::LINUX_SLL);
    }

    #[test]
    fn a_length_of_four_gib_is_an_end_not_an_allocation() {
        let mut file = PcapWriter::new().file(&[KitPacket::new(0, vec![1])]);
        let second = file.len() as u64;
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 7, 7]);
        let (kept, error) = drain(&mut reader(&file).unwrap());
        assert_eq!(kept.len(), 1);
        let Some(Error::Malformed { fault: Fault::CapturedLength, offset, wanted, got, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!((offset, wanted, got), (second, 262_144, u32::MAX.into()));
    }

    #[test]
    fn another_major_version_is_refused() {
        let mut file = PcapWriter::new().file(&[]);
        file[4] = 3;
        assert!(matches!(reader(&file), Err(Error::UnsupportedVersion { wanted: 2, got: 3, .. })));
    }

    fn mails() -> Vec<KitPacket> {
        (40..45).map(|len| KitPacket::new(1_700_000_000_000_001_000, vec![7; len])).collect()
    }

    #[test]
    fn longer_record_headers_are_told_apart_by_whether_records_follow_each_other() {
        let new = PcapWriter::new;
        for (writer, format) in [
            (new(), Format::Pcap),
            (new().modified(), Format::PcapModified),
            (new().suse_6_3(), Format::PcapSuse63),
            (new().red_hat_6_1(), Format::PcapRedHat61),
            (new().nokia(), Format::PcapNokia),
        ] {
            for writer in [writer, writer.big_endian()] {
                let file = writer.file(&mails());
                assert_eq!(reader(&file).unwrap().format(), format);
                let kept = read(&file);
                assert!(kept.iter().zip(mails()).all(|(kept, packet)| kept.data == packet.data), "{format}");
                assert_eq!((kept.len(), kept[0].nanos), (5, 1_700_000_000_000_001_000));
                // A single record under the ordinary magic number is an ordinary one: it could as well be cut.
                if !matches!(format, Format::PcapRedHat61 | Format::PcapNokia) {
                    assert_eq!(read(&writer.file(&mails()[..1])).len(), 1, "{format}");
                }
            }
        }
    }

    /// libpcap: "We interchanged the caplen and len fields at version 2.3 […]. But unfortunately some files were written
    /// with version 2.3 in their headers but without the interchanged fields. In addition, DG/UX tcpdump writes out files
    /// with a version number of 543.0, and with the caplen and len fields in the pre-2.3 order."
    #[test]
    fn the_order_of_the_lengths_is_that_of_the_version() {
        let new = || PcapWriter::new().snap_len(10);
        for writer in [
            new().version(2, 0),
            new().version(2, 2),
            new().version(2, 3),
            new().version(2, 3).original_first(),
            new().version(2, 4),
            new().version(543, 0),
        ] {
            for writer in [writer, writer.big_endian(), writer.modified()] {
                let kept = read(&writer.file(&mails()));
                let lens: Vec<_> = kept.iter().map(|packet| (packet.data.len(), packet.original_len)).collect();
                assert_eq!(lens, [(10, 40), (10, 41), (10, 42), (10, 43), (10, 44)], "{writer:?}");
            }
        }
        assert!(matches!(reader(&new().version(1, 0).file(&[])), Err(Error::UnsupportedVersion { got: 1, .. })));
    }

    #[test]
    fn the_frame_check_sequence_is_not_lent() {
        // P set and 2 words of 16 bits; P not set, so that the length means nothing.
        for (link_type, cut, lens) in [
            (0x2400_0001, 100, [(36, 36), (37, 37)]),
            (0x2400_0001, 38, [(36, 36), (37, 37)]),
            (0x2400_0001, 30, [(30, 36), (30, 37)]),
            (0x2000_0001, 100, [(40, 40), (41, 41)]),
        ] {
            let file = PcapWriter::new().snap_len(cut).link_type(link_type).file(&mails()[..2]);
            let kept = read(&file);
            assert!(kept.iter().all(|packet| packet.link_type == LinkType::ETHERNET));
            assert_eq!([0, 1].map(|n| (kept[n].data.len(), kept[n].original_len)), lens, "{link_type:#x} {cut}");
        }
    }

    /// Four octets behind the first record are the beginning of the next, or part of a longer header before it.
    #[test]
    fn a_modified_file_cut_four_octets_behind_its_first_record_stays_a_modified_one() {
        let writer = PcapWriter::new().modified();
        let (one, two) = (writer.file(&mails()[..1]).len(), writer.file(&mails()));
        let mut reader = reader(&two[..one + 4]).unwrap();
        assert_eq!(reader.format(), Format::PcapModified);
        let (kept, error) = drain(&mut reader);
        assert_eq!((kept.len(), &kept[0].data[..]), (1, &[7; 40][..]));
        assert!(error.is_some_and(|error| error.is_truncation()));
    }

    #[test]
    fn what_a_program_writes_in_all_its_records_is_no_damage() {
        // A fraction of a second or more, no original length, and packets beyond the snap length.
        for at in [4, 12] {
            let mut file = PcapWriter::new().file(&mails());
            let mut record = 24;
            for packet in mails() {
                let octets = if at == 4 { 5_000_000_u32 } else { 0 };
                file[record + at..record + at + 4].copy_from_slice(&octets.to_le_bytes());
                record += 16 + packet.data.len();
            }
            assert_eq!(read(&file).len(), 5);
        }
        let mut file = PcapWriter::new().file(&mails());
        file[16..20].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(read(&file).len(), 5);
    }
}
