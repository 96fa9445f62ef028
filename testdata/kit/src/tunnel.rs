//! Puts Ethernet frames, or the IP datagrams in them, into tunnels. Every function takes a frame and gives a frame, so that
//! tunnels nest. The outer addresses are 203.0.113.1 and .2, or 2001:db8:ffff::1 and ::2.

use etherparse::{IpNumber, Ipv4Header};

/// Puts an 802.1Q tag into the frame.
pub fn vlan(frame: &[u8], id: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, &[0x81, 0], &id.to_be_bytes(), rest].concat()
}

/// The datagram in IPv4: IP in IP (RFC 2003), or 6in4 (RFC 4213).
pub fn ip_in_ip(frame: &[u8]) -> Vec<u8> {
    ipv4(protocol_of(frame), datagram(frame))
}

/// The datagram in IPv6 (RFC 2473), behind a destination options header with a tunnel encapsulation limit (§4.1.1).
pub fn ip_in_ipv6(frame: &[u8]) -> Vec<u8> {
    let limit = [protocol_of(frame), 0, 4, 1, 4, 1, 1, 0];
    ipv6(60, &[&limit, datagram(frame)].concat())
}

/// The optional fields of GRE.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gre {
    /// Whether there is a checksum. It is not right.
    pub checksum: bool,
    /// The key.
    pub key: Option<u32>,
    /// The sequence number.
    pub sequence: Option<u32>,
}

/// The datagram in GRE (RFC 2784, 2890) over IPv4.
pub fn gre(frame: &[u8], fields: Gre) -> Vec<u8> {
    ipv4(47, &[&gre_header(fields, ether_type(frame)), datagram(frame)].concat())
}

/// The datagram in GRE over IPv6 (RFC 7676).
pub fn gre_in_ipv6(frame: &[u8]) -> Vec<u8> {
    ipv6(47, &[&gre_header(Gre::default(), ether_type(frame)), datagram(frame)].concat())
}

/// The frame in GRE; with a key that is NVGRE (RFC 7637).
pub fn gre_bridged(frame: &[u8], key: Option<u32>) -> Vec<u8> {
    ipv4(47, &[&gre_header(Gre { key, ..Gre::default() }, 0x6558), frame].concat())
}

/// ERSPAN Type I: the frame behind four octets of GRE.
pub fn erspan_i(frame: &[u8]) -> Vec<u8> {
    ipv4(47, &[&gre_header(Gre::default(), 0x88be), frame].concat())
}

/// ERSPAN Type II.
pub fn erspan_ii(frame: &[u8]) -> Vec<u8> {
    let gre = gre_header(Gre { sequence: Some(77), ..Gre::default() }, 0x88be);
    ipv4(47, &[&gre[..], &[0x10, 0x64, 0x18, 5, 0, 0, 0, 3], frame].concat())
}

/// ERSPAN Type III, with or without the platform specific subheader.
pub fn erspan_iii(frame: &[u8], subheader: bool) -> Vec<u8> {
    let gre = gre_header(Gre { sequence: Some(77), ..Gre::default() }, 0x22eb);
    let header = [0x20, 0x64, 0x18, 5, 0, 0, 0, 9, 0, 0, 0x80, u8::from(subheader)];
    let platform: &[u8] = if subheader { &[0x0c, 0, 0, 0, 0, 0, 0, 0] } else { &[] };
    ipv4(47, &[&gre[..], &header, platform, frame].concat())
}

/// The frame in EtherIP (RFC 3378).
pub fn etherip(frame: &[u8]) -> Vec<u8> {
    ipv4(97, &[&[0x30, 0], frame].concat())
}

/// The frame in VXLAN (RFC 7348).
pub fn vxlan(frame: &[u8], vni: u32) -> Vec<u8> {
    vxlan_to(frame, vni, 4789)
}

/// The frame in VXLAN to another port.
pub fn vxlan_to(frame: &[u8], vni: u32, port: u16) -> Vec<u8> {
    udp(port, &[&[8, 0, 0, 0], &(vni << 8).to_be_bytes()[..], frame].concat())
}

/// The frame in VXLAN over IPv6.
pub fn vxlan_in_ipv6(frame: &[u8], vni: u32) -> Vec<u8> {
    ipv6(17, &udp_datagram(4789, &[&[8, 0, 0, 0], &(vni << 8).to_be_bytes()[..], frame].concat()))
}

/// The datagram in VXLAN-GPE.
pub fn vxlan_gpe(frame: &[u8]) -> Vec<u8> {
    let protocol = if ether_type(frame) == IPV4 { 1 } else { 2 };
    udp(4790, &[&[0x0c, 0, 0, protocol, 0, 0, 5, 0], datagram(frame)].concat())
}

/// The frame in GENEVE (RFC 8926) with these options, a multiple of four octets.
///
/// # Panics
/// Where the options are too long.
pub fn geneve(frame: &[u8], options: &[u8]) -> Vec<u8> {
    geneve_of(0x6558, frame, options)
}

/// The datagram in GENEVE.
pub fn geneve_ip(frame: &[u8]) -> Vec<u8> {
    geneve_of(ether_type(frame), datagram(frame), &[])
}

fn geneve_of(protocol: u16, inside: &[u8], options: &[u8]) -> Vec<u8> {
    let words = u8::try_from(options.len() / 4).expect("at most 252 octets of options");
    let header = [&[words, 0][..], &protocol.to_be_bytes(), &[0, 0, 5, 0]].concat();
    udp(6081, &[&header, options, inside].concat())
}

/// The datagram in GTP-U (3GPP TS 29.281). `optional` is what stands from the sequence number to the end of the last
/// extension header, or nothing.
pub fn gtp_u(frame: &[u8], optional: &[u8]) -> Vec<u8> {
    gtp_u_of(datagram(frame), optional)
}

/// The frame in GTP-U, as a 5G session of type Ethernet has it.
pub fn gtp_u_ethernet(frame: &[u8]) -> Vec<u8> {
    gtp_u_of(frame, &[])
}

fn gtp_u_of(inside: &[u8], optional: &[u8]) -> Vec<u8> {
    let flags = if optional.is_empty() { 0x30 } else { 0x34 };
    let length = len_u16(inside.len() + optional.len()).to_be_bytes();
    udp(2152, &[&[flags, 255], &length[..], &[0, 0, 0, 9], optional, inside].concat())
}

/// The datagram, which must be IPv6, in Teredo (RFC 4380) behind these indications.
pub fn teredo(frame: &[u8], indications: &[u8]) -> Vec<u8> {
    udp(3544, &[indications, datagram(frame)].concat())
}

/// The frame in TZSP with these tags, the end tag among them.
pub fn tzsp(frame: &[u8], tags: &[u8]) -> Vec<u8> {
    udp(37_008, &[&[1, 0, 0, 1], tags, frame].concat())
}

/// The datagram in PPP in GRE version 1 (RFC 2637), with an acknowledgment number or without.
pub fn pptp(frame: &[u8], acknowledges: bool) -> Vec<u8> {
    let ppp = ppp(frame);
    let flags = if acknowledges { 0x81 } else { 0x01 };
    let header = [&[0x30, flags, 0x88, 0x0b][..], &len_u16(ppp.len()).to_be_bytes(), &[0, 3, 0, 0, 0, 1]].concat();
    let acknowledgment: &[u8] = if acknowledges { &[0, 0, 0, 1] } else { &[] };
    ipv4(47, &[&header, acknowledgment, &ppp].concat())
}

/// The datagram in PPP in L2TP version 2 (RFC 2661), with a length.
pub fn l2tp(frame: &[u8]) -> Vec<u8> {
    let ppp = ppp(frame);
    udp(1701, &[&[0x40, 0x02][..], &len_u16(ppp.len() + 8).to_be_bytes(), &[0, 1, 0, 2], &ppp].concat())
}

/// The datagram behind two labels in UDP (RFC 7510).
pub fn mpls_in_udp(frame: &[u8]) -> Vec<u8> {
    udp(6635, &[&LABELS, datagram(frame)].concat())
}

/// The datagram behind two labels in IP (RFC 4023), or in GRE.
pub fn mpls_in_ip(frame: &[u8], in_gre: bool) -> Vec<u8> {
    if in_gre {
        ipv4(47, &[&gre_header(Gre::default(), 0x8847)[..], &LABELS, datagram(frame)].concat())
    } else {
        ipv4(137, &[&LABELS, datagram(frame)].concat())
    }
}

/// Labels 16 and 17.
const LABELS: [u8; 8] = [0, 1, 0, 64, 0, 1, 0x11, 64];

fn ppp(frame: &[u8]) -> Vec<u8> {
    let protocol = if ether_type(frame) == IPV4 { 0x21 } else { 0x57 };
    [&[0xff, 0x03, 0, protocol], datagram(frame)].concat()
}

/// A UDP datagram to this port in a frame of its own.
pub fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    ipv4(17, &udp_datagram(port, payload))
}

/// An IPv4 datagram with this protocol in a frame of its own.
///
/// # Panics
/// Where it would be longer than IP allows.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv4Header::new(len_u16(payload.len()), 64, IpNumber(protocol), [203, 0, 113, 1], [203, 0, 113, 2]);
    let header = header.expect("a datagram that IP can carry").to_bytes();
    ethernet(IPV4, &[&header, payload].concat())
}

/// An IPv6 datagram with this next header in a frame of its own.
///
/// # Panics
/// Where it would be longer than IP allows.
pub fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let address = |last| [&[0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff][..], &[0; 9], &[last]].concat();
    let length = len_u16(payload.len()).to_be_bytes();
    let header = [&[0x60, 0, 0, 0][..], &length, &[next_header, 64], &address(1), &address(2)].concat();
    ethernet(IPV6, &[&header, payload].concat())
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1][..], &ether_type.to_be_bytes(), payload].concat()
}

fn udp_datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    // RFC 7348 §5: the checksum "SHOULD be transmitted as zero".
    let length = len_u16(payload.len() + 8).to_be_bytes();
    [&51_000_u16.to_be_bytes()[..], &port.to_be_bytes(), &length, &[0, 0], payload].concat()
}

fn gre_header(fields: Gre, protocol: u16) -> Vec<u8> {
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let first = bit(fields.checksum, 0x80) | bit(fields.key.is_some(), 0x20) | bit(fields.sequence.is_some(), 0x10);
    let mut header = [&[first, 0][..], &protocol.to_be_bytes()].concat();
    if fields.checksum {
        header.extend([0xab, 0xcd, 0, 0]);
    }
    for field in [fields.key, fields.sequence].into_iter().flatten() {
        header.extend(field.to_be_bytes());
    }
    header
}

/// The IP datagram in an untagged frame.
pub(crate) fn datagram(frame: &[u8]) -> &[u8] {
    frame.get(14..).expect("an Ethernet frame")
}

pub(crate) fn ether_type(frame: &[u8]) -> u16 {
    frame.get(12..).and_then(<[u8]>::first_chunk).copied().map(u16::from_be_bytes).expect("an Ethernet frame")
}

fn protocol_of(frame: &[u8]) -> u8 {
    if ether_type(frame) == IPV4 { 4 } else { 41 }
}

pub(crate) fn len_u16(len: usize) -> u16 {
    u16::try_from(len).expect("a packet that IP can carry")
}

pub(crate) const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_in_vxlan_is_laid_out_as_the_rfc_says() {
        let frame = [&[9; 12][..], &[8, 0], b"datagram"].concat();
        let outer = vxlan(&frame, 0x01_0203);
        assert_eq!(outer.len(), 14 + 20 + 8 + 8 + frame.len());
        assert_eq!(outer[23], 17);
        assert_eq!(outer[36..50], [0x12, 0xb5, 0, 38, 0, 0, 8, 0, 0, 0, 1, 2, 3, 0]);
        assert_eq!(outer[50..], frame);
    }

    #[test]
    fn a_datagram_in_gre_is_laid_out_as_the_rfc_says() {
        let frame = [&[9; 12][..], &[0x86, 0xdd], b"datagram"].concat();
        let outer = gre(&frame, Gre { checksum: true, key: Some(1), sequence: Some(2) });
        assert_eq!(outer[34..50], [0xb0, 0, 0x86, 0xdd, 0xab, 0xcd, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(outer[50..], *b"datagram");
        assert_eq!(ip_in_ip(&frame)[23], 41);
    }
}
