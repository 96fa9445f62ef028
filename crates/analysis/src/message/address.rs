//! Lists of addresses (RFC 5322 §3.4, old forms of §4.4, UTF-8 of RFC 6532).
//!
//! ```text
//!   Joe Q. Public <john.q.public@example.com>, A Group:joe@where.test,"Mary" <@route,@x:mary@y>;, pete@z (Pete)
//!   └── phrase ─┘  └────── angle-addr ─────┘   └ name ┘                       └─ route ┘
//! ```
//!
//! No address is lost to a fault: missing brackets, missing commas, quotation marks that nothing closes, a list separated
//! by semicolons. Groups are opened. A comment is no part of a name; where there is no name, the comment is it, as it was
//! before names stood in front of addresses. Encoded words in quoted strings are decoded, though RFC 2047 §5 knows none
//! there, because mail is sent so and readers show it so.

use std::borrow::Cow;

use serde::Serialize;

use super::encoded_word::{self, decoded};
use super::lexical::{Cursor, is_blank, text, unescaped};

/// A mailbox (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mailbox<'a> {
    /// Display name, decoded.
    pub name: Option<Cow<'a, str>>,
    /// addr-spec, without source route, blanks and comments.
    pub address: Option<Cow<'a, str>>,
}

/// The mailboxes of a list, groups opened.
pub(super) fn mailboxes(body: &[u8]) -> Vec<Mailbox<'_>> {
    let mut list = List { cursor: Cursor::new(body), words: Vec::new(), comment: None, angle: None, found: Vec::new() };
    list.read();
    list.found
}

/// A list that is being read, and the mailbox of which parts were read already.
#[derive(Debug)]
struct List<'a> {
    cursor: Cursor<'a>,
    words: Vec<Word>,
    comment: Option<&'a [u8]>,
    angle: Option<Angle<'a>>,
    found: Vec<Mailbox<'a>>,
}

/// An address in angle brackets.
#[derive(Debug)]
struct Angle<'a> {
    address: Cow<'a, str>,
    /// How many words stand before it.
    words_before: usize,
}

/// A word outside angle brackets, by its place.
#[derive(Debug, Clone, Copy)]
struct Word {
    kind: Kind,
    from: usize,
    to: usize,
    /// Whether blanks or a comment stand before it.
    is_apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Atom,
    Quoted,
    At,
}

impl<'a> List<'a> {
    fn read(&mut self) {
        let mut is_apart = false;
        loop {
            is_apart |= self.cursor.skip_blanks();
            let Some(next) = self.cursor.peek() else { break };
            let from = self.cursor.at();
            let mut kind = None;
            match next {
                b'(' => match self.cursor.comment() {
                    Some(comment) => {
                        self.comment.get_or_insert(comment);
                        is_apart = true;
                        continue;
                    }
                    None => {
                        self.cursor.skip(1);
                        is_apart = true;
                    }
                },
                b'"' => match self.cursor.quoted() {
                    Some(_) => kind = Some(Kind::Quoted),
                    None => self.cursor.skip(1),
                },
                b',' | b';' => {
                    self.cursor.skip(1);
                    self.finish();
                }
                b':' => {
                    self.cursor.skip(1);
                    self.begin_group();
                }
                b'<' => {
                    self.cursor.skip(1);
                    if let Some(angle) = &self.angle {
                        // What stands between two addresses in brackets is the name of the second one.
                        let next_name = self.words.split_off(angle.words_before.min(self.words.len()));
                        self.finish();
                        self.words = next_name;
                    }
                    let address = self.angle_address();
                    self.angle = Some(Angle { address, words_before: self.words.len() });
                }
                b'>' => self.cursor.skip(1),
                b'@' => {
                    self.cursor.skip(1);
                    kind = Some(Kind::At);
                }
                b'[' if self.words.last().is_some_and(|word| word.kind == Kind::At) => {
                    self.literal();
                    kind = Some(Kind::Atom);
                }
                _ => {
                    match encoded_word::length(self.cursor.rest()) {
                        Some(octets) => self.cursor.skip(octets),
                        None => {
                            self.cursor.take_while(is_of_atom);
                        }
                    }
                    kind = Some(Kind::Atom);
                }
            }
            if let Some(kind) = kind {
                self.words.push(Word { kind, from, to: self.cursor.at(), is_apart });
                is_apart = false;
            }
        }
        self.finish();
    }

    /// > group = display-name ":" [group-list] ";" [CFWS]
    ///
    /// Behind something that is an address, the colon only separates.
    fn begin_group(&mut self) {
        if self.angle.is_some() || self.words.iter().any(|word| word.kind == Kind::At) {
            self.finish();
        }
        self.words.clear();
        self.comment = None;
    }

    /// > obs-angle-addr = [CFWS] "<" obs-route addr-spec ">" [CFWS]; obs-route = obs-domain-list ":"
    ///
    /// Behind the opening bracket; the closing one may be missing.
    fn angle_address(&mut self) -> Cow<'a, str> {
        let mut parts: Vec<(usize, usize, bool)> = Vec::new();
        let mut is_route = false;
        loop {
            let is_apart = self.cursor.skip_cfws();
            let from = self.cursor.at();
            match self.cursor.peek() {
                None | Some(b';') => break,
                Some(b'>') => {
                    self.cursor.skip(1);
                    break;
                }
                Some(b',') if !is_route => break,
                Some(b',' | b'<') => {
                    self.cursor.skip(1);
                    continue;
                }
                Some(b':') if is_route => {
                    self.cursor.skip(1);
                    parts.clear();
                    is_route = false;
                    continue;
                }
                Some(b'@') => {
                    self.cursor.skip(1);
                    is_route |= parts.is_empty();
                }
                Some(b'"') if self.cursor.quoted().is_some() => {}
                Some(b'[') => self.literal(),
                Some(_) => {
                    self.cursor.skip(1);
                    self.cursor.take_while(is_of_atom);
                }
            }
            parts.push((from, self.cursor.at(), is_apart));
        }
        self.address(&parts)
    }

    /// An address from its parts. Blanks between them are obsolete and no part of it, unless they stand between words.
    fn address(&self, parts: &[(usize, usize, bool)]) -> Cow<'a, str> {
        let Some(&(first, _, _)) = parts.first() else { return Cow::Borrowed("") };
        if parts.iter().skip(1).all(|&(_, _, is_apart)| !is_apart) {
            let last = parts.last().map_or(first, |&(_, to, _)| to);
            return text(self.cursor.between(first, last));
        }
        let mut out: Vec<u8> = Vec::new();
        for &(from, to, is_apart) in parts {
            let part = self.cursor.between(from, to);
            let is_glued = |octet: Option<&u8>| octet.is_none_or(|octet| matches!(octet, b'.' | b'@'));
            if is_apart && !is_glued(out.last()) && !is_glued(part.first()) {
                out.push(b' ');
            }
            out.extend_from_slice(part);
        }
        text(&out).into_owned().into()
    }

    /// > domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS]
    fn literal(&mut self) {
        self.cursor.take_while(|octet| !is_blank(octet) && !matches!(octet, b']' | b'>' | b',' | b';'));
        self.cursor.eat(b']');
    }

    /// What was read so far is a mailbox, or several whose commas are missing.
    fn finish(&mut self) {
        let words = std::mem::take(&mut self.words);
        let mut comment = self.comment.take();
        let mut words = words.as_slice();
        if let Some(Angle { address, words_before }) = self.angle.take() {
            let (before, behind) = words.split_at_checked(words_before).unwrap_or((words, &[]));
            let is_name = !behind.iter().any(|word| word.kind == Kind::At);
            let name = self.phrase(before).or_else(|| is_name.then(|| self.phrase(behind)).flatten());
            self.push(name.or_else(|| comment.take().and_then(commented)), Some(address));
            if is_name {
                return;
            }
            words = behind;
        }
        while let Some(at) = words.iter().position(|word| word.kind == Kind::At) {
            let (from, to) = self.address_around(words, at);
            let parts: Vec<_> =
                words.get(from..to).unwrap_or_default().iter().map(|w| (w.from, w.to, w.is_apart)).collect();
            let address = self.address(&parts);
            let (before, behind) = (words.get(..from).unwrap_or_default(), words.get(to..).unwrap_or_default());
            let is_last = !behind.iter().any(|word| word.kind == Kind::At);
            let name = self.phrase(before).or_else(|| is_last.then(|| self.phrase(behind)).flatten());
            self.push(name.or_else(|| comment.take().and_then(commented)), Some(address));
            if is_last {
                return;
            }
            words = behind;
        }
        if let Some(name) = self.phrase(words) {
            self.push(Some(name), None);
        }
    }

    fn push(&mut self, name: Option<Cow<'a, str>>, address: Option<Cow<'a, str>>) {
        let address = address.filter(|address| !address.is_empty());
        if name.is_some() || address.is_some() {
            self.found.push(Mailbox { name, address });
        }
    }

    /// Which of the words are the address whose "@" is this one: its neighbours, and what a dot joins to them.
    ///
    /// > obs-local-part = word *("." word); obs-domain = atom *("." atom)
    fn address_around(&self, words: &[Word], at: usize) -> (usize, usize) {
        let is_joined = |left: usize| {
            let (Some(left), Some(right)) = (words.get(left), words.get(left + 1)) else { return false };
            let (before, behind) = (self.cursor.between(left.from, left.to), self.cursor.between(right.from, right.to));
            !right.is_apart || before.ends_with(b".") || behind.starts_with(b".")
        };
        let mut from = at.saturating_sub(1);
        while from > 0 && is_joined(from - 1) {
            from -= 1;
        }
        let mut to = words.len().min(at + 2);
        while to < words.len() && is_joined(to - 1) {
            to += 1;
        }
        (from, to)
    }

    /// > phrase = 1*word / obs-phrase
    fn phrase(&self, words: &[Word]) -> Option<Cow<'a, str>> {
        let (first, last) = (words.first()?, words.last()?);
        let whole = self.cursor.between(first.from, last.to);
        let mut name = Cow::Borrowed("");
        if let ([Word { kind: Kind::Quoted, .. }], Some(inside)) = (words, whole.get(1..whole.len().saturating_sub(1)))
        {
            name = quoted_text(inside);
        } else if words.iter().all(|word| word.kind != Kind::Quoted) && self.are_one_blank_apart(words) {
            name = decoded(whole);
        } else {
            let mut atoms: Vec<u8> = Vec::new();
            let mut is_apart = false;
            for word in words {
                let text = self.cursor.between(word.from, word.to);
                if word.kind != Kind::Quoted {
                    if word.is_apart && !atoms.is_empty() {
                        atoms.push(b' ');
                    }
                    is_apart |= word.is_apart && atoms.is_empty();
                    atoms.extend_from_slice(text);
                    continue;
                }
                add(&mut name, is_apart, &decoded(&atoms));
                atoms.clear();
                add(
                    &mut name,
                    word.is_apart,
                    &quoted_text(text.get(1..text.len().saturating_sub(1)).unwrap_or_default()),
                );
                is_apart = false;
            }
            add(&mut name, is_apart, &decoded(&atoms));
        }
        let is_padded = name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace);
        let name = if is_padded { name.trim().to_owned().into() } else { name };
        (!name.is_empty()).then_some(name)
    }

    /// Whether nothing but single blanks stand between the words, so that all of it may be lent.
    fn are_one_blank_apart(&self, words: &[Word]) -> bool {
        words.iter().zip(words.iter().skip(1)).all(|(left, right)| match self.cursor.between(left.to, right.from) {
            [] => true,
            blanks => blanks == b" ",
        })
    }
}

fn add(name: &mut Cow<'_, str>, is_apart: bool, text: &str) {
    if text.is_empty() {
        return;
    }
    let name = name.to_mut();
    if is_apart && !name.is_empty() {
        name.push(' ');
    }
    name.push_str(text);
}

/// What a quoted string says, encoded words in it decoded.
fn quoted_text(inside: &[u8]) -> Cow<'_, str> {
    match unescaped(inside) {
        Cow::Borrowed(text) => decoded(text.as_bytes()),
        Cow::Owned(text) => decoded(text.as_bytes()).into_owned().into(),
    }
}

/// What a comment says, if anything.
fn commented(inside: &[u8]) -> Option<Cow<'_, str>> {
    Some(quoted_text(inside)).filter(|text| !text.is_empty())
}

/// More than an atom may have (RFC 5322 §3.2.3), so that whatever stands in a name stays in it.
fn is_of_atom(octet: u8) -> bool {
    !is_blank(octet) && !matches!(octet, b'(' | b'"' | b',' | b';' | b':' | b'<' | b'>' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(body: &str) -> Vec<(String, String)> {
        let text = |text: Option<Cow<'_, str>>| text.map_or_else(|| "-".to_owned(), Cow::into_owned);
        mailboxes(body.as_bytes()).into_iter().map(|mailbox| (text(mailbox.name), text(mailbox.address))).collect()
    }

    #[track_caller]
    fn is(body: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|&(name, address)| (name.to_owned(), address.to_owned())).collect();
        assert_eq!(read(body), expected, "{body}");
    }

    /// RFC 5322 appendices A.1 and A.2.
    #[test]
    fn addresses_of_rfc_5322_appendix_a_1() {
        is("John Doe <jdoe@machine.example>", &[("John Doe", "jdoe@machine.example")]);
        is("\"Joe Q. Public\" <john.q.public@example.com>", &[("Joe Q. Public", "john.q.public@example.com")]);
        is(
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            &[("Mary Smith", "mary@x.test"), ("-", "jdoe@example.org"), ("Who?", "one@y.test")],
        );
        is(
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            &[("-", "boss@nil.test"), ("Giant; \"Big\" Box", "sysservices@example.net")],
        );
        is("Pete <pete@silly.example>", &[("Pete", "pete@silly.example")]);
        is(
            "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
            &[("Ed Jones", "joe@where.test"), ("-", "joe@where.test"), ("John", "jdoe@one.test")],
        );
        is("Undisclosed recipients:;", &[]);
        is(
            "\"Mary Smith: Personal Account\" <smith@home.example>",
            &[("Mary Smith: Personal Account", "smith@home.example")],
        );
    }

    /// RFC 5322 appendix A.5.
    #[test]
    fn comments_of_rfc_5322_appendix_a_5() {
        is("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &[("Pete", "pete@silly.test")]);
        is(
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            &[("Chris Jones", "c@public.example"), ("-", "joe@example.org"), ("John", "jdoe@one.test")],
        );
        is("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &[]);
    }

    /// RFC 5322 appendices A.6.1 and A.6.3.
    #[test]
    fn old_forms_of_rfc_5322_appendix_a_6() {
        is("Joe Q. Public <john.q.public@example.com>", &[("Joe Q. Public", "john.q.public@example.com")]);
        is(
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            &[("Mary Smith", "mary@example.net"), ("-", "jdoe@test.example")],
        );
        is("John Doe <jdoe@machine(comment).  example>", &[("John Doe", "jdoe@machine.example")]);
        is("Mary Smith\r\n  \r\n          <mary@example.net>", &[("Mary Smith", "mary@example.net")]);
    }

    /// RFC 2047 §8.
    #[test]
    fn names_of_rfc_2047_section_8() {
        is("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", &[("Keith Moore", "moore@cs.utk.edu")]);
        is("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", &[("Keld J\u{f8}rn Simonsen", "keld@dkuug.dk")]);
        is("=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", &[("Andr\u{e9} Pirard", "PIRARD@vm1.ulg.ac.be")]);
        is(
            "ietf-822@dimacs.rutgers.edu, ojarnef@admin.kth.se",
            &[("-", "ietf-822@dimacs.rutgers.edu"), ("-", "ojarnef@admin.kth.se")],
        );
        is(
            "Nathaniel Borenstein <nsb@thumper.bellcore.com>\r\n  (=?iso-8859-8?b?7eXs+SDv4SDs6Oj08A==?=)",
            &[("Nathaniel Borenstein", "nsb@thumper.bellcore.com")],
        );
        is("=?utf-8?Q?J=C3?= =?utf-8?Q?=BCrgen?= <j@example.org>", &[("J\u{fc}rgen", "j@example.org")]);
    }

    #[test]
    fn encoded_words_are_names_whatever_stands_in_them() {
        is("=?utf-8?Q?Doe=2C_John?= <a@b.example>", &[("Doe, John", "a@b.example")]);
        is("=?iso-8859-1?Q?Doe,_John_<x@y>?= <a@b.example>", &[("Doe, John <x@y>", "a@b.example")]);
        is("=?utf-8?B?PGFAYj4=?=", &[("<a@b>", "-")]);
        is("\"=?utf-8?Q?J=C3=BCrgen?=\" <j@example.org>", &[("J\u{fc}rgen", "j@example.org")]);
        is("\"=?utf-8?Q?Doe?=, John\" Jr <j@example.org>", &[("Doe, John Jr", "j@example.org")]);
        is("j@example.org (=?utf-8?Q?J=C3=BCrgen?=)", &[("J\u{fc}rgen", "j@example.org")]);
    }

    #[test]
    fn quoted_commas_and_quoted_local_parts() {
        is("\"Doe, John\" <a@b.example>, c@d.example", &[("Doe, John", "a@b.example"), ("-", "c@d.example")]);
        is("\"john, doe\"@example.org", &[("-", "\"john, doe\"@example.org")]);
        is("John <\"john doe\"@example.org>", &[("John", "\"john doe\"@example.org")]);
        is("a@[192.0.2.1], b@[IPv6:2001:db8::1]", &[("-", "a@[192.0.2.1]"), ("-", "b@[IPv6:2001:db8::1]")]);
        is("<b@[IPv6:2001:db8::1]>", &[("-", "b@[IPv6:2001:db8::1]")]);
    }

    #[test]
    fn a_source_route_is_no_part_of_the_address() {
        is("<@a.example,@b.example:joe@c.example>", &[("-", "joe@c.example")]);
        is("Joe <@a.example:joe@c.example>, x@y.example", &[("Joe", "joe@c.example"), ("-", "x@y.example")]);
    }

    #[test]
    fn no_address_is_lost_to_a_fault() {
        is("Joe joe@example.org", &[("Joe", "joe@example.org")]);
        is("Joe Doe joe@example.org>, x@y.example", &[("Joe Doe", "joe@example.org"), ("-", "x@y.example")]);
        is("Joe <joe@example.org, x@y.example", &[("Joe", "joe@example.org"), ("-", "x@y.example")]);
        is("<<joe@example.org>>", &[("-", "joe@example.org")]);
        is("a@b.example c@d.example", &[("-", "a@b.example"), ("-", "c@d.example")]);
        is("A <a@b.example> C <c@d.example>", &[("A", "a@b.example"), ("C", "c@d.example")]);
        is("<a@b.example> c@d.example", &[("-", "a@b.example"), ("-", "c@d.example")]);
        is("a@b.example; c@d.example", &[("-", "a@b.example"), ("-", "c@d.example")]);
        is("\"Joe <joe@example.org>, x@y.example", &[("Joe", "joe@example.org"), ("-", "x@y.example")]);
        is("Joe (never closed <joe@example.org>", &[("Joe never closed", "joe@example.org")]);
        is("A Group: a@b.example, c@d.example", &[("-", "a@b.example"), ("-", "c@d.example")]);
        is("a@b.example: c@d.example", &[("-", "a@b.example"), ("-", "c@d.example")]);
        is("a@b@c.example", &[("-", "a@b@c.example")]);
        is("joe@example.org <jim@example.org>", &[("joe@example.org", "jim@example.org")]);
        is("[EXT] Joe <joe@example.org>", &[("[EXT] Joe", "joe@example.org")]);
    }

    #[test]
    fn absent_parts_are_absent() {
        is("", &[]);
        is(" , ,; ", &[]);
        is("<>", &[]);
        is("\"\" <a@b.example>", &[("-", "a@b.example")]);
        is("Joe Doe", &[("Joe Doe", "-")]);
        is("Joe <>", &[("Joe", "-")]);
    }

    /// RFC 6532 §3.2, and domains of RFC 5890 in both forms.
    #[test]
    fn names_and_addresses_in_utf_8() {
        is("J\u{fc}rgen <j\u{fc}rgen@b\u{fc}cher.example>", &[("J\u{fc}rgen", "j\u{fc}rgen@b\u{fc}cher.example")]);
        is(
            "\u{7528}\u{6237}@\u{4f8b}\u{5b50}.\u{5e7f}\u{544a}",
            &[("-", "\u{7528}\u{6237}@\u{4f8b}\u{5b50}.\u{5e7f}\u{544a}")],
        );
        is("a@xn--bcher-kva.example", &[("-", "a@xn--bcher-kva.example")]);
        let [mailbox] = mailboxes(b"J\xfcrgen <j@example.org>").try_into().expect("one");
        assert_eq!(mailbox.name.as_deref(), Some("J\u{fffd}rgen"));
    }

    #[test]
    fn what_needs_no_change_is_lent() {
        for body in ["John Doe <jdoe@machine.example>", "\"Doe, John\" <a@b.example>", "a@b.example (Joe)"] {
            let [mailbox] = mailboxes(body.as_bytes()).try_into().expect("one");
            let lent = |text: Option<Cow<'_, str>>| matches!(text, Some(Cow::Borrowed(_)));
            assert!(lent(mailbox.name) && lent(mailbox.address), "{body}");
        }
    }

    #[test]
    fn hostile_lists_take_no_longer_than_they_are() {
        let started = std::time::Instant::now();
        for piece in ["(", "\"\\", "<", "@", "a@b ", "a@", ":", "=?utf-8?Q?", "a b ", ". ", "<@", "\"a\" "] {
            mailboxes(piece.repeat((1 << 20) / piece.len()).as_bytes());
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
