//! A packet as the capture file holds it, lent from the reader's buffer.

use crate::Timestamp;

/// One captured packet. It borrows the reader's buffer and lives until the next packet is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The captured octets, from the link layer's first octet on; at most the capture's snap length. Without the frame
    /// check sequence, where the capture says that packets end in one.
    pub data: &'a [u8],
    /// Where `data` begins in the (decompressed) input, in octets from its start.
    pub data_at: u64,
    /// pcapng: number of the interface within its section; pcap: 0.
    pub interface_id: u32,
    /// How the first octets of `data` are to be read.
    pub link_type: LinkType,
    /// Octets the packet had on the wire, less its frame check sequence as above; more than `data` holds where the capture cut it short, never less.
    pub original_len: u32,
    /// When it was captured. A pcapng Simple Packet Block has no time: it takes that of the record before it.
    pub timestamp: Timestamp,
}

/// A link-layer header type, by its number in the registry that libpcap and the pcapng draft share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: a four-octet address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, version told by its first four bits. The number libpcap writes.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a four-octet address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}
