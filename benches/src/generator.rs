//! Captures of mail, made to order: the same octets for the same order, and the truth about them.
//!
//! A capture has real handshakes, sequence numbers, acknowledgments of every second segment, closes from the server,
//! right lengths and checksums. Sixteen connections at a time are interleaved on a line of a gigabit a second. Nothing
//! is lost or out of order.

mod connection;
mod flood;
mod mail;
mod prng;
mod text;
mod web;
mod wire;

use std::io::{self, Write};
use std::str::FromStr;

use connection::{Connection, Side, Turn};
use flood::Flood;
use mail::{Habits, Mailer};
use prng::Prng;
use web::Web;
use wire::Wire;

/// What the traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Mails of about 200 kB with a base64 attachment, one to three per connection.
    LargeMails,
    /// Mails of about 1,500 octets; every second connection has one, the others two to twelve.
    SmallMails,
    /// Mail is 5 % of the payload, the rest are HTTP connections.
    MailAmongWeb,
    /// Ten small mails in a flood of SYNs from different ports.
    SynFlood,
    /// Ten small mails among segments of one octet behind holes that are never filled.
    OutOfOrder,
    /// Ten small mails among fragments of datagrams that never become whole.
    Fragments,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::LargeMails, Self::SmallMails, Self::MailAmongWeb, Self::SynFlood, Self::OutOfOrder, Self::Fragments];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LargeMails => "large-mails",
            Self::SmallMails => "small-mails",
            Self::MailAmongWeb => "mail-among-web",
            Self::SynFlood => "syn-flood",
            Self::OutOfOrder => "out-of-order",
            Self::Fragments => "fragments",
        }
    }

    const fn flood(self) -> Option<Flood> {
        match self {
            Self::LargeMails | Self::SmallMails | Self::MailAmongWeb => None,
            Self::SynFlood => Some(Flood::Syn),
            Self::OutOfOrder => Some(Flood::OutOfOrder),
            Self::Fragments => Some(Flood::Fragments),
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        let wanted = Self::ALL.into_iter().find(|profile| profile.name() == name);
        wanted.ok_or_else(|| format!("{name}: is no profile; there are {names}"))
    }
}

/// What is in a capture.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Truth {
    /// TCP connections.
    pub connections: u64,
    /// Connections that are mail, those of a flood not counted that only began like it.
    pub sessions: u64,
    /// Transactions whose message was accepted with 250.
    pub accepted_transactions: u64,
    /// Transactions refused at every RCPT or at the end of the message.
    pub rejected_transactions: u64,
    /// Transactions given up with RSET before DATA.
    pub aborted_transactions: u64,
    /// RCPT commands.
    pub recipients: u64,
    /// RCPT commands answered with 250.
    pub accepted_recipients: u64,
    /// Commands.
    pub commands: u64,
    /// Replies, one of several lines counted once, the greeting counted too.
    pub replies: u64,
    /// Octets of all messages behind DATA, dots unstuffed, dot lines not counted.
    pub message_octets: u64,
    /// Octets of TCP payload.
    pub payload_octets: u64,
    /// Packets.
    pub packets: u64,
    /// Octets of the file.
    pub octets: u64,
    /// For every DATA command, in the order of [`streams`]: whether it was answered with 354.
    #[serde(skip)]
    pub contents_begun: Vec<bool>,
}

impl Truth {
    /// Transactions, whatever became of them.
    pub const fn transactions(&self) -> u64 {
        self.accepted_transactions + self.rejected_transactions + self.aborted_transactions
    }
}

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
            running.push(Connection::new(traffic.truth.connections, port, turns, &mut order));
        }
        traffic.truth.connections += flood.write(octets, std::mem::take(&mut running), &mut wire, &mut order)?;
    }
    while profile.flood().is_none() {
        while running.len() < CONCURRENT && wire.octets.max(traffic.payload) < octets {
            let (port, turns) = traffic.next_session();
            running.push(Connection::new(traffic.truth.connections, port, turns, &mut order));
        }
        let Some(last) = running.len().checked_sub(1) else { break };
        let chosen = order.size(0, last as u64);
        if let Some(connection) = running.get_mut(chosen)
            && !connection.advance(&mut wire, &mut order)?
        {
            running.swap_remove(chosen);
        }
    }
    wire.flush()?;
    let (packets, payload_octets, octets) = (wire.packets, wire.payload_octets, wire.octets);
    Ok(Truth { packets, payload_octets, octets, ..traffic.truth })
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
        for turn in turns.into_iter().filter(|_| port == SMTP_PORT) {
            match turn.from {
                Side::Client => client.extend_from_slice(&turn.octets),
                Side::Server => server.extend_from_slice(&turn.octets),
            }
        }
    }
    let payload_octets = (client.len() + server.len()) as u64;
    Streams { client, server, truth: Truth { payload_octets, ..traffic.truth } }
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
}

impl Traffic {
    fn new(profile: Profile) -> Self {
        let mut prng = Prng::new(SEED);
        let (mailer, web) = (Mailer::new(&mut prng), Web::new(&mut prng));
        Self { profile, prng, mailer, web, truth: Truth::default(), payload: 0, mail: 0 }
    }

    /// The server's port, and what is said.
    fn next_session(&mut self) -> (u16, Vec<Turn>) {
        let is_web = self.profile == Profile::MailAmongWeb && self.mail * MAIL_IS_ONE_OF > self.payload;
        let turns = if is_web {
            self.web.session(&mut self.prng)
        } else {
            let habits = self.habits();
            self.mailer.session(habits, &mut self.prng, &mut self.truth)
        };
        self.truth.connections += 1;
        let octets = turns.iter().map(|turn| turn.octets.len() as u64).sum::<u64>();
        self.payload += octets;
        self.mail += if is_web { 0 } else { octets };
        (if is_web { HTTP_PORT } else { SMTP_PORT }, turns)
    }

    fn habits(&mut self) -> Habits {
        let small = Habits { mails: (1, 1), octets: (1_000, 2_000) };
        match self.profile {
            Profile::LargeMails => Habits { mails: (1, 3), octets: (150_000, 250_000) },
            Profile::SynFlood | Profile::OutOfOrder | Profile::Fragments => small,
            Profile::SmallMails if self.prng.one_in(2) => Habits { mails: (2, 12), ..small },
            Profile::SmallMails => small,
            Profile::MailAmongWeb if self.prng.one_in(4) => Habits { octets: (15_000, 60_000), ..small },
            Profile::MailAmongWeb => small,
        }
    }
}

const SEED: u64 = 5_321;
const CONCURRENT: usize = 16;
const MAILS_IN_A_FLOOD: usize = 10;
const MAIL_IS_ONE_OF: u64 = 20;
const SMTP_PORT: u16 = 25;
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
            assert!((2_000_000..4_000_000).contains(&truth.octets), "{truth:?}");
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
