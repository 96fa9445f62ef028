//! What ClientHello and ServerHello say (RFC 8446 §4.1, RFC 5246 §7.4.1).

use tls_parser::{
    TlsCipherSuite, TlsExtension, TlsServerHelloContents, parse_tls_extension_alpn_content,
    parse_tls_extension_ec_point_formats_content, parse_tls_extension_elliptic_curves_content,
    parse_tls_extension_signature_algorithms_content, parse_tls_extension_sni_content, parse_tls_extension_unknown,
    parse_tls_handshake_client_hello, parse_tls_handshake_server_hello,
};

use super::fingerprint;
use crate::output::text;

/// What a client says of itself and of what it wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) server_name: Option<String>,
    pub(super) alpn: Vec<String>,
    pub(super) ja3: Option<String>,
    pub(super) ja4: Option<String>,
}

/// A ClientHello as it is written, GREASE and all.
#[derive(Debug, Clone, Default)]
pub(super) struct Offer<'a> {
    /// `legacy_version`.
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    /// Types, in order.
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: &'a [u8],
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) supported_versions: Vec<u16>,
    pub(super) server_name: Option<&'a [u8]>,
    pub(super) alpn: Vec<&'a [u8]>,
}

impl ClientHello {
    /// From the body of the message; `None` where it is none.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let offer = Offer::parse(body)?;
        Some(Self {
            server_name: offer.server_name.map(|name| text(name).into()),
            alpn: offer.alpn.iter().map(|name| text(name).into()).collect(),
            ja3: Some(fingerprint::ja3(&offer)),
            ja4: Some(fingerprint::ja4(&offer)),
        })
    }
}

impl<'a> Offer<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (_, hello) = parse_tls_handshake_client_hello(body).ok()?;
        let mut offer = Self {
            version: hello.version.0,
            ciphers: hello.ciphers.iter().map(|cipher| cipher.0).collect(),
            ..Self::default()
        };
        for (kind, data) in Extensions(hello.ext.unwrap_or_default()) {
            let is_repeated = offer.extensions.contains(&kind);
            offer.extensions.push(kind);
            if !is_repeated {
                offer.extension(kind, data);
            }
        }
        Some(offer)
    }

    /// What is in an extension; one that cannot be read counts as there and empty.
    fn extension(&mut self, kind: u16, data: &'a [u8]) {
        let parsed = match kind {
            SERVER_NAME => parse_tls_extension_sni_content(data),
            SUPPORTED_GROUPS => parse_tls_extension_elliptic_curves_content(data),
            EC_POINT_FORMATS => parse_tls_extension_ec_point_formats_content(data),
            SIGNATURE_ALGORITHMS => parse_tls_extension_signature_algorithms_content(data),
            ALPN => parse_tls_extension_alpn_content(data),
            // `ProtocolVersion versions<2..254>` (RFC 8446 §4.2.1).
            SUPPORTED_VERSIONS => {
                let versions = data.get(1..).unwrap_or_default().as_chunks::<2>().0;
                self.supported_versions = versions.iter().map(|version| u16::from_be_bytes(*version)).collect();
                return;
            }
            _ => return,
        };
        match parsed {
            Ok((_, TlsExtension::SNI(names))) => {
                self.server_name = names.iter().find(|(kind, _)| kind.0 == HOST_NAME).map(|(_, name)| *name);
            }
            Ok((_, TlsExtension::EllipticCurves(groups))) => {
                self.groups = groups.iter().map(|group| group.0).collect();
            }
            Ok((_, TlsExtension::EcPointFormats(formats))) => self.point_formats = formats,
            Ok((_, TlsExtension::SignatureAlgorithms(algorithms))) => self.signature_algorithms = algorithms,
            Ok((_, TlsExtension::ALPN(names))) => self.alpn = names,
            _ => {}
        }
    }
}

/// What a server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) version: u16,
    /// `None` in SSL 2.0, where the client chooses.
    pub(super) cipher: Option<u16>,
    pub(super) alpn: Option<String>,
    pub(super) ja3s: Option<String>,
    /// The server took a key that the client had from an earlier connection (RFC 8446 §4.2.11).
    pub(super) takes_pre_shared_key: bool,
    /// It wants another ClientHello first (RFC 8446 §4.1.4).
    pub(super) is_retry_request: bool,
}

impl ServerHello {
    /// From the body of the message; `None` where it is none.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        if let Some(hello) = Self::parse_draft(body) {
            return Some(hello);
        }
        let (rest, hello) = parse_tls_handshake_server_hello(body).ok()?;
        // tls-parser looks for no extensions in SSL 3.0, where OpenSSL had that of RFC 5746.
        let extensions = hello.ext.unwrap_or_else(|| rest.get(2..).unwrap_or_default());
        Some(Self::new(&hello, extensions))
    }

    /// That of SSL 2.0.
    pub(super) fn of_sslv2(version: u16) -> Self {
        Self { version, cipher: None, alpn: None, ja3s: None, takes_pre_shared_key: false, is_retry_request: false }
    }

    fn new(hello: &TlsServerHelloContents<'_>, extensions: &[u8]) -> Self {
        let (mut version, mut alpn, mut kinds) = (hello.version.0, None, Vec::new());
        for (kind, data) in Extensions(extensions) {
            kinds.push(kind);
            match (kind, data) {
                // RFC 8446 §4.2.1: "If this extension is present, clients MUST ignore the ServerHello.legacy_version
                // value and MUST use only the supported_versions extension to determine the selected version."
                (SUPPORTED_VERSIONS, &[major, minor]) => version = u16::from_be_bytes([major, minor]),
                (ALPN, _) => {
                    if let Ok((_, TlsExtension::ALPN(names))) = parse_tls_extension_alpn_content(data) {
                        alpn = names.first().map(|name| text(name).into());
                    }
                }
                _ => {}
            }
        }
        Self {
            version,
            cipher: Some(hello.cipher.0),
            alpn,
            ja3s: Some(fingerprint::ja3s(hello.version.0, hello.cipher.0, &kinds)),
            takes_pre_shared_key: kinds.contains(&PRE_SHARED_KEY),
            is_retry_request: hello.random == RETRY_REQUEST,
        }
    }

    /// The drafts of TLS 1.3 up to 21 had neither session identifier nor compression method in ServerHello, and their
    /// number in its version: `ProtocolVersion version; Random random; CipherSuite cipher_suite; Extension …`.
    fn parse_draft(body: &[u8]) -> Option<Self> {
        let (version, rest) = body.split_first_chunk::<2>()?;
        let version = u16::from_be_bytes(*version);
        let (random, rest) = rest.split_at_checked(RETRY_REQUEST.len())?;
        let (cipher, rest) = rest.split_first_chunk::<2>()?;
        if !is_draft_of_1_3(version) {
            return None;
        }
        let cipher = u16::from_be_bytes(*cipher);
        let hello = TlsServerHelloContents::new(version, random, None, cipher, 0, None);
        Some(Self::new(&hello, rest.get(2..).unwrap_or_default()))
    }
}

/// The extensions of a hello, type and data, as far as they can be read.
struct Extensions<'a>(&'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match parse_tls_extension_unknown(self.0) {
            Ok((rest, TlsExtension::Unknown(kind, data))) => {
                self.0 = rest;
                Some((kind.0, data))
            }
            _ => None,
        }
    }
}

/// A version as people write it; one that is in no standard as its number.
pub(super) fn version_name(version: u16) -> String {
    match version {
        0x0002 => "SSL 2.0".to_owned(),
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        0x0303 => "TLS 1.2".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        draft if is_draft_of_1_3(draft) => format!("TLS 1.3 draft {}", draft & 0xff),
        unknown => format!("0x{unknown:04X}"),
    }
}

/// The name of a cipher suite in the IANA registry; of one that has none, its number.
pub(super) fn cipher_name(cipher: u16) -> String {
    TlsCipherSuite::from_id(cipher).map_or_else(|| format!("0x{cipher:04X}"), |suite| suite.name.to_owned())
}

/// Whether a version is TLS 1.3 or one of its drafts, whose handshake is encrypted from ServerHello on.
pub(super) fn is_1_3(version: u16) -> bool {
    version == 0x0304 || is_draft_of_1_3(version)
}

/// RFC 8446 §4.2.1.1 of the drafts: "0x7f00 | draft version".
fn is_draft_of_1_3(version: u16) -> bool {
    version >> 8 == 0x7f
}

/// RFC 8701 §2: reserved values that mean nothing, 0x0A0A to 0xFAFA.
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

pub(super) const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const ALPN: u16 = 16;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
/// RFC 6066 §3, `NameType`.
const HOST_NAME: u8 = 0;

/// RFC 8446 §4.1.3: the Random of a HelloRetryRequest, SHA-256 of its name.
const RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::{client_hello, extension, server_hello};

    #[test]
    fn the_client_names_the_server_and_its_protocols() {
        let names = [0, 9, 1, 0, 1, b'x', 0, 0, 2, b'm', b'x'];
        let extensions = [extension(0, &names), extension(16, b"\0\x05\x04smtp")].concat();
        let hello = ClientHello::parse(&client_hello(0x0303, &[0x1301], &extensions)).expect("a hello");
        assert_eq!(hello.server_name.as_deref(), Some("mx"), "the first of type host_name");
        assert_eq!(hello.alpn, ["smtp"]);
    }

    /// Bad input gives what was read before: the extension that is cut ends the list.
    #[test]
    fn extensions_are_read_as_far_as_they_go() {
        let extensions = [extension(16, b"\0\x05\x04smtp"), vec![0, 43, 0, 9, 1]].concat();
        let body = client_hello(0x0303, &[0x1301], &extensions);
        assert_eq!(Offer::parse(&body).map(|offer| offer.extensions), Some(vec![16]));
        assert_eq!(ClientHello::parse(&body[..40]), None);
    }

    /// RFC 8446 §4.2.1 and the drafts from 22 on.
    #[test]
    fn the_version_is_that_of_supported_versions() {
        let chosen = |extensions: &[u8]| ServerHello::parse(&server_hello(0x0303, 0x1302, extensions)).unwrap().version;
        assert_eq!(version_name(chosen(&[])), "TLS 1.2");
        assert_eq!(version_name(chosen(&extension(43, &[3, 4]))), "TLS 1.3");
        assert_eq!(version_name(chosen(&extension(43, &[0x7f, 28]))), "TLS 1.3 draft 28");
        assert_eq!(version_name(chosen(&extension(43, &[0x8a, 0x8a]))), "0x8A8A");
    }

    /// draft-ietf-tls-tls13-18 §4.1.3.
    #[test]
    fn a_server_hello_of_an_early_draft() {
        let body = [&[0x7f, 18][..], &[7; 32], &[0x13, 1], &[0, 0]].concat();
        let hello = ServerHello::parse(&body).expect("a hello");
        assert_eq!(
            (version_name(hello.version), hello.cipher.map(cipher_name)),
            ("TLS 1.3 draft 18".into(), Some("TLS_AES_128_GCM_SHA256".into()))
        );
        assert!(is_1_3(hello.version));
    }

    #[test]
    fn cipher_suites_have_the_names_of_the_registry() {
        assert_eq!(cipher_name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(cipher_name(0xfefe), "0xFEFE");
    }

    /// RFC 8446 §4.1.4.
    #[test]
    fn a_hello_retry_request_is_told_by_its_random() {
        let mut body = server_hello(0x0303, 0x1301, &extension(43, &[3, 4]));
        assert_eq!(ServerHello::parse(&body).map(|hello| hello.is_retry_request), Some(false));
        body[2..34].copy_from_slice(&RETRY_REQUEST);
        assert_eq!(ServerHello::parse(&body).map(|hello| hello.is_retry_request), Some(true));
    }

    /// RFC 8701 §2.
    #[test]
    fn grease_has_two_equal_octets() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a) && !is_grease(0x1301));
    }
}
