//! Part by part, whom a reply belongs to where the two sides do not simply take turns.

use serde_json::json;

use crate::dialogue_support::expect;

const EHLO: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250-mx
    S: 250-PIPELINING
    S: 250 CHUNKING\n";

#[track_caller]
fn after_ehlo(rest: &str, session: &serde_json::Value, transactions: &serde_json::Value) {
    expect(&format!("{EHLO}{rest}"), session, transactions);
}

/// RFC 2920 §3.1 forbids it, but clients do it: the message comes before the 354. It is the message, no command line.
#[test]
fn content_sent_before_the_354() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         C: Subject: x
         C:
         C: RSET
         C: .
         C: QUIT
         S: 250 ok
         S: 250 ok
         S: 354 go on
         S: 250 queued
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT DATA QUIT", "replies": "220/- 250/0 250/1 250/2 354/3 250/3 221/4", "kinds": ["content_before_354"]}),
        &json!([{"outcome": "accepted", "bytes": 20, "whole": true}]),
    );
}

/// The same, where DATA is refused: it is command lines, each with its reply.
#[test]
fn content_sent_before_a_refusal() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         C: Subject: x
         C: .
         C: QUIT
         S: 250 ok
         S: 550 no
         S: 503 no recipient
         S: 500 what
         S: 500 what
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT DATA Subject: . QUIT",
            "replies": "220/- 250/0 250/1 550/2 503/3 500/4 500/5 221/6",
        }),
        &json!([{"outcome": "rejected", "final": "503", "has_data": false, "message": null}]),
    );
}

/// RFC 3030 §2: chunks are sent with the envelope in one go. RCPT fails in the middle, and each chunk has its own reply.
#[test]
fn chunks_pipelined_with_an_envelope_that_fails() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: RCPT TO:<c@c>
         C: BDAT 6
         C: QUIT
         C: BDAT 6 LAST
         C: RSET
         C: MAIL FROM:<d@d>
         S: 250 ok
         S: 550 no b
         S: 450 no c
         S: 554 no valid recipients
         S: 503 a chunk was refused
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT BDAT BDAT MAIL QUIT", "kinds": [],
            "replies": "220/- 250/0 250/1 550/2 450/3 554/4 503/5 250/6 221/7",
        }),
        &json!([
            {
                "rcpts": ["b@b rejected 550", "c@c deferred 450"], "via": "BDAT", "has_data": false,
                "outcome": "rejected", "final": "503", "bytes": 12,
            },
            {"mail_from": "d@d", "outcome": "aborted"},
        ]),
    );
}

/// RFC 3030 §2: MAIL itself fails, and with it all that was sent behind it.
#[test]
fn chunks_pipelined_with_a_mail_that_fails() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: BDAT 6 LAST
         C: RSET
         C: QUIT
         S: 550 no
         S: 503 no MAIL
         S: 503 no MAIL
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT QUIT", "replies": "220/- 250/0 550/1 503/2 503/3 221/4", "kinds": []}),
        &json!([{"outcome": "rejected", "has_data": false}]),
    );
}

/// RSET pipelined behind a chunk that is not the last: the transaction ends there, and the next has its own chunks.
#[test]
fn rset_pipelined_behind_a_chunk() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: BDAT 6
         C: RSET
         C: RSET
         C: MAIL FROM:<c@c>
         C: RCPT TO:<d@d>
         C: BDAT 6 LAST
         C: text
         S: 250 ok
         S: 250 ok
         S: 250 6 octets
         S: 250 reset
         S: 250 ok
         S: 250 ok
         S: 250 queued
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT BDAT RSET MAIL RCPT BDAT", "kinds": [],
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 250/5 250/6 250/7",
        }),
        &json!([
            {"mail_from": "a@a", "outcome": "aborted", "final": null, "bytes": 6, "whole": false},
            {"mail_from": "c@c", "outcome": "accepted", "bytes": 6, "whole": true},
        ]),
    );
}

/// The contract: "A message that is all there but has no final reply in the capture is `incomplete`". BDAT asks no leave.
#[test]
fn a_last_chunk_without_its_reply() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         S: 250 ok
         S: 250 ok
         C: BDAT 6 LAST
         C: text
         [close]",
        &json!({"replies": "220/- 250/0 250/1 250/2"}),
        &json!([{"outcome": "incomplete", "final": null, "bytes": 6, "whole": true}]),
    );
}

const LMTP: &str = "S: 220 store LMTP
    C: LHLO a
    S: 250-store
    S: 250-PIPELINING
    S: 250 CHUNKING
    C: MAIL FROM:<a@a>
    C: RCPT TO:<b@b>
    C: RCPT TO:<c@c>
    S: 250 ok\n";

/// RFC 2033 §4.2, cut between the replies: one recipient has the message for certain, of the other nothing is known.
#[test]
fn lmtp_ends_between_the_replies() {
    for (reply, outcome, decisive) in
        [("250 b has it", "accepted", json!("250")), ("550 b does not", "incomplete", json!(null))]
    {
        expect(
            &format!(
                "{LMTP} S: 250 ok
                 S: 250 ok
                 C: DATA
                 S: 354 go on
                 C: text
                 C: .
                 S: {reply}
                 [close]"
            ),
            &json!({"verbs": "LHLO MAIL RCPT RCPT DATA", "kinds": []}),
            &json!([{"outcome": outcome, "final": decisive, "bytes": 6, "whole": true}]),
        );
    }
}

/// RFC 2033 §4.2: no recipient, no message. A server that lets it begin all the same has one reply for it.
#[test]
fn lmtp_without_recipients() {
    for (message, via) in [("C: DATA\n S: 354 go on\n C: text\n C: .", "DATA"), ("C: BDAT 6 LAST\n C: text", "BDAT")] {
        expect(
            &format!(
                "{LMTP} S: 550 no
                 S: 550 no
                 {message}
                 S: 503 no valid recipients
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({"kinds": []}),
            &json!([{"via": via, "outcome": "rejected", "final": "503", "bytes": 6}]),
        );
    }
}

/// RFC 5321 §4.2: a line that is no reply answers nothing, wherever it stands.
#[test]
fn lines_that_are_no_replies() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         S: connection logged
         S: 250 ok
         S: 2500 no reply
         S: 250-two lines
         S: in the middle
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "replies": "220/- 250/0 250/1 250/2 221/3", "kinds": ["invalid_reply", "invalid_reply", "invalid_reply"],
        }),
        &json!([{"rcpts": ["b@b accepted 250"], "outcome": "aborted"}]),
    );
}

/// RFC 5321 §3.8 and §4.2.2: 421 in the middle of the message; the server closes, and the mail is not taken.
#[test]
fn a_421_in_the_middle_of_the_message() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go on
         C: text
         --
         S: 421 4.3.2 shutting down
         [close by server]",
        &json!({"replies": "220/- 250/0 250/1 250/2 354/3 421/-", "kinds": ["reply_during_content", "missing_end_of_data"]}),
        &json!([{"outcome": "rejected", "final": "421", "bytes": 6, "whole": false}]),
    );
}

/// 421 in answer to the first command of a group: the others have no reply.
#[test]
fn a_421_to_a_group() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         S: 250 ok
         S: 421 4.3.2 shutting down
         [close by server]",
        &json!({"verbs": "EHLO MAIL RCPT DATA", "replies": "220/- 250/0 250/1 421/2"}),
        &json!([{"rcpts": ["b@b deferred 421"], "outcome": "rejected", "final": "421"}]),
    );
}

/// RFC 5321 §4.1.1.4: "DATA … if no RCPT: 503 or 554". Here the server lets it begin.
#[test]
fn data_without_rcpt_taken() {
    after_ehlo(
        "C: MAIL FROM:<a@a>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: .
         S: 554 no valid recipients
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"replies": "220/- 250/0 250/1 354/2 554/2 221/3", "kinds": ["data_without_rcpt"]}),
        &json!([{"rcpt_to": [], "has_data": true, "outcome": "rejected", "final": "554", "bytes": 0, "whole": true}]),
    );
}
