//! Any octets as packets of any link type, one after the other through one decoder: the payload of a segment lies within
//! its packet where it says it does, no more is missing than the capture cut off, and what stands around a packet in the
//! buffer it is lent from changes nothing.
//!
//! Input: an octet for the link type; then packets, each an octet for what the snap length cut off, one for the length in
//! units of eight octets (0 for the rest of the input), and the octets.

#![no_main]

use capture::{DecodeError, Decoder, Encapsulation, Flags, FragmentLimits, LinkType, Packet, SeqNumber, Timestamp};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;

fuzz_target!(|input: &[u8]| {
    let [link_type, rest @ ..] = input else { return };
    let link_type = LINK_TYPES.get(usize::from(*link_type)).copied().unwrap_or(LinkType(u32::from(*link_type)));
    let limits = FragmentLimits { datagrams: 3, ..FragmentLimits::default() };
    // Only a jumbogram's option tells of more than a datagram has.
    let longest = if input.contains(&0xc2) { usize::MAX } else { 65_535 };
    let (mut decoder, mut second) = (Decoder::with_limits(limits), Decoder::with_limits(limits));
    let mut rest = rest;
    let mut nanos = 0;
    while let [cut_off, length, behind @ ..] = rest {
        let length = if *length == 0 { behind.len() } else { behind.len().min(usize::from(*length) * 8) };
        let (data, others) = behind.split_at(length);
        rest = others;
        nanos += 1_000_000_000;
        let found = found(&mut decoder, data, link_type, *cut_off, nanos);
        if let Ok(Some(segment)) = &found {
            let (payload, missing) = (segment.6.len(), segment.8);
            assert!(missing <= u32::from(*cut_off) || payload + missing as usize <= longest);
        }
        // The same octets in the midst of others, as a reader's buffer has them.
        let around = [&[0x45; 70][..], data, &[0x60; 70]].concat();
        assert_eq!(self::found(&mut second, &around[70..70 + length], link_type, *cut_off, nanos), found);
    }
    let counts = decoder.counts();
    assert_eq!(counts, second.counts());
    let fragments = counts.fragments;
    assert!(fragments.abandoned + fragments.waiting + fragments.reassembled <= fragments.fragments);
    assert!(fragments.overlapping <= fragments.fragments);
});

/// All that a segment says.
type Found = (
    SocketAddr,
    SocketAddr,
    SeqNumber,
    Option<SeqNumber>,
    Flags,
    u16,
    Vec<u8>,
    Option<u64>,
    u32,
    Timestamp,
    Encapsulation,
);

fn found(
    decoder: &mut Decoder,
    data: &[u8],
    link_type: LinkType,
    cut_off: u8,
    nanos: i64,
) -> Result<Option<Found>, DecodeError> {
    let cut_off = u32::from(cut_off);
    let packet = Packet {
        data,
        data_at: DATA_AT,
        interface_id: 0,
        link_type,
        original_len: u32::try_from(data.len()).unwrap() + cut_off,
        timestamp: Timestamp::from_nanos(nanos),
    };
    let Some(segment) = decoder.decode(&packet)? else { return Ok(None) };
    if let Some(at) = segment.payload_at {
        let at = usize::try_from(at - DATA_AT).unwrap();
        assert_eq!(segment.payload, &data[at..at + segment.payload.len()]);
        assert!(segment.payload.is_empty() || std::ptr::eq(segment.payload.as_ptr(), data[at..].as_ptr()), "copied");
    } else {
        assert!(segment.payload.len() < 65_535, "more than a datagram");
    }
    assert_eq!(segment.timestamp, packet.timestamp);
    assert!(segment.encapsulation.iter().count() <= Encapsulation::CARRIERS);
    Ok(Some((
        segment.source,
        segment.destination,
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        segment.payload.to_vec(),
        segment.payload_at,
        segment.missing,
        segment.timestamp,
        segment.encapsulation,
    )))
}

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
