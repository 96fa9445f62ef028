//! TaZmen Sniffer Protocol: the remote packet sniffer of MikroTik's routers and of wireless probes.
//!
//! ```text
//! +--------+--------+-----------------+------------------------------------+--------
//! | Ver 1  |  Type  |  Encapsulated   |  tags: Type, Length, Data …;       |  frame
//! |        |        |  protocol       |  0 is padding, 1 ends them         |
//! +--------+--------+-----------------+------------------------------------+--------
//! ```

use super::{Flaw, Found, Header, Next, octet, u16_at};
use crate::Carrier;

/// Types 0 (received) and 1 (for transmission) carry a frame; protocol 1 is Ethernet.
pub(super) fn header(octets: &[u8]) -> Found {
    let (version, kind, protocol) = (octet(octets, 0)?, octet(octets, 1)?, u16_at(octets, 2)?);
    if version != 1 {
        return Err(Flaw::Malformed);
    }
    if kind > 1 || protocol != ETHERNET {
        return Ok(None);
    }
    let mut at = 4_usize;
    loop {
        at = match octet(octets, at)? {
            PADDING => at.saturating_add(1),
            END => break,
            _ => at.saturating_add(2).saturating_add(octet(octets, at.saturating_add(1))?.into()),
        };
    }
    Ok(Some(Header { carrier: Carrier::Tzsp, octets: at.saturating_add(1), next: Next::Ethernet, network: 0 }))
}

/// 0x9090.
pub(super) const PORT: u16 = 37_008;
const ETHERNET: u16 = 1;
const PADDING: u8 = 0;
const END: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_passed() {
        // Raw RSSI, padding, RX channel, end.
        let octets = [1, 0, 0, 1, 10, 1, 0xd8, 0, 18, 1, 6, 1];
        let expected = Header { carrier: Carrier::Tzsp, octets: 12, next: Next::Ethernet, network: 0 };
        assert_eq!(header(&octets), Ok(Some(expected)));
        for cut in 0..12 {
            assert_eq!(header(&octets[..cut]), Err(Flaw::Short), "{cut}");
        }
    }

    #[test]
    fn what_carries_no_frame() {
        assert_eq!(header(&[1, 4, 0, 0]), Ok(None), "keep-alive");
        assert_eq!(header(&[1, 0, 0, 18, 1]), Ok(None), "802.11");
        assert_eq!(header(&[2, 0, 0, 1, 1]), Err(Flaw::Malformed));
    }
}
