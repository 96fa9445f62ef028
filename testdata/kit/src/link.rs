//! Puts Ethernet frames, or the IP datagrams in them, on other links and behind tags and labels; and changes their IP
//! headers as networks and network cards do. Every function takes an untagged frame of IPv4 without options or IPv6
//! without extension headers.

use crate::tunnel::{IPV4, datagram, ether_type, len_u16};

/// Linux cooked capture, version 1 or 2.
pub fn cooked(frame: &[u8], version: u8) -> Vec<u8> {
    let protocol = ether_type(frame).to_be_bytes();
    let address = [2, 0, 0, 0, 1, 1, 0, 0];
    match version {
        1 => [&[0, 4, 0, 1, 0, 6][..], &address, &protocol, datagram(frame)].concat(),
        _ => [&protocol[..], &[0, 0, 0, 0, 0, 3, 0, 1, 4, 6], &address, datagram(frame)].concat(),
    }
}

/// BSD loopback: the address family in four octets, of IPv4 or as `ipv6` says.
pub fn loopback(frame: &[u8], ipv6: u32, big_endian: bool) -> Vec<u8> {
    let family: u32 = if ether_type(frame) == IPV4 { 2 } else { ipv6 };
    let family = if big_endian { family.to_be_bytes() } else { family.to_le_bytes() };
    [&family, datagram(frame)].concat()
}

/// The datagram alone.
pub fn raw(frame: &[u8]) -> Vec<u8> {
    datagram(frame).to_vec()
}

/// PPP in HDLC-like framing (RFC 1662), its address and control fields included.
pub fn ppp(frame: &[u8]) -> Vec<u8> {
    [&[0xff, 3][..], &ppp_protocol(frame), datagram(frame)].concat()
}

/// A PPPoE session (RFC 2516) in Ethernet, padded.
pub fn pppoe(frame: &[u8]) -> Vec<u8> {
    let length = len_u16(datagram(frame).len() + 2).to_be_bytes();
    let session = [&[0x88, 0x64, 0x11, 0, 0x12, 0x34][..], &length, &ppp_protocol(frame), datagram(frame)].concat();
    [addresses(frame), &session, &[0; 8]].concat()
}

/// A customer's tag within a service tag (IEEE 802.1ad), or within another EtherType for it.
pub fn double_tagged(frame: &[u8], service: u16) -> Vec<u8> {
    [addresses(frame), &service.to_be_bytes(), &[0x20, 5, 0x81, 0, 0, 6], behind_addresses(frame)].concat()
}

/// MACsec (IEEE 802.1AE) without encryption, with or without the SCI, and with its ICV.
pub fn macsec(frame: &[u8], with_sci: bool) -> Vec<u8> {
    let sci: &[u8] = if with_sci { &[2, 0, 0, 0, 1, 1, 0, 1] } else { &[] };
    let secure = behind_addresses(frame);
    let short = if secure.len() < 48 { len_u16(secure.len()).to_be_bytes()[1] } else { 0 };
    let tag = [0x88, 0xe5, if with_sci { 0x20 } else { 0 }, short, 0, 0, 0, 9];
    let padding = vec![0; 48_usize.saturating_sub(secure.len())];
    [addresses(frame), &tag, sci, secure, &[0xcc; 16], &padding].concat()
}

/// MPLS (RFC 3032) in Ethernet, three labels.
pub fn mpls(frame: &[u8]) -> Vec<u8> {
    [addresses(frame), &[0x88, 0x47], &LABELS, datagram(frame)].concat()
}

/// The frame over MPLS (RFC 4448), with or without a control word.
pub fn pseudowire(frame: &[u8], with_control_word: bool) -> Vec<u8> {
    let control: &[u8] = if with_control_word { &[0, 0, 0, 7] } else { &[] };
    [addresses(frame), &[0x88, 0x47], &LABELS, control, frame].concat()
}

/// Length, LLC and SNAP (RFC 1042) in the place of the EtherType.
pub fn snap(frame: &[u8]) -> Vec<u8> {
    let length = len_u16(8 + datagram(frame).len()).to_be_bytes();
    [addresses(frame), &length, &[0xaa, 0xaa, 3, 0, 0, 0], behind_addresses(frame)].concat()
}

/// Four octets of frame check sequence, and others that some device put behind them.
pub fn trailed(frame: &[u8]) -> Vec<u8> {
    [frame, &[0xfc; 4], &[0xee; 12]].concat()
}

/// The length that segmentation offload leaves: none.
pub fn without_length(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let field = if ether_type(&frame) == IPV4 { 16..18 } else { 18..20 };
    frame.get_mut(field).expect("an IP header").fill(0);
    frame
}

/// The datagram in fragments of this many octets, a multiple of eight, with this identification: RFC 791 §3.2, RFC 8200
/// §4.5.
///
/// # Panics
/// Where there would be more than IP can express.
pub fn fragments(frame: &[u8], size: usize, identification: u16) -> Vec<Vec<u8>> {
    let is_v4 = ether_type(frame) == IPV4;
    let (headers, payload) = frame.split_at(14 + if is_v4 { 20 } else { 40 });
    let count = payload.chunks(size).count();
    let piece = |(number, chunk): (usize, &[u8])| {
        let mut headers = headers.to_vec();
        let more = number + 1 < count;
        let offset = len_u16(number * size / 8);
        let mut set = |at: usize, field: u16| {
            headers.get_mut(at..at + 2).expect("an IP header").copy_from_slice(&field.to_be_bytes());
        };
        if is_v4 {
            set(16, len_u16(20 + chunk.len()));
            set(18, identification);
            set(20, offset | if more { 0x2000 } else { 0 });
        } else {
            set(18, len_u16(8 + chunk.len()));
            let next = std::mem::replace(headers.get_mut(20).expect("an IP header"), 44);
            headers.extend([next, 0]);
            headers.extend((offset << 3 | u16::from(more)).to_be_bytes());
            headers.extend(u32::from(identification).to_be_bytes());
        }
        [&headers, chunk].concat()
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

fn ppp_protocol(frame: &[u8]) -> [u8; 2] {
    if ether_type(frame) == IPV4 { [0, 0x21] } else { [0, 0x57] }
}

fn addresses(frame: &[u8]) -> &[u8] {
    frame.get(..12).expect("an Ethernet frame")
}

fn behind_addresses(frame: &[u8]) -> &[u8] {
    frame.get(12..).expect("an Ethernet frame")
}

/// 16 to 18, the last one at the bottom.
const LABELS: [u8; 12] = [0, 1, 0, 64, 0, 1, 0x10, 64, 0, 1, 0x21, 64];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_laid_out_as_the_rfcs_say() {
        let v4 = [&[9; 12][..], &[8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 6], &[0; 10], b"0123456789ab"].concat();
        let [first, last] = fragments(&v4, 8, 0x0102).try_into().expect("two fragments");
        assert_eq!(first[14..24], [0x45, 0, 0, 28, 1, 2, 0x20, 0, 64, 6]);
        assert_eq!((&first[34..], last[20..22].to_vec(), &last[34..]), (&b"01234567"[..], vec![0, 1], &b"89ab"[..]));
        let v6 = [&[9; 12][..], &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 12, 6, 64], &[0; 32], b"0123456789ab"].concat();
        let [first, last] = fragments(&v6, 8, 0x0102).try_into().expect("two fragments");
        assert_eq!((first[18..21].to_vec(), &first[54..62]), (vec![0, 16, 44], &[6, 0, 0, 1, 0, 0, 1, 2][..]));
        assert_eq!((&last[54..58], &last[62..]), (&[6, 0, 0, 8][..], &b"89ab"[..]));
    }

    #[test]
    fn tags_stand_between_the_addresses_and_the_type() {
        let frame = [&[9; 12][..], &[8, 0], b"datagram"].concat();
        assert_eq!(double_tagged(&frame, 0x88a8)[12..], *b"\x88\xa8\x20\x05\x81\x00\x00\x06\x08\x00datagram");
        assert_eq!(cooked(&frame, 1)[14..], *b"\x08\x00datagram");
        assert_eq!(cooked(&frame, 2).len(), 20 + 8);
        assert_eq!(macsec(&frame, true)[12..28], *b"\x88\xe5\x20\x0a\0\0\0\x09\x02\0\0\0\x01\x01\0\x01");
    }
}
