//! Recorded TLS handshakes against their facts, which tshark and openssl have read (`testdata/record/tls_facts.py`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use analysis::plan::Plan;
use analysis::session::Options;
use analysis::{features, run};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tls")
}

fn sessions(capture: &Path) -> Vec<Value> {
    let report = run::analyse(&Plan::new(&[capture.to_owned()]), Options::default());
    let mut out = Vec::new();
    features::write(&report, &mut out).unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    document["sessions"].as_object().unwrap().values().cloned().collect()
}

/// Every place where the facts say something else.
fn disagreements(path: &str, want: &Value, got: &Value, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(fields), Value::Object(_)) => {
            for (key, value) in fields {
                disagreements(&format!("{path}.{key}"), value, &got[key], found);
            }
        }
        (Value::Array(wanted), Value::Array(items)) if wanted.len() == items.len() => {
            for (index, (value, item)) in wanted.iter().zip(items).enumerate() {
                disagreements(&format!("{path}[{index}]"), value, item, found);
            }
        }
        _ if want == got => {}
        _ => found.push(format!("{path}: want {want}, got {got}")),
    }
}

/// Versions, resumption, client certificates, ALPN, HelloRetryRequest, and handshakes that fail or are given up.
#[test]
fn recorded_handshakes_show_what_tshark_and_openssl_see() {
    let mut found = vec![];
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let facts: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let wanted = facts["sessions"].as_array().unwrap();
        let got = sessions(&path.with_extension("pcap"));
        assert_eq!(wanted.len(), got.len(), "{}", path.display());
        for want in wanted {
            let client = want["client"].as_str().unwrap();
            let is_its = |s: &&Value| format!("{}:{}", s["client_ip"].as_str().unwrap(), s["client_port"]) == client;
            let session = got.iter().find(is_its).unwrap();
            assert_eq!((&session["uses_tls"], &session["tls"]["cut_short"]), (&Value::Bool(true), &Value::Null));
            let stem = path.file_stem().unwrap().to_string_lossy();
            disagreements(&format!("{stem} {client}"), &want["tls"], &session["tls"], &mut found);
            count += 1;
        }
    }
    assert_eq!(found, [""; 0]);
    assert!(count >= 20, "{count} handshakes; testdata has more");
}

/// The capture's packets up to any one, as a recording that ends there: what is known only grows, and the end of the
/// recording is not an end of the handshake.
#[test]
fn a_recording_that_ends_in_the_handshake_shows_what_came_before() {
    let octets = fs::read(folder().join("aborted.pcap")).unwrap();
    let whole = sessions(&folder().join("aborted.pcap"));
    let mut ends = vec![24_usize];
    while let Some(header) = octets.get(ends[ends.len() - 1]..).filter(|rest| rest.len() >= 16) {
        let captured = u32::from_le_bytes(header[8..12].try_into().unwrap());
        ends.push(ends[ends.len() - 1] + 16 + usize::try_from(captured).unwrap());
    }
    let mut states = vec![];
    for end in ends {
        let cut = tempfile::NamedTempFile::new().unwrap();
        fs::write(cut.path(), &octets[..end]).unwrap();
        if let [session] = sessions(cut.path()).as_slice() {
            let tls = &session["tls"];
            assert!(tls["ja3"] == whole[0]["tls"]["ja3"] && tls["mode"] == "implicit");
            states.push(tls["state"].as_str().unwrap().to_owned());
        }
    }
    assert!(states.len() >= 4, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state != "unknown").collect::<Vec<_>>(), ["aborted"], "{states:?}");
}
