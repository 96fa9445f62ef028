//! Any octets a server may send: any split gives the same events, and every octet is counted in the reply it is of.
//!
//! Input: two octets that decide the split, the stream.

#![no_main]

use fuzz::{LIMITS, Said, pieces, say};
use libfuzzer_sys::fuzz_target;
use smtp_parser::{ExtensionValue, ServerDecoder, SmtpEvent};

fuzz_target!(|input: &[u8]| {
    let [seed, largest, stream @ ..] = input else { return };
    let whole = read(std::iter::once(stream));
    assert_eq!(read(pieces(stream, *seed, *largest)), whole);
    assert_eq!(read(stream.chunks(1)), whole);
});

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Said> {
    let (mut decoder, mut said) = (ServerDecoder::new(LIMITS), vec![]);
    let mut octets = 0;
    for mut rest in pieces {
        while !rest.is_empty() {
            let step = decoder.step(rest);
            assert!(step.consumed > 0, "no progress");
            rest = &rest[step.consumed..];
            octets += step.consumed as u64;
            step.event.iter().for_each(|event| take(event, &mut octets, &mut said));
        }
        assert!(decoder.partial().is_none_or(|pending| pending.partial_line.len() <= LIMITS.line_octets));
    }
    while let Some(event) = decoder.finish() {
        take(&event, &mut octets, &mut said);
    }
    assert_eq!(octets, 0, "octets of no event");
    said
}

fn take(event: &SmtpEvent<'_>, octets: &mut u64, said: &mut Vec<Said>) {
    let counted = std::mem::take(octets);
    match event {
        SmtpEvent::Reply(reply) => {
            assert_eq!(counted, reply.octets, "octets of {reply:?}");
            assert!(reply.text.len() <= LIMITS.reply_octets.max(LIMITS.line_octets));
            for extension in reply.extensions() {
                if let ExtensionValue::Limits(limits) = extension.value() {
                    assert!(limits.count() <= reply.text.len());
                }
            }
        }
        SmtpEvent::Malformed { line, octets, .. } => assert!(line.len() as u64 <= *octets && *octets <= counted),
        other => unreachable!("{other:?}"),
    }
    say(said, event);
}
