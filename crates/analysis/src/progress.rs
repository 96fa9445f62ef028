//! How far a run has come, and whether it is to end before its inputs do. The run counts and asks, another thread looks and
//! tells; nothing here writes or listens anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a run and those who watch it share. Clones share it, too.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    octets: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    broken_off: Arc<AtomicBool>,
}

impl Progress {
    /// Octets of the inputs read so far, as they lie on the disk: of a compressed file those of the file.
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Set it, and reading ends; what was read until then is followed to its end. Other than a function, a flag may be set in
    /// a signal handler.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, octets: usize) {
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
    }

    /// Takes note that an input ends with an error because reading was to end.
    pub(crate) fn break_off(&self) {
        self.broken_off.store(true, Ordering::Relaxed);
    }

    /// Asked behind the error, which came through a channel where another thread met it.
    pub(crate) fn is_broken_off(&self) -> bool {
        self.broken_off.load(Ordering::Relaxed)
    }
}
