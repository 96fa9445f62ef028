//! Holds a document of `features` against the facts that stand beside a recording: what of the document corresponds to
//! the facts, and where they disagree.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

/// The document of `features`, its sessions in the order in which they stand there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Features {
    #[serde(deserialize_with = "in_order")]
    pub(crate) sessions: Vec<(String, Value)>,
    pub(crate) transactions: Vec<Value>,
    pub(crate) summary: Value,
    pub(crate) capture: Value,
}

/// An object as a list: a map would sort it, and the order of the sessions is part of the document.
fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Value)>, D::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Entries)
}

impl Features {
    /// The document in the shape of the facts.
    pub(crate) fn observed(&self) -> Value {
        self.sessions.iter().map(|(key, session)| self.session(key, session)).collect()
    }

    /// Whether the document has this field, of transactions or of their messages.
    fn has(&self, field: &str) -> bool {
        self.transactions.iter().any(|t| t.get(field).or_else(|| t["message"].get(field)).is_some())
    }

    fn session(&self, key: &str, session: &Value) -> Value {
        let transactions: Value =
            self.transactions.iter().filter(|t| t["session"] == key).map(observed_transaction).collect();
        let auth = |a: &Value| json!({"mechanism": a["mechanism"], "username": a["username"], "outcome": a["outcome"]});
        json!({
            "client": endpoint(&session["client_ip"], &session["client_port"]),
            "server": endpoint(&session["server_ip"], &session["server_port"]),
            "first_seen": session["first_seen"],
            "last_seen": session["last_seen"],
            "greeting": code(&session["greeting"]),
            "helo": session["helo"],
            "helo_verb": session["helo_verb"],
            "starttls": session["starttls"],
            "tls": session["tls"],
            "auth": items(&session["auth"]).map(auth).collect::<Value>(),
            "commands": items(&session["commands"]).map(|c| c["command"].clone()).collect::<Value>(),
            "reply_codes": items(&session["responses"]).map(code).collect::<Value>(),
            "transactions": transactions,
            "uses_tls": session["uses_tls"],
            "proxied": session["proxied"],
            "claimed_client": session["claimed_client"],
        })
    }
}

fn observed_transaction(t: &Value) -> Value {
    let recipient = |r: &Value| {
        let accepted = match r["outcome"].as_str() {
            Some("accepted") => Some(true),
            Some("rejected" | "deferred") => Some(false),
            _ => None,
        };
        json!({"address": r["address"], "accepted": accepted})
    };
    let message = &t["message"];
    // The facts know only messages that are there from end to end.
    let bytes = if message["complete"] == true { message["bytes"].clone() } else { Value::Null };
    json!({
        "mail_from": t["mail_from"],
        "rcpt_to": items(&t["recipients"]).map(recipient).collect::<Value>(),
        "via": t["via"],
        "outcome": t["outcome"],
        "final_reply": code(&t["final_response"]),
        "message_bytes": bytes,
        "subject": message["subject"],
        "from": items(&message["from"]).map(|mailbox| mailbox["address"].clone()).next(),
        "to": addresses(&message["to"]),
        "cc": addresses(&message["cc"]),
        "reply_to": addresses(&message["reply_to"]),
        "message_id": message["message_id"],
        "attachments": list(&message["attachments"]),
        "parts": list(&message["parts"]),
        "urls": list(&message["urls"]),
        "received": list(&message["received"]),
        "claims": message["claims"],
        "alignment": t["alignment"],
    })
}

fn addresses(mailboxes: &Value) -> Value {
    items(mailboxes).map(|mailbox| mailbox["address"].clone()).collect()
}

/// A list, also where there is no message that could have one.
fn list(list: &Value) -> Value {
    items(list).cloned().collect()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn endpoint(ip: &Value, port: &Value) -> String {
    let ip = ip.as_str().unwrap_or_default();
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// A reply's code as a number, from a string or an object with `code`.
fn code(reply: &Value) -> Value {
    let code = if reply.is_object() { &reply["code"] } else { reply };
    code.as_str().and_then(|code| code.parse::<u16>().ok()).map_or(Value::Null, Value::from)
}

/// Walks the facts beside the document; `open` names the places where other values are as good.
#[derive(Debug)]
pub(crate) struct Comparison {
    open: HashMap<String, Vec<Value>>,
    not_compared: Vec<&'static str>,
    pub(crate) checks: usize,
    pub(crate) disagreements: Vec<String>,
}

/// Facts that are not compared: they have no field of their own.
const NOT_COMPARED: [&str; 3] = ["from_header", "missing_octets", "eml"];

/// What is read further from a message. Each is compared where the document has it.
pub(crate) const FURTHER: [&str; 6] = ["attachments", "parts", "urls", "received", "claims", "alignment"];

/// The facts have times as floats, from captures of microseconds or nanoseconds.
const SAME_TIME_SECONDS: f64 = 2e-6;

impl Comparison {
    /// Compares all sessions.
    pub(crate) fn of(facts: &Value, features: &Features) -> Self {
        let mut open: HashMap<String, Vec<Value>> = HashMap::new();
        for entry in items(&facts["open"]) {
            let at = entry["at"].as_str().unwrap_or_default().to_owned();
            open.entry(at).or_default().extend(items(&entry["also"]).cloned());
        }
        let further = FURTHER.into_iter().filter(|field| !features.has(field));
        let not_compared = NOT_COMPARED.into_iter().chain(further).collect();
        let mut comparison = Self { open, not_compared, checks: 0, disagreements: Vec::new() };
        let (want, got) = (&facts["sessions"], features.observed());
        if items(want).next().is_some() {
            comparison.compare("sessions", want, &got);
        } else {
            comparison.check("sessions", got == json!([]), want, &got);
        }
        comparison
    }

    /// The other values that are as good at a place.
    fn also(&self, path: &str) -> Vec<&Value> {
        let anywhere = path
            .strip_prefix("sessions[")
            .and_then(|rest| rest.split_once(']'))
            .map_or_else(|| path.to_owned(), |(_, rest)| format!("sessions[*]{rest}"));
        [path, &anywhere].into_iter().filter_map(|place| self.open.get(place)).flatten().collect()
    }

    fn compare(&mut self, path: &str, want: &Value, got: &Value) {
        let also = self.also(path);
        if also.iter().any(|value| **value == "*" || *value == got) {
            return;
        }
        match want {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if self.not_compared.contains(&key.as_str()) {
                        continue;
                    }
                    self.compare(&format!("{path}.{key}"), value, &got[key]);
                }
            }
            Value::Array(wanted) if wanted.first().is_some_and(Value::is_object) => {
                let optional: Vec<bool> = (0..wanted.len())
                    .map(|index| self.also(&format!("{path}[{index}]")).iter().any(|value| **value == "absent"))
                    .collect();
                let count = got.as_array().map_or(0, Vec::len);
                let least = wanted.len() - optional.iter().filter(|optional| **optional).count();
                let length_agrees = (least..=wanted.len()).contains(&count);
                self.check(&format!("{path}.length"), length_agrees, &wanted.len().into(), &count.into());
                for ((index, value), optional) in wanted.iter().enumerate().zip(optional) {
                    if index < count || !optional {
                        self.compare(&format!("{path}[{index}]"), value, &got[index]);
                    }
                }
            }
            Value::Number(time) if time.is_f64() => {
                let difference = want.as_f64().zip(got.as_f64()).map(|(want, got)| (want - got).abs());
                self.check(path, difference.is_some_and(|seconds| seconds < SAME_TIME_SECONDS), want, got);
            }
            _ if path.ends_with(".commands") => {
                // The facts write ? for a line that does not begin with a word.
                let got: Value = items(got)
                    .map(|command| {
                        let word = command.as_str().unwrap_or_default();
                        Value::from(if word.starts_with(char::is_alphabetic) { word } else { "?" })
                    })
                    .collect();
                self.check(path, *want == got, want, &got);
            }
            _ => self.check(path, trimmed(want) == trimmed(got), want, got),
        }
    }

    fn check(&mut self, path: &str, agrees: bool, want: &Value, got: &Value) {
        self.checks += 1;
        if !agrees {
            self.disagreements.push(format!("{path}: want {want}, got {got}"));
        }
    }
}

fn trimmed(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.trim().into())
}
