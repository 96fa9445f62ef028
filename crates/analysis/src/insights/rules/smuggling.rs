//! SMTP smuggling: a message that holds a second one, behind what only some readers take for its end.
//!
//! RFC 5321 §4.1.1.4:
//! > In particular, the sequence "&lt;LF&gt;.&lt;LF&gt;" (bare line feeds, without carriage returns) MUST NOT be treated as equivalent
//! > to &lt;CRLF&gt;.&lt;CRLF&gt; as the end of mail data indication.
//!
//! A sender that lets such a dot line through, and a receiver that ends the message there, together let anybody send a mail
//! with any envelope from the sender's own address: CVE-2023-51764 (Postfix), CVE-2023-51765 (Sendmail), CVE-2023-51766 (Exim). The
//! message is read strictly; what follows the dot line is told as `smuggled_candidate`.
//!
//! | severity | what was seen |
//! |---|---|
//! | critical | a command in the line behind it or the next, and the server answered more than the strict reading has |
//! | high | such a command, and no answer to it |
//! | medium | a dot line and no command; or a server that took one for the end of a message |
//! | low | a dot line behind CRLF and no command |
//! | info | line ends of only CR or only LF, and no dot line |
//!
//! What speaks against it: senders that stuff dots do so behind CRLF, so a dot line behind CRLF was let through by none of them, and
//! weighs one step less where nobody answered it. A client that waits for the answer before it goes on smuggles nothing: it
//! ends its messages like this. What BDAT carries has no dot lines.

use super::{Rule, Seen};
use crate::anomaly::{AnomalyKind, Role};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups};
use crate::model::{Command, Response, Session};
use crate::session::endings::{Bare, DotLine};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Smuggling;

impl Rule for Smuggling {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let Some(endings) = seen.session.endings.as_deref() else { return };
        for line in &endings.dot_lines {
            dot_line(seen, line, groups);
        }
        if let Some(bare) = &endings.bare {
            bare_line_ends(seen, *bare, groups);
        }
    }
}

fn subject(seen: &Seen<'_>, what: &str) -> String {
    let four_tuple = seen.session.four_tuple();
    format!("{} {} {what}", four_tuple.client.ip(), four_tuple.server)
}

fn dot_line(seen: &Seen<'_>, line: &DotLine, groups: &mut Groups) {
    let session = seen.session;
    let candidate = Candidate::of(&line.behind);
    let is_split = is_taken_for_end(session, line);
    let extra: Vec<&Response> = extra_replies(session, line, is_split);
    let is_stuffed = line.variant.starts_with("CRLF.");
    let (kind, severity) = match (candidate.is_some(), !extra.is_empty(), is_split) {
        (true, true, _) => (Kind::SmtpSmuggling, Severity::Critical),
        (true, false, false) if is_stuffed => (Kind::SmtpSmuggling, Severity::Medium),
        (true, false, false) => (Kind::SmtpSmuggling, Severity::High),
        (_, _, true) => (Kind::EndOfDataVariant, Severity::Medium),
        (false, _, false) if is_stuffed => (Kind::EndOfDataVariant, Severity::Low),
        (false, _, false) => (Kind::EndOfDataVariant, Severity::Medium),
    };
    let mut sighting = seen.sighting(kind, severity, subject(seen, line.variant), line.timestamp);
    sighting.confidence = match (severity, is_split) {
        (Severity::Critical, _) | (_, true) => Confidence::CERTAIN,
        _ => Confidence::LIKELY,
    };
    let four_tuple = session.four_tuple();
    groups.add(sighting, || {
        let (sender, receiver) = (four_tuple.client.ip(), four_tuple.server);
        let mut description = format!("{sender} sent a dot line {} within a message", line.variant);
        if is_split {
            description += &format!(", and {receiver} took it for the end of the message");
        } else if extra.is_empty() {
            description += &format!("; {receiver} did not answer it");
        }
        if !extra.is_empty() {
            let codes: Vec<String> = extra.iter().map(|reply| reply.code.to_string()).collect();
            description += &format!("; {receiver} answered what follows with {}", codes.join(", "));
        }
        if let Some(candidate) = &candidate {
            description += &format!("; smuggled_candidate: {}", candidate.told());
        }
        let behind = Evidence::new(line.timestamp, line.spot, Role::Client, shown(&line.behind));
        let evidence = std::iter::once(behind).chain(extra.iter().map(|reply| Evidence::reply(reply))).collect();
        Detail { description, evidence, ..Detail::default() }
    });
}

/// Whether the server's replies show that it ended the message there.
fn is_taken_for_end(session: &Session, line: &DotLine) -> bool {
    session
        .anomalies
        .iter()
        .any(|anomaly| anomaly.kind == AnomalyKind::BareLfEndOfData && anomaly.offset == line.spot.offset)
}

/// Replies to what stands behind the dot line, which had been sent before the server could have answered the message.
fn extra_replies<'a>(session: &'a Session, line: &DotLine, is_split: bool) -> Vec<&'a Response> {
    let since = |reply: &&Response| reply.timestamp >= line.timestamp;
    let replies = || session.responses.iter().filter(since);
    let Some(answered) = replies().next().map(|reply| reply.timestamp) else { return Vec::new() };
    if !is_split {
        // Nobody asked for them; 421 answers nothing (RFC 5321 §3.8).
        return replies().filter(|reply| reply.command.is_none() && !reply.code.is(421)).take(SHOWN).collect();
    }
    let is_smuggled = |command: &Command| command.spot.offset >= line.spot.offset && command.timestamp < answered;
    let of_smuggled =
        |reply: &&Response| reply.command.and_then(|command| session.commands.get(command)).is_some_and(is_smuggled);
    replies().filter(of_smuggled).take(SHOWN).collect()
}

/// Replies that are shown.
const SHOWN: usize = 4;

/// What is shown of what stands behind a dot line: up to the first line that begins with AUTH, of which the verb alone. What
/// follows it may be secrets.
fn shown(behind: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in behind.split_inclusive(|octet| matches!(octet, b'\r' | b'\n')) {
        if line.get(..AUTH.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(AUTH)) {
            return behind.get(..end + AUTH.len()).unwrap_or_default();
        }
        end += line.len();
    }
    behind
}

const AUTH: &[u8] = b"AUTH";

/// The message that another reader would see.
#[derive(Debug, Default)]
struct Candidate<'a> {
    verb: &'a str,
    sender: Option<&'a str>,
    recipients: Vec<&'a str>,
}

impl<'a> Candidate<'a> {
    /// Where one of the first two lines is a command.
    fn of(behind: &'a [u8]) -> Option<Self> {
        let text = behind.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
        let mut lines = text.split(['\r', '\n']).filter(|line| !line.is_empty()).take(MOST_LINES).enumerate();
        let mut candidate = Self::default();
        let (_, first) = lines.by_ref().take(2).find(|(_, line)| verb(line).is_some())?;
        candidate.verb = verb(first)?;
        for line in std::iter::once(first).chain(lines.map(|(_, line)| line)) {
            match verb(line) {
                Some("MAIL") if candidate.sender.is_none() => candidate.sender = path(line),
                Some("RCPT") => candidate.recipients.extend(path(line)),
                Some("DATA" | "BDAT") => break,
                _ => {}
            }
        }
        Some(candidate)
    }

    fn told(&self) -> String {
        let recipients: Vec<String> =
            self.recipients.iter().map(|recipient| format!("<{}>", quoted(recipient))).collect();
        match self.sender {
            None => format!("{} is its first command", self.verb),
            Some(sender) if recipients.is_empty() => format!("from <{}>", quoted(sender)),
            Some(sender) => format!("from <{}> to {}", quoted(sender), recipients.join(", ")),
        }
    }
}

/// Lines of a candidate that are looked at.
const MOST_LINES: usize = 16;

/// The command that a line begins with, of those that a smuggled message begins with or has.
fn verb(line: &str) -> Option<&'static str> {
    const VERBS: [&str; 9] = ["MAIL", "RCPT", "EHLO", "HELO", "LHLO", "DATA", "BDAT", "RSET", "AUTH"];
    let word = line.split(' ').next().unwrap_or_default();
    VERBS.into_iter().find(|verb| word.eq_ignore_ascii_case(verb))
}

/// What stands between the brackets.
fn path(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    Some(rest.split_once('>').map_or(rest, |(path, _)| path))
}

fn bare_line_ends(seen: &Seen<'_>, bare: Bare, groups: &mut Groups) {
    let sighting = seen.sighting(Kind::BareLineEnds, Severity::Info, subject(seen, ""), bare.timestamp);
    groups.add(sighting, || {
        let (count, end) = if bare.lf > 0 { (bare.lf, "LF") } else { (bare.cr, "CR") };
        Detail {
            description: format!("{} sent a message with {count} line ends of only {end}", seen.session.client_ip),
            evidence: vec![Evidence::new(bare.timestamp, bare.spot, Role::Client, b"end of the message")],
            ..Detail::default()
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, findings, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::samples::{opened, talk};

    /// The session whose client sends this after its 354.
    fn mail(turns: &[(Role, &'static str)]) -> Session {
        let envelope =
            [(Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"), (Server, "250 ok\r\n250 ok\r\n354 go\r\n")];
        let quit = [(Client, "QUIT\r\n"), (Server, "221 bye\r\n")];
        talk(&opened(&[&envelope, turns, &quit].concat()))
    }

    const SMUGGLED: &str = "Subject: a\r\n\r\ntext\n.\nMAIL FROM:<admin@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\n\
                            Subject: b\r\n\r\nevil\r\n.\r\n";

    /// The server ends the message at LF.LF, and answers the mail within.
    #[test]
    fn a_second_mail_that_the_server_answers_is_critical() {
        let session =
            mail(&[(Client, SMUGGLED), (Server, "250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken too\r\n")]);
        assert_eq!(session.transactions.len(), 2, "the server saw two");
        let found = finding(Kind::SmtpSmuggling, &[session]);
        assert_eq!((found.severity, found.confidence), (Severity::Critical, Confidence::CERTAIN));
        let told = &found.description;
        assert!(told.contains("smuggled_candidate: from <admin@example.org> to <victim@example.net>"), "{told}");
        assert!(
            told.contains("sent a dot line LF.LF") && told.contains("answered what follows with 250, 250, 354"),
            "{told}"
        );
        assert!(found.evidence[0].excerpt.starts_with("MAIL FROM:<admin@example.org>"), "{:?}", found.evidence);
        assert_eq!(found.evidence[1].direction, Server);
    }

    /// The same where the server reads strictly: one reply.
    #[test]
    fn a_second_mail_that_nobody_answers_is_high() {
        let found = findings(&[mail(&[(Client, SMUGGLED), (Server, "250 taken\r\n")])]);
        let [found] = found.try_into().expect("one finding");
        assert_eq!((found.kind, found.severity), (Kind::SmtpSmuggling, Severity::High));
        assert!(found.description.contains("did not answer it"), "{}", found.description);
    }

    /// RFC 4954 §4: what stands behind AUTH, on its line and on the next ones, may be a password.
    #[test]
    fn a_secret_in_a_smuggled_session_is_not_shown() {
        for (behind, wanted) in [
            ("AUTH PLAIN AGEAcGFzcw==\r\n", "AUTH"),
            ("EHLO a\r\nauth LOGIN\r\nYQ==\r\ncGFzcw==\r\n", "EHLO a\\r\\nauth"),
            ("RSET\nAUTH PLAIN AGEAcGFzcw==\nMAIL FROM:<a@b>\r\n", "RSET\\nAUTH"),
        ] {
            let content: &'static str = Box::leak(format!("text\n.\n{behind}\r\n.\r\n").into_boxed_str());
            let found = finding(Kind::SmtpSmuggling, &[mail(&[(Client, content), (Server, "250 taken\r\n")])]);
            assert_eq!(found.evidence[0].excerpt, wanted);
            assert!(!found.description.contains("cGFzcw"), "{}", found.description);
        }
    }

    /// Each of the sequences, with a command behind it; behind CRLF it weighs less.
    #[test]
    fn every_line_end_counts() {
        for (end, severity) in [
            ("\n.\n", Severity::High),
            ("\n.\r\n", Severity::High),
            ("\r\n.\n", Severity::Medium),
            ("\r.\r", Severity::High),
            ("\r.\r\n", Severity::High),
            ("\n.\r", Severity::High),
            ("\r\n.\r", Severity::Medium),
            ("\r\n\0.\r\n", Severity::High),
        ] {
            let content = format!("text{end}mail from:<a@b>\r\nRCPT TO:<c@d>\r\nx\r\n.\r\n");
            let content: &'static str = Box::leak(content.into_boxed_str());
            let session = mail(&[(Client, content), (Server, "250 taken\r\n")]);
            assert_eq!(kinds(&[session]), [(Kind::SmtpSmuggling, severity)], "{end:?}");
        }
    }

    /// A bare CR is not read as an end here, so the replies are nobody's.
    #[test]
    fn replies_that_nobody_asked_for_are_answers() {
        let session = mail(&[
            (Client, "text\r.\rMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nx\r\n.\r\n"),
            (Server, "250 taken\r\n250 ok\r\n250 ok\r\n500 what\r\n500 what\r\n"),
        ]);
        assert_eq!(finding(Kind::SmtpSmuggling, &[session]).severity, Severity::Critical);
    }

    #[test]
    fn a_dot_line_alone_is_medium_and_behind_crlf_low() {
        let of = |content| kinds(&[mail(&[(Client, content), (Server, "250 taken\r\n")])]);
        assert_eq!(of("a\n.\nb\r\n.\r\n"), [(Kind::EndOfDataVariant, Severity::Medium)]);
        assert_eq!(of("a\r\n.\nb\r\n.\r\n"), [(Kind::EndOfDataVariant, Severity::Low)]);
        // Three lines on it is text about mail.
        assert_eq!(of("a\n.\nb\nc\nMAIL FROM:<a@b>\r\n.\r\n"), [(Kind::EndOfDataVariant, Severity::Medium)]);
        assert_eq!(of("a\r\n..\r\nMAIL FROM:<a@b>\r\n.\r\n"), [], "a stuffed dot");
    }

    /// A client that ends its messages like this, and a server that lets it: each turn waits for the other.
    #[test]
    fn a_client_that_waits_for_the_answer_smuggles_nothing() {
        let session = mail(&[
            (Client, "\r\na\n.\n"),
            (Server, "250 taken\r\n"),
            (Client, "MAIL FROM:<c@x>\r\n"),
            (Server, "250 ok\r\n"),
        ]);
        let found = findings(&[session]);
        let [found] = found.try_into().expect("one finding");
        assert_eq!((found.kind, found.severity), (Kind::EndOfDataVariant, Severity::Medium));
        assert!(found.description.contains("took it for the end"), "{}", found.description);
    }

    /// RFC 3030 §2: the octets of a chunk are counted, and no line ends it.
    #[test]
    fn chunks_have_no_dot_lines() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"),
            (Server, "250 ok\r\n250 ok\r\n"),
            (Client, "BDAT 23 LAST\r\na\n.\nMAIL FROM:<c@d>\r\n"),
            (Server, "250 taken\r\n"),
        ]));
        assert_eq!((session.transactions.len(), kinds(&[session])), (1, vec![]));
    }

    #[test]
    fn bare_line_ends_alone_are_good_to_know() {
        let session = mail(&[(Client, "a\nb\nc\r\n.\r\n"), (Server, "250 taken\r\n")]);
        let found = finding(Kind::BareLineEnds, &[session]);
        assert_eq!(
            (found.severity, found.description.as_str()),
            (Severity::Info, "192.0.2.1 sent a message with 2 line ends of only LF")
        );
        assert_eq!(kinds(&[mail(&[(Client, "a\r\nb\r\n.\r\n"), (Server, "250 taken\r\n")])]), []);
    }
}
