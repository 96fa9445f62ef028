//! The lines of some sessions, as one text.
//!
//! A transaction has its own commands and replies again, which are most of a document. They are not written twice here:
//! where they stand in the session's line is kept instead.

use std::io;
use std::ops::Range;

use memchr::memmem;
use serde::Serialize;
use smol_str::SmolStr;

use crate::message::alignment::Alignment;
use crate::message::{Message, ReadMessage};
use crate::model::{FourTuple, Outcome, Recipient, Response, Session, Transaction, Via};
use crate::output::codes::{Code, Enhanced};
use crate::output::json;
use crate::output::time::Time;
use crate::report::Summary;
use crate::session::LimitsReached;

/// The lines of some sessions. All ranges are within its text.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) summary: Summary,
    /// Limits that were reached in the bodies of messages, which are read here.
    pub(super) limits: LimitsReached,
    pub(super) text: Box<[u8]>,
    pub(super) sessions: Vec<SessionLine>,
    pub(super) transactions: Vec<TransactionLine>,
    pub(super) answers: Vec<Answer>,
}

/// A session's line, without its key, which is put in front of it, and where the lines of its transactions are.
#[derive(Debug)]
pub(super) struct SessionLine {
    pub(super) first_seen: Time,
    pub(super) four_tuple: FourTuple,
    pub(super) line: Range<usize>,
    /// In [`Batch::transactions`].
    pub(super) transactions: Range<usize>,
}

/// What a transaction's line is made of, behind its time and its session's key.
#[derive(Debug)]
pub(super) struct TransactionLine {
    pub(super) timestamp: Time,
    /// The fields from `mail_from` to `message`, with the commas between them and no braces around them.
    pub(super) fields: Range<usize>,
    /// Its commands, with the commas between them, in its session's line.
    pub(super) commands: Range<usize>,
    /// Its replies, in [`Batch::answers`].
    pub(super) answers: Range<usize>,
}

/// A reply within its transaction.
#[derive(Debug)]
pub(super) struct Answer {
    start: usize,
    octets: u32,
    /// Number of the command it answers, counted from the transaction's first one.
    pub(super) command: u32,
}

impl Answer {
    /// The reply in its session's line, but for the number of the command at the end of it.
    pub(super) fn text(&self) -> Range<usize> {
        self.start..self.start + usize::try_from(self.octets).unwrap_or_default()
    }
}

impl Batch {
    /// Makes the lines. The text is made in `room`, which is empty, and copied once it is known how long it is.
    pub(super) fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>, room: &mut Vec<u8>) -> io::Result<Self> {
        let mut batch = Self::default();
        sessions.into_iter().try_for_each(|session| batch.add(session, room))?;
        batch.text = room.as_slice().into();
        Ok(batch)
    }

    fn add(&mut self, session: &Session, text: &mut Vec<u8>) -> io::Result<()> {
        self.summary.add(session);
        let line = append(text, session)?;
        let first = self.transactions.len();
        if !session.transactions.is_empty() {
            let items = Items::of(text, line.clone());
            for transaction in &session.transactions {
                self.add_transaction(session, transaction, &items, text)?;
            }
        }
        let transactions = first..self.transactions.len();
        let (first_seen, four_tuple) = (session.first_seen, session.four_tuple());
        self.sessions.push(SessionLine { first_seen, four_tuple, line, transactions });
        Ok(())
    }

    fn add_transaction(
        &mut self,
        session: &Session,
        transaction: &Transaction,
        items: &Items,
        text: &mut Vec<u8>,
    ) -> io::Result<()> {
        if let Some(mime) = transaction.message.as_ref().and_then(Message::mime) {
            self.limits.count_body(&mime.reached);
        }
        let Range { start, end } = append(text, &TransactionFields::of(transaction))?;
        let first = self.answers.len();
        for number in transaction.responses.clone() {
            let command = session.responses.get(number).and_then(|response| transaction.command_of(response));
            let Some((place, command)) = items.responses.get(number).zip(command) else { continue };
            // The number of the command is the last value of the reply.
            let colon = text.get(place.clone()).and_then(|reply| memchr::memrchr(b':', reply));
            let octets = colon.map_or(0, |colon| colon + 1);
            self.answers.push(Answer { start: place.start, octets: narrow(octets)?, command: narrow(command)? });
        }
        self.transactions.push(TransactionLine {
            timestamp: transaction.timestamp,
            fields: start + 1..end - 1,
            commands: items.commands(&transaction.commands),
            answers: first..self.answers.len(),
        });
        Ok(())
    }
}

fn append(text: &mut Vec<u8>, value: &impl Serialize) -> io::Result<Range<usize>> {
    let from = text.len();
    json::append(text, value)?;
    Ok(from..text.len())
}

/// No reply is of four gigabytes, and no session has as many commands.
fn narrow(count: usize) -> io::Result<u32> {
    u32::try_from(count).map_err(io::Error::other)
}

/// Where the commands and replies stand in a session's line.
#[derive(Debug, PartialEq, Eq)]
struct Items {
    commands: Vec<Range<usize>>,
    responses: Vec<Range<usize>>,
}

impl Items {
    /// Looks for them in a session's line. Each pattern has a quotation mark of JSON's own behind a brace, a bracket or a
    /// comma that is JSON's own, so no text from the wire looks like it: there, quotation marks are escaped.
    fn of(text: &[u8], line: Range<usize>) -> Self {
        let mut items = Finder { text: text.get(..line.end).unwrap_or_default(), at: line.start };
        items.pass(b",\"commands\":[");
        let commands = items.objects(b"{\"command\":\"", b"],\"responses\":[");
        let responses = items.objects(b"{\"code\":\"", b"],\"auth\":[");
        Self { commands, responses }
    }

    fn commands(&self, numbers: &Range<usize>) -> Range<usize> {
        let these = self.commands.get(numbers.clone()).unwrap_or_default();
        these.first().zip(these.last()).map_or(0..0, |(first, last)| first.start..last.end)
    }
}

/// Goes through a session's line.
struct Finder<'a> {
    text: &'a [u8],
    at: usize,
}

impl Finder<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn pass(&mut self, pattern: &[u8]) {
        self.at = memmem::find(self.rest(), pattern).map_or(self.text.len(), |at| self.at + at + pattern.len());
    }

    /// The objects of an array, each of which opens in the same way, from the first one on to the end of the array.
    fn objects(&mut self, opening: &[u8], end: &[u8]) -> Vec<Range<usize>> {
        let from = self.at;
        self.pass(end);
        let array = from..self.at - end.len();
        let text = self.text.get(array.clone()).unwrap_or_default();
        let mut starts = memmem::find_iter(text, opening).map(|at| from + at).peekable();
        let mut objects = Vec::new();
        while let Some(start) = starts.next() {
            // Between two objects stands a comma.
            objects.push(start..starts.peek().map_or(array.end, |next| next - 1));
        }
        objects
    }
}

/// The fields of a transaction behind its session's key and before its commands and replies.
#[derive(Serialize)]
pub(crate) struct TransactionFields<'a> {
    mail_from: &'a Option<SmolStr>,
    #[serde(serialize_with = "crate::output::pairs_as_map")]
    mail_parameters: &'a [(SmolStr, Option<SmolStr>)],
    rcpt_to: Vec<&'a str>,
    recipients: &'a [Recipient],
    further_recipients: u64,
    has_data: bool,
    via: Option<Via>,
    outcome: Outcome,
    completed: bool,
    final_response: Option<FinalResponse<'a>>,
    queue_id: &'a Option<SmolStr>,
    message: Option<ReadMessage<'a>>,
    alignment: Option<Alignment<'a>>,
}

impl<'a> TransactionFields<'a> {
    pub(crate) fn of(transaction: &'a Transaction) -> Self {
        let message = transaction.message.as_ref().map(Message::read);
        Self {
            mail_from: &transaction.mail_from,
            mail_parameters: &transaction.mail_parameters,
            rcpt_to: transaction.recipients.iter().map(|recipient| recipient.address.as_str()).collect(),
            recipients: &transaction.recipients,
            further_recipients: transaction.further_recipients,
            has_data: transaction.has_data,
            via: transaction.via,
            outcome: transaction.outcome,
            completed: transaction.outcome == Outcome::Accepted,
            final_response: transaction.final_response.as_ref().map(FinalResponse::from),
            queue_id: &transaction.queue_id,
            alignment: message.as_ref().map(|message| Alignment::of(transaction, &message.fields)),
            message,
        }
    }
}

/// The reply that decided; which command it answers is told by the transaction's `responses`.
#[derive(Serialize)]
struct FinalResponse<'a> {
    code: Code,
    enhanced_code: Option<Enhanced>,
    parameter: &'a str,
    timestamp: Time,
}

impl<'a> From<&'a Response> for FinalResponse<'a> {
    fn from(response: &'a Response) -> Self {
        let Response { code, enhanced_code, parameter, timestamp, .. } = response;
        Self { code: *code, enhanced_code: *enhanced_code, parameter, timestamp: *timestamp }
    }
}
