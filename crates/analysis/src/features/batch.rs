//! The lines of some sessions.

use std::io;
use std::ops::Range;

use super::frames::{Frames, Packer, Place};
use super::texts::Texts;
use crate::model::{FourTuple, Session};
use crate::output::time::Time;
use crate::report::Summary;
use crate::session::LimitsReached;

/// The lines of some sessions.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) summary: Summary,
    /// Limits that were reached in the bodies of messages, which are read here.
    pub(super) limits: LimitsReached,
    pub(super) sessions: Vec<SessionLine>,
    pub(super) session_frames: Frames,
    pub(super) transactions: Vec<TransactionLine>,
    pub(super) transaction_frames: Frames,
}

/// A session's line, without its key, which is put in front of it, and where the lines of its transactions are.
#[derive(Debug)]
pub(super) struct SessionLine {
    pub(super) first_seen: Time,
    pub(super) four_tuple: FourTuple,
    /// In [`Batch::session_frames`].
    pub(super) place: Place,
    /// In [`Batch::transactions`].
    pub(super) transactions: Range<usize>,
}

/// What a transaction's line is made of, behind its time and its session's key.
#[derive(Debug)]
pub(super) struct TransactionLine {
    pub(super) timestamp: Time,
    /// In [`Batch::transaction_frames`].
    pub(super) place: Place,
}

/// Memory to make batches in, which is used again.
#[derive(Default)]
pub(super) struct Room {
    texts: Texts,
    sessions: Packer,
    transactions: Packer,
}

impl Batch {
    /// Makes the lines.
    pub(super) fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>, room: &mut Room) -> io::Result<Self> {
        let mut batch = Self::default();
        sessions.into_iter().try_for_each(|session| batch.add(session, room))?;
        room.sessions.finish(&mut batch.session_frames)?;
        room.transactions.finish(&mut batch.transaction_frames)?;
        Ok(batch)
    }

    fn add(&mut self, session: &Session, room: &mut Room) -> io::Result<()> {
        self.summary.add(session);
        let Self { limits, transactions, transaction_frames, .. } = self;
        let first = transactions.len();
        let line = room.texts.of(session, limits, |transaction, fields| {
            let place = room.transactions.add(fields, transaction_frames)?;
            transactions.push(TransactionLine { timestamp: transaction.timestamp, place });
            Ok(())
        })?;
        let transactions = first..transactions.len();
        let (first_seen, four_tuple) = (session.first_seen, session.four_tuple());
        let place = room.sessions.add(line, &mut self.session_frames)?;
        self.sessions.push(SessionLine { first_seen, four_tuple, place, transactions });
        Ok(())
    }
}
