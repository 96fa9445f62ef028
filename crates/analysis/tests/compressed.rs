//! A compressed capture is the capture.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

fn features(file: &Path, input: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smtpscope")).arg("features").arg(file).stdin(input).output().unwrap()
}

/// The document, and what it says of the file's compression; path and compression taken out.
fn document(output: &Output) -> (serde_json::Value, serde_json::Value) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = document["capture"]["files"][0].as_object_mut().unwrap();
    file.remove("path");
    let compression = file.remove("compression").unwrap();
    (document, compression)
}

#[test]
fn features_are_those_of_the_capture_inside() {
    let (plain, none) = document(&features(&testdata("postfix-plain.pcap"), Stdio::null()));
    assert!(none.is_null());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(testdata("compressed")).unwrap() {
        let path = entry.unwrap().path();
        let (inside, compression) = document(&features(&path, Stdio::null()));
        assert_eq!(inside, plain, "{}", path.display());
        names.push(compression.as_str().unwrap().to_owned());
        let standard_input = Stdio::from(std::fs::File::open(&path).unwrap());
        assert_eq!(document(&features(Path::new("-"), standard_input)).0, plain, "{} as input", path.display());
    }
    names.sort();
    names.dedup();
    assert_eq!(names, ["bzip2", "gzip", "lz4", "xz", "zstd"]);
}

#[test]
fn a_directory_of_compressed_captures_is_read() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_smtpscope")).arg("features").arg(testdata("compressed")).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["capture"]["files"].as_array().unwrap().len(), 12);
}

#[test]
fn a_compressed_capture_cut_short_counts_up_to_there() {
    let octets = std::fs::read(testdata("compressed/gzip")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut");
    std::fs::write(&path, &octets[..octets.len() - 100]).unwrap();
    let output = features(&path, Stdio::null());
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(&format!("{}: gzip data cut off at octet", path.display())), "{message}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["capture"]["files"][0]["truncated"], true);
    assert_eq!(document["summary"]["total_sessions"], 1);
}
