//! Records for the tests of what reads records: each plain, so that a test says what it changes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use capture::{Flags, Segment, SeqNumber, Timestamp};
use reassembly::{FlowLimits, FlowObserver, FlowStart, FlowTable};
use smtp_parser::{EnhancedCode, ReplyCode};

use crate::anomaly::Role;
use crate::connection::Observer;
use crate::model::{
    Directions, End, Octets, Outcome, Recipient, RecipientOutcome, Response, Session, Spot, Start, Transaction,
};
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::report::{Capture, Report};
use crate::session::auth::{AuthAttempt, AuthOutcome};
use crate::session::{LimitsReached, Options};

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
        spot: Spot::default(),
    }
}

/// The same, to the command of this index.
pub(crate) fn answer(line: &str, command: usize, second: i64) -> Response {
    Response { command: Some(command), timestamp: at(second), ..response(line) }
}

/// A session in which nothing was said, from 192.0.2.1:40000 to 198.51.100.25:25, from second 0 to 9.
pub(crate) fn session() -> Session {
    Session {
        client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        client_port: 40_000,
        server_ip: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 25)),
        server_port: 25,
        community_id: crate::community_id::CommunityId::of(
            ([192, 0, 2, 1], 40_000).into(),
            ([198, 51, 100, 25], 25).into(),
        ),
        encapsulation: vec![],
        proxied: vec![],
        first_seen: at(0),
        last_seen: at(9),
        directions: Directions::Both,
        start: Start::Handshake,
        end: End::Closed,
        claimed_client: None,
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
        further: None,
        octets: Octets::default(),
        transactions: Vec::new(),
        endings: None,
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
        mail_from: Some(mail_from.into()),
        mail_parameters: Vec::new(),
        recipients: Vec::new(),
        further_recipients: 0,
        has_data: outcome == Outcome::Accepted,
        via: None,
        outcome,
        final_response: None,
        queue_id: None,
        message: None,
        message_ended: None,
        commands: 0..0,
        responses: 0..0,
    }
}

pub(crate) fn recipient(address: &str, outcome: RecipientOutcome) -> Recipient {
    Recipient {
        address: address.into(),
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
        domain: None,
        workstation: None,
        trace: None,
        outcome,
        code: None,
        timestamp: at(0),
        spot: Spot::default(),
        credentials_sent: true,
        secret_seen: true,
        responses: None,
        password: None,
        secret_digest: None,
    }
}

/// The report on these sessions.
pub(crate) fn report(sessions: Vec<Session>) -> Report {
    Report::new(sessions, Capture::default())
}

/// The sessions found in a connection of these turns, each a segment that acknowledges all before it, a second apart;
/// with the handshake before them and the FIN of each side behind them.
pub(crate) fn sessions_of(turns: &[(Role, &str)]) -> Vec<Session> {
    conversation(Options::default(), turns).0
}

/// The same under other limits, and how often each was reached.
pub(crate) fn conversation(options: Options, turns: &[(Role, &str)]) -> (Vec<Session>, LimitsReached) {
    let mut sessions = Vec::new();
    let mut observer = Observer::new(options, &mut sessions);
    deliver(&mut observer, FlowStart::Handshake, turns);
    let reached = observer.limits_reached();
    (sessions, reached)
}

/// The sessions found in these turns of a connection whose handshake was not captured.
pub(crate) fn midstream(turns: &[(Role, &str)]) -> Vec<Session> {
    midstream_on(25, turns).0
}

/// The same on this port of the server, and how often limits were reached.
pub(crate) fn midstream_on(port: u16, turns: &[(Role, &str)]) -> (Vec<Session>, LimitsReached) {
    let mut sessions = Vec::new();
    let mut observer = Observer::new(Options::default(), &mut sessions);
    deliver_to(port, &mut observer, FlowStart::Midstream, turns);
    let reached = observer.limits_reached();
    (sessions, reached)
}

/// Shows the turns to an observer of connections.
pub(crate) fn deliver<O: FlowObserver>(observer: &mut O, start: FlowStart, turns: &[(Role, &str)]) {
    deliver_to(25, observer, start, turns);
}

fn deliver_to<O: FlowObserver>(port: u16, observer: &mut O, start: FlowStart, turns: &[(Role, &str)]) {
    let mut table = FlowTable::new(FlowLimits::default());
    let client = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let server = SocketAddr::from(([198, 51, 100, 25], port));
    let (mut of_client, mut of_server, mut second) = (0, 0, 0);
    let mut push = |role: Role, flags: Flags, text: &str| {
        let is_client = role == Role::Client;
        let (source, destination) = if is_client { (client, server) } else { (server, client) };
        let (own, other) = if is_client { (&mut of_client, of_server) } else { (&mut of_server, of_client) };
        let segment = Segment {
            source,
            destination,
            seq: SeqNumber::new(*own),
            ack: (!is_client || !flags.syn).then(|| SeqNumber::new(other)),
            flags,
            payload: text.as_bytes(),
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: 0,
            timestamp: at(second).0,
            encapsulation: capture::Encapsulation::default(),
        };
        table.push(&segment, observer);
        *own += u32::try_from(text.len()).expect("a short turn") + u32::from(flags.syn || flags.fin);
        second += 1;
    };
    let syn = Flags { syn: true, ..Flags::default() };
    let fin = Flags { fin: true, ..Flags::default() };
    if start == FlowStart::Handshake {
        push(Role::Client, syn, "");
        push(Role::Server, syn, "");
    }
    turns.iter().for_each(|&(role, text)| push(role, Flags::default(), text));
    push(Role::Client, fin, "");
    push(Role::Server, fin, "");
    table.finish(observer);
}

/// The one session of these turns.
#[track_caller]
pub(crate) fn talk(turns: &[(Role, &str)]) -> Session {
    let [session] = sessions_of(turns).try_into().expect("one session");
    session
}

/// The turns of a session in which the client, greeted, says EHLO and is offered PIPELINING.
pub(crate) const OPENING: [(Role, &str); 3] = [
    (Role::Server, "220 mx.example.net ESMTP\r\n"),
    (Role::Client, "EHLO client.example.org\r\n"),
    (Role::Server, "250-mx.example.net\r\n250 PIPELINING\r\n"),
];

/// [`OPENING`] and then these turns.
pub(crate) fn opened(turns: &[(Role, &'static str)]) -> Vec<(Role, &'static str)> {
    [&OPENING, turns].concat()
}
