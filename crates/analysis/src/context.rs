//! The command `context`: what a language model needs to talk about a recording, within a bound.

use std::cmp::Reverse;
use std::io;

use serde::Serialize;

use crate::insights::security::{self, Finding, SecurityInsights};
use crate::model::{Outcome, Session};
use crate::output::codes::Code;
use crate::output::time::Time;
use crate::report::{Mail, Report, Summary};

/// Writes the document, indented, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, detail_level: u8, max_conversations: usize, mut out: impl io::Write) -> io::Result<()> {
    let security = security::analyse(report);
    let (transactions, omitted_transactions) = select(report, &security, max_conversations);
    let sessions = (detail_level >= 3).then(|| busiest(report, max_conversations));
    let shown_sessions = sessions.as_ref().map_or(0, Vec::len);
    let document = Document {
        summary: &report.summary,
        protocol: "SMTP",
        transactions: transactions.into_iter().map(|mail| Conversation::new(mail, detail_level)).collect(),
        sessions,
        omitted: Omitted {
            transactions: omitted_transactions,
            sessions: report.sessions.len() - shown_sessions,
            patterns: security.omitted(),
        },
        findings: security.findings(),
        security_insights: security,
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    summary: &'a Summary,
    protocol: &'static str,
    transactions: Vec<Conversation<'a>>,
    security_insights: SecurityInsights<'a>,
    findings: Vec<Finding>,
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
    mail_from: &'a Option<String>,
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
    mail_from: &'a Option<String>,
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
    Command { timestamp: Time, command: &'a str, parameter: &'a Option<String> },
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
            response: Codes { codes: mail.answers().map(|response| response.code).collect(), successful: completed },
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
    let responses = mail.session.responses.get(mail.transaction.responses.clone()).unwrap_or_default();
    for response in responses {
        if let Some(index) = response.command.filter(|index| mail.transaction.commands.contains(index)) {
            let step =
                Step::Response { timestamp: response.timestamp, code: response.code, message: &response.parameter };
            steps.push((response.timestamp, 2 * index + 1, step));
        }
    }
    steps.sort_by_key(|&(timestamp, index, _)| (timestamp, index));
    steps.into_iter().map(|(_, _, step)| step).collect()
}

/// The most interesting transactions, then the rest by time; and how many are left out.
fn select<'a>(report: &'a Report, security: &SecurityInsights<'_>, most: usize) -> (Vec<Mail<'a>>, usize) {
    let mut mails = report.transactions();
    let interest = |mail: &Mail<'_>| {
        let refused = mail.transaction.outcome == Outcome::Rejected
            || mail.transaction.recipients.iter().any(|recipient| recipient.code.is_some_and(|code| code.class() >= 4));
        let recipients = mail.transaction.recipients.len();
        (security.concerns(mail), refused, if recipients > 1 { recipients } else { 0 })
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
