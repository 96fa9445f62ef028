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
        let (groups, _) = rest.as_chunks::<4>();
        let mut used = 0;
        for group in groups {
            let [a, b, c, d] = group.map(value);
            if (a | b | c | d) >= 64 {
                break;
            }
            let [_, x, y, z] =
                (u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d)).to_be_bytes();
            out.extend_from_slice(&[x, y, z]);
            used += 4;
        }
        rest = rest.get(used..).unwrap_or_default();
        match rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
            Some(behind) => rest = behind,
            None => return rest,
        }
    }
}

const NONE: u8 = 0xff;
const BLANK: u8 = 0xfe;
const PADDING: u8 = 0xfd;

/// The value of a digit, below 64, or what the octet is instead.
fn value(octet: u8) -> u8 {
    VALUES.get(usize::from(octet)).copied().unwrap_or(NONE)
}

/// Table 1 of RFC 2045.
static VALUES: [u8; 256] = values();

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
