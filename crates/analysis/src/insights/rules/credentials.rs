//! Credentials on the wire, and what became of them.
//!
//! RFC 4954 §9:
//! > If an implementation supports SASL mechanisms that are vulnerable to passive eavesdropping attacks (such as [PLAIN]),
//! > then the implementation MUST support at least one configuration where these SASL mechanisms are not advertised or
//! > used without the presence of an external security layer such as [TLS].
//!
//! RFC 8314 §3 calls cleartext access obsolete. AUTH that an observer can read was not protected, whatever happened later
//! in the session. What is seen of it differs: a password or a token itself, a hash of it that guesses can be tried on (CRAM-MD5,
//! DIGEST-MD5, NTLM, SCRAM), or nothing (EXTERNAL, ANONYMOUS). An AUTH that was refused at once, or given up before a response, has
//! shown nothing.
//!
//! What speaks against it: no secret can be read in the responses, because the client said something else; both ends are one machine; or STARTTLS was accepted before, so that the recording was probably
//! made, or decrypted, where the wire was not open.

use smol_str::SmolStr;

use super::{Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups};
use crate::model::{Session, StartTls};
use crate::session::auth::{AuthAttempt, AuthOutcome};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Credentials;

impl Rule for Credentials {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        for attempt in &seen.session.auth {
            if exposes_credentials(attempt) {
                exposed(seen, attempt, groups);
            }
            if attempt.outcome == AuthOutcome::Failure {
                refused(seen, attempt, groups);
            }
        }
    }
}

/// Whether an observer has learnt a password or token, or something to try guesses on.
pub(crate) fn exposes_credentials(attempt: &AuthAttempt) -> bool {
    attempt.credentials_sent && Exposure::of(&attempt.mechanism) != Exposure::Nothing
}

/// What an observer learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exposure {
    /// The password or token.
    Secret,
    /// Something that guesses can be tried on.
    Guessable,
    /// No secret.
    Nothing,
}

impl Exposure {
    fn of(mechanism: &str) -> Self {
        match mechanism {
            "PLAIN" | "LOGIN" | "XOAUTH2" | "OAUTHBEARER" => Self::Secret,
            "EXTERNAL" | "ANONYMOUS" => Self::Nothing,
            _ => Self::Guessable,
        }
    }
}

fn exposed(seen: &Seen<'_>, attempt: &AuthAttempt, groups: &mut Groups) {
    let session = seen.session;
    let is_local = session.client_ip.is_loopback() && session.server_ip.is_loopback();
    // As where a client says QUIT to a challenge, or the password is lost.
    let is_unread = Exposure::of(&attempt.mechanism) == Exposure::Secret && !attempt.secret_seen;
    let severity = match Exposure::of(&attempt.mechanism) {
        _ if is_local || is_unread => Severity::Low,
        Exposure::Secret => Severity::High,
        _ => Severity::Medium,
    };
    let subject = format!("{} {}", session.four_tuple().server, account(attempt).unwrap_or_default());
    let mut sighting = seen.sighting(Kind::PlaintextAuth, severity, subject, attempt.timestamp);
    let may_be_decrypted = session.starttls == Some(StartTls::Accepted);
    if may_be_decrypted || is_unread {
        sighting.confidence = Confidence::WEAK;
    }
    groups.add(sighting, || {
        let what = match Exposure::of(&attempt.mechanism) {
            Exposure::Secret if is_unread => "no secret can be read in what was captured",
            Exposure::Secret => "the secret itself can be read",
            _ => "guesses of the password can be tried on it",
        };
        let mut description =
            format!("{} over a connection without TLS: {what}; {}", attempted(session, attempt), fate(attempt));
        if is_local {
            description += "; both ends are one machine";
        }
        if may_be_decrypted {
            description += "; STARTTLS had been accepted, so the recording may have been decrypted";
        }
        Detail { description, evidence: evidence(session, attempt), ..Detail::default() }
    });
}

fn refused(seen: &Seen<'_>, attempt: &AuthAttempt, groups: &mut Groups) {
    let session = seen.session;
    let subject = format!("{} {}", session.client_ip, session.four_tuple().server);
    let sighting = seen.sighting(Kind::AuthFailure, Severity::Low, subject, attempt.timestamp);
    groups.add(sighting, || Detail {
        description: format!("{}: {}", attempted(session, attempt), fate(attempt)),
        evidence: evidence(session, attempt),
        ..Detail::default()
    });
}

/// The account that is tried, with its domain where it has one: who is let in, not for whom it acts.
pub(super) fn account(attempt: &AuthAttempt) -> Option<SmolStr> {
    let username = attempt.username.as_deref()?;
    Some(match &attempt.domain {
        Some(domain) if !domain.is_empty() => SmolStr::from(format!("{domain}\\{username}")),
        _ => username.into(),
    })
}

/// How, as whom, from where and to whom.
fn attempted(session: &Session, attempt: &AuthAttempt) -> String {
    let mut text = format!("AUTH {}", quoted(&attempt.mechanism));
    if let Some(account) = account(attempt) {
        text += &format!(" as {}", quoted(&account));
    }
    let authorization = attempt.authorization_id.as_deref().filter(|id| !id.is_empty());
    if let Some(id) = authorization.filter(|id| Some(*id) != attempt.username.as_deref()) {
        text += &format!(" acting for {}", quoted(id));
    }
    if let Some(workstation) = attempt.workstation.as_deref().filter(|name| !name.is_empty()) {
        text += &format!(" on {}", quoted(workstation));
    }
    let form = if initial_response(session, attempt) { " with an initial response" } else { "" };
    format!("{text}{form} to {}", session.four_tuple().server)
}

/// Whether the response came with AUTH (RFC 4954 §4), and not to a challenge.
fn initial_response(session: &Session, attempt: &AuthAttempt) -> bool {
    let command = session.commands.iter().find(|command| command.spot == attempt.spot && command.command == "AUTH");
    command.and_then(|command| command.parameter.as_deref()).is_some_and(|parameter| parameter.contains(' '))
}

/// RFC 4954 §6 and §4: what became of it.
fn fate(attempt: &AuthAttempt) -> String {
    let Some(code) = attempt.code else {
        return match attempt.outcome {
            AuthOutcome::Aborted => "given up by the client".to_owned(),
            _ => "its reply is not in the capture".to_owned(),
        };
    };
    let meaning = match (attempt.outcome, code.value()) {
        (AuthOutcome::Success, _) => "accepted",
        (AuthOutcome::Aborted, _) => "given up by the client",
        (_, 432) => "refused: the password has to be changed for this mechanism",
        (_, 454) => "refused for now",
        (_, 534) => "refused: the mechanism is too weak",
        (_, 538) => "refused: the server wants TLS first",
        (_, 500..=504) => "not understood",
        _ => "refused",
    };
    format!("{meaning} with {code}")
}

/// AUTH and the reply that decided.
fn evidence(session: &Session, attempt: &AuthAttempt) -> Vec<Evidence> {
    let command = session.commands.iter().position(|command| command.spot == attempt.spot && command.command == "AUTH");
    let decided = |command| {
        let mut replies = session.responses.iter().filter(move |reply| reply.command == Some(command));
        replies.rfind(|reply| Some(reply.code) == attempt.code)
    };
    let reply = command.and_then(decided).map(Evidence::reply);
    std::iter::once(Evidence::attempt(attempt)).chain(reply).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, findings, kinds};
    use super::*;
    use crate::anomaly::Role::{self, Client, Server};
    use crate::samples::{attempt, code, opened, session, talk};

    fn with_attempts(attempts: Vec<AuthAttempt>) -> Session {
        Session { auth_attempts: attempts.len(), auth: attempts, ..session() }
    }

    /// What is found in a session that goes on like this, and the description of the first.
    fn said(turns: &[(Role, &'static str)]) -> (Vec<(Kind, Severity)>, String) {
        let session = talk(&opened(turns));
        let found = findings(std::slice::from_ref(&session));
        (kinds(&[session]), found.first().map(|finding| finding.description.clone()).unwrap_or_default())
    }

    const EXPOSED: (Kind, Severity) = (Kind::PlaintextAuth, Severity::High);
    const GUESSABLE: (Kind, Severity) = (Kind::PlaintextAuth, Severity::Medium);
    const FAILED: (Kind, Severity) = (Kind::AuthFailure, Severity::Low);

    /// RFC 4616 §4: `AGRlbW8Ac2VjcmV0` is NUL demo NUL secret, here with the initial response and to a challenge.
    #[test]
    fn plain_is_told_in_both_forms_with_its_fate() {
        let (found, told) = said(&[(Client, "AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n"), (Server, "235 ok\r\n")]);
        assert_eq!(found, [EXPOSED]);
        let with_initial = "AUTH PLAIN as demo with an initial response to 198.51.100.25:25 over a connection without TLS: \
                            the secret itself can be read; accepted with 235";
        assert_eq!(told, with_initial);
        let (found, told) = said(&[
            (Client, "AUTH PLAIN\r\n"),
            (Server, "334 \r\n"),
            (Client, "AGRlbW8Ac2VjcmV0\r\n"),
            (Server, "535 5.7.8 no\r\n"),
        ]);
        assert_eq!(found, [EXPOSED, FAILED]);
        assert!(
            told.starts_with("AUTH PLAIN as demo to 198.51.100.25:25") && told.ends_with("refused with 535"),
            "{told}"
        );
    }

    #[test]
    fn login_is_told_in_both_forms() {
        let whole = [
            (Client, "AUTH LOGIN\r\n"),
            (Server, "334 VXNlcm5hbWU6\r\n"),
            (Client, "ZGVtbw==\r\n"),
            (Server, "334 UGFzc3dvcmQ6\r\n"),
            (Client, "c2VjcmV0\r\n"),
            (Server, "235 ok\r\n"),
        ];
        assert!(said(&whole).1.starts_with("AUTH LOGIN as demo to"));
        let initial = [&[(Client, "AUTH LOGIN ZGVtbw==\r\n")], &whole[3..]].concat();
        let (found, told) = said(&initial);
        assert_eq!(found, [EXPOSED]);
        assert!(told.starts_with("AUTH LOGIN as demo with an initial response"), "{told}");
    }

    /// RFC 2195 §2: the example; what crosses the wire is a digest that guesses can be tried on.
    #[test]
    fn challenge_and_response_can_be_guessed() {
        let (found, told) = said(&[
            (Client, "AUTH CRAM-MD5\r\n"),
            (Server, "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
            (Client, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"),
            (Server, "235 ok\r\n"),
        ]);
        assert_eq!(found, [GUESSABLE]);
        assert!(told.contains("AUTH CRAM-MD5 as tim") && told.contains("guesses"), "{told}");
        for mechanism in ["DIGEST-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
            assert_eq!(
                kinds(&[with_attempts(vec![attempt(mechanism, AuthOutcome::Success)])]),
                [GUESSABLE],
                "{mechanism}"
            );
        }
        for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
            assert_eq!(
                kinds(&[with_attempts(vec![attempt(mechanism, AuthOutcome::Success)])]),
                [EXPOSED],
                "{mechanism}"
            );
        }
    }

    /// NTLM names the machine and the domain besides the user.
    #[test]
    fn whoever_is_named_is_told() {
        let named = AuthAttempt {
            username: Some("alice".to_owned()),
            domain: Some("CORP".to_owned()),
            workstation: Some("PC\u{1b}7".to_owned()),
            authorization_id: Some("boss".to_owned()),
            ..attempt("NTLM", AuthOutcome::Unknown)
        };
        let told = finding(Kind::PlaintextAuth, &[with_attempts(vec![named])]).description;
        assert!(told.starts_with("AUTH NTLM as CORP\\\\alice acting for boss on PC\\u{1b}7 to"), "{told}");
        assert!(told.ends_with("its reply is not in the capture"), "{told}");
    }

    /// RFC 4954 §4: a response that is only `=` is an empty one, which EXTERNAL sends: it proves nothing by itself.
    #[test]
    fn without_a_secret_nothing_is_exposed() {
        let (found, _) = said(&[(Client, "AUTH EXTERNAL =\r\n"), (Server, "235 ok\r\n")]);
        assert_eq!(found, []);
        assert_eq!(kinds(&[with_attempts(vec![attempt("ANONYMOUS", AuthOutcome::Success)])]), []);
    }

    /// RFC 4954 §4: the client cancels with `*`; an AUTH that the server refused at once exposed nothing either.
    #[test]
    fn without_a_response_nothing_was_exposed() {
        let (found, _) =
            said(&[(Client, "AUTH PLAIN\r\n"), (Server, "334 \r\n"), (Client, "*\r\n"), (Server, "501 ok\r\n")]);
        assert_eq!(found, []);
        let (found, told) = said(&[(Client, "AUTH PLAIN\r\n"), (Server, "538 5.7.11 TLS first\r\n")]);
        assert_eq!(found, [FAILED]);
        assert!(told.ends_with("refused: the server wants TLS first with 538"), "{told}");
    }

    /// As some scanners do it: `QUIT` is base64, too, and taken for the user name. No password follows.
    #[test]
    fn where_no_secret_can_be_read_it_is_no_more_than_low() {
        let session =
            talk(&opened(&[(Client, "AUTH LOGIN\r\n"), (Server, "334 VXNlcm5hbWU6\r\n"), (Client, "QUIT\r\n")]));
        let found = finding(Kind::PlaintextAuth, &[session]);
        assert_eq!((found.severity, found.confidence), (Severity::Low, Confidence::WEAK));
        assert!(found.description.contains("no secret can be read"), "{}", found.description);
    }

    /// Behind a finished handshake nothing can be read, and nothing is found.
    #[test]
    fn within_tls_nothing_is_found() {
        let turns = [(Client, "STARTTLS\r\n"), (Server, "220 go\r\n"), (Client, "\u{16}\u{3}\u{1}\0\u{2}\u{1}\0")];
        assert_eq!(said(&turns).0, []);
    }

    #[test]
    fn what_may_have_been_decrypted_is_less_sure() {
        let session = talk(&opened(&[
            (Client, "STARTTLS\r\n"),
            (Server, "220 go\r\n"),
            (Client, "AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n"),
            (Server, "235 ok\r\n"),
        ]));
        let found = finding(Kind::PlaintextAuth, &[session]);
        assert_eq!(found.confidence, Confidence::WEAK);
        assert!(found.description.contains("decrypted"), "{}", found.description);
    }

    #[test]
    fn within_one_machine_it_is_no_more_than_low() {
        let local = std::net::IpAddr::from([127, 0, 0, 1]);
        let attempts = with_attempts(vec![attempt("PLAIN", AuthOutcome::Success)]);
        let session = Session { client_ip: local, server_ip: local, ..attempts };
        assert_eq!(kinds(&[session]), [(Kind::PlaintextAuth, Severity::Low)]);
    }

    /// No secret in a finding: not in the description, and not in the evidence.
    #[test]
    fn no_secret_is_told_and_the_reply_is_shown() {
        let session = talk(&opened(&[
            (Client, "AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n"),
            (Server, "535 5.7.8 not secret, AGRlbW8Ac2VjcmV0\r\n"),
        ]));
        let found = findings(&[session]);
        let printed = serde_json::to_string(&found).expect("JSON");
        assert!(!printed.contains("secret,") && !printed.contains("AGRlbW8Ac2VjcmV0"), "{printed}");
        let evidence = &found[0].evidence;
        assert_eq!((evidence[0].excerpt.as_str(), evidence[0].offset), ("AUTH PLAIN", Some(25)));
        assert!(evidence[1].excerpt.starts_with("535 5.7.8"), "{evidence:?}");
        assert!(evidence.iter().all(|evidence| evidence.packet.is_some()));
    }

    /// The client of RFC 4954 §4 that cancels did not fail: nobody refused its credentials.
    #[test]
    fn an_auth_failure_is_one_the_server_refused() {
        let outcomes = [AuthOutcome::Success, AuthOutcome::Aborted, AuthOutcome::Unknown, AuthOutcome::Failure];
        let attempts = outcomes.map(|outcome| AuthAttempt { code: Some(code(535)), ..attempt("EXTERNAL", outcome) });
        assert_eq!(kinds(&[with_attempts(attempts.into())]), [FAILED]);
    }

    /// One account at one server is one finding, however often it logs in; another account is another.
    #[test]
    fn an_account_is_one_finding() {
        let by = |name: &str| AuthAttempt { username: Some(name.to_owned()), ..attempt("PLAIN", AuthOutcome::Success) };
        let found = findings(&[with_attempts(vec![by("a"), by("b"), by("a")]), with_attempts(vec![by("a")])]);
        let counts: Vec<u64> = found.iter().map(|finding| finding.count).collect();
        assert_eq!(counts.iter().sum::<u64>(), 4);
        assert!(counts == [3, 1] || counts == [1, 3], "{counts:?}");
    }
}
