//! Some packets of a recording, decoded and sorted by the shard they belong to.

use capture::{Decoded, Decoder, Packet, PacketBatch, Segment};

use super::Seen;
use crate::shards::{SHARDS, shard_of};

/// See the module. Its memory is used again.
#[derive(Default)]
pub(crate) struct Batch {
    pub(super) packets: PacketBatch,
    /// What was seen of each input that packets are of, with its number.
    pub(super) seen: Vec<(usize, Seen)>,
    /// Where there are several inputs, the place in `seen` for each packet.
    inputs: Vec<usize>,
    pub(super) nested_too_deep: u64,
    sorted: Sorted,
    /// Numbers of packets that cannot be decoded alone.
    fragments: Vec<usize>,
}

/// Segments by the shard they belong to.
#[derive(Default)]
struct Sorted {
    /// Of each shard, in their order.
    segments: [Vec<Placed>; SHARDS],
    /// Payloads that were put together from fragments.
    assembled: Vec<u8>,
}

/// A segment whose payload is a place in its batch.
#[derive(Debug, Clone, Copy)]
struct Placed {
    /// That of its packet in the batch, from 0.
    number: usize,
    /// With no payload.
    segment: Segment<'static>,
    is_assembled: bool,
    start: usize,
    len: usize,
}

impl Batch {
    /// Packets in it.
    pub(super) fn len(&self) -> u64 {
        self.packets.len() as u64
    }

    /// All its packets are of this input.
    pub(super) fn is_of(&mut self, file: usize) {
        self.inputs.clear();
        self.seen.clear();
        self.seen.push((file, Seen::default()));
    }

    /// Packets of several inputs are to come.
    pub(super) fn start_merging(&mut self) {
        self.packets.start_copying();
        self.inputs.clear();
        self.seen.clear();
    }

    /// Takes in the next packet, which is of this input.
    pub(super) fn merge(&mut self, packet: &Packet<'_>, file: usize) {
        let place = self.seen.iter().position(|&(of, _)| of == file).unwrap_or_else(|| {
            self.seen.push((file, Seen::default()));
            self.seen.len() - 1
        });
        self.inputs.push(place);
        self.packets.push_copy(packet);
    }

    /// Decodes all packets, one after the other, and hands on each segment with the number of its packet.
    pub(super) fn in_turn(&mut self, decoder: &mut Decoder, mut push: impl FnMut(&Segment<'_>, u64)) {
        let Self { packets, seen, inputs, nested_too_deep, .. } = self;
        *nested_too_deep = 0;
        for (number, packet) in packets.packets().enumerate() {
            let Some(seen) = seen_of(seen, inputs, number) else { continue };
            seen.packet(&packet);
            match decoder.decode(&packet) {
                Ok(Some(segment)) => {
                    seen.segment(&segment.encapsulation);
                    push(&segment, number as u64);
                }
                Ok(None) => {}
                Err(e) => seen.error(&packet, e),
            }
        }
    }

    /// Decodes those packets that can be decoded alone.
    pub(super) fn decode(&mut self) {
        self.sorted.segments.iter_mut().for_each(Vec::clear);
        self.sorted.assembled.clear();
        self.fragments.clear();
        let mut decoder = Decoder::new();
        for number in 0..self.packets.len() {
            let Some(packet) = self.packets.packet(number) else { continue };
            let Some(seen) = seen_of(&mut self.seen, &self.inputs, number) else { continue };
            seen.packet(&packet);
            match decoder.decode_alone(&packet) {
                Ok(Decoded::Segment(segment)) => {
                    seen.segment(&segment.encapsulation);
                    self.sorted.add(&segment, number, &self.packets);
                }
                Ok(Decoded::Nothing) => {}
                Ok(Decoded::Fragment) => self.fragments.push(number),
                Err(e) => seen.error(&packet, e),
            }
        }
        self.nested_too_deep = decoder.counts().nested_too_deep;
    }

    /// Decodes the others, by a decoder that sees those of all batches, in their order.
    pub(super) fn assemble(&mut self, decoder: &mut Decoder) {
        if self.fragments.is_empty() {
            return;
        }
        for &number in &self.fragments {
            let Some(packet) = self.packets.packet(number) else { continue };
            let Some(seen) = seen_of(&mut self.seen, &self.inputs, number) else { continue };
            match decoder.decode(&packet) {
                Ok(Some(segment)) => {
                    seen.segment(&segment.encapsulation);
                    self.sorted.add(&segment, number, &self.packets);
                }
                Ok(None) => {}
                Err(e) => seen.error(&packet, e),
            }
        }
        // Two runs that are in order each.
        self.sorted.segments.iter_mut().for_each(|segments| segments.sort_by_key(|placed| placed.number));
    }

    /// The segments of a shard in their order, each with the number of its packet in the batch.
    pub(crate) fn segments(&self, shard: usize) -> impl Iterator<Item = (u64, Segment<'_>)> {
        self.sorted.segments.get(shard).into_iter().flatten().map(|placed| {
            let octets = if placed.is_assembled { &self.sorted.assembled } else { self.packets.octets() };
            let payload = octets.get(placed.start..placed.start + placed.len).unwrap_or_default();
            (placed.number as u64, Segment { payload, ..placed.segment })
        })
    }
}

/// What is seen of the input that the packet of this number is of.
fn seen_of<'s>(seen: &'s mut [(usize, Seen)], inputs: &[usize], number: usize) -> Option<&'s mut Seen> {
    let place = inputs.get(number).copied().unwrap_or_default();
    seen.get_mut(place).map(|(_, seen)| seen)
}

impl Sorted {
    /// Adds the segment in the packet of this number, with its payload: a place in the packet, or behind what was put together
    /// before.
    fn add(&mut self, segment: &Segment<'_>, number: usize, packets: &PacketBatch) {
        let Some(segments) = self.segments.get_mut(shard_of(segment)) else { return };
        let in_packet = segment.payload_at.and_then(|at| packets.place(number, at));
        let start = in_packet.unwrap_or(self.assembled.len());
        if in_packet.is_none() {
            self.assembled.extend_from_slice(segment.payload);
        }
        let (is_assembled, len) = (in_packet.is_none(), segment.payload.len());
        segments.push(Placed { number, segment: segment.without_payload(), is_assembled, start, len });
    }
}
