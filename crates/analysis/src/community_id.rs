//! Community ID v1: one name for a connection in every tool that knows it.

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};

/// The name of a connection: `1:` and the base64 of the SHA-1 of seed (0), source address, destination address, protocol,
/// a zero octet, source port and destination port, all in network byte order, where the smaller endpoint is the source.
///
/// It is made where it is printed, because most commands print few sessions or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommunityId {
    source: SocketAddr,
    destination: SocketAddr,
}

impl CommunityId {
    /// Of a connection between two endpoints, in whatever order.
    pub(crate) fn of(one: SocketAddr, other: SocketAddr) -> Self {
        let (source, destination) = if endpoint(&one) <= endpoint(&other) { (one, other) } else { (other, one) };
        Self { source, destination }
    }

    fn text(&self) -> String {
        let mut hash = Sha1::new();
        hash.update([0, 0]);
        for endpoint in [&self.source, &self.destination] {
            match endpoint.ip() {
                IpAddr::V4(ip) => hash.update(ip.octets()),
                IpAddr::V6(ip) => hash.update(ip.octets()),
            }
        }
        hash.update([TCP, 0]);
        hash.update(self.source.port().to_be_bytes());
        hash.update(self.destination.port().to_be_bytes());
        let mut text = "1:".to_owned();
        BASE64.encode_append(&hash.finalize(), &mut text);
        text
    }
}

impl Serialize for CommunityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

const TCP: u8 = 6;

/// By address, then by port. Both ends of a connection have addresses of the same version.
fn endpoint(of: &SocketAddr) -> (IpAddr, u16) {
    (of.ip(), of.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The TCP examples of the Community ID specification.
    #[test]
    fn examples_of_the_specification() {
        let id = |a: &str, b: &str| CommunityId::of(a.parse().unwrap(), b.parse().unwrap()).text();
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(id("128.232.110.120:34855", "66.35.250.204:80"), expected);
        assert_eq!(id("66.35.250.204:80", "128.232.110.120:34855"), expected);
    }
}
