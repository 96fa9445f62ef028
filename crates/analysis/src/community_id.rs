//! Community ID v1: one name for a connection in every tool that knows it.

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

/// `1:` and the base64 of the SHA-1 of seed (0), source address, destination address, protocol, a zero octet, source
/// port and destination port, all in network byte order, where the smaller endpoint is the source.
pub(crate) fn community_id(one: SocketAddr, other: SocketAddr) -> String {
    let (source, destination) = if endpoint(one) <= endpoint(other) { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(address(source.ip()));
    hash.update(address(destination.ip()));
    hash.update([TCP, 0]);
    hash.update(source.port().to_be_bytes());
    hash.update(destination.port().to_be_bytes());
    format!("1:{}", BASE64.encode(&hash.finalize()))
}

const TCP: u8 = 6;

fn endpoint(of: SocketAddr) -> (Vec<u8>, u16) {
    (address(of.ip()), of.port())
}

fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The TCP examples of the Community ID specification.
    #[test]
    fn examples_of_the_specification() {
        let id = |a: &str, b: &str| community_id(a.parse().unwrap(), b.parse().unwrap());
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(id("128.232.110.120:34855", "66.35.250.204:80"), expected);
        assert_eq!(id("66.35.250.204:80", "128.232.110.120:34855"), expected);
    }
}
