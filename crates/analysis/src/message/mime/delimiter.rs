//! The multiparts and attached messages that are open, and the lines that delimit their parts.
//!
//! > delimiter := CRLF dash-boundary
//! > dash-boundary := "--" boundary
//! > close-delimiter := delimiter "--"
//! > encapsulation := delimiter transport-padding CRLF body-part (RFC 2046 §5.1.1)
//!
//! A line that only begins with a boundary is none, nor is one in which it stands elsewhere.

use super::leaf::Digests;
use super::line_break::LineBreak;

/// Octets of a line that may be a delimiter: a boundary, and blanks that were added on the way.
pub(super) const LINE_OCTETS: usize = 1024;

/// What is open around what is read, outermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    levels: Vec<Level>,
    /// Multiparts whose close delimiter has not come.
    open_multiparts: usize,
    messages: usize,
}

/// A multipart or an attached message.
#[derive(Debug, Clone)]
pub(super) struct Level {
    /// Number of its part.
    pub(super) part: usize,
    /// Where its body begins.
    pub(super) start: u64,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Multipart {
        boundary: Box<[u8]>,
        /// What its parts are where they do not say.
        default_type: &'static str,
        /// Its close delimiter has come; what follows is the epilogue.
        is_closed: bool,
    },
    Message {
        /// Of one that is an attachment.
        whole: Option<Box<Whole>>,
    },
}

/// All octets of an attached message.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) last_break: LineBreak,
    pub(super) digests: Digests,
}

/// A delimiter line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Number of the level whose boundary it has.
    pub(super) level: usize,
    pub(super) closes: bool,
}

impl Levels {
    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// Attached messages that are open.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Whether a delimiter line would be one.
    pub(super) fn has_boundary(&self) -> bool {
        self.open_multiparts > 0
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Level> {
        self.levels.iter_mut()
    }

    pub(super) fn push(&mut self, level: Level) {
        match level.kind {
            Kind::Multipart { .. } => self.open_multiparts += 1,
            Kind::Message { .. } => self.messages += 1,
        }
        self.levels.push(level);
    }

    /// Ends the innermost one, unless only so many are left.
    pub(super) fn pop_above(&mut self, left: usize) -> Option<Level> {
        if self.levels.len() <= left {
            return None;
        }
        let level = self.levels.pop()?;
        match level.kind {
            Kind::Multipart { is_closed, .. } => self.open_multiparts -= usize::from(!is_closed),
            Kind::Message { .. } => self.messages -= 1,
        }
        Some(level)
    }

    /// The close delimiter of a multipart has come.
    pub(super) fn close(&mut self, number: usize) {
        if let Some(Level { kind: Kind::Multipart { is_closed: is_closed @ false, .. }, .. }) =
            self.levels.get_mut(number)
        {
            *is_closed = true;
            self.open_multiparts -= 1;
        }
    }

    /// What a part of the innermost multipart is where it does not say.
    pub(super) fn default_type(&self) -> &'static str {
        match self.levels.last() {
            Some(Level { kind: Kind::Multipart { default_type, .. }, .. }) => default_type,
            _ => "text/plain",
        }
    }

    /// Looks at a line, its line break included.
    pub(super) fn delimiter(&self, line: &[u8]) -> Option<Delimiter> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line).strip_prefix(b"--")?;
        // The innermost first; but a line of an outer one ends all that is in it.
        self.levels.iter().enumerate().rev().find_map(|(number, level)| {
            let Kind::Multipart { boundary, is_closed: false, .. } = &level.kind else { return None };
            let behind = line.strip_prefix(boundary.as_ref())?;
            let is_padding = |octets: &[u8]| octets.iter().all(|octet| matches!(octet, b' ' | b'\t'));
            let closes = behind.strip_prefix(b"--").is_some_and(is_padding);
            (closes || is_padding(behind)).then_some(Delimiter { level: number, closes })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(boundaries: &[&str]) -> Levels {
        let mut levels = Levels::default();
        for (part, boundary) in boundaries.iter().enumerate() {
            let boundary = boundary.as_bytes().into();
            let kind = Kind::Multipart { boundary, default_type: "text/plain", is_closed: false };
            levels.push(Level { part, start: 0, kind });
        }
        levels
    }

    fn found(levels: &Levels, line: &str) -> Option<(usize, bool)> {
        levels.delimiter(line.as_bytes()).map(|delimiter| (delimiter.level, delimiter.closes))
    }

    /// RFC 2046 §5.1.1: "the boundary string comparisons must compare the boundary value with the beginning of each
    /// candidate line … may be followed by zero or more characters consisting of linear whitespace".
    #[test]
    fn lines_that_delimit_and_lines_that_do_not() {
        let levels = levels(&["b"]);
        assert_eq!(found(&levels, "--b\r\n"), Some((0, false)));
        assert_eq!(found(&levels, "--b \t\r\n"), Some((0, false)));
        assert_eq!(found(&levels, "--b--\r\n"), Some((0, true)));
        assert_eq!(found(&levels, "--b-- \n"), Some((0, true)));
        assert_eq!(found(&levels, "--b"), Some((0, false)));
        for line in ["-b\r\n", "b\r\n", "--bc\r\n", "--b-\r\n", "--b c\r\n", "--b--c\r\n", "--B\r\n", "--\r\n"] {
            assert_eq!(found(&levels, line), None, "{line}");
        }
    }

    /// One boundary may begin with another.
    #[test]
    fn boundaries_that_begin_alike() {
        let levels = levels(&["b", "bb", "b--"]);
        assert_eq!(found(&levels, "--b\r\n"), Some((0, false)));
        assert_eq!(found(&levels, "--bb\r\n"), Some((1, false)));
        assert_eq!(found(&levels, "--bb--\r\n"), Some((1, true)));
    }

    #[test]
    fn a_closed_multipart_has_no_delimiters() {
        let mut levels = levels(&["a", "b"]);
        levels.close(1);
        levels.close(1);
        assert_eq!(found(&levels, "--b\r\n"), None);
        assert_eq!(found(&levels, "--a\r\n"), Some((0, false)));
        assert!(levels.has_boundary());
        levels.close(0);
        assert!(!levels.has_boundary());
    }
}
