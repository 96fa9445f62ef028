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
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.severity));
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
        let mut sessions: Vec<String> = of_kind.iter().map(|pattern| pattern.session.to_owned()).collect();
        sessions.dedup();
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
            sessions: sessions.into_iter().take(EXAMPLES).collect(),
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
