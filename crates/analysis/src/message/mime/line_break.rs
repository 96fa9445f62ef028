//! The line break that may belong to the delimiter line behind it.
//!
//! > The boundary delimiter MUST occur at the beginning of a line, i.e., following a CRLF, and the initial CRLF is
//! > considered to be attached to the boundary delimiter line rather than part of the preceding part (RFC 2046 §5.1.1).

/// Passes octets on, but for the last line break, which waits until something follows. Bare LF is one, too: real mail has it.
#[derive(Debug, Clone, Default)]
pub(super) struct LineBreak {
    /// What waits: nothing, CR, LF or CRLF.
    held: &'static [u8],
}

impl LineBreak {
    /// Takes the next octets and gives what certainly belongs to the body.
    pub(super) fn push(&mut self, octets: &[u8], mut body: impl FnMut(&[u8])) {
        if self.held == b"\r" && octets == b"\n" {
            self.held = b"\r\n";
            return;
        }
        if octets.is_empty() {
            return;
        }
        if !self.held.is_empty() {
            body(self.held);
        }
        self.held = at_the_end(octets);
        let before = octets.get(..octets.len() - self.held.len()).unwrap_or_default();
        if !before.is_empty() {
            body(before);
        }
    }

    /// What waits still.
    pub(super) fn into_octets(self) -> &'static [u8] {
        self.held
    }
}

fn at_the_end(octets: &[u8]) -> &'static [u8] {
    match octets {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        [.., b'\r'] => b"\r",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passed(pieces: &[&[u8]]) -> (Vec<u8>, &'static [u8]) {
        let (mut last, mut out) = (LineBreak::default(), Vec::new());
        pieces.iter().for_each(|piece| last.push(piece, |octets| out.extend_from_slice(octets)));
        (out, last.into_octets())
    }

    #[test]
    fn the_last_line_break_waits() {
        assert_eq!(passed(&[b"a\r\n\r\n"]), (b"a\r\n".to_vec(), b"\r\n".as_slice()));
        assert_eq!(passed(&[b"a\r", b"\n"]), (b"a".to_vec(), b"\r\n".as_slice()));
        assert_eq!(passed(&[b"a\r", b"\nb"]), (b"a\r\nb".to_vec(), b"".as_slice()));
        assert_eq!(passed(&[b"\n"]), (Vec::new(), b"\n".as_slice()));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(input in "[a\r\n]{0,12}", cut in 0usize..12, other in 0usize..12) {
            let octets = input.as_bytes();
            let (a, b) = (cut.min(other).min(octets.len()), cut.max(other).min(octets.len()));
            prop_assert_eq!(passed(&[&octets[..a], &octets[a..b], &octets[b..]]), passed(&[octets]));
        }
    }
}
