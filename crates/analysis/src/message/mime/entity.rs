//! What the header of an entity says about its body (RFC 2045, 2183, 2231), read through the crate `mail-parser`.

use std::borrow::Cow;
use std::sync::LazyLock;

use mail_parser::{ContentType, HeaderName, HeaderValue, MessageParser};
use smol_str::{SmolStr, StrExt};

/// What is said about a body. Types, names of parameters and tokens are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entity {
    /// `type/subtype`; what holds where nothing is said, if nothing is.
    pub(super) content_type: SmolStr,
    /// Of Content-Type, decoded.
    pub(super) parameters: Vec<(SmolStr, Option<SmolStr>)>,
    /// Content-Disposition without its parameters.
    pub(super) disposition: Option<SmolStr>,
    /// Of Content-Disposition, else of Content-Type.
    pub(super) filename: Option<SmolStr>,
    pub(super) transfer_encoding: Option<SmolStr>,
    /// Without its angle brackets.
    pub(super) content_id: Option<SmolStr>,
}

impl Entity {
    /// Reads a header. Of a field that stands there twice the first one counts.
    pub(super) fn of(header: &[u8], default_type: &'static str) -> Self {
        let mut entity = Self {
            content_type: SmolStr::new_static(default_type),
            parameters: Vec::new(),
            disposition: None,
            filename: None,
            transfer_encoding: None,
            content_id: None,
        };
        let header = content_fields(header);
        let parsed = PARSER.parse_headers(&header);
        let fields = parsed.and_then(|message| message.parts.into_iter().next()).map(|part| part.headers);
        let (mut content_type, mut disposition) = (None, None);
        for field in fields.into_iter().flatten() {
            match (field.name, field.value) {
                (HeaderName::ContentType, HeaderValue::ContentType(value)) => {
                    content_type.get_or_insert(value);
                }
                (HeaderName::ContentDisposition, HeaderValue::ContentType(value)) => {
                    disposition.get_or_insert(value);
                }
                (HeaderName::ContentTransferEncoding, HeaderValue::Text(value)) => {
                    // Old software writes comments behind it.
                    let token = value.split([' ', '\t', '(', ';']).find(|token| !token.is_empty());
                    entity.transfer_encoding = entity.transfer_encoding.or(token.map(StrExt::to_lowercase_smolstr));
                }
                (HeaderName::ContentId, HeaderValue::Text(value)) => {
                    entity.content_id.get_or_insert_with(|| value.as_ref().into());
                }
                _ => {}
            }
        }
        entity.filename = disposition.as_ref().and_then(|value| file_name(value, "filename"));
        if let Some(value) = &content_type {
            entity.filename = entity.filename.or_else(|| file_name(value, "name"));
            entity.take_type(value);
        }
        entity.disposition = disposition.map(|value| value.c_type.as_ref().into());
        entity
    }

    /// > Default RFC 822 messages without a MIME Content-Type header are taken by this protocol to be plain text in the
    /// > US-ASCII character set … It is also recommend that this default be assumed when a syntactically invalid
    /// > Content-Type header field is encountered (RFC 2045 §5.2).
    fn take_type(&mut self, value: &ContentType<'_>) {
        if let Some(subtype) = value.c_subtype.as_deref().filter(|subtype| !subtype.is_empty()) {
            self.content_type = smol_str::format_smolstr!("{}/{}", value.c_type, subtype);
        }
        for attribute in value.attributes().unwrap_or_default() {
            self.parameters.push((attribute.name.as_ref().into(), Some(attribute.value.as_ref().into())));
        }
    }

    /// The value of a parameter of Content-Type.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_deref())
    }

    /// Whether it is a part with a filename, or with Content-Disposition: attachment.
    pub(super) fn is_attachment(&self) -> bool {
        self.filename.is_some() || self.disposition.as_deref() == Some("attachment")
    }

    /// > … type value "multipart" … requires one parameter, "boundary" … no more than 70 characters (RFC 2046 §5.1.1).
    ///
    /// Longer ones are in use; a delimiter line holds what a line may.
    pub(super) fn boundary(&self) -> Option<&[u8]> {
        let boundary = self.parameter("boundary").map(|value| value.trim_end_matches([' ', '\t']).as_bytes())?;
        (self.content_type.starts_with("multipart/") && !boundary.is_empty() && boundary.len() <= BOUNDARY_OCTETS)
            .then_some(boundary)
    }

    /// > No encoding other than "7bit", "8bit", or "binary" is permitted for the body of a "message/rfc822" entity (RFC
    /// > 2046 §5.2.1); where one stands there all the same, it has to be undone first.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.content_type.as_str(), "message/rfc822" | "message/global" | "message/news")
            && !matches!(self.transfer_encoding.as_deref(), Some("base64" | "quoted-printable"))
    }
}

/// Octets of a boundary: what fits a line (RFC 5322 §2.1.1) with its hyphens.
const BOUNDARY_OCTETS: usize = 990;

/// Octets of Content- fields of a header that are read. The parser takes time that grows with the square of what one of
/// them holds.
pub const CONTENT_FIELDS_OCTETS: usize = 8 << 10;

/// The Content- fields of a header, and an empty line, which the parser wants to see.
fn content_fields(header: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut is_wanted = false;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
        let names_content = || line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"content-"));
        is_wanted = if goes_on { is_wanted } else { names_content() };
        if is_wanted {
            let room = CONTENT_FIELDS_OCTETS.saturating_sub(fields.len());
            fields.extend_from_slice(line.get(..room).unwrap_or(line));
        }
    }
    fields.extend_from_slice(b"\r\n\r\n");
    fields
}

static PARSER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().with_mime_headers().default_header_ignore());

/// > field = field-name ":" unstructured CRLF, field-name = 1*<any CHAR, excluding CTLs, SPACE, and ":"> (RFC 5322 §2.2)
///
/// RFC 5322 §4.5 lets old mail have blanks before the colon. Before a header a mailbox file's `From ` line may stand.
pub(super) fn is_header_line(line: &[u8], is_first: bool) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return !is_first;
    }
    if is_first && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
        return true;
    }
    let name = line.iter().position(|octet| !matches!(octet, 33..=57 | 59..=126)).unwrap_or(line.len());
    let behind = line.get(name..).unwrap_or_default().trim_ascii_start();
    name > 0 && behind.first() == Some(&b':')
}

/// A parameter that names a file; blanks around it are no part of it.
fn file_name(value: &ContentType<'_>, parameter: &str) -> Option<SmolStr> {
    let name = value.attribute(parameter)?.trim();
    (!name.is_empty()).then(|| name.into())
}

/// Whether the octets of US-ASCII stand for themselves in this charset, and for nothing else.
pub(super) fn is_ascii_within(charset: Option<&str>) -> bool {
    let begins = |start: &str| {
        charset.is_some_and(|name| name.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)))
    };
    charset.is_none() || ["us-ascii", "utf-8", "iso-8859-", "windows-125"].iter().any(|start| begins(start))
}

/// A text in this charset; in US-ASCII or UTF-8 where none is known.
pub(super) fn decoded<'a>(octets: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let decoder = charset
        .filter(|name| !name.eq_ignore_ascii_case("utf-8") && !name.eq_ignore_ascii_case("us-ascii"))
        .and_then(|name| mail_parser::decoders::charsets::map::charset_decoder(name.as_bytes()));
    match decoder {
        Some(decode) => decode(octets).into(),
        None => String::from_utf8_lossy(octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Entity {
        Entity::of(header.as_bytes(), "text/plain")
    }

    /// RFC 2045 §5.2 and RFC 2045 §5.1: matching of types is case-insensitive.
    #[test]
    fn types_and_defaults() {
        assert_eq!(of("Subject: x\r\n").content_type, "text/plain");
        assert_eq!(of("Content-Type: Text/HTML; Charset=\"ISO-8859-1\"\r\n").content_type, "text/html");
        assert_eq!(of("Content-Type: Text/HTML; Charset=\"ISO-8859-1\"\r\n").parameter("charset"), Some("ISO-8859-1"));
        assert_eq!(of("Content-Type: nonsense\r\n").content_type, "text/plain");
        assert_eq!(
            of("Content-Type: text/plain; charset=us-ascii (Plain text)").parameter("charset"),
            Some("us-ascii")
        );
        assert_eq!(of("Content-Transfer-Encoding: BASE64 (old)\r\n").transfer_encoding.as_deref(), Some("base64"));
        assert_eq!(of("Content-ID: <a@b>\r\n").content_id.as_deref(), Some("a@b"));
    }

    /// RFC 2183 §2.3, RFC 2231 §3 and §4.1 with their examples.
    #[test]
    fn file_names() {
        let name = |header: &str| of(header).filename.map(|name| name.to_string());
        let attachment =
            "Content-Disposition: attachment; filename=genome.jpeg;\r\n modification-date=\"Wed, 12 Feb\"\r\n";
        assert_eq!(name(attachment).as_deref(), Some("genome.jpeg"));
        assert!(of(attachment).is_attachment());
        assert_eq!(name("Content-Type: application/pdf; name=\"a b.pdf\"\r\n").as_deref(), Some("a b.pdf"));
        let both = "Content-Type: a/b; name=n.txt\r\nContent-Disposition: inline; filename=f.txt\r\n";
        assert_eq!(name(both).as_deref(), Some("f.txt"));
        let extended =
            "Content-Disposition: attachment;\r\n filename*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\r\n";
        assert_eq!(name(extended).as_deref(), Some("This is ***fun***"));
        let pieces = "Content-Disposition: attachment; filename*0*=us-ascii'en'This%20is%20even%20more%20;\r\n \
                      filename*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n filename*2=\"isn't it!\"\r\n";
        assert_eq!(name(pieces).as_deref(), Some("This is even more ***fun*** isn't it!"));
    }

    /// What standards forbid and clients do: encoded words in quoted strings, and raw octets.
    #[test]
    fn file_names_as_they_are_sent() {
        let name = |header: &[u8]| Entity::of(header, "text/plain").filename.map(|name| name.to_string());
        let word = b"Content-Disposition: attachment; filename=\"=?UTF-8?Q?=C3=A4.txt?=\"\r\n";
        assert_eq!(name(word).as_deref(), Some("\u{e4}.txt"));
        let raw = "Content-Disposition: attachment; filename=\"\u{e4}\u{20ac}.txt\"\r\n";
        assert_eq!(name(raw.as_bytes()).as_deref(), Some("\u{e4}\u{20ac}.txt"));
        let blanks = b"Content-Disposition: attachment; filename=my report.pdf\r\n";
        assert_eq!(name(blanks).as_deref(), Some("my report.pdf"));
    }

    #[test]
    fn a_boundary_needs_a_multipart() {
        assert_eq!(of("Content-Type: multipart/mixed; boundary=\"a b \"\r\n").boundary(), Some(b"a b".as_slice()));
        assert_eq!(of("Content-Type: text/plain; boundary=b\r\n").boundary(), None);
        assert_eq!(of("Content-Type: multipart/mixed\r\n").boundary(), None);
        let long = format!("Content-Type: multipart/mixed; boundary={}\r\n", "b".repeat(BOUNDARY_OCTETS + 1));
        assert_eq!(of(&long).boundary(), None);
    }

    #[test]
    fn an_encoded_message_is_no_message_yet() {
        assert!(of("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n").is_message());
        assert!(!of("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n").is_message());
    }

    #[test]
    fn text_in_its_charset() {
        assert_eq!(decoded(b"caf\xe9", Some("ISO-8859-1")), "caf\u{e9}");
        assert_eq!(decoded("caf\u{e9}".as_bytes(), Some("us-ascii")), "caf\u{e9}", "raw UTF-8 under a wrong name");
        assert_eq!(decoded(b"caf\xe9", None), "caf\u{fffd}");
        let without_ascii =
            [Some("utf-16"), Some("utf-7"), Some("iso-2022-jp"), Some("hz-gb-2312"), Some("ut\u{fc}-8")];
        assert!(!without_ascii.into_iter().any(is_ascii_within));
        assert!([None, Some("UTF-8"), Some("iso-8859-15"), Some("windows-1252")].into_iter().all(is_ascii_within));
    }
}
