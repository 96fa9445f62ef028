//! The server's side of a session: what its replies decide about the client's octets, and about where a message ended.

use smtp_parser::{ClientMode, SmtpEvent};

use super::dialogue::Next;
use super::lookahead::{LONGEST_VERB, begins_like_command, begins_like_reply};
use super::tentative::Tentative;
use super::{Awaited, Held, SessionLimit, Stamp, Time, Tracker, is_cut};
use crate::anomaly::{AnomalyKind, Role};

impl Tracker {
    pub(super) fn server_octets(&mut self, mut bytes: &[u8], mut at: Stamp) {
        if std::mem::take(&mut self.reply_is_overdue) && begins_like_reply(bytes) && self.dialogue.outstanding() <= 2 {
            self.end_overdue_reply(at);
        }
        loop {
            if self.tentative.is_some() && self.dialogue.only_content_is_due() {
                self.watch_for_lenient_end(bytes, at);
            }
            let step = self.server.step(bytes);
            let consumed = step.consumed;
            let again = step.event.is_some();
            let mut next = Next::Unchanged;
            match step.event {
                Some(SmtpEvent::Reply(reply)) => {
                    self.reply_is_lost = false;
                    let end = at.offset + consumed as u64;
                    let reply_at = Stamp { offset: end.saturating_sub(reply.octets), ..at };
                    next = self.dialogue.reply(&reply, reply_at);
                }
                Some(SmtpEvent::Malformed { line, octets, .. }) => {
                    self.dialogue.limits.count(SessionLimit::Line, is_cut(line).into());
                    let shown = self.dialogue.secrets.excerpt(line);
                    let line_at = Stamp { offset: (at.offset + consumed as u64).saturating_sub(octets), ..at };
                    self.dialogue.anomalies.add(AnomalyKind::InvalidReply, line_at, Role::Server, shown);
                    // What the client does next tells whether it took it for a reply.
                    self.reply_is_lost |= self.dialogue.foreign_line(at.offset + consumed as u64);
                }
                _ => {}
            }
            at.offset += consumed as u64;
            bytes = bytes.get(consumed..).unwrap_or_default();
            if next == Next::Commands && self.client.mode() == ClientMode::Content {
                // The end of the message was lost; the client is in the middle of some line of it, or behind it.
                self.client.set_mode(ClientMode::Command);
                self.tentative = None;
            }
            self.go_on(next, at.timestamp);
            if !again && bytes.is_empty() {
                return;
            }
        }
    }

    /// RFC 5321 §4.1.1.4 has the message follow on the 354 alone:
    /// > If accepted, the SMTP server returns a 354 Intermediate reply and considers all succeeding lines up to but not
    /// > including the end of mail data indicator to be the message text.
    ///
    /// To a server that says 250 instead most clients send no message; qmail-remote sends it to any that does not refuse
    /// DATA. So what the client says next tells: a command, or anything else.
    pub(super) fn settle_first_line(&mut self) {
        let Some(Awaited::FirstLine(data)) = self.awaited else { return };
        let mut begin = Vec::with_capacity(LONGEST_VERB + 1);
        for held in &self.held {
            match held {
                Held::Octets(octets, _) => begin.extend(octets.iter().take(LONGEST_VERB + 1 - begin.len())),
                // What stands behind it has to tell.
                Held::Gap(..) => begin.clear(),
            }
            let is_told = begin.len() > LONGEST_VERB || begin.iter().any(|octet| matches!(octet, b' ' | b'\r' | b'\n'));
            if is_told {
                let next = if begins_like_command(&begin) { Next::Commands } else { Next::Content };
                if next == Next::Content {
                    self.dialogue.transactions.data_was_taken(data);
                }
                // The message's time is that of its first octets, which are held.
                return self.go_on(next, Time::default());
            }
        }
    }

    /// The client has received a reply whose end the capture does not show.
    pub(super) fn end_overdue_reply(&mut self, at: Stamp) {
        if let Some(SmtpEvent::Reply(reply)) = self.server.flush_partial() {
            let next = self.dialogue.reply(&reply, at);
            self.go_on(next, at.timestamp);
        }
    }

    /// The server answers although CRLF.CRLF has not been seen: it took a dot line in bare LF for the end of the
    /// message. What followed that line was commands.
    fn watch_for_lenient_end(&mut self, bytes: &[u8], at: Stamp) {
        if !begins_like_reply(bytes) || self.server.partial().is_some() {
            return;
        }
        let Some(tentative) = self.tentative.take() else { return };
        if at.acknowledged.is_some_and(|offset| offset < tentative.end().offset) {
            self.tentative = Some(tentative);
            return;
        }
        self.go_back_to(tentative);
    }

    /// The message ended at the dot line, and what followed it was commands.
    fn go_back_to(&mut self, tentative: Tentative) {
        let end = tentative.end();
        let detail = tentative.variant().to_owned();
        self.dialogue.anomalies.add(AnomalyKind::BareLfEndOfData, end, Role::Client, detail);
        if let Some(body) = self.dialogue.receiving() {
            tentative.restore(body);
        }
        self.dialogue.end_content(end);
        self.endings.close();
        self.client.set_mode(ClientMode::Command);
        self.client_octets(&tentative.into_octets(), end);
    }

    /// Enough is known to say where the message ended.
    pub(super) fn resolve(&mut self) {
        let Some(suspense) = self.suspense.take() else { return };
        let pipelined = self.held.iter().map(|held| match held {
            Held::Octets(octets, _) => memchr::memchr_iter(b'\n', octets).count(),
            Held::Gap(..) => 0,
        });
        let explained = 1 + pipelined.sum::<usize>();
        self.awaited = None;
        match self.tentative.take() {
            Some(tentative) if suspense.shows_more_than(explained) && begins_like_command(tentative.octets()) => {
                let held = std::mem::take(&mut self.held);
                let octets = std::mem::take(&mut self.held_octets);
                self.go_back_to(tentative);
                self.held.extend(held);
                self.held_octets += octets;
                if self.awaited.is_none() {
                    self.read_held();
                }
            }
            _ => {
                self.dialogue.end_content(suspense.end());
                self.read_held();
            }
        }
        for (octets, at) in suspense.into_replies() {
            self.server_octets(&octets, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::anomaly::AnomalyKind;
    use crate::anomaly::Role::{self, Client, Server};
    use crate::model::{Outcome, Session};
    use crate::samples::{opened, talk};

    fn after_data(turns: &[(Role, &'static str)]) -> Session {
        let data =
            [(Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"), (Server, "250 ok\r\n250 ok\r\n354 go\r\n")];
        talk(&opened(&[&data, turns].concat()))
    }

    /// RFC 5321 §4.1.1.4: CRLF . CRLF ends the message, and nothing else; what looks like commands in it is text.
    #[test]
    fn a_dot_line_in_bare_lf_that_nobody_answers_is_text() {
        let session = after_data(&[(Client, "\r\na\n.\nMAIL FROM:<c@x>\r\n.\r\n"), (Server, "250 taken\r\n")]);
        let [mail] = session.transactions.try_into().expect("one transaction");
        assert_eq!((mail.outcome, mail.message.map(|message| message.bytes)), (Outcome::Accepted, Some(23)));
    }

    /// The contract: "A dot line in bare LF ends the content only where the server answers it."
    #[test]
    fn a_dot_line_in_bare_lf_that_the_server_answers_ends_the_message() {
        let session = after_data(&[
            (Client, "\r\na\n.\n"),
            (Server, "250 taken\r\n"),
            (Client, "MAIL FROM:<c@x>\r\n"),
            (Server, "250 ok\r\n"),
        ]);
        let outcomes: Vec<_> = session.transactions.iter().map(|mail| mail.outcome).collect();
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Aborted]);
        assert!(session.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::BareLfEndOfData));
    }

    /// RFC 5321 §4.1.1.4, 2920 §3.1: after a DATA that was refused the server reads commands again.
    #[test]
    fn where_data_is_refused_what_follows_is_commands() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n550 no\r\n"),
            (Client, "QUIT\r\n"),
            (Server, "554 no valid recipients\r\n221 bye\r\n"),
        ]));
        assert_eq!(session.commands.last().map(|command| &*command.command), Some("QUIT"));
        assert_eq!(
            session.transactions.first().map(|mail| (mail.outcome, mail.has_data)),
            Some((Outcome::Rejected, false))
        );
    }

    #[test]
    fn a_line_that_is_no_reply_is_noted_and_answers_nothing() {
        let session = talk(&opened(&[(Client, "NOOP\r\n"), (Server, "hello\r\n250 ok\r\n")]));
        assert!(session.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::InvalidReply));
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(1));
    }
}
