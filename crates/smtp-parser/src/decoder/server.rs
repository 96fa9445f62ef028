//! What a server says: replies.
//!
//! ```text
//!            "250 …": Reply                 "250-…", no reply line: kept as text
//!           ┌────────┐                              ┌────────┐
//!           ▼        │         "250-…"              ▼        │
//!          ┌───────────┐ ──────────────────────▶ ┌───────────────┐
//!          │ between   │                         │ inside a      │
//!          │ replies   │ ◀────────────────────── │ reply         │
//!          └───────────┘    "250 …": Reply       └───────────────┘
//!           ▲        │
//!           └────────┘
//!            no reply line: Malformed
//! ```

use super::GapEffect;
use crate::deviation::{Deviation, Deviations};
use crate::event::{SmtpEvent, Step};
use crate::line::{Line, LineFramer, LineLimits, len};
use crate::reply::{EnhancedCode, Reply, ReplyCode, ReplyLine, reply_line};

/// Decodes what a server sends. See [`Step`] for how to call [`ServerDecoder::step`].
#[derive(Debug)]
pub struct ServerDecoder {
    framer: LineFramer,
    open: OpenReply,
    is_opaque: bool,
}

/// What a [`ServerDecoder`] has read and not yet told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingReply<'a> {
    /// Code and text, lines joined by LF, of the complete lines of a multi-line reply whose last line is missing.
    pub reply: Option<(ReplyCode, &'a [u8])>,
    /// The octets of an unfinished line, at most the line limit.
    pub partial_line: &'a [u8],
}

impl ServerDecoder {
    /// At the first octet of a connection.
    pub const fn new(limits: LineLimits) -> Self {
        Self {
            framer: LineFramer::new(limits.line_octets),
            open: OpenReply::new(limits.reply_octets),
            is_opaque: false,
        }
    }

    /// The next event.
    ///
    /// A line that is no reply line inside a multi-line reply is kept as one of its lines, as Postfix's client does:
    /// to end the reply there would let one stray line shift every later reply to the wrong command.
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> Step<'a> {
        let Self { framer, open, is_opaque } = self;
        if *is_opaque {
            let event = (!input.is_empty()).then(|| SmtpEvent::Opaque { octets: len(input) });
            return Step { consumed: input.len(), event };
        }
        let (consumed, line) = framer.step(input);
        Step { consumed, event: line.and_then(|line| open.push(&line, false)) }
    }

    /// What is read and not told: an unfinished line, an unfinished multi-line reply, or both.
    pub fn partial(&self) -> Option<PendingReply<'_>> {
        let pending = PendingReply { reply: self.open.so_far(), partial_line: self.framer.partial() };
        (pending.reply.is_some() || self.framer.has_partial()).then_some(pending)
    }

    /// Ends what is pending as if the server had ended it: for a greeting without CRLF that the client took. The reply
    /// is marked [`Deviation::Unterminated`] where its last line had no end, and [`Deviation::Incomplete`] where its
    /// last line said that more would follow. A line end that comes later is an empty line,
    /// [`SmtpEvent::Malformed`].
    pub fn flush_partial(&mut self) -> Option<SmtpEvent<'_>> {
        let Self { framer, open, .. } = self;
        match framer.finish() {
            Some(line) => open.push(&line, true),
            None => open.code.map(|code| open.close(code, Deviation::Incomplete.into())),
        }
    }

    /// `octets` are missing from the capture here. The partial line is lost. A multi-line reply stays open and is
    /// marked [`Deviation::Gap`]; to take it for ended instead, flush it first.
    pub fn gap(&mut self, octets: u64) -> GapEffect {
        if self.is_opaque {
            return GapEffect::Opaque;
        }
        let dropped = self.framer.break_line();
        self.open.mark(Deviation::Gap);
        self.open.octets = self.open.octets.saturating_add(dropped).saturating_add(octets);
        GapEffect::LineBroken { dropped }
    }

    /// The next octet begins a line: revokes the skipping to the next LF that a gap brought about.
    pub const fn assume_line_start(&mut self) {
        self.framer.assume_line_start();
    }

    /// Whether what comes is to be read at all. What is pending stays so.
    pub const fn set_opaque(&mut self, is_opaque: bool) {
        self.is_opaque = is_opaque;
    }

    /// The stream has ended: what [`ServerDecoder::flush_partial`] gives.
    pub fn finish(&mut self) -> Option<SmtpEvent<'_>> {
        self.flush_partial()
    }
}

impl Default for ServerDecoder {
    fn default() -> Self {
        Self::new(LineLimits::default())
    }
}

/// The lines of a multi-line reply so far. Holds at most `limit` octets of text.
#[derive(Debug)]
struct OpenReply {
    limit: usize,
    /// The code of the latest line; `None` between replies.
    code: Option<ReplyCode>,
    enhanced: Option<EnhancedCode>,
    text: Vec<u8>,
    lines: usize,
    octets: u64,
    deviations: Deviations,
}

impl OpenReply {
    const fn new(limit: usize) -> Self {
        Self { limit, code: None, enhanced: None, text: Vec::new(), lines: 0, octets: 0, deviations: Deviations::NONE }
    }

    const fn is_open(&self) -> bool {
        self.code.is_some()
    }

    fn so_far(&self) -> Option<(ReplyCode, &[u8])> {
        self.code.map(|code| (code, self.text.as_slice()))
    }

    fn mark(&mut self, deviation: Deviation) {
        self.deviations.insert_if(self.is_open(), deviation);
    }

    /// Takes a line; gives the event it completes. `last`: no line can follow.
    fn push<'a>(&'a mut self, line: &Line<'a>, last: bool) -> Option<SmtpEvent<'a>> {
        let parsed = match (reply_line(line.text), self.code) {
            (Ok(parsed), _) => parsed,
            (Err(_), Some(code)) => {
                self.mark(Deviation::ForeignLine);
                ReplyLine { code, more: true, text: line.text }
            }
            (Err(error), None) => return Some(SmtpEvent::Malformed { error, line: line.text, octets: line.octets }),
        };
        let mut deviations = line.deviations();
        deviations.insert_if(!parsed.code.is_in_range(), Deviation::CodeOutOfRange);
        if !parsed.more {
            deviations.insert_if(parsed.text.is_empty(), Deviation::MissingText);
        } else if last {
            deviations.insert(Deviation::Incomplete);
        }
        let more = parsed.more && !last;
        if !self.is_open() && !more {
            // The common case, one line, is lent.
            let enhanced = EnhancedCode::parse(parsed.text);
            let ReplyLine { code, text, .. } = parsed;
            return Some(reply(Reply { code, enhanced, text, lines: 1, octets: line.octets, deviations }));
        }
        self.hold(line, &parsed);
        self.deviations = self.deviations.union(deviations);
        (!more).then(|| self.close(parsed.code, Deviations::NONE))
    }

    /// Copies a line's text: a reply of several lines is told in one piece.
    fn hold(&mut self, line: &Line<'_>, parsed: &ReplyLine<'_>) {
        match self.code.replace(parsed.code) {
            None => {
                self.text.clear();
                self.lines = 0;
                self.octets = 0;
                self.enhanced = None;
            }
            Some(code) => self.deviations.insert_if(code != parsed.code, Deviation::MixedCodes),
        }
        let separator = usize::from(self.lines > 0);
        self.lines = self.lines.saturating_add(1);
        self.octets = self.octets.saturating_add(line.octets);
        self.enhanced = self.enhanced.or_else(|| EnhancedCode::parse(parsed.text));
        let wanted = self.text.len().saturating_add(separator).saturating_add(parsed.text.len());
        if wanted > self.limit || self.deviations.contains(Deviation::Truncated) {
            self.deviations.insert(Deviation::Truncated);
        } else {
            self.text.extend_from_slice(b"\n".get(..separator).unwrap_or_default());
            self.text.extend_from_slice(parsed.text);
        }
    }

    /// Ends the reply, whose code is `code`.
    fn close(&mut self, code: ReplyCode, deviations: Deviations) -> SmtpEvent<'_> {
        let deviations = std::mem::take(&mut self.deviations).union(deviations);
        self.code = None;
        let Self { enhanced, lines, octets, .. } = *self;
        reply(Reply { code, enhanced, text: &self.text, lines, octets, deviations })
    }
}

/// RFC 2034 §4: the class of the enhanced code must match the first digit of the reply code.
fn reply(mut reply: Reply<'_>) -> SmtpEvent<'_> {
    let agrees = reply.enhanced.is_none_or(|enhanced| enhanced.agrees_with(reply.code));
    reply.deviations.insert_if(!agrees, Deviation::EnhancedClassMismatch);
    SmtpEvent::Reply(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::ReplyError;

    #[track_caller]
    fn with_reply(server: &mut ServerDecoder, input: &[u8], check: impl FnOnce(Reply<'_>)) {
        let mut rest = input;
        loop {
            let Step { consumed, event } = server.step(rest);
            rest = &rest[consumed..];
            match event {
                Some(SmtpEvent::Reply(reply)) => {
                    assert!(rest.is_empty());
                    return check(reply);
                }
                Some(other) => panic!("{other:?}"),
                None => assert!(!rest.is_empty(), "no reply"),
            }
        }
    }

    #[track_caller]
    fn reads(input: &[u8], code: u16, text: &[u8], lines: usize, deviations: &[Deviation]) {
        with_reply(&mut ServerDecoder::default(), input, |reply| {
            assert_eq!((reply.code.value(), reply.text, reply.lines), (code, text, lines));
            assert_eq!(reply.deviations, deviations.iter().copied().collect());
            assert_eq!(reply.octets, len(input));
            assert_eq!(reply.lines().count(), lines);
        });
    }

    #[test]
    fn replies_of_rfc_5321_appendix_d_1() {
        reads(b"250 OK\r\n", 250, b"OK", 1, &[]);
        reads(
            b"250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n",
            250,
            b"foo.com greets bar.com\n8BITMIME\nSIZE\nDSN\nHELP",
            5,
            &[],
        );
    }

    /// RFC 5321 §4.2.1's example.
    #[test]
    fn a_reply_of_several_lines() {
        let input =
            b"250-First line\r\n250-Second line\r\n250-234 Text beginning with numbers\r\n250 The last line\r\n";
        reads(input, 250, b"First line\nSecond line\n234 Text beginning with numbers\nThe last line", 4, &[]);
    }

    #[test]
    fn one_line_in_one_input_is_lent() {
        let input = b"250 OK\r\n";
        with_reply(&mut ServerDecoder::default(), input, |reply| {
            assert_eq!(reply.text.as_ptr(), input[4..].as_ptr());
        });
    }

    #[test]
    fn deviations_are_recorded_and_nothing_is_lost() {
        reads(b"250-a\r\n550 b\r\n", 550, b"a\nb", 2, &[Deviation::MixedCodes]);
        reads(b"250 a\n", 250, b"a", 1, &[Deviation::BareLf]);
        reads(b"250 a\r\r\n", 250, b"a", 1, &[Deviation::RepeatedCr]);
        reads(b"250 a\rb\r\n", 250, b"a\rb", 1, &[Deviation::BareCr]);
        reads(b"250-a\0\r\n250 b\r\n", 250, b"a\0\nb", 2, &[Deviation::Nul]);
        reads(b"250\r\n", 250, b"", 1, &[Deviation::MissingText]);
        reads(b"250-\r\n250 \r\n", 250, b"\n", 2, &[Deviation::MissingText]);
        reads(b"650 a\r\n", 650, b"a", 1, &[Deviation::CodeOutOfRange]);
        reads(b"250-a\r\nwarning\r\n250 b\r\n", 250, b"a\nwarning\nb", 3, &[Deviation::ForeignLine]);
        reads(b"250 5.1.1 a\r\n", 250, b"5.1.1 a", 1, &[Deviation::EnhancedClassMismatch]);
    }

    /// RFC 5321 §4.2 asks for three digits in a range, not for one of its list: codes of other standards and servers.
    #[test]
    fn codes_outside_any_table_are_replies() {
        for code in [211_u16, 259, 334, 353, 432, 435, 523, 538, 556, 557] {
            reads(format!("{code} x\r\n").as_bytes(), code, b"x", 1, &[]);
            reads(format!("{code}-x\r\n{code}\r\n").as_bytes(), code, b"x\n", 2, &[Deviation::MissingText]);
        }
    }

    #[test]
    fn deviations_do_not_outlive_their_reply() {
        let mut server = ServerDecoder::default();
        with_reply(&mut server, b"250-a\n550 b\r\n", |reply| assert!(!reply.deviations.is_empty()));
        with_reply(&mut server, b"250-5.0.0 a\r\n250 b\r\n", |reply| assert!(reply.enhanced.is_some()));
        with_reply(&mut server, b"250-a\r\n250 b\r\n", |reply| {
            assert_eq!((reply.enhanced, reply.deviations, reply.lines), (None, Deviations::NONE, 2));
        });
    }

    /// RFC 2034 §5's example: each line has the code.
    #[test]
    fn the_enhanced_code_of_several_lines() {
        let input = b"550-5.1.1 Mailbox \"nosuchuser\"\r\n550 5.1.1 does not exist\r\n";
        with_reply(&mut ServerDecoder::default(), input, |reply| {
            assert_eq!(reply.enhanced.map(|code| code.to_string()).as_deref(), Some("5.1.1"));
        });
    }

    #[test]
    fn a_line_that_is_no_reply_between_replies() {
        let mut server = ServerDecoder::default();
        let error = ReplyError::Code { digits: 0 };
        assert_eq!(server.step(b"hello\r\n"), Step::new(7, SmtpEvent::Malformed { error, line: b"hello", octets: 7 }));
    }

    #[test]
    fn a_greeting_without_line_end_is_flushed() {
        let mut server = ServerDecoder::default();
        assert_eq!(server.partial(), None);
        assert_eq!(server.step(b"220 foo.com"), Step::silent(11));
        assert_eq!(server.partial(), Some(PendingReply { reply: None, partial_line: b"220 foo.com" }));
        let Some(SmtpEvent::Reply(reply)) = server.flush_partial() else { panic!() };
        assert_eq!((reply.code.value(), reply.text), (220, &b"foo.com"[..]));
        assert_eq!(reply.deviations, Deviation::Unterminated.into());
        assert_eq!(server.partial(), None);
        assert_eq!(server.flush_partial(), None);
    }

    #[test]
    fn an_unfinished_reply_is_told_at_the_end() {
        let mut server = ServerDecoder::default();
        server.step(b"250-a\r\n");
        let code = ReplyCode::new(250).unwrap();
        assert_eq!(server.partial(), Some(PendingReply { reply: Some((code, b"a")), partial_line: b"" }));
        let Some(SmtpEvent::Reply(reply)) = server.finish() else { panic!() };
        assert_eq!((reply.text, reply.deviations), (&b"a"[..], Deviation::Incomplete.into()));

        server.step(b"250-a\r\n");
        server.step(b"250-b");
        let Some(SmtpEvent::Reply(reply)) = server.finish() else { panic!() };
        assert_eq!((reply.text, reply.lines), (&b"a\nb"[..], 2));
        assert_eq!(reply.deviations, [Deviation::Unterminated, Deviation::Incomplete].into_iter().collect());
        assert_eq!(server.finish(), None);
    }

    #[test]
    fn a_gap_loses_the_line_and_keeps_the_reply() {
        let mut server = ServerDecoder::default();
        server.step(b"250-a\r\n");
        server.step(b"250-b");
        assert_eq!(server.gap(9), GapEffect::LineBroken { dropped: 5 });
        with_reply(&mut server, b"c\r\n250 d\r\n", |reply| {
            assert_eq!((reply.text, reply.deviations), (&b"a\nd"[..], Deviation::Gap.into()));
        });
        assert_eq!(server.gap(9), GapEffect::LineBroken { dropped: 0 });
        with_reply(&mut server, b"c\r\n250 d\r\n", |reply| assert!(reply.deviations.is_empty()));
    }

    #[test]
    fn the_limit_of_a_reply_is_reached_and_its_end_still_found() {
        let mut server = ServerDecoder::new(LineLimits { line_octets: 8, reply_octets: 6 });
        with_reply(&mut server, b"250-abc\r\n250-de\r\n250-f\r\n450 g\r\n", |reply| {
            assert_eq!((reply.code.value(), reply.text, reply.lines), (450, &b"abc\nde"[..], 4));
            assert_eq!(reply.deviations, [Deviation::Truncated, Deviation::MixedCodes].into_iter().collect());
        });
        with_reply(&mut server, b"250 abcdefgh\r\n", |reply| {
            assert_eq!((reply.text, reply.deviations), (&b"abcd"[..], Deviation::Truncated.into()));
        });
    }

    #[test]
    fn tls_is_not_read() {
        let mut server = ServerDecoder::default();
        server.set_opaque(true);
        assert_eq!(server.step(b"\x16\x03\n"), Step::new(3, SmtpEvent::Opaque { octets: 3 }));
        assert_eq!(server.step(b""), Step::silent(0));
        assert_eq!(server.gap(1), GapEffect::Opaque);
    }
}
