//! Keyed digests of secrets: two that are equal show that a password was used again, and nothing else.
//!
//! A plain digest of a password is found by trying the passwords people use. So the key is drawn for each run and never
//! leaves it. The price is that digests differ from run to run; that is why they are printed on request only.

use std::fmt;
use std::hash::Hasher;

use serde::{Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher24};
use smtp_parser::Secret;

/// The key of a run. It prints as redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestKey([u8; 16]);

impl DigestKey {
    /// A key of the system's random octets.
    ///
    /// # Errors
    /// Where the system has none.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// This key, which has to be kept as secret as what it hides.
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The digest of a secret.
    pub(crate) fn digest(&self, secret: Secret<'_>) -> SecretDigest {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(secret.reveal());
        SecretDigest(hasher.finish128().h1)
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Half of a SipHash-2-4-128; printed as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretDigest(u64);

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for SecretDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the vectors for 128 bits in the reference implementation of SipHash: key 00 to 0f, no input, gives
    /// a3 81 7f 04 ba 25 a8 e6 …, little-endian.
    #[test]
    fn the_reference_vector() {
        let key = DigestKey::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let digest = serde_json::to_value(key.digest(Secret::new(b""))).expect("JSON");
        assert_eq!(digest, "e6a825ba047f81a3");
    }

    #[test]
    fn key_and_digest_do_not_print_and_no_two_runs_share_a_key() {
        let (one, other) = (DigestKey::draw().expect("random octets"), DigestKey::draw().expect("random octets"));
        assert_ne!(one, other);
        let digest = one.digest(Secret::new(b"hunter2"));
        assert_eq!(format!("{one:?} {digest:?}"), "[redacted] [redacted]");
    }
}
