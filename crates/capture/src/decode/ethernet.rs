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
