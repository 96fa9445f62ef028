//! Recorded connections of other protocols, of which none is mail, and mail through proxies, against its facts
//! (`testdata/record/other.py`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "shared with another test, which uses all of it")]
#[path = "support/facts.rs"]
mod facts;

use std::fs;
use std::path::{Path, PathBuf};

use analysis::plan::Plan;
use analysis::report::Report;
use analysis::session::Options;
use analysis::{context, features, insights, run, summary};
use data_encoding::BASE64;
use serde_json::{Value, json};

use facts::{Comparison, Features};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn captures(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(testdata().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "pcap")).collect();
    found.sort();
    found
}

fn features_of(captures: &[PathBuf]) -> Features {
    let mut out = Vec::new();
    features::write(&run::analyse(&Plan::new(captures), Options::default()), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn facts_of(capture: &Path) -> Value {
    serde_json::from_slice(&fs::read(capture.with_extension("json")).unwrap()).unwrap()
}

/// FTP, HTTP, HTTPS, IMAP, ManageSieve, NNTP, POP3 and SSH, on their ports and on those of mail.
#[test]
fn other_protocols_are_no_sessions() {
    let captures = [captures("other"), vec![testdata().join("not-smtp.pcap")]].concat();
    assert!(captures.len() >= 9, "{captures:?}");
    let mut connections = 0;
    for capture in &captures {
        let found = features_of(std::slice::from_ref(capture));
        assert_eq!((found.sessions, found.transactions), (vec![], vec![]), "{}", capture.display());
        connections += found.capture["tcp_connections"].as_u64().unwrap();
    }
    assert!(connections >= 38, "{connections} connections");
    assert_eq!(features_of(&captures).summary["total_sessions"], 0);
}

#[test]
fn mail_through_proxies_is_as_its_facts_say() {
    let captures = captures("proxied");
    assert!(captures.len() >= 4, "{captures:?}");
    for capture in captures {
        let mut facts = facts_of(&capture);
        let sessions = facts["sessions"].as_array_mut().unwrap();
        for index in 1..sessions.len() {
            // What HAProxy claims is the client's port of the connection before.
            if sessions[index]["claimed_client"]["port"] == "before" {
                let before = sessions[index - 1]["client"].as_str().unwrap().rsplit_once(':').unwrap().1;
                sessions[index]["claimed_client"]["port"] = json!(before.parse::<u16>().unwrap());
            }
        }
        let comparison = Comparison::of(&facts, &features_of(std::slice::from_ref(&capture)));
        assert_eq!(comparison.disagreements, [""; 0], "{}", capture.display());
        assert!(comparison.checks >= 10, "{}", capture.display());
    }
}

/// The packets of a capture that one side of each connection to a proxy sent.
fn one_side(capture: &Path, from_server: bool) -> tempfile::NamedTempFile {
    let octets = fs::read(capture).unwrap();
    let mut kept = octets[..24].to_vec();
    let mut rest = &octets[24..];
    while !rest.is_empty() {
        let (record, behind) = rest.split_at(16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize);
        // Ethernet, and an IPv4 header without options before the ports.
        let port = u16::from_be_bytes(record[16 + 34..16 + 36].try_into().unwrap());
        if [1080, 1081, 8888].contains(&port) == from_server {
            kept.extend_from_slice(record);
        }
        rest = behind;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), kept).unwrap();
    file
}

/// The client's side shows the target, the server's that there was a proxy.
#[test]
fn one_side_of_a_proxied_session_is_enough() {
    let capture = testdata().join("proxied/socks.pcap");
    let facts = facts_of(&capture);
    let wanted: Vec<&Value> =
        facts["sessions"].as_array().unwrap().iter().map(|session| &session["proxied"][0]).collect();
    let of_side = |from_server| {
        let side = one_side(&capture, from_server);
        features_of(&[side.path().to_owned()]).sessions
    };
    let client: Vec<Value> = of_side(false).into_iter().map(|(_, session)| session["proxied"][0].clone()).collect();
    assert_eq!(client.iter().collect::<Vec<_>>(), wanted);
    let server = of_side(true);
    assert_eq!(server.len(), wanted.len());
    for ((_, session), want) in server.iter().zip(wanted) {
        assert_eq!((&session["proxied"][0]["target"], &session["greeting"]["code"]), (&Value::Null, &json!("220")));
        let protocol = want["protocol"].as_str().unwrap().trim_end_matches('a');
        assert_eq!(session["proxied"][0]["protocol"], protocol, "answers of 4 and 4a are alike");
        assert_eq!(session["directions"], "server");
    }
}

/// Not even where secrets of mail are to be revealed.
#[test]
fn what_a_client_said_to_a_proxy_to_be_let_in_is_never_printed() {
    let basic = BASE64.encode(b"alice:Let-me-through-7");
    for (capture, secret) in
        [("http-connect", basic.as_str()), ("socks", "Let-me-through-7"), ("socks", "wrong-guess-4")]
    {
        let path = testdata().join(format!("proxied/{capture}.pcap"));
        let octets = fs::read(&path).unwrap();
        assert!(octets.windows(secret.len()).any(|window| window == secret.as_bytes()), "{capture} has {secret}");
        for reveal_secrets in [false, true] {
            let options = Options { reveal_secrets, ..Options::default() };
            let text = everything(&run::analyse(&Plan::new(std::slice::from_ref(&path)), options));
            assert!(!text.contains(secret), "{capture} shows {secret}");
            assert!(!text.contains("alice:"), "{capture} shows the user");
        }
    }
}

fn everything(report: &Report) -> String {
    let mut out = Vec::new();
    features::write(report, &mut out).unwrap();
    summary::write(report, &mut out).unwrap();
    let found = insights::Assessment::of(report, &insights::FindingOptions::default());
    context::write(report, &found, &context::Options::EVERYTHING, &mut out).unwrap();
    let tunneling =
        insights::Options { queries: true, response_codes: true, internal_domains: vec![], tunneling: true };
    insights::write(report, &found, &tunneling, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
