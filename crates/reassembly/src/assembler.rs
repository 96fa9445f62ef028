//! Octets of one direction that came before their turn.
//!
//! ```text
//!   delivered ──────────┐
//!                       ▼ next
//!   stream   ···████████|      [piece][piece]     [piece ∙∙∙]
//!                        └hole┘              └hole┘       └ cut off by the snap length
//! ```
//!
//! Invariants: pieces are not empty, ascend by offset and do not overlap (a piece covers its octets and the missing
//! ones behind them; a copy that has those takes their place). Of two copies of an octet the one captured first is kept. `cost` is the sum of the lengths held
//! plus the overhead of each piece.
//!
//! A pure data structure: it knows offsets, not sequence numbers, and it never delivers by itself.

use std::collections::BTreeMap;

use capture::Timestamp;

use crate::FlowLimits;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    pieces: BTreeMap<u64, Piece>,
    cost: usize,
    was_filled: bool,
}

/// What one segment brought, or what was new of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// Octets known to follow `bytes` that the snap length cut off.
    pub(crate) missing: u64,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) timestamp: Timestamp,
}

/// A range of octets that was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// Octets of the piece that holds the first copy.
    pub(crate) first_len: u64,
    pub(crate) conflicting: bool,
}

impl Assembler {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Octets of memory this stands for, see [`FlowLimits::held_octets_per_direction`].
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Offset of the first piece.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(&offset, _)| offset)
    }

    /// Offset behind the last piece.
    pub(crate) fn end_offset(&self) -> Option<u64> {
        self.pieces.last_key_value().map(|(&offset, piece)| offset + piece.len())
    }

    /// The first piece, without taking it.
    pub(crate) fn first(&self) -> Option<(u64, &Piece)> {
        self.pieces.first_key_value().map(|(&offset, piece)| (offset, piece))
    }

    /// Takes the first piece out.
    pub(crate) fn pop_first(&mut self) -> Option<(u64, Piece)> {
        let (offset, piece) = self.pieces.pop_first()?;
        self.cost = self.cost.saturating_sub(piece.cost());
        Some((offset, piece))
    }

    /// How many pieces are held.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Octets held.
    pub(crate) fn octets(&self) -> u64 {
        self.pieces.values().map(|piece| piece.bytes.len() as u64).sum()
    }

    /// Every offset becomes larger: the stream begins so much earlier than was thought.
    pub(crate) fn shift(&mut self, by: u64) {
        let pieces = std::mem::take(&mut self.pieces);
        self.pieces = pieces.into_iter().map(|(offset, piece)| (offset + by, piece)).collect();
    }

    /// The same for the offsets of the other direction that the pieces acknowledge.
    pub(crate) fn shift_acknowledged(&mut self, by: i64) {
        for piece in self.pieces.values_mut() {
            piece.acknowledged = piece.acknowledged.and_then(|offset| offset.checked_add_signed(by));
        }
    }

    /// Keeps a copy of what is new of `bytes`, and reports each range that was there already.
    pub(crate) fn insert(&mut self, offset: u64, new: &Incoming<'_>, mut duplicate: impl FnMut(Duplicate)) {
        let mut rest = *new;
        let mut at = offset;
        while !rest.bytes.is_empty() || rest.missing > 0 {
            // The piece that covers `at`, else the next one behind it, decides how far the new octets go.
            if let Some((from, piece)) = self.covering(at) {
                let here = usize::try_from(at - from).unwrap_or(usize::MAX);
                let old = piece.bytes.get(here..).unwrap_or_default();
                // Up to the end of its octets, then up to the end of those that were cut off.
                let covered = if old.is_empty() { from + piece.len() - at } else { old.len() as u64 };
                if old.is_empty() && !rest.bytes.is_empty() {
                    let (fill, remaining) = rest.split_at(covered);
                    self.fill(from, at, &fill);
                    at += fill.len();
                    rest = remaining;
                    continue;
                }
                let same_place = old.len().min(rest.bytes.len());
                let conflicting = old.get(..same_place) != rest.bytes.get(..same_place);
                let (seen, remaining) = rest.split_at(covered);
                if !seen.bytes.is_empty() {
                    let (len, first_len) = (seen.bytes.len() as u64, piece.bytes.len() as u64);
                    duplicate(Duplicate { offset: at, len, first_len, conflicting });
                }
                at += seen.len();
                rest = remaining;
                continue;
            }
            let room = self.pieces.range(at..).next().map_or(u64::MAX, |(&next, _)| next - at);
            let (fresh, remaining) = rest.split_at(room);
            self.store(at, &fresh);
            at += fresh.len();
            rest = remaining;
        }
    }

    /// Puts octets in the place of those that were cut off the piece at `from`.
    fn fill(&mut self, from: u64, at: u64, fill: &Incoming<'_>) {
        let Some(mut piece) = self.pieces.remove(&from) else { return };
        self.cost = self.cost.saturating_sub(piece.cost());
        let end = from + piece.len();
        piece.missing = at - from - piece.bytes.len() as u64;
        if piece.len() > 0 {
            self.cost += piece.cost();
            self.pieces.insert(from, piece);
        }
        self.store(at, &Incoming { missing: end - at - fill.bytes.len() as u64, ..*fill });
        self.was_filled = true;
    }

    /// Whether octets that were cut off have ever come in another copy.
    pub(crate) fn was_filled(&self) -> bool {
        self.was_filled
    }

    /// The piece that holds the octet at `offset`.
    fn covering(&self, offset: u64) -> Option<(u64, &Piece)> {
        let (&from, piece) = self.pieces.range(..=offset).next_back()?;
        (offset < from + piece.len()).then_some((from, piece))
    }

    fn store(&mut self, offset: u64, fresh: &Incoming<'_>) {
        if fresh.len() == 0 {
            return;
        }
        let piece = Piece {
            // Copied: the segment's buffer is gone before the hole in front is filled.
            bytes: fresh.bytes.to_vec(),
            missing: fresh.missing,
            acknowledged: fresh.acknowledged,
            timestamp: fresh.timestamp,
        };
        self.cost += piece.cost();
        self.pieces.insert(offset, piece);
    }
}

impl Piece {
    /// Octets of the stream this covers.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.missing
    }

    fn cost(&self) -> usize {
        self.bytes.len() + FlowLimits::PIECE_OVERHEAD
    }
}

/// What a segment brings to one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Incoming<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) missing: u64,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) timestamp: Timestamp,
}

impl Incoming<'_> {
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.missing
    }

    /// The first `octets` of it (or all), and the rest.
    pub(crate) fn split_at(self, octets: u64) -> (Self, Self) {
        let captured = self.bytes.len().min(usize::try_from(octets).unwrap_or(usize::MAX));
        let (front, back) = self.bytes.split_at_checked(captured).unwrap_or((self.bytes, &[]));
        let missing_in_front = self.missing.min(octets - captured as u64);
        (
            Self { bytes: front, missing: missing_in_front, ..self },
            Self { bytes: back, missing: self.missing - missing_in_front, ..self },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn incoming(bytes: &[u8]) -> Incoming<'_> {
        Incoming { bytes, missing: 0, acknowledged: None, timestamp: Timestamp::default() }
    }

    #[test]
    fn the_copy_captured_first_is_kept_and_the_conflict_reported() {
        let mut held = Assembler::default();
        let mut duplicates = Vec::new();
        held.insert(10, &incoming(b"middle"), |d| duplicates.push(d));
        held.insert(8, &incoming(b"<<MIDDLE>>"), |d| duplicates.push(d));
        assert_eq!(duplicates, [Duplicate { offset: 10, len: 6, first_len: 6, conflicting: true }]);
        let texts: Vec<_> = std::iter::from_fn(|| held.pop_first()).map(|(at, p)| (at, p.bytes)).collect();
        assert_eq!(texts, [(8, b"<<".to_vec()), (10, b"middle".to_vec()), (16, b">>".to_vec())]);
        assert_eq!(held.cost(), 0);
    }

    #[test]
    fn octets_cut_off_by_the_snap_length_are_filled_in() {
        let mut held = Assembler::default();
        held.insert(0, &Incoming { missing: 5, ..incoming(b"abc") }, |_| {});
        held.insert(2, &incoming(b"c12345678"), |_| {});
        let (at, piece) = held.pop_first().unwrap();
        assert_eq!((at, piece.bytes.as_slice(), piece.missing), (0, &b"abc"[..], 0));
        assert_eq!(held.pop_first().map(|(at, p)| (at, p.bytes)), Some((3, b"12345".to_vec())));
        assert_eq!(held.pop_first().map(|(at, p)| (at, p.bytes)), Some((8, b"678".to_vec())));
        assert!(held.was_filled() && held.cost() == 0);
    }

    #[test]
    fn a_copy_may_have_some_of_the_octets_that_were_cut_off() {
        let mut held = Assembler::default();
        held.insert(0, &Incoming { missing: 10, ..incoming(b"") }, |_| {});
        held.insert(3, &Incoming { missing: 2, ..incoming(b"34") }, |_| {});
        let pieces: Vec<_> = std::iter::from_fn(|| held.pop_first()).map(|(at, p)| (at, p.bytes, p.missing)).collect();
        assert_eq!(pieces, [(0, b"".to_vec(), 3), (3, b"34".to_vec(), 5)]);
        assert_eq!(held.cost(), 0);
    }

    #[test]
    fn pieces_move_when_the_stream_begins_earlier() {
        let mut held = Assembler::default();
        held.insert(3, &Incoming { acknowledged: Some(5), ..incoming(b"abc") }, |_| {});
        held.shift(10);
        held.shift_acknowledged(-2);
        assert_eq!((held.first_offset(), held.end_offset(), held.octets(), held.pieces()), (Some(13), Some(16), 3, 1));
        assert_eq!(held.first().and_then(|(_, piece)| piece.acknowledged), Some(3));
    }

    proptest! {
        /// The naive twin: a map from offset to the octet that came first.
        #[test]
        fn agrees_with_a_map_of_octets(segments in prop::collection::vec((0u64..60, prop::collection::vec(0u8..3, 0..20)), 0..30)) {
            let mut held = Assembler::default();
            let mut twin = BTreeMap::new();
            for (offset, bytes) in &segments {
                let (mut seen, mut conflict) = (0, false);
                held.insert(*offset, &incoming(bytes), |d| { seen += d.len; conflict |= d.conflicting; });
                let (mut twin_seen, mut twin_conflict) = (0, false);
                for (at, octet) in (*offset..).zip(bytes) {
                    match twin.get(&at) {
                        Some(first) => { twin_seen += 1; twin_conflict |= first != octet; }
                        None => { twin.insert(at, *octet); }
                    }
                }
                prop_assert_eq!((seen, conflict), (twin_seen, twin_conflict));
            }
            let mut flat = BTreeMap::new();
            while let Some((offset, piece)) = held.pop_first() {
                prop_assert!(!piece.bytes.is_empty());
                for (at, octet) in (offset..).zip(piece.bytes) {
                    prop_assert!(flat.insert(at, octet).is_none(), "pieces overlap");
                }
            }
            prop_assert_eq!(flat, twin);
            prop_assert_eq!(held.cost(), 0);
        }
    }
}
