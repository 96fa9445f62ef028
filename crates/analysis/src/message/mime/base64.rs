//! The transfer encoding `base64`, decoded as it comes.
//!
//! > All line breaks or other characters not found in Table 1 must be ignored by decoding software. In base64 data,
//! > characters other than those in Table 1, line breaks, and other white space probably indicate a transmission error
//! > (RFC 2045 §6.8).

/// Decodes base64 in any slices.
#[derive(Debug, Clone, Default)]
pub(super) struct Base64 {
    /// The digits of a group that is not whole, six bits each.
    group: u32,
    /// How many there are: 0 to 3.
    digits: u8,
    /// > … the occurrence of any "=" characters may be taken as evidence that the end of the data has been reached
    /// > (RFC 2045 §6.8).
    ended: bool,
    /// Padding that the group still needs.
    padding: u8,
    faults: u64,
}

impl Base64 {
    /// Decodes the next octets to the end of `out`.
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !rest.is_empty() && !self.ended {
            if self.digits == 0 {
                rest = whole_groups(rest, out);
            }
            // What is no whole group: line ends, the rest of a slice, faults, the padding.
            let Some((&octet, behind)) = rest.split_first() else { return };
            rest = behind;
            self.octet(octet, out);
        }
        for &octet in rest {
            match value(octet) {
                BLANK => {}
                PADDING if self.padding > 0 => self.padding -= 1,
                _ => self.faults += 1,
            }
        }
    }

    /// The end of the part: a group that is not whole gives what it has, and that it is not whole is a fault.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.ended {
            self.faults += u64::from(self.padding > 0);
        } else if self.digits > 0 {
            self.faults += 1;
            self.end_of_group(out);
        }
    }

    /// Octets that no encoder writes, and groups that end too early.
    pub(super) fn faults(&self) -> u64 {
        self.faults
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match value(octet) {
            BLANK => {}
            PADDING if self.digits >= 2 => {
                self.ended = true;
                self.padding = 3 - self.digits;
                self.end_of_group(out);
            }
            PADDING | NONE => self.faults += 1,
            digit => {
                self.group = self.group << 6 | u32::from(digit);
                self.digits += 1;
                if self.digits == 4 {
                    let [_, a, b, c] = self.group.to_be_bytes();
                    out.extend_from_slice(&[a, b, c]);
                    (self.group, self.digits) = (0, 0);
                }
            }
        }
    }

    /// Two digits make an octet, three make two.
    fn end_of_group(&mut self, out: &mut Vec<u8>) {
        let [_, a, b, _] = (self.group << (6 * (4 - u32::from(self.digits)))).to_be_bytes();
        let octets = [a, b];
        out.extend_from_slice(octets.get(..usize::from(self.digits).saturating_sub(1)).unwrap_or_default());
        (self.group, self.digits) = (0, 0);
    }
}

/// Decodes the groups of four digits that stand in front, line ends between them passed over; returns what follows.
fn whole_groups<'a>(octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = octets;
    loop {
        let line = rest.get(..LINE_OCTETS).unwrap_or(rest);
        let line = memchr::memchr2(b'\r', b'\n', line).and_then(|end| line.get(..end)).unwrap_or(line);
        let decoded = 4 * decode_groups(line.as_chunks().0, out);
        rest = rest.get(decoded..).unwrap_or_default();
        if decoded == LINE_OCTETS {
            continue;
        }
        match rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
            Some(behind) => rest = behind,
            None => return rest,
        }
    }
}

/// Octets that are looked at together: more than the lines of mail have (RFC 2045 §6.8: 76), and few enough that an octet in between
/// that is no digit costs little. A multiple of 4.
const LINE_OCTETS: usize = 128;

/// Decodes groups up to the first that is not four digits; returns how many. All of them are decoded without a branch in between,
/// and only then it is looked whether all are digits.
fn decode_groups(groups: &[[u8; 4]], out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + 3 * groups.len(), 0);
    let (triples, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<3>();
    let mut all = 0;
    for (group, triple) in groups.iter().zip(triples) {
        let octets = octets_of(group);
        all |= octets;
        let [_, x, y, z] = octets.to_be_bytes();
        *triple = [x, y, z];
    }
    if all < NO_OCTETS {
        return groups.len();
    }
    let whole = groups.iter().take_while(|group| octets_of(group) < NO_OCTETS).count();
    out.truncate(start + 3 * whole);
    whole
}

/// The three octets that four digits stand for; [`NO_OCTETS`] or more, where these are not all digits.
#[inline]
fn octets_of(group: &[u8; 4]) -> u32 {
    let [a, b, c, d] = group.map(usize::from);
    let [first, second, third, fourth] = &PLACED;
    let of = |values: &[u32; 256], digit: usize| values.get(digit).copied().unwrap_or(NO_OCTETS);
    of(first, a) | of(second, b) | of(third, c) | of(fourth, d)
}

const NO_OCTETS: u32 = 1 << 24;

/// The value of each digit at each place of a group.
static PLACED: [[u32; 256]; 4] = [placed(18), placed(12), placed(6), placed(0)];

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn placed(shift: u32) -> [u32; 256] {
    let mut table = [NO_OCTETS; 256];
    let mut octet = 0;
    while octet < 256 {
        if VALUES[octet] < 64 {
            table[octet] = (VALUES[octet] as u32) << shift;
        }
        octet += 1;
    }
    table
}

const NONE: u8 = 0xff;
const BLANK: u8 = 0xfe;
const PADDING: u8 = 0xfd;

/// The value of a digit, below 64, or what the octet is instead.
fn value(octet: u8) -> u8 {
    VALUES.get(usize::from(octet)).copied().unwrap_or(NONE)
}

/// Table 1 of RFC 2045.
const VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn values() -> [u8; 256] {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        table[digits[value as usize] as usize] = value;
        value += 1;
    }
    table[b'=' as usize] = PADDING;
    table[b' ' as usize] = BLANK;
    table[b'\t' as usize] = BLANK;
    table[b'\r' as usize] = BLANK;
    table[b'\n' as usize] = BLANK;
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let (mut decoder, mut out) = (Base64::default(), Vec::new());
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        (out, decoder.faults())
    }

    /// RFC 4648 §10.
    #[test]
    fn test_vectors() {
        for (encoded, plain) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmFy", "foobar")]
        {
            assert_eq!(decoded(&[encoded.as_bytes()]), (plain.as_bytes().to_vec(), 0), "{encoded}");
        }
    }

    /// RFC 2045 §6.8: what is not in the table is ignored; white space is no sign of an error, the rest is.
    #[test]
    fn octets_outside_the_alphabet_are_ignored_and_counted() {
        assert_eq!(decoded(&[b"Z m\t9\r\nv\nYmFy"]), (b"foobar".to_vec(), 0));
        assert_eq!(decoded(&[b"Zm9!v*Ym\x80Fy"]), (b"foobar".to_vec(), 3));
    }

    #[test]
    fn without_padding_what_is_there_counts_and_one_fault_is_said() {
        assert_eq!(decoded(&[b"Zm9vYg"]), (b"foob".to_vec(), 1));
        assert_eq!(decoded(&[b"Zm9vYmE"]), (b"fooba".to_vec(), 1));
        assert_eq!(decoded(&[b"Zm9vY"]), (b"foo".to_vec(), 1), "six bits are no octet");
        assert_eq!(decoded(&[b"Zm9vYg="]), (b"foob".to_vec(), 1), "one of two");
    }

    /// A mailing list that adds its text behind the padding does not make it part of the attachment.
    #[test]
    fn the_padding_ends_the_data() {
        assert_eq!(decoded(&[b"Zg==\r\n"]), (b"f".to_vec(), 0));
        assert_eq!(decoded(&[b"Zg==\r\nlist\r\n"]), (b"f".to_vec(), 4));
        assert_eq!(decoded(&[b"=Zm9v"]), (b"foo".to_vec(), 1), "before any digit it ends nothing");
    }

    /// Longer than what is looked at together, with a fault at any place.
    #[test]
    fn a_long_line_is_decoded_whatever_stands_in_it() {
        let plain: Vec<u8> = (0..=255).cycle().take(3 * LINE_OCTETS).collect();
        let encoded = data_encoding::BASE64.encode(&plain).into_bytes();
        assert_eq!(decoded(&[&encoded]), (plain.clone(), 0));
        for at in 0..encoded.len() {
            let with_fault = [&encoded[..at], b"!", &encoded[at..]].concat();
            assert_eq!(decoded(&[&with_fault]), (plain.clone(), 1), "{at}");
        }
    }

    proptest! {
        #[test]
        fn it_undoes_what_another_encoder_did(plain in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..400) {
            let encoded = data_encoding::BASE64_MIME.encode(&plain);
            let (one, other) = encoded.as_bytes().split_at(cut.min(encoded.len()));
            prop_assert_eq!(decoded(&[one, other]), (plain, 0));
        }

        #[test]
        fn any_split_gives_the_same(input in "[A-Za-z0-9+/=\r\n !]{0,80}", cut in 0usize..80) {
            let (one, other) = input.as_bytes().split_at(cut.min(input.len()));
            prop_assert_eq!(decoded(&[one, other]), decoded(&[input.as_bytes()]));
        }
    }
}
