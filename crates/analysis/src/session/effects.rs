//! What a command does, once its reply is known (or known not to come).

use smtp_parser::{Reply, Verb};

use super::dialogue::{Dialogue, Next};
use super::pending::{Kind, Pending};
use crate::model::{ExtensionOffer, Response, StartTls};
use crate::output::codes::Code;
use crate::output::text;
use crate::transaction::Ending;

impl Dialogue {
    /// The effect of a command, given its reply.
    pub(super) fn apply(&mut self, mut pending: Pending, reply: Option<(&Response, &Reply<'_>)>) -> Next {
        let response = reply.map(|(response, _)| response);
        let place = pending.place;
        let ending = if self.responses.is_empty() { Ending::Unseen } else { Ending::Command };
        // Without its reply a command counts as taken.
        let taken = response.is_none_or(|response| response.class() == 2);
        if let Some(chunks) = pending.abandoned.take() {
            self.transactions.abandon(chunks);
        }
        match pending.kind {
            Kind::Hello { verb, domain } => self.hello(verb, domain, taken, reply.map(|(_, reply)| reply), ending),
            Kind::Mail(mail) => self.transactions.mail(mail, place, response, ending),
            Kind::Rcpt(rcpt) => self.transactions.rcpt(rcpt, place, response),
            Kind::Data => {
                self.transactions.data(place, response);
                return match response.map(Response::class) {
                    Some(3) => Next::Content,
                    Some(_) => Next::Commands,
                    None => Next::Unchanged,
                };
            }
            Kind::EndOfData(_) | Kind::RecipientReplies { .. } => self.apply_end_of_data(pending, response),
            Kind::Bdat { last: true, body } if self.lmtp && response.is_some() => {
                self.transactions.bdat(false, body, place, None);
                self.answer_recipients(Pending { kind: Kind::Other, ..pending }, response);
            }
            Kind::Bdat { last, body } => self.transactions.bdat(last, body, place, response),
            Kind::InvalidBdat => self.transactions.invalid_bdat(place, response),
            Kind::Rset | Kind::Quit if taken => self.transactions.end(ending),
            Kind::Auth => {
                if response.is_some_and(|response| response.class() == 3) {
                    return Next::AuthResponse;
                }
                self.finish_auth(response.map(|response| response.code));
                return Next::Commands;
            }
            Kind::StartTls => {
                let Some(response) = response else { return Next::Unchanged };
                let accepted = response.code.is(220);
                let step = if accepted { StartTls::Accepted } else { StartTls::Rejected };
                self.starttls = self.starttls.max(Some(step));
                if accepted {
                    self.transactions.end(ending);
                    return Next::Tls;
                }
                return Next::Commands;
            }
            Kind::Rset | Kind::Quit | Kind::Other => self.transactions.touch(place),
            Kind::Lost if response.is_some_and(|response| response.code.is(334)) => return Next::AuthResponse,
            Kind::Empty | Kind::Lost => {}
        }
        Next::Unchanged
    }

    /// The end of the message, with its reply; LMTP and PRDR have one for each recipient.
    pub(super) fn apply_end_of_data(&mut self, pending: Pending, response: Option<&Response>) {
        let Pending { kind, place, end, acknowledged, .. } = pending;
        match kind {
            Kind::EndOfData(body) if self.lmtp && response.is_some() => {
                self.transactions.message(body, place);
                self.answer_recipients(
                    Pending { kind: Kind::Other, place, end, acknowledged, abandoned: None },
                    response,
                );
            }
            Kind::EndOfData(body) if response.is_some_and(|response| response.code.is(PRDR)) => {
                self.transactions.message(body, place);
                self.transactions.expect_recipient_replies();
                let kind = Kind::RecipientReplies { answered: 0, then_one_for_all: true };
                self.queue.push_front(Pending { kind, place, end, acknowledged, abandoned: None });
            }
            Kind::EndOfData(body) => self.transactions.end_of_data(body, place, response),
            Kind::RecipientReplies { answered, then_one_for_all } => {
                let more = response
                    .is_some_and(|response| self.transactions.recipient_reply(answered, then_one_for_all, response));
                if more {
                    let kind = Kind::RecipientReplies { answered: answered + 1, then_one_for_all };
                    self.queue.push_front(Pending { kind, place, end, acknowledged, abandoned: None });
                }
            }
            _ => {}
        }
    }

    /// LMTP: the first of the replies to a message (RFC 2033 §4.2 and §4.3).
    fn answer_recipients(&mut self, pending: Pending, response: Option<&Response>) {
        if self.transactions.expect_recipient_replies() > 0 {
            let kind = Kind::RecipientReplies { answered: 0, then_one_for_all: false };
            self.apply_end_of_data(Pending { kind, ..pending }, response);
        }
    }

    fn hello(&mut self, verb: Verb, domain: Option<String>, taken: bool, reply: Option<&Reply<'_>>, ending: Ending) {
        if taken || !self.helo_accepted {
            self.helo = Some((verb, domain));
            self.helo_accepted |= taken;
        }
        if !taken {
            return;
        }
        self.lmtp = verb == Verb::Lhlo;
        self.transactions.end(ending);
        if let Some(reply) = reply.filter(|_| verb != Verb::Helo) {
            self.note_extensions(reply);
        }
    }

    /// RFC 5321 §4.1.1.1: an EHLO reply has a keyword on each line but the first.
    pub(super) fn note_extensions(&mut self, reply: &Reply<'_>) {
        let offers = reply.extensions().map(|offer| ExtensionOffer {
            keyword: text(offer.keyword).to_ascii_uppercase(),
            parameters: offer.parameters.map(text).collect(),
        });
        self.extensions = offers.collect();
        if self.extensions.iter().any(|offer| offer.keyword == "STARTTLS") {
            self.starttls = self.starttls.max(Some(StartTls::Offered));
        }
    }

    pub(super) fn finish_auth(&mut self, code: Option<Code>) {
        if let Some((exchange, _)) = self.exchange.take() {
            self.auth.push(exchange.finish(code));
        }
    }
}

/// The reply of PRDR (draft-hall-prdr): the replies for each recipient follow, then one for the message.
const PRDR: u16 = 353;
