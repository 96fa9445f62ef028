//! Options: what may stand behind a block's fixed fields.

use super::ByteOrder;

/// The options of a block, in the section's byte order, to the first that is not whole.
///
/// > Option Type (16 bits), Option Length (16 bits): an unsigned value that contains the actual length of the following
/// > 'Option Value' field without the padding octets. […] The opt_endofopt option delimits the end of the optional
/// > fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) octets: &'a [u8],
    pub(super) order: ByteOrder,
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[a, b, c, d], behind) = self.octets.split_first_chunk()?;
        let (code, len) = (self.order.u16([a, b]), usize::from(self.order.u16([c, d])));
        let value = behind.get(..len).filter(|_| code != END_OF_OPTIONS)?;
        self.octets = behind.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

const END_OF_OPTIONS: u16 = 0;
/// > The opt_comment option is a UTF-8 string containing human-readable comment text that is associated to the current
/// > block.
pub(super) const COMMENT: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_padded_end_at_opt_endofopt_and_where_one_is_not_whole() {
        let options = |octets: &'static [u8]| Options { octets, order: ByteOrder::Big }.collect::<Vec<_>>();
        assert_eq!(options(b"\0\x01\0\x03abc\0\0\x02\0\0\0\0\0\0\0\x07\0\0"), [(1, &b"abc"[..]), (2, b"")]);
        assert_eq!(options(b"\0\x01\0\x01a"), [(1, &b"a"[..])], "padding that is not there");
        assert_eq!(options(b"\0\x01\0\x02a"), []);
        assert_eq!(options(b"\0\x01\0"), []);
    }
}
