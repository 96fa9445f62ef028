//! Hellos, records and messages for the tests.

/// An extension of this type.
pub(super) fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &length16(data), data].concat()
}

/// The body of a ClientHello.
pub(super) fn client_hello(version: u16, ciphers: &[u16], extensions: &[u8]) -> Vec<u8> {
    let ciphers: Vec<u8> = ciphers.iter().flat_map(|cipher| cipher.to_be_bytes()).collect();
    let fixed = [&version.to_be_bytes()[..], &[7; 32], &[0]].concat();
    let body = [fixed, length16(&ciphers).to_vec(), ciphers, vec![1, 0]].concat();
    if extensions.is_empty() { body } else { [&body[..], &length16(extensions), extensions].concat() }
}

/// The body of a ServerHello.
pub(super) fn server_hello(version: u16, cipher: u16, extensions: &[u8]) -> Vec<u8> {
    let body = [&version.to_be_bytes()[..], &[7; 32], &[0], &cipher.to_be_bytes(), &[0]].concat();
    if extensions.is_empty() { body } else { [&body[..], &length16(extensions), extensions].concat() }
}

/// A handshake message of this type.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).expect("a short body").to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// A record of this type.
pub(super) fn record(kind: u8, fragment: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &length16(fragment), fragment].concat()
}

fn length16(octets: &[u8]) -> [u8; 2] {
    u16::try_from(octets.len()).expect("few octets").to_be_bytes()
}
