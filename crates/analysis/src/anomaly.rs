//! What was out of the ordinary in a session: a closed list of kinds.

use serde::Serialize;

use crate::output::time::Time;

/// Something in a session that the standards do not foresee, or that the capture lost.
#[derive(Debug, Clone, Serialize)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// When.
    pub timestamp: Time,
    /// Who sent it.
    pub direction: Role,
    /// Offset in the stream of that side, in octets: of the line or the gap.
    pub offset: u64,
    /// A short explanation, or the octets concerned, escaped.
    pub detail: String,
}

/// A side of a mail session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Speaks commands.
    Client,
    /// Answers.
    Server,
}

/// The kinds of anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A line ends in LF without CR (RFC 5321 §2.3.8 allows CRLF only).
    BareLf,
    /// A line ends in CR CR LF.
    RepeatedCr,
    /// A CR inside a line: another reader may take it for the line's end.
    BareCr,
    /// A NUL inside a line.
    NulInLine,
    /// A line is longer than the limit, and its end was not kept.
    LineTooLong,
    /// The path of MAIL or RCPT is not in angle brackets, or not written as RFC 5321 §4.1.2 wants it.
    PathSyntax,
    /// A known verb with an argument outside its grammar.
    InvalidArgument,
    /// A verb no standard knows.
    UnknownCommand,
    /// The client spoke before the server's greeting (RFC 5321 §3.1).
    EarlyTalker,
    /// A dot line in bare LF inside the message; a lenient server ends the message there.
    DotLineVariant,
    /// The server took a dot line in bare LF for the end of the message.
    BareLfEndOfData,
    /// The lines of a reply have different codes (RFC 5321 §4.2.1).
    MixedReplyCodes,
    /// A line of the server that is no reply.
    InvalidReply,
    /// A reply without its line end, or a multi-line reply without its last line.
    UnterminatedReply,
    /// A reply that no command asked for.
    UnsolicitedReply,
    /// The server answered while the message was still being sent.
    ReplyDuringContent,
    /// The server took TURN or ATRN (RFC 2645): the sides change roles, and what follows is not read.
    RolesReversed,
    /// Octets of the client's commands are not in the capture.
    CommandGap,
    /// Octets of a message are not in the capture.
    ContentGap,
    /// Octets of the server's replies are not in the capture.
    ReplyGap,
    /// More commands awaited their reply than the limit allows.
    TooManyPendingCommands,
    /// A copy of octets differs from the copy captured first.
    ConflictingOverlap,
}
