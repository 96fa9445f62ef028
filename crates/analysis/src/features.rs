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
