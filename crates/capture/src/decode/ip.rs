//! The Internet layer: IPv4 (RFC 791) and IPv6 (RFC 8200).

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, err};

use super::fragment::{Fragment, FragmentKey};
use super::{DecodeError, Layer, Octets, extension};

/// The version the layer below announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
    /// It announces none: the datagram's first four bits tell.
    Any,
}

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payload<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// The protocol of IPv4, the next header of IPv6.
    pub(super) protocol: u8,
    /// Without padding of the link layer.
    pub(super) octets: Octets<'a>,
}

/// What is behind the IP header.
#[inline]
pub(super) fn datagram(version: Version, octets: Octets<'_>) -> Result<Layer<'_>, DecodeError> {
    let [first] = *octets.header::<1>()?;
    match (first >> 4, version) {
        (4, Version::V4 | Version::Any) => ipv4(octets),
        (6, Version::V6 | Version::Any) => ipv6(octets),
        _ => Err(DecodeError::MalformedIp),
    }
}

/// RFC 791 §3.1:
///
/// > Total Length is the length of the datagram, measured in octets, including internet header and data.
///
/// It is 0 where a host handed more than 65 535 octets to the network card to be cut up there (segmentation offload);
/// then the datagram goes on to the end of the packet, which is known even where the capture cut it.
#[inline]
fn ipv4(octets: Octets<'_>) -> Result<Layer<'_>, DecodeError> {
    let header = Ipv4HeaderSlice::from_slice(octets.captured).map_err(|e| match e {
        err::ipv4::HeaderSliceError::Len(_) => DecodeError::TruncatedHeader,
        err::ipv4::HeaderSliceError::Content(_) => DecodeError::MalformedIp,
    })?;
    let header_len = header.slice().len();
    let octets = match usize::from(header.total_len()) {
        0 => octets,
        total if total < header_len => return Err(DecodeError::MalformedIp),
        total => octets.datagram(total)?,
    }
    .behind(header_len);
    let (source, destination) = (header.source_addr().into(), header.destination_addr().into());
    let protocol = header.protocol().0;
    if header.is_fragmenting_payload() {
        return Ok(Layer::Fragment(Fragment {
            key: FragmentKey {
                source,
                destination,
                protocol: Some(protocol),
                identification: header.identification().into(),
            },
            protocol,
            offset: usize::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
            octets,
        }));
    }
    Ok(Layer::Payload(Payload { source, destination, protocol, octets }))
}

/// RFC 8200 §3:
///
/// > Payload Length: 16-bit unsigned integer. Length of the IPv6 payload, i.e., the rest of the packet following this
/// > IPv6 header, in octets. (Note that any extension headers […] present are considered part of the payload, i.e.,
/// > included in the length count.)
///
/// It is 0 in jumbograms, whose length stands in a hop-by-hop option (RFC 2675 §3), and with segmentation offload.
fn ipv6(octets: Octets<'_>) -> Result<Layer<'_>, DecodeError> {
    let header = Ipv6HeaderSlice::from_slice(octets.captured).map_err(|e| match e {
        err::ipv6::HeaderSliceError::Len(_) => DecodeError::TruncatedHeader,
        err::ipv6::HeaderSliceError::Content(_) => DecodeError::MalformedIp,
    })?;
    let octets = octets.behind(header.slice().len());
    let length = usize::from(header.payload_length());
    let payload = Payload {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.next_header().0,
        octets: if length == 0 { octets } else { octets.datagram(length)? },
    };
    // RFC 8200 §4.1: the Hop-by-Hop Options header "is restricted to appear immediately after an IPv6 header only".
    if payload.protocol == extension::HOP_BY_HOP {
        extension::hop_by_hop(payload, length)
    } else {
        Ok(Layer::Payload(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::{datagram, decode, packet};
    use crate::{Decoder, LinkType, Packet};

    fn raw(data: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        decode(&packet(LinkType::RAW, data))
    }

    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    /// An IPv6 datagram with these extension headers, the first of this type, before its TCP header.
    fn extended(first: u8, headers: &[u8]) -> Vec<u8> {
        let mut data = datagram(6);
        data[6] = first;
        data[5] += u8::try_from(headers.len()).unwrap();
        data.splice(40..40, headers.iter().copied());
        data
    }

    const TCP: u8 = 6;

    #[test]
    fn ipv4_options_are_no_payload() {
        let mut data = datagram(4);
        // RFC 791 §3.1: three No Operations and an End of Option List.
        data[0] = 0x46;
        data[3] += 4;
        data.splice(20..20, [1, 1, 1, 0]);
        assert_eq!(raw(&data), whole());
    }

    #[test]
    fn an_ipv4_header_that_contradicts_itself_is_malformed() {
        let mut short_header = datagram(4);
        short_header[0] = 0x44;
        assert_eq!(raw(&short_header), Err(DecodeError::MalformedIp));
        for total in [1, 19] {
            let mut short = datagram(4);
            short[2..4].copy_from_slice(&[0, total]);
            assert_eq!(raw(&short), Err(DecodeError::MalformedIp), "{total}");
        }
        assert_eq!(raw(&[0x55; 60]), Err(DecodeError::MalformedIp));
    }

    /// RFC 1122 §3.2.1, of a datagram in a frame too short for it: what is not all there is no datagram. Only what the
    /// record says was on the wire can have been cut off.
    #[test]
    fn a_length_beyond_the_packet_on_the_wire_is_no_cut() {
        for (version, field) in [(4, 2), (6, 4)] {
            let data = datagram(version);
            for bit in 0..16 {
                let mut damaged = data.clone();
                damaged[field + bit / 8] ^= 0x80 >> (bit % 8);
                let longer = damaged[field..field + 2] > data[field..field + 2];
                let found = raw(&damaged);
                assert_eq!(found == Err(DecodeError::IpBeyondPacket), longer, "{version} {bit}: {found:?}");
                // The same of a packet that was cut: the record knows how long it was.
                let whole = packet(LinkType::RAW, &damaged);
                let cut = decode(&Packet { data: &damaged[..damaged.len() - 2], ..whole });
                assert_eq!(cut == Err(DecodeError::IpBeyondPacket), longer, "{version} {bit}: {cut:?}");
            }
        }
    }

    /// Segmentation offload and jumbograms: the length is that of the packet.
    #[test]
    fn a_length_of_zero_is_the_rest_of_the_packet() {
        for (version, field) in [(4, 2..4), (6, 4..6)] {
            let mut data = datagram(version);
            data[field].fill(0);
            assert_eq!(raw(&data), whole());
            let packet = Packet { original_len: 70_000, ..packet(LinkType::RAW, &data) };
            let mut decoder = Decoder::new();
            let segment = decoder.decode(&packet).unwrap().unwrap();
            assert_eq!(segment.payload, b"MAIL ok\n");
            assert_eq!(segment.missing as usize, 70_000 - data.len());
            // A record that says the wire had less than it holds is wrong about the wire.
            let packet = Packet { original_len: 0, ..packet };
            assert_eq!(decode(&packet), whole());
        }
    }

    #[test]
    fn ipv6_extension_headers_are_passed() {
        // RFC 8200 §4.3, 4.4, 4.6: Next Header, length in 8 octets beyond the first, content.
        let padding = |next| [next, 0, 1, 4, 0, 0, 0, 0];
        assert_eq!(raw(&extended(0, &padding(TCP))), whole(), "hop-by-hop options");
        let three = [padding(43), padding(60), padding(TCP)].concat();
        assert_eq!(raw(&extended(0, &three)), whole(), "hop-by-hop, routing, destination options");
        // RFC 4302 §2: Next Header, length in 4 octets less 2, reserved, SPI, sequence number, ICV.
        let auth = [TCP, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(raw(&extended(51, &auth)), whole(), "authentication header");
        // RFC 8200 §4.1: the Hop-by-Hop Options header "is restricted to appear immediately after an IPv6 header only".
        assert_eq!(raw(&extended(60, &[padding(0), padding(TCP)].concat())), Err(DecodeError::MalformedIp));
    }

    #[test]
    fn an_extension_header_that_was_cut_is_truncated_one_too_long_is_malformed() {
        let data = extended(0, &[TCP, 0, 1, 4, 0, 0, 0, 0]);
        let cut = Packet { data: &data[..44], ..packet(LinkType::RAW, &data) };
        assert_eq!(decode(&cut), Err(DecodeError::TruncatedHeader));
        assert_eq!(raw(&extended(0, &[TCP, 200, 1, 4, 0, 0, 0, 0])), Err(DecodeError::MalformedIp));
    }

    #[test]
    fn an_ipv4_authentication_header_is_passed() {
        let mut data = datagram(4);
        data[9] = 51;
        data[3] += 16;
        data.splice(20..20, [TCP, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(raw(&data), whole());
    }
}
