//! RFC 4954, sections 4 to 6, and the example of RFC 2554 that they replaced.

use serde_json::json;

use crate::dialogue_support::expect;

/// §4.1: AUTH PLAIN with an initial response. `test`, `test`, `1234` is the authorization identity, the authentication
/// identity and the password (RFC 4616).
#[test]
fn plain_with_initial_response() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-smtp.example.com Hello client.example.com
         S: 250 AUTH GSSAPI DIGEST-MD5 PLAIN
         C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
         S: 235 2.7.0 Authentication successful
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "extensions": [{"keyword": "AUTH", "parameters": ["GSSAPI", "DIGEST-MD5", "PLAIN"]}],
            "verbs": "EHLO AUTH QUIT", "replies": "220/- 250/0 235/1 221/2",
            "auth": [{
                "mechanism": "PLAIN", "username": "test", "authorization_id": "test", "outcome": "success", "code": "235",
            }],
            "auth_attempts": 1, "authenticated": true, "kinds": [],
            "responses": [{}, {}, {"enhanced_code": "2.7.0"}, {"enhanced_code": null}],
        }),
        &json!([]),
    );
}

/// The same where the client waits for the server's empty challenge. The line it sends is no command.
#[test]
fn plain_without_initial_response() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-mx
         S: 250 AUTH PLAIN
         C: AUTH PLAIN
         S: 334\x20
         C: dGVzdAB0ZXN0ADEyMzQ=
         S: 235 2.7.0 Authentication successful
         [close]",
        &json!({
            "verbs": "EHLO AUTH", "replies": "220/- 250/0 334/1 235/1",
            "auth": [{"mechanism": "PLAIN", "username": "test", "outcome": "success", "code": "235"}], "kinds": [],
        }),
        &json!([]),
    );
}

/// §4.1: a client that attempts an AUTH with CRAM-MD5.
#[test]
fn cram_md5() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-smtp.example.com Hello client.example.com
         S: 250 AUTH CRAM-MD5
         C: AUTH CRAM-MD5
         S: 334 PDQxOTI5NDIzNDEuMTI4Mjg0NzJAc291cmNlZm91ci5hbmRyZXcuY211LmVkdT4=
         C: cmpzMyBlYzNhNTlmZWQzOTVhYmExZWM2MzY3YzRmNGI0MWFjMA==
         S: 235 2.7.0 Authentication successful
         [close]",
        &json!({
            "verbs": "EHLO AUTH", "replies": "220/- 250/0 334/1 235/1", "authenticated": true,
            "auth": [{
                "mechanism": "CRAM-MD5", "username": "rjs3", "authorization_id": null, "outcome": "success", "code": "235",
            }],
            "kinds": [],
        }),
        &json!([]),
    );
}

/// RFC 2554 §4: a mechanism the server does not know, then one it does.
#[test]
fn unknown_mechanism_then_cram_md5() {
    expect(
        "S: 220 smtp.example.com ESMTP server ready
         C: EHLO jgm.example.com
         S: 250-smtp.example.com
         S: 250 AUTH CRAM-MD5 DIGEST-MD5
         C: AUTH FOOBAR
         S: 504 Unrecognized authentication type.
         C: AUTH CRAM-MD5
         S: 334 PENCeUxFREJoU0NnbmhNWitOMjNGNndAZWx3b29kLmlubm9zb2Z0LmNvbT4=
         C: ZnJlZCA5ZTk1YWVlMDljNDBhZjJiODRhMGMyYjNiYmFlNzg2ZQ==
         S: 235 Authentication successful.
         [close]",
        &json!({
            "verbs": "EHLO AUTH AUTH", "replies": "220/- 250/0 504/1 334/2 235/2",
            "auth": [
                {"mechanism": "FOOBAR", "username": null, "outcome": "failure", "code": "504"},
                {"mechanism": "CRAM-MD5", "username": "fred", "outcome": "success", "code": "235"},
            ],
            "auth_attempts": 2, "authenticated": true,
        }),
        &json!([]),
    );
}

/// §4: the client cancels with a line of a single `*`, the server rejects the AUTH with 501.
#[test]
fn cancelled_then_tried_again() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-mx
         S: 250 AUTH CRAM-MD5 PLAIN
         C: AUTH CRAM-MD5
         S: 334 PDQxOTI5NDIzNDEuMTI4Mjg0NzJAc291cmNlZm91ci5hbmRyZXcuY211LmVkdT4=
         C: *
         S: 501 5.7.0 Authentication cancelled
         C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
         S: 535 5.7.8 Authentication credentials invalid
         C: MAIL FROM:<a@a>
         S: 530 5.7.0 Authentication required
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO AUTH AUTH MAIL QUIT", "replies": "220/- 250/0 334/1 501/1 535/2 530/3 221/4",
            "auth": [
                {"mechanism": "CRAM-MD5", "outcome": "aborted", "code": "501"},
                {"mechanism": "PLAIN", "username": "test", "outcome": "failure", "code": "535"},
            ],
            "auth_attempts": 2, "authenticated": false, "kinds": [],
        }),
        &json!([{"mail_from": "a@a", "outcome": "rejected", "final": "530"}]),
    );
}

/// The connection ends between challenge and response.
#[test]
fn never_answered() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-mx
         S: 250 AUTH CRAM-MD5
         C: AUTH CRAM-MD5
         S: 334 PDQxOTI5NDIzNDEuMTI4Mjg0NzJAc291cmNlZm91ci5hbmRyZXcuY211LmVkdT4=
         [close]",
        &json!({
            "verbs": "EHLO AUTH", "authenticated": false,
            "auth": [{"mechanism": "CRAM-MD5", "username": null, "outcome": "unknown", "code": null}],
        }),
        &json!([]),
    );
}

/// §5: the AUTH parameter of MAIL, an xtext.
#[test]
fn parameter_of_mail() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-mx
         S: 250 AUTH PLAIN
         C: MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com
         S: 250 OK
         C: MAIL FROM:<john@example.com> AUTH=<>
         S: 503 nested MAIL
         [close]",
        &json!({"verbs": "EHLO MAIL MAIL", "kinds": ["nested_mail"]}),
        &json!([{"mail_from": "e=mc2@example.com", "mail_parameters": {"AUTH": "e+3Dmc2@example.com"}}]),
    );
}

/// Nothing that was said in secret is printed.
#[test]
fn secrets_are_not_printed() {
    use crate::dialogue_support::{analyse, parse, play};
    let script = "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 AUTH LOGIN PLAIN
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: am9l
         S: 334 UGFzc3dvcmQ6
         C: c2VjcmV0LXdvcmQ=
         S: 535 5.7.8 no
         C: AUTH PLAIN AGpvZQBzZWNyZXQtd29yZA==
         S: 504 no
         C: AGpvZQBzZWNyZXQtd29yZA==
         S: 500 what
         [close]";
    let printed = analyse(&[&play(&parse(script))]).to_string();
    assert!(printed.contains("\"joe\""), "the name is no secret");
    for secret in ["c2VjcmV0LXdvcmQ=", "secret-word", "AGpvZQBzZWNyZXQtd29yZA=="] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

/// §4: "Otherwise, the server … issues a 235 response". Another 2yz is none of its replies, and says nothing of success.
#[test]
fn a_250_is_no_success() {
    expect(
        "S: 220 smtp.example.com ESMTP Server
         C: EHLO client.example.com
         S: 250-mx
         S: 250 AUTH PLAIN
         C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "replies": "220/- 250/0 250/1 221/2", "kinds": ["unexpected_reply"], "authenticated": false,
            "auth": [{"mechanism": "PLAIN", "username": "test", "outcome": "unknown", "code": "250"}],
        }),
        &json!([]),
    );
}
