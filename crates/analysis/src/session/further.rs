//! What of a session is counted and not kept, so that one without end takes no memory without end.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use smtp_parser::CommandLine;

use super::dialogue::{Dialogue, Stamp};
use super::limits::SessionLimit;
use super::redaction::REDACTED;
use crate::model::{Command, Response};
use crate::output::text;
use crate::report::Summary;

/// Commands, replies, transactions and AUTH exchanges beyond
/// [`Options::records_limit`](crate::session::Options::records_limit), as the totals need them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Further {
    /// All but the sessions and what only a session has.
    pub totals: Summary,
    /// Replies by their codes.
    pub replies: BTreeMap<u16, u64>,
}

impl Further {
    pub(crate) fn add_reply(&mut self, response: &Response) {
        self.totals.add_reply(response);
        *self.replies.entry(response.code.value()).or_default() += 1;
    }

    /// How many replies there are.
    pub fn responses(&self) -> u64 {
        self.replies.values().sum()
    }
}

impl Dialogue {
    /// The command is kept, or counted where there are too many.
    pub(super) fn keep_command(&mut self, line: &CommandLine<'_>, is_secret: bool, at: Stamp) {
        self.command_count += 1;
        if self.commands.len() >= self.options.records_limit.max(1) {
            self.limits.count(SessionLimit::Commands, 1);
            self.further.get_or_insert_default().totals.total_commands += 1;
            return;
        }
        self.commands.push(Command {
            command: match line.known_verb() {
                Some(verb) => SmolStr::new_static(verb.as_str()),
                None if is_secret => SmolStr::new_static(REDACTED),
                None => text(line.verb),
            },
            parameter: self.parameter(line, is_secret),
            timestamp: at.timestamp,
            spot: at.spot(),
        });
    }

    /// The reply is kept with the command it answers, or counted where there are too many or that one is not kept.
    pub(super) fn keep_reply(&mut self, response: Response) {
        self.last_answered = self.last_answered.max(response.command);
        let has_its_command = response.command.is_none_or(|command| command < self.commands.len());
        if has_its_command && self.responses.len() < self.options.records_limit.max(1) {
            self.responses.push(response);
        } else {
            self.limits.count(SessionLimit::Replies, 1);
            self.further.get_or_insert_default().add_reply(&response);
        }
    }
}

impl Serialize for Further {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields {
            commands: usize,
            responses: u64,
            transactions: usize,
            auth: usize,
        }
        Fields {
            commands: self.totals.total_commands,
            responses: self.responses(),
            transactions: self.totals.total_transactions,
            auth: self.totals.auth_attempts,
        }
        .serialize(serializer)
    }
}
