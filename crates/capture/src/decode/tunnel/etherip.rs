//! EtherIP (RFC 3378): an Ethernet frame in IP.
//!
//! ```text
//!  0   1   2   3   4   5   6   7   8   9   10  11  12  13  14  15
//! +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
//! |    VERSION    |                   RESERVED                    |
//! +---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
//! ```

use super::{Flaw, Found, Header, Next, u16_at};
use crate::Carrier;

/// §3: "Version: 4 bits [...] MUST be set to decimal 3. [...] Reserved: 12 bits [...] MUST be set to zero."
pub(super) fn header(octets: &[u8]) -> Found {
    if u16_at(octets, 0)? != 0x3000 {
        return Err(Flaw::Malformed);
    }
    Ok(Some(Header { carrier: Carrier::EtherIp, octets: 2, next: Next::Ethernet, network: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_3_and_an_ethernet_frame() {
        let expected = Header { carrier: Carrier::EtherIp, octets: 2, next: Next::Ethernet, network: 0 };
        assert_eq!(header(&[0x30, 0, 2]), Ok(Some(expected)));
        assert_eq!(header(&[0x30]), Err(Flaw::Short));
        assert_eq!(header(&[0x20, 0]), Err(Flaw::Malformed));
    }
}
