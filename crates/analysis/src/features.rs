//! The command `features`: one document with everything.
//!
//! ```text
//!   sessions as they end ─▶ batches ─▶ lines (any thread) ─▶ Lines ─▶ in order, each with its key ─▶ document
//! ```
//!
//! A session's line is made when the session ends, so that its record can go; what is kept is text. Where a line stands
//! in the document, and which number its session has among those of the same 4-tuple, is known only in the end.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem;
use rayon::prelude::*;
use serde::Serialize;
use smol_str::SmolStr;

use crate::message::Message;
use crate::model::{Command, FourTuple, Outcome, Recipient, Response, Session, Transaction, Via};
use crate::output::codes::{Code, Enhanced};
use crate::output::json;
use crate::output::time::Time;
use crate::plan::Plan;
use crate::report::{Capture, Occurrences, Report, Summary, in_order};
use crate::run::{self, Collector};
use crate::session::Options;

/// Version of the documents' shape. It grows when a field changes its meaning, which is not planned.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the document of a report, each session and each transaction on a line of its own, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: impl io::Write) -> io::Result<()> {
    let sessions: Vec<&Session> = report.sessions.iter().map(|(_, session)| session).collect();
    let batches = sessions.par_chunks(BATCH_SESSIONS).map(|batch| Batch::of(batch.iter().copied()));
    let batches: serde_json::Result<Vec<Batch>> = batches.collect();
    Lines { batches: batches?, late: BTreeMap::new() }.write(&report.capture, out)
}

/// Reads all inputs of a plan and makes the lines meanwhile: one thread reads, up to `jobs` minus one others make lines,
/// and the reader makes them itself where these do not keep up. The number of threads changes no octet of the document.
///
/// # Errors
/// Where a record cannot be written as JSON, which no record of ours brings about.
pub fn read(plan: &Plan, options: Options, jobs: NonZeroUsize) -> io::Result<(Lines, Capture)> {
    let most_underway = 2 * (jobs.get() - 1);
    let underway = AtomicUsize::new(0);
    let made: Mutex<Vec<(usize, serde_json::Result<Batch>)>> = Mutex::default();
    let keep = |number: usize, batch| {
        made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, batch));
    };
    let (capture, late) = rayon::in_place_scope(|scope| {
        let mut number = 0;
        let hand_over = |sessions: Vec<Session>| {
            let (this, keep, underway) = (number, &keep, &underway);
            number += 1;
            if underway.load(Ordering::Relaxed) >= most_underway {
                return keep(this, Batch::of(&sessions));
            }
            underway.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move |_| {
                keep(this, Batch::of(&sessions));
                underway.fetch_sub(1, Ordering::Relaxed);
            });
        };
        let mut waiting = Waiting { sessions: Vec::new(), weight: 0, late: BTreeMap::new(), hand_over };
        let capture = run::read(plan, options, &mut waiting);
        let Waiting { sessions, late, mut hand_over, .. } = waiting;
        hand_over(sessions);
        (capture, late)
    });
    let mut made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    made.sort_unstable_by_key(|&(number, _)| number);
    let batches: serde_json::Result<Vec<Batch>> = made.into_iter().map(|(_, batch)| batch).collect();
    Ok((Lines { batches: batches?, late }, capture))
}

/// Sessions that wait until there are enough of them for a batch.
struct Waiting<F> {
    sessions: Vec<Session>,
    /// Their commands and replies.
    weight: usize,
    late: BTreeMap<u64, Time>,
    hand_over: F,
}

impl<F: FnMut(Vec<Session>)> Collector for Waiting<F> {
    fn session(&mut self, session: Session) {
        self.weight += session.commands.len() + session.responses.len();
        self.sessions.push(session);
        if self.weight >= BATCH_WEIGHT || self.sessions.len() >= BATCH_SESSIONS {
            self.weight = 0;
            (self.hand_over)(std::mem::take(&mut self.sessions));
        }
    }

    fn late(&mut self, number: u64, last_seen: Time) {
        self.late.insert(number, last_seen);
    }
}

/// Sessions whose lines one thread makes at a time.
const BATCH_SESSIONS: usize = 256;

/// Commands and replies that fill a batch earlier: about a megabyte of lines.
const BATCH_WEIGHT: usize = 4096;

/// Octets of lines that a batch has room for at first; more than all but a few have.
const BATCH_OCTETS: usize = 4 << 20;

/// The lines of the document, made but not yet in order.
#[derive(Debug)]
pub struct Lines {
    batches: Vec<Batch>,
    /// When sessions had their last packets, by their number in the batches, where that was after their lines were made.
    late: BTreeMap<u64, Time>,
}

/// The lines of some sessions.
#[derive(Debug, Default)]
struct Batch {
    summary: Summary,
    text: Vec<u8>,
    sessions: Vec<SessionLine>,
    transactions: Vec<TransactionLine>,
}

/// A session's line, without its key, which is put in front of it, and where the lines of its transactions are.
#[derive(Debug)]
struct SessionLine {
    first_seen: Time,
    four_tuple: FourTuple,
    line: Range<usize>,
    transactions: Range<usize>,
}

/// What a transaction's line holds behind its time and its session's key, which are put in front of it.
#[derive(Debug)]
struct TransactionLine {
    timestamp: Time,
    line: Range<usize>,
}

impl Batch {
    fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> serde_json::Result<Self> {
        // Memory that is asked for and not touched costs nothing; growing step by step copies all lines twice.
        let mut batch = Self { text: Vec::with_capacity(BATCH_OCTETS), ..Self::default() };
        sessions.into_iter().try_for_each(|session| batch.add(session))?;
        batch.text.shrink_to_fit();
        Ok(batch)
    }

    fn add(&mut self, session: &Session) -> serde_json::Result<()> {
        self.summary.add(session);
        let line = self.append(session)?;
        let first = self.transactions.len();
        for transaction in &session.transactions {
            let Range { start, end } = self.append(&TransactionFields::of(session, transaction))?;
            // Without the brace that opens the object: the first fields are put in front.
            self.transactions.push(TransactionLine { timestamp: transaction.timestamp, line: start + 1..end });
        }
        let transactions = first..self.transactions.len();
        let (first_seen, four_tuple) = (session.first_seen, session.four_tuple());
        self.sessions.push(SessionLine { first_seen, four_tuple, line, transactions });
        Ok(())
    }

    fn append(&mut self, value: &impl Serialize) -> serde_json::Result<Range<usize>> {
        let from = self.text.len();
        json::append(&mut self.text, value)?;
        Ok(from..self.text.len())
    }
}

impl Lines {
    /// Writes the document.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, capture: &Capture, mut out: impl io::Write) -> io::Result<()> {
        let mut summary = Summary::default();
        self.batches.iter().for_each(|batch| summary.merge(&batch.summary));
        let sessions = self.sessions();
        write!(out, "{{\"protocol\":\"SMTP\",\"schema_version\":{SCHEMA_VERSION},\n\"summary\":")?;
        serde_json::to_writer(&mut out, &summary)?;
        out.write_all(b",\n\"sessions\":{")?;
        let mut comma = "\n";
        for session in &sessions {
            write!(out, "{comma}\"{}\":", session.key)?;
            session.write(&mut out)?;
            comma = ",\n";
        }
        out.write_all(b"},\n\"transactions\":[")?;
        let mut comma = "\n";
        for (session, TransactionLine { timestamp, line }) in in_order_of_time(&sessions) {
            write!(out, "{comma}{{\"timestamp\":{timestamp},\"session\":\"{}\",", session.key)?;
            out.write_all(session.text(line))?;
            comma = ",\n";
        }
        out.write_all(b"],\n\"capture\":")?;
        serde_json::to_writer(&mut out, capture)?;
        out.write_all(b"}\n")
    }

    /// The sessions in order, each with its key.
    fn sessions(&self) -> Vec<Placed<'_>> {
        let all = self.batches.iter().flat_map(|batch| batch.sessions.iter().map(move |line| (batch, line)));
        let mut sessions: Vec<Placed<'_>> = (0..)
            .zip(all)
            .map(|(number, (batch, line))| Placed { batch, line, key: String::new(), late: self.late.get(&number) })
            .collect();
        let place = |session: &Placed<'_>| (session.line.first_seen, session.line.four_tuple);
        sessions.sort_by(|a, b| in_order(place(a), place(b)));
        let mut occurrences = Occurrences::default();
        for session in &mut sessions {
            let four_tuple = session.line.four_tuple;
            session.key = occurrences.next(four_tuple).key(four_tuple);
        }
        sessions
    }
}

/// A session's line with all that its place in the document gave it.
struct Placed<'a> {
    batch: &'a Batch,
    line: &'a SessionLine,
    key: String,
    /// When it had a packet after its line was made.
    late: Option<&'a Time>,
}

impl<'a> Placed<'a> {
    /// Writes its line. What is known only now of its last packet is put in the place of what was known then.
    fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        let line = self.text(&self.line.line);
        let Some((time, at)) = self.late.zip(memmem::find(line, LAST_SEEN)) else { return out.write_all(line) };
        let (before, digits) = line.split_at_checked(at + LAST_SEEN.len()).unwrap_or((line, &[]));
        let end = digits.iter().position(|&octet| octet == b',').unwrap_or(digits.len());
        out.write_all(before)?;
        write!(out, "{time}")?;
        out.write_all(digits.get(end..).unwrap_or_default())
    }

    fn text(&self, line: &Range<usize>) -> &'a [u8] {
        self.batch.text.get(line.clone()).unwrap_or_default()
    }

    fn transactions(&self) -> &'a [TransactionLine] {
        self.batch.transactions.get(self.line.transactions.clone()).unwrap_or_default()
    }
}

/// Stands in front of the time of the last packet; no text from the wire stands before it in a session's line.
const LAST_SEEN: &[u8] = b"\"last_seen\":";

/// All transactions by time, those of one moment by the keys of their sessions.
fn in_order_of_time<'s, 'a>(sessions: &'s [Placed<'a>]) -> Vec<(&'s Placed<'a>, &'a TransactionLine)> {
    let of_session = |session: &'s Placed<'a>| session.transactions().iter().map(move |line| (session, line));
    let mut transactions: Vec<_> = sessions.iter().flat_map(of_session).collect();
    transactions.sort_by(|(a, one), (b, other)| one.timestamp.cmp(&other.timestamp).then_with(|| a.key.cmp(&b.key)));
    transactions
}

/// The fields of a transaction behind its session's key.
#[derive(Serialize)]
struct TransactionFields<'a> {
    mail_from: &'a Option<SmolStr>,
    #[serde(serialize_with = "crate::output::pairs_as_map")]
    mail_parameters: &'a [(SmolStr, Option<SmolStr>)],
    rcpt_to: Vec<&'a str>,
    recipients: &'a [Recipient],
    further_recipients: u64,
    has_data: bool,
    via: Option<Via>,
    outcome: Outcome,
    completed: bool,
    final_response: Option<FinalResponse<'a>>,
    queue_id: &'a Option<SmolStr>,
    message: &'a Option<Message>,
    commands: &'a [Command],
    responses: Vec<Answer<'a>>,
}

impl<'a> TransactionFields<'a> {
    fn of(session: &'a Session, transaction: &'a Transaction) -> Self {
        Self {
            mail_from: &transaction.mail_from,
            mail_parameters: &transaction.mail_parameters,
            rcpt_to: transaction.recipients.iter().map(|recipient| recipient.address.as_str()).collect(),
            recipients: &transaction.recipients,
            further_recipients: transaction.further_recipients,
            has_data: transaction.has_data,
            via: transaction.via,
            outcome: transaction.outcome,
            completed: transaction.outcome == Outcome::Accepted,
            final_response: transaction.final_response.as_ref().map(FinalResponse::from),
            queue_id: &transaction.queue_id,
            message: &transaction.message,
            commands: session.commands.get(transaction.commands.clone()).unwrap_or_default(),
            responses: transaction.answers(session).map(|response| Answer::of(transaction, response)).collect(),
        }
    }
}

/// The reply that decided; which command it answers is told by the transaction's `responses`.
#[derive(Serialize)]
struct FinalResponse<'a> {
    code: Code,
    enhanced_code: Option<Enhanced>,
    parameter: &'a str,
    timestamp: Time,
}

impl<'a> From<&'a Response> for FinalResponse<'a> {
    fn from(response: &'a Response) -> Self {
        let Response { code, enhanced_code, parameter, timestamp, .. } = response;
        Self { code: *code, enhanced_code: *enhanced_code, parameter, timestamp: *timestamp }
    }
}

/// A reply within its transaction: `command` counts from the transaction's first command on.
#[derive(Serialize)]
struct Answer<'a> {
    code: Code,
    enhanced_code: Option<Enhanced>,
    parameter: &'a str,
    timestamp: Time,
    command: Option<usize>,
}

impl<'a> Answer<'a> {
    fn of(transaction: &Transaction, response: &'a Response) -> Self {
        let command = response.command.and_then(|command| command.checked_sub(transaction.commands.start));
        let Response { code, enhanced_code, parameter, timestamp, .. } = response;
        Self { code: *code, enhanced_code: *enhanced_code, parameter, timestamp: *timestamp, command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Role;
    use crate::model::Session;
    use crate::samples::{at, opened, report, session_of, talk, transaction};

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn the_document_has_the_fields_of_the_contract_in_its_order() {
        let document = written(&report(Vec::new()));
        let places = ["protocol", "schema_version", "summary", "sessions", "transactions", "capture"]
            .map(|field| document.find(&format!("\"{field}\":")).expect("a field of the contract"));
        assert!(places.is_sorted(), "{document}");
        let value: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(value.pointer("/sessions"), Some(&serde_json::json!({})));
        assert_eq!(value.pointer("/transactions"), Some(&serde_json::json!([])));
    }

    /// More than fit in one batch, so that commas between lines and batches both occur.
    #[test]
    fn however_many_sessions_there_are_each_is_one_line_in_order() {
        let count = 2 * BATCH_SESSIONS + 1;
        let sessions = (0..count).map(|second| Session {
            first_seen: at(i64::try_from(second).expect("few")),
            ..session_of(vec![transaction(&format!("{second}@example.org"), Outcome::Aborted)])
        });
        let document = written(&report(sessions.collect()));
        let value: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(value.pointer("/sessions").and_then(|v| v.as_object()).map(serde_json::Map::len), Some(count));
        let keys: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix('"')?.split('"').next()).collect();
        let last = format!("#{count}");
        assert!(keys.iter().any(|key| key.ends_with("#2")) && document.contains(&last), "{last}");
        let numbers = keys.iter().filter_map(|key| key.rsplit_once('#')?.1.parse::<usize>().ok());
        assert!(numbers.eq(2..=count), "sessions in order of time");
        let transactions = value.pointer("/transactions").and_then(|v| v.as_array()).expect("an array");
        assert_eq!(transactions.len(), count);
        assert_eq!(document.lines().filter(|line| line.starts_with("{\"timestamp\":")).count(), count);
    }

    /// The contract: `last_seen` is the last packet of the connection, although its line was made before that came.
    #[test]
    fn a_packet_behind_the_end_of_a_session_is_its_last() {
        let sessions = [1, 2].map(|port| Session { client_port: port, ..session_of(Vec::new()) });
        let batch = Batch::of(&sessions).expect("JSON");
        let lines = Lines { batches: vec![batch], late: [(1, at(77))].into() };
        let mut out = Vec::new();
        lines.write(&crate::report::Capture::default(), &mut out).expect("a vector takes everything");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let last_seen = |port| value.pointer(&format!("/sessions/192.0.2.1:{port}-198.51.100.25:25/last_seen"));
        assert_eq!((last_seen(1), last_seen(2)), (Some(&9.0.into()), Some(&77.0.into())));
    }

    /// The contract: a transaction's commands and replies are those of it; `command` counts from its first one.
    #[test]
    fn a_transaction_has_its_own_commands_and_replies() {
        let session = talk(&opened(&[
            (Role::Client, "MAIL FROM:<a@example.org>\r\n"),
            (Role::Server, "250 ok\r\n"),
            (Role::Client, "RCPT TO:<b@example.net>\r\n"),
            (Role::Server, "550 5.1.1 unknown\r\n"),
            (Role::Client, "RSET\r\n"),
            (Role::Server, "250 ok\r\n"),
            (Role::Client, "NOOP\r\n"),
            (Role::Server, "250 ok\r\n"),
        ]));
        let document: serde_json::Value = serde_json::from_str(&written(&report(vec![session]))).expect("JSON");
        let mail = document.pointer("/transactions/0").expect("a transaction");
        let verbs: Vec<_> =
            mail["commands"].as_array().expect("commands").iter().map(|c| c["command"].clone()).collect();
        assert_eq!(verbs.get(..2), Some(["MAIL".into(), "RCPT".into()].as_slice()));
        assert!(!verbs.contains(&"EHLO".into()) && !verbs.contains(&"NOOP".into()), "{verbs:?}");
        let answered: Vec<_> = mail["responses"]
            .as_array()
            .expect("replies")
            .iter()
            .map(|r| (r["code"].clone(), r["command"].clone()))
            .collect();
        assert_eq!(answered.get(..2), Some([("250".into(), 0.into()), ("550".into(), 1.into())].as_slice()));
        assert_eq!(mail["final_response"]["enhanced_code"], "5.1.1");
    }
}
