//! Pairing where octets are lost: what is missing of either side, and which replies may be meant for what is there.
//!
//! Codes and counts decide. Where they do not, a reply is rather paired with none than with a wrong command.

use smtp_parser::Reply;

use super::dialogue::{Dialogue, Stamp};
use super::pending::{Kind, Pending};
use crate::anomaly::{AnomalyKind, Role};
use crate::model::Response;
use crate::transaction::{Place, named_address, names};

impl Dialogue {
    /// A response to a SASL challenge is lost. It is answered all the same.
    pub(crate) fn auth_response_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.commands_lost(at, octets);
        let nowhere = Place { command: None, timestamp: at.timestamp };
        let place = self.exchange.as_mut().map_or(nowhere, |(exchange, of_auth)| {
            exchange.respond_out_of_sight();
            *of_auth
        });
        self.enqueue(Kind::Auth, place, at);
    }

    /// Octets of the client's commands are lost.
    pub(crate) fn commands_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.commands_lost(at, octets);
        let place = Place { command: None, timestamp: at.timestamp };
        self.uncounted = true;
        self.resumption.get_or_insert_default();
        self.chunks_may_be_lost = true;
        if let Some(chunks) = &mut self.chunks {
            chunks.lack_part();
        }
        match self.queue.back_mut() {
            Some(Pending { kind: Kind::Lost { answered, several }, .. }) => (*answered, *several) = (false, true),
            _ => self.enqueue(Kind::Lost { answered: false, several: octets >= 2 * SHORTEST_OF_GROUP }, place, at),
        }
    }

    /// The end of a message is lost, and perhaps commands behind it.
    pub(super) fn more_may_be_lost(&mut self, at: Stamp) {
        self.anomalies.forget_order();
        self.uncounted = true;
        self.chunks_may_be_lost = true;
        let place = Place { command: None, timestamp: at.timestamp };
        self.enqueue(Kind::Lost { answered: true, several: false }, place, Stamp { acknowledged: None, ..at });
    }

    /// Octets of the server's replies are lost.
    pub(crate) fn replies_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.add(AnomalyKind::ReplyGap, at, Role::Server, format!("{octets} octets"));
        self.replies_lost = Some(at.offset + octets);
        self.unsure.clear();
        self.greeting_expected = false;
    }

    /// Whether a reply is to a command that was dropped from the queue. Those were the first.
    pub(super) fn is_to_dropped(&mut self, code: u16) -> bool {
        if is_telling(code) && self.queue.iter().any(|pending| pending.kind.can_be_answered_by(code)) {
            self.dropped = 0;
        }
        let is_one = self.dropped > 0;
        if self.replies_lost.is_none() {
            self.dropped = self.dropped.saturating_sub(1);
        }
        is_one
    }

    /// Takes from the queue what stands before the recipient that a reply names, where octets are lost. Returns whether
    /// there is one.
    pub(super) fn skip_to_named(&mut self, text: &str) -> bool {
        if !self.uncounted && self.replies_lost.is_none() || !text.contains('@') {
            return false;
        }
        let is_named = |pending: &Pending| match &pending.kind {
            Kind::Rcpt(rcpt) => names(text, &rcpt.address),
            // The sender may be a recipient, too.
            Kind::Mail(mail) => mail.address.as_ref().is_some_and(|address| names(text, address)),
            _ => false,
        };
        let Some(place) = self.queue.iter().position(is_named) else { return false };
        // What servers say of senders, of which one may be lost.
        let is_of_rcpt = self.queue.iter().nth(place).is_some_and(|pending| matches!(pending.kind, Kind::Rcpt(_)));
        if !is_of_rcpt || text.to_ascii_lowercase().contains("sender") {
            return false;
        }
        (0..place).for_each(|_| self.unanswered());
        true
    }

    /// Whether a reply may be to one of several lost commands, or to one of those that were sent with them: how many are
    /// lost is known when the 354 has come. Until then it is as good as lost.
    pub(super) fn is_unsure(&mut self, response: &Response, end: u64) -> bool {
        let may_be_of_lost = |pending: &Pending| match pending.kind {
            Kind::Mail(_) | Kind::Rcpt(_) | Kind::Bdat { .. } => true,
            // A refusal of one of those before it, or of this.
            Kind::Data => matches!(response.class(), 4 | 5),
            _ => false,
        };
        if !self.uncounted || is_telling(response.code.value()) || !self.queue.second().is_some_and(may_be_of_lost) {
            return false;
        }
        let Some(Pending { kind: Kind::Lost { answered, several: true }, .. }) = self.queue.front_mut() else {
            return false;
        };
        *answered = true;
        self.replies_lost = self.replies_lost.max(Some(end));
        if self.unsure.len() >= self.options.pending_limit {
            self.unsure.pop_front();
        }
        self.unsure.push_back((self.responses.len(), response.clone()));
        true
    }

    /// A 354 has come: RFC 2920 §3.2 has the replies in the order of the commands, so the last ones before it are to the
    /// last commands before DATA.
    pub(super) fn align(&mut self, reply: &Reply<'_>) {
        let unsure = std::mem::take(&mut self.unsure);
        let Some(data) = self.queue.iter().position(|pending| matches!(pending.kind, Kind::Data)) else { return };
        if unsure.is_empty() || !self.queue.front().is_some_and(|first| first.kind.is_lost()) {
            return;
        }
        self.unanswered();
        let known = data.saturating_sub(1);
        let are_known =
            self.queue.iter().take(known).all(|pending| matches!(pending.kind, Kind::Mail(_) | Kind::Rcpt(_)));
        let Some(others) = unsure.len().checked_sub(known).filter(|_| are_known) else { return };
        for (index, mut response) in unsure.into_iter().skip(others) {
            let Some(pending) = self.queue.pop() else { return };
            response.command = pending.place.command;
            self.last_answered = self.last_answered.max(response.command);
            if let Some(kept) = self.responses.get_mut(index) {
                kept.command = response.command;
            }
            self.apply(pending, Some((&response, reply)));
        }
    }

    /// Whether a reply names an address that is not the next recipient's, where commands before that are lost: then it is
    /// of those.
    pub(super) fn is_of_lost_recipient(&mut self, text: &str) -> bool {
        if !matches!(self.queue.second(), Some(Pending { kind: Kind::Rcpt(_), .. })) {
            return false;
        }
        let Some(Pending { kind: Kind::Lost { answered, .. }, .. }) = self.queue.front_mut() else { return false };
        let is_named = self.uncounted && named_address(text).is_some();
        *answered |= is_named;
        is_named
    }

    /// A code that one command alone can have (RFC 5321 §4.3.2: 354 DATA, 221 QUIT; RFC 4954 §4: 334 and 235 AUTH) is to
    /// that one, where it waits. RFC 2920 §3.2 has the replies in the order of the commands, so what stands before it gets
    /// none any more: the server has passed it over.
    fn skip_to_told(&mut self, code: u16) {
        let is_first = self.queue.front().is_some_and(|first| first.kind.can_be_answered_by(code));
        if !is_telling(code) || is_first {
            return;
        }
        let told =
            self.queue.iter().position(|pending| !pending.kind.is_lost() && pending.kind.can_be_answered_by(code));
        (0..told.unwrap_or_default()).for_each(|_| self.unanswered());
    }

    /// Whether a 221 has come where no QUIT waits, and what does is nothing that it could take. RFC 5321 §4.2.2: "221 <domain>
    /// Service closing transmission channel", which no list of §4.3.2 has but that of QUIT.
    pub(super) fn is_farewell_to_nobody(&self, code: u16) -> bool {
        let accepts = |kind: &Kind| {
            matches!(
                kind,
                Kind::Hello { .. }
                    | Kind::Mail(_)
                    | Kind::Rcpt(_)
                    | Kind::EndOfData(_)
                    | Kind::RecipientReplies { .. }
                    | Kind::Bdat { .. }
                    | Kind::Rset
                    | Kind::Claim(..)
            )
        };
        code == 221 && self.queue.front().is_some_and(|first| accepts(&first.kind))
    }

    /// Takes from the queue what this reply cannot be meant for.
    pub(super) fn skip_unanswerable(&mut self, code: u16) {
        self.skip_to_told(code);
        if self.replies_lost.is_some() {
            let is_known = self.queue.iter().any(|pending| pending.kind.can_be_answered_by(code));
            // A code that only one command has tells of it, even where that is lost.
            let is_lost = || is_telling(code) && self.queue.iter().any(|pending| pending.kind.is_lost());
            if is_known || is_lost() {
                let fits = |kind: &Kind| if is_known { kind.can_be_answered_by(code) } else { kind.is_lost() };
                while self.queue.front().is_some_and(|pending| !fits(&pending.kind)) {
                    self.unanswered();
                }
            }
        }
        while let Some(front) = self.queue.front() {
            let skip = match front.kind {
                // An empty line that the server passed over in silence.
                Kind::Empty => code < 500 && self.queue.len() > 1,
                // The client has heard all of them, and gone on.
                Kind::RecipientReplies { answered, .. } => {
                    answered > 0
                        && self.transactions.counts_replies()
                        && self.queue.second().is_some_and(|next| {
                            next.acknowledged > front.acknowledged
                                || is_telling(code) && next.kind.can_be_answered_by(code)
                        })
                }
                // RFC 3030 §2: behind a chunk that was refused none is taken. The client had heard that when it sent what stands
                // behind this one, and the server has passed it over.
                Kind::Bdat { .. } => {
                    code < 300
                        && self.transactions.has_refused_chunk()
                        && self.queue.second().is_some_and(|next| {
                            next.acknowledged > front.acknowledged && next.kind.can_be_answered_by(code)
                        })
                }
                // What is no command is refused, however often.
                Kind::Unread => {
                    code < 400 && self.queue.second().is_some_and(|next| next.kind.can_be_answered_by(code))
                }
                // One reply at least is to what is lost, unless its code says more.
                Kind::Lost { answered, .. } => {
                    let fits = |next: &Pending| next.kind.can_be_answered_by(code);
                    (answered || is_telling(code)) && self.queue.second().is_some_and(fits)
                }
                _ => false,
            };
            if !skip {
                return;
            }
            self.unanswered();
        }
    }

    /// Whether a reply is to one of the commands that are lost, of which there may be any number: the first command that
    /// is known cannot have it, or none is known that awaits one.
    pub(super) fn is_of_uncounted(&mut self, code: u16) -> bool {
        if !self.uncounted || matches!(code, 334 | 354) {
            return false;
        }
        match self.queue.front_mut().map(|pending| &mut pending.kind) {
            Some(Kind::Lost { answered, .. }) => {
                *answered = true;
                true
            }
            Some(Kind::Unread) => true,
            Some(kind @ (Kind::Data | Kind::Xexch50(_))) => !kind.can_be_answered_by(code),
            _ => false,
        }
    }

    /// Whether a command stands before the last one that a reply was paired with. Replies come in the order of the commands
    /// (RFC 2920 §3.2), so this reply is not to it, or that one was not: it is paired with none, and decides nothing. Where
    /// octets are lost an exchange of AUTH may still be open when a later command is answered. No other way to come here is
    /// known: a message is given to the DATA whose 354 let it begin.
    pub(super) fn is_before_answered(&self, command: Option<usize>) -> bool {
        command.is_some_and(|command| self.last_answered > Some(command))
    }

    /// Whether replies are lost, and this one may be to any of several commands: it is paired with none rather than with
    /// a wrong one. What the client does next says that they have all been answered.
    pub(super) fn is_ambiguous(&self, code: u16) -> bool {
        let may_be_meant = self.queue.iter().filter(|pending| pending.kind.can_be_answered_by(code));
        self.replies_lost.is_some() && may_be_meant.take(2).count() > 1
    }
}

/// Octets of a command of a group, at least: `RCPT TO:<a@b>`, or MAIL with the null sender, and CRLF.
const SHORTEST_OF_GROUP: u64 = 14;

/// Whether the code alone says what it answers: QUIT, AUTH, or DATA.
fn is_telling(code: u16) -> bool {
    matches!(code, 221 | 235 | 334 | 354)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Options;

    fn dialogue(kinds: Vec<Kind>) -> Dialogue {
        let mut dialogue = Dialogue::new(Options::default(), false);
        for kind in kinds {
            let place = Place { command: None, timestamp: crate::output::time::Time::default() };
            dialogue.queue.push(Pending { kind, place, acknowledged: None, abandoned: None });
        }
        dialogue
    }

    /// RFC 5321 §4.2.3 and §4.1.1.4: DATA is answered by 354, 4xx or 5xx.
    #[test]
    fn lost_commands_take_one_reply_and_those_that_fit_nothing_else() {
        let mut dialogue = dialogue(vec![Kind::Lost { answered: false, several: false }, Kind::Data]);
        dialogue.uncounted = true;
        dialogue.skip_unanswerable(250);
        assert!(dialogue.is_of_uncounted(250) && dialogue.is_of_uncounted(250));
        dialogue.skip_unanswerable(354);
        assert!(!dialogue.is_of_uncounted(354));
        assert!(matches!(dialogue.queue.front(), Some(Pending { kind: Kind::Data, .. })));
    }

    #[test]
    fn behind_lost_replies_a_code_that_fits_several_commands_fits_none() {
        let mut dialogue = dialogue(vec![Kind::Rset, Kind::Other, Kind::Quit]);
        assert!(!dialogue.is_ambiguous(250), "no reply is lost");
        dialogue.replies_lost = Some(9);
        assert!(dialogue.is_ambiguous(250) && !dialogue.is_ambiguous(221));
    }

    /// RFC 2920 §3.2: replies come in the order of the commands. A message that was given to a DATA before the last one
    /// answered has no reply any more: it is told as nobody's, and does not refuse the mail.
    #[test]
    fn the_end_of_a_message_behind_a_later_data_takes_no_reply() {
        let answered = |of_message: usize| {
            let mut dialogue = dialogue(vec![]);
            let place = |command| Place { command: Some(command), timestamp: crate::output::time::Time::default() };
            let at =
                Stamp { offset: 0, timestamp: crate::output::time::Time::default(), acknowledged: None, packet: None };
            dialogue.commands_lost(at, 9);
            dialogue.unanswered();
            for _ in 0..3 {
                let command = crate::model::Command {
                    command: "DATA".into(),
                    parameter: None,
                    timestamp: crate::output::time::Time::default(),
                    spot: crate::model::Spot::default(),
                };
                dialogue.commands.push(command);
            }
            dialogue.enqueue(Kind::Data, place(1), at);
            let body = crate::message::Body::new(crate::message::MessageOptions::default());
            dialogue.enqueue(Kind::EndOfData(body), place(of_message), at);
            for reply in ["354 go\r\n", "554 no\r\n"] {
                let mut decoder = smtp_parser::ServerDecoder::new(smtp_parser::LineLimits::default());
                let Some(smtp_parser::SmtpEvent::Reply(reply)) = decoder.step(reply.as_bytes()).event else {
                    panic!("a reply")
                };
                dialogue.reply(&reply, at);
            }
            assert_eq!(dialogue.outstanding(), 0);
            dialogue.transactions.end(crate::transaction::Ending::Unseen);
            let (mails, ..) = dialogue.transactions.into_parts();
            let [mail] = mails.try_into().expect("one transaction");
            (dialogue.responses.iter().map(|reply| reply.command).collect::<Vec<_>>(), mail.outcome)
        };
        use crate::model::Outcome::{Incomplete, Rejected};
        assert_eq!(answered(1), (vec![Some(1), Some(1)], Rejected));
        assert_eq!(answered(0), (vec![Some(1), None], Incomplete));
    }
}
