//! GTP-U, the user plane of mobile networks (3GPP TS 29.281).
//!
//! ```text
//!          8   7   6   5   4   3   2   1
//!  1      |  Version  |PT | * | E | S |PN |
//!  2      |         Message Type          |
//!  3-4    |            Length             |
//!  5-8    |  Tunnel Endpoint Identifier   |
//!  9-10   |        Sequence Number        |  these where E, S or PN is set
//!  11     |         N-PDU Number          |
//!  12     |  Next Extension Header Type   |
//! ```

use super::{Flaw, Found, Header, Next, octet, u16_at, u32_at};
use crate::Carrier;

/// §5.1:
///
/// > If and only if one or more of these three flags are set, the fields Sequence Number, N-PDU and Extension Header shall
/// > be present. […] Length: This field indicates the length in octets of the payload, i.e. the rest of the packet
/// > following the mandatory part of the GTP header (that is the first 8 octets).
///
/// and of extension headers, §5.2.1:
///
/// > The Extension Header Length field specifies the length of the particular Extension header in 4 octets units. The Next
/// > Extension Header Type field specifies the type of any Extension Header that may follow a particular Extension
/// > Header. If no such Header follows, then the value of the Next Extension Header Type shall be 0.
pub(super) fn header(octets: &[u8]) -> Found {
    let (flags, message, teid) = (octet(octets, 0)?, octet(octets, 1)?, u32_at(octets, 4)?);
    if flags & (VERSION | PROTOCOL_TYPE) != VERSION_1 | PROTOCOL_TYPE {
        return Err(Flaw::Malformed);
    }
    if message != G_PDU {
        return Ok(None);
    }
    let mut end = MANDATORY_OCTETS;
    if flags & OPTIONAL_FIELDS != 0 {
        let mut extension = octet(octets, 11)?;
        end = 12;
        while flags & EXTENSION_HEADER != 0 && extension != 0 {
            let length = usize::from(octet(octets, end)?).saturating_mul(4);
            // A length of 0 would go around for ever.
            if length == 0 {
                return Err(Flaw::Malformed);
            }
            end = end.saturating_add(length);
            extension = octet(octets, end.saturating_sub(1))?;
        }
    }
    if usize::from(u16_at(octets, 2)?) < end.saturating_sub(MANDATORY_OCTETS) {
        return Err(Flaw::Malformed);
    }
    let inside = octets.get(end..).ok_or(Flaw::Short)?;
    Ok(user_packet(inside)?.map(|next| Header { carrier: Carrier::GtpU, octets: end, next, network: teid }))
}

/// GTP-U does not say what a T-PDU is; the session does, out of sight. Nearly always it is IP, which its first octet
/// shows, in 5G it may be an Ethernet frame (TS 23.501 §5.6.10.2). The two meet where the address of a frame begins with
/// 0x45 (a group address no mail goes to), another header length, or 0x60 to 0x6f; there the EtherType decides.
fn user_packet(octets: &[u8]) -> Result<Option<Next>, Flaw> {
    let ether_type = u16_at(octets, 12);
    let is_frame = matches!(ether_type, Ok(0x0800 | 0x86dd | 0x8100 | 0x88a8));
    Ok(match octet(octets, 0)? >> 4 {
        4 if octet(octets, 0)? >= 0x45 => Some(Next::Ip),
        6 if !is_frame => Some(Next::Ip),
        // The third and fourth octet of an IPv6 source address can be an EtherType; then its version and length agree.
        6 if u16_at(octets, 4).is_ok_and(|length| usize::from(length).saturating_add(40) == octets.len()) => {
            Some(Next::Ip)
        }
        _ if is_frame => Some(Next::Ethernet),
        _ => None,
    })
}

/// §4.4.2.3: "The UDP Destination Port number shall be 2152. It is the registered port number for GTP-U."
pub(super) const PORT: u16 = 2152;
const MANDATORY_OCTETS: usize = 8;
const VERSION: u8 = 0xe0;
const VERSION_1: u8 = 0x20;
/// GTP, not GTP'.
const PROTOCOL_TYPE: u8 = 0x10;
const OPTIONAL_FIELDS: u8 = 0x07;
const EXTENSION_HEADER: u8 = 0x04;
/// §6.1: the message that carries a user's packet.
const G_PDU: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first octets of an IPv4 datagram.
    const INSIDE: [u8; 4] = [0x45, 0, 0, 40];

    fn message(flags: u8, message: u8, fields: &[u8], inside: &[u8]) -> Vec<u8> {
        let length = u16::try_from(fields.len() + inside.len()).unwrap().to_be_bytes();
        [&[flags, message], &length[..], &[0, 0, 1, 2], fields, inside].concat()
    }

    fn expected(octets: usize, next: Next) -> Found {
        Ok(Some(Header { carrier: Carrier::GtpU, octets, next, network: 258 }))
    }

    #[test]
    fn a_users_packet_with_and_without_optional_fields() {
        assert_eq!(header(&message(0x30, 255, &[], &INSIDE)), expected(8, Next::Ip));
        for flags in [0x31, 0x32, 0x33] {
            // A Next Extension Header Type without its flag is not evaluated.
            let octets = message(flags, 255, &[0, 9, 0, 0x85], &INSIDE);
            assert_eq!(header(&octets), expected(12, Next::Ip), "{flags:x}");
            for cut in 0..12 {
                assert_eq!(header(&octets[..cut]), Err(Flaw::Short), "{cut}");
            }
        }
    }

    #[test]
    fn extension_headers_are_passed() {
        // PDU Session Container (TS 38.415), a long PDCP PDU Number of two words, no more.
        let fields = [0, 0, 0, 0x85, 1, 0x10, 5, 0x82, 2, 0, 0, 0, 0, 0, 0, 0];
        let octets = message(0x34, 255, &fields, &INSIDE);
        assert_eq!(header(&octets), expected(24, Next::Ip));
        for cut in 0..24 {
            assert_eq!(header(&octets[..cut]), Err(Flaw::Short), "{cut}");
        }
        let endless = message(0x34, 255, &[0, 0, 0, 0x85, 0, 0, 0, 0x85], &INSIDE);
        assert_eq!(header(&endless), Err(Flaw::Malformed));
    }

    #[test]
    fn ethernet_sessions_are_told_by_their_ether_type() {
        let frame = |first| [&[first, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00][..], &[0x45; 30]].concat();
        for first in [0x02, 0x66, 0x44] {
            assert_eq!(header(&message(0x30, 255, &[], &frame(first))), expected(8, Next::Ethernet), "{first:x}");
        }
        let mut datagram = [&[0x60, 0, 0, 0, 0, 4, 6, 64][..], &[0; 36]].concat();
        assert_eq!(header(&message(0x30, 255, &[], &datagram)), expected(8, Next::Ip));
        datagram[12] = 8;
        assert_eq!(header(&message(0x30, 255, &[], &datagram)), expected(8, Next::Ip), "an address like an EtherType");
        assert_eq!(header(&message(0x30, 255, &[], &[0; 40])), Ok(None), "unstructured");
    }

    #[test]
    fn other_messages_and_versions_carry_nothing() {
        for other in [1, 2, 26, 31, 254] {
            assert_eq!(header(&message(0x32, other, &[0, 1, 0, 0], &[])), Ok(None), "{other}");
        }
        assert_eq!(header(&message(0x48, 255, &[], &INSIDE)), Err(Flaw::Malformed), "GTPv2");
        assert_eq!(header(&message(0x20, 255, &[], &INSIDE)), Err(Flaw::Malformed), "GTP'");
        assert_eq!(header(&[0x31, 255, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0x45]), Err(Flaw::Malformed), "length 3");
    }
}
