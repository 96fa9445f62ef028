//! The verbs of SMTP, its extensions, and what common servers added.

use std::fmt;

/// The verbs with a meaning to this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the verb of its name")]
pub enum Verb {
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Vrfy,
    Expn,
    Help,
    Noop,
    Quit,
    StartTls,
    Auth,
    Send,
    Soml,
    Saml,
    Turn,
    Etrn,
    Atrn,
    Burl,
    Xclient,
    Xforward,
    XExps,
    XAnonymousTls,
    Xexch50,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Bdat,
        Self::Rset,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Noop,
        Self::Quit,
        Self::StartTls,
        Self::Auth,
        Self::Send,
        Self::Soml,
        Self::Saml,
        Self::Turn,
        Self::Etrn,
        Self::Atrn,
        Self::Burl,
        Self::Xclient,
        Self::Xforward,
        Self::XExps,
        Self::XAnonymousTls,
        Self::Xexch50,
    ];

    /// The verb in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Rset => "RSET",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Send => "SEND",
            Self::Soml => "SOML",
            Self::Saml => "SAML",
            Self::Turn => "TURN",
            Self::Etrn => "ETRN",
            Self::Atrn => "ATRN",
            Self::Burl => "BURL",
            Self::Xclient => "XCLIENT",
            Self::Xforward => "XFORWARD",
            Self::XExps => "X-EXPS",
            Self::XAnonymousTls => "X-ANONYMOUSTLS",
            Self::Xexch50 => "XEXCH50",
        }
    }

    /// The verb that `word` is, in any case (RFC 5321 §2.4).
    pub fn parse(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| word.eq_ignore_ascii_case(verb.as_str().as_bytes()))
    }

    /// Whether what stands behind the verb may be a secret: AUTH, and Exchange's word for it between its servers.
    pub const fn precedes_secret(self) -> bool {
        matches!(self, Self::Auth | Self::XExps)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5321 §2.4: verbs are not case-sensitive.
    #[test]
    fn every_verb_is_read_in_any_case() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str().as_bytes()), Some(verb));
            assert_eq!(Verb::parse(verb.as_str().to_ascii_lowercase().as_bytes()), Some(verb));
        }
        assert_eq!(Verb::parse(b"MAI"), None);
        assert_eq!(Verb::parse(b""), None);
    }

    #[test]
    fn secrets_follow_auth_under_either_name() {
        let before: Vec<_> = Verb::ALL.into_iter().filter(|verb| verb.precedes_secret()).collect();
        assert_eq!(before, [Verb::Auth, Verb::XExps]);
    }
}
