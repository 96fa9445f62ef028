//! Names of files made from what the wire says.
//!
//! ```text
//!   20261123-112526_alice@example.org_minutes-of-the-meeting_9f86d081884c7d65.eml
//!   └ time of MAIL, UTC ┘└ sender ┘   └ subject ┘            └ of SHA-256 ┘
//! ```
//!
//! Of a text only ASCII letters, in lower case, digits and a few signs are left, so that a name means the same file
//! wherever it is copied to: no separator, no control, nothing that a shell, a terminal or another script's direction
//! makes something else of, no two names that differ in case alone. A name begins with a digit, so it is no device (CON,
//! NUL, COM1), no option and not hidden; it ends with its suffix, so with no dot and no blank.

use data_encoding::HEXLOWER;
use mail_parser::DateTime;

use crate::output::time::Time;

/// The name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    stem: String,
    suffix: String,
}

impl Name {
    /// The name of what is not all there.
    pub(super) fn incomplete(self) -> Self {
        Self { suffix: format!(".incomplete{}", self.suffix), ..self }
    }

    /// The name that is tried as number `number`, from 1.
    pub(super) fn numbered(&self, number: u32) -> String {
        let Self { stem, suffix } = self;
        if number == 1 { format!("{stem}{suffix}") } else { format!("{stem}-{number}{suffix}") }
    }
}

/// The name of a message's file.
pub(super) fn of_message(time: Time, sender: Option<&str>, subject: Option<&str>, sha256: &[u8; 32]) -> Name {
    let DateTime { year, month, day, hour, minute, second, .. } =
        DateTime::from_timestamp(time.0.as_nanos().div_euclid(1_000_000_000));
    let time = format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}");
    let sender = match sender {
        Some("") => "null-sender".to_owned(),
        Some(address) => safe(address, SENDER_OCTETS),
        None => "unknown-sender".to_owned(),
    };
    let subject = safe(subject.unwrap_or_default(), SUBJECT_OCTETS);
    let parts = [time, sender, subject, half(sha256)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Name { stem: parts.join("_"), suffix: ".eml".to_owned() }
}

/// The name of an attachment's file: it begins with the hash, and ends like the name it came with.
pub(super) fn of_attachment(filename: Option<&str>, sha256: &[u8; 32]) -> Name {
    let filename = filename.unwrap_or_default();
    let (stem, extension) = filename.rsplit_once('.').unwrap_or((filename, ""));
    let is_extension = !extension.is_empty()
        && extension.len() <= EXTENSION_OCTETS
        && extension.bytes().all(|octet| octet.is_ascii_alphanumeric());
    let (stem, suffix) =
        if is_extension { (stem, format!(".{}", extension.to_ascii_lowercase())) } else { (filename, String::new()) };
    let stem = safe(stem, FILENAME_OCTETS);
    let stem = if stem.is_empty() { "unnamed" } else { stem.as_str() };
    Name { stem: format!("{}_{stem}", half(sha256)), suffix }
}

/// Half of a hash, as it stands in a name.
fn half(sha256: &[u8; 32]) -> String {
    HEXLOWER.encode(sha256.get(..HASH_OCTETS).unwrap_or_default())
}

/// Octets of an attachment's filename that are in a name, without the extension.
const FILENAME_OCTETS: usize = 100;
/// Octets of an extension.
const EXTENSION_OCTETS: usize = 16;
/// Octets of a sender that are in a name.
const SENDER_OCTETS: usize = 40;
/// Octets of a subject that are in a name.
const SUBJECT_OCTETS: usize = 60;
/// Octets of a hash that are in a name, two digits each.
const HASH_OCTETS: usize = 8;

/// What of a text may stand in a name: at most so many octets, without signs at its ends. Everything else becomes a
/// single hyphen.
fn safe(text: &str, octets: usize) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || SIGNS.contains(&c) { c.to_ascii_lowercase() } else { '-' };
        let repeats = matches!(c, '-' | '.') && name.ends_with(c);
        let may_stand = !name.is_empty() || c.is_ascii_alphanumeric();
        if may_stand && !repeats {
            name.push(c);
        }
        if name.len() >= octets {
            break;
        }
    }
    name.truncate(name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
    name
}

/// Besides letters and digits. None of them is special to a shell inside a word, or to any file system.
const SIGNS: [char; 6] = ['.', '-', '_', '@', '+', '='];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;
    use capture::Timestamp;

    const HASH: [u8; 32] = [0xab; 32];

    fn name(sender: &str, subject: &str) -> String {
        of_message(at(0), Some(sender), Some(subject), &HASH).stem
    }

    #[test]
    fn a_name_says_when_who_and_what() {
        let time = Time(Timestamp::from_nanos(1_795_433_126_420_631_903));
        let name = of_message(time, Some("Alice@Example.org"), Some("Re: Minutes of the meeting"), &HASH);
        let stem = "20261123-112526_alice@example.org_re-minutes-of-the-meeting_abababababababab";
        assert_eq!(name.numbered(1), format!("{stem}.eml"));
        assert_eq!(name.numbered(2), format!("{stem}-2.eml"));
        assert_eq!(name.incomplete().numbered(1), format!("{stem}.incomplete.eml"));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let unknown = of_message(at(0), None, None, &HASH).stem;
        assert_eq!(unknown, "19700101-000000_unknown-sender_abababababababab");
        assert_eq!(name("", "\u{3053}\u{3093}"), "19700101-000000_null-sender_abababababababab");
    }

    #[test]
    fn times_before_the_epoch_and_the_last_ones_have_a_name() {
        let name = |nanos| of_message(Time(Timestamp::from_nanos(nanos)), None, None, &HASH).stem;
        assert!(name(-1).starts_with("19691231-235959_"), "{}", name(-1));
        assert!(name(i64::MIN).starts_with("16770921-001243_"), "{}", name(i64::MIN));
        assert!(name(i64::MAX).starts_with("22620411-234716_"), "{}", name(i64::MAX));
    }

    /// Whatever the wire says, the name is one component, of the same few signs, no longer than the limit.
    #[test]
    fn hostile_texts_make_harmless_names() {
        let long = "x".repeat(5000);
        let hostile = [
            "../../etc/passwd",
            "..\\..\\windows\\system32",
            "/absolute",
            "C:\\con",
            "CON",
            "nul.txt",
            "COM1",
            ".hidden",
            "-rf",
            "--output=/",
            "a\0b",
            "a\r\nb",
            "\u{1b}[2J",
            "invoice\u{202e}fdp.exe",
            "trailing. . .",
            "   ",
            "...",
            "~root",
            "$(reboot)",
            "`reboot`",
            "a;b|c&d>e",
            "%2e%2e%2f",
            "\u{ff0e}\u{ff0e}\u{ff0f}",
            "\u{fffd}",
            &long,
            "",
        ];
        for text in hostile {
            for name in [name(text, "s"), name("s", text), name(text, text)] {
                let within = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || SIGNS.contains(&c);
                assert!(name.chars().all(within), "{text:?} makes {name}");
                assert!(name.starts_with("19700101-000000_") && name.ends_with("_abababababababab"), "{name}");
                assert!(!name.contains("..") && name.len() <= 16 + 41 + 61 + 16, "{text:?} makes {name}");
            }
        }
        assert_eq!(name("../../etc/passwd", "CON"), "19700101-000000_etc-passwd_con_abababababababab");
    }

    #[test]
    fn an_attachment_keeps_its_extension() {
        let name = |filename| of_attachment(Some(filename), &HASH).numbered(1);
        let cases = [
            ("Report 2026.PDF", "report-2026.pdf"),
            ("../../etc/passwd", "etc-passwd"),
            ("archive.tar.gz", "archive.tar.gz"),
            (".bashrc", "unnamed.bashrc"),
            ("CON", "con"),
            ("nul.txt", "nul.txt"),
            ("invoice\u{202e}fdp.exe", "invoice-fdp.exe"),
            ("a.b/c", "a.b-c"),
            ("x.\u{e4}\u{f6}", "x"),
            ("trailing. . ", "trailing"),
            ("\u{5c71}", "unnamed"),
            ("", "unnamed"),
        ];
        for (filename, expected) in cases {
            assert_eq!(name(filename), format!("abababababababab_{expected}"));
        }
        let long = format!("{}.{}", "y".repeat(5000), "z".repeat(5000));
        assert!(name(&long).len() <= 17 + FILENAME_OCTETS, "{}", name(&long));
        assert_eq!(name(&format!("{}.docx", "y".repeat(5000))).len(), 17 + FILENAME_OCTETS + 5);
        assert_eq!(of_attachment(None, &HASH).numbered(1), "abababababababab_unnamed");
        assert_eq!(of_attachment(Some("a.txt"), &HASH).incomplete().numbered(1), "abababababababab_a.incomplete.txt");
    }

    /// A file system may not tell upper from lower case.
    #[test]
    fn names_do_not_differ_in_case_alone() {
        assert_eq!(name("A@B", "SALE"), name("a@b", "sale"));
    }
}
