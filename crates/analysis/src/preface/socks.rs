//! The tunnels of SOCKS: version 4 and 4a ("SOCKS: A protocol for TCP proxy across firewalls", "SOCKS 4A: A simple
//! extension to SOCKS 4 protocol", Ying-Da Lee) and version 5 (RFC 1928) with user name and password (RFC 1929), which
//! are passed over unread.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::memchr;
use smol_str::{SmolStr, format_smolstr};

use super::{Answer, Request, proxied, target};
use crate::model::ProxyProtocol;

/// > `+----+----+----+----+----+----+----+----+----+----+....+----+`
/// > `| VN | CD | DSTPORT |      DSTIP        | USERID       |NULL|`
///
/// VN is 4, CD is 1 for CONNECT. In 4a a client that cannot resolve a host's name "should set the first three bytes of DSTIP
/// to NULL and the last byte to a non-zero value"; the name and another NULL follow the one behind USERID.
pub(super) fn request_4(octets: &[u8]) -> Request {
    let (port, ip, rest) = match octets {
        [] => return Request::Silent,
        [4, 1, p, q, a, b, c, d, rest @ ..] => (u16::from_be_bytes([*p, *q]), [*a, *b, *c, *d], rest),
        [4] | [4, 1, ..] => return Request::Incomplete,
        _ => return Request::Other,
    };
    let Some(user) = memchr(0, rest) else { return Request::Incomplete };
    let octets = FIXED_4.saturating_add(user).saturating_add(1);
    if !matches!(ip, [0, 0, 0, last] if last != 0) {
        let to = proxied(ProxyProtocol::Socks4, Some(format_smolstr!("{}:{port}", Ipv4Addr::from(ip))));
        return Request::Whole { octets, to };
    }
    let name = rest.get(user.saturating_add(1)..).unwrap_or_default();
    let Some(len) = memchr(0, name) else { return Request::Incomplete };
    let host = target(name.get(..len).unwrap_or(name));
    let to = proxied(ProxyProtocol::Socks4a, host.map(|host| format_smolstr!("{host}:{port}")));
    Request::Whole { octets: octets.saturating_add(len).saturating_add(1), to }
}

/// > VN is the version of the reply code and should be 0. CD is the result code with one of the following values:
/// > 90: request granted; 91: request rejected or failed; 92: …; 93: …
///
/// Port and address follow.
pub(super) fn answer_4(octets: &[u8]) -> Answer {
    match octets {
        [] => Answer::Silent,
        [0, 91..=93, ..] => Answer::Refused,
        [0, 90, _, _, _, _, _, _, ..] => Answer::Connected(FIXED_4),
        [0] | [0, 90, ..] => Answer::Incomplete,
        _ => Answer::Other,
    }
}

/// RFC 1928 §3: version 5, the number of methods, the methods. RFC 1929 §2, if that was agreed on: version 1, and the
/// user name and the password, each behind its length. RFC 1928 §4: version 5, command (1 is CONNECT), a zero octet, the
/// address, the port.
pub(super) fn request_5(octets: &[u8]) -> Request {
    let (methods, rest) = match octets {
        [] => return Request::Silent,
        [5, count, rest @ ..] if *count != 0 => (usize::from(*count), rest),
        [5] => return Request::Incomplete,
        _ => return Request::Other,
    };
    let Some(mut rest) = rest.get(methods..) else { return Request::Incomplete };
    if let [1, user, behind @ ..] = rest {
        let password = behind.get(usize::from(*user)..).and_then(|behind| behind.split_first());
        let Some(behind) = password.and_then(|(password, behind)| behind.get(usize::from(*password)..)) else {
            return Request::Incomplete;
        };
        rest = behind;
    }
    match rest {
        [5, 1, 0, address @ ..] => match address_5(address) {
            Address::Other => Request::Other,
            Address::Incomplete => Request::Incomplete,
            Address::Whole { octets: used, host, port } => {
                let before = octets.len().saturating_sub(address.len());
                let to = host.map(|host| format_smolstr!("{host}:{port}"));
                Request::Whole { octets: before.saturating_add(used), to: proxied(ProxyProtocol::Socks5, to) }
            }
        },
        [] | [1] | [5] | [5, 1] => Request::Incomplete,
        _ => Request::Other,
    }
}

/// RFC 1928 §3: version 5 and the method; 2 is RFC 1929's, to which the answer is version 1 and a status, 0 for success;
/// 255 is none. §6: version 5, 0 for success, a zero octet, an address and a port. Other methods (GSSAPI) may wrap all that
/// follows, and nothing of it is read.
pub(super) fn answer_5(octets: &[u8]) -> Answer {
    let rest = match octets {
        [] => return Answer::Silent,
        [5, 0, rest @ ..] | [5, 2, 1, 0, rest @ ..] => rest,
        [5] | [5, 2] | [5, 2, 1] => return Answer::Incomplete,
        [5, _, ..] => return Answer::Refused,
        _ => return Answer::Other,
    };
    match rest {
        [5, 0, 0, address @ ..] => match address_5(address) {
            Address::Other => Answer::Other,
            Address::Incomplete => Answer::Incomplete,
            Address::Whole { octets: used, .. } => {
                Answer::Connected(octets.len().saturating_sub(address.len()).saturating_add(used))
            }
        },
        [] | [5] | [5, 0] => Answer::Incomplete,
        [5, code, ..] if *code != 0 => Answer::Refused,
        _ => Answer::Other,
    }
}

enum Address {
    Other,
    Incomplete,
    Whole { octets: usize, host: Option<SmolStr>, port: u16 },
}

/// RFC 1928 §5: type 1 is an IPv4 address of 4 octets, 4 an IPv6 address of 16, 3 a name behind its length in one octet.
/// The port follows.
fn address_5(octets: &[u8]) -> Address {
    let (len, before) = match octets {
        [] | [3] => return Address::Incomplete,
        [1, ..] => (4, 1),
        [4, ..] => (16, 1),
        [3, len, ..] => (usize::from(*len), 2),
        _ => return Address::Other,
    };
    let Some((host, [p, q, ..])) = octets.get(before..).and_then(|rest| rest.split_at_checked(len)) else {
        return Address::Incomplete;
    };
    let name = match *host {
        [a, b, c, d] if before == 1 => Some(format_smolstr!("{}", Ipv4Addr::new(a, b, c, d))),
        _ if before == 1 => {
            let ip: Option<[u8; 16]> = host.try_into().ok();
            ip.map(|ip| format_smolstr!("[{}]", Ipv6Addr::from(ip)))
        }
        _ => target(host),
    };
    Address::Whole {
        octets: before.saturating_add(len).saturating_add(2),
        host: name,
        port: u16::from_be_bytes([*p, *q]),
    }
}

/// Octets of a version 4 reply, and of a request before the user.
const FIXED_4: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::{Preface, Shown};
    use super::*;

    /// The dialogue, and that every part of it may still become the whole.
    #[track_caller]
    fn reads(client: &[u8], server: &[u8], protocol: ProxyProtocol, to: &str) {
        let shows = || Shown::Proxied(proxied(protocol, Some(to.into())));
        let whole = Preface::Ends { client: client.len(), server: server.len(), shows: shows() };
        assert_eq!(Preface::of(client, server, false), whole);
        let with_mail = [server, b"220 a ESMTP\r\n"].concat();
        assert_eq!(Preface::of(client, &with_mail, false), whole);
        for cut in 1..server.len() {
            assert_eq!(Preface::of(client, &server[..cut], false), Preface::Incomplete, "server's {cut}");
        }
        for cut in 1..client.len() {
            assert_eq!(Preface::of(&client[..cut], b"", false), Preface::Incomplete, "client's {cut}");
        }
        let alone = Preface::Ends { client: client.len(), server: 0, shows: shows() };
        assert_eq!(Preface::of(client, b"", true), alone);
        // The answers of 4 and 4a are the same.
        let protocol = if protocol == ProxyProtocol::Socks4a { ProxyProtocol::Socks4 } else { protocol };
        let shows = Shown::Proxied(proxied(protocol, None));
        assert_eq!(Preface::of(b"", server, true), Preface::Ends { client: 0, server: server.len(), shows });
    }

    #[test]
    fn version_4_and_4a() {
        let granted = [0, 90, 0, 0, 0, 0, 0, 0];
        reads(b"\x04\x01\0\x19\xc6\x33\x64\x19alice\0", &granted, ProxyProtocol::Socks4, "198.51.100.25:25");
        reads(b"\x04\x01\x02\x4b\0\0\0\x01\0mx.example.net\0", &granted, ProxyProtocol::Socks4a, "mx.example.net:587");
        let rejected = [0, 91, 0, 0, 0, 0, 0, 0];
        assert_eq!(Preface::of(b"\x04\x01\0\x19\xc6\x33\x64\x19\0", &rejected, false), Preface::Refused);
    }

    /// RFC 1928 §3 to §6 with each type of address.
    #[test]
    fn version_5() {
        let bound = b"\x05\0\x05\0\0\x01\0\0\0\0\0\0";
        reads(b"\x05\x01\0\x05\x01\0\x01\xc6\x33\x64\x19\0\x19", bound, ProxyProtocol::Socks5, "198.51.100.25:25");
        reads(b"\x05\x02\0\x01\x05\x01\0\x03\x02mx\0\x19", bound, ProxyProtocol::Socks5, "mx:25");
        let v6 = b"\x05\x01\0\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x19\x02\x4b";
        let bound = b"\x05\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        reads(v6, bound, ProxyProtocol::Socks5, "[2001:db8::19]:587");
    }

    /// RFC 1929 §2.
    #[test]
    fn version_5_with_user_and_password() {
        let client = b"\x05\x02\0\x02\x01\x05alice\x06secret\x05\x01\0\x03\x02mx\0\x19";
        reads(client, b"\x05\x02\x01\0\x05\0\0\x03\x01a\0\0", ProxyProtocol::Socks5, "mx:25");
        assert_eq!(Preface::of(client, b"\x05\x02\x01\x01", false), Preface::Refused);
    }

    /// RFC 1928 §3: "If the selected METHOD is X'FF', none of the methods listed by the client are acceptable"; §6: REP.
    #[test]
    fn refusals() {
        assert_eq!(Preface::of(b"\x05\x01\0", b"\x05\xff", false), Preface::Refused);
        let client = b"\x05\x01\0\x05\x01\0\x03\x02mx\0\x19";
        assert_eq!(Preface::of(client, b"\x05\0\x05\x05\0\x01\0\0\0\0\0\0", false), Preface::Refused);
    }

    /// BIND and UDP ASSOCIATE lead to no server.
    #[test]
    fn other_commands_are_none() {
        assert_eq!(Preface::of(b"\x04\x02\0\x19\xc6\x33\x64\x19\0", b"", false), Preface::None);
        assert_eq!(Preface::of(b"\x05\x01\0\x05\x03\0\x01\0\0\0\0\0\0", b"", false), Preface::None);
        assert_eq!(Preface::of(b"EHLO a\r\n", b"", false), Preface::None);
    }
}
