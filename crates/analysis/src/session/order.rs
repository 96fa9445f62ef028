//! Whether commands come in the order, and with the extensions, that the standards allow.
//!
//! Judged by what the client sent and could know: RCPT behind a MAIL whose refusal it had not received is in order. What
//! a capture from the middle, or a gap, leaves open is judged in the client's favour.

use smtp_parser::{Command, CommandLine, ExtensionValue, Parameters, Reply, Verb};

use super::dialogue::Stamp;
use super::lookahead::{begins_like_command, begins_like_handshake};
use super::offers::Offers;
use super::pending::Kind;
use super::redaction::REDACTED;
use super::{Awaited, Held, Tracker};
use crate::anomaly::{AnomalyKind, EARLY_HANDSHAKE, KindSet, Role};
use crate::output::excerpt;

/// What the client has said so far, as far as the next command depends on it.
#[derive(Debug)]
pub(super) struct Order {
    hello: Hello,
    mail: Mail,
    recipients: bool,
    /// What MAIL or EHLO found, and leaves if it is refused.
    before: (Mail, bool),
    chunks: Chunks,
    /// Where DATA, or the last BDAT, stands.
    content: Option<Stamp>,
    declared: Option<u64>,
    /// What the reply to the last EHLO offered; `None` where that is not known.
    offers: Option<Offers>,
    authenticated: bool,
    /// STARTTLS was accepted, and nothing was read since.
    tls_agreed: bool,
    quit: bool,
    /// The last command has to be the last of its group.
    ends_group: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    Unknown,
    Missing,
    Said,
    Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mail {
    Unknown,
    None,
    Open,
    /// Refused, which the client knows when it has received this much of the server's stream.
    Refused(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunks {
    None,
    Open,
    Ended,
}

impl Order {
    /// `from_the_start`: whether the capture shows the connection's handshake.
    pub(super) fn new(from_the_start: bool) -> Self {
        let (hello, mail) = if from_the_start { (Hello::Missing, Mail::None) } else { (Hello::Unknown, Mail::Unknown) };
        Self {
            hello,
            mail,
            recipients: false,
            before: (mail, false),
            chunks: Chunks::None,
            content: None,
            declared: None,
            offers: None,
            authenticated: false,
            tls_agreed: false,
            quit: false,
            ends_group: false,
        }
    }

    /// The client's next command. `unanswered`: how many before it have no reply yet.
    pub(super) fn command(&mut self, line: &CommandLine<'_>, at: Stamp, unanswered: usize, seen: &mut KindSet) {
        if matches!(self.mail, Mail::Refused(known) if at.acknowledged >= Some(known)) {
            self.close(Mail::None);
        }
        seen.insert_if(std::mem::take(&mut self.tls_agreed), AnomalyKind::PlaintextAfterStarttls);
        seen.insert_if(self.quit, AnomalyKind::CommandAfterQuit);
        let in_group = unanswered > 0;
        if in_group && self.ends_group {
            seen.insert(AnomalyKind::InvalidPipelinedSequence);
        } else if unanswered == 1 && self.lacks(Offers::PIPELINING) {
            seen.insert(AnomalyKind::UnannouncedPipelining);
        }
        // RFC 2920 §3.1: "EHLO, DATA, VRFY, EXPN, TURN, QUIT, and NOOP commands can only appear as the last command in a
        // group"; RFC 4954 §4 and RFC 3207 §4 say the same of AUTH and STARTTLS. What follows QUIT has its own kind.
        self.ends_group = matches!(
            line.command,
            Command::Ehlo(_)
                | Command::Helo(_)
                | Command::Lhlo(_)
                | Command::Data
                | Command::Vrfy(_)
                | Command::Expn(_)
                | Command::Turn
                | Command::Noop(_)
                | Command::Auth { .. }
                | Command::StartTls
        );
        self.transaction(line, at, seen);
        match line.command {
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => {
                seen.insert_if(self.hello == Hello::Taken, AnomalyKind::RepeatedHello);
                self.hello = Hello::Said;
                self.offers = None;
            }
            Command::Xclient(_) => self.hello = Hello::Said,
            Command::Quit => self.quit = true,
            Command::StartTls => {
                seen.insert_if(self.lacks(Offers::STARTTLS), AnomalyKind::StarttlsNotOffered);
            }
            Command::Auth { initial_response, .. } => {
                seen.insert_if(self.lacks(Offers::AUTH), AnomalyKind::AuthNotOffered);
                seen.insert_if(self.authenticated, AnomalyKind::RepeatedAuth);
                seen.insert_if(self.mail == Mail::Open, AnomalyKind::AuthInTransaction);
                let is_invalid = initial_response.is_some_and(|response| !is_sasl_response(response));
                seen.insert_if(is_invalid, AnomalyKind::InvalidSaslResponse);
            }
            _ => {}
        }
    }

    /// RFC 5321 §3.3:
    /// > There are three steps to SMTP mail transactions. The transaction starts with a MAIL command … A series of one or
    /// > more RCPT commands follows … Then, a DATA command initiates transfer of the mail data
    fn transaction(&mut self, line: &CommandLine<'_>, at: Stamp, seen: &mut KindSet) {
        let chunks = self.chunks;
        match line.command {
            Command::Mail { parameters, .. } => {
                self.mail(chunks, seen);
                self.parameters(parameters, seen);
            }
            Command::Invalid { verb: Verb::Mail, .. } => self.mail(chunks, seen),
            Command::Rcpt { .. } | Command::Invalid { verb: Verb::Rcpt, .. } => {
                seen.insert_if(chunks == Chunks::Open, AnomalyKind::MissingBdatLast);
                seen.insert_if(self.mail == Mail::None, AnomalyKind::RcptWithoutMail);
                self.recipients = true;
                if let Command::Rcpt { parameters, .. } = line.command {
                    self.parameters(parameters, seen);
                }
            }
            Command::Data if chunks == Chunks::Open => seen.insert(AnomalyKind::DataAndBdat),
            Command::Data => self.content(at, seen),
            Command::Bdat { last, .. } | Command::Burl { last, .. } => {
                if matches!(line.command, Command::Bdat { .. }) {
                    seen.insert_if(self.lacks(Offers::CHUNKING), AnomalyKind::ExtensionNotOffered);
                }
                match chunks {
                    Chunks::None => self.content(at, seen),
                    Chunks::Open => self.content = Some(at),
                    Chunks::Ended => seen.insert(AnomalyKind::BdatAfterLast),
                }
                self.chunks = if last || chunks == Chunks::Ended { Chunks::Ended } else { Chunks::Open };
            }
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => {
                seen.insert_if(chunks == Chunks::Open, AnomalyKind::MissingBdatLast);
                self.before = (self.mail, self.recipients);
                self.close(Mail::None);
            }
            Command::Rset => self.close(Mail::None),
            _ => {}
        }
    }

    fn mail(&mut self, chunks: Chunks, seen: &mut KindSet) {
        seen.insert_if(self.hello == Hello::Missing, AnomalyKind::MailWithoutHello);
        match chunks {
            Chunks::Open => seen.insert(AnomalyKind::MissingBdatLast),
            _ => seen.insert_if(self.mail == Mail::Open && chunks == Chunks::None, AnomalyKind::NestedMail),
        }
        self.before = (self.mail, self.recipients);
        self.close(Mail::Open);
    }

    fn content(&mut self, at: Stamp, seen: &mut KindSet) {
        let is_wanting = self.mail == Mail::None || (self.mail == Mail::Open && !self.recipients);
        seen.insert_if(is_wanting, AnomalyKind::DataWithoutRcpt);
        self.content = Some(at);
    }

    /// RFC 5321 §2.2.1: a client uses what the server's reply to EHLO has offered. RFC 1870 §6: no message of more octets
    /// than the server takes.
    fn parameters(&mut self, parameters: Parameters<'_>, seen: &mut KindSet) {
        for (keyword, value) in parameters {
            seen.insert_if(self.lacks(Offers::of_parameter(keyword, value)), AnomalyKind::ExtensionNotOffered);
            if keyword.eq_ignore_ascii_case(b"SIZE") {
                self.declared = value.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                let most = self.offers.and_then(|offers| offers.most);
                let is_over = self.declared.zip(most).is_some_and(|(declared, most)| declared > most);
                seen.insert_if(is_over, AnomalyKind::SizeOverLimit);
            }
        }
    }

    /// The server's reply to a command.
    pub(super) fn answer(&mut self, kind: &Kind, reply: &Reply<'_>, at: Stamp, seen: &mut KindSet) {
        let code = reply.code.value();
        let class = code / 100;
        let is_refused = matches!(class, 4 | 5);
        seen.insert_if(!can_answer(kind, code), AnomalyKind::UnexpectedReply);
        match kind {
            Kind::Hello { verb, .. } if class == 2 => {
                self.hello = Hello::Taken;
                let mut offers = Offers::default();
                if *verb != Verb::Helo {
                    for offer in reply.extensions() {
                        offers.add(offer.keyword);
                        match offer.value() {
                            ExtensionValue::Size(most) => offers.most = most.filter(|&most| most > 0),
                            ExtensionValue::Invalid => seen.insert(AnomalyKind::InvalidExtension),
                            _ => {}
                        }
                    }
                }
                self.offers = Some(offers);
            }
            // RFC 5321 §4.1.4: the server "MUST stay in the same state" then.
            Kind::Hello { .. } | Kind::Mail(_) if is_refused && self.before.0 == Mail::Open => {
                self.mail = Mail::Open;
                self.recipients |= self.before.1;
            }
            Kind::Mail(_) if is_refused && (code != 503 || self.hello == Hello::Missing) && self.mail == Mail::Open => {
                self.mail = Mail::Refused(at.offset.saturating_add(reply.octets));
            }
            // What is left of the transaction then differs from server to server.
            Kind::Data | Kind::Bdat { .. } if is_refused => self.close(Mail::Unknown),
            Kind::Auth => self.authenticated |= code == 235,
            Kind::StartTls => {
                self.tls_agreed = code == 220;
                seen.insert_if(!self.tls_agreed, AnomalyKind::TlsRejected);
                if self.tls_agreed {
                    // RFC 3207 §4.2: both sides forget what they learnt before.
                    (self.hello, self.offers) = (Hello::Said, None);
                    self.close(Mail::None);
                }
            }
            _ => {}
        }
    }

    /// The message has ended. Returns how large it was declared, where it is larger.
    pub(super) fn end_of_message(&mut self, octets: u64) -> Option<u64> {
        let exceeded = self.declared.filter(|&declared| octets > declared);
        let chunks = self.chunks;
        self.close(Mail::None);
        self.chunks = if chunks == Chunks::Ended { chunks } else { Chunks::None };
        self.ends_group = false;
        exceeded
    }

    /// Commands are lost: nobody knows what they began or ended.
    pub(super) fn forget(&mut self) {
        self.hello = Hello::Unknown;
        self.close(Mail::Unknown);
        (self.ends_group, self.tls_agreed) = (false, false);
    }

    /// Where the content that is being received was announced.
    pub(super) fn content_begin(&self) -> Option<Stamp> {
        self.content
    }

    fn close(&mut self, mail: Mail) {
        (self.mail, self.recipients, self.chunks) = (mail, false, Chunks::None);
        self.declared = None;
    }

    fn lacks(&self, wanted: u16) -> bool {
        self.offers.is_some_and(|offers| offers.lacks(wanted))
    }
}

/// RFC 4954 §4: responses are base64, `=` an empty one, `*` the end of the exchange.
pub(super) fn is_sasl_response(response: smtp_parser::Secret<'_>) -> bool {
    response.is_cancel() || smtp_parser::auth::decode_base64(response.reveal()).is_some()
}

/// RFC 5321 §4.3.2 lists the replies to each command: an intermediate one (3yz) is for DATA and AUTH alone, and nothing
/// but one lets the message begin. RFC 4954 §4: 235 alone says that AUTH has succeeded. What else is asked for by private
/// verbs may be anything.
fn can_answer(kind: &Kind, code: u16) -> bool {
    match (kind, code / 100) {
        (Kind::Data, 2) => false,
        (Kind::Data, 3) => code != 334,
        (Kind::Auth, 2) => code == 235,
        (Kind::Auth, 3) => code == 334,
        (Kind::EndOfData(_) | Kind::RecipientReplies { .. }, 3) => code == 353,
        (Kind::Other | Kind::Empty | Kind::Unread | Kind::Lost { .. } | Kind::InvalidBdat, _) => true,
        // 354 lets the octets behind XEXCH50 begin, too.
        (Kind::Xexch50(_), 3) => code == 354,
        (_, class) => class != 3,
    }
}

/// Octets of what a client sends too early that are looked at: more than an excerpt shows, and a command's verb.
const HASTE_SHOWN: usize = 512;

impl Tracker {
    /// The first octets that the client sent before the reply that decides what they are.
    ///
    /// They are looked at when the reply has come, so that it makes no difference in how many pieces they came.
    pub(super) fn note_haste(&mut self) {
        let Some(Held::Octets(_, at)) = self.held.front() else { return };
        let at = *at;
        if !self.heard.server || self.server_resumes || self.reply_is_lost || self.dialogue.replies_lost.is_some() {
            return;
        }
        let held = || {
            self.held.iter().map_while(|held| match held {
                Held::Octets(octets, _) => Some(&**octets),
                Held::Gap(..) => None,
            })
        };
        // The first line tells, as far as it is shown.
        let octets: Vec<u8> = held().flatten().copied().take(HASTE_SHOWN).collect();
        let octets = octets.as_slice();
        let is_command = begins_like_command(octets);
        let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next().unwrap_or_default();
        // No more than its verb is shown of a command: it may be AUTH.
        let verb = || excerpt(line.split(|&octet| octet == b' ').next().unwrap_or_default());
        let (kind, detail) = match self.awaited {
            Some(Awaited::Data) if !is_command => (AnomalyKind::ContentBefore354, excerpt(line)),
            Some(Awaited::Data) => (AnomalyKind::InvalidPipelinedSequence, verb()),
            Some(Awaited::Auth) => (AnomalyKind::InvalidPipelinedSequence, REDACTED.to_owned()),
            Some(Awaited::StartTls) if is_command => (AnomalyKind::OctetsBehindStarttls, verb()),
            Some(Awaited::StartTls) => {
                let count: usize = held().map(<[u8]>::len).sum();
                let is_hello = begins_like_handshake(octets);
                let detail =
                    if is_hello { format!("{EARLY_HANDSHAKE}, {count} octets") } else { format!("{count} octets") };
                (AnomalyKind::OctetsBehindStarttls, detail)
            }
            // What may follow these before their reply is up to private or forgotten standards.
            Some(Awaited::EndOfMessage | Awaited::FirstLine(_) | Awaited::Blob(_) | Awaited::Roles) | None => return,
        };
        self.dialogue.anomalies.add(kind, at, Role::Client, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;
    use crate::session::Options;

    /// What is noted where MAIL is refused, and RCPT then sent by a client that had received so much of the server's stream.
    fn rcpt_behind_a_refusal(acknowledged: u64) -> Vec<AnomalyKind> {
        let stamp =
            |offset, acknowledged| Stamp { offset, timestamp: at(0), acknowledged: Some(acknowledged), packet: None };
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Server, b"220 mx ESMTP\r\n", stamp(0, 0));
        tracker.octets(Role::Client, b"EHLO a\r\n", stamp(0, 14));
        tracker.octets(Role::Server, b"250-mx\r\n250 PIPELINING\r\n", stamp(14, 8));
        tracker.octets(Role::Client, b"MAIL FROM:<a@b>\r\n", stamp(8, 38));
        tracker.octets(Role::Server, b"550 no\r\n", stamp(38, 25));
        tracker.octets(Role::Client, b"RCPT TO:<c@d>\r\n", stamp(25, acknowledged));
        tracker.dialogue.anomalies.into_parts().0.iter().map(|anomaly| anomaly.kind).collect()
    }

    /// RFC 2920 §3.1: a client that pipelines sends RCPT before it knows what became of MAIL. The two may cross.
    #[test]
    fn a_refusal_counts_once_the_client_has_received_it() {
        assert_eq!(rcpt_behind_a_refusal(38), []);
        assert_eq!(rcpt_behind_a_refusal(45), [], "not all of it");
        assert_eq!(rcpt_behind_a_refusal(46), [AnomalyKind::RcptWithoutMail]);
    }
}
