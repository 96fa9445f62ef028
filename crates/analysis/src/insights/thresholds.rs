//! From where on something is a finding: every threshold of every rule, in one table.

/// Makes the struct, its defaults and the table of `docs/findings.md` from one list.
macro_rules! thresholds {
    ($($(#[doc = $meaning:literal])+ $name:ident: $default:literal, $unit:literal;)+) => {
        /// Every threshold of every rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Thresholds {
            $($(#[doc = $meaning])+ pub $name: u64,)+
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Thresholds {
            /// Name, value, unit and meaning of each.
            pub fn rows(&self) -> Vec<(&'static str, u64, &'static str, &'static str)> {
                vec![$((stringify!($name), self.$name, $unit, concat!($($meaning),+)),)+]
            }
        }
    };
}

thresholds! {
    /// More recipients than this are unusual for one mail: RFC 5321 §4.5.3.1.8 makes servers take 100.
    recipients_of_a_mail: 100, "recipients";
    /// So many refusals of one account from one source …
    brute_force_failures: 10, "refusals";
    /// … within this time are brute force.
    brute_force_seconds: 300, "seconds";
    /// So many accounts refused from one source …
    spraying_accounts: 10, "accounts";
    /// … at most so many times each …
    spraying_tries: 3, "refusals";
    /// … within this time are password spraying.
    spraying_seconds: 600, "seconds";
    /// One secret for so many accounts is password spraying, too; only with `--secret-digests`.
    spraying_shared_secret: 5, "accounts";
    /// So many sources refused as one account …
    distributed_sources: 5, "sources";
    /// … within this time are one attack.
    distributed_seconds: 600, "seconds";
    /// After so many refusals …
    success_after_failures: 5, "refusals";
    /// … within this time, a success is a finding.
    success_after_seconds: 3600, "seconds";
    /// More recipients than this by an account that was guessed …
    bulk_recipients: 50, "recipients";
    /// … or more mails than this …
    bulk_mails: 20, "mails";
    /// … within this time are bulk mail.
    bulk_seconds: 600, "seconds";
    /// So many VRFY or EXPN of one source are enumeration.
    enumeration_questions: 3, "commands";
    /// So many different addresses refused as unknown …
    harvest_addresses: 10, "addresses";
    /// … and at least this share of all recipients of the source are a harvest.
    harvest_refused_percent: 50, "percent of the recipients";
    /// So many sessions of one source that end behind an accepted recipient are probes.
    probing_sessions: 5, "sessions";
    /// Plain text within this time behind a failed handshake is a downgrade.
    downgrade_seconds: 60, "seconds";
    /// A capture of which this share of sessions lacks something is a finding itself.
    incomplete_sessions: 10, "percent of the sessions";
    /// So many different signals of a bot in one client are told; one more is low.
    bot_signals: 2, "signals";
    /// So many names of one client are a signal; at most 4 are kept.
    hello_names: 3, "names";
    /// So many refused recipients in a session are a signal, where they are at least half of all.
    refused_recipients: 10, "recipients";
    /// Who tries again sooner than this after a mail was put off does not wait as RFC 5321 §4.5.4.1 wants.
    hasty_retry: 60, "seconds";
    /// So many mails with the null sender, for addresses of a domain that sent nothing, are told.
    backscatter: 10, "mails";
    /// A server is slow of which one reply in twenty to some command takes this long.
    slow_reply: 5, "seconds";
    /// With fewer replies to a command nothing is said of how long it takes.
    replies_of_server: 10, "replies";
    /// A greeting this late is told.
    late_greeting: 5, "seconds";
    /// A greeting this late is low.
    very_late_greeting: 30, "seconds";
    /// A reply to the end of a message this late is told.
    late_final_reply: 60, "seconds";
    /// So many different dense arguments in a session are a tunnel.
    tunnel_commands: 5, "commands";
    /// Arguments up to this length are names and addresses.
    tunnel_argument: 64, "octets";
    /// Arguments above this density are no names, addresses or words.
    tunnel_density: 45, "tenths of a bit per octet";
    /// So many mails from an account to itself by the clock are told.
    mails_to_oneself: 3, "mails";
    /// Times between mails that differ from their median by more are no clock.
    clock_deviation: 20, "percent";
    /// So much from one sender to one domain is told.
    outflow: 10, "MiB";
    /// So many servers outside that one host goes to are told.
    servers_of_host: 20, "servers";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_has_a_row_with_its_default() {
        let rows = Thresholds::default().rows();
        assert!(rows.iter().all(|(name, value, unit, meaning)| {
            *value > 0 && !name.is_empty() && !unit.is_empty() && !meaning.contains('|')
        }));
        assert!(rows.contains(&("recipients_of_a_mail", 100, "recipients", rows[0].3)));
    }
}
