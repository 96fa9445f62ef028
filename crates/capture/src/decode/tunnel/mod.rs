//! Tunnels: which octets of a datagram's payload are another packet.
//!
//! One file a protocol. Each is a pure function from the octets behind the layer below to the [`Header`] that stands
//! there: how long it is and what follows. The loop over the layers, and its limit, stand in [`decode`](super).
//!
//! **What is a tunnel.** The IP protocols say so themselves; there a header that contradicts itself is an error. Over
//! UDP a port is only a hint: a payload that is not what the port stands for is somebody else's UDP, no TCP and no error.
//! Once a header is right in every bit that is checked, what it announces is taken at its word.

mod erspan;
mod etherip;
mod geneve;
mod gre;
mod gtp;
mod l2tp;
mod teredo;
mod tzsp;
mod udp;
mod vxlan;

pub(super) use udp::UDP;

use super::{Layer, Octets, Version};
use crate::Carrier;

/// What stands in front of the packet inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The protocol, for the report.
    pub(super) carrier: Carrier,
    /// How many octets its headers have.
    pub(super) octets: usize,
    /// What is behind them.
    pub(super) next: Next,
    /// The network the packet belongs to, where the tunnel can carry several: VNI, key, TEID, session.
    pub(super) network: u32,
}

/// What a tunnel's header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame from its destination address on.
    Ethernet,
    /// What this EtherType stands for.
    EtherType(u16),
    /// An IP datagram of either version.
    Ip,
    /// A PPP frame, perhaps with address and control field.
    Ppp,
}

impl Next {
    /// What `octets`, which follow the header, are.
    pub(super) fn layer(self, octets: Octets<'_>) -> Option<Layer<'_>> {
        Some(match self {
            Self::Ethernet => Layer::Ethernet(octets),
            Self::EtherType(ether_type) => Layer::EtherType(ether_type, octets),
            Self::Ip => Layer::Ip(Version::Any, octets),
            Self::Ppp => Layer::Ppp(octets),
        })
    }
}

/// Why a header could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The octets end inside it. Whether the capture cut them or the sender is wrong, the caller knows.
    Short,
    /// It contradicts itself or the specification.
    Malformed,
}

/// The tunnel's header, `None` where the protocol is a tunnel but carries no packet here, or is no tunnel.
type Found = Result<Option<Header>, Flaw>;

/// The header behind an IP header with this protocol number (IPv6: next header).
///
/// RFC 2003 §3.1: "Protocol 4"; RFC 4213 §3: "the encapsulating IPv4 header [has] protocol type 41"; RFC 2473 §5 uses
/// both numbers in IPv6.
pub(super) fn in_ip(protocol: u8, octets: &[u8]) -> Found {
    let plain = |carrier, next| Ok(Some(Header { carrier, octets: 0, next, network: 0 }));
    match protocol {
        4 => plain(Carrier::Ip, Next::EtherType(ETHER_TYPE_IPV4)),
        41 => plain(Carrier::Ip, Next::EtherType(ETHER_TYPE_IPV6)),
        47 => gre::header(octets),
        97 => etherip::header(octets),
        // RFC 4023 §3.
        137 => plain(Carrier::Mpls, Next::EtherType(ETHER_TYPE_MPLS)),
        _ => Ok(None),
    }
}

/// The header behind a UDP header. `whole` is whether `datagram`, which begins with the UDP header, was not cut short by
/// the capture.
pub(super) fn in_udp(datagram: &[u8], whole: bool) -> Found {
    let found = udp::Header::parse(datagram).and_then(|header| by_port(header, whole));
    match found {
        Ok(found) => Ok(found.map(|found| Header { octets: found.octets.saturating_add(udp::HEADER_OCTETS), ..found })),
        // Too short for the tunnel, or not in its form: other UDP.
        Err(Flaw::Malformed) => Ok(None),
        Err(Flaw::Short) if whole => Ok(None),
        Err(Flaw::Short) => Err(Flaw::Short),
    }
}

/// Most UDP is no tunnel, and its ports say so.
fn by_port(udp: udp::Header<'_>, whole: bool) -> Found {
    match (udp.source, udp.destination) {
        (_, vxlan::PORT | vxlan::PORT_LINUX) => vxlan::header(udp.payload),
        (_, vxlan::PORT_GPE) => vxlan::gpe_header(udp.payload),
        (_, geneve::PORT) => geneve::header(udp.payload),
        (_, gtp::PORT) => gtp::header(udp.payload),
        (_, l2tp::PORT) | (l2tp::PORT, _) => l2tp::header(udp.payload),
        (_, tzsp::PORT) => tzsp::header(udp.payload),
        (_, MPLS_IN_UDP_PORT) => mpls_in_udp(udp.payload),
        (teredo::PORT, _) | (_, teredo::PORT) => teredo::header(udp.payload, whole),
        _ => Ok(None),
    }
}

/// A label stack (RFC 3032 §2.1) that ends in front of an IP datagram: nothing else in it can be checked, and other UDP
/// rarely has this form.
fn mpls_in_udp(octets: &[u8]) -> Found {
    let mut end = 4_usize;
    while u32_at(octets, end.saturating_sub(4))? & BOTTOM_OF_STACK == 0 {
        end = end.saturating_add(4);
    }
    match octet(octets, end)? >> 4 {
        4 | 6 => {
            Ok(Some(Header { carrier: Carrier::Mpls, octets: 0, next: Next::EtherType(ETHER_TYPE_MPLS), network: 0 }))
        }
        _ => Err(Flaw::Malformed),
    }
}

/// The octet at `at`.
fn octet(octets: &[u8], at: usize) -> Result<u8, Flaw> {
    octets.get(at).copied().ok_or(Flaw::Short)
}

/// The number of 16 bits at `at`.
fn u16_at(octets: &[u8], at: usize) -> Result<u16, Flaw> {
    octets.get(at..).and_then(<[u8]>::first_chunk).copied().map(u16::from_be_bytes).ok_or(Flaw::Short)
}

/// The number of 32 bits at `at`.
fn u32_at(octets: &[u8], at: usize) -> Result<u32, Flaw> {
    octets.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes).ok_or(Flaw::Short)
}

/// RFC 7510 §3: "Destination Port of UDP: [...] set to a value (6635) allocated by IANA to indicate that the UDP tunnel
/// payload is an MPLS packet."
const MPLS_IN_UDP_PORT: u16 = 6635;
const BOTTOM_OF_STACK: u32 = 0x100;
const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;
const ETHER_TYPE_MPLS: u16 = 0x8847;
/// RFC 1701: Transparent Ethernet Bridging.
const ETHER_TYPE_BRIDGING: u16 = 0x6558;

/// What an EtherType in a tunnel's header announces.
fn by_ether_type(ether_type: u16) -> Next {
    if ether_type == ETHER_TYPE_BRIDGING { Next::Ethernet } else { Next::EtherType(ether_type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UDP datagram to this port.
    fn datagram(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(8 + payload.len()).unwrap();
        [&source.to_be_bytes(), &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
    }

    const VXLAN: [u8; 8] = [8, 0, 0, 0, 0, 0, 5, 0];

    #[test]
    fn udp_to_a_tunnels_port_counts_its_own_header() {
        let found = in_udp(&datagram(50_000, 4789, &VXLAN), true).unwrap().unwrap();
        assert_eq!(found, Header { carrier: Carrier::Vxlan, octets: 16, next: Next::Ethernet, network: 5 });
        assert_eq!(in_udp(&datagram(4789, 50_000, &VXLAN), true), Ok(None), "the port of VXLAN is the destination's");
        assert_eq!(in_udp(&datagram(50_000, 53, &VXLAN), true), Ok(None));
    }

    #[test]
    fn other_udp_to_a_tunnels_port_is_no_error() {
        for port in [4789, 8472, 4790, 6081, 2152, 1701, 37_008, 3544, 6635] {
            for payload in [&b""[..], b"hi", b"GET / HTTP/1.1\r\n", &[0xff; 40]] {
                assert_eq!(in_udp(&datagram(50_000, port, payload), true), Ok(None), "{port} {payload:?}");
            }
        }
    }

    #[test]
    fn a_header_that_the_capture_cut_is_short() {
        for cut in 8..16 {
            assert_eq!(in_udp(&datagram(50_000, 4789, &VXLAN)[..cut], false), Err(Flaw::Short), "{cut}");
        }
        assert_eq!(in_udp(&datagram(50_000, 4789, &VXLAN)[..7], false), Err(Flaw::Short));
        assert_eq!(in_udp(&datagram(50_000, 53, &VXLAN)[..10], false), Ok(None));
    }

    #[test]
    fn ip_protocols_of_tunnels() {
        let next =
            |protocol| in_ip(protocol, &[]).unwrap().map(|header| (header.carrier.name(), header.octets, header.next));
        assert_eq!(next(4), Some(("ip_in_ip", 0, Next::EtherType(0x0800))));
        assert_eq!(next(41), Some(("ip_in_ip", 0, Next::EtherType(0x86dd))));
        assert_eq!(next(137), Some(("mpls", 0, Next::EtherType(0x8847))));
        assert_eq!(next(50), None, "ESP");
        assert_eq!(in_ip(47, &[]), Err(Flaw::Short));
    }
}
