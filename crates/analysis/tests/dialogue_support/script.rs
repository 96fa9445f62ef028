//! The notation of the RFCs' examples.
//!
//! ```text
//! S: 220 foo.com ready     a line of the server; CRLF is added
//! C: EHLO bar.com          a line of the client
//! C: .<LF>                 a line that ends in LF alone
//! C= \x16abc               octets without a line end
//! C* 100000                so many octets that look like anything but a message
//! c: s: c= s= c*           the same, sent, but not in the capture
//! --                       the next line begins a new segment
//! [handshake] [syn] [syn ack] [fin] [close] [close by server] [reset] [reset by server] [wait]
//! ```
//!
//! Lines of one side that follow each other are one segment, as of a client that pipelines. A dialogue that begins with
//! none of the words in brackets begins with a handshake; `[midstream]` prevents it.

use kit::{Conversation, KitPacket};

/// A side of the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What happens on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// One side speaks: lines, whole or not, and whether the capture holds them.
    Octets { role: Role, captured: bool, lines: Vec<Vec<u8>> },
    /// A word in brackets.
    Event(String),
}

/// Reads the notation.
pub(crate) fn parse(script: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut joins = false;
    for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        if line == "--" {
            joins = false;
        } else if let Some(event) = line.strip_prefix('[') {
            let event = event.strip_suffix(']').expect("a closing bracket").to_owned();
            steps.push(Step::Event(event));
            joins = false;
        } else {
            let (role, captured) = match line.as_bytes()[0] {
                b'C' => (Role::Client, true),
                b'S' => (Role::Server, true),
                b'c' => (Role::Client, false),
                b's' => (Role::Server, false),
                _ => panic!("no line of a dialogue: {line}"),
            };
            let octets = octets(line);
            match steps.last_mut() {
                Some(Step::Octets { role: last, captured: was, lines })
                    if joins && (*last, *was) == (role, captured) =>
                {
                    lines.push(octets);
                }
                _ => steps.push(Step::Octets { role, captured, lines: vec![octets] }),
            }
            joins = true;
        }
    }
    if !matches!(steps.first(), Some(Step::Event(_))) {
        steps.insert(0, Step::Event("handshake".to_owned()));
    }
    steps
}

fn octets(line: &str) -> Vec<u8> {
    let text = line.get(2..).unwrap_or_default();
    let text = text.strip_prefix(' ').unwrap_or(text);
    match (line.as_bytes()[1], text.strip_suffix("<LF>")) {
        (b':', Some(text)) => [text.as_bytes(), b"\n"].concat(),
        (b':', None) => [text.as_bytes(), b"\r\n"].concat(),
        (b'=', _) => unescaped(text),
        (b'*', _) => {
            b"\0RSET\r\n.\r\nQUIT\r\n\xff".iter().copied().cycle().take(text.parse().expect("a count")).collect()
        }
        _ => panic!("no line of a dialogue: {line}"),
    }
}

/// `\x16` is the octet 22.
fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        octets.push(u8::from_str_radix(code, 16).expect("two hexadecimal digits"));
        octets.extend_from_slice(rest.as_bytes());
    }
    octets
}

/// The dialogue's packets, a millisecond apart, each step in as few segments as it takes.
pub(crate) fn play(steps: &[Step]) -> Vec<KitPacket> {
    let connection = Conversation::new("192.0.2.1:40000", "198.51.100.25:25").start(1_700_000_000_000_000_000);
    let play = |conversation: Conversation, step: &Step| match step {
        Step::Octets { role, captured, lines } => {
            let octets = lines.concat();
            match (role, captured) {
                (Role::Client, true) => conversation.client(&octets),
                (Role::Client, false) => conversation.client_dropped(&octets),
                (Role::Server, true) => conversation.server(&octets),
                (Role::Server, false) => conversation.server_dropped(&octets),
            }
        }
        Step::Event(event) => match event.as_str() {
            "handshake" => conversation.handshake(),
            "midstream" => conversation,
            "syn" => conversation.syn_from_client(),
            "syn ack" => conversation.syn_from_server(),
            "fin" => conversation.fin_from_client(),
            "fin by server" => conversation.fin_from_server(),
            "close" => conversation.close(),
            "close by server" => conversation.close_from_server(),
            "reset" => conversation.reset_from_client(),
            "reset by server" => conversation.reset_from_server(),
            "wait" => conversation.wait(5_000_000_000),
            _ => panic!("no event of a dialogue: {event}"),
        },
    };
    steps.iter().fold(connection, play).packets()
}
