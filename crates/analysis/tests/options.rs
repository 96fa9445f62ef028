//! The options of the program's commands, each seen in what is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test program uses the rest")]
#[path = "support/process.rs"]
mod process;

use kit::{Conversation, KitPacket, TcpPacket, pcap};
use process::{Folder, Mail, SERVER, START_NANOS, document, one_mail, recording, smtpscope};
use serde_json::{Value, json};

const COMMANDS: [&str; 4] = ["summary", "features", "context", "insights"];

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

    // The password of both exchanges is the same; the digest says so, and is another in each run.
    let attempts = |run: &process::Run| {
        let document = run.document();
        let session = document["sessions"].as_object().unwrap().values().next().unwrap().clone();
        [0, 1].map(|nth| session["auth"][nth]["secret_digest"].clone())
    };
    assert_eq!(attempts(&smtpscope(&["features", &path]).succeeds()), [Value::Null, Value::Null]);
    let [one, other] = [0, 1].map(|_| {
        let run = smtpscope(&["features", "--secret-digests", &path]).succeeds();
        assert!(!run.text().contains("open sesame 7"));
        attempts(&run)
    });
    assert_eq!(one[0].as_str().map(str::len), Some(16));
    assert_eq!((&one[0], &other[0]), (&one[1], &other[1]));
    assert_ne!(one, other);
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
