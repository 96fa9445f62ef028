//! Finds the end of the content that follows DATA, removes the dots that transparency put in, and reports dot lines
//! that only a lenient reader would take for the end.
//!
//! ```text
//!                       CRLF                             LF without CR
//!            ┌────────────────────────── In line ──────────────────────────┐
//!            ▼                            ▲  ▲                             ▼
//!       Line start ── other ──────────────┘  └───────────── other ── After bare LF
//!            │ "."  withheld              ▲  ▲                             │ "."  content
//!            ▼                            │  │                             ▼
//!           Dot ── other: dot deleted ────┤  ├───────────── other ─── Loose dot
//!            │ │ LF: DotLine CRLF.LF      │  │                   LF: DotLine LF.LF │ │
//!            │ CR  withheld               │  │                                     │ CR
//!            ▼                            │  │                                     ▼
//!         Dot CR ── other: dot deleted ───┘  └──────────── other ────────── Loose dot CR
//!            │ LF                                            LF: DotLine LF.CRLF │
//!            ▼                                                                   ▼
//!           End                                                              Line start
//! ```
//!
//! Only "LF ." ever needs a look, and memchr's two-octet search finds it at memory speed.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::line::len;

/// Something in the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentItem<'a> {
    /// Octets of the message. Never empty.
    Octets(&'a [u8]),
    /// A dot line for lenient readers ended at the last octet given.
    DotLine(DotLineVariant),
    /// CRLF "." CRLF: the message is over.
    End {
        /// Octets given since the content began.
        octets: u64,
    },
}

/// Line ends around a lone dot that some readers take for the end of the message, though RFC 5321 §4.1.1.4 forbids it:
/// > In particular, the sequence "&lt;LF&gt;.&lt;LF&gt;" (bare line feeds, without carriage returns) MUST NOT be treated
/// > as equivalent to &lt;CRLF&gt;.&lt;CRLF&gt; as the end of mail data indication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DotLineVariant {
    /// LF "." LF
    LfDotLf,
    /// LF "." CRLF
    LfDotCrLf,
    /// CRLF "." LF
    CrLfDotLf,
}

impl DotLineVariant {
    /// The octets as a report shows them: `LF.LF`, `LF.CRLF`, `CRLF.LF`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LfDotLf => "LF.LF",
            Self::LfDotCrLf => "LF.CRLF",
            Self::CrLfDotLf => "CRLF.LF",
        }
    }
}

/// Reads the content after DATA. Holds no octet: the two that may have to be withheld are states.
#[derive(Debug, Clone)]
pub struct ContentScanner {
    state: State,
    /// Octets given so far.
    octets: u64,
}

/// What the octets before the input were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, or CRLF.
    LineStart,
    /// CRLF ".", the dot withheld.
    Dot,
    /// CRLF "." CR, dot and CR withheld.
    DotCr,
    /// Anything else.
    InLine,
    /// CR.
    AfterCr,
    /// LF without CR.
    AfterBareLf,
    /// LF ".", the LF a bare one.
    LooseDot,
    /// LF "." CR, the LF a bare one.
    LooseDotCr,
    /// Lost octets.
    Unknown,
    /// A dot line that is still to be reported.
    Report(DotLineVariant),
}

impl ContentScanner {
    /// At the first octet behind DATA's CRLF, which is a line's start.
    pub const fn new() -> Self {
        Self { state: State::LineStart, octets: 0 }
    }

    /// Octets of content given so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// How many octets of `input` were used, and at most one item. To be called until there is no item and the whole
    /// input is used, even with an empty input. After [`ContentItem::End`] a new content begins.
    ///
    /// RFC 5321 §4.5.2:
    /// > When a line of mail text is received by the SMTP server, it checks the line. If the line is composed of a
    /// > single period, it is treated as the end of mail indicator. If the first character is a period and there are
    /// > other characters on the line, the first character is deleted.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> (usize, Option<ContentItem<'a>>) {
        if let State::Report(variant) = self.state {
            // Behind LF.CRLF the octets before are CRLF, behind the other two a bare LF.
            let ends_in_crlf = variant == DotLineVariant::LfDotCrLf;
            self.state = if ends_in_crlf { State::LineStart } else { State::AfterBareLf };
            return (0, Some(ContentItem::DotLine(variant)));
        }
        if input.is_empty() {
            return (0, None);
        }
        match self.state {
            State::LineStart => match input {
                [b'.', b'\r', b'\n', ..] => self.end(3),
                [b'.', b'\r'] => self.withhold(2, State::DotCr),
                [b'.', b'\n', ..] => self.dot_line(input, 1, 2, DotLineVariant::CrLfDotLf),
                [b'.'] => self.withhold(1, State::Dot),
                [b'.', ..] => self.text(input, 1),
                _ => self.text(input, 0),
            },
            State::Dot => match input {
                [b'\r', b'\n', ..] => self.end(2),
                [b'\r'] => self.withhold(1, State::DotCr),
                [b'\n', ..] => self.dot_line(input, 0, 1, DotLineVariant::CrLfDotLf),
                _ => self.text(input, 0),
            },
            State::DotCr => match input {
                [b'\n', ..] => self.end(1),
                _ => {
                    self.state = State::AfterCr;
                    self.give(0, b"\r")
                }
            },
            State::AfterBareLf => match input {
                [b'.', rest @ ..] => self.loose_dot(input, 1, rest),
                _ => self.text(input, 0),
            },
            State::LooseDot => self.loose_dot(input, 0, input),
            State::LooseDotCr => match input {
                [b'\n', ..] => self.dot_line(input, 0, 1, DotLineVariant::LfDotCrLf),
                _ => self.text(input, 0),
            },
            State::InLine | State::AfterCr | State::Unknown | State::Report(_) => self.text(input, 0),
        }
    }

    /// Octets were lost: what comes next is not at a line's start, but where it begins with LF, the CR is taken to be
    /// among the lost. A dot or dot CR that was withheld is given up: it was transparency or the beginning of the end.
    pub const fn gap(&mut self) {
        self.state = State::Unknown;
    }

    /// From `start`, where no dot line can be: everything up to the next line that begins with a dot.
    fn text<'a>(&mut self, input: &'a [u8], start: usize) -> (usize, Option<ContentItem<'a>>) {
        let mut from = start;
        while let Some(found) = input.get(from..).and_then(|rest| LF_DOT.find(rest)) {
            let lf = from.saturating_add(found);
            let dot = lf.saturating_add(1);
            let behind = lf.saturating_add(2);
            if self.follows_cr(input, lf) {
                self.state = State::LineStart;
                return self.give(dot, input.get(start..dot).unwrap_or_default());
            }
            match input.get(behind..).unwrap_or_default() {
                [] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..] => {
                    self.state = State::AfterBareLf;
                    return self.give(dot, input.get(start..dot).unwrap_or_default());
                }
                _ => from = behind,
            }
        }
        self.state = match input {
            [.., b'\r', b'\n'] => State::LineStart,
            [b'\n'] if self.follows_cr(input, 0) => State::LineStart,
            [.., b'\n'] => State::AfterBareLf,
            [.., b'\r'] => State::AfterCr,
            _ => State::InLine,
        };
        self.give(input.len(), input.get(start..).unwrap_or_default())
    }

    /// Behind a bare LF and a dot, `rest` of the input from `at` on.
    fn loose_dot<'a>(&mut self, input: &'a [u8], at: usize, rest: &[u8]) -> (usize, Option<ContentItem<'a>>) {
        match rest {
            [b'\n', ..] => self.dot_line(input, 0, at.saturating_add(1), DotLineVariant::LfDotLf),
            [b'\r', b'\n', ..] => self.dot_line(input, 0, at.saturating_add(2), DotLineVariant::LfDotCrLf),
            [b'\r'] => self.dot_so_far(input, State::LooseDotCr),
            [] => self.dot_so_far(input, State::LooseDot),
            _ => self.text(input, 0),
        }
    }

    fn dot_so_far<'a>(&mut self, input: &'a [u8], state: State) -> (usize, Option<ContentItem<'a>>) {
        self.state = state;
        self.give(input.len(), input)
    }

    /// Gives the input from `start` to `end`, where a dot line ends that the next step reports.
    fn dot_line<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        end: usize,
        variant: DotLineVariant,
    ) -> (usize, Option<ContentItem<'a>>) {
        self.state = State::Report(variant);
        self.give(end, input.get(start..end).unwrap_or_default())
    }

    fn end(&mut self, consumed: usize) -> (usize, Option<ContentItem<'static>>) {
        let octets = self.octets;
        *self = Self::new();
        (consumed, Some(ContentItem::End { octets }))
    }

    const fn withhold(&mut self, consumed: usize, state: State) -> (usize, Option<ContentItem<'static>>) {
        self.state = state;
        (consumed, None)
    }

    fn give<'a>(&mut self, consumed: usize, octets: &'a [u8]) -> (usize, Option<ContentItem<'a>>) {
        self.octets = self.octets.saturating_add(len(octets));
        (consumed, Some(ContentItem::Octets(octets)))
    }

    /// Whether the octet before the one at `at` is a CR.
    fn follows_cr(&self, input: &[u8], at: usize) -> bool {
        match at.checked_sub(1) {
            Some(before) => input.get(before) == Some(&b'\r'),
            None => matches!(self.state, State::AfterCr | State::Unknown),
        }
    }
}

impl Default for ContentScanner {
    fn default() -> Self {
        Self::new()
    }
}

static LF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Content with each dot line and the end where it stands in it.
    #[derive(Debug, PartialEq, Eq, Default)]
    struct Read {
        content: Vec<u8>,
        dot_lines: Vec<(usize, DotLineVariant)>,
        /// Octets said, and octets of the input behind the end.
        end: Option<(u64, usize)>,
    }

    /// By the scanner, the input cut behind each of `cuts`.
    fn scan(input: &[u8], cuts: &[usize]) -> Read {
        let mut cuts: Vec<_> = cuts.iter().map(|&cut| cut.min(input.len())).chain([0, input.len()]).collect();
        cuts.sort_unstable();
        let (mut scanner, mut read) = (ContentScanner::new(), Read::default());
        for cut in cuts.windows(2) {
            let mut piece = &input[cut[0]..cut[1]];
            loop {
                let (consumed, item) = scanner.step(piece);
                piece = &piece[consumed..];
                match item {
                    None if piece.is_empty() => break,
                    None => panic!("octets left and no item"),
                    Some(ContentItem::Octets(octets)) => {
                        assert!(!octets.is_empty());
                        read.content.extend_from_slice(octets);
                    }
                    Some(ContentItem::DotLine(variant)) => read.dot_lines.push((read.content.len(), variant)),
                    Some(ContentItem::End { octets }) => {
                        read.end = Some((octets, piece.len() + input.len() - cut[1]));
                        return read;
                    }
                }
            }
        }
        read
    }

    /// The naive twin: looks at all octets before and behind every octet, by the words of RFC 5321 §4.5.2.
    fn naive(input: &[u8]) -> Read {
        let mut read = Read::default();
        for at in 0..input.len() {
            let (before, behind) = input.split_at(at);
            let at_line_start = before.is_empty() || before.ends_with(b"\r\n");
            if at_line_start && behind.starts_with(b".\r\n") {
                read.end = Some((read.content.len() as u64, behind.len() - 3));
                return read;
            }
            let may_be_the_end = behind == b"." || behind == b".\r";
            if at_line_start && may_be_the_end {
                return read;
            }
            if !(at_line_start && behind[0] == b'.') {
                read.content.push(behind[0]);
            }
            let so_far = &input[..=at];
            let after = |dot: usize| {
                let before = &so_far[..so_far.len() - dot];
                (before.is_empty() || before.ends_with(b"\r\n"), before.ends_with(b"\n"))
            };
            let variant = if so_far.ends_with(b".\r\n") {
                (after(3) == (false, true)).then_some(DotLineVariant::LfDotCrLf)
            } else if so_far.ends_with(b".\n") {
                match after(2) {
                    (true, _) => Some(DotLineVariant::CrLfDotLf),
                    (false, true) => Some(DotLineVariant::LfDotLf),
                    (false, false) => None,
                }
            } else {
                None
            };
            read.dot_lines.extend(variant.map(|variant| (read.content.len(), variant)));
        }
        read
    }

    #[track_caller]
    fn ends(input: &[u8], content: &[u8]) {
        let octets = u64::try_from(content.len()).unwrap();
        let wanted = Read { content: content.to_vec(), dot_lines: vec![], end: Some((octets, 0)) };
        assert_eq!(scan(input, &[]), wanted);
        let everywhere: Vec<_> = (0..input.len()).collect();
        assert_eq!(scan(input, &everywhere), wanted);
    }

    /// The message of RFC 5321 appendix D.1.
    #[test]
    fn the_message_of_appendix_d() {
        ends(b"Blah blah blah...\r\n...etc. etc. etc.\r\n.\r\n", b"Blah blah blah...\r\n..etc. etc. etc.\r\n");
    }

    /// RFC 5321 §4.1.1.4: the CRLF of the DATA command is the first of CRLF "." CRLF, so a message may be empty.
    #[test]
    fn a_message_may_be_empty() {
        ends(b".\r\n", b"");
    }

    /// RFC 5321 §4.5.2.
    #[test]
    fn a_leading_dot_is_deleted_where_other_characters_follow() {
        ends(b"..\r\n..a\r\n.a\r\n a.\r\n.\r\n", b".\r\n.a\r\na\r\n a.\r\n");
        ends(b".\ra\r\n.\r\n", b"\ra\r\n");
        ends(b".\r\r\n.\r\n", b"\r\r\n");
    }

    #[track_caller]
    fn dot_line(input: &[u8], content: &[u8], at: usize, variant: DotLineVariant) {
        let octets = u64::try_from(content.len()).unwrap();
        let wanted = Read { content: content.to_vec(), dot_lines: vec![(at, variant)], end: Some((octets, 0)) };
        assert_eq!(scan(input, &[]), wanted);
    }

    #[test]
    fn dot_lines_in_bare_lf_do_not_end_the_message() {
        dot_line(b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", 4, DotLineVariant::LfDotLf);
        dot_line(b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", 5, DotLineVariant::LfDotCrLf);
        dot_line(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", 4, DotLineVariant::CrLfDotLf);
        dot_line(b".\nb\r\n.\r\n", b"\nb\r\n", 1, DotLineVariant::CrLfDotLf);
        // What ends in CRLF is a line's start, though it is a dot line for others.
        dot_line(b"a\n.\r\n.\r\n", b"a\n.\r\n", 5, DotLineVariant::LfDotCrLf);
    }

    #[test]
    fn no_dot_line_without_line_ends_around_it() {
        ends(b"\r.\r\na\n.a\n..\nb.\n\r\n.\r\n", b"\r.\r\na\n.a\n..\nb.\n\r\n");
    }

    #[test]
    fn behind_a_gap_is_no_line_start() {
        let mut scanner = ContentScanner::new();
        scanner.gap();
        assert_eq!(scanner.step(b".\r\n"), (3, Some(ContentItem::Octets(b".\r\n"))));
        scanner.gap();
        // The CR is among the lost.
        assert_eq!(scanner.step(b"\n.\r\n"), (1, Some(ContentItem::Octets(b"\n"))));
        assert_eq!(scanner.step(b".\r\n"), (3, Some(ContentItem::End { octets: 4 })));
        assert_eq!(scanner.octets(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_split_reads_as_the_naive_twin(
            pieces in prop::collection::vec(
                prop::sample::select(vec![&b"."[..], b"\r", b"\n", b"\r\n", b"a", b"\r\n.\n", b"\n.\r\n", b"\n.\n"]),
                0..24,
            ),
            cuts in prop::collection::vec(0_usize..48, 0..12),
        ) {
            let input = pieces.concat();
            let wanted = naive(&input);
            prop_assert_eq!(&scan(&input, &[]), &wanted);
            prop_assert_eq!(&scan(&input, &cuts), &wanted);
        }
    }
}
