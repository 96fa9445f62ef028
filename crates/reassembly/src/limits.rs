//! Every bound of this crate in one place.

use std::time::Duration;

/// What a [`crate::FlowTable`] may use, and how long it waits. Time is packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLimits {
    /// Connections open at the same time. Beyond it the one silent for the longest ends as evicted.
    pub flows: usize,
    /// Memory for octets that wait, per direction of a connection, in octets; each waiting piece counts
    /// [`crate::FlowLimits::PIECE_OVERHEAD`] more than it holds. Beyond it the hole in front becomes a gap.
    pub held_octets_per_direction: usize,
    /// The same for all connections together.
    pub held_octets_per_table: usize,
    /// The last octets delivered that are kept, per direction of a connection that is followed, to compare what comes
    /// again with them. Rounded down to a power of two; 0 compares nothing.
    pub compared_octets_per_direction: usize,
    /// Memory for them for all connections together, in octets. Beyond it those that have been kept for the longest are
    /// forgotten.
    pub compared_octets_per_table: usize,
    /// Silence after which a connection has ended. RFC 5321 §4.5.3.2's longest timeout is 10 minutes.
    pub idle_time: Duration,
    /// How long a connection that was closed or reset is remembered, so that its late segments do not look like a new
    /// one. RFC 9293 §3.4.2 asks hosts for 2 MSL, that is 4 minutes; common stacks take 60 seconds.
    pub linger_time: Duration,
    /// How long octets that the other side has acknowledged may be late in the capture before they count as missing.
    pub reorder_time: Duration,
}

impl FlowLimits {
    /// The limits of one of several tables that share the connections of a recording: what is limited in a table is divided.
    #[must_use]
    pub fn share(self, of: usize) -> Self {
        let part = |all: usize| all.div_ceil(of.max(1));
        Self {
            flows: part(self.flows),
            held_octets_per_table: part(self.held_octets_per_table),
            compared_octets_per_table: part(self.compared_octets_per_table),
            ..self
        }
    }

    /// What a waiting piece costs besides its octets, in octets.
    pub const PIECE_OVERHEAD: usize = 128;
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            flows: 1_000_000,
            held_octets_per_direction: 1 << 20,
            held_octets_per_table: 64 << 20,
            compared_octets_per_direction: 16 << 10,
            compared_octets_per_table: 64 << 20,
            idle_time: Duration::from_secs(600),
            linger_time: Duration::from_secs(60),
            reorder_time: Duration::from_secs(1),
        }
    }
}

/// How often each limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitCounts {
    /// Connections that ended as evicted.
    pub flows_evicted: u64,
    /// Times a hole became a gap because too many octets of its direction waited behind it.
    pub held_per_direction: u64,
    /// The same because of the table's total.
    pub held_per_table: u64,
    /// Connections whose delivered octets were forgotten, so that what came again could not be compared with them.
    pub compared_per_table: u64,
}

impl LimitCounts {
    /// Adds the counts of another table.
    pub fn merge(&mut self, other: Self) {
        self.flows_evicted += other.flows_evicted;
        self.held_per_direction += other.held_per_direction;
        self.held_per_table += other.held_per_table;
        self.compared_per_table += other.compared_per_table;
    }
}
