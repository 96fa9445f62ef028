//! The inputs of a recording, from their packets to the shards of its connections: in turn, or by all threads.
//!
//! ```text
//!   one thread    inputs ─▶ batch ─▶ the one decoder ─▶ shards
//!
//!   several       ┌ round n + 1:  inputs ─▶ batch ─▶ decoded alone, sorted by shard      (a task a batch)
//!                 └ round n:      shard ◀─ its segments of all batches, in order         (a task a shard)
//!                   between them: fragments ─▶ the one decoder ─▶ into their batch
//! ```
//!
//! Every shard gets the same segments in the same order, however many threads there are: the result is the same.

mod batch;
mod inputs;

use std::collections::BTreeMap;

use capture::{DecodeError, Decoder, Encapsulation, LinkType, Packet};

pub(crate) use batch::Batch;
pub(crate) use inputs::Inputs;

use crate::condition::UnreadLink;
use crate::output::time::Time;
use crate::run::Collector;
use crate::shards::Shards;

/// What was seen of some packets of one input, or of all inputs.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) first: Option<Time>,
    pub(crate) last: Option<Time>,
    pub(crate) unread_link_types: BTreeMap<u32, UnreadLink>,
    pub(crate) tcp_segments: u64,
    /// Packets of which less was captured than there was.
    pub(crate) cut_packets: u64,
    /// Segments that each kind of carrier was around.
    pub(crate) encapsulations: BTreeMap<&'static str, u64>,
    pub(crate) decode_errors: BTreeMap<&'static str, u64>,
}

impl Seen {
    fn packet(&mut self, packet: &Packet<'_>) {
        self.cut_packets += u64::from((packet.data.len() as u64) < u64::from(packet.original_len));
        self.times(Some(Time(packet.timestamp)), Some(Time(packet.timestamp)));
    }

    fn times(&mut self, first: Option<Time>, last: Option<Time>) {
        self.first = self.first.into_iter().chain(first).min();
        self.last = self.last.max(last);
    }

    /// Counts each kind of carrier once for a segment, however often it is around it.
    fn segment(&mut self, encapsulation: &Encapsulation) {
        self.tcp_segments += 1;
        for (place, carrier) in encapsulation.iter().enumerate() {
            if !encapsulation.iter().take(place).any(|outer| outer == carrier) {
                *self.encapsulations.entry(carrier.name()).or_default() += 1;
            }
        }
    }

    fn error(&mut self, packet: &Packet<'_>, error: DecodeError) {
        if let DecodeError::UnsupportedLinkType(LinkType(link_type)) = error {
            let first = UnreadLink { offset: packet.data_at, packets: 0 };
            self.unread_link_types.entry(link_type).or_insert(first).packets += 1;
        }
        *self.decode_errors.entry(error.name()).or_default() += 1;
    }

    /// Adds what was seen of later packets.
    fn merge(&mut self, later: &Self) {
        self.times(later.first, later.last);
        for (&link_type, unread) in &later.unread_link_types {
            let first = UnreadLink { packets: 0, ..*unread };
            self.unread_link_types.entry(link_type).or_insert(first).packets += unread.packets;
        }
        self.tcp_segments += later.tcp_segments;
        self.cut_packets += later.cut_packets;
        add(&mut self.encapsulations, &later.encapsulations);
        add(&mut self.decode_errors, &later.decode_errors);
    }
}

fn add(counts: &mut BTreeMap<&'static str, u64>, more: &BTreeMap<&'static str, u64>) {
    more.iter().for_each(|(&name, count)| *counts.entry(name).or_default() += count);
}

/// Reads all inputs in this thread. `settle` is called after each batch; where it says no, nothing more is read.
pub(crate) fn read_in_turn<C: Collector>(
    inputs: &mut Inputs<'_>,
    decoder: &mut Decoder,
    shards: &mut Shards<C>,
    mut settle: impl FnMut(&mut Shards<C>) -> bool,
) {
    let (mut batch, mut first) = (Batch::default(), 0);
    while inputs.fill(&mut batch) {
        batch.in_turn(decoder, |segment, number| shards.push(segment, first + number));
        first += batch.len();
        inputs.add(&batch);
        if !settle(shards) {
            return inputs.close_all();
        }
    }
}

/// The same by all threads of the pool.
pub(crate) fn read_in_parallel<C: Collector>(
    inputs: &mut Inputs<'_>,
    decoder: &mut Decoder,
    shards: &mut Shards<C>,
    mut settle: impl FnMut(&mut Shards<C>) -> bool,
) {
    let (mut round, mut next) = (Round::new(), Round::new());
    let mut moment = 0;
    next.read(inputs);
    loop {
        next.assemble(decoder, &mut moment);
        std::mem::swap(&mut round, &mut next);
        if round.batches().is_empty() {
            return;
        }
        rayon::join(|| shards.push_batches(round.batches()), || next.read(inputs));
        for (_, batch) in round.batches() {
            inputs.add(batch);
        }
        if !settle(shards) {
            inputs.close_all();
            return;
        }
    }
}

/// Batches that are read while those of the round before are followed. Their memory is used again.
struct Round {
    /// Each with the moment of its first packet.
    batches: Vec<(u64, Batch)>,
    /// How many are filled.
    filled: usize,
}

/// Batches of a round, each of one reader's buffer: enough for the shards to have something to do while the next are read,
/// and for memory to stay small.
const BATCHES: usize = 8;

impl Round {
    fn new() -> Self {
        let batches = BATCHES.max(rayon::current_num_threads());
        Self { batches: (0..batches).map(|_| Default::default()).collect(), filled: 0 }
    }

    fn batches(&self) -> &[(u64, Batch)] {
        self.batches.get(..self.filled).unwrap_or_default()
    }

    /// Reads the next batches, each of which is decoded meanwhile.
    fn read(&mut self, inputs: &mut Inputs<'_>) {
        self.filled = 0;
        rayon::scope(|scope| {
            for (_, batch) in &mut self.batches {
                if !inputs.fill(batch) {
                    break;
                }
                self.filled += 1;
                scope.spawn(|_| batch.decode());
            }
        });
    }

    /// Gives the batches their moments, and decodes what needs more than one packet to be decoded.
    fn assemble(&mut self, decoder: &mut Decoder, moment: &mut u64) {
        for (first, batch) in self.batches.iter_mut().take(self.filled) {
            *first = *moment;
            *moment += batch.len();
            batch.assemble(decoder);
        }
    }
}
