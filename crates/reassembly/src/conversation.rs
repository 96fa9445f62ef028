//! Both directions of a connection together: in which order octets are delivered, and when a hole is a gap.
//!
//! A segment waits for two things:
//!
//! * **its turn** in its own direction (the octets before it), and
//! * **its cause**: the octets of the other direction that it acknowledges. A reply is captured before its command only
//!   because the capture is out of order, and this puts it right. Where nothing of the other direction was captured yet, it
//!   may be late as a whole: two taps were merged with different clocks.
//!
//! Without its SYN the octet of a direction that comes first need not be the first; so it waits until it is acknowledged.
//! Neither is waited for longer than the reorder time, and only once.
//!
//! What the snap length cut off is waited for in the same way, because a copy of the packet may be whole; where none was,
//! cut octets are a gap at once from then on.
//!
//! What the other side acknowledged and the capture does not show within the reorder time is a gap; so is a hole that
//! too many octets wait behind, and a hole that is left at the end. A hole that nobody acknowledged is waited for: the
//! sender will send it again. `lateness` has what is waited for no longer.

mod lateness;

use capture::{Segment, Timestamp};

use crate::FlowLimits;
use crate::assembler::{Incoming, Piece};
use crate::event::{Direction, GapCause, Interest, PerDirection, StreamEvent};
use crate::stream::Stream;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) streams: PerDirection<Stream>,
    /// Whether the observer wants to hear no more.
    pub(crate) ignored: bool,
    /// Whether octets that are cut off are not waited for, because none has come in another copy.
    cuts_are_final: bool,
    /// See [`FlowLimits::compared_octets_per_direction`].
    compared_octets: usize,
    compared_cost: usize,
}

/// Tells the observer.
pub(crate) type Emit<'e> = dyn FnMut(StreamEvent<'_>) -> Interest + 'e;

impl Conversation {
    /// Takes in one segment and emits whatever can be delivered now.
    pub(crate) fn segment(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        limits: &FlowLimits,
        emit: &mut Emit<'_>,
    ) {
        if self.ignored {
            self.streams[direction].octets.discard(segment.payload.len());
            return;
        }
        self.compared_octets = limits.compared_octets_per_direction;
        let acknowledged = self.headers(direction, segment);
        let new = Incoming {
            bytes: segment.payload,
            missing: u64::from(segment.missing),
            acknowledged,
            timestamp: segment.timestamp,
        };
        if new.len() > 0 || segment.flags.fin {
            self.payload(direction, segment, new, emit);
        }
        if self.is_waiting() {
            self.drain(emit);
            self.give_up_late_octets(segment.timestamp, limits.reorder_time, emit);
        } else {
            self.note_stalls(segment.timestamp);
        }
    }

    /// Delivers or gives up everything that is held: the connection is over.
    pub(crate) fn finish(&mut self, now: Timestamp, emit: &mut Emit<'_>) {
        // Nothing will come again.
        self.compared_octets = 0;
        self.cuts_are_final = true;
        for direction in Direction::BOTH {
            self.streams[direction].origin_is_settled = true;
        }
        loop {
            self.drain(emit);
            if Direction::BOTH.map(|direction| self.admit(direction, true, emit)).contains(&true) {
                continue;
            }
            let Some(direction) = self.longest_waiting() else { break };
            self.give_up(direction, GapCause::FlowEnd, now, emit);
        }
        for direction in Direction::BOTH {
            self.discard_beyond(direction);
        }
        for direction in Direction::BOTH {
            self.half_close(direction, now, emit);
            let stream = &self.streams[direction];
            if !stream.seen {
                continue;
            }
            let (len, cause) = match (stream.fin, stream.acknowledged_hole()) {
                (Some(fin), _) if fin > stream.next => (fin - stream.next, GapCause::FlowEnd),
                (_, Some(hole)) => (hole, GapCause::Acknowledged),
                _ => continue,
            };
            self.gap(direction, len, cause, now, emit);
        }
    }

    /// Memory that waiting octets take, in octets.
    pub(crate) fn held_cost(&self) -> usize {
        self.streams.from_originator.held_cost() + self.streams.from_responder.held_cost()
    }

    /// Memory for octets to compare with, in octets.
    pub(crate) fn compared_cost(&self) -> usize {
        self.compared_cost
    }

    /// Gives it up.
    pub(crate) fn forget_history(&mut self) {
        for direction in Direction::BOTH {
            self.streams[direction].history = None;
        }
        self.compared_cost = 0;
    }

    /// Drops what is held: nobody wants to hear of it.
    pub(crate) fn forget_octets(&mut self) {
        for direction in Direction::BOTH {
            let stream = &mut self.streams[direction];
            let held = std::mem::take(&mut stream.held);
            stream.octets.discarded += held.octets();
            self.discard_beyond(direction);
        }
        self.forget_history();
    }

    /// Whether a reset ends the connection: see [`Stream::accepts_reset`] and, where its own side has sent nothing yet,
    ///
    /// > If the RST bit is set … If the ACK was acceptable, then … enter CLOSED state (RFC 9293 §3.10.7.3).
    pub(crate) fn accepts_reset(&self, direction: Direction, segment: &Segment<'_>) -> bool {
        let (own, other) = (&self.streams[direction], &self.streams[!direction]);
        if own.expected().is_some() {
            return own.accepts_reset(segment.seq);
        }
        let acknowledged = segment.ack.and_then(|ack| other.offset_of(ack));
        acknowledged.is_some_and(|offset| u64::try_from(offset).is_ok_and(|offset| offset <= other.seen_end()))
    }

    /// How far each side has come, as captured or as acknowledged.
    pub(crate) fn reached(&self) -> PerDirection<u64> {
        let reached = |stream: &Stream| stream.seen_end().max(stream.acknowledged);
        PerDirection {
            from_originator: reached(&self.streams.from_originator),
            from_responder: reached(&self.streams.from_responder),
        }
    }

    /// Whether octets of both sides behind these were received.
    pub(crate) fn is_acknowledged_behind(&self, reached: PerDirection<u64>) -> bool {
        Direction::BOTH.iter().all(|&direction| self.streams[direction].acknowledged > reached[direction])
    }

    /// Sequence numbers, acknowledgments and the SYN; returns the offset of the other side that is acknowledged.
    fn headers(&mut self, direction: Direction, segment: &Segment<'_>) -> Option<u64> {
        let own = &mut self.streams[direction];
        let moved = if segment.flags.syn {
            own.on_window_scale(segment.window_scale);
            own.on_syn(segment.seq)
        } else if !segment.payload.is_empty() || !own.seen {
            own.assume_origin(segment.seq)
        } else {
            0
        };
        own.seen = true;
        if moved != 0 {
            self.streams[!direction].shift_acknowledged(moved);
        }
        let ack = segment.ack.filter(|_| self.streams[direction].is_acceptable(segment.seq))?;
        let window = self.streams[direction].window(segment, &self.streams[!direction]);
        let other = &mut self.streams[!direction];
        if !other.seen {
            let moved = other.assume_origin(ack);
            if moved != 0 {
                self.streams[direction].shift_acknowledged(moved);
            }
        }
        let other = &mut self.streams[!direction];
        let offset = other.on_ack(ack)?;
        other.on_window(offset, window);
        Some(offset)
    }

    /// Delivers the new octets of a segment at once if their turn has come, else holds a copy.
    fn payload(&mut self, direction: Direction, segment: &Segment<'_>, new: Incoming<'_>, emit: &mut Emit<'_>) {
        let captured = new.bytes.len();
        let waits_for_cause = self.lacks_cause(direction, new.acknowledged);
        let first = if segment.flags.syn { segment.seq.plus(1) } else { segment.seq };
        let placed = self.streams[direction].offset_of(first);
        let Some(offset) = placed.filter(|&offset| !self.is_keep_alive(direction, segment, offset)) else {
            self.streams[direction].octets.discard(captured);
            return;
        };
        let stream = &mut self.streams[direction];
        stream.octets.payload += captured as u64;
        // What lies before the stream's first known octet has no place in it.
        let (before, new) = new.split_at(offset.min(0).unsigned_abs());
        stream.octets.discarded += before.bytes.len() as u64;
        let at = u64::try_from(offset).unwrap_or(0);
        let end = offset.saturating_add_unsigned(before.len() + new.len());
        // What lies before `next` has been delivered (or given up) already.
        let (again, new) = new.split_at(stream.next.saturating_sub(at));
        if !again.bytes.is_empty() {
            self.compare(direction, at, again.bytes, captured as u64, segment.timestamp, emit);
        }
        let stream = &mut self.streams[direction];
        let at = at.max(stream.next);
        // What follows without a hole is taken whatever the window: the packet that opened it may not be captured.
        let reach = if at <= stream.seen_end() { u64::MAX } else { stream.reach() };
        if segment.flags.fin
            && let Ok(end) = u64::try_from(end)
        {
            if end <= reach {
                stream.on_fin(end);
            } else {
                stream.fin_beyond = Some(end);
            }
        }
        // RFC 9293 §3.10.7.4: segment text behind the FIN should not occur and is ignored.
        let (new, behind) = new.split_at(stream.fin.map_or(u64::MAX, |fin| fin.saturating_sub(at)));
        stream.octets.discarded += behind.bytes.len() as u64;
        let (new, beyond) = new.split_at(reach.saturating_sub(at));
        let in_turn = at == stream.next && !waits_for_cause;
        let fits = stream.held.first_offset().is_none_or(|held| at + new.len() <= held);
        if in_turn && fits && !self.awaits_beginning(direction) {
            if new.len() > 0 {
                self.deliver(direction, &new, emit);
                self.streams[direction].refute_ack();
            }
            self.half_close(direction, segment.timestamp, emit);
        } else if new.len() > 0 {
            self.hold(direction, at, &new, captured as u64, emit);
        }
        if beyond.len() > 0 {
            self.hold_beyond(direction, at + new.len(), &beyond, captured as u64, emit);
        }
    }

    /// > To confirm that an idle connection is still active, these implementations send a probe segment designed to elicit
    /// > a response from the TCP peer. Such a segment generally contains SEG.SEQ = SND.NXT-1 and may or may not contain one
    /// > garbage octet of data (RFC 9293 §3.8.4).
    ///
    /// Idle means that everything was acknowledged, as far as the capture has the other side. A probe of a closed window
    /// with an octet of its own (§3.8.6.1) is the next octet of the stream, and needs nothing special; nor does one that was
    /// cut off by the snap length before.
    fn is_keep_alive(&self, direction: Direction, segment: &Segment<'_>, offset: i64) -> bool {
        let stream = &self.streams[direction];
        let is_probe = segment.payload.len() == 1 && segment.missing == 0 && !segment.flags.fin && !segment.flags.syn;
        is_probe && {
            let end = stream.seen_end();
            let is_idle = stream.acknowledged >= end || !self.streams[!direction].seen;
            is_idle
                && stream.fin.is_none()
                && stream.next >= end
                && u64::try_from(offset).is_ok_and(|offset| offset + 1 == end)
        }
    }

    /// Whether the octets of a segment of this direction have to wait for those of the other one that it acknowledges.
    fn lacks_cause(&self, direction: Direction, acknowledged: Option<u64>) -> bool {
        let is_to_come = |offset| self.streams[!direction].is_behind(offset) || self.awaits_beginning(!direction);
        acknowledged.is_some_and(is_to_come)
    }

    /// Whether earlier octets of this direction than those that came first may still turn up.
    fn awaits_beginning(&self, direction: Direction) -> bool {
        self.streams[direction].awaits_beginning(self.streams[!direction].origin_is_settled)
    }

    /// Whether octets wait for the beginning of this direction, its own or those of the other one.
    fn is_stalled_at_beginning(&self, direction: Direction) -> bool {
        self.held_cost() > 0 && self.awaits_beginning(direction)
    }

    /// Whether nothing can follow any more: both sides' FINs were reached, and acknowledged.
    pub(crate) fn is_over(&self) -> bool {
        Direction::BOTH.iter().all(|&direction| {
            let stream = &self.streams[direction];
            stream.half_closed && stream.fin_acknowledged
        })
    }

    /// Whether something is held or unexplained, so that more than the plain path is needed.
    fn is_waiting(&self) -> bool {
        Direction::BOTH.iter().any(|&direction| {
            let stream = &self.streams[direction];
            stream.held_cost() > 0 || stream.fin_beyond.is_some() || stream.stalled_since.is_some()
        })
    }

    /// Delivers held pieces whose turn and cause have come, in either direction, until none is left.
    fn drain(&mut self, emit: &mut Emit<'_>) {
        loop {
            let mut progress = false;
            for direction in Direction::BOTH {
                progress |= self.admit(direction, false, emit);
                while self.is_ready(direction) {
                    self.deliver_held(direction, emit);
                    progress = true;
                }
            }
            if !progress {
                return;
            }
        }
    }

    fn is_ready(&self, direction: Direction) -> bool {
        let stream = &self.streams[direction];
        let is_ready = |(offset, piece): (u64, &Piece)| {
            offset == stream.next
                && !self.awaits_beginning(direction)
                && !self.lacks_cause(direction, piece.acknowledged)
                && (self.cuts_are_final || !piece.bytes.is_empty())
        };
        stream.held.first().is_some_and(is_ready)
    }

    fn deliver_held(&mut self, direction: Direction, emit: &mut Emit<'_>) {
        if let Some((_, piece)) = self.streams[direction].held.pop_first() {
            self.streams[direction].stalled_since = None;
            let piece = Incoming {
                bytes: &piece.bytes,
                missing: piece.missing,
                acknowledged: piece.acknowledged,
                timestamp: piece.timestamp,
            };
            self.deliver(direction, &piece, emit);
            self.half_close(direction, piece.timestamp, emit);
        }
    }

    /// Hands on octets that begin at `next`.
    fn deliver(&mut self, direction: Direction, new: &Incoming<'_>, emit: &mut Emit<'_>) {
        let stream = &mut self.streams[direction];
        if !new.bytes.is_empty() {
            let (offset, len) = (stream.next, new.bytes.len() as u64);
            stream.next += len;
            if self.ignored {
                stream.octets.discarded += len;
            } else {
                stream.octets.delivered += len;
                let Incoming { bytes, acknowledged, timestamp, .. } = *new;
                self.tell(StreamEvent::Data { direction, offset, bytes, acknowledged, timestamp }, emit);
                if !self.ignored && self.compared_octets > 0 {
                    let history = self.streams[direction].history.get_or_insert_default();
                    self.compared_cost += history.record(offset, bytes, self.compared_octets);
                }
            }
        }
        if new.missing > 0 && (self.cuts_are_final || self.ignored) {
            self.gap(direction, new.missing, GapCause::SnapLength, new.timestamp, emit);
        } else if new.missing > 0 {
            // Another tap may have the whole packet.
            let cut = Incoming { bytes: &[], ..*new };
            self.hold(direction, self.streams[direction].next, &cut, 0, emit);
        }
    }

    fn half_close(&mut self, direction: Direction, timestamp: Timestamp, emit: &mut Emit<'_>) {
        let stream = &mut self.streams[direction];
        // Picked up in the middle, the octets before a FIN that comes first may still turn up.
        let is_settled = stream.origin_is_settled || stream.next > 0;
        if stream.fin == Some(stream.next) && !stream.half_closed && is_settled {
            stream.half_closed = true;
            let offset = stream.next;
            self.tell(StreamEvent::HalfClosed { direction, offset, timestamp }, emit);
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, cause: GapCause, timestamp: Timestamp, emit: &mut Emit<'_>) {
        let stream = &mut self.streams[direction];
        let offset = stream.next;
        stream.next += len;
        stream.octets.missing += if self.ignored { 0 } else { len };
        stream.stalled_since = None;
        self.tell(StreamEvent::Gap { direction, offset, len, cause, timestamp }, emit);
        self.half_close(direction, timestamp, emit);
    }

    fn tell(&mut self, event: StreamEvent<'_>, emit: &mut Emit<'_>) {
        if !self.ignored {
            self.ignored = emit(event) == Interest::Ignore;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use capture::{Flags, SeqNumber};

    use super::*;
    use crate::Comparison;

    /// A conversation whose handshake has been seen: both sides' first octets have the number 1.
    struct Talk {
        conversation: Conversation,
        /// `>` from the originator, `<` from the responder: octets, `[cause len]`, `.` at the end; `=`, `!` and
        /// `?` for octets that came again, alike, different or not compared.
        heard: Vec<String>,
    }

    fn talk() -> Talk {
        let mut talk = Talk { conversation: Conversation::default(), heard: Vec::new() };
        talk.conversation.streams.from_originator.on_syn(SeqNumber::new(0));
        talk.conversation.streams.from_responder.on_syn(SeqNumber::new(0));
        for direction in Direction::BOTH {
            talk.conversation.streams[direction].seen = true;
        }
        talk
    }

    fn note(heard: &mut Vec<String>, event: StreamEvent<'_>) -> Interest {
        let arrow = |direction| if direction == Direction::FromOriginator { '>' } else { '<' };
        heard.push(match event {
            StreamEvent::Data { direction, bytes, .. } => {
                format!("{}{}", arrow(direction), String::from_utf8_lossy(bytes))
            }
            StreamEvent::Gap { direction, len, cause, .. } => format!("{}[{cause:?} {len}]", arrow(direction)),
            StreamEvent::Overlap { direction, len, comparison, .. } => {
                let mark = match comparison {
                    Comparison::Same => '=',
                    Comparison::Different { .. } => '!',
                    Comparison::Unknown => '?',
                };
                format!("{}{mark}{len}", arrow(direction))
            }
            StreamEvent::HalfClosed { direction, .. } => format!("{}.", arrow(direction)),
        });
        Interest::Follow
    }

    impl Talk {
        fn says(&mut self, direction: Direction, seq: u32, ack: u32, text: &str, fin: bool, millis: i64) -> &mut Self {
            let address = SocketAddr::from(([192, 0, 2, 1], 25));
            let segment = Segment {
                source: address,
                destination: address,
                seq: SeqNumber::new(seq),
                ack: Some(SeqNumber::new(ack)),
                flags: Flags { fin, ..Flags::default() },
                payload: text.as_bytes(),
                window: 65_535,
                window_scale: None,
                payload_at: None,
                missing: 0,
                timestamp: Timestamp::from_nanos(millis * 1_000_000),
                encapsulation: capture::Encapsulation::default(),
            };
            let Self { conversation, heard } = self;
            conversation.segment(direction, &segment, &FlowLimits::default(), &mut |event| note(heard, event));
            self
        }

        fn client(&mut self, seq: u32, ack: u32, text: &str) -> &mut Self {
            self.says(Direction::FromOriginator, seq, ack, text, false, 0)
        }

        fn server(&mut self, seq: u32, ack: u32, text: &str) -> &mut Self {
            self.says(Direction::FromResponder, seq, ack, text, false, 0)
        }

        fn finish(&mut self) -> String {
            let Self { conversation, heard } = self;
            conversation.finish(Timestamp::default(), &mut |event| note(heard, event));
            self.heard.join(" ")
        }
    }

    /// > Segments with higher beginning sequence numbers SHOULD be held for later processing (SHLD-31).
    ///
    /// (RFC 9293 §3.10.7.4)
    #[test]
    fn what_is_early_is_held_for_later_processing() {
        let mut talk = talk();
        talk.client(3, 1, "cd");
        assert!(talk.heard.is_empty());
        assert!(talk.conversation.held_cost() > 2);
        talk.client(1, 1, "ab");
        assert_eq!(talk.heard, [">ab", ">cd"]);
        assert_eq!(talk.conversation.held_cost(), 0);
    }

    /// > In the following it is assumed that the segment is the idealized segment that begins at RCV.NXT and does not
    /// > exceed the window. One could tailor actual segments to fit this assumption by trimming off any portions that
    /// > lie outside the window (RFC 9293 §3.10.7.4).
    #[test]
    fn what_was_delivered_is_trimmed_off() {
        assert_eq!(talk().client(1, 1, "abcd").client(3, 1, "cdef").client(1, 1, "ab").finish(), ">abcd >=2 >ef >=2");
    }

    /// > When the TCP endpoint takes responsibility for delivering the data to the user, it must also acknowledge the
    /// > receipt of the data (RFC 9293 §3.10.7.4). So what acknowledges octets came after them.
    #[test]
    fn what_acknowledges_octets_comes_after_them() {
        assert_eq!(talk().server(1, 5, "250").client(1, 1, "NOOP").finish(), ">NOOP <250");
        // Each waits for the other, because a command was lost: the one captured first is let go behind the gap.
        let mut talk = talk();
        talk.server(1, 5, "250").says(Direction::FromOriginator, 5, 4, "QUIT", false, 1);
        assert_eq!(talk.finish(), ">[Acknowledged 4] <250 >QUIT");
    }

    /// > Note that FIN implies PUSH for any segment text not yet delivered to the user (RFC 9293 §3.10.7.4).
    #[test]
    fn a_fin_comes_after_all_text() {
        let mut talk = talk();
        talk.says(Direction::FromOriginator, 3, 1, "cd", true, 0);
        assert!(talk.heard.is_empty());
        assert_eq!(talk.client(1, 1, "ab").finish(), ">ab >cd >.");
    }

    #[test]
    fn acknowledged_octets_are_given_up_after_the_reorder_time() {
        let mut talk = talk();
        talk.server(1, 5, "250").says(Direction::FromResponder, 4, 5, "-", false, 999);
        assert!(talk.heard.is_empty());
        talk.says(Direction::FromResponder, 5, 5, "x", false, 1_000);
        assert_eq!(talk.heard, [">[Acknowledged 4]", "<250", "<-", "<x"]);
    }

    #[test]
    fn shrinking_makes_gaps_until_little_is_held() {
        let mut talk = talk();
        talk.client(2, 1, "b").client(4, 1, "d").client(6, 1, "f");
        let one = talk.conversation.held_cost() / 3;
        let Talk { conversation, heard } = &mut talk;
        conversation.shrink(Direction::FromOriginator, one, Timestamp::default(), &mut |event| note(heard, event));
        assert_eq!(talk.heard, [">[ReorderLimit 1]", ">b", ">[ReorderLimit 1]", ">d"]);
        assert_eq!(talk.conversation.held_cost(), one);
    }

    #[test]
    fn the_end_delivers_what_is_held_and_names_what_is_not() {
        assert_eq!(talk().client(3, 1, "c").server(1, 9, "").finish(), ">[FlowEnd 2] >c >[Acknowledged 5]");
        let mut nobody = Conversation::default();
        nobody.finish(Timestamp::default(), &mut |event| unreachable!("{event:?}"));
    }

    #[test]
    fn what_is_forgotten_is_delivered_no_more() {
        let mut talk = talk();
        talk.client(3, 1, "c").conversation.forget_octets();
        assert_eq!((talk.conversation.held_cost(), talk.finish().as_str()), (0, ""));
    }
}
