//! Delivery reports to people who sent nothing: their address was forged.
//!
//! RFC 5321 §4.5.5 has the null reverse-path for reports, so that nobody answers them; RFC 3834 §1 and RFC 5321 §6.2 warn of what
//! becomes of them where the sender is forged. Told of a domain, where many mails with the null sender came for its addresses, and
//! none of these addresses sent mail in the capture.
//!
//! What speaks against it, and is not counted: addresses that are made for reports and prove that mail was sent (BATV, SRS,
//! VERP, owners of lists); clients of the site itself, whose reports are its own; mails given up before anything was sent
//! or refused, with which others look whether an address exists. Where the domain sent nothing at all in the capture, its mail
//! may go another way, and confidence is weak.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use smol_str::SmolStr;

use super::{Events, Rule, Seen};
use crate::insights::domains::domain_of;
use crate::insights::finding::{Confidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::names::Name;
use crate::insights::networks::is_local;
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::{Outcome, Transaction};
use crate::output::time::Time;
use crate::report::SessionId;

/// Senders that a shard keeps, 16 octets of each. More are counted as `finding_senders`.
const SENDERS: usize = 1 << 16;

/// See the module. Reports beyond the limit of a shard are counted as `finding_senders`, too.
#[derive(Debug, Default)]
pub(crate) struct Backscatter {
    /// Digests of addresses that sent, and of their domains.
    senders: HashSet<Name>,
    senders_beyond: u64,
    reports: Events<Report>,
}

/// A mail with the null sender for one address.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Report {
    domain: SmolStr,
    time: Time,
    session: SessionId,
    transaction: usize,
    address: Name,
}

impl Rule for Backscatter {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        let session = seen.session;
        let is_ours = is_local(session.client_ip) || seen.site.has_host(session.client_ip);
        for (index, mail) in session.transactions.iter().enumerate() {
            match mail.mail_from.as_deref() {
                Some("") if !is_ours && is_report(mail) => {
                    self.report(seen.id, index, mail);
                }
                Some(sender) if !sender.is_empty() => {
                    self.sent(sender);
                    sender.rsplit_once('@').into_iter().for_each(|(_, domain)| self.sent(domain));
                }
                _ => {}
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.senders.extend(other.senders);
        self.senders_beyond += other.senders_beyond;
        self.reports.merge(other.reports);
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let Self { senders, senders_beyond, reports } = self;
        let mut reports = reports.into_sorted();
        reports.retain(|report| !senders.contains(&report.address));
        for of_domain in reports.chunk_by(|a, b| a.domain == b.domain) {
            let (Some(first), Some(last)) = (of_domain.first(), of_domain.last()) else { continue };
            let mails: BTreeSet<_> = of_domain.iter().map(|report| (report.session, report.transaction)).collect();
            if (mails.len() as u64) < thresholds.backscatter {
                continue;
            }
            let is_seen_sending = senders.contains(&Name::of(&[&first.domain])) && senders_beyond == 0;
            let sighting = Sighting {
                kind: Kind::Backscatter,
                subject: first.domain.to_string(),
                severity: Severity::Low,
                confidence: if is_seen_sending { Confidence::LIKELY } else { Confidence::WEAK },
                count: mails.len() as u64,
                first_seen: first.time,
                last_seen: last.time,
                session: Some(first.session),
                transaction: Some(first.transaction),
                quality: Quality::default(),
            };
            groups.add(sighting, || {
                let hosts: BTreeSet<IpAddr> =
                    of_domain.iter().map(|report| report.session.four_tuple.client.ip()).collect();
                let addresses: BTreeSet<Name> = of_domain.iter().map(|report| report.address).collect();
                let description = format!(
                    "{} mails with the null sender came from {} hosts for {} addresses of {} that sent nothing in the capture",
                    mails.len(),
                    hosts.len(),
                    addresses.len(),
                    quoted(&first.domain)
                );
                Detail { description, sessions: mails.iter().map(|&(session, _)| session).take(10).collect(), ..Detail::default() }
            });
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_senders", self.senders_beyond + self.reports.beyond()))
    }
}

impl Backscatter {
    fn sent(&mut self, sender: &str) {
        let name = Name::of(&[sender]);
        if self.senders.len() < SENDERS {
            self.senders.insert(name);
        } else if !self.senders.contains(&name) {
            self.senders_beyond += 1;
        }
    }

    fn report(&mut self, session: SessionId, transaction: usize, mail: &Transaction) {
        for recipient in &mail.recipients {
            let address = recipient.address.to_lowercase();
            let Some(domain) = domain_of(&address).filter(|_| !is_made_for_reports(&address)) else { continue };
            let domain = domain.chars().take(DOMAIN_CHARACTERS).collect();
            let address = Name::of(&[&address]);
            self.reports.push(Report { domain, time: mail.timestamp, session, transaction, address });
        }
    }
}

/// RFC 1035 §2.3.4.
const DOMAIN_CHARACTERS: usize = 253;

/// Whether a message came, or every recipient was refused: no mere question whether an address exists.
fn is_report(mail: &Transaction) -> bool {
    mail.has_data || mail.outcome == Outcome::Rejected
}

/// BATV (`prvs=`), SRS, VERP (`list-bounces+user=example.org@`), and the owners and robots of lists.
fn is_made_for_reports(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    local.contains('=')
        || local.starts_with("srs0")
        || local.starts_with("srs1")
        || ["bounce", "owner-", "-owner", "-request", "verp", "mailer-daemon"].iter().any(|part| local.contains(part))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::model::{RecipientOutcome, Session};
    use crate::samples::{at, recipient, session_of, transaction};

    /// Reports from so many hosts, each for an address of its own.
    fn reports(local: &str, number: u8) -> Vec<Session> {
        (1..=number)
            .map(|host| {
                let to = recipient(&format!("{local}{host}@example.net"), RecipientOutcome::Accepted);
                let mail = Transaction { recipients: vec![to], ..transaction("", Outcome::Accepted) };
                let mail = Transaction { timestamp: at(i64::from(host)), ..mail };
                Session { client_ip: IpAddr::from([203, 0, 113, host]), ..session_of(vec![mail]) }
            })
            .collect()
    }

    fn sent_by(address: &str) -> Session {
        session_of(vec![transaction(address, Outcome::Accepted)])
    }

    const TOLD: (Kind, Severity) = (Kind::Backscatter, Severity::Low);

    #[test]
    fn reports_to_who_sent_nothing_are_told() {
        assert_eq!(kinds(&reports("user", 10)), [TOLD]);
        let found = finding(Kind::Backscatter, &reports("user", 10));
        let told = "10 mails with the null sender came from 10 hosts for 10 addresses of example.net that sent nothing in the capture";
        assert_eq!((found.description.as_str(), found.confidence, found.count), (told, Confidence::WEAK, 10));
        let mut sessions = reports("user", 10);
        sessions.push(sent_by("other@example.net"));
        sessions.reverse();
        let found = finding(Kind::Backscatter, &sessions);
        assert_eq!((found.description.as_str(), found.confidence), (told, Confidence::LIKELY));
    }

    /// The close neighbours: fewer, who did send, addresses made for reports, the site's own reports, mere questions.
    #[test]
    fn reports_that_are_due_are_not_told() {
        assert_eq!(kinds(&reports("user", 9)), []);
        let mut sessions = reports("user", 10);
        sessions.push(sent_by("User3@example.net"));
        assert_eq!(kinds(&sessions), [], "nine are left");
        for local in ["prvs=0123-user", "SRS0=abc=", "list-bounces+", "owner-list", "bounce-"] {
            assert_eq!(kinds(&reports(local, 10)), [], "{local}");
        }
        let with = |change: fn(Session) -> Session| reports("user", 10).into_iter().map(change).collect::<Vec<_>>();
        let own = with(|session| Session { client_ip: IpAddr::from([10, 0, 0, 1]), ..session });
        assert_eq!(kinds(&own), []);
        let asked = with(|mut session| {
            session.transactions[0].has_data = false;
            session.transactions[0].outcome = Outcome::Aborted;
            session
        });
        assert_eq!(kinds(&asked), []);
    }

    #[test]
    fn more_senders_than_the_limit_are_counted_and_leave_less_certainty() {
        let mut rule = Backscatter::default();
        (0..=SENDERS).for_each(|number| rule.sent(&number.to_string()));
        assert_eq!(rule.limit_reached(), Some(("finding_senders", 1)));
        rule.sent("0");
        assert_eq!(rule.limit_reached(), Some(("finding_senders", 1)), "it is there already");
    }
}
