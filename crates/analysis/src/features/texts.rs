//! The texts of a session and of its transactions: objects of JSON, as they stand in every document that prints them.
//!
//! A transaction has its own commands and replies again, which are most of a document. They are not written as JSON twice:
//! they are copied from where they stand in the session's text.

use std::io;
use std::ops::Range;

use memchr::memmem;
use serde::Serialize;
use smol_str::SmolStr;

use crate::message::alignment::Alignment;
use crate::message::{Message, ReadMessage};
use crate::model::{Outcome, Recipient, Response, Session, Transaction, Via};
use crate::output::codes::{Code, Enhanced};
use crate::output::json;
use crate::output::time::Time;
use crate::session::LimitsReached;

/// Memory to make the texts in, which is used again.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    session: Vec<u8>,
    mail: Vec<u8>,
}

impl Texts {
    /// Makes the texts of a session. `each` is given every transaction with its fields behind the session's key, an object
    /// without its opening brace; then comes the session's own text, an object without its key. The bodies of messages are
    /// read here, and the limits that are reached in them counted.
    pub(crate) fn of<'a>(
        &'a mut self,
        session: &Session,
        limits: &mut LimitsReached,
        mut each: impl FnMut(&Transaction, &[u8]) -> io::Result<()>,
    ) -> io::Result<&'a [u8]> {
        self.session.clear();
        json::append(&mut self.session, session)?;
        if !session.transactions.is_empty() {
            let items = Items::of(&self.session);
            for transaction in &session.transactions {
                if let Some(mime) = transaction.message.as_ref().and_then(Message::mime) {
                    limits.count_body(&mime.reached);
                }
                self.write_transaction(session, transaction, &items)?;
                each(transaction, self.mail.get(1..).unwrap_or_default())?;
            }
        }
        Ok(&self.session)
    }

    fn write_transaction(&mut self, session: &Session, transaction: &Transaction, items: &Items) -> io::Result<()> {
        let (line, mail) = (self.session.as_slice(), &mut self.mail);
        let copy = |from: Range<usize>| line.get(from).unwrap_or_default();
        mail.clear();
        json::append(mail, &TransactionFields::of(transaction))?;
        // The object goes on with what is copied.
        mail.pop();
        mail.extend_from_slice(b",\"commands\":[");
        mail.extend_from_slice(copy(items.commands(&transaction.commands)));
        mail.extend_from_slice(b"],\"responses\":[");
        let mut comma: &[u8] = b"";
        for number in transaction.responses.clone() {
            let command = session.responses.get(number).and_then(|response| transaction.command_of(response));
            let Some((place, command)) = items.responses.get(number).zip(command) else { continue };
            let reply = copy(place.clone());
            // The number of the command is the last value of the reply; here it counts from the transaction's first one.
            let colon = memchr::memrchr(b':', reply).map_or(0, |colon| colon + 1);
            mail.extend_from_slice(comma);
            mail.extend_from_slice(reply.get(..colon).unwrap_or_default());
            mail.extend_from_slice(itoa::Buffer::new().format(command).as_bytes());
            mail.push(b'}');
            comma = b",";
        }
        mail.extend_from_slice(b"]}");
        Ok(())
    }
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
    fn of(line: &[u8]) -> Self {
        let mut items = Finder { text: line, at: 0 };
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
