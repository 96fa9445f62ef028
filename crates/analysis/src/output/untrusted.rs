//! JSON for a reader that may take what it reads for what it is told: a language model, or a terminal.
//!
//! Text from the wire stays text: control characters, and those that change the direction of text or are not seen at all, are written
//! as `\u{202e}` in plain ASCII, also behind the parser of the JSON; and no text is longer than [`TEXT_CHARS`].

use std::io::{self, Write};

use serde_json::ser::{CharEscape, Formatter, PrettyFormatter};

/// Characters of a text that are shown; behind them stands `…`.
pub(crate) const TEXT_CHARS: usize = 512;

/// Writes a value, indented.
pub(crate) fn write<T: serde::Serialize + ?Sized>(out: impl Write, value: &T) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Careful::default())).map_err(io::Error::from)
}

/// Like the formatter for indented JSON, but for texts.
#[derive(Default)]
struct Careful<'a> {
    pretty: PrettyFormatter<'a>,
    /// Characters of the text so far.
    shown: usize,
}

impl Careful<'_> {
    /// Whether so many more characters of the text are shown.
    fn takes(&mut self, chars: usize) -> bool {
        self.shown = self.shown.saturating_add(chars);
        self.shown <= TEXT_CHARS
    }
}

impl Formatter for Careful<'_> {
    fn begin_string<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.shown = 0;
        out.write_all(b"\"")
    }

    fn end_string<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.shown > TEXT_CHARS {
            out.write_all("…".as_bytes())?;
        }
        out.write_all(b"\"")
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for char in fragment.chars() {
            if !self.takes(1) {
                // However much more there is, it changes nothing.
                return Ok(());
            }
            if is_deceptive(char) {
                write!(out, "\\\\u{{{:x}}}", u32::from(char))?;
            } else {
                out.write_all(char.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, out: &mut W, char: CharEscape) -> io::Result<()> {
        if !self.takes(1) {
            return Ok(());
        }
        match char {
            CharEscape::AsciiControl(octet) => write!(out, "\\\\u{{{octet:x}}}"),
            CharEscape::Backspace => out.write_all(br"\\u{8}"),
            CharEscape::FormFeed => out.write_all(br"\\u{c}"),
            other => self.pretty.write_char_escape(out, other),
        }
    }

    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_array(out)
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(out, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(out)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object(out)
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(out)
    }
}

/// Characters that are not seen, or make others seem to stand elsewhere: C1 controls, marks, embeddings, overrides and isolates of
/// the bidirectional algorithm (UAX #9), what has no width, line and paragraph separators, variation selectors and tags, in which
/// text can be hidden.
fn is_deceptive(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text).expect("a vector takes everything");
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn what_deceives_the_eye_is_spelt_out() {
        assert_eq!(
            written("a\u{202e}b\u{200b}c\u{1b}[31m\u{7f}\u{85}\u{e0041}"),
            r"a\u{202e}b\u{200b}c\u{1b}[31m\u{7f}\u{85}\u{e0041}"
        );
        assert_eq!(written("250 first\n250 \"second\" \\ é 日本"), "250 first\n250 \"second\" \\ é 日本");
    }

    #[test]
    fn a_long_text_is_cut() {
        let fits = "é".repeat(TEXT_CHARS);
        assert_eq!(written(&fits), fits);
        assert_eq!(written(&format!("{fits}x")), format!("{fits}…"));
        let escaped = "\"".repeat(TEXT_CHARS + 1);
        assert_eq!(written(&escaped), format!("{}…", &escaped[1..]));
    }

    #[test]
    fn the_rest_is_as_indented_json_is() {
        let value = serde_json::json!({"a": [1, 2.5, null, true, {"b": []}], "c": {}});
        let mut out = Vec::new();
        write(&mut out, &value).expect("a vector takes everything");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), serde_json::to_string_pretty(&value).expect("JSON"));
    }
}
