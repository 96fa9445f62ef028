//! RFC 4954 §9: what a client sends for AUTH is confidential, also where client, server or capture go astray.

use super::dialogue_support::{analyse, parse, play};

/// `secret-password` in base64.
const SECRET: &str = "c2VjcmV0LXBhc3N3b3Jk";

#[track_caller]
fn never_shows_it(dialogue: &str) {
    let script = format!(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 AUTH PLAIN LOGIN
         {}
         C: QUIT
         S: 221 bye
         [close]",
        dialogue.replace("SECRET", SECRET)
    );
    let document = analyse(&[&play(&parse(&script))]).to_string();
    assert!(document.contains("QUIT"), "the session was read: {document}");
    assert!(!document.contains(SECRET), "{document}");
}

#[test]
fn the_client_goes_on_after_a_refused_auth() {
    never_shows_it("C: AUTH LOGIN\n S: 535 no\n C: dXNlcg==\n S: 500 what\n C: SECRET\n S: 500 what");
}

#[test]
fn lines_end_in_a_bare_lf() {
    never_shows_it("C: AUTH LOGIN\n S: 535 no\n C: SECRET<LF>\n S: 500 what");
}

#[test]
fn auth_is_written_wrong() {
    for line in [
        "AUTH SECRET",
        "AUTH PLAIN:SECRET",
        "AUTH PLAIN=SECRET",
        "AUTHPLAIN SECRET",
        "AUTH=PLAIN SECRET",
        "PASS SECRET",
    ] {
        never_shows_it(&format!("C: {line}\n S: 501 what"));
    }
}

#[test]
fn the_server_quotes_it() {
    never_shows_it("C: AUTH LOGIN\n S: 535 no\n C: SECRET\n S: 500 unrecognized \"SECRET\"");
}

#[test]
fn the_auth_command_is_not_in_the_capture() {
    never_shows_it("c: AUTH LOGIN\n S: 334 VXNlcm5hbWU6\n C: dXNlcg==\n S: 334 UGFzc3dvcmQ6\n C: SECRET\n S: 235 ok");
}

#[test]
fn a_challenge_is_not_in_the_capture() {
    never_shows_it("C: AUTH LOGIN\n s: 334 VXNlcm5hbWU6\n C: dXNlcg==\n S: 334 UGFzc3dvcmQ6\n C: SECRET\n S: 235 ok");
    never_shows_it("C: AUTH LOGIN\n s: 334 VXNlcm5hbWU6\n C: dXNlcg==\n s: 334 UGFzc3dvcmQ6\n C: SECRET\n S: 235 ok");
}

#[test]
fn auth_and_all_challenges_are_not_in_the_capture() {
    never_shows_it("c: AUTH LOGIN\n s: 334 VXNlcm5hbWU6\n C: dXNlcg==\n s: 334 UGFzc3dvcmQ6\n C: SECRET\n S: 235 ok");
    let picked_up =
        format!("C: dXNlcg==\nC: {SECRET}\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nC: QUIT\n[close]");
    let document = analyse(&[&play(&parse(&format!("[midstream]\n{picked_up}")))]).to_string();
    assert!(document.contains("MAIL") && !document.contains(SECRET), "{document}");
}

#[test]
fn auth_is_misspelt_or_left_out() {
    for line in ["AUHT PLAIN SECRET", "LOGIN joe SECRET", "ATUH LOGIN secret-password", "login joe secret-password"] {
        let line = line.replace("secret-password", "SECRET");
        never_shows_it(&format!("C: {line}\n S: 500 what"));
    }
}

#[test]
fn something_stands_between_the_lines() {
    never_shows_it("C: AUTH LOGIN\n S: 535 no\n C: NOOP\n S: 250 ok\n C: SECRET\n S: 500 what");
}

/// What the client encoded is quoted as the server decoded it.
#[test]
fn the_server_quotes_what_it_has_decoded() {
    const DECODED: &str = "secret-password";
    for dialogue in [
        "C: AUTH PLAIN AGpvZQBzZWNyZXQtcGFzc3dvcmQ=",
        "C: AUTH LOGIN\n S: 334 VXNlcm5hbWU6\n C: am9l\n S: 334 UGFzc3dvcmQ6\n C: c2VjcmV0LXBhc3N3b3Jk",
    ] {
        let script = format!(
            "S: 220 mx ESMTP\n C: EHLO a\n S: 250 AUTH PLAIN LOGIN\n {dialogue}\n S: 535 joe/{DECODED} is wrong\n [close]"
        );
        let document = analyse(&[&play(&parse(&script))]).to_string();
        assert!(document.contains("joe/[redacted] is wrong") && !document.contains(DECODED), "{document}");
    }
}
