//! A dot line in bare LF that may turn out to be the end of the message.
//!
//! RFC 5321 §4.1.1.4 knows one end of data, CRLF . CRLF, and the strict reading goes on. But if the server answers
//! before that end has come, it has taken the dot line for it, and what follows was read as commands. So what follows
//! is kept, up to a limit, to be read again.
//!
//! Where the client sent everything up to the real end at once, the server's replies tell: if there are more of them,
//! before the client went on, than the strict reading has commands, the server has split the message in two. Until
//! that is known the replies are kept, too ([`Suspense`]).

use smtp_parser::{DotLineVariant, LineLimits, ServerDecoder, SmtpEvent};

use super::dialogue::Stamp;
use crate::message::Body;

/// What has to be known to go back to the dot line.
#[derive(Debug)]
pub(crate) struct Tentative {
    variant: DotLineVariant,
    /// Behind the dot line.
    end: Stamp,
    /// Octets of the message at that point, the dot line included.
    octets: u64,
    behind: Vec<u8>,
    limit: usize,
}

impl Tentative {
    pub(crate) fn new(variant: DotLineVariant, body: &Body, end: Stamp, limit: usize) -> Self {
        Self { variant, end, octets: body.octets(), behind: Vec::new(), limit }
    }

    /// Keeps what follows on the wire; `false` when that is too much.
    pub(crate) fn follow(&mut self, octets: &[u8]) -> bool {
        if self.behind.len() + octets.len() > self.limit {
            return false;
        }
        // Copied: it may have to be read again.
        self.behind.extend_from_slice(octets);
        true
    }

    pub(crate) fn end(&self) -> Stamp {
        self.end
    }

    pub(crate) fn variant(&self) -> &'static str {
        self.variant.as_str()
    }

    /// Makes the message end before the dot line.
    pub(crate) fn restore(&self, body: &mut Body) {
        let dot_line = match self.variant {
            DotLineVariant::LfDotCrLf => 3,
            // The dot stood at the beginning of a line and was taken for one that transparency put there.
            DotLineVariant::CrLfDotLf => 1,
            _ => 2,
        };
        body.take_back_to(self.octets.saturating_sub(dot_line));
    }

    /// What followed the dot line so far.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.behind
    }

    pub(crate) fn into_octets(self) -> Vec<u8> {
        self.behind
    }
}

/// The time between the strict end of a message that has dot lines in bare LF and the client's next turn.
#[derive(Debug)]
pub(crate) struct Suspense {
    end: Stamp,
    /// How much of the server's stream had been seen when the message ended.
    replies_from: u64,
    replies: Vec<(Vec<u8>, Stamp)>,
    octets: usize,
}

impl Suspense {
    pub(crate) fn new(end: Stamp, replies_from: u64) -> Self {
        Self { end, replies_from, replies: Vec::new(), octets: 0 }
    }

    /// Where the strict reading ends the message.
    pub(crate) fn end(&self) -> Stamp {
        self.end
    }

    /// Keeps what the server says; `false` when that is too much.
    pub(crate) fn listen(&mut self, octets: &[u8], at: Stamp, limit: usize) -> bool {
        if self.octets + octets.len() > limit {
            return false;
        }
        self.octets += octets.len();
        // Copied: what these replies answer is not known yet.
        self.replies.push((octets.to_vec(), at));
        true
    }

    /// Whether the client has read a reply before it sent this.
    pub(crate) fn is_over_with(&self, at: Stamp) -> bool {
        at.acknowledged.is_some_and(|offset| offset > self.replies_from)
    }

    /// Whether the server has replied more often than is explained by so many commands.
    pub(crate) fn shows_more_than(&self, explained: usize) -> bool {
        let mut decoder = ServerDecoder::new(LineLimits::default());
        let mut count = 0;
        for (octets, _) in &self.replies {
            let mut rest = octets.as_slice();
            loop {
                let step = decoder.step(rest);
                let idle = step.event.is_none();
                if let Some(SmtpEvent::Reply(reply)) = step.event {
                    // PRDR: a reply for each recipient follows, of one message.
                    if count == 0 && reply.code.value() == 353 {
                        return false;
                    }
                    // RFC 5321 §3.8: the server may say 421 at any time; it answers nothing.
                    count += usize::from(reply.code.value() != 421);
                }
                rest = rest.get(step.consumed..).unwrap_or_default();
                if idle && rest.is_empty() {
                    break;
                }
            }
        }
        count > explained
    }

    pub(crate) fn into_replies(self) -> Vec<(Vec<u8>, Stamp)> {
        self.replies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageOptions;
    use crate::output::time::Time;

    fn stamp(offset: u64, acknowledged: Option<u64>) -> Stamp {
        Stamp { offset, timestamp: Time::default(), acknowledged, packet: None }
    }

    fn suspense(replies: &[&str]) -> Suspense {
        let mut suspense = Suspense::new(stamp(0, None), 100);
        for reply in replies {
            assert!(suspense.listen(reply.as_bytes(), stamp(100, None), 1000));
        }
        suspense
    }

    /// RFC 5321 §4.2.1: all lines of a multiline reply are one reply, however they are cut into segments.
    #[test]
    fn a_reply_of_several_lines_explains_one_command() {
        assert!(!suspense(&["250-a\r\n25", "0 b\r\n"]).shows_more_than(1));
        assert!(suspense(&["250 a\r\n250 b\r\n"]).shows_more_than(1));
        assert!(!suspense(&["250 a\r\n250 b\r\n"]).shows_more_than(2));
    }

    /// RFC 5321 §3.8: 421 may come at any time, as when the client has been silent for too long.
    #[test]
    fn a_server_that_closes_the_connection_answers_nothing_by_it() {
        assert!(!suspense(&["250 a\r\n", "421 idle\r\n"]).shows_more_than(1));
    }

    /// The 353 of PRDR announces a reply for each recipient of one message.
    #[test]
    fn the_replies_of_prdr_are_of_one_message() {
        assert!(!suspense(&["353 go\r\n250 a\r\n250 b\r\n250 c\r\n"]).shows_more_than(1));
    }

    #[test]
    fn it_is_over_when_the_client_has_read_a_reply() {
        let suspense = suspense(&[]);
        assert!(!suspense.is_over_with(stamp(0, Some(100))));
        assert!(suspense.is_over_with(stamp(0, Some(101))));
        assert!(!suspense.is_over_with(stamp(0, None)));
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let mut suspense = Suspense::new(stamp(0, None), 0);
        assert!(suspense.listen(b"250 ok\r\n", stamp(0, None), 8));
        assert!(!suspense.listen(b"2", stamp(8, None), 8));
        let body = Body::new(MessageOptions::default());
        let mut tentative = Tentative::new(DotLineVariant::LfDotLf, &body, stamp(0, None), 4);
        assert!(tentative.follow(b"QUIT"));
        assert!(!tentative.follow(b"\r"));
        assert_eq!(tentative.octets(), b"QUIT");
    }

    /// What stood before the dot line is the message; the dot line itself and what followed are not.
    #[test]
    fn going_back_gives_the_message_before_the_dot_line() {
        let mut body = Body::new(MessageOptions::default());
        body.append(b"Subject: a\n\nb\n.\n");
        let tentative = Tentative::new(DotLineVariant::LfDotLf, &body, stamp(17, None), 100);
        body.append(b"MAIL FROM:<c@d>\r\n");
        tentative.restore(&mut body);
        assert_eq!(body.octets(), 14);
        let message = body.into_message();
        assert_eq!(message.fields().subject.as_deref(), Some("a"));
        assert_eq!(message.mime().map(|mime| mime.counted.bodies), Some(2), "the line before the dot line");
    }
}
