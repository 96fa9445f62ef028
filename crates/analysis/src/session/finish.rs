//! The end of a session: from what was followed to the record of it.

use std::net::SocketAddr;
use std::ops::Range;

use capture::Carrier;
use reassembly::{Direction, Flow, FlowEnd, FlowStart};
use smtp_parser::SmtpEvent;

use super::auth::AuthOutcome;
use super::redaction::REDACTED;
use super::{LimitsReached, SessionLimit, Stamp, StartTls, Time, TlsState, Tracker};
use crate::anomaly::{AnomalyKind, Role};
use crate::community_id::CommunityId;
use crate::model::{Directions, End, Octets, Response, Session, Start, Transaction};
use crate::session::Ending;
use crate::tls;

impl Tracker {
    /// The connection is over: what was held is read, what is unanswered stays so.
    pub(crate) fn finish<S>(
        mut self,
        flow: &Flow<S>,
        client: Direction,
        end: FlowEnd,
        limits: &mut LimitsReached,
    ) -> Session {
        let info = flow.info();
        let at =
            Stamp { offset: self.server_delivered, timestamp: Time(info.last_seen), acknowledged: None, packet: None };
        self.resolve();
        match self.server.finish() {
            Some(SmtpEvent::Reply(reply)) => {
                let offset = self.server_delivered.saturating_sub(reply.octets);
                let next = self.dialogue.reply(&reply, Stamp { offset, ..at });
                self.go_on(next, at.timestamp);
            }
            Some(SmtpEvent::Malformed { line, octets, .. }) => {
                let at = Stamp { offset: self.server_delivered.saturating_sub(octets), ..at };
                let shown = self.dialogue.secrets.excerpt(line);
                self.dialogue.anomalies.add(AnomalyKind::UnterminatedReply, at, Role::Server, shown);
            }
            _ => {}
        }
        while self.awaited.is_some() {
            self.heard.server_is_missing = !self.heard.server;
            self.assume();
            if self.held.is_empty() && self.awaited.is_some() {
                break;
            }
        }
        self.note_unterminated(Time(info.last_seen), flow.octets(client).delivered + flow.octets(client).missing);
        let both = self.heard.client && self.heard.server;
        if let (TlsState::Uninvited(hello), true) = (self.tls, both) {
            self.dialogue.anomalies.add(AnomalyKind::UninvitedTls, hello, Role::Client, String::new());
        }
        let closed = both && matches!(end, FlowEnd::Closed | FlowEnd::Reset);
        self.dialogue.finish(if closed { Ending::Closed } else { Ending::Unseen }, at);
        let (client_address, server_address) = match client {
            Direction::FromOriginator => (info.originator, info.responder),
            Direction::FromResponder => (info.responder, info.originator),
        };
        let octets = Octets { client: flow.octets(client).into(), server: flow.octets(!client).into() };
        self.into_session(client_address, server_address, info, octets, end, limits)
    }

    /// What the client said at the very end without ending the line. `end`: the length of its stream.
    fn note_unterminated(&mut self, timestamp: Time, end: u64) {
        if self.awaited.is_some() {
            return;
        }
        let at =
            |octets: u64| Stamp { offset: end.saturating_sub(octets), timestamp, acknowledged: None, packet: None };
        match self.client.finish() {
            Some(SmtpEvent::Command(line)) if !self.dialogue.is_lost() => {
                self.dialogue.unterminated(&line, at(line.octets));
            }
            Some(SmtpEvent::AuthResponse(response)) => {
                let at = at(response.reveal().len() as u64);
                self.dialogue.anomalies.add(AnomalyKind::UnterminatedCommand, at, Role::Client, REDACTED.to_owned());
            }
            _ => {}
        }
    }

    fn into_session(
        self,
        client: SocketAddr,
        server: SocketAddr,
        info: &reassembly::FlowInfo,
        octets: Octets,
        end: FlowEnd,
        limits: &mut LimitsReached,
    ) -> Session {
        let dialogue = self.dialogue;
        // The reply to STARTTLS need not be in the capture.
        let mode = match dialogue.starttls {
            Some(StartTls::Accepted | StartTls::Requested) => tls::Mode::Starttls,
            _ => tls::Mode::Implicit,
        };
        let is_refused = matches!(self.tls, TlsState::Uninvited(_)) && self.heard.server;
        let is_seen = matches!(self.tls, TlsState::Seen | TlsState::Uninvited(_));
        // Of one side alone nobody can say that the other did not go on.
        let closed = matches!(end, FlowEnd::Closed | FlowEnd::Reset) && self.heard.client && self.heard.server;
        let tls = self.handshake.filter(|_| is_seen).map(|handshake| {
            let mut tls = Box::new(handshake.finish(mode, closed));
            if is_refused {
                tls.state = tls::State::Refused;
            }
            tls
        });
        let (helo_verb, helo) = dialogue.helo.map_or((None, None), |(verb, domain)| (Some(verb), domain));
        let (mut transactions, further_transactions, reached) = dialogue.transactions.into_parts();
        let mut further = dialogue.further;
        if let Some(totals) = further_transactions {
            further.get_or_insert_default().totals.merge(&totals);
        }
        keep_to(&mut transactions, dialogue.commands.len());
        locate_replies(&mut transactions, &dialogue.responses);
        let (mut anomalies, further_anomalies) = dialogue.anomalies.into_parts();
        if !self.heard.client || is_refused {
            // What was asked is not in the capture, or no command.
            anomalies.retain(|anomaly| anomaly.kind != AnomalyKind::UnsolicitedReply);
        }
        limits.add(&dialogue.limits);
        limits.add(&reached);
        limits.count(SessionLimit::Anomalies, further_anomalies);
        let beyond = further.as_deref().map(|further| further.totals.clone()).unwrap_or_default();
        Session {
            client_ip: client.ip(),
            client_port: client.port(),
            server_ip: server.ip(),
            server_port: server.port(),
            community_id: CommunityId::of(client, server),
            encapsulation: info.encapsulation.iter().map(Carrier::name).collect(),
            proxied: self.proxied,
            first_seen: Time(info.first_seen),
            last_seen: Time(info.last_seen),
            directions: match (self.heard.client, self.heard.server) {
                (true, false) => Directions::Client,
                (false, true) => Directions::Server,
                _ => Directions::Both,
            },
            start: match info.start {
                FlowStart::Handshake => Start::Handshake,
                FlowStart::Midstream => Start::Midstream,
            },
            end: match end {
                FlowEnd::Closed => End::Closed,
                FlowEnd::Reset => End::Reset,
                FlowEnd::Replaced => End::Replaced,
                FlowEnd::Idle => End::Idle,
                FlowEnd::Evicted => End::Evicted,
                _ => End::EndOfCapture,
            },
            claimed_client: dialogue.claimed_client,
            greeting: dialogue.greeting,
            helo,
            helo_verb: helo_verb.map(|verb| verb.as_str()),
            extensions: dialogue.extensions,
            commands: dialogue.commands,
            responses: dialogue.responses,
            auth_attempts: dialogue.auth.len() + beyond.auth_attempts,
            authenticated: beyond.auth_successes > 0
                || dialogue.auth.iter().any(|attempt| attempt.outcome == AuthOutcome::Success),
            auth: dialogue.auth,
            uses_tls: tls.is_some() && !is_refused,
            tls,
            starttls: dialogue.starttls,
            transaction_count: transactions.len() + beyond.total_transactions,
            anomalies,
            further_anomalies,
            further,
            octets,
            transactions,
            endings: self.endings.into_endings(),
        }
    }
}

/// Takes out of each transaction the commands that are not kept.
fn keep_to(transactions: &mut [Transaction], commands: usize) {
    for transaction in transactions.iter_mut().rev().take_while(|transaction| transaction.commands.end > commands) {
        let Range { start, end } = transaction.commands;
        transaction.commands = start.min(commands)..end.min(commands);
    }
}

/// Finds the replies of each transaction. Commands and replies both stand in order, so that one pass does.
fn locate_replies(transactions: &mut [Transaction], responses: &[Response]) {
    let mut from = 0;
    let end_before = |from: usize, command: usize| {
        let rest = responses.get(from..).unwrap_or_default().iter();
        from + rest.take_while(|response| response.command.is_none_or(|answered| answered < command)).count()
    };
    for transaction in transactions {
        from = end_before(from, transaction.commands.start);
        transaction.responses = from..end_before(from, transaction.commands.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;
    use crate::samples::{answer, opened, response, talk, transaction};

    /// `command` of each reply, and the commands of each transaction: where its replies stand.
    fn located(replies: &[Option<usize>], transactions: &[std::ops::Range<usize>]) -> Vec<std::ops::Range<usize>> {
        let reply =
            |command: &Option<usize>| command.map_or_else(|| response("421 x"), |index| answer("250 x", index, 0));
        let responses: Vec<Response> = replies.iter().map(reply).collect();
        let of = |commands: &std::ops::Range<usize>| {
            let commands = commands.clone();
            Transaction { commands, ..transaction("a@x", Outcome::Accepted) }
        };
        let mut transactions: Vec<Transaction> = transactions.iter().map(of).collect();
        locate_replies(&mut transactions, &responses);
        transactions.into_iter().map(|transaction| transaction.responses).collect()
    }

    #[test]
    fn each_transaction_finds_the_replies_to_its_commands() {
        assert_eq!(located(&[None, Some(0), Some(1), Some(2), Some(3)], &[1..3, 3..4]), [2..4, 4..5]);
        assert_eq!(located(&[Some(0)], &[1..3, 3..4]), [1..1, 1..1], "no reply was captured");
    }

    #[test]
    fn a_reply_that_answers_nothing_hides_none_behind_it() {
        assert_eq!(located(&[Some(0), None, Some(1), Some(2)], &[0..2, 2..3]), [0..3, 3..4]);
    }

    /// The contract: `incomplete` where the message is all there but its reply is not; `aborted` where DATA was never
    /// answered and the connection closes.
    #[test]
    fn the_end_of_the_connection_decides_what_no_reply_has_decided() {
        let mail = [
            (Role::Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Role::Server, "250 ok\r\n250 ok\r\n354 go\r\n"),
        ];
        let outcome = |turns: &[(Role, &'static str)]| {
            let [mail] = talk(&opened(turns)).transactions.try_into().expect("one transaction");
            (mail.outcome, mail.final_response.is_some())
        };
        let whole = [mail.as_slice(), &[(Role::Client, "\r\nt\r\n.\r\n")]].concat();
        assert_eq!(outcome(&whole), (Outcome::Incomplete, false));
        let half = [mail.as_slice(), &[(Role::Client, "\r\nt")]].concat();
        assert_eq!(outcome(&half), (Outcome::Aborted, false));
        let unanswered = [mail[0], (Role::Server, "250 ok\r\n250 ok\r\n")];
        assert_eq!(outcome(&unanswered), (Outcome::Aborted, false));
    }

    #[test]
    fn a_capture_of_one_side_says_so() {
        let session =
            talk(&[(Role::Client, "EHLO a.example.org\r\n"), (Role::Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n")]);
        assert_eq!(session.directions, Directions::Client);
        assert_eq!(session.transactions.first().map(|mail| mail.outcome), Some(Outcome::Incomplete));
    }
}
