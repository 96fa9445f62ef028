//! Generic Routing Encapsulation: RFC 2784 with the key and sequence number of RFC 2890, the enhanced version 1 of PPTP
//! (RFC 2637), and what is GRE by its header: NVGRE (RFC 7637), ERSPAN.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |C|R|K|S|     Reserved0     |Ver|         Protocol Type         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Checksum (optional)      |       Reserved1 (Optional)    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                         Key (optional)                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                    Sequence Number (Optional)                 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Flaw, Found, Header, Next, by_ether_type, erspan, octet, u16_at, u32_at};
use crate::Carrier;

pub(super) fn header(octets: &[u8]) -> Found {
    let (flags, protocol) = (u16_at(octets, 0)?, u16_at(octets, 2)?);
    match flags & VERSION {
        0 => version_0(octets, flags, protocol),
        1 => version_1(octets, flags, protocol),
        // RFC 2784 §2.3.1: "The Version Number field MUST contain the value zero."
        _ => Err(Flaw::Malformed),
    }
}

fn version_0(octets: &[u8], flags: u16, protocol: u16) -> Found {
    // RFC 2784 §2.3: "A receiver MUST discard a packet where any of bits 1-5 are non-zero, unless that receiver
    // implements RFC 1701." Bits 2 and 3 became K and S; bits 1 and 4 are source routes, which nobody sends. Bit 5 and
    // what follows is reserved: a mirror that uses it is still read.
    if flags & (ROUTING | STRICT_SOURCE_ROUTE) != 0 {
        return Err(Flaw::Malformed);
    }
    let mut end = 4_usize;
    if flags & CHECKSUM != 0 {
        end = end.saturating_add(4);
    }
    let mut network = 0;
    if flags & KEY != 0 {
        network = u32_at(octets, end)?;
        end = end.saturating_add(4);
    }
    if flags & SEQUENCE != 0 {
        end = end.saturating_add(4);
    }
    let inside = octets.get(end..).ok_or(Flaw::Short)?;
    let next = match protocol {
        erspan::TYPE_I_OR_II if flags & SEQUENCE == 0 => {
            return Ok(Some(Header { carrier: Carrier::Erspan, octets: end, next: Next::Ethernet, network }));
        }
        erspan::TYPE_I_OR_II => return Ok(erspan::type_ii(inside)?.map(|header| behind(end, header))),
        erspan::TYPE_III => return Ok(erspan::type_iii(inside)?.map(|header| behind(end, header))),
        PPP => Next::Ppp,
        WCCP => {
            end = end.saturating_add(wccp_redirect_octets(inside)?);
            Next::Ip
        }
        other => by_ether_type(other),
    };
    Ok(Some(Header { carrier: Carrier::Gre, octets: end, next, network }))
}

/// Web Cache Communication Protocol, by which routers divert connections to a proxy, and the proxy returns them.
///
/// draft-wilson-wrec-wccp-v2-01: a redirected datagram stands in GRE behind a redirect header of four octets, whose first
/// is two flags and six reserved bits. Version 1 has none, and IPv4, whose first octet is 0x45 at least, follows at once.
fn wccp_redirect_octets(inside: &[u8]) -> Result<usize, Flaw> {
    Ok(if matches!(octet(inside, 0)?, 0x45..=0x4f) { 0 } else { 4 })
}

/// RFC 2637 §4.1: the key is the payload's length and the call, an acknowledgment number may follow, and
///
/// > (S) Sequence Number Present (Bit 3): Set to one (1) if a payload (data) packet is present. Set to zero (0) if payload
/// > is not present (GRE packet is an Acknowledgment only).
fn version_1(octets: &[u8], flags: u16, protocol: u16) -> Found {
    if protocol != PPP || flags & KEY == 0 || flags & (CHECKSUM | ROUTING) != 0 {
        return Err(Flaw::Malformed);
    }
    if flags & SEQUENCE == 0 {
        return Ok(None);
    }
    let call = u16_at(octets, 6)?.into();
    let end = if flags & ACKNOWLEDGMENT != 0 { 16 } else { 12 };
    octets.get(end..).ok_or(Flaw::Short)?;
    Ok(Some(Header { carrier: Carrier::Pptp, octets: end, next: Next::Ppp, network: call }))
}

fn behind(gre: usize, header: Header) -> Header {
    Header { octets: header.octets.saturating_add(gre), ..header }
}

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const STRICT_SOURCE_ROUTE: u16 = 0x0800;
/// In version 1.
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;
/// RFC 2637 §4.1: "Protocol Type: Set to hex 880B".
const PPP: u16 = 0x880b;
const WCCP: u16 = 0x883e;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(octets: &[u8]) -> Option<(Carrier, usize, Next, u32)> {
        header(octets).unwrap().map(|header| (header.carrier, header.octets, header.next, header.network))
    }

    #[test]
    fn gre_with_every_optional_field() {
        let optional: [(u16, &[u8], u32); 5] = [
            (0x0000, &[], 0),
            (0x8000, &[0xab, 0xcd, 0, 0], 0),
            (0x2000, &[0, 0, 1, 2], 258),
            (0x1000, &[0, 0, 0, 9], 0),
            (0xb000, &[0xab, 0xcd, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9], 7),
        ];
        for (flags, fields, key) in optional {
            for (protocol, next) in [
                (0x0800_u16, Next::EtherType(0x0800)),
                (0x86dd, Next::EtherType(0x86dd)),
                (0x6558, Next::Ethernet),
                (0x880b, Next::Ppp),
            ] {
                let octets = [&flags.to_be_bytes(), &protocol.to_be_bytes(), fields].concat();
                assert_eq!(found(&octets), Some((Carrier::Gre, 4 + fields.len(), next, key)));
                for cut in 0..octets.len() {
                    assert_eq!(header(&octets[..cut]), Err(Flaw::Short), "{cut}");
                }
            }
        }
    }

    /// RFC 7637 §3.2: K is set, C and S are not, the key is VSID and FlowID.
    #[test]
    fn nvgre_is_gre_with_a_key() {
        let octets = [0x20, 0, 0x65, 0x58, 0x00, 0x12, 0x34, 0x01];
        assert_eq!(found(&octets), Some((Carrier::Gre, 8, Next::Ethernet, 0x0012_3401)));
    }

    #[test]
    fn wccp_with_and_without_a_redirect_header() {
        let gre = [0, 0, 0x88, 0x3e];
        for (redirect, octets) in [(&[][..], 4), (&[0, 0, 0, 0], 8), (&[0xc0, 0, 5, 9], 8), (&[0x40, 50, 5, 9], 8)] {
            for datagram in [0x45, 0x4f] {
                let octets_of = [&gre[..], redirect, &[datagram, 0, 0, 40]].concat();
                assert_eq!(found(&octets_of), Some((Carrier::Gre, octets, Next::Ip, 0)), "{redirect:?}");
            }
        }
        assert_eq!(header(&gre), Err(Flaw::Short));
    }

    #[test]
    fn erspan_by_its_protocol_types() {
        let type_i = [0, 0, 0x88, 0xbe];
        assert_eq!(found(&type_i), Some((Carrier::Erspan, 4, Next::Ethernet, 0)));
        let type_ii = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x05, 0, 9, 0, 0, 0, 0];
        assert_eq!(found(&type_ii), Some((Carrier::Erspan, 16, Next::Ethernet, 9)));
        let type_iii = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0x05, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(found(&type_iii), Some((Carrier::Erspan, 20, Next::Ethernet, 9)));
        for cut in 4..20 {
            assert_eq!(header(&type_iii[..cut]), Err(Flaw::Short));
        }
    }

    #[test]
    fn pptp_carries_ppp_where_it_has_a_sequence_number() {
        // K and S, version 1, PPP; payload length, call ID; sequence number.
        let data = [0x30, 0x01, 0x88, 0x0b, 0, 40, 0, 3, 0, 0, 0, 1];
        assert_eq!(found(&data), Some((Carrier::Pptp, 12, Next::Ppp, 3)));
        let acknowledging = [&[0x30, 0x81][..], &data[2..], &[0, 0, 0, 1]].concat();
        assert_eq!(found(&acknowledging), Some((Carrier::Pptp, 16, Next::Ppp, 3)));
        let only = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 3, 0, 0, 0, 1];
        assert_eq!(found(&only), None, "an acknowledgment only");
        assert_eq!(header(&[0x10, 0x01, 0x88, 0x0b, 0, 0, 0, 0]), Err(Flaw::Malformed), "no key");
        assert_eq!(header(&[0x30, 0x01, 0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Flaw::Malformed));
    }

    #[test]
    fn other_versions_and_source_routes_are_malformed() {
        for flags in [0x0002_u16, 0x0007, 0x4000, 0x0800] {
            let octets = [&flags.to_be_bytes()[..], &[8, 0], &[0; 16]].concat();
            assert_eq!(header(&octets), Err(Flaw::Malformed), "{flags:04x}");
        }
    }
}
