//! The anomalies of a session, up to a limit.

use smtp_parser::{Command, CommandLine, Deviation, Deviations, Reply};

use super::dialogue::Stamp;
use super::redaction::REDACTED;
use crate::anomaly::{Anomaly, AnomalyKind, Role};
use crate::output::excerpt;

/// Keeps the first ones and counts the rest.
#[derive(Debug)]
pub(crate) struct Anomalies {
    limit: usize,
    kept: Vec<Anomaly>,
    further: u64,
}

impl Anomalies {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), further: 0 }
    }

    pub(crate) fn add(&mut self, kind: AnomalyKind, at: Stamp, direction: Role, detail: String) {
        if self.kept.len() < self.limit {
            self.kept.push(Anomaly { kind, timestamp: at.timestamp, direction, offset: at.offset, detail });
        } else {
            self.further += 1;
        }
    }

    /// Those that are kept, and how many more there were.
    pub(crate) fn into_parts(self) -> (Vec<Anomaly>, u64) {
        (self.kept, self.further)
    }
}

impl Anomalies {
    /// What the grammar noticed in a command line.
    pub(super) fn of_command(&mut self, line: &CommandLine<'_>, at: Stamp, is_secret: bool) {
        let shown = || match (is_secret, line.known_verb()) {
            (false, _) => excerpt(&[line.verb, b" ", line.argument].concat()),
            (true, Some(verb)) => format!("{verb} {REDACTED}"),
            (true, None) => REDACTED.to_owned(),
        };
        let mut seen = Vec::new();
        let path = match &line.command {
            Command::Mail { path, .. } | Command::Rcpt { path, .. } => path.deviations,
            _ => Deviations::NONE,
        };
        for deviation in line.deviations.union(path).iter() {
            seen.push(match deviation {
                Deviation::BareLf => AnomalyKind::BareLf,
                Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
                Deviation::Truncated => AnomalyKind::LineTooLong,
                Deviation::BareCr => AnomalyKind::BareCr,
                Deviation::Nul => AnomalyKind::NulInLine,
                Deviation::LeadingBlank | Deviation::TrailingBlank | Deviation::ExtraBlank => continue,
                Deviation::Unterminated => continue,
                Deviation::MissingArgument | Deviation::ParameterSyntax => AnomalyKind::InvalidArgument,
                _ => AnomalyKind::PathSyntax,
            });
        }
        match line.command {
            Command::Unknown => seen.push(AnomalyKind::UnknownCommand),
            Command::Invalid { .. } => seen.push(AnomalyKind::InvalidArgument),
            _ => {}
        }
        seen.dedup();
        for kind in seen {
            self.add(kind, at, Role::Client, shown());
        }
    }

    /// What the grammar noticed in a reply.
    pub(super) fn of_reply(&mut self, reply: &Reply<'_>, at: Stamp) {
        for deviation in reply.deviations.iter() {
            let kind = match deviation {
                Deviation::BareLf => AnomalyKind::BareLf,
                Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
                Deviation::BareCr => AnomalyKind::BareCr,
                Deviation::Nul => AnomalyKind::NulInLine,
                Deviation::Truncated => AnomalyKind::LineTooLong,
                Deviation::MixedCodes => AnomalyKind::MixedReplyCodes,
                Deviation::Unterminated | Deviation::Incomplete => AnomalyKind::UnterminatedReply,
                Deviation::CodeOutOfRange | Deviation::ForeignLine => AnomalyKind::InvalidReply,
                _ => continue,
            };
            self.add(kind, at, Role::Server, excerpt(reply.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use smtp_parser::{ClientDecoder, LineLimits, ServerDecoder, SmtpEvent};

    use super::*;
    use crate::output::time::Time;

    const AT: Stamp = Stamp { offset: 7, timestamp: Time(capture::Timestamp::from_nanos(0)), acknowledged: None };

    fn of_line(line: &str, is_secret: bool) -> Vec<Anomaly> {
        let mut decoder = ClientDecoder::new(LineLimits::default());
        let Some(SmtpEvent::Command(command)) = decoder.step(line.as_bytes()).event else { panic!("a command line") };
        let mut anomalies = Anomalies::new(10);
        anomalies.of_command(&command, AT, is_secret);
        anomalies.into_parts().0
    }

    fn kinds(anomalies: &[Anomaly]) -> Vec<AnomalyKind> {
        anomalies.iter().map(|anomaly| anomaly.kind).collect()
    }

    #[test]
    fn the_first_ones_are_kept_and_the_rest_is_counted() {
        let mut anomalies = Anomalies::new(2);
        for detail in ["a", "b", "c", "d"] {
            anomalies.add(AnomalyKind::BareLf, AT, Role::Client, detail.to_owned());
        }
        let (kept, further) = anomalies.into_parts();
        let details: Vec<&str> = kept.iter().map(|anomaly| anomaly.detail.as_str()).collect();
        assert_eq!((details.as_slice(), further), (["a", "b"].as_slice(), 2));
    }

    /// RFC 5321 §2.3.8: lines end in CRLF; "MUST NOT" recognise any other sequence as the end of a line.
    #[test]
    fn a_line_that_ends_in_a_bare_lf_is_noted() {
        assert_eq!(kinds(&of_line("NOOP\n", false)), [AnomalyKind::BareLf]);
        assert!(of_line("NOOP\r\n", false).is_empty());
    }

    /// RFC 5321 §4.1.1.2 has no blank behind the colon and wants brackets.
    #[test]
    fn a_path_that_is_not_as_the_grammar_wants_is_noted() {
        assert_eq!(kinds(&of_line("MAIL FROM: <a@example.org>\r\n", false)), [AnomalyKind::PathSyntax]);
        assert!(of_line("MAIL FROM:<a@example.org>\r\n", false).is_empty());
    }

    /// RFC 1870 has digits behind SIZE=; RFC 5321 §2.3.8 has no CR within a line.
    #[test]
    fn parameters_and_control_characters_are_noted() {
        let kinds = |line| kinds(&of_line(line, false));
        assert_eq!(kinds("MAIL FROM:<a@example.org> SIZE=big\r\n"), [AnomalyKind::InvalidArgument]);
        assert_eq!(kinds("NOOP a\rb\0\r\n"), [AnomalyKind::BareCr, AnomalyKind::NulInLine]);
        assert_eq!(kinds("NOOP  a\r\n"), []);
    }

    #[test]
    fn a_secret_is_not_quoted() {
        let [anomaly] = of_line("AUTH PLAIN AGEAaHVudGVyMg==\n", true).try_into().expect("one anomaly");
        assert!(!anomaly.detail.contains("AGEAaHVudGVyMg"), "{}", anomaly.detail);
        let [anomaly] = of_line("aHVudGVyMg==\r\n", true).try_into().expect("one anomaly");
        assert_eq!((anomaly.kind, anomaly.detail.as_str()), (AnomalyKind::UnknownCommand, REDACTED));
    }

    /// RFC 5321 §4.2.1: every line of a reply has the same code.
    #[test]
    fn a_reply_of_several_codes_is_noted() {
        let mut decoder = ServerDecoder::new(LineLimits::default());
        let mut anomalies = Anomalies::new(10);
        let mut rest: &[u8] = b"250-a\r\n251 b\r\n";
        while !rest.is_empty() {
            let step = decoder.step(rest);
            if let Some(SmtpEvent::Reply(reply)) = step.event {
                anomalies.of_reply(&reply, AT);
            }
            rest = rest.get(step.consumed..).expect("no more than there is");
        }
        assert_eq!(kinds(&anomalies.into_parts().0), [AnomalyKind::MixedReplyCodes]);
    }
}
