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

use std::net::SocketAddr;

use capture::{Segment, SeqNumber, Timestamp};

use crate::conversation::Conversation;
use crate::event::{Direction, FlowEnd, FlowObserver, FlowStart, Interest, PerDirection};
use crate::key::{FlowKey, Side};
use crate::stream::StreamOctets;
use crate::{FlowLimits, StreamEvent};

/// A connection with what its observer keeps for it. Owned: it can be moved to another table or thread.
#[derive(Debug)]
pub struct Flow<S> {
    info: FlowInfo,
    state: S,
    ignored: bool,
    conversation: Conversation,
    originator_side: Side,
    fins: PerDirection<bool>,
    reset: bool,
    pending_syn: Option<PendingSyn>,
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
    /// Its earliest packet.
    pub first_seen: Timestamp,
    /// Its latest packet.
    pub last_seen: Timestamp,
}

/// A SYN on an open connection that may or may not begin the next one.
#[derive(Debug, Clone, Copy)]
struct PendingSyn {
    direction: Direction,
    isn: SeqNumber,
    timestamp: Timestamp,
}

/// What a segment means for the flow its 4-tuple names.
pub(crate) enum Claim {
    /// It belongs to it.
    Own,
    /// It belongs to a later connection, whose SYN this is or was seen at the given time, sent by this address.
    Next(Option<(SocketAddr, SeqNumber, Timestamp)>),
    /// It belongs to nothing that can be told yet, or any more.
    Stray,
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
        let info =
            FlowInfo { key, originator, responder, start, first_seen: segment.timestamp, last_seen: segment.timestamp };
        Self {
            state: observer.open(&info),
            info,
            ignored: false,
            conversation: Conversation::default(),
            originator_side,
            fins: PerDirection::default(),
            reset: false,
            pending_syn: None,
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

    pub(crate) fn direction(&self, side: Side) -> Direction {
        if side == self.originator_side { Direction::FromOriginator } else { Direction::FromResponder }
    }

    /// Whether this segment belongs to this connection or shows that another one has taken its place.
    pub(crate) fn claim(&mut self, side: Side, segment: &Segment<'_>, limits: &FlowLimits) -> Claim {
        let silence = segment.timestamp.since(self.info.last_seen);
        if silence > self.patience(limits) {
            return if segment.flags.rst { Claim::Stray } else { Claim::Next(None) };
        }
        let direction = self.direction(side);
        let own = &self.conversation.streams[direction];
        if segment.flags.syn {
            // SYN/ACK of the SYN that is remembered: the new connection stands.
            if let (Some(pending), Some(ack)) = (self.pending_syn, segment.ack)
                && pending.direction == !direction
                && ack == pending.isn.plus(1)
            {
                return Claim::Next(Some((segment.destination, pending.isn, pending.timestamp)));
            }
            if own.began_with(segment.seq) || (own.is_untouched() && !self.has_ended()) {
                return Claim::Own;
            }
            if self.has_ended() {
                return Claim::Next(None);
            }
            self.pending_syn = Some(PendingSyn { direction, isn: segment.seq, timestamp: segment.timestamp });
            return Claim::Stray;
        }
        if let Some(pending) = self.pending_syn
            && pending.direction == direction
            && !segment.payload.is_empty()
            && segment.seq == pending.isn.plus(1)
            && own.expected() != Some(segment.seq)
        {
            return Claim::Next(Some((segment.source, pending.isn, pending.timestamp)));
        }
        Claim::Own
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
        self.info.first_seen = self.info.first_seen.min(segment.timestamp);
        self.info.last_seen = self.info.last_seen.max(segment.timestamp);
        if segment.flags.syn {
            self.info.start = FlowStart::Handshake;
        }
        self.fins[direction] |= segment.flags.fin;
        if segment.flags.rst {
            // RFC 9293 §3.5.3: a reset is valid if its sequence number is in the window. Its text is a diagnosis, not
            // part of the stream.
            let own = &self.conversation.streams[direction];
            self.reset |= own.expected().is_none() || own.offset_of(segment.seq).is_some();
            return;
        }
        if self.ignored {
            return;
        }
        self.tell(observer, |conversation, emit| {
            conversation.segment(direction, segment, limits.reorder_time, emit);
        });
    }

    /// Delivers or gives up what is held.
    pub(crate) fn finish<O: FlowObserver<State = S>>(&mut self, observer: &mut O) {
        let now = self.info.last_seen;
        if !self.ignored {
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

    /// Memory that waiting octets take, in octets: together, and in the direction that holds more.
    pub(crate) fn held_cost(&self) -> (usize, usize) {
        let largest = Direction::BOTH.map(|direction| self.conversation.streams[direction].held.cost());
        (self.conversation.held_cost(), largest.into_iter().max().unwrap_or(0))
    }

    /// Whether the capture shows its end. Where one side was not captured, the other one's FIN has to do.
    pub(crate) fn has_ended(&self) -> bool {
        self.reset || self.is_closed()
    }

    /// How it ended, `otherwise` where the capture shows no end of its own.
    pub(crate) fn end_or(&self, otherwise: FlowEnd) -> FlowEnd {
        match (self.is_closed(), self.reset) {
            (true, _) => FlowEnd::Closed,
            (false, true) => FlowEnd::Reset,
            (false, false) => otherwise,
        }
    }

    /// How long it may be silent and still be the same connection.
    pub(crate) fn patience(&self, limits: &FlowLimits) -> std::time::Duration {
        if self.has_ended() { limits.linger_time } else { limits.idle_time }
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        self.info.last_seen
    }

    fn is_closed(&self) -> bool {
        Direction::BOTH
            .iter()
            .all(|&direction| self.fins[direction] || (!self.conversation.streams[direction].seen && self.any_fin()))
    }

    fn any_fin(&self) -> bool {
        self.fins.from_originator || self.fins.from_responder
    }

    fn tell<O: FlowObserver<State = S>>(
        &mut self,
        observer: &mut O,
        act: impl FnOnce(&mut Conversation, &mut dyn FnMut(StreamEvent<'_>)),
    ) {
        let Self { info, state, ignored, conversation, .. } = self;
        act(conversation, &mut |event| {
            if !*ignored {
                *ignored = observer.event(info, state, event) == Interest::Ignore;
            }
        });
        if self.ignored {
            self.conversation.forget_octets();
        }
    }
}
