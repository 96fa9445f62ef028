//! Clients that speak as mail servers do not, and as the senders of spam often do.
//!
//! Such a program waits for nothing and cleans up nothing: RFC 5321 §3.1 has the server speak first, RFC 2920 §3.1 has the
//! client wait for the offer of PIPELINING, and RFC 5321 §4.1.1.10 has it end with QUIT. It makes up its name:
//! > the SMTP client MUST, if possible, ensure that the domain parameter to the EHLO command is a primary host name as
//! > specified for this command in Section 2.3.5. If this is not possible […], an address literal SHOULD be substituted for
//! > the domain name. (RFC 5321 §4.1.4)
//!
//! Each of this is also done by printers, scripts and old servers. So it is told only of a client in which several things
//! come together: of two for information, of more as low. A client that spoke before the greeting is told of besides.
//!
//! What speaks against it, and is not counted: the names of clients of ours or with an address that sites use within, of clients that
//! log in or come to a port for submission (those are people's programs, and say what they like), and of LMTP; a literal with an
//! address from behind NAT; all that a proxy passes on; early commands at a server that offers that (PIPECONNECT), or
//! that leaves out line ends.
//! Several names behind one address may also be several hosts behind NAT.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use smol_str::SmolStr;
use smtp_parser::AddressLiteral;

use super::{Rule, Seen};
use crate::anomaly::{Anomaly, AnomalyKind, Role};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::networks::is_local;
use crate::insights::quality::Quality;
use crate::insights::site::Site;
use crate::insights::thresholds::Thresholds;
use crate::model::{Command, Directions, End, RecipientOutcome, Session, Spot, StartTls};
use crate::output::time::Time;
use crate::report::SessionId;

/// Clients that a shard keeps. More are counted as `finding_clients`.
const CLIENTS: usize = 4096;
/// Names of a client that are kept, the earliest, and characters of each.
const NAMES: usize = 4;
const NAME_CHARACTERS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Dialect {
    limit: usize,
    clients: HashMap<IpAddr, Client>,
    beyond: u64,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { limit: CLIENTS, clients: HashMap::new(), beyond: 0 }
    }
}

/// What was seen of a client.
#[derive(Debug, Default)]
struct Client {
    signals: BTreeMap<Signal, Example>,
    /// Different ones in order, at most [`NAMES`].
    names: Vec<Named>,
    quality: Quality,
}

/// The first time a signal was seen, and how often it was.
#[derive(Debug)]
struct Example {
    order: (Time, SessionId),
    last_seen: Time,
    count: u64,
    evidence: Evidence,
}

/// A name and where it was first said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    order: (Time, SessionId),
    name: SmolStr,
    verb: &'static str,
    spot: (u64, Option<std::num::NonZeroU64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    EarlyTalker,
    Pipelined,
    NoHello,
    BareAddress,
    Unqualified,
    Localhost,
    NameOfServer,
    OtherLiteral,
    ManyNames,
    RefusedRecipients,
    NoQuit,
}

impl Signal {
    const fn told(self) -> &'static str {
        match self {
            Self::EarlyTalker => "spoke before the greeting",
            Self::Pipelined => "did not wait for replies",
            Self::NoHello => "sent MAIL without HELO",
            Self::BareAddress => "gave an address without brackets as its name",
            Self::Unqualified => "gave a name without a domain",
            Self::Localhost => "called itself localhost",
            Self::NameOfServer => "gave the server's name or address as its own",
            Self::OtherLiteral => "gave another address as its own",
            Self::ManyNames => "gave several names",
            Self::RefusedRecipients => "went on while its recipients were refused",
            Self::NoQuit => "reset the connection without QUIT",
        }
    }
}

impl Rule for Dialect {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        // Behind a proxy stands another client, and what is not SMTP has other manners.
        if session.claimed_client.is_some() || session.helo_verb == Some("LHLO") {
            return;
        }
        let signals = signals(session, seen.thresholds, seen.site);
        if let Some(early) = signals.iter().find(|(signal, _)| *signal == Signal::EarlyTalker) {
            let subject = session.client_ip.to_string();
            let sighting = seen.sighting(Kind::EarlyTalker, Severity::Info, subject, early.1.timestamp);
            groups.add(sighting, || Detail {
                description: format!(
                    "{} spoke before {} had greeted it",
                    session.client_ip,
                    session.four_tuple().server
                ),
                evidence: vec![early.1.clone()],
                ..Detail::default()
            });
        }
        let named = name_counts(session, seen.site).then(|| named(session, seen.id)).flatten();
        if signals.is_empty() && named.is_none() {
            return;
        }
        if self.clients.len() >= self.limit && !self.clients.contains_key(&session.client_ip) {
            self.beyond += 1;
            return;
        }
        let client = self.clients.entry(session.client_ip).or_default();
        client.quality = client.quality.and(seen.quality);
        for (signal, evidence) in signals {
            let order = (evidence.timestamp, seen.id);
            client.add(signal, Example { order, last_seen: evidence.timestamp, count: 1, evidence });
        }
        client.add_names(named);
    }

    fn merge(&mut self, other: Self) {
        self.limit += other.limit;
        self.beyond += other.beyond;
        for (address, more) in other.clients {
            let client = self.clients.entry(address).or_default();
            client.quality = client.quality.and(more.quality);
            more.signals.into_iter().for_each(|(signal, example)| client.add(signal, example));
            client.add_names(more.names);
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let mut clients: Vec<(IpAddr, Client)> = self.clients.into_iter().collect();
        clients.sort_unstable_by_key(|&(address, _)| address);
        for (address, client) in clients {
            client.tell(address, thresholds, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_clients", self.beyond))
    }
}

impl Client {
    fn add(&mut self, signal: Signal, example: Example) {
        let Some(kept) = self.signals.get_mut(&signal) else {
            self.signals.insert(signal, example);
            return;
        };
        let count = kept.count + example.count;
        let last_seen = kept.last_seen.max(example.last_seen);
        if example.order < kept.order {
            *kept = example;
        }
        (kept.count, kept.last_seen) = (count, last_seen);
    }

    /// Keeps the first time of each name, and the names that came first.
    fn add_names(&mut self, names: impl IntoIterator<Item = Named>) {
        for named in names {
            match self.names.iter_mut().find(|kept| kept.name == named.name) {
                Some(kept) if named < *kept => *kept = named,
                Some(_) => continue,
                None => self.names.push(named),
            }
            self.names.sort_unstable();
            self.names.truncate(NAMES);
        }
    }

    fn tell(mut self, address: IpAddr, thresholds: &Thresholds, groups: &mut Groups) {
        let wanted = usize::try_from(thresholds.hello_names).unwrap_or(NAMES).min(NAMES);
        let names = if self.names.len() >= wanted { std::mem::take(&mut self.names) } else { Vec::new() };
        let mut signals: Vec<(Signal, u64)> =
            self.signals.iter().map(|(&signal, example)| (signal, example.count)).collect();
        if !names.is_empty() {
            signals.push((Signal::ManyNames, 1));
        }
        let many = signals.len() as u64;
        if many < thresholds.bot_signals {
            return;
        }
        let last_of_signals = self.signals.values().map(|example| example.last_seen).max();
        let mut seen: Vec<((Time, SessionId), Evidence)> =
            self.signals.into_values().map(|example| (example.order, example.evidence)).collect();
        seen.extend(names.iter().map(|named| (named.order, named.evidence())));
        seen.sort_by_key(|&(order, _)| order);
        let Some(&((first_seen, session), _)) = seen.first() else { return };
        let told: Vec<&str> = signals.iter().map(|(signal, _)| signal.told()).collect();
        let mut description = format!("{address} {}", told.join(", "));
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|named| quoted(&named.name)).collect();
            description += &format!(": {}", names.join(", "));
        }
        let is_strong = many > thresholds.bot_signals;
        let sighting = Sighting {
            kind: Kind::BotDialect,
            subject: address.to_string(),
            severity: if is_strong { Severity::Low } else { Severity::Info },
            confidence: if is_strong { Confidence::LIKELY } else { Confidence::WEAK },
            count: signals.iter().map(|&(_, count)| count).sum(),
            first_seen,
            last_seen: last_of_signals.max(names.last().map(|named| named.order.0)).unwrap_or(first_seen),
            session: Some(session),
            transaction: None,
            quality: self.quality,
        };
        let sessions = seen.iter().map(|&((_, session), _)| session).collect();
        let evidence = seen.into_iter().map(|(_, evidence)| evidence).collect();
        groups.add(sighting, || Detail { description, evidence, sessions });
    }
}

impl Named {
    fn evidence(&self) -> Evidence {
        let (offset, packet) = self.spot;
        let line = format!("{} {}", self.verb, self.name);
        Evidence::new(self.order.0, Spot { packet, offset }, Role::Client, line.as_bytes())
    }
}

/// What a session shows, each once.
fn signals(session: &Session, thresholds: &Thresholds, site: &Site) -> Vec<(Signal, Evidence)> {
    let mut signals: Vec<(Signal, Evidence)> = Vec::new();
    let is_offered = |keyword| session.extensions.iter().any(|offer| offer.keyword == keyword);
    // A reply without its line end was perhaps enough for the client.
    let breaks_off = session.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::UnterminatedReply);
    let may_be_early = breaks_off || EARLY_COMMANDS.into_iter().any(is_offered);
    for anomaly in &session.anomalies {
        match of_anomaly(anomaly) {
            Some(Signal::EarlyTalker | Signal::Pipelined) if may_be_early => {}
            Some(signal) if !signals.iter().any(|(seen, _)| *seen == signal) => {
                signals.push((signal, Evidence::anomaly(anomaly)));
            }
            _ => {}
        }
    }
    if name_counts(session, site) {
        let of_name = session.helo.as_deref().and_then(|name| of_name(name, session));
        signals.extend(of_name.zip(hello(session).map(Evidence::command)));
    }
    signals.extend(refused_recipients(session, thresholds).map(|reply| (Signal::RefusedRecipients, reply)));
    signals.extend(no_quit(session).map(|last| (Signal::NoQuit, last)));
    signals
}

/// Exim's extension by which a client may send commands before it is greeted, under its name and its two earlier ones.
const EARLY_COMMANDS: [&str; 3] = ["PIPECONNECT", "PIPE_CONNECT", "X_PIPE_CONNECT"];

fn of_anomaly(anomaly: &Anomaly) -> Option<Signal> {
    match anomaly.kind {
        AnomalyKind::EarlyTalker => Some(Signal::EarlyTalker),
        AnomalyKind::UnannouncedPipelining | AnomalyKind::InvalidPipelinedSequence => Some(Signal::Pipelined),
        AnomalyKind::MailWithoutHello => Some(Signal::NoHello),
        _ => None,
    }
}

/// Whether the name that the client gives has to be that of a mail server.
fn name_counts(session: &Session, site: &Site) -> bool {
    let is_submission = matches!(session.server_port, 465 | 587) || session.auth_attempts > 0;
    let is_ours = is_local(session.client_ip) || site.has_host(session.client_ip);
    !is_submission && !is_ours && session.client_ip != session.server_ip
}

/// What is wrong with a name.
fn of_name(name: &str, session: &Session) -> Option<Signal> {
    let bare = name.parse::<IpAddr>().ok();
    let literal = match AddressLiteral::parse(name.as_bytes()) {
        Some(AddressLiteral::V4(v4)) => Some(IpAddr::from(v4)),
        Some(AddressLiteral::V6(v6)) => Some(IpAddr::from(v6)),
        _ => None,
    };
    if let Some(address) = bare.or(literal).map(|address| address.to_canonical()) {
        return match address {
            _ if address == session.server_ip.to_canonical() => Some(Signal::NameOfServer),
            _ if bare.is_some() => Some(Signal::BareAddress),
            _ if address == session.client_ip.to_canonical() || is_local(address) => None,
            _ => Some(Signal::OtherLiteral),
        };
    }
    let name = name.trim_end_matches('.');
    let is_localhost =
        |name: &str| ["localhost", "localhost.localdomain"].iter().any(|of| name.eq_ignore_ascii_case(of));
    let of_server = session.greeting.as_ref().and_then(|greeting| greeting.parameter.split_ascii_whitespace().next());
    match name {
        _ if is_localhost(name) => Some(Signal::Localhost),
        _ if name.starts_with('[') => None,
        _ if !name.contains('.') => Some(Signal::Unqualified),
        _ if of_server.is_some_and(|of_server| of_server.eq_ignore_ascii_case(name)) => Some(Signal::NameOfServer),
        _ => None,
    }
}

/// The command that said the name of the session.
fn hello(session: &Session) -> Option<&Command> {
    let says = |command: &&Command| {
        matches!(command.command.as_str(), "EHLO" | "HELO")
            && command.parameter.as_deref().map(str::trim) == session.helo.as_deref()
    };
    session.commands.iter().rfind(says)
}

fn named(session: &Session, id: SessionId) -> Option<Named> {
    let (name, command) = (session.helo.as_deref()?, hello(session)?);
    let name: SmolStr =
        name.trim_end_matches('.').chars().take(NAME_CHARACTERS).map(|c| c.to_ascii_lowercase()).collect();
    let order = (command.timestamp, id);
    Some(Named { order, name, verb: session.helo_verb?, spot: (command.spot.offset, command.spot.packet) })
}

/// The first reply that refused a recipient, where too many were refused, and at least half of all.
fn refused_recipients(session: &Session, thresholds: &Thresholds) -> Option<Evidence> {
    let recipients = || session.transactions.iter().flat_map(|transaction| &transaction.recipients);
    let refused = recipients().filter(|recipient| recipient.outcome == RecipientOutcome::Rejected).count() as u64;
    if refused < thresholds.refused_recipients || refused * 2 < recipients().count() as u64 {
        return None;
    }
    let is_rcpt = |command: usize| session.commands.get(command).is_some_and(|command| command.command == "RCPT");
    let refusal = session.responses.iter().find(|reply| reply.class() == 5 && reply.command.is_some_and(is_rcpt));
    refusal.map(Evidence::reply)
}

/// The last command of a client that had been answered well, and went without a word. Who sent the reset is not known; a server
/// that wants to end says so by 421 or a refusal.
fn no_quit(session: &Session) -> Option<Evidence> {
    let is_readable = !session.uses_tls && !matches!(session.starttls, Some(StartTls::Accepted | StartTls::Requested));
    let is_whole = session.directions == Directions::Both && session.further.is_none();
    let is_well = session.responses.last().is_some_and(|reply| matches!(reply.class(), 2 | 3));
    let last = session.commands.last()?;
    let said_quit = session.commands.iter().any(|command| command.command == "QUIT");
    (session.end == End::Reset && is_readable && is_whole && is_well && !said_quit).then(|| Evidence::command(last))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, findings, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::insights::thresholds::Thresholds;
    use crate::samples::{sessions_of, talk};

    /// A session of a public client that says this after the greeting.
    fn says(hello: &'static str) -> Session {
        talk(&[
            (Server, "220 mx.example.net ESMTP\r\n"),
            (Client, hello),
            (Server, "250 mx.example.net\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ])
    }

    fn signals_of(session: &Session) -> Vec<Signal> {
        signals(session, &Thresholds::default(), &Site::default()).into_iter().map(|(signal, _)| signal).collect()
    }

    /// The client is 192.0.2.1, the server 198.51.100.25, which greets as mx.example.net.
    #[test]
    fn names_that_no_mail_server_has() {
        for (hello, signal) in [
            ("HELO 192.0.2.1\r\n", Some(Signal::BareAddress)),
            ("HELO laptop\r\n", Some(Signal::Unqualified)),
            ("EHLO localhost\r\n", Some(Signal::Localhost)),
            ("EHLO LOCALHOST.localdomain\r\n", Some(Signal::Localhost)),
            ("EHLO MX.example.NET\r\n", Some(Signal::NameOfServer)),
            ("HELO 198.51.100.25\r\n", Some(Signal::NameOfServer)),
            ("EHLO [198.51.100.25]\r\n", Some(Signal::NameOfServer)),
            ("EHLO [203.0.113.9]\r\n", Some(Signal::OtherLiteral)),
            ("EHLO [IPv6:2001:db8::9]\r\n", Some(Signal::OtherLiteral)),
            ("EHLO [192.0.2.1]\r\n", None),
            ("EHLO [192.168.1.7]\r\n", None),
            ("EHLO client.example.org\r\n", None),
        ] {
            assert_eq!(signals_of(&says(hello)), Vec::from_iter(signal), "{hello}");
        }
    }

    /// People's programs say what they like, and so do hosts within a site.
    #[test]
    fn names_of_submission_and_of_local_clients_say_nothing() {
        let session = || says("EHLO localhost\r\n");
        let local = Session { client_ip: "10.0.0.7".parse().expect("an address"), ..session() };
        for session in [
            Session { server_port: 587, ..session() },
            Session { server_port: 465, ..session() },
            Session { auth_attempts: 1, ..session() },
            local,
        ] {
            assert_eq!(signals_of(&session), []);
        }
        let site = Site { networks: vec!["192.0.2.0/24".parse().expect("a network")], ..Site::default() };
        assert!(signals(&session(), &Thresholds::default(), &site).is_empty(), "a client of ours");
    }

    /// RFC 5321 §3.1 and RFC 2920 §3.1, and a name that is none: three things, and the early talker by itself.
    const BOT: [(Role, &str); 4] = [
        (Client, "HELO 203.0.113.9\r\n"),
        (Server, "220 mx.example.net\r\n250 mx.example.net\r\n"),
        (Client, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@example.net>\r\nQUIT\r\n"),
        (Server, "250 ok\r\n550 no\r\n221 bye\r\n"),
    ];

    #[test]
    fn several_things_in_one_client_are_low() {
        let session = talk(&BOT);
        assert_eq!(signals_of(&session), [Signal::EarlyTalker, Signal::Pipelined, Signal::BareAddress]);
        assert_eq!(
            kinds(std::slice::from_ref(&session)),
            [(Kind::BotDialect, Severity::Low), (Kind::EarlyTalker, Severity::Info)]
        );
        let found = finding(Kind::BotDialect, &[session]);
        assert_eq!(
            found.description,
            "192.0.2.1 spoke before the greeting, did not wait for replies, gave an address without brackets as its name"
        );
        assert_eq!((found.count, found.evidence.len()), (3, 3));
    }

    /// The close neighbours: the same at a server that allows it, through a proxy, or only one of the things.
    #[test]
    fn one_thing_alone_is_nothing() {
        assert_eq!(kinds(&[says("HELO laptop\r\n"), says("EHLO laptop\r\n")]), []);
        let offers = [
            (Client, "EHLO client.example.org\r\nMAIL FROM:<a@b.example>\r\n"),
            (Server, "220 mx.example.net\r\n250-mx.example.net\r\n250 PIPECONNECT\r\n250 ok\r\n"),
        ];
        assert_eq!(kinds(&[talk(&offers)]), []);
        let broken_off = [
            (Server, "220 mx.example.net ESMTP"),
            (Client, "HELO laptop\r\n"),
            (Server, "250-mx.example.net"),
            (Client, "MAIL FROM:<a@b.example>\r\n"),
            (Server, "\r\n250 ok\r\n250 ok\r\n"),
        ];
        assert_eq!(kinds(&[talk(&broken_off)]), [], "replies without line ends");
        let claimed = crate::model::ClaimedClient::new(crate::model::ClaimSource::Proxy);
        assert_eq!(kinds(&[Session { claimed_client: Some(Box::new(claimed)), ..talk(&BOT) }]), []);
    }

    #[test]
    fn what_comes_together_over_several_sessions_counts() {
        let reset = Session {
            end: End::Reset,
            ..talk(&[
                (Server, "220 mx.example.net ESMTP\r\n"),
                (Client, "EHLO client.example.org\r\n"),
                (Server, "250 mx.example.net\r\n"),
            ])
        };
        assert_eq!(signals_of(&reset), [Signal::NoQuit]);
        let said = Session { end: End::Reset, ..says("EHLO client.example.org\r\n") };
        assert_eq!(signals_of(&said), [], "QUIT was said");
        assert_eq!(kinds(&[says("HELO laptop\r\n"), reset]), [(Kind::BotDialect, Severity::Info)]);
    }

    /// Three names are a signal, two are a server that was renamed; the order of the sessions does not matter.
    #[test]
    fn several_names_behind_one_address_are_told() {
        let names = ["HELO a.example\r\n", "HELO b.example\r\n", "HELO c.example\r\n", "HELO A.example\r\n"];
        let early = || talk(&BOT[..]);
        let mut sessions: Vec<Session> = names.iter().map(|name| says(name)).collect();
        let told =
            |sessions: &[Session]| findings(sessions).iter().map(|found| found.description.clone()).collect::<Vec<_>>();
        assert_eq!(told(&sessions), Vec::<String>::new(), "several names alone are hosts behind NAT");
        sessions.push(early());
        let wanted = told(&sessions);
        assert!(wanted[0].ends_with("gave several names: 203.0.113.9, a.example, b.example, c.example"), "{wanted:?}");
        sessions.reverse();
        assert_eq!(told(&sessions).len(), wanted.len());
        let two = [says(names[0]), says(names[1]), says("HELO laptop\r\n")];
        assert_eq!(
            told(&two)[0],
            "192.0.2.1 gave a name without a domain, gave several names: a.example, b.example, laptop"
        );
    }

    /// Sessions go to their shards by their ports, so what one client did is put together in any order.
    #[test]
    fn shards_may_be_merged_in_any_order() {
        let mut sessions = vec![talk(&BOT)];
        sessions.extend(["HELO a.example\r\n", "HELO b\r\n", "HELO c.example\r\n", "HELO localhost\r\n"].map(says));
        let number = |(session, port): (Session, u16)| Session { client_port: port, ..session };
        let sessions: Vec<Session> = sessions.into_iter().zip(40_000..).map(number).collect();
        let printed = |sessions: Vec<Session>| serde_json::to_string(&findings(&sessions)).expect("JSON");
        let wanted = printed(sessions.clone());
        let mut reversed = sessions;
        reversed.reverse();
        assert_eq!(printed(reversed), wanted);
    }

    #[test]
    fn refused_recipients_count_where_they_are_many_and_most() {
        let refused = crate::samples::recipient("x@example.net", RecipientOutcome::Rejected);
        let taken = crate::samples::recipient("y@example.net", RecipientOutcome::Accepted);
        let to = |refused_ones: usize, taken_ones: usize| {
            let recipients = [vec![refused.clone(); refused_ones], vec![taken.clone(); taken_ones]].concat();
            let mut session = says("EHLO client.example.org\r\n");
            session.commands[1].command = "RCPT".into();
            session.responses[2].code = crate::samples::code(550);
            let mail = crate::samples::transaction("a@b.example", crate::model::Outcome::Rejected);
            session.transactions = vec![crate::model::Transaction { recipients, ..mail }];
            signals_of(&session)
        };
        assert_eq!(to(10, 10), [Signal::RefusedRecipients]);
        assert_eq!(to(9, 0), []);
        assert_eq!(to(10, 11), [], "a list with old addresses");
    }

    #[test]
    fn more_clients_than_the_limit_are_counted() {
        let mut rule = Dialect { limit: 1, ..Dialect::default() };
        let thresholds = Thresholds::default();
        let mut groups = Groups::default();
        for last in [1, 2, 1] {
            let session = Session { client_ip: IpAddr::from([192, 0, 2, last]), ..says("HELO laptop\r\n") };
            let id = SessionId { four_tuple: session.four_tuple(), occurrence: crate::report::Occurrence::FIRST };
            let quality = Quality::of_session(&session);
            rule.session(
                &Seen { session: &session, id, quality, thresholds: &thresholds, site: &Site::default() },
                &mut groups,
            );
        }
        assert_eq!((rule.clients.len(), rule.limit_reached()), (1, Some(("finding_clients", 1))));
    }

    /// A name is data: it is shown escaped and cut.
    #[test]
    fn names_are_shown_escaped() {
        let [session] = sessions_of(&BOT).try_into().expect("one session");
        let strange = |name: &'static str| says(name);
        let sessions = [session, strange("HELO \u{1b}[2J.example\r\n"), strange("HELO c.example\r\n")];
        let printed = serde_json::to_string(&findings(&sessions)).expect("JSON");
        assert!(!printed.contains("\\u001b") && printed.contains("u{1b}"), "{printed}");
    }
}
