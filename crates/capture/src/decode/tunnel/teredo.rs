//! Teredo (RFC 4380): IPv6 over UDP through network address translators.
//!
//! ```text
//!  authentication, §5.1.1                              origin
//! +--------+--------+--------+--------+               +--------+--------+-----------------+
//! |  0x00  |  0x01  | ID-len | AU-len |               |  0x00  |  0x00  | Origin port #   |
//! +--------+--------+--------+--------+               +--------+--------+-----------------+
//! |  Client identification (ID-len octets)            |  Origin IPv4 address              |
//! |  Authentication value (AU-len octets)             +-----------------------------------+
//! |  Nonce value (8 octets)           |
//! |  Confirmation    |
//! +------------------+
//! ```

use super::{ETHER_TYPE_IPV6, Flaw, Found, Header, Next, octet, u16_at};
use crate::Carrier;

/// §5.1.1 knows packets with neither indication, with either, and with both; then the
/// authentication comes first.
///
/// Behind them stands an IPv6 datagram, which must have its version and, where all was captured, fit into the UDP datagram:
/// the port alone proves little, for it may be the source's as well as the destination's. It may leave room behind it, for
/// the trailers of RFC 6081.
pub(super) fn header(octets: &[u8], whole: bool) -> Found {
    let mut at = 0_usize;
    if u16_at(octets, at)? == AUTHENTICATION {
        let lengths = usize::from(octet(octets, 2)?).saturating_add(octet(octets, 3)?.into());
        at = at.saturating_add(AUTHENTICATION_OCTETS).saturating_add(lengths);
    }
    if u16_at(octets, at)? == ORIGIN {
        at = at.saturating_add(ORIGIN_OCTETS);
    }
    let promised = usize::from(u16_at(octets, at.saturating_add(4))?).saturating_add(IPV6_HEADER_OCTETS);
    let there = octets.len().saturating_sub(at);
    if octet(octets, at)? >> 4 != 6 || (whole && promised > there) {
        return Err(Flaw::Malformed);
    }
    Ok(Some(Header { carrier: Carrier::Teredo, octets: at, next: Next::EtherType(ETHER_TYPE_IPV6), network: 0 }))
}

/// §2.7: "Teredo UDP Port: […] The default value of this port is 3544."
pub(super) const PORT: u16 = 3544;
const AUTHENTICATION: u16 = 0x0001;
/// Without identification and value.
const AUTHENTICATION_OCTETS: usize = 4 + 8 + 1;
const ORIGIN: u16 = 0x0000;
const ORIGIN_OCTETS: usize = 8;
const IPV6_HEADER_OCTETS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(octets: &[u8]) -> Found {
        header(octets, false)
    }

    const ORIGIN_INDICATION: [u8; 8] = [0, 0, 0x3c, 0xaf, 0x3f, 0xff, 0xfd, 0xfe];
    /// Identification of two octets, value of three.
    const AUTHENTICATED: [u8; 18] = [0, 1, 2, 3, b'i', b'd', 1, 2, 3, 9, 9, 9, 9, 9, 9, 9, 9, 0];

    fn datagram() -> Vec<u8> {
        [&[0x60, 0, 0, 0, 0, 2, 6, 64][..], &[0x20; 32], b"hi"].concat()
    }

    fn expected(octets: usize) -> Found {
        Ok(Some(Header { carrier: Carrier::Teredo, octets, next: Next::EtherType(0x86dd), network: 0 }))
    }

    #[test]
    fn ipv6_with_and_without_indications() {
        assert_eq!(header_of(&datagram()), expected(0));
        assert_eq!(header_of(&[&ORIGIN_INDICATION[..], &datagram()].concat()), expected(8));
        assert_eq!(header_of(&[&AUTHENTICATED[..], &datagram()].concat()), expected(18));
        let both = [&AUTHENTICATED[..], &ORIGIN_INDICATION, &datagram()].concat();
        assert_eq!(header_of(&both), expected(26));
        for cut in 0..32 {
            assert_eq!(header_of(&both[..cut]), Err(Flaw::Short), "{cut}");
        }
    }

    #[test]
    fn what_is_not_ipv6_is_not_teredo() {
        let mut other = datagram();
        other[0] = 0x45;
        assert_eq!(header_of(&other), Err(Flaw::Malformed));
        let mut longer = datagram();
        longer[5] = 3;
        assert_eq!(header(&longer, true), Err(Flaw::Malformed), "more than there is");
        assert_eq!(header(&longer, false), expected(0), "the capture cut it");
        assert_eq!(header(&[&datagram()[..], &[4, 0]].concat(), true), expected(0), "a trailer");
    }
}
