//! Ethernet frames (IEEE 802.3) and what names the protocol in them: an EtherType, or LLC and SNAP (IEEE 802.2).

use super::{Layer, Next, Octets, Version};

/// ```text
/// +-------------+--------+----------------+------------- - -+- - - - - -+
/// | destination | source | type or length |  data           | pad, FCS  |
/// |      6      |   6    |       2        |                 |           |
/// +-------------+--------+----------------+------------- - -+- - - - - -+
/// ```
///
/// IEEE 802.3 §3.2.6: up to 1 500 the field is the length of the data, from 1 536 on its type. Between them it is
/// undefined. With a type nothing tells data from padding and frame check sequence: the protocol inside must.
#[inline]
pub(super) fn frame(octets: Octets<'_>) -> Next<'_> {
    let data = octets.behind(HEADER_OCTETS);
    Ok(Some(match octets.u16_at(HEADER_OCTETS - 2)? {
        length @ 0..=1_500 => Layer::Llc(data.first(length.into())),
        ether_type => Layer::EtherType(ether_type, data),
    }))
}

/// The version of IP that a frame without any tag carries.
#[inline]
pub(super) fn ip_version(frame: &[u8]) -> Option<Version> {
    match frame.get(HEADER_OCTETS - 2..)?.first_chunk().copied().map(u16::from_be_bytes)? {
        IPV4 => Some(Version::V4),
        IPV6 => Some(Version::V6),
        _ => None,
    }
}

/// What an EtherType stands for.
#[inline]
pub(super) fn by_type<'a>(ether_type: u16, data: Octets<'a>) -> Option<Layer<'a>> {
    Some(match ether_type {
        IPV4 => Layer::Ip(Version::V4, data),
        IPV6 => Layer::Ip(Version::V6, data),
        // 802.1Q, 802.1ad; what switches used for the outer tag before that was assigned, and still can be set to.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => Layer::Vlan(data),
        0x8847 | 0x8848 => Layer::Mpls(data),
        0x8864 => Layer::Pppoe(data),
        0x88e5 => Layer::Macsec(data),
        0x8926 => Layer::VnTag(data),
        0x88e7 => Layer::ProviderBackbone(data),
        // IEEE 802.1AC: LLC in frames too long for a length.
        0x8870 => Layer::Llc(data),
        _ => return None,
    })
}

/// IEEE 802.1Q §9.6: two octets of control information, then the type (or length) of what the tag was put before.
#[inline]
pub(super) fn vlan(octets: Octets<'_>) -> Next<'_> {
    typed(octets, 2)
}

/// Cisco VN-TAG: four octets of control information, then the type of what the tag was put before.
pub(super) fn vn_tag(octets: Octets<'_>) -> Next<'_> {
    typed(octets, 4)
}

/// IEEE 802.1Q §9.7, the I-TAG: four octets of control information; then the customer's frame, addresses first.
pub(super) fn provider_backbone(octets: Octets<'_>) -> Next<'_> {
    octets.header::<4>()?;
    Ok(Some(Layer::Ethernet(octets.behind(4))))
}

/// What is behind a tag of `tag` octets, and begins with a type or length.
#[inline]
pub(super) fn typed(octets: Octets<'_>, tag: usize) -> Next<'_> {
    let data = octets.behind(tag.saturating_add(2));
    Ok(Some(match octets.u16_at(tag)? {
        length @ 0..=1_500 => Layer::Llc(data.first(length.into())),
        ether_type => Layer::EtherType(ether_type, data),
    }))
}

/// Logical Link Control: two service access points and a control field, here always that of unnumbered information.
///
/// RFC 1042: SNAP is at 170, has an organization code and, where that is 0, an EtherType. Bridges write 0x0000F8 instead
/// (IEEE 802.1H). Where IP has the access point for itself, that is 6.
pub(super) fn llc(octets: Octets<'_>) -> Next<'_> {
    Ok(match *octets.header::<3>()? {
        [0xaa, 0xaa, 0x03] => match *octets.header::<6>()? {
            [_, _, _, 0, 0, 0 | 0xf8] => Some(Layer::EtherType(octets.u16_at(6)?, octets.behind(8))),
            _ => None,
        },
        [0x06, 0x06, 0x03] => Some(Layer::Ip(Version::V4, octets.behind(3))),
        _ => None,
    })
}

/// Whether these octets can be an Ethernet frame with IP in it, however tagged: asked where nothing says so.
pub(super) fn is_plausible(octets: Octets<'_>) -> bool {
    let (mut ether_type, mut at) = (octets.u16_at(HEADER_OCTETS - 2), HEADER_OCTETS);
    while let Ok(0x8100 | 0x88a8 | 0x9100) = ether_type {
        ether_type = octets.u16_at(at.saturating_add(2));
        at = at.saturating_add(4);
    }
    let nibble = octets.captured.get(at).map(|octet| octet >> 4);
    matches!((ether_type, nibble), (Ok(IPV4), Some(4)) | (Ok(IPV6), Some(6)) | (Ok(0x8864), Some(1)))
}

pub(super) const HEADER_OCTETS: usize = 14;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

#[cfg(test)]
mod tests {
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet, through};
    use crate::{Carrier, LinkType, Packet};

    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    /// A frame with these octets behind its addresses.
    fn frame(behind_the_addresses: &[&[u8]]) -> Vec<u8> {
        [&[2; 12][..], &behind_the_addresses.concat()].concat()
    }

    fn of(frame: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        decode(&packet(LinkType::ETHERNET, frame))
    }

    fn length(octets: usize) -> [u8; 2] {
        u16::try_from(octets).unwrap().to_be_bytes()
    }

    /// IEEE 802.3 §3.2.7 and §3.2.9: frames of less than 64 octets are padded, and end in four octets of frame check
    /// sequence; what devices append behind that is a trailer. The lengths of IP tell.
    #[test]
    fn padding_frame_check_sequence_and_trailers_are_no_payload() {
        for (ether_type, version) in [([8, 0], 4), ([0x86, 0xdd], 6)] {
            for behind in [4, 6, 18, 60, 300] {
                let trailer = vec![0xfc; behind];
                assert_eq!(of(&frame(&[&ether_type, &datagram(version), &trailer])), whole(), "{behind}");
                let tagged = frame(&[&[0x81, 0, 0, 5], &ether_type, &datagram(version), &trailer]);
                assert_eq!(of(&tagged), whole(), "{behind} behind a tag");
            }
        }
        // A segment without payload has none in the padding that brings it to 60 octets.
        let mut acknowledgment = datagram(4);
        acknowledgment.truncate(40);
        acknowledgment[3] = 40;
        assert_eq!(of(&frame(&[&[8, 0], &acknowledgment, &[0; 6]])), Ok(Some(Vec::new())));
    }

    /// IEEE 802.1Q §9.6 and 802.1ad: a customer's tag inside a service tag; and what served as one before.
    #[test]
    fn tags_in_tags_are_vlans() {
        for outer in [[0x88, 0xa8], [0x81, 0x00], [0x91, 0x00], [0x92, 0x00], [0x93, 0x00]] {
            let two = frame(&[&outer, &[0x20, 5, 0x81, 0, 0, 6, 0x86, 0xdd], &datagram(6)]);
            assert_eq!(of(&two), whole(), "{outer:x?}");
            assert_eq!(through(LinkType::ETHERNET, &two), [Carrier::Vlan, Carrier::Vlan], "{outer:x?}");
        }
    }

    /// RFC 1042: LLC with both access points 170 and control 3, the organization code 0, and the EtherType.
    #[test]
    fn llc_and_snap_name_the_protocol_by_its_ether_type() {
        for organization in [[0, 0, 0], [0, 0, 0xf8]] {
            for (ether_type, version) in [([8, 0], 4), ([0x86, 0xdd], 6)] {
                let snap = [&[0xaa, 0xaa, 3][..], &organization, &ether_type, &datagram(version)].concat();
                assert_eq!(of(&frame(&[&length(snap.len()), &snap, &[0; 7]])), whole());
                // In a VLAN, and in a frame too long for a length (IEEE 802.1AC).
                assert_eq!(of(&frame(&[&[0x81, 0, 0, 5], &length(snap.len()), &snap, &[0; 7]])), whole());
                assert_eq!(of(&frame(&[&[0x88, 0x70], &snap])), whole());
            }
        }
        let ip_access_point = [&[6, 6, 3][..], &datagram(4)].concat();
        assert_eq!(of(&frame(&[&length(ip_access_point.len()), &ip_access_point])), whole());
    }

    #[test]
    fn llc_of_others_is_no_tcp() {
        for other in [&[0x42, 0x42, 3, 0, 0, 0, 0, 0][..], &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0], &[0xff, 0xff, 0, 30]]
        {
            assert_eq!(of(&frame(&[&length(other.len()), other, &[0; 40]])), Ok(None), "{other:x?}");
        }
        // IEEE 802.3 §3.2.6: between 1 500 and 1 536 the field is undefined.
        assert_eq!(of(&frame(&[&length(1_501), &datagram(4)])), Ok(None));
        assert_eq!(of(&frame(&[&length(1_535), &datagram(4)])), Ok(None));
        assert_eq!(of(&frame(&[&length(6), &[0xaa, 0xaa, 3, 0, 0, 0]])), Err(DecodeError::TruncatedHeader));
    }

    /// IEEE 802.1Q §9.7: the customer's frame, addresses first, behind the I-TAG; most often behind a B-TAG.
    #[test]
    fn mac_in_mac_and_vn_tag() {
        let customer = [&[4; 12][..], &[8, 0], &datagram(4)].concat();
        let backbone = frame(&[&[0x88, 0xa8, 0, 9, 0x88, 0xe7, 0, 1, 2, 3], &customer]);
        assert_eq!(of(&backbone), whole());
        assert_eq!(through(LinkType::ETHERNET, &backbone), [Carrier::Vlan, Carrier::ProviderBackbone]);
        let vn_tag = frame(&[&[0x89, 0x26, 0x80, 1, 0, 2, 0x81, 0, 0, 5, 8, 0], &datagram(4)]);
        assert_eq!(of(&vn_tag), whole());
        assert_eq!(through(LinkType::ETHERNET, &vn_tag), [Carrier::VnTag, Carrier::Vlan]);
    }

    #[test]
    fn a_frame_cut_in_a_tag_is_a_truncated_header() {
        let tagged = frame(&[&[0x88, 0xe7, 0, 1, 2, 3], &[4; 12], &[0x89, 0x26, 0x80, 1, 0, 2, 8, 0], &datagram(4)]);
        for cut in 0..tagged.len() - 8 {
            let cut = Packet { data: &tagged[..cut], ..packet(LinkType::ETHERNET, &tagged) };
            assert_eq!(decode(&cut), Err(DecodeError::TruncatedHeader), "{}", cut.data.len());
        }
    }
}
