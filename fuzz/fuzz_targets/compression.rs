//! Compressed captures: how the octets arrive changes nothing, and no more comes out than the limits allow.

#![no_main]

use std::io::{Cursor, Read};

use capture::{CaptureReader, CompressionLimits, ReaderLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: CompressionLimits = CompressionLimits { window_octets: 1 << 20, expansion: 50, free_octets: 1 << 16 };

fuzz_target!(|input: &[u8]| {
    let (octets, story) = read(Box::new(Cursor::new(input.to_vec())));
    let (again, same_story) = read(Box::new(Slowly(Cursor::new(input.to_vec()))));
    assert_eq!((octets, story), (again, same_story));
    let allowed = LIMITS.free_octets.max(LIMITS.expansion * input.len() as u64) + (1 << 20);
    assert!(octets <= allowed, "{octets} octets came out of {}", input.len());
});

/// Octets of the capture, and the packets' lengths with what ended the reading.
fn read(source: Box<dyn Read + Send>) -> (u64, Vec<String>) {
    let limits = ReaderLimits { compression: LIMITS, ..ReaderLimits::default() };
    let mut reader = match CaptureReader::new_with_limits(source, "input".into(), limits) {
        Ok(reader) => reader,
        Err(e) => return (0, vec![e.to_string()]),
    };
    let mut story = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => story.push(packet.data.len().to_string()),
            Ok(None) => break,
            Err(e) => {
                story.push(e.to_string());
                break;
            }
        }
    }
    (reader.octets(), story)
}

struct Slowly(Cursor<Vec<u8>>);

impl Read for Slowly {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        let one = place.len().min(1);
        self.0.read(&mut place[..one])
    }
}
