//! Where commands go on behind a gap: at the next line that can be one; and what stood before the capture's beginning.
//!
//! What is lost may be the very command that says what comes behind it: `BDAT 9000 LAST`, DATA, AUTH. Then the lines
//! there are no commands, and the server answers none of them. They are passed over.

use smtp_parser::{Command, CommandLine};

use super::dialogue::{Dialogue, Stamp};
use super::pending::{Kind, Pending};
use crate::anomaly::{AnomalyKind, Role};
use crate::output::time::Time;
use crate::transaction::Place;

/// What was passed over since the gap.
#[derive(Debug, Default)]
pub(super) struct Resumption {
    /// The first line.
    first: Option<Stamp>,
    /// Up to where the client had received the server's stream when it sent the last of them.
    acknowledged: Option<u64>,
}

impl Dialogue {
    /// Whether a line behind a gap is none that the server will answer.
    ///
    /// The first one is a command if it reads like one. Behind lines that do not, a client that was sending a message has
    /// come to its end when it begins a segment with a command (clients send whole lines), or when it has heard more of
    /// the server.
    pub(super) fn passes_over(&mut self, line: &CommandLine<'_>, at: Stamp) -> bool {
        let Some(resumption) = &mut self.resumption else { return false };
        let is_first = resumption.first.is_none();
        let follows_an_answer = at.acknowledged > resumption.acknowledged;
        let reads_like_one = !matches!(line.command, Command::Unknown | Command::Invalid { .. });
        if reads_like_one && (is_first || follows_an_answer || at.offset == self.segment_begin) {
            self.resume(at);
            return false;
        }
        resumption.first.get_or_insert(at);
        resumption.acknowledged = resumption.acknowledged.max(at.acknowledged);
        true
    }

    /// The client's octets are none that can be read, from here on.
    pub(super) fn pass_over_from(&mut self, at: Stamp) {
        self.resumption = Some(Resumption { first: Some(at), acknowledged: at.acknowledged });
    }

    /// What the client's octets are is known again, from here on.
    pub(super) fn resume(&mut self, at: Stamp) {
        let Some(Resumption { first: Some(first), .. }) = self.resumption.take() else { return };
        let octets = at.offset.saturating_sub(first.offset);
        let detail = format!("{octets} octets passed over");
        self.anomalies.add(AnomalyKind::CommandGap, first, Role::Client, detail);
    }

    /// The capture begins in a message, of which so many octets were passed over already: its envelope is not known.
    pub(super) fn begin_amid_content(&mut self, passed_over: u64, timestamp: Time) {
        self.data_command = None;
        self.begin_content(timestamp);
        if let Some(body) = self.receiving() {
            body.lack_part();
            body.pass_over(passed_over);
        }
        self.transactions.message_is_under_way(Place { command: None, timestamp });
    }

    /// The capture begins in a command, of which the rest was passed over.
    pub(super) fn command_before(&mut self) {
        self.uncounted = true;
        let (kind, place) =
            (Kind::Lost { answered: false, several: false }, Place { command: None, timestamp: Time::default() });
        self.queue.push(Pending { kind, place, acknowledged: None, abandoned: None });
    }

    /// Whether nothing behind the gap could be read as a command so far.
    pub(super) fn is_lost(&self) -> bool {
        self.resumption.is_some()
    }
}
