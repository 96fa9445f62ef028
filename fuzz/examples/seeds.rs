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

    let segment =
        TcpPacket { seq: 7, ack: Some(9), payload: b"QUIT\r\n", ..TcpPacket::new("192.0.2.1:4", "192.0.2.2:25") };
    let over_six = TcpPacket { payload: b"250 ok\r\n", ..TcpPacket::new("[2001:db8::1]:25", "[2001:db8::2]:4") };
    let with_tag = [&segment.ethernet()[..12], &[0x81, 0, 0, 5], &segment.ethernet()[12..]].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], segment.ip().as_slice()].concat();
    write("decode", "ethernet_ipv4", &[&[0, 0], segment.ethernet().as_slice()].concat())?;
    write("decode", "ethernet_ipv6", &[&[0, 0], over_six.ethernet().as_slice()].concat())?;
    write("decode", "vlan", &[&[0, 0], with_tag.as_slice()].concat())?;
    write("decode", "raw_cut", &[&[2, 4], &segment.ip()[..segment.ip().len() - 4]].concat())?;
    write("decode", "null", &[&[1, 0, 2, 0, 0, 0], segment.ip().as_slice()].concat())?;
    write("decode", "linux_cooked", &[&[4, 0], cooked.as_slice()].concat())?;

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
        write("decode", name, &[&[0, 0], data.as_slice()].concat())?;
    }

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

    let data = b"\x00\x05\x09EHLO bar.com\r\nMAIL FROM:<Smith@bar.com> SIZE=9\r\nRCPT TO: <Jones@foo.com>\r\nDATA\r\n\
        Blah\r\n..etc.\r\n.\nb\n.\r\nc\r\n.\r\nQUIT\r\n";
    write("smtp_client", "data", data)?;
    let bdat = b"\x00\x03\x04BDAT 7\r\n.\r\n.\r\n\nBDAT 0 LAST\r\nBDAT -1\r\nAUTH PLAIN\r\ndGVzdA==\r\nRSET\nSTARTTLS\r\n\x16\x03\x01";
    write("smtp_client", "bdat_auth_starttls", bdat)?;
    let long = [&b"\x07\x01\x14NOOP "[..], &[b'x'; 60], b"\r\r\nDATA\r\nunfinished"].concat();
    write("smtp_client", "long_line", &long)?;
    let ehlo = b"\x01\x07220 foo.com\r\n250-foo.com\r\n250-SIZE 9\r\n250 HELP\r\n550-5.1.1 No\n450 user\r\r\n354\r\n221-unfinished";
    write("smtp_server", "replies", ehlo)?;
    let foreign =
        [&b"\x09\x30250-a\r\nno reply\r\n250 b\r\nno reply\r\n999 x\r\n250-"[..], &[b'y'; 120], b"\r\n250 a\r\n"];
    write("smtp_server", "foreign_and_long_lines", &foreign.concat())?;

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

fn record(bits: u8, seq: i16, ack: i16, len: u8, copy: u8, time: u8) -> [u8; 8] {
    let ([s, t], [a, b]) = (seq.to_le_bytes(), ack.to_le_bytes());
    [bits, s, t, a, b, len, copy, time]
}

fn write(target: &str, name: &str, octets: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), octets)
}
