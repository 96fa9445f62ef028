//! Any octets as a capture file: packets and damage lie in the input one behind the other, packets hold what stands
//! there, every octet of a pcap file is accounted for, and all is the same however the source hands its octets out.

#![no_main]

use std::io::{self, Cursor, Read};

use capture::{CaptureReader, Comment, Damage, Format, LinkType, ReaderLimits, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let many = ReaderLimits { damaged_places: 1 << 20, ..ReaderLimits::default() };
    let small = ReaderLimits { record_octets: 96, interfaces: 2, comments: 2, comment_octets: 3, ..many };
    for limits in [many, small] {
        let whole = read(Box::new(Cursor::new(input.to_vec())), limits, input);
        let octet_by_octet = read(Box::new(OctetByOctet(Cursor::new(input.to_vec()))), limits, input);
        assert_eq!(whole, octet_by_octet);
        let pieces = read(Box::new(Pieces(Cursor::new(input.to_vec()), 0)), limits, input);
        assert_eq!(whole, pieces);
    }
});

#[derive(Debug, PartialEq)]
struct Seen {
    packets: Vec<(u64, usize, u32, LinkType, u32, Timestamp)>,
    /// How reading ended, where not with the input.
    error: Option<String>,
    counts: Option<[u64; 7]>,
    damage: Vec<Damage>,
    comments: Vec<Comment>,
    dropped: Option<u64>,
}

fn read(source: Box<dyn Read + Send>, limits: ReaderLimits, input: &[u8]) -> Seen {
    let mut seen = Seen {
        packets: Vec::new(),
        error: None,
        counts: None,
        damage: Vec::new(),
        comments: Vec::new(),
        dropped: None,
    };
    let mut reader = match CaptureReader::new(source, "input".into()) {
        // Offsets are those of what is inside: the target `compression` is for that.
        Ok(reader) if reader.compression().is_some() => return seen,
        Ok(reader) => reader.with_limits(limits),
        Err(e) => {
            seen.error = Some(e.to_string());
            return seen;
        }
    };
    let mut behind = 0;
    loop {
        match reader.next_packet() {
            Ok(None) => break,
            Ok(Some(packet)) => {
                let at = usize::try_from(packet.data_at).unwrap();
                assert!(at >= behind, "packets overlap");
                behind = at + packet.data.len();
                assert_eq!(packet.data, &input[at..behind]);
                assert!(packet.original_len as usize >= packet.data.len());
                assert!(packet.data.len() <= limits.record_octets as usize);
                let len = packet.data.len();
                let (interface, link_type) = (packet.interface_id, packet.link_type);
                seen.packets.push((packet.data_at, len, interface, link_type, packet.original_len, packet.timestamp));
            }
            Err(e) => {
                seen.error = Some(e.to_string());
                assert!(reader.next_packet().unwrap().is_none(), "an error is the end");
                break;
            }
        }
    }
    assert_eq!(reader.packets(), seen.packets.len() as u64);
    assert!(reader.octets() <= input.len() as u64);
    assert!(seen.error.is_some() || reader.octets() == input.len() as u64, "read to the end");
    seen.damage = reader.damage().places().to_vec();
    seen.comments = reader.comments().comments().to_vec();
    seen.dropped = reader.dropped_packets();
    assert_eq!(reader.damage().octets(), seen.damage.iter().map(|damage| damage.octets).sum::<u64>());
    assert!(seen.comments.len() <= limits.comments);
    let data = seen.packets.iter().filter(|packet| packet.1 > 0).map(|packet| (packet.0, packet.1 as u64));
    let mut ranges: Vec<(u64, u64)> =
        data.chain(seen.damage.iter().map(|damage| (damage.offset, damage.octets))).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "packets and damage overlap");
    assert!(ranges.last().is_none_or(|last| last.0 + last.1 <= input.len() as u64));
    // Without a frame check sequence, with nothing passed over for its size and no other file behind it, whose records may
    // have other headers, all of a pcap file is known.
    let header_octets = match reader.format() {
        Format::Pcap | Format::PcapNanoseconds => Some(16),
        Format::PcapNokia => Some(20),
        Format::PcapModified | Format::PcapRedHat61 => Some(24),
        Format::PcapSuse63 => Some(28),
        _ => None,
    };
    let has_frame_check = [20, 23].iter().any(|at| input.get(*at).is_some_and(|octet| octet & 0x04 != 0));
    let is_known = !has_frame_check && reader.oversized_records() == 0 && reader.further_files() == 0;
    if let Some(header_octets) = header_octets.filter(|_| is_known) {
        let records: u64 = seen.packets.iter().map(|packet| header_octets + packet.1 as u64).sum();
        assert_eq!(reader.octets(), 24 + records + reader.damage().octets(), "an octet is not accounted for");
    }
    seen.counts = Some([
        reader.packets(),
        reader.octets(),
        reader.oversized_records(),
        reader.malformed_blocks(),
        reader.foreign_sections(),
        reader.further_files(),
        reader.packets_without_time(),
    ]);
    seen
}

struct OctetByOctet(Cursor<Vec<u8>>);

impl Read for OctetByOctet {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let len = place.len().min(1);
        self.0.read(&mut place[..len])
    }
}

/// Sizes of reads that are no power of two, around what a header has.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.1 = (self.1 * 5 + 3) % 61;
        let len = place.len().min(self.1 + 1);
        self.0.read(&mut place[..len])
    }
}
