//! The blocks that hold packets.

use super::block::{PACKET, PACKET_DATA_AT, TRAILER_OCTETS};
use super::options::{COMMENT, Options};
use super::{PcapNgBlocks, options_in, pass};
use crate::step::{Extent, Skipped, Step};
use crate::{ReaderLimits, Subject};

impl PcapNgBlocks {
    /// An Enhanced Packet Block, or the Packet Block it replaced.
    #[inline]
    pub(super) fn packet(
        &mut self,
        block: &[u8],
        block_type: u32,
        total: u32,
        packets: u64,
        limits: &ReaderLimits,
    ) -> Step {
        let Some(&fields) = block.first_chunk::<PACKET_DATA_AT>() else { return pass(total, Skipped::Malformed) };
        let [_, _, _, _, _, _, _, _, i0, i1, i2, i3, fields @ ..] = fields;
        let [h0, h1, h2, h3, l0, l1, l2, l3, c0, c1, c2, c3, o0, o1, o2, o3] = fields;
        let interface_id = match block_type {
            PACKET => u32::from(self.order.u16([i0, i1])),
            _ => self.order.u32([i0, i1, i2, i3]),
        };
        let captured = self.order.u32([c0, c1, c2, c3]);
        if captured > limits.record_octets {
            return pass(total, Skipped::Oversized);
        }
        let data_len = usize::try_from(captured).unwrap_or(usize::MAX);
        let room = block.len().saturating_sub(PACKET_DATA_AT + TRAILER_OCTETS);
        let Some(interface) = self.interface(interface_id).filter(|_| data_len <= room) else {
            return pass(total, Skipped::Malformed);
        };
        let mut fcs_octets = interface.fcs_octets;
        if block_type == PACKET {
            self.drops.between(interface_id, self.order.u16([i2, i3]).into(), u16::MAX.into());
        }
        let options_at = PACKET_DATA_AT.saturating_add(data_len.next_multiple_of(4));
        if block.len() > options_at.saturating_add(TRAILER_OCTETS) {
            let subject = Subject::Packet(packets.saturating_add(1));
            let fcs = self.packet_options(options_in(block, options_at), interface_id, subject, limits);
            fcs_octets = fcs.unwrap_or(fcs_octets);
        }
        let units = u64::from(self.order.u32([h0, h1, h2, h3])) << 32 | u64::from(self.order.u32([l0, l1, l2, l3]));
        let timestamp = self.time_or_last(interface.timestamp(units));
        let extent = Extent {
            record_len: block.len(),
            data_at: PACKET_DATA_AT,
            data_len,
            interface_id,
            link_type: interface.link_type,
            original_len: self.order.u32([o0, o1, o2, o3]).max(captured),
            timestamp,
        };
        Step::Packet(if fcs_octets == 0 { extent } else { extent.without_frame_check(fcs_octets) })
    }

    /// > epb_flags, bits 5-8: FCS length, in octets (0000 if this information is not available). This value overrides the
    /// > if_fcslen option of the Interface Description Block. […] epb_dropcount: a 64-bit unsigned integer value
    /// > specifying the number of packets lost (by the interface and the operating system) between this packet and the
    /// > preceding one for the same interface.
    ///
    /// Gives the FCS length.
    #[cold]
    pub(super) fn packet_options(
        &mut self,
        octets: &[u8],
        id: u32,
        subject: Subject,
        limits: &ReaderLimits,
    ) -> Option<u8> {
        let mut fcs_octets = None;
        for (code, value) in (Options { octets, order: self.order }) {
            match (code, value.len()) {
                (COMMENT, _) => self.comments.add(subject, value, limits),
                (EPB_FLAGS, 4) => {
                    let flags = value.first_chunk().map_or(0, |octets| self.order.u32(*octets));
                    fcs_octets = u8::try_from(flags >> 5 & 0xf).ok().filter(|octets| *octets > 0);
                }
                (EPB_DROPCOUNT, 8) => {
                    let count = value.first_chunk().map_or(0, |octets| self.order.u64(*octets));
                    self.drops.between(id, count, u64::MAX);
                }
                _ => {}
            }
        }
        fcs_octets
    }

    /// > The Simple Packet Block does not contain the Interface ID field. Therefore, it MUST be assumed that all the
    /// > Simple Packet Blocks have been captured on the interface previously specified in the first Interface
    /// > Description Block.
    ///
    /// And its captured length is the smaller one of that interface's SnapLen and the original length.
    pub(super) fn simple_packet(&mut self, block: &[u8], total: u32, limits: &ReaderLimits) -> Step {
        let (Some(&[.., a, b, c, d]), Some(interface)) =
            (block.first_chunk::<SIMPLE_PACKET_DATA_AT>(), self.interface(0))
        else {
            return pass(total, Skipped::Malformed);
        };
        let original_len = self.order.u32([a, b, c, d]);
        let captured = if interface.snap_len == 0 { original_len } else { original_len.min(interface.snap_len) };
        let room = block.len().saturating_sub(SIMPLE_PACKET_DATA_AT + TRAILER_OCTETS);
        let data_len = usize::try_from(captured).unwrap_or(usize::MAX).min(room);
        if data_len as u64 > u64::from(limits.record_octets) {
            return pass(total, Skipped::Oversized);
        }
        let timestamp = self.time_or_last(None);
        let extent = Extent {
            record_len: block.len(),
            data_at: SIMPLE_PACKET_DATA_AT,
            data_len,
            interface_id: 0,
            link_type: interface.link_type,
            original_len,
            timestamp,
        };
        Step::Packet(extent.without_frame_check(interface.fcs_octets))
    }
}

const SIMPLE_PACKET_DATA_AT: usize = 12;
const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;
