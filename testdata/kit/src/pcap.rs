//! Writes pcap files (draft-ietf-opsawg-pcap).

use std::io::{self, Write};

use crate::{ByteOrder, KitPacket};

/// Writes packets as a pcap file: little-endian, microseconds, Ethernet, no snap length, unless set otherwise.
///
/// ```
/// let file = kit::PcapWriter::new().big_endian().nanoseconds().link_type(101).file(&[]);
/// assert_eq!(file[..4], [0xa1, 0xb2, 0x3c, 0x4d]);
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct PcapWriter {
    order: ByteOrder,
    magic: u32,
    nanos_per_unit: i64,
    snap_len: u32,
    link_type: u32,
    version: (u16, u16),
    /// Octets that each record header has beyond those of pcap.
    extra_octets: usize,
    original_first: bool,
}

impl PcapWriter {
    /// A writer as described above.
    #[allow(clippy::new_without_default, reason = "the kit's writers are made one way")]
    pub fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            magic: 0xa1b2_c3d4,
            nanos_per_unit: 1_000,
            snap_len: 262_144,
            link_type: 1,
            version: (2, 4),
            extra_octets: 0,
            original_first: false,
        }
    }

    /// Numbers have their most significant octet first.
    pub fn big_endian(mut self) -> Self {
        self.order = ByteOrder::Big;
        self
    }

    /// Times are in nanoseconds.
    pub fn nanoseconds(mut self) -> Self {
        (self.magic, self.nanos_per_unit) = (0xa1b2_3c4d, 1);
        self
    }

    /// The modified format of Linux's patched libpcap: record headers of 24 octets, a magic number of its own.
    pub fn modified(mut self) -> Self {
        (self.magic, self.extra_octets) = (0xa1b2_cd34, 8);
        self
    }

    /// The modified format of SuSE Linux 6.3: record headers of 28 octets, the modified format's magic number.
    pub fn suse_6_3(mut self) -> Self {
        (self.magic, self.extra_octets) = (0xa1b2_cd34, 12);
        self
    }

    /// The modified format of Red Hat Linux 6.1: record headers of 24 octets, the ordinary magic number.
    pub fn red_hat_6_1(mut self) -> Self {
        self.extra_octets = 8;
        self
    }

    /// The format of Nokia firewalls: record headers of 20 octets, the ordinary magic number.
    pub fn nokia(mut self) -> Self {
        self.extra_octets = 4;
        self
    }

    /// The version in the header. Before 2.3, and in 543.0, the original length comes first.
    pub fn version(mut self, major: u16, minor: u16) -> Self {
        self.version = (major, minor);
        self.original_first = major != 2 || minor < 3;
        self
    }

    /// The original length comes first, whatever the version.
    pub fn original_first(mut self) -> Self {
        self.original_first = true;
        self
    }

    /// Longer packets are cut to this.
    pub fn snap_len(mut self, octets: u32) -> Self {
        self.snap_len = octets;
        self
    }

    /// The link type of the header, all 32 bits of the field.
    pub fn link_type(mut self, link_type: u32) -> Self {
        self.link_type = link_type;
        self
    }

    /// A whole file.
    ///
    /// # Panics
    /// Where a packet's time does not fit the format.
    pub fn file(&self, packets: &[KitPacket]) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(packets, &mut out).expect("a vector takes all");
        out
    }

    /// A whole file, into anything.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Panics
    /// Where a packet's time does not fit the format.
    pub fn write(&self, packets: &[KitPacket], out: &mut impl Write) -> io::Result<()> {
        self.write_header(out)?;
        packets.iter().try_for_each(|packet| self.write_record(packet, out))
    }

    /// The file header.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.order.u32(self.magic))?;
        out.write_all(&self.order.u16(self.version.0))?;
        out.write_all(&self.order.u16(self.version.1))?;
        for field in [0, 0, self.snap_len, self.link_type] {
            out.write_all(&self.order.u32(field))?;
        }
        Ok(())
    }

    /// One record.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Panics
    /// Where the packet's time does not fit the format.
    pub fn write_record(&self, packet: &KitPacket, out: &mut impl Write) -> io::Result<()> {
        let snap_len = usize::try_from(self.snap_len).unwrap_or(usize::MAX);
        let data = packet.data.get(..snap_len).unwrap_or(&packet.data);
        let fraction = packet.nanos.rem_euclid(1_000_000_000) / self.nanos_per_unit;
        let fields = [packet.nanos.div_euclid(1_000_000_000), fraction]
            .map(|field| u32::try_from(field).expect("a time from 1970 to 2106"));
        let captured = u32::try_from(data.len()).expect("cut to the snap length");
        let lengths = [captured, packet.wire_len()];
        let lengths = if self.original_first { [lengths[1], lengths[0]] } else { lengths };
        for field in fields.into_iter().chain(lengths) {
            out.write_all(&self.order.u32(field))?;
        }
        // Interface 2, protocol 0x0800, outgoing, processor 1.
        let extra = [&self.order.u32(2)[..], &self.order.u16(0x0800), &[4, 1, 1, 0, 0, 0]].concat();
        out.write_all(extra.get(..self.extra_octets).unwrap_or(&extra))?;
        out.write_all(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_laid_out_as_the_draft_says() {
        let packet = KitPacket::new(3_000_004_567, vec![7, 8, 9]);
        let little = PcapWriter::new().snap_len(2).file(std::slice::from_ref(&packet));
        assert_eq!(little[24..], [3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 8]);
        let big = PcapWriter::new().big_endian().nanoseconds().file(std::slice::from_ref(&packet));
        assert_eq!(big[..8], [0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4]);
        assert_eq!(big[24..], [0, 0, 0, 3, 0, 0, 0x11, 0xd7, 0, 0, 0, 3, 0, 0, 0, 3, 7, 8, 9]);
        let old = PcapWriter::new().version(2, 2).modified().snap_len(2).file(std::slice::from_ref(&packet));
        assert_eq!(old[..8], [0x34, 0xcd, 0xb2, 0xa1, 2, 0, 2, 0]);
        assert_eq!(old[32..], [3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 8, 4, 1, 7, 8]);
    }
}
