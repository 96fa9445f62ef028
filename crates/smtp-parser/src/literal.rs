//! Address literals, which stand for a domain where there is none.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An address literal without its brackets.
///
/// RFC 5321 §4.1.3:
/// ```text
/// address-literal          = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// IPv4-address-literal     = Snum 3("."  Snum)
/// IPv6-address-literal     = "IPv6:" IPv6-addr
/// General-address-literal  = Standardized-tag ":" 1*dcontent
/// Standardized-tag         = Ldh-str
/// dcontent                 = %d33-90 / %d94-126
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressLiteral<'a> {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]`; no tag is registered but IPv6.
    General {
        /// What stands before the first colon.
        tag: &'a [u8],
        /// What stands behind it.
        content: &'a [u8],
    },
}

impl<'a> AddressLiteral<'a> {
    /// Reads `domain`, brackets included; `None` where it is no address literal of this grammar.
    pub fn parse(domain: &'a [u8]) -> Option<Self> {
        let inner = domain.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let text = std::str::from_utf8(inner).ok()?;
        if let Some(address) = v4(text) {
            return Some(Self::V4(address));
        }
        let (tag, content) = inner.split_at_checked(memchr::memchr(b':', inner)?)?;
        let content = content.get(1..)?;
        if tag.eq_ignore_ascii_case(b"IPv6") {
            return std::str::from_utf8(content).ok()?.parse().ok().map(Self::V6);
        }
        let is_ldh = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        let is_dcontent = |octet: &u8| matches!(octet, 33..=90 | 94..=126);
        // Ldh-str ends in a letter or digit; a tag of hexadecimal digits is an IPv6 address whose tag is missing.
        let is_tag = tag.last().is_some_and(u8::is_ascii_alphanumeric)
            && tag.iter().all(is_ldh)
            && text.parse::<Ipv6Addr>().is_err();
        let is_general = is_tag && !content.is_empty() && content.iter().all(is_dcontent);
        is_general.then_some(Self::General { tag, content })
    }
}

/// RFC 5321 §4.1.3: `Snum = 1*3DIGIT ; representing a decimal integer value in the range 0 through 255`. Unlike the
/// standard library's, this grammar has leading zeros.
fn v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(|part| {
        let is_snum = (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit());
        if is_snum { part.parse::<u8>().ok() } else { None }
    });
    let octets = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_rfc_5321_section_4_1_3() {
        let v4 = Ipv4Addr::new(123, 255, 37, 2);
        assert_eq!(AddressLiteral::parse(b"[123.255.37.2]"), Some(AddressLiteral::V4(v4)));
        assert_eq!(AddressLiteral::parse(b"[123.255.037.002]"), Some(AddressLiteral::V4(v4)));
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        assert_eq!(AddressLiteral::parse(b"[IPv6:2001:db8::1]"), Some(AddressLiteral::V6(v6)));
        assert_eq!(AddressLiteral::parse(b"[ipv6:2001:DB8::1]"), Some(AddressLiteral::V6(v6)));
        let general = AddressLiteral::General { tag: b"X-25", content: b"311061700956" };
        assert_eq!(AddressLiteral::parse(b"[X-25:311061700956]"), Some(general));
    }

    #[test]
    fn what_is_no_literal() {
        for domain in [
            &b"example.org"[..],
            b"[123.255.37]",
            b"[123.255.37.256]",
            b"[123.255.37.2",
            b"[2001:db8::1]",
            b"[IPv6:zz]",
            b"[tag-:x]",
            b"[tag:]",
            b"[tag:a b]",
            b"[]",
        ] {
            assert_eq!(AddressLiteral::parse(domain), None, "{}", domain.escape_ascii());
        }
    }
}
