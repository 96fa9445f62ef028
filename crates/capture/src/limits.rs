//! What a reader holds at most.

use crate::CompressionLimits;

/// What a reader holds at most. Reaching a limit is counted, and reading goes on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Captured octets of one packet. Larger ones are passed over without being held, and counted in
    /// [`CaptureReader::oversized_records`](crate::CaptureReader::oversized_records). The default, 262 144, is the
    /// largest snap length libpcap sets.
    pub record_octets: u32,
    /// Interfaces described in one pcapng section. The packets of further ones are counted in
    /// [`CaptureReader::malformed_blocks`](crate::CaptureReader::malformed_blocks). The default is 65 536.
    pub interfaces: usize,
    /// What decompression may cost.
    pub compression: CompressionLimits,
    /// Places of damage that are kept; further ones are only counted. The default is 32.
    pub damaged_places: usize,
    /// Comments that are kept; further ones are only counted. The default is 64.
    pub comments: usize,
    /// Octets of one comment; the rest of a longer one is left out. The default is 1 024.
    pub comment_octets: usize,
}

impl ReaderLimits {
    /// What a block may have, fixed fields and options included, when its packet has [`record_octets`](Self::record_octets).
    pub(crate) fn block_octets(&self) -> u32 {
        self.record_octets.saturating_add(BLOCK_OVERHEAD_OCTETS)
    }

    pub(crate) fn buffer_octets(&self) -> usize {
        usize::try_from(self.block_octets()).unwrap_or(usize::MAX).max(BUFFER_OCTETS)
    }
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self {
            record_octets: 262_144,
            interfaces: 65_536,
            compression: CompressionLimits::default(),
            damaged_places: 32,
            comments: 64,
            comment_octets: 1_024,
        }
    }
}

/// The most octets the buffer has that packets are lent from, unless a larger record limit needs more. It has them only where a
/// record or a search behind damage asks for so many.
pub const BUFFER_OCTETS: usize = 512 * 1024;

/// Fixed fields of a packet block, and options as long as they can be expected.
const BLOCK_OVERHEAD_OCTETS: u32 = 65_536;
