//! What awaits a reply: the client's side of the dialogue, queued until the server has come that far.

use std::collections::VecDeque;

use smtp_parser::{Command, CommandLine, Verb};

use crate::message::Body;
use crate::output::text;
use crate::transaction::{Mail, Place, Rcpt};

/// Something the client sent that a reply will answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// Where it ends in the client's stream: a reply to it acknowledges at least this much.
    pub(crate) end: u64,
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
        domain: Option<String>,
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
    Bdat {
        last: bool,
        body: Option<Body>,
    },
    InvalidBdat,
    Rset,
    Auth,
    StartTls,
    Quit,
    /// A line without a word: most servers answer it, some do not.
    Empty,
    Other,
    /// Commands that the capture does not hold.
    Lost,
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
            Command::Bdat { last, .. } => Self::Bdat { last, body: None },
            Command::Rset => Self::Rset,
            Command::Quit => Self::Quit,
            Command::StartTls => Self::StartTls,
            Command::Auth { .. } => Self::Auth,
            Command::Unknown if line.verb.is_empty() => Self::Empty,
            Command::Invalid { verb: Verb::Mail, .. } => Self::Mail(Mail { address: None, parameters: Vec::new() }),
            Command::Invalid { verb: Verb::Rcpt, .. } => {
                Self::Rcpt(Rcpt { address: text(line.argument), parameters: Vec::new() })
            }
            Command::Invalid { verb: Verb::Bdat, .. } => Self::InvalidBdat,
            _ => Self::Other,
        }
    }

    /// Whether a client that sends this has given up the message it was sending in chunks.
    pub(crate) fn abandons_chunks(&self) -> bool {
        matches!(self, Self::Hello { .. } | Self::Mail(_) | Self::Rset | Self::StartTls | Self::Quit | Self::Data)
    }

    /// Whether a reply of this code can be meant for it, where replies may have been lost.
    pub(crate) fn can_be_answered_by(&self, code: u16) -> bool {
        match code {
            354 => matches!(self, Self::Data),
            334 | 235 => matches!(self, Self::Auth),
            221 => matches!(self, Self::Quit),
            200..=299 => !matches!(self, Self::Data),
            _ => true,
        }
    }
}

/// The queue, first in, first out (RFC 2920 §3.1: a server must answer pipelined commands in order).
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

    pub(crate) fn front(&self) -> Option<&Pending> {
        self.items.front()
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

    /// Gives the chunks of a message to the BDAT LAST that ended them, if it is still here.
    pub(crate) fn attach(&mut self, chunks: Body) -> Result<(), Body> {
        for pending in self.items.iter_mut().rev() {
            if let Kind::Bdat { last: true, body: body @ None } = &mut pending.kind {
                *body = Some(chunks);
                return Ok(());
            }
        }
        Err(chunks)
    }
}

fn pairs(parameters: smtp_parser::Parameters<'_>) -> Vec<(String, Option<String>)> {
    parameters.map(|(keyword, value)| (text(keyword).to_ascii_uppercase(), value.map(text))).collect()
}
