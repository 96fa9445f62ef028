//! What somebody wrote into a capture about it.

/// A comment of a pcapng file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// What it is about.
    pub subject: Subject,
    /// Its text, U+FFFD where it is not UTF-8. At most
    /// [`ReaderLimits::comment_octets`](crate::ReaderLimits::comment_octets) of the file.
    pub text: String,
}

/// What a comment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The section: all that was recorded in one go.
    Section,
    /// An interface, by its number within the section.
    Interface(u32),
    /// A packet, by its number within the file, from 1 on, as other programs number them.
    Packet(u64),
}

/// The comments of one input, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommentLog {
    comments: Vec<Comment>,
    further: u64,
}

impl CommentLog {
    /// The first of them: at most [`ReaderLimits::comments`](crate::ReaderLimits::comments).
    pub fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// How many more there are.
    pub fn further(&self) -> u64 {
        self.further
    }

    /// A copy, because it outlives the block.
    pub(crate) fn add(&mut self, subject: Subject, octets: &[u8], limits: &crate::ReaderLimits) {
        if self.comments.len() < limits.comments {
            let octets = octets.get(..limits.comment_octets).unwrap_or(octets);
            self.comments.push(Comment { subject, text: String::from_utf8_lossy(octets).into_owned() });
        } else {
            self.further += 1;
        }
    }
}
