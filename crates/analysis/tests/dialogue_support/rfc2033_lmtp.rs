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

const THREE: &str = "S: 220 store LMTP
    C: LHLO a
    S: 250-store
    S: 250 PIPELINING
    C: MAIL FROM:<a@a>
    C: RCPT TO:<b@b>
    C: RCPT TO:<c@c>
    C: RCPT TO:<d@d>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 250 ok
    S: 250 ok
    S: 354 go on
    C: text
    C: .\n";

/// One of the replies is lost: the others are for whom they name, or for nobody that is known.
#[test]
fn a_lost_reply_to_one_recipient() {
    let after = |replies: &str, rcpts: [&str; 3]| {
        expect(
            &format!("{THREE}s: 250 2.0.0 <b@b> saved\n{replies}C: QUIT\nS: 221 bye\n[close]"),
            &json!({"kinds": ["reply_gap"]}),
            &json!([{"rcpts": rcpts, "outcome": "accepted", "bytes": 6}]),
        );
    };
    after(
        "S: 452 4.2.2 <c@c> full\nS: 250 2.0.0 <d@d> saved\n",
        ["b@b unknown null", "c@c deferred 452", "d@d accepted 250"],
    );
}

/// The connection ends before all have their reply: what became of the others is not known. RFC 5321 §4.2.2: by "421 <domain>
/// Service not available, closing transmission channel" the server says of all of them that it does not take the mail.
#[test]
fn recipients_without_their_reply() {
    expect(
        &format!("{THREE}S: 250 stored\n[close by server]"),
        &json!({}),
        &json!([{"rcpts": ["b@b accepted 250", "c@c unknown null", "d@d unknown null"], "outcome": "accepted"}]),
    );
    expect(
        &format!("{THREE}S: 421 shutting down\n[close by server]"),
        &json!({}),
        &json!([{
            "rcpts": ["b@b deferred 421", "c@c deferred 421", "d@d deferred 421"], "outcome": "rejected", "final": "421",
        }]),
    );
    // What was said of one before it stays said.
    expect(
        &format!("{THREE}S: 250 stored\nS: 421 shutting down\n[close by server]"),
        &json!({}),
        &json!([{
            "rcpts": ["b@b accepted 250", "c@c deferred 421", "d@d deferred 421"], "outcome": "accepted", "final": "250",
        }]),
    );
}

/// A capture that begins behind LHLO: several replies to one message are those of LMTP.
#[test]
fn a_session_without_its_lhlo() {
    expect(
        "[midstream]
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: RCPT TO:<c@c>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: text
         C: .
         S: 250 2.0.0 <b@b> saved
         S: 550 5.2.2 <c@c> quota
         C: MAIL FROM:<d@d>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "MAIL RCPT RCPT DATA MAIL QUIT", "replies": "250/0 250/1 250/2 354/3 250/3 550/3 250/4 221/5",
            "kinds": [],
        }),
        &json!([
            {"rcpts": ["b@b accepted 250", "c@c rejected 550"], "outcome": "accepted", "final": "250", "bytes": 6},
            {"mail_from": "d@d", "outcome": "aborted"},
        ]),
    );
}

/// The end of the message is lost, and the reply to the second recipient: the next command's reply is not that.
#[test]
fn a_lost_end_of_the_message_and_a_lost_reply() {
    expect(
        "S: 220 store LMTP
         C: LHLO a
         S: 250-store
         S: 250 PIPELINING
         C: MAIL FROM:<a@a>
         C: RCPT TO:<b@b>
         C: RCPT TO:<c@c>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go on
         C: text
         c: .
         S: 250 2.0.0 <b@b> saved
         s: 452 4.2.2 <c@c> full
         C: MAIL FROM:<d@d>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "LHLO MAIL RCPT RCPT DATA MAIL QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 354/4 250/4 250/5 221/6",
        }),
        &json!([
            {"rcpts": ["b@b accepted 250", "c@c unknown null"], "outcome": "accepted", "bytes": 6, "whole": false},
            {"mail_from": "d@d", "outcome": "aborted"},
        ]),
    );
}

/// RFC 2033 §4.2, with LHLO and the replies to RCPT lost: the second verdict is one of the message, and no reply that
/// nobody asked for.
#[test]
fn several_verdicts_where_lhlo_and_the_replies_to_rcpt_are_lost() {
    let after = |beginning: &str, verdicts: &str, rcpts: [&str; 2], outcome: &str, last: &str| {
        expect(
            &format!(
                "{beginning}
                 C: MAIL FROM:<a@a>
                 C: RCPT TO:<b@b>
                 C: RCPT TO:<c@c>
                 C: DATA
                 S: 250 ok
                 s: 250 ok
                 s: 250 ok
                 S: 354 go on
                 C: text
                 C: .
                 {verdicts}
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({"verbs": "MAIL RCPT RCPT DATA QUIT", "kinds": if beginning == "[midstream]" {
                json!(["reply_gap"])
            } else {
                json!(["command_gap", "reply_gap"])
            }}),
            &json!([{"rcpts": rcpts, "outcome": outcome, "final": last, "bytes": 6}]),
        );
    };
    let from_the_start = "S: 220 store LMTP\nc: LHLO a\nS: 250-store\nS: 250 PIPELINING";
    for beginning in ["[midstream]", from_the_start] {
        let both = ["b@b accepted 250", "c@c deferred 452"];
        after(beginning, "S: 250 <b@b> saved\nS: 452 <c@c> full", both, "accepted", "250");
        // As many as there are recipients: they are theirs in order.
        after(beginning, "S: 250 saved\nS: 452 full", both, "accepted", "250");
        let refused = ["b@b rejected 550", "c@c deferred 452"];
        after(beginning, "S: 550 <b@b> off\nS: 452 <c@c> full", refused, "rejected", "452");
    }
}

/// The same with the first verdict lost, too: what is said of one recipient is not said of the mail.
#[test]
fn a_verdict_behind_a_lost_one_where_lhlo_is_lost() {
    let after = |rcpt_replies: &str, verdict: &str, rcpts: [&str; 2], outcome: &str, last: serde_json::Value| {
        expect(
            &format!(
                "[midstream]
                 C: MAIL FROM:<a@a>
                 S: 250 ok
                 C: RCPT TO:<b@b>
                 C: RCPT TO:<c@c>
                 {rcpt_replies}
                 C: DATA
                 S: 354 go on
                 C: text
                 C: .
                 s: 250 saved
                 {verdict}
                 C: MAIL FROM:<d@d>
                 S: 250 ok
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({"verbs": "MAIL RCPT RCPT DATA MAIL QUIT"}),
            &json!([
                {"rcpts": rcpts, "outcome": outcome, "final": last, "bytes": 6},
                {"mail_from": "d@d", "outcome": "aborted", "final": null},
            ]),
        );
    };
    for replies in ["S: 250 ok\nS: 250 ok", "s: 250 ok\ns: 250 ok"] {
        let named = ["b@b unknown null", "c@c deferred 452"];
        after(replies, "S: 452 4.2.2 <c@c> full", named, "incomplete", json!(null));
        let named = ["b@b unknown null", "c@c accepted 250"];
        after(replies, "S: 250 2.1.5 <c@c> saved", named, "accepted", json!("250"));
        let nobody = ["b@b unknown null", "c@c unknown null"];
        after(replies, "S: 452 4.2.2 full", nobody, "incomplete", json!(null));
        after(replies, "S: 250 2.1.5 saved", nobody, "accepted", json!("250"));
    }
}

/// RFC 2033 §4.2 with LHLO there: a failure that is heard is not one of those whose verdict is lost.
#[test]
fn a_failure_behind_a_lost_verdict_does_not_refuse_the_mail() {
    expect(
        &format!("{THREE}s: 250 2.0.0 <b@b> saved\nS: 550 <c@c> no\nS: 452 <d@d> full\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"kinds": ["reply_gap"]}),
        &json!([{
            "rcpts": ["b@b unknown null", "c@c rejected 550", "d@d deferred 452"], "outcome": "incomplete",
            "final": null,
        }]),
    );
}

/// A server that greets as one of SMTP has one reply for the whole mail, of which the first line is lost here.
#[test]
fn a_greeting_of_smtp_tells_whose_the_reply_is() {
    expect(
        "S: 220 mx.example.net ESMTP
         c: EHLO a
         S: 250 mx.example.net
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         C: RCPT TO:<c@c>
         S: 250 ok
         S: 250 ok
         C: DATA
         S: 354 go on
         C: text
         C: .
         s: 550-5.7.1 your message is not welcome
         S: 550 5.7.1 at all
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"verbs": "MAIL RCPT RCPT DATA QUIT"}),
        &json!([{"rcpts": ["b@b accepted 250", "c@c accepted 250"], "outcome": "rejected", "final": "550"}]),
    );
}

/// What a client without its LHLO has sent before the replies to its message came.
fn pipelined(behind: &str, replies: &str, session: &serde_json::Value, rcpts: [&str; 2], next: &serde_json::Value) {
    let mut mails = vec![json!({
        "mail_from": "a@a", "rcpts": rcpts, "outcome": "accepted", "final": "250", "bytes": 6,
    })];
    mails.extend(next.as_array().expect("mails").iter().cloned());
    expect(
        &format!(
            "[midstream]
             C: MAIL FROM:<a@a>
             C: RCPT TO:<b@b>
             C: RCPT TO:<c@c>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 250 ok
             S: 354 go on
             C: text
             C: .
             {behind}
             {replies}
             [close]"
        ),
        session,
        &json!(mails),
    );
}

/// RFC 2033 §4.2, and RFC 5321 §4.3.2: QUIT has no reply but 221.
#[test]
fn what_quit_cannot_have_is_another_verdict() {
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 452/3 221/4", "kinds": []});
    pipelined(
        "C: QUIT",
        "S: 250 saved\nS: 452 full\nS: 221 bye",
        &session,
        ["b@b accepted 250", "c@c deferred 452"],
        &json!([]),
    );
    // RFC 5321: one for the whole mail.
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 221/4", "kinds": []});
    pipelined("C: QUIT", "S: 250 ok\nS: 221 bye", &session, ["b@b accepted 250", "c@c accepted 250"], &json!([]));
}

/// What names a recipient of the message, says of MAIL what is said of recipients (RFC 3463 §3.3), or says the same id
/// again, is another verdict on it.
#[test]
fn a_verdict_before_the_reply_to_a_mail_that_was_sent_before() {
    let next = json!([{"mail_from": "d@d", "outcome": "aborted", "final": null}]);
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 550/3 250/4 221/5", "kinds": []});
    let rcpts = ["b@b accepted 250", "c@c rejected 550"];
    for second in ["550 <c@c> no", "550 5.2.1 mailbox is off"] {
        let replies = format!("S: 250 <b@b> saved\nS: {second}\nS: 250 ok\nC: QUIT\nS: 221 bye");
        pipelined("C: MAIL FROM:<d@d>", &replies, &session, rcpts, &next);
    }
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 250/3 250/4 221/5", "kinds": []});
    let replies = "S: 250 ok: queued as A1\nS: 250 ok: queued as A1\nS: 250 ok\nC: QUIT\nS: 221 bye";
    pipelined("C: MAIL FROM:<d@d>", replies, &session, ["b@b accepted 250", "c@c accepted 250"], &next);
}

/// A server of SMTP says once whose id the mail has, and of MAIL what is said of senders (RFC 3463 §3.2).
#[test]
fn a_reply_to_a_mail_that_was_sent_before_the_only_verdict() {
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 250/4 221/5", "kinds": []});
    let next = json!([{"mail_from": "d@d", "outcome": "aborted", "final": null}]);
    for replies in
        ["S: 250 ok: queued as A1\nS: 250 ok", "S: 250 saved\nS: 250 2.1.0 ok", "S: 250 saved\nS: 250 <d@d> ok"]
    {
        let replies = format!("{replies}\nC: QUIT\nS: 221 bye");
        pipelined("C: MAIL FROM:<d@d>", &replies, &session, ["b@b accepted 250", "c@c accepted 250"], &next);
    }
}

/// Where nothing tells whose the replies are, the last ones before the 354 are to the last commands before DATA (RFC 2920
/// §3.2), and without it they are nobody's.
#[test]
fn what_may_be_a_verdict_or_a_reply_waits_for_the_354() {
    let group = "C: MAIL FROM:<d@d>\nC: RCPT TO:<e@e>\nC: DATA";
    let rest = "S: 354 go on\nC: again\nC: .\nS: 250 saved\nC: QUIT\nS: 221 bye";
    let rcpts = ["b@b accepted 250", "c@c accepted 250"];
    let next = json!([{"mail_from": "d@d", "rcpts": ["e@e accepted 250"], "outcome": "accepted", "bytes": 7}]);
    for (verdict, shown) in [("", ""), ("S: 452 full\n", " 452/-")] {
        let replies = format!("S: 250 saved\n{verdict}S: 250 ok\nS: 250 ok\n{rest}");
        let session = json!({"replies": format!("250/0 250/1 250/2 354/3 250/3{shown} 250/4 250/5 354/6 250/6 221/7")});
        pipelined(group, &replies, &session, rcpts, &next);
    }
    let session = json!({"replies": "250/0 250/1 250/2 354/3 250/3 452/- 250/- 221/5"});
    let next = json!([{"mail_from": "d@d", "outcome": "aborted", "final": null}]);
    pipelined(
        "C: MAIL FROM:<d@d>",
        "S: 250 saved\nS: 452 full\nS: 250 ok\nC: QUIT\nS: 221 bye",
        &session,
        rcpts,
        &next,
    );
}
