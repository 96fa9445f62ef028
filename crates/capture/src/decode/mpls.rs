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
