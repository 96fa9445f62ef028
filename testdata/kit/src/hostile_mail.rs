//! Mails that are made to cost time and memory, as captures that are written in pieces.

use std::io::{self, Write};

use crate::{Conversation, KitPacket, PcapWriter};

/// A mail that is made to cost time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostileMail {
    /// A multipart with 10,000 parts, each an attachment.
    ManyParts,
    /// A hundred times as many, of an octet each.
    ManyMoreParts,
    /// Multiparts in multiparts, 10,000 deep.
    DeepMultiparts,
    /// Messages in messages, 10,000 deep.
    DeepMessages,
    /// A hundred multiparts in each other whose boundaries of 70 characters differ in the last two, and then 100 MiB of
    /// lines that begin like all of them and are none.
    RepeatedBoundary,
    /// A header of 100 MiB, in many Received fields.
    LongHeader,
    /// A header of 100 MiB in one field, which is folded.
    FoldedField,
    /// A header of 100 MiB without a line end.
    EndlessLine,
    /// A part whose header has 100 MiB.
    LongPartHeader,
    /// HTML of 100 MiB that is nothing but links, each to another page.
    ManyUrls,
    /// An attachment of 200 MiB of base64.
    LongAttachment,
}

impl HostileMail {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ManyParts,
        Self::ManyMoreParts,
        Self::DeepMultiparts,
        Self::DeepMessages,
        Self::RepeatedBoundary,
        Self::LongHeader,
        Self::FoldedField,
        Self::EndlessLine,
        Self::LongPartHeader,
        Self::ManyUrls,
        Self::LongAttachment,
    ];

    /// Its name, on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ManyParts => "many-parts",
            Self::ManyMoreParts => "many-more-parts",
            Self::DeepMultiparts => "deep-multiparts",
            Self::DeepMessages => "deep-messages",
            Self::RepeatedBoundary => "repeated-boundary",
            Self::LongHeader => "long-header",
            Self::FoldedField => "folded-field",
            Self::EndlessLine => "endless-line",
            Self::LongPartHeader => "long-part-header",
            Self::ManyUrls => "many-urls",
            Self::LongAttachment => "long-attachment",
        }
    }

    /// Writes a capture of one connection with this mail, a megabyte at a time; gives the octets of the message.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, mut out: impl Write) -> io::Result<u64> {
        let mut talk = Conversation::new("192.0.2.1:40000", "198.51.100.25:25")
            .start(1_700_000_000_000_000_000)
            .spacing(10_000)
            .handshake()
            .server(b"220 mx.example ESMTP\r\n")
            .client(b"EHLO client.example\r\n")
            .server(b"250 mx.example\r\n")
            .client(b"MAIL FROM:<alice@example.org>\r\n")
            .server(b"250 ok\r\n")
            .client(b"RCPT TO:<bob@example.net>\r\n")
            .server(b"250 ok\r\n")
            .client(b"DATA\r\n")
            .server(b"354 go\r\n");
        let writer = PcapWriter::new().nanoseconds();
        out.write_all(&writer.file(&[]))?;
        let file_header = writer.file(&[]).len();
        let mut write = |packets: Vec<KitPacket>| {
            let records = writer.file(&packets);
            out.write_all(records.get(file_header..).unwrap_or_default())
        };
        let mut octets = 0;
        let mut waiting = String::new();
        for piece in self.pieces() {
            waiting.push_str(&piece);
            if waiting.len() >= MIB {
                octets += waiting.len() as u64;
                talk = talk.client(waiting.as_bytes()).ack_from_server();
                waiting.clear();
                write(talk.take_packets())?;
            }
        }
        octets += waiting.len() as u64;
        waiting.push_str(".\r\n");
        let end = talk.client(waiting.as_bytes()).server(b"250 taken\r\n").client(b"QUIT\r\n").server(b"221 bye\r\n");
        write(end.close().packets())?;
        Ok(octets)
    }

    /// The message in pieces. No line begins with a dot, and the last one has its end.
    fn pieces(self) -> Box<dyn Iterator<Item = String>> {
        let first = |text: &str| std::iter::once(text.to_owned());
        let mixed = "Subject: hostile\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        let repeated = |text: String| {
            let times = (100 * MIB).div_ceil(text.len());
            std::iter::repeat_n(text, times)
        };
        match self {
            Self::ManyParts => {
                let part = |n| {
                    format!(
                        "--b\r\nContent-Type: application/octet-stream; name=\"{n}.bin\"\r\n\
                         Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
                    )
                };
                Box::new(first(mixed).chain((0..10_000).map(part)).chain(first("--b--\r\n")))
            }
            Self::ManyMoreParts => {
                let part = "--b\r\n\r\nx\r\n".to_owned();
                Box::new(first(mixed).chain(std::iter::repeat_n(part, 1_000_000)).chain(first("--b--\r\n")))
            }
            Self::DeepMultiparts => {
                Box::new((0..10_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")))
            }
            Self::DeepMessages => {
                let inner = "Content-Type: message/rfc822; name=a.eml\r\n\r\n".to_owned();
                Box::new(std::iter::repeat_n(inner, 10_000).chain(first("Subject: innermost\r\n\r\nx\r\n")))
            }
            Self::RepeatedBoundary => {
                let boundary = "b".repeat(68);
                let like = format!("--{boundary}xx\r\n");
                let nested = (0..100).map(move |n| {
                    format!("Content-Type: multipart/mixed; boundary={boundary}{n:02}\r\n\r\n--{boundary}{n:02}\r\n")
                });
                Box::new(nested.chain(first("\r\n")).chain(repeated(like)))
            }
            Self::LongHeader => Box::new(
                first("Subject: hostile\r\n")
                    .chain(repeated(
                        "Received: from a (b [192.0.2.1]) by c for <d>; Mon, 1 Jan 2024 00:00:00 +0000\r\n".to_owned(),
                    ))
                    .chain(first("\r\nx\r\n")),
            ),
            Self::FoldedField => Box::new(
                first("To: a@example.org")
                    .chain(repeated(",\r\n \"b, c\" (d) <e@example.org>".to_owned()))
                    .chain(first("\r\nSubject: hostile\r\n\r\nx\r\n")),
            ),
            Self::EndlessLine => Box::new(
                first("Subject: ").chain(repeated("=?utf-8?Q?hostile?= ".to_owned())).chain(first("\r\n\r\nx\r\n")),
            ),
            Self::LongPartHeader => Box::new(
                first(mixed)
                    .chain(first("--b\r\n"))
                    .chain(repeated("Content-Disposition: attachment; filename*0=a\r\n".to_owned()))
                    .chain(first("\r\nx\r\n--b--\r\n")),
            ),
            Self::ManyUrls => Box::new(first("Subject: hostile\r\nContent-Type: text/html\r\n\r\n").chain(
                (0..100 * MIB / 50).map(|n| format!("<a href=http://a.example/{n:08}>http://b.example</a>\r\n")),
            )),
            Self::LongAttachment => {
                let line = "QUJD".repeat(18) + "\r\n";
                let lines = std::iter::repeat_n(line.clone(), 200 * MIB / line.len());
                let fields =
                    "Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n";
                Box::new(
                    first(mixed).chain(first("--b\r\n")).chain(first(fields)).chain(lines).chain(first("--b--\r\n")),
                )
            }
        }
    }
}

const MIB: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in pieces, it is one connection without a gap that carries the message as it is counted.
    #[test]
    fn a_capture_in_pieces_is_one_conversation() {
        let mut file = Vec::new();
        let octets = HostileMail::ManyMoreParts.write(&mut file).expect("memory");
        let message: u64 = HostileMail::ManyMoreParts.pieces().map(|piece| piece.len() as u64).sum();
        assert_eq!(octets, message);
        let (mut at, mut next, mut payload) = (24, 0, 0);
        while let Some(record) = file.get(at..at + 16) {
            let octets = u32::from_le_bytes(record[8..12].try_into().expect("four octets")) as usize;
            let packet = etherparse::SlicedPacket::from_ethernet(&file[at + 16..at + 16 + octets]).expect("a packet");
            at += 16 + octets;
            let Some(etherparse::TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP") };
            if tcp.source_port() == 40_000 && !tcp.payload().is_empty() {
                assert!(next == 0 || tcp.sequence_number() == next, "a gap before octet {payload}");
                next = tcp.sequence_number().wrapping_add(u32::try_from(tcp.payload().len()).expect("a segment"));
                payload += tcp.payload().len() as u64;
            }
        }
        let dialogue = "EHLO client.example\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n.\r\nQUIT\r\n";
        assert_eq!((at, payload), (file.len(), octets + dialogue.len() as u64));
    }
}
