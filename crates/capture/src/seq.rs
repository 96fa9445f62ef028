//! Sequence numbers modulo 2^32. Raw `u32` sequence numbers exist nowhere else.

/// A TCP sequence or acknowledgment number (RFC 9293 §3.4).
///
/// > It is essential to remember that the actual sequence number space is finite, though large. This space ranges from
/// > 0 to 2^32 − 1. Since the space is finite, all arithmetic dealing with sequence numbers must be performed modulo
/// > 2^32.
///
/// There is deliberately no `Ord`: two numbers have a distance, and an order only as far as they are less than 2^31
/// apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(u32);

impl SeqNumber {
    /// From the number in the header.
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The number as it stands in a header.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// How far this number is after `origin`, from −2^31 to 2^31 − 1, by the shorter way around.
    pub const fn distance_from(self, origin: Self) -> i32 {
        self.0.wrapping_sub(origin.0).cast_signed()
    }

    /// The number `octets` further on.
    pub const fn plus(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_goes_the_shorter_way_around() {
        let near_the_end = SeqNumber::new(u32::MAX - 1);
        assert_eq!(near_the_end.plus(3), SeqNumber::new(1));
        assert_eq!(near_the_end.plus(3).distance_from(near_the_end), 3);
        assert_eq!(near_the_end.distance_from(near_the_end.plus(3)), -3);
        assert_eq!(SeqNumber::new(0x8000_0000).distance_from(SeqNumber::new(0)), i32::MIN);
    }
}
