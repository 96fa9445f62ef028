//! Verbs beyond RFC 5321 that change what the octets behind them are, or who speaks.

use serde_json::json;

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250 mx
    C: MAIL FROM:<a@a>
    S: 250 ok
    C: RCPT TO:<b@b>
    S: 250 ok\n";

#[track_caller]
fn after_rcpt(rest: &str, session: &serde_json::Value, transactions: &serde_json::Value) {
    expect(&format!("{OPENING}{rest}"), session, transactions);
}

/// Exchange sends XEXCH50 before DATA: 354, the octets, and their own reply. They are neither commands nor message.
#[test]
fn the_blob_of_xexch50() {
    after_rcpt(
        "C: XEXCH50 6 2
         S: 354 send binary data
         C: QUIT
         S: 250 XEXCH50 OK
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 queued
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT XEXCH50 DATA", "kinds": [],
            "replies": "220/- 250/0 250/1 250/2 354/3 250/3 354/4 250/4",
        }),
        &json!([{"outcome": "accepted", "final": "250", "bytes": 6, "whole": true, "via": "DATA"}]),
    );
}

/// Refused, there are none, and what follows is commands.
#[test]
fn xexch50_refused() {
    after_rcpt(
        "C: XEXCH50 6 2
         S: 504 need to authenticate first
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT XEXCH50 QUIT", "replies": "220/- 250/0 250/1 250/2 504/3 221/4", "kinds": []}),
        &json!([{"outcome": "aborted", "message": null}]),
    );
}

/// What is lost of the blob is lost of no message.
#[test]
fn a_gap_in_the_blob() {
    after_rcpt(
        "C: XEXCH50 10 2
         S: 354 send binary data
         C= abc
         c= defg
         C= hij
         S: 250 XEXCH50 OK
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 queued
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT XEXCH50 DATA", "kinds": ["command_gap"],
            "replies": "220/- 250/0 250/1 250/2 354/3 250/3 354/4 250/4",
        }),
        &json!([{"outcome": "accepted", "bytes": 6, "whole": true}]),
    );
}

/// Only the client is in the capture: it went on as if it had been let.
#[test]
fn the_blob_of_a_client_alone() {
    expect(
        "[syn]
         s: 220 mx ESMTP
         C: EHLO a
         s: 250 mx
         C: MAIL FROM:<a@a>
         s: 250 ok
         C: XEXCH50 6 2
         s: 354 go
         C: RSET
         s: 250 ok
         C: QUIT
         s: 221 bye
         [fin]",
        &json!({"verbs": "EHLO MAIL XEXCH50 QUIT"}),
        &json!([{"outcome": "incomplete"}]),
    );
}

/// Postfix, XCLIENT_README: 220 to XCLIENT is a new greeting, and the client begins with HELO or EHLO again.
#[test]
fn xclient_begins_the_session_anew() {
    expect(
        "S: 220 server.example.com ESMTP Postfix
         C: EHLO client.example.com
         S: 250-server.example.com
         S: 250 XCLIENT NAME ADDR PROTO HELO
         C: XCLIENT NAME=spike.porcupine.org ADDR=168.100.189.2 PORT=[UNAVAILABLE]
         S: 220 server.example.com ESMTP Postfix
         C: EHLO spike.porcupine.org
         S: 250-server.example.com
         S: 250 XCLIENT NAME ADDR PROTO HELO
         C: MAIL FROM:<wietse@porcupine.org>
         S: 250 Ok
         C: RCPT TO:<user@example.com>
         S: 250 Ok
         C: DATA
         S: 354 End data with a dot
         C: text
         C: .
         S: 250 Ok: queued as CF1E52AAE7
         C: QUIT
         S: 221 Bye
         [close]",
        &json!({
            "client_ip": "192.0.2.1", "helo": "spike.porcupine.org", "kinds": [],
            "greeting": {"code": "220", "parameter": "server.example.com ESMTP Postfix"},
            "replies": "220/- 250/0 220/1 250/2 250/3 250/4 354/5 250/5 221/6",
            "claimed_client": {
                "source": "xclient", "address": "168.100.189.2", "port": null, "name": "spike.porcupine.org", "helo": null,
            },
        }),
        &json!([{"outcome": "accepted", "queue_id": "CF1E52AAE7"}]),
    );
}

/// Postfix, XFORWARD_README: the client behind a filter, for the mail that follows; pipelined with it.
#[test]
fn xforward_names_the_client_of_the_mail() {
    expect(
        "S: 220 server.example.com ESMTP Postfix
         C: EHLO client.example.com
         S: 250-server.example.com
         S: 250 XFORWARD NAME ADDR PROTO HELO
         C: XFORWARD NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP
         C: XFORWARD HELO=spike.porcupine.org IDENT=abc
         C: MAIL FROM:<wietse@porcupine.org>
         S: 250 Ok
         S: 250 Ok
         S: 250 Ok
         C: QUIT
         S: 221 Bye
         [close]",
        &json!({
            "helo": "client.example.com", "kinds": ["unannounced_pipelining"], "replies": "220/- 250/0 250/1 250/2 250/3 221/4",
            "claimed_client": {
                "source": "xforward", "address": "168.100.189.2", "name": "spike.porcupine.org", "protocol": "ESMTP",
                "helo": "spike.porcupine.org",
            },
        }),
        &json!([{"mail_from": "wietse@porcupine.org", "verbs": "MAIL"}]),
    );
}

/// RFC 2645 §5's example: behind the 250 the customer is the server. None of what follows is read in the old roles.
#[test]
fn atrn_changes_the_roles() {
    expect(
        "S: 220 EXAMPLE.NET on-demand mail relay server ready
         C: EHLO example.org
         S: 250-EXAMPLE.NET
         S: 250 ATRN
         C: ATRN example.org,example.com
         S: 250 OK now reversing the connection
         C: 220 example.org ready to receive email
         S: EHLO EXAMPLE.NET
         C: 250-example.org
         C: 250 SIZE
         S: MAIL FROM:<Lester.Tester@dot.foo.bar>
         C: 250 OK
         S: RCPT TO:<l.eva.msg@example.com>
         C: 250 OK, recipient accepted
         S: QUIT
         C: 221 Closing connection
         [close]",
        &json!({
            "helo": "example.org", "verbs": "EHLO ATRN", "replies": "220/- 250/0 250/1", "kinds": ["roles_reversed"],
        }),
        &json!([]),
    );
}

/// RFC 2645 §4 and RFC 821 §3.8: refused, the roles stay as they are.
#[test]
fn turn_refused() {
    expect(
        "S: 220 mx ESMTP
         C: HELO a
         S: 250 mx
         C: TURN
         S: 502 no
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO TURN MAIL QUIT", "replies": "220/- 250/0 502/1 250/2 221/3", "kinds": []}),
        &json!([{"outcome": "aborted"}]),
    );
}

/// Of a capture of one side the change shows by what that side says next.
#[test]
fn atrn_of_a_client_alone() {
    expect(
        "[syn]
         s: 220 mx ESMTP
         C: EHLO a
         s: 250 mx
         C: ATRN
         s: 250 reversing
         C: 220 a ready
         s: EHLO mx
         C: 250 a
         s: QUIT
         C: 221 bye
         [fin]",
        &json!({"verbs": "EHLO ATRN"}),
        &json!([]),
    );
}

/// RFC 4468 §3.4's example: the message is fetched; the URL lets anybody read it and is not shown.
#[test]
fn a_message_by_burl_alone() {
    after_rcpt(
        "C: BURL imap://harry@gryffindor.example.com/outbox;uidvalidity=1078863300/;uid=25;urlauth=submit+harry:internal:91354a473744909de610943775f92038 LAST
         S: 554 no imap://x;urlauth=submit+harry:internal:91354a473744909de610943775f92038 there
         C: RSET
         S: 250 ok
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT BURL RSET", "replies": "220/- 250/0 250/1 250/2 554/3 250/4", "kinds": [],
            "commands": [{}, {}, {}, {
                "parameter": "imap://harry@gryffindor.example.com/outbox;uidvalidity=1078863300/;uid=25;urlauth=[redacted] LAST",
            }, {}],
        }),
        &json!([{
            "via": null, "has_data": false, "outcome": "rejected", "bytes": 0, "whole": false,
            "final_response": {"code": "554", "parameter": "no imap://x;urlauth=[redacted] there"},
        }]),
    );
}

/// RFC 4468 §3.4: BDAT and BURL may be mixed; the part that was fetched is not in the capture.
#[test]
fn a_message_by_bdat_and_burl() {
    after_rcpt(
        "C: BDAT 4
         C= abcd
         C: BURL imap://x/;uid=2
         C: BDAT 4 LAST
         C= efgh
         S: 250 ok
         S: 250 ok
         S: 250 2.5.0 done
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BDAT BURL BDAT QUIT", "replies": "220/- 250/0 250/1 250/2 250/3 250/4 250/5 221/6"}),
        &json!([{"via": "BDAT", "has_data": true, "outcome": "accepted", "final": "250", "bytes": 8, "whole": false}]),
    );
    after_rcpt(
        "C: BURL imap://x/;uid=2 LAST
         S: 250 2.5.0 done
         [close]",
        &json!({"verbs": "EHLO MAIL RCPT BURL"}),
        &json!([{"via": null, "has_data": true, "outcome": "accepted", "final": "250", "whole": false}]),
    );
}

/// RFC 821 §3.4: SEND, SOML and SAML begin a transaction as MAIL does, also with a path that is none.
#[test]
fn send_begins_a_transaction() {
    expect(
        "S: 220 mx SMTP
         C: HELO a
         S: 250 mx
         C: SAML nonsense
         S: 501 no
         C: SOML FROM:<a@a>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "HELO SAML SOML QUIT", "replies": "220/- 250/0 501/1 250/2 221/3"}),
        &json!([{"mail_from": null, "outcome": "rejected", "final": "501"}, {"mail_from": "a@a", "outcome": "aborted"}]),
    );
}
