use super::samples::{client_hello, extension, message, record, server_hello};
use super::*;

const CLIENT: Role = Role::Client;
const SERVER: Role = Role::Server;

fn hello_of_client() -> Vec<u8> {
    record(22, &message(1, &client_hello(0x0303, &[0x1302, 0xc02f], &extension(0, b"\0\x05\0\0\x02mx"))))
}

fn hello_of_server(extensions: &[u8]) -> Vec<u8> {
    record(22, &message(2, &server_hello(0x0303, 0xc02f, extensions)))
}

fn change_and_finish() -> Vec<u8> {
    [record(20, &[1]), record(22, &[0xe5; 40])].concat()
}

fn certificates(ders: &[&[u8]]) -> Vec<u8> {
    let entry = |der: &&[u8]| [&[0, 0, u8::try_from(der.len()).unwrap()], *der].concat();
    let list: Vec<u8> = ders.iter().flat_map(entry).collect();
    let length = u16::try_from(list.len()).unwrap().to_be_bytes();
    message(11, &[&[0], &length[..], &list].concat())
}

/// A handshake of TLS 1.2 or older in four flights (RFC 5246 §7.3, figure 1).
fn full() -> [(Role, Vec<u8>); 4] {
    let server = [message(2, &server_hello(0x0303, 0xc02f, &[])), certificates(&[b"der"]), message(14, &[])].concat();
    [
        (CLIENT, hello_of_client()),
        (SERVER, record(22, &server)),
        (CLIENT, [record(22, &message(16, &[9; 33])), change_and_finish()].concat()),
        (SERVER, change_and_finish()),
    ]
}

/// The first flights of TLS 1.3, to the client's Finished (RFC 8446 §2, figure 1).
fn up_to_finished() -> [(Role, Vec<u8>); 3] {
    let server = record(22, &message(2, &server_hello(0x0303, 0x1302, &extension(43, &[3, 4]))));
    [
        (CLIENT, hello_of_client()),
        (SERVER, [server, record(20, &[1]), record(23, &[0xe5; 400])].concat()),
        (CLIENT, [record(20, &[1]), record(23, &[0xe5; 69])].concat()),
    ]
}

fn follow(flights: &[(Role, Vec<u8>)]) -> Handshake {
    let mut handshake = Handshake::default();
    for (role, octets) in flights {
        handshake.octets(*role, octets);
    }
    handshake
}

fn closed(flights: &[(Role, Vec<u8>)]) -> Tls {
    follow(flights).finish(Mode::Starttls, true)
}

fn state(flights: &[(Role, Vec<u8>)]) -> State {
    closed(flights).state
}

/// RFC 5246 §7.3: both sides send Finished.
#[test]
fn a_handshake_of_tls_1_2_is_completed_by_both_finished() {
    let flights = full();
    assert_eq!(state(&flights), State::Completed);
    for count in 1..4 {
        assert_eq!(state(&flights[..count]), State::Aborted, "{count} flights");
        assert_eq!(follow(&flights[..count]).finish(Mode::Starttls, false).state, State::Unknown);
    }
    let tls = closed(&flights);
    assert_eq!((tls.version.as_deref(), tls.server_name.as_deref()), (Some("TLS 1.2"), Some("mx")));
    assert_eq!((tls.resumed, tls.certificates.len(), tls.cut_short), (Some(false), 1, None));
}

#[test]
fn a_decided_handshake_is_listened_to_no_longer() {
    let mut handshake = Handshake::default();
    let flights = full();
    let heard = flights.iter().map(|(role, octets)| handshake.octets(*role, octets));
    let heard: Vec<Progress> = heard.collect();
    assert_eq!(heard, [Progress::Listening, Progress::Listening, Progress::Listening, Progress::Done]);
    let before = handshake.server.octets;
    assert_eq!(handshake.octets(SERVER, &[0xff; 100]), Progress::Done);
    assert_eq!(handshake.server.octets, before);
}

/// RFC 5246 §7.3, figure 2: in a resumed session the server finishes first.
#[test]
fn a_resumed_session_shows_no_certificates() {
    let flights = [
        (CLIENT, hello_of_client()),
        (SERVER, [hello_of_server(&[]), change_and_finish()].concat()),
        (CLIENT, change_and_finish()),
    ];
    let tls = closed(&flights);
    assert_eq!((tls.state, tls.resumed, tls.certificates.len()), (State::Completed, Some(true), 0));
}

/// RFC 5246 §7.4.9 lets application data follow only when both are through.
#[test]
fn application_data_proves_a_handshake_of_tls_1_2() {
    let flights = [(CLIENT, hello_of_client()), (SERVER, hello_of_server(&[])), (CLIENT, record(23, &[0xe5; 30]))];
    assert_eq!(state(&flights), State::Completed);
}

/// RFC 8446 §6: unknown_ca is 48.
#[test]
fn a_fatal_alert_has_a_name_and_a_sender() {
    let [hello, answer, ..] = full();
    let tls = closed(&[hello.clone(), answer.clone(), (CLIENT, record(21, &[2, 48]))]);
    let alert = Alert { sender: CLIENT, code: Some(48), description: Some("unknown_ca") };
    assert_eq!((tls.state, tls.alert), (State::Failed, Some(alert)));
    let refused = closed(&[hello.clone(), (SERVER, record(21, &[2, 70]))]);
    assert_eq!(refused.alert.and_then(|alert| alert.description), Some("protocol_version"));
    assert_eq!((refused.version, refused.ja3.is_some()), (None, true));
    let cut: Vec<_> = record(21, &[2, 48]).into_iter().map(|octet| (CLIENT, vec![octet])).collect();
    assert_eq!(closed(&[&[hello, answer][..], &cut].concat()).alert, Some(alert), "octet by octet");
}

/// RFC 6066 §3: unrecognized_name may be a warning, after which the handshake goes on.
#[test]
fn a_warning_does_not_end_a_handshake() {
    let [hello, answer, exchange, finished] = full();
    let warned = [hello, (SERVER, record(21, &[1, 112])), answer, exchange, finished];
    assert_eq!((state(&warned[..3]), state(&warned)), (State::Aborted, State::Completed));
}

/// RFC 5246 §7.2: behind ChangeCipherSpec alerts are encrypted "as specified by the current connection state".
#[test]
fn an_encrypted_alert_has_no_name() {
    let mut flights = full().to_vec();
    flights.push((SERVER, change_and_finish()));
    flights[2].1 = [record(22, &message(16, &[9; 33])), record(20, &[1]), record(21, &[0xe5; 32])].concat();
    let tls = closed(&flights);
    assert_eq!((tls.state, tls.alert), (State::Failed, Some(Alert { sender: CLIENT, code: None, description: None })));
}

/// RFC 8446 §2, figure 1: the server's next record behind the client's Finished is a ticket or application data.
#[test]
fn a_handshake_of_tls_1_3_is_completed_when_the_server_goes_on() {
    let flights = up_to_finished();
    assert_eq!(state(&flights[..2]), State::Aborted, "the client never finished");
    assert_eq!(state(&flights), State::Unknown, "whether the server took it is not to be seen");
    let completed = [&flights[..], &[(SERVER, record(23, &[0xe5; 250]))]].concat();
    let tls = closed(&completed);
    assert_eq!((tls.state, tls.version.as_deref(), tls.resumed), (State::Completed, Some("TLS 1.3"), Some(false)));
    assert_eq!(tls.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
}

/// RFC 8446 §5.2: two octets of alert, one for the type, sixteen for the tag.
#[test]
fn an_alert_of_tls_1_3_shows_by_its_length() {
    let flights = up_to_finished();
    let by = |sender| Some(Alert { sender, code: None, description: None });
    let rejected = [&flights[..2], &[(CLIENT, [record(20, &[1]), record(23, &[0xe5; 19])].concat())]].concat();
    assert_eq!((state(&rejected), closed(&rejected).alert), (State::Failed, by(CLIENT)));
    let refused = [&flights[..], &[(SERVER, record(23, &[0xe5; 19]))]].concat();
    assert_eq!((state(&refused), closed(&refused).alert), (State::Failed, by(SERVER)));
}

/// RFC 8446 §4.1.4 and §D.4: the server says ChangeCipherSpec behind HelloRetryRequest, and ServerHello is still in plain.
#[test]
fn a_hello_retry_request_is_followed_by_a_server_hello() {
    let mut retry = server_hello(0x0303, 0x1302, &extension(43, &[3, 4]));
    retry[2..34].copy_from_slice(&[
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
        0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]);
    let [hello, answer, finished] = up_to_finished();
    let again = (CLIENT, [record(20, &[1]), hello.1.clone()].concat());
    let retry = (SERVER, [record(22, &message(2, &retry)), record(20, &[1])].concat());
    let tls = closed(&[hello, retry, again, answer.clone(), finished, (SERVER, record(23, &[0xe5; 250]))]);
    assert_eq!(tls.state, State::Completed);
    assert_eq!(tls.ja3s, closed(&[answer]).ja3s, "not that of the HelloRetryRequest");
}

/// RFC 5246 §6.2.1: "multiple client messages of the same ContentType MAY be coalesced into a single TLSPlaintext record,
/// or a single message MAY be fragmented across several records"; and TCP cuts where it likes.
#[test]
fn any_split_gives_the_same() {
    let flights = full();
    let whole = format!("{:?}", closed(&flights));
    let single: Vec<_> =
        flights.iter().flat_map(|(role, octets)| octets.iter().map(|octet| (*role, vec![*octet]))).collect();
    assert_eq!(format!("{:?}", closed(&single)), whole);
    let [hello, answer, rest @ ..] = flights;
    let messages = &answer.1[5..];
    let fragmented = messages.chunks(7).flat_map(|piece| record(22, piece)).collect();
    assert_eq!(format!("{:?}", closed(&[&[hello, (SERVER, fragmented)], &rest[..]].concat())), whole);
}

#[test]
fn a_gap_ends_what_can_be_known_of_a_side() {
    let [hello, answer, ..] = full();
    let mut handshake = follow(&[hello]);
    assert_eq!(handshake.gap(SERVER), Progress::Listening);
    handshake.octets(SERVER, &answer.1);
    assert_eq!(handshake.octets(CLIENT, &record(21, &[2, 48])), Progress::Done, "the other side is still heard");
    let tls = handshake.finish(Mode::Starttls, true);
    assert_eq!((tls.state, tls.version, tls.cut_short), (State::Failed, None, Some(CutShort::Gap)));
    let mut deaf = Handshake::default();
    deaf.gap(SERVER);
    assert_eq!(deaf.gap(CLIENT), Progress::Done);
    assert_eq!(deaf.finish(Mode::Starttls, true).state, State::Unknown);
}

#[test]
fn what_is_no_tls_is_said_to_be_malformed() {
    let [hello, ..] = full();
    let tls = closed(&[hello, (SERVER, b"500 what?\r\n".to_vec())]);
    assert_eq!((tls.state, tls.cut_short), (State::Unknown, Some(CutShort::Malformed)));
    assert_eq!(tls.server_name.as_deref(), Some("mx"), "what was read before counts");
    let garbled = closed(&[(CLIENT, record(22, &message(1, b"short")))]);
    assert_eq!((garbled.ja3, garbled.cut_short), (None, Some(CutShort::Malformed)));
}

#[test]
fn no_more_octets_are_listened_to_than_the_limit() {
    let limits = Limits { octets: 100, ..Limits::default() };
    let mut handshake = Handshake::new(limits);
    let endless = record(22, &[0xff; 1000]);
    assert_eq!(handshake.octets(SERVER, &endless), Progress::Listening);
    assert_eq!(handshake.octets(CLIENT, &endless), Progress::Done);
    assert_eq!((handshake.server.octets, handshake.server.message.capacity()), (100, 0));
    assert_eq!(handshake.finish(Mode::Implicit, true).cut_short, Some(CutShort::Limit));
}

/// Found by the fuzz target `tls`: as many octets as the limit allows are not more than it allows.
#[test]
fn octets_up_to_the_limit_do_not_reach_it() {
    let [_, (_, answer), ..] = full();
    let mut handshake = Handshake::new(Limits { octets: answer.len(), ..Limits::default() });
    handshake.octets(SERVER, &answer);
    assert_eq!(handshake.octets(SERVER, &[]), Progress::Listening);
    assert_eq!(handshake.cut_short, None);
    handshake.octets(SERVER, &[22]);
    assert_eq!(handshake.cut_short, Some(CutShort::Limit));
}

#[test]
fn no_more_certificates_are_kept_than_the_limit() {
    let mut handshake = Handshake::new(Limits { certificates: 2, ..Limits::default() });
    handshake.octets(SERVER, &record(22, &certificates(&[b"a", b"b", b"c", b"d", b"e"])));
    handshake.octets(CLIENT, &record(22, &certificates(&[b"a", b"b", b"c"])));
    let tls = handshake.finish(Mode::Implicit, true);
    assert_eq!((tls.certificates.len(), tls.client_certificates.len(), tls.further_certificates), (2, 2, 4));
}

/// RFC 5246 appendix E.2: "TLS servers … MAY accept" a hello of SSL 2.0, and go on in TLS.
#[test]
fn tls_may_begin_with_a_hello_of_ssl_2() {
    let hello = [&[0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[7; 16]].concat();
    let [_, rest @ ..] = full();
    let tls = closed(&[&[(CLIENT, hello.clone())], &rest[..]].concat());
    assert_eq!(
        (tls.state, tls.version.as_deref(), tls.ja3, tls.cut_short),
        (State::Completed, Some("TLS 1.2"), None, None)
    );
    let answer = [0x80, 18, 4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 1, b'd', b'e', b'r', 1, 0, 0x80, 9];
    let mut old = follow(&[(CLIENT, hello)]);
    assert_eq!(old.octets(SERVER, &answer), Progress::Done);
    let tls = old.finish(Mode::Implicit, true);
    assert_eq!((tls.version.as_deref(), tls.certificates.len(), tls.cut_short), (Some("SSL 2.0"), 1, None));
}
