//! The rules over a whole report, for the commands that hold one.
//!
//! The sessions are shared out as they are while a recording is read (see [`crate::shards`]), so that what is found, and what a
//! limit leaves out, is what the commands find that do not keep the sessions.

use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;
use reassembly::FlowKey;

use super::finding::{Finding, Severity};
use super::groups::{Detail, Sighting};
use super::rules::{Found, Rules};
use super::security::{PATTERNS_SHOWN, is_known_to_ancestor};
use super::site::Site;
use super::thresholds::Thresholds;
use crate::model::Session;
use crate::report::{Mail, Report, SessionId};
use crate::shards::SHARDS;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingOptions {
    /// From where on something is a finding.
    pub thresholds: Thresholds,
    /// What is ours.
    pub site: Site,
}

/// What is found in a report.
#[derive(Debug, Default)]
pub struct Assessment {
    /// The worst first.
    pub findings: Vec<Finding>,
    /// How often each limit of the rules was reached, by its name.
    pub limits_reached: Vec<(&'static str, u64)>,
    /// What the ancestor knew, one by one: the worst first, then by time.
    pub(super) patterns: Vec<(Sighting, Detail)>,
    /// Transactions that something of note was seen in, by session and number, with the worst of it.
    concerned: HashMap<(SessionId, usize), Severity>,
}

impl Assessment {
    /// Nothing was looked for.
    pub fn none() -> Self {
        Self::default()
    }

    /// Looks at every session of a report.
    pub fn of(report: &Report, options: &FindingOptions) -> Self {
        let mut shards: Vec<Vec<(SessionId, &Session)>> = vec![Vec::new(); SHARDS];
        for (id, (_, session)) in report.session_ids().zip(&report.sessions) {
            let share = FlowKey::new(id.four_tuple.client, id.four_tuple.server).share(SHARDS);
            shards.get_mut(share).into_iter().for_each(|shard| shard.push((id, session)));
        }
        let of_shard = |sessions: Vec<(SessionId, &Session)>| {
            let mut rules = Rules::recording(options);
            sessions.into_iter().for_each(|(id, session)| rules.session(session, id));
            rules
        };
        let parts: Vec<Rules> = shards.into_par_iter().map(of_shard).collect();
        let whole = parts.into_iter().reduce(|mut whole, part| {
            whole.merge(part);
            whole
        });
        let Found { findings, limits, mut recorded } =
            whole.map(|rules| rules.finish(&report.capture)).unwrap_or_default();
        let mut concerned = HashMap::new();
        for (seen, _) in &recorded {
            if let Some(place) = seen.session.zip(seen.transaction) {
                concerned
                    .entry(place)
                    .and_modify(|worst: &mut Severity| *worst = seen.severity.max(*worst))
                    .or_insert(seen.severity);
            }
        }
        recorded.retain(|(seen, _)| is_known_to_ancestor(seen.kind));
        recorded.sort_by_key(|(seen, _)| (Reverse(seen.severity), seen.first_seen, seen.session));
        Self { findings, limits_reached: limits, patterns: recorded, concerned }
    }

    /// How bad the worst of note is that was seen in this very transaction.
    pub(crate) fn concern(&self, mail: &Mail<'_>) -> Option<Severity> {
        self.concerned.get(&(mail.id, mail.index)).copied()
    }

    /// Patterns of the ancestor's that are not printed.
    pub(crate) fn patterns_omitted(&self) -> usize {
        self.patterns.len().saturating_sub(PATTERNS_SHOWN)
    }
}

/// The worst of some findings.
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}
