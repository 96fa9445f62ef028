//! Captures in every format give the same mails; damage, drops and comments are reported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "shared with other tests")]
#[path = "support/process.rs"]
mod process;

use std::path::{Path, PathBuf};

use kit::{Interface, PcapNgWriter, pcap};
use process::{Folder, document, one_mail, smtpscope};
use serde_json::{Value, json};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Written by `testdata/record/formats.sh` with editcap, mergecap, reordercap, text2pcap and tcpdump.
#[test]
fn what_tools_made_of_a_capture_gives_the_mails_of_its_source() {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(testdata().join("formats")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = name.split('.').next().unwrap();
        let source = ["pcap", "pcapng"].map(|ending| testdata().join(format!("{source}.{ending}")));
        let source = source.iter().find(|source| source.exists()).expect("a capture it was made from");
        let (of, from) =
            (document(&["features", path.to_str().unwrap()]), document(&["features", source.to_str().unwrap()]));
        assert!(!from["transactions"].as_array().unwrap().is_empty());
        assert_eq!(of["transactions"], from["transactions"], "{name}");
        assert_eq!(of["sessions"], from["sessions"], "{name}");
        let file = &of["capture"]["files"][0];
        assert_eq!(file["octets"], std::fs::metadata(&path).unwrap().len(), "{name}");
        let format = file["format"].as_str().unwrap();
        if let Some((_, wanted)) = name.split_once("editcap-").filter(|(_, wanted)| !wanted.starts_with("comments")) {
            assert_eq!(wanted.split('.').next().unwrap(), format, "{name}");
        }
        if name.contains("comments") {
            let comments = json!([
                {"about": "section", "number": null, "text": "a mirror port"},
                {"about": "packet", "number": 2, "text": "the second packet"},
                {"about": "packet", "number": 5, "text": "the fifth packet"},
            ]);
            assert_eq!(file["comments"], comments);
        }
        seen.push(name.to_owned());
    }
    assert!(seen.len() >= 12, "{seen:?}");
}

#[test]
fn damage_is_named_once_each_and_reading_goes_on() {
    let folder = Folder::new();
    let packets = one_mail();
    let start = pcap(&packets[..4]).len();
    let mut octets = pcap(&packets);
    octets.splice(start..start, [0x55; 77]);
    let path = folder.file("a.pcap", &octets);
    let mut expected = document(&["features", &folder.file("b.pcap", &pcap(&packets))]);
    for command in ["features", "summary", "context", "insights"] {
        let run = smtpscope(&[command, &path]);
        assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{}", run.stderr);
        let message =
            format!("{path}: damaged at octet {start}: 77 octets passed over, read on at octet {}", start + 77);
        assert!(run.stderr.contains(&message), "{}", run.stderr);
    }
    let mut document = smtpscope(&["features", &path]).document();
    let file = document["capture"]["files"][0].take();
    assert_eq!(file["damaged"], json!([{"offset": start, "skipped": 77}]));
    assert_eq!((&file["skipped_octets"], &file["further_damaged"]), (&json!(77), &json!(0)));
    assert_eq!((&file["error"], &file["truncated"]), (&Value::Null, &json!(false)));
    expected["capture"]["files"][0].take();
    assert_eq!(document, expected);
}

#[test]
fn a_capture_that_dropped_packets_says_so() {
    let folder = Folder::new();
    let writer = PcapNgWriter::new().section().interface(Interface::default());
    let writer = one_mail().iter().fold(writer, |writer, packet| writer.enhanced(0, packet));
    for (dropped, writer) in
        [(None, writer.clone()), (Some(0), writer.clone().statistics(0, 0, 0)), (Some(12), writer.statistics(0, 9, 3))]
    {
        let path = folder.file("a.pcapng", &writer.file());
        let run = smtpscope(&["features", &path]);
        assert_eq!(run.status, Some(0), "the file is whole");
        assert_eq!(run.document()["capture"]["files"][0]["dropped"], json!(dropped));
        let warned = run.stderr.contains("12 packets were dropped");
        let shown = smtpscope(&["summary", &path]).text().contains("12 packets were dropped");
        let says = dropped == Some(12);
        assert_eq!((warned, shown, run.stderr.lines().count()), (says, says, usize::from(says)), "{}", run.stderr);
    }
}
