//! Tests of the reader, whatever the format.

use kit::{KitPacket, PcapNgWriter, PcapWriter};
use proptest::prelude::*;

use super::*;
use crate::{BUFFER_OCTETS, LinkType};

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
    [5, 0, 70].into_iter().map(|len| KitPacket::new(1_700_000_000_000_001_000, vec![len; len.into()])).collect()
}

/// One whole file of each format, with packets of several sizes.
fn files() -> Vec<Vec<u8>> {
    let packets = three();
    let ng = PcapNgWriter::new().section().interface(kit::Interface { tsresol: Some(9), ..Default::default() });
    let ng = ng.enhanced_with(0, &packets[0], &[(1, b"comment")]).block(0x0bad, &[1; 9]).simple(&packets[1]);
    let ng = ng.big_endian().section().interface(kit::Interface::default()).obsolete(0, &packets[2]);
    let pcap = PcapWriter::new;
    vec![
        ng.file(),
        with_every_block(),
        pcap().file(&packets),
        pcap().big_endian().file(&packets),
        pcap().nanoseconds().big_endian().file(&packets),
        // A packet of no octets looks like a wrong guess at the layout.
        pcap().modified().file(&[packets[0].clone(), packets[2].clone()]),
        pcap().version(2, 2).file(&packets),
    ]
}

/// Options in every block that has them, comments, statistics, secrets, names, and a frame check sequence.
fn with_every_block() -> Vec<u8> {
    let packets = three();
    let eight = 5_u64.to_be_bytes();
    PcapNgWriter::new()
        .big_endian()
        .section_with(&[(1, b"a comment"), (4, b"a program")])
        .interface_with(kit::Interface { tsoffset: Some(-1), ..Default::default() }, &[(2, b"eth0"), (13, &[32])])
        .interface_with(kit::Interface { link_type: 101, ..Default::default() }, &[(1, b"another")])
        .block(4, b"names")
        .enhanced_with(1, &packets[0], &[(1, b"one"), (4, &eight)])
        .block(10, b"secrets")
        .enhanced_with(0, &packets[2], &[(2, &[0, 0, 0, 0x40])])
        .statistics(1, 3, 4)
        .file()
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
    // Magic numbers that libpcap knows to be taken, and does not read either.
    for magic in [0xa1b2_34cd_u32, 0xa12b_3c4d] {
        assert!(matches!(reader(&magic.to_le_bytes()), Err(Error::NotACapture { .. })));
    }
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
    fn the_sizes_of_the_reads_change_nothing(which in 0..7_usize, sizes in prop::collection::vec(1..50_usize, 0..20)) {
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
        which in 0..7_usize,
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
