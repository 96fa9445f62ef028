//! Builds captures in tests and benches: conversations with true sequence numbers, packets with any field, files in any
//! format. Development only; it depends on no crate of this workspace, so that a mistake of theirs is not shared.
//!
//! ```
//! use kit::{Conversation, pcap};
//!
//! let mail = Conversation::new("192.0.2.1:40000", "198.51.100.25:25")
//!     .start(1_700_000_000_000_000_000)
//!     .handshake()
//!     .server(b"220 mx.example ESMTP\r\n")
//!     .client(b"QUIT\r\n")
//!     .server(b"221 bye\r\n")
//!     .close();
//! let file: Vec<u8> = pcap(&mail.packets());
//! # assert!(file.len() > 24);
//! ```
//!
//! - [`Conversation`] one TCP connection, as a list of packets that a test may reorder, drop, duplicate or cut
//! - [`TcpPacket`] one packet with every field set by hand
//! - [`link`] frames on other links, tagged, labelled, in fragments
//! - [`tunnel`] frames inside other frames
//! - [`HostileMail`] mails that are made to cost time and memory
//! - [`PcapWriter`], [`PcapNgWriter`] lists of packets as files, in every byte order and resolution

#![allow(clippy::expect_used, reason = "what cannot be built is a mistake in the test, which a panic shows best")]

mod conversation;
mod hostile_mail;
pub mod link;
mod packet;
mod pcap;
mod pcapng;
pub mod tunnel;

pub use conversation::Conversation;
pub use hostile_mail::HostileMail;
pub use packet::{KitPacket, TcpPacket};
pub use pcap::PcapWriter;
pub use pcapng::{Interface, PcapNgWriter};

/// A pcap file of Ethernet packets: little-endian, nanoseconds.
pub fn pcap(packets: &[KitPacket]) -> Vec<u8> {
    PcapWriter::new().nanoseconds().file(packets)
}

/// A pcapng file of Ethernet packets: one section, little-endian, one interface, nanoseconds.
pub fn pcapng(packets: &[KitPacket]) -> Vec<u8> {
    let writer = PcapNgWriter::new().section().interface(Interface { tsresol: Some(9), ..Interface::default() });
    packets.iter().fold(writer, |writer, packet| writer.enhanced(0, packet)).file()
}

/// The order in which a format's numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ByteOrder {
    #[default]
    Little,
    Big,
}

impl ByteOrder {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn i64(self, value: i64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}
