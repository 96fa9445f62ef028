//! Times in JSON: seconds since the epoch, as a number, with every digit the capture has.

use std::fmt;

use capture::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::json::RAW;

/// A time as it is printed. A double would lose the last digits of a nanosecond capture, so the digits are written as
/// they are: six of them, nine where the time has nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Digits::of(*self).as_str())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What `RawValue` does, without reading the digits to see whether they are JSON.
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, Digits::of(*self).as_str())?;
        raw.end()
    }
}

/// The digits of a time. There are several times in every command and reply, so they are made without asking for memory
/// and without the machinery of `fmt`.
struct Digits {
    text: [u8; LONGEST],
    len: usize,
}

/// A sign, eleven digits of seconds (an `i64` of nanoseconds holds ten), a point and nine more.
const LONGEST: usize = 22;

impl Digits {
    fn of(time: Time) -> Self {
        let nanos = time.0.as_nanos();
        let (seconds, fraction) = (nanos.unsigned_abs() / NANOS_PER_SECOND, nanos.unsigned_abs() % NANOS_PER_SECOND);
        let mut digits = Self { text: [0; LONGEST], len: 0 };
        if nanos < 0 {
            digits.push("-");
        }
        let mut buffer = itoa::Buffer::new();
        digits.push(buffer.format(seconds));
        digits.push(".");
        // A digit in front keeps the zeros that the fraction begins with.
        let fraction =
            if fraction.is_multiple_of(1000) { fraction / 1000 + 1_000_000 } else { fraction + NANOS_PER_SECOND };
        digits.push(buffer.format(fraction).get(1..).unwrap_or_default());
        digits
    }

    fn push(&mut self, text: &str) {
        let end = self.len + text.len();
        if let Some(place) = self.text.get_mut(self.len..end) {
            place.copy_from_slice(text.as_bytes());
            self.len = end;
        }
    }

    fn as_str(&self) -> &str {
        self.text.get(..self.len).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_digit_is_lost() {
        let json = |nanos| serde_json::to_string(&Time(Timestamp::from_nanos(nanos))).unwrap();
        assert_eq!(json(1_679_930_257_935_537_000), "1679930257.935537");
        assert_eq!(json(1_679_930_257_935_537_001), "1679930257.935537001");
        assert_eq!(json(1_000_000_000), "1.000000");
        assert_eq!(json(-1), "-0.000000001");
        assert_eq!(json(0), "0.000000");
        assert_eq!(json(i64::MIN), "-9223372036.854775808");
        assert_eq!(json(i64::MAX), "9223372036.854775807");
    }
}
