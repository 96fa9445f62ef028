//! On what real programs have written (`testdata/compressed`), whole, cut, damaged and beyond limits.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use super::*;
use crate::{CaptureReader, Error, ReaderLimits};

/// Each sample's name and octets; the name begins with that of the format or of a program that writes it.
fn samples() -> Vec<(String, Compression, Vec<u8>)> {
    let folder = testdata().join("compressed");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .expect("the samples")
        .map(|entry| {
            let path = entry.expect("a sample").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let compression = match name.split('-').next() {
                Some("gzip" | "pigz") => Compression::Gzip,
                Some("zstd" | "pzstd") => Compression::Zstd,
                Some("lz4") => Compression::Lz4,
                Some("xz") => Compression::Xz,
                Some("bzip2") => Compression::Bzip2,
                _ => panic!("{name} says nothing of its format"),
            };
            (name, compression, std::fs::read(&path).expect("a sample"))
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(samples.len(), 12);
    samples
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn plain() -> Vec<u8> {
    std::fs::read(testdata().join("postfix-plain.pcap")).expect("the capture")
}

/// The packets' octets, and what ended the reading.
fn read_all(mut reader: CaptureReader) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut packets = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push(packet.data.to_vec()),
            Ok(None) => return (packets, None),
            Err(e) => return (packets, Some(e)),
        }
    }
}

fn read_with(octets: Vec<u8>, limits: CompressionLimits) -> (Vec<Vec<u8>>, Option<Error>) {
    let limits = ReaderLimits { compression: limits, ..ReaderLimits::default() };
    match CaptureReader::new_with_limits(Box::new(Cursor::new(octets)), "a".into(), limits) {
        Ok(reader) => read_all(reader),
        Err(e) => (Vec::new(), Some(e)),
    }
}

fn read(octets: Vec<u8>) -> (Vec<Vec<u8>>, Option<Error>) {
    read_with(octets, CompressionLimits::default())
}

fn packets() -> Vec<Vec<u8>> {
    let (packets, error) = read(plain());
    assert!(error.is_none() && packets.len() > 10);
    packets
}

fn fault(error: Option<Error>) -> Option<CompressionFault> {
    match error {
        Some(Error::Compressed { fault, .. }) => Some(fault),
        Some(e) => panic!("{e}"),
        None => None,
    }
}

#[test]
fn what_programs_write_is_read_whole() {
    for (name, compression, octets) in samples() {
        let reader = CaptureReader::new(Box::new(Cursor::new(octets)), "a".into()).expect("a capture");
        assert_eq!(reader.compression(), Some(compression), "{name}");
        let (got, error) = read_all(reader);
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(got, packets(), "{name}");
    }
}

/// Gives one octet at a time.
struct Slowly(Cursor<Vec<u8>>);

impl Read for Slowly {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(place.get_mut(..1).unwrap_or_default())
    }
}

#[test]
fn neither_small_reads_nor_a_thread_of_its_own_change_anything() {
    for (name, _, octets) in samples() {
        for cut in [octets.len(), octets.len() / 2] {
            let octets = octets.get(..cut).expect("shorter").to_vec();
            let told = |(packets, error): (Vec<Vec<u8>>, Option<Error>)| (packets, error.map(|e| e.to_string()));
            let expected = told(read(octets.clone()));
            let slowly = CaptureReader::new(Box::new(Slowly(Cursor::new(octets.clone()))), "a".into());
            let ahead = CaptureReader::new(Box::new(Cursor::new(octets)), "a".into());
            match (slowly, ahead) {
                (Ok(slowly), Ok(ahead)) => {
                    assert_eq!(told(read_all(slowly)), expected, "{name} cut at {cut}");
                    assert_eq!(told(read_all(ahead.decompressing_ahead())), expected, "{name} cut at {cut}");
                }
                (Err(slowly), Err(ahead)) => {
                    assert_eq!(expected.1, Some(slowly.to_string()), "{name} cut at {cut}");
                    assert_eq!(expected.1, Some(ahead.to_string()), "{name} cut at {cut}");
                }
                _ => panic!("{name} cut at {cut}: one is read and the other not"),
            }
        }
    }
}

/// Where a file ends between two members, only the capture in it shows that something is missing.
#[test]
fn a_file_cut_short_gives_what_came_before_and_says_so() {
    let whole = packets();
    for (name, _, octets) in samples() {
        // Cuts behind what tells the format (12 octets of pzstd are a frame to be skipped), and about where the second member begins.
        for cut in (23..octets.len()).step_by(7).chain(560..660).filter(|&cut| cut < octets.len()) {
            let (got, error) = read(octets.get(..cut).expect("shorter").to_vec());
            assert!(whole.starts_with(&got), "{name} cut at {cut}");
            let error = error.unwrap_or_else(|| panic!("{name} cut at {cut} is read without error"));
            assert!(error.is_truncation(), "{name} cut at {cut}: {error}");
        }
    }
}

/// No panic, no endless loop, and nothing that an octet of damage makes large.
#[test]
fn a_damaged_file_ends_the_reading_at_worst() {
    for (name, _, octets) in samples() {
        for place in (0..octets.len()).step_by(29) {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = octets.clone();
                if let Some(octet) = damaged.get_mut(place) {
                    *octet ^= change;
                }
                let (got, error) = read(damaged);
                assert!(got.len() <= 1000, "{name} damaged at {place}: {error:?}");
            }
        }
    }
}

#[test]
fn what_follows_the_last_member_is_told_and_the_rest_counts() {
    for (name, _, mut octets) in samples() {
        octets.extend_from_slice(b"what is this");
        let (got, error) = read(octets);
        assert_eq!(got, packets(), "{name}");
        assert_eq!(fault(error), Some(CompressionFault::Trailing(b"what".to_vec())), "{name}");
    }
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(octets).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

/// A capture whose one record is longer than it is worth: zeros without end.
#[test]
fn a_bomb_ends_at_the_limit() {
    let mut octets = plain();
    octets.extend(vec![0; 8 << 20]);
    let bomb = gzip(&octets);
    let limits = CompressionLimits { expansion: 20, free_octets: 64 << 10, ..CompressionLimits::default() };
    let (got, error) = read_with(bomb.clone(), limits);
    let error = error.expect("the limit");
    assert_eq!(error.limit_reached(), Some("decompression_expansion"));
    assert!(error.to_string().contains("expand more than 20 times"), "{error}");
    assert!(got.starts_with(&packets()), "the packets before it count");
    let (_, error) = read(bomb);
    assert!(error.is_none_or(|e| e.limit_reached().is_none()), "8 MiB are free");
}

#[test]
fn a_window_beyond_the_limit_is_refused() {
    for (name, compression, octets) in samples() {
        let (got, error) = read_with(octets, CompressionLimits { window_octets: 1024, ..CompressionLimits::default() });
        match compression {
            // Their windows are fixed by their formats.
            Compression::Gzip | Compression::Lz4 | Compression::Bzip2 => assert!(error.is_none(), "{name}: {error:?}"),
            Compression::Zstd | Compression::Xz => {
                assert!(got.is_empty(), "{name}");
                assert_eq!(error.and_then(|e| e.limit_reached()), Some("decompression_window"), "{name}");
            }
        }
    }
}

#[test]
fn one_layer_is_taken_off() {
    let found = |octets: &[u8]| match read(gzip(octets)).1 {
        Some(Error::NoCaptureInside { found, compression: Compression::Gzip, .. }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&gzip(&plain())), Contents::Compressed(Compression::Gzip));
    let mut tar = vec![0; 512];
    tar.get_mut(257..262).expect("room").copy_from_slice(b"ustar");
    assert_eq!(found(&tar), Contents::Tar);
    assert_eq!(found(b"From: nobody"), Contents::Unknown(b"From".to_vec()));
}

#[test]
fn what_only_looks_compressed_is_told_as_it_is() {
    assert!(matches!(read(b"BZh9 is a fine name for a file".to_vec()).1, Some(Error::NotACapture { .. })));
    assert!(matches!(read(vec![0x1f]).1, Some(Error::NotACapture { .. })));
    assert!(matches!(read(Vec::new()).1, Some(Error::Empty { .. })));
}

/// It was read, with offsets that did not count the frame.
#[test]
fn a_capture_behind_a_frame_to_be_skipped_is_no_capture() {
    let frame = [0x51, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    for behind in [plain(), kit::pcapng(&[]), Vec::new(), frame.to_vec()] {
        let (packets, error) = read([&frame[..], &behind].concat());
        assert!(packets.is_empty());
        assert!(matches!(&error, Some(Error::NotACapture { got, .. }) if got == &frame[..4]), "{error:?}");
    }
}
