//! The header of a pcap record in all its layouts, and how chains of records are recognised.

use crate::ReaderLimits;
use crate::pcapng::ByteOrder;

/// How the record headers of a file are laid out.
///
/// ```text
/// octets   pcap   Nokia   modified, Red Hat 6.1   SuSE 6.3
///  0..16   seconds, fraction, captured length, original length: in all of them
/// 16..20          unknown    interface number     interface number
/// 20..24                     protocol, kind       protocol, kind, processor
/// 24..28                                          processor, padding
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) order: ByteOrder,
    pub(super) header_octets: usize,
    pub(super) lengths: Lengths,
    /// 1 000 000 or 1 000 000 000.
    pub(super) units_per_second: u32,
    /// The file's snap length; 0 for none.
    pub(super) snap_len: u32,
}

/// Which of a record's two lengths comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    CapturedFirst,
    /// Before version 2.3, and in version 543.0 of DG/UX.
    OriginalFirst,
    /// Version 2.3: programs wrote both orders under this number, but no packet is captured longer than it was.
    SmallerIsCaptured,
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) seconds: u32,
    pub(super) fraction: u32,
    pub(super) captured: u32,
    pub(super) original: u32,
}

/// How a walk from record to record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As many records as were asked for.
    Enough,
    /// The last record ends with the input.
    Input,
    /// The input ends within a record.
    Cut,
    /// The next record is out of view.
    View,
    /// What stands there is no record.
    Broken,
}

/// What speaks against a layout, from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfit {
    None,
    /// The input would end within a record.
    Cut,
    /// It would fit, but for octets that are never so.
    Unlikely,
    /// There would be something that is no record.
    Broken,
}

impl Layout {
    /// The header at `at`.
    #[inline]
    pub(super) fn header(&self, octets: &[u8], at: usize) -> Option<RecordHeader> {
        let record = octets.get(at..)?;
        record.get(..self.header_octets)?;
        let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = record.first_chunk::<COMMON_OCTETS>()?;
        let first = self.order.u32([i, j, k, l]);
        let second = self.order.u32([m, n, o, p]);
        let (captured, original) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::OriginalFirst => (second, first),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
        };
        Some(RecordHeader {
            seconds: self.order.u32([a, b, c, d]),
            fraction: self.order.u32([e, f, g, h]),
            captured,
            original,
        })
    }

    /// Nothing in the header is odd.
    #[inline]
    pub(super) fn is_sound(&self, header: &RecordHeader, limits: &ReaderLimits) -> bool {
        header.fraction < self.units_per_second
            && header.captured <= header.original
            && header.original > 0
            && header.captured <= limits.record_octets
            && (self.snap_len == 0 || header.captured <= self.snap_len.saturating_add(SNAP_LEN_EXCESS))
    }

    /// A record larger than the reader holds, but not larger than the file's snap length allows.
    pub(super) fn is_oversized(&self, header: &RecordHeader, limits: &ReaderLimits) -> bool {
        let most = if self.snap_len == 0 { LARGEST_SNAP_LEN } else { self.snap_len.min(LARGEST_SNAP_LEN) };
        header.captured > limits.record_octets
            && header.captured <= most
            && header.captured <= header.original
            && header.fraction < self.units_per_second
    }

    /// Whether a record with an odd header is followed by others of its time, so that at least its length is right: what
    /// some program writes in all its files is no damage. Zeros are, though they follow each other.
    pub(super) fn is_followed(&self, view: &[u8], at: usize, whole: bool, limits: &ReaderLimits) -> bool {
        let Some(first) = self.header(view, at) else { return false };
        let fits = |header: &RecordHeader| {
            let blank = RecordHeader { seconds: 0, fraction: 0, captured: 0, original: 0 };
            header.captured <= limits.record_octets && *header != blank && header.is_near(first.seconds)
        };
        self.walk(view, at, whole, FOLLOWERS, fits).1 != End::Broken
    }

    /// How badly the first records of a file fit this layout. Packets of no octets fit where `lenient`.
    pub(super) fn misfit(&self, view: &[u8], whole: bool, lenient: bool) -> Misfit {
        let limits = ReaderLimits::default();
        let empty = |header: &RecordHeader| header.captured == 0 && header.fraction < self.units_per_second;
        let fits = |header: &RecordHeader| if empty(header) { lenient } else { self.is_sound(header, &limits) };
        match self.walk(view, 0, whole, 3, fits).1 {
            End::Enough | End::Input | End::View => Misfit::None,
            End::Cut => Misfit::Cut,
            End::Broken => Misfit::Broken,
        }
    }

    /// The first place from `from` to before `to` at which a chain of plausible records begins. Only `reach` octets from
    /// a place on count for it; `whole` says that the view ends with the input.
    ///
    /// Each place costs a bounded number of headers, so the search is linear.
    pub(super) fn find(
        &self,
        view: &[u8],
        (from, to): (usize, usize),
        (reach, whole): (usize, bool),
        last_seconds: Option<u32>,
        limits: &ReaderLimits,
    ) -> Option<usize> {
        (from..to.min(view.len())).find(|&at| {
            let end = at.saturating_add(reach);
            let (part, whole) = match view.get(..end) {
                Some(part) => (part, false),
                None => (view, whole),
            };
            self.is_chain(part, at, whole, last_seconds, limits)
        })
    }

    /// Whether a chain of records begins at `at`. How many it takes depends on what else speaks for it: that its time is
    /// near that of the last packet, and that it ends where the input ends.
    fn is_chain(&self, view: &[u8], at: usize, whole: bool, last: Option<u32>, limits: &ReaderLimits) -> bool {
        let Some(first) = self.header(view, at) else { return false };
        let plausible = |header: &RecordHeader| header.captured > 0 && self.is_sound(header, limits);
        if !plausible(&first) {
            return false;
        }
        let near = last.is_some_and(|last| first.is_near(last));
        // Four octets off, the two lengths stand where fraction and captured length belong, and chains go on for ever.
        // Only the time is another then, and the next record is sound four octets before.
        let captured = usize::try_from(first.captured).unwrap_or(usize::MAX);
        let next = at.saturating_add(self.header_octets).saturating_add(captured);
        if !near && self.header(view, next.saturating_sub(4)).is_some_and(|header| plausible(&header)) {
            return false;
        }
        let wanted = if near { 4 } else { 8 };
        let (records, end) =
            self.walk(view, at, whole, wanted, |header| plausible(header) && header.is_near(first.seconds));
        match end {
            End::Enough => true,
            End::Input => records >= if near { 1 } else { 3 },
            End::View => records >= if near { 2 } else { 4 },
            End::Cut => records >= if near { 3 } else { 6 },
            End::Broken => false,
        }
    }

    /// Goes from record to record and counts the headers that are like records.
    fn walk(
        &self,
        view: &[u8],
        mut at: usize,
        whole: bool,
        most: usize,
        is_record: impl Fn(&RecordHeader) -> bool,
    ) -> (usize, End) {
        let outside = if whole { End::Cut } else { End::View };
        for records in 0..most {
            if at == view.len() && whole {
                return (records, End::Input);
            }
            let Some(header) = self.header(view, at) else { return (records, outside) };
            if !is_record(&header) {
                return (records, End::Broken);
            }
            let captured = usize::try_from(header.captured).unwrap_or(usize::MAX);
            at = at.saturating_add(self.header_octets).saturating_add(captured);
            if at > view.len() {
                return (records + 1, outside);
            }
        }
        (most, End::Enough)
    }
}

impl RecordHeader {
    /// Two packets of one recording, between which damage may lie.
    pub(super) fn is_near(&self, seconds: u32) -> bool {
        self.seconds.abs_diff(seconds) <= NEAR_SECONDS
    }
}

/// Records that have to follow each other for an odd one to be believed.
const FOLLOWERS: usize = 4;
/// What all layouts have in common.
pub(super) const COMMON_OCTETS: usize = 16;
/// The largest snap length that libpcap takes for any link type (D-Bus, USB).
const LARGEST_SNAP_LEN: u32 = 128 << 20;
/// Modified libpcaps put an Ethernet header in front of packets that were already cut to the snap length.
const SNAP_LEN_EXCESS: u32 = 14;
/// Two packets of one recording are taken to be at most a week apart.
const NEAR_SECONDS: u32 = 7 * 24 * 60 * 60;
