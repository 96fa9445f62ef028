//! One connection: how it begins, which segments are its own, how it ends.
//!
//! ```text
//!            SYN, SYN/ACK            FIN of both sides, or RST
//!   (new) ───────────────▶ open ─────────────────────────────▶ lingering ──▶ closed, reset
//!     └─ any other segment ─┘ │ no packet for the idle time ─────────────────▶ idle
//!                             │ SYN and the SYN/ACK that acknowledges it ────▶ replaced
//! ```
//!
//! A SYN with another number on a connection that is open proves nothing: it may be a delayed duplicate of an older
//! connection, and hosts answer it with a challenge ACK (RFC 9293 §3.10.7.4). It is remembered, and only the SYN/ACK
//! that acknowledges it — or, where that side was not captured, the first octet behind it — makes a new connection.

mod claim;

use std::net::SocketAddr;
use std::time::Duration;

use capture::{Encapsulation, Segment, SeqNumber, Timestamp};

use crate::FlowLimits;
use crate::conversation::{Conversation, Emit};
use crate::ended::{Ended, Extent};
use crate::event::{Direction, FlowEnd, FlowObserver, FlowStart, PerDirection};
use crate::key::{FlowKey, Side};
use crate::leap::{is_apart, is_confirmed};
use crate::stream::{Stream, StreamOctets};
pub(crate) use claim::Claim;
use claim::PendingSyn;

/// A connection with what its observer keeps for it. Owned: it can be moved to another table or thread.
#[derive(Debug)]
pub struct Flow<S> {
    info: FlowInfo,
    state: S,
    conversation: Conversation,
    originator_side: Side,
    /// FINs of a connection that its observer ignores: nobody knows any more whether they are in the window.
    unheard_fins: PerDirection<bool>,
    /// How far both sides had come when a reset ended it.
    reset: Option<PerDirection<u64>>,
    pending_syn: Option<PendingSyn>,
    /// The time of the packet before, if it was too far away to be believed.
    leap: Option<Timestamp>,
}

/// What is known of a connection besides its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowInfo {
    /// The 4-tuple.
    pub key: FlowKey,
    /// The side that sent the SYN; without a handshake the one seen first.
    pub originator: SocketAddr,
    /// The other side.
    pub responder: SocketAddr,
    /// How it begins in the capture.
    pub start: FlowStart,
    /// Around the segment that was seen first.
    pub encapsulation: Encapsulation,
    /// Its earliest packet.
    pub first_seen: Timestamp,
    /// Its latest packet.
    pub last_seen: Timestamp,
}

impl<S> Flow<S> {
    /// What its observer keeps.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// What its observer keeps.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    /// What its observer keeps, for good.
    pub fn into_state(self) -> S {
        self.state
    }

    /// The 4-tuple, the times, the beginning.
    pub fn info(&self) -> &FlowInfo {
        &self.info
    }

    /// What became of the payload octets of a direction.
    pub fn octets(&self, direction: Direction) -> StreamOctets {
        self.conversation.streams[direction].octets
    }

    /// A flow that begins with this segment.
    pub(crate) fn open<O: FlowObserver<State = S>>(
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        observer: &mut O,
    ) -> Self {
        // Only the called side sends SYN and ACK together (but for simultaneous open, where a SYN was seen before).
        let from_responder = segment.flags.syn && segment.ack.is_some();
        let (originator, responder) =
            if from_responder { (segment.destination, segment.source) } else { (segment.source, segment.destination) };
        let originator_side = if from_responder { side.other() } else { side };
        let start = if segment.flags.syn { FlowStart::Handshake } else { FlowStart::Midstream };
        let info = FlowInfo {
            key,
            originator,
            responder,
            start,
            encapsulation: segment.encapsulation,
            first_seen: segment.timestamp,
            last_seen: segment.timestamp,
        };
        Self {
            state: observer.open(&info),
            info,
            conversation: Conversation::default(),
            originator_side,
            unheard_fins: PerDirection::default(),
            reset: None,
            pending_syn: None,
            leap: None,
        }
    }

    /// Begins with a SYN that was seen earlier than the segment that is about to come.
    pub(crate) fn with_earlier_syn(mut self, isn: SeqNumber, timestamp: Timestamp) -> Self {
        self.info.first_seen = timestamp;
        self.info.start = FlowStart::Handshake;
        let stream = &mut self.conversation.streams[Direction::FromOriginator];
        stream.on_syn(isn);
        stream.seen = true;
        self
    }

    /// With the times of all its segments, of which some were seen more often than taken in.
    pub(crate) fn with_times(mut self, first_seen: Timestamp, last_seen: Timestamp) -> Self {
        (self.info.first_seen, self.info.last_seen) = (first_seen, last_seen);
        self
    }

    pub(crate) fn direction(&self, side: Side) -> Direction {
        if side == self.originator_side { Direction::FromOriginator } else { Direction::FromResponder }
    }

    /// Takes in a segment of this connection.
    pub(crate) fn segment<O: FlowObserver<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        limits: &FlowLimits,
        observer: &mut O,
    ) {
        let direction = self.direction(side);
        let timestamp = self.time_of(segment.timestamp, limits);
        let put_right;
        let segment = if timestamp == segment.timestamp {
            segment
        } else {
            put_right = Segment { timestamp, ..*segment };
            &put_right
        };
        self.info.first_seen = self.info.first_seen.min(segment.timestamp);
        self.info.last_seen = self.info.last_seen.max(segment.timestamp);
        if segment.flags.syn {
            self.info.start = FlowStart::Handshake;
        }
        self.unheard_fins[direction] |= segment.flags.fin && self.conversation.ignored;
        if segment.flags.rst {
            // RFC 9293 §3.5.3: the text of a reset is a diagnosis, not part of the stream.
            self.conversation.streams[direction].octets.discard(segment.payload.len());
            if self.conversation.accepts_reset(direction, segment) {
                self.reset.get_or_insert(self.conversation.reached());
            }
            return;
        }
        self.tell(observer, |conversation, emit| {
            conversation.segment(direction, segment, limits, emit);
        });
        // Both sides go on and receive what the other one says: neither took it.
        if self.reset.is_some_and(|reached| self.conversation.is_acknowledged_behind(reached)) {
            self.reset = None;
        }
    }

    /// Whether a packet behind a long silence may only have a corrupt time: it goes on where the connection was, and no
    /// other packet has confirmed that time.
    fn leaps_alone(&self, side: Side, segment: &Segment<'_>, limits: &FlowLimits) -> bool {
        let is_confirmed = is_confirmed(self.info.last_seen, self.leap, segment.timestamp, limits.idle_time);
        let begins =
            segment.flags.syn && !self.conversation.streams[self.direction(side)].beginning().can_be(segment.seq);
        !is_confirmed && !begins && !segment.flags.rst && !self.has_ended() && self.is_near(side, segment)
    }

    /// The time of a packet; that of the one before where it is too far from it, until a second packet confirms it.
    fn time_of(&mut self, time: Timestamp, limits: &FlowLimits) -> Timestamp {
        if !is_apart(self.info.last_seen, time, limits.idle_time) {
            self.leap = None;
            return time;
        }
        if is_confirmed(self.info.last_seen, self.leap, time, limits.idle_time) {
            // It was the time before that was corrupt.
            (self.leap, self.info.first_seen, self.info.last_seen) = (None, time, time);
            return time;
        }
        self.leap = Some(time);
        self.info.last_seen
    }

    /// Counts the octets of a segment that proved to be no part of the connection.
    pub(crate) fn discard(&mut self, side: Side, segment: &Segment<'_>) {
        let direction = self.direction(side);
        self.conversation.streams[direction].octets.discard(segment.payload.len());
    }

    /// Delivers or gives up what is held.
    pub(crate) fn finish<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        let now = self.info.last_seen;
        if !self.conversation.ignored {
            self.tell(observer, |conversation, emit| conversation.finish(now, emit));
        }
    }

    /// Lets at most `cost` octets wait in each direction.
    pub(crate) fn shrink<O: FlowObserver<State = S>>(&mut self, cost: usize, observer: &mut O) {
        let now = self.info.last_seen;
        self.tell(observer, |conversation, emit| {
            for direction in Direction::BOTH {
                conversation.shrink(direction, cost, now, emit);
            }
        });
    }

    /// Memory that waiting octets take, in octets.
    pub(crate) fn held_cost(&self) -> usize {
        self.conversation.held_cost()
    }

    /// The same in the direction that holds more.
    pub(crate) fn largest_held_cost(&self) -> usize {
        let costs = Direction::BOTH.map(|direction| self.conversation.streams[direction].held_cost());
        costs.into_iter().max().unwrap_or(0)
    }

    /// Memory for delivered octets that are kept to be compared, in octets.
    pub(crate) fn compared_cost(&self) -> usize {
        self.conversation.compared_cost()
    }

    /// Gives it up.
    pub(crate) fn forget_history(&mut self) {
        self.conversation.forget_history();
    }

    /// Whether neither side has shown an octet or an end of its stream.
    pub(crate) fn is_silent(&self) -> bool {
        Direction::BOTH.iter().all(|&direction| self.conversation.streams[direction].is_empty())
    }

    /// Whether the capture shows its end. Where one side was not captured, the other one's FIN has to do.
    pub(crate) fn has_ended(&self) -> bool {
        self.reset.is_some() || self.is_closed()
    }

    /// How it ended, `otherwise` where the capture shows no end of its own.
    pub(crate) fn end_or(&self, otherwise: FlowEnd) -> FlowEnd {
        match (self.is_closed(), self.reset.is_some()) {
            (true, _) => FlowEnd::Closed,
            (false, true) => FlowEnd::Reset,
            (false, false) => otherwise,
        }
    }

    /// How long it may be silent and still be the same connection.
    pub(crate) fn patience(&self, limits: &FlowLimits) -> Duration {
        if self.has_ended() { limits.linger_time } else { limits.idle_time }
    }

    /// Whether nothing will be added to it any more, although segments of it may still come: see [`Ended`]. A reset is no
    /// such end: it may be forged, or its text be captured before the octets in front of it.
    pub(crate) fn is_over(&self) -> bool {
        let is_over = self.conversation.is_over() || (self.conversation.ignored && self.has_ended());
        is_over && self.pending_syn.is_none()
    }

    /// What is remembered of it once it was handed over.
    pub(crate) fn remembered(&self) -> Ended {
        Ended {
            key: self.info.key,
            last_seen: self.info.last_seen,
            number: None,
            originator: self.originator_side,
            streams: PerDirection {
                from_originator: self.extent(Direction::FromOriginator),
                from_responder: self.extent(Direction::FromResponder),
            },
            ignored: self.conversation.ignored,
        }
    }

    fn extent(&self, direction: Direction) -> Extent {
        let stream: &Stream = &self.conversation.streams[direction];
        Extent { beginning: stream.beginning(), end: stream.expected(), octets: stream.next }
    }

    /// Whether the number of a segment is one that the other side expects, or near it.
    pub(crate) fn is_near(&self, side: Side, segment: &Segment<'_>) -> bool {
        self.conversation.streams[self.direction(side)].is_near(segment.seq)
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        self.info.last_seen
    }

    fn is_closed(&self) -> bool {
        Direction::BOTH.iter().all(|&direction| {
            self.has_fin(direction) || (!self.conversation.streams[direction].seen && self.has_fin(!direction))
        })
    }

    /// Whether a side has sent a FIN that counts.
    fn has_fin(&self, direction: Direction) -> bool {
        self.unheard_fins[direction] || self.conversation.streams[direction].fin.is_some()
    }

    fn tell<O: FlowObserver<State = S>>(
        &mut self,
        observer: &mut O,
        act: impl FnOnce(&mut Conversation, &mut Emit<'_>),
    ) {
        let Self { info, state, conversation, .. } = self;
        act(conversation, &mut |event| observer.event(info, state, event));
        if conversation.ignored {
            conversation.forget_octets();
        }
    }
}

#[cfg(test)]
mod tests {
    use capture::Flags;

    use super::*;
    use crate::{Interest, StreamEvent};

    struct Nobody;

    impl FlowObserver for Nobody {
        type State = ();

        fn open(&mut self, _: &FlowInfo) {}

        fn event(&mut self, _: &FlowInfo, (): &mut (), _: StreamEvent<'_>) -> Interest {
            Interest::Follow
        }

        fn close(&mut self, _: Flow<()>, _: FlowEnd) -> Option<u64> {
            None
        }
    }

    /// `flags` are letters: `S`, `F`, `R`.
    fn segment(from_client: bool, seq: u32, ack: Option<u32>, flags: &str, payload: &'static str) -> Segment<'static> {
        let client = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let server = SocketAddr::from(([198, 51, 100, 2], 25));
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        Segment {
            source,
            destination,
            seq: SeqNumber::new(seq),
            ack: ack.map(SeqNumber::new),
            flags: Flags { syn: flags.contains('S'), fin: flags.contains('F'), rst: flags.contains('R') },
            payload: payload.as_bytes(),
            window: 65_535,
            window_scale: None,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::default(),
            encapsulation: capture::Encapsulation::default(),
        }
    }

    fn feed(flow: &mut Flow<()>, segment: &Segment<'_>) {
        let side = FlowKey::with_side(segment.source, segment.destination).1;
        flow.segment(side, segment, &FlowLimits::default(), &mut Nobody);
    }

    fn claim(flow: &mut Flow<()>, segment: &Segment<'_>) -> Claim {
        flow.claim(FlowKey::with_side(segment.source, segment.destination).1, segment, &FlowLimits::default())
    }

    fn flow(segments: &[Segment<'static>]) -> Flow<()> {
        let first = segments.first().expect("a segment");
        let (key, side) = FlowKey::with_side(first.source, first.destination);
        let mut flow = Flow::open(key, side, first, &mut Nobody);
        segments.iter().for_each(|segment| feed(&mut flow, segment));
        flow
    }

    /// Both SYNs with number 100 and 300, and five octets of the client.
    fn established() -> Flow<()> {
        flow(&[
            segment(true, 100, None, "S", ""),
            segment(false, 300, Some(101), "S", ""),
            segment(true, 101, Some(301), "", "EHLO "),
        ])
    }

    /// RFC 9293 §3.5, figure 6: SYN and ACK together are the answer of the side that was called.
    #[test]
    fn who_sends_syn_and_ack_together_was_called() {
        let flow = flow(&[segment(false, 300, Some(101), "S", "")]);
        assert_eq!((flow.info().originator.port(), flow.info().responder.port()), (40_000, 25));
        assert_eq!(flow.info().start, FlowStart::Handshake);
    }

    #[test]
    fn without_a_syn_it_begins_in_the_middle() {
        let flow = flow(&[segment(false, 300, Some(101), "", "250 ok")]);
        assert_eq!((flow.info().originator.port(), flow.info().start), (25, FlowStart::Midstream));
    }

    /// RFC 9293 §3.6: "A TCP connection may be half-closed": one FIN ends one direction.
    #[test]
    fn it_is_closed_when_both_sides_have_sent_fin() {
        let mut flow = established();
        feed(&mut flow, &segment(true, 106, Some(301), "F", ""));
        assert_eq!((flow.has_ended(), flow.end_or(FlowEnd::EndOfCapture)), (false, FlowEnd::EndOfCapture));
        feed(&mut flow, &segment(false, 301, Some(107), "F", ""));
        assert_eq!((flow.has_ended(), flow.end_or(FlowEnd::EndOfCapture)), (true, FlowEnd::Closed));
    }

    #[test]
    fn where_one_side_was_captured_its_fin_closes() {
        let flow = flow(&[segment(true, 100, None, "S", ""), segment(true, 101, None, "F", "QUIT\r\n")]);
        assert_eq!(flow.end_or(FlowEnd::EndOfCapture), FlowEnd::Closed);
    }

    /// RFC 9293 §3.5.3: a reset in the window ends the connection; its text is no part of the stream.
    #[test]
    fn a_reset_ends_it_and_its_text_is_not_delivered() {
        let mut flow = established();
        feed(&mut flow, &segment(false, 301, Some(106), "R", "no such thing"));
        assert_eq!(flow.end_or(FlowEnd::EndOfCapture), FlowEnd::Reset);
        assert_eq!(flow.octets(Direction::FromResponder).delivered, 0);
    }

    /// RFC 9293 §3.10.7.4: a SYN in a synchronized state is answered by a challenge ACK and changes nothing; only
    /// that it is acknowledged shows that it was no old duplicate.
    #[test]
    fn a_second_syn_begins_the_next_connection_once_it_is_acknowledged() {
        let mut flow = established();
        assert!(matches!(claim(&mut flow, &segment(true, 9000, None, "S", "")), Claim::Stray));
        assert!(matches!(claim(&mut flow, &segment(true, 106, Some(301), "", "x")), Claim::Own));
        let answer = segment(false, 7000, Some(9001), "S", "");
        let Claim::Next(Some((isn, _))) = claim(&mut flow, &answer) else { panic!("a new connection") };
        assert_eq!(isn, SeqNumber::new(9000));
    }

    #[test]
    fn a_syn_sent_again_is_its_own() {
        assert!(matches!(claim(&mut established(), &segment(true, 100, None, "S", "")), Claim::Own));
    }

    #[test]
    fn after_the_idle_time_octets_are_of_another_connection_and_a_reset_of_none() {
        let late = Timestamp::from_nanos(601 * 1_000_000_000);
        let data = Segment { timestamp: late, ..segment(true, 106, Some(301), "", "x") };
        assert!(matches!(claim(&mut established(), &data), Claim::Own), "one packet may have a corrupt time");
        let mut leapt = established();
        feed(&mut leapt, &data);
        assert!(matches!(claim(&mut leapt, &data), Claim::Next(None)), "two have not");
        let far = Segment { seq: SeqNumber::new(1 << 30), ..data };
        assert!(matches!(claim(&mut established(), &far), Claim::Next(None)));
        let syn = Segment { timestamp: late, ..segment(true, 106, None, "S", "") };
        assert!(matches!(claim(&mut established(), &syn), Claim::Next(None)));
        let reset = Segment { timestamp: late, ..segment(true, 106, Some(301), "R", "") };
        assert!(matches!(claim(&mut established(), &reset), Claim::Tail));
        let in_time = Segment { timestamp: Timestamp::from_nanos(600 * 1_000_000_000), ..data };
        assert!(matches!(claim(&mut established(), &in_time), Claim::Own));
    }
}
