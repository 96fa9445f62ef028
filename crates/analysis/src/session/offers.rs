//! What a server's reply to EHLO offered, and which parameters of MAIL and RCPT go with it: a set that costs a command
//! nothing to look at.

/// What an EHLO reply offered, one bit a keyword.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offers {
    keywords: u16,
    /// Octets of the largest message, where there is a limit.
    pub(super) most: Option<u64>,
}

impl Offers {
    pub(super) const PIPELINING: u16 = 1;
    pub(super) const STARTTLS: u16 = 1 << 1;
    pub(super) const AUTH: u16 = 1 << 2;
    pub(super) const CHUNKING: u16 = 1 << 3;
    pub(super) const SIZE: u16 = 1 << 4;
    pub(super) const EIGHT_BIT_MIME: u16 = 1 << 5;
    pub(super) const BINARY_MIME: u16 = 1 << 6;
    pub(super) const DSN: u16 = 1 << 7;
    pub(super) const SMTP_UTF8: u16 = 1 << 8;
    pub(super) const REQUIRE_TLS: u16 = 1 << 9;
    pub(super) const DELIVER_BY: u16 = 1 << 10;
    pub(super) const MT_PRIORITY: u16 = 1 << 11;
    pub(super) const FUTURE_RELEASE: u16 = 1 << 12;

    /// Whether none of these is offered.
    pub(super) const fn lacks(self, wanted: u16) -> bool {
        wanted != 0 && self.keywords & wanted == 0
    }

    /// A line of the reply.
    pub(super) fn add(&mut self, keyword: &[u8]) {
        let known: [(&str, u16); 15] = [
            ("PIPELINING", Self::PIPELINING),
            ("STARTTLS", Self::STARTTLS),
            ("X-ANONYMOUSTLS", Self::STARTTLS),
            ("AUTH", Self::AUTH),
            ("X-EXPS", Self::AUTH),
            ("CHUNKING", Self::CHUNKING),
            ("SIZE", Self::SIZE),
            ("8BITMIME", Self::EIGHT_BIT_MIME),
            ("BINARYMIME", Self::BINARY_MIME),
            ("DSN", Self::DSN),
            ("SMTPUTF8", Self::SMTP_UTF8),
            ("REQUIRETLS", Self::REQUIRE_TLS),
            ("DELIVERBY", Self::DELIVER_BY),
            ("MT-PRIORITY", Self::MT_PRIORITY),
            ("FUTURERELEASE", Self::FUTURE_RELEASE),
        ];
        self.keywords |= bit_of(&known, keyword);
    }

    /// The extension that a parameter of MAIL or RCPT belongs to; none where that is not known.
    pub(super) fn of_parameter(keyword: &[u8], value: Option<&[u8]>) -> u16 {
        let is_binary = value.is_some_and(|value| value.eq_ignore_ascii_case(b"BINARYMIME"));
        let known: [(&str, u16); 13] = [
            ("SIZE", Self::SIZE),
            ("BODY", if is_binary { Self::BINARY_MIME } else { Self::EIGHT_BIT_MIME | Self::BINARY_MIME }),
            ("AUTH", Self::AUTH),
            ("RET", Self::DSN),
            ("ENVID", Self::DSN),
            ("NOTIFY", Self::DSN),
            ("ORCPT", Self::DSN),
            ("SMTPUTF8", Self::SMTP_UTF8),
            ("REQUIRETLS", Self::REQUIRE_TLS),
            ("BY", Self::DELIVER_BY),
            ("MT-PRIORITY", Self::MT_PRIORITY),
            ("HOLDFOR", Self::FUTURE_RELEASE),
            ("HOLDUNTIL", Self::FUTURE_RELEASE),
        ];
        bit_of(&known, keyword)
    }
}

fn bit_of(known: &[(&str, u16)], keyword: &[u8]) -> u16 {
    let found = known.iter().find(|(name, _)| keyword.eq_ignore_ascii_case(name.as_bytes()));
    found.map_or(0, |&(_, bit)| bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5321 §2.4: keywords in any case. RFC 3461 §4: four parameters are of DSN.
    #[test]
    fn a_parameter_goes_with_its_keyword() {
        let mut offers = Offers::default();
        offers.add(b"dsn");
        offers.add(b"X-SOMETHING");
        for keyword in ["RET", "ENVID", "NOTIFY", "orcpt", "X-OTHER"] {
            assert!(!offers.lacks(Offers::of_parameter(keyword.as_bytes(), Some(b"x"))), "{keyword}");
        }
        assert!(offers.lacks(Offers::of_parameter(b"SIZE", Some(b"1"))));
    }

    /// RFC 3030 §3: BINARYMIME is a value of BODY that needs a keyword of its own.
    #[test]
    fn body_goes_with_the_keyword_of_its_value() {
        let mut offers = Offers::default();
        offers.add(b"8BITMIME");
        assert!(!offers.lacks(Offers::of_parameter(b"BODY", Some(b"8BITMIME"))));
        assert!(offers.lacks(Offers::of_parameter(b"BODY", Some(b"binarymime"))));
    }
}
