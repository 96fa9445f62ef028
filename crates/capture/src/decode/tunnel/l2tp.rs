//! Layer Two Tunneling Protocol, version 2 (RFC 2661): PPP between a provider's access concentrator and its network server.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           Tunnel ID           |           Session ID          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |             Ns (opt)          |             Nr (opt)          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Offset Size (opt)        |    Offset pad... (opt)
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Flaw, Found, Header, Next, u16_at, u32_at};
use crate::Carrier;

/// §3.1:
///
/// > The Type (T) bit indicates the type of message. It is set to 0 for a data message and 1 for a control message. […] The
/// > x bits are reserved for future extensions. All reserved bits MUST be set to 0 on outgoing messages and ignored on
/// > incoming messages. Ver MUST be 2
///
/// Reserved bits that are set are taken for other UDP.
pub(super) fn header(octets: &[u8]) -> Found {
    let flags = u16_at(octets, 0)?;
    if flags & VERSION != 2 || flags & RESERVED != 0 {
        return Err(Flaw::Malformed);
    }
    if flags & CONTROL != 0 {
        return Ok(None);
    }
    let mut end = if flags & LENGTH != 0 { 4 } else { 2 };
    let ids = u32_at(octets, end)?;
    end += 4;
    if flags & SEQUENCE != 0 {
        end += 4;
    }
    if flags & OFFSET != 0 {
        end = end.saturating_add(2).saturating_add(u16_at(octets, end)?.into());
    }
    octets.get(end..).ok_or(Flaw::Short)?;
    Ok(Some(Header { carrier: Carrier::L2tp, octets: end, next: Next::Ppp, network: ids }))
}

/// §8.1: "L2TP uses the registered UDP port 1701".
pub(super) const PORT: u16 = 1701;
const CONTROL: u16 = 0x8000;
const LENGTH: u16 = 0x4000;
const SEQUENCE: u16 = 0x0800;
const OFFSET: u16 = 0x0200;
const RESERVED: u16 = 0x34f0;
const VERSION: u16 = 0x000f;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_messages_with_every_optional_field() {
        let all = [0x4a, 0x02, 0, 18, 0, 1, 0, 2, 0, 7, 0, 6, 0, 2, 0xaa, 0xaa];
        for (octets, end) in [
            (&[0x00, 0x02, 0, 1, 0, 2][..], 6),
            (&[0x40, 0x02, 0, 8, 0, 1, 0, 2], 8),
            (&[0x08, 0x02, 0, 1, 0, 2, 0, 7, 0, 6], 10),
            (&all, 16),
        ] {
            let expected = Header { carrier: Carrier::L2tp, octets: end, next: Next::Ppp, network: 0x0001_0002 };
            assert_eq!(header(octets), Ok(Some(expected)));
            assert_eq!(header(&octets[..end - 1]), Err(Flaw::Short));
        }
    }

    #[test]
    fn control_messages_and_version_3_carry_nothing() {
        assert_eq!(header(&[0xc8, 0x02, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0]), Ok(None));
        assert_eq!(header(&[0x00, 0x03, 0, 0, 0, 0, 0, 9]), Err(Flaw::Malformed));
    }
}
