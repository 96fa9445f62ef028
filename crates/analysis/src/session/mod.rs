//! One mail session while it goes on: two decoders, the dialogue between them, and what is held until a reply decides
//! what it is.
//!
//! ```text
//!   client octets ─▶ held? ─▶ ClientDecoder ─▶ commands, content ─▶ ┌──────────┐
//!                      ▲            ▲ mode                           │ Dialogue │─▶ Session, Transactions
//!                      └────────────┴──────────── replies decide ─── │          │
//!   server octets ──────────────▶ ServerDecoder ─▶ replies ─────────▶└──────────┘
//! ```
//!
//! After DATA, AUTH and STARTTLS nobody but the server can say what the client's next octets are. They are held, up to a
//! limit, until it has spoken. Where the server's side is not in the capture they are taken for what the client must
//! have believed: content, a response, TLS.

pub(crate) mod anomalies;
pub mod auth;
mod capability;
mod claims;
mod dialogue;
mod digest;
mod doubt;
mod effects;
pub(crate) mod endings;
mod finish;
mod further;
mod limits;
mod lookahead;
mod lost;
mod offers;
mod order;
mod pending;
mod redaction;
mod replies;
mod resumption;
mod tentative;
mod verdicts;

use std::collections::VecDeque;
use std::ops::Deref;

use smtp_parser::{ClientDecoder, ClientMode, Command, GapEffect, LineLimits, ServerDecoder, SmtpEvent};

pub(crate) use dialogue::Stamp;
use dialogue::{Dialogue, Next};
pub use digest::{DigestKey, SecretDigest};
use endings::EndWatch;
pub use further::Further;
pub(crate) use limits::{LimitsReached, SessionLimit};
use lookahead::{begins_like_command, begins_like_handshake, begins_like_reply, begins_like_tls};
use tentative::{Suspense, Tentative};

use crate::anomaly::{AnomalyKind, Role};
use crate::message::MessageOptions;
use crate::model::{ClaimedClient, Proxied, StartTls};
use crate::output::time::Time;
use crate::spool::Spool;
use crate::tls::Handshake;
use crate::transaction::{Ending, Place};

/// What is kept of a session, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What is kept of messages.
    pub message: MessageOptions,
    /// Whether passwords and SASL responses are kept at all.
    pub reveal_secrets: bool,
    /// The key for digests of passwords and tokens, where these are wanted.
    pub secret_digests: Option<DigestKey>,
    /// Whether messages are searched for line ends and dot lines that another reader may take for their end, which only findings
    /// tell of. Each octet of a message is looked at for it.
    pub watch_endings: bool,
    /// Recipients of a transaction that are kept; further ones are counted.
    pub recipients_limit: usize,
    /// Commands that may await a reply.
    pub pending_limit: usize,
    /// Client octets held until a reply decides what they are.
    pub held_limit: usize,
    /// Anomalies of a session that are kept; further ones are counted.
    pub anomalies_limit: usize,
    /// Commands of a session that are kept, and as many of its replies, transactions and AUTH exchanges; further ones
    /// are counted. At least one of each is kept.
    pub records_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message: MessageOptions::default(),
            reveal_secrets: false,
            secret_digests: None,
            watch_endings: true,
            recipients_limit: 100_000,
            pending_limit: 1024,
            held_limit: 64 << 10,
            anomalies_limit: 1000,
            records_limit: 100_000,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tracker {
    client: ClientDecoder,
    server: ServerDecoder,
    dialogue: Dialogue,
    /// What the reply that the client waits for will decide.
    awaited: Option<Awaited>,
    held: VecDeque<Held>,
    held_octets: usize,
    /// What is held is being read.
    reads_held: bool,
    options: Options,
    heard: Heard,
    /// STARTTLS was accepted, or the connection began with TLS.
    tls: TlsState,
    /// What its handshake shows; boxed, because most sessions have none.
    handshake: Option<Box<Handshake>>,
    /// The client spoke while a reply was not terminated, and had received all of it.
    reply_is_overdue: bool,
    server_delivered: u64,
    tentative: Option<Tentative>,
    suspense: Option<Suspense>,
    /// The next octets of the side come behind a gap, perhaps at the beginning of a line.
    client_resumes: bool,
    server_resumes: bool,
    /// Octets of the server are lost, and no reply was read since.
    reply_is_lost: bool,
    proxied: Vec<Proxied>,
    /// What others may take for the end of a message.
    endings: EndWatch,
}

/// Client octets that wait for a reply.
#[derive(Debug)]
enum Held {
    Octets(Unread, Stamp),
    Gap(u64, Stamp),
}

/// Octets of which some may have been read already.
#[derive(Debug)]
struct Unread {
    octets: Vec<u8>,
    read: usize,
}

impl Deref for Unread {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(self.read..).unwrap_or_default()
    }
}

/// What a reply decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Data,
    Auth,
    StartTls,
    /// Behind XEXCH50, whether this many octets of it follow.
    Blob(u64),
    /// Behind TURN and ATRN, who speaks commands from now on.
    Roles,
    /// Nothing more: DATA has been answered as if it were done, and the client's own next words tell.
    FirstLine(Place),
    /// Not what the octets are, but where the message before them ended.
    EndOfMessage,
}

/// Whose octets were seen so far.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    client: bool,
    server: bool,
    /// The client went on for so long without a word of the server that it must be missing from the capture.
    server_is_missing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsState {
    None,
    /// Agreed upon; the client's next octet shows whether it is really TLS or was decrypted on the way.
    Agreed,
    /// Agreed upon, and plain text went on: it was decrypted on the way, or stood in front of the handshake.
    Plain,
    /// The client began it although the server had not agreed, as far as the capture shows.
    Uninvited(Stamp),
    /// The connection begins with it.
    Implicit,
    Seen,
}

impl Tracker {
    pub(crate) fn new(options: Options, handshake_seen: bool) -> Self {
        Self {
            client: ClientDecoder::new(LineLimits::default()),
            server: ServerDecoder::new(LineLimits::default()),
            dialogue: Dialogue::new(options, handshake_seen),
            awaited: None,
            held: VecDeque::new(),
            held_octets: 0,
            reads_held: false,
            options,
            heard: Heard::default(),
            tls: TlsState::None,
            handshake: None,
            reply_is_overdue: false,
            server_delivered: 0,
            tentative: None,
            suspense: None,
            client_resumes: false,
            server_resumes: false,
            reply_is_lost: false,
            proxied: Vec::new(),
            endings: EndWatch::default(),
        }
    }

    /// What stood before the session, in octets that are not told here.
    pub(crate) fn stands_behind(&mut self, claimed_client: Option<Box<ClaimedClient>>, proxied: Vec<Proxied>) {
        self.dialogue.claimed_client = claimed_client;
        self.proxied = proxied;
    }

    /// The capture begins in a message, of which so many octets were passed over already.
    pub(crate) fn begins_in_a_message(&mut self, passed_over: u64, timestamp: Time) {
        self.dialogue.begin_amid_content(passed_over, timestamp);
        self.endings.gap();
        self.client.set_mode(ClientMode::Content);
    }

    /// What stood before the client's first octets was the rest of a command.
    pub(crate) fn begins_behind_a_command(&mut self) {
        self.dialogue.command_before();
    }

    /// Has all octets of its messages kept in a spool, where there is one.
    pub(crate) fn keep_messages(&mut self, spool: Option<Spool>) {
        self.dialogue.spool = spool;
    }

    /// A session whose first octets are TLS.
    pub(crate) fn implicit_tls(options: Options) -> Self {
        let mut tracker = Self::new(options, false);
        tracker.tls = TlsState::Implicit;
        tracker.handshake = Some(Box::default());
        tracker.go_opaque();
        tracker
    }

    /// The next octets of a side.
    pub(crate) fn octets(&mut self, role: Role, bytes: &[u8], at: Stamp) {
        match role {
            Role::Client => {
                self.heard.client = true;
                if self.suspense.as_ref().is_some_and(|suspense| suspense.is_over_with(at)) {
                    self.resolve();
                }
                let pending = self.server.partial().is_some();
                let is_overdue = pending && at.acknowledged >= Some(self.server_delivered);
                if is_overdue && self.server_resumes && self.dialogue.outstanding() <= 1 {
                    // The last line of this reply is lost; the client has gone on behind it.
                    self.end_overdue_reply(Stamp { offset: self.server_delivered, ..at });
                } else {
                    self.reply_is_overdue |= is_overdue;
                }
                self.begin_segment(bytes, at);
                self.client_octets(bytes, at);
            }
            Role::Server => {
                self.heard.server = true;
                self.agree_unheard(bytes);
                self.listen_to_tls(Role::Server, bytes);
                self.heard.server_is_missing = false;
                self.server_delivered = at.offset + bytes.len() as u64;
                if std::mem::take(&mut self.server_resumes) && begins_like_reply(bytes) {
                    self.server.assume_line_start();
                }
                let limit = self.options.held_limit;
                if !self.suspense.as_mut().is_some_and(|suspense| suspense.listen(bytes, at, limit)) {
                    self.dialogue.limits.count(SessionLimit::Held, self.suspense.is_some().into());
                    self.resolve();
                    self.server_octets(bytes, at);
                }
            }
        }
    }

    /// Octets of a side that are not in the capture.
    pub(crate) fn gap(&mut self, role: Role, octets: u64, at: Stamp) {
        self.resolve();
        match role {
            Role::Client if self.awaited.is_some() => match self.held.back_mut() {
                Some(Held::Gap(before, _)) => *before += octets,
                _ => self.held.push_back(Held::Gap(octets, at)),
            },
            Role::Client => self.client_gap(octets, at),
            Role::Server => {
                self.server_delivered = at.offset + octets;
                self.server_resumes = true;
                self.reply_is_lost = true;
                if let Some(handshake) = &mut self.handshake {
                    handshake.gap(Role::Server);
                }
                match self.server.gap(octets) {
                    GapEffect::Opaque => {}
                    _ => {
                        self.dialogue.replies_lost(at, octets);
                        self.settle_lost_reply_to_data();
                    }
                }
            }
        }
    }

    /// A copy of octets differed from the first; `lengths` are those of the segments that brought them.
    pub(crate) fn conflict(&mut self, role: Role, octets: u64, lengths: (u64, u64), at: Stamp) {
        let (first, later) = lengths;
        let detail = format!("{octets} octets, first in a segment of {first}, later in another version of {later}");
        self.dialogue.anomalies.add(AnomalyKind::ConflictingOverlap, at, role, detail);
    }

    /// The client's next octets are those that one segment brought.
    fn begin_segment(&mut self, bytes: &[u8], at: Stamp) {
        self.settle_lost_end_of_message(bytes, at);
        let resumes = std::mem::take(&mut self.client_resumes);
        if (resumes || self.dialogue.is_lost()) && begins_like_command(bytes) {
            self.begin_line();
        }
    }

    /// The client's next octet begins a line, and what there is of one before it is none.
    fn begin_line(&mut self) {
        if self.dialogue.is_lost() && self.client.mode() == ClientMode::Command {
            self.client.gap(0);
        }
        self.client.assume_line_start();
    }

    fn client_gap(&mut self, octets: u64, at: Stamp) {
        if self.tls == TlsState::Agreed {
            // What is lost is most likely the handshake.
            self.go_opaque();
            self.handshake.get_or_insert_default();
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.gap(Role::Client);
            return;
        }
        self.tentative = None;
        self.client_resumes = true;
        let mode = self.client.mode();
        let in_message = match self.client.gap(octets) {
            GapEffect::LineBroken { .. } if mode == ClientMode::AuthResponse => {
                self.dialogue.auth_response_lost(at, octets);
                return;
            }
            GapEffect::LineBroken { .. } => {
                self.dialogue.commands_lost(at, octets);
                return;
            }
            GapEffect::ContentBroken | GapEffect::ChunkShortened { .. } => octets,
            GapEffect::ChunkEnded { beyond } => {
                if beyond > 0 {
                    self.dialogue.commands_lost(at, beyond);
                }
                octets - beyond.min(octets)
            }
            _ => return,
        };
        if let ClientMode::Blob { .. } = mode {
            // Of the envelope, and no part of a message.
            let detail = format!("{in_message} octets behind XEXCH50");
            self.dialogue.anomalies.add(AnomalyKind::CommandGap, at, Role::Client, detail);
        } else {
            self.dialogue.anomalies.add(AnomalyKind::ContentGap, at, Role::Client, format!("{in_message} octets"));
            self.endings.gap();
            if let Some(body) = self.dialogue.receiving() {
                body.gap(in_message);
            }
        }
        self.client_octets(&[], at);
    }

    fn client_octets(&mut self, bytes: &[u8], at: Stamp) {
        let read = self.follow(bytes, at);
        let rest = bytes.get(read..).unwrap_or_default();
        if !rest.is_empty() {
            self.hold(rest, Stamp { offset: at.offset + read as u64, ..at });
        }
    }

    /// Reads the client's octets, all of them or up to where a reply decides what follows. Returns how many were read.
    fn follow(&mut self, mut bytes: &[u8], mut at: Stamp) -> usize {
        let mut read = 0;
        self.dialogue.segment_begin = at.offset;
        if self.awaited.is_none() {
            self.notice_uninvited(bytes, at);
            self.listen_to_tls(Role::Client, bytes);
        }
        while self.awaited.is_none() {
            let in_content = self.client.mode() == ClientMode::Content;
            let in_message = in_content || matches!(self.client.mode(), ClientMode::Chunk { .. });
            let step = self.client.step(bytes);
            let consumed = step.consumed;
            let again = step.event.is_some();
            if in_message && let Some(body) = self.dialogue.receiving() {
                body.add_wire_octets(consumed as u64);
            }
            let (mut dot_line, mut is_end_of_data) = (None, false);
            match step.event {
                Some(SmtpEvent::Command(line)) => {
                    let line_at = Stamp { offset: (at.offset + consumed as u64).saturating_sub(line.octets), ..at };
                    if self.dialogue.command(&line, line_at) {
                        self.awaited = match line.command {
                            Command::Auth { .. } => Some(Awaited::Auth),
                            Command::StartTls => Some(Awaited::StartTls),
                            Command::Xexch50 { size } => Some(Awaited::Blob(size)),
                            Command::Turn | Command::Atrn(_) => Some(Awaited::Roles),
                            _ => Some(Awaited::Data),
                        };
                    }
                }
                Some(SmtpEvent::Content(octets)) => {
                    if let Some(body) = self.dialogue.receiving() {
                        body.append(octets);
                    }
                }
                Some(SmtpEvent::DotLine(variant)) => dot_line = Some(variant),
                Some(SmtpEvent::ContentEnd { .. }) => {
                    let end = Stamp { offset: at.offset + consumed as u64, ..at };
                    is_end_of_data = in_content;
                    if self.tentative.is_some() && !self.heard.server_is_missing && !self.dialogue.is_lmtp() {
                        self.suspense = Some(Suspense::new(end, self.server_delivered));
                        self.awaited = Some(Awaited::EndOfMessage);
                    } else {
                        self.dialogue.end_content(end);
                    }
                }
                Some(SmtpEvent::BlobEnd { .. }) => {
                    self.dialogue.blob_ended(Stamp { offset: at.offset + consumed as u64, ..at });
                }
                Some(SmtpEvent::AuthResponse(response)) => {
                    self.dialogue.limits.count(SessionLimit::Line, is_cut(response.reveal()).into());
                    self.dialogue.auth_response(response, Stamp { offset: at.offset + consumed as u64, ..at });
                    self.awaited = Some(Awaited::Auth);
                }
                _ => {}
            }
            let (used, rest) = bytes.split_at_checked(consumed).unwrap_or((bytes, &[]));
            if !self.tentative.as_mut().is_none_or(|tentative| tentative.follow(used)) {
                self.dialogue.limits.count(SessionLimit::Held, 1);
                self.tentative = None;
            }
            if in_content && self.options.watch_endings {
                self.endings.octets(used, at);
            }
            at.offset += consumed as u64;
            read += consumed;
            bytes = rest;
            if is_end_of_data {
                self.endings.end(at);
            }
            if let Some(variant) = dot_line {
                self.endings.dot_line(variant.as_str(), at);
                let shown = variant.as_str().to_owned();
                self.dialogue.anomalies.add(AnomalyKind::DotLineVariant, at, Role::Client, shown);
                if let (None, Some(body)) = (&self.tentative, self.dialogue.receiving()) {
                    self.tentative = Some(Tentative::new(variant, body, at, self.options.held_limit));
                }
            }
            if self.awaited.is_some() && self.heard.server_is_missing {
                self.assume();
                if self.tls == TlsState::Agreed {
                    self.listen_to_tls(Role::Client, bytes);
                }
            }
            if !again && bytes.is_empty() {
                break;
            }
        }
        read
    }

    fn hold(&mut self, bytes: &[u8], at: Stamp) {
        // Copied: what these octets are is not known before the reply.
        self.held.push_back(Held::Octets(Unread { octets: bytes.to_vec(), read: 0 }, at));
        self.held_octets += bytes.len();
        self.settle_lost_reply_to_data();
        self.settle_first_line();
        while self.held_octets > self.options.held_limit {
            let before = self.held_octets;
            self.dialogue.limits.count(SessionLimit::Held, 1);
            self.heard.server_is_missing = !self.heard.server;
            self.assume();
            if self.held_octets == before {
                break;
            }
        }
    }

    /// Nobody will say what the client's next octets are: they are what the client must have believed.
    fn assume(&mut self) {
        if self.awaited == Some(Awaited::EndOfMessage) {
            return self.resolve();
        }
        let next = match self.awaited {
            Some(Awaited::Data) => Next::Content,
            Some(Awaited::Auth) if self.dialogue.expects_auth_response() => Next::AuthResponse,
            Some(Awaited::StartTls) => Next::Tls,
            Some(Awaited::Blob(octets)) => Next::Blob(octets),
            Some(Awaited::Roles) if self.client_greets() => Next::Reversed,
            Some(Awaited::Auth | Awaited::Roles | Awaited::FirstLine(_) | Awaited::EndOfMessage) | None => {
                Next::Commands
            }
        };
        if next == Next::Content {
            let first = self.held.iter().map(|held| match held {
                Held::Octets(_, at) | Held::Gap(_, at) => *at,
            });
            first.take(1).for_each(|at| self.dialogue.presume_content(at));
        }
        self.go_on(next, Time::default());
    }

    /// A reply (or the want of one) has decided what the client's octets are.
    fn go_on(&mut self, next: Next, timestamp: Time) {
        if next == Next::Unchanged {
            return;
        }
        self.note_haste();
        match next {
            Next::Unchanged => return,
            Next::Content => {
                let first = self.held.iter().find_map(|held| match held {
                    Held::Octets(_, at) => Some(at.timestamp),
                    Held::Gap(..) => None,
                });
                self.dialogue.begin_content(first.unwrap_or(timestamp));
                self.endings.begin();
                self.client.set_mode(ClientMode::Content);
            }
            Next::Commands => self.client.set_mode(ClientMode::Command),
            Next::MessageOrCommands(data) => {
                self.awaited = Some(Awaited::FirstLine(data));
                return self.settle_first_line();
            }
            Next::AuthResponse => {
                self.client.set_mode(ClientMode::AuthResponse);
                // The server has read a whole line, of which a gap may have left the end in doubt.
                self.client.assume_line_start();
            }
            Next::Blob(octets) => self.client.set_mode(ClientMode::Blob { remaining: octets }),
            Next::Tls => self.tls = TlsState::Agreed,
            // The client of before is the server from now on. What it says is not taken for commands.
            Next::Reversed => self.go_opaque(),
        }
        self.awaited = None;
        self.read_held();
    }

    /// Whether what is held begins like a reply, as only a server's words do.
    fn client_greets(&self) -> bool {
        matches!(self.held.front(), Some(Held::Octets(octets, _)) if begins_like_reply(octets))
    }

    /// Reads what is held up to where the next reply decides. What is met on the way and lets more be read is followed
    /// here, not in another call: a client can send thousands of such commands at once.
    fn read_held(&mut self) {
        if std::mem::replace(&mut self.reads_held, true) {
            return;
        }
        while self.awaited.is_none()
            && let Some(next) = self.held.pop_front()
        {
            match next {
                Held::Octets(mut octets, at) => {
                    self.held_octets -= octets.len();
                    self.begin_segment(&octets, at);
                    let read = self.follow(&octets, at);
                    octets.read += read;
                    if !octets.is_empty() {
                        self.held_octets += octets.len();
                        let at = Stamp { offset: at.offset + read as u64, ..at };
                        self.held.push_front(Held::Octets(octets, at));
                    }
                }
                Held::Gap(octets, at) => self.gap(Role::Client, octets, at),
            }
        }
        self.reads_held = false;
    }

    /// Whether TLS begins with these octets, where it may; and what its handshake says in them.
    fn listen_to_tls(&mut self, role: Role, bytes: &[u8]) {
        let may_begin = match self.tls {
            TlsState::None | TlsState::Seen | TlsState::Uninvited(_) => false,
            TlsState::Agreed | TlsState::Implicit => true,
            TlsState::Plain => self.awaited.is_none() && self.client.mode() == ClientMode::Command,
        };
        if may_begin && begins_like_tls(bytes) {
            self.go_opaque();
            self.tls = TlsState::Seen;
            self.handshake.get_or_insert_default();
        } else if self.tls == TlsState::Agreed && role == Role::Client && !bytes.is_empty() {
            self.tls = TlsState::Plain;
        }
        let is_heard = match self.tls {
            TlsState::Seen => true,
            // The server's lines are lines.
            TlsState::Uninvited(_) => role == Role::Client,
            _ => false,
        };
        if is_heard && let Some(handshake) = &mut self.handshake {
            handshake.octets(role, bytes);
        }
    }

    /// The client's next octets are a ClientHello where a command could begin, and nobody has agreed to TLS; or that is not in
    /// the capture.
    fn notice_uninvited(&mut self, bytes: &[u8], at: Stamp) {
        let may_begin = self.tls == TlsState::None && self.client.mode() == ClientMode::Command;
        if may_begin && self.client.partial_line().is_empty() && begins_like_handshake(bytes) {
            self.client.set_mode(ClientMode::Opaque);
            self.tls = TlsState::Uninvited(at);
            self.handshake.get_or_insert_default();
        }
    }

    /// The server begins TLS behind a 220, so it has agreed to it; what it agreed to is not in the capture.
    fn agree_unheard(&mut self, bytes: &[u8]) {
        let may_begin = matches!(self.tls, TlsState::None | TlsState::Uninvited(_)) && self.awaited.is_none();
        let is_agreed = matches!(self.tls, TlsState::Uninvited(_))
            || self.dialogue.responses.last().is_some_and(|reply| reply.code.is(220));
        if may_begin && is_agreed && self.server.partial().is_none() && begins_like_handshake(bytes) {
            self.dialogue.starttls = Some(StartTls::Accepted);
            while !self.dialogue.queue.is_empty() {
                self.dialogue.unanswered();
            }
            self.tls = TlsState::Agreed;
        }
    }

    fn go_opaque(&mut self) {
        self.client.set_mode(ClientMode::Opaque);
        self.server.set_opaque(true);
    }
}

/// Whether a line that comes without a mark is as long as the limit lets any be.
fn is_cut(line: &[u8]) -> bool {
    line.len() >= LineLimits::default().line_octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Session;
    use crate::samples::{opened, talk};

    fn turns() -> Vec<(Role, &'static str)> {
        opened(&[
            (Role::Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Role::Server, "250 ok\r\n250 ok\r\n354 go\r\n"),
            (Role::Client, "Subject: s\r\n\r\n..t\r\n.\r\nQUIT\r\n"),
            (Role::Server, "250 taken\r\n221 bye\r\n"),
        ])
    }

    /// All but the times: commands, replies with the commands they answer, octets of the messages.
    #[derive(Debug, PartialEq)]
    struct Gist {
        commands: Vec<String>,
        replies: Vec<(String, Option<usize>)>,
        messages: Vec<Option<u64>>,
    }

    fn gist(session: &Session) -> Gist {
        let command = |command: &crate::model::Command| format!("{} {:?}", command.command, command.parameter);
        let reply = |reply: &crate::model::Response| (format!("{} {}", reply.code, reply.parameter), reply.command);
        let message = |mail: &crate::model::Transaction| mail.message.as_ref().map(|message| message.bytes);
        Gist {
            commands: session.commands.iter().map(command).collect(),
            replies: session.responses.iter().map(reply).collect(),
            messages: session.transactions.iter().map(message).collect(),
        }
    }

    /// RFC 9293 §3.7: TCP is a stream of octets; how they are cut into segments says nothing.
    #[test]
    fn octet_by_octet_it_is_the_same_session() {
        let turns = turns();
        let single: Vec<(Role, &str)> = turns
            .iter()
            .flat_map(|&(role, text)| text.char_indices().map(move |(index, _)| (role, &text[index..=index])))
            .collect();
        let whole = talk(&turns);
        assert_eq!(gist(&talk(&single)), gist(&whole));
        assert_eq!(gist(&whole).messages, [Some(18)], "CRLF is two octets, a stuffed dot none");
    }

    fn stamp(offset: u64) -> Stamp {
        Stamp { offset, timestamp: Time::default(), acknowledged: None, packet: None }
    }

    /// RFC 5321 §4.1.1.4: after DATA nobody but the server can say what the client's octets are.
    #[test]
    fn what_follows_data_waits_for_its_reply() {
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Server, b"220 a\r\n", stamp(0));
        tracker.octets(Role::Client, b"DATA\r\nRSET\r\n", stamp(0));
        assert_eq!((tracker.awaited, tracker.held_octets), (Some(Awaited::Data), 6));
        tracker.octets(Role::Server, b"503 no MAIL\r\n", stamp(7));
        assert_eq!((tracker.awaited, tracker.held_octets), (None, 0));
        let verbs: Vec<&str> = tracker.dialogue.commands.iter().map(|command| &*command.command).collect();
        assert_eq!(verbs, ["DATA", "RSET"]);
    }

    #[test]
    fn no_more_is_held_than_the_limit() {
        let mut tracker = Tracker::new(Options { held_limit: 100, ..Options::default() }, true);
        tracker.octets(Role::Client, b"DATA\r\n", stamp(0));
        for turn in 0..10 {
            tracker.octets(Role::Client, &[b'x'; 30], stamp(6 + 30 * turn));
            assert!(tracker.held_octets <= 130, "{} octets are held", tracker.held_octets);
        }
    }

    /// A segment that was not cut by the network may hold tens of thousands of commands, each of which lets the next one be
    /// read: they are read one behind the other, and not one within the other.
    #[test]
    fn as_many_commands_as_there_are_take_no_more_of_the_stack() {
        for (verb, awaited) in [("STARTTLS\n", None), ("DATA\n", Some("554 no\r\n")), ("AUTH X\n", Some("504 no\r\n"))]
        {
            let held_limit = if awaited.is_some() { 1 << 20 } else { 100 };
            let mut tracker = Tracker::new(Options { held_limit, ..Options::default() }, true);
            if let Some(reply) = awaited {
                tracker.octets(Role::Server, b"220 a\r\n", stamp(0));
                tracker.octets(Role::Client, verb.repeat(30_000).as_bytes(), stamp(0));
                tracker.octets(Role::Server, reply.repeat(30_000).as_bytes(), stamp(7));
            } else {
                tracker.octets(Role::Client, verb.repeat(30_000).as_bytes(), stamp(0));
            }
            assert_eq!(tracker.dialogue.command_count, 30_000, "{verb}");
            assert!(tracker.held_octets <= 100, "{verb}");
        }
    }

    /// Beyond the limit each command is taken for accepted, one behind the other.
    #[test]
    fn no_more_is_held_than_the_limit_of_what_comes_at_once() {
        let mut tracker = Tracker::new(Options { held_limit: 100, ..Options::default() }, true);
        tracker.octets(Role::Server, b"220 a\r\n", stamp(0));
        tracker.octets(Role::Client, "AUTH X\r\n".repeat(30_000).as_bytes(), stamp(0));
        assert!(tracker.held_octets <= 100 && tracker.dialogue.command_count > 29_000);
    }

    /// A capture whose snap length leaves the headers alone has a gap for every segment.
    #[test]
    fn gaps_that_follow_each_other_are_held_as_one() {
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Client, b"DATA\r\n", stamp(0));
        (0..10_000).for_each(|turn| tracker.gap(Role::Client, 1_460, stamp(6 + 1_460 * turn)));
        assert!(matches!(tracker.held.make_contiguous(), [Held::Gap(14_600_000, Stamp { offset: 6, .. })]));
    }

    /// RFC 3207 §4: after the 220 the client starts the TLS negotiation; its octets are no commands.
    #[test]
    fn behind_starttls_nothing_is_read() {
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Server, b"220 a\r\n", stamp(0));
        tracker.octets(Role::Client, b"STARTTLS\r\n", stamp(0));
        tracker.octets(Role::Server, b"220 go\r\n", stamp(7));
        assert_eq!(tracker.tls, TlsState::Agreed);
        tracker.octets(Role::Client, b"\x16\x03\x01\x00\x05QUIT\r\n", stamp(10));
        assert_eq!(tracker.tls, TlsState::Seen);
        assert_eq!(tracker.dialogue.commands.len(), 1);
    }

    /// Each side alone shows what it says; where the other did not agree, it is no session in TLS.
    #[test]
    fn one_side_of_a_handshake_is_read() {
        use crate::tls::{Mode, State};
        let hello = "\u{16}\u{3}\u{1}\0\u{2}\u{1}\0";
        let client = [(Role::Client, "EHLO a\r\n"), (Role::Client, "STARTTLS\r\n"), (Role::Client, hello)];
        let server = [
            (Role::Server, "220 mx.example.net ESMTP\r\n"),
            (Role::Server, "250-mx.example.net\r\n250 STARTTLS\r\n"),
            (Role::Server, "220 go\r\n"),
            (Role::Server, hello),
        ];
        let seen = |session: &Session| session.tls.as_deref().map(|tls| (tls.mode, tls.state));
        let of_client = talk(&client);
        assert_eq!(seen(&of_client), Some((Mode::Starttls, State::Unknown)));
        assert_eq!((of_client.starttls, of_client.uses_tls), (Some(StartTls::Requested), true));
        let of_server = talk(&server);
        assert_eq!(seen(&of_server), Some((Mode::Starttls, State::Unknown)));
        assert_eq!((of_server.starttls, of_server.uses_tls), (Some(StartTls::Accepted), true));
        assert_eq!((of_server.responses.len(), of_server.anomalies.len()), (3, 0));
        let in_plain = [server[0], (Role::Client, hello), (Role::Server, "500 what\r\n")];
        let refused = talk(&in_plain);
        assert_eq!(seen(&refused), Some((Mode::Implicit, State::Refused)));
        assert_eq!((refused.uses_tls, refused.commands.len(), refused.responses.len()), (false, 0, 2));
        assert_eq!(refused.anomalies.first().map(|anomaly| anomaly.kind), Some(AnomalyKind::UninvitedTls));
    }

    /// What is lost behind an accepted STARTTLS is most likely the handshake, of which nothing was seen then.
    #[test]
    fn a_lost_handshake_is_not_read_as_commands() {
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Server, b"220 a\r\n", stamp(0));
        tracker.octets(Role::Client, b"STARTTLS\r\n", stamp(0));
        tracker.octets(Role::Server, b"220 go\r\n", stamp(7));
        tracker.gap(Role::Client, 517, stamp(10));
        assert_eq!((tracker.tls, tracker.client.mode()), (TlsState::Agreed, ClientMode::Opaque));
        tracker.octets(Role::Server, b"\x16\x03\x03\x00\x05", stamp(15));
        assert_eq!(tracker.tls, TlsState::Seen);
        tracker.octets(Role::Client, b"QUIT\r\n", stamp(527));
        assert_eq!(tracker.dialogue.commands.len(), 1);
    }
}
