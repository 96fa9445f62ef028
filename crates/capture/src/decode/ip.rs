//! The Internet layer: IPv4 (RFC 791) and IPv6 (RFC 8200).

use std::net::IpAddr;

use etherparse::{IpNumber, LaxIpPayloadSlice, LaxIpv4Slice, LaxIpv6Slice, err};

use super::DecodeError;
use super::link::{Datagram, Version};
use crate::Packet;

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transport<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// The protocol of IPv4, the last next header of IPv6.
    pub(super) protocol: u8,
    /// The octets that were captured, without padding of the link layer.
    pub(super) octets: &'a [u8],
    /// Where `octets` begins in the packet's data.
    pub(super) at: usize,
    /// Octets the datagram had behind them.
    pub(super) missing: u32,
}

/// The payload of `datagram`; `None` where that is a fragment of anything but TCP.
#[inline]
pub(super) fn transport<'a>(datagram: Datagram<'a>, packet: &Packet<'a>) -> Result<Option<Transport<'a>>, DecodeError> {
    let first = *datagram.octets.first().ok_or(DecodeError::TruncatedHeader)?;
    match (first >> 4, datagram.version) {
        (4, Version::V4 | Version::Any) => ipv4(datagram, packet),
        (6, Version::V6 | Version::Any) => ipv6(datagram, packet),
        _ => Err(DecodeError::MalformedIp),
    }
}

/// RFC 791 §3.1:
///
/// > Total Length is the length of the datagram, measured in octets, including internet header and data.
#[inline]
fn ipv4<'a>(datagram: Datagram<'a>, packet: &Packet<'a>) -> Result<Option<Transport<'a>>, DecodeError> {
    let (ip, stopped) = LaxIpv4Slice::from_slice(datagram.octets).map_err(|e| match e {
        err::ipv4::HeaderSliceError::Len(_) => DecodeError::TruncatedHeader,
        err::ipv4::HeaderSliceError::Content(_) => DecodeError::MalformedIp,
    })?;
    let header = ip.header();
    let header_len = header.slice().len();
    let promised = match usize::from(header.total_len()) {
        0 => None,
        // etherparse takes such a length for none at all.
        total if total < header_len => return Err(DecodeError::MalformedIp),
        total => Some(total),
    };
    if stopped.is_some() {
        return Err(stopped_in_header(ip.payload().incomplete));
    }
    let (source, destination) = (header.source_addr().into(), header.destination_addr().into());
    carried(datagram, packet, ip.payload(), promised, source, destination)
}

/// RFC 8200 §3:
///
/// > Payload Length: 16-bit unsigned integer. Length of the IPv6 payload, i.e., the rest of the packet following this
/// > IPv6 header, in octets. (Note that any extension headers […] present are considered part of the payload, i.e.,
/// > included in the length count.)
fn ipv6<'a>(datagram: Datagram<'a>, packet: &Packet<'a>) -> Result<Option<Transport<'a>>, DecodeError> {
    let (ip, stopped) = LaxIpv6Slice::from_slice(datagram.octets).map_err(|e| match e {
        err::ipv6::HeaderSliceError::Len(_) => DecodeError::TruncatedHeader,
        err::ipv6::HeaderSliceError::Content(_) => DecodeError::MalformedIp,
    })?;
    if stopped.is_some() {
        return Err(stopped_in_header(ip.payload().incomplete));
    }
    let header = ip.header();
    let promised = match usize::from(header.payload_length()) {
        0 => None,
        payload => Some(IPV6_HEADER_OCTETS + payload),
    };
    let (source, destination) = (header.source_addr().into(), header.destination_addr().into());
    carried(datagram, packet, ip.payload(), promised, source, destination)
}

/// The payload of either version. `promised` is the length of the datagram by its header.
///
/// A length of 0 is left by hosts that hand a datagram of more than 65 535 octets to the network card to be cut up there
/// (segmentation offload), and in IPv6 by jumbograms (RFC 2675 §3): it goes on to the end of the packet, which is known
/// even where the capture cut it.
#[inline]
fn carried<'a>(
    datagram: Datagram<'a>,
    packet: &Packet<'a>,
    payload: &LaxIpPayloadSlice<'a>,
    promised: Option<usize>,
    source: IpAddr,
    destination: IpAddr,
) -> Result<Option<Transport<'a>>, DecodeError> {
    if payload.fragmented {
        return if payload.ip_number == IpNumber::TCP { Err(DecodeError::Fragment) } else { Ok(None) };
    }
    let there = datagram.octets.len();
    let on_the_wire = || usize::try_from(packet.original_len).unwrap_or(usize::MAX).saturating_sub(datagram.at);
    let missing = promised.unwrap_or_else(on_the_wire).saturating_sub(there);
    let missing = u32::try_from(missing).unwrap_or(u32::MAX);
    // The payload ends where the datagram does, or what there is of it: etherparse has cut the padding off.
    let end = promised.unwrap_or(there).min(there);
    let at = datagram.at.saturating_add(end.saturating_sub(payload.payload.len()));
    Ok(Some(Transport { source, destination, protocol: payload.ip_number.0, octets: payload.payload, at, missing }))
}

/// etherparse stopped in an extension header: because the capture cut it, or because it is wrong.
#[cold]
fn stopped_in_header(cut: bool) -> DecodeError {
    if cut { DecodeError::TruncatedHeader } else { DecodeError::MalformedIp }
}

const IPV6_HEADER_OCTETS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::{datagram, decode, packet};
    use crate::{Decoder, LinkType};

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
        assert_eq!(raw(&data[..44]), Err(DecodeError::TruncatedHeader));
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

    #[test]
    fn fragments_of_tcp_are_told_apart_and_others_are_nothing() {
        // RFC 791 §3.1: flags and fragment offset. More Fragments; then an offset of 8 octets.
        for flags in [[0x20, 0], [0, 1], [0x20, 1]] {
            let mut data = datagram(4);
            data[6..8].copy_from_slice(&flags);
            assert_eq!(raw(&data), Err(DecodeError::Fragment));
            data[9] = 17;
            assert_eq!(raw(&data), Ok(None), "of UDP");
        }
        let mut dont = datagram(4);
        dont[6] = 0x40;
        assert_eq!(raw(&dont), whole(), "Don't Fragment");
        // RFC 8200 §4.5: Next Header, reserved, offset and M flag, identification; RFC 6946: an atomic fragment is whole.
        assert_eq!(raw(&extended(44, &[TCP, 0, 0, 1, 0, 0, 0, 1])), Err(DecodeError::Fragment));
        assert_eq!(raw(&extended(44, &[17, 0, 0, 1, 0, 0, 0, 1])), Ok(None));
        assert_eq!(raw(&extended(44, &[TCP, 0, 0, 0, 0, 0, 0, 1])), whole());
    }
}
