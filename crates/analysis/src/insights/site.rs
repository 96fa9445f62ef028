//! What belongs to the site whose mail is looked at: networks and domains that are ours.

use std::net::IpAddr;

use super::domains::is_within;
use super::networks::{Network, is_local};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Networks that are ours. Without any, they are the addresses that are used within sites only.
    pub networks: Vec<Network>,
    /// Domains that are ours, each with all below it.
    pub domains: Vec<String>,
}

impl Site {
    /// Whether a host is ours.
    pub(crate) fn has_host(&self, address: IpAddr) -> bool {
        address.to_canonical().is_loopback()
            || if self.networks.is_empty() {
                is_local(address)
            } else {
                self.networks.iter().any(|network| network.contains(address))
            }
    }

    /// Whether a domain in lower case is ours, or may be, because it has its registrable domain in common with one that is.
    pub(crate) fn may_have_domain(&self, domain: &str) -> bool {
        let is_related = |own: &String| {
            let own = own.trim_matches('.').to_lowercase();
            is_within(domain, &own) || registrable(domain) == registrable(&own)
        };
        self.domains.iter().any(is_related)
    }
}

/// The part of a domain that somebody has registered, by the public suffix list: `example.co.uk` of `mx.example.co.uk`. A
/// domain that is a suffix itself, or an address literal, is returned as it stands.
pub(crate) fn registrable(domain: &str) -> &str {
    if domain.starts_with('[') { domain } else { psl::domain_str(domain).unwrap_or(domain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test data of publicsuffix.org: `b.c.mm`, `test.ck` and `www.ck` are exceptions and wildcards.
    #[test]
    fn registrable_domains_are_those_of_the_list() {
        for (domain, wanted) in [
            ("mx.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("b.c.mm", "b.c.mm"),
            ("a.b.c.mm", "b.c.mm"),
            ("www.www.ck", "www.ck"),
            ("co.uk", "co.uk"),
            ("mail.example", "mail.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("", ""),
        ] {
            assert_eq!(registrable(domain), wanted, "{domain}");
        }
    }

    #[test]
    fn related_domains_may_be_ours() {
        let site = Site { domains: vec!["Mail.Example.co.uk".to_owned()], ..Site::default() };
        for domain in ["mail.example.co.uk", "x.mail.example.co.uk", "example.co.uk", "www.example.co.uk"] {
            assert!(site.may_have_domain(domain), "{domain}");
        }
        for domain in ["other.co.uk", "example.com", "co.uk", "badexample.co.uk"] {
            assert!(!site.may_have_domain(domain), "{domain}");
        }
    }

    #[test]
    fn hosts_are_ours_by_the_networks_or_by_their_kind() {
        let host = |text: &str| text.parse::<IpAddr>().expect("an address");
        let unknown = Site::default();
        assert!(unknown.has_host(host("10.0.0.1")) && !unknown.has_host(host("192.0.2.1")));
        let known = Site { networks: vec!["192.0.2.0/24".parse().expect("a network")], ..Site::default() };
        assert!(known.has_host(host("192.0.2.1")) && !known.has_host(host("10.0.0.1")));
        assert!(known.has_host(host("127.0.0.1")), "the host itself");
    }
}
