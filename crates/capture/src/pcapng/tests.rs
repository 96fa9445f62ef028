//! Tests of the format as a whole.

use kit::{Interface, KitPacket, PcapNgWriter};

use super::interface::{DEFAULT_RESOLUTION, TimeUnit};
use crate::reader::tests::{drain, read, reader};
use crate::{Comment, Error, Fault, Format, LinkType, ReaderLimits, Subject};

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
    assert_eq!((reader.malformed_blocks(), reader.further_interfaces()), (1, 1));
}

/// > Section Length (64 bits): a signed value specifying the length in octets of the following section, excluding the
/// > Section Header Block itself. This field can be used to skip the section […]. If the Section Length is -1 […], this
/// > means that the size of the section is not specified
///
/// The blocks are walked whatever it says.
#[test]
fn the_section_length_decides_nothing() {
    let file = |length: i64| {
        let mut file = PcapNgWriter::new().section().file();
        file[16..24].copy_from_slice(&length.to_le_bytes());
        let rest = PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b"x"));
        let rest = rest.section().interface(Interface::default()).enhanced(0, &packet(b"y")).file();
        [&file[..], &rest[28..]].concat()
    };
    for length in [-1, 0, 4, 60, 1 << 40, i64::MIN] {
        assert_eq!(read(&file(length)).len(), 2, "{length}");
    }
}

/// > Some pcapng file writers have used a minor version of 2, but the file format did not change incompatibly (new block
/// > types were added); Readers of pcapng files MUST treat a Minor Version of 2 as equivalent to a Minor Version of 0
#[test]
fn the_minor_version_decides_nothing() {
    let mut file = PcapNgWriter::new().section().interface(Interface::default()).enhanced(0, &packet(b"x")).file();
    file[14] = 2;
    assert_eq!(read(&file).len(), 1);
}

/// libpcap and this reader take no block of more than 16 MiB, so that one wrong length does not cost the rest.
#[test]
fn a_block_without_a_packet_of_more_than_16_mib_is_damage() {
    let start = PcapNgWriter::new().section().interface(Interface::default());
    let at = start.written().len() as u64;
    for (octets, damage) in [((16 << 20) - 12, None), ((16 << 20) - 8, Some(at))] {
        let file = start.clone().block(0x0bad, &vec![0; octets]).enhanced(0, &packet(b"x")).file();
        let mut reader = reader(&file).unwrap();
        let (kept, error) = drain(&mut reader);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(kept.len(), 1, "{octets}");
        assert_eq!(reader.damage().places().first().map(|place| place.offset), damage, "{octets}");
    }
}

/// A Simple Packet Block names no interface, no time and no captured length.
#[test]
fn simple_packets_are_those_of_the_first_interface_in_either_order() {
    for start in [PcapNgWriter::new(), PcapNgWriter::new().big_endian()] {
        let file = start
            .section()
            .interface(Interface { link_type: 101, snap_len: 4, ..Interface::default() })
            .interface(Interface { link_type: 1, snap_len: 0, ..Interface::default() })
            .simple(&packet(b"longer"))
            .simple(&packet(b"sho"))
            .file();
        let seen = read(&file);
        let seen: Vec<_> = seen.iter().map(|p| (&p.data[..], p.original_len, p.link_type, p.interface_id)).collect();
        assert_eq!(seen, [(&b"long"[..], 6, LinkType::RAW, 0), (b"sho", 3, LinkType::RAW, 0)]);
    }
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

#[test]
fn the_last_statistics_of_each_interface_are_its_losses() {
    let two = PcapNgWriter::new().section().interface(Interface::default()).interface(Interface::default());
    let dropped = |writer: PcapNgWriter| {
        let file = writer.file();
        let mut reader = reader(&file).unwrap();
        drain(&mut reader);
        reader.dropped_packets()
    };
    assert_eq!(dropped(two.clone()), None, "nothing is said");
    assert_eq!(dropped(two.clone().statistics(0, 0, 0)), Some(0), "none, it says");
    assert_eq!(dropped(two.clone().statistics(0, 3, 1).statistics(1, 10, 0).statistics(0, 5, 2)), Some(17));
    let further = two.clone().statistics(0, 1, 0).big_endian().section().interface(Interface::default());
    assert_eq!(dropped(further.statistics(0, 0, 2)), Some(3), "sections count on their own");
    // epb_dropcount, between packets; and the Drops Count of Packet Blocks, where 65 535 is "unknown".
    let counted =
        |count: u64, writer: PcapNgWriter| writer.enhanced_with(1, &packet(b"x"), &[(4, &count.to_le_bytes())]);
    assert_eq!(dropped(counted(2, counted(3, two.clone()))), Some(5));
    assert_eq!(dropped(counted(2, two.clone()).statistics(1, 7, 0)), Some(7), "the same packets");
    assert_eq!(dropped(two.clone().obsolete(0, &packet(b"x"))), None);
    assert_eq!(dropped(two.clone().statistics(0, u64::MAX, 1)), Some(u64::MAX));
    assert_eq!(
        dropped(two.clone().big_endian().section().interface(Interface::default()).statistics(0, 1, 1)),
        Some(2)
    );
    assert_eq!(dropped(two.statistics(2, 8, 0)), None, "an interface that was not described");
}

#[test]
fn comments_are_kept_up_to_their_limits() {
    let writer = PcapNgWriter::new()
        .big_endian()
        .section_with(&[(4, b"dumpcap"), (1, b"from the mirror port")])
        .interface_with(Interface::default(), &[(2, b"eth0"), (1, b"uplink")])
        .enhanced(0, &packet(b"x"))
        .enhanced_with(0, &packet(b"y"), &[(1, "h\u{e9}\u{e9}".as_bytes()), (1, &[0xff])]);
    let file = writer.file();
    let mut whole = reader(&file).unwrap();
    drain(&mut whole);
    let comment = |subject, text: &str| Comment { subject, text: text.to_owned() };
    let expected = [
        comment(Subject::Section, "from the mirror port"),
        comment(Subject::Interface(0), "uplink"),
        comment(Subject::Packet(2), "h\u{e9}\u{e9}"),
        comment(Subject::Packet(2), "\u{fffd}"),
    ];
    assert_eq!((whole.comments().comments(), whole.comments().further()), (&expected[..], 0));
    let limits = ReaderLimits { comments: 1, comment_octets: 4, ..ReaderLimits::default() };
    let mut limited = reader(&file).unwrap().with_limits(limits);
    drain(&mut limited);
    assert_eq!(limited.comments().comments(), [comment(Subject::Section, "from")]);
    assert_eq!(limited.comments().further(), 3);
}

#[test]
fn the_frame_check_sequence_is_not_lent() {
    // if_fcslen in bits, and in octets as Wireshark has it; epb_flags override it in octets.
    for (len, flags, octets) in [(32_u8, None, 4), (4, None, 4), (16, None, 2), (0, Some(4), 4), (32, Some(2_u32), 2)] {
        let start = PcapNgWriter::new().section().interface_with(Interface::default(), &[(13, &[len])]);
        let flags = flags.map(|octets| (octets << 5).to_le_bytes());
        let options: Vec<(u16, &[u8])> = flags.iter().map(|flags| (2, &flags[..])).collect();
        let kept = read(&start.enhanced_with(0, &packet(b"0123456789"), &options).file());
        assert_eq!(
            (kept[0].data.len() as u64, kept[0].original_len.into()),
            (10 - octets, 10 - octets),
            "{len} {flags:?}"
        );
    }
    let start = PcapNgWriter::new().section().interface_with(Interface::default(), &[(13, &[32])]);
    assert_eq!(read(&start.simple(&packet(b"0123456789")).file())[0].data, b"012345");
}

#[test]
fn blocks_that_hold_no_packet_are_passed_over() {
    let mut writer = PcapNgWriter::new().section().interface(Interface::default());
    // Name resolution, systemd journal, decryption secrets, custom in both forms, and types nobody has given yet.
    for (n, block_type) in [4, 9, 10, 0x0bad, 0x4000_0bad, 0x8000_0001, 77].into_iter().enumerate() {
        writer = writer.block(block_type, &vec![6; 9 * n]).enhanced(0, &packet(b"x"));
    }
    let file = writer.file();
    let mut reader = reader(&file).unwrap();
    assert_eq!(drain(&mut reader).0.len(), 7);
    assert_eq!((reader.malformed_blocks(), reader.damage().places().len()), (0, 0));
}
