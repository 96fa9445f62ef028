//! The first octets of a connection, kept until it is known whether they are mail, and then read again.
//!
//! What stands before the mail (see [`crate::preface`]) is taken off as soon as it is whole: the limit is for what comes
//! behind it.

use std::num::NonZeroU64;

use reassembly::{Direction, FlowInfo, FlowStart, StreamEvent};

use crate::model::{ClaimedClient, Proxied};
use crate::pickup::{self, PickUp, Said};
use crate::preface::{Preface, Shown};
use crate::recognition::{Evidence, Heard, Verdict, first_reply, is_mail_port};
use crate::session::Tracker;
use crate::turn::Turn;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    from_originator: Side,
    from_responder: Side,
    turns: Vec<Turn>,
    /// What stood before; boxed, because most connections have nothing there.
    before: Option<Box<Before>>,
}

/// The octets of a direction.
#[derive(Debug, Default)]
struct Side {
    octets: Vec<u8>,
    /// Where octets are missing in between.
    breaks: Vec<usize>,
    /// Octets before them that are no longer kept.
    passed_over: u64,
}

/// What the prefaces of a connection showed.
#[derive(Debug)]
struct Before {
    client: Direction,
    claim: Option<Box<ClaimedClient>>,
    proxied: Vec<Proxied>,
}

/// Octets of one direction that are kept while a connection is undecided. The header of the PROXY protocol counts until it
/// is whole: one that is longer (version 2 allows 64 KiB) is not waited for. Its authors' limit is lower, §2: "Both
/// formats are designed to fit in the smallest TCP segment that any TCP/IP host is required to support (576 - 40 = 536
/// bytes)."
const OPENING_OCTETS: usize = 8192;

/// Events that are kept meanwhile.
const OPENING_TURNS: usize = 1024;

/// Octets that may be those of a message and are passed over on other ports than those of mail, where any text may be on its
/// way. Servers of mail take 10 to 50 MiB as they are configured when installed, or by large providers.
const LONGEST_MESSAGE: u64 = 64 << 20;

/// Proxies of a connection, each behind the other. Whoever goes through more is not followed.
const PROXIES: usize = 8;

impl Opening {
    /// Keeps an event that this packet has brought; whether there is something new to judge.
    pub(crate) fn take(&mut self, event: StreamEvent<'_>, packet: Option<NonZeroU64>) -> bool {
        let Some((turn, octets)) = Turn::of(event, packet) else { return false };
        match turn {
            Turn::Octets { direction, .. } => {
                // Copied: whether these octets are mail is not known yet.
                self.side_mut(direction).octets.extend_from_slice(octets);
                self.turns.push(turn);
                true
            }
            Turn::Gap { direction, octets: more, .. } => {
                let side = self.side_mut(direction);
                if side.breaks.last() != Some(&side.octets.len()) {
                    side.breaks.push(side.octets.len());
                }
                match self.turns.last_mut() {
                    Some(Turn::Gap { direction: before, octets, .. }) if *before == direction => *octets += more,
                    _ => self.turns.push(turn),
                }
                self.turns.len() > OPENING_TURNS
            }
            Turn::Conflict { .. } => {
                self.turns.push(turn);
                self.turns.len() > OPENING_TURNS
            }
        }
    }

    /// Whether it is judged as it is, because no more of it is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.from_originator.octets.len() > OPENING_OCTETS
            || self.from_responder.octets.len() > OPENING_OCTETS
            || self.turns.len() > OPENING_TURNS
    }

    /// Drops what is not needed to find the end of a message, where it is worthwhile to go on: a connection that was going on
    /// when the capture began may be in the middle of one. On a port of mail it may be, whatever it looks like.
    pub(crate) fn slides(&mut self, flow: &FlowInfo) -> bool {
        let is_told = |client| self.pick_up(client, true) != PickUp::Unknown;
        if self.is_from_start(flow) {
            return false;
        }
        if !self.is_on_mail_port(flow) {
            let client = Direction::BOTH.into_iter().find(|&client| self.may_be_amid_message(client));
            client.into_iter().for_each(|client| self.pass_over(client));
            return client.is_some() && !self.is_full();
        }
        if Direction::BOTH.into_iter().any(is_told) {
            return false;
        }
        Direction::BOTH.into_iter().for_each(|direction| self.pass_over(direction));
        !self.is_full()
    }

    /// Whether a side sends what reads like a message, and the other one has been silent since.
    fn may_be_amid_message(&self, client: Direction) -> bool {
        let speaks = |who| move |turn: &Turn| matches!(turn, Turn::Octets { direction, .. } if *direction == who);
        let is_silent = self.turns.iter().rposition(speaks(!client)) < self.turns.iter().position(speaks(client));
        let side = self.side(client);
        is_silent
            && side.passed_over <= LONGEST_MESSAGE
            && pickup::reads_like_message(&side.octets)
            && matches!(self.pick_up(client, true), PickUp::Unknown | PickUp::Message { .. })
    }

    fn pass_over(&mut self, direction: Direction) {
        let needed_from = pickup::needed_from(&self.side(direction).octets);
        self.strip(direction, needed_from);
        self.side_mut(direction).passed_over += needed_from as u64;
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
        let from_start = self.is_from_start(flow);
        let heard = |client: Direction| Heard {
            octets: &self.side(client).octets,
            breaks: &self.side(client).breaks,
            is_amid_text: self.side(client).passed_over > 0,
            pick_up: if from_start { PickUp::Unknown } else { self.pick_up(client, is_final) },
        };
        Evidence {
            from_originator: heard(Direction::FromOriginator),
            from_responder: heard(Direction::FromResponder),
            originator_port,
            responder_port,
            from_start,
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
            self.begin_in_the_middle(tracker, client);
        }
        // First, so that what the dialogue claims later counts.
        if let Some(before) = self.before.take() {
            tracker.stands_behind(before.claim, before.proxied);
        }
        self.turns().for_each(|(turn, octets)| turn.tell(octets, tracker, client));
    }

    /// What is kept, each turn with its octets, which lie in the vector of their direction.
    fn turns(&self) -> impl Iterator<Item = (Turn, &[u8])> {
        let (mut from_originator, mut from_responder) =
            (self.from_originator.octets.as_slice(), self.from_responder.octets.as_slice());
        self.turns.iter().map(move |&turn| {
            let Turn::Octets { direction, len, .. } = turn else { return (turn, [].as_slice()) };
            let side = match direction {
                Direction::FromOriginator => &mut from_originator,
                Direction::FromResponder => &mut from_responder,
            };
            let (octets, rest) = side.split_at_checked(len).unwrap_or((side, &[]));
            *side = rest;
            (turn, octets)
        })
    }

    /// Takes off what cannot be read, and tells the tracker as what the rest is.
    fn begin_in_the_middle(&mut self, tracker: &mut Tracker, client: Direction) {
        let passed_over = self.side(client).passed_over;
        let from = match self.pick_up(client, true) {
            PickUp::Commands { from, lost } => {
                if lost {
                    tracker.begins_behind_a_command();
                }
                from
            }
            PickUp::Asked { from } => from,
            PickUp::Message { from } => {
                let first = self.turns.iter().find_map(|turn| match turn {
                    Turn::Octets { direction, at, .. } if *direction == client => Some(at.timestamp),
                    _ => None,
                });
                tracker.begins_in_a_message(if from == 0 { passed_over } else { 0 }, first.unwrap_or_default());
                from
            }
            PickUp::Unknown => self.side(client).octets.len(),
        };
        self.strip(client, from);
        self.strip(!client, first_reply(&self.side(!client).octets));
    }

    /// Where the dialogue can be read, of which this side is the client.
    fn pick_up(&self, client: Direction, is_final: bool) -> PickUp {
        let Side { octets, passed_over, .. } = self.side(client);
        let said = self.turns().filter_map(|(turn, octets)| match turn {
            Turn::Octets { direction, .. } if direction == client => Some(Said::Client(octets)),
            Turn::Octets { .. } => Some(Said::Server(octets)),
            Turn::Gap { direction, .. } => (direction == client).then_some(Said::Gap),
            Turn::Conflict { .. } => None,
        });
        PickUp::of(octets, said, *passed_over > 0, is_final)
    }

    /// The preface that stands now at the beginning, and the direction of its client: the one who called, unless the
    /// capture does not show who that was.
    fn preface(&self, flow: &FlowInfo, is_final: bool) -> (Direction, Preface) {
        let of =
            |client: Direction| (client, Preface::of(self.side(client).begin(), self.side(!client).begin(), is_final));
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
        let side = self.side_mut(direction);
        side.octets.drain(..octets.min(side.octets.len()));
        side.breaks.retain_mut(|at| {
            let is_kept = *at >= octets;
            *at = at.saturating_sub(octets);
            is_kept
        });
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
            Turn::Octets { .. } | Turn::Conflict { .. } => true,
        });
    }

    fn is_on_mail_port(&self, flow: &FlowInfo) -> bool {
        is_mail_port(flow.originator.port()) || is_mail_port(flow.responder.port())
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::FromOriginator => &self.from_originator,
            Direction::FromResponder => &self.from_responder,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::FromOriginator => &mut self.from_originator,
            Direction::FromResponder => &mut self.from_responder,
        }
    }
}

impl Side {
    /// Its octets up to the first that are missing.
    fn begin(&self) -> &[u8] {
        self.breaks.first().and_then(|&at| self.octets.get(..at)).unwrap_or(&self.octets)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::{AnomalyKind, Role};
    use crate::model::{ClaimSource, Outcome, ProxyProtocol, Session};
    use crate::samples::{OPENING, conversation, midstream, midstream_on, opened, sessions_of, talk};
    use crate::session::Options;

    fn verbs(session: &Session) -> Vec<&str> {
        session.commands.iter().map(|command| &*command.command).collect()
    }

    #[test]
    fn an_opening_without_end_is_judged_in_the_end() {
        let noise = "x".repeat(OPENING_OCTETS + 1);
        assert!(sessions_of(&[(Role::Client, &noise)]).is_empty());
    }

    /// PROXY protocol §2.1's example, before mail.
    #[test]
    fn behind_a_proxy_header_stands_a_session_from_its_start() {
        let header = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
        let turns =
            [&[(Role::Client, header)], &opened(&[(Role::Client, "QUIT\r\n"), (Role::Server, "221 bye\r\n")])[..]];
        let session = talk(&turns.concat());
        let claim = session.claimed_client.as_deref().expect("a claim");
        assert_eq!((claim.source, claim.port, claim.destination_port), (ClaimSource::Proxy, Some(56324), Some(443)));
        assert_eq!(claim.address, "192.168.0.1".parse().ok());
        assert_eq!((verbs(&session).as_slice(), session.anomalies.len()), (["EHLO", "QUIT"].as_slice(), 0));
        assert_eq!((session.client_port, session.server_port), (40_000, 25), "the 4-tuple is that of the wire");
        let commands = "EHLO client.example.org\r\nQUIT\r\n".len();
        assert_eq!(session.octets.client.payload, (header.len() + commands) as u64, "its octets count");
    }

    /// Offsets are those of the stream: an anomaly behind the header says where it stands in the connection.
    #[test]
    fn offsets_count_the_header() {
        let header = "PROXY UNKNOWN\r\n";
        let odd = "EHLO a\nXYZZY\r\n";
        let answers = (Role::Server, "220 mx.example.net ESMTP\r\n250 mx.example.net\r\n500 what\r\n");
        let plain = talk(&[(Role::Client, odd), answers]);
        let in_one_segment = format!("{header}{odd}");
        let behind = talk(&[(Role::Client, &in_one_segment), answers]);
        // That the client spoke early shows in the server's stream.
        let offsets = |session: &Session| {
            let of_lines = session.anomalies.iter().filter(|anomaly| anomaly.kind != AnomalyKind::EarlyTalker);
            of_lines.map(|anomaly| (anomaly.kind, anomaly.offset)).collect::<Vec<_>>()
        };
        assert_eq!(offsets(&plain).len(), 2);
        let moved: Vec<_> =
            offsets(&plain).into_iter().map(|(kind, offset)| (kind, offset + header.len() as u64)).collect();
        assert_eq!(offsets(&behind), moved);
        assert!(behind.claimed_client.is_some_and(|claim| claim.address.is_none()));
    }

    /// The header alone proves nothing: what follows is judged.
    #[test]
    fn other_protocols_behind_a_header_or_through_a_proxy_are_no_mail() {
        let header = (Role::Client, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
        let connect = (Role::Client, "CONNECT mx.example.net:25 HTTP/1.1\r\n\r\n");
        let connected = (Role::Server, "HTTP/1.1 200 OK\r\n\r\n");
        let http = [(Role::Client, "GET / HTTP/1.1\r\n\r\n"), (Role::Server, "HTTP/1.1 200 OK\r\n\r\n")];
        assert!(sessions_of(&[&[header], &http[..]].concat()).is_empty());
        assert!(sessions_of(&[&[connect, connected], &http[..]].concat()).is_empty());
        assert!(sessions_of(&[connect, connected]).is_empty());
        assert!(sessions_of(&[connect, (Role::Server, "HTTP/1.1 503 no\r\n\r\n")]).is_empty());
    }

    /// A refused attempt, then one through two proxies.
    #[test]
    fn proxies_behind_each_other_are_named_in_order() {
        let turns = [
            (Role::Client, "CONNECT proxy.example.net:1080 HTTP/1.1\r\n\r\n"),
            (Role::Server, "HTTP/1.1 407 who\r\nContent-Length: 2\r\n\r\nno"),
            (Role::Client, "CONNECT proxy.example.net:1080 HTTP/1.1\r\nProxy-Authorization: basic eDp5\r\n\r\n"),
            (Role::Server, "HTTP/1.1 200 OK\r\n\r\n"),
            (Role::Client, "\u{5}\u{1}\0"),
            (Role::Server, "\u{5}\0"),
            (Role::Client, "\u{5}\u{1}\0\u{3}\u{2}mx\0\u{19}"),
            (Role::Server, "\u{5}\0\0\u{1}\0\0\0\0\0\0"),
        ];
        let session = talk(&[&turns[..], &OPENING].concat());
        let proxies: Vec<_> = session.proxied.iter().map(|proxy| (proxy.protocol, proxy.target.as_deref())).collect();
        let wanted =
            [(ProxyProtocol::HttpConnect, Some("proxy.example.net:1080")), (ProxyProtocol::Socks5, Some("mx:25"))];
        assert_eq!(proxies, wanted);
        assert_eq!((verbs(&session).as_slice(), session.greeting.is_some()), (["EHLO"].as_slice(), true));
    }

    #[test]
    fn no_more_proxies_are_followed_than_the_limit() {
        let through = |proxies| {
            let connect = [
                (Role::Client, "CONNECT next.example.net:3128 HTTP/1.1\r\n\r\n"),
                (Role::Server, "HTTP/1.1 200 OK\r\n\r\n"),
            ];
            sessions_of(&[&connect.repeat(proxies)[..], &OPENING].concat()).len()
        };
        assert_eq!((through(PROXIES), through(PROXIES + 1)), (1, 0));
    }

    /// Version 2 of the PROXY protocol allows headers of 64 KiB; they are waited for up to the limit of an opening.
    #[test]
    fn a_header_longer_than_an_opening_is_not_waited_for() {
        let behind = |octets: usize| {
            let [high, low] = u16::try_from(octets - 16).expect("a length").to_be_bytes().map(char::from);
            let header = format!("\r\n\r\n\0\r\nQUIT\n\u{20}\0{high}{low}{}", "x".repeat(octets - 16));
            assert_eq!(header.len(), octets);
            let (first, second) = header.split_at(octets - 60);
            let header = [(Role::Client, first), (Role::Client, second)];
            let (sessions, reached) = conversation(Options::default(), &[&header, &OPENING[..]].concat());
            (sessions.len(), reached.by_name().find(|(_, count)| *count > 0))
        };
        assert_eq!(behind(16 + 0x1f00), (1, None));
        assert_eq!(behind(16 + 0x2100), (0, Some(("opening", 1))));
    }

    /// RFC 5321 §3.3: in the middle of a message nothing is a command before the end of data; the reply to it, and
    /// the next command, are unambiguous.
    #[test]
    fn picked_up_in_a_message_a_session_begins_with_the_next_command() {
        let text = "A line of a message.\r\nHELP me with DATA\r\n\u{1b}$B\u{1b}(B\r\n".repeat(1000);
        let turns = [
            (Role::Client, text.as_str()),
            (Role::Client, "* an item\r\nGET it\r\nthe end\r\n.\r\n"),
            (Role::Server, "250 2.0.0 Ok: queued as 1234\r\n"),
            (Role::Client, "MAIL FROM:<a@x>\r\n"),
            (Role::Server, "250 2.1.0 Ok\r\n"),
        ];
        let [session] = midstream(&turns).try_into().expect("one session");
        assert_eq!((verbs(&session).as_slice(), session.responses.len()), (["MAIL"].as_slice(), 2));
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(0));
        assert_eq!((session.client_port, session.server_port), (40_000, 25));
        let [rest, next] = session.transactions.try_into().expect("two transactions");
        assert_eq!((rest.mail_from, rest.recipients.len(), rest.outcome), (None, 0, Outcome::Accepted));
        assert_eq!((rest.queue_id.as_deref(), rest.has_data), (Some("1234"), true));
        let message = rest.message.expect("the rest of a message");
        let octets = text.len() + "* an item\r\nGET it\r\nthe end\r\n".len();
        assert_eq!((message.bytes, message.complete), (octets as u64, false));
        assert_eq!(next.mail_from.as_deref(), Some("a@x"));
    }

    /// The same on a port that says nothing, where 250 behind an end of data shows what it is; in one segment, and in many.
    #[test]
    fn picked_up_off_the_ports_of_mail_a_long_message_is_read_to_its_end() {
        let line = "A line of a message, too.\r\nGet another.\r\n220 mx ESMTP\r\n250 ok\r\nQUIT\r\n";
        let text = line.repeat(1000);
        let begin = [(Role::Server, "eued\r\n"), (Role::Client, "ext\r\n")];
        // What is kept begins at another line each time.
        let in_pieces: Vec<_> = text.split_inclusive('\n').map(|line| (Role::Client, line)).collect();
        let behind = [
            (Role::Client, "the end\r\n.\r\n"),
            (Role::Server, "250 ok queued\r\n"),
            (Role::Client, "MAIL FROM:<a@x>\r\n"),
            (Role::Server, "250 ok\r\n"),
        ];
        let at_once = [(Role::Client, text.as_str())];
        for (turns, begun) in [(&at_once[..], &begin[1..]), (&in_pieces, &begin[1..]), (&in_pieces, &begin)] {
            let (sessions, reached) = midstream_on(10_025, &[begun, turns, &behind].concat());
            assert_eq!(reached.by_name().find(|(_, count)| *count > 0), None);
            let [session] = sessions.try_into().expect("one session");
            assert_eq!((verbs(&session).as_slice(), session.server_port), (["MAIL"].as_slice(), 10_025));
            let [rest, next] = session.transactions.try_into().expect("two transactions");
            assert_eq!((rest.outcome, next.mail_from.as_deref()), (Outcome::Accepted, Some("a@x")));
            let message = rest.message.expect("the rest of a message");
            let octets = text.len() + "ext\r\nthe end\r\n".len();
            assert_eq!((message.bytes, message.complete), (octets as u64, false));
        }
    }

    /// What ends in the octets that fill the opening is waited for, too, in whatever segments it comes.
    #[test]
    fn picked_up_off_the_ports_of_mail_the_reply_is_waited_for() {
        for before in 8150..8250 {
            let text = format!("{}\r\n", "x".repeat(48)).repeat(200);
            let text = format!("{}\r\n.\r\n", &text[..before]);
            let turns = [(Role::Client, text.as_str()), (Role::Server, "250 ok\r\n"), (Role::Client, "QUIT\r\n")];
            assert_eq!(midstream_on(10_025, &turns).0.len(), 1, "{before}");
        }
    }

    /// What is no message, or answered as none is, costs nothing from the opening's limit on.
    #[test]
    fn other_texts_off_the_ports_of_mail_are_no_sessions() {
        let of = |line: &str, answer: &'static str| {
            let text = line.repeat(20_000 / line.len());
            let turns = [(Role::Client, text.as_str()), (Role::Client, "\r\n.\r\n"), (Role::Server, answer)];
            let (sessions, reached) = midstream_on(10_025, &turns);
            assert!(sessions.is_empty(), "{line}{answer}");
            reached.by_name().map(|(_, count)| count).sum::<u64>()
        };
        assert_eq!(of("an article\r\n", "240 posted\r\n"), 0, "RFC 3977 §6.3.1");
        assert_eq!(of("a mail\r\n", "RETR 2\r\n"), 0, "RFC 1939 §5, from the server");
        assert_eq!(of("a page\n", "250 ok\r\n"), 1);
        assert_eq!(of(&"x".repeat(1000), "250 ok\r\n"), 1);
        let talk: Vec<_> = [(Role::Client, "PRIVMSG a :b\r\n"), (Role::Server, ":c NOTICE d :e\r\n")].repeat(600);
        let (sessions, reached) = midstream_on(10_025, &talk);
        assert!(sessions.is_empty() && reached.by_name().any(|counted| counted == ("opening", 1)));
    }

    #[test]
    fn no_longer_text_is_passed_over_off_the_ports_of_mail_than_the_limit() {
        let text = format!("{}\r\n", "x".repeat(62)).repeat(1024);
        let behind = |segments| {
            let text = std::iter::repeat_n((Role::Client, text.as_str()), segments);
            let end = [(Role::Client, ".\r\n"), (Role::Server, "250 ok\r\n")];
            let (sessions, reached) = midstream_on(10_025, &text.chain(end).collect::<Vec<_>>());
            (sessions.len(), reached.by_name().find(|(_, count)| *count > 0))
        };
        let most = usize::try_from(LONGEST_MESSAGE).expect("a length") / text.len();
        assert_eq!((behind(most), behind(most + 2)), ((1, None), (0, Some(("opening", 1)))));
    }

    /// RFC 5321 §4.1.1.4: between the 354 and the end of data there are no commands, whatever a message quotes, in however
    /// many segments it comes.
    #[test]
    fn picked_up_in_a_message_what_it_quotes_is_no_command() {
        let quoted = ["so they say\r\n", "MAIL FROM:<x@y>\r\n", "RCPT TO:<z@y>\r\n", "DATA\r\n", "QUIT\r\n", "end\r\n"];
        let behind = [
            (Role::Client, ".\r\n"),
            (Role::Server, "554 5.7.1 no\r\n"),
            (Role::Client, "QUIT\r\n"),
            (Role::Server, "221 bye\r\n"),
        ];
        let in_lines: Vec<_> = quoted.iter().map(|line| (Role::Client, *line)).chain(behind).collect();
        let at_once = quoted.concat();
        let at_once: Vec<_> = [(Role::Client, at_once.as_str())].into_iter().chain(behind).collect();
        for turns in [in_lines, at_once] {
            let [session] = midstream(&turns).try_into().expect("one session");
            assert_eq!(verbs(&session), ["QUIT"]);
            assert_eq!(session.responses.iter().map(|reply| reply.command).collect::<Vec<_>>(), [None, Some(0)]);
            let [mail] = session.transactions.try_into().expect("one transaction");
            assert_eq!((mail.mail_from, mail.outcome), (None, Outcome::Rejected));
            assert!(session.anomalies.is_empty(), "{:?}", session.anomalies);
        }
    }

    /// The message behind a 354 is all there, though nothing else of its transaction is.
    #[test]
    fn picked_up_at_the_go_ahead_the_message_is_whole() {
        let turns = [
            (Role::Server, "354 go ahead\r\n"),
            (Role::Client, "Subject: s\r\n\r\nMAIL FROM:<x@y>\r\nQUIT\r\n.\r\n"),
            (Role::Server, "250 2.0.0 Ok: queued as 1234\r\n"),
            (Role::Client, "QUIT\r\n"),
            (Role::Server, "221 bye\r\n"),
        ];
        let [session] = midstream(&turns).try_into().expect("one session");
        assert_eq!(verbs(&session), ["QUIT"]);
        let [mail] = session.transactions.try_into().expect("one transaction");
        assert_eq!((mail.mail_from, mail.outcome, mail.queue_id.as_deref()), (None, Outcome::Accepted, Some("1234")));
        let message = mail.message.expect("a message");
        assert_eq!((message.fields().subject.as_deref(), message.complete), (Some("s"), true));
    }

    /// RFC 4954 §4: what answers a 334 is a response, and no command.
    #[test]
    fn picked_up_in_an_exchange_a_password_is_no_command() {
        let turns = [
            (Role::Client, "Ym9i\r\n"),
            (Role::Server, "334 UGFzc3dvcmQ6\r\n"),
            (Role::Client, "c2VjcmV0\r\n"),
            (Role::Server, "235 2.7.0 in\r\n"),
            (Role::Client, "MAIL FROM:<a@x>\r\n"),
            (Role::Server, "250 ok\r\n"),
        ];
        let [session] = midstream(&turns).try_into().expect("one session");
        assert_eq!(verbs(&session), ["MAIL"]);
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(0));
    }

    /// The reply to a command of which only the rest was captured is not that of the next one.
    #[test]
    fn picked_up_in_a_command_its_reply_is_nobodys() {
        let turns = [
            (Role::Client, "mple.org>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Role::Server, "250 ok\r\n550 no\r\n354 go\r\n"),
        ];
        let [session] = midstream(&turns).try_into().expect("one session");
        let paired: Vec<_> = session.responses.iter().map(|reply| reply.command).collect();
        assert_eq!((verbs(&session).as_slice(), paired), (["RCPT", "DATA"].as_slice(), vec![None, Some(0), Some(1)]));
    }

    /// Where the server is not in the capture the end of data shows, and what stands behind it.
    #[test]
    fn picked_up_in_a_message_of_which_only_the_client_is_there() {
        let turns = [
            (Role::Client, "of it\r\nsome text\r\nMAIL FROM:<x@y>\r\nQUIT\r\n"),
            (Role::Client, "more\r\n.\r\n"),
            (Role::Client, "MAIL FROM:<a@x>\r\n"),
            (Role::Client, "RCPT TO:<b@x>\r\n"),
        ];
        let [session] = midstream(&turns).try_into().expect("one session");
        assert_eq!(verbs(&session), ["MAIL", "RCPT"]);
        let senders: Vec<_> = session.transactions.iter().map(|mail| mail.mail_from.as_deref()).collect();
        assert_eq!(senders, [None, Some("a@x")]);
        assert!(midstream(&turns[..1]).is_empty(), "a text that may be anything");
    }

    /// The same where the connection is first seen from the server, in the middle of a line of its reply.
    #[test]
    fn picked_up_in_a_reply_the_roles_are_found() {
        let turns =
            [(Role::Server, "ueued as 1234\r\n"), (Role::Client, "QUIT\r\n"), (Role::Server, "221 2.0.0 Bye\r\n")];
        let [session] = midstream(&turns).try_into().expect("one session");
        assert_eq!((verbs(&session).as_slice(), session.client_port), (["QUIT"].as_slice(), 40_000));
        assert_eq!(session.responses.iter().map(|reply| reply.command).collect::<Vec<_>>(), [Some(0)]);
    }
}
