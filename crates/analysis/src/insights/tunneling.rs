//! Mail used as a tunnel: much data, or many connections in a short time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use smol_str::SmolStr;

use crate::output::time::Time;
use crate::report::Report;

/// What was looked for, and found.
#[derive(Debug, Serialize)]
pub struct TunnelingAnalysis {
    potential_tunneling: bool,
    suspicious_patterns: Vec<Pattern>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Pattern {
    LargeDataTransfer {
        session: String,
        mail_from: Option<SmolStr>,
        message_bytes: u64,
        description: String,
    },
    HighConnectionFrequency {
        client_ip: IpAddr,
        connection_count: usize,
        first_seen: Time,
        last_seen: Time,
        description: String,
    },
}

/// A message larger than this is worth a look: common providers refuse more than 25 MiB, and few mails come near.
const LARGE_MESSAGE_OCTETS: u64 = 10 << 20;
/// More connections of one client than this …
const CONNECTIONS: usize = 30;
/// … within this time are too many for a person, and few for a server that keeps its connections.
const WINDOW: Duration = Duration::from_secs(60);

pub(crate) fn analyse(report: &Report) -> TunnelingAnalysis {
    let mut suspicious_patterns: Vec<Pattern> = report
        .transactions()
        .iter()
        .filter_map(|mail| {
            let bytes = mail.transaction.message.as_ref()?.bytes;
            (bytes > LARGE_MESSAGE_OCTETS).then(|| Pattern::LargeDataTransfer {
                session: mail.key.to_owned(),
                mail_from: mail.transaction.mail_from.clone(),
                message_bytes: bytes,
                description: format!("message of {bytes} octets, more than {LARGE_MESSAGE_OCTETS}"),
            })
        })
        .collect();
    let mut starts: BTreeMap<IpAddr, Vec<Time>> = BTreeMap::new();
    for (_, session) in &report.sessions {
        starts.entry(session.client_ip).or_default().push(session.first_seen);
    }
    for (client_ip, times) in starts {
        if let Some((connection_count, first_seen, last_seen)) = busiest_window(&times) {
            suspicious_patterns.push(Pattern::HighConnectionFrequency {
                client_ip,
                connection_count,
                first_seen,
                last_seen,
                description: format!("{connection_count} connections within {} seconds", WINDOW.as_secs()),
            });
        }
    }
    TunnelingAnalysis { potential_tunneling: !suspicious_patterns.is_empty(), suspicious_patterns }
}

/// The window with the most connections, if they are too many: how many, the first one's and the last one's time. The
/// times ascend.
fn busiest_window(times: &[Time]) -> Option<(usize, Time, Time)> {
    let mut first = 0;
    let mut busiest: Option<(usize, Time, Time)> = None;
    for (index, &last) in times.iter().enumerate() {
        while times.get(first).is_some_and(|start| last.0.since(start.0) > WINDOW) {
            first += 1;
        }
        let count = index + 1 - first;
        if count > CONNECTIONS && busiest.is_none_or(|(most, ..)| count > most) {
            busiest = times.get(first).map(|&start| (count, start, last));
        }
    }
    busiest
}

#[cfg(test)]
mod tests {
    use super::*;
    use capture::Timestamp;

    fn seconds(times: impl Iterator<Item = i64>) -> Vec<Time> {
        times.map(|second| Time(Timestamp::from_nanos(second * 1_000_000_000))).collect()
    }

    #[test]
    fn many_connections_count_only_within_the_window() {
        assert!(busiest_window(&seconds(0..31)).is_some_and(|(count, ..)| count == 31));
        assert!(busiest_window(&seconds(0..30)).is_none(), "as many as are allowed");
        assert!(busiest_window(&seconds((0..100).map(|n| n * 60))).is_none(), "one a minute, for hours");
    }
}
