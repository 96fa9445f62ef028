//! Who asks a server which addresses it has: by VRFY and EXPN, by recipients that are refused, by mails that are never sent.
//!
//! RFC 5321 §7.3:
//! > As discussed in Section 3.5, individual sites may want to disable either VRFY, EXPN, or both for security reasons …
//! > it is also possible to use RCPT to verify addresses.
//!
//! | finding | what was seen of one source |
//! |---|---|
//! | `user_enumeration` | several VRFY or EXPN; medium where one was answered 250 or 251, which is a leak |
//! | `directory_harvest` | many addresses refused as unknown, and at least half of all it asked for |
//! | `recipient_probing` | several sessions that end behind an accepted recipient, without a message |
//!
//! What speaks against it: the refusals are of policy (5.7.x: relaying, a list of blocked hosts); most of what the source asks for is
//! taken, as of a relay with an old list; probes with the null sender, by which mail servers verify senders (only good to know).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use smol_str::SmolStr;

use super::recipients::evidence_of_recipient;
use super::{Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::{Command, Recipient, RecipientOutcome};
use crate::output::time::Time;
use crate::report::SessionId;

/// Sources of a shard; what further ones do is counted and not looked at.
const SOURCES: usize = 1024;
/// Refused addresses of a source that are told apart in a shard; and those that it has learnt of.
const ADDRESSES: usize = 64;
/// Pieces of evidence of a source and a finding.
const EVIDENCE: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Enumeration {
    sources: HashMap<IpAddr, Source>,
    beyond: u64,
}

/// What one client asked for.
#[derive(Debug, Default)]
struct Source {
    /// RCPT commands that were taken.
    taken: u64,
    /// RCPT commands refused as unknown.
    unknown: u64,
    /// Addresses among them.
    refused: BTreeSet<SmolStr>,
    asked: Trace,
    harvest: Trace,
    probes: Trace,
    /// Probes with the null sender.
    null_probes: u64,
    /// VRFY and EXPN that were answered 250 or 251.
    answered: u64,
    learnt_by_asking: BTreeSet<SmolStr>,
    learnt_by_rcpt: BTreeSet<SmolStr>,
}

/// When something was done how often, and the first examples.
#[derive(Debug, Default)]
struct Trace {
    count: u64,
    last_seen: Option<Time>,
    quality: Option<Quality>,
    /// In order, at most [`EVIDENCE`].
    first: Vec<(Time, SessionId, u64, Vec<Evidence>)>,
}

impl Trace {
    fn add(&mut self, seen: &Seen<'_>, time: Time, evidence: impl FnOnce() -> Vec<Evidence>) {
        self.count += 1;
        self.last_seen = self.last_seen.max(Some(time));
        self.quality = Some(self.quality.map_or(seen.quality, |quality| quality.common(seen.quality)));
        let place = (time, seen.id, self.count);
        let is_early = self.first.last().is_none_or(|last| place < (last.0, last.1, last.2));
        if self.first.len() < EVIDENCE || is_early {
            self.first.push((time, seen.id, self.count, evidence()));
            self.settle();
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.last_seen = self.last_seen.max(other.last_seen);
        self.quality = match (self.quality, other.quality) {
            (Some(one), Some(other)) => Some(one.common(other)),
            (one, other) => one.or(other),
        };
        self.first.extend(other.first);
        self.settle();
    }

    fn settle(&mut self) {
        self.first.sort_by_key(|&(time, session, number, _)| (time, session, number));
        self.first.truncate(EVIDENCE);
    }

    /// A finding about this source.
    fn tell(self, kind: Kind, severity: Severity, source: IpAddr, description: String, groups: &mut Groups) {
        let Some(&(first_seen, session, ..)) = self.first.first() else { return };
        let sighting = Sighting {
            kind,
            subject: source.to_string(),
            severity,
            confidence: Confidence::STRONG,
            count: self.count,
            first_seen,
            last_seen: self.last_seen.unwrap_or(first_seen),
            session: Some(session),
            transaction: None,
            quality: self.quality.unwrap_or_default(),
        };
        groups.add(sighting, || Detail {
            description,
            sessions: self.first.iter().map(|&(_, session, ..)| session).collect(),
            evidence: self.first.into_iter().flat_map(|(.., evidence)| evidence).collect(),
        });
    }
}

impl Rule for Enumeration {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        let session = seen.session;
        if session.transactions.is_empty() && !session.commands.iter().any(asks) {
            return;
        }
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&session.client_ip) {
            self.beyond += 1;
            return;
        }
        let source = self.sources.entry(session.client_ip).or_default();
        source.questions(seen);
        source.recipients(seen);
        source.probe(seen);
    }

    fn merge(&mut self, other: Self) {
        self.beyond += other.beyond;
        for (source, more) in other.sources {
            self.sources.entry(source).or_default().merge(more);
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let sources: BTreeMap<IpAddr, Source> = self.sources.into_iter().collect();
        for (address, source) in sources {
            source.finish(address, thresholds, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_sources", self.beyond))
    }
}

/// RFC 5321 §3.5.
fn asks(command: &Command) -> bool {
    matches!(command.command.as_str(), "VRFY" | "EXPN")
}

impl Source {
    fn questions(&mut self, seen: &Seen<'_>) {
        let session = seen.session;
        for (index, command) in session.commands.iter().enumerate().filter(|(_, command)| asks(command)) {
            let reply = session.responses.iter().find(|reply| reply.command == Some(index));
            if reply.is_some_and(|reply| reply.code.is(250) || reply.code.is(251)) {
                self.answered += 1;
                let asked = command.parameter.as_deref().unwrap_or_default();
                learn(&mut self.learnt_by_asking, asked);
            }
            self.asked.add(seen, command.timestamp, || {
                std::iter::once(Evidence::command(command)).chain(reply.map(Evidence::reply)).collect()
            });
        }
    }

    fn recipients(&mut self, seen: &Seen<'_>) {
        let session = seen.session;
        let is_taken = |recipient: &&Recipient| recipient.outcome == RecipientOutcome::Accepted;
        for transaction in &session.transactions {
            let taken = transaction.recipients.iter().filter(is_taken);
            self.taken += taken.clone().count() as u64;
            let mut has_unknown = false;
            for recipient in transaction.recipients.iter().filter(|recipient| is_unknown(recipient)) {
                has_unknown = true;
                self.unknown += 1;
                learn(&mut self.refused, &recipient.address);
                self.harvest
                    .add(seen, transaction.timestamp, || evidence_of_recipient(session, transaction, recipient));
            }
            if has_unknown && !transaction.has_data {
                taken.for_each(|recipient| learn(&mut self.learnt_by_rcpt, &recipient.address));
            }
        }
    }

    /// A session in which recipients were taken, and no message was ever to come.
    fn probe(&mut self, seen: &Seen<'_>) {
        let session = seen.session;
        let mut transactions = session.transactions.iter();
        let is_idle = transactions.all(|transaction| transaction.via.is_none());
        let is_taken = |recipient: &Recipient| recipient.outcome == RecipientOutcome::Accepted;
        let taken = session.transactions.iter().find(|transaction| transaction.recipients.iter().any(is_taken));
        let says_so = session.commands.iter().any(|command| matches!(command.command.as_str(), "RSET" | "QUIT"));
        let Some(transaction) = taken.filter(|_| is_idle && says_so) else { return };
        self.null_probes += u64::from(transaction.mail_from.as_deref() == Some(""));
        self.probes.add(seen, transaction.timestamp, || {
            let commands = session.commands.get(transaction.commands.clone()).unwrap_or_default();
            let is_envelope = |command: &&Command| matches!(command.command.as_str(), "MAIL" | "RCPT");
            commands.iter().filter(is_envelope).take(2).map(Evidence::command).collect()
        });
    }

    fn merge(&mut self, other: Self) {
        self.taken += other.taken;
        self.unknown += other.unknown;
        self.refused.extend(other.refused);
        self.asked.merge(other.asked);
        self.harvest.merge(other.harvest);
        self.probes.merge(other.probes);
        self.null_probes += other.null_probes;
        self.answered += other.answered;
        self.learnt_by_asking.extend(other.learnt_by_asking);
        self.learnt_by_rcpt.extend(other.learnt_by_rcpt);
    }

    fn finish(self, source: IpAddr, thresholds: &Thresholds, groups: &mut Groups) {
        if self.asked.count >= thresholds.enumeration_questions {
            let severity = if self.answered > 0 { Severity::Medium } else { Severity::Low };
            let told = format!(
                "{source} asked for {} addresses by VRFY or EXPN{}",
                self.asked.count,
                leak(&self.learnt_by_asking)
            );
            self.asked.tell(Kind::UserEnumeration, severity, source, told, groups);
        }
        let distinct = self.refused.len() as u64;
        let asked = self.taken + self.unknown;
        if distinct >= thresholds.harvest_addresses
            && self.unknown.saturating_mul(100) >= asked.saturating_mul(thresholds.harvest_refused_percent)
        {
            let told = format!(
                "{source} was refused {} of {asked} recipients as unknown, at least {distinct} different ones{}",
                self.unknown,
                leak(&self.learnt_by_rcpt)
            );
            self.harvest.tell(Kind::DirectoryHarvest, Severity::Medium, source, told, groups);
        }
        if self.probes.count >= thresholds.probing_sessions {
            let is_verifying = self.null_probes == self.probes.count;
            let (severity, why) = match is_verifying {
                true => (Severity::Info, ", all from the null sender, as mail servers verify senders"),
                false => (Severity::Low, ""),
            };
            let count = self.probes.count;
            let told = format!("{source} ended {count} sessions behind an accepted recipient, without a message{why}");
            self.probes.tell(Kind::RecipientProbing, severity, source, told, groups);
        }
    }
}

fn learn(addresses: &mut BTreeSet<SmolStr>, address: &str) {
    if addresses.len() < ADDRESSES && !addresses.contains(address) {
        addresses.insert(address.into());
    }
}

/// What a source now knows.
fn leak(addresses: &BTreeSet<SmolStr>) -> String {
    if addresses.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = addresses.iter().take(EVIDENCE).map(|address| quoted(address)).collect();
    let more = if addresses.len() > shown.len() { ", …" } else { "" };
    format!("; it has learnt of {}{more}", shown.join(", "))
}

/// RFC 3463 §3.2: X.1.x is of the address. RFC 5321 §4.2.3: 550 no such mailbox, 551 not local, 553 not allowed. X.7.x is of policy.
fn is_unknown(recipient: &Recipient) -> bool {
    if recipient.outcome != RecipientOutcome::Rejected {
        return false;
    }
    let subject = recipient.enhanced_code.map(|code| code.0.subject);
    match subject {
        Some(1) => true,
        Some(7) => false,
        _ => recipient.code.is_some_and(|code| code.is(550) || code.is(551) || code.is(553)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::insights::site::Site;
    use crate::model::{Outcome, Session, Transaction};
    use crate::samples::{opened, recipient, response, session_of, talk, transaction};

    fn asking(replies: &[&'static str]) -> Session {
        let turns = replies.iter().flat_map(|&reply| [(Client, "VRFY joe\r\n"), (Server, reply)]);
        talk(&opened(&turns.collect::<Vec<_>>()))
    }

    /// RFC 5321 §3.5.3: 252 "Cannot VRFY user" tells nothing; 250 does.
    #[test]
    fn three_questions_are_enumeration_and_two_are_not() {
        let unsaid = "252 maybe\r\n";
        assert_eq!(kinds(&[asking(&[unsaid; 3])]), [(Kind::UserEnumeration, Severity::Low)]);
        assert_eq!(kinds(&[asking(&[unsaid; 2])]), []);
        assert_eq!(kinds(&[asking(&[unsaid; 2]), asking(&[unsaid])]), [(Kind::UserEnumeration, Severity::Low)]);
        let leaking = finding(Kind::UserEnumeration, &[asking(&[unsaid, unsaid, "250 <joe@example.net>\r\n"])]);
        assert_eq!((leaking.severity, leaking.count), (Severity::Medium, 3));
        assert!(leaking.description.ends_with("it has learnt of joe"), "{}", leaking.description);
        assert_eq!(leaking.evidence[0].excerpt, "VRFY joe");
    }

    fn refused(address: &str, reply: &str) -> Recipient {
        let reply = response(reply);
        Recipient {
            code: Some(reply.code),
            enhanced_code: reply.enhanced_code,
            ..recipient(address, RecipientOutcome::Rejected)
        }
    }

    /// A mail to so many unknown and known recipients, that is not sent.
    fn mail(unknown: usize, known: usize, reply: &str) -> Session {
        let unknown = (0..unknown).map(|n| refused(&format!("u{n}@example.net"), reply));
        let known = (0..known).map(|n| recipient(&format!("k{n}@example.net"), RecipientOutcome::Accepted));
        let recipients = unknown.chain(known).collect();
        session_of(vec![Transaction { recipients, ..transaction("a@a", Outcome::Aborted) }])
    }

    #[test]
    fn ten_unknown_addresses_are_a_harvest_and_nine_are_not() {
        let unknown = "550 5.1.1 unknown";
        assert_eq!(kinds(&[mail(10, 0, unknown)]), [(Kind::DirectoryHarvest, Severity::Medium)]);
        assert_eq!(kinds(&[mail(9, 0, unknown)]), []);
        assert_eq!(kinds(&[mail(5, 0, unknown), mail(5, 0, unknown)]), [], "the same five again");
        assert_eq!(kinds(&[mail(10, 0, "550 no such user")]), [(Kind::DirectoryHarvest, Severity::Medium)]);
        let told = finding(Kind::DirectoryHarvest, &[mail(10, 2, unknown)]).description;
        assert!(told.ends_with("it has learnt of k0@example.net, k1@example.net"), "{told}");
    }

    /// A relay with an old list, and a server that refuses to relay.
    #[test]
    fn most_recipients_taken_or_a_refusal_of_policy_is_no_harvest() {
        assert_eq!(kinds(&[mail(10, 11, "550 5.1.1 unknown")]), []);
        assert_eq!(kinds(&[mail(20, 0, "550 5.7.1 relaying denied")]), []);
        assert_eq!(kinds(&[mail(20, 0, "554 5.7.1 blocked")]), []);
    }

    fn probe(sender: &'static str) -> Session {
        talk(&opened(&[
            (Client, sender),
            (Server, "250 ok\r\n"),
            (Client, "RCPT TO:<b@example.net>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ]))
    }

    #[test]
    fn five_sessions_without_a_message_are_probes_and_four_are_not() {
        let of = |count, sender| kinds(&vec![probe(sender); count]);
        assert_eq!(of(5, "MAIL FROM:<a@example.org>\r\n"), [(Kind::RecipientProbing, Severity::Low)]);
        assert_eq!(of(4, "MAIL FROM:<a@example.org>\r\n"), []);
        assert_eq!(
            of(5, "MAIL FROM:<>\r\n"),
            [(Kind::RecipientProbing, Severity::Info)],
            "a mail server that verifies"
        );
    }

    /// With a message it is mail.
    #[test]
    fn a_session_with_a_message_is_no_probe() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n250 ok\r\n354 go\r\n"),
            (Client, "a\r\n.\r\nQUIT\r\n"),
            (Server, "250 taken\r\n221 bye\r\n"),
        ]));
        assert_eq!(kinds(&vec![session; 6]), []);
    }

    #[test]
    fn no_more_sources_are_kept_than_the_limit() {
        let mut rule = Enumeration::default();
        let thresholds = Thresholds::default();
        let site = Site::default();
        for number in 0..u32::try_from(SOURCES).expect("few") + 3 {
            let session = Session { client_ip: IpAddr::V4(number.into()), ..mail(1, 0, "550 no") };
            let id = SessionId { four_tuple: session.four_tuple(), occurrence: crate::report::Occurrence::FIRST };
            let seen =
                Seen { session: &session, id, quality: Quality::default(), thresholds: &thresholds, site: &site };
            rule.session(&seen, &mut Groups::default());
        }
        assert_eq!((rule.sources.len(), rule.limit_reached()), (SOURCES, Some(("finding_sources", 3))));
    }
}
