//! The connections of a recording, shared out among tables that know nothing of each other.
//!
//! ```text
//!   segments in their order ─▶ by 4-tuple ─┬▶ table, observer, collector
//!                                          ├▶ table, observer, collector     each in order, all at the same time
//!                                          └▶ …
//! ```
//!
//! There are as many shards for one thread as for a hundred, and which one a connection belongs to does not depend on the
//! run; so neither does what becomes of it. Whatever is limited for all connections together is divided among the shards.

use capture::Segment;
use rayon::prelude::*;
use reassembly::{FlowKey, FlowLimits, FlowTable, LimitCounts};

use crate::connection::{Connection, Observer};
use crate::pipeline::Batch;
use crate::run::Collector;
use crate::session::Options;

/// How many there are. More would keep more cores busy with a recording of few connections at a time, and leave each table
/// less of the limits.
pub(crate) const SHARDS: usize = 16;

/// The number of the shard that a segment belongs to.
pub(crate) fn shard_of(segment: &Segment<'_>) -> usize {
    FlowKey::new(segment.source, segment.destination).share(SHARDS)
}

/// See the module.
pub(crate) struct Shards<C>(Vec<Shard<C>>);

struct Shard<C> {
    table: FlowTable<Connection>,
    observer: Observer<C>,
}

impl<C: Collector> Shards<C> {
    /// Shards without connections, each with a collector of its own.
    pub(crate) fn new(options: Options, limits: FlowLimits, mut collector: impl FnMut() -> C) -> Self {
        let limits = limits.share(SHARDS);
        let shard = |_| Shard { table: FlowTable::new(limits), observer: Observer::new(options, collector()) };
        Self((0..SHARDS).map(shard).collect())
    }

    /// Takes in the next segment, which comes at this moment.
    pub(crate) fn push(&mut self, segment: &Segment<'_>, moment: u64) {
        if let Some(shard) = self.0.get_mut(shard_of(segment)) {
            shard.push(segment, moment);
        }
    }

    /// Takes in the next batches, with the moment of the first packet of each; all threads take part.
    pub(crate) fn push_batches(&mut self, batches: &[(u64, Batch)]) {
        self.0.par_iter_mut().with_max_len(1).enumerate().for_each(|(number, shard)| {
            for (first, batch) in batches {
                for (behind, segment) in batch.segments(number) {
                    shard.push(&segment, first + behind);
                }
            }
        });
    }

    /// Ends all connections: the recording is over.
    pub(crate) fn finish(&mut self) {
        let now = self.0.iter().filter_map(|shard| shard.table.now()).max();
        self.0.par_iter_mut().for_each(|Shard { table, observer }| {
            observer.at(u64::MAX);
            if let Some(now) = now {
                table.pass_time(now, observer);
            }
            table.finish(observer);
        });
    }

    pub(crate) fn collectors(&mut self) -> impl Iterator<Item = &mut C> {
        self.0.iter_mut().map(|shard| shard.observer.collector())
    }

    pub(crate) fn into_collectors(self) -> Vec<C> {
        self.0.into_iter().map(|shard| shard.observer.into_collector()).collect()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.0.iter().map(|shard| shard.table.connections()).sum()
    }

    pub(crate) fn unclaimed_octets(&self) -> u64 {
        self.0.iter().map(|shard| shard.table.unclaimed_octets()).sum()
    }

    /// How often each limit was reached, by its name; a name may come several times.
    pub(crate) fn limits_reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut tables = LimitCounts::default();
        self.0.iter().for_each(|shard| tables.merge(shard.table.limit_counts()));
        let of_tables = [
            ("flows", tables.flows_evicted),
            ("held_octets_per_direction", tables.held_per_direction),
            ("held_octets_per_table", tables.held_per_table),
            ("compared_octets_per_table", tables.compared_per_table),
        ];
        of_tables
            .into_iter()
            .chain(self.0.iter().flat_map(|shard| shard.observer.limits_reached().by_name().collect::<Vec<_>>()))
    }
}

impl<C: Collector> Shard<C> {
    fn push(&mut self, segment: &Segment<'_>, moment: u64) {
        self.observer.at(moment);
        self.table.push(segment, &mut self.observer);
    }
}
