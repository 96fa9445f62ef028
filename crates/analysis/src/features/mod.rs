//! The command `features`: one document with everything.
//!
//! ```text
//!   sessions as they end ─▶ batches ─▶ lines (any thread) ─▶ kept, compressed ─▶ in order, each with its key ─▶ document
//! ```
//!
//! A session's line is made when the session ends, so that its record can go; what is kept is compressed text. Where a line stands
//! in the document, and which number its session has among those of the same 4-tuple, is known only in the end.
//!
//! | module | what it is for |
//! |---|---|
//! | `texts` | the text of a session and those of its transactions |
//! | `batch` | the lines of some sessions |
//! | `frames` | keeps lines compressed |
//! | `document` | all lines, put in order and written |

mod batch;
mod document;
mod frames;
mod texts;

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;

use crate::message::Message;
use crate::model::{Late, Session};
use crate::plan::Plan;
use crate::report::{Capture, Report};
use crate::run::{self, Collector};
use crate::session::Options;

use batch::{Batch, Room};
pub use document::Lines;
pub(crate) use texts::{Texts, TransactionFields};

/// Version of the documents' shape. It grows when a field changes its meaning, which is not planned.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the document of a report, each session and each transaction on a line of its own, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: impl io::Write) -> io::Result<()> {
    let sessions: Vec<&Session> = report.sessions.iter().map(|(_, session)| session).collect();
    let chunks = sessions.par_chunks(BATCH_SESSIONS);
    let batches = chunks.map_init(Room::default, |room, batch| Batch::of(batch.iter().copied(), room));
    Lines::new(batches.collect::<io::Result<_>>()?, BTreeMap::new()).write(&report.capture, out)
}

/// Reads all inputs of a plan and makes the lines meanwhile, by all threads of the pool it is called in. Their number changes
/// no octet of the document.
///
/// # Errors
/// Where a record cannot be written as JSON, which no record of ours brings about.
pub fn read(plan: &Plan, options: Options) -> io::Result<(Lines, Capture)> {
    let (shards, capture) = run::read(plan, options, Waiting::default, |_| true);
    let (mut batches, mut late, mut sessions) = (Vec::new(), BTreeMap::new(), 0);
    for mut shard in shards {
        shard.make();
        late.extend(shard.late.into_iter().map(|(number, late)| (sessions + number, late)));
        sessions += shard.sessions;
        batches.extend(shard.made);
    }
    let batches: io::Result<Vec<Batch>> = batches.into_iter().collect();
    Ok((Lines::new(batches?, late), capture))
}

/// The lines of a collector's sessions, and sessions that wait until there are enough of them for a batch.
#[derive(Default)]
struct Waiting {
    waiting: Vec<Session>,
    /// Their commands and replies, and the octets of their messages.
    weight: usize,
    /// By the number of the session.
    late: BTreeMap<u64, Late>,
    room: Room,
    made: Vec<io::Result<Batch>>,
    /// How many sessions came.
    sessions: u64,
}

impl Waiting {
    fn make(&mut self) {
        if !self.waiting.is_empty() {
            self.made.push(Batch::of(&self.waiting, &mut self.room));
            self.waiting.clear();
            self.weight = 0;
        }
    }
}

impl Collector for Waiting {
    fn session(&mut self, session: Session, _: u64) {
        let messages = session.transactions.iter().filter_map(|transaction| transaction.message.as_ref());
        let octets: usize = messages.map(Message::kept_octets).sum();
        self.weight += session.commands.len() + session.responses.len() + octets / OCTETS_AS_ONE;
        self.sessions += 1;
        self.waiting.push(session);
        if self.weight >= BATCH_WEIGHT || self.waiting.len() >= BATCH_SESSIONS {
            self.make();
        }
    }

    fn late(&mut self, number: u64, late: Late) {
        self.late.entry(number).and_modify(|earlier| *earlier = earlier.and(late)).or_insert(late);
    }
}

/// Sessions whose lines are made at a time.
const BATCH_SESSIONS: usize = 64;

/// Commands and replies that fill a batch earlier: about a quarter of a megabyte of lines.
const BATCH_WEIGHT: usize = 1024;

/// Octets of messages that weigh as much as a command: a quarter of a megabyte of them fills a batch, so that those that wait
/// to be read take little memory.
const OCTETS_AS_ONE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Role;
    use crate::model::{DirectionOctets, Octets, Outcome};
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

    /// The contract: `last_seen` is the last packet of the connection, and `octets` counts all of its payload, although
    /// its line was made before they came.
    #[test]
    fn what_comes_behind_the_end_of_a_session_counts() {
        let sessions = [1, 2].map(|port| Session { client_port: port, ..session_of(Vec::new()) });
        let batch = Batch::of(&sessions, &mut Room::default()).expect("a batch");
        let more = DirectionOctets { payload: 7, retransmitted: 5, discarded: 2, ..DirectionOctets::default() };
        let late = Late { last_seen: at(77), octets: Octets { server: more, ..Octets::default() } };
        let mut out = Vec::new();
        let lines = Lines::new(vec![batch], [(1, late)].into());
        lines.write(&Capture::default(), &mut out).expect("a vector takes everything");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let session = |port| value.pointer(&format!("/sessions/192.0.2.1:{port}-198.51.100.25:25")).expect("a session");
        assert_eq!((&session(1)["last_seen"], &session(2)["last_seen"]), (&9.0.into(), &77.0.into()));
        let mut first = session(1).clone();
        for (figure, more) in [("payload", 7), ("retransmitted", 5), ("discarded", 2)] {
            let before = first["octets"]["server"][figure].as_u64().expect("a figure");
            first["octets"]["server"][figure] = (before + more).into();
        }
        assert_eq!(first["octets"], session(2)["octets"]);
        assert_ne!(session(1)["octets"], session(2)["octets"]);
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
