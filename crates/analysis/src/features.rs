//! The command `features`: one document with everything.

use std::io;

use rayon::prelude::*;
use serde::{Serialize, Serializer};

use crate::message::Message;
use crate::model::{Command, Outcome, Recipient, Response, Via};
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::report::{Mail, Report};

/// Version of the documents' shape. It grows when a field changes its meaning, which is not planned.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the document, each session and each transaction on a line of its own, with a line end.
///
/// The lines are made by all threads and written in order, so that the number of threads changes no octet.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, mut out: impl io::Write) -> io::Result<()> {
    write!(out, "{{\"protocol\":\"SMTP\",\"schema_version\":{SCHEMA_VERSION},\n\"summary\":")?;
    serde_json::to_writer(&mut out, &report.summary)?;
    out.write_all(b",\n\"sessions\":{")?;
    write_lines(&report.sessions, &mut out, |(key, session), line| {
        serde_json::to_writer(&mut *line, key)?;
        line.push(b':');
        serde_json::to_writer(line, session)
    })?;
    out.write_all(b"},\n\"transactions\":[")?;
    write_lines(&report.transactions(), &mut out, |mail, line| serde_json::to_writer(line, &TransactionView(*mail)))?;
    out.write_all(b"],\n\"capture\":")?;
    serde_json::to_writer(&mut out, &report.capture)?;
    out.write_all(b"}\n")
}

/// Writes items with commas between them, a line each. At most [`CHUNKS`] times [`CHUNK_ITEMS`] lines are in memory.
fn write_lines<T: Sync>(
    items: &[T],
    out: &mut impl io::Write,
    write_one: impl Fn(&T, &mut Vec<u8>) -> serde_json::Result<()> + Sync,
) -> io::Result<()> {
    // The buffers are used again: memory asked for and given back for every line costs more than the lines.
    let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); CHUNKS];
    let mut comma = "";
    for batch in items.chunks(CHUNKS * CHUNK_ITEMS) {
        let chunks = batch.par_chunks(CHUNK_ITEMS).zip(&mut buffers);
        chunks.try_for_each(|(chunk, buffer)| {
            buffer.clear();
            chunk.iter().enumerate().try_for_each(|(index, item)| {
                buffer.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
                write_one(item, buffer)
            })
        })?;
        for buffer in buffers.iter().take(batch.len().div_ceil(CHUNK_ITEMS)) {
            out.write_all(comma.as_bytes())?;
            out.write_all(buffer)?;
            comma = ",";
        }
    }
    Ok(())
}

/// Lines that one thread makes at a time.
const CHUNK_ITEMS: usize = 32;

/// Chunks of lines that are made before they are written.
const CHUNKS: usize = 64;

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

/// A transaction as it is printed: with its session's key, its commands and its replies.
pub(crate) struct TransactionView<'a>(pub(crate) Mail<'a>);

impl Serialize for TransactionView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            timestamp: Time,
            session: &'a str,
            mail_from: &'a Option<String>,
            #[serde(serialize_with = "crate::output::pairs_as_map")]
            mail_parameters: &'a [(String, Option<String>)],
            rcpt_to: Vec<&'a str>,
            recipients: &'a [Recipient],
            further_recipients: u64,
            has_data: bool,
            via: Option<Via>,
            outcome: Outcome,
            completed: bool,
            final_response: Option<FinalResponse<'a>>,
            queue_id: &'a Option<String>,
            message: &'a Option<Message>,
            commands: &'a [Command],
            responses: Vec<Response>,
        }
        let Mail { key, session, transaction, .. } = self.0;
        Fields {
            timestamp: transaction.timestamp,
            session: key,
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
            responses: self.0.responses(),
        }
        .serialize(serializer)
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

    /// More than fit in the buffers of one round, so that commas between lines, chunks and rounds all occur.
    #[test]
    fn however_many_sessions_there_are_each_is_one_line_in_order() {
        let count = CHUNKS * CHUNK_ITEMS + CHUNK_ITEMS + 1;
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
