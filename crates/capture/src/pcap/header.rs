//! The header of a pcap file: magic number, version, link type.

use super::record::{Layout, Lengths};
use crate::pcapng::ByteOrder;
use crate::{Format, LinkType};

/// What a file header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) magic: u32,
    pub(super) layout: Layout,
    pub(super) link_type: LinkType,
    /// Octets of the frame check sequence that each packet ends in.
    pub(super) fcs_octets: u8,
}

/// Whether a file begins like pcap, and in which order its octets are.
///
/// > Magic Number (32 bits): an unsigned magic number, whose value is either the hexadecimal number 0xA1B2C3D4 or the
/// > hexadecimal number 0xA1B23C4D.
///
/// libpcap reads 0xA1B2CD34, too. The numbers it only knows to be taken (0xA1B234CD, 0xA12B3C4D) it does not read.
pub(super) fn magic(octets: [u8; 4]) -> Option<(u32, ByteOrder)> {
    [ByteOrder::Big, ByteOrder::Little]
        .into_iter()
        .map(|order| (order.u32(octets), order))
        .find(|(magic, _)| matches!(*magic, MICROSECONDS | NANOSECONDS | MODIFIED))
}

impl FileHeader {
    /// `Err` with the major version where the format is laid out differently in that.
    ///
    /// libpcap: versions before 2.3 and 543.0 have the original length first, version 2.3 has either.
    pub(super) fn parse(octets: &[u8; HEADER_OCTETS]) -> Option<Result<Self, u16>> {
        let &[a, b, c, d, e, f, g, h, _, _, _, _, _, _, _, _, i, j, k, l, m, n, o, p] = octets;
        let (magic, order) = magic([a, b, c, d])?;
        let lengths = match (order.u16([e, f]), order.u16([g, h])) {
            (VERSION_MAJOR, 0..3) | (543, 0) => Lengths::OriginalFirst,
            (VERSION_MAJOR, 3) => Lengths::SmallerIsCaptured,
            (VERSION_MAJOR, _) => Lengths::CapturedFirst,
            (major, _) => return Some(Err(major)),
        };
        let layout = Layout {
            order,
            header_octets: if magic == MODIFIED { 24 } else { 16 },
            lengths,
            units_per_second: if magic == NANOSECONDS { 1_000_000_000 } else { 1_000_000 },
            snap_len: order.u32([i, j, k, l]),
        };
        let link = order.u32([m, n, o, p]);
        Some(Ok(Self { magic, layout, link_type: LinkType(link & 0xffff), fcs_octets: fcs_octets(link) }))
    }

    /// The layouts that files of this magic number have, the likeliest first.
    pub(super) fn layouts(&self) -> &'static [(usize, Format)] {
        match self.magic {
            MODIFIED => &[(24, Format::PcapModified), (28, Format::PcapSuse63)],
            NANOSECONDS => &[(16, Format::PcapNanoseconds)],
            _ => &[(16, Format::Pcap), (24, Format::PcapRedHat61), (20, Format::PcapNokia)],
        }
    }

    /// The first layout is to be taken unless it makes no sense. Of the modified layouts none is likelier.
    pub(super) fn has_a_likeliest_layout(&self) -> bool {
        self.magic != MODIFIED
    }
}

/// > P (1 bit): A bit that, if set, indicates that the Frame Check Sequence (FCS) length value is present and, if not
/// > set, indicates that the FCS length value is not present. FCS len (4 bits): A 4-bit unsigned value that indicates
/// > the number of 16-bit (2-octet) words of FCS that are appended to each packet, if the P bit is set.
fn fcs_octets(link: u32) -> u8 {
    let [first, ..] = link.to_be_bytes();
    if first & 0x04 != 0 { (first >> 4) * 2 } else { 0 }
}

pub(crate) const HEADER_OCTETS: usize = 24;
/// > Major Version (16 bits): an unsigned value, giving the number of the current major version of the format. The value
/// > for the current version of the format is 2.
pub(crate) const VERSION_MAJOR: u16 = 2;
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;
