//! RFC 2033, section 4.

use serde_json::json;

use crate::dialogue_support::expect;

/// §4.2: behind the end of the message one reply for each recipient that was accepted, in their order.
#[test]
fn one_reply_for_each_recipient() {
    expect(
        "S: 220 foo.edu LMTP server ready
         C: LHLO foo.edu
         S: 250-foo.edu
         S: 250-PIPELINING
         S: 250 SIZE
         C: MAIL FROM:<chris@bar.com>
         S: 250 OK
         C: RCPT TO:<pat@foo.edu>
         S: 250 OK
         C: RCPT TO:<jones@foo.edu>
         S: 550 No such user here
         C: RCPT TO:<green@foo.edu>
         S: 250 OK
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Blah blah blah...
         C: ....etc. etc. etc.
         C: .
         S: 250 OK
         S: 452 <green@foo.edu> is temporarily over quota
         C: QUIT
         S: 221 foo.edu closing connection
         [close by server]",
        &json!({
            "helo": "foo.edu", "helo_verb": "LHLO", "verbs": "LHLO MAIL RCPT RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 550/3 250/4 354/5 250/5 452/5 221/6", "kinds": [],
        }),
        &json!([{
            "rcpts": ["pat@foo.edu accepted 250", "jones@foo.edu rejected 550", "green@foo.edu deferred 452"],
            "outcome": "accepted", "final": "250", "bytes": 38, "whole": true,
        }]),
    );
}

/// §4.3: the same for BDAT LAST; a BDAT without LAST has one reply.
#[test]
fn one_reply_for_each_recipient_of_bdat_last() {
    expect(
        "S: 220 foo.edu LMTP server ready
         C: LHLO foo.edu
         S: 250-foo.edu
         S: 250 CHUNKING
         C: MAIL FROM:<chris@bar.com>
         S: 250 OK
         C: RCPT TO:<pat@foo.edu>
         S: 250 OK
         C: RCPT TO:<green@foo.edu>
         S: 250 OK
         C: BDAT 3
         C= abc
         S: 250 OK
         C: BDAT 3 LAST
         C= def
         S: 452 <pat@foo.edu> is temporarily over quota
         S: 250 OK
         C: QUIT
         S: 221 foo.edu closing connection
         [close by server]",
        &json!({
            "verbs": "LHLO MAIL RCPT RCPT BDAT BDAT QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 452/5 250/5 221/6", "kinds": [],
        }),
        &json!([{
            "rcpts": ["pat@foo.edu deferred 452", "green@foo.edu accepted 250"],
            "via": "BDAT", "outcome": "accepted", "final": "250", "bytes": 6, "whole": true,
        }]),
    );
}

/// All that were accepted by RCPT are refused by name behind the message.
#[test]
fn every_recipient_refused_behind_the_message() {
    expect(
        "S: 220 foo.edu LMTP server ready
         C: LHLO foo.edu
         S: 250-foo.edu
         S: 250 PIPELINING
         C: MAIL FROM:<chris@bar.com>
         C: RCPT TO:<pat@foo.edu>
         C: RCPT TO:<green@foo.edu>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 250 OK
         S: 354 go on
         C: text
         C: .
         C: MAIL FROM:<next@bar.com>
         S: 550 5.2.1 off
         S: 452 4.2.2 full
         S: 250 OK
         [close by server]",
        &json!({
            "verbs": "LHLO MAIL RCPT RCPT DATA MAIL",
            "replies": "220/- 250/0 250/1 250/2 250/3 354/4 550/4 452/4 250/5", "kinds": [],
        }),
        &json!([
            {"rcpts": ["pat@foo.edu rejected 550", "green@foo.edu deferred 452"], "outcome": "rejected", "bytes": 6},
            {"mail_from": "next@bar.com", "outcome": "aborted"},
        ]),
    );
}
