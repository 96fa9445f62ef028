//! Anomalies of replies, of extensions and of TLS. A test has the name of its kind.

use analysis::anomaly::AnomalyKind;

use super::anomalies::{kinds_behind_opening, raises, raises_alone};
use crate::dialogue_support::Role::{Client, Server};

/// RFC 5321 §4.2.1: "the reply code … must be the same on each line".
#[test]
fn mixed_reply_codes() {
    let (mixed, same) = ("C: HELP\nS: 214-a\nS: 250 b", "C: HELP\nS: 214-a\nS: 214 b");
    raises(AnomalyKind::MixedReplyCodes, (Server, "214-a", r"a\nb"), mixed, same);
}

/// RFC 5321 §4.2: `Reply-code = %x32-35 %x30-35 %x30-39`.
#[test]
fn reply_code_out_of_range() {
    raises(AnomalyKind::ReplyCodeOutOfRange, (Server, "650", "ok"), "C: NOOP\nS: 650 ok", "C: NOOP\nS: 550 no");
}

#[test]
fn invalid_reply() {
    let place = (Server, "hello", "hello");
    raises(AnomalyKind::InvalidReply, place, "C: NOOP\nS: hello\nS: 250 ok", "C: NOOP\nS: 250 hello");
}

#[test]
fn unterminated_reply() {
    raises(AnomalyKind::UnterminatedReply, (Server, "250 ok", "ok"), "C: NOOP\nS= 250 ok", "C: NOOP\nS: 250 ok");
    raises(AnomalyKind::UnterminatedReply, (Server, "25", "25"), "C: NOOP\nS= 25", "C: NOOP\nS: 250 ok");
}

#[test]
fn unsolicited_reply() {
    raises(AnomalyKind::UnsolicitedReply, (Server, "421", "421"), "S: 421 timeout", "C: NOOP\nS: 421 timeout");
}

/// RFC 5321 §4.3.2: DATA is answered 354, or refused; §4.1.1.9: NOOP is answered 250.
#[test]
fn unexpected_reply() {
    let data = |reply: &str| {
        format!("C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: DATA\nS: {reply}")
    };
    let place = (Server, "250 go", "250 go on");
    raises(AnomalyKind::UnexpectedReply, place, &data("250 go on"), &data("451 later"));
    assert_eq!(kinds_behind_opening("C: RSET\nS: 354 go"), ["unexpected_reply"]);
}

#[test]
fn reply_during_content() {
    let begin = "C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let (early, late) = ("C: Subject: x\nS: 552 no\nC: \nC: .", "C: Subject: x\nC: \nC: .\nS: 552 no");
    let (early, late) = (format!("{begin}{early}"), format!("{begin}{late}"));
    raises(AnomalyKind::ReplyDuringContent, (Server, "552", "552"), &early, &late);
}

/// RFC 2034 §4: the class of the enhanced code is the first digit of the reply code.
#[test]
fn enhanced_class_mismatch() {
    let (odd, right) = ("C: NOOP\nS: 250 5.0.0 ok", "C: NOOP\nS: 250 2.0.0 ok");
    raises(AnomalyKind::EnhancedClassMismatch, (Server, "250 5.0.0", "5.0.0 ok"), odd, right);
}

/// RFC 5321 §4.2: servers "SHOULD send the <SP> if subsequent text is not sent, but clients MUST be prepared for it to be
/// omitted".
#[test]
fn missing_reply_text() {
    raises(AnomalyKind::MissingReplyText, (Server, "250\r\n", ""), "C: NOOP\nS: 250", "C: NOOP\nS= 250 \\x0d\\x0a");
}

/// RFC 1870 §4: the parameter of SIZE is a number.
#[test]
fn invalid_extension() {
    let offer = |size: &str| format!("S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 SIZE {size}");
    let place = (Server, "250-mx", r"250 mx\nSIZE big");
    raises_alone(AnomalyKind::InvalidExtension, place, &offer("big"), &offer("1000"));
}

/// RFC 3207 §4: 220 is "Ready to start TLS".
#[test]
fn tls_rejected() {
    let tls = "C: STARTTLS\nS: 220 go\nC= \\x16\\x03\\x01\\x00\\x02\\x01\\x00";
    raises(AnomalyKind::TlsRejected, (Server, "454", "454 not now"), "C: STARTTLS\nS: 454 not now", tls);
}

/// RFC 821 §3.8: behind an OK reply to TURN the two sides change roles; 502 refuses.
#[test]
fn roles_reversed() {
    raises(AnomalyKind::RolesReversed, (Server, "250 now", "250"), "C: TURN\nS: 250 now you", "C: TURN\nS: 502 no");
}

/// What a server quotes of a password is not quoted again.
#[test]
fn secrets_are_not_shown_in_what_replies_say() {
    use crate::dialogue_support::{analyse, parse, play};
    let dialogue = "S: 220 mx ESMTP\nC: EHLO a\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 334 \nC: c2VjcmV0LXBhc3N3b3Jk
        S: 535-no c2VjcmV0LXBhc3N3b3Jk\nS: 501 c2VjcmV0LXBhc3N3b3Jk\nC: NOOP\nS: what c2VjcmV0LXBhc3N3b3Jk\nS: 250 ok\n[close]";
    let document = analyse(&[&play(&parse(dialogue))]).to_string();
    assert!(document.contains("mixed_reply_codes") && document.contains("invalid_reply"), "{document}");
    assert!(!document.contains("c2VjcmV0"), "{document}");
}

/// RFC 3207 §4: nothing may stand between STARTTLS and the handshake.
#[test]
fn octets_behind_starttls() {
    let injected = "C: STARTTLS\nC: AUTH PLAIN AGEAYg==\nS: 220 go";
    let tls = "C: STARTTLS\nS: 220 go\nC= \\x16\\x03\\x01\\x00\\x02\\x01\\x00";
    raises(AnomalyKind::OctetsBehindStarttls, (Client, "AUTH", "AUTH"), injected, tls);
}

/// RFC 3207 §4: after the 220 the client starts the TLS negotiation.
#[test]
fn plaintext_after_starttls() {
    let plain = "C: STARTTLS\nS: 220 go\nC: EHLO client.example\nS: 250 mx\nC: QUIT\nS: 221 bye";
    let tls = "C: STARTTLS\nS: 220 go\nC= \\x16\\x03\\x01\\x00\\x02\\x01\\x00";
    raises(AnomalyKind::PlaintextAfterStarttls, (Client, "EHLO client", "EHLO client.example"), plain, tls);
}
