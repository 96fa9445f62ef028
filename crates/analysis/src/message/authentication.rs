//! Authentication-Results (RFC 8601): what a server says it found out about a message.
//!
//! ```text
//!   example.com 1; spf=pass smtp.mailfrom=example.net; dkim=fail reason="bad signature" header.d=example.net
//!   └ authserv ─┘  └ method=result ┘ └ properties ──┘  └─────── another result ────────────────────────────┘
//! ```

use std::borrow::Cow;

use serde::Serialize;

use super::claims::Budget;
use super::lexical::{Cursor, is_blank, text, unescaped};

/// What one server says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuthenticationResults<'a> {
    /// Who says it; `None` where it is not said, as Exchange does.
    pub authserv_id: Option<Cow<'a, str>>,
    /// Empty for `none`: no authentication was done.
    pub results: Vec<MethodResult<'a>>,
}

/// > `resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MethodResult<'a> {
    /// `spf`, `dkim`, `dmarc`, …, without its version.
    pub method: Cow<'a, str>,
    /// `pass`, `fail`, `none`, …
    pub result: Cow<'a, str>,
    /// Why.
    pub reason: Option<Cow<'a, str>>,
    /// What was looked at, in order.
    pub properties: Vec<Property<'a>>,
}

/// > `propspec = ptype [CFWS] "." [CFWS] property [CFWS] "=" pvalue`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Property<'a> {
    /// `smtp.mailfrom`, `header.d`, …
    pub name: Cow<'a, str>,
    /// As stated.
    pub value: Cow<'a, str>,
}

impl<'a> AuthenticationResults<'a> {
    /// > authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] [CRLF]
    pub(super) fn parse(cursor: &mut Cursor<'a>, budget: &mut Budget) -> Self {
        let mut found = Self::default();
        let mut is_first = true;
        loop {
            let (first, ended_by) = name(cursor);
            if ended_by == Some(b'=') {
                let value = value(cursor);
                found.add_result(cursor, first, value, budget);
            } else if is_first {
                let quoted = first.is_empty().then(|| cursor.quoted()).flatten();
                found.authserv_id = quoted.map(unescaped).or(Some(first)).filter(|id| !id.is_empty());
            }
            is_first = false;
            // To the next semicolon that stands in no comment and no quoted string.
            loop {
                cursor.skip_cfws();
                match cursor.peek() {
                    None => return found,
                    Some(b';') => break,
                    Some(_) if cursor.quoted().is_some() => {}
                    Some(_) => cursor.skip(1),
                }
            }
            cursor.skip(1);
        }
    }

    fn add_result(&mut self, cursor: &mut Cursor<'a>, method: Cow<'a, str>, result: Cow<'a, str>, budget: &mut Budget) {
        let method = match method {
            Cow::Borrowed(method) => Cow::Borrowed(method.split('/').next().unwrap_or_default()),
            Cow::Owned(method) => method.split('/').next().unwrap_or_default().to_owned().into(),
        };
        let is_kept = budget.spend();
        let mut found = MethodResult { method, result, reason: None, properties: Vec::new() };
        loop {
            let (name, ended_by) = name(cursor);
            if ended_by != Some(b'=') {
                break;
            }
            let value = value(cursor);
            if name.eq_ignore_ascii_case("reason") {
                found.reason = Some(value);
            } else if budget.spend() {
                found.properties.push(Property { name, value });
            }
        }
        if is_kept {
            self.results.push(found);
        }
    }
}

/// A name up to the `=`, `;` or whatever ends it, which is returned; `=` is passed over. Blanks and comments around its dots
/// and slashes are no part of it; of several words the last one is the name.
fn name<'a>(cursor: &mut Cursor<'a>) -> (Cow<'a, str>, Option<u8>) {
    let mut name = Cow::Borrowed("");
    loop {
        cursor.skip_cfws();
        let part = cursor.take_while(|octet| !is_blank(octet) && !matches!(octet, b'=' | b';' | b'(' | b'"'));
        let part = text(part);
        if part.is_empty() {
            let next = cursor.peek();
            // A parenthesis that nothing closes is passed over.
            if next == Some(b'(') {
                cursor.skip(1);
                continue;
            }
            cursor.eat(b'=');
            return (name, next);
        }
        if name.ends_with(['.', '/']) || part.starts_with(['.', '/']) {
            name.to_mut().push_str(&part);
        } else if name.is_empty() || !is_version(&part) {
            name = part;
        }
    }
}

/// Behind the authserv-id may stand a version, 1 so far.
fn is_version(part: &str) -> bool {
    part.bytes().all(|octet| octet.is_ascii_digit())
}

/// > value = token / quoted-string; pvalue may also be an address.
fn value<'a>(cursor: &mut Cursor<'a>) -> Cow<'a, str> {
    cursor.skip_cfws();
    let from = cursor.at();
    let is_of_value = |octet| !is_blank(octet) && !matches!(octet, b';' | b'(');
    match cursor.quoted() {
        Some(inside) if cursor.peek() != Some(b'@') => return unescaped(inside),
        // The local part of an address.
        _ => cursor.take_while(is_of_value),
    };
    text(cursor.between(from, cursor.at()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, result, reason (empty where there is none) and properties.
    type Expected<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

    #[track_caller]
    fn is(body: &str, authserv_id: &str, results: &[Expected<'_>]) {
        let found = AuthenticationResults::parse(&mut Cursor::new(body.as_bytes()), &mut Budget::new(100));
        let expected: Vec<_> = results
            .iter()
            .map(|&(method, result, reason, properties)| MethodResult {
                method: method.into(),
                result: result.into(),
                reason: (!reason.is_empty()).then(|| reason.into()),
                properties: properties
                    .iter()
                    .map(|&(name, value)| Property { name: name.into(), value: value.into() })
                    .collect(),
            })
            .collect();
        assert_eq!(found.results, expected, "{body}");
        assert_eq!(found.authserv_id.as_deref().unwrap_or_default(), authserv_id, "{body}");
    }

    /// RFC 8601 appendices B.2 to B.7.
    #[test]
    fn examples_of_rfc_8601_appendix_b() {
        is(" example.org 1; none", "example.org", &[]);
        is(
            " example.com;\r\n          spf=pass smtp.mailfrom=example.net",
            "example.com",
            &[("spf", "pass", "", &[("smtp.mailfrom", "example.net")])],
        );
        is(
            " example.com;\r\n          auth=pass (cleartext) smtp.auth=sender@example.net;\r\n          spf=pass smtp.mailfrom=example.net",
            "example.com",
            &[
                ("auth", "pass", "", &[("smtp.auth", "sender@example.net")]),
                ("spf", "pass", "", &[("smtp.mailfrom", "example.net")]),
            ],
        );
        is(
            " example.com; iprev=pass\r\n          policy.iprev=192.0.2.200",
            "example.com",
            &[("iprev", "pass", "", &[("policy.iprev", "192.0.2.200")])],
        );
        is(
            " example.com;\r\n  dkim=pass reason=\"good signature\"\r\n    header.i=@mail-router.example.net;\r\n  dkim=fail reason=\"bad signature\"\r\n    header.i=@newyork.example.com",
            "example.com",
            &[
                ("dkim", "pass", "good signature", &[("header.i", "@mail-router.example.net")]),
                ("dkim", "fail", "bad signature", &[("header.i", "@newyork.example.com")]),
            ],
        );
        is(
            " foo.example.net (foobar) 1 (baz);\r\n    dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n      policy (A dot can go here) . (like that) expired\r\n      (this surprised me) = (as I wasn't expecting it) 1362471462",
            "foo.example.net",
            &[("dkim", "fail", "", &[("policy.expired", "1362471462")])],
        );
    }

    #[test]
    fn forms_of_real_servers() {
        is(
            " mx.google.com;\r\n       dkim=pass header.i=@example.org header.s=s1 header.b=\"AbC/=+\";\r\n       spf=pass (google.com: domain of a@example.org designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@example.org;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.org",
            "mx.google.com",
            &[
                ("dkim", "pass", "", &[("header.i", "@example.org"), ("header.s", "s1"), ("header.b", "AbC/=+")]),
                ("spf", "pass", "", &[("smtp.mailfrom", "a@example.org")]),
                ("dmarc", "pass", "", &[("header.from", "example.org")]),
            ],
        );
        is(
            " spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=example.org; dkim=none (message not signed)\r\n header.d=none;dmarc=bestguesspass action=none\r\n header.from=example.org;compauth=pass reason=109",
            "",
            &[
                ("spf", "pass", "", &[("smtp.mailfrom", "example.org")]),
                ("dkim", "none", "", &[("header.d", "none")]),
                ("dmarc", "bestguesspass", "", &[("action", "none"), ("header.from", "example.org")]),
                ("compauth", "pass", "109", &[]),
            ],
        );
    }

    #[test]
    fn quoted_names_and_faults() {
        is(" \"mail host; 1\"; spf=pass", "mail host; 1", &[("spf", "pass", "", &[])]);
        is(
            " a.example; spf=pass smtp.mailfrom=\"a b\"@c.example",
            "a.example",
            &[("spf", "pass", "", &[("smtp.mailfrom", "\"a b\"@c.example")])],
        );
        is(" a.example; spf; dkim=; =x", "a.example", &[("dkim", "", "", &[]), ("", "x", "", &[])]);
        is(
            " a.example; spf=pass (never; dkim=fail",
            "a.example",
            &[("spf", "pass", "", &[]), ("dkim", "fail", "", &[])],
        );
        is("", "", &[]);
    }
}
