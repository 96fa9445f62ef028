//! What the parameters of MAIL and RCPT say, for those that a standard defines.

use std::borrow::Cow;

use crate::number::{decimal, word};
use crate::xtext::{utf_8_address, xtext};

/// A parameter's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameter<'a> {
    /// MAIL's SIZE (RFC 1870): octets of the message.
    Size(u64),
    /// MAIL's BODY.
    Body(Body),
    /// MAIL's AUTH (RFC 4954 §5): who submitted the message; `None` for `<>`, nobody that the client vouches for.
    Auth(Option<Cow<'a, [u8]>>),
    /// MAIL's RET (RFC 3461 §4.3).
    Ret(Ret),
    /// MAIL's ENVID (RFC 3461 §4.4), decoded.
    Envid(Cow<'a, [u8]>),
    /// RCPT's NOTIFY (RFC 3461 §4.1).
    Notify(Notify),
    /// RCPT's ORCPT (RFC 3461 §4.2).
    Orcpt {
        /// `rfc822`, `utf-8`, ….
        address_type: &'a [u8],
        /// The original recipient, decoded.
        address: Cow<'a, [u8]>,
    },
    /// SMTPUTF8 (RFC 6531 §3.4).
    SmtpUtf8,
    /// MAIL's REQUIRETLS (RFC 8689).
    RequireTls,
    /// MAIL's BY (RFC 2852 §4).
    DeliverBy {
        /// Seconds from now, which may have passed.
        seconds: i64,
        /// What to do when they have.
        mode: DeliverByMode,
        /// Whether each relay is to be reported.
        trace: bool,
    },
    /// MAIL's MT-PRIORITY (RFC 6710): −9 to 9.
    MtPriority(i8),
    /// MAIL's HOLDFOR (RFC 4865): seconds.
    HoldFor(u64),
    /// MAIL's HOLDUNTIL (RFC 4865): a date and time of RFC 3339, as sent.
    HoldUntil(&'a [u8]),
    /// One that no standard known here defines.
    Other,
    /// One whose value its standard does not allow.
    Invalid,
}

/// What the body of a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// 7BIT (RFC 6152 §2): US-ASCII in lines.
    SevenBit,
    /// 8BITMIME (RFC 6152 §2): any octet but CR, LF and NUL, in lines.
    EightBitMime,
    /// BINARYMIME (RFC 3030 §3): anything.
    BinaryMime,
}

/// What of the message a notification of failure holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// When the sender wants to be notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// NEVER, which stands alone.
    Never,
    /// In these cases.
    On {
        /// Delivered.
        success: bool,
        /// Not delivered.
        failure: bool,
        /// Not delivered so far.
        delay: bool,
    },
}

/// What becomes of a message that was not delivered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliverByMode {
    /// `N`: the sender is notified, delivery goes on.
    Notify,
    /// `R`: it is returned.
    Return,
}

impl<'a> Parameter<'a> {
    /// Reads the parameter `keyword`, in any case, with its value; `None` is for no "=".
    pub fn parse(keyword: &[u8], value: Option<&'a [u8]>) -> Self {
        let Some(kind) = Keyword::parse(keyword) else {
            let is_sound = is_keyword(keyword) && value.is_none_or(is_value);
            return if is_sound { Self::Other } else { Self::Invalid };
        };
        let parsed = match (kind, value) {
            // Neither RFC 6531 nor RFC 8689 gives its parameter a value.
            (Keyword::SmtpUtf8, None) => Some(Self::SmtpUtf8),
            (Keyword::RequireTls, None) => Some(Self::RequireTls),
            (Keyword::SmtpUtf8 | Keyword::RequireTls, Some(_)) | (_, None) => None,
            (_, Some(value)) => kind.read(value),
        };
        parsed.unwrap_or(Self::Invalid)
    }
}

/// The keywords of [`Parameter`].
#[derive(Clone, Copy)]
enum Keyword {
    Size,
    Body,
    Auth,
    Ret,
    Envid,
    Notify,
    Orcpt,
    SmtpUtf8,
    RequireTls,
    By,
    MtPriority,
    HoldFor,
    HoldUntil,
}

impl Keyword {
    fn parse(keyword: &[u8]) -> Option<Self> {
        word(
            keyword,
            &[
                ("SIZE", Self::Size),
                ("BODY", Self::Body),
                ("AUTH", Self::Auth),
                ("RET", Self::Ret),
                ("ENVID", Self::Envid),
                ("NOTIFY", Self::Notify),
                ("ORCPT", Self::Orcpt),
                ("SMTPUTF8", Self::SmtpUtf8),
                ("REQUIRETLS", Self::RequireTls),
                ("BY", Self::By),
                ("MT-PRIORITY", Self::MtPriority),
                ("HOLDFOR", Self::HoldFor),
                ("HOLDUNTIL", Self::HoldUntil),
            ],
        )
    }

    fn read(self, value: &[u8]) -> Option<Parameter<'_>> {
        match self {
            // RFC 1870: size-value ::= 1*20DIGIT
            Self::Size => decimal(value, 20).map(Parameter::Size),
            // RFC 6152 §2: body-value ::= "7BIT" / "8BITMIME"; RFC 3030 §3 adds "BINARYMIME".
            Self::Body => {
                let values =
                    [("7BIT", Body::SevenBit), ("8BITMIME", Body::EightBitMime), ("BINARYMIME", Body::BinaryMime)];
                word(value, &values).map(Parameter::Body)
            }
            // RFC 4954 §5: "The value is encoded as xtext", of a mailbox or of "<>".
            Self::Auth => {
                let mailbox = xtext(value)?;
                Some(Parameter::Auth((*mailbox != *b"<>").then_some(mailbox)))
            }
            // RFC 3461 §4.3: ret-value = "FULL" / "HDRS"
            Self::Ret => word(value, &[("FULL", Ret::Full), ("HDRS", Ret::Headers)]).map(Parameter::Ret),
            Self::Envid => xtext(value).map(Parameter::Envid),
            Self::Notify => notify(value).map(Parameter::Notify),
            Self::Orcpt => original_recipient(value),
            Self::By => deliver_by(value),
            Self::MtPriority => priority(value).map(Parameter::MtPriority),
            // RFC 4865: future-release-integer = %x31-39 *8DIGIT
            Self::HoldFor => decimal(value, 9).filter(|&seconds| seconds > 0).map(Parameter::HoldFor),
            // RFC 4865 with erratum 2040: future-release-date-time = date-time
            Self::HoldUntil => is_date_time(value).then_some(Parameter::HoldUntil(value)),
            Self::SmtpUtf8 | Self::RequireTls => None,
        }
    }
}

/// RFC 3461 §4.1:
/// ```text
/// notify-esmtp-value = "NEVER" / 1#notify-list-element
/// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
/// ```
fn notify(value: &[u8]) -> Option<Notify> {
    if value.eq_ignore_ascii_case(b"NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for element in value.split(|&octet| octet == b',') {
        match word(element, &[("SUCCESS", 0), ("FAILURE", 1), ("DELAY", 2)])? {
            0 => success = true,
            1 => failure = true,
            _ => delay = true,
        }
    }
    Some(Notify::On { success, failure, delay })
}

/// RFC 3461 §4.2: `original-recipient-address = addr-type ";" xtext`, `addr-type = atom`. RFC 6533 §3 encodes the type
/// `utf-8` in a way of its own.
fn original_recipient(value: &[u8]) -> Option<Parameter<'_>> {
    let (address_type, address) = value.split_at_checked(memchr::memchr(b';', value)?)?;
    let address = address.get(1..)?;
    let decoded = if address_type.eq_ignore_ascii_case(b"utf-8") {
        utf_8_address(address).or_else(|| xtext(address))
    } else {
        xtext(address)
    };
    let address = decoded.filter(|address| !address_type.is_empty() && !address.is_empty())?;
    Some(Parameter::Orcpt { address_type, address })
}

/// RFC 2852 §4:
/// ```text
/// by-value = by-time";"by-mode[by-trace]
/// by-time  = ["-" / "+"]1*9digit ; a negative or zero value is not allowed with a by-mode of "R"
/// by-mode  = "N" / "R"           ; "Notify" or "Return"
/// by-trace = "T"                 ; "Trace"
/// ```
fn deliver_by(value: &[u8]) -> Option<Parameter<'static>> {
    let (time, mode) = value.split_at_checked(memchr::memchr(b';', value)?)?;
    let (negative, digits) = match time {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let seconds = i64::try_from(decimal(digits, 9)?).ok()?;
    let seconds = if negative { seconds.checked_neg()? } else { seconds };
    let (mode, trace) = match mode.get(1..)? {
        [mode] => (mode, false),
        [mode, b'T' | b't'] => (mode, true),
        _ => return None,
    };
    let mode = match mode {
        b'N' | b'n' => DeliverByMode::Notify,
        b'R' | b'r' if seconds > 0 => DeliverByMode::Return,
        _ => return None,
    };
    Some(Parameter::DeliverBy { seconds, mode, trace })
}

/// RFC 6710: `priority-value = (["-"] NZDIGIT) / "0"`, `NZDIGIT = %x31-39`.
fn priority(value: &[u8]) -> Option<i8> {
    let digit = |digit: &u8| digit.checked_sub(b'0').and_then(|digit| i8::try_from(digit).ok());
    match value {
        [positive @ b'0'..=b'9'] => digit(positive),
        [b'-', negative @ b'1'..=b'9'] => digit(negative)?.checked_neg(),
        _ => None,
    }
}

/// The shape of RFC 3339 §5.6's date-time, `1985-04-12T23:20:50.52Z`; whether there is such a day is not asked.
pub(crate) fn is_date_time(value: &[u8]) -> bool {
    let fits = |octets: &[u8], shape: &[u8]| {
        octets.len() == shape.len()
            && octets.iter().zip(shape).all(|(octet, shape)| match shape {
                b'0' => octet.is_ascii_digit(),
                shape => octet.eq_ignore_ascii_case(shape),
            })
    };
    let Some((date_time, rest)) = value.split_at_checked(b"0000-00-00T00:00:00".len()) else { return false };
    let offset = match rest {
        [b'.', fraction @ ..] => match fraction.iter().position(|octet| !octet.is_ascii_digit()) {
            Some(end @ 1..) => fraction.get(end..).unwrap_or_default(),
            _ => return false,
        },
        offset => offset,
    };
    let is_offset = [&b"Z"[..], b"+00:00", b"-00:00"].iter().any(|shape| fits(offset, shape));
    fits(date_time, b"0000-00-00T00:00:00") && is_offset
}

/// RFC 5321 §4.1.2: `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`.
fn is_keyword(keyword: &[u8]) -> bool {
    keyword.first().is_some_and(u8::is_ascii_alphanumeric)
        && keyword.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}

/// RFC 5321 §4.1.2: `esmtp-value = 1*(%d33-60 / %d62-126)`; RFC 6531 §3.3 adds UTF8-non-ascii.
fn is_value(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|octet| matches!(octet, 33..=60 | 62..=126 | 128..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameter: &str) -> Parameter<'_> {
        match parameter.split_once('=') {
            Some((keyword, value)) => Parameter::parse(keyword.as_bytes(), Some(value.as_bytes())),
            None => Parameter::parse(parameter.as_bytes(), None),
        }
    }

    fn decoded(octets: &'static [u8]) -> Cow<'static, [u8]> {
        Cow::Borrowed(octets)
    }

    #[track_caller]
    fn invalid(parameters: &[&str]) {
        for parameter in parameters {
            assert_eq!(read(parameter), Parameter::Invalid, "{parameter}");
        }
    }

    /// RFC 1870's example has `SIZE=500000`.
    #[test]
    fn size() {
        assert_eq!(read("SIZE=500000"), Parameter::Size(500_000));
        assert_eq!(read("size=18446744073709551615"), Parameter::Size(u64::MAX));
        invalid(&["SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "SIZE=18446744073709551616", "SIZE=000000000000000000001"]);
    }

    /// RFC 6152 §3 and RFC 3030 §4.2.
    #[test]
    fn body() {
        assert_eq!(read("BODY=7BIT"), Parameter::Body(Body::SevenBit));
        assert_eq!(read("BODY=8BITMIME"), Parameter::Body(Body::EightBitMime));
        assert_eq!(read("BODY=BINARYMIME"), Parameter::Body(Body::BinaryMime));
        invalid(&["BODY=8BIT", "BODY", "BODY="]);
    }

    /// RFC 4954 §5's examples.
    #[test]
    fn auth() {
        assert_eq!(read("AUTH=e+3Dmc2@example.com"), Parameter::Auth(Some(decoded(b"e=mc2@example.com"))));
        assert_eq!(read("AUTH=<>"), Parameter::Auth(None));
        invalid(&["AUTH", "AUTH=a=b"]);
    }

    /// RFC 3461's example: RET=HDRS ENVID=QQ314159, NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Dana@Ivory.EDU.
    #[test]
    fn delivery_status_notifications() {
        assert_eq!(read("RET=HDRS"), Parameter::Ret(Ret::Headers));
        assert_eq!(read("RET=full"), Parameter::Ret(Ret::Full));
        assert_eq!(read("ENVID=QQ314159"), Parameter::Envid(decoded(b"QQ314159")));
        assert_eq!(read("ENVID=a+3Db"), Parameter::Envid(decoded(b"a=b")));
        assert_eq!(read("NOTIFY=NEVER"), Parameter::Notify(Notify::Never));
        let on = Notify::On { success: true, failure: true, delay: false };
        assert_eq!(read("NOTIFY=SUCCESS,FAILURE"), Parameter::Notify(on));
        let orcpt = Parameter::Orcpt { address_type: b"rfc822", address: decoded(b"Dana@Ivory.EDU") };
        assert_eq!(read("ORCPT=rfc822;Dana@Ivory.EDU"), orcpt);
        let orcpt = Parameter::Orcpt { address_type: b"rfc822", address: decoded(b"George+x@Tax-ME.GOV") };
        assert_eq!(read("ORCPT=rfc822;George+2Bx@Tax-ME.GOV"), orcpt);
        let orcpt = Parameter::Orcpt { address_type: b"utf-8", address: decoded("и@x".as_bytes()) };
        assert_eq!(read(r"ORCPT=utf-8;\x{438}@x"), orcpt);
        assert_eq!(read("ORCPT=utf-8;и@x"), orcpt);
        invalid(&["RET=HEADERS", "ENVID=a+", "NOTIFY=NEVER,DELAY", "NOTIFY=SUCCESS,", "NOTIFY=", "ORCPT=a@b"]);
        invalid(&["ORCPT=;a@b", "ORCPT=rfc822;", "ORCPT=rfc822;a+zz"]);
    }

    #[test]
    fn those_without_a_value() {
        assert_eq!(read("SMTPUTF8"), Parameter::SmtpUtf8);
        assert_eq!(read("requiretls"), Parameter::RequireTls);
        invalid(&["SMTPUTF8=yes", "REQUIRETLS=1"]);
    }

    /// RFC 2852 §4's grammar, and its rule that a message cannot be returned after no time.
    #[test]
    fn deliver_by() {
        let by = |seconds, mode, trace| Parameter::DeliverBy { seconds, mode, trace };
        assert_eq!(read("BY=120;R"), by(120, DeliverByMode::Return, false));
        assert_eq!(read("BY=+125;NT"), by(125, DeliverByMode::Notify, true));
        assert_eq!(read("BY=-20;N"), by(-20, DeliverByMode::Notify, false));
        assert_eq!(read("BY=0;N"), by(0, DeliverByMode::Notify, false));
        invalid(&["BY=-20;R", "BY=0;R", "BY=120", "BY=120;", "BY=120;X", "BY=120;RX", "BY=1234567890;N", "BY=;N"]);
    }

    /// RFC 6710: −9 to 9.
    #[test]
    fn priority() {
        assert_eq!(read("MT-PRIORITY=3"), Parameter::MtPriority(3));
        assert_eq!(read("MT-PRIORITY=-9"), Parameter::MtPriority(-9));
        assert_eq!(read("MT-PRIORITY=0"), Parameter::MtPriority(0));
        invalid(&["MT-PRIORITY=10", "MT-PRIORITY=+3", "MT-PRIORITY=-0", "MT-PRIORITY="]);
    }

    /// RFC 4865, and the date-times of RFC 3339 §5.8.
    #[test]
    fn future_release() {
        assert_eq!(read("HOLDFOR=86400"), Parameter::HoldFor(86_400));
        for time in ["1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "1990-12-31t23:59:60z"] {
            let parameter = format!("HOLDUNTIL={time}");
            assert_eq!(read(&parameter), Parameter::HoldUntil(time.as_bytes()));
        }
        invalid(&["HOLDFOR=0", "HOLDFOR=1234567890", "HOLDFOR=1h", "HOLDUNTIL=tomorrow", "HOLDUNTIL="]);
        invalid(&["HOLDUNTIL=1985-04-12T23:20:50", "HOLDUNTIL=1985-04-12T23:20:50.Z", "HOLDUNTIL=1985-04-12"]);
    }

    #[test]
    fn others_are_only_checked_against_rfc_5321() {
        for parameter in ["XVERP", "XVERP=+-", "X-A=b;c", "1A"] {
            assert_eq!(read(parameter), Parameter::Other, "{parameter}");
        }
        invalid(&["garbage!", "-A", "A_B", "X=", "X=a=b", "(comment)", "=1"]);
    }
}
