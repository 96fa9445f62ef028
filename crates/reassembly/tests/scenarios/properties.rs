//! Any order of arrival, and any segments at all.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A dialogue of alternating turns, each octet a segment or more, as lists of segments with their times.
fn dialogue(turns: &[(bool, usize)]) -> Vec<Seg> {
    let mut segments = handshake(99, 499);
    let (mut client, mut server, mut letter) = (100, 500, 0u8);
    for &(from_client, len) in turns {
        let text: String = (0..len)
            .map(|_| {
                letter = (letter + 1) % 26;
                char::from(b'a' + letter)
            })
            .collect();
        let len = u32::try_from(len).unwrap();
        if from_client {
            segments.push(c(client).ack(server).data(&text));
            client += len;
        } else {
            segments.push(s(server).ack(client).data(&text));
            server += len;
        }
    }
    segments.push(c(client).ack(server).fin());
    segments.push(s(server).ack(client + 1).fin());
    segments
}

proptest! {
    /// Within the reorder time any order of arrival, with any duplicates, tells the same story.
    #[test]
    fn tells_one_story(
        turns in prop::collection::vec((any::<bool>(), 1usize..9), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let plain = dialogue(&turns);
        let expected = one(&plain);
        // Behind the SYN of the client anything may come first, its answer too.
        let (opening, rest) = plain.split_at(1);
        let mut rest: Vec<Seg> = rest.to_vec();
        for pair in order.chunks(2) {
            if let [a, b] = pair { let (a, b) = (a.index(rest.len()), b.index(rest.len())); rest.swap(a, b); }
            if let [a] = pair { let copy = rest[a.index(rest.len())].clone(); rest.push(copy); }
        }
        let shuffled: Vec<Seg> = opening.iter().cloned().chain(rest).enumerate()
            .map(|(index, seg)| seg.at(i64::try_from(index).unwrap())).collect();
        let seen = one(&shuffled);
        let letters = |story: &str, arrow: char| -> String {
            story.split(' ').filter(|turn| turn.starts_with(arrow) && !turn.ends_with('.')).map(|turn| &turn[1..]).collect()
        };
        prop_assert_eq!(letters(&seen.story, '>'), letters(&expected.story, '>'));
        prop_assert_eq!(letters(&seen.story, '<'), letters(&expected.story, '<'));
        prop_assert_eq!(seen.octets[0].missing + seen.octets[1].missing, 0);
        prop_assert_eq!(seen.end, Some(FlowEnd::Closed));
        for (direction, cause, delivered) in seen.causes {
            // An acknowledgment can count the FIN, which is no octet.
            prop_assert!(cause.min(seen.next[direction]) <= delivered);
        }
    }

    /// Whatever arrives, every payload octet is accounted for and no direction is delivered twice.
    #[test]
    fn loses_no_octet(ignore in any::<bool>(), segments in prop::collection::vec(
        (any::<bool>(), 0u32..60, prop::option::of(0u32..70), "[a-z]{0,9}", 0u8..20, (0u32..4, 0u16..40), 0i64..700_000), 0..60)) {
        let segments: Vec<Seg> = segments.into_iter().map(|(client, seq, ack, text, flags, (missing, window), millis)| Seg {
            flags: Flags { syn: flags == 1, fin: flags == 2, rst: flags == 3 },
            from_client: client, seq, ack, window, scale: None, payload: text.into_bytes(), missing, millis,
        }).collect();
        let limits = FlowLimits { held_octets_per_direction: 600, reorder_time: Duration::from_millis(200), ..FlowLimits::default() };
        let (mut table, mut recorder) = (FlowTable::new(limits), Recorder { ignore, ..Recorder::default() });
        run(&mut table, &mut recorder, &segments);
        assert_all_counted(&table, &recorder, &segments);
        for flow in recorder.flows {
            let delivered: u64 = flow.octets.iter().map(|octets| octets.delivered).sum();
            let letters = flow.story.split(' ').filter(|turn| !turn.contains('[')).flat_map(str::chars).filter(char::is_ascii_lowercase).count();
            prop_assert_eq!(delivered, letters as u64);
        }
    }

    /// The naive twin of the table for one direction: a map from offset to the octet that was captured first.
    #[test]
    fn agrees_with_a_map_of_octets(
        pieces in prop::collection::vec((0usize..200, 1usize..30, prop::bool::weighted(0.2)), 1..40),
        fin in any::<bool>(),
    ) {
        let octet = |at: usize, altered: bool| {
            let letter = b'a' + u8::try_from(at % 26).unwrap();
            if altered { letter.to_ascii_uppercase() } else { letter }
        };
        let (mut segments, mut twin) = (handshake(99, 499), BTreeMap::new());
        let (mut again, mut differing) = (0, 0);
        for (millis, &(from, len, altered)) in (0..).zip(&pieces) {
            let octets: Vec<u8> = (from..from + len).map(|at| octet(at, altered)).collect();
            for (at, &octet) in (from..).zip(&octets) {
                match twin.get(&at) {
                    Some(first) => { again += 1; differing += u64::from(*first != octet); }
                    None => { twin.insert(at, octet); }
                }
            }
            let text = String::from_utf8(octets).unwrap();
            segments.push(c(100 + u32::try_from(from).unwrap()).ack(500).data(&text).at(millis));
        }
        let end = twin.keys().next_back().map_or(0, |&last| last + 1);
        if fin {
            segments.push(c(100 + u32::try_from(end).unwrap()).ack(500).fin().at(1_000));
        }
        let mut expected = String::new();
        let mut at = 0;
        for (&offset, &octet) in &twin {
            if offset > at {
                expected += &format!(" >[FlowEnd_{}]", offset - at);
            }
            if offset > at || at == 0 {
                expected += " >";
            }
            expected.push(char::from(octet));
            at = offset + 1;
        }
        expected += if fin { " >." } else { "" };
        let seen = one(&segments);
        prop_assert_eq!(&seen.story, &expected);
        let octets = seen.octets[0];
        prop_assert_eq!(octets.delivered, twin.len() as u64);
        prop_assert_eq!(octets.missing, (end - twin.len()) as u64);
        prop_assert_eq!((octets.retransmitted + octets.conflicting, octets.discarded), (again, 0));
        prop_assert_eq!(octets.conflicting > 0, differing > 0, "none is overlooked, none is made up");
    }
}
