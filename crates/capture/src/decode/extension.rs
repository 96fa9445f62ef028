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
            payload.octets.first(usize::try_from(length).unwrap_or(usize::MAX))
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
