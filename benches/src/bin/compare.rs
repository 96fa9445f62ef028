//! `compare FILE PROGRAM [RUNS]` runs the floor, `PROGRAM summary FILE` and `PROGRAM features FILE` in turn, RUNS times
//! each (5 unless given), and prints the median of their wall times, that as a multiple of the floor's, and the most
//! memory they had.
//!
//! All three are processes of their own. Memory is what `/usr/bin/time` says, where that is installed; else the VmHWM of
//! `/proc`, looked at every two milliseconds.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, program, runs) = match arguments.as_slice() {
        [file, program] => (file, program, 5),
        [file, program, runs] => {
            (file, program, runs.parse().with_context(|| format!("{runs}: is no number of runs"))?)
        }
        _ => bail!("usage: compare FILE PROGRAM [RUNS]"),
    };
    let floor = std::env::current_exe()?.with_file_name("floor").display().to_string();
    let mut rivals = [
        Rival::new("floor", [&floor, "--once", file]),
        Rival::new("summary", [program, "summary", file]),
        Rival::new("features", [program, "features", file]),
    ];
    // Once unmeasured, so that none has to wait for the disk.
    for _ in 0..=runs {
        rivals.iter_mut().try_for_each(Rival::run)?;
    }
    let octets = fs::metadata(file)?.len();
    let mut floor_median = None;
    println!("| | median s | GB/s | times the floor | peak MiB |\n|---|---|---|---|---|");
    for rival in &mut rivals {
        let median = rival.median()?;
        let times = median / *floor_median.get_or_insert(median);
        #[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
        let rate = octets as f64 / median / 1e9;
        let mib = rival.peak_kib.div_ceil(1024);
        println!("| {} | {median:.3} | {rate:.2} | {times:.2} | {mib} |", rival.name);
    }
    Ok(())
}

/// One of the programs to be compared.
struct Rival {
    name: &'static str,
    arguments: Vec<String>,
    seconds: Vec<f64>,
    peak_kib: u64,
}

impl Rival {
    fn new(name: &'static str, arguments: [&str; 3]) -> Self {
        Self { name, arguments: arguments.map(str::to_owned).to_vec(), seconds: Vec::new(), peak_kib: 0 }
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let has_time = Path::new(GNU_TIME).exists();
        let mut words: Vec<&str> = if has_time { vec![GNU_TIME, "-f", "peak %M"] } else { Vec::new() };
        words.extend(self.arguments.iter().map(String::as_str));
        let Some((program, arguments)) = words.split_first() else { bail!("nothing to run") };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{program}: cannot be started"))?;
        let polled = if has_time { 0 } else { watch(&mut child)? };
        let output = child.wait_with_output()?;
        self.seconds.push(begin.elapsed().as_secs_f64());
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("{}: ended with {}: {said}", self.arguments.join(" "), output.status);
        }
        let told = said.lines().rev().find_map(|line| line.strip_prefix("peak ")?.trim().parse().ok());
        self.peak_kib = self.peak_kib.max(told.unwrap_or(polled));
        Ok(())
    }

    /// Of all runs but the first.
    fn median(&mut self) -> anyhow::Result<f64> {
        let measured = self.seconds.get_mut(1..).unwrap_or_default();
        measured.sort_by(f64::total_cmp);
        measured.get(measured.len() / 2).copied().context("no run was measured")
    }
}

/// Waits for the end of a process; its peak of resident memory in KiB.
fn watch(child: &mut Child) -> anyhow::Result<u64> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    Ok(peak)
}

const GNU_TIME: &str = "/usr/bin/time";
