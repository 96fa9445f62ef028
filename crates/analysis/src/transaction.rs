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

use smol_str::SmolStr;

use crate::message::{Body, Cut, Message};
use crate::model::{Outcome, Recipient, RecipientOutcome, Response, Transaction, Via};
use crate::output::time::Time;
use crate::queue_id::queue_id;
use crate::report::Summary;
use crate::session::{LimitsReached, SessionLimit};
use crate::spool::Spooled;

/// The transactions of one session.
#[derive(Debug)]
pub(crate) struct Transactions {
    finished: Vec<Transaction>,
    open: Option<Open>,
    recipients_limit: usize,
    records_limit: usize,
    /// Those that ended beyond the limit.
    further: Option<Box<Summary>>,
    /// Whether the one that ended last has its message.
    last_has_message: bool,
    /// Octets of messages that are kept.
    kept_octets: usize,
    /// Whether MAIL may have begun one that the capture does not show.
    mail_may_be_lost: bool,
    limits: LimitsReached,
}

/// Octets of messages of a session that are kept until they are read. Those of further ones are read at once.
const KEPT_OCTETS: usize = 16 << 20;

/// What MAIL said.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) address: Option<SmolStr>,
    pub(crate) parameters: Vec<(SmolStr, Option<SmolStr>)>,
}

/// What RCPT said.
#[derive(Debug, Clone)]
pub(crate) struct Rcpt {
    pub(crate) address: SmolStr,
    pub(crate) parameters: Vec<(SmolStr, Option<SmolStr>)>,
}

/// A part of the message: what BDAT or BURL said.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The last one.
    pub(crate) last: bool,
    /// By BURL.
    pub(crate) fetched: bool,
    /// The whole message, with the last one.
    pub(crate) body: Option<Body>,
}

/// Where in the session a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Whether a recipient that is not kept was not refused.
    further_taken: bool,
    /// Whether DATA or BDAT was answered at all.
    data_answered: bool,
    message_ended: bool,
    /// Whether commands are lost since it began.
    commands_lost: bool,
    /// Whether RCPT may be among what is lost, also where MAIL is.
    recipients_may_be_lost: bool,
    /// LMTP and PRDR: the recipients accepted by RCPT, each of which gets a reply after the message.
    answered_one_by_one: Vec<usize>,
    /// How many of these replies have come, where replies to RCPT are lost: only if it is one for each recipient they are
    /// theirs in order.
    counted: Option<usize>,
    decisive_so_far: Option<Response>,
}

impl Transactions {
    pub(crate) fn new(recipients_limit: usize, records_limit: usize) -> Self {
        Self {
            finished: Vec::new(),
            open: None,
            recipients_limit,
            records_limit,
            further: None,
            last_has_message: false,
            kept_octets: 0,
            mail_may_be_lost: false,
            limits: LimitsReached::default(),
        }
    }

    /// MAIL. One that is refused while a transaction is open begins none.
    pub(crate) fn mail(&mut self, mail: Mail, place: Place, reply: Option<&Response>, ending: Ending) {
        let refused = refusal(reply);
        if let Some(open) = &self.open
            && open.refused_at_mail.is_none()
            && reply.is_some_and(|reply| reply.class() != 2)
        {
            self.touch(place);
            return;
        }
        self.end(ending);
        self.mail_may_be_lost = false;
        let mut open = Open::new(place);
        open.transaction.mail_from = mail.address;
        open.transaction.mail_parameters = mail.parameters;
        open.refused_at_mail = refused.cloned();
        self.open = Some(open);
    }

    /// RCPT. Outside a transaction it concerns nobody, unless MAIL may be lost. RFC 5321 §3.3: "If a RCPT command
    /// appears without a previous MAIL command, the server MUST return a 503".
    pub(crate) fn rcpt(&mut self, rcpt: Rcpt, place: Place, reply: Option<&Response>) {
        self.end_where_mail_is_lost();
        if self.mail_may_be_lost && self.open.is_none() && reply.is_none_or(|reply| !reply.code.is(503)) {
            self.open = Some(Open { recipients_may_be_lost: true, ..Open::new(place) });
        }
        self.touch(place);
        let Some(open) = &mut self.open else { return };
        open.last_rcpt = reply.cloned();
        if open.transaction.recipients.len() >= self.recipients_limit {
            open.transaction.further_recipients += 1;
            open.further_taken |= reply.is_none_or(|reply| reply.class() < 4);
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
        self.end_where_mail_is_lost();
        let refused = refusal(reply);
        if self.open.is_none() && reply.is_some_and(|reply| reply.class() != 3) {
            return;
        }
        self.touch(place);
        let open = self.open.get_or_insert_with(|| Open::new(place));
        open.transaction.via = Some(Via::Data);
        open.data_answered = reply.is_some();
        open.refusal = refused.cloned();
        open.transaction.has_data |= reply.is_some_and(|reply| reply.class() == 3);
    }

    /// The reply to DATA is lost, or is no 354, but the client had received it and went on with the message.
    pub(crate) fn data_was_taken(&mut self, place: Place) {
        let open = self.open.get_or_insert_with(|| Open::new(place));
        open.data_answered = true;
        (open.transaction.has_data, open.transaction.via) = (true, Some(Via::Data));
    }

    /// The capture begins in a message behind DATA: what its envelope was is not known.
    pub(crate) fn message_is_under_way(&mut self, place: Place) {
        let mut open = Open::new(place);
        open.transaction.via = Some(Via::Data);
        (open.transaction.has_data, open.data_answered, open.commands_lost) = (true, true, true);
        self.open = Some(open);
    }

    /// The end of the message that followed DATA, or as much of it as there is.
    pub(crate) fn end_of_data(&mut self, body: Body, place: Place, reply: Option<&Response>) {
        self.message(body, place);
        if let Some(reply) = reply {
            self.decide(reply);
        }
    }

    /// The message that followed DATA, where its replies come one by one.
    pub(crate) fn message(&mut self, body: Body, place: Place) {
        self.end_where_mail_is_lost();
        self.open.get_or_insert_with(|| Open::new(place)).take_message(body);
    }

    /// BDAT with a valid chunk size, or BURL (RFC 4468), with which the server fetches a part of the message. Such a part
    /// came neither by DATA nor by BDAT.
    pub(crate) fn chunk(&mut self, chunk: Chunk, place: Place, reply: Option<&Response>) {
        self.end_where_mail_is_lost();
        let Chunk { last, fetched, body } = chunk;
        let refused = refusal(reply);
        if self.open.is_none() && reply.is_some_and(|reply| reply.class() != 2) {
            return;
        }
        self.touch(place);
        let open = self.open.get_or_insert_with(|| Open::new(place));
        if !fetched {
            open.transaction.via = Some(Via::Bdat);
        }
        open.data_answered = reply.is_some();
        open.transaction.has_data |= reply.is_some_and(|reply| reply.class() == 2);
        if let Some(body) = body {
            open.take_message(body);
        }
        open.message_ended |= last && fetched;
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
            open.refusal = refusal(reply).cloned();
        }
    }

    /// One reply for each recipient that was accepted, in order (LMTP, RFC 2033 §4.2), and with PRDR one more for the
    /// message. Returns whether another one is to come. Without a reply for the message the first success decides, or
    /// the last failure where there is none.
    pub(crate) fn recipient_reply(&mut self, answered: usize, then_one_for_all: bool, reply: &Response) -> bool {
        let Some(open) = &mut self.open else { return false };
        if answered >= open.answered_one_by_one.len() {
            self.decide(reply);
            return false;
        }
        open.counted = open.counted.map(|count| count + 1);
        let is_of_all = reply.code.is(CLOSING);
        let indexes = open.answered_one_by_one.iter().skip(answered).take(if is_of_all { usize::MAX } else { 1 });
        for &index in indexes {
            if let Some(recipient) = open.transaction.recipients.get_mut(index) {
                recipient.outcome = RecipientOutcome::from_class(reply.class());
                recipient.code = Some(reply.code);
                recipient.enhanced_code = reply.enhanced_code;
                recipient.parameter = Some(reply.parameter.clone());
            }
        }
        if is_of_all && then_one_for_all {
            self.decide(reply);
            return false;
        }
        if !then_one_for_all && open.decisive_so_far.as_ref().is_none_or(|earlier| earlier.class() != 2) {
            open.decisive_so_far = Some(reply.clone());
        }
        let more = !is_of_all && answered + 1 < open.answered_one_by_one.len();
        if !more
            && !then_one_for_all
            && let Some(decisive) = open.decisive_so_far.take()
        {
            let of_others = open.answered_one_by_one.iter().filter_map(|&index| open.transaction.recipients.get(index));
            let are_lost = of_others.into_iter().any(|recipient| recipient.outcome == RecipientOutcome::Unknown);
            if are_lost && decisive.class() != 2 {
                // One of those whose replies are lost may have got the mail.
                self.end(Ending::Unseen);
            } else {
                self.decide(&decisive);
            }
        }
        more || then_one_for_all
    }

    /// One of several replies to a message, of which it is not known whose it is: a success is one for the mail.
    pub(crate) fn recipient_reply_to_any(&mut self, reply: &Response) {
        if let Some(open) = self.open.as_mut().filter(|open| open.decisive_so_far.is_none() && reply.class() == 2) {
            open.decisive_so_far = Some(reply.clone());
        }
    }

    /// The mail to which this was the last reply, if it may have another one: RFC 2033 §4.2 has one "for each previously
    /// successful RCPT command".
    pub(crate) fn may_be_answered_again(&self, first: &Response) -> Option<&Transaction> {
        let is_first = |last: &Response| (last.timestamp, last.command) == (first.timestamp, first.command);
        let is_whole = |last: &&Transaction| {
            // The replies to RCPT may be lost.
            let taken = last.recipients.iter().filter(|recipient| may_be_taken(recipient));
            let is_cut =
                last.message.as_ref().is_none_or(|message| message.cut.is_some()) || last.further_recipients > 0;
            last.final_response.as_ref().is_some_and(is_first) && taken.count() > 1 && !is_cut
        };
        if self.open.is_some() || self.further.is_some() {
            return None;
        }
        self.finished.last().filter(is_whole)
    }

    /// Another reply behind the one to a message, which may have one. Returns whether still another one is to come.
    pub(crate) fn answer_again(&mut self, first: &Response, reply: &Response) -> bool {
        let Some(last) = self.finished.pop() else { return false };
        let place = Place { command: None, timestamp: last.timestamp };
        let mut open = Open::new(place);
        open.transaction = Transaction { outcome: Outcome::Incomplete, queue_id: None, final_response: None, ..last };
        (open.data_answered, open.message_ended) = (true, true);
        self.open = Some(open);
        self.expect_recipient_replies();
        self.recipient_reply(0, false, first) && self.recipient_reply(1, false, reply)
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
        if std::mem::replace(&mut self.last_has_message, true) {
            return;
        }
        let message = body.into_message();
        count_cut(&mut self.limits, Some(&message));
        match (&mut self.further, self.finished.last_mut()) {
            (Some(further), _) => further.message_bytes += message.bytes,
            (None, Some(last)) => last.message = Some(message),
            (None, None) => {}
        }
    }

    /// Commands are lost, and whatever they began or ended.
    pub(crate) fn commands_are_lost(&mut self) {
        self.mail_may_be_lost = true;
        if let Some(open) = &mut self.open {
            (open.commands_lost, open.recipients_may_be_lost) = (true, true);
        }
    }

    /// RFC 5321 §4.1.1.4: the end of the message is processed, and then the "reverse-path buffer, the forward-path buffer,
    /// and the mail data buffer … are cleared". What follows is of another transaction, whose MAIL is not in the capture.
    fn end_where_mail_is_lost(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.message_ended) {
            self.end(Ending::Command);
            self.mail_may_be_lost = true;
        }
    }

    /// The transaction that is open, if any, ends.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.mail_may_be_lost = false;
        if let Some(open) = self.open.take() {
            self.keep(open.conclude(ending));
        }
    }

    /// Whether one of its recipients was taken by RCPT, or may have been.
    pub(crate) fn has_taken_recipients(&self) -> bool {
        self.open.iter().flat_map(|open| &open.transaction.recipients).any(may_be_taken)
    }

    /// Whether more than one of its recipients was taken by RCPT, or may have been.
    pub(crate) fn has_several_recipients(&self) -> bool {
        self.open
            .iter()
            .flat_map(|open| &open.transaction.recipients)
            .filter(|rcpt| may_be_taken(rcpt))
            .nth(1)
            .is_some()
    }

    /// Whether it is not known how many replies to a message are to come.
    pub(crate) fn counts_replies(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.counted.is_some())
    }

    /// Whether the last chunk that was answered was refused.
    pub(crate) fn has_refused_chunk(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.transaction.via == Some(Via::Bdat) && open.refusal.is_some())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// LMTP and PRDR: the message has ended; from now on replies are counted. Returns how many are to come.
    pub(crate) fn expect_recipient_replies(&mut self) -> usize {
        let Some(open) = &mut self.open else { return 0 };
        let recipients = open.transaction.recipients.iter().enumerate();
        let is_lost = |recipient: &Recipient| recipient.outcome == RecipientOutcome::Unknown;
        open.counted = open.transaction.recipients.iter().any(is_lost).then_some(0);
        open.answered_one_by_one =
            recipients.filter(|(_, recipient)| may_be_taken(recipient)).map(|(index, _)| index).collect();
        for &index in &open.answered_one_by_one {
            // What RCPT promised is what the reply behind the message has yet to say.
            if let Some(recipient) = open.transaction.recipients.get_mut(index) {
                recipient.outcome = RecipientOutcome::Unknown;
                (recipient.code, recipient.enhanced_code, recipient.parameter) = (None, None, None);
            }
        }
        open.answered_one_by_one.len()
    }

    /// LMTP: which of the replies to come this one is, by the address it names.
    pub(crate) fn named_recipient(&self, answered: usize, reply: &Response) -> Option<usize> {
        let open = self.open.as_ref()?;
        let names = |index: &usize| {
            let recipient = open.transaction.recipients.get(*index);
            recipient.is_some_and(|recipient| names(&reply.parameter, &recipient.address))
        };
        let named = open.answered_one_by_one.iter().skip(answered).position(names)?;
        Some(answered + named)
    }

    /// LMTP: whether this reply names a recipient whose RCPT is lost, and none of those that have yet to get theirs.
    pub(crate) fn is_of_lost_recipient(&self, answered: usize, reply: &Response) -> bool {
        let may_be_lost = self.open.as_ref().is_some_and(|open| open.recipients_may_be_lost);
        may_be_lost && named_address(&reply.parameter).is_some() && self.named_recipient(answered, reply).is_none()
    }

    /// Those that are kept, the totals of the others, and the limits that were reached.
    pub(crate) fn into_parts(self) -> (Vec<Transaction>, Option<Box<Summary>>, LimitsReached) {
        (self.finished, self.further, self.limits)
    }

    /// The reply to the end of the message. RFC 5321 §4.2.1 has no meaning for one that is neither 2yz, 4yz nor 5yz here:
    /// what became of the message is not known then.
    fn decide(&mut self, reply: &Response) {
        if reply.class() != 2 && refusal(Some(reply)).is_none() {
            return self.end(Ending::Unseen);
        }
        let Some(mut open) = self.open.take() else { return };
        self.mail_may_be_lost = false;
        let accepted = reply.class() == 2;
        open.transaction.outcome = if accepted { Outcome::Accepted } else { Outcome::Rejected };
        open.transaction.queue_id = accepted.then(|| queue_id(&reply.parameter)).flatten().map(SmolStr::from);
        open.transaction.final_response = Some(reply.clone());
        self.keep(open.transaction);
    }

    /// One that has ended is kept, or counted where there are too many.
    fn keep(&mut self, mut transaction: Transaction) {
        self.limits.count(SessionLimit::Recipients, transaction.further_recipients);
        count_cut(&mut self.limits, transaction.message.as_ref());
        self.last_has_message = transaction.message.is_some();
        if self.finished.len() < self.records_limit.max(1) {
            if let Some(message) = &mut transaction.message {
                if self.kept_octets + message.kept_octets() > KEPT_OCTETS {
                    message.settle();
                }
                self.kept_octets += message.kept_octets();
            }
            self.finished.push(transaction);
        } else {
            self.limits.count(SessionLimit::Transactions, 1);
            self.further.get_or_insert_default().add_transaction(&transaction);
        }
    }
}

/// RFC 5321 §4.2.2: "421 <domain> Service not available, closing transmission channel (This may be a reply to any command if
/// the service knows it must shut down)". No reply to another recipient can follow, so it is that to all that are left.
const CLOSING: u16 = 421;

/// The reply, if it refuses. RFC 5321 §4.2.1: 4yz and 5yz are the negative replies; no other is one.
fn refusal(reply: Option<&Response>) -> Option<&Response> {
    reply.filter(|reply| matches!(reply.class(), 4 | 5))
}

fn may_be_taken(recipient: &Recipient) -> bool {
    matches!(recipient.outcome, RecipientOutcome::Accepted | RecipientOutcome::Unknown)
}

/// The address that a reply has in brackets.
pub(crate) fn named_address(text: &str) -> Option<&str> {
    let (address, _) = text.split_once('<')?.1.split_once('>')?;
    address.contains('@').then_some(address)
}

/// Whether a reply names this address, and no longer one that contains it.
pub(crate) fn names(text: &str, address: &str) -> bool {
    let is_of_address = |octet: &u8| octet.is_ascii_alphanumeric() || b".-_+=@".contains(octet);
    let (text, address) = (text.as_bytes(), address.as_bytes());
    if address.is_empty() {
        return false;
    }
    (0..text.len()).any(|start| {
        let (before, rest) = text.split_at(start);
        let Some((word, behind)) = rest.split_at_checked(address.len()) else { return false };
        // A full stop may end the sentence.
        let goes_on = match behind {
            [b'.', next, ..] => is_of_address(next),
            [next, ..] => is_of_address(next),
            [] => false,
        };
        word.eq_ignore_ascii_case(address) && !before.last().is_some_and(is_of_address) && !goes_on
    })
}

fn count_cut(limits: &mut LimitsReached, message: Option<&Message>) {
    limits.count(
        SessionLimit::Gaps,
        message.and_then(|message| message.whole.0.as_deref()).map_or(0, Spooled::further_gaps),
    );
    match message.and_then(|message| message.cut) {
        Some(Cut::Header) => limits.count(SessionLimit::Header, 1),
        // What is in a body is counted where it is read.
        Some(Cut::Body) | None => {}
    }
    let (hops, claims) = message.map(Message::beyond_limits).unwrap_or_default();
    limits.count(SessionLimit::Hops, hops);
    limits.count(SessionLimit::Claims, claims);
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
                message_ended: None,
                responses: 0..0,
                commands: place.command.map_or(0..0, |command| Range { start: command, end: command + 1 }),
            },
            refused_at_mail: None,
            refusal: None,
            last_rcpt: None,
            further_taken: false,
            data_answered: false,
            message_ended: false,
            commands_lost: false,
            recipients_may_be_lost: false,
            answered_one_by_one: Vec::new(),
            counted: None,
            decisive_so_far: None,
        }
    }

    fn take_message(&mut self, body: Body) {
        self.message_ended = body.has_ended();
        self.transaction.message_ended = body.ended_at();
        let message: Message = body.into_message();
        // The server is not in the capture, but the client went on with the message.
        self.transaction.has_data |= !self.data_answered && message.bytes > 0;
        self.transaction.message = Some(message);
    }

    /// The outcome, where no reply to the end of the message decided it.
    fn conclude(mut self, ending: Ending) -> Transaction {
        if self.counted.is_some_and(|count| count < self.answered_one_by_one.len()) {
            // Whose these replies are is not known, but by the address they name.
            for &index in &self.answered_one_by_one {
                let recipient = self.transaction.recipients.get_mut(index);
                let is_named = |it: &Recipient| it.parameter.as_ref().is_some_and(|text| names(text, &it.address));
                if let Some(recipient) = recipient.filter(|recipient| !is_named(recipient)) {
                    recipient.outcome = RecipientOutcome::Unknown;
                    (recipient.code, recipient.enhanced_code, recipient.parameter) = (None, None, None);
                }
            }
        }
        // LMTP: of the replies to the recipients not all are there, but one success is.
        if let Some(success) = self.decisive_so_far.take_if(|reply| reply.class() == 2) {
            self.transaction.outcome = Outcome::Accepted;
            self.transaction.queue_id = queue_id(&success.parameter).map(SmolStr::from);
            self.transaction.final_response = Some(success);
            return self.transaction;
        }
        let recipients = &self.transaction.recipients;
        let refused = |recipient: &Recipient| {
            matches!(recipient.outcome, RecipientOutcome::Rejected | RecipientOutcome::Deferred)
        };
        let all_refused =
            !recipients.is_empty() && recipients.iter().all(refused) && !self.further_taken && !self.commands_lost;
        let decisive = self
            .refused_at_mail
            .take()
            .or_else(|| self.refusal.take())
            .or_else(|| self.last_rcpt.take().filter(|_| all_refused && !self.transaction.has_data));
        self.transaction.outcome = match (decisive.is_some(), ending) {
            (true, _) => Outcome::Rejected,
            (false, Ending::Unseen) => Outcome::Incomplete,
            // What is lost may have ended it.
            (false, _) if self.commands_lost => Outcome::Incomplete,
            // All of the message is there and the server had let it begin: only its reply is not in the capture.
            // Chunks ask for no leave.
            (false, _) if self.message_ended && (self.data_answered || self.transaction.via != Some(Via::Data)) => {
                Outcome::Incomplete
            }
            (false, Ending::Command | Ending::Closed) => Outcome::Aborted,
        };
        self.transaction.final_response = decisive;
        self.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageOptions;
    use crate::samples::{at, response};

    fn place(command: usize) -> Place {
        Place { command: Some(command), timestamp: at(0) }
    }

    fn rcpt(address: &str) -> Rcpt {
        Rcpt { address: address.into(), parameters: Vec::new() }
    }

    fn chunk(last: bool) -> Chunk {
        Chunk { last, fetched: false, body: None }
    }

    /// Transactions after MAIL, command 0, has got this reply.
    fn after_mail(reply: &str) -> Transactions {
        let mut transactions = Transactions::new(10, 100);
        mail(&mut transactions, "a@a", 0, reply);
        transactions
    }

    fn mail(transactions: &mut Transactions, address: &str, command: usize, reply: &str) {
        let mail = Mail { address: Some(address.into()), parameters: Vec::new() };
        transactions.mail(mail, place(command), Some(&response(reply)), Ending::Command);
    }

    fn message(octets: &[u8], whole: bool) -> Body {
        let mut body = Body::new(MessageOptions::default());
        body.append(octets);
        if whole {
            body.end();
        }
        body
    }

    /// Outcome and the code that decided, of each transaction.
    #[track_caller]
    fn ends_as(mut transactions: Transactions, ending: Ending, wanted: &[(Outcome, Option<&str>)]) {
        transactions.end(ending);
        let finished = transactions.into_parts().0;
        let code = |transaction: &Transaction| transaction.final_response.as_ref().map(|reply| reply.code.to_string());
        let got: Vec<_> = finished.iter().map(|transaction| (transaction.outcome, code(transaction))).collect();
        let wanted: Vec<_> = wanted.iter().map(|&(outcome, code)| (outcome, code.map(str::to_owned))).collect();
        assert_eq!(got, wanted);
    }

    /// RFC 5321 §4.1.4: "If the commands in a transaction are out of order to the degree that they cannot be processed
    /// by the server, a 503 failure reply MUST be returned and the SMTP server MUST stay in the same state."
    #[test]
    fn a_mail_refused_inside_a_transaction_begins_none_and_is_one_of_its_commands() {
        let mut transactions = after_mail("250 ok");
        mail(&mut transactions, "c@c", 1, "503 nested MAIL");
        transactions.end(Ending::Command);
        let [only] = transactions.into_parts().0.try_into().expect("one transaction");
        assert_eq!((only.mail_from.as_deref(), only.commands), (Some("a@a"), 0..2));
    }

    #[test]
    fn each_refused_mail_is_a_transaction_of_its_own() {
        let mut transactions = after_mail("451 not now");
        mail(&mut transactions, "a@a", 1, "550 never");
        ends_as(transactions, Ending::Closed, &[(Outcome::Rejected, Some("451")), (Outcome::Rejected, Some("550"))]);
    }

    /// The contract's order: the reply to MAIL decides before that to DATA, and that before the one to RCPT.
    #[test]
    fn the_refusal_of_mail_decides_before_those_that_follow_from_it() {
        let mut transactions = after_mail("550 no");
        transactions.rcpt(rcpt("b@b"), place(1), Some(&response("503 no MAIL")));
        transactions.data(place(2), Some(&response("503 no RCPT")));
        ends_as(transactions, Ending::Command, &[(Outcome::Rejected, Some("550"))]);
    }

    #[test]
    fn the_last_of_the_refused_recipients_decides_where_all_were_refused() {
        let mut transactions = after_mail("250 ok");
        transactions.rcpt(rcpt("b@b"), place(1), Some(&response("550 no")));
        transactions.rcpt(rcpt("c@c"), place(2), Some(&response("450 later")));
        ends_as(transactions, Ending::Command, &[(Outcome::Rejected, Some("450"))]);
    }

    #[test]
    fn one_recipient_taken_or_unanswered_and_not_all_are_refused() {
        for reply in [Some(response("251 will forward")), None] {
            let mut transactions = after_mail("250 ok");
            transactions.rcpt(rcpt("b@b"), place(1), reply.as_ref());
            transactions.rcpt(rcpt("c@c"), place(2), Some(&response("550 no")));
            ends_as(transactions, Ending::Command, &[(Outcome::Aborted, None)]);
        }
    }

    /// Recipients beyond the limit are not kept, but whether the server took one of them still counts.
    #[test]
    fn a_recipient_beyond_the_limit_that_was_taken_is_no_refusal() {
        let mut transactions = Transactions::new(1, 100);
        mail(&mut transactions, "a@a", 0, "250 ok");
        transactions.rcpt(rcpt("b@b"), place(1), Some(&response("550 no")));
        transactions.rcpt(rcpt("c@c"), place(2), Some(&response("250 ok")));
        transactions.end(Ending::Command);
        let [only] = transactions.into_parts().0.try_into().expect("one transaction");
        assert_eq!((only.recipients.len(), only.further_recipients), (1, 1));
        assert_eq!((only.outcome, only.final_response.is_none()), (Outcome::Aborted, true));
    }

    /// The contract: a message that is all there but has no final reply is incomplete; aborted, where DATA was never
    /// answered and the connection closes.
    #[test]
    fn a_message_without_its_final_reply() {
        for (data_reply, whole, ending, outcome) in [
            (Some("354 go on"), true, Ending::Closed, Outcome::Incomplete),
            (Some("354 go on"), true, Ending::Command, Outcome::Incomplete),
            (Some("354 go on"), false, Ending::Closed, Outcome::Aborted),
            (Some("354 go on"), false, Ending::Unseen, Outcome::Incomplete),
            (None, true, Ending::Closed, Outcome::Aborted),
            (None, true, Ending::Unseen, Outcome::Incomplete),
        ] {
            let mut transactions = after_mail("250 ok");
            transactions.data(place(1), data_reply.map(response).as_ref());
            transactions.end_of_data(message(b"text\r\n", whole), place(1), None);
            ends_as(transactions, ending, &[(outcome, None)]);
        }
    }

    #[test]
    fn the_queue_id_is_that_of_an_accepted_mail_only() {
        for (reply, id) in [("250 2.0.0 Ok: queued as AB12", Some("AB12")), ("451 4.3.0 not queued as AB12", None)] {
            let mut transactions = after_mail("250 ok");
            transactions.data(place(1), Some(&response("354 go on")));
            transactions.end_of_data(message(b"text\r\n", true), place(1), Some(&response(reply)));
            assert!(!transactions.is_open(), "the final reply ends it");
            assert_eq!(transactions.into_parts().0[0].queue_id.as_deref(), id);
        }
    }

    /// RFC 3030 §2: a BDAT that is refused makes all behind it fail; what is reported is why. The contract: unless
    /// BDAT LAST was answered, whose reply is the last word.
    #[test]
    fn the_first_refused_chunk_tells_why_until_last_is_answered() {
        let mut transactions = after_mail("250 ok");
        transactions.chunk(chunk(false), place(1), Some(&response("552 too much")));
        transactions.chunk(chunk(false), place(2), Some(&response("503 a chunk was refused")));
        ends_as(transactions, Ending::Command, &[(Outcome::Rejected, Some("552"))]);

        let mut transactions = after_mail("250 ok");
        transactions.chunk(chunk(false), place(1), Some(&response("552 too much")));
        transactions.chunk(chunk(true), place(2), Some(&response("503 a chunk was refused")));
        ends_as(transactions, Ending::Command, &[(Outcome::Rejected, Some("503"))]);
    }

    /// RFC 2033 §4.2: one reply "for each previously successful RCPT command in the mail transaction, in the order that
    /// the RCPT commands were issued".
    #[test]
    fn replies_one_by_one_go_to_the_recipients_that_were_taken() {
        let mut transactions = after_mail("250 ok");
        for (command, reply) in [(1, "250 ok"), (2, "550 no"), (3, "250 ok")] {
            transactions.rcpt(rcpt("b@b"), place(command), Some(&response(reply)));
        }
        transactions.message(message(b"text\r\n", true), place(4));
        assert_eq!(transactions.expect_recipient_replies(), 2);
        assert!(transactions.recipient_reply(0, false, &response("452 full")));
        assert!(!transactions.recipient_reply(1, false, &response("250 delivered")));
        let [only] = transactions.into_parts().0.try_into().expect("one transaction");
        let codes: Vec<_> =
            only.recipients.iter().map(|recipient| recipient.code.expect("a code").to_string()).collect();
        assert_eq!(codes, ["452", "550", "250"]);
        assert_eq!(
            (only.outcome, only.final_response.is_some_and(|reply| reply.code.is(250))),
            (Outcome::Accepted, true)
        );
    }

    /// RFC 5321 §3.3: a transaction begins with MAIL. RCPT without one is a command out of order.
    #[test]
    fn outside_a_transaction_rcpt_and_refused_data_begin_none() {
        let mut transactions = Transactions::new(10, 100);
        transactions.rcpt(rcpt("b@b"), place(0), Some(&response("503 no MAIL")));
        transactions.data(place(1), Some(&response("503 no RCPT")));
        transactions.chunk(chunk(true), place(2), Some(&response("503 no MAIL")));
        ends_as(transactions, Ending::Closed, &[]);
    }

    /// A session may have any number of mails; what waits to be read of them is bounded, and says the same.
    #[test]
    fn messages_beyond_the_limit_of_a_session_are_read_at_once() {
        let octets = [b"Content-Disposition: attachment\r\n\r\n".as_slice(), &[b'x'; 1 << 20]].concat();
        let octets = &octets[..1 << 20];
        let mut transactions = after_mail("250 ok");
        for number in 1..=18 {
            transactions.end_of_data(message(octets, true), place(1), Some(&response("250 ok")));
            mail(&mut transactions, "a@a", number, "250 ok");
        }
        transactions.end(Ending::Command);
        let messages = transactions.into_parts().0.into_iter().filter_map(|transaction| transaction.message);
        let messages: Vec<_> = messages.collect();
        let kept: Vec<usize> = messages.iter().map(Message::kept_octets).collect();
        assert_eq!(kept, [[1 << 20; 16].as_slice(), &[35; 2]].concat());
        assert!(messages.iter().all(|message| message.mime() == messages[0].mime()));
    }
}
