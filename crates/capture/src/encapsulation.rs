//! Through what a segment came: the tags, labels and tunnels around its innermost datagram.

use std::fmt;

/// A protocol that carries frames or datagrams of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Carrier {
    /// IEEE 802.1Q tag, also as the service tag of 802.1ad and of what came before it.
    Vlan,
    /// Cisco VN-TAG, as in IEEE 802.1BR's predecessor.
    VnTag,
    /// IEEE 802.1ah, MAC in MAC.
    ProviderBackbone,
    /// IEEE 802.1AE without encryption.
    Macsec,
    /// MPLS label stack (RFC 3032), however many labels.
    Mpls,
    /// Ethernet over MPLS (RFC 4448).
    Pseudowire,
    /// PPP over Ethernet (RFC 2516).
    Pppoe,
    /// IP in IP (RFC 2003), 6in4 (RFC 4213) and generic packet tunnelling in IPv6 (RFC 2473).
    Ip,
    /// GRE (RFC 2784, 2890), NVGRE (RFC 7637).
    Gre,
    /// GRE version 1 (RFC 2637).
    Pptp,
    /// ERSPAN, all types.
    Erspan,
    /// EtherIP (RFC 3378).
    EtherIp,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe).
    VxlanGpe,
    /// GENEVE (RFC 8926).
    Geneve,
    /// GTP version 1, user plane (3GPP TS 29.281).
    GtpU,
    /// Teredo (RFC 4380).
    Teredo,
    /// L2TP version 2 (RFC 2661).
    L2tp,
    /// TaZmen Sniffer Protocol.
    Tzsp,
}

impl Carrier {
    /// A name that does not change, for counting and for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::VnTag => "vntag",
            Self::ProviderBackbone => "pbb",
            Self::Macsec => "macsec",
            Self::Mpls => "mpls",
            Self::Pseudowire => "pseudowire",
            Self::Pppoe => "pppoe",
            Self::Ip => "ip_in_ip",
            Self::Gre => "gre",
            Self::Pptp => "pptp",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan_gpe",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp_u",
            Self::Teredo => "teredo",
            Self::L2tp => "l2tp",
            Self::Tzsp => "tzsp",
        }
    }
}

/// The carriers around a segment, outermost first. At most [`Encapsulation::CARRIERS`], kept in place: it is copied with
/// every segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Encapsulation([Option<Carrier>; Encapsulation::CARRIERS]);

impl Encapsulation {
    /// Carriers around one segment. What is nested deeper is not followed.
    pub const CARRIERS: usize = 16;

    /// Nothing around it but its link layer.
    pub fn is_empty(&self) -> bool {
        self.0.first().is_none_or(Option::is_none)
    }

    /// The carriers, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = Carrier> + '_ {
        self.0.iter().map_while(|carrier| *carrier)
    }

    /// Adds the next one inwards; `false` where there is no room.
    pub(crate) fn push(&mut self, carrier: Carrier) -> bool {
        let free = self.0.iter_mut().find(|place| place.is_none());
        free.map(|place| *place = Some(carrier)).is_some()
    }
}

impl fmt::Debug for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_kept_in_order_up_to_the_limit() {
        let mut encapsulation = Encapsulation::default();
        assert!(encapsulation.is_empty());
        assert!(encapsulation.push(Carrier::Vlan) && encapsulation.push(Carrier::Vxlan));
        assert_eq!(encapsulation.iter().map(Carrier::name).collect::<Vec<_>>(), ["vlan", "vxlan"]);
        for _ in 2..Encapsulation::CARRIERS {
            assert!(encapsulation.push(Carrier::Gre));
        }
        assert!(!encapsulation.push(Carrier::Gre));
        assert_eq!(encapsulation.iter().count(), Encapsulation::CARRIERS);
    }
}
