//! The command `log`: what `features` prints, a line each, in the order in which sessions end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;

use analysis::log;
use analysis::plan::Plan;
use analysis::session::Options;
use kit::{KitPacket, pcap};
use process::{Folder, Mail, Run, document, one_mail, recording, smtpscope, smtpscope_cut_off, smtpscope_reading};
use serde_json::{Value, json};

fn testdata() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../testdata"].iter().collect();
    path.to_str().unwrap().to_owned()
}

/// The directories in which recordings are, each of which is read as one.
fn directories() -> Vec<String> {
    let names = ["compressed", "formats", "other", "proxied", "rotated", "tls", "tunnels"];
    let below = names.map(|name| format!("{}/{name}", testdata()));
    [testdata()].into_iter().chain(below).collect()
}

/// The lines, each of which has to be an object with its type first.
#[track_caller]
fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    assert!(text.ends_with('\n'), "the last line has an end");
    let line = |line: &str| {
        assert!(line.starts_with("{\"type\":\""), "{line}");
        serde_json::from_str(line).expect("JSON")
    };
    text.lines().map(line).collect()
}

#[track_caller]
fn lines_of(arguments: &[&str]) -> Vec<Value> {
    lines(&smtpscope(arguments).succeeds().stdout)
}

/// Type and key, or what the line is.
fn briefs(lines: &[Value]) -> Vec<String> {
    let brief = |line: &Value| match line["session"].as_str() {
        Some(key) => format!("{} {key}", line["type"].as_str().unwrap()),
        None => line["type"].as_str().unwrap().to_owned(),
    };
    lines.iter().map(brief).collect()
}

/// Packets put in the order of their times.
fn by_time(mut packets: Vec<KitPacket>) -> Vec<KitPacket> {
    packets.sort_by_key(|packet| packet.nanos);
    packets
}

/// The contract: "or `{"type": "capture", …}` with Summary and Capture" as the last line, everything else before it, a
/// transaction before its session, and sessions in the order in which they end.
#[test]
fn lines_stand_in_the_order_of_the_ends() {
    let folder = Folder::new();
    // The first connection is closed behind the second one's end, a third stays open.
    let mut first = Mail::default().packets(1);
    let late = first.split_off(first.len() - 5);
    let mut open = Mail::default().packets(3);
    open.truncate(open.len() - 3);
    let packets = [first, open, Mail::default().packets(2), late].concat();
    let printed = lines_of(&["log", &folder.file("a.pcap", &pcap(&packets))]);
    let key = |number| format!("192.0.2.1:{}-198.51.100.25:25", 20_000 + number);
    let expected: Vec<String> = [2, 1, 3]
        .iter()
        .flat_map(|&number| [format!("transaction {}", key(number)), format!("session {}", key(number))])
        .chain(["capture".to_owned()])
        .collect();
    assert_eq!(briefs(&printed), expected);
    let last = printed.last().unwrap();
    assert_eq!(last["summary"]["completed_transactions"], 3);
    assert_eq!(last["capture"]["packets"], packets.len());
    assert_eq!(last.as_object().unwrap().keys().collect::<Vec<_>>(), ["capture", "summary", "type"]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mut compared = 0;
    for directory in directories() {
        let with_jobs = |jobs: &str| smtpscope(&["log", "--jobs", jobs, &directory]);
        let one = with_jobs("1");
        compared += lines(&one.stdout).len();
        for jobs in ["2", "3", "8"] {
            let run = with_jobs(jobs);
            assert!(run.stdout == one.stdout, "{directory} with {jobs} threads");
            assert_eq!((run.status, &run.stderr), (one.status, &one.stderr));
        }
    }
    assert!(compared > 300, "{compared} lines were compared; testdata has more");
}

/// A session's key without its number among those of its 4-tuple, which `log` gives in another order.
fn without_number(key: &str) -> &str {
    key.split_once('#').map_or(key, |(four_tuple, _)| four_tuple)
}

/// All that the two commands print of a recording, by what it is: each line as text without what they say differently.
type Printed = BTreeMap<&'static str, Vec<String>>;

fn of_log(lines: &[Value]) -> Printed {
    let mut printed = Printed::new();
    for line in lines {
        let mut line = line.clone();
        let fields = line.as_object_mut().unwrap();
        let r#type = fields.remove("type").unwrap();
        let key = fields.get("session").map(|key| without_number(key.as_str().unwrap()).to_owned());
        match r#type.as_str().unwrap() {
            "transaction" => {
                let [client, client_port, server, server_port] =
                    ["client_ip", "client_port", "server_ip", "server_port"].map(|name| fields.remove(name).unwrap());
                let end = |ip: &Value, port: &Value| {
                    let ip: std::net::IpAddr = ip.as_str().unwrap().parse().unwrap();
                    std::net::SocketAddr::new(ip, u16::try_from(port.as_u64().unwrap()).unwrap()).to_string()
                };
                assert_eq!(key, Some(format!("{}-{}", end(&client, &client_port), end(&server, &server_port))));
                fields.insert("session".to_owned(), key.into());
                printed.entry("transactions").or_default().push(line.to_string());
            }
            "session" => {
                fields.insert("session".to_owned(), key.into());
                // See `late`.
                fields.remove("last_seen");
                fields.remove("octets");
                printed.entry("sessions").or_default().push(line.to_string());
            }
            "capture" => {
                printed.entry("summary").or_default().push(fields["summary"].to_string());
                printed.entry("capture").or_default().push(fields["capture"].to_string());
            }
            // See `tests/findings.rs`.
            "finding" => {}
            other => unreachable!("{other}"),
        }
    }
    printed.values_mut().for_each(|lines| lines.sort());
    printed
}

fn of_features(document: &Value) -> Printed {
    let mut printed = Printed::new();
    for (key, session) in document["sessions"].as_object().unwrap() {
        let mut session = session.clone();
        let fields = session.as_object_mut().unwrap();
        fields.insert("session".to_owned(), without_number(key).into());
        fields.remove("last_seen");
        fields.remove("octets");
        printed.entry("sessions").or_default().push(session.to_string());
    }
    for transaction in document["transactions"].as_array().unwrap() {
        let mut transaction = transaction.clone();
        let key = without_number(transaction["session"].as_str().unwrap()).to_owned();
        transaction["session"] = key.into();
        printed.entry("transactions").or_default().push(transaction.to_string());
    }
    for part in ["summary", "capture"] {
        printed.entry(part).or_default().push(document[part].to_string());
    }
    printed.values_mut().for_each(|lines| lines.sort());
    printed
}

/// Whatever is asked for.
#[test]
fn what_is_printed_is_what_features_prints() {
    for flags in [&[][..], &["--no-headers"], &["--body", "--hashes", "--reveal-secrets"]] {
        let mut compared = 0;
        for directory in directories() {
            let run = |command| smtpscope(&[&[command], flags, &[&directory]].concat());
            let (log, features) = (run("log"), run("features"));
            assert_eq!((log.status, &log.stderr), (features.status, &features.stderr));
            let (log, features) = (of_log(&lines(&log.stdout)), of_features(&features.document()));
            assert!(log.keys().eq(features.keys()), "{directory}");
            for (part, expected) in &features {
                assert_eq!(log[part].len(), expected.len(), "{part} of {directory} {flags:?}");
                for (found, expected) in log[part].iter().zip(expected) {
                    assert_eq!(found, expected, "{part} of {directory} {flags:?}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 300, "{compared} lines were compared; testdata has more");
    }
}

/// Where no packet comes behind the end of its session, its figures are those of `features`, too.
#[test]
fn figures_of_a_session_are_those_of_features() {
    let path = format!("{}/quickstart.pcapng", testdata());
    let features = document(&["features", &path]);
    let mut compared = 0;
    for line in lines_of(&["log", &path]).iter().filter(|line| line["type"] == "session") {
        let session = &features["sessions"][line["session"].as_str().unwrap()];
        for field in ["last_seen", "octets", "end", "first_seen"] {
            assert_eq!(line[field], session[field], "{field} of {}", line["session"]);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

// The numbers of sessions with the same 4-tuple.

/// One mail each by these clients, one connection after the other.
fn connections(clients: &[u16]) -> Vec<u8> {
    let mut packets = Vec::new();
    for (place, &client) in (0_i64..).zip(clients) {
        let seconds = 100 * place - i64::from(client);
        packets.extend(
            Mail::default()
                .packets(client)
                .into_iter()
                .map(|packet| KitPacket { nanos: packet.nanos + seconds * 1_000_000_000, ..packet }),
        );
    }
    pcap(&by_time(packets))
}

fn numbers(lines: &[Value]) -> Vec<String> {
    let sessions = lines.iter().filter(|line| line["type"] == "session");
    let number = |line: &Value| {
        let key = line["session"].as_str().unwrap();
        let port = line["client_port"].as_u64().unwrap() - 20_000;
        format!("{port}{}", key.find('#').map_or("", |at| &key[at..]))
    };
    sessions.map(number).collect()
}

/// The contract: "`#2`, `#3`, … for later connections of the same 4-tuple".
#[test]
fn later_sessions_of_a_four_tuple_are_numbered() {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &connections(&[1, 2, 1, 1, 2, 3]));
    let printed = lines_of(&["log", &path]);
    assert_eq!(numbers(&printed), ["1", "2", "1#2", "1#3", "2#2", "3"]);
    let keys = |lines: &[Value], r#type: &str| -> Vec<Value> {
        lines.iter().filter(|line| line["type"] == r#type).map(|line| line["session"].clone()).collect()
    };
    assert_eq!(keys(&printed, "transaction"), keys(&printed, "session"));
    assert_eq!(printed.last().unwrap()["capture"]["limits_reached"], json!({}));
}

/// The limit `session_keys`: 131,072 sessions, shared out among 16 shards.
#[test]
fn session_keys() {
    assert_eq!(log::SESSION_KEYS, 131_072);
    let folder = Folder::new();
    let within = |limit: usize, clients: &[u16]| {
        let path = folder.file("a.pcap", &connections(clients));
        let mut out = Vec::new();
        let (log, capture) =
            log::read_within(&Plan::new(&[path.into()]), Options::default(), None, limit, &mut out).unwrap();
        log.finish(&capture).unwrap();
        let lines = lines(&out);
        (numbers(&lines), lines.last().unwrap()["capture"]["limits_reached"].clone())
    };
    // One end for each shard is remembered. Of seventeen 4-tuples two at least have the same shard.
    let clients: Vec<u16> = (1..=17).chain(1..=17).collect();
    let (printed, reached) = within(16, &clients);
    let again = printed.iter().filter(|number| number.ends_with("#2")).count();
    assert!(again < 17, "{printed:?}");
    assert!(reached["session_keys"].as_u64().is_some_and(|times| times >= 2), "{reached}");
    assert_eq!(reached.as_object().unwrap().len(), 1, "{reached}");
    let (printed, reached) = within(16 * 17, &clients);
    assert_eq!(printed.iter().filter(|number| number.ends_with("#2")).count(), 17);
    assert_eq!(reached, json!({}));
}

// The run as a whole.

#[track_caller]
fn no_lines(run: &Run) {
    assert_eq!((run.status, run.stdout.as_slice()), (Some(2), &[][..]), "{}", run.stderr);
    assert!(!run.stderr.is_empty(), "no reason is given");
}

#[test]
fn the_exit_status_says_what_was_read() {
    let folder = Folder::new();
    let packets = one_mail();
    let whole = pcap(&packets);
    let good = folder.file("good.pcap", &whole);
    assert_eq!(lines_of(&["log", &good]).len(), 3);
    let nothing = folder.file("nothing.pcap", &pcap(&[]));
    assert_eq!(briefs(&lines_of(&["log", &nothing])), ["capture"]);

    let cut = folder.file("cut.pcap", &whole[..whole.len() - 1]);
    let run = smtpscope(&["log", &cut]);
    assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{}", run.stderr);
    let printed = lines(&run.stdout);
    assert_eq!(printed.len(), 3);
    assert_eq!(printed[2]["capture"]["files"][0]["truncated"], true);

    no_lines(&smtpscope(&["log"]));
    no_lines(&smtpscope(&["log", &folder.missing("missing.pcap")]));
    no_lines(&smtpscope(&["log", &folder.file("text.pcap", b"no capture, but long enough for a file header")]));
    no_lines(&smtpscope_reading(&["log", "-"], b""));
    let run = smtpscope_reading(&["log", "-"], &whole).succeeds();
    assert_eq!(lines(&run.stdout)[..2], lines_of(&["log", &good])[..2]);
}

#[test]
fn a_closed_pipe_is_success() {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &pcap(&recording(&vec![Mail::default(); 800])));
    assert!(smtpscope(&["log", &path]).stdout.len() > 1_000_000, "more than a pipe and the program's buffer take");
    for jobs in ["1", "3"] {
        for octets in [0, 1, 1000] {
            let run = smtpscope_cut_off(&["log", "--jobs", jobs, &path], octets);
            assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "closed after {octets}");
        }
    }
}
