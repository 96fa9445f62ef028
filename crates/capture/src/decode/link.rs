//! The link layer: which octets of the packet are an IP datagram.
//!
//! Layouts: <https://www.tcpdump.org/linktypes.html>.

use super::DecodeError;
use crate::{LinkType, Packet};

/// What the link layer says is an IP datagram, and perhaps padding behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) octets: &'a [u8],
    /// Where `octets` begins in the packet's data.
    pub(super) at: usize,
    pub(super) version: Version,
}

/// The version the link layer announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
    /// It announces none: the datagram's first four bits tell.
    Any,
}

/// The datagram in `packet`; `None` where it carries another protocol.
#[inline]
pub(super) fn datagram<'a>(packet: &Packet<'a>) -> Result<Option<Datagram<'a>>, DecodeError> {
    let data = packet.data;
    match packet.link_type {
        // Destination and source address, six octets each, then the EtherType.
        LinkType::ETHERNET => ether_type(data, 12, 14),
        LinkType::RAW | RAW_BSD | RAW_OPENBSD => Ok(from(data, 0, Version::Any)),
        LinkType::IPV4 => Ok(from(data, 0, Version::V4)),
        LinkType::IPV6 => Ok(from(data, 0, Version::V6)),
        // Packet type, ARPHRD type, address length, address (eight octets), protocol.
        LinkType::LINUX_SLL => ether_type(data, 14, 16),
        // Protocol, reserved, interface index (four), ARPHRD type, packet type, address length, address (eight).
        LinkType::LINUX_SLL2 => ether_type(data, 0, 20),
        LinkType::NULL | LinkType::LOOP => address_family(data),
        other => Err(DecodeError::UnsupportedLinkType(other)),
    }
}

/// Goes by the EtherType at `type_at` of a header that ends at `end`, through the VLAN tags behind it.
///
/// IEEE 802.1Q: a tag is two octets of control information (TCI) and the EtherType of what follows. Tags nest (802.1ad);
/// 0x9100 is what switches used for the outer one before 0x88A8 was assigned.
#[inline]
fn ether_type(data: &[u8], type_at: usize, end: usize) -> Result<Option<Datagram<'_>>, DecodeError> {
    let (mut type_at, mut end) = (type_at, end);
    loop {
        match u16_at(data, type_at).ok_or(DecodeError::TruncatedHeader)? {
            ETHER_TYPE_IPV4 => return Ok(from(data, end, Version::V4)),
            ETHER_TYPE_IPV6 => return Ok(from(data, end, Version::V6)),
            ETHER_TYPE_VLAN | ETHER_TYPE_PROVIDER_BRIDGING | ETHER_TYPE_QINQ => {
                (type_at, end) = (end.saturating_add(2), end.saturating_add(4));
            }
            _ => return Ok(None),
        }
    }
}

/// The four-octet address family of BSD loopback interfaces.
///
/// LINKTYPE_NULL has it in the byte order of the capturing host, LINKTYPE_LOOP in network byte order; families are small
/// numbers, so the order shows in the number itself. IPv4 is 2 everywhere, IPv6 differs from system to system.
fn address_family(data: &[u8]) -> Result<Option<Datagram<'_>>, DecodeError> {
    let octets = *data.first_chunk::<4>().ok_or(DecodeError::TruncatedHeader)?;
    let family = u32::from_be_bytes(octets).min(u32::from_le_bytes(octets));
    Ok(match family {
        2 => from(data, 4, Version::V4),
        // Linux, Windows, NetBSD and OpenBSD, FreeBSD and DragonFly, Darwin.
        10 | 23 | 24 | 28 | 30 => from(data, 4, Version::V6),
        _ => None,
    })
}

/// The datagram that begins at `at`.
#[inline]
fn from(data: &[u8], at: usize, version: Version) -> Option<Datagram<'_>> {
    // Nothing is there where the capture cut the packet right before it: a header of no octets, for the next layer.
    Some(Datagram { octets: data.get(at..).unwrap_or_default(), at, version })
}

#[inline]
fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Raw IP by the number that some BSDs have for it.
const RAW_BSD: LinkType = LinkType(12);
/// Raw IP by the number that OpenBSD has for it.
const RAW_OPENBSD: LinkType = LinkType(14);
const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;
const ETHER_TYPE_VLAN: u16 = 0x8100;
const ETHER_TYPE_PROVIDER_BRIDGING: u16 = 0x88a8;
const ETHER_TYPE_QINQ: u16 = 0x9100;

#[cfg(test)]
mod tests {
    use crate::LinkType;
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet};

    /// What every packet here is to give.
    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    fn behind(header: &[u8], version: u8) -> Vec<u8> {
        [header, &datagram(version)].concat()
    }

    fn ethernet(rest: &[u8]) -> Vec<u8> {
        [&[2; 12][..], rest].concat()
    }

    #[test]
    fn ethernet_goes_by_the_ether_type_behind_all_tags() {
        let v4 = [8, 0];
        let v6 = [0x86, 0xdd];
        for (header, version) in [
            (ethernet(&v4), 4),
            (ethernet(&v6), 6),
            (ethernet(&[&[0x81, 0, 0, 5][..], &v4].concat()), 4),
            (ethernet(&[&[0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 6][..], &v6].concat()), 6),
            (ethernet(&[&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7, 0x81, 0, 0, 8][..], &v4].concat()), 4),
        ] {
            assert_eq!(decode(&packet(LinkType::ETHERNET, &behind(&header, version))), whole(), "{header:x?}");
            let cut = packet(LinkType::ETHERNET, &header[..header.len() - 1]);
            assert_eq!(decode(&cut), Err(DecodeError::TruncatedHeader));
        }
    }

    #[test]
    fn the_version_announced_is_the_version_wanted() {
        let wrong = behind(&ethernet(&[8, 0]), 6);
        assert_eq!(decode(&packet(LinkType::ETHERNET, &wrong)), Err(DecodeError::MalformedIp));
        assert_eq!(decode(&packet(LinkType::IPV6, &datagram(4))), Err(DecodeError::MalformedIp));
    }

    #[test]
    fn padding_of_the_link_layer_is_no_payload() {
        for version in [4, 6] {
            let ether_type = if version == 4 { [8, 0] } else { [0x86, 0xdd] };
            let mut data = behind(&ethernet(&ether_type), version);
            data.extend([0x55; 20]);
            assert_eq!(decode(&packet(LinkType::ETHERNET, &data)), whole());
        }
    }

    #[test]
    fn raw_ip_by_all_its_numbers() {
        for number in [12, 14, 101] {
            for version in [4, 6] {
                assert_eq!(decode(&packet(LinkType(number), &datagram(version))), whole());
            }
        }
        assert_eq!(decode(&packet(LinkType::IPV4, &datagram(4))), whole());
        assert_eq!(decode(&packet(LinkType::IPV6, &datagram(6))), whole());
        assert_eq!(decode(&packet(LinkType::RAW, &[])), Err(DecodeError::TruncatedHeader));
    }

    #[test]
    fn linux_cooked_captures_of_both_versions() {
        // To us, ARPHRD_ETHER, six octets of address.
        let sll = [0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0];
        assert_eq!(decode(&packet(LinkType::LINUX_SLL, &behind(&[&sll[..], &[8, 0]].concat(), 4))), whole());
        let tagged = [&sll[..], &[0x81, 0, 0, 5, 0x86, 0xdd]].concat();
        assert_eq!(decode(&packet(LinkType::LINUX_SLL, &behind(&tagged, 6))), whole());
        // An ARP hardware type without a meaning of its own (netlink) is no reason to refuse.
        assert_eq!(decode(&packet(LinkType::LINUX_SLL, &[&[0, 0, 0x03, 0x38][..], &[0; 20]].concat())), Ok(None));
        let sll2 = [0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0];
        assert_eq!(decode(&packet(LinkType::LINUX_SLL2, &behind(&sll2, 6))), whole());
    }

    #[test]
    fn loopback_families_of_every_system_in_both_orders() {
        for (family, version) in [(2_u32, 4), (10, 6), (23, 6), (24, 6), (28, 6), (30, 6)] {
            for (link_type, header) in [
                (LinkType::NULL, family.to_le_bytes()),
                (LinkType::NULL, family.to_be_bytes()),
                (LinkType::LOOP, family.to_be_bytes()),
            ] {
                assert_eq!(decode(&packet(link_type, &behind(&header, version))), whole(), "{family}");
            }
        }
        assert_eq!(decode(&packet(LinkType::NULL, &behind(&[7, 0, 0, 0], 4))), Ok(None));
        assert_eq!(decode(&packet(LinkType::NULL, &[2, 0, 0])), Err(DecodeError::TruncatedHeader));
    }
}
