//! The limits of a session, and how often each was reached.

use crate::message::mime::Reached;

/// A limit that what one connection says can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionLimit {
    /// Octets or events of a connection while it is not known whether it is mail.
    Opening,
    /// Octets of a line.
    Line,
    /// Octets of a reply of several lines.
    Reply,
    /// Octets held until a reply says what they are, or what they answer.
    Held,
    /// Commands that await a reply.
    Pending,
    /// Commands kept.
    Commands,
    /// Replies kept.
    Replies,
    /// Transactions kept.
    Transactions,
    /// AUTH exchanges kept.
    Auth,
    /// Recipients of a transaction kept.
    Recipients,
    /// Anomalies kept.
    Anomalies,
    /// Octets of a message's header kept.
    Header,
    /// Octets of a text in a message kept.
    Body,
    /// Multiparts and attached messages around a part.
    MimeDepth,
    /// Parts of a message kept.
    MimeParts,
    /// Octets of headers of parts kept.
    PartHeaders,
    /// URLs of a message kept.
    Urls,
    /// Gaps of a message listed, where all of it is kept.
    Gaps,
    /// Received fields of a message read.
    Hops,
    /// Signatures, results and URLs of a message read.
    Claims,
    /// Silence after which a connection counts as ended.
    Idle,
}

impl SessionLimit {
    const ALL: [Self; 21] = [
        Self::Opening,
        Self::Line,
        Self::Reply,
        Self::Held,
        Self::Pending,
        Self::Commands,
        Self::Replies,
        Self::Transactions,
        Self::Auth,
        Self::Recipients,
        Self::Anomalies,
        Self::Header,
        Self::Body,
        Self::MimeDepth,
        Self::MimeParts,
        Self::PartHeaders,
        Self::Urls,
        Self::Gaps,
        Self::Hops,
        Self::Claims,
        Self::Idle,
    ];

    /// A name that does not change, for reports.
    fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Line => "line_octets",
            Self::Reply => "reply_octets",
            Self::Held => "held_for_reply",
            Self::Pending => "pending_commands",
            Self::Commands => "session_commands",
            Self::Replies => "session_replies",
            Self::Transactions => "session_transactions",
            Self::Auth => "session_auth",
            Self::Recipients => "recipients",
            Self::Anomalies => "anomalies",
            Self::Header => "message_header",
            Self::Body => "message_body",
            Self::MimeDepth => "message_depth",
            Self::MimeParts => "message_parts",
            Self::PartHeaders => "message_part_headers",
            Self::Urls => "message_urls",
            Self::Gaps => "message_gaps",
            Self::Hops => "message_hops",
            Self::Claims => "message_claims",
            Self::Idle => "idle_time",
        }
    }
}

/// How often each limit was reached. Sums of it are sums of its parts, in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LimitsReached([u64; SessionLimit::ALL.len()]);

impl LimitsReached {
    pub(crate) fn count(&mut self, limit: SessionLimit, times: u64) {
        if let Some(count) = self.0.get_mut(limit as usize) {
            *count = count.saturating_add(times);
        }
    }

    /// Counts what reading the body of a message reached.
    pub(crate) fn count_body(&mut self, reached: &Reached) {
        let Reached { depth, parts, part_headers, text, urls } = *reached;
        self.count(SessionLimit::MimeDepth, depth);
        self.count(SessionLimit::MimeParts, parts);
        self.count(SessionLimit::PartHeaders, part_headers);
        self.count(SessionLimit::Body, text);
        self.count(SessionLimit::Urls, urls);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (limit, &times) in SessionLimit::ALL.into_iter().zip(&other.0) {
            self.count(limit, times);
        }
    }

    /// Each limit by its name in a report.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SessionLimit::ALL.into_iter().map(SessionLimit::name).zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::AnomalyKind;
    use crate::anomaly::Role::{self, Client, Server};
    use crate::message::{Cut, MessageOptions};
    use crate::model::{Outcome, Session};
    use crate::report::Summary;
    use crate::samples::{OPENING, conversation, opened, report};
    use crate::session::Options;

    /// The session of these turns, and how often this limit was reached; no other was.
    #[track_caller]
    fn under(options: Options, turns: &[(Role, &str)], limit: &str) -> (Session, u64) {
        let (sessions, reached) = conversation(options, turns);
        let others: Vec<_> = reached.by_name().filter(|&(name, count)| name != limit && count > 0).collect();
        assert!(others.is_empty(), "{others:?}");
        let [session] = sessions.try_into().expect("one session");
        (session, reached.by_name().find(|(name, _)| *name == limit).expect("a limit").1)
    }

    /// The session of these turns, which reach no limit.
    #[track_caller]
    fn under_all(turns: &[(Role, &str)]) -> Session {
        let (sessions, reached) = conversation(Options::default(), turns);
        assert_eq!(reached, LimitsReached::default());
        let [session] = sessions.try_into().expect("one session");
        session
    }

    #[test]
    fn what_is_counted_stands_under_its_name_and_adds_up() {
        for limit in SessionLimit::ALL {
            let (mut one, mut other) = (LimitsReached::default(), LimitsReached::default());
            one.count(limit, 2);
            other.count(limit, 3);
            one.add(&other);
            let counted: Vec<_> = one.by_name().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(limit.name(), 5)]);
        }
    }

    #[test]
    fn a_conversation_within_all_limits_reaches_none() {
        let turns = opened(&[(Client, "NOOP\r\nQUIT\r\n"), (Server, "250 ok\r\n221 bye\r\n")]);
        assert!(under_all(&turns).further.is_none());
    }

    /// 64 KiB, as the document has it.
    #[test]
    fn a_line_of_the_client_or_the_server_beyond_64_kib_is_counted() {
        let longest = format!("NOOP {}\r\n", "x".repeat((64 << 10) - 5));
        let longer = format!("NOOP {}\r\n", "x".repeat((64 << 10) - 4));
        let reply = format!("250 {}\r\n", "y".repeat(64 << 10));
        let reached = |turns: &[(Role, &str)]| under(Options::default(), &[&OPENING, turns].concat(), "line_octets");
        assert_eq!(reached(&[(Client, &longest), (Server, "250 ok\r\n")]).1, 0);
        let (session, count) = reached(&[(Client, &longer), (Server, &reply)]);
        assert_eq!(count, 2);
        assert_eq!(session.commands.last().and_then(|line| line.parameter.as_deref()).map(str::len), Some(65_531));
        let kinds: Vec<_> = session.anomalies.iter().map(|anomaly| anomaly.kind).collect();
        assert_eq!(kinds, [AnomalyKind::LineTooLong; 2]);
    }

    #[test]
    fn a_response_to_a_challenge_and_what_is_no_reply_are_lines_too() {
        let (response, noise) = (format!("{}\r\n", "A".repeat(70_000)), format!("{}\r\n", "y".repeat(70_000)));
        let turns = [&OPENING[..], &[(Client, "AUTH PLAIN\r\n"), (Server, "334 \r\n"), (Client, &response)]].concat();
        assert_eq!(under(Options::default(), &turns, "line_octets").1, 1);
        let turns = [&OPENING[..], &[(Client, "NOOP\r\n"), (Server, &noise), (Server, "250 ok\r\n")]].concat();
        assert_eq!(under(Options::default(), &turns, "line_octets").1, 1);
    }

    /// 256 KiB, as the document has it.
    #[test]
    fn a_reply_beyond_256_kib_is_counted_and_stays_one_reply() {
        let line = format!("250-{}\r\n", "z".repeat(1_000));
        let reply = line.repeat(300) + "250 end\r\n";
        let turns = [&OPENING[..], &[(Client, "HELP\r\nNOOP\r\n"), (Server, &reply), (Server, "250 ok\r\n")]].concat();
        let (session, count) = under(Options::default(), &turns, "reply_octets");
        assert_eq!((count, session.responses.len()), (1, 4));
        assert_eq!(session.responses.last().and_then(|reply| reply.command), Some(2), "the pairing is right");
    }

    /// NOOP alone proves no mail, and no server answers.
    #[test]
    fn an_opening_that_decides_nothing_is_judged_behind_8_kib_and_behind_1024_events() {
        let reached = |turns: &[(Role, &str)]| {
            let (sessions, reached) = conversation(Options::default(), turns);
            assert!(sessions.is_empty());
            reached.by_name().find(|(_, count)| *count > 0)
        };
        assert_eq!(reached(&[(Client, &"NOOP\r\n".repeat(1_366)), (Client, "QUIT\r\n")]), Some(("opening", 1)));
        assert_eq!(reached(&[(Client, &"NOOP\r\n".repeat(1_365))]), None);
        assert_eq!(reached(&[(Client, "NOOP\r\n"); 1_025]), Some(("opening", 1)));
        assert_eq!(reached(&[(Client, "NOOP\r\n"); 1_024]), None);
        assert_eq!(reached(&[(Client, &"<html>".repeat(2_000))]), None, "that is decided");
    }

    #[test]
    fn client_octets_beyond_the_limit_are_taken_for_what_the_client_believed() {
        let message = format!("Subject: s\r\n\r\n{}\r\n.\r\n", "t".repeat(100));
        let turns = [
            &OPENING[..],
            &[(Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"), (Client, &message)],
            &[(Server, "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")],
        ];
        let options = Options { held_limit: 100, ..Options::default() };
        let (session, count) = under(options, &turns.concat(), "held_for_reply");
        let mail = session.transactions.first().expect("a transaction");
        assert_eq!((count, mail.message.as_ref().map(|message| message.bytes)), (1, Some(116)));
    }

    /// What follows a dot line in bare LF is held, too, and what the server says behind the end of such a message.
    #[test]
    fn what_follows_a_dot_line_in_bare_lf_is_held_up_to_the_limit() {
        let data = (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n");
        let replies = (Server, "250 ok\r\n250 ok\r\n354 go\r\n");
        let long = format!("a\n.\n{}\r\n.\r\n", "t".repeat(100));
        let turns = [&OPENING[..], &[data, replies, (Client, &long), (Server, "250 taken\r\n")]].concat();
        let options = Options { held_limit: 100, ..Options::default() };
        assert_eq!(under(options, &turns, "held_for_reply").1, 1);
        let answer = format!("250 {}\r\n", "y".repeat(100));
        let turns = [&OPENING[..], &[data, replies, (Client, "a\n.\nb\r\n.\r\n"), (Server, &answer)]].concat();
        assert_eq!(under(options, &turns, "held_for_reply").1, 1);
    }

    #[test]
    fn commands_that_await_a_reply_beyond_the_limit_stay_unanswered() {
        let options = Options { pending_limit: 3, ..Options::default() };
        let replies = "250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n";
        let turns = opened(&[(Client, "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n"), (Server, replies)]);
        let (session, count) = under(options, &turns, "pending_commands");
        assert_eq!(count, 2);
        let answered: Vec<_> = session.responses.iter().skip(2).map(|reply| reply.command).collect();
        assert_eq!(answered, [None, None, Some(3), Some(4), Some(5)], "the oldest two are given up, and their replies");
    }

    #[test]
    fn recipients_and_anomalies_beyond_the_limit_are_counted() {
        let turns = opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\n"),
            (Server, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"),
        ]);
        let options = Options { recipients_limit: 1, ..Options::default() };
        let (session, count) = under(options, &turns, "recipients");
        assert_eq!((count, session.transactions.first().map(|mail| mail.further_recipients)), (2, Some(2)));
        let options = Options { anomalies_limit: 1, ..Options::default() };
        let turns = opened(&[(Client, "RSET\nRSET\nRSET\n"), (Server, "250 ok\r\n250 ok\r\n250 ok\r\n")]);
        let (session, count) = under(options, &turns, "anomalies");
        assert_eq!((count, session.further_anomalies), (2, 2));
    }

    #[test]
    fn a_header_beyond_the_limit_is_counted_on_and_the_message_says_so() {
        let turns = opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n250 ok\r\n354 go\r\n"),
            (Client, "Subject: one\r\nX-Long: two\r\n\r\nThe body.\r\n.\r\n"),
            (Server, "250 taken\r\n"),
        ]);
        for parts in [true, false] {
            let of = |message| {
                let (session, count) = under(Options { message, ..Options::default() }, &turns, "message_header");
                let message = session.transactions.into_iter().next().and_then(|mail| mail.message).expect("a message");
                (count, message.bytes, message.complete, message.cut)
            };
            let plain = MessageOptions { parts, ..MessageOptions::default() };
            assert_eq!(of(MessageOptions { header_limit: 29, ..plain }), (0, 40, true, None));
            assert_eq!(of(MessageOptions { header_limit: 28, ..plain }), (1, 40, true, Some(Cut::Header)));
        }
    }

    #[test]
    fn hops_and_claims_beyond_the_limit_are_counted_and_the_message_says_how_many() {
        let turns = opened(&[
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n250 ok\r\n354 go\r\n"),
            (Client, "Received: by a\r\nReceived: by b\r\nReceived: by c\r\nDKIM-Signature: d=a\r\n"),
            (Client, "Authentication-Results: a; spf=pass; dkim=fail\r\n\r\n.\r\n"),
            (Server, "250 taken\r\n"),
        ]);
        let of = |message, limit| {
            let (session, count) = under(Options { message, ..Options::default() }, &turns, limit);
            let message = session.transactions.into_iter().next().and_then(|mail| mail.message).expect("a message");
            let fields = message.fields();
            (count, fields.received.len(), fields.further_received, fields.further_claims)
        };
        let plain = MessageOptions::default();
        assert_eq!(of(MessageOptions { hops_limit: 3, ..plain }, "message_hops"), (0, 3, 0, 0));
        assert_eq!(of(MessageOptions { hops_limit: 2, ..plain }, "message_hops"), (1, 2, 1, 0));
        assert_eq!(of(MessageOptions { claims_limit: 4, ..plain }, "message_claims"), (0, 3, 0, 0));
        assert_eq!(of(MessageOptions { claims_limit: 1, ..plain }, "message_claims"), (1, 3, 0, 1), "a field is one");
    }

    /// A dialogue of mails, some refused, with AUTH before them; each mail has six commands and seven replies.
    fn mails(count: usize) -> Vec<(Role, &'static str)> {
        let mail = [
            (Client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n"),
            (Server, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"),
            (Client, "\r\ntext\r\n.\r\n"),
            (Server, "250 taken\r\n"),
            (Client, "MAIL FROM:<d@x>\r\nRSET\r\n"),
            (Server, "450 later\r\n250 ok\r\n"),
        ];
        let auth = [(Client, "AUTH PLAIN AGEAYg==\r\n"), (Server, "535 no\r\n")];
        let mut turns = opened(&[&auth[..], &auth[..], &[(Client, "AUTH PLAIN AGEAYg==\r\n")]].concat());
        turns.push((Server, "235 yes\r\n"));
        (0..count).for_each(|_| turns.extend(mail));
        turns.extend([(Client, "QUIT\r\n"), (Server, "221 bye\r\n")]);
        turns
    }

    /// The totals, and the counts of replies by code, are those of a session that is kept whole; what is kept of it is its
    /// beginning, each reply with its command.
    #[test]
    fn an_endless_session_is_kept_to_the_limit_and_counted_on() {
        let turns = mails(30);
        let whole = under_all(&turns);
        assert!(whole.further.is_none());
        assert_eq!((whole.commands.len(), whole.responses.len(), whole.transactions.len()), (185, 216, 60));
        for records_limit in [1, 2, 3, 7, 10, 50, 61, 184, 185, 200, 216] {
            let (sessions, reached) = conversation(Options { records_limit, ..Options::default() }, &turns);
            let [session] = sessions.try_into().expect("one session");
            let commands: Vec<_> = session.commands.iter().map(|command| &command.command).collect();
            let expected: Vec<_> = whole.commands.iter().take(records_limit).map(|command| &command.command).collect();
            assert_eq!(commands, expected, "{records_limit}");
            let kept = |reply: &&crate::model::Response| reply.command.is_none_or(|index| index < commands.len());
            let reply = |reply: &crate::model::Response| (reply.code.to_string(), reply.command);
            let expected: Vec<_> = whole.responses.iter().filter(kept).take(records_limit).map(reply).collect();
            assert_eq!(session.responses.iter().map(reply).collect::<Vec<_>>(), expected, "{records_limit}");
            assert_eq!(session.transactions.len(), 60.min(records_limit));
            for (mail, as_whole) in session.transactions.iter().zip(&whole.transactions) {
                assert_eq!((mail.outcome, mail.recipients.len()), (as_whole.outcome, as_whole.recipients.len()));
                let kept = as_whole.commands.start.min(commands.len())..as_whole.commands.end.min(commands.len());
                assert_eq!(mail.commands, kept, "{records_limit}");
                assert!(session.responses.get(mail.responses.clone()).is_some(), "{records_limit}: {mail:?}");
            }
            assert_eq!((session.transaction_count, session.auth_attempts, session.authenticated), (60, 3, true));
            let counted = |name| reached.by_name().find(|(other, _)| *other == name).map(|(_, count)| count);
            let beyond = |all: usize, kept: usize| Some((all - kept) as u64);
            assert_eq!(counted("session_commands"), beyond(185, session.commands.len()));
            assert_eq!(counted("session_replies"), beyond(216, session.responses.len()));
            assert_eq!(counted("session_transactions"), beyond(60, session.transactions.len()));
            assert_eq!(counted("session_auth"), beyond(3, session.auth.len()));
            assert_eq!(summary_of(session), summary_of(whole.clone()), "{records_limit}");
        }
    }

    fn summary_of(session: Session) -> (Summary, serde_json::Value) {
        let report = report(vec![session]);
        let replies = serde_json::to_value(crate::insights::replies::analyse(&report)).expect("JSON");
        (
            report.summary,
            [&replies["response_code_counts"], &replies["response_categories"]].into_iter().cloned().collect(),
        )
    }

    /// RFC 3030 §4.3: the reply to BDAT LAST may come before the chunk's last octet; the message is that of the
    /// transaction it ends, not of the last one that is kept.
    #[test]
    fn a_late_message_of_a_transaction_that_is_not_kept_is_not_that_of_another() {
        let turns = opened(&[
            (Client, "MAIL FROM:<a@x>\r\n"),
            (Server, "550 no\r\n"),
            (Client, "MAIL FROM:<b@x>\r\nRCPT TO:<c@x>\r\n"),
            (Server, "250 ok\r\n250 ok\r\n"),
            (Client, "BDAT 4 LAST\r\nab"),
            (Server, "250 taken\r\n"),
            (Client, "cd"),
        ]);
        let summary = |records_limit| {
            let (sessions, _) = conversation(Options { records_limit, ..Options::default() }, &turns);
            assert!(
                sessions.iter().flat_map(|session| &session.transactions).take(1).all(|mail| mail.message.is_none())
            );
            report(sessions).summary
        };
        let (whole, cut) = (summary(100), summary(1));
        assert_eq!((whole.message_bytes, whole.completed_transactions, whole.rejected_transactions), (4, 1, 1));
        assert_eq!(cut, Summary { ..whole });
    }

    #[test]
    fn what_is_not_kept_shows_in_the_document() {
        let (sessions, _) = conversation(Options { records_limit: 10, ..Options::default() }, &mails(30));
        assert_eq!(
            sessions.first().map(|session| session.transactions.first().map(|mail| mail.outcome)),
            Some(Some(Outcome::Accepted))
        );
        let session = serde_json::to_value(sessions.first().expect("a session")).expect("JSON");
        assert_eq!(
            session["further"],
            serde_json::json!({"commands": 175, "responses": 206, "transactions": 50, "auth": 0})
        );
        assert_eq!(session["commands"].as_array().map(Vec::len), Some(10));
    }
}
