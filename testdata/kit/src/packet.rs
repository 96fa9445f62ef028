//! Packets: what goes into a capture, and one way to make it.

use std::net::SocketAddr;

use etherparse::PacketBuilder;

/// A packet for a capture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitPacket {
    /// Nanoseconds since 1970.
    pub nanos: i64,
    /// The captured octets.
    pub data: Vec<u8>,
    /// Octets on the wire, where there were more than `data`.
    pub original_len: usize,
}

impl KitPacket {
    /// A packet captured whole.
    pub fn new(nanos: i64, data: Vec<u8>) -> Self {
        Self { nanos, original_len: data.len(), data }
    }

    /// The same packet as a capture with this snap length has it.
    #[must_use]
    pub fn cut(mut self, snap_len: usize) -> Self {
        self.original_len = self.original_len.max(self.data.len());
        self.data.truncate(snap_len);
        self
    }

    /// Octets on the wire, for the file formats' field.
    pub(crate) fn wire_len(&self) -> u32 {
        u32::try_from(self.original_len.max(self.data.len())).expect("a packet of less than 4 GiB")
    }
}

/// A TCP packet with every field set by hand. The addresses decide between IPv4 and IPv6, and must be of one kind.
///
/// ```
/// let syn = kit::TcpPacket { syn: true, seq: u32::MAX, ..kit::TcpPacket::new("192.0.2.1:4000", "192.0.2.2:25") };
/// assert_eq!(syn.ethernet().len(), 14 + 20 + 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpPacket<'a> {
    /// Address and port it comes from.
    pub source: SocketAddr,
    /// Address and port it goes to.
    pub destination: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; the ACK bit is set where there is one.
    pub ack: Option<u32>,
    /// Control bit.
    pub syn: bool,
    /// Control bit.
    pub fin: bool,
    /// Control bit.
    pub rst: bool,
    /// Control bit.
    pub psh: bool,
    /// Window, unscaled.
    pub window: u16,
    /// TCP options as they stand in the header; padded to 32 bits.
    pub options: &'a [u8],
    /// The octets it carries.
    pub payload: &'a [u8],
}

impl<'a> TcpPacket<'a> {
    /// An empty segment without control bits, for the fields not set by hand.
    ///
    /// # Panics
    /// Where an address cannot be parsed.
    pub fn new(source: &str, destination: &str) -> Self {
        let parse = |address: &str| address.parse().expect("an address with a port");
        Self::between(parse(source), parse(destination))
    }

    /// The same from addresses that are parsed already.
    pub fn between(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            seq: 0,
            ack: None,
            syn: false,
            fin: false,
            rst: false,
            psh: false,
            window: 65_535,
            options: &[],
            payload: &[],
        }
    }

    /// The packet as an Ethernet frame, without frame check sequence or padding; checksums are right.
    ///
    /// # Panics
    /// Where the addresses are of two kinds, or the packet would be longer than IP allows.
    pub fn ethernet(&self) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = match (self.source, self.destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                ethernet.ipv4(source.ip().octets(), destination.ip().octets(), 64)
            }
            (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
                ethernet.ipv6(source.ip().octets(), destination.ip().octets(), 64)
            }
            _ => unreachable!("addresses of two kinds: {} and {}", self.source, self.destination),
        };
        let mut tcp = ip.tcp(self.source.port(), self.destination.port(), self.seq, self.window);
        if let Some(ack) = self.ack {
            tcp = tcp.ack(ack);
        }
        if self.syn {
            tcp = tcp.syn();
        }
        if self.fin {
            tcp = tcp.fin();
        }
        if self.rst {
            tcp = tcp.rst();
        }
        if self.psh {
            tcp = tcp.psh();
        }
        let tcp = tcp.options_raw(self.options).expect("at most 40 octets of options");
        let mut data = Vec::with_capacity(tcp.size(self.payload.len()));
        tcp.write(&mut data, self.payload).expect("a packet that IP can carry");
        data
    }

    /// The packet without its Ethernet header.
    ///
    /// # Panics
    /// As [`ethernet`](Self::ethernet).
    pub fn ip(&self) -> Vec<u8> {
        self.ethernet().split_off(ETHERNET_HEADER_OCTETS)
    }
}

const ETHERNET_HEADER_OCTETS: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_the_standards_put_them() {
        let packet = TcpPacket {
            seq: 0x0102_0304,
            ack: Some(0x0506_0708),
            fin: true,
            psh: true,
            payload: b"hi",
            ..TcpPacket::new("192.0.2.1:25", "192.0.2.2:40000")
        };
        let ip = packet.ip();
        assert_eq!(ip.len(), 42);
        assert_eq!(ip[0], 0x45);
        assert_eq!(ip[12..20], [192, 0, 2, 1, 192, 0, 2, 2]);
        assert_eq!(ip[20..34], [0, 25, 0x9c, 0x40, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0b01_1001]);
        assert_eq!(ip[40..], *b"hi");
    }

    #[test]
    fn a_cut_packet_knows_its_length() {
        let packet = KitPacket::new(0, vec![0; 100]).cut(60).cut(40);
        assert_eq!((packet.data.len(), packet.wire_len()), (40, 100));
    }
}
