//! The 4-tuple that names a connection, the same for both of its directions.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// Addresses and ports of a connection, in an order that does not depend on which side a segment came from.
///
/// Two connections one after the other may have the same key; [`crate::FlowTable`] tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
}

/// Which of the two endpoints of a [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// Address and port without the flow label and scope that a `SocketAddrV6` drags along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Endpoint {
    ip: IpAddr,
    port: u16,
}

impl FlowKey {
    /// The key of the connection between these two; `FlowKey::new(a, b) == FlowKey::new(b, a)`.
    pub fn new(one: SocketAddr, other: SocketAddr) -> Self {
        Self::with_side(one, other).0
    }

    /// Which of `of` tables the connection belongs to: the same in every run, and about as many connections for each. 0 where
    /// `of` is 0.
    pub fn share(&self, of: usize) -> usize {
        // The finalizer of SplitMix64: every bit of the number decides about the upper ones of the result.
        let mixed = |octets: u64| {
            let octets = (octets ^ (octets >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let octets = (octets ^ (octets >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            octets ^ (octets >> 31)
        };
        let number = mixed(mixed(self.low.number()).wrapping_add(self.high.number()));
        // The upper half times the number of tables: evenly spread without a division.
        usize::try_from((number >> 32).wrapping_mul(of as u64) >> 32).unwrap_or_default()
    }

    /// The address of a side.
    pub(crate) fn address(&self, side: Side) -> SocketAddr {
        match side {
            Side::Low => self.low.into(),
            Side::High => self.high.into(),
        }
    }

    /// The key, and which side of it `source` is. A host that talks to its own port is always the low side.
    pub(crate) fn with_side(source: SocketAddr, destination: SocketAddr) -> (Self, Side) {
        let (source, destination) = (Endpoint::from(source), Endpoint::from(destination));
        if source <= destination {
            (Self { low: source, high: destination }, Side::Low)
        } else {
            (Self { low: destination, high: source }, Side::High)
        }
    }
}

impl Endpoint {
    /// A number that differs for different endpoints of IPv4, and hardly ever is the same for two of IPv6.
    fn number(&self) -> u64 {
        let ip = match self.ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => {
                let [high, low] = [ip.to_bits() >> 64, ip.to_bits() & u128::from(u64::MAX)];
                let [high, low] = [high, low].map(|half| u64::try_from(half).unwrap_or_default());
                high.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low.rotate_left(17)
            }
        };
        (ip << 16) ^ (ip >> 48) ^ u64::from(self.port)
    }
}

/// Two numbers a hasher takes in at once, instead of an array of octets.
impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.ip {
            IpAddr::V4(ip) => hasher.write_u64(u64::from(ip.to_bits()) << 16 | u64::from(self.port)),
            IpAddr::V6(ip) => {
                hasher.write_u128(ip.to_bits());
                hasher.write_u16(self.port);
            }
        }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.ip, endpoint.port)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: address.port() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both directions have one share, and neighbouring ports and addresses are spread.
    #[test]
    fn shares_are_even_and_those_of_the_connection() {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let mut shares = [0; 16];
            for port in 0..4096_u16 {
                let one = SocketAddr::new(address.parse().unwrap(), 1024 + port);
                let other = SocketAddr::new("198.51.100.2".parse().unwrap(), 25);
                let share = FlowKey::new(one, other).share(16);
                assert_eq!(share, FlowKey::new(other, one).share(16));
                shares[share] += 1;
            }
            assert!(shares.iter().all(|&count| (180..340).contains(&count)), "{shares:?}");
        }
        assert_eq!(FlowKey::new("192.0.2.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap()).share(0), 0);
    }

    #[test]
    fn both_directions_have_one_key() {
        let client: SocketAddr = "192.0.2.1:40000".parse().unwrap();
        let server: SocketAddr = "192.0.2.2:25".parse().unwrap();
        assert_eq!(FlowKey::new(client, server), FlowKey::new(server, client));
        assert_ne!(FlowKey::with_side(client, server).1, FlowKey::with_side(server, client).1);
        let elsewhere: SocketAddr = "192.0.2.2:26".parse().unwrap();
        assert_ne!(FlowKey::new(client, server), FlowKey::new(client, elsewhere));
    }

    #[test]
    fn same_address_is_told_apart_by_port() {
        let client: SocketAddr = "[::1]:40000".parse().unwrap();
        let server: SocketAddr = "[::1]:25".parse().unwrap();
        assert_eq!(FlowKey::new(client, server), FlowKey::new(server, client));
        assert_ne!(FlowKey::with_side(client, server).1, FlowKey::with_side(server, client).1);
    }
}
