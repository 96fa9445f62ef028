//! Distinguished names as text (RFC 4514).

use std::borrow::Cow;
use std::fmt::Write;

use data_encoding::HEXLOWER;
use x509_parser::asn1_rs::ToDer;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// `CN=mx.example.net,O=Example,C=DE`.
///
/// RFC 4514 §2.1: "the output consists of the string encodings of each RelativeDistinguishedName in the RDNSequence …,
/// starting with the last element of the sequence and moving backwards toward the first. The encodings of adjoining
/// RelativeDistinguishedNames are separated by a comma (',' U+002C) character."
pub(super) fn distinguished_name(name: &X509Name<'_>) -> String {
    let relative_names: Vec<_> = name.iter_rdn().collect();
    let mut said = String::new();
    for (index, relative_name) in relative_names.into_iter().rev().enumerate() {
        if index > 0 {
            said.push(',');
        }
        // §2.2: "separated by a plus sign".
        for (index, attribute) in relative_name.iter().enumerate() {
            if index > 0 {
                said.push('+');
            }
            say_attribute(&mut said, attribute);
        }
    }
    said
}

/// §2.3: the short name of the type, or its dotted-decimal form, then an equals sign and the value.
fn say_attribute(said: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let kind = attribute.attr_type();
    match oid2abbrev(kind, oid_registry()) {
        Ok(name) => said.push_str(name),
        Err(_) => {
            let _ = write!(said, "{kind}");
        }
    }
    said.push('=');
    let value = attribute.attr_value();
    match decode(value.tag().0, value.data) {
        Some(text) => escape(said, &text),
        None => {
            // §2.4: "an octothorpe character … followed by the hexadecimal encoding of each of the bytes of the BER
            // encoding of the X.500 AttributeValue".
            let _ = write!(said, "#{}", HEXLOWER.encode(&value.to_der_vec().unwrap_or_default()));
        }
    }
}

/// The text of a string of this tag (X.680 §8.6), `None` where it is none.
fn decode(tag: u32, octets: &[u8]) -> Option<Cow<'_, str>> {
    Some(match tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString.
        12 | 18 | 19 | 22 | 26 => String::from_utf8_lossy(octets),
        // TeletexString, which is Latin-1 wherever it is met.
        20 => octets.iter().copied().map(char::from).collect::<String>().into(),
        // BMPString.
        30 => {
            let units: Vec<u16> = octets.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16_lossy(&units).into()
        }
        // UniversalString.
        28 => {
            let points = octets.as_chunks::<4>().0.iter().map(|point| u32::from_be_bytes(*point));
            points.map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into()
        }
        _ => return None,
    })
}

/// §2.4: a backslash before `"`, `+`, `,`, `;`, `<`, `>`, `\`, a leading `#` or space and a trailing space; NUL as `\00`.
fn escape(said: &mut String, text: &str) {
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        match character {
            '\0' => said.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => said.extend(['\\', character]),
            '#' if index == 0 => said.push_str("\\#"),
            ' ' if index == 0 || index == last => said.push_str("\\ "),
            _ => said.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    /// Type, tag and value.
    type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

    /// `SEQUENCE { SET { SEQUENCE { OBJECT IDENTIFIER, value } } … }`, of attributes in one octet of length each.
    fn name(relative_names: &[&[Attribute<'_>]]) -> String {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = |(oid, tag, value): &Attribute<'_>| wrap(0x30, &[wrap(6, oid), wrap(*tag, value)].concat());
        let sets: Vec<u8> = relative_names
            .iter()
            .flat_map(|attributes| wrap(0x31, &attributes.iter().flat_map(attribute).collect::<Vec<u8>>()))
            .collect();
        let der = wrap(0x30, &sets);
        distinguished_name(&X509Name::from_der(&der).expect("a name").1)
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const OU: &[u8] = &[0x55, 4, 11];

    /// The examples of RFC 4514 §4, with other attribute types.
    #[test]
    fn names_are_written_backwards_and_escaped() {
        let (utf8, printable) = (12, 19);
        assert_eq!(
            name(&[&[(O, printable, b"Isode Limited")], &[(CN, printable, b"Steve Kille")]]),
            "CN=Steve Kille,O=Isode Limited"
        );
        assert_eq!(name(&[&[(OU, utf8, b"Sales"), (CN, utf8, b"J.  Smith")]]), "OU=Sales+CN=J.  Smith");
        assert_eq!(name(&[&[(CN, utf8, b"James \"Jim\" Smith, III")]]), r#"CN=James \"Jim\" Smith\, III"#);
        assert_eq!(name(&[&[(CN, utf8, b"#a \0 ")]]), r"CN=\#a \00\ ");
        assert_eq!(name(&[&[(CN, utf8, "Lu\u{10d}i\u{107}".as_bytes())]]), "CN=Lu\u{10d}i\u{107}");
    }

    /// The last example of RFC 4514 §4.
    #[test]
    fn a_value_that_is_no_text_is_written_in_hexadecimal() {
        assert_eq!(name(&[&[(&[0x2b, 6, 1, 4, 1, 0x8b, 0x3a, 0], 4, b"Hi")]]), "1.3.6.1.4.1.1466.0=#04024869");
    }

    #[test]
    fn old_character_sets_are_decoded() {
        assert_eq!(name(&[&[(CN, 20, b"M\xfcller")]]), "CN=M\u{fc}ller");
        assert_eq!(name(&[&[(CN, 30, b"\0M\0\xfc")]]), "CN=M\u{fc}");
        assert_eq!(name(&[&[(CN, 28, b"\0\0\0M\0\0\0\xfc")]]), "CN=M\u{fc}");
    }

    #[test]
    fn an_empty_name_is_empty() {
        assert_eq!(name(&[]), "");
    }
}
