//! Mails that are made to cost time and memory: the program reads each to its end, in little memory and time, and says
//! what it left out.
//!
//! | for each mail of up to 200 MiB | `features`, `extract --attachments` |
//! |---|---|
//! | memory that can be written to, stacks of threads and the program's own data included | 96 MiB |
//! | processor time, built for tests | 60 s |
//!
//! The system holds the program to both, so that nothing is timed here: who asks for more memory gets none and dies, and so
//! does who takes longer. The time is that of a slow machine; what it excludes is work that grows with the square.
//! `benches/README.md` has what a release takes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::io::{BufWriter, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

use kit::HostileMail;
use serde_json::{Value, json};
use tempfile::TempDir;

const MEMORY_KIB: u32 = 96 << 10;
const PROCESSOR_SECONDS: u32 = 60;

/// Runs the program on a mail, within these limits; the octets of the message, and what the program left.
fn within(mail: HostileMail, kib: u32, arguments: &[&str]) -> (u64, Output) {
    let script = format!("ulimit -d {kib} && ulimit -t {PROCESSOR_SECONDS} && exec \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_smtpscope")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut stdin = BufWriter::with_capacity(1 << 20, stdin);
            // A program that has died has closed the pipe.
            mail.write(&mut stdin).and_then(|octets| stdin.flush().map(|()| octets)).unwrap_or_default()
        });
        let output = child.wait_with_output().unwrap();
        (writer.join().unwrap(), output)
    })
}

/// The message in the document of `features`, and the limits that were reached.
#[track_caller]
fn features(mail: HostileMail) -> (Value, Value) {
    let (octets, output) = within(mail, MEMORY_KIB, &["features", "--hashes", "--no-headers", "--jobs", "2", "-"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(0), ""), "{}: {}", mail.name(), output.status);
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let transaction = &mut document["transactions"][0];
    assert_eq!(transaction["outcome"], "accepted", "{}", mail.name());
    let message = transaction["message"].take();
    assert_eq!((&message["bytes"], &message["complete"]), (&json!(octets), &json!(true)), "{}", mail.name());
    (message, document["capture"]["limits_reached"].take())
}

fn count(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

#[test]
fn parts() {
    let (message, reached) = features(HostileMail::ManyParts);
    assert_eq!((count(&message["parts"]), count(&message["attachments"])), (10_000, 9_999));
    assert_eq!(reached, json!({"message_parts": 1}), "the multipart is a part, too");
    let (message, reached) = features(HostileMail::ManyMoreParts);
    assert_eq!((count(&message["parts"]), &reached), (10_000, &json!({"message_parts": 990_001})));
}

#[test]
fn depth() {
    let (message, reached) = features(HostileMail::DeepMultiparts);
    assert_eq!((count(&message["parts"]), &reached), (101, &json!({"message_depth": 1})));
    assert_eq!(message["parts"][100]["depth"], 100);
    let (message, reached) = features(HostileMail::DeepMessages);
    assert_eq!((count(&message["parts"]), &reached), (11, &json!({"message_depth": 1})));
}

#[test]
fn boundaries_that_are_nearly_equal() {
    let (message, reached) = features(HostileMail::RepeatedBoundary);
    assert_eq!((count(&message["parts"]), &reached), (101, &json!({"message_body": 1})));
    assert!(message["parts"][100]["encoded_size"].as_u64() >= Some(100 << 20), "{}", message["parts"][100]);
}

#[test]
fn headers() {
    let cut = |mail| {
        let (message, reached) = features(mail);
        assert_eq!((&message["cut"], &reached["message_header"]), (&json!("header"), &json!(1)), "{}", mail.name());
        message
    };
    let message = cut(HostileMail::LongHeader);
    assert_eq!((&message["subject"], count(&message["received"])), (&json!("hostile"), 1000));
    assert!(message["further_received"].as_u64() > Some(10_000), "{}", message["further_received"]);
    let to = cut(HostileMail::FoldedField)["to"].take();
    assert!(count(&to) > 30_000 && to[1] == json!({"name": "b, c", "address": "e@example.org"}), "{}", to[1]);
    let subject = cut(HostileMail::EndlessLine)["subject"].take();
    assert!(subject.as_str().unwrap().starts_with("hostilehostile"));
    let (message, reached) = features(HostileMail::LongPartHeader);
    assert_eq!((&message["attachments"][0]["filename"], &reached), (&json!("a"), &json!({"message_part_headers": 1})));
}

#[test]
fn links() {
    let (message, reached) = features(HostileMail::ManyUrls);
    assert_eq!(count(&message["urls"]), 1000);
    assert!(reached["message_urls"].as_u64() > Some(0), "{reached}");
}

#[test]
fn a_long_attachment() {
    let (message, reached) = features(HostileMail::LongAttachment);
    let attachment = &message["attachments"][0];
    let lines = (200_u64 << 20) / 74;
    assert_eq!((&attachment["decoded_size"], &reached), (&json!(lines * 54), &json!({})));
    assert!(attachment["sha256"].is_string() && message["sha256"].is_string(), "{attachment}");
}

/// Each is written whole, and what is attached, too.
#[test]
fn extraction() {
    for mail in HostileMail::ALL {
        let folder = TempDir::new().unwrap();
        let directory = folder.path().join("out");
        let arguments = ["extract", "--attachments", "--jobs", "2", "-", "--output", directory.to_str().unwrap()];
        let (octets, output) = within(mail, MEMORY_KIB, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{}: {}", mail.name(), output.status);
        let index = fs::read_to_string(directory.join("index.ndjson")).unwrap();
        let line: Value = serde_json::from_str(&index).unwrap();
        let written = fs::metadata(directory.join(line["path"].as_str().unwrap())).unwrap().len();
        assert_eq!((written, &line["message"]["complete"]), (octets, &json!(true)), "{}", mail.name());
        let files = line["attachments"].as_array().unwrap().iter().map(|path| directory.join(path.as_str().unwrap()));
        let octets: Vec<u64> = files.map(|file| fs::metadata(file).unwrap().len()).collect();
        let decoded = line["message"]["attachments"].as_array().unwrap().iter();
        let decoded: Vec<u64> = decoded.map(|attachment| attachment["decoded_size"].as_u64().unwrap()).collect();
        assert_eq!(octets, decoded, "{}", mail.name());
    }
}

/// The limit on memory is one: with a twentieth of it the program cannot go on.
#[test]
fn the_system_holds_the_program_to_its_memory() {
    let (_, output) = within(HostileMail::LongHeader, MEMORY_KIB / 20, &["features", "--jobs", "2", "-"]);
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", output.status);
}
