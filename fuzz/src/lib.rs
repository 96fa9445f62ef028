//! What several targets need.

pub mod dialogue;

use smtp_parser::{LineLimits, SmtpEvent};

/// Small enough to be reached by inputs of a few hundred octets.
pub const LIMITS: LineLimits = LineLimits { line_octets: 40, reply_octets: 100 };

/// An event by itself; content and opaque octets in one where they follow one another.
#[derive(Debug, PartialEq)]
pub enum Said {
    Content(Vec<u8>),
    Opaque(u64),
    /// An event's `Debug`, with the text of secrets.
    Other(String),
}

/// Adds an event to those before it.
pub fn say(said: &mut Vec<Said>, event: &SmtpEvent<'_>) {
    match (said.last_mut(), event) {
        (Some(Said::Content(content)), SmtpEvent::Content(octets)) => content.extend_from_slice(octets),
        (_, SmtpEvent::Content(octets)) => said.push(Said::Content(octets.to_vec())),
        (Some(Said::Opaque(sum)), SmtpEvent::Opaque { octets }) => *sum += octets,
        (_, SmtpEvent::Opaque { octets }) => said.push(Said::Opaque(*octets)),
        (_, SmtpEvent::AuthResponse(secret)) => said.push(Said::Other(format!("{:?}", secret.reveal()))),
        (_, event) => said.push(Said::Other(format!("{event:?}"))),
    }
}

/// `octets` in pieces of up to `largest` octets, their lengths decided by `seed`.
pub fn pieces(octets: &[u8], seed: u8, largest: u8) -> impl Iterator<Item = &[u8]> {
    let (mut state, mut rest) = (u32::from(seed), octets);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = 1 + (state >> 16) as usize % usize::from(largest.max(1));
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}
