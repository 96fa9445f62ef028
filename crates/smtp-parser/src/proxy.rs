//! The PROXY protocol's header, which a proxy sends before anything else on a connection: whose connection it was.
//!
//! The clauses are those of "The PROXY protocol, versions 1 & 2" (haproxy, doc/proxy-protocol.txt).

use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxiedAddress};

/// Whether a client's first octets are the header of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyPreface {
    /// They are no such header, and will not become one.
    None,
    /// They may become one; more octets are wanted. No longer the answer at [`MAX_PROXY_HEADER`] octets.
    Incomplete {
        /// How many octets there must be at least to know more.
        wanted: usize,
    },
    /// They are.
    Header(ProxyHeader),
}

/// A header, as far as it says whose the connection is. It is a claim: nothing but trust in the proxy bears it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// 1, in text, or 2, in binary.
    pub version: u8,
    /// Its octets; behind them the connection begins.
    pub octets: usize,
    /// Source and destination of the connection to the proxy; `None` where the proxy does not say (LOCAL, UNKNOWN,
    /// a UNIX socket), or says it in a way that the protocol does not know.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// The most octets a header may have: version 2's fixed part, and as many more as its length can say. Version 1 has at
/// most 107 (§2.1).
pub const MAX_PROXY_HEADER: usize = SIGNATURE.len() + 4 + 0xffff;

/// Looks at the first octets of what a client sends.
///
/// §2.2:
/// > Identifying the protocol version is easy : … the 13 first bytes match the protocol signature block followed by the
/// > protocol version 2 … otherwise, … the 5 first characters match the US-ASCII representation of "PROXY" then the
/// > protocol must be parsed as version 1 … otherwise the protocol is not covered by this specification
pub fn proxy_preface(octets: &[u8]) -> ProxyPreface {
    match octets {
        [b'P', ..] => text_header(octets),
        [b'\r', ..] => binary_header(octets),
        [] => ProxyPreface::Incomplete { wanted: 1 },
        _ => ProxyPreface::None,
    }
}

/// §2.1:
/// > The receiver must wait for the CRLF sequence before starting to decode the addresses … If the CRLF sequence is not
/// > found in the first 107 characters, the receiver should declare the line invalid.
fn text_header(octets: &[u8]) -> ProxyPreface {
    if !begins_alike(octets, b"PROXY ") {
        return ProxyPreface::None;
    }
    let line = octets.get(..LONGEST_LINE).unwrap_or(octets);
    let Some(size) = memchr::memchr(b'\n', line).map(|at| at.saturating_add(1)) else {
        let wanted = octets.len().saturating_add(1);
        return if line.len() == LONGEST_LINE { ProxyPreface::None } else { ProxyPreface::Incomplete { wanted } };
    };
    let line = octets.get(..size).unwrap_or(octets);
    // §2.1: "The receiver must not tolerate a single CR or LF character to end the line".
    if !line.ends_with(b"\r\n") {
        return ProxyPreface::None;
    }
    // §2.1: "For "UNKNOWN", … the receiver must ignore anything presented before the CRLF is found."
    let is_unknown = line.starts_with(b"PROXY UNKNOWN ") || line == b"PROXY UNKNOWN\r\n";
    match addresses(line) {
        Some(addresses) => ProxyPreface::Header(ProxyHeader { version: 1, octets: size, addresses: Some(addresses) }),
        None if is_unknown => ProxyPreface::Header(ProxyHeader { version: 1, octets: size, addresses: None }),
        None => ProxyPreface::None,
    }
}

/// §2.2:
/// > The 15th and 16th bytes is the address length in bytes in network endian order. It is used so that the receiver
/// > knows how many address bytes to skip even when it does not implement the presented protocol. Thus the length of the
/// > protocol header in bytes is always exactly 16 + this value.
fn binary_header(octets: &[u8]) -> ProxyPreface {
    if !begins_alike(octets, SIGNATURE) {
        return ProxyPreface::None;
    }
    let fixed = SIGNATURE.len().saturating_add(4);
    let size = match octets.get(SIGNATURE.len()..fixed) {
        // "The highest four bits contains the version. … it must always be sent as \x2"
        Some(&[0x20..=0x2f, _, high, low]) => fixed.saturating_add(usize::from(u16::from_be_bytes([high, low]))),
        Some(_) => return ProxyPreface::None,
        None => return ProxyPreface::Incomplete { wanted: fixed },
    };
    match octets.get(..size) {
        Some(header) => ProxyPreface::Header(ProxyHeader { version: 2, octets: size, addresses: addresses(header) }),
        None => ProxyPreface::Incomplete { wanted: size },
    }
}

/// Source and destination in a header that is all there.
fn addresses(header: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    let (header, _) = proxy_header::ProxyHeader::parse(header, config).ok()?;
    header.proxied_address().map(|&ProxiedAddress { source, destination, .. }| (source, destination))
}

/// Whether one of the two begins with the other.
fn begins_alike(octets: &[u8], wanted: &[u8]) -> bool {
    octets.iter().zip(wanted).all(|(octet, wanted)| octet == wanted)
}

/// §2.2: "a constant 12 bytes block containing the protocol signature".
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// §2.1: "worst case (optional fields set to 0xff) … => 107 chars", CRLF included.
const LONGEST_LINE: usize = 107;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(octets: &[u8], version: u8, behind: &[u8], addresses: Option<(&str, &str)>) {
        let addresses = addresses.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()));
        let header = ProxyHeader { version, octets: octets.len() - behind.len(), addresses };
        assert_eq!(proxy_preface(octets), ProxyPreface::Header(header), "{}", octets.escape_ascii());
        assert!(octets.ends_with(behind));
        // Whatever is missing of it, it may still become one, and never too late.
        for cut in 0..header.octets {
            let ProxyPreface::Incomplete { wanted } = proxy_preface(&octets[..cut]) else { panic!("at {cut}") };
            assert!(cut < wanted && wanted <= header.octets, "{wanted} at {cut}");
        }
    }

    fn binary(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version_and_command, family], &length, rest].concat()
    }

    /// §2.1's example, its longest lines, and both forms of UNKNOWN.
    #[test]
    fn version_1() {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n";
        reads(line, 1, b"GET / HTTP/1.1\r\n", Some(("192.168.0.1:56324", "192.168.0.11:443")));
        let line = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
        assert_eq!(line.len(), 56);
        reads(line, 1, b"", Some(("255.255.255.255:65535", "255.255.255.255:65535")));
        let ffff = ["ffff"; 8].join(":");
        let line = format!("PROXY TCP6 {ffff} {ffff} 65535 65535\r\nEHLO a\r\n");
        let address = format!("[{ffff}]:65535");
        reads(line.as_bytes(), 1, b"EHLO a\r\n", Some((&address, &address)));
        reads(b"PROXY UNKNOWN\r\n", 1, b"", None);
        let line = format!("PROXY UNKNOWN {ffff} {ffff} 65535 65535\r\n");
        assert_eq!(line.len(), 107);
        reads(line.as_bytes(), 1, b"", None);
        reads(b"PROXY UNKNOWN what ever it is that stands here\r\n", 1, b"", None);
    }

    /// §2.2: TCP over IPv4 and IPv6, with and without further vectors; LOCAL; families without an IP address.
    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 25, 0x9c, 0x40, 0, 25];
        let ends = Some(("192.0.2.1:40000", "198.51.100.25:25"));
        reads(&[binary(0x21, 0x11, &v4), b"EHLO a\r\n".to_vec()].concat(), 2, b"EHLO a\r\n", ends);
        reads(&binary(0x21, 0x11, &[&v4[..], &[4, 0, 2, 0, 0]].concat()), 2, b"", ends);
        let address = |last| [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[last]].concat();
        let v6 = [address(1), address(2), vec![0x9c, 0x40, 0, 25]].concat();
        reads(&binary(0x21, 0x21, &v6), 2, b"", Some(("[2001:db8::1]:40000", "[2001:db8::2]:25")));
        // "The receiver must accept this connection as valid and must use the real connection endpoints".
        reads(&binary(0x20, 0x00, b""), 2, b"", None);
        reads(&binary(0x20, 0x11, &v4), 2, b"", None);
        reads(&binary(0x21, 0x00, b"whatever"), 2, b"", None);
        reads(&binary(0x21, 0x31, &[0; 216]), 2, b"", None);
        // "other values are unassigned" or the addresses are cut off: its length is still its length.
        reads(&binary(0x22, 0x11, &v4), 2, b"", None);
        reads(&binary(0x21, 0x11, &v4[..8]), 2, b"", None);
    }

    #[test]
    fn what_is_no_header() {
        for octets in [
            &b"EHLO a\r\n"[..],
            b"PRO\r\n",
            b"PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            b"PROXY TCP4 2001:db8::1 5.6.7.8 1 2\r\n",
            b"PROXY UNKNOWNS\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
            b"PROXY UNKNOWN a\nb\r\n",
            b"\r\nEHLO a\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
        ] {
            assert_eq!(proxy_preface(octets), ProxyPreface::None, "{}", octets.escape_ascii());
        }
    }

    /// §2.1: what has no CRLF in the first 107 characters is invalid.
    #[test]
    fn a_line_is_given_up_at_its_limit() {
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        assert_eq!(proxy_preface(&endless[..106]), ProxyPreface::Incomplete { wanted: 107 });
        assert_eq!(proxy_preface(&endless[..107]), ProxyPreface::None);
        let late = [&endless[..106], b"\r\n"].concat();
        assert_eq!(proxy_preface(&late), ProxyPreface::None);
    }

    /// The longest header there can be.
    #[test]
    fn the_limit_of_a_header() {
        let longest = binary(0x20, 0, &[0; 0xffff]);
        assert_eq!(longest.len(), MAX_PROXY_HEADER);
        let header = ProxyHeader { version: 2, octets: MAX_PROXY_HEADER, addresses: None };
        assert_eq!(proxy_preface(&longest), ProxyPreface::Header(header));
        let wanted = MAX_PROXY_HEADER;
        assert_eq!(proxy_preface(&longest[..wanted - 1]), ProxyPreface::Incomplete { wanted });
    }

    proptest! {
        /// A verdict, once given, does not change with what follows; "incomplete" asks for more than there is.
        #[test]
        fn a_verdict_stands(
            start in prop::sample::select(vec![
                &b""[..], b"P", b"PROXY TCP4 ", b"PROXY TCP6 ::1 ", b"PROXY UNKNOWN", b"\r\n\r\n\0\r\nQUIT\n",
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x30",
            ]),
            rest in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                prop::collection::vec(prop::sample::select(b"0123456789.: \r\n+".to_vec()), 0..120),
            ],
        ) {
            let octets = [start, &rest].concat();
            let mut decided = None;
            for end in 0..=octets.len() {
                let preface = proxy_preface(&octets[..end]);
                match (preface, decided) {
                    (_, Some(before)) => prop_assert_eq!(preface, before),
                    (ProxyPreface::Incomplete { wanted }, None) => {
                        prop_assert!(wanted > end && wanted <= MAX_PROXY_HEADER);
                    }
                    (ProxyPreface::Header(header), None) => {
                        prop_assert_eq!(header.octets, end);
                        decided = Some(preface);
                    }
                    (ProxyPreface::None, None) => decided = Some(preface),
                }
            }
        }
    }
}
