//! What a record walker tells the reader: numbers only, no borrow.

use crate::pcapng::ByteOrder;
use crate::{Fault, LinkType, Timestamp};

/// What a record walker finds at the start of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A whole packet.
    Packet(Extent),
    /// Nothing yet: the window has to hold this many octets first, more than it has.
    More(usize),
    /// The input ends before the record does, which has this many octets.
    Cut(u64),
    /// Something to pass over, and the length that is repeated in its last four octets.
    Skip { octets: u64, trailer: Option<(u32, ByteOrder)>, why: Skipped },
    /// As `Skip`, but this long and without a packet that would bear the length out: it is looked whether other records
    /// stand within.
    Doubted { total: u32, order: ByteOrder, why: Skipped },
    /// The record's length is wrong: the next record begins this many octets behind its start.
    Swallows(usize),
    /// A field that makes the next record's place unknown.
    Damaged { fault: Fault, wanted: u64, got: u64 },
}

impl Step {
    /// `wanted` octets are not in the window: they are to be read, or will never come.
    pub(crate) fn wait(wanted: usize, ended: bool) -> Self {
        if ended { Self::Cut(wanted as u64) } else { Self::More(wanted) }
    }
}

/// Where in a record a packet's octets are, and what the record says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Octets of the whole record, all of them in the window.
    pub(crate) record_len: usize,
    /// Where the data begins, from the record's first octet.
    pub(crate) data_at: usize,
    /// Octets of the data.
    pub(crate) data_len: usize,
    pub(crate) interface_id: u32,
    pub(crate) link_type: LinkType,
    pub(crate) original_len: u32,
    pub(crate) timestamp: Timestamp,
}

impl Extent {
    /// The packet without its frame check sequence of `octets`, which are the last of the packet on the wire: a capture
    /// that cut the packet short may hold only some of them, or none.
    pub(crate) fn without_frame_check(mut self, octets: u8) -> Self {
        let original_len = self.original_len.saturating_sub(octets.into());
        self.data_len = self.data_len.min(usize::try_from(original_len).unwrap_or(usize::MAX));
        self.original_len = original_len;
        self
    }
}

/// Why something was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    NoPacket,
    Oversized,
    Malformed,
    /// The header of a section of another major version, whose blocks follow as `NoPacket`.
    ForeignSection,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_check_sequence_is_the_end_of_the_packet_on_the_wire() {
        let extent = |captured: usize, original: u32| Extent {
            record_len: 0,
            data_at: 0,
            data_len: captured,
            interface_id: 0,
            link_type: LinkType::ETHERNET,
            original_len: original,
            timestamp: Timestamp::default(),
        };
        let lens = |extent: Extent| (extent.data_len, extent.original_len);
        assert_eq!(lens(extent(64, 64).without_frame_check(4)), (60, 60));
        assert_eq!(lens(extent(62, 64).without_frame_check(4)), (60, 60), "half of it was cut off");
        assert_eq!(lens(extent(40, 64).without_frame_check(4)), (40, 60), "all of it was cut off");
        assert_eq!(lens(extent(3, 3).without_frame_check(4)), (0, 0));
    }
}
