//! SMTP dialogues (RFC 5321), with or without pipelining (RFC 2920), and what becomes of their mails.

use super::Truth;
use super::connection::{Side, Turn};
use super::prng::Prng;
use super::text::Lines;

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
}

/// A dialogue being written.
struct Dialogue<'a> {
    turns: Vec<Turn>,
    truth: &'a mut Truth,
}

/// What is to become of a mail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Accepted,
    RefusedAtRcpt,
    RefusedAtEnd,
    Reset,
}

impl Mailer {
    pub(super) fn new(prng: &mut Prng) -> Self {
        Self { words: Lines::words(prng), base64: Lines::base64(prng), mails: 0 }
    }

    /// One connection from greeting to 221.
    pub(super) fn session(&mut self, habits: Habits, prng: &mut Prng, truth: &mut Truth) -> Vec<Turn> {
        truth.sessions += 1;
        let mut dialogue = Dialogue { turns: Vec::new(), truth };
        dialogue.replies(&["220 mx.example.net ESMTP ready\r\n"]);
        dialogue.commands(&["EHLO client.example.org\r\n"]);
        dialogue.replies(&["250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 DSN\r\n"]);
        let pipelining = prng.one_in(2);
        for _ in 0..prng.between(habits.mails.0, habits.mails.1) {
            let fate = match prng.below(100) {
                0..4 => Fate::RefusedAtRcpt,
                4..6 => Fate::RefusedAtEnd,
                6..8 => Fate::Reset,
                _ => Fate::Accepted,
            };
            self.transaction(fate, pipelining, habits, prng, &mut dialogue);
        }
        dialogue.commands(&["QUIT\r\n"]);
        dialogue.replies(&["221 2.0.0 bye\r\n"]);
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
        let mut commands = vec![format!("MAIL FROM:<{sender}> SIZE={}\r\n", habits.octets.1)];
        let mut replies = vec!["250 2.1.0 sender ok\r\n".to_owned()];
        for i in 0..prng.between(1, 3) {
            let refused = fate == Fate::RefusedAtRcpt || (i > 0 && prng.one_in(10));
            dialogue.truth.recipients += 1;
            dialogue.truth.accepted_recipients += u64::from(!refused);
            commands.push(format!("RCPT TO:<user{}@example.net>\r\n", (number * 7 + i) % 1_009));
            replies.push(if refused { "550 5.1.1 no such user\r\n" } else { "250 2.1.5 recipient ok\r\n" }.to_owned());
        }
        match fate {
            Fate::Accepted | Fate::RefusedAtEnd => {
                commands.push("DATA\r\n".to_owned());
                replies.push("354 end with a dot\r\n".to_owned());
                dialogue.truth.contents_begun.push(true);
            }
            Fate::RefusedAtRcpt if pipelining => {
                commands.push("DATA\r\n".to_owned());
                replies.push("554 5.5.1 no valid recipients\r\n".to_owned());
                dialogue.truth.contents_begun.push(false);
            }
            Fate::RefusedAtRcpt | Fate::Reset => {}
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
        if matches!(fate, Fate::RefusedAtRcpt | Fate::Reset) {
            dialogue.commands(&["RSET\r\n"]);
            dialogue.replies(&["250 2.0.0 ok\r\n"]);
        } else {
            let (content, octets) = self.content(&sender, habits, prng);
            dialogue.truth.message_octets += octets;
            dialogue.turns.push(Turn { from: Side::Client, octets: content });
            dialogue.replies(&[match fate {
                Fate::Accepted => format!("250 2.0.0 ok: queued as {number:010X}\r\n"),
                _ => "554 5.7.1 message refused\r\n".to_owned(),
            }]);
        }
        match fate {
            Fate::Accepted => dialogue.truth.accepted_transactions += 1,
            Fate::RefusedAtRcpt | Fate::RefusedAtEnd => dialogue.truth.rejected_transactions += 1,
            Fate::Reset => dialogue.truth.aborted_transactions += 1,
        }
    }

    /// A message as it goes over the wire, with the dot line, and the octets it has without it and unstuffed.
    fn content(&self, sender: &str, habits: Habits, prng: &mut Prng) -> (Vec<u8>, u64) {
        let (number, wanted) = (self.mails, prng.size(habits.octets.0, habits.octets.1));
        let is_large = wanted > LARGE_OCTETS;
        let mut content = Vec::with_capacity(wanted + 500);
        content.extend_from_slice(
            format!(
                "Received: from client.example.org (client.example.org [198.18.0.1])\r\n\tby mx.example.net with ESMTP id \
                 {number:010X};\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
                 From: Sender <{sender}>\r\nTo: User <user@example.net>\r\nSubject: Report number {number}\r\n\
                 Message-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\n"
            )
            .as_bytes(),
        );
        let mut stuffed = 0;
        if is_large {
            content.extend_from_slice(MULTIPART.as_bytes());
            content.extend_from_slice(self.base64.run(wanted.saturating_sub(content.len()), prng));
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

    fn say<T: AsRef<str>>(&mut self, from: Side, lines: &[T]) {
        let octets = lines.iter().flat_map(|line| line.as_ref().bytes()).collect();
        self.turns.push(Turn { from, octets });
    }
}

/// Longer messages have an attachment.
const LARGE_OCTETS: usize = 10_000;
const MULTIPART: &str = "Content-Type: multipart/mixed; boundary=\"=_part\"\r\n\r\n--=_part\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\r\nThe report is attached.\r\n--=_part\r\n\
    Content-Type: application/pdf; name=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n";
