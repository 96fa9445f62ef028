//! The command `extract`: messages as files, byte for byte, and an index of them.
//!
//! ```text
//!   octets of messages ─▶ spool ─┐ session ends                  in the order of the ends
//!   sessions as they end ────────┴─▶ selected? ─▶ fields (any thread) ─▶ file in the directory, line of the index
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | `select` | which mails are wanted |
//! | `attachments` | what of a message is attached, on request |
//! | `name` | names of files made from what the wire says |
//! | `directory` | files get their names there, and nowhere else |
//! | `index` | the lines, in order |

mod attachments;
mod directory;
mod index;
mod name;
mod select;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::features::TransactionFields;
use crate::message::mime::MimeOptions;
use crate::model::{FourTuple, Late, Response, Session, Transaction};
use crate::output::json;
use crate::output::time::Time;
use crate::plan::Plan;
use crate::report::Capture;
use crate::run::{self, Collector};
use crate::session::{LimitsReached, Options};
use crate::spool::{Gap, Spool, SpoolError, SpoolLimits, Spooled};

use attachments::Attachment;
use directory::{Directory, INDEX, Kind};
use index::Index;
use name::Name;
pub use select::{Patterns, Selection};

/// What is to be extracted, and where to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Everything is written here. It is made if it is not there, and has no index yet.
    pub directory: PathBuf,
    /// Which mails.
    pub selection: Selection,
    /// Whether attachments are written, too.
    pub attachments: bool,
}

/// Why nothing more could be extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory cannot be made or written to.
    #[error("{}: cannot write to this directory", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another extraction has written to the directory.
    #[error("{} is there already and is not overwritten; name another directory", path.display())]
    IndexExists {
        /// The index.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{}: cannot write; files with names are whole, but there is no index of them", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A message cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A record cannot be written as JSON, which no record of ours brings about.
    #[error("cannot write a transaction as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reads all inputs of a plan and writes the messages that are wanted, each when its session ends.
///
/// # Errors
/// Where the directory or something in it cannot be written.
pub fn read(plan: &Plan, options: Options, wanted: Wanted) -> Result<(Extraction, Capture), Error> {
    let mut extraction = Extraction::new(wanted, options.message.mime())?;
    let (wanted, spool) = (extraction.wanted.clone(), extraction.spool.clone());
    let collector = || Selecting::new(wanted.clone(), spool.clone());
    let (collectors, mut capture) = run::read(plan, options, collector, |collectors| extraction.settle(collectors));
    if let Some(failure) = extraction.failure() {
        return Err(failure);
    }
    capture.count_limits(collectors.iter().flat_map(|collector| collector.limits.by_name()));
    Ok((extraction, capture))
}

/// Picks out the mails that are wanted, and makes their lines as far as they are known.
struct Selecting {
    wanted: Arc<Wanted>,
    spool: Spool,
    /// What was picked out and not taken yet.
    ready: Vec<Ended>,
    /// Limits that were reached in the parts of messages.
    limits: LimitsReached,
    failure: Option<Error>,
}

/// A session that has ended, with those of its mails that are wanted.
struct Ended {
    moment: u64,
    first_seen: Time,
    four_tuple: FourTuple,
    mails: Vec<Mail>,
}

impl Collector for Selecting {
    fn session(&mut self, mut session: Session, moment: u64) {
        if self.failure.is_some() || self.spool.has_failed() {
            return;
        }
        let transactions = std::mem::take(&mut session.transactions);
        match self.select(&session, transactions) {
            Ok(mails) => {
                let (first_seen, four_tuple) = (session.first_seen, session.four_tuple());
                self.ready.push(Ended { moment, first_seen, four_tuple, mails });
            }
            Err(e) => self.failure = Some(e),
        }
    }

    /// Nothing in the index depends on it.
    fn late(&mut self, _: u64, _: Late) {}

    fn spool(&self) -> Option<Spool> {
        Some(self.spool.clone())
    }
}

impl Selecting {
    fn new(wanted: Arc<Wanted>, spool: Spool) -> Self {
        Self { wanted, spool, ready: Vec::new(), limits: LimitsReached::default(), failure: None }
    }

    fn select(&mut self, session: &Session, transactions: Vec<Transaction>) -> Result<Vec<Mail>, Error> {
        let mut mails = Vec::new();
        if !self.wanted.selection.may_want(session.four_tuple()) {
            return Ok(mails);
        }
        for mut transaction in transactions {
            let whole = transaction.message.as_mut().and_then(|message| message.whole.0.take());
            let Some((whole, message)) = whole.zip(transaction.message.as_ref()) else { continue };
            let fields = message.fields();
            if !self.wanted.selection.wants(&transaction, &fields) {
                continue;
            }
            if let Some(mime) = message.mime() {
                self.limits.count_body(&mime.reached);
            }
            let sender = transaction.mail_from.as_deref();
            mails.push(Mail {
                timestamp: transaction.timestamp,
                fields: fields_of(&transaction, session)?,
                name: name::of_message(transaction.timestamp, sender, fields.subject.as_deref(), &whole.sha256()),
                is_complete: message.complete,
                attachments: attachments::of(message),
                whole: *whole,
            });
        }
        Ok(mails)
    }
}

/// What was extracted so far.
#[derive(Debug)]
pub struct Extraction {
    wanted: Arc<Wanted>,
    spool: Spool,
    directory: Directory,
    index: Index,
    /// Mails of which the session's key decides whether they are wanted, each with the number of its session.
    waiting: Vec<(usize, Mail)>,
    /// How the parts of messages are read.
    mime: MimeOptions,
    counts: Counts,
    failure: Option<Error>,
}

/// What was extracted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Transactions in the index.
    pub transactions: u64,
    /// Those whose message is not all there.
    pub incomplete: u64,
    /// Octets of their messages.
    pub message_bytes: u64,
    /// Files they are in. Equal messages are in one.
    pub files: usize,
    /// Files with attachments. Equal ones are in one.
    pub attachment_files: usize,
}

/// A mail that is ready to be written.
#[derive(Debug)]
struct Mail {
    timestamp: Time,
    /// The fields of its line, but for what is known when it is written.
    fields: Vec<u8>,
    name: Name,
    is_complete: bool,
    attachments: Vec<Attachment>,
    whole: Spooled,
}

impl Extraction {
    fn new(wanted: Wanted, mime: MimeOptions) -> Result<Self, Error> {
        let directory = Directory::open(&wanted.directory)?;
        let spool = Spool::new(directory.temporary().to_owned(), SpoolLimits::default());
        let index = Index::new(directory.temporary())?;
        Ok(Self {
            wanted: Arc::new(wanted),
            spool,
            directory,
            index,
            waiting: Vec::new(),
            mime,
            counts: Counts::default(),
            failure: None,
        })
    }

    fn failure(&mut self) -> Option<Error> {
        self.failure.take().or_else(|| self.spool.failure().map(Error::from))
    }

    /// Takes what the collectors picked out, in the order of the ends. Whether reading may go on.
    fn settle(&mut self, collectors: &mut dyn Iterator<Item = &mut Selecting>) -> bool {
        let mut ready = Vec::new();
        for collector in collectors {
            ready.append(&mut collector.ready);
            if self.failure.is_none() {
                self.failure = collector.failure.take();
            }
        }
        ready.sort_by_key(|ended| ended.moment);
        for ended in ready {
            if self.failure.is_none()
                && let Err(e) = self.take(ended)
            {
                self.failure = Some(e);
            }
        }
        self.failure.is_none() && !self.spool.has_failed()
    }

    fn take(&mut self, ended: Ended) -> Result<(), Error> {
        let session = self.index.session(ended.first_seen, ended.four_tuple);
        for mail in ended.mails {
            if self.wanted.selection.is_by_session() {
                self.waiting.push((session, mail));
            } else {
                self.place(session, mail)?;
            }
        }
        Ok(())
    }

    /// Writes a mail of this session and its line.
    fn place(&mut self, session: usize, mail: Mail) -> Result<(), Error> {
        let Mail { timestamp, mut fields, name, is_complete, attachments, whole } = mail;
        self.counts.transactions += 1;
        self.counts.incomplete += u64::from(!is_complete);
        self.counts.message_bytes += whole.len();
        // Where not all gaps are known, a second reading would not be the same.
        let attachments = match self.wanted.attachments && whole.further_gaps() == 0 {
            true => Some(self.place_attachments(&whole, &attachments)?),
            false => None,
        };
        let (gaps, further_gaps) = (whole.gaps().to_vec(), whole.further_gaps());
        // Of a message that has not begun there is nothing to be written.
        let path = match is_complete {
            true => Some(self.directory.place(whole, Kind::Message, &name)?),
            false if whole.is_empty() => None,
            false => Some(self.directory.place(whole, Kind::IncompleteMessage, &name.incomplete())?),
        };
        append(
            &mut fields,
            &Placed { path: path.as_deref(), attachments: attachments.as_deref(), gaps: &gaps, further_gaps },
        )?;
        self.index.add(session, timestamp, &fields)
    }

    /// Writes the attachments of a message; gives their names in order.
    fn place_attachments(&mut self, whole: &Spooled, attachments: &[Attachment]) -> Result<Vec<Arc<str>>, Error> {
        let decoded = attachments::decode(whole, attachments, self.mime, &self.spool)?;
        let mut names = Vec::new();
        for (attachment, octets) in attachments.iter().zip(decoded) {
            let name = name::of_attachment(attachment.filename.as_deref(), &octets.sha256());
            names.push(match attachment.is_complete {
                true => self.directory.place(octets, Kind::Attachment, &name)?,
                false => self.directory.place(octets, Kind::IncompleteAttachment, &name.incomplete())?,
            });
        }
        Ok(names)
    }

    /// Writes what has waited, and the index.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn finish(mut self) -> Result<Extracted, Error> {
        let keys = self.index.keys();
        for (session, mail) in std::mem::take(&mut self.waiting) {
            if keys.get(session).is_some_and(|key| self.wanted.selection.wants_session(key)) {
                self.place(session, mail)?;
            }
        }
        let Self { wanted, directory, index, mut counts, .. } = self;
        counts.files = directory.files(Kind::Message) + directory.files(Kind::IncompleteMessage);
        counts.attachment_files = directory.files(Kind::Attachment) + directory.files(Kind::IncompleteAttachment);
        let index = index.finish(&keys, directory.temporary())?;
        directory.finish(index)?;
        Ok(Extracted { index: wanted.directory.join(INDEX), counts })
    }
}

/// The line that is printed about an extraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Where the index is.
    pub index: PathBuf,
    /// What it holds.
    pub counts: Counts,
}

impl Extracted {
    /// Writes one line of JSON: what was extracted, and from which captures.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, capture: &Capture, mut out: impl io::Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            index: &'a str,
            #[serde(flatten)]
            counts: Counts,
            capture: &'a Capture,
        }
        let index = self.index.to_string_lossy();
        serde_json::to_writer(&mut out, &Line { index: &index, counts: self.counts, capture })?;
        out.write_all(b"\n")
    }
}

/// The fields of a transaction as `features` has them, from `mail_from` on, as an object.
fn fields_of(transaction: &Transaction, session: &Session) -> Result<Vec<u8>, Error> {
    let mut fields = Vec::new();
    json::append(&mut fields, &TransactionFields::of(transaction))?;
    let commands = session.commands.get(transaction.commands.clone()).unwrap_or_default();
    let answer = |response: &Response| Response { command: transaction.command_of(response), ..response.clone() };
    let responses: Vec<Response> = transaction.answers(session).map(answer).collect();
    #[derive(Serialize)]
    struct Dialogue<'a> {
        commands: &'a [crate::model::Command],
        responses: Vec<Response>,
    }
    append(&mut fields, &Dialogue { commands, responses })?;
    Ok(fields)
}

/// What of a line is known when the mail is written.
#[derive(Serialize)]
struct Placed<'a> {
    path: Option<&'a str>,
    attachments: Option<&'a [Arc<str>]>,
    gaps: &'a [Gap],
    further_gaps: u64,
}

/// Adds the fields of a structure to those of an object.
fn append(object: &mut Vec<u8>, more: &impl Serialize) -> Result<(), Error> {
    object.pop();
    let comma = object.len();
    json::append(object, more)?;
    if let Some(brace) = object.get_mut(comma) {
        *brace = b',';
    }
    Ok(())
}
