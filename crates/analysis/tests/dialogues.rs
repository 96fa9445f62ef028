//! Dialogues with one right reading: the examples of the RFCs, typed from their text, and the cases of the contract.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot be built is a mistake in the test, which a panic shows best"
)]

mod dialogue_support;

#[path = "dialogue_support/anomalies.rs"]
mod anomalies;
#[path = "dialogue_support/anomalies_lines.rs"]
mod anomalies_lines;
#[path = "dialogue_support/anomalies_order.rs"]
mod anomalies_order;
#[path = "dialogue_support/anomalies_replies.rs"]
mod anomalies_replies;
#[path = "dialogue_support/capture_limits.rs"]
mod capture_limits;
#[path = "dialogue_support/contract_content.rs"]
mod contract_content;
#[path = "dialogue_support/contract_endings.rs"]
mod contract_endings;
#[path = "dialogue_support/contract_pairing.rs"]
mod contract_pairing;
#[path = "dialogue_support/contract_replies.rs"]
mod contract_replies;
#[path = "dialogue_support/extensions.rs"]
mod extensions;
#[path = "dialogue_support/lost_commands.rs"]
mod lost_commands;
#[path = "dialogue_support/lost_parts.rs"]
mod lost_parts;
#[path = "dialogue_support/odd_replies.rs"]
mod odd_replies;
#[path = "dialogue_support/rfc2033_lmtp.rs"]
mod rfc2033_lmtp;
#[path = "dialogue_support/rfc2920_pipelining.rs"]
mod rfc2920_pipelining;
#[path = "dialogue_support/rfc3030_chunking.rs"]
mod rfc3030_chunking;
#[path = "dialogue_support/rfc3207_starttls.rs"]
mod rfc3207_starttls;
#[path = "dialogue_support/rfc4954_auth.rs"]
mod rfc4954_auth;
#[path = "dialogue_support/rfc5321_examples.rs"]
mod rfc5321_examples;
#[path = "dialogue_support/rfc_parameters.rs"]
mod rfc_parameters;
#[path = "dialogue_support/rfc_sasl.rs"]
mod rfc_sasl;
#[path = "dialogue_support/secrets.rs"]
mod secrets;
#[path = "dialogue_support/too_few_replies.rs"]
mod too_few_replies;
