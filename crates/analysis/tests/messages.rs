//! What `features` says of messages: parts, attachments, URLs, digests, and the limits of their bodies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use kit::pcap;
use process::{Folder, Mail, document, recording};
use serde_json::{Value, json};

/// The message that `features` finds where this one was sent, and the whole document.
fn sent(message: &str, arguments: &[&str]) -> (Value, Value) {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &pcap(&recording(&[Mail { message, ..Mail::default() }])));
    let mut document = document(&[&["features", &path], arguments].concat());
    (document["transactions"][0]["message"].take(), document)
}

const WITH_ATTACHMENT: &str = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\
    see http://example.org/\r\n--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n\
    Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--b--\r\n";

/// The contract: `attachments` have `filename`, `content_type`, `detected_type`, `encoded_size`, `decoded_size`, `sha256`
/// and `md5`, the last one with `--hashes`. The digests are those of "abc" (FIPS 180-2 appendix B.1, RFC 1321 appendix A.5).
#[test]
fn attachments_have_the_fields_of_the_contract() {
    let (message, _) = sent(WITH_ATTACHMENT, &[]);
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let wanted = json!([{
        "filename": "a.bin", "content_type": "application/octet-stream", "detected_type": null, "encoded_size": 4,
        "decoded_size": 3, "sha256": sha256, "md5": null, "encoding_faults": 0, "part": 2,
    }]);
    assert_eq!((&message["attachments"], &message["sha256"]), (&wanted, &Value::Null));
    let (hashed, _) = sent(WITH_ATTACHMENT, &["--hashes"]);
    assert_eq!(hashed["attachments"][0]["md5"], "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(hashed["sha256"].as_str().map(str::len), Some(64));
}

#[test]
fn parts_and_urls_stand_in_the_message() {
    let (message, document) = sent(WITH_ATTACHMENT, &["--no-headers"]);
    let of_part =
        |field: &str| -> Vec<&Value> { message["parts"].as_array().unwrap().iter().map(|part| &part[field]).collect() };
    assert_eq!(of_part("content_type"), ["multipart/mixed", "text/plain", "application/octet-stream"]);
    assert_eq!(of_part("depth"), [0, 1, 1]);
    assert_eq!(of_part("parameters"), [&json!({"boundary": "b"}), &json!({}), &json!({"name": "a.bin"})]);
    let url = json!({"url": "http://example.org/", "part": 1, "element": "text", "text": null, "misleading": false});
    assert_eq!(message["urls"], json!([url]));
    assert!(message.get("text").is_none() && message.get("headers").is_none());
    assert_eq!(document["capture"]["limits_reached"], json!({}));
    assert_eq!(sent(WITH_ATTACHMENT, &["--body"]).0["text"], "see http://example.org/");
}

/// What reading a body reaches is counted, although other threads than the reader's read it.
#[test]
fn the_limits_of_bodies_are_counted() {
    let parts =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", "--b\r\n\r\nx\r\n".repeat(10_001));
    assert_eq!(sent(&parts, &[]).1["capture"]["limits_reached"], json!({"message_parts": 2}));
    let deep: String =
        (0..102).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    assert_eq!(sent(&deep, &[]).1["capture"]["limits_reached"], json!({"message_depth": 1}));
    let header = format!("X: {}\r\n", "x".repeat(900)).repeat(80);
    let long = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{header}\r\nx\r\n--b--\r\n");
    assert_eq!(sent(&long, &[]).1["capture"]["limits_reached"], json!({"message_part_headers": 1}));
    let urls: String = (0..1001).map(|n| format!("http://example.org/{n}\r\n")).collect();
    let (message, document) = sent(&format!("Subject: x\r\n\r\n{urls}"), &[]);
    assert_eq!(message["urls"].as_array().map(Vec::len), Some(1000));
    assert_eq!(document["capture"]["limits_reached"], json!({"message_urls": 1}));
}

/// The contract: "`--jobs N` … never changes a byte of the output", also where a message is read as it comes.
#[test]
fn a_message_of_any_length_is_read_by_any_number_of_threads() {
    let line = "A line of text, and another one behind it, until it is long.\r\n";
    let long = format!("Subject: long\r\n\r\n{}", line.repeat((1 << 20) / line.len() + 100));
    let (message, document) = sent(&long, &["--body", "--hashes", "--jobs", "1"]);
    assert_eq!(
        (&message["bytes"], &message["parts"][0]["decoded_size"]),
        (&json!(long.len()), &json!(long.len() - 17))
    );
    assert_eq!(message["text"].as_str().map(str::len), Some(1 << 20));
    assert_eq!(
        (&message["cut"], &document["capture"]["limits_reached"]),
        (&json!("body"), &json!({"message_body": 1}))
    );
    let several = sent(&long, &["--body", "--hashes", "--jobs", "4"]);
    assert_eq!(several.0, message);
    assert_eq!(several.1["capture"]["limits_reached"], document["capture"]["limits_reached"]);
}
