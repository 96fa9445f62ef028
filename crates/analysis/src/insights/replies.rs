//! What servers answer: codes, classes, and the errors that come most often.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ranking, Tally};
use crate::report::Report;

/// Counts over every reply of every session.
#[derive(Debug, Serialize)]
pub struct ResponseAnalysis {
    response_code_counts: BTreeMap<String, u64>,
    response_categories: BTreeMap<&'static str, u64>,
    top_error_messages: Ranking,
}

/// How many messages are shown.
const TOP: usize = 5;

pub(crate) fn analyse(report: &Report) -> ResponseAnalysis {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut categories: BTreeMap<&'static str, u64> = ["2xx", "3xx", "4xx", "5xx"].map(|name| (name, 0)).into();
    let mut errors = Tally::default();
    for (_, session) in &report.sessions {
        for response in &session.responses {
            *counts.entry(response.code.to_string()).or_default() += 1;
            let category = match response.class() {
                2 => "2xx",
                3 => "3xx",
                4 => "4xx",
                5 => "5xx",
                _ => continue,
            };
            *categories.entry(category).or_default() += 1;
            if response.class() >= 4 && !response.parameter.is_empty() {
                errors.add(response.parameter.to_string());
            }
        }
    }
    ResponseAnalysis {
        response_code_counts: counts,
        response_categories: categories,
        top_error_messages: errors.top(TOP),
    }
}
