//! A TCP connection on its way to becoming a mail session: the observer of the reassembled streams.

use std::num::NonZeroU64;

use reassembly::{Direction, Flow, FlowEnd, FlowInfo, FlowObserver, Interest, LateSegment, StreamEvent};

use crate::anomaly::Role;
use crate::model::{Late, Octets};
use crate::opening::Opening;
use crate::output::time::Time;
use crate::recognition::{Speaker, Verdict};
use crate::run::Collector;
use crate::session::{LimitsReached, Options, SessionLimit, Tracker};
use crate::turn::{Turn, role};

/// What is kept for a connection.
#[derive(Debug)]
pub(crate) enum Connection {
    /// Nobody has said enough yet.
    Undecided(Box<Opening>),
    /// Mail; the direction is the client's.
    Mail(Box<Tracker>, Direction),
    /// Something else.
    Other,
}

/// Follows connections and hands over the sessions among them as they end.
pub(crate) struct Observer<C> {
    options: Options,
    collector: C,
    /// See [`Collector::session`].
    moment: u64,
    /// The packet that is being looked at, counted from 1.
    packet: Option<NonZeroU64>,
    /// Sessions handed over.
    sessions: u64,
    limits: LimitsReached,
}

impl<C: Collector> Observer<C> {
    pub(crate) fn new(options: Options, collector: C) -> Self {
        Self {
            options,
            collector,
            moment: 0,
            packet: NonZeroU64::new(1),
            sessions: 0,
            limits: LimitsReached::default(),
        }
    }

    /// What ends from now on ends at this moment.
    pub(crate) fn at(&mut self, moment: u64) {
        self.moment = moment;
        // None behind the last packet.
        self.packet = NonZeroU64::new(moment.wrapping_add(1));
    }

    pub(crate) fn collector(&mut self) -> &mut C {
        &mut self.collector
    }

    pub(crate) fn into_collector(self) -> C {
        self.collector
    }

    /// How often each limit of a connection was reached, by the connections that have ended.
    pub(crate) fn limits_reached(&self) -> LimitsReached {
        self.limits
    }
}

impl<C: Collector> FlowObserver for Observer<C> {
    type State = Connection;

    fn open(&mut self, _: &FlowInfo) -> Connection {
        Connection::Undecided(Box::default())
    }

    fn event(&mut self, flow: &FlowInfo, state: &mut Connection, event: StreamEvent<'_>) -> Interest {
        match state {
            Connection::Mail(tracker, client) => {
                if let Some((turn, octets)) = Turn::of(event, self.packet) {
                    turn.tell(octets, tracker, *client);
                }
            }
            Connection::Undecided(opening) => {
                if opening.take(event, self.packet) {
                    let mut verdict = opening.judge(flow, false);
                    if verdict == Verdict::Undecided && opening.is_full() && !opening.slides(flow) {
                        self.limits.count(SessionLimit::Opening, 1);
                        verdict = opening.judge(flow, true);
                    }
                    self.decide(flow, state, verdict);
                }
            }
            Connection::Other => {}
        }
        // A session whose TLS handshake is known to its end is followed all the same. Nothing more of it is read, but what comes
        // after `Ignore` counts as discarded, and the report has what is missing, retransmitted and conflicting of every
        // session, and the anomaly of the last.
        if matches!(state, Connection::Other) { Interest::Ignore } else { Interest::Follow }
    }

    fn close(&mut self, mut flow: Flow<Connection>, end: FlowEnd) -> Option<u64> {
        let info = *flow.info();
        self.limits.count(SessionLimit::Idle, (end == FlowEnd::Idle).into());
        if let Connection::Undecided(opening) = flow.state_mut() {
            let verdict = opening.judge(&info, true);
            self.decide(&info, flow.state_mut(), verdict);
        }
        let state = std::mem::replace(flow.state_mut(), Connection::Other);
        let Connection::Mail(tracker, client) = state else { return None };
        let session = tracker.finish(&flow, client, end, &mut self.limits);
        self.collector.session(session, self.moment);
        self.sessions += 1;
        Some(number_of(self.sessions - 1, client))
    }

    fn late(&mut self, number: u64, segment: LateSegment) {
        let (session, client) = session_of(number);
        let mut octets = Octets::default();
        let figures = match role(segment.direction, client) {
            Role::Client => &mut octets.client,
            Role::Server => &mut octets.server,
        };
        *figures = segment.octets.into();
        self.collector.late(session, Late { last_seen: Time(segment.last_seen), octets });
    }
}

impl<C: Collector> Observer<C> {
    /// Turns an undecided connection into what the verdict says.
    fn decide(&self, flow: &FlowInfo, state: &mut Connection, verdict: Verdict) {
        let (mut tracker, speaker) = match verdict {
            Verdict::Undecided => return,
            Verdict::Other => return *state = Connection::Other,
            Verdict::Smtp(client) => {
                let is_from_start = matches!(state, Connection::Undecided(opening) if opening.is_from_start(flow));
                (Tracker::new(self.options, is_from_start), client)
            }
            Verdict::ImplicitTls(client) => (Tracker::implicit_tls(self.options), client),
        };
        let client = match speaker {
            Speaker::Originator => Direction::FromOriginator,
            Speaker::Responder => Direction::FromResponder,
        };
        if let Connection::Undecided(opening) = state {
            tracker.keep_messages(self.collector.spool());
            opening.replay(flow, &mut tracker, client);
        }
        *state = Connection::Mail(Box::new(tracker), client);
    }
}

/// The number that the table is told for a session: it also says who the client is.
fn number_of(session: u64, client: Direction) -> u64 {
    2 * session + u64::from(client == Direction::FromResponder)
}

fn session_of(number: u64) -> (u64, Direction) {
    (number / 2, if number.is_multiple_of(2) { Direction::FromOriginator } else { Direction::FromResponder })
}

#[cfg(test)]
mod tests {
    use reassembly::FlowStart;

    use super::*;
    use crate::samples::{deliver, opened, sessions_of, talk};

    /// Counts what the table still tells of a connection.
    struct Counting<O>(O, usize);

    impl<O: FlowObserver> FlowObserver for Counting<O> {
        type State = O::State;

        fn open(&mut self, flow: &FlowInfo) -> O::State {
            self.0.open(flow)
        }

        fn event(&mut self, flow: &FlowInfo, state: &mut O::State, event: StreamEvent<'_>) -> Interest {
            self.1 += 1;
            self.0.event(flow, state, event)
        }

        fn close(&mut self, flow: Flow<O::State>, end: FlowEnd) -> Option<u64> {
            self.0.close(flow, end)
        }
    }

    /// Behind the octets that show what it is, a connection that is no mail is told no more of.
    #[test]
    fn of_what_is_not_mail_nothing_more_is_told() {
        let octets = "x".repeat(1000);
        let events = |opening: &[(Role, &str)], start| {
            let mut sessions = Vec::new();
            let mut counting = Counting(Observer::new(Options::default(), &mut sessions), 0);
            let turns: Vec<_> = opening.iter().copied().chain([(Role::Server, octets.as_str()); 100]).collect();
            deliver(&mut counting, start, &turns);
            let events = counting.1;
            assert!(sessions.is_empty(), "no session");
            events
        };
        let (http, ftp) = ("GET / HTTP/1.1\r\n\r\n", "220 ready\r\n");
        let tunnel = [
            (Role::Client, "CONNECT www.example.net:443 HTTP/1.1\r\n\r\n"),
            (Role::Server, "HTTP/1.1 200 OK\r\n\r\n"),
            (Role::Client, "\u{16}\u{3}\u{1}\u{2}"),
        ];
        assert_eq!(events(&[(Role::Client, http), (Role::Server, "HTTP/1.1 200 OK\r\n\r\n")], FlowStart::Handshake), 2);
        assert_eq!(events(&[(Role::Client, "\u{1}\u{2}\u{0}\n")], FlowStart::Handshake), 1);
        assert_eq!(events(&[(Role::Server, ftp), (Role::Client, "USER a\r\n")], FlowStart::Handshake), 2);
        assert_eq!(events(&[(Role::Server, "* OK IMAP4rev1\r\n")], FlowStart::Handshake), 1);
        assert_eq!(events(&tunnel, FlowStart::Handshake), 3);
        assert_eq!(events(&[(Role::Client, "\u{17}\u{3}\u{3}\u{0}")], FlowStart::Midstream), 1);
    }

    #[test]
    fn what_is_not_mail_makes_no_session() {
        let turns = [(Role::Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (Role::Server, "HTTP/1.1 200 OK\r\n\r\n")];
        assert!(sessions_of(&turns).is_empty());
        assert!(sessions_of(&[]).is_empty());
    }

    /// What was said before the connection was recognised is in the record like the rest.
    #[test]
    fn nothing_of_the_opening_is_lost() {
        let session = talk(&opened(&[(Role::Client, "QUIT\r\n"), (Role::Server, "221 bye\r\n")]));
        let verbs: Vec<&str> = session.commands.iter().map(|command| &*command.command).collect();
        assert_eq!((verbs.as_slice(), session.responses.len()), (["EHLO", "QUIT"].as_slice(), 3));
        assert!(session.greeting.is_some_and(|greeting| greeting.code.is(220)));
    }

    /// RFC 9293 §3.7: how the octets are cut into segments says nothing, also where controls are among them.
    #[test]
    fn octet_by_octet_it_is_the_same_connection() {
        let turns = [
            (Role::Server, "220 mx.example.net\r\n"),
            (Role::Client, "EHLO a\u{1b}[2J\0b\r\n"),
            (Role::Server, "250 mx.example.net\r\n"),
        ];
        let single: Vec<(Role, &str)> = turns
            .iter()
            .flat_map(|&(role, text)| text.char_indices().map(move |(index, _)| (role, &text[index..=index])))
            .collect();
        let (whole, single) = (talk(&turns), talk(&single));
        assert_eq!((whole.helo, whole.responses.len()), (single.helo, single.responses.len()));
    }

    /// The contract: "The client is the side that speaks commands, however the capture begins."
    #[test]
    fn the_side_that_speaks_commands_is_the_client_whoever_called() {
        let called = [
            (Role::Client, "220 mx.example.net ESMTP\r\n"),
            (Role::Server, "EHLO client.example.org\r\n"),
            (Role::Client, "250 mx.example.net\r\n"),
            (Role::Server, "QUIT\r\n"),
            (Role::Client, "221 bye\r\n"),
        ];
        let session = talk(&called);
        assert_eq!((session.client_port, session.server_port), (25, 40_000));
    }

    /// Another version of octets that were read already: an injection, or an evasion. The detail has both lengths.
    #[test]
    fn another_version_of_a_command_is_an_anomaly() {
        let client = std::net::SocketAddr::from(([192, 0, 2, 1], 40_000));
        let segment = |seq, text: &'static [u8]| capture::Segment {
            source: client,
            destination: std::net::SocketAddr::from(([198, 51, 100, 2], 25)),
            seq: capture::SeqNumber::new(seq),
            ack: None,
            flags: capture::Flags::default(),
            window: 65_535,
            window_scale: None,
            payload: text,
            payload_at: None,
            missing: 0,
            timestamp: capture::Timestamp::default(),
            encapsulation: capture::Encapsulation::default(),
        };
        let mut sessions = Vec::new();
        let mut observer = Observer::new(Options::default(), &mut sessions);
        let mut table = reassembly::FlowTable::new(reassembly::FlowLimits::default());
        table.push(&segment(0, b"EHLO a.example.org\r\n"), &mut observer);
        table.push(&segment(20, b"MAIL FROM:<a@example.org>\r\n"), &mut observer);
        table.push(&segment(31, b"b@example.org>\r\n"), &mut observer);
        table.finish(&mut observer);
        let [session] = sessions.try_into().expect("one session");
        let [anomaly] = session.anomalies.try_into().expect("one anomaly");
        assert_eq!((anomaly.kind, anomaly.offset), (crate::anomaly::AnomalyKind::ConflictingOverlap, 31));
        assert_eq!(anomaly.detail, "16 octets, first in a segment of 27, later in another version of 16");
        let octets = session.octets.client;
        assert_eq!((octets.payload, octets.delivered, octets.conflicting), (63, 47, 16));
    }
}
