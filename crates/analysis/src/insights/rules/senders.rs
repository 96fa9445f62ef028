//! Senders with a throw-away domain: addresses that anybody can read, or that are gone in ten minutes.

use super::recipients::evidence_of_mail;
use super::{Rule, Seen};
use crate::insights::domains::{domain_of, is_within};
use crate::insights::finding::{Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups};

/// Domains that give out throw-away addresses, as examples; compared by whole labels.
const THROW_AWAY_DOMAINS: [&str; 8] = [
    "10minutemail.com",
    "discard.email",
    "guerrillamail.com",
    "mailinator.com",
    "sharklasers.com",
    "temp-mail.org",
    "trashmail.com",
    "yopmail.com",
];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Senders;

impl Rule for Senders {
    fn session(&mut self, seen: &Seen<'_>, groups: &mut Groups) {
        for (index, transaction) in seen.session.transactions.iter().enumerate() {
            let Some(domain) = transaction.mail_from.as_deref().and_then(throw_away) else { continue };
            let mut sighting =
                seen.sighting(Kind::SuspiciousSenderDomain, Severity::Medium, domain.clone(), transaction.timestamp);
            sighting.transaction = Some(index);
            groups.add(sighting, || Detail {
                description: format!("sender domain {} gives out throw-away addresses", quoted(&domain)),
                evidence: evidence_of_mail(seen, transaction),
                ..Detail::default()
            });
        }
    }
}

/// The domain of an address, if it gives out throw-away addresses.
fn throw_away(address: &str) -> Option<String> {
    let domain = domain_of(address)?;
    THROW_AWAY_DOMAINS.iter().any(|throw_away| is_within(&domain, throw_away)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, kinds};
    use super::*;
    use crate::anomaly::Role::{Client, Server};
    use crate::model::Outcome;
    use crate::samples::{opened, session_of, talk, transaction};

    #[test]
    fn a_throw_away_domain_is_one_by_whole_labels_in_any_case() {
        for (sender, suspicious) in [
            ("x@Mailinator.COM", true),
            ("x@sub.mailinator.com", true),
            ("x@notmailinator.com", false),
            ("mailinator.com@example.org", false),
            ("", false),
        ] {
            let found = kinds(&[session_of(vec![transaction(sender, Outcome::Accepted)])]);
            let wanted: &[_] = if suspicious { &[(Kind::SuspiciousSenderDomain, Severity::Medium)] } else { &[] };
            assert_eq!(found, wanted, "{sender}");
        }
    }

    /// A reply or an address is data: what it holds of controls or of terminal sequences is escaped.
    #[test]
    fn nothing_from_the_wire_is_printed_raw() {
        let session = talk(&opened(&[
            (Client, "MAIL FROM:<a\u{1b}[2J@mailinator.com>\r\n"),
            (Server, "550 \u{1b}[2J\u{202e}\r\n"),
        ]));
        let [finding] = findings(&[session]).try_into().expect("one finding");
        let [mail, reply] = finding.evidence.try_into().expect("the mail and its reply");
        assert_eq!(mail.excerpt, "MAIL FROM:<a\\x1b[2J@mailinator.com>");
        assert!(reply.excerpt.is_ascii() && !reply.excerpt.contains(char::is_control), "{}", reply.excerpt);
        assert_eq!((mail.offset, reply.direction), (Some(25), Server));
    }
}
