//! From a packet to the TCP segment in it: link layer, IP, TCP.
//!
//! One file a layer. Each takes the octets of the layer below it with their place in the packet, and nothing looks back.
//!
//! **Checksums are not verified.** Where the capture was taken on one of the two hosts, its network card computes them
//! after the packet was recorded (checksum offload), so that a wrong sum says nothing of what the peer received; and
//! where it was taken on the wire, a packet damaged there is sent again with the same sequence numbers.

mod ethernet;
mod extension;
mod fragment;
mod ip;
mod link;
mod macsec;
mod mpls;
mod octets;
mod ppp;
mod recent;
mod tcp;
mod tunnel;

use fragment::{Fragment, Reassembler};
use ip::{Payload, Version};
use octets::Octets;

pub use fragment::{FragmentCounts, FragmentLimits};

use crate::{Carrier, Encapsulation, LinkType, Packet, Segment};

/// Finds the TCP segment of a packet: the innermost, through whatever is around it.
///
/// It keeps the fragments of IP datagrams until they are whole, so one decoder is to see all packets of a recording, in
/// their order.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Reassembler,
    /// The datagrams put together for the packet decoded last, the outer one first.
    whole: [Vec<u8>; NESTED_REASSEMBLIES],
    counts: DecoderCounts,
}

/// What a decoder met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecoderCounts {
    /// Of IP fragments.
    pub fragments: FragmentCounts,
    /// Packets with more than [`Encapsulation::CARRIERS`] carriers, or fragments within fragments within fragments.
    pub nested_too_deep: u64,
}

/// What is to be read next. Each is what the octets begin with.
#[derive(Debug, Clone, Copy)]
enum Layer<'a> {
    Ethernet(Octets<'a>),
    /// What this EtherType stands for.
    EtherType(u16, Octets<'a>),
    Llc(Octets<'a>),
    Vlan(Octets<'a>),
    VnTag(Octets<'a>),
    ProviderBackbone(Octets<'a>),
    Macsec(Octets<'a>),
    Mpls(Octets<'a>),
    /// Ethernet in MPLS.
    Pseudowire(Octets<'a>),
    Pppoe(Octets<'a>),
    Ppp(Octets<'a>),
    Ip(Version, Octets<'a>),
    /// What an IP datagram carries, an extension header or a protocol.
    Payload(Payload<'a>),
    Fragment(Fragment<'a>),
}

/// The next layer; `None` where it is nothing that leads to TCP.
type Next<'a> = Result<Option<Layer<'a>>, DecodeError>;

impl Decoder {
    /// A decoder that has seen no packet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with limits of its own.
    pub fn with_limits(limits: FragmentLimits) -> Self {
        Self { fragments: Reassembler::new(limits), ..Self::default() }
    }

    /// What was met so far. Datagrams that are not whole yet count as [`FragmentCounts::waiting`].
    pub fn counts(&self) -> DecoderCounts {
        DecoderCounts { fragments: self.fragments.counts(), ..self.counts }
    }

    /// The TCP segment in `packet`; `None` where there is none: ARP, UDP, ICMP (also where it quotes a TCP header), or a
    /// fragment that does not make its datagram whole.
    ///
    /// # Errors
    /// Where it cannot be told what the packet is, or it holds TCP that cannot be read.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Option<Segment<'a>>, DecodeError> {
        let Self { fragments, whole, counts } = self;
        match decode(packet, counts, Some((fragments, whole)))? {
            Decoded::Segment(segment) => Ok(Some(segment)),
            Decoded::Nothing | Decoded::Fragment => Ok(None),
        }
    }

    /// As [`decode`](Self::decode), but without what other packets said: fragments are left to who has seen those, and this
    /// decoder keeps nothing of them. So any number of decoders can share the packets of a recording.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    #[inline]
    pub fn decode_alone<'a>(&mut self, packet: &Packet<'a>) -> Result<Decoded<'a>, DecodeError> {
        decode(packet, &mut self.counts, None)
    }
}

/// What a packet is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// This TCP segment.
    Segment(Segment<'a>),
    /// Nothing of TCP.
    Nothing,
    /// A fragment, of what is known only to a decoder that sees all packets in their order: it is to be
    /// [decoded](Decoder::decode) by that.
    Fragment,
}

/// Where fragments wait, and where the datagrams put together of them for one packet lie.
type Reassembly<'r, 'a> = (&'r mut Reassembler, &'a mut [Vec<u8>; NESTED_REASSEMBLIES]);

#[inline]
fn decode<'a>(
    packet: &Packet<'a>,
    counts: &mut DecoderCounts,
    reassembly: Option<Reassembly<'_, 'a>>,
) -> Result<Decoded<'a>, DecodeError> {
    // Nearly every packet is TCP in IP in Ethernet, and needs no loop: this is what keeps the decoder at the floor.
    let first = match (packet.link_type, ethernet::ip_version(packet.data)) {
        (LinkType::ETHERNET, Some(version)) => {
            let octets = Octets::of(packet).behind(ethernet::HEADER_OCTETS);
            match ip::datagram(version, octets)? {
                Layer::Payload(payload) if payload.protocol == TCP => {
                    return tcp::segment(&payload, Encapsulation::default(), packet).map(Decoded::Segment);
                }
                layer => Some(layer),
            }
        }
        _ => link::first(packet.link_type, Octets::of(packet))?,
    };
    peel(first, packet, counts, reassembly)
}

/// Takes one layer off after the other, down to the innermost TCP.
#[inline(never)]
fn peel<'a>(
    first: Option<Layer<'a>>,
    packet: &Packet<'a>,
    counts: &mut DecoderCounts,
    reassembly: Option<Reassembly<'_, 'a>>,
) -> Result<Decoded<'a>, DecodeError> {
    let mut through = Encapsulation::default();
    let mut network = 0;
    // Each datagram put together gets a buffer of its own, so that one may lie within another.
    let mut reassembly = reassembly.map(|(fragments, whole)| (fragments, whole.iter_mut()));
    let mut next = first;
    // Every way around this loop takes a header off or goes through `enter`, so it ends.
    while let Some(layer) = next {
        let enter = |through: &mut Encapsulation, counts: &mut DecoderCounts, carrier| {
            if through.push(carrier) {
                return Ok(());
            }
            counts.nested_too_deep += 1;
            Err(DecodeError::NestedTooDeep)
        };
        next = match layer {
            Layer::Ethernet(octets) => ethernet::frame(octets)?,
            Layer::EtherType(ether_type, octets) => ethernet::by_type(ether_type, octets),
            Layer::Ip(version, octets) => Some(ip::datagram(version, octets)?),
            Layer::Payload(payload) if payload.protocol == TCP => {
                return tcp::segment(&payload, through, packet).map(Decoded::Segment);
            }
            Layer::Payload(payload) if extension::is_one(&payload) => extension::next(payload)?,
            Layer::Payload(payload) => {
                let Some(header) = tunnel(&payload)? else { return Ok(Decoded::Nothing) };
                // A label stack announces itself below.
                if header.carrier != Carrier::Mpls {
                    enter(&mut through, counts, header.carrier)?;
                }
                // A tunnel without a network of its own lies in that of the tunnel around it.
                if header.network != 0 {
                    network = header.network;
                }
                header.next.layer(payload.octets.behind(header.octets).in_a_tunnel())
            }
            Layer::Ppp(octets) => ppp::frame(octets)?,
            Layer::Fragment(fragment) => {
                let Some((fragments, buffers)) = &mut reassembly else { return Ok(Decoded::Fragment) };
                match fragments.take(&fragment, network, packet.timestamp)? {
                    None => None,
                    Some(mut datagram) => {
                        let Some(buffer) = buffers.next() else {
                            counts.nested_too_deep += 1;
                            return Err(DecodeError::NestedTooDeep);
                        };
                        std::mem::swap(buffer, &mut datagram.octets);
                        fragments.recycle(datagram.octets);
                        Some(Layer::Payload(Payload {
                            source: fragment.key.source,
                            destination: fragment.key.destination,
                            protocol: datagram.protocol,
                            octets: Octets::assembled(buffer, datagram.missing),
                        }))
                    }
                }
            }
            Layer::Llc(octets) => ethernet::llc(octets)?,
            Layer::Vlan(octets) => {
                enter(&mut through, counts, Carrier::Vlan)?;
                ethernet::vlan(octets)?
            }
            Layer::VnTag(octets) => {
                enter(&mut through, counts, Carrier::VnTag)?;
                ethernet::vn_tag(octets)?
            }
            Layer::ProviderBackbone(octets) => {
                enter(&mut through, counts, Carrier::ProviderBackbone)?;
                ethernet::provider_backbone(octets)?
            }
            Layer::Macsec(octets) => {
                enter(&mut through, counts, Carrier::Macsec)?;
                macsec::frame(octets)?
            }
            Layer::Mpls(octets) => {
                enter(&mut through, counts, Carrier::Mpls)?;
                mpls::stack(octets)?
            }
            Layer::Pseudowire(octets) => {
                enter(&mut through, counts, Carrier::Pseudowire)?;
                ethernet::frame(octets)?
            }
            Layer::Pppoe(octets) => {
                enter(&mut through, counts, Carrier::Pppoe)?;
                ppp::over_ethernet(octets)?
            }
        };
    }
    Ok(Decoded::Nothing)
}

/// The tunnel's header that a datagram carries; `None` where there is no tunnel, or no packet in it.
fn tunnel(payload: &Payload<'_>) -> Result<Option<tunnel::Header>, DecodeError> {
    let octets = payload.octets;
    let found = match payload.protocol {
        tunnel::UDP => tunnel::in_udp(octets.captured, octets.missing == 0),
        protocol => tunnel::in_ip(protocol, octets.captured),
    };
    found.map_err(|flaw| match flaw {
        tunnel::Flaw::Short => octets.too_short(DecodeError::MalformedTunnel),
        tunnel::Flaw::Malformed => DecodeError::MalformedTunnel,
    })
}

/// Fragmented datagrams within one another that are put together for one packet.
const NESTED_REASSEMBLIES: usize = 2;
const TCP: u8 = 6;

/// Why a packet's TCP segment, if it has one, could not be read. The analysis counts these by [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The link layer is one this crate does not know.
    #[error("link type {} is not supported", .0.0)]
    UnsupportedLinkType(LinkType),
    /// The capture cut the packet (snap length) inside a link, IP or TCP header.
    #[error("the packet ends inside a header")]
    TruncatedHeader,
    /// An IP header contradicts itself: another version than announced, a length shorter than the header, an extension
    /// header out of place.
    #[error("the IP header is malformed")]
    MalformedIp,
    /// An IP header claims more octets than the packet had on the wire. A cut by the snap length is none: there the
    /// record says how long the packet was.
    #[error("the IP datagram is longer than the packet")]
    IpBeyondPacket,
    /// A TCP header contradicts itself, or does not fit the datagram.
    #[error("the TCP header is malformed")]
    MalformedTcp,
    /// A tunnel's header contradicts itself, or does not fit the datagram.
    #[error("the tunnel's header is malformed")]
    MalformedTunnel,
    /// It is encrypted below TCP: MACsec, ESP (RFC 4303), encrypted PPP.
    #[error("the packet is encrypted")]
    Encrypted,
    /// A PPP peer left out what the other knows already: the headers, or all of the datagram.
    #[error("the packet is compressed")]
    Compressed,
    /// More carriers around it than [`Encapsulation::CARRIERS`], or fragments within fragments within fragments.
    #[error("more than {} carriers are nested", Encapsulation::CARRIERS)]
    NestedTooDeep,
}

impl DecodeError {
    /// A name that does not change, for counting and for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnsupportedLinkType(_) => "unsupported_link_type",
            Self::TruncatedHeader => "truncated_header",
            Self::MalformedIp => "malformed_ip",
            Self::IpBeyondPacket => "ip_beyond_packet",
            Self::MalformedTcp => "malformed_tcp",
            Self::MalformedTunnel => "malformed_tunnel",
            Self::Encrypted => "encrypted",
            Self::Compressed => "compressed",
            Self::NestedTooDeep => "nested_too_deep",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use etherparse::{SlicedPacket, TransportSlice};
    use kit::{Conversation, TcpPacket};
    use proptest::prelude::*;

    use super::*;
    use crate::{Flags, SeqNumber, Timestamp};

    /// A packet captured whole, 1 000 octets into its file.
    pub(super) fn packet(link_type: LinkType, data: &[u8]) -> Packet<'_> {
        Packet {
            data,
            data_at: 1_000,
            interface_id: 0,
            link_type,
            original_len: data.len().try_into().unwrap(),
            timestamp: Timestamp::from_nanos(7),
        }
    }

    /// An IPv4 or IPv6 datagram with eight octets of payload.
    pub(super) fn datagram(version: u8) -> Vec<u8> {
        segment(version).ip()
    }

    fn segment(version: u8) -> TcpPacket<'static> {
        let (source, destination) = if version == 4 {
            ("192.0.2.1:40000", "192.0.2.2:25")
        } else {
            ("[2001:db8::1]:40000", "[2001:db8::2]:25")
        };
        TcpPacket { seq: 9, ack: Some(u32::MAX), payload: b"MAIL ok\n", ..TcpPacket::new(source, destination) }
    }

    pub(super) fn decode(packet: &Packet<'_>) -> Result<Option<Vec<u8>>, DecodeError> {
        let mut decoder = Decoder::new();
        let segment = decoder.decode(packet)?.map(|segment| {
            let at = usize::try_from(segment.payload_at.unwrap() - packet.data_at).unwrap();
            assert_eq!(packet.data[at..at + segment.payload.len()], *segment.payload, "payload_at is where payload is");
            segment.payload.to_vec()
        });
        Ok(segment)
    }

    /// The carriers around the packet's segment, outermost first; none where it has no segment.
    pub(super) fn through(link_type: LinkType, data: &[u8]) -> Vec<Carrier> {
        let mut decoder = Decoder::new();
        let segment = decoder.decode(&packet(link_type, data)).ok().flatten();
        segment.map_or_else(Vec::new, |segment| segment.encapsulation.iter().collect())
    }

    #[test]
    fn every_field_of_a_segment() {
        for version in [4, 6] {
            let data = TcpPacket { fin: true, psh: true, options: &[1, 1, 1, 0], ..segment(version) }.ethernet();
            let headers = 14 + if version == 4 { 20 } else { 40 } + 24;
            let mut decoder = Decoder::new();
            let found = decoder.decode(&packet(LinkType::ETHERNET, &data)).unwrap().unwrap();
            let (source, destination) = (segment(version).source, segment(version).destination);
            let expected = Segment {
                source,
                destination,
                seq: SeqNumber::new(9),
                ack: Some(SeqNumber::new(u32::MAX)),
                flags: Flags { syn: false, fin: true, rst: false },
                payload: b"MAIL ok\n",
                window: 65_535,
                window_scale: None,
                payload_at: Some(1_000 + headers),
                missing: 0,
                timestamp: Timestamp::from_nanos(7),
                encapsulation: Encapsulation::default(),
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_acknowledgment_number_without_its_bit_is_none() {
        let data = TcpPacket { syn: true, rst: true, ack: None, ..segment(4) }.ethernet();
        let mut decoder = Decoder::new();
        let found = decoder.decode(&packet(LinkType::ETHERNET, &data)).unwrap().unwrap();
        assert_eq!((found.ack, found.flags), (None, Flags { syn: true, fin: false, rst: true }));
    }

    /// The capture may cut a packet anywhere: what is there, and what is missing, is always the whole.
    #[test]
    fn a_snap_length_cuts_the_payload_or_is_a_truncated_header() {
        for version in [4, 6] {
            let data = segment(version).ethernet();
            for cut in 0..data.len() {
                let packet =
                    Packet { original_len: data.len().try_into().unwrap(), ..packet(LinkType::ETHERNET, &data[..cut]) };
                let headers = data.len() - 8;
                match Decoder::new().decode(&packet) {
                    Err(error) => assert!(cut < headers && error == DecodeError::TruncatedHeader, "{cut}: {error}"),
                    Ok(segment) => {
                        let segment = segment.unwrap();
                        assert_eq!(segment.payload, &b"MAIL ok\n"[..cut - headers]);
                        assert_eq!(segment.missing as usize, data.len() - cut);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_tcp_is_nothing() {
        let ports = [0x9c, 0x40, 0, 25];
        let udp = [&ports[..], &[0, 12, 0, 0], b"data"].concat();
        // Destination unreachable, quoting the datagram that was not delivered.
        let icmp = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &datagram(4)].concat();
        for (protocol, carried) in [(17, &udp), (1, &icmp), (59, &vec![])] {
            let mut data = etherparse::Ipv4Header::new(
                carried.len().try_into().unwrap(),
                64,
                protocol.into(),
                [192, 0, 2, 1],
                [192, 0, 2, 2],
            )
            .unwrap()
            .to_bytes()
            .to_vec();
            data.extend(carried);
            assert_eq!(decode(&packet(LinkType::RAW, &data)), Ok(None), "{protocol}");
        }
        let arp = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0; 28]].concat();
        assert_eq!(decode(&packet(LinkType::ETHERNET, &arp)), Ok(None));
    }

    /// Fragments of a datagram need each other; all else is the same without what came before.
    #[test]
    fn alone_everything_but_a_fragment_is_the_same() {
        let mut whole = segment(4).ethernet();
        let alone = |data: &[u8]| {
            Decoder::new().decode_alone(&self::packet(LinkType::ETHERNET, data)).map(|decoded| match decoded {
                Decoded::Segment(segment) => Some(segment.payload.to_vec()),
                Decoded::Nothing => None,
                Decoded::Fragment => Some(b"a fragment".to_vec()),
            })
        };
        assert_eq!(alone(&whole), decode(&self::packet(LinkType::ETHERNET, &whole)));
        let arp = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0; 28]].concat();
        assert_eq!(alone(&arp), Ok(None));
        assert_eq!(alone(&whole[..20]), decode(&self::packet(LinkType::ETHERNET, &whole[..20])));
        // RFC 791 §3.1: the flag "more fragments".
        whole[20] |= 0x20;
        assert_eq!(alone(&whole), Ok(Some(b"a fragment".to_vec())));
    }

    #[test]
    fn names_do_not_change() {
        for (error, name) in [
            (DecodeError::UnsupportedLinkType(LinkType(147)), "unsupported_link_type"),
            (DecodeError::TruncatedHeader, "truncated_header"),
            (DecodeError::MalformedIp, "malformed_ip"),
            (DecodeError::IpBeyondPacket, "ip_beyond_packet"),
            (DecodeError::MalformedTcp, "malformed_tcp"),
            (DecodeError::MalformedTunnel, "malformed_tunnel"),
            (DecodeError::Encrypted, "encrypted"),
            (DecodeError::Compressed, "compressed"),
            (DecodeError::NestedTooDeep, "nested_too_deep"),
        ] {
            assert_eq!(error.name(), name);
        }
        assert_eq!(decode(&packet(LinkType(147), &[1])), Err(DecodeError::UnsupportedLinkType(LinkType(147))));
    }

    #[test]
    fn a_conversation_is_the_octets_that_were_said() {
        let packets = Conversation::new("192.0.2.1:40000", "192.0.2.2:25")
            .mss(5)
            .handshake()
            .server(b"220 hello\r\n")
            .client(b"QUIT\r\n")
            .close()
            .packets();
        let server: SocketAddr = "192.0.2.2:25".parse().unwrap();
        let mut decoder = Decoder::new();
        let (mut said, mut answered) = (Vec::new(), Vec::new());
        for packet in &packets {
            let packet = self::packet(LinkType::ETHERNET, &packet.data);
            let segment = decoder.decode(&packet).unwrap().unwrap();
            if segment.source == server { &mut answered } else { &mut said }.extend_from_slice(segment.payload);
        }
        assert_eq!((&said[..], &answered[..]), (&b"QUIT\r\n"[..], &b"220 hello\r\n"[..]));
    }

    fn any_link_type() -> impl Strategy<Value = LinkType> {
        prop::sample::select(vec![0, 1, 9, 12, 14, 50, 51, 100, 101, 104, 108, 113, 166, 204, 205, 219, 228, 229, 276])
            .prop_map(LinkType)
    }

    proptest! {
        #[test]
        fn random_octets_never_panic(
            link_type in any_link_type(),
            data in prop::collection::vec(any::<u8>(), 0..200),
            original_len in any::<u32>(),
        ) {
            let _ = decode(&Packet { original_len, ..packet(link_type, &data) });
        }

        /// Where etherparse's strict slicing finds TCP, so does the decoder, and the same; damage panics neither.
        #[test]
        fn a_damaged_packet_is_what_etherparse_says(
            version in prop::sample::select(vec![4, 6]),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut data = segment(version).ethernet();
            for (at, octet) in damage {
                let at = at.index(data.len());
                data[at] = octet;
            }
            let found = decode(&packet(LinkType::ETHERNET, &data));
            let strict = SlicedPacket::from_ethernet(&data).ok().and_then(|sliced| sliced.transport);
            if let Some(TransportSlice::Tcp(tcp)) = strict {
                prop_assert_eq!(found, Ok(Some(tcp.payload().to_vec())));
            }
        }
    }
}
