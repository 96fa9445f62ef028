//! Writes the seed corpora: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::fs;
use std::path::Path;

use capture::{CaptureReader, Decoder};
use kit::{Conversation, Interface, PcapNgWriter, PcapWriter, TcpPacket, pcap, pcapng, tunnel};

fn main() -> std::io::Result<()> {
    let mail = || {
        Conversation::new("192.0.2.1:40000", "198.51.100.25:25")
            .start(1_700_000_000_000_000_000)
            .handshake()
            .server(b"220 a\r\n")
            .client(b"QUIT\r\n")
    };
    let packets = mail().packets();
    write("capture_reader", "pcap", &pcap(&packets))?;
    write("capture_reader", "pcap_big_endian_cut", &PcapWriter::new().big_endian().snap_len(60).file(&packets))?;
    write("capture_reader", "pcapng", &pcapng(&packets))?;
    let microseconds = Interface { tsresol: Some(6), ..Interface::default() };
    let two = PcapNgWriter::new().section().interface(microseconds).section().interface(Interface::default());
    write("capture_reader", "pcapng_two_sections", &packets.iter().fold(two, |w, p| w.enhanced(0, p)).file())?;
    write("capture_reader", "pcap_truncated", &pcap(&packets)[..200])?;
    write("capture_reader", "pcap_modified", &PcapWriter::new().modified().file(&packets))?;
    write("capture_reader", "pcap_suse_6_3", &PcapWriter::new().suse_6_3().big_endian().file(&packets))?;
    write("capture_reader", "pcap_red_hat_6_1", &PcapWriter::new().red_hat_6_1().file(&packets))?;
    write("capture_reader", "pcap_nokia", &PcapWriter::new().nokia().file(&packets))?;
    write("capture_reader", "pcap_version_2_2", &PcapWriter::new().version(2, 2).file(&packets))?;
    let damaged = pcap(&packets);
    let damaged = [&damaged[..110], &[0x55; 30], &damaged[110..]].concat();
    write("capture_reader", "pcap_damaged", &damaged)?;
    let all = PcapNgWriter::new().section_with(&[(1, b"a")]).interface_with(Interface::default(), &[(13, &[4])]);
    let all = all.enhanced_with(0, &packets[0], &[(1, b"b"), (4, &[1, 0, 0, 0, 0, 0, 0, 0])]).simple(&packets[1]);
    let all = all.block(10, b"secrets").obsolete(0, &packets[2]).statistics(0, 1, 2);
    write("capture_reader", "pcapng_blocks", all.written())?;
    let mut all = all.file();
    all[60] ^= 0x10;
    write("capture_reader", "pcapng_damaged", &all)?;

    // Was read with offsets that did not count the frame in front.
    let skippable = [0x51, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    write("capture_reader", "pcapng_behind_a_skippable_frame", &[&skippable[..], &pcapng(&packets)].concat())?;

    let segment =
        TcpPacket { seq: 7, ack: Some(9), payload: b"QUIT\r\n", ..TcpPacket::new("192.0.2.1:4", "192.0.2.2:25") };
    let over_six = TcpPacket { payload: b"250 ok\r\n", ..TcpPacket::new("[2001:db8::1]:25", "[2001:db8::2]:4") };
    let with_tag = [&segment.ethernet()[..12], &[0x81, 0, 0, 5], &segment.ethernet()[12..]].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], segment.ip().as_slice()].concat();
    write("decode", "ethernet_ipv4", &[&[0, 0, 0], segment.ethernet().as_slice()].concat())?;
    write("decode", "ethernet_ipv6", &[&[0, 0, 0], over_six.ethernet().as_slice()].concat())?;
    write("decode", "vlan", &[&[0, 0, 0], with_tag.as_slice()].concat())?;
    write("decode", "raw_cut", &[&[2, 4, 0], &segment.ip()[..segment.ip().len() - 4]].concat())?;
    write("decode", "null", &[&[1, 0, 0, 2, 0, 0, 0], segment.ip().as_slice()].concat())?;
    write("decode", "linux_cooked", &[&[4, 0, 0], cooked.as_slice()].concat())?;

    let (frame, over_six) = (segment.ethernet(), over_six.ethernet());
    for (name, data) in [
        ("ip_in_ip", tunnel::ip_in_ip(&frame)),
        ("ip_in_ipv6", tunnel::ip_in_ipv6(&over_six)),
        ("gre", tunnel::gre(&frame, tunnel::Gre { checksum: true, key: Some(7), sequence: Some(9) })),
        ("erspan_i", tunnel::erspan_i(&frame)),
        ("erspan_ii", tunnel::erspan_ii(&frame)),
        ("erspan_iii", tunnel::erspan_iii(&frame, true)),
        ("etherip", tunnel::etherip(&frame)),
        ("vxlan", tunnel::vxlan(&frame, 5)),
        ("vxlan_gpe", tunnel::vxlan_gpe(&frame)),
        ("geneve", tunnel::geneve(&frame, &[1, 8, 1, 1, 0, 0, 0, 0])),
        ("gtp_u", tunnel::gtp_u(&frame, &[0, 0, 0, 0x85, 1, 0x10, 5, 0])),
        ("teredo", tunnel::teredo(&over_six, &[0, 0, 0x3c, 0xaf, 0x3f, 0xff, 0xfd, 0xfe])),
        ("tzsp", tunnel::tzsp(&frame, &[10, 1, 0xd8, 1])),
        ("pptp", tunnel::pptp(&frame, true)),
        ("l2tp", tunnel::l2tp(&frame)),
        ("mpls_in_udp", tunnel::mpls_in_udp(&frame)),
        ("nested", tunnel::vxlan(&tunnel::gre_bridged(&tunnel::vxlan(&frame, 1), None), 2)),
    ] {
        write("decode", name, &[&[0, 0, 0], data.as_slice()].concat())?;
    }
    write_layers(&segment.ip())?;
    write_messages()?;

    // Bits, sequence number, acknowledgment number, payload, copy and snap length, time.
    let handshake = [record(0x09, 0, 0, 0, 0, 0), record(0x48, 0, 1, 0, 0, 1), record(0x41, 1, 1, 0, 0, 1)].concat();
    let close = [record(0x50, 31, 21, 0, 0, 1), record(0x51, 21, 32, 0, 0, 1), record(0x40, 32, 22, 0, 0, 1)].concat();
    let talk = [record(0x40, 1, 1, 30, 0, 1), record(0x41, 1, 31, 20, 0, 1)].concat();
    write("flow_table", "closed", &[&[0], handshake.as_slice(), &talk, &close].concat())?;
    let early = [record(0x40, 11, 1, 20, 0, 1), record(0x41, 1, 31, 20, 0, 1), record(0x40, 1, 1, 12, 1, 1)].concat();
    write("flow_table", "out_of_order_conflicting", &[&[1], handshake.as_slice(), &early, &close].concat())?;
    let cut = [record(0x40, 1, 1, 10, 40, 1), record(0x41, 1, 31, 20, 0, 120), record(0x60, 31, 1, 0, 0, 1)].concat();
    write("flow_table", "snap_length_idle_reset", &[&[1], handshake.as_slice(), &cut].concat())?;
    let many = (0..4).flat_map(|n| [record(0x09 | n << 1, 0, 0, 0, 0, 0), record(0x41 | n << 1, 9, 1, 250, 0, 1)]);
    write("flow_table", "limits", &[&[1][..], &many.collect::<Vec<_>>().concat()].concat())?;
    let turns = [[7, 1, 0], [20, 0, 0], [9, 3, 4], [62, 2, 9], [1, 9, 2]];
    write("flow_table", "dialogue_any_order", &[&[2][..], turns.as_flattened()].concat())?;
    let enough = [record(0x41, 1, 1, 70, 0, 1), record(0x41, 71, 1, 9, 0, 1), record(0x61, 80, 1, 9, 0, 1)].concat();
    write("flow_table", "ignored", &[&[4], handshake.as_slice(), &enough].concat())?;

    // Offset, octets, what is added and cut off and the time.
    let place = |offset: u16, len: u8, bits: u8| [offset.to_le_bytes()[0], offset.to_le_bytes()[1], len, bits];
    let in_order = [place(0, 10, 0x10), place(10, 10, 0x10), place(5, 20, 0x10), place(24, 1, 0)];
    write("assembler", "in_order_and_again", &[&[2][..], in_order.as_flattened()].concat())?;
    let held = [place(40, 10, 0x11), place(20, 10, 0x10), place(10, 60, 0x12), place(0, 30, 0x10), place(90, 4, 0x0c)];
    write("assembler", "held_conflicting_wrapped", &[&[3][..], held.as_flattened()].concat())?;
    let middle = [place(500, 10, 0x18), place(510, 10, 0x10), place(512, 4, 0x11), place(900, 255, 0)];
    write("assembler", "picked_up_in_the_middle", &[&[6][..], middle.as_flattened()].concat())?;

    let data = b"\x00\x05\x09EHLO bar.com\r\nMAIL FROM:<Smith@bar.com> SIZE=9\r\nRCPT TO: <Jones@foo.com>\r\nDATA\r\n\
        Blah\r\n..etc.\r\n.\nb\n.\r\nc\r\n.\r\nQUIT\r\n";
    write("smtp_client", "data", data)?;
    let bdat = b"\x00\x03\x04BDAT 7\r\n.\r\n.\r\n\nBDAT 0 LAST\r\nBDAT -1\r\nAUTH PLAIN\r\ndGVzdA==\r\nRSET\nSTARTTLS\r\n\x16\x03\x01";
    write("smtp_client", "bdat_auth_starttls", bdat)?;
    let long = [&b"\x07\x01\x14NOOP "[..], &[b'x'; 60], b"\r\r\nDATA\r\nunfinished"].concat();
    write("smtp_client", "long_line", &long)?;
    let exchange =
        b"\x00\x05\x09X-EXPS NTLM\r\nTlRMTVNTUAABAAAABzIAAAYABgArAAAACwALACAAAABXT1JLU1RBVElPTkRPTUFJTg==\r\n\
        SOML FROM <\"a b\"@c> SIZE=1\r\nRCPT TO:<<b@[IPv6:::1]>> NOTIFY=DELAY ORCPT=utf-8;\\x{438}+x@y\r\n\
        XEXCH50 6 2\r\n.\r\n\0\r\nBURL imap://x/ LAST\r\nX-ANONYMOUSTLS\r\n\x16\x03\x01";
    write("smtp_client", "exchange", exchange)?;
    let proxy =
        b"\x0f\x30\x07PROXY TCP6 2001:db8::1 2001:db8::2 52953 25\r\nXCLIENT ADDR=IPV6:::1 LOGIN=a+20b\r\nETRN @x\r\n";
    write("smtp_client", "proxy_version_1", proxy)?;
    let proxy =
        b"\x00\x10\x07\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x19\x9c\x40\0\x19NOOP a\rb\r\n";
    write("smtp_client", "proxy_version_2", proxy)?;
    let extensions = b"\x01\x07250-a\r\n250-LIMITS RCPTMAX=20 X\r\n250-AUTH=LOGIN\r\n250-DELIVERBY 9\r\n250-MT-PRIORITY\r\n250 SIZE\r\n";
    write("smtp_server", "extensions", extensions)?;
    let ehlo = b"\x01\x07220 foo.com\r\n250-foo.com\r\n250-SIZE 9\r\n250 HELP\r\n550-5.1.1 No\n450 user\r\r\n354\r\n221-unfinished";
    write("smtp_server", "replies", ehlo)?;
    let foreign =
        [&b"\x09\x30250-a\r\nno reply\r\n250 b\r\nno reply\r\n999 x\r\n250-"[..], &[b'y'; 120], b"\r\n250 a\r\n"];
    write("smtp_server", "foreign_and_long_lines", &foreign.concat())?;

    // Seed, largest piece, bits, place; groups: their number less one, then verb, reply, and what the verb takes.
    let mail = [2, 1, 0, 2, 6, 13, 0, 0x60, 0, 1, 2];
    let refused = [2, 1, 0, 2, 7, 13, 7, 0];
    let chunks = [4, 1, 0, 2, 0, 7, 0, 9, 9, 0, 8, 0, 20, 0, 3, 0];
    let others = [1, 10, 0, 4, 64, 0, 12, 0, 0, 15, 0, 2, 13, 0, 0x45, 4, 5, 0, 0];
    for (name, head, groups) in [
        ("data", [1, 5, 2, 0], [&mail[..], &mail].concat()),
        ("data_refused", [1, 5, 2, 0], [&refused[..], &mail].concat()),
        ("chunks", [1, 5, 2, 0], [&chunks[..], &mail].concat()),
        ("others", [1, 5, 0, 0], [&others[..], &mail].concat()),
        ("lmtp", [1, 5, 3, 0], [&mail[..], &chunks].concat()),
        ("octets_lost", [1, 20, 6, 9], [&mail[..], &chunks, &mail].concat()),
        ("cut_short", [1, 9, 10, 4], [&mail[..], &mail].concat()),
    ] {
        write("dialogue", name, &[&head[..], &groups].concat())?;
    }
    for name in ["rsa-key-exchange", "resumed", "client-certificate", "nothing-shared", "aborted"] {
        write("tls", name, &turns_of(name))?;
    }
    // What the recordings do not have: a hello of SSL 2.0 and its answer, a gap.
    let hello = [&[0, 30, 0, 0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[7; 16]].concat();
    let answer = [1, 20, 0, 0x80, 18, 4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 1, b'd', b'e', b'r', 1, 0, 0x80, 9];
    write("tls", "sslv2", &[&[1, 7, 255, 2], hello.as_slice(), &answer].concat())?;
    write("tls", "gap", &[&[1, 7, 255, 2, 0, 5, 0, 22, 3, 1, 0, 9, 3, 7, 0], &[21, 3, 3, 0, 2, 2, 40][..]].concat())
}

/// The turns of the connections to port 465 in a recording.
fn turns_of(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../testdata/tls/{name}.pcap"));
    let (mut reader, mut decoder) = (CaptureReader::open(&path).expect("a recording"), Decoder::new());
    let mut turns = vec![1, 40, 255, 16];
    while let Ok(Some(packet)) = reader.next_packet() {
        if let Ok(Some(segment)) = decoder.decode(&packet) {
            let length = u16::try_from(segment.payload.len()).expect("a segment of Ethernet");
            turns.push(u8::from(segment.source.port() == 465));
            turns.extend(length.to_le_bytes());
            turns.extend(segment.payload);
        }
    }
    turns
}

/// Link layers, labels, extension headers and fragments around a datagram of IPv4.
fn write_layers(datagram: &[u8]) -> std::io::Result<()> {
    let addresses = [2; 12];
    let length = u16::try_from(datagram.len() + 2).expect("a short datagram").to_be_bytes();
    for (name, link_type, front) in [
        ("double_vlan", 0, [&addresses[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat()),
        ("macsec", 0, [&addresses[..], &[0x88, 0xe5, 0x20, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0, 1, 8, 0]].concat()),
        ("mpls", 219, vec![0, 1, 0, 64, 0, 2, 1, 64]),
        ("pseudowire", 219, [&[0, 1, 1, 64, 0, 0, 0, 7][..], &addresses, &[8, 0]].concat()),
        ("pppoe", 0, [&addresses[..], &[0x88, 0x64, 0x11, 0, 0, 1], &length, &[0, 0x21]].concat()),
        ("ppp", 9, vec![0xff, 3, 0, 0x21]),
        ("llc_snap", 0, [&addresses[..], &[0, 54, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat()),
        ("provider_backbone", 0, [&addresses[..], &[0x88, 0xe7, 0, 1, 2, 3], &addresses, &[8, 0]].concat()),
        ("linux_cooked_2", 7, vec![8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0]),
    ] {
        // An ICV behind MACsec's secure data; padding behind the others.
        write("decode", name, &[&[link_type, 0, 0], front.as_slice(), datagram, &[0; 16]].concat())?;
    }
    // Two fragments, the last one first and then both once more with an overlap.
    let (header, payload) = datagram.split_at(20);
    let piece = |offset: u8, more: u8, octets: &[u8]| {
        let mut piece = [header, octets].concat();
        piece[3] = u8::try_from(piece.len()).expect("a short datagram");
        (piece[6], piece[7]) = (more << 5, offset);
        piece.resize(48, 0);
        [&[0, 6][..], &piece].concat()
    };
    let fragments = [piece(2, 0, &payload[16..]), piece(0, 1, &payload[..16]), piece(0, 1, &payload[..24])].concat();
    write("decode", "fragments", &[&[2], fragments.as_slice(), &fragments].concat())?;
    // Hop-by-hop options with a jumbo payload, destination options, fragment header, authentication header.
    let mut six = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    six.extend([0x20; 32]);
    six.extend([60, 0, 0xc2, 4, 0, 1, 0x86, 0xa0, 44, 0, 1, 4, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 7]);
    six.extend([6, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
    six.extend(payload);
    write("decode", "extension_headers", &[&[2, 9, 0], six.as_slice()].concat())
}

fn record(bits: u8, seq: i16, ack: i16, len: u8, copy: u8, time: u8) -> [u8; 8] {
    let ([s, t], [a, b]) = (seq.to_le_bytes(), ack.to_le_bytes());
    [bits, s, t, a, b, len, copy, time]
}

fn write(target: &str, name: &str, octets: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), octets)
}

/// Messages behind the octets that decide how they are split.
fn write_messages() -> std::io::Result<()> {
    let attached = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822; name=a.eml\r\n\r\n\
        Subject: inner\r\n\r\ntext\r\n--b\r\nContent-Disposition: attachment; filename=\"f\"\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nWm05dg==\r\n--b--\r\n";
    let links = "Content-Type: multipart/alternative; boundary=\"b b\"\n\n--b b\nContent-Transfer-Encoding: quoted-printable\n\n\
        see http://a.example/=3D=\n1\n--b b\nContent-Type: text/html; charset=iso-8859-1\n\n<a href=//b>x</a>\n--b b--\n";
    let report = "Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; a\r\n\r\nFinal-Recipient: rfc822; b@c\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--r--\r\n";
    for (name, message) in [("attached", attached), ("links", links), ("report", report)] {
        for (limits, choice) in [("", 2), ("_small", 1)] {
            write("message", &format!("{name}{limits}"), &[&[7, 9, choice], message.as_bytes()].concat())?;
        }
    }
    Ok(())
}
