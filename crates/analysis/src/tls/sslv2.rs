//! Hellos of SSL 2.0, as far as anything newer begins with them.

/// What a server that knows nothing newer answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerHello<'a> {
    pub(super) version: u16,
    pub(super) certificate: &'a [u8],
}

/// RFC 5246 appendix E.2, and the same message of SSL 2.0 itself:
///
/// ```text
/// uint8 msg_type; Version version; uint16 cipher_spec_length; uint16 session_id_length; uint16 challenge_length;
/// V2CipherSpec cipher_specs[V2ClientHello.cipher_spec_length]; opaque session_id[…]; opaque challenge[…];
/// ```
pub(super) fn is_client_hello(message: &[u8]) -> bool {
    let Some((&[1, major, _, a, b, c, d, e, f], rest)) = message.split_first_chunk::<9>() else { return false };
    let lengths = [[a, b], [c, d], [e, f]].map(|length| usize::from(u16::from_be_bytes(length)));
    matches!(major, 0 | 3) && lengths.iter().sum::<usize>() == rest.len()
}

impl<'a> ServerHello<'a> {
    /// The SSL Protocol (Netscape, 1995), "Server Protocol Messages":
    ///
    /// ```text
    /// char MSG-SERVER-HELLO; char SESSION-ID-HIT; char CERTIFICATE-TYPE; char SERVER-VERSION-MSB, -LSB;
    /// char CERTIFICATE-LENGTH-MSB, -LSB; char CIPHER-SPECS-LENGTH-MSB, -LSB; char CONNECTION-ID-LENGTH-MSB, -LSB;
    /// char CERTIFICATE-DATA[…]; char CIPHER-SPECS-DATA[…]; char CONNECTION-ID-DATA[…];
    /// ```
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let (&[4, _, _, major, minor, a, b, _, _, _, _], rest) = message.split_first_chunk::<11>()? else {
            return None;
        };
        let certificate = rest.get(..usize::from(u16::from_be_bytes([a, b])))?;
        Some(Self { version: u16::from_be_bytes([major, minor]), certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_hello_is_as_long_as_it_says() {
        let hello = [&[1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[7; 16]].concat();
        assert!(is_client_hello(&hello) && !is_client_hello(&hello[..20]) && !is_client_hello(b"\x01\x03"));
        let of_ssl_2 = [&[1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat();
        assert!(is_client_hello(&of_ssl_2));
    }

    #[test]
    fn a_server_hello_has_a_certificate() {
        let hello = [4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 1, b'd', b'e', b'r', 1, 0, 0x80, 9];
        assert_eq!(ServerHello::parse(&hello), Some(ServerHello { version: 2, certificate: b"der" }));
        assert_eq!(ServerHello::parse(&hello[..12]), None);
    }
}
