//! Damaged captures: what is lost, what is read again, and what is said about it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::io::{Cursor, Read};

use capture::{CaptureReader, Damage, Error, Fault, ReaderLimits};
use kit::{Conversation, Interface, KitPacket, PcapNgWriter, PcapWriter, pcap, pcapng};
use proptest::prelude::*;

const START: i64 = 1_700_000_000_000_000_000;

fn mail() -> Vec<KitPacket> {
    let mut mail = Conversation::new("192.0.2.1:40000", "198.51.100.25:25").start(START).handshake();
    for n in 0..12_usize {
        mail = mail.client(format!("NOOP {}\r\n", "x".repeat(n * 37 % 200)).as_bytes()).server(b"250 ok\r\n");
    }
    mail.close().packets()
}

/// A file in some format, and where each packet's record and data begin.
struct File {
    octets: Vec<u8>,
    records: Vec<usize>,
}

fn pcap_file(writer: PcapWriter) -> File {
    let mut octets = writer.file(&[]);
    let mut records = Vec::new();
    for packet in mail() {
        records.push(octets.len());
        writer.write_record(&packet, &mut octets).unwrap();
    }
    File { octets, records }
}

fn pcapng_file(start: PcapNgWriter) -> File {
    let mut writer = start.section().interface(Interface { tsresol: Some(9), ..Interface::default() });
    let mut records = Vec::new();
    for packet in mail() {
        records.push(writer.written().len());
        writer = writer.enhanced(0, &packet);
    }
    File { octets: writer.file(), records }
}

/// What a reader gave of a file.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Offset, octets and time of each packet.
    packets: Vec<(u64, Vec<u8>, i64)>,
    damage: Vec<Damage>,
    octets_skipped: u64,
    octets: u64,
    error: Option<String>,
}

fn outcome_of(source: impl Read + Send + 'static, limits: ReaderLimits) -> Option<Outcome> {
    let mut reader = CaptureReader::new(Box::new(source), "x".into()).ok()?.with_limits(limits);
    let mut packets = Vec::new();
    let error = loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push((packet.data_at, packet.data.to_vec(), packet.timestamp.as_nanos())),
            Ok(None) => break None,
            Err(e) => break Some(e.to_string()),
        }
    };
    assert!(reader.next_packet().unwrap().is_none());
    let damage = reader.damage();
    Some(Outcome {
        packets,
        damage: damage.places().to_vec(),
        octets_skipped: damage.octets(),
        octets: reader.octets(),
        error,
    })
}

fn read(octets: &[u8]) -> Outcome {
    outcome_of(Cursor::new(octets.to_vec()), ReaderLimits::default()).unwrap()
}

/// Only these packets of the mail were lent.
#[track_caller]
fn assert_lent(outcome: &Outcome, numbers: impl Iterator<Item = usize>) {
    let mail = mail();
    let expected: Vec<_> = numbers.map(|n| mail[n].data.clone()).collect();
    let lent: Vec<_> = outcome.packets.iter().map(|packet| packet.1.clone()).collect();
    assert!(lent == expected, "{} packets lent, {} expected: {outcome:?}", lent.len(), expected.len());
}

fn one_damage(from: usize, to: usize) -> Vec<Damage> {
    vec![Damage { offset: from as u64, octets: (to - from) as u64 }]
}

fn pcap_writers() -> [PcapWriter; 5] {
    let new = PcapWriter::new;
    [new(), new().big_endian(), new().nanoseconds(), new().modified(), new().suse_6_3().big_endian()]
}

#[test]
fn a_wrong_length_in_a_pcap_record_costs_that_record() {
    for writer in pcap_writers() {
        let file = pcap_file(writer);
        for n in [5, 12, mail().len() - 2] {
            // Too long by much, by little, too short, and beyond the end of the file.
            for captured in [u32::MAX, 1_000_000, 300, 7, 0, 60_000] {
                let mut octets = file.octets.clone();
                let (little, big) = (captured.to_le_bytes(), captured.to_be_bytes());
                let is_big = octets[0] == 0xa1;
                let at = file.records[n] + 8;
                octets[at..at + 4].copy_from_slice(if is_big { &big } else { &little });
                let outcome = read(&octets);
                assert_eq!(outcome.error, None, "record {n} of {captured} octets");
                assert_eq!(outcome.octets, octets.len() as u64);
                let next = file.records[n + 1];
                // A record that claims too few octets is lent as it is, and the rest of its data is what is skipped.
                if captured as usize <= mail()[n].data.len() {
                    let end = at + 8 + captured as usize + file.octets_of_header() - 16;
                    assert_eq!(outcome.damage, one_damage(end, next), "record {n} of {captured} octets");
                    assert_eq!(outcome.packets.len(), mail().len());
                } else {
                    assert_eq!(outcome.damage, one_damage(file.records[n], next), "record {n} of {captured} octets");
                    assert_lent(&outcome, (0..mail().len()).filter(|number| *number != n));
                }
            }
        }
    }
}

impl File {
    fn octets_of_header(&self) -> usize {
        self.records[1] - self.records[0] - mail()[0].data.len()
    }
}

#[test]
fn octets_put_in_or_taken_out_cost_the_record_they_are_in() {
    let file = pcap_file(PcapWriter::new());
    let (n, all) = (8, mail().len());
    // Behind a record: it is whole, and the octets are passed over.
    let mut octets = file.octets.clone();
    octets.splice(file.records[n]..file.records[n], [0x55; 100]);
    let outcome = read(&octets);
    assert_eq!((outcome.error.as_ref(), &outcome.damage), (None, &one_damage(file.records[n], file.records[n] + 100)));
    assert_lent(&outcome, 0..all);
    // Out of a record's data: what follows comes too early for its length.
    let mut octets = file.octets.clone();
    octets.drain(file.records[n] + 20..file.records[n] + 31);
    let outcome = read(&octets);
    assert_eq!(outcome.damage, one_damage(file.records[n], file.records[n + 1] - 11));
    assert_lent(&outcome, (0..all).filter(|number| *number != n));

    for start in [PcapNgWriter::new(), PcapNgWriter::new().big_endian()] {
        let file = pcapng_file(start);
        let mut octets = file.octets.clone();
        octets.splice(file.records[n]..file.records[n], [0x55; 101]);
        let outcome = read(&octets);
        assert_eq!(outcome.damage, one_damage(file.records[n], file.records[n] + 101));
        assert_lent(&outcome, 0..all);
        let mut octets = file.octets.clone();
        octets.drain(file.records[n] + 20..file.records[n] + 31);
        let outcome = read(&octets);
        assert_eq!(outcome.damage, one_damage(file.records[n], file.records[n + 1] - 11));
        assert_lent(&outcome, (0..all).filter(|number| *number != n));
    }
}

#[test]
fn a_block_whose_lengths_disagree_costs_that_block() {
    for start in [PcapNgWriter::new(), PcapNgWriter::new().big_endian()] {
        let file = pcapng_file(start);
        for n in [0, 9, mail().len() - 2] {
            for at in [
                file.records[n] + 4,
                file.records[n] + 5,
                file.records[n] + 6,
                file.records[n] + 7,
                file.records[n + 1] - 2,
            ] {
                let mut octets = file.octets.clone();
                octets[at] ^= 0x14;
                let outcome = read(&octets);
                assert_eq!(outcome.error, None);
                assert_eq!(outcome.damage, one_damage(file.records[n], file.records[n + 1]), "{at}");
                assert_lent(&outcome, (0..mail().len()).filter(|number| *number != n));
            }
        }
    }
}

/// Blocks that hold no packet may be long, so that their length alone says little: the next block whose lengths agree does.
#[test]
fn a_wrong_length_in_a_block_without_a_packet_costs_that_block() {
    let file = pcapng_file(PcapNgWriter::new());
    let all = mail().len();
    // Further packets, more than the longest wrong length, so that the file does not end within it.
    let start = || PcapNgWriter::new().section().interface(Interface::default());
    let written = start().written().len();
    let further = (0..300).fold(start(), |writer, _| writer.enhanced(0, &KitPacket::new(0, vec![7; 60_000])));
    for (behind, lengths) in [
        (&[][..], &[100, 170_000, 330_000, 1_000_000, 16_000_000][..]),
        (&further.written()[written..], &[1_000_000, 16_000_000]),
    ] {
        // Name resolution, statistics, secrets, custom, and a type that nobody has.
        for block_type in [4, 5, 10, 0xbad, 0x77] {
            for &length in lengths {
                for n in [3, all - 1] {
                    let at = file.records[n];
                    let mut block = PcapNgWriter::new().block(block_type, &[0; 20]).file();
                    block[4..8].copy_from_slice(&u32::to_le_bytes(length));
                    let octets = [&file.octets[..at], &block, &file.octets[at..], behind].concat();
                    let mut outcome = read(&octets);
                    outcome.packets.truncate(all);
                    assert_eq!((outcome.error.as_ref(), &outcome.damage), (None, &one_damage(at, at + block.len())));
                    assert_lent(&outcome, 0..all);
                }
            }
        }
    }
}

/// What looks like a block or two within a long block is part of it.
#[test]
fn a_long_block_is_passed_over_whatever_is_in_it() {
    let file = pcapng_file(PcapNgWriter::new());
    let two_blocks = &file.octets[file.records[0]..file.records[2]];
    let at = file.records[5];
    for body in [vec![0; 2_000_000], vec![6; 2_000_000], [two_blocks, &vec![b'x'; 2_000_000], two_blocks].concat()] {
        let block = PcapNgWriter::new().block(4, &body).file();
        let octets = [&file.octets[..at], &block, &file.octets[at..]].concat();
        let outcome = read(&octets);
        assert_eq!((outcome.error, outcome.damage), (None, vec![]));
        // Cut within it.
        let cut = read(&octets[..at + block.len() - 5]);
        assert_lent(&cut, 0..5);
        assert!(cut.error.is_some_and(|error| error.contains("cut off in the middle of a block")));
        assert_eq!((cut.octets, cut.damage), (at as u64, vec![]));
    }
}

/// `cat` puts files one behind the other. pcapng foresees that (a section behind the other), pcap does not.
#[test]
fn files_written_one_behind_the_other_are_read_one_behind_the_other() {
    let files: Vec<_> = pcap_writers().map(pcap_file).into_iter().collect();
    let sections = [PcapNgWriter::new(), PcapNgWriter::new().big_endian()].map(pcapng_file);
    let all: Vec<&File> = files.iter().chain(&sections).collect();
    for first in &all {
        for second in &all {
            let outcome = read(&[&first.octets[..], &second.octets, &first.octets].concat());
            assert_eq!((&outcome.error, &outcome.damage), (&None, &vec![]));
            assert_lent(&outcome, (0..mail().len()).cycle().take(3 * mail().len()));
            let nanos = |number: usize| outcome.packets[number].2 / 1_000;
            assert_eq!(nanos(0), nanos(mail().len()), "the second file has a resolution of its own");
        }
    }
    let two = [&files[0].octets[..], &sections[0].octets].concat();
    let mut reader = CaptureReader::new(Box::new(Cursor::new(two)), "two".into()).unwrap();
    while reader.next_packet().unwrap().is_some() {}
    assert_eq!((reader.further_files(), reader.foreign_sections()), (1, 0));
}

#[test]
fn a_section_header_that_is_damaged_costs_the_packets_of_no_section() {
    let file = pcapng_file(PcapNgWriter::new().big_endian());
    for at in [4, 8] {
        let mut octets = file.octets.clone();
        octets[at] ^= 0x40;
        let outcome = read(&octets);
        assert_eq!((outcome.error.as_ref(), &outcome.damage), (None, &one_damage(0, 28)));
        assert_lent(&outcome, 0..mail().len());
        // The same in the middle, behind a section in the other order, whose interface has another link type.
        let first =
            PcapNgWriter::new().section().interface(Interface { link_type: 101, ..Interface::default() }).file();
        let outcome = read(&[&first[..], &octets].concat());
        assert_eq!(outcome.damage, one_damage(first.len(), first.len() + 28));
        assert_lent(&outcome, 0..mail().len());
    }
}

#[test]
fn a_long_stretch_of_noise_is_passed_over_in_bounded_memory() {
    // Three times the buffer, of noise, of zeros, of text, and of what looks like records of no octets.
    let len = 3 * capture::BUFFER_OCTETS + 12_345;
    let noise = |n: usize| n.wrapping_mul(2_654_435_761).to_le_bytes()[2];
    let text = b"250-mx.example at your service\r\n";
    for (name, octet) in [
        ("noise", Box::new(noise) as Box<dyn Fn(usize) -> u8>),
        ("zeros", Box::new(|_| 0)),
        ("text", Box::new(move |n| text[n % text.len()])),
    ] {
        let stretch: Vec<u8> = (0..len).map(octet).collect();
        for file in [pcap_file(PcapWriter::new().nanoseconds()), pcapng_file(PcapNgWriter::new())] {
            let at = file.records[10];
            let octets = [&file.octets[..at], &stretch, &file.octets[at..]].concat();
            let outcome = read(&octets);
            assert_eq!(outcome.damage, one_damage(at, at + len), "{name}");
            assert_lent(&outcome, 0..mail().len());
        }
    }
}

#[test]
fn where_nothing_is_found_that_is_said() {
    for file in [pcap_file(PcapWriter::new()), pcapng_file(PcapNgWriter::new())] {
        let end = file.octets.len();
        let octets = [&file.octets[..], &[0xff; 700_000]].concat();
        let mut reader = CaptureReader::new(Box::new(Cursor::new(octets)), "x".into()).unwrap();
        let error = loop {
            match reader.next_packet() {
                Ok(packet) => assert!(packet.is_some()),
                Err(e) => break e,
            }
        };
        assert!(error.to_string().contains("no further record was found"), "{error}");
        let Error::Malformed { offset, fault, .. } = error else { panic!("{error}") };
        assert!(matches!(fault, Fault::CapturedLength | Fault::Fraction | Fault::BlockLength | Fault::BlockAlignment));
        assert_eq!((offset, reader.octets()), (end as u64, end as u64));
        assert_eq!((reader.packets(), reader.damage().places()), (mail().len() as u64, &[][..]));
    }
}

#[test]
fn places_of_damage_are_limited_and_counted_on() {
    let file = pcap_file(PcapWriter::new());
    let mut octets = file.octets.clone();
    for n in (1..5).map(|n| n * 5) {
        octets[file.records[n] + 8..file.records[n] + 12].fill(0xff);
    }
    let limits = ReaderLimits { damaged_places: 2, ..ReaderLimits::default() };
    let mut reader = CaptureReader::new(Box::new(Cursor::new(octets)), "x".into()).unwrap().with_limits(limits);
    while reader.next_packet().unwrap().is_some() {}
    let lost: usize = (1..5).map(|n| file.records[n * 5 + 1] - file.records[n * 5]).sum();
    let damage = reader.damage();
    assert_eq!((damage.places().len(), damage.further_places(), damage.octets()), (2, 2, lost as u64));
}

/// Gives its octets in pieces of the sizes given, in turn.
struct Pieces(Vec<u8>, usize, Vec<usize>);

impl Read for Pieces {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        let size = self.2[self.1 % self.2.len()];
        self.1 += 1;
        let octets = size.min(self.0.len()).min(place.len());
        place[..octets].copy_from_slice(&self.0[..octets]);
        self.0.drain(..octets);
        Ok(octets)
    }
}

#[derive(Debug, Clone)]
enum Harm {
    Change(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Delete(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, octet)| Harm::Change(at, octet)),
        1 => (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..300))
            .prop_map(|(at, octets)| Harm::Insert(at, octets)),
        1 => (any::<prop::sample::Index>(), 1..300_usize).prop_map(|(at, len)| Harm::Delete(at, len)),
        1 => any::<prop::sample::Index>().prop_map(Harm::Cut),
    ]
}

fn files() -> Vec<Vec<u8>> {
    let packets = mail();
    let old = PcapWriter::new().version(2, 2).modified().file(&packets);
    let mixed = packets.iter().fold(PcapNgWriter::new().section().interface(Interface::default()), |writer, packet| {
        writer.enhanced_with(0, packet, &[(1, b"comment")]).block(10, b"secrets").simple(packet).obsolete(0, packet)
    });
    vec![pcap(&packets), PcapWriter::new().big_endian().file(&packets), old, pcapng(&packets), mixed.file()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn harm_never_stops_the_reader_nor_depends_on_the_reads(
        which in 0..5_usize,
        harms in prop::collection::vec(harm(), 1..6),
        sizes in prop::collection::vec(1..3_000_usize, 1..5),
    ) {
        let mut octets = files().swap_remove(which);
        for harm in harms {
            match harm {
                Harm::Change(at, octet) => {
                    let at = at.index(octets.len());
                    octets[at] = octet;
                }
                Harm::Insert(at, new) => {
                    let at = at.index(octets.len());
                    octets.splice(at..at, new);
                }
                Harm::Delete(at, len) => {
                    let at = at.index(octets.len());
                    octets.drain(at..octets.len().min(at + len));
                    octets.push(0);
                }
                Harm::Cut(at) => octets.truncate(at.index(octets.len()) + 1),
            }
        }
        let whole = outcome_of(Cursor::new(octets.clone()), ReaderLimits::default());
        let pieces = outcome_of(Pieces(octets.clone(), 0, sizes), ReaderLimits::default());
        prop_assert_eq!(&whole, &pieces);
        let Some(whole) = whole else { return Ok(()) };
        // Packets and damage follow each other, hold what stands there, and lie within what was read.
        let mut ranges: Vec<(u64, u64)> = whole.damage.iter().map(|damage| (damage.offset, damage.octets)).collect();
        for (at, data, _) in &whole.packets {
            let from = usize::try_from(*at).unwrap();
            prop_assert_eq!(&octets[from..from + data.len()], &data[..]);
            if !data.is_empty() {
                ranges.push((*at, data.len() as u64));
            }
        }
        ranges.sort_unstable();
        prop_assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{:?}", ranges);
        prop_assert!(ranges.last().is_none_or(|last| last.0 + last.1 <= whole.octets));
        prop_assert!(whole.error.is_some() || whole.octets == octets.len() as u64);
    }
}

#[test]
fn a_record_that_is_too_large_is_passed_over_behind_one_that_is_not() {
    let packets = [10, 200, 20].map(|len| KitPacket::new(START, vec![1; len]));
    let limits = ReaderLimits { record_octets: 100, ..ReaderLimits::default() };
    let outcome = outcome_of(Cursor::new(PcapWriter::new().file(&packets)), limits).unwrap();
    assert_eq!(outcome.packets.iter().map(|packet| packet.1.len()).collect::<Vec<_>>(), [10, 20]);
    assert_eq!((outcome.damage, outcome.error), (vec![], None));
}
