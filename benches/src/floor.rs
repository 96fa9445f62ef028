//! The floor: what the machine must do in any case to read mail in a capture, done by the same libraries and by nothing
//! else, in one thread.
//!
//! Read the file into one buffer, walk its records with `pcap-parser`, slice each packet with `etherparse`, find each
//! line end of its payload with `memchr`. No connection, no line and no mail is known. The program is held against it.

use std::io::{self, Read};

use etherparse::{LaxSlicedPacket, SlicedPacket, TransportSlice};
use memchr::memchr_iter;
use pcap_parser::nom;
use pcap_parser::{PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

/// How a packet is sliced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slicing {
    /// By `SlicedPacket::from_ethernet`: a length that does not fit is an error.
    Strict,
    /// By `LaxSlicedPacket::from_ethernet`: what is there is taken.
    Lax,
}

/// What was found, so that no compiler can leave the work out and a test can check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FloorCounts {
    /// Octets of the file.
    pub octets: u64,
    /// Records.
    pub packets: u64,
    /// Octets of TCP payload.
    pub payload_octets: u64,
    /// LF in them.
    pub line_ends: u64,
    /// The sum of their offsets, each within its payload.
    pub line_end_offsets: u64,
    /// Packets that could not be sliced, or are not TCP.
    pub not_sliced: u64,
}

/// Reads a pcap file of Ethernet packets to its end.
///
/// # Errors
/// Where `source` cannot be read, is no pcap file, or ends in the middle of a record.
pub fn floor(mut source: impl Read, slicing: Slicing) -> io::Result<FloorCounts> {
    let mut buffer = vec![0; BUFFER_OCTETS];
    let mut counts = FloorCounts::default();
    let mut header: Option<PcapHeader> = None;
    let mut held = 0;
    loop {
        let room = buffer.get_mut(held..).unwrap_or_default();
        if room.is_empty() {
            return Err(invalid("a record is larger than the buffer"));
        }
        let got = source.read(room)?;
        if got == 0 {
            return if held == 0 && header.is_some() { Ok(counts) } else { Err(invalid("the file is cut off")) };
        }
        let filled = held + got;
        counts.octets += got as u64;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        let header = match &mut header {
            Some(header) => header,
            none => match parse_pcap_header(rest) {
                Ok((behind, parsed)) => {
                    rest = behind;
                    none.insert(parsed)
                }
                Err(nom::Err::Incomplete(_)) => {
                    held = filled;
                    continue;
                }
                Err(_) => return Err(invalid("no pcap file")),
            },
        };
        rest = if header.is_bigendian() {
            walk(rest, parse_pcap_frame_be, slicing, &mut counts)?
        } else {
            walk(rest, parse_pcap_frame, slicing, &mut counts)?
        };
        held = rest.len();
        buffer.copy_within(filled - held..filled, 0);
    }
}

/// Takes in the whole records at the front of `rest`, and gives what is behind them.
#[inline]
fn walk<'a, E>(
    mut rest: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Result<(&'a [u8], pcap_parser::LegacyPcapBlock<'a>), nom::Err<E>>,
    slicing: Slicing,
    counts: &mut FloorCounts,
) -> io::Result<&'a [u8]> {
    loop {
        match parse(rest) {
            Ok((behind, record)) => {
                rest = behind;
                counts.packets += 1;
                match payload(record.data, slicing) {
                    Some(payload) => scan_payload(payload, counts),
                    None => counts.not_sliced += 1,
                }
            }
            Err(nom::Err::Incomplete(_)) => return Ok(rest),
            Err(_) => return Err(invalid("a record is damaged")),
        }
    }
}

#[inline]
fn payload(packet: &[u8], slicing: Slicing) -> Option<&[u8]> {
    let transport = match slicing {
        Slicing::Strict => SlicedPacket::from_ethernet(packet).ok()?.transport,
        Slicing::Lax => LaxSlicedPacket::from_ethernet(packet).ok()?.transport,
    };
    match transport {
        Some(TransportSlice::Tcp(tcp)) => Some(tcp.payload()),
        _ => None,
    }
}

/// Finds the line ends of a payload.
#[inline]
pub fn scan_payload(payload: &[u8], counts: &mut FloorCounts) {
    counts.payload_octets += payload.len() as u64;
    for at in memchr_iter(b'\n', payload) {
        counts.line_ends += 1;
        counts.line_end_offsets = counts.line_end_offsets.wrapping_add(at as u64);
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Octets read at once: what the reader of the program begins with.
const BUFFER_OCTETS: usize = 128 << 10;
