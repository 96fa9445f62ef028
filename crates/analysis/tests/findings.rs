//! Findings as the program prints them: the same by every command, with evidence that can be looked up, and an exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use std::path::PathBuf;

use capture::CaptureReader;
use kit::{Conversation, KitPacket, pcap};
use process::{Folder, START_NANOS, document, one_mail, smtpscope};
use serde_json::Value;

fn testdata(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../testdata", name].iter().collect();
    path.to_str().unwrap().to_owned()
}

fn findings(path: &str) -> Vec<Value> {
    document(&["insights", path])["findings"].as_array().unwrap().clone()
}

/// The contract: `insights`, `context` and `log` print findings; `log` behind the last session, before the last line.
#[test]
fn every_command_finds_the_same() {
    let mut compared = 0;
    for name in ["quickstart.pcapng", "rotated", "tls", "exim-bare-lf-dot.pcap", "aiosmtpd-bare-lf-dot.pcap"] {
        let path = testdata(name);
        let expected = findings(&path);
        assert_eq!(document(&["context", &path])["findings"].as_array().unwrap(), &expected, "{name}");
        let log = smtpscope(&["log", &path]).succeeds();
        let lines: Vec<Value> = log.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let is_finding = |line: &Value| line["type"] == "finding";
        let first = lines.iter().position(is_finding).unwrap_or(lines.len() - 1);
        assert!(lines[first..lines.len() - 1].iter().all(is_finding), "{name}: nothing stands between them");
        let mut of_log: Vec<Value> = lines[first..lines.len() - 1].to_vec();
        of_log.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("type")));
        assert_eq!(of_log, expected, "{name}");
        let summary = smtpscope(&["summary", &path]).succeeds();
        assert!(expected.iter().take(10).all(|finding| summary.text().contains(finding["title"].as_str().unwrap())));
        compared += expected.len();
    }
    assert!(compared > 5, "{compared} findings; testdata has more");
}

/// The contract: a finding has an id, confidence, keys of its sessions, and evidence with packet and offset.
#[test]
fn evidence_can_be_looked_up() {
    let path = testdata("quickstart.pcapng");
    let mut packets = Vec::new();
    let mut reader = CaptureReader::open(path.as_ref()).unwrap();
    while let Ok(Some(packet)) = reader.next_packet() {
        packets.push(packet.data.to_vec());
    }
    let features = document(&["features", &path]);
    let found = findings(&path);
    let of_logins: Vec<&Value> = found.iter().filter(|finding| finding["kind"] == "plaintext_auth").collect();
    assert!(!of_logins.is_empty());
    for finding in of_logins {
        assert!(finding["id"].as_str().unwrap().starts_with("plaintext_auth-"), "{finding}");
        for key in finding["sessions"].as_array().unwrap() {
            assert!(features["sessions"].get(key.as_str().unwrap()).is_some(), "{key}");
        }
        for evidence in finding["evidence"].as_array().unwrap() {
            let number = usize::try_from(evidence["packet"].as_u64().unwrap()).unwrap();
            let said = evidence["excerpt"].as_str().unwrap().as_bytes();
            let said = &said[..said.len().min(4)];
            assert!(packets[number - 1].windows(4).any(|octets| octets == said), "{evidence}");
            assert!(evidence["offset"].as_u64().is_some(), "{evidence}");
        }
    }
}

#[test]
fn nothing_is_found_where_nothing_is_looked_for() {
    let path = testdata("quickstart.pcapng");
    let quiet = document(&["insights", "--no-findings", &path]);
    assert_eq!(quiet["findings"], serde_json::json!([]));
    assert_eq!(quiet["security_insights"]["plaintext_auth"], true, "the ancestor's figures are no findings");
    assert!(!smtpscope(&["log", "--no-findings", &path]).succeeds().text().contains("\"type\":\"finding\""));
    assert!(!smtpscope(&["summary", "--no-findings", &path]).succeeds().text().contains("\nfindings "));
    assert!(smtpscope(&["summary", &path]).succeeds().text().contains("\nfindings "));
}

/// 3 where there is a finding of at least that severity, however the input was; 2 before it, 1 and 0 behind it.
#[test]
fn the_status_is_3_where_a_finding_is_bad_enough() {
    let path = testdata("quickstart.pcapng");
    for command in ["summary", "insights", "context", "log"] {
        let status = |severity| smtpscope(&[command, "--fail-on", severity, &path]).status;
        assert_eq!(["info", "high", "critical"].map(status), [Some(3), Some(3), Some(0)], "{command}");
    }
    let folder = Folder::new();
    let mut octets = std::fs::read(&path).unwrap();
    octets.truncate(octets.len() - 7);
    let damaged = folder.file("damaged.pcapng", &octets);
    assert_eq!(smtpscope(&["summary", &damaged]).status, Some(1));
    assert_eq!(smtpscope(&["summary", "--fail-on", "high", &damaged]).status, Some(3));
    assert_eq!(smtpscope(&["summary", "--fail-on", "critical", &damaged]).status, Some(1));
    let missing = folder.missing("missing.pcap");
    assert_eq!(smtpscope(&["summary", "--fail-on", "info", &missing]).status, Some(2));
    for wrong in [&["--fail-on", "bad"][..], &["--fail-on", "high", "--no-findings"]] {
        assert_eq!(smtpscope(&[&["summary"], wrong, &[&path]].concat()).status, Some(2), "{wrong:?}");
    }
}

/// A plain mail between two hosts, whole, is nothing to worry about.
#[test]
fn a_mail_in_order_has_no_finding() {
    let folder = Folder::new();
    let plain = folder.file("plain.pcap", &pcap(&one_mail()));
    assert_eq!(findings(&plain), Vec::<Value>::new());
    assert_eq!(smtpscope(&["summary", "--fail-on", "info", &plain]).status, Some(0));
}

const SECOND: i64 = 1_000_000_000;

/// A connection that begins so many seconds after the first, and has this dialogue behind the handshake: `<` is the server's.
fn talk(client: &str, server: &str, second: i64, lines: &[&str]) -> Vec<KitPacket> {
    let start = START_NANOS + second * SECOND;
    let talk = lines.iter().fold(Conversation::new(client, server).start(start).handshake(), |talk, line| {
        match line.split_at(2) {
            ("< ", said) => talk.server(format!("{said}\r\n").as_bytes()),
            ("> ", said) => talk.client(format!("{said}\r\n").as_bytes()),
            (_, seconds) => talk.wait(seconds.parse::<i64>().unwrap() * SECOND),
        }
    });
    talk.close().packets()
}

/// What a server that takes everything says of a mail, here with so many seconds before its last reply.
fn a_mail<'a>(from: &'a str, to: &'a str, wait: &'a str) -> Vec<&'a str> {
    let [ok, data] = ["< 250 ok", "> DATA"];
    vec![
        "< 220 mx.example.net ESMTP",
        "> EHLO out.example.org",
        ok,
        from,
        ok,
        to,
        ok,
        data,
        "< 354 go",
        "> Subject: x\r\n\r\nx\r\n.",
        wait,
        "< 250 2.0.0 queued",
        "> QUIT",
        "< 221 bye",
    ]
}

/// Sessions of several clients and servers, each with something that only several sessions, or only the site, show.
fn a_site() -> Vec<KitPacket> {
    let (from, there) = ("> MAIL FROM:<a@example.org>", "> RCPT TO:<b@mx.example.com>");
    let here = "> RCPT TO:<b@example.net>";
    let greylisted = [
        "< 220 mx.example.net",
        "> EHLO out.example.org",
        "< 250 mx.example.net",
        from,
        "< 250 ok",
        here,
        "< 450 4.2.0 Greylisted",
        "> QUIT",
        "< 221 bye",
    ];
    let bot = [
        "> HELO 203.0.113.9",
        "< 220 mx.example.net",
        "< 250 mx.example.net",
        "> MAIL FROM:<c@example.org>\r\nRCPT TO:<d@example.net>\r\nQUIT",
        "< 250 ok\r\n550 no\r\n221 bye",
    ];
    let to_oneself = [
        "< 220 smtp.example.com",
        "> EHLO pc",
        "< 250-smtp.example.com\r\n250 AUTH PLAIN",
        "> AUTH PLAIN AGxvb3RAZXhhbXBsZS5jb20Ac2VjcmV0",
        "< 235 ok",
        "> MAIL FROM:<loot@example.com>",
        "< 250 ok",
        "> RCPT TO:<loot@example.com>",
        "< 250 ok",
        "> DATA",
        "< 354 go",
        "> Subject: x\r\n\r\nx\r\n.",
        "< 250 ok",
    ];
    let mut packets = [
        talk("192.0.2.1:41001", "10.0.0.25:25", 0, &a_mail(from, there, "  0")),
        talk("10.0.0.25:41002", "203.0.113.25:25", 30, &a_mail(from, there, "  0")),
        talk("192.0.2.7:41003", "10.0.0.25:25", 60, &greylisted),
        talk("192.0.2.8:41004", "10.0.0.25:25", 460, &a_mail(from, here, "  0")),
        talk("192.0.2.66:41005", "10.0.0.25:25", 500, &bot),
    ]
    .concat();
    for number in 0..10 {
        let client = format!("10.0.0.9:{}", 42_000 + number);
        packets.extend(talk(&client, "10.0.0.26:25", 600 + 70 * number, &a_mail(from, here, "  61")));
    }
    for number in 0..3 {
        let client = format!("10.0.0.7:{}", 43_000 + number);
        packets.extend(talk(&client, "203.0.113.87:587", 1400 + 600 * number, &to_oneself));
    }
    packets
}

fn kinds_and_severities(arguments: &[&str]) -> Vec<(String, String)> {
    let document = document(&[&["insights"], arguments].concat());
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let found = document["findings"].as_array().unwrap();
    found.iter().map(|finding| (text(finding, "kind"), text(finding, "severity"))).collect()
}

#[test]
fn what_several_sessions_show_is_found() {
    let folder = Folder::new();
    let whole = folder.file("site.pcap", &pcap(&a_site()));
    let wanted = |relay: &str, more: &[(&str, &str)]| {
        let all = [
            ("open_relay", relay),
            ("plaintext_auth", "high"),
            ("exfiltration", "medium"),
            ("submission_without_tls", "medium"),
            ("bot_dialect", "low"),
            ("late_final_reply", "low"),
            ("slow_server", "low"),
            ("early_talker", "info"),
            ("greylisting_retry", "info"),
        ];
        let all = all.into_iter().chain(more.iter().copied());
        all.map(|(kind, severity)| (kind.to_owned(), severity.to_owned())).collect::<std::collections::BTreeSet<_>>()
    };
    let found = |arguments: &[&str]| {
        kinds_and_severities(&[arguments, &[&whole]].concat()).into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(found(&[]), wanted("low", &[]));
    let site = ["--internal-network", "10.0.0.0/8", "--internal-domain", "example.net"];
    assert_eq!(found(&site), wanted("critical", &[("mail_directions", "info")]));
    let other =
        ["--internal-network", "10.0.0.0/8", "--internal-domain", "example.net", "--internal-domain", "example.com"];
    assert!(!found(&other).iter().any(|(kind, _)| kind == "open_relay"), "the domain is ours");
}

/// What is found depends neither on threads, nor on where the recording was cut into files.
#[test]
fn findings_over_sessions_depend_on_no_cut() {
    let folder = Folder::new();
    let packets = a_site();
    let whole = findings(&folder.file("site.pcap", &pcap(&packets)));
    assert!(whole.len() > 7, "{}", whole.len());
    for cut in [1, packets.len() / 4, packets.len() / 2, packets.len() - 5] {
        let parts = Folder::new();
        let (first, second) = packets.split_at(cut);
        parts.file("1.pcap", &pcap(first));
        parts.file("2.pcap", &pcap(second));
        for jobs in ["1", "3"] {
            let found = document(&["insights", "--jobs", jobs, parts.path().to_str().unwrap()]);
            assert_eq!(found["findings"].as_array().unwrap(), &whole, "cut at {cut}, {jobs} threads");
        }
    }
}
