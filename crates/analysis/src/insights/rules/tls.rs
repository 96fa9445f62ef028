//! Whether mail went under TLS, and whether somebody saw to it that it did not.
//!
//! RFC 3207 §6:
//! > A man-in-the-middle attack can be launched by deleting the "250 STARTTLS" response from the server. This would cause
//! > the client not to try to start a TLS session. Another man-in-the-middle attack is to allow the server to announce its
//! > STARTTLS capability, but to alter the client's request to start TLS and the server's response.
//!
//! | finding | what was seen | what speaks against it |
//! |---|---|---|
//! | `starttls_stripping` | words of the dialogue masked as firewalls do it: a keyword or a verb in X, a greeting in `*` | |
//! | `starttls_stripping` | a server that offers STARTTLS in other sessions, and not in this one | all those before, or all behind: its configuration may have been changed |
//! | `tls_downgrade` | STARTTLS refused, or its handshake failed, and the client went on in plain text within a minute | without a login: mail servers take what they get (RFC 7435) |
//! | `submission_without_tls` | a submission server that offers AUTH and no STARTTLS | both ends are one machine |
//! | `tls_unused` | mail in plain text although STARTTLS was offered | |
//! | `weak_tls` | TLS 1.1 or older (RFC 8996) | |

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::windows::within;
use super::{Events, Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::{Command, Directions, Response, Session, StartTls};
use crate::output::time::Time;
use crate::report::SessionId;
use crate::tls::{Mode, State};

/// Servers of a shard whose offers are compared.
const SERVERS: usize = 1024;
/// Sessions of a server without the offer that are told.
const TOLD: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TlsPosture {
    servers: HashMap<SocketAddr, Server>,
    beyond: u64,
    failed: Events<Attempt>,
    plain: Events<Attempt>,
}

/// What a server offered, over its sessions.
#[derive(Debug, Default)]
struct Server {
    /// The first and the last time it offered STARTTLS.
    offered: Option<(Time, Time)>,
    offers: u64,
    /// Sessions without, and the last of them.
    lacking: u64,
    last_lacking: Option<Time>,
    /// The first of them.
    first: Vec<Lacking>,
}

/// A session in which STARTTLS was not offered.
#[derive(Debug)]
struct Lacking {
    time: Time,
    session: SessionId,
    quality: Quality,
    /// A login or a mail went in plain text.
    in_plain: bool,
    reply: Evidence,
}

/// A session in which TLS failed, or that went on without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    time: Time,
    session: SessionId,
    with_login: bool,
    quality: Quality,
}

impl Rule for TlsPosture {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        self.compare(seen);
        masked(seen, groups);
        refused(seen, groups);
        without_tls(seen, groups);
        weak(seen, groups);
        let with_login = session.auth.iter().any(|attempt| attempt.credentials_sent);
        let attempt = |time| Attempt { time, session: seen.id, with_login, quality: seen.quality };
        let is_failed = |state| matches!(state, State::Failed | State::Aborted);
        if session.tls.as_ref().is_some_and(|tls| tls.mode == Mode::Starttls && is_failed(tls.state)) {
            self.failed.push(attempt(starttls_at(session)));
        } else if let Some(time) = first_in_plain(session) {
            self.plain.push(attempt(time));
        }
    }

    fn merge(&mut self, other: Self) {
        self.beyond += other.beyond;
        self.failed.merge(other.failed);
        self.plain.merge(other.plain);
        for (server, more) in other.servers {
            self.servers.entry(server).or_default().merge(more);
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let servers: BTreeMap<SocketAddr, Server> = self.servers.into_iter().collect();
        for (address, server) in servers {
            server.finish(address, groups);
        }
        downgraded(&self.failed.into_sorted(), &self.plain.into_sorted(), thresholds, groups);
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_servers", self.beyond + self.failed.beyond() + self.plain.beyond()))
    }
}

/// The first login or mail that went in plain text.
fn first_in_plain(session: &Session) -> Option<Time> {
    if session.uses_tls {
        return None;
    }
    let says_so = |command: &&Command| matches!(command.command.as_str(), "MAIL" | "AUTH");
    session.commands.iter().find(says_so).map(|command| command.timestamp)
}

/// When the client asked for TLS.
fn starttls_at(session: &Session) -> Time {
    let starttls = session.commands.iter().rfind(|command| command.command == "STARTTLS");
    starttls.map_or(session.first_seen, |command| command.timestamp)
}

/// The reply to the last EHLO.
fn reply_to_ehlo(session: &Session) -> Option<&Response> {
    let ehlo = session.commands.iter().rposition(|command| command.command == "EHLO")?;
    session.responses.iter().find(|reply| reply.command == Some(ehlo) && reply.code.is(250))
}

impl TlsPosture {
    /// Whether this session was offered STARTTLS, to be compared with the others of the server.
    fn compare(&mut self, seen: &Seen<'_>) {
        let session = seen.session;
        let is_tls = session.tls.as_ref().is_some_and(|tls| tls.mode == Mode::Implicit);
        if is_tls || session.directions != Directions::Both || session.octets.server.missing > 0 {
            return;
        }
        let Some(reply) = reply_to_ehlo(session) else { return };
        let address = session.four_tuple().server;
        if self.servers.len() >= SERVERS && !self.servers.contains_key(&address) {
            self.beyond += 1;
            return;
        }
        let server = self.servers.entry(address).or_default();
        let time = reply.timestamp;
        if session.starttls.is_some() {
            server.offers += 1;
            server.offered =
                Some(server.offered.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            return;
        }
        server.lacking += 1;
        server.last_lacking = server.last_lacking.max(Some(time));
        if server.first.len() < TOLD
            || server.first.last().is_some_and(|last| (time, seen.id) < (last.time, last.session))
        {
            let in_plain = first_in_plain(session).is_some();
            let reply = Evidence::reply(reply);
            server.first.push(Lacking { time, session: seen.id, quality: seen.quality, in_plain, reply });
            server.settle();
        }
    }
}

impl Server {
    fn settle(&mut self) {
        self.first.sort_by_key(|lacking| (lacking.time, lacking.session));
        self.first.truncate(TOLD);
    }

    fn merge(&mut self, other: Self) {
        self.offers += other.offers;
        self.lacking += other.lacking;
        self.last_lacking = self.last_lacking.max(other.last_lacking);
        self.offered = match (self.offered, other.offered) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
        self.first.extend(other.first);
        self.settle();
    }

    fn finish(self, address: SocketAddr, groups: &mut Groups) {
        let (Some((first_offer, last_offer)), Some(first), Some(last_lacking)) =
            (self.offered, self.first.first(), self.last_lacking)
        else {
            return;
        };
        let is_change = last_lacking < first_offer || last_offer < first.time;
        let in_plain = self.first.iter().any(|lacking| lacking.in_plain);
        let sighting = Sighting {
            kind: Kind::StarttlsStripping,
            subject: format!("{address} offer"),
            severity: match (is_change, in_plain) {
                (true, _) => Severity::Low,
                (false, true) => Severity::High,
                (false, false) => Severity::Medium,
            },
            confidence: if is_change { Confidence::WEAK } else { Confidence::LIKELY },
            count: self.lacking,
            first_seen: first.time,
            last_seen: last_lacking,
            session: Some(first.session),
            transaction: None,
            quality: self.first.iter().map(|lacking| lacking.quality).reduce(Quality::common).unwrap_or_default(),
        };
        groups.add(sighting, || {
            let change = if is_change {
                "; all of one before all of the other, so it may have been configured anew"
            } else {
                ""
            };
            Detail {
                description: format!(
                    "{address} offered STARTTLS in {} sessions and not in {}{change}",
                    self.offers, self.lacking
                ),
                sessions: self.first.iter().map(|lacking| lacking.session).collect(),
                evidence: self.first.into_iter().map(|lacking| lacking.reply).collect(),
            }
        });
    }
}

/// Whether a word is masked as a firewall does it that lets no word through that it does not know: X, the last perhaps A.
fn is_masked(word: &str) -> bool {
    let body = word.strip_suffix('A').unwrap_or(word);
    body.len() >= 3 && body.bytes().all(|octet| octet == b'X')
}

/// Whether at least half of the greeting is asterisks.
fn is_starred(greeting: &str) -> bool {
    let stars = greeting.bytes().filter(|&octet| octet == b'*').count();
    stars >= 8 && stars * 2 >= greeting.len()
}

fn masked(seen: &Seen<'_>, groups: &mut Groups) {
    let session = seen.session;
    let keyword = session.extensions.iter().find(|offer| is_masked(&offer.keyword));
    let verb = session.commands.iter().enumerate().find(|(index, command)| {
        let is_refused = |reply: &Response| reply.command == Some(*index) && reply.code.is(500);
        is_masked(&command.command) && session.responses.iter().any(is_refused)
    });
    let greeting = session.greeting.as_ref().filter(|greeting| is_starred(&greeting.parameter));
    // XXXXXXXA is as long as STARTTLS.
    let (what, severity) = match (keyword, verb, greeting) {
        (Some(keyword), ..) if keyword.keyword.len() == 8 => (&*keyword.keyword, Severity::High),
        (_, Some((_, verb)), _) => (&*verb.command, Severity::High),
        (Some(keyword), ..) => (&*keyword.keyword, Severity::Medium),
        (_, _, Some(greeting)) => (&*greeting.parameter, Severity::Low),
        _ => return,
    };
    let subject = format!("{} mask", session.four_tuple().server);
    let mut sighting = seen.sighting(Kind::StarttlsStripping, severity, subject, session.first_seen);
    sighting.confidence = Confidence::STRONG;
    groups.add(sighting, || {
        let of_verb = verb.map(|(_, command)| Evidence::command(command));
        let of_keyword = keyword.and_then(|_| reply_to_ehlo(session)).map(Evidence::reply);
        let of_greeting = greeting.and_then(|_| session.responses.first()).map(Evidence::reply);
        Detail {
            description: format!(
                "{} stands where a word of the dialogue was masked on the way, as firewalls do that inspect mail; they take \
                 STARTTLS away",
                quoted(what)
            ),
            evidence: of_verb.into_iter().chain(of_keyword).chain(of_greeting).collect(),
            ..Detail::default()
        }
    });
}

/// STARTTLS was refused, and the session went on in plain text.
fn refused(seen: &Seen<'_>, groups: &mut Groups) {
    let session = seen.session;
    if session.starttls != Some(StartTls::Rejected) || session.uses_tls {
        return;
    }
    let Some(starttls) = session.commands.iter().rposition(|command| command.command == "STARTTLS") else { return };
    let behind = session.commands.get(starttls + 1..).unwrap_or_default();
    let says = |verb: &'static str| behind.iter().find(move |command| command.command == verb);
    let Some(went_on) = says("AUTH").or_else(|| says("MAIL")) else { return };
    let severity = if went_on.command == "AUTH" { Severity::Medium } else { Severity::Low };
    let subject = format!("{} {}", session.client_ip, session.four_tuple().server);
    let sighting = seen.sighting(Kind::TlsDowngrade, severity, subject, went_on.timestamp);
    groups.add(sighting, || {
        let reply = session.responses.iter().find(|reply| reply.command == Some(starttls));
        Detail {
            description: format!(
                "{} refused STARTTLS, and {} went on with {} in plain text",
                session.four_tuple().server,
                session.client_ip,
                went_on.command
            ),
            evidence: reply.map(Evidence::reply).into_iter().chain([Evidence::command(went_on)]).collect(),
            ..Detail::default()
        }
    });
}

/// A handshake failed, and the same client went on without at the same server.
fn downgraded(failed: &[Attempt], plain: &[Attempt], thresholds: &Thresholds, groups: &mut Groups) {
    let ends = |attempt: &Attempt| (attempt.session.four_tuple.client.ip(), attempt.session.four_tuple.server);
    let mut by_ends: BTreeMap<(IpAddr, SocketAddr), Vec<&Attempt>> = BTreeMap::new();
    plain.iter().for_each(|attempt| by_ends.entry(ends(attempt)).or_default().push(attempt));
    for failure in failed {
        let (client, server) = ends(failure);
        let later = by_ends.get(&(client, server)).map(Vec::as_slice).unwrap_or_default();
        let from = later.partition_point(|attempt| attempt.time < failure.time);
        let next = later.get(from).filter(|next| within(failure.time, next.time, thresholds.downgrade_seconds));
        let Some(next) = next else { continue };
        let sighting = Sighting {
            kind: Kind::TlsDowngrade,
            subject: format!("{client} {server}"),
            severity: if next.with_login { Severity::Medium } else { Severity::Low },
            confidence: Confidence::STRONG,
            count: 1,
            first_seen: failure.time,
            last_seen: next.time,
            session: Some(next.session),
            transaction: None,
            quality: failure.quality.and(next.quality),
        };
        groups.add(sighting, || Detail {
            description: format!(
                "a TLS handshake between {client} and {server} failed, and {client} came back in plain text"
            ),
            sessions: vec![failure.session],
            evidence: Vec::new(),
        });
    }
}

/// RFC 8314 §3.3: submission is to be under TLS; RFC 6409 has it on port 587.
const SUBMISSION: u16 = 587;

fn without_tls(seen: &Seen<'_>, groups: &mut Groups) {
    let session = seen.session;
    if session.uses_tls {
        return;
    }
    let server = session.four_tuple().server;
    let is_local = session.client_ip.is_loopback() && session.server_ip.is_loopback();
    let offers_auth = session.extensions.iter().any(|offer| offer.keyword == "AUTH");
    if server.port() == SUBMISSION && offers_auth && session.starttls.is_none() && !is_local {
        let Some(reply) = reply_to_ehlo(session) else { return };
        let sighting = seen.sighting(Kind::SubmissionWithoutTls, Severity::Medium, server.to_string(), reply.timestamp);
        groups.add(sighting, || Detail {
            description: format!("{server} offers AUTH on the port of submission, and no STARTTLS"),
            evidence: vec![Evidence::reply(reply)],
            ..Detail::default()
        });
    }
    let mail = session.transactions.iter().position(|transaction| transaction.has_data);
    if let Some(index) = mail.filter(|_| session.starttls == Some(StartTls::Offered)) {
        let transaction = session.transactions.get(index);
        let time = transaction.map_or(session.first_seen, |transaction| transaction.timestamp);
        let mut sighting = seen.sighting(Kind::TlsUnused, Severity::Low, server.to_string(), time);
        sighting.transaction = Some(index);
        groups.add(sighting, || Detail {
            description: format!(
                "{} sent mail to {server} in plain text, although STARTTLS was offered",
                session.client_ip
            ),
            evidence: reply_to_ehlo(session).map(Evidence::reply).into_iter().collect(),
            ..Detail::default()
        });
    }
}

/// RFC 8996: TLS 1.0 and 1.1 must not be used; RFC 7568 and RFC 6176 say so of SSL 3.0 and 2.0.
fn weak(seen: &Seen<'_>, groups: &mut Groups) {
    let session = seen.session;
    let Some(version) = session.tls.as_ref().and_then(|tls| tls.version.as_deref()) else { return };
    if !matches!(version, "TLS 1.1" | "TLS 1.0" | "SSL 3.0" | "SSL 2.0") {
        return;
    }
    let server = session.four_tuple().server;
    let sighting = seen.sighting(Kind::WeakTls, Severity::Low, format!("{server} {version}"), session.first_seen);
    groups.add(sighting, || {
        let starttls = session.commands.iter().rfind(|command| command.command == "STARTTLS").map(Evidence::command);
        Detail {
            description: format!("{server} agreed to {version} with {}", session.client_ip),
            evidence: starttls.into_iter().collect(),
            ..Detail::default()
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::anomaly::Role::{self, Client, Server as Side};
    use crate::insights::site::Site;
    use crate::samples::talk;

    /// A session from this port, this much later, with the reply to EHLO and what follows.
    fn heard(port: u16, later: i64, ehlo: &'static str, turns: &[(Role, &'static str)]) -> Session {
        let opening = [(Side, "220 mx.example.net ESMTP\r\n"), (Client, "EHLO client.example.org\r\n"), (Side, ehlo)];
        let mut session = talk(&[&opening, turns].concat());
        let shift =
            |time: &mut Time| time.0 = capture::Timestamp::from_nanos(time.0.as_nanos() + later * 1_000_000_000);
        session.client_port = port;
        shift(&mut session.first_seen);
        session.responses.iter_mut().for_each(|reply| shift(&mut reply.timestamp));
        session.commands.iter_mut().for_each(|command| shift(&mut command.timestamp));
        session
    }

    const OFFER: &str = "250-mx.example.net\r\n250 STARTTLS\r\n";
    const NO_OFFER: &str = "250-mx.example.net\r\n250 PIPELINING\r\n";
    const MAIL: [(Role, &str); 2] = [(Client, "MAIL FROM:<a@x>\r\n"), (Side, "550 no\r\n")];

    /// RFC 3207 §6: the offer is deleted on the way of one client.
    #[test]
    fn an_offer_that_is_missing_in_between_is_stripped() {
        let sessions = [heard(1, 0, OFFER, &[]), heard(2, 100, NO_OFFER, &MAIL), heard(3, 200, OFFER, &[])];
        let found = finding(Kind::StarttlsStripping, &sessions);
        assert_eq!((found.severity, found.confidence, found.count), (Severity::High, Confidence::LIKELY, 1));
        assert_eq!(found.description, "198.51.100.25:25 offered STARTTLS in 2 sessions and not in 1");
        assert_eq!(found.sessions, ["192.0.2.1:2-198.51.100.25:25"]);
        assert!(found.evidence[0].excerpt.starts_with("250 mx.example.net"));
        let quiet = [heard(1, 0, OFFER, &[]), heard(2, 100, NO_OFFER, &[]), heard(3, 200, OFFER, &[])];
        assert_eq!(kinds(&quiet), [(Kind::StarttlsStripping, Severity::Medium)], "nothing went in plain text");
    }

    #[test]
    fn an_offer_that_comes_or_goes_may_be_a_configuration() {
        let sessions = [heard(1, 0, OFFER, &[]), heard(2, 100, NO_OFFER, &MAIL), heard(3, 200, NO_OFFER, &MAIL)];
        let found = finding(Kind::StarttlsStripping, &sessions);
        assert_eq!((found.severity, found.confidence), (Severity::Low, Confidence::WEAK));
        assert_eq!(kinds(&[heard(1, 0, OFFER, &[]), heard(2, 100, OFFER, &[])]), []);
        assert_eq!(kinds(&[heard(1, 0, NO_OFFER, &MAIL), heard(2, 100, NO_OFFER, &MAIL)]), []);
    }

    /// HELO asks for no extensions (RFC 5321 §4.1.1.1), and a reply that is not whole may lack the line.
    #[test]
    fn what_was_not_asked_or_not_captured_was_not_stripped() {
        let opening = [(Side, "220 mx\r\n"), (Client, "HELO client.example.org\r\n"), (Side, "250 mx\r\n")];
        let helo = talk(&[&opening[..], &MAIL].concat());
        assert_eq!(kinds(&[heard(1, 0, OFFER, &[]), helo, heard(3, 200, OFFER, &[])]), []);
        let mut lossy = heard(2, 100, NO_OFFER, &MAIL);
        lossy.octets.server.missing = 10;
        assert_eq!(kinds(&[heard(1, 0, OFFER, &[]), lossy, heard(3, 200, OFFER, &[])]), []);
    }

    #[test]
    fn masked_words_are_those_of_a_firewall() {
        for (ehlo, severity) in [
            ("250-mx.example.net\r\n250 XXXXXXXA\r\n", Severity::High),
            ("250-mx.example.net\r\n250 XXXXXXXX\r\n", Severity::High),
            ("250-mx.example.net\r\n250 XXXA\r\n", Severity::Medium),
        ] {
            assert_eq!(kinds(&[heard(1, 0, ehlo, &[])]), [(Kind::StarttlsStripping, severity)], "{ehlo}");
        }
        for ehlo in ["250-mx.example.net\r\n250 XEXCH50\r\n", "250-mx.example.net\r\n250 X-EXPS\r\n", NO_OFFER] {
            assert_eq!(kinds(&[heard(1, 0, ehlo, &[])]), [], "{ehlo}");
        }
        let masked = talk(&[
            (Side, "220 ***************************\r\n"),
            (Client, "XXXX client.example.org\r\n"),
            (Side, "500 what\r\n"),
            (Client, "HELO client.example.org\r\n"),
            (Side, "250 mx\r\n"),
        ]);
        let found = finding(Kind::StarttlsStripping, &[masked]);
        assert_eq!((found.severity, found.evidence.len()), (Severity::High, 2));
    }

    #[test]
    fn going_on_behind_a_refusal_is_a_downgrade() {
        let refused = |turns: &[(Role, &'static str)]| {
            let starttls = [(Client, "STARTTLS\r\n"), (Side, "454 not now\r\n")];
            kinds(&[heard(1, 0, OFFER, &[&starttls, turns].concat())])
        };
        assert_eq!(refused(&MAIL), [(Kind::TlsDowngrade, Severity::Low)]);
        let login = [(Client, "AUTH EXTERNAL =\r\n"), (Side, "235 ok\r\n")];
        assert_eq!(refused(&login), [(Kind::TlsDowngrade, Severity::Medium)]);
        assert_eq!(refused(&[(Client, "QUIT\r\n"), (Side, "221 bye\r\n")]), []);
    }

    #[test]
    fn coming_back_in_plain_text_behind_a_failed_handshake_is_a_downgrade() {
        let tls = [(Client, "STARTTLS\r\n"), (Side, "220 go\r\n"), (Client, "\u{16}\u{3}\u{1}\0\u{2}\u{1}\0")];
        let failed = || heard(1, 0, OFFER, &tls);
        assert_eq!(failed().tls.as_ref().map(|tls| tls.state), Some(State::Aborted));
        assert_eq!(kinds(&[failed(), heard(2, 30, OFFER, &MAIL)]), [(Kind::TlsDowngrade, Severity::Low)]);
        assert_eq!(kinds(&[failed(), heard(2, 300, OFFER, &MAIL)]), [], "five minutes later");
        let other = Session { client_ip: IpAddr::from([192, 0, 2, 9]), ..heard(2, 30, OFFER, &MAIL) };
        assert_eq!(kinds(&[failed(), other]), []);
    }

    #[test]
    fn submission_without_starttls_is_a_finding() {
        let on = |port, ehlo| kinds(&[Session { server_port: port, ..heard(1, 0, ehlo, &[]) }]);
        let auth = "250-mx.example.net\r\n250 AUTH PLAIN\r\n";
        assert_eq!(on(587, auth), [(Kind::SubmissionWithoutTls, Severity::Medium)]);
        assert_eq!(on(25, auth), []);
        assert_eq!(on(587, "250-mx.example.net\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"), []);
        assert_eq!(on(587, NO_OFFER), []);
    }

    #[test]
    fn mail_in_plain_text_although_tls_was_offered_is_low() {
        let mail = [
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Side, "250 ok\r\n250 ok\r\n354 go\r\n"),
            (Client, "a\r\n.\r\n"),
            (Side, "250 taken\r\n"),
        ];
        assert_eq!(kinds(&[heard(1, 0, OFFER, &mail)]), [(Kind::TlsUnused, Severity::Low)]);
        assert_eq!(kinds(&[heard(1, 0, NO_OFFER, &mail)]), []);
    }

    #[test]
    fn old_versions_are_weak() {
        let with = |version: &str| {
            let tls = [(Client, "STARTTLS\r\n"), (Side, "220 go\r\n"), (Client, "\u{16}\u{3}\u{1}\0\u{2}\u{1}\0")];
            let mut session = heard(1, 0, OFFER, &tls);
            session.tls.iter_mut().for_each(|tls| tls.version = Some(version.to_owned()));
            kinds(&[session])
        };
        for version in ["TLS 1.0", "TLS 1.1", "SSL 3.0", "SSL 2.0"] {
            assert_eq!(with(version), [(Kind::WeakTls, Severity::Low)], "{version}");
        }
        assert_eq!(with("TLS 1.2"), []);
        assert_eq!(with("TLS 1.3"), []);
    }

    #[test]
    fn no_more_servers_are_kept_than_the_limit() {
        let mut rule = TlsPosture::default();
        let thresholds = Thresholds::default();
        let site = Site::default();
        let template = heard(1, 0, NO_OFFER, &[]);
        for number in 0..u32::try_from(SERVERS).expect("few") + 2 {
            let session = Session { server_ip: IpAddr::V4(number.into()), ..template.clone() };
            let id = SessionId { four_tuple: session.four_tuple(), occurrence: crate::report::Occurrence::FIRST };
            let seen =
                Seen { session: &session, id, quality: Quality::default(), thresholds: &thresholds, site: &site };
            rule.session(&seen, &mut Groups::default());
        }
        assert_eq!((rule.servers.len(), rule.limit_reached()), (SERVERS, Some(("finding_servers", 2))));
    }
}
