//! How a side talks: what each of its lines shows.

use memchr::memchr;
use smtp_parser::Verb;

/// Where the octets that are judged stand in their stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    AtStart,
    /// The first line may lack its beginning; the one behind it counts as the first.
    Midstream,
    /// In a text of many lines, of which none is one of a dialogue.
    AmidText,
    /// It is worthwhile to pass over more lines, which may be those of a message, of the side that talks to such a port.
    MidstreamOnMailPort {
        is_own: bool,
    },
}

impl Begins {
    fn is_on_mail_port(self) -> bool {
        matches!(self, Self::MidstreamOnMailPort { .. })
    }
}

/// How a side talks, by its lines so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) manner: Manner,
    /// Replies that have ended.
    pub(super) replies: usize,
    /// One of them has an enhanced status code (RFC 2034), as those of mail alone do.
    pub(super) is_of_mail: bool,
    /// One of its lines, or of its replies, is one of another protocol; among those that a message may quote.
    pub(super) quotes_others: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Silent,
    /// Too little to say.
    Unclear,
    /// A verb that SMTP or LMTP alone have.
    MailVerb,
    /// A verb that other protocols have too.
    CommonVerb,
    /// Three digits, as in SMTP, FTP, NNTP.
    Reply,
    /// A 220, 421 or 554 whose text names SMTP, or has an enhanced status code.
    MailGreeting,
    /// Words that are no verb of mail.
    Words,
    /// Those of another protocol.
    Foreign,
    /// No dialogue in lines.
    Binary,
}

impl Side {
    /// `breaks`: where octets are missing in between.
    pub(super) fn of(octets: &[u8], breaks: &[usize], begins: Begins, is_final: bool) -> Self {
        let mut side = Self { manner: Manner::Unclear, replies: 0, is_of_mail: false, quotes_others: false };
        if octets.is_empty() {
            return Self { manner: Manner::Silent, ..side };
        }
        if begins == Begins::AmidText {
            return Self { manner: Manner::Words, ..side };
        }
        // RFC 8446 §5.1: a record of TLS, whose handshake was not captured.
        if begins != Begins::AtStart && matches!(octets, [20..=23, 3, 0..=4, ..]) {
            return Self { manner: Manner::Binary, ..side };
        }
        let mut from = 0;
        let mut is_first = true;
        for (piece, end) in breaks.iter().copied().chain([octets.len()]).enumerate() {
            let mut rest = octets.get(from..end).unwrap_or_default();
            // What is missing may have ended the line before it, and begun the one behind it.
            let mut may_lack_beginning = piece > 0;
            while side.manner != Manner::MailVerb && !rest.is_empty() {
                let (line, terminated) = match memchr(b'\n', rest) {
                    Some(at) => {
                        let line = rest.get(..at).unwrap_or_default();
                        rest = rest.get(at + 1..).unwrap_or_default();
                        (line, true)
                    }
                    None => (std::mem::take(&mut rest), is_final),
                };
                may_lack_beginning |= is_first && begins == Begins::Midstream;
                side.hear(line, terminated, begins, may_lack_beginning);
                (is_first, may_lack_beginning) = (false, false);
            }
            from = end;
        }
        side
    }

    fn hear(&mut self, line: &[u8], terminated: bool, begins: Begins, may_lack_beginning: bool) {
        let mut manner = Manner::of_line(line, terminated, begins != Begins::AtStart);
        if may_lack_beginning && matches!(manner, Manner::Words | Manner::Foreign) {
            manner = Manner::Unclear;
        }
        if begins.is_on_mail_port() && manner == Manner::Foreign {
            manner = Manner::Words;
            self.quotes_others = true;
        }
        let word = line.split(|octet| matches!(octet, b' ' | b'\r')).next().unwrap_or_default();
        self.quotes_others |=
            begins.is_on_mail_port() && NNTP_VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()));
        let is_reply = matches!(manner, Manner::Reply | Manner::MailGreeting);
        let code = line.get(..3).unwrap_or_default();
        self.replies += usize::from(terminated && is_reply && line.get(3) != Some(&b'-'));
        self.quotes_others |= is_reply && (code.starts_with(b"1") || NNTP_REPLIES.contains(&code));
        let text = line.get(4..).unwrap_or_default();
        self.is_of_mail |= terminated && is_reply && smtp_parser::EnhancedCode::parse(text).is_some();
        // What is sent to a port of mail may be a message, which quotes whatever it likes.
        let is_foreign = is_reply
            && begins != (Begins::MidstreamOnMailPort { is_own: false })
            && match self.manner {
                Manner::Unclear if begins == Begins::AtStart => NNTP_GREETINGS.contains(&code),
                Manner::Unclear => begins.is_on_mail_port() && FTP_REPLIES.contains(&code),
                Manner::Reply | Manner::MailGreeting => FTP_REPLIES.contains(&code),
                _ => false,
            };
        self.manner = match (self.manner, manner) {
            _ if is_foreign => Manner::Foreign,
            (Manner::Unclear, other) => other,
            // A common verb first, such as NOOP, then one that decides. A reply stays one. Among words whose beginning was
            // not captured it may be quoted.
            (Manner::CommonVerb, Manner::MailVerb) => Manner::MailVerb,
            (Manner::Words, Manner::MailVerb) if begins != Begins::Midstream => Manner::MailVerb,
            // Behind the lines of a message, or the rest of a reply.
            (Manner::Words, Manner::CommonVerb) if begins.is_on_mail_port() && line.len() <= ALONE => {
                Manner::CommonVerb
            }
            (Manner::Words, other) if begins.is_on_mail_port() && is_reply => other,
            (before, _) => before,
        };
    }
}

impl Manner {
    fn of_line(line: &[u8], terminated: bool, is_midstream: bool) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Self::Unclear;
        }
        if let Some((code, text)) = line.split_at_checked(3)
            && code.iter().all(u8::is_ascii_digit)
            && matches!(text.first(), None | Some(b' ' | b'\t' | b'-'))
        {
            return Self::of_reply(code, text, terminated);
        }
        let word_end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
        let (word, argument) = line.split_at_checked(word_end).unwrap_or((line, &[]));
        if let Some(verb) = Verb::parse(word) {
            let manner = Self::of_verb(verb, argument.trim_ascii());
            // A verb of mail proves it before the line ends, whatever its argument holds.
            if terminated || (manner == Self::MailVerb && !argument.is_empty()) {
                return manner;
            }
        }
        if !line.iter().all(|&octet| octet >= b' ' || octet == b'\t') {
            // The text of a message may have controls, such as the escapes of ISO-2022-JP, but no NUL (RFC 5321 §2.3.7).
            return if is_midstream && memchr(0, line).is_none() { Self::Words } else { Self::Binary };
        }
        if !terminated {
            return match line.len() < LONGEST_FIRST_LINE {
                true => Self::Unclear,
                false if is_midstream => Self::Words,
                false => Self::Binary,
            };
        }
        let is_foreign = FOREIGN_VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()))
            || FOREIGN_BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
            || !is_midstream && !word.first().is_some_and(u8::is_ascii_alphabetic);
        if is_foreign { Self::Foreign } else { Self::Words }
    }

    /// Which verbs prove mail. STARTTLS does not: NNTP (RFC 4642) and ManageSieve (RFC 5804) have it as well. SEND, SOML
    /// and SAML are words that others may use; with FROM they are mail's.
    fn of_verb(verb: Verb, argument: &[u8]) -> Self {
        let begins_with =
            |keyword: &[u8]| argument.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword));
        let is_mail = match verb {
            Verb::Mail | Verb::Send | Verb::Soml | Verb::Saml => begins_with(b"FROM"),
            Verb::Rcpt => begins_with(b"TO"),
            // RFC 4217 §4: how FTP asks for TLS.
            Verb::Auth if begins_with(b"TLS") || begins_with(b"SSL") => return Self::Foreign,
            Verb::Data
            | Verb::Rset
            | Verb::Vrfy
            | Verb::Help
            | Verb::Noop
            | Verb::Quit
            | Verb::StartTls
            | Verb::Auth
            | Verb::Turn => false,
            _ => true,
        };
        if is_mail { Self::MailVerb } else { Self::CommonVerb }
    }

    /// RFC 5321 §4.2: `Greeting = ( "220 " ( Domain / address-literal ) [ SP textstring ] CRLF )`. The name of a host
    /// says less than the words behind it: there is mail at `ftp.example.net`.
    fn of_reply(code: &[u8], text: &[u8], terminated: bool) -> Self {
        let opens = matches!(code, b"220" | b"421" | b"554");
        if opens {
            let names = |name: &[u8], by_host: bool| {
                text.split(|&octet| octet == b' ')
                    .filter(|word| by_host || !is_like_host(word))
                    .any(|word| word.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name)))
            };
            let mail = |by_host| names(b"SMTP", by_host) || names(b"LMTP", by_host);
            // Enhanced status codes (RFC 2034) are of mail alone.
            let is_enhanced = terminated && smtp_parser::EnhancedCode::parse(text.trim_ascii_start()).is_some();
            match (mail(false), names(b"FTP", false)) {
                (false, true) if terminated => return Self::Foreign,
                (false, true) | (true, true) => {}
                (true, false) => return Self::MailGreeting,
                (false, false) if is_enhanced || (mail(true) && !names(b"FTP", true)) => return Self::MailGreeting,
                (false, false) => {}
            }
        }
        if terminated || text.len() > 1 { Self::Reply } else { Self::Unclear }
    }
}

/// Octets before the first line of a server that can be one of a reply.
pub(crate) fn first_reply(octets: &[u8]) -> usize {
    let is_reply = |manner| matches!(manner, Manner::Reply | Manner::MailGreeting);
    before_line(octets, |line, terminated| is_reply(Manner::of_line(line, terminated, true)))
}

/// Octets before the first such line; none where there is no such line.
fn before_line(octets: &[u8], is_such: impl Fn(&[u8], bool) -> bool) -> usize {
    let mut from = 0;
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        let text = line.strip_suffix(b"\n");
        if is_such(text.unwrap_or(line), text.is_some()) {
            return from;
        }
        from += line.len();
    }
    0
}

/// `mx.example.net`, but not `8.17.1/8.17.1;`.
fn is_like_host(word: &[u8]) -> bool {
    word.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-')) && word.contains(&b'.')
}

/// What clients of other protocols say first: FTP, POP3, HTTP, NNTP, IRC.
const FOREIGN_VERBS: [&str; 19] = [
    "USER",
    "PASS",
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "CAPA",
    "MODE",
    "FEAT",
    "OPTIONS",
    "NICK",
    "DELETE",
    "PATCH",
    "TRACE",
    "CONNECT",
    "CAPABILITIES",
    "AUTHINFO",
    "SYST",
    "STLS",
];
/// RFC 4253 §4.2; RFC 9112 §2.3.
const FOREIGN_BEGINNINGS: [&[u8]; 2] = [b"SSH-", b"HTTP/"];
/// RFC 3977 §5.1: posting allowed, posting prohibited.
const NNTP_GREETINGS: [&[u8]; 2] = [b"200", b"201"];
/// RFC 3977 appendix B and RFC 2980 §2.8, beside those above: what is said once a group is chosen. Many are words as well.
const NNTP_VERBS: [&str; 7] = ["GROUP", "LISTGROUP", "ARTICLE", "OVER", "XOVER", "HDR", "IHAVE"];
/// RFC 3977 appendix C and RFC 4644 §2: those of 2yz that SMTP does not have. It has no 1yz either.
const NNTP_REPLIES: [&[u8]; 14] =
    [b"200", b"201", b"203", b"205", b"215", b"222", b"223", b"224", b"225", b"230", b"231", b"238", b"239", b"240"];
/// RFC 959 §4.2.2, RFC 2428 §3, RFC 4217 §4: replies to what FTP's clients say first that SMTP does not have.
const FTP_REPLIES: [&[u8]; 12] =
    [b"125", b"150", b"215", b"226", b"227", b"229", b"230", b"234", b"257", b"331", b"332", b"350"];
/// A verb of four letters and CR.
const ALONE: usize = 5;
/// A first line longer than this that has not ended is not one of a dialogue in lines.
const LONGEST_FIRST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets on both sides of a gap are no word, and the line behind it may lack its beginning.
    #[test]
    fn what_a_gap_stands_in_is_not_joined() {
        let manner = |octets: &[u8], breaks: &[usize]| Side::of(octets, breaks, Begins::AtStart, true).manner;
        assert_eq!(manner(b"EHLO a\r\n", &[]), Manner::MailVerb);
        for at in 1..4 {
            assert_ne!(manner(b"EHLO a\r\n", &[at]), Manner::MailVerb, "{at}");
            assert_ne!(manner(b"220 a ESMTP\r\n", &[at]), Manner::MailGreeting, "{at}");
        }
        assert_eq!(manner(b"mple.org\r\nMAIL FROM:<a@b>\r\n", &[0]), Manner::MailVerb);
        assert_eq!(manner(b"EHLO a\r\nple\r\n", &[8]), Manner::MailVerb);
    }

    #[test]
    fn before_the_first_unambiguous_line() {
        assert_eq!(first_reply(b"eued\r\n250 ok\r\n"), 6);
    }
}
