//! What of a session is counted and not kept, so that one without end takes no memory without end.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::model::Response;
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
