//! What the capture has lost and the client's next words show: the reply to DATA, and the end of a message together
//! with its reply.

use smtp_parser::ClientMode;

use super::dialogue::{Dialogue, Next};
use super::lookahead::{begins_like_command, begins_like_tls};
use super::pending::{Kind, Pending};
use super::{Awaited, Held, Place, Stamp, StartTls, Time, Tracker};
use crate::model::Response;

impl Tracker {
    /// The server's last octets are lost, and the client went on when it had received them. Behind DATA, RFC 5321
    /// §4.1.1.4: it waits for the 354 before it sends the message; refused, it goes on with a command. Behind AUTH,
    /// RFC 4954 §4: it answers a challenge with base64; let in or not, it goes on with a command. So it does behind a
    /// STARTTLS that was refused.
    pub(super) fn settle_lost_reply_to_data(&mut self) {
        if self.awaited == Some(Awaited::StartTls)
            && self.reply_is_lost
            && matches!(self.held.front(), Some(Held::Octets(octets, _)) if begins_like_tls(octets))
        {
            // RFC 3207 §4: the client begins TLS behind the 220, which is lost.
            self.dialogue.starttls = Some(StartTls::Accepted);
            while !self.dialogue.queue.is_empty() {
                self.dialogue.unanswered();
            }
            return self.go_on(Next::Tls, Time::default());
        }
        let go_ahead = match self.awaited {
            Some(Awaited::Data) => Next::Content,
            Some(Awaited::Blob(octets)) => Next::Blob(octets),
            Some(Awaited::Auth) => Next::AuthResponse,
            Some(Awaited::StartTls) => Next::Unchanged,
            _ => return,
        };
        if !self.reply_is_lost && self.dialogue.unsure.is_empty() {
            return;
        }
        let first = self.held.iter().find_map(|held| match held {
            Held::Octets(octets, at) => Some((begins_like_command(octets), *at)),
            Held::Gap(..) => None,
        });
        let Some((is_command, at)) = first.filter(|(_, at)| at.acknowledged <= Some(self.server_delivered)) else {
            return;
        };
        if !is_command && go_ahead == Next::Unchanged {
            return;
        }
        if self.dialogue.deciding_reply_is_lost(at, !is_command && go_ahead == Next::AuthResponse) {
            if !is_command && go_ahead == Next::Content {
                let place = Place { command: self.dialogue.data_command, timestamp: at.timestamp };
                self.dialogue.transactions.data_was_taken(place);
            }
            self.go_on(if is_command { Next::Commands } else { go_ahead }, at.timestamp);
        }
    }

    /// Octets of the message are lost, and so are replies that the client had received when it sent this, which begins
    /// like a command: the message has ended in the first gap, and been answered in the second. Where nothing of the server
    /// is in the capture, only what can be nothing but commands shows that.
    pub(super) fn settle_lost_end_of_message(&mut self, octets: &[u8], at: Stamp) {
        if self.client.mode() != ClientMode::Content || self.awaited.is_some() {
            return;
        }
        let has_gap = self.dialogue.receiving().is_some_and(|body| body.has_gap());
        let is_answered = has_gap && self.dialogue.has_lost_reply_before(at) && begins_like_command(octets);
        if is_answered || self.client_resumes && !self.heard.server && is_envelope(octets) {
            // Its reply had been received before this was sent.
            self.dialogue.end_content(Stamp { acknowledged: None, ..at });
            self.client.set_mode(ClientMode::Command);
        } else {
            self.dialogue.settle_lost_replies(at);
        }
    }
}

impl Dialogue {
    /// Where the client has gone on behind lost replies, what it had sent before got its reply in there.
    pub(super) fn settle_lost_replies(&mut self, at: Stamp) {
        let Some(end) = self.replies_lost.filter(|&end| at.acknowledged >= Some(end)) else { return };
        self.replies_lost = None;
        self.unsure.clear();
        self.dropped = 0;
        // Of commands that are lost as well it shows nothing, if they may have been sent together with this.
        let is_first_since = at.acknowledged == Some(end);
        let may_follow = |pending: &Pending| is_first_since && matches!(pending.kind, Kind::Lost { several: true, .. });
        while let Some(front) = self.queue.front().filter(|pending| pending.acknowledged < Some(end)) {
            if self.queue.len() == 1 && may_follow(front) {
                return;
            }
            self.unanswered();
        }
    }

    /// Whether replies are lost, and the client had received them when it sent this.
    fn has_lost_reply_before(&self, at: Stamp) -> bool {
        self.replies_lost.is_some_and(|end| at.acknowledged >= Some(end))
    }

    /// Whether the client had received more than when it sent the last command, all of which is lost. Then nothing it sent up
    /// to there awaits a reply any more. `is_challenge`: the last of it has been answered all the same, by a challenge.
    fn deciding_reply_is_lost(&mut self, at: Stamp, is_challenge: bool) -> bool {
        let is_lost = self.queue.iter().last().is_some_and(|pending| {
            matches!(pending.kind, Kind::Data | Kind::Xexch50(_) | Kind::Auth | Kind::StartTls)
                && pending.acknowledged < at.acknowledged
        });
        if is_lost {
            if is_challenge {
                self.queue.pop_back();
            }
            let refusal = self.unsure_refusal_of_data(at);
            // Further replies may be lost with it.
            self.replies_lost = self.replies_lost.filter(|&end| at.acknowledged < Some(end));
            let data = refusal.and_then(|refusal| self.queue.pop_back().zip(Some(refusal)));
            while !self.queue.is_empty() {
                self.unanswered();
            }
            if let Some((data, (index, mut response))) = data {
                response.command = data.place.command;
                self.last_answered = self.last_answered.max(response.command);
                if let Some(kept) = self.responses.get_mut(index) {
                    kept.command = response.command;
                }
                self.data_command = data.place.command;
                self.transactions.data(data.place, Some(&response));
            }
        }
        is_lost
    }

    /// The last of the replies of which it was not known whether they are to lost commands, where the client has received no
    /// more when it goes on behind DATA: it has waited for that one (RFC 2920 §3.1 has DATA last in its group). Given with
    /// its place.
    fn unsure_refusal_of_data(&mut self, at: Stamp) -> Option<(usize, Response)> {
        let is_data = matches!(self.queue.iter().last(), Some(Pending { kind: Kind::Data, .. }));
        let is_last = at.acknowledged == Some(self.last_reply_ends) && self.replies_lost == at.acknowledged;
        let last = self.unsure.pop_back().filter(|(index, _)| index + 1 == self.responses.len());
        self.unsure.clear();
        last.filter(|(_, response)| is_data && is_last && matches!(response.class(), 4 | 5))
    }
}

/// Whether a segment is MAIL and nothing but commands behind it.
fn is_envelope(octets: &[u8]) -> bool {
    let is_mail = octets.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case(b"MAIL FROM:<"));
    is_mail && octets.ends_with(b"\r\n") && octets.split_inclusive(|&octet| octet == b'\n').all(begins_like_command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Role;
    use crate::samples::at;
    use crate::session::{Options, TlsState};

    /// DATA was sent when the client had received 20 octets, and octets 20 to 30 of the server are lost.
    fn after_data() -> Tracker {
        let mut tracker = Tracker::new(Options::default(), false);
        tracker.octets(Role::Server, b"220 mx ESMTP ready\r\n", stamp(0, 0));
        tracker.octets(Role::Client, b"DATA\r\n", stamp(0, 20));
        tracker
    }

    fn stamp(offset: u64, acknowledged: u64) -> Stamp {
        Stamp { offset, timestamp: at(0), acknowledged: Some(acknowledged), packet: None }
    }

    fn lose(tracker: &mut Tracker) {
        tracker.gap(Role::Server, 10, Stamp { acknowledged: None, ..stamp(20, 0) });
    }

    /// RFC 3207 §4: a client that begins TLS behind STARTTLS has been told to.
    #[test]
    fn tls_behind_a_lost_reply_to_starttls_is_tls() {
        let mut tracker = Tracker::new(Options::default(), false);
        tracker.octets(Role::Server, b"220 mx ESMTP ready\r\n", stamp(0, 0));
        tracker.octets(Role::Client, b"STARTTLS\r\n", stamp(0, 20));
        tracker.octets(Role::Client, b"\x16\x03\x01\x00\x05hello", stamp(10, 30));
        lose(&mut tracker);
        assert_eq!((tracker.tls, tracker.dialogue.starttls), (TlsState::Seen, Some(StartTls::Accepted)));
        tracker.octets(Role::Server, b"\x16\x03\x03\x00\x05\r\nab\n", stamp(30, 20));
        assert_eq!((tracker.dialogue.commands.len(), tracker.dialogue.outstanding()), (1, 0));
    }

    /// RFC 4954 §4: a challenge is answered in base64; what begins like a command shows that the exchange is over.
    #[test]
    fn what_comes_behind_a_lost_reply_to_auth_shows_what_it_was() {
        let behind = |octets: &[u8]| {
            let mut tracker = Tracker::new(Options::default(), false);
            tracker.octets(Role::Server, b"220 mx ESMTP ready\r\n", stamp(0, 0));
            tracker.octets(Role::Client, b"AUTH LOGIN\r\n", stamp(0, 20));
            tracker.octets(Role::Client, octets, stamp(12, 30));
            lose(&mut tracker);
            tracker
        };
        let mut over = behind(b"MAIL FROM:<a@b>\r\n");
        assert_eq!((over.dialogue.commands.len(), over.dialogue.outstanding()), (2, 1));
        over.octets(Role::Server, b"530 no\r\n", stamp(30, 29));
        assert_eq!(over.dialogue.responses.last().and_then(|reply| reply.command), Some(1));
        let mut goes_on = behind(b"YWxpY2U=\r\n");
        assert_eq!((goes_on.dialogue.commands.len(), goes_on.dialogue.outstanding()), (1, 1));
        goes_on.octets(Role::Server, b"535 no\r\n", stamp(30, 22));
        assert_eq!(goes_on.dialogue.responses.last().and_then(|reply| reply.command), Some(0));
    }

    /// RFC 5321 §4.2.1: the last line of the reply to EHLO is lost; the client has read it, and goes on.
    #[test]
    fn a_reply_whose_last_line_is_lost_is_the_one_the_client_has_read() {
        let mut tracker = Tracker::new(Options::default(), true);
        tracker.octets(Role::Server, b"220 mx\r\n", stamp(0, 0));
        tracker.octets(Role::Client, b"EHLO a\r\n", stamp(0, 8));
        tracker.octets(Role::Server, b"250-mx\r\n", stamp(8, 8));
        tracker.gap(Role::Server, 10, Stamp { acknowledged: None, ..stamp(16, 0) });
        tracker.octets(Role::Client, b"NOOP\r\n", stamp(8, 26));
        tracker.octets(Role::Server, b"250 ok\r\n", stamp(26, 14));
        let paired: Vec<_> = tracker.dialogue.responses.iter().map(|reply| reply.command).collect();
        assert_eq!(paired, [None, Some(0), Some(1)]);
    }

    #[test]
    fn a_message_sent_on_a_lost_reply_is_a_message_whenever_the_loss_is_known() {
        let mut known_before = after_data();
        lose(&mut known_before);
        known_before.octets(Role::Client, b"Subject: x\r\n", stamp(6, 30));
        let mut known_after = after_data();
        known_after.octets(Role::Client, b"Subject: x\r\n", stamp(6, 30));
        lose(&mut known_after);
        for mut tracker in [known_before, known_after] {
            assert_eq!(tracker.dialogue.receiving().map(|body| body.octets()), Some(12));
        }
    }

    #[test]
    fn a_command_sent_on_a_lost_reply_is_a_command() {
        let mut tracker = after_data();
        lose(&mut tracker);
        tracker.octets(Role::Client, b"RSET\r\n", stamp(6, 30));
        assert_eq!(tracker.dialogue.commands.len(), 2);
        assert!(tracker.dialogue.receiving().is_none());
    }

    /// Then the reply to the end of the message is no doubtful one.
    #[test]
    fn replies_that_the_client_had_received_when_it_sent_the_message_are_lost_no_more() {
        for (acknowledged, is_settled) in [(38, true), (29, false)] {
            let mut tracker = after_data();
            lose(&mut tracker);
            tracker.octets(Role::Server, b"354 go\r\n", stamp(30, 6));
            tracker.octets(Role::Client, b"Subject: x\r\n", stamp(6, acknowledged));
            assert_eq!(tracker.dialogue.replies_lost.is_none(), is_settled);
        }
    }

    /// What was sent before the lost octets were received says nothing about them, and what was sent after more had
    /// been received may answer that.
    #[test]
    fn what_the_client_did_not_base_on_the_lost_octets_is_held() {
        for acknowledged in [20, 31] {
            let mut tracker = after_data();
            lose(&mut tracker);
            tracker.octets(Role::Client, b"Subject: x\r\n", stamp(6, acknowledged));
            assert_eq!((tracker.awaited, tracker.held.len()), (Some(Awaited::Data), 1), "{acknowledged}");
        }
    }
}
