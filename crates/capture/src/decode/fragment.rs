//! Datagrams that came in fragments (RFC 791 §3.2, RFC 8200 §4.5), put together again.
//!
//! ```text
//!   octets        ┌────────────────────────────────────────────┐
//!   captured      [======]      [=====)      [=================]    by offset; never overlapping, never touching
//!   on the wire   [======]      [===========)[=================]    … with what the snap length cut off fragments
//!   length                                                     ▲    known from the last fragment
//! ```
//!
//! The datagram is whole when `on the wire` is one range from 0 to the length. What it gives ends at the first octet that
//! was not captured; the rest of its length is missing.
//!
//! **Overlaps.** In IPv4 the octet captured first counts. Hosts differ here, and some drop such a datagram; the issue is
//! to keep evidence and to say that it is contested. In IPv6 the whole datagram is dropped, as RFC 5722 §4 has every host
//! do since 2009: the octets never reached TCP, and taking them would let a sender slip in octets that only we see. A
//! fragment that came twice, by a span port or a resending router, is no overlap (RFC 8200 §4.5 allows hosts the same).
//!
//! **Time.** A datagram that is not whole after [`FragmentLimits::time`] is given up, but only when another fragment of the
//! same datagram comes or its place is needed. So one packet with a corrupt time ends nothing, and the result does not
//! depend on packets of others.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::{DecodeError, Octets};
use crate::Timestamp;

/// One fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) key: FragmentKey,
    /// The protocol of the datagram's payload; in IPv6 the first fragment's counts.
    pub(super) protocol: u8,
    /// Where its octets stand in the datagram's payload: a multiple of eight.
    pub(super) offset: usize,
    /// Whether others follow.
    pub(super) more: bool,
    pub(super) octets: Octets<'a>,
}

/// What fragments of one datagram have in common.
///
/// RFC 791 §3.2: "internet identification […] source, destination, protocol". RFC 8200 §4.5 has no protocol in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentKey {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: Option<u8>,
    pub(super) identification: u32,
}

/// A datagram's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) protocol: u8,
    /// From its first octet to the first that was not captured.
    pub(super) octets: Vec<u8>,
    /// How many more it had on the wire.
    pub(super) missing: usize,
}

/// How much waits to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Datagrams, each of at most 65 535 octets: 64. Where there are more, the oldest is given up.
    pub datagrams: usize,
    /// Nanoseconds of packet time a datagram may take from its first fragment to its last: 60 s.
    ///
    /// RFC 8200 §4.5: "If insufficient fragments are received to complete reassembly of a packet within 60 seconds of the
    /// reception of the first-arriving fragment of that packet, reassembly of that packet must be abandoned". RFC 1122
    /// §3.3.2 has 60 to 120 seconds for IPv4.
    pub time: u64,
}

impl Default for FragmentLimits {
    fn default() -> Self {
        Self { datagrams: 64, time: 60_000_000_000 }
    }
}

/// What became of fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FragmentCounts {
    /// Fragments of datagrams that may lead to TCP.
    pub fragments: u64,
    /// Datagrams that became whole.
    pub reassembled: u64,
    /// Fragments with octets that were there already and differed, or that were there in part.
    pub overlapping: u64,
    /// Fragments of datagrams that were given up: too old, too many at a time, or (IPv6) overlapping.
    pub abandoned: u64,
    /// Fragments of datagrams that still wait.
    pub waiting: u64,
    /// Datagrams that were given up because there were too many at a time ([`FragmentLimits::datagrams`]).
    pub limit_reached: u64,
}

/// The datagrams that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct Reassembler {
    limits: FragmentLimits,
    /// In the order of their first fragments.
    datagrams: Vec<Datagram>,
    /// A buffer for the next one.
    spare: Vec<u8>,
    counts: FragmentCounts,
}

impl Reassembler {
    pub(super) fn new(limits: FragmentLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn counts(&self) -> FragmentCounts {
        FragmentCounts { waiting: self.datagrams.iter().map(|datagram| datagram.fragments).sum(), ..self.counts }
    }

    /// Takes a buffer back that is no longer needed.
    pub(super) fn recycle(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.spare = buffer;
    }

    /// Takes in a fragment; the datagram, if that makes it whole. `network` is the tunnel's it came through: addresses of
    /// one customer may be those of another.
    #[cold]
    pub(super) fn take(
        &mut self,
        fragment: &Fragment<'_>,
        network: u32,
        timestamp: Timestamp,
    ) -> Result<Option<Whole>, DecodeError> {
        if !leads_on(fragment.protocol) {
            return Ok(None);
        }
        // RFC 8200 §4.5: "If the length of a fragment […] is not a multiple of 8 octets and the M flag of that fragment is
        // 1, then that fragment must be discarded", and the same where its end is beyond 65 535.
        let end = fragment.offset.saturating_add(fragment.octets.on_the_wire());
        let is_odd = fragment.more && !end.is_multiple_of(8);
        if is_odd || end > DATAGRAM_OCTETS || end == fragment.offset {
            return Err(DecodeError::MalformedIp);
        }
        self.counts.fragments += 1;
        let index = self.place(fragment, network, timestamp);
        let Some(datagram) = self.datagrams.get_mut(index) else { return Ok(None) };
        datagram.fragments += 1;
        if datagram.is_dropped {
            return Ok(None);
        }
        if !datagram.add(fragment, end) {
            self.counts.overlapping += 1;
            if fragment.key.protocol.is_none() {
                // RFC 5722 §4: "the entire datagram (and any constituent fragments, including those not yet received)
                // MUST be silently discarded."
                datagram.is_dropped = true;
                (datagram.octets, datagram.captured, datagram.on_the_wire) = Default::default();
                return Ok(None);
            }
        }
        if !datagram.is_whole() {
            return Ok(None);
        }
        self.counts.reassembled += 1;
        Ok(Some(self.datagrams.remove(index).into_whole()))
    }

    /// Where the fragment's datagram stands.
    fn place(&mut self, fragment: &Fragment<'_>, network: u32, timestamp: Timestamp) -> usize {
        let patience = Duration::from_nanos(self.limits.time);
        let is_late = |datagram: &Datagram| timestamp.since(datagram.began) > patience;
        if let Some(index) =
            self.datagrams.iter().position(|datagram| datagram.network == network && datagram.key == fragment.key)
        {
            match self.datagrams.get(index) {
                Some(datagram) if is_late(datagram) => self.give_up(index),
                _ => return index,
            }
        }
        if self.datagrams.len() >= self.limits.datagrams.max(1) {
            if !self.datagrams.first().is_some_and(is_late) {
                self.counts.limit_reached += 1;
            }
            self.give_up(0);
        }
        self.datagrams.push(Datagram {
            key: fragment.key,
            network,
            began: timestamp,
            protocol: fragment.protocol,
            octets: std::mem::take(&mut self.spare),
            captured: Ranges::default(),
            on_the_wire: Ranges::default(),
            length: None,
            fragments: 0,
            is_dropped: false,
        });
        self.datagrams.len().saturating_sub(1)
    }

    fn give_up(&mut self, index: usize) {
        let datagram = self.datagrams.remove(index);
        self.counts.abandoned += datagram.fragments;
        self.recycle(datagram.octets);
    }
}

/// A datagram that is not whole yet.
#[derive(Debug)]
struct Datagram {
    key: FragmentKey,
    /// The tunnel's it came through, 0 without one.
    network: u32,
    /// When its first fragment was captured.
    began: Timestamp,
    protocol: u8,
    /// By their offset; between the ranges of `captured` there are zeros.
    octets: Vec<u8>,
    captured: Ranges,
    on_the_wire: Ranges,
    /// Known once the last fragment is there.
    length: Option<usize>,
    fragments: u64,
    /// Overlapping fragments of IPv6: kept until its time is over, to know those yet to come.
    is_dropped: bool,
}

impl Datagram {
    /// Adds a fragment that ends at `end` on the wire; whether it agrees with those that are there.
    fn add(&mut self, fragment: &Fragment<'_>, end: usize) -> bool {
        let start = fragment.offset;
        let mut agrees = true;
        if start == 0 && !self.on_the_wire.covers(&(0..1)) {
            self.protocol = fragment.protocol;
        }
        // The end seen first counts, and nothing lies behind it.
        let known_end = self.on_the_wire.end();
        let limit = match (self.length, fragment.more) {
            (Some(length), more) => {
                agrees &= end <= length && (more || end == length);
                length
            }
            (None, true) => end,
            (None, false) => {
                agrees &= known_end <= end;
                let length = end.max(known_end);
                self.length = Some(length);
                length
            }
        };
        let octets = fragment.octets.captured;
        let octets = octets.get(..limit.saturating_sub(start)).unwrap_or(octets);
        let wire = start..end.min(limit);
        if self.on_the_wire.touches(&wire) && !self.on_the_wire.covers(&wire) {
            agrees = false;
        }
        let captured = start..start.saturating_add(octets.len());
        if self.octets.len() < captured.end {
            self.octets.resize(captured.end, 0);
        }
        for held in self.captured.within(&captured) {
            let there = self.octets.get(held.clone());
            let comes = octets.get(held.start.saturating_sub(start)..held.end.saturating_sub(start));
            agrees &= there == comes;
        }
        for hole in self.captured.holes_within(&captured) {
            let comes = octets.get(hole.start.saturating_sub(start)..hole.end.saturating_sub(start));
            if let (Some(place), Some(comes)) = (self.octets.get_mut(hole), comes) {
                place.copy_from_slice(comes);
            }
        }
        self.captured.insert(captured);
        self.on_the_wire.insert(wire);
        agrees
    }

    fn is_whole(&self) -> bool {
        self.length.is_some_and(|length| self.on_the_wire.covers(&(0..length)))
    }

    fn into_whole(self) -> Whole {
        let length = self.length.unwrap_or_default();
        let there = self.captured.first_end();
        let mut octets = self.octets;
        octets.truncate(there);
        Whole { protocol: self.protocol, octets, missing: length.saturating_sub(there) }
    }
}

/// Ranges of offsets, ascending; none is empty, none touches another. At most half as many as eight octets fit a datagram.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Ranges(Vec<Range<usize>>);

impl Ranges {
    fn end(&self) -> usize {
        self.0.last().map_or(0, |range| range.end)
    }

    /// The end of the range that begins at 0.
    fn first_end(&self) -> usize {
        self.0.first().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }

    fn covers(&self, wanted: &Range<usize>) -> bool {
        wanted.is_empty() || self.0.iter().any(|range| range.start <= wanted.start && wanted.end <= range.end)
    }

    /// Whether there is anything within `wanted`.
    fn touches(&self, wanted: &Range<usize>) -> bool {
        self.within(wanted).next().is_some()
    }

    /// What there is within `wanted`.
    fn within(&self, wanted: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let wanted = wanted.clone();
        let cut = move |range: &Range<usize>| range.start.max(wanted.start)..range.end.min(wanted.end);
        self.0.iter().map(cut).filter(|range| !range.is_empty())
    }

    /// What there is not within `wanted`.
    fn holes_within(&self, wanted: &Range<usize>) -> Vec<Range<usize>> {
        let mut holes = Vec::new();
        let mut at = wanted.start;
        for held in self.within(wanted) {
            holes.push(at..held.start);
            at = held.end;
        }
        holes.push(at..wanted.end);
        holes.retain(|hole| !hole.is_empty());
        holes
    }

    fn insert(&mut self, mut new: Range<usize>) {
        if new.is_empty() {
            return;
        }
        let first = self.0.partition_point(|range| range.end < new.start);
        let behind = self.0.partition_point(|range| range.start <= new.end);
        if let Some(joined) = self.0.get(first..behind)
            && let (Some(left), Some(right)) = (joined.first(), joined.last())
        {
            new = left.start.min(new.start)..right.end.max(new.end);
        }
        self.0.splice(first..behind.max(first), [new]);
    }
}

/// Whether a datagram of this protocol may hold TCP: itself, extension headers, what tunnels go over. Others need no place.
fn leads_on(protocol: u8) -> bool {
    // IPv4, TCP, UDP, IPv6, Routing, GRE, Authentication, Destination Options, EtherIP, L2TPv3, Mobility, MPLS, HIP, Shim6.
    matches!(protocol, 4 | 6 | 17 | 41 | 43 | 47 | 51 | 60 | 97 | 115 | 135 | 137 | 139 | 140)
}

/// RFC 791 §3.1: 16 bits of length.
const DATAGRAM_OCTETS: usize = 65_535;
