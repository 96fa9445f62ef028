//! The command `context`: what a language model needs to talk about a recording, within a bound.

use std::cmp::Reverse;
use std::io;

use serde::Serialize;
use smol_str::SmolStr;

use crate::insights::Assessment;
use crate::insights::finding::Finding;
use crate::insights::security::{self, SecurityInsights};
use crate::model::{Outcome, Session};
use crate::output::codes::Code;
use crate::output::time::Time;
use crate::report::{Mail, Report, Summary};

/// Findings that are shown, the worst ones.
const FINDINGS: usize = 50;

/// Writes the document, indented, with a line end. `assessment` is that of the same report.
///
/// # Errors
/// Those of the writer.
pub fn write(
    report: &Report,
    assessment: &Assessment,
    detail_level: u8,
    max_conversations: usize,
    mut out: impl io::Write,
) -> io::Result<()> {
    let (transactions, omitted_transactions) = select(report, assessment, max_conversations);
    let findings = assessment.findings.get(..FINDINGS).unwrap_or(&assessment.findings);
    let sessions = (detail_level >= 3).then(|| busiest(report, max_conversations));
    let shown_sessions = sessions.as_ref().map_or(0, Vec::len);
    let document = Document {
        summary: &report.summary,
        protocol: "SMTP",
        interrupted: report.capture.interrupted.then_some(true),
        transactions: transactions.into_iter().map(|mail| Conversation::new(mail, detail_level)).collect(),
        sessions,
        omitted: Omitted {
            transactions: omitted_transactions,
            sessions: report.sessions.len() - shown_sessions,
            patterns: assessment.patterns_omitted(),
            findings: assessment.findings.len() - findings.len(),
        },
        findings,
        security_insights: security::insights(report, assessment),
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    summary: &'a Summary,
    protocol: &'static str,
    /// Reading was ended before the inputs were.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    transactions: Vec<Conversation<'a>>,
    security_insights: SecurityInsights<'a>,
    findings: &'a [Finding],
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

/// The most interesting transactions, then the rest by time; and how many are left out.
fn select<'a>(report: &'a Report, assessment: &Assessment, most: usize) -> (Vec<Mail<'a>>, usize) {
    let mut mails = report.transactions();
    let interest = |mail: &Mail<'_>| {
        let refused = mail.transaction.outcome == Outcome::Rejected
            || mail.transaction.recipients.iter().any(|recipient| recipient.code.is_some_and(|code| code.class() >= 4));
        let recipients = mail.transaction.recipients.len();
        (assessment.concerns(mail), refused, if recipients > 1 { recipients } else { 0 })
    };
    // The sort is stable: what is equally interesting stays in order of time.
    mails.sort_by_cached_key(|mail| Reverse(interest(mail)));
    let omitted = mails.len().saturating_sub(most);
    mails.truncate(most);
    (mails, omitted)
}

/// The sessions with the most transactions, each with its key.
fn busiest(report: &Report, most: usize) -> Vec<SessionView<'_>> {
    let mut sessions: Vec<SessionView<'_>> =
        report.sessions.iter().map(|(key, fields)| SessionView { session: key, fields }).collect();
    sessions.sort_by_key(|view| Reverse(view.fields.transaction_count));
    sessions.truncate(most);
    sessions
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
        write(report, &assessment, level, most, &mut out).expect("a vector takes everything");
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

    #[test]
    fn sessions_that_are_not_shown_are_counted() {
        let report = report(vec![session(), session_of(vec![mail("1@a", 1, Outcome::Accepted)])]);
        let omitted = |level| document(&report, level, 1)["omitted"]["sessions"].clone();
        assert_eq!([omitted(1), omitted(3)], [2, 1]);
        let busiest = "192.0.2.1:40000-198.51.100.25:25#2";
        assert_eq!(document(&report, 3, 1)["sessions"][0]["session"], busiest, "the one with mail");
    }
}
