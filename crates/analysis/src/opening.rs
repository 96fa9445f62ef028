//! The first octets of a connection, kept until it is known whether they are mail, and then read again.
//!
//! What stands before the mail (see [`crate::preface`]) is taken off as soon as it is whole: the limit is for what comes
//! behind it.

use reassembly::{Direction, FlowInfo, FlowStart, StreamEvent};

use crate::connection::role;
use crate::model::{ClaimedClient, Proxied};
use crate::output::time::Time;
use crate::preface::{Preface, Shown};
use crate::recognition::{Evidence, Verdict, first_reply, first_verb, is_mail_port};
use crate::session::{Stamp, Tracker};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    from_originator: Vec<u8>,
    from_responder: Vec<u8>,
    turns: Vec<Turn>,
    /// What stood before; boxed, because most connections have nothing there.
    before: Option<Box<Before>>,
}

/// What the prefaces of a connection showed.
#[derive(Debug)]
struct Before {
    client: Direction,
    claim: Option<Box<ClaimedClient>>,
    proxied: Vec<Proxied>,
}

/// One event of an opening. The octets themselves lie in the vector of their direction.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Octets { direction: Direction, len: usize, at: Stamp },
    Gap { direction: Direction, octets: u64, at: Stamp },
}

/// Octets of one direction that are kept while a connection is undecided. The header of a proxy counts until it is
/// whole: one that is longer (version 2 allows 64 KiB) is not waited for. The addresses take 52 octets, and the protocol's
/// authors want it in one segment (§2: "is small enough to fit in a TCP segment").
const OPENING_OCTETS: usize = 8192;

/// Events that are kept meanwhile.
const OPENING_TURNS: usize = 1024;

/// Proxies of a connection, each behind the other. Whoever goes through more is not followed.
const PROXIES: usize = 8;

impl Opening {
    /// Keeps an event; whether there is something new to judge.
    pub(crate) fn take(&mut self, event: StreamEvent<'_>) -> bool {
        match event {
            StreamEvent::Data { direction, offset, bytes, acknowledged, timestamp } => {
                let at = Stamp { offset, timestamp: Time(timestamp), acknowledged };
                self.turns.push(Turn::Octets { direction, len: bytes.len(), at });
                // Copied: whether these octets are mail is not known yet.
                self.side_mut(direction).extend_from_slice(bytes);
                true
            }
            StreamEvent::Gap { direction, offset, len, timestamp, .. } => {
                let at = Stamp { offset, timestamp: Time(timestamp), acknowledged: None };
                match self.turns.last_mut() {
                    Some(Turn::Gap { direction: before, octets, .. }) if *before == direction => *octets += len,
                    _ => self.turns.push(Turn::Gap { direction, octets: len, at }),
                }
                self.turns.len() > OPENING_TURNS
            }
            _ => false,
        }
    }

    /// Whether it is judged as it is, because no more of it is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.from_originator.len() > OPENING_OCTETS
            || self.from_responder.len() > OPENING_OCTETS
            || self.turns.len() > OPENING_TURNS
    }

    /// Drops all but the last, unfinished lines, where it is worthwhile to go on: a connection to a port of mail that was
    /// going on when the capture began may be in the middle of a message.
    pub(crate) fn slides(&mut self, flow: &FlowInfo) -> bool {
        if self.is_from_start(flow) || !self.is_on_mail_port(flow) {
            return false;
        }
        for direction in Direction::BOTH {
            let side = self.side(direction);
            let whole_lines = memchr::memrchr(b'\n', side).map_or(side.len(), |at| at + 1);
            self.strip(direction, whole_lines);
        }
        !self.is_full()
    }

    /// `is_final` where no more will be kept.
    pub(crate) fn judge(&mut self, flow: &FlowInfo, is_final: bool) -> Verdict {
        loop {
            let (client, preface) = self.preface(flow, is_final);
            match preface {
                Preface::None => break,
                Preface::Incomplete if is_final => break,
                Preface::Incomplete => return Verdict::Undecided,
                Preface::Refused => return Verdict::Other,
                Preface::Ends { client: of_client, server, shows } => {
                    self.strip(client, of_client);
                    self.strip(!client, server);
                    if !self.note(client, shows) {
                        return Verdict::Other;
                    }
                }
            }
        }
        let (mut originator_port, mut responder_port) = (flow.originator.port(), flow.responder.port());
        if let Some(before) = &self.before
            && let Some(port) = before.port()
        {
            match before.client {
                Direction::FromOriginator => responder_port = port,
                Direction::FromResponder => originator_port = port,
            }
        }
        Evidence {
            from_originator: &self.from_originator,
            from_responder: &self.from_responder,
            originator_port,
            responder_port,
            from_start: self.is_from_start(flow),
            is_final,
        }
        .judge()
    }

    /// Whether the first octets are the first of the dialogue.
    pub(crate) fn is_from_start(&self, flow: &FlowInfo) -> bool {
        flow.start == FlowStart::Handshake || self.before.is_some()
    }

    /// Tells the tracker all of it; of a dialogue whose beginning was not captured, what begins with the first
    /// unambiguous line.
    pub(crate) fn replay(&mut self, flow: &FlowInfo, tracker: &mut Tracker, client: Direction) {
        if !self.is_from_start(flow) {
            self.strip(client, first_verb(self.side(client)));
            self.strip(!client, first_reply(self.side(!client)));
        }
        let (mut from_originator, mut from_responder) =
            (self.from_originator.as_slice(), self.from_responder.as_slice());
        for turn in &self.turns {
            match *turn {
                Turn::Octets { direction, len, at } => {
                    let source = match direction {
                        Direction::FromOriginator => &mut from_originator,
                        Direction::FromResponder => &mut from_responder,
                    };
                    let (bytes, rest) = source.split_at_checked(len).unwrap_or((source, &[]));
                    *source = rest;
                    tracker.octets(role(direction, client), bytes, at);
                }
                Turn::Gap { direction, octets, at } => tracker.gap(role(direction, client), octets, at),
            }
        }
        if let Some(before) = self.before.take() {
            tracker.stands_behind(before.claim, before.proxied);
        }
    }

    /// The preface that stands now at the beginning, and the direction of its client: the one who called, unless the
    /// capture does not show who that was.
    fn preface(&self, flow: &FlowInfo, is_final: bool) -> (Direction, Preface) {
        let of = |client: Direction| (client, Preface::of(self.side(client), self.side(!client), is_final));
        match &self.before {
            Some(before) => of(before.client),
            None if flow.start == FlowStart::Handshake => of(Direction::FromOriginator),
            None => match of(Direction::FromOriginator) {
                (_, Preface::None) => of(Direction::FromResponder),
                found => found,
            },
        }
    }

    /// Keeps what a preface showed; false where there were too many.
    fn note(&mut self, client: Direction, shows: Shown) -> bool {
        let before = self.before.get_or_insert_with(|| Box::new(Before { client, claim: None, proxied: Vec::new() }));
        match shows {
            Shown::Claim(claim) => before.claim = Some(claim),
            Shown::Proxied(proxied) => before.proxied.push(proxied),
            Shown::Attempt => {}
        }
        before.proxied.len() <= PROXIES
    }

    /// Takes octets off the beginning of a direction, and what is missing among them.
    fn strip(&mut self, direction: Direction, octets: usize) {
        self.side_mut(direction).drain(..octets);
        let mut left = octets;
        self.turns.retain_mut(|turn| match turn {
            Turn::Octets { direction: of, len, at } if *of == direction => {
                let used = left.min(*len);
                left -= used;
                *len -= used;
                at.offset += used as u64;
                *len > 0
            }
            Turn::Gap { direction: of, .. } => *of != direction || left == 0,
            Turn::Octets { .. } => true,
        });
    }

    fn is_on_mail_port(&self, flow: &FlowInfo) -> bool {
        is_mail_port(flow.originator.port()) || is_mail_port(flow.responder.port())
    }

    fn side(&self, direction: Direction) -> &[u8] {
        match direction {
            Direction::FromOriginator => &self.from_originator,
            Direction::FromResponder => &self.from_responder,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Vec<u8> {
        match direction {
            Direction::FromOriginator => &mut self.from_originator,
            Direction::FromResponder => &mut self.from_responder,
        }
    }
}

impl Before {
    /// The port that the client wanted, where it says so: it tells more of the protocol than the proxy's own.
    fn port(&self) -> Option<u16> {
        match self.proxied.last() {
            Some(proxied) => proxied.target.as_deref()?.rsplit_once(':')?.1.parse().ok(),
            None => self.claim.as_ref()?.destination_port.filter(|&port| is_mail_port(port)),
        }
    }
}
