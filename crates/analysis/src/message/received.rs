//! Received fields: the way a message says it came (RFC 5321 §4.4).
//!
//! ```text
//!   from mail.example.org (mail.example.org [192.0.2.1])
//!        by mx.example.net (Postfix) with ESMTPS id 4F2A81 for <bob@example.net>; Fri, 21 Nov 1997 09:55:06 -0600
//!   └─ from-clause, with TCP-info ─┘ └ by ┘ …      └ with ┘  └ id ┘ └──── for ────┘ └────────── time ───────────┘
//! ```
//!
//! Clauses are found by their keywords outside comments and quoted strings, in any order. Addresses are taken from the
//! from-clause alone: elsewhere, versions of software and the server's own addresses look the same. Only the topmost hops,
//! those of servers one trusts, prove anything.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::date::DateTime;
use super::lexical::{Cursor, is_blank};

/// A Received field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hop<'a> {
    /// How the client called itself; an address literal with its brackets.
    pub from: Option<Cow<'a, str>>,
    /// Every IP address of the from-clause, in order: the client's claim and what the server saw.
    pub addresses: Vec<IpAddr>,
    /// The server.
    pub by: Option<Cow<'a, str>>,
    /// The link, as in `via Frontend Transport`.
    pub via: Option<Cow<'a, str>>,
    /// The protocol: `ESMTPS` and others of RFC 3848, or whatever software calls it.
    pub with: Option<Cow<'a, str>>,
    /// The server's name for the message.
    pub id: Option<Cow<'a, str>>,
    /// For whom, without angle brackets.
    #[serde(rename = "for")]
    pub recipient: Option<Cow<'a, str>>,
    /// When.
    pub time: Option<DateTime>,
    /// Seconds since the hop below, which came before. Negative where the clocks of the two disagree.
    pub delay: Option<i64>,
}

/// The clauses of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    From,
    By,
    Via,
    With,
    Id,
    For,
}

impl<'a> Hop<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Self {
        let end = last_semicolon(body).unwrap_or(body.len());
        let mut hop = Self { time: body.get(end + 1..).and_then(DateTime::parse), ..Self::default() };
        let mut cursor = Cursor::new(body.get(..end).unwrap_or_default());
        let mut clause = None;
        let mut seen = [false; 6];
        // Where the words of the clause began and ended, as far as nothing but blanks stands between them.
        let mut value: Option<(usize, usize)> = None;
        loop {
            cursor.skip_blanks();
            let from = cursor.at();
            if let Some(comment) = cursor.comment() {
                if clause == Some(Clause::From) {
                    hop.addresses.extend(addresses(comment));
                }
                hop.set(clause, value.take(), &cursor);
                continue;
            }
            let Some(next) = cursor.peek() else { break };
            let word = word(&mut cursor, next);
            match Clause::of(word).filter(|&clause| seen.get(clause as usize) == Some(&false)) {
                Some(next) => {
                    hop.set(clause, value.take(), &cursor);
                    clause = Some(next);
                    seen.get_mut(next as usize).into_iter().for_each(|seen| *seen = true);
                }
                None => {
                    if clause == Some(Clause::From) {
                        hop.addresses.extend(addresses(word));
                    }
                    value = Some((value.map_or(from, |(from, _)| from), cursor.at()));
                }
            }
        }
        hop.set(clause, value.take(), &cursor);
        hop.addresses.dedup();
        hop
    }

    /// The value of a clause, if it has none yet.
    fn set(&mut self, clause: Option<Clause>, value: Option<(usize, usize)>, cursor: &Cursor<'a>) {
        let (Some(clause), Some((from, to))) = (clause, value) else { return };
        let words = cursor.between(from, to);
        let mut rest = Cursor::new(words);
        let first = rest.peek().map(|next| word(&mut rest, next)).unwrap_or_default();
        let (place, value) = match clause {
            Clause::From => (&mut self.from, first),
            Clause::By => (&mut self.by, first),
            // `with Microsoft SMTP Server`, `via Frontend Transport`.
            Clause::Via => (&mut self.via, words),
            Clause::With => (&mut self.with, words),
            Clause::Id => (&mut self.id, first),
            Clause::For => (&mut self.recipient, first),
        };
        let value = if matches!(clause, Clause::Id | Clause::For) { without_brackets(value) } else { value };
        if place.is_none() && !value.is_empty() {
            *place = Some(super::encoded_word::unfolded(value));
        }
    }
}

impl Clause {
    fn of(word: &[u8]) -> Option<Self> {
        let all = [
            ("from", Self::From),
            ("by", Self::By),
            ("via", Self::Via),
            ("with", Self::With),
            ("id", Self::Id),
            ("for", Self::For),
        ];
        all.into_iter().find(|(keyword, _)| word.eq_ignore_ascii_case(keyword.as_bytes())).map(|(_, clause)| clause)
    }
}

/// Fills in the delays, once all hops are there, topmost first.
pub(super) fn measure(hops: &mut [Hop<'_>]) {
    let mut below: Option<i64> = None;
    for hop in hops.iter_mut().rev() {
        let time = hop.time.and_then(|time| time.seconds());
        hop.delay = time.zip(below).map(|(time, below)| time - below);
        below = time;
    }
}

/// Where the date begins: behind the last semicolon that stands in no comment and no quoted string.
fn last_semicolon(body: &[u8]) -> Option<usize> {
    // As a rule what follows the last one has no quotation mark and closes what it opens, so that it stands in nothing.
    let last = memchr::memrchr(b';', body)?;
    let mut depth = 0_i32;
    let is_outside = body.get(last..)?.iter().all(|octet| {
        depth += i32::from(*octet == b'(') - i32::from(*octet == b')');
        depth >= 0 && *octet != b'"' && *octet != b'\\'
    });
    if is_outside {
        return Some(last);
    }
    let mut cursor = Cursor::new(body);
    let mut last = None;
    loop {
        cursor.take_while(|octet| !matches!(octet, b'(' | b'"' | b';'));
        let Some(next) = cursor.peek() else { return last };
        match next {
            b';' => last = Some(cursor.at()),
            b'(' if cursor.comment().is_some() => continue,
            b'"' if cursor.quoted().is_some() => continue,
            _ => {}
        }
        cursor.skip(1);
    }
}

/// The next word; a path and a quoted string are one.
fn word<'a>(cursor: &mut Cursor<'a>, next: u8) -> &'a [u8] {
    let from = cursor.at();
    match next {
        b'"' if cursor.quoted().is_some() => {}
        b'<' => {
            cursor.take_while(|octet| octet != b'>');
            cursor.eat(b'>');
        }
        _ => {
            cursor.skip(1);
            cursor.take_while(|octet| !is_blank(octet) && octet != b'(');
        }
    }
    cursor.between(from, cursor.at())
}

fn without_brackets(word: &[u8]) -> &[u8] {
    let word = word.strip_prefix(b"<").unwrap_or(word);
    word.split(|octet| matches!(octet, b'>' | b',' | b';')).next().unwrap_or_default()
}

/// The IP addresses in a text: in brackets or not, `IPv6:` before them, a port or a zone behind them, `helo=` or a user's name
/// and `@` before them.
///
/// > IPv4-address-literal = Snum 3("."  Snum); IPv6-address-literal = "IPv6:" IPv6-addr (RFC 5321 §4.1.3)
fn addresses(text: &[u8]) -> impl Iterator<Item = IpAddr> {
    let words = text.split(|&octet| {
        is_blank(octet) || matches!(octet, b'(' | b')' | b',' | b';' | b'=' | b'<' | b'>' | b'@' | b'"')
    });
    // Most words are none, and show it by their first octet.
    let may_be = |word: &&[u8]| {
        word.first().is_some_and(|octet| octet.is_ascii_hexdigit() || matches!(octet, b'[' | b':' | b'I' | b'i'))
    };
    words.filter(may_be).filter_map(|word| {
        let word = std::str::from_utf8(word).ok().filter(|word| word.len() <= LONGEST_ADDRESS)?;
        let inside = match word.strip_prefix('[') {
            Some(literal) => literal.split(']').next().unwrap_or_default(),
            None => word.trim_end_matches([']', '.']),
        };
        let is_tagged = inside.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        let address = if is_tagged { inside.get(5..).unwrap_or_default() } else { inside };
        let address = address.split('%').next().unwrap_or_default();
        if !address.contains([':', '.']) {
            return None;
        }
        address.parse().ok().or_else(|| address.parse::<SocketAddr>().ok().map(|address| address.ip()))
    })
}

/// An IPv6 address with tag, brackets, zone and port.
const LONGEST_ADDRESS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    type Clauses<'a> = (&'a str, &'a [&'a str], &'a str, &'a str, &'a str, &'a str, &'a str);

    /// from, addresses, by, via, with, id and for of the field; `-` where there is none. And the time.
    #[track_caller]
    fn is(body: &str, expected: Clauses<'_>, time: &str) {
        let hop = Hop::parse(body.as_bytes());
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
        let addresses: Vec<_> = hop.addresses.iter().map(ToString::to_string).collect();
        let found =
            (text(&hop.from), text(&hop.by), text(&hop.via), text(&hop.with), text(&hop.id), text(&hop.recipient));
        let (from, of_from, by, via, with, id, recipient) = expected;
        let wanted = [from, by, via, with, id, recipient].map(str::to_owned);
        assert_eq!(<[String; 6]>::from(found), wanted, "{body}");
        assert_eq!(addresses, of_from, "{body}");
        assert_eq!(hop.time.map(|time| time.to_string()).as_deref().unwrap_or("-"), time, "{body}");
    }

    /// RFC 5321 appendix D.1 and D.3, and RFC 5322 appendix A.4.
    #[test]
    fn examples_of_the_standards() {
        is(
            "from bar.com by foo.com ; Thu, 21 May 1998\r\n    05:33:29 -0700",
            ("bar.com", &[], "foo.com", "-", "-", "-", "-"),
            "1998-05-21T05:33:29-07:00",
        );
        is(
            "from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600",
            ("node.example", &[], "x.y.test", "-", "-", "-", "-"),
            "1997-11-21T10:01:22-06:00",
        );
        is(
            "from x.y.test\r\n   by example.net\r\n   via TCP\r\n   with ESMTP\r\n   id ABC12345\r\n   for <mary@example.net>;  21 Nov 1997 10:05:43 -0600",
            ("x.y.test", &[], "example.net", "TCP", "ESMTP", "ABC12345", "mary@example.net"),
            "1997-11-21T10:05:43-06:00",
        );
    }

    #[test]
    fn postfix() {
        is(
            "from mail.example.org (unknown [203.0.113.9])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\r\n\t(No client certificate requested)\r\n\tby mx.example.net (Postfix) with ESMTPS id 4F2A81\r\n\tfor <bob@example.net>; Fri, 21 Nov 2025 09:55:06 +0100 (CET)",
            ("mail.example.org", &["203.0.113.9"], "mx.example.net", "-", "ESMTPS", "4F2A81", "bob@example.net"),
            "2025-11-21T09:55:06+01:00",
        );
        is(
            "from [10.0.0.7] (host.example.org [IPv6:2001:db8::7])\r\n\tby mx.example.net (Postfix) with ESMTPSA id 1; Fri, 21 Nov 2025 09:55:06 +0100 (CET)",
            ("[10.0.0.7]", &["10.0.0.7", "2001:db8::7"], "mx.example.net", "-", "ESMTPSA", "1", "-"),
            "2025-11-21T09:55:06+01:00",
        );
        is(
            "by mx.example.net (Postfix, from userid 1000)\r\n\tid 06C7DB92; Fri, 21 Nov 2025 09:55:06 +0100 (CET)",
            ("-", &[], "mx.example.net", "-", "-", "06C7DB92", "-"),
            "2025-11-21T09:55:06+01:00",
        );
    }

    #[test]
    fn exim() {
        is(
            "from [192.0.2.1] (port=53112 helo=client.example.org)\r\n\tby mx.example.net with esmtpsa  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)\r\n\t(envelope-from <alice@example.org>)\r\n\tid 1xVSAp-0001Gm-06\r\n\tfor bob@example.net;\r\n\tFri, 21 Nov 2025 09:55:06 +0000",
            ("[192.0.2.1]", &["192.0.2.1"], "mx.example.net", "-", "esmtpsa", "1xVSAp-0001Gm-06", "bob@example.net"),
            "2025-11-21T09:55:06Z",
        );
        is(
            "from host.example.org ([192.0.2.1]:53112 helo=client)\r\n\tby mx.example.net with esmtp (Exim 4.96) id 1a; Fri, 21 Nov 2025 09:55:06 +0000",
            ("host.example.org", &["192.0.2.1"], "mx.example.net", "-", "esmtp", "1a", "-"),
            "2025-11-21T09:55:06Z",
        );
        is(
            "from root by mx.example.net with local (Exim 4.96) (envelope-from <root@mx.example.net>) id 1b; Fri, 21 Nov 2025 09:55:06 +0000",
            ("root", &[], "mx.example.net", "-", "local", "1b", "-"),
            "2025-11-21T09:55:06Z",
        );
    }

    #[test]
    fn sendmail() {
        is(
            "from client.example.org (host.example.org [192.0.2.1] (may be forged))\r\n\t(authenticated bits=0)\r\n\tby mx.example.net (8.17.1/8.17.1) with ESMTPSA id 5AL8t6sd012345\r\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO)\r\n\tfor <bob@example.net>; Fri, 21 Nov 2025 08:55:06 GMT",
            (
                "client.example.org",
                &["192.0.2.1"],
                "mx.example.net",
                "-",
                "ESMTPSA",
                "5AL8t6sd012345",
                "bob@example.net",
            ),
            "2025-11-21T08:55:06Z",
        );
        is(
            "(from root@localhost)\r\n\tby mx.example.net (8.17.1/8.17.1/Submit) id 5AL8t6; Fri, 21 Nov 2025 08:55:06 GMT",
            ("-", &[], "mx.example.net", "-", "-", "5AL8t6", "-"),
            "2025-11-21T08:55:06Z",
        );
    }

    #[test]
    fn exchange() {
        is(
            "from AM0PR01MB1234.eurprd01.prod.example.com (2603:10a6:208:fe::12)\r\n by AM9PR01MB5678.eurprd01.prod.example.com (2603:10a6:20b:2d7::3) with\r\n Microsoft SMTP Server (version=TLS1_2,\r\n cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.9343.13; Fri, 21 Nov\r\n 2025 08:55:06 +0000",
            (
                "AM0PR01MB1234.eurprd01.prod.example.com",
                &["2603:10a6:208:fe::12"],
                "AM9PR01MB5678.eurprd01.prod.example.com",
                "-",
                "Microsoft SMTP Server",
                "15.20.9343.13",
                "-",
            ),
            "2025-11-21T08:55:06Z",
        );
        is(
            "from mail.example.org (192.0.2.1) by\r\n MX.mail.example.com (10.167.8.5) with Microsoft SMTP\r\n Server id 15.20.1.2 via Frontend Transport; Fri, 21 Nov 2025 08:55:05 +0000",
            (
                "mail.example.org",
                &["192.0.2.1"],
                "MX.mail.example.com",
                "Frontend Transport",
                "Microsoft SMTP Server",
                "15.20.1.2",
                "-",
            ),
            "2025-11-21T08:55:05Z",
        );
    }

    #[test]
    fn gmail() {
        is(
            "from mail-sor-f41.google.com (mail-sor-f41.google.com. [209.85.220.41])\r\n        by mx.google.com with SMTPS id a1-20020a05.1.2025.11.21\r\n        for <bob@example.net>\r\n        (Google Transport Security);\r\n        Fri, 21 Nov 2025 00:55:06 -0800 (PST)",
            (
                "mail-sor-f41.google.com",
                &["209.85.220.41"],
                "mx.google.com",
                "-",
                "SMTPS",
                "a1-20020a05.1.2025.11.21",
                "bob@example.net",
            ),
            "2025-11-21T00:55:06-08:00",
        );
        is(
            "by 2002:a05:6402:1:b0:1 with SMTP id d1csp1; Fri, 21 Nov 2025 00:55:06 -0800 (PST)",
            ("-", &[], "2002:a05:6402:1:b0:1", "-", "SMTP", "d1csp1", "-"),
            "2025-11-21T00:55:06-08:00",
        );
    }

    #[test]
    fn qmail() {
        is(
            "from unknown (HELO client.example.org) (alice@192.0.2.1)\r\n  by mx.example.net with (DHE-RSA-AES256-SHA encrypted) SMTP; 21 Nov 2025 08:55:06 -0000",
            ("unknown", &["192.0.2.1"], "mx.example.net", "-", "SMTP", "-", "-"),
            "2025-11-21T08:55:06-00:00",
        );
        is(
            "(qmail 12345 invoked by uid 1000); 21 Nov 2025 08:55:06 -0000",
            ("-", &[], "-", "-", "-", "-", "-"),
            "2025-11-21T08:55:06-00:00",
        );
    }

    #[test]
    fn amazon_ses_and_opensmtpd() {
        is(
            "from a8-50.smtp-out.amazonses.com (a8-50.smtp-out.amazonses.com. [54.240.8.50])\r\n by inbound-smtp.us-east-1.amazonaws.com with SMTP id o3vrnil0e2ic28tr\r\n for bob@example.net;\r\n Fri, 21 Nov 2025 08:55:06 +0000 (UTC)",
            (
                "a8-50.smtp-out.amazonses.com",
                &["54.240.8.50"],
                "inbound-smtp.us-east-1.amazonaws.com",
                "-",
                "SMTP",
                "o3vrnil0e2ic28tr",
                "bob@example.net",
            ),
            "2025-11-21T08:55:06Z",
        );
        is(
            "from localhost (mx.example.net [local])\r\n\tby mx.example.net (OpenSMTPD) with ESMTPA id 9ed79f24\r\n\tfor <bob@example.net>;\r\n\tFri, 21 Nov 2025 09:55:06 +0100 (CET)",
            ("localhost", &[], "mx.example.net", "-", "ESMTPA", "9ed79f24", "bob@example.net"),
            "2025-11-21T09:55:06+01:00",
        );
        is(
            "from client.example.org (client.example.org [192.0.2.1])\r\n\tby mx.example.net (OpenSMTPD) with ESMTPS id 9ed79f25 (TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO)\r\n\tfor <bob@example.net>;\r\n\tFri, 21 Nov 2025 09:55:06 +0100 (CET)",
            ("client.example.org", &["192.0.2.1"], "mx.example.net", "-", "ESMTPS", "9ed79f25", "bob@example.net"),
            "2025-11-21T09:55:06+01:00",
        );
    }

    #[test]
    fn keywords_in_comments_and_quoted_strings_begin_no_clause() {
        is(
            "from a.example (for b by c; with d) by \"id with; for\" with SMTP id 7 (by e); 21 Nov 2025 08:55:06 +0000",
            ("a.example", &[], "\"id with; for\"", "-", "SMTP", "7", "-"),
            "2025-11-21T08:55:06Z",
        );
        is("nonsense", ("-", &[], "-", "-", "-", "-", "-"), "-");
        is("", ("-", &[], "-", "-", "-", "-", "-"), "-");
        is("from by with id for ;", ("-", &[], "-", "-", "-", "-", "-"), "-");
        is(
            "from (never closed [192.0.2.1] by x; 21 Nov 2025 08:55:06 +0000",
            ("(never", &["192.0.2.1"], "x", "-", "-", "-", "-"),
            "2025-11-21T08:55:06Z",
        );
    }

    #[test]
    fn delays_have_a_sign() {
        let times = ["10:00:05 +0100", "09:00:00 +0000", "09:00:30 +0000", "bad", "09:00:00 +0000"];
        let bodies = times.map(|time| format!("by x; 21 Nov 2025 {time}"));
        let mut hops: Vec<_> = bodies.iter().map(|body| Hop::parse(body.as_bytes())).collect();
        measure(&mut hops);
        let delays: Vec<_> = hops.iter().map(|hop| hop.delay).collect();
        assert_eq!(delays, [Some(5), Some(-30), None, None, None]);
    }

    #[test]
    fn hostile_fields_take_no_longer_than_they_are() {
        let started = std::time::Instant::now();
        for piece in ["(", "\"\\", "from ", "with a ", "[1.2.3.4] ", ";", "<"] {
            Hop::parse(("from ".to_owned() + &piece.repeat((1 << 20) / piece.len())).as_bytes());
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
