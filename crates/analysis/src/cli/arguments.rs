//! Flags as they are typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};

use crate::context;
use crate::insights::finding::Severity;
use crate::insights::networks::Network;

/// Reads packet captures and says what happened to every mail.
#[derive(Debug, Parser)]
#[command(name = "smtpscope", version, max_term_width = 100, after_help = STATUS)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const STATUS: &str =
    "Exit status: 0 all input was read to its end; 1 a result was printed, but some input was damaged, \
cut short or unreadable, or reading was interrupted; 2 wrong use, or nothing could be read; 3 there is a finding of at least the \
severity that --fail-on names, whether input was damaged or not.

Ctrl-C ends reading: what \
was read until then is printed. A second one ends the program.";

/// What to print.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One screen for a person
    Summary {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        findings: Findings,
    },
    /// One JSON document with every session and transaction
    Features {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        content: Content,
    },
    /// A line of JSON for each transaction and session as it ends, for recordings of any size
    ///
    /// The findings stand behind the last session. The last line says what was read. A session's figures are those at its end: packets that come later do not count.
    Log {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        findings: Findings,
        #[command(flatten)]
        content: Content,
    },
    /// One JSON document for a language model
    Context {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        findings: Findings,
        /// 1: what became of each mail; 2: and its commands and replies; 3: and the sessions
        #[arg(long, default_value_t = context::Options::default().detail_level, value_parser = value_parser!(u8).range(1..=3), value_name = "LEVEL")]
        detail_level: u8,
        /// At most so many transactions, the most interesting first
        #[arg(long, default_value_t = context::Options::default().max_conversations, value_name = "N")]
        max_conversations: usize,
        /// At most so many octets, 4096 or more: what does not fit is left out and counted
        #[arg(long, default_value_t = context::Options::default().max_bytes, value_parser = value_parser!(u64).range(context::LEAST_BYTES..), value_name = "N")]
        max_bytes: u64,
    },
    /// One JSON document with patterns, replies, domains and security
    Insights {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        findings: Findings,
        /// Leave sender and recipient patterns out
        #[arg(long)]
        no_queries: bool,
        /// Leave the analysis of replies out
        #[arg(long)]
        no_response_codes: bool,
        /// Look for mail used as a tunnel
        #[arg(long)]
        detect_tunneling: bool,
    },
    /// Messages as files, byte for byte, and an index of them
    Extract {
        #[command(flatten)]
        common: Common,
        /// Directory that everything is written to; made if it is not there, refused if it has an index already
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
        /// Write attachments, too, decoded
        #[arg(long)]
        attachments: bool,
        /// Only mails with this text in MAIL FROM or From, whatever the case; may be given several times
        #[arg(long, value_name = "TEXT")]
        from: Vec<String>,
        /// Only mails with this text in RCPT TO, To or Cc; may be given several times
        #[arg(long, value_name = "TEXT")]
        to: Vec<String>,
        /// Only mails with this text in their subject; may be given several times
        #[arg(long, value_name = "TEXT")]
        subject: Vec<String>,
        /// The texts of --from, --to and --subject are regular expressions
        #[arg(long)]
        regex: bool,
        /// Only mails of the session with this key, as features prints it; may be given several times
        #[arg(long = "session", value_name = "KEY")]
        sessions: Vec<String>,
    },
}

/// What is shown of messages.
#[derive(Debug, Args)]
pub(super) struct Content {
    /// Leave message headers out
    #[arg(long)]
    pub(super) no_headers: bool,
    /// Include decoded text bodies
    #[arg(long)]
    pub(super) body: bool,
    /// Include SHA-256 of messages and MD5 of attachments
    #[arg(long)]
    pub(super) hashes: bool,
}

/// What is looked for.
#[derive(Debug, Args)]
pub(super) struct Findings {
    /// Look for no findings
    #[arg(long, conflicts_with = "fail_on")]
    pub(super) no_findings: bool,
    /// End with exit status 3 where there is a finding of at least this severity
    #[arg(long, value_name = "SEVERITY")]
    pub(super) fail_on: Option<Severity>,
    /// A domain that is ours, with all below it; may be given several times
    #[arg(long = "internal-domain", value_name = "DOMAIN")]
    pub(super) internal_domains: Vec<String>,
    /// A network that is ours, such as 192.0.2.0/24; may be given several times [default: addresses used within sites only]
    #[arg(long = "internal-network", value_name = "CIDR")]
    pub(super) internal_networks: Vec<Network>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Captures (pcap or pcapng), directories of captures, or - for standard input; together they are one recording
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Number of threads, up to 1024 [default: all cores]; never changes the output
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Show no progress; without it, progress is shown where standard error is a terminal
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print passwords and SASL responses instead of redacting them
    #[arg(long)]
    pub(super) reveal_secrets: bool,
    /// Show where a password or token is used again, by digests under a key that is new in each run
    #[arg(long)]
    pub(super) secret_digests: bool,
}

impl Command {
    /// What is looked for, by the commands that have findings.
    pub(super) fn findings(&self) -> Option<&Findings> {
        match self {
            Self::Summary { findings, .. }
            | Self::Log { findings, .. }
            | Self::Context { findings, .. }
            | Self::Insights { findings, .. } => Some(findings),
            Self::Features { .. } | Self::Extract { .. } => None,
        }
    }

    pub(super) fn common(&self) -> &Common {
        match self {
            Self::Summary { common, .. }
            | Self::Features { common, .. }
            | Self::Log { common, .. }
            | Self::Context { common, .. }
            | Self::Insights { common, .. }
            | Self::Extract { common, .. } => common,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let words = std::iter::once("smtpscope").chain(line.split(' '));
        Arguments::try_parse_from(words).map(|arguments| arguments.command).map_err(|e| e.kind())
    }

    #[test]
    fn context_shows_ten_transactions_unless_told() {
        assert!(matches!(parse("context a"), Ok(Command::Context { max_conversations: 10, .. })));
        assert!(matches!(parse("context a --max-conversations 3"), Ok(Command::Context { max_conversations: 3, .. })));
    }

    #[test]
    fn detail_levels_are_one_to_three() {
        for level in ["1", "2", "3"] {
            let parsed = parse(&format!("context --detail-level {level} a"));
            assert!(matches!(parsed, Ok(Command::Context { detail_level, .. }) if detail_level.to_string() == level));
        }
        for level in ["0", "4", "x"] {
            assert_eq!(parse(&format!("context --detail-level {level} a")).err(), Some(ErrorKind::ValueValidation));
        }
    }

    /// Secrets are printed on request only, by any command.
    #[test]
    fn secrets_are_revealed_only_on_request() {
        for name in ["summary", "features", "context", "insights", "log"] {
            assert!(!parse(&format!("{name} a")).expect("a command").common().reveal_secrets);
            assert!(parse(&format!("{name} a --reveal-secrets")).expect("a command").common().reveal_secrets);
        }
    }

    #[test]
    fn internal_domains_may_be_repeated() {
        for name in ["summary", "insights", "context", "log"] {
            let line = "a --internal-domain example.org --internal-domain example.net --internal-network 192.0.2.0/24";
            let parsed = parse(&format!("{name} {line}")).expect("a command");
            let findings = parsed.findings().expect("a command with findings");
            assert_eq!(findings.internal_domains, ["example.org", "example.net"]);
            assert_eq!(findings.internal_networks, ["192.0.2.0/24".parse().expect("a network")]);
        }
        assert_eq!(parse("insights a --internal-network 192.0.2.0/33").err(), Some(ErrorKind::ValueValidation));
    }

    #[test]
    fn several_files_or_standard_input_but_at_least_one() {
        let files = |line| parse(line).expect("a command").common().files.clone();
        assert_eq!(files("summary b a -"), [PathBuf::from("b"), PathBuf::from("a"), PathBuf::from("-")]);
        assert_eq!(parse("summary").err(), Some(ErrorKind::MissingRequiredArgument));
    }

    #[test]
    fn no_threads_at_all_is_wrong_use() {
        assert_eq!(parse("summary a --jobs 0").err(), Some(ErrorKind::ValueValidation));
        assert_eq!(parse("summary a --jobs 2").expect("a command").common().jobs, Some(2));
    }
}
