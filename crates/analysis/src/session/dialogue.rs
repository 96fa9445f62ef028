//! The dialogue: commands wait in a queue, and each reply is paired with the first of them.
//!
//! PIPELINING (RFC 2920) is the normal case: what a command does is decided when its reply comes, in the order of the
//! commands, because only then the server has read it.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use smol_str::SmolStr;
use smtp_parser::{Command as Parsed, CommandLine, Deviation, Reply, Verb};

use super::Options;
use super::anomalies::Anomalies;
use super::auth::{AuthAttempt, AuthExchange};
use super::further::Further;
use super::limits::{LimitsReached, SessionLimit};
use super::pending::{Kind, Pending, Queue};
use super::redaction::Secrets;
use super::resumption::Resumption;
use crate::anomaly::{AnomalyKind, Role};
use crate::message::Body;
use crate::model::{ClaimSource, ClaimedClient, Command, ExtensionOffer, Greeting, Response, Spot, StartTls};
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::queue_id::queue_id;
use crate::spool::Spool;
use crate::transaction::{Ending, Place, Transactions};

/// Where octets stand in the stream of their side, and when they were captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) offset: u64,
    pub(crate) timestamp: Time,
    /// Up to where in the other side's stream the sender had received.
    pub(crate) acknowledged: Option<u64>,
    /// The packet that brought them, where they did not come with the end of the capture.
    pub(crate) packet: Option<NonZeroU64>,
}

impl Stamp {
    pub(crate) const fn spot(self) -> Spot {
        Spot { packet: self.packet, offset: self.offset }
    }
}

/// What the client's octets are, after a reply that decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// As before.
    Unchanged,
    /// The message.
    Content,
    /// Commands.
    Commands,
    /// The message or commands: the server has let none begin, but has not refused this DATA either.
    MessageOrCommands(Place),
    /// A response to a SASL challenge.
    AuthResponse,
    /// What belongs to the envelope behind XEXCH50, so many octets.
    Blob(u64),
    /// TLS.
    Tls,
    /// No longer a client's: the sides have changed roles.
    Reversed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Dialogue {
    pub(super) options: Options,
    pub(crate) commands: Vec<Command>,
    pub(crate) responses: Vec<Response>,
    pub(crate) claimed_client: Option<Box<ClaimedClient>>,
    pub(crate) greeting: Option<Greeting>,
    pub(super) greeting_expected: bool,
    pub(crate) helo: Option<(Verb, Option<SmolStr>)>,
    pub(super) helo_accepted: bool,
    pub(crate) extensions: Vec<ExtensionOffer>,
    pub(crate) auth: Vec<AuthAttempt>,
    pub(super) exchange: Option<(AuthExchange, Place)>,
    pub(crate) starttls: Option<StartTls>,
    pub(crate) transactions: Transactions,
    pub(crate) anomalies: Anomalies,
    pub(super) queue: Queue,
    /// The message behind DATA that is being received.
    body: Option<(Body, Place)>,
    /// A refusal that came while it was being received.
    refused_early: Option<Response>,
    /// A DATA behind which the client's octets were taken for the message before the server had answered, and where they
    /// begin.
    pub(super) presumed: Option<(usize, Stamp)>,
    /// A 354 to a DATA that is not in the capture, until the message has come.
    go_ahead: Option<Response>,
    /// The message in BDAT chunks that is being received.
    pub(super) chunks: Option<Body>,
    /// End of the last gap in the server's stream, until the client is known to have gone on behind it.
    pub(super) replies_lost: Option<u64>,
    /// Lines that no verb begins may be credentials.
    pub(super) sasl_suspected: bool,
    pub(super) secrets: Secrets,
    pub(super) lmtp: bool,
    /// XFORWARD's claim was for a mail that has begun: what it says next is of another.
    pub(super) claim_is_of_last_mail: bool,
    /// The number of lost commands is not known, so a reply too many may be to one of them.
    pub(super) uncounted: bool,
    /// Replies of which it is not known yet whether they are to lost commands, each with its place among the replies.
    pub(super) unsure: VecDeque<(usize, Response)>,
    /// Commands that were too many to be kept until their replies come, as they still will.
    pub(super) dropped: u64,
    /// Commands are lost, and none was read since.
    pub(super) resumption: Option<Resumption>,
    /// Where the segment that is being read begins.
    pub(super) segment_begin: u64,
    /// Commands are lost since the last MAIL, so that BDAT may not be the first.
    pub(super) chunks_may_be_lost: bool,
    /// Commands so far, those that are not kept among them.
    pub(super) command_count: usize,
    /// The last DATA whose reply is settled, which is the command of the message behind it; `None` where it is not in the
    /// capture.
    pub(super) data_command: Option<usize>,
    /// What is not kept.
    pub(super) further: Option<Box<Further>>,
    pub(super) limits: LimitsReached,
    /// Where the last reply ended, if it was to the end of a message.
    pub(super) verdict_ends: Option<u64>,
    /// Where a line ended that is no reply, and came while one command alone awaited its reply; until a reply comes.
    foreign_line: Option<u64>,
    /// Where the last reply ended.
    pub(super) last_reply_ends: u64,
    /// Where the command ends that the client sent when it had heard verdicts on a message, while others were to come.
    pub(super) behind_verdicts: Option<u64>,
    /// The last command that a reply was paired with.
    pub(super) last_answered: Option<usize>,
    /// Where all octets of messages are kept, if they are.
    pub(super) spool: Option<Spool>,
}

/// As many commands, and as many replies, a session of one mail has.
const USUAL_RECORDS: usize = 8;

impl Dialogue {
    pub(crate) fn new(options: Options, handshake_seen: bool) -> Self {
        let mut transactions = Transactions::new(options.recipients_limit, options.records_limit);
        if !handshake_seen {
            transactions.commands_are_lost();
        }
        Self {
            commands: Vec::with_capacity(USUAL_RECORDS),
            responses: Vec::with_capacity(USUAL_RECORDS),
            claimed_client: None,
            greeting: None,
            greeting_expected: handshake_seen,
            helo: None,
            helo_accepted: false,
            extensions: Vec::new(),
            auth: Vec::new(),
            exchange: None,
            starttls: None,
            transactions,
            anomalies: Anomalies::new(options.anomalies_limit, handshake_seen),
            queue: Queue::default(),
            body: None,
            refused_early: None,
            presumed: None,
            go_ahead: None,
            chunks: None,
            replies_lost: None,
            sasl_suspected: false,
            secrets: Secrets::default(),
            lmtp: false,
            claim_is_of_last_mail: false,
            uncounted: false,
            unsure: VecDeque::new(),
            dropped: 0,
            resumption: None,
            segment_begin: 0,
            chunks_may_be_lost: false,
            command_count: 0,
            data_command: None,
            verdict_ends: None,
            foreign_line: None,
            last_reply_ends: 0,
            behind_verdicts: None,
            last_answered: None,
            further: None,
            limits: LimitsReached::default(),
            spool: None,
            options,
        }
    }

    /// A command line. Returns whether what follows it cannot be read before its reply.
    pub(crate) fn command(&mut self, line: &CommandLine<'_>, at: Stamp) -> bool {
        if self.passes_over(line, at) {
            return false;
        }
        let is_secret = self.is_secret(line);
        self.settle_foreign_line(at);
        self.note_command_behind_verdicts(line, at);
        self.anomalies.of_command(line, at, is_secret, self.surely_unanswered());
        self.limits.count(SessionLimit::Line, line.truncated.into());
        let kind = Kind::of(line);
        self.uncounted &= !self.queue.is_empty();
        self.settle_lost_replies(at);
        if let Some(Pending { kind: Kind::Lost { answered: true, several }, .. }) = self.queue.back_mut() {
            // It was not sent with those that are lost.
            *several = false;
        }
        if matches!(kind, Kind::Empty) {
            let place = Place { command: None, timestamp: at.timestamp };
            self.enqueue(kind, place, Stamp { offset: at.offset + line.octets, ..at });
            return false;
        }
        let place = Place { command: Some(self.command_count), timestamp: at.timestamp };
        self.keep_command(line, is_secret, at);
        let waits = matches!(kind, Kind::Data | Kind::Auth | Kind::StartTls | Kind::Xexch50(_) | Kind::Turn);
        match &line.command {
            Parsed::Auth { mechanism, initial_response } => {
                let exchange = AuthExchange::new(mechanism, *initial_response, at, &self.options);
                self.secrets.remember_decoded(exchange.secret());
                self.finish_auth(None);
                self.exchange = Some((exchange, place));
            }
            Parsed::StartTls => self.starttls = self.starttls.max(Some(StartTls::Requested)),
            Parsed::Bdat { .. } => {
                let is_first = self.chunks.is_none();
                let chunks = self.chunks.get_or_insert_with(|| new_body(&self.options, self.spool.as_ref()));
                if is_first && self.chunks_may_be_lost {
                    chunks.lack_part();
                }
            }
            Parsed::Mail { .. } => self.chunks_may_be_lost = false,
            // What the server fetches is of the message, and not in the capture.
            Parsed::Burl { .. } => {
                self.chunks.get_or_insert_with(|| new_body(&self.options, self.spool.as_ref())).lack_part();
            }
            _ => {}
        }
        let is_fetched_last = matches!(kind, Kind::Bdat { last: true, fetched: true, .. });
        let abandoned = self.chunks.take_if(|_| kind.abandons_chunks());
        self.queue.push(Pending { kind, place, acknowledged: at.acknowledged, abandoned });
        if is_fetched_last {
            self.end_content(at);
        }
        self.bound_queue(at);
        waits
    }

    /// Whether the client's answer to the reply it awaits is known to the capture's reader as one of SASL.
    pub(crate) fn expects_auth_response(&self) -> bool {
        self.exchange.as_ref().is_some_and(|(exchange, _)| exchange.expects_response())
    }

    /// A response to a SASL challenge.
    pub(crate) fn auth_response(&mut self, response: smtp_parser::Secret<'_>, at: Stamp) {
        self.secrets.remember(response.reveal());
        self.resume(at);
        self.anomalies.of_auth_response(response, at);
        let mut place = Place { command: None, timestamp: at.timestamp };
        if let Some((exchange, of_auth)) = &mut self.exchange {
            exchange.respond(response);
            self.secrets.remember_decoded(exchange.secret());
            place = *of_auth;
        }
        self.enqueue(Kind::Auth, place, at);
    }

    /// The client begins the message.
    pub(crate) fn begin_content(&mut self, timestamp: Time) {
        self.resumption = None;
        let place = Place { command: self.data_command, timestamp };
        self.body = Some((new_body(&self.options, self.spool.as_ref()), place));
    }

    /// The message that is being received, behind DATA or in chunks.
    pub(crate) fn receiving(&mut self) -> Option<&mut Body> {
        self.body.as_mut().map(|(body, _)| body).or(self.chunks.as_mut())
    }

    /// The client's octets from here on are taken for the message behind DATA, which is not answered yet.
    pub(crate) fn presume_content(&mut self, at: Stamp) {
        let data = self.queue.iter().last().filter(|pending| matches!(pending.kind, Kind::Data));
        self.presumed = data.and_then(|data| data.place.command).map(|command| (command, at));
        self.data_command = self.presumed.map(|(command, _)| command);
    }

    /// DATA is refused behind which there was more than is held for its reply. The server reads commands in what was taken
    /// for the message, as far as it goes on reading; how many, nobody can tell any more.
    pub(super) fn refuse_presumed(&mut self, at: Stamp) -> Next {
        self.uncounted = true;
        if self.body.take().is_some() {
            let place = Place { command: None, timestamp: at.timestamp };
            self.enqueue(Kind::Unread, place, at);
            self.pass_over_from(at);
            return Next::Commands;
        }
        if let Some(octets) = self.queue.unread() {
            let detail = format!("{octets} octets passed over");
            self.anomalies.add(AnomalyKind::CommandGap, at, Role::Client, detail);
        }
        Next::Unchanged
    }

    /// The message behind DATA, or a chunk, has ended.
    pub(crate) fn end_content(&mut self, at: Stamp) {
        if let Some((mut body, place)) = self.body.take() {
            body.end_at(at.timestamp);
            self.anomalies.of_message(body.octets(), at);
            self.push_body(body, place, at);
        } else if let Some(Pending { kind: Kind::Bdat { last: true, .. }, .. }) = self.last_bdat()
            && let Some(mut chunks) = self.chunks.take()
        {
            chunks.end_at(at.timestamp);
            self.anomalies.of_message(chunks.octets(), at);
            self.attach_chunks(chunks);
        } else if self.last_bdat().is_none() && !self.transactions.is_open() {
            // The reply to the last chunk came before its last octet.
            if let Some(mut chunks) = self.chunks.take() {
                chunks.end_at(at.timestamp);
                self.transactions.late_message(chunks);
            }
        }
    }

    /// The stream ends in a line that has not ended: the server has not read it.
    pub(crate) fn unterminated(&mut self, line: &CommandLine<'_>, at: Stamp) {
        let is_secret = self.is_secret(line);
        self.anomalies.unterminated(line, at, is_secret);
    }

    /// A line of the server that is no reply ends here. Returns whether the client may take it for the one it awaits.
    pub(super) fn foreign_line(&mut self, end: u64) -> bool {
        self.foreign_line =
            Some(end).filter(|_| self.queue.len() == 1 && !self.uncounted && self.replies_lost.is_none());
        self.foreign_line.is_some()
    }

    /// RFC 5321 §4.2: "An SMTP client MUST determine its actions only by the reply code". One that has received a line
    /// without a code, and goes on with its next command, has taken that line for the reply to the one command that
    /// awaited it: none is to come, and the next reply is to the next command.
    fn settle_foreign_line(&mut self, at: Stamp) {
        let is_heard = self.foreign_line.take_if(|end| at.acknowledged >= Some(*end)).is_some();
        if is_heard && self.queue.len() == 1 {
            self.unanswered();
        }
    }

    /// A reply. Returns what it makes of the client's octets.
    pub(crate) fn reply(&mut self, reply: &Reply<'_>, at: Stamp) -> Next {
        self.foreign_line = None;
        let next = self.pair(reply, at);
        self.last_reply_ends = at.offset + reply.octets;
        next
    }

    /// Pairs a reply with what it answers.
    fn pair(&mut self, reply: &Reply<'_>, at: Stamp) -> Next {
        self.anomalies.of_reply(reply, at, &self.secrets);
        if reply.deviations.contains(Deviation::Truncated) {
            // In a reply of several lines one that is too long takes those behind it with it.
            self.limits.count(if reply.lines > 1 { SessionLimit::Reply } else { SessionLimit::Line }, 1);
        }
        let code = reply.code.value();
        let mut response = Response {
            code: Code(reply.code),
            enhanced_code: reply.enhanced.map(Enhanced),
            parameter: self.without_secrets(reply.text),
            timestamp: at.timestamp,
            command: None,
            spot: at.spot(),
        };
        if self.is_greeting(code) {
            if self.command_count > 0 {
                let verb = self.commands.first().map_or("", |command| command.command.as_str());
                self.anomalies.early_talker(at, verb);
            }
            self.greeting =
                Some(Greeting { code: response.code, parameter: response.parameter.clone(), timestamp: at.timestamp });
            self.keep_reply(response);
            return Next::Unchanged;
        }
        self.sasl_suspected |= code == 334;
        if self.is_to_dropped(code) {
            self.keep_reply(response);
            return Next::Unchanged;
        }
        if code == 354 {
            self.align(reply);
        }
        if self.is_verdict_on_another(&response) {
            return Next::Unchanged;
        }
        self.settle_verdicts(&response, at);
        let is_named = self.skip_to_named(&response.parameter);
        if !is_named && self.is_unsure(&response, at.offset + reply.octets) {
            self.keep_reply(response);
            return Next::Unchanged;
        }
        let is_of_lost = !is_named && self.is_of_lost_recipient(&response.parameter);
        if !is_named && !is_of_lost {
            self.skip_unanswerable(code);
        }
        if is_of_lost || !is_named && (self.is_of_uncounted(code) || self.is_ambiguous(code)) {
            self.keep_reply(response);
            return Next::Unchanged;
        }
        if self.is_farewell_to_nobody(code) {
            self.keep_reply(response);
            self.anomalies.add(AnomalyKind::UnsolicitedReply, at, Role::Server, code.to_string());
            return Next::Unchanged;
        }
        let Some(pending) = self.queue.pop() else {
            return self.reply_to_nobody(response, reply, at);
        };
        if self.is_before_answered(pending.place.command) {
            self.keep_reply(response);
            return self.apply(pending, None);
        }
        response.command = pending.place.command;
        self.anomalies.of_answer(&pending.kind, reply, at, self.replies_lost.is_none(), &self.secrets);
        self.verdict_ends = matches!(pending.kind, Kind::EndOfData(_) | Kind::Bdat { last: true, .. })
            .then_some(at.offset + reply.octets);
        self.keep_reply(response.clone());
        let next = self.apply(pending, Some((&response, reply)));
        if next == Next::Reversed {
            self.anomalies.add(AnomalyKind::RolesReversed, at, Role::Server, response.code.to_string());
        }
        next
    }

    /// The octets behind XEXCH50 have ended, and are answered.
    pub(crate) fn blob_ended(&mut self, at: Stamp) {
        let place = Place { command: self.command_count.checked_sub(1), timestamp: at.timestamp };
        self.enqueue(Kind::Other, place, at);
    }

    /// Whether the next reply can only be one to a message whose end has not been seen.
    pub(crate) fn only_content_is_due(&self) -> bool {
        self.queue.is_empty() && self.body.is_some()
    }

    /// Whether messages get a reply for each recipient.
    pub(crate) fn is_lmtp(&self) -> bool {
        self.lmtp
    }

    /// How many commands await a reply that has certainly not come: none, where the capture may not show it.
    fn surely_unanswered(&self) -> usize {
        let is_certain = self.replies_lost.is_none() && !self.responses.is_empty();
        let is_first_known = self
            .queue
            .front()
            .is_some_and(|first| !matches!(first.kind, Kind::Empty | Kind::Unread | Kind::Lost { .. }));
        if is_certain && is_first_known { self.queue.len() } else { 0 }
    }

    /// How many commands await a reply.
    pub(crate) fn outstanding(&self) -> usize {
        self.queue.len() + usize::from(self.greeting_expected)
    }

    /// The connection is over. What is still unanswered stays so.
    pub(crate) fn finish(&mut self, ending: Ending, at: Stamp) {
        self.resume(at);
        let begun = self.body.as_ref().map(|(body, _)| body).or(self.chunks.as_ref());
        if let Some(body) = begun.filter(|_| ending == Ending::Closed) {
            self.anomalies.missing_end_of_data(at, body.octets());
        }
        if let Some((body, place)) = self.body.take() {
            self.push_body(body, place, at);
        }
        while !self.queue.is_empty() {
            self.unanswered();
        }
        if let Some(chunks) = self.chunks.take() {
            self.transactions.abandon(chunks);
        }
        self.finish_auth(None);
        self.transactions.end(ending);
    }

    /// RFC 5321 §3.1 and §4.3.2: 220 and 554 open a connection, 421 may come at any time. Without a handshake only a
    /// 220 that nobody asked for can be told from a reply.
    fn is_greeting(&mut self, code: u16) -> bool {
        if !self.responses.is_empty() {
            return false;
        }
        let expected = std::mem::take(&mut self.greeting_expected);
        let asked_for_220 = self
            .queue
            .iter()
            .any(|pending| matches!(pending.kind, Kind::StartTls | Kind::Claim(ClaimSource::Xclient, _)));
        match code {
            220 => expected || !asked_for_220,
            400..=599 => expected,
            _ => false,
        }
    }

    fn reply_to_nobody(&mut self, response: Response, reply: &Reply<'_>, at: Stamp) -> Next {
        if self.command_count == 0 && response.code.is(250) && reply.lines > 1 {
            // Only the server's side is in the capture, and this is what it answers to EHLO.
            self.note_extensions(reply);
        }
        let is_unheard = self.body.take_if(|(body, _)| self.go_ahead.is_some() && !body.has_begun()).is_some();
        if is_unheard {
            self.go_ahead = None;
        }
        let Some((body, _)) = &mut self.body else {
            if let Some((_, of_auth)) = self.exchange.as_ref().filter(|_| response.class() != 3) {
                // It ends the exchange, the end of which is lost.
                let command = of_auth.command;
                if self.is_before_answered(command) {
                    self.finish_auth(None);
                    self.keep_reply(response);
                    return Next::Commands;
                }
                self.finish_auth(Some(response.code));
                self.keep_reply(Response { command, ..response });
                return Next::Commands;
            }
            if self.answers_another_recipient(&response) {
                return Next::Unchanged;
            }
            self.keep_reply(response.clone());
            if response.code.is(334) {
                // The AUTH command is not in the capture, but what comes now are credentials.
                return Next::AuthResponse;
            }
            if response.code.is(354) {
                // Nor is DATA, but what comes now is a message, if the client is in the capture at all.
                self.go_ahead = Some(response);
                self.data_command = None;
                return Next::Content;
            }
            // In a capture from the middle what it answers stands before the beginning.
            if self.command_count > 0 || self.greeting.is_some() {
                self.anomalies.add(AnomalyKind::UnsolicitedReply, at, Role::Server, response.code.to_string());
            }
            return if is_unheard { Next::Commands } else { Next::Unchanged };
        };
        if !body.has_gap() {
            self.keep_reply(response.clone());
            self.anomalies.add(AnomalyKind::ReplyDuringContent, at, Role::Server, response.code.to_string());
            if response.class() >= 4 {
                self.refused_early = Some(response);
            }
            return Next::Unchanged;
        }
        // The end of the message was among the lost octets.
        if let Some((mut body, place)) = self.body.take() {
            body.end();
            self.anomalies.of_message(body.octets(), at);
            self.settle_go_ahead(place);
            self.enqueue(Kind::EndOfData(body), place, Stamp { acknowledged: None, ..at });
        }
        let command = self.queue.front().and_then(|pending| pending.place.command);
        let is_certain = self.replies_lost.is_none() || queue_id(&response.parameter).is_some();
        if !is_certain || self.is_before_answered(command) {
            // It may be to a command behind the message, of which nothing is in the capture either.
            self.keep_reply(response);
            self.unanswered();
            self.more_may_be_lost(at);
            return Next::Commands;
        }
        // The reply is told with the command, and decides without it.
        self.keep_reply(Response { command, ..response.clone() });
        if let Some(pending) = self.queue.pop() {
            self.apply_end_of_data(pending, Some(&response));
        }
        self.more_may_be_lost(at);
        Next::Commands
    }

    /// The first in the queue gets no reply.
    pub(super) fn unanswered(&mut self) {
        if let Some(pending) = self.queue.pop() {
            self.apply(pending, None);
        }
    }

    /// The message that a 354 to an unknown DATA let begin is there.
    fn settle_go_ahead(&mut self, place: Place) {
        if let Some(go_ahead) = self.go_ahead.take() {
            self.transactions.data(Place { command: None, ..place }, Some(&go_ahead));
        }
    }

    fn push_body(&mut self, body: Body, place: Place, at: Stamp) {
        if self.go_ahead.is_some() && !body.has_begun() {
            return;
        }
        self.settle_go_ahead(place);
        match self.refused_early.take() {
            Some(refusal) => {
                let kind = Kind::EndOfData(body);
                let pending = Pending { kind, place, acknowledged: at.acknowledged, abandoned: None };
                self.apply_end_of_data(pending, Some(&refusal));
            }
            None => self.enqueue(Kind::EndOfData(body), place, at),
        }
    }

    pub(super) fn enqueue(&mut self, kind: Kind, place: Place, at: Stamp) {
        let pending = Pending { kind, place, acknowledged: at.acknowledged, abandoned: None };
        self.queue.push(pending);
        self.bound_queue(at);
    }

    fn bound_queue(&mut self, at: Stamp) {
        if self.queue.len() > self.options.pending_limit {
            self.limits.count(SessionLimit::Pending, 1);
            self.anomalies.add(AnomalyKind::TooManyPendingCommands, at, Role::Client, String::new());
            let is_answered = |first: &Pending| !matches!(first.kind, Kind::Empty | Kind::Unread | Kind::Lost { .. });
            self.dropped += u64::from(self.queue.front().is_some_and(is_answered));
            self.unanswered();
        }
    }

    fn last_bdat(&self) -> Option<&Pending> {
        self.queue.iter().filter(|pending| matches!(pending.kind, Kind::Bdat { .. })).last()
    }

    fn attach_chunks(&mut self, chunks: Body) {
        if let Some(chunks) = self.queue.attach(chunks) {
            self.transactions.late_message(chunks);
        }
    }
}

/// A message that begins.
fn new_body(options: &Options, spool: Option<&Spool>) -> Body {
    Body::new(options.message).spooled(spool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::AnomalyKind;
    use crate::anomaly::Role::{Client, Server};
    use crate::model::{Outcome, Session};
    use crate::samples::{opened, talk};

    fn kinds(session: &Session) -> Vec<AnomalyKind> {
        session.anomalies.iter().map(|anomaly| anomaly.kind).collect()
    }

    /// RFC 2920 §3.1: commands may be sent in a group; §3.2: their replies come in the same order.
    #[test]
    fn replies_to_a_group_are_paired_in_order() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"),
            (Client, "\r\nt\r\n.\r\n"),
            (Server, "250 taken\r\n"),
        ]));
        let pairs: Vec<_> = session.responses.iter().map(|reply| (reply.code.to_string(), reply.command)).collect();
        let expected = [("220", None), ("250", Some(0)), ("250", Some(1)), ("550", Some(2)), ("250", Some(3))];
        let expected = expected.iter().chain(&[("354", Some(4)), ("250", Some(4))]);
        assert_eq!(pairs, expected.map(|&(code, command)| (code.to_owned(), command)).collect::<Vec<_>>());
        assert_eq!(session.transactions.first().map(|mail| mail.outcome), Some(Outcome::Accepted));
        assert!(session.anomalies.is_empty(), "{:?}", session.anomalies);
    }

    /// RFC 5321 §3.1: a server may open with 554 instead of 220 and then answers 503 to all but QUIT.
    #[test]
    fn a_554_that_opens_a_connection_is_its_greeting() {
        let session = talk(&[
            (Server, "554 no SMTP service here\r\n"),
            (Client, "EHLO a.example.org\r\n"),
            (Server, "503 bad sequence\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ]);
        assert!(session.greeting.is_some_and(|greeting| greeting.code.is(554)));
        assert_eq!(session.responses.get(1).and_then(|reply| reply.command), Some(0));
        assert_eq!(session.helo.as_deref(), Some("a.example.org"), "the last one sent, where each was refused");
    }

    /// RFC 5321 §4.3.1: "The sender … MUST NOT" speak before the greeting.
    #[test]
    fn who_speaks_before_the_greeting_is_an_early_talker() {
        let session = talk(&[
            (Client, "EHLO a.example.org\r\n"),
            (Server, "220 mx.example.net ESMTP\r\n"),
            (Server, "250 mx.example.net\r\n"),
        ]);
        assert_eq!(kinds(&session), [AnomalyKind::EarlyTalker]);
        assert_eq!(session.responses.get(1).and_then(|reply| reply.command), Some(0));
    }

    #[test]
    fn a_reply_nobody_asked_for_answers_no_command() {
        let session = talk(&opened(&[(Server, "421 timeout\r\n")]));
        assert_eq!(kinds(&session), [AnomalyKind::UnsolicitedReply]);
        assert_eq!(session.responses.last().map(|reply| reply.command), Some(None));
    }

    /// The contract: "A command is a line the client sent while the server was reading commands": neither AUTH
    /// continuation lines nor message content are, unknown verbs are.
    #[test]
    fn only_lines_read_as_commands_are_commands() {
        let session = talk(&opened(&[
            (Client, "Frobnicate now\r\n"),
            (Server, "500 what\r\n"),
            (Client, "AUTH LOGIN\r\n"),
            (Server, "334 VXNlcm5hbWU6\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "334 UGFzc3dvcmQ6\r\n"),
            (Client, "c2VjcmV0\r\n"),
            (Server, "535 no\r\n"),
        ]));
        let verbs: Vec<&str> = session.commands.iter().map(|command| &*command.command).collect();
        assert_eq!(verbs, ["EHLO", "Frobnicate", "AUTH"]);
    }

    /// More than is held for the reply to DATA, sent before it; what the message quotes is like commands.
    fn hasty(replies: &'static str, more: &[(crate::anomaly::Role, &'static str)], whole: bool) -> Session {
        let end = if whole { ".\r\nQUIT\r\n" } else { "" };
        let text = format!("DATA\r\nSubject: s\r\n\r\n{}MAIL FROM:<x@y>\r\n{end}", "a line of text\r\n".repeat(5000));
        let turns = opened(&[(Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"), (Server, "250 ok\r\n250 ok\r\n")]);
        let behind = [(Client, text.as_str()), (Server, replies)];
        let turns: Vec<_> = turns.into_iter().chain(behind).chain(more.iter().copied()).collect();
        talk(&turns)
    }

    /// RFC 5321 §3.3: DATA is refused, and the server reads commands where the client sends its message.
    #[test]
    fn a_long_message_behind_a_refused_data_is_no_mail() {
        let quit = [(Client, "QUIT\r\n"), (Server, "221 bye\r\n")];
        let whole = hasty("554 no\r\n500 what\r\n500 what\r\n221 bye\r\n", &[], true);
        let half = hasty("554 no\r\n500 what\r\n", &quit, false);
        for session in [whole, half] {
            let verbs: Vec<&str> = session.commands.iter().map(|command| &*command.command).collect();
            assert_eq!(verbs, ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]);
            let [mail] = session.transactions.as_slice() else { panic!("{:?}", session.transactions) };
            assert_eq!((mail.outcome, mail.message.is_none(), mail.has_data), (Outcome::Rejected, true, false));
            assert!(mail.final_response.as_ref().is_some_and(|reply| reply.code.is(554)));
            assert_eq!(
                session.responses.last().map(|reply| (reply.code.is(221), reply.command)),
                Some((true, Some(4)))
            );
            assert!(kinds(&session).contains(&AnomalyKind::CommandGap), "{:?}", session.anomalies);
        }
    }

    /// The same where DATA is taken: the message is one, and no second one begins with the 354.
    #[test]
    fn a_long_message_before_its_354_is_one_mail() {
        let session = hasty("354 go\r\n250 taken\r\n221 bye\r\n", &[], true);
        let [mail] = session.transactions.as_slice() else { panic!("{:?}", session.transactions) };
        assert_eq!(mail.message.as_ref().map(|message| (message.bytes, message.complete)), Some((80_031, true)));
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(4));
    }

    /// RFC 2033 §4.2: one reply for each recipient that was taken. Where the replies to RCPT are lost, only as many as there
    /// are recipients tell whose they are.
    #[test]
    fn replies_of_lmtp_are_counted_where_those_to_rcpt_are_lost() {
        use crate::model::RecipientOutcome::{Accepted, Deferred, Unknown};
        let outcomes = |replies: &[&str]| {
            let mut tracker = Transactions::new(10, 10);
            let place = Place { command: None, timestamp: Time::default() };
            tracker.commands_are_lost();
            for address in ["b@x", "c@x"] {
                let rcpt = crate::transaction::Rcpt { address: address.into(), parameters: Vec::new() };
                tracker.rcpt(rcpt, place, None);
            }
            assert_eq!(tracker.expect_recipient_replies(), 2);
            for (count, reply) in replies.iter().enumerate() {
                tracker.recipient_reply(count, false, &crate::samples::response(reply));
            }
            tracker.end(Ending::Command);
            let (mails, ..) = tracker.into_parts();
            let [mail] = mails.try_into().expect("one transaction");
            (mail.recipients.iter().map(|recipient| recipient.outcome).collect::<Vec<_>>(), mail.outcome)
        };
        assert_eq!(outcomes(&["250 ok", "452 full"]), (vec![Accepted, Deferred], Outcome::Accepted));
        assert_eq!(outcomes(&["250 ok"]), (vec![Unknown, Unknown], Outcome::Accepted));
    }
}
