//! Lines to cut messages from. Made once; a message is a run of them.

use super::prng::Prng;

/// Lines that end in CRLF, none of which begins with a dot.
#[derive(Debug)]
pub(super) struct Lines {
    octets: Vec<u8>,
    /// Where each line begins, and behind the last one.
    starts: Vec<usize>,
}

impl Lines {
    /// Lines of words, 20 to 76 octets long.
    pub(super) fn words(pool_octets: usize, prng: &mut Prng) -> Self {
        Self::fill(pool_octets, |octets| {
            let end = octets.len() + prng.size(20, 70);
            while octets.len() < end {
                octets.extend_from_slice(prng.pick(&WORDS).unwrap_or_default().as_bytes());
                octets.push(b' ');
            }
        })
    }

    /// Lines of 76 characters, as RFC 2045 §6.8 has them.
    pub(super) fn base64(pool_octets: usize, prng: &mut Prng) -> Self {
        Self::fill(pool_octets, |octets| {
            for _ in 0..76 {
                let character = BASE64.get(prng.size(0, 63)).copied().unwrap_or(b'A');
                octets.push(character);
            }
        })
    }

    fn fill(pool_octets: usize, mut line: impl FnMut(&mut Vec<u8>)) -> Self {
        let (mut octets, mut starts) = (Vec::with_capacity(pool_octets + 100), vec![0]);
        while octets.len() < pool_octets {
            line(&mut octets);
            octets.extend_from_slice(b"\r\n");
            starts.push(octets.len());
        }
        Self { octets, starts }
    }

    /// A run of whole lines, at least `wanted` octets long where the pool has them, and less than a line longer.
    pub(super) fn run(&self, wanted: usize, prng: &mut Prng) -> &[u8] {
        let room = self.octets.len().saturating_sub(wanted);
        let last = self.starts.partition_point(|&start| start <= room).saturating_sub(1);
        let first = self.starts.get(prng.size(0, last as u64)).copied().unwrap_or(0);
        let end = self.starts.partition_point(|&start| start < first + wanted);
        let end = self.starts.get(end).copied().unwrap_or(self.octets.len());
        self.octets.get(first..end).unwrap_or_default()
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const WORDS: [&str; 24] = [
    "the",
    "report",
    "you",
    "asked",
    "for",
    "is",
    "attached;",
    "please",
    "let",
    "me",
    "know",
    "when",
    "meeting",
    "moves",
    "to",
    "Thursday",
    "morning.",
    "We",
    "have",
    "not",
    "received",
    "invoice",
    "number",
    "4711,",
];
