//! The commands a client sends, one function per rule of the grammar.

use std::fmt;

use crate::attribute::Attributes;
use crate::auth::Secret;
use crate::chunk;
use crate::deviation::{Deviation, Deviations};
use crate::envelope::{forward_path, reverse_path};
use crate::line::{Line, LineEnding};
use crate::parameter::{Parameters, first_word, trim, trim_end, trim_start};
use crate::path::Path;
use crate::verb::Verb;

/// One line that a client sent while the server was reading commands.
///
/// `Debug` does not show the argument of AUTH, which may be a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// The first word, as typed. Empty for an empty line.
    pub verb: &'a [u8],
    /// What stands behind it, without outer white space.
    pub argument: &'a [u8],
    /// What the line means.
    pub command: Command<'a>,
    /// What ended it.
    pub ending: LineEnding,
    /// Whether the line was longer than its limit, and the rest of it discarded.
    pub truncated: bool,
    /// Octets of the line on the wire, its ending included.
    pub octets: u64,
    /// How the line departs from the grammar, its path included.
    pub deviations: Deviations,
}

/// What a command line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// EHLO with the client's name; empty where it gave none, as with the others below that carry one string.
    Ehlo(&'a [u8]),
    /// HELO.
    Helo(&'a [u8]),
    /// LHLO, EHLO's twin in LMTP (RFC 2033 §4.1).
    Lhlo(&'a [u8]),
    /// MAIL, and SEND, SOML and SAML, which begin a transaction as well (RFC 821 §3.4).
    Mail {
        /// The reverse-path.
        path: Path<'a>,
        /// SIZE, BODY, AUTH, RET, ENVID, SMTPUTF8, ….
        parameters: Parameters<'a>,
    },
    /// RCPT.
    Rcpt {
        /// The forward-path.
        path: Path<'a>,
        /// NOTIFY, ORCPT, ….
        parameters: Parameters<'a>,
    },
    /// DATA.
    Data,
    /// BDAT (RFC 3030 §2): `size` octets follow at once.
    Bdat {
        /// Octets of the chunk.
        size: u64,
        /// Whether it is the message's last.
        last: bool,
    },
    /// RSET.
    Rset,
    /// VRFY.
    Vrfy(&'a [u8]),
    /// EXPN.
    Expn(&'a [u8]),
    /// HELP.
    Help(&'a [u8]),
    /// NOOP.
    Noop(&'a [u8]),
    /// QUIT.
    Quit,
    /// BURL (RFC 4468): the server fetches a part of the message from there.
    Burl {
        /// An IMAP URL. Its URLAUTH lets whoever has it read what it names.
        url: &'a [u8],
        /// Whether the part is the message's last.
        last: bool,
    },
    /// STARTTLS (RFC 3207), and X-ANONYMOUSTLS, which is the same between Exchange servers.
    StartTls,
    /// ETRN (RFC 1985): the server is to deliver what it holds for a host.
    Etrn {
        /// `@` for the host's subdomains as well, `#` for a queue of that name.
        option: Option<u8>,
        /// The host or queue; empty where none was named.
        node: &'a [u8],
    },
    /// ATRN (RFC 2645) with its domains, separated by commas: once taken, the two sides change roles.
    Atrn(&'a [u8]),
    /// TURN (RFC 821 §3.8): once taken, the two sides change roles.
    Turn,
    /// XCLIENT: the session is to be taken for that of another client. Answered by a new greeting.
    Xclient(Attributes<'a>),
    /// XFORWARD: which client the mail that follows came from.
    Xforward(Attributes<'a>),
    /// XEXCH50: behind the 354, `size` octets follow that belong to the envelope
    /// ([`ClientMode::Blob`](crate::ClientMode::Blob)).
    Xexch50 {
        /// Octets of the blob.
        size: u64,
    },
    /// AUTH (RFC 4954), and X-EXPS, which is the same between Exchange servers.
    Auth {
        /// The SASL mechanism, as typed.
        mechanism: &'a [u8],
        /// In base64, or `=` for an empty one.
        initial_response: Option<Secret<'a>>,
    },
    /// A verb that is none of the above; an empty line too.
    Unknown,
    /// A known verb, its argument not of its grammar.
    Invalid {
        /// The verb.
        verb: Verb,
        /// What is wrong with the argument.
        error: CommandError,
    },
}

/// Why an argument is not of its verb's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// MAIL without `FROM:`, RCPT without `TO:`.
    #[error("wanted {wanted} behind the verb")]
    MissingKeyword {
        /// `FROM:` or `TO:`.
        wanted: &'static str,
    },
    /// Nothing behind `FROM:` or `TO:`.
    #[error("wanted a path, got the end of the line")]
    MissingPath,
    /// Something behind a verb that stands alone.
    #[error("wanted the end of the line, got {octets} octets")]
    UnexpectedArgument {
        /// Octets of the argument.
        octets: usize,
    },
    /// BURL without a URL.
    #[error("wanted a URL, got the end of the line")]
    MissingUrl,
    /// The size of BDAT or XEXCH50 is not decimal digits.
    #[error("wanted a chunk size of decimal digits")]
    ChunkSize,
    /// The size of BDAT or XEXCH50 is over 2^64 − 1.
    #[error("wanted a chunk size below 2^64, got {digits} digits")]
    ChunkSizeOverflow {
        /// How many digits were sent.
        digits: usize,
    },
    /// Behind BDAT's size or BURL's URL stands something that is not `LAST`.
    #[error("wanted LAST or the end of the line, got {octets} octets")]
    EndMarker {
        /// Octets behind the size.
        octets: usize,
    },
    /// AUTH without a mechanism.
    #[error("wanted a mechanism, got the end of the line")]
    MissingMechanism,
}

impl<'a> CommandLine<'a> {
    /// Reads a line. RFC 5321 §2.4: verbs and keywords are case-insensitive. §4.1.1:
    /// > In the interest of improved interoperability, SMTP receivers SHOULD tolerate trailing white space before the
    /// > terminating &lt;CRLF&gt;.
    pub(crate) fn parse(line: &Line<'a>) -> Self {
        let mut deviations = line.deviations();
        let unindented = trim_start(line.text);
        deviations.insert_if(unindented.len() != line.text.len(), Deviation::LeadingBlank);
        let trimmed = trim_end(unindented);
        deviations.insert_if(trimmed.len() != unindented.len(), Deviation::TrailingBlank);
        let (verb, rest) = first_word(trimmed);
        let argument = trim_start(rest);
        let command = match Verb::parse(verb) {
            Some(verb) => {
                let is_one_sp = rest.starts_with(b" ") && rest.len() == argument.len().saturating_add(1);
                deviations.insert_if(!rest.is_empty() && !is_one_sp, Deviation::ExtraBlank);
                command(verb, argument, &mut deviations).unwrap_or_else(|error| Command::Invalid { verb, error })
            }
            None => Command::Unknown,
        };
        let Line { ending, truncated, octets, .. } = *line;
        Self { verb, argument, command, ending, truncated, octets, deviations }
    }

    /// The verb, where it is one this crate knows, whatever became of the argument.
    pub fn known_verb(&self) -> Option<Verb> {
        Verb::parse(self.verb)
    }
}

impl fmt::Debug for CommandLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argument = Secret::new(self.argument);
        let argument: &dyn fmt::Debug =
            if self.known_verb().is_some_and(Verb::precedes_secret) { &argument } else { &Ascii(self.argument) };
        f.debug_struct("CommandLine")
            .field("verb", &Ascii(self.verb))
            .field("argument", argument)
            .field("command", &self.command)
            .field("ending", &self.ending)
            .field("truncated", &self.truncated)
            .field("octets", &self.octets)
            .field("deviations", &self.deviations)
            .finish()
    }
}

/// Reads the argument of `verb`, which has no outer white space.
fn command<'a>(verb: Verb, argument: &'a [u8], deviations: &mut Deviations) -> Result<Command<'a>, CommandError> {
    let string = |with: fn(&'a [u8]) -> Command<'a>, deviations: &mut Deviations| {
        deviations.insert_if(argument.is_empty(), Deviation::MissingArgument);
        Ok(with(argument))
    };
    let alone = |command| match argument.len() {
        0 => Ok(command),
        octets => Err(CommandError::UnexpectedArgument { octets }),
    };
    match verb {
        // RFC 5321 §4.1.1.1: ehlo = "EHLO" SP ( Domain / address-literal ) CRLF, helo = "HELO" SP Domain CRLF
        Verb::Ehlo => string(Command::Ehlo, deviations),
        Verb::Helo => string(Command::Helo, deviations),
        Verb::Lhlo => string(Command::Lhlo, deviations),
        Verb::Mail | Verb::Send | Verb::Soml | Verb::Saml => reverse_path(argument, deviations),
        Verb::Rcpt => forward_path(argument, deviations),
        // RFC 5321 §4.1.1.4: data = "DATA" CRLF; §4.1.1.5: rset = "RSET" CRLF; §4.1.1.10: quit = "QUIT" CRLF
        Verb::Data => alone(Command::Data),
        Verb::Rset => alone(Command::Rset),
        Verb::Quit => alone(Command::Quit),
        // RFC 3207 §4: "STARTTLS with no parameters"
        Verb::StartTls | Verb::XAnonymousTls => alone(Command::StartTls),
        // RFC 821 §4.1.2: TURN <CRLF>
        Verb::Turn => alone(Command::Turn),
        Verb::Bdat => chunk::bdat(argument),
        Verb::Burl => chunk::burl(argument),
        Verb::Xexch50 => chunk::xexch50(argument),
        // RFC 2645: the domains may be left out.
        Verb::Atrn => Ok(Command::Atrn(argument)),
        Verb::Etrn => {
            deviations.insert_if(argument.is_empty(), Deviation::MissingArgument);
            Ok(etrn(argument))
        }
        Verb::Xclient => Ok(Command::Xclient(Attributes::new(argument))),
        Verb::Xforward => Ok(Command::Xforward(Attributes::new(argument))),
        // RFC 5321 §4.1.1.6: vrfy = "VRFY" SP String CRLF; §4.1.1.7: expn = "EXPN" SP String CRLF
        Verb::Vrfy => string(Command::Vrfy, deviations),
        Verb::Expn => string(Command::Expn, deviations),
        // RFC 5321 §4.1.1.8: help = "HELP" [ SP String ] CRLF; §4.1.1.9: noop = "NOOP" [ SP String ] CRLF
        Verb::Help => Ok(Command::Help(argument)),
        Verb::Noop => Ok(Command::Noop(argument)),
        Verb::Auth | Verb::XExps => auth(argument),
    }
}

/// RFC 1985: before the name may stand "@", for its subdomains as well, or "#", for a queue of that name.
fn etrn(argument: &[u8]) -> Command<'_> {
    match argument {
        [option @ (b'@' | b'#'), node @ ..] => Command::Etrn { option: Some(*option), node },
        node => Command::Etrn { option: None, node },
    }
}

/// RFC 4954 §8:
/// ```text
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response] CRLF
/// initial-response = base64 / "="
/// ```
fn auth(argument: &[u8]) -> Result<Command<'_>, CommandError> {
    let (mechanism, rest) = first_word(argument);
    if mechanism.is_empty() {
        return Err(CommandError::MissingMechanism);
    }
    let response = trim(rest);
    let initial_response = (!response.is_empty()).then(|| Secret::new(response));
    Ok(Command::Auth { mechanism, initial_response })
}

/// Shows octets as text in `Debug`.
struct Ascii<'a>(&'a [u8]);

impl fmt::Debug for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::LineFramer;

    #[track_caller]
    fn with_line(line: &[u8], check: impl FnOnce(CommandLine<'_>)) {
        let mut framer = LineFramer::new(1000);
        let (consumed, line_read) = framer.step(line);
        assert_eq!(consumed, line.len());
        check(CommandLine::parse(&line_read.unwrap()));
    }

    /// Every verb with what it carries, as text.
    fn shown(command: &Command<'_>) -> String {
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        match command {
            Command::Ehlo(name) => format!("EHLO({})", text(name)),
            Command::Helo(name) => format!("HELO({})", text(name)),
            Command::Lhlo(name) => format!("LHLO({})", text(name)),
            Command::Mail { path, parameters } => format!("MAIL({})({})", text(path.mailbox), text(parameters.raw())),
            Command::Rcpt { path, parameters } => format!("RCPT({})({})", text(path.mailbox), text(parameters.raw())),
            Command::Bdat { size, last } => format!("BDAT({size})({last})"),
            Command::Vrfy(string) => format!("VRFY({})", text(string)),
            Command::Expn(string) => format!("EXPN({})", text(string)),
            Command::Help(string) => format!("HELP({})", text(string)),
            Command::Noop(string) => format!("NOOP({})", text(string)),
            Command::Auth { mechanism, initial_response } => {
                format!("AUTH({})({})", text(mechanism), text(initial_response.map_or(b"", |secret| secret.reveal())))
            }
            Command::Invalid { verb, error } => format!("{verb}: {error}"),
            other => format!("{other:?}"),
        }
    }

    #[track_caller]
    fn reads(line: &str, wanted: &str, deviations: &[Deviation]) {
        with_line(format!("{line}\r\n").as_bytes(), |line| {
            assert_eq!(shown(&line.command), wanted);
            assert_eq!(line.deviations, deviations.iter().copied().collect());
        });
    }

    #[test]
    fn client_lines_of_rfc_5321_appendix_d() {
        for (line, wanted) in [
            ("EHLO bar.com", "EHLO(bar.com)"),
            ("MAIL FROM:<Smith@bar.com>", "MAIL(Smith@bar.com)()"),
            ("RCPT TO:<Jones@foo.com>", "RCPT(Jones@foo.com)()"),
            ("RCPT TO:<@foo.com:Jones@XYZ.COM>", "RCPT(Jones@XYZ.COM)()"),
            ("DATA", "Data"),
            ("RSET", "Rset"),
            ("VRFY Crispin", "VRFY(Crispin)"),
            ("QUIT", "Quit"),
            // D.4
            ("EXPN Example-People", "EXPN(Example-People)"),
        ] {
            reads(line, wanted, &[]);
        }
    }

    #[test]
    fn rfc_5321_section_4_1_1_leaves_help_and_noop_without_argument() {
        reads("HELP", "HELP()", &[]);
        reads("HELP MAIL", "HELP(MAIL)", &[]);
        reads("NOOP", "NOOP()", &[]);
        reads("HELO bar.com", "HELO(bar.com)", &[]);
        reads("RCPT TO:<Postmaster>", "RCPT(Postmaster)()", &[]);
        reads("MAIL FROM:<>", "MAIL()()", &[]);
    }

    /// RFC 5321 §2.4: "mail", "Mail" and "MaIl" are the same.
    #[test]
    fn verbs_and_keywords_in_any_case() {
        for line in ["mail from:<a@b>", "Mail From:<a@b>", "MaIl fRoM:<a@b>"] {
            reads(line, "MAIL(a@b)()", &[]);
        }
        reads("starttls", "StartTls", &[]);
        reads("bdat 5 last", "BDAT(5)(true)", &[]);
        reads("Auth plain =", "AUTH(plain)(=)", &[]);
    }

    #[test]
    fn parameters_of_rfc_3030_section_4_and_rfc_3461_section_4() {
        reads(
            "MAIL FROM:<ned@ymir.claremont.edu> BODY=BINARYMIME",
            "MAIL(ned@ymir.claremont.edu)(BODY=BINARYMIME)",
            &[],
        );
        reads(
            "RCPT TO:<Carol@Ivory.EDU> NOTIFY=FAILURE ORCPT=rfc822;Carol@Ivory.EDU",
            "RCPT(Carol@Ivory.EDU)(NOTIFY=FAILURE ORCPT=rfc822;Carol@Ivory.EDU)",
            &[],
        );
    }

    #[test]
    fn lhlo_of_rfc_2033_section_4_2() {
        reads("LHLO foo.edu", "LHLO(foo.edu)", &[]);
    }

    #[test]
    fn bdat_of_rfc_3030_section_4() {
        reads("BDAT 86 LAST", "BDAT(86)(true)", &[]);
        reads("BDAT 100000", "BDAT(100000)(false)", &[]);
        reads("BDAT 0 LAST", "BDAT(0)(true)", &[]);
        reads("BDAT 18446744073709551615", "BDAT(18446744073709551615)(false)", &[]);
    }

    #[test]
    fn bdat_that_is_not_of_its_grammar_has_no_chunk() {
        reads("BDAT", "BDAT: wanted a chunk size of decimal digits", &[]);
        reads("BDAT -1 LAST", "BDAT: wanted a chunk size of decimal digits", &[]);
        reads("BDAT 0x10", "BDAT: wanted a chunk size of decimal digits", &[]);
        reads("BDAT 5LAST", "BDAT: wanted a chunk size of decimal digits", &[]);
        reads("BDAT 5 X", "BDAT: wanted LAST or the end of the line, got 1 octets", &[]);
        reads("BDAT 5 LAST X", "BDAT: wanted LAST or the end of the line, got 6 octets", &[]);
        reads("BDAT 18446744073709551616", "BDAT: wanted a chunk size below 2^64, got 20 digits", &[]);
    }

    #[test]
    fn auth_of_rfc_4954_section_4_1() {
        reads("AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=", "AUTH(PLAIN)(dGVzdAB0ZXN0ADEyMzQ=)", &[]);
        reads("AUTH CRAM-MD5", "AUTH(CRAM-MD5)()", &[]);
        reads("AUTH", "AUTH: wanted a mechanism, got the end of the line", &[]);
    }

    #[test]
    fn a_password_does_not_print() {
        with_line(b"AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=\r\n", |line| assert!(!format!("{line:?}").contains("dGVzd")));
    }

    /// RFC 821 §3.4: the same as MAIL, but for where the mail is shown.
    #[test]
    fn send_soml_and_saml_begin_a_transaction() {
        for verb in ["SEND", "SOML", "SAML"] {
            let line = format!("{verb} FROM:<Smith@bar.com>");
            reads(&line, "MAIL(Smith@bar.com)()", &[]);
            with_line(format!("{line}\r\n").as_bytes(), |line| assert_eq!(line.verb, verb.as_bytes()));
        }
        reads("SEND", "SEND: wanted FROM: behind the verb", &[]);
    }

    /// RFC 821 §3.8, RFC 1985, RFC 2645.
    #[test]
    fn verbs_that_ask_for_mail() {
        let etrn = |line: &'static str, option, node: &[u8], deviations| {
            with_line(format!("{line}\r\n").as_bytes(), |line| {
                assert_eq!(line.command, Command::Etrn { option, node });
                assert_eq!(line.deviations, deviations);
            });
        };
        etrn("ETRN myname.example", None, b"myname.example", Deviations::NONE);
        etrn("ETRN @foo.com", Some(b'@'), b"foo.com", Deviations::NONE);
        etrn("etrn #q", Some(b'#'), b"q", Deviations::NONE);
        etrn("ETRN", None, b"", Deviation::MissingArgument.into());
        with_line(b"ATRN example.org,example.com\r\n", |line| {
            assert_eq!(line.command, Command::Atrn(b"example.org,example.com"));
        });
        reads("ATRN", "Atrn([])", &[]);
        reads("TURN", "Turn", &[]);
        reads("TURN x", "TURN: wanted the end of the line, got 1 octets", &[]);
    }

    #[test]
    fn chunks_and_urls() {
        with_line(b"BURL imap://x/ LAST\r\n", |line| {
            assert_eq!(line.command, Command::Burl { url: b"imap://x/", last: true });
        });
        reads("XEXCH50 1096 2", "Xexch50 { size: 1096 }", &[]);
        reads("XEXCH50 x", "XEXCH50: wanted a chunk size of decimal digits", &[]);
    }

    /// What Postfix says of another client.
    #[test]
    fn attributes_of_another_client() {
        for (line, verb) in
            [("XCLIENT ADDR=10.0.0.1 PORT=25\r\n", Verb::Xclient), ("XFORWARD PORT=25\r\n", Verb::Xforward)]
        {
            with_line(line.as_bytes(), |line| {
                let (Command::Xclient(attributes) | Command::Xforward(attributes)) = line.command else { panic!() };
                assert_eq!((line.known_verb(), attributes.port()), (Some(verb), Some(25)));
            });
        }
    }

    /// What Exchange servers call AUTH and STARTTLS among themselves.
    #[test]
    fn exchange_s_words_for_auth_and_starttls() {
        reads("X-EXPS GSSAPI YIIF", "AUTH(GSSAPI)(YIIF)", &[]);
        reads("X-ANONYMOUSTLS", "StartTls", &[]);
        with_line(b"X-EXPS PLAIN dGVzdAB0ZXN0ADEyMzQ=\r\n", |line| assert!(!format!("{line:?}").contains("dGVzd")));
    }

    #[test]
    fn cr_and_nul_inside_a_line_are_noted() {
        with_line(b"NOOP a\rb\0\r\n", |line| {
            assert_eq!(line.argument, b"a\rb\0");
            assert_eq!(line.deviations, [Deviation::BareCr, Deviation::Nul].into_iter().collect());
        });
    }

    /// RFC 3207 §4: no parameters. RFC 5321 §4.1.1: DATA, RSET and QUIT neither.
    #[test]
    fn verbs_that_stand_alone() {
        for verb in ["STARTTLS", "DATA", "RSET", "QUIT"] {
            reads(&format!("{verb} x"), &format!("{verb}: wanted the end of the line, got 1 octets"), &[]);
        }
    }

    #[test]
    fn blanks_around_the_colon_give_the_address() {
        reads("MAIL FROM: <a@b> SIZE=1", "MAIL(a@b)(SIZE=1)", &[Deviation::BlankAfterColon]);
        reads("RCPT TO : <a@b>", "RCPT(a@b)()", &[Deviation::BlankBeforeColon, Deviation::BlankAfterColon]);
        reads("MAIL FROM <a@b>", "MAIL(a@b)()", &[Deviation::MissingColon]);
        reads("MAIL\tFROM:<a@b>\tSIZE=1", "MAIL(a@b)(SIZE=1)", &[Deviation::ExtraBlank]);
        reads("MAIL FROM:a@b SIZE=1", "MAIL(a@b)(SIZE=1)", &[Deviation::MissingBrackets]);
        reads("MAIL FROM:<a@b>SIZE=1", "MAIL(a@b)(SIZE=1)", &[Deviation::NoBlankAfterPath]);
        let blanks = [Deviation::LeadingBlank, Deviation::TrailingBlank, Deviation::ExtraBlank];
        reads("  MAIL   FROM:<a@b>  ", "MAIL(a@b)()", &blanks);
        reads("DATA ", "Data", &[Deviation::TrailingBlank]);
        reads("NOOP  x", "NOOP(x)", &[Deviation::ExtraBlank]);
    }

    #[test]
    fn what_is_not_mail_from_or_rcpt_to() {
        reads("MAIL FORM:x", "MAIL: wanted FROM: behind the verb", &[]);
        reads("RCPT FROM:x", "RCPT: wanted TO: behind the verb", &[]);
        reads("MAIL FORM:<x@y>", "MAIL(x@y)()", &[Deviation::MissingKeyword]);
        reads("RCPT FROM:<x@y>", "RCPT(x@y)()", &[Deviation::MissingKeyword]);
        reads("RCPT TO:", "RCPT: wanted a path, got the end of the line", &[]);
    }

    #[test]
    fn missing_strings_and_unknown_verbs() {
        reads("EHLO", "EHLO()", &[Deviation::MissingArgument]);
        reads("VRFY", "VRFY()", &[Deviation::MissingArgument]);
        reads("", "Unknown", &[]);
        with_line(b"XFROBNICATE NAME=spike.example\r\n", |line| {
            assert_eq!((line.verb, line.argument), (&b"XFROBNICATE"[..], &b"NAME=spike.example"[..]));
            assert_eq!((line.command, line.known_verb()), (Command::Unknown, None));
        });
        with_line(b"DATA x\r\n", |line| assert_eq!(line.known_verb(), Some(Verb::Data)));
    }

    #[test]
    fn line_ends_are_recorded() {
        for (line, ending, deviations) in [
            (&b"QUIT\r\n"[..], LineEnding::CrLf, Deviations::NONE),
            (b"QUIT\n", LineEnding::Lf, Deviation::BareLf.into()),
            (b"QUIT\r\r\n", LineEnding::CrCrLf, Deviation::RepeatedCr.into()),
        ] {
            with_line(line, |read| {
                assert_eq!((read.command, read.ending, read.deviations), (Command::Quit, ending, deviations));
                assert_eq!(read.octets, u64::try_from(line.len()).unwrap());
            });
        }
    }
}
