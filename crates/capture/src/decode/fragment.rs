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
//! fragment that came twice, by a span port or a resending router, is no overlap (RFC 8200 §4.5 allows hosts the same); one
//! that comes again when its datagram is whole already is counted and passed over (see [`recent`](super::recent)).
//!
//! **Time.** A datagram that is not whole after [`FragmentLimits::time`] is given up, but only when another fragment of the
//! same datagram comes or its place is needed. So one packet with a corrupt time ends nothing, and the result does not
//! depend on packets of others.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::recent::Recent;
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
    /// Datagrams put together last whose octets are kept, at most 65 535 of each, to know copies of their fragments: 64.
    /// Copies of older ones are taken for fragments of datagrams that never get whole.
    pub recent: usize,
}

impl Default for FragmentLimits {
    fn default() -> Self {
        Self { datagrams: 64, time: 60_000_000_000, recent: 64 }
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
    /// Fragments that came again when their datagram was whole already.
    pub copies: u64,
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
    recent: Recent,
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
        let waits = self.position(fragment, network).is_some();
        if !waits && self.recent.has(fragment, network, &(fragment.offset..end), timestamp) {
            self.counts.copies += 1;
            return Ok(None);
        }
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
        let whole = self.datagrams.remove(index).into_whole();
        let of = (fragment.key, network);
        let length = whole.octets.len().saturating_add(whole.missing);
        self.recent.add(of, timestamp, (&whole.octets, length), self.limits.recent);
        Ok(Some(whole))
    }

    fn position(&self, fragment: &Fragment<'_>, network: u32) -> Option<usize> {
        self.datagrams.iter().position(|datagram| datagram.network == network && datagram.key == fragment.key)
    }

    /// Where the fragment's datagram stands.
    fn place(&mut self, fragment: &Fragment<'_>, network: u32, timestamp: Timestamp) -> usize {
        let patience = Duration::from_nanos(self.limits.time);
        let is_late = |datagram: &Datagram| timestamp.since(datagram.began) > patience;
        if let Some(index) = self.position(fragment, network) {
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
        wanted.is_empty()
            || self
                .overlapping(wanted)
                .first()
                .is_some_and(|range| range.start <= wanted.start && wanted.end <= range.end)
    }

    /// Whether there is anything within `wanted`.
    fn touches(&self, wanted: &Range<usize>) -> bool {
        self.within(wanted).next().is_some()
    }

    /// What there is within `wanted`.
    fn within(&self, wanted: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let wanted = wanted.clone();
        let cut = move |range: &Range<usize>| range.start.max(wanted.start)..range.end.min(wanted.end);
        self.overlapping(&wanted).iter().map(cut)
    }

    /// Those that have something of `wanted`. Found by halving: a datagram may come in thousands of fragments.
    fn overlapping(&self, wanted: &Range<usize>) -> &[Range<usize>] {
        let first = self.0.partition_point(|range| range.end <= wanted.start);
        let behind = self.0.partition_point(|range| range.start < wanted.end);
        self.0.get(first..behind).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::decode::tests::{datagram, packet};
    use crate::{Decoder, LinkType, Packet};

    const TCP: u8 = 6;

    /// A fragment of IPv4, or of IPv6 where `version` is 6.
    fn fragment(version: u8, offset: usize, more: bool, octets: &[u8]) -> Fragment<'_> {
        let protocol = (version == 4).then_some(TCP);
        let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into());
        Fragment {
            key: FragmentKey { source, destination, protocol, identification: 7 },
            protocol: TCP,
            offset,
            more,
            octets: Octets { captured: octets, at: Some(0), missing: 0, in_a_tunnel: false },
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    /// What each of these fragments makes whole.
    fn taken(reassembler: &mut Reassembler, fragments: &[Fragment<'_>]) -> Vec<Option<(Vec<u8>, usize)>> {
        let take = |fragment| reassembler.take(fragment, 0, at(0)).unwrap().map(|whole| (whole.octets, whole.missing));
        fragments.iter().map(take).collect()
    }

    fn whole(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
        Some((octets.to_vec(), 0))
    }

    /// RFC 791 §2.3: "The fragment offset field tells the receiver the position of a fragment in the original datagram",
    /// in whatever order they come.
    #[test]
    fn fragments_in_any_order_make_the_datagram() {
        let text = b"0123456789abcdefghijklmnopqr";
        for version in [4, 6] {
            let pieces = [
                fragment(version, 0, true, &text[..8]),
                fragment(version, 8, true, &text[8..24]),
                fragment(version, 24, false, &text[24..]),
            ];
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let mut reassembler = Reassembler::default();
                let found = taken(&mut reassembler, &order.map(|number| pieces[number]));
                assert_eq!(found, [None, None, whole(text)], "{order:?}");
                let counts = FragmentCounts { fragments: 3, reassembled: 1, ..FragmentCounts::default() };
                assert_eq!(reassembler.counts(), counts);
            }
        }
    }

    /// A span port shows every packet twice: equal octets contradict nothing.
    #[test]
    fn a_fragment_that_comes_twice_is_no_overlap() {
        for version in [4, 6] {
            let mut reassembler = Reassembler::default();
            let (first, last) = (fragment(version, 0, true, b"01234567"), fragment(version, 8, false, b"89"));
            let found = taken(&mut reassembler, &[first, first, last]);
            assert_eq!(found, [None, None, whole(b"0123456789")]);
            assert_eq!(reassembler.counts().overlapping, 0);
        }
    }

    /// The copy of the fragment that made the datagram whole, and of those before it.
    #[test]
    fn copies_of_a_datagram_that_is_whole_begin_no_other() {
        for version in [4, 6] {
            let (first, last) = (fragment(version, 0, true, b"01234567"), fragment(version, 8, false, b"89"));
            let mut reassembler = Reassembler::default();
            let found = taken(&mut reassembler, &[first, first, last, last, first]);
            assert_eq!(found, [None, None, whole(b"0123456789"), None, None]);
            let counts = reassembler.counts();
            assert_eq!((counts.copies, counts.waiting, counts.reassembled), (2, 0, 1));
            // What the capture has less of is a copy, too.
            let mut cut = fragment(version, 0, true, b"0123");
            cut.octets.missing = 4;
            assert_eq!(taken(&mut reassembler, &[cut]), [None]);
            assert_eq!(reassembler.counts().copies, 3);
        }
    }

    /// RFC 6864: senders at a high rate use an identification again while older datagrams may still be on their way.
    #[test]
    fn an_identification_used_again_at_once_is_another_datagram() {
        let (first, last) = (fragment(4, 0, true, b"01234567"), fragment(4, 8, false, b"89"));
        for [one, other] in [
            // Other octets, another length, its last fragment alike.
            [fragment(4, 0, true, b"abcdefgh"), fragment(4, 8, false, b"ij")],
            [fragment(4, 8, false, b"89a"), first],
            [fragment(4, 0, true, b"abcdefgh"), last],
        ] {
            let mut reassembler = Reassembler::default();
            // Each is captured twice.
            let pieces = [first, first, last, last, one, one, other, other];
            let found = taken(&mut reassembler, &pieces);
            let of = |n: usize| found[n].as_ref().map(|(octets, _)| octets.len());
            assert!(found[2] == whole(b"0123456789") && of(6) >= Some(10) && found[6] != found[2], "{found:?}");
            let counts = reassembler.counts();
            assert_eq!((counts.reassembled, counts.waiting, counts.overlapping, counts.copies), (2, 0, 0, 2));
        }
        // The same octets much later.
        let mut reassembler = Reassembler::default();
        for (piece, seconds) in [(first, 0), (last, 0), (first, 10), (last, 10)] {
            let _ = reassembler.take(&piece, 0, at(seconds)).unwrap();
        }
        assert_eq!((reassembler.counts().reassembled, reassembler.counts().copies), (2, 0));
    }

    #[test]
    fn no_more_datagrams_are_remembered_than_the_limit() {
        let mut reassembler = Reassembler::new(FragmentLimits { recent: 2, ..FragmentLimits::default() });
        let of = |identification, mut fragment: Fragment<'static>| {
            fragment.key.identification = identification;
            fragment
        };
        let (first, last) = (fragment(4, 0, true, b"01234567"), fragment(4, 8, false, b"89"));
        for identification in 0..100 {
            taken(&mut reassembler, &[of(identification, first), of(identification, last)]);
        }
        taken(&mut reassembler, &[of(99, last), of(98, last)]);
        assert_eq!((reassembler.counts().copies, reassembler.counts().waiting), (2, 0));
        taken(&mut reassembler, &[of(97, last)]);
        assert_eq!((reassembler.counts().copies, reassembler.counts().waiting), (2, 1));
    }

    #[test]
    fn of_overlapping_octets_in_ipv4_the_first_count() {
        let mut reassembler = Reassembler::default();
        let pieces = [
            fragment(4, 8, true, b"AAAAAAAA"),
            fragment(4, 0, true, b"bbbbbbbbBBBBBBBB"),
            fragment(4, 8, true, b"CCCCCCCCcccccccc"),
            fragment(4, 24, false, b"d"),
        ];
        assert_eq!(taken(&mut reassembler, &pieces)[3], whole(b"bbbbbbbbAAAAAAAAccccccccd"));
        assert_eq!(reassembler.counts().overlapping, 2);
    }

    /// RFC 5722 §4: "the entire datagram (and any constituent fragments, including those not yet received) MUST be
    /// silently discarded."
    #[test]
    fn an_overlap_in_ipv6_drops_the_datagram() {
        let mut reassembler = Reassembler::default();
        let pieces = [
            fragment(6, 0, true, b"0123456789abcdef"),
            fragment(6, 8, true, b"XXXXXXXX"),
            fragment(6, 16, false, b"g"),
            fragment(6, 0, true, b"0123456789abcdef"),
        ];
        assert_eq!(taken(&mut reassembler, &pieces), [None, None, None, None]);
        let counts = reassembler.counts();
        assert_eq!((counts.overlapping, counts.waiting, counts.reassembled), (1, 4, 0));
    }

    /// The end that is seen first is the datagram's.
    #[test]
    fn what_is_behind_the_end_is_an_overlap() {
        let mut reassembler = Reassembler::default();
        let pieces = [
            fragment(4, 8, false, b"89"),
            fragment(4, 8, true, b"89ABCDEF"),
            fragment(4, 16, false, b"more"),
            fragment(4, 0, true, b"01234567"),
        ];
        assert_eq!(taken(&mut reassembler, &pieces)[3], whole(b"0123456789"));
        assert_eq!(reassembler.counts().overlapping, 2);
    }

    /// RFC 8200 §4.5 and RFC 791 §3.1: all but the last have a multiple of eight octets, and none ends behind 65 535.
    #[test]
    fn fragments_that_cannot_be_are_malformed() {
        let mut reassembler = Reassembler::default();
        for bad in [
            fragment(4, 0, true, b"1234567"),
            fragment(6, 8, true, b"123456789"),
            fragment(4, 65_528, false, b"12345678"),
            fragment(4, 8, false, b""),
        ] {
            assert!(matches!(reassembler.take(&bad, 0, at(0)), Err(DecodeError::MalformedIp)), "{bad:?}");
        }
        let mut cut = fragment(4, 65_528, true, b"12345678");
        cut.octets.missing = 1_000_000;
        assert!(matches!(reassembler.take(&cut, 0, at(0)), Err(DecodeError::MalformedIp)));
        assert_eq!(reassembler.counts(), FragmentCounts::default());
    }

    /// Addresses, identification, and in IPv4 the protocol; and the tunnel's network around them.
    #[test]
    fn fragments_of_different_datagrams_do_not_mix() {
        let first = fragment(4, 0, true, b"01234567");
        let last = fragment(4, 8, false, b"89");
        let other = |change: fn(&mut Fragment<'_>)| {
            let mut last = last;
            change(&mut last);
            last
        };
        let others = [
            other(|last| last.key.identification = 8),
            other(|last| last.key.protocol = Some(17)),
            other(|last| last.key.source = Ipv4Addr::new(192, 0, 2, 9).into()),
            other(|last| last.key.destination = Ipv4Addr::new(192, 0, 2, 9).into()),
        ];
        let mut reassembler = Reassembler::default();
        assert!(taken(&mut reassembler, &[&[first], &others[..]].concat()).iter().all(Option::is_none));
        assert!(reassembler.take(&last, 1, at(0)).unwrap().is_none(), "of another network");
        assert!(reassembler.take(&last, 0, at(0)).unwrap().is_some());
    }

    #[test]
    fn no_more_datagrams_wait_than_the_limit_and_the_oldest_goes() {
        let limits = FragmentLimits { datagrams: 3, ..FragmentLimits::default() };
        let mut reassembler = Reassembler::new(limits);
        let of = |identification| {
            let mut fragment = fragment(4, 0, true, b"01234567");
            fragment.key.identification = identification;
            fragment
        };
        let mut last = fragment(4, 8, false, b"89");
        for identification in 0..1_000 {
            assert!(reassembler.take(&of(identification), 0, at(0)).unwrap().is_none());
            assert!(reassembler.datagrams.len() <= 3);
        }
        let counts = reassembler.counts();
        assert_eq!((counts.limit_reached, counts.abandoned, counts.waiting), (997, 997, 3));
        for (identification, is_there) in [(996, false), (999, true)] {
            last.key.identification = identification;
            assert_eq!(reassembler.take(&last, 0, at(0)).unwrap().is_some(), is_there, "{identification}");
        }
    }

    /// RFC 8200 §4.5: 60 seconds from the first that arrives.
    #[test]
    fn a_datagram_is_given_up_when_its_time_is_over() {
        let (first, last) = (fragment(4, 0, true, b"01234567"), fragment(4, 8, false, b"89"));
        let mut reassembler = Reassembler::default();
        assert!(reassembler.take(&first, 0, at(0)).unwrap().is_none());
        assert!(reassembler.take(&last, 0, at(60)).unwrap().is_some());
        assert!(reassembler.take(&first, 0, at(100)).unwrap().is_none());
        assert!(reassembler.take(&last, 0, at(161)).unwrap().is_none());
        let counts = reassembler.counts();
        assert_eq!((counts.abandoned, counts.waiting, counts.limit_reached), (1, 1, 0));
    }

    #[test]
    fn what_cannot_lead_to_tcp_takes_no_place() {
        let mut reassembler = Reassembler::default();
        let icmp = Fragment { protocol: 1, ..fragment(4, 0, true, b"01234567") };
        assert!(reassembler.take(&icmp, 0, at(0)).unwrap().is_none());
        assert_eq!(reassembler.counts(), FragmentCounts::default());
    }

    /// The snap length cuts each fragment; up to the first hole the datagram is known, behind it all is missing.
    #[test]
    fn what_the_snap_length_cut_off_fragments_is_missing() {
        let mut reassembler = Reassembler::default();
        let mut middle = fragment(4, 8, true, b"89ab");
        middle.octets.missing = 12;
        let pieces = [fragment(4, 0, true, b"01234567"), middle, fragment(4, 24, false, b"opqr")];
        assert_eq!(taken(&mut reassembler, &pieces)[2], Some((b"0123456789ab".to_vec(), 16)));
    }

    /// A datagram of IPv4 or IPv6 in packets of eight octets each, the TCP header in three of them.
    fn packets(version: u8) -> Vec<Vec<u8>> {
        let whole = datagram(version);
        let header_octets = if version == 4 { 20 } else { 40 };
        let (header, payload) = whole.split_at(header_octets);
        let count = payload.chunks(8).count();
        let piece = |(number, chunk): (usize, &[u8])| {
            let mut header = header.to_vec();
            let more = number + 1 < count;
            let length = u16::try_from(chunk.len()).unwrap();
            let offset = u16::try_from(number).unwrap();
            if version == 4 {
                header[2..4].copy_from_slice(&(length + 20).to_be_bytes());
                header[6..8].copy_from_slice(&(offset | if more { 0x2000 } else { 0 }).to_be_bytes());
            } else {
                header[6] = 44;
                header[4..6].copy_from_slice(&(length + 8).to_be_bytes());
                header.extend([TCP, 0]);
                header.extend((offset << 3 | u16::from(more)).to_be_bytes());
                header.extend([0, 0, 0, 7]);
            }
            [header.as_slice(), chunk].concat()
        };
        payload.chunks(8).enumerate().map(piece).collect()
    }

    #[test]
    fn a_segment_in_fragments_is_the_segment_in_both_versions() {
        for version in [4, 6] {
            for backwards in [false, true] {
                let mut pieces = packets(version);
                assert_eq!(pieces.len(), 4);
                if backwards {
                    pieces.reverse();
                }
                let mut decoder = Decoder::new();
                for (number, piece) in pieces.iter().enumerate() {
                    // Padding of the link layer behind each.
                    let piece = [piece.as_slice(), &[0x55; 6]].concat();
                    let found = decoder.decode(&packet(LinkType::RAW, &piece)).unwrap();
                    let payload = found.map(|segment| (segment.payload.to_vec(), segment.payload_at, segment.missing));
                    let expected = (number == 3).then(|| (b"MAIL ok\n".to_vec(), None, 0));
                    assert_eq!(payload, expected, "{version} {backwards} {number}");
                }
            }
        }
    }

    /// The TCP header itself is in the part that was cut.
    #[test]
    fn fragments_cut_before_the_payload_are_a_truncated_header() {
        let mut decoder = Decoder::new();
        let mut last = Ok(false);
        for piece in packets(4) {
            let original_len = piece.len().try_into().unwrap();
            let cut = Packet { original_len, ..packet(LinkType::RAW, &piece[..22]) };
            last = decoder.decode(&cut).map(|segment| segment.is_some());
        }
        assert_eq!(last, Err(DecodeError::TruncatedHeader));
    }

    proptest! {
        /// A naive map from offset to octet: the first octet captured counts, the end seen first is the end.
        #[test]
        fn any_fragments_in_any_order_are_what_a_map_of_octets_says(
            pieces in prop::collection::vec((0..12_usize, 1..5_usize, any::<bool>(), any::<u8>(), 0..9_usize), 1..40),
        ) {
            // Copies are not of the model.
            let mut reassembler = Reassembler::new(FragmentLimits { recent: 0, ..FragmentLimits::default() });
            let mut map: Vec<Option<Option<u8>>> = Vec::new();
            let mut length: Option<usize> = None;
            for (offset, blocks, more, octet, cut) in pieces {
                let octets = vec![octet; blocks * 8 - usize::from(!more) * 3];
                let kept = octets.len().saturating_sub(cut);
                let mut piece = fragment(4, offset * 8, more, &octets[..kept]);
                piece.octets.missing = octets.len() - kept;
                let end = offset * 8 + octets.len();
                if !more && length.is_none() {
                    length = Some(end.max(map.iter().rposition(Option::is_some).map_or(0, |last| last + 1)));
                }
                let limit = length.unwrap_or(end);
                for place in offset * 8..end.min(limit) {
                    map.resize(map.len().max(place + 1), None);
                    let captured = (place - offset * 8 < kept).then_some(octet);
                    // Seen on the wire; its octet is the first one captured.
                    map[place] = Some(map[place].flatten().or(captured));
                }
                let found = reassembler.take(&piece, 0, at(0)).unwrap().map(|whole| (whole.octets, whole.missing));
                let is_whole = length.is_some_and(|length| {
                    map.len() >= length && map[..length].iter().all(Option::is_some)
                });
                let expected = is_whole.then(|| {
                    let octets: Vec<u8> = map[..length.unwrap()].iter().map_while(|place| place.flatten()).collect();
                    let missing = length.unwrap() - octets.len();
                    (octets, missing)
                });
                prop_assert_eq!(&found, &expected);
                if found.is_some() {
                    (map, length) = (Vec::new(), None);
                }
            }
            let counts = reassembler.counts();
            prop_assert!(counts.abandoned == 0 && counts.waiting <= counts.fragments);
        }
    }
}
