//! What a part is wrapped in, and whether that hides or vouches for what is inside.

use memchr::memmem;
use serde::Serialize;

use super::entity::Entity;
use super::leaf::{Body, ENDS_OCTETS};

/// The form around a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// S/MIME (RFC 8551).
    Smime,
    /// OpenPGP (RFC 3156, or armour in the text).
    Openpgp,
    /// Transport Neutral Encapsulation Format: `winmail.dat`.
    Tnef,
    /// ZIP, and what is made of it.
    Zip,
    /// 7-Zip.
    #[serde(rename = "7z")]
    SevenZip,
    /// RAR.
    Rar,
    /// An OLE compound file: Office documents before 2007, and encrypted ones.
    Ole,
    /// PDF.
    Pdf,
}

/// What the container does to its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// It cannot be read without a key or password.
    Encrypted,
    /// It stands there with its signature.
    Signed,
    /// It is the signature of another part.
    Signature,
    /// It carries keys or certificates.
    Keys,
}

/// What a type says.
pub(super) fn declared(entity: &Entity) -> Option<(Container, Option<Protection>)> {
    use Container::{Openpgp, Smime, Tnef};
    use Protection::{Encrypted, Keys, Signature, Signed};
    let protocol = || match entity.parameter("protocol").unwrap_or_default().to_ascii_lowercase().as_str() {
        "application/pgp-signature" | "application/pgp-encrypted" => Some(Openpgp),
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => Some(Smime),
        _ => None,
    };
    Some(match entity.content_type.as_str() {
        // RFC 1847.
        "multipart/signed" => (protocol()?, Some(Signed)),
        "multipart/encrypted" => (protocol()?, Some(Encrypted)),
        // RFC 8551 §3.2.2: where the parameter is missing, it is in the content, which is DER.
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
            let protection = match entity.parameter("smime-type").unwrap_or_default().to_ascii_lowercase().as_str() {
                "enveloped-data" | "authenveloped-data" => Some(Encrypted),
                "signed-data" => Some(Signed),
                "certs-only" => Some(Keys),
                _ => None,
            };
            (Smime, protection)
        }
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => (Smime, Some(Signature)),
        // RFC 3156.
        "application/pgp-encrypted" => (Openpgp, Some(Encrypted)),
        "application/pgp-signature" => (Openpgp, Some(Signature)),
        "application/pgp-keys" => (Openpgp, Some(Keys)),
        "application/ms-tnef" | "application/vnd.ms-tnef" => (Tnef, None),
        _ => return None,
    })
}

/// What an S/MIME content is, where its type does not say: its DER begins with the object identifier of the CMS content
/// type (RFC 5652 §3 to §6, RFC 5083 §2.1).
pub(super) fn cms(head: &[u8]) -> Option<Protection> {
    let head = head.get(..32).unwrap_or(head);
    let has = |identifier: &[u8]| memmem::find(head, identifier).is_some();
    if has(b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") {
        return Some(Protection::Signed);
    }
    let is_enveloped =
        has(b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03") || has(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17");
    is_enveloped.then_some(Protection::Encrypted)
}

/// What the content shows, whatever its type says.
pub(super) fn shown(body: &Body) -> Option<(Container, Option<Protection>)> {
    let (head, tail) = (body.ends.head.as_slice(), body.ends.tail());
    let when = |encrypted: bool| encrypted.then_some(Protection::Encrypted);
    if let Some(found) = armour(&body.text).or_else(|| armour(head)) {
        return Some((Container::Openpgp, Some(found)));
    }
    if head.starts_with(b"\x78\x9f\x3e\x22") {
        // [MS-OXTNEF] §2.1.3.1: TNEFSignature, 0x223e9f78 in little endian.
        return Some((Container::Tnef, None));
    }
    if head.starts_with(b"PK\x03\x04") {
        // APPNOTE §4.3.7: the general purpose bit flag at offset 6, whose bit 0 says that the file is encrypted.
        return Some((Container::Zip, when(zip_is_encrypted(head))));
    }
    if head.starts_with(b"7z\xbc\xaf\x27\x1c") {
        // The header at the end names the coder 06 f1 07 01: AES-256 with SHA-256.
        return Some((Container::SevenZip, when(memmem::find(tail, b"\x06\xf1\x07\x01").is_some())));
    }
    if head.starts_with(b"Rar!\x1a\x07") {
        return Some((Container::Rar, when(rar_is_encrypted(head))));
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        // [MS-OFFCRYPTO] §2.3.4.4: the stream "EncryptedPackage" in the directory, in UTF-16.
        let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let encrypted = [head, tail].iter().any(|end| memmem::find(end, &name).is_some());
        return Some((Container::Ole, when(encrypted)));
    }
    if head.starts_with(b"%PDF-") {
        // ISO 32000-1 §7.5.5: the entry Encrypt of the trailer, which stands at the end, or in the beginning where the
        // file is linearized.
        let encrypted = [head, tail].iter().any(|end| memmem::find(end, b"/Encrypt").is_some());
        return Some((Container::Pdf, when(encrypted)));
    }
    None
}

/// > "-----BEGIN PGP MESSAGE-----" … (RFC 9580 §6.2.1), at the beginning of a line.
fn armour(text: &[u8]) -> Option<Protection> {
    memmem::find_iter(text, b"-----BEGIN PGP ").find_map(|at| {
        let (before, line) = text.split_at_checked(at)?;
        if !(before.is_empty() || before.ends_with(b"\n")) {
            return None;
        }
        let line = line.strip_prefix(b"-----BEGIN PGP ")?;
        let kinds: [(&[u8], _); 4] = [
            (b"MESSAGE", Protection::Encrypted),
            (b"SIGNED MESSAGE-----", Protection::Signed),
            (b"SIGNATURE-----", Protection::Signature),
            (b"PUBLIC KEY BLOCK-----", Protection::Keys),
        ];
        kinds.into_iter().find(|(kind, _)| line.starts_with(kind)).map(|(_, protection)| protection)
    })
}

/// Whether one of the files whose headers are in the beginning is encrypted. The first may be a folder, which never is.
fn zip_is_encrypted(head: &[u8]) -> bool {
    memmem::find_iter(head, b"PK\x03\x04").any(|at| head.get(at + 6).is_some_and(|flags| flags & 1 == 1))
}

fn rar_is_encrypted(head: &[u8]) -> bool {
    if let Some(blocks) = head.strip_prefix(b"Rar!\x1a\x07\x01\x00") {
        // RAR 5.0 archive format: a block is CRC32, vint size, vint type; type 4 is the encryption header, and a file's
        // encryption record (type 1) is looked for by its own start: size, type 1, version 0.
        let kind = blocks.get(4..).and_then(|block| block.iter().skip_while(|octet| **octet >= 0x80).nth(1).copied());
        return kind == Some(4) || memmem::find(blocks, b"\x30\x01\x00\x03").is_some();
    }
    // RAR 4.x: the archive header (type 73) has flag 0x0080 where block headers are encrypted, a file header (type 74) has
    // flag 0x0004 where its file is.
    let Some(blocks) = head.strip_prefix(b"Rar!\x1a\x07\x00") else { return false };
    let flags = |block: &[u8]| Some(u16::from_le_bytes([*block.get(3)?, *block.get(4)?]));
    let archive = flags(blocks).is_some_and(|flags| flags & 0x0080 != 0);
    let length =
        blocks.get(5..7).map_or(0, |size| size.iter().rev().fold(0, |sum, octet| sum << 8 | usize::from(*octet)));
    let file = blocks.get(length..).filter(|file| file.get(2) == Some(&0x74));
    archive || file.and_then(flags).is_some_and(|flags| flags & 0x0004 != 0)
}

const _: () = assert!(ENDS_OCTETS >= 1024, "the headers looked at are within the octets that are kept");

#[cfg(test)]
mod tests {
    use super::super::leaf::Ends;
    use super::*;

    fn said(header: &str) -> Option<(Container, Option<Protection>)> {
        declared(&Entity::of(header.as_bytes(), "text/plain"))
    }

    fn seen(octets: &[u8]) -> Option<(Container, Option<Protection>)> {
        let mut ends = Ends::default();
        ends.push(octets);
        shown(&Body {
            encoded: 0,
            decoded: 0,
            faults: 0,
            sha256: None,
            md5: None,
            text: Vec::new(),
            text_cut: false,
            ends,
        })
    }

    /// RFC 8551 §3.4.3.3 and §3.3, RFC 3156 §4 and §5, by their examples.
    #[test]
    fn types_of_smime_and_openpgp() {
        use Container::{Openpgp, Smime};
        use Protection::{Encrypted, Signature, Signed};
        for (header, wanted) in [
            (
                "Content-Type: multipart/signed;\r\n protocol=\"application/pkcs7-signature\";\r\n micalg=sha-256; boundary=b\r\n",
                (Smime, Some(Signed)),
            ),
            (
                "Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\r\n name=smime.p7m\r\n",
                (Smime, Some(Encrypted)),
            ),
            ("Content-Type: application/pkcs7-signature; name=smime.p7s\r\n", (Smime, Some(Signature))),
            (
                "Content-Type: multipart/encrypted; boundary=foo;\r\n  protocol=\"application/pgp-encrypted\"\r\n",
                (Openpgp, Some(Encrypted)),
            ),
            ("Content-Type: application/pgp-signature\r\n", (Openpgp, Some(Signature))),
            ("Content-Type: application/ms-tnef; name=winmail.dat\r\n", (Container::Tnef, None)),
        ] {
            assert_eq!(said(header), Some(wanted), "{header}");
        }
        assert_eq!(said("Content-Type: multipart/mixed; boundary=b\r\n"), None);
    }

    /// The first octets of what `openssl cms -sign` and `-encrypt` write.
    #[test]
    fn what_the_type_of_an_smime_part_leaves_open_is_in_its_content() {
        let der =
            |last: u8| [b"\x30\x82\x06\x01\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07".as_slice(), &[last, 0xa0]].concat();
        assert_eq!(cms(&der(2)), Some(Protection::Signed));
        assert_eq!(cms(&der(3)), Some(Protection::Encrypted));
        assert_eq!(cms(&der(1)), None);
    }

    #[test]
    fn armour_in_the_text_stands_at_the_beginning_of_a_line() {
        assert_eq!(armour(b"Hi\r\n-----BEGIN PGP MESSAGE-----\r\n"), Some(Protection::Encrypted));
        assert_eq!(armour(b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n"), Some(Protection::Signed));
        assert_eq!(armour(b"> -----BEGIN PGP MESSAGE-----\r\n"), None);
    }

    #[test]
    fn encrypted_archives_are_known_by_their_headers() {
        let zip = |flags: u8| [b"PK\x03\x04\x14\x00".as_slice(), &[flags, 0], &[0; 40]].concat();
        assert_eq!(seen(&zip(0)), Some((Container::Zip, None)));
        assert_eq!(seen(&zip(9)), Some((Container::Zip, Some(Protection::Encrypted))));
        let ole = |name: &str| {
            let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 9000], &name, &[0; 64]].concat()
        };
        assert_eq!(seen(&ole("WordDocument")), Some((Container::Ole, None)));
        assert_eq!(seen(&ole("EncryptedPackage")), Some((Container::Ole, Some(Protection::Encrypted))));
        let pdf = |trailer: &str| [b"%PDF-1.7\n".as_slice(), &[0; 9000], trailer.as_bytes(), b"\n%%EOF\n"].concat();
        assert_eq!(seen(&pdf("trailer << /Root 1 0 R >>")), Some((Container::Pdf, None)));
        assert_eq!(seen(&pdf("trailer << /Encrypt 9 0 R >>")), Some((Container::Pdf, Some(Protection::Encrypted))));
        assert_eq!(seen(b"\x78\x9f\x3e\x22\x01\x00"), Some((Container::Tnef, None)));
        assert_eq!(seen(b"plain"), None);
    }

    #[test]
    fn encrypted_rar_of_both_formats() {
        let four = |archive: u8, file: u8| {
            let archive = [0, 0, 0x73, archive, 0, 13, 0, 0, 0, 0, 0, 0, 0];
            [b"Rar!\x1a\x07\x00".as_slice(), &archive, &[0, 0, 0x74, file, 0, 40, 0]].concat()
        };
        assert_eq!(seen(&four(0, 0)), Some((Container::Rar, None)));
        assert_eq!(seen(&four(0x80, 0)), Some((Container::Rar, Some(Protection::Encrypted))));
        assert_eq!(seen(&four(0, 4)), Some((Container::Rar, Some(Protection::Encrypted))));
        let five = |kind: u8| [b"Rar!\x1a\x07\x01\x00".as_slice(), &[1, 2, 3, 4, 33, kind, 0]].concat();
        assert_eq!(seen(&five(1)), Some((Container::Rar, None)));
        assert_eq!(seen(&five(4)), Some((Container::Rar, Some(Protection::Encrypted))));
    }
}
