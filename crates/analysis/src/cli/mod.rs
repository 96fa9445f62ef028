//! The command line: flags as typed (`arguments`), then as meant, then done.

mod arguments;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::message::MessageOptions;
use crate::plan::Plan;
use crate::report::{CaptureFile, Report};
use crate::session::Options;
use crate::{context, features, insights, run, summary};
use arguments::{Arguments, Command};

/// Runs the program. 0: every input was read to its end; 1: a result was printed but some input was damaged, cut short
/// or unreadable; 2: wrong use, or nothing could be read. A closed pipe is success.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(&arguments) {
        Ok(code) => code,
        Err(e) if is_closed_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&format!("{e:#}"));
            ExitCode::from(2)
        }
    }
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let common = arguments.command.common();
    if let Some(jobs) = common.jobs {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get()).build_global();
        pool.context("cannot start the threads that --jobs asks for")?;
    }
    let plan = Plan::new(&common.files);
    if plan.inputs.is_empty() {
        plan.unreadable.iter().for_each(|input| complain(&input.message));
        return Ok(ExitCode::from(2));
    }
    let report = run::analyse(&plan, options(&arguments.command));
    let files = &report.capture.files;
    let damaged: Vec<String> = files.iter().flat_map(CaptureFile::damages).collect();
    let warnings = files.iter().filter_map(|file| file.condition.warning(&file.path));
    damaged.iter().cloned().chain(warnings).for_each(|message| complain(&message));
    let nothing_read = files.iter().all(|file| file.error.is_some() && file.packets == 0);
    if nothing_read {
        return Ok(ExitCode::from(2));
    }
    print(&arguments.command, &report)?;
    let code = if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    // The process ends here: giving millions of small pieces of memory back one by one would only take time.
    std::mem::forget(report);
    Ok(code)
}

fn options(command: &Command) -> Options {
    let mut options = Options { reveal_secrets: command.common().reveal_secrets, ..Options::default() };
    if let Command::Features { no_headers, body, .. } = command {
        options.message = MessageOptions { headers: !no_headers, body: *body, ..MessageOptions::default() };
    } else {
        // Summary, context and insights say nothing about the message's content.
        options.message = MessageOptions { fields: false, headers: false, ..MessageOptions::default() };
    }
    options
}

fn print(command: &Command, report: &Report) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match command {
        Command::Summary { .. } => summary::write(report, &mut out)?,
        Command::Features { .. } => features::write(report, &mut out)?,
        Command::Context { detail_level, max_conversations, .. } => {
            context::write(report, *detail_level, *max_conversations, &mut out)?;
        }
        Command::Insights { no_queries, no_response_codes, internal_domains, detect_tunneling, .. } => {
            let options = insights::Options {
                queries: !no_queries,
                response_codes: !no_response_codes,
                internal_domains: internal_domains.clone(),
                tunneling: *detect_tunneling,
            };
            insights::write(report, &options, &mut out)?;
        }
    }
    out.flush()?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the one place where diagnostics are written")]
fn complain(message: &str) {
    eprintln!("smtpscope: {message}");
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Options {
        options(&Arguments::try_parse_from([&["smtpscope"], line].concat()).expect("right use").command)
    }

    /// The contract's exit status: "A closed pipe is success", whoever wrote into it.
    #[test]
    fn a_closed_pipe_is_known_whoever_wrote_into_it() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&anyhow::Error::new(closed()).context("cannot write")));
        assert!(is_closed_pipe(&anyhow::Error::new(serde_json::Error::io(closed()))));
        assert!(!is_closed_pipe(&anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull))));
    }

    #[test]
    fn headers_and_bodies_are_kept_as_asked_for() {
        let kept = |line: &[&str]| (parsed(line).message.headers, parsed(line).message.body);
        assert_eq!(kept(&["features", "a.pcap"]), (true, false));
        assert_eq!(kept(&["features", "--no-headers", "--body", "a.pcap"]), (false, true));
        assert_eq!(kept(&["summary", "a.pcap"]), (false, false));
    }

    /// The contract: secrets "appear nowhere unless `--reveal-secrets` is given".
    #[test]
    fn secrets_are_kept_only_on_request() {
        for command in ["summary", "features", "context", "insights"] {
            assert!(!parsed(&[command, "a.pcap"]).reveal_secrets);
            assert!(parsed(&[command, "--reveal-secrets", "a.pcap"]).reveal_secrets);
        }
    }
}
