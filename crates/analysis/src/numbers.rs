//! Which number a session has among those of its 4-tuple, told when it ends, from a bounded memory.
//!
//! The memory holds the ends that came last. Where one is pushed out of it and no later session of its 4-tuple has ended, the
//! 4-tuple is forgotten: its next session counts as the first one again.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::model::FourTuple;
use crate::report::{Occurrence, SessionId};

/// Sessions whose ends are remembered, so that a later one of the same 4-tuple has the next number in its key: more than a
/// gigabyte of small mails has (102,208).
pub const SESSION_KEYS: usize = 1 << 17;

/// See the module.
#[derive(Debug)]
pub(crate) struct Numbers {
    limit: usize,
    ends: VecDeque<End>,
    /// The place of the first of [`Self::ends`], counted over all ends there were. It may wrap around.
    first: u32,
    /// The place behind the last one.
    next: u32,
    /// The place of the last end of each 4-tuple.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    forgotten: u64,
}

#[derive(Debug)]
struct End {
    key: Key,
    /// `None` where a later session of the 4-tuple has ended.
    number: Option<Occurrence>,
}

impl Numbers {
    /// A memory of so many ends, at least one.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            ends: VecDeque::new(),
            first: 0,
            next: 0,
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            forgotten: 0,
        }
    }

    /// How many times a 4-tuple was forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What the key of the session of this 4-tuple is made from that has ended now.
    pub(crate) fn id(&mut self, four_tuple: FourTuple) -> SessionId {
        SessionId { four_tuple, occurrence: self.next(four_tuple) }
    }

    /// The number of the session of this 4-tuple that has ended now.
    pub(crate) fn next(&mut self, four_tuple: FourTuple) -> Occurrence {
        let key = Key::from(four_tuple);
        let number = self.take(&key).map_or(Occurrence::FIRST, Occurrence::next);
        if self.ends.len() >= self.limit {
            self.forget_oldest();
        }
        let hash = self.hasher.hash_one(&key);
        self.ends.push_back(End { key, number: Some(number) });
        let Self { ends, first, hasher, .. } = self;
        let hash_of = |&place: &u32| end_at(ends, *first, place).map_or(0, |end| hasher.hash_one(&end.key));
        self.places.insert_unique(hash, self.next, hash_of);
        self.next = self.next.wrapping_add(1);
        number
    }

    /// Takes out the number of the last session of the 4-tuple.
    fn take(&mut self, key: &Key) -> Option<Occurrence> {
        let Self { ends, first, .. } = self;
        let is_of_key = |&place: &u32| end_at(ends, *first, place).is_some_and(|end| end.key == *key);
        let (place, _) = self.places.find_entry(self.hasher.hash_one(key), is_of_key).ok()?.remove();
        self.ends.get_mut(place.wrapping_sub(self.first) as usize)?.number.take()
    }

    fn forget_oldest(&mut self) {
        let Some(End { key, number }) = self.ends.pop_front() else { return };
        if number.is_some() {
            let is_first = |&place: &u32| place == self.first;
            if let Ok(entry) = self.places.find_entry(self.hasher.hash_one(&key), is_first) {
                entry.remove();
            }
            self.forgotten += 1;
        }
        self.first = self.first.wrapping_add(1);
    }
}

fn end_at(ends: &VecDeque<End>, first: u32, place: u32) -> Option<&End> {
    ends.get(place.wrapping_sub(first) as usize)
}

/// A 4-tuple in few octets: all of them are addresses and ports, those of IPv6 in a place of their own.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    V4([u8; 12]),
    V6(Box<[u8; 36]>),
}

impl From<FourTuple> for Key {
    fn from(FourTuple { client, server }: FourTuple) -> Self {
        match (client, server) {
            (SocketAddr::V4(client), SocketAddr::V4(server)) => {
                let mut key = [0; 12];
                let [of_client, of_server] = [client, server].map(|end| (end.ip().octets(), end.port().to_be_bytes()));
                fill(&mut key, [&of_client.0, &of_client.1, &of_server.0, &of_server.1]);
                Self::V4(key)
            }
            (client, server) => {
                let mut key = Box::new([0; 36]);
                let [of_client, of_server] =
                    [client, server].map(|end| (v6_octets(end.ip()), end.port().to_be_bytes()));
                fill(key.as_mut_slice(), [&of_client.0, &of_client.1, &of_server.0, &of_server.1]);
                Self::V6(key)
            }
        }
    }
}

fn v6_octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Puts the parts, which are as long as the room together, one behind the other.
fn fill(room: &mut [u8], parts: [&[u8]; 4]) {
    room.iter_mut().zip(parts.into_iter().flatten()).for_each(|(place, octet)| *place = *octet);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four_tuple(client: &str) -> FourTuple {
        let client: SocketAddr = client.parse().expect("an address and a port");
        let server = if client.is_ipv4() { "198.51.100.25:25" } else { "[2001:db8::25]:25" };
        FourTuple { client, server: server.parse().expect("an address and a port") }
    }

    /// The keys of sessions of these clients that end in this order, and how often one was forgotten.
    fn keys(limit: usize, clients: &[&str]) -> (Vec<String>, u64) {
        let mut numbers = Numbers::new(limit);
        // Places that wrap around are no others.
        (numbers.first, numbers.next) = (u32::MAX - 2, u32::MAX - 2);
        let keys = clients.iter().map(|client| {
            let key = numbers.next(four_tuple(client)).key(four_tuple(client));
            key.split_once('#').map_or_else(|| "1".to_owned(), |(_, number)| number.to_owned())
        });
        (keys.collect(), numbers.forgotten())
    }

    const A: &str = "192.0.2.1:40000";
    const B: &str = "192.0.2.1:40001";
    const C: &str = "[2001:db8::1]:40000";

    #[test]
    fn each_four_tuple_is_counted_by_itself() {
        let (numbers, forgotten) = keys(100, &[A, B, A, C, A, C, B, "[2001:db8::1]:1", "[2001:db8::2]:40000"]);
        assert_eq!((numbers.join(" ").as_str(), forgotten), ("1 1 2 1 3 2 2 1 1", 0));
    }

    /// Which side is the client is part of a key, as it is printed.
    #[test]
    fn the_two_ends_are_not_the_same_the_other_way_round() {
        let mut numbers = Numbers::new(9);
        let there = four_tuple(A);
        let back = FourTuple { client: there.server, server: there.client };
        let keys = [there, back, there].map(|four_tuple| numbers.next(four_tuple).key(four_tuple));
        assert_eq!(keys.map(|key| key.ends_with("#2")), [false, false, true]);
    }

    #[test]
    fn what_ended_longest_ago_is_forgotten_and_counts_anew() {
        assert_eq!(keys(2, &[A, B, C, B, A]), (["1", "1", "1", "2", "1"].map(str::to_owned).to_vec(), 2));
        // What ends again stays; its older end does not count as forgotten when it goes.
        assert_eq!(keys(2, &[A, B, A, B, A]), (["1", "1", "2", "2", "3"].map(str::to_owned).to_vec(), 0));
        assert_eq!(keys(1, &[A, A, B, A]), (["1", "2", "1", "1"].map(str::to_owned).to_vec(), 2));
    }

    #[test]
    fn the_memory_does_not_grow_beyond_its_limit() {
        let mut numbers = Numbers::new(100);
        for port in 1..=10_000 {
            let client = SocketAddr::from(([192, 0, 2, 1], port));
            numbers.next(FourTuple { client, ..four_tuple(A) });
        }
        assert_eq!((numbers.ends.len(), numbers.places.len(), numbers.forgotten()), (100, 100, 9_900));
        assert!(size_of::<End>() <= 24, "{}", size_of::<End>());
    }
}
