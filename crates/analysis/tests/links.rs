//! Recorded mail on every link, tagged, labelled and in fragments, is the same mail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "support/process.rs"]
mod process;

use std::path::Path;

use capture::{CaptureReader, LinkType};
use kit::{Interface, KitPacket, PcapNgWriter, PcapWriter, link};
use process::{Folder, smtpscope};
use serde_json::{Value, json};

/// The packets of a recording in Ethernet.
fn recorded(name: &str) -> Vec<KitPacket> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let mut reader = CaptureReader::open(&path).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        assert_eq!(packet.link_type, LinkType::ETHERNET);
        packets.push(KitPacket::new(packet.timestamp.as_nanos(), packet.data.to_vec()));
    }
    packets
}

/// The same mail over IPv4 and over IPv6.
fn mails() -> [Vec<KitPacket>; 2] {
    ["postfix-plain.pcap", "postfix-ipv6.pcap"].map(recorded)
}

fn features(file: &[u8]) -> Value {
    let folder = Folder::new();
    let path = folder.file("mail", file);
    smtpscope(&["features", &path]).succeeds().document()
}

fn plain(mail: &[KitPacket]) -> Value {
    features(&PcapWriter::new().nanoseconds().file(mail))
}

/// Summary, sessions and transactions are those of the recording, which came through nothing; and these, outermost first,
/// are what it came through now.
#[track_caller]
fn assert_same(mail: &[KitPacket], mut found: Value, carriers: &[&str]) {
    let mut expected = plain(mail);
    assert!(expected["summary"]["completed_transactions"].as_u64() > Some(0), "nothing to compare");
    for (document, carriers) in [(&mut expected, &[][..]), (&mut found, carriers)] {
        for session in document["sessions"].as_object_mut().unwrap().values_mut() {
            assert_eq!(session.as_object_mut().unwrap().remove("encapsulation"), Some(json!(carriers)));
        }
    }
    for part in ["summary", "sessions", "transactions"] {
        assert_eq!(found[part], expected[part], "{carriers:?}");
    }
    assert_eq!(found["capture"]["decode_errors"], json!({}));
    assert_eq!(found["capture"]["tcp_segments"], expected["capture"]["tcp_segments"]);
}

/// Both mails, each packet changed, in a pcap file of this link type.
#[track_caller]
fn same(link_type: u32, carriers: &[&str], change: impl Fn(&[u8]) -> Vec<u8>) {
    for mail in mails() {
        let changed: Vec<_> = mail.iter().map(|packet| KitPacket::new(packet.nanos, change(&packet.data))).collect();
        assert_same(&mail, features(&PcapWriter::new().nanoseconds().link_type(link_type).file(&changed)), carriers);
    }
}

const ETHERNET: u32 = 1;

#[test]
fn ethernet_with_trailers_and_frame_check_sequences() {
    same(ETHERNET, &[], link::trailed);
    // The file says that each packet ends in two words of 16 bits that are one.
    same(0x2400_0001, &[], |frame| [frame, &[0xfc; 4]].concat());
}

#[test]
fn ethernet_with_a_length_and_llc() {
    same(ETHERNET, &[], link::snap);
}

#[test]
fn vlans_in_vlans() {
    for service in [0x88a8, 0x8100, 0x9100] {
        same(ETHERNET, &["vlan", "vlan"], |frame| link::double_tagged(frame, service));
    }
}

#[test]
fn macsec_that_is_not_encrypted() {
    same(ETHERNET, &["macsec"], |frame| link::macsec(frame, false));
    same(ETHERNET, &["macsec"], |frame| link::macsec(frame, true));
}

#[test]
fn mpls_and_ethernet_over_it() {
    same(ETHERNET, &["mpls"], link::mpls);
    same(ETHERNET, &["mpls", "pseudowire"], |frame| link::pseudowire(frame, true));
    same(ETHERNET, &["mpls", "pseudowire"], |frame| link::pseudowire(frame, false));
}

#[test]
fn pppoe_and_ppp() {
    same(ETHERNET, &["pppoe"], link::pppoe);
    same(9, &[], link::ppp);
    same(50, &[], link::ppp);
}

#[test]
fn linux_cooked_captures() {
    same(113, &[], |frame| link::cooked(frame, 1));
    same(276, &[], |frame| link::cooked(frame, 2));
}

/// The families of IPv6: Linux; Windows; NetBSD, OpenBSD and BSD/OS; FreeBSD and DragonFly; Darwin.
#[test]
fn loopback_of_every_system() {
    for ipv6 in [10, 23, 24, 28, 30] {
        same(0, &[], |frame| link::loopback(frame, ipv6, false));
        same(0, &[], |frame| link::loopback(frame, ipv6, true));
        same(108, &[], |frame| link::loopback(frame, ipv6, true));
    }
}

#[test]
fn raw_ip_by_all_its_numbers() {
    for number in [12, 14, 101] {
        same(number, &[], link::raw);
    }
    for (mail, number) in mails().iter().zip([228, 229]) {
        let changed: Vec<_> = mail.iter().map(|packet| KitPacket::new(packet.nanos, link::raw(&packet.data))).collect();
        assert_same(mail, features(&PcapWriter::new().nanoseconds().link_type(number).file(&changed)), &[]);
    }
}

/// What a host that leaves the segmentation to its network card captures.
#[test]
fn ip_without_a_length() {
    same(ETHERNET, &[], link::without_length);
}

/// One mail through two interfaces of one section, whose links differ: the client's packets on one, the server's on the
/// other; and again behind a section in the other byte order, where the numbers stand for other links.
#[test]
fn interfaces_of_different_links_in_sections_of_different_order() {
    let of = |link_type, tsresol, tsoffset| Interface {
        link_type,
        tsresol: Some(tsresol),
        tsoffset,
        ..Interface::default()
    };
    for mail in mails() {
        // Half of the packets in each section; times in units of 2^-30 s would round, powers of ten do not.
        let (first, second) = mail.split_at(mail.len() / 2);
        let mut writer = PcapNgWriter::new().section().interface(of(1, 9, None)).interface(of(113, 9, Some(-3_600)));
        for (number, packet) in first.iter().enumerate() {
            let cooked = KitPacket::new(packet.nanos, link::cooked(&packet.data, 1));
            writer = if number % 2 == 0 { writer.enhanced(0, packet) } else { writer.enhanced(1, &cooked) };
            writer = writer.block(0x0bad, b"\0\0\x7e\xd9custom");
        }
        writer = writer.block(4, &[0; 4]).statistics(0, 0, 0);
        writer = writer.big_endian().section().interface(of(276, 9, Some(7_200))).interface(of(101, 9, None));
        for (number, packet) in second.iter().enumerate() {
            let cooked = KitPacket::new(packet.nanos, link::cooked(&packet.data, 2));
            let raw = KitPacket::new(packet.nanos, link::raw(&packet.data));
            writer = match number % 3 {
                0 => writer.enhanced_with(0, &cooked, &[(1, b"a comment")]),
                1 => writer.obsolete(1, &raw),
                _ => writer.enhanced(1, &raw),
            };
            writer = writer.block(10, b"secrets");
        }
        assert_same(&mail, features(&writer.file()), &[]);
    }
}

/// Both versions, in order and backwards, and every fragment twice.
#[test]
fn fragments_in_any_order() {
    for mail in mails() {
        for order in 0..3 {
            let mut packets = Vec::new();
            for (number, packet) in (1..).zip(&mail) {
                let mut pieces = link::fragments(&packet.data, 24, number);
                match order {
                    0 => {}
                    1 => pieces.reverse(),
                    _ => pieces = pieces.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect(),
                }
                packets.extend(pieces.into_iter().map(|piece| KitPacket::new(packet.nanos, piece)));
            }
            let found = features(&PcapWriter::new().nanoseconds().file(&packets));
            let fragments = &found["capture"]["fragments"];
            assert_eq!((&fragments["reassembled"], &fragments["overlapping"]), (&json!(mail.len()), &json!(0)));
            if order < 2 {
                assert_same(&mail, found, &[]);
            } else {
                // The copy of the last fragment comes when its datagram is whole, and begins another.
                assert_eq!(found["transactions"], plain(&mail)["transactions"]);
            }
        }
    }
}

/// Behind each first fragment one that claims the same octets: in IPv4 the first ones count and the mail is the same, in
/// IPv6 the datagram is dropped (RFC 5722 §4) and so are the segments. Both are counted.
#[test]
fn fragments_that_overlap() {
    for (version, mail) in [4, 6].into_iter().zip(mails()) {
        let mut packets = Vec::new();
        for (number, packet) in (1..).zip(&mail) {
            let mut pieces = link::fragments(&packet.data, 24, number);
            let mut other = pieces[0].clone();
            let last = other.len() - 1;
            other[last] ^= 0x20;
            pieces.insert(1, other);
            packets.extend(pieces.into_iter().map(|piece| KitPacket::new(packet.nanos, piece)));
        }
        let found = features(&PcapWriter::new().nanoseconds().file(&packets));
        let fragments = &found["capture"]["fragments"];
        assert_eq!(fragments["overlapping"], mail.len(), "{version}");
        if version == 4 {
            assert_same(&mail, found, &[]);
        } else {
            assert_eq!(found["capture"]["tcp_segments"], 0);
        }
    }
}
