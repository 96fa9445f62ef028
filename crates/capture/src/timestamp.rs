//! Packet time: the one clock of the whole program.

use std::time::Duration;

/// When a packet was captured: nanoseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Every operation is checked or saturating: a corrupt record can carry any number. Nothing in this project reads the
/// computer's clock, so that the same recording gives the same report at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time this many nanoseconds after the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Whole seconds and the nanoseconds within the second; `None` where the sum is outside ±292 years.
    pub fn from_parts(seconds: i64, nanos: u32) -> Option<Self> {
        seconds.checked_mul(NANOS_PER_SECOND).and_then(|whole| whole.checked_add(i64::from(nanos))).map(Self)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The time so much later, or the last there is.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it (captures are not always in order).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_and_overflow_is_none() {
        assert_eq!(Timestamp::from_parts(1, 5).map(Timestamp::as_nanos), Some(1_000_000_005));
        assert_eq!(Timestamp::from_parts(-1, 0).map(Timestamp::as_nanos), Some(-1_000_000_000));
        assert_eq!(Timestamp::from_parts(i64::MAX, 0), None);
    }

    #[test]
    fn time_that_goes_backwards_has_no_length() {
        let (early, late) = (Timestamp::from_nanos(10), Timestamp::from_nanos(35));
        assert_eq!(late.since(early), Duration::from_nanos(25));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Timestamp::from_nanos(i64::MAX).since(Timestamp::from_nanos(i64::MIN)).as_nanos(), i64::MAX as u128);
    }
}
