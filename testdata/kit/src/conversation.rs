//! One TCP connection as its packets.

use std::net::SocketAddr;

use crate::packet::{KitPacket, TcpPacket};

/// Builds the packets of one TCP connection, in order, with the sequence and acknowledgment numbers that both hosts
/// would have used. Every method sends, and returns the conversation for the next.
///
/// The clock stands at [`start`](Self::start) for the first packet and goes on by [`spacing`](Self::spacing) with each.
/// Every segment with data acknowledges all that the other side has sent.
#[derive(Debug, Clone)]
#[must_use]
pub struct Conversation {
    client: Host,
    server: Host,
    nanos: i64,
    spacing: i64,
    mss: usize,
    packets: Vec<KitPacket>,
}

impl Conversation {
    /// A connection between two addresses with ports, both IPv4 or both IPv6 (`[2001:db8::1]:25`). Nothing is sent yet.
    ///
    /// # Panics
    /// Where an address cannot be parsed.
    pub fn new(client: &str, server: &str) -> Self {
        let parse = |address: &str| address.parse().expect("an address with a port");
        Self {
            client: Host { address: parse(client), next: 1_000 },
            server: Host { address: parse(server), next: 500_000 },
            nanos: 0,
            spacing: 1_000_000,
            mss: 1_460,
            packets: Vec::new(),
        }
    }

    /// Sets the clock: nanoseconds since 1970.
    pub fn start(mut self, nanos: i64) -> Self {
        self.nanos = nanos;
        self
    }

    /// Sets the time between packets: a millisecond, unless set here.
    pub fn spacing(mut self, nanos: i64) -> Self {
        self.spacing = nanos;
        self
    }

    /// Lets time pass before the next packet.
    pub fn wait(mut self, nanos: i64) -> Self {
        self.nanos += nanos;
        self
    }

    /// Sets the most octets of payload a segment has: 1 460, unless set here.
    pub fn mss(mut self, octets: usize) -> Self {
        self.mss = octets.max(1);
        self
    }

    /// Sets the initial sequence numbers, before the handshake. Without a handshake the first octets of data have them.
    pub fn initial_sequence_numbers(mut self, client: u32, server: u32) -> Self {
        self.client.next = client;
        self.server.next = server;
        self
    }

    /// SYN, SYN/ACK, ACK.
    pub fn handshake(self) -> Self {
        self.syn_from_client().syn_from_server().ack_from_client()
    }

    /// The client's SYN, the only segment without an acknowledgment.
    pub fn syn_from_client(self) -> Self {
        self.send(Side::Client, |segment| (segment.syn, segment.ack) = (true, None))
    }

    /// The server's SYN/ACK.
    pub fn syn_from_server(self) -> Self {
        self.send(Side::Server, |segment| segment.syn = true)
    }

    /// The client sends `octets`, in as many segments as they take.
    pub fn client(self, octets: &[u8]) -> Self {
        self.data(Side::Client, octets)
    }

    /// The server sends `octets`, in as many segments as they take.
    pub fn server(self, octets: &[u8]) -> Self {
        self.data(Side::Server, octets)
    }

    /// The client sends `octets` that the capture does not hold: as [`client`](Self::client), without the packets.
    pub fn client_dropped(self, octets: &[u8]) -> Self {
        self.dropped(Side::Client, octets)
    }

    /// The server sends `octets` that the capture does not hold.
    pub fn server_dropped(self, octets: &[u8]) -> Self {
        self.dropped(Side::Server, octets)
    }

    /// The client acknowledges everything, with no data.
    pub fn ack_from_client(self) -> Self {
        self.send(Side::Client, |_| {})
    }

    /// The server acknowledges everything, with no data.
    pub fn ack_from_server(self) -> Self {
        self.send(Side::Server, |_| {})
    }

    /// The client closes: its FIN, the server's FIN, the client's last ACK.
    pub fn close(self) -> Self {
        self.fin_from_client().fin_from_server().ack_from_client()
    }

    /// The server closes: its FIN, the client's FIN, the server's last ACK.
    pub fn close_from_server(self) -> Self {
        self.fin_from_server().fin_from_client().ack_from_server()
    }

    /// The client has no more to send.
    pub fn fin_from_client(self) -> Self {
        self.send(Side::Client, |segment| segment.fin = true)
    }

    /// The server has no more to send.
    pub fn fin_from_server(self) -> Self {
        self.send(Side::Server, |segment| segment.fin = true)
    }

    /// The client gives the connection up.
    pub fn reset_from_client(self) -> Self {
        self.send(Side::Client, |segment| segment.rst = true)
    }

    /// The server gives the connection up.
    pub fn reset_from_server(self) -> Self {
        self.send(Side::Server, |segment| segment.rst = true)
    }

    /// Sends packet `index`, counted from 0, once more as it was.
    ///
    /// # Panics
    /// Where there is no such packet.
    pub fn resend(mut self, index: usize) -> Self {
        let data = self.packets.get(index).expect("a packet sent before").data.clone();
        self.push(data);
        self
    }

    /// Sends the last packet once more as it was.
    ///
    /// # Panics
    /// Where nothing was sent.
    pub fn resend_last(self) -> Self {
        let last = self.packets.len().checked_sub(1).expect("a packet sent before");
        self.resend(last)
    }

    /// How many packets there are: the index of the next one.
    pub fn packet_count(&self) -> usize {
        self.packets.len()
    }

    /// The packets since the last call, for a capture that is written in pieces. The next ones follow them; those that were
    /// taken cannot be sent again.
    pub fn take_packets(&mut self) -> Vec<KitPacket> {
        std::mem::take(&mut self.packets)
    }

    /// The packets, as Ethernet frames.
    pub fn packets(self) -> Vec<KitPacket> {
        self.packets
    }

    fn data(self, from: Side, octets: &[u8]) -> Self {
        let mss = self.mss;
        let last = octets.len().div_ceil(mss).saturating_sub(1);
        octets.chunks(mss).enumerate().fold(self, |conversation, (i, chunk)| {
            conversation.send(from, |segment| (segment.payload, segment.psh) = (chunk, i == last))
        })
    }

    fn dropped(self, from: Side, octets: &[u8]) -> Self {
        let kept = self.packets.len();
        let mut conversation = self.data(from, octets);
        conversation.packets.truncate(kept);
        conversation
    }

    fn send<'a>(mut self, from: Side, edit: impl FnOnce(&mut TcpPacket<'a>)) -> Self {
        let (sender, receiver) = match from {
            Side::Client => (&mut self.client, &self.server),
            Side::Server => (&mut self.server, &self.client),
        };
        let mut segment = TcpPacket::between(sender.address, receiver.address);
        segment.seq = sender.next;
        segment.ack = Some(receiver.next);
        edit(&mut segment);
        let octets = u32::try_from(segment.payload.len()).expect("a segment of less than 4 GiB");
        // SYN and FIN occupy one sequence number each (RFC 9293 §3.4).
        let sequence_space = octets.wrapping_add(u32::from(segment.syn)).wrapping_add(u32::from(segment.fin));
        sender.next = sender.next.wrapping_add(sequence_space);
        let data = segment.ethernet();
        self.push(data);
        self
    }

    fn push(&mut self, data: Vec<u8>) {
        self.packets.push(KitPacket::new(self.nanos, data));
        self.nanos += self.spacing;
    }
}

#[derive(Debug, Clone)]
struct Host {
    address: SocketAddr,
    /// The sequence number it will use next.
    next: u32,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Client,
    Server,
}

#[cfg(test)]
mod tests {
    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;

    /// Sequence and acknowledgment number, control bits, payload.
    fn seen(packets: &[KitPacket]) -> Vec<(u32, u32, String, Vec<u8>)> {
        packets
            .iter()
            .map(|packet| match SlicedPacket::from_ethernet(&packet.data).unwrap().transport {
                Some(TransportSlice::Tcp(tcp)) => {
                    let bits = [(tcp.syn(), 'S'), (tcp.fin(), 'F'), (tcp.rst(), 'R'), (tcp.ack(), 'A')];
                    let bits = bits.iter().filter(|bit| bit.0).map(|bit| bit.1).collect();
                    (tcp.sequence_number(), tcp.acknowledgment_number(), bits, tcp.payload().to_vec())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn numbers_go_on_as_two_hosts_would_count_them() {
        let conversation = Conversation::new("[2001:db8::1]:40000", "[2001:db8::2]:25")
            .initial_sequence_numbers(u32::MAX, 7)
            .mss(4)
            .start(5)
            .spacing(10)
            .handshake()
            .server_dropped(b"220 \r\n")
            .client(b"QUIT\r\n")
            .resend_last()
            .close();
        let packets = conversation.packets();
        let times: Vec<i64> = packets.iter().map(|packet| packet.nanos).collect();
        assert_eq!(times, [5, 15, 25, 55, 65, 75, 85, 95, 105], "two segments of the server are missing");
        let expected: [(u32, u32, &str, &[u8]); 9] = [
            (u32::MAX, 0, "S", b""),
            (7, 0, "SA", b""),
            (0, 8, "A", b""),
            (0, 14, "A", b"QUIT"),
            (4, 14, "A", b"\r\n"),
            (4, 14, "A", b"\r\n"),
            (6, 14, "FA", b""),
            (14, 7, "FA", b""),
            (7, 15, "A", b""),
        ];
        let expected = expected.map(|(seq, ack, bits, payload)| (seq, ack, bits.to_owned(), payload.to_vec()));
        assert_eq!(seen(&packets), expected);
    }
}
