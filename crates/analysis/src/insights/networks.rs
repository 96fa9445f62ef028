//! Networks: which addresses are those of a site and not of the Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses with a prefix in common (RFC 4632 §3.1), such as `192.0.2.0/24` or `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is one of them. One of IPv4 within IPv6 is of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (width, own, other) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (32, u128::from(own.to_bits()), u128::from(other.to_bits())),
            (IpAddr::V6(own), IpAddr::V6(other)) => (128, own.to_bits(), other.to_bits()),
            _ => return false,
        };
        (own ^ other).checked_shr(width - u32::from(self.prefix)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    /// A single address is a network of its own.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| format!("{address} is no address"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), str::parse).ok().filter(|prefix| *prefix <= width);
        let prefix = prefix.ok_or_else(|| format!("the length of the prefix is a number up to {width}"))?;
        Ok(Self { address, prefix })
    }
}

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
    fn a_network_contains_what_has_its_prefix() {
        for (network, address, contained) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7/24", "192.0.2.1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "255.0.0.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let parsed: Network = network.parse().expect("a network");
            assert_eq!(parsed.contains(address.parse().expect("an address")), contained, "{network} {address}");
        }
        for wrong in ["", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "192.0.2/24", "2001:db8::/129", "example.org"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

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
