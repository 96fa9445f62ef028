//! How records are written: numbers for times, maps for parameters, text for people.

pub mod codes;
pub mod time;

use std::collections::HashSet;

use serde::Serializer;
use serde::ser::SerializeMap;

/// Writes parameters as an object, `{"SIZE": "1000", "SMTPUTF8": null}`. Of a keyword given twice the first counts.
pub(crate) fn pairs_as_map<S: Serializer>(
    pairs: &[(String, Option<String>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    let mut seen = HashSet::new();
    for (keyword, value) in pairs {
        if seen.insert(keyword) {
            map.serialize_entry(keyword, value)?;
        }
    }
    map.end()
}

/// Octets from the wire as text: what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// At most 64 octets from the wire, with everything but printable ASCII escaped.
pub(crate) fn excerpt(octets: &[u8]) -> String {
    octets.get(..64).unwrap_or(octets).escape_ascii().to_string()
}
