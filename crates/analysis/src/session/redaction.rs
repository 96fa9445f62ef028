//! Keeps passwords and SASL responses out of everything that is recorded, wherever they stray to.

use std::collections::VecDeque;

use smol_str::{SmolStr, StrExt, format_smolstr};
use smtp_parser::{Command, CommandLine, Secret, Verb};

use super::capability;
use super::dialogue::Dialogue;
use crate::output::{excerpt, text};

impl Dialogue {
    /// Whether a line is, or may be, credentials that are not to be shown. What AUTH says behind its mechanism is; and
    /// so may be what is no command behind something like AUTH, behind a challenge, or where either may be lost. A word
    /// that nobody types but base64 makes is hidden everywhere.
    pub(super) fn is_secret(&mut self, line: &CommandLine<'_>) -> bool {
        let known_verb = line.known_verb();
        let is_secret = match known_verb {
            Some(verb) => verb.precedes_secret(),
            None => self.may_be_credentials(line),
        };
        // A NOOP between the lines of a client that tries again changes nothing, nor does an empty line.
        let is_pause = line.verb.is_empty() || known_verb == Some(Verb::Noop);
        self.sasl_suspected = is_secret || (is_pause && self.sasl_suspected);
        if is_secret {
            self.secrets.remember(line.verb);
            line.argument.split(|octet| matches!(octet, b' ' | b'\t' | b'=' | b':')).for_each(|word| {
                self.secrets.remember(word);
            });
        }
        let url = match line.command {
            Command::Burl { url, .. } => capability::split(url).1,
            Command::Invalid { verb: Verb::Burl, .. } => line.argument,
            _ => &[],
        };
        self.secrets.remember(url);
        (is_secret || !url.is_empty()) && !self.options.reveal_secrets
    }

    /// Whether a line that no verb begins may be a password, a response, or an AUTH that is misspelt.
    fn may_be_credentials(&self, line: &CommandLine<'_>) -> bool {
        let names_auth = |verb: &[u8]| verb.windows(4).any(|part| part.eq_ignore_ascii_case(b"AUTH"));
        let first_word = line.argument.split(|&octet| octet == b' ').next().unwrap_or_default();
        // What came before may have been AUTH or a challenge, and is not in the capture.
        let context_is_lost = self.uncounted || self.replies_lost.is_some() || self.greeting.is_none();
        let is_encoded = |word: &[u8]| looks_encoded(word) || (context_is_lost && may_be_encoded(word));
        self.sasl_suspected
            || names_auth(line.verb)
            || line.verb.eq_ignore_ascii_case(b"PASS")
            || is_common_mechanism(line.verb)
            || is_common_mechanism(first_word)
            || line.argument.split(|&octet| octet == b' ').any(looks_encoded)
            || (line.argument.is_empty() && is_encoded(line.verb))
    }

    pub(super) fn parameter(&self, line: &CommandLine<'_>, is_secret: bool) -> Option<SmolStr> {
        if line.argument.is_empty() {
            return None;
        }
        match line.command {
            _ if !is_secret => Some(text(line.argument)),
            Command::Auth { mechanism, initial_response } if is_mechanism(mechanism) => {
                let rest = if initial_response.is_some() { " [redacted]" } else { "" };
                Some(format_smolstr!("{}{rest}", text(mechanism)))
            }
            Command::Burl { url, last } => {
                let last = if last { " LAST" } else { "" };
                Some(format_smolstr!("{}{REDACTED}{last}", text(capability::split(url).0)))
            }
            _ => Some(SmolStr::new_static(REDACTED)),
        }
    }

    /// The text of a reply; servers like to quote what they did not understand.
    pub(super) fn without_secrets(&self, reply: &[u8]) -> SmolStr {
        let shown = text(reply);
        if self.options.reveal_secrets { shown } else { self.secrets.redact(shown) }
    }
}

/// What stands for a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Whether a word is the name of a mechanism. RFC 4422 §3.1:
///
/// > `sasl-mech = 1*20mech-char`, `mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE`
///
/// Clients also write the common ones in lower case. Any other word may be a password that was typed too early.
pub(crate) fn is_mechanism(word: &[u8]) -> bool {
    let is_mech_char =
        |octet: &u8| octet.is_ascii_uppercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_');
    is_common_mechanism(word) || ((1..=20).contains(&word.len()) && word.iter().all(is_mech_char))
}

fn is_common_mechanism(word: &[u8]) -> bool {
    COMMON_MECHANISMS.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a word can be a SASL response: base64 as RFC 4648 §4 has it, of eight characters at least.
fn may_be_encoded(word: &[u8]) -> bool {
    word.len() >= 8
        && data_encoding::BASE64.decode_len(word.len()).is_ok()
        && data_encoding::BASE64.decode(word).is_ok()
}

/// Whether it can hardly be anything else: it ends in padding, or mixes capital letters, small ones and digits.
fn looks_encoded(word: &[u8]) -> bool {
    let has = |is_one: fn(&u8) -> bool| word.iter().any(is_one);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    may_be_encoded(word) && (word.ends_with(b"=") || is_mixed)
}

const COMMON_MECHANISMS: [&str; 17] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "NTLM",
    "GSSAPI",
    "GSS-SPNEGO",
    "XOAUTH2",
    "OAUTHBEARER",
    "EXTERNAL",
    "ANONYMOUS",
];

/// Words that must not come back in the text of a reply. A few are enough: servers quote the last line.
#[derive(Default)]
pub(crate) struct Secrets {
    words: VecDeque<SmolStr>,
}

impl Secrets {
    /// Shorter words are left: they occur in any text.
    const SHORTEST: usize = 6;
    const KEPT: usize = 16;

    pub(crate) fn remember(&mut self, word: &[u8]) {
        if word.len() >= Self::SHORTEST && word.len() <= RESPONSE_QUOTED && !is_mechanism(word) {
            self.words.push_back(text(word));
            if self.words.len() > Self::KEPT {
                self.words.pop_front();
            }
        }
    }

    /// Servers quote what they have decoded, too.
    pub(crate) fn remember_decoded(&mut self, secret: Option<Secret<'_>>) {
        if let Some(secret) = secret {
            self.remember(secret.reveal());
        }
    }

    /// The beginning of what the server said, escaped, without them.
    pub(crate) fn excerpt(&self, reply: &[u8]) -> String {
        let quotes = |word: &SmolStr| memchr::memmem::find(reply, word.as_bytes()).is_some();
        match self.words.iter().any(quotes) {
            true => excerpt(self.redact(text(reply)).as_bytes()),
            false => excerpt(reply),
        }
    }

    /// The text without them.
    pub(crate) fn redact(&self, reply: SmolStr) -> SmolStr {
        self.words.iter().fold(reply, |shown, word| {
            if shown.contains(word.as_str()) { shown.replace_smolstr(word, REDACTED) } else { shown }
        })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

/// No server quotes more than this, in octets.
const RESPONSE_QUOTED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_told_from_words() {
        for word in ["aHVudGVyMi1TZWNyZXQh", "dGVzdAB0ZXN0ADEyMzQ=", "c2VjcmV0"] {
            assert!(looks_encoded(word.as_bytes()), "{word}");
        }
        for word in ["XADRDELETE", "X-UNKNOWN", "welcome1", "STARTTLS", "abcdefgh", "Hello"] {
            assert!(!looks_encoded(word.as_bytes()), "{word}");
        }
        assert!(may_be_encoded(b"welcome1") && !may_be_encoded(b"HELPER") && !may_be_encoded(b"X-ABCDEF"));
    }

    #[test]
    fn a_word_that_is_no_mechanism_may_be_a_password() {
        for name in ["PLAIN", "plain", "Login", "SCRAM-SHA-256-PLUS", "scram-sha-512-plus", "gss-spnego", "FOOBAR"] {
            assert!(is_mechanism(name.as_bytes()), "{name}");
        }
        for word in ["c2VjcmV0LXBhc3N3b3Jk", "hunter2", "PLAIN:AGEAYg", "ABCDEFGHIJKLMNOPQRSTU"] {
            assert!(!is_mechanism(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn what_a_server_quotes_is_redacted() {
        let mut secrets = Secrets::default();
        secrets.remember(b"c2VjcmV0");
        assert_eq!(secrets.redact("500 unrecognized: \"c2VjcmV0\"".into()), "500 unrecognized: \"[redacted]\"");
        assert_eq!(format!("{secrets:?}"), "[redacted]");
        assert_eq!(secrets.excerpt(b"\xff c2VjcmV0"), "\\xef\\xbf\\xbd [redacted]");
        assert_eq!(secrets.excerpt(b"\xff"), "\\xff");
        let cut = secrets.excerpt(&[&[b'x'; 60][..], b"c2VjcmV0"].concat());
        assert!(!cut.contains("c2V"), "not even its beginning: {cut}");
    }
}
