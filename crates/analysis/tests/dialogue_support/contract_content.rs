//! Where a message begins and ends.

use serde_json::{Value, json};

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: HELO a
    S: 250 mx
    C: MAIL FROM:<a@a>
    S: 250 ok
    C: RCPT TO:<b@b>
    S: 250 ok\n";

#[track_caller]
fn after_rcpt(rest: &str, session: &Value, transactions: &Value) {
    expect(&format!("{OPENING}{rest}"), session, transactions);
}

/// RFC 2920 §3.1 forbids it, and servers take it.
#[test]
fn content_sent_before_the_354() {
    after_rcpt(
        "C: DATA
         C: text
         C: .
         C: QUIT
         S: 354 go on
         S: 250 ok
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA QUIT", "replies": "220/- 250/0 250/1 250/2 354/3 250/3 221/4"}),
        &json!([{"outcome": "accepted", "final": "250", "bytes": 6, "whole": true}]),
    );
}

/// Commands of the text are text.
#[test]
fn commands_within_the_message() {
    after_rcpt(
        "C: DATA
         S: 354 go on
         C: QUIT
         C: ..
         C: RSET
         --
         C: MAIL FROM:<x@x>
         C: .
         S: 250 ok
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA"}),
        &json!([{"outcome": "accepted", "bytes": 6 + 3 + 6 + 17, "whole": true}]),
    );
}

#[test]
fn an_empty_message() {
    after_rcpt(
        "C: DATA
         S: 354 go on
         C: .
         S: 250 ok
         [close]",
        &json!({"kinds": []}),
        &json!([{"outcome": "accepted", "bytes": 0, "whole": true}]),
    );
}

/// A dot line in bare LF, which the server passes over: one message. RFC 5321 §4.5.2: of `CRLF . LF` the dot begins a
/// line and is deleted.
#[test]
fn a_bare_dot_line_the_server_does_not_answer() {
    for (lines, bytes) in
        [("C: text\n C: .<LF>", 6 + 1 + 6), ("C: text<LF>\n C: .<LF>", 5 + 2 + 6), ("C: text<LF>\n C: .", 5 + 3 + 6)]
    {
        for pause in ["", "[wait]\n"] {
            after_rcpt(
                &format!(
                    "C: DATA
                     S: 354 go on
                     {lines}
                     {pause}C: more
                     C: .
                     S: 250 ok
                     C: QUIT
                     S: 221 bye
                     [close]"
                ),
                &json!({
                    "verbs": "HELO MAIL RCPT DATA QUIT", "kinds": ["dot_line_variant"],
                    "replies": "220/- 250/0 250/1 250/2 354/3 250/3 221/4",
                }),
                &json!([{"outcome": "accepted", "bytes": bytes, "whole": true}]),
            );
        }
    }
}

/// The same, and the server answers: the message has ended, and what follows is commands.
#[test]
fn a_bare_dot_line_the_server_answers() {
    for (lines, bytes) in [("C: text\n C: .<LF>", 6), ("C: text<LF>\n C: .<LF>", 5), ("C: text<LF>\n C: .", 5)] {
        after_rcpt(
            &format!(
                "C: DATA
                 S: 354 go on
                 {lines}
                 S: 250 first
                 C: MAIL FROM:<c@c>
                 S: 250 ok
                 C: RCPT TO:<d@d>
                 S: 250 ok
                 C: DATA
                 S: 354 go on
                 C: second
                 C: .
                 S: 250 second
                 [close]"
            ),
            &json!({
                "verbs": "HELO MAIL RCPT DATA MAIL RCPT DATA",
                "replies": "220/- 250/0 250/1 250/2 354/3 250/3 250/4 250/5 354/6 250/6",
                "kinds": ["dot_line_variant", "bare_lf_end_of_data"],
            }),
            &json!([
                {"mail_from": "a@a", "outcome": "accepted", "bytes": bytes, "final_response": {"parameter": "first"}},
                {"mail_from": "c@c", "outcome": "accepted", "bytes": 8, "final_response": {"parameter": "second"}},
            ]),
        );
    }
}

/// SMTP smuggling: the second mail stands in the same segment as the dot line, and the answers show that the server saw
/// two.
#[test]
fn a_bare_dot_line_in_one_segment_with_a_smuggled_mail() {
    after_rcpt(
        "C: DATA
         S: 354 go on
         C: text<LF>
         C: .<LF>
         C: MAIL FROM:<c@c>
         C: RCPT TO:<d@d>
         C: DATA
         C: second
         C: .
         S: 250 first
         S: 250 ok
         S: 250 ok
         S: 354 go on
         S: 250 second
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "HELO MAIL RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 354/3 250/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!([
            {"mail_from": "a@a", "rcpt_to": ["b@b"], "outcome": "accepted", "bytes": 5},
            {"mail_from": "c@c", "rcpt_to": ["d@d"], "outcome": "accepted", "bytes": 8},
        ]),
    );
}

/// The same octets; the server answers once, so there is one message.
#[test]
fn a_bare_dot_line_in_one_segment_and_one_answer() {
    after_rcpt(
        "C: DATA
         S: 354 go on
         C: text<LF>
         C: .<LF>
         C: MAIL FROM:<c@c>
         C: .
         S: 250 first
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO MAIL RCPT DATA QUIT", "replies": "220/- 250/0 250/1 250/2 354/3 250/3 221/4"}),
        &json!([{"mail_from": "a@a", "outcome": "accepted", "bytes": 5 + 2 + 17, "whole": true}]),
    );
}
