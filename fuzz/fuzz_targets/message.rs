//! Any octets as a message: any split gives the same parts, every octet is counted once, and limits are kept.
//!
//! Input: two octets that decide the split, one whose lowest bit chooses small limits and whose next one tells whether
//! octets are missing behind the first piece, the message.

#![no_main]

use analysis::message::mime::{Mime, MimeOptions, Reader};
use fuzz::pieces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [seed, largest, choice, message @ ..] = input else { return };
    let small = MimeOptions {
        header_limit: 400,
        part_header_limit: 100,
        part_headers_limit: 300,
        depth_limit: 3,
        messages_limit: 2,
        parts_limit: 6,
        text_limit: 50,
        urls_limit: 2,
        ..MimeOptions::default()
    };
    let limits = if choice & 1 == 1 { small } else { MimeOptions::default() };
    let options = MimeOptions { hashes: true, text: true, ..limits };
    let whole = read(options, std::iter::once(message), false);
    assert_eq!(read(options, pieces(message, *seed, *largest), false), whole);
    assert_eq!(read(options, message.chunks(1), false), whole);
    if choice & 2 == 2 {
        // Nothing to be compared with: where octets are missing depends on the split.
        read(options, pieces(message, *seed, *largest), true);
    }
});

/// What is read, and how many octets each part was said to be decoded to.
fn read<'a>(options: MimeOptions, pieces: impl Iterator<Item = &'a [u8]>, missing: bool) -> (Mime, Vec<Vec<u8>>) {
    let mut decoded: Vec<Vec<u8>> = Vec::new();
    let mut take = |part: usize, octets: &[u8]| {
        decoded.resize(decoded.len().max(part + 1), Vec::new());
        decoded[part].extend_from_slice(octets);
    };
    let (mut reader, mut octets) = (Reader::new(options), 0);
    for (number, piece) in pieces.enumerate() {
        reader.push(piece, &mut take);
        octets += piece.len() as u64;
        if missing && number == 0 {
            reader.gap(&mut take);
        }
    }
    let mime = reader.finish(true, &mut take);
    assert_eq!(mime.counted.sum(), octets, "octets that are counted");
    let leaves = mime.parts.iter().filter(|part| part.decoded_size.is_some());
    assert!(leaves.clone().all(|part| part.depth <= options.depth_limit));
    assert!(mime.parts.len() <= options.parts_limit && mime.urls.len() <= options.urls_limit);
    assert!(mime.text.is_none() || options.text);
    for (number, part) in mime.parts.iter().enumerate() {
        assert!(part.encoded_size <= octets);
        if let (Some(size), Some(octets)) = (part.decoded_size, decoded.get(number).filter(|octets| !octets.is_empty()))
        {
            assert_eq!(size, octets.len() as u64, "octets of part {number}");
        }
        assert!(part.complete || part.decoded_size.is_none());
    }
    (mime, decoded)
}
