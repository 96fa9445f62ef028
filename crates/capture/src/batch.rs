//! Packets with the octets they lie in, for another thread.
//!
//! A reader lends each packet only until the next one. A batch takes the reader's octets with it when they are read up, and
//! gives the reader those of a batch that is done with: nothing is copied, and nothing allocated in the long run.

use crate::step::Extent;
use crate::{LinkType, Packet, Timestamp};

/// Packets that follow each other in one input, with their octets.
#[derive(Debug, Default)]
pub struct PacketBatch {
    octets: Box<[u8]>,
    packets: Vec<BatchedPacket>,
    /// In the place of `octets`, where packets were copied.
    copied: Vec<u8>,
    is_copied: bool,
}

/// A [`Packet`] whose data is a place in its batch's octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchedPacket {
    start: usize,
    len: usize,
    data_at: u64,
    interface_id: u32,
    link_type: LinkType,
    original_len: u32,
    timestamp: Timestamp,
}

impl BatchedPacket {
    /// The packet of a record that ends at `position` of the input, and whose data begins `back` octets before that, at `start`
    /// of the octets.
    pub(crate) fn new(extent: &Extent, start: usize, position: u64, back: usize) -> Self {
        let &Extent { data_len, interface_id, link_type, original_len, timestamp, .. } = extent;
        let data_at = position.saturating_sub(back as u64);
        Self { start, len: data_len, data_at, interface_id, link_type, original_len, timestamp }
    }
}

impl PacketBatch {
    /// How many packets it has.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packets in their order.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = Packet<'_>> {
        self.packets.iter().map(|packet| self.lend(packet))
    }

    /// The packet of this number, from 0.
    pub fn packet(&self, number: usize) -> Option<Packet<'_>> {
        self.packets.get(number).map(|packet| self.lend(packet))
    }

    /// All octets, of which those of the packets are some.
    pub fn octets(&self) -> &[u8] {
        if self.is_copied { &self.copied } else { &self.octets }
    }

    /// Forgets all packets, to [take](Self::push_copy) others.
    pub fn start_copying(&mut self) {
        self.packets.clear();
        self.copied.clear();
        self.is_copied = true;
    }

    /// Takes in a copy of a packet, behind those taken since [`start_copying`](Self::start_copying): for packets of several
    /// inputs.
    pub fn push_copy(&mut self, packet: &Packet<'_>) {
        let &Packet { data, data_at, interface_id, link_type, original_len, timestamp } = packet;
        let start = self.copied.len();
        self.copied.extend_from_slice(data);
        self.packets.push(BatchedPacket {
            start,
            len: data.len(),
            data_at,
            interface_id,
            link_type,
            original_len,
            timestamp,
        });
    }

    /// Where in [`octets`](Self::octets) those stand that begin at `at` in the input, which is in the data of the packet of this
    /// number.
    pub fn place(&self, number: usize, at: u64) -> Option<usize> {
        let packet = self.packets.get(number)?;
        Some(packet.start + usize::try_from(at.checked_sub(packet.data_at)?).ok()?)
    }

    fn lend(&self, packet: &BatchedPacket) -> Packet<'_> {
        let &BatchedPacket { start, len, data_at, interface_id, link_type, original_len, timestamp } = packet;
        let data = self.octets().get(start..start.saturating_add(len)).unwrap_or_default();
        Packet { data, data_at, interface_id, link_type, original_len, timestamp }
    }

    /// Forgets the packets and gives back the octets.
    pub(crate) fn clear(&mut self) -> Box<[u8]> {
        self.packets.clear();
        self.is_copied = false;
        std::mem::take(&mut self.octets)
    }

    #[inline]
    pub(crate) fn push(&mut self, packet: BatchedPacket) {
        self.packets.push(packet);
    }

    /// Takes in the octets that all its packets lie in.
    pub(crate) fn close(&mut self, octets: Box<[u8]>) {
        self.octets = octets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CaptureReader;

    type Owned = (Vec<u8>, u64, u32, Timestamp);

    fn owned(packet: &Packet<'_>) -> Owned {
        (packet.data.to_vec(), packet.data_at, packet.original_len, packet.timestamp)
    }

    fn one_by_one(octets: &[u8]) -> (Vec<Owned>, Option<String>) {
        let mut reader = CaptureReader::new(Box::new(std::io::Cursor::new(octets.to_vec())), "a".into()).unwrap();
        let mut packets = Vec::new();
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => packets.push(owned(&packet)),
                Ok(None) => return (packets, None),
                Err(e) => return (packets, Some(e.to_string())),
            }
        }
    }

    /// The same by batches, and how many of these there were.
    fn in_batches(octets: &[u8]) -> ((Vec<Owned>, Option<String>), usize) {
        let mut reader = CaptureReader::new(Box::new(std::io::Cursor::new(octets.to_vec())), "a".into()).unwrap();
        let (mut packets, mut batch, mut batches) = (Vec::new(), PacketBatch::default(), 0);
        loop {
            match reader.next_batch(&mut batch) {
                Ok(true) => {
                    assert!(!batch.is_empty());
                    batches += 1;
                    packets.extend(batch.packets().map(|packet| owned(&packet)));
                    for (number, packet) in batch.packets().enumerate().filter(|(_, packet)| !packet.data.is_empty()) {
                        let place = batch.place(number, packet.data_at).unwrap();
                        assert_eq!(batch.octets().get(place..place + packet.data.len()), Some(packet.data));
                    }
                }
                Ok(false) => return ((packets, None), batches),
                Err(e) => return ((packets, Some(e.to_string())), batches),
            }
        }
    }

    /// Packets of all lengths, more than one buffer holds.
    fn capture() -> Vec<u8> {
        let mut octets = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for number in 0_u32..1200 {
            let len = number * 7919 % 3000;
            [1_700_000_000 + number, 0, len, len].iter().for_each(|field| octets.extend(field.to_le_bytes()));
            octets.extend((0..len).map(|at| u8::try_from((at ^ number) % 256).unwrap()));
        }
        octets
    }

    #[test]
    fn a_batch_has_the_packets_that_the_reader_lends() {
        let whole = capture();
        let (found, batches) = in_batches(&whole);
        assert_eq!((found.0.len(), found.1.as_ref()), (1200, None));
        assert!(found == one_by_one(&whole) && batches > 2, "{batches} batches");
    }

    /// Copies are the same packets, whatever the batch held before.
    #[test]
    fn copies_take_the_place_of_what_was_there() {
        let mut reader = CaptureReader::new(Box::new(std::io::Cursor::new(capture())), "a".into()).unwrap();
        let (mut read, mut copies) = (PacketBatch::default(), PacketBatch::default());
        assert!(reader.next_batch(&mut copies).unwrap() && reader.next_batch(&mut read).unwrap());
        copies.start_copying();
        assert!(copies.is_empty() && copies.octets().is_empty());
        read.packets().for_each(|packet| copies.push_copy(&packet));
        assert!(copies.packets().eq(read.packets()));
        // And the other way round.
        assert!(reader.next_batch(&mut copies).unwrap());
        let first = copies.packet(0).unwrap();
        assert_eq!(copies.place(0, first.data_at + 1).map(|at| &copies.octets()[at]), first.data.get(1));
    }

    /// What is wrong is said behind the packets before it, and damage is passed over as ever.
    #[test]
    fn damage_is_the_same_in_batches() {
        let mut damaged = capture();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 5000].fill(0xff);
        for len in [damaged.len(), damaged.len() - 1, 900_000, 40, 24] {
            let octets = &damaged[..len];
            assert!(in_batches(octets).0 == one_by_one(octets), "{len}");
        }
        assert!(in_batches(&damaged[..damaged.len() - 1]).0.1.is_some());
    }
}
