//! The command `insights`: patterns over all sessions, one concern per file.

pub mod domains;
pub mod replies;
pub mod security;
pub mod tunneling;

use std::io;

use serde::Serialize;

use crate::report::Report;
use domains::{DomainAnalysis, QueryPatterns};
use replies::ResponseAnalysis;
use security::{Finding, SecurityInsights};
use tunneling::TunnelingAnalysis;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Sender and recipient patterns.
    pub queries: bool,
    /// Counts of replies.
    pub response_codes: bool,
    /// Domains that are ours, each with all below it.
    pub internal_domains: Vec<String>,
    /// Whether mail is used as a tunnel.
    pub tunneling: bool,
}

/// Writes the document, indented, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, options: &Options, mut out: impl io::Write) -> io::Result<()> {
    let security = security::analyse(report);
    let document = Document {
        query_patterns: options.queries.then(|| domains::query_patterns(report)),
        response_analysis: options.response_codes.then(|| replies::analyse(report)),
        domain_analysis: domains::analyse(report, &options.internal_domains),
        tunneling_analysis: options.tunneling.then(|| tunneling::analyse(report)),
        findings: security.findings(),
        security_insights: security,
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    query_patterns: Option<QueryPatterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_analysis: Option<ResponseAnalysis>,
    domain_analysis: DomainAnalysis,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunneling_analysis: Option<TunnelingAnalysis>,
    findings: Vec<Finding>,
    security_insights: SecurityInsights<'a>,
}

/// A count for each name, printed most frequent first, equal ones by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally(std::collections::BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn add(&mut self, name: String) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, &count)| (name.as_str(), count))
    }

    /// The `most` frequent ones.
    pub(crate) fn top(&self, most: usize) -> Ranking {
        let mut ranked: Vec<(String, u64)> = self.0.iter().map(|(name, &count)| (name.clone(), count)).collect();
        ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        ranked.truncate(most);
        Ranking(ranked)
    }
}

/// Names with their counts, in order; an object in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking(pub Vec<(String, u64)>);

impl Serialize for Ranking {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, count)| (name, count)))
    }
}
