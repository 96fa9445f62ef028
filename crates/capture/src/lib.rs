//! Reads packet captures and slices their packets into TCP segments.
//!
//! ```text
//! capture file → Packet → Segment → StreamEvent → SmtpEvent → Session, Transaction → Report
//! └────── this crate ───────────┘ └─ reassembly ─┘ └ smtp-parser ┘ └──────── analysis ────────┘
//! ```
//!
//! [`CaptureReader`] opens a file or any [`Read`](std::io::Read), recognises its format and lends [`Packet`]s from one
//! bounded buffer. [`Decoder`] finds the TCP [`Segment`] in a packet, its payload still a slice of that buffer. Nothing
//! is copied and nothing allocated from packet to packet.
//!
//! ```no_run
//! # fn main() -> Result<(), capture::Error> {
//! let mut reader = capture::CaptureReader::open("mail.pcap".as_ref())?;
//! let mut decoder = capture::Decoder::new();
//! while let Some(packet) = reader.next_packet()? {
//!     match decoder.decode(&packet) {
//!         Ok(Some(segment)) => println!("{} to {}", segment.source, segment.destination),
//!         Ok(None) => {} // no TCP
//!         Err(e) => println!("{}", e.name()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! For several threads a reader gives its packets in [`PacketBatch`]es, which own their octets, and any number of decoders
//! can [decode them alone](Decoder::decode_alone).
//!
//! Damage is passed over and listed in [`CaptureReader::damage`]. What ends a file is an [`Error`], which comes after all the packets before it; what spoils a packet is a
//! [`DecodeError`], which concerns that packet only.

mod batch;
mod buffer;
mod comment;
mod compression;
mod damage;
mod decode;
mod encapsulation;
mod error;
mod format;
mod limits;
mod packet;
mod pcap;
mod pcapng;
mod read_ahead;
mod reader;
mod segment;
mod seq;
mod step;
mod timestamp;

pub use batch::PacketBatch;
pub use comment::{Comment, CommentLog, Subject};
pub use compression::{Compression, CompressionFault, CompressionLimits, Contents};
pub use damage::{Damage, DamageLog};
pub use decode::{DecodeError, Decoded, Decoder, DecoderCounts, FragmentCounts, FragmentLimits};
pub use encapsulation::{Carrier, Encapsulation};
pub use error::{Error, Fault, Part};
pub use format::Format;
pub use limits::{BUFFER_OCTETS, ReaderLimits};
pub use packet::{LinkType, Packet};
pub use reader::CaptureReader;
pub use segment::{Flags, Segment};
pub use seq::SeqNumber;
pub use timestamp::Timestamp;
