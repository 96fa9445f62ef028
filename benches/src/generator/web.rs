//! HTTP/1.1 connections (RFC 9112), for mail to be lost among.

use super::connection::{Side, Turn};
use super::prng::Prng;

/// Writes requests and responses.
#[derive(Debug)]
pub(super) struct Web {
    /// Octets without form, as those of a picture are.
    picture: Vec<u8>,
}

impl Web {
    pub(super) fn new(prng: &mut Prng) -> Self {
        let picture = std::iter::repeat_with(|| prng.next().to_le_bytes()).take(POOL_OCTETS / 8).flatten().collect();
        Self { picture }
    }

    /// One connection with up to six requests.
    pub(super) fn session(&self, prng: &mut Prng) -> Vec<Turn> {
        let mut turns = Vec::new();
        for _ in 0..prng.between(1, 6) {
            let page = prng.below(100_000);
            let request = format!(
                "GET /images/{page}.png HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) \
                 Gecko/20100101 Firefox/128.0\r\nAccept: image/avif,image/webp,*/*\r\nAccept-Encoding: gzip, deflate\r\n\
                 Connection: keep-alive\r\nReferer: http://www.example.com/{page}\r\n\r\n"
            );
            turns.push(Turn { from: Side::Client, octets: request.into_bytes() });
            // Most bodies are small, and most octets are in large ones.
            let share = prng.below(256);
            let len = prng.size(200, 200 + share * share * 4);
            let first = prng.size(0, (POOL_OCTETS - MAX_BODY_OCTETS) as u64);
            let body = self.picture.get(first..first + len.min(MAX_BODY_OCTETS)).unwrap_or_default();
            let mut response = format!(
                "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Type: image/png\r\n\
                 Content-Length: {}\r\nConnection: keep-alive\r\n\r\n",
                body.len()
            )
            .into_bytes();
            response.extend_from_slice(body);
            turns.push(Turn { from: Side::Server, octets: response });
        }
        turns
    }
}

const POOL_OCTETS: usize = 1 << 20;
const MAX_BODY_OCTETS: usize = 300_000;
