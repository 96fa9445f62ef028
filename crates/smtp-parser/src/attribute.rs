//! What a proxy or filter says of the client behind it: the attributes of XCLIENT and XFORWARD.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::parameter::Parameters;
use crate::xtext::xtext;

/// The attributes of one command, as an iterator.
///
/// Postfix, XCLIENT_README:
/// ```text
/// xclient-command = XCLIENT 1*( SP attribute-name"="attribute-value )
/// attribute-name = ( NAME | ADDR | PORT | PROTO | HELO | LOGIN | DESTADDR | DESTPORT )
/// attribute-value = xtext
/// ```
/// XFORWARD_README has NAME, ADDR, PORT, PROTO, HELO, IDENT and SOURCE. Any name is given here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes<'a> {
    words: Parameters<'a>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// As sent: `NAME`, `ADDR`, ….
    pub name: &'a [u8],
    /// What it is set to.
    pub value: AttributeValue<'a>,
}

/// What an attribute is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// `[UNAVAILABLE]`: permanently not known.
    Unavailable,
    /// `[TEMPUNAVAIL]`: not known, because a look-up failed for now.
    TemporarilyUnavailable,
    /// Decoded. As sent where it is no xtext, and empty where there is no "=".
    Text(Cow<'a, [u8]>),
}

impl<'a> Attributes<'a> {
    /// Those in the argument of XCLIENT or XFORWARD.
    pub const fn new(argument: &'a [u8]) -> Self {
        Self { words: Parameters::new(argument) }
    }

    /// The last value of the attribute `name`, in any case: a later one overrides.
    pub fn value_of(self, name: &str) -> Option<AttributeValue<'a>> {
        self.filter(|attribute| attribute.name.eq_ignore_ascii_case(name.as_bytes())).last().map(|found| found.value)
    }

    /// The client's address that ADDR claims. Before one of IPv6 Postfix puts `IPV6:`.
    pub fn address(self) -> Option<IpAddr> {
        self.address_in("ADDR")
    }

    /// The client's port that PORT claims.
    pub fn port(self) -> Option<u16> {
        self.port_in("PORT")
    }

    /// The address that the client had called, as DESTADDR claims.
    pub fn destination_address(self) -> Option<IpAddr> {
        self.address_in("DESTADDR")
    }

    /// The port that the client had called, as DESTPORT claims.
    pub fn destination_port(self) -> Option<u16> {
        self.port_in("DESTPORT")
    }

    fn address_in(self, name: &str) -> Option<IpAddr> {
        let Some(AttributeValue::Text(text)) = self.value_of(name) else { return None };
        let text = std::str::from_utf8(&text).ok()?;
        match text.split_at_checked("IPV6:".len()) {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => address.parse().ok().map(IpAddr::V6),
            _ => text.parse().ok(),
        }
    }

    fn port_in(self, name: &str) -> Option<u16> {
        let Some(AttributeValue::Text(text)) = self.value_of(name) else { return None };
        std::str::from_utf8(&text).ok()?.parse().ok()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (name, value) = self.words.next()?;
        let value = value.unwrap_or_default();
        let value = match () {
            () if value.eq_ignore_ascii_case(b"[UNAVAILABLE]") => AttributeValue::Unavailable,
            () if value.eq_ignore_ascii_case(b"[TEMPUNAVAIL]") => AttributeValue::TemporarilyUnavailable,
            () => AttributeValue::Text(xtext(value).unwrap_or(Cow::Borrowed(value))),
        };
        Some(Attribute { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(octets: &'static [u8]) -> AttributeValue<'static> {
        AttributeValue::Text(Cow::Borrowed(octets))
    }

    /// The dialogues at the end of XCLIENT_README and XFORWARD_README.
    #[test]
    fn the_examples_of_postfix() {
        let attributes = Attributes::new(b"NAME=spike.porcupine.org ADDR=168.100.189.2");
        assert_eq!(attributes.value_of("name"), Some(text(b"spike.porcupine.org")));
        assert_eq!(attributes.address(), Some(IpAddr::from([168, 100, 189, 2])));
        let attributes = Attributes::new(b"NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP");
        assert_eq!(attributes.map(|attribute| attribute.name).collect::<Vec<_>>(), [&b"NAME"[..], b"ADDR", b"PROTO"]);
    }

    #[test]
    fn values_that_are_not_known() {
        let attributes = Attributes::new(b"NAME=[UNAVAILABLE] REVERSE_NAME=[tempunavail] HELO=a+20b LOGIN=a+ X");
        assert_eq!(attributes.value_of("NAME"), Some(AttributeValue::Unavailable));
        assert_eq!(attributes.value_of("REVERSE_NAME"), Some(AttributeValue::TemporarilyUnavailable));
        assert_eq!(attributes.value_of("HELO"), Some(text(b"a b")));
        assert_eq!(attributes.value_of("LOGIN"), Some(text(b"a+")), "not xtext");
        assert_eq!(attributes.value_of("X"), Some(text(b"")));
        assert_eq!((attributes.value_of("PORT"), attributes.port(), attributes.address()), (None, None, None));
    }

    #[test]
    fn addresses_and_ports() {
        let attributes = Attributes::new(b"ADDR=10.0.0.1 PORT=1 ADDR=IPV6:2001:db8::1 PORT=65535");
        assert_eq!(attributes.address(), "2001:db8::1".parse().ok());
        assert_eq!(attributes.port(), Some(65_535));
        assert_eq!(Attributes::new(b"ADDR=2001:db8::1").address(), "2001:db8::1".parse().ok());
        let attributes = Attributes::new(b"DESTADDR=198.51.100.25 DESTPORT=25");
        assert_eq!(attributes.destination_address(), Some(IpAddr::from([198, 51, 100, 25])));
        assert_eq!((attributes.destination_port(), attributes.address(), attributes.port()), (Some(25), None, None));
        assert_eq!(Attributes::new(b"ADDR=x PORT=65536").port(), None);
    }
}
