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

#[cfg(test)]
mod tests {
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet, through};
    use crate::{Carrier, LinkType};

    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    fn on(link_type: u32, parts: &[&[u8]]) -> Result<Option<Vec<u8>>, DecodeError> {
        decode(&packet(LinkType(link_type), &parts.concat()))
    }

    /// RFC 1662 §3.1 and §3.2, RFC 1661 §6.5: address, control and half of the protocol may be left out.
    #[test]
    fn frames_with_and_without_what_may_be_left_out() {
        for (long, short, version) in [([0x00, 0x21], 0x21, 4), ([0x00, 0x57], 0x57, 6)] {
            for address in [&[][..], &[0xff, 0x03]] {
                assert_eq!(on(9, &[address, &long, &datagram(version)]), whole());
                assert_eq!(on(9, &[address, &[short], &datagram(version)]), whole());
            }
        }
        // RFC 3032 §4.1 and §4.2.
        assert_eq!(on(9, &[&[0xff, 3, 0x02, 0x81, 0, 1, 1, 64], &datagram(4)]), whole());
        assert_eq!(on(9, &[&[0xff, 3, 0xc0, 0x21, 1, 1, 0, 4]]), Ok(None), "LCP");
        assert_eq!(on(9, &[&[0xff, 3, 0]]), Err(DecodeError::TruncatedHeader));
    }

    #[test]
    fn what_was_encrypted_or_compressed_says_so() {
        for protocol in [0x53, 0x55] {
            assert_eq!(on(9, &[&[0xff, 3, 0, protocol], &[9; 40]]), Err(DecodeError::Encrypted));
        }
        for protocol in [[0x00, 0x2d], [0x00, 0x2f], [0x00, 0x61], [0x20, 0x65], [0x00, 0x03], [0x00, 0xfd]] {
            assert_eq!(on(9, &[&[0xff, 3], &protocol, &[9; 40]]), Err(DecodeError::Compressed), "{protocol:x?}");
        }
    }

    #[test]
    fn every_link_type_of_ppp_and_of_ciscos_hdlc() {
        let v4 = datagram(4);
        assert_eq!(on(50, &[&[0xff, 3, 0, 0x21], &v4]), whole(), "PPP_HDLC");
        assert_eq!(on(50, &[&[0x0f, 0, 8, 0], &v4]), whole(), "PPP_HDLC, Cisco unicast");
        assert_eq!(on(50, &[&[0x8f, 0, 0x86, 0xdd], &datagram(6)]), whole(), "PPP_HDLC, Cisco multicast");
        assert_eq!(on(104, &[&[0x0f, 0, 0x86, 0xdd], &datagram(6)]), whole(), "C_HDLC");
        assert_eq!(on(205, &[&[1, 0x0f, 0, 8, 0], &v4]), whole(), "C_HDLC_WITH_DIR");
        assert_eq!(on(204, &[&[0, 0xff, 3, 0, 0x21], &v4]), whole(), "PPP_WITH_DIR");
        for direction in [0, 1] {
            assert_eq!(on(166, &[&[direction, 3, 0, 0x21], &v4]), whole(), "PPP_PPPD");
            assert_eq!(on(166, &[&[direction, 0x21], &v4]), whole(), "PPP_PPPD, compressed");
        }
        assert_eq!(on(100, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4]), whole(), "ATM_RFC1483");
    }

    /// RFC 2516 §4: LENGTH does not include the Ethernet and PPPoE headers; what is behind it is padding.
    #[test]
    fn pppoe_sessions_end_where_their_length_says() {
        for (protocol, version) in [([0x00, 0x21], 4), ([0x00, 0x57], 6)] {
            let mut inside = [&protocol[..], &datagram(version)].concat();
            let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
            let session = [&[0x11, 0, 0x12, 0x34][..], &length, &inside].concat();
            assert_eq!(on(51, &[&session, &[0x77; 9]]), whole());
            let in_ethernet = [&[2; 12][..], &[0x81, 0, 0, 7, 0x88, 0x64], &session, &[0x77; 9]].concat();
            assert_eq!(on(1, &[&in_ethernet]), whole());
            assert_eq!(through(LinkType::ETHERNET, &in_ethernet), [Carrier::Vlan, Carrier::Pppoe]);
            if version == 4 {
                // A total length of 0: the length of PPPoE is the one there is.
                inside[4] = 0;
                inside[5] = 0;
                assert_eq!(on(51, &[&[0x11, 0, 0x12, 0x34], &length, &inside, &[0x77; 9]]), whole());
            }
        }
    }

    /// §5: the codes of discovery carry no packets; §4: version and type are 1.
    #[test]
    fn pppoe_discovery_and_other_versions_carry_nothing() {
        for front in [[0x11, 0x09], [0x11, 0x65], [0x11, 0xa7], [0x21, 0]] {
            assert_eq!(on(51, &[&front, &[0, 0, 0, 50, 0, 0x21], &datagram(4)]), Ok(None), "{front:x?}");
        }
        // IEEE: 0x8863 is discovery.
        assert_eq!(on(1, &[&[2; 12], &[0x88, 0x63, 0x11, 9, 0, 0, 0, 0]]), Ok(None));
    }
}
