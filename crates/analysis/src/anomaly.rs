//! What was out of the ordinary in a session: a closed list of kinds.
//!
//! `docs/anomalies.md` is made from the list below; a test compares the two. What a standard foresees is none of them,
//! however unwelcome: a refused DATA, a failed AUTH, a close without QUIT. Conclusions from several events are findings.

use std::num::NonZeroU64;

use serde::Serialize;

use crate::output::time::Time;

/// Something in a session that the standards do not foresee, or that the capture lost.
#[derive(Debug, Clone, Serialize)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// When.
    pub timestamp: Time,
    /// Who sent it.
    pub direction: Role,
    /// Offset in the stream of that side, in octets: of the line or the gap.
    pub offset: u64,
    /// The number of the packet in the recording, from 1, where it is known; printed in the evidence of findings only.
    #[serde(skip)]
    pub packet: Option<NonZeroU64>,
    /// A short explanation, or at most 64 of the octets concerned, escaped; secrets are redacted.
    pub detail: String,
}

/// How the detail of [`AnomalyKind::OctetsBehindStarttls`] begins where the octets are a ClientHello that came too early.
pub(crate) const EARLY_HANDSHAKE: &str = "TLS handshake";

/// A side of a mail session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Speaks commands.
    Client,
    /// Answers.
    Server,
}

/// Makes the enum and the descriptions from one list: meaning, kind and name, clause, what peers call it.
macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $kind:ident = $name:literal, $clause:literal, $peers:literal;)+) => {
        /// The kinds of anomaly.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum AnomalyKind {
            $(
                $(#[doc = $meaning])+
                #[doc = concat!("\n\n", $clause, " Peers: ", $peers, ".")]
                #[serde(rename = $name)]
                $kind,
            )+
        }

        impl AnomalyKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name as it stands in a report.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What it means, the clause it departs from, and what other tools call it.
            pub const fn description(self) -> Description {
                match self {
                    $(Self::$kind => Description {
                        meaning: concat!($($meaning),+),
                        clause: $clause,
                        peers: $peers,
                    },)+
                }
            }
        }
    };
}

/// What a kind is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// One or two sentences.
    pub meaning: &'static str,
    /// Where the standards say so.
    pub clause: &'static str,
    /// The names that Zeek, Suricata, Snort and Arkime have for it, or `none`.
    pub peers: &'static str,
}

kinds! {
    /// A line ends in LF without CR.
    BareLf = "bare_lf", "RFC 5321 §2.3.8.", "Zeek `line_terminated_without_CRLF`, Snort 124:18";
    /// A line ends in CR CR LF.
    RepeatedCr = "repeated_cr", "RFC 5321 §2.3.8.", "Zeek `smtp_unexpected` (more than one CR)";
    /// A CR inside a line: another reader may take it for the line's end.
    BareCr = "bare_cr", "RFC 5321 §2.3.8.", "Zeek `smtp_unexpected` (bare CR)";
    /// A NUL inside a line.
    NulInLine = "nul_in_line", "RFC 5321 §4.1.2.", "Zeek `NUL_in_line`";
    /// A line is longer than 64 KiB, and the rest of it was not kept.
    LineTooLong = "line_too_long", "RFC 5321 §4.5.3.1.", "Suricata `truncated_line`, Zeek `contentline_size_exceeded`, Arkime `smtp:line-too-long`";
    /// A command line without parameters of an extension is longer than 512 octets.
    LongCommandLine = "long_command_line", "RFC 5321 §4.5.3.1.4.", "Snort 124:1, Suricata `max_command_line_len_exceeded`";
    /// A line of a reply is longer than 512 octets.
    LongReplyLine = "long_reply_line", "RFC 5321 §4.5.3.1.5.", "Snort 124:3, Suricata `max_reply_line_len_exceeded`";
    /// The path of MAIL or RCPT is not in angle brackets, or not written as the grammar wants it.
    PathSyntax = "path_syntax", "RFC 5321 §4.1.2.", "none";
    /// A known verb with an argument outside its grammar, or with blanks where the grammar has none.
    InvalidArgument = "invalid_argument", "RFC 5321 §4.1.1.", "Snort 124:6";
    /// BDAT without a size, with one that is no number below 2^64, or with something else than LAST behind it.
    InvalidBdat = "invalid_bdat", "RFC 3030 §2.", "Zeek `smtp_invalid_bdat_command`, `smtp_huge_bdat_chunk`, Suricata `invalid_bdat`, Arkime `smtp:bad-bdat`";
    /// A verb no standard knows.
    UnknownCommand = "unknown_command", "RFC 5321 §4.2.4.", "Zeek `smtp_unexpected` (unknown command), Snort 124:5";
    /// The client's stream ends in a command, or in a response of AUTH, without its line end: the server does not act on it.
    UnterminatedCommand = "unterminated_command", "RFC 5321 §4.1.1.", "none";
    /// A response of AUTH is not base64.
    InvalidSaslResponse = "invalid_sasl_response", "RFC 4954 §4.", "Snort 124:14";
    /// The client spoke before the server's greeting.
    EarlyTalker = "early_talker", "RFC 5321 §3.1.", "Suricata `no_server_welcome_message`";
    /// MAIL without HELO or EHLO before it.
    MailWithoutHello = "mail_without_hello", "RFC 5321 §4.1.4.", "Zeek `smtp_unexpected` (unexpected command)";
    /// HELO or EHLO although one was taken, and neither STARTTLS nor XCLIENT has come since.
    RepeatedHello = "repeated_hello", "RFC 5321 §4.1.4.", "Suricata `duplicate_fields`";
    /// MAIL while a mail transaction is open.
    NestedMail = "nested_mail", "RFC 5321 §3.3.", "Zeek `smtp_nested_mail_transaction`, Suricata `duplicate_fields`";
    /// RCPT without MAIL before it.
    RcptWithoutMail = "rcpt_without_mail", "RFC 5321 §3.3.", "Zeek `smtp_mail_transaction_invalid`";
    /// DATA, BDAT or BURL without RCPT before it.
    DataWithoutRcpt = "data_without_rcpt", "RFC 5321 §3.3.", "Zeek `smtp_mail_transaction_invalid`";
    /// Another command of a transaction while the last chunk of a message has not been sent.
    MissingBdatLast = "missing_bdat_last", "RFC 3030 §2.", "Zeek `smtp_missing_bdat_last_chunk`";
    /// BDAT after the message's last chunk.
    BdatAfterLast = "bdat_after_last", "RFC 3030 §2.", "Suricata `bdat_chunk_len_exceeded`";
    /// DATA in a transaction that has begun to send its message by BDAT.
    DataAndBdat = "data_and_bdat", "RFC 3030 §2.", "Zeek `smtp_missing_bdat_last_chunk`";
    /// A command after QUIT.
    CommandAfterQuit = "command_after_quit", "RFC 5321 §4.1.1.10.", "Zeek `smtp_unexpected` (unexpected command)";
    /// A command was sent before the reply to the one before it, and PIPELINING was not offered; the first of a group.
    UnannouncedPipelining = "unannounced_pipelining", "RFC 2920 §3.1.", "none";
    /// Something was sent before the reply to a command that has to be the last of its group.
    InvalidPipelinedSequence = "invalid_pipelined_sequence", "RFC 2920 §3.1.", "Suricata `invalid_pipelined_sequence`, `unparsable_content`";
    /// The message was sent before the server answered DATA.
    ContentBefore354 = "content_before_354", "RFC 5321 §3.3.", "Suricata `invalid_pipelined_sequence`";
    /// Octets behind STARTTLS before the server has answered it: injected commands, if a server reads them inside TLS.
    OctetsBehindStarttls = "octets_behind_starttls", "RFC 3207 §4.", "Snort 124:17, Suricata `invalid_pipelined_sequence`";
    /// AUTH although the reply to EHLO did not offer it.
    AuthNotOffered = "auth_not_offered", "RFC 4954 §3.", "none";
    /// AUTH after one that succeeded.
    RepeatedAuth = "repeated_auth", "RFC 4954 §4.", "none";
    /// AUTH while a mail transaction is open.
    AuthInTransaction = "auth_in_transaction", "RFC 4954 §4.", "none";
    /// STARTTLS although the reply to EHLO did not offer it.
    StarttlsNotOffered = "starttls_not_offered", "RFC 3207 §4.", "none";
    /// Commands went on in plain text after STARTTLS was accepted: decrypted on the way, or never encrypted.
    PlaintextAfterStarttls = "plaintext_after_starttls", "RFC 3207 §4.", "Suricata `failed_protocol_change`";
    /// The client began a TLS handshake where it had to send a command, and the server went on in plain text.
    UninvitedTls = "uninvited_tls", "RFC 3207 §4, RFC 8314 §3.", "none";
    /// BDAT, or a parameter of MAIL or RCPT, of an extension that the server did not offer.
    ExtensionNotOffered = "extension_not_offered", "RFC 5321 §2.2.1.", "none";
    /// The size declared with MAIL is above the server's limit.
    SizeOverLimit = "size_over_limit", "RFC 1870 §6.", "none";
    /// The message is larger than was declared with MAIL.
    SizeExceeded = "size_exceeded", "RFC 1870 §5.", "none";
    /// A dot line in bare LF inside the message; a lenient server ends the message there.
    DotLineVariant = "dot_line_variant", "RFC 5321 §4.1.1.4.", "none";
    /// The server took a dot line in bare LF for the end of the message.
    BareLfEndOfData = "bare_lf_end_of_data", "RFC 5321 §4.1.1.4.", "none";
    /// The connection ended inside a message: no dot line, or no end of the last chunk.
    MissingEndOfData = "missing_end_of_data", "RFC 5321 §4.1.1.4, RFC 3030 §2.", "Zeek `smtp_bdat_remaining_at_end_data`";
    /// The lines of a reply have different codes.
    MixedReplyCodes = "mixed_reply_codes", "RFC 5321 §4.2.1.", "Zeek `smtp_unexpected` (code does not match the continuing reply)";
    /// The first digit of a code is not 2 to 5, or the second not 0 to 5.
    ReplyCodeOutOfRange = "reply_code_out_of_range", "RFC 5321 §4.2.", "Zeek `smtp_unexpected` (reply code out of range), Suricata `invalid_reply`";
    /// A line of the server that is no reply.
    InvalidReply = "invalid_reply", "RFC 5321 §4.2.", "Suricata `invalid_reply`";
    /// A reply without its line end, or a multi-line reply without its last line.
    UnterminatedReply = "unterminated_reply", "RFC 5321 §4.2.1.", "none";
    /// A reply that no command asked for.
    UnsolicitedReply = "unsolicited_reply", "RFC 5321 §4.2.", "Suricata `unable_to_match_reply_with_request`";
    /// A reply of a kind that its command cannot get, such as 250 to DATA or 354 to NOOP.
    UnexpectedReply = "unexpected_reply", "RFC 5321 §4.3.2.", "Zeek `smtp_unexpected` (unexpected reply), Wireshark `smtp.response.code.unexpected`";
    /// The server answered while the message was still being sent.
    ReplyDuringContent = "reply_during_content", "RFC 5321 §3.3.", "none";
    /// The enhanced status code is of another class than the reply code.
    EnhancedClassMismatch = "enhanced_class_mismatch", "RFC 2034 §4.", "none";
    /// A code without even the blank behind it that servers are to send where there is no text.
    MissingReplyText = "missing_reply_text", "RFC 5321 §4.2.", "none";
    /// An extension is offered with parameters that its standard does not allow.
    InvalidExtension = "invalid_extension", "RFC 5321 §4.1.1.1.", "none";
    /// STARTTLS was answered by something else than 220.
    TlsRejected = "tls_rejected", "RFC 3207 §4.", "Suricata `tls_rejected`";
    /// The server took TURN or ATRN: the sides change roles, and what follows is not read.
    RolesReversed = "roles_reversed", "RFC 2645 §5, RFC 821 §3.8.", "none";
    /// Octets of the client's commands are not in the capture.
    CommandGap = "command_gap", "None: it is the capture's.", "Zeek `smtp_unexpected` (content gap)";
    /// Octets of a message are not in the capture.
    ContentGap = "content_gap", "None: it is the capture's.", "Zeek `smtp_unexpected` (content gap)";
    /// Octets of the server's replies are not in the capture.
    ReplyGap = "reply_gap", "None: it is the capture's.", "Zeek `smtp_unexpected` (content gap)";
    /// More commands awaited their reply than the limit allows.
    TooManyPendingCommands = "too_many_pending_commands", "None: it is a limit.", "Zeek `smtp_excessive_pending_cmds`";
    /// A copy of octets differs from the copy captured first.
    ConflictingOverlap = "conflicting_overlap", "RFC 9293 §3.10.7.4.", "Wireshark `smtp.data.fragment.overlap.conflicts`";
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KindSet(u64);

impl KindSet {
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn insert(&mut self, kind: AnomalyKind) {
        self.0 |= 1 << kind as u32;
    }

    pub(crate) const fn insert_if(&mut self, condition: bool, kind: AnomalyKind) {
        if condition {
            self.insert(kind);
        }
    }

    /// In the order of the list.
    pub(crate) fn iter(self) -> impl Iterator<Item = AnomalyKind> {
        AnomalyKind::ALL.iter().copied().filter(move |&kind| self.0 & (1 << kind as u32) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_room_for_every_kind() {
        let mut set = KindSet::default();
        assert!(set.is_empty());
        AnomalyKind::ALL.iter().for_each(|&kind| set.insert(kind));
        assert!(set.iter().eq(AnomalyKind::ALL.iter().copied()));
    }

    #[test]
    fn a_kind_is_printed_by_its_own_name() {
        let names: std::collections::BTreeSet<_> = AnomalyKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), AnomalyKind::ALL.len());
        for kind in AnomalyKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
    }
}
