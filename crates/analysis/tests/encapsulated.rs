//! Recorded mail, put into every tunnel, is the same mail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what cannot be built is a mistake in the test, which a panic shows best"
)]

use std::fs;
use std::path::Path;

use analysis::plan::Plan;
use analysis::session::Options;
use analysis::{features, run};
use kit::tunnel::{self, Gre};
use kit::{KitPacket, PcapWriter};
use serde_json::{Value, json};

#[test]
fn ip_in_ip() {
    same(&mail(), tunnel::ip_in_ip, &["ip_in_ip"]);
}

#[test]
fn six_in_four() {
    same(&mail_over_ipv6(), tunnel::ip_in_ip, &["ip_in_ip"]);
}

#[test]
fn four_and_six_in_six() {
    same(&mail(), tunnel::ip_in_ipv6, &["ip_in_ip"]);
    same(&mail_over_ipv6(), tunnel::ip_in_ipv6, &["ip_in_ip"]);
}

#[test]
fn gre_with_every_optional_field() {
    for (checksum, key, sequence) in [
        (false, None, None),
        (true, None, None),
        (false, Some(7), None),
        (false, None, Some(1)),
        (true, Some(7), Some(1)),
    ] {
        same(&mail(), |frame| tunnel::gre(frame, Gre { checksum, key, sequence }), &["gre"]);
    }
    same(&mail_over_ipv6(), |frame| tunnel::gre(frame, Gre::default()), &["gre"]);
    same(&mail(), tunnel::gre_in_ipv6, &["gre"]);
}

#[test]
fn transparent_ethernet_bridging_and_nvgre() {
    same(&mail(), |frame| tunnel::gre_bridged(frame, None), &["gre"]);
    same(&mail(), |frame| tunnel::gre_bridged(frame, Some(0x0012_3401)), &["gre"]);
}

#[test]
fn erspan_of_all_three_types() {
    same(&mail(), tunnel::erspan_i, &["erspan"]);
    same(&mail(), tunnel::erspan_ii, &["erspan"]);
    same(&mail(), |frame| tunnel::erspan_iii(frame, false), &["erspan"]);
    same(&mail(), |frame| tunnel::erspan_iii(frame, true), &["erspan"]);
}

#[test]
fn etherip() {
    same(&mail(), tunnel::etherip, &["etherip"]);
}

#[test]
fn vxlan_on_both_ports_and_over_ipv6() {
    same(&mail(), |frame| tunnel::vxlan(frame, 5), &["vxlan"]);
    same(&mail(), |frame| tunnel::vxlan_to(frame, 5, 8472), &["vxlan"]);
    same(&mail(), |frame| tunnel::vxlan_in_ipv6(frame, 5), &["vxlan"]);
}

#[test]
fn vxlan_gpe_of_both_versions() {
    same(&mail(), tunnel::vxlan_gpe, &["vxlan_gpe"]);
    same(&mail_over_ipv6(), tunnel::vxlan_gpe, &["vxlan_gpe"]);
}

#[test]
fn geneve_with_and_without_options_and_ethernet() {
    same(&mail(), |frame| tunnel::geneve(frame, &[]), &["geneve"]);
    same(&mail(), |frame| tunnel::geneve(frame, &[1, 8, 0x81, 1, 0, 0, 0, 0]), &["geneve"]);
    same(&mail(), tunnel::geneve_ip, &["geneve"]);
    same(&mail_over_ipv6(), tunnel::geneve_ip, &["geneve"]);
}

#[test]
fn gtp_u_with_and_without_extension_headers() {
    for mail in [mail(), mail_over_ipv6()] {
        same(&mail, |frame| tunnel::gtp_u(frame, &[]), &["gtp_u"]);
        same(&mail, |frame| tunnel::gtp_u(frame, &[0, 0, 0, 0]), &["gtp_u"]);
        same(&mail, |frame| tunnel::gtp_u(frame, &[0, 0, 0, 0x85, 1, 0x10, 5, 0]), &["gtp_u"]);
        same(&mail, tunnel::gtp_u_ethernet, &["gtp_u"]);
    }
}

#[test]
fn teredo_with_and_without_indications() {
    let origin = [0, 0, 0x3c, 0xaf, 0x3f, 0xff, 0xfd, 0xfe];
    let authentication = [0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    for indications in [&[][..], &origin, &authentication, &[&authentication[..], &origin].concat()] {
        same(&mail_over_ipv6(), |frame| tunnel::teredo(frame, indications), &["teredo"]);
    }
}

#[test]
fn tzsp() {
    same(&mail(), |frame| tunnel::tzsp(frame, &[1]), &["tzsp"]);
    same(&mail(), |frame| tunnel::tzsp(frame, &[10, 1, 0xd8, 0, 1]), &["tzsp"]);
}

#[test]
fn pptp_and_l2tp_carry_ppp() {
    for mail in [mail(), mail_over_ipv6()] {
        same(&mail, |frame| tunnel::pptp(frame, false), &["pptp"]);
        same(&mail, |frame| tunnel::pptp(frame, true), &["pptp"]);
        same(&mail, tunnel::l2tp, &["l2tp"]);
    }
}

#[test]
fn mpls_in_udp_ip_and_gre() {
    for mail in [mail(), mail_over_ipv6()] {
        same(&mail, tunnel::mpls_in_udp, &["mpls"]);
        same(&mail, |frame| tunnel::mpls_in_ip(frame, false), &["mpls"]);
        same(&mail, |frame| tunnel::mpls_in_ip(frame, true), &["gre", "mpls"]);
    }
}

/// What a mirror adds does not fit the network's packets, so it sends them in fragments.
#[test]
fn a_tunnel_in_fragments() {
    let plain = mail();
    let both_orders = [false, true].map(|last_first| {
        let outer = plain.iter().enumerate().flat_map(move |(number, packet)| {
            let mut pieces = fragments(&tunnel::vxlan(&packet.data, 5), number.try_into().unwrap());
            if last_first {
                pieces.reverse();
            }
            pieces.into_iter().map(|piece| KitPacket::new(packet.nanos, piece)).collect::<Vec<_>>()
        });
        outer.collect::<Vec<_>>()
    });
    for outer in both_orders {
        assert!(outer.len() > plain.len(), "nothing is in fragments");
        let (mut found, mut expected) = (analyse(&outer), analyse(&plain));
        assert_eq!((came_through(&mut found), came_through(&mut expected)), (vec!["vxlan".to_owned()], vec![]));
        assert_eq!(found["sessions"], expected["sessions"]);
        assert_eq!(found["transactions"], expected["transactions"]);
        assert_eq!(found["capture"]["encapsulations"], json!({"vxlan": plain.len()}));
    }
}

/// Two tenants with the same addresses and identifications, at the same time: only the network tells their fragments
/// apart.
#[test]
fn fragments_of_two_networks_do_not_mix() {
    let tenant = mail();
    let other: Vec<KitPacket> = tenant.iter().map(other_client).collect();
    let direct = |frame: &[u8], vni| tunnel::vxlan(frame, vni);
    let deeper = |frame: &[u8], vni| tunnel::vxlan(&tunnel::ip_in_ip(frame), vni);
    for wrap in [&direct as &dyn Fn(&[u8], u32) -> Vec<u8>, &deeper] {
        let mut both = Vec::new();
        for (number, (one, two)) in (0..).zip(tenant.iter().zip(&other)) {
            let pieces = fragments(&one.data, number).into_iter().zip(fragments(&two.data, number));
            for (a, b) in pieces {
                both.push(KitPacket::new(one.nanos, wrap(&a, 1)));
                both.push(KitPacket::new(one.nanos, wrap(&b, 2)));
            }
        }
        assert!(both.len() > 2 * tenant.len(), "nothing is in fragments");
        let mut found = analyse(&both);
        let mut expected = analyse(&[&tenant[..], &other].concat());
        assert_eq!(expected["summary"]["completed_transactions"], 2);
        came_through(&mut expected);
        assert_eq!(came_through(&mut found)[0], "vxlan");
        assert_eq!(found["sessions"], expected["sessions"]);
        assert_eq!(found["transactions"], expected["transactions"]);
    }
}

#[test]
fn tunnels_in_tunnels() {
    let vxlan_in_gre_in_vlan = |frame: &[u8]| tunnel::vlan(&tunnel::gre(&tunnel::vxlan(frame, 5), Gre::default()), 7);
    same(&mail(), vxlan_in_gre_in_vlan, &["gre", "vxlan"]);
    let mirrored_overlay =
        |frame: &[u8]| tunnel::erspan_ii(&tunnel::vlan(&tunnel::vxlan(&tunnel::vlan(frame, 9), 5), 7));
    same(&mail(), mirrored_overlay, &["erspan", "vxlan"]);
    let subscriber_in_cloud = |frame: &[u8]| tunnel::vxlan(&tunnel::gtp_u(&tunnel::ip_in_ip(frame), &[]), 5);
    same(&mail_over_ipv6(), subscriber_in_cloud, &["vxlan", "gtp_u", "ip_in_ip"]);
    let nested = |frame: &[u8]| (0..16).fold(frame.to_vec(), |frame, _| tunnel::ip_in_ip(&frame));
    same(&mail(), nested, &["ip_in_ip"]);
}

#[test]
fn deeper_than_the_limit_is_counted() {
    let nested = |frame: &[u8]| (0..17).fold(frame.to_vec(), |frame, _| tunnel::ip_in_ip(&frame));
    let mail = mail();
    let found = analyse(&wrapped(&mail, nested));
    assert_eq!(found["summary"]["total_transactions"], 0);
    assert_eq!(found["capture"]["decode_errors"], json!({"nested_too_deep": mail.len()}));
    assert_eq!(found["capture"]["limits_reached"], json!({"carriers": mail.len()}));
}

/// A mirror may show a packet on both sides of the host that wraps it, in either order.
#[test]
fn every_packet_plain_and_in_vxlan_is_one_mail() {
    let plain = mail();
    for wrapped_first in [false, true] {
        let both = plain.iter().flat_map(|packet| {
            let mut pair = [packet.clone(), wrap(packet, |frame| tunnel::vxlan(frame, 5))];
            if wrapped_first {
                pair.reverse();
            }
            pair
        });
        let (found, expected) = (analyse(&both.collect::<Vec<_>>()), analyse(&plain));
        assert_eq!(found["transactions"], expected["transactions"]);
        assert_eq!(found["summary"], expected["summary"]);
        assert_eq!(found["capture"]["encapsulations"], json!({"vxlan": plain.len()}));
    }
}

/// Four octets of frame check sequence and some padding, as switches leave them on what they mirror.
#[test]
fn trailers_of_mirrored_frames_are_no_payload() {
    let trailed = |frame: &[u8]| tunnel::erspan_ii(&[frame, &[0xfc; 10]].concat());
    same(&mail(), trailed, &["erspan"]);
}

/// The snap length counts from the outermost octet: what it leaves of the innermost is the same as without a tunnel.
#[test]
fn a_snap_length_that_leaves_the_same_inside_gives_the_same() {
    let plain: Vec<KitPacket> = mail().into_iter().map(|packet| packet.cut(200)).collect();
    let outer = wrapped(&mail(), |frame| tunnel::vxlan(frame, 5));
    let outer: Vec<KitPacket> = outer.into_iter().map(|packet| packet.cut(250)).collect();
    let (mut plain, mut outer) = (analyse(&plain), analyse(&outer));
    assert_eq!((came_through(&mut plain), came_through(&mut outer)), (vec![], vec!["vxlan".to_owned()]));
    let session = |document: &Value| document["sessions"].as_object().unwrap().values().next().unwrap().clone();
    assert!(session(&plain)["octets"]["client"]["missing"].as_u64().unwrap() > 0, "nothing was cut");
    assert_eq!(outer["sessions"], plain["sessions"]);
    assert_eq!(outer["transactions"], plain["transactions"]);
}

/// Switches cut what they mirror before they wrap it (ERSPAN's T bit): the outer header knows nothing of it.
#[test]
fn what_the_mirror_cut_off_is_missing() {
    let plain: Vec<KitPacket> = mail().into_iter().map(|packet| packet.cut(200)).collect();
    let cut_and_wrapped = wrapped(&plain, tunnel::erspan_ii);
    let (mut found, mut expected) = (analyse(&cut_and_wrapped), analyse(&plain));
    assert_eq!((came_through(&mut found), came_through(&mut expected)), (vec!["erspan".to_owned()], vec![]));
    assert_eq!(found["sessions"], expected["sessions"]);
}

#[test]
fn udp_to_a_tunnels_port_that_is_none_is_no_error() {
    let other: Vec<KitPacket> = [4789, 8472, 4790, 6081, 2152, 3544, 1701, 37_008, 6635]
        .iter()
        .flat_map(|port| {
            [&b""[..], b"x", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[0xff; 60]].map(|p| tunnel::udp(*port, p))
        })
        .map(|frame| KitPacket::new(0, frame))
        .collect();
    let capture = &analyse(&other)["capture"];
    assert_eq!(capture["packets"], other.len());
    assert_eq!(capture["tcp_segments"], 0);
    assert_eq!(capture["decode_errors"], json!({}));
}

#[test]
fn a_tunnel_that_does_not_decode_is_counted() {
    let garbage: Vec<KitPacket> = [
        tunnel::ipv4(47, &[0, 7, 8, 0, 0, 0, 0, 0]),
        tunnel::ipv4(97, &[0, 0, 8, 0]),
        tunnel::vxlan(&[&[2; 12][..], &[8, 0, 0x00, 0, 0, 0]].concat(), 5),
    ]
    .map(|frame| KitPacket::new(0, frame))
    .to_vec();
    assert_eq!(analyse(&garbage)["capture"]["decode_errors"], json!({"malformed_tunnel": 2, "malformed_ip": 1}));
}

/// `testdata/tunnels/`: Open vSwitch mirrors, and the kernel carries, one mail of known text.
#[test]
fn tunnels_of_open_vswitch_and_linux() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tunnels");
    let message = (0..100).map(|number| format!("line {number:03} of a mail that goes through a tunnel\r\n").len());
    let header = "From: <alice@example.org>\r\nTo: <bob@example.net>\r\nSubject: through a tunnel\r\n\
                  Message-ID: <tunnel@example.org>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\n";
    let octets = header.len() + message.sum::<usize>();
    let recordings = [
        ("linux-vxlan", "vxlan"),
        ("ovs-erspan-ii", "erspan"),
        ("ovs-erspan-iii", "erspan"),
        ("ovs-geneve", "geneve"),
        ("ovs-gre", "gre"),
        ("ovs-gre-bridged", "gre"),
        ("ovs-gtp-u", "gtp_u"),
        ("ovs-vxlan", "vxlan"),
        ("ovs-vxlan-gpe", "vxlan_gpe"),
        ("ovs-vxlan-in-ipv6", "vxlan"),
    ];
    assert_eq!(fs::read_dir(&directory).unwrap().count(), recordings.len());
    for (name, carrier) in recordings {
        let found = analyse_file(&directory.join(format!("{name}.pcap")));
        let session = found["sessions"].as_object().unwrap().values().next().unwrap();
        assert_eq!((&session["start"], &session["end"]), (&json!("handshake"), &json!("closed")), "{name}");
        assert_eq!(found["summary"]["total_transactions"], 1, "{name}");
        let transaction = &found["transactions"][0];
        assert_eq!(transaction["outcome"], "accepted", "{name}");
        assert_eq!(transaction["rcpt_to"], json!(["bob@example.net"]), "{name}");
        assert_eq!(transaction["message"]["bytes"], octets, "{name}");
        assert_eq!(transaction["message"]["complete"], true, "{name}");
        assert_eq!(transaction["message"]["message_id"], "tunnel@example.org", "{name}");
        let capture = &found["capture"];
        assert_eq!(capture["decode_errors"], json!({}), "{name}");
        assert_eq!(capture["encapsulations"], json!({carrier: capture["tcp_segments"]}), "{name}");
    }
}

/// Both sessions and transactions are what they are without the tunnel, and the report says through what they came.
fn same(plain: &[KitPacket], tunnel: impl Fn(&[u8]) -> Vec<u8>, carriers: &[&str]) {
    let (mut found, mut expected) = (analyse(&wrapped(plain, tunnel)), analyse(plain));
    assert_eq!(came_through(&mut expected), [""; 0]);
    let through = came_through(&mut found);
    assert!(carriers.iter().all(|carrier| through.iter().any(|found| found == carrier)), "{carriers:?}: {through:?}");
    assert!(expected["summary"]["completed_transactions"].as_u64() > Some(0), "nothing to compare");
    for part in ["summary", "sessions", "transactions"] {
        assert_eq!(found[part], expected[part], "{carriers:?}");
    }
    assert_eq!(found["capture"]["decode_errors"], json!({}), "{carriers:?}");
    for carrier in carriers {
        assert_eq!(found["capture"]["encapsulations"][carrier], plain.len(), "{carriers:?}");
    }
}

/// Takes out what tells the sessions apart: through what they came, outermost first, the same for each.
fn came_through(document: &mut Value) -> Vec<String> {
    let sessions = document["sessions"].as_object_mut().unwrap().values_mut();
    let mut carriers: Vec<Value> =
        sessions.map(|session| session.as_object_mut().unwrap().remove("encapsulation").unwrap()).collect();
    carriers.dedup();
    assert_eq!(carriers.len(), 1);
    serde_json::from_value(carriers.remove(0)).unwrap()
}

fn wrapped(packets: &[KitPacket], tunnel: impl Fn(&[u8]) -> Vec<u8>) -> Vec<KitPacket> {
    packets.iter().map(|packet| wrap(packet, &tunnel)).collect()
}

fn wrap(packet: &KitPacket, tunnel: impl Fn(&[u8]) -> Vec<u8>) -> KitPacket {
    KitPacket::new(packet.nanos, tunnel(&packet.data))
}

/// An Ethernet frame with an IPv4 header of 20 octets, in pieces of at most 200 octets of payload; RFC 791 §3.2.
fn fragments(frame: &[u8], identification: u16) -> Vec<Vec<u8>> {
    let (headers, payload) = frame.split_at(34);
    let count = payload.chunks(200).count();
    let piece = |(number, chunk): (usize, &[u8])| {
        let mut headers = headers.to_vec();
        let length = u16::try_from(20 + chunk.len()).unwrap();
        let more = if number + 1 < count { 0x2000 } else { 0 };
        let offset = u16::try_from(number * 200 / 8).unwrap() | more;
        headers[16..18].copy_from_slice(&length.to_be_bytes());
        headers[18..20].copy_from_slice(&identification.to_be_bytes());
        headers[20..22].copy_from_slice(&offset.to_be_bytes());
        [&headers, chunk].concat()
    };
    payload.chunks(200).enumerate().map(piece).collect()
}

/// The packet as if the client had another port, of the recording's Ethernet, IPv4 and TCP.
fn other_client(packet: &KitPacket) -> KitPacket {
    let mut packet = packet.clone();
    let client = if packet.data[34..36] == [0, 25] { 36 } else { 34 };
    packet.data[client + 1] ^= 1;
    packet
}

fn mail() -> Vec<KitPacket> {
    recorded("postfix-plain.pcap")
}

fn mail_over_ipv6() -> Vec<KitPacket> {
    recorded("postfix-ipv6.pcap")
}

/// The packets of a recording: pcap in little endian, microseconds, Ethernet.
fn recorded(name: &str) -> Vec<KitPacket> {
    let file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)).unwrap();
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    let mut packets = Vec::new();
    let mut rest = &file[24..];
    while let Some((header, data)) = rest.split_first_chunk::<16>() {
        let field = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (data, behind) = data.split_at(field(8).try_into().unwrap());
        packets.push(KitPacket::new(i64::from(field(0)) * 1_000_000_000 + i64::from(field(4)) * 1_000, data.to_vec()));
        rest = behind;
    }
    packets
}

fn analyse(packets: &[KitPacket]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.pcap");
    fs::write(&path, PcapWriter::new().file(packets)).unwrap();
    analyse_file(&path)
}

fn analyse_file(path: &Path) -> Value {
    let mut document = Vec::new();
    features::write(&run::analyse(&Plan::new(&[path.to_owned()]), Options::default()), &mut document).unwrap();
    serde_json::from_slice(&document).unwrap()
}
