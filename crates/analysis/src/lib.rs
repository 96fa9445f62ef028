//! Follows SMTP dialogues in packet captures and reports what became of every mail.
//!
//! ```text
//! capture file → Packet → Segment → StreamEvent → SmtpEvent → Session, Transaction → Report
//! └────────── capture ─────────┘ └─ reassembly ─┘ └ smtp-parser ┘ └───── this crate ──────┘
//! ```
//!
//! [`run::analyse`] reads captures and gives a [`report::Report`]; [`features`], [`context`], [`insights`] and
//! [`summary`] print it, [`extract`] writes its messages. [`log`] prints sessions as they end. On the way there:
//!
//! | module | concept |
//! |---|---|
//! | [`plan`] | which files, in which order |
//! | `pipeline`, `shards` | the inputs, and the connections shared out among threads |
//! | [`progress`], `source` | how far reading has come; octets of an input, and how waiting for them is ended |
//! | [`condition`] | what of a file was passed over, and what it says of itself |
//! | `connection`, `opening`, `recognition` | is this mail, and who is the client |
//! | `turn` | what the streams of a connection show of a dialogue |
//! | `pickup` | where a dialogue can be read whose beginning was not captured |
//! | `preface` | proxies before the mail |
//! | [`session`] | the dialogue: commands, replies, what is held until a reply decides |
//! | `transaction` | what became of every mail and every recipient |
//! | [`tls`] | what a TLS handshake shows |
//! | [`message`], [`spool`] | header fields; the octets of messages, where they are to be written |
//! | [`model`], [`anomaly`] | the records all this ends in |
//! | `numbers` | which number a session has among those of its 4-tuple, told when it ends |
//! | [`insights`] | what should worry you: findings, and the rules that find them |
//! | [`cli`] | the program's command line |

pub mod anomaly;
pub mod cli;
pub mod community_id;
pub mod condition;
mod connection;
pub mod context;
pub mod extract;
pub mod features;
pub mod insights;
pub mod log;
pub mod message;
pub mod model;
mod numbers;
mod opening;
pub mod output;
mod pickup;
mod pipeline;
pub mod plan;
mod preface;
pub mod progress;
mod queue_id;
mod recognition;
pub mod report;
pub mod run;
#[cfg(test)]
mod samples;
pub mod session;
mod shards;
mod source;
pub mod spool;
pub mod summary;
pub mod tls;
mod transaction;
mod turn;
