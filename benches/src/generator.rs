//! Captures of mail, made to order: the same octets for the same order, and the truth about them.
//!
//! A capture has real handshakes, sequence numbers, acknowledgments of every second segment, closes from the server,
//! right lengths and checksums. Sixteen connections at a time are interleaved on a line of a gigabit a second. Nothing
//! is lost, and nothing out of order but where the profile says so.
//!
//! [`mixed`] is for tests: small, and with all that can happen to connections.

mod connection;
mod flood;
mod mail;
mod mixed;
mod prng;
mod profile;
mod text;
mod tls;
mod truth;
mod web;
mod wire;

use std::io::{self, Write};

use connection::{Connection, Side, Turn};
use mail::Mailer;
use prng::Prng;
use web::Web;
use wire::Wire;

pub use mixed::mixed;
pub use profile::Profile;
pub use truth::Truth;

/// Writes a capture of about `octets` (a little more: every connection is brought to its end), a megabyte at a time.
///
/// # Errors
/// Those of `out`.
pub fn generate(profile: Profile, octets: u64, out: impl Write) -> io::Result<Truth> {
    let mut traffic = Traffic::new(profile);
    let mut order = Prng::new(SEED);
    let mut wire = Wire::new(out, SEED);
    let mut running: Vec<Connection> = Vec::new();
    if let Some(flood) = profile.flood() {
        for _ in 0..MAILS_IN_A_FLOOD {
            let (port, turns) = traffic.next_session();
            running.push(Connection::new(traffic.truth.connections, port, turns, profile.delivery(), &mut order));
        }
        traffic.truth.connections += flood.write(octets, std::mem::take(&mut running), &mut wire, &mut order)?;
    }
    while profile.flood().is_none() {
        while running.len() < profile.concurrent() && wire.octets.max(traffic.payload) < octets {
            let (port, turns) = traffic.next_session();
            running.push(Connection::new(traffic.truth.connections, port, turns, profile.delivery(), &mut order));
        }
        let Some(last) = running.len().checked_sub(1) else { break };
        let chosen = order.size(0, last as u64);
        let Some(connection) = running.get_mut(chosen) else { break };
        if profile.is_endless() && connection.has_said_all() {
            connection.say(traffic.further_turns(wire.octets < octets));
        }
        if !connection.advance(&mut wire, &mut order)? {
            running.swap_remove(chosen);
        }
    }
    wire.flush()?;
    let (packets, payload_octets, octets) = (wire.packets, wire.payload_octets, wire.octets);
    Ok(Truth { packets, payload_octets, stream_octets: traffic.payload, octets, ..traffic.truth })
}

/// What all clients of a capture say and what all servers say, one connection after the other; no packets.
#[derive(Debug)]
pub struct Streams {
    /// Sent by clients.
    pub client: Vec<u8>,
    /// Sent by servers.
    pub server: Vec<u8>,
    /// What is in them.
    pub truth: Truth,
}

/// The mail of about `octets` of payload without TCP around it.
pub fn streams(profile: Profile, octets: u64) -> Streams {
    let mut traffic = Traffic::new(profile);
    let (mut client, mut server) = (Vec::new(), Vec::new());
    while traffic.payload < octets {
        let (port, turns) = traffic.next_session();
        for turn in turns.into_iter().filter(|_| port != HTTP_PORT) {
            match turn.from {
                Side::Client => client.extend_from_slice(&turn.octets),
                Side::Server => server.extend_from_slice(&turn.octets),
            }
        }
    }
    let payload_octets = (client.len() + server.len()) as u64;
    Streams { client, server, truth: Truth { payload_octets, stream_octets: payload_octets, ..traffic.truth } }
}

/// One connection's turns after the other.
struct Traffic {
    profile: Profile,
    prng: Prng,
    mailer: Mailer,
    web: Web,
    truth: Truth,
    /// Octets of payload so far, and those of them that are mail.
    payload: u64,
    mail: u64,
    /// The endless session has said QUIT.
    is_ended: bool,
}

impl Traffic {
    fn new(profile: Profile) -> Self {
        let mut prng = Prng::new(SEED);
        let (mailer, web) = (Mailer::new(&mut prng), Web::new(&mut prng));
        Self { profile, prng, mailer, web, truth: Truth::default(), payload: 0, mail: 0, is_ended: false }
    }

    /// The server's port, and what is said.
    fn next_session(&mut self) -> (u16, Vec<Turn>) {
        let is_web = self.profile == Profile::MailAmongWeb && self.mail * MAIL_IS_ONE_OF > self.payload;
        let turns = if is_web {
            self.web.session(&mut self.prng)
        } else {
            let habits = self.profile.habits(&mut self.prng);
            self.mailer.session(habits, &mut self.prng, &mut self.truth)
        };
        self.truth.connections += 1;
        let octets = self.count(&turns);
        self.mail += if is_web { 0 } else { octets };
        (if is_web { HTTP_PORT } else { self.profile.port() }, turns)
    }

    /// What an endless session goes on with; without `more`, its end.
    fn further_turns(&mut self, more: bool) -> Vec<Turn> {
        if self.truth.sessions == 0 || self.is_ended {
            return Vec::new();
        }
        self.is_ended = !more;
        let habits = self.profile.habits(&mut self.prng);
        let turns = self.mailer.further(habits, more, &mut self.prng, &mut self.truth);
        self.count(&turns);
        turns
    }

    fn count(&mut self, turns: &[Turn]) -> u64 {
        let octets = turns.iter().map(|turn| turn.octets.len() as u64).sum::<u64>();
        self.payload += octets;
        octets
    }
}

const SEED: u64 = 5_321;
const MAILS_IN_A_FLOOD: usize = 10;
const MAIL_IS_ONE_OF: u64 = 20;
const HTTP_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;
    use crate::floor::{Slicing, floor};

    #[test]
    fn a_capture_is_what_its_truth_says() {
        for profile in Profile::ALL {
            let mut file = Vec::new();
            let truth = generate(profile, 2_000_000, &mut file).unwrap();
            assert_eq!(truth.octets, file.len() as u64);
            // How far the last connections go beyond what was asked for.
            let beyond = match profile {
                Profile::EndlessLines => 30_000_000,
                Profile::Reversed => 8_000_000,
                _ => 2_000_000,
            };
            assert!((2_000_000..2_000_000 + beyond).contains(&truth.octets), "{}: {truth:?}", profile.name());
            for slicing in [Slicing::Strict, Slicing::Lax] {
                let counts = floor(file.as_slice(), slicing).unwrap();
                assert_eq!((counts.octets, counts.packets), (truth.octets, truth.packets));
                // A fragment has no TCP header to slice.
                if profile != Profile::Fragments {
                    assert_eq!((counts.payload_octets, counts.not_sliced), (truth.payload_octets, 0));
                }
            }
            let mut again = Vec::new();
            assert_eq!(generate(profile, 2_000_000, &mut again).unwrap(), truth);
            assert!(file == again, "not the same octets");
        }
    }

    #[test]
    fn checksums_are_right() {
        let mut file = Vec::new();
        let truth = generate(Profile::SmallMails, 200_000, &mut file).unwrap();
        let (mut rest, mut packets) = (&file[24..], 0);
        while let Some((header, behind)) = rest.split_at_checked(16) {
            let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let packet = SlicedPacket::from_ethernet(&behind[..len]).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP") };
            let Some(etherparse::NetSlice::Ipv4(ip)) = packet.net else { panic!("no IPv4") };
            assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
            assert_eq!(tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination()), Ok(tcp.checksum()));
            rest = &behind[len..];
            packets += 1;
        }
        assert_eq!(packets, truth.packets);
    }

    #[test]
    fn the_profiles_are_as_described() {
        let large = streams(Profile::LargeMails, 20_000_000).truth;
        let mean = large.message_octets / (large.accepted_transactions + large.rejected_transactions);
        assert!((150_000..250_000).contains(&mean), "{mean}");
        let small = streams(Profile::SmallMails, 2_000_000).truth;
        let mean = small.message_octets / (small.accepted_transactions + small.rejected_transactions);
        assert!((1_200..1_800).contains(&mean), "{mean}");
        assert!(small.rejected_transactions > 0 && small.aborted_transactions > 0);
        let among_web = streams(Profile::MailAmongWeb, 50_000_000).truth;
        assert!((2_300_000..2_700_000).contains(&among_web.payload_octets), "{}", among_web.payload_octets);
    }
}
