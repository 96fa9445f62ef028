//! What stands in a message that some reader takes for its end, and what follows it there.
//!
//! RFC 5321 §4.1.1.4 knows one end of data, CRLF "." CRLF, and §2.3.8 one line end. Where a sender lets another one through and a
//! receiver takes it, a message can hold a second one with an envelope of its own. The content's reader reports dot lines in bare LF;
//! those in bare CR, and behind NUL, are looked for here, in the octets as they came. The strict reading does not change.
//!
//! In "CRLF" and the like, `-` stands for NUL: `CRLF-.CRLF`.

use std::sync::LazyLock;

use memchr::memmem;

use super::dialogue::Stamp;
use crate::model::Spot;
use crate::output::time::Time;

/// What was found in the messages of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endings {
    /// The first ones.
    pub(crate) dot_lines: Vec<DotLine>,
    /// The first message with line ends of only a CR or only an LF, and no dot line among them.
    pub(crate) bare: Option<Bare>,
}

/// A dot line that is not the end of the message.
#[derive(Debug, Clone)]
pub(crate) struct DotLine {
    /// Its line ends, such as `LF.LF`.
    pub(crate) variant: &'static str,
    pub(crate) timestamp: Time,
    /// Behind it.
    pub(crate) spot: Spot,
    /// The octets of the message that follow.
    pub(crate) behind: Vec<u8>,
}

/// Line ends that are not CRLF.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare {
    pub(crate) timestamp: Time,
    /// Of the end of the message.
    pub(crate) spot: Spot,
    /// How many more LF than CR, or CR than LF, there are.
    pub(crate) lf: u64,
    pub(crate) cr: u64,
}

/// Dot lines of a session that are kept; an anomaly counts each in bare LF besides.
const DOT_LINES: usize = 16;
/// Octets behind a dot line that are kept: an envelope, and the beginning of a header.
const BEHIND: usize = 512;
/// Octets that are looked at again with the next ones: a dot line without its last octet.
const CARRY: usize = 5;

/// What each dot line has that is looked for here. Made once, not for each segment.
static DOT_CR: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b".\r"));

/// Looks at the octets of messages as they come.
#[derive(Debug, Default)]
pub(super) struct EndWatch {
    found: Option<Box<Endings>>,
    /// The last octets, those of DATA's line end at first.
    carry: [u8; CARRY],
    lf: u64,
    cr: u64,
    has_gap: bool,
    /// Dot lines before this one have all octets that are kept.
    first_open: usize,
}

impl EndWatch {
    /// A message begins behind DATA and its line end.
    pub(super) fn begin(&mut self) {
        self.carry = *b"\0\0\0\r\n";
        (self.lf, self.cr, self.has_gap) = (0, 0, false);
    }

    /// The next octets of a message as they came, dots and line ends included.
    pub(super) fn octets(&mut self, octets: &[u8], at: Stamp) {
        if octets.is_empty() {
            return;
        }
        self.lf += memchr::memchr_iter(b'\n', octets).count() as u64;
        self.cr += memchr::memchr_iter(b'\r', octets).count() as u64;
        self.fill_behind(octets);
        // Those of which a part came before.
        let mut joined = [0; 2 * CARRY];
        let (before, rest) = joined.split_at_mut(CARRY);
        before.copy_from_slice(&self.carry);
        let len = rest.len().min(octets.len());
        rest.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        let joined = joined.get(..CARRY + len).unwrap_or_default();
        self.look(joined, |dot| dot + 2 >= CARRY && dot < CARRY + 3, |place| place.saturating_sub(CARRY), octets, at);
        self.look(octets, |dot| dot >= 3, |place| place, octets, at);
        self.keep(octets);
    }

    /// The content's reader has found a dot line in bare LF, up to here.
    pub(super) fn dot_line(&mut self, variant: &'static str, at: Stamp) {
        self.add(variant, at, &[]);
    }

    /// Octets are lost: what stands around them is not known.
    pub(super) fn gap(&mut self) {
        self.carry = [0; CARRY];
        self.has_gap = true;
        self.close();
    }

    /// The message has ended.
    pub(super) fn end(&mut self, at: Stamp) {
        self.close();
        let (lf, cr) = (self.lf.saturating_sub(self.cr), self.cr.saturating_sub(self.lf));
        if lf + cr == 0 || self.has_gap {
            return;
        }
        let found = self.found.get_or_insert_default();
        if found.bare.is_none() && found.dot_lines.is_empty() {
            found.bare = Some(Bare { timestamp: at.timestamp, spot: at.spot(), lf, cr });
        }
    }

    pub(super) fn into_endings(self) -> Option<Box<Endings>> {
        self.found
    }

    /// Looks for ".", a CR behind it, between line ends of which one is not CRLF or LF.
    fn look(
        &mut self,
        haystack: &[u8],
        is_new: impl Fn(usize) -> bool,
        place: impl Fn(usize) -> usize,
        octets: &[u8],
        at: Stamp,
    ) {
        for dot in DOT_CR.find_iter(haystack).filter(|&dot| is_new(dot)) {
            let before = haystack.get(dot.saturating_sub(3)..dot).unwrap_or_default();
            let Some(&behind) = haystack.get(dot + 2) else { continue };
            let variant = match (before, behind == b'\n') {
                ([.., b'\r', b'\n', 0], true) => "CRLF-.CRLF",
                ([.., b'\r'], true) => "CR.CRLF",
                ([.., b'\r'], false) => "CR.CR",
                ([.., b'\r', b'\n'], false) => "CRLF.CR",
                ([.., b'\n'], false) => "LF.CR",
                _ => continue,
            };
            let end = place(dot + if behind == b'\n' { 3 } else { 2 });
            let stamp = Stamp { offset: at.offset + end as u64, ..at };
            self.add(variant, stamp, octets.get(end..).unwrap_or_default());
        }
    }

    fn add(&mut self, variant: &'static str, at: Stamp, behind: &[u8]) {
        let found = self.found.get_or_insert_default();
        let is_known = found.dot_lines.iter().any(|known| known.spot.offset == at.offset);
        if found.dot_lines.len() < DOT_LINES && !is_known {
            let behind = behind.get(..BEHIND).unwrap_or(behind).to_vec();
            found.dot_lines.push(DotLine { variant, timestamp: at.timestamp, spot: at.spot(), behind });
        }
    }

    fn fill_behind(&mut self, octets: &[u8]) {
        let Some(found) = &mut self.found else { return };
        for line in found.dot_lines.iter_mut().skip(self.first_open) {
            let room = BEHIND.saturating_sub(line.behind.len());
            line.behind.extend_from_slice(octets.get(..room).unwrap_or(octets));
        }
    }

    /// What follows is not behind any dot line so far.
    pub(super) fn close(&mut self) {
        self.first_open = self.found.as_ref().map_or(0, |found| found.dot_lines.len());
    }

    fn keep(&mut self, octets: &[u8]) {
        for &octet in octets.get(octets.len().saturating_sub(CARRY)..).unwrap_or_default() {
            self.carry.rotate_left(1);
            if let Some(last) = self.carry.last_mut() {
                *last = octet;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variant, offset behind it and the octets that follow, of a message in pieces of this size.
    fn found(message: &str, piece: usize) -> Vec<(&'static str, u64, String)> {
        let mut watch = EndWatch::default();
        watch.begin();
        let mut offset = 0;
        for octets in message.as_bytes().chunks(piece) {
            let at = Stamp { offset, timestamp: Time::default(), acknowledged: None, packet: None };
            watch.octets(octets, at);
            offset += octets.len() as u64;
        }
        let lines = watch.into_endings().map(|found| found.dot_lines).unwrap_or_default();
        lines
            .into_iter()
            .map(|line| (line.variant, line.spot.offset, String::from_utf8(line.behind).expect("ASCII")))
            .collect()
    }

    /// Each line end that "SMTP Smuggling" names with a bare CR or a NUL, however the octets are cut.
    #[test]
    fn dot_lines_in_bare_cr_and_behind_nul_are_found() {
        for (end, variant) in [
            ("\r.\r", "CR.CR"),
            ("\r\n.\r", "CRLF.CR"),
            ("\r.\r\n", "CR.CRLF"),
            ("\n.\r", "LF.CR"),
            ("\r\n\0.\r\n", "CRLF-.CRLF"),
        ] {
            let message = format!("text text{end}MAIL FROM:<a@b>\r\n");
            let offset = 9 + end.len() as u64;
            for piece in 1..=message.len() {
                let expected = (variant, offset, "MAIL FROM:<a@b>\r\n".to_owned());
                assert_eq!(found(&message, piece), [expected], "{variant}, {piece} octets at a time");
            }
        }
    }

    /// A dot at the very beginning stands behind DATA's CRLF.
    #[test]
    fn a_dot_may_be_the_first_octet() {
        assert_eq!(found(".\rx", 1), [("CRLF.CR", 2, "x".to_owned())]);
    }

    /// The end itself, dots at the end of a line, stuffed dots, and dot lines in bare LF, which are found elsewhere.
    #[test]
    fn what_is_in_order_is_not_found() {
        for message in
            ["a.\r\nb..\r\n", "a\r\n..\r\nb\r\n", "a\r\n.\r\n", "a\n.\r\nb", "a\n.\nb", "a\r\n.\nb", "a.\rb", ".."]
        {
            for piece in 1..=message.len() {
                assert_eq!(found(message, piece), [], "{message:?}");
            }
        }
    }

    fn bare(message: &str) -> Option<(u64, u64)> {
        let mut watch = EndWatch::default();
        watch.begin();
        let at = Stamp { offset: 0, timestamp: Time::default(), acknowledged: None, packet: None };
        watch.octets(message.as_bytes(), at);
        watch.end(at);
        watch.into_endings().and_then(|found| found.bare).map(|bare| (bare.lf, bare.cr))
    }

    #[test]
    fn line_ends_of_one_octet_are_counted() {
        assert_eq!(bare("a\r\nb\r\n"), None);
        assert_eq!(bare("a\nb\nc\r\n"), Some((2, 0)));
        assert_eq!(bare("a\rb\r\n"), Some((0, 1)));
    }

    #[test]
    fn no_more_is_kept_than_the_limits() {
        let message = "\r.\r".repeat(100) + &"x".repeat(2000);
        let lines = found(&message, 7);
        assert_eq!(lines.len(), DOT_LINES);
        assert!(lines.iter().all(|(_, _, behind)| behind.len() == BEHIND));
    }
}
