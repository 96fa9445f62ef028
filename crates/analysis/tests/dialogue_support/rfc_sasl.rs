//! The SASL mechanisms seen with SMTP, each from its RFC or its maker's description.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::dialogue_support::expect;

/// One exchange: what follows the verb, then challenges and responses before base64, then the reply that decides.
struct Exchange<'a> {
    mechanism: &'a str,
    initial: Option<&'a [u8]>,
    /// Challenge and response.
    rounds: &'a [(&'a [u8], &'a [u8])],
    reply: &'a str,
}

impl Exchange<'_> {
    /// The dialogue has this exchange and nothing out of the ordinary.
    #[track_caller]
    fn shows(&self, expected: &Value) {
        self.shows_behind("AUTH", expected);
    }

    #[track_caller]
    fn shows_behind(&self, verb: &str, expected: &Value) {
        let encoded = |octets: &[u8]| if octets.is_empty() { String::new() } else { BASE64.encode(octets) };
        let initial = self.initial.map_or_else(String::new, |response| format!(" {}", BASE64.encode(response)));
        let rounds: Vec<String> = self
            .rounds
            .iter()
            .map(|(challenge, response)| format!("S: 334 {}\nC: {}", encoded(challenge), encoded(response)))
            .collect();
        let Self { mechanism, reply, .. } = self;
        let script = format!(
            "S: 220 smtp.example.com ESMTP\nC: EHLO client.example.com\nS: 250-smtp.example.com\nS: 250 {verb} {mechanism}
             C: {verb} {mechanism}{initial}\n{}\nS: {reply}\nC: QUIT\nS: 221 bye\n[close]",
            rounds.join("\n")
        );
        let succeeded = reply.starts_with("235");
        expect(
            &script,
            &json!({
                "verbs": format!("EHLO {verb} QUIT"), "auth": [expected], "auth_attempts": 1, "authenticated": succeeded,
                "kinds": [],
            }),
            &json!([]),
        );
    }
}

const YES: &str = "235 2.7.0 Authentication successful";
const NO: &str = "535 5.7.8 Authentication credentials invalid";

/// draft-murchison-sasl-login: the server asks for the user name and for the password.
#[test]
fn login_with_and_without_initial_response() {
    let expected = json!({
        "mechanism": "LOGIN", "username": "tim", "authorization_id": null, "outcome": "success", "code": "235",
    });
    let (user, password) = ((&b"User Name\0"[..], &b"tim"[..]), (&b"Password\0"[..], &b"tanstaaf"[..]));
    Exchange { mechanism: "LOGIN", initial: None, rounds: &[user, password], reply: YES }.shows(&expected);
    Exchange { mechanism: "LOGIN", initial: Some(b"tim"), rounds: &[password], reply: YES }.shows(&expected);
}

/// RFC 4616 §4, the second example.
#[test]
fn plain_with_an_authorization_identity() {
    Exchange { mechanism: "PLAIN", initial: Some(b"Ursel\0Kurt\0xipj3plmq"), rounds: &[], reply: NO }.shows(&json!({
        "mechanism": "PLAIN", "username": "Kurt", "authorization_id": "Ursel", "outcome": "failure", "code": "535",
    }));
}

/// RFC 2195 §2, its example.
#[test]
fn cram_md5() {
    let round = (&b"<1896.697170952@postoffice.reston.mci.net>"[..], &b"tim b913a602c7eda7a495b4e6e7334d3890"[..]);
    Exchange { mechanism: "CRAM-MD5", initial: None, rounds: &[round], reply: YES }.shows(&json!({
        "mechanism": "CRAM-MD5", "username": "tim", "authorization_id": null, "outcome": "success",
    }));
}

/// RFC 2831 §4, in SMTP as RFC 4954 §4.3 has it: the response to `rspauth` is empty.
#[test]
fn digest_md5() {
    let challenge =
        b"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";
    let response = b"charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,\
        cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",response=d388dad90d4bbd760a152321f2143af7,qop=auth";
    let rounds = [(&challenge[..], &response[..]), (b"rspauth=ea40f60335c427b5527b84dbabcdfffd", b"")];
    Exchange { mechanism: "DIGEST-MD5", initial: None, rounds: &rounds, reply: YES }.shows(&json!({
        "mechanism": "DIGEST-MD5", "username": "chris", "authorization_id": null, "domain": "elwood.innosoft.com",
        "outcome": "success",
    }));
}

/// RFC 5802 §5 and RFC 7677 §3; SHA-512 as draft-melnikov-scram-sha-512 names it, with the messages of SHA-256.
#[test]
fn scram() {
    let sha_1: [&[u8]; 4] = [
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ];
    let sha_256: [&[u8]; 4] = [
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ];
    for (mechanism, [first, challenge, last, verifier]) in
        [("SCRAM-SHA-1", sha_1), ("SCRAM-SHA-256", sha_256), ("SCRAM-SHA-512", sha_256)]
    {
        let expected = json!({
            "mechanism": mechanism, "username": "user", "authorization_id": null, "outcome": "success", "code": "235",
        });
        let rounds = [(challenge, last), (verifier, b"")];
        Exchange { mechanism, initial: Some(first), rounds: &rounds, reply: YES }.shows(&expected);
        let rounds = [(&b""[..], first), (challenge, last), (verifier, b"")];
        Exchange { mechanism, initial: None, rounds: &rounds, reply: YES }.shows(&expected);
    }
}

/// RFC 5802 §6 and §7: `-PLUS` binds to the channel, `a=` is the authorization identity, `=2C` a comma.
#[test]
fn scram_plus() {
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"] {
        let first = b"p=tls-server-end-point,a=admin,n=a=2Cb,r=fyko+d2lbbFgONRv9qkxdawL";
        let rounds = [(
            &b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096"[..],
            &b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfc,p=v0X8v3Bz"[..],
        )];
        Exchange { mechanism, initial: Some(first), rounds: &rounds, reply: NO }.shows(&json!({
            "mechanism": mechanism, "username": "a,b", "authorization_id": "admin", "outcome": "failure", "code": "535",
        }));
    }
}

/// Davenport, "The NTLM Authentication Protocol": the first message, and a third one of an OEM client.
const NTLM_FIRST: &[u8] =
    b"NTLMSSP\0\x01\0\0\0\x07\x32\0\0\x06\0\x06\0\x2b\0\0\0\x0b\0\x0b\0\x20\0\0\0WORKSTATIONDOMAIN";
const NTLM_SECOND: &[u8] = b"NTLMSSP\0\x02\0\0\0\x0c\0\x0c\0\x30\0\0\0\x01\x02\x81\0\x01\x23\x45\x67\x89\xab\xcd\xef";
const NTLM_THIRD: &[u8] = b"NTLMSSP\0\x03\0\0\0\0\0\0\0\x34\0\0\0\0\0\0\0\x34\0\0\0\x03\0\x03\0\x34\0\0\0\
    \x04\0\x04\0\x37\0\0\0\x02\0\x02\0\x3b\0\0\0DOMuserWS";

/// [MS-SMTPNTLM] §4: two messages of the client; where the mechanism stands alone, behind `334 ntlm supported`.
#[test]
fn ntlm() {
    let rounds = [(&b""[..], NTLM_FIRST), (NTLM_SECOND, NTLM_THIRD)];
    Exchange { mechanism: "NTLM", initial: None, rounds: &rounds, reply: YES }.shows(&json!({
        "mechanism": "NTLM", "username": "user", "domain": "DOM", "workstation": "WS", "outcome": "success",
    }));
    // Refused behind the first message, which names the machine already.
    Exchange { mechanism: "NTLM", initial: Some(NTLM_FIRST), rounds: &[], reply: NO }.shows(&json!({
        "mechanism": "NTLM", "username": null, "domain": "DOMAIN", "workstation": "WORKSTATION", "outcome": "failure",
    }));
}

/// RFC 4178 §4.2 puts NTLM's messages into tokens; Exchange's X-EXPS is AUTH.
#[test]
fn ntlm_inside_gssapi() {
    let inside = |message: &[u8]| [b"\x60\x82\x01\x01\x06\x06\x2b\x06\x01\x05\x05\x02", message].concat();
    let (first, third) = (inside(NTLM_FIRST), inside(NTLM_THIRD));
    let rounds = [(NTLM_SECOND, third.as_slice())];
    for (verb, mechanism) in [("AUTH", "GSSAPI"), ("AUTH", "GSS-SPNEGO"), ("X-EXPS", "GSSAPI"), ("X-EXPS", "NTLM")] {
        let expected = json!({
            "mechanism": mechanism, "username": "user", "domain": "DOM", "workstation": "WS", "outcome": "success",
        });
        Exchange { mechanism, initial: Some(&first), rounds: &rounds, reply: YES }.shows_behind(verb, &expected);
    }
}

/// RFC 4752 §3.1: a token, an empty response, and the security layer with the authorization identity, in RFC 4121's token.
#[test]
fn gssapi() {
    let last = b"\x05\x04\x04\xff\0\x0c\0\0\0\0\0\0\0\0\0\x01\x01\0\0\0fredchecksum-12-";
    let rounds = [(&b"\x60\x06server"[..], &b""[..]), (b"\x05\x04\x05\xff\0\x0c\0\0server", last)];
    Exchange { mechanism: "GSSAPI", initial: Some(b"\x60\x82\x02\x01AP-REQ"), rounds: &rounds, reply: YES }.shows(
        &json!({
            "mechanism": "GSSAPI", "username": null, "authorization_id": "fred", "domain": null, "outcome": "success",
        }),
    );
}

/// Google's "OAuth 2.0 Mechanism": a success, and a failure, where the server explains itself by a challenge and the client
/// answers with an empty response.
#[test]
fn xoauth2() {
    let initial =
        Some(&b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"[..]);
    let named = |outcome: &str, code: &str| json!({"mechanism": "XOAUTH2", "username": "someuser@example.com", "outcome": outcome, "code": code});
    let mechanism = "XOAUTH2";
    Exchange { mechanism, initial, rounds: &[], reply: "235 2.7.0 Accepted" }.shows(&named("success", "235"));
    let error = b"{\"status\":\"401\",\"schemes\":\"bearer mac\",\"scope\":\"https://mail.google.com/\"}\n";
    let rounds = [(&error[..], &b""[..])];
    let reply = "535-5.7.1 Username and Password not accepted. Learn more at\nS: 535 5.7.1 https://support.google.com";
    Exchange { mechanism, initial, rounds: &rounds, reply }.shows(&named("failure", "535"));
}

/// RFC 7628 §4.3's failure in SMTP: the client answers the error with ^A, and that is no cancellation.
#[test]
fn oauthbearer() {
    let initial = b"n,a=user@example.com,\x01host=server.example.com\x01port=587\x01\
        auth=Bearer vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01";
    let error = b"{\"status\":\"invalid_token\",\"schemes\":\"bearer mac\",\"scope\":\"https://mail.example.com/\"}";
    let reply = "535-5.7.1 Username and Password not accepted. Learn more at\nS: 535 5.7.1 http://support.example.com/mail/oauth";
    let rounds = [(&error[..], &b"\x01"[..])];
    Exchange { mechanism: "OAUTHBEARER", initial: Some(initial), rounds: &rounds, reply }.shows(&json!({
        "mechanism": "OAUTHBEARER", "username": "user@example.com", "authorization_id": "user@example.com",
        "outcome": "failure", "code": "535",
    }));
}

/// RFC 4422 appendix A.1, with an authorization identity and without one, which RFC 4954 §4 writes `=`.
#[test]
fn external() {
    let expected = |name: Value| json!({"mechanism": "EXTERNAL", "username": null, "authorization_id": name, "outcome": "success"});
    let mechanism = "EXTERNAL";
    Exchange { mechanism, initial: Some(b"fred@example.com"), rounds: &[], reply: YES }
        .shows(&expected(json!("fred@example.com")));
    Exchange { mechanism: "EXTERNAL =", initial: None, rounds: &[], reply: YES }.shows(&expected(Value::Null));
}

/// RFC 4505 §3: the trace information of its example.
#[test]
fn anonymous() {
    let round = (&b""[..], &b"sirhc"[..]);
    Exchange { mechanism: "ANONYMOUS", initial: None, rounds: &[round], reply: YES }.shows(&json!({
        "mechanism": "ANONYMOUS", "username": null, "authorization_id": null, "trace": "sirhc", "outcome": "success",
    }));
}

/// RFC 4954 §6: 454 and 432 are for later, 534 and 538 for good; each is a failure.
#[test]
fn every_refusal_is_a_failure() {
    for reply in
        ["432 4.7.12 transition", "454 4.7.0 later", "500 5.5.6 too long", "534 5.7.9 weak", "538 5.7.11 no TLS"]
    {
        let code = reply.split(' ').next();
        Exchange { mechanism: "PLAIN", initial: Some(b"\0tim\0tanstaaf"), rounds: &[], reply }
            .shows(&json!({"mechanism": "PLAIN", "username": "tim", "outcome": "failure", "code": code}));
    }
}

/// The connection ends: before a reply to the credentials, and before one to the cancellation.
#[test]
fn the_end_of_the_connection() {
    for (response, outcome) in [("AHRpbQB0YW5zdGFhZg==", "unknown"), ("*", "aborted")] {
        expect(
            &format!(
                "S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 334\x20\nC: {response}\n[close]"
            ),
            &json!({"verbs": "EHLO AUTH", "auth": [{"outcome": outcome, "code": null}], "authenticated": false}),
            &json!([]),
        );
    }
}

/// Where only the client's side was captured, the mechanism says how many of its lines are responses.
#[test]
fn the_client_alone() {
    let last = BASE64.encode(b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    let scram = BASE64.encode(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    for (mechanism, lines) in [
        ("PLAIN", vec!["AHRpbQB0YW5zdGFhZg=="]),
        ("LOGIN", vec!["dGlt", "dGFuc3RhYWY="]),
        ("SCRAM-SHA-1", vec![&scram, &last, ""]),
        ("GSSAPI", vec!["YIICAQ==", "", "BQQE/w=="]),
        ("GSS-SPNEGO", vec!["YIICAQ==", "oYIBAQ=="]),
    ] {
        let lines: Vec<String> = lines.iter().map(|line| format!("--\nC: {line}\n")).collect();
        let padding = "--\nC: NOOP\n".repeat(9_000);
        let script = format!(
            "[midstream]\nC: EHLO a\n--\nC: AUTH {mechanism}\n{}--\nC: MAIL FROM:<a@a>\n--\nC: RCPT TO:<b@b>\n--\nC: RSET\n{padding}",
            lines.concat()
        );
        let document = crate::dialogue_support::analyse(&[&crate::dialogue_support::play(
            &crate::dialogue_support::parse(&script),
        )]);
        let session = document["sessions"].as_object().expect("sessions").values().next().expect("one session");
        let verbs: Vec<&str> = session["commands"]
            .as_array()
            .expect("commands")
            .iter()
            .filter_map(|line| line["command"].as_str())
            .collect();
        assert_eq!(verbs.get(..5), Some(&["EHLO", "AUTH", "MAIL", "RCPT", "RSET"][..]), "{mechanism}");
    }
}
