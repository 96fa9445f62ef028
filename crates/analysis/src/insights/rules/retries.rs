//! Mail that was put off and tried again.
//!
//! RFC 5321 §4.5.4.1:
//! > The sender MUST delay retrying a particular destination after one attempt has failed. In general, the retry interval
//! > SHOULD be at least 30 minutes
//!
//! Greylisting (RFC 6647 §2) puts off the first mail of each combination of network, sender and recipient, and takes it when it
//! comes again. So a recipient that got a 4xx and later a 2xx, from the same network, is told for information: how long it
//! took, in how many attempts, and whether another host of a pool came. A client that comes again within a minute does not wait
//! as it has to.
//!
//! What speaks against it: another server is another try of the same attempt (RFC 5321 §5.1), so it is none; a host on
//! loopback is a test; LMTP has a queue of its own in front.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smol_str::SmolStr;

use super::{Events, Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::names::Name;
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::{Recipient, RecipientOutcome, Response, Session, Transaction};
use crate::output::time::Time;
use crate::report::SessionId;

/// See the module. Attempts beyond the limit of a shard are counted as `finding_attempts`.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    attempts: Events<Attempt>,
}

/// A recipient that was taken or put off.
#[derive(Debug, Clone)]
struct Attempt {
    /// Server, and network of the client.
    way: (SocketAddr, IpAddr),
    /// Sender and recipient.
    mail: Name,
    time: Time,
    session: SessionId,
    transaction: usize,
    quality: Quality,
    /// Of one that was put off.
    put_off: Option<Box<PutOff>>,
}

#[derive(Debug, Clone)]
struct PutOff {
    sender: SmolStr,
    recipient: SmolStr,
    reply: Evidence,
}

impl Attempt {
    fn order(&self) -> impl Ord {
        (self.way, self.mail, self.time, self.session, self.transaction, self.put_off.is_none())
    }
}

/// By what it is for, then by time.
impl Ord for Attempt {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Attempt {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Attempt {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Attempt {}

impl Rule for Retries {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        let session = seen.session;
        if session.client_ip.is_loopback() || session.helo_verb == Some("LHLO") {
            return;
        }
        for (index, transaction) in session.transactions.iter().enumerate() {
            for recipient in &transaction.recipients {
                let reply = decisive(session, transaction, recipient);
                let put_off = match reply {
                    Some(reply) if reply.class() == 4 && !is_too_many(reply) => Some(Box::new(PutOff {
                        sender: shown(transaction.mail_from.as_deref().unwrap_or_default()),
                        recipient: shown(&recipient.address),
                        reply: Evidence::reply(reply),
                    })),
                    Some(reply) if reply.class() == 2 => None,
                    _ => continue,
                };
                self.attempts.push(Attempt {
                    way: (session.four_tuple().server, network(session.client_ip)),
                    mail: Name::of(&[transaction.mail_from.as_deref().unwrap_or_default(), &recipient.address]),
                    time: transaction.timestamp,
                    session: seen.id,
                    transaction: index,
                    quality: seen.quality,
                    put_off,
                });
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.attempts.merge(other.attempts);
    }

    fn finish(mut self, thresholds: &Thresholds, groups: &mut Groups) {
        // Most mail is taken at once, and need not be put in order.
        let put_off = self.attempts.iter().filter(|attempt| attempt.put_off.is_some());
        let put_off: HashSet<_> = put_off.map(|attempt| (attempt.way, attempt.mail)).collect();
        self.attempts.retain(|attempt| put_off.contains(&(attempt.way, attempt.mail)));
        let attempts = self.attempts.into_sorted();
        for of_mail in attempts.chunk_by(|a, b| (a.way, a.mail) == (b.way, b.mail)) {
            taken_later(of_mail, groups);
            let in_a_hurry = of_mail.windows(2).filter_map(|pair| match pair {
                [first, second] if first.session != second.session => Some((first, second)),
                _ => None,
            });
            in_a_hurry.for_each(|(first, second)| hasty(first, second, thresholds, groups));
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_attempts", self.attempts.beyond()))
    }
}

/// The reply that decided on a recipient: to the end of the message, if it came so far, or to RCPT.
fn decisive<'a>(session: &'a Session, mail: &'a Transaction, recipient: &Recipient) -> Option<&'a Response> {
    if recipient.outcome == RecipientOutcome::Accepted {
        return mail.final_response.as_ref().filter(|_| mail.has_data);
    }
    let is_same = |reply: &&Response| {
        Some(reply.code) == recipient.code && Some(&reply.parameter) == recipient.parameter.as_ref()
    };
    mail.answers(session).find(is_same)
}

/// RFC 5321 §4.5.3.1.10: after 452 the client sends the recipients that are left at once, in another transaction.
fn is_too_many(reply: &Response) -> bool {
    reply.code.is(452)
}

/// Put off first, and taken in the end.
fn taken_later(of_mail: &[Attempt], groups: &mut Groups) {
    let mut places = of_mail.iter().enumerate();
    let Some((place, first, put_off)) = places.find_map(|(place, of)| Some((place, of, of.put_off.as_deref()?))) else {
        return;
    };
    let Some((last, taken)) = places.find(|(_, attempt)| attempt.put_off.is_none()) else { return };
    // Who asks again at once, in the same connection, has not waited for anything.
    if taken.session == first.session {
        return;
    }
    let server = first.session.four_tuple.server;
    let sighting = sighting(Kind::GreylistingRetry, server.to_string(), first, taken);
    groups.add(sighting, || {
        let PutOff { sender, recipient, reply } = put_off;
        let waited = taken.time.0.since(first.time.0).as_secs();
        let mut description = format!(
            "mail of <{}> for <{}> was put off by {server} and taken {waited} s later, at attempt {}",
            quoted(sender),
            quoted(recipient),
            last - place + 1
        );
        if taken.session.four_tuple.client.ip() != first.session.four_tuple.client.ip() {
            description += ", from another address of the network";
        }
        Detail { description, evidence: vec![reply.clone()], sessions: vec![taken.session] }
    });
}

/// The next attempt, in another connection, follows sooner than it should.
fn hasty(first: &Attempt, second: &Attempt, thresholds: &Thresholds, groups: &mut Groups) {
    let Some(PutOff { sender, recipient, reply }) = first.put_off.as_deref() else { return };
    let waited = second.time.0.since(first.time.0).as_secs();
    if waited >= thresholds.hasty_retry {
        return;
    }
    let client = first.session.four_tuple.client.ip();
    let server = first.session.four_tuple.server;
    groups.add(sighting(Kind::HastyRetry, format!("{client} {server}"), first, second), || Detail {
        description: format!(
            "{client} tried mail of <{}> for <{}> again {waited} s after {server} had put it off",
            quoted(sender),
            quoted(recipient)
        ),
        evidence: vec![reply.clone()],
        sessions: vec![second.session],
    });
}

fn sighting(kind: Kind, subject: String, first: &Attempt, last: &Attempt) -> Sighting {
    Sighting {
        kind,
        subject,
        severity: Severity::Info,
        confidence: Confidence::STRONG,
        count: 1,
        first_seen: first.time,
        last_seen: last.time,
        session: Some(first.session),
        transaction: Some(first.transaction),
        quality: first.quality.and(last.quality),
    }
}

/// As much of an address as is shown.
fn shown(address: &str) -> SmolStr {
    address.chars().take(SHOWN).collect()
}

/// One more than is quoted, so that the cut shows.
const SHOWN: usize = 65;

/// Greylists take a network for one client, because pools have many hosts (RFC 6647 §4.2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => (v4 & Ipv4Addr::new(255, 255, 255, 0)).into(),
        IpAddr::V6(v6) => (v6 & Ipv6Addr::from_bits(u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, kinds};
    use super::*;
    use crate::anomaly::Role::{self, Client, Server};
    use crate::samples::{at, opened, talk};

    const DEFERRED: [(Role, &str); 5] = [
        (Client, "MAIL FROM:<a@example.org>\r\n"),
        (Server, "250 ok\r\n"),
        (Client, "RCPT TO:<b@example.net>\r\n"),
        (Server, "450 4.2.0 <b@example.net>: Recipient address rejected: Greylisted\r\n"),
        (Client, "QUIT\r\n"),
    ];
    const TAKEN: [(Role, &str); 8] = [
        (Client, "MAIL FROM:<a@example.org>\r\n"),
        (Server, "250 ok\r\n"),
        (Client, "RCPT TO:<B@example.net>\r\n"),
        (Server, "250 ok\r\n"),
        (Client, "DATA\r\n"),
        (Server, "354 go\r\n"),
        (Client, "Subject: x\r\n\r\n.\r\n"),
        (Server, "250 2.0.0 Ok: queued\r\n"),
    ];

    /// The session of these turns, from a host and a port, so many seconds later.
    fn attempt(turns: &[(Role, &'static str)], host: u8, port: u16, second: i64) -> Session {
        let mut session = talk(&opened(turns));
        (session.client_ip, session.client_port) = (IpAddr::from([192, 0, 2, host]), port);
        session.transactions.iter_mut().for_each(|mail| mail.timestamp = at(second));
        session
    }

    const GREYLISTED: (Kind, Severity) = (Kind::GreylistingRetry, Severity::Info);
    const HASTY: (Kind, Severity) = (Kind::HastyRetry, Severity::Info);

    #[test]
    fn what_is_put_off_and_taken_later_is_told() {
        let sessions = [attempt(&DEFERRED, 1, 1, 0), attempt(&DEFERRED, 7, 2, 100), attempt(&TAKEN, 7, 3, 400)];
        let [found] = findings(&sessions).try_into().expect("one finding");
        assert_eq!((found.kind, found.severity), GREYLISTED);
        let told = "mail of <a@example.org> for <b@example.net> was put off by 198.51.100.25:25 and taken 400 s later, \
                    at attempt 3, from another address of the network";
        assert_eq!(found.description, told);
        assert!(found.evidence[0].excerpt.starts_with("450 4.2.0"), "{:?}", found.evidence);
        assert_eq!(found.sessions.len(), 2);
        let mut reversed = sessions;
        reversed.reverse();
        assert_eq!(findings(&reversed)[0].description, told, "whatever the order of the sessions");
    }

    /// The close neighbours: never taken, taken before, another network, another server, a host's own tests.
    #[test]
    fn what_is_no_retry_is_not_told() {
        let deferred = || attempt(&DEFERRED, 1, 1, 0);
        assert_eq!(kinds(&[deferred()]), []);
        assert_eq!(kinds(&[deferred(), attempt(&TAKEN, 1, 2, -400)]), []);
        let far = Session { client_ip: IpAddr::from([203, 0, 113, 1]), ..attempt(&TAKEN, 1, 2, 400) };
        let elsewhere = Session { server_port: 26, ..attempt(&TAKEN, 1, 2, 400) };
        let local = |session| Session { client_ip: IpAddr::from([127, 0, 0, 1]), ..session };
        assert_eq!(kinds(&[deferred(), far]), []);
        assert_eq!(kinds(&[deferred(), elsewhere]), []);
        let at_once = [&DEFERRED[..4], &TAKEN].concat();
        assert_eq!(kinds(&[attempt(&at_once, 1, 1, 0)]), [], "in the same connection");
        assert_eq!(kinds(&[local(deferred()), local(attempt(&TAKEN, 1, 2, 400))]), []);
    }

    #[test]
    fn who_does_not_wait_is_told() {
        assert_eq!(kinds(&[attempt(&DEFERRED, 1, 1, 0), attempt(&DEFERRED, 1, 2, 59)]), [HASTY]);
        assert_eq!(kinds(&[attempt(&DEFERRED, 1, 1, 0), attempt(&DEFERRED, 1, 2, 60)]), []);
    }

    /// RFC 5321 §4.5.3.1.10: the rest of the recipients is sent at once, as it should be.
    #[test]
    fn too_many_recipients_are_no_deferral() {
        let mut turns = DEFERRED;
        turns[3] = (Server, "452 4.5.3 Too many recipients\r\n");
        assert_eq!(kinds(&[attempt(&turns, 1, 1, 0), attempt(&TAKEN, 1, 2, 5)]), []);
    }

    /// Some servers put off after the message only.
    #[test]
    fn a_message_is_put_off_at_its_end_too() {
        let mut turns = TAKEN;
        turns[7] = (Server, "451 4.7.1 Greylisted\r\n");
        assert_eq!(kinds(&[attempt(&turns, 1, 1, 0), attempt(&TAKEN, 1, 2, 400)]), [GREYLISTED]);
    }
}
