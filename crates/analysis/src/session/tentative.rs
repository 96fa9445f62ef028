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
    /// Octets of the message at that point, the dot line included, and how many of them are kept.
    octets: u64,
    kept: usize,
    behind: Vec<u8>,
    limit: usize,
}

impl Tentative {
    pub(crate) fn new(variant: DotLineVariant, body: &Body, end: Stamp, limit: usize) -> Self {
        Self { variant, end, octets: body.octets(), kept: body.kept(), behind: Vec::new(), limit }
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
        let behind = body.octets() - self.octets.min(body.octets());
        let header_reached_it = body.kept() >= self.kept && self.kept as u64 == self.octets;
        let kept = if header_reached_it { self.kept.saturating_sub(dot_line) } else { self.kept };
        body.take_back(behind + dot_line as u64, kept);
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
                    count += 1;
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
