//! Small captures with all that can happen to connections, for tests that cut them into files.

use std::net::{Ipv4Addr, SocketAddr};

use kit::{Conversation, KitPacket, TcpPacket, link};

use super::connection::{Side, Turn};
use super::mail::{Habits, Mailer, Transfer};
use super::prng::Prng;
use super::truth::Truth;

/// Some hundred packets in the order of their times, the same for the same seed: connections of few 4-tuples, so that
/// these are used again, by then closed, reset, abandoned or still open; one to four mails each, sometimes none or web;
/// beginnings and ends that are missing; SYNs sent again and SYNs of nobody; packets that come late, twice or not at
/// all, or in fragments; connections that last as long as all others; and silence of more than ten minutes.
///
/// What a program makes of it has no truth to be held against, but must be the same however it is cut.
pub fn mixed(seed: u64) -> Vec<KitPacket> {
    let mut prng = Prng::new(seed);
    let mut mailer = Mailer::small(&mut prng);
    let mut packets = Vec::new();
    let mut ends = [FIRST_NANOS; CLIENTS];
    for number in 0..prng.between(6, 12) {
        let client = prng.size(0, CLIENTS as u64 - 1);
        let last_end = ends.get(client).copied().unwrap_or(FIRST_NANOS);
        // Behind the end of the connection before on the same 4-tuple, long behind it, or before it.
        let start = last_end
            + match prng.below(6) {
                0 => -nanos(&mut prng, 500),
                1 => nanos(&mut prng, 70_000),
                2 => nanos(&mut prng, 800_000),
                _ => nanos(&mut prng, 2_000),
            };
        let mut connection = connection(client, start, number, &mut mailer, &mut prng);
        if let (Some(end), Some(last)) = (ends.get_mut(client), connection.last()) {
            *end = last.nanos;
        }
        spoil(&mut connection, &mut prng);
        packets.append(&mut connection);
    }
    for _ in 0..prng.below(4) {
        let client = prng.size(0, CLIENTS as u64 - 1);
        let (from, to) = addresses(client);
        let seq = u32::try_from(prng.next() >> 32).unwrap_or(0);
        let syn = TcpPacket { syn: true, seq, ..TcpPacket::between(from, to) };
        let any = prng.size(0, packets.len().saturating_sub(1) as u64);
        let at = packets.get(any).map_or(FIRST_NANOS, |packet: &KitPacket| packet.nanos + 1);
        packets.push(KitPacket::new(at, syn.ethernet()));
    }
    packets.sort_by_key(|packet| packet.nanos);
    packets
}

/// The packets of one connection, all there and in order.
fn connection(client: usize, start: i64, number: u64, mailer: &mut Mailer, prng: &mut Prng) -> Vec<KitPacket> {
    let (from, to) = addresses(client);
    // Sequence numbers near their wrap now and then.
    let sequence = |prng: &mut Prng| match prng.below(4) {
        0 => u32::MAX - u32::try_from(prng.below(3_000)).unwrap_or(0),
        _ => u32::try_from(prng.next() >> 32).unwrap_or(0),
    };
    let mut conversation = Conversation::new(&from.to_string(), &to.to_string())
        .start(start)
        .spacing(1_000 + nanos(prng, 3))
        .mss(prng.size(150, 1_460))
        .initial_sequence_numbers(sequence(prng), sequence(prng));
    conversation = match prng.below(10) {
        // The capture began later.
        0 => {
            let mut begun = conversation.handshake();
            begun.take_packets();
            begun
        }
        1 => conversation.syn_from_client().wait(nanos(prng, 3_000)).syn_from_server().ack_from_client(),
        _ => conversation.handshake(),
    };
    // One in four is slow, and lasts while many others come and go.
    let pause = if prng.one_in(4) { 60_000 } else { 200 };
    for turn in turns(mailer, prng) {
        conversation = conversation.wait(match prng.below(40) {
            0 => 601_000 * MILLISECOND + nanos(prng, 100_000),
            1 => 590_000 * MILLISECOND,
            _ => nanos(prng, pause),
        });
        let is_lost = prng.one_in(40);
        conversation = match (turn.from, is_lost) {
            (Side::Client, false) => conversation.client(&turn.octets),
            (Side::Server, false) => conversation.server(&turn.octets),
            (Side::Client, true) => conversation.client_dropped(&turn.octets),
            (Side::Server, true) => conversation.server_dropped(&turn.octets),
        };
        if prng.one_in(3) {
            conversation =
                if turn.from == Side::Client { conversation.ack_from_server() } else { conversation.ack_from_client() };
        }
        if prng.one_in(80) {
            break;
        }
    }
    match (prng.below(8), number % 2) {
        (0, 0) => conversation.reset_from_client(),
        (0, _) => conversation.reset_from_server(),
        (1, _) => conversation,
        (2, _) => conversation.fin_from_client(),
        (_, 0) => conversation.close(),
        _ => conversation.close_from_server(),
    }
    .packets()
}

fn turns(mailer: &mut Mailer, prng: &mut Prng) -> Vec<Turn> {
    if prng.one_in(8) {
        let say = |from, text: &str| Turn { from, octets: text.as_bytes().to_vec() };
        return vec![
            say(Side::Client, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
            say(Side::Server, "HTTP/1.1 204 No Content\r\nServer: nginx\r\n\r\n"),
        ];
    }
    let transfer = match prng.below(3) {
        0 => Transfer::Either,
        1 => Transfer::Ahead,
        _ => Transfer::Bdat,
    };
    let habits = Habits { mails: (0, 4), octets: (450, 1_500), transfer, is_rough: true, ..Habits::default() };
    mailer.session(habits, prng, &mut Truth::default())
}

/// What a network and a capture do to packets: some are not there, come again, come later, or come in fragments. A SYN
/// may come again much later.
fn spoil(packets: &mut Vec<KitPacket>, prng: &mut Prng) {
    let mut spoilt: Vec<KitPacket> = Vec::with_capacity(packets.len() + 16);
    for (number, packet) in packets.drain(..).enumerate() {
        match prng.below(50) {
            0 => continue,
            1 => spoilt.push(KitPacket::new(packet.nanos + nanos(prng, 2_500), packet.data.clone())),
            2 if number == 0 => {
                spoilt.push(KitPacket::new(packet.nanos + nanos(prng, 300_000), packet.data.clone()));
            }
            3 => {
                spoilt.push(KitPacket { nanos: packet.nanos + nanos(prng, 30), ..packet });
                continue;
            }
            4 => {
                let identification = u16::try_from(prng.below(1 << 16)).unwrap_or(0);
                let pieces = link::fragments(&packet.data, 8 * prng.size(4, 60), identification);
                for (at, piece) in (0_i64..).zip(pieces) {
                    let late = if prng.one_in(4) { nanos(prng, 20) } else { at };
                    spoilt.push(KitPacket::new(packet.nanos + late, piece));
                }
                continue;
            }
            _ => {}
        }
        spoilt.push(packet);
    }
    *packets = spoilt;
}

fn addresses(client: usize) -> (SocketAddr, SocketAddr) {
    let port = FIRST_PORT.saturating_add(u16::try_from(client).unwrap_or(0));
    let last = if client.is_multiple_of(2) { 25 } else { 26 };
    (SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), port)), SocketAddr::from((Ipv4Addr::new(198, 51, 100, last), 25)))
}

/// Up to so many milliseconds, in nanoseconds.
fn nanos(prng: &mut Prng, milliseconds: u64) -> i64 {
    i64::try_from(prng.below(milliseconds * MILLISECOND.unsigned_abs())).unwrap_or(0)
}

const CLIENTS: usize = 4;
const FIRST_PORT: u16 = 40_000;
const MILLISECOND: i64 = 1_000_000;
/// 2023-11-14T22:13:20Z.
const FIRST_NANOS: i64 = 1_700_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;

    /// Source port and address octet of the server, control bits, sequence number, payload octets; without fragments.
    fn seen(packets: &[KitPacket]) -> Vec<((u16, u8), u8, u32, usize)> {
        packets
            .iter()
            .filter_map(|packet| {
                let sliced = SlicedPacket::from_ethernet(&packet.data).unwrap();
                let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
                let bits = tcp.slice()[13];
                let (from_server, net) = (tcp.source_port() == 25, &packet.data[26..34]);
                let server = if from_server { net[3] } else { net[7] };
                let client = if from_server { tcp.destination_port() } else { tcp.source_port() };
                Some(((client, server), bits, tcp.sequence_number(), tcp.payload().len()))
            })
            .collect()
    }

    #[test]
    fn the_same_seed_is_the_same_traffic() {
        assert_eq!(mixed(7), mixed(7));
        assert_ne!(mixed(7), mixed(8));
    }

    #[test]
    fn packets_are_some_hundred_and_in_order() {
        for seed in 0..100 {
            let packets = mixed(seed);
            assert!((50..2_000).contains(&packets.len()), "{seed}: {}", packets.len());
            assert!(packets.is_sorted_by_key(|packet| packet.nanos));
        }
    }

    #[test]
    fn everything_happens_within_a_hundred_seeds() {
        let (mut reused, mut syns_again, mut resets, mut again, mut fragments, mut idle, mut late) =
            (0, 0, 0, 0, 0, 0, 0);
        for seed in 0..100 {
            let packets = mixed(seed);
            fragments += packets.iter().filter(|packet| packet.data[20] & 0x20 != 0).count();
            let mut last = HashMap::new();
            let seen = seen(&packets);
            let (mut syns, mut all, mut highest) = (HashMap::<_, HashSet<u32>>::new(), HashSet::new(), HashMap::new());
            for &(tuple, bits, seq, octets) in &seen {
                resets += usize::from(bits & 4 != 0);
                if bits & 0x12 == 2 && !syns.entry(tuple).or_default().insert(seq) {
                    syns_again += 1;
                }
                if octets > 0 {
                    again += usize::from(!all.insert((tuple, seq, octets)));
                    let before = highest.insert((tuple, bits & 2), seq);
                    late +=
                        usize::from(before.is_some_and(|before: u32| (1..3_000).contains(&before.wrapping_sub(seq))));
                }
            }
            reused += syns.values().filter(|numbers| numbers.len() > 1).count();
            for packet in packets.iter().filter(|packet| packet.data.len() >= 38) {
                let pair = [&packet.data[26..30], &packet.data[34..38]].concat();
                let before = last.insert(pair, packet.nanos).unwrap_or(packet.nanos);
                idle += usize::from(packet.nanos - before > 600_000 * MILLISECOND);
            }
        }
        for (name, count) in [
            ("4-tuple used again", reused),
            ("SYN sent again", syns_again),
            ("reset", resets),
            ("segment sent again", again),
            ("fragment", fragments),
            ("silence of ten minutes", idle),
            ("segment late", late),
        ] {
            assert!(count > 10, "{name}: {count} times");
        }
    }
}
