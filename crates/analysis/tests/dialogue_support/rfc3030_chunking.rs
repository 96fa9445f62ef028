//! RFC 3030: section 4's examples, and what section 2 says of RSET and errors.

use serde_json::json;

use crate::dialogue_support::expect;

/// §4.1, "Simple Chunking". The example's message has 86 octets.
#[test]
fn simple_chunking() {
    expect(
        "S: 220 cnri.reston.va.us SMTP service ready
         C: EHLO ymir.claremont.edu
         S: 250-cnri.reston.va.us says hello
         S: 250 CHUNKING
         C: MAIL FROM:<Sam@Random.com>
         S: 250 <Sam@Random.com> Sender ok
         C: RCPT TO:<Susan@Random.com>
         S: 250 <Susan@random.com> Recipient ok
         C: BDAT 86 LAST
         C: To: Susan@random.com
         C: From: Sam@random.com
         C: Subject: This is a bodyless test message
         S: 250 Message OK, 86 octets received
         C: QUIT
         S: 221 Goodbye
         [close by server]",
        &json!({
            "extensions": [{"keyword": "CHUNKING", "parameters": []}],
            "verbs": "EHLO MAIL RCPT BDAT QUIT", "replies": "220/- 250/0 250/1 250/2 250/3 221/4", "kinds": [],
        }),
        &json!([{
            "mail_from": "Sam@Random.com", "rcpts": ["Susan@Random.com accepted 250"], "via": "BDAT", "has_data": true,
            "outcome": "accepted", "final_response": {"code": "250", "parameter": "Message OK, 86 octets received"},
            "message": {"bytes": 86, "complete": true, "subject": "This is a bodyless test message"},
        }]),
    );
}

/// §4.2, "Pipelining BINARYMIME". The chunks hold lines that would be commands or the end of a message anywhere else.
#[test]
fn pipelining_binarymime() {
    expect(
        "S: 220 cnri.reston.va.us SMTP service ready
         C: EHLO ymir.claremont.edu
         S: 250-cnri.reston.va.us says hello
         S: 250-PIPELINING
         S: 250-BINARYMIME
         S: 250 CHUNKING
         C: MAIL FROM:<ned@ymir.claremont.edu> BODY=BINARYMIME
         C: RCPT TO:<gvaudre@cnri.reston.va.us>
         C: RCPT TO:<jstewart@cnri.reston.va.us>
         S: 250 <ned@ymir.claremont.edu>... Sender and BINARYMIME ok
         S: 250 <gvaudre@cnri.reston.va.us>... Recipient ok
         S: 250 <jstewart@cnri.reston.va.us>... Recipient ok
         C: BDAT 100000
         C* 100000
         C: BDAT 324
         C* 324
         C: BDAT 0 LAST
         S: 250 100000 octets received
         S: 250 324 octets received
         S: 250 Message OK, 100324 octets received
         C: QUIT
         S: 221 Goodbye
         [close by server]",
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT BDAT BDAT BDAT QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 250/5 250/6 221/7", "kinds": [],
        }),
        &json!([{
            "mail_parameters": {"BODY": "BINARYMIME"},
            "rcpts": ["gvaudre@cnri.reston.va.us accepted 250", "jstewart@cnri.reston.va.us accepted 250"],
            "via": "BDAT", "outcome": "accepted", "bytes": 100_324, "whole": true,
            "final_response": {"code": "250", "parameter": "Message OK, 100324 octets received"},
        }]),
    );
}

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250-mx
    S: 250 CHUNKING
    C: MAIL FROM:<a@a>
    S: 250 ok
    C: RCPT TO:<b@b>
    S: 250 ok\n";

#[track_caller]
fn after_rcpt(rest: &str, session: &serde_json::Value, transactions: &serde_json::Value) {
    expect(&format!("{OPENING}{rest}"), session, transactions);
}

/// The whole message is `BDAT 0 LAST`.
#[test]
fn an_empty_message() {
    after_rcpt(
        "C: BDAT 0 LAST
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT QUIT", "kinds": []}),
        &json!([{"via": "BDAT", "has_data": true, "outcome": "accepted", "bytes": 0, "whole": true}]),
    );
}

/// §2: "A RSET command received during or after a series of BDAT" ends the transaction, and the next is not concerned.
#[test]
fn rset_between_chunks() {
    after_rcpt(
        "C: BDAT 10
         C= 0123456789
         S: 250 10 octets
         C: RSET
         S: 250 ok
         C: MAIL FROM:<c@c>
         S: 250 ok
         C: RCPT TO:<d@d>
         S: 250 ok
         C: BDAT 4 LAST
         C= abcd
         S: 250 ok
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT BDAT RSET MAIL RCPT BDAT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 250/5 250/6 250/7", "kinds": [],
        }),
        &json!([
            {"mail_from": "a@a", "via": "BDAT", "has_data": true, "outcome": "aborted", "final": null, "bytes": 10, "whole": false},
            {"mail_from": "c@c", "via": "BDAT", "outcome": "accepted", "final": "250", "bytes": 4, "whole": true},
        ]),
    );
}

/// §2: a server that refuses BDAT still takes the chunk's octets; they are no commands. Then the client resets.
#[test]
fn a_refused_chunk_is_read_to_its_end() {
    after_rcpt(
        "C: BDAT 6
         C: QUIT
         S: 552 too much
         C: RSET
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT RSET", "replies": "220/- 250/0 250/1 250/2 552/3 250/4", "kinds": []}),
        &json!([{"via": "BDAT", "has_data": false, "outcome": "rejected", "final": "552"}]),
    );
}

/// §2: after a BDAT that failed, those behind it fail with 503. The reply to BDAT LAST is the last word.
#[test]
fn pipelined_chunks_after_a_refused_one() {
    after_rcpt(
        "C: BDAT 4
         C= abcd
         C: BDAT 4 LAST
         C= efgh
         S: 452 no room
         S: 503 a chunk was refused
         C: RSET
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT BDAT RSET", "replies": "220/- 250/0 250/1 250/2 452/3 503/4 250/5"}),
        &json!([{"via": "BDAT", "outcome": "rejected", "final": "503", "bytes": 8}]),
    );
}

/// §2: DATA behind BDAT in one transaction must be refused with 503; the client resets.
#[test]
fn data_behind_bdat() {
    after_rcpt(
        "C: BDAT 4
         C= abcd
         S: 250 ok
         C: DATA
         S: 503 BDAT has begun
         C: RSET
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT DATA RSET", "replies": "220/- 250/0 250/1 250/2 250/3 503/4 250/5"}),
        &json!([{"has_data": true, "outcome": "rejected", "final": "503"}]),
    );
}

/// §2: a BDAT behind BDAT LAST is refused with 503; the mail before it stays accepted.
#[test]
fn bdat_behind_bdat_last() {
    after_rcpt(
        "C: BDAT 4 LAST
         C= abcd
         S: 250 ok
         C: BDAT 4
         C= efgh
         S: 503 send MAIL first
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT BDAT QUIT", "replies": "220/- 250/0 250/1 250/2 250/3 503/4 221/5"}),
        &json!([{"outcome": "accepted", "final": "250", "bytes": 4, "whole": true}]),
    );
}

/// A BDAT of wrong syntax has no chunk: what is pipelined behind it is commands.
#[test]
fn bad_syntax_has_no_chunk() {
    after_rcpt(
        "C: BDAT 5 X
         C: NOOP
         S: 501 wrong argument
         S: 250 ok
         C: BDAT
         S: 501 wrong argument
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT BDAT NOOP BDAT QUIT", "replies": "220/- 250/0 250/1 250/2 501/3 250/4 501/5 221/6",
            "kinds": ["invalid_bdat", "unannounced_pipelining", "invalid_bdat"],
        }),
        &json!([{"via": "BDAT", "has_data": false, "outcome": "rejected", "final": "501", "message": null}]),
    );
}

/// RFC 5321 §4.1.4: the refusal leaves the state as it was; the message then sent is accepted.
#[test]
fn bad_syntax_then_a_message() {
    after_rcpt(
        "C: BDAT five LAST
         S: 501 wrong argument
         C: BDAT 5 LAST
         C= abcde
         S: 250 ok
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT BDAT", "replies": "220/- 250/0 250/1 250/2 501/3 250/4"}),
        &json!([{"via": "BDAT", "has_data": true, "outcome": "accepted", "final": "250", "bytes": 5, "whole": true}]),
    );
}

/// The connection ends in the middle of a chunk.
#[test]
fn close_in_the_middle_of_a_chunk() {
    after_rcpt(
        "C: BDAT 10 LAST
         C= abc
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT", "end": "closed"}),
        &json!([{"via": "BDAT", "outcome": "aborted", "final": null, "bytes": 3, "whole": false}]),
    );
}
