//! One TCP connection: who says what, sent a few segments at a time so that connections interleave.

use std::collections::VecDeque;
use std::io::{self, Write};

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

/// In which segments, and in which order, the network brings what a side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As sent, in segments as large as Ethernet allows.
    InOrder,
    /// As sent, an octet at a time.
    OneOctet,
    /// Each burst shuffled, and some of its segments sent again.
    Disordered,
    /// Segments of eight octets, the last one of each window first.
    Reversed,
}

/// A connection on its way.
#[derive(Debug)]
pub(super) struct Connection {
    client: Host,
    server: Host,
    turns: VecDeque<Turn>,
    delivery: Delivery,
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
    pub(super) fn new(index: u64, port: u16, turns: Vec<Turn>, delivery: Delivery, prng: &mut Prng) -> Self {
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
            turns: turns.into(),
            delivery,
            stage: Stage::Opening,
        }
    }

    /// How often it has to advance at least.
    pub(super) fn least_steps(&self) -> u64 {
        self.turns.len() as u64 + 2
    }

    /// Nothing is left to say but what is on its way.
    pub(super) fn has_said_all(&self) -> bool {
        self.turns.is_empty()
    }

    /// Has more to say before it closes.
    pub(super) fn say(&mut self, turns: Vec<Turn>) {
        self.turns.extend(turns);
    }

    /// Sends what comes next, a few segments of it; false once the connection is over.
    pub(super) fn advance<W: Write>(&mut self, wire: &mut Wire<W>, prng: &mut Prng) -> io::Result<bool> {
        let Self { client, server, turns, delivery, stage } = self;
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
                match delivery {
                    Delivery::InOrder | Delivery::OneOctet => {
                        let mss = if *delivery == Delivery::InOrder { MSS } else { 1 };
                        for segment in rest.chunks(mss).take(prng.size(1, BURST_SEGMENTS)) {
                            *sent += segment.len();
                            let bits = if *sent == turn.octets.len() { Bits::PSH_ACK } else { Bits::ACK };
                            wire.send(from, to, bits, segment)?;
                            if *acknowledge && *sent < turn.octets.len() {
                                wire.send(to, from, Bits::ACK, &[])?;
                            }
                            *acknowledge = !*acknowledge;
                        }
                    }
                    Delivery::Disordered => {
                        let burst = prng.size(1, BURST_SEGMENTS) * MSS;
                        let burst = rest.get(..burst).unwrap_or(rest);
                        *sent += burst.len();
                        send_disordered(burst, from, to, wire, prng)?;
                    }
                    Delivery::Reversed => {
                        let window = rest.get(..WINDOW_SEGMENTS * SMALL_SEGMENT_OCTETS).unwrap_or(rest);
                        *sent += window.len();
                        send_reversed(window, from, to, wire)?;
                    }
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
        self.stage = match turns.pop_front() {
            Some(turn) => Stage::Talking { turn, sent: 0, acknowledge: false },
            None => Stage::Closing,
        };
        Ok(true)
    }
}

/// Sends a burst in any order; one segment in ten comes again, as it was or split in two. Then all is acknowledged.
fn send_disordered<W: Write>(
    burst: &[u8],
    from: &mut Host,
    to: &mut Host,
    wire: &mut Wire<W>,
    prng: &mut Prng,
) -> io::Result<()> {
    let mut segments: Vec<(usize, &[u8])> = Vec::new();
    for (number, segment) in burst.chunks(MSS).enumerate() {
        let at = number * MSS;
        segments.push((at, segment));
        if prng.one_in(10) {
            let (front, back) = segment.split_at(if prng.one_in(2) { segment.len() } else { segment.len() / 2 });
            segments.push((at, front));
            segments.push((at + front.len(), back));
        }
    }
    // Fisher and Yates.
    for last in (1..segments.len()).rev() {
        segments.swap(last, prng.size(0, last as u64));
    }
    for (at, segment) in segments.into_iter().filter(|(_, segment)| !segment.is_empty()) {
        send_at(at, segment, from, to, wire)?;
    }
    from.next = behind(from, burst.len());
    wire.send(to, from, Bits::ACK, &[])
}

/// Sends a window's worth of small segments, the last first. Then all is acknowledged.
fn send_reversed<W: Write>(window: &[u8], from: &mut Host, to: &mut Host, wire: &mut Wire<W>) -> io::Result<()> {
    for (number, segment) in window.chunks(SMALL_SEGMENT_OCTETS).enumerate().rev() {
        send_at(number * SMALL_SEGMENT_OCTETS, segment, from, to, wire)?;
    }
    from.next = behind(from, window.len());
    wire.send(to, from, Bits::ACK, &[])
}

/// Sends what stands `at` octets behind what is to be sent next.
fn send_at<W: Write>(at: usize, segment: &[u8], from: &Host, to: &Host, wire: &mut Wire<W>) -> io::Result<()> {
    wire.send(&mut Host { next: behind(from, at), ..*from }, to, Bits::ACK, segment)
}

fn behind(from: &Host, octets: usize) -> u32 {
    from.next.wrapping_add(u32::try_from(octets).unwrap_or(u32::MAX))
}

/// A sender's burst before another connection has its turn.
const BURST_SEGMENTS: u64 = 8;
const FIRST_PORT: u16 = 20_000;
const SERVERS: u8 = 32;
/// Eight octets each are within a window that is not scaled; with what waiting costs besides, they are 1 MiB.
const WINDOW_SEGMENTS: usize = 7_700;
const SMALL_SEGMENT_OCTETS: usize = 8;
