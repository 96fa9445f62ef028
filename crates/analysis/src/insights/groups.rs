//! What rules have seen, grouped into findings while the sessions come.
//!
//! A group is a kind and a subject, such as a server and an account. Of each group is kept how often it was seen, when, the
//! worst of it, and the earliest examples. Which those are depends on their times and sessions alone, so groups of
//! several shards give the same when they are put together, in whatever order the sessions came.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sha2::{Digest, Sha256};

use super::finding::{Confidence, Evidence, Finding, Kind, Severity};
use super::quality::{Quality, Weakness};
use super::security::is_known_to_ancestor;
use crate::output::time::Time;
use crate::report::SessionId;

/// Groups of a shard. More are counted as `finding_groups`.
const GROUPS: usize = 1024;
/// Sessions, transactions and pieces of evidence that a finding names.
const EXAMPLES: usize = 10;

/// Something that a rule has seen.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    pub(crate) kind: Kind,
    /// What it is about. What is equal in this is one finding.
    pub(crate) subject: String,
    pub(crate) severity: Severity,
    /// Without regard to what the capture lacks.
    pub(crate) confidence: Confidence,
    /// How often, where it stands for more than one.
    pub(crate) count: u64,
    pub(crate) first_seen: Time,
    pub(crate) last_seen: Time,
    /// The session it was seen in, or the first of them; none where it is of the whole recording.
    pub(crate) session: Option<SessionId>,
    /// The number of the transaction within the session.
    pub(crate) transaction: Option<usize>,
    /// What the capture lacks of these sessions.
    pub(crate) quality: Quality,
}

/// What is told of a sighting where it is the worst, or among the earliest, of its group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Detail {
    pub(crate) description: String,
    pub(crate) evidence: Vec<Evidence>,
    /// Sessions besides the sighting's own.
    pub(crate) sessions: Vec<SessionId>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Groups {
    limit: usize,
    groups: HashMap<(Kind, String), Group>,
    /// Sightings so far: of one session they come in order.
    sightings: u64,
    beyond: u64,
    /// Sightings that are medium or worse, or that the ancestor knew, for who needs them one by one.
    recorded: Option<Vec<(Sighting, Detail)>>,
}

#[derive(Debug)]
struct Group {
    count: u64,
    first_seen: Time,
    last_seen: Time,
    severity: Severity,
    confidence: Confidence,
    /// Of the worst.
    rank: Rank,
    description: String,
    quality: Quality,
    /// In order, at most [`EXAMPLES`].
    examples: Vec<Example>,
}

/// The least is the worst; of equally bad ones the first.
type Rank = (Reverse<Severity>, Reverse<Confidence>, Order);

/// Time, session, and the number of the sighting within it.
type Order = (Time, Option<SessionId>, u64);

#[derive(Debug)]
struct Example {
    order: Order,
    transaction: Option<usize>,
    sessions: Vec<SessionId>,
    evidence: Vec<Evidence>,
}

impl Default for Groups {
    fn default() -> Self {
        Self { limit: GROUPS, groups: HashMap::new(), sightings: 0, beyond: 0, recorded: None }
    }
}

impl Groups {
    /// Groups that keep sightings besides.
    pub(crate) fn recording() -> Self {
        Self { recorded: Some(Vec::new()), ..Self::default() }
    }

    /// Takes in a sighting. What is to be told of it is only made where it will be.
    pub(crate) fn add(&mut self, sighting: Sighting, detail: impl FnOnce() -> Detail) {
        self.sightings += 1;
        let order = (sighting.first_seen, sighting.session, self.sightings);
        let detail = std::cell::LazyCell::new(detail);
        let is_of_note = is_known_to_ancestor(sighting.kind) || sighting.severity >= Severity::Medium;
        if let Some(recorded) = self.recorded.as_mut().filter(|_| is_of_note) {
            recorded.push((sighting.clone(), detail.clone()));
        }
        let is_full = self.groups.len() >= self.limit;
        match self.groups.entry((sighting.kind, sighting.subject.clone())) {
            Entry::Vacant(_) if is_full => self.beyond += 1,
            Entry::Vacant(vacant) => {
                vacant.insert(Group::of(&sighting, order, detail.clone()));
            }
            Entry::Occupied(mut group) => group.get_mut().add(&sighting, order, || detail.clone()),
        }
    }

    /// Takes in what was seen in another shard.
    pub(crate) fn merge(&mut self, other: Self) {
        self.limit += other.limit;
        self.beyond += other.beyond;
        if let (Some(recorded), Some(more)) = (&mut self.recorded, other.recorded) {
            recorded.extend(more);
        }
        for (key, group) in other.groups {
            match self.groups.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(group);
                }
                Entry::Occupied(mut occupied) => occupied.get_mut().merge(group),
            }
        }
    }

    /// Sightings that had no room.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Takes out the sightings that were recorded.
    pub(crate) fn take_recorded(&mut self) -> Vec<(Sighting, Detail)> {
        self.recorded.take().unwrap_or_default()
    }

    /// The findings: the worst first, then by kind, time and id.
    pub(crate) fn into_findings(self, of_capture: Quality) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.groups.into_iter().map(|((kind, subject), group)| group.finding(kind, &subject, of_capture)).collect();
        let place = |finding: &Finding| (Reverse(finding.severity), finding.kind, finding.first_seen);
        findings.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.id.cmp(&b.id)));
        findings
    }
}

impl Group {
    fn of(sighting: &Sighting, order: Order, detail: Detail) -> Self {
        Self {
            count: sighting.count,
            first_seen: sighting.first_seen,
            last_seen: sighting.last_seen,
            severity: sighting.severity,
            confidence: sighting.confidence,
            rank: rank(sighting, order),
            description: detail.description,
            quality: sighting.quality,
            examples: vec![Example {
                order,
                transaction: sighting.transaction,
                sessions: detail.sessions,
                evidence: detail.evidence,
            }],
        }
    }

    fn add(&mut self, sighting: &Sighting, order: Order, detail: impl Fn() -> Detail) {
        self.count += sighting.count;
        self.first_seen = self.first_seen.min(sighting.first_seen);
        self.last_seen = self.last_seen.max(sighting.last_seen);
        let is_early = self.examples.len() < EXAMPLES || self.examples.last().is_some_and(|last| order < last.order);
        let rank = rank(sighting, order);
        if rank >= self.rank && !is_early {
            return;
        }
        let detail = detail();
        if rank < self.rank {
            self.rank = rank;
            (self.severity, self.confidence) = (sighting.severity, sighting.confidence);
            (self.description, self.quality) = (detail.description, sighting.quality);
        }
        if is_early {
            let Detail { sessions, evidence, .. } = detail;
            let example = Example { order, transaction: sighting.transaction, sessions, evidence };
            self.examples.insert(self.examples.partition_point(|earlier| earlier.order < order), example);
            self.examples.truncate(EXAMPLES);
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        if other.rank < self.rank {
            self.rank = other.rank;
            (self.severity, self.confidence) = (other.severity, other.confidence);
            (self.description, self.quality) = (other.description, other.quality);
        }
        self.examples.extend(other.examples);
        self.examples.sort_by_key(|example| example.order);
        self.examples.truncate(EXAMPLES);
    }

    fn finding(self, kind: Kind, subject: &str, of_capture: Quality) -> Finding {
        let quality = self.quality.and(of_capture);
        let mut sessions: Vec<String> = Vec::new();
        let named = self
            .examples
            .iter()
            .flat_map(|example| example.order.1.into_iter().chain(example.sessions.iter().copied()));
        for session in named.map(|session| session.to_string()) {
            if sessions.len() < EXAMPLES && !sessions.contains(&session) {
                sessions.push(session);
            }
        }
        let mut transactions: Vec<String> = Vec::new();
        for example in &self.examples {
            let transaction = example.order.1.zip(example.transaction);
            let key = transaction.map(|(session, number)| format!("{session}/{number}"));
            transactions.extend(key.filter(|key| !transactions.contains(key)));
        }
        Finding {
            id: id(kind, subject),
            kind,
            severity: self.severity,
            confidence: self.confidence.times(quality.leaves()),
            title: kind.title(),
            description: self.description,
            count: self.count,
            first_seen: Some(self.first_seen),
            last_seen: Some(self.last_seen),
            sessions,
            transactions,
            evidence: self.examples.into_iter().flat_map(|example| example.evidence).take(EXAMPLES).collect(),
            weakened_by: quality.weaknesses().map(Weakness::as_str).collect(),
            references: kind.references().to_vec(),
        }
    }
}

fn rank(sighting: &Sighting, order: Order) -> Rank {
    let confidence = sighting.confidence.times(sighting.quality.leaves());
    (Reverse(sighting.severity), Reverse(confidence), order)
}

/// The kind and the first eight hexadecimal digits of the SHA-256 of kind and subject.
fn id(kind: Kind, subject: &str) -> String {
    let digest = Sha256::digest(format!("{}\0{subject}", kind.as_str()));
    let digits: String = digest.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
    format!("{}-{digits}", kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Role;
    use crate::model::Spot;
    use crate::report::Occurrence;
    use crate::samples::{at, session};

    fn sighting(subject: &str, severity: Severity, second: i64) -> Sighting {
        let session = SessionId { four_tuple: session().four_tuple(), occurrence: Occurrence::FIRST };
        Sighting {
            kind: Kind::AuthFailure,
            subject: subject.to_owned(),
            severity,
            confidence: Confidence::CERTAIN,
            count: 1,
            first_seen: at(second),
            last_seen: at(second),
            session: Some(session),
            transaction: None,
            quality: Quality::default(),
        }
    }

    fn detail(text: &str) -> Detail {
        let evidence = vec![Evidence::new(at(0), Spot::default(), Role::Client, text.as_bytes())];
        Detail { description: text.to_owned(), evidence, sessions: Vec::new() }
    }

    fn excerpts(finding: &Finding) -> Vec<&str> {
        finding.evidence.iter().map(|evidence| evidence.excerpt.as_str()).collect()
    }

    #[test]
    fn equal_ones_are_one_finding_which_tells_of_the_worst_and_shows_the_earliest() {
        let mut groups = Groups::default();
        groups.add(sighting("a", Severity::Low, 5), || detail("late"));
        groups.add(sighting("a", Severity::High, 9), || detail("worst"));
        groups.add(sighting("a", Severity::Low, 1), || detail("early"));
        groups.add(sighting("b", Severity::Medium, 0), || detail("other"));
        let findings = groups.into_findings(Quality::default());
        let [first, second] = findings.try_into().expect("two findings");
        assert_eq!((first.severity, first.count, first.description.as_str()), (Severity::High, 3, "worst"));
        assert_eq!((first.first_seen, first.last_seen), (Some(at(1)), Some(at(9))));
        assert_eq!(excerpts(&first), ["early", "late", "worst"]);
        assert_eq!(second.description, "other");
        assert_ne!(first.id, second.id);
        assert_eq!(first.sessions, ["192.0.2.1:40000-198.51.100.25:25"]);
    }

    /// Whichever shard saw what, and in whatever order.
    #[test]
    fn groups_of_several_shards_are_those_of_one() {
        let seconds = [7, 3, 1, 9, 4, 12, 11, 2, 8, 6, 5, 10, 13];
        let groups_of = |seconds: &[i64]| {
            let mut groups = Groups::default();
            for &second in seconds {
                let severity = if second == 9 { Severity::High } else { Severity::Low };
                groups.add(sighting("a", severity, second), || detail(&second.to_string()));
            }
            groups
        };
        let printed = |groups: Groups| serde_json::to_string(&groups.into_findings(Quality::default())).expect("JSON");
        let whole = printed(groups_of(&seconds));
        assert!(whole.contains("\"count\":13"), "{whole}");
        for cut in 0..=seconds.len() {
            let (first, second) = seconds.split_at(cut);
            for (one, other) in [(first, second), (second, first)] {
                let mut merged = groups_of(one);
                merged.merge(groups_of(other));
                assert_eq!(printed(merged), whole, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_the_capture_lacks_lowers_confidence_and_is_named() {
        let lacking = crate::model::Session { start: crate::model::Start::Midstream, ..session() };
        let mut groups = Groups::default();
        let weak = Sighting { quality: Quality::of_session(&lacking), ..sighting("a", Severity::Low, 1) };
        groups.add(weak.clone(), || detail("weak"));
        let [finding] = groups.into_findings(Quality::default()).try_into().expect("one");
        assert_eq!((finding.confidence, finding.weakened_by), (Confidence::CERTAIN.times(90), vec!["midstream"]));
        let mut groups = Groups::default();
        groups.add(weak, || detail("weak"));
        groups.add(sighting("a", Severity::Low, 2), || detail("strong"));
        let [finding] = groups.into_findings(Quality::default()).try_into().expect("one");
        assert_eq!((finding.confidence, finding.description.as_str()), (Confidence::CERTAIN, "strong"));
    }

    #[test]
    fn more_groups_than_the_limit_are_counted() {
        let mut groups = Groups { limit: 2, ..Groups::default() };
        for subject in ["a", "b", "c", "a", "d"] {
            groups.add(sighting(subject, Severity::Low, 0), Detail::default);
        }
        assert_eq!((groups.beyond(), groups.into_findings(Quality::default()).len()), (2, 2));
    }

    /// What nobody will read is not made: most sightings are of groups that have their examples already.
    #[test]
    fn details_are_made_only_where_they_are_shown() {
        let mut groups = Groups::default();
        let made = std::cell::Cell::new(0);
        for second in 0..100 {
            groups.add(sighting("a", Severity::Low, second), || {
                made.set(made.get() + 1);
                Detail::default()
            });
        }
        assert_eq!(made.get(), EXAMPLES);
    }

    #[test]
    fn the_order_is_that_of_severity_kind_and_time() {
        let mut groups = Groups::default();
        groups.add(sighting("b", Severity::Low, 2), || detail("third"));
        groups.add(sighting("a", Severity::Low, 1), || detail("second"));
        groups.add(sighting("c", Severity::Medium, 9), || detail("first"));
        let findings = groups.into_findings(Quality::default());
        let order: Vec<&str> = findings.iter().map(|finding| finding.description.as_str()).collect();
        assert_eq!(order, ["first", "second", "third"]);
    }
}
