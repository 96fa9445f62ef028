//! The messages of NTLM that carry names ([MS-NLMP] §2.2.1.1 and §2.2.1.3), bare or inside another mechanism's.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// The names in a NEGOTIATE_MESSAGE, in the client's OEM code page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NtlmNegotiate<'a> {
    /// The domain of the client's machine; empty where it does not say.
    pub domain: &'a [u8],
    /// The client's machine.
    pub workstation: &'a [u8],
}

/// The names in an AUTHENTICATE_MESSAGE, as UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NtlmAuthenticate {
    /// The domain; often empty.
    pub domain: Vec<u8>,
    /// The user.
    pub username: Vec<u8>,
    /// The client's machine.
    pub workstation: Vec<u8>,
}

/// The message of NTLM in `message`: all of it, or what begins with the signature in a token of SPNEGO (RFC 4178), whose
/// lengths do not matter here.
pub fn ntlm_message(message: &[u8]) -> Option<&[u8]> {
    SIGNATURE.find(message).and_then(|at| message.get(at..))
}

/// Reads the first message of NTLM.
///
/// ```text
///  0          8         12      16          24            32
///  ┌──────────┬─────────┬───────┬───────────┬─────────────┬─────────┬──
///  │NTLMSSP\0 │ type 1  │ flags │ domain    │ workstation │ version │
///  └──────────┴─────────┴───────┴───────────┴─────────────┴─────────┴──
///              domain, workstation: as below; there where flags 0x1000 and 0x2000 say so
/// ```
pub fn ntlm_negotiate(message: &[u8]) -> Option<NtlmNegotiate<'_>> {
    let flags = flags_of_type(message, 1, 12)?;
    let name = |flag, at| if flags & flag == 0 { Some(&[][..]) } else { field(message, at) };
    Some(NtlmNegotiate { domain: name(0x1000, 16)?, workstation: name(0x2000, 24)? })
}

/// Reads the third message of NTLM.
///
/// ```text
///  0          8         12          20          28          36          44            52          60
///  ┌──────────┬─────────┬───────────┬───────────┬───────────┬───────────┬─────────────┬───────────┬───────┬──
///  │NTLMSSP\0 │ type 3  │ LM resp.  │ NT resp.  │ domain    │ user      │ workstation │ session k.│ flags │
///  └──────────┴─────────┴───────────┴───────────┴───────────┴───────────┴─────────────┴───────────┴───────┴──
///                         each: length u16, capacity u16, offset u32 from the message's beginning
/// ```
/// All little-endian. Names are UTF-16 where flag 1 (NTLMSSP_NEGOTIATE_UNICODE) is set, else octets of some code page,
/// which are given as they are. Old clients send no flags; their names are octets.
pub fn ntlm_authenticate(message: &[u8]) -> Option<NtlmAuthenticate> {
    flags_of_type(message, 3, 8)?;
    let first_octet = [12, 20, 28, 36, 44, 52].into_iter().filter_map(|at| offset_of(message, at)).min();
    let has_flags = first_octet.is_none_or(|octet| octet >= 64);
    let unicode = has_flags && little_endian(message, 60, 4).is_some_and(|flags| flags & 1 != 0);
    let name = |at| {
        let octets = field(message, at)?;
        Some(if unicode { utf_8(octets) } else { octets.to_vec() })
    };
    Some(NtlmAuthenticate { domain: name(28)?, username: name(36)?, workstation: name(44)? })
}

/// The number at `at` in a message of type `wanted`.
fn flags_of_type(message: &[u8], wanted: usize, at: usize) -> Option<usize> {
    let is_wanted = message.starts_with(b"NTLMSSP\0") && little_endian(message, 8, 4)? == wanted;
    if is_wanted { little_endian(message, at, 4) } else { None }
}

/// The offset that the field descriptor at `at` holds, where the field is not empty.
fn offset_of(message: &[u8], at: usize) -> Option<usize> {
    let length = little_endian(message, at, 2)?;
    let offset = little_endian(message, at.checked_add(4)?, 4)?;
    (length > 0).then_some(offset)
}

/// The octets that the field descriptor at `at` points to.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = little_endian(message, at, 2)?;
    let offset = little_endian(message, at.checked_add(4)?, 4)?;
    if length == 0 { Some(&[]) } else { message.get(offset..offset.checked_add(length)?) }
}

/// The number in the `octets`, at most four, from `at` on.
fn little_endian(message: &[u8], at: usize, octets: usize) -> Option<usize> {
    let octets = message.get(at..at.checked_add(octets)?)?;
    let number = octets.iter().rev().fold(0_u32, |number, &octet| number << 8 | u32::from(octet));
    usize::try_from(number).ok()
}

fn utf_8(utf_16: &[u8]) -> Vec<u8> {
    let units = utf_16.chunks_exact(2).filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?)));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
}

static SIGNATURE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"NTLMSSP\0"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::decode_base64;

    fn names(message: &[u8]) -> (String, String, String) {
        let NtlmAuthenticate { domain, username, workstation } = ntlm_authenticate(message).unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (text(domain), text(username), text(workstation))
    }

    /// [MS-NLMP] §4.2.2.3: the AUTHENTICATE_MESSAGE of user `User`, domain `Domain`, machine `COMPUTER`.
    #[test]
    fn authenticate_message_of_ms_nlmp_section_4_2_2_3() {
        let message: Vec<u8> = [
            &b"NTLMSSP\0\x03\0\0\0\x18\0\x18\0\x6c\0\0\0\x18\0\x18\0\x84\0\0\0\x0c\0\x0c\0\x48\0\0\0"[..],
            b"\x08\0\x08\0\x54\0\0\0\x10\0\x10\0\x5c\0\0\0\x10\0\x10\0\x9c\0\0\0\x35\x82\x80\xe2",
            b"\x05\x01\x28\x0a\0\0\0\x0f",
            b"D\0o\0m\0a\0i\0n\0U\0s\0e\0r\0C\0O\0M\0P\0U\0T\0E\0R\0",
            &[0x98; 24],
            &[0x67; 24],
            &[0x51; 16],
        ]
        .concat();
        assert_eq!(names(&message), ("Domain".into(), "User".into(), "COMPUTER".into()));
    }

    /// The oldest of the layouts that Davenport's "The NTLM Authentication Protocol" tells of: no session key, no flags.
    #[test]
    fn a_message_of_an_oem_client_without_flags() {
        let message: Vec<u8> = [
            &b"NTLMSSP\0\x03\0\0\0\0\0\0\0\x34\0\0\0\0\0\0\0\x34\0\0\0\x03\0\x03\0\x34\0\0\0"[..],
            b"\x04\0\x04\0\x37\0\0\0\x02\0\x02\0\x3b\0\0\0DOMuserWS",
        ]
        .concat();
        assert_eq!(names(&message), ("DOM".into(), "user".into(), "WS".into()));
    }

    /// Davenport's example of a first message: workstation `WORKSTATION` of domain `DOMAIN`.
    #[test]
    fn a_negotiate_message_names_the_machine() {
        let message = decode_base64(b"TlRMTVNTUAABAAAABzIAAAYABgArAAAACwALACAAAABXT1JLU1RBVElPTkRPTUFJTg==").unwrap();
        let names = NtlmNegotiate { domain: b"DOMAIN", workstation: b"WORKSTATION" };
        assert_eq!(ntlm_negotiate(&message), Some(names));
        // Windows sends neither, and its flags say so whatever the fields hold.
        let message = decode_base64(b"TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAFASgKAAAADw==").unwrap();
        assert_eq!(ntlm_negotiate(&message), Some(NtlmNegotiate::default()));
        assert_eq!(ntlm_negotiate(&message[..16]), Some(NtlmNegotiate::default()), "the shortest there is");
    }

    /// RFC 4178 §4.2 puts the mechanism's token into an OCTET STRING.
    #[test]
    fn a_message_inside_a_token_of_spnego() {
        let token = [&b"\x60\x40\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x36"[..], b"NTLMSSP\0\x01\0\0\0\0\0\0\0"].concat();
        assert_eq!(ntlm_message(&token).and_then(ntlm_negotiate), Some(NtlmNegotiate::default()));
        assert_eq!(ntlm_message(b"NTLMSSP"), None);
    }

    #[test]
    fn other_messages_and_broken_offsets_name_nobody() {
        let negotiate = decode_base64(b"TlRMTVNTUAABAAAABzIAAAYABgArAAAACwALACAAAABXT1JLU1RBVElPTkRPTUFJTg==").unwrap();
        assert_eq!(ntlm_authenticate(&negotiate), None);
        assert_eq!(ntlm_negotiate(&negotiate[..40]), None, "the names are cut off");
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        message.extend([0xff; 60]);
        assert_eq!(ntlm_authenticate(&message), None);
    }
}
