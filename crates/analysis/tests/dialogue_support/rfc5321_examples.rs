//! RFC 5321, appendix D.

use serde_json::json;

use crate::dialogue_support::expect;

/// D.1, "A Typical SMTP Transaction Scenario". The second line of the message is sent with the dot that §4.5.2 wants
/// before its first one.
#[test]
fn d1_a_typical_transaction() {
    expect(
        "S: 220 foo.com Simple Mail Transfer Service Ready
         C: EHLO bar.com
         S: 250-foo.com greets bar.com
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250-DSN
         S: 250 HELP
         C: MAIL FROM:<Smith@bar.com>
         S: 250 OK
         C: RCPT TO:<Jones@foo.com>
         S: 250 OK
         C: RCPT TO:<Green@foo.com>
         S: 550 No such user here
         C: RCPT TO:<Brown@foo.com>
         S: 250 OK
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Blah blah blah...
         C: ....etc. etc. etc.
         C: .
         S: 250 OK
         C: QUIT
         S: 221 foo.com Service closing transmission channel
         [close by server]",
        &json!({
            "client_ip": "192.0.2.1", "client_port": 40000, "server_ip": "198.51.100.25", "server_port": 25,
            "directions": "both", "start": "handshake", "end": "closed",
            "greeting": {"code": "220", "parameter": "foo.com Simple Mail Transfer Service Ready"},
            "helo": "bar.com", "helo_verb": "EHLO",
            "extensions": [
                {"keyword": "8BITMIME", "parameters": []},
                {"keyword": "SIZE", "parameters": []},
                {"keyword": "DSN", "parameters": []},
                {"keyword": "HELP", "parameters": []},
            ],
            "verbs": "EHLO MAIL RCPT RCPT RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 550/3 250/4 354/5 250/5 221/6",
            "auth": [], "auth_attempts": 0, "authenticated": false, "starttls": null, "uses_tls": false, "tls": null,
            "transaction_count": 1, "anomalies": [],
        }),
        &json!([{
            "session": "192.0.2.1:40000-198.51.100.25:25",
            "mail_from": "Smith@bar.com", "mail_parameters": {},
            "rcpt_to": ["Jones@foo.com", "Green@foo.com", "Brown@foo.com"],
            "recipients": [
                {"address": "Jones@foo.com", "outcome": "accepted", "code": "250", "enhanced_code": null, "parameter": "OK", "parameters": {}},
                {"address": "Green@foo.com", "outcome": "rejected", "code": "550", "parameter": "No such user here"},
                {"address": "Brown@foo.com", "outcome": "accepted", "code": "250"},
            ],
            "has_data": true, "via": "DATA", "outcome": "accepted", "completed": true,
            "final_response": {"code": "250", "enhanced_code": null, "parameter": "OK"},
            "message": {"bytes": 38, "wire_bytes": 42, "complete": true},
            "verbs": "MAIL RCPT RCPT RCPT DATA", "replies": "250/0 250/1 550/2 250/3 354/4 250/4",
        }]),
    );
}

/// D.2, "Aborted SMTP Transaction Scenario".
#[test]
fn d2_an_aborted_transaction() {
    expect(
        "S: 220 foo.com Simple Mail Transfer Service Ready
         C: EHLO bar.com
         S: 250-foo.com greets bar.com
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250-DSN
         S: 250 HELP
         C: MAIL FROM:<Smith@bar.com>
         S: 250 OK
         C: RCPT TO:<Jones@foo.com>
         S: 250 OK
         C: RCPT TO:<Green@foo.com>
         S: 550 No such user here
         C: RSET
         S: 250 OK
         C: QUIT
         S: 221 foo.com Service closing transmission channel
         [close by server]",
        &json!({
            "helo": "bar.com", "verbs": "EHLO MAIL RCPT RCPT RSET QUIT",
            "replies": "220/- 250/0 250/1 250/2 550/3 250/4 221/5", "kinds": [],
        }),
        &json!([{
            "mail_from": "Smith@bar.com", "rcpts": ["Jones@foo.com accepted 250", "Green@foo.com rejected 550"],
            "has_data": false, "via": null, "outcome": "aborted", "completed": false, "final_response": null,
            "queue_id": null, "message": null,
        }]),
    );
}

/// D.3, "Relayed Mail Scenario", step 1.
#[test]
fn d3_relayed_mail() {
    expect(
        "S: 220 foo.com Simple Mail Transfer Service Ready
         C: EHLO bar.com
         S: 250-foo.com greets bar.com
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250-DSN
         S: 250 HELP
         C: MAIL FROM:<JQP@bar.com>
         S: 250 OK
         C: RCPT TO:<Jones@XYZ.COM>
         S: 250 OK
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Date: Thu, 21 May 1998 05:33:29 -0700
         C: From: John Q. Public <JQP@bar.com>
         C: Subject: The Next Meeting of the Board
         C: To: Jones@xyz.com
         C:
         C: Bill:
         C: The next meeting of the board of directors will be
         C: on Tuesday.
         C: John.
         C: .
         S: 250 OK
         C: QUIT
         S: 221 foo.com Service closing transmission channel
         [close by server]",
        &json!({"verbs": "EHLO MAIL RCPT DATA QUIT", "replies": "220/- 250/0 250/1 250/2 354/3 250/3 221/4", "kinds": []}),
        &json!([{
            "mail_from": "JQP@bar.com", "rcpts": ["Jones@XYZ.COM accepted 250"], "outcome": "accepted", "final": "250",
            // 39 + 36 + 40 + 19 + 2 octets of header, 7 + 52 + 13 + 7 of body, line ends included.
            "message": {
                "bytes": 215, "complete": true, "subject": "The Next Meeting of the Board",
                "from": [{"name": "John Q. Public", "address": "JQP@bar.com"}],
                "to": [{"name": null, "address": "Jones@xyz.com"}],
            },
        }]),
    );
}

/// D.4, "Verifying and Sending Scenario".
#[test]
fn d4_verifying_and_sending() {
    expect(
        "S: 220 foo.com Simple Mail Transfer Service Ready
         C: EHLO bar.com
         S: 250-foo.com greets bar.com
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250-DSN
         S: 250-VRFY
         S: 250 HELP
         C: VRFY Crispin
         S: 250 Mark Crispin <Admin.MRC@foo.com>
         C: MAIL FROM:<EAK@bar.com>
         S: 250 OK
         C: RCPT TO:<Admin.MRC@foo.com>
         S: 250 OK
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Blah blah blah...
         C: ....etc. etc. etc.
         C: .
         S: 250 OK
         C: QUIT
         S: 221 foo.com Service closing transmission channel
         [close by server]",
        &json!({
            "verbs": "EHLO VRFY MAIL RCPT DATA QUIT",
            "replies": "220/- 250/0 250/1 250/2 250/3 354/4 250/4 221/5", "kinds": [],
        }),
        &json!([{
            "mail_from": "EAK@bar.com", "rcpts": ["Admin.MRC@foo.com accepted 250"], "outcome": "accepted",
            "verbs": "MAIL RCPT DATA", "replies": "250/0 250/1 354/2 250/2", "bytes": 38,
        }]),
    );
}

/// §3.6.1 and appendix C: a source route is not part of the mailbox. §4.5.5: `<>` is the null reverse-path.
#[test]
fn source_routes_and_the_null_reverse_path() {
    expect(
        "S: 220 foo.com ESMTP
         C: HELO bar.com
         S: 250 foo.com
         C: MAIL FROM:<>
         S: 250 OK
         C: RCPT TO:<@hosta.int,@jkl.org:userc@d.bar.org>
         S: 250 OK
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"helo": "bar.com", "helo_verb": "HELO", "extensions": []}),
        &json!([{"mail_from": "", "rcpt_to": ["userc@d.bar.org"], "outcome": "aborted"}]),
    );
}
