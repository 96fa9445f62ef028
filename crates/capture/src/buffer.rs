//! The one buffer between an input and the packets that are lent from it.
//!
//! ```text
//!            consumed          window()               room for the next read
//!      ┌──────────────────┬──────────────────────┬──────────────────────────┐
//!      │ ░░░░░░░░░░░░░░░░ │ record record reco   │                          │
//!      └──────────────────┴──────────────────────┴──────────────────────────┘
//!      ^                  ^                      ^                          ^
//!      0                start                   end                    capacity
//!      position − start   position               position + window().len()
//! ```
//!
//! A record is never copied, except that the part of one that was read already moves to the front when the buffer is
//! refilled: at most one record per refill. There is room for [`READ_OCTETS`]; only who asks for more at once makes it grow, up
//! to the capacity.
//!
//! Where octets are to outlive the next refill, because packets of a batch lie in them, they are [kept](Buffer::keep): the
//! next refill that would move the window puts it into other octets instead and leaves these to be taken away.

use std::io::{self, Read};

/// Octets of a buffer that nobody asks for more of. Two of them and what is kept of connections fit in the second-level cache of
/// a core; what the system copies into more than that takes half as long again (measured with reads alone).
const READ_OCTETS: usize = 128 << 10;

/// A window on an input, moved forward by [`consume`](Buffer::consume) and lengthened by [`fill`](Buffer::fill).
///
/// Invariant: `start <= end <= octets.len()`.
pub(crate) struct Buffer {
    source: Box<dyn Read + Send>,
    octets: Box<[u8]>,
    /// The most octets there may be.
    capacity: usize,
    start: usize,
    end: usize,
    /// Offset of `octets[start]` in the input.
    position: u64,
    /// The source has said that nothing comes any more.
    ended: bool,
    /// What the source said in a [`try_fill`](Self::try_fill).
    failure: Option<io::Error>,
    /// Packets of a batch lie in the octets.
    kept: bool,
    /// Octets to go on in, when those are to be left alone.
    spare: Box<[u8]>,
    /// Octets that were kept when the window moved.
    left: Option<Box<[u8]>>,
}

impl Buffer {
    /// A buffer that can hold `capacity` octets at once.
    pub(crate) fn new(source: Box<dyn Read + Send>, capacity: usize) -> Self {
        Self {
            source,
            octets: vec![0; capacity.min(READ_OCTETS)].into_boxed_slice(),
            capacity,
            start: 0,
            end: 0,
            position: 0,
            ended: false,
            failure: None,
            kept: false,
            spare: Box::default(),
            left: None,
        }
    }

    /// Leaves the octets alone that packets of a batch lie in.
    #[inline]
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Octets to be used again instead of new ones.
    pub(crate) fn recycle(&mut self, octets: Box<[u8]>) {
        if octets.len() == self.octets.len() {
            self.spare = octets;
        }
    }

    /// The octets that were kept and that the window has left.
    #[inline]
    pub(crate) fn take_left(&mut self) -> Option<Box<[u8]>> {
        self.left.take()
    }

    /// Makes the window leave the octets it is in, if these are kept.
    pub(crate) fn leave(&mut self) {
        if self.kept {
            self.move_window(self.octets.len());
        }
    }

    /// Where the octets lie that [`behind`](Self::behind) would lend, in those that will be left.
    #[inline]
    pub(crate) fn place_behind(&self, back: usize) -> usize {
        self.start.saturating_sub(back)
    }

    /// Moves the window to the front of the octets, or of others where these are kept or where there are to be `room`.
    fn move_window(&mut self, room: usize) {
        let len = self.end - self.start;
        if self.kept || room != self.octets.len() {
            let mut next = std::mem::take(&mut self.spare);
            if next.len() != room {
                next = vec![0; room].into_boxed_slice();
            }
            if let Some(front) = next.get_mut(..len) {
                front.copy_from_slice(self.window());
            }
            let left = std::mem::replace(&mut self.octets, next);
            if self.kept {
                self.left = Some(left);
                self.kept = false;
            }
        } else {
            self.octets.copy_within(self.start..self.end, 0);
        }
        (self.start, self.end) = (0, len);
    }

    /// Lets the window have `capacity` octets, if that is more than it may have.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        self.capacity = self.capacity.max(capacity);
    }

    /// Puts another source in the place of this one, which `change` is given. What was read stays.
    pub(crate) fn change_source(&mut self, change: impl FnOnce(Box<dyn Read + Send>) -> Box<dyn Read + Send>) {
        self.source = change(std::mem::replace(&mut self.source, Box::new(io::empty())));
    }

    /// What was read and not consumed.
    #[inline]
    pub(crate) fn window(&self) -> &[u8] {
        self.octets.get(self.start..self.end).unwrap_or_default()
    }

    /// The most octets the window can have.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Offset of the window's first octet in the input.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the window's end is known to be the input's. Known only once a [`fill`](Self::fill) asked for more than
    /// there is, so a decision may hang on it only where the window is too short for it.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Moves the window's start forward; not past its end.
    ///
    /// The octets stay where they are until the next [`fill`](Self::fill) or [`skip`](Self::skip):
    /// [`behind`](Self::behind) lends them.
    #[inline]
    pub(crate) fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.end - self.start);
        self.start += octets;
        self.position += octets as u64;
    }

    /// The `len` octets that begin `back` octets before the window: part of what [`consume`](Self::consume) passed.
    #[inline]
    pub(crate) fn behind(&self, back: usize, len: usize) -> &[u8] {
        let from = self.start.saturating_sub(back);
        self.octets.get(from..from.saturating_add(len)).unwrap_or_default()
    }

    /// Reads until the window holds `wanted` octets, and what more comes with them. `false` where the input ends before,
    /// or the capacity is less.
    pub(crate) fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.window().len() >= wanted {
            return Ok(true);
        }
        // Only where there is no room behind: who asks for a little more again and again is not to have the window moved
        // each time.
        if self.start.saturating_add(wanted) > self.octets.len() {
            let enough = wanted.checked_next_power_of_two().unwrap_or(self.capacity).min(self.capacity);
            self.move_window(enough.max(self.octets.len()));
        }
        while self.window().len() < wanted {
            match self.read()? {
                0 => return Ok(false),
                octets => self.end += octets,
            }
        }
        Ok(true)
    }

    /// As [`fill`](Self::fill), for octets that what is there may do without: where the source fails, that is the end for
    /// now, and [`failure`](Self::failure) says what happened.
    pub(crate) fn try_fill(&mut self, wanted: usize) -> bool {
        self.fill(wanted).unwrap_or_else(|e| {
            (self.failure, self.ended) = (Some(e), true);
            false
        })
    }

    /// Why the input seems to have ended, if not by itself. Said once.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Passes over `octets`, holding none of them. Returns how many there were: fewer at the input's end.
    pub(crate) fn skip(&mut self, octets: u64) -> io::Result<u64> {
        let mut passed = 0;
        loop {
            let there = self.window().len();
            let step = usize::try_from(octets - passed).unwrap_or(usize::MAX).min(there);
            self.consume(step);
            passed += step as u64;
            if passed == octets || !self.fill(1)? {
                return Ok(passed);
            }
        }
    }

    /// One read into the room behind the window. Zero at the input's end, and where there is no room.
    fn read(&mut self) -> io::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let Some(room) = self.octets.get_mut(self.end..) else { return Ok(0) };
        let most = room.len();
        loop {
            match self.source.read(room) {
                Ok(octets) => {
                    self.ended = octets == 0 && most > 0;
                    return Ok(octets.min(most));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet a read, after an interruption each.
    struct Trickle(Vec<u8>, bool);

    impl Read for Trickle {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() || buf.is_empty() {
                return Ok(0);
            }
            buf[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn the_window_moves_over_the_input() {
        let mut buffer = Buffer::new(Box::new(Trickle((0..10).collect(), false)), 4);
        assert!(buffer.fill(3).unwrap());
        assert_eq!(buffer.window(), [0, 1, 2]);
        buffer.consume(2);
        assert_eq!((buffer.position(), buffer.window()), (2, &[2][..]));
        assert_eq!(buffer.behind(2, 2), [0, 1]);
        assert!(buffer.fill(4).unwrap());
        assert_eq!(buffer.window(), [2, 3, 4, 5]);
        assert!(!buffer.fill(5).unwrap(), "more than the capacity");
        assert_eq!(buffer.skip(7).unwrap(), 7);
        assert!(!buffer.fill(2).unwrap(), "more than the input");
        assert_eq!((buffer.position(), buffer.window()), (9, &[9][..]));
        assert_eq!(buffer.skip(u64::MAX).unwrap(), 1);
        assert_eq!((buffer.position(), buffer.window()), (10, &[][..]));
    }

    /// Memory is for what is asked for, and octets that are kept stay what they were.
    #[test]
    fn there_is_room_for_more_only_where_it_is_asked_for() {
        let octets: Vec<u8> = (0..=250).cycle().take(8 * READ_OCTETS).collect();
        let mut buffer = Buffer::new(Box::new(io::Cursor::new(octets.clone())), 4 * READ_OCTETS);
        assert!(buffer.fill(READ_OCTETS).unwrap());
        assert_eq!(buffer.octets.len(), READ_OCTETS);
        buffer.keep();
        assert!(buffer.fill(READ_OCTETS + 1).unwrap());
        assert_eq!(buffer.take_left().as_deref(), Some(&octets[..READ_OCTETS]));
        assert_eq!((buffer.octets.len(), buffer.window()), (2 * READ_OCTETS, &octets[..2 * READ_OCTETS]));
        assert!(!buffer.fill(5 * READ_OCTETS).unwrap(), "more than the capacity");
        assert_eq!((buffer.octets.len(), buffer.window()), (4 * READ_OCTETS, &octets[..4 * READ_OCTETS]));
    }

    #[test]
    fn more_room_keeps_the_window() {
        let mut buffer = Buffer::new(Box::new(&[1, 2, 3, 4, 5][..]), 4);
        assert!(buffer.fill(4).unwrap());
        buffer.consume(1);
        buffer.reserve(8);
        assert_eq!((buffer.position(), buffer.window()), (1, &[2, 3, 4][..]));
        assert!(buffer.fill(4).unwrap());
        assert_eq!(buffer.window(), [2, 3, 4, 5]);
    }
}
