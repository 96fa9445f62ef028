//! Data in the arguments of commands that carry none.
//!
//! Whoever may only speak SMTP to the outside can speak through it: RFC 5321 §4.1.1.9 lets NOOP have an argument that the server
//! ignores, and VRFY, EXPN, HELP and HELO take any word. Told is a session in which several different ones are long
//! and as dense as what is compressed, encrypted or encoded.
//!
//! What speaks against it, and is not counted: names and addresses, which are shorter or less dense; the same argument again.

use std::collections::BTreeSet;

use super::{Rule, Seen};
use crate::insights::finding::{Confidence, Evidence, Kind, Severity};
use crate::insights::groups::{Detail, Groups};
use crate::insights::thresholds::Thresholds;
use crate::model::Command;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tunnels;

impl Rule for Tunnels {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let session = seen.session;
        let dense = || session.commands.iter().filter(|command| is_dense(command, seen.thresholds));
        let Some(first) = dense().next() else { return };
        let different: BTreeSet<Option<&str>> = dense().map(|command| command.parameter.as_deref()).collect();
        let count = different.len() as u64;
        if count < seen.thresholds.tunnel_commands {
            return;
        }
        let subject = format!("{} {}", session.client_ip, session.server_ip);
        let mut sighting = seen.sighting(Kind::Tunneling, Severity::Medium, subject, first.timestamp);
        sighting.confidence = Confidence::LIKELY;
        sighting.last_seen = dense().next_back().map_or(first.timestamp, |last| last.timestamp);
        groups.add(sighting, || {
            let octets: usize = different.iter().flatten().map(|argument| argument.len()).sum();
            Detail {
                description: format!(
                    "{count} different arguments of commands that carry no data, {octets} octets in all, as dense as encoded data"
                ),
                evidence: dense().take(5).map(Evidence::command).collect(),
                ..Detail::default()
            }
        });
    }
}

fn is_dense(command: &Command, thresholds: &Thresholds) -> bool {
    let carries_nothing = matches!(command.command.as_str(), "NOOP" | "HELP" | "VRFY" | "EXPN" | "HELO" | "EHLO");
    let argument = command.parameter.as_deref().unwrap_or_default();
    carries_nothing
        && argument.len() as u64 > thresholds.tunnel_argument
        && tenths_of_bits(argument.as_bytes()) > thresholds.tunnel_density
}

/// The entropy of an octet by how often each stands there (Shannon), in tenths of a bit.
fn tenths_of_bits(octets: &[u8]) -> u64 {
    let mut counts = [0_u32; 256];
    for &octet in octets {
        if let Some(count) = counts.get_mut(usize::from(octet)) {
            *count += 1;
        }
    }
    let all = f64::from(counts.iter().sum::<u32>().max(1));
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / all);
    let bits: f64 = shares.map(|share| -share * share.log2()).sum();
    // At most eight bits, and no less than none.
    (0..80_u8).rev().find(|&tenths| f64::from(tenths) <= bits * 10.0).map_or(0, u64::from)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::model::{Session, Spot};
    use crate::samples::{at, session};

    #[test]
    fn entropy_is_that_of_shannon() {
        let all: Vec<u8> = (0..64).collect();
        let tenths = |octets: &[u8]| tenths_of_bits(octets);
        assert_eq!([tenths(b""), tenths(b"aaaa"), tenths(b"abab"), tenths(b"abcd"), tenths(&all)], [0, 0, 10, 20, 60]);
    }

    /// Pieces of base64 of noise, as a tunnel sends them.
    const PIECES: [&str; 5] = [
        "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQm8Xz1yLpT0aWbUdHk2JQvRfOeZgMhYtsAiNc5D",
        "Zx9TqLw3RkVm7YcHsPbNf0JdGtAuEo1Wi5Xy8UgBnKjMr2QvDhSzOaCl4eI6pF+kTqLwZ9",
        "m7YcHsPbNf0JdGtAuEo1Wi5Xy8UgBnKjMr2QvDhSzOaCl4eI6pFZx9TqLw3RkV+7YcHsPb",
        "JdGtAuEo1Wi5Xy8UgBnKjMr2QvDhSzOaCl4eI6pFZx9TqLw3RkVm7YcHsPbNf0/Eo1Wi5X",
        "Wi5Xy8UgBnKjMr2QvDhSzOaCl4eI6pFZx9TqLw3RkVm7YcHsPbNf0JdGtAuEo1=UgBnKjM",
    ];

    fn saying(verb: &str, arguments: &[&str]) -> Session {
        let command = |(argument, second): (&&str, i64)| Command {
            command: verb.into(),
            parameter: Some((*argument).into()),
            timestamp: at(second),
            spot: Spot::default(),
        };
        Session { commands: arguments.iter().zip(1..).map(command).collect(), ..session() }
    }

    /// VRFY may tell of other things, too.
    fn tunnels(sessions: &[Session]) -> Vec<Severity> {
        let found = kinds(sessions).into_iter();
        found.filter(|&(kind, _)| kind == Kind::Tunneling).map(|(_, severity)| severity).collect()
    }

    #[test]
    fn dense_arguments_of_noop_are_told() {
        for verb in ["NOOP", "VRFY", "HELP", "EHLO"] {
            assert_eq!(tunnels(&[saying(verb, &PIECES)]), [Severity::Medium], "{verb}");
        }
        let found = finding(Kind::Tunneling, &[saying("NOOP", &PIECES)]);
        assert_eq!((found.first_seen, found.last_seen, found.evidence.len()), (Some(at(1)), Some(at(5)), 5));
    }

    /// The close neighbours: fewer, the same again, arguments of other commands, addresses and names, text.
    #[test]
    fn other_arguments_are_not_told() {
        let addresses: Vec<String> = (0..9)
            .map(|n| format!("bounces+{n}-customer.name=example.org@mailer-{n}.newsletters.marketing.example.com"))
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        for (why, session) in [
            ("four", saying("NOOP", &PIECES[..4])),
            ("one", saying("NOOP", &[PIECES[0]; 9])),
            ("mail", saying("MAIL", &PIECES)),
            ("addresses", saying("VRFY", &addresses)),
            ("short", saying("NOOP", &PIECES.map(|piece| &piece[..64]))),
        ] {
            assert_eq!(tunnels(&[session]), [], "{why}");
        }
    }
}
