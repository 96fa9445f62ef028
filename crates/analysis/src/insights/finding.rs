//! A finding: what should worry somebody, with the evidence.
//!
//! The kinds are a closed list. `docs/findings.md` is made from it and from the table of
//! [thresholds](super::thresholds); a test compares them. Each kind is found by one rule (`rules`).

use std::num::NonZeroU64;

use serde::{Serialize, Serializer};

use crate::anomaly::{Anomaly, Role};
use crate::model::{Command, Response, Spot};
use crate::output::excerpt;
use crate::output::time::Time;
use crate::session::auth::AuthAttempt;

/// What was seen of one kind and one subject, in all sessions.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The kind, and eight hexadecimal digits of what it is about: the same for the same recording in every run.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// How bad: of what was seen, the worst.
    pub severity: Severity,
    /// How sure, from 0 to 1; less where the capture shows less than there was.
    pub confidence: Confidence,
    /// The kind in a few words.
    pub title: &'static str,
    /// What was seen, in a sentence or two. Text from the wire in it is escaped.
    pub description: String,
    /// How often it was seen.
    pub count: u64,
    /// The first time.
    pub first_seen: Option<Time>,
    /// The last time.
    pub last_seen: Option<Time>,
    /// Keys of the first sessions it was seen in.
    pub sessions: Vec<String>,
    /// The first transactions: the key of the session and the number within it, from 0.
    pub transactions: Vec<String>,
    /// What shows it, the earliest first.
    pub evidence: Vec<Evidence>,
    /// Why the capture may deceive.
    pub weakened_by: Vec<&'static str>,
    /// Clauses, advisories, CVE and MITRE ATT&CK.
    pub references: Vec<&'static str>,
}

/// What points to the octets that show something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// When.
    pub timestamp: Time,
    /// Number of the packet in the recording, from 1.
    pub packet: Option<NonZeroU64>,
    /// Who said it.
    pub direction: Role,
    /// Offset in the stream of that side.
    pub offset: Option<u64>,
    /// What was said, escaped, at most 64 octets.
    pub excerpt: String,
}

impl Evidence {
    /// These octets of a side.
    pub(crate) fn new(timestamp: Time, spot: Spot, direction: Role, octets: &[u8]) -> Self {
        Self { timestamp, packet: spot.packet, direction, offset: Some(spot.offset), excerpt: excerpt(octets) }
    }

    /// A command.
    pub(crate) fn command(command: &Command) -> Self {
        let line = match &command.parameter {
            Some(parameter) => format!("{} {parameter}", command.command),
            None => command.command.to_string(),
        };
        Self::new(command.timestamp, command.spot, Role::Client, line.as_bytes())
    }

    /// A reply.
    pub(crate) fn reply(reply: &Response) -> Self {
        let line = format!("{} {}", reply.code, reply.parameter);
        Self::new(reply.timestamp, reply.spot, Role::Server, line.as_bytes())
    }

    /// An AUTH command, without what may be a secret.
    pub(crate) fn attempt(attempt: &AuthAttempt) -> Self {
        let line = format!("AUTH {}", attempt.mechanism);
        Self::new(attempt.timestamp, attempt.spot, Role::Client, line.as_bytes())
    }

    /// Something out of the ordinary. Its detail is escaped already.
    pub(crate) fn anomaly(anomaly: &Anomaly) -> Self {
        let Anomaly { kind, timestamp, direction, offset, packet, detail } = anomaly;
        let text = if detail.is_empty() { kind.as_str() } else { detail };
        let excerpt = text.chars().take(64).collect();
        Self { timestamp: *timestamp, packet: *packet, direction: *direction, offset: Some(*offset), excerpt }
    }
}

/// Text from the wire for a description: escaped, at most 64 characters of it.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() { shown + "…" } else { shown }
}

/// How bad something is, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Low,
    /// Should be changed.
    Medium,
    /// Somebody can be harmed.
    High,
    /// Somebody is being harmed.
    Critical,
}

impl Severity {
    /// All of them, the worst first.
    pub const WORST_FIRST: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The name as it stands in a report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A share of certainty in percent; printed as a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence(u8);

impl Confidence {
    /// Nothing else explains it.
    pub const CERTAIN: Self = Self(100);
    /// Hardly anything else does.
    pub const STRONG: Self = Self(90);
    /// It is the likely reason.
    pub const LIKELY: Self = Self(70);
    /// It may be.
    pub const WEAK: Self = Self(40);

    /// So many percent of it are left.
    #[must_use]
    pub(crate) fn times(self, percent: u8) -> Self {
        let left = u16::from(self.0) * u16::from(percent) / 100;
        Self(u8::try_from(left).unwrap_or(u8::MAX))
    }
}

impl Serialize for Confidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

/// Makes the enum and the descriptions from one list: meaning, kind and name, title, references.
macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $kind:ident = $name:literal, $title:literal, [$($reference:literal),*];)+) => {
        /// The kinds of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum Kind {
            $(
                $(#[doc = $meaning])+
                #[serde(rename = $name)]
                $kind,
            )+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name as it stands in a report.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// In a few words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($meaning),+),)+
                }
            }

            /// Clauses, advisories, CVE and MITRE ATT&CK.
            pub const fn references(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($reference),*],)+
                }
            }
        }
    };
}

kinds! {
    /// A message holds what some readers take for its end, and a command behind it: a second mail with an envelope of its own. Critical where the server answered it.
    SmtpSmuggling = "smtp_smuggling", "a mail within a mail", ["RFC 5321 §4.1.1.4", "CVE-2023-51764", "CVE-2023-51765", "CVE-2023-51766", "MITRE ATT&CK T1672"];
    /// A dot line with other line ends than CRLF within a message, or a server that took one for the end of the message.
    EndOfDataVariant = "end_of_data_variant", "what some take for the end of a message", ["RFC 5321 §4.1.1.4", "RFC 5321 §2.3.8"];
    /// Lines of a message end in only CR or only LF.
    BareLineEnds = "bare_line_ends", "line ends of one octet", ["RFC 5321 §2.3.8"];
    /// Commands behind STARTTLS before its answer, or a reply behind the 220, in plain text: what keeps them takes them for said within TLS.
    StarttlsInjection = "starttls_injection", "words put between STARTTLS and TLS", ["RFC 3207 §4", "CVE-2011-0411", "CVE-2021-33515", "CVE-2021-38371", "MITRE ATT&CK T1557"];
    /// The client began the TLS handshake before the server had answered STARTTLS.
    EarlyClientHello = "early_client_hello", "a handshake before the answer to STARTTLS", ["RFC 3207 §4"];
    /// Words of the dialogue are masked as firewalls do it, or a server that offers STARTTLS in other sessions does not in this one. Low where it may have been configured anew.
    StarttlsStripping = "starttls_stripping", "STARTTLS taken away", ["RFC 3207 §6", "MITRE ATT&CK T1557"];
    /// STARTTLS was refused, or its handshake failed, and the client went on in plain text. Medium with a login.
    TlsDowngrade = "tls_downgrade", "plain text behind a failed STARTTLS", ["RFC 3207 §6", "RFC 7435 §3", "MITRE ATT&CK T1557"];
    /// A server offers AUTH on the port of submission, and no STARTTLS.
    SubmissionWithoutTls = "submission_without_tls", "submission without TLS", ["RFC 8314 §3.3", "RFC 6409 §4.3"];
    /// Mail went in plain text although STARTTLS was offered.
    TlsUnused = "tls_unused", "TLS offered and not used", ["RFC 3207 §4", "RFC 7435 §3"];
    /// The server agreed to TLS 1.1 or older.
    WeakTls = "weak_tls", "an old version of TLS", ["RFC 8996 §4", "RFC 7568 §3", "RFC 6176 §3"];
    /// A password, a token, or what a password can be guessed from, crossed the wire without TLS. High where it can be read, medium where it has to be guessed.
    PlaintextAuth = "plaintext_auth", "credentials sent without TLS", ["RFC 4954 §9", "RFC 8314 §3", "MITRE ATT&CK T1040"];
    /// A source guessed an account's password and then sent bulk mail by it.
    AccountTakeover = "account_takeover", "a guessed account in use", ["MITRE ATT&CK T1078", "MITRE ATT&CK T1110"];
    /// A source was let in after it had been refused many times.
    AuthSuccessAfterFailures = "auth_success_after_failures", "a login after many refusals", ["MITRE ATT&CK T1110", "MITRE ATT&CK T1078"];
    /// Many refusals of one account from one source in a short time.
    AuthBruteForce = "auth_brute_force", "one password guessed again and again", ["RFC 4954 §9", "MITRE ATT&CK T1110.001"];
    /// One source tries few passwords each on many accounts, or one secret on several.
    PasswordSpraying = "password_spraying", "few passwords tried on many accounts", ["MITRE ATT&CK T1110.003"];
    /// One account is refused from many sources.
    AuthDistributed = "auth_distributed", "one account tried from many sources", ["MITRE ATT&CK T1110"];
    /// The server refused credentials; one finding for a client and a server.
    AuthFailure = "auth_failure", "credentials refused", ["RFC 4954 §6"];
    /// A source asks by VRFY or EXPN which addresses there are. Medium where it was told.
    UserEnumeration = "user_enumeration", "addresses asked for one by one", ["RFC 5321 §7.3", "MITRE ATT&CK T1589.002"];
    /// Most of a source's recipients are refused as unknown: it tries names. What was accepted, it has learnt.
    DirectoryHarvest = "directory_harvest", "addresses tried out", ["MITRE ATT&CK T1589.002", "MITRE ATT&CK T1087"];
    /// A source ends sessions behind an accepted recipient, without a message. Info where all are from the null sender.
    RecipientProbing = "recipient_probing", "recipients tried, and no mail", ["RFC 5321 §7.3", "MITRE ATT&CK T1589.002"];
    /// One mail to very many recipients.
    HighRecipientCount = "high_recipient_count", "mail to very many recipients", ["RFC 5321 §4.5.3.1.8"];
    /// The sender's domain gives out throw-away addresses.
    SuspiciousSenderDomain = "suspicious_sender_domain", "sender with a throw-away domain", [];
    /// The capture lacks much of what was said, and everything else is to be read with that in mind.
    CaptureQuality = "capture_quality", "the capture lacks much of what was said", [];
    /// The client spoke before the server had greeted it, and the server offers nothing of the kind.
    EarlyTalker = "early_talker", "client spoke before the greeting", ["RFC 5321 §3.1"];
    /// Several things come together in one client that mail servers do not do and senders of spam do: early or hasty commands, a name that is none, no QUIT, refused recipients.
    BotDialect = "bot_dialect", "client does not speak like a mail server", ["RFC 5321 §4.1.4", "RFC 5321 §4.1.1.10", "RFC 2920 §3.1"];
    /// A recipient was put off and taken at a later attempt from the same network; one finding for a server.
    GreylistingRetry = "greylisting_retry", "mail put off and taken later", ["RFC 6647 §2", "RFC 5321 §4.5.4.1"];
    /// A client tried again sooner than it should after its mail was put off; one finding for a client and a server.
    HastyRetry = "hasty_retry", "mail tried again too soon", ["RFC 5321 §4.5.4.1"];
    /// Many mails with the null sender came for addresses of a domain that sent nothing in the capture: their senders are probably forged.
    Backscatter = "backscatter", "delivery reports to who sent nothing", ["RFC 5321 §4.5.5", "RFC 5321 §6.2", "RFC 3834 §1"];
    /// Of what a server answers one reply in twenty takes long, or it greets late. The description has the percentiles of each command.
    SlowServer = "slow_server", "server answers slowly", ["RFC 5321 §4.5.3.2"];
    /// The reply to the end of a message came so late that clients may have given up and send it again.
    LateFinalReply = "late_final_reply", "message answered late", ["RFC 1047", "RFC 5321 §4.5.3.2.6"];
    /// A reply came later than a client has to wait.
    ReplyOverdue = "reply_overdue", "reply later than clients have to wait", ["RFC 5321 §4.5.3.2"];
    /// A connection ended with a whole message and no reply to it: the message may be delivered twice.
    ReplyLost = "reply_lost", "message sent and not answered", ["RFC 1047", "RFC 5321 §4.5.3.2.6"];
    /// A server of ours took mail for somebody else's domain from somebody else's host, which had not logged in. Critical where it took the message, medium where it took the recipient, low where it is inferred.
    OpenRelay = "open_relay", "server relays for everybody", ["RFC 2505 §2.1", "RFC 5321 §7.8"];
    /// Which way mail goes: accepted recipients by whose client, sender and recipient they are. Told where `--internal-domain` is given.
    MailDirections = "mail_directions", "which way mail goes", [];
    /// Data in the arguments of commands that carry none, such as NOOP.
    Tunneling = "tunneling", "data in the arguments of commands", ["MITRE ATT&CK T1572", "MITRE ATT&CK T1071.003"];
    /// A client of ours sent mail from an account to itself by a server outside, again and again after the same time, as programs do that steal passwords. Medium where that is within the hour, or else low.
    Exfiltration = "exfiltration", "mail to oneself by the clock", ["MITRE ATT&CK T1048.003"];
    /// One sender of ours sent very much to one domain outside.
    LargeOutflow = "large_outflow", "much mail to one domain", ["MITRE ATT&CK T1048"];
    /// A host of ours went to very many servers outside, and takes no mail itself.
    DirectToServers = "direct_to_servers", "mail past the mail server", ["MITRE ATT&CK T1071.003"];
    /// A host of ours spoke SMTP to a port outside that is none of mail.
    OddPort = "odd_port", "SMTP on a port that is none of mail", ["MITRE ATT&CK T1571"];
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::insights::thresholds::Thresholds;

    #[test]
    fn a_kind_is_printed_by_its_own_name() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
    }

    #[test]
    fn severities_are_in_order_and_print_as_they_are_typed() {
        assert!(Severity::WORST_FIRST.windows(2).all(|pair| pair[0] > pair[1]));
        for severity in Severity::WORST_FIRST {
            assert_eq!(serde_json::to_value(severity).expect("JSON"), severity.as_str());
            let typed = <Severity as clap::ValueEnum>::from_str(severity.as_str(), false);
            assert_eq!(typed, Ok(severity));
        }
    }

    #[test]
    fn confidence_is_a_share() {
        let half = Confidence::CERTAIN.times(80).times(50);
        assert_eq!(serde_json::to_value(half).expect("JSON"), 0.4);
    }

    /// Print the expected text, and put it there, where this fails.
    #[test]
    fn the_document_lists_every_kind_and_every_threshold() {
        let mut expected = String::from(DOCUMENT_HEAD);
        for kind in Kind::ALL {
            let meaning = kind.meaning().trim();
            assert!(!meaning.is_empty() && !meaning.contains('|'), "{kind:?}");
            writeln!(expected, "| `{}` | {meaning} | {} |", kind.as_str(), kind.references().join(", "))
                .expect("a string");
        }
        expected.push_str(DOCUMENT_THRESHOLDS);
        for threshold in Thresholds::default().rows() {
            let (name, value, unit, meaning) = threshold;
            writeln!(expected, "| `{name}` | {value} | {unit} | {} |", meaning.trim()).expect("a string");
        }
        let document = include_str!("../../../../docs/findings.md");
        assert!(document == expected, "docs/findings.md should be:\n{expected}");
    }

    const DOCUMENT_HEAD: &str = "\
# Findings

What `findings[].kind` may be. The list is closed: it is made from `Kind`, and each kind has a rule of its own in
`crates/analysis/src/insights/rules`, whose tests show it beside a close neighbour that is in order.

A finding gathers all that was seen of one kind and one subject, such as a server and an account. Its id is made from the
two, so it is the same in every run. `severity` is that of the worst that was seen, `description` tells of it, and
`count`, `first_seen` and `last_seen` are of all of it. At most 10 sessions, transactions and pieces of evidence are named, the
earliest. In `evidence` stand the packet's number in the recording, from 1, and the offset in that side's stream.

`confidence` is what the rule says, less where the capture shows less than there was: `weakened_by` says why. Of the session,
`one_side_missing` leaves 50 %, `conflicting_copies` 70 %, `gap` 80 %, `midstream` 90 %; of the recording, `cut_packets` leaves
80 %, `dropped_packets` 90 %, `damaged_input` 95 %. What comes together is multiplied.

| kind | meaning | references |
|---|---|---|
";
    const DOCUMENT_THRESHOLDS: &str = "
## Thresholds

From where on something is a finding.

| name | default | unit | meaning |
|---|---|---|---|
";
}
