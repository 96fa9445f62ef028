//! Whose mail this is: domains of senders and recipients, ours and others'.

use serde::Serialize;

use super::{Ranking, Tally};
use crate::report::Report;

/// How many domains a ranking shows.
const TOP: usize = 5;

/// The domains that occur most.
#[derive(Debug, Serialize)]
pub struct QueryPatterns {
    top_sender_domains: Ranking,
    top_recipient_domains: Ranking,
    /// Distinct sender domains.
    total_senders: usize,
    /// Distinct recipient domains.
    total_recipient_domains: usize,
}

/// The same, and how much of it is ours.
#[derive(Debug, Serialize)]
pub struct DomainAnalysis {
    top_sender_domains: Ranking,
    top_recipient_domains: Ranking,
    internal_external_ratio: Ratio,
}

#[derive(Debug, Serialize)]
struct Ratio {
    senders: Split,
    recipients: Split,
}

/// Addresses within and outside the internal domains.
#[derive(Debug, Default, Serialize)]
struct Split {
    internal: u64,
    external: u64,
}

pub(crate) fn query_patterns(report: &Report) -> QueryPatterns {
    let (senders, recipients) = tallies(report);
    QueryPatterns {
        top_sender_domains: senders.top(TOP),
        top_recipient_domains: recipients.top(TOP),
        total_senders: senders.len(),
        total_recipient_domains: recipients.len(),
    }
}

pub(crate) fn analyse(report: &Report, internal_domains: &[String]) -> DomainAnalysis {
    let (senders, recipients) = tallies(report);
    let split = |tally: &Tally| {
        let mut split = Split::default();
        for (domain, count) in tally.iter() {
            if internal_domains.iter().any(|internal| is_within(domain, internal)) {
                split.internal += count;
            } else {
                split.external += count;
            }
        }
        split
    };
    DomainAnalysis {
        top_sender_domains: senders.top(TOP),
        top_recipient_domains: recipients.top(TOP),
        internal_external_ratio: Ratio { senders: split(&senders), recipients: split(&recipients) },
    }
}

/// The domain of an address in lower case: what follows the last `@` (RFC 5321 §4.1.2: a quoted local part may hold one
/// too). The null sender and `postmaster` have none.
pub(crate) fn domain_of(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    (!domain.is_empty()).then(|| domain.trim_end_matches('.').to_lowercase())
}

/// Whether a domain in lower case is `parent` or below it, by whole labels. Nothing is allocated where `parent` is ASCII: rules
/// ask this of every mail.
pub(crate) fn is_within(domain: &str, parent: &str) -> bool {
    let parent = parent.trim_matches('.');
    if !parent.is_ascii() {
        let parent = parent.to_lowercase();
        return domain.strip_suffix(&parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    }
    let Some((rest, end)) = domain.len().checked_sub(parent.len()).and_then(|start| domain.split_at_checked(start))
    else {
        return false;
    };
    !parent.is_empty() && end.eq_ignore_ascii_case(parent) && (rest.is_empty() || rest.ends_with('.'))
}

fn tallies(report: &Report) -> (Tally, Tally) {
    let (mut senders, mut recipients) = (Tally::default(), Tally::default());
    for (_, session) in &report.sessions {
        for transaction in &session.transactions {
            if let Some(domain) = transaction.mail_from.as_deref().and_then(domain_of) {
                senders.add(domain);
            }
            transaction.recipients.iter().filter_map(|rcpt| domain_of(&rcpt.address)).for_each(|d| recipients.add(d));
        }
    }
    (senders, recipients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_addresses() {
        assert_eq!(domain_of("Joe@Example.ORG").as_deref(), Some("example.org"));
        assert_eq!(domain_of("\"a@b\"@example.org.").as_deref(), Some("example.org"));
        assert_eq!(domain_of(""), None);
        assert_eq!(domain_of("postmaster"), None);
    }

    #[test]
    fn domains_are_compared_by_whole_labels() {
        assert!(is_within("example.org", "example.org"));
        assert!(is_within("mail.example.org", "Example.org"));
        assert!(!is_within("badexample.org", "example.org"));
        assert!(!is_within("example.org", ""));
        assert!(!is_within("org", "example.org"));
        assert!(is_within("mail.b\u{fc}cher.example", "B\u{dc}cher.Example."));
        assert!(!is_within("b\u{fc}cher.example", "xcher.example"), "within a character");
    }
}
