//! Anomalies of single lines, and of what the capture lost. A test has the name of its kind.

use analysis::anomaly::AnomalyKind;

use super::anomalies::{kinds, kinds_behind_opening, raises};
use crate::dialogue_support::Role::{Client, Server};
use crate::dialogue_support::{analyse, parse, play};

/// RFC 5321 §2.3.8: "conforming implementations MUST NOT recognize or generate any other character or character sequence
/// as a line terminator".
#[test]
fn bare_lf() {
    raises(AnomalyKind::BareLf, (Client, "NOOP\n", "NOOP"), "C: NOOP<LF>\nS: 250 ok", "C: NOOP\nS: 250 ok");
    raises(AnomalyKind::BareLf, (Server, "250 ok\n", "ok"), "C: NOOP\nS: 250 ok<LF>", "C: NOOP\nS: 250 ok");
}

#[test]
fn repeated_cr() {
    let place = (Client, "NOOP\r\r\n", "NOOP");
    raises(
        AnomalyKind::RepeatedCr,
        place,
        r"C= NOOP\x0d\x0d\x0a
        S: 250 ok",
        "C: NOOP\nS: 250 ok",
    );
}

#[test]
fn bare_cr() {
    let place = (Client, "NOOP a\rb", r"NOOP a\rb");
    raises(
        AnomalyKind::BareCr,
        place,
        r"C= NOOP a\x0db\x0d\x0a
        S: 250 ok",
        "C: NOOP a b\nS: 250 ok",
    );
}

#[test]
fn nul_in_line() {
    let place = (Client, "NOOP a\0b", r"NOOP a\x00b");
    raises(
        AnomalyKind::NulInLine,
        place,
        r"C= NOOP a\x00b\x0d\x0a
        S: 250 ok",
        "C: NOOP a0b\nS: 250 ok",
    );
}

#[test]
fn line_too_long() {
    let line = |octets: usize| format!("C: MAIL FROM:<a@example.org> X={}\nS: 500 no", "x".repeat(octets));
    let detail = format!("MAIL FROM:<a@example.org> X={}", "x".repeat(36));
    raises(AnomalyKind::LineTooLong, (Client, "MAIL FROM", &detail), &line(70_000), &line(60_000));
}

/// RFC 5321 §4.5.3.1.4: "The maximum total length of a command line including the command word and the <CRLF> is 512
/// octets. SMTP extensions may be used to increase this limit."
#[test]
fn long_command_line() {
    let noop = |octets: usize| format!("C: NOOP {}\nS: 250 ok", "x".repeat(octets - "NOOP \r\n".len()));
    let detail = format!("NOOP {}", "x".repeat(59));
    raises(AnomalyKind::LongCommandLine, (Client, "NOOP x", &detail), &noop(513), &noop(512));
    let auth = format!("C: AUTH PLAIN {}\nS: 535 no", "A".repeat(1000));
    assert!(kinds_behind_opening(&auth).is_empty(), "RFC 4954 §4 lets AUTH be longer");
}

/// RFC 5321 §4.5.3.1.5: "The maximum total length of a reply line including the reply code and the <CRLF> is 512 octets."
#[test]
fn long_reply_line() {
    let reply = |octets: usize| format!("C: NOOP\nS: 250 {}", "x".repeat(octets - "250 \r\n".len()));
    raises(AnomalyKind::LongReplyLine, (Server, "250 x", &"x".repeat(64)), &reply(513), &reply(512));
    let lines = "S: 250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(20);
    assert!(kinds_behind_opening(&format!("C: HELP\n{lines}S: 250 end")).is_empty(), "many short lines");
}

/// RFC 5321 §4.1.1.2: `mail = "MAIL FROM:" Reverse-path`, without a blank.
#[test]
fn path_syntax() {
    let place = (Client, "MAIL FROM: <", "MAIL FROM: <a@example.org>");
    let (odd, right) = ("C: MAIL FROM: <a@example.org>\nS: 250 ok", "C: MAIL FROM:<a@example.org>\nS: 250 ok");
    raises(AnomalyKind::PathSyntax, place, odd, right);
}

/// RFC 3207 §4: STARTTLS has no parameters; RFC 5321 §4.1.1.9: NOOP may have one.
#[test]
fn invalid_argument() {
    let place = (Client, "STARTTLS", "STARTTLS now");
    let dialogue = "C: STARTTLS now\nS: 501 no";
    raises(AnomalyKind::InvalidArgument, place, dialogue, "C: NOOP now\nS: 250 ok");
    let size = "C: MAIL FROM:<a@example.org> SIZE=big\nS: 501 no";
    assert_eq!(kinds_behind_opening(size), ["invalid_argument"]);
}

/// RFC 3030 §2: `bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF`.
#[test]
fn invalid_bdat() {
    let bdat = |argument: &str, reply: &str| {
        format!(
            "C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: BDAT {argument}\nS: {reply}"
        )
    };
    let right = bdat("0 LAST", "250 ok");
    for argument in ["ten LAST", "0 LAST NOW", "18446744073709551616"] {
        let detail = format!("BDAT {argument}");
        raises(AnomalyKind::InvalidBdat, (Client, "BDAT", &detail), &bdat(argument, "501 no"), &right);
    }
}

#[test]
fn unknown_command() {
    let place = (Client, "XYZZY", "XYZZY plugh");
    raises(AnomalyKind::UnknownCommand, place, "C: XYZZY plugh\nS: 500 what", "C: HELP plugh\nS: 214 see RFC 5321");
}

/// RFC 5321 §2.3.8: lines end with CRLF; what does not is no command yet. What may be a password is not shown.
#[test]
fn unterminated_command() {
    let place = (Client, "QUIT", "QUIT");
    raises(AnomalyKind::UnterminatedCommand, place, "C= QUIT", "C: QUIT\nS: 221 bye");
    let login = "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC= Ym9i";
    raises(AnomalyKind::UnterminatedCommand, (Client, "Ym9i", "[redacted]"), login, "C: QUIT\nS: 221 bye");
}

/// RFC 4954 §4: "If the server cannot [BASE64] decode any client response, it MUST fail the AUTH command".
#[test]
fn invalid_sasl_response() {
    let place = (Client, "AUTH PLAIN", "AUTH [redacted]");
    let kind = AnomalyKind::InvalidSaslResponse;
    raises(kind, place, "C: AUTH PLAIN not!base64\nS: 501 no", "C: AUTH PLAIN =\nS: 535 no");
    let later = |response: &str| format!("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {response}\nS: 501 no");
    assert_eq!(kinds_behind_opening(&later("alice@example.org")), ["invalid_sasl_response"]);
    for response in ["YWxpY2U=", "YWxpY2U", "*"] {
        assert!(kinds_behind_opening(&later(response)).is_empty(), "{response}");
    }
}

#[test]
fn command_gap() {
    let place = (Client, "RSET", "6 octets");
    let (lost, whole) = ("c: RSET\nS: 250 ok\nC: NOOP\nS: 250 ok", "C: RSET\nS: 250 ok\nC: NOOP\nS: 250 ok");
    raises(AnomalyKind::CommandGap, place, lost, whole);
}

#[test]
fn content_gap() {
    let mail = |lost: char| {
        format!(
            "C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: DATA\nS: 354 go
             C: Subject: x\n{lost}: X-Lost: y\nC: \nC: t\nC: .\nS: 250 ok"
        )
    };
    raises(AnomalyKind::ContentGap, (Client, "X-Lost", "11 octets"), &mail('c'), &mail('C'));
}

#[test]
fn reply_gap() {
    let place = (Server, "250 lost", "10 octets");
    let (lost, whole) = ("C: NOOP\ns: 250 lost\nC: RSET\nS: 250 ok", "C: NOOP\nS: 250 lost\nC: RSET\nS: 250 ok");
    raises(AnomalyKind::ReplyGap, place, lost, whole);
}

/// The limit is 1,024 commands that await a reply.
#[test]
fn too_many_pending_commands() {
    let group = |commands: usize| format!("{}{}", "C: RSET\n".repeat(commands), "S: 250 ok\n".repeat(1024));
    let place = (Client, "RSET\r\n", "");
    raises(AnomalyKind::TooManyPendingCommands, place, &group(1025), &group(1024));
}

/// RFC 9293 §3.10.7.4: a receiver takes what it has not had; two versions of one octet come from no honest sender.
#[test]
fn conflicting_overlap() {
    let dialogue = "S: 220 mx ESMTP\nC: EHLO client.example\nS: 250 mx\nC: NOOP one\nS: 250 ok\n[close]";
    let packets = play(&parse(dialogue));
    let with_copy = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packets = packets.clone();
        let at = packets.iter().position(|packet| packet.data.ends_with(b"NOOP one\r\n")).expect("the packet");
        let mut copy = packets[at].clone();
        change(&mut copy.data);
        packets.insert(at + 1, copy);
        let document = analyse(&[&packets]);
        let session = document["sessions"].as_object().expect("sessions").values().next().expect("one").clone();
        session["anomalies"].as_array().expect("anomalies").clone()
    };
    let raised = with_copy(&|data| {
        let end = data.len() - 5;
        data[end] = b'O';
    });
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!((&raised[0]["kind"], &raised[0]["direction"]), (&"conflicting_overlap".into(), &"client".into()));
    assert!(with_copy(&|_| {}).is_empty(), "a copy that is equal");
}

/// What a session may say when nothing is wrong with it.
#[test]
fn a_session_in_order_has_no_anomaly() {
    let dialogue = "S: 220 mx ESMTP
        C: EHLO client.example
        S: 250-mx
        S: 250 PIPELINING
        C: MAIL FROM:<a@example.org>
        C: RCPT TO:<b@example.net>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: Subject: x
        C:
        C: t
        C: .
        C: MAIL FROM:<a@example.org>
        C: RCPT TO:<b@example.net>
        C: QUIT
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 221 bye";
    assert!(kinds(dialogue).is_empty());
    let not_offered = dialogue.replace("S: 250 PIPELINING", "S: 250 HELP");
    // One for each group: behind the first MAIL, and behind the message.
    assert_eq!(kinds(&not_offered), ["unannounced_pipelining"; 2]);
}
