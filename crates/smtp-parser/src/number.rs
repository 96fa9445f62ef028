//! Numbers and fixed words, as many rules of the grammar have them.

/// The value of one to `most` decimal digits; `None` for anything else, and for what does not fit.
pub(crate) fn decimal(digits: &[u8], most: usize) -> Option<u64> {
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// What `octets` mean among `words`, in any case.
pub(crate) fn word<T: Copy>(octets: &[u8], words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| octets.eq_ignore_ascii_case(word.as_bytes())).map(|&(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_nothing_else() {
        assert_eq!(decimal(b"007", 3), Some(7));
        assert_eq!(decimal(b"18446744073709551615", 20), Some(u64::MAX));
        for digits in [&b""[..], b"1000", b"+1", b"1 ", b"\xb9", b"1:"] {
            assert_eq!(decimal(digits, 3), None, "{}", digits.escape_ascii());
        }
        assert_eq!(decimal(b"18446744073709551616", 20), None);
    }

    #[test]
    fn words_in_any_case() {
        assert_eq!(word(b"full", &[("HDRS", 1), ("FULL", 2)]), Some(2));
        assert_eq!(word(b"ful", &[("HDRS", 1), ("FULL", 2)]), None);
    }
}
