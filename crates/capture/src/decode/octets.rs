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
    /// A tunnel carries them. Devices that mirror packets cut them before they wrap them, and then the outer header knows
    /// nothing of the cut: a header inside may rightly claim more than there was on this wire.
    pub(super) in_a_tunnel: bool,
}

impl<'a> Octets<'a> {
    /// All of a packet.
    #[inline]
    pub(super) fn of(packet: &Packet<'a>) -> Self {
        let on_the_wire = usize::try_from(packet.original_len).unwrap_or(usize::MAX);
        let missing = on_the_wire.saturating_sub(packet.data.len());
        Self { captured: packet.data, at: Some(0), missing, in_a_tunnel: false }
    }

    /// A datagram put together from fragments, of which `missing` octets at the end were not captured.
    pub(super) fn assembled(captured: &'a [u8], missing: usize) -> Self {
        Self { captured, at: None, missing, in_a_tunnel: false }
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
                Self { captured: &[], at, missing: self.missing.saturating_sub(cut), ..self }
            }
        }
    }

    /// The same, as what a tunnel carries.
    pub(super) fn in_a_tunnel(self) -> Self {
        Self { in_a_tunnel: true, ..self }
    }

    /// The first `len` octets, because a header of the link layer says that there are so many: what follows is padding or
    /// a trailer, and what the capture does not hold of them is missing. A frame ends where it ends, whatever it says.
    #[inline]
    pub(super) fn first(self, len: usize) -> Self {
        let there = if self.in_a_tunnel { len } else { len.min(self.on_the_wire()) };
        match self.captured.get(..len) {
            Some(captured) => Self { captured, missing: 0, ..self },
            None => Self { missing: there.saturating_sub(self.captured.len()), ..self },
        }
    }

    /// The first `len` octets, because an IP header says that the datagram has so many. A host drops a datagram that is
    /// not all there, so one that claims more than was on the wire is no cut packet, but none at all.
    #[inline]
    pub(super) fn datagram(self, len: usize) -> Result<Self, DecodeError> {
        if len > self.on_the_wire() && !self.in_a_tunnel {
            return Err(DecodeError::IpBeyondPacket);
        }
        Ok(self.first(len))
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

    const EIGHT: Octets<'static> =
        Octets { captured: &[0, 1, 2, 3, 4, 5, 6, 7], at: Some(10), missing: 4, in_a_tunnel: false };

    #[test]
    fn a_header_is_taken_off_in_front_even_where_it_was_cut() {
        assert_eq!(EIGHT.behind(2), Octets { captured: &[2, 3, 4, 5, 6, 7], at: Some(12), ..EIGHT });
        assert_eq!(EIGHT.behind(10), Octets { captured: &[], at: Some(18), missing: 2, ..EIGHT });
        assert_eq!(EIGHT.behind(99).on_the_wire(), 0);
    }

    #[test]
    fn a_length_cuts_the_trailer_off_or_says_what_is_missing() {
        assert_eq!(EIGHT.first(3), Octets { captured: &[0, 1, 2], missing: 0, ..EIGHT });
        assert_eq!(EIGHT.first(9), Octets { missing: 1, ..EIGHT });
        assert_eq!(EIGHT.first(99), EIGHT, "the frame has no more");
        assert_eq!(EIGHT.in_a_tunnel().first(99).on_the_wire(), 99);
    }

    #[test]
    fn a_datagram_has_no_more_than_was_on_the_wire_but_in_a_tunnel() {
        assert_eq!(EIGHT.datagram(12), Ok(EIGHT));
        assert_eq!(EIGHT.datagram(13), Err(DecodeError::IpBeyondPacket));
        assert_eq!(EIGHT.in_a_tunnel().datagram(13).map(|octets| octets.missing), Ok(5));
    }
}
