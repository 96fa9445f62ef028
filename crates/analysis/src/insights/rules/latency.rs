//! How long servers take to answer, and what comes of it.
//!
//! RFC 5321 §4.5.3.2 has the client wait: five minutes for the greeting, MAIL and RCPT, two for DATA, ten for the end of the message
//! (§4.5.3.2.6):
//! > A spurious timeout at this point would be very wasteful and would typically result in delivery of multiple copies of
//! > the message, since it has been successfully sent and the server has accepted responsibility for delivery.
//!
//! Told are: a server of which one answer in twenty takes long, or that greets late, with the percentiles (nearest rank) of
//! everything it answered; a reply to the end of a message that took so long that clients give up, as RFC 1047 describes; a
//! reply that came when a client need not wait any more; and a connection that ended with a whole message and no reply to it.
//!
//! What speaks against it: a reply is measured only where the client had all earlier ones when it sent the command, and said no
//! more until it came, so what is pipelined is not attributed; nor is anything where octets of the session are missing. A late
//! greeting is often meant to be late (against spam), so by itself it is for information. Durations are those at the place of
//! the capture, with the way to the server in them.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::{Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::{Directions, End, Response, Session, Start, Transaction};
use crate::output::time::Time;
use crate::report::SessionId;

/// Servers, and different durations of all of them, that a shard keeps. More are counted as `finding_latencies`.
const SERVERS: usize = 1024;
const DURATIONS: usize = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    servers: HashMap<SocketAddr, Server>,
    durations: usize,
    beyond: u64,
}

#[derive(Debug, Default)]
struct Server {
    durations: BTreeMap<Awaited, Histogram>,
    /// The slowest, the first of equally slow ones.
    slowest: Option<Slowest>,
    first_seen: Option<Time>,
    last_seen: Option<Time>,
}

#[derive(Debug)]
struct Slowest {
    millis: u64,
    order: (Time, SessionId),
    quality: Quality,
    evidence: Evidence,
}

/// How often what took so many milliseconds; above 64 the six leading bits count.
#[derive(Debug, Default)]
struct Histogram(BTreeMap<u64, u64>);

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Awaited {
    Connection,
    Hello,
    Mail,
    Rcpt,
    Data,
    EndOfMessage,
    Auth,
    Other,
}

impl Awaited {
    fn of_command(verb: &str) -> Self {
        match verb {
            "EHLO" | "HELO" | "LHLO" => Self::Hello,
            "MAIL" => Self::Mail,
            "RCPT" => Self::Rcpt,
            "DATA" => Self::Data,
            "AUTH" => Self::Auth,
            _ => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "greeting",
            Self::Hello => "EHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::EndOfMessage => "end of message",
            Self::Auth => "AUTH",
            Self::Other => "others",
        }
    }

    /// RFC 5321 §4.5.3.2: how long a client has to wait at least, in seconds. It says nothing of other commands.
    const fn timeout(self) -> Option<u64> {
        match self {
            Self::Connection | Self::Mail | Self::Rcpt => Some(300),
            Self::Data => Some(120),
            Self::EndOfMessage => Some(600),
            Self::Hello | Self::Auth | Self::Other => None,
        }
    }
}

/// A reply, and how long it took.
#[derive(Clone, Copy)]
struct Measured<'a> {
    awaited: Awaited,
    millis: u64,
    reply: &'a Response,
}

impl Rule for Latency {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        if !is_whole(session) {
            return;
        }
        let address = session.four_tuple().server;
        let is_full = self.servers.len() >= SERVERS && !self.servers.contains_key(&address);
        let mut server = if is_full { None } else { Some(self.servers.entry(address).or_default()) };
        measure(session, |measured| {
            single(seen, measured, groups);
            match &mut server {
                Some(server) => server.add(seen, measured, &mut self.durations, &mut self.beyond),
                None => self.beyond += 1,
            }
        });
        for (index, mail) in session.transactions.iter().enumerate() {
            if is_reply_lost(session, mail) {
                reply_lost(seen, index, mail, groups);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.durations += other.durations;
        self.beyond += other.beyond;
        for (address, more) in other.servers {
            self.servers.entry(address).or_default().merge(more);
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let mut servers: Vec<(SocketAddr, Server)> = self.servers.into_iter().collect();
        servers.sort_unstable_by_key(|&(address, _)| address);
        for (address, server) in servers {
            server.tell(address, thresholds, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_latencies", self.beyond))
    }
}

impl Server {
    /// `durations` and `beyond` are those of the shard.
    fn add(&mut self, seen: &Seen<'_>, measured: Measured<'_>, durations: &mut usize, beyond: &mut u64) {
        let Measured { awaited, millis, reply } = measured;
        let times = &mut self.durations.entry(awaited).or_default().0;
        match times.get_mut(&rounded(millis)) {
            Some(count) => *count += 1,
            None if *durations >= DURATIONS => *beyond += 1,
            None => {
                *durations += 1;
                times.insert(rounded(millis), 1);
            }
        }
        let order = (reply.timestamp, seen.id);
        self.note(millis, order, || Slowest { millis, order, quality: seen.quality, evidence: Evidence::reply(reply) });
    }

    /// Something took so long: what it was is asked for where nothing was slower.
    fn note(&mut self, millis: u64, order: (Time, SessionId), other: impl FnOnce() -> Slowest) {
        self.first_seen = self.first_seen.into_iter().chain([order.0]).min();
        self.last_seen = self.last_seen.max(Some(order.0));
        let place = |millis: u64, order| (std::cmp::Reverse(millis), order);
        let is_slower = |slowest: &Slowest| place(millis, order) < place(slowest.millis, slowest.order);
        if self.slowest.as_ref().is_none_or(is_slower) {
            self.slowest = Some(other());
        }
    }

    fn merge(&mut self, other: Self) {
        for (awaited, more) in other.durations {
            let times = &mut self.durations.entry(awaited).or_default().0;
            more.0.into_iter().for_each(|(millis, count)| *times.entry(millis).or_default() += count);
        }
        if let Some(slowest) = other.slowest {
            self.note(slowest.millis, slowest.order, || slowest);
        }
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        self.last_seen = self.last_seen.max(other.last_seen);
    }

    fn tell(self, address: SocketAddr, thresholds: &Thresholds, groups: &mut Groups) {
        let slow = rounded(thresholds.slow_reply * 1000);
        let is_slow = |(awaited, times): (&Awaited, &Histogram)| {
            *awaited != Awaited::Connection
                && times.count() >= thresholds.replies_of_server
                && times.percentile(95) >= slow
        };
        let greeting = self.durations.get(&Awaited::Connection).map_or(0, |times| times.percentile(100));
        let severity = match () {
            () if self.durations.iter().any(is_slow) || greeting >= rounded(thresholds.very_late_greeting * 1000) => {
                Severity::Low
            }
            () if greeting >= rounded(thresholds.late_greeting * 1000) => Severity::Info,
            () => return,
        };
        let (Some(slowest), Some(first_seen), Some(last_seen)) = (self.slowest, self.first_seen, self.last_seen) else {
            return;
        };
        let Slowest { millis, order: (_, session), quality, evidence } = slowest;
        let sighting = Sighting {
            kind: Kind::SlowServer,
            subject: address.to_string(),
            severity,
            confidence: Confidence::CERTAIN,
            count: self.durations.values().map(Histogram::count).sum(),
            first_seen,
            last_seen,
            session: Some(session),
            transaction: None,
            quality,
        };
        let told: Vec<String> = self.durations.iter().map(|(awaited, times)| times.told(*awaited)).collect();
        groups.add(sighting, || Detail {
            description: format!("{address} took up to {} to answer: {}", duration(millis), told.join("; ")),
            evidence: vec![evidence],
            ..Detail::default()
        });
    }
}

impl Histogram {
    fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The nearest rank: the least duration that is not exceeded by so many percent.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count().saturating_mul(percent)).div_ceil(100);
        let mut so_far = 0;
        let at_rank = self.0.iter().find(|&(_, &count)| {
            so_far += count;
            so_far >= rank
        });
        at_rank.map_or(0, |(&millis, _)| millis)
    }

    fn told(&self, awaited: Awaited) -> String {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| duration(self.percentile(percent)));
        format!("{} {} times, p50 {p50}, p95 {p95}, p99 {p99}", awaited.as_str(), self.count())
    }
}

/// Without what lies below the six leading bits.
fn rounded(millis: u64) -> u64 {
    let low = (u64::BITS - millis.leading_zeros()).saturating_sub(6);
    millis >> low << low
}

fn duration(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        _ => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

/// Whether nothing of it is missing.
fn is_whole(session: &Session) -> bool {
    let missing = session.octets.client.missing + session.octets.server.missing;
    session.directions == Directions::Both && missing == 0 && session.further.is_none()
}

fn millis(from: Time, to: Time) -> u64 {
    u64::try_from(to.0.since(from.0).as_millis()).unwrap_or(u64::MAX)
}

/// Hands out what can be measured.
fn measure<'a>(session: &'a Session, mut found: impl FnMut(Measured<'a>)) {
    if let (Some(greeting), Start::Handshake) = (&session.greeting, session.start)
        && let Some(reply) = session.responses.iter().find(|reply| reply.command.is_none())
    {
        let millis = millis(session.first_seen, greeting.timestamp);
        found(Measured { awaited: Awaited::Connection, millis, reply });
    }
    let mut before: Option<&Response> = None;
    for reply in &session.responses {
        let first = reply.command.is_some() && before.and_then(|before| before.command) != reply.command;
        if let Some(command) = reply.command.filter(|_| first).and_then(|index| session.commands.get(index)) {
            let next = reply.command.and_then(|index| session.commands.get(index + 1));
            let is_alone = before.is_none_or(|before| before.timestamp <= command.timestamp)
                && next.is_none_or(|next| next.timestamp >= reply.timestamp);
            // The reply to a chunk waits for its octets.
            if is_alone && command.command != "BDAT" && command.command != "BURL" {
                let awaited = Awaited::of_command(&command.command);
                found(Measured { awaited, millis: millis(command.timestamp, reply.timestamp), reply });
            }
        }
        before = Some(reply);
    }
    for mail in &session.transactions {
        if let (Some(ended), Some(reply)) = (mail.message_ended, &mail.final_response) {
            found(Measured { awaited: Awaited::EndOfMessage, millis: millis(ended, reply.timestamp), reply });
        }
    }
}

/// What one reply shows by itself.
fn single(seen: &Seen<'_>, measured: Measured<'_>, groups: &mut Groups) {
    let Measured { awaited, millis, reply } = measured;
    let server = seen.session.four_tuple().server;
    let detail =
        |description: String| Detail { description, evidence: vec![Evidence::reply(reply)], ..Detail::default() };
    if let Some(timeout) = awaited.timeout().filter(|timeout| millis > timeout * 1000) {
        let sighting = seen.sighting(Kind::ReplyOverdue, Severity::Low, server.to_string(), reply.timestamp);
        groups.add(sighting, || {
            let (awaited, took) = (awaited.as_str(), duration(millis));
            detail(format!("{server} took {took} for {awaited}; clients need to wait {timeout} s only"))
        });
    }
    if awaited == Awaited::EndOfMessage && millis >= seen.thresholds.late_final_reply * 1000 {
        let sighting = seen.sighting(Kind::LateFinalReply, Severity::Low, server.to_string(), reply.timestamp);
        groups.add(sighting, || {
            let took = duration(millis);
            detail(format!("{server} answered {} to a message {took} after its end", reply.code))
        });
    }
}

/// Whether a whole message was sent, and the connection ended before its reply came. LMTP has several.
fn is_reply_lost(session: &Session, mail: &Transaction) -> bool {
    let is_sent = mail.has_data && mail.message.as_ref().is_some_and(|message| message.complete);
    let is_over = matches!(session.end, End::Closed | End::Reset) && session.helo_verb != Some("LHLO");
    let is_answered = |ended: Time| session.responses.iter().any(|reply| reply.timestamp > ended);
    is_sent && is_over && mail.final_response.is_none() && mail.message_ended.is_some_and(|ended| !is_answered(ended))
}

fn reply_lost(seen: &Seen<'_>, index: usize, mail: &Transaction, groups: &mut Groups) {
    let session = seen.session;
    let ended = mail.message_ended.unwrap_or(mail.timestamp);
    let server = session.four_tuple().server;
    let subject = format!("{} {server}", session.client_ip);
    let mut sighting = seen.sighting(Kind::ReplyLost, Severity::Low, subject, ended);
    sighting.transaction = Some(index);
    groups.add(sighting, || {
        let waited = duration(millis(ended, session.last_seen));
        let end = if session.end == End::Reset { "was reset" } else { "was closed" };
        let description = format!(
            "a message was sent to {server} and the connection {end} {waited} later, before a reply: it may be delivered twice"
        );
        Detail { description, evidence: super::recipients::evidence_of_mail(seen, mail), ..Detail::default() }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::anomaly::Role::{self, Client, Server as Answers};
    use crate::samples::{at, opened, talk};

    const MAIL: [(Role, &str); 8] = [
        (Client, "MAIL FROM:<a@example.org>\r\n"),
        (Answers, "250 ok\r\n"),
        (Client, "RCPT TO:<b@example.net>\r\n"),
        (Answers, "250 ok\r\n"),
        (Client, "DATA\r\n"),
        (Answers, "354 go\r\n"),
        (Client, "Subject: x\r\n\r\nx\r\n.\r\n"),
        (Answers, "250 2.0.0 queued\r\n"),
    ];

    fn mail() -> Session {
        talk(&opened(&MAIL))
    }

    fn awaited(session: &Session) -> Vec<(Awaited, u64)> {
        let mut all = Vec::new();
        measure(session, |measured| all.push((measured.awaited, measured.millis)));
        all
    }

    /// Turns are a second apart; the greeting comes two after the SYN.
    #[test]
    fn every_reply_is_measured_from_what_it_answers() {
        use Awaited::{Connection, Data, EndOfMessage, Hello, Mail, Rcpt};
        let wanted = [(Connection, 2), (Hello, 1), (Mail, 1), (Rcpt, 1), (Data, 1), (EndOfMessage, 1)];
        assert_eq!(awaited(&mail()), wanted.map(|(awaited, seconds)| (awaited, seconds * 1000)));
    }

    /// RFC 2920: who answers what when, in a group, only the server knows.
    #[test]
    fn what_is_pipelined_is_not_attributed() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nNOOP\r\n"),
            (Answers, "250 ok\r\n250 ok\r\n"),
            (Answers, "250 ok\r\n"),
        ]));
        assert_eq!(awaited(&session).len(), 2, "greeting and EHLO");
    }

    /// Nearest rank: of 1 to 20 the 95th percentile is 19, the 50th is 10.
    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let histogram = Histogram((1..=20).map(|millis| (millis, 1)).collect());
        let percentiles = [1, 5, 6, 50, 95, 96, 100].map(|percent| histogram.percentile(percent));
        assert_eq!(percentiles, [1, 1, 2, 10, 19, 20, 20]);
        assert_eq!(Histogram::default().percentile(95), 0);
        assert_eq!([63, 64, 65, 1000, 5000].map(rounded), [63, 64, 64, 992, 4992]);
        assert_eq!([0, 999, 1000, 61_250].map(duration), ["0 ms", "999 ms", "1.0 s", "61.2 s"]);
    }

    /// A mail of which the reply to the end came so many seconds after it, from this port.
    fn slow(port: u16, seconds: i64) -> Session {
        let mut session = Session { client_port: port, ..mail() };
        let ended = session.transactions[0].message_ended.expect("an end").0.as_nanos() / 1_000_000_000;
        session.responses.last_mut().expect("a reply").timestamp = at(ended + seconds);
        session.transactions[0].final_response.as_mut().expect("a reply").timestamp = at(ended + seconds);
        session
    }

    /// The greeting came so many seconds after the SYN.
    fn greeted_after(seconds: i64) -> Session {
        let mut session = mail();
        session.first_seen = at(2 - seconds);
        session
    }

    const SLOW: (Kind, Severity) = (Kind::SlowServer, Severity::Low);
    const LATE: (Kind, Severity) = (Kind::LateFinalReply, Severity::Low);
    const OVERDUE: (Kind, Severity) = (Kind::ReplyOverdue, Severity::Low);
    const LOST: (Kind, Severity) = (Kind::ReplyLost, Severity::Low);

    #[test]
    fn a_server_that_is_slow_again_and_again_is_told_with_its_percentiles() {
        let of = |slow_ones: u16, seconds| {
            (0..10).map(|port| slow(port, if port < slow_ones { seconds } else { 1 })).collect::<Vec<_>>()
        };
        let found = finding(Kind::SlowServer, &of(10, 5));
        assert_eq!((found.severity, found.count), (Severity::Low, 60));
        assert!(
            found.description.starts_with("198.51.100.25:25 took up to 5.0 s to answer: greeting 10 times"),
            "{}",
            found.description
        );
        assert!(
            found.description.ends_with("end of message 10 times, p50 4.9 s, p95 4.9 s, p99 4.9 s"),
            "{}",
            found.description
        );
        assert_eq!(kinds(&of(10, 4)), [], "as fast as it has to be");
        assert_eq!(kinds(&of(10, 5)[..9]), [], "too few to tell");
        assert_eq!(kinds(&of(1, 59)), [SLOW], "of ten, one is more than five percent");
        let mut reversed = of(7, 50);
        reversed.reverse();
        let told = |sessions: &[Session]| serde_json::to_string(&finding(Kind::SlowServer, sessions)).expect("JSON");
        assert_eq!(told(&reversed), told(&of(7, 50)), "whatever the order");
    }

    #[test]
    fn a_late_greeting_is_for_information_until_it_is_very_late() {
        for (seconds, wanted) in
            [(4, vec![]), (5, vec![Severity::Info]), (29, vec![Severity::Info]), (30, vec![Severity::Low])]
        {
            let found: Vec<Severity> =
                kinds(&[greeted_after(seconds)]).into_iter().map(|(_, severity)| severity).collect();
            assert_eq!(found, wanted, "{seconds}");
        }
        let midstream = Session { start: Start::Midstream, ..greeted_after(30) };
        assert_eq!(kinds(&[midstream]), [], "nobody knows when it began");
        assert_eq!(kinds(&[greeted_after(301)]), [SLOW, OVERDUE]);
    }

    /// RFC 1047: who takes long may have the message twice. RFC 5321 §4.5.3.2.6: ten minutes.
    #[test]
    fn a_late_reply_to_a_message_is_told() {
        assert_eq!(kinds(&[slow(1, 59)]), []);
        assert_eq!(kinds(&[slow(1, 60)]), [LATE]);
        assert_eq!(kinds(&[slow(1, 600)]), [LATE]);
        assert_eq!(kinds(&[slow(1, 601)]), [LATE, OVERDUE]);
        let gap = |mut session: Session| {
            session.octets.client.missing = 1;
            session
        };
        assert_eq!(kinds(&[gap(slow(1, 601))]), [], "the end may have come later");
    }

    #[test]
    fn a_message_without_a_reply_is_told_where_the_connection_ended() {
        let session = talk(&opened(&MAIL[..7]));
        assert_eq!(kinds(std::slice::from_ref(&session)), [LOST]);
        let found = finding(Kind::ReplyLost, std::slice::from_ref(&session));
        assert!(found.description.contains("was closed 2.0 s later"), "{}", found.description);
        assert_eq!(found.transactions.len(), 1);
        let going_on = Session { end: End::EndOfCapture, ..session };
        assert_eq!(kinds(&[going_on]), [], "it may still come");
        assert_eq!(kinds(&[talk(&opened(&MAIL[..6]))]), [], "no message");
        let mut cut = MAIL;
        cut[6] = (Client, "Subject: x\r\n\r\nx\r\n");
        assert_eq!(kinds(&[talk(&opened(&cut[..7]))]), [], "no end of the message");
    }

    #[test]
    fn more_servers_than_the_limit_are_counted() {
        let mut rule = Latency::default();
        let thresholds = Thresholds::default();
        let mut groups = Groups::default();
        for port in 1..=1025 {
            let session = Session { server_port: port, ..mail() };
            let id = SessionId { four_tuple: session.four_tuple(), occurrence: crate::report::Occurrence::FIRST };
            let quality = Quality::of_session(&session);
            rule.session(
                &Seen {
                    session: &session,
                    id,
                    quality,
                    thresholds: &thresholds,
                    site: &crate::insights::site::Site::default(),
                },
                &mut groups,
            );
        }
        assert_eq!((rule.servers.len(), rule.limit_reached()), (SERVERS, Some(("finding_latencies", 6))));
    }
}
