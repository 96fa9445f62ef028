//! UDP (RFC 768).
//!
//! ```text
//!  0      7 8     15 16    23 24    31
//! +--------+--------+--------+--------+
//! |   Source Port   | Destination Port|
//! +--------+--------+--------+--------+
//! |     Length      |    Checksum     |
//! +--------+--------+--------+--------+
//! ```

use super::{Flaw, u16_at};

/// A UDP header and what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) source: u16,
    pub(super) destination: u16,
    pub(super) payload: &'a [u8],
}

impl<'a> Header<'a> {
    /// > Length is the length in octets of this user datagram including this header and the data. (This means the
    /// > minimum value of the length is eight.)
    ///
    /// A length of 0 is what segmentation offload and jumbograms (RFC 2675 §4) leave: the datagram ends where IP does.
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, Flaw> {
        let (source, destination, length) = (u16_at(octets, 0)?, u16_at(octets, 2)?, usize::from(u16_at(octets, 4)?));
        let payload = octets.get(HEADER_OCTETS..).ok_or(Flaw::Short)?;
        let payload = match length {
            0 => payload,
            1..HEADER_OCTETS => return Err(Flaw::Malformed),
            length => payload.get(..length.saturating_sub(HEADER_OCTETS)).unwrap_or(payload),
        };
        Ok(Self { source, destination, payload })
    }
}

/// The IP protocol number.
pub(in crate::decode) const UDP: u8 = 17;
pub(super) const HEADER_OCTETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_ends_the_payload() {
        let payload = |length| {
            let octets = [0, 1, 0x12, 0xb5, 0, length, 0xbe, 0xef, b'a', b'b', b'c'];
            Header::parse(&octets).map(|header| (header.source, header.destination, header.payload.to_vec()))
        };
        assert_eq!(payload(10), Ok((1, 4789, b"ab".to_vec())));
        assert_eq!(payload(0), Ok((1, 4789, b"abc".to_vec())));
        assert_eq!(payload(200), Ok((1, 4789, b"abc".to_vec())), "cut by the capture");
        assert_eq!(payload(7), Err(Flaw::Malformed));
        assert_eq!(Header::parse(&[0; 7]), Err(Flaw::Short));
    }
}
