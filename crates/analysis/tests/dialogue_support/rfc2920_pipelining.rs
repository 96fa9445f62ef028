//! RFC 2920, section 4, and what section 3.1 asks of clients.

use serde_json::json;

use crate::dialogue_support::expect;

/// The first example, without pipelining. EHLO instead of HELO makes no difference to it.
#[test]
fn without_pipelining() {
    expect(
        "S: 220 Innosoft.com SMTP service ready
         C: HELO dbc.mtview.ca.us
         S: 250 Innosoft.com
         C: MAIL FROM:<mrose@dbc.mtview.ca.us>
         S: 250 sender <mrose@dbc.mtview.ca.us> OK
         C: RCPT TO:<ned@innosoft.com>
         S: 250 recipient <ned@innosoft.com> OK
         C: RCPT TO:<dan@innosoft.com>
         S: 250 recipient <dan@innosoft.com> OK
         C: RCPT TO:<kvc@innosoft.com>
         S: 250 recipient <kvc@innosoft.com> OK
         C: DATA
         S: 354 enter mail, end with line containing only \".\"
         C: text
         C: .
         S: 250 message sent
         C: QUIT
         S: 221 goodbye
         [close]",
        &json!({
            "helo_verb": "HELO", "verbs": "HELO MAIL RCPT RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 354/5 250/5 221/6", "kinds": [],
        }),
        &json!([{
            "rcpt_to": ["ned@innosoft.com", "dan@innosoft.com", "kvc@innosoft.com"], "outcome": "accepted", "bytes": 6,
        }]),
    );
}

/// The same with pipelining: the replies come in two groups, the end of the message and QUIT in one segment.
#[test]
fn with_pipelining() {
    expect(
        "S: 220 innosoft.com SMTP service ready
         C: EHLO dbc.mtview.ca.us
         S: 250-innosoft.com
         S: 250 PIPELINING
         C: MAIL FROM:<mrose@dbc.mtview.ca.us>
         C: RCPT TO:<ned@innosoft.com>
         C: RCPT TO:<dan@innosoft.com>
         C: RCPT TO:<kvc@innosoft.com>
         C: DATA
         S: 250 sender <mrose@dbc.mtview.ca.us> OK
         S: 250 recipient <ned@innosoft.com> OK
         S: 250 recipient <dan@innosoft.com> OK
         S: 250 recipient <kvc@innosoft.com> OK
         S: 354 enter mail, end with line containing only \".\"
         C: text
         C: .
         C: QUIT
         S: 250 message sent
         S: 221 goodbye
         [close]",
        &json!({
            "helo_verb": "EHLO", "extensions": [{"keyword": "PIPELINING", "parameters": []}],
            "verbs": "EHLO MAIL RCPT RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 354/5 250/5 221/6", "kinds": [],
        }),
        &json!([{
            "rcpts": ["ned@innosoft.com accepted 250", "dan@innosoft.com accepted 250", "kvc@innosoft.com accepted 250"],
            "outcome": "accepted", "final": "250", "bytes": 6, "whole": true, "replies": "250/0 250/1 250/2 250/3 354/4 250/4",
        }]),
    );
}

/// The example in which every recipient is refused, and DATA too: the reply to DATA decides.
#[test]
fn all_recipients_and_data_refused() {
    expect(
        "S: 220 innosoft.com SMTP service ready
         C: EHLO dbc.mtview.ca.us
         S: 250-innosoft.com
         S: 250 PIPELINING
         C: MAIL FROM:<mrose@dbc.mtview.ca.us>
         C: RCPT TO:<nsb@thumper.bellcore.com>
         C: RCPT TO:<galvin@tis.com>
         C: DATA
         S: 250 sender <mrose@dbc.mtview.ca.us> OK
         S: 550 remote mail to <nsb@thumper.bellore.com> not allowed
         S: 550 remote mail to <galvin@tis.com> not allowed
         S: 554 no valid recipients given
         C: QUIT
         S: 221 goodbye
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 550/2 550/3 554/4 221/5", "kinds": [],
        }),
        &json!([{
            "rcpts": ["nsb@thumper.bellcore.com rejected 550", "galvin@tis.com rejected 550"],
            "has_data": false, "via": "DATA", "outcome": "rejected", "final": "554", "message": null,
        }]),
    );
}

/// §3.1: the server takes DATA although every recipient was refused; the client sends a single dot.
#[test]
fn all_recipients_refused_and_data_taken() {
    expect(
        "S: 220 innosoft.com SMTP service ready
         C: EHLO dbc.mtview.ca.us
         S: 250-innosoft.com
         S: 250 PIPELINING
         C: MAIL FROM:<mrose@dbc.mtview.ca.us>
         C: RCPT TO:<nsb@thumper.bellcore.com>
         C: RCPT TO:<galvin@tis.com>
         C: DATA
         S: 250 sender <mrose@dbc.mtview.ca.us> OK
         S: 550 remote mail to <nsb@thumper.bellore.com> not allowed
         S: 550 remote mail to <galvin@tis.com> not allowed
         S: 354 enter mail, end with line containing only \".\"
         C: .
         C: QUIT
         S: 554 no valid recipients
         S: 221 goodbye
         [close]",
        &json!({"replies": "220/- 250/0 250/1 550/2 550/3 354/4 554/4 221/5", "kinds": []}),
        &json!([{"has_data": true, "via": "DATA", "outcome": "rejected", "final": "554", "bytes": 0, "whole": true}]),
    );
}

/// §3.1: a new transaction may be pipelined behind the end of the message.
#[test]
fn the_next_mail_behind_the_end_of_this_one() {
    expect(
        "S: 220 innosoft.com ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go on
         C: one
         C: .
         C: MAIL FROM:<c@c>
         C: RCPT TO:<d@d>
         C: DATA
         S: 451 not now
         S: 250 ok
         S: 550 no
         S: 354 go on
         C: second
         C: .
         S: 250 queued
         [close]",
        &json!({
            "verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA",
            "replies": "220/- 250/0 250/1 250/2 354/3 451/3 250/4 550/5 354/6 250/6", "kinds": [],
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "rejected", "final": "451", "bytes": 5},
            {"mail_from": "c@c", "rcpts": ["d@d rejected 550"], "outcome": "accepted", "final": "250", "bytes": 8},
        ]),
    );
}
