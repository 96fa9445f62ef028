//! How records are written: numbers for times, maps for parameters, text for people.

pub mod codes;
pub(crate) mod json;
pub mod time;
pub(crate) mod untrusted;

use std::collections::HashSet;

use serde::Serializer;
use serde::ser::SerializeMap;
use smol_str::{SmolStr, StrExt};

/// Writes parameters as an object, `{"SIZE": "1000", "SMTPUTF8": null}`. Of a keyword given twice the first counts.
pub(crate) fn pairs_as_map<S: Serializer>(
    pairs: &[(SmolStr, Option<SmolStr>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    // There are a few as a rule, and then a look at each is faster than a table. A hostile line may hold thousands.
    let mut seen = (pairs.len() > FEW).then(HashSet::new);
    for (index, (keyword, value)) in pairs.iter().enumerate() {
        let is_first = match &mut seen {
            Some(seen) => seen.insert(keyword),
            None => !pairs.iter().take(index).any(|(earlier, _)| earlier == keyword),
        };
        if is_first {
            map.serialize_entry(keyword, value)?;
        }
    }
    map.end()
}

/// Parameters among which a repeated one is looked for one by one.
const FEW: usize = 8;

/// Octets from the wire as text: what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(octets: &[u8]) -> SmolStr {
    std::str::from_utf8(octets).map_or_else(|_| String::from_utf8_lossy(octets).into(), SmolStr::new)
}

/// The same in upper case, as far as it is ASCII.
pub(crate) fn upper_case(octets: &[u8]) -> SmolStr {
    text(octets).to_ascii_uppercase_smolstr()
}

/// At most 64 octets from the wire, with everything but printable ASCII escaped.
pub(crate) fn excerpt(octets: &[u8]) -> String {
    octets.get(..64).unwrap_or(octets).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_keyword_given_twice_the_first_counts() {
        let pairs = [("SIZE".into(), Some("1".into())), ("SIZE".into(), None), ("SMTPUTF8".into(), None)];
        let many: Vec<_> = pairs.iter().cycle().take(3 * FEW).cloned().collect();
        for pairs in [pairs.as_slice(), &many] {
            let mut out = Vec::new();
            pairs_as_map(pairs, &mut serde_json::Serializer::new(&mut out)).expect("a vector takes everything");
            assert_eq!(String::from_utf8_lossy(&out), r#"{"SIZE":"1","SMTPUTF8":null}"#);
        }
    }

    #[test]
    fn octets_that_are_not_utf8_become_the_replacement_character() {
        assert_eq!(text(b"a\xffb\xc3\xa4"), "a\u{fffd}b\u{e4}");
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(excerpt(b"a\x1b[2J\r\n"), "a\\x1b[2J\\r\\n");
        assert_eq!(excerpt(&[b'x'; 100]).len(), 64);
    }
}
