//! RFC 3207, section 6.

use serde_json::json;

use crate::dialogue_support::expect;

/// The example up to the TLS negotiation; what follows that is not to be read.
#[test]
fn starttls_accepted() {
    expect(
        "S: 220 mail.imc.org SMTP service ready
         C: EHLO mail.example.com
         S: 250-mail.imc.org offers a warm hug of welcome
         S: 250-8BITMIME
         S: 250-STARTTLS
         S: 250 DSN
         C: STARTTLS
         S: 220 Go ahead
         C= \\x16\\x03\\x01\\x00\\x05\\x01\\x00\\x00\\x01\\x00
         S= \\x16\\x03\\x03\\x00\\x05\\x02\\x00\\x00\\x01\\x00
         C= \\x17\\x03\\x03\\x00\\x06MAIL\\x0d\\x0a
         S= \\x17\\x03\\x03\\x00\\x08250 ok\\x0d\\x0a
         [close]",
        &json!({
            "helo": "mail.example.com", "verbs": "EHLO STARTTLS", "replies": "220/- 250/0 220/1",
            "starttls": "accepted", "uses_tls": true, "tls": {"mode": "starttls"}, "transaction_count": 0, "kinds": [],
        }),
        &json!([]),
    );
}

/// The rest of the example, decrypted on the way, as a proxy or a keyed capture shows it: commands that can be read are.
#[test]
fn starttls_accepted_and_commands_in_plain_text() {
    expect(
        "S: 220 mail.imc.org SMTP service ready
         C: EHLO mail.example.com
         S: 250-mail.imc.org offers a warm hug of welcome
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 Go ahead
         C: EHLO mail.example.com
         S: 250-mail.imc.org touches your hand gently for a moment
         S: 250-8BITMIME
         S: 250 DSN
         [close]",
        &json!({
            "verbs": "EHLO STARTTLS EHLO", "replies": "220/- 250/0 220/1 250/2", "starttls": "accepted", "uses_tls": false,
            "extensions": [{"keyword": "8BITMIME"}, {"keyword": "DSN"}],
        }),
        &json!([]),
    );
}

/// A whole mail behind it, as a middlebox that ends TLS shows it to a recording on its other side.
#[test]
fn a_mail_in_plain_text_behind_starttls() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 Go ahead
         C: EHLO a
         S: 250 mx
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: RCPT TO:<b@b>
         S: 250 ok
         C: DATA
         S: 354 go
         C: Subject: s
         C:
         C: t
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         [close]",
        &json!({"starttls": "accepted", "uses_tls": false, "tls": null, "kinds": ["plaintext_after_starttls"]}),
        &json!([{"mail_from": "a@a", "outcome": "accepted"}]),
    );
}

/// §6: what stands between STARTTLS and the handshake is said in plain text, and the handshake is one all the same.
#[test]
fn plain_text_in_front_of_the_handshake() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 STARTTLS
         C= STARTTLS\\x0d\\x0aRSET\\x0d\\x0a
         S: 220 Go ahead
         C= \\x16\\x03\\x01\\x00\\x05\\x01\\x00\\x00\\x01\\x00
         S= \\x16\\x03\\x03\\x00\\x05\\x02\\x00\\x00\\x01\\x00
         [close]",
        &json!({"verbs": "EHLO STARTTLS RSET", "starttls": "accepted", "uses_tls": true, "tls": {"mode": "starttls"}}),
        &json!([]),
    );
}

/// §4: 454 "TLS not available due to temporary reason"; the session goes on in plain text.
#[test]
fn starttls_refused() {
    expect(
        "S: 220 mail.imc.org SMTP service ready
         C: EHLO mail.example.com
         S: 250-mail.imc.org
         S: 250 STARTTLS
         C: STARTTLS
         S: 454 TLS not available due to temporary reason
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: QUIT
         S: 221 bye
         [close]",
        &json!({
            "verbs": "EHLO STARTTLS MAIL QUIT", "replies": "220/- 250/0 454/1 250/2 221/3",
            "starttls": "rejected", "uses_tls": false, "tls": null,
        }),
        &json!([{"mail_from": "a@a", "outcome": "aborted"}]),
    );
}

/// §4.2: after the handshake the server forgets everything: a transaction that was open ends.
#[test]
fn starttls_ends_a_transaction() {
    expect(
        "S: 220 mx ESMTP
         C: EHLO a
         S: 250-mx
         S: 250 STARTTLS
         C: MAIL FROM:<a@a>
         S: 250 ok
         C: STARTTLS
         S: 220 Go ahead
         C= \\x16\\x03\\x01\\x00\\x05\\x01\\x00\\x00\\x01\\x00
         [close]",
        &json!({"starttls": "accepted", "uses_tls": true}),
        &json!([{"mail_from": "a@a", "outcome": "aborted", "final": null}]),
    );
}
