//! What awaits a reply: the client's side of the dialogue, queued until the server has come that far.

use std::collections::VecDeque;

use smol_str::SmolStr;
use smtp_parser::{Command, CommandLine, Verb};

use crate::message::Body;
use crate::model::ClaimSource;
use crate::output::{text, upper_case};
use crate::transaction::{Mail, Place, Rcpt};

/// Something the client sent that a reply will answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// Up to where the client had received the server's stream when it sent this.
    pub(crate) acknowledged: Option<u64>,
    /// The message the client gave up by this command.
    pub(crate) abandoned: Option<Body>,
}

/// What it is, with all that its effect depends on.
#[derive(Debug)]
pub(crate) enum Kind {
    Hello {
        verb: Verb,
        domain: Option<SmolStr>,
    },
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    EndOfData(Body),
    /// The replies to a message for each of its recipients (LMTP, PRDR): how many have come, and whether one for the
    /// whole message follows.
    RecipientReplies {
        answered: usize,
        then_one_for_all: bool,
    },
    /// BDAT; or BURL, which is a chunk that the server fetches elsewhere.
    Bdat {
        last: bool,
        fetched: bool,
        body: Option<Body>,
    },
    InvalidBdat,
    Rset,
    Auth,
    StartTls,
    /// The octets that follow, if 354 lets them.
    Xexch50(u64),
    /// TURN or ATRN.
    Turn,
    /// XCLIENT or XFORWARD, with its argument.
    Claim(ClaimSource, Box<[u8]>),
    Quit,
    /// A line without a word: most servers answer it, some do not.
    Empty,
    Other,
    /// Lines of a message that was taken for one before its DATA was refused: the server reads commands in them, and says
    /// so as often as it likes.
    Unread,
    /// Commands that the capture does not hold, one or more: whether a reply to one of them has come, and whether they may
    /// be several of a group that goes on with the next one.
    Lost {
        answered: bool,
        several: bool,
    },
}

impl Kind {
    /// What this command line will do when it is answered.
    pub(crate) fn of(line: &CommandLine<'_>) -> Self {
        let hello = |verb, domain: &[u8]| Self::Hello { verb, domain: (!domain.is_empty()).then(|| text(domain)) };
        match line.command {
            Command::Ehlo(domain) => hello(Verb::Ehlo, domain),
            Command::Helo(domain) => hello(Verb::Helo, domain),
            Command::Lhlo(domain) => hello(Verb::Lhlo, domain),
            Command::Mail { path, parameters } => {
                Self::Mail(Mail { address: Some(text(path.mailbox)), parameters: pairs(parameters) })
            }
            Command::Rcpt { path, parameters } => {
                Self::Rcpt(Rcpt { address: text(path.mailbox), parameters: pairs(parameters) })
            }
            Command::Data | Command::Invalid { verb: Verb::Data, .. } => Self::Data,
            Command::Bdat { last, .. } => Self::Bdat { last, fetched: false, body: None },
            Command::Burl { last, .. } => Self::Bdat { last, fetched: true, body: None },
            Command::Rset => Self::Rset,
            Command::Quit => Self::Quit,
            Command::StartTls => Self::StartTls,
            Command::Auth { .. } => Self::Auth,
            Command::Xexch50 { size } => Self::Xexch50(size),
            Command::Turn | Command::Atrn(_) => Self::Turn,
            // Copied: the claim counts when the server has taken it.
            Command::Xclient(_) => Self::Claim(ClaimSource::Xclient, line.argument.into()),
            Command::Xforward(_) => Self::Claim(ClaimSource::Xforward, line.argument.into()),
            Command::Unknown if line.verb.is_empty() => Self::Empty,
            Command::Invalid { verb: Verb::Mail | Verb::Send | Verb::Soml | Verb::Saml, .. } => {
                Self::Mail(Mail { address: bare_address(line.argument).map(text), parameters: Vec::new() })
            }
            Command::Invalid { verb: Verb::Rcpt, .. } => {
                // What stands in the place of an address; the keyword is none.
                let argument = line.argument.trim_ascii();
                let is_keyword = argument.strip_suffix(b":").unwrap_or(argument).eq_ignore_ascii_case(b"TO");
                let address = match bare_address(argument) {
                    Some(address) => text(address),
                    None if is_keyword => SmolStr::default(),
                    None => text(argument),
                };
                Self::Rcpt(Rcpt { address, parameters: Vec::new() })
            }
            Command::Invalid { verb: Verb::Bdat, .. } => Self::InvalidBdat,
            _ => Self::Other,
        }
    }

    /// Whether a client that sends this has given up the message it was sending in chunks.
    pub(crate) fn abandons_chunks(&self) -> bool {
        matches!(self, Self::Hello { .. } | Self::Mail(_) | Self::Rset | Self::StartTls | Self::Quit | Self::Data)
    }

    /// Whether it stands for commands that the capture does not hold.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether a reply of this code can be meant for it, where replies may have been lost.
    pub(crate) fn can_be_answered_by(&self, code: u16) -> bool {
        match code {
            354 => matches!(self, Self::Data | Self::Xexch50(_)),
            334 | 235 => matches!(self, Self::Auth),
            221 => matches!(self, Self::Quit),
            200..=299 => !matches!(self, Self::Data | Self::Xexch50(_)),
            _ => true,
        }
    }
}

/// The queue, first in, first out (RFC 2920 §3.2: the server responds to commands in the order it received them).
#[derive(Debug, Default)]
pub(crate) struct Queue {
    items: VecDeque<Pending>,
}

impl Queue {
    pub(crate) fn push(&mut self, pending: Pending) {
        self.items.push_back(pending);
    }

    /// Puts back what still awaits another reply.
    pub(crate) fn push_front(&mut self, pending: Pending) {
        self.items.push_front(pending);
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        self.items.pop_front()
    }

    pub(crate) fn pop_back(&mut self) -> Option<Pending> {
        self.items.pop_back()
    }

    pub(crate) fn front(&self) -> Option<&Pending> {
        self.items.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Pending> {
        self.items.front_mut()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut Pending> {
        self.items.back_mut()
    }

    /// The one behind the front.
    pub(crate) fn second(&self) -> Option<&Pending> {
        self.items.get(1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.items.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Makes of the message whose end awaits a reply what was no message; returns how long it was.
    pub(crate) fn unread(&mut self) -> Option<u64> {
        self.items.iter_mut().find_map(|pending| {
            let Kind::EndOfData(body) = &pending.kind else { return None };
            let octets = body.octets();
            pending.kind = Kind::Unread;
            Some(octets)
        })
    }

    /// Gives the chunks of a message to the BDAT LAST that ended them. If it is no longer here, they come back.
    pub(crate) fn attach(&mut self, chunks: Body) -> Option<Body> {
        for pending in self.items.iter_mut().rev() {
            if let Kind::Bdat { last: true, body: body @ None, .. } = &mut pending.kind {
                *body = Some(chunks);
                return None;
            }
        }
        Some(chunks)
    }
}

/// The first word of an argument without `FROM:` or `TO:` that is an address.
fn bare_address(argument: &[u8]) -> Option<&[u8]> {
    argument.split(u8::is_ascii_whitespace).find(|word| word.contains(&b'@'))
}

fn pairs(parameters: smtp_parser::Parameters<'_>) -> Vec<(SmolStr, Option<SmolStr>)> {
    parameters.map(|(keyword, value)| (upper_case(keyword), value.map(text))).collect()
}

#[cfg(test)]
mod tests {
    use smtp_parser::{ClientDecoder, LineLimits, SmtpEvent};

    use super::*;
    use crate::message::MessageOptions;
    use crate::output::time::Time;

    fn kind(line: &str) -> Kind {
        let mut decoder = ClientDecoder::new(LineLimits::default());
        let line = format!("{line}\r\n");
        let Some(SmtpEvent::Command(command)) = decoder.step(line.as_bytes()).event else { panic!("a command line") };
        Kind::of(&command)
    }

    fn pending(kind: Kind) -> Pending {
        let place = Place { command: None, timestamp: Time::default() };
        Pending { kind, place, acknowledged: None, abandoned: None }
    }

    /// RFC 5321 §4.1.1.2 and §4.1.2: the path is what stands between the brackets; keywords are case-insensitive.
    #[test]
    fn mail_keeps_its_path_and_parameters() {
        let Kind::Mail(mail) = kind("MAIL FROM:<a@example.org> size=10 SmtpUtf8") else { panic!("MAIL") };
        assert_eq!(mail.address.as_deref(), Some("a@example.org"));
        assert_eq!(mail.parameters, [("SIZE".into(), Some("10".into())), ("SMTPUTF8".into(), None)]);
    }

    /// RFC 5321 §4.5.5: the null reverse-path is a path, and no want of one.
    #[test]
    fn the_null_sender_is_not_a_missing_one() {
        assert!(matches!(kind("MAIL FROM:<>"), Kind::Mail(Mail { address: Some(address), .. }) if address.is_empty()));
        for verb in ["MAIL", "SEND", "SOML", "SAML"] {
            assert!(matches!(kind(&format!("{verb} nonsense")), Kind::Mail(Mail { address: None, .. })), "{verb}");
        }
    }

    /// RFC 5321 §4.1.1.2 and §4.1.1.3 have `FROM:` and `TO:` before the path. Without them the address is still one, and the
    /// keyword alone is none.
    #[test]
    fn an_address_without_its_keyword_is_kept() {
        assert!(matches!(kind("MAIL a@x SIZE=1"), Kind::Mail(Mail { address: Some(address), .. }) if address == "a@x"));
        for (line, wanted) in [("RCPT a@x", "a@x"), ("RCPT TO", ""), ("RCPT to:", ""), ("RCPT everyone", "everyone")] {
            assert!(matches!(kind(line), Kind::Rcpt(Rcpt { address, .. }) if address == wanted), "{line}");
        }
    }

    /// RFC 3030 §2: BDAT chunk-size [LAST].
    #[test]
    fn only_the_last_chunk_ends_a_message() {
        assert!(matches!(kind("BDAT 10"), Kind::Bdat { last: false, .. }));
        assert!(matches!(kind("BDAT 10 LAST"), Kind::Bdat { last: true, .. }));
        assert!(matches!(kind("BDAT ten"), Kind::InvalidBdat));
        assert!(matches!(kind("BURL imap://x LAST"), Kind::Bdat { last: true, fetched: true, .. }));
    }

    /// RFC 5321 §4.2.3, 4954 §4: 354 answers DATA alone, 334 and 235 AUTH alone, 221 QUIT alone; DATA has no 2xx.
    #[test]
    fn a_code_tells_what_it_can_answer() {
        for (code, line, can) in [
            (354, "DATA", true),
            (354, "NOOP", false),
            (354, "XEXCH50 10 2", true),
            (250, "XEXCH50 10 2", false),
            (334, "AUTH LOGIN", true),
            (235, "RSET", false),
            (221, "QUIT", true),
            (221, "RSET", false),
            (250, "DATA", false),
            (250, "RSET", true),
            (421, "DATA", true),
            (500, "NOOP", true),
        ] {
            assert_eq!(kind(line).can_be_answered_by(code), can, "{code} to {line}");
        }
    }

    /// RFC 3030 §2: BDAT chunks are given up by whatever begins anew; NOOP and RCPT are not among that.
    #[test]
    fn chunks_are_given_up_by_what_begins_anew() {
        let abandons = |line| kind(line).abandons_chunks();
        assert!(["RSET", "EHLO a", "MAIL FROM:<a@b>", "QUIT", "STARTTLS", "DATA"].into_iter().all(abandons));
        assert!(!["NOOP", "RCPT TO:<a@b>", "BDAT 1", "VRFY a"].into_iter().any(abandons));
    }

    #[test]
    fn chunks_go_to_the_last_bdat_that_has_none() {
        let mut queue = Queue::default();
        queue.push(pending(kind("BDAT 1")));
        let body = || Body::new(MessageOptions::default());
        assert!(queue.attach(body()).is_some(), "no chunk was the last");
        queue.push(pending(kind("BDAT 1 LAST")));
        assert!(queue.attach(body()).is_none());
        assert!(queue.attach(body()).is_some(), "it has its message");
    }
}
