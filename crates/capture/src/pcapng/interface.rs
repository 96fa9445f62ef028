//! Interface Description Blocks: link type, snap length, and how times are counted.

use pcap_parser::OptionCode;
use pcap_parser::pcapng::InterfaceDescriptionBlock;

use super::ByteOrder;
use crate::{LinkType, Timestamp};

/// What an Interface Description Block says of an interface's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link_type: LinkType,
    /// Zero where there is no limit.
    pub(super) snap_len: u32,
    /// Octets of the frame check sequence that packets end in.
    pub(super) fcs_octets: u8,
    unit: TimeUnit,
    /// if_tsoffset and if_tsoffset_ns together, in nanoseconds.
    offset: i128,
}

impl Interface {
    pub(super) fn new(description: &InterfaceDescriptionBlock<'_>, order: ByteOrder) -> Self {
        let mut interface = Self {
            link_type: LinkType(description.linktype.0.cast_unsigned()),
            snap_len: description.snaplen,
            fcs_octets: 0,
            unit: TimeUnit::from_resolution(DEFAULT_RESOLUTION),
            offset: 0,
        };
        // pcap-parser reads options on behind opt_endofopt, and has if_tsresol and if_tsoffset in fields of their own,
        // but the latter always as if the section were little-endian. It does not know if_tsoffset_ns.
        let (mut seconds, mut nanos) = (0, 0);
        for option in description.options.iter().take_while(|option| option.code != OptionCode::EndOfOpt) {
            match (option.code, option.as_bytes()) {
                (OptionCode::IfTsresol, Ok(&[resolution])) => interface.unit = TimeUnit::from_resolution(resolution),
                (IF_FCSLEN, Ok(&[len])) => interface.fcs_octets = fcs_octets(len),
                (OptionCode::IfTsoffset, Ok(octets)) => {
                    seconds = octets.try_into().map_or(0, |octets| order.i64(octets));
                }
                (IF_TSOFFSET_NS, Ok(octets)) => {
                    nanos = octets.try_into().map_or(0, |octets| order.u32(octets).cast_signed());
                }
                _ => {}
            }
        }
        interface.offset = i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos);
        interface
    }

    /// > The 'if_tsoffset' option value, converted from seconds to units of time, plus the timestamp value, represents the
    /// > number of units of time that have elapsed since 1970-01-01 00:00:00 UTC.
    ///
    /// `None` where that many nanoseconds do not fit 64 bits.
    #[inline]
    pub(super) fn timestamp(&self, units: u64) -> Option<Timestamp> {
        let nanos = self.unit.nanos(units).checked_add(self.offset)?;
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }
}

/// How a count of an interface's time units becomes nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUnit {
    /// A unit is this many nanoseconds: at most 10^9.
    Nanos(u32),
    /// A nanosecond is this many units.
    PerNano(u64),
    /// A second is two to the power of this many units: at most 127.
    PerSecondLog2(u8),
}

impl TimeUnit {
    /// > The if_tsresol option identifies the resolution of timestamps. If the Most Significant Bit is equal to zero, the
    /// > remaining bits indicates the resolution of the timestamp as a negative power of 10 […]. If the Most Significant
    /// > Bit is equal to one, the remaining bits indicates the resolution as negative power of 2 (e.g. 10 means 1/1024 of
    /// > second). If this option is not present, a resolution of 10^-6 is assumed […].
    ///
    /// pcap-parser's `build_ts_resolution` compares the octet with its top bit still set and so refuses every power of 2.
    pub(super) fn from_resolution(octet: u8) -> Self {
        let exponent = octet & 0x7f;
        if octet & 0x80 != 0 {
            return Self::PerSecondLog2(exponent);
        }
        match 9_u8.checked_sub(exponent) {
            Some(zeros) => Self::Nanos(10_u32.saturating_pow(zeros.into())),
            // Past 10^-28 every count that fits 64 bits is less than a nanosecond, and the quotient is zero.
            None => Self::PerNano(10_u64.saturating_pow(u32::from(exponent) - 9)),
        }
    }

    /// No case can overflow: 2^64 units of at most 10^9 nanoseconds.
    #[inline]
    pub(super) fn nanos(self, units: u64) -> i128 {
        match self {
            Self::Nanos(nanos) => i128::from(units) * i128::from(nanos),
            Self::PerNano(divisor) => i128::from(units / divisor.max(1)),
            Self::PerSecondLog2(exponent) => (i128::from(units) * NANOS_PER_SECOND) >> exponent,
        }
    }
}

/// > The if_fcslen option is an 8-bit unsigned integer value that specifies the length of the Frame Check Sequence in
/// > bits for this interface.
///
/// Wireshark, and the draft's own example, 4, have it in octets. No sequence has fewer than 16 bits or as many octets.
fn fcs_octets(len: u8) -> u8 {
    if len < 16 { len } else { len / 8 }
}

const IF_FCSLEN: OptionCode = OptionCode(13);
const IF_TSOFFSET_NS: OptionCode = OptionCode(19);
pub(super) const DEFAULT_RESOLUTION: u8 = 6;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
