//! Is this connection mail, and which side is the client? Found out from what the sides say, on any port.
//!
//! A 220 opens FTP connections too, and QUIT closes half of the protocols there are: a connection counts as SMTP when a
//! verb that only SMTP and LMTP have is spoken, or when reply and greeting leave no doubt. Until then its octets are
//! kept, up to a limit.

mod manner;

pub(crate) use manner::first_reply;
use manner::{Begins, Manner, Side};
use memchr::memchr;

use crate::pickup::{PickUp, asks_for_message, takes};

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
    pub(crate) from_originator: Heard<'a>,
    pub(crate) from_responder: Heard<'a>,
    pub(crate) originator_port: u16,
    pub(crate) responder_port: u16,
    /// The first octets are the first of the dialogue; else they may be the middle of a line, or of a message.
    pub(crate) from_start: bool,
    /// No more octets will come, or no more are kept.
    pub(crate) is_final: bool,
}

/// The first octets of a side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) octets: &'a [u8],
    /// Where octets are missing in between.
    pub(crate) breaks: &'a [usize],
    /// Text before them, which may be that of a message, was passed over.
    pub(crate) is_amid_text: bool,
    /// Where it can be read as a client, if these are not the first octets of the dialogue.
    pub(crate) pick_up: PickUp,
}

impl Evidence<'_> {
    /// The verdict on what is known so far.
    pub(crate) fn judge(&self) -> Verdict {
        let originator = self.side(self.from_originator, self.originator_port);
        let responder = self.side(self.from_responder, self.responder_port);
        let (calls, is_called) = (self.from_originator, self.from_responder);
        if let Some(verdict) = self
            .as_client(calls, is_called, originator, responder, Speaker::Originator)
            .or_else(|| self.as_client(is_called, calls, responder, originator, Speaker::Responder))
            .or_else(|| self.judge_tls())
        {
            return verdict;
        }
        if self.is_final
            || self.is_settled(originator, responder, self.responder_port)
            || self.is_settled(responder, originator, self.originator_port)
        {
            Verdict::Other
        } else {
            Verdict::Undecided
        }
    }

    /// Mail, if these are a client and a server of it.
    fn as_client(&self, heard: Heard, answer: Heard, client: Side, server: Side, who: Speaker) -> Option<Verdict> {
        let on_mail_port = is_mail_port(match who {
            Speaker::Originator => self.responder_port,
            Speaker::Responder => self.originator_port,
        });
        let mut manner = client.manner;
        // A greeting of mail begins a dialogue, even if no handshake was captured.
        if !self.from_start && server.manner != Manner::MailGreeting {
            let is_reply = server.manner == Manner::Reply;
            let asks = is_reply && (on_mail_port || asks_for_message(answer.octets));
            manner = match heard.pick_up {
                PickUp::Commands { from, .. } => {
                    let octets = heard.octets.get(from..).unwrap_or_default();
                    Side::of(octets, &[], Begins::AtStart, self.is_final).manner
                }
                // What nothing but mail says: the end of data and then a code that news has not.
                PickUp::Message { .. } if is_reply && (on_mail_port || server.is_of_mail || takes(answer.octets)) => {
                    Manner::MailVerb
                }
                PickUp::Asked { .. } if asks || (is_reply && server.is_of_mail) => Manner::MailVerb,
                _ if heard.octets.is_empty() => Manner::Silent,
                // One side is captured: on a port of mail an end of data is one.
                PickUp::Message { .. } if self.is_final && on_mail_port => Manner::MailVerb,
                // Whatever the client says there, the server answers as one of mail.
                _ if self.is_final && is_reply && !(client.quotes_others && server.quotes_others) => Manner::Silent,
                _ => Manner::Unclear,
            };
            if manner == Manner::CommonVerb && (asks || server.is_of_mail) {
                manner = Manner::MailVerb;
            }
        }
        let is_mail = match (manner, server.manner) {
            (Manner::MailVerb, Manner::Reply | Manner::MailGreeting | Manner::Silent) => true,
            (Manner::MailVerb, Manner::Unclear) => self.is_final,
            // A server that greets as one of mail is one, whatever is said to it …
            (Manner::CommonVerb | Manner::Binary, Manner::MailGreeting) => true,
            // … unless it answers as one of another protocol.
            (Manner::Words | Manner::Foreign, Manner::MailGreeting) => server.replies > 1 || self.is_final,
            (Manner::CommonVerb, Manner::Reply) => on_mail_port,
            (Manner::CommonVerb, Manner::Silent) => !self.from_start && self.is_final && on_mail_port,
            (Manner::Silent | Manner::Unclear, Manner::MailGreeting) => self.is_final,
            (Manner::Silent, Manner::Reply) => self.is_final && on_mail_port,
            _ => false,
        };
        is_mail.then_some(Verdict::Smtp(who))
    }

    /// Whether a side shows that it is not mail, whatever comes. What is said to a server of mail does not, and one on a
    /// port of mail may yet prove to be one.
    fn is_settled(&self, side: Side, other: Side, other_port: u16) -> bool {
        let may_be_answered = other.manner == Manner::MailGreeting
            || (self.from_start && is_mail_port(other_port) && other.manner == Manner::Silent);
        match side.manner {
            Manner::Binary => true,
            Manner::Foreign => !may_be_answered,
            Manner::Words => !may_be_answered && self.from_start && !self.on_mail_port(),
            _ => false,
        }
    }

    fn on_mail_port(&self) -> bool {
        is_mail_port(self.originator_port) || is_mail_port(self.responder_port)
    }

    fn side(&self, heard: Heard, port: u16) -> Side {
        let begins = match (self.from_start, self.on_mail_port()) {
            (true, _) => Begins::AtStart,
            (false, false) if heard.is_amid_text => Begins::AmidText,
            (false, false) => Begins::Midstream,
            (false, true) => Begins::MidstreamOnMailPort { is_own: is_mail_port(port) },
        };
        Side::of(heard.octets, heard.breaks, begins, self.is_final)
    }

    /// Nothing that TLS shows proves mail, neither names nor certificates, so its port must: 465 is for mail in TLS
    /// alone. On 25 and 587, which are for mail as well, it is mail in TLS if both sides speak TLS; a server that greets
    /// in plain is judged by its greeting.
    fn judge_tls(&self) -> Option<Verdict> {
        let (originator, responder) = (self.from_originator.hello(), self.from_responder.hello());
        if originator == Hello::No && responder == Hello::No {
            return None;
        }
        let unless_final = if self.is_final { Verdict::Other } else { Verdict::Undecided };
        // A reply may be a greeting of mail to the end of its line.
        let has_spoken = |heard: Heard, port: u16| match self.side(heard, port).manner {
            Manner::Silent | Manner::Unclear => false,
            Manner::Reply => memchr(b'\n', heard.octets).is_some(),
            _ => true,
        };
        let toward = |port: u16, client: Hello, server: Hello, from_server: Heard, who| match port {
            port if SMTPS.contains(&port) && (client == Hello::Yes || server == Hello::Yes) => {
                Some(Verdict::ImplicitTls(who))
            }
            port if SMTPS.contains(&port) => Some(unless_final),
            SMTP | SUBMISSION if client == Hello::Yes && server == Hello::Yes => Some(Verdict::ImplicitTls(who)),
            SMTP | SUBMISSION if client != Hello::No && (server != Hello::No || !has_spoken(from_server, port)) => {
                Some(unless_final)
            }
            _ => None,
        };
        toward(self.responder_port, originator, responder, self.from_responder, Speaker::Originator)
            .or_else(|| toward(self.originator_port, responder, originator, self.from_originator, Speaker::Responder))
            .or_else(|| [originator, responder].contains(&Hello::Yes).then_some(Verdict::Other))
    }
}

impl Heard<'_> {
    fn hello(&self) -> Hello {
        Hello::of(self.breaks.first().and_then(|&at| self.octets.get(..at)).unwrap_or(self.octets))
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
/// RFC 8314 §7.3; and what providers and relays offer beside it, where 465 is taken or blocked.
const SMTPS: [u16; 3] = [465, 2465, 8465];
/// Submission (RFC 6409), relay, LMTP as commonly configured, and two that providers offer beside 25.
const MAIL_PORTS: [u16; 6] = [24, 25, 26, 465, 587, 2525];

pub(crate) fn is_mail_port(port: u16) -> bool {
    MAIL_PORTS.contains(&port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickup::Said;

    fn heard(octets: &[u8]) -> Heard<'_> {
        Heard { octets, breaks: &[], is_amid_text: false, pick_up: PickUp::Unknown }
    }

    fn judge(originator: &str, responder: &str, responder_port: u16, is_final: bool) -> Verdict {
        Evidence {
            from_originator: heard(originator.as_bytes()),
            from_responder: heard(responder.as_bytes()),
            originator_port: 40_000,
            responder_port,
            from_start: true,
            is_final,
        }
        .judge()
    }

    /// Each side's words, the originator's first.
    fn judge_midstream(originator: &str, responder: &str, responder_port: u16, is_final: bool) -> Verdict {
        let (originator, responder) = (originator.as_bytes(), responder.as_bytes());
        let has_said = |said: &Said<'_>| !matches!(said, Said::Client([]) | Said::Server([]));
        let pick_up =
            |client, said: [Said<'_>; 2]| PickUp::of(client, said.into_iter().filter(has_said), false, is_final);
        let as_client = pick_up(originator, [Said::Client(originator), Said::Server(responder)]);
        let as_server = pick_up(responder, [Said::Server(originator), Said::Client(responder)]);
        Evidence {
            from_originator: Heard { pick_up: as_client, ..heard(originator) },
            from_responder: Heard { pick_up: as_server, ..heard(responder) },
            originator_port: 40_000,
            responder_port,
            from_start: false,
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
        let called = judge_midstream("250 ok\r\n", "MAIL FROM:<a@b>\r\n", 40_001, true);
        assert_eq!(called, Verdict::Smtp(Speaker::Responder));
    }

    /// RFC 5321 §4.1.1, RFC 1985, RFC 2645, RFC 4468, RFC 3030, and what Postfix and Exchange have.
    #[test]
    fn verbs_that_mail_alone_has() {
        for line in [
            "MAIL FROM:<a@b>",
            "rcpt to:<a@b>",
            "SAML FROM:<a@b>",
            "BDAT 3 LAST",
            "BURL imap://a/b",
            "ETRN a.example",
            "ATRN",
            "EXPN list",
            "XCLIENT ADDR=192.0.2.1",
            "XFORWARD ADDR=192.0.2.1",
            "X-EXPS GSSAPI",
            "X-ANONYMOUSTLS",
            "XEXCH50 2 2",
        ] {
            let verdict = judge(&format!("{line}\r\n"), "220 b\r\n", 8025, false);
            assert_eq!(verdict, Verdict::Smtp(Speaker::Originator), "{line}");
        }
        for line in ["STARTTLS", "AUTH PLAIN", "DATA", "RSET", "VRFY a", "HELP", "NOOP", "QUIT", "TURN"] {
            let verdict = judge(&format!("{line}\r\n"), "220 b\r\n", 8025, false);
            assert_eq!(verdict, Verdict::Undecided, "{line}");
        }
    }

    /// A host may have any name; the words behind it say what the server is.
    #[test]
    fn greetings_that_name_mail_or_ftp() {
        let alone = |greeting: &str| judge("", &format!("{greeting}\r\n"), 8025, true);
        let smtp = Verdict::Smtp(Speaker::Originator);
        for greeting in [
            "220 ftp.example.net ESMTP Postfix",
            "220 ESMTP",
            "220 smtp.example.net ready",
            "554 5.7.1 go away",
            "220-mx.example.net ESMTP Exim 4.96\r\n220 no spam",
            "421 mx.example.net SMTP busy",
        ] {
            assert_eq!(alone(greeting), smtp, "{greeting}");
        }
        for greeting in [
            "220 (vsFTPd 3.0.3)",
            "220 ProFTPD Server (smtp.example.net)",
            "220 smtp.example.net FTP server ready",
            "220 ftp.example.net ready",
            "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------",
            "220 ESMTP or FTP",
            "200 news.example.net SMTP",
            "220 ready",
            "+OK SMTP",
            "* OK SMTP",
        ] {
            assert_eq!(alone(greeting), Verdict::Other, "{greeting}");
        }
    }

    /// RFC 959 §5.4: USER is answered by 331 or 230; RFC 4217 §4: AUTH TLS by 234. No server of mail does so.
    #[test]
    fn ftp_behind_a_greeting_of_mail_is_known_by_its_replies() {
        for port in [21, 25] {
            let greeting = "220 mx.example.net ESMTP\r\n";
            let said = |answer: &str| judge("USER joe\r\n", &format!("{greeting}{answer}"), port, false);
            assert_eq!(said(""), Verdict::Undecided);
            assert_eq!(said("331 password?\r\n"), Verdict::Other);
            assert_eq!(said("500 5.5.2 what?\r\n"), Verdict::Smtp(Speaker::Originator));
            let tls = judge("AUTH TLS\r\n", &format!("{greeting}234 go\r\n"), port, false);
            assert_eq!(tls, Verdict::Other);
        }
    }

    /// What reaches a server of mail before its greeting does not make it another's.
    #[test]
    fn on_a_port_of_mail_the_server_is_waited_for() {
        for said in ["GET / HTTP/1.1\r\n\r\n", "XYZZY\r\n"] {
            assert_eq!(judge(said, "", 25, false), Verdict::Undecided, "{said}");
            let greeted = judge(said, "220 b ESMTP\r\n500 what\r\n", 25, false);
            assert_eq!(greeted, Verdict::Smtp(Speaker::Originator), "{said}");
            assert_eq!(judge(said, "", 8025, false), Verdict::Other, "{said}");
        }
        assert_eq!(judge("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", 25, false), Verdict::Other);
    }

    /// One line may be the rest of another; behind it the dialogue must show. What a message quotes is no dialogue.
    #[test]
    fn midstream_the_first_whole_line_decides() {
        let smtp = Verdict::Smtp(Speaker::Originator);
        for port in [25, 8025] {
            assert_eq!(judge_midstream("ext.\r\nRCPT TO:<a@b>\r\n", "", port, false), Verdict::Undecided);
            assert_eq!(judge_midstream("ext.\r\nRCPT TO:<a@b>\r\n", "250 ok\r\n", port, false), smtp);
            assert_eq!(judge_midstream("ext.\r\nRCPT TO:<a@b>\r\n", "", port, true), smtp, "one side captured");
            assert_eq!(judge_midstream("ext.\r\n", "", port, false), Verdict::Undecided);
            let quoted = "ext.\r\nthey say\r\nRCPT TO:<a@b>\r\n";
            assert_eq!(judge_midstream(quoted, "", port, true), Verdict::Other, "a message");
        }
        let page = "<pre>\r\nThen say\r\nMAIL FROM:<a@b>\r\n";
        assert_ne!(judge_midstream("", page, 80, true), Verdict::Smtp(Speaker::Responder), "a page on mail");
        assert_eq!(judge_midstream("text\r\nGET it\r\n", "", 25, false), Verdict::Undecided, "a message");
        assert_eq!(judge_midstream("\u{17}\u{3}\u{3}\u{0}\u{5}", "", 25, false), Verdict::Other, "TLS");
    }

    /// RFC 5321 §4.1.1.4 and §4.2.2; an article of news ends like a message, with 240 (RFC 3977 §6.3.1), and 334 answers a
    /// client of FTP as well (RFC 2228 §3).
    #[test]
    fn midstream_a_pair_that_mail_alone_has_decides() {
        let smtp = Verdict::Smtp(Speaker::Originator);
        let text = "some text\r\n<b>of it</b>\r\n.\r\n";
        assert_eq!(judge_midstream(text, "250 2.0.0 Ok: queued as 1234\r\n", 10_024, false), smtp);
        assert_eq!(judge_midstream(text, "250 ok\r\n", 10_024, false), smtp);
        assert_ne!(judge_midstream(text, "240 posted\r\n", 119, true), smtp);
        assert_eq!(judge_midstream("DATA\r\n", "354 Enter message, ending with \".\"\r\n", 10_024, false), smtp);
        assert_eq!(judge_midstream("QUIT\r\n", "221 2.0.0 Bye\r\n", 10_024, false), smtp);
        assert_ne!(judge_midstream("QUIT\r\n", "221 bye\r\n", 21, true), smtp);
        assert_ne!(judge_midstream("QUFB\r\n", "334 QUFB\r\n", 21, true), smtp);
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
            ("", "SSH-2.0-y\r\n", 25),
            ("", "+OK ready\r\n", 25),
            ("", "* OK IMAP4rev1\r\n", 25),
            ("", "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"\"\r\nOK\r\n", 4190),
            ("STARTTLS\r\n", "\"IMPLEMENTATION\" \"x\"\r\nOK\r\n", 25),
            ("HELP\r\n", "200 news\r\n", 25),
            ("STARTTLS\r\n", "201 news\r\n382 go\r\n", 119),
            ("CAPABILITIES\r\n", "200 news\r\n", 25),
            ("POST / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", 25),
            ("NOOP\r\nUSER joe\r\n", "220 ready\r\n200 ok\r\n331 who?\r\n", 8021),
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
        for port in [2465, 8465] {
            assert_eq!(judge(hello, hello, port, false), Verdict::ImplicitTls(Speaker::Originator), "{port}");
            assert_eq!(judge("GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", port, false), Verdict::Other, "{port}");
        }
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
            from_originator: heard(&[0x80, 46, 1, 3, 1]),
            from_responder: heard(b""),
            originator_port: 40_000,
            responder_port: port,
            from_start: true,
            is_final: false,
        };
        assert_eq!(evidence(465).judge(), Verdict::ImplicitTls(Speaker::Originator));
        assert_eq!(evidence(443).judge(), Verdict::Other);
    }
}
