//! The end of a session: from what was followed to the record of it.

use std::net::SocketAddr;

use reassembly::{Direction, Flow, FlowEnd, FlowStart};
use smtp_parser::SmtpEvent;

use super::auth::AuthOutcome;
use super::{Stamp, StartTls, Time, TlsState, Tracker};
use crate::community_id::community_id;
use crate::model::{DirectionOctets, Directions, End, Octets, Response, Session, Start, Tls, Transaction};
use crate::session::Ending;

impl Tracker {
    /// The connection is over: what was held is read, what is unanswered stays so.
    pub(crate) fn finish<S>(mut self, flow: &Flow<S>, client: Direction, end: FlowEnd) -> Session {
        let info = flow.info();
        let at = Stamp { offset: self.server_delivered, timestamp: Time(info.last_seen), acknowledged: None };
        self.resolve();
        if let Some(SmtpEvent::Reply(reply)) = self.server.finish() {
            let next = self.dialogue.reply(&reply, at);
            self.go_on(next, at.timestamp);
        }
        while self.awaited.is_some() {
            self.heard.server_is_missing = !self.heard.server;
            self.assume();
            if self.held.is_empty() && self.awaited.is_some() {
                break;
            }
        }
        let both = self.heard.client && self.heard.server;
        let closed = matches!(end, FlowEnd::Closed | FlowEnd::Reset);
        self.dialogue.finish(if both && closed { Ending::Closed } else { Ending::Unseen }, at);
        let (client_address, server_address) = match client {
            Direction::FromOriginator => (info.originator, info.responder),
            Direction::FromResponder => (info.responder, info.originator),
        };
        let octets = Octets { client: octets(flow, client), server: octets(flow, !client) };
        self.into_session(client_address, server_address, info, octets, end)
    }

    fn into_session(
        self,
        client: SocketAddr,
        server: SocketAddr,
        info: &reassembly::FlowInfo,
        octets: Octets,
        end: FlowEnd,
    ) -> Session {
        let uses_tls = self.tls == TlsState::Seen;
        let dialogue = self.dialogue;
        let (helo_verb, helo) = dialogue.helo.map_or((None, None), |(verb, domain)| (Some(verb), domain));
        let mut transactions = dialogue.transactions.into_finished();
        locate_replies(&mut transactions, &dialogue.responses);
        let (anomalies, further_anomalies) = dialogue.anomalies.into_parts();
        Session {
            client_ip: client.ip(),
            client_port: client.port(),
            server_ip: server.ip(),
            server_port: server.port(),
            community_id: community_id(client, server),
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
            greeting: dialogue.greeting,
            helo,
            helo_verb: helo_verb.map(|verb| verb.as_str().to_owned()),
            extensions: dialogue.extensions,
            commands: dialogue.commands,
            responses: dialogue.responses,
            auth_attempts: dialogue.auth.len(),
            authenticated: dialogue.auth.iter().any(|attempt| attempt.outcome == AuthOutcome::Success),
            auth: dialogue.auth,
            tls: uses_tls.then(|| Tls {
                mode: if dialogue.starttls == Some(StartTls::Accepted) { "starttls" } else { "implicit" },
                ..Tls::default()
            }),
            starttls: dialogue.starttls,
            uses_tls,
            transaction_count: transactions.len(),
            anomalies,
            further_anomalies,
            octets,
            transactions,
        }
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

fn octets<S>(flow: &Flow<S>, direction: Direction) -> DirectionOctets {
    let octets = flow.octets(direction);
    DirectionOctets {
        payload: octets.payload,
        retransmitted: octets.retransmitted,
        missing: octets.missing,
        conflicting: octets.conflicting,
    }
}
