//! The command line: flags as typed (`arguments`), then as meant, then done.

mod arguments;
mod interruption;
mod progress;

use std::io::{self, BufWriter, StdoutLock, Write};
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::insights::finding::Severity;
use crate::insights::site::Site;
use crate::insights::{Assessment, FindingOptions};
use crate::message::MessageOptions;
use crate::plan::Plan;
use crate::report::{Capture, CaptureFile, Report};
use crate::session::{DigestKey, Options};
use crate::{context, extract, features, insights, log, run, summary};
use arguments::{Arguments, Command, Content};

/// Runs the program. 0: every input was read to its end; 1: a result was printed but some input was damaged, cut short
/// or unreadable, or reading was interrupted; 2: wrong use, or nothing could be read; 3: a finding was as bad as `--fail-on`
/// says, however the input was. A closed pipe is success.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match with_threads(&arguments) {
        Ok(code) => code,
        Err(e) if is_closed_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&format!("{e:#}"));
            ExitCode::from(2)
        }
    }
}

/// Does everything in a pool with as many threads as were asked for, or as there are cores.
fn with_threads(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = arguments.command.common().jobs.map_or_else(cores, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    pool.context("cannot start the threads that --jobs asks for")?.install(|| execute(arguments))
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let common = arguments.command.common();
    let plan = Plan::new(&common.files);
    if plan.inputs.is_empty() {
        plan.unreadable.iter().for_each(|input| complain(&input.message));
        return Ok(ExitCode::from(2));
    }
    interruption::listen(&plan.progress)?;
    let shown = progress::show(&plan, common.quiet);
    let product = Product::of(&arguments.command, &plan);
    drop(shown);
    interruption::end_at_once(&plan.progress);
    let product = product?;
    let (files, interrupted) = (&product.capture().files, product.capture().interrupted);
    let damaged: Vec<String> = files.iter().flat_map(CaptureFile::damages).collect();
    let warnings = files.iter().flat_map(|file| file.condition.warnings(&file.path));
    damaged.iter().cloned().chain(warnings).for_each(|message| complain(&message));
    if interrupted {
        complain(&interruption::message(product.capture(), &plan));
    }
    let nothing_read = !interrupted && files.iter().all(|file| file.error.is_some() && file.packets == 0);
    if nothing_read {
        return Ok(ExitCode::from(2));
    }
    let fails = arguments.command.findings().and_then(|wanted| wanted.fail_on);
    let is_failed = fails.is_some_and(|least| product.worst() >= Some(least));
    product.print()?;
    if is_failed {
        return Ok(ExitCode::from(3));
    }
    Ok(if damaged.is_empty() && !interrupted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What was read, in the shape that the command needs: no more is kept of the sessions than that.
enum Product {
    Overview(Box<summary::Overview>, Capture),
    Lines(features::Lines, Capture),
    Context(Report, Assessment, context::Options),
    Insights(Report, Assessment, insights::Options),
    Extract(Box<extract::Extraction>, Capture),
    /// All lines but the last have been printed.
    Log(log::Log<BufWriter<StdoutLock<'static>>>, Capture),
}

impl Product {
    fn of(command: &Command, plan: &Plan) -> anyhow::Result<Self> {
        let options = options(command)?;
        let wanted_findings = wants_findings(command);
        let site = command.findings().map(site).unwrap_or_default();
        let findings = wanted_findings.then(|| FindingOptions { site: site.clone(), ..FindingOptions::default() });
        let findings = findings.as_ref();
        Ok(match command {
            Command::Summary { .. } => {
                let (overview, capture) = summary::read(plan, options, findings);
                Self::Overview(Box::new(overview), capture)
            }
            Command::Features { .. } => {
                let (lines, capture) = features::read(plan, options)?;
                Self::Lines(lines, capture)
            }
            Command::Log { .. } => {
                let (log, capture) = log::read(plan, options, findings, output())?;
                Self::Log(log, capture)
            }
            Command::Context { detail_level, max_conversations, max_bytes, .. } => {
                let (report, assessment) = assessed(plan, options, findings);
                let options = context::Options {
                    detail_level: *detail_level,
                    max_conversations: *max_conversations,
                    max_bytes: *max_bytes,
                };
                Self::Context(report, assessment, options)
            }
            Command::Insights { no_queries, no_response_codes, detect_tunneling, .. } => {
                let wanted = insights::Options {
                    queries: !no_queries,
                    response_codes: !no_response_codes,
                    internal_domains: site.domains,
                    tunneling: *detect_tunneling,
                };
                let (report, assessment) = assessed(plan, options, findings);
                Self::Insights(report, assessment, wanted)
            }
            Command::Extract { output, from, to, subject, regex, sessions, attachments, .. } => {
                let patterns = extract::Patterns {
                    from: from.clone(),
                    to: to.clone(),
                    subject: subject.clone(),
                    are_regular_expressions: *regex,
                };
                let selection = extract::Selection::new(&patterns, sessions.clone());
                let selection = selection.context("a pattern given with --regex cannot be used")?;
                let wanted = extract::Wanted { directory: output.clone(), selection, attachments: *attachments };
                let (extraction, capture) = extract::read(plan, options, wanted)?;
                Self::Extract(Box::new(extraction), capture)
            }
        })
    }

    fn capture(&self) -> &Capture {
        match self {
            Self::Overview(_, capture)
            | Self::Lines(_, capture)
            | Self::Extract(_, capture)
            | Self::Log(_, capture) => capture,
            Self::Context(report, ..) | Self::Insights(report, ..) => &report.capture,
        }
    }

    /// The worst of what was found.
    fn worst(&self) -> Option<Severity> {
        insights::worst(match self {
            Self::Overview(overview, _) => overview.findings(),
            Self::Log(log, _) => log.findings(),
            Self::Context(_, assessment, ..) | Self::Insights(_, assessment, _) => &assessment.findings,
            Self::Lines(..) | Self::Extract(..) => &[],
        })
    }

    /// The process ends behind this: giving millions of small pieces of memory back one by one would only take time.
    fn print(self) -> anyhow::Result<()> {
        let mut out = output();
        match self {
            Self::Overview(overview, capture) => overview.write(&capture, &mut out)?,
            Self::Lines(lines, capture) => ManuallyDrop::new(lines).write(&capture, &mut out)?,
            Self::Context(report, found, options) => {
                context::write(&ManuallyDrop::new(report), &ManuallyDrop::new(found), &options, &mut out)?;
            }
            Self::Insights(report, found, wanted) => {
                insights::write(&ManuallyDrop::new(report), &ManuallyDrop::new(found), &wanted, &mut out)?;
            }
            Self::Extract(extraction, capture) => extraction.finish()?.write(&capture, &mut out)?,
            Self::Log(log, capture) => log.finish(&capture)?,
        }
        out.flush()?;
        Ok(())
    }
}

/// Reads all inputs, keeps every session and looks at them.
fn assessed(plan: &Plan, options: Options, findings: Option<&FindingOptions>) -> (Report, Assessment) {
    let mut report = run::analyse(plan, options);
    let assessment = findings.map_or_else(Assessment::none, |findings| Assessment::of(&report, findings));
    report.capture.count_limits(assessment.limits_reached.iter().copied());
    (report, assessment)
}

/// What is ours, as it was typed.
fn site(wanted: &arguments::Findings) -> Site {
    Site { networks: wanted.internal_networks.clone(), domains: wanted.internal_domains.clone() }
}

fn output() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(OUTPUT_OCTETS, io::stdout().lock())
}

/// Octets that are written to standard output at a time.
const OUTPUT_OCTETS: usize = 256 << 10;

fn wants_findings(command: &Command) -> bool {
    command.findings().is_some_and(|wanted| !wanted.no_findings)
}

fn options(command: &Command) -> anyhow::Result<Options> {
    let common = command.common();
    let key = common.secret_digests.then(DigestKey::draw).transpose();
    let mut options = Options {
        reveal_secrets: common.reveal_secrets,
        secret_digests: key.context("the system has no random octets for --secret-digests")?,
        watch_endings: wants_findings(command),
        ..Options::default()
    };
    if let Command::Features { content, .. } | Command::Log { content, .. } = command {
        let Content { no_headers, body, hashes } = *content;
        options.message = MessageOptions { headers: !no_headers, body, hashes, ..MessageOptions::default() };
    } else if let Command::Extract { .. } = command {
        // Of a message that is in the spool no more is kept than is needed.
        options.message = MessageOptions { kept_limit: 0, ..MessageOptions::default() };
    } else {
        // Summary, context and insights say nothing about the message's content.
        options.message = MessageOptions { fields: false, headers: false, parts: false, ..MessageOptions::default() };
    }
    Ok(options)
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
            .expect("options")
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
        for flags in [&[][..], &["--no-headers"], &["--body", "--hashes"]] {
            let message = |command| parsed(&[&[command, "a.pcap"], flags].concat()).message;
            assert_eq!(message("log"), message("features"), "{flags:?}");
        }
        assert_eq!(kept(&["summary", "a.pcap"]), (false, false));
    }

    /// The contract: secrets "appear nowhere unless `--reveal-secrets` is given".
    #[test]
    fn secrets_are_kept_only_on_request() {
        for command in ["summary", "features", "context", "insights", "log"] {
            assert!(!parsed(&[command, "a.pcap"]).reveal_secrets);
            assert!(parsed(&[command, "--reveal-secrets", "a.pcap"]).reveal_secrets);
            assert_eq!(parsed(&[command, "a.pcap"]).secret_digests, None);
            assert!(parsed(&[command, "--secret-digests", "a.pcap"]).secret_digests.is_some());
        }
    }
}
