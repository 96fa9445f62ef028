//! Replies to a message: one, or one for each recipient (LMTP), where LHLO is in the capture or not.
//!
//! RFC 2033 §4.2:
//! > Once a message has been successfully received by the server, the server … MUST return one reply for each previously
//! > successful RCPT command in the mail transaction, in the order that the RCPT commands were issued.
//!
//! Where LHLO is not in the capture, a second such reply shows it. It is known where nothing else awaits a reply. If the
//! client has sent commands behind the message before it was answered, what the reply says decides, and if that does not
//! tell, how many replies come before the 354 to the next DATA. Without one they are nobody's.

use smtp_parser::CommandLine;

use super::dialogue::{Dialogue, Stamp};
use super::pending::{Kind, Pending};
use crate::model::Response;
use crate::output::codes::Enhanced;
use crate::queue_id::queue_id;
use crate::transaction::{Place, names};

/// Whose a reply is that may be another one to the message before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Message,
    Command,
    Unknown,
}

impl Dialogue {
    /// Whether this is the first of several replies to a message. RFC 2033 §4.2: one for each RCPT that was taken; where
    /// none was, a reply can only be to the message.
    pub(super) fn answers_recipients(&self, response: Option<&Response>) -> bool {
        let Some(response) = response else { return false };
        self.lmtp && self.transactions.has_taken_recipients() || self.may_answer_recipient(response)
    }

    /// Whether a reply behind lost ones may be that to one of several recipients: what the client greeted with is not known,
    /// and SMTP has no other reply to a message that could be lost before this one. A server of LMTP does not greet as one
    /// of SMTP.
    fn may_answer_recipient(&self, response: &Response) -> bool {
        self.replies_lost.is_some()
            && self.helo.is_none()
            && matches!(response.class(), 2 | 4 | 5)
            && self.transactions.has_several_recipients()
            && !self.is_greeted_by_smtp()
    }

    /// LMTP: the first of the replies to a message (RFC 2033 §4.2 and §4.3).
    pub(super) fn answer_recipients(&mut self, pending: Pending, response: Option<&Response>) {
        if self.transactions.expect_recipient_replies() > 0 {
            let kind = Kind::RecipientReplies { answered: 0, then_one_for_all: false };
            self.apply_end_of_data(Pending { kind, ..pending }, response);
        }
    }

    /// A session that was picked up behind its LHLO, in which a message gets several replies, is one of LMTP. Nothing else
    /// awaits a reply.
    pub(super) fn answers_another_recipient(&mut self, response: &Response) -> bool {
        let Some(first) = self.responses.last().filter(|first| first.command.is_some()) else { return false };
        let is_verdict = self.may_be_of_lmtp(response) && self.transactions.may_be_answered_again(first).is_some();
        let first = first.clone();
        if is_verdict {
            self.answer_again(&first, response);
        }
        is_verdict
    }

    /// The same where the client has sent commands behind the message before it was answered, and this is the reply behind
    /// that to the message. Where it may be to either, all are put off until the 354 to the next DATA.
    pub(super) fn is_verdict_on_another(&mut self, response: &Response) -> bool {
        let Some(verdict_ends) = self.verdict_ends.take() else { return false };
        let Some(next) = self.queue.front().filter(|next| next.acknowledged < Some(verdict_ends)) else { return false };
        if !self.may_be_of_lmtp(response) {
            return false;
        }
        let Some(first) = self.responses.last().cloned() else { return false };
        let Some(mail) = self.transactions.may_be_answered_again(&first) else { return false };
        let mut taken = mail.recipients.iter().map(|recipient| &*recipient.address);
        match whose(&first, response, &next.kind, |text| taken.any(|address| names(text, address))) {
            Whose::Message => {
                self.answer_again(&first, response);
                true
            }
            Whose::Command => false,
            Whose::Unknown => {
                let (place, acknowledged) = (Place { command: None, ..next.place }, next.acknowledged);
                let kind = Kind::Lost { answered: false, several: true };
                self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
                self.uncounted = true;
                false
            }
        }
    }

    /// A command that the client sends when it has heard what it takes for all verdicts on the message before it.
    pub(super) fn note_command_behind_verdicts(&mut self, line: &CommandLine<'_>, at: Stamp) {
        let may_be_all = self.queue.len() == 1
            && matches!(self.queue.front(), Some(Pending { kind: Kind::RecipientReplies { .. }, .. }))
            && at.acknowledged >= Some(self.last_reply_ends);
        if may_be_all {
            self.behind_verdicts = Some(at.offset + line.octets);
        }
    }

    /// RFC 2033 §4.2 has a reply for each recipient; a server that has one for all of them sends fewer, and the client goes
    /// on. What comes then is another verdict where the server had not yet received the next command, or it says so;
    /// otherwise it is to that command, and what became of the other recipients is not known.
    pub(super) fn settle_verdicts(&mut self, response: &Response, at: Stamp) {
        let Some(command_ends) = self.behind_verdicts else { return };
        let (Some(Pending { kind: Kind::RecipientReplies { answered, .. }, .. }), Some(next)) =
            (self.queue.front(), self.queue.second())
        else {
            self.behind_verdicts = None;
            return;
        };
        let is_sent_before = at.acknowledged.is_some_and(|received| received < command_ends);
        let is_named = || self.transactions.named_recipient(*answered, response).is_some();
        let is_told = || {
            let last = self.responses.last();
            last.is_some_and(|last| whose(last, response, &next.kind, |_| false) == Whose::Message)
        };
        if !is_sent_before && !is_named() && !is_told() {
            self.behind_verdicts = None;
            self.unanswered();
        }
    }

    fn answer_again(&mut self, first: &Response, response: &Response) {
        let (command, timestamp) = (first.command, first.timestamp);
        let more = self.transactions.answer_again(first, response);
        self.lmtp = true;
        self.keep_reply(Response { command, ..response.clone() });
        if more {
            let kind = Kind::RecipientReplies { answered: 2, then_one_for_all: false };
            // What was sent behind the message was sent before its replies came.
            let acknowledged = self.queue.front().and_then(|next| next.acknowledged);
            let place = Place { command, timestamp };
            self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
        }
    }

    fn may_be_of_lmtp(&self, response: &Response) -> bool {
        let is_verdict = matches!(response.class(), 2 | 4 | 5) && !response.code.is(421);
        is_verdict && self.helo.is_none() && !self.is_greeted_by_smtp()
    }

    /// A server of LMTP does not greet as one of SMTP.
    fn is_greeted_by_smtp(&self) -> bool {
        let greeting = self.greeting.as_ref().map_or("", |greeting| &greeting.parameter);
        let mut words = greeting.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| word.eq_ignore_ascii_case("SMTP") || word.eq_ignore_ascii_case("ESMTP"))
    }
}

/// Whether a reply behind that to a message is to this command, or another one to the message.
fn whose(first: &Response, response: &Response, next: &Kind, names_recipient: impl FnOnce(&str) -> bool) -> Whose {
    let is_alike = first.parameter == response.parameter;
    let told_of_command = match next {
        // RFC 5321 §4.3.2: 221, and no error. RFC 2033 §4.2: none of the replies to a message is 221.
        Kind::Quit => return if response.code.is(221) { Whose::Command } else { Whose::Message },
        Kind::Rcpt(rcpt) => names(&response.parameter, &rcpt.address),
        Kind::Mail(mail) => mail.address.as_deref().is_some_and(|address| names(&response.parameter, address)),
        _ => false,
    };
    if told_of_command || response.code.is(221) || response.code.is(235) {
        return Whose::Command;
    }
    if names_recipient(&response.parameter) || is_alike && queue_id(&first.parameter).is_some() {
        return Whose::Message;
    }
    match (next, response.enhanced_code) {
        // RFC 3463 §3.2 and §3.3: X.1.0, X.1.7 and X.1.8 are of the sender, X.1.1 to X.1.6 of the recipient, and X.2.1, X.2.2 of
        // a mailbox; what is too long (X.2.3) may be a mail whose size MAIL declares.
        (Kind::Mail(_), Some(Enhanced(code))) if code.subject == 1 && matches!(code.detail, 0 | 7 | 8) => {
            Whose::Command
        }
        (Kind::Mail(_) | Kind::Rset, Some(Enhanced(code)))
            if matches!((code.subject, code.detail), (1, 1..=6) | (2, 1 | 2)) =>
        {
            Whose::Message
        }
        // What a server of SMTP says of the whole mail. One of LMTP would have named the recipient or said the same again.
        _ if queue_id(&first.parameter).is_some() => Whose::Command,
        _ => Whose::Unknown,
    }
}
