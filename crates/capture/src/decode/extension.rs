//! What stands between an IP header and the protocol it carries: extension headers (RFC 8200 §4) and the Authentication
//! Header (RFC 4302).

use etherparse::{IpAuthHeaderSlice, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice, err};

use super::fragment::{Fragment, FragmentKey};
use super::ip::Payload;
use super::{DecodeError, Layer};

/// The header that only the IPv6 header may be followed by, and in it the length of a jumbogram. `payload_length` is the
/// field of the IPv6 header.
///
/// RFC 2675 §3:
///
/// > The Payload Length field in the IPv6 header must be set to zero in every packet that carries the Jumbo Payload
/// > option. […] Jumbo Payload Length: 32-bit unsigned integer. Length of the IPv6 packet in octets, excluding the IPv6
/// > header but including the Hop-by-Hop Options header and any other extension headers present. Must be greater than
/// > 65,535.
pub(super) fn hop_by_hop(payload: Payload<'_>, payload_length: usize) -> Result<Layer<'_>, DecodeError> {
    let header = Ipv6RawExtHeaderSlice::from_slice(payload.octets.captured)
        .map_err(|_| payload.octets.too_short(DecodeError::MalformedIp))?;
    let octets = match jumbo_length(header.payload())? {
        None => payload.octets,
        Some(length) if payload_length == 0 && length > 65_535 => {
            payload.octets.datagram(usize::try_from(length).unwrap_or(usize::MAX))?
        }
        Some(_) => return Err(DecodeError::MalformedIp),
    };
    let octets = octets.behind(header.slice().len());
    Ok(Layer::Payload(Payload { protocol: header.next_header().0, octets, ..payload }))
}

/// RFC 8200 §4.2: each option is its type, the length of its data, and these; but Pad1 is a 0 alone.
fn jumbo_length(options: &[u8]) -> Result<Option<u32>, DecodeError> {
    let mut rest = options;
    loop {
        rest = match rest {
            [PAD_1, rest @ ..] => rest,
            [JUMBO_PAYLOAD, 4, a, b, c, d, ..] => return Ok(Some(u32::from_be_bytes([*a, *b, *c, *d]))),
            [_, len, rest @ ..] => rest.get(usize::from(*len)..).ok_or(DecodeError::MalformedIp)?,
            _ => return Ok(None),
        };
    }
}

/// Whether the next header is one of those here.
pub(super) fn is_one(payload: &Payload<'_>) -> bool {
    match payload.protocol {
        AUTHENTICATION | ENCAPSULATING_SECURITY => true,
        HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => payload.source.is_ipv6(),
        _ => false,
    }
}

/// What is behind the next header; `None` where this is none of those that stand before TCP.
///
/// RFC 8200 §4.1:
///
/// > IPv6 nodes must accept and attempt to process extension headers in any order and occurring any number of times in the
/// > same packet, except for the Hop-by-Hop Options header
pub(super) fn next(payload: Payload<'_>) -> Result<Option<Layer<'_>>, DecodeError> {
    let octets = payload.octets;
    let is_ipv6 = payload.source.is_ipv6();
    let (next, len) = match payload.protocol {
        HOP_BY_HOP if is_ipv6 => return Err(DecodeError::MalformedIp),
        FRAGMENT if is_ipv6 => return fragment(payload).map(Some),
        ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 if is_ipv6 => {
            let header = Ipv6RawExtHeaderSlice::from_slice(octets.captured)
                .map_err(|_| octets.too_short(DecodeError::MalformedIp))?;
            (header.next_header().0, header.slice().len())
        }
        AUTHENTICATION => {
            let header = IpAuthHeaderSlice::from_slice(octets.captured).map_err(|e| match e {
                err::ip_auth::HeaderSliceError::Len(_) => octets.too_short(DecodeError::MalformedIp),
                err::ip_auth::HeaderSliceError::Content(_) => DecodeError::MalformedIp,
            })?;
            (header.next_header().0, header.slice().len())
        }
        // RFC 4303: what it carries, if it is not encrypted, has no field that would say so.
        ENCAPSULATING_SECURITY => return Err(DecodeError::Encrypted),
        _ => return Ok(None),
    };
    Ok(Some(Layer::Payload(Payload { protocol: next, octets: octets.behind(len), ..payload })))
}

/// RFC 8200 §4.5. A fragment with nothing before and nothing behind it is whole (RFC 6946), whatever other fragments have
/// the same identification.
fn fragment(payload: Payload<'_>) -> Result<Layer<'_>, DecodeError> {
    let header = Ipv6FragmentHeaderSlice::from_slice(payload.octets.captured)
        .map_err(|_| payload.octets.too_short(DecodeError::MalformedIp))?;
    let octets = payload.octets.behind(header.slice().len());
    let protocol = header.next_header().0;
    if !header.is_fragmenting_payload() {
        return Ok(Layer::Payload(Payload { protocol, octets, ..payload }));
    }
    let (source, destination) = (payload.source, payload.destination);
    Ok(Layer::Fragment(Fragment {
        // > an original packet is reassembled only from fragment packets that have the same Source Address, Destination
        // > Address, and Fragment Identification.
        key: FragmentKey { source, destination, protocol: None, identification: header.identification() },
        protocol,
        offset: usize::from(header.fragment_offset().value()) * 8,
        more: header.more_fragments(),
        octets,
    }))
}

pub(super) const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ENCAPSULATING_SECURITY: u8 = 50;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;
const PAD_1: u8 = 0;
const JUMBO_PAYLOAD: u8 = 0xc2;

#[cfg(test)]
mod tests {
    use crate::decode::tests::{datagram, decode, packet};
    use crate::decode::{DecodeError, Decoder};
    use crate::{LinkType, Packet};

    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    /// An IPv6 datagram with these extension headers, the first of this type, and a payload length or, if `None`, none.
    fn extended(first: u8, headers: &[u8], length: Option<u16>) -> Vec<u8> {
        let mut data = datagram(6);
        data[6] = first;
        data.splice(40..40, headers.iter().copied());
        let payload = u16::try_from(data.len() - 40).unwrap();
        data[4..6].copy_from_slice(&length.unwrap_or(payload).to_be_bytes());
        data
    }

    fn raw(data: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        decode(&packet(LinkType::RAW, data))
    }

    const TCP: u8 = 6;

    #[test]
    fn extension_headers_in_any_order_and_number() {
        // Next Header, length in 8 octets beyond the first, content: one of 8 and one of 24 octets.
        let short = |next| [next, 0, 1, 4, 0, 0, 0, 0];
        let long = |next| [&[next, 2, 1, 20][..], &[0; 20]].concat();
        let every = [&short(43)[..], &long(60), &short(135), &long(139), &short(140), &long(60), &long(TCP)].concat();
        assert_eq!(raw(&extended(0, &every, None)), whole());
        let forty = [&short(60).repeat(39)[..], &short(TCP)].concat();
        assert_eq!(raw(&extended(60, &forty, None)), whole());
    }

    /// RFC 8200 §4.7: No Next Header; RFC 4303: nothing tells what is in an Encapsulating Security Payload.
    #[test]
    fn no_next_header_and_encryption_end_the_chain() {
        assert_eq!(raw(&extended(59, &[], None)), Ok(None));
        assert_eq!(raw(&extended(0, &[59, 0, 1, 4, 0, 0, 0, 0], None)), Ok(None));
        for (version, at) in [(4, 9), (6, 6)] {
            let mut data = datagram(version);
            data[at] = 50;
            assert_eq!(raw(&data), Err(DecodeError::Encrypted));
        }
    }

    /// The numbers of IPv6's extension headers are other protocols in IPv4.
    #[test]
    fn in_ipv4_only_the_authentication_header_is_one() {
        for protocol in [0, 43, 44, 60, 135, 139, 140] {
            let mut data = datagram(4);
            data[9] = protocol;
            assert_eq!(raw(&data), Ok(None), "{protocol}");
        }
    }

    /// RFC 2675 §2: Option Type 0xC2, Opt Data Len 4, the length; padded as RFC 8200 §4.2 says.
    fn jumbo(length: u32) -> Vec<u8> {
        [&[TCP, 0, 0xc2, 4][..], &length.to_be_bytes()].concat()
    }

    #[test]
    fn a_jumbograms_length_stands_in_its_option() {
        let text = b"MAIL ok\n".repeat(10_000);
        let mut data = extended(0, &jumbo(8 + 20 + 80_000), Some(0));
        data.truncate(40 + 8 + 20);
        data.extend(&text);
        let trailer = [&data[..], &[0xee; 9]].concat();
        assert_eq!(raw(&trailer), Ok(Some(text.clone())), "what is behind it is a trailer");
        // Pad1 and PadN (§4.2) before the option.
        let padded =
            [&[TCP, 1, 0, 1, 1, 0, 0xc2, 4][..], &(16_u32 + 20 + 80_000).to_be_bytes(), &[1, 2, 0, 0]].concat();
        let mut data = extended(0, &padded, Some(0));
        data.truncate(40 + 16 + 20);
        data.extend(&text);
        assert_eq!(raw(&data), Ok(Some(text)));
    }

    #[test]
    fn a_jumbogram_cut_by_the_snap_length_knows_what_is_missing() {
        let data = extended(0, &jumbo(1_000_000), Some(0));
        for original in [1_000_040, 1_000_100] {
            let packet = Packet { original_len: original, ..packet(LinkType::RAW, &data) };
            let mut decoder = Decoder::new();
            let segment = decoder.decode(&packet).unwrap().unwrap();
            assert_eq!((segment.payload, segment.missing), (&b"MAIL ok\n"[..], 1_000_000 - 8 - 20 - 8));
        }
    }

    /// RFC 2675 §3: the payload length is 0, and the option's more than 65 535.
    #[test]
    fn a_jumbo_length_that_is_none_is_malformed() {
        assert_eq!(raw(&extended(0, &jumbo(36), Some(0))), Err(DecodeError::MalformedIp));
        assert_eq!(raw(&extended(0, &jumbo(65_535), Some(0))), Err(DecodeError::MalformedIp));
        assert_eq!(raw(&extended(0, &jumbo(70_000), None)), Err(DecodeError::MalformedIp));
        assert_eq!(raw(&extended(0, &[TCP, 0, 5, 200, 0, 0, 0, 0], None)), Err(DecodeError::MalformedIp), "too long");
    }

    /// Without the option a payload length of 0 is what segmentation offload leaves.
    #[test]
    fn hop_by_hop_options_and_no_length_at_all() {
        assert_eq!(raw(&extended(0, &[TCP, 0, 1, 4, 0, 0, 0, 0], Some(0))), whole());
    }

    /// RFC 6946 §4: an atomic fragment is processed on its own, whatever others have its identification.
    #[test]
    fn an_atomic_fragment_is_a_whole_datagram() {
        let atomic = extended(44, &[TCP, 0, 0, 0, 0, 0, 0, 7], None);
        let first = extended(44, &[TCP, 0, 0, 1, 0, 0, 0, 7], None);
        let mut decoder = Decoder::new();
        let odd = Packet { data: &first[..first.len() - 4], ..packet(LinkType::RAW, &first) };
        assert_eq!(decoder.decode(&odd), Err(DecodeError::MalformedIp));
        assert!(decoder.decode(&packet(LinkType::RAW, &atomic)).unwrap().is_some());
        assert_eq!(decoder.counts().fragments.overlapping, 0);
    }
}
