//! Anomalies of the order of commands, of pipelining, and of messages. A test has the name of its kind.

use analysis::anomaly::AnomalyKind;

use super::anomalies::{kinds, kinds_behind_opening, raises, raises_alone};
use crate::dialogue_support::Role::Client;

const MAIL: &str = "C: MAIL FROM:<a@example.org>\nS: 250 ok\n";
const RCPT: &str = "C: RCPT TO:<b@example.net>\nS: 250 ok\n";

fn behind_rcpt(dialogue: &str) -> String {
    format!("{MAIL}{RCPT}{dialogue}")
}

/// RFC 5321 §3.1, §4.3.1: the client waits for the greeting.
#[test]
fn early_talker() {
    let (early, late) = ("C: EHLO a\nS: 220 mx ESMTP\nS: 250 mx", "S: 220 mx ESMTP\nC: EHLO a\nS: 250 mx");
    raises_alone(AnomalyKind::EarlyTalker, (Client, "EHLO a", "EHLO"), early, late);
}

/// RFC 5321 §4.1.4: "a client MUST issue" EHLO or HELO before it begins a mail transaction.
#[test]
fn mail_without_hello() {
    let place = (Client, "MAIL", "MAIL FROM:<a@example.org>");
    let (without, with) =
        ("S: 220 mx ESMTP\nC: MAIL FROM:<a@example.org>\nS: 503 no", "S: 220 mx ESMTP\nC: HELO a\nS: 250 mx\n");
    raises_alone(AnomalyKind::MailWithoutHello, place, without, &format!("{with}{MAIL}"));
    let midstream = format!("[midstream]\nC: RSET\nS: 250 ok\n{MAIL}{RCPT}");
    assert!(kinds(&midstream).is_empty(), "it may stand before the capture");
}

/// RFC 5321 §4.1.4: EHLO may be sent again, but there is no reason to; §3.2: HELO where EHLO was refused; RFC 3207 §4.2:
/// EHLO behind STARTTLS.
#[test]
fn repeated_hello() {
    let again = "S: 220 mx ESMTP\nC: EHLO a\nS: 250 mx\nC: EHLO b\nS: 250 mx";
    let refused = "S: 220 mx ESMTP\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 250 mx";
    raises_alone(AnomalyKind::RepeatedHello, (Client, "EHLO b", "EHLO b"), again, refused);
    let behind_tls = "C: STARTTLS\nS: 220 go\nC: EHLO client.example\nS: 250 mx";
    assert_eq!(kinds_behind_opening(behind_tls), ["plaintext_after_starttls"]);
}

/// RFC 5321 §3.3: a MAIL command in an open transaction is out of order, and answered 503.
#[test]
fn nested_mail() {
    let place = (Client, "MAIL FROM:<c", "MAIL FROM:<c@example.org>");
    let second = "C: MAIL FROM:<c@example.org>\nS:";
    let (nested, reset) = (format!("{MAIL}{second} 503 nested"), format!("{MAIL}C: RSET\nS: 250 ok\n{second} 250 ok"));
    raises(AnomalyKind::NestedMail, place, &nested, &reset);
    let refused = format!("C: MAIL FROM:<a@example.org>\nS: 550 no\n{second} 250 ok");
    assert!(kinds_behind_opening(&refused).is_empty(), "the first one was refused");
    assert_eq!(kinds_behind_opening(&format!("{nested}\n{RCPT}")), ["nested_mail"], "the first one is still open");
    let mail = behind_rcpt("C: DATA\nS: 354 go\nC: \nC: t\nC: .\nC: MAIL FROM:<c@example.org>\nS: 250 ok\nS: 250 ok");
    assert!(kinds_behind_opening(&mail).is_empty(), "RFC 2920 §3.1: the next one behind the message, before its reply");
}

/// RFC 5321 §3.3: RCPT follows MAIL. RFC 2920 §3.1: the client that pipelines cannot know that MAIL is refused.
#[test]
fn rcpt_without_mail() {
    let place = (Client, "RCPT", "RCPT TO:<b@example.net>");
    let pipelined = "C: MAIL FROM:<a@example.org>\nC: RCPT TO:<b@example.net>\nS: 550 no\nS: 503 no";
    raises(AnomalyKind::RcptWithoutMail, place, "C: RCPT TO:<b@example.net>\nS: 503 no", pipelined);
    let known = "C: MAIL FROM:<a@example.org>\nS: 550 no\nC: RCPT TO:<b@example.net>\nS: 503 no";
    assert_eq!(kinds_behind_opening(known), ["rcpt_without_mail"]);
}

/// RFC 5321 §3.3: DATA follows "one or more RCPT commands"; that they were refused is another matter.
#[test]
fn data_without_rcpt() {
    let refused = format!("{MAIL}C: RCPT TO:<b@example.net>\nS: 550 no\nC: DATA\nS: 554 no");
    raises(AnomalyKind::DataWithoutRcpt, (Client, "DATA", "DATA"), &format!("{MAIL}C: DATA\nS: 503 no"), &refused);
    assert_eq!(kinds_behind_opening("C: BDAT 0 LAST\nS: 503 no"), ["data_without_rcpt"]);
}

/// RFC 3030 §2: the message ends with the chunk that has LAST, or is given up by RSET.
#[test]
fn missing_bdat_last() {
    let place = (Client, "MAIL FROM:<c", "MAIL FROM:<c@example.org>");
    let chunk = behind_rcpt("C: BDAT 3\nC= abc\nS: 250 ok\n");
    let next = format!("{chunk}C: MAIL FROM:<c@example.org>\nS: 503 no");
    raises(AnomalyKind::MissingBdatLast, place, &next, &format!("{chunk}C: RSET\nS: 250 ok\n{MAIL}"));
    let refused = behind_rcpt("C: BDAT 3\nC= abc\nS: 552 no\nC: MAIL FROM:<c@example.org>\nS: 250 ok");
    assert!(kinds_behind_opening(&refused).is_empty(), "no more chunks after a refusal");
}

/// RFC 3030 §2: "Any BDAT command sent after the BDAT LAST is illegal and MUST be replied to with a 503".
#[test]
fn bdat_after_last() {
    let last = behind_rcpt("C: BDAT 3 LAST\nC= abc\nS: 250 ok\nC: BDAT 3 LAST\nC= def\nS: 503 no");
    let right = behind_rcpt("C: BDAT 3\nC= abc\nS: 250 ok\nC: BDAT 3 LAST\nC= def\nS: 250 ok");
    raises(AnomalyKind::BdatAfterLast, (Client, "BDAT 3 LAST\r\ndef", "BDAT 3 LAST"), &last, &right);
    let next = format!("{}{MAIL}{RCPT}C: BDAT 3 LAST\nC= def\nS: 250 ok", behind_rcpt("C: BDAT 0 LAST\nS: 250 ok\n"));
    assert!(kinds_behind_opening(&next).is_empty(), "of the next message");
}

/// RFC 3030 §2: "The DATA and BDAT commands cannot be used in the same transaction."
#[test]
fn data_and_bdat() {
    let chunk = behind_rcpt("C: BDAT 3\nC= abc\nS: 250 ok\n");
    let data = "C: DATA\nS: 354 go\nC: \nC: t\nC: .\nS: 250 ok";
    let reset = format!("{chunk}C: RSET\nS: 250 ok\n{}", behind_rcpt(data));
    raises(AnomalyKind::DataAndBdat, (Client, "DATA", "DATA"), &format!("{chunk}C: DATA\nS: 503 no"), &reset);
}

/// RFC 5321 §4.1.1.10: behind QUIT comes the close.
#[test]
fn command_after_quit() {
    let (after, before) = ("C: QUIT\nC: RSET\nS: 221 bye", "C: RSET\nC: QUIT\nS: 250 ok\nS: 221 bye");
    raises(AnomalyKind::CommandAfterQuit, (Client, "RSET", "RSET"), after, before);
}

/// RFC 2920 §3.1: groups are for servers that offer PIPELINING.
#[test]
fn unannounced_pipelining() {
    let group = |offer: &str| {
        format!(
            "S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 {offer}\nC: MAIL FROM:<a@example.org>\nC: RCPT TO:<b@example.net>\nC: RSET\nS: 250 ok\nS: 250 ok\nS: 250 ok"
        )
    };
    let place = (Client, "RCPT", "RCPT TO:<b@example.net>");
    raises_alone(AnomalyKind::UnannouncedPipelining, place, &group("HELP"), &group("PIPELINING"));
    let alone = group("HELP").lines().filter(|line| !line.starts_with('S')).collect::<Vec<_>>().join("\n");
    assert!(kinds(&alone).is_empty(), "the server's side is not in the capture");
}

/// RFC 2920 §3.1: "EHLO, DATA, VRFY, EXPN, TURN, QUIT, and NOOP commands can only appear as the last command in a group".
#[test]
fn invalid_pipelined_sequence() {
    let kind = AnomalyKind::InvalidPipelinedSequence;
    let last = "C: RSET\nC: NOOP\nS: 250 ok\nS: 250 ok";
    raises(kind, (Client, "RSET", "RSET"), "C: NOOP\nC: RSET\nS: 250 ok\nS: 250 ok", last);
    let data = behind_rcpt("C: DATA\nC: RSET\nS: 451 later\nS: 250 ok");
    raises(kind, (Client, "RSET", "RSET"), &data, last);
    let hello = "S: 220 mx ESMTP\nC: EHLO a\nC: MAIL FROM:<a@example.org>\nS: 250 mx\nS: 250 ok";
    assert_eq!(kinds(hello), ["invalid_pipelined_sequence"]);
    let auth = "C: AUTH LOGIN\nC: YWxpY2U=\nS: 334 VXNlcm5hbWU6\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 ok";
    raises(kind, (Client, "YWxpY2U=", "[redacted]"), auth, last);
}

/// RFC 5321 §3.3: the message follows the 354.
#[test]
fn content_before_354() {
    let (early, late) = (
        "C: DATA\nC: Subject: x\nC: \nC: .\nS: 354 go\nS: 250 ok",
        "C: DATA\nS: 354 go\nC: Subject: x\nC: \nC: .\nS: 250 ok",
    );
    let place = (Client, "Subject", "Subject: x");
    raises(AnomalyKind::ContentBefore354, place, &behind_rcpt(early), &behind_rcpt(late));
}

/// RFC 4954 §3: the keyword AUTH offers it.
#[test]
fn auth_not_offered() {
    let auth =
        |offer: &str| format!("S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 {offer}\nC: AUTH PLAIN =\nS: 503 no");
    let place = (Client, "AUTH", "AUTH [redacted]");
    raises_alone(AnomalyKind::AuthNotOffered, place, &auth("HELP"), &auth("AUTH PLAIN"));
    assert!(kinds(&auth("AUTH=PLAIN")).is_empty(), "as the drafts of RFC 2554 had it");
}

/// RFC 4954 §4: "After a successful AUTH command completes, a server MUST reject any further AUTH commands with a 503".
#[test]
fn repeated_auth() {
    let twice = |first: &str| format!("C: AUTH PLAIN AGEAYg==\nS: {first}\nC: AUTH LOGIN\nS: 503 no");
    let place = (Client, "AUTH LOGIN", "AUTH [redacted]");
    raises(AnomalyKind::RepeatedAuth, place, &twice("235 ok"), &twice("535 no"));
}

/// RFC 4954 §4: "The AUTH command is not permitted during a mail transaction."
#[test]
fn auth_in_transaction() {
    let auth = "C: AUTH PLAIN AGEAYg==\nS:";
    let (within, refused) =
        (format!("{MAIL}{auth} 503 no"), format!("C: MAIL FROM:<a@example.org>\nS: 530 no\n{auth} 235 ok"));
    raises(AnomalyKind::AuthInTransaction, (Client, "AUTH", "AUTH [redacted]"), &within, &refused);
}

/// RFC 3207 §4, §2: the keyword STARTTLS offers it.
#[test]
fn starttls_not_offered() {
    let starttls = |offer: &str, verb: &str| {
        format!(
            "S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 {offer}\nC: {verb}\nS: 220 go\nC= \\x16\\x03\\x01\\x00\\x02\\x01\\x00"
        )
    };
    let place = (Client, "STARTTLS", "STARTTLS");
    let kind = AnomalyKind::StarttlsNotOffered;
    raises_alone(kind, place, &starttls("HELP", "STARTTLS"), &starttls("STARTTLS", "STARTTLS"));
    assert!(kinds(&starttls("X-ANONYMOUSTLS", "X-ANONYMOUSTLS")).is_empty());
}

/// RFC 5321 §2.2.1, RFC 3030 §2 and the RFCs of each parameter: offered first, used then.
#[test]
fn extension_not_offered() {
    let mail = |offer: &str, parameter: &str| {
        format!(
            "S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 {offer}\nC: MAIL FROM:<a@example.org> {parameter}\nS: 250 ok"
        )
    };
    let kind = AnomalyKind::ExtensionNotOffered;
    let place = (Client, "MAIL", "MAIL FROM:<a@example.org> BODY=8BITMIME");
    raises_alone(kind, place, &mail("SIZE", "BODY=8BITMIME"), &mail("8BITMIME", "BODY=8BITMIME"));
    assert_eq!(kinds(&mail("8BITMIME", "BODY=BINARYMIME")), ["extension_not_offered"]);
    for (keyword, parameter) in [
        ("SIZE", "SIZE=1"),
        ("BINARYMIME", "BODY=BINARYMIME"),
        ("DSN", "RET=HDRS ENVID=x"),
        ("AUTH PLAIN", "AUTH=<>"),
        ("SMTPUTF8", "SMTPUTF8"),
        ("REQUIRETLS", "REQUIRETLS"),
        ("DELIVERBY", "BY=120;R"),
        ("MT-PRIORITY", "MT-PRIORITY=3"),
        ("FUTURERELEASE 1000 2030-01-01T00:00:00Z", "HOLDFOR=60"),
    ] {
        assert!(kinds(&mail(keyword, parameter)).is_empty(), "{keyword}");
        assert_eq!(kinds(&mail("HELP", parameter)), ["extension_not_offered"], "{keyword}");
    }
    let bdat = "S: 220 mx ESMTP\nC: HELO a\nS: 250 mx\n";
    let bdat = format!("{bdat}{MAIL}{RCPT}C: BDAT 0 LAST\nS: 250 ok");
    assert_eq!(kinds(&bdat), ["extension_not_offered"]);
}

/// RFC 1870 §6: the server's limit, here 1,000 octets, is declared with SIZE.
#[test]
fn size_over_limit() {
    let mail = |size: u32, reply: &str| format!("C: MAIL FROM:<a@example.org> SIZE={size}\nS: {reply}");
    let place = (Client, "MAIL", "MAIL FROM:<a@example.org> SIZE=1001");
    raises(AnomalyKind::SizeOverLimit, place, &mail(1001, "552 too big"), &mail(1000, "250 ok"));
    let no_limit = "S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 SIZE 0\n";
    assert!(kinds(&format!("{no_limit}{}", mail(1001, "250 ok"))).is_empty(), "RFC 1870 §4: 0 is no limit");
}

/// RFC 1870 §5: the size counts the octets of the message with its line ends; here CRLF, `t`, CRLF.
#[test]
fn size_exceeded() {
    let mail = |size: u32, how: &str| {
        format!("C: MAIL FROM:<a@example.org> SIZE={size}\nS: 250 ok\n{RCPT}{how}\nC: QUIT\nS: 221 bye")
    };
    let place = (Client, "QUIT", "5 octets, 4 were declared");
    for how in ["C: DATA\nS: 354 go\nC: \nC: t\nC: .\nS: 250 ok", "C: BDAT 5 LAST\nC= \\x0d\\x0at\\x0d\\x0a\nS: 250 ok"]
    {
        raises(AnomalyKind::SizeExceeded, place, &mail(4, how), &mail(5, how));
    }
}

/// RFC 5321 §4.1.1.4: the dot line stands between CRLF and CRLF.
#[test]
fn dot_line_variant() {
    let with = |line: &str| behind_rcpt(&format!("C: DATA\nS: 354 go\nC: \nC: a\nC: {line}\nC: b\nC: .\nS: 250 ok"));
    raises(AnomalyKind::DotLineVariant, (Client, "b\r\n", "CRLF.LF"), &with(".<LF>"), &with(".."));
}

/// The server answers behind the dot line in bare LF, and the client goes on with a command.
#[test]
fn bare_lf_end_of_data() {
    let with = |line: &str| behind_rcpt(&format!("C: DATA\nS: 354 go\nC: \nC: a\nC: {line}\nS: 250 ok\n{MAIL}"));
    raises(AnomalyKind::BareLfEndOfData, (Client, "MAIL", "CRLF.LF"), &with(".<LF>"), &with("."));
}

/// RFC 5321 §4.1.1.4 and RFC 3030 §2: the message ends with the dot line, or with the last chunk.
#[test]
fn missing_end_of_data() {
    let data = |end: &str| behind_rcpt(&format!("C: DATA\nS: 354 go\nC: \nC: t\n{end}"));
    let place = (Client, "DATA", "5 octets of the message");
    raises(AnomalyKind::MissingEndOfData, place, &data("[close]"), &data("C: .\nS: 250 ok"));
    assert!(kinds_behind_opening(&data("[wait]")).is_empty(), "the capture ends before the connection");
    let place = (Client, "BDAT 9", "3 octets of the message");
    let chunk = |octets: u32| behind_rcpt(&format!("C: BDAT {octets} LAST\nC= abc\n[close]"));
    raises(AnomalyKind::MissingEndOfData, place, &chunk(9), &chunk(3));
}

/// RFC 3207 §4: TLS begins when the server has said 220 to STARTTLS.
#[test]
fn uninvited_tls() {
    let hello = "C= \\x16\\x03\\x01\\x00\\x02\\x01\\x00\nS: 500 what";
    raises(AnomalyKind::UninvitedTls, (Client, "\u{16}", ""), hello, "C: NOOP\nS: 250 ok");
}
