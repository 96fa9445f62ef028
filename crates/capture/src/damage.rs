//! Where a capture is damaged, and how much of it was passed over.

/// Octets that were passed over because no record could be read there. Reading went on behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Damage {
    /// Where the record or block that could not be read begins, in octets from the start of the (decompressed) input.
    pub offset: u64,
    /// Octets from there to the next record that could be read.
    pub octets: u64,
}

/// The places of damage of one input, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageLog {
    places: Vec<Damage>,
    further_places: u64,
    octets: u64,
}

impl DamageLog {
    /// The first of them: at most [`ReaderLimits::damaged_places`](crate::ReaderLimits::damaged_places).
    pub fn places(&self) -> &[Damage] {
        &self.places
    }

    /// How many more there are.
    pub fn further_places(&self) -> u64 {
        self.further_places
    }

    /// Octets passed over at all of them.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn add(&mut self, damage: Damage, most: usize) {
        self.octets = self.octets.saturating_add(damage.octets);
        if self.places.len() < most {
            self.places.push(damage);
        } else {
            self.further_places += 1;
        }
    }
}
