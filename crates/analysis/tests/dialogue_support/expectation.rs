//! What is expected of one session, in few words.
//!
//! Beside the fields of the contract, an expectation may name these, made from them:
//!
//! | of | field | is |
//! |---|---|---|
//! | both | `verbs` | the commands' verbs, with blanks between them |
//! | both | `replies` | `code/index` of each reply, the index being that of its command, `-` for none |
//! | transaction | `rcpts` | `address outcome code` of each recipient |
//! | transaction | `final` | the code of `final_response` |
//! | transaction | `bytes`, `whole` | the message's `bytes` and `complete` |
//! | session | `kinds` | the kinds of its anomalies |

use serde_json::{Value, json};

use super::{analyse, parse, play};

/// Plays a dialogue on one connection, and compares the session and its transactions with what is expected. Fields that
/// are not named may be anything; of arrays all elements count.
#[track_caller]
pub(crate) fn expect(script: &str, session: &Value, transactions: &Value) {
    let document = analyse(&[&play(&parse(script))]);
    let sessions: Vec<Value> =
        document["sessions"].as_object().expect("sessions").values().map(with_short_forms).collect();
    let mails: Vec<Value> =
        document["transactions"].as_array().expect("transactions").iter().map(with_short_forms).collect();
    let got = json!({"sessions": sessions, "transactions": mails});
    let wanted = json!({"sessions": [session], "transactions": transactions});
    let mut differences = Vec::new();
    compare("", &wanted, &got, &mut differences);
    assert!(differences.is_empty(), "{}\n\nall that came: {}", differences.join("\n"), brief(&got));
}

fn with_short_forms(object: &Value) -> Value {
    let mut object = object.clone();
    let commands = object["commands"].as_array().expect("commands");
    let verbs: Vec<_> = commands.iter().map(|command| text(&command["command"])).collect();
    let replies: Vec<_> = object["responses"].as_array().expect("responses").iter().map(reply).collect();
    (object["verbs"], object["replies"]) = (json!(verbs.join(" ")), json!(replies.join(" ")));
    if let Some(recipients) = object["recipients"].as_array() {
        let rcpt = |rcpt: &Value| [&rcpt["address"], &rcpt["outcome"], &rcpt["code"]].map(text).join(" ");
        object["rcpts"] = recipients.iter().map(rcpt).collect();
        object["final"] = object["final_response"]["code"].clone();
        object["bytes"] = object["message"]["bytes"].clone();
        object["whole"] = object["message"]["complete"].clone();
    }
    if let Some(anomalies) = object["anomalies"].as_array() {
        object["kinds"] = anomalies.iter().map(|anomaly| anomaly["kind"].clone()).collect();
    }
    object
}

fn reply(response: &Value) -> String {
    let command = response["command"].as_u64().map_or("-".to_owned(), |command| command.to_string());
    format!("{}/{command}", text(&response["code"]))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn compare(place: &str, wanted: &Value, got: &Value, differences: &mut Vec<String>) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(object)) => {
            for (field, wanted) in wanted {
                match object.get(field) {
                    Some(got) => compare(&format!("{place}.{field}"), wanted, got, differences),
                    None => differences.push(format!("{place}.{field}: wanted {wanted}, there is no such field")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(array)) if wanted.len() == array.len() => {
            for (i, (wanted, got)) in wanted.iter().zip(array).enumerate() {
                compare(&format!("{place}[{i}]"), wanted, got, differences);
            }
        }
        (Value::Array(wanted), Value::Array(array)) => {
            differences.push(format!("{place}: wanted {} elements, got {}", wanted.len(), array.len()));
        }
        _ if wanted == got => {}
        _ => differences.push(format!("{place}: wanted {wanted}, got {got}")),
    }
}

/// The short forms of what came, for a person.
fn brief(got: &Value) -> String {
    let fields = [
        "verbs",
        "replies",
        "end",
        "kinds",
        "mail_from",
        "rcpts",
        "via",
        "has_data",
        "outcome",
        "final",
        "bytes",
        "whole",
    ];
    let mut lines = Vec::new();
    for list in ["sessions", "transactions"] {
        for object in got[list].as_array().into_iter().flatten() {
            let shown = fields.iter().filter(|field| object.get(**field).is_some());
            let shown: Vec<_> = shown.map(|field| format!("{field} {}", object[*field])).collect();
            lines.push(format!("\n{list}: {}", shown.join("; ")));
        }
    }
    lines.concat()
}
