//! The service extensions of an EHLO reply.

use crate::parameter::{Words, trim_start};

/// One line of an EHLO reply behind the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// As sent: `SIZE`, `8BITMIME`, `XXXXXXXA` behind a firewall.
    pub keyword: &'a [u8],
    /// The words behind it.
    pub parameters: Words<'a>,
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
        let parameters = Words::new(rest.strip_prefix(b"=").unwrap_or(rest));
        (!keyword.is_empty()).then_some(Self { keyword, parameters })
    }

    /// Whether this is the extension `keyword`, in any case.
    pub const fn is(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword.as_bytes())
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
