//! Recordings of real servers and clients (`testdata/`), held against facts that were written down from the clients'
//! transcripts and do not come from this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "support/facts.rs"]
mod facts;
#[path = "support/secrets.rs"]
mod secrets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use analysis::message::MessageOptions;
use analysis::plan::Plan;
use analysis::report::Report;
use analysis::session::Options;
use analysis::{context, features, insights, run, summary};
use serde_json::{Value, json};

use facts::{Comparison, Features};

#[test]
fn recordings_hold_what_the_transcripts_say() {
    let mut disagreements = Vec::new();
    let (mut captures, mut checks) = (0, 0);
    for name in names("json") {
        let facts: Value = serde_json::from_slice(&fs::read(testdata().join(format!("{name}.json"))).unwrap()).unwrap();
        let Some(capture) = capture_of(&name) else {
            disagreements.push(format!("{name}: no capture of that name"));
            continue;
        };
        let features = features_of(&[capture], Options::default());
        let comparison = Comparison::of(&facts, &features);
        captures += 1;
        checks += comparison.checks;
        disagreements.extend(comparison.disagreements.iter().map(|line| format!("{name}: {line}")));
        if !features.capture["files"][0]["error"].is_null() {
            disagreements.push(format!("{name}: {}", features.capture["files"][0]["error"]));
        }
    }
    assert!(captures >= 95, "{captures} captures were compared; testdata has more");
    assert!(
        disagreements.is_empty(),
        "{} of {checks} checks disagree with the facts of {captures} captures:\n{}",
        disagreements.len(),
        disagreements.join("\n")
    );
}

#[test]
fn the_comparison_finds_what_is_wrong() {
    let facts: Value = serde_json::from_slice(&fs::read(testdata().join("exim-encoded-words.json")).unwrap()).unwrap();
    let features = features_of(&[capture_of("exim-encoded-words").unwrap()], Options::default());
    assert_eq!(Comparison::of(&facts, &features).disagreements, [""; 0]);
    let seconds = facts["sessions"][0]["first_seen"].as_f64().unwrap();
    let wrong = [
        ("/sessions", json!([])),
        ("/sessions/0/first_seen", json!(seconds + 0.000_01)),
        ("/sessions/0/commands/0", json!("HELO")),
        ("/sessions/0/reply_codes/0", json!(221)),
        ("/sessions/0/greeting", json!(null)),
        ("/sessions/0/auth", json!([{"mechanism": "PLAIN", "username": null, "outcome": "success"}])),
        ("/sessions/0/transactions/0/rcpt_to/1/accepted", json!(false)),
        ("/sessions/0/transactions/0/message_bytes", json!(506)),
        ("/sessions/0/transactions/0/to/1", json!("john@example.org")),
    ];
    for (place, value) in wrong {
        let mut facts = facts.clone();
        *facts.pointer_mut(place).unwrap() = value;
        let disagreements = Comparison::of(&facts, &features).disagreements;
        assert!(!disagreements.is_empty(), "{place} was changed");
        facts["open"] = json!([{"at": "sessions", "also": ["*"]}]);
        let is_open = Comparison::of(&facts, &features).disagreements.is_empty();
        assert!(is_open || place == "/sessions", "everything is open");
    }
}

/// A document that says of a message what the facts say is good, and any change in it is found.
#[test]
fn the_comparison_finds_what_is_wrong_in_messages() {
    let in_alternative = [
        ("/attachments", json!([])),
        ("/attachments/0/filename", json!("caf.png")),
        ("/attachments/0/content_type", json!("image/jpeg")),
        ("/attachments/0/decoded_size", json!(341)),
        ("/attachments/0/sha256", Value::Null),
        ("/parts/1/depth", json!(2)),
        ("/parts/2/transfer_encoding", json!("base64")),
        ("/urls/1/misleading", json!(false)),
        ("/reply_to/0/address", json!("bank@example.com")),
    ];
    let in_chain = [
        ("/received/0", json!({})),
        ("/received/1/delay", json!(5)),
        ("/claims/dkim_signatures/1/domain", json!("example.org")),
        ("/claims/list/one_click", json!(false)),
    ];
    for (name, wrong) in [("exim-curl-alternative", &in_alternative[..]), ("exim-relay-chain", &in_chain)] {
        let facts = fs::read(testdata().join(format!("{name}.json"))).unwrap();
        let facts: Value = serde_json::from_slice(&facts).unwrap();
        let mut good = features_of(&[capture_of(name).unwrap()], Options::default());
        let sessions = facts["sessions"].as_array().unwrap().iter();
        for (transaction, stated) in good.transactions.iter_mut().zip(sessions.map(|s| &s["transactions"][0])) {
            for field in facts::FURTHER.into_iter().filter(|field| stated.get(field).is_some()) {
                transaction["message"][field] = stated[field].clone();
            }
        }
        assert_eq!(Comparison::of(&facts, &good).disagreements, [""; 0]);
        for (place, value) in wrong {
            let mut features = good.clone();
            *features.transactions[0]["message"].pointer_mut(place).unwrap() = value.clone();
            assert!(!Comparison::of(&facts, &features).disagreements.is_empty(), "{place} of {name} was changed");
        }
    }
}

/// The passwords that the recording scripts use; no other secret is in the recordings.
const PASSWORDS: [&str; 4] = ["Sesam-oeffne-dich-1", "correct horse 2", "Tr0ub4dor&3", "wrong-guess-4"];
const USERS: [&str; 4] = ["alice", "bob", "carol", "admin"];

#[test]
fn no_secret_is_printed_unless_it_is_asked_for() {
    let mut leaks = Vec::new();
    let mut mechanisms = Vec::new();
    for capture in all_captures() {
        let responses = secrets::sasl_responses(&fs::read(&capture).unwrap(), &PASSWORDS);
        mechanisms.extend(responses.iter().map(|response| response.mechanism));
        let options =
            Options { message: MessageOptions { body: true, ..MessageOptions::default() }, ..Options::default() };
        let printed = every_output(&analyse(std::slice::from_ref(&capture), options));
        // The user name as LOGIN sends it is a SASL response too.
        let encoded = PASSWORDS.iter().chain(&USERS).map(|text| data_encoding::BASE64.encode(text.as_bytes()));
        let encoded: Vec<String> = encoded.collect();
        let needles = PASSWORDS
            .into_iter()
            .chain(encoded.iter().map(String::as_str))
            .chain(responses.iter().flat_map(|response| [response.encoded.as_str(), &response.secret]));
        for needle in needles {
            for (command, _) in printed.iter().filter(|(_, output)| output.contains(needle)) {
                leaks.push(format!("{}: {command} prints {needle}", capture.display()));
            }
        }
    }
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        assert!(mechanisms.contains(&mechanism), "no recording holds a response of {mechanism}");
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn every_secret_is_printed_where_it_is_asked_for() {
    let mut captures = 0;
    for capture in all_captures() {
        let responses = secrets::sasl_responses(&fs::read(&capture).unwrap(), &PASSWORDS);
        let printed =
            features_text(std::slice::from_ref(&capture), Options { reveal_secrets: true, ..Options::default() });
        for response in &responses {
            let shown = printed.contains(&response.secret) || printed.contains(&response.encoded);
            assert!(shown, "{}: {response:?} is not shown", capture.display());
        }
        captures += usize::from(!responses.is_empty());
    }
    assert!(captures >= 1, "no recording holds a secret");
}

/// A transaction's `eml` in the facts is the message as its client sent it, before it stuffed dots.
#[test]
fn messages_have_the_octets_of_their_originals() {
    let mut originals = BTreeSet::new();
    for name in names("json") {
        let facts: Value = serde_json::from_slice(&fs::read(testdata().join(format!("{name}.json"))).unwrap()).unwrap();
        let transactions = facts["sessions"].as_array().into_iter().flatten().flat_map(|session| {
            let key = format!("{}-{}", session["client"].as_str().unwrap(), session["server"].as_str().unwrap());
            let transactions = session["transactions"].as_array().into_iter().flatten().enumerate();
            transactions.map(move |(index, transaction)| (key.clone(), index, transaction))
        });
        let sent: Vec<(String, usize, &str)> =
            transactions.filter_map(|(key, index, t)| Some((key, index, t["eml"].as_str()?))).collect();
        if sent.is_empty() {
            continue;
        }
        let features = features_of(&[capture_of(&name).unwrap()], Options::default());
        for (key, index, eml) in sent {
            let original = fs::read(testdata().join(eml)).unwrap();
            let of_session = features.transactions.iter().filter(|t| t["session"] == key).nth(index);
            let message = &of_session.unwrap_or_else(|| panic!("{name}: no transaction {index} of {key}"))["message"];
            assert_eq!(message["bytes"], original.len(), "{eml}");
            assert_eq!(message["complete"], true, "{eml}");
            originals.insert(eml.to_owned());
        }
    }
    let files: BTreeSet<String> = names("eml").into_iter().map(|name| format!("{name}.eml")).collect();
    assert!(files.len() >= 20, "{} originals; testdata has more", files.len());
    assert_eq!(originals, files);
}

#[test]
fn stuffed_dots_are_gone_from_the_body() {
    let original = fs::read_to_string(testdata().join("postfix-dot-stuffing.eml")).unwrap();
    let (_, body) = original.split_once("\r\n\r\n").unwrap();
    let options = Options { message: MessageOptions { body: true, ..MessageOptions::default() }, ..Options::default() };
    let features = features_of(&[capture_of("postfix-dot-stuffing").unwrap()], options);
    let text = features.transactions[0]["message"]["text"].as_str().unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), body.lines().collect::<Vec<_>>());
}

/// `rotated/part-*.pcap` are the packets of `exim-rotated.pcap`; all three connections begin in the first file and end
/// in the last.
#[test]
fn a_recording_in_pieces_is_one_recording() {
    let whole = features_of(&[capture_of("exim-rotated").unwrap()], Options::default());
    assert_eq!(whole.sessions.len(), 3);
    let part = |number: usize| testdata().join(format!("rotated/part-{number}.pcap"));
    let orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
    let mut arguments: Vec<Vec<PathBuf>> = orders.iter().map(|order| order.map(part).to_vec()).collect();
    arguments.push(vec![testdata().join("rotated")]);
    for arguments in arguments {
        let pieces = features_of(&arguments, Options::default());
        let read: Vec<&str> =
            pieces.capture["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
        assert_eq!(read, [part(1), part(2), part(3)].map(|path| path.to_str().unwrap().to_owned()), "{arguments:?}");
        for (key, session) in &pieces.sessions {
            assert_eq!(session["start"], "handshake", "{key} of {arguments:?}");
            assert_eq!(session["end"], "closed", "{key} of {arguments:?}");
        }
        assert_eq!(without_files(pieces), without_files(whole.clone()), "{arguments:?}");
    }
}

/// A connection of which only the middle is there ends with the capture, and is not taken for whole.
#[test]
fn a_piece_alone_is_incomplete() {
    let piece = features_of(&[testdata().join("rotated/part-1.pcap")], Options::default());
    assert_eq!(piece.sessions.len(), 3);
    for (key, session) in &piece.sessions {
        assert_eq!(session["end"], "end_of_capture", "{key}");
    }
    assert_eq!(piece.summary["completed_transactions"], 0, "no final reply is in the first piece");
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// The files of `testdata` with this extension, without it, sorted.
fn names(extension: &str) -> Vec<String> {
    let files = fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn capture_of(name: &str) -> Option<PathBuf> {
    ["pcap", "pcapng"].iter().map(|e| testdata().join(format!("{name}.{e}"))).find(|path| path.exists())
}

fn all_captures() -> Vec<PathBuf> {
    let captures: Vec<PathBuf> =
        [names("pcap"), names("pcapng")].iter().flatten().filter_map(|name| capture_of(name)).collect();
    assert!(captures.len() >= 95, "{} captures; testdata has more", captures.len());
    captures
}

fn analyse(paths: &[PathBuf], options: Options) -> Report {
    let plan = Plan::new(paths);
    assert_eq!(plan.unreadable, [], "{paths:?}");
    run::analyse(&plan, options)
}

fn features_text(paths: &[PathBuf], options: Options) -> String {
    let mut out = Vec::new();
    features::write(&analyse(paths, options), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn features_of(paths: &[PathBuf], options: Options) -> Features {
    serde_json::from_str(&features_text(paths, options)).unwrap()
}

/// What each command prints, with everything that can be asked of it.
fn every_output(report: &Report) -> [(&'static str, String); 4] {
    let everything = insights::Options {
        queries: true,
        response_codes: true,
        internal_domains: vec!["example.org".to_owned()],
        tunneling: true,
    };
    let mut outputs = [(); 4].map(|()| Vec::new());
    let [features, context, insights, summary] = &mut outputs;
    features::write(report, features).unwrap();
    let found = insights::Assessment::of(report, &insights::FindingOptions::default());
    context::write(report, &found, &context::Options::EVERYTHING, context).unwrap();
    insights::write(report, &found, &everything, insights).unwrap();
    summary::write(report, summary).unwrap();
    let [features, context, insights, summary] = outputs.map(|output| String::from_utf8(output).unwrap());
    [("features", features), ("context", context), ("insights", insights), ("summary", summary)]
}

/// Everything but the names and sizes of the files.
fn without_files(mut features: Features) -> Features {
    features.capture["files"] = Value::Null;
    features
}
