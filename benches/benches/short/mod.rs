//! How all benches measure: short enough to be run whole in a few minutes.

use std::time::Duration;

use criterion::Criterion;

/// Ten samples in about a second.
pub(crate) fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}
