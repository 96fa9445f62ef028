//! Replies whose code the command cannot have, and commands out of order that the server refuses.

use serde_json::json;

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250 mx
    C: MAIL FROM:<a@a>
    S: 250 ok
    C: RCPT TO:<b@b>
    S: 250 ok\n";

/// RFC 5321 §4.2.1: only 4yz and 5yz are negative. The contract: `rejected` is what was refused, "4xx and 5xx alike".
#[test]
fn nothing_but_a_refusal_rejects() {
    expect(
        &format!("{OPENING}C: DATA\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 250/3 250/4 221/5", "kinds": ["unexpected_reply"]}),
        &json!([{"outcome": "aborted", "final": null, "has_data": false}]),
    );
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 354 go
         C: RSET
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"replies": "220/- 250/0 354/1 250/2 221/3", "kinds": ["unexpected_reply"]}),
        &json!([{"outcome": "aborted", "final": null}]),
    );
    expect(
        &format!("{OPENING}C: DATA\nS: 354 go\nC: text\nC: .\nS: 199 hm\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 354/3 199/3 221/4"}),
        &json!([{"outcome": "incomplete", "final": null, "bytes": 6, "whole": true}]),
    );
}

/// RFC 5321 §4.1.4: MAIL and EHLO that are refused leave the recipients as they were.
#[test]
fn a_refused_command_leaves_the_recipients() {
    for (line, kind) in [("MAIL FROM:<z@z>", "nested_mail"), ("EHLO z", "repeated_hello")] {
        expect(
            &format!(
                "{OPENING}C: {line}
                 S: 503 no
                 C: DATA
                 S: 354 go
                 C: text
                 C: .
                 S: 250 ok
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({"kinds": [kind]}),
            &json!([{"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "accepted"}]),
        );
    }
}

/// RFC 5321 §4.1.1.4: 354 lets the message begin. qmail-remote sends it to every server that does not refuse DATA, so behind
/// a 250 what is no command is the message.
#[test]
fn a_message_sent_on_a_250_to_data_is_one() {
    let after = |behind: &str, outcome: &str, code: &str, bytes: u64, kinds: &[&str]| {
        expect(
            &format!("{OPENING}C: DATA\n{behind}\nS: {code} done\nC: QUIT\nS: 221 bye\n[close]"),
            &json!({
                "verbs": "EHLO MAIL RCPT DATA QUIT", "replies": format!("220/- 250/0 250/1 250/2 250/3 {code}/3 221/4"),
                "kinds": kinds,
            }),
            &json!([{
                "rcpts": ["b@b accepted 250"], "outcome": outcome, "final": code, "has_data": true, "via": "DATA",
                "bytes": bytes,
            }]),
        );
    };
    let only = ["unexpected_reply"];
    after("S: 250 ok\nC: Subject: s\nC:\nC: RSET\nC: .", "accepted", "250", 20, &only);
    after("S: 250 ok\nC: Subject: s\nC:\nC: RSET\nC: .", "rejected", "554", 20, &only);
    after("S: 250 ok\nC: .", "accepted", "250", 0, &only);
    // A first word that is cut like a verb, and octets one by one.
    after("S: 250 ok\nC= QUIT\n--\nC= E it\n--\nC:\n--\nC= .\n--\nC:", "accepted", "250", 10, &only);
    after("C: Subject: s\nC: .\nS: 250 ok", "accepted", "250", 12, &["unexpected_reply", "content_before_354"]);
    let lost = ["unexpected_reply", "content_gap"];
    after("S: 250 ok\nc: Subject: s\nC: and more\nC: .", "accepted", "250", 10, &lost);
}

/// What is a command there, is one: RFC 5321 §4.1.4 has RSET at any time.
#[test]
fn commands_behind_a_250_to_data_are_commands() {
    for line in ["C: RSET", "C= RS\n--\nC= ET\n--\nC:", "C: NOOP\nC: RSET"] {
        expect(
            &format!("{OPENING}C: DATA\nS: 250 ok\n{line}\nS: 250 ok\n[close]"),
            &json!({}),
            &json!([{"outcome": "aborted", "final": null, "has_data": false, "message": null}]),
        );
    }
    expect(
        &format!("{OPENING}C: DATA\nS: 250 ok\nC= QUI\n[close]"),
        &json!({"verbs": "EHLO MAIL RCPT DATA", "kinds": ["unexpected_reply", "unterminated_command"]}),
        &json!([{"outcome": "aborted", "has_data": false, "message": null}]),
    );
}

/// RFC 5321 §4.1.4: DATA without MAIL is to be refused; a server that says 250 has begun a mail if a message comes.
#[test]
fn a_message_sent_on_a_250_to_data_without_mail_is_a_mail() {
    expect(
        "S: 220 mx ESMTP\nC: EHLO a\nS: 250 mx\nC: DATA\nS: 250 ok\nC: text\nC: .\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]",
        &json!({"replies": "220/- 250/0 250/1 250/1 221/2"}),
        &json!([{
            "mail_from": null, "verbs": "DATA", "via": "DATA", "has_data": true, "outcome": "accepted", "final": "250",
            "bytes": 6, "whole": true,
        }]),
    );
}

/// The client sends its message at once, shorter or longer than what is held for the reply to DATA, and the server says 250
/// before it has ended. RFC 5321 §4.1.1.4: "Receipt of the end of mail data indication requires the server to process the
/// stored mail transaction information" and to reply; a 250 before it is no such reply.
#[test]
fn a_250_before_the_end_of_a_message_decides_nothing() {
    for lines in [10, 5000] {
        let begin = format!("{OPENING}C: DATA\n{}", "C: a line of text\n".repeat(lines));
        let bytes = lines * 16 + 6;
        let after =
            |replies: &str, last: &str, session: serde_json::Value, outcome: &str, decisive: serde_json::Value| {
                expect(
                    &format!("{begin}{replies}C: last\nC: .\n{last}C: QUIT\nS: 221 bye\n[close]"),
                    &session,
                    &json!([{"outcome": outcome, "final": decisive, "bytes": bytes, "whole": true, "has_data": true}]),
                );
            };
        let kinds = json!(["content_before_354", "reply_during_content"]);
        // Its own reply follows.
        let replies = "220/- 250/0 250/1 250/2 354/3 250/- 250/3 221/4";
        let session = json!({"replies": replies, "kinds": kinds});
        after("S: 354 go\nS: 250 so far\n", "S: 250 taken\n", session, "accepted", json!("250"));
        let session = json!({"replies": "220/- 250/0 250/1 250/2 354/3 250/- 554/3 221/4", "kinds": kinds});
        after("S: 354 go\nS: 250 so far\n", "S: 554 no\n", session, "rejected", json!("554"));
        // None follows, and the client has gone on. RFC 5321 §4.3.2: 221 is to QUIT.
        let kinds = json!(["content_before_354", "reply_during_content", "unannounced_pipelining"]);
        let session = json!({"replies": "220/- 250/0 250/1 250/2 354/3 250/- 221/4", "kinds": kinds});
        after("S: 354 go\nS: 250 taken\n", "", session, "incomplete", json!(null));
        // The 354 is missing: 250 is the reply to DATA.
        let session = json!({"replies": "220/- 250/0 250/1 250/2 250/3 250/3 221/4"});
        after("S: 250 so far\n", "S: 250 taken\n", session, "accepted", json!("250"));
        let session = json!({"replies": "220/- 250/0 250/1 250/2 250/3 221/4"});
        after("S: 250 taken\n", "", session, "incomplete", json!(null));
    }
}
