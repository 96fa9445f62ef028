//! For the tests of rules: what all of them find in some sessions.

use crate::insights::finding::{Finding, Kind, Severity};
use crate::insights::site::Site;
use crate::insights::{Assessment, FindingOptions};
use crate::model::Session;
use crate::samples::report;

/// What is found in these sessions, but for what is said of the recording.
pub(crate) fn findings(sessions: &[Session]) -> Vec<Finding> {
    findings_at(&Site::default(), sessions)
}

/// The same where so much is known of the site.
pub(crate) fn findings_at(site: &Site, sessions: &[Session]) -> Vec<Finding> {
    let options = FindingOptions { site: site.clone(), ..FindingOptions::default() };
    let found = Assessment::of(&report(sessions.to_vec()), &options).findings;
    found.into_iter().filter(|finding| finding.kind != Kind::CaptureQuality).collect()
}

/// Kind and severity of each.
pub(crate) fn kinds(sessions: &[Session]) -> Vec<(Kind, Severity)> {
    findings(sessions).iter().map(|finding| (finding.kind, finding.severity)).collect()
}

/// The one finding of this kind.
#[track_caller]
pub(crate) fn finding(kind: Kind, sessions: &[Session]) -> Finding {
    let found = findings(sessions);
    let of_kind: Vec<_> = found.iter().filter(|finding| finding.kind == kind).cloned().collect();
    let [finding] = of_kind.try_into().unwrap_or_else(|_| panic!("one {kind:?} among {found:#?}"));
    finding
}
