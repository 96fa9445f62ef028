//! Virtual eXtensible Local Area Network (RFC 7348), what AWS traffic mirroring delivers, and its generic protocol
//! extension (draft-ietf-nvo3-vxlan-gpe).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|R|R|R|I|R|R|R|            Reserved                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!  GPE:
//! |R|R|Ver|I|P|B|O|       Reserved                |Next Protocol  |
//! ```

use super::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, ETHER_TYPE_MPLS, Flaw, Found, Header, Next, octet, u32_at};
use crate::Carrier;

/// §5:
///
/// > Flags (8 bits): where the I flag MUST be set to 1 for a valid VXLAN Network ID (VNI). The other 7 bits (designated
/// > "R") are reserved fields and MUST be set to zero on transmission and ignored on receipt.
///
/// Ignored they are, but for two that no extension of VXLAN itself has taken (group policy has the first). Every letter
/// of ASCII has one of them, so that text is not taken for VXLAN.
pub(super) fn header(octets: &[u8]) -> Found {
    let (flags, vni) = (octet(octets, 0)?, u32_at(octets, 4)?);
    if flags & (VALID_VNI | NEVER_SET) != VALID_VNI {
        return Err(Flaw::Malformed);
    }
    Ok(Some(Header { carrier: Carrier::Vxlan, octets: HEADER_OCTETS, next: Next::Ethernet, network: vni >> 8 }))
}

/// draft-ietf-nvo3-vxlan-gpe-12 §3.1:
///
/// > Instance Bit (I bit): The I bit MUST be set to indicate a valid VNI. Next Protocol Bit (P bit): The P bit is set to
/// > indicate that the Next Protocol field is present. […] OAM Flag Bit (O bit): The O bit is set to indicate that the
/// > packet is an OAM packet.
pub(super) fn gpe_header(octets: &[u8]) -> Found {
    let (flags, protocol, vni) = (octet(octets, 0)?, octet(octets, 3)?, u32_at(octets, 4)?);
    if flags & VALID_VNI == 0 || flags & GPE_VERSION_AND_RESERVED != 0 {
        return Err(Flaw::Malformed);
    }
    let next = match protocol {
        _ if flags & OAM != 0 => return Ok(None),
        // Then it is VXLAN, whose payload is a frame.
        _ if flags & NEXT_PROTOCOL_PRESENT == 0 => Next::Ethernet,
        1 => Next::EtherType(ETHER_TYPE_IPV4),
        2 => Next::EtherType(ETHER_TYPE_IPV6),
        3 => Next::Ethernet,
        // Of drafts before that.
        5 => Next::EtherType(ETHER_TYPE_MPLS),
        _ => return Ok(None),
    };
    Ok(Some(Header { carrier: Carrier::VxlanGpe, octets: HEADER_OCTETS, next, network: vni >> 8 }))
}

/// §5: "IANA has assigned the value 4789 for the VXLAN UDP port".
pub(super) const PORT: u16 = 4789;
/// What Linux used before there was one, and still does unless told otherwise.
pub(super) const PORT_LINUX: u16 = 8472;
pub(super) const PORT_GPE: u16 = 4790;
const HEADER_OCTETS: usize = 8;
const VALID_VNI: u8 = 0x08;
const NEVER_SET: u8 = 0x50;
const GPE_VERSION_AND_RESERVED: u8 = 0xf0;
const NEXT_PROTOCOL_PRESENT: u8 = 0x04;
const OAM: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(carrier: Carrier, next: Next) -> Found {
        Ok(Some(Header { carrier, octets: 8, next, network: 0x0001_0203 }))
    }

    #[test]
    fn a_frame_with_its_network() {
        let octets = [8, 0, 0, 0, 1, 2, 3, 0];
        assert_eq!(header(&octets), expected(Carrier::Vxlan, Next::Ethernet));
        for cut in 0..8 {
            assert_eq!(header(&octets[..cut]), Err(Flaw::Short));
        }
        // draft-smith-vxlan-group-policy: G, and the group in the reserved field.
        assert_eq!(header(&[0x88, 0x08, 0, 9, 1, 2, 3, 0]), expected(Carrier::Vxlan, Next::Ethernet));
        assert_eq!(header(&[0, 0, 0, 0, 1, 2, 3, 0]), Err(Flaw::Malformed), "no I");
        assert_eq!(header(b"hello, all"), Err(Flaw::Malformed));
    }

    #[test]
    fn the_extension_names_what_follows() {
        let with = |flags, protocol| gpe_header(&[flags, 0, 0, protocol, 1, 2, 3, 0]);
        assert_eq!(with(0x0c, 1), expected(Carrier::VxlanGpe, Next::EtherType(0x0800)));
        assert_eq!(with(0x0c, 2), expected(Carrier::VxlanGpe, Next::EtherType(0x86dd)));
        assert_eq!(with(0x0c, 3), expected(Carrier::VxlanGpe, Next::Ethernet));
        assert_eq!(with(0x0c, 5), expected(Carrier::VxlanGpe, Next::EtherType(0x8847)));
        assert_eq!(with(0x08, 0), expected(Carrier::VxlanGpe, Next::Ethernet), "as VXLAN");
        assert_eq!(with(0x0c, 4), Ok(None), "NSH");
        assert_eq!(with(0x0d, 1), Ok(None), "OAM");
        assert_eq!(with(0x1c, 1), Err(Flaw::Malformed), "version 1");
        assert_eq!(with(0x04, 1), Err(Flaw::Malformed), "no I");
        assert_eq!(gpe_header(&[0x0c, 0, 0, 1, 1, 2, 3]), Err(Flaw::Short));
    }
}
