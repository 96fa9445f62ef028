//! Captures that hold less than the dialogue, and connections that are no dialogue of mail.

use serde_json::{Value, json};

use crate::dialogue_support::{analyse, expect, parse, play};

/// RFC 5321 appendix D.1 in short, of one side only.
#[test]
fn only_the_client() {
    expect(
        "[syn]
         s: 220 foo.com ESMTP
         C: EHLO bar.com
         s: 250 foo.com
         C: MAIL FROM:<Smith@bar.com>
         s: 250 OK
         C: RCPT TO:<Jones@foo.com>
         s: 250 OK
         C: DATA
         s: 354 go on
         C: text
         C: .
         s: 250 OK
         C: MAIL FROM:<Smith@bar.com>
         s: 250 OK
         C: QUIT
         s: 221 bye
         [fin]",
        &json!({
            "directions": "client", "helo": "bar.com", "greeting": null, "client_port": 40000,
            "verbs": "EHLO MAIL RCPT DATA MAIL QUIT", "replies": "",
        }),
        &json!([
            {
                "mail_from": "Smith@bar.com", "rcpts": ["Jones@foo.com unknown null"], "via": "DATA",
                "outcome": "incomplete", "final": null, "bytes": 6, "whole": true,
            },
            {"rcpt_to": [], "outcome": "incomplete", "final": null, "message": null},
        ]),
    );
}

#[test]
fn only_the_client_with_chunks_and_auth() {
    expect(
        "[syn]
         s: 220 foo.com ESMTP
         C: EHLO bar.com
         s: 250 foo.com
         C: AUTH PLAIN
         s: 334
         C: dGVzdAB0ZXN0ADEyMzQ=
         s: 235 ok
         C: MAIL FROM:<Smith@bar.com>
         C: RCPT TO:<Jones@foo.com>
         C: BDAT 6 LAST
         C= abc\\x0d\\x0a.
         C: QUIT
         s: 250 OK
         [fin]",
        &json!({
            "directions": "client", "verbs": "EHLO AUTH MAIL RCPT BDAT QUIT",
            "auth": [{"mechanism": "PLAIN", "username": "test", "outcome": "unknown", "code": null}],
        }),
        &json!([{"via": "BDAT", "outcome": "incomplete", "bytes": 6, "whole": true}]),
    );
}

#[test]
fn only_the_server() {
    expect(
        "[syn ack]
         S: 220 foo.com ESMTP
         c: EHLO bar.com
         S: 250 foo.com
         c: MAIL FROM:<Smith@bar.com>
         S: 250 OK
         c: QUIT
         S: 221 bye
         [fin by server]",
        &json!({
            "directions": "server", "server_port": 25, "client_port": 40000, "greeting": {"code": "220"},
            "helo": null, "verbs": "", "replies": "220/- 250/- 250/- 221/-",
        }),
        &json!([]),
    );
}

#[test]
fn banner_only() {
    expect(
        "S: 220 foo.com ESMTP
         [close]",
        &json!({
            "directions": "server", "greeting": {"code": "220", "parameter": "foo.com ESMTP"}, "helo": null,
            "verbs": "", "replies": "220/-", "kinds": [],
        }),
        &json!([]),
    );
}

/// Without a handshake, the first packet being the server's: the client is still the one that speaks commands.
#[test]
fn the_server_speaks_first_without_a_handshake() {
    expect(
        "[midstream]
         S: 220 foo.com ESMTP
         C: EHLO bar.com
         S: 250 foo.com
         C: MAIL FROM:<Smith@bar.com>
         S: 550 no
         [close]",
        &json!({
            "client_ip": "192.0.2.1", "client_port": 40000, "server_port": 25, "start": "midstream",
            "greeting": {"code": "220"}, "helo": "bar.com", "replies": "220/- 250/0 550/1",
        }),
        &json!([{"outcome": "rejected", "final": "550"}]),
    );
}

/// And the first reply in the capture answers a command that is not in it.
#[test]
fn begins_with_the_answer_to_something() {
    expect(
        "[midstream]
         S: 250 OK
         C: RCPT TO:<Jones@foo.com>
         S: 250 OK
         C: RSET
         S: 250 OK
         C: MAIL FROM:<Smith@bar.com>
         S: 250 OK
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "client_port": 40000, "start": "midstream", "greeting": null, "verbs": "RCPT RSET MAIL QUIT",
            "replies": "250/- 250/0 250/1 250/2 221/3",
        }),
        &json!([
            {"mail_from": null, "rcpts": ["Jones@foo.com accepted 250"], "outcome": "aborted"},
            {"mail_from": "Smith@bar.com", "outcome": "aborted"},
        ]),
    );
}

/// The segment with RCPT is lost; its reply belongs to no command that is known.
#[test]
fn a_lost_command() {
    for pause in ["", "[wait]\n"] {
        expect(
            &format!(
                "S: 220 mx ESMTP
                 C: HELO a
                 S: 250 mx
                 C: MAIL FROM:<a@a>
                 S: 250 sender ok
                 c: RCPT TO:<b@b>
                 S: 250 recipient ok
                 {pause}C: DATA
                 S: 354 go on
                 C: text
                 C: .
                 S: 250 queued
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({
                "verbs": "HELO MAIL DATA QUIT", "replies": "220/- 250/0 250/1 250/- 354/2 250/2 221/3",
                "kinds": ["command_gap"], "octets": {"client": {"missing": 15}, "server": {"missing": 0}},
            }),
            &json!([{"mail_from": "a@a", "rcpt_to": [], "outcome": "accepted", "final": "250", "bytes": 6, "whole": true}]),
        );
    }
}

const SECOND: &str = "C: MAIL FROM:<c@c>
    S: 250 ok
    C: RCPT TO:<d@d>
    S: 250 ok
    C: DATA
    S: 354 go on
    C: second
    C: .
    S: 250 second
    C: QUIT
    S: 221 bye
    [close]";

/// What is lost of the first message does no harm to the second.
#[track_caller]
fn with_lost_content(content: &str, missing: u64, bytes: Value) {
    for pause in ["", "[wait]\n"] {
        expect(
            &format!(
                "S: 220 mx ESMTP
                 C: EHLO a
                 S: 250-mx
                 S: 250 CHUNKING
                 C: MAIL FROM:<a@a>
                 S: 250 ok
                 C: RCPT TO:<b@b>
                 S: 250 ok
                 {content}
                 S: 250 first
                 {pause}{SECOND}"
            ),
            &json!({"octets": {"client": {"missing": missing}}, "kinds": ["content_gap"]}),
            &json!([
                {"mail_from": "a@a", "outcome": "accepted", "final": "250", "bytes": bytes, "whole": false},
                {"mail_from": "c@c", "rcpt_to": ["d@d"], "outcome": "accepted", "final": "250", "bytes": 8, "whole": true},
            ]),
        );
    }
}

#[test]
fn lost_content_in_the_middle() {
    with_lost_content("C: DATA\n S: 354 go on\n C: begin\n c: lost\n C: end\n C: .", 6, json!(7 + 5));
}

#[test]
fn lost_content_at_the_beginning() {
    with_lost_content("C: DATA\n S: 354 go on\n c: lost\n C: end\n C: .", 6, json!(5));
}

#[test]
fn lost_end_of_content() {
    with_lost_content("C: DATA\n S: 354 go on\n C: begin\n c: lost\n c: .", 9, json!(7));
}

#[test]
fn lost_content_of_a_chunk() {
    with_lost_content("C: BDAT 10 LAST\n C= abc\n c= defg\n C= hij", 4, json!(6));
}

#[test]
fn lost_end_of_a_chunk() {
    with_lost_content("C: BDAT 10 LAST\n C= abc\n c= defghij", 7, json!(3));
}

#[test]
fn other_protocols_give_no_session() {
    let ftp = "S: 220 (vsFTPd 3.0.3)
         C: USER anonymous
         S: 331 Please specify the password.
         C: PASS x
         S: 230 Login successful.
         C: QUIT
         S: 221 Goodbye.
         [close]";
    let pop = "S: +OK POP3 ready
         C: USER joe
         S: +OK
         C: PASS x
         S: +OK
         C: QUIT
         S: +OK
         [close]";
    let http = "C: GET / HTTP/1.1
         C: Host: example.org
         C:
         S: HTTP/1.1 200 OK
         S: Content-Length: 0
         S:
         [close]";
    let post = "C: POST /mail HTTP/1.1
         C: Content-Length: 29
         C:
         C: MAIL FROM:<a@a>
         C: EHLO a
         S: HTTP/1.1 204 No Content
         S:
         [close]";
    let silence = "[close]";
    for script in [ftp, pop, http, post, silence] {
        let document = analyse(&[&play(&parse(script))]);
        assert_eq!(document["sessions"], json!({}), "{script}");
        assert_eq!(document["transactions"], json!([]), "{script}");
        assert_eq!(document["capture"]["tcp_connections"], json!(1), "{script}");
    }
}

/// The reply to DATA is lost, and with it who let the message begin; that it was taken is known from its end.
#[test]
fn a_lost_354() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         s: 354 go on
         C: text
         C: .
         S: 250 queued
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA QUIT", "kinds": ["reply_gap"]}),
        &json!([{"via": "DATA", "has_data": true, "outcome": "accepted", "final": "250", "bytes": 6, "whole": true}]),
    );
}

/// The same where it was a refusal: the client goes on with a command, and there is no message.
#[test]
fn a_lost_refusal_of_data() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: DATA
         s: 503 no recipient
         C: RSET
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL DATA RSET QUIT", "replies": "220/- 250/0 250/1 250/3 221/4",
            "kinds": ["data_without_rcpt", "reply_gap"]}),
        &json!([{"via": "DATA", "has_data": false, "outcome": "aborted", "final": null, "message": null}]),
    );
}

/// Picked up in a message on a port of mail: what it quotes of another protocol, of both its sides, does not settle it. The
/// end of data does (RFC 5321 §4.1.1.4).
#[test]
fn begins_in_a_message_that_quotes_other_protocols() {
    for quoted in [
        "C: GET / HTTP/1.1\n--\nC: HTTP/1.1 200 OK",
        "C: USER joe\n--\nC: +OK\n--\nC: PASS x",
        "C: * OK IMAP4rev1\n--\nC: a1 LIST \"\" *",
        "C: 200 news\n--\nC: CAPABILITIES",
        "C: 220 ready\n--\nC: USER joe\n--\nC: 331 password?\n--\nC: PASS x\n--\nC: 230 in",
    ] {
        expect(
            &format!(
                "[midstream]
                 C: of a text
                 {quoted}
                 C: so it went
                 C: .
                 S: 250 2.0.0 Ok: queued as A1
                 C: QUIT
                 S: 221 2.0.0 Bye
                 [close]"
            ),
            &json!({"client_port": 40000, "start": "midstream", "verbs": "QUIT", "replies": "250/- 221/0"}),
            &json!([{"outcome": "accepted", "final": "250", "queue_id": "A1", "whole": false}]),
        );
    }
}

/// RFC 959 §5.4, RFC 1939 §4, RFC 9051 §6.2.3, RFC 3977 §5.3, RFC 9112: dialogues of other protocols on a port of mail, from
/// any line on. (QUIT and 221 alone may be of mail, and so may replies of NNTP alone.)
#[test]
fn other_protocols_on_a_port_of_mail_are_no_session_wherever_they_begin() {
    for dialogue in [
        "S: 220 ready\nC: USER joe\nS: 331 password?\nC: PASS x\nS: 230 in\nC: PASV\nS: 227 (192,0,2,1,4,1)\nC: LIST
         S: 150 comes\nS: 226 done",
        "S: +OK ready\nC: USER joe\nS: +OK\nC: PASS x\nS: +OK\nC: LIST\nS: +OK\nS: 1 120\nS: .\nC: QUIT\nS: +OK bye",
        "S: * OK IMAP4rev1\nC: a1 LOGIN joe x\nS: a1 OK\nC: a2 LIST \"\" *\nS: * LIST () \"/\" INBOX\nS: a2 OK
         C: a3 LOGOUT\nS: * BYE\nS: a3 OK",
        "S: 200 news\nC: CAPABILITIES\nS: 101 list\nS: VERSION 2\nS: .\nC: GROUP a.b\nS: 211 1 1 1 a.b\nC: OVER 1
         S: 224 comes\nS: 1\nS: .",
        "C: GET / HTTP/1.1\nC: Host: a\nC:\nS: HTTP/1.1 200 OK\nS: Content-Length: 2\nS:\nS: ab\nC: GET /a HTTP/1.1\nC:
         S: HTTP/1.1 404 Not Found\nS:",
    ] {
        let lines: Vec<&str> = dialogue.lines().map(str::trim_start).collect();
        let end = match dialogue.contains("CAPABILITIES") {
            true => 1 + lines.iter().rposition(|line| line.starts_with('C')).expect("a client"),
            false => lines.len(),
        };
        for from in 0..end {
            let script = format!("[midstream]\n{}\n[close]", lines[from..].join("\n"));
            let document = analyse(&[&play(&parse(&script))]);
            assert_eq!(document["sessions"], json!({}), "{script}");
        }
    }
}
