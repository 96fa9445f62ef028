//! The rules: what each looks for in the sessions of a recording.
//!
//! ```text
//!   sessions of a shard, as they end ─▶ each rule ─┬─▶ sightings ─▶ groups ─┐
//!                                                  └─▶ small events ────────┤ merged over the shards
//!                                                        sorted by time ◀───┘ ─▶ sightings ─▶ findings
//! ```
//!
//! A rule is a file: what it means, the clause or advisory it rests on, what speaks against it, and its tests, with a dialogue
//! that shows it and a close neighbour that does not. To add one: write the file, add its kinds to
//! [`Kind`](super::finding::Kind), its thresholds to [`Thresholds`], and a line to the list below.
//!
//! What can be told from one session is a sighting at once. What needs several is kept as [`Events`] and told in
//! [`Rule::finish`], where all of them stand in order of time: neither the number of threads nor the order in which sessions
//! ended may matter.

mod backscatter;
mod credentials;
mod dialect;
mod enumeration;
mod events;
mod exfiltration;
mod fanout;
mod guessing;
mod latency;
mod recipients;
mod relay;
mod retries;
mod senders;
mod smuggling;
mod starttls;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod tunnels;
mod windows;

pub(crate) use credentials::exposes_credentials;
use events::Events;

use super::FindingOptions;
use super::finding::{Confidence, Finding, Kind, Severity};
use super::groups::{Detail, Groups, Sighting};
use super::quality::Quality;
use super::recording::Recording;
use super::site::Site;
use super::thresholds::Thresholds;
use crate::model::Session;
use crate::output::time::Time;
use crate::report::{Capture, SessionId};

/// What a rule sees of a session that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) session: &'a Session,
    pub(crate) id: SessionId,
    pub(crate) quality: Quality,
    pub(crate) thresholds: &'a Thresholds,
    pub(crate) site: &'a Site,
}

impl Seen<'_> {
    /// Something seen in this session at this time.
    pub(crate) fn sighting(&self, kind: Kind, severity: Severity, subject: String, time: Time) -> Sighting {
        Sighting {
            kind,
            subject,
            severity,
            confidence: Confidence::CERTAIN,
            count: 1,
            first_seen: time,
            last_seen: time,
            session: Some(self.id),
            transaction: None,
            quality: self.quality,
        }
    }
}

/// A rule in one shard.
pub(crate) trait Rule: Default + Send {
    /// A session has ended. Those of a 4-tuple all come to one shard, in the order of their ends.
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups);

    /// Takes in what the same rule has kept in another shard.
    fn merge(&mut self, _other: Self) {}

    /// All sessions of all shards have ended.
    fn finish(self, _thresholds: &Thresholds, _groups: &mut Groups) {}

    /// How often a limit of what is kept was reached, by its name.
    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        None
    }
}

/// Makes [`Rules`] from the list of them.
macro_rules! rules {
    ($($field:ident: $rule:ty,)+) => {
        /// All rules in one shard, and what they have seen so far.
        #[derive(Debug, Default)]
        pub(crate) struct Rules {
            thresholds: Thresholds,
            site: Site,
            groups: Groups,
            $($field: $rule,)+
        }

        impl Rules {
            pub(crate) fn new(options: &FindingOptions) -> Self {
                Self { thresholds: options.thresholds, site: options.site.clone(), ..Self::default() }
            }

            /// The same, and the sightings of note are kept.
            pub(crate) fn recording(options: &FindingOptions) -> Self {
                Self { groups: Groups::recording(), ..Self::new(options) }
            }

            /// A session has ended.
            pub(crate) fn session(&mut self, session: &Session, id: SessionId) {
                let Self { thresholds, site, groups, $($field,)+ } = self;
                let seen = Seen { session, id, quality: Quality::of_session(session), thresholds, site };
                $($field.session(&seen, groups);)+
            }

            /// Takes in another shard.
            pub(crate) fn merge(&mut self, other: Self) {
                self.groups.merge(other.groups);
                $(self.$field.merge(other.$field);)+
            }

            /// The findings of all shards put together.
            pub(crate) fn finish(self, capture: &Capture) -> Found {
                let Self { thresholds, mut groups, $($field,)+ .. } = self;
                let mut limits: Vec<(&'static str, u64)> = Vec::new();
                $(
                    limits.extend($field.limit_reached());
                    $field.finish(&thresholds, &mut groups);
                )+
                limits.push(("finding_groups", groups.beyond()));
                let recorded = groups.take_recorded();
                Found { findings: groups.into_findings(Quality::of_capture(capture)), limits, recorded }
            }
        }
    };
}

rules! {
    smuggling: smuggling::Smuggling,
    starttls: starttls::StartTlsInjection,
    tls: tls::TlsPosture,
    credentials: credentials::Credentials,
    guessing: guessing::Guessing,
    enumeration: enumeration::Enumeration,
    recipients: recipients::Recipients,
    senders: senders::Senders,
    recording: Recording,
    dialect: dialect::Dialect,
    retries: retries::Retries,
    backscatter: backscatter::Backscatter,
    latency: latency::Latency,
    relay: relay::Relay,
    tunnels: tunnels::Tunnels,
    exfiltration: exfiltration::Exfiltration,
    fanout: fanout::Fanout,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Finding>,
    /// How often each limit was reached, by its name.
    pub(crate) limits: Vec<(&'static str, u64)>,
    /// The sightings of note, where that was asked for.
    pub(crate) recorded: Vec<(Sighting, Detail)>,
}
