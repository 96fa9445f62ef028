//! The anomalies of a session, up to a limit.

use smtp_parser::{Command, CommandLine, Deviation, Deviations, Reply};

use super::dialogue::Stamp;
use super::redaction::REDACTED;
use crate::anomaly::{Anomaly, AnomalyKind, Role};
use crate::output::excerpt;

/// Keeps the first ones and counts the rest.
#[derive(Debug)]
pub(crate) struct Anomalies {
    limit: usize,
    kept: Vec<Anomaly>,
    further: u64,
}

impl Anomalies {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), further: 0 }
    }

    pub(crate) fn add(&mut self, kind: AnomalyKind, at: Stamp, direction: Role, detail: String) {
        if self.kept.len() < self.limit {
            self.kept.push(Anomaly { kind, timestamp: at.timestamp, direction, offset: at.offset, detail });
        } else {
            self.further += 1;
        }
    }

    /// Those that are kept, and how many more there were.
    pub(crate) fn into_parts(self) -> (Vec<Anomaly>, u64) {
        (self.kept, self.further)
    }
}

impl Anomalies {
    /// What the grammar noticed in a command line.
    pub(super) fn of_command(&mut self, line: &CommandLine<'_>, at: Stamp, is_secret: bool) {
        let shown = || match (is_secret, line.known_verb()) {
            (false, _) => excerpt(&[line.verb, b" ", line.argument].concat()),
            (true, Some(verb)) => format!("{verb} {REDACTED}"),
            (true, None) => REDACTED.to_owned(),
        };
        let mut seen = Vec::new();
        let path = match &line.command {
            Command::Mail { path, .. } | Command::Rcpt { path, .. } => path.deviations,
            _ => Deviations::NONE,
        };
        for deviation in line.deviations.union(path).iter() {
            seen.push(match deviation {
                Deviation::BareLf => AnomalyKind::BareLf,
                Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
                Deviation::Truncated => AnomalyKind::LineTooLong,
                Deviation::LeadingBlank | Deviation::TrailingBlank | Deviation::Unterminated => continue,
                Deviation::MissingArgument => AnomalyKind::InvalidArgument,
                _ => AnomalyKind::PathSyntax,
            });
        }
        match line.command {
            Command::Unknown => seen.push(AnomalyKind::UnknownCommand),
            Command::Invalid { .. } => seen.push(AnomalyKind::InvalidArgument),
            _ => {}
        }
        seen.dedup();
        for kind in seen {
            self.add(kind, at, Role::Client, shown());
        }
    }

    /// What the grammar noticed in a reply.
    pub(super) fn of_reply(&mut self, reply: &Reply<'_>, at: Stamp) {
        for deviation in reply.deviations.iter() {
            let kind = match deviation {
                Deviation::BareLf => AnomalyKind::BareLf,
                Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
                Deviation::Truncated => AnomalyKind::LineTooLong,
                Deviation::MixedCodes => AnomalyKind::MixedReplyCodes,
                Deviation::Unterminated | Deviation::Incomplete => AnomalyKind::UnterminatedReply,
                Deviation::CodeOutOfRange | Deviation::ForeignLine => AnomalyKind::InvalidReply,
                _ => continue,
            };
            self.add(kind, at, Role::Server, excerpt(reply.text));
        }
    }
}
