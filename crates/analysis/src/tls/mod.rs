//! A TLS handshake as an observer sees it: versions, ciphers, names, fingerprints, certificates, and whether it came to
//! its end.
//!
//! ```text
//!   octets of a side ─▶ Records ─▶ messages ─▶ hellos, certificates ─┐
//!                          │                                         ├─▶ Tls
//!                          └─▶ ChangeCipherSpec, alerts, protected ──┘
//!                              records: how far it has come
//! ```
//!
//! [`Handshake`] is fed the octets of both sides in their causal order and says when it needs no more. It keeps nothing
//! but a message that is not complete yet, and listens to a limited number of octets.
//!
//! What can be known of the end differs. Up to TLS 1.2 each side says ChangeCipherSpec in plain and then Finished, and
//! alerts before that are in plain. In TLS 1.3 everything behind ServerHello is in records of one type, alerts as well: a
//! record too short for any handshake message is an alert (of unknown name), and a record of the server behind the
//! client's last is what only a completed handshake has. An alert that is padded is not seen.

mod alert;
mod certificate;
mod fingerprint;
mod hello;
mod model;
mod name;
mod record;
#[cfg(test)]
mod samples;
mod side;
mod sslv2;

pub use alert::Alert;
pub use certificate::{Certificate, NameKind, SubjectName};
use hello::{ClientHello, ServerHello};
pub use model::{CutShort, Mode, State, Tls};
use record::{Content, Fragment};
use side::Side;
use tls_parser::{TlsMessageHandshake, parse_tls_handshake_msg_certificate};

use crate::anomaly::Role;

/// How much of a handshake is listened to and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of each side.
    pub octets: usize,
    /// Certificates of each side.
    pub certificates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets: 64 << 10, certificates: 16 }
    }
}

/// Whether more octets could show more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// They could.
    Listening,
    /// All is known that can be.
    Done,
}

/// One handshake while it goes on. See the module.
#[derive(Debug)]
pub struct Handshake {
    client: Side,
    server: Side,
    limits: Limits,
    client_hello: Option<ClientHello>,
    server_hello: Option<ServerHello>,
    resumed: Option<bool>,
    further_certificates: u64,
    outcome: Option<Outcome>,
    cut_short: Option<CutShort>,
}

/// How a handshake ended, once that is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Completed,
    Failed(Alert),
}

impl Default for Handshake {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Handshake {
    /// A handshake of which nothing was seen yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            client: Side::default(),
            server: Side::default(),
            limits,
            client_hello: None,
            server_hello: None,
            resumed: None,
            further_certificates: 0,
            outcome: None,
            cut_short: None,
        }
    }

    /// The next octets of a side.
    pub fn octets(&mut self, role: Role, octets: &[u8]) -> Progress {
        let side = self.side(role);
        let room = self.limits.octets.saturating_sub(side.octets);
        let (mut rest, _) = octets.split_at_checked(room).unwrap_or((octets, &[]));
        while !rest.is_empty() && self.progress() == Progress::Listening && !self.side(role).is_deaf {
            let side = self.side_mut(role);
            match side.records.step(rest) {
                Ok((used, fragment)) => {
                    side.octets += used;
                    rest = rest.get(used..).unwrap_or_default();
                    if let Some(fragment) = fragment {
                        self.fragment(role, fragment);
                    }
                }
                Err(record::Malformed) => self.stop_listening(role, CutShort::Malformed),
            }
        }
        if self.progress() == Progress::Listening && octets.len() > room {
            self.stop_listening(role, CutShort::Limit);
        }
        self.progress()
    }

    /// Octets of a side are not in the capture. Where its next record begins is not known any more.
    pub fn gap(&mut self, role: Role) -> Progress {
        if self.progress() == Progress::Listening {
            self.stop_listening(role, CutShort::Gap);
        }
        self.progress()
    }

    /// Whether more octets could show more.
    pub fn progress(&self) -> Progress {
        let is_decided = self.outcome.is_some() || (self.client.is_deaf && self.server.is_deaf);
        if is_decided { Progress::Done } else { Progress::Listening }
    }

    /// What the handshake showed. `is_closed`: the capture has both sides, and they closed the connection.
    pub fn finish(self, mode: Mode, is_closed: bool) -> Tls {
        let is_hidden = self.is_1_3() && self.client.finished;
        let state = match self.outcome {
            Some(Outcome::Completed) => State::Completed,
            Some(Outcome::Failed(_)) => State::Failed,
            None if is_closed && self.cut_short.is_none() && !is_hidden => State::Aborted,
            None => State::Unknown,
        };
        let hello = self.client_hello.unwrap_or_default();
        let chosen = self.server_hello.as_ref();
        Tls {
            mode,
            state,
            alert: match self.outcome {
                Some(Outcome::Failed(alert)) => Some(alert),
                _ => None,
            },
            version: chosen.map(|hello| hello::version_name(hello.version)),
            cipher: chosen.and_then(|hello| hello.cipher).map(hello::cipher_name),
            server_name: hello.server_name,
            alpn: chosen.and_then(|hello| hello.alpn.clone()),
            alpn_offered: hello.alpn,
            ja3: hello.ja3,
            ja3s: chosen.and_then(|hello| hello.ja3s.clone()),
            ja4: hello.ja4,
            resumed: self.resumed,
            certificates: self.server.certificates,
            client_certificates: self.client.certificates,
            further_certificates: self.further_certificates,
            cut_short: self.cut_short,
        }
    }

    fn fragment(&mut self, role: Role, fragment: Fragment<'_>) {
        match fragment.content {
            Content::Handshake if self.is_encrypted(role) => {
                // RFC 5246 §7.4.9: "A Finished message is always sent immediately after a change cipher spec message".
                self.side_mut(role).finished = true;
                if self.client.finished && self.server.finished {
                    self.outcome = Some(Outcome::Completed);
                }
            }
            Content::Handshake => self.messages(role, fragment.octets),
            Content::ChangeCipherSpec => self.change_cipher_spec(role),
            Content::Alert => self.alert(role, fragment),
            Content::ApplicationData if fragment.is_first => self.protected(role, fragment.length),
            Content::ApplicationData | Content::Heartbeat => {}
            Content::Sslv2(first) => {
                let side = self.side_mut(role);
                if fragment.is_first {
                    side.message.extend_from_slice(&first);
                }
                side.message.extend_from_slice(fragment.octets);
                if fragment.is_last {
                    let message = std::mem::take(&mut side.message);
                    self.sslv2(role, &message);
                }
            }
        }
    }

    fn messages(&mut self, role: Role, octets: &[u8]) {
        let mut held = self.side_mut(role).take_messages(octets);
        let mut rest = held.as_slice();
        while let Some((kind, body, behind)) = side::first_message(rest) {
            self.message(role, kind, body);
            rest = behind;
        }
        let used = held.len().saturating_sub(rest.len());
        held.drain(..used);
        self.side_mut(role).message = held;
    }

    fn message(&mut self, role: Role, kind: u8, body: &[u8]) {
        match (role, kind) {
            (Role::Client, CLIENT_HELLO) if self.client_hello.is_none() => {
                self.client_hello = ClientHello::parse(body);
                self.note_malformed(self.client_hello.is_none());
            }
            // That of a HelloRetryRequest is followed by another.
            (Role::Server, SERVER_HELLO) if self.server_hello.as_ref().is_none_or(|hello| hello.is_retry_request) => {
                let hello = ServerHello::parse(body);
                self.note_malformed(hello.is_none());
                if let Some(hello) = hello {
                    if hello::is_1_3(hello.version) && !hello.is_retry_request {
                        self.resumed = Some(hello.takes_pre_shared_key);
                    }
                    self.server_hello = Some(hello);
                }
            }
            (_, CERTIFICATE) => self.certificates(role, body),
            // RFC 5246 §7.3: the server's last message before the client's turn, unless a session is resumed.
            (Role::Server, SERVER_HELLO_DONE) => self.resumed = Some(false),
            _ => {}
        }
    }

    fn certificates(&mut self, role: Role, body: &[u8]) {
        let Ok((_, TlsMessageHandshake::Certificate(list))) = parse_tls_handshake_msg_certificate(body) else {
            return self.note_malformed(true);
        };
        for certificate in &list.cert_chain {
            self.certificate(role, certificate.data);
        }
    }

    fn certificate(&mut self, role: Role, der: &[u8]) {
        let limit = self.limits.certificates;
        let side = self.side_mut(role);
        if side.certificates.len() < limit {
            side.certificates.push(Certificate::parse(der));
        } else {
            self.further_certificates += 1;
        }
    }

    fn change_cipher_spec(&mut self, role: Role) {
        self.side_mut(role).changed_cipher = true;
        // RFC 5246 §7.3, figure 2: in a resumed session it follows ServerHello at once.
        if role == Role::Server && self.is_before_1_3() {
            self.resumed.get_or_insert(true);
        }
    }

    /// `AlertLevel level; AlertDescription description;` (RFC 8446 §6), unless it is encrypted, which makes it longer.
    fn alert(&mut self, role: Role, fragment: Fragment<'_>) {
        let side = self.side_mut(role);
        if side.changed_cipher && fragment.length != 2 {
            self.outcome = Some(Outcome::Failed(Alert::encrypted(role)));
            return;
        }
        for &octet in fragment.octets {
            match side.alert_level.take() {
                None => side.alert_level = Some(octet),
                Some(level) if alert::ends_the_handshake(level, octet) => {
                    self.outcome = Some(Outcome::Failed(Alert::plain(role, octet)));
                    return;
                }
                Some(_) => {}
            }
        }
    }

    /// A record of application data, by its type.
    ///
    /// RFC 5246 §7.4.9: "Once a side has sent its Finished message and received and validated the Finished message from
    /// its peer, it may begin to send and receive application data over the connection."
    ///
    /// RFC 8446 §5.2: "The outer opaque_type field of a TLSCiphertext record is always set to the value 23"; in it are the
    /// octets of the message, one for its type, and the tag of the cipher.
    fn protected(&mut self, role: Role, length: usize) {
        if self.is_before_1_3() {
            self.outcome = Some(Outcome::Completed);
            return;
        }
        let Some(hello) = self.server_hello.as_ref().filter(|hello| !hello.is_retry_request) else { return };
        let tag = if hello.cipher == Some(TLS_AES_128_CCM_8_SHA256) { 8 } else { 16 };
        // Two octets are an alert: the shortest message of a handshake has four.
        if length == 2 + 1 + tag {
            self.outcome = Some(Outcome::Failed(Alert::encrypted(role)));
        } else if role == Role::Client {
            self.client.finished = true;
        } else if self.client.finished {
            self.outcome = Some(Outcome::Completed);
        }
    }

    fn sslv2(&mut self, role: Role, message: &[u8]) {
        match role {
            Role::Client => {
                let is_hello = sslv2::is_client_hello(message);
                self.note_malformed(!is_hello);
                self.client_hello = is_hello.then(ClientHello::default);
            }
            Role::Server => {
                let hello = sslv2::ServerHello::parse(message);
                self.note_malformed(hello.is_none());
                if let Some(hello) = hello {
                    self.certificate(role, hello.certificate);
                    self.server_hello = Some(ServerHello::of_sslv2(hello.version));
                }
                // The rest of SSL 2.0 is not read.
                self.client.is_deaf = true;
                self.server.is_deaf = true;
            }
        }
    }

    /// Whether a side's messages are encrypted. In TLS 1.3 ChangeCipherSpec means nothing (RFC 8446 §5), and encrypted
    /// messages are in records of another type.
    fn is_encrypted(&self, role: Role) -> bool {
        self.side(role).changed_cipher && !self.is_1_3()
    }

    fn is_1_3(&self) -> bool {
        self.server_hello.as_ref().is_some_and(|hello| hello::is_1_3(hello.version))
    }

    fn is_before_1_3(&self) -> bool {
        self.server_hello.as_ref().is_some_and(|hello| !hello::is_1_3(hello.version))
    }

    fn note_malformed(&mut self, is_malformed: bool) {
        if is_malformed {
            self.cut_short.get_or_insert(CutShort::Malformed);
        }
    }

    fn stop_listening(&mut self, role: Role, why: CutShort) {
        let side = self.side_mut(role);
        side.is_deaf = true;
        side.message = Vec::new();
        self.cut_short.get_or_insert(why);
    }

    fn side(&self, role: Role) -> &Side {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    fn side_mut(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}

// RFC 8446 §4, `HandshakeType`.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;
/// The one suite of TLS 1.3 with a tag of 8 octets (RFC 8446 §B.4).
const TLS_AES_128_CCM_8_SHA256: u16 = 0x1305;

#[cfg(test)]
mod tests;
