//! PPP (RFC 1661), in HDLC-like framing (RFC 1662) and over Ethernet (RFC 2516); Cisco's HDLC.

use super::{DecodeError, Layer, Next, Octets, Version};

/// A PPP frame without flags and octet stuffing, from its address or its protocol field on.
///
/// RFC 1662 §3.1: the address is 0xFF, the control field 3; both are left out where the peers agreed on it (§3.2).
pub(super) fn frame(octets: Octets<'_>) -> Next<'_> {
    match octets.captured {
        [0xff, 0x03, ..] => protocol(octets.behind(2)),
        _ => protocol(octets),
    }
}

/// RFC 1661 §2:
///
/// > all Protocols MUST be assigned such that the least significant bit of the most significant octet equals "0", and the
/// > least significant bit of the least significant octet equals "1".
///
/// So an odd first octet is a field that was compressed to one octet (§6.5).
pub(super) fn protocol(octets: Octets<'_>) -> Next<'_> {
    let [first] = *octets.header::<1>()?;
    let (number, data) =
        if first & 1 == 1 { (u16::from(first), octets.behind(1)) } else { (octets.u16_at(0)?, octets.behind(2)) };
    Ok(match number {
        0x0021 => Some(Layer::Ip(Version::V4, data)),
        0x0057 => Some(Layer::Ip(Version::V6, data)),
        0x0281 | 0x0283 => Some(Layer::Mpls(data)),
        // Encrypted (RFC 1968), on the whole link or on one of several.
        0x0053 | 0x0055 => return Err(DecodeError::Encrypted),
        // Headers (RFC 1144, RFC 2507, RFC 3095) or all of the datagram (RFC 1962) compressed: what is left out stands
        // in earlier packets.
        0x002d | 0x002f | 0x0061..=0x0069 | 0x2063..=0x2069 | 0x0003 | 0x0005 | 0x00fb | 0x00fd => {
            return Err(DecodeError::Compressed);
        }
        _ => None,
    })
}

/// RFC 2516 §4:
///
/// ```text
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  VER  | TYPE  |      CODE     |          SESSION_ID           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |            LENGTH             |           payload             ~
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// Only a session (§6) has the code 0.
pub(super) fn over_ethernet(octets: Octets<'_>) -> Next<'_> {
    match *octets.header::<6>()? {
        [0x11, 0, _, _, a, b] => protocol(octets.behind(6).first(u16::from_be_bytes([a, b]).into())),
        _ => Ok(None),
    }
}

/// LINKTYPE_PPP_HDLC: "PPP in HDLC-like framing […] or Cisco PPP with HDLC framing […]. The first byte will be 0xFF for
/// PPP in HDLC-like framing, and will be 0x0F or 0x8F for Cisco PPP with HDLC framing."
pub(super) fn serial(octets: Octets<'_>) -> Next<'_> {
    match octets.header::<1>()? {
        [0x0f | 0x8f] => cisco_hdlc(octets),
        _ => frame(octets),
    }
}

/// LINKTYPE_PPP_PPPD: as in HDLC-like framing, "but with the 0xff address byte replaced by a direction indication—0x00
/// for incoming and 0x01 for outgoing".
pub(super) fn pppd(octets: Octets<'_>) -> Next<'_> {
    match octets.captured {
        [0x00 | 0x01 | 0xff, 0x03, ..] => protocol(octets.behind(2)),
        _ => protocol(octets.behind(1)),
    }
}

/// RFC 1547 §4.3.1: address (0x0F unicast, 0x8F multicast), control 0, and an EtherType.
pub(super) fn cisco_hdlc(octets: Octets<'_>) -> Next<'_> {
    Ok(Some(Layer::EtherType(octets.u16_at(2)?, octets.behind(4))))
}
