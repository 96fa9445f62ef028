//! The last message of GSSAPI, where Kerberos shows the authorization identity.

/// The authorization identity in the client's last message, where the token is one of Kerberos that is not encrypted.
///
/// RFC 4752 §3.1:
/// > The client then constructs data, with the first octet containing the bit-mask specifying the selected security
/// > layer, the second through fourth octets containing in network byte order the maximum size output_message the client
/// > is able to receive …, and the remaining octets containing the UTF-8 encoded authorization identity. … The client
/// > passes the data to GSS_Wrap with conf_flag set to FALSE.
///
/// RFC 4121 §4.2.6.2 and §4.2.5, the token:
/// ```text
///  0       2       3    4    6     8         16
///  ┌───────┬───────┬────┬────┬─────┬─────────┬──────────────────────────┐
///  │ 05 04 │ flags │ ff │ EC │ RRC │ SND_SEQ │ data │ checksum, EC long │
///  └───────┴───────┴────┴────┴─────┴─────────┴──────────────────────────┘
///   flags: 1 sent by the acceptor, 2 sealed   └ rotated to the right by RRC octets ┘
/// ```
/// Numbers are big-endian. Tokens of RFC 1964, which older ciphers have, are not read.
pub fn gssapi_authorization_id(message: &[u8]) -> Option<Vec<u8>> {
    let [5, 4, flags, 0xff, ec_high, ec_low, rrc_high, rrc_low, _, _, _, _, _, _, _, _, wrapped @ ..] = message else {
        return None;
    };
    if flags & 0b11 != 0 {
        return None;
    }
    let checksum = usize::from(u16::from_be_bytes([*ec_high, *ec_low]));
    let rotation = usize::from(u16::from_be_bytes([*rrc_high, *rrc_low])).checked_rem(wrapped.len())?;
    let (rotated, rest) = wrapped.split_at_checked(rotation)?;
    let mut data = [rest, rotated].concat();
    data.truncate(data.len().checked_sub(checksum)?);
    // RFC 4752 §3.3: the bit-mask of a client selects one of 1, 2 and 4.
    match data.as_slice() {
        [1 | 2 | 4, _, _, _, name @ ..] if !name.is_empty() => Some(name.to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(flags: u8, rotation: u8, wrapped: &[u8]) -> Vec<u8> {
        [&[5, 4, flags, 0xff, 0, 12, 0, rotation, 0, 0, 0, 0, 0, 0, 0, 9], wrapped].concat()
    }

    /// By the layout of RFC 4121, as MIT Kerberos sends it and, rotated by the checksum's length, as Windows does.
    #[test]
    fn the_name_behind_the_security_layer() {
        let plain = token(4, 0, b"\x01\0\0\0fredchecksum-12-");
        assert_eq!(gssapi_authorization_id(&plain).as_deref(), Some(&b"fred"[..]));
        let rotated = token(4, 12, b"checksum-12-\x01\0\0\0fred");
        assert_eq!(gssapi_authorization_id(&rotated).as_deref(), Some(&b"fred"[..]));
    }

    #[test]
    fn what_names_nobody() {
        assert_eq!(gssapi_authorization_id(&token(4, 0, b"\x01\0\0\0checksum-12-")), None, "no name");
        assert_eq!(gssapi_authorization_id(&token(2, 0, b"\x01\0\0\0fredchecksum-12-")), None, "sealed");
        assert_eq!(gssapi_authorization_id(&token(1, 0, b"\x01\0\0\0fredchecksum-12-")), None, "the server's");
        assert_eq!(gssapi_authorization_id(&token(4, 0, b"short")), None);
        assert_eq!(gssapi_authorization_id(&token(4, 0, b"")), None);
        assert_eq!(gssapi_authorization_id(b"\x60\x82\x02\x01"), None, "the first token");
    }
}
