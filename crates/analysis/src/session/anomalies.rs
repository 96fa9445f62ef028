//! The anomalies of a session, up to a limit.

use smtp_parser::{Command, CommandLine, Deviation, Reply, Secret, Verb};

use super::dialogue::Stamp;
use super::order::{Order, is_sasl_response};
use super::pending::Kind;
use super::redaction::{REDACTED, Secrets};
use crate::anomaly::{Anomaly, AnomalyKind, KindSet, Role};
use crate::output::excerpt;

/// Keeps the first ones and counts the rest.
#[derive(Debug)]
pub(crate) struct Anomalies {
    limit: usize,
    kept: Vec<Anomaly>,
    further: u64,
    order: Order,
    first_command: Option<Stamp>,
}

impl Anomalies {
    /// `from_the_start`: whether the capture shows the connection's handshake.
    pub(crate) fn new(limit: usize, from_the_start: bool) -> Self {
        Self { limit, kept: Vec::new(), further: 0, order: Order::new(from_the_start), first_command: None }
    }

    pub(crate) fn add(&mut self, kind: AnomalyKind, at: Stamp, direction: Role, detail: String) {
        if self.kept.len() < self.limit {
            self.kept.push(Anomaly {
                kind,
                timestamp: at.timestamp,
                direction,
                offset: at.offset,
                packet: at.packet,
                detail,
            });
        } else {
            self.further += 1;
        }
    }

    fn add_each(&mut self, kinds: KindSet, at: Stamp, direction: Role, detail: &str) {
        kinds.iter().for_each(|kind| self.add(kind, at, direction, detail.to_owned()));
    }

    /// Those that are kept, and how many more there were.
    pub(crate) fn into_parts(self) -> (Vec<Anomaly>, u64) {
        (self.kept, self.further)
    }
}

/// What a command, a reply or a message is worth noting for. Where that is nothing, nothing is allocated.
impl Anomalies {
    /// A command line. `unanswered`: how many commands before it have no reply yet.
    pub(super) fn of_command(&mut self, line: &CommandLine<'_>, at: Stamp, is_secret: bool, unanswered: usize) {
        self.first_command.get_or_insert(at);
        let mut seen = grammar_of_command(line);
        self.order.command(line, at, unanswered, &mut seen);
        if seen.is_empty() {
            return;
        }
        self.add_each(seen, at, Role::Client, &shown(line, is_secret));
    }

    /// A command without its line end, at the end of the stream.
    pub(super) fn unterminated(&mut self, line: &CommandLine<'_>, at: Stamp, is_secret: bool) {
        self.add(AnomalyKind::UnterminatedCommand, at, Role::Client, shown(line, is_secret));
    }

    /// A response to a SASL challenge.
    pub(super) fn of_auth_response(&mut self, response: Secret<'_>, at: Stamp) {
        if !is_sasl_response(response) {
            self.add(AnomalyKind::InvalidSaslResponse, at, Role::Client, REDACTED.to_owned());
        }
    }

    /// A reply, by its grammar. What it quotes of the secrets is not shown.
    pub(super) fn of_reply(&mut self, reply: &Reply<'_>, at: Stamp, secrets: &Secrets) {
        let seen = grammar_of_reply(reply);
        if !seen.is_empty() {
            self.add_each(seen, at, Role::Server, &secrets.excerpt(reply.text));
        }
    }

    /// A reply, as the answer to a command. `is_certain`: whether it can be no other's.
    pub(super) fn of_answer(&mut self, kind: &Kind, reply: &Reply<'_>, at: Stamp, is_certain: bool, secrets: &Secrets) {
        let mut seen = KindSet::default();
        self.order.answer(kind, reply, at, &mut seen);
        if !seen.is_empty() && is_certain {
            let shown = format!("{} {}", reply.code, secrets.excerpt(reply.text));
            self.add_each(seen, at, Role::Server, &shown);
        }
    }

    /// The greeting has come, and a command before it.
    pub(super) fn early_talker(&mut self, at: Stamp, verb: &str) {
        let at = self.first_command.unwrap_or(at);
        self.add(AnomalyKind::EarlyTalker, at, Role::Client, excerpt(verb.as_bytes()));
    }

    /// A message has ended, of so many octets.
    pub(super) fn of_message(&mut self, octets: u64, at: Stamp) {
        if let Some(declared) = self.order.end_of_message(octets) {
            let detail = format!("{octets} octets, {declared} were declared");
            self.add(AnomalyKind::SizeExceeded, at, Role::Client, detail);
        }
    }

    /// The connection was closed inside a message.
    pub(super) fn missing_end_of_data(&mut self, at: Stamp, octets: u64) {
        let begin = self.order.content_begin().unwrap_or(at);
        let at = Stamp { timestamp: at.timestamp, ..begin };
        self.add(AnomalyKind::MissingEndOfData, at, Role::Client, format!("{octets} octets of the message"));
    }

    /// Commands may be lost that are not known to be.
    pub(super) fn forget_order(&mut self) {
        self.order.forget();
    }

    /// Octets of the client's commands are lost.
    pub(super) fn commands_lost(&mut self, at: Stamp, octets: u64) {
        self.order.forget();
        self.add(AnomalyKind::CommandGap, at, Role::Client, format!("{octets} octets"));
    }
}

fn grammar_of_command(line: &CommandLine<'_>) -> KindSet {
    let mut seen = KindSet::default();
    let is_long = line.octets > LINE_OCTETS && !line.truncated && !is_extended(&line.command);
    seen.insert_if(is_long, AnomalyKind::LongCommandLine);
    match line.command {
        Command::Unknown => seen.insert(AnomalyKind::UnknownCommand),
        Command::Invalid { verb: Verb::Bdat, .. } => seen.insert(AnomalyKind::InvalidBdat),
        Command::Invalid { .. } => seen.insert(AnomalyKind::InvalidArgument),
        _ => {}
    }
    if line.deviations.is_empty() {
        return seen;
    }
    for deviation in line.deviations.iter() {
        seen.insert(match deviation {
            Deviation::BareLf => AnomalyKind::BareLf,
            Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
            Deviation::Truncated => AnomalyKind::LineTooLong,
            Deviation::BareCr => AnomalyKind::BareCr,
            Deviation::Nul => AnomalyKind::NulInLine,
            // RFC 5321 §4.1.1: servers should tolerate blanks before the line's end.
            Deviation::TrailingBlank | Deviation::Unterminated => continue,
            Deviation::LeadingBlank | Deviation::ExtraBlank => AnomalyKind::InvalidArgument,
            Deviation::MissingArgument | Deviation::ParameterSyntax => AnomalyKind::InvalidArgument,
            _ => AnomalyKind::PathSyntax,
        });
    }
    seen
}

/// RFC 5321 §4.5.3.1.4 and .5: "The maximum total length of a command line including the command word and the <CRLF> is
/// 512 octets. SMTP extensions may be used to increase this limit."
const LINE_OCTETS: u64 = 512;

/// Whether an extension lets the line be longer: AUTH, and those that give MAIL and RCPT parameters.
fn is_extended(command: &Command<'_>) -> bool {
    match command {
        Command::Auth { .. } | Command::Burl { .. } | Command::Xclient(_) | Command::Xforward(_) => true,
        Command::Mail { parameters, .. } | Command::Rcpt { parameters, .. } => !parameters.raw().is_empty(),
        _ => false,
    }
}

/// What is shown of a command.
fn shown(line: &CommandLine<'_>, is_secret: bool) -> String {
    match (is_secret, line.known_verb()) {
        (false, _) if line.argument.is_empty() => excerpt(line.verb),
        (false, _) => excerpt(&[line.verb, b" ", line.argument].concat()),
        (true, Some(verb)) => format!("{verb} {REDACTED}"),
        (true, None) => REDACTED.to_owned(),
    }
}

fn grammar_of_reply(reply: &Reply<'_>) -> KindSet {
    let mut seen = KindSet::default();
    let is_cut = reply.deviations.contains(Deviation::Truncated);
    if reply.octets > LINE_OCTETS && !is_cut {
        // Behind the code stands a separator, behind the text CRLF.
        let is_long = |line: &[u8]| line.len() as u64 + 6 > LINE_OCTETS;
        seen.insert_if(reply.lines().any(is_long), AnomalyKind::LongReplyLine);
    }
    if reply.deviations.is_empty() {
        return seen;
    }
    for deviation in reply.deviations.iter() {
        seen.insert(match deviation {
            Deviation::BareLf => AnomalyKind::BareLf,
            Deviation::RepeatedCr => AnomalyKind::RepeatedCr,
            Deviation::BareCr => AnomalyKind::BareCr,
            Deviation::Nul => AnomalyKind::NulInLine,
            Deviation::Truncated => AnomalyKind::LineTooLong,
            Deviation::MixedCodes => AnomalyKind::MixedReplyCodes,
            Deviation::Unterminated | Deviation::Incomplete => AnomalyKind::UnterminatedReply,
            Deviation::CodeOutOfRange => AnomalyKind::ReplyCodeOutOfRange,
            Deviation::ForeignLine => AnomalyKind::InvalidReply,
            Deviation::EnhancedClassMismatch => AnomalyKind::EnhancedClassMismatch,
            Deviation::MissingText if lacks_blank(reply) => AnomalyKind::MissingReplyText,
            _ => continue,
        });
    }
    seen
}

/// Whether the last line, which has no text, has no blank either. RFC 5321 §4.2: servers "SHOULD send the <SP> if
/// subsequent text is not sent"; an empty challenge of SASL is all blank.
fn lacks_blank(reply: &Reply<'_>) -> bool {
    // Every line has four octets before its text and CRLF behind it; in the text one LF stands between lines.
    let with_blank = reply.text.len() + 5 * reply.lines + 1;
    reply.octets < with_blank as u64 && !reply.deviations.contains(Deviation::BareLf)
}

#[cfg(test)]
mod tests {
    use smtp_parser::{ClientDecoder, LineLimits, ServerDecoder, SmtpEvent};

    use super::*;
    use crate::output::time::Time;

    const AT: Stamp =
        Stamp { offset: 7, timestamp: Time(capture::Timestamp::from_nanos(0)), acknowledged: None, packet: None };

    fn of_line(line: &str, is_secret: bool) -> Vec<Anomaly> {
        let mut decoder = ClientDecoder::new(LineLimits::default());
        let Some(SmtpEvent::Command(command)) = decoder.step(line.as_bytes()).event else { panic!("a command line") };
        let mut anomalies = Anomalies::new(10, false);
        anomalies.of_command(&command, AT, is_secret, 0);
        anomalies.into_parts().0
    }

    fn kinds(anomalies: &[Anomaly]) -> Vec<AnomalyKind> {
        anomalies.iter().map(|anomaly| anomaly.kind).collect()
    }

    #[test]
    fn the_first_ones_are_kept_and_the_rest_is_counted() {
        let mut anomalies = Anomalies::new(2, false);
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
        // §4.1.1: one blank between verb and argument; servers should tolerate those before the line's end.
        assert_eq!(kinds("NOOP  a\r\n"), [AnomalyKind::InvalidArgument]);
        assert_eq!(kinds("NOOP \r\n"), []);
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
        let mut anomalies = Anomalies::new(10, false);
        let mut rest: &[u8] = b"250-a\r\n251 b\r\n";
        while !rest.is_empty() {
            let step = decoder.step(rest);
            if let Some(SmtpEvent::Reply(reply)) = step.event {
                anomalies.of_reply(&reply, AT, &Secrets::default());
            }
            rest = rest.get(step.consumed..).expect("no more than there is");
        }
        assert_eq!(kinds(&anomalies.into_parts().0), [AnomalyKind::MixedReplyCodes]);
    }
}
