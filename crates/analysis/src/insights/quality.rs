//! How far what is seen in a session, or in a recording, can be trusted: the one place where the confidence of findings falls.
//!
//! Counter-evidence may stand in what the capture does not show: a reply of the side that is missing, a login behind a gap.
//! So every finding says what was missing, and how much confidence that leaves.

use crate::model::{Directions, Session, Start};
use crate::report::{Capture, CaptureFile};

/// Why a capture may deceive. Some are of a session, some of the whole recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Only one side's payload is in the capture.
    OneSideMissing,
    /// Copies of octets differ: which of them the receiver took is not known.
    ConflictingCopies,
    /// Octets of the session are not in the capture.
    Gap,
    /// The beginning of the session is not in the capture.
    Midstream,
    /// Packets were cut to a snap length.
    CutPackets,
    /// Packets were dropped while the recording was made.
    DroppedPackets,
    /// A file is damaged, cut short or unreadable, or reading was interrupted.
    DamagedInput,
}

impl Weakness {
    pub(crate) const ALL: [Self; 7] = [
        Self::OneSideMissing,
        Self::ConflictingCopies,
        Self::Gap,
        Self::Midstream,
        Self::CutPackets,
        Self::DroppedPackets,
        Self::DamagedInput,
    ];

    /// The name as it stands in `weakened_by`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OneSideMissing => "one_side_missing",
            Self::ConflictingCopies => "conflicting_copies",
            Self::Gap => "gap",
            Self::Midstream => "midstream",
            Self::CutPackets => "cut_packets",
            Self::DroppedPackets => "dropped_packets",
            Self::DamagedInput => "damaged_input",
        }
    }

    /// The share of confidence that is left, in percent.
    pub(crate) const fn leaves(self) -> u8 {
        match self {
            Self::OneSideMissing => 50,
            Self::ConflictingCopies => 70,
            Self::Gap | Self::CutPackets => 80,
            Self::Midstream | Self::DroppedPackets => 90,
            Self::DamagedInput => 95,
        }
    }
}

/// A set of weaknesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Quality(u8);

impl Quality {
    pub(crate) fn of_session(session: &Session) -> Self {
        let (client, server) = (session.octets.client, session.octets.server);
        Self::default()
            .with_if(session.directions != Directions::Both, Weakness::OneSideMissing)
            .with_if(client.conflicting + server.conflicting > 0, Weakness::ConflictingCopies)
            .with_if(client.missing + server.missing > 0, Weakness::Gap)
            .with_if(session.start == Start::Midstream, Weakness::Midstream)
    }

    pub(crate) fn of_capture(capture: &Capture) -> Self {
        let is_damaged =
            |file: &CaptureFile| file.truncated || file.error.is_some() || !file.condition.damaged.is_empty();
        let is_dropped = |file: &CaptureFile| file.condition.dropped.is_some_and(|dropped| dropped > 0);
        Self::default()
            .with_if(capture.cut_packets > 0, Weakness::CutPackets)
            .with_if(capture.files.iter().any(is_dropped), Weakness::DroppedPackets)
            .with_if(capture.interrupted || capture.files.iter().any(is_damaged), Weakness::DamagedInput)
    }

    const fn with_if(self, condition: bool, weakness: Weakness) -> Self {
        if condition { Self(self.0 | 1 << weakness as u8) } else { self }
    }

    /// What is in either.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both: of several sessions, what none of them is free of.
    #[must_use]
    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn weaknesses(self) -> impl Iterator<Item = Weakness> {
        Weakness::ALL.into_iter().filter(move |&weakness| self.0 & 1 << weakness as u8 != 0)
    }

    /// The share of confidence that is left, in percent.
    pub(crate) fn leaves(self) -> u8 {
        let left = self.weaknesses().fold(100u16, |left, weakness| left * u16::from(weakness.leaves()) / 100);
        u8::try_from(left).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DirectionOctets, Octets};
    use crate::samples::session;

    fn words(quality: Quality) -> Vec<&'static str> {
        quality.weaknesses().map(Weakness::as_str).collect()
    }

    #[test]
    fn a_whole_session_of_a_whole_capture_leaves_everything() {
        let quality = Quality::of_session(&session()).and(Quality::of_capture(&Capture::default()));
        assert_eq!((words(quality), quality.leaves()), (vec![], 100));
    }

    #[test]
    fn what_a_session_lacks_is_named_and_multiplied() {
        let missing = DirectionOctets { missing: 1, ..DirectionOctets::default() };
        let lacking = Session {
            directions: Directions::Client,
            start: Start::Midstream,
            octets: Octets { server: missing, ..Octets::default() },
            ..session()
        };
        let quality = Quality::of_session(&lacking);
        assert_eq!((words(quality), quality.leaves()), (vec!["one_side_missing", "gap", "midstream"], 36));
    }

    #[test]
    fn what_a_recording_lacks_is_named() {
        let capture = Capture { cut_packets: 3, interrupted: true, ..Capture::default() };
        assert_eq!(words(Quality::of_capture(&capture)), ["cut_packets", "damaged_input"]);
    }
}
