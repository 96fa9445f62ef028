//! Follows mail transactions (RFC 5321 §3.3) as the server sees them.
//!
//! ```text
//!          MAIL taken            RCPT …             DATA 354 / BDAT 2xx        end of message
//!  (none) ───────────▶ open ◀───────────▶ open ◀──────────────────────▶ open ────────────────▶ accepted, rejected
//!    │ MAIL refused      │ RSET, EHLO, STARTTLS, QUIT, close
//!    └──────▶ refused ───┴──────────────────────────────────────────────────▶ rejected, aborted, incomplete
//! ```
//!
//! Every method is called when the server's reply to the command is known (or known not to be in the capture), in the
//! order of the commands: a client that pipelines has sent much more by then, but the server is only this far.
//! RFC 5321 §4.1.4: a 503, like any 4xx and 5xx, leaves the state as it was.

use std::ops::Range;

use crate::message::{Body, Message};
use crate::model::{Outcome, Recipient, RecipientOutcome, Response, Transaction, Via};
use crate::output::time::Time;
use crate::queue_id::queue_id;

/// The transactions of one session.
#[derive(Debug)]
pub(crate) struct Transactions {
    finished: Vec<Transaction>,
    open: Option<Open>,
    recipients_limit: usize,
}

/// What MAIL said.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) address: Option<String>,
    pub(crate) parameters: Vec<(String, Option<String>)>,
}

/// What RCPT said.
#[derive(Debug, Clone)]
pub(crate) struct Rcpt {
    pub(crate) address: String,
    pub(crate) parameters: Vec<(String, Option<String>)>,
}

/// Where in the session a command stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) command: Option<usize>,
    pub(crate) timestamp: Time,
}

/// Why an open transaction ends without the reply that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A command that the server took, or QUIT.
    Command,
    /// The connection ended and the capture shows it, with both sides.
    Closed,
    /// The capture does not show more.
    Unseen,
}

/// A transaction whose end is not known yet. Its outcome is `Incomplete` so far.
#[derive(Debug)]
struct Open {
    transaction: Transaction,
    /// The reply that refused MAIL: nothing but refusals can follow.
    refused_at_mail: Option<Response>,
    /// The last reply that refused DATA or BDAT.
    refusal: Option<Response>,
    last_rcpt: Option<Response>,
    /// Whether DATA or BDAT was answered at all.
    data_answered: bool,
    message_ended: bool,
    /// LMTP and PRDR: the recipients accepted by RCPT, each of which gets a reply after the message.
    answered_one_by_one: Vec<usize>,
    decisive_so_far: Option<Response>,
}

impl Transactions {
    pub(crate) fn new(recipients_limit: usize) -> Self {
        Self { finished: Vec::new(), open: None, recipients_limit }
    }

    /// MAIL. One that is refused while a transaction is open begins none.
    pub(crate) fn mail(&mut self, mail: Mail, place: Place, reply: Option<&Response>, ending: Ending) {
        let refused = reply.filter(|reply| reply.class() != 2);
        if let Some(open) = &self.open
            && open.refused_at_mail.is_none()
            && refused.is_some()
        {
            self.touch(place);
            return;
        }
        self.end(ending);
        let mut open = Open::new(place);
        open.transaction.mail_from = mail.address;
        open.transaction.mail_parameters = mail.parameters;
        open.refused_at_mail = refused.cloned();
        self.open = Some(open);
    }

    /// RCPT. Outside a transaction it concerns nobody.
    pub(crate) fn rcpt(&mut self, rcpt: Rcpt, place: Place, reply: Option<&Response>) {
        self.touch(place);
        let Some(open) = &mut self.open else { return };
        open.last_rcpt = reply.cloned();
        if open.transaction.recipients.len() >= self.recipients_limit {
            open.transaction.further_recipients += 1;
            return;
        }
        open.transaction.recipients.push(Recipient {
            address: rcpt.address,
            outcome: reply.map_or(RecipientOutcome::Unknown, |reply| RecipientOutcome::from_class(reply.class())),
            code: reply.map(|reply| reply.code),
            enhanced_code: reply.and_then(|reply| reply.enhanced_code),
            parameter: reply.map(|reply| reply.parameter.clone()),
            parameters: rcpt.parameters,
        });
    }

    /// DATA: 354 lets the message begin. A server that lets it begin without MAIL has begun a transaction.
    pub(crate) fn data(&mut self, place: Place, reply: Option<&Response>) {
        let refused = reply.filter(|reply| reply.class() != 3);
        if self.open.is_none() && refused.is_some() {
            return;
        }
        self.touch(place);
        let open = self.open.get_or_insert_with(|| Open::new(place));
        open.transaction.via = Some(Via::Data);
        open.data_answered = reply.is_some();
        open.refusal = refused.cloned();
        open.transaction.has_data |= reply.is_some_and(|reply| reply.class() == 3);
    }

    /// The end of the message that followed DATA, or as much of it as there is.
    pub(crate) fn end_of_data(&mut self, body: Body, place: Place, reply: Option<&Response>) {
        self.open.get_or_insert_with(|| Open::new(place)).take_message(body);
        if let Some(reply) = reply {
            self.decide(reply);
        }
    }

    /// The message that followed DATA, where its replies come one by one.
    pub(crate) fn message(&mut self, body: Body, place: Place) {
        self.open.get_or_insert_with(|| Open::new(place)).take_message(body);
    }

    /// BDAT with a valid chunk size.
    pub(crate) fn bdat(&mut self, last: bool, body: Option<Body>, place: Place, reply: Option<&Response>) {
        let refused = reply.filter(|reply| reply.class() != 2);
        if self.open.is_none() && refused.is_some() {
            return;
        }
        self.touch(place);
        let open = self.open.get_or_insert_with(|| Open::new(place));
        open.transaction.via = Some(Via::Bdat);
        open.data_answered = reply.is_some();
        open.transaction.has_data |= reply.is_some_and(|reply| reply.class() == 2);
        if let Some(body) = body {
            open.take_message(body);
        }
        // RFC 3030 §2: after a chunk that failed, further ones fail too; the first failure tells why.
        if reply.is_some_and(|reply| reply.class() == 2) {
            open.refusal = None;
        } else if open.refusal.is_none() {
            open.refusal = refused.cloned();
        }
        if let (true, Some(reply)) = (last, reply) {
            self.decide(reply);
        }
    }

    /// BDAT whose argument is not valid: it has no chunk, and changes nothing but that it was refused.
    pub(crate) fn invalid_bdat(&mut self, place: Place, reply: Option<&Response>) {
        self.touch(place);
        if let Some(open) = &mut self.open {
            open.transaction.via = Some(Via::Bdat);
            open.data_answered = reply.is_some();
            open.refusal = reply.filter(|reply| reply.class() != 2).cloned();
        }
    }

    /// One reply for each recipient that was accepted, in order (LMTP, RFC 2033 §4.2), and with PRDR one more for the
    /// message. Returns whether another one is to come. Without a reply for the message the first success decides, or
    /// the last failure where there is none.
    pub(crate) fn recipient_reply(&mut self, answered: usize, then_one_for_all: bool, reply: &Response) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(&index) = open.answered_one_by_one.get(answered) else {
            self.decide(reply);
            return false;
        };
        if let Some(recipient) = open.transaction.recipients.get_mut(index) {
            recipient.outcome = RecipientOutcome::from_class(reply.class());
            recipient.code = Some(reply.code);
            recipient.enhanced_code = reply.enhanced_code;
            recipient.parameter = Some(reply.parameter.clone());
        }
        if open.decisive_so_far.as_ref().is_none_or(|earlier| earlier.class() != 2) {
            open.decisive_so_far = Some(reply.clone());
        }
        let more = answered + 1 < open.answered_one_by_one.len();
        if !more
            && !then_one_for_all
            && let Some(decisive) = open.decisive_so_far.take()
        {
            self.decide(&decisive);
        }
        more || then_one_for_all
    }

    /// A command that leaves the transaction as it is.
    pub(crate) fn touch(&mut self, place: Place) {
        if let (Some(open), Some(command)) = (&mut self.open, place.command) {
            open.transaction.commands.end = command + 1;
        }
    }

    /// What was received of a message when the client gave it up.
    pub(crate) fn abandon(&mut self, body: Body) {
        if let Some(open) = &mut self.open {
            open.take_message(body);
        }
    }

    /// The chunks of a message whose last reply came before its last octet.
    pub(crate) fn late_message(&mut self, body: Body) {
        if let Some(transaction) = self.finished.last_mut()
            && transaction.message.is_none()
        {
            transaction.message = Some(body.into_message());
        }
    }

    /// The transaction that is open, if any, ends.
    pub(crate) fn end(&mut self, ending: Ending) {
        if let Some(open) = self.open.take() {
            self.finished.push(open.conclude(ending));
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// LMTP and PRDR: the message has ended; from now on replies are counted. Returns how many are to come.
    pub(crate) fn expect_recipient_replies(&mut self) -> usize {
        let Some(open) = &mut self.open else { return 0 };
        let accepted = open.transaction.recipients.iter().enumerate();
        open.answered_one_by_one = accepted
            .filter(|(_, recipient)| recipient.outcome == RecipientOutcome::Accepted)
            .map(|(index, _)| index)
            .collect();
        open.answered_one_by_one.len()
    }

    pub(crate) fn into_finished(self) -> Vec<Transaction> {
        self.finished
    }

    /// The reply to the end of the message.
    fn decide(&mut self, reply: &Response) {
        let Some(mut open) = self.open.take() else { return };
        let accepted = reply.class() == 2;
        open.transaction.outcome = if accepted { Outcome::Accepted } else { Outcome::Rejected };
        open.transaction.queue_id = accepted.then(|| queue_id(&reply.parameter)).flatten();
        open.transaction.final_response = Some(reply.clone());
        self.finished.push(open.transaction);
    }
}

impl Open {
    fn new(place: Place) -> Self {
        Self {
            transaction: Transaction {
                timestamp: place.timestamp,
                mail_from: None,
                mail_parameters: Vec::new(),
                recipients: Vec::new(),
                further_recipients: 0,
                has_data: false,
                via: None,
                outcome: Outcome::Incomplete,
                final_response: None,
                queue_id: None,
                message: None,
                responses: 0..0,
                commands: place.command.map_or(0..0, |command| Range { start: command, end: command + 1 }),
            },
            refused_at_mail: None,
            refusal: None,
            last_rcpt: None,
            data_answered: false,
            message_ended: false,
            answered_one_by_one: Vec::new(),
            decisive_so_far: None,
        }
    }

    fn take_message(&mut self, body: Body) {
        self.message_ended = body.has_ended() && !body.has_gap();
        let message: Message = body.into_message();
        // The server is not in the capture, but the client went on with the message.
        self.transaction.has_data |= !self.data_answered && message.bytes > 0;
        self.transaction.message = Some(message);
    }

    /// The outcome, where no reply to the end of the message decided it.
    fn conclude(mut self, ending: Ending) -> Transaction {
        let recipients = &self.transaction.recipients;
        let refused = |recipient: &Recipient| {
            matches!(recipient.outcome, RecipientOutcome::Rejected | RecipientOutcome::Deferred)
        };
        let all_refused = !recipients.is_empty() && recipients.iter().all(refused);
        let decisive = self
            .refused_at_mail
            .take()
            .or_else(|| self.refusal.take())
            .or_else(|| self.last_rcpt.take().filter(|_| all_refused && !self.transaction.has_data));
        self.transaction.outcome = match (decisive.is_some(), ending) {
            (true, _) => Outcome::Rejected,
            (false, Ending::Unseen) => Outcome::Incomplete,
            // All of the message is there and the server had let it begin: only its reply is not in the capture.
            (false, _) if self.message_ended && self.data_answered => Outcome::Incomplete,
            (false, Ending::Command | Ending::Closed) => Outcome::Aborted,
        };
        self.transaction.final_response = decisive;
        self.transaction
    }
}
