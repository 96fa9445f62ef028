//! xtext, the encoding of parameter values that may hold any octet.

use std::borrow::Cow;

/// Decodes xtext. What is not of its grammar is left as it is, and the answer is `None` only where nothing may be.
///
/// RFC 3461 §4:
/// ```text
/// xtext = *( xchar / hexchar )
/// xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "=".
/// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
/// ```
/// Lower-case digits are taken, too: Postfix and Exim take them. RFC 6531 §3.3 lets UTF-8 stand for
/// itself in values.
pub fn xtext(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_xchar = |octet: &u8| matches!(octet, b'!'..=b'~' | 0x80..=0xff) && !matches!(octet, b'+' | b'=');
    if value.iter().all(is_xchar) {
        return Some(Cow::Borrowed(value));
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'+', high, low, behind @ ..] => {
                decoded.push(hexadecimal(&[*high, *low]).and_then(|octet| u8::try_from(octet).ok())?);
                behind
            }
            _ if is_xchar(first) => {
                decoded.push(*first);
                behind
            }
            _ => return None,
        };
    }
    Some(Cow::Owned(decoded))
}

/// Decodes the address of `ORCPT=utf-8;…`.
///
/// RFC 6533 §3:
/// ```text
/// utf-8-addr-xtext    = 1*(QCHAR / EmbeddedUnicodeChar)
/// utf-8-addr-unitext  = 1*(QUCHAR / EmbeddedUnicodeChar)
/// EmbeddedUnicodeChar =   %x5C.78 "{" HEXPOINT "}"    ; starts with "\x"
/// ```
/// `None` where it is not of that grammar.
pub fn utf_8_address(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_plain = |octet: &u8| matches!(octet, b'!'..=b'~' | 0x80..=0xff) && !matches!(octet, b'+' | b'=' | b'\\');
    if value.iter().all(is_plain) {
        return Some(Cow::Borrowed(value));
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        rest = match rest.strip_prefix(b"\\x{") {
            Some(digits) => {
                let (digits, behind) = digits.split_at_checked(memchr::memchr(b'}', digits)?)?;
                let character = char::from_u32(hexadecimal(digits)?)?;
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                behind.get(1..)?
            }
            None if is_plain(first) => {
                decoded.push(*first);
                behind
            }
            None => return None,
        };
    }
    Some(Cow::Owned(decoded))
}

/// The value of one to six hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if !(1..=6).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, &digit| value.checked_mul(16)?.checked_add(char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3461 §4: "+" and "=" are always encoded. The first is RFC 4954 §5's example.
    #[test]
    fn hexchars_are_decoded() {
        assert_eq!(xtext(b"e+3Dmc2@example.com").as_deref(), Some(&b"e=mc2@example.com"[..]));
        assert_eq!(xtext(b"a+2Bb+20c").as_deref(), Some(&b"a+b c"[..]));
        assert_eq!(xtext(b"a+2bb").as_deref(), Some(&b"a+b"[..]), "lower case");
        assert!(matches!(xtext(b"QQ314159"), Some(Cow::Borrowed(b"QQ314159"))), "nothing is copied");
        assert_eq!(xtext(b"").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_is_no_xtext() {
        for value in [&b"a=b"[..], b"a+", b"a+4", b"a+GG", b"a b", b"\x07"] {
            assert_eq!(xtext(value), None, "{}", value.escape_ascii());
        }
    }

    /// RFC 6533 §3: the same address in both forms.
    #[test]
    fn embedded_unicode_characters() {
        assert_eq!(utf_8_address(br"\x{438}@x").as_deref(), Some("и@x".as_bytes()));
        assert_eq!(utf_8_address("и@x".as_bytes()).as_deref(), Some("и@x".as_bytes()));
        assert_eq!(utf_8_address(br"a\x{5C}b").as_deref(), Some(&br"a\b"[..]));
        for value in [&br"\x{}"[..], br"\x{D800}", br"\x{1234567}", br"\x{41", br"\y", b"a+b"] {
            assert_eq!(utf_8_address(value), None, "{}", value.escape_ascii());
        }
    }
}
