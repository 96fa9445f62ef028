//! Turns the two octet streams of an SMTP connection into commands, replies and message content.
//!
//! ```text
//! capture file → Packet → Segment → StreamEvent → SmtpEvent → Session, Transaction → Report
//! └────────── capture ─────────┘ └─ reassembly ─┘ └ this crate ─┘ └──────── analysis ────────┘
//! ```
//!
//! [`ClientDecoder`] and [`ServerDecoder`] each take the octets of one direction, cut anywhere, and give one
//! [`SmtpEvent`] at a time. Any split of the input gives the same events, but for where [`SmtpEvent::Content`] and
//! [`SmtpEvent::Opaque`] are cut. Nothing here reads, waits, or looks at a clock, and no input is an error: what the
//! grammar does not allow is kept and marked by [`Deviations`]. What a proxy says before all of it is read by
//! [`proxy_preface`].
//!
//! ```
//! use smtp_parser::{ClientDecoder, Command, SmtpEvent};
//!
//! let mut decoder = ClientDecoder::default();
//! let mut input: &[u8] = b"MAIL FROM:<Smith@bar.com> SIZE=500000\r\nRCPT TO:<Jones@foo.com>\r\n";
//! let mut addresses = Vec::new();
//! loop {
//!     let step = decoder.step(input);
//!     if let Some(SmtpEvent::Command(line)) = &step.event
//!         && let Command::Mail { path, .. } | Command::Rcpt { path, .. } = &line.command
//!     {
//!         addresses.push(path.mailbox.to_vec());
//!     }
//!     let (consumed, idle) = (step.consumed, step.event.is_none());
//!     if idle && consumed == input.len() {
//!         break;
//!     }
//!     input = &input[consumed..];
//! }
//! assert_eq!(addresses, [b"Smith@bar.com".to_vec(), b"Jones@foo.com".to_vec()]);
//! ```

mod attribute;
pub mod auth;
mod chunk;
mod command;
mod content;
mod decoder;
mod deviation;
mod envelope;
mod esmtp;
mod event;
mod extension;
mod line;
mod literal;
mod mailbox;
mod number;
mod parameter;
mod path;
mod proxy;
mod reply;
mod verb;
mod xtext;

pub use attribute::{Attribute, AttributeValue, Attributes};
pub use auth::{Identity, SaslExchange, Secret};
pub use command::{Command, CommandError, CommandLine};
pub use content::{ContentItem, ContentScanner, DotLineVariant};
pub use decoder::{ClientDecoder, ClientMode, GapEffect, PendingReply, ServerDecoder};
pub use deviation::{Deviation, Deviations};
pub use esmtp::{Body, DeliverByMode, Notify, Parameter, Ret};
pub use event::{SmtpEvent, Step};
pub use extension::{Extension, ExtensionValue, Extensions, Limits, extensions};
pub use line::{LineEnding, LineLimits};
pub use literal::AddressLiteral;
pub use parameter::{Parameters, Words};
pub use path::Path;
pub use proxy::{MAX_PROXY_HEADER, ProxyHeader, ProxyPreface, proxy_preface};
pub use reply::{EnhancedCode, Reply, ReplyClass, ReplyCode, ReplyError};
pub use verb::Verb;
pub use xtext::{utf_8_address, xtext};
