//! The link layer: where a packet begins.
//!
//! Layouts: <https://www.tcpdump.org/linktypes.html>.

use super::{DecodeError, Layer, Next, Octets, Version, ppp};
use crate::LinkType;

/// What a packet of this link type begins with.
#[inline]
pub(super) fn first(link_type: LinkType, octets: Octets<'_>) -> Next<'_> {
    Ok(Some(match link_type {
        LinkType::ETHERNET => Layer::Ethernet(octets),
        LinkType::RAW | RAW_BSD | RAW_OPENBSD => Layer::Ip(Version::Any, octets),
        LinkType::IPV4 => Layer::Ip(Version::V4, octets),
        LinkType::IPV6 => Layer::Ip(Version::V6, octets),
        // Packet type, ARPHRD type, address length, address (eight octets), protocol.
        LinkType::LINUX_SLL => cooked(octets.u16_at(14)?, octets.behind(16)),
        // Protocol, reserved, interface index (four), ARPHRD type, packet type, address length, address (eight).
        LinkType::LINUX_SLL2 => cooked(octets.u16_at(0)?, octets.behind(20)),
        LinkType::NULL | LinkType::LOOP => return address_family(octets),
        PPP => return ppp::frame(octets),
        PPP_HDLC => return ppp::serial(octets),
        PPP_ETHER => return ppp::over_ethernet(octets),
        PPP_PPPD => return ppp::pppd(octets),
        // One octet for the direction.
        PPP_WITH_DIR => return ppp::frame(octets.behind(1)),
        C_HDLC => return ppp::cisco_hdlc(octets),
        C_HDLC_WITH_DIR => return ppp::cisco_hdlc(octets.behind(1)),
        ATM_RFC1483 => Layer::Llc(octets),
        MPLS => Layer::Mpls(octets),
        other => return Err(DecodeError::UnsupportedLinkType(other)),
    }))
}

/// The protocol of a Linux cooked capture: an EtherType, or 4 where LLC follows.
fn cooked(protocol: u16, data: Octets<'_>) -> Layer<'_> {
    if protocol == 4 { Layer::Llc(data) } else { Layer::EtherType(protocol, data) }
}

/// The four-octet address family of BSD loopback interfaces.
///
/// LINKTYPE_NULL has it in the byte order of the capturing host, LINKTYPE_LOOP in network byte order; families are small
/// numbers, so the order shows in the number itself. IPv4 is 2 everywhere, IPv6 differs from system to system.
fn address_family(octets: Octets<'_>) -> Next<'_> {
    let field = *octets.header()?;
    let family = u32::from_be_bytes(field).min(u32::from_le_bytes(field));
    Ok(match family {
        2 => Some(Layer::Ip(Version::V4, octets.behind(4))),
        // Linux, Windows, NetBSD and OpenBSD, FreeBSD and DragonFly, Darwin.
        10 | 23 | 24 | 28 | 30 => Some(Layer::Ip(Version::V6, octets.behind(4))),
        _ => None,
    })
}

const PPP: LinkType = LinkType(9);
/// Raw IP by the number that some BSDs have for it.
const RAW_BSD: LinkType = LinkType(12);
/// Raw IP by the number that OpenBSD has for it.
const RAW_OPENBSD: LinkType = LinkType(14);
const PPP_HDLC: LinkType = LinkType(50);
const PPP_ETHER: LinkType = LinkType(51);
const ATM_RFC1483: LinkType = LinkType(100);
const C_HDLC: LinkType = LinkType(104);
const PPP_PPPD: LinkType = LinkType(166);
const PPP_WITH_DIR: LinkType = LinkType(204);
const C_HDLC_WITH_DIR: LinkType = LinkType(205);
const MPLS: LinkType = LinkType(219);

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
