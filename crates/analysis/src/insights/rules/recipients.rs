//! One mail to very many recipients: mass mail, or a list.
//!
//! RFC 5321 §4.5.3.1.8:
//! > The minimum total number of recipients that MUST be buffered is 100 recipients. Rejection of messages (for excessive
//! > recipients) with fewer than 100 RCPT commands is a violation of this specification.
//!
//! More than that in one mail is legal, and unusual.

use super::{Rule, Seen};
use crate::insights::finding::{Evidence, Kind, Severity};
use crate::insights::groups::{Detail, Groups};
use crate::model::{Command, Recipient, Session, Transaction};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Recipients;

impl Rule for Recipients {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        let most = seen.thresholds.recipients_of_a_mail;
        for (index, transaction) in seen.session.transactions.iter().enumerate() {
            let count = transaction.recipient_count();
            if count <= most {
                continue;
            }
            let subject = transaction.mail_from.as_deref().unwrap_or_default().to_lowercase();
            let mut sighting = seen.sighting(Kind::HighRecipientCount, Severity::Low, subject, transaction.timestamp);
            sighting.transaction = Some(index);
            groups.add(sighting, || Detail {
                description: format!("mail to {count} recipients, more than {most}"),
                evidence: evidence_of_mail(seen, transaction),
                ..Detail::default()
            });
        }
    }
}

/// The MAIL command of a transaction, and the reply that decided.
pub(super) fn evidence_of_mail(seen: &Seen<'_>, transaction: &Transaction) -> Vec<Evidence> {
    let mail = seen.session.commands.get(transaction.commands.clone()).and_then(<[_]>::first).map(Evidence::command);
    mail.into_iter().chain(transaction.final_response.as_ref().map(Evidence::reply)).collect()
}

/// The RCPT of this recipient, and its reply.
pub(super) fn evidence_of_recipient(session: &Session, mail: &Transaction, recipient: &Recipient) -> Vec<Evidence> {
    let commands = session.commands.get(mail.commands.clone()).unwrap_or_default();
    let place_of = |text: &str| {
        let is_it = |command: &Command| command.parameter.as_deref().is_some_and(|path| path.contains(text));
        commands.iter().position(|command| command.command == "RCPT" && is_it(command))
    };
    // The path is as it was typed: without brackets, and with a source route, there is only the address itself.
    let address = recipient.address.as_str();
    let place = place_of(&format!("<{address}>")).or_else(|| place_of(address));
    let reply = mail.answers(session).find(|reply| place.is_some() && mail.command_of(reply) == place);
    let command = place.and_then(|place| commands.get(place)).map(Evidence::command);
    command.into_iter().chain(reply.map(Evidence::reply)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::model::{Outcome, RecipientOutcome};
    use crate::samples::{opened, recipient, session_of, talk, transaction};

    #[test]
    fn a_hundred_recipients_are_usual_and_those_that_are_not_kept_count() {
        let to = |kept: usize, further| {
            let recipients = vec![recipient("b@b", RecipientOutcome::Accepted); kept];
            let mail = transaction("a@a", Outcome::Accepted);
            session_of(vec![Transaction { recipients, further_recipients: further, ..mail }])
        };
        assert_eq!(kinds(&[to(100, 0)]), []);
        for mail in [to(101, 0), to(60, 41)] {
            assert_eq!(kinds(&[mail]), [(Kind::HighRecipientCount, Severity::Low)]);
        }
        let both = findings(&[to(101, 0), to(60, 41)]);
        assert_eq!(both[0].count, 2, "one sender, one finding");
    }

    #[test]
    fn a_recipient_whose_address_ends_as_another_one_has_its_own_command() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a@example.org>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, "RCPT TO:<bb@example.net>\r\n"),
            (Server, "550 no\r\n"),
            (Client, "RCPT TO:<b@example.net>\r\n"),
            (Server, "250 ok\r\n"),
        ]));
        let mail = &session.transactions[0];
        let shown = evidence_of_recipient(&session, mail, &mail.recipients[1]);
        let shown: Vec<&str> = shown.iter().map(|evidence| evidence.excerpt.as_str()).collect();
        assert_eq!(shown, ["RCPT TO:<b@example.net>", "250 ok"]);
    }
}
