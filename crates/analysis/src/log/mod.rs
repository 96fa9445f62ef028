//! The command `log`: a line of JSON for each transaction and each session, written as they end.
//!
//! ```text
//!   sessions as they end ─▶ lines (any thread) ─▶ in the order of the ends ─▶ written, and forgotten
//! ```
//!
//! Nothing is kept of a session that has ended but its number and what the rules keep for their findings, both up to a limit,
//! so memory does not grow with the recording. A packet that comes behind the end of its session changes nothing: the line is
//! out already. The findings stand behind the last session.

use std::io;
use std::net::IpAddr;
use std::ops::Range;

use serde::Serialize;

use crate::features::Texts;
use crate::insights::FindingOptions;
use crate::insights::finding::Finding;
use crate::insights::rules::Rules;
use crate::model::{Late, Session};
use crate::numbers::Numbers;
use crate::output::json;
use crate::output::time::Time;
use crate::plan::Plan;
use crate::report::{Capture, Summary};
use crate::run::{self, Collector};
use crate::session::{LimitsReached, Options};
use crate::shards::SHARDS;

pub use crate::numbers::SESSION_KEYS;

/// Reads all inputs of a plan and writes the lines meanwhile, those of each session when it ends. The number of threads of the
/// pool it is called in changes no octet of them.
///
/// # Errors
/// Those of the writer. Nothing more is read then.
pub fn read<W: io::Write>(
    plan: &Plan,
    options: Options,
    findings: Option<&FindingOptions>,
    out: W,
) -> io::Result<(Log<W>, Capture)> {
    read_within(plan, options, findings, SESSION_KEYS, out)
}

/// The same with another limit of sessions whose ends are remembered, for the keys of later ones.
///
/// # Errors
/// Those of the writer.
pub fn read_within<W: io::Write>(
    plan: &Plan,
    options: Options,
    findings: Option<&FindingOptions>,
    session_keys: usize,
    out: W,
) -> io::Result<(Log<W>, Capture)> {
    let mut log = Log::new(out);
    let collector = || Logging::new(session_keys / SHARDS, findings);
    let (collectors, mut capture) = run::read(plan, options, collector, |collectors| log.settle(collectors));
    if let Some(failure) = log.failure {
        return Err(failure);
    }
    let mut rules: Option<Rules> = None;
    for collector in collectors {
        log.summary.merge(&collector.summary);
        capture.count_limits(collector.limits.by_name());
        capture.count_limits([("session_keys", collector.numbers.forgotten())]);
        match (&mut rules, collector.rules) {
            (Some(whole), Some(part)) => whole.merge(part),
            (whole, part) => *whole = part,
        }
    }
    if let Some(rules) = rules {
        let found = rules.finish(&capture);
        capture.count_limits(found.limits);
        log.findings = found.findings;
    }
    Ok((log, capture))
}

/// What was written so far, but for the last line.
#[derive(Debug)]
pub struct Log<W> {
    out: W,
    /// Where the lines of each session are, by the end: the moment, the number of the collector, and the place there. Its memory
    /// is used again.
    order: Vec<(u64, usize, Range<usize>)>,
    summary: Summary,
    findings: Vec<Finding>,
    failure: Option<io::Error>,
}

impl<W: io::Write> Log<W> {
    fn new(out: W) -> Self {
        Self { out, order: Vec::new(), summary: Summary::default(), findings: Vec::new(), failure: None }
    }

    /// Writes what the collectors have, in the order of the ends. Whether reading may go on.
    fn settle(&mut self, collectors: &mut dyn Iterator<Item = &mut Logging>) -> bool {
        let mut collectors: Vec<&mut Logging> = collectors.collect();
        for (number, collector) in collectors.iter_mut().enumerate() {
            self.order.extend(collector.ready.ended.drain(..).map(|(moment, lines)| (moment, number, lines)));
            if self.failure.is_none() {
                self.failure = collector.failure.take();
            }
        }
        // Of what ended at one moment, a collector's own order stays.
        self.order.sort_by_key(|&(moment, ..)| moment);
        for (_, number, lines) in self.order.drain(..) {
            let text = collectors.get(number).and_then(|collector| collector.ready.text.get(lines)).unwrap_or_default();
            if self.failure.is_none() {
                self.failure = self.out.write_all(text).err();
            }
        }
        collectors.iter_mut().for_each(|collector| collector.ready.clear());
        self.failure.is_none()
    }

    /// What was found, the worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Writes the findings and the last line: the totals, and what was read.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self, capture: &Capture) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'static str,
            summary: &'a Summary,
            capture: &'a Capture,
        }
        #[derive(Serialize)]
        struct FindingLine<'a> {
            r#type: &'static str,
            #[serde(flatten)]
            finding: &'a Finding,
        }
        for finding in &self.findings {
            serde_json::to_writer(&mut self.out, &FindingLine { r#type: "finding", finding })?;
            self.out.write_all(b"\n")?;
        }
        serde_json::to_writer(&mut self.out, &Line { r#type: "capture", summary: &self.summary, capture })?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// Makes the lines of sessions as they end.
struct Logging {
    numbers: Numbers,
    rules: Option<Rules>,
    texts: Texts,
    ready: Lines,
    summary: Summary,
    /// Limits that were reached in the bodies of messages, which are read here.
    limits: LimitsReached,
    failure: Option<io::Error>,
}

/// Lines that are ready to be written.
#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    /// Each session's moment and the place of its lines.
    ended: Vec<(u64, Range<usize>)>,
}

/// Memory for lines that is kept for the next ones. Those of one session may take much more.
const KEPT_OCTETS: usize = 256 << 10;

impl Lines {
    fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT_OCTETS);
    }
}

impl Collector for Logging {
    fn session(&mut self, session: Session, moment: u64) {
        if self.failure.is_none() {
            self.failure = self.add(&session, moment).err();
        }
    }

    /// The line is out.
    fn late(&mut self, _: u64, _: Late) {}
}

impl Logging {
    fn new(session_keys: usize, findings: Option<&FindingOptions>) -> Self {
        Self {
            numbers: Numbers::new(session_keys),
            rules: findings.map(Rules::new),
            texts: Texts::default(),
            ready: Lines::default(),
            summary: Summary::default(),
            limits: LimitsReached::default(),
            failure: None,
        }
    }

    /// The transactions of a session, then the session.
    fn add(&mut self, session: &Session, moment: u64) -> io::Result<()> {
        self.summary.add(session);
        let id = self.numbers.id(session.four_tuple());
        let key = id.to_string();
        if let Some(rules) = &mut self.rules {
            rules.session(session, id);
        }
        let text = &mut self.ready.text;
        let start = text.len();
        let of_session = self.texts.of(session, &mut self.limits, |transaction, fields| {
            let place = TransactionPlace {
                r#type: "transaction",
                timestamp: transaction.timestamp,
                session: &key,
                client_ip: session.client_ip,
                client_port: session.client_port,
                server_ip: session.server_ip,
                server_port: session.server_port,
            };
            append_line(text, &place, fields)
        })?;
        let place = SessionPlace { r#type: "session", session: &key };
        append_line(text, &place, of_session.get(1..).unwrap_or_default())?;
        self.ready.ended.push((moment, start..text.len()));
        Ok(())
    }
}

/// What stands in front of a transaction's fields.
#[derive(Serialize)]
struct TransactionPlace<'a> {
    r#type: &'static str,
    timestamp: Time,
    session: &'a str,
    client_ip: IpAddr,
    client_port: u16,
    server_ip: IpAddr,
    server_port: u16,
}

/// What stands in front of a session's fields.
#[derive(Serialize)]
struct SessionPlace<'a> {
    r#type: &'static str,
    session: &'a str,
}

/// Appends an object that begins with `place` and goes on with `fields`, which are an object without its opening brace.
fn append_line(text: &mut Vec<u8>, place: &impl Serialize, fields: &[u8]) -> io::Result<()> {
    json::append(text, place)?;
    if let Some(brace) = text.last_mut() {
        *brace = b',';
    }
    text.extend_from_slice(fields);
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{DirectionOctets, Octets, Outcome};
    use crate::samples::{at, session_of, transaction};

    /// A session with these mails from a client's port.
    fn session(port: u16, senders: &[&str]) -> Session {
        let mails = senders.iter().map(|sender| transaction(sender, Outcome::Aborted)).collect();
        Session { client_port: port, ..session_of(mails) }
    }

    /// The lines when collectors that were given these sessions, each with its moment, are settled behind each group.
    fn lines<const N: usize>(groups: &[[Vec<(u64, Session)>; N]]) -> Vec<Value> {
        let mut log = Log::new(Vec::new());
        let mut collectors: [Logging; N] = std::array::from_fn(|_| Logging::new(10, None));
        for group in groups {
            for (collector, sessions) in collectors.iter_mut().zip(group) {
                sessions.iter().for_each(|(moment, session)| collector.session(session.clone(), *moment));
            }
            assert!(log.settle(&mut collectors.iter_mut()));
        }
        let text = String::from_utf8(log.out).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn brief(line: &Value) -> String {
        let key = line["session"].as_str().expect("a key").trim_start_matches("192.0.2.1:");
        let key = key.replace("-198.51.100.25:25", "");
        format!("{} {key}", line.get("mail_from").unwrap_or(&line["type"]).as_str().expect("a text"))
    }

    /// The contract: "In the order in which things end in the recording"; a session's transactions have ended before it.
    #[test]
    fn lines_come_in_the_order_of_the_ends_transactions_before_their_session() {
        let first = [
            vec![(4, session(1, &["a", "b"])), (9, session(2, &[]))],
            vec![(3, session(11, &["c"])), (7, session(12, &["d"])), (7, session(13, &["e"]))],
        ];
        let second = [vec![(12, session(1, &["f"]))], vec![]];
        let third = [vec![(u64::MAX, session(3, &[]))], vec![(u64::MAX, session(14, &[]))]];
        let briefs: Vec<String> = lines(&[first, second, third]).iter().map(brief).collect();
        let expected = [
            "c 11",
            "session 11",
            "a 1",
            "b 1",
            "session 1",
            "d 12",
            "session 12",
            "e 13",
            "session 13",
            "session 2",
            "f 1#2",
            "session 1#2",
            "session 3",
            "session 14",
        ];
        assert_eq!(briefs, expected);
    }

    /// The contract: "a session without its transactions, a transaction with its session's key and 4-tuple".
    #[test]
    fn a_line_says_what_it_is_and_whose() {
        let lines = lines(&[[vec![(0, session(1, &["a"]))]]]);
        let [mail, session] = lines.try_into().expect("two lines");
        for (line, r#type) in [(&mail, "transaction"), (&session, "session")] {
            assert_eq!(line["type"], r#type);
            assert_eq!(line["session"], "192.0.2.1:1-198.51.100.25:25");
            assert_eq!((&line["client_ip"], &line["client_port"]), (&"192.0.2.1".into(), &1.into()));
            assert_eq!((&line["server_ip"], &line["server_port"]), (&"198.51.100.25".into(), &25.into()));
        }
        assert_eq!((&mail["timestamp"], &mail["outcome"]), (&0.0.into(), &"aborted".into()));
        assert_eq!((session["transaction_count"].as_u64(), session.get("transactions")), (Some(1), None));
    }

    #[test]
    fn what_comes_behind_the_end_of_a_session_changes_nothing() {
        let ended = session(1, &[]);
        let mut log = Log::new(Vec::new());
        let mut collector = Logging::new(10, None);
        collector.session(ended.clone(), 0);
        let more = DirectionOctets { payload: 7, ..DirectionOctets::default() };
        collector.late(0, Late { last_seen: at(77), octets: Octets { server: more, ..Octets::default() } });
        assert!(log.settle(&mut [&mut collector].into_iter()));
        let line: Value = serde_json::from_slice(&log.out).expect("one line");
        assert_eq!(line["last_seen"].as_f64(), Some(9.0));
        assert_eq!(line["octets"]["server"]["payload"], 0);
    }

    /// Nothing is read behind a failure, and it is told.
    #[test]
    fn where_writing_fails_nothing_more_is_wanted() {
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut log = Log::new(Closed);
        let mut collector = Logging::new(10, None);
        assert!(log.settle(&mut [&mut collector].into_iter()), "nothing was written");
        collector.session(session(1, &[]), 0);
        assert!(!log.settle(&mut [&mut collector].into_iter()));
        assert_eq!(log.failure.map(|e| e.kind()), Some(io::ErrorKind::BrokenPipe));
    }

    /// A long session leaves no memory behind.
    #[test]
    fn memory_for_lines_is_used_again_and_does_not_stay_large() {
        let mut log = Log::new(Vec::new());
        let mut collector = Logging::new(10, None);
        let long = "x".repeat(2 * KEPT_OCTETS);
        for round in 0..4 {
            collector.session(session(1, &[&long]), round);
            assert!(log.settle(&mut [&mut collector].into_iter()));
        }
        assert!(log.out.len() > 8 * KEPT_OCTETS && collector.ready.text.capacity() <= KEPT_OCTETS);
    }
}
