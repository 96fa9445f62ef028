//! Encapsulated Remote Switch Port Analyzer (draft-foschiano-erspan-03), in GRE.
//!
//! Type I has no header of its own. Type II, §4.2:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Ver  |          VLAN         | COS | En|T|    Session ID     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Reserved         |                  Index                |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Type III, §4.3, with an optional platform specific subheader of eight octets where O is set:
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Ver  |          VLAN         | COS |BSO|T|     Session ID    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                          Timestamp                            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |             SGT               |P|    FT   |   Hw ID   |D|Gra|O|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! > The ERSPAN payload starts after the O flag when O == 0b or after 8 octets when O == 1b.
//!
//! A frame that the switch cut short (T) needs no bit of ours: the IP header inside says how long it was.

use super::{Flaw, Found, Header, Next, u16_at};
use crate::Carrier;

/// Ver 1.
pub(super) fn type_ii(octets: &[u8]) -> Found {
    found(octets, 1, 8, Next::Ethernet)
}

/// Ver 2. FT, the frame type, is 0 for an Ethernet frame and 2 for an IP packet.
pub(super) fn type_iii(octets: &[u8]) -> Found {
    let last = u16_at(octets, 10)?;
    let next = match last >> 10 & 0b1_1111 {
        0 => Next::Ethernet,
        2 => Next::Ip,
        _ => return Ok(None),
    };
    found(octets, 2, if last & OPTIONAL_SUBHEADER == 0 { 12 } else { 20 }, next)
}

fn found(octets: &[u8], version: u16, end: usize, next: Next) -> Found {
    let (version_and_vlan, session) = (u16_at(octets, 0)?, u16_at(octets, 2)? & SESSION);
    if version_and_vlan >> 12 != version {
        return Err(Flaw::Malformed);
    }
    octets.get(end..).ok_or(Flaw::Short)?;
    Ok(Some(Header { carrier: Carrier::Erspan, octets: end, next, network: session.into() }))
}

/// GRE protocol type; with a sequence number it is Type II.
pub(super) const TYPE_I_OR_II: u16 = 0x88be;
/// GRE protocol type.
pub(super) const TYPE_III: u16 = 0x22eb;
const SESSION: u16 = 0x03ff;
const OPTIONAL_SUBHEADER: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(octets: usize, next: Next) -> Found {
        Ok(Some(Header { carrier: Carrier::Erspan, octets, next, network: 0x123 }))
    }

    #[test]
    fn type_ii_is_eight_octets() {
        // VLAN 100, COS 2, encapsulated with its VLAN tag, truncated, session 0x123; index 5.
        let octets = [0x10, 0x64, 0b0101_1101, 0x23, 0, 0, 0, 5];
        assert_eq!(type_ii(&octets), expected(8, Next::Ethernet));
        assert_eq!(type_ii(&octets[..7]), Err(Flaw::Short));
        assert_eq!(type_ii(&[0x20, 0x64, 0, 0, 0, 0, 0, 5]), Err(Flaw::Malformed), "the version of Type III");
    }

    #[test]
    fn type_iii_has_an_optional_subheader_and_a_frame_type() {
        let with = |low: [u8; 2]| [0x20, 0x64, 1, 0x23, 0, 0, 0, 9, 0, 7, low[0], low[1]];
        assert_eq!(type_iii(&with([0x80, 0x0e])), expected(12, Next::Ethernet), "P, D, granularity");
        assert_eq!(type_iii(&with([0x08, 0])), expected(12, Next::Ip), "FT 2");
        assert_eq!(type_iii(&with([0x7c, 0])), Ok(None), "FT 31");
        let subheader = [&with([0, 1])[..], &[0x0c, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(type_iii(&subheader), expected(20, Next::Ethernet));
        assert_eq!(type_iii(&subheader[..19]), Err(Flaw::Short));
    }
}
