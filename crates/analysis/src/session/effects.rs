//! What a command does, once its reply is known (or known not to come).

use smol_str::SmolStr;
use smtp_parser::{Reply, Verb};

use super::dialogue::{Dialogue, Next};
use super::limits::SessionLimit;
use super::pending::{Kind, Pending};
use crate::model::{ClaimSource, ExtensionOffer, Response, StartTls};
use crate::output::codes::Code;
use crate::output::{text, upper_case};
use crate::transaction::{Chunk, Ending, Place};

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
            Kind::Mail(mail) => {
                self.claim_is_of_last_mail |= taken;
                self.transactions.mail(mail, place, response, ending);
            }
            Kind::Rcpt(rcpt) => self.transactions.rcpt(rcpt, place, response),
            Kind::Data => {
                self.data_command = place.command;
                self.transactions.data(place, response);
                let presumed = self.presumed.take_if(|(command, _)| place.command == Some(*command));
                return match (response.map(Response::class), presumed) {
                    (Some(2), Some(_)) => {
                        self.transactions.data_was_taken(place);
                        Next::Unchanged
                    }
                    (None | Some(3), Some(_)) => Next::Unchanged,
                    (Some(_), Some((_, at))) => self.refuse_presumed(at),
                    (Some(3), None) => Next::Content,
                    (Some(2), None) => Next::MessageOrCommands(place),
                    (Some(_), None) => Next::Commands,
                    (None, None) => Next::Unchanged,
                };
            }
            Kind::EndOfData(_) | Kind::RecipientReplies { .. } => self.apply_end_of_data(pending, response),
            Kind::Bdat { last: true, fetched, body } if self.answers_recipients(response) => {
                let chunk = Chunk { last: false, fetched, body };
                self.transactions.chunk(chunk, place, None);
                self.answer_recipients(Pending { kind: Kind::Other, ..pending }, response);
            }
            Kind::Bdat { last, fetched, body } => {
                self.transactions.chunk(Chunk { last, fetched, body }, place, response);
            }
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
            Kind::Xexch50(octets) => {
                self.transactions.touch(place);
                return match response.map(Response::class) {
                    Some(3) => Next::Blob(octets),
                    Some(_) => Next::Commands,
                    None => Next::Unchanged,
                };
            }
            // RFC 2645 §4: "250 OK now reversing the connection". RFC 821 §3.8: 250 and the sides change roles.
            Kind::Turn => {
                let Some(response) = response else { return Next::Unchanged };
                if response.class() == 2 {
                    self.transactions.end(ending);
                    return Next::Reversed;
                }
                self.transactions.touch(place);
                return Next::Commands;
            }
            Kind::Claim(source, argument) => {
                if taken {
                    self.claim(source, &argument);
                }
                if taken && source == ClaimSource::Xclient {
                    // XCLIENT_README: the server begins the session anew.
                    self.transactions.end(ending);
                    self.lmtp = false;
                } else {
                    self.transactions.touch(place);
                }
            }
            Kind::Rset | Kind::Quit | Kind::Other => self.transactions.touch(place),
            Kind::Lost { .. } if response.is_some_and(|response| response.code.is(334)) => return Next::AuthResponse,
            Kind::Lost { .. } => {
                self.transactions.commands_are_lost();
                if let Some(go_ahead) = response.filter(|response| response.code.is(354)) {
                    // Nothing that is known of the client's is older.
                    let place = Place { timestamp: go_ahead.timestamp, ..place };
                    self.data_command = None;
                    self.transactions.data(place, response);
                    return Next::Content;
                }
            }
            Kind::Empty | Kind::Unread => {}
        }
        Next::Unchanged
    }

    /// The end of the message, with its reply; LMTP and PRDR have one for each recipient.
    pub(super) fn apply_end_of_data(&mut self, pending: Pending, response: Option<&Response>) {
        let Pending { kind, place, acknowledged, .. } = pending;
        match kind {
            Kind::EndOfData(body) if self.answers_recipients(response) => {
                self.transactions.message(body, place);
                self.answer_recipients(Pending { kind: Kind::Other, place, acknowledged, abandoned: None }, response);
            }
            Kind::EndOfData(body) if response.is_some_and(|response| response.code.is(PRDR)) => {
                self.transactions.message(body, place);
                self.transactions.expect_recipient_replies();
                let kind = Kind::RecipientReplies { answered: 0, then_one_for_all: true };
                self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
            }
            Kind::EndOfData(body) => {
                self.transactions.end_of_data(body, place, response);
                if self.lmtp && response.is_none() {
                    self.transactions.expect_recipient_replies();
                }
            }
            Kind::RecipientReplies { mut answered, then_one_for_all } => {
                if let Some(response) = response.filter(|_| self.replies_lost.is_some()) {
                    // One of those before it may be lost: it is whose it says.
                    let Some(named) = self.transactions.named_recipient(answered, response) else {
                        self.transactions.recipient_reply_to_any(response);
                        let kind = Kind::RecipientReplies { answered, then_one_for_all };
                        self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
                        return;
                    };
                    answered = named;
                    self.lmtp |= !then_one_for_all;
                }
                if let Some(response) =
                    response.filter(|response| self.transactions.is_of_lost_recipient(answered, response))
                {
                    self.transactions.recipient_reply_to_any(response);
                    let kind = Kind::RecipientReplies { answered, then_one_for_all };
                    self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
                    return;
                }
                let more = response
                    .is_some_and(|response| self.transactions.recipient_reply(answered, then_one_for_all, response));
                if more {
                    let kind = Kind::RecipientReplies { answered: answered + 1, then_one_for_all };
                    self.queue.push_front(Pending { kind, place, acknowledged, abandoned: None });
                }
            }
            _ => {}
        }
    }

    fn hello(&mut self, verb: Verb, domain: Option<SmolStr>, taken: bool, reply: Option<&Reply<'_>>, ending: Ending) {
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
            keyword: upper_case(offer.keyword),
            parameters: offer.parameters.map(text).collect(),
        });
        self.extensions = offers.collect();
        if self.extensions.iter().any(|offer| offer.keyword == "STARTTLS") {
            self.starttls = self.starttls.max(Some(StartTls::Offered));
        }
    }

    pub(super) fn finish_auth(&mut self, code: Option<Code>) {
        let Some((exchange, _)) = self.exchange.take() else { return };
        let attempt = exchange.finish(code);
        if self.auth.len() < self.options.records_limit.max(1) {
            self.auth.push(attempt);
        } else {
            self.limits.count(SessionLimit::Auth, 1);
            self.further.get_or_insert_default().totals.add_auth(&attempt);
        }
    }
}

/// The reply of PRDR (draft-hall-prdr): the replies for each recipient follow, then one for the message.
const PRDR: u16 = 353;

#[cfg(test)]
mod tests {
    use crate::anomaly::Role::{Client, Server};
    use crate::model::{Outcome, RecipientOutcome, StartTls};
    use crate::samples::{opened, talk};

    /// The contract: `helo` is that of the last one the server did not refuse.
    #[test]
    fn a_refused_ehlo_leaves_the_one_before() {
        let session = talk(&opened(&[(Client, "EHLO other.example.org\r\n"), (Server, "550 no\r\n")]));
        assert_eq!(session.helo.as_deref(), Some("client.example.org"));
        assert_eq!(session.extensions.len(), 1);
    }

    /// RFC 5321 §4.1.4: EHLO in the middle is as RSET; §4.1.1.5: RSET aborts the current mail transaction.
    #[test]
    fn ehlo_and_rset_abort_the_transaction_that_is_open() {
        for line in ["EHLO client.example.org\r\n", "RSET\r\n"] {
            let session = talk(&opened(&[
                (Client, "MAIL FROM:<a@example.org>\r\n"),
                (Server, "250 ok\r\n"),
                (Client, line),
                (Server, "250 ok\r\n"),
                (Client, "MAIL FROM:<b@example.org>\r\n"),
                (Server, "550 no\r\n"),
            ]));
            let outcomes: Vec<_> = session.transactions.iter().map(|mail| mail.outcome).collect();
            assert_eq!(outcomes, [Outcome::Aborted, Outcome::Rejected], "{line}");
        }
    }

    /// RFC 3207 §4: 220 is ready to start TLS, 454 not available for a temporary reason.
    #[test]
    fn starttls_is_accepted_by_220_alone() {
        let furthest = |reply| talk(&opened(&[(Client, "STARTTLS\r\n"), (Server, reply)])).starttls;
        assert_eq!(furthest("220 go ahead\r\n"), Some(StartTls::Accepted));
        assert_eq!(furthest("454 not now\r\n"), Some(StartTls::Rejected));
    }

    /// RFC 2033 §4.2: "a server … MUST issue one reply for each previously successful RCPT command", in their order.
    #[test]
    fn lmtp_answers_the_message_for_each_accepted_recipient() {
        let session = talk(&[
            (Server, "220 store.example.net LMTP\r\n"),
            (Client, "LHLO mx.example.net\r\n"),
            (Server, "250-store.example.net\r\n250 PIPELINING\r\n"),
            (Client, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n250 ok\r\n550 no c\r\n250 ok\r\n354 go\r\n"),
            (Client, "Subject: s\r\n\r\nt\r\n.\r\nQUIT\r\n"),
            (Server, "250 b\r\n452 d is full\r\n221 bye\r\n"),
        ]);
        let [mail] = session.transactions.try_into().expect("one transaction");
        let outcomes: Vec<_> = mail.recipients.iter().map(|recipient| recipient.outcome).collect();
        assert_eq!(outcomes, [RecipientOutcome::Accepted, RecipientOutcome::Rejected, RecipientOutcome::Deferred]);
        assert_eq!(mail.outcome, Outcome::Accepted);
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(6), "221 answers QUIT");
    }

    /// RFC 3030 §4.3: each BDAT has its reply; the one to BDAT LAST decides.
    #[test]
    fn the_reply_to_the_last_chunk_decides() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n"),
            (Server, "250 ok\r\n250 ok\r\n"),
            (Client, "BDAT 3\r\na\r\nBDAT 4 LAST\r\n\r\nb."),
            (Server, "250 3 octets\r\n554 no\r\n"),
        ]));
        let [mail] = session.transactions.try_into().expect("one transaction");
        assert_eq!((mail.outcome, mail.message.map(|message| message.bytes)), (Outcome::Rejected, Some(7)));
    }
}
