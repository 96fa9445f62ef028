//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks.
//!
//! ```text
//!                         1                   2                   3
//!     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!    ├─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┼─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┤
//!  0 │                          Block Type                           │
//!  4 │                      Block Total Length                       │
//!  8 │           Block Body, variable, padded to 32 bits …           │
//!    │                      Block Total Length                       │
//!
//!    Section Header Block (0x0A0D0D0A)      Interface Description Block (1)
//!  8 │        Byte-Order Magic       │    8 │   LinkType    │   Reserved    │
//! 12 │ Major Version │ Minor Version │   12 │            SnapLen            │
//! 16 │    Section Length, 64 bits    │   16 │           Options …           │
//! 24 │           Options …           │
//!
//!    Enhanced Packet Block (6)              Packet Block (2, obsolete)
//!  8 │         Interface ID          │    8 │ Interface ID  │  Drops Count  │
//! 12 │   Timestamp, high 32 bits     │   12 │   Timestamp, high 32 bits     │
//! 16 │   Timestamp, low 32 bits      │   16 │   Timestamp, low 32 bits      │
//! 20 │    Captured Packet Length     │   20 │    Captured Packet Length     │
//! 24 │    Original Packet Length     │   24 │    Original Packet Length     │
//! 28 │        Packet Data …          │   28 │        Packet Data …          │
//!    │          Options …            │      │          Options …            │
//!
//!    Simple Packet Block (3)
//!  8 │    Original Packet Length     │
//! 12 │        Packet Data …          │
//! ```
//!
//! The blocks are walked by their lengths, and only those that describe an interface, count its losses or hold a packet
//! are looked into: the others are passed over. Interface descriptions are left to pcap-parser. Packet blocks are
//! not: it would collect the options of each, an allocation a packet, and knows no Packet Block; and where a captured
//! length goes beyond its block it asks for more input, which no input can satisfy.

mod block;
mod drops;
mod interface;
mod options;
mod packet;

use pcap_parser::pcapng::{parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le};

use crate::step::{Skipped, Step};
use crate::{CommentLog, Fault, ReaderLimits, Subject, Timestamp};
use block::{
    BLOCK_MAX_OCTETS, BLOCK_MIN_OCTETS, BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS,
    PACKET, PACKET_DATA_AT, SIMPLE_PACKET, TRAILER_OCTETS, byte_order, captured_len, holds_its_packet, is_chain,
    order_of_block, order_of_length,
};
pub(crate) use block::{BYTE_ORDER_OCTETS, ByteOrder, SECTION_HEADER, is_section_header};
use drops::Drops;
use interface::Interface;
use options::{COMMENT, Options};

/// Walks the blocks of one pcapng file.
#[derive(Debug, Default)]
pub(crate) struct PcapNgBlocks {
    order: ByteOrder,
    /// The section is of another major version: its blocks have types and lengths, and nothing else is known of them.
    foreign: bool,
    /// The last section header could not be read: whatever is found behind it has no interfaces yet.
    section_lost: bool,
    /// The section's interfaces, by number. One whose description could not be read keeps its place as `None`, or all
    /// behind it would be taken for their neighbours.
    interfaces: Vec<Option<Interface>>,
    /// Those of all sections that are beyond the limit.
    further_interfaces: u64,
    drops: Drops,
    comments: CommentLog,
    /// The time of the last packet that had one.
    last_time: Timestamp,
    packets_without_time: u64,
}

impl PcapNgBlocks {
    /// What stands at the start of the window; `ended` where nothing comes behind it. The state changes only with a step
    /// that passes the block.
    #[inline]
    pub(crate) fn step(&mut self, window: &[u8], ended: bool, packets: u64, limits: &ReaderLimits) -> Step {
        let Some(&[a, b, c, d, e, f, g, h, ..]) = window.first_chunk::<BLOCK_MIN_OCTETS>() else {
            return Step::wait(BLOCK_MIN_OCTETS, ended);
        };
        if [a, b, c, d] == SECTION_HEADER {
            return self.section_header(window, ended, limits);
        }
        let block_type = self.order.u32([a, b, c, d]);
        let total = self.order.u32([e, f, g, h]);
        if let Some(damaged) = check_length(total, BLOCK_MIN_OCTETS) {
            return damaged;
        }
        if total > limits.block_octets() {
            return self.large_block(window, ended, block_type, total, limits);
        }
        let len = usize::try_from(total).unwrap_or(usize::MAX);
        let Some(block) = window.get(..len) else { return Step::wait(len, ended) };
        if let Some(damaged) = self.check_trailer(block, total) {
            return damaged;
        }
        match block_type {
            _ if self.foreign => pass(total, Skipped::NoPacket),
            ENHANCED_PACKET | PACKET => self.packet(block, block_type, total, packets, limits),
            INTERFACE_DESCRIPTION => self.interface_description(block, total, limits),
            SIMPLE_PACKET => self.simple_packet(block, total, limits),
            INTERFACE_STATISTICS => {
                self.drops.statistics(block, self.order, self.interfaces.len());
                pass(total, Skipped::NoPacket)
            }
            _ => pass(total, Skipped::NoPacket),
        }
    }

    /// Where the first block begins, before `to`, that is whole within `reach` octets. Behind a section header that could
    /// not be read it is of that section, whose interfaces are not known yet. Where that header is not even to be seen as
    /// one, the blocks behind it count as those of the section before it.
    pub(crate) fn find(&mut self, view: &[u8], to: usize, reach: usize) -> Option<usize> {
        let places = (0..to).filter_map(|at| Some((at, view.get(at..view.len().min(at.saturating_add(reach)))?)));
        let (at, order) = places.filter_map(|(at, octets)| Some((at, order_of_block(octets, self.order)?))).next()?;
        if order != self.order || self.section_lost {
            self.begin_section(order, false);
        }
        Some(at)
    }

    /// Where a chain of blocks begins, before `to`, that stands within `reach` octets; `whole` says that the view ends with
    /// the input.
    pub(crate) fn find_chain(&self, view: &[u8], to: usize, reach: usize, whole: bool) -> Option<usize> {
        (0..to).find(|&at| {
            let (octets, whole) = match view.get(at..at.saturating_add(reach)) {
                Some(octets) => (octets, false),
                None => (view.get(at..).unwrap_or_default(), whole),
            };
            is_chain(octets, self.order, whole)
        })
    }

    pub(crate) fn comments(&self) -> &CommentLog {
        &self.comments
    }

    pub(crate) fn dropped_packets(&self) -> Option<u64> {
        self.drops.total()
    }

    pub(crate) fn further_interfaces(&self) -> u64 {
        self.further_interfaces
    }

    fn begin_section(&mut self, order: ByteOrder, foreign: bool) {
        self.interfaces.clear();
        self.drops.end_section();
        (self.order, self.foreign, self.section_lost) = (order, foreign, false);
    }

    /// A block that the buffer does not hold, or need not. Its second length is out of sight, so that a wrong first one
    /// could pass over most of the file. Of a packet its other lengths must bear it out; of others what is within them.
    #[cold]
    fn large_block(&mut self, window: &[u8], ended: bool, block_type: u32, total: u32, limits: &ReaderLimits) -> Step {
        let too_long = Step::Damaged { fault: Fault::BlockLength, wanted: BLOCK_MAX_OCTETS.into(), got: total.into() };
        let is_packet = !self.foreign && matches!(block_type, ENHANCED_PACKET | PACKET);
        if is_packet {
            if window.len() < PACKET_DATA_AT {
                return Step::wait(PACKET_DATA_AT, ended);
            }
            // Options are short: a block this long is so because of its packet.
            let packet_octets = total.saturating_sub(limits.block_octets() - limits.record_octets);
            if !holds_its_packet(window, total, self.order) || captured_len(window, self.order) < packet_octets {
                return too_long;
            }
            return Step::Skip { octets: total.into(), trailer: Some((total, self.order)), why: Skipped::Oversized };
        }
        if total > BLOCK_MAX_OCTETS {
            return too_long;
        }
        if block_type == INTERFACE_DESCRIPTION {
            self.add_interface(None, limits);
        }
        let known = !self.foreign && matches!(block_type, INTERFACE_DESCRIPTION | SIMPLE_PACKET);
        let why = if known { Skipped::Oversized } else { Skipped::NoPacket };
        Step::Doubted { total, order: self.order, why }
    }

    pub(crate) fn packets_without_time(&self) -> u64 {
        self.packets_without_time
    }

    /// A new section: its byte order, and interfaces numbered from 0.
    ///
    /// > In case an application cannot read a Section because of different version number, it MUST skip everything until
    /// > the next Section Header Block.
    #[cold]
    fn section_header(&mut self, window: &[u8], ended: bool, limits: &ReaderLimits) -> Step {
        let Some(&[_, _, _, _, e, f, g, h, i, j, k, l, m, n, _, _]) = window.first_chunk::<16>() else {
            return Step::wait(16, ended);
        };
        let Some(order) = byte_order(&[i, j, k, l]) else {
            self.section_lost = true;
            self.order = order_of_length([e, f, g, h]).unwrap_or(self.order);
            let got = u32::from_be_bytes([i, j, k, l]);
            return Step::Damaged { fault: Fault::ByteOrderMagic, wanted: BYTE_ORDER_MAGIC.into(), got: got.into() };
        };
        let total = order.u32([e, f, g, h]);
        if let Some(damaged) = check_length(total, SECTION_HEADER_MIN_OCTETS) {
            (self.section_lost, self.order) = (true, order);
            return damaged;
        }
        let foreign = order.u16([m, n]) != VERSION_MAJOR;
        let why = if foreign { Skipped::ForeignSection } else { Skipped::NoPacket };
        if total > limits.block_octets() {
            self.begin_section(order, foreign);
            return self.large_block(window, ended, u32::from_be_bytes(SECTION_HEADER), total, limits);
        }
        let len = usize::try_from(total).unwrap_or(usize::MAX);
        let Some(block) = window.get(..len) else { return Step::wait(len, ended) };
        if order.u32(*block.last_chunk().unwrap_or(&[0; 4])) != total {
            self.section_lost = true;
        } else {
            self.begin_section(order, foreign);
        }
        self.order = order;
        if let Some(damaged) = self.check_trailer(block, total) {
            return damaged;
        }
        if !foreign {
            self.keep_comments(Subject::Section, options_in(block, SECTION_OPTIONS_AT), limits);
        }
        pass(total, why)
    }

    #[cold]
    fn interface_description(&mut self, block: &[u8], total: u32, limits: &ReaderLimits) -> Step {
        let parsed = match self.order {
            ByteOrder::Big => parse_interfacedescriptionblock_be(block),
            ByteOrder::Little => parse_interfacedescriptionblock_le(block),
        };
        let interface = parsed.ok().map(|(_, description)| Interface::new(&description, self.order));
        let why = if interface.is_some() { Skipped::NoPacket } else { Skipped::Malformed };
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.keep_comments(Subject::Interface(number), options_in(block, INTERFACE_OPTIONS_AT), limits);
        self.add_interface(interface, limits);
        pass(total, why)
    }

    fn keep_comments(&mut self, subject: Subject, octets: &[u8], limits: &ReaderLimits) {
        for (code, value) in (Options { octets, order: self.order }) {
            if code == COMMENT {
                self.comments.add(subject, value, limits);
            }
        }
    }

    fn add_interface(&mut self, interface: Option<Interface>, limits: &ReaderLimits) {
        if self.interfaces.len() < limits.interfaces {
            self.interfaces.push(interface);
        } else {
            self.further_interfaces += 1;
        }
    }

    #[inline]
    fn interface(&self, id: u32) -> Option<Interface> {
        self.interfaces.get(usize::try_from(id).ok()?).copied().flatten()
    }

    #[inline]
    fn time_or_last(&mut self, time: Option<Timestamp>) -> Timestamp {
        match time {
            Some(time) => self.last_time = time,
            None => self.packets_without_time += 1,
        }
        self.last_time
    }

    #[inline]
    fn check_trailer(&self, block: &[u8], total: u32) -> Option<Step> {
        let got = self.order.u32(*block.last_chunk()?);
        (got != total).then_some(Step::Damaged {
            fault: Fault::TrailingBlockLength,
            wanted: total.into(),
            got: got.into(),
        })
    }
}

/// > Block Total Length (32 bits): an unsigned integer giving the total size of this block, in octets. […] This value
/// > MUST be a multiple of 4.
#[inline]
fn check_length(total: u32, least: usize) -> Option<Step> {
    if (total as usize) < least {
        return Some(Step::Damaged { fault: Fault::BlockLength, wanted: least as u64, got: total.into() });
    }
    let rest = total % 4;
    (rest != 0).then_some(Step::Damaged { fault: Fault::BlockAlignment, wanted: 0, got: rest.into() })
}

/// Passes over a whole block.
fn pass(total: u32, why: Skipped) -> Step {
    Step::Skip { octets: total.into(), trailer: None, why }
}

/// The options of a whole block.
fn options_in(block: &[u8], at: usize) -> &[u8] {
    block.get(at..block.len().saturating_sub(TRAILER_OCTETS)).unwrap_or_default()
}

const VERSION_MAJOR: u16 = 1;
const SECTION_HEADER_MIN_OCTETS: usize = 28;
const SECTION_OPTIONS_AT: usize = 24;
const INTERFACE_OPTIONS_AT: usize = 16;

#[cfg(test)]
mod tests;
