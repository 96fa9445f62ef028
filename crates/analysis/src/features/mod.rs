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
//! | `batch` | the lines of some sessions |
//! | `frames` | keeps lines compressed |
//! | `document` | all lines, put in order and written |

mod batch;
mod document;
mod frames;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::prelude::*;

use crate::message::Message;
use crate::model::{Late, Session};
use crate::plan::Plan;
use crate::report::{Capture, Report};
use crate::run::{self, Collector};
use crate::session::Options;

pub(crate) use batch::TransactionFields;
use batch::{Batch, Room};
pub use document::Lines;

/// Version of the documents' shape. It grows when a field changes its meaning, which is not planned.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the document of a report, each session and each transaction on a line of its own, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: impl io::Write) -> io::Result<()> {
    let made = Mutex::default();
    let sessions: Vec<&Session> = report.sessions.iter().map(|(_, session)| session).collect();
    let batches = sessions.par_chunks(BATCH_SESSIONS).enumerate();
    batches.for_each_init(Room::default, |room, (number, batch)| make(&made, number, batch.iter().copied(), room));
    lines(made, BTreeMap::new())?.write(&report.capture, out)
}

/// Reads all inputs of a plan and makes the lines meanwhile: one thread reads, `jobs` minus one others make lines, and the
/// reader makes them itself where these do not keep up. The number of threads changes no octet of the document.
///
/// # Errors
/// Where a thread cannot be started, and where a record cannot be written as JSON, which no record of ours brings about.
pub fn read(plan: &Plan, options: Options, jobs: NonZeroUsize) -> io::Result<(Lines, Capture)> {
    let helpers = jobs.get() - 1;
    let made = Mutex::default();
    let (to_helpers, batches) = mpsc::sync_channel::<(usize, Vec<Session>)>(2 * helpers);
    let batches = Mutex::new(batches);
    // Memory goes back by the thread that asked for it: the usual allocator has the threads wait for each other at every
    // piece that another one gives back. That is also why both channels have their room from the start.
    let (give_back, used) = mpsc::sync_channel::<Vec<Session>>(4 * helpers);
    let (capture, late) = thread::scope(|scope| -> io::Result<_> {
        // Dropped at the end of this block, which is what ends the helpers.
        let to_helpers = to_helpers;
        for _ in 0..helpers {
            let (made, batches, give_back) = (&made, &batches, give_back.clone());
            thread::Builder::new().name("lines".to_owned()).spawn_scoped(scope, move || {
                let mut room = Room::default();
                let next = || locked(batches).recv();
                while let Ok((number, sessions)) = next() {
                    make(made, number, &sessions, &mut room);
                    // Where the reader is too busy to take them back, they go here.
                    let _ = give_back.try_send(sessions);
                }
            })?;
        }
        let (mut number, mut room) = (0, Room::default());
        let hand_over = |sessions: Vec<Session>| {
            used.try_iter().for_each(drop);
            if let Err(TrySendError::Full((number, sessions)) | TrySendError::Disconnected((number, sessions))) =
                to_helpers.try_send((number, sessions))
            {
                make(&made, number, &sessions, &mut room);
            }
            number += 1;
        };
        let mut waiting = Waiting { sessions: Vec::new(), weight: 0, late: BTreeMap::new(), hand_over };
        let capture = run::read(plan, options, &mut waiting);
        let Waiting { sessions, late, mut hand_over, .. } = waiting;
        hand_over(sessions);
        Ok((capture, late))
    })?;
    Ok((lines(made, late)?, capture))
}

/// Batches as they are made, in any order, each with its number.
type Made = Mutex<Vec<(usize, io::Result<Batch>)>>;

/// Makes the lines of the batch of this number.
fn make<'a>(made: &Made, number: usize, sessions: impl IntoIterator<Item = &'a Session>, room: &mut Room) {
    let batch = Batch::of(sessions, room);
    locked(made).push((number, batch));
}

fn lines(made: Made, late: BTreeMap<u64, Late>) -> io::Result<Lines> {
    let mut batches = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    batches.sort_unstable_by_key(|&(number, _)| number);
    let batches: io::Result<Vec<Batch>> = batches.into_iter().map(|(_, batch)| batch).collect();
    Ok(Lines::new(batches?, late))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sessions that wait until there are enough of them for a batch.
struct Waiting<F> {
    sessions: Vec<Session>,
    /// Their commands and replies, and the octets of their messages.
    weight: usize,
    late: BTreeMap<u64, Late>,
    hand_over: F,
}

impl<F: FnMut(Vec<Session>)> Collector for Waiting<F> {
    fn session(&mut self, session: Session) {
        let messages = session.transactions.iter().filter_map(|transaction| transaction.message.as_ref());
        let octets: usize = messages.map(Message::kept_octets).sum();
        self.weight += session.commands.len() + session.responses.len() + octets / OCTETS_AS_ONE;
        self.sessions.push(session);
        if self.weight >= BATCH_WEIGHT || self.sessions.len() >= BATCH_SESSIONS {
            self.weight = 0;
            (self.hand_over)(std::mem::take(&mut self.sessions));
        }
    }

    fn late(&mut self, number: u64, late: Late) {
        self.late.entry(number).and_modify(|earlier| *earlier = earlier.and(late)).or_insert(late);
    }
}

/// Sessions whose lines one thread makes at a time.
const BATCH_SESSIONS: usize = 256;

/// Commands and replies that fill a batch earlier: about a megabyte of lines.
const BATCH_WEIGHT: usize = 4096;

/// Octets of messages that weigh as much as a command: a megabyte of them fills a batch, so that those that wait to be read
/// take little memory.
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
        let made = Made::default();
        make(&made, 0, &sessions, &mut Room::default());
        let more = DirectionOctets { payload: 7, retransmitted: 5, discarded: 2, ..DirectionOctets::default() };
        let late = Late { last_seen: at(77), octets: Octets { server: more, ..Octets::default() } };
        let mut out = Vec::new();
        let lines = lines(made, [(1, late)].into()).expect("lines");
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
