//! Which reply decides, and replies that are out of the ordinary.

use serde_json::json;

use crate::dialogue_support::expect;

#[test]
fn mail_refused() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         S: 553 5.1.8 no such domain
         S: 503 5.5.1 no MAIL
         S: 503 5.5.1 no MAIL
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA QUIT", "replies": "220/- 250/0 553/1 503/2 503/3 221/4"}),
        &json!([{
            "mail_from": "a@a", "outcome": "rejected", "has_data": false, "message": null,
            "final_response": {"code": "553", "enhanced_code": "5.1.8"},
        }]),
    );
}

#[test]
fn all_recipients_refused_then_rset() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 550 5.1.1 unknown
         C: RCPT TO:<c@c>
         S: 450 4.2.0 greylisted
         C: RSET
         S: 250 ok
         [close]",
        &json!({"replies": "220/- 250/0 250/1 550/2 450/3 250/4"}),
        &json!([{
            "rcpts": ["b@b rejected 550", "c@c deferred 450"], "outcome": "rejected", "via": null,
            "final_response": {"code": "450", "enhanced_code": "4.2.0", "parameter": "4.2.0 greylisted"},
        }]),
    );
}

#[test]
fn recipients_of_every_kind() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: RCPT TO:<c@c>
         C: RCPT TO:<d@d>
         C: RCPT TO:<e@e>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 450 later
         S: 550 never
         S: 251 forwarded
         S: 354 go on
         C: text
         C: .
         S: 554 5.7.1 spam
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"kinds": [], "replies": "220/- 250/0 250/1 250/2 450/3 550/4 251/5 354/6 554/6 221/7"}),
        &json!([{
            "rcpts": ["b@b accepted 250", "c@c deferred 450", "d@d rejected 550", "e@e accepted 251"],
            "outcome": "rejected", "has_data": true, "bytes": 6, "whole": true,
            "final_response": {"code": "554", "enhanced_code": "5.7.1", "parameter": "5.7.1 spam"}, "queue_id": null,
        }]),
    );
}

#[test]
fn data_refused_then_the_next_mail() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         S: 451 not now
         C: RSET
         S: 250 ok
         C: MAIL FROM:<c@c>
         S: 250 ok
         C: RCPT TO:<d@d>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 ok
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA RSET MAIL RCPT DATA"}),
        &json!([
            {"mail_from": "a@a", "outcome": "rejected", "via": "DATA", "has_data": false, "final": "451", "message": null},
            {"mail_from": "c@c", "outcome": "accepted", "has_data": true, "final": "250", "bytes": 6},
        ]),
    );
}

/// RFC 5321 §4.1.4: the refusal leaves the state as it was, and a second DATA may succeed.
#[test]
fn data_refused_then_taken() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: DATA
         S: 503 no recipient
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 ok
         [close]",
        &json!({"verbs": "HELO MAIL DATA RCPT DATA"}),
        &json!([{"outcome": "accepted", "has_data": true, "final": "250", "bytes": 6, "rcpt_to": ["b@b"]}]),
    );
}

/// After a refused DATA there is no message text: what the client pipelined behind it is commands.
#[test]
fn commands_behind_a_refused_data() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         C: RSET
         C: MAIL FROM:<c@c>
         S: 250 ok
         S: 550 no
         S: 503 no recipient
         S: 250 ok
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT DATA RSET MAIL QUIT",
            "replies": "220/- 250/0 250/1 550/2 503/3 250/4 250/5 221/6",
        }),
        &json!([
            {"mail_from": "a@a", "outcome": "rejected", "final": "503", "message": null},
            {"mail_from": "c@c", "outcome": "aborted"},
        ]),
    );
}

/// The same where the client sends its message all the same, and the server answers it line by line.
#[test]
fn a_message_behind_a_refused_data() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: DATA
         S: 503 no recipient
         C: Subject: x
         C: RSET
         C: .
         S: 500 what
         S: 250 ok
         S: 500 what
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL DATA Subject: RSET . QUIT", "replies": "220/- 250/0 250/1 503/2 500/3 250/4 500/5 221/6"}),
        &json!([{"outcome": "rejected", "final": "503", "has_data": false, "message": null}]),
    );
}

/// RFC 5321 §3.8: 421 may be the reply to any command; the server then closes.
#[test]
fn service_shuts_down_in_answer_to_a_command() {
    for (command, outcome, code, via) in [
        ("RCPT TO:<c@c>", "aborted", json!(null), json!(null)),
        ("DATA", "rejected", json!("421"), json!("DATA")),
        ("NOOP", "aborted", json!(null), json!(null)),
    ] {
        let verb = command.split(' ').next().unwrap_or_default();
        expect(
            &format!(
                "S: 220 mx ESMTP
                 C: HELO a
                 S: 250 mx
                 C: MAIL FROM:<a@a>
                 S: 250 ok
                 C: RCPT TO:<b@b>
                 S: 250 ok
                 C: {command}
                 S: 421 4.3.2 shutting down
                 [close by server]"
            ),
            &json!({"verbs": format!("HELO MAIL RCPT {verb}"), "replies": "220/- 250/0 250/1 250/2 421/3"}),
            &json!([{"outcome": outcome, "final": code, "via": via}]),
        );
    }
}

/// The same without a command: nobody asked for it.
#[test]
fn service_shuts_down_unasked() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         [wait]
         S: 421 4.4.2 timeout
         [close by server]",
        &json!({"verbs": "HELO MAIL", "replies": "220/- 250/0 250/1 421/-", "kinds": ["unsolicited_reply"]}),
        &json!([{"outcome": "aborted", "final": null}]),
    );
}

/// RFC 5321 §4.2.1: the lines of a reply must have one code. One with two is one reply all the same.
#[test]
fn a_reply_with_two_codes_is_one_reply() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250-first
         S: 251 second
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "HELO MAIL RCPT QUIT", "kinds": ["mixed_reply_codes"],
            "responses": [{"command": null}, {"command": 0}, {"command": 1}, {"command": 2}, {"command": 3}],
        }),
        &json!([{"recipients": [{"outcome": "accepted"}]}]),
    );
}

/// RFC 5321 §4.2.1 and §4.3.2: a client that does not know a code goes by its first digit.
#[test]
fn codes_outside_any_table() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 299 mx
         C: MAIL FROM:<a@a>
         S: 298 ok
         C: RCPT TO:<b@b>
         S: 297 ok
         C: RCPT TO:<c@c>
         S: 599 no
         C: RCPT TO:<d@d>
         S: 499 no
         C: DATA
         S: 399 go on
         C: text
         C: .
         S: 200 ok
         C: MAIL FROM:<e@e>
         S: 599 no
         [close]",
        &json!({
            "helo": "a", "verbs": "HELO MAIL RCPT RCPT RCPT DATA MAIL",
            "replies": "220/- 299/0 298/1 297/2 599/3 499/4 399/5 200/5 599/6",
        }),
        &json!([
            {
                "rcpts": ["b@b accepted 297", "c@c rejected 599", "d@d deferred 499"],
                "outcome": "accepted", "final": "200", "has_data": true, "bytes": 6,
            },
            {"outcome": "rejected", "final": "599"},
        ]),
    );
}

/// RFC 5321 §3.1: 554 instead of 220. The client may then only QUIT.
#[test]
fn connection_refused_by_greeting() {
    expect(
        "S: 554 mx No SMTP service here
         C: EHLO a
         S: 503 no
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"greeting": {"code": "554"}, "helo": "a", "replies": "554/- 503/0 221/1"}),
        &json!([]),
    );
}
