//! Everything that is known when all captures have been read.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use capture::FragmentCounts;
use serde::Serialize;

use crate::condition::Condition;
use crate::model::{FourTuple, Outcome, RecipientOutcome, Response, Session, Transaction};
use crate::output::time::Time;
use crate::plan::Unreadable;
use crate::session::auth::{AuthAttempt, AuthOutcome};

/// The sessions in order of `first_seen`, then of their keys, and what was read to find them.
#[derive(Debug)]
pub struct Report {
    /// Each with its key: the 4-tuple, with `#2`, `#3`, … for later connections of the same one.
    pub sessions: Vec<(String, Session)>,
    /// The totals.
    pub summary: Summary,
    /// How far to trust the rest.
    pub capture: Capture,
}

impl Report {
    /// Puts sessions in order and names them.
    pub fn new(mut sessions: Vec<Session>, capture: Capture) -> Self {
        let mut summary = Summary::default();
        sessions.iter().for_each(|session| summary.add(session));
        sessions.sort_by(|a, b| in_order((a.first_seen, a.four_tuple()), (b.first_seen, b.four_tuple())));
        let mut occurrences = Occurrences::default();
        let name = |session: Session| (occurrences.id(session.four_tuple()).to_string(), session);
        let sessions = sessions.into_iter().map(name).collect();
        Self { sessions, summary, capture }
    }

    /// What the keys of the sessions are made from, in their order.
    pub(crate) fn session_ids(&self) -> impl Iterator<Item = SessionId> {
        let mut occurrences = Occurrences::default();
        self.sessions.iter().map(move |(_, session)| occurrences.id(session.four_tuple()))
    }

    /// All transactions in order of their time, then of their session's key.
    pub fn transactions(&self) -> Vec<Mail<'_>> {
        let mut mails: Vec<Mail<'_>> = self
            .session_ids()
            .zip(&self.sessions)
            .flat_map(|(id, (key, session))| {
                let transactions = session.transactions.iter().enumerate();
                transactions.map(move |(index, transaction)| Mail { key, id, session, index, transaction })
            })
            .collect();
        mails.sort_by(|a, b| (a.transaction.timestamp, a.key).cmp(&(b.transaction.timestamp, b.key)));
        mails
    }
}

/// The order of sessions: by their first packet, then by their 4-tuple as it is printed.
pub(crate) fn in_order(a: (Time, FourTuple), b: (Time, FourTuple)) -> Ordering {
    // The text is made only where it decides.
    a.0.cmp(&b.0).then_with(|| if a.1 == b.1 { Ordering::Equal } else { a.1.to_string().cmp(&b.1.to_string()) })
}

/// Numbers the connections of each 4-tuple, asked in the order of the sessions.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(HashMap<FourTuple, Occurrence>);

impl Occurrences {
    pub(crate) fn next(&mut self, four_tuple: FourTuple) -> Occurrence {
        *self.0.entry(four_tuple).and_modify(|last| *last = last.next()).or_insert(Occurrence::FIRST)
    }

    pub(crate) fn id(&mut self, four_tuple: FourTuple) -> SessionId {
        SessionId { four_tuple, occurrence: self.next(four_tuple) }
    }
}

/// What the key of a session is made from, where many are kept: the 4-tuple, with `#2`, `#3`, … for later connections of the
/// same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId {
    pub(crate) four_tuple: FourTuple,
    pub(crate) occurrence: Occurrence,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.occurrence {
            Occurrence::FIRST => self.four_tuple.fmt(f),
            Occurrence(number) => write!(f, "{}#{number}", self.four_tuple),
        }
    }
}

/// The number of a connection among those of its 4-tuple, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Occurrence(u32);

impl Occurrence {
    /// The first connection of its 4-tuple.
    pub(crate) const FIRST: Self = Self(1);

    /// The one behind it.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The key of this session of a 4-tuple.
    pub(crate) fn key(self, four_tuple: FourTuple) -> String {
        SessionId { four_tuple, occurrence: self }.to_string()
    }
}

/// A transaction with the session it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'a> {
    /// The session's key.
    pub key: &'a str,
    /// What it is made from.
    pub(crate) id: SessionId,
    /// The session.
    pub session: &'a Session,
    /// The number of the transaction within its session, from 0.
    pub index: usize,
    /// The transaction.
    pub transaction: &'a Transaction,
}

/// The totals of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Sessions.
    pub total_sessions: usize,
    /// Transactions.
    pub total_transactions: usize,
    /// Transactions that were accepted.
    pub completed_transactions: usize,
    /// Command lines.
    pub total_commands: usize,
    /// AUTH exchanges.
    pub auth_attempts: usize,
    /// Replies 2xx.
    pub success_responses: usize,
    /// Replies 4xx and 5xx.
    pub error_responses: usize,
    /// Sessions in which a TLS handshake was seen.
    pub tls_sessions: usize,
    /// Transactions that were rejected.
    pub rejected_transactions: usize,
    /// Transactions that were aborted.
    pub aborted_transactions: usize,
    /// Transactions whose end the capture does not show.
    pub incomplete_transactions: usize,
    /// Replies 3xx.
    pub intermediate_responses: usize,
    /// RCPT commands within transactions.
    pub recipients: u64,
    /// Those that were accepted.
    pub accepted_recipients: u64,
    /// Message octets of all transactions.
    pub message_bytes: u64,
    /// AUTH exchanges that succeeded.
    pub auth_successes: usize,
    /// AUTH exchanges that failed.
    pub auth_failures: usize,
}

impl Summary {
    /// Counts one more session.
    pub fn add(&mut self, session: &Session) {
        self.total_sessions += 1;
        self.total_commands += session.commands.len();
        self.tls_sessions += usize::from(session.uses_tls);
        session.responses.iter().for_each(|response| self.add_reply(response));
        session.auth.iter().for_each(|attempt| self.add_auth(attempt));
        session.transactions.iter().for_each(|transaction| self.add_transaction(transaction));
        if let Some(further) = &session.further {
            self.merge(&further.totals);
        }
    }

    /// Counts everything that another part of the recording counted.
    pub fn merge(&mut self, other: &Self) {
        self.total_sessions += other.total_sessions;
        self.total_transactions += other.total_transactions;
        self.completed_transactions += other.completed_transactions;
        self.total_commands += other.total_commands;
        self.auth_attempts += other.auth_attempts;
        self.success_responses += other.success_responses;
        self.error_responses += other.error_responses;
        self.tls_sessions += other.tls_sessions;
        self.rejected_transactions += other.rejected_transactions;
        self.aborted_transactions += other.aborted_transactions;
        self.incomplete_transactions += other.incomplete_transactions;
        self.intermediate_responses += other.intermediate_responses;
        self.recipients += other.recipients;
        self.accepted_recipients += other.accepted_recipients;
        self.message_bytes += other.message_bytes;
        self.auth_successes += other.auth_successes;
        self.auth_failures += other.auth_failures;
    }

    pub(crate) fn add_reply(&mut self, response: &Response) {
        match response.class() {
            2 => self.success_responses += 1,
            3 => self.intermediate_responses += 1,
            4 | 5 => self.error_responses += 1,
            _ => {}
        }
    }

    pub(crate) fn add_auth(&mut self, attempt: &AuthAttempt) {
        self.auth_attempts += 1;
        match attempt.outcome {
            AuthOutcome::Success => self.auth_successes += 1,
            AuthOutcome::Failure => self.auth_failures += 1,
            AuthOutcome::Aborted | AuthOutcome::Unknown => {}
        }
    }

    pub(crate) fn add_transaction(&mut self, transaction: &Transaction) {
        self.total_transactions += 1;
        match transaction.outcome {
            Outcome::Accepted => self.completed_transactions += 1,
            Outcome::Rejected => self.rejected_transactions += 1,
            Outcome::Aborted => self.aborted_transactions += 1,
            Outcome::Incomplete => self.incomplete_transactions += 1,
        }
        let accepted = |recipient: &&crate::model::Recipient| recipient.outcome == RecipientOutcome::Accepted;
        self.recipients += transaction.recipient_count();
        self.accepted_recipients += transaction.recipients.iter().filter(accepted).count() as u64;
        self.message_bytes += transaction.message.as_ref().map_or(0, |message| message.bytes);
    }
}

/// What was read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Capture {
    /// In the order in which they were read; then those that could not be read.
    pub files: Vec<CaptureFile>,
    /// Whether reading was ended from outside before the inputs were.
    pub interrupted: bool,
    /// Packets in all files.
    pub packets: u64,
    /// Those that are TCP segments.
    pub tcp_segments: u64,
    /// TCP connections.
    pub tcp_connections: u64,
    /// Packets that were cut to a snap length; not printed by itself.
    #[serde(skip)]
    pub cut_packets: u64,
    /// Payload octets of TCP segments that belong to no session and no open connection: late ones of a connection that was
    /// not mail and is over, and resets of unknown ones.
    pub unclaimed_octets: u64,
    /// TCP segments that came through tags, labels or tunnels, by kind; one that came through two kinds counts for both.
    pub encapsulations: BTreeMap<&'static str, u64>,
    /// What became of IP fragments.
    pub fragments: Fragments,
    /// Packets that could not be read as what they claim to be, by kind.
    pub decode_errors: BTreeMap<&'static str, u64>,
    /// How often each limit was reached.
    pub limits_reached: BTreeMap<&'static str, u64>,
}

impl Capture {
    /// Counts limits that were reached, each by its name.
    pub(crate) fn count_limits(&mut self, reached: impl IntoIterator<Item = (&'static str, u64)>) {
        for (limit, times) in reached.into_iter().filter(|&(_, times)| times > 0) {
            *self.limits_reached.entry(limit).or_default() += times;
        }
    }
}

/// What became of fragments of IP datagrams that may carry TCP, tunnels included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Fragments {
    /// Fragments in the capture.
    pub fragments: u64,
    /// Datagrams that were put together.
    pub reassembled: u64,
    /// Fragments that contradict what was there before them: in IPv4 the octet captured first counts, in IPv6 the datagram
    /// is dropped.
    pub overlapping: u64,
    /// Fragments that came again when their datagram was whole already, as span ports show them.
    pub copies: u64,
    /// Fragments of datagrams that did not become whole.
    pub unused: u64,
}

impl From<FragmentCounts> for Fragments {
    fn from(counts: FragmentCounts) -> Self {
        Self {
            fragments: counts.fragments,
            reassembled: counts.reassembled,
            overlapping: counts.overlapping,
            copies: counts.copies,
            unused: counts.abandoned + counts.waiting,
        }
    }
}

/// One input.
#[derive(Debug, Clone, Serialize)]
pub struct CaptureFile {
    /// As named on the command line, or found in a directory.
    pub path: String,
    /// `pcap`, `nsecpcap` or `pcapng`; `None` where it is none of them.
    pub format: Option<&'static str>,
    /// How it is compressed.
    pub compression: Option<&'static str>,
    /// Whole packets read.
    pub packets: u64,
    /// Octets read.
    pub octets: u64,
    /// Earliest packet.
    pub first_seen: Option<Time>,
    /// Latest packet.
    pub last_seen: Option<Time>,
    /// Whether it ends in the middle of a record.
    pub truncated: bool,
    /// Why it could not be read to its end, with the offset.
    pub error: Option<String>,
    /// What of it was passed over, and what it says of itself.
    #[serde(flatten)]
    pub condition: Condition,
}

impl CaptureFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            format: None,
            compression: None,
            packets: 0,
            octets: 0,
            first_seen: None,
            last_seen: None,
            truncated: false,
            error: None,
            condition: Condition::default(),
        }
    }

    pub(crate) fn unreadable(of: &Unreadable) -> Self {
        Self { error: Some(of.message.clone()), ..Self::new(&of.path) }
    }

    /// Everything that was not read of it, a message each.
    pub fn damages(&self) -> Vec<String> {
        let mut messages = self.condition.damages(&self.path);
        messages.extend(self.error.clone());
        messages
    }

    pub(crate) fn fail(&mut self, error: &capture::Error) {
        self.truncated = error.is_truncation();
        self.error = Some(error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, attempt, recipient, report, response, session, session_of, transaction};

    /// The contract: "in order of first_seen, then key", "#2, #3, … for later connections of the same 4-tuple".
    #[test]
    fn later_connections_of_a_4_tuple_are_numbered_in_order_of_time() {
        let other = Session { client_port: 39_999, ..session() };
        let later = Session { first_seen: at(5), ..session() };
        let report = report(vec![later, session(), other]);
        let keys: Vec<&str> = report.sessions.iter().map(|(key, _)| key.as_str()).collect();
        let expected = [
            "192.0.2.1:39999-198.51.100.25:25",
            "192.0.2.1:40000-198.51.100.25:25",
            "192.0.2.1:40000-198.51.100.25:25#2",
        ];
        assert_eq!(keys, expected);
        assert_eq!(report.sessions.last().map(|(_, session)| session.first_seen), Some(at(5)));
    }

    #[test]
    fn transactions_stand_in_order_of_their_own_time() {
        let first = Transaction { timestamp: at(3), ..transaction("early@example.org", Outcome::Accepted) };
        let second = Transaction { timestamp: at(4), ..transaction("late@example.org", Outcome::Accepted) };
        let opened_later = Session { first_seen: at(2), client_port: 1, ..session_of(vec![first]) };
        let report = report(vec![session_of(vec![second]), opened_later]);
        let senders: Vec<_> = report.transactions().iter().map(|mail| mail.transaction.mail_from.clone()).collect();
        assert_eq!(senders, [Some("early@example.org".into()), Some("late@example.org".into())]);
    }

    #[test]
    fn each_outcome_and_reply_is_counted_once() {
        let outcomes = [Outcome::Accepted, Outcome::Rejected, Outcome::Aborted, Outcome::Incomplete];
        let mut mails = outcomes.map(|outcome| transaction("a@example.org", outcome)).to_vec();
        if let Some(mail) = mails.first_mut() {
            mail.recipients = vec![
                recipient("b@example.net", RecipientOutcome::Accepted),
                recipient("c@example.net", RecipientOutcome::Deferred),
            ];
            mail.further_recipients = 3;
        }
        let auth =
            [AuthOutcome::Success, AuthOutcome::Failure, AuthOutcome::Aborted].map(|outcome| attempt("PLAIN", outcome));
        let responses = ["220 a", "250 b", "354 c", "450 d", "550 e", "199 f"].map(response);
        let session = Session { auth: auth.to_vec(), responses: responses.to_vec(), ..session_of(mails) };
        let expected = Summary {
            total_sessions: 1,
            total_transactions: 4,
            completed_transactions: 1,
            rejected_transactions: 1,
            aborted_transactions: 1,
            incomplete_transactions: 1,
            success_responses: 2,
            intermediate_responses: 1,
            error_responses: 2,
            recipients: 5,
            accepted_recipients: 1,
            auth_attempts: 3,
            auth_successes: 1,
            auth_failures: 1,
            ..Summary::default()
        };
        assert_eq!(report(vec![session]).summary, expected);
    }
}
