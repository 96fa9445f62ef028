//! MPLS (RFC 3032) and Ethernet over it (RFC 4448).

use super::{Layer, Next, Octets, Version, ethernet};

/// RFC 3032 §2.1, each entry of the label stack:
///
/// ```text
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                Label                  | Exp |S|       TTL     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// > Bottom of Stack (S): This bit is set to one for the last entry in the label stack (i.e., for the bottom of the
/// > stack), and zero for all other label stack entries.
///
/// Nothing in the stack names what is behind it; only both ends of the path know. The first four bits tell: 4 and 6 are
/// IP, which is why RFC 4385 §3 gives 0 to the control word of a pseudowire and 1 to its associated channel. Older
/// pseudowires have no control word and begin with a destination address, whose first bits may be any: those are taken
/// for a frame where its type and what follows agree.
pub(super) fn stack(octets: Octets<'_>) -> Next<'_> {
    let mut rest = octets;
    loop {
        let entry = u32::from_be_bytes(*rest.header()?);
        rest = rest.behind(ENTRY_OCTETS);
        if entry & BOTTOM_OF_STACK != 0 {
            break;
        }
    }
    let first = *rest.header::<1>()?;
    Ok(match first[0] >> 4 {
        4 if is_ipv4(rest) || !ethernet::is_plausible(rest) => Some(Layer::Ip(Version::V4, rest)),
        6 if !ethernet::is_plausible(rest) => Some(Layer::Ip(Version::V6, rest)),
        0 if ethernet::is_plausible(rest.behind(CONTROL_WORD_OCTETS)) || !ethernet::is_plausible(rest) => {
            Some(Layer::Pseudowire(rest.behind(CONTROL_WORD_OCTETS)))
        }
        _ => ethernet::is_plausible(rest).then_some(Layer::Pseudowire(rest)),
    })
}

/// Whether the lengths of an IPv4 header agree with each other and with the frame.
fn is_ipv4(octets: Octets<'_>) -> bool {
    let Ok(&[first, _, total @ ..]) = octets.header::<4>() else { return false };
    let (header, total) = (usize::from(first & 0x0f) * 4, usize::from(u16::from_be_bytes(total)));
    header >= 20 && (total == 0 || (header..=octets.on_the_wire()).contains(&total))
}

const ENTRY_OCTETS: usize = 4;
const BOTTOM_OF_STACK: u32 = 0x100;
const CONTROL_WORD_OCTETS: usize = 4;

#[cfg(test)]
mod tests {
    use crate::decode::DecodeError;
    use crate::decode::tests::{datagram, decode, packet, through};
    use crate::{Carrier, LinkType};

    const ONE: &[u8] = &[0, 1, 1, 64];
    /// Two labels and the explicit null of IPv4 (RFC 3032 §2.1) at the bottom.
    const THREE: &[u8] = &[0, 1, 0, 64, 0, 2, 0x0e, 64, 0, 0, 1, 64];

    fn whole() -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(Some(b"MAIL ok\n".to_vec()))
    }

    fn on_mpls(parts: &[&[u8]]) -> (Result<Option<Vec<u8>>, DecodeError>, Vec<Carrier>) {
        let octets = parts.concat();
        let ethernet = [&[2; 12][..], &[0x88, 0x47], &octets].concat();
        let found = decode(&packet(LinkType(219), &octets));
        assert_eq!(decode(&packet(LinkType::ETHERNET, &ethernet)), found, "the same in Ethernet");
        (found, through(LinkType(219), &octets))
    }

    #[test]
    fn ip_behind_one_label_or_several() {
        for stack in [ONE, THREE] {
            for version in [4, 6] {
                assert_eq!(on_mpls(&[stack, &datagram(version)]), (whole(), vec![Carrier::Mpls]));
                assert_eq!(on_mpls(&[stack, &datagram(version), &[0; 6]]).0, whole(), "with padding");
            }
        }
        // The multicast EtherType.
        let ethernet = [&[2; 12][..], &[0x88, 0x48], ONE, &datagram(4)].concat();
        assert_eq!(decode(&packet(LinkType::ETHERNET, &ethernet)), whole());
    }

    /// RFC 4448 §4.6: the control word's first four bits are 0. Without one the frame begins with its destination, whose
    /// first bits may be those of a version of IP.
    #[test]
    fn ethernet_with_and_without_a_control_word() {
        for first in [0x00, 0x02, 0x44, 0x45, 0x60, 0x6c, 0xfe] {
            for (ether_type, version) in [(&[8, 0][..], 4), (&[0x86, 0xdd], 6), (&[0x81, 0, 0, 5, 8, 0], 4)] {
                let frame = [&[first, 0x11, 0x22, 0x33, 0x44, 0x55, 2, 0, 0, 0, 0, 2][..], ether_type].concat();
                for control in [&[][..], &[0, 0, 0, 7]] {
                    let found = on_mpls(&[THREE, control, &frame, &datagram(version)]);
                    assert_eq!(found.0, whole(), "{first:x} {ether_type:x?} {control:x?}");
                    assert_eq!(found.1.get(..2), Some(&[Carrier::Mpls, Carrier::Pseudowire][..]));
                }
            }
        }
    }

    /// RFC 4385 §5: 1 is an associated channel, whose messages are no user's.
    #[test]
    fn what_carries_no_packet() {
        assert_eq!(on_mpls(&[ONE, &[0x10, 0, 0, 0x21], &[0; 40]]).0, Ok(None));
        assert_eq!(on_mpls(&[ONE, &[0x99; 40]]).0, Ok(None));
    }

    #[test]
    fn a_stack_without_a_bottom_is_a_truncated_header() {
        assert_eq!(on_mpls(&[&[0, 1, 0, 64].repeat(300)]).0, Err(DecodeError::TruncatedHeader));
        for cut in 0..=THREE.len() {
            assert_eq!(on_mpls(&[&THREE[..cut]]).0, Err(DecodeError::TruncatedHeader), "{cut}");
        }
    }
}
