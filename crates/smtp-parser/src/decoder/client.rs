//! What a client says: commands, and what the server asked it for.
//!
//! ```text
//!          set_mode(AuthResponse)              set_mode(Content)
//!   ┌──────────────────────── Command ──────────────────────────┐
//!   ▼                          ▲ │ ▲ ▲                          ▼
//!  AuthResponse ── one line ───┘ │ │ └── CRLF "." CRLF ──── Content
//!                                │ │
//!              BDAT size, at once│ │ size octets
//!                                ▼ │
//!                               Chunk            set_mode(Opaque), from any: Opaque
//!                                                set_mode(Blob), and back to Command behind its last octet
//! ```
//!
//! Only a reply can say what follows AUTH, DATA, STARTTLS and XEXCH50, so the dialogue sets those modes. BDAT needs none.

use super::GapEffect;
use crate::auth::Secret;
use crate::command::{Command, CommandLine};
use crate::content::{ContentItem, ContentScanner};
use crate::event::{SmtpEvent, Step};
use crate::line::{LineFramer, LineLimits, len};

/// What the client's octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMode {
    /// Command lines.
    Command,
    /// One line in answer to a 334.
    AuthResponse,
    /// The message behind DATA.
    Content,
    /// The message behind BDAT.
    Chunk {
        /// Octets of the chunk that are still to come. At 0 its end is still to be told.
        remaining: u64,
    },
    /// What belongs to the envelope behind XEXCH50, once 354 has let it come.
    Blob {
        /// Octets that are still to come. At 0 its end is still to be told.
        remaining: u64,
    },
    /// Not to be read.
    Opaque,
}

/// Decodes what a client sends. See [`Step`] for how to call [`ClientDecoder::step`].
#[derive(Debug)]
pub struct ClientDecoder {
    state: State,
    framer: LineFramer,
    /// A partial line that a change of mode made content, and how much of it is read.
    carry: Vec<u8>,
    carried: usize,
}

#[derive(Debug)]
enum State {
    Command,
    AuthResponse,
    Content(ContentScanner),
    Chunk(Counted),
    Blob(Counted),
    Opaque,
}

/// A number of octets that was announced.
#[derive(Debug, Clone, Copy)]
struct Counted {
    remaining: u64,
    captured: u64,
}

impl Counted {
    const fn new(size: u64) -> Self {
        Self { remaining: size, captured: 0 }
    }

    /// What of `input` belongs to it; counted as captured.
    fn take<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let within = usize::try_from(self.remaining).ok().and_then(|remaining| input.get(..remaining)).unwrap_or(input);
        self.remaining = self.remaining.saturating_sub(len(within));
        self.captured = self.captured.saturating_add(len(within));
        within
    }
}

impl ClientDecoder {
    /// At the first octet of a connection, in command mode.
    pub const fn new(limits: LineLimits) -> Self {
        Self { state: State::Command, framer: LineFramer::new(limits.line_octets), carry: Vec::new(), carried: 0 }
    }

    /// What the next octet is.
    pub const fn mode(&self) -> ClientMode {
        match self.state {
            State::Command => ClientMode::Command,
            State::AuthResponse => ClientMode::AuthResponse,
            State::Content(_) => ClientMode::Content,
            State::Chunk(Counted { remaining, .. }) => ClientMode::Chunk { remaining },
            State::Blob(Counted { remaining, .. }) => ClientMode::Blob { remaining },
            State::Opaque => ClientMode::Opaque,
        }
    }

    /// Says what the next octet is. Content begins at a line's start.
    ///
    /// A partial line is not lost: between the two modes of lines it stays one; in the others its octets (up to the
    /// line limit) are read again as what the new mode says, before the next input. Better is to have held them.
    pub fn set_mode(&mut self, mode: ClientMode) {
        self.state = match mode {
            ClientMode::Command => State::Command,
            ClientMode::AuthResponse => State::AuthResponse,
            ClientMode::Content => State::Content(ContentScanner::new()),
            ClientMode::Chunk { remaining } => State::Chunk(Counted::new(remaining)),
            ClientMode::Blob { remaining } => State::Blob(Counted::new(remaining)),
            ClientMode::Opaque => State::Opaque,
        };
        if !self.reads_lines() && self.framer.has_partial() {
            // Copied already when the line was split; moved here, before what an earlier change of mode left over.
            let unread = self.carry.get(self.carried..).unwrap_or_default().to_vec();
            self.carry = self.framer.take_partial();
            self.carry.extend_from_slice(&unread);
            self.carried = 0;
        }
        if !self.reads_lines() {
            self.framer.assume_line_start();
        }
    }

    /// The next event. A [`Command::Bdat`] switches to [`ClientMode::Chunk`] by itself; the chunk's
    /// [`SmtpEvent::ContentEnd`] comes with the step behind its last octet, for `BDAT 0` with the step behind the
    /// command, and uses no octet; so does a blob's [`SmtpEvent::BlobEnd`]. Behind these two and an
    /// [`SmtpEvent::AuthResponse`] the decoder is in command mode.
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> Step<'a> {
        let Self { state, framer, carry, carried } = self;
        match carry.get(*carried..) {
            Some(unread @ [_, ..]) => {
                let Step { consumed, event } = step(state, framer, unread);
                *carried = carried.saturating_add(consumed);
                Step { consumed: 0, event }
            }
            _ => step(state, framer, input),
        }
    }

    /// Whether the octets of an unfinished line are held.
    pub const fn has_partial_line(&self) -> bool {
        self.framer.has_partial()
    }

    /// The octets of an unfinished line, at most the line limit.
    pub fn partial_line(&self) -> &[u8] {
        self.framer.partial()
    }

    /// `octets` are missing from the capture here. To be called when all input so far was used.
    pub fn gap(&mut self, octets: u64) -> GapEffect {
        match &mut self.state {
            State::Command | State::AuthResponse => GapEffect::LineBroken { dropped: self.framer.break_line() },
            State::Content(scanner) => {
                scanner.gap();
                GapEffect::ContentBroken
            }
            State::Chunk(Counted { remaining, .. }) | State::Blob(Counted { remaining, .. }) => {
                match octets.checked_sub(*remaining) {
                    None => {
                        *remaining = remaining.saturating_sub(octets);
                        GapEffect::ChunkShortened { remaining: *remaining }
                    }
                    Some(beyond) => {
                        *remaining = 0;
                        if beyond > 0 {
                            self.framer.break_line();
                        }
                        GapEffect::ChunkEnded { beyond }
                    }
                }
            }
            State::Opaque => GapEffect::Opaque,
        }
    }

    /// The next octet begins a line: revokes the skipping to the next LF that a gap brought about. For a caller who
    /// knows better, say because a packet begins there with a verb.
    pub const fn assume_line_start(&mut self) {
        self.framer.assume_line_start();
    }

    /// The stream has ended, and `step` has nothing more to give. Gives what is still due, one event a call until none
    /// is left: a partial last line, with [`LineEnding::None`](crate::LineEnding::None); a dot line; the end of a chunk
    /// that is all there. Content that did not end has no [`SmtpEvent::ContentEnd`].
    pub fn finish(&mut self) -> Option<SmtpEvent<'_>> {
        let Self { state, framer, .. } = self;
        match state {
            State::Command => framer.finish().map(|line| SmtpEvent::Command(CommandLine::parse(&line))),
            State::AuthResponse => {
                *state = State::Command;
                framer.finish().map(|line| SmtpEvent::AuthResponse(Secret::new(line.text)))
            }
            State::Content(_)
            | State::Chunk(Counted { remaining: 0, .. })
            | State::Blob(Counted { remaining: 0, .. }) => step(state, framer, &[]).event,
            State::Chunk(_) | State::Blob(_) | State::Opaque => None,
        }
    }

    const fn reads_lines(&self) -> bool {
        matches!(self.state, State::Command | State::AuthResponse)
    }
}

impl Default for ClientDecoder {
    fn default() -> Self {
        Self::new(LineLimits::default())
    }
}

/// One step over octets that are the input, or what a change of mode left over.
fn step<'a>(state: &mut State, framer: &'a mut LineFramer, input: &'a [u8]) -> Step<'a> {
    match state {
        State::Command => {
            let (consumed, line) = framer.step(input);
            let Some(line) = line else { return Step::silent(consumed) };
            let line = CommandLine::parse(&line);
            if let Command::Bdat { size, .. } = line.command {
                *state = State::Chunk(Counted::new(size));
            }
            Step::new(consumed, SmtpEvent::Command(line))
        }
        State::AuthResponse => {
            let (consumed, line) = framer.step(input);
            let Some(line) = line else { return Step::silent(consumed) };
            *state = State::Command;
            Step::new(consumed, SmtpEvent::AuthResponse(Secret::new(line.text)))
        }
        State::Content(scanner) => {
            let (consumed, item) = scanner.step(input);
            let event = item.map(|item| match item {
                ContentItem::Octets(octets) => SmtpEvent::Content(octets),
                ContentItem::DotLine(variant) => SmtpEvent::DotLine(variant),
                ContentItem::End { octets } => {
                    *state = State::Command;
                    SmtpEvent::ContentEnd { octets }
                }
            });
            Step { consumed, event }
        }
        State::Chunk(Counted { remaining: 0, captured: octets }) => {
            let event = SmtpEvent::ContentEnd { octets: *octets };
            *state = State::Command;
            Step::new(0, event)
        }
        State::Blob(Counted { remaining: 0, captured: octets }) => {
            let event = SmtpEvent::BlobEnd { octets: *octets };
            *state = State::Command;
            Step::new(0, event)
        }
        State::Chunk(_) | State::Blob(_) if input.is_empty() => Step::silent(0),
        State::Chunk(chunk) => {
            let within = chunk.take(input);
            Step::new(within.len(), SmtpEvent::Content(within))
        }
        State::Blob(blob) => {
            let within = blob.take(input);
            Step::new(within.len(), SmtpEvent::Opaque { octets: len(within) })
        }
        State::Opaque if input.is_empty() => Step::silent(0),
        State::Opaque => Step::new(input.len(), SmtpEvent::Opaque { octets: len(input) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandError;
    use crate::content::DotLineVariant;
    use crate::line::LineEnding;

    /// Gives `input` and then nothing until nothing more comes; adjacent content in one, each event as text.
    fn feed(decoder: &mut ClientDecoder, input: &[u8]) -> Vec<String> {
        let (mut rest, mut said) = (input, vec![]);
        loop {
            let Step { consumed, event } = decoder.step(rest);
            rest = &rest[consumed..];
            match event {
                Some(event) => said.push(shown(&event)),
                None if rest.is_empty() => return said,
                None => {}
            }
        }
    }

    fn shown(event: &SmtpEvent<'_>) -> String {
        match event {
            SmtpEvent::Command(line) => format!("command {}", line.verb.escape_ascii()),
            SmtpEvent::Content(octets) => format!("content {}", octets.escape_ascii()),
            SmtpEvent::ContentEnd { octets } => format!("end {octets}"),
            SmtpEvent::AuthResponse(secret) => format!("response {}", secret.reveal().escape_ascii()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn data_then_commands_again() {
        let mut client = ClientDecoder::default();
        assert_eq!(feed(&mut client, b"DATA\r\n"), ["command DATA"]);
        client.set_mode(ClientMode::Content);
        assert_eq!(client.mode(), ClientMode::Content);
        assert_eq!(
            feed(&mut client, b"Blah\r\n..\r\n.\r\nQUIT\r\n"),
            ["content Blah\\r\\n", "content .\\r\\n", "end 9", "command QUIT"]
        );
        assert_eq!(client.mode(), ClientMode::Command);
    }

    /// RFC 3030 §4.1, a message in one chunk; §4.2, in several, the last one empty.
    #[test]
    fn bdat_chunks_follow_at_once() {
        let mut client = ClientDecoder::default();
        assert_eq!(
            feed(&mut client, b"BDAT 5 LAST\r\n.\r\n.\nQUIT\r\n"),
            ["command BDAT", "content .\\r\\n.\\n", "end 5", "command QUIT"]
        );
        assert_eq!(feed(&mut client, b"BDAT 3\r\nab"), ["command BDAT", "content ab"]);
        assert_eq!(client.mode(), ClientMode::Chunk { remaining: 1 });
        assert_eq!(feed(&mut client, b"c"), ["content c", "end 3"]);
        assert_eq!(feed(&mut client, b"BDAT 0 LAST\r\n"), ["command BDAT", "end 0"]);
    }

    /// `XEXCH50 5 2`, answered by 354: five octets that are no message and may look like anything.
    #[test]
    fn a_blob_is_counted_and_not_read() {
        let mut client = ClientDecoder::default();
        let Some(SmtpEvent::Command(line)) = client.step(b"XEXCH50 5 2\r\n").event else { panic!() };
        let Command::Xexch50 { size } = line.command else { panic!() };
        client.set_mode(ClientMode::Blob { remaining: size });
        assert_eq!(feed(&mut client, b"\n.\r"), ["Opaque { octets: 3 }"]);
        assert_eq!(client.mode(), ClientMode::Blob { remaining: 2 });
        let said = feed(&mut client, b"\n\0BDAT 1 LAST\r\na");
        assert_eq!(said, ["Opaque { octets: 2 }", "BlobEnd { octets: 5 }", "command BDAT", "content a", "end 1"]);
        client.set_mode(ClientMode::Blob { remaining: 0 });
        assert_eq!(client.finish(), Some(SmtpEvent::BlobEnd { octets: 0 }));
    }

    #[test]
    fn a_gap_in_a_blob_shortens_or_ends_it() {
        let mut client = ClientDecoder::default();
        client.set_mode(ClientMode::Blob { remaining: 10 });
        assert_eq!(client.gap(4), GapEffect::ChunkShortened { remaining: 6 });
        assert_eq!(client.gap(7), GapEffect::ChunkEnded { beyond: 1 });
        assert_eq!(feed(&mut client, b"T\r\nQUIT\r\n"), ["BlobEnd { octets: 0 }", "command QUIT"]);
    }

    #[test]
    fn a_bdat_of_wrong_syntax_has_no_chunk() {
        let mut client = ClientDecoder::default();
        let Some(SmtpEvent::Command(line)) = client.step(b"BDAT -5\r\nQUIT\r\n").event else { panic!() };
        assert_eq!(line.command, Command::Invalid { verb: crate::Verb::Bdat, error: CommandError::ChunkSize });
        assert_eq!(client.mode(), ClientMode::Command);
    }

    /// RFC 4954 §4.1, the example with CRAM-MD5, and §4's cancellation.
    #[test]
    fn an_auth_response_is_one_line() {
        let mut client = ClientDecoder::default();
        assert_eq!(feed(&mut client, b"AUTH CRAM-MD5\r\n"), ["command AUTH"]);
        client.set_mode(ClientMode::AuthResponse);
        let response = b"cmpzMyBlYzNhNTlmZWQzOTVhYmExZWM2MzY3YzRmNGI0MWFjMA==\r\nNOOP\r\n";
        let said = feed(&mut client, response);
        assert_eq!(said, ["response cmpzMyBlYzNhNTlmZWQzOTVhYmExZWM2MzY3YzRmNGI0MWFjMA==", "command NOOP"]);
        client.set_mode(ClientMode::AuthResponse);
        let Some(SmtpEvent::AuthResponse(secret)) = client.step(b"*\r\n").event else { panic!() };
        assert!(secret.is_cancel());
    }

    #[test]
    fn tls_is_not_read() {
        let mut client = ClientDecoder::default();
        client.set_mode(ClientMode::Opaque);
        assert_eq!(client.step(b"\x16\x03\x01\n"), Step::new(4, SmtpEvent::Opaque { octets: 4 }));
        assert_eq!(client.step(b""), Step::silent(0));
        assert_eq!(client.gap(7), GapEffect::Opaque);
    }

    #[test]
    fn a_partial_line_is_held_and_told_at_the_end() {
        let mut client = ClientDecoder::default();
        assert_eq!(client.step(b"QU"), Step::silent(2));
        assert!(client.has_partial_line() && client.partial_line() == b"QU");
        assert_eq!(client.step(b"IT"), Step::silent(2));
        let Some(SmtpEvent::Command(line)) = client.finish() else { panic!() };
        assert_eq!((line.command, line.ending, line.octets), (Command::Quit, LineEnding::None, 4));
        assert_eq!(client.finish(), None);
    }

    #[test]
    fn a_late_change_of_mode_loses_no_octet() {
        let mut client = ClientDecoder::default();
        assert_eq!(feed(&mut client, b"DATA\r\nSubj"), ["command DATA"]);
        client.set_mode(ClientMode::Content);
        assert_eq!(feed(&mut client, b"ect: a\r\n.\r\n"), ["content Subj", "content ect: a\\r\\n", "end 12"]);

        assert_eq!(feed(&mut client, b"STARTTLS\r\n\x16\x03"), ["command STARTTLS"]);
        client.set_mode(ClientMode::Opaque);
        assert_eq!(feed(&mut client, b""), ["Opaque { octets: 2 }"]);

        let mut client = ClientDecoder::default();
        assert_eq!(feed(&mut client, b".\r"), Vec::<String>::new());
        client.set_mode(ClientMode::Content);
        assert_eq!(feed(&mut client, b"\nQUIT\r\n"), ["end 0", "command QUIT"]);
    }

    #[test]
    fn a_gap_in_commands_resumes_behind_the_next_line_end() {
        let mut client = ClientDecoder::default();
        client.step(b"MAIL FR");
        assert_eq!(client.gap(3), GapEffect::LineBroken { dropped: 7 });
        assert_eq!(feed(&mut client, b"<a@b>\r\nDATA\r\n"), ["command DATA"]);
        client.gap(3);
        client.assume_line_start();
        assert_eq!(feed(&mut client, b"RSET\r\n"), ["command RSET"]);
    }

    #[test]
    fn a_broken_line_does_not_outlast_the_mode() {
        let mut client = ClientDecoder::default();
        client.gap(3);
        client.set_mode(ClientMode::Content);
        assert_eq!(feed(&mut client, b"a\r\n.\r\nQUIT\r\n"), ["content a\\r\\n", "end 3", "command QUIT"]);
    }

    #[test]
    fn a_gap_in_a_chunk_shortens_or_ends_it() {
        let mut client = ClientDecoder::default();
        feed(&mut client, b"BDAT 10\r\nab");
        assert_eq!(client.gap(3), GapEffect::ChunkShortened { remaining: 5 });
        assert_eq!(feed(&mut client, b"cdefgRSET\r\n"), ["content cdefg", "end 7", "command RSET"]);

        feed(&mut client, b"BDAT 10\r\nab");
        assert_eq!(client.gap(8), GapEffect::ChunkEnded { beyond: 0 });
        assert_eq!(feed(&mut client, b"RSET\r\n"), ["end 2", "command RSET"]);

        feed(&mut client, b"BDAT 10\r\nab");
        assert_eq!(client.gap(9), GapEffect::ChunkEnded { beyond: 1 });
        assert_eq!(feed(&mut client, b"SET\r\nQUIT\r\n"), ["end 2", "command QUIT"]);
    }

    #[test]
    fn a_gap_in_content_is_no_line_start() {
        let mut client = ClientDecoder::default();
        client.set_mode(ClientMode::Content);
        assert_eq!(client.gap(100), GapEffect::ContentBroken);
        assert_eq!(feed(&mut client, b".\r\n.\r\n"), ["content .\\r\\n", "end 3"]);
    }

    #[test]
    fn what_is_due_at_the_end() {
        let mut client = ClientDecoder::default();
        client.step(b"BDAT 0\r\n");
        assert_eq!(client.finish(), Some(SmtpEvent::ContentEnd { octets: 0 }));
        assert_eq!(client.finish(), None);

        client.set_mode(ClientMode::Content);
        assert_eq!(client.step(b".\n"), Step::new(2, SmtpEvent::Content(b"\n")));
        assert_eq!(client.finish(), Some(SmtpEvent::DotLine(DotLineVariant::CrLfDotLf)));
        assert_eq!(client.finish(), None);

        client.set_mode(ClientMode::AuthResponse);
        client.step(b"dGVz");
        assert_eq!(client.finish(), Some(SmtpEvent::AuthResponse(Secret::new(b"dGVz"))));
    }

    #[test]
    fn the_line_limit_is_reached() {
        let mut client = ClientDecoder::new(LineLimits { line_octets: 8, ..LineLimits::default() });
        let Some(SmtpEvent::Command(line)) = client.step(b"NOOP abcdefgh\r\n").event else { panic!() };
        assert_eq!((line.argument, line.truncated, line.octets), (&b"abc"[..], true, 15));
        client.step(b"NOOP abcd");
        assert_eq!(client.partial_line(), b"NOOP abc");
    }
}
