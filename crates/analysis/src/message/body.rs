//! A message while it is being received: octets are counted, and the header is kept, or the whole of a message of
//! ordinary length.
//!
//! ```text
//!   header only:           kept = header
//!   with parts:            kept = whole message               read where it is printed
//!   … beyond kept_limit:   header, reader ◀── kept = the last octets      read as it comes
//! ```
//!
//! Where a command wants to write the message as it was, its octets go to a spool besides.

use data_encoding::HEXLOWER;

use super::mime::{Mime, Reader};
use super::{Cut, Message, MessageOptions, Whole};
use crate::output::time::Time;
use crate::spool::{Spool, Spooled};

/// Grows by content events. Holds at most the limits of [`MessageOptions`], however long the message is.
#[derive(Debug)]
pub(crate) struct Body {
    options: MessageOptions,
    octets: u64,
    wire_octets: u64,
    missing: u64,
    /// Octets before all others that were not kept.
    passed_over: u64,
    /// A part of it is not in the client's stream, or lost with the command that announced it.
    lacks_part: bool,
    /// The octets that are kept: the header, or the whole message where its parts are wanted; of one that is read as it
    /// comes, the last octets, which may be taken back.
    kept: Vec<u8>,
    /// Length of the header within `kept`, once its end is known and nothing else is kept.
    header_end: Option<usize>,
    ended: bool,
    /// When its end was complete, where that is known.
    ended_at: Option<Time>,
    /// Octets of the header are not in `kept`, because they are beyond the limit.
    cut: bool,
    /// Reads a message that is too long to be kept, or of which octets are missing.
    stream: Option<Box<Stream>>,
    /// All octets, where a command wants to write them.
    whole: Option<Box<Spooled>>,
}

/// A message that is read as it comes.
#[derive(Debug, Clone)]
struct Stream {
    header: Vec<u8>,
    reader: Reader,
    /// Octets that the reader has got.
    pushed: u64,
}

/// Octets at the end of a message that is read as it comes that may still be taken back: more than can follow a dot line in
/// bare LF ([`crate::session::Options::held_limit`]).
const HELD_BACK_OCTETS: usize = (64 << 10) + 64;

impl Body {
    pub(crate) fn new(options: MessageOptions) -> Self {
        Self {
            options,
            octets: 0,
            wire_octets: 0,
            missing: 0,
            passed_over: 0,
            lacks_part: false,
            kept: Vec::new(),
            header_end: None,
            ended: false,
            ended_at: None,
            cut: false,
            stream: None,
            whole: None,
        }
    }

    /// Has all octets kept in a spool, where there is one.
    pub(crate) fn spooled(self, spool: Option<&Spool>) -> Self {
        let whole = spool.map(|spool| Box::new(Spooled::new(spool.clone())));
        Self { whole, ..self }
    }

    /// The next octets of the message.
    pub(crate) fn append(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        if let Some(whole) = &mut self.whole {
            whole.append(octets);
        }
        if !self.options.fields {
        } else if self.options.parts {
            self.keep_whole(octets);
        } else if self.header_end.is_none() {
            self.keep_header(octets);
        }
    }

    fn keep_header(&mut self, octets: &[u8]) {
        let room = self.options.header_limit.saturating_sub(self.kept.len());
        let within = octets.get(..room).unwrap_or(octets);
        if self.kept.is_empty()
            && let Some(header) = end_of_header(within, 0).and_then(|end| octets.get(..end))
        {
            self.kept = header.to_vec();
            self.header_end = Some(header.len());
            return;
        }
        // Copied: the segment's buffer is gone before the message is complete.
        self.kept.extend_from_slice(within);
        let new = octets.len().min(room);
        let from = self.kept.len().saturating_sub(new + 3);
        let end = end_of_header(&self.kept, from);
        self.cut |= end.is_none() && new < octets.len();
        self.header_end = end.or(self.cut.then_some(self.kept.len()));
        if let Some(end) = self.header_end {
            self.kept.truncate(end);
        }
    }

    /// Keeps an ordinary message, to be read where it is printed; a longer one is read here, and forgotten.
    fn keep_whole(&mut self, octets: &[u8]) {
        // Copied: the segment's buffer is gone before the message is complete.
        self.kept.extend_from_slice(octets);
        if self.kept.len() > self.options.kept_limit.max(HELD_BACK_OCTETS) {
            self.read(self.kept.len() - HELD_BACK_OCTETS);
        }
    }

    /// Gives so many of the octets that are kept to the reader.
    fn read(&mut self, octets: usize) {
        if self.stream.is_none() {
            let header = self.header_of_whole();
            let stream = Stream { header, reader: Reader::new(self.options.mime()), pushed: 0 };
            self.stream = Some(Box::new(stream));
        }
        if let Some(stream) = &mut self.stream {
            stream.reader.push(self.kept.get(..octets).unwrap_or_default(), &mut |_, _| {});
            stream.pushed += octets as u64;
            self.kept.drain(..octets);
        }
    }

    /// The header of a message of which everything so far is kept.
    fn header_of_whole(&mut self) -> Vec<u8> {
        let area = self.kept.get(..self.options.header_limit).unwrap_or(&self.kept);
        let end = end_of_header(area, 0);
        self.cut = end.is_none() && area.len() < self.kept.len();
        area.get(..end.unwrap_or(area.len())).unwrap_or_default().to_vec()
    }

    /// Octets on the wire that brought the message.
    pub(crate) fn add_wire_octets(&mut self, octets: u64) {
        self.wire_octets += octets;
    }

    /// Octets that are not in the capture. What comes behind them is no longer read as header.
    pub(crate) fn gap(&mut self, octets: u64) {
        self.missing += octets;
        if let Some(whole) = &mut self.whole {
            // Of what the server fetches nobody knows how much it is.
            whole.gap((octets > 0).then_some(octets));
        }
        if self.options.fields && self.options.parts {
            self.read(self.kept.len());
            if let Some(stream) = &mut self.stream {
                stream.reader.gap(&mut |_, _| {});
            }
        }
        self.header_end.get_or_insert(self.kept.len());
    }

    /// A part that the server fetches elsewhere, or that is lost, nobody knows of how many octets. What comes behind it is
    /// no longer read as header.
    pub(crate) fn lack_part(&mut self) {
        self.lacks_part = true;
        self.gap(0);
    }

    /// Octets of it that were in the capture, but not kept until they could be known as such.
    pub(crate) fn pass_over(&mut self, octets: u64) {
        self.passed_over += octets;
    }

    /// The end of the message was seen.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Takes back the last octets: they were no part of the message after all, which has only so many.
    pub(crate) fn take_back_to(&mut self, octets: u64) {
        self.octets = octets.min(self.octets);
        if let Some(whole) = &mut self.whole {
            whole.take_back_to(self.octets);
        }
        let before = self.stream.as_ref().map_or(0, |stream| stream.pushed);
        self.kept.truncate(usize::try_from(self.octets.saturating_sub(before)).unwrap_or(usize::MAX));
        self.header_end = self.header_end.map(|end| end.min(self.kept.len()));
        self.cut &= before > 0 || (self.kept.len() as u64) < self.octets;
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
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

    /// When its end was complete, where that is known.
    pub(crate) fn ended_at(&self) -> Option<Time> {
        self.ended_at
    }

    /// Its end was complete at this time.
    pub(crate) fn end_at(&mut self, time: Time) {
        self.end();
        self.ended_at = Some(time);
    }

    /// The record of what was received.
    pub(crate) fn into_message(mut self) -> Message {
        if let Some(whole) = &mut self.whole {
            whole.end();
        }
        let complete = self.is_complete();
        let mut mime: Option<Box<Mime>> = None;
        if self.stream.is_some() {
            self.read(self.kept.len());
        }
        let mut header = self.kept.len();
        if let Some(stream) = self.stream.take() {
            let Stream { header: kept, reader, .. } = *stream;
            header = kept.len();
            self.kept = kept;
            mime = Some(Box::new(reader.finish(self.ended, &mut |_, _| {})));
        } else if self.options.parts {
            header = self.header_of_whole().len();
        }
        Message {
            bytes: self.octets + self.passed_over,
            wire_bytes: self.wire_octets + self.passed_over,
            complete,
            cut: self.cut.then_some(Cut::Header),
            sha256: self.whole.as_ref().map(|whole| HEXLOWER.encode(&whole.sha256())),
            whole: Whole(self.whole),
            ended: self.ended,
            kept: self.kept,
            header,
            mime: mime.into(),
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
            let mut body = Body::new(MessageOptions { parts: false, ..MessageOptions::default() });
            MAIL.chunks(size).for_each(|piece| body.append(piece));
            assert_eq!(body.kept.as_slice(), b"Subject: one\r\nFrom: a@example.org\r\n\r\n", "pieces of {size}");
            assert_eq!(body.octets(), MAIL.len() as u64);
        }
    }

    #[test]
    fn a_header_beyond_the_limit_is_cut() {
        let mut body = Body::new(MessageOptions { header_limit: 20, parts: false, ..MessageOptions::default() });
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

    /// A message of a megabyte with an attachment, and options under which it is read as it comes.
    fn long() -> (Vec<u8>, MessageOptions) {
        let line = b"VGhpcyBpcyBhIGxpbmUu\r\n".repeat(50_000);
        let head = b"Subject: long\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
            Content-Disposition: attachment; filename=f\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        let options = MessageOptions { kept_limit: 100_000, hashes: true, ..MessageOptions::default() };
        ([head.as_slice(), &line, b"--b--\r\n"].concat(), options)
    }

    fn received(octets: &[u8], options: MessageOptions) -> Body {
        let mut body = Body::new(options);
        for piece in octets.chunks(1460) {
            body.append(piece);
            let kept = body.kept.len();
            assert!(kept <= options.kept_limit.max(HELD_BACK_OCTETS) + piece.len(), "{kept} octets are kept");
        }
        body
    }

    #[test]
    fn a_long_message_is_read_as_it_comes_and_says_the_same() {
        let (octets, options) = long();
        let message = |options| {
            let mut body = received(&octets, options);
            body.end();
            body.into_message()
        };
        let (kept, streamed) = (message(MessageOptions { kept_limit: 2 << 20, ..options }), message(options));
        assert_eq!((kept.kept_octets(), streamed.kept_octets()), (octets.len(), 60));
        assert_eq!(streamed.fields().subject.as_deref(), Some("long"));
        assert_eq!(streamed.mime(), kept.mime());
        let mime = streamed.mime().expect("parts");
        assert_eq!(mime.parts[1].decoded_size, Some(50_000 * 15));
        assert_eq!(
            serde_json::to_value(streamed.read()).expect("JSON"),
            serde_json::to_value(kept.read()).expect("JSON")
        );
        let mut settled = kept;
        settled.settle();
        assert_eq!((settled.kept_octets(), settled.mime()), (60, streamed.mime()));
    }

    /// What follows a dot line in bare LF is up to 64 KiB long, and may turn out to be commands.
    #[test]
    fn octets_are_taken_back_from_a_long_message() {
        let (octets, options) = long();
        let mut body = received(&[octets.as_slice(), &b"QUIT\r\n".repeat(10_900)].concat(), options);
        body.take_back_to(octets.len() as u64);
        body.end();
        let message = body.into_message();
        let mut whole = received(&octets, MessageOptions { kept_limit: 2 << 20, ..options });
        whole.end();
        assert_eq!((message.bytes, message.mime()), (octets.len() as u64, whole.into_message().mime()));
    }

    #[test]
    fn a_message_with_a_gap_says_what_is_incomplete() {
        let mut body = Body::new(MessageOptions { hashes: true, ..MessageOptions::default() });
        body.append(b"Subject: one\r\nContent-Disposition: attachment\r\n\r\nab");
        body.gap(7);
        body.append(b"cd\r\n");
        body.end();
        let message = body.into_message();
        assert_eq!((message.fields().subject.as_deref(), message.complete), (Some("one"), false));
        let mime = message.mime().expect("parts");
        let part = &mime.parts[0];
        assert_eq!((part.complete, part.encoded_size, part.decoded_size, &mime.sha256), (false, 6, None, &None));
    }
}
