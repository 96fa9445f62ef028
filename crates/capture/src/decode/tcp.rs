//! The TCP header (RFC 9293 §3.1).

use std::net::SocketAddr;

use etherparse::{TcpOptionElement, TcpSlice, err};

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
        window: tcp.window_size(),
        window_scale: if tcp.syn() { window_scale(&tcp) } else { None },
        payload: tcp.payload(),
        payload_at,
        missing: u32::try_from(ip.octets.missing).unwrap_or(u32::MAX),
        timestamp: packet.timestamp,
        encapsulation,
    })
}

/// > The window scale option … may be sent only in a <SYN> segment (RFC 7323 §2.2).
fn window_scale(tcp: &TcpSlice<'_>) -> Option<u8> {
    tcp.options_iterator().map_while(Result::ok).find_map(|option| match option {
        TcpOptionElement::WindowScale(shift) => Some(shift),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use kit::TcpPacket;

    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet};
    use crate::{Decoder, LinkType};

    /// RFC 7323 §2.2: kind 3, length 3, shift count; "may be sent only in a <SYN> segment".
    #[test]
    fn the_window_and_its_scale() {
        let of = |syn, options: &[u8]| {
            let data = TcpPacket { syn, options, ..TcpPacket::new("192.0.2.1:4", "192.0.2.2:25") }.ethernet();
            let mut decoder = Decoder::new();
            let segment = decoder.decode(&packet(LinkType::ETHERNET, &data)).unwrap().unwrap();
            (segment.window, segment.window_scale)
        };
        let window = of(true, &[]).0;
        assert_ne!(window, 0);
        assert_eq!(of(true, &[2, 4, 5, 180, 1, 3, 3, 7]), (window, Some(7)));
        assert_eq!(of(false, &[1, 3, 3, 7]), (window, None), "outside a SYN it is ignored");
        assert_eq!(of(true, &[2, 4, 5, 180]), (window, None));
        assert_eq!(of(true, &[3, 9, 7, 1]), (window, None), "longer than the header");
    }

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
