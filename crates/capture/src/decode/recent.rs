//! Datagrams that were put together a moment ago, so that copies of their fragments begin no new ones.
//!
//! A span port shows every packet twice, so the fragment that makes a datagram whole is followed by its own copy. A
//! receiver has forgotten the datagram by then and would take it for the first fragment of another. RFC 791 §2.3:
//!
//! > The originating protocol module of an internet datagram sets the identification field to a value that must be unique
//! > for that source-destination pair and protocol for the time the datagram will be active in the internet system.
//!
//! Fast senders cannot keep to that (RFC 6864) and use an identification again at once. What tells their fragments from
//! copies is that they say something else, or come later; and while another datagram of the same identification waits, a
//! fragment is taken for one of it: if it is a copy, it changes nothing where the octets are the same.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::fragment::{Fragment, FragmentKey};
use crate::Timestamp;

/// The datagrams put together last.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Done>);

#[derive(Debug)]
struct Done {
    key: FragmentKey,
    network: u32,
    when: Timestamp,
    /// Of the payload, on the wire.
    length: usize,
    /// Up to the first that was not captured.
    octets: Vec<u8>,
}

impl Recent {
    /// Remembers a datagram, and forgets the oldest where there are `limit`.
    ///
    /// This copies its octets, for those it was put together in are lent to the caller.
    pub(super) fn add(
        &mut self,
        (key, network): (FragmentKey, u32),
        when: Timestamp,
        (octets, length): (&[u8], usize),
        limit: usize,
    ) {
        if limit == 0 {
            return;
        }
        let mut kept = if self.0.len() < limit { None } else { self.0.pop_front() }.map_or_else(Vec::new, |d| d.octets);
        kept.clear();
        kept.extend_from_slice(octets);
        self.0.push_back(Done { key, network, when, length, octets: kept });
    }

    /// Whether a fragment, whose octets stand at `wire` in its datagram, is a copy of one of these.
    pub(super) fn has(&self, fragment: &Fragment<'_>, network: u32, wire: &Range<usize>, now: Timestamp) -> bool {
        let is_of = |done: &&Done| done.network == network && done.key == fragment.key;
        let Some(done) = self.0.iter().rev().find(is_of) else { return false };
        let ends_as_one = if fragment.more { wire.end < done.length } else { wire.end == done.length };
        let there = done.octets.get(wire.start..).unwrap_or_default();
        let both = fragment.octets.captured.iter().zip(there);
        ends_as_one && now.since(done.when) <= COPY_TIME && both.into_iter().all(|(comes, there)| comes == there)
    }
}

/// How long behind a datagram the copies of its fragments are known, in packet time: two taps on one path may be as far
/// apart as its ends.
const COPY_TIME: Duration = Duration::from_secs(1);
