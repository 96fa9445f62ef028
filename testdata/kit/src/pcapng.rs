//! Writes pcapng files (draft-ietf-opsawg-pcapng).

use crate::{ByteOrder, KitPacket};

/// Writes a pcapng file block by block: little-endian, unless set otherwise.
///
/// ```
/// use kit::{Interface, KitPacket, PcapNgWriter};
///
/// let file = PcapNgWriter::new()
///     .section()
///     .interface(Interface::default())
///     .enhanced(0, &KitPacket::new(0, vec![1, 2, 3]))
///     .big_endian()
///     .section()
///     .interface(Interface { tsresol: Some(0x80 | 20), ..Interface::default() })
///     .simple(&KitPacket::new(0, vec![4]))
///     .file();
/// assert_eq!(file.len() % 4, 0);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PcapNgWriter {
    order: ByteOrder,
    /// Those of the current section.
    interfaces: Vec<Interface>,
    file: Vec<u8>,
}

impl PcapNgWriter {
    /// An empty file; a section has to come first.
    #[allow(clippy::new_without_default, reason = "the kit's writers are made one way")]
    pub fn new() -> Self {
        Self { order: ByteOrder::Little, interfaces: Vec::new(), file: Vec::new() }
    }

    /// Numbers have their most significant octet first, from the next section on.
    pub fn big_endian(mut self) -> Self {
        self.order = ByteOrder::Big;
        self
    }

    /// Numbers have their least significant octet first, from the next section on.
    pub fn little_endian(mut self) -> Self {
        self.order = ByteOrder::Little;
        self
    }

    /// A Section Header Block of unknown length. The interfaces begin at 0 again.
    pub fn section(self) -> Self {
        self.section_with(&[])
    }

    /// A Section Header Block with options, each a code and a value.
    pub fn section_with(mut self, options: &[(u16, &[u8])]) -> Self {
        self.interfaces.clear();
        let mut body = self.order.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.order.u16(1));
        body.extend(self.order.u16(0));
        body.extend(self.order.i64(-1));
        body.extend(self.options(options));
        self.block(0x0a0d_0d0a, &body)
    }

    /// An Interface Description Block.
    pub fn interface(self, interface: Interface) -> Self {
        self.interface_with(interface, &[])
    }

    /// An Interface Description Block with further options, each a code and a value.
    pub fn interface_with(mut self, interface: Interface, further: &[(u16, &[u8])]) -> Self {
        let mut body = self.order.u16(interface.link_type).to_vec();
        body.extend(self.order.u16(0));
        body.extend(self.order.u32(interface.snap_len));
        let offset = interface.tsoffset.map(|seconds| self.order.i64(seconds));
        let mut options: Vec<(u16, &[u8])> = Vec::new();
        options.extend(interface.tsresol.iter().map(|resolution| (9, std::slice::from_ref(resolution))));
        options.extend(offset.iter().map(|octets| (14, &octets[..])));
        options.extend(further);
        body.extend(self.options(&options));
        self.interfaces.push(interface);
        self.block(1, &body)
    }

    /// An Enhanced Packet Block without options.
    ///
    /// # Panics
    /// Where the interface was not described or cannot express the packet's time.
    pub fn enhanced(self, interface: u32, packet: &KitPacket) -> Self {
        self.enhanced_with(interface, packet, &[])
    }

    /// An Enhanced Packet Block with options, each a code and a value.
    ///
    /// # Panics
    /// As [`enhanced`](Self::enhanced).
    pub fn enhanced_with(self, interface: u32, packet: &KitPacket, options: &[(u16, &[u8])]) -> Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend(self.packet_body(interface, packet));
        body.extend(self.options(options));
        self.block(6, &body)
    }

    /// An obsolete Packet Block, with 65 535 for "drops unknown".
    ///
    /// # Panics
    /// As [`enhanced`](Self::enhanced).
    pub fn obsolete(self, interface: u16, packet: &KitPacket) -> Self {
        let mut body = self.order.u16(interface).to_vec();
        body.extend(self.order.u16(u16::MAX));
        body.extend(self.packet_body(interface.into(), packet));
        self.block(2, &body)
    }

    /// A Simple Packet Block: of interface 0, and without the packet's time.
    ///
    /// # Panics
    /// Where no interface was described.
    pub fn simple(self, packet: &KitPacket) -> Self {
        let data = self.cut(0, packet);
        let mut body = self.order.u32(packet.wire_len()).to_vec();
        body.extend(padded(data));
        self.block(3, &body)
    }

    /// An Interface Statistics Block with the counts of packets dropped by the interface and by the operating system.
    pub fn statistics(self, interface: u32, dropped_by_interface: u64, dropped_by_system: u64) -> Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend([0; 8]);
        let counts = [dropped_by_interface, dropped_by_system].map(|count| self.order.i64(count.cast_signed()));
        body.extend(self.options(&[(5, &counts[0]), (7, &counts[1])]));
        self.block(5, &body)
    }

    /// Any block. The body is padded to 32 bits.
    ///
    /// # Panics
    /// Where the body has 4 GiB.
    pub fn block(mut self, block_type: u32, body: &[u8]) -> Self {
        let body = padded(body);
        let total = self.order.u32(u32::try_from(body.len() + 12).expect("a block of less than 4 GiB"));
        self.file.extend(self.order.u32(block_type));
        self.file.extend(total);
        self.file.extend(body);
        self.file.extend(total);
        self
    }

    /// The file as written so far, for its length.
    pub fn written(&self) -> &[u8] {
        &self.file
    }

    /// The file.
    pub fn file(self) -> Vec<u8> {
        self.file
    }

    /// Time, lengths and data, which two kinds of block share.
    fn packet_body(&self, interface: u32, packet: &KitPacket) -> Vec<u8> {
        let data = self.cut(interface, packet);
        let units = self.described(interface).units(packet.nanos).to_be_bytes();
        let [a, b, c, d, e, f, g, h] = units;
        let captured = u32::try_from(data.len()).expect("a packet of less than 4 GiB");
        let fields = [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]), captured, packet.wire_len()];
        let mut body: Vec<u8> = fields.iter().flat_map(|field| self.order.u32(*field)).collect();
        body.extend(padded(data));
        body
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (code, value) in options.iter().copied().chain((!options.is_empty()).then_some((0, &[][..]))) {
            body.extend(self.order.u16(code));
            body.extend(self.order.u16(u16::try_from(value.len()).expect("an option of at most 65 535 octets")));
            body.extend(padded(value));
        }
        body
    }

    fn described(&self, interface: u32) -> Interface {
        let index = usize::try_from(interface).expect("a number of 32 bits");
        *self.interfaces.get(index).expect("an interface described before")
    }

    fn cut<'a>(&self, interface: u32, packet: &'a KitPacket) -> &'a [u8] {
        match usize::try_from(self.described(interface).snap_len).expect("a number of 32 bits") {
            0 => &packet.data,
            snap_len => packet.data.get(..snap_len).unwrap_or(&packet.data),
        }
    }
}

/// What an Interface Description Block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Ethernet (1) by default.
    pub link_type: u16,
    /// Longer packets are cut to this; 0, the default, for no limit.
    pub snap_len: u32,
    /// if_tsresol: n for units of 10^-n seconds, 0x80 | n for units of 2^-n. Microseconds without it.
    pub tsresol: Option<u8>,
    /// if_tsoffset: seconds that are added to the times in the file.
    pub tsoffset: Option<i64>,
}

impl Interface {
    /// The time in units of this interface, rounded down.
    fn units(&self, nanos: i64) -> u64 {
        let nanos = i128::from(nanos) - i128::from(self.tsoffset.unwrap_or(0)) * 1_000_000_000;
        let resolution = self.tsresol.unwrap_or(6);
        let exponent = u32::from(resolution & 0x7f);
        let per_second = if resolution & 0x80 == 0 { 10_i128.pow(exponent) } else { 1_i128 << exponent };
        u64::try_from(nanos * per_second / 1_000_000_000).expect("a time the interface can express")
    }
}

impl Default for Interface {
    fn default() -> Self {
        Self { link_type: 1, snap_len: 0, tsresol: None, tsoffset: None }
    }
}

fn padded(octets: &[u8]) -> Vec<u8> {
    let mut padded = octets.to_vec();
    padded.resize(octets.len().next_multiple_of(4), 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_packet_block_is_laid_out_as_the_draft_says() {
        let interface = Interface { tsresol: Some(9), snap_len: 5, ..Interface::default() };
        let start = PcapNgWriter::new().big_endian().section().interface(interface);
        let before = start.written().len();
        let file = start.enhanced_with(0, &KitPacket::new((7 << 32) + 1, vec![9; 6]), &[(1, b"x")]).file();
        let expected: [&[u8]; 8] = [
            &[0, 0, 0, 6, 0, 0, 0, 52],
            &[0, 0, 0, 0],
            &[0, 0, 0, 7, 0, 0, 0, 1],
            &[0, 0, 0, 5, 0, 0, 0, 6],
            &[9, 9, 9, 9, 9, 0, 0, 0],
            &[0, 1, 0, 1, b'x', 0, 0, 0],
            &[0, 0, 0, 0],
            &[0, 0, 0, 52],
        ];
        assert_eq!(file[before..], expected.concat());
    }
}
