//! Dates (RFC 5322 §3.3) with their zone, old forms of both (§4.3) included.
//!
//! ```text
//!   [ day-of-week "," ] day month year hour ":" minute [ ":" second ] zone
//! ```
//!
//! A date that is in no calendar is none; a weekday that contradicts it is not looked at, as nobody does.

use std::fmt;

use serde::{Serialize, Serializer};

use super::lexical::Cursor;

/// A date as a message states it. Printed as RFC 3339, with these zones: `Z` for +0000, `-00:00` for -0000 and for names
/// that stand for no known zone (RFC 3339 §4.3), nothing where none is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    zone: Zone,
}

/// The zone of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Minutes east of UTC.
    Offset(i32),
    /// > The form "-0000" SHOULD be used to indicate that the time was generated on a system that may be in a local time
    /// > zone other than Universal Time and that the date-time contains no information about the local time zone.
    Unknown,
    /// Old software left it out.
    Absent,
}

impl DateTime {
    /// Reads the date with which the octets begin.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(octets);
        cursor.skip_cfws();
        if !word(&mut cursor).is_empty() {
            cursor.eat(b',');
        }
        let day = number(&mut cursor, 2)?;
        cursor.eat(b'-');
        let month = month(word(&mut cursor))?;
        cursor.eat(b'-');
        let year = year(&mut cursor)?;
        let hour = number(&mut cursor, 2)?;
        colon(&mut cursor).then_some(())?;
        let minute = number(&mut cursor, 2)?;
        let second = if colon(&mut cursor) { number(&mut cursor, 2)? } else { 0 };
        let date = Self { year, month, day, hour, minute, second, zone: zone(&mut cursor)? };
        date.is_possible().then_some(date)
    }

    /// > A date-time specification MUST be semantically valid.  That is, the day-of-week (if included) MUST be the day
    /// > implied by the date, the numeric day-of-month MUST be between 1 and the number of days allowed for the specified
    /// > month […], the time-of-day MUST be in the range 00:00:00 through 23:59:60.
    fn is_possible(&self) -> bool {
        let is_leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 => 28 + u8::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second <= 60
    }

    /// Seconds since the epoch; `None` where the zone is not stated.
    pub(super) fn seconds(&self) -> Option<i64> {
        let east = match self.zone {
            Zone::Offset(minutes) => i64::from(minutes) * 60,
            Zone::Unknown => 0,
            Zone::Absent => return None,
        };
        // Years begin in March, so that the leap day is the last one.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let clock = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some((days - DAYS_TO_EPOCH) * 86_400 + clock - east)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, zone } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match zone {
            Zone::Offset(0) => f.write_str("Z"),
            Zone::Offset(minutes) => {
                let (sign, minutes) = (if *minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            Zone::Unknown => f.write_str("-00:00"),
            Zone::Absent => Ok(()),
        }
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From 1 March of the year 0 to 1 January 1970.
const DAYS_TO_EPOCH: i64 = 719_468;

/// Letters, and the blanks and comments behind them.
fn word<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let word = cursor.take_while(|octet| octet.is_ascii_alphabetic());
    cursor.eat(b'.');
    cursor.skip_cfws();
    word
}

/// A number of at most so many digits, and the blanks and comments around it.
fn number(cursor: &mut Cursor<'_>, digits: usize) -> Option<u8> {
    cursor.skip_cfws();
    let number = cursor.take_while(|octet| octet.is_ascii_digit());
    cursor.skip_cfws();
    if number.len() > digits { None } else { std::str::from_utf8(number).ok()?.parse().ok() }
}

fn colon(cursor: &mut Cursor<'_>) -> bool {
    cursor.skip_cfws();
    cursor.eat(b':')
}

/// Months by their first three letters: some software writes the whole name.
fn month(word: &[u8]) -> Option<u8> {
    let name = word.get(..3)?;
    (1..).zip(MONTHS).find(|(_, month)| name.eq_ignore_ascii_case(month)).map(|(number, _)| number)
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// > If a two digit year is encountered whose value is between 00 and 49, the year is interpreted by adding 2000 […]. If a
/// > two digit year is encountered with a value between 50 and 99, or any three digit year is encountered, the year is
/// > interpreted by adding 1900. (RFC 5322 §4.3)
fn year(cursor: &mut Cursor<'_>) -> Option<u16> {
    cursor.skip_cfws();
    let digits = cursor.take_while(|octet| octet.is_ascii_digit());
    let year: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match digits.len() {
        2 if year < 50 => Some(year + 2000),
        2 | 3 => Some(year + 1900),
        4 if year >= 1900 => Some(year),
        _ => None,
    }
}

/// > zone = (FWS ( "+" / "-" ) 4DIGIT) / obs-zone
///
/// `None` for a zone that is none: the last two digits "MUST be within the range 00 through 59".
fn zone(cursor: &mut Cursor<'_>) -> Option<Zone> {
    cursor.take_while(|octet| octet == b'.' || octet.is_ascii_digit());
    cursor.skip_cfws();
    let is_west = cursor.eat(b'-');
    if is_west || cursor.eat(b'+') {
        let hours = cursor.take_while(|octet| octet.is_ascii_digit() || octet == b':');
        let digits: Vec<u8> = hours.iter().copied().filter(u8::is_ascii_digit).collect();
        if digits.len() != 4 {
            return None;
        }
        let digits: i32 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
        let (hours, minutes) = (digits / 100, digits % 100);
        return match (is_west, hours * 60 + minutes) {
            _ if minutes > 59 => None,
            (true, 0) => Some(Zone::Unknown),
            (true, east) => Some(Zone::Offset(-east)),
            (false, east) => Some(Zone::Offset(east)),
        };
    }
    let name = cursor.take_while(|octet| octet.is_ascii_alphabetic());
    if name.is_empty() {
        return Some(Zone::Absent);
    }
    let known = NAMED_ZONES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    Some(known.map_or(Zone::Unknown, |&(_, hours)| Zone::Offset(hours * 60)))
}

/// RFC 5322 §4.3, and UTC. The military zones and all others "SHOULD all be considered equivalent to '-0000'".
const NAMED_ZONES: [(&[u8], i32); 11] = [
    (b"UT", 0),
    (b"GMT", 0),
    (b"UTC", 0),
    (b"EDT", -4),
    (b"EST", -5),
    (b"CDT", -5),
    (b"CST", -6),
    (b"MDT", -6),
    (b"MST", -7),
    (b"PDT", -7),
    (b"PST", -8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(date: &str) -> Option<String> {
        DateTime::parse(date.as_bytes()).map(|date| date.to_string())
    }

    /// RFC 5322 appendices A.1.1, A.2, A.5, A.6.2 and A.6.3.
    #[test]
    fn the_dates_of_rfc_5322_appendix_a() {
        let dates = [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
            ("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00"),
            ("Thu, 13 Feb 1969 23:32:54 -0330", "1969-02-13T23:32:54-03:30"),
            (
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
                "1969-02-13T23:32:00-03:30",
            ),
            ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z"),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
        ];
        for (date, expected) in dates {
            assert_eq!(read(date).as_deref(), Some(expected), "{date}");
        }
    }

    /// RFC 5322 §4.3.
    #[test]
    fn old_zones_and_years() {
        let zone = |zone: &str| {
            read(&format!("1 Jan 2024 10:00:00 {zone}")).and_then(|date| date.get(19..).map(str::to_owned))
        };
        for (name, expected) in [
            ("UT", "Z"),
            ("EDT", "-04:00"),
            ("EST", "-05:00"),
            ("CDT", "-05:00"),
            ("CST", "-06:00"),
            ("MDT", "-06:00"),
            ("MST", "-07:00"),
            ("PDT", "-07:00"),
            ("pst", "-08:00"),
        ] {
            assert_eq!(zone(name).as_deref(), Some(expected), "{name}");
        }
        for unknown in ["-0000", "A", "Z", "MEZ"] {
            assert_eq!(zone(unknown).as_deref(), Some("-00:00"), "{unknown}");
        }
        assert_eq!(zone("+0000").as_deref(), Some("Z"));
        assert_eq!(zone("").as_deref(), Some(""), "none is made up");
        assert_eq!(zone("(CET)").as_deref(), Some(""));
        let year =
            |year: &str| read(&format!("1 Jan {year} 10:00 +0000")).and_then(|date| date.get(..4).map(str::to_owned));
        for (old, expected) in
            [("00", "2000"), ("49", "2049"), ("50", "1950"), ("99", "1999"), ("103", "2003"), ("2024", "2024")]
        {
            assert_eq!(year(old).as_deref(), Some(expected), "{old}");
        }
    }

    #[test]
    fn impossible_dates_are_none() {
        let impossible = [
            "31 Feb 2024 10:00:00 +0000",
            "29 Feb 2023 10:00:00 +0000",
            "29 Feb 1900 10:00:00 +0000",
            "31 Apr 2024 10:00:00 +0000",
            "0 Jan 2024 10:00:00 +0000",
            "1 Jan 2024 24:00:00 +0000",
            "1 Jan 2024 10:60:00 +0000",
            "1 Jan 2024 10:00:61 +0000",
            "1 Jan 2024 10:00:00 +0060",
            "1 Jan 2024 10:00:00 +00",
            "1 Foo 2024 10:00:00 +0000",
            "1 Jan 1899 10:00:00 +0000",
            "1 Jan 20244 10:00:00 +0000",
            "1 Jan 2024",
            "yesterday",
            "",
        ];
        for date in impossible {
            assert_eq!(read(date), None, "{date}");
        }
        assert!(read("29 Feb 2024 23:59:60 +0000").is_some(), "a leap day and a leap second are possible");
        assert!(read("29 Feb 2000 10:00:00 +0000").is_some());
    }

    #[test]
    fn forms_of_real_software() {
        assert_eq!(read("Mon 1 January 2024 10:00:00 +01:00").as_deref(), Some("2024-01-01T10:00:00+01:00"));
        assert_eq!(read("01-Jan-2024 10:00:00.123 +0100").as_deref(), Some("2024-01-01T10:00:00+01:00"));
        assert_eq!(
            read("Wed, 1 Jan 2024 10:00:00 +0100").as_deref(),
            Some("2024-01-01T10:00:00+01:00"),
            "it was a Monday"
        );
    }

    /// Counted by date(1).
    #[test]
    fn seconds_since_the_epoch() {
        let seconds = |date: &str| DateTime::parse(date.as_bytes()).and_then(|date| date.seconds());
        assert_eq!(seconds("1 Jan 1970 00:00:00 +0000"), Some(0));
        assert_eq!(seconds("29 Feb 2024 12:00:00 +0000"), Some(1_709_208_000));
        assert_eq!(seconds("1 Mar 2024 00:30:00 +0100"), Some(1_709_249_400));
        assert_eq!(seconds("31 Dec 1969 23:59:59 -0000"), Some(-1));
        assert_eq!(seconds("1 Jan 2024 10:00:00"), None, "without a zone it is no moment");
    }
}
