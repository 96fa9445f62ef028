//! What is in a capture, counted while it is made.

/// What is in a capture.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Truth {
    /// TCP connections.
    pub connections: u64,
    /// Connections that are mail, those of a flood not counted that only began like it.
    pub sessions: u64,
    /// Those of them that have a TLS handshake.
    pub tls_sessions: u64,
    /// Transactions whose message was accepted with 250.
    pub accepted_transactions: u64,
    /// Transactions refused at MAIL, at every RCPT or at the end of the message.
    pub rejected_transactions: u64,
    /// Transactions given up with RSET or QUIT before the message, or by closing the connection in it.
    pub aborted_transactions: u64,
    /// RCPT commands.
    pub recipients: u64,
    /// RCPT commands answered with 250.
    pub accepted_recipients: u64,
    /// Commands.
    pub commands: u64,
    /// Replies, one of several lines counted once, the greeting counted too.
    pub replies: u64,
    /// Octets of all messages behind DATA, dots unstuffed, dot lines not counted, and in BDAT chunks.
    pub message_octets: u64,
    /// Octets of TCP payload, each copy counted.
    pub payload_octets: u64,
    /// Octets of what is said, each once: without a flood's own.
    pub stream_octets: u64,
    /// Packets.
    pub packets: u64,
    /// Octets of the file.
    pub octets: u64,
    /// For every DATA command, in the order of [`streams`](super::streams): whether it was answered with 354.
    #[serde(skip)]
    pub contents_begun: Vec<bool>,
}

impl Truth {
    /// Transactions, whatever became of them.
    pub const fn transactions(&self) -> u64 {
        self.accepted_transactions + self.rejected_transactions + self.aborted_transactions
    }
}
