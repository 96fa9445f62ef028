//! Reverse-path and forward-path, the argument of MAIL and RCPT.

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till1, take_while};
use nom::combinator::{recognize, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::deviation::{Deviation, Deviations};
use crate::literal::AddressLiteral;
use crate::mailbox;
use crate::parameter::{is_blank, trim};

/// A path, `<@route:local-part@domain>`, or what was sent in its place.
///
/// RFC 5321 §4.1.2:
/// ```text
/// Reverse-path   = Path / "<>"
/// Forward-path   = Path
/// Path           = "<" [ A-d-l ":" ] Mailbox ">"
/// A-d-l          = At-domain *( "," At-domain )
/// At-domain      = "@" Domain
/// Mailbox        = Local-part "@" ( Domain / address-literal )
/// Local-part     = Dot-string / Quoted-string
/// ```
/// RFC 6531 §3.3 adds UTF-8 to all of these. §4.1.1.3 adds `<Postmaster>`, which has no domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// As sent, with its brackets.
    pub raw: &'a [u8],
    /// The address without brackets and source route; empty for the null path.
    pub mailbox: &'a [u8],
    /// `@a,@b` of `<@a,@b:c@d>`.
    pub source_route: Option<&'a [u8]>,
    /// How the path departs from the grammar above.
    pub deviations: Deviations,
    /// Octets of the mailbox before the "@" that divides it.
    local_part_octets: usize,
}

impl<'a> Path<'a> {
    /// What stands before the "@" that divides the address, quotes included; all of it where there is no domain.
    pub fn local_part(&self) -> &'a [u8] {
        self.divide().0
    }

    /// What stands behind the "@" that divides the address, brackets of an address literal included.
    pub fn domain(&self) -> Option<&'a [u8]> {
        self.divide().1
    }

    /// The address literal that stands for a domain, where one does and keeps to its grammar.
    pub fn address_literal(&self) -> Option<AddressLiteral<'a>> {
        self.domain().and_then(AddressLiteral::parse)
    }

    /// `<>`, the sender of a notification (RFC 5321 §4.5.5).
    pub const fn is_null(&self) -> bool {
        self.mailbox.is_empty()
    }

    fn divide(&self) -> (&'a [u8], Option<&'a [u8]>) {
        match self.mailbox.split_at_checked(self.local_part_octets) {
            Some((local_part, domain)) => (local_part, domain.get(1..)),
            None => (self.mailbox, None),
        }
    }
}

/// Neither a domain nor an address literal has an "@", so it is the last one that divides, unless that is quoted.
fn local_part_octets(mailbox: &[u8]) -> usize {
    let Some(at) = memchr::memrchr(b'@', mailbox) else { return mailbox.len() };
    let behind_quotes = mailbox.starts_with(b"\"").then(|| quoted_string(mailbox).ok()).flatten();
    let quoted = behind_quotes.map_or(0, |(rest, _)| mailbox.len().saturating_sub(rest.len()));
    if at >= quoted { at } else { mailbox.len() }
}

/// The path at the beginning of `input`, which begins with no blank, and what stands behind it. `None` where there is
/// nothing that could be one.
pub(crate) fn path(input: &[u8]) -> Option<(&[u8], Path<'_>)> {
    if input.starts_with(b"<") {
        return Some(bracketed(input));
    }
    let (rest, word) = bare_word(input).ok()?;
    // Of what stands before a bracket nothing is the address's, unless it has an "@" itself.
    let before_bracket = word.split(|&octet| octet == b'<').next().unwrap_or(word);
    if memchr::memchr(b'@', before_bracket).is_none()
        && let Some(found) = display_name(input)
    {
        return Some(found);
    }
    let (inner, deviation) = match word.strip_suffix(b">") {
        Some(inner) => (inner, Deviation::MissingOpeningBracket),
        None => (word, Deviation::MissingBrackets),
    };
    Some((rest, routed(word, inner, deviation.into())))
}

/// `"<" … ">"`, or what comes closest to it.
fn bracketed(input: &[u8]) -> (&[u8], Path<'_>) {
    if let Ok((rest, inner)) = brackets(input) {
        return inside(input, rest, inner, Deviations::NONE);
    }
    let unquoted: IResult<&[u8], &[u8]> = delimited(tag("<"), take_while(|octet| octet != b'>'), tag(">")).parse(input);
    if let Ok((rest, inner)) = unquoted {
        return inside(input, rest, inner, Deviation::UnbalancedQuote.into());
    }
    let word: IResult<&[u8], &[u8]> = preceded(tag("<"), take_while(|octet| !is_blank(octet))).parse(input);
    let (rest, inner) = word.unwrap_or((&[], input));
    inside(input, rest, inner, Deviation::MissingClosingBracket.into())
}

/// `Name <a@b>` and `"A Name" <a@b>`, which mail programs send that take a header field for a path; and what else stands
/// before the bracket, such as a second colon or a comment.
fn display_name(input: &[u8]) -> Option<(&[u8], Path<'_>)> {
    let name: IResult<&[u8], usize> =
        many0_count(alt((quoted_string, take_till1(|octet| matches!(octet, b'"' | b'<' | b'@' | b'='))))).parse(input);
    let (behind, _) = name.ok()?;
    let (rest, inner) = brackets(behind).ok()?;
    Some(inside(input, rest, inner, Deviation::DisplayName.into()))
}

/// The path between brackets, behind which `rest` stands in `input`, and what stands behind it. Of `<<a@b>>` all
/// brackets are the path's.
fn inside<'a>(
    input: &'a [u8],
    mut rest: &'a [u8],
    inner: &'a [u8],
    mut deviations: Deviations,
) -> (&'a [u8], Path<'a>) {
    let mut unbracketed = trim(inner);
    deviations.insert_if(unbracketed.len() != inner.len(), Deviation::BlankInBrackets);
    while let Some(behind) = unbracketed.strip_prefix(b"<") {
        deviations.insert(Deviation::RepeatedBracket);
        unbracketed = behind;
        rest = rest.strip_prefix(b">").unwrap_or(rest);
    }
    let raw = input.get(..input.len().saturating_sub(rest.len())).unwrap_or(input);
    (rest, routed(raw, unbracketed, deviations))
}

/// `[ A-d-l ":" ] Mailbox`. RFC 5321 §4.1.1.3 and appendix C: source routes must be accepted and should be ignored.
/// A route whose domains have colons between them goes up to the last one.
fn routed<'a>(raw: &'a [u8], inner: &'a [u8], mut deviations: Deviations) -> Path<'a> {
    let (mut source_route, mut mailbox) = (None, inner);
    while mailbox.starts_with(b"@")
        && let Some(behind) = end_of_route(mailbox).and_then(|colon| mailbox.get(colon.saturating_add(1)..))
        && (source_route.is_none() || !behind.is_empty())
    {
        deviations.insert_if(source_route.is_some(), Deviation::SourceRouteSyntax);
        mailbox = behind;
        source_route = inner.get(..inner.len().saturating_sub(behind.len()).saturating_sub(1));
    }
    let path = Path { raw, mailbox, source_route, deviations, local_part_octets: local_part_octets(mailbox) };
    // The null path has no parts, and where a quote is missing the parts are a guess.
    if path.is_null() || deviations.contains(Deviation::UnbalancedQuote) {
        return path;
    }
    let (local_part, domain) = path.divide();
    Path { deviations: deviations.union(mailbox::deviations(local_part, domain)), ..path }
}

/// Where the colon behind the route is: the first that is not in the brackets of an address literal, which RFC 821 had
/// in routes.
fn end_of_route(inner: &[u8]) -> Option<usize> {
    let mut in_literal = false;
    inner.iter().position(|&octet| {
        in_literal = (in_literal || octet == b'[') && octet != b']';
        octet == b':' && !in_literal
    })
}

/// `"<" *( Quoted-string / any but quote and ">" ) ">"`, giving what is between the brackets.
fn brackets(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let part = alt((quoted_string, take_till1(|octet| matches!(octet, b'"' | b'>'))));
    delimited(tag("<"), recognize(many0_count(part)), tag(">")).parse(input)
}

/// A path without brackets: everything up to a blank that is not quoted. Behind a quote that nothing closes no other is
/// tried, so the time is linear in the line.
fn bare_word(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let unquoted = take_till1(|octet| is_blank(octet) || octet == b'"');
    let behind_a_stray_quote = take_while(|octet| !is_blank(octet));
    verify(recognize((many0_count(alt((quoted_string, unquoted))), behind_a_stray_quote)), |word: &[u8]| {
        !word.is_empty()
    })
    .parse(input)
}

/// RFC 5321 §4.1.2:
/// ```text
/// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP  = %d92 %d32-126
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126
/// ```
/// Given with its quotes; any octet is taken where the rule has printable ASCII.
fn quoted_string(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let text = take_till1(|octet| matches!(octet, b'"' | b'\\'));
    let pair = recognize(preceded(tag("\\"), take(1_usize)));
    recognize(delimited(tag("\""), many0_count(alt((text, pair))), tag("\""))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> (Path<'_>, &str) {
        let (rest, path) = path(input.as_bytes()).unwrap();
        (path, std::str::from_utf8(rest).unwrap())
    }

    #[track_caller]
    fn address(input: &str, local_part: &str, domain: Option<&str>, deviations: &[Deviation]) {
        let (path, _) = read(input);
        assert_eq!(path.local_part(), local_part.as_bytes());
        assert_eq!(path.domain(), domain.map(str::as_bytes));
        assert_eq!(path.deviations, deviations.iter().copied().collect());
    }

    #[test]
    fn paths_of_rfc_5321_appendix_d() {
        address("<Smith@bar.com>", "Smith", Some("bar.com"), &[]);
        // D.3, the relay scenario.
        address("<@foo.com:Jones@XYZ.COM>", "Jones", Some("XYZ.COM"), &[]);
    }

    #[test]
    fn source_route_of_rfc_5321_section_4_1_1_3() {
        let (path, _) = read("<@hosta.int,@jkl.org:userc@d.bar.org>");
        assert_eq!(path.source_route, Some(&b"@hosta.int,@jkl.org"[..]));
        assert_eq!(path.mailbox, b"userc@d.bar.org");
    }

    #[test]
    fn null_path_and_postmaster_have_no_domain() {
        let (path, _) = read("<>");
        assert!(path.is_null() && path.raw == b"<>" && path.domain().is_none());
        address("<Postmaster>", "Postmaster", None, &[]);
    }

    #[test]
    fn a_quoted_local_part_may_hold_brackets_blanks_and_at_signs() {
        let (path, rest) = read("<\"a b>@\\\"c\"@x.org> SIZE=1");
        assert_eq!(path.mailbox, b"\"a b>@\\\"c\"@x.org");
        assert_eq!((path.local_part(), path.domain()), (&b"\"a b>@\\\"c\""[..], Some(&b"x.org"[..])));
        assert_eq!(rest, " SIZE=1");
        address("<\"a@b\">", "\"a@b\"", None, &[]);
    }

    #[test]
    fn address_literals_of_rfc_5321_section_4_1_3() {
        address("<user@[123.255.37.2]>", "user", Some("[123.255.37.2]"), &[]);
        address("<user@[IPv6:2001:db8::1]>", "user", Some("[IPv6:2001:db8::1]"), &[]);
    }

    /// RFC 5321 §4.1.2 has commas between the domains of a route and one colon behind them.
    #[test]
    fn a_route_with_colons_for_commas_leaves_the_address() {
        let (path, _) = read("<@hosta.int:@jkl.org:userc@d.bar.org>");
        assert_eq!((path.source_route, path.mailbox), (Some(&b"@hosta.int:@jkl.org"[..]), &b"userc@d.bar.org"[..]));
        assert_eq!(path.deviations, Deviation::SourceRouteSyntax.into());
        address("<@a:@b:>", "", Some("b:"), &[Deviation::LocalPartSyntax, Deviation::DomainSyntax]);
    }

    /// A colon in the brackets of an address literal does not end the route.
    #[test]
    fn a_route_through_an_address_literal() {
        let (path, _) = read("<@[IPv6:2001:db8::1],@b:c@[IPv6:::1]>");
        assert_eq!(path.source_route, Some(&b"@[IPv6:2001:db8::1],@b"[..]));
        assert_eq!(path.mailbox, b"c@[IPv6:::1]");
        assert_eq!(path.address_literal(), Some(AddressLiteral::V6(std::net::Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn parts_that_are_not_of_the_grammar_are_kept_and_noted() {
        address("<a..b@c>", "a..b", Some("c"), &[Deviation::LocalPartSyntax]);
        address("<a b@c_d>", "a b", Some("c_d"), &[Deviation::LocalPartSyntax, Deviation::DomainSyntax]);
        address("<a@[1.2.3]>", "a", Some("[1.2.3]"), &[Deviation::AddressLiteralSyntax]);
        address("<a@b@c>", "a@b", Some("c"), &[Deviation::LocalPartSyntax]);
        address("<@a:@b>", "", Some("b"), &[Deviation::LocalPartSyntax]);
    }

    #[test]
    fn repeated_brackets_are_all_the_path_s() {
        let (path, rest) = read("<<a@b>> SIZE=1");
        assert_eq!((path.raw, path.mailbox, rest), (&b"<<a@b>>"[..], &b"a@b"[..], " SIZE=1"));
        assert_eq!(path.deviations, Deviation::RepeatedBracket.into());
        address("<<a@b>", "a", Some("b"), &[Deviation::RepeatedBracket]);
        let (path, rest) = read("<<>>");
        assert!(path.is_null() && rest.is_empty());
    }

    #[test]
    fn utf_8_of_rfc_6531_is_taken_as_it_is() {
        address("<Иван@пример.рф>", "Иван", Some("пример.рф"), &[]);
    }

    #[test]
    fn missing_brackets_still_give_the_address() {
        let (path, rest) = read("a@b SIZE=1");
        assert_eq!((path.mailbox, path.raw, rest), (&b"a@b"[..], &b"a@b"[..], " SIZE=1"));
        address("a@b", "a", Some("b"), &[Deviation::MissingBrackets]);
        address("a@b>", "a", Some("b"), &[Deviation::MissingOpeningBracket]);
        address("<a@b", "a", Some("b"), &[Deviation::MissingClosingBracket]);
        address("<a@b SIZE=1", "a", Some("b"), &[Deviation::MissingClosingBracket]);
        address("\"a b\"@c", "\"a b\"", Some("c"), &[Deviation::MissingBrackets]);
        address("Postmaster", "Postmaster", None, &[Deviation::MissingBrackets]);
    }

    #[test]
    fn blanks_quotes_and_names_where_none_belong() {
        address("< a@b >", "a", Some("b"), &[Deviation::BlankInBrackets]);
        address("<\"a@b>", "\"a", Some("b"), &[Deviation::UnbalancedQuote]);
        address("Some Name <a@b>", "a", Some("b"), &[Deviation::DisplayName]);
        address("\"Some <Name>\" <a@b>", "a", Some("b"), &[Deviation::DisplayName]);
        for input in [":<a@b>", "::<a@b>", ";<a@b>", "(a comment)<a@b>", "Name<a@b>"] {
            address(input, "a", Some("b"), &[Deviation::DisplayName]);
        }
    }

    /// Each quote tried anew would take time with the square of the line: 2^31 octets looked at, here.
    #[test]
    fn stray_quotes_take_linear_time() {
        let input = [&b"\""[..], &b"\\\"".repeat(1 << 15)].concat();
        let (rest, path) = path(&input).unwrap();
        assert_eq!((rest, path.mailbox), (&b""[..], &input[..]));
    }

    #[test]
    fn nothing_is_no_path() {
        assert_eq!(path(b""), None);
    }
}
