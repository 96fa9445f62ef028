//! Flags as they are typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};

/// Reads packet captures and says what happened to every mail.
#[derive(Debug, Parser)]
#[command(name = "smtpscope", version, max_term_width = 100, after_help = STATUS)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const STATUS: &str = "Exit status: 0 all input was read to its end; 1 a result was printed, but some input was damaged, \
cut short or unreadable; 2 wrong use, or nothing could be read.";

/// What to print.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One screen for a person
    Summary {
        #[command(flatten)]
        common: Common,
    },
    /// One JSON document with every session and transaction
    Features {
        #[command(flatten)]
        common: Common,
        /// Leave message headers out
        #[arg(long)]
        no_headers: bool,
        /// Include decoded text bodies
        #[arg(long)]
        body: bool,
    },
    /// One JSON document for a language model
    Context {
        #[command(flatten)]
        common: Common,
        /// 1: what became of each mail; 2: and its commands and replies; 3: and the sessions
        #[arg(long, default_value_t = 2, value_parser = value_parser!(u8).range(1..=3), value_name = "LEVEL")]
        detail_level: u8,
        /// At most so many transactions, the most interesting first
        #[arg(long, default_value_t = 10, value_name = "N")]
        max_conversations: usize,
    },
    /// One JSON document with patterns, replies, domains and security
    Insights {
        #[command(flatten)]
        common: Common,
        /// Leave sender and recipient patterns out
        #[arg(long)]
        no_queries: bool,
        /// Leave the analysis of replies out
        #[arg(long)]
        no_response_codes: bool,
        /// A domain that is ours, with all below it; may be given several times
        #[arg(long = "internal-domain", value_name = "DOMAIN")]
        internal_domains: Vec<String>,
        /// Look for mail used as a tunnel
        #[arg(long)]
        detect_tunneling: bool,
    },
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Captures (pcap or pcapng), directories of captures, or - for standard input; together they are one recording
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Number of threads [default: all cores]; never changes the output
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Print passwords and SASL responses instead of redacting them
    #[arg(long)]
    pub(super) reveal_secrets: bool,
}

impl Command {
    pub(super) fn common(&self) -> &Common {
        match self {
            Self::Summary { common }
            | Self::Features { common, .. }
            | Self::Context { common, .. }
            | Self::Insights { common, .. } => common,
        }
    }
}
