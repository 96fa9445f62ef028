//! Any octets as a capture file: packets lie in the input one behind the other, hold what stands there, and are the same
//! however the source hands its octets out.

#![no_main]

use std::io::{self, Cursor, Read};

use capture::{CaptureReader, LinkType, ReaderLimits, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let small = ReaderLimits { record_octets: 96, interfaces: 2, ..ReaderLimits::default() };
    for limits in [ReaderLimits::default(), small] {
        let whole = read(Box::new(Cursor::new(input.to_vec())), limits, input);
        let octet_by_octet = read(Box::new(OctetByOctet(Cursor::new(input.to_vec()))), limits, input);
        assert_eq!(whole, octet_by_octet);
    }
});

#[derive(Debug, PartialEq)]
struct Seen {
    packets: Vec<(u64, usize, u32, LinkType, u32, Timestamp)>,
    /// How reading ended, where not with the input.
    error: Option<String>,
    counts: Option<[u64; 6]>,
}

fn read(source: Box<dyn Read + Send>, limits: ReaderLimits, input: &[u8]) -> Seen {
    let mut seen = Seen { packets: Vec::new(), error: None, counts: None };
    let mut reader = match CaptureReader::new(source, "input".into()) {
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
    seen.counts = Some([
        reader.packets(),
        reader.octets(),
        reader.oversized_records(),
        reader.malformed_blocks(),
        reader.foreign_sections(),
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
