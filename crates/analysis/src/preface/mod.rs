//! What a client says before its mail: the header of the PROXY protocol, and the dialogue in which a proxy connects it
//! with the server.
//!
//! ```text
//!   client ─▶ PROXY header ─▶ CONNECT mx.example.net:25 … ─▶ │ EHLO …
//!   server ─▶                 HTTP/1.1 200 …             ─▶ │ 220 …
//!            └───────────────── prefaces ──────────────────┘ └ mail
//! ```
//!
//! Each side's part is read on its own, so that a capture of one side shows as much as it can. That a tunnel stands says
//! nothing of what goes through it: what follows is judged as if it were the beginning of the connection.

mod http_connect;
mod socks;

use smol_str::SmolStr;
use smtp_parser::{ProxyPreface, proxy_preface};

use crate::model::{ClaimSource, ClaimedClient, Proxied, ProxyProtocol};

/// What the first octets of both sides are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Preface {
    /// No preface.
    None,
    /// They may become one.
    Incomplete,
    /// A proxy would not connect the client, or nobody can say where its answer ends.
    Refused,
    /// So many octets of each side are one; behind them something else begins.
    Ends { client: usize, server: usize, shows: Shown },
}

/// What a preface shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Whose connection it is, as a proxy in front of the server says.
    Claim(Box<ClaimedClient>),
    /// Where the client wanted to be connected.
    Proxied(Proxied),
    /// Nothing: the proxy refused, and the client tries again.
    Attempt,
}

impl Preface {
    /// Looks at the beginning. `is_final` where no more octets will come or are kept: then one side is enough.
    pub(crate) fn of(client: &[u8], server: &[u8], is_final: bool) -> Self {
        let header = if client.is_empty() { ProxyPreface::None } else { proxy_preface(client) };
        match header {
            ProxyPreface::Header(header) => {
                let mut claim = ClaimedClient::new(ClaimSource::Proxy);
                if let Some((source, destination)) = header.addresses {
                    (claim.address, claim.port) = (Some(source.ip()), Some(source.port()));
                    claim.destination_address = Some(destination.ip());
                    claim.destination_port = Some(destination.port());
                }
                return Self::Ends { client: header.octets, server: 0, shows: Shown::Claim(Box::new(claim)) };
            }
            ProxyPreface::Incomplete { .. } => return Self::Incomplete,
            ProxyPreface::None => {}
        }
        let dialogues = [
            (ProxyProtocol::HttpConnect, http_connect::request(client), http_connect::answer(server)),
            (ProxyProtocol::Socks5, socks::request_5(client), socks::answer_5(server)),
            (ProxyProtocol::Socks4, socks::request_4(client), socks::answer_4(server)),
        ];
        let mut preface = Self::None;
        for (protocol, request, answer) in dialogues {
            match Self::of_dialogue(protocol, request, answer, is_final) {
                Self::None => {}
                Self::Incomplete => preface = Self::Incomplete,
                found => return found,
            }
        }
        preface
    }

    fn of_dialogue(protocol: ProxyProtocol, request: Request, answer: Answer, is_final: bool) -> Self {
        match (request, answer) {
            (Request::Other, _) | (_, Answer::Other) | (Request::Silent, Answer::Silent) => Self::None,
            (_, Answer::Refused) => Self::Refused,
            (Request::Whole { octets: client, to }, Answer::Connected(server)) => {
                Self::Ends { client, server, shows: Shown::Proxied(to) }
            }
            (Request::Whole { octets: client, to }, Answer::Silent) if is_final => {
                Self::Ends { client, server: 0, shows: Shown::Proxied(to) }
            }
            (Request::Silent, Answer::Connected(server)) if is_final => {
                Self::Ends { client: 0, server, shows: Shown::Proxied(proxied(protocol, None)) }
            }
            (Request::Whole { octets: client, .. }, Answer::Declined(server)) => {
                Self::Ends { client, server, shows: Shown::Attempt }
            }
            _ => Self::Incomplete,
        }
    }
}

/// A client's part of the dialogue with a proxy.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// It has not said anything.
    Silent,
    /// It is something else.
    Other,
    /// More octets are wanted.
    Incomplete,
    /// It ends behind so many octets.
    Whole { octets: usize, to: Proxied },
}

/// A proxy's part.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// It has not said anything.
    Silent,
    /// It is something else.
    Other,
    /// More octets are wanted.
    Incomplete,
    /// The tunnel stands behind so many octets.
    Connected(usize),
    /// No tunnel, but the dialogue may go on behind so many octets.
    Declined(usize),
    /// No tunnel.
    Refused,
}

/// A target as the client wrote it. What stands before an `@` would be a secret; no such thing belongs there.
fn target(text: &[u8]) -> Option<SmolStr> {
    let behind = text.rsplit(|&octet| octet == b'@').next().unwrap_or(text);
    (!behind.is_empty()).then(|| String::from_utf8_lossy(behind).into())
}

fn proxied(protocol: ProxyProtocol, target: Option<SmolStr>) -> Proxied {
    Proxied { protocol, target }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of each dialogue, and others.
    fn octets(pieces: Vec<&'static [u8]>) -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    fn client() -> impl Strategy<Value = Vec<u8>> {
        octets(vec![
            b"CONNECT a:25 HTTP/1.1\r\n",
            b"Proxy-Authorization: basic eA==\r\n",
            b"\r\n",
            b"\x05\x01\0",
            b"\x05\x02\0\x02",
            b"\x01\x01a\x01b",
            b"\x05\x01\0\x03\x02mx\0\x19",
            b"\x05\x01\0\x01\x01\x02\x03\x04\0\x19",
            b"\x04\x01\0\x19\0\0\0\x01",
            b"\0",
            b"a\0",
            b"PROXY UNKNOWN\r\n",
            b"EHLO a\r\n",
        ])
    }

    fn server() -> impl Strategy<Value = Vec<u8>> {
        octets(vec![
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 Wait\r\n\r\n",
            b"HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\n",
            b"\r\n",
            b"x",
            b"\x05\0",
            b"\x05\x02\x01\0",
            b"\x05\0\0\x01\0\0\0\0\0\0",
            b"\0\x5a\0\0\0\0\0\0",
            b"220 a ESMTP\r\n",
        ])
    }

    proptest! {
        /// However the octets come: a preface ends within them, where it ended is no matter of what follows, and what is
        /// none, or refused, stays so.
        #[test]
        fn a_verdict_stands(client in client(), server in server(), is_final: bool) {
            if let Preface::Ends { client: of_client, server: of_server, .. } = Preface::of(&client, &server, is_final) {
                prop_assert!(of_client <= client.len() && of_server <= server.len() && of_client + of_server > 0);
            }
            let mut decided = None;
            let len = client.len();
            for end in 0..=len + server.len() {
                let (client, server) = (&client[..end.min(len)], &server[..end.saturating_sub(len)]);
                let preface = Preface::of(client, server, false);
                match (preface, decided.take()) {
                    (preface, Some(before)) => {
                        prop_assert_eq!(&preface, &before);
                        decided = Some(before);
                    }
                    // Whoever has not spoken yet may still begin one.
                    (Preface::Incomplete, None) => {}
                    (Preface::None, None) if client.is_empty() || server.is_empty() => {}
                    (preface, None) => decided = Some(preface),
                }
            }
        }
    }
}
