//! The fields of a header, as octets (RFC 5322 §2.2).
//!
//! ```text
//!   Subject: a long \r\n      name ":" body CRLF
//!   ␠ line\r\n                a line that begins with a blank belongs to the field above it
//!   \r\n                      an empty line ends the header
//! ```
//!
//! A line that is neither a field nor the continuation of one ends the header, too: Postfix, Exim and Sendmail make
//! it the first line of the body, and Python's parser reads it so. A separator of mailbox files ("From " before the first
//! field) is passed over, as they all do.

/// A field as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawField<'a> {
    /// Without the colon and the blanks before it, which RFC 5322 §4.5 lets old mail have.
    pub(super) name: &'a [u8],
    /// What follows the colon, folds included, without the line end.
    pub(super) body: &'a [u8],
}

/// The fields of a header, in order.
#[derive(Debug, Clone)]
pub(super) struct RawFields<'a> {
    rest: &'a [u8],
    found_any: bool,
    has_end: bool,
}

impl<'a> RawFields<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, found_any: false, has_end: false }
    }

    /// Whether the line that ends the header was met.
    pub(super) fn has_end(&self) -> bool {
        self.has_end
    }

    /// Takes the next line and those that continue it.
    fn folded_line(&mut self) -> &'a [u8] {
        let end = memchr::memchr_iter(b'\n', self.rest)
            .map(|at| at + 1)
            .find(|&end| !matches!(self.rest.get(end), Some(b' ' | b'\t')))
            .unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        line
    }
}

impl<'a> Iterator for RawFields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        loop {
            let line = self.folded_line();
            if line.is_empty() {
                return None;
            }
            if let Some(field) = field_of(line) {
                self.found_any = true;
                return Some(field);
            }
            let is_passed_over = line.starts_with(b" ")
                || line.starts_with(b"\t")
                || line.starts_with(b"From ")
                || line.starts_with(b">From ");
            if !is_passed_over || self.found_any {
                // The beginning of a line that is not all there may be that of a field.
                self.has_end = line.contains(&b'\n');
                self.rest = &[];
                return None;
            }
        }
    }
}

/// > field = field-name ":" field-body CRLF; field-name = 1*ftext; ftext = %d33-57 / %d59-126
fn field_of(line: &[u8]) -> Option<RawField<'_>> {
    let (name, body) = line.split_at_checked(memchr::memchr2(b':', b'\n', line)?)?;
    let body = body.strip_prefix(b":")?;
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(|octet| octet.is_ascii_graphic());
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    is_name.then_some(RawField { name, body: body.strip_suffix(b"\r").unwrap_or(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(octets: &[u8]) -> (Vec<(String, String)>, bool) {
        let mut fields = RawFields::new(octets);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let all = fields.by_ref().map(|field| (text(field.name), text(field.body))).collect();
        (all, fields.has_end())
    }

    fn pair(name: &str, body: &str) -> (String, String) {
        (name.to_owned(), body.to_owned())
    }

    #[test]
    fn fields_end_at_the_empty_line_and_folds_belong_to_them() {
        let (all, has_end) = fields(b"A: one\r\n two\r\nB:\r\nC:three\r\n\r\nD: no\r\n");
        assert_eq!(all, [pair("A", " one\r\n two"), pair("B", ""), pair("C", "three")]);
        assert!(has_end);
        assert_eq!(fields(b"A: one\n\ttwo\nB: x\n\nD: no\n").0, [pair("A", " one\n\ttwo"), pair("B", " x")], "bare LF");
    }

    /// RFC 5322 §4.2 and appendix A.6.3: a line of blanks alone continues a field.
    #[test]
    fn a_line_of_blanks_is_no_empty_line() {
        let (all, _) = fields(b"To  : Mary Smith\r\n  \r\n          <mary@example.net>\r\nB: x\r\n\r\n");
        assert_eq!(all, [pair("To", " Mary Smith\r\n  \r\n          <mary@example.net>"), pair("B", " x")]);
    }

    #[test]
    fn a_line_without_colon_ends_the_header() {
        let (all, has_end) = fields(b"A: one\r\nthis is text\r\nB: two\r\n\r\n");
        assert_eq!((all, has_end), (vec![pair("A", " one")], true));
        let (all, has_end) = fields(b"A: one\r\nsee below: text\r\n\r\n");
        assert_eq!((all, has_end), (vec![pair("A", " one")], true), "a name has no blanks in it");
        assert_eq!(fields(b"Hello\r\n\r\nA: one\r\n"), (Vec::new(), true));
        assert_eq!(fields(b"\r\nA: one\r\n"), (Vec::new(), true));
    }

    #[test]
    fn a_separator_of_mailboxes_and_blanks_before_the_first_field_are_passed_over() {
        let separator = b"From alice@example.org Mon Jan  1 10:00:00 2024\r\nA: one\r\n\r\n";
        assert_eq!(fields(separator).0, [pair("A", " one")]);
        assert_eq!(fields(b">From alice Mon\n junk\nA: one\n\n").0, [pair("A", " one")]);
        assert_eq!(fields(b" junk\r\nA: one\r\n\r\n").0, [pair("A", " one")]);
    }

    #[test]
    fn a_header_that_is_cut_has_no_end() {
        assert_eq!(fields(b"A: one\r\nB: tw"), (vec![pair("A", " one"), pair("B", " tw")], false));
        assert_eq!(fields(b"A: one\r\nSubj"), (vec![pair("A", " one")], false));
        assert_eq!(fields(b"A: one\r\n"), (vec![pair("A", " one")], false));
    }
}
