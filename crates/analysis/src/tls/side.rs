//! One side of a handshake, and the messages in its records.

use super::certificate::Certificate;
use super::record::Records;

/// What is known of one side, and what of its octets is still needed.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) records: Records,
    pub(super) octets: usize,
    /// The octets of a message that is not complete yet.
    pub(super) message: Vec<u8>,
    /// The first octet of an alert.
    pub(super) alert_level: Option<u8>,
    pub(super) certificates: Vec<Certificate>,
    /// It said ChangeCipherSpec: up to TLS 1.2 its messages are encrypted from here on.
    pub(super) changed_cipher: bool,
    /// It sent what is its last message of the handshake.
    pub(super) finished: bool,
    /// Its further octets cannot be read, or are not wanted.
    pub(super) is_deaf: bool,
}

impl Side {
    /// The octets of messages that were held, and these behind them; what of them is not used comes back to `message`.
    pub(super) fn take_messages(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut held = std::mem::take(&mut self.message);
        // Copied: a message may be cut into records, and records into segments, as it pleases the sender.
        held.extend_from_slice(octets);
        held
    }
}

/// The first message in these octets, if it is all there: its type, its body, and what is behind it.
///
/// RFC 8446 §4: `HandshakeType msg_type; uint24 length; select (Handshake.msg_type) { … };`
pub(super) fn first_message(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, a, b, c], rest) = octets.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let (body, behind) = rest.split_at_checked(length)?;
    Some((kind, body, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_each_other() {
        assert_eq!(first_message(&[14, 0, 0, 0, 1, 0, 0]), Some((14, &[][..], &[1, 0, 0][..])));
        assert_eq!(first_message(&[1, 0, 0, 2, 9]), None, "its last octet is not there yet");
        assert_eq!(first_message(&[1, 0, 0]), None);
    }
}
