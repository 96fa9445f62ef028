//! What a packet says about a TCP connection: the hand-over to the `reassembly` crate.

use std::net::SocketAddr;

use crate::{Encapsulation, SeqNumber, Timestamp};

/// One TCP segment (RFC 9293 §3.1). Its payload is lent from the packet it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Address and port it came from.
    pub source: SocketAddr,
    /// Address and port it went to.
    pub destination: SocketAddr,
    /// Sequence number: of the first payload octet, or of the SYN where there is one.
    pub seq: SeqNumber,
    /// Acknowledgment number, where the ACK bit is set.
    pub ack: Option<SeqNumber>,
    /// The other control bits.
    pub flags: Flags,
    /// The window field as it stands in the header, not scaled.
    pub window: u16,
    /// The shift count of the Window Scale option (RFC 7323 §2.2), which only a SYN can carry.
    pub window_scale: Option<u8>,
    /// The payload octets that were captured.
    pub payload: &'a [u8],
    /// Where `payload` begins in the (decompressed) input; `None` where it was put together from IP fragments.
    pub payload_at: Option<u64>,
    /// Payload octets the segment had on the wire behind `payload`, which the snap length cut off.
    pub missing: u32,
    /// When its packet was captured; of several fragments, the one that made it whole.
    pub timestamp: Timestamp,
    /// The tags, labels and tunnels around it.
    pub encapsulation: Encapsulation,
}

impl Segment<'_> {
    /// The same without its payload, so that it can outlive the packet. [`payload_at`](Self::payload_at) still says where that
    /// was.
    pub fn without_payload(&self) -> Segment<'static> {
        let &Self {
            source, destination, seq, ack, flags, window, window_scale, payload_at, missing, timestamp, ..
        } = self;
        let encapsulation = self.encapsulation;
        Segment {
            source,
            destination,
            seq,
            ack,
            flags,
            window,
            window_scale,
            payload: &[],
            payload_at,
            missing,
            timestamp,
            encapsulation,
        }
    }
}

/// The control bits that open and close a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Synchronize sequence numbers.
    pub syn: bool,
    /// No more data from sender.
    pub fin: bool,
    /// Reset the connection.
    pub rst: bool,
}
