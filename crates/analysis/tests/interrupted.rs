//! Signals to the program while it reads, and what it shows meanwhile.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "support/process.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod process;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use kit::pcap;
use process::{Folder, Mail, Run, recording, smtpscope};
use serde_json::json;

/// More than a pipe holds: when it is written, the program has begun to read, and listens.
const MAILS: usize = 200;

/// Half a recording: the last record lacks its last octets. With the number of its whole packets.
fn half() -> (Vec<u8>, usize) {
    let packets = recording(&vec![Mail::default(); MAILS]);
    let mut octets = pcap(&packets);
    assert!(octets.len() > 256 << 10, "{}", octets.len());
    octets.truncate(octets.len() - 3);
    (octets, packets.len() - 1)
}

/// The program, with something written on its standard input, which stays open.
fn reading(arguments: &[&str], octets: &[u8]) -> (Child, ChildStdin) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_smtpscope"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(octets).unwrap();
    (child, stdin)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(status.success());
}

fn end(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run { status: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

#[test]
fn a_signal_ends_reading_and_what_was_read_is_printed() {
    let (octets, packets) = half();
    for (name, jobs, path) in
        [("INT", "1", "-"), ("INT", "3", "-"), ("TERM", "1", "/dev/stdin"), ("INT", "3", "/dev/stdin")]
    {
        let (child, stdin) = reading(&["features", "--jobs", jobs, path], &octets);
        signal(&child, name);
        let run = end(child);
        drop(stdin);
        assert_eq!(run.status, Some(1), "{name} {jobs} {path}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains(&format!("{path}: interrupted at octet ")), "{}", run.stderr);
        let document = run.document();
        let capture = &document["capture"];
        assert_eq!((&capture["interrupted"], &capture["packets"]), (&json!(true), &json!(packets)), "{name} {jobs}");
        assert_eq!(capture["files"][0]["error"], json!(null));
        assert_eq!(document["summary"]["completed_transactions"], MAILS);
    }
}

#[test]
fn a_compressed_pipe_is_no_different() {
    let (octets, _) = half();
    // Stored, not deflated: what is read of it is what was written.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(&octets).unwrap();
    let (child, stdin) = reading(&["features", "-"], gzip.get_ref());
    signal(&child, "INT");
    let run = end(child);
    drop(stdin);
    assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{}", run.stderr);
    let document = run.document();
    assert_eq!(document["capture"]["interrupted"], true);
    assert!(document["summary"]["completed_transactions"].as_u64().unwrap() > 0);
}

#[test]
fn a_summary_says_that_it_was_interrupted() {
    let (octets, _) = half();
    let (child, stdin) = reading(&["summary", "-"], &octets);
    signal(&child, "INT");
    let run = end(child);
    drop(stdin);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.text().contains("interrupted"), "{}", run.text());
}

#[test]
fn documents_without_a_capture_are_marked_themselves() {
    let (octets, _) = half();
    for command in ["context", "insights"] {
        let (child, stdin) = reading(&[command, "-"], &octets);
        signal(&child, "INT");
        let run = end(child);
        drop(stdin);
        assert_eq!((run.status, &run.document()["interrupted"]), (Some(1), &json!(true)), "{command}: {}", run.stderr);
    }
}

/// Whoever writes the capture may get the same Ctrl-C, and end it well.
#[test]
fn a_pipe_that_ends_behind_the_signal_was_read_to_its_end() {
    let octets = pcap(&recording(&vec![Mail::default(); MAILS]));
    let (child, stdin) = reading(&["features", "-"], &octets);
    signal(&child, "INT");
    drop(stdin);
    let document = end(child).succeeds().document();
    assert_eq!(document["capture"]["interrupted"], false);
    assert_eq!(document["summary"]["completed_transactions"], MAILS);
}

#[test]
fn a_second_signal_ends_the_program() {
    let (octets, _) = half();
    // What it prints is more than a pipe holds, so it does not end by itself.
    let (child, stdin) = reading(&["features", "-"], &octets);
    signal(&child, "INT");
    thread::sleep(Duration::from_millis(100));
    signal(&child, "INT");
    let run = wait_without_reading(child);
    drop(stdin);
    assert_eq!(run, Some(130));
}

#[test]
fn behind_reading_one_signal_ends_the_program() {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &pcap(&recording(&vec![Mail::default(); MAILS])));
    let (mut child, stdin) = reading(&["features", &path], &[]);
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    signal(&child, "INT");
    assert_eq!(wait_without_reading(child), Some(130));
    drop(stdin);
}

fn wait_without_reading(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn where_standard_error_is_no_terminal_there_is_no_progress() {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &pcap(&recording(&vec![Mail::default(); MAILS])));
    for arguments in [&["features", &path][..], &["features", "--quiet", &path]] {
        smtpscope(arguments).succeeds();
    }
    // Long enough for progress to be shown where it is.
    let (child, stdin) = reading(&["features", "-"], &fs::read(&path).unwrap());
    thread::sleep(Duration::from_millis(500));
    drop(stdin);
    end(child).succeeds();
}
