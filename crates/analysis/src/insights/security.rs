//! What should worry somebody: failed logins, logins in clear, mail without TLS, mass mail, throw-away senders.

use std::collections::HashSet;

use serde::{Serialize, Serializer};

use super::domains::{domain_of, is_within};
use crate::model::{Response, Session};
use crate::output::time::Time;
use crate::report::{Mail, Report};
use crate::session::auth::{AuthAttempt, AuthOutcome};

/// The ancestor's insights.
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
    /// The transactions among them.
    #[serde(skip)]
    concerned: HashSet<(&'a str, usize)>,
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
    pub description: String,
    /// The commands and replies that show it.
    pub evidence: Vec<Evidence>,
    /// The session's key.
    pub session: &'a str,
    /// Number of the transaction within its session, from 0, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<usize>,
    /// The client.
    pub client_ip: std::net::IpAddr,
    /// The server.
    pub server_ip: std::net::IpAddr,
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

/// What points to the octets that show something.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// When.
    pub timestamp: Time,
    /// Number of the packet in the recording; not known yet.
    pub packet: Option<u64>,
    /// Offset in the stream of that side; not known yet.
    pub offset: Option<u64>,
    /// Who said it.
    pub direction: crate::anomaly::Role,
    /// What was said, escaped, at most 64 octets.
    pub excerpt: String,
}

/// The kinds of pattern; a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A password, or what it can be computed from, crossed the wire without TLS (RFC 4954 §4 and §9).
    PlaintextAuth,
    /// The server refused credentials.
    AuthFailure,
    /// One mail to very many recipients.
    HighRecipientCount,
    /// The sender's domain gives out throw-away addresses.
    SuspiciousSenderDomain,
}

/// How bad something is, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Low,
    /// Should be changed.
    Medium,
    /// Somebody can be harmed.
    High,
    /// Somebody is being harmed.
    Critical,
}

/// Patterns of one kind, with the first of them as evidence.
#[derive(Debug, Serialize)]
pub struct Finding {
    id: String,
    kind: Kind,
    severity: Severity,
    confidence: f64,
    title: &'static str,
    description: String,
    count: usize,
    first_seen: Option<Time>,
    last_seen: Option<Time>,
    sessions: Vec<String>,
    transactions: Vec<String>,
    evidence: Vec<Evidence>,
    weakened_by: Vec<&'static str>,
    references: Vec<&'static str>,
}

/// How many patterns a document shows.
pub const PATTERNS_SHOWN: usize = 100;
/// Sessions, transactions and pieces of evidence a finding names.
const EXAMPLES: usize = 10;
/// More recipients than this are unusual for one mail: RFC 5321 §4.5.3.1.8 makes servers take 100.
const RECIPIENTS: u64 = 100;
/// Domains that give out throw-away addresses, as examples; compared by whole labels.
const THROW_AWAY_DOMAINS: [&str; 8] = [
    "10minutemail.com",
    "discard.email",
    "guerrillamail.com",
    "mailinator.com",
    "sharklasers.com",
    "temp-mail.org",
    "trashmail.com",
    "yopmail.com",
];

/// Looks at every session.
pub fn analyse(report: &Report) -> SecurityInsights<'_> {
    let mut patterns = Vec::new();
    let (mut auth_failures, mut missing_tls) = (0, 0);
    for (key, session) in &report.sessions {
        missing_tls += usize::from(!session.uses_tls && !session.transactions.is_empty());
        for attempt in &session.auth {
            auth_failures += usize::from(attempt.outcome == AuthOutcome::Failure);
            patterns.extend(of_attempt(key, session, attempt));
        }
        for index in 0..session.transactions.len() {
            patterns.extend(of_transaction(key, session, index));
        }
    }
    let plaintext_auth = patterns.iter().any(|pattern| pattern.kind == Kind::PlaintextAuth);
    let begins = |pattern: &Pattern<'_>| pattern.evidence.first().map(|evidence| evidence.timestamp);
    patterns.sort_by_key(|pattern| (std::cmp::Reverse(pattern.severity), begins(pattern)));
    let concerned = patterns.iter().filter_map(|pattern| Some((pattern.session, pattern.transaction?))).collect();
    SecurityInsights { auth_failures, plaintext_auth, missing_tls, suspicious_patterns: patterns, concerned }
}

impl SecurityInsights<'_> {
    /// Whether something was seen in this very transaction.
    pub fn concerns(&self, mail: &Mail<'_>) -> bool {
        self.concerned.contains(&(mail.key, mail.index))
    }

    /// Patterns that are not printed.
    pub fn omitted(&self) -> usize {
        self.suspicious_patterns.len().saturating_sub(PATTERNS_SHOWN)
    }

    /// The patterns, grouped by kind.
    pub fn findings(&self) -> Vec<Finding> {
        let mut kinds: Vec<Kind> = self.suspicious_patterns.iter().map(|pattern| pattern.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds.into_iter().map(|kind| self.finding(kind)).collect()
    }

    fn finding(&self, kind: Kind) -> Finding {
        let of_kind: Vec<&Pattern<'_>> =
            self.suspicious_patterns.iter().filter(|pattern| pattern.kind == kind).collect();
        let times = || of_kind.iter().flat_map(|pattern| pattern.evidence.iter().map(|evidence| evidence.timestamp));
        let mut named = HashSet::new();
        let sessions = of_kind.iter().map(|pattern| pattern.session).filter(|&session| named.insert(session));
        let transactions =
            of_kind.iter().filter_map(|pattern| Some(format!("{}/{}", pattern.session, pattern.transaction?)));
        Finding {
            id: kind.title().1.to_owned(),
            kind,
            severity: of_kind.iter().map(|pattern| pattern.severity).max().unwrap_or(Severity::Info),
            confidence: 1.0,
            title: kind.title().0,
            description: of_kind.first().map(|pattern| pattern.description.clone()).unwrap_or_default(),
            count: of_kind.len(),
            first_seen: times().min(),
            last_seen: times().max(),
            transactions: transactions.take(EXAMPLES).collect(),
            sessions: sessions.take(EXAMPLES).map(str::to_owned).collect(),
            evidence: of_kind.iter().flat_map(|pattern| pattern.evidence.iter().cloned()).take(EXAMPLES).collect(),
            weakened_by: Vec::new(),
            references: kind.references(),
        }
    }
}

fn first_patterns<S: Serializer>(patterns: &[Pattern<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(patterns.iter().take(PATTERNS_SHOWN))
}

impl Kind {
    /// For people, and for programs.
    fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::PlaintextAuth => ("credentials sent without TLS", "plaintext_auth"),
            Self::AuthFailure => ("credentials refused", "auth_failure"),
            Self::HighRecipientCount => ("mail to very many recipients", "high_recipient_count"),
            Self::SuspiciousSenderDomain => ("sender with a throw-away domain", "suspicious_sender_domain"),
        }
    }

    fn references(self) -> Vec<&'static str> {
        match self {
            Self::PlaintextAuth => vec!["RFC 4954 section 9", "RFC 8314 section 3.3"],
            Self::AuthFailure => vec!["RFC 4954 section 6"],
            Self::HighRecipientCount => vec!["RFC 5321 section 4.5.3.1.8"],
            Self::SuspiciousSenderDomain => vec![],
        }
    }
}

fn of_attempt<'a>(key: &'a str, session: &'a Session, attempt: &AuthAttempt) -> Vec<Pattern<'a>> {
    let evidence = Evidence {
        timestamp: attempt.timestamp,
        packet: None,
        offset: None,
        direction: crate::anomaly::Role::Client,
        excerpt: crate::output::excerpt(format!("AUTH {}", attempt.mechanism).as_bytes()),
    };
    let who = attempt.username.as_deref().map_or_else(String::new, |name| format!(" by {}", name.escape_debug()));
    let base = |kind, severity, description| Pattern {
        kind,
        severity,
        description,
        evidence: vec![evidence.clone()],
        session: key,
        transaction: None,
        client_ip: session.client_ip,
        server_ip: session.server_ip,
        mail_from: None,
        recipient_count: None,
        domain: None,
    };
    // AUTH that an observer can read was not protected, whatever happened later in the session.
    let severity = match attempt.mechanism.as_str() {
        "PLAIN" | "LOGIN" | "XOAUTH2" | "OAUTHBEARER" => Severity::High,
        "EXTERNAL" | "ANONYMOUS" => Severity::Info,
        _ => Severity::Medium,
    };
    let mut patterns = Vec::new();
    if attempt.credentials_sent && severity > Severity::Info {
        let description = format!("AUTH {}{who} over a connection without TLS", attempt.mechanism.escape_debug());
        patterns.push(base(Kind::PlaintextAuth, severity, description));
    }
    if attempt.outcome == AuthOutcome::Failure {
        let code = attempt.code.map_or_else(|| "no reply".to_owned(), |code| code.to_string());
        let description = format!("AUTH {}{who} refused with {code}", attempt.mechanism.escape_debug());
        patterns.push(base(Kind::AuthFailure, Severity::Low, description));
    }
    patterns
}

fn of_transaction<'a>(key: &'a str, session: &'a Session, index: usize) -> Vec<Pattern<'a>> {
    let Some(transaction) = session.transactions.get(index) else { return Vec::new() };
    let mail_from = transaction.mail_from.as_deref();
    let count = transaction.recipients.len() as u64 + transaction.further_recipients;
    let reply = transaction.final_response.as_ref().map(|Response { timestamp, code, parameter, .. }| Evidence {
        timestamp: *timestamp,
        packet: None,
        offset: None,
        direction: crate::anomaly::Role::Server,
        excerpt: crate::output::excerpt(format!("{code} {parameter}").as_bytes()),
    });
    let mail = Evidence {
        timestamp: transaction.timestamp,
        packet: None,
        offset: None,
        direction: crate::anomaly::Role::Client,
        excerpt: crate::output::excerpt(format!("MAIL FROM:<{}>", mail_from.unwrap_or("")).as_bytes()),
    };
    let base = |kind, severity, description, domain| Pattern {
        kind,
        severity,
        description,
        evidence: std::iter::once(mail.clone()).chain(reply.clone()).collect(),
        session: key,
        transaction: Some(index),
        client_ip: session.client_ip,
        server_ip: session.server_ip,
        mail_from,
        recipient_count: Some(count),
        domain,
    };
    let mut patterns = Vec::new();
    if count > RECIPIENTS {
        let description = format!("mail to {count} recipients, more than {RECIPIENTS}");
        patterns.push(base(Kind::HighRecipientCount, Severity::Low, description, None));
    }
    if let Some(domain) = mail_from.and_then(domain_of)
        && THROW_AWAY_DOMAINS.iter().any(|throw_away| is_within(&domain, throw_away))
    {
        let description = format!("sender domain {} gives out throw-away addresses", domain.escape_debug());
        patterns.push(base(Kind::SuspiciousSenderDomain, Severity::Medium, description, Some(domain)));
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, RecipientOutcome, Transaction};
    use crate::samples::{attempt, code, recipient, report, response, session, session_of, transaction};

    fn kinds(report: &Report) -> Vec<(Kind, Severity)> {
        analyse(report).suspicious_patterns.iter().map(|pattern| (pattern.kind, pattern.severity)).collect()
    }

    fn with_attempts(attempts: Vec<AuthAttempt>) -> Session {
        Session { auth_attempts: attempts.len(), auth: attempts, ..session() }
    }

    /// RFC 4954 §9: without a security layer a password in plain text is open to any observer; of a challenge and its
    /// response guesses can be tried. EXTERNAL and ANONYMOUS send none.
    #[test]
    fn the_more_of_a_password_crosses_the_wire_in_clear_the_worse() {
        for (mechanism, severity) in [
            ("PLAIN", Some(Severity::High)),
            ("LOGIN", Some(Severity::High)),
            ("CRAM-MD5", Some(Severity::Medium)),
            ("EXTERNAL", None),
            ("ANONYMOUS", None),
        ] {
            let report = report(vec![with_attempts(vec![attempt(mechanism, AuthOutcome::Success)])]);
            let wanted: Vec<_> = severity.map(|severity| (Kind::PlaintextAuth, severity)).into_iter().collect();
            assert_eq!(kinds(&report), wanted, "{mechanism}");
            assert_eq!(analyse(&report).plaintext_auth, severity.is_some(), "{mechanism}");
        }
    }

    /// An AUTH that the server refused at once, or that the client gave up, exposed nothing.
    #[test]
    fn without_a_response_nothing_was_exposed() {
        let refused = AuthAttempt { credentials_sent: false, ..attempt("PLAIN", AuthOutcome::Failure) };
        let report = report(vec![with_attempts(vec![refused])]);
        let insights = analyse(&report);
        assert_eq!((insights.plaintext_auth, insights.auth_failures), (false, 1));
    }

    /// The client of RFC 4954 §4 that cancels did not fail: nobody refused its credentials.
    #[test]
    fn an_auth_failure_is_one_the_server_refused() {
        let outcomes = [AuthOutcome::Success, AuthOutcome::Aborted, AuthOutcome::Unknown, AuthOutcome::Failure];
        let attempts = outcomes.map(|outcome| AuthAttempt { code: Some(code(535)), ..attempt("EXTERNAL", outcome) });
        let report = report(vec![with_attempts(attempts.into())]);
        assert_eq!(analyse(&report).auth_failures, 1);
        assert_eq!(kinds(&report), [(Kind::AuthFailure, Severity::Low)]);
    }

    #[test]
    fn tls_is_missing_where_mail_went_without_it() {
        let mail = || vec![transaction("a@a", Outcome::Accepted)];
        let encrypted = Session { uses_tls: true, ..session_of(mail()) };
        let report = report(vec![session_of(mail()), encrypted, session()]);
        assert_eq!(analyse(&report).missing_tls, 1, "the last has no mail");
    }

    /// RFC 5321 §4.5.3.1.8: "The minimum total number of recipients that MUST be buffered is 100 recipients."
    #[test]
    fn a_hundred_recipients_are_usual_and_those_that_are_not_kept_count() {
        let to = |kept: usize, further| Transaction {
            recipients: vec![recipient("b@b", RecipientOutcome::Accepted); kept],
            further_recipients: further,
            ..transaction("a@a", Outcome::Accepted)
        };
        assert_eq!(kinds(&report(vec![session_of(vec![to(100, 0)])])), []);
        for mail in [to(101, 0), to(60, 41)] {
            assert_eq!(kinds(&report(vec![session_of(vec![mail])])), [(Kind::HighRecipientCount, Severity::Low)]);
        }
    }

    #[test]
    fn a_throw_away_domain_is_one_by_whole_labels_in_any_case() {
        for (sender, suspicious) in [
            ("x@Mailinator.COM", true),
            ("x@sub.mailinator.com", true),
            ("x@notmailinator.com", false),
            ("mailinator.com@example.org", false),
            ("", false),
        ] {
            let report = report(vec![session_of(vec![transaction(sender, Outcome::Accepted)])]);
            assert_eq!(kinds(&report).len(), usize::from(suspicious), "{sender}");
        }
    }

    #[test]
    fn only_the_very_mail_is_concerned() {
        let report = report(vec![session_of(vec![
            transaction("a@example.org", Outcome::Accepted),
            transaction("b@mailinator.com", Outcome::Accepted),
        ])]);
        let insights = analyse(&report);
        let concerned: Vec<bool> = report.transactions().iter().map(|mail| insights.concerns(mail)).collect();
        assert_eq!(concerned, [false, true]);
    }

    /// The worst first; of the rest the document says how many.
    #[test]
    fn patterns_beyond_what_is_shown_are_counted() {
        let mut attempts = vec![attempt("EXTERNAL", AuthOutcome::Failure); PATTERNS_SHOWN + 1];
        attempts.push(attempt("PLAIN", AuthOutcome::Success));
        let report = report(vec![with_attempts(attempts)]);
        let insights = analyse(&report);
        assert_eq!(insights.omitted(), 2);
        let printed = serde_json::to_value(&insights).expect("JSON");
        let shown = printed["suspicious_patterns"].as_array().expect("an array");
        assert_eq!((shown.len(), &shown[0]["severity"]), (PATTERNS_SHOWN, &serde_json::json!("high")));
    }

    #[test]
    fn a_finding_gathers_one_kind_over_sessions_and_time() {
        let mail = Transaction {
            timestamp: crate::samples::at(5),
            final_response: Some(crate::samples::answer("550 no", 0, 7)),
            ..transaction("b@mailinator.com", Outcome::Rejected)
        };
        let first = transaction("b@mailinator.com", Outcome::Accepted);
        let report = report(vec![session_of(vec![first]), session_of(vec![mail])]);
        let findings = serde_json::to_value(analyse(&report).findings()).expect("JSON");
        assert_eq!(findings.as_array().expect("an array").len(), 1);
        let finding = &findings[0];
        assert_eq!(
            [&finding["kind"], &finding["count"], &finding["first_seen"], &finding["last_seen"]]
                .map(ToString::to_string),
            ["\"suspicious_sender_domain\"", "2", "0.0", "7.0"]
        );
        let key = "192.0.2.1:40000-198.51.100.25:25";
        assert_eq!(finding["sessions"], serde_json::json!([key, format!("{key}#2")]));
        assert_eq!(finding["evidence"][2]["excerpt"], "550 no", "the reply follows the mail");
    }

    /// Two attempts of one session are two patterns, but one session.
    #[test]
    fn a_finding_names_each_session_once() {
        let both =
            || with_attempts(vec![attempt("LOGIN", AuthOutcome::Success), attempt("CRAM-MD5", AuthOutcome::Success)]);
        let report = report(vec![both(), both()]);
        let findings = serde_json::to_value(analyse(&report).findings()).expect("JSON");
        let key = "192.0.2.1:40000-198.51.100.25:25";
        assert_eq!(findings[0]["count"], 4);
        assert_eq!(findings[0]["sessions"], serde_json::json!([key, format!("{key}#2")]));
    }

    #[test]
    fn patterns_of_one_severity_stand_in_order_of_time() {
        let refused =
            |second| AuthAttempt { timestamp: crate::samples::at(second), ..attempt("EXTERNAL", AuthOutcome::Failure) };
        let report = report(vec![with_attempts(vec![refused(1), refused(8)]), with_attempts(vec![refused(2)])]);
        let times: Vec<Time> =
            analyse(&report).suspicious_patterns.iter().map(|pattern| pattern.evidence[0].timestamp).collect();
        assert_eq!(times, [1, 2, 8].map(crate::samples::at));
    }

    /// A reply or an address is data: what it holds of controls or of terminal sequences is escaped.
    #[test]
    fn nothing_from_the_wire_is_printed_raw() {
        let mail = Transaction {
            final_response: Some(response("550 \u{1b}[2J")),
            ..transaction("a\r\n@mailinator.com", Outcome::Rejected)
        };
        let report = report(vec![session_of(vec![mail])]);
        let evidence = &analyse(&report).suspicious_patterns[0].evidence;
        assert!(evidence.iter().all(|evidence| !evidence.excerpt.contains(char::is_control)), "{evidence:?}");
    }
}
