//! The replies of a server: a line of one, and the whole.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::one_of;
use nom::combinator::{all_consuming, eof, map_opt, peek, rest};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use crate::deviation::Deviations;
use crate::extension::{Extensions, extensions};

/// One complete reply, its lines folded into one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The code; that of the last line where they differ.
    pub code: ReplyCode,
    /// The first enhanced status code that a line begins with.
    pub enhanced: Option<EnhancedCode>,
    /// What stands behind the code and its separator, the lines joined by LF. An enhanced code is part of it.
    pub text: &'a [u8],
    /// How many lines the server sent, those dropped for length included.
    pub lines: usize,
    /// Octets on the wire, line ends included.
    pub octets: u64,
    /// How the reply departs from the grammar.
    pub deviations: Deviations,
}

impl<'a> Reply<'a> {
    /// The text of each line.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.text.split(|&octet| octet == b'\n')
    }

    /// The extensions, where this is the positive reply to EHLO or LHLO.
    pub fn extensions(&self) -> Extensions<'a> {
        extensions(self.text)
    }
}

/// A reply code, three digits.
///
/// RFC 5321 §4.2:
/// ```text
/// Reply-code     = %x32-35 %x30-35 %x30-39
/// ```
/// Any three digits are taken; [`Deviation::CodeOutOfRange`](crate::Deviation::CodeOutOfRange) marks the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

/// What the first digit of a code says (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReplyClass {
    /// 2yz: the requested action is complete.
    PositiveCompletion,
    /// 3yz: the server waits for more.
    PositiveIntermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: not at all.
    PermanentNegative,
    /// Any other first digit.
    Other,
}

impl ReplyCode {
    /// The code `code`, which has at most three digits.
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 999 { Some(Self(code)) } else { None }
    }

    /// The code as a number, 0 to 999.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// What its first digit says.
    pub const fn class(self) -> ReplyClass {
        match self.0 / 100 {
            2 => ReplyClass::PositiveCompletion,
            3 => ReplyClass::PositiveIntermediate,
            4 => ReplyClass::TransientNegative,
            5 => ReplyClass::PermanentNegative,
            _ => ReplyClass::Other,
        }
    }

    pub(crate) const fn is_in_range(self) -> bool {
        matches!(self.0 / 100, 2..=5) && self.0 / 10 % 10 <= 5
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// An enhanced mail system status code (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// The code that `text` begins with.
    ///
    /// RFC 2034 §4 puts it before the text of a reply, followed by a blank. RFC 3463 §2:
    /// ```text
    /// status-code = class "." subject "." detail
    /// class = "2"/"4"/"5"
    /// subject = 1*3digit
    /// detail = 1*3digit
    /// ```
    pub fn parse(text: &[u8]) -> Option<Self> {
        let end = peek(alt((tag(" "), tag("\t"), eof)));
        let code: IResult<&[u8], Self> = terminated(status_code, end).parse(text);
        code.ok().map(|(_, code)| code)
    }

    pub(crate) const fn agrees_with(self, code: ReplyCode) -> bool {
        // Not `as`: a class is 2, 4 or 5.
        match self.class {
            2 => code.0 / 100 == 2,
            4 => code.0 / 100 == 4,
            _ => code.0 / 100 == 5,
        }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, subject, detail } = self;
        write!(f, "{class}.{subject}.{detail}")
    }
}

/// Why a line is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// It does not begin with three digits.
    #[error("wanted three digits, got {digits}")]
    Code {
        /// How many digits it begins with.
        digits: usize,
    },
    /// Three digits, and then something that neither separates nor ends.
    #[error("wanted a blank, a hyphen or the end of the line behind the code, got octet {got:#04x}")]
    Separator {
        /// What stands there.
        got: u8,
    },
}

/// One line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyLine<'a> {
    pub(crate) code: ReplyCode,
    /// Whether more lines follow.
    pub(crate) more: bool,
    pub(crate) text: &'a [u8],
}

/// RFC 5321 §4.2:
/// ```text
/// Reply-line     = *( Reply-code "-" [ textstring ] CRLF )
///                  Reply-code [ SP textstring ] CRLF
/// ```
pub(crate) fn reply_line(line: &[u8]) -> Result<ReplyLine<'_>, ReplyError> {
    all_consuming(parsed_reply_line).parse(line).map(|(_, parsed)| parsed).map_err(|_| reply_error(line))
}

fn parsed_reply_line(input: &[u8]) -> IResult<&[u8], ReplyLine<'_>> {
    let line = (reply_code, separator, rest);
    line.map(|(code, separator, text)| ReplyLine { code, more: separator == Some('-'), text }).parse(input)
}

fn reply_code(input: &[u8]) -> IResult<&[u8], ReplyCode> {
    map_opt(take_while_m_n(3, 3, |octet: u8| octet.is_ascii_digit()), |digits| number(digits).map(ReplyCode))
        .parse(input)
}

fn separator(input: &[u8]) -> IResult<&[u8], Option<char>> {
    alt((one_of(" -").map(Some), eof.map(|_| None))).parse(input)
}

fn status_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    let class = map_opt(one_of("245"), |class| class.to_digit(10).and_then(|class| u8::try_from(class).ok()));
    let part = |input| {
        preceded(tag("."), map_opt(take_while_m_n(1, 3, |octet: u8| octet.is_ascii_digit()), number)).parse(input)
    };
    (class, part, part).map(|(class, subject, detail)| EnhancedCode { class, subject, detail }).parse(input)
}

/// The value of at most three digits.
fn number(digits: &[u8]) -> Option<u16> {
    digits
        .iter()
        .try_fold(0_u16, |value, digit| value.checked_mul(10)?.checked_add(u16::from(digit.checked_sub(b'0')?)))
}

fn reply_error(line: &[u8]) -> ReplyError {
    let digits = line.iter().take_while(|octet| octet.is_ascii_digit()).take(3).count();
    match line.get(3) {
        Some(&got) if digits == 3 => ReplyError::Separator { got },
        _ => ReplyError::Code { digits },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(line: &[u8], code: u16, more: bool, text: &[u8]) {
        assert_eq!(reply_line(line), Ok(ReplyLine { code: ReplyCode(code), more, text }));
    }

    #[test]
    fn server_lines_of_rfc_5321_appendix_d_and_section_4_2() {
        reads(
            b"220 foo.com Simple Mail Transfer Service Ready",
            220,
            false,
            b"foo.com Simple Mail Transfer Service Ready",
        );
        reads(b"250-foo.com greets bar.com", 250, true, b"foo.com greets bar.com");
        reads(b"250 HELP", 250, false, b"HELP");
        reads(b"550 No such user here", 550, false, b"No such user here");
        reads(b"354 Start mail input; end with <CRLF>.<CRLF>", 354, false, b"Start mail input; end with <CRLF>.<CRLF>");
        // §4.2.1: a reply of several lines whose text begins with digits.
        reads(b"250-234 Text beginning with numbers", 250, true, b"234 Text beginning with numbers");
    }

    /// §4.2: in `Reply-line` the text is optional behind the code and behind the hyphen.
    #[test]
    fn codes_without_text() {
        reads(b"250", 250, false, b"");
        reads(b"250 ", 250, false, b"");
        reads(b"250-", 250, true, b"");
    }

    #[test]
    fn any_three_digits_are_a_code() {
        reads(b"099 x", 99, false, b"x");
        assert_eq!(ReplyCode(99).to_string(), "099");
        assert!(!ReplyCode(99).is_in_range() && !ReplyCode(260).is_in_range() && !ReplyCode(600).is_in_range());
        assert!(ReplyCode(559).is_in_range() && ReplyCode(200).is_in_range());
        assert_eq!(ReplyCode::new(1000), None);
    }

    #[test]
    fn classes_of_section_4_2_1() {
        let class = |code| ReplyCode(code).class();
        assert_eq!(class(250), ReplyClass::PositiveCompletion);
        assert_eq!(class(354), ReplyClass::PositiveIntermediate);
        assert_eq!(class(450), ReplyClass::TransientNegative);
        assert_eq!(class(550), ReplyClass::PermanentNegative);
        assert_eq!(class(150), ReplyClass::Other);
    }

    #[test]
    fn what_is_no_reply_says_why() {
        assert_eq!(reply_line(b""), Err(ReplyError::Code { digits: 0 }));
        assert_eq!(reply_line(b"25"), Err(ReplyError::Code { digits: 2 }));
        assert_eq!(reply_line(b"2x0 ok"), Err(ReplyError::Code { digits: 1 }));
        assert_eq!(reply_line(b"2500 ok"), Err(ReplyError::Separator { got: b'0' }));
        assert_eq!(reply_line(b"250:ok"), Err(ReplyError::Separator { got: b':' }));
    }

    /// RFC 2034 §5's example and RFC 3463 §2.
    #[test]
    fn enhanced_codes() {
        let shown = |text: &[u8]| EnhancedCode::parse(text).map(|code| code.to_string());
        assert_eq!(shown(b"5.1.1 Mailbox \"nosuchuser\" does not exist").as_deref(), Some("5.1.1"));
        assert_eq!(shown(b"2.0.0").as_deref(), Some("2.0.0"));
        assert_eq!(shown(b"4.999.999 x").as_deref(), Some("4.999.999"));
        for text in [&b"3.1.1 x"[..], b"5.1 x", b"5.1.1000 x", b"5.1.1: x", b"5.1.1.1 x", b"2.2.2.2", b""] {
            assert_eq!(EnhancedCode::parse(text), None);
        }
    }
}
