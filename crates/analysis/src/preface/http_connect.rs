//! The tunnel that an HTTP proxy makes on CONNECT.
//!
//! RFC 9110 §9.3.6:
//! > The CONNECT method requests that the recipient establish a tunnel to the destination origin server identified by the
//! > request target and, if successful, thereafter restrict its behavior to blind forwarding of data, in both directions,
//! > until the tunnel is closed.
//!
//! Of the header fields only the length of a refusal is read; what else stands there may be a secret
//! (Proxy-Authorization).

use memchr::memchr;

use super::{Answer, Request, proxied, target};
use crate::model::ProxyProtocol;

/// RFC 9110 §9.3.6: `CONNECT` and the host and port; RFC 9112 §3.2.3: `authority-form = uri-host ":" port`. Words
/// behind the target are let pass: there are clients that write `host:port / HTTP/1.0`.
pub(super) fn request(octets: &[u8]) -> Request {
    if octets.is_empty() {
        return Request::Silent;
    }
    if !octets.iter().zip(METHOD).all(|(octet, wanted)| octet == wanted) {
        return Request::Other;
    }
    let Some(end) = head_end(octets) else { return Request::Incomplete };
    let line = octets.get(METHOD.len()..end).unwrap_or_default();
    let word = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    Request::Whole { octets: end, to: proxied(ProxyProtocol::HttpConnect, target(word)) }
}

/// RFC 9110 §9.3.6:
/// > Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch to tunnel mode
/// > immediately after the response header section … A server MUST NOT send any Transfer-Encoding or Content-Length header
/// > fields in a 2xx (Successful) response to CONNECT. A client MUST ignore any Content-Length or Transfer-Encoding header
/// > fields received in a successful response to CONNECT.
///
/// §15.2: a 1xx response comes before the final one.
pub(super) fn answer(octets: &[u8]) -> Answer {
    if octets.is_empty() {
        return Answer::Silent;
    }
    let mut from = 0_usize;
    loop {
        let rest = octets.get(from..).unwrap_or_default();
        if !rest.iter().zip(VERSION).all(|(octet, wanted)| octet == wanted) {
            return Answer::Other;
        }
        let Some(end) = head_end(rest) else { return Answer::Incomplete };
        let head = rest.get(..end).unwrap_or(rest);
        let behind = from.saturating_add(end);
        let line = head.split(|&octet| octet == b'\n').next().unwrap_or_default();
        match line.split(|&octet| octet == b' ').nth(1) {
            Some([b'1', ..]) => from = behind,
            Some([b'2', ..]) => return Answer::Connected(behind),
            Some([b'3'..=b'5', ..]) => {
                let Some(body) = content_length(head) else { return Answer::Refused };
                let behind = behind.saturating_add(body);
                return if behind <= octets.len() { Answer::Declined(behind) } else { Answer::Incomplete };
            }
            _ => return Answer::Other,
        }
    }
}

/// Octets up to and with the empty line. RFC 9112 §2.2: "a recipient MAY recognize a single LF as a line terminator".
fn head_end(octets: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    loop {
        let rest = octets.get(from..)?;
        let at = memchr(b'\n', rest)?;
        let line = rest.get(..at)?;
        from = from.saturating_add(at).saturating_add(1);
        if matches!(line, b"" | b"\r") {
            return Some(from);
        }
    }
}

/// RFC 9112 §6.3: where neither a length nor a coding that ends by itself is given, the end of the connection is the end.
/// A chunked refusal is taken for such a one.
fn content_length(head: &[u8]) -> Option<usize> {
    head.split(|&octet| octet == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
        let value = std::str::from_utf8(value.get(1..)?).ok()?;
        name.eq_ignore_ascii_case(b"Content-Length").then(|| value.trim().parse().ok())?
    })
}

const METHOD: &[u8] = b"CONNECT ";
const VERSION: &[u8] = b"HTTP/1.";

#[cfg(test)]
mod tests {
    use super::super::{Preface, Shown};
    use super::*;

    fn of(client: &str, server: &str, is_final: bool) -> Preface {
        Preface::of(client.as_bytes(), server.as_bytes(), is_final)
    }

    fn ends(client: usize, server: usize, to: Option<&str>) -> Preface {
        let shows = Shown::Proxied(proxied(ProxyProtocol::HttpConnect, to.map(Into::into)));
        Preface::Ends { client, server, shows }
    }

    /// RFC 9110 §9.3.6's example, with the credentials of its second.
    const REQUEST: &str = "CONNECT server.example.com:80 HTTP/1.1\r\nHost: server.example.com\r\n\
        Proxy-Authorization: basic aGVsbG86d29ybGQ=\r\n\r\n";

    #[test]
    fn the_tunnel_begins_behind_the_2xx() {
        let answer = "HTTP/1.1 200 Connection established\r\n\r\n";
        let to = Some("server.example.com:80");
        assert_eq!(of(REQUEST, answer, false), ends(REQUEST.len(), answer.len(), to));
        let with_mail = format!("{answer}220 a ESMTP\r\n");
        assert_eq!(of(REQUEST, &with_mail, false), ends(REQUEST.len(), answer.len(), to));
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(of(REQUEST, early, false), ends(REQUEST.len(), early.len(), to), "a length in a 2xx is ignored");
        for cut in 1..answer.len() {
            assert_eq!(of(REQUEST, &answer[..cut], false), Preface::Incomplete);
        }
        for cut in 1..REQUEST.len() {
            assert_eq!(of(&REQUEST[..cut], "", false), Preface::Incomplete);
        }
    }

    #[test]
    fn a_refusal_may_be_followed_by_another_attempt() {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 3\r\n\r\nno\n";
        let shows = Shown::Attempt;
        let attempt = Preface::Ends { client: REQUEST.len(), server: refusal.len(), shows };
        assert_eq!(of(REQUEST, refusal, false), attempt);
        assert_eq!(of(REQUEST, &refusal[..refusal.len() - 1], false), Preface::Incomplete);
        assert_eq!(of(REQUEST, "HTTP/1.1 503 No\r\nConnection: close\r\n\r\n", false), Preface::Refused);
    }

    #[test]
    fn one_side_is_enough_in_the_end() {
        assert_eq!(of(REQUEST, "", false), Preface::Incomplete);
        assert_eq!(of(REQUEST, "", true), ends(REQUEST.len(), 0, Some("server.example.com:80")));
        let answer = "HTTP/1.0 200 OK\r\n\r\n";
        assert_eq!(of("", answer, false), Preface::Incomplete);
        assert_eq!(of("", answer, true), ends(0, answer.len(), None));
    }

    #[test]
    fn other_requests_and_answers_are_none() {
        assert_eq!(of("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", false), Preface::None);
        assert_eq!(of("connect a:25 HTTP/1.1\r\n\r\n", "", false), Preface::None, "methods are case-sensitive");
        assert_eq!(of(REQUEST, "220 a ESMTP\r\n", false), Preface::None);
    }

    #[test]
    fn what_looks_like_credentials_in_a_target_is_left_out() {
        let request = "CONNECT alice:secret@mx.example.net:25 / HTTP/1.0\n\n";
        let answer = "HTTP/1.0 200 OK\n\n";
        assert_eq!(of(request, answer, false), ends(request.len(), answer.len(), Some("mx.example.net:25")));
    }
}
