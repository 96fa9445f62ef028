//! Is this connection mail, and which side is the client? Found out from what the sides say, on any port.
//!
//! A 220 opens FTP connections too, and QUIT closes half of the protocols there are: a connection counts as SMTP when a
//! verb that only SMTP and LMTP have is spoken, or when reply and greeting leave no doubt. Until then its octets are
//! kept, up to a limit.

use memchr::memchr;

/// What the first octets of a connection show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// SMTP or LMTP; the first argument's side is the client.
    Smtp(Speaker),
    /// TLS from the first octet, to a port that is for mail.
    ImplicitTls(Speaker),
    /// Something else.
    Other,
    /// Not yet to be told.
    Undecided,
}

/// A side of a connection whose roles are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The one that opened the connection.
    Originator,
    /// The one that was called.
    Responder,
}

/// The first octets of both sides, and what else is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) from_originator: &'a [u8],
    pub(crate) from_responder: &'a [u8],
    pub(crate) originator_port: u16,
    pub(crate) responder_port: u16,
    /// No more octets will come, or no more are kept.
    pub(crate) is_final: bool,
}

impl Evidence<'_> {
    /// The verdict on what is known so far.
    pub(crate) fn judge(&self) -> Verdict {
        let originator = Manner::of(self.from_originator, self.is_final);
        let responder = Manner::of(self.from_responder, self.is_final);
        let responder_is_mail = MAIL_PORTS.contains(&self.responder_port);
        let originator_is_mail = MAIL_PORTS.contains(&self.originator_port);
        let as_client = |client: Manner, server: Manner, mail_port: bool, who| match (client, server) {
            (Manner::MailVerb, Manner::Reply | Manner::MailGreeting | Manner::Silent) => Some(Verdict::Smtp(who)),
            // A server that greets as one of mail is one, whatever is said to it.
            (Manner::CommonVerb | Manner::Words | Manner::Foreign, Manner::MailGreeting) => Some(Verdict::Smtp(who)),
            (Manner::CommonVerb, Manner::Reply) if mail_port => Some(Verdict::Smtp(who)),
            (Manner::Silent | Manner::Unclear, Manner::MailGreeting) if self.is_final => Some(Verdict::Smtp(who)),
            (Manner::Silent, Manner::Reply) if self.is_final && mail_port => Some(Verdict::Smtp(who)),
            _ => None,
        };
        if let Some(verdict) = as_client(originator, responder, responder_is_mail, Speaker::Originator)
            .or_else(|| as_client(responder, originator, originator_is_mail, Speaker::Responder))
        {
            return verdict;
        }
        if let Some(verdict) = self.judge_tls() {
            return verdict;
        }
        let foreign = |manner| matches!(manner, Manner::Foreign | Manner::Words);
        if self.is_final || foreign(originator) || foreign(responder) { Verdict::Other } else { Verdict::Undecided }
    }

    /// Nothing that TLS shows proves mail, neither names nor certificates, so its port must: 465 is for mail in TLS
    /// alone. On 25 and 587, which are for mail as well, it is mail in TLS if both sides speak TLS; a server that greets
    /// in plain is judged by its greeting.
    fn judge_tls(&self) -> Option<Verdict> {
        let (originator, responder) = (Hello::of(self.from_originator), Hello::of(self.from_responder));
        if originator == Hello::No && responder == Hello::No {
            return None;
        }
        let unless_final = if self.is_final { Verdict::Other } else { Verdict::Undecided };
        // A reply may be a greeting of mail to the end of its line.
        let has_spoken = |octets: &[u8]| match Manner::of(octets, self.is_final) {
            Manner::Silent | Manner::Unclear => false,
            Manner::Reply => memchr(b'\n', octets).is_some(),
            _ => true,
        };
        let toward = |port: u16, client: Hello, server: Hello, from_server: &[u8], who| match port {
            SMTPS if client == Hello::Yes || server == Hello::Yes => Some(Verdict::ImplicitTls(who)),
            SMTPS => Some(unless_final),
            SMTP | SUBMISSION if client == Hello::Yes && server == Hello::Yes => Some(Verdict::ImplicitTls(who)),
            SMTP | SUBMISSION if client != Hello::No && (server != Hello::No || !has_spoken(from_server)) => {
                Some(unless_final)
            }
            _ => None,
        };
        toward(self.responder_port, originator, responder, self.from_responder, Speaker::Originator)
            .or_else(|| toward(self.originator_port, responder, originator, self.from_originator, Speaker::Responder))
            .or_else(|| [originator, responder].contains(&Hello::Yes).then_some(Verdict::Other))
    }
}

/// Whether a side begins with a handshake of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    No,
    /// There are too few octets to say.
    Perhaps,
    Yes,
}

impl Hello {
    /// RFC 8446 §5.1: a TLS record begins with its type, 22 for the handshake and 21 for an alert, and a version whose
    /// first octet is 3. RFC 5246 appendix E.2: a ClientHello of SSL 2.0 with a length whose highest bit is set, the type
    /// 1 and a version.
    fn of(octets: &[u8]) -> Self {
        match octets {
            [21 | 22, 3, ..] | [0x80..=0xff, _, 1, 0 | 3, ..] => Self::Yes,
            [21 | 22] | [0x80..=0xff] | [0x80..=0xff, _] | [0x80..=0xff, _, 1] => Self::Perhaps,
            _ => Self::No,
        }
    }
}

/// RFC 6409 §3.1 and RFC 5321 §4.5.4.2.
const SUBMISSION: u16 = 587;
const SMTP: u16 = 25;
/// RFC 8314 §7.3.
const SMTPS: u16 = 465;
/// Submission (RFC 6409), relay, LMTP as commonly configured, and two that providers offer beside 25.
const MAIL_PORTS: [u16; 6] = [24, 25, 26, 465, 587, 2525];

/// How a side talks, by its lines so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
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
    /// No dialogue in lines, or that of another protocol.
    Foreign,
}

impl Manner {
    fn of(octets: &[u8], is_final: bool) -> Self {
        if octets.is_empty() {
            return Self::Silent;
        }
        let mut manner = Self::Unclear;
        let mut rest = octets;
        while manner != Self::MailVerb && !rest.is_empty() {
            let (line, terminated) = match memchr(b'\n', rest) {
                Some(at) => {
                    let line = rest.get(..at).unwrap_or_default();
                    rest = rest.get(at + 1..).unwrap_or_default();
                    (line, true)
                }
                None => (std::mem::take(&mut rest), is_final),
            };
            let of_line = Self::of_line(line, terminated);
            manner = match (manner, of_line) {
                (Self::Unclear, other) => other,
                // A common verb first, such as NOOP, then one that decides. A reply stays one.
                (Self::CommonVerb | Self::Words, Self::MailVerb) => Self::MailVerb,
                (before, _) => before,
            };
        }
        manner
    }

    fn of_line(line: &[u8], terminated: bool) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Self::Unclear;
        }
        let word_end = line.iter().position(|octet| matches!(octet, b' ' | b'\t' | b'-')).unwrap_or(line.len());
        let (word, argument) = line.split_at_checked(word_end).unwrap_or((line, &[]));
        if word.len() == 3 && word.iter().all(u8::is_ascii_digit) {
            return Self::of_reply(word, argument, terminated);
        }
        if !terminated {
            let printable = line.iter().all(|&octet| octet >= b' ' || octet == b'\t');
            return if printable && line.len() < LONGEST_FIRST_LINE { Self::Unclear } else { Self::Foreign };
        }
        let argument = argument.trim_ascii();
        let is = |verb: &str| word.eq_ignore_ascii_case(verb.as_bytes());
        let path_follows = |keyword: &str| {
            argument.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword.as_bytes()))
        };
        if ["EHLO", "HELO", "LHLO", "STARTTLS", "BDAT", "XCLIENT", "XFORWARD", "EXPN"].iter().any(|verb| is(verb))
            || (is("MAIL") && path_follows("FROM"))
            || (is("RCPT") && path_follows("TO"))
        {
            return Self::MailVerb;
        }
        if ["QUIT", "NOOP", "RSET", "HELP", "AUTH", "DATA", "VRFY", "ETRN", "MAIL", "RCPT"].iter().any(|verb| is(verb))
        {
            return Self::CommonVerb;
        }
        let is_text = line.iter().all(|&octet| octet >= b' ' || octet == b'\t');
        let is_word = word.first().is_some_and(u8::is_ascii_alphabetic);
        if is_text && is_word && !FOREIGN_VERBS.iter().any(|verb| is(verb)) { Self::Words } else { Self::Foreign }
    }

    fn of_reply(code: &[u8], text: &[u8], terminated: bool) -> Self {
        let opens = matches!(code, b"220" | b"421" | b"554");
        let names = |name: &[u8]| text.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name));
        // Enhanced status codes (RFC 2034) are of mail alone.
        let is_enhanced = terminated && smtp_parser::EnhancedCode::parse(text.trim_ascii_start()).is_some();
        if opens && (names(b"SMTP") || names(b"LMTP") || is_enhanced) {
            return Self::MailGreeting;
        }
        if opens && names(b"FTP") {
            return Self::Foreign;
        }
        if terminated || text.len() > 1 { Self::Reply } else { Self::Unclear }
    }
}

/// What clients of other protocols say first.
const FOREIGN_VERBS: [&str; 12] =
    ["USER", "PASS", "GET", "POST", "HEAD", "PUT", "CAPA", "MODE", "FEAT", "OPTIONS", "SSH", "NICK"];
/// A first line longer than this that has not ended is not one of a dialogue in lines.
const LONGEST_FIRST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(originator: &str, responder: &str, responder_port: u16, is_final: bool) -> Verdict {
        Evidence {
            from_originator: originator.as_bytes(),
            from_responder: responder.as_bytes(),
            originator_port: 40_000,
            responder_port,
            is_final,
        }
        .judge()
    }

    #[test]
    fn mail_on_any_port() {
        let smtp = Verdict::Smtp(Speaker::Originator);
        assert_eq!(judge("EHLO a\r\n", "220 b\r\n", 8025, false), smtp);
        assert_eq!(judge("LHLO a\r\n", "", 8025, false), smtp, "one side captured");
        assert_eq!(judge("QUIT\r\n", "220 b ESMTP\r\n", 8025, false), smtp);
        assert_eq!(judge("", "220 b ESMTP\r\n", 8025, true), smtp, "banner only");
        assert_eq!(judge("250 ok\r\n", "MAIL FROM:<a@b>\r\n", 40_001, false), Verdict::Smtp(Speaker::Responder));
    }

    #[test]
    fn undecided_while_it_can_still_become_mail() {
        assert_eq!(judge("", "220 b ESMTP\r\n", 25, false), Verdict::Undecided);
        assert_eq!(judge("EH", "220 b\r\n", 25, false), Verdict::Undecided);
        assert_eq!(judge("NOOP\r\n", "220 b\r\n", 8025, false), Verdict::Undecided);
    }

    #[test]
    fn other_protocols_are_no_mail() {
        for (client, server, port) in [
            ("USER joe\r\n", "220 (vsFTPd 3.0.3)\r\n", 21),
            ("USER joe\r\n", "220 ready\r\n", 21),
            ("USER joe\r\n", "+OK ready\r\n", 110),
            ("a1 LOGIN joe x\r\n", "* OK IMAP4rev1\r\n", 143),
            ("GET / HTTP/1.1\r\n", "", 80),
            ("MODE READER\r\n", "200 news\r\n", 119),
            ("SSH-2.0-x\r\n", "SSH-2.0-y\r\n", 22),
            ("\u{1}\u{2}\u{3}\n", "", 25),
        ] {
            assert_eq!(judge(client, server, port, false), Verdict::Other, "{client}");
        }
    }

    /// RFC 8314 §7.3: 465 is "submissions". RFC 8446 §5.1: a record of a handshake begins with 22 and 3.
    #[test]
    fn tls_from_the_first_octet_is_mail_on_its_port_only() {
        let hello = "\u{16}\u{3}\u{1}";
        assert_eq!(judge(hello, "", 465, false), Verdict::ImplicitTls(Speaker::Originator));
        assert_eq!(judge("", hello, 465, false), Verdict::ImplicitTls(Speaker::Originator), "one side captured");
        assert_eq!(judge("\u{16}", "", 465, false), Verdict::Undecided, "its first octet alone");
        for port in [443, 993, 995, 2525, 8025] {
            assert_eq!(judge(hello, hello, port, false), Verdict::Other, "{port}");
        }
    }

    #[test]
    fn tls_on_the_other_ports_of_mail_must_be_spoken_by_both_sides() {
        let hello = "\u{16}\u{3}\u{1}";
        for port in [25, 587] {
            assert_eq!(judge(hello, "", port, false), Verdict::Undecided);
            assert_eq!(judge(hello, "", port, true), Verdict::Other);
            assert_eq!(judge(hello, hello, port, false), Verdict::ImplicitTls(Speaker::Originator));
            assert_eq!(judge(hello, "\u{15}\u{3}\u{3}", port, false), Verdict::ImplicitTls(Speaker::Originator));
            assert_eq!(judge(hello, "220 b ES", port, false), Verdict::Undecided);
            assert_eq!(judge(hello, "220 b ESMTP\r\n", port, false), Verdict::Smtp(Speaker::Originator));
            assert_eq!(judge(hello, "SSH-2.0-y\r\n", port, false), Verdict::Other);
        }
    }

    /// RFC 5246 appendix E.2.
    #[test]
    fn a_hello_of_ssl_2_is_one_of_tls() {
        let evidence = |port| Evidence {
            from_originator: &[0x80, 46, 1, 3, 1],
            from_responder: b"",
            originator_port: 40_000,
            responder_port: port,
            is_final: false,
        };
        assert_eq!(evidence(465).judge(), Verdict::ImplicitTls(Speaker::Originator));
        assert_eq!(evidence(443).judge(), Verdict::Other);
    }
}
