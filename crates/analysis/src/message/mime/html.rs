//! The URLs of an HTML text, through the tokenizer of the crate `html5gum`.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::url::{LINK_TEXT_OCTETS, Urls, shortened, words};

/// Adds the URLs of the elements, and those that stand in the text outside of links.
pub(super) fn find_urls(html: &str, part: usize, urls: &mut Urls) {
    let mut emitter = CallbackEmitter::new(Finder::new(part, urls));
    // Scripts and styles are no text.
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
}

/// The text of an HTML body.
pub(super) fn as_text(html: &str) -> String {
    mail_parser::decoders::html::html_to_text(html)
}

struct Finder<'a> {
    part: usize,
    urls: &'a mut Urls,
    tag: Vec<u8>,
    attribute: Vec<u8>,
    /// The link that is open: where it leads and what it says.
    link: Option<(String, String)>,
    /// The target of the link whose tag is being read.
    target: Option<String>,
    /// Within an element whose text is not shown.
    is_hidden: bool,
}

impl<'a> Finder<'a> {
    fn new(part: usize, urls: &'a mut Urls) -> Self {
        Self { part, urls, tag: Vec::new(), attribute: Vec::new(), link: None, target: None, is_hidden: false }
    }

    fn attribute(&mut self, value: &str) {
        match (self.tag.as_slice(), self.attribute.as_slice()) {
            (b"a" | b"area", b"href") => self.target = Some(value.to_owned()),
            (b"meta", b"content") => {
                // <meta http-equiv="refresh" content="0; url=…">
                let target = value.find("url=").or_else(|| value.find("URL=")).and_then(|at| value.get(at + 4..));
                if let Some(target) = target {
                    self.urls.add(target.trim_matches(['\'', '"', ' ']), self.part, "meta", None);
                }
            }
            (tag, b"href" | b"src" | b"action" | b"formaction" | b"background" | b"data" | b"poster") => {
                let element = String::from_utf8_lossy(tag);
                self.urls.add(value, self.part, shortened(&element, 16), None);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match &mut self.link {
            Some((_, said)) => said.push_str(shortened(text, (4 * LINK_TEXT_OCTETS).saturating_sub(said.len()))),
            None if !self.is_hidden => self.urls.add_text(text, self.part),
            None => {}
        }
    }

    fn end_link(&mut self) {
        if let Some((target, said)) = self.link.take() {
            self.urls.add(&target, self.part, "a", Some(&words(said.trim())));
        }
    }
}

impl Callback<Infallible, ()> for Finder<'_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = name.to_vec();
                self.target = None;
                self.is_hidden = matches!(name, b"script" | b"style" | b"title");
            }
            CallbackEvent::AttributeName { name } => self.attribute = name.to_vec(),
            CallbackEvent::AttributeValue { value } => self.attribute(&String::from_utf8_lossy(value)),
            CallbackEvent::CloseStartTag { .. } => {
                if let Some(target) = self.target.take() {
                    self.end_link();
                    self.link = Some((target, String::new()));
                }
            }
            CallbackEvent::EndTag { name } => {
                self.is_hidden = false;
                if name == b"a" {
                    self.end_link();
                }
            }
            CallbackEvent::String { value } => self.text(&String::from_utf8_lossy(value)),
            _ => {}
        }
        None
    }
}

impl Drop for Finder<'_> {
    /// A link that is never closed ends with the text.
    fn drop(&mut self) {
        self.end_link();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str) -> Vec<(String, String, Option<String>, bool)> {
        let mut urls = Urls::new(100);
        find_urls(html, 0, &mut urls);
        let list = urls.into_list().0.into_iter();
        list.map(|url| (url.url, url.element.to_string(), url.text, url.misleading)).collect()
    }

    fn link(url: &str, text: &str, misleading: bool) -> (String, String, Option<String>, bool) {
        (url.to_owned(), "a".to_owned(), Some(text.to_owned()).filter(|text| !text.is_empty()), misleading)
    }

    #[test]
    fn links_have_their_text() {
        let html = "<p><A class=x HREF='http://example.org/?a=1&amp;b=2'>Click\r\n <b>here</b></a> please";
        assert_eq!(found(html), [link("http://example.org/?a=1&b=2", "Click here", false)]);
        assert_eq!(
            found("<a href=http://evil.example/>bank.example</a>"),
            [link("http://evil.example/", "bank.example", true)]
        );
    }

    #[test]
    fn elements_other_than_links_have_urls_too() {
        let html = "<img src=\"http://t.example/1.gif\"><form action=\"https://f.example\"><img src=cid:1@x>\
                    <meta http-equiv=refresh content=\"0; url=http://r.example/\">";
        let elements: Vec<_> = found(html).into_iter().map(|(url, element, ..)| (url, element)).collect();
        let wanted = [("http://t.example/1.gif", "img"), ("https://f.example", "form"), ("http://r.example/", "meta")];
        assert_eq!(elements, wanted.map(|(url, element)| (url.to_owned(), element.to_owned())));
    }

    #[test]
    fn text_outside_of_links_is_looked_at_and_scripts_are_not() {
        let html = "<script>x='http://s.example'</script><!-- http://c.example -->go to http://t.example/ now";
        assert_eq!(found(html).into_iter().map(|(url, ..)| url).collect::<Vec<_>>(), ["http://t.example/"]);
    }

    #[test]
    fn broken_html_is_read_as_browsers_do() {
        assert_eq!(
            found("<a href=\"http://x.example/\">never closed"),
            [link("http://x.example/", "never closed", false)]
        );
        assert_eq!(
            found("<a href=http://x.example/>one<a href=http://y.example/>two"),
            [link("http://x.example/", "one", false), link("http://y.example/", "two", false)]
        );
    }
}
