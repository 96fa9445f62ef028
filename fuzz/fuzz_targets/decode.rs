//! Any octets as a packet of any link type: the payload of a segment lies within the packet where it says it does, and
//! no more is missing than the capture cut off.
//!
//! Input: an octet for the link type, an octet for what the snap length cut off, the packet.

#![no_main]

use capture::{Decoder, LinkType, Packet, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [link_type, cut_off, data @ ..] = input else { return };
    let link_type = LINK_TYPES.get(usize::from(*link_type)).copied().unwrap_or(LinkType(u32::from(*link_type)));
    let cut_off = u32::from(*cut_off);
    let packet = Packet {
        data,
        data_at: DATA_AT,
        interface_id: 0,
        link_type,
        original_len: u32::try_from(data.len()).unwrap() + cut_off,
        timestamp: Timestamp::from_nanos(1),
    };
    let mut decoder = Decoder::new();
    let Ok(Some(segment)) = decoder.decode(&packet) else { return };
    if let Some(at) = segment.payload_at {
        let at = usize::try_from(at - DATA_AT).unwrap();
        assert_eq!(segment.payload, &data[at..at + segment.payload.len()]);
        assert!(segment.payload.is_empty() || std::ptr::eq(segment.payload.as_ptr(), data[at..].as_ptr()), "copied");
    }
    // A link layer without a length of its own cuts nothing off that the IP header does not tell of.
    assert!(segment.missing <= cut_off || segment.payload.len() + segment.missing as usize <= 65_535);
    assert_eq!(segment.timestamp, packet.timestamp);
});

const DATA_AT: u64 = 1_000;
const LINK_TYPES: [LinkType; 8] = [
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];
