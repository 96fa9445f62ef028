//! `floor FILE [RUNS]` reads a pcap file RUNS times (5 unless given) with each way of slicing and prints seconds and
//! octets a second, the median and each run. `floor --once FILE` reads it once, strictly, and prints nothing.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::fs::File;
use std::time::Instant;

use anyhow::{Context, bail};
use benches::floor::{FloorCounts, Slicing, floor};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, runs) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--once", path] => {
            std::hint::black_box(read(path, Slicing::Strict)?);
            return Ok(());
        }
        [path] => (path.to_owned(), 5),
        [path, runs] => (path.to_owned(), runs.parse().with_context(|| format!("{runs}: is no number of runs"))?),
        _ => bail!("usage: floor FILE [RUNS] | floor --once FILE"),
    };
    let mut seconds = [Vec::new(), Vec::new()];
    let mut octets = 0;
    for _ in 0..runs {
        for (seconds, slicing) in seconds.iter_mut().zip(SLICINGS) {
            let begin = Instant::now();
            octets = read(path, slicing)?.octets;
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    for (mut seconds, slicing) in seconds.into_iter().zip(SLICINGS) {
        seconds.sort_by(f64::total_cmp);
        let Some(median) = seconds.get(seconds.len() / 2) else { break };
        #[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
        let rate = octets as f64 / median / 1e9;
        let all: Vec<String> = seconds.iter().map(|run| format!("{run:.3}")).collect();
        println!("{slicing:?}: median {median:.3} s, {rate:.2} GB/s of {octets} octets; runs: {}", all.join(" "));
    }
    Ok(())
}

fn read(path: &str, slicing: Slicing) -> anyhow::Result<FloorCounts> {
    let file = File::open(path).with_context(|| format!("{path}: cannot be opened"))?;
    floor(file, slicing).with_context(|| format!("{path}: cannot be read"))
}

const SLICINGS: [Slicing; 2] = [Slicing::Strict, Slicing::Lax];
