//! What the loss of a command does to what comes behind it: whose the replies are, and whose the recipients.

use serde_json::json;

use crate::dialogue_support::expect;

const OPENING: &str = "S: 220 mx ESMTP
    C: EHLO a
    S: 250-mx
    S: 250-PIPELINING
    S: 250 CHUNKING\n";

const FIRST: &str = "C: MAIL FROM:<a@a>
    S: 250 a ok
    C: RCPT TO:<b@b>
    S: 250 b ok\n";

const SECOND: &str = "C: MAIL FROM:<c@c>
    S: 250 c ok
    C: RCPT TO:<d@d>
    S: 250 d ok
    C: DATA
    S: 354 go on
    C: second
    C: .
    S: 250 second
    C: QUIT
    S: 221 bye
    [close]";

const TEXT: &str = "C: Subject: first
    C:
    C: MAIL FROM:<x@x>
    C: RCPT TO:<y@y>
    C: text\n";

/// Two lines that follow each other, the final reply and the next MAIL: the recipients are of a second mail, whose sender is
/// not known.
#[test]
fn a_final_reply_and_the_next_mail() {
    expect(
        &format!(
            "{OPENING}{FIRST}C: DATA
             S: 354 go on
             C: first
             C: .
             s: 250 first
             c: MAIL FROM:<c@c>
             S: 250 c ok
             C: RCPT TO:<d@d>
             S: 550 d no
             C: RCPT TO:<e@e>
             S: 250 e ok
             C: DATA
             S: 354 go on
             C: second
             C: .
             S: 250 second
             C: QUIT
             S: 221 bye
             [close]"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 354/3 250/- 550/4 250/5 354/6 250/6 221/7",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "incomplete", "final": null, "bytes": 7},
            {
                "mail_from": null, "rcpts": ["d@d rejected 550", "e@e accepted 250"],
                "outcome": "accepted", "final": "250", "bytes": 8, "whole": true,
            },
        ]),
    );
}

/// The same of the client alone.
#[test]
fn the_next_mail_where_the_server_is_not_captured() {
    expect(
        "[midstream]
         C: EHLO a
         s: 250 mx
         C: MAIL FROM:<a@a>
         s: 250 ok
         C: RCPT TO:<b@b>
         s: 250 ok
         C: DATA
         s: 354 go on
         C: first
         C: .
         s: 250 first
         c: MAIL FROM:<c@c>
         s: 250 ok
         C: RCPT TO:<d@d>
         s: 250 ok
         C: DATA
         s: 354 go on
         C: second
         C: .
         s: 250 second
         C: QUIT",
        &json!({"verbs": "EHLO MAIL RCPT DATA RCPT DATA QUIT", "replies": ""}),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b unknown null"], "outcome": "incomplete", "bytes": 7, "whole": true},
            {"mail_from": null, "rcpts": ["d@d unknown null"], "outcome": "incomplete", "bytes": 8, "whole": true},
        ]),
    );
}

/// The end of the message is lost, and nothing of the server is in the capture: MAIL and RCPT show it.
#[test]
fn the_end_of_a_message_where_the_server_is_not_captured() {
    for next in [
        "C: MAIL FROM:<c@c>\nC: RCPT TO:<d@d>\nC: DATA",
        "C: MAIL FROM:<c@c>\ns: 250\nC: RCPT TO:<d@d>\ns: 250\nC: DATA",
    ] {
        expect(
            &format!(
                "[midstream]
                 C: EHLO a
                 s: 250 mx
                 C: MAIL FROM:<a@a>
                 s: 250 ok
                 C: RCPT TO:<b@b>
                 s: 250 ok
                 C: DATA
                 s: 354 go on
                 C: first
                 c: .
                 s: 250 first
                 {next}
                 s: 354 go on
                 C: second
                 C: .
                 s: 250 second
                 C: QUIT"
            ),
            &json!({"verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT"}),
            &json!([
                {"mail_from": "a@a", "rcpts": ["b@b unknown null"], "bytes": 7, "whole": false},
                {"mail_from": "c@c", "rcpts": ["d@d unknown null"], "bytes": 8, "whole": true},
            ]),
        );
    }
}

/// `BDAT n LAST` is lost: its chunk is no command, whatever stands in it, and no reply is for a line of it.
#[test]
fn the_command_of_the_last_chunk() {
    expect(
        &format!("{OPENING}{FIRST}c: BDAT 66 LAST\n{TEXT}S: 250 queued\n{SECOND}"),
        &json!({
            "verbs": "EHLO MAIL RCPT MAIL RCPT DATA QUIT", "kinds": ["command_gap", "command_gap"],
            "replies": "220/- 250/0 250/1 250/2 250/- 250/3 250/4 354/5 250/5 221/6",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "incomplete", "final": null},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// The same of the first of two chunks: the message is not whole.
#[test]
fn the_command_of_the_first_chunk() {
    expect(
        &format!(
            "{OPENING}{FIRST}c: BDAT 66\n{TEXT}S: 250 66 octets
             C: BDAT 3 LAST
             C= abc
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT BDAT MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/- 250/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!([
            {"mail_from": "a@a", "outcome": "accepted", "final": "250", "bytes": 3, "whole": false},
            {"mail_from": "c@c", "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// DATA is lost, and the reply before it: RFC 5321 §4.1.1.4 has 354 for DATA alone.
#[test]
fn data_and_the_reply_before_it() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             S: 250 a ok
             C: RCPT TO:<b@b>
             s: 250 b ok
             c: DATA
             S: 354 go on
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 354/- 250/- 250/3 250/4 354/5 250/5 221/6",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b unknown null"], "via": "DATA", "outcome": "accepted", "bytes": 7},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// A group and the replies to it are lost: what follows is no command, and the mail behind it is whole.
#[test]
fn a_group_and_its_replies() {
    expect(
        &format!(
            "{OPENING}c: MAIL FROM:<a@a>
             c: RCPT TO:<b@b>
             c: DATA
             s: 250 a ok
             s: 250 b ok
             s: 354 go on
             {TEXT}C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/- 250/1 250/2 354/3 250/3 221/4",
        }),
        &json!([{"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true}]),
    );
}

/// A final reply and the group behind it are lost: the 354 is not that message's.
#[test]
fn a_final_reply_and_the_next_group() {
    expect(
        &format!(
            "{OPENING}{FIRST}C: DATA
             S: 354 go on
             C: first
             C: .
             s: 250 first
             c: MAIL FROM:<e@e>
             c: RCPT TO:<f@f>
             c: DATA
             S: 250 e ok
             S: 250 f ok
             S: 354 go on
             C: lost sender
             C: .
             S: 250 of the lost
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 354/3 250/- 250/- 354/- 250/- 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "incomplete", "bytes": 7, "whole": true},
            {"mail_from": null, "rcpts": [], "outcome": "accepted", "final": "250", "bytes": 13},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// The end of a message, its reply and the next MAIL are lost: the reply to that MAIL is not the message's.
#[test]
fn all_between_a_message_and_the_next_recipient() {
    expect(
        &format!(
            "{OPENING}{FIRST}C: DATA
             S: 354 go on
             C: first
             c: .
             s: 250 first
             c: MAIL FROM:<c@c>
             S: 250 c ok
             C: RCPT TO:<d@d>
             S: 250 d ok
             C: DATA
             S: 354 go on
             C: second
             C: .
             S: 250 second
             C: QUIT
             S: 221 bye
             [close]"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 354/3 250/- 250/4 354/5 250/5 221/6",
            "kinds": ["content_gap", "reply_gap"],
        }),
        &json!([
            {"mail_from": "a@a", "outcome": "incomplete", "final": null, "bytes": 7, "whole": false},
            {"mail_from": null, "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// MAIL is lost: its recipients are of a transaction all the same.
#[test]
fn the_mail_command() {
    expect(
        &format!(
            "{OPENING}c: MAIL FROM:<a@a>
             S: 250 a ok
             C: RCPT TO:<b@b>
             S: 250 b ok
             C: DATA
             S: 354 go on
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({"replies": "220/- 250/0 250/- 250/1 354/2 250/2 250/3 250/4 354/5 250/5 221/6"}),
        &json!([
            {"mail_from": null, "rcpts": ["b@b accepted 250"], "outcome": "accepted", "bytes": 7, "whole": true},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// A capture that begins behind MAIL. Where it begins with the connection, RCPT without MAIL begins nothing.
#[test]
fn all_before_the_first_recipient() {
    let mail = "C: RCPT TO:<b@b>
        S: 250 2.1.5 ok
        C: RSET
        S: 250 ok\n";
    expect(
        &format!("[midstream]\n{mail}{SECOND}"),
        &json!({"verbs": "RCPT RSET MAIL RCPT DATA QUIT", "kinds": []}),
        &json!([
            {"mail_from": null, "rcpts": ["b@b accepted 250"], "outcome": "aborted"},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8},
        ]),
    );
    expect(
        &format!("{OPENING}{mail}{SECOND}"),
        &json!({"verbs": "EHLO RCPT RSET MAIL RCPT DATA QUIT", "kinds": ["rcpt_without_mail"]}),
        &json!([{"mail_from": "c@c"}]),
    );
}

/// More commands await replies than are kept: the replies to those that were dropped are nobody's, and all others are
/// those of their commands.
#[test]
fn commands_beyond_the_limit_of_pending_ones() {
    const LIMIT: usize = 1024;
    let recipients = 1100;
    let dropped = 1 + recipients + 1 - LIMIT;
    let commands: String = (0..recipients).map(|i| format!("C: RCPT TO:<{i}@b>\n")).collect();
    let is_refused = |i: usize| i.is_multiple_of(7);
    let replies: String = (0..recipients).map(|i| if is_refused(i) { "S: 550 no\n" } else { "S: 250 ok\n" }).collect();
    let rcpts: Vec<String> = (0..recipients)
        .map(|i| match (i + 1 < dropped, is_refused(i)) {
            (true, _) => format!("{i}@b unknown null"),
            (false, true) => format!("{i}@b rejected 550"),
            (false, false) => format!("{i}@b accepted 250"),
        })
        .collect();
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             {commands}C: DATA
             S: 250 ok
             {replies}S: 354 go on
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({}),
        &json!([
            {"mail_from": "a@a", "rcpts": rcpts, "outcome": "accepted", "bytes": 7, "whole": true},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// Two recipients are lost in the middle of a group: a reply that names another one is for that one.
#[test]
fn recipients_that_replies_name() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             C: RCPT TO:<b@b>
             c: RCPT TO:<lost@b>
             c: RCPT TO:<gone@b>
             C: RCPT TO:<e@b>
             C: DATA
             S: 250 2.1.0 <a@a> sender ok
             S: 250 2.1.5 <b@b> ok
             S: 250 2.1.5 <lost@b> ok
             S: 550 5.1.1 <gone@b> no
             S: 250 2.1.5 <e@b> ok
             S: 354 go on
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/- 550/- 250/3 354/4 250/4 250/5 250/6 354/7 250/7 221/8",
        }),
        &json!([
            {"rcpts": ["b@b accepted 250", "e@b accepted 250"], "outcome": "accepted", "bytes": 7, "whole": true},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// Replies that name nobody: those before the 354 are, from the last one back, to the commands before DATA.
#[test]
fn recipients_that_replies_are_counted_for() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             C: RCPT TO:<b@b>
             c: RCPT TO:<lost@b>
             c: RCPT TO:<gone@b>
             C: RCPT TO:<e@b>
             C: RCPT TO:<f@b>
             C: DATA
             S: 250 a
             S: 250 b
             S: 250 lost
             S: 550 gone
             S: 250 e
             S: 451 f
             S: 354 go on
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT RCPT RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/- 550/- 250/3 451/4 354/5 250/5 250/6 250/7 354/8 250/8 221/9",
        }),
        &json!([
            {
                "rcpts": ["b@b accepted 250", "e@b accepted 250", "f@b deferred 451"],
                "outcome": "accepted", "bytes": 7, "whole": true,
            },
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// The same where DATA is refused, so that no 354 shows how many are lost: the replies are nobody's, but for the last one,
/// for which the client has waited (RFC 2920 §3.1 has DATA last in its group).
#[test]
fn recipients_behind_lost_ones_where_data_is_refused() {
    expect(
        &format!(
            "{OPENING}C: MAIL FROM:<a@a>
             c: RCPT TO:<lost@b>
             c: RCPT TO:<gone@b>
             C: RCPT TO:<e@b>
             C: DATA
             S: 250 a
             S: 550 lost
             S: 550 gone
             S: 550 e
             S: 503 no RCPT
             C: RSET
             S: 250 reset
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA RSET MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 550/- 550/- 550/- 503/3 250/4 250/5 250/6 354/7 250/7 221/8",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["e@b unknown null"], "outcome": "rejected", "final": "503"},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// The reply to EHLO is lost, and most of a group behind it: what follows takes none of the replies to that.
#[test]
fn a_reply_and_the_beginning_of_a_group_in_chunks() {
    expect(
        &format!(
            "S: 220 mx ESMTP
             C: EHLO a
             s: 250-mx
             s: 250-PIPELINING
             s: 250 CHUNKING
             c: MAIL FROM:<a@a>
             c: RCPT TO:<b@b>
             C: BDAT 3
             C= abc
             S: 250 a ok
             S: 250 b ok
             S: 250 3 octets
             C: BDAT 3 LAST
             C= def
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO BDAT BDAT MAIL RCPT DATA QUIT",
            "replies": "220/- 250/- 250/- 250/- 250/2 250/3 250/4 354/5 250/5 221/6",
        }),
        &json!([
            {"mail_from": null, "via": "BDAT", "outcome": "accepted", "final": "250", "bytes": 6, "whole": false},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "bytes": 8, "whole": true},
        ]),
    );
}

/// RFC 2920 §3.1: "The EHLO, DATA, VRFY, EXPN, TURN, QUIT, and NOOP commands can only appear as the last command in a group".
/// A 354 is to the DATA behind which the client waits. What is lost here is an empty line, to which the server says nothing.
#[test]
fn a_354_is_to_the_data_behind_which_the_client_waits() {
    let data = |recipient: &str, reply: &str| {
        format!(
            "c:
             C: RCPT TO:<{recipient}>
             C: DATA
             S: {reply}
             S: 354 go on
             C: second
             C: .
             S: 250 second
             C: QUIT
             S: 221 bye
             [close]"
        )
    };
    let mail = |rcpts: [&str; 2]| json!([{"mail_from": "a@a", "rcpts": rcpts, "outcome": "accepted", "bytes": 8}]);
    let replies = "220/- 250/0 250/1 250/2 250/- 354/4 250/4 221/5";
    expect(
        &format!("{OPENING}{FIRST}{}", data("d@d", "250 ok")),
        &json!({"verbs": "EHLO MAIL RCPT RCPT DATA QUIT", "replies": replies}),
        &mail(["b@b accepted 250", "d@d unknown null"]),
    );
}

/// RFC 5321 §4.1.1.4: a client waits for the 354 and sends the message. Of that 354 some octets in the middle are lost.
#[test]
fn a_message_sent_on_a_354_that_lacks_its_middle() {
    expect(
        &format!(
            "{OPENING}{FIRST}C: DATA
             S= 354-go
             s= on\\x0d\\x0a354 with
             S= this\\x0d\\x0a
             C: Subject: it said so
             C: first
             C: .
             S: 250 first
             {SECOND}"
        ),
        &json!({
            "verbs": "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 250/4 250/5 354/6 250/6 221/7",
        }),
        &json!([
            {"mail_from": "a@a", "rcpts": ["b@b accepted 250"], "outcome": "accepted", "final": "250", "bytes": 28},
            {"mail_from": "c@c", "rcpts": ["d@d accepted 250"], "outcome": "accepted", "final": "250", "bytes": 8},
        ]),
    );
}
