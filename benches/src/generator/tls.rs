//! TLS 1.3 as a capture shows it (RFC 8446): two hellos in plain, and records of octets without form.

use super::connection::{Side, Turn};
use super::prng::Prng;

/// A handshake and what is said behind it.
pub(super) fn conversation(prng: &mut Prng) -> Vec<Turn> {
    let mut turns = vec![
        Turn { from: Side::Client, octets: record(HANDSHAKE, &client_hello(prng)) },
        Turn { from: Side::Server, octets: server_flight(prng) },
        Turn { from: Side::Client, octets: [record(CHANGE_CIPHER_SPEC, &[1]), sealed(prng, 53)].concat() },
    ];
    for _ in 0..prng.between(4, 8) {
        let (question, answer) = (prng.size(40, 200), prng.size(40, 120));
        turns.push(Turn { from: Side::Client, octets: sealed(prng, question) });
        turns.push(Turn { from: Side::Server, octets: sealed(prng, answer) });
    }
    let message = (0..prng.between(1, 6)).flat_map(|_| sealed(prng, MAX_FRAGMENT_OCTETS)).collect();
    turns.push(Turn { from: Side::Client, octets: message });
    turns.push(Turn { from: Side::Server, octets: sealed(prng, 60) });
    turns
}

/// ServerHello, change_cipher_spec for middleboxes (RFC 8446 appendix D.4), and the encrypted rest of the handshake.
fn server_flight(prng: &mut Prng) -> Vec<u8> {
    let hello = server_hello(prng);
    [record(HANDSHAKE, &hello), record(CHANGE_CIPHER_SPEC, &[1]), sealed(prng, 2_800)].concat()
}

/// RFC 8446 §4.1.2.
fn client_hello(prng: &mut Prng) -> Vec<u8> {
    let name = b"mx.example.net";
    let server_name = [[0].as_slice(), &u16_of(name.len()), name].concat();
    let extensions = [
        extension(0, &[u16_of(server_name.len()).as_slice(), &server_name].concat()),
        // supported_groups: x25519; signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256.
        extension(10, &[0, 2, 0, 29]),
        extension(13, &[0, 4, 4, 3, 8, 4]),
        extension(43, &[2, 3, 4]),
        extension(51, &[[0, 36, 0, 29, 0, 32].as_slice(), &noise(prng, 32)].concat()),
    ]
    .concat();
    let body = [
        [3, 3].as_slice(),
        &noise(prng, 32),
        &[32],
        &noise(prng, 32),
        &[0, 4, 0x13, 0x01, 0x13, 0x02, 1, 0],
        &u16_of(extensions.len()),
        &extensions,
    ]
    .concat();
    handshake(1, &body)
}

/// RFC 8446 §4.1.3.
fn server_hello(prng: &mut Prng) -> Vec<u8> {
    let extensions =
        [extension(43, &[3, 4]), extension(51, &[[0, 29, 0, 32].as_slice(), &noise(prng, 32)].concat())].concat();
    let body = [
        [3, 3].as_slice(),
        &noise(prng, 32),
        &[32],
        &noise(prng, 32),
        &[0x13, 0x01, 0],
        &u16_of(extensions.len()),
        &extensions,
    ]
    .concat();
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [[kind, 0].as_slice(), &u16_of(body.len()), body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &u16_of(body.len()), body].concat()
}

/// A record of application data with this many octets.
fn sealed(prng: &mut Prng, octets: usize) -> Vec<u8> {
    record(APPLICATION_DATA, &noise(prng, octets))
}

/// RFC 8446 §5.1.
fn record(kind: u8, fragment: &[u8]) -> Vec<u8> {
    [[kind, 3, 3].as_slice(), &u16_of(fragment.len()), fragment].concat()
}

fn noise(prng: &mut Prng, octets: usize) -> Vec<u8> {
    std::iter::repeat_with(|| prng.next().to_le_bytes()).flatten().take(octets).collect()
}

/// A length; none here is longer than a record.
fn u16_of(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// A record with TLS 1.3's content type and tag (RFC 8446 §5.2) is at most 256 octets longer than 2^14.
const MAX_FRAGMENT_OCTETS: usize = (1 << 14) + 17;
