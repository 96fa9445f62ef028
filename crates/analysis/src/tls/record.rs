//! TLS records: a side's stream cut into fragments of one type each, however the octets come.
//!
//! RFC 8446 §5.1 (the layout is that of SSL 3.0):
//!
//! ```text
//! struct {
//!     ContentType type;                        20 to 24
//!     ProtocolVersion legacy_record_version;   3, and anything
//!     uint16 length;
//!     opaque fragment[TLSPlaintext.length];
//! } TLSPlaintext;
//! ```
//!
//! The first record of a side may be one of SSL 2.0 instead: a client that still knows it says hello so (RFC 5246 appendix
//! E.2), and a server that knows nothing newer answers so.

/// Cuts the octets of one side into fragments. Keeps no more than a header.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    have: usize,
    /// The record whose header was read, and what of it is still to come.
    body: Option<(Content, usize, usize)>,
    is_past_first: bool,
}

/// A piece of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) content: Content,
    /// Octets of the whole record, its header not counted.
    pub(super) length: usize,
    pub(super) octets: &'a [u8],
    /// Nothing of this record came before it.
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Heartbeat,
    /// A message of SSL 2.0, and its first three octets; the fragment has the rest.
    Sslv2([u8; 3]),
}

/// The octets are no records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Records {
    /// Reads on: how many octets were used, and the fragment they are or end with, if any.
    pub(super) fn step<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Fragment<'a>>), Malformed> {
        let Some((content, length, left)) = self.body.take() else {
            return self.header(input);
        };
        let (octets, _) = input.split_at_checked(left).unwrap_or((input, &[]));
        let is_last = octets.len() == left;
        if !is_last {
            self.body = Some((content, length, left.saturating_sub(octets.len())));
        }
        Ok((octets.len(), Some(Fragment { content, length, octets, is_first: left == length, is_last })))
    }

    fn header<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Fragment<'a>>), Malformed> {
        let mut used = 0;
        for (place, octet) in self.header.iter_mut().skip(self.have).zip(input) {
            *place = *octet;
            used += 1;
        }
        self.have += used;
        if self.have < HEADER {
            return Ok((used, None));
        }
        self.have = 0;
        let is_past_first = std::mem::replace(&mut self.is_past_first, true);
        let (content, length) = of_header(self.header, !is_past_first)?;
        if length == 0 {
            return Ok((used, Some(Fragment { content, length, octets: &[], is_first: true, is_last: true })));
        }
        self.body = Some((content, length, length));
        Ok((used, None))
    }
}

/// The type of the record with this header, and how many octets follow the header.
fn of_header(header: [u8; HEADER], may_be_sslv2: bool) -> Result<(Content, usize), Malformed> {
    let [first, major, third, a, b] = header;
    let length = usize::from(u16::from_be_bytes([a, b]));
    let content = match first {
        20 => Content::ChangeCipherSpec,
        21 => Content::Alert,
        22 => Content::Handshake,
        23 => Content::ApplicationData,
        24 => Content::Heartbeat,
        _ => {
            // The length has 15 bits, the highest says that there is no padding; CLIENT-HELLO is 1, SERVER-HELLO 4.
            let length = usize::from(u16::from_be_bytes([first & 0x7f, major]));
            let is_hello = may_be_sslv2 && first & 0x80 != 0 && matches!(third, 1 | 4);
            return match length.checked_sub(3) {
                Some(rest) if is_hello && rest > 0 => Ok((Content::Sslv2([third, a, b]), rest)),
                _ => Err(Malformed),
            };
        }
    };
    if major == 3 && length <= LONGEST_FRAGMENT { Ok((content, length)) } else { Err(Malformed) }
}

const HEADER: usize = 5;
/// RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048."
const LONGEST_FRAGMENT: usize = (1 << 14) + 2048;

#[cfg(test)]
mod tests {
    use super::*;

    /// Content, octets of the record, those of the fragment, whether they are its last.
    type Read = (Content, usize, Vec<u8>, bool);

    fn read(records: &mut Records, mut input: &[u8]) -> Result<Vec<Read>, Malformed> {
        let mut fragments = vec![];
        while !input.is_empty() {
            let (used, fragment) = records.step(input)?;
            assert!(used > 0, "no progress");
            input = &input[used..];
            fragments.extend(fragment.map(|f| (f.content, f.length, f.octets.to_vec(), f.is_last)));
        }
        Ok(fragments)
    }

    #[test]
    fn records_follow_each_other() {
        let stream = [22, 3, 1, 0, 2, 7, 8, 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 0, 21, 3, 3, 0, 2, 2];
        let fragments = read(&mut Records::default(), &stream);
        let want = vec![
            (Content::Handshake, 2, vec![7, 8], true),
            (Content::ChangeCipherSpec, 1, vec![1], true),
            (Content::ApplicationData, 0, vec![], true),
            (Content::Alert, 2, vec![2], false),
        ];
        assert_eq!(fragments, Ok(want));
    }

    #[test]
    fn a_record_in_single_octets_is_the_same_record() {
        let mut records = Records::default();
        let pieces: Vec<_> =
            [22, 3, 1, 0, 2, 7, 8].iter().flat_map(|&octet| read(&mut records, &[octet]).unwrap()).collect();
        assert_eq!(pieces, [(Content::Handshake, 2, vec![7], false), (Content::Handshake, 2, vec![8], true)]);
    }

    #[test]
    fn what_is_no_record_is_malformed() {
        for stream in
            [*b"EHLO ", *b"220 m", [22, 2, 0, 0, 1], [22, 3, 1, 0x48, 1], [25, 3, 3, 0, 1], [0x80, 1, 1, 3, 1]]
        {
            assert_eq!(read(&mut Records::default(), &stream), Err(Malformed), "{stream:?}");
        }
    }

    /// RFC 5246 appendix E.2: `uint16 msg_length; uint8 msg_type; Version version; …`.
    #[test]
    fn a_hello_of_ssl_2_comes_first_or_not_at_all() {
        let hello = [0x80, 4, 1, 3, 1, 9, 22, 3, 1, 0, 1, 5];
        let want = vec![(Content::Sslv2([1, 3, 1]), 1, vec![9], true), (Content::Handshake, 1, vec![5], true)];
        assert_eq!(read(&mut Records::default(), &hello), Ok(want));
        assert_eq!(read(&mut Records::default(), &[&hello[6..], &hello[..6]].concat()), Err(Malformed));
    }
}
