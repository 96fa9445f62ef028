//! Any octets two sides of a handshake may send: any split shows the same, and no more is kept than the limits allow.
//!
//! Input: two octets that decide the split; octets and certificates listened to and kept of each side; then turns: who
//! (the lowest bit: the server; the next: a gap), the length in two octets, little endian, and so many octets.

#![no_main]

use analysis::anomaly::Role;
use analysis::tls::{Handshake, Limits, Mode, Progress, Tls};
use fuzz::pieces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [seed, largest, octets, certificates, turns @ ..] = input else { return };
    let limits = Limits { octets: usize::from(*octets) * 256, certificates: usize::from(*certificates) };
    let whole = read(turns, limits, |octets| vec![octets]);
    assert_eq!(read(turns, limits, |octets| pieces(octets, *seed, *largest).collect()), whole);
    assert_eq!(read(turns, limits, |octets| octets.chunks(1).collect()), whole);
    let [server, client] = [&whole.certificates, &whole.client_certificates];
    assert!(server.len() <= limits.certificates && client.len() <= limits.certificates);
});

fn read<'a>(mut turns: &'a [u8], limits: Limits, split: impl Fn(&'a [u8]) -> Vec<&'a [u8]>) -> Tls {
    let (mut handshake, mut is_done) = (Handshake::new(limits), false);
    while let [who, low, high, rest @ ..] = turns {
        let role = if who & 1 == 0 { Role::Client } else { Role::Server };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (octets, behind) = rest.split_at(length.min(rest.len()));
        turns = behind;
        if who & 2 != 0 {
            handshake.gap(role);
        }
        for piece in split(octets) {
            let progress = handshake.octets(role, piece);
            assert!(!is_done || progress == Progress::Done, "it wants to hear more again");
            is_done |= progress == Progress::Done;
        }
    }
    handshake.finish(Mode::Implicit, true)
}
