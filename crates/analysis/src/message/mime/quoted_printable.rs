//! The transfer encoding `quoted-printable`, decoded as it comes.
//!
//! ```text
//!                 "="             hex            hex
//!        text ─────────▶ escape ─────▶ first ─────────▶ text        (RFC 2045 §6.7, rule 1)
//!                          │ white space, line end
//!                          └─────────▶ soft line break ─▶ text      (rule 5)
//! ```
//!
//! > Any white space at the end of a line must be deleted, as it will necessarily have been added by intermediate
//! > transport agents (rule 3).

/// Decodes quoted-printable in any slices.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotedPrintable {
    state: State,
    /// White space and a CR that may be the end of a line, or that follow a `=`.
    held: Vec<u8>,
    faults: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// Behind the first digit.
    First(u8),
    SoftBreak,
}

impl QuotedPrintable {
    /// Decodes the next octets to the end of `out`.
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !rest.is_empty() {
            if self.state == State::Text && self.held.is_empty() {
                rest = self.text(rest, out);
            }
            let Some((&octet, behind)) = rest.split_first() else { return };
            rest = behind;
            self.octet(octet, out);
        }
    }

    /// The end of the part. An octet that is half there, or none, is a fault; a `=` at the very end is a soft line break.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let State::First(digit) = self.state {
            self.faults += 1;
            out.extend_from_slice(&[b'=', digit]);
        }
        if self.held.ends_with(b"\r") && self.state == State::Text {
            out.push(b'\r');
        }
        self.held.clear();
        self.state = State::Text;
    }

    /// `=` signs that no encoder writes; they are kept as they are.
    pub(super) fn faults(&self) -> u64 {
        self.faults
    }

    /// Passes text up to the next `=` or up to what may be white space at the end of a line; returns what follows.
    fn text<'a>(&mut self, octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = octets;
        loop {
            let special = memchr::memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(special).unwrap_or((rest, &[]));
            match behind.split_first() {
                Some((b'\n', next)) => {
                    let line = text.strip_suffix(b"\r");
                    out.extend_from_slice(without_white_space(line.unwrap_or(text)));
                    out.extend_from_slice(if line.is_some() { b"\r\n" } else { b"\n" });
                    rest = next;
                }
                Some(_) => {
                    out.extend_from_slice(text);
                    return behind;
                }
                None => {
                    let kept = without_white_space(text.strip_suffix(b"\r").unwrap_or(text));
                    out.extend_from_slice(kept);
                    return text.get(kept.len()..).unwrap_or_default();
                }
            }
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.state, octet) {
            (State::Text, b'=') => {
                out.append(&mut self.held);
                self.state = State::Escape;
            }
            (State::Text, b' ' | b'\t' | b'\r') => {
                // A CR that no LF follows is no line end, nor is the white space before it.
                if self.held.ends_with(b"\r") || self.held.len() >= HELD_OCTETS {
                    out.append(&mut self.held);
                }
                self.held.push(octet);
            }
            (State::Text, b'\n') => {
                out.extend_from_slice(if self.held.ends_with(b"\r") { b"\r\n" } else { b"\n" });
                self.held.clear();
            }
            (State::Text, _) => {
                out.append(&mut self.held);
                out.push(octet);
            }
            (State::Escape, b' ' | b'\t' | b'\r') => {
                self.held.push(octet);
                self.state = State::SoftBreak;
            }
            (State::Escape | State::SoftBreak, b'\n') => {
                self.held.clear();
                self.state = State::Text;
            }
            (State::SoftBreak, b' ' | b'\t' | b'\r') if self.held.len() < HELD_OCTETS => self.held.push(octet),
            // "A robust implementation might choose to recognize them as the corresponding uppercase letters."
            (State::Escape, digit) if digit.is_ascii_hexdigit() => self.state = State::First(digit),
            (State::First(first), digit) if digit.is_ascii_hexdigit() => {
                out.push(nibble(first) << 4 | nibble(digit));
                self.state = State::Text;
            }
            (State::Escape | State::SoftBreak, _) => self.no_escape(b"=", octet, out),
            (State::First(first), _) => self.no_escape(&[b'=', first], octet, out),
        }
    }

    /// "A reasonable approach by a robust implementation might be to include the '=' character and the following
    /// character in the decoded data without any transformation" (§6.7).
    fn no_escape(&mut self, before: &[u8], octet: u8, out: &mut Vec<u8>) {
        self.faults += 1;
        out.extend_from_slice(before);
        out.append(&mut self.held);
        self.state = State::Text;
        self.octet(octet, out);
    }
}

/// White space that is held until it is known whether it ends a line; a line has 76 octets (§6.7, rule 5).
const HELD_OCTETS: usize = 1024;

fn without_white_space(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|octet| !matches!(octet, b' ' | b'\t')).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(pieces: &[&[u8]]) -> (String, u64) {
        let (mut decoder, mut out) = (QuotedPrintable::default(), Vec::new());
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        (String::from_utf8_lossy(&out).into_owned(), decoder.faults())
    }

    /// RFC 2045 §6.7, rule 5: its example.
    #[test]
    fn soft_line_breaks_join_lines() {
        let encoded = b"Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.";
        let plain = "Now's the time for all folk to come to the aid of their country.";
        assert_eq!(decoded(&[encoded]), (plain.to_owned(), 0));
        assert_eq!(decoded(&[b"a= \t\r\nb"]), ("ab".to_owned(), 0), "white space behind the sign is transport padding");
        assert_eq!(decoded(&[b"a="]), ("a".to_owned(), 0), "the line break before a delimiter is not there any more");
    }

    /// Rule 1, rule 3 and rule 4.
    #[test]
    fn octets_white_space_and_line_ends() {
        assert_eq!(decoded(&[b"=C3=A4 =3D =c3=a4"]), ("\u{e4} = \u{e4}".to_owned(), 0));
        assert_eq!(decoded(&[b"a \t\r\nb \nc  "]), ("a\r\nb\nc".to_owned(), 0));
        assert_eq!(decoded(&[b"a=20\r\n"]), ("a \r\n".to_owned(), 0));
    }

    #[test]
    fn what_is_no_escape_stays_and_is_counted() {
        assert_eq!(decoded(&[b"1=2 =ZZ =A"]), ("1=2 =ZZ =A".to_owned(), 3));
        assert_eq!(decoded(&[b"a = b"]), ("a = b".to_owned(), 1));
        assert_eq!(decoded(&[b"a\rb \rc"]), ("a\rb \rc".to_owned(), 0), "a CR alone is no line end");
    }

    #[test]
    fn white_space_without_end_is_not_held_without_end() {
        let mut decoder = QuotedPrintable::default();
        let mut out = Vec::new();
        (0..100_000).for_each(|_| decoder.push(b" ", &mut out));
        assert!(decoder.held.len() <= HELD_OCTETS);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(input in "[a-fA-F0-9= \t\r\n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..4)) {
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            places.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for place in places.into_iter().chain([input.len()]) {
                pieces.push(&input.as_bytes()[from..place]);
                from = place;
            }
            prop_assert_eq!(decoded(&pieces), decoded(&[input.as_bytes()]));
        }
    }
}
