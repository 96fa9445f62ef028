//! Cuts an octet stream into lines, lending a line that lies wholly in the input and copying only one that is split.
//!
//! ```text
//!                 LF in input, buffer empty: lent           gap
//!               ┌──────────────┐                 ┌────────────────────────┐
//!               ▼              │                 │                        ▼
//!          ┌─────────────────────┐  no LF   ┌─────────┐   gap   ┌──────────────────┐
//!          │ at a line's start   │─────────▶│ in line │────────▶│ in a broken line │
//!          └─────────────────────┘ copied   └─────────┘         └──────────────────┘
//!               ▲      ▲             LF: lent from the buffer │        │ LF: consumed, no line
//!               │      └──────────────────────────────────────┘        │
//!               └──────────────────────────────────────────────────────┘
//! ```

use crate::deviation::{Deviation, Deviations};

/// How much of a line and of a reply is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimits {
    /// Octets of one line, without its line end. What is longer is discarded to the LF and the line marked truncated.
    pub line_octets: usize,
    /// Octets of the text of one multi-line reply. Further lines are dropped and the reply marked truncated.
    pub reply_octets: usize,
}

impl Default for LineLimits {
    /// 64 KiB a line, 256 KiB a reply. RFC 5321 §4.5.3.1 asks for 512 each, RFC 4954 §4 for 12 288 in an AUTH command.
    fn default() -> Self {
        Self { line_octets: 64 << 10, reply_octets: 256 << 10 }
    }
}

/// What ended a line.
///
/// RFC 5321 §2.3.8:
/// > Lines consist of zero or more data characters terminated by the sequence ASCII character "CR" (hex value 0D)
/// > followed immediately by ASCII character "LF" (hex value 0A). … Conforming implementations MUST NOT recognize or
/// > generate any other character or character sequence as a line terminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnding {
    /// CRLF, as it must be.
    CrLf,
    /// A bare LF.
    Lf,
    /// Two or more CR, then LF.
    CrCrLf,
    /// The stream ended first.
    None,
}

impl LineEnding {
    pub(crate) fn deviations(self) -> Deviations {
        match self {
            Self::CrLf => Deviations::NONE,
            Self::Lf => Deviation::BareLf.into(),
            Self::CrCrLf => Deviation::RepeatedCr.into(),
            Self::None => Deviation::Unterminated.into(),
        }
    }

    const fn after(crs: u64) -> Self {
        match crs {
            0 => Self::Lf,
            1 => Self::CrLf,
            _ => Self::CrCrLf,
        }
    }
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The octets before the line end, at most the limit.
    pub(crate) text: &'a [u8],
    pub(crate) ending: LineEnding,
    /// Whether `text` is only the line's beginning.
    pub(crate) truncated: bool,
    /// Octets on the wire, the line end among them.
    pub(crate) octets: u64,
}

impl Line<'_> {
    pub(crate) fn deviations(&self) -> Deviations {
        let mut deviations = self.ending.deviations();
        deviations.insert_if(self.truncated, Deviation::Truncated);
        if let Some(found) = memchr::memchr2(b'\r', 0, self.text) {
            let rest = self.text.get(found..).unwrap_or_default();
            deviations.insert_if(memchr::memchr(b'\r', rest).is_some(), Deviation::BareCr);
            deviations.insert_if(memchr::memchr(0, rest).is_some(), Deviation::Nul);
        }
        deviations
    }
}

/// See the module's picture. Holds at most `limit` octets.
#[derive(Debug)]
pub(crate) struct LineFramer {
    limit: usize,
    state: State,
    /// The first octets of the partial line; kept, and reused, while `state` is another one.
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    LineStart,
    InLine { octets: u64, trailing_crs: u64 },
    Broken,
}

impl LineFramer {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, state: State::LineStart, buffer: Vec::new() }
    }

    /// The next line and how many octets of `input` it used. No line: all of them were used.
    pub(crate) fn step<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Line<'a>>) {
        let Some((head, _)) = memchr::memchr(b'\n', input).and_then(|at| input.split_at_checked(at)) else {
            self.hold(input);
            return (input.len(), None);
        };
        let consumed = head.len().saturating_add(1);
        match self.state {
            State::Broken => {
                self.state = State::LineStart;
                (consumed, None)
            }
            State::LineStart => (consumed, Some(whole_line(head, self.limit))),
            State::InLine { .. } => {
                self.hold(head);
                let line = self.take();
                (consumed, line.map(|line| line.ended_by_lf()))
            }
        }
    }

    /// Copies what a later input must complete.
    fn hold(&mut self, octets: &[u8]) {
        let (held, crs_before) = match self.state {
            State::Broken => return,
            State::LineStart if octets.is_empty() => return,
            State::LineStart => {
                self.buffer.clear();
                (0, 0)
            }
            State::InLine { octets, trailing_crs } => (octets, trailing_crs),
        };
        let room = self.limit.saturating_sub(self.buffer.len());
        self.buffer.extend_from_slice(octets.get(..room).unwrap_or(octets));
        let crs = trailing_crs(octets);
        let trailing_crs = if crs == len(octets) { crs.saturating_add(crs_before) } else { crs };
        self.state = State::InLine { octets: held.saturating_add(len(octets)), trailing_crs };
    }

    /// The partial line, given up by the framer; its `ending` tells nothing yet.
    fn take(&mut self) -> Option<Held<'_>> {
        let State::InLine { octets, trailing_crs } = self.state else { return None };
        self.state = State::LineStart;
        Some(Held { buffer: &self.buffer, octets, trailing_crs })
    }

    /// The partial line as the stream's last.
    pub(crate) fn finish(&mut self) -> Option<Line<'_>> {
        let held = self.take()?;
        let kept = held.octets.saturating_sub(held.trailing_crs);
        Some(held.line(kept, LineEnding::None, held.octets))
    }

    /// What was held back so far.
    pub(crate) fn partial(&self) -> &[u8] {
        match self.state {
            State::InLine { .. } => &self.buffer,
            State::LineStart | State::Broken => &[],
        }
    }

    pub(crate) const fn has_partial(&self) -> bool {
        matches!(self.state, State::InLine { .. })
    }

    /// Takes the octets of the partial line out, for a reader to whom they are no line.
    pub(crate) fn take_partial(&mut self) -> Vec<u8> {
        match self.take() {
            Some(_) => std::mem::take(&mut self.buffer),
            None => Vec::new(),
        }
    }

    /// Octets are missing here: the partial line is dropped and everything up to the next LF is no line. Returns the
    /// octets dropped.
    pub(crate) fn break_line(&mut self) -> u64 {
        let dropped = self.take().map_or(0, |held| held.octets);
        self.state = State::Broken;
        dropped
    }

    /// The next octet begins a line, whatever was before.
    pub(crate) const fn assume_line_start(&mut self) {
        if matches!(self.state, State::Broken) {
            self.state = State::LineStart;
        }
    }
}

/// A line that lies in the buffer, as far as the limit let it.
#[derive(Clone, Copy)]
struct Held<'a> {
    buffer: &'a [u8],
    octets: u64,
    trailing_crs: u64,
}

impl<'a> Held<'a> {
    fn ended_by_lf(self) -> Line<'a> {
        let kept = self.octets.saturating_sub(self.trailing_crs);
        self.line(kept, LineEnding::after(self.trailing_crs), self.octets.saturating_add(1))
    }

    fn line(self, kept: u64, ending: LineEnding, octets: u64) -> Line<'a> {
        let text = usize::try_from(kept).ok().and_then(|kept| self.buffer.get(..kept)).unwrap_or(self.buffer);
        Line { text, ending, truncated: kept > len(text), octets }
    }
}

/// A line of which `head` is all but the LF.
fn whole_line(head: &[u8], limit: usize) -> Line<'_> {
    let trailing_crs = trailing_crs(head);
    let held = Held { buffer: head.get(..limit).unwrap_or(head), octets: len(head), trailing_crs };
    held.ended_by_lf()
}

fn trailing_crs(octets: &[u8]) -> u64 {
    octets.iter().rev().take_while(|&&octet| octet == b'\r').fold(0, |count: u64, _| count.saturating_add(1))
}

pub(crate) fn len(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text, ending, truncated, octets of a line.
    type Owned = (Vec<u8>, LineEnding, bool, u64);

    fn owned(line: &Line<'_>) -> Owned {
        (line.text.to_vec(), line.ending, line.truncated, line.octets)
    }

    fn lines(limit: usize, pieces: &[&[u8]]) -> Vec<Owned> {
        let (mut framer, mut lines) = (LineFramer::new(limit), vec![]);
        for &piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let (consumed, line) = framer.step(rest);
                lines.extend(line.iter().map(owned));
                rest = &rest[consumed..];
                assert!(framer.partial().len() <= limit);
            }
        }
        lines.extend(framer.finish().iter().map(owned));
        assert!(!framer.has_partial());
        lines
    }

    #[test]
    fn line_ends_of_every_kind() {
        let wanted = [
            (b"a".to_vec(), LineEnding::CrLf, false, 3),
            (b"b".to_vec(), LineEnding::Lf, false, 2),
            (b"c".to_vec(), LineEnding::CrCrLf, false, 4),
            (b"d\re".to_vec(), LineEnding::CrLf, false, 5),
            (vec![], LineEnding::CrLf, false, 2),
            (b"f".to_vec(), LineEnding::None, false, 2),
        ];
        assert_eq!(lines(10, &[b"a\r\nb\nc\r\r\nd\re\r\n\r\nf\r"]), wanted);
    }

    #[test]
    fn a_whole_line_is_lent() {
        let input = b"NOOP\r\n";
        let mut framer = LineFramer::new(10);
        let (_, line) = framer.step(input);
        assert_eq!(line.unwrap().text.as_ptr(), input.as_ptr());
    }

    #[test]
    fn a_line_over_the_limit_is_cut_and_the_next_is_not() {
        let wanted = [(b"abcd".to_vec(), LineEnding::CrLf, true, 7), (b"abcd".to_vec(), LineEnding::CrLf, false, 6)];
        assert_eq!(lines(4, &[b"abcde\r\nabcd\r\n"]), wanted);
        assert_eq!(lines(4, &[b"abc", b"de\r", b"\nab", b"cd\r\n"]), wanted);
    }

    #[test]
    fn behind_a_gap_everything_up_to_lf_is_no_line() {
        let mut framer = LineFramer::new(10);
        framer.step(b"MAIL FR");
        assert_eq!(framer.break_line(), 7);
        assert_eq!(framer.step(b"b>"), (2, None));
        assert!(!framer.has_partial());
        assert_eq!(framer.step(b"\r\nQUIT\r\n"), (2, None));
        assert_eq!(framer.step(b"QUIT\r\n").1.unwrap().text, b"QUIT");
        framer.break_line();
        framer.assume_line_start();
        assert_eq!(framer.step(b"QUIT\r\n").1.unwrap().text, b"QUIT");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            octets in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60),
            cuts in prop::collection::vec(0_usize..60, 0..10),
            limit in 0_usize..8,
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|&cut| cut.min(octets.len())).chain([0, octets.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect();
            prop_assert_eq!(lines(limit, &pieces), lines(limit, &[&octets]));
        }
    }
}
