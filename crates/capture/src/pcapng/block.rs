//! What all blocks have in common, and how one is found again behind damage.

/// The byte order of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ByteOrder {
    Big,
    #[default]
    Little,
}

impl ByteOrder {
    #[inline]
    pub(crate) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(octets),
            Self::Little => u32::from_le_bytes(octets),
        }
    }

    #[inline]
    pub(crate) fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(octets),
            Self::Little => u16::from_le_bytes(octets),
        }
    }

    pub(super) fn u64(self, octets: [u8; 8]) -> u64 {
        match self {
            Self::Big => u64::from_be_bytes(octets),
            Self::Little => u64::from_le_bytes(octets),
        }
    }

    pub(super) fn i64(self, octets: [u8; 8]) -> i64 {
        self.u64(octets).cast_signed()
    }
}

/// Whether a block stands at the start of `octets`, and in which order: a type there is, and two lengths that agree.
///
/// Only a section header may be in another order than `order`: others would be found three octets off, where the zeros
/// of a number stand on its other side.
pub(super) fn order_of_block(octets: &[u8], order: ByteOrder) -> Option<ByteOrder> {
    let &[a, b, c, d, e, f, g, h] = octets.first_chunk()?;
    if [a, b, c, d] == SECTION_HEADER {
        let &[.., i, j, k, l] = octets.first_chunk::<12>()?;
        let order = byte_order(&[i, j, k, l])?;
        return has_two_lengths(octets, order.u32([e, f, g, h]), order).then_some(order);
    }
    let (block_type, total) = (order.u32([a, b, c, d]), order.u32([e, f, g, h]));
    let is_block = is_known(block_type)
        && has_two_lengths(octets, total, order)
        && (!matches!(block_type, ENHANCED_PACKET | PACKET) || holds_its_packet(octets, total, order));
    is_block.then_some(order)
}

/// Whether blocks follow each other from the start of `octets` on; `whole` says that these end with the input.
///
/// A block that is passed over may hold octets that look like a block. [`CHAIN_BLOCKS`] of them that follow each other, or
/// fewer that end where the input ends, are no chance.
pub(super) fn is_chain(mut octets: &[u8], mut order: ByteOrder, whole: bool) -> bool {
    for _ in 0..CHAIN_BLOCKS {
        let Some(found) = order_of_block(octets, order) else { return false };
        order = found;
        let len = octets.get(4..).and_then(<[u8]>::first_chunk).map_or(0, |length| order.u32(*length));
        octets = octets.get(usize::try_from(len).unwrap_or(usize::MAX)..).unwrap_or_default();
        if octets.is_empty() && whole {
            return true;
        }
    }
    true
}

/// The order in which a section header's length makes sense, where its magic number does not.
pub(super) fn order_of_length(octets: [u8; 4]) -> Option<ByteOrder> {
    [ByteOrder::Big, ByteOrder::Little].into_iter().find(|order| {
        let total = order.u32(octets);
        total.is_multiple_of(4) && total <= BLOCK_MAX_OCTETS
    })
}

/// Whether a section header stands there, by its type and byte-order magic: the first [`BYTE_ORDER_OCTETS`].
pub(crate) fn is_section_header(octets: &[u8]) -> bool {
    let magic = octets.get(..BYTE_ORDER_OCTETS).and_then(<[u8]>::last_chunk);
    octets.starts_with(&SECTION_HEADER) && magic.is_some_and(|magic| byte_order(magic).is_some())
}

pub(super) fn byte_order(magic: &[u8; 4]) -> Option<ByteOrder> {
    [ByteOrder::Big, ByteOrder::Little].into_iter().find(|order| order.u32(*magic) == BYTE_ORDER_MAGIC)
}

fn has_two_lengths(octets: &[u8], total: u32, order: ByteOrder) -> bool {
    let Ok(len) = usize::try_from(total) else { return false };
    let trailer = octets.get(..len).and_then(<[u8]>::last_chunk);
    len >= BLOCK_MIN_OCTETS && len.is_multiple_of(4) && trailer.is_some_and(|got| order.u32(*got) == total)
}

/// The captured length, padding included, fits the block.
pub(super) fn holds_its_packet(octets: &[u8], total: u32, order: ByteOrder) -> bool {
    let captured = u64::from(captured_len(octets, order));
    captured.next_multiple_of(4) + (PACKET_DATA_AT + TRAILER_OCTETS) as u64 <= total.into()
}

/// The captured length of an Enhanced Packet Block or Packet Block; where that is not there, more than any block has.
pub(super) fn captured_len(octets: &[u8], order: ByteOrder) -> u32 {
    match octets.first_chunk::<PACKET_DATA_AT>() {
        Some(&[.., a, b, c, d, _, _, _, _]) => order.u32([a, b, c, d]),
        None => u32::MAX,
    }
}

/// The types that pcapng readers know by name. Others are passed over where they stand, but none is looked for.
fn is_known(block_type: u32) -> bool {
    matches!(block_type, INTERFACE_DESCRIPTION..=DECRYPTION_SECRETS | CUSTOM | CUSTOM_NOT_TO_BE_COPIED)
}

/// > The block type of the Section Header Block is the integer corresponding to the 4-char string "\n\r\r\n"
/// > (0x0A0D0D0A). […] This value is palindromic, so that the reader is able to recognize the Section Header Block
/// > regardless of the endianness of the section.
pub(crate) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Octets of a section header up to its byte-order magic.
pub(crate) const BYTE_ORDER_OCTETS: usize = 12;
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
/// The obsolete Packet Block, which pcap-parser does not know.
pub(super) const PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(super) const INTERFACE_STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
const CUSTOM: u32 = 0x0bad;
const CUSTOM_NOT_TO_BE_COPIED: u32 = 0x4000_0bad;
pub(super) const BLOCK_MIN_OCTETS: usize = 12;
/// The longest block that is no packet; libpcap has the same limit. A longer one is damage.
pub(super) const BLOCK_MAX_OCTETS: u32 = 16 << 20;
/// Blocks within another that show its length to be wrong.
const CHAIN_BLOCKS: usize = 3;
pub(super) const PACKET_DATA_AT: usize = 28;
pub(super) const TRAILER_OCTETS: usize = 4;
