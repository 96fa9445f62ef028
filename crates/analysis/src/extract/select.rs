//! Which mails are wanted.

use regex::{Regex, RegexBuilder};

use crate::message::{Fields, Mailbox};
use crate::model::{FourTuple, Transaction};

/// Which mails are wanted: those that agree with each kind of which something is given, there with any of them.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    from: Vec<Regex>,
    to: Vec<Regex>,
    subject: Vec<Regex>,
    /// Keys, as the documents have them.
    sessions: Vec<String>,
}

/// What is asked for, as it is written: texts to be contained, or regular expressions. Neither cares for case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    /// In MAIL FROM or From.
    pub from: Vec<String>,
    /// In RCPT TO, To or Cc.
    pub to: Vec<String>,
    /// In Subject.
    pub subject: Vec<String>,
    /// Whether all of these are regular expressions.
    pub are_regular_expressions: bool,
}

impl Selection {
    /// A selection by patterns and by the keys of sessions.
    ///
    /// # Errors
    /// Where a pattern is no regular expression.
    pub fn new(patterns: &Patterns, sessions: Vec<String>) -> Result<Self, regex::Error> {
        let compile = |pattern: &String| {
            let text = if patterns.are_regular_expressions { pattern.clone() } else { regex::escape(pattern) };
            RegexBuilder::new(&text).case_insensitive(true).build()
        };
        let all = |of: &[String]| of.iter().map(compile).collect::<Result<Vec<_>, _>>();
        Ok(Self { from: all(&patterns.from)?, to: all(&patterns.to)?, subject: all(&patterns.subject)?, sessions })
    }

    /// Whether a mail is wanted, as far as its session's key does not decide.
    pub(super) fn wants(&self, transaction: &Transaction, fields: &Fields<'_>) -> bool {
        let sender = transaction.mail_from.as_deref().into_iter().chain(texts(&fields.from));
        let recipients = transaction.recipients.iter().map(|recipient| recipient.address.as_str());
        let recipients = recipients.chain(texts(&fields.to)).chain(texts(&fields.cc));
        agrees(&self.from, sender)
            && agrees(&self.to, recipients)
            && agrees(&self.subject, fields.subject.as_deref().into_iter())
    }

    /// Whether the number of a session among those of its 4-tuple decides, which is known in the end.
    pub(super) fn is_by_session(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Whether one of the sessions between these two may be wanted.
    pub(super) fn may_want(&self, four_tuple: FourTuple) -> bool {
        let name = four_tuple.to_string();
        let is_of_it =
            |key: &String| key.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'));
        self.sessions.is_empty() || self.sessions.iter().any(is_of_it)
    }

    /// Whether the session with this key is wanted.
    pub(super) fn wants_session(&self, key: &str) -> bool {
        self.sessions.is_empty() || self.sessions.iter().any(|wanted| wanted == key)
    }
}

fn agrees<'a>(patterns: &[Regex], mut texts: impl Iterator<Item = &'a str>) -> bool {
    patterns.is_empty() || texts.any(|text| patterns.iter().any(|pattern| pattern.is_match(text)))
}

fn texts<'a>(mailboxes: &'a [Mailbox<'_>]) -> impl Iterator<Item = &'a str> {
    mailboxes.iter().flat_map(|mailbox| mailbox.name.as_deref().into_iter().chain(mailbox.address.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, RecipientOutcome};
    use crate::samples::{recipient, session, transaction};

    const KEY: &str = "192.0.2.1:40000-198.51.100.25:25";

    fn by(patterns: Patterns) -> bool {
        let mail = Transaction {
            recipients: vec![recipient("bob@example.net", RecipientOutcome::Rejected)],
            ..transaction("bounces+1@lists.example.org", Outcome::Accepted)
        };
        let mailbox = |name: &'static str, address: &'static str| Mailbox {
            name: Some(name.into()),
            address: Some(address.into()),
        };
        let fields = Fields {
            subject: Some("\u{dc}berweisung (1.000 EUR)".into()),
            from: vec![mailbox("Alice Example", "alice@example.org")],
            to: vec![mailbox("All", "all@example.net")],
            cc: vec![mailbox("Carol", "carol@example.com")],
            ..Fields::default()
        };
        Selection::new(&patterns, Vec::new()).expect("patterns").wants(&mail, &fields)
    }

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn envelope_and_header_both_count_whatever_the_case() {
        for from in ["BOUNCES+1@", "alice@example.org", "alice ex"] {
            assert!(by(Patterns { from: list(&[from]), ..Patterns::default() }), "{from}");
        }
        for to in ["bob@example.net", "all@", "CAROL@example.com"] {
            assert!(by(Patterns { to: list(&[to]), ..Patterns::default() }), "{to}");
            assert!(!by(Patterns { from: list(&[to]), ..Patterns::default() }), "{to}");
        }
        assert!(by(Patterns { subject: list(&["\u{fc}BERWEISUNG (1.0"]), ..Patterns::default() }));
        assert!(by(Patterns::default()));
    }

    #[test]
    fn any_of_a_kind_and_all_of_the_kinds() {
        let from = list(&["nobody", "alice"]);
        assert!(by(Patterns { from: from.clone(), to: list(&["bob"]), ..Patterns::default() }));
        assert!(!by(Patterns { from, to: list(&["nobody"]), ..Patterns::default() }));
    }

    #[test]
    fn a_text_is_no_regular_expression_unless_asked_for() {
        let dots = || list(&["^bob@example.net$"]);
        assert!(!by(Patterns { to: dots(), ..Patterns::default() }));
        assert!(by(Patterns { to: dots(), are_regular_expressions: true, ..Patterns::default() }));
        let broken = Patterns { to: list(&["("]), are_regular_expressions: true, ..Patterns::default() };
        assert!(Selection::new(&broken, Vec::new()).is_err());
    }

    #[test]
    fn a_session_is_named_by_its_key_alone() {
        let second = Selection::new(&Patterns::default(), vec![format!("{KEY}#2")]).expect("no patterns");
        assert!(second.is_by_session() && second.may_want(session().four_tuple()));
        assert!(second.wants_session(&format!("{KEY}#2")) && !second.wants_session(KEY));
        let other = Selection::new(&Patterns::default(), vec![format!("{KEY}25")]).expect("no patterns");
        assert!(!other.may_want(session().four_tuple()));
        assert!(Selection::default().wants_session(KEY) && !Selection::default().is_by_session());
    }
}
