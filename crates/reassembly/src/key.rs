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
