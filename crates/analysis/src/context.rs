//! The command `context`: what a language model needs to talk about a recording, within a bound.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;

use serde::Serialize;
use smol_str::SmolStr;

use crate::insights::Assessment;
use crate::insights::finding::Finding;
use crate::insights::security::{self, SecurityInsights};
use crate::model::{Outcome, Session};
use crate::output::codes::Code;
use crate::output::time::Time;
use crate::output::untrusted;
use crate::report::{Mail, Report, Summary};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// 1: what became of each mail; 2: and its commands and replies; 3: and the sessions.
    pub detail_level: u8,
    /// Transactions, and sessions.
    pub max_conversations: usize,
    /// Octets of the document. What does not depend on the recording's size, less than [`LEAST_BYTES`], is always there.
    pub max_bytes: u64,
}

impl Options {
    /// Nothing is left out.
    pub const EVERYTHING: Self = Self { detail_level: 3, max_conversations: usize::MAX, max_bytes: u64::MAX };
}

impl Default for Options {
    fn default() -> Self {
        Self { detail_level: 2, max_conversations: 10, max_bytes: 32 << 10 }
    }
}

/// What [`Options::max_bytes`] has to be at least.
pub const LEAST_BYTES: u64 = 4096;

/// The fields, wherever they stand, whose texts are from the wire: whoever sent the mail wrote them, and nothing in them is to be
/// obeyed. Descriptions quote such texts.
const UNTRUSTED: [&str; 16] = [
    "mail_from",
    "rcpt_to",
    "command",
    "parameter",
    "message",
    "description",
    "excerpt",
    "helo",
    "greeting",
    "extensions",
    "auth",
    "tls",
    "proxied",
    "domain",
    "detail",
    "claimed_client",
];

/// Writes the document, indented, with a line end. `assessment` is that of the same report.
///
/// What does not fit into [`Options::max_bytes`] is left out by whole items, and counted: the findings come first, the worst of them,
/// which have at most half of the room; then transactions, sessions and the ancestor's patterns.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, assessment: &Assessment, options: &Options, mut out: impl io::Write) -> io::Result<()> {
    let Options { detail_level, max_conversations, max_bytes } = *options;
    let security = security::insights(report, assessment);
    let all_patterns = security.suspicious_patterns.len() + assessment.patterns_omitted();
    let mut document = Document {
        summary: &report.summary,
        protocol: "SMTP",
        interrupted: report.capture.interrupted.then_some(true),
        untrusted_fields: UNTRUSTED,
        findings: Vec::new(),
        transactions: Vec::new(),
        sessions: (detail_level >= 3).then(Vec::new),
        // With the longest numbers there can be.
        omitted: Omitted {
            transactions: report.summary.total_transactions,
            sessions: report.sessions.len(),
            patterns: all_patterns,
            findings: assessment.findings.len(),
        },
        security_insights: SecurityInsights { suspicious_patterns: Vec::new(), ..security },
    };
    let mut room = usize::try_from(max_bytes).unwrap_or(usize::MAX).saturating_sub(size(&document)?);
    let mut of_findings = room / 2;
    room -= of_findings;
    document.findings = fitting(assessment.findings.iter(), &mut of_findings)?;
    room += of_findings;
    let conversations = select(report, assessment).take(max_conversations);
    document.transactions = fitting(conversations.map(|mail| Conversation::new(mail, detail_level)), &mut room)?;
    if let Some(sessions) = &mut document.sessions {
        *sessions = fitting(busiest(report).take(max_conversations), &mut room)?;
    }
    document.security_insights.suspicious_patterns = fitting(security.suspicious_patterns.into_iter(), &mut room)?;
    let omitted = &mut document.omitted;
    omitted.transactions -= document.transactions.len();
    omitted.sessions -= document.sessions.as_ref().map_or(0, Vec::len);
    omitted.patterns -= document.security_insights.suspicious_patterns.len();
    omitted.findings -= document.findings.len();
    untrusted::write(&mut out, &document)?;
    out.write_all(b"\n")
}

/// Those items that fit into the room, which becomes smaller. One that is too large is left out; others may still fit.
fn fitting<T: Serialize>(items: impl Iterator<Item = T>, room: &mut usize) -> io::Result<Vec<T>> {
    let mut taken = Vec::new();
    for item in items {
        // The brackets of an array that is not empty stand on lines of their own.
        let needed = size(&item)? + if taken.is_empty() { INDENT.len() } else { 0 };
        if let Some(left) = room.checked_sub(needed) {
            *room = left;
            taken.push(item);
        }
        if *room < LEAST_ITEM {
            break;
        }
    }
    Ok(taken)
}

/// Octets of an item with the comma behind it, each line of it indented as deep as items are at most.
fn size<T: Serialize>(item: &T) -> io::Result<usize> {
    let mut text = Vec::new();
    untrusted::write(&mut text, item)?;
    let lines = 1 + memchr::memchr_iter(b'\n', &text).count();
    Ok(text.len() + lines * INDENT.len() + ",\n".len())
}

/// How deep the items of the deepest array are indented: those of `security_insights.suspicious_patterns`.
const INDENT: &str = "      ";
/// No item is smaller.
const LEAST_ITEM: usize = 100;

#[derive(Serialize)]
struct Document<'a> {
    summary: &'a Summary,
    protocol: &'static str,
    /// Reading was ended before the inputs were.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    /// See [`UNTRUSTED`].
    untrusted_fields: [&'static str; UNTRUSTED.len()],
    transactions: Vec<Conversation<'a>>,
    security_insights: SecurityInsights<'a>,
    findings: Vec<&'a Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Vec<SessionView<'a>>>,
    omitted: Omitted,
}

/// What was left out.
#[derive(Serialize)]
struct Omitted {
    transactions: usize,
    sessions: usize,
    patterns: usize,
    findings: usize,
}

#[derive(Serialize)]
struct SessionView<'a> {
    session: &'a str,
    #[serde(flatten)]
    fields: &'a Session,
}

#[derive(Serialize)]
struct Conversation<'a> {
    /// The session's key and the number within it, as findings name transactions.
    id: String,
    timestamp: Time,
    session: &'a str,
    mail_from: &'a Option<SmolStr>,
    rcpt_to: Vec<&'a str>,
    completed: bool,
    outcome: Outcome,
    query: Query<'a>,
    response: Codes,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_sequence: Option<Vec<Step<'a>>>,
}

#[derive(Serialize)]
struct Query<'a> {
    mail_from: &'a Option<SmolStr>,
    rcpt_to: Vec<&'a str>,
    has_data: bool,
}

#[derive(Serialize)]
struct Codes {
    codes: Vec<Code>,
    successful: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Step<'a> {
    Command { timestamp: Time, command: &'a str, parameter: &'a Option<SmolStr> },
    Response { timestamp: Time, code: Code, message: &'a str },
}

impl<'a> Conversation<'a> {
    fn new(mail: Mail<'a>, detail_level: u8) -> Self {
        let Mail { key, transaction, .. } = mail;
        let rcpt_to: Vec<&str> = transaction.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        let completed = transaction.outcome == Outcome::Accepted;
        Self {
            id: format!("{key}/{}", mail.index),
            timestamp: transaction.timestamp,
            session: key,
            mail_from: &transaction.mail_from,
            rcpt_to: rcpt_to.clone(),
            completed,
            outcome: transaction.outcome,
            query: Query { mail_from: &transaction.mail_from, rcpt_to, has_data: transaction.has_data },
            response: Codes {
                codes: transaction.answers(mail.session).map(|response| response.code).collect(),
                successful: completed,
            },
            command_sequence: (detail_level >= 2).then(|| sequence(mail)),
        }
    }
}

/// Commands and replies in stream order: each command before its replies, pipelined commands before all of theirs.
fn sequence(mail: Mail<'_>) -> Vec<Step<'_>> {
    let range = mail.transaction.commands.clone();
    let mut steps: Vec<(Time, usize, Step<'_>)> = Vec::new();
    let commands = mail.session.commands.get(range.clone()).unwrap_or_default();
    for (index, command) in range.zip(commands) {
        let step =
            Step::Command { timestamp: command.timestamp, command: &command.command, parameter: &command.parameter };
        steps.push((command.timestamp, 2 * index, step));
    }
    for response in mail.transaction.answers(mail.session) {
        if let Some(index) = response.command {
            let step =
                Step::Response { timestamp: response.timestamp, code: response.code, message: &response.parameter };
            steps.push((response.timestamp, 2 * index + 1, step));
        }
    }
    steps.sort_by_key(|&(timestamp, index, _)| (timestamp, index));
    steps.into_iter().map(|(_, _, step)| step).collect()
}

/// All transactions, the most interesting first: by what was found in them, refused ones, those of many recipients, those of which few
/// ended as they did; then by time.
fn select<'a>(report: &'a Report, assessment: &Assessment) -> impl Iterator<Item = Mail<'a>> {
    let mut mails = report.transactions();
    let end = |mail: &Mail<'_>| {
        let reply = mail.transaction.final_response.as_ref();
        (mail.transaction.outcome, reply.map(|reply| (reply.code, reply.enhanced_code)))
    };
    let mut ends: HashMap<_, usize> = HashMap::new();
    mails.iter().for_each(|mail| *ends.entry(end(mail)).or_default() += 1);
    let interest = |mail: &Mail<'_>| {
        let refused = mail.transaction.outcome == Outcome::Rejected
            || mail.transaction.recipients.iter().any(|recipient| recipient.code.is_some_and(|code| code.class() >= 4));
        let recipients = mail.transaction.recipients.len();
        let many = if recipients > 1 { recipients } else { 0 };
        (Reverse((assessment.concern(mail), refused, many)), ends.get(&end(mail)).copied())
    };
    // The sort is stable: what is equally interesting stays in order of time.
    mails.sort_by_cached_key(interest);
    mails.into_iter()
}

/// The sessions, those with the most transactions first, each with its key.
fn busiest(report: &Report) -> impl Iterator<Item = SessionView<'_>> {
    let mut sessions: Vec<SessionView<'_>> =
        report.sessions.iter().map(|(key, fields)| SessionView { session: key, fields }).collect();
    sessions.sort_by_key(|view| Reverse(view.fields.transaction_count));
    sessions.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Role;
    use crate::model::{RecipientOutcome, Transaction};
    use crate::samples::{answer, at, opened, recipient, report, response, session, session_of, talk, transaction};

    fn document(report: &Report, level: u8, most: usize) -> serde_json::Value {
        let mut out = Vec::new();
        let assessment = Assessment::of(report, &crate::insights::FindingOptions::default());
        let options = Options { detail_level: level, max_conversations: most, ..Options::default() };
        write(report, &assessment, &options, &mut out).expect("a vector takes everything");
        serde_json::from_slice(&out).expect("JSON")
    }

    fn mail(sender: &str, second: i64, outcome: Outcome) -> Transaction {
        Transaction { timestamp: at(second), ..transaction(sender, outcome) }
    }

    fn senders(document: &serde_json::Value) -> Vec<&str> {
        let mails = document["transactions"].as_array().expect("an array");
        mails.iter().map(|mail| mail["mail_from"].as_str().expect("a sender")).collect()
    }

    /// The contract: "the most interesting first: … refusals, …, then the rest by time", and what was left out.
    #[test]
    fn refusals_come_before_the_rest_and_the_rest_is_counted() {
        let mails = vec![
            mail("1@a", 1, Outcome::Accepted),
            mail("2@a", 2, Outcome::Accepted),
            mail("3@a", 3, Outcome::Rejected),
        ];
        let document = document(&report(vec![session_of(mails)]), 1, 2);
        assert_eq!(senders(&document), ["3@a", "1@a"]);
        assert_eq!(document["omitted"]["transactions"], 1);
    }

    #[test]
    fn each_level_adds_to_the_one_before() {
        let report = report(vec![session_of(vec![mail("1@a", 1, Outcome::Accepted)])]);
        let has = |level| {
            let document = document(&report, level, 10);
            (document["transactions"][0].get("command_sequence").is_some(), document.get("sessions").is_some())
        };
        assert_eq!([1, 2, 3].map(has), [(false, false), (true, false), (true, true)]);
    }

    /// The contract: "in stream order"; pipelined commands (RFC 2920) were all sent before the first reply.
    #[test]
    fn a_sequence_is_in_stream_order() {
        let session = talk(&opened(&[
            (Role::Client, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n"),
            (Role::Server, "250 ok\r\n"),
            (Role::Server, "550 no\r\n"),
        ]));
        let document = document(&report(vec![session]), 2, 10);
        let steps = document["transactions"][0]["command_sequence"].as_array().expect("a sequence");
        let story: Vec<_> =
            steps.iter().filter_map(|step| step.get("command").or(step.get("code"))?.as_str()).collect();
        assert_eq!(story, ["MAIL", "RCPT", "250", "550"]);
    }

    /// The contract: "findings, refusals, many recipients, then the rest by time".
    #[test]
    fn findings_come_before_refusals_and_many_recipients_before_the_rest() {
        let to_many = Transaction {
            recipients: vec![recipient("b@b", RecipientOutcome::Accepted); 2],
            ..mail("many@a", 3, Outcome::Accepted)
        };
        let mails = vec![
            mail("1@a", 1, Outcome::Accepted),
            mail("2@a", 2, Outcome::Accepted),
            to_many,
            mail("refused@a", 4, Outcome::Rejected),
            mail("found@mailinator.com", 5, Outcome::Accepted),
        ];
        let document = document(&report(vec![session_of(mails)]), 1, 10);
        assert_eq!(senders(&document), ["found@mailinator.com", "refused@a", "many@a", "1@a", "2@a"]);
    }

    /// A reply that nobody asked for stands among those of the mail, and is none of them.
    #[test]
    fn the_codes_are_those_of_the_mails_own_replies() {
        let own = Transaction { commands: 1..2, responses: 1..3, ..mail("1@a", 1, Outcome::Rejected) };
        let responses = vec![answer("250 mx", 0, 0), response("451 unasked"), answer("550 no", 1, 1)];
        let document = document(&report(vec![Session { responses, ..session_of(vec![own]) }]), 1, 10);
        assert_eq!(document["transactions"][0]["response"], serde_json::json!({"codes": ["550"], "successful": false}));
    }

    fn octets(report: &Report, options: &Options) -> Vec<u8> {
        let mut out = Vec::new();
        let assessment = Assessment::of(report, &crate::insights::FindingOptions::default());
        write(report, &assessment, options, &mut out).expect("a vector takes everything");
        out
    }

    /// Whatever does not fit is left out whole, and what is left out is counted.
    #[test]
    fn the_document_has_no_more_octets_than_asked_for_and_counts_the_rest() {
        let sessions = (0..40).map(|number| {
            let mails = (0..3).map(|mail| {
                let domain = ["example.org", "mailinator.com"][usize::from(number % 2 == 0)];
                self::mail(&format!("{}@{domain}", "long".repeat(mail)), number, Outcome::Rejected)
            });
            session_of(mails.collect())
        });
        let report = report(sessions.collect());
        let mut before = 0;
        for max_bytes in (LEAST_BYTES..120_000).step_by(997) {
            let options = Options { detail_level: 3, max_conversations: 1_000, max_bytes };
            let out = octets(&report, &options);
            assert!(out.len() as u64 <= max_bytes, "{} for {max_bytes}", out.len());
            let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            let shown = |pointer: &str| document.pointer(pointer).and_then(|v| v.as_array()).expect("an array").len();
            let omitted =
                |name: &str| usize::try_from(document["omitted"][name].as_u64().expect("a number")).expect("few");
            assert_eq!(shown("/transactions") + omitted("transactions"), 120);
            assert_eq!(shown("/sessions") + omitted("sessions"), 40);
            assert_eq!(shown("/security_insights/suspicious_patterns") + omitted("patterns"), 60);
            assert!(shown("/transactions") >= before, "more room shows no fewer");
            before = shown("/transactions");
        }
        assert!(before > 100, "{before}");
    }

    /// Findings are ranked above mails, and cannot push all of them out.
    #[test]
    fn there_is_room_for_mails_beside_findings() {
        let mails = (0..200).map(|n| mail(&format!("{n}@mailinator.com"), n, Outcome::Accepted)).collect();
        let document = document(&report(vec![session_of(mails)]), 2, 10);
        assert!(!document["findings"].as_array().expect("findings").is_empty());
        assert_eq!(document["transactions"].as_array().map(Vec::len), Some(10));
    }

    /// "then rarity": of mails that are otherwise alike, those come first of which few ended as they did.
    #[test]
    fn what_ended_as_few_did_comes_before_the_rest() {
        let mails = vec![
            mail("1@a", 1, Outcome::Accepted),
            mail("2@a", 2, Outcome::Accepted),
            mail("3@a", 3, Outcome::Aborted),
        ];
        assert_eq!(senders(&document(&report(vec![session_of(mails)]), 1, 3)), ["3@a", "1@a", "2@a"]);
    }

    /// An agent can ask for more by the same name that findings use.
    #[test]
    fn a_transaction_is_named_as_findings_name_it() {
        let report = report(vec![session_of(vec![mail("1@mailinator.com", 1, Outcome::Accepted)])]);
        let document = document(&report, 1, 10);
        assert_eq!(document["transactions"][0]["id"], document["findings"][0]["transactions"][0]);
    }

    /// Every text that a peer wrote stands somewhere below a field that is named as untrusted. "wire" is in all that the peers
    /// write here, and in nothing else.
    #[test]
    fn every_text_from_the_wire_stands_in_a_field_named_untrusted() {
        fn look(value: &serde_json::Value, is_named: bool, found: &mut usize) {
            match value {
                serde_json::Value::String(text) if text.to_lowercase().contains("wire") => {
                    assert!(is_named, "{text}");
                    *found += 1;
                }
                serde_json::Value::Array(items) => items.iter().for_each(|item| look(item, is_named, found)),
                serde_json::Value::Object(fields) => {
                    for (name, value) in fields {
                        assert!(is_named || !name.to_lowercase().contains("wire"), "{name}");
                        look(value, is_named || UNTRUSTED.contains(&name.as_str()), found);
                    }
                }
                _ => {}
            }
        }
        let session = talk(&[
            (Role::Server, "220 wire.example ESMTP\r\n"),
            (Role::Client, "EHLO wire.example\r\n"),
            (Role::Server, "250-wire.example\r\n250-WIRE wire\r\n250 AUTH WIRE\r\n"),
            (Role::Client, "XCLIENT NAME=wire.example HELO=wire\r\n"),
            (Role::Server, "220 wire.example again\r\n"),
            (Role::Client, "EHLO wire.example\r\n"),
            (Role::Server, "250-wire.example\r\n250 AUTH WIRE PLAIN\r\n"),
            (Role::Client, "AUTH WIRE\r\n"),
            (Role::Server, "504 wire\r\n"),
            // RFC 4616 §2: for "wirea", as "wireb", with "pass".
            (Role::Client, "AUTH PLAIN d2lyZWEAd2lyZWIAcGFzcw==\r\n"),
            (Role::Server, "535 wire\r\n"),
            (Role::Client, "WIRE wire\r\n"),
            (Role::Server, "500 wire\r\n"),
            (Role::Client, "MAIL FROM:<wire@mailinator.com> WIRE=wire\r\n"),
            (Role::Server, "250 wire\r\n"),
            (Role::Client, "RCPT TO:<wire@example.net> WIRE=wire\r\n"),
            (Role::Server, "550 wire\r\n"),
        ]);
        let mut found = 0;
        look(&document(&report(vec![session]), 3, 10), false, &mut found);
        assert!(found > 30, "{found}");
    }

    #[test]
    fn texts_from_the_wire_are_escaped_and_cut() {
        let sender = format!("\u{202e}{}@a", "x".repeat(600));
        let document = document(&report(vec![session_of(vec![mail(&sender, 1, Outcome::Accepted)])]), 1, 10);
        let shown = document["transactions"][0]["mail_from"].as_str().expect("a sender");
        assert!(shown.starts_with(r"\u{202e}x") && shown.ends_with('…') && shown.chars().count() < 530, "{shown}");
    }

    #[test]
    fn sessions_that_are_not_shown_are_counted() {
        let report = report(vec![session(), session_of(vec![mail("1@a", 1, Outcome::Accepted)])]);
        let omitted = |level| document(&report, level, 1)["omitted"]["sessions"].clone();
        assert_eq!([omitted(1), omitted(3)], [2, 1]);
        let busiest = "192.0.2.1:40000-198.51.100.25:25#2";
        assert_eq!(document(&report, 3, 1)["sessions"][0]["session"], busiest, "the one with mail");
    }
}
