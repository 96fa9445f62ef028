//! Alerts: how a side says that the handshake has failed.

use serde::Serialize;

use crate::anomaly::Role;

/// An alert that ended a handshake (RFC 8446 §6, RFC 5246 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Who sent it.
    pub sender: Role,
    /// Its number; `None` where it was encrypted and only its record could be seen.
    pub code: Option<u8>,
    /// Its name in the IANA registry, such as `unknown_ca`; `None` where it is encrypted or has none.
    pub description: Option<&'static str>,
}

impl Alert {
    pub(super) fn plain(sender: Role, code: u8) -> Self {
        Self { sender, code: Some(code), description: description(code) }
    }

    pub(super) fn encrypted(sender: Role) -> Self {
        Self { sender, code: None, description: None }
    }
}

/// Whether an alert of this level and description ends a handshake that is not through.
///
/// RFC 5246 §7.2.2: "Upon transmission or receipt of a fatal alert message, both parties immediately close the
/// connection." §7.2.1: close_notify has the level warning, and ends the connection all the same. Other warnings, such as
/// unrecognized_name or SSL 3.0's no_certificate, end nothing.
pub(super) fn ends_the_handshake(level: u8, code: u8) -> bool {
    level == FATAL || code == CLOSE_NOTIFY
}

const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

/// The names of <https://www.iana.org/assignments/tls-parameters/>, "TLS Alerts", without their `_RESERVED`.
fn description(code: u8) -> Option<&'static str> {
    Some(match code {
        CLOSE_NOTIFY => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8446 §6: `unknown_ca(48)`, `no_application_protocol(120)`; 255 is in no registry.
    #[test]
    fn alerts_have_the_names_of_the_registry() {
        let named = |code| Alert::plain(Role::Client, code).description;
        assert_eq!([named(48), named(120), named(255)], [Some("unknown_ca"), Some("no_application_protocol"), None]);
    }

    #[test]
    fn a_warning_ends_nothing_but_close_notify_does() {
        assert!(ends_the_handshake(2, 40) && ends_the_handshake(1, 0));
        assert!(!ends_the_handshake(1, 112) && !ends_the_handshake(1, 41));
    }
}
