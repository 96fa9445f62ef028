//! The verdict on the recording as a whole: how many sessions lack something, and what.
//!
//! "Only one direction of the traffic was mirrored, and the user could not see why" is what people lose days with. So it is said
//! first: a capture of which many sessions lack something is a finding itself. It harms nobody, and weakens everything else.

use super::finding::{Confidence, Kind, Severity};
use super::groups::{Detail, Groups, Sighting};
use super::quality::{Quality, Weakness};
use super::rules::{Rule, Seen};
use super::thresholds::Thresholds;
use crate::model::Directions;
use crate::output::time::Time;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    sessions: u64,
    /// Sessions with each weakness.
    weak: [u64; Weakness::ALL.len()],
    /// Of those of one side, how many show the client.
    client_only: u64,
    /// Sessions of whose octets most came twice.
    doubled: u64,
    first_seen: Option<Time>,
    last_seen: Option<Time>,
}

impl Rule for Recording {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        let session = seen.session;
        self.sessions += 1;
        for weakness in seen.quality.weaknesses() {
            if let Some(count) = self.weak.get_mut(weakness as usize) {
                *count += 1;
            }
        }
        self.client_only += u64::from(session.directions == Directions::Client);
        // A span port that shows both directions of a switch has each packet twice.
        let twice = session.octets.client.retransmitted + session.octets.server.retransmitted;
        let once = session.octets.client.delivered + session.octets.server.delivered;
        self.doubled += u64::from(once > 0 && twice >= once - once / 10);
        self.first_seen = self.first_seen.into_iter().chain([session.first_seen]).min();
        self.last_seen = self.last_seen.max(Some(session.first_seen));
    }

    fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.weak.iter_mut().zip(other.weak).for_each(|(count, more)| *count += more);
        self.client_only += other.client_only;
        self.doubled += other.doubled;
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        self.last_seen = self.last_seen.max(other.last_seen);
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let parts = self.parts(thresholds);
        let (Some(first_seen), Some(last_seen), Some(count)) =
            (self.first_seen, self.last_seen, parts.iter().map(|(count, _)| *count).max())
        else {
            return;
        };
        let told: Vec<String> = parts.into_iter().map(|(_, told)| told).collect();
        let sighting = Sighting {
            kind: Kind::CaptureQuality,
            subject: String::new(),
            severity: Severity::Info,
            confidence: Confidence::CERTAIN,
            count,
            first_seen,
            last_seen,
            session: None,
            transaction: None,
            quality: Quality::default(),
        };
        let description = format!("of {} sessions {}", self.sessions, told.join("; "));
        groups.add(sighting, || Detail { description, ..Detail::default() });
    }
}

impl Recording {
    /// What enough sessions lack: how many, and in words.
    fn parts(&self, thresholds: &Thresholds) -> Vec<(u64, String)> {
        let share = |count: u64| count.saturating_mul(100) / self.sessions.max(1);
        let mut parts: Vec<(u64, String)> = Vec::new();
        for (weakness, &count) in Weakness::ALL.into_iter().zip(&self.weak) {
            let percent = share(count);
            let told = match weakness {
                Weakness::OneSideMissing => {
                    let side = match self.client_only {
                        0 => "the server's",
                        clients if clients == count => "the client's",
                        _ => "one",
                    };
                    format!("{count} ({percent} %) show {side} side only")
                }
                Weakness::ConflictingCopies => format!("{count} ({percent} %) hold octets in two versions"),
                Weakness::Gap => format!("{count} ({percent} %) have gaps"),
                Weakness::Midstream => format!("{count} ({percent} %) begin before the capture"),
                Weakness::CutPackets | Weakness::DroppedPackets | Weakness::DamagedInput => continue,
            };
            parts.push((count, told));
        }
        parts.push((self.doubled, format!("{} ({} %) have every packet twice", self.doubled, share(self.doubled))));
        parts.retain(|&(count, _)| count > 0 && share(count) >= thresholds.incomplete_sessions);
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insights::{Assessment, FindingOptions};
    use crate::model::{DirectionOctets, Octets, Session, Start};
    use crate::samples::{report, session};

    /// The description, where there is one.
    fn verdict(sessions: Vec<Session>) -> Option<String> {
        let found = Assessment::of(&report(sessions), &FindingOptions::default()).findings;
        let mut of_kind = found.into_iter().filter(|finding| finding.kind == Kind::CaptureQuality);
        of_kind.next().map(|finding| finding.description)
    }

    #[test]
    fn a_capture_of_one_direction_is_told_in_one_line() {
        let half = || Session { directions: Directions::Server, ..session() };
        let mut sessions = vec![half(); 49];
        sessions.push(session());
        let told = "of 50 sessions 49 (98 %) show the server's side only";
        assert_eq!(verdict(sessions).as_deref(), Some(told));
        assert_eq!(verdict(vec![session(); 50]), None);
    }

    /// A few sessions always begin before the capture.
    #[test]
    fn few_incomplete_sessions_are_nothing_to_tell() {
        let midstream = || Session { start: Start::Midstream, ..session() };
        let of =
            |incomplete: usize, whole: usize| verdict([vec![midstream(); incomplete], vec![session(); whole]].concat());
        assert_eq!(of(1, 10), None);
        assert_eq!(of(1, 9).as_deref(), Some("of 10 sessions 1 (10 %) begin before the capture"));
    }

    #[test]
    fn packets_that_come_twice_are_told() {
        let octets = |retransmitted| {
            let side = DirectionOctets { delivered: 100, retransmitted, ..DirectionOctets::default() };
            Session { octets: Octets { client: side, server: side }, ..session() }
        };
        assert_eq!(verdict(vec![octets(50)]), None, "some are always sent again");
        assert_eq!(verdict(vec![octets(100)]).as_deref(), Some("of 1 sessions 1 (100 %) have every packet twice"));
    }
}
