//! The capture file formats that are told apart.

use std::fmt;

/// A capture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// pcap with microseconds (draft-ietf-opsawg-pcap, magic number 0xA1B2C3D4).
    Pcap,
    /// pcap with nanoseconds (magic number 0xA1B23C4D).
    PcapNanoseconds,
    /// "Modified" pcap (magic number 0xA1B2CD34): eight octets more in each record header.
    PcapModified,
    /// Modified pcap as SuSE Linux 6.3 wrote it, with the same magic number: twelve octets more.
    PcapSuse63,
    /// Modified pcap as Red Hat Linux 6.1 wrote it, under the magic number of ordinary pcap: eight octets more.
    PcapRedHat61,
    /// pcap as Nokia firewalls write it, under the magic number of ordinary pcap: four octets more.
    PcapNokia,
    /// pcapng (draft-ietf-opsawg-pcapng).
    PcapNg,
}

impl Format {
    /// The name that Wireshark's tools (`editcap -F`) have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNanoseconds => "nsecpcap",
            Self::PcapModified => "modpcap",
            Self::PcapSuse63 => "suse6_3pcap",
            Self::PcapRedHat61 => "rh6_1pcap",
            Self::PcapNokia => "nokiapcap",
            Self::PcapNg => "pcapng",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
