//! Kinds of traffic.

use std::str::FromStr;

use super::connection::Delivery;
use super::flood::Flood;
use super::mail::{Habits, Security, Transfer};
use super::prng::Prng;

/// What the traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Mails of about 200 kB with a base64 attachment, one to three per connection.
    LargeMails,
    /// Mails of about 1,500 octets; every second connection has one, the others two to twelve.
    SmallMails,
    /// Mail is 5 % of the payload, the rest are HTTP connections.
    MailAmongWeb,
    /// One mail of a few hundred octets per connection, or none; some end in the middle of it.
    ShortConnections,
    /// Every client pipelines, and sends the next envelope right behind a message.
    Pipelined,
    /// Messages in one to five BDAT chunks, some of them refused.
    Bdat,
    /// STARTTLS and records of TLS behind it; one server in four refuses and has the mail in plain text.
    StartTls,
    /// TLS from the first octet, on port 465.
    ImplicitTls,
    /// Segments in any order within a burst, one in ten sent again, some of those split otherwise.
    Reordered,
    /// One connection with mails from 1 kB to 2 MB.
    Elephant,
    /// What is asked of a peer that wants a blank in front of a path, and one mail per connection.
    OneMailEach,
    /// Small mails in segments of one octet.
    OneOctetSegments,
    /// Segments of eight octets, those of a window's worth in reverse order: as many wait as the default limit allows.
    Reversed,
    /// Commands, replies, header fields and text of 70 kB to 1 MB without a line end.
    EndlessLines,
    /// Ten small mails in a flood of SYNs from different ports.
    SynFlood,
    /// Ten small mails among connections that have a SYN and a SYN/ACK and nothing behind them.
    HalfOpen,
    /// Ten small mails among segments of one octet behind holes that are never filled.
    OutOfOrder,
    /// Ten small mails among fragments of datagrams that never become whole.
    Fragments,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::LargeMails,
        Self::SmallMails,
        Self::MailAmongWeb,
        Self::ShortConnections,
        Self::Pipelined,
        Self::Bdat,
        Self::StartTls,
        Self::ImplicitTls,
        Self::Reordered,
        Self::Elephant,
        Self::OneMailEach,
        Self::OneOctetSegments,
        Self::Reversed,
        Self::EndlessLines,
        Self::SynFlood,
        Self::HalfOpen,
        Self::OutOfOrder,
        Self::Fragments,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LargeMails => "large-mails",
            Self::SmallMails => "small-mails",
            Self::MailAmongWeb => "mail-among-web",
            Self::ShortConnections => "short-connections",
            Self::Pipelined => "pipelined",
            Self::Bdat => "bdat",
            Self::StartTls => "starttls",
            Self::ImplicitTls => "implicit-tls",
            Self::Reordered => "reordered",
            Self::Elephant => "elephant",
            Self::OneMailEach => "one-mail-each",
            Self::OneOctetSegments => "one-octet-segments",
            Self::Reversed => "reversed",
            Self::EndlessLines => "endless-lines",
            Self::SynFlood => "syn-flood",
            Self::HalfOpen => "half-open",
            Self::OutOfOrder => "out-of-order",
            Self::Fragments => "fragments",
        }
    }

    /// Connections of a flood have no end of their own, and only some of its packets have payload.
    pub const fn is_flood(self) -> bool {
        self.flood().is_some()
    }

    pub(super) const fn flood(self) -> Option<Flood> {
        match self {
            Self::SynFlood => Some(Flood::Syn),
            Self::HalfOpen => Some(Flood::HalfOpen),
            Self::OutOfOrder => Some(Flood::OutOfOrder),
            Self::Fragments => Some(Flood::Fragments),
            _ => None,
        }
    }

    pub(super) const fn delivery(self) -> Delivery {
        match self {
            Self::Reordered => Delivery::Disordered,
            Self::OneOctetSegments => Delivery::OneOctet,
            Self::Reversed => Delivery::Reversed,
            _ => Delivery::InOrder,
        }
    }

    /// Its sessions go on as long as the capture.
    pub(super) const fn is_endless(self) -> bool {
        matches!(self, Self::Elephant)
    }

    /// Connections at a time.
    pub(super) const fn concurrent(self) -> usize {
        match self {
            Self::Elephant => 1,
            // Each is some hundred kilobytes, or megabytes, long, and is brought to its end.
            Self::OneOctetSegments | Self::Reversed | Self::EndlessLines => 4,
            _ => 16,
        }
    }

    pub(super) const fn port(self) -> u16 {
        if matches!(self, Self::ImplicitTls) { 465 } else { 25 }
    }

    /// Of the next connection.
    pub(super) fn habits(self, prng: &mut Prng) -> Habits {
        let small = Habits { octets: (1_000, 2_000), ..Habits::default() };
        let rough = Habits { is_rough: true, ..small };
        match self {
            Self::LargeMails => Habits { mails: (1, 3), octets: (150_000, 250_000), ..small },
            Self::SynFlood | Self::HalfOpen | Self::OutOfOrder | Self::Fragments => small,
            Self::SmallMails if prng.one_in(2) => Habits { mails: (2, 12), ..small },
            Self::SmallMails => small,
            Self::MailAmongWeb if prng.one_in(4) => Habits { octets: (15_000, 60_000), ..small },
            Self::MailAmongWeb => small,
            Self::ShortConnections => Habits { mails: (0, 1), octets: (400, 600), ..rough },
            Self::Pipelined => Habits { mails: (2, 20), transfer: Transfer::Ahead, ..small },
            Self::Bdat => Habits { mails: (1, 6), octets: (1_000, 40_000), transfer: Transfer::Bdat, ..small },
            Self::StartTls => Habits { mails: (1, 3), security: Security::StartTls, ..rough },
            Self::ImplicitTls => Habits { security: Security::Implicit, ..small },
            Self::Reordered => Habits { mails: (1, 5), octets: (1_000, 60_000), ..rough },
            Self::Elephant => Habits {
                mails: (1, 1),
                octets: if prng.one_in(8) { (1_000, 2_000_000) } else { (1_000, 20_000) },
                ..small
            },
            Self::OneMailEach => Habits { octets: (1_000, 200_000), is_blank_before_path: true, ..small },
            Self::OneOctetSegments => Habits { mails: (1, 3), ..rough },
            Self::Reversed => Habits { mails: (1, 3), octets: (10_000, 100_000), ..rough },
            Self::EndlessLines => Habits { mails: (1, 3), has_endless_lines: true, ..rough },
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
