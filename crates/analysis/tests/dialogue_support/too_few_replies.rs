//! Servers that answer less often than they have to, with nothing lost: what tells whose a reply is.

use serde_json::json;

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250-mx
    S: 250-CHUNKING
    S: 250 PIPELINING\n";

const LMTP: &str = "S: 220 store LMTP
    C: LHLO a
    S: 250-store
    S: 250-CHUNKING
    S: 250 PIPELINING
    C: MAIL FROM:<a@a>
    C: RCPT TO:<b@b>
    C: RCPT TO:<c@c>\n";

const LMTP_MESSAGE: &str = "C: DATA
    S: 250 ok
    S: 250 ok
    S: 250 ok
    S: 354 go on
    C: text
    C: .\n";

/// RFC 5321 §4.2.2: "221 <domain> Service closing transmission channel"; §4.3.2 has it for QUIT alone.
#[test]
fn a_221_is_to_quit_and_accepts_nobody() {
    expect(
        &format!("{OPENING}C: MAIL FROM:<a@a>\n--\nC: RCPT TO:<b@b>\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 221/3"}),
        &json!([{"rcpts": ["b@b unknown null"], "outcome": "aborted", "final": null}]),
    );
    expect(
        &format!("{LMTP}{LMTP_MESSAGE}S: 554 no\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 250/3 354/4 554/4 221/5"}),
        &json!([{"rcpts": ["b@b rejected 554", "c@c unknown null"], "outcome": "incomplete", "final": null}]),
    );
    for behind in ["C: RSET", "C: MAIL FROM:<a@a>"] {
        expect(
            &format!("{OPENING}{behind}\n--\nC: QUIT\nS: 221 bye\n[close]"),
            &json!({"replies": "220/- 250/0 221/2"}),
            &if behind == "C: RSET" { json!([]) } else { json!([{"outcome": "aborted", "final": null}]) },
        );
    }
}

/// The same where no QUIT was sent.
#[test]
fn a_221_without_quit_is_nobodys() {
    expect(
        &format!("{OPENING}C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 250 ok\nS: 221 bye\n[close by server]"),
        &json!({"replies": "220/- 250/0 250/1 221/-", "kinds": ["unsolicited_reply"]}),
        &json!([{"rcpts": ["b@b unknown null"], "outcome": "aborted", "final": null}]),
    );
    expect(
        &format!("{LMTP}{LMTP_MESSAGE}S: 221 bye\n[close by server]"),
        &json!({"kinds": ["unsolicited_reply"]}),
        &json!([{"outcome": "incomplete", "final": null}]),
    );
}

/// RFC 5321 §4.2: `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`. What is no such
/// line has no code, and the client that goes on has taken it for a reply.
#[test]
fn a_line_that_is_no_reply_takes_the_place_of_one() {
    for line in ["250ok", "250\tok", "2500 ok", "OK", ""] {
        expect(
            &format!(
                "{OPENING}C: MAIL FROM:<a@a>
                 S: {line}
                 C: RCPT TO:<b@b>
                 S: 550 no
                 C: RCPT TO:<c@c>
                 S: 250 ok
                 C: DATA
                 S: 354 go on
                 C: text
                 C: .
                 S: 250 taken
                 C: QUIT
                 S: 221 bye
                 [close]"
            ),
            &json!({"replies": "220/- 250/0 550/2 250/3 354/4 250/4 221/5", "kinds": ["invalid_reply"]}),
            &json!([{"rcpts": ["b@b rejected 550", "c@c accepted 250"], "outcome": "accepted", "final": "250"}]),
        );
    }
}

/// The same behind DATA, where what the client sends tells how it took the line; and behind a message, which is neither
/// accepted nor refused then.
#[test]
fn a_line_that_is_no_reply_behind_data_and_a_message() {
    let opening = format!("{OPENING}C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\n");
    expect(
        &format!("{opening}S: 354go\nC: text\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 250/3 221/4", "kinds": ["invalid_reply"]}),
        &json!([{"outcome": "accepted", "final": "250", "bytes": 6, "whole": true}]),
    );
    expect(
        &format!(
            "{opening}S: 354 go\nC: text\nC: .\nS: 250ok\nC: MAIL FROM:<c@c>\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"
        ),
        &json!({"replies": "220/- 250/0 250/1 250/2 354/3 250/4 221/5", "kinds": ["invalid_reply"]}),
        &json!([
            {"outcome": "incomplete", "final": null, "bytes": 6},
            {"mail_from": "c@c", "outcome": "aborted", "final": null},
        ]),
    );
}

/// A line that is none does not stand for a reply that comes behind it.
#[test]
fn a_line_before_the_reply_takes_no_place() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>\nS: debug\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 550 no\nC: QUIT\nS: 221 bye\n[close]"
        ),
        &json!({"replies": "220/- 250/0 250/1 550/2 221/3", "kinds": ["invalid_reply"]}),
        &json!([{"rcpts": ["b@b rejected 550"], "outcome": "rejected"}]),
    );
}

/// RFC 5321 §4.3.2: 354 is for DATA alone. A server that has passed over a command before it does not let that one begin a
/// message.
#[test]
fn a_354_is_to_data() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             C: RCPT TO:<b@b>
             C: RCPT TO:<c@c>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go on
             C: text
             C: .
             S: 250 taken
             C: QUIT
             S: 221 bye
             [close]"
        ),
        &json!({"replies": "220/- 250/0 250/1 250/2 354/4 250/4 221/5", "kinds": []}),
        &json!([{"rcpts": ["b@b accepted 250", "c@c unknown null"], "outcome": "accepted", "bytes": 6}]),
    );
}

/// RFC 2033 §4.2 has a reply for each recipient. One for all of them, behind which the client goes on, is followed by the
/// reply to its next command.
#[test]
fn one_verdict_for_all_recipients() {
    for (next, reply) in [("RSET", "250 2.0.0 reset"), ("NOOP", "250 ok"), ("MAIL FROM:<d@d>", "250 2.1.0 ok")] {
        for (verdict, first, outcome, last) in [
            ("554 5.6.0 no", "b@b rejected 554", "incomplete", json!(null)),
            ("250 ok", "b@b accepted 250", "accepted", json!("250")),
        ] {
            let code = &verdict[..3];
            let mut mails = vec![json!({"rcpts": [first, "c@c unknown null"], "outcome": outcome, "final": last})];
            if next.starts_with("MAIL") {
                mails.push(json!({"mail_from": "d@d", "outcome": "aborted", "final": null}));
            }
            expect(
                &format!("{LMTP}{LMTP_MESSAGE}S: {verdict}\nC: {next}\nS: {reply}\nC: QUIT\nS: 221 bye\n[close]"),
                &json!({"replies": format!("220/- 250/0 250/1 250/2 250/3 354/4 {code}/4 250/5 221/6")}),
                &json!(mails),
            );
        }
    }
}

/// The same where the client has not waited for the second verdict: it says whose it is, or QUIT cannot have it.
#[test]
fn a_verdict_that_comes_late_is_one() {
    for (second, outcome) in [("250 2.1.5 <c@c> saved", "accepted 250"), ("552 5.2.2 full", "rejected 552")] {
        let code = &second[..3];
        expect(
            &format!(
                "{LMTP}{LMTP_MESSAGE}S: 250 <b@b> saved\nC: RSET\nS: {second}\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"
            ),
            &json!({"replies": format!("220/- 250/0 250/1 250/2 250/3 354/4 250/4 {code}/4 250/5 221/6")}),
            &json!([{"rcpts": ["b@b accepted 250", format!("c@c {outcome}")], "outcome": "accepted"}]),
        );
    }
    expect(
        &format!("{LMTP}{LMTP_MESSAGE}S: 250 saved\nC: QUIT\nS: 452 full\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 250/3 354/4 250/4 452/4 221/5"}),
        &json!([{"rcpts": ["b@b accepted 250", "c@c deferred 452"], "outcome": "accepted"}]),
    );
}

/// RFC 3030 §2: a chunk behind one that was refused is not taken; what the client says when it has heard the refusal has the
/// 250.
#[test]
fn a_chunk_behind_a_refused_one_is_not_accepted() {
    let chunks = "C: BDAT 3\nC= abc\nC: BDAT 3 LAST\nC= def\nS: 250 ok\nS: 250 ok\n";
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n{chunks}S: 452 full\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"
        ),
        &json!({"replies": "220/- 250/0 250/1 250/2 452/3 250/5 221/6"}),
        &json!([{"via": "BDAT", "outcome": "rejected", "final": "452"}]),
    );
    expect(
        &format!("{LMTP}{chunks}S: 250 ok\nS: 452 full\nS: 503 no\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"replies": "220/- 250/0 250/1 250/2 250/3 452/4 503/5 250/6 221/7"}),
        &json!([{"rcpts": ["b@b rejected 503", "c@c unknown null"], "outcome": "rejected", "final": "452"}]),
    );
}

/// RFC 2920 §3.2, with the whole envelope lost: a refusal before the 354 is not that of DATA.
#[test]
fn a_refused_recipient_that_is_lost_does_not_refuse_data() {
    let lost = "c: MAIL FROM:<a@a>\nc: RCPT TO:<b@b>\nc: RCPT TO:<c@c>\nC: DATA\nS: 250 ok\nS: 550 no\n";
    expect(
        &format!("{OPENING}{lost}S: 250 ok\nS: 354 go on\nC: text\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"verbs": "EHLO DATA QUIT", "replies": "220/- 250/0 250/- 550/- 250/- 354/1 250/1 221/2"}),
        &json!([{"via": "DATA", "outcome": "accepted", "final": "250", "bytes": 6, "whole": true}]),
    );
    // The client has waited for the last reply, and gives up.
    expect(
        &format!("{OPENING}{lost}S: 550 no\nS: 503 no recipients\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n[close]"),
        &json!({"verbs": "EHLO DATA RSET QUIT", "replies": "220/- 250/0 250/- 550/- 550/- 503/1 250/2 221/3"}),
        &json!([]),
    );
}

/// RFC 2033 §4.2 with the RCPT of one lost: a verdict that names it is not another's.
#[test]
fn a_verdict_on_a_recipient_whose_rcpt_is_lost() {
    for envelope in ["C: MAIL FROM:<a@a>", "c: MAIL FROM:<a@a>"] {
        let after = |verdicts: &str, rcpt: &str, outcome: &str, last: &str| {
            expect(
                &format!(
                    "S: 220 store LMTP
                     C: LHLO a
                     S: 250 store
                     {envelope}
                     S: 250 ok
                     c: RCPT TO:<b@b>
                     S: 250 ok
                     C: RCPT TO:<c@c>
                     S: 250 2.1.5 <c@c> ok
                     C: DATA
                     S: 354 go on
                     C: text
                     C: .
                     {verdicts}
                     C: QUIT
                     S: 221 bye
                     [close]"
                ),
                &json!({"kinds": ["command_gap"]}),
                &json!([{"rcpts": [rcpt], "outcome": outcome, "final": last}]),
            );
        };
        after("S: 552 5.2.2 <b@b> full\nS: 250 2.0.0 <c@c> saved", "c@c accepted 250", "accepted", "250");
        after("S: 250 2.0.0 <b@b> saved\nS: 552 5.2.2 <c@c> full", "c@c rejected 552", "accepted", "250");
    }
}
