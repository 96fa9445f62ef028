//! Generic Network Virtualization Encapsulation (RFC 8926), what Google Cloud's and AWS's load balancers deliver.
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ~                    Variable-Length Options                    ~
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Flaw, Found, Header, by_ether_type, octet, u16_at, u32_at};
use crate::Carrier;

/// §3.4:
///
/// > Ver (2 bits): The current version number is 0. Packets received by a tunnel endpoint with an unknown version MUST be
/// > dropped. […] Opt Len (6 bits): The length of the option fields, expressed in 4-byte multiples, not including the
/// > 8-byte fixed tunnel header. […] O (1 bit): Control packet. This packet contains a control message. […] Tunnel
/// > endpoints MUST NOT forward the payload.
///
/// Critical options that are not understood (C) bind endpoints, not observers.
pub(super) fn header(octets: &[u8]) -> Found {
    let (first, flags, protocol) = (octet(octets, 0)?, octet(octets, 1)?, u16_at(octets, 2)?);
    let vni = u32_at(octets, 4)?;
    if first >> 6 != 0 {
        return Err(Flaw::Malformed);
    }
    if flags & CONTROL != 0 {
        return Ok(None);
    }
    let end = usize::from(first & OPTIONS_LENGTH).saturating_mul(4).saturating_add(FIXED_OCTETS);
    octets.get(end..).ok_or(Flaw::Short)?;
    Ok(Some(Header { carrier: Carrier::Geneve, octets: end, next: by_ether_type(protocol), network: vni >> 8 }))
}

/// §3.3: "IANA has assigned port 6081 as the fixed well-known destination port for Geneve."
pub(super) const PORT: u16 = 6081;
const FIXED_OCTETS: usize = 8;
const OPTIONS_LENGTH: u8 = 0x3f;
const CONTROL: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::super::Next;
    use super::*;

    #[test]
    fn the_protocol_type_names_what_follows() {
        for (protocol, next) in [
            ([0x65, 0x58], Next::Ethernet),
            ([0x08, 0x00], Next::EtherType(0x0800)),
            ([0x86, 0xdd], Next::EtherType(0x86dd)),
        ] {
            let octets = [&[0, 0][..], &protocol, &[0, 0, 7, 0]].concat();
            assert_eq!(header(&octets), Ok(Some(Header { carrier: Carrier::Geneve, octets: 8, next, network: 7 })));
        }
    }

    #[test]
    fn options_are_passed_and_critical_ones_too() {
        // Option class 0x0108, type 1 with its critical bit, one word of data; then one without data.
        let options = [0x01, 0x08, 0x81, 1, 1, 2, 3, 4, 0x01, 0x08, 2, 0];
        let octets = [&[3, 0x40, 0x65, 0x58, 0, 0, 7, 0][..], &options].concat();
        assert_eq!(header(&octets).unwrap().unwrap().octets, 20);
        for cut in 0..octets.len() {
            assert_eq!(header(&octets[..cut]), Err(Flaw::Short), "{cut}");
        }
    }

    #[test]
    fn control_messages_and_other_versions_carry_nothing() {
        assert_eq!(header(&[0, 0x80, 0x65, 0x58, 0, 0, 7, 0]), Ok(None));
        assert_eq!(header(&[0x40, 0, 0x65, 0x58, 0, 0, 7, 0]), Err(Flaw::Malformed));
    }
}
