//! Rebuilds TCP streams per connection, as a passive observer sees them.
//!
//! ```text
//! capture file → Packet → Segment → StreamEvent → SmtpEvent → Session, Transaction → Report
//! └────────── capture ─────────┘ └ this crate ──┘ └ smtp-parser ┘ └──────── analysis ────────┘
//! ```
//!
//! [`FlowTable::push`] takes segments in the order of their capture, finds the connection by its 4-tuple and tells a
//! [`FlowObserver`] what happened as [`StreamEvent`]s: octets in stream order, gaps, overlaps, half-closes. In-order
//! payload is lent from the segment; only octets that came too early are copied.
//!
//! Both directions are put in **one causal order**: a segment that acknowledges octets of the other side is delivered
//! after these octets, whatever order the capture holds them in. An observer of a dialogue therefore always sees a
//! command before its reply.
//!
//! | module | concept |
//! |---|---|
//! | `key` | the 4-tuple without a direction |
//! | `event` | what an observer is told |
//! | `assembler` | octets of one direction that wait for earlier ones |
//! | `beyond` | octets outside the receiver's window |
//! | `overlap` | octets that come once more |
//! | `history` | the last octets of one direction that were delivered |
//! | `stream` | one direction: sequence numbers to 64-bit offsets, what was acknowledged, FIN |
//! | `conversation` | both directions together: order of delivery, gaps |
//! | `flow` | one connection: handshake, reuse of the 4-tuple, end |
//! | `handshake` | a connection that has not shown more than that |
//! | `ended` | what is remembered of a connection that is over |
//! | `leap` | packet times that are not believed |
//! | `table` | all connections: look-up, idle time, limits |
//! | `slot` | a connection's place in the table, and what it has shown |
//! | `chain` | the order in which connections were last seen, began to wait, or grew |
//! | `limits` | every bound, with its default and unit |

mod assembler;
mod beyond;
mod chain;
mod conversation;
mod ended;
mod event;
mod flow;
mod handshake;
mod history;
mod key;
mod leap;
mod limits;
mod overlap;
mod slot;
mod stream;
mod table;

pub use event::{
    Comparison, Direction, FlowEnd, FlowObserver, FlowStart, GapCause, Interest, LateSegment, PerDirection, StreamEvent,
};
pub use flow::{Flow, FlowInfo};
pub use key::FlowKey;
pub use limits::{FlowLimits, LimitCounts};
pub use stream::StreamOctets;
pub use table::FlowTable;
