//! Records for the tests of what reads records: each plain, so that a test says what it changes.

use std::net::{IpAddr, Ipv4Addr};

use capture::Timestamp;
use smtp_parser::{EnhancedCode, ReplyCode};

use crate::model::{
    Command, Directions, End, Octets, Outcome, Recipient, RecipientOutcome, Response, Session, Start, Transaction,
};
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::report::{Capture, Report};
use crate::session::auth::{AuthAttempt, AuthOutcome};

/// So many seconds after the epoch.
pub(crate) fn at(second: i64) -> Time {
    Time(Timestamp::from_nanos(second * 1_000_000_000))
}

pub(crate) fn code(number: u16) -> Code {
    Code(ReplyCode::new(number).expect("three digits"))
}

/// A reply at second 0 that answers no command: `250 ok`, or with an enhanced code `550 5.1.1 unknown`.
pub(crate) fn response(line: &str) -> Response {
    let (number, text) = line.split_once(' ').expect("a code and a text");
    Response {
        code: code(number.parse().expect("a number")),
        enhanced_code: EnhancedCode::parse(text.as_bytes()).map(Enhanced),
        parameter: text.into(),
        timestamp: at(0),
        command: None,
    }
}

/// The same, to the command of this index.
pub(crate) fn answer(line: &str, command: usize, second: i64) -> Response {
    Response { command: Some(command), timestamp: at(second), ..response(line) }
}

pub(crate) fn command(line: &str, second: i64) -> Command {
    let (verb, parameter) = line.split_once(' ').map_or((line, None), |(verb, rest)| (verb, Some(rest.to_owned())));
    Command { command: verb.to_owned().into(), parameter, timestamp: at(second) }
}

/// A session in which nothing was said, from 192.0.2.1:40000 to 198.51.100.25:25, from second 0 to 9.
pub(crate) fn session() -> Session {
    Session {
        client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        client_port: 40_000,
        server_ip: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 25)),
        server_port: 25,
        community_id: String::new(),
        first_seen: at(0),
        last_seen: at(9),
        directions: Directions::Both,
        start: Start::Handshake,
        end: End::Closed,
        greeting: None,
        helo: None,
        helo_verb: None,
        extensions: Vec::new(),
        commands: Vec::new(),
        responses: Vec::new(),
        auth: Vec::new(),
        auth_attempts: 0,
        authenticated: false,
        starttls: None,
        uses_tls: false,
        tls: None,
        transaction_count: 0,
        anomalies: Vec::new(),
        further_anomalies: 0,
        octets: Octets::default(),
        transactions: Vec::new(),
    }
}

/// The session with these mails.
pub(crate) fn session_of(transactions: Vec<Transaction>) -> Session {
    Session { transaction_count: transactions.len(), transactions, ..session() }
}

/// A mail from this sender at second 0, without recipients, commands or replies.
pub(crate) fn transaction(mail_from: &str, outcome: Outcome) -> Transaction {
    Transaction {
        timestamp: at(0),
        mail_from: Some(mail_from.to_owned()),
        mail_parameters: Vec::new(),
        recipients: Vec::new(),
        further_recipients: 0,
        has_data: outcome == Outcome::Accepted,
        via: None,
        outcome,
        final_response: None,
        queue_id: None,
        message: None,
        commands: 0..0,
        responses: 0..0,
    }
}

pub(crate) fn recipient(address: &str, outcome: RecipientOutcome) -> Recipient {
    Recipient {
        address: address.to_owned(),
        outcome,
        code: None,
        enhanced_code: None,
        parameter: None,
        parameters: Vec::new(),
    }
}

/// An exchange in which credentials were sent.
pub(crate) fn attempt(mechanism: &str, outcome: AuthOutcome) -> AuthAttempt {
    AuthAttempt {
        mechanism: mechanism.to_owned(),
        username: None,
        authorization_id: None,
        outcome,
        code: None,
        timestamp: at(0),
        credentials_sent: true,
        responses: None,
        password: None,
    }
}

/// The report on these sessions.
pub(crate) fn report(sessions: Vec<Session>) -> Report {
    Report::new(sessions, Capture::default())
}
