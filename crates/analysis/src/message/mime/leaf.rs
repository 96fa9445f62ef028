//! The body of a part that has no parts: decoded, counted, hashed, and a little of it kept.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::base64::Base64;
use super::line_break::LineBreak;
use super::quoted_printable::QuotedPrintable;

/// What is wanted of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// SHA-256 of what was decoded.
    pub(super) sha256: bool,
    /// And MD5.
    pub(super) md5: bool,
    /// Octets that are kept as text.
    pub(super) text: usize,
}

/// A body while it comes.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The last line break may be that of a delimiter.
    last_break: LineBreak,
    transfer: Transfer,
    digest: Digests,
    encoded: u64,
    decoded: u64,
    /// Memory for what was decoded from one slice.
    room: Vec<u8>,
    ends: Ends,
    wanted: Wanted,
    text: Vec<u8>,
}

/// What is known of a body in its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) encoded: u64,
    pub(super) decoded: u64,
    pub(super) faults: u64,
    pub(super) sha256: Option<String>,
    pub(super) md5: Option<String>,
    pub(super) text: Vec<u8>,
    /// There was more text than is kept.
    pub(super) text_cut: bool,
    pub(super) ends: Ends,
}

impl Leaf {
    pub(super) fn new(transfer_encoding: Option<&str>, wanted: Wanted) -> Self {
        Self {
            last_break: LineBreak::default(),
            transfer: Transfer::of(transfer_encoding),
            digest: Digests::new(wanted.sha256, wanted.md5),
            encoded: 0,
            decoded: 0,
            room: Vec::new(),
            ends: Ends::default(),
            wanted,
            text: Vec::new(),
        }
    }

    /// The next octets; `decoded` is given what they stand for.
    pub(super) fn push(&mut self, octets: &[u8], decoded: &mut impl FnMut(&[u8])) {
        let mut last_break = std::mem::take(&mut self.last_break);
        last_break.push(octets, |octets| self.decode(octets, decoded));
        self.last_break = last_break;
    }

    /// The end. `at_delimiter`: the last line break belongs to the delimiter line behind it (RFC 2046 §5.1.1). Returns
    /// how long that line break was.
    pub(super) fn finish(mut self, at_delimiter: bool, decoded: &mut impl FnMut(&[u8])) -> (Body, u64) {
        let last = std::mem::take(&mut self.last_break).into_octets();
        if !at_delimiter {
            self.decode(last, decoded);
        }
        self.room.clear();
        self.transfer.finish(&mut self.room);
        let room = std::mem::take(&mut self.room);
        self.take(&room, decoded);
        let (sha256, md5) = self.digest.finish();
        let body = Body {
            encoded: self.encoded,
            decoded: self.decoded,
            faults: self.transfer.faults(),
            sha256,
            md5,
            text_cut: self.wanted.text > 0
                && self.text.len() == self.wanted.text
                && self.decoded > self.text.len() as u64,
            text: self.text,
            ends: self.ends,
        };
        (body, if at_delimiter { last.len() as u64 } else { 0 })
    }

    fn decode(&mut self, octets: &[u8], decoded: &mut impl FnMut(&[u8])) {
        self.encoded += octets.len() as u64;
        if matches!(self.transfer, Transfer::Identity) {
            return self.take(octets, decoded);
        }
        // Piece by piece, so that what was decoded takes little memory.
        for piece in octets.chunks(PIECE_OCTETS) {
            let mut room = std::mem::take(&mut self.room);
            room.clear();
            self.transfer.push(piece, &mut room);
            self.take(&room, decoded);
            self.room = room;
        }
    }

    fn take(&mut self, octets: &[u8], decoded: &mut impl FnMut(&[u8])) {
        if octets.is_empty() {
            return;
        }
        self.decoded += octets.len() as u64;
        self.digest.update(octets);
        self.ends.push(octets);
        let room = self.wanted.text.saturating_sub(self.text.len());
        self.text.extend_from_slice(octets.get(..room).unwrap_or(octets));
        decoded(octets);
    }
}

/// Encoded octets that are decoded at a time.
const PIECE_OCTETS: usize = 32 << 10;

/// Content-Transfer-Encoding (RFC 2045 §6).
#[derive(Debug, Clone)]
enum Transfer {
    /// `7bit`, `8bit`, `binary`, and what nobody knows.
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl Transfer {
    fn of(name: Option<&str>) -> Self {
        match name {
            Some("base64") => Self::Base64(Base64::default()),
            Some("quoted-printable") => Self::QuotedPrintable(QuotedPrintable::default()),
            _ => Self::Identity,
        }
    }

    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(octets),
            Self::Base64(decoder) => decoder.push(octets, out),
            Self::QuotedPrintable(decoder) => decoder.push(octets, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity => {}
            Self::Base64(decoder) => decoder.finish(out),
            Self::QuotedPrintable(decoder) => decoder.finish(out),
        }
    }

    fn faults(&self) -> u64 {
        match self {
            Self::Identity => 0,
            Self::Base64(decoder) => decoder.faults(),
            Self::QuotedPrintable(decoder) => decoder.faults(),
        }
    }
}

/// The digests that were asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Digests {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
}

impl Digests {
    pub(super) fn new(sha256: bool, md5: bool) -> Self {
        Self { sha256: sha256.then(Sha256::new), md5: md5.then(Md5::new) }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        if let Some(digest) = &mut self.sha256 {
            digest.update(octets);
        }
        if let Some(digest) = &mut self.md5 {
            digest.update(octets);
        }
    }

    /// SHA-256 and MD5 in hexadecimal digits.
    pub(super) fn finish(self) -> (Option<String>, Option<String>) {
        let sha256 = self.sha256.map(|digest| data_encoding::HEXLOWER.encode(&digest.finalize()));
        (sha256, self.md5.map(|digest| data_encoding::HEXLOWER.encode(&digest.finalize())))
    }
}

/// The beginning and the end of a body, to see from what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) head: Vec<u8>,
    /// Of a body that is longer than the head at least the last [`ENDS_OCTETS`] octets, of which the head may have some.
    /// Most bodies are shorter, and are not copied twice.
    pub(super) tail: Vec<u8>,
}

/// Octets that are kept of the beginning and of the end of a body.
pub(super) const ENDS_OCTETS: usize = 4096;

impl Ends {
    pub(super) fn push(&mut self, octets: &[u8]) {
        let room = ENDS_OCTETS.saturating_sub(self.head.len());
        let (front, behind) = octets.split_at_checked(room).unwrap_or((octets, &[]));
        self.head.extend_from_slice(front);
        if behind.is_empty() {
            return;
        }
        if self.tail.is_empty() {
            self.tail.extend_from_slice(&self.head);
        }
        let last = behind.get(behind.len().saturating_sub(ENDS_OCTETS)..).unwrap_or_default();
        if self.tail.len() + last.len() > 4 * ENDS_OCTETS {
            let before = self.tail.len().saturating_sub(ENDS_OCTETS);
            self.tail.drain(..before);
        }
        self.tail.extend_from_slice(last);
    }

    /// The last octets.
    pub(super) fn tail(&self) -> &[u8] {
        let all = if self.tail.is_empty() { &self.head } else { &self.tail };
        all.get(all.len().saturating_sub(ENDS_OCTETS)..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { sha256: true, md5: true, text: 4 };

    fn body(encoding: &str, octets: &[u8], at_delimiter: bool) -> (Body, u64) {
        let mut leaf = Leaf::new(Some(encoding), WANTED);
        leaf.push(octets, &mut |_| {});
        leaf.finish(at_delimiter, &mut |_| {})
    }

    /// FIPS 180-2 appendix B.1 and RFC 1321 appendix A.5: the digests of "abc".
    #[test]
    fn what_was_decoded_is_hashed_and_counted() {
        let (body, of_delimiter) = body("base64", b"YWJj\r\n", true);
        assert_eq!((body.encoded, body.decoded, of_delimiter), (4, 3, 2));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(body.sha256.as_deref(), Some(sha256));
        assert_eq!(body.md5.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
    }

    #[test]
    fn the_last_line_break_counts_where_no_delimiter_follows() {
        assert_eq!(body("7bit", b"abc\r\n", false).0.decoded, 5);
        assert_eq!(body("7bit", b"abc\r\n", true).0.decoded, 3);
    }

    #[test]
    fn text_is_kept_up_to_the_limit() {
        let kept = |octets: &[u8]| {
            let body = body("8bit", octets, false).0;
            (body.text, body.text_cut)
        };
        assert_eq!(kept(b"abcd"), (b"abcd".to_vec(), false));
        assert_eq!(kept(b"abcde"), (b"abcd".to_vec(), true));
    }

    #[test]
    fn both_ends_are_kept() {
        let mut ends = Ends::default();
        let octets: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
        octets.chunks(700).for_each(|piece| ends.push(piece));
        assert_eq!(ends.head, octets[..ENDS_OCTETS]);
        assert_eq!(ends.tail(), &octets[octets.len() - ENDS_OCTETS..]);
        assert!(ends.tail.len() <= 4 * ENDS_OCTETS);
    }

    #[test]
    fn the_last_octets_are_known_however_long_the_body_is() {
        let octets: Vec<u8> = (0..=250).cycle().take(3 * ENDS_OCTETS).collect();
        for len in [0, 1, ENDS_OCTETS - 1, ENDS_OCTETS, ENDS_OCTETS + 1, 2 * ENDS_OCTETS, 3 * ENDS_OCTETS] {
            for piece in [1, 700, ENDS_OCTETS, octets.len()] {
                let mut ends = Ends::default();
                octets[..len].chunks(piece).for_each(|piece| ends.push(piece));
                assert_eq!(ends.tail(), &octets[len.saturating_sub(ENDS_OCTETS)..len], "{len} in pieces of {piece}");
            }
        }
    }
}
