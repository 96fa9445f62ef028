//! What structured fields are made of (RFC 5322 §3.2): blanks, comments and quoted strings, in octets that may hold folds.
//!
//! ```text
//!   Pete(A nice \) chap) <pete(his account)@silly.test(his host)>
//!   word comment         …    comment                  comment
//! ```

use std::borrow::Cow;

/// Goes through the body of a field.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
    /// How often something was opened and nothing closed it. Each such look goes to the end, so they are limited.
    unclosed: u8,
}

/// Quotation marks and parentheses that nothing closes, before no further ones are looked at.
const UNCLOSED: u8 = 16;

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0, unclosed: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(super) fn between(&self, from: usize, to: usize) -> &'a [u8] {
        self.octets.get(from..to).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(super) fn skip(&mut self, octets: usize) {
        self.at = self.octets.len().min(self.at + octets);
    }

    /// Passes over this octet, if it is the next one.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next octets, as long as they are such.
    pub(super) fn take_while(&mut self, mut is_such: impl FnMut(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&octet| !is_such(octet)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    /// Passes over blanks and folds; whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        !self.take_while(is_blank).is_empty()
    }

    /// Passes over blanks, folds and comments; whether there were any.
    ///
    /// > CFWS = (1*([FWS] comment) [FWS]) / FWS
    pub(super) fn skip_cfws(&mut self) -> bool {
        let from = self.at;
        loop {
            self.skip_blanks();
            if self.comment().is_none() {
                return self.at > from;
            }
        }
    }

    /// What stands in the comment that begins here; comments nest.
    ///
    /// > comment = "(" *([FWS] ccontent) [FWS] ")"
    pub(super) fn comment(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'(') || self.unclosed >= UNCLOSED {
            return None;
        }
        let (mut depth, mut is_escaped) = (0_usize, false);
        let end = self.rest().iter().position(|&octet| {
            match octet {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        self.closed(end)
    }

    /// What stands in the quoted string that begins here, as it is written.
    ///
    /// > quoted-string = [CFWS] DQUOTE *([FWS] qcontent) [FWS] DQUOTE [CFWS]
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') || self.unclosed >= UNCLOSED {
            return None;
        }
        let mut is_escaped = false;
        let end = self.rest().iter().skip(1).position(|&octet| {
            let is_end = octet == b'"' && !is_escaped;
            is_escaped = octet == b'\\' && !is_escaped;
            is_end
        });
        self.closed(end.map(|end| end + 1))
    }

    /// What stands between the octet here and the one that closes it, which is so far away.
    fn closed(&mut self, end: Option<usize>) -> Option<&'a [u8]> {
        let Some(end) = end else {
            self.unclosed += 1;
            return None;
        };
        let inside = self.rest().get(1..end);
        self.at += end + 1;
        inside
    }
}

/// Octets as text: what is not UTF-8 becomes U+FFFD. Nearly all of them are, and to see that is faster than to look for what
/// has to be replaced.
pub(super) fn text(octets: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(octets).map_or_else(|_| String::from_utf8_lossy(octets), Cow::Borrowed)
}

/// White space, and the line ends of folds.
pub(super) fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// What a quoted string or a comment says.
///
/// > quoted-pair = ("\" (VCHAR / WSP)) / obs-qp (RFC 5322 §3.2.1); the "\" is invisible, and so are the line ends of folds.
pub(super) fn unescaped(inside: &[u8]) -> Cow<'_, str> {
    if !inside.iter().any(|octet| matches!(octet, b'\\' | b'\n')) {
        return text(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut octets = inside.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\n' => {}
            b'\r' if octets.peek() == Some(&b'\n') => {}
            b'\\' => out.extend(octets.next()),
            _ => out.push(octet),
        }
    }
    text(&out).into_owned().into()
}

/// The octets as text, without any blanks that stand in them.
pub(super) fn without_blanks(octets: &[u8]) -> Cow<'_, str> {
    let octets = octets.trim_ascii();
    if !octets.iter().copied().any(is_blank) {
        return text(octets);
    }
    let dense: Vec<u8> = octets.iter().copied().filter(|&octet| !is_blank(octet)).collect();
    text(&dense).into_owned().into()
}

/// The octets as text, without blanks and comments outside quoted strings.
pub(super) fn without_cfws(octets: &[u8]) -> Cow<'_, str> {
    let mut cursor = Cursor::new(octets);
    let mut dense = Vec::with_capacity(octets.len());
    loop {
        cursor.skip_cfws();
        let from = cursor.at();
        if cursor.peek().is_none() {
            return text(&dense).into_owned().into();
        }
        if cursor.quoted().is_none() {
            cursor.skip(1);
        }
        dense.extend_from_slice(cursor.between(from, cursor.at()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5322 §3.2.2: comments nest, and a quoted pair in them closes nothing (appendix A.5).
    #[test]
    fn comments_nest_and_quoted_pairs_close_nothing() {
        let mut cursor = Cursor::new(b"(nobody(that I know))(A nice \\) chap) x");
        assert_eq!(cursor.comment(), Some(b"nobody(that I know)".as_slice()));
        let chap = cursor.comment().expect("a comment");
        assert_eq!(unescaped(chap), "A nice ) chap");
        assert!(cursor.skip_cfws());
        assert_eq!(cursor.rest(), b"x");
    }

    /// RFC 5322 appendix A.1.2.
    #[test]
    fn quoted_pairs_in_quoted_strings_are_what_they_stand_for() {
        let mut cursor = Cursor::new(b"\"Giant; \\\"Big\\\" Box\" <x>");
        assert_eq!(unescaped(cursor.quoted().expect("a quoted string")), "Giant; \"Big\" Box");
        assert_eq!(cursor.rest(), b" <x>");
    }

    #[test]
    fn what_nothing_closes_is_no_comment_and_no_quoted_string() {
        for octets in [b"(never".as_slice(), b"\"never", b"\"\\\"", b"((a)"] {
            let mut cursor = Cursor::new(octets);
            assert_eq!((cursor.comment(), cursor.quoted(), cursor.at()), (None, None, 0));
        }
    }

    /// A megabyte of opening octets is looked through a few times, not half a million times.
    #[test]
    fn what_opens_and_never_closes_is_not_looked_for_again_and_again() {
        let octets = b"(".repeat(1 << 20);
        let mut cursor = Cursor::new(&octets);
        let mut passed = 0;
        while cursor.peek().is_some() {
            assert_eq!(cursor.comment(), None);
            cursor.skip(1);
            passed += 1;
        }
        assert_eq!((passed, cursor.unclosed), (1 << 20, UNCLOSED));
    }

    /// RFC 5322 appendix A.6.3.
    #[test]
    fn blanks_and_comments_within_are_left_out() {
        assert_eq!(without_cfws(b"1234   @   local(blah)  .machine .example"), "1234@local.machine.example");
        assert_eq!(without_cfws(b"\"a (b)\" @ c"), "\"a (b)\"@c");
    }

    #[test]
    fn blanks_within_are_left_out() {
        assert_eq!(without_blanks(b" mailto:a@\r\n b.example "), "mailto:a@b.example");
        assert!(matches!(without_blanks(b" plain "), Cow::Borrowed("plain")));
    }
}
