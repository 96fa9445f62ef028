//! Any octets a client may send: any split gives the same events, every octet of a line is counted in its event, and
//! content is what a plain reading of RFC 5321 §4.5.2 makes of the octets up to its end. Whether the stream begins with
//! the header of a proxy, once said, stays so. No SASL response and no attribute is too odd to be read.
//!
//! Input: an octet that decides what DATA, AUTH, STARTTLS and XEXCH50 lead to, two that decide the split, the stream.

#![no_main]

use fuzz::{LIMITS, Said, pieces, say};
use libfuzzer_sys::fuzz_target;
use smtp_parser::{
    ClientDecoder, ClientMode, Command, MAX_PROXY_HEADER, ProxyPreface, SaslExchange, SmtpEvent, proxy_preface,
};

fuzz_target!(|input: &[u8]| {
    let [answers, seed, largest, stream @ ..] = input else { return };
    proxy(stream, usize::from(*seed));
    let whole = read(std::iter::once(stream), *answers);
    assert_eq!(read(pieces(stream, *seed, *largest), *answers), whole);
    assert_eq!(read(stream.chunks(1), *answers), whole);
});

/// What is said of a part is said of the whole, or the part was too short to say.
fn proxy(stream: &[u8], part: usize) {
    let part = &stream[..part.min(stream.len())];
    match proxy_preface(part) {
        ProxyPreface::Incomplete { wanted } => assert!(wanted > part.len() && wanted <= MAX_PROXY_HEADER),
        verdict => assert_eq!(proxy_preface(stream), verdict),
    }
    if let ProxyPreface::Header(header) = proxy_preface(stream) {
        assert!(header.octets <= stream.len().min(MAX_PROXY_HEADER));
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, answers: u8) -> Vec<Said> {
    let (mut decoder, mut said) = (ClientDecoder::new(LIMITS), vec![]);
    // Octets of the line, and of the content as sent and as given.
    let (mut line_octets, mut wire, mut content) = (0, vec![], vec![]);
    let (mut blob, mut exchange) = (0, SaslExchange::new(b""));
    for mut rest in pieces {
        loop {
            let mode = decoder.mode();
            let step = decoder.step(rest);
            let (used, behind) = rest.split_at(step.consumed);
            rest = behind;
            match mode {
                ClientMode::Command | ClientMode::AuthResponse => line_octets += used.len() as u64,
                ClientMode::Content | ClientMode::Chunk { .. } => wire.extend_from_slice(used),
                ClientMode::Blob { .. } => blob += used.len() as u64,
                ClientMode::Opaque => {}
            }
            let mut next = None;
            match &step.event {
                None if rest.is_empty() => break,
                Some(SmtpEvent::Command(line)) => {
                    assert_eq!(std::mem::take(&mut line_octets), line.octets, "octets of {line:?}");
                    next = match line.command {
                        Command::Data if answers & 1 == 0 => Some(ClientMode::Content),
                        Command::Auth { mechanism, initial_response } if answers & 2 == 0 => {
                            exchange = SaslExchange::new(mechanism);
                            initial_response.into_iter().for_each(|response| exchange.respond(response));
                            Some(ClientMode::AuthResponse)
                        }
                        Command::Xexch50 { size } if answers & 8 == 0 => Some(ClientMode::Blob { remaining: size }),
                        Command::Xclient(attributes) | Command::Xforward(attributes) => {
                            assert!(attributes.count() <= line.argument.len());
                            None
                        }
                        Command::StartTls if answers & 4 == 0 => Some(ClientMode::Opaque),
                        _ => None,
                    };
                }
                Some(SmtpEvent::AuthResponse(secret)) => {
                    assert!(secret.reveal().len() as u64 <= std::mem::take(&mut line_octets));
                    exchange.respond(*secret);
                }
                Some(SmtpEvent::Content(octets)) => {
                    assert!(!octets.is_empty());
                    content.extend_from_slice(octets);
                }
                Some(SmtpEvent::ContentEnd { octets }) => {
                    assert_eq!(*octets, content.len() as u64);
                    match mode {
                        ClientMode::Content => assert_eq!(unstuffed(&wire).as_ref(), Some(&content)),
                        _ => assert_eq!(wire, content),
                    }
                    wire.clear();
                    content.clear();
                }
                Some(SmtpEvent::BlobEnd { octets }) => assert_eq!(std::mem::take(&mut blob), *octets),
                Some(SmtpEvent::Opaque { octets }) => assert_eq!(*octets, used.len() as u64),
                _ => {}
            }
            step.event.iter().for_each(|event| say(&mut said, event));
            if let Some(mode) = next {
                decoder.set_mode(mode);
            }
        }
        assert!(decoder.partial_line().len() <= LIMITS.line_octets);
    }
    while let Some(event) = decoder.finish() {
        if let SmtpEvent::Command(line) = &event {
            assert_eq!(std::mem::take(&mut line_octets), line.octets, "octets of {line:?}");
        }
        say(&mut said, &event);
    }
    said
}

/// The message of `wire`, which ends with the first dot line there is; `None` where it does not.
///
/// > If the first character is a period and there are other characters on the line, the first character is deleted.
fn unstuffed(wire: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut rest = wire;
    while rest != b".\r\n" {
        let end = rest.windows(2).position(|two| two == b"\r\n")? + 2;
        let (line, behind) = rest.split_at(end);
        if line == b".\r\n" {
            return None;
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = behind;
    }
    Some(message)
}
