//! Some packets of an input, decoded and sorted by the shard they belong to.

use capture::{CaptureReader, Decoded, Decoder, Error, PacketBatch, Segment};

use super::Seen;
use crate::shards::{SHARDS, shard_of};

/// See the module. Its memory is used again.
#[derive(Default)]
pub(crate) struct Batch {
    packets: PacketBatch,
    /// The number of its input.
    pub(super) file: usize,
    pub(super) seen: Seen,
    pub(super) nested_too_deep: u64,
    /// Of each shard, in their order.
    segments: [Vec<Placed>; SHARDS],
    /// Numbers of packets that cannot be decoded alone.
    fragments: Vec<usize>,
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

    /// Fills it with the next packets. `false` where there are no more.
    pub(super) fn fill(&mut self, reader: &mut CaptureReader) -> Result<bool, Error> {
        reader.next_batch(&mut self.packets)
    }

    /// Decodes those packets that can be decoded alone.
    pub(super) fn decode(&mut self) {
        self.seen = Seen::default();
        self.segments.iter_mut().for_each(Vec::clear);
        self.fragments.clear();
        self.assembled.clear();
        let mut decoder = Decoder::new();
        for (number, packet) in self.packets.packets().enumerate() {
            self.seen.packet(&packet);
            match decoder.decode_alone(&packet) {
                Ok(Decoded::Segment(segment)) => {
                    self.seen.segment(&segment.encapsulation);
                    let placed = place(&self.packets, number, &segment, &mut self.assembled);
                    if let Some(segments) = self.segments.get_mut(shard_of(&segment)) {
                        segments.push(placed);
                    }
                }
                Ok(Decoded::Nothing) => {}
                Ok(Decoded::Fragment) => self.fragments.push(number),
                Err(e) => self.seen.error(&packet, e),
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
            match decoder.decode(&packet) {
                Ok(Some(segment)) => {
                    self.seen.segment(&segment.encapsulation);
                    let placed = place(&self.packets, number, &segment, &mut self.assembled);
                    if let Some(segments) = self.segments.get_mut(shard_of(&segment)) {
                        segments.push(placed);
                    }
                }
                Ok(None) => {}
                Err(e) => self.seen.error(&packet, e),
            }
        }
        // Two runs that are in order each.
        self.segments.iter_mut().for_each(|segments| segments.sort_by_key(|placed| placed.number));
    }

    /// The segments of a shard in their order, each with the number of its packet in the batch.
    pub(crate) fn segments(&self, shard: usize) -> impl Iterator<Item = (u64, Segment<'_>)> {
        self.segments.get(shard).into_iter().flatten().map(|placed| {
            let octets = if placed.is_assembled { &self.assembled } else { self.packets.octets() };
            let payload = octets.get(placed.start..placed.start + placed.len).unwrap_or_default();
            (placed.number as u64, Segment { payload, ..placed.segment })
        })
    }
}

/// Where the payload of a segment is: in the packet of this number, or behind what was put together before.
fn place(packets: &PacketBatch, number: usize, segment: &Segment<'_>, assembled: &mut Vec<u8>) -> Placed {
    let len = segment.payload.len();
    let start = segment.payload_at.and_then(|at| packets.place(number, at));
    let is_assembled = start.is_none();
    let start = start.unwrap_or(assembled.len());
    if is_assembled {
        assembled.extend_from_slice(segment.payload);
    }
    Placed { number, segment: segment.without_payload(), is_assembled, start, len }
}
