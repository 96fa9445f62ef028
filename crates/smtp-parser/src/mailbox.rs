//! What a mailbox may look like, checked after it was found: an address that breaks these rules is still an address.

use crate::deviation::{Deviation, Deviations};
use crate::literal::AddressLiteral;

/// How the parts of a mailbox depart from the grammar; a domain that is not there departs from nothing here.
pub(crate) fn deviations(local_part: &[u8], domain: Option<&[u8]>) -> Deviations {
    let mut deviations = Deviations::NONE;
    deviations.insert_if(!is_dot_string(local_part) && !is_quoted_string(local_part), Deviation::LocalPartSyntax);
    if let Some(domain) = domain {
        if domain.starts_with(b"[") {
            deviations.insert_if(AddressLiteral::parse(domain).is_none(), Deviation::AddressLiteralSyntax);
        } else {
            deviations.insert_if(!is_domain(domain), Deviation::DomainSyntax);
        }
    }
    let is_utf_8 = |octets: &[u8]| octets.is_ascii() || std::str::from_utf8(octets).is_ok();
    deviations.insert_if(!is_utf_8(local_part) || !domain.is_none_or(is_utf_8), Deviation::InvalidUtf8);
    deviations
}

/// RFC 5321 §4.1.2: `Dot-string = Atom *("."  Atom)`, `Atom = 1*atext`.
fn is_dot_string(local_part: &[u8]) -> bool {
    let mut before = b'.';
    for &octet in local_part {
        let fits = if octet == b'.' { before != b'.' } else { is(octet, ATEXT) };
        if !fits {
            return false;
        }
        before = octet;
    }
    before != b'.'
}

/// RFC 5321 §4.1.2:
/// ```text
/// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP  = %d92 %d32-126
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126
/// ```
/// RFC 6531 §3.3 adds UTF8-non-ascii to qtextSMTP.
fn is_quoted_string(local_part: &[u8]) -> bool {
    let Some(mut rest) = local_part.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return false };
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'\\', [32..=126, behind @ ..]) => behind,
            (32 | 33 | 35..=91 | 93..=126 | 128.., behind) => behind,
            _ => return false,
        };
    }
    true
}

/// RFC 5321 §4.1.2:
/// ```text
/// Domain         = sub-domain *("." sub-domain)
/// sub-domain     = Let-dig [Ldh-str]
/// Let-dig        = ALPHA / DIGIT
/// Ldh-str        = *( ALPHA / DIGIT / "-" ) Let-dig
/// ```
/// RFC 6531 §3.3 adds U-labels to sub-domain.
fn is_domain(domain: &[u8]) -> bool {
    let mut before = b'.';
    for &octet in domain {
        let fits = match octet {
            b'.' => is(before, LET_DIG),
            b'-' => before != b'.',
            octet => is(octet, LET_DIG),
        };
        if !fits {
            return false;
        }
        before = octet;
    }
    is(before, LET_DIG)
}

/// Whether an octet is of a class.
fn is(octet: u8, class: u8) -> bool {
    CLASSES.get(usize::from(octet)).is_some_and(|classes| classes & class != 0)
}

/// RFC 5322 §3.2.3's atext, to which RFC 6531 §3.3 adds UTF8-non-ascii.
const ATEXT: u8 = 1;
/// RFC 5321 §4.1.2's Let-dig, and what U-labels are made of.
const LET_DIG: u8 = 2;
/// Paths are in every mail: a look into a table is faster than the ranges.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut octet = 0_u8;
    while let [first, behind @ ..] = rest {
        *first = match octet {
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~' => ATEXT,
            octet if octet.is_ascii_alphanumeric() || !octet.is_ascii() => ATEXT | LET_DIG,
            _ => 0,
        };
        octet = octet.wrapping_add(1);
        rest = behind;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn departs(local_part: &str, domain: &str, wanted: &[Deviation]) {
        let found = deviations(local_part.as_bytes(), Some(domain.as_bytes()));
        assert_eq!(found, wanted.iter().copied().collect(), "{local_part}@{domain}");
    }

    /// Addresses in RFC 5321 and RFC 6531, and what RFC 5322 §3.2.3 counts as atext.
    #[test]
    fn what_the_grammar_allows() {
        departs("Smith", "bar.com", &[]);
        departs("!#$%&'*+-/=?^_`{|}~", "x-y.example", &[]);
        departs("a.b.c", "3com.example", &[]);
        departs("\"Joe.\\Blow\"", "x", &[]);
        departs("\"\"", "x", &[]);
        departs("\"a b>@\\\"c\"", "x", &[]);
        departs("иван", "пример.рф", &[]);
        departs("user", "[123.255.37.2]", &[]);
        departs("user", "[IPv6:::1]", &[]);
    }

    #[test]
    fn what_it_does_not() {
        // The first are addresses that a Japanese mobile operator gave to its customers for years.
        for local_part in ["a..b", "a.", ".a", "", "a b", "a,b", "\"a", "a\"", "\"a\"b\"", "\"a\\\"", "\"a\x07\""] {
            departs(local_part, "x", &[Deviation::LocalPartSyntax]);
        }
        for domain in ["", "a_b.example", "a.", ".a", "a..b", "-a", "a-", "a b", "x>"] {
            departs("a", domain, &[Deviation::DomainSyntax]);
        }
        for domain in ["[]", "[1.2.3]", "[2001:db8::1]", "[1.2.3.4", "[1.2.3.4]x"] {
            departs("a", domain, &[Deviation::AddressLiteralSyntax]);
        }
    }

    /// RFC 6531 §3.3: what is not ASCII is UTF-8.
    #[test]
    fn latin_1_is_no_utf_8() {
        assert_eq!(deviations(b"J\xf6rg", Some(b"x")), Deviation::InvalidUtf8.into());
        assert_eq!(deviations(b"a", Some(b"b\xfccher")), Deviation::InvalidUtf8.into());
    }
}
