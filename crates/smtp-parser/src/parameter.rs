//! Lists of words: the parameters of MAIL and RCPT, and of EHLO's extensions.

use crate::esmtp::Parameter;

/// The ESMTP parameters behind a path, as an iterator over keyword and value.
///
/// RFC 5321 §4.1.2:
/// ```text
/// Mail-parameters  = esmtp-param *(SP esmtp-param)
/// Rcpt-parameters  = esmtp-param *(SP esmtp-param)
/// esmtp-param    = esmtp-keyword ["=" esmtp-value]
/// esmtp-keyword  = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value    = 1*(%d33-60 / %d62-126)
///                ; any CHAR excluding "=", SP, and control
///                ; characters.
/// ```
/// A keyword is whatever stands before the first "=", a value whatever stands behind it, further "=" among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters<'a> {
    words: Words<'a>,
}

impl<'a> Parameters<'a> {
    pub(crate) const fn new(raw: &'a [u8]) -> Self {
        Self { words: Words::new(raw) }
    }

    /// All parameters that are left, as sent.
    pub const fn raw(&self) -> &'a [u8] {
        self.words.raw()
    }

    /// The value of the first parameter named `keyword`, in any case; of one without "=" it is empty.
    pub fn value_of(self, keyword: &str) -> Option<&'a [u8]> {
        let mut parameters = self;
        parameters
            .find(|(name, _)| name.eq_ignore_ascii_case(keyword.as_bytes()))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// What each parameter says, beside its keyword as sent.
    pub fn typed(self) -> impl Iterator<Item = (&'a [u8], Parameter<'a>)> {
        self.map(|(keyword, value)| (keyword, Parameter::parse(keyword, value)))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.words.next().map(name_and_value)
    }
}

/// What stands before and behind the first "="; all of the word where there is none.
pub(crate) fn name_and_value(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    let parts = memchr::memchr(b'=', word).and_then(|at| word.split_at_checked(at));
    parts.map_or((word, None), |(name, value)| (name, value.get(1..)))
}

/// Words between blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Words<'a> {
    raw: &'a [u8],
}

impl<'a> Words<'a> {
    pub(crate) const fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// All words that are left, as sent.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // Values are long: a search is faster here than the look at each octet that does for a verb.
        let rest = trim_start(self.raw);
        let end = memchr::memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.raw = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// A blank within a line: SP, or the HTAB that RFC 5321 does not allow.
pub(crate) const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Splits before the first blank.
pub(crate) fn first_word(octets: &[u8]) -> (&[u8], &[u8]) {
    let end = octets.iter().position(|&octet| is_blank(octet)).unwrap_or(octets.len());
    octets.split_at_checked(end).unwrap_or((octets, &[]))
}

pub(crate) const fn trim_start(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && is_blank(*first)
    {
        octets = rest;
    }
    octets
}

pub(crate) const fn trim_end(mut octets: &[u8]) -> &[u8] {
    while let [rest @ .., last] = octets
        && is_blank(*last)
    {
        octets = rest;
    }
    octets
}

pub(crate) const fn trim(octets: &[u8]) -> &[u8] {
    trim_end(trim_start(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The MAIL command of RFC 3461 §9.1, and RFC 4954 §5's `AUTH=<>`.
    #[test]
    fn keywords_with_and_without_values() {
        let parameters = Parameters::new(b"RET=HDRS ENVID=QQ314159 SMTPUTF8 AUTH=<> ORCPT=rfc822;a+3Db@c=d");
        let pairs: Vec<_> = parameters.collect();
        assert_eq!(
            pairs,
            [
                (&b"RET"[..], Some(&b"HDRS"[..])),
                (b"ENVID", Some(b"QQ314159")),
                (b"SMTPUTF8", None),
                (b"AUTH", Some(b"<>")),
                (b"ORCPT", Some(b"rfc822;a+3Db@c=d")),
            ]
        );
        assert_eq!(parameters.value_of("envid"), Some(&b"QQ314159"[..]));
        assert_eq!(parameters.value_of("SMTPUTF8"), Some(&b""[..]));
        assert_eq!(parameters.value_of("SIZE"), None);
    }

    #[test]
    fn any_run_of_blanks_separates() {
        assert_eq!(Words::new(b"  a \t b ").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(Words::new(b" \t").next(), None);
    }
}
