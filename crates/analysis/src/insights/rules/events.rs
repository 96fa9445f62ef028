//! Small events of many sessions, kept until all of them can be put in order.

/// The first events of a shard, in the order in which its sessions ended; more are counted.
#[derive(Debug, Clone)]
pub(crate) struct Events<T> {
    kept: Vec<T>,
    beyond: u64,
}

/// Events of one rule that a shard keeps, about 4 MiB of them at 256 octets each.
const EVENTS: usize = 1 << 14;

impl<T> Default for Events<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), beyond: 0 }
    }
}

impl<T: Ord> Events<T> {
    /// Takes in one more.
    pub(crate) fn push(&mut self, event: T) {
        if self.kept.len() < EVENTS {
            self.kept.push(event);
        } else {
            self.beyond += 1;
        }
    }

    /// Takes in those of another shard.
    pub(crate) fn merge(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.beyond += other.beyond;
    }

    /// Those that are kept, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter()
    }

    /// Leaves out what is of no interest any more.
    pub(crate) fn retain(&mut self, is_wanted: impl FnMut(&T) -> bool) {
        self.kept.retain(is_wanted);
    }

    /// How many had no room.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// All of them in their order.
    pub(crate) fn into_sorted(mut self) -> Vec<T> {
        self.kept.sort_unstable();
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_two_shards_are_in_order() {
        let of = |numbers: &[u32]| {
            let mut events = Events::default();
            numbers.iter().for_each(|&number| events.push(number));
            events
        };
        let mut events = of(&[3, 1]);
        events.merge(of(&[2, 0]));
        assert_eq!(events.into_sorted(), [0, 1, 2, 3]);
    }

    #[test]
    fn no_more_is_kept_than_the_limit_in_each_shard() {
        let mut events = Events::default();
        (0..EVENTS + 2).for_each(|number| events.push(number));
        assert_eq!((events.beyond(), events.clone().into_sorted().len()), (2, EVENTS));
        events.merge(Events { kept: vec![7], beyond: 1 });
        assert_eq!((events.beyond(), events.into_sorted().len()), (3, EVENTS + 1));
    }
}
