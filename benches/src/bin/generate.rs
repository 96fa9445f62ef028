//! `generate PROFILE OCTETS FILE` writes a capture and prints the truth about it as JSON.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::fs::File;

use anyhow::{Context, anyhow, bail};
use benches::generator::{Profile, generate};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profile, octets, path] = arguments.as_slice() else {
        bail!("usage: generate {} OCTETS FILE", Profile::ALL.map(Profile::name).join("|"));
    };
    let profile: Profile = profile.parse().map_err(|e: String| anyhow!(e))?;
    let octets = octets.parse().with_context(|| format!("{octets}: is no number of octets"))?;
    let file = File::create(path).with_context(|| format!("{path}: cannot be created"))?;
    let truth = generate(profile, octets, file).with_context(|| format!("{path}: cannot be written"))?;
    println!("{}", serde_json::to_string_pretty(&truth)?);
    Ok(())
}
