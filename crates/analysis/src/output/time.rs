//! Times in JSON: seconds since the epoch, as a number, with every digit the capture has.

use std::fmt;

use capture::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A time as it is printed. A double would lose the last digits of a nanosecond capture, so the digits are written as
/// they are: six of them, nine where the time has nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let sign = if nanos < 0 { "-" } else { "" };
        let (seconds, fraction) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
        if fraction.is_multiple_of(1000) {
            write!(f, "{sign}{seconds}.{:06}", fraction / 1000)
        } else {
            write!(f, "{sign}{seconds}.{fraction:09}")
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.to_string();
        let number: &RawValue = serde_json::from_str(&digits).map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

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
    }
}
