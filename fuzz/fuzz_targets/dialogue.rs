//! A dialogue of both sides as the analysis reads it from segments.
//!
//! Input: the seed and the largest length of the pieces; bits (1: LMTP, 2: the connection is closed, 4: octets are lost,
//! 8: it is cut short); where it is cut, or which octets are lost; then what decides about the dialogue
//! (`fuzz::dialogue::script`).

#![no_main]

use std::net::SocketAddr;

use analysis::model::{Session, Via};
use analysis::report::{Capture, Report};
use analysis::session::Options;
use analysis::{features, run};
use capture::{Encapsulation, Flags, Segment, SeqNumber, Timestamp};
use fuzz::dialogue::{Script, Turn, script};
use fuzz::pieces;
use libfuzzer_sys::fuzz_target;
use reassembly::FlowLimits;

fuzz_target!(|input: &[u8]| {
    let [seed, largest, bits, place, choices @ ..] = input else { return };
    let mut script = script(bits & 1 != 0, choices);
    if bits & 8 != 0 {
        let kept = 1 + usize::from(*place) % script.turns.len();
        script.turns.truncate(kept);
    }
    let is_closed = bits & 2 != 0;
    if bits & 4 != 0 {
        return with_loss(&script, is_closed, *seed, *largest, *place);
    }
    let whole = follow(&script, is_closed, |_, octets| vec![(octets, true)]);
    check(&script, &whole);
    let whole = document(whole);
    let split = follow(&script, is_closed, |_, octets| pieces(octets, *seed, *largest).map(|o| (o, true)).collect());
    assert_eq!(document(split), whole);
    let single = follow(&script, is_closed, |_, octets| octets.chunks(1).map(|octet| (octet, true)).collect());
    assert_eq!(document(single), whole);
});

/// Nothing is lost: replies, those outstanding and the commands that expect them add up, one by one.
fn check(script: &Script, sessions: &[Session]) {
    let [session] = sessions else { panic!("{} sessions", sessions.len()) };
    let last = script.turns.last().expect("a greeting");
    assert_eq!(session.commands.len(), last.commands);
    let paired: Vec<_> = session.responses.iter().map(|reply| (reply.code.value(), reply.command)).collect();
    assert_eq!(paired, script.replies[..last.replies]);
    // What came by DATA to its end, whether anybody had begun a mail or not.
    let by_data = session.transactions.iter().filter(|mail| mail.via == Some(Via::Data));
    let messages: Vec<_> = by_data
        .filter_map(|mail| mail.message.as_ref())
        .filter(|m| m.complete)
        .map(|m| (m.bytes, m.wire_bytes))
        .collect();
    assert_eq!(messages, script.messages[..last.messages]);
    let said = |is_server| octets(script.turns.iter().filter(move |turn| turn.is_server == is_server));
    for (octets, said) in [(&session.octets.client, said(false)), (&session.octets.server, said(true))] {
        assert_eq!((octets.payload, octets.delivered, octets.missing), (said, said, 0));
    }
}

/// Octets are lost: all others are accounted for, and no reply is that of a command which does not exist.
fn with_loss(script: &Script, is_closed: bool, seed: u8, largest: u8, place: u8) {
    let sessions = follow(script, is_closed, |turn, octets| {
        let cut = pieces(octets, seed, largest).enumerate();
        cut.map(|(piece, octets)| (octets, (turn * 7 + piece) % (2 + usize::from(place)) != 1)).collect()
    });
    assert!(sessions.len() <= 1);
    let Some(session) = sessions.first() else { return };
    let said = |is_server| octets(script.turns.iter().filter(move |turn| turn.is_server == is_server));
    for (octets, said) in [(&session.octets.client, said(false)), (&session.octets.server, said(true))] {
        let of_captured = octets.delivered + octets.retransmitted + octets.conflicting + octets.discarded;
        assert_eq!(octets.payload, of_captured);
        assert!(octets.delivered + octets.missing <= said);
    }
    assert!(session.responses.iter().filter_map(|reply| reply.command).all(|index| index < session.commands.len()));
    assert!(session.responses.len() <= script.replies.len());
    let order: Vec<_> = session.responses.iter().filter_map(|reply| reply.command).collect();
    assert!(order.is_sorted(), "a reply answers a command before that of the reply before it");
}

fn octets<'a>(turns: impl Iterator<Item = &'a Turn>) -> u64 {
    turns.map(|turn| turn.octets.len() as u64).sum()
}

fn document(sessions: Vec<Session>) -> String {
    let mut document = Vec::new();
    features::write(&Report::new(sessions, Capture::default()), &mut document).expect("a vector takes all");
    String::from_utf8(document).expect("JSON is UTF-8")
}

/// The sessions in the script's turns, a second apart, each in the pieces of `split` that are captured.
fn follow(script: &Script, is_closed: bool, split: impl Fn(usize, &[u8]) -> Vec<(&[u8], bool)>) -> Vec<Session> {
    let sides = [SocketAddr::from(([192, 0, 2, 1], 40_000)), SocketAddr::from(([198, 51, 100, 25], 25))];
    let mut next = [0_u32; 2];
    let mut segments = Vec::new();
    let (syn, fin) = (Flags { syn: true, ..Flags::default() }, Flags { fin: true, ..Flags::default() });
    let mut push = |is_server: bool, flags: Flags, payload, is_captured: bool, second: usize| {
        let (own, other) = (usize::from(is_server), usize::from(!is_server));
        let segment = Segment {
            source: sides[own],
            destination: sides[other],
            seq: SeqNumber::new(next[own]),
            ack: (is_server || !flags.syn).then(|| SeqNumber::new(next[other])),
            flags,
            window: 65_535,
            window_scale: None,
            payload,
            payload_at: None,
            missing: 0,
            timestamp: Timestamp::from_nanos(second as i64 * 1_000_000_000),
            encapsulation: Encapsulation::default(),
        };
        next[own] += payload.len() as u32 + u32::from(flags.syn || flags.fin);
        if is_captured {
            segments.push(segment);
        }
    };
    push(false, syn, &[], true, 0);
    push(true, syn, &[], true, 0);
    for (second, Turn { is_server, octets, .. }) in script.turns.iter().enumerate() {
        split(second, octets).into_iter().for_each(|(piece, is_captured)| {
            push(*is_server, Flags::default(), piece, is_captured, second);
        });
    }
    if is_closed {
        push(false, fin, &[], true, script.turns.len());
        push(true, fin, &[], true, script.turns.len());
    }
    let mut sessions = Vec::new();
    run::follow(segments, Options::default(), FlowLimits::default(), &mut sessions);
    sessions
}
