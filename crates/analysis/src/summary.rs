//! The command `summary`: one screen for a person.

use std::io;

use crate::insights::Tally;
use crate::model::{End, RecipientOutcome, Session, StartTls};
use crate::output::time::Time;
use crate::report::{CaptureFile, Report};
use crate::session::auth::AuthOutcome;

/// Writes the summary.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, mut out: impl io::Write) -> io::Result<()> {
    let screen = Screen { report };
    for block in [screen.capture(), screen.mails(), screen.refusals(), screen.security(), screen.sessions()] {
        if !block.is_empty() {
            writeln!(out, "{}\n", block.join("\n"))?;
        }
    }
    Ok(())
}

struct Screen<'a> {
    report: &'a Report,
}

/// Places of damage that are listed.
const DAMAGES: usize = 10;
/// Lines of a list.
const TOP: usize = 5;
/// Sessions that are listed.
const SESSIONS: usize = 20;

impl Screen<'_> {
    /// What was read, and what was wrong with it.
    fn capture(&self) -> Vec<String> {
        let capture = &self.report.capture;
        let octets: u64 = capture.files.iter().map(|file| file.octets).sum();
        let files = capture.files.len();
        let mut lines = vec![format!(
            "capture     {files} {}, {}, {} packets, {} TCP connections",
            plural(files, "file", "files"),
            size(octets),
            capture.packets,
            capture.tcp_connections
        )];
        let first = capture.files.iter().filter_map(|file| file.first_seen).min();
        let last = capture.files.iter().filter_map(|file| file.last_seen).max();
        if let (Some(first), Some(last)) = (first, last) {
            lines.push(format!(
                "            {} to {} ({:.1} s)",
                utc(first),
                utc(last),
                last.0.since(first.0).as_secs_f64()
            ));
        }
        for (kind, count) in &capture.encapsulations {
            lines.push(format!("  inside    {count} segments: {}", kind.replace('_', " ")));
        }
        let fragments = capture.fragments;
        if fragments.fragments > 0 {
            lines.push(format!(
                "  fragments {}: {} datagrams put together, {} overlapping, {} of no use",
                fragments.fragments, fragments.reassembled, fragments.overlapping, fragments.unused
            ));
        }
        let damages = capture.files.iter().flat_map(CaptureFile::damages);
        let mut damages: Vec<String> = damages.map(|message| format!("  damaged   {}", safe(&message))).collect();
        let further = damages.len().saturating_sub(DAMAGES);
        damages.truncate(DAMAGES);
        lines.extend(damages);
        if further > 0 {
            lines.push(format!("  damaged   and {further} more; the command features lists all"));
        }
        let dropped = capture.files.iter().filter_map(|file| file.condition.dropped).reduce(u64::saturating_add);
        if let Some(dropped @ 1..) = dropped {
            lines.push(format!("  dropped   {dropped} packets were dropped while this was recorded"));
        }
        for (kind, count) in &capture.decode_errors {
            lines.push(format!("  unread    {count} packets: {}", kind.replace('_', " ")));
        }
        for (limit, count) in &capture.limits_reached {
            lines.push(format!("  limit     {} reached {count} times", limit.replace('_', " ")));
        }
        let missing: u64 =
            self.report.sessions.iter().map(|(_, s)| s.octets.client.missing + s.octets.server.missing).sum();
        if missing > 0 {
            lines.push(format!("  missing   {missing} octets of mail sessions are not in the capture"));
        }
        lines
    }

    fn mails(&self) -> Vec<String> {
        let s = &self.report.summary;
        if s.total_sessions == 0 {
            return vec!["mails       no SMTP session in this capture".to_owned()];
        }
        vec![
            format!(
                "mails       {} transactions in {} sessions, {} of messages",
                s.total_transactions,
                s.total_sessions,
                size(s.message_bytes)
            ),
            format!(
                "            {} accepted, {} rejected, {} aborted, {} incomplete",
                s.completed_transactions, s.rejected_transactions, s.aborted_transactions, s.incomplete_transactions
            ),
            format!("            {} recipients, {} accepted", s.recipients, s.accepted_recipients),
        ]
    }

    /// Why mail was refused.
    fn refusals(&self) -> Vec<String> {
        let mut reasons = Tally::default();
        for mail in self.report.transactions() {
            let transaction = mail.transaction;
            let of_recipients = transaction
                .recipients
                .iter()
                .filter(|rcpt| matches!(rcpt.outcome, RecipientOutcome::Rejected | RecipientOutcome::Deferred))
                .filter_map(|rcpt| Some((rcpt.code?, rcpt.parameter.as_deref()?, "RCPT")));
            let of_mail = transaction
                .final_response
                .iter()
                .filter(|reply| reply.class() >= 4)
                .filter(|reply| {
                    !transaction.recipients.iter().any(|rcpt| rcpt.parameter.as_ref() == Some(&reply.parameter))
                })
                .map(|reply| (reply.code, &*reply.parameter, "mail"));
            for (code, text, what) in of_recipients.chain(of_mail) {
                let first_line = text.lines().next().unwrap_or_default();
                reasons.add(format!("{what}  {code} {}", safe(first_line)));
            }
        }
        let list = |(reason, count): (String, u64)| format!("  {count:>7} x {reason}");
        let lines: Vec<String> = reasons.top(TOP).0.into_iter().map(list).collect();
        if lines.is_empty() { lines } else { [vec!["refused".to_owned()], lines].concat() }
    }

    fn security(&self) -> Vec<String> {
        let s = &self.report.summary;
        if s.total_sessions == 0 {
            return Vec::new();
        }
        let sessions = || self.report.sessions.iter().map(|(_, session)| session);
        let offered = sessions().filter(|session| session.starttls == Some(StartTls::Offered)).count();
        let in_clear = sessions().flat_map(|session| &session.auth).count();
        let refused = sessions().filter(|session| session.starttls == Some(StartTls::Rejected)).count();
        vec![
            format!(
                "TLS         {} of {} sessions; offered and not used in {offered}, refused in {refused}",
                s.tls_sessions, s.total_sessions
            ),
            format!(
                "AUTH        {} attempts, {} succeeded, {} failed; {in_clear} in clear",
                s.auth_attempts, s.auth_successes, s.auth_failures
            ),
        ]
    }

    fn sessions(&self) -> Vec<String> {
        let all = &self.report.sessions;
        let mut lines: Vec<String> = all.iter().take(SESSIONS).map(|(key, session)| line(key, session)).collect();
        if all.len() > SESSIONS {
            lines.push(format!("  and {} more sessions; the command features lists all", all.len() - SESSIONS));
        }
        if lines.is_empty() { lines } else { [vec!["sessions".to_owned()], lines].concat() }
    }
}

/// One session on one line, or a few where it had mails.
fn line(key: &str, session: &Session) -> String {
    let mut notes = Vec::new();
    if session.uses_tls {
        notes.push("TLS".to_owned());
    }
    for attempt in &session.auth {
        let outcome = match attempt.outcome {
            AuthOutcome::Success => "succeeded",
            AuthOutcome::Failure => "failed",
            AuthOutcome::Aborted => "aborted",
            AuthOutcome::Unknown => "unknown",
        };
        notes.push(format!("AUTH {} {outcome}", safe(&attempt.mechanism)));
    }
    if session.end == End::Reset {
        notes.push("reset".to_owned());
    }
    if session.octets.client.missing + session.octets.server.missing > 0 {
        notes.push("octets missing".to_owned());
    }
    let helo = session.helo.as_deref().map_or_else(String::new, |helo| format!("  {}", safe(helo)));
    let notes = if notes.is_empty() { String::new() } else { format!("  [{}]", notes.join(", ")) };
    let mut text = format!("  {key}{helo}{notes}");
    for transaction in session.transactions.iter().take(TOP) {
        let from = transaction.mail_from.as_deref().map_or_else(|| "?".to_owned(), |from| format!("<{}>", safe(from)));
        let recipients = match transaction.recipients.as_slice() {
            [] => "nobody".to_owned(),
            [one] => format!("<{}>", safe(&one.address)),
            several => format!("{} recipients", several.len()),
        };
        let outcome = format!("{:?}", transaction.outcome).to_lowercase();
        let reply = transaction.final_response.as_ref().map_or_else(String::new, |reply| {
            // Of several lines the first says why mail was refused, and the last under which name it was accepted.
            let line = if reply.class() == 2 { reply.parameter.lines().last() } else { reply.parameter.lines().next() };
            format!(" {} {}", reply.code, safe(line.unwrap_or_default()))
        });
        text += &format!("\n    {outcome:<10} {from} to {recipients}{reply}");
    }
    if session.transactions.len() > TOP {
        text += &format!("\n    and {} more", session.transactions.len() - TOP);
    }
    text
}

/// Text from the wire without control characters, and not longer than a line: it goes to a terminal.
fn safe(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(LINE)
        .flat_map(|c| if c.is_control() || is_invisible(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(LINE).is_some() { shown + "…" } else { shown }
}

/// Characters of a line of text from the wire.
const LINE: usize = 80;

/// Characters that turn the direction of writing or take no place, and so can forge a line.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn plural(count: usize, one: &'static str, several: &'static str) -> &'static str {
    if count == 1 { one } else { several }
}

fn size(octets: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let octets_float = octets as f64;
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{:.1} kB", octets_float / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", octets_float / 1e6),
        _ => format!("{:.2} GB", octets_float / 1e9),
    }
}

/// Date and time of day in UTC (RFC 3339), to the second.
fn utc(time: Time) -> String {
    let seconds = time.0.as_nanos().div_euclid(1_000_000_000);
    mail_parser::DateTime::from_timestamp(seconds).to_rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_wire_controls_the_terminal() {
        assert_eq!(safe("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(safe(&"x".repeat(100)).chars().count(), LINE + 1);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(Time(capture::Timestamp::from_nanos(1_679_930_257_935_537_000))), "2023-03-27T15:17:37Z");
    }
}
