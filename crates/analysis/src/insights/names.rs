//! Short digests of addresses and domains, for rules that only ask whether two are the same.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// What stands for one or several texts, whatever their case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Name([u64; 2]);

impl Name {
    /// That of these texts together, in this order.
    pub(crate) fn of(texts: &[&str]) -> Self {
        let mut hasher = SipHasher13::new();
        let mut lower = [0; PIECE_OCTETS];
        for text in texts {
            for piece in text.as_bytes().chunks(PIECE_OCTETS) {
                lower.iter_mut().zip(piece).for_each(|(place, octet)| *place = octet.to_ascii_lowercase());
                hasher.write(lower.get(..piece.len()).unwrap_or_default());
            }
            hasher.write_u64(text.len() as u64);
        }
        let hash = hasher.finish128();
        Self([hash.h1, hash.h2])
    }
}

const PIECE_OCTETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_in_any_case_and_only_in_the_same_parts() {
        let long = "x".repeat(200);
        assert_eq!(Name::of(&["A@Example.ORG", &long]), Name::of(&["a@example.org", &long.to_uppercase()]));
        let different = [&["ab", "c"][..], &["a", "bc"], &["abc"], &["c", "ab"], &["ab", "c", ""], &[]].map(Name::of);
        let set: std::collections::BTreeSet<Name> = different.into_iter().collect();
        assert_eq!(set.len(), different.len());
    }
}
