//! One TCP connection: who says what, sent a few segments at a time so that connections interleave.

use std::io::{self, Write};
use std::vec;

use super::prng::Prng;
use super::wire::{Bits, Host, MSS, Wire};

/// What one side says before the other answers.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) from: Side,
    pub(super) octets: Vec<u8>,
}

/// The side that opened the connection, or the one that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// A connection on its way.
#[derive(Debug)]
pub(super) struct Connection {
    client: Host,
    server: Host,
    turns: vec::IntoIter<Turn>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Opening,
    /// `sent` octets of `turn` are on their way; one segment in two is acknowledged at once.
    Talking {
        turn: Turn,
        sent: usize,
        acknowledge: bool,
    },
    Closing,
}

impl Connection {
    /// Connection number `index` to `port`; no two indices have the same addresses and ports.
    pub(super) fn new(index: u64, port: u16, turns: Vec<Turn>, prng: &mut Prng) -> Self {
        let [.., a, b, c, d] = index.to_be_bytes();
        let [.., x] = prng.next().to_be_bytes();
        let [.., e, f, g, h] = prng.next().to_be_bytes();
        Self {
            // RFC 2544 appendix C.2.2 gives 198.18.0.0/15 to benchmarks.
            client: Host {
                address: [198, 18, c, d],
                port: u16::from_be_bytes([b, a]).wrapping_add(FIRST_PORT),
                next: u32::from_be_bytes([e, f, g, h]),
            },
            server: Host { address: [198, 19, 0, x % SERVERS], port, next: u32::from_be_bytes([h, g, f, e]) },
            turns: turns.into_iter(),
            stage: Stage::Opening,
        }
    }

    /// How often it has to advance at least.
    pub(super) fn least_steps(&self) -> u64 {
        self.turns.len() as u64 + 2
    }

    /// Sends what comes next, a few segments of it; false once the connection is over.
    pub(super) fn advance<W: Write>(&mut self, wire: &mut Wire<W>, prng: &mut Prng) -> io::Result<bool> {
        let Self { client, server, turns, stage } = self;
        match stage {
            Stage::Opening => {
                wire.send(client, server, Bits::SYN, &[])?;
                wire.send(server, client, Bits::SYN_ACK, &[])?;
                wire.send(client, server, Bits::ACK, &[])?;
            }
            Stage::Talking { turn, sent, acknowledge } => {
                let (from, to) = match turn.from {
                    Side::Client => (client, server),
                    Side::Server => (server, client),
                };
                let rest = turn.octets.get(*sent..).unwrap_or_default();
                for segment in rest.chunks(MSS).take(prng.size(1, BURST_SEGMENTS)) {
                    *sent += segment.len();
                    let bits = if *sent == turn.octets.len() { Bits::PSH_ACK } else { Bits::ACK };
                    wire.send(from, to, bits, segment)?;
                    if *acknowledge && *sent < turn.octets.len() {
                        wire.send(to, from, Bits::ACK, &[])?;
                    }
                    *acknowledge = !*acknowledge;
                }
                if *sent < turn.octets.len() {
                    return Ok(true);
                }
            }
            Stage::Closing => {
                wire.send(client, server, Bits::ACK, &[])?;
                wire.send(server, client, Bits::FIN_ACK, &[])?;
                wire.send(client, server, Bits::FIN_ACK, &[])?;
                wire.send(server, client, Bits::ACK, &[])?;
                return Ok(false);
            }
        }
        self.stage = match turns.next() {
            Some(turn) => Stage::Talking { turn, sent: 0, acknowledge: false },
            None => Stage::Closing,
        };
        Ok(true)
    }
}

/// A sender's burst before another connection has its turn.
const BURST_SEGMENTS: u64 = 8;
const FIRST_PORT: u16 = 20_000;
const SERVERS: u8 = 32;
