//! The command `summary`: one screen for a person.

use std::io;

use crate::insights::finding::{Finding, Severity};
use crate::insights::rules::Rules;
use crate::insights::{FindingOptions, Tally};
use crate::model::{End, FourTuple, Late, RecipientOutcome, Session, StartTls, Transaction};
use crate::numbers::{Numbers, SESSION_KEYS};
use crate::output::time::Time;
use crate::plan::Plan;
use crate::report::{Capture, CaptureFile, Occurrences, Report, Summary, in_order};
use crate::run::{self, Collector};
use crate::session::Options;
use crate::session::auth::AuthOutcome;
use crate::shards::SHARDS;

/// Reads all inputs of a plan.
pub fn read(plan: &Plan, options: Options, findings: Option<&FindingOptions>) -> (Overview, Capture) {
    let (parts, mut capture) = run::read(plan, options, || Overview::new(findings), |_| true);
    let mut overview = Overview::new(None);
    parts.into_iter().for_each(|part| overview.merge(part));
    overview.settle(&mut capture);
    (overview, capture)
}

/// Writes the summary of a report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: impl io::Write) -> io::Result<()> {
    let mut overview = Overview::new(Some(&FindingOptions::default()));
    report.sessions.iter().for_each(|(_, session)| overview.add(session));
    let mut capture = report.capture.clone();
    overview.settle(&mut capture);
    overview.write(&capture, out)
}

/// What a screen needs of the sessions of a recording, collected one by one as they end: it does not grow with them.
#[derive(Debug)]
pub struct Overview {
    summary: Summary,
    /// Octets of the sessions that are not in the capture.
    missing: u64,
    starttls_unused: u64,
    starttls_refused: u64,
    /// Why mail was refused.
    refusals: Tally,
    /// The first [`SESSIONS`] sessions in their order, each with what is shown behind its key.
    first: Vec<(Time, FourTuple, String)>,
    /// What finds, and the numbers for the keys of sessions; none where nothing is to be found.
    finder: Option<(Rules, Numbers)>,
    /// Numbers that were forgotten, by other collectors.
    forgotten: u64,
    /// What was found, once all sessions have come.
    findings: Option<Vec<Finding>>,
}

/// Nothing on the screen depends on when a session had its last packet.
impl Collector for Overview {
    fn session(&mut self, session: Session, _: u64) {
        self.add(&session);
    }

    fn late(&mut self, _: u64, _: Late) {}
}

impl Overview {
    /// An overview of no session yet, with findings of this sort or without any.
    pub fn new(findings: Option<&FindingOptions>) -> Self {
        let finder = |options: &FindingOptions| (Rules::new(options), Numbers::new(SESSION_KEYS / SHARDS));
        Self {
            summary: Summary::default(),
            missing: 0,
            starttls_unused: 0,
            starttls_refused: 0,
            refusals: Tally::default(),
            first: Vec::new(),
            finder: findings.map(finder),
            forgotten: 0,
            findings: None,
        }
    }

    /// Takes in one more session.
    pub fn add(&mut self, session: &Session) {
        if let Some((rules, numbers)) = &mut self.finder {
            rules.session(session, numbers.id(session.four_tuple()));
        }
        self.summary.add(session);
        self.missing += missing(session);
        match session.starttls {
            Some(StartTls::Offered) => self.starttls_unused += 1,
            Some(StartTls::Rejected) => self.starttls_refused += 1,
            _ => {}
        }
        session.transactions.iter().for_each(|transaction| self.add_refusals(transaction));
        let place = (session.first_seen, session.four_tuple());
        // Behind those of the same place: the sort of a report is stable.
        let index = self.first.partition_point(|&(time, four_tuple, _)| in_order((time, four_tuple), place).is_le());
        if index < SESSIONS {
            self.first.insert(index, (place.0, place.1, behind_key(session)));
            self.first.truncate(SESSIONS);
        }
    }

    /// Takes in what another collector of the same recording has.
    pub fn merge(&mut self, other: Self) {
        self.summary.merge(&other.summary);
        self.missing += other.missing;
        self.starttls_unused += other.starttls_unused;
        self.starttls_refused += other.starttls_refused;
        self.refusals.merge(other.refusals);
        // Those of one 4-tuple have one collector, so the order between the two does not matter.
        self.first.extend(other.first);
        self.first.sort_by(|a, b| in_order((a.0, a.1), (b.0, b.1)));
        self.first.truncate(SESSIONS);
        self.forgotten += other.forgotten;
        match (&mut self.finder, other.finder) {
            (Some((rules, _)), Some((more, numbers))) => {
                rules.merge(more);
                self.forgotten += numbers.forgotten();
            }
            (finder, more) => *finder = more,
        }
    }

    /// All sessions have come.
    fn settle(&mut self, capture: &mut Capture) {
        let Some((rules, numbers)) = self.finder.take() else { return };
        let found = rules.finish(capture);
        capture.count_limits(found.limits);
        capture.count_limits([("session_keys", self.forgotten + numbers.forgotten())]);
        self.findings = Some(found.findings);
    }

    /// What was found, the worst first.
    pub fn findings(&self) -> &[Finding] {
        self.findings.as_deref().unwrap_or_default()
    }

    fn add_refusals(&mut self, transaction: &Transaction) {
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
            self.refusals.add(format!("{what}  {code} {}", safe(first_line)));
        }
    }

    /// Writes the screen.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, capture: &Capture, mut out: impl io::Write) -> io::Result<()> {
        let blocks =
            [self.capture(capture), self.worries(), self.mails(), self.refusals(), self.security(), self.sessions()];
        for block in blocks.iter().filter(|block| !block.is_empty()) {
            writeln!(out, "{}\n", block.join("\n"))?;
        }
        Ok(())
    }
}

/// Places of damage that are listed.
const DAMAGES: usize = 10;
/// Lines of a list.
const TOP: usize = 5;
/// Sessions that are listed.
const SESSIONS: usize = 20;
/// Findings that are listed.
const FINDINGS: usize = 10;
/// Characters of what a finding says.
const DESCRIPTION: usize = 160;

impl Overview {
    /// What was read, and what was wrong with it.
    fn capture(&self, capture: &Capture) -> Vec<String> {
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
        if capture.interrupted {
            lines.push("  cut short reading was interrupted; this is what was read until then".to_owned());
        }
        for (kind, count) in &capture.encapsulations {
            lines.push(format!("  inside    {count} segments: {}", kind.replace('_', " ")));
        }
        let fragments = capture.fragments;
        if fragments.fragments > 0 {
            lines.push(format!(
                "  fragments {}: {} datagrams put together, {} overlapping, {} copies, {} of no use",
                fragments.fragments, fragments.reassembled, fragments.overlapping, fragments.copies, fragments.unused
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
        if self.missing > 0 {
            lines.push(format!("  missing   {} octets of mail sessions are not in the capture", self.missing));
        }
        lines
    }

    /// The findings, by severity.
    fn worries(&self) -> Vec<String> {
        let Some(findings) = self.findings.as_ref().filter(|findings| !findings.is_empty()) else { return Vec::new() };
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = Severity::WORST_FIRST.into_iter().map(|severity| (count(severity), severity.as_str()));
        let counts: Vec<String> =
            counts.filter(|&(count, _)| count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        let line = |finding: &Finding| {
            let times = if finding.count > 1 { format!(" ({} times)", finding.count) } else { String::new() };
            let described = cut(&finding.description, DESCRIPTION);
            format!("  {:<9} {}{times}: {described}", finding.severity.as_str(), finding.title)
        };
        let mut lines = vec![format!("findings    {}", counts.join(", "))];
        lines.extend(findings.iter().take(FINDINGS).map(line));
        if findings.len() > FINDINGS {
            lines.push(format!("  and {} more; the command insights lists all", findings.len() - FINDINGS));
        }
        lines
    }

    fn mails(&self) -> Vec<String> {
        let s = &self.summary;
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
        let list = |(reason, count): (String, u64)| format!("  {count:>7} x {reason}");
        let lines: Vec<String> = self.refusals.top(TOP).0.into_iter().map(list).collect();
        if lines.is_empty() { lines } else { [vec!["refused".to_owned()], lines].concat() }
    }

    fn security(&self) -> Vec<String> {
        let s = &self.summary;
        if s.total_sessions == 0 {
            return Vec::new();
        }
        vec![
            format!(
                "TLS         {} of {} sessions; offered and not used in {}, refused in {}",
                s.tls_sessions, s.total_sessions, self.starttls_unused, self.starttls_refused
            ),
            format!(
                "AUTH        {} attempts, {} succeeded, {} failed; {} in clear",
                s.auth_attempts, s.auth_successes, s.auth_failures, s.auth_attempts
            ),
        ]
    }

    fn sessions(&self) -> Vec<String> {
        let mut occurrences = Occurrences::default();
        let line = |(_, four_tuple, behind): &(_, FourTuple, String)| {
            format!("  {}{behind}", occurrences.next(*four_tuple).key(*four_tuple))
        };
        let mut lines: Vec<String> = self.first.iter().map(line).collect();
        if self.summary.total_sessions > lines.len() {
            let further = self.summary.total_sessions - lines.len();
            lines.push(format!("  and {further} more sessions; the command features lists all"));
        }
        if lines.is_empty() { lines } else { [vec!["sessions".to_owned()], lines].concat() }
    }
}

/// What is shown of a session behind its key: one line, or a few where it had mails.
fn behind_key(session: &Session) -> String {
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
    if missing(session) > 0 {
        notes.push("octets missing".to_owned());
    }
    let helo = session.helo.as_deref().map_or_else(String::new, |helo| format!("  {}", safe(helo)));
    let notes = if notes.is_empty() { String::new() } else { format!("  [{}]", notes.join(", ")) };
    let mut text = format!("{helo}{notes}");
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

/// Octets of both sides that are not in the capture.
fn missing(session: &Session) -> u64 {
    session.octets.client.missing + session.octets.server.missing
}

/// Text from the wire without control characters, and not longer than a line: it goes to a terminal.
fn safe(text: &str) -> String {
    cut(text, LINE)
}

/// The same, of so many characters.
fn cut(text: &str, most: usize) -> String {
    let shown: String = text
        .chars()
        .take(most)
        .flat_map(|c| if c.is_control() || is_invisible(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(most).is_some() { shown + "…" } else { shown }
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
