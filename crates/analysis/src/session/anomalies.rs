//! The anomalies of a session, up to a limit.

use super::dialogue::Stamp;
use crate::anomaly::{Anomaly, AnomalyKind, Role};

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
