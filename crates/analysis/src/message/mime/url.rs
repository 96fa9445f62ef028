//! The URLs of text, and what a link says against where it leads.

use std::borrow::Cow;
use std::collections::HashSet;

use linkify::{LinkFinder, LinkKind};
use serde::Serialize;
use smol_str::SmolStr;

use crate::message::domain::comparable;

/// A URL of a text or HTML part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Url {
    /// As it stands there, up to [`URL_OCTETS`].
    pub url: String,
    /// Number of its part.
    pub part: usize,
    /// The HTML element that has it, or `text` where it stands in text.
    pub element: SmolStr,
    /// The text of a link.
    pub text: Option<String>,
    /// Whether that text looks like a URL or a domain, and of another host than the link leads to.
    pub misleading: bool,
}

/// Octets that are kept of a URL: as long as browsers and servers take them in practice. What is longer holds data.
pub const URL_OCTETS: usize = 2048;

/// Octets that are kept of the text of a link.
pub const LINK_TEXT_OCTETS: usize = 256;

/// Whether a text may hold what [`Urls::add_text`] takes; most texts do not, and to see that is cheap.
pub(super) fn may_hold_url(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"://").is_some()
        || memchr::memchr_iter(b'.', text).any(|dot| {
            let before = dot.checked_sub(3).and_then(|start| text.get(start..dot));
            before.is_some_and(|before| before.eq_ignore_ascii_case(b"www"))
        })
}

/// The URLs of a message, each once, in order.
#[derive(Debug, Clone)]
pub(super) struct Urls {
    list: Vec<Url>,
    seen: HashSet<(String, Option<String>)>,
    limit: usize,
    further: u64,
}

impl Urls {
    pub(super) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), seen: HashSet::new(), limit, further: 0 }
    }

    /// Those that are kept, and how many more there were.
    pub(super) fn into_list(self) -> (Vec<Url>, u64) {
        (self.list, self.further)
    }

    /// The URLs that stand in a text.
    pub(super) fn add_text(&mut self, text: &str, part: usize) {
        let mut finder = LinkFinder::new();
        finder.kinds(&[LinkKind::Url]).url_must_have_scheme(false);
        for link in finder.links(text).map(|link| link.as_str()) {
            // Without a scheme, only what begins as everybody's does: "readme.md" is none.
            if link.contains("://") || link.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
                self.add(link, part, "text", None);
            }
        }
    }

    /// A URL of an element, with its text where it is a link.
    pub(super) fn add(&mut self, url: &str, part: usize, element: &str, text: Option<&str>) {
        let url = url.trim();
        // A part of the message itself, a place in it, or an address: they lead nowhere.
        let leads_nowhere = ["cid:", "mid:", "mailto:", "tel:", "about:", "#"];
        if url.is_empty() || leads_nowhere.iter().any(|start| starts_with(url, start)) {
            return;
        }
        let url = shortened(url, URL_OCTETS).to_owned();
        let text = text.map(|text| shortened(text.trim(), LINK_TEXT_OCTETS).to_owned()).filter(|text| !text.is_empty());
        let known = (url, text);
        if self.seen.contains(&known) {
            return;
        }
        if self.list.len() >= self.limit {
            self.further += 1;
            return;
        }
        self.seen.insert(known.clone());
        let (url, text) = known;
        let misleading = text.as_deref().is_some_and(|text| is_misleading(text, &url));
        self.list.push(Url { url, part, element: element.into(), text, misleading });
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// The beginning of a text, of so many octets at most.
pub(super) fn shortened(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// Whether a text names a host, and a link leads to one that is neither this host nor above or below it.
fn is_misleading(text: &str, url: &str) -> bool {
    let (Some(said), Some(target)) = (named_host(text), host(url)) else { return false };
    let (said, target) = (comparable(said), comparable(target));
    // What has no form in ASCII is no host.
    if !said.is_ascii() || !target.is_ascii() {
        return false;
    }
    let (said, target) = (said.to_ascii_lowercase(), target.to_ascii_lowercase());
    let plain = |name: &str| name.strip_prefix("www.").unwrap_or(name).to_owned();
    let (said, target) = (plain(&said), plain(&target));
    let is_below =
        |name: &str, above: &str| name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !is_below(&said, &target) && !is_below(&target, &said)
}

/// The host of a URL with a scheme and an authority (RFC 3986 §3.2), as browsers read it: `\` is a slash.
fn host(url: &str) -> Option<&str> {
    let start = url.find("://")? + 3;
    let authority = url.get(start..)?.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') { host.split_inclusive(']').next()? } else { host.split(':').next()? };
    (!host.is_empty()).then_some(host)
}

/// The host that a text names, where it looks like a URL or a domain.
fn named_host(text: &str) -> Option<&str> {
    if text.contains(char::is_whitespace) || text.contains('@') && !text.contains("://") {
        return None;
    }
    if text.contains("://") {
        return host(text);
    }
    let host = text.split(['/', '?', '#', ':']).next()?;
    let (_, top) = host.rsplit_once('.')?;
    let is_name = host
        .split('.')
        .all(|label| !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-'));
    let is_top = top.chars().count() >= 2 && (top.chars().all(char::is_alphabetic) || starts_with(top, "xn--"));
    let names_file = FILE_ENDINGS.iter().any(|ending| top.eq_ignore_ascii_case(ending));
    (is_name && is_top && (!names_file || starts_with(host, "www."))).then_some(host)
}

/// What a name of a file ends with, rather than one of a host.
const FILE_ENDINGS: [&str; 18] = [
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "csv", "htm", "html", "jpg", "jpeg", "png", "gif",
    "exe", "zip", "rar",
];

/// The text as lines of words, blanks and line ends between them made one blank.
pub(super) fn words(text: &str) -> Cow<'_, str> {
    if text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace)) {
        return text.into();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut urls = Urls::new(100);
        urls.add_text(text, 0);
        let found: Vec<String> = urls.into_list().0.into_iter().map(|url| url.url).collect();
        assert_eq!(may_hold_url(text.as_bytes()), !found.is_empty(), "{text}");
        found
    }

    /// Others' link extraction swallowed the words that follow.
    #[test]
    fn what_follows_a_url_in_a_text_is_no_part_of_it() {
        assert_eq!(found("see http://example.org/a?b=c. Then"), ["http://example.org/a?b=c"]);
        assert_eq!(
            found("(https://example.org/x) and <http://example.net>,"),
            ["https://example.org/x", "http://example.net"]
        );
        assert_eq!(found("\"http://example.org/\"and"), ["http://example.org/"]);
        assert_eq!(found("http://example.org/a\r\nnext line"), ["http://example.org/a"]);
        assert_eq!(found("go to www.example.org now, read readme.md"), ["www.example.org"]);
        assert_eq!(found("on WWW.example.org\r\n."), ["WWW.example.org"]);
        assert_eq!(found("write to someone@example.org"), [""; 0]);
        assert_eq!(found("ww.a : // .www"), [""; 0]);
    }

    #[test]
    fn each_is_listed_once_and_those_beyond_the_limit_are_counted() {
        let mut urls = Urls::new(2);
        urls.add_text("http://a.example http://b.example http://a.example http://c.example http://d.example", 0);
        let (list, further) = urls.into_list();
        assert_eq!((list.len(), further), (2, 2));
    }

    #[test]
    fn a_link_that_says_another_host_is_misleading() {
        for (text, url) in [
            ("https://bank.example/login", "https://evil.example/bank.example"),
            ("bank.example", "http://bank.example.evil.test/"),
            ("www.bank.example", "http://bank.example@192.0.2.1/"),
            ("http://bank.example", "https://[2001:db8::1]:8080/"),
            ("bank.example", "https://b\u{430}nk.example/"),
            ("bank.example", "https://xn--bnk-7cd.example/"),
            ("b\u{fc}cher.example", "https://xn--bcher-kvb.example/"),
            ("xn--bcher-kva.xn--p1ai", "https://evil.example/"),
        ] {
            assert!(is_misleading(text, url), "{text} {url}");
        }
        for (text, url) in [
            ("bank.example", "https://www.bank.example/login"),
            ("https://login.bank.example", "https://bank.example"),
            ("Click here", "https://evil.example"),
            ("report.pdf", "https://files.example/report.pdf"),
            ("someone@example.org", "https://example.net"),
            ("version 1.2", "https://example.net"),
            ("BANK.EXAMPLE", "HTTPS://Bank.Example:443/"),
            ("b\u{fc}cher.example", "https://www.xn--bcher-kva.example/"),
            ("xn--bcher-kva.example", "https://B\u{dc}CHER.example/"),
        ] {
            assert!(!is_misleading(text, url), "{text} {url}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_url_is_kept() {
        let mut urls = Urls::new(2);
        urls.add(&format!("data:text/html,{}", "\u{e4}".repeat(URL_OCTETS)), 0, "a", Some(&"t".repeat(1000)));
        let (list, _) = urls.into_list();
        assert!(list[0].url.len() <= URL_OCTETS && list[0].url.len() > URL_OCTETS - 2);
        assert_eq!(list[0].text.as_ref().map(String::len), Some(LINK_TEXT_OCTETS));
    }
}
