//! What extensions put behind the path: RFC 3461 (DSN), RFC 6531 (internationalized addresses), RFC 1870 (SIZE).

use serde_json::json;

use crate::dialogue_support::expect;

/// RFC 3461 §10.1, the submission of its example.
#[test]
fn delivery_status_notifications() {
    expect(
        "S: 220 Example.ORG SMTP server here
         C: EHLO Example.ORG
         S: 250-Example.ORG
         S: 250-DSN
         S: 250-EXPN
         S: 250 SIZE
         C: MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159
         S: 250 <Alice@Example.ORG> sender ok
         C: RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM
         S: 250 <Bob@Example.COM> recipient ok
         C: RCPT TO:<Carol@Ivory.EDU> NOTIFY=FAILURE ORCPT=rfc822;Carol@Ivory.EDU
         S: 250 <Carol@Ivory.EDU> recipient ok
         C: RCPT TO:<Dana@Ivory.EDU> notify=SUCCESS,FAILURE ORCPT=rfc822;Dana@Ivory.EDU
         S: 250 <Dana@Ivory.EDU> recipient ok
         C: RCPT TO:<Fred@Bombs.AF.MIL> NOTIFY=NEVER
         S: 250 <Fred@Bombs.AF.MIL> recipient ok
         C: DATA
         S: 354 okay, send message
         C: (message goes here)
         C: .
         S: 250 message accepted
         C: QUIT
         S: 221 goodbye
         [close by server]",
        &json!({"kinds": []}),
        &json!([{
            "mail_from": "Alice@Example.ORG", "mail_parameters": {"RET": "HDRS", "ENVID": "QQ314159"},
            "recipients": [
                {"address": "Bob@Example.COM", "parameters": {"NOTIFY": "SUCCESS", "ORCPT": "rfc822;Bob@Example.COM"}},
                {"address": "Carol@Ivory.EDU", "parameters": {"NOTIFY": "FAILURE", "ORCPT": "rfc822;Carol@Ivory.EDU"}},
                {"address": "Dana@Ivory.EDU", "parameters": {"NOTIFY": "SUCCESS,FAILURE"}},
                {"address": "Fred@Bombs.AF.MIL", "parameters": {"NOTIFY": "NEVER"}},
            ],
            "outcome": "accepted", "bytes": 21,
        }]),
    );
}

/// RFC 6531 §3.4: SMTPUTF8 has no value, and mailboxes are in UTF-8.
#[test]
fn internationalized_addresses() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO пример.испытание
         S: 250-mx
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250 SMTPUTF8
         C: MAIL FROM:<用户@例え.テスト> SMTPUTF8 BODY=8BITMIME SIZE=1000
         S: 250 2.1.0 ok
         C: RCPT TO:<jörg@bücher.example>
         S: 250 2.1.5 ok
         C: DATA
         S: 354 go on
         C: Subject: Grüße
         C:
         C: ß
         C: .
         S: 250 2.6.0 ok
         [close]",
        &json!({"helo": "пример.испытание", "kinds": []}),
        &json!([{
            "mail_from": "用户@例え.テスト", "mail_parameters": {"SMTPUTF8": null, "BODY": "8BITMIME", "SIZE": "1000"},
            "rcpt_to": ["jörg@bücher.example"], "outcome": "accepted",
            "final_response": {"code": "250", "enhanced_code": "2.6.0"},
            "message": {"bytes": 24, "subject": "Grüße"},
        }]),
    );
}

/// RFC 5321 §4.1.1.2, §4.1.1.3 and §4.1.2: what departs from the grammar is noted, and the address is kept.
#[test]
fn paths_beside_the_grammar_keep_their_address() {
    let cases = [
        ("FROM::<a@x>", "path_syntax"),
        ("FROM:(c)<a@x>", "path_syntax"),
        ("FROM:;<a@x>", "path_syntax"),
        ("FROM:<@r1:@r2:a@x>", "path_syntax"),
        ("a@x", "invalid_argument"),
        ("FROM:<a@x>  BODY=7BIT", "invalid_argument"),
        ("FROM:<a@x> BODY=7BIT BODY=8BITMIME", "invalid_argument"),
    ];
    for (argument, kind) in cases {
        expect(
            &format!("S: 220 mx ESMTP\nC: EHLO a\nS: 250-mx\nS: 250 8BITMIME\nC: MAIL {argument}\nS: 250 ok\n[close]"),
            &json!({"kinds": [kind]}),
            &json!([{"mail_from": "a@x"}]),
        );
    }
}
