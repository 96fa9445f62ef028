//! Reads a message as it comes, in any slices, into its parts.
//!
//! ```text
//!             empty line                      delimiter line
//!   header ──────────────▶ body of a part ─────────────────▶ header of the next part
//!     │                         │   preamble, epilogue ◀──┐ close delimiter
//!     │ message/rfc822          ▼                         │
//!     └─────▶ header        decoded, counted, hashed    outside
//! ```
//!
//! A delimiter can only stand at the beginning of a line. There the octets wait in `line` until it is known what they
//! are; everywhere else they pass at once, up to the next line that begins with two hyphens. The structure is ours and not
//! `mail-parser`'s, because that takes a boundary for one in the middle of a line and at the beginning of a longer one.

use memchr::memmem;

use super::delimiter::{Delimiter, Kind, LINE_OCTETS, Level, Levels, Whole};
use super::entity::{self, Entity};
use super::leaf::{Digests, Leaf, Wanted};
use super::line_break::LineBreak;
use super::part::Part;
use super::url::{Urls, may_hold_url};
use super::{Counted, Mime, MimeOptions, Reached, report};

/// Reads a message. The parts are those that [`Reader::finish`] gives, whatever the slices were.
///
/// What a part decodes to is handed to the callback of each call, with the number of the part, in order: the bodies of
/// all parts that have no parts, and all octets of an attached message that is an attachment.
#[derive(Debug, Clone)]
pub struct Reader {
    options: MimeOptions,
    state: State,
    levels: Levels,
    parts: Vec<Part>,
    /// What is known of a line whose end has not come, where it may be a delimiter, or is a header's.
    line: Vec<u8>,
    at_line_start: bool,
    /// The header that is read.
    header: Vec<u8>,
    is_first_line: bool,
    header_is_cut: bool,
    /// Octets of headers of parts that may still be kept.
    header_room: usize,
    /// Octets taken so far.
    position: u64,
    /// The last two of them.
    last: [u8; 2],
    counted: Counted,
    reached: Reached,
    urls: Urls,
    /// The text that `text` is made of, and whether it is HTML.
    text: Option<(String, bool)>,
    message: Digests,
    has_gap: bool,
}

#[derive(Debug, Clone)]
enum State {
    Header,
    /// Number of the part and its body.
    Leaf(usize, Box<Leaf>),
    /// Preamble, epilogue, and parts beyond the limit.
    Outside,
}

impl Reader {
    /// At the beginning of a message.
    pub fn new(options: MimeOptions) -> Self {
        Self {
            options,
            state: State::Header,
            levels: Levels::default(),
            parts: Vec::new(),
            line: Vec::new(),
            at_line_start: true,
            header: Vec::new(),
            is_first_line: true,
            header_is_cut: false,
            header_room: options.part_headers_limit,
            position: 0,
            last: [0; 2],
            counted: Counted::default(),
            reached: Reached::default(),
            urls: Urls::new(options.urls_limit),
            text: None,
            message: Digests::new(options.hashes, false),
            has_gap: false,
        }
    }

    /// The next octets of the message.
    pub fn push(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.message.update(octets);
        let mut rest = octets;
        while !rest.is_empty() {
            let used = if self.at_line_start && (self.in_header() || self.levels.has_boundary()) {
                self.line_start(rest, decoded)
            } else if self.in_header() {
                self.header_line(rest, decoded)
            } else {
                self.body(rest, decoded)
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Octets are missing here. What is open is not complete; delimiters are looked for again from the next line on.
    pub fn gap(&mut self, decoded: &mut impl FnMut(usize, &[u8])) {
        self.has_gap = true;
        let line = std::mem::take(&mut self.line);
        if self.in_header() {
            self.keep_header(&line, decoded);
            self.end_headers();
        } else if !line.is_empty() {
            self.content(&line, decoded);
        }
        self.mark_open_parts();
        self.at_line_start = false;
    }

    /// The end of the message; where it was not seen, what is open is not complete.
    pub fn finish(mut self, ended: bool, decoded: &mut impl FnMut(usize, &[u8])) -> Mime {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.whole_line(&line, decoded);
        }
        self.end_headers();
        if !ended {
            self.mark_open_parts();
        }
        self.end_leaf(false, decoded);
        self.end_levels(0, false, decoded);
        let sha256 = self.message.finish().0.filter(|_| ended && !self.has_gap);
        let (urls, further_urls) = self.urls.into_list();
        let reached = Reached { urls: further_urls, ..self.reached };
        let text = self.text.map(|(text, is_html)| if is_html { super::html::as_text(&text) } else { text });
        Mime { parts: self.parts, urls, text, sha256, reached, counted: self.counted }
    }

    fn in_header(&self) -> bool {
        matches!(self.state, State::Header)
    }

    /// At the beginning of a line: waits until it is known whether it is a delimiter or, in a header, a field.
    fn line_start(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) -> usize {
        let may_delimit = |line: &[u8]| line.starts_with(b"--") || (line == b"-");
        if self.line.is_empty() && !self.in_header() && octets.first() != Some(&b'-') {
            self.at_line_start = false;
            return self.body(octets, decoded);
        }
        let room = LINE_OCTETS - self.line.len();
        let area = octets.get(..room).unwrap_or(octets);
        let end = memchr::memchr(b'\n', area).map(|at| at + 1);
        let piece = area.get(..end.unwrap_or(area.len())).unwrap_or_default();
        if self.line.is_empty() && (end.is_some() || piece.len() == LINE_OCTETS) {
            self.whole_line(piece, decoded);
        } else {
            self.line.extend_from_slice(piece);
            let is_decided =
                end.is_some() || self.line.len() == LINE_OCTETS || !(self.in_header() || may_delimit(&self.line));
            if is_decided {
                let mut line = std::mem::take(&mut self.line);
                self.whole_line(&line, decoded);
                line.clear();
                self.line = line;
            }
        }
        piece.len()
    }

    /// A line, or so much of it that it is no delimiter.
    fn whole_line(&mut self, line: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.at_line_start = line.ends_with(b"\n");
        let is_short = self.at_line_start || line.len() < LINE_OCTETS;
        if let Some(delimiter) = Some(line).filter(|_| is_short).and_then(|line| self.levels.delimiter(line)) {
            self.delimiter(delimiter, line, decoded);
        } else if !self.in_header() {
            self.content(line, decoded);
        } else if matches!(line, b"\r\n" | b"\n") {
            self.counted.headers += line.len() as u64;
            self.take(line, decoded);
            self.end_header();
        } else if self.parts.is_empty() || entity::is_header_line(line, self.is_first_line) {
            self.keep_header(line, decoded);
        } else {
            // The empty line is missing: clients show what follows as text.
            self.end_headers();
            self.content(line, decoded);
        }
    }

    /// No header comes any more: neither the one that is read, nor that of a message it announces.
    fn end_headers(&mut self) {
        while self.in_header() {
            self.end_header();
        }
    }

    /// The rest of a long line of a header.
    fn header_line(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) -> usize {
        let end = memchr::memchr(b'\n', octets).map(|at| at + 1);
        let line = octets.get(..end.unwrap_or(octets.len())).unwrap_or_default();
        self.keep_header(line, decoded);
        self.at_line_start = end.is_some();
        line.len()
    }

    fn keep_header(&mut self, line: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.counted.headers += line.len() as u64;
        self.is_first_line = false;
        self.take(line, decoded);
        let limit = if self.parts.is_empty() {
            self.options.header_limit
        } else {
            self.options.part_header_limit.min(self.header_room)
        };
        let room = limit.saturating_sub(self.header.len());
        if room < line.len() && !self.parts.is_empty() && !std::mem::replace(&mut self.header_is_cut, true) {
            self.reached.part_headers += 1;
        }
        self.header.extend_from_slice(line.get(..room).unwrap_or(line));
    }

    /// Passes what is no delimiter up to the beginning of the next line that may be one.
    fn body(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) -> usize {
        let (used, at_line_start) = if !self.levels.has_boundary() {
            (octets.len(), false)
        } else if let Some(at) = memmem::find(octets, b"\n--") {
            (at + 1, true)
        } else if octets.ends_with(b"\n-") {
            (octets.len() - 1, true)
        } else {
            (octets.len(), octets.ends_with(b"\n"))
        };
        self.content(octets.get(..used).unwrap_or_default(), decoded);
        self.at_line_start = at_line_start;
        used
    }

    fn content(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.take(octets, decoded);
        match &mut self.state {
            State::Leaf(part, leaf) => leaf.push(octets, &mut |octets| decoded(*part, octets)),
            State::Header | State::Outside => self.counted.outside += octets.len() as u64,
        }
    }

    /// Every octet of the message comes through here, in order.
    fn take(&mut self, octets: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.position += octets.len() as u64;
        match octets {
            [.., a, b] => self.last = [*a, *b],
            [b] => self.last = [self.last[1], *b],
            [] => {}
        }
        if self.levels.messages() == 0 {
            return;
        }
        for level in self.levels.iter_mut() {
            if let Kind::Message { whole: Some(whole) } = &mut level.kind {
                let Whole { last_break, digests } = whole.as_mut();
                last_break.push(octets, |octets| {
                    digests.update(octets);
                    decoded(level.part, octets);
                });
            }
        }
    }

    fn delimiter(&mut self, delimiter: Delimiter, line: &[u8], decoded: &mut impl FnMut(usize, &[u8])) {
        self.end_headers();
        self.end_leaf(true, decoded);
        self.end_levels(delimiter.level + 1, true, decoded);
        self.counted.delimiters += line.len() as u64;
        self.take(line, decoded);
        self.state = State::Outside;
        if delimiter.closes {
            self.levels.close(delimiter.level);
        } else {
            self.begin_part();
        }
    }

    /// A header comes, unless there are too many parts already.
    fn begin_part(&mut self) {
        if self.parts.len() < self.options.parts_limit {
            self.header.clear();
            self.is_first_line = true;
            self.header_is_cut = false;
            self.state = State::Header;
        } else {
            self.reached.parts += 1;
            self.state = State::Outside;
        }
    }

    fn end_header(&mut self) {
        let number = self.parts.len();
        let entity = Entity::of(&self.header, self.levels.default_type());
        if number > 0 {
            self.header_room -= self.header.len().min(self.header_room);
        }
        let depth = self.levels.len();
        let boundary = entity.boundary().map(Box::from);
        let is_message = entity.is_message();
        let wanted = self.wanted(&entity);
        let mut part = Part::new(entity, depth, self.levels.messages() > 0);
        // The header of an attached message is that of the first part in it.
        if let Some(around) = self.parts.last_mut().filter(|around| around.is_open_message()) {
            around.message_header = Some(self.header.as_slice().into());
        }
        self.header = Vec::new();
        let is_too_deep =
            depth >= self.options.depth_limit || (is_message && self.levels.messages() >= self.options.messages_limit);
        self.reached.depth += u64::from(is_too_deep && (is_message || boundary.is_some()));
        let start = self.position;
        if let Some(boundary) = boundary.filter(|_| !is_too_deep) {
            // RFC 2046 §5.1.5: "in a digest, the default Content-Type value for a body part is changed".
            let is_digest = part.content_type == "multipart/digest";
            let default_type = if is_digest { "message/rfc822" } else { "text/plain" };
            self.parts.push(part);
            self.levels.push(Level {
                part: number,
                start,
                kind: Kind::Multipart { boundary, default_type, is_closed: false },
            });
            self.state = State::Outside;
        } else if is_message && !is_too_deep {
            let whole = part.is_attachment().then(|| {
                let digests = Digests::new(wanted.sha256, wanted.md5);
                Box::new(Whole { last_break: LineBreak::default(), digests })
            });
            part.message_header = Some(Box::default());
            self.parts.push(part);
            self.levels.push(Level { part: number, start, kind: Kind::Message { whole } });
            self.begin_part();
        } else {
            let leaf = Leaf::new(part.transfer_encoding.as_deref(), wanted);
            self.parts.push(part);
            self.state = State::Leaf(number, Box::new(leaf));
        }
    }

    /// What is to be known of a body: digests of all that is no text of the mail, and of text the text.
    fn wanted(&self, entity: &Entity) -> Wanted {
        let is_text = matches!(entity.content_type.as_str(), "text/plain" | "text/html");
        let is_notification = report::is_notification(&entity.content_type);
        Wanted {
            sha256: entity.is_attachment() || !(is_text || is_notification),
            md5: self.options.hashes,
            text: if is_text || is_notification { self.options.text_limit } else { 0 },
        }
    }

    fn end_leaf(&mut self, at_delimiter: bool, decoded: &mut impl FnMut(usize, &[u8])) {
        let State::Leaf(number, leaf) = std::mem::replace(&mut self.state, State::Outside) else { return };
        let (body, of_delimiter) = leaf.finish(at_delimiter, &mut |octets| decoded(number, octets));
        self.counted.bodies += body.encoded;
        self.counted.delimiters += of_delimiter;
        self.reached.text += u64::from(body.text_cut);
        let Some(part) = self.parts.get_mut(number) else { return };
        part.take(&body);
        let is_html = part.content_type == "text/html";
        if !(is_html || part.content_type == "text/plain") {
            return;
        }
        // The first plain text is the mail's; HTML stands in where there is none.
        let is_better = self.text.as_ref().is_none_or(|(_, has_html)| *has_html && !is_html);
        let is_text = self.options.text && is_better && !part.is_attachment() && !part.is_attached;
        let charset = part.charset.as_deref();
        if !is_text && !is_html && entity::is_ascii_within(charset) && !may_hold_url(&body.text) {
            return;
        }
        let text = entity::decoded(&body.text, charset);
        if is_html {
            super::html::find_urls(&text, number, &mut self.urls);
        } else {
            self.urls.add_text(&text, number);
        }
        if is_text {
            self.text = Some((text.into_owned(), is_html));
        }
    }

    /// Ends what is within so many levels.
    fn end_levels(&mut self, left: usize, at_delimiter: bool, decoded: &mut impl FnMut(usize, &[u8])) {
        let line_break = match self.last {
            [b'\r', b'\n'] => 2,
            [_, b'\n'] => 1,
            _ => 0,
        };
        let end = self.position - if at_delimiter { line_break.min(self.position) } else { 0 };
        while let Some(level) = self.levels.pop_above(left) {
            let Some(part) = self.parts.get_mut(level.part) else { continue };
            part.encoded_size = end.saturating_sub(level.start);
            let Kind::Message { whole } = level.kind else { continue };
            part.decoded_size = part.complete.then_some(part.encoded_size);
            let Some(whole) = whole else { continue };
            let Whole { last_break, mut digests } = *whole;
            let last = last_break.into_octets();
            if !at_delimiter && !last.is_empty() {
                digests.update(last);
                decoded(level.part, last);
            }
            if part.complete {
                (part.sha256, part.md5) = digests.finish();
            }
        }
    }

    /// Some of what is open now is missing.
    fn mark_open_parts(&mut self) {
        let leaf = match &self.state {
            State::Leaf(number, _) => Some(*number),
            State::Header | State::Outside => None,
        };
        for number in self.levels.iter_mut().map(|level| level.part).chain(leaf) {
            if let Some(part) = self.parts.get_mut(number) {
                part.complete = false;
            }
        }
    }
}
