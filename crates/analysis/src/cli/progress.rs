//! Octets, rate and time left on standard error, where that is a terminal.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Plan;

/// Shows how far a run is until it is dropped, which leaves nothing on the terminal.
pub(super) struct Shown(Option<(Sender<()>, JoinHandle<()>)>);

/// Starts to show the progress of a plan's run, by a thread of its own: the run only counts.
pub(super) fn show(plan: &Plan, quiet: bool) -> Shown {
    if quiet || !io::stderr().is_terminal() {
        return Shown(None);
    }
    let (progress, octets) = (plan.progress.clone(), plan.octets());
    let (end, ended) = channel();
    let draw = move || {
        let bar = ProgressBar::with_draw_target(octets, ProgressDrawTarget::stderr());
        let template = if octets.is_some() { WITH_END } else { WITHOUT_END };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        while ended.recv_timeout(SHOWN_EVERY) == Err(RecvTimeoutError::Timeout) {
            bar.set_position(progress.octets());
        }
        bar.finish_and_clear();
    };
    // A run without a thread to be had for this goes on without it.
    Shown(thread::Builder::new().name("progress".into()).spawn(draw).ok().map(|thread| (end, thread)))
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            // What is written behind this must not mix with it.
            let _ = thread.join();
        }
    }
}

/// A run that is over before shows nothing.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
const WITH_END: &str = "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
const WITHOUT_END: &str = "{spinner} {decimal_bytes}, {decimal_bytes_per_sec}, {elapsed}";
