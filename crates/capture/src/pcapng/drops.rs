//! What a capture says of packets that it does not hold.

use std::collections::BTreeMap;

use super::ByteOrder;
use super::options::Options;

/// Packets lost at the interfaces of the sections so far.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// Of the sections that have ended.
    ended: Option<u64>,
    /// Of the current section, by interface: of those that it describes, so that their limit bounds it.
    current: BTreeMap<u32, Lost>,
}

/// Packets lost at one interface, as the two kinds of block have it.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    /// Interface Statistics Blocks: a running total, so that the last one counts.
    total: Option<u64>,
    /// Packet blocks: the sum of what each says was lost since the one before.
    between: Option<u64>,
}

impl Drops {
    /// An Interface Statistics Block.
    ///
    /// > isb_ifdrop: a 64-bit unsigned integer value specifying the number of packets dropped by the interface due to lack
    /// > of resources starting from the beginning of the capture. […] isb_osdrop: a 64-bit unsigned integer value
    /// > specifying the number of packets dropped by the operating system starting from the beginning of the capture.
    ///
    /// One about an interface that was not described says nothing.
    pub(super) fn statistics(&mut self, block: &[u8], order: ByteOrder, interfaces: usize) {
        let (Some(&[.., a, b, c, d]), Some(octets)) = (block.first_chunk::<12>(), block.get(OPTIONS_AT..)) else {
            return;
        };
        let mut total = None;
        for (code, value) in (Options { octets, order }) {
            if let (ISB_IFDROP | ISB_OSDROP, Ok(value)) = (code, value.try_into()) {
                total = Some(total.unwrap_or(0_u64).saturating_add(order.u64(value)));
            }
        }
        let interface = order.u32([a, b, c, d]);
        if total.is_some() && usize::try_from(interface).is_ok_and(|interface| interface < interfaces) {
            self.current.entry(interface).or_default().total = total;
        }
    }

    /// A packet block says how many were lost since the one before; `unknown` says nothing. Its interface was described.
    pub(super) fn between(&mut self, interface: u32, count: u64, unknown: u64) {
        if count != unknown {
            let lost = self.current.entry(interface).or_default();
            lost.between = Some(lost.between.unwrap_or(0).saturating_add(count));
        }
    }

    pub(super) fn end_section(&mut self) {
        self.ended = self.total();
        self.current.clear();
    }

    /// At all interfaces; `None` where nothing is said. Both kinds of block count the same packets, so the larger number
    /// is that of an interface.
    pub(super) fn total(&self) -> Option<u64> {
        let current = self.current.values().filter_map(|lost| lost.total.max(lost.between));
        self.ended.into_iter().chain(current).reduce(u64::saturating_add)
    }
}

const OPTIONS_AT: usize = 20;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
