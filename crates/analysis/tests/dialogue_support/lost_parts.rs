//! What a loss in one mail does to the reading of that mail and of the next: nothing to the next (zeek/zeek #254: "two
//! mails merged into one record").

use serde_json::{Value, json};

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250-mx
    S: 250 PIPELINING\n";

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

/// The first mail in the capture as given, then a second that is whole.
#[track_caller]
fn first_then_second(first: &str, session: &Value, first_mail: &Value) {
    for pause in ["", "[wait]\n"] {
        expect(
            &format!("{OPENING}{first}\n{pause}{SECOND}"),
            session,
            &json!([first_mail, {
                "mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true,
                "final_response": {"code": "250", "parameter": "second"},
            }]),
        );
    }
}

/// The end of the message and its reply are both lost: the client's next command is none of its lines.
#[test]
fn the_end_of_the_message_and_its_reply() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: begin
         c: lost
         c: .
         s: 250 first",
        &json!({"verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT"}),
        &json!({"mail_from": "a@a", "outcome": "incomplete", "final": null, "bytes": 7, "whole": false}),
    );
}

/// The 354 and the final reply are both lost; the message is all there.
#[test]
fn the_354_and_the_final_reply() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         s: 354 go on
         C: first
         C: .
         s: 250 first",
        &json!({
            "verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!({"mail_from": "a@a", "outcome": "incomplete", "final": null, "bytes": 7, "whole": true}),
    );
}

/// DATA is lost, but the 354 says that it was sent.
#[test]
fn the_data_command() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         c: DATA
         S: 354 go on
         C: RSET
         C: .
         S: 250 first",
        &json!({"verbs": "EHLO MAIL RCPT MAIL RCPT DATA QUIT", "kinds": ["command_gap"]}),
        &json!({"mail_from": "a@a", "via": "DATA", "has_data": true, "outcome": "accepted", "final": "250", "bytes": 6}),
    );
}

/// A capture that begins between DATA and its 354.
#[test]
fn all_before_the_354() {
    expect(
        &format!(
            "[midstream]
             S: 354 go on
             C: MAIL FROM:<x@x>
             C: .
             S: 250 2.0.0 Ok: queued as first
             {SECOND}"
        ),
        &json!({"verbs": "MAIL RCPT DATA QUIT", "start": "midstream"}),
        &json!([
            {"mail_from": null, "outcome": "accepted", "final": "250", "bytes": 17},
            {"mail_from": "c@c", "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// The beginning of a group is lost: the replies pair by their number and codes. All of it was refused, so that no
/// transaction has begun.
#[test]
fn the_first_command_of_a_group() {
    expect(
        &format!(
            "{OPENING}
             c: MAIL FROM:<a@a>
             C: RCPT TO:<b@b>
             C: DATA
             S: 550 no
             S: 503 no MAIL
             S: 503 no MAIL
             C: RSET
             S: 250 ok
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO RCPT DATA RSET MAIL RCPT DATA QUIT", "kinds": ["command_gap"],
            "replies": "220/- 250/0 550/- 503/1 503/2 250/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!([{"mail_from": "c@c", "outcome": "accepted", "bytes": 8, "whole": true}]),
    );
}

/// Two commands are lost in the middle of a group: the 354 is DATA's all the same, and no reply is taken for another's.
#[test]
fn commands_in_the_middle_of_a_group() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         c: RCPT TO:<b@b>
         c: RCPT TO:<e@e>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go on
         C: first
         C: .
         S: 250 first",
        &json!({
            "verbs": "EHLO MAIL DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/- 250/- 354/2 250/2 250/3 250/4 354/5 250/5 221/6", "kinds": ["command_gap"],
        }),
        &json!({"mail_from": "a@a", "rcpt_to": [], "outcome": "accepted", "bytes": 7, "whole": true}),
    );
}

/// Replies in the middle of a group are lost: the 354 is DATA's.
#[test]
fn replies_in_the_middle_of_a_group() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: RCPT TO:<e@e>
         C: DATA
         S: 250 ok
         s: 250 ok
         s: 550 no
         S: 354 go on
         C: first
         C: .
         S: 250 first",
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT DATA MAIL RCPT DATA QUIT", "kinds": ["reply_gap"],
            "replies": "220/- 250/0 250/1 354/4 250/4 250/5 250/6 354/7 250/7 221/8",
        }),
        &json!({"rcpts": ["b@b unknown null", "e@e unknown null"], "outcome": "accepted", "bytes": 7, "whole": true}),
    );
}

/// All replies to a group without DATA are lost but one, which may be to any of its commands: it is paired with none.
#[test]
fn all_replies_of_a_group_but_the_last() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: RCPT TO:<e@e>
         s: 250 ok
         s: 250 ok
         S: 550 no
         C: RSET
         S: 250 ok",
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT RSET MAIL RCPT DATA QUIT", "kinds": ["reply_gap"],
            "replies": "220/- 250/0 550/- 250/4 250/5 250/6 354/7 250/7 221/8",
        }),
        &json!({"rcpts": ["b@b unknown null", "e@e unknown null"], "outcome": "aborted"}),
    );
}

/// A response to a challenge is lost; its reply is that of AUTH.
#[test]
fn a_sasl_response() {
    first_then_second(
        "C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         c: dGVzdA==
         S: 334 UGFzc3dvcmQ6
         C: c2VjcmV0
         S: 235 ok
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RSET
         S: 250 ok",
        &json!({
            "verbs": "EHLO AUTH MAIL RSET MAIL RCPT DATA QUIT", "kinds": ["auth_not_offered", "command_gap"], "authenticated": true,
            "replies": "220/- 250/0 334/1 334/1 235/1 250/2 250/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!({"mail_from": "a@a", "outcome": "aborted"}),
    );
}

/// Octets in the middle of the message are lost, and then its final reply: the dot line behind the gap may have been one of
/// the message's, but the client went on with a command when it had received the reply.
#[test]
fn the_middle_of_a_message_and_its_reply() {
    first_then_second(
        "C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: begin
         c: lost
         C: .
         s: 250 first",
        &json!({
            "verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 354/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!({"mail_from": "a@a", "outcome": "incomplete", "final": null, "whole": false}),
    );
}
