//! The program `smtpscope`: see [`analysis::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    analysis::cli::main()
}
