//! Ctrl-C, or a request to terminate: the first one ends reading, the second one the program.

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Capture;

/// From here on the first signal tells the run to stop.
pub(super) fn listen(progress: &Progress) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // A shell's status of a program that a signal has ended.
        let status = 128 + signal;
        // The order matters: what is registered first is asked first, so that the first signal does not end the program.
        flag::register_conditional_shutdown(signal, status, Arc::clone(progress.stop()))
            .and_then(|_| flag::register(signal, Arc::clone(progress.stop())))
            .context("cannot listen for Ctrl-C")?;
    }
    Ok(())
}

/// Nothing is left to be stopped: from here on the first signal ends the program.
pub(super) fn end_at_once(progress: &Progress) {
    progress.stop().store(true, Ordering::Relaxed);
}

/// Where reading ended.
pub(super) fn message(capture: &Capture, plan: &Plan) -> String {
    // Behind the files that were read stand those that could not be.
    let read = capture.files.len().saturating_sub(plan.unreadable.len());
    let left = plan.inputs.len().saturating_sub(read);
    let place = match read.checked_sub(1).and_then(|last| capture.files.get(last)) {
        Some(file) => format!("{}: interrupted at octet {}", file.path, file.octets),
        None => "interrupted before anything was read".to_owned(),
    };
    let further = if left > 0 { format!(", and {left} further captures were not read") } else { String::new() };
    format!("{place}{further}; what was read until then is in the result")
}
