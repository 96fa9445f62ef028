//! A doubly linked list through the slots of a slab: the order in which flows were last seen.
//!
//! The list owns nothing, and every operation takes constant time. A slot has links for as many chains as it can be in at
//! the same time; of chains that share links it is in one at most.

use std::num::NonZeroU32;

/// First and last slot of a list that runs through the links with this number.
#[derive(Debug, Default)]
pub(crate) struct Chain<const LINKS: usize> {
    ends: Option<(u32, u32)>,
}

/// A slot's neighbours, kept small: there are as many as slots.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Links {
    before: Neighbour,
    after: Neighbour,
}

/// A slot or none.
#[derive(Debug, Default, Clone, Copy)]
struct Neighbour(Option<NonZeroU32>);

impl Neighbour {
    /// The number of a slot is below `u32::MAX`.
    fn of(slot: Option<u32>) -> Self {
        Self(slot.and_then(|slot| NonZeroU32::new(slot.wrapping_add(1))))
    }

    fn slot(self) -> Option<u32> {
        self.0.map(|number| number.get() - 1)
    }
}

/// A slot with the links of this number.
pub(crate) trait Linked<const LINKS: usize> {
    fn links(&mut self) -> &mut Links;
}

impl<const LINKS: usize> Chain<LINKS> {
    /// The slot that has been in the list for the longest.
    pub(crate) fn front(&self) -> Option<u32> {
        self.ends.map(|(first, _)| first)
    }

    /// Appends a slot that is in no list.
    pub(crate) fn push_back<T: Linked<LINKS>>(&mut self, slot: u32, slots: &mut [T]) {
        let before = self.ends.map(|(_, last)| last);
        set::<LINKS, _>(slots, slot, |links| {
            *links = Links { before: Neighbour::of(before), after: Neighbour::of(None) }
        });
        if let Some(last) = before {
            set::<LINKS, _>(slots, last, |links| links.after = Neighbour::of(Some(slot)));
        }
        self.ends = Some((self.front().unwrap_or(slot), slot));
    }

    /// Takes a slot out of this list.
    pub(crate) fn remove<T: Linked<LINKS>>(&mut self, slot: u32, slots: &mut [T]) {
        let Some(Links { before, after }) = slots.get_mut(slot as usize).map(|slot| std::mem::take(slot.links()))
        else {
            return;
        };
        let (before, after) = (before.slot(), after.slot());
        if let Some(before) = before {
            set::<LINKS, _>(slots, before, |links| links.after = Neighbour::of(after));
        }
        if let Some(after) = after {
            set::<LINKS, _>(slots, after, |links| links.before = Neighbour::of(before));
        }
        self.ends = self.ends.and_then(|(first, last)| {
            let first = if first == slot { after } else { Some(first) };
            let last = if last == slot { before } else { Some(last) };
            first.zip(last)
        });
    }
}

fn set<const LINKS: usize, T: Linked<LINKS>>(slots: &mut [T], slot: u32, change: impl FnOnce(&mut Links)) {
    if let Some(place) = slots.get_mut(slot as usize) {
        change(place.links());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Linked<0> for Links {
        fn links(&mut self) -> &mut Links {
            self
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_vector(touched in prop::collection::vec((0u32..6, any::<bool>()), 0..60)) {
            let (mut chain, mut slots, mut twin) = (Chain::<0>::default(), [Links::default(); 6], Vec::new());
            for (slot, keep) in touched {
                if twin.contains(&slot) {
                    chain.remove(slot, &mut slots);
                    twin.retain(|&other| other != slot);
                }
                if keep {
                    chain.push_back(slot, &mut slots);
                    twin.push(slot);
                }
                prop_assert_eq!(chain.front(), twin.first().copied());
            }
            while let Some(slot) = chain.front() {
                prop_assert_eq!(slot, twin.remove(0));
                chain.remove(slot, &mut slots);
            }
            prop_assert!(twin.is_empty());
        }
    }
}
