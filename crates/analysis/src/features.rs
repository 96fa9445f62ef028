//! The command `features`: one document with everything.

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::message::Message;
use crate::model::{Command, Outcome, Recipient, Response, Session, Via};
use crate::output::codes::{Code, Enhanced};
use crate::output::time::Time;
use crate::report::{Capture, Mail, Report, Summary};

/// Version of the documents' shape. It grows when a field changes its meaning, which is not planned.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the document, indented, with a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, mut out: impl io::Write) -> io::Result<()> {
    let document = Document {
        protocol: "SMTP",
        schema_version: SCHEMA_VERSION,
        summary: &report.summary,
        sessions: Sessions(&report.sessions),
        transactions: report.transactions().into_iter().map(TransactionView).collect(),
        capture: &report.capture,
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    protocol: &'static str,
    schema_version: u32,
    summary: &'a Summary,
    sessions: Sessions<'a>,
    transactions: Vec<TransactionView<'a>>,
    capture: &'a Capture,
}

/// An object in the order of the report.
struct Sessions<'a>(&'a [(String, Session)]);

impl Serialize for Sessions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, session) in self.0 {
            map.serialize_entry(key, session)?;
        }
        map.end()
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
        let Mail { key, session, transaction } = self.0;
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
