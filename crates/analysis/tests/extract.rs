//! The command `extract`: what is in the files, what they are called, and what is never touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "support/process.rs"]
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kit::{Conversation, KitPacket, pcap};
use process::{Folder, Mail, Run, SERVER, START_NANOS, document, one_mail, recording, smtpscope, smtpscope_cut_off};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What an extraction left: the lines of the index, and all files but the index.
struct Extracted {
    index: Vec<Value>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Extracted {
    /// Reads a directory, in which there must be nothing but files.
    fn of(directory: &Path) -> Self {
        let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        let index = String::from_utf8(files.remove("index.ndjson").expect("an index")).unwrap();
        assert!(index.is_empty() || index.ends_with('\n'));
        Self { index: index.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect(), files }
    }

    /// The octets of the mail that stands at this place in the index.
    fn octets(&self, line: usize) -> &[u8] {
        &self.files[self.index[line]["path"].as_str().expect("a path")]
    }

    fn subjects(&self) -> Vec<&str> {
        self.index.iter().map(|line| line["message"]["subject"].as_str().unwrap_or_default()).collect()
    }
}

/// Extracts these packets with further arguments into a new directory.
fn run(folder: &Folder, packets: &[KitPacket], arguments: &[&str]) -> (Run, PathBuf) {
    let number = fs::read_dir(folder.path()).unwrap().count();
    let file = folder.file(&format!("{number}.pcap"), &pcap(packets));
    let directory = folder.path().join(format!("out-{number}"));
    let all = [&["extract", &file, "--output", directory.to_str().unwrap()], arguments].concat();
    (smtpscope(&all), directory)
}

#[track_caller]
fn extract_with(packets: &[KitPacket], arguments: &[&str]) -> Extracted {
    let folder = Folder::new();
    let (run, directory) = run(&folder, packets, arguments);
    run.succeeds();
    Extracted::of(&directory)
}

#[track_caller]
fn extract(packets: &[KitPacket]) -> Extracted {
    extract_with(packets, &[])
}

/// A connection in which a mail was let begin: what follows is the message.
fn let_begin(data: &str) -> Conversation {
    Conversation::new("192.0.2.1:40000", SERVER)
        .start(START_NANOS)
        .handshake()
        .server(b"220 mx.example ESMTP\r\n")
        .client(b"EHLO client.example\r\n")
        .server(b"250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        .client(format!("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n{data}").as_bytes())
        .server(b"250 ok\r\n250 ok\r\n")
}

fn data() -> Conversation {
    let_begin("DATA\r\n").server(b"354 go\r\n")
}

fn quit(talk: Conversation) -> Vec<KitPacket> {
    talk.client(b"QUIT\r\n").server(b"221 bye\r\n").close().packets()
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

// What is in the files.

/// Every recorded message whose octets are known from its client or its server: the facts name the file that has them
/// (`eml`), and none of these files comes from this program. Some are stuffed with dots, some sent in chunks.
#[test]
fn recorded_mails_are_byte_for_byte_what_was_sent() {
    let (mut mails, mut stuffed, mut chunked) = (BTreeSet::new(), 0, 0);
    for path in fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path()) {
        let capture = path.with_extension("pcap");
        if path.extension().is_none_or(|e| e != "json") || !fs::read_to_string(&path).unwrap().contains("\"eml\"") {
            continue;
        }
        let facts: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let folder = Folder::new();
        let directory = folder.path().join("out");
        smtpscope(&["extract".as_ref(), capture.as_os_str(), "--output".as_ref(), directory.as_os_str()]).succeeds();
        let extracted = Extracted::of(&directory);
        for session in facts["sessions"].as_array().unwrap() {
            let key = format!("{}-{}", session["client"].as_str().unwrap(), session["server"].as_str().unwrap());
            let lines: Vec<usize> =
                (0..extracted.index.len()).filter(|&line| extracted.index[line]["session"] == key.as_str()).collect();
            for (number, fact) in session["transactions"].as_array().unwrap().iter().enumerate() {
                let Some(name) = fact["eml"].as_str() else { continue };
                let line = lines[number];
                let original = fs::read(testdata().join(name)).unwrap();
                assert!(extracted.octets(line) == original, "{name}: other octets");
                let of = |field: &str| extracted.index[line]["message"][field].as_u64().unwrap();
                match extracted.index[line]["via"].as_str() {
                    Some("BDAT") => chunked += 1,
                    via => stuffed += usize::from(via == Some("DATA") && of("wire_bytes") > of("bytes") + DOT_LINE),
                }
                mails.insert(name.to_owned());
            }
        }
    }
    let kept = fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.filter(|path| path.extension().is_some_and(|e| e == "eml"));
    let kept: BTreeSet<String> = kept.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(mails, kept, "every original is a mail of some recording");
    assert!(stuffed >= 2 && chunked >= 2, "{stuffed} with stuffed dots, {chunked} in chunks");
}

/// Octets of `.` and its line end.
const DOT_LINE: u64 = 3;

/// For every recording: the index has the transactions of `features` that have a message, in the same order and with the
/// same fields, and each file is what its line says.
#[test]
fn the_index_is_features_with_files() {
    let captures = fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path());
    let captures: Vec<PathBuf> = captures.filter(|path| path.extension().is_some_and(|e| e == "pcap")).collect();
    assert!(captures.len() >= 70, "{} captures", captures.len());
    let mut messages = 0;
    for capture in captures {
        let folder = Folder::new();
        let directory = folder.path().join("out");
        smtpscope(&["extract".as_ref(), capture.as_os_str(), "--output".as_ref(), directory.as_os_str()]).succeeds();
        let extracted = Extracted::of(&directory);
        let features = document(&["features".as_ref(), capture.as_os_str()]);
        let expected: Vec<&Value> =
            features["transactions"].as_array().unwrap().iter().filter(|mail| !mail["message"].is_null()).collect();
        assert_eq!(extracted.index.len(), expected.len(), "{}", capture.display());
        let mut used = BTreeSet::new();
        for (line, mail) in extracted.index.iter().zip(expected) {
            let (mut line, mut mail) = (line.clone(), mail.clone());
            let sha256 = line["message"]["sha256"].take();
            let (path, gaps) = (line["path"].take(), line["gaps"].take());
            let fields = line.as_object_mut().unwrap();
            ["path", "attachments", "gaps", "further_gaps"]
                .iter()
                .for_each(|field| assert!(fields.remove(*field).is_some()));
            mail["message"]["sha256"] = Value::Null;
            assert_eq!(line, mail, "{}", capture.display());
            let complete = mail["message"]["complete"] == true;
            if let Some(path) = path.as_str() {
                let octets = &extracted.files[path];
                assert_eq!(mail["message"]["bytes"], octets.len(), "{path}");
                assert_eq!(sha256, hex(&Sha256::digest(octets)), "{path}");
                assert_eq!(complete, !path.ends_with(".incomplete.eml"), "{path}");
                used.insert(path.to_owned());
            } else {
                assert!(!complete && mail["message"]["bytes"] == 0, "{line}");
            }
            assert!(!complete || gaps == json!([]), "{gaps}");
            messages += 1;
        }
        assert!(extracted.files.keys().eq(&used), "{}: files that are not in the index", capture.display());
    }
    assert!(messages > 50, "{messages} messages");
}

/// RFC 5321 §4.5.2: a dot that transparency put in front of a line is no part of the mail, the CRLF before the dot line is.
#[test]
fn dots_are_unstuffed() {
    let packets = quit(data().client(b"Subject: s\r\n\r\n..\r\n...\r\n.x\r\na\n.b\r\n.\r\n").server(b"250 taken\r\n"));
    assert_eq!(extract(&packets).octets(0), b"Subject: s\r\n\r\n.\r\n..\r\nx\r\na\n.b\r\n");
}

/// RFC 3030 §2: chunks are octets; nothing is added, and a dot is a dot.
#[test]
fn chunks_are_as_they_were_sent() {
    let chunks = "BDAT 16\r\nSubject: s\r\n\r\n..BDAT 0\r\nBDAT 9 LAST\r\n\r\n.\r\nend\0";
    let packets = quit(let_begin(chunks).server(b"250 16\r\n250 0\r\n250 taken\r\n"));
    let extracted = extract(&packets);
    assert_eq!(extracted.octets(0), b"Subject: s\r\n\r\n..\r\n.\r\nend\0");
    assert_eq!(extracted.index[0]["via"], "BDAT");
}

/// A message many times as long as what is kept in memory, in segments of any size.
#[test]
fn a_long_message_is_byte_for_byte_what_was_sent() {
    let lines: String = (0..40_000).map(|number| format!("..line {number} of a message that is long\r\n")).collect();
    let text = format!("Subject: long\r\n\r\n{lines}");
    let packets = quit(data().client(format!("{text}.\r\n").as_bytes()).server(b"250 taken\r\n"));
    let extracted = extract(&packets);
    assert!(text.len() > 4 * (256 << 10), "{}", text.len());
    assert!(extracted.octets(0) == text.replace("\r\n..", "\r\n.").as_bytes(), "another text");
}

/// A server that takes a dot line in bare LF for the end of the message has taken two messages, however long the first is.
#[test]
fn a_smuggled_message_is_a_file_of_its_own() {
    for lines in [1, 20_000] {
        let first = format!("Subject: one\r\n\r\n{}", "A line of the first one\n".repeat(lines));
        let smuggled =
            "MAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nSubject: two\r\n\r\nsecond\r\n";
        let packets = quit(
            data()
                .client(format!("{first}.\n").as_bytes())
                .client(format!("{smuggled}.\r\n").as_bytes())
                .server(b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"),
        );
        let extracted = extract(&packets);
        assert_eq!(extracted.subjects(), ["one", "two"]);
        assert!(extracted.octets(0) == first.as_bytes(), "{} octets", extracted.octets(0).len());
        assert_eq!(extracted.octets(1), b"Subject: two\r\n\r\nsecond\r\n");
        assert_eq!(extracted.index[1]["mail_from"], "evil@example.org");
    }
}

/// What was refused and what was given up was sent all the same.
#[test]
fn what_became_of_a_mail_does_not_decide_whether_it_is_extracted() {
    let refused = quit(data().client(b"Subject: refused\r\n\r\nx\r\n.\r\n").server(b"554 no\r\n"));
    let extracted = extract(&refused);
    assert_eq!((extracted.index[0]["outcome"].as_str(), extracted.subjects()), (Some("rejected"), vec!["refused"]));
    assert_eq!(extracted.octets(0), b"Subject: refused\r\n\r\nx\r\n");
    let aborted = data().client(b"Subject: aborted\r\n\r\nx\r\n").close().packets();
    let extracted = extract(&aborted);
    assert_eq!(extracted.index[0]["outcome"], "aborted");
    assert_eq!(extracted.octets(0), b"Subject: aborted\r\n\r\nx\r\n");
    assert!(extracted.index[0]["path"].as_str().unwrap().ends_with(".incomplete.eml"));
}

// What is missing.

#[test]
fn gaps_are_in_the_index_and_nothing_is_in_their_place() {
    let packets = quit(
        data()
            .client(b"Subject: gap\r\n\r\nbefore\r\n")
            .client_dropped(b"lost\r\n")
            .client(b"between\r\n")
            .client_dropped(b"lost as well\r\n")
            .client(b"after\r\n.\r\n")
            .server(b"250 taken\r\n"),
    );
    let extracted = extract(&packets);
    assert_eq!(extracted.octets(0), b"Subject: gap\r\n\r\nbefore\r\nbetween\r\nafter\r\n");
    let line = &extracted.index[0];
    assert_eq!(line["gaps"], json!([{"offset": 24, "octets": 6}, {"offset": 33, "octets": 14}]));
    assert_eq!((&line["message"]["complete"], &line["further_gaps"]), (&json!(false), &json!(0)));
    assert!(line["path"].as_str().unwrap().ends_with(".incomplete.eml"), "{line}");
}

/// More gaps than are listed.
#[test]
fn gaps_beyond_the_limit_are_counted() {
    let talk = (0..1010)
        .fold(data().client(b"Subject: gaps\r\n\r\n"), |talk, _| talk.client(b"x\r\n").client_dropped(b"y\r\n"));
    let folder = Folder::new();
    let (run, directory) = run(&folder, &quit(talk.client(b".\r\n").server(b"250 taken\r\n")), &[]);
    let line = &Extracted::of(&directory).index[0];
    assert_eq!((line["gaps"].as_array().unwrap().len(), line["further_gaps"].as_u64()), (1000, Some(10)));
    assert_eq!(run.succeeds().document()["capture"]["limits_reached"]["message_gaps"], 10);
}

#[test]
fn a_message_whose_end_was_not_captured_is_marked() {
    let packets = data().client(b"Subject: cut\r\n\r\nhal").packets();
    let extracted = extract(&packets);
    assert_eq!(extracted.octets(0), b"Subject: cut\r\n\r\nhal");
    assert!(extracted.index[0]["path"].as_str().unwrap().ends_with(".incomplete.eml"));
    assert_eq!(extracted.index[0]["gaps"], json!([]), "how much was not captured is not known");
}

/// RFC 4468: a part that the server fetches is of the message, and nobody knows how long it is.
#[test]
fn a_part_that_is_fetched_is_a_gap_of_unknown_length() {
    let packets = quit(
        let_begin("BDAT 14\r\nSubject: s\r\n\r\nBURL imap://u@imap.example/x;urlauth=z LAST\r\n")
            .server(b"250 14\r\n250 taken\r\n"),
    );
    let extracted = extract(&packets);
    assert_eq!(extracted.octets(0), b"Subject: s\r\n\r\n");
    assert_eq!(extracted.index[0]["gaps"], json!([{"offset": 14, "octets": null}]));
}

/// A message that has not begun has no file.
#[test]
fn where_nothing_was_captured_there_is_no_file() {
    let packets = data().client_dropped(b"Subject: lost\r\n\r\nx\r\n.\r\n").server(b"250 taken\r\n").close().packets();
    let extracted = extract(&packets);
    assert_eq!((&extracted.index[0]["path"], extracted.files.len()), (&Value::Null, 0));
    assert_eq!(extracted.index[0]["gaps"][0]["offset"], 0);
}

// Equal mails, and what the files are called.

#[test]
fn equal_mails_are_one_file_and_two_lines() {
    let mails = [
        Mail::default(),
        Mail { to: &["carol@example.net"], ..Mail::default() },
        Mail { message: "Subject: hello\r\n\r\nAnother line.\r\n", ..Mail::default() },
    ];
    let extracted = extract(&recording(&mails));
    assert_eq!((extracted.index.len(), extracted.files.len()), (3, 2));
    assert_eq!(extracted.index[0]["path"], extracted.index[1]["path"]);
    assert_ne!(extracted.index[0]["path"], extracted.index[2]["path"]);
    assert_eq!(extracted.index[1]["rcpt_to"], json!(["carol@example.net"]));
}

/// The same octets, once with a gap behind them and once without, are no equal mails.
#[test]
fn a_whole_message_is_not_named_incomplete_because_another_is() {
    let whole = quit(data().client(b"Subject: s\r\n\r\nx\r\n.\r\n").server(b"250 taken\r\n"));
    let cut = Conversation::new("192.0.2.2:40000", SERVER)
        .start(START_NANOS - 60_000_000_000)
        .handshake()
        .server(b"220 mx.example ESMTP\r\n")
        .client(b"EHLO a\r\n")
        .server(b"250 mx.example\r\n")
        .client(b"MAIL FROM:<a@example.org>\r\n")
        .server(b"250 ok\r\n")
        .client(b"DATA\r\n")
        .server(b"354 go\r\n")
        .client(b"Subject: s\r\n\r\nx\r\n")
        .close()
        .packets();
    let extracted = extract(&[cut, whole].concat());
    let paths: Vec<&str> = extracted.index.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!(extracted.octets(0), extracted.octets(1));
    assert!(paths[0].ends_with(".incomplete.eml") && !paths[1].contains("incomplete"), "{paths:?}");
}

#[test]
fn a_name_says_when_who_and_what() {
    let name = extract(&one_mail()).index[0]["path"].as_str().unwrap().to_owned();
    let hash = hex(&Sha256::digest(b"Subject: hello\r\n\r\nA line.\r\n"));
    assert_eq!(name, format!("20231114-221320_alice@example.org_hello_{}.eml", &hash[..16]));
}

/// Whatever a mail says, its file is one of the directory, with a name that is one everywhere.
#[test]
fn hostile_names_stay_within_the_directory() {
    let long = "long".repeat(1250);
    let hostile = [
        "../../etc/passwd",
        "..\\..\\x",
        "/etc/passwd",
        "CON",
        "NUL.txt",
        "COM1",
        ".hidden",
        "-rf",
        "a\u{1b}[2Jb\u{7}",
        "fdp\u{202e}exe.txt",
        "J\u{fc}rgen \u{5c71}\u{7530}",
        "trailing.. .",
        "=?utf-8?B?Li4vLi4vZXRjL3Bhc3N3ZA==?=",
        "a;b|c&d`e$(f)",
        "%2e%2e%2f",
        &long,
    ];
    let messages: Vec<String> = hostile.iter().map(|text| format!("Subject: {text}\r\n\r\n{text}\r\n")).collect();
    let senders: Vec<String> = hostile.iter().map(|text| format!("{text}@x")).collect();
    let mails: Vec<Mail<'_>> =
        messages.iter().zip(&senders).map(|(message, from)| Mail { message, from, ..Mail::default() }).collect();
    let folder = Folder::new();
    let (run, directory) = run(&folder, &recording(&mails), &[]);
    run.succeeds();
    let extracted = Extracted::of(&directory);
    assert_eq!((extracted.index.len(), extracted.files.len()), (hostile.len(), hostile.len()));
    for name in extracted.files.keys() {
        let within = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@+=".contains(c);
        assert!(name.chars().all(within), "{name}");
        assert!(
            name.starts_with("2023") && name.ends_with(".eml") && !name.contains("..") && name.len() <= 150,
            "{name}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the capture and the directory");
}

// Attachments.

/// A part of a multipart with the boundary `b`.
fn part(fields: &str, body: &str) -> String {
    format!("--b\r\n{fields}\r\n\r\n{body}\r\n")
}

fn named(filename: &str, encoding: &str) -> String {
    format!(
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{filename}\"\r\n\
         Content-Transfer-Encoding: {encoding}"
    )
}

fn multipart(parts: &[String]) -> String {
    let parts = parts.concat();
    format!("Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n")
}

fn sent(message: &str) -> Vec<KitPacket> {
    quit(data().client(format!("{message}.\r\n").as_bytes()).server(b"250 taken\r\n"))
}

/// The paths in the index, which are in the order of `message.attachments`, with what is in the files.
fn attached(extracted: &Extracted) -> Vec<(String, Vec<u8>)> {
    let line = &extracted.index[0];
    let paths = line["attachments"].as_array().expect("attachments").iter().map(|path| path.as_str().unwrap());
    let attached: Vec<_> = paths.map(|path| (path.to_owned(), extracted.files[path].clone())).collect();
    let listed = line["message"]["attachments"].as_array().unwrap();
    assert_eq!(listed.len(), attached.len());
    for (attachment, (path, octets)) in listed.iter().zip(&attached) {
        let sha256 = hex(&Sha256::digest(octets));
        assert!(path.starts_with(&sha256[..16]), "{path}");
        assert!(attachment["sha256"].is_null() || attachment["sha256"] == sha256, "{attachment}");
    }
    attached
}

/// `opensmtpd-attachments.json` has the digests of what the client attached.
#[test]
fn recorded_attachments_are_what_was_attached() {
    let facts = fs::read(testdata().join("opensmtpd-attachments.json")).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let expected = facts["sessions"][0]["transactions"][0]["attachments"].as_array().unwrap();
    let folder = Folder::new();
    let directory = folder.path().join("out");
    let capture = testdata().join("opensmtpd-attachments.pcap");
    let output = ["--attachments".as_ref(), "--output".as_ref(), directory.as_os_str()];
    smtpscope(&[&["extract".as_ref(), capture.as_os_str()], &output[..]].concat()).succeeds();
    let attached = attached(&Extracted::of(&directory));
    assert_eq!((attached.len(), expected.len()), (2, 2));
    for ((_, octets), fact) in attached.iter().zip(expected) {
        assert_eq!(
            (&fact["decoded_size"], &fact["sha256"]),
            (&octets.len().into(), &hex(&Sha256::digest(octets)).into())
        );
    }
}

/// RFC 2045 §6: what a body decodes to; RFC 2046 §5.1.1: the line break before a delimiter is the delimiter's.
#[test]
fn attachments_are_decoded_and_written_on_request() {
    let message = multipart(&[
        part("Content-Type: text/plain", "Hello"),
        part(&named("Report.PDF", "base64"), "JVBERi0xLjcK"),
        part(&named("CON.txt", "quoted-printable"), "J=C3=BCrgen=\r\n!"),
        part(&named("empty", "7bit"), ""),
        part(&named("same.bin", "base64"), "JVBERi0xLjcK"),
    ]);
    let extracted = extract_with(&sent(&message), &["--attachments"]);
    let attached = attached(&extracted);
    let octets: Vec<&[u8]> = attached.iter().map(|(_, octets)| octets.as_slice()).collect();
    assert_eq!(octets, [b"%PDF-1.7\n".as_slice(), "J\u{fc}rgen!".as_bytes(), b"", b"%PDF-1.7\n"]);
    let names: Vec<&str> = attached.iter().map(|(path, _)| &path[16..]).collect();
    assert_eq!(names, ["_report.pdf", "_con.txt", "_empty", "_report.pdf"], "equal ones are one file");
    assert_eq!(extracted.files.len(), 4);
    let without = extract(&sent(&message));
    assert_eq!((&without.index[0]["attachments"], without.files.len()), (&Value::Null, 1));
}

#[test]
fn hostile_filenames_stay_within_the_directory() {
    let long = "x".repeat(5000);
    let hostile = [
        "../../etc/passwd",
        "..",
        "/",
        "a/b",
        "C:\\\\evil",
        "NUL",
        "LPT1.txt",
        ".hidden",
        "-rf",
        "index.ndjson",
        ".smtpscope-x",
        "a\u{202e}fdp.exe",
        "a\tb",
        "a\u{1}\u{7f}\u{85}b",
        "Equal.txt",
        "EQUAL.TXT",
        &long,
    ];
    let parts: Vec<String> = hostile
        .iter()
        .map(|filename| part(&named(filename, "7bit"), &format!("{}{filename}", filename.len())))
        .collect();
    let folder = Folder::new();
    let (run, directory) = run(&folder, &sent(&multipart(&parts)), &["--attachments"]);
    run.succeeds();
    let extracted = Extracted::of(&directory);
    assert_eq!(attached(&extracted).len(), hostile.len());
    assert_eq!(extracted.files.len(), hostile.len() + 1);
    for name in extracted.files.keys() {
        let within = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@+=".contains(c);
        assert!(name.chars().all(within) && !name.contains("..") && name.len() <= 150, "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// An attached message is octets like any attachment, and so is what is attached to it.
#[test]
fn a_message_in_a_message_is_written_with_what_is_in_it() {
    let inner = multipart(&[part(&named("inner.txt", "7bit"), "in")]).replace("=b\r", "=c\r").replace("--b", "--c");
    let fields = "Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=forwarded.eml";
    let extracted = extract_with(&sent(&multipart(&[part(fields, &inner)])), &["--attachments"]);
    let attached = attached(&extracted);
    assert_eq!(attached.len(), 2);
    assert_eq!((&attached[0].0[16..], attached[0].1.as_slice()), ("_forwarded.eml", inner.as_bytes()));
    assert_eq!((&attached[1].0[16..], attached[1].1.as_slice()), ("_inner.txt", &b"in"[..]));
}

/// Longer than what is kept in memory, in a message that is longer still.
#[test]
fn a_long_attachment_is_written_whole() {
    let octets: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let lines: Vec<String> = octets.chunks(57).map(|line| data_encoding::BASE64.encode(line)).collect();
    let message = multipart(&[part(&named("long.bin", "base64"), &lines.join("\r\n"))]);
    let extracted = extract_with(&sent(&message), &["--attachments"]);
    assert!(attached(&extracted)[0].1 == octets, "other octets");
}

#[test]
fn an_attachment_with_a_gap_is_marked() {
    let message =
        multipart(&[part(&named("a.txt", "7bit"), "first\r\nlost\r\nlast"), part(&named("b.txt", "7bit"), "b")]);
    let (before, behind) = message.split_once("lost\r\n").unwrap();
    let talk = data().client(before.as_bytes()).client_dropped(b"lost\r\n");
    let packets = quit(talk.client(format!("{behind}.\r\n").as_bytes()).server(b"250 taken\r\n"));
    let attached = attached(&extract_with(&packets, &["--attachments"]));
    assert_eq!((&attached[0].0[16..], attached[0].1.as_slice()), ("_a.incomplete.txt", &b"first\r\nlast"[..]));
    assert_eq!((&attached[1].0[16..], attached[1].1.as_slice()), ("_b.txt", &b"b"[..]));
}

// What is there already.

#[test]
fn an_index_is_never_overwritten() {
    let folder = Folder::new();
    let (run, directory) = run(&folder, &one_mail(), &[]);
    run.succeeds();
    let before = Extracted::of(&directory);
    let file = folder.path().join("0.pcap");
    let again = smtpscope(&["extract".as_ref(), file.as_os_str(), "--output".as_ref(), directory.as_os_str()]);
    assert_eq!((again.status, again.stdout.len()), (Some(2), 0));
    assert!(again.stderr.contains("index.ndjson"), "{}", again.stderr);
    let after = Extracted::of(&directory);
    assert_eq!((before.index, before.files), (after.index, after.files));
}

/// A file of another extraction with the same octets is that file; one with other octets stays what it is.
#[test]
fn files_that_are_there_are_kept() {
    let name = extract(&one_mail()).index[0]["path"].as_str().unwrap().to_owned();
    let octets = b"Subject: hello\r\n\r\nA line.\r\n";
    let folder = Folder::new();
    for (directory, before, expected) in [("same", &octets[..], name.clone()), ("other", b"evidence", other(&name))] {
        let directory = folder.path().join(directory);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(&name), before).unwrap();
        let file = folder.file("a.pcap", &pcap(&one_mail()));
        smtpscope(&["extract", &file, "--output", directory.to_str().unwrap()]).succeeds();
        let extracted = Extracted::of(&directory);
        assert_eq!(extracted.index[0]["path"], expected.as_str());
        assert_eq!((extracted.octets(0), extracted.files[&name].as_slice()), (&octets[..], before));
    }
}

/// The name that is tried next.
fn other(name: &str) -> String {
    name.replace(".eml", "-2.eml")
}

#[cfg(unix)]
#[test]
fn links_in_the_directory_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let name = extract(&one_mail()).index[0]["path"].as_str().unwrap().to_owned();
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    let victim = folder.file("victim", b"untouched");
    for (number, target) in [victim.clone(), folder.missing("not-there")].iter().enumerate() {
        let directory = folder.path().join(format!("out-{number}"));
        fs::create_dir(&directory).unwrap();
        symlink(target, directory.join(&name)).unwrap();
        smtpscope(&["extract", &file, "--output", directory.to_str().unwrap()]).succeeds();
        let index = fs::read_to_string(directory.join("index.ndjson")).unwrap();
        let line: Value = serde_json::from_str(&index).unwrap();
        assert_eq!(line["path"], other(&name));
        assert!(directory.join(&name).symlink_metadata().unwrap().is_symlink());
        // Nor is the index written through one.
        let linked = folder.path().join(format!("linked-{number}"));
        fs::create_dir(&linked).unwrap();
        symlink(target, linked.join("index.ndjson")).unwrap();
        let refused = smtpscope(&["extract", &file, "--output", linked.to_str().unwrap()]);
        assert_eq!(refused.status, Some(2), "{}", refused.stderr);
        assert_eq!(fs::read_dir(&linked).unwrap().count(), 1);
    }
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    assert!(!Path::new(&folder.missing("not-there")).exists());
}

/// On a file, below a file, and where even root may make nothing.
#[test]
fn where_nothing_can_be_written_that_is_said() {
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    let mut nowhere = vec![file.clone(), format!("{file}/below")];
    if cfg!(target_os = "linux") {
        nowhere.push("/proc/smtpscope".to_owned());
    }
    for directory in nowhere {
        let run = smtpscope(&["extract", &file, "--output", &directory]);
        assert_eq!((run.status, run.stdout.len()), (Some(2), 0), "{directory}");
        assert!(run.stderr.contains(&directory) && run.stderr.lines().count() == 1, "{}", run.stderr);
    }
}

/// A file system that is full in the middle of it: here, a limit on the size of files.
#[cfg(unix)]
#[test]
fn what_cannot_be_written_in_the_middle_ends_with_a_message_and_leaves_nothing_half() {
    let folder = Folder::new();
    let long = format!("Subject: long\r\n\r\n{}", "A line of a long message\r\n".repeat(40_000));
    let mails = [Mail::default(), Mail { message: &long, ..Mail::default() }];
    let file = folder.file("a.pcap", &pcap(&recording(&mails)));
    let directory = folder.path().join("out");
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_smtpscope"), "extract", &file, "--output"])
        .arg(&directory)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains(directory.to_str().unwrap()) && said.lines().count() == 1, "{said}");
    let left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.len() <= 1, "{left:?}");
    assert!(left.iter().all(|name| name.to_str().unwrap().contains("_hello_")), "{left:?}");
}

// Which mails.

fn chosen(arguments: &[&str]) -> Vec<String> {
    let mails = [
        Mail {
            message: "From: Alice <alice@example.org>\r\nTo: team@example.net\r\nSubject: Invoice (1)\r\n\r\n1\r\n",
            ..Mail::default()
        },
        Mail {
            from: "bounces@lists.example",
            to: &["carol@example.net"],
            message: "From: ALICE@example.org\r\nCc: bob@example.net\r\nSubject: =?utf-8?Q?R=C3=A9union?=\r\n\r\n2\r\n",
            ..Mail::default()
        },
        Mail { from: "eve@example.com", message: "Subject: invoice 10\r\n\r\n3\r\n", ..Mail::default() },
    ];
    let extracted = extract_with(&recording(&mails), arguments);
    extracted.subjects().into_iter().map(str::to_owned).collect()
}

#[test]
fn mails_are_chosen_by_envelope_and_header() {
    let (one, two, three) = ("Invoice (1)", "R\u{e9}union", "invoice 10");
    assert_eq!(chosen(&[]), [one, two, three]);
    assert_eq!(chosen(&["--from", "alice@"]), [one, two]);
    assert_eq!(chosen(&["--from", "LISTS.example"]), [two]);
    assert_eq!(chosen(&["--to", "bob@example.net"]), [one, two, three]);
    assert_eq!(chosen(&["--to", "team@", "--to", "carol"]), [one, two]);
    assert_eq!(chosen(&["--subject", "invoice"]), [one, three]);
    assert_eq!(chosen(&["--subject", "(1)"]), [one]);
    assert_eq!(chosen(&["--subject", "r\u{c9}UNION"]), [two]);
    assert_eq!(chosen(&["--subject", "invoice", "--from", "eve"]), [three]);
    assert_eq!(chosen(&["--regex", "--subject", r"invoice \(?1\)?$"]), [one]);
    assert_eq!(chosen(&["--regex", "--from", "^(eve|bounces)@"]), [two, three]);
    assert_eq!(chosen(&["--from", "^eve"]), [""; 0]);
}

/// Keys as `features` prints them; of a later connection of the same addresses and ports, too.
#[test]
fn mails_are_chosen_by_the_key_of_their_session() {
    let mail = |subject: &str, seconds: i64| {
        Conversation::new("192.0.2.1:40000", SERVER)
            .start(START_NANOS + seconds * 1_000_000_000)
            .initial_sequence_numbers(1_000_000 * u32::try_from(seconds + 1).unwrap(), 5)
            .handshake()
            .server(b"220 mx.example ESMTP\r\n")
            .client(b"EHLO a\r\n")
            .server(b"250 mx.example\r\n")
            .client(b"MAIL FROM:<a@example.org>\r\n")
            .server(b"250 ok\r\n")
            .client(b"RCPT TO:<b@example.net>\r\n")
            .server(b"250 ok\r\n")
            .client(b"DATA\r\n")
            .server(b"354 go\r\n")
            .client(format!("Subject: {subject}\r\n\r\n{subject}\r\n.\r\n").as_bytes())
            .server(b"250 taken\r\n")
            .close()
            .packets()
    };
    let packets = [mail("one", 0), mail("two", 100), mail("three", 200)].concat();
    let key = format!("192.0.2.1:40000-{SERVER}");
    let of = |keys: &[&str]| {
        let arguments: Vec<&str> = keys.iter().flat_map(|key| ["--session", key]).collect();
        let extracted = extract_with(&packets, &arguments);
        assert_eq!(extracted.files.len(), extracted.index.len());
        extracted.subjects().join(" ")
    };
    assert_eq!(of(&[]), "one two three");
    assert_eq!(of(&[&key]), "one");
    assert_eq!(of(&[&format!("{key}#2")]), "two");
    assert_eq!(of(&[&format!("{key}#3"), &key]), "one three");
    assert_eq!(of(&[&format!("{key}#4")]), "");
    assert_eq!(of(&["192.0.2.1:4000-198.51.100.25:25"]), "");
}

// What is printed, and how it ends.

#[test]
fn one_line_of_json_says_what_was_extracted() {
    let folder = Folder::new();
    let mails = [Mail::default(), Mail::default(), Mail { message: "Subject: x\r\n\r\n", ..Mail::default() }];
    let (run, directory) = run(&folder, &recording(&mails), &["--attachments"]);
    let run = run.succeeds();
    assert_eq!(run.text().lines().count(), 1);
    let line = run.document();
    assert_eq!(line["index"], directory.join("index.ndjson").to_str().unwrap());
    let counts = ["transactions", "incomplete", "message_bytes", "files", "attachment_files"];
    assert_eq!(counts.map(|field| line[field].as_u64()), [3, 0, 27 + 27 + 14, 2, 0].map(Some));
    assert_eq!(line["capture"]["files"][0]["path"], folder.path().join("0.pcap").to_str().unwrap());
}

/// The contract: "A closed pipe is success."
#[test]
fn whoever_does_not_want_the_line_has_the_index() {
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    let directory = folder.path().join("out");
    let run = smtpscope_cut_off(&["extract", &file, "--output", directory.to_str().unwrap()], 0);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(Extracted::of(&directory).subjects(), ["hello"]);
}

#[test]
fn a_capture_without_mail_has_an_empty_index() {
    let extracted = extract(&[]);
    assert_eq!((extracted.index.len(), extracted.files.len()), (0, 0));
}

/// What was whole before the damage is extracted, and the status says that there was damage.
#[test]
fn a_damaged_capture_is_status_1() {
    let folder = Folder::new();
    let octets = pcap(&recording(&[Mail::default(), Mail { message: "Subject: b\r\n\r\n", ..Mail::default() }]));
    let file = folder.file("cut.pcap", &octets[..octets.len() - 3]);
    let directory = folder.path().join("out");
    let run = smtpscope(&["extract", &file, "--output", directory.to_str().unwrap()]);
    assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{}", run.stderr);
    assert_eq!(Extracted::of(&directory).subjects(), ["hello", "b"]);
}

#[test]
fn wrong_use_is_status_2_and_makes_no_directory() {
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    let out = folder.missing("out");
    let wrong: [&[&str]; 4] = [
        &["extract", &file],
        &["extract", "--output", &out],
        &["extract", &file, "--output", &out, "--regex", "--from", "("],
        &["extract", &folder.missing("a"), "--output", &out],
    ];
    for arguments in wrong {
        let run = smtpscope(arguments);
        assert_eq!((run.status, run.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(!Path::new(&out).exists(), "{arguments:?}");
    }
}

/// The contract: `--jobs` never changes an octet of the output.
#[test]
fn threads_change_nothing() {
    let messages: Vec<String> = (0..40).map(|number| format!("Subject: {}\r\n\r\nx\r\n", number % 30)).collect();
    let mails: Vec<Mail<'_>> = messages.iter().map(|message| Mail { message, ..Mail::default() }).collect();
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&recording(&mails)));
    let all = ["1", "2", "8"].map(|jobs| {
        let directory = folder.path().join(jobs);
        smtpscope(&["extract", &file, "--jobs", jobs, "--output", directory.to_str().unwrap()]).succeeds();
        let index = fs::read(directory.join("index.ndjson")).unwrap();
        (index, Extracted::of(&directory).files)
    });
    assert!(all[0] == all[1] && all[1] == all[2], "different octets");
    assert_eq!(all[0].1.len(), 30);
}
