//! The octets of one layer, with what is known of their length on the wire.

use super::DecodeError;
use crate::Packet;

/// What a layer has: a slice of the packet, or of a datagram that was put together from fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Octets<'a> {
    /// Those that were captured.
    pub(super) captured: &'a [u8],
    /// Where they begin in the packet's data; `None` where they come from several packets.
    pub(super) at: Option<usize>,
    /// How many the layer had on the wire behind them.
    pub(super) missing: usize,
}

impl<'a> Octets<'a> {
    /// All of a packet.
    #[inline]
    pub(super) fn of(packet: &Packet<'a>) -> Self {
        let on_the_wire = usize::try_from(packet.original_len).unwrap_or(usize::MAX);
        Self { captured: packet.data, at: Some(0), missing: on_the_wire.saturating_sub(packet.data.len()) }
    }

    /// A datagram put together from fragments, of which `missing` octets at the end were not captured.
    pub(super) fn assembled(captured: &'a [u8], missing: usize) -> Self {
        Self { captured, at: None, missing }
    }

    /// How many the layer had on the wire.
    #[inline]
    pub(super) fn on_the_wire(&self) -> usize {
        self.captured.len().saturating_add(self.missing)
    }

    /// What follows the first `header` octets; nothing where the capture cut the packet before.
    #[inline]
    pub(super) fn behind(self, header: usize) -> Self {
        match self.captured.get(header..) {
            Some(captured) => Self { captured, at: self.at.map(|at| at.saturating_add(header)), ..self },
            None => {
                let cut = header.saturating_sub(self.captured.len());
                let at = self.at.map(|at| at.saturating_add(self.captured.len()));
                Self { captured: &[], at, missing: self.missing.saturating_sub(cut) }
            }
        }
    }

    /// The first `len` octets, because a header says that there are so many: what follows is padding or a trailer, and
    /// what the capture does not hold of them is missing. More than the layer below has is not refused: devices that
    /// mirror packets cut them before they wrap them, and then the outer header knows nothing of the cut.
    #[inline]
    pub(super) fn first(self, len: usize) -> Self {
        match self.captured.get(..len) {
            Some(captured) => Self { captured, missing: 0, ..self },
            None => Self { missing: len.saturating_sub(self.captured.len()), ..self },
        }
    }

    /// The header at the front.
    #[inline]
    pub(super) fn header<const N: usize>(&self) -> Result<&'a [u8; N], DecodeError> {
        self.captured.first_chunk().ok_or(DecodeError::TruncatedHeader)
    }

    /// Two octets in network byte order.
    #[inline]
    pub(super) fn u16_at(&self, at: usize) -> Result<u16, DecodeError> {
        let octets = self.captured.get(at..).and_then(<[u8]>::first_chunk);
        octets.copied().map(u16::from_be_bytes).ok_or(DecodeError::TruncatedHeader)
    }

    /// Why a header does not fit: the capture cut it, or its lengths contradict each other.
    #[cold]
    pub(super) fn too_short(&self, otherwise: DecodeError) -> DecodeError {
        if self.missing > 0 { DecodeError::TruncatedHeader } else { otherwise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIGHT: Octets<'static> = Octets { captured: &[0, 1, 2, 3, 4, 5, 6, 7], at: Some(10), missing: 4 };

    #[test]
    fn a_header_is_taken_off_in_front_even_where_it_was_cut() {
        assert_eq!(EIGHT.behind(2), Octets { captured: &[2, 3, 4, 5, 6, 7], at: Some(12), missing: 4 });
        assert_eq!(EIGHT.behind(10), Octets { captured: &[], at: Some(18), missing: 2 });
        assert_eq!(EIGHT.behind(99).on_the_wire(), 0);
    }

    #[test]
    fn a_length_cuts_the_trailer_off_or_says_what_is_missing() {
        assert_eq!(EIGHT.first(3), Octets { captured: &[0, 1, 2], at: Some(10), missing: 0 });
        assert_eq!(EIGHT.first(9), Octets { missing: 1, ..EIGHT });
        assert_eq!(EIGHT.first(99).on_the_wire(), 99);
    }
}
