//! Reads packet captures and slices their packets into TCP segments.
//!
//! ```text
//! capture file → Packet → Segment → StreamEvent → SmtpEvent → Session, Transaction → Report
//! └────── this crate ───────────┘ └─ reassembly ─┘ └ smtp-parser ┘ └──────── analysis ────────┘
//! ```

mod packet;
mod segment;
mod seq;
mod timestamp;

pub use packet::{LinkType, Packet};
pub use segment::{Flags, Segment};
pub use seq::SeqNumber;
pub use timestamp::Timestamp;
