//! The service extensions of an EHLO reply.

use crate::esmtp::is_date_time;
use crate::number::decimal;
use crate::parameter::{Words, name_and_value, trim_start};

/// One line of an EHLO reply behind the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// As sent: `SIZE`, `8BITMIME`, `XXXXXXXA` behind a firewall.
    pub keyword: &'a [u8],
    /// The words behind it.
    pub parameters: Words<'a>,
    /// Whether an "=" stands between the two, as in `AUTH=LOGIN`.
    pub has_equals_sign: bool,
}

/// What the parameters of an extension say, for those that a standard gives a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionValue<'a> {
    /// SIZE (RFC 1870): octets of the largest message; 0 for no fixed maximum, `None` where the server does not say.
    Size(Option<u64>),
    /// AUTH (RFC 4954 §3): the SASL mechanisms.
    Auth(Words<'a>),
    /// LIMITS (RFC 9422).
    Limits(Limits<'a>),
    /// DELIVERBY (RFC 2852): the smallest number of seconds the server takes, where it says so.
    DeliverBy(Option<u64>),
    /// FUTURERELEASE (RFC 4865): the longest HOLDFOR and the latest HOLDUNTIL.
    FutureRelease {
        /// Seconds.
        interval: u64,
        /// A date and time of RFC 3339, as sent.
        date_time: &'a [u8],
    },
    /// MT-PRIORITY (RFC 6710): the name of a profile, where the server says one.
    MtPriority(Option<&'a [u8]>),
    /// Any other, or one that has no parameters by its standard.
    Other,
    /// One whose parameters its standard does not allow.
    Invalid,
}

/// The limits of a server, as an iterator over name and value.
///
/// RFC 9422: pairs of name and value, joined by "=" and separated by blanks; a name may stand without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits<'a> {
    words: Words<'a>,
}

impl<'a> Limits<'a> {
    /// The number that limits `name`, in any case: `MAILMAX`, `RCPTMAX` and `RCPTDOMAINMAX` have one (RFC 9422), of
    /// one to six digits that does not begin with 0.
    pub fn number(mut self, name: &str) -> Option<u64> {
        let value = self.find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).and_then(|(_, value)| value);
        value.filter(|digits| !digits.starts_with(b"0")).and_then(|digits| decimal(digits, 6))
    }
}

impl<'a> Iterator for Limits<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.words.next().map(name_and_value)
    }
}

impl<'a> Extension<'a> {
    /// RFC 5321 §4.1.1.1:
    /// ```text
    /// ehlo-line    = ehlo-keyword *( SP ehlo-param )
    /// ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
    ///              ; additional syntax of ehlo-params depends on
    ///              ; ehlo-keyword
    /// ehlo-param   = 1*(%d33-126)
    ///              ; any CHAR excluding <SP> and all
    ///              ; control characters (US-ASCII 0-31 and 127
    ///              ; inclusive)
    /// ```
    /// The "=" of servers that say `AUTH=LOGIN` for the clients of the extension's drafts separates like a blank. A
    /// line without a word is no extension.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = trim_start(line);
        let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t' | b'=')).unwrap_or(line.len());
        let (keyword, rest) = line.split_at_checked(end)?;
        let has_equals_sign = rest.starts_with(b"=");
        let parameters = Words::new(rest.strip_prefix(b"=").unwrap_or(rest));
        (!keyword.is_empty()).then_some(Self { keyword, parameters, has_equals_sign })
    }

    /// Whether this is the extension `keyword`, in any case.
    pub const fn is(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// What the parameters say.
    pub fn value(&self) -> ExtensionValue<'a> {
        let mut words = self.parameters;
        let one = |words: &mut Words<'a>| (words.next(), words.next());
        // A number of at most so many digits, or none at all.
        let number = |words: &mut Words<'a>, most| match one(words) {
            (None, _) => Some(None),
            (Some(digits), None) => decimal(digits, most).map(Some),
            _ => None,
        };
        let value = match () {
            // RFC 1870: size-param ::= [1*DIGIT], where numbers have at most 20 digits.
            () if self.is("SIZE") => number(&mut words, 20).map(ExtensionValue::Size),
            () if self.is("AUTH") => Some(ExtensionValue::Auth(words)),
            () if self.is("LIMITS") => Some(ExtensionValue::Limits(Limits { words })),
            // RFC 2852: deliverby-param = min-by-time, min-by-time = [1*9DIGIT]
            () if self.is("DELIVERBY") => number(&mut words, 9).map(ExtensionValue::DeliverBy),
            () if self.is("FUTURERELEASE") => match (words.next(), words.next(), words.next()) {
                (Some(interval), Some(date_time), None) => decimal(interval, 9)
                    .filter(|_| is_date_time(date_time))
                    .map(|interval| ExtensionValue::FutureRelease { interval, date_time }),
                _ => None,
            },
            () if self.is("MT-PRIORITY") => match one(&mut words) {
                (profile, None) => Some(ExtensionValue::MtPriority(profile)),
                _ => None,
            },
            () => Some(ExtensionValue::Other),
        };
        value.unwrap_or(ExtensionValue::Invalid)
    }
}

/// The extensions in `text`, the text of an EHLO reply as [`Reply::text`](crate::Reply::text) has it, lines separated
/// by LF. The first line is the greeting and none of them.
pub fn extensions(text: &[u8]) -> Extensions<'_> {
    let greeting = memchr::memchr(b'\n', text).and_then(|at| text.get(at..)).unwrap_or_default();
    Extensions { rest: greeting.get(1..).unwrap_or_default() }
}

/// An iterator over [`Extension`]s.
#[derive(Debug, Clone, Copy)]
pub struct Extensions<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest.get(1..).unwrap_or_default();
            if let Some(extension) = Extension::parse(line) {
                return Some(extension);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(text: &[u8]) -> Vec<(String, Vec<String>)> {
        let string = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        extensions(text).map(|one| (string(one.keyword), one.parameters.map(string).collect())).collect()
    }

    /// RFC 5321 appendix D.1 and RFC 4954 §4.1, their replies to EHLO.
    #[test]
    fn the_first_line_is_a_greeting() {
        let of = |keyword: &str, parameters: &[&str]| {
            (keyword.to_owned(), parameters.iter().map(|&parameter| parameter.to_owned()).collect())
        };
        assert_eq!(
            keywords(b"foo.com greets bar.com\n8BITMIME\nSIZE\nDSN\nHELP"),
            [of("8BITMIME", &[]), of("SIZE", &[]), of("DSN", &[]), of("HELP", &[])]
        );
        assert_eq!(
            keywords(b"smtp.example.com Hello client.example.com\nAUTH GSSAPI DIGEST-MD5\nENHANCEDSTATUSCODES"),
            [of("AUTH", &["GSSAPI", "DIGEST-MD5"]), of("ENHANCEDSTATUSCODES", &[])]
        );
    }

    fn value(line: &str) -> ExtensionValue<'_> {
        Extension::parse(line.as_bytes()).unwrap().value()
    }

    /// RFC 1870: without a parameter "no information is conveyed about the server's fixed maximum message size"; 0
    /// "indicates that no fixed maximum message size is in force".
    #[test]
    fn size_with_and_without_a_number() {
        assert_eq!(value("SIZE"), ExtensionValue::Size(None));
        assert_eq!(value("SIZE 0"), ExtensionValue::Size(Some(0)));
        assert_eq!(value("size 35882577"), ExtensionValue::Size(Some(35_882_577)));
        assert_eq!(value("SIZE=35882577"), ExtensionValue::Size(Some(35_882_577)));
        for line in ["SIZE 10MB", "SIZE 1 2", "SIZE -1"] {
            assert_eq!(value(line), ExtensionValue::Invalid, "{line}");
        }
    }

    /// RFC 9422: names and values, in any order.
    #[test]
    fn limits_are_names_and_values() {
        let ExtensionValue::Limits(limits) = value("LIMITS RCPTMAX=20 MAILMAX=5 X-OPEN RCPTDOMAINMAX=01") else {
            panic!()
        };
        let pairs: Vec<_> = limits.collect();
        assert_eq!(pairs[..2], [(&b"RCPTMAX"[..], Some(&b"20"[..])), (b"MAILMAX", Some(b"5"))]);
        assert_eq!(pairs[2], (&b"X-OPEN"[..], None));
        assert_eq!((limits.number("rcptmax"), limits.number("MAILMAX")), (Some(20), Some(5)));
        assert_eq!((limits.number("X-OPEN"), limits.number("RCPTDOMAINMAX"), limits.number("X")), (None, None, None));
        // RFC 9422 §4: from 1 on, of six digits at most.
        for (line, number) in [("999999", Some(999_999)), ("1000000", None), ("0", None), ("", None), ("1k", None)] {
            let line = format!("LIMITS MAILMAX={line}");
            let ExtensionValue::Limits(limits) = value(&line) else { panic!() };
            assert_eq!(limits.number("MAILMAX"), number, "{line}");
        }
    }

    /// RFC 4954 §4.1, and the form of the drafts before RFC 2554 that Exchange and others still send.
    #[test]
    fn auth_in_both_forms() {
        for (line, has_equals_sign) in [("AUTH LOGIN PLAIN", false), ("AUTH=LOGIN PLAIN", true)] {
            let extension = Extension::parse(line.as_bytes()).unwrap();
            let ExtensionValue::Auth(mechanisms) = extension.value() else { panic!() };
            assert_eq!(mechanisms.collect::<Vec<_>>(), [&b"LOGIN"[..], b"PLAIN"]);
            assert_eq!(extension.has_equals_sign, has_equals_sign);
        }
    }

    /// RFC 2852, RFC 4865, RFC 6710.
    #[test]
    fn what_others_say_of_themselves() {
        assert_eq!(value("DELIVERBY"), ExtensionValue::DeliverBy(None));
        assert_eq!(value("DELIVERBY 240"), ExtensionValue::DeliverBy(Some(240)));
        for line in ["DELIVERBY soon", "DELIVERBY 1234567890", "DELIVERBY 1 2", "DELIVERBY -1", "MT-PRIORITY MIXER X"] {
            assert_eq!(value(line), ExtensionValue::Invalid, "{line}");
        }
        let release = ExtensionValue::FutureRelease { interval: 864_000, date_time: b"2007-05-31T00:00:00Z" };
        assert_eq!(value("FUTURERELEASE 864000 2007-05-31T00:00:00Z"), release);
        assert_eq!(value("FUTURERELEASE"), ExtensionValue::Invalid);
        assert_eq!(value("FUTURERELEASE 864000 soon"), ExtensionValue::Invalid);
        assert_eq!(value("MT-PRIORITY"), ExtensionValue::MtPriority(None));
        assert_eq!(value("MT-PRIORITY MIXER"), ExtensionValue::MtPriority(Some(b"MIXER")));
        assert_eq!(value("8BITMIME"), ExtensionValue::Other);
    }

    #[test]
    fn the_equals_sign_of_old_servers_separates() {
        let [(keyword, parameters)] = &keywords(b"x\nAUTH=LOGIN PLAIN")[..] else { panic!() };
        assert_eq!((keyword.as_str(), &parameters[..]), ("AUTH", &["LOGIN".to_owned(), "PLAIN".to_owned()][..]));
    }

    #[test]
    fn one_line_and_empty_lines_offer_nothing() {
        assert_eq!(keywords(b"foo.com"), []);
        assert_eq!(keywords(b"foo.com\n\n  \n"), []);
        assert!(Extension::parse(b"starttls").unwrap().is("STARTTLS"));
    }
}
