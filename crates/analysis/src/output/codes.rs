//! Reply codes in JSON: text, as on the wire. Kept as numbers: there is one in every reply of a recording.

use std::fmt;
use std::io::Write;

use serde::{Serialize, Serializer, ser};
use smtp_parser::{EnhancedCode, ReplyCode};

/// A reply code (RFC 5321 §4.2); three digits in JSON and in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub ReplyCode);

impl Code {
    /// The first digit: 2 for success, 3 for "go on", 4 and 5 for failure, transient and permanent (§4.2.1).
    pub fn class(self) -> u8 {
        u8::try_from(self.0.value() / 100).unwrap_or_default()
    }

    /// Its number.
    pub fn value(self) -> u16 {
        self.0.value()
    }

    /// Whether it is this number.
    pub fn is(self, number: u16) -> bool {
        self.0.value() == number
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0.value();
        let digit = |divisor: u16| b'0' + u8::try_from(value / divisor % 10).unwrap_or_default();
        let digits = [digit(100), digit(10), digit(1)];
        serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// Octets that the three numbers and the points between them can take. The text is made on the stack, because almost
/// every reply has one.
const LONGEST: usize = "255.65535.65535".len();

/// An enhanced status code (RFC 3463), such as `5.1.1`; text in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub EnhancedCode);

impl Serialize for Enhanced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let EnhancedCode { class, subject, detail } = self.0;
        let mut text = [0; LONGEST];
        let mut rest = text.as_mut_slice();
        let mut digits = itoa::Buffer::new();
        let written = [u16::from(class), subject, detail].into_iter().enumerate().try_for_each(|(index, number)| {
            rest.write_all(if index == 0 { b"" } else { b"." })?;
            rest.write_all(digits.format(number).as_bytes())
        });
        let length = LONGEST - rest.len();
        let text = written.ok().and_then(|()| std::str::from_utf8(text.get(..length)?).ok());
        serializer.serialize_str(text.ok_or_else(|| ser::Error::custom("longer than any status code"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_three_digits() {
        let code = |number| Code(ReplyCode::new(number).unwrap());
        assert_eq!(serde_json::to_string(&code(250)).unwrap(), "\"250\"");
        assert_eq!(serde_json::to_string(&code(7)).unwrap(), "\"007\"");
        assert_eq!((code(554).class(), code(554).is(554)), (5, true));
        let enhanced = EnhancedCode::parse(b"5.1.1 no").unwrap();
        assert_eq!(serde_json::to_string(&Enhanced(enhanced)).unwrap(), "\"5.1.1\"");
        let longest = EnhancedCode::parse(b"5.999.999 no").unwrap();
        assert_eq!(serde_json::to_string(&Enhanced(longest)).unwrap(), "\"5.999.999\"");
    }
}
