//! Where a dialogue can be read that was going on when the capture began.
//!
//! Nothing says whether the client's first octets are commands or the rest of a message, which may quote any command.
//! What it said before the server spoke again, and what the server said then, decide together:
//!
//! ```text
//!   client: [rest of a line] command … command │ server speaks      commands, of which the first may be lost
//!   client: text … CRLF "." CRLF [command …]   │ server speaks      the rest of a message
//!   client: anything else                      │ server: 354, 334   what the server asks for
//!   client: anything else                      │ server speaks      not to be told: on with the next turn
//! ```

use memchr::memmem;
use smtp_parser::Verb;

/// Where the client's octets can be read, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PickUp {
    /// Not to be told so far.
    Unknown,
    /// Commands begin here; `lost`: behind the rest of one.
    Commands { from: usize, lost: bool },
    /// The rest of a message, whose end is there.
    Message { from: usize },
    /// The client has been asked for a message or a response to a challenge.
    Asked { from: usize },
}

/// What both sides have said, in the order in which they said it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said<'a> {
    Client(&'a [u8]),
    Server(&'a [u8]),
    /// Octets of the client are lost.
    Gap,
}

/// Client octets that the server's next words, or a gap, end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    from: usize,
    to: usize,
    /// What stands before was not heard, so that the first line may be the rest of one.
    begins_anywhere: bool,
}

impl PickUp {
    /// `client`: all octets of the client in `said`. `slid`: further ones before them are forgotten. `is_final`: what the
    /// server says to the last of them is not waited for.
    pub(crate) fn of<'a>(client: &[u8], said: impl Iterator<Item = Said<'a>>, slid: bool, is_final: bool) -> Self {
        let mut run = Run { from: 0, to: 0, begins_anywhere: !slid };
        let mut is_answered = true;
        let mut heard = Vec::new();
        for said in said {
            match said {
                Said::Client(octets) => {
                    if is_answered && run.to > run.from {
                        run = Run { from: run.to, to: run.to, begins_anywhere: false };
                    }
                    is_answered = false;
                    heard.clear();
                    run.to += octets.len();
                }
                Said::Gap => {
                    let found = if is_answered { Self::Unknown } else { run.read(client, slid, &[]) };
                    if matches!(found, Self::Commands { lost: false, .. }) || is_final && found != Self::Unknown {
                        return found;
                    }
                    run = Run { from: run.to, to: run.to, begins_anywhere: true };
                }
                Said::Server(octets) => {
                    let found = if is_answered { Self::Unknown } else { run.read(client, slid, octets) };
                    if found != Self::Unknown {
                        return found;
                    }
                    is_answered = true;
                    // Copied: replies are short, and may come octet by octet.
                    heard.extend_from_slice(octets);
                    if asks(&heard) {
                        return Self::Asked { from: run.to };
                    }
                }
            }
        }
        if is_final && !is_answered { run.read(client, slid, &[]) } else { Self::Unknown }
    }
}

impl Run {
    /// `answer`: how the server's next words begin, if there are any.
    fn read(self, client: &[u8], slid: bool, answer: &[u8]) -> PickUp {
        let octets = client.get(self.from..self.to).unwrap_or_default();
        let follows_turn = !slid && self.from > 0;
        if (self.begins_anywhere || follows_turn) && are_commands(octets) {
            return PickUp::Commands { from: self.from, lost: false };
        }
        let message = behind_end_of_data(octets).filter(|rest| rest.is_empty() || are_commands(rest));
        let first_line = memchr::memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
        let first_line = first_line + responses(octets.get(first_line..).unwrap_or_default());
        let is_envelope = self.begins_anywhere && are_commands(octets.get(first_line..).unwrap_or_default());
        // A message may quote a whole dialogue; then no 354 comes.
        if is_envelope && (message.is_none() || answer.is_empty() || has_code(answer, b"354")) {
            return PickUp::Commands { from: self.from + first_line, lost: true };
        }
        match message {
            Some(_) => PickUp::Message { from: self.from },
            None => PickUp::Unknown,
        }
    }
}

/// Where, among octets of which nothing can be read yet, those begin that may still be needed: the line that has not ended,
/// or the end of data and what stands behind it.
pub(crate) fn needed_from(octets: &[u8]) -> usize {
    match behind_end_of_data(octets) {
        Some(rest) if rest.is_empty() || are_commands(rest) => {
            octets.len().saturating_sub(rest.len() + END_OF_DATA.len())
        }
        _ => {
            // The CRLF before a dot line that has not come yet.
            let whole_lines = memchr::memrchr(b'\n', octets).map_or(0, |at| at.saturating_sub(1));
            whole_lines.max(octets.len().saturating_sub(LONGEST_LINE))
        }
    }
}

/// Whether these are lines of a message, as far as they have ended: RFC 5321 §2.3.8 has lines end in CRLF and nothing else,
/// and §4.5.3.1.6 no line be longer than 1000 octets. NUL is in no text.
pub(crate) fn reads_like_message(octets: &[u8]) -> bool {
    let is_line = |line: &[u8]| line.len() <= LONGEST_LINE && (line.ends_with(b"\r\n") || !line.ends_with(b"\n"));
    octets.split_inclusive(|&octet| octet == b'\n').all(is_line) && memchr::memchr(0, octets).is_none()
}

/// RFC 5321 §4.1.1.4:
/// > The mail data are terminated by a line containing only a period, that is, the character sequence "<CRLF>.<CRLF>"
const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// RFC 5321 §4.5.3.1.6: "The maximum total length of a text line including the <CRLF> is 1000 octets".
const LONGEST_LINE: usize = 1000;

/// What stands behind the end of data.
fn behind_end_of_data(octets: &[u8]) -> Option<&[u8]> {
    match octets.strip_prefix(b".\r\n") {
        Some(rest) => Some(rest),
        None => octets.get(memmem::find(octets, END_OF_DATA)? + END_OF_DATA.len()..),
    }
}

/// Whether these are lines of commands and nothing else, up to one behind which something else may stand. One line that is
/// whole there must be.
fn are_commands(octets: &[u8]) -> bool {
    let mut lines = octets.split_inclusive(|&octet| octet == b'\n').filter(|line| line.ends_with(b"\n")).peekable();
    if lines.peek().is_none() {
        return false;
    }
    for line in lines {
        match verb(line) {
            None => return false,
            Some(
                Verb::Data
                | Verb::Bdat
                | Verb::Auth
                | Verb::XExps
                | Verb::StartTls
                | Verb::XAnonymousTls
                | Verb::Xexch50
                | Verb::Turn
                | Verb::Atrn,
            ) => return true,
            Some(_) => {}
        }
    }
    true
}

/// How long the lines are that may be responses to challenges (RFC 4954 §4): one word of base64 each.
fn responses(octets: &[u8]) -> usize {
    let is_of_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let lines = octets.split_inclusive(|&octet| octet == b'\n');
    let is_response = |line: &&[u8]| line.trim_ascii_end().iter().all(is_of_base64) && verb(line).is_none();
    lines.take_while(is_response).map(<[u8]>::len).sum()
}

/// The verb of a line that has what belongs to it, and nothing else; words of a text may begin like one.
fn verb(line: &[u8]) -> Option<Verb> {
    let line = line.trim_ascii_end();
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let (word, argument) = line.split_at_checked(end)?;
    let verb = Verb::parse(word)?;
    let argument = argument.trim_ascii();
    let begins = |keyword: &[u8]| argument.get(..keyword.len()).is_some_and(|it| it.eq_ignore_ascii_case(keyword));
    let fits = match verb {
        Verb::Mail | Verb::Send | Verb::Soml | Verb::Saml => begins(b"FROM:"),
        Verb::Rcpt => begins(b"TO:"),
        Verb::Data | Verb::Rset | Verb::Quit | Verb::StartTls | Verb::Turn => argument.is_empty(),
        Verb::Bdat => argument.first().is_some_and(u8::is_ascii_digit),
        // One word, or none.
        Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Help | Verb::Noop => !argument.contains(&b' '),
        _ => true,
    };
    fits.then_some(verb)
}

/// Whether the last whole line is a reply that asks the client for something that is no command: 354 (RFC 5321 §4.1.1.4)
/// or 334 (RFC 4954 §4).
fn asks(server: &[u8]) -> bool {
    let mut lines = server.split_inclusive(|&octet| octet == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.next_back().is_some_and(|line| matches!(line, [b'3', b'5' | b'3', b'4', b' ' | b'\r' | b'\n', ..]))
}

/// Whether a reply asks for a message in words that only servers of mail have: RFC 5321 §4.2.2 has "Start mail input; end
/// with <CRLF>.<CRLF>", others name the period as well.
pub(crate) fn asks_for_message(server: &[u8]) -> bool {
    server.split(|&octet| octet == b'\n').any(|line| {
        let names = |words: &[u8]| line.windows(words.len()).any(|at| at.eq_ignore_ascii_case(words));
        let tells: [&[u8]; 6] = [b"<CRLF>", b"<CR><LF>", b"\".\"", b"mail", b"message", b"data"];
        matches!(line, [b'3', b'5', b'4', b' ', ..]) && tells.into_iter().any(names)
    })
}

/// Whether a message was taken in the way of mail: RFC 5321 §4.2.3, "250 Requested mail action okay, completed".
pub(crate) fn takes(server: &[u8]) -> bool {
    has_code(server, b"250")
}

fn has_code(server: &[u8], code: &[u8]) -> bool {
    server.split(|&octet| octet == b'\n').any(|line| line.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick_up(said: &[Said<'_>], is_final: bool) -> PickUp {
        let of_client = |said: &Said<'_>| match *said {
            Said::Client(octets) => octets.to_vec(),
            Said::Server(_) | Said::Gap => Vec::new(),
        };
        let client: Vec<u8> = said.iter().flat_map(of_client).collect();
        PickUp::of(&client, said.iter().copied(), false, is_final)
    }

    const OK: Said<'_> = Said::Server(b"250 2.0.0 Ok\r\n");

    /// RFC 5321 §3.3: between 354 and the end of data nothing is a command, whatever it reads like.
    #[test]
    fn what_a_message_quotes_is_no_command() {
        let text = b"so\r\nQUIT\r\nMAIL FROM:<a@b>\r\nthen\r\nDATA\r\n".as_slice();
        assert_eq!(pick_up(&[Said::Client(text)], false), PickUp::Unknown);
        assert_eq!(pick_up(&[Said::Client(text)], true), PickUp::Unknown);
        assert_eq!(pick_up(&[Said::Client(text), OK], false), PickUp::Unknown, "a reply in the middle");
        let ended = [Said::Client(text), Said::Client(b"t\r\n.\r\nQUIT\r\n"), OK];
        assert_eq!(pick_up(&ended, false), PickUp::Message { from: 0 });
        let dialogue = b"say\r\nMAIL FROM:<a@b>\r\nDATA\r\ntext\r\n.\r\n";
        assert_eq!(pick_up(&[Said::Client(dialogue), OK], false), PickUp::Message { from: 0 });
        let go = Said::Server(b"250 ok\r\n354 go\r\n250 ok\r\n");
        let commands = PickUp::Commands { from: 5, lost: true };
        assert_eq!(pick_up(&[Said::Client(dialogue), go], false), commands, "content that did not wait for it");
        let quoted = [Said::Client(b"a\r\nb\r\n.\r\nno command\r\n"), OK];
        assert_eq!(pick_up(&quoted, false), PickUp::Unknown, "a chunk, which may have any line in it");
    }

    #[test]
    fn commands_are_read_from_the_first_whole_one_on() {
        let envelope = b"RCPT TO:<c@d>\r\nDATA\r\n".as_slice();
        assert_eq!(pick_up(&[Said::Client(envelope)], false), PickUp::Unknown, "the server has yet to speak");
        assert_eq!(pick_up(&[Said::Client(envelope), OK], false), PickUp::Commands { from: 0, lost: false });
        assert_eq!(pick_up(&[Said::Client(envelope)], true), PickUp::Commands { from: 0, lost: false });
        let partial = [Said::Client(b"a@b>\r\n"), Said::Client(envelope), OK];
        assert_eq!(pick_up(&partial, false), PickUp::Commands { from: 6, lost: true });
        let lost = [Said::Client(b"text\r\ntext\r\n"), Said::Gap, Said::Client(b"b>\r\n"), Said::Client(envelope), OK];
        assert_eq!(pick_up(&lost, false), PickUp::Commands { from: 16, lost: true });
        let before = [Said::Client(envelope), Said::Gap, Said::Client(b"text\r\n")];
        assert_eq!(pick_up(&before, true), PickUp::Commands { from: 0, lost: false });
    }

    #[test]
    fn what_the_server_asks_for_is_not_read_as_commands() {
        let go = Said::Server(b"354 go\r\n");
        assert_eq!(pick_up(&[go, Said::Client(b"MAIL FROM:<a@b>\r\n")], false), PickUp::Asked { from: 0 });
        let exchange = [Said::Client(b"Ym9i\r\n"), Said::Server(b"33"), Said::Server(b"4 UGFzcw==\r\n")];
        assert_eq!(pick_up(&exchange, false), PickUp::Asked { from: 6 });
        let data = [Said::Client(b"DATA\r\n"), go];
        assert_eq!(pick_up(&data, false), PickUp::Commands { from: 0, lost: false });
    }

    /// A turn that cannot be told does not hide the next one.
    #[test]
    fn the_next_turn_is_as_good() {
        let said = [Said::Client(b"text\r\ntext\r\n"), OK, Said::Client(b"QUIT\r\n"), OK];
        assert_eq!(pick_up(&said, false), PickUp::Commands { from: 12, lost: false });
    }

    #[test]
    fn what_may_be_needed_is_kept() {
        assert_eq!(needed_from(b"text\r\nmore\r\n.\r\nQUIT\r\n"), 10);
        assert_eq!(needed_from(b"text\r\nmore\r\npart"), 10);
        assert_eq!(needed_from(&[b'x'; 5000]), 4000, "a line without end");
    }

    #[test]
    fn a_message_has_lines() {
        let reads = |text: &str| reads_like_message(text.as_bytes());
        assert!(reads("text\r\n\r\n\u{1b}$B\r\npart") && reads(&"x".repeat(1000)));
        assert!(!reads("<p>\n") && !reads("a\0\r\n") && !reads(&"x".repeat(1001)));
    }

    #[test]
    fn a_text_with_a_verb_is_no_command() {
        for line in ["MAIL me", "DATA is", "Help me please", "Data", "noop it is then", "RCPT x"] {
            assert_eq!(are_commands(format!("{line}\r\n").as_bytes()), line == "Data", "{line}");
        }
        assert!(!are_commands(b"QUIT"), "no whole line");
    }
}
