//! Open relays, and which way mail goes.
//!
//! RFC 5321 §7.8: a server may refuse mail for any reason; RFC 2505 §2.1 says for what it must:
//! > MUST be able to restrict unauthorized use as Mail Relay.
//!
//! A server of ours that takes mail for somebody else's domain from somebody else's host, which has not logged in, is a relay for
//! everybody: critical where it took the whole message, medium where it took the recipient only. Which domains are ours only
//! the user knows (`--internal-domain`); which hosts, too (`--internal-network`, or else addresses that are used within
//! sites only). Where domains are known, the directions of all mail are told for information besides.
//!
//! Where they are not, it is inferred, and low: a host of ours took a mail from outside, and a host of ours passed
//! the same sender and recipient on to the outside. That is also what a second MX of somebody else's domain does.
//!
//! What speaks against it, and is not counted: a login; a capture that may have missed one (from the middle, with gaps, of one
//! side); a recipient whose domain has its registrable domain in common with one of ours, or has none; a proxy in front of the
//! server, behind which the client may be ours; LMTP.

use smol_str::SmolStr;

use super::recipients::{evidence_of_mail, evidence_of_recipient};
use super::{Events, Rule, Seen};
use crate::insights::domains::domain_of;
use crate::insights::finding::{Confidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::names::Name;
use crate::insights::quality::Quality;
use crate::insights::site::{Site, registrable};
use crate::insights::thresholds::Thresholds;
use crate::model::{Directions, Outcome, Recipient, RecipientOutcome, Session, Start, Transaction};
use crate::output::time::Time;
use crate::report::SessionId;

/// See the module. Passages beyond the limit of a shard are counted as `finding_passages`.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    directions: Matrix,
    passages: Events<Passage>,
}

/// Accepted recipients by whose client, sender and recipient they are: outside is 0, ours is 1.
#[derive(Debug, Default)]
struct Matrix {
    recipients: [[[u64; 2]; 2]; 2],
    first_seen: Option<Time>,
    last_seen: Option<Time>,
}

/// A recipient that went into the site or out of it. In order: by mail, then by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Passage {
    /// Sender and recipient.
    mail: Name,
    time: Time,
    goes_out: bool,
    session: SessionId,
    transaction: usize,
    domain: SmolStr,
}

impl Rule for Relay {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let (session, site) = (seen.session, seen.site);
        if session.claimed_client.is_some() || session.helo_verb == Some("LHLO") {
            return;
        }
        let [client_is_ours, server_is_ours] = [session.client_ip, session.server_ip].map(|host| site.has_host(host));
        let may_relay = !client_is_ours && server_is_ours && is_open(session);
        for (index, mail) in session.transactions.iter().enumerate() {
            let taken = || mail.recipients.iter().filter(|recipient| recipient.outcome == RecipientOutcome::Accepted);
            if !site.domains.is_empty() {
                taken().for_each(|recipient| self.directions.add(site, client_is_ours, mail, recipient));
                let outside = taken().find(|recipient| is_outside(site, recipient)).filter(|_| may_relay);
                outside.into_iter().for_each(|recipient| relayed(seen, index, mail, recipient, groups));
            } else if mail.outcome == Outcome::Accepted && (may_relay || (client_is_ours && !server_is_ours)) {
                taken().for_each(|recipient| self.pass(seen.id, index, mail, recipient, client_is_ours));
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.directions.merge(other.directions);
        self.passages.merge(other.passages);
    }

    fn finish(self, _: &Thresholds, groups: &mut Groups) {
        self.directions.tell(groups);
        let passages = self.passages.into_sorted();
        for of_mail in passages.chunk_by(|a, b| a.mail == b.mail) {
            let mut of_mail = of_mail.iter();
            let Some(taken) = of_mail.find(|passage| !passage.goes_out) else { continue };
            let Some(passed_on) = of_mail.find(|passage| passage.goes_out) else { continue };
            inferred(taken, passed_on, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_passages", self.passages.beyond()))
    }
}

impl Relay {
    fn pass(&mut self, session: SessionId, transaction: usize, mail: &Transaction, to: &Recipient, goes_out: bool) {
        let Some(domain) = domain_of(&to.address) else { return };
        let mail_name = Name::of(&[mail.mail_from.as_deref().unwrap_or_default(), &to.address]);
        let domain = domain.chars().take(DOMAIN_CHARACTERS).collect();
        self.passages.push(Passage { mail: mail_name, time: mail.timestamp, goes_out, session, transaction, domain });
    }
}

/// RFC 1035 §2.3.4.
const DOMAIN_CHARACTERS: usize = 253;

/// Whether it was open to somebody who has not logged in, as far as the capture shows all of it.
fn is_open(session: &Session) -> bool {
    let missing = session.octets.client.missing + session.octets.server.missing;
    let is_whole = session.directions == Directions::Both && session.start == Start::Handshake && missing == 0;
    is_whole && !session.authenticated && session.further.is_none()
}

fn is_outside(site: &Site, recipient: &Recipient) -> bool {
    domain_of(&recipient.address).is_some_and(|domain| !domain.starts_with('[') && !site.may_have_domain(&domain))
}

fn relayed(seen: &Seen<'_>, index: usize, mail: &Transaction, recipient: &Recipient, groups: &mut Groups) {
    let session = seen.session;
    let server = session.four_tuple().server;
    let is_whole = mail.outcome == Outcome::Accepted;
    let severity = if is_whole { Severity::Critical } else { Severity::Medium };
    let mut sighting = seen.sighting(Kind::OpenRelay, severity, server.to_string(), mail.timestamp);
    sighting.transaction = Some(index);
    // Without networks, a host with an address of the Internet may be ours, too.
    sighting.confidence = if seen.site.networks.is_empty() { Confidence::LIKELY } else { Confidence::STRONG };
    groups.add(sighting, || {
        let what = if is_whole { "a mail" } else { "a recipient" };
        let description = format!(
            "{server} took {what} of <{}> for <{}> from {}, which is not ours and had not logged in; the domain {} is not ours",
            quoted(mail.mail_from.as_deref().unwrap_or_default()),
            quoted(&recipient.address),
            session.client_ip,
            quoted(registrable(&domain_of(&recipient.address).unwrap_or_default())),
        );
        let mut evidence = evidence_of_mail(seen, mail);
        let rcpt = evidence_of_recipient(session, mail, recipient);
        evidence.splice(evidence.len().min(1)..evidence.len().min(1), rcpt);
        Detail { description, evidence, ..Detail::default() }
    });
}

fn inferred(taken: &Passage, passed_on: &Passage, groups: &mut Groups) {
    let server = taken.session.four_tuple.server;
    let sighting = Sighting {
        kind: Kind::OpenRelay,
        subject: server.to_string(),
        severity: Severity::Low,
        confidence: Confidence::WEAK,
        count: 1,
        first_seen: taken.time,
        last_seen: passed_on.time,
        session: Some(taken.session),
        transaction: Some(taken.transaction),
        quality: Quality::default(),
    };
    groups.add(sighting, || Detail {
        description: format!(
            "inferred: {server} took a mail for {} from {}, which had not logged in, and {} passed it on to {}; \
             --internal-domain says for sure which domains are ours",
            quoted(registrable(&taken.domain)),
            taken.session.four_tuple.client.ip(),
            passed_on.session.four_tuple.client.ip(),
            passed_on.session.four_tuple.server
        ),
        sessions: vec![passed_on.session],
        ..Detail::default()
    });
}

impl Matrix {
    fn add(&mut self, site: &Site, client_is_ours: bool, mail: &Transaction, recipient: &Recipient) {
        let has = |address: &str| domain_of(address).map(|domain| site.may_have_domain(&domain));
        // A report has no sender but the host it comes from; `postmaster` without a domain is the server's.
        let sender_is_ours = mail.mail_from.as_deref().and_then(has).unwrap_or(client_is_ours);
        let recipient_is_ours = has(&recipient.address).unwrap_or(true);
        let by_sender = self.recipients.get_mut(usize::from(client_is_ours));
        let by_recipient = by_sender.and_then(|by_sender| by_sender.get_mut(usize::from(sender_is_ours)));
        let count = by_recipient.and_then(|by_recipient| by_recipient.get_mut(usize::from(recipient_is_ours)));
        count.into_iter().for_each(|count| *count += 1);
        self.first_seen = self.first_seen.into_iter().chain([mail.timestamp]).min();
        self.last_seen = self.last_seen.max(Some(mail.timestamp));
    }

    fn merge(&mut self, other: Self) {
        let own = self.recipients.iter_mut().flatten().flatten();
        own.zip(other.recipients.iter().flatten().flatten()).for_each(|(count, more)| *count += more);
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        self.last_seen = self.last_seen.max(other.last_seen);
    }

    fn tell(&self, groups: &mut Groups) {
        let (Some(first_seen), Some(last_seen)) = (self.first_seen, self.last_seen) else { return };
        let sighting = Sighting {
            kind: Kind::MailDirections,
            subject: String::new(),
            severity: Severity::Info,
            confidence: Confidence::CERTAIN,
            count: self.recipients.iter().flatten().flatten().sum(),
            first_seen,
            last_seen,
            session: None,
            transaction: None,
            quality: Quality::default(),
        };
        let mut told: Vec<String> = Vec::new();
        let side = |place: usize| if place == 0 { "outside" } else { "ours" };
        for (client, by_sender) in self.recipients.iter().enumerate().rev() {
            for (sender, by_recipient) in by_sender.iter().enumerate().rev() {
                for (recipient, count) in by_recipient.iter().enumerate().rev().filter(|(_, count)| **count > 0) {
                    told.push(format!("{count}: {}, {}, {}", side(client), side(sender), side(recipient)));
                }
            }
        }
        let description = format!("accepted recipients by client, sender and recipient: {}", told.join("; "));
        groups.add(sighting, || Detail { description, ..Detail::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, findings_at};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::samples::{at, opened, talk};

    /// A mail for this recipient, from 192.0.2.1 to 198.51.100.25.
    fn mail(to: &'static str) -> Session {
        talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, to),
            (Server, "250 2.1.5 ok\r\n"),
            (Client, "DATA\r\n"),
            (Server, "354 go\r\n"),
            (Client, "Subject: x\r\n\r\nx\r\n.\r\n"),
            (Server, "250 2.0.0 queued\r\n"),
        ]))
    }

    const OUT: &str = "RCPT TO:<b@mx.example.com>\r\n";
    const IN: &str = "RCPT TO:<b@example.net>\r\n";

    /// The server, and the domain example.net, are ours.
    fn ours() -> Site {
        Site { networks: vec!["198.51.100.0/24".parse().expect("a network")], domains: vec!["example.net".to_owned()] }
    }

    fn relays(site: &Site, sessions: &[Session]) -> Vec<(Severity, Confidence)> {
        let found = findings_at(site, sessions).into_iter().filter(|finding| finding.kind == Kind::OpenRelay);
        found.map(|finding| (finding.severity, finding.confidence)).collect()
    }

    #[test]
    fn a_mail_from_outside_for_the_outside_is_critical() {
        let session = mail(OUT);
        assert_eq!(relays(&ours(), std::slice::from_ref(&session)), [(Severity::Critical, Confidence::STRONG)]);
        let found = findings_at(&ours(), &[session]).into_iter().find(|finding| finding.kind == Kind::OpenRelay);
        let found = found.expect("a relay");
        let told = "198.51.100.25:25 took a mail of <a@example.org> for <b@mx.example.com> from 192.0.2.1, which is not ours and \
                    had not logged in; the domain example.com is not ours";
        assert_eq!(found.description, told);
        let excerpts: Vec<&str> = found.evidence.iter().map(|evidence| evidence.excerpt.as_str()).collect();
        let wanted = ["MAIL FROM:<a@example.org>", "RCPT TO:<b@mx.example.com>", "250 2.1.5 ok", "250 2.0.0 queued"];
        assert_eq!(excerpts, wanted);
    }

    #[test]
    fn a_recipient_taken_without_a_message_is_medium() {
        let asked = talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, OUT),
            (Server, "250 ok\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ]));
        assert_eq!(relays(&ours(), &[asked]), [(Severity::Medium, Confidence::STRONG)]);
    }

    /// The close neighbours: each lacks one thing.
    #[test]
    fn what_is_no_relay_is_not_told() {
        let outgoing = Session { client_ip: [198, 51, 100, 7].into(), ..mail(OUT) };
        let elsewhere = Session { server_ip: [203, 0, 113, 25].into(), ..mail(OUT) };
        let proxied = crate::model::ClaimedClient::new(crate::model::ClaimSource::Proxy);
        let refused = talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, OUT),
            (Server, "554 5.7.1 Relay access denied\r\n"),
        ]));
        for (why, session) in [
            ("ours", mail(IN)),
            ("below ours", mail("RCPT TO:<b@lists.example.net>\r\n")),
            ("nobody's", mail("RCPT TO:<postmaster>\r\n")),
            ("a literal", mail("RCPT TO:<b@[198.51.100.25]>\r\n")),
            ("sent by ours", outgoing),
            ("between others", elsewhere),
            ("refused", refused),
            ("logged in", Session { authenticated: true, ..mail(OUT) }),
            ("perhaps logged in", Session { start: Start::Midstream, ..mail(OUT) }),
            ("of one side", Session { directions: Directions::Client, ..mail(OUT) }),
            ("behind a proxy", Session { claimed_client: Some(Box::new(proxied)), ..mail(OUT) }),
        ] {
            assert_eq!(relays(&ours(), &[session]), [], "{why}");
        }
    }

    /// A site of which only the domain is known: its server has an address of RFC 1918.
    #[test]
    fn without_networks_it_is_likely() {
        let site = Site { networks: Vec::new(), ..ours() };
        let inside = Session { server_ip: [10, 0, 0, 25].into(), ..mail(OUT) };
        assert_eq!(relays(&site, &[inside]), [(Severity::Critical, Confidence::LIKELY)]);
        assert_eq!(relays(&site, &[mail(OUT)]), [], "whose the server is, nobody said");
    }

    fn passed_on(second: i64) -> Session {
        let mut session =
            Session { client_ip: [10, 0, 0, 25].into(), server_ip: [203, 0, 113, 25].into(), ..mail(OUT) };
        session.transactions[0].timestamp = at(second);
        session
    }

    /// Nothing is known of the site: a mail came from outside and went there again.
    #[test]
    fn a_relay_is_inferred_from_both_ways_of_a_mail() {
        let taken = || Session { server_ip: [10, 0, 0, 25].into(), ..mail(OUT) };
        let sessions = [taken(), passed_on(100)];
        assert_eq!(relays(&Site::default(), &sessions), [(Severity::Low, Confidence::WEAK)]);
        let found = findings(&sessions);
        assert!(found[0].description.starts_with("inferred: 10.0.0.25:25 took a mail for example.com from 192.0.2.1"));
        assert_eq!(found[0].sessions.len(), 2);
        let [first, second] = sessions;
        let turned = serde_json::to_string(&findings(&[second, first])).expect("JSON");
        assert_eq!(turned, serde_json::to_string(&found).expect("JSON"), "whatever the order of the sessions");
        assert_eq!(relays(&Site::default(), &[taken()]), []);
        assert_eq!(relays(&Site::default(), &[passed_on(100)]), []);
        assert_eq!(relays(&Site::default(), &[taken(), passed_on(-100)]), [], "sent before it came");
        let user = Session { authenticated: true, ..taken() };
        assert_eq!(relays(&Site::default(), &[user, passed_on(100)]), []);
    }

    #[test]
    fn directions_are_told_where_domains_are_known() {
        let outgoing = Session { client_ip: [198, 51, 100, 7].into(), ..mail(OUT) };
        let told = |site: &Site, sessions: &[Session]| {
            let found = findings_at(site, sessions).into_iter().find(|finding| finding.kind == Kind::MailDirections);
            found.map(|finding| (finding.severity, finding.description))
        };
        let wanted =
            "accepted recipients by client, sender and recipient: 1: ours, outside, outside; 2: outside, outside, ours";
        assert_eq!(told(&ours(), &[mail(IN), outgoing, mail(IN)]), Some((Severity::Info, wanted.to_owned())));
        assert_eq!(told(&Site::default(), &[mail(IN)]), None);
    }
}
