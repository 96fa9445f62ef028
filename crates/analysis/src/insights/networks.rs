//! Networks: which addresses are those of a site and not of the Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is used within sites only: of RFC 1918, RFC 6598 (carriers' NAT), RFC 4193, loopback or link-local. Behind
/// another one may stand anybody.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_loopback() || is_unique_local(v6) || v6.is_unicast_link_local(),
    }
}

/// RFC 6598 §7: `100.64.0.0/10`.
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0b1100_0000 == 64
}

/// RFC 4193 §3.1: `fc00::/7`.
fn is_unique_local(address: Ipv6Addr) -> bool {
    let [first, ..] = address.octets();
    first & 0b1111_1110 == 0xfc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_sites_are_those_of_the_registry() {
        let local = [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ];
        for address in local {
            assert!(is_local(address.parse().expect("an address")), "{address}");
        }
        for address in
            ["11.0.0.1", "172.32.0.1", "192.0.2.1", "100.128.0.1", "2001:db8::1", "fe00::1", "::ffff:8.8.8.8"]
        {
            assert!(!is_local(address.parse().expect("an address")), "{address}");
        }
    }
}
