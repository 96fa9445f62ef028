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
    let mut count = |code: u16, times: u64| {
        *counts.entry(format!("{code:03}")).or_default() += times;
        let category = match code / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => return,
        };
        *categories.entry(category).or_default() += times;
    };
    for (_, session) in &report.sessions {
        let further = session.further.iter().flat_map(|further| &further.replies);
        further.for_each(|(&code, &times)| count(code, times));
        for response in &session.responses {
            count(response.code.value(), 1);
            if matches!(response.class(), 4 | 5) && !response.parameter.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Session;
    use crate::samples::{report, response, session};

    fn analysed(replies: &[&str]) -> serde_json::Value {
        let sessions: Vec<Session> =
            replies.iter().map(|reply| Session { responses: vec![response(reply)], ..session() }).collect();
        serde_json::to_value(analyse(&report(sessions))).expect("JSON")
    }

    /// RFC 5321 §4.2.1: the first digit says whether the response is good, bad, or incomplete.
    #[test]
    fn replies_are_counted_by_code_and_by_first_digit_over_all_sessions() {
        let counted = analysed(&["250 ok", "251 ok", "250 ok", "354 go on", "421 bye", "550 no"]);
        assert_eq!(
            counted["response_code_counts"],
            serde_json::json!({"250": 2, "251": 1, "354": 1, "421": 1, "550": 1})
        );
        assert_eq!(counted["response_categories"], serde_json::json!({"2xx": 3, "3xx": 1, "4xx": 1, "5xx": 1}));
    }

    #[test]
    fn every_category_stands_there_although_nothing_was_counted() {
        assert_eq!(analysed(&[])["response_categories"], serde_json::json!({"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}));
    }

    /// RFC 5321 §4.2: no code begins with another digit; one that does is counted, but is of no category.
    #[test]
    fn a_code_of_no_category_is_counted_by_its_number_alone() {
        let counted = analysed(&["150 wait", "650 what"]);
        assert_eq!(counted["response_code_counts"], serde_json::json!({"150": 1, "650": 1}));
        assert_eq!(counted["response_categories"], serde_json::json!({"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}));
        assert_eq!(counted["top_error_messages"], serde_json::json!({}), "and no error");
    }

    #[test]
    fn error_messages_are_those_of_4xx_and_5xx_the_most_frequent_first() {
        let analysis = analyse(&report(
            ["250 ok", "250 ok", "450 later", "550 no", "354 go on", "550 no"]
                .map(|reply| Session { responses: vec![response(reply)], ..session() })
                .into(),
        ));
        assert_eq!(analysis.top_error_messages.0, [("no".to_owned(), 2), ("later".to_owned(), 1)]);
    }
}
