//! A connection that has not shown more than its handshake: the headers of a few segments, and no streams.
//!
//! Most of what a port scan or a flood of SYNs opens never becomes more. Such a connection is kept as the steps it has
//! taken (RFC 9293 §3.5, figure 6), in a third of the memory of a [`Flow`] and without the state of an observer. As soon
//! as a segment comes that is no such step, the steps are played to a real flow: what an observer is told is the same, only
//! later.
//!
//! ```text
//!   SYN ──▶ SYN/ACK ──▶ ACK       each of them as often as it is sent again
//!    └────────┴───────────┴──▶ RST that counts
//!   or the first segment captured is a SYN/ACK or has neither octets nor flags
//! ```

use std::time::Duration;

use capture::{Encapsulation, Flags, Segment, SeqNumber, Timestamp};

use crate::flow::Flow;
use crate::key::{FlowKey, Side};
use crate::{FlowLimits, FlowObserver};

/// See the module.
#[derive(Debug)]
pub(crate) struct Handshake {
    key: FlowKey,
    encapsulation: Encapsulation,
    first_seen: Timestamp,
    last_seen: Timestamp,
    steps: [Step; MOST_STEPS],
    taken: u8,
}

/// SYN, SYN/ACK, ACK, RST.
const MOST_STEPS: usize = 4;

/// The header of a segment without octets.
#[derive(Debug, Clone, Copy)]
struct Step {
    timestamp: Timestamp,
    seq: SeqNumber,
    ack: SeqNumber,
    window: u16,
    window_scale: u8,
    side: Side,
    has_ack: bool,
    has_window_scale: bool,
    syn: bool,
    rst: bool,
}

impl Handshake {
    /// A connection that begins with this segment, if a flow would know no more than its header.
    pub(crate) fn begin(key: FlowKey, side: Side, segment: &Segment<'_>) -> Option<Self> {
        let step = Step::of(side, segment).filter(|step| !step.rst)?;
        Some(Self {
            key,
            encapsulation: segment.encapsulation,
            first_seen: segment.timestamp,
            last_seen: segment.timestamp,
            steps: [step; MOST_STEPS],
            taken: 1,
        })
    }

    /// Takes in the next step, or one that is sent again; false if it is neither.
    pub(crate) fn advance(&mut self, side: Side, segment: &Segment<'_>, limits: &FlowLimits) -> bool {
        if segment.timestamp.since(self.last_seen) > self.patience(limits) {
            return false;
        }
        let Some(step) = Step::of(side, segment) else { return false };
        let is_again = self.taken().iter().any(|earlier| earlier.is_same(&step));
        if !is_again {
            if !self.expects(&step) {
                return false;
            }
            let Some(place) = self.steps.get_mut(usize::from(self.taken)) else { return false };
            *place = step;
            self.taken += 1;
        }
        self.first_seen = self.first_seen.min(segment.timestamp);
        self.last_seen = self.last_seen.max(segment.timestamp);
        true
    }

    /// The flow that would stand if every step had been taken by it.
    pub(crate) fn into_flow<O: FlowObserver>(self, limits: &FlowLimits, observer: &mut O) -> Option<Flow<O::State>> {
        let mut flow = None;
        for step in self.taken() {
            let segment = self.segment(step);
            let flow = flow.get_or_insert_with(|| Flow::open(self.key, step.side, &segment, observer));
            flow.segment(step.side, &segment, limits, observer);
        }
        flow.map(|flow| flow.with_times(self.first_seen, self.last_seen))
    }

    pub(crate) fn key(&self) -> &FlowKey {
        &self.key
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// Whether both sides have answered each other.
    pub(crate) fn is_complete(&self) -> bool {
        self.taken().len() > 2 && !self.has_ended()
    }

    /// Whether a reset has ended it.
    pub(crate) fn has_ended(&self) -> bool {
        self.taken().last().is_some_and(|step| step.rst)
    }

    /// How long it may be silent and still be the same connection.
    pub(crate) fn patience(&self, limits: &FlowLimits) -> Duration {
        if self.has_ended() { limits.linger_time } else { limits.idle_time }
    }

    /// Whether this follows from the steps taken.
    fn expects(&self, step: &Step) -> bool {
        let acknowledges = |other: &Step| step.side != other.side && step.has_ack && step.ack == other.seq.plus(1);
        let follows = |own: &Step| step.side == own.side && step.seq == own.seq.plus(1);
        match self.taken() {
            _ if self.has_ended() || (step.rst && step.syn) => false,
            // RFC 9293 §3.10.7.3: a SYN is refused by a reset that acknowledges it.
            [syn] if syn.syn && !syn.has_ack && step.rst => acknowledges(syn) || follows(syn),
            [syn] if syn.syn && !syn.has_ack => step.syn && acknowledges(syn),
            // §3.5.2: either side may reset with its next number.
            [syn, answer, ..] if step.rst => follows(syn) || follows(answer),
            [syn, answer] => !step.syn && follows(syn) && acknowledges(answer),
            _ => false,
        }
    }

    fn taken(&self) -> &[Step] {
        self.steps.get(..usize::from(self.taken)).unwrap_or_default()
    }

    fn segment(&self, step: &Step) -> Segment<'static> {
        Segment {
            source: self.key.address(step.side),
            destination: self.key.address(step.side.other()),
            seq: step.seq,
            ack: step.has_ack.then_some(step.ack),
            flags: Flags { syn: step.syn, fin: false, rst: step.rst },
            window: step.window,
            window_scale: step.has_window_scale.then_some(step.window_scale),
            payload: &[],
            payload_at: None,
            missing: 0,
            timestamp: step.timestamp,
            encapsulation: self.encapsulation,
        }
    }
}

impl Step {
    /// The header of this segment, if there is no more to it.
    fn of(side: Side, segment: &Segment<'_>) -> Option<Self> {
        let Flags { syn, fin, rst } = segment.flags;
        (segment.payload.is_empty() && segment.missing == 0 && !fin).then(|| Self {
            timestamp: segment.timestamp,
            seq: segment.seq,
            ack: segment.ack.unwrap_or_default(),
            window: segment.window,
            window_scale: segment.window_scale.unwrap_or_default(),
            side,
            has_ack: segment.ack.is_some(),
            has_window_scale: segment.window_scale.is_some(),
            syn,
            rst,
        })
    }

    /// Whether it is the other one, sent again.
    fn is_same(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }

    /// All but the time.
    fn fields(&self) -> (SeqNumber, SeqNumber, u16, u8, Side, [bool; 4]) {
        let bits = [self.has_ack, self.has_window_scale, self.syn, self.rst];
        (self.seq, self.ack, self.window, self.window_scale, self.side, bits)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::{FlowEnd, FlowInfo, Interest, StreamEvent};

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
    fn header(from_client: bool, seq: u32, ack: Option<u32>, flags: &str, second: i64) -> Segment<'static> {
        let client = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let server = SocketAddr::from(([198, 51, 100, 2], 25));
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        Segment {
            source,
            destination,
            seq: SeqNumber::new(seq),
            ack: ack.map(SeqNumber::new),
            flags: Flags { syn: flags.contains('S'), fin: flags.contains('F'), rst: flags.contains('R') },
            window: 1_000,
            window_scale: flags.contains('S').then_some(7),
            payload: &[],
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::from_nanos(second * 1_000_000_000),
            encapsulation: Encapsulation::default(),
        }
    }

    /// How many of the segments are taken as steps.
    fn taken(segments: &[Segment<'static>]) -> usize {
        let mut handshake: Option<Handshake> = None;
        let is_taken = |segment: &&Segment<'static>| {
            let (key, side) = FlowKey::with_side(segment.source, segment.destination);
            match &mut handshake {
                Some(handshake) => handshake.advance(side, segment, &FlowLimits::default()),
                None => {
                    handshake = Handshake::begin(key, side, segment);
                    handshake.is_some()
                }
            }
        };
        segments.iter().take_while(is_taken).count()
    }

    /// RFC 9293 §3.5, figure 6.
    #[test]
    fn a_handshake_is_three_steps_each_as_often_as_it_is_sent() {
        let syn = header(true, 100, None, "S", 0);
        let answer = header(false, 300, Some(101), "S", 1);
        let ack = header(true, 101, Some(301), "", 2);
        assert_eq!(taken(&[syn, answer, ack, syn, answer, answer, ack]), 7);
        assert_eq!(taken(&[syn, syn, header(false, 300, Some(102), "S", 1)]), 2, "acknowledges no SYN");
        assert_eq!(taken(&[syn, answer, header(true, 101, Some(302), "", 1)]), 2, "acknowledges more");
        assert_eq!(taken(&[syn, answer, ack, header(true, 102, Some(301), "", 3)]), 3, "an octet is missing");
        assert_eq!(taken(&[syn, Segment { payload: b"x", ..answer }]), 1);
        assert_eq!(taken(&[syn, answer, header(true, 101, Some(301), "F", 3)]), 2);
        assert_eq!(taken(&[answer, syn]), 1);
    }

    /// RFC 9293 §3.10.7.3 and §3.5.2.
    #[test]
    fn a_reset_is_the_last_step() {
        let (syn, answer) = (header(true, 100, None, "S", 0), header(false, 300, Some(101), "S", 1));
        let refused = header(false, 0, Some(101), "R", 1);
        assert_eq!(taken(&[syn, refused, syn, refused]), 4);
        assert_eq!(taken(&[syn, refused, answer]), 2);
        assert_eq!(taken(&[syn, answer, header(true, 101, None, "R", 2)]), 3);
        assert_eq!(taken(&[syn, header(false, 0, Some(100), "R", 1)]), 1, "acknowledges nothing");
    }

    #[test]
    fn silence_ends_it_like_a_flow() {
        let syn = |second| header(true, 100, None, "S", second);
        let refused = header(false, 0, Some(101), "R", 1);
        assert_eq!(taken(&[syn(0), syn(600), syn(1_201)]), 2);
        assert_eq!(taken(&[syn(0), refused, syn(61), syn(122)]), 3);
    }

    proptest! {
        /// What becomes of the steps is the flow that had taken in every segment.
        #[test]
        fn becomes_the_flow_it_stands_for(choices in prop::collection::vec((0usize..8, 0i64..9), 1..12)) {
            let of = |&(choice, second): &(usize, i64)| match choice {
                0 | 1 => header(true, 100, None, "S", second),
                2 | 3 => header(false, 300, Some(101), "S", second),
                4 | 5 => header(true, 101, Some(301), "", second),
                6 => header(false, 301, Some(101), "R", second),
                _ => header(true, 101, None, "R", second),
            };
            let segments: Vec<_> = choices.iter().map(of).collect();
            let limits = FlowLimits::default();
            let (key, side) = FlowKey::with_side(segments[0].source, segments[0].destination);
            let mut flow = Flow::open(key, side, &segments[0], &mut Nobody);
            let Some(mut handshake) = Handshake::begin(key, side, &segments[0]) else { return Ok(()) };
            flow.segment(side, &segments[0], &limits, &mut Nobody);
            for segment in &segments[1..] {
                let side = FlowKey::with_side(segment.source, segment.destination).1;
                if !handshake.advance(side, segment, &limits) {
                    break;
                }
                flow.segment(side, segment, &limits, &mut Nobody);
            }
            prop_assert_eq!(handshake.has_ended(), flow.has_ended());
            prop_assert_eq!(handshake.patience(&limits), flow.patience(&limits));
            prop_assert_eq!(handshake.last_seen(), flow.last_seen());
            let played = handshake.into_flow(&limits, &mut Nobody);
            prop_assert_eq!(format!("{played:?}"), format!("{:?}", Some(flow)));
        }
    }
}
