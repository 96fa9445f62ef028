//! The command `insights`, and the findings that other commands print, too.
//!
//! | module | concept |
//! |---|---|
//! | [`finding`] | what a finding is; the closed list of kinds |
//! | [`thresholds`] | from where on something is one, in one table |
//! | `rules` | what is looked for, a file for each rule |
//! | `groups` | what rules have seen, by kind and subject |
//! | `names` | short digests of addresses |
//! | [`networks`], [`site`] | which hosts and domains are ours |
//! | `quality`, `recording` | what the capture lacks, and what confidence that leaves |
//! | `assessment` | the rules over a whole report |
//! | [`security`], [`tunneling`] | the ancestor's insights |
//! | [`domains`], [`replies`] | patterns over all sessions |

mod assessment;
pub mod domains;
pub mod finding;
mod groups;
mod names;
pub mod networks;
mod quality;
mod recording;
pub mod replies;
pub(crate) mod rules;
pub mod security;
pub mod site;
pub mod thresholds;
pub mod tunneling;

use std::io;

use serde::Serialize;

use crate::report::Report;
pub use assessment::{Assessment, FindingOptions, worst};
use domains::{DomainAnalysis, QueryPatterns};
use finding::Finding;
use replies::ResponseAnalysis;
use security::SecurityInsights;
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

/// Writes the document, indented, with a line end. `assessment` is that of the same report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, assessment: &Assessment, options: &Options, mut out: impl io::Write) -> io::Result<()> {
    let document = Document {
        interrupted: report.capture.interrupted.then_some(true),
        query_patterns: options.queries.then(|| domains::query_patterns(report)),
        response_analysis: options.response_codes.then(|| replies::analyse(report)),
        domain_analysis: domains::analyse(report, &options.internal_domains),
        tunneling_analysis: options.tunneling.then(|| tunneling::analyse(report)),
        findings: &assessment.findings,
        security_insights: security::insights(report, assessment),
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    /// Reading was ended before the inputs were.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_patterns: Option<QueryPatterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_analysis: Option<ResponseAnalysis>,
    domain_analysis: DomainAnalysis,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunneling_analysis: Option<TunnelingAnalysis>,
    findings: &'a [Finding],
    security_insights: SecurityInsights<'a>,
}

/// A count for each name, printed most frequent first, equal ones by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally(std::collections::BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn add(&mut self, name: String) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(name, count)| *self.0.entry(name).or_default() += count);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, RecipientOutcome, Transaction};
    use crate::samples::{recipient, report, session_of, transaction};

    fn document(options: &Options) -> serde_json::Value {
        let mail = Transaction {
            recipients: vec![recipient("b@example.net", RecipientOutcome::Accepted)],
            ..transaction("a@example.org", Outcome::Accepted)
        };
        let mut out = Vec::new();
        let report = report(vec![session_of(vec![mail])]);
        let assessment = Assessment::of(&report, &FindingOptions::default());
        write(&report, &assessment, options, &mut out).expect("a vector takes everything");
        assert_eq!(out.last(), Some(&b'\n'));
        serde_json::from_slice(&out).expect("JSON")
    }

    fn keys(value: &serde_json::Value) -> Vec<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    fn tally(names: &[&str]) -> Tally {
        let mut tally = Tally::default();
        names.iter().for_each(|&name| tally.add(name.to_owned()));
        tally
    }

    #[test]
    fn the_most_frequent_come_first_and_equal_ones_by_name() {
        let ranked = tally(&["c", "b", "a", "c", "b", "d", "c"]).top(3);
        assert_eq!(ranked.0, [("c".to_owned(), 3), ("b".to_owned(), 2), ("a".to_owned(), 1)]);
    }

    /// JSON objects have no order by their standard (RFC 8259 §4); readers that keep one see the ranking.
    #[test]
    fn a_ranking_is_an_object_in_the_order_of_the_ranks() {
        let printed = serde_json::to_string(&tally(&["a", "b", "b"]).top(2)).expect("JSON");
        assert_eq!(printed, r#"{"b":2,"a":1}"#);
    }

    /// The contract's four parts: always, or only with their option.
    #[test]
    fn each_part_stands_there_if_it_is_wanted() {
        let all = Options { queries: true, response_codes: true, tunneling: true, internal_domains: Vec::new() };
        assert_eq!(
            keys(&document(&all)),
            [
                "domain_analysis",
                "findings",
                "query_patterns",
                "response_analysis",
                "security_insights",
                "tunneling_analysis"
            ]
        );
        assert_eq!(keys(&document(&Options::default())), ["domain_analysis", "findings", "security_insights"]);
    }

    #[test]
    fn the_parts_have_the_fields_of_the_contract() {
        let all = Options {
            queries: true,
            response_codes: true,
            tunneling: true,
            internal_domains: vec!["example.org".to_owned()],
        };
        let document = document(&all);
        assert_eq!(
            keys(&document["query_patterns"]),
            ["top_recipient_domains", "top_sender_domains", "total_recipient_domains", "total_senders"]
        );
        assert_eq!(
            keys(&document["response_analysis"]),
            ["response_categories", "response_code_counts", "top_error_messages"]
        );
        assert_eq!(keys(&document["tunneling_analysis"]), ["potential_tunneling", "suspicious_patterns"]);
        assert_eq!(
            document["domain_analysis"]["internal_external_ratio"],
            serde_json::json!({
                "senders": {"internal": 1, "external": 0}, "recipients": {"internal": 0, "external": 1},
            })
        );
        assert_eq!(
            keys(&document["security_insights"]),
            ["auth_failures", "missing_tls", "plaintext_auth", "suspicious_patterns"]
        );
    }
}
