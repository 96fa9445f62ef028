//! Octets that stand between STARTTLS and its handshake, in either direction.
//!
//! RFC 3207 §4:
//! > After the client gives the STARTTLS command, the server responds with … 220 Ready to start TLS … Upon receiving a 220
//! > response to a STARTTLS command, the client MUST start the TLS negotiation before giving any other SMTP commands.
//!
//! Who sits between the two can put a command behind STARTTLS, or a reply behind its 220. A side that keeps what it has
//! read already takes it, once TLS is up, for what the peer said within: CVE-2011-0411, CVE-2021-33515 for servers,
//! CVE-2021-38371 for clients ("NO STARTTLS", USENIX Security 2021).
//!
//! What speaks against it: the server did not agree to TLS, so that the commands were only pipelined where they must not be;
//! no handshake follows, as in a recording that was decrypted. A ClientHello that is sent early injects nothing, and is a finding
//! of its own, since a server that throws away what it has read hangs on it.

use super::{Rule, Seen};
use crate::anomaly::{Anomaly, AnomalyKind, EARLY_HANDSHAKE, Role};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups};
use crate::model::{Response, Session, StartTls};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct StartTlsInjection;

impl Rule for StartTlsInjection {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        if session.starttls != Some(StartTls::Accepted) {
            return;
        }
        for anomaly in session.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::OctetsBehindStarttls) {
            if anomaly.detail.starts_with(EARLY_HANDSHAKE) {
                early_hello(seen, anomaly, groups);
            } else {
                of_client(seen, anomaly, groups);
            }
        }
        if let Some((go_ahead, injected)) = behind_go_ahead(session) {
            of_server(seen, go_ahead, injected, groups);
        }
    }
}

fn subject(seen: &Seen<'_>, side: Role) -> String {
    let four_tuple = seen.session.four_tuple();
    match side {
        Role::Client => format!("{} {}", four_tuple.client.ip(), four_tuple.server),
        Role::Server => four_tuple.server.to_string(),
    }
}

fn confidence(session: &Session) -> Confidence {
    if session.uses_tls { Confidence::STRONG } else { Confidence::WEAK }
}

fn no_handshake(session: &Session) -> &'static str {
    if session.uses_tls { "" } else { "; no TLS handshake follows, so the recording may have been decrypted" }
}

fn of_client(seen: &Seen<'_>, anomaly: &Anomaly, groups: &mut Groups) {
    let session = seen.session;
    let subject = subject(seen, Role::Client);
    let mut sighting = seen.sighting(Kind::StarttlsInjection, Severity::High, subject, anomaly.timestamp);
    sighting.confidence = confidence(session);
    groups.add(sighting, || {
        let injected = || session.commands.iter().filter(|command| command.spot.offset >= anomaly.offset);
        let of_packets = injected().filter(|command| command.timestamp <= anomaly.timestamp);
        let commands: Vec<_> = of_packets.take(3).collect();
        let verbs: Vec<String> = commands.iter().map(|command| quoted(&command.command)).collect();
        let what = if verbs.is_empty() { quoted(&anomaly.detail) } else { verbs.join(", ") };
        let first = if commands.is_empty() { vec![Evidence::anomaly(anomaly)] } else { Vec::new() };
        Detail {
            description: format!(
                "the client's side sent {what} behind STARTTLS before the server had answered it: a server that keeps it \
                 takes it for what is said within TLS{}",
                no_handshake(session)
            ),
            evidence: first.into_iter().chain(commands.into_iter().map(Evidence::command)).collect(),
            ..Detail::default()
        }
    });
}

fn early_hello(seen: &Seen<'_>, anomaly: &Anomaly, groups: &mut Groups) {
    let subject = subject(seen, Role::Client);
    let sighting = seen.sighting(Kind::EarlyClientHello, Severity::Low, subject, anomaly.timestamp);
    groups.add(sighting, || Detail {
        description: "the client began the TLS handshake before the server had answered STARTTLS".to_owned(),
        evidence: vec![Evidence::anomaly(anomaly)],
        ..Detail::default()
    });
}

/// What the server's side said in plain text behind the 220 to STARTTLS.
enum Injected<'a> {
    Reply(&'a Response),
    Line(&'a Anomaly),
}

/// The 220 to the last STARTTLS, and what stands behind it although the client has said nothing since.
fn behind_go_ahead(session: &Session) -> Option<(&Response, Injected<'_>)> {
    let is_starttls = |verb: &str| matches!(verb, "STARTTLS" | "X-ANONYMOUSTLS");
    let starttls = session.commands.iter().rposition(|command| is_starttls(&command.command))?;
    let place = session.responses.iter().position(|reply| reply.command == Some(starttls) && reply.code.is(220))?;
    let go_ahead = session.responses.get(place)?;
    let until = session.commands.get(starttls + 1).map(|next| next.timestamp);
    let is_before_next = |time| until.is_none_or(|until| time < until);
    let reply = session.responses.get(place + 1);
    if let Some(reply) = reply.filter(|reply| reply.command.is_none() && is_before_next(reply.timestamp)) {
        // RFC 5321 §3.8: 421 may come at any time.
        return (!reply.code.is(421)).then_some((go_ahead, Injected::Reply(reply)));
    }
    let is_line = |anomaly: &&Anomaly| {
        matches!(anomaly.kind, AnomalyKind::InvalidReply | AnomalyKind::UnterminatedReply)
            && anomaly.offset > go_ahead.spot.offset
            && is_before_next(anomaly.timestamp)
    };
    // Where the handshake was not read, its records may have been taken for lines.
    let line = session.anomalies.iter().filter(|_| session.uses_tls).find(is_line)?;
    Some((go_ahead, Injected::Line(line)))
}

fn of_server(seen: &Seen<'_>, go_ahead: &Response, injected: Injected<'_>, groups: &mut Groups) {
    let (time, evidence) = match &injected {
        Injected::Reply(reply) => (reply.timestamp, Evidence::reply(reply)),
        Injected::Line(line) => (line.timestamp, Evidence::anomaly(line)),
    };
    let subject = subject(seen, Role::Server);
    let mut sighting = seen.sighting(Kind::StarttlsInjection, Severity::High, subject, time);
    sighting.confidence = confidence(seen.session);
    groups.add(sighting, || Detail {
        description: format!(
            "the server's side said \"{}\" in plain text behind its 220 to STARTTLS: a client that keeps it takes it for \
             what is said within TLS{}",
            evidence.excerpt,
            no_handshake(seen.session)
        ),
        evidence: vec![Evidence::reply(go_ahead), evidence],
        ..Detail::default()
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, findings, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::samples::talk;

    const HELLO: &str = "\u{16}\u{3}\u{1}\0\u{2}\u{1}\0";

    /// A session that is greeted and offered STARTTLS, and goes on like this.
    fn offered(turns: &[(Role, &'static str)]) -> Session {
        let opening = [
            (Server, "220 mx.example.net ESMTP\r\n"),
            (Client, "EHLO client.example.org\r\n"),
            (Server, "250-mx.example.net\r\n250 STARTTLS\r\n"),
        ];
        talk(&[&opening, turns].concat())
    }

    const INJECTION: (Kind, Severity) = (Kind::StarttlsInjection, Severity::High);

    #[test]
    fn a_command_behind_starttls_is_injected_and_shown() {
        let session = offered(&[
            (Client, "STARTTLS\r\nRSET\r\nMAIL FROM:<a@example.org>\r\n"),
            (Server, "220 go\r\n"),
            (Client, HELLO),
            (Server, HELLO),
        ]);
        let found = finding(Kind::StarttlsInjection, &[session]);
        assert_eq!((found.severity, found.confidence), (Severity::High, Confidence::STRONG));
        let shown: Vec<&str> = found.evidence.iter().map(|evidence| evidence.excerpt.as_str()).collect();
        assert_eq!(shown, ["RSET", "MAIL FROM:<a@example.org>"]);
        assert_eq!(found.evidence[0].offset, Some(35));
        assert!(found.description.contains("sent RSET, MAIL behind STARTTLS"), "{}", found.description);
    }

    #[test]
    fn a_handshake_in_its_place_is_none() {
        let session = offered(&[(Client, "STARTTLS\r\n"), (Server, "220 go\r\n"), (Client, HELLO), (Server, HELLO)]);
        assert_eq!(kinds(&[session]), []);
    }

    /// The server did not agree, and the commands are what they look like.
    #[test]
    fn behind_a_starttls_that_is_refused_nothing_is_injected() {
        let session = offered(&[
            (Client, "STARTTLS\r\nRSET\r\n"),
            (Server, "454 not now\r\n250 ok\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ]);
        assert_eq!(kinds(&[session]), []);
    }

    #[test]
    fn an_early_hello_is_only_early() {
        let session =
            offered(&[(Client, "STARTTLS\r\n\u{16}\u{3}\u{1}\0\u{2}\u{1}\0"), (Server, "220 go\r\n"), (Server, HELLO)]);
        assert_eq!(kinds(&[session]), [(Kind::EarlyClientHello, Severity::Low)]);
    }

    #[test]
    fn a_reply_behind_the_220_is_injected() {
        let turns = |go_ahead| [(Client, "STARTTLS\r\n"), (Server, go_ahead), (Client, HELLO), (Server, HELLO)];
        let found = findings(&[offered(&turns("220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n"))]);
        let [found] = found.try_into().expect("one finding");
        assert_eq!((found.kind, found.severity), INJECTION);
        assert!(found.description.contains("the server's side said \"250 mx\\nAUTH PLAIN\""), "{}", found.description);
        assert_eq!(found.evidence[1].direction, Server);
        // One reply of two lines.
        assert_eq!(kinds(&[offered(&turns("220-ready\r\n220 go\r\n"))]), []);
        // A line that is no reply.
        assert_eq!(kinds(&[offered(&turns("220 go\r\nhello\r\n"))]), [INJECTION]);
    }

    /// RFC 5321 §3.8: a server may say 421 and close at any time.
    #[test]
    fn a_server_that_closes_injects_nothing() {
        let turns = [(Client, "STARTTLS\r\n"), (Server, "220 go\r\n"), (Server, "421 shutting down\r\n")];
        assert_eq!(kinds(&[offered(&turns)]), []);
    }

    /// As a middlebox shows it that ends TLS: the dialogue goes on in plain text.
    #[test]
    fn a_decrypted_dialogue_goes_on_and_injects_nothing() {
        let session = offered(&[
            (Client, "STARTTLS\r\n"),
            (Server, "220 go\r\n"),
            (Client, "EHLO client.example.org\r\n"),
            (Server, "250 mx\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "221 bye\r\n"),
        ]);
        assert!(!kinds(&[session]).contains(&INJECTION));
    }
}
