//! The ancestor's insights, by its own names: the findings it knew, one by one, and three figures.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::Assessment;
use super::domains::domain_of;
use super::finding::{Evidence, Kind, Severity};
use super::rules::exposes_credentials;
use crate::report::{Report, SessionId};

/// See the module.
#[derive(Debug, Serialize)]
pub struct SecurityInsights<'a> {
    /// AUTH exchanges that failed.
    pub auth_failures: usize,
    /// Whether credentials crossed the wire in clear.
    pub plaintext_auth: bool,
    /// Sessions with mail and without TLS.
    pub missing_tls: usize,
    /// By severity, then time; at most [`PATTERNS_SHOWN`] are printed.
    #[serde(serialize_with = "first_patterns")]
    pub suspicious_patterns: Vec<Pattern<'a>>,
}

/// One thing seen in one session.
#[derive(Debug, Serialize)]
pub struct Pattern<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// In a sentence.
    pub description: &'a str,
    /// The commands and replies that show it.
    pub evidence: &'a [Evidence],
    /// The session's key.
    pub session: &'a str,
    /// Number of the transaction within its session, from 0, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<usize>,
    /// The client.
    pub client_ip: IpAddr,
    /// The server.
    pub server_ip: IpAddr,
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_from: Option<&'a str>,
    /// Recipients of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_count: Option<u64>,
    /// The sender's domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// How many patterns a document shows.
pub const PATTERNS_SHOWN: usize = 100;

/// The kinds that the ancestor knew.
pub(super) const fn is_known_to_ancestor(kind: Kind) -> bool {
    matches!(kind, Kind::PlaintextAuth | Kind::AuthFailure | Kind::HighRecipientCount | Kind::SuspiciousSenderDomain)
}

/// What the ancestor would have said of this report.
pub fn insights<'a>(report: &'a Report, assessment: &'a Assessment) -> SecurityInsights<'a> {
    let sessions = || report.sessions.iter().map(|(_, session)| session);
    SecurityInsights {
        auth_failures: report.summary.auth_failures,
        plaintext_auth: sessions().flat_map(|session| &session.auth).any(exposes_credentials),
        missing_tls: sessions().filter(|session| !session.uses_tls && !session.transactions.is_empty()).count(),
        suspicious_patterns: patterns(report, assessment),
    }
}

/// Those that are shown.
fn patterns<'a>(report: &'a Report, assessment: &'a Assessment) -> Vec<Pattern<'a>> {
    let shown = assessment.patterns.iter().take(PATTERNS_SHOWN);
    let mut places: HashMap<SessionId, usize> =
        shown.clone().filter_map(|(sighting, _)| Some((sighting.session?, usize::MAX))).collect();
    for (place, id) in report.session_ids().enumerate() {
        places.entry(id).and_modify(|of_id| *of_id = place);
    }
    shown
        .filter_map(|(sighting, detail)| {
            let (key, session) = report.sessions.get(*places.get(&sighting.session?)?)?;
            let transaction = sighting.transaction.and_then(|index| session.transactions.get(index));
            let mail_from = transaction.and_then(|transaction| transaction.mail_from.as_deref());
            let has_domain = sighting.kind == Kind::SuspiciousSenderDomain;
            Some(Pattern {
                kind: sighting.kind,
                severity: sighting.severity,
                description: &detail.description,
                evidence: &detail.evidence,
                session: key,
                transaction: sighting.transaction,
                client_ip: session.client_ip,
                server_ip: session.server_ip,
                mail_from,
                recipient_count: transaction.map(crate::model::Transaction::recipient_count),
                domain: mail_from.filter(|_| has_domain).and_then(domain_of),
            })
        })
        .collect()
}

fn first_patterns<S: Serializer>(patterns: &[Pattern<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(patterns.iter().take(PATTERNS_SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insights::FindingOptions;
    use crate::model::{Outcome, Session};
    use crate::samples::{at, attempt, report, session, session_of, transaction};
    use crate::session::auth::{AuthAttempt, AuthOutcome};

    fn with_attempts(attempts: Vec<AuthAttempt>) -> Session {
        Session { auth_attempts: attempts.len(), auth: attempts, ..session() }
    }

    fn printed(sessions: Vec<Session>) -> serde_json::Value {
        let report = report(sessions);
        let assessment = Assessment::of(&report, &FindingOptions::default());
        serde_json::to_value(insights(&report, &assessment)).expect("JSON")
    }

    #[test]
    fn tls_is_missing_where_mail_went_without_it() {
        let mail = || vec![transaction("a@a", Outcome::Accepted)];
        let encrypted = Session { uses_tls: true, ..session_of(mail()) };
        let printed = printed(vec![session_of(mail()), encrypted, session()]);
        assert_eq!(printed["missing_tls"], 1, "the last has no mail");
    }

    #[test]
    fn a_refused_auth_without_a_response_exposed_nothing() {
        let refused = AuthAttempt { credentials_sent: false, ..attempt("PLAIN", AuthOutcome::Failure) };
        let printed = printed(vec![with_attempts(vec![refused])]);
        assert_eq!((&printed["plaintext_auth"], &printed["auth_failures"]), (&false.into(), &1.into()));
    }

    /// The worst first, those of one severity by time; of the rest the document says how many.
    #[test]
    fn patterns_beyond_what_is_shown_are_counted() {
        let refused = |second| AuthAttempt { timestamp: at(second), ..attempt("EXTERNAL", AuthOutcome::Failure) };
        let mut attempts: Vec<AuthAttempt> = (0..=100).rev().map(refused).collect();
        attempts.push(attempt("PLAIN", AuthOutcome::Success));
        let report = report(vec![with_attempts(attempts)]);
        let assessment = Assessment::of(&report, &FindingOptions::default());
        assert_eq!(assessment.patterns_omitted(), 2);
        let printed = serde_json::to_value(insights(&report, &assessment)).expect("JSON");
        let shown = printed["suspicious_patterns"].as_array().expect("an array");
        assert_eq!((shown.len(), &shown[0]["severity"]), (PATTERNS_SHOWN, &serde_json::json!("high")));
        let times: Vec<f64> =
            shown[1..].iter().map(|pattern| pattern["evidence"][0]["timestamp"].as_f64().expect("a time")).collect();
        assert!(times.is_sorted() && times.first() == Some(&0.0), "{times:?}");
    }

    /// The ancestor's names.
    #[test]
    fn a_pattern_has_the_fields_of_the_contract() {
        let printed = printed(vec![session(), session_of(vec![transaction("b@mailinator.com", Outcome::Accepted)])]);
        let pattern = &printed["suspicious_patterns"][0];
        assert_eq!(pattern["type"], "suspicious_sender_domain");
        assert_eq!(pattern["session"], "192.0.2.1:40000-198.51.100.25:25#2");
        assert_eq!((&pattern["mail_from"], &pattern["domain"]), (&"b@mailinator.com".into(), &"mailinator.com".into()));
        assert_eq!((&pattern["transaction"], &pattern["recipient_count"]), (&0.into(), &0.into()));
        assert_eq!((&pattern["client_ip"], &pattern["server_ip"]), (&"192.0.2.1".into(), &"198.51.100.25".into()));
    }
}
