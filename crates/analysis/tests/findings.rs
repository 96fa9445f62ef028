//! Findings as the program prints them: the same by every command, with evidence that can be looked up, and an exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use std::path::PathBuf;

use capture::CaptureReader;
use kit::pcap;
use process::{Folder, document, one_mail, smtpscope};
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
