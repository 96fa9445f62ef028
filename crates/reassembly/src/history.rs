//! The last octets of one direction that were delivered, to compare copies with.
//!
//! In-order octets are lent to the observer and gone with the reader's buffer. Who wants an observer to see other octets
//! than the receiver does sends them once more, before the receiver has them: so the last ones are copied.
//!
//! ```text
//!   ring   …│ 4 │ 5 │ 6 │ 7 │ 0 │ 1 │ 2 │ 3 │…      an octet stands at its offset modulo the ring's length
//!             start ──▶           end                the octets from start to end are known
//! ```
//!
//! Behind a gap it begins anew. The ring grows with what is delivered, in powers of two, up to a limit. Of its memory only
//! what was written is ever touched: most directions end before the ring is full, and to clear it cost more than to copy
//! into it.

use crate::Comparison;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// What of it was written so far: shorter than `len` until it has gone round.
    ring: Vec<u8>,
    /// The length of the ring, for which the memory is there.
    len: usize,
    start: u64,
    end: u64,
    /// Where the last segments began, the oldest one at `oldest`.
    segments: [u64; SEGMENTS],
    oldest: usize,
}

/// Of so many segments the length is known.
const SEGMENTS: usize = 16;

/// What a ring begins with, in octets.
const LEAST_OCTETS: usize = 512;

/// How many times as long a ring becomes, at least.
const GROWTH: usize = 4;

impl History {
    /// Copies the octets of a segment that were delivered at `offset`. At most the last `limit` octets are kept, a power of
    /// two of them. Returns by how much its memory has grown.
    pub(crate) fn record(&mut self, offset: u64, octets: &[u8], limit: usize) -> usize {
        if offset != self.end {
            (self.start, self.end, self.segments) = (offset, offset, [offset; SEGMENTS]);
        }
        let known = usize::try_from(self.end - self.start).unwrap_or(usize::MAX);
        let grown = self.grow(known.saturating_add(octets.len()), limit);
        if let Some(place) = self.segments.get_mut(self.oldest) {
            *place = offset;
            self.oldest = (self.oldest + 1) % SEGMENTS;
        }
        self.end += octets.len() as u64;
        // The beginning of what is longer than the ring would be overwritten by its end.
        let last = octets.len().saturating_sub(self.len);
        let kept = octets.get(last..).unwrap_or_default();
        let at = self.place(offset + last as u64);
        let (front, back) = kept.split_at(kept.len().min(self.len - at));
        copy(&mut self.ring, at, front);
        copy(&mut self.ring, 0, back);
        self.start = self.start.max(self.end.saturating_sub(self.len as u64));
        grown
    }

    /// How many of `octets` that came again at `offset` cannot be compared, and how the rest compares, where there is one.
    pub(crate) fn compare(&self, offset: u64, octets: &[u8]) -> (usize, Option<Comparison>) {
        let unknown = usize::try_from(self.start.saturating_sub(offset)).unwrap_or(usize::MAX).min(octets.len());
        let (at, rest) = (offset + unknown as u64, octets.get(unknown..).unwrap_or_default());
        if rest.is_empty() || at + rest.len() as u64 > self.end {
            return (octets.len(), None);
        }
        let (front, back) = rest.split_at(rest.len().min(self.len - self.place(at)));
        let is_here = |at: usize, octets: &[u8]| self.ring.get(at..).is_some_and(|ring| ring.starts_with(octets));
        let comparison = if is_here(self.place(at), front) && is_here(0, back) {
            Comparison::Same
        } else {
            Comparison::Different { first: self.segment_len(at), later: octets.len() as u64 }
        };
        (unknown, Some(comparison))
    }

    /// Octets of the segment that brought the octet at `offset`, as far as they are known.
    fn segment_len(&self, offset: u64) -> u64 {
        let starts = self.segments.iter().copied();
        let first = starts.clone().filter(|&start| start <= offset).max().unwrap_or(self.start);
        let next = starts.filter(|&start| start > offset).min().unwrap_or(self.end);
        next - first
    }

    /// Where the octet at this offset stands.
    fn place(&self, offset: u64) -> usize {
        place(offset, self.len)
    }

    fn grow(&mut self, octets: usize, limit: usize) -> usize {
        let largest = limit.checked_ilog2().map_or(0, |log| 1 << log);
        if octets <= self.len || self.len == largest {
            return 0;
        }
        // By four at least: most directions are either short, or soon at the limit.
        let least = (self.len * GROWTH).max(LEAST_OCTETS);
        let wanted = octets.max(least).checked_next_power_of_two().unwrap_or(largest).min(largest);
        let smaller = std::mem::replace(&mut self.ring, Vec::with_capacity(wanted));
        let smaller_len = std::mem::replace(&mut self.len, wanted);
        let mut at = self.start;
        // In runs up to where the smaller ring wraps, which is where the larger one may.
        while at < self.end && smaller_len > 0 {
            let from = place(at, smaller_len);
            let known = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            let run = known.min(smaller_len - from);
            let to = self.place(at);
            copy(&mut self.ring, to, smaller.get(from..from + run).unwrap_or_default());
            at += run as u64;
        }
        // The first time this takes memory at all.
        wanted - smaller_len + if smaller_len == 0 { size_of::<Self>() } else { 0 }
    }
}

/// Where the octet at this offset stands in a ring of a length that is a power of two.
fn place(offset: u64, len: usize) -> usize {
    usize::try_from(offset & (len as u64).saturating_sub(1)).unwrap_or(0)
}

/// Writes octets into a ring that has the memory for them.
fn copy(ring: &mut Vec<u8>, at: usize, octets: &[u8]) {
    if ring.len() < at && !octets.is_empty() {
        // The first octets need not stand at its beginning.
        ring.resize(at, 0);
    }
    let (over, behind) = octets.split_at(octets.len().min(ring.len().saturating_sub(at)));
    if let Some(place) = ring.get_mut(at..).and_then(|ring| ring.get_mut(..over.len())) {
        place.copy_from_slice(over);
    }
    ring.extend_from_slice(behind);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_delivered_is_compared_and_what_was_before_is_not() {
        let mut history = History::default();
        history.record(100, b"MAIL FROM:<a@example.org>", 1 << 14);
        history.record(125, b"\r\n", 1 << 14);
        assert_eq!(history.compare(105, b"FROM:<a@"), (0, Some(Comparison::Same)));
        let other = Comparison::Different { first: 25, later: 8 };
        assert_eq!(history.compare(105, b"FROM:<b@"), (0, Some(other)));
        assert_eq!(history.compare(98, b"??MAIL"), (2, Some(Comparison::Same)));
        assert_eq!(history.compare(90, b"??"), (2, None));
        let tail = Comparison::Different { first: 2, later: 1 };
        assert_eq!(history.compare(126, b"\r"), (0, Some(tail)));
    }

    #[test]
    fn behind_a_gap_it_begins_anew() {
        let mut history = History::default();
        history.record(0, b"before", 1 << 14);
        history.record(10, b"behind", 1 << 14);
        assert_eq!(history.compare(0, b"before"), (6, None));
        assert_eq!(history.compare(9, b"?behind"), (1, Some(Comparison::Same)));
    }

    #[test]
    fn it_takes_no_more_memory_than_the_limit() {
        let mut history = History::default();
        assert_eq!(history.record(0, &[7; 600], 1_500), 1_024 + size_of::<History>());
        assert_eq!(history.record(600, &[7; 9_400], 1_500), 0);
        assert_eq!(history.ring.len(), 1_024);
        assert_eq!(history.compare(0, &[7; 10_000]), (10_000 - 1_024, Some(Comparison::Same)));
        let mut none = History::default();
        none.record(0, b"octets", 0);
        assert_eq!(none.compare(0, b"OCTETS"), (6, None));
    }

    proptest! {
        /// The naive twin: all octets in one vector.
        #[test]
        fn agrees_with_a_vector(
            pieces in prop::collection::vec(prop::collection::vec(0u8..2, 1..400), 1..20),
            limit in 0usize..3_000,
            asked in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..20),
        ) {
            let (mut history, mut twin) = (History::default(), Vec::new());
            for piece in &pieces {
                history.record(twin.len() as u64, piece, limit);
                twin.extend_from_slice(piece);
            }
            for (from, to, altered) in asked {
                let (from, to) = (from.index(twin.len()), to.index(twin.len()));
                let (from, to) = (from.min(to), from.max(to) + 1);
                let mut octets = twin[from..to].to_vec();
                if altered && let Some(last) = octets.last_mut() {
                    *last ^= 1;
                }
                let kept = limit.checked_ilog2().map_or(0, |log| 1 << log);
                let unknown = twin.len().saturating_sub(kept).saturating_sub(from).min(octets.len());
                let (told, comparison) = history.compare(from as u64, &octets);
                prop_assert_eq!(told, unknown);
                match comparison {
                    None => prop_assert_eq!(unknown, octets.len()),
                    Some(comparison) => prop_assert_eq!(comparison == Comparison::Same, !altered),
                }
            }
        }
    }
}
