//! SMTP dialogues (RFC 5321), with or without pipelining (RFC 2920), chunks (RFC 3030) and STARTTLS (RFC 3207), and what
//! becomes of their mails.

use super::Truth;
use super::connection::{Side, Turn};
use super::prng::Prng;
use super::text::Lines;
use super::tls;

/// Writes dialogues and counts what is in them.
#[derive(Debug)]
pub(super) struct Mailer {
    words: Lines,
    base64: Lines,
    mails: u64,
}

/// How the mails of a connection are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Mails per connection, from and to.
    pub(super) mails: (u64, u64),
    /// Octets of a message, from and to.
    pub(super) octets: (u64, u64),
    pub(super) transfer: Transfer,
    pub(super) security: Security,
    /// Some sessions end before their time: with QUIT behind RCPT, or in the middle of a message.
    pub(super) is_rough: bool,
    /// Every mail is accepted, and its paths have a blank in front, which RFC 5321 §3.3 forbids and servers take.
    pub(super) is_blank_before_path: bool,
    /// There is a command, a reply, a header field and a text without a line end.
    pub(super) has_endless_lines: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            mails: (1, 1),
            octets: (1_000, 2_000),
            transfer: Transfer::Either,
            security: Security::Plain,
            is_rough: false,
            is_blank_before_path: false,
            has_endless_lines: false,
        }
    }
}

/// How commands and messages go over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// DATA; a client pipelines or does not.
    Either,
    /// DATA; what follows a message goes with it.
    Ahead,
    /// BDAT.
    Bdat,
}

/// What becomes of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// It is not asked for.
    Plain,
    /// It is asked for; three servers in four have it.
    StartTls,
    /// It is there from the first octet.
    Implicit,
}

/// A dialogue being written.
struct Dialogue<'a> {
    turns: Vec<Turn>,
    truth: &'a mut Truth,
    /// Nothing more is said.
    is_over: bool,
}

/// What is to become of a mail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Accepted,
    RefusedAtRcpt,
    RefusedAtEnd,
    Reset,
    /// QUIT behind RCPT.
    Left,
    /// The connection closes in the message.
    Broken,
}

impl Fate {
    fn of(habits: Habits, prng: &mut Prng) -> Self {
        match prng.below(100) {
            _ if habits.is_blank_before_path => Self::Accepted,
            0..4 => Self::RefusedAtRcpt,
            4..6 => Self::RefusedAtEnd,
            6..8 => Self::Reset,
            8..10 if habits.is_rough => Self::Left,
            10..12 if habits.is_rough => Self::Broken,
            _ => Self::Accepted,
        }
    }

    /// Whether the client offers the message to the server.
    const fn has_message(self) -> bool {
        matches!(self, Self::Accepted | Self::RefusedAtEnd | Self::Broken)
    }
}

impl Mailer {
    pub(super) fn new(prng: &mut Prng) -> Self {
        Self::from_pool(POOL_OCTETS, prng)
    }

    /// Quickly made, for messages of at most a few thousand octets.
    pub(super) fn small(prng: &mut Prng) -> Self {
        Self::from_pool(SMALL_POOL_OCTETS, prng)
    }

    fn from_pool(octets: usize, prng: &mut Prng) -> Self {
        Self { words: Lines::words(octets, prng), base64: Lines::base64(octets, prng), mails: 0 }
    }

    /// One connection from greeting to 221.
    pub(super) fn session(&mut self, habits: Habits, prng: &mut Prng, truth: &mut Truth) -> Vec<Turn> {
        truth.sessions += 1;
        if habits.security == Security::Implicit {
            truth.tls_sessions += 1;
            return tls::conversation(prng);
        }
        let mut dialogue = Dialogue { turns: Vec::new(), truth, is_over: false };
        dialogue.replies(&["220 mx.example.net ESMTP ready\r\n"]);
        dialogue.commands(&["EHLO client.example.org\r\n"]);
        let mut extensions = "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n".to_owned();
        extensions.push_str(if habits.transfer == Transfer::Bdat { "250-CHUNKING\r\n" } else { "" });
        extensions.push_str(if habits.security == Security::StartTls { "250-STARTTLS\r\n" } else { "" });
        extensions.push_str("250 DSN\r\n");
        dialogue.replies(&[extensions]);
        if habits.security == Security::StartTls {
            dialogue.commands(&["STARTTLS\r\n"]);
            if !prng.one_in(4) {
                dialogue.replies(&["220 2.0.0 go ahead\r\n"]);
                dialogue.truth.tls_sessions += 1;
                dialogue.turns.extend(tls::conversation(prng));
                return dialogue.turns;
            }
            dialogue.replies(&["454 4.7.0 TLS not available\r\n"]);
        }
        if habits.has_endless_lines {
            dialogue.commands(&[format!("NOOP {}\r\n", "a".repeat(prng.size(70_000, 1_000_000)))]);
            dialogue.replies(&[format!("500 {}\r\n", "line too long ".repeat(prng.size(5_000, 70_000)))]);
        }
        let pipelining = habits.transfer != Transfer::Either || prng.one_in(2);
        for _ in 0..prng.between(habits.mails.0, habits.mails.1) {
            if !dialogue.is_over {
                self.transaction(Fate::of(habits, prng), pipelining, habits, prng, &mut dialogue);
            }
        }
        if !dialogue.is_over {
            dialogue.quit();
        }
        if habits.transfer == Transfer::Ahead { ahead(dialogue.turns) } else { dialogue.turns }
    }

    /// Mails that an endless session goes on with, and its end if there are no more.
    pub(super) fn further(&mut self, habits: Habits, more: bool, prng: &mut Prng, truth: &mut Truth) -> Vec<Turn> {
        let mut dialogue = Dialogue { turns: Vec::new(), truth, is_over: false };
        if more {
            let pipelining = prng.one_in(2);
            self.transaction(Fate::of(habits, prng), pipelining, habits, prng, &mut dialogue);
        } else {
            dialogue.quit();
        }
        dialogue.turns
    }

    fn transaction(
        &mut self,
        fate: Fate,
        pipelining: bool,
        habits: Habits,
        prng: &mut Prng,
        dialogue: &mut Dialogue<'_>,
    ) {
        self.mails += 1;
        let number = self.mails;
        let sender = format!("sender{}@example.org", number % 977);
        let blank = if habits.is_blank_before_path { " " } else { "" };
        let mut commands = vec![format!("MAIL FROM:{blank}<{sender}> SIZE={}\r\n", habits.octets.1)];
        let mut replies = vec!["250 2.1.0 sender ok\r\n".to_owned()];
        for i in 0..prng.between(1, 3) {
            let refused = fate == Fate::RefusedAtRcpt || (i > 0 && prng.one_in(10));
            dialogue.truth.recipients += 1;
            dialogue.truth.accepted_recipients += u64::from(!refused);
            commands.push(format!("RCPT TO:{blank}<user{}@example.net>\r\n", (number * 7 + i) % 1_009));
            replies.push(if refused { "550 5.1.1 no such user\r\n" } else { "250 2.1.5 recipient ok\r\n" }.to_owned());
        }
        let chunked = habits.transfer == Transfer::Bdat;
        if !chunked && (fate.has_message() || fate == Fate::RefusedAtRcpt && pipelining) {
            commands.push("DATA\r\n".to_owned());
            let reply = if fate.has_message() { "354 end with a dot\r\n" } else { "554 5.5.1 no valid recipients\r\n" };
            replies.push(reply.to_owned());
            dialogue.truth.contents_begun.push(fate.has_message());
        }
        if pipelining {
            dialogue.commands(&commands);
            dialogue.replies(&replies);
        } else {
            for (command, reply) in commands.iter().zip(&replies) {
                dialogue.commands(&[command]);
                dialogue.replies(&[reply]);
            }
        }
        match fate {
            Fate::Accepted | Fate::RefusedAtEnd if chunked => {
                self.chunks(fate, &sender, habits, prng, dialogue);
            }
            Fate::Accepted | Fate::RefusedAtEnd => {
                let (content, octets) = self.content(&sender, habits, prng);
                dialogue.truth.message_octets += octets;
                dialogue.turns.push(Turn { from: Side::Client, octets: content });
                dialogue.replies(&[self.verdict(fate)]);
            }
            Fate::RefusedAtRcpt | Fate::Reset => {
                dialogue.commands(&["RSET\r\n"]);
                dialogue.replies(&["250 2.0.0 ok\r\n"]);
            }
            Fate::Left => dialogue.quit(),
            Fate::Broken => {
                // Only its header, which has no dots to unstuff.
                let header = self.header(&sender).into_bytes();
                dialogue.truth.message_octets += header.len() as u64;
                dialogue.turns.push(Turn { from: Side::Client, octets: header });
                dialogue.is_over = true;
            }
        }
        match fate {
            Fate::Accepted => dialogue.truth.accepted_transactions += 1,
            Fate::RefusedAtRcpt | Fate::RefusedAtEnd => dialogue.truth.rejected_transactions += 1,
            Fate::Reset | Fate::Left | Fate::Broken => dialogue.truth.aborted_transactions += 1,
        }
    }

    fn verdict(&self, fate: Fate) -> String {
        match fate {
            Fate::Accepted => format!("250 2.0.0 ok: queued as {:010X}\r\n", self.mails),
            _ => "554 5.7.1 message refused\r\n".to_owned(),
        }
    }

    /// The message in one to five chunks; the last one may be empty.
    fn chunks(&self, fate: Fate, sender: &str, habits: Habits, prng: &mut Prng, dialogue: &mut Dialogue<'_>) {
        let (mut content, _) = self.content(sender, habits, prng);
        // RFC 3030 §2: there is no dot line, and dots stand as they are.
        content.truncate(content.len().saturating_sub(b".\r\n".len()));
        dialogue.truth.message_octets += content.len() as u64;
        let chunks = prng.size(1, 5);
        let mut rest = content.as_slice();
        for number in 1..=chunks {
            let is_last = number == chunks;
            let octets = if is_last { rest.len() } else { prng.size(0, rest.len() as u64) };
            let (chunk, behind) = rest.split_at(octets);
            let last = if is_last { " LAST" } else { "" };
            dialogue.truth.commands += 1;
            let command = format!("BDAT {octets}{last}\r\n");
            dialogue.turns.push(Turn { from: Side::Client, octets: [command.as_bytes(), chunk].concat() });
            dialogue.replies(&[if is_last { self.verdict(fate) } else { format!("250 2.0.0 {octets} octets\r\n") }]);
            rest = behind;
        }
    }

    fn header(&self, sender: &str) -> String {
        let number = self.mails;
        format!(
            "Received: from client.example.org (client.example.org [198.18.0.1])\r\n\tby mx.example.net with ESMTP id \
             {number:010X};\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
             From: Sender <{sender}>\r\nTo: User <user@example.net>\r\nSubject: Report number {number}\r\n\
             Message-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\n"
        )
    }

    /// A message as it goes over the wire, with the dot line, and the octets it has without it and unstuffed.
    fn content(&self, sender: &str, habits: Habits, prng: &mut Prng) -> (Vec<u8>, u64) {
        let wanted = prng.size(habits.octets.0, habits.octets.1);
        let is_large = wanted > LARGE_OCTETS;
        let mut content = Vec::with_capacity(wanted + 500);
        content.extend_from_slice(self.header(sender).as_bytes());
        if habits.has_endless_lines {
            content.extend_from_slice(b"X-Endless: ");
            content.extend(std::iter::repeat_n(b'b', prng.size(70_000, 1_000_000)));
            content.extend_from_slice(b"\r\n");
        }
        let mut stuffed = 0;
        if is_large {
            content.extend_from_slice(MULTIPART.as_bytes());
            while content.len() < wanted {
                let octets = (wanted - content.len()).min(POOL_OCTETS / 2);
                content.extend_from_slice(self.base64.run(octets, prng));
            }
            content.extend_from_slice(b"--=_part--\r\n");
        } else {
            content.extend_from_slice(b"Content-Type: text/plain; charset=us-ascii\r\n\r\n");
            if prng.one_in(8) {
                // RFC 5321 §4.5.2: a line that begins with a period gets one more.
                content.extend_from_slice(b"..profile is the file in question\r\n");
                stuffed = 1;
            }
            content.extend_from_slice(self.words.run(wanted.saturating_sub(content.len()), prng));
        }
        if habits.has_endless_lines {
            content.extend(std::iter::repeat_n(b'c', prng.size(70_000, 1_000_000)));
            content.extend_from_slice(b"\r\n");
        }
        let octets = content.len() as u64 - stuffed;
        content.extend_from_slice(b".\r\n");
        (content, octets)
    }
}

impl Dialogue<'_> {
    /// The client sends these commands at once.
    fn commands<T: AsRef<str>>(&mut self, commands: &[T]) {
        self.truth.commands += commands.len() as u64;
        self.say(Side::Client, commands);
    }

    /// The server sends these replies at once.
    fn replies<T: AsRef<str>>(&mut self, replies: &[T]) {
        self.truth.replies += replies.len() as u64;
        self.say(Side::Server, replies);
    }

    fn quit(&mut self) {
        self.commands(&["QUIT\r\n"]);
        self.replies(&["221 2.0.0 bye\r\n"]);
        self.is_over = true;
    }

    fn say<T: AsRef<str>>(&mut self, from: Side, lines: &[T]) {
        let octets = lines.iter().flat_map(|line| line.as_ref().bytes()).collect();
        self.turns.push(Turn { from, octets });
    }
}

/// What a client says behind a message goes with it, and the answers come together: RFC 2920 §3.1 lets a client send
/// MAIL, RCPT, RSET and DATA without having waited for the reply to the message in front of them.
fn ahead(turns: Vec<Turn>) -> Vec<Turn> {
    let mut joined: Vec<Turn> = Vec::with_capacity(turns.len());
    let mut turns = turns.into_iter().peekable();
    while let Some(turn) = turns.next() {
        // A reply to a message (nothing else is 250 with a queue identifier, or 554 5.7.1) waits for those behind it.
        let is_verdict = turn.from == Side::Server
            && (turn.octets.starts_with(b"250 2.0.0 ok: queued") || turn.octets.starts_with(b"554 5.7.1"));
        match (is_verdict, joined.last_mut(), turns.peek_mut()) {
            (true, Some(message), Some(envelope)) if message.from == Side::Client && envelope.from == Side::Client => {
                message.octets.append(&mut envelope.octets);
                turns.next();
                if let Some(replies) = turns.peek_mut() {
                    replies.octets.splice(..0, turn.octets);
                }
            }
            _ => joined.push(turn),
        }
    }
    joined
}

/// What messages are cut from, half of it at most at a time.
const POOL_OCTETS: usize = 1 << 20;
const SMALL_POOL_OCTETS: usize = 8 << 10;
/// Longer messages have an attachment.
const LARGE_OCTETS: usize = 10_000;
const MULTIPART: &str = "Content-Type: multipart/mixed; boundary=\"=_part\"\r\n\r\n--=_part\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\r\nThe report is attached.\r\n--=_part\r\n\
    Content-Type: application/pdf; name=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n";
