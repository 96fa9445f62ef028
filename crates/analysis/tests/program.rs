//! The program as a process: its arguments, its exit status, and what it prints where.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "support/process.rs"]
mod process;

use std::fs;

use kit::{Conversation, PcapNgWriter, PcapWriter, pcap, pcapng};
use process::{
    Folder, Mail, Run, SERVER, START_NANOS, document, one_mail, recording, smtpscope, smtpscope_cut_off,
    smtpscope_reading,
};
use serde_json::{Value, json};

const COMMANDS: [&str; 5] = ["summary", "features", "context", "insights", "log"];
/// Those that print a JSON document.
const DOCUMENTS: [&str; 3] = ["features", "context", "insights"];

/// A run that printed something and then found its input damaged: status 1, and one line on standard error with the
/// file's name. Gives what the line says of it.
#[track_caller]
fn one_complaint<'a>(run: &'a Run, path: &str) -> &'a str {
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    run.stderr.split_once(path).unwrap_or_else(|| unreachable!("{path} is not named: {}", run.stderr)).1
}

/// Nothing could be read: status 2, nothing on standard output.
#[track_caller]
fn nothing_read(run: &Run) {
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    assert_eq!(String::from_utf8_lossy(&run.stdout), "");
    assert!(!run.stderr.is_empty(), "no reason is given");
}

fn numbers(text: &str) -> Vec<usize> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

// What is wrong with the arguments.

#[test]
fn help_and_version_are_successes() {
    for arguments in [&["--help"][..], &["--version"], &["features", "--help"], &["insights", "--help"]] {
        let run = smtpscope(arguments).succeeds();
        assert!(!run.stdout.is_empty(), "{arguments:?}");
    }
    let version = smtpscope(&["--version"]);
    assert_eq!(version.text(), format!("smtpscope {}\n", env!("CARGO_PKG_VERSION")));
    let help = smtpscope(&["--help"]);
    for command in COMMANDS {
        assert!(help.text().contains(command), "{command} is not in the help");
    }
}

#[test]
fn wrong_use_is_status_2() {
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    let wrong: [&[&str]; 12] = [
        &[],
        &["features"],
        &["no-such-command", &file],
        &["features", "--no-such-flag", &file],
        &["context", "--detail-level", "0", &file],
        &["context", "--detail-level", "4", &file],
        &["context", "--detail-level", "much", &file],
        &["context", "--max-conversations", "-1", &file],
        &["context", "--max-conversations", "few", &file],
        &["insights", "--internal-domain"],
        &["features", "--jobs", "0", &file],
        &["features", "--jobs", "many", &file],
    ];
    for arguments in wrong {
        nothing_read(&smtpscope(arguments));
    }
}

// What is wrong with the files.

#[test]
fn a_whole_capture_is_status_0() {
    let folder = Folder::new();
    let file = folder.file("a.pcap", &pcap(&one_mail()));
    for command in COMMANDS {
        assert!(!smtpscope(&[command, &file]).succeeds().stdout.is_empty(), "{command}");
    }
    for command in DOCUMENTS {
        assert!(document(&[command, &file]).is_object());
    }
}

#[test]
fn a_capture_without_packets_is_read_to_its_end() {
    let folder = Folder::new();
    for (name, octets) in [("a.pcap", pcap(&[])), ("a.pcapng", pcapng(&[]))] {
        let document = document(&["features", &folder.file(name, &octets)]);
        assert_eq!((&document["sessions"], &document["capture"]["packets"]), (&json!({}), &json!(0)), "{name}");
    }
}

#[test]
fn what_is_no_capture_is_status_2() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("bare")).unwrap();
    let whole = pcap(&one_mail());
    let nothing = [
        folder.file("empty.pcap", b""),
        folder.file("text.pcap", b"From alice@example.org: this is a text, and it is long enough for a file header.\n"),
        folder.file("header.pcap", &whole[..10]),
        folder.missing("missing.pcap"),
        folder.missing("bare"),
    ];
    for path in &nothing {
        for command in COMMANDS {
            let run = smtpscope(&[command, path]);
            nothing_read(&run);
            assert!(run.stderr.contains(path.as_str()), "{path} is not named: {}", run.stderr);
        }
    }
    let all: Vec<&str> = ["features"].into_iter().chain(nothing.iter().map(String::as_str)).collect();
    let run = smtpscope(&all);
    nothing_read(&run);
    for path in &nothing {
        assert!(run.stderr.contains(path.as_str()), "{path} is not named: {}", run.stderr);
    }
}

#[test]
fn what_is_no_capture_among_captures_is_status_1() {
    let folder = Folder::new();
    let good = folder.file("good.pcap", &pcap(&one_mail()));
    fs::create_dir(folder.path().join("bare")).unwrap();
    let bad = [
        folder.file("empty.pcap", b""),
        folder.file("text.pcap", b"From alice@example.org: this is a text, and it is long enough for a file header.\n"),
        folder.missing("missing.pcap"),
        folder.missing("bare"),
    ];
    let alone = document(&["features", &good]);
    for path in &bad {
        for order in [[path, &good], [&good, path]] {
            let run = smtpscope(&["features", order[0], order[1]]);
            one_complaint(&run, path);
            let document = run.document();
            assert_eq!(document["sessions"], alone["sessions"], "{path}");
            assert_eq!(document["transactions"], alone["transactions"], "{path}");
            let files = document["capture"]["files"].as_array().unwrap();
            let file = files.iter().find(|file| file["path"] == path.as_str()).expect("the file is listed");
            assert!(file["error"].is_string(), "{file}");
        }
    }
}

#[test]
fn a_truncated_capture_gives_its_whole_packets() {
    let folder = Folder::new();
    let packets = one_mail();
    let (last, whole) = packets.split_last().unwrap();
    for (name, with, without) in
        [("a.pcap", pcap(&packets), pcap(whole)), ("a.pcapng", pcapng(&packets), pcapng(whole))]
    {
        assert!(with.len() - without.len() > last.data.len());
        let expected = document(&["features", &folder.file(&format!("whole-{name}"), &without)]);
        // The cut is in the last packet's data, in its record's header, and one octet before the end.
        for cut in [without.len() + 3, without.len() + last.data.len() / 2, with.len() - 1] {
            let path = folder.file(name, &with[..cut]);
            for command in DOCUMENTS {
                let run = smtpscope(&[command, &path]);
                let complaint = one_complaint(&run, &path);
                assert!(
                    numbers(complaint).iter().any(|offset| (without.len()..=cut).contains(offset)),
                    "no offset from {} to {cut}: {complaint}",
                    without.len()
                );
                run.document();
            }
            let document = smtpscope(&["features", &path]).document();
            assert_eq!(document["sessions"], expected["sessions"], "{name} cut at {cut}");
            assert_eq!(document["transactions"], expected["transactions"], "{name} cut at {cut}");
            assert_eq!(document["capture"]["packets"], whole.len(), "{name} cut at {cut}");
            let file = &document["capture"]["files"][0];
            assert_eq!((&file["truncated"], file["error"].is_string()), (&json!(true), true), "{file}");
            let summary = smtpscope(&["summary", &path]);
            one_complaint(&summary, &path);
            assert!(!summary.stdout.is_empty());
        }
    }
}

#[test]
fn a_damaged_capture_gives_the_packets_before_the_damage() {
    let folder = Folder::new();
    let packets = one_mail();
    let mut octets = pcap(&packets);
    let damage = octets.len();
    // A record of 4 294 967 295 octets, behind which nothing can be found again.
    octets.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    octets.extend([0xff; 100]);
    let path = folder.file("damaged.pcap", &octets);
    let run = smtpscope(&["features", &path]);
    let complaint = one_complaint(&run, &path);
    let offsets = numbers(complaint);
    assert!(
        offsets.iter().any(|offset| (damage..=octets.len()).contains(offset)),
        "no offset from {damage}: {complaint}"
    );
    let document = run.document();
    assert_eq!(document["capture"]["packets"], packets.len());
    assert_eq!(document["summary"]["completed_transactions"], 1);
}

#[test]
fn packets_of_an_unknown_link_type_are_counted() {
    let folder = Folder::new();
    let packets = one_mail();
    let errors = |document: &Value| -> u64 {
        let kinds = document["capture"]["decode_errors"].as_object().unwrap();
        kinds.values().map(|count| count.as_u64().unwrap()).sum()
    };
    // LINKTYPE_USER0: "reserved for private use".
    let unknown =
        smtpscope(&["features", &folder.file("a.pcap", &PcapWriter::new().link_type(147).file(&packets))]).document();
    assert_eq!(errors(&unknown), packets.len() as u64);
    assert_eq!(unknown["capture"]["packets"], packets.len());
    assert_eq!(unknown["capture"]["tcp_segments"], 0);
    assert_eq!(unknown["sessions"], json!({}));

    let user0 = kit::Interface { link_type: 147, tsresol: Some(9), ..kit::Interface::default() };
    let ethernet = kit::Interface { link_type: 1, ..user0 };
    let writer = PcapNgWriter::new().section().interface(ethernet).interface(user0).enhanced(1, &packets[0]);
    let mixed = packets.iter().fold(writer, |writer, packet| writer.enhanced(0, packet)).file();
    let mixed = smtpscope(&["features", &folder.file("a.pcapng", &mixed)]).document();
    assert_eq!(errors(&mixed), 1);
    assert_eq!(mixed["capture"]["packets"], packets.len() + 1);
    assert_eq!(mixed["summary"]["completed_transactions"], 1);

    // The file is read to its end, and the user is told that nothing of it was understood.
    let path = folder.file("b.pcap", &PcapWriter::new().link_type(147).file(&packets));
    let run = smtpscope(&["features", &path]);
    assert_eq!((run.status, run.stderr.lines().count()), (Some(0), 1), "{}", run.stderr);
    let said = run.stderr.split_once(path.as_str()).unwrap().1;
    assert_eq!(numbers(said), [packets.len(), 24 + 16, 147], "packets, the offset of the first, the link type: {said}");
}

// Where input comes from and output goes to.

#[test]
fn standard_input_is_a_file_like_any_other() {
    let folder = Folder::new();
    for (name, octets) in [("a.pcap", pcap(&one_mail())), ("a.pcapng", pcapng(&one_mail()))] {
        let path = folder.file(name, &octets);
        let mut of_file = document(&["features", &path]);
        let mut of_input = smtpscope_reading(&["features", "-"], &octets).succeeds().document();
        assert_eq!(of_input["capture"]["files"][0]["path"], "-");
        for document in [&mut of_file, &mut of_input] {
            document["capture"]["files"][0]["path"] = Value::Null;
        }
        assert_eq!(of_input, of_file, "{name}");
    }
    // A pipe by its name, as `<(…)` of a shell gives it.
    let octets = pcap(&one_mail());
    let mut of_pipe = smtpscope_reading(&["features", "/dev/stdin"], &octets).succeeds().document();
    let mut of_input = smtpscope_reading(&["features", "-"], &octets).succeeds().document();
    for document in [&mut of_pipe, &mut of_input] {
        document["capture"]["files"][0]["path"] = Value::Null;
    }
    assert_eq!(of_pipe, of_input);
    nothing_read(&smtpscope_reading(&["features", "-"], b""));
    nothing_read(&smtpscope_reading(&["features", "-"], b"not a capture, but long enough for a header"));
}

#[test]
fn a_directory_stands_for_the_captures_in_it() {
    let folder = Folder::new();
    let packets = one_mail();
    let (first, second) = packets.split_at(packets.len() / 2);
    // The names are not in the order of the packets, and the extensions say nothing.
    let later = folder.file("a.pcapng", &pcapng(second));
    let earlier = folder.file("b.recording", &pcap(first));
    folder.file("notes.txt", b"Recorded on a Monday, while it rained. No capture is in this file.\n");
    folder.file("facts.json", b"{\"sessions\": []}");
    let directory = folder.path().to_str().unwrap();
    for command in COMMANDS {
        let of_directory = smtpscope(&[command, directory]).succeeds();
        let of_files = smtpscope(&[command, &earlier, &later]).succeeds();
        assert_eq!(of_directory.text(), of_files.text(), "{command}");
    }
    let document = document(&["features", directory]);
    assert_eq!(document["summary"]["total_sessions"], 1);
    assert_eq!(document["summary"]["completed_transactions"], 1);
    let paths: Vec<&Value> =
        document["capture"]["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, [earlier.as_str(), later.as_str()]);
}

#[test]
fn a_closed_pipe_is_success() {
    let folder = Folder::new();
    let mails = vec![Mail::default(); 400];
    let path = folder.file("a.pcap", &pcap(&recording(&mails)));
    let whole_context =
        ["context", "--detail-level", "3", "--max-conversations", "1000", "--max-bytes", "10000000", &path];
    let large = [vec!["features", &path], whole_context.to_vec()];
    for arguments in &large {
        assert!(smtpscope(arguments).stdout.len() > 200_000, "not more than a pipe takes: {arguments:?}");
        for octets in [0, 1, 1000] {
            let run = smtpscope_cut_off(arguments, octets);
            assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{arguments:?} closed after {octets}");
        }
    }
    for command in ["insights", "summary"] {
        let run = smtpscope_cut_off(&[command, &path], 0);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{command}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::new();
    let packets = recording(&vec![Mail::default(); 30]);
    let pieces: Vec<String> = packets
        .chunks(70)
        .enumerate()
        .map(|(number, packets)| folder.file(&format!("{number}.pcap"), &pcap(packets)))
        .collect();
    for command in COMMANDS {
        let with_jobs = |jobs: &str| {
            let options = [command, "--jobs", jobs].into_iter();
            let arguments: Vec<&str> = options.chain(pieces.iter().rev().map(String::as_str)).collect();
            smtpscope(&arguments).succeeds().stdout
        };
        let one = with_jobs("1");
        assert!(one == with_jobs("3"), "{command} with 1 and 3 threads");
        assert!(one == with_jobs("16"), "{command} with 1 and 16 threads");
    }
}

#[test]
fn times_have_every_digit() {
    let folder = Folder::new();
    let printed = smtpscope(&["features", &folder.file("a.pcap", &pcap(&one_mail()))]);
    assert!(printed.text().contains("\"first_seen\":1700000000.123456789"), "{}", printed.text());
}

#[test]
fn nothing_from_the_wire_controls_the_terminal() {
    let folder = Folder::new();
    // CSI and OSC in 7 and in 8 bits, bell, backspace, carriage return, delete, a title, and NUL.
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{9d}2;owned\u{9c}\u{8}\u{7f}\t\0";
    let line = |text: &str| format!("{text}{evil}\r\n").into_bytes();
    let packets = Conversation::new("192.0.2.1:40000", SERVER)
        .start(START_NANOS)
        .handshake()
        .server(&line("220 mx.example"))
        .client(&line("EHLO client.example"))
        .server(&[line("250-mx.example"), line("250 AUTH")].concat())
        .client(&line(&format!("MAIL FROM:<alice{evil}@example.org>")))
        .server(&line("250 ok"))
        .client(format!("RCPT TO:<nobody{evil}@example.net>\r\n").as_bytes())
        .server(&line("550 5.1.1 nobody"))
        .client(format!("RCPT TO:<bob{evil}@example.net>\r\n").as_bytes())
        .server(&line("250 ok"))
        .client(&line(&format!("VE{evil}RB")))
        .server(&line("500 what"))
        .client(b"DATA\r\n")
        .server(&line("354 go on"))
        .client(format!("Subject: {evil}\r\n\r\n{evil}\r\n.\r\n").as_bytes())
        .server(&line("554 5.7.1 refused"))
        .client(b"QUIT\r\n")
        .server(&line("221 bye"))
        .close()
        .packets();
    let run = smtpscope(&["summary", &folder.file("a.pcap", &pcap(&packets))]).succeeds();
    assert!(run.text().contains("192.0.2.1:40000"), "the session is not shown: {}", run.text());
    let controls: Vec<char> = run.text().chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(controls, [], "{:?}", run.text());
}
