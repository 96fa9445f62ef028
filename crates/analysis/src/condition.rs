//! In what condition an input is: what of it was passed over, and what it says of itself.

use std::collections::BTreeMap;

use capture::{CaptureReader, Subject};
use serde::Serialize;

/// What a reader found in an input besides packets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Where octets were passed over because nothing could be read there. The first of them.
    pub damaged: Vec<Damage>,
    /// How many more places of damage there are.
    pub further_damaged: u64,
    /// Octets passed over at all of them.
    pub skipped_octets: u64,
    /// pcapng blocks that contradict themselves, passed over.
    pub malformed_blocks: u64,
    /// pcapng sections of an unknown version, passed over.
    pub foreign_sections: u64,
    /// Packets of link types that are not read, by their numbers.
    pub unread_link_types: BTreeMap<u32, UnreadLink>,
    /// Packets that were lost before they were written, as the capture says; `None` where it says nothing.
    pub dropped: Option<u64>,
    /// What somebody wrote into the capture about it. The first comments.
    pub comments: Vec<Comment>,
    /// How many more comments there are.
    pub further_comments: u64,
}

/// Packets of a link type that is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UnreadLink {
    /// Where the octets of the first of them begin.
    pub offset: u64,
    /// How many they are.
    pub packets: u64,
}

/// Octets that were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub skipped: u64,
}

/// A comment in a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// `section`, `interface` or `packet`.
    pub about: &'static str,
    /// The number of the interface within its section, from 0, or of the packet within the file, from 1.
    pub number: Option<u64>,
    /// Its text.
    pub text: String,
}

impl Condition {
    /// What a reader has to say at its end.
    pub(crate) fn of(reader: &CaptureReader) -> Self {
        let damage = reader.damage();
        let places = damage.places().iter().map(|place| Damage { offset: place.offset, skipped: place.octets });
        let comments = reader.comments().comments().iter().map(|comment| {
            let (about, number) = match comment.subject {
                Subject::Interface(number) => ("interface", Some(number.into())),
                Subject::Packet(number) => ("packet", Some(number)),
                _ => ("section", None),
            };
            Comment { about, number, text: comment.text.clone() }
        });
        Self {
            damaged: places.collect(),
            further_damaged: damage.further_places(),
            skipped_octets: damage.octets(),
            malformed_blocks: reader.malformed_blocks(),
            foreign_sections: reader.foreign_sections(),
            unread_link_types: BTreeMap::new(),
            dropped: reader.dropped_packets(),
            comments: comments.collect(),
            further_comments: reader.comments().further(),
        }
    }

    /// What was not read of the file of this name, a message each.
    pub fn damages(&self, path: &str) -> Vec<String> {
        let place = |&Damage { offset, skipped }: &Damage| {
            let behind = offset.saturating_add(skipped);
            format!("{path}: damaged at octet {offset}: {skipped} octets passed over, read on at octet {behind}")
        };
        let mut messages: Vec<String> = self.damaged.iter().map(place).collect();
        if self.further_damaged > 0 {
            messages.push(format!("{path}: damaged at {} further places", self.further_damaged));
        }
        if self.malformed_blocks > 0 {
            let blocks = self.malformed_blocks;
            messages.push(format!("{path}: {blocks} blocks contradict themselves and were passed over"));
        }
        if self.foreign_sections > 0 {
            let sections = self.foreign_sections;
            messages.push(format!("{path}: {sections} sections of an unknown version of pcapng were passed over"));
        }
        messages
    }

    /// What makes it show less than there was, although nothing is wrong with the file: packets that its capture lost, and
    /// those that cannot be read.
    pub fn warnings(&self, path: &str) -> Vec<String> {
        let unread = self.unread_link_types.iter().map(|(link_type, UnreadLink { offset, packets })| {
            format!(
                "{path}: {packets} packets, the first at octet {offset}, are of link type {link_type}, which is not read; \
                 capture on an Ethernet, IP or Linux \"any\" interface"
            )
        });
        let dropped = self.dropped.filter(|dropped| *dropped > 0).map(|dropped| {
            format!("{path}: {dropped} packets were dropped while it was recorded, so parts of mails may be missing")
        });
        unread.chain(dropped).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_one_message() {
        let sound = Condition { dropped: Some(0), ..Condition::default() };
        assert_eq!((sound.damages("x"), sound.warnings("x")), (vec![], vec![]));
        let condition = Condition {
            damaged: vec![Damage { offset: 24, skipped: 60 }],
            further_damaged: 3,
            malformed_blocks: 2,
            foreign_sections: 1,
            dropped: Some(7),
            ..Condition::default()
        };
        let damages = condition.damages("x.pcap");
        assert_eq!(damages[0], "x.pcap: damaged at octet 24: 60 octets passed over, read on at octet 84");
        assert_eq!(damages.len(), 4);
        let unread = UnreadLink { offset: 40, packets: 9 };
        let warnings = Condition { unread_link_types: [(147, unread)].into(), ..condition }.warnings("x.pcap");
        assert!(warnings[0].starts_with("x.pcap: 9 packets, the first at octet 40, are of link type 147"));
        assert!(warnings[1].starts_with("x.pcap: 7 packets"));
    }
}
