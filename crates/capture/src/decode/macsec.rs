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

#[cfg(test)]
mod tests {
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet, through};
    use crate::{Carrier, LinkType, Packet};

    /// A frame with this SecTAG and secure data, an ICV behind them, and padding where the secure data are short.
    fn frame(tag: &[u8], secure: &[u8], padding: usize) -> Vec<u8> {
        [&[2; 12][..], &[0x88, 0xe5], tag, secure, &[0xcc; 16], &vec![0; padding]].concat()
    }

    fn of(frame: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        decode(&packet(LinkType::ETHERNET, frame))
    }

    const NUMBER: [u8; 4] = [0, 0, 0, 9];
    const SCI: [u8; 8] = [2, 0, 0, 0, 0, 1, 0, 1];

    #[test]
    fn protected_frames_that_are_not_encrypted_are_read() {
        for (ether_type, version) in [([8, 0], 4), ([0x86, 0xdd], 6)] {
            let secure = [&ether_type[..], &datagram(version)].concat();
            let expected = Ok(Some(b"MAIL ok\n".to_vec()));
            assert_eq!(of(&frame(&[&[0, 0][..], &NUMBER].concat(), &secure, 0)), expected);
            let with_sci = frame(&[&[0x20, 0][..], &NUMBER, &SCI].concat(), &secure, 0);
            assert_eq!(of(&with_sci), expected);
            assert_eq!(through(LinkType::ETHERNET, &with_sci), [Carrier::Macsec]);
            // ES and SCB with association number 3; a customer's tag in the secure data.
            let tagged = [&[0x81, 0, 0, 5][..], &secure].concat();
            assert_eq!(of(&frame(&[&[0x53, 0][..], &NUMBER].concat(), &tagged, 0)), expected);
        }
    }

    /// §9.7: SL is the number of octets of the secure data where there are fewer than 48.
    #[test]
    fn the_short_length_ends_the_secure_data() {
        let mut acknowledgment = datagram(4);
        acknowledgment.truncate(40);
        acknowledgment[3] = 0;
        acknowledgment[2] = 0;
        // A total length of 0 leaves it to the layer below to say where the datagram ends.
        let secure = [&[8, 0][..], &acknowledgment].concat();
        let short = u8::try_from(secure.len()).unwrap();
        assert_eq!(of(&frame(&[&[0, short][..], &NUMBER].concat(), &secure, 10)), Ok(Some(Vec::new())));
    }

    #[test]
    fn encrypted_or_changed_text_is_said_to_be_encrypted() {
        for tci in [0x0c, 0x08, 0x04, 0x2c] {
            let tag = [&[tci, 0][..], &NUMBER, &SCI].concat();
            assert_eq!(of(&frame(&tag, &[0x99; 60], 0)), Err(DecodeError::Encrypted), "{tci:x}");
        }
        assert_eq!(of(&frame(&[&[0x80, 0][..], &NUMBER].concat(), &[0x99; 60], 0)), Ok(None), "version 1");
    }

    #[test]
    fn a_frame_cut_in_its_tag_is_a_truncated_header() {
        let whole = frame(&[&[0x20, 0][..], &NUMBER, &SCI].concat(), &[&[8, 0][..], &datagram(4)].concat(), 0);
        for cut in 14..14 + 14 + 2 + 40 {
            let cut = Packet { data: &whole[..cut], ..packet(LinkType::ETHERNET, &whole) };
            assert_eq!(decode(&cut), Err(DecodeError::TruncatedHeader), "{}", cut.data.len());
        }
    }
}
