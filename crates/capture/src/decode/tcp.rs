//! The TCP header (RFC 9293 §3.1).

use std::net::SocketAddr;

use etherparse::{TcpSlice, err};

use super::DecodeError;
use super::ip::Payload;
use crate::{Encapsulation, Flags, Packet, Segment, SeqNumber};

/// > Data Offset (DOffset): 4 bits. The number of 32-bit words in the TCP header. This indicates where the data begins.
#[inline]
pub(super) fn segment<'a>(
    ip: &Payload<'a>,
    encapsulation: Encapsulation,
    packet: &Packet<'_>,
) -> Result<Segment<'a>, DecodeError> {
    let tcp = TcpSlice::from_slice(ip.octets.captured).map_err(|e| match e {
        err::tcp::HeaderSliceError::Len(_) => ip.octets.too_short(DecodeError::MalformedTcp),
        err::tcp::HeaderSliceError::Content(_) => DecodeError::MalformedTcp,
    })?;
    let header_len = tcp.header_len();
    let payload_at = ip.octets.at.map(|at| packet.data_at.saturating_add(at.saturating_add(header_len) as u64));
    Ok(Segment {
        source: SocketAddr::new(ip.source, tcp.source_port()),
        destination: SocketAddr::new(ip.destination, tcp.destination_port()),
        seq: SeqNumber::new(tcp.sequence_number()),
        // > Acknowledgment Number: 32 bits. If the ACK control bit is set, this field contains the value of the next
        // > sequence number the sender of the segment is expecting to receive.
        ack: tcp.ack().then(|| SeqNumber::new(tcp.acknowledgment_number())),
        flags: Flags { syn: tcp.syn(), fin: tcp.fin(), rst: tcp.rst() },
        payload: tcp.payload(),
        payload_at,
        missing: u32::try_from(ip.octets.missing).unwrap_or(u32::MAX),
        timestamp: packet.timestamp,
        encapsulation,
    })
}

#[cfg(test)]
mod tests {
    use crate::LinkType;
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet};

    #[test]
    fn a_header_that_does_not_fit_its_datagram_is_malformed() {
        let data = datagram(4);
        for words in [0, 4, 8, 15] {
            let mut data = data.clone();
            data[32] = words << 4;
            // Five words are the least there is; 28 octets are there, so eight words do not fit.
            assert_eq!(decode(&packet(LinkType::RAW, &data)), Err(DecodeError::MalformedTcp), "{words} words");
        }
        let mut data = data;
        data[3] = 20 + 19;
        assert_eq!(decode(&packet(LinkType::RAW, &data)), Err(DecodeError::MalformedTcp), "19 octets");
    }

    #[test]
    fn options_are_no_payload() {
        let mut data = datagram(4);
        data[32] = 6 << 4;
        assert_eq!(decode(&packet(LinkType::RAW, &data)), Ok(Some(b" ok\n".to_vec())));
    }
}
