//! A dot line in bare LF that may turn out to be the end of the message.
//!
//! RFC 5321 §4.1.1.4 knows one end of data, CRLF . CRLF, and the strict reading goes on. But if the server answers
//! before that end has come, it has taken the dot line for it, and what follows was read as commands. So what follows
//! is kept, up to a limit, to be read again.

use smtp_parser::DotLineVariant;

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
            _ => 2,
        };
        let behind = body.octets() - self.octets.min(body.octets());
        let header_reached_it = body.kept() >= self.kept && self.kept as u64 == self.octets;
        let kept = if header_reached_it { self.kept.saturating_sub(dot_line) } else { self.kept };
        body.take_back(behind + dot_line as u64, kept);
    }

    pub(crate) fn into_octets(self) -> Vec<u8> {
        self.behind
    }
}
