//! One dialogue, many deliveries, one expected result; and no octets at all that a decoder cannot take.

#![allow(clippy::indexing_slicing, reason = "a test that slices beyond its input has found a fault")]

use proptest::prelude::*;
use smtp_parser::{ClientDecoder, ClientMode, Command, GapEffect, LineLimits, ServerDecoder, SmtpEvent};

/// The client's side of RFC 5321 appendix D.1, of RFC 3030 §4.1 and of RFC 4954 §4.1, a blank after the colon, a bare
/// LF and dot lines among them.
const CLIENT: [&[u8]; 25] = [
    b"EHLO bar.com\r\n",
    b"MAIL FROM:<Smith@bar.com>\r\n",
    b"RCPT TO:<Jones@foo.com>\r\n",
    b"RCPT TO: <Green@foo.com> NOTIFY=NEVER\r\n",
    b"DATA\r\nBlah blah blah...\r\n...etc. etc. etc.\r\n.\r\n",
    b"DATA\r\n.\r\n",
    b"data\r\na\n.\nb\n.\r\nc\r\n.\nd\r\n..\r\n.\r\n",
    b"BDAT 7\r\n.\r\n.\r\n\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT -1\r\n",
    b"AUTH CRAM-MD5\r\ncmpzMyBlYzNhNTlmZWQzOTVhYmExZWM2MzY3YzRmNGI0MWFjMA==\r\n",
    b"AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=\r\n*\r\n",
    b"RSET\n",
    b"SOML FROM <\"a b\"@c> SIZE=x\r\n",
    b"MAIL FROM:<<\xd0\xb8@[IPv6:::1]>> SMTPUTF8\r\n",
    b"XEXCH50 7 2\r\n\r\n.\r\n\0\n",
    b"XEXCH50 0 1\r\n",
    b"BURL imap://x/ LAST\r\n",
    b"X-EXPS NTLM\r\nTlRMTVNTUAABAAAA\r\n",
    b"NOOP a\rb\0\r\n",
    b"\r\n",
    b"NOOP 0123456789012345678901234567890123456789\r\r\n",
    b"XCLIENT \xff\x00\r\n",
    b"QUIT\r\n",
    b"unfinished",
];

/// The server's side, with replies of several lines, of unequal codes, and lines that are none.
const SERVER: [&[u8]; 9] = [
    b"220 foo.com Simple Mail Transfer Service Ready\r\n",
    b"250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n",
    b"250 2.1.0 OK\r\n",
    b"550-5.1.1 No such\n450 user here\r\r\n",
    b"354\r\n",
    b"250-a\r\nno reply\r\n250 b\r\n",
    b"no reply\r\n",
    b"250-0123456789012345678901234567890123456789012345678901234567890\r\n250 a\r\n",
    b"221-unfinished",
];

const LIMITS: LineLimits = LineLimits { line_octets: 40, reply_octets: 50 };

/// An event by itself; content and opaque octets in one where they follow one another.
#[derive(Debug, PartialEq)]
enum Said {
    Content(Vec<u8>),
    Opaque(u64),
    /// An event's `Debug`, with the text of secrets.
    Other(String),
}

fn say(said: &mut Vec<Said>, event: &SmtpEvent<'_>) {
    match (said.last_mut(), event) {
        (Some(Said::Content(content)), SmtpEvent::Content(octets)) => content.extend_from_slice(octets),
        (_, SmtpEvent::Content(octets)) => said.push(Said::Content(octets.to_vec())),
        (Some(Said::Opaque(sum)), SmtpEvent::Opaque { octets }) => *sum += octets,
        (_, SmtpEvent::Opaque { octets }) => said.push(Said::Opaque(*octets)),
        (_, SmtpEvent::AuthResponse(secret)) => said.push(Said::Other(format!("{:?}", secret.reveal()))),
        (_, event) => said.push(Said::Other(format!("{event:?}"))),
    }
}

/// What the client says, every DATA, AUTH and XEXCH50 taken as if the server had let it go on.
fn client(pieces: &[&[u8]]) -> Vec<Said> {
    let (mut decoder, mut said) = (ClientDecoder::new(LIMITS), vec![]);
    for &piece in pieces {
        let mut rest = piece;
        loop {
            let step = decoder.step(rest);
            rest = &rest[step.consumed..];
            let mode = match &step.event {
                None if rest.is_empty() => break,
                Some(SmtpEvent::Command(line)) => match line.command {
                    Command::Data => Some(ClientMode::Content),
                    Command::Auth { .. } => Some(ClientMode::AuthResponse),
                    Command::Xexch50 { size } => Some(ClientMode::Blob { remaining: size }),
                    _ => None,
                },
                _ => None,
            };
            step.event.iter().for_each(|event| say(&mut said, event));
            if let Some(mode) = mode {
                decoder.set_mode(mode);
            }
        }
        assert!(decoder.partial_line().len() <= LIMITS.line_octets);
    }
    while let Some(event) = decoder.finish() {
        say(&mut said, &event);
    }
    said
}

fn server(pieces: &[&[u8]]) -> Vec<Said> {
    let (mut decoder, mut said) = (ServerDecoder::new(LIMITS), vec![]);
    for &piece in pieces {
        let mut rest = piece;
        loop {
            let step = decoder.step(rest);
            rest = &rest[step.consumed..];
            match step.event {
                None if rest.is_empty() => break,
                event => event.iter().for_each(|event| say(&mut said, event)),
            }
        }
    }
    while let Some(event) = decoder.finish() {
        say(&mut said, &event);
    }
    said
}

/// `octets` cut at `cuts`, which are taken modulo their number.
fn cut<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let modulus = octets.len() + 1;
    let mut cuts: Vec<_> = cuts.iter().map(|&cut| cut % modulus).chain([0, octets.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &octets[ends[0]..ends[1]]).collect()
}

fn dialogue(lines: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(lines), 0..12).prop_map(|lines| lines.concat())
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let any = prop::collection::vec(any::<u8>(), 0..100);
    let words: &[&[u8]] = &[
        b"MAIL FROM:",
        b"RCPT TO:",
        b"<",
        b">",
        b"\"",
        b"\\",
        b"@",
        b":",
        b" ",
        b"\r",
        b"\n",
        b".",
        b"DATA\n",
        b"BDAT ",
        b"18446744073709551615",
        b"3",
        b"LAST",
        b"AUTH ",
        b"X-EXPS ",
        b"XEXCH50 ",
        b"BURL ",
        b"EHLO",
        b"250-",
        b"250 ",
        b"5.1.1 ",
        b"=",
        b"\0",
    ];
    prop_oneof![any, prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())]
}

#[test]
fn one_octet_at_a_time() {
    let (octets, replies) = (CLIENT.concat(), SERVER.concat());
    let wanted = client(&[&octets]);
    let count =
        |event: &str| wanted.iter().filter(|said| matches!(said, Said::Other(text) if text.starts_with(event))).count();
    // Three contents behind DATA and two chunks; two blobs.
    assert_eq!([count("ContentEnd"), count("DotLine"), count("BlobEnd")], [5, 3, 2]);
    assert!(wanted.contains(&Said::Opaque(7)));
    assert_eq!(client(&octets.chunks(1).collect::<Vec<_>>()), wanted);
    let wanted = server(&[&replies]);
    assert_eq!(wanted.len(), SERVER.len());
    assert_eq!(server(&replies.chunks(1).collect::<Vec<_>>()), wanted);
}

#[test]
fn the_dialogue_of_rfc_5321_appendix_d_1() {
    let octets = b"EHLO bar.com\r\nMAIL FROM:<Smith@bar.com>\r\nRCPT TO:<Jones@foo.com>\r\nRCPT TO:<Green@foo.com>\r\n\
        RCPT TO:<Brown@foo.com>\r\nDATA\r\nBlah blah blah...\r\n...etc. etc. etc.\r\n.\r\nQUIT\r\n";
    let said = client(&[octets]);
    assert_eq!(said.len(), 9);
    assert_eq!(said[6], Said::Content(b"Blah blah blah...\r\n..etc. etc. etc.\r\n".to_vec()));
    assert_eq!(said[7], Said::Other("ContentEnd { octets: 37 }".to_owned()));
}

/// RFC 2920 §3.1: "EHLO … MAIL, RCPT, DATA" may come in one write, as may the end of the message and QUIT.
#[test]
fn the_pipelined_dialogue_of_rfc_2920_section_5() {
    let octets = b"EHLO dbc.mtview.ca.us\r\nMAIL FROM:<mrose@dbc.mtview.ca.us>\r\nRCPT TO:<ned@innosoft.com>\r\n\
        RCPT TO:<dan@innosoft.com>\r\nRCPT TO:<kvc@innosoft.com>\r\nDATA\r\n.\r\nQUIT\r\n";
    let said = client(&[octets]);
    assert_eq!(said.len(), 8);
    assert_eq!(said[6], Said::Other("ContentEnd { octets: 0 }".to_owned()));
    let replies = b"220 innosoft.com SMTP service ready\r\n250-innosoft.com\r\n250 PIPELINING\r\n250 sender <mrose@dbc.mtview.ca.us> OK\r\n\
        250 recipient <ned@innosoft.com> OK\r\n354 enter mail, end with line containing only \".\"\r\n221 goodbye\r\n";
    assert_eq!(server(&[replies]).len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_split_of_a_dialogue_gives_the_same_events(
        lines in dialogue(&CLIENT),
        replies in dialogue(&SERVER),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        prop_assert_eq!(client(&cut(&lines, &cuts)), client(&[&lines]));
        prop_assert_eq!(server(&cut(&replies, &cuts)), server(&[&replies]));
    }

    #[test]
    fn any_split_of_any_octets_gives_the_same_events(
        octets in octets(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        prop_assert_eq!(client(&cut(&octets, &cuts)), client(&[&octets]));
        prop_assert_eq!(server(&cut(&octets, &cuts)), server(&[&octets]));
    }

    /// Any sequence of inputs, modes and gaps: every octet is consumed, and nothing panics.
    #[test]
    fn any_use_of_a_decoder_comes_to_an_end(
        uses in prop::collection::vec((octets(), 0_u8..8, any::<u64>(), 0_u64..20), 0..10),
    ) {
        let (mut client, mut server) = (ClientDecoder::new(LIMITS), ServerDecoder::new(LIMITS));
        for (octets, mode, large, small) in &uses {
            client.set_mode(match mode {
                0 => ClientMode::Command,
                1 => ClientMode::AuthResponse,
                2 => ClientMode::Content,
                3 => ClientMode::Chunk { remaining: *large },
                4 => ClientMode::Chunk { remaining: *small },
                5 => ClientMode::Blob { remaining: *large },
                6 => ClientMode::Blob { remaining: *small },
                _ => ClientMode::Opaque,
            });
            server.set_opaque(*mode == 7);
            let (mut rest, mut steps) = (octets.as_slice(), 0);
            loop {
                let step = client.step(rest);
                rest = &rest[step.consumed..];
                steps += 1;
                prop_assert!(steps < 4000);
                if step.event.is_none() && rest.is_empty() {
                    break;
                }
            }
            let mut rest = octets.as_slice();
            while !rest.is_empty() {
                let step = server.step(rest);
                prop_assert!(step.consumed > 0);
                rest = &rest[step.consumed..];
            }
            if let GapEffect::ChunkEnded { beyond } = client.gap(*small) {
                prop_assert!(beyond <= *small);
            }
            server.gap(*large);
            if *mode == 0 {
                server.flush_partial();
                client.finish();
            }
        }
    }
}
