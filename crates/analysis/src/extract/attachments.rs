//! Attachments as files: a message is read once more from the spool, and what of it is attached goes to the spool, too.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::Error;
use crate::message::Message;
use crate::message::mime::{MimeOptions, Reader};
use crate::spool::{Piece, Spool, Spooled};

/// What is known of an attachment from the first reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attachment {
    /// Its number among the parts.
    part: usize,
    pub(super) filename: Option<SmolStr>,
    pub(super) is_complete: bool,
}

/// The attachments of a message, in order.
pub(super) fn of(message: &Message) -> Vec<Attachment> {
    let parts = message.mime().map(|mime| mime.parts.as_slice()).unwrap_or_default().iter().enumerate();
    parts
        .filter(|(_, part)| part.is_attachment())
        .map(|(number, part)| Attachment { part: number, filename: part.filename.clone(), is_complete: part.complete })
        .collect()
}

/// What these attachments decode to, in their order. The parts have the numbers of the first reading, because it was of
/// the same octets, with the same gaps and limits.
pub(super) fn decode(
    whole: &Spooled,
    attachments: &[Attachment],
    options: MimeOptions,
    spool: &Spool,
) -> Result<Vec<Spooled>, Error> {
    if attachments.is_empty() {
        return Ok(Vec::new());
    }
    let mut decoded: BTreeMap<usize, Spooled> =
        attachments.iter().map(|attachment| (attachment.part, Spooled::new(spool.clone()))).collect();
    let mut take = |part: usize, octets: &[u8]| {
        if let Some(attachment) = decoded.get_mut(&part) {
            attachment.append(octets);
        }
    };
    let mut reader = Reader::new(MimeOptions { hashes: false, text: false, ..options });
    whole.pieces(|piece| match piece {
        Piece::Octets(octets) => reader.push(octets, &mut take),
        Piece::Gap => reader.gap(&mut take),
    })?;
    reader.finish(true, &mut take);
    match spool.failure() {
        Some(failure) => Err(failure.into()),
        None => Ok(decoded.into_values().collect()),
    }
}
