//! Packet times that are too far from those before: one alone is corrupt, two are believed.

use std::time::Duration;

use capture::Timestamp;

/// Whether packets that follow each other cannot have these times, unless there was a long silence.
pub(crate) fn is_apart(one: Timestamp, other: Timestamp, idle_time: Duration) -> bool {
    one.since(other).max(other.since(one)) > idle_time
}

/// Whether a packet confirms the time of the one before, `leap`, which is far from `known`: it goes on from there.
pub(crate) fn is_confirmed(known: Timestamp, leap: Option<Timestamp>, time: Timestamp, idle_time: Duration) -> bool {
    leap.is_some_and(|leap| if leap > known { time >= leap } else { time < known && !is_apart(leap, time, idle_time) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_packet_near_the_first_confirms_a_time() {
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        let idle_time = Duration::from_secs(600);
        assert_eq!([0, 600, 601].map(|second| is_apart(at(0), at(second), idle_time)), [false, false, true]);
        assert!(is_apart(at(601), at(0), idle_time));
        let confirmed = |leap: Option<i64>, time| is_confirmed(at(10_000), leap.map(at), at(time), idle_time);
        assert!(!confirmed(None, 20_000));
        assert!(confirmed(Some(20_000), 20_000) && confirmed(Some(20_000), 40_000));
        assert!(!confirmed(Some(20_000), 10_001) && !confirmed(Some(20_000), 19_999));
        assert!(confirmed(Some(5), 6) && confirmed(Some(5), 4));
        assert!(!confirmed(Some(5), 20_000) && !confirmed(Some(5), 700));
    }
}
