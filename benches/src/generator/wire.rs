//! Packets into a pcap file: little-endian, microseconds, Ethernet, IPv4, TCP without options.

use std::io::{self, Write};

use super::prng::Prng;

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    pub(super) address: [u8; 4],
    pub(super) port: u16,
    /// The sequence number it will use next.
    pub(super) next: u32,
}

/// The control bits of a segment (RFC 9293 §3.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits(u8);

impl Bits {
    pub(super) const SYN: Self = Self(0x02);
    pub(super) const SYN_ACK: Self = Self(0x12);
    pub(super) const ACK: Self = Self(0x10);
    pub(super) const PSH_ACK: Self = Self(0x18);
    pub(super) const FIN_ACK: Self = Self(0x11);

    const fn has_ack(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// SYN and FIN occupy one sequence number each (RFC 9293 §3.4).
    const fn sequence_space(self) -> u32 {
        (self.0 & 0x01) as u32 + ((self.0 & 0x02) >> 1) as u32
    }
}

/// The most octets of payload a segment has: what fits into an Ethernet frame.
pub(super) const MSS: usize = 1_460;

/// Writes packets one after the other, time going on with each.
#[derive(Debug)]
pub(super) struct Wire<W> {
    out: W,
    pending: Vec<u8>,
    /// Nanoseconds since 1970.
    now: u64,
    clock: Prng,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) payload_octets: u64,
}

impl<W: Write> Wire<W> {
    /// Begins the file.
    pub(super) fn new(out: W, seed: u64) -> Self {
        let mut pending = Vec::with_capacity(PENDING_OCTETS + 2 * MSS);
        pending.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        pending.extend_from_slice(&2_u16.to_le_bytes());
        pending.extend_from_slice(&4_u16.to_le_bytes());
        for field in [0, 0, 262_144, LINK_TYPE_ETHERNET] {
            pending.extend_from_slice(&u32::to_le_bytes(field));
        }
        let octets = pending.len() as u64;
        let clock = Prng::new(seed);
        Self { out, pending, now: FIRST_NANOS, clock, packets: 0, octets, payload_octets: 0 }
    }

    /// Sends one segment, which acknowledges all that `to` has sent.
    pub(super) fn send(&mut self, from: &mut Host, to: &Host, bits: Bits, payload: &[u8]) -> io::Result<()> {
        // A segment is at most MSS octets long, a frame less than 2^16.
        let tcp_len = u16::try_from(TCP_HEADER_OCTETS + payload.len()).unwrap_or(u16::MAX);
        let ack = if bits.has_ack() { to.next } else { 0 };
        self.begin_frame(from.address, to.address, DO_NOT_FRAGMENT, tcp_len);

        let mut tcp = [0; TCP_HEADER_OCTETS];
        put(&mut tcp, 0, from.port.to_be_bytes());
        put(&mut tcp, 2, to.port.to_be_bytes());
        put(&mut tcp, 4, from.next.to_be_bytes());
        put(&mut tcp, 8, ack.to_be_bytes());
        put(&mut tcp, 12, [0x50, bits.0]);
        put(&mut tcp, 14, WINDOW.to_be_bytes());
        // > The checksum also covers a pseudo-header … the Source Address, the Destination Address, the Protocol, and
        // > TCP length (RFC 9293 §3.1).
        let pseudo = sum(&from.address) + sum(&to.address) + u64::from(PROTOCOL_TCP) + u64::from(tcp_len);
        let tcp_sum = checksum(pseudo + sum(&tcp) + sum(payload));
        put(&mut tcp, 16, tcp_sum);
        self.pending.extend_from_slice(&tcp);
        self.pending.extend_from_slice(payload);

        let payload_len = u32::from(tcp_len).saturating_sub(20);
        from.next = from.next.wrapping_add(payload_len).wrapping_add(bits.sequence_space());
        self.payload_octets += payload.len() as u64;
        self.end_frame(tcp_len)
    }

    /// Sends the first fragment of a datagram that has more; `payload` is a multiple of eight octets.
    pub(super) fn fragment(&mut self, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> io::Result<()> {
        let octets = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        self.begin_frame(from, to, MORE_FRAGMENTS, octets);
        self.pending.extend_from_slice(payload);
        self.end_frame(octets)
    }

    /// Everything in front of `octets` of an IP datagram.
    fn begin_frame(&mut self, from: [u8; 4], to: [u8; 4], fragment: u16, octets: u16) {
        let ip_len = octets.saturating_add(IP_HEADER_OCTETS);
        let frame_len = u32::from(ip_len) + ETHERNET_HEADER_OCTETS;
        let (seconds, nanos) = (self.now / 1_000_000_000, self.now % 1_000_000_000);
        let micros = u32::try_from(nanos / 1_000).unwrap_or(u32::MAX);
        let identification = u16::try_from(self.packets & 0xffff).unwrap_or(0);

        let record = &mut self.pending;
        for field in [u32::try_from(seconds).unwrap_or(u32::MAX), micros, frame_len, frame_len] {
            record.extend_from_slice(&field.to_le_bytes());
        }
        record.extend_from_slice(&ETHERNET_HEADER);

        let mut ip = IP_HEADER;
        put(&mut ip, 2, ip_len.to_be_bytes());
        put(&mut ip, 4, identification.to_be_bytes());
        put(&mut ip, 6, fragment.to_be_bytes());
        put(&mut ip, 12, from);
        put(&mut ip, 16, to);
        let ip_sum = checksum(sum(&ip));
        put(&mut ip, 10, ip_sum);
        record.extend_from_slice(&ip);
    }

    /// Counts the frame, lets time go on and writes what has piled up.
    fn end_frame(&mut self, octets: u16) -> io::Result<()> {
        let frame_len = u32::from(octets.saturating_add(IP_HEADER_OCTETS)) + ETHERNET_HEADER_OCTETS;
        self.packets += 1;
        self.octets += u64::from(frame_len) + RECORD_HEADER_OCTETS;
        // What the frame takes at a gigabit a second, and up to 20 microseconds of silence.
        self.now += u64::from(frame_len) * 8 + self.clock.below(20_000);
        if self.pending.len() >= PENDING_OCTETS { self.flush() } else { Ok(()) }
    }

    /// Writes what is still to be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

/// Puts `field` at octet `at` of a header that has room for it.
fn put<const N: usize>(header: &mut [u8], at: usize, field: [u8; N]) {
    if let Some(place) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = field;
    }
}

/// The sum of the 32-bit words, which is the sum of the 16-bit words once the carries are folded back (RFC 1071 §2).
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(place, &octet)| *place = octet);
    words.iter().map(|&word| u64::from(u32::from_be_bytes(word))).sum::<u64>() + u64::from(u32::from_be_bytes(last))
}

fn checksum(mut sum: u64) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap_or(0)).to_be_bytes()
}

/// How much is written at once.
const PENDING_OCTETS: usize = 1 << 20;
/// 2023-11-14T22:13:20Z.
const FIRST_NANOS: u64 = 1_700_000_000_000_000_000;
const LINK_TYPE_ETHERNET: u32 = 1;
const RECORD_HEADER_OCTETS: u64 = 16;
const ETHERNET_HEADER_OCTETS: u32 = 14;
const IP_HEADER_OCTETS: u16 = 20;
const TCP_HEADER_OCTETS: usize = 20;
const PROTOCOL_TCP: u8 = 6;
const WINDOW: u16 = 64_240;
/// Two locally administered addresses; IPv4 follows.
const ETHERNET_HEADER: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
const DO_NOT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
/// Version 4, five words, 64 hops, TCP; the rest is put in.
const IP_HEADER: [u8; 20] = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, PROTOCOL_TCP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
