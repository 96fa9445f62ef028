//! Pairing where octets are lost: what is missing of either side, and which replies may be meant for what is there.
//!
//! Codes and counts decide. Where they do not, a reply is rather paired with none than with a wrong command.

use super::dialogue::{Dialogue, Stamp};
use super::pending::{Kind, Pending};
use crate::anomaly::{AnomalyKind, Role};
use crate::transaction::Place;

impl Dialogue {
    /// A response to a SASL challenge is lost. It is answered all the same.
    pub(crate) fn auth_response_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.commands_lost(at, octets);
        let nowhere = Place { command: None, timestamp: at.timestamp };
        let place = self.exchange.as_ref().map_or(nowhere, |(_, of_auth)| *of_auth);
        self.enqueue(Kind::Auth, place, at);
    }

    /// Octets of the client's commands are lost.
    pub(crate) fn commands_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.commands_lost(at, octets);
        let place = Place { command: None, timestamp: at.timestamp };
        self.uncounted = true;
        self.resumption.get_or_insert_default();
        self.chunks_may_be_lost = true;
        if let Some(chunks) = &mut self.chunks {
            chunks.lack_part();
        }
        match self.queue.back_mut() {
            Some(Pending { kind: Kind::Lost { answered }, .. }) => *answered = false,
            _ => self.enqueue(Kind::Lost { answered: false }, place, at),
        }
    }

    /// Octets of the server's replies are lost.
    pub(crate) fn replies_lost(&mut self, at: Stamp, octets: u64) {
        self.anomalies.add(AnomalyKind::ReplyGap, at, Role::Server, format!("{octets} octets"));
        self.replies_lost = Some(at.offset + octets);
        self.greeting_expected = false;
    }

    /// Takes from the queue what this reply cannot be meant for.
    pub(super) fn skip_unanswerable(&mut self, code: u16) {
        if self.replies_lost.is_some() {
            let is_known = self.queue.iter().any(|pending| pending.kind.can_be_answered_by(code));
            // A code that only one command has tells of it, even where that is lost.
            let is_lost = || is_telling(code) && self.queue.iter().any(|pending| pending.kind.is_lost());
            if is_known || is_lost() {
                let fits = |kind: &Kind| if is_known { kind.can_be_answered_by(code) } else { kind.is_lost() };
                while self.queue.front().is_some_and(|pending| !fits(&pending.kind)) {
                    self.unanswered();
                }
            }
        }
        while let Some(front) = self.queue.front() {
            let skip = match front.kind {
                // An empty line that the server passed over in silence.
                Kind::Empty => code < 500 && self.queue.len() > 1,
                // One reply at least is to what is lost, unless its code says more.
                Kind::Lost { answered } => {
                    let fits = |next: &Pending| next.kind.can_be_answered_by(code);
                    (answered || is_telling(code)) && self.queue.second().is_some_and(fits)
                }
                _ => false,
            };
            if !skip {
                return;
            }
            self.unanswered();
        }
    }

    /// Whether a reply is to one of the commands that are lost, of which there may be any number: the first command that
    /// is known cannot have it, or none is known that awaits one.
    pub(super) fn is_of_uncounted(&mut self, code: u16) -> bool {
        if !self.uncounted || matches!(code, 334 | 354) {
            return false;
        }
        match self.queue.front_mut().map(|pending| &mut pending.kind) {
            Some(Kind::Lost { answered }) => {
                *answered = true;
                true
            }
            Some(kind @ (Kind::Data | Kind::Xexch50(_))) => !kind.can_be_answered_by(code),
            _ => false,
        }
    }

    /// Whether replies are lost, and this one may be to any of several commands: it is paired with none rather than with
    /// a wrong one. What the client does next says that they have all been answered.
    pub(super) fn is_ambiguous(&self, code: u16) -> bool {
        let may_be_meant = self.queue.iter().filter(|pending| pending.kind.can_be_answered_by(code));
        self.replies_lost.is_some() && may_be_meant.take(2).count() > 1
    }
}

/// Whether the code alone says what it answers: QUIT, AUTH, or DATA.
fn is_telling(code: u16) -> bool {
    matches!(code, 221 | 235 | 334 | 354)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Options;

    fn dialogue(kinds: Vec<Kind>) -> Dialogue {
        let mut dialogue = Dialogue::new(Options::default(), false);
        for kind in kinds {
            let place = Place { command: None, timestamp: crate::output::time::Time::default() };
            dialogue.queue.push(Pending { kind, place, acknowledged: None, abandoned: None });
        }
        dialogue
    }

    /// RFC 5321 §4.2.3 and §4.1.1.4: DATA is answered by 354, 4xx or 5xx.
    #[test]
    fn lost_commands_take_one_reply_and_those_that_fit_nothing_else() {
        let mut dialogue = dialogue(vec![Kind::Lost { answered: false }, Kind::Data]);
        dialogue.uncounted = true;
        dialogue.skip_unanswerable(250);
        assert!(dialogue.is_of_uncounted(250) && dialogue.is_of_uncounted(250));
        dialogue.skip_unanswerable(354);
        assert!(!dialogue.is_of_uncounted(354));
        assert!(matches!(dialogue.queue.front(), Some(Pending { kind: Kind::Data, .. })));
    }

    #[test]
    fn behind_lost_replies_a_code_that_fits_several_commands_fits_none() {
        let mut dialogue = dialogue(vec![Kind::Rset, Kind::Other, Kind::Quit]);
        assert!(!dialogue.is_ambiguous(250), "no reply is lost");
        dialogue.replies_lost = Some(9);
        assert!(dialogue.is_ambiguous(250) && !dialogue.is_ambiguous(221));
    }
}
