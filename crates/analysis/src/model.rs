//! What is known of a mail session when it has ended, in the shape users see it: `Session` and what hangs on it.
//!
//! Text from the wire is kept as [`SmolStr`], which needs no memory of its own where it is short, as most of it is; octets
//! that are not UTF-8 have become U+FFFD. Absent is `None`, never a
//! made-up value.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

use reassembly::StreamOctets;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::anomaly::Anomaly;
use crate::community_id::CommunityId;
use crate::message::Message;
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::session::Further;
use crate::session::auth::AuthAttempt;
use crate::session::endings::Endings;
use crate::tls::Tls;

/// One TCP connection on which SMTP was recognised.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The side that speaks commands.
    pub client_ip: IpAddr,
    /// Its port.
    pub client_port: u16,
    /// The side that answers.
    pub server_ip: IpAddr,
    /// Its port.
    pub server_port: u16,
    /// Community ID v1 with seed 0, which other tools print for the same connection.
    pub community_id: CommunityId,
    /// Through which tags, labels and tunnels its first packet came, outermost first.
    pub encapsulation: Vec<&'static str>,
    /// The proxies that the client had itself connected by, outermost first. The server of the 4-tuple is the first one.
    pub proxied: Vec<Proxied>,
    /// First packet of the connection.
    pub first_seen: Time,
    /// Last packet of the connection.
    pub last_seen: Time,
    /// Whose payload the capture holds.
    pub directions: Directions,
    /// How the connection begins in the capture.
    pub start: Start,
    /// How it ends in the capture.
    pub end: End,
    /// Whom the peer says it speaks for: the last such claim that the server did not refuse. [`Self::client_ip`] stays
    /// that of the peer. Boxed, because most sessions have none.
    pub claimed_client: Option<Box<ClaimedClient>>,
    /// What the server said before it was asked anything.
    pub greeting: Option<Greeting>,
    /// Argument of the last HELO, EHLO or LHLO the server did not refuse; of the last one sent where each was refused.
    pub helo: Option<SmolStr>,
    /// Its verb.
    pub helo_verb: Option<&'static str>,
    /// What the last accepted EHLO or LHLO was offered.
    pub extensions: Vec<ExtensionOffer>,
    /// Every command line, in order; [`Self::further`] ones are counted only.
    pub commands: Vec<Command>,
    /// Every reply, in order.
    pub responses: Vec<Response>,
    /// Every AUTH exchange, in order.
    pub auth: Vec<AuthAttempt>,
    /// How many there were.
    pub auth_attempts: usize,
    /// Whether one succeeded.
    pub authenticated: bool,
    /// How far STARTTLS came.
    pub starttls: Option<StartTls>,
    /// Whether a TLS handshake was seen.
    pub uses_tls: bool,
    /// What it shows; boxed, because most sessions have none.
    pub tls: Option<Box<Tls>>,
    /// Transactions of this session.
    pub transaction_count: usize,
    /// What was out of the ordinary.
    pub anomalies: Vec<Anomaly>,
    /// How many more there were.
    pub further_anomalies: u64,
    /// How many commands, replies, transactions and AUTH exchanges there were beyond those that are kept.
    pub further: Option<Box<Further>>,
    /// What became of the payload octets.
    pub octets: Octets,
    /// The transactions, in order; printed beside the sessions, not inside them.
    #[serde(skip)]
    pub transactions: Vec<Transaction>,
    /// What others may take for the end of a message; printed in findings only. Boxed, because most sessions have none.
    #[serde(skip)]
    pub(crate) endings: Option<Box<Endings>>,
}

impl Session {
    /// Adds what came after its end.
    pub fn add(&mut self, late: Late) {
        self.last_seen = self.last_seen.max(late.last_seen);
        self.octets = self.octets.plus(late.octets);
    }

    /// Who talks to whom. Not unique: see [`crate::report::Report`].
    pub fn four_tuple(&self) -> FourTuple {
        FourTuple {
            client: SocketAddr::new(self.client_ip, self.client_port),
            server: SocketAddr::new(self.server_ip, self.server_port),
        }
    }
}

/// The two ends of a session; printed as `client_ip:client_port-server_ip:server_port`, IPv6 addresses in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourTuple {
    /// The side that speaks commands.
    pub client: SocketAddr,
    /// The side that answers.
    pub server: SocketAddr,
}

impl fmt::Display for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.client, self.server)
    }
}

/// Whose payload the capture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// Of both sides.
    Both,
    /// Only the client's.
    Client,
    /// Only the server's.
    Server,
}

/// How a connection begins in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With its handshake.
    Handshake,
    /// Some time after it.
    Midstream,
}

/// How a connection ends in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By the FIN of each side.
    Closed,
    /// By a RST.
    Reset,
    /// A new connection with the same 4-tuple began.
    Replaced,
    /// It was silent for ten minutes.
    Idle,
    /// It was dropped because too many connections were open.
    Evicted,
    /// It was still open when the capture ended.
    EndOfCapture,
}

/// A proxy that the client asked to be connected. What it said to be let in is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proxied {
    /// How it asked.
    pub protocol: ProxyProtocol,
    /// Host and port that it asked for, as it wrote them; `None` where the capture does not show it.
    pub target: Option<SmolStr>,
}

/// How a client asks a proxy for a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocol {
    /// RFC 9110 §9.3.6.
    HttpConnect,
    /// SOCKS 4; perhaps 4a, where only the answer was captured.
    Socks4,
    /// SOCKS 4a, with a host name.
    Socks4a,
    /// RFC 1928.
    Socks5,
}

/// The client behind a proxy or filter, as that one describes it. Nothing proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimedClient {
    /// How it was said.
    pub source: ClaimSource,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// Its host name.
    pub name: Option<SmolStr>,
    /// What it said in HELO or EHLO.
    pub helo: Option<SmolStr>,
    /// As whom it is logged in (SASL).
    pub login: Option<SmolStr>,
    /// `SMTP` or `ESMTP`.
    pub protocol: Option<SmolStr>,
    /// The address it had called.
    pub destination_address: Option<IpAddr>,
    /// The port it had called.
    pub destination_port: Option<u16>,
}

impl ClaimedClient {
    /// Of whom nothing is said yet.
    pub const fn new(source: ClaimSource) -> Self {
        Self {
            source,
            address: None,
            port: None,
            name: None,
            helo: None,
            login: None,
            protocol: None,
            destination_address: None,
            destination_port: None,
        }
    }
}

/// How a peer says for whom it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimSource {
    /// The header of the PROXY protocol, before the greeting.
    Proxy,
    /// XCLIENT (Postfix): the session is to be taken for that of another client.
    Xclient,
    /// XFORWARD (Postfix): which client the next mail came from.
    Xforward,
}

/// The reply a connection opens with (RFC 5321 §3.1).
#[derive(Debug, Clone, Serialize)]
pub struct Greeting {
    /// 220, 554 or 421 as a rule.
    pub code: Code,
    /// The text behind it.
    pub parameter: SmolStr,
    /// When it was complete.
    pub timestamp: Time,
}

/// An EHLO keyword (RFC 5321 §4.1.1.1).
#[derive(Debug, Clone, Serialize)]
pub struct ExtensionOffer {
    /// In upper case.
    pub keyword: SmolStr,
    /// As sent.
    pub parameters: Vec<SmolStr>,
}

/// A command line.
#[derive(Debug, Clone, Serialize)]
pub struct Command {
    /// The verb in upper case; an unknown verb as it was typed.
    pub command: SmolStr,
    /// What follows the verb; `None` where nothing does. The secret of an AUTH command is redacted.
    pub parameter: Option<SmolStr>,
    /// When the line was complete.
    pub timestamp: Time,
    /// Where the line begins.
    #[serde(skip)]
    pub spot: Spot,
}

/// Where in a recording something stands. It is printed in the evidence of findings only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spot {
    /// The number of the packet with which it was complete, from 1; `None` where the capture ended before it was.
    pub packet: Option<NonZeroU64>,
    /// The place of its first octet in the stream of its side.
    pub offset: u64,
}

/// A reply; one of several lines is one reply.
#[derive(Debug, Clone, Serialize)]
pub struct Response {
    /// Three digits.
    pub code: Code,
    /// The enhanced status code (RFC 2034), such as `5.1.1`.
    pub enhanced_code: Option<Enhanced>,
    /// The text behind the code, an enhanced status code included; lines joined by LF.
    pub parameter: SmolStr,
    /// When it was complete.
    pub timestamp: Time,
    /// Index of the command it answers; `None` for the greeting and for replies nobody asked for.
    pub command: Option<usize>,
    /// Where it begins.
    #[serde(skip)]
    pub spot: Spot,
}

impl Response {
    /// See [`Code::class`].
    pub fn class(&self) -> u8 {
        self.code.class()
    }
}

/// The furthest step STARTTLS (RFC 3207) reached, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// In the reply to an EHLO.
    Offered,
    /// The client asked for it.
    Requested,
    /// The server refused.
    Rejected,
    /// The server agreed.
    Accepted,
}

/// What came of a connection after its session had ended: copies of what was there before, as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Last packet of the connection.
    pub last_seen: Time,
    /// What is to be added to [`Session::octets`].
    pub octets: Octets,
}

impl Late {
    /// What came before and what came after it.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self { last_seen: self.last_seen.max(next.last_seen), octets: self.octets.plus(next.octets) }
    }
}

/// Payload octets by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Octets {
    /// Sent by the client.
    pub client: DirectionOctets,
    /// Sent by the server.
    pub server: DirectionOctets,
}

impl Octets {
    /// The sum, figure by figure.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { client: self.client.plus(other.client), server: self.server.plus(other.server) }
    }
}

/// What became of the payload octets of one direction: `payload` is `delivered`, `retransmitted`, `conflicting` and
/// `discarded` together, and the stream is `delivered` and `missing` octets long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectionOctets {
    /// In captured segments, each copy counted.
    pub payload: u64,
    /// Those that make up the stream, each once.
    pub delivered: u64,
    /// Copies of octets that were there already.
    pub retransmitted: u64,
    /// Sent, and not in the capture.
    pub missing: u64,
    /// Copies that differ from what was captured first.
    pub conflicting: u64,
    /// No part of the stream: outside any window, behind the FIN, in a reset or a keep-alive.
    pub discarded: u64,
}

impl From<StreamOctets> for DirectionOctets {
    fn from(octets: StreamOctets) -> Self {
        let StreamOctets { payload, delivered, retransmitted, conflicting, missing, discarded } = octets;
        Self { payload, delivered, retransmitted, missing, conflicting, discarded }
    }
}

impl DirectionOctets {
    fn plus(self, other: Self) -> Self {
        Self {
            payload: self.payload + other.payload,
            delivered: self.delivered + other.delivered,
            retransmitted: self.retransmitted + other.retransmitted,
            missing: self.missing + other.missing,
            conflicting: self.conflicting + other.conflicting,
            discarded: self.discarded + other.discarded,
        }
    }
}

/// One mail transaction (RFC 5321 §3.3).
#[derive(Debug, Clone)]
pub struct Transaction {
    /// When MAIL was sent (DATA or BDAT, where a server took a message without MAIL).
    pub timestamp: Time,
    /// The reverse-path without brackets, source route and parameters; empty for the null sender; `None` where no MAIL
    /// was taken or it had no path.
    pub mail_from: Option<SmolStr>,
    /// The parameters of MAIL, keywords in upper case.
    pub mail_parameters: Vec<(SmolStr, Option<SmolStr>)>,
    /// In the order of their RCPT commands.
    pub recipients: Vec<Recipient>,
    /// RCPT commands beyond the limit of recipients that are kept.
    pub further_recipients: u64,
    /// Whether the server let the message begin.
    pub has_data: bool,
    /// The command that was used for the message, also when it was refused.
    pub via: Option<Via>,
    /// What became of it.
    pub outcome: Outcome,
    /// The reply that decided.
    pub final_response: Option<Response>,
    /// The server's name for the mail, where the form of the final reply is known.
    pub queue_id: Option<SmolStr>,
    /// What was sent as the message.
    pub message: Option<Message>,
    /// When its end was complete, where the capture shows it; printed in findings only.
    pub message_ended: Option<Time>,
    /// Its commands: from MAIL on, in [`Session::commands`].
    pub commands: std::ops::Range<usize>,
    /// Where its replies stand in [`Session::responses`]; others may stand among them.
    pub responses: std::ops::Range<usize>,
}

impl Transaction {
    /// How many recipients it has, those that are not kept among them.
    pub fn recipient_count(&self) -> u64 {
        self.recipients.len() as u64 + self.further_recipients
    }

    /// Its replies, as they stand in the session.
    pub fn answers<'a>(&'a self, session: &'a Session) -> impl Iterator<Item = &'a Response> {
        let responses = session.responses.get(self.responses.clone()).unwrap_or_default();
        responses.iter().filter(|response| self.command_of(response).is_some())
    }

    /// The number of the command that a reply answers, counted from the transaction's first one; `None` where that is
    /// none of its commands.
    pub fn command_of(&self, response: &Response) -> Option<usize> {
        let command = response.command.filter(|command| self.commands.contains(command))?;
        Some(command - self.commands.start)
    }
}

/// The command that carries a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Via {
    /// RFC 5321 §4.1.1.4.
    Data,
    /// RFC 3030 §2.
    Bdat,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx to the end of the message.
    Accepted,
    /// Refused at MAIL, by every RCPT, at DATA or BDAT, or at the end; 4xx and 5xx alike.
    Rejected,
    /// Ended before that, and the capture shows how.
    Aborted,
    /// The capture does not show it.
    Incomplete,
}

/// A recipient and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Recipient {
    /// The forward-path without brackets, source route and parameters.
    pub address: SmolStr,
    /// What the server said.
    pub outcome: RecipientOutcome,
    /// The reply's code.
    pub code: Option<Code>,
    /// The reply's enhanced status code.
    pub enhanced_code: Option<Enhanced>,
    /// The reply's text.
    pub parameter: Option<SmolStr>,
    /// The parameters of RCPT, keywords in upper case.
    #[serde(serialize_with = "crate::output::pairs_as_map")]
    pub parameters: Vec<(SmolStr, Option<SmolStr>)>,
}

/// What the server said to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientOutcome {
    /// 2xx.
    Accepted,
    /// 5xx.
    Rejected,
    /// 4xx.
    Deferred,
    /// The capture shows no reply.
    Unknown,
}

impl RecipientOutcome {
    /// What a reply of this class means.
    pub fn from_class(class: u8) -> Self {
        match class {
            2 => Self::Accepted,
            4 => Self::Deferred,
            5 => Self::Rejected,
            _ => Self::Unknown,
        }
    }
}
