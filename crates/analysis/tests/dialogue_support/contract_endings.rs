//! What ends a transaction, and what does not.

use serde_json::{Value, json};

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO first
    S: 250 mx
    C: MAIL FROM:<a@a>
    S: 250 ok
    C: RCPT TO:<b@b>
    S: 250 ok\n";

/// A transaction is open, with one recipient.
#[track_caller]
fn after_rcpt(rest: &str, session: &Value, transactions: &Value) {
    expect(&format!("{OPENING}{rest}"), session, transactions);
}

/// RFC 5321 §4.1.4: 503 leaves the state as it was.
#[test]
fn nested_mail_refused() {
    after_rcpt(
        "C: MAIL FROM:<c@c>
         S: 503 nested MAIL
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT MAIL DATA", "replies": "220/- 250/0 250/1 250/2 503/3 354/4 250/4"}),
        &json!([{
            "mail_from": "a@a", "rcpt_to": ["b@b"], "outcome": "accepted", "final": "250",
            "verbs": "MAIL RCPT MAIL DATA", "replies": "250/0 250/1 503/2 354/3 250/3",
        }]),
    );
}

#[test]
fn nested_mail_taken() {
    after_rcpt(
        "C: MAIL FROM:<c@c>
         S: 250 ok
         C: RCPT TO:<d@d>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT MAIL RCPT DATA"}),
        &json!([
            {"mail_from": "a@a", "rcpt_to": ["b@b"], "outcome": "aborted", "final": null, "message": null},
            {"mail_from": "c@c", "rcpt_to": ["d@d"], "outcome": "accepted", "final": "250", "bytes": 6},
        ]),
    );
}

#[test]
fn ehlo_taken_ends_it() {
    after_rcpt(
        "C: EHLO second
         S: 250 mx
         C: DATA
         S: 503 no
         [close]",
        &json!({"helo": "second", "verbs": "EHLO MAIL RCPT EHLO DATA", "transaction_count": 1}),
        &json!([{"outcome": "aborted", "via": null, "final": null}]),
    );
}

/// And the session's name stays that of the EHLO that was not refused.
#[test]
fn ehlo_refused_does_not() {
    after_rcpt(
        "C: EHLO second
         S: 503 once is enough
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 ok
         [close]",
        &json!({"helo": "first", "verbs": "EHLO MAIL RCPT EHLO DATA"}),
        &json!([{"outcome": "accepted", "verbs": "MAIL RCPT EHLO DATA"}]),
    );
}

#[test]
fn each_ehlo_refused_gives_the_last_one() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO first
         S: 501 no
         C: HELO
         S: 501 no
         [close]",
        &json!({"helo": null, "helo_verb": "HELO", "replies": "220/- 501/0 501/1"}),
        &json!([]),
    );
}

#[test]
fn rset_and_a_second_mail() {
    after_rcpt(
        "C: RSET
         S: 250 ok
         C: MAIL FROM:<c@c>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT RSET MAIL QUIT", "transaction_count": 2}),
        &json!([
            {"mail_from": "a@a", "outcome": "aborted", "final": null},
            {"mail_from": "c@c", "outcome": "aborted", "final": null, "rcpt_to": []},
        ]),
    );
}

#[test]
fn quit() {
    after_rcpt(
        "C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT QUIT", "end": "closed"}),
        &json!([{"outcome": "aborted", "has_data": false, "via": null, "final": null}]),
    );
}

#[test]
fn close_between_commands() {
    after_rcpt("[close]", &json!({"end": "closed"}), &json!([{"outcome": "aborted", "final": null}]));
}

#[test]
fn end_of_capture_between_commands() {
    after_rcpt("", &json!({"end": "end_of_capture"}), &json!([{"outcome": "incomplete", "final": null}]));
}

const DATA: &str = "C: DATA
    S: 354 go on
    C: text
    --
    C: more\n";

#[test]
fn close_in_the_middle_of_data() {
    after_rcpt(
        &format!("{DATA}[close]"),
        &json!({"verbs": "EHLO MAIL RCPT DATA", "end": "closed"}),
        &json!([{"outcome": "aborted", "has_data": true, "via": "DATA", "final": null, "bytes": 12, "whole": false}]),
    );
}

#[test]
fn reset_in_the_middle_of_data() {
    for reset in ["[reset]", "[reset by server]"] {
        after_rcpt(
            &format!("{DATA}{reset}"),
            &json!({"end": "reset"}),
            &json!([{"outcome": "aborted", "has_data": true, "final": null, "bytes": 12, "whole": false}]),
        );
    }
}

#[test]
fn end_of_capture_in_the_middle_of_data() {
    after_rcpt(
        DATA,
        &json!({"end": "end_of_capture"}),
        &json!([{"outcome": "incomplete", "has_data": true, "final": null, "bytes": 12, "whole": false}]),
    );
}

/// All of the message is there, but the final reply is not, however the connection ends.
#[test]
fn final_reply_not_in_the_capture() {
    for end in ["", "[close]", "[reset]", "s: 250 ok\n C: QUIT\n S: 221 bye\n [close]"] {
        after_rcpt(
            &format!("{DATA} C: .\n {end}"),
            &json!({"verbs": if end.contains("QUIT") { "EHLO MAIL RCPT DATA QUIT" } else { "EHLO MAIL RCPT DATA" }}),
            &json!([{"outcome": "incomplete", "has_data": true, "final": null, "bytes": 12, "whole": true}]),
        );
    }
}

/// The next mail is not harmed by the loss of that reply.
#[test]
fn final_reply_not_in_the_capture_then_another_mail() {
    after_rcpt(
        &format!(
            "{DATA} C: .
             s: 250 ok
             C: MAIL FROM:<c@c>
             S: 250 ok
             C: RCPT TO:<d@d>
             S: 550 no
             C: QUIT
             S: 221 bye
             [close]"
        ),
        &json!({"verbs": "EHLO MAIL RCPT DATA MAIL RCPT QUIT", "replies": "220/- 250/0 250/1 250/2 354/3 250/4 550/5 221/6"}),
        &json!([
            {"mail_from": "a@a", "outcome": "incomplete", "bytes": 12},
            {"mail_from": "c@c", "rcpts": ["d@d rejected 550"], "outcome": "rejected", "final": "550"},
        ]),
    );
}

#[test]
fn data_unanswered_and_the_connection_closes() {
    after_rcpt(
        "C: DATA
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT DATA"}),
        &json!([{"outcome": "aborted", "has_data": false, "via": "DATA", "final": null}]),
    );
}

/// The client did not wait for an answer and sent the whole message.
#[test]
fn data_unanswered_behind_a_whole_message() {
    after_rcpt(
        "C: DATA
         C: text
         C: .
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT DATA"}),
        &json!([{"outcome": "aborted", "via": "DATA", "final": null}]),
    );
}
