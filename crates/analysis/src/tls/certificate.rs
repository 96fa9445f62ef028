//! X.509 certificates (RFC 5280), as a handshake before TLS 1.3 shows them. Nothing is verified.

use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::name::distinguished_name;
use crate::output::text;

/// A certificate. All but its digest is `None` or empty where it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whom it is for, as RFC 4514 writes names: `CN=mx.example.net,O=Example`.
    pub subject: Option<String>,
    /// Who says so, likewise.
    pub issuer: Option<String>,
    /// The names in its subjectAltName extension, in order.
    pub names: Vec<SubjectName>,
    /// From when it is valid, in seconds since the epoch.
    pub not_before: Option<i64>,
    /// Until when, likewise.
    pub not_after: Option<i64>,
    /// Its serial number in hexadecimal.
    pub serial: Option<String>,
    /// SHA-256 of its DER form, in hexadecimal: the fingerprint other tools print, and the data of a TLSA record with
    /// the parameters 3 0 1.
    pub sha256: String,
    /// The data of a TLSA record with the parameters 3 1 1 (RFC 6698): SHA-256 of its SubjectPublicKeyInfo.
    pub tlsa_3_1_1: Option<String>,
}

/// A name in a subjectAltName extension (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectName {
    /// Of which kind.
    #[serde(rename = "type")]
    pub kind: NameKind,
    /// As text.
    pub value: String,
}

/// The kinds of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// dNSName.
    Dns,
    /// iPAddress.
    Ip,
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier.
    Uri,
    /// directoryName.
    Directory,
    /// Any other; the value is in hexadecimal behind the object identifier, if there is one.
    Other,
}

impl Certificate {
    /// From its DER form.
    pub(super) fn parse(der: &[u8]) -> Self {
        let sha256 = HEXLOWER.encode(&Sha256::digest(der));
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self {
                subject: None,
                issuer: None,
                names: Vec::new(),
                not_before: None,
                not_after: None,
                serial: None,
                sha256,
                tlsa_3_1_1: None,
            };
        };
        let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
        let validity = certificate.validity();
        Self {
            subject: Some(distinguished_name(certificate.subject())),
            issuer: Some(distinguished_name(certificate.issuer())),
            names: names.flatten().map(SubjectName::of).collect(),
            not_before: Some(validity.not_before.timestamp()),
            not_after: Some(validity.not_after.timestamp()),
            serial: Some(serial(certificate.raw_serial())),
            sha256,
            tlsa_3_1_1: Some(HEXLOWER.encode(&Sha256::digest(certificate.public_key().raw))),
        }
    }
}

impl SubjectName {
    fn of(name: &GeneralName<'_>) -> Self {
        let (kind, value) = match name {
            GeneralName::DNSName(name) => (NameKind::Dns, (*name).to_owned()),
            GeneralName::RFC822Name(name) => (NameKind::Email, (*name).to_owned()),
            GeneralName::URI(name) => (NameKind::Uri, (*name).to_owned()),
            GeneralName::IPAddress(octets) => (NameKind::Ip, address(octets)),
            GeneralName::DirectoryName(name) => (NameKind::Directory, distinguished_name(name)),
            GeneralName::OtherName(kind, value) => (NameKind::Other, format!("{kind}:{}", HEXLOWER.encode(value))),
            GeneralName::RegisteredID(id) => (NameKind::Other, id.to_string()),
            // Not written in ASCII, which the standard wants, but a name all the same.
            GeneralName::Invalid(tag, octets) if tag.0 == 1 => (NameKind::Email, text(octets).into()),
            GeneralName::Invalid(tag, octets) if tag.0 == 2 => (NameKind::Dns, text(octets).into()),
            GeneralName::Invalid(tag, octets) if tag.0 == 6 => (NameKind::Uri, text(octets).into()),
            GeneralName::Invalid(_, octets) => (NameKind::Other, HEXLOWER.encode(octets)),
            GeneralName::X400Address(any) | GeneralName::EDIPartyName(any) => {
                (NameKind::Other, HEXLOWER.encode(any.data))
            }
        };
        Self { kind, value }
    }
}

/// RFC 5280 §4.2.1.6: four octets for IPv4, sixteen for IPv6.
fn address(octets: &[u8]) -> String {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Ipv4Addr::from(octets).to_string();
    }
    <[u8; 16]>::try_from(octets).map_or_else(|_| HEXLOWER.encode(octets), |octets| Ipv6Addr::from(octets).to_string())
}

/// Without the octet that only says that the number is positive.
fn serial(octets: &[u8]) -> String {
    HEXLOWER.encode(match octets {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => octets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_octets_that_are_no_certificate_the_digest_is_kept() {
        let certificate = Certificate::parse(b"abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(certificate.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((certificate.subject, certificate.not_after, certificate.tlsa_3_1_1), (None, None, None));
    }

    #[test]
    fn a_serial_number_has_no_octet_for_its_sign() {
        assert_eq!([serial(&[0, 0x9a, 1]), serial(&[0]), serial(&[])], ["9a01", "00", ""]);
    }

    #[test]
    fn addresses_of_both_kinds() {
        assert_eq!(address(&[192, 0, 2, 25]), "192.0.2.25");
        assert_eq!(address(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "2001:db8::1");
        assert_eq!(address(&[1, 2]), "0102");
    }
}
