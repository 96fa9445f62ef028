//! Hosts that send mail past the mail server: to many servers outside, or to ports that are none of mail.
//!
//! Spam programs look up the MX of each recipient and go there themselves; so do mail servers, which is why it is for information.
//! Ports that are none of mail get past a firewall that knows those of mail.
//!
//! What speaks against it, and is not counted: a host that takes mail itself in the capture is a mail server; ports inside
//! the site are those of filters.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::{Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::thresholds::Thresholds;
use crate::model::Outcome;
use crate::output::time::Time;
use crate::report::SessionId;

/// Hosts, and servers of one of them, that a shard keeps. More are counted as `finding_hosts`.
const HOSTS: usize = 1024;
const SERVERS: usize = 256;

/// RFC 5321 §4.5.4.2, RFC 8314 §7.3, RFC 6409 §3.1, RFC 2033, and ports that providers offer for submission besides.
const MAIL_PORTS: [u16; 6] = [24, 25, 26, 465, 587, 2525];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    /// The first session at each server outside, by host.
    hosts: HashMap<IpAddr, BTreeMap<IpAddr, (Time, SessionId)>>,
    /// Hosts that took mail.
    servers: HashSet<IpAddr>,
    beyond: u64,
}

impl Rule for Fanout {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        if session.transactions.iter().any(|mail| mail.outcome == Outcome::Accepted) {
            self.takes_mail(session.server_ip);
        }
        if !seen.site.has_host(session.client_ip) || seen.site.has_host(session.server_ip) {
            return;
        }
        if session.server_port == 25 {
            self.went_to(session.client_ip, session.server_ip, (session.first_seen, seen.id));
        }
        if !MAIL_PORTS.contains(&session.server_port) {
            let subject = format!("{} {}", session.client_ip, session.four_tuple().server);
            let sighting = seen.sighting(Kind::OddPort, Severity::Info, subject, session.first_seen);
            groups.add(sighting, || Detail {
                description: format!("{} spoke SMTP to {}", session.client_ip, session.four_tuple().server),
                evidence: session.commands.first().map(Evidence::command).into_iter().collect(),
                ..Detail::default()
            });
        }
    }

    fn merge(&mut self, other: Self) {
        self.beyond += other.beyond;
        self.servers.extend(other.servers);
        for (host, servers) in other.hosts {
            let kept = self.hosts.entry(host).or_default();
            for (server, first) in servers {
                kept.entry(server).and_modify(|kept| *kept = first.min(*kept)).or_insert(first);
            }
        }
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let mut hosts: Vec<(IpAddr, Vec<(Time, SessionId)>)> = self
            .hosts
            .into_iter()
            .filter(|(host, _)| !self.servers.contains(host))
            .map(|(host, servers)| (host, servers.into_values().collect()))
            .collect();
        hosts.sort_unstable();
        for (host, mut sessions) in hosts {
            let count = sessions.len() as u64;
            sessions.sort_unstable();
            let (Some(&(first_seen, session)), Some(&(last_seen, _))) = (sessions.first(), sessions.last()) else {
                continue;
            };
            if count < thresholds.servers_of_host {
                continue;
            }
            let sighting = Sighting {
                kind: Kind::DirectToServers,
                subject: host.to_string(),
                severity: Severity::Info,
                confidence: Confidence::WEAK,
                count,
                first_seen,
                last_seen,
                session: Some(session),
                transaction: None,
                quality: crate::insights::quality::Quality::default(),
            };
            groups.add(sighting, || Detail {
                description: format!("{host} went to {count} servers outside, and took no mail itself in the capture"),
                sessions: sessions.iter().skip(1).take(9).map(|&(_, session)| session).collect(),
                ..Detail::default()
            });
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_hosts", self.beyond))
    }
}

impl Fanout {
    fn takes_mail(&mut self, server: IpAddr) {
        if self.servers.len() < HOSTS {
            self.servers.insert(server);
        } else if !self.servers.contains(&server) {
            self.beyond += 1;
        }
    }

    fn went_to(&mut self, host: IpAddr, server: IpAddr, first: (Time, SessionId)) {
        if self.hosts.len() >= HOSTS && !self.hosts.contains_key(&host) {
            self.beyond += 1;
            return;
        }
        let servers = self.hosts.entry(host).or_default();
        let is_full = servers.len() >= SERVERS;
        match servers.get_mut(&server) {
            Some(kept) => *kept = first.min(*kept),
            None if is_full => self.beyond += 1,
            None => {
                servers.insert(server, first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::model::Session;
    use crate::samples::{session, session_of, transaction};

    fn to_server(number: u8) -> Session {
        Session { client_ip: [10, 0, 0, 7].into(), server_ip: [203, 0, 113, number].into(), ..session() }
    }

    #[test]
    fn a_host_that_goes_to_many_servers_is_for_information() {
        let sessions: Vec<Session> = (1..=20).chain(1..=5).map(to_server).collect();
        assert_eq!(kinds(&sessions), [(Kind::DirectToServers, Severity::Info)]);
        let found = finding(Kind::DirectToServers, &sessions);
        assert_eq!((found.count, found.sessions.len()), (20, 10));
        assert_eq!(kinds(&sessions[..19]), []);
    }

    /// The close neighbour: it takes mail, so it is a mail server.
    #[test]
    fn a_mail_server_may_go_to_many() {
        let mut sessions: Vec<Session> = (1..=20).map(to_server).collect();
        let mail = session_of(vec![transaction("a@example.org", Outcome::Accepted)]);
        sessions.push(Session { client_ip: [10, 0, 0, 8].into(), server_ip: [10, 0, 0, 7].into(), ..mail });
        assert_eq!(kinds(&sessions), []);
        let outside = |number| Session { client_ip: [192, 0, 2, 7].into(), ..to_server(number) };
        assert_eq!(kinds(&(1..=20).map(outside).collect::<Vec<_>>()), [], "not ours");
    }

    #[test]
    fn ports_that_are_none_of_mail_are_for_information() {
        let at_port = |server_port| Session { server_port, ..to_server(1) };
        assert_eq!(kinds(&[at_port(443)]), [(Kind::OddPort, Severity::Info)]);
        for port in MAIL_PORTS {
            assert_eq!(kinds(&[at_port(port)]), [], "{port}");
        }
        let inside = Session { server_ip: [10, 0, 0, 25].into(), ..at_port(10_025) };
        assert_eq!(kinds(&[inside]), [], "a filter");
    }

    #[test]
    fn more_than_the_limits_is_counted() {
        let mut rule = Fanout::default();
        let first = || {
            (
                Time::default(),
                SessionId { four_tuple: session().four_tuple(), occurrence: crate::report::Occurrence::FIRST },
            )
        };
        for number in 0..=1024_u32 {
            rule.went_to(std::net::Ipv4Addr::from(number).into(), [203, 0, 113, 1].into(), first());
        }
        for number in 0..=256_u32 {
            rule.went_to([0, 0, 0, 0].into(), std::net::Ipv4Addr::from(number).into(), first());
        }
        assert_eq!(rule.limit_reached(), Some(("finding_hosts", 3)), "a host, and two servers of the first");
    }
}
