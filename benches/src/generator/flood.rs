//! What hostile or broken networks send, with ten mails in it that go on slowly all the while.

use std::io::{self, Write};

use super::connection::Connection;
use super::prng::Prng;
use super::wire::{Bits, Host, Wire};

/// What the flood is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flood {
    /// SYNs, each from another address or port, and nothing behind them.
    Syn,
    /// SYN and SYN/ACK, each pair from another address or port, and nothing behind them.
    HalfOpen,
    /// Segments of one octet behind holes that are never filled, on a hundred connections that began like mail.
    OutOfOrder,
    /// First fragments of datagrams whose other fragments never come.
    Fragments,
}

impl Flood {
    /// Writes a flood of about `octets`, and brings `mails` to their ends meanwhile; connections it opens itself.
    pub(super) fn write<W: Write>(
        self,
        octets: u64,
        mut mails: Vec<Connection>,
        wire: &mut Wire<W>,
        order: &mut Prng,
    ) -> io::Result<u64> {
        let mut hosts = Vec::new();
        if self == Self::OutOfOrder {
            for index in 0..CONNECTIONS {
                hosts.push(open_like_mail(index, wire)?);
            }
        }
        let steps = mails.iter().map(Connection::least_steps).sum::<u64>();
        let packet = match self {
            Self::Fragments => FRAGMENT_OCTETS,
            Self::HalfOpen => 2 * SEGMENT_OCTETS,
            Self::Syn | Self::OutOfOrder => SEGMENT_OCTETS,
        };
        let packets = octets / packet;
        // A mail's turn comes once in so many packets of the flood, so that they last about as long as it.
        let pause = (packets / (steps + 1)).max(1);
        for number in 0..packets {
            if number % pause == pause - 1 && !mails.is_empty() {
                go_on(&mut mails, wire, order)?;
            }
            self.packet(number, &mut hosts, wire)?;
        }
        while !mails.is_empty() {
            go_on(&mut mails, wire, order)?;
        }
        Ok(if matches!(self, Self::Syn | Self::HalfOpen) { packets } else { hosts.len() as u64 })
    }

    fn packet<W: Write>(self, number: u64, hosts: &mut [Host], wire: &mut Wire<W>) -> io::Result<()> {
        match self {
            Self::Syn => wire.send(&mut flooder(number), &VICTIM, Bits::SYN, &[]),
            Self::HalfOpen => {
                let (mut client, mut server) = (flooder(number), VICTIM);
                wire.send(&mut client, &server, Bits::SYN, &[])?;
                wire.send(&mut server, &client, Bits::SYN_ACK, &[])
            }
            Self::Fragments => wire.fragment(flooder(number).address, VICTIM.address, &[b'x'; 24]),
            Self::OutOfOrder => {
                let host = (number % CONNECTIONS).try_into().ok().and_then(|index: usize| hosts.get_mut(index));
                let Some(host) = host else { return Ok(()) };
                // Every second octet: none of them follows another.
                host.next = host.next.wrapping_add(1);
                wire.send(host, &VICTIM, Bits::ACK, b"x")
            }
        }
    }
}

/// One of the mails does its next step.
fn go_on<W: Write>(mails: &mut Vec<Connection>, wire: &mut Wire<W>, order: &mut Prng) -> io::Result<()> {
    let Some(last) = mails.len().checked_sub(1) else { return Ok(()) };
    let chosen = order.size(0, last as u64);
    if let Some(connection) = mails.get_mut(chosen)
        && !connection.advance(wire, order)?
    {
        mails.swap_remove(chosen);
    }
    Ok(())
}

/// Handshake, greeting and EHLO, and then a hole.
fn open_like_mail<W: Write>(index: u64, wire: &mut Wire<W>) -> io::Result<Host> {
    let (mut client, mut server) = (flooder(index), VICTIM);
    wire.send(&mut client, &server, Bits::SYN, &[])?;
    wire.send(&mut server, &client, Bits::SYN_ACK, &[])?;
    wire.send(&mut client, &server, Bits::ACK, &[])?;
    wire.send(&mut server, &client, Bits::PSH_ACK, GREETING)?;
    wire.send(&mut client, &server, Bits::PSH_ACK, b"EHLO client.example.org\r\n")?;
    wire.send(&mut server, &client, Bits::PSH_ACK, b"250 mx.example.net\r\n")?;
    client.next = client.next.wrapping_add(HOLE);
    Ok(client)
}

/// Another address or port for each of fifteen million numbers.
fn flooder(number: u64) -> Host {
    let [.., a] = (number / PORTS_PER_ADDRESS).to_be_bytes();
    let port = u16::try_from(number % PORTS_PER_ADDRESS).unwrap_or(0).saturating_add(FIRST_PORT);
    let [.., b, c, d, e] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
    Host { address: [203, 0, 113, a], port, next: u32::from_be_bytes([b, c, d, e]) }
}

const GREETING: &[u8] = b"220 mx.example.net ESMTP ready\r\n";
const VICTIM: Host = Host { address: [198, 19, 0, 200], port: 25, next: 1 };
const CONNECTIONS: u64 = 100;
const PORTS_PER_ADDRESS: u64 = 60_000;
const FIRST_PORT: u16 = 1_024;
/// Octets that are missing in front of what comes out of order.
const HOLE: u32 = 100;
/// Octets of the file for a segment of no octet or one.
const SEGMENT_OCTETS: u64 = 70;
/// The same for a fragment.
const FRAGMENT_OCTETS: u64 = 74;
