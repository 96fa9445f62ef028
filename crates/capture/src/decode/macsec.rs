//! MACsec (IEEE 802.1AE), where it protects frames and does not encrypt them.

use super::ethernet::typed;
use super::{DecodeError, Next, Octets};

/// IEEE 802.1AE §9.3, the SecTAG behind its EtherType:
///
/// ```text
/// +----------+----+---------------+- - - - - - - - - +------------- - -+-----------+
/// | TCI, AN  | SL | packet number | SCI, if SC is set| secure data     | ICV       |
/// |    1     | 1  |       4       |        8         |                 | 16        |
/// +----------+----+---------------+- - - - - - - - - +------------- - -+-----------+
/// ```
///
/// The secure data are the frame's from its type on. They can be read if neither E (encrypted) nor C (changed text) is
/// set. SL is their length where it is less than 48; else they end 16 octets, the ICV of the default cipher suites,
/// before the frame does.
pub(super) fn frame(octets: Octets<'_>) -> Next<'_> {
    let &[tci, short_length, ..] = octets.header::<6>()?;
    if tci & 0x80 != 0 {
        // Version 1 is yet to be written.
        return Ok(None);
    }
    if tci & 0b1100 != 0 {
        return Err(DecodeError::Encrypted);
    }
    let secure = octets.behind(if tci & 0x20 == 0 { 6 } else { 14 });
    let len = match usize::from(short_length & 0x3f) {
        0 => secure.on_the_wire().saturating_sub(ICV_OCTETS),
        short => short,
    };
    typed(secure.first(len), 0)
}

const ICV_OCTETS: usize = 16;
