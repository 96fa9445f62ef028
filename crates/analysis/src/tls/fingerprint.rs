//! JA3, JA3S and JA4: hashes of what a hello offers, by which the software behind it is known again.
//!
//! JA3 and JA3S (Salesforce, BSD-3-Clause) and JA4 for TLS clients (FoxIO, BSD-3-Clause) are free; the other methods of
//! JA4+ are not, and are not here.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::hello::{ALPN, Offer, SERVER_NAME, is_grease};

/// "SSLVersion,Cipher,SSLExtension,EllipticCurve,EllipticCurvePointFormat", the values in decimal with "-" between them
/// and without GREASE; the MD5 of that.
pub(super) fn ja3(offer: &Offer<'_>) -> String {
    let mut said = format!("{},", offer.version);
    decimals(&mut said, &offer.ciphers);
    said.push(',');
    decimals(&mut said, &offer.extensions);
    said.push(',');
    decimals(&mut said, &offer.groups);
    said.push(',');
    let formats: Vec<u16> = offer.point_formats.iter().copied().map(u16::from).collect();
    decimals(&mut said, &formats);
    HEXLOWER.encode(&Md5::digest(said))
}

/// "SSLVersion,Cipher,SSLExtension", likewise.
pub(super) fn ja3s(version: u16, cipher: u16, extensions: &[u16]) -> String {
    let mut said = format!("{version},{cipher},");
    decimals(&mut said, extensions);
    HEXLOWER.encode(&Md5::digest(said))
}

/// FoxIO's technical_details/JA4.md:
///
/// ```text
/// (QUIC="q", DTLS="d", or TLS over TCP="t")
/// (2 character TLS version)
/// (SNI="d" or no SNI="i")
/// (2 character count of ciphers)
/// (2 character count of extensions)
/// (first and last characters of first ALPN extension value)
/// _
/// (sha256 hash of the list of cipher hex codes sorted in hex order, truncated to 12 characters)
/// _
/// (sha256 hash of (the list of extension hex codes sorted in hex order)_(the list of signature algorithms), truncated
/// to 12 characters)
/// ```
pub(super) fn ja4(offer: &Offer<'_>) -> String {
    let real = |values: &[u16]| -> Vec<u16> { values.iter().copied().filter(|value| !is_grease(*value)).collect() };
    let (mut ciphers, mut extensions) = (real(&offer.ciphers), real(&offer.extensions));
    // "If extension 0x002b exists (supported_versions), then the version is the highest value in the extension. Remember
    // to ignore GREASE values. If the extension doesn't exist, then the TLS version is the value of the Protocol Version."
    let version = match real(&offer.supported_versions).into_iter().max().unwrap_or(offer.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        _ => "00",
    };
    let destination = if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let counts = [&ciphers, &extensions].map(|values| values.len().min(99));
    let (first, last) = alpn_characters(offer.alpn.first().copied().unwrap_or_default());
    let mut said = format!("t{version}{destination}{:02}{:02}{first}{last}_", counts[0], counts[1]);

    ciphers.sort_unstable();
    said.push_str(&truncated_hash(&hexadecimals(&ciphers)));
    said.push('_');
    // "Ignore the SNI extension (0000) and the ALPN extension (0010) as we've already captured them".
    extensions.retain(|kind| ![SERVER_NAME, ALPN].contains(kind));
    extensions.sort_unstable();
    let mut described = hexadecimals(&extensions);
    let algorithms = real(&offer.signature_algorithms);
    // "If there are no signature algorithms in the hello packet, then the string ends without an underscore".
    if !described.is_empty() && !algorithms.is_empty() {
        described.push('_');
        described.push_str(&hexadecimals(&algorithms));
    }
    said.push_str(&truncated_hash(&described));
    said
}

/// "If the first or last byte of the first ALPN is non-alphanumeric …, then we print the first and last characters of the
/// hex representation of the first ALPN instead." Without one, "00".
fn alpn_characters(name: &[u8]) -> (char, char) {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            (char::from(*first), char::from(*last))
        }
        (Some(first), Some(last)) => {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
            (digit(first >> 4), digit(last & 0x0f))
        }
        _ => ('0', '0'),
    }
}

fn decimals(said: &mut String, values: &[u16]) {
    let mut separator = "";
    for value in values.iter().filter(|value| !is_grease(**value)) {
        let _ = write!(said, "{separator}{value}");
        separator = "-";
    }
}

fn hexadecimals(values: &[u16]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:04x}")).collect();
    values.join(",")
}

/// "If there are no ciphers in the sorted cipher list, then the value … is set to 000000000000".
fn truncated_hash(said: &str) -> String {
    if said.is_empty() {
        return "000000000000".to_owned();
    }
    let hash = Sha256::digest(said);
    HEXLOWER.encode(hash.get(..6).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of <https://github.com/salesforce/ja3>, README.md.
    #[test]
    fn published_ja3() {
        let offer = Offer {
            version: 769,
            ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![0, 10, 11],
            groups: vec![23, 24, 25],
            point_formats: &[0],
            ..Offer::default()
        };
        assert_eq!(ja3(&offer), "ada70206e40642a3e4461f35503241d5");
        let greased = Offer {
            ciphers: [&[0x0a0a], offer.ciphers.as_slice()].concat(),
            extensions: vec![0x1a1a, 0, 10, 11, 0xfafa],
            groups: vec![0x2a2a, 23, 24, 25],
            ..offer
        };
        assert_eq!(ja3(&greased), "ada70206e40642a3e4461f35503241d5", "JA3 ignores GREASE");
        let ciphers = vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99];
        assert_eq!(ja3(&Offer { version: 769, ciphers, ..Offer::default() }), "de350869b8c85de67a350c8d186f11e6");
    }

    /// What tshark 4.0.17 says (`tls.handshake.ja3s_full`, `tls.handshake.ja3s`) of the servers in exim-implicit-tls.pcap
    /// and postfix-starttls-tls13.pcap.
    #[test]
    fn ja3s_is_that_of_tshark() {
        assert_eq!(ja3s(771, 49196, &[11, 23, 65281]), "6636a28db4c3adbb8f87dd71b1d65530");
        assert_eq!(ja3s(771, 4866, &[43, 51]), "15af977ce25de452b96affa2addb1036");
    }

    fn of_the_document() -> Offer<'static> {
        Offer {
            version: 0x0303,
            ciphers: vec![
                0x8a8a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
                0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signature_algorithms: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            supported_versions: vec![0xcaca, 0x0304, 0x0303],
            alpn: vec![b"h2", b"http/1.1"],
            ..Offer::default()
        }
    }

    /// The example of <https://github.com/FoxIO-LLC/ja4>, technical_details/JA4.md, with GREASE put in.
    #[test]
    fn published_ja4() {
        assert_eq!(ja4(&of_the_document()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let without_algorithms = Offer { signature_algorithms: vec![], ..of_the_document() };
        assert_eq!(ja4(&without_algorithms), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    /// The same document: what stands where there is nothing.
    #[test]
    fn ja4_of_a_client_that_says_little() {
        assert_eq!(ja4(&Offer { version: 0x0301, ..Offer::default() }), "t10i000000_000000000000_000000000000");
        let many = Offer { version: 0x0300, ciphers: (0..200).collect(), ..Offer::default() };
        assert!(ja4(&many).starts_with("ts3i990000_"), "more than 99 are 99");
    }

    /// The same document, "ALPN Extension Value".
    #[test]
    fn ja4_of_odd_protocol_names() {
        for (name, want) in [
            (&b"http/1.1"[..], ('h', '1')),
            (b"h", ('h', 'h')),
            (&[0xab], ('a', 'b')),
            (&[0xab, 0xcd], ('a', 'd')),
            (&[0x30, 0xab], ('3', 'b')),
            (&[0x30, 0x31, 0xab, 0xcd], ('3', 'd')),
            (&[0x30, 0xab, 0xcd, 0x31], ('0', '1')),
        ] {
            assert_eq!(alpn_characters(name), want, "{name:?}");
        }
    }
}
