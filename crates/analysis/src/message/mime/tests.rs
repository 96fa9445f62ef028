//! Whole messages through the reader.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn read(message: &str) -> Mime {
    read_with(MimeOptions::default(), &[message.as_bytes()])
}

fn read_with(options: MimeOptions, pieces: &[&[u8]]) -> Mime {
    let mut reader = Reader::new(options);
    pieces.iter().for_each(|piece| reader.push(piece, &mut |_, _| {}));
    let mime = reader.finish(true, &mut |_, _| {});
    let octets: usize = pieces.iter().map(|piece| piece.len()).sum();
    assert_eq!(mime.counted.sum(), octets as u64, "every octet is counted once");
    mime
}

/// What each part decodes to, by its number.
fn decoded(message: &str) -> Vec<String> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut take = |part: usize, octets: &[u8]| {
        out.resize(out.len().max(part + 1), Vec::new());
        out[part].extend_from_slice(octets);
    };
    let mut reader = Reader::new(MimeOptions::default());
    message.as_bytes().chunks(3).for_each(|piece| reader.push(piece, &mut take));
    reader.finish(true, &mut take);
    out.into_iter().map(|octets| String::from_utf8(octets).expect("text")).collect()
}

fn shape(mime: &Mime) -> Vec<(usize, &str)> {
    mime.parts.iter().map(|part| (part.depth, part.content_type.as_str())).collect()
}

fn hex(octets: &[u8]) -> Option<String> {
    Some(data_encoding::HEXLOWER.encode(&Sha256::digest(octets)))
}

/// RFC 2046 §5.1.1, the example.
#[test]
fn the_example_of_the_standard() {
    let message = "From: Nathaniel Borenstein <nsb@bellcore.com>\r\n\
         Subject: Sample message\r\nMIME-Version: 1.0\r\n\
         Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n\
         This is the preamble.  It is to be ignored, though it\r\nis a handy place for composition agents to include an\r\n\
         explanatory note to non-MIME conformant readers.\r\n\r\n\
         --simple boundary\r\n\r\n\
         This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n\
         --simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n\
         This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n\
         --simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";
    assert_eq!(shape(&read(message)), [(0, "multipart/mixed"), (1, "text/plain"), (1, "text/plain")]);
    assert_eq!(
        decoded(message)[1..],
        [
            "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.",
            "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"
        ]
    );
}

/// "Boundary delimiters must not appear within the encapsulated material" at the beginning of a line; elsewhere they may.
#[test]
fn a_boundary_in_mid_line_or_at_the_beginning_of_a_longer_one_is_text() {
    let message =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee --b here\r\n--bc\r\n --b\r\n--b--\r\n";
    assert_eq!(decoded(message)[1], "see --b here\r\n--bc\r\n --b");
}

/// RFC 2046 §5.1.2: "… the boundary delimiter line of an outer multipart" ends all inner ones, too.
#[test]
fn a_line_of_an_outer_boundary_ends_inner_parts() {
    let message = "Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\
         Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\r\none\r\n--outer\r\n\r\ntwo\r\n--inner\r\nthree\r\n--outer--\r\n";
    let mime = read(message);
    assert_eq!(
        shape(&mime),
        [(0, "multipart/mixed"), (1, "multipart/alternative"), (2, "text/plain"), (1, "text/plain")]
    );
    assert_eq!(decoded(message)[2..], ["one", "two\r\n--inner\r\nthree"]);
}

#[test]
fn parts_in_bare_lf_and_without_a_last_delimiter() {
    let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n";
    assert_eq!(decoded(message)[1..], ["one", "two\n"]);
}

/// RFC 2046 §5.1.1: the header of a part may be empty, and so may be its body.
#[test]
fn empty_parts() {
    let message =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n--b\r\n--b--";
    let mime = read(message);
    assert_eq!(shape(&mime)[1..], [(1, "text/plain"), (1, "a/b"), (1, "text/plain")]);
    assert!(mime.parts[1..].iter().all(|part| part.decoded_size == Some(0)));
}

/// Clients show it; nothing else tells where the header ends.
#[test]
fn text_behind_a_header_without_its_empty_line_is_text() {
    let message =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n<p>Hello\r\n--b--\r\n";
    assert_eq!(decoded(message)[1], "<p>Hello");
    assert_eq!(read(message).parts[1].content_type, "text/html");
}

/// Zeek #1352: the header of an attached mail overwrote that of the mail.
#[test]
fn an_attached_message_stands_apart() {
    let inner = "From: inner@example.org\r\nSubject: inner\r\n\r\ntext\r\n";
    let message = format!(
        "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/rfc822; name=\"a.eml\"\r\n\r\n{inner}\r\n--b--\r\n"
    );
    let mime = read(&message);
    assert_eq!(shape(&mime), [(0, "multipart/mixed"), (1, "message/rfc822"), (2, "text/plain")]);
    let attached = &mime.parts[1];
    assert_eq!((attached.decoded_size, attached.sha256.clone()), (Some(inner.len() as u64), hex(inner.as_bytes())));
    assert!(attached.is_attachment());
    assert_eq!(decoded(&message)[1..], [inner, "text\r\n"]);
    let json = serde_json::to_value(&mime.parts).expect("JSON");
    assert_eq!(json[1]["message"]["subject"], "inner");
    assert_eq!(json[1]["message"]["from"][0]["address"], "inner@example.org");
    assert!(json[0].get("message").is_none() && json[2].get("message").is_none());
}

/// RFC 2046 §5.1.5.
#[test]
fn the_parts_of_a_digest_are_messages() {
    let message = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\ntext\r\n--b--\r\n";
    assert_eq!(shape(&read(message))[1..], [(1, "message/rfc822"), (2, "text/plain")]);
}

#[test]
fn an_encoded_message_is_decoded_and_not_opened() {
    let message = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n";
    assert_eq!(shape(&read(message)), [(0, "message/rfc822")]);
    assert_eq!(decoded(message), ["Subject: x"]);
}

#[test]
fn attachments_are_hashed_and_their_type_is_seen() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"p.txt\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=!\r\n--b--\r\n";
    let mime = read(message);
    let [_, text, image] = mime.parts.as_slice() else { panic!("three parts") };
    assert_eq!((text.is_attachment(), text.sha256.as_deref()), (false, None));
    assert_eq!(image.detected_type, Some("image/png"));
    assert_eq!((image.encoded_size, image.decoded_size, image.encoding_faults), (13, Some(8), 1));
    assert_eq!(image.sha256, hex(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(image.md5, None);
    let hashed = read_with(MimeOptions { hashes: true, ..MimeOptions::default() }, &[message.as_bytes()]);
    assert_eq!(hashed.sha256, hex(message.as_bytes()));
    assert_eq!(hashed.parts[2].md5.as_deref().map(str::len), Some(32));
}

/// RFC 3464.
#[test]
fn a_notification_is_read_into_fields() {
    let message = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a.example\r\n\r\n\
         Final-Recipient: rfc822; b@example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n--b--\r\n";
    let mime = read(message);
    let recipient = &mime.parts[2].notification.as_ref().expect("a notification").recipients[0];
    assert_eq!((recipient.recipient.as_deref(), recipient.status.as_deref()), (Some("b@example"), Some("5.1.1")));
}

#[test]
fn urls_are_found_behind_transfer_encoding_and_charset() {
    let message = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         http://a.example/?x=3D1&long=\r\ner\r\n--b\r\nContent-Type: text/html; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let html: Vec<u8> = "<a href='http://b.example'>x</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mime = read(&format!("{message}{}\r\n--b--\r\n", data_encoding::BASE64.encode(&html)));
    let urls: Vec<_> = mime.urls.iter().map(|url| (url.part, url.url.as_str(), url.element.as_str())).collect();
    assert_eq!(urls, [(1, "http://a.example/?x=1&longer", "text"), (2, "http://b.example", "a")]);
}

#[test]
fn the_text_is_the_first_plain_one_else_html() {
    let text =
        |message: &str| read_with(MimeOptions { text: true, ..MimeOptions::default() }, &[message.as_bytes()]).text;
    assert_eq!(text("Subject: x\r\n\r\nhello\r\n").as_deref(), Some("hello\r\n"));
    let both = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>one</p>\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
    assert_eq!(text(both).as_deref(), Some("two"));
    let html = text("Content-Type: text/html\r\n\r\n<p>one &amp; two</p>").expect("text");
    assert_eq!(html.trim(), "one & two");
    assert_eq!(text("Content-Disposition: attachment\r\n\r\nhello\r\n"), None);
    assert_eq!(read("Subject: x\r\n\r\nhello\r\n").text, None, "unless it is asked for");
}

/// The contract: "Absent or unknown is `null`, never a made-up value."
#[test]
fn what_is_missing_leaves_no_size_and_no_digest() {
    let before = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nabc";
    let behind = b"def\r\n--b\r\nContent-Disposition: attachment\r\n\r\nwhole\r\n--b--\r\n";
    let mut reader = Reader::new(MimeOptions { hashes: true, ..MimeOptions::default() });
    reader.push(before, &mut |_, _| {});
    reader.gap(&mut |_, _| {});
    reader.push(behind, &mut |_, _| {});
    let mime = reader.finish(true, &mut |_, _| {});
    let [_, cut, whole] = mime.parts.as_slice() else { panic!("three parts") };
    assert_eq!(
        (cut.complete, cut.encoded_size, cut.decoded_size, &cut.sha256, &cut.md5),
        (false, 6, None, &None, &None)
    );
    assert_eq!((whole.complete, whole.decoded_size, whole.sha256.clone()), (true, Some(5), hex(b"whole")));
    assert_eq!(mime.sha256, None);
    let mut reader = Reader::new(MimeOptions::default());
    reader.push(before, &mut |_, _| {});
    assert!(!reader.finish(false, &mut |_, _| {}).parts[1].complete, "its end was not seen");
}

#[test]
fn a_gap_in_a_header_ends_it() {
    let mut reader = Reader::new(MimeOptions::default());
    reader.push(b"Content-Type: message/rfc822\r\nSub", &mut |_, _| {});
    reader.gap(&mut |_, _| {});
    reader.push(b"ject: x\r\n\r\ntext\r\n", &mut |_, _| {});
    let mime = reader.finish(true, &mut |_, _| {});
    assert_eq!(shape(&mime), [(0, "message/rfc822"), (1, "text/plain")]);
    assert!(!mime.parts[0].complete && !mime.parts[1].complete);
    assert_eq!(mime.counted.sum(), 50);
}

fn small() -> MimeOptions {
    MimeOptions {
        part_header_limit: 40,
        part_headers_limit: 100,
        depth_limit: 3,
        messages_limit: 2,
        parts_limit: 5,
        text_limit: 30,
        urls_limit: 2,
        ..MimeOptions::default()
    }
}

fn multipart(part: &str, count: usize) -> String {
    format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", format!("--b\r\n{part}\r\n").repeat(count))
}

#[test]
fn parts_beyond_the_limit_are_counted_and_delimiters_still_seen() {
    let mime = read_with(small(), &[multipart("\r\nx", 7).as_bytes()]);
    assert_eq!((mime.parts.len(), mime.reached), (5, Reached { parts: 3, ..Reached::default() }));
    assert_eq!(read_with(small(), &[multipart("\r\nx", 4).as_bytes()]).reached, Reached::default());
}

#[test]
fn what_is_too_deep_is_not_opened() {
    let nested = |depth: usize| -> String {
        (0..depth)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"))
            .collect()
    };
    let options = MimeOptions { part_header_limit: 100, part_headers_limit: 1000, ..small() };
    let mime = read_with(options, &[nested(4).as_bytes()]);
    assert_eq!((mime.parts.len(), mime.reached.depth), (4, 1));
    assert_eq!(read_with(options, &[nested(3).as_bytes()]).reached.depth, 0);
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(3);
    let mime = read_with(options, &[messages.as_bytes()]);
    assert_eq!((mime.parts.len(), mime.reached.depth), (3, 1));
}

#[test]
fn headers_of_parts_are_kept_to_the_limit() {
    let one = multipart(&format!("X: {}\r\nContent-Type: a/b\r\n\r\n", "x".repeat(40)), 1);
    let mime = read_with(small(), &[one.as_bytes()]);
    assert_eq!((mime.reached.part_headers, mime.parts[1].content_type.as_str()), (1, "text/plain"));
    let all = multipart("Content-Type: application/pdf\r\n\r\n", 4);
    let types: Vec<_> = read_with(small(), &[all.as_bytes()]).parts.into_iter().map(|part| part.content_type).collect();
    assert_eq!(types[1..], ["application/pdf", "application/pdf", "application/pdf", "text/plain"]);
}

#[test]
fn text_and_urls_are_kept_to_the_limit() {
    let text = "Subject: x\r\n\r\nhttp://a http://b http://c http://d";
    let mime = read_with(MimeOptions { text: true, ..small() }, &[text.as_bytes()]);
    assert_eq!((mime.reached.text, mime.text.map(|text| text.len())), (1, Some(30)));
    assert_eq!((mime.urls.len(), mime.reached.urls), (2, 1), "the fourth is beyond the text that is kept");
}

#[test]
fn the_defaults_are_those_of_the_document() {
    let MimeOptions { part_header_limit, part_headers_limit, depth_limit, messages_limit, parts_limit, .. } =
        MimeOptions::default();
    assert_eq!((part_header_limit, part_headers_limit), (64 << 10, 2 << 20));
    assert_eq!((depth_limit, messages_limit, parts_limit), (100, 10, 10_000));
    let MimeOptions { text_limit, urls_limit, .. } = MimeOptions::default();
    assert_eq!((text_limit, urls_limit, CONTENT_FIELDS_OCTETS), (1 << 20, 1000, 8 << 10));
    assert_eq!((URL_OCTETS, LINK_TEXT_OCTETS, RECIPIENTS), (2048, 256, 1000));
}

/// What is kept of it is bounded by the limits, and it is read in the end.
#[test]
fn hostile_structures_are_read_to_their_end() {
    let mime = read(&multipart("\r\nx", 20_000));
    assert_eq!((mime.parts.len(), mime.reached.parts), (10_000, 10_001));

    let deep: String =
        (0..10_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    let mime = read(&deep);
    assert_eq!((mime.parts.len(), mime.reached.depth), (101, 1));

    let boundary = "b".repeat(70);
    let nested: String = (0..100)
        .map(|n| format!("Content-Type: multipart/mixed; boundary={boundary}{n}\r\n\r\n--{boundary}{n}\r\n"))
        .collect();
    let mime = read(&format!("{nested}\r\n{}", format!("--{boundary}x\r\n").repeat(10_000)));
    assert_eq!(mime.parts.len(), 101);
    assert_eq!(mime.parts[100].encoded_size, 75 * 10_000);

    let endless = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b{}", " ".repeat(1 << 20));
    assert_eq!(read(&endless).parts[1].encoded_size, (1 << 20) + 3, "a line without end is no delimiter");
    let endless = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: {}", "x".repeat(1 << 20));
    assert_eq!(read(&endless).reached.part_headers, 1);
}

/// Pieces of messages, so that many of them together are a message with some structure.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b\r\n"),
        Just("Content-Type: multipart/digest; boundary=\"b b\"\n"),
        Just("Content-Type: message/rfc822; name=x\r\n"),
        Just("Content-Disposition: attachment\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("Content-Transfer-Encoding: quoted-printable\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("-"),
        Just("--b\r\n"),
        Just("--b--\r\n"),
        Just("--b b\n"),
        Just("\r\n--b"),
        Just("Zm9v=\r\n"),
        Just("text http://example.org/ "),
        Just(" folded\r\n"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same(message in pieces(), cuts in proptest::collection::vec(0usize..800, 0..6), small_limits: bool) {
        let options = MimeOptions { hashes: true, text: true, ..if small_limits { small() } else { MimeOptions::default() } };
        let octets = message.as_bytes();
        let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
        places.sort_unstable();
        let mut split = Vec::new();
        let mut from = 0;
        for place in places.into_iter().chain([octets.len()]) {
            split.push(&octets[from..place]);
            from = place;
        }
        let single: Vec<&[u8]> = octets.chunks(1).collect();
        let whole = read_with(options, &[octets]);
        prop_assert_eq!(&read_with(options, &split), &whole);
        prop_assert_eq!(&read_with(options, &single), &whole);
    }
}
