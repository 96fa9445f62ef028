//! What a TLS handshake shows to an observer, in the shape users see it.

use serde::Serialize;

use super::alert::Alert;
use super::certificate::Certificate;

/// What a TLS handshake shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// How it began.
    pub mode: Mode,
    /// What became of it.
    pub state: State,
    /// The alert that ended it, where `state` is `failed`.
    pub alert: Option<Alert>,
    /// Version the server chose, such as `TLS 1.3`; one without a name as its number.
    pub version: Option<String>,
    /// Cipher suite the server chose, by its name in the IANA registry; one without a name as its number.
    pub cipher: Option<String>,
    /// Server Name Indication.
    pub server_name: Option<String>,
    /// Protocol the server chose by ALPN; TLS 1.3 does not show it.
    pub alpn: Option<String>,
    /// Protocols the client offered by ALPN.
    pub alpn_offered: Vec<String>,
    /// JA3 of the client.
    pub ja3: Option<String>,
    /// JA3S of the server.
    pub ja3s: Option<String>,
    /// JA4 of the client.
    pub ja4: Option<String>,
    /// Whether an earlier session was resumed, without certificates; `None` where the capture does not show it.
    pub resumed: Option<bool>,
    /// Certificates of the server, its own first; TLS 1.3 does not show them.
    pub certificates: Vec<Certificate>,
    /// Certificates of the client, likewise.
    pub client_certificates: Vec<Certificate>,
    /// Certificates of either beyond the limit of those that are kept.
    pub further_certificates: u64,
    /// Why the handshake was not read to its end, where it was not.
    pub cut_short: Option<CutShort>,
}

/// How TLS began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// After an accepted STARTTLS.
    Starttls,
    /// With the first octet of the connection.
    Implicit,
}

/// What became of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Both sides finished it.
    Completed,
    /// An alert ended it.
    Failed,
    /// The connection ended before the handshake did, without an alert.
    Aborted,
    /// The server had not agreed to TLS, and answered the client's hello in plain text.
    Refused,
    /// The capture does not show it.
    Unknown,
}

/// Why a handshake was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutShort {
    /// Octets of it are not in the capture.
    Gap,
    /// Octets of it are not what the standards say.
    Malformed,
    /// It has more octets than are listened to.
    Limit,
}
