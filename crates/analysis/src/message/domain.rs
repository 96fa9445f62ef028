//! Domain names that are compared: in any case, and in both forms of an internationalised one.

use std::borrow::Cow;

/// A name as it is compared, which is in any case of ASCII letters: an internationalised one in its form in ASCII, where it
/// has one; any other as it stands.
///
/// > If the A-labels are equal in a case-independent comparison, then the labels are considered equivalent, no matter how
/// > they are represented. (RFC 5890 §2.3.2.4)
///
/// Letters are mapped as browsers do (UTS 46), so names are equal that lead to the same host.
pub(super) fn comparable(name: &str) -> Cow<'_, str> {
    let is_international = !name.is_ascii() || memchr::memmem::find(name.as_bytes(), b"--").is_some();
    if !is_international || name.len() > NAME_OCTETS {
        return name.into();
    }
    idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::EMPTY).unwrap_or(Cow::Borrowed(name))
}

/// Octets of a name that is looked at: 253 in ASCII (RFC 1035 §2.3.4) are at most 250 characters of four octets. What is
/// longer names no host, and to encode it would take time that grows with the square.
const NAME_OCTETS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5891 and the examples of UTS 46 §1.2: `B\u{fc}cher.de` and `xn--bcher-kva.de`.
    #[test]
    fn both_forms_of_a_name_are_one() {
        let ascii = "xn--bcher-kva.example";
        for name in
            ["b\u{fc}cher.example", "B\u{dc}CHER.Example", "bu\u{308}cher.example", "XN--BCHER-KVA.example", ascii]
        {
            assert_eq!(comparable(name), ascii, "{name}");
        }
        assert_eq!(comparable("\u{4f8b}\u{3048}\u{3002}\u{30c6}\u{30b9}\u{30c8}"), "xn--r8jz45g.xn--zckzah");
        assert_ne!(comparable("ex\u{430}mple.org"), "example.org", "another script's letter");
    }

    /// What is no name, or none that can be encoded, is compared as it stands.
    #[test]
    fn what_has_no_other_form_stays() {
        let long = "\u{fc}".repeat(NAME_OCTETS);
        for name in
            ["Example.ORG", "[192.0.2.1]", "a_b.example", "xn--\u{fc}", "xn--a.example", "", "\u{fffd}.example", &long]
        {
            assert_eq!(comparable(name), name);
        }
    }
}
