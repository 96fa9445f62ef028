//! Events within some time of each other.

use crate::output::time::Time;

/// Whether no more than this lies between the two.
pub(super) fn within(first: Time, last: Time, seconds: u64) -> bool {
    let nanos = last.0.as_nanos().saturating_sub(first.0.as_nanos());
    u64::try_from(nanos).unwrap_or(0) <= seconds.saturating_mul(1_000_000_000)
}

/// For each event the window that ends with it: the events, in order of time, that are no longer ago than this.
pub(super) fn windows<T>(events: &[T], time: impl Fn(&T) -> Time, seconds: u64) -> impl Iterator<Item = &[T]> {
    let mut first = 0;
    events.iter().enumerate().filter_map(move |(last, event)| {
        while events.get(first).is_some_and(|early| !within(time(early), time(event), seconds)) {
            first += 1;
        }
        events.get(first..=last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    #[test]
    fn a_window_holds_what_is_no_longer_ago() {
        let times = [0, 5, 10, 11, 30].map(at);
        let sizes: Vec<usize> = windows(&times, |&time| time, 10).map(<[_]>::len).collect();
        assert_eq!(sizes, [1, 2, 3, 3, 1]);
        assert!(within(at(7), at(7), 0) && !within(at(7), at(8), 0));
    }
}
