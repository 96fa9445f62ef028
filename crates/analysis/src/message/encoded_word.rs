//! Text of header fields: unfolded (RFC 5322 §2.2.3), encoded words decoded (RFC 2047, language tags of RFC 2231 §5), raw
//! 8-bit taken for UTF-8 (RFC 6532).
//!
//! ```text
//!   =?ISO-8859-1*en?Q?a_b?=        charset, perhaps a language, encoding, encoded text
//! ```
//!
//! Encoded words are decoded wherever they stand, also next to other text, with blanks in them or longer than 75 octets: that
//! is how they are sent, and readers show them decoded. A fault in the encoding costs only what it hits; a charset nobody
//! knows is read as UTF-8.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::memmem;

use super::lexical::{is_blank, text};

/// The text of a field's body, lent where nothing has to be changed in it.
pub(super) fn decoded(body: &[u8]) -> Cow<'_, str> {
    let body = body.trim_ascii();
    if memmem::find(body, OPENING).is_some() { decode(body).into() } else { unfolded(body) }
}

/// The same without looking for encoded words.
///
/// > Unfolding is accomplished by simply removing any CRLF that is immediately followed by WSP. (RFC 5322 §2.2.3)
pub(super) fn unfolded(body: &[u8]) -> Cow<'_, str> {
    let body = body.trim_ascii();
    if memchr::memchr(b'\n', body).is_none() {
        return text(body);
    }
    let mut out = String::with_capacity(body.len());
    push_unfolded(&mut out, body);
    out.into()
}

/// Octets of the encoded word that begins here, if one does.
pub(super) fn length(octets: &[u8]) -> Option<usize> {
    EncodedWord::parse(octets).map(|word| word.len)
}

const OPENING: &[u8] = b"=?";

/// Octets of neighbouring words that are put together to find the characters that were split between them.
const JOINED_OCTETS: usize = 4096;

/// > encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
#[derive(Debug, Clone, Copy)]
struct EncodedWord<'a> {
    charset: &'a [u8],
    is_base64: bool,
    text: &'a [u8],
    len: usize,
}

impl<'a> EncodedWord<'a> {
    fn parse(octets: &'a [u8]) -> Option<Self> {
        let rest = octets.strip_prefix(OPENING)?;
        let (charset, rest) =
            rest.split_at_checked(memchr::memchr(b'?', rest.get(..LONGEST_CHARSET).unwrap_or(rest))?)?;
        let (is_base64, rest) = match rest {
            [b'?', b'B' | b'b', b'?', rest @ ..] => (true, rest),
            [b'?', b'Q' | b'q', b'?', rest @ ..] => (false, rest),
            _ => return None,
        };
        if charset.is_empty() || charset.iter().copied().any(is_blank) {
            return None;
        }
        for at in memchr::memchr_iter(b'?', rest) {
            if rest.get(at + 1) == Some(&b'=') {
                let len = octets.len() - rest.len() + at + 2;
                return Some(Self { charset, is_base64, text: rest.get(..at)?, len });
            }
            // Another word begins, so this one never ends.
            if at > 0 && rest.get(at - 1) == Some(&b'=') {
                return None;
            }
        }
        None
    }

    /// > encoded-word := "=?" charset ["*" language] "?" encoded-text "?=" (RFC 2231 §5)
    fn charset(&self) -> &'a [u8] {
        self.charset.split(|&octet| octet == b'*').next().unwrap_or_default()
    }

    fn octets(&self) -> Vec<u8> {
        if self.is_base64 { base64(self.text) } else { quoted(self.text) }
    }
}

/// The longest name in the registry of charsets has 45 octets; a language may follow.
const LONGEST_CHARSET: usize = 80;

/// Encoded words in a row.
#[derive(Debug)]
struct Run<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
    text: String,
}

impl<'a> Run<'a> {
    fn new(word: &EncodedWord<'a>) -> Self {
        let (charset, octets) = (word.charset(), word.octets());
        Self { charset, text: converted(charset, &octets), octets }
    }

    /// Takes another word, if the last one ended within a character that this one may complete. RFC 2047 §5 forbids to split
    /// characters, and many do.
    fn join(&mut self, word: &EncodedWord<'a>) -> bool {
        let may_join = self.text.ends_with(char::REPLACEMENT_CHARACTER)
            && self.charset.eq_ignore_ascii_case(word.charset())
            && self.octets.len() <= JOINED_OCTETS;
        if may_join {
            self.octets.extend(word.octets());
            self.text = converted(self.charset, &self.octets);
        }
        may_join
    }
}

/// > When displaying a particular header field that contains multiple 'encoded-word's, any 'linear-white-space' that
/// > separates a pair of adjacent 'encoded-word's is ignored. (RFC 2047 §6.2)
fn decode(body: &[u8]) -> String {
    let mut out = String::with_capacity(body.len());
    let mut run: Option<Run<'_>> = None;
    // Up to here all is in `out` or in `run`; up to there no word begins.
    let (mut done, mut looked_at) = (0, 0);
    while let Some(start) = memmem::find(body.get(looked_at..).unwrap_or_default(), OPENING).map(|at| looked_at + at) {
        let Some(word) = body.get(start..).and_then(EncodedWord::parse) else {
            looked_at = start + 1;
            continue;
        };
        let between = body.get(done..start).unwrap_or_default();
        match &mut run {
            Some(run) if between.iter().copied().all(is_blank) => {
                if !run.join(&word) {
                    out.push_str(&std::mem::replace(run, Run::new(&word)).text);
                }
            }
            _ => {
                out.extend(run.replace(Run::new(&word)).map(|run| run.text));
                // The text before the word, which stands behind the words before that.
                push_unfolded(&mut out, between);
            }
        }
        done = start + word.len;
        looked_at = done;
    }
    out.extend(run.map(|run| run.text));
    push_unfolded(&mut out, body.get(done..).unwrap_or_default());
    out
}

fn push_unfolded(out: &mut String, octets: &[u8]) {
    let mut lines = octets.split(|&octet| octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        let line = if lines.peek().is_some() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        out.push_str(&text(line));
    }
}

fn converted(charset: &[u8], octets: &[u8]) -> String {
    match charset_decoder(charset) {
        Some(decode) => decode(octets),
        None => text(octets).into_owned(),
    }
}

/// The "B" encoding. What is not of its alphabet is passed over (RFC 2045 §6.8), and padding ends a quantum.
fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for &octet in text {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                held = 0;
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.extend((bits >> held).to_le_bytes().first());
        }
    }
    out
}

/// The "Q" encoding (RFC 2047 §4.2): `=` and two digits, `_` for a space. A `=` without them is one.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [octet, behind @ ..] = rest {
        rest = behind;
        match octet {
            b'_' => out.push(b' '),
            b'\r' | b'\n' => {}
            b'=' => {
                let value = behind.get(..2).and_then(|digits| data_encoding::HEXUPPER_PERMISSIVE.decode(digits).ok());
                match value {
                    Some(value) => {
                        out.extend(value);
                        rest = behind.get(2..).unwrap_or_default();
                    }
                    None => out.push(b'='),
                }
            }
            _ => out.push(*octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(body: &str) -> String {
        decoded(body.as_bytes()).into_owned()
    }

    /// RFC 2047 §8, the table of encoded forms and how they are displayed.
    #[test]
    fn the_table_of_rfc_2047_section_8() {
        let table = [
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ];
        for (encoded, displayed) in table {
            assert_eq!(shown(encoded), displayed, "{encoded}");
        }
    }

    /// RFC 2047 §8, the examples.
    #[test]
    fn the_examples_of_rfc_2047_section_8() {
        assert_eq!(
            shown(
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="
            ),
            "If you can read this you understand the example."
        );
        assert_eq!(
            shown("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>"),
            "Patrik F\u{e4}ltstr\u{f6}m <paf@nada.kth.se>"
        );
        assert_eq!(
            shown("Nathaniel Borenstein <nsb@thumper.bellcore.com>\r\n  (=?iso-8859-8?b?7eXs+SDv4SDs6Oj08A==?=)"),
            "Nathaniel Borenstein <nsb@thumper.bellcore.com>  (\u{5dd}\u{5d5}\u{5dc}\u{5e9} \u{5df}\u{5d1} \u{5dc}\u{5d8}\u{5d8}\u{5e4}\u{5e0})"
        );
    }

    /// RFC 2231 §5.
    #[test]
    fn a_word_may_name_its_language() {
        assert_eq!(shown("=?US-ASCII*EN?Q?Keith_Moore?="), "Keith Moore");
    }

    /// RFC 5322 §2.2.3: the line end goes, the blanks stay.
    #[test]
    fn unfolding_keeps_the_blanks() {
        assert_eq!(shown("This\r\n is a test"), "This is a test");
        assert_eq!(shown("one\r\n\t  two\n three"), "one\t  two three");
        assert_eq!(shown("=?utf-8?q?one_?=\r\n     two"), "one      two");
        assert_eq!(shown("  \r\n "), "");
    }

    #[test]
    fn a_character_split_between_two_words_is_put_together() {
        assert_eq!(shown("=?utf-8?Q?J=C3?=\r\n =?utf-8?Q?=BCrgen?="), "J\u{fc}rgen");
        assert_eq!(shown("=?UTF-8?B?SsM=?= =?utf-8?Q?=BCrgen?="), "J\u{fc}rgen", "whatever the encodings");
        assert_eq!(shown("=?gb2312?B?suI=?= =?gb2312?B?yg==?= =?gb2312?B?1A==?="), "\u{6d4b}\u{8bd5}");
        assert_eq!(shown("=?utf-8?Q?=C3?= =?iso-8859-1?Q?=BC?="), "\u{fffd}\u{bc}", "but not of two charsets");
    }

    /// Each word of ISO-2022-JP is complete (RFC 2047 §3), and is decoded by itself.
    #[test]
    fn words_with_escape_sequences_follow_each_other() {
        assert_eq!(
            shown("=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=\r\n =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?="),
            "\u{30c6}\u{30b9}\u{30c8}".repeat(2)
        );
    }

    #[test]
    fn faults_cost_only_what_they_hit() {
        assert_eq!(shown("=?utf-8?Q?a=ZZb=4?="), "a=ZZb=4");
        assert_eq!(shown("=?utf-8?B?SGVs!bG8?="), "Hello", "padding and alphabet");
        assert_eq!(shown("=?utf-8?B?SGVsbG8g=V29ybGQ=?="), "Hello World", "padding in the middle");
        assert_eq!(shown("=?x-nobody-knows?Q?caf=C3=A9?="), "caf\u{e9}");
        assert_eq!(shown("=?utf-8?Q?never_ends"), "=?utf-8?Q?never_ends");
        assert_eq!(shown("=?utf-8?Q?cut =?utf-8?Q?whole?="), "=?utf-8?Q?cut whole");
        assert_eq!(shown("=?utf-8?X?no?= =??Q?no?= =?u 8?Q?no?="), "=?utf-8?X?no?= =??Q?no?= =?u 8?Q?no?=");
        assert_eq!(shown("=?=?utf-8?Q?a?="), "=?a");
    }

    #[test]
    fn words_are_decoded_next_to_text_and_with_blanks_in_them() {
        assert_eq!(shown("Re:=?utf-8?Q?a?=b"), "Re:ab");
        assert_eq!(shown("=?iso-8859-1?q?this is some text?="), "this is some text");
        assert_eq!(shown("=?utf-8?Q?why?_=3F?="), "why? ?");
        assert_eq!(shown("=?utf-8?Q?fol\r\n ded?="), "fol ded");
    }

    /// RFC 6532 §3.2; what is not UTF-8 becomes U+FFFD.
    #[test]
    fn raw_8_bit_is_utf_8() {
        assert_eq!(decoded(" J\u{fc}rgen ".as_bytes()), "J\u{fc}rgen");
        assert_eq!(decoded(b"J\xfcrgen =?utf-8?q?a?="), "J\u{fffd}rgen a");
    }

    #[test]
    fn what_needs_no_change_is_lent() {
        assert!(matches!(decoded(b" plain text\r\n"), Cow::Borrowed("plain text")));
        assert!(matches!(unfolded(b" =?utf-8?q?a?= "), Cow::Borrowed("=?utf-8?q?a?=")));
    }

    /// Each of these made a naive reader go over the rest of the header again and again.
    #[test]
    fn hostile_words_take_no_longer_than_they_are() {
        let started = std::time::Instant::now();
        for word in ["=?utf-8?Q?", "=?", "=?utf-8?Q?=C3?= ", "=?x?b?a?a?a"] {
            let body = word.repeat((1 << 20) / word.len());
            assert!(!decoded(body.as_bytes()).is_empty());
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
