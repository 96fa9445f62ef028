//! Mail that takes data out: to oneself by the clock, or much of it to one place.
//!
//! Programs that steal passwords (Agent Tesla and others) log in at a mail provider and send what they found from an account to
//! itself, again and again after the same time (MITRE ATT&CK T1048.003). Told is a client of ours that does so at a server that
//! is not: medium where it does so within the hour, and low where it takes longer. Besides it is told for information where
//! one sender sent very much to one domain outside.
//!
//! What speaks against it: devices report to their owner in the same way, mostly once a day; so nothing is told of fewer
//! mails than a few, of times that differ, and of what a queue sends at one go. A server of ours may be a newsletter's.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::{Events, Rule, Seen};
use crate::insights::domains::domain_of;
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::quality::Quality;
use crate::insights::site::registrable;
use crate::insights::thresholds::Thresholds;
use crate::model::{Outcome, Session, Transaction};
use crate::output::time::Time;
use crate::report::SessionId;
use crate::session::auth::AuthOutcome;

/// Pairs of a sender and a domain that a shard keeps. More are counted as `finding_outflows`.
const OUTFLOWS: usize = 4096;
/// Mails that are closer together than this were sent at one go.
const AT_ONE_GO_SECONDS: u64 = 30;
/// Who reports more rarely than this is a device, most of the time.
const RARELY_SECONDS: u64 = 3600;

/// See the module. Mails to oneself beyond the limit of a shard are counted as `finding_outflows`, too.
#[derive(Debug, Default)]
pub(crate) struct Exfiltration {
    to_oneself: Events<ToOneself>,
    outflows: HashMap<(SmolStr, SmolStr), Outflow>,
    beyond: u64,
}

/// A mail from an account to itself. In order: by client and account, then by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ToOneself {
    client: std::net::IpAddr,
    account: SmolStr,
    time: Time,
    session: SessionId,
    transaction: usize,
}

/// What went from a sender to a domain.
#[derive(Debug)]
struct Outflow {
    octets: u64,
    mails: u64,
    first: (Time, SessionId, usize),
    last_seen: Time,
    quality: Quality,
}

impl Rule for Exfiltration {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        let session = seen.session;
        if !seen.site.has_host(session.client_ip) || seen.site.has_host(session.server_ip) {
            return;
        }
        for (index, mail) in session.transactions.iter().enumerate() {
            if mail.outcome != Outcome::Accepted {
                continue;
            }
            if let Some(account) = to_oneself(session, mail) {
                let (client, time) = (session.client_ip, mail.timestamp);
                self.to_oneself.push(ToOneself { client, account, time, session: seen.id, transaction: index });
            }
            self.flows(seen, index, mail);
        }
    }

    fn merge(&mut self, other: Self) {
        self.to_oneself.merge(other.to_oneself);
        self.beyond += other.beyond;
        for (pair, more) in other.outflows {
            match self.outflows.get_mut(&pair) {
                Some(outflow) => outflow.add(more),
                None => {
                    self.outflows.insert(pair, more);
                }
            }
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let mails = self.to_oneself.into_sorted();
        for of_account in mails.chunk_by(|a, b| (a.client, &a.account) == (b.client, &b.account)) {
            by_the_clock(of_account, thresholds, groups);
        }
        let mut outflows: Vec<_> = self.outflows.into_iter().collect();
        outflows.retain(|(_, outflow)| outflow.octets >= thresholds.outflow << 20);
        outflows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for ((sender, domain), outflow) in outflows {
            outflow.tell(&sender, &domain, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_outflows", self.beyond + self.to_oneself.beyond()))
    }
}

impl Exfiltration {
    fn flows(&mut self, seen: &Seen<'_>, index: usize, mail: &Transaction) {
        let octets = mail.message.as_ref().map_or(0, |message| message.bytes);
        let domain = mail.recipients.first().and_then(|recipient| domain_of(&recipient.address));
        let Some(domain) = domain.filter(|domain| !seen.site.may_have_domain(domain)) else { return };
        let pair = (kept(mail.mail_from.as_deref().unwrap_or_default()), kept(registrable(&domain)));
        let first = (mail.timestamp, seen.id, index);
        let more = Outflow { octets, mails: 1, first, last_seen: mail.timestamp, quality: seen.quality };
        let is_full = self.outflows.len() >= OUTFLOWS;
        match self.outflows.get_mut(&pair) {
            Some(outflow) => outflow.add(more),
            None if is_full => self.beyond += 1,
            None => {
                self.outflows.insert(pair, more);
            }
        }
    }
}

impl Outflow {
    fn add(&mut self, more: Self) {
        self.octets += more.octets;
        self.mails += more.mails;
        self.first = self.first.min(more.first);
        self.last_seen = self.last_seen.max(more.last_seen);
        self.quality = self.quality.and(more.quality);
    }

    fn tell(self, sender: &str, domain: &str, groups: &mut Groups) {
        let (first_seen, session, transaction) = self.first;
        let sighting = Sighting {
            kind: Kind::LargeOutflow,
            subject: format!("{sender} {domain}"),
            severity: Severity::Info,
            confidence: Confidence::WEAK,
            count: self.mails,
            first_seen,
            last_seen: self.last_seen,
            session: Some(session),
            transaction: Some(transaction),
            quality: self.quality,
        };
        groups.add(sighting, || Detail {
            description: format!(
                "<{}> sent {} MiB in {} mails to {}",
                quoted(sender),
                self.octets >> 20,
                self.mails,
                quoted(domain)
            ),
            ..Detail::default()
        });
    }
}

/// The account, where who logged in is sender and only recipient.
fn to_oneself(session: &Session, mail: &Transaction) -> Option<SmolStr> {
    let [recipient] = mail.recipients.as_slice() else { return None };
    let sender = mail.mail_from.as_deref().filter(|sender| sender.contains('@'))?;
    let attempt = session.auth.iter().find(|attempt| attempt.outcome == AuthOutcome::Success)?;
    let account = attempt.username.as_deref()?;
    let local = sender.rsplit_once('@').map_or(sender, |(local, _)| local);
    let is_own = account.eq_ignore_ascii_case(sender) || account.eq_ignore_ascii_case(local);
    (is_own && mail.further_recipients == 0 && recipient.address.eq_ignore_ascii_case(sender)).then(|| kept(sender))
}

/// In lower case, as much of an address as may be one (RFC 5321 §4.5.3.1.3).
fn kept(address: &str) -> SmolStr {
    address.chars().take(256).flat_map(char::to_lowercase).collect()
}

/// Whether mails come after about the same time, and what of it is told.
fn by_the_clock(mails: &[ToOneself], thresholds: &Thresholds, groups: &mut Groups) {
    let (Some(first), Some(last)) = (mails.first(), mails.last()) else { return };
    let intervals =
        || mails.windows(2).filter_map(|pair| Some(pair.last()?.time.0.since(pair.first()?.time.0).as_secs()));
    let mut sorted: Vec<u64> = intervals().collect();
    sorted.sort_unstable();
    let Some(&median) = sorted.get(sorted.len() / 2) else { return };
    let slack = median.saturating_mul(thresholds.clock_deviation) / 100;
    let is_regular = intervals().all(|interval| interval.abs_diff(median) <= slack);
    if (mails.len() as u64) < thresholds.mails_to_oneself || !is_regular || median < AT_ONE_GO_SECONDS {
        return;
    }
    let is_often = median <= RARELY_SECONDS;
    let server = first.session.four_tuple.server;
    let sighting = Sighting {
        kind: Kind::Exfiltration,
        subject: format!("{} {}", first.client, first.account),
        severity: if is_often { Severity::Medium } else { Severity::Low },
        confidence: if is_often { Confidence::LIKELY } else { Confidence::WEAK },
        count: mails.len() as u64,
        first_seen: first.time,
        last_seen: last.time,
        session: Some(first.session),
        transaction: Some(first.transaction),
        quality: Quality::default(),
    };
    groups.add(sighting, || Detail {
        description: format!(
            "{} sent {} mails from {} to itself by {server}, one about every {median} s",
            first.client,
            mails.len(),
            quoted(&first.account),
        ),
        evidence: Vec::<Evidence>::new(),
        sessions: mails.iter().skip(1).take(9).map(|mail| mail.session).collect(),
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, findings};
    use super::*;
    use crate::message::Message;
    use crate::model::RecipientOutcome;
    use crate::samples::{at, attempt, recipient, session_of, transaction};
    use crate::session::auth::AuthAttempt;

    /// A mail of a client of ours that logged in at a server outside.
    fn mail(login: &str, sender: &str, to: &str, second: i64) -> Session {
        let recipients = vec![recipient(to, RecipientOutcome::Accepted)];
        let mail = Transaction { recipients, timestamp: at(second), ..transaction(sender, Outcome::Accepted) };
        let login = AuthAttempt { username: Some(login.to_owned()), ..attempt("EXTERNAL", AuthOutcome::Success) };
        Session { client_ip: [10, 0, 0, 7].into(), auth: vec![login], authenticated: true, ..session_of(vec![mail]) }
    }

    fn every(seconds: &[i64]) -> Vec<Session> {
        seconds.iter().map(|&second| mail("Loot@example.com", "loot@example.com", "loot@example.com", second)).collect()
    }

    fn told(sessions: &[Session]) -> Vec<(Kind, Severity)> {
        findings(sessions).iter().map(|found| (found.kind, found.severity)).collect()
    }

    const OFTEN: (Kind, Severity) = (Kind::Exfiltration, Severity::Medium);

    #[test]
    fn mail_to_oneself_by_the_clock_is_told() {
        assert_eq!(told(&every(&[0, 600, 1210])), [OFTEN]);
        let sessions = every(&[1210, 0, 600]);
        let found = finding(Kind::Exfiltration, &sessions);
        let description =
            "10.0.0.7 sent 3 mails from loot@example.com to itself by 198.51.100.25:25, one about every 610 s";
        assert_eq!((found.description.as_str(), found.count, found.sessions.len()), (description, 3, 3));
        assert_eq!(told(&every(&[0, 86_400, 172_800])), [(Kind::Exfiltration, Severity::Low)], "a device, perhaps");
    }

    /// The close neighbours: too few, without a clock, at one go, to another, as another, within the site.
    #[test]
    fn other_mail_is_not_told() {
        assert_eq!(told(&every(&[0, 600])), []);
        assert_eq!(told(&every(&[0, 600, 1800])), []);
        assert_eq!(told(&every(&[0, 1, 2, 3])), []);
        let clock = [0, 600, 1200];
        let to_another = clock.map(|second| mail("loot@example.com", "loot@example.com", "boss@example.com", second));
        assert_eq!(told(&to_another), []);
        let as_another = clock.map(|second| mail("app", "loot@example.com", "loot@example.com", second));
        assert_eq!(told(&as_another), []);
        let change = |change: fn(Session) -> Session| every(&clock).into_iter().map(change).collect::<Vec<_>>();
        assert_eq!(told(&change(|session| Session { auth: Vec::new(), ..session })), []);
        assert_eq!(told(&change(|session| Session { server_ip: [10, 0, 0, 25].into(), ..session })), []);
        assert_eq!(told(&change(|session| Session { client_ip: [192, 0, 2, 7].into(), ..session })), []);
    }

    #[test]
    fn much_mail_to_one_domain_is_for_information() {
        let of = |mebioctets: u64| {
            let mut session = mail("app", "a@example.org", "b@mx.example.com", 0);
            session.transactions[0].message.insert(Message::default()).bytes = mebioctets << 20;
            session
        };
        assert_eq!(told(&[of(4), of(5)]), []);
        assert_eq!(told(&[of(4), of(6)]), [(Kind::LargeOutflow, Severity::Info)]);
        let found = finding(Kind::LargeOutflow, &[of(4), of(6)]);
        assert_eq!(found.description, "<a@example.org> sent 10 MiB in 2 mails to example.com");
    }
}
