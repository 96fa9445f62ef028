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
