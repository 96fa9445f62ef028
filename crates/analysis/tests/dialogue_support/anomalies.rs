//! The list of anomalies is closed: each kind stands in `docs/anomalies.md` and has a test of its name.

use std::fmt::Write as _;

use analysis::anomaly::AnomalyKind;
use serde_json::Value;

use crate::dialogue_support::{Role, Step, analyse, parse, play};

/// What the server offers in the dialogues of [`raises`].
const OPENING: &str = "S: 220 mx.example ESMTP
    C: EHLO client.example
    S: 250-mx.example
    S: 250-SIZE 1000
    S: 250-PIPELINING
    S: 250-CHUNKING
    S: 250-8BITMIME
    S: 250-STARTTLS
    S: 250 AUTH PLAIN LOGIN
";

/// Where an anomaly is to be: the side, what stands in its stream at the offset, and the detail.
pub(crate) type Place<'a> = (Role, &'a str, &'a str);

/// Behind [`OPENING`] the dialogue raises the kind once, in this place, and its neighbour nothing at all. Both end with
/// the close of the connection, if with no other event.
#[track_caller]
pub(crate) fn raises(kind: AnomalyKind, place: Place<'_>, dialogue: &str, neighbour: &str) {
    raises_alone(kind, place, &format!("{OPENING}{dialogue}"), &format!("{OPENING}{neighbour}"));
}

/// The same for dialogues that have an opening of their own.
#[track_caller]
pub(crate) fn raises_alone(kind: AnomalyKind, place: Place<'_>, dialogue: &str, neighbour: &str) {
    let (role, at, detail) = place;
    let raised = anomaly(kind, dialogue);
    let offset = usize::try_from(raised["offset"].as_u64().expect("an offset")).expect("a short dialogue");
    let stream = stream(&parse(dialogue), role);
    let found = String::from_utf8_lossy(&stream[offset..]);
    assert!(found.starts_with(at), "{kind:?} is at {:?}", found.chars().take(40).collect::<String>());
    assert_eq!(raised["direction"], if role == Role::Client { "client" } else { "server" });
    assert_eq!(raised["detail"], detail);
    assert!(raised["timestamp"].as_f64().expect("a time") >= 1_700_000_000.0);
    assert_eq!(kinds(neighbour), Vec::<String>::new(), "of the neighbour");
}

/// The one anomaly of this kind in a dialogue.
#[track_caller]
fn anomaly(kind: AnomalyKind, dialogue: &str) -> Value {
    let all = anomalies(dialogue);
    let of_kind: Vec<&Value> = all.iter().filter(|anomaly| anomaly["kind"] == kind.as_str()).collect();
    assert_eq!(of_kind.len(), 1, "{kind:?} among {all:?}");
    of_kind[0].clone()
}

/// The kinds that a dialogue raises, in order.
pub(crate) fn kinds(dialogue: &str) -> Vec<String> {
    anomalies(dialogue).iter().map(|anomaly| anomaly["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// The kinds that a dialogue behind [`OPENING`] raises, in order.
pub(crate) fn kinds_behind_opening(dialogue: &str) -> Vec<String> {
    kinds(&format!("{OPENING}{dialogue}"))
}

fn anomalies(dialogue: &str) -> Vec<Value> {
    let end = if dialogue.trim_end().ends_with(']') { "" } else { "\n[close]" };
    let document = analyse(&[&play(&parse(&format!("{dialogue}{end}")))]);
    let sessions: Vec<&Value> = document["sessions"].as_object().expect("sessions").values().collect();
    assert_eq!(sessions.len(), 1, "sessions of {dialogue}");
    sessions[0]["anomalies"].as_array().expect("anomalies").clone()
}

/// All that a side said.
fn stream(steps: &[Step], side: Role) -> Vec<u8> {
    let of_side = steps.iter().filter_map(|step| match step {
        Step::Octets { role, lines, .. } if *role == side => Some(lines.concat()),
        _ => None,
    });
    of_side.collect::<Vec<_>>().concat()
}

const TESTS: [&str; 3] =
    [include_str!("anomalies_lines.rs"), include_str!("anomalies_order.rs"), include_str!("anomalies_replies.rs")];

#[test]
fn every_kind_has_a_test_of_its_name() {
    for kind in AnomalyKind::ALL {
        let test = format!("#[test]\nfn {}() {{", kind.as_str());
        assert!(TESTS.iter().any(|source| source.contains(&test)), "no test {}", kind.as_str());
    }
}

/// Print the expected text, and put it there, where this fails.
#[test]
fn the_document_lists_every_kind() {
    let mut expected = String::from(DOCUMENT_HEAD);
    for kind in AnomalyKind::ALL {
        let about = kind.description();
        for text in [about.meaning, about.clause, about.peers] {
            assert!(!text.trim().is_empty() && !text.contains('|'), "{kind:?}");
        }
        let (meaning, clause) = (about.meaning.trim(), about.clause.trim_end_matches('.'));
        writeln!(expected, "| `{}` | {meaning} | {clause} | {} |", kind.as_str(), about.peers).expect("a string");
    }
    let document = include_str!("../../../../docs/anomalies.md");
    assert!(document == expected, "docs/anomalies.md should be:\n{expected}");
}

const DOCUMENT_HEAD: &str = "\
# Anomalies

What `anomalies[].kind` of a session may be. Each has the time, the direction, the offset in that side's stream, and in
`detail` a short explanation or at most 64 of the octets concerned, escaped, without secrets. The list is closed: it is
made from `AnomalyKind`, and the test of the same name shows each kind beside a dialogue that is in order.

What a standard foresees is no anomaly, however unwelcome: a refused DATA (Suricata's `data_command_rejected`), a failed
AUTH, a close without QUIT. Faults of the message itself (Suricata's `mime_*`, Zeek's limits of addresses and paths) and
conclusions from several events are no anomalies of the dialogue either.

| kind | meaning | clause | what peers call it |
|---|---|---|---|
";
