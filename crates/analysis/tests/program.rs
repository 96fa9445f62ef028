//! The program as a process: its arguments, its exit status, and what it prints where.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "support/process.rs"]
mod process;

use std::fs;

use kit::{Conversation, KitPacket, PcapNgWriter, PcapWriter, TcpPacket, pcap, pcapng};
use process::{
    Folder, Mail, Run, SERVER, START_NANOS, document, recording, smtpscope, smtpscope_cut_off, smtpscope_reading,
};
use serde_json::{Value, json};

const COMMANDS: [&str; 4] = ["summary", "features", "context", "insights"];
/// Those that print a JSON document.
const DOCUMENTS: [&str; 3] = ["features", "context", "insights"];

fn one_mail() -> Vec<KitPacket> {
    recording(&[Mail::default()])
}

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
    let unknown = document(&["features", &folder.file("a.pcap", &PcapWriter::new().link_type(147).file(&packets))]);
    assert_eq!(errors(&unknown), packets.len() as u64);
    assert_eq!(unknown["capture"]["packets"], packets.len());
    assert_eq!(unknown["capture"]["tcp_segments"], 0);
    assert_eq!(unknown["sessions"], json!({}));

    let user0 = kit::Interface { link_type: 147, tsresol: Some(9), ..kit::Interface::default() };
    let ethernet = kit::Interface { link_type: 1, ..user0 };
    let writer = PcapNgWriter::new().section().interface(ethernet).interface(user0).enhanced(1, &packets[0]);
    let mixed = packets.iter().fold(writer, |writer, packet| writer.enhanced(0, packet)).file();
    let mixed = document(&["features", &folder.file("a.pcapng", &mixed)]);
    assert_eq!(errors(&mixed), 1);
    assert_eq!(mixed["capture"]["packets"], packets.len() + 1);
    assert_eq!(mixed["summary"]["completed_transactions"], 1);
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
    let large = [vec!["features", &path], vec!["context", "--detail-level", "3", "--max-conversations", "1000", &path]];
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

// The options of the commands.

#[test]
fn secrets_are_printed_only_on_request() {
    let folder = Folder::new();
    let encoded = data_encoding::BASE64.encode(b"\0alice\0open sesame 7");
    let packets = Conversation::new("192.0.2.1:40000", SERVER)
        .start(START_NANOS)
        .handshake()
        .server(b"220 mx.example ESMTP\r\n")
        .client(b"EHLO client.example\r\n")
        .server(b"250-mx.example\r\n250 AUTH PLAIN LOGIN\r\n")
        .client(format!("AUTH PLAIN {encoded}\r\n").as_bytes())
        .server(b"535 5.7.8 no\r\n")
        .client(b"AUTH LOGIN\r\n")
        .server(b"334 VXNlcm5hbWU6\r\n")
        .client(b"YWxpY2U=\r\n")
        .server(b"334 UGFzc3dvcmQ6\r\n")
        .client(b"b3BlbiBzZXNhbWUgNw==\r\n")
        .server(b"235 2.7.0 yes\r\n")
        .client(b"QUIT\r\n")
        .server(b"221 bye\r\n")
        .close()
        .packets();
    let path = folder.file("a.pcap", &pcap(&packets));
    for command in COMMANDS {
        let run = smtpscope(&[command, &path]).succeeds();
        for secret in ["open sesame 7", &encoded, "YWxpY2U=", "b3BlbiBzZXNhbWUgNw"] {
            assert!(!run.text().contains(secret), "{command} prints {secret}");
        }
    }
    let revealed = smtpscope(&["features", "--reveal-secrets", &path]).succeeds();
    assert!(revealed.text().contains("open sesame 7"), "{}", revealed.text());
    assert_eq!(revealed.document()["summary"]["auth_successes"], 1);
    assert_eq!(revealed.document()["summary"]["auth_failures"], 1);
}

#[test]
fn no_headers_leaves_headers_out_and_nothing_else() {
    let folder = Folder::new();
    let message = "Received: from a\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: Alice <alice@example.org>\r\n\
                   Received: from b\r\n\r\nA line.\r\n";
    let path = folder.file("a.pcap", &pcap(&recording(&[Mail { message, ..Mail::default() }])));
    let mut with = document(&["features", &path]);
    let headers = with["transactions"][0]["message"].as_object_mut().unwrap().remove("headers").unwrap();
    let pairs = name_and_value(&headers);
    let expected =
        [("Received", "from a"), ("Subject", "Café"), ("From", "Alice <alice@example.org>"), ("Received", "from b")];
    assert_eq!(pairs, expected);

    let mut without = document(&["features", "--no-headers", &path]);
    let headers = without["transactions"][0]["message"].as_object_mut().unwrap().remove("headers");
    assert!(headers.is_none_or(|headers| headers.is_null()));
    assert_eq!(without, with);
    assert_eq!(without["transactions"][0]["message"]["subject"], "Café");
}

/// RFC 2047 decodes words; that takes nothing else away. `message_id` goes without brackets, the field keeps them.
#[test]
fn header_values_keep_what_is_not_encoded() {
    let folder = Folder::new();
    let fields = [
        ("Message-ID", "<1@example.org>"),
        ("In-Reply-To", "<0@example.org>"),
        ("References", "<a@example.org> <b@example.org>"),
        ("Return-Path", "<alice@example.org>"),
        ("To", "\"Bob, the builder\" <bob@example.net>, carol@example.net"),
        ("Content-Type", "text/plain; charset=\"us-ascii\""),
        ("Content-ID", "<2@example.org>"),
        ("Date", "Mon, 5 Jan 2026 10:00:00 +0000 (UTC)"),
        ("X-Mailer", "a <b> (c) \"d\""),
    ];
    let header: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let message = &format!("{header}\r\nA line.\r\n");
    let path = folder.file("a.pcap", &pcap(&recording(&[Mail { message, ..Mail::default() }])));
    for arguments in [&["features", &path][..], &["features", "--body", &path]] {
        let message = &document(arguments)["transactions"][0]["message"];
        assert_eq!(name_and_value(&message["headers"]), fields, "{arguments:?}");
        assert_eq!(message["message_id"], "1@example.org");
    }
}

fn name_and_value(headers: &Value) -> Vec<(&str, &str)> {
    headers
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (header["name"].as_str().unwrap(), header["value"].as_str().unwrap().trim()))
        .collect()
}

#[test]
fn body_adds_the_decoded_text() {
    let folder = Folder::new();
    let plain = "Subject: a\r\n\r\nThe text.\r\n";
    let base64 = "Subject: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
                  Content-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n";
    let quoted = "Subject: c\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                  Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\n";
    let mails = [plain, base64, quoted].map(|message| Mail { message, ..Mail::default() });
    let path = folder.file("a.pcap", &pcap(&recording(&mails)));
    let texts = |document: &Value| -> Vec<Option<String>> {
        let messages = document["transactions"].as_array().unwrap().iter().map(|t| &t["message"]["text"]);
        messages.map(|text| text.as_str().map(|text| text.trim().to_owned())).collect()
    };
    assert_eq!(texts(&document(&["features", &path])), [None, None, None]);
    let expected = ["The text.", "Grüße", "Grüße"].map(|text| Some(text.to_owned()));
    assert_eq!(texts(&document(&["features", "--body", &path])), expected);
}

#[test]
fn detail_level_adds_the_sequence_and_then_the_sessions() {
    let folder = Folder::new();
    let path = folder.file("a.pcap", &pcap(&one_mail()));
    let level = |level: &str| document(&["context", "--detail-level", level, &path]);
    let (first, second, third) = (level("1"), level("2"), level("3"));
    for document in [&first, &second, &third] {
        let mail = &document["transactions"][0];
        assert_eq!(document["protocol"], "SMTP");
        assert_eq!(
            mail["query"],
            json!({"mail_from": "alice@example.org", "rcpt_to": ["bob@example.net"], "has_data": true})
        );
        assert_eq!(mail["response"], json!({"codes": ["250", "250", "354", "250"], "successful": true}));
        assert_eq!((&mail["completed"], &mail["outcome"]), (&json!(true), &json!("accepted")));
    }
    assert_eq!(document(&["context", "--detail-level", "1", &path]), first, "the same input, another run");
    assert!(first["transactions"][0]["command_sequence"].is_null());
    assert!(first["sessions"].is_null() && second["sessions"].is_null());
    assert!(third["sessions"].to_string().contains("client.example"), "{}", third["sessions"]);
    assert_eq!(third["transactions"], second["transactions"]);

    let steps = second["transactions"][0]["command_sequence"].as_array().unwrap();
    let shown: Vec<[&str; 3]> = steps
        .iter()
        .map(|step| match step["type"].as_str().unwrap() {
            "command" => ["command", step["command"].as_str().unwrap(), step["parameter"].as_str().unwrap_or_default()],
            _ => ["response", step["code"].as_str().unwrap(), step["message"].as_str().unwrap()],
        })
        .collect();
    let expected = [
        ["command", "MAIL", "FROM:<alice@example.org>"],
        ["response", "250", "sender ok"],
        ["command", "RCPT", "TO:<bob@example.net>"],
        ["response", "250", "recipient ok"],
        ["command", "DATA", ""],
        ["response", "354", "go on"],
        ["response", "250", "taken"],
    ];
    assert_eq!(shown, expected);
    let times: Vec<f64> = steps.iter().map(|step| step["timestamp"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn max_conversations_keeps_the_most_interesting() {
    let folder = Folder::new();
    let mut mails = vec![Mail::default(); 12];
    mails[7].to = &["a@example.net", "b@example.net", "c@example.net"];
    mails[10].reply = "554 refused";
    let path = folder.file("a.pcap", &pcap(&recording(&mails)));
    let shown = |arguments: &[&str]| {
        let arguments: Vec<&str> =
            ["context"].into_iter().chain(arguments.iter().copied()).chain([path.as_str()]).collect();
        let document = document(&arguments);
        let transactions = document["transactions"].as_array().unwrap();
        let seconds = transactions.iter().map(|t| t["timestamp"].as_f64().unwrap() - 1_700_000_000.0);
        // The mails are a second apart.
        let numbers: Vec<String> = seconds.map(|second| format!("{second:.0}")).collect();
        (numbers.join(" "), document["omitted"]["transactions"].as_u64().unwrap())
    };
    assert_eq!(shown(&["--max-conversations", "1"]), ("10".to_owned(), 11));
    assert_eq!(shown(&["--max-conversations", "4"]), ("10 7 0 1".to_owned(), 8));
    assert_eq!(shown(&[]), ("10 7 0 1 2 3 4 5 6 8".to_owned(), 2));
    assert_eq!(shown(&["--max-conversations", "0"]), (String::new(), 12));
    assert_eq!(shown(&["--max-conversations", "100"]).1, 0);
}

#[test]
fn internal_domains_are_compared_without_case_and_by_whole_labels() {
    let folder = Folder::new();
    let mails = [
        Mail { from: "alice@Example.ORG", to: &["bob@example.net", "carol@example.org"], ..Mail::default() },
        Mail { from: "eve@notexample.org", ..Mail::default() },
        Mail { from: "mallory@example.org.test", ..Mail::default() },
        Mail { from: "dave@other.test", ..Mail::default() },
    ];
    let path = folder.file("a.pcap", &pcap(&recording(&mails)));
    let ratio = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["insights", &path].into_iter().chain(arguments.iter().copied()).collect();
        document(&arguments)["domain_analysis"]["internal_external_ratio"].clone()
    };
    let expected = |senders: [u64; 2], recipients: [u64; 2]| {
        json!({
            "senders": {"internal": senders[0], "external": senders[1]},
            "recipients": {"internal": recipients[0], "external": recipients[1]},
        })
    };
    assert_eq!(ratio(&["--internal-domain", "EXAMPLE.org"]), expected([1, 3], [1, 4]));
    let both = ["--internal-domain", "example.org", "--internal-domain", "other.test"];
    assert_eq!(ratio(&both), expected([2, 2], [1, 4]));
}

#[test]
fn no_queries_leaves_the_patterns_out() {
    let folder = Folder::new();
    let mails = [
        Mail { from: "alice@example.org", ..Mail::default() },
        Mail { from: "bob@EXAMPLE.org", to: &["x@example.com", "y@example.net"], ..Mail::default() },
        Mail { from: "", ..Mail::default() },
    ];
    let path = folder.file("a.pcap", &pcap(&recording(&mails)));
    let with = document(&["insights", &path]);
    assert_eq!(with["query_patterns"]["top_sender_domains"], json!({"example.org": 2}));
    assert_eq!(with["query_patterns"]["top_recipient_domains"], json!({"example.net": 3, "example.com": 1}));
    assert_eq!(with["query_patterns"]["total_recipient_domains"], 2);
    let without = document(&["insights", "--no-queries", &path]);
    assert!(without["query_patterns"].is_null());
    assert_eq!(without["response_analysis"], with["response_analysis"]);
}

#[test]
fn no_response_codes_leaves_the_replies_out() {
    let folder = Folder::new();
    let refused = Mail { reply: "554 not today", ..Mail::default() };
    let deferred = Mail { reply: "451 later", ..Mail::default() };
    let path = folder.file("a.pcap", &pcap(&recording(&[Mail::default(), refused.clone(), refused, deferred])));
    let with = document(&["insights", &path]);
    // Each connection: 220, EHLO, MAIL and RCPT with 250, 354, the reply to the message, 221.
    let counts = json!({"220": 4, "221": 4, "250": 13, "354": 4, "451": 1, "554": 2});
    assert_eq!(with["response_analysis"]["response_code_counts"], counts);
    let categories = json!({"2xx": 21, "3xx": 4, "4xx": 1, "5xx": 2});
    assert_eq!(with["response_analysis"]["response_categories"], categories);
    assert_eq!(with["response_analysis"]["top_error_messages"], json!({"not today": 2, "later": 1}));
    let without = document(&["insights", "--no-response-codes", &path]);
    assert!(without["response_analysis"].is_null());
    assert_eq!(without["query_patterns"], with["query_patterns"]);
}

#[test]
fn tunnels_are_looked_for_only_on_request() {
    let folder = Folder::new();
    let quiet = folder.file("quiet.pcap", &pcap(&one_mail()));
    assert!(document(&["insights", &quiet])["tunneling_analysis"].is_null());
    let analysis = &document(&["insights", "--detect-tunneling", &quiet])["tunneling_analysis"];
    assert_eq!(*analysis, json!({"potential_tunneling": false, "suspicious_patterns": []}));

    // Two hundred connections of one client within twenty seconds.
    let packets: Vec<KitPacket> = (0..200)
        .flat_map(|number| {
            let packets = Mail::default().packets(number).into_iter();
            packets.map(move |packet| KitPacket { nanos: packet.nanos - i64::from(number) * 900_000_000, ..packet })
        })
        .collect();
    let busy = folder.file("busy.pcap", &pcap(&packets));
    assert!(document(&["insights", &busy])["tunneling_analysis"].is_null());
    let analysis = &document(&["insights", "--detect-tunneling", &busy])["tunneling_analysis"];
    assert_eq!(analysis["potential_tunneling"], true);
    let patterns = analysis["suspicious_patterns"].as_array().unwrap();
    let frequency = patterns.iter().find(|pattern| pattern["type"] == "high_connection_frequency").unwrap();
    assert_eq!(frequency["client_ip"], "192.0.2.1");
    assert_eq!(frequency["connection_count"], 200);
}

#[test]
fn a_connection_without_mail_is_no_session() {
    let folder = Folder::new();
    let segment = TcpPacket {
        seq: 1,
        ack: Some(1),
        payload: b"GET / HTTP/1.1\r\n\r\n",
        ..TcpPacket::new("192.0.2.1:4000", "192.0.2.2:80")
    };
    let path = folder.file("a.pcap", &pcap(&[KitPacket::new(START_NANOS, segment.ethernet())]));
    let document = document(&["features", &path]);
    assert_eq!((&document["sessions"], &document["transactions"]), (&json!({}), &json!([])));
    assert_eq!(document["capture"]["tcp_connections"], 1);
}
