//! The envelope against the header: whether who sends and who receives is who the header says.
//!
//! Domains are equal in any case, and in both forms of an internationalised one. Organisational domains (RFC 7489 §3.2) need
//! a list of public suffixes and are not compared: `mail.example.org` and `example.org` are not aligned here.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use smol_str::{SmolStr, StrExt};

use super::domain::comparable;
use super::{Fields, Mailbox};
use crate::model::Transaction;

/// What the envelope of a transaction and the header of its message say of the same things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Alignment<'a> {
    /// Domain of MAIL FROM, in lower case; `None` for the null sender and for a name without a domain.
    pub mail_from_domain: Option<SmolStr>,
    /// Domain of the first address in From.
    pub from_domain: Option<SmolStr>,
    /// Whether each domain in From is that of MAIL FROM; `None` where one of both is not known, as with the null sender.
    pub aligned: Option<bool>,
    /// Domain of the first address in Reply-To.
    pub reply_to_domain: Option<SmolStr>,
    /// Whether Reply-To names a domain that is none of From; `None` without Reply-To or without From.
    pub reply_to_differs: Option<bool>,
    /// Recipients of the envelope that stand in no To, Cc, Bcc or Resent- field: their domains compared as above, their
    /// local parts as they are (RFC 5321 §2.4). `None` where the end of the header is not there.
    pub bcc: Option<Vec<&'a str>>,
}

impl<'a> Alignment<'a> {
    /// Compares a transaction with the header of its message.
    pub fn of(transaction: &'a Transaction, fields: &Fields<'_>) -> Self {
        let mail_from = transaction.mail_from.as_deref().and_then(domain);
        let of_from: Vec<&str> = domains(&fields.from).collect();
        let of_reply_to: Vec<&str> = domains(&fields.reply_to).collect();
        let aligned = mail_from.filter(|_| !of_from.is_empty());
        let is_from = Among::new(of_from.iter().map(|domain| ("", *domain)));
        let reply_to_differs = of_reply_to.iter().any(|domain| !is_from.has(("", domain)));
        Self {
            mail_from_domain: mail_from.map(StrExt::to_ascii_lowercase_smolstr),
            from_domain: of_from.first().map(|domain| domain.to_ascii_lowercase_smolstr()),
            aligned: aligned
                .map(comparable)
                .map(|mail_from| of_from.iter().all(|domain| comparable(domain).eq_ignore_ascii_case(&mail_from))),
            reply_to_domain: of_reply_to.first().map(|domain| domain.to_ascii_lowercase_smolstr()),
            reply_to_differs: (!of_reply_to.is_empty() && !of_from.is_empty()).then_some(reply_to_differs),
            bcc: fields.is_whole.then(|| in_no_field(transaction, fields)),
        }
    }
}

fn in_no_field<'a>(transaction: &'a Transaction, fields: &Fields<'_>) -> Vec<&'a str> {
    let lists = [&fields.to, &fields.cc, &fields.other_recipients];
    let named = lists.into_iter().flatten().filter_map(|mailbox| mailbox.address.as_deref());
    let named = Among::new(named.map(parts));
    let recipients = transaction.recipients.iter().map(|recipient| recipient.address.as_str());
    recipients.filter(|address| !named.has(parts(address))).collect()
}

/// Addresses among which others are looked for.
enum Among<'a> {
    /// As a rule. Domains as they are compared, here and below.
    Few(Vec<(&'a str, Cow<'a, str>)>),
    /// Domains in lower case.
    Many(HashSet<(&'a str, Cow<'a, str>)>),
}

impl<'a> Among<'a> {
    fn new(addresses: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let all: Vec<_> = addresses.map(|(local_part, domain)| (local_part, comparable(domain))).collect();
        if all.len() <= FEW {
            return Self::Few(all);
        }
        Self::Many(all.into_iter().map(|(local_part, domain)| (local_part, lower_case(domain))).collect())
    }

    fn has(&self, (local_part, domain): (&str, &str)) -> bool {
        let domain = comparable(domain);
        match self {
            Self::Few(all) => {
                all.iter().any(|(local, other)| *local == local_part && other.eq_ignore_ascii_case(&domain))
            }
            Self::Many(all) => all.contains(&(local_part, lower_case(domain))),
        }
    }
}

/// Addresses that are compared one by one.
const FEW: usize = 8;

/// Local part and domain.
fn parts(address: &str) -> (&str, &str) {
    let (local_part, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    (local_part, domain.strip_suffix('.').unwrap_or(domain))
}

fn domain(address: &str) -> Option<&str> {
    Some(parts(address).1).filter(|domain| !domain.is_empty())
}

fn domains<'a>(mailboxes: &'a [Mailbox<'_>]) -> impl Iterator<Item = &'a str> {
    mailboxes.iter().filter_map(|mailbox| domain(mailbox.address.as_deref()?))
}

fn lower_case(domain: Cow<'_, str>) -> Cow<'_, str> {
    if domain.bytes().any(|octet| octet.is_ascii_uppercase()) { domain.to_ascii_lowercase().into() } else { domain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, MessageOptions};
    use crate::model::{Outcome, RecipientOutcome};
    use crate::samples::{recipient, transaction};

    /// What is printed of a mail from `mail_from` to these recipients with this header.
    fn printed(mail_from: &str, recipients: &[&str], header: &str) -> serde_json::Value {
        let mut mail = transaction(mail_from, Outcome::Accepted);
        mail.recipients = recipients.iter().map(|address| recipient(address, RecipientOutcome::Accepted)).collect();
        let mut body = Body::new(MessageOptions::default());
        body.append(header.as_bytes());
        let message = body.into_message();
        serde_json::to_value(Alignment::of(&mail, &message.fields())).expect("JSON")
    }

    #[test]
    fn domains_are_aligned_if_they_are_equal() {
        let of = |mail_from, from: &str| printed(mail_from, &[], &format!("From: {from}\r\n\r\n"));
        let same = of("bounce@EXAMPLE.org", "Alice <alice@Example.ORG>");
        assert_eq!(
            (&same["aligned"], &same["from_domain"], &same["mail_from_domain"]),
            (&true.into(), &"example.org".into(), &"example.org".into())
        );
        assert_eq!(
            of("a@mail.example.org", "a@example.org")["aligned"],
            false,
            "strictly, as long as there is no list of suffixes"
        );
        assert_eq!(of("a@example.org", "a@example.org, b@example.net")["aligned"], false, "each of them");
        assert_eq!(of("a@example.org.", "\"x@y\"@example.org")["aligned"], true);
    }

    /// RFC 6531 §3.7.1: a domain of an address may be sent in either form, and a relay may change one into the other.
    #[test]
    fn both_forms_of_a_domain_are_equal() {
        let header =
            "From: a@b\u{fc}cher.example\r\nReply-To: b@XN--BCHER-KVA.example\r\nTo: c@b\u{fc}cher.example\r\n\r\n";
        let to = ["c@xn--bcher-kva.example", "d@xn--bcher-kva.example"];
        let printed = printed("a@xn--bcher-kva.example", &to, header);
        assert_eq!((&printed["aligned"], &printed["reply_to_differs"]), (&true.into(), &false.into()));
        assert_eq!(printed["bcc"], serde_json::json!(["d@xn--bcher-kva.example"]));
        assert_eq!(
            (&printed["mail_from_domain"], &printed["from_domain"]),
            (&"xn--bcher-kva.example".into(), &"b\u{fc}cher.example".into()),
            "each as it was sent"
        );
        let other = "From: a@b\u{fc}cher.example\r\n\r\n";
        assert_eq!(super::tests::printed("a@xn--bcher-kvb.example", &[], other)["aligned"], false);
    }

    #[test]
    fn the_null_sender_is_aligned_with_nobody_and_contradicts_nobody() {
        let null = printed("", &[], "From: <postmaster@example.org>\r\n\r\n");
        assert_eq!((&null["aligned"], &null["mail_from_domain"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert_eq!(null["from_domain"], "example.org");
        let nobody = printed("a@example.org", &[], "Subject: x\r\n\r\n");
        assert_eq!((&nobody["aligned"], &nobody["from_domain"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    }

    #[test]
    fn a_reply_to_another_domain_shows() {
        let of = |reply_to: &str| printed("", &[], &format!("From: a@example.org\r\n{reply_to}\r\n"));
        let other = of("Reply-To: a@example.net\r\n");
        assert_eq!((&other["reply_to_domain"], &other["reply_to_differs"]), (&"example.net".into(), &true.into()));
        assert_eq!(of("Reply-To: b@EXAMPLE.org\r\n")["reply_to_differs"], false);
        assert_eq!(of("Reply-To: b@example.org, c@example.net\r\n")["reply_to_differs"], true);
        assert_eq!(of("")["reply_to_differs"], serde_json::Value::Null);
    }

    /// RFC 5321 §2.4: local parts are case sensitive, domains are not.
    #[test]
    fn recipients_in_no_field_are_blind() {
        let header = "To: Group: Bob <bob@Example.net>;\r\nCc: carol@example.net\r\nBcc: dave@example.net\r\nResent-To: erin@example.net\r\n\r\n";
        let all = [
            "bob@example.NET",
            "carol@example.net",
            "dave@example.net",
            "erin@example.net",
            "Bob@example.net",
            "frank@example.net",
        ];
        assert_eq!(printed("", &all, header)["bcc"], serde_json::json!(["Bob@example.net", "frank@example.net"]));
        assert_eq!(printed("", &["bob@example.net"], header)["bcc"], serde_json::json!([]));
    }

    #[test]
    fn of_a_header_that_is_not_all_there_nobody_is_said_to_be_missing() {
        assert_eq!(printed("", &["bob@example.net"], "To: alice@example.org\r\nSubj")["bcc"], serde_json::Value::Null);
    }

    #[test]
    fn many_recipients_are_looked_up() {
        let names: Vec<_> = (0..1000).map(|number| format!("u{number}@example.net")).collect();
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        all.push("blind@example.net");
        let header = format!("To: {}\r\n\r\n", names.join(",\r\n ").to_uppercase().replace('U', "u"));
        assert_eq!(printed("", &all, &header)["bcc"], serde_json::json!(["blind@example.net"]));
    }
}
