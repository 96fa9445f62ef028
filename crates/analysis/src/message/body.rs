//! A message while it is being received: octets are counted, and only the header is kept.

use super::{Cut, Message, MessageOptions};

/// Grows by content events. Holds at most the limits of [`MessageOptions`], however long the message is.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    options: MessageOptions,
    octets: u64,
    wire_octets: u64,
    missing: u64,
    /// A part of it is not in the client's stream, or lost with the command that announced it.
    lacks_part: bool,
    /// The octets that are kept: the header, or the whole message where the body is wanted.
    kept: Vec<u8>,
    /// Length of the header within `kept`, once its end is known.
    header_end: Option<usize>,
    ended: bool,
    /// Octets that were wanted are not in `kept`, because they are beyond the limit.
    cut: bool,
}

impl Body {
    pub(crate) fn new(options: MessageOptions) -> Self {
        Self {
            options,
            octets: 0,
            wire_octets: 0,
            missing: 0,
            lacks_part: false,
            kept: Vec::new(),
            header_end: None,
            ended: false,
            cut: false,
        }
    }

    /// The next octets of the message.
    pub(crate) fn append(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        let is_wanted = self.options.fields && (self.header_end.is_none() || self.options.body);
        if !is_wanted {
            return;
        }
        let limit = if self.options.body { self.options.body_limit } else { self.options.header_limit };
        let room = limit.saturating_sub(self.kept.len());
        let within = octets.get(..room).unwrap_or(octets);
        if self.kept.is_empty()
            && !self.options.body
            && let Some(header) = end_of_header(within, 0).and_then(|end| octets.get(..end))
        {
            self.kept = header.to_vec();
            self.header_end = Some(header.len());
            return;
        }
        // Copied: the segment's buffer is gone before the message is complete.
        self.kept.extend_from_slice(within);
        self.cut |= self.options.body && room < octets.len();
        if self.header_end.is_none() {
            let new = octets.len().min(room);
            let from = self.kept.len().saturating_sub(new + 3);
            let end = end_of_header(&self.kept, from);
            self.cut |= end.is_none() && new < octets.len();
            self.header_end = end.or(self.cut.then_some(self.kept.len()));
            if let Some(end) = self.header_end.filter(|_| !self.options.body) {
                self.kept.truncate(end);
            }
        }
    }

    /// Octets on the wire that brought the message.
    pub(crate) fn add_wire_octets(&mut self, octets: u64) {
        self.wire_octets += octets;
    }

    /// Octets that are not in the capture. What comes behind them is no longer read as header.
    pub(crate) fn gap(&mut self, octets: u64) {
        self.missing += octets;
        self.header_end.get_or_insert(self.kept.len());
    }

    /// A part that the server fetches elsewhere, or that is lost, nobody knows of how many octets. What comes behind it is
    /// no longer read as header.
    pub(crate) fn lack_part(&mut self) {
        self.lacks_part = true;
        self.gap(0);
    }

    /// The end of the message was seen.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Takes back the last octets: they were no part of the message after all.
    pub(crate) fn take_back(&mut self, octets: u64, kept: usize) {
        self.octets -= octets.min(self.octets);
        self.kept.truncate(kept);
        self.header_end = self.header_end.map(|end| end.min(kept));
        self.cut &= (self.kept.len() as u64) < self.octets;
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn has_gap(&self) -> bool {
        self.missing > 0 || self.lacks_part
    }

    /// Whether the end was seen and nothing is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended && !self.has_gap()
    }

    /// Whether anything of it was seen or is known to be lost.
    pub(crate) fn has_begun(&self) -> bool {
        self.octets > 0 || self.ended || self.has_gap()
    }

    /// Whether the end was seen.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The record of what was received.
    pub(crate) fn into_message(self) -> Message {
        Message {
            bytes: self.octets,
            wire_bytes: self.wire_octets,
            complete: self.is_complete(),
            cut: self.cut.then_some(if self.options.body { Cut::Body } else { Cut::Header }),
            sha256: None,
            kept: self.kept,
            options: self.options,
        }
    }
}

/// Offset behind the first empty line at or after `from`, CRLF or bare LF.
fn end_of_header(octets: &[u8], from: usize) -> Option<usize> {
    if octets.starts_with(b"\r\n") {
        return Some(2);
    }
    if octets.starts_with(b"\n") {
        return Some(1);
    }
    let area = octets.get(from..)?;
    memchr::memchr_iter(b'\n', area).find_map(|at| {
        let behind = area.get(at + 1..)?;
        let empty = if behind.starts_with(b"\r\n") {
            2
        } else if behind.starts_with(b"\n") {
            1
        } else {
            return None;
        };
        Some(from + at + 1 + empty)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"Subject: one\r\nFrom: a@example.org\r\n\r\nSubject: two\r\n\r\nbody";

    #[test]
    fn only_the_header_is_kept_however_it_is_cut() {
        for size in 1..MAIL.len() {
            let mut body = Body::new(MessageOptions::default());
            MAIL.chunks(size).for_each(|piece| body.append(piece));
            assert_eq!(body.kept.as_slice(), b"Subject: one\r\nFrom: a@example.org\r\n\r\n", "pieces of {size}");
            assert_eq!(body.octets(), MAIL.len() as u64);
        }
    }

    #[test]
    fn a_header_beyond_the_limit_is_cut() {
        let mut body = Body::new(MessageOptions { header_limit: 20, ..MessageOptions::default() });
        MAIL.chunks(7).for_each(|piece| body.append(piece));
        assert_eq!(body.kept.as_slice(), &MAIL[..20]);
        assert_eq!(body.octets(), MAIL.len() as u64);
    }

    #[test]
    fn an_empty_message_has_an_empty_header() {
        let message = Body::new(MessageOptions::default()).into_message();
        assert_eq!((message.bytes, message.fields().subject, message.complete), (0, None, false));
    }

    #[test]
    fn what_follows_a_gap_is_no_header() {
        let mut body = Body::new(MessageOptions::default());
        body.append(b"Subject: one\r\nFr");
        body.gap(20);
        body.append(b"To: x@example.org\r\n\r\n");
        body.end();
        let message = body.into_message();
        let fields = message.fields();
        assert_eq!(fields.subject.as_deref(), Some("one"));
        assert!(fields.to.is_empty() && !message.complete);
    }
}
