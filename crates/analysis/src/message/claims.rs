//! What a message claims of itself: signatures (RFC 6376), results of authentication (RFC 8601), the chain of those that
//! handled it (RFC 8617), and its mailing list (RFC 2369, RFC 2919, RFC 8058). Nothing of it is verified here.

use std::borrow::Cow;

use serde::Serialize;

use super::authentication::{AuthenticationResults, MethodResult};
use super::encoded_word::decoded;
use super::lexical::{Cursor, without_blanks};

/// The claims of a message, each kind in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Claims<'a> {
    /// Authentication-Results, the topmost first, which the last server put there.
    pub authentication_results: Vec<AuthenticationResults<'a>>,
    /// DKIM-Signature.
    pub dkim_signatures: Vec<DkimSignature<'a>>,
    /// ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results.
    pub arc: Vec<ArcField<'a>>,
    /// The List- fields; `None` where there is none of them.
    pub list: Option<MailingList<'a>>,
}

/// Tags of a DKIM-Signature (RFC 6376 §3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DkimSignature<'a> {
    /// `d=`: who signs.
    pub domain: Option<Cow<'a, str>>,
    /// `s=`: under which name the key is published.
    pub selector: Option<Cow<'a, str>>,
    /// `i=`: for which user or agent; `None` where it is left out, and then `@` and the domain is meant.
    pub identity: Option<Cow<'a, str>>,
    /// `a=`.
    pub algorithm: Option<Cow<'a, str>>,
}

/// A field of the Authenticated Received Chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArcField<'a> {
    /// Which one.
    pub field: ArcKind,
    /// `i=`: number in the chain, 1 to 50.
    pub instance: Option<u32>,
    /// `cv=` of a seal: how the sealer found the chain, `none`, `pass` or `fail`.
    pub cv: Option<Cow<'a, str>>,
    /// `d=`.
    pub domain: Option<Cow<'a, str>>,
    /// `s=`.
    pub selector: Option<Cow<'a, str>>,
    /// Whose results these are.
    pub authserv_id: Option<Cow<'a, str>>,
    /// The results.
    pub results: Vec<MethodResult<'a>>,
}

/// The fields of the Authenticated Received Chain (RFC 8617 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArcKind {
    /// ARC-Seal.
    Seal,
    /// ARC-Message-Signature.
    MessageSignature,
    /// ARC-Authentication-Results.
    AuthenticationResults,
}

/// The List- fields. Each has the URLs in its angle brackets, in the order of preference; List-Post may have `NO`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MailingList<'a> {
    /// What stands in the angle brackets of List-Id.
    pub id: Option<Cow<'a, str>>,
    /// The text before them.
    pub description: Option<Cow<'a, str>>,
    /// List-Archive.
    pub archive: Vec<Cow<'a, str>>,
    /// List-Help.
    pub help: Vec<Cow<'a, str>>,
    /// List-Owner.
    pub owner: Vec<Cow<'a, str>>,
    /// List-Post.
    pub post: Vec<Cow<'a, str>>,
    /// List-Subscribe.
    pub subscribe: Vec<Cow<'a, str>>,
    /// List-Unsubscribe.
    pub unsubscribe: Vec<Cow<'a, str>>,
    /// Whether List-Unsubscribe-Post offers it (RFC 8058).
    pub one_click: bool,
}

/// How many claims may still be kept, and how many more there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    left: usize,
    pub(super) further: u64,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { left: limit, further: 0 }
    }

    /// Whether another one may be kept.
    pub(super) fn spend(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => self.further += 1,
        }
        self.further == 0
    }
}

/// The fields that make claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    AuthenticationResults,
    Dkim,
    Arc(ArcKind),
    ListId,
    ListUrls(ListUrls),
    ListUnsubscribePost,
}

/// The fields of RFC 2369.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListUrls {
    Archive,
    Help,
    Owner,
    Post,
    Subscribe,
    Unsubscribe,
}

impl<'a> Claims<'a> {
    pub(super) fn add(&mut self, claim: Claim, body: &'a [u8], budget: &mut Budget) {
        match claim {
            Claim::AuthenticationResults if budget.spend() => {
                self.authentication_results.push(AuthenticationResults::parse(&mut Cursor::new(body), budget));
            }
            Claim::Dkim if budget.spend() => self.dkim_signatures.push(DkimSignature::parse(body)),
            Claim::Arc(kind) if budget.spend() => self.arc.push(ArcField::parse(kind, body, budget)),
            Claim::ListId if budget.spend() => self.list.get_or_insert_default().add_id(body),
            Claim::ListUrls(field) => self.list.get_or_insert_default().add_urls(field, body, budget),
            // > List-Unsubscribe-Post: List-Unsubscribe=One-Click
            Claim::ListUnsubscribePost => {
                let list = self.list.get_or_insert_default();
                list.one_click |= without_blanks(body).eq_ignore_ascii_case("List-Unsubscribe=One-Click");
            }
            _ => {}
        }
    }
}

impl<'a> DkimSignature<'a> {
    fn parse(body: &'a [u8]) -> Self {
        let mut found = Self::default();
        for (name, value) in tags(body) {
            let place = match name {
                b"d" => &mut found.domain,
                b"s" => &mut found.selector,
                b"i" => &mut found.identity,
                b"a" => &mut found.algorithm,
                _ => continue,
            };
            place.get_or_insert_with(|| without_blanks(value));
        }
        found
    }
}

impl<'a> ArcField<'a> {
    fn parse(kind: ArcKind, body: &'a [u8], budget: &mut Budget) -> Self {
        let mut found = Self {
            field: kind,
            instance: None,
            cv: None,
            domain: None,
            selector: None,
            authserv_id: None,
            results: Vec::new(),
        };
        let number = |value: &[u8]| without_blanks(value).parse().ok();
        if kind == ArcKind::AuthenticationResults {
            // > arc-info = instance [CFWS] ";" authres-payload (RFC 8617 §4.1.1)
            let end = memchr::memchr(b';', body).unwrap_or(body.len());
            let (instance, payload) = body.split_at_checked(end).unwrap_or_default();
            let instance = tags(instance).find(|&(name, _)| name == b"i");
            found.instance = instance.and_then(|(_, value)| number(value));
            let payload = if instance.is_some() { payload.get(1..).unwrap_or_default() } else { body };
            let AuthenticationResults { authserv_id, results } =
                AuthenticationResults::parse(&mut Cursor::new(payload), budget);
            (found.authserv_id, found.results) = (authserv_id, results);
            return found;
        }
        for (name, value) in tags(body) {
            match name {
                b"i" if found.instance.is_none() => found.instance = number(value),
                b"cv" => found.cv = Some(without_blanks(value)),
                b"d" => found.domain = Some(without_blanks(value)),
                b"s" => found.selector = Some(without_blanks(value)),
                _ => {}
            }
        }
        found
    }
}

impl<'a> MailingList<'a> {
    /// > list-id-header = "List-ID:" [phrase] "<" list-id ">" CRLF (RFC 2919 §3)
    ///
    /// Without brackets, all of it is the identifier.
    fn add_id(&mut self, body: &'a [u8]) {
        let body = body.trim_ascii();
        let open = memchr::memrchr(b'<', body);
        let (before, inside) = open.and_then(|at| body.split_at_checked(at)).unwrap_or((&[], body));
        let inside = inside.strip_prefix(b"<").unwrap_or(inside);
        let id = inside.split(|&octet| octet == b'>').next().unwrap_or_default();
        let mut description = super::address::mailboxes(before).into_iter().filter_map(|mailbox| mailbox.name);
        self.id.get_or_insert_with(|| without_blanks(id));
        if self.description.is_none() {
            self.description = description.next();
        }
    }

    /// > The contents of the list header fields mostly consist of angle-bracket ('<', '>') enclosed URLs, with internal
    /// > whitespace being ignored. […] multiple alternatives, in a comma-separated list (RFC 2369 §2)
    fn add_urls(&mut self, field: ListUrls, body: &'a [u8], budget: &mut Budget) {
        let place = match field {
            ListUrls::Archive => &mut self.archive,
            ListUrls::Help => &mut self.help,
            ListUrls::Owner => &mut self.owner,
            ListUrls::Post => &mut self.post,
            ListUrls::Subscribe => &mut self.subscribe,
            ListUrls::Unsubscribe => &mut self.unsubscribe,
        };
        let mut cursor = Cursor::new(body);
        loop {
            cursor.skip_cfws();
            let url = match cursor.peek() {
                None => return,
                Some(b'<') => {
                    cursor.skip(1);
                    let url = without_blanks(cursor.take_while(|octet| octet != b'>'));
                    cursor.eat(b'>');
                    url
                }
                Some(b',') => {
                    cursor.skip(1);
                    continue;
                }
                // `NO`, and URLs whose brackets are missing.
                Some(_) => {
                    let from = cursor.at();
                    cursor.skip(1);
                    cursor.take_while(|octet| !matches!(octet, b',' | b'(' | b'<' | b' ' | b'\t' | b'\r' | b'\n'));
                    decoded(cursor.between(from, cursor.at()))
                }
            };
            if !url.is_empty() && budget.spend() {
                place.push(url);
            }
        }
    }
}

/// > tag-list = tag-spec *( ";" tag-spec ) [ ";" ]; tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS] (RFC 6376 §3.2)
fn tags(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|&octet| octet == b';').filter_map(|tag| {
        let (name, value) = tag.split_at_checked(memchr::memchr(b'=', tag)?)?;
        Some((name.trim_ascii(), value.get(1..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims<'a>(fields: &[(Claim, &'a str)], limit: usize) -> (Claims<'a>, u64) {
        let (mut claims, mut budget) = (Claims::default(), Budget::new(limit));
        fields.iter().for_each(|&(claim, body)| claims.add(claim, body.as_bytes(), &mut budget));
        (claims, budget.further)
    }

    /// RFC 6376 appendix A.2.
    #[test]
    fn a_signature_names_domain_selector_and_identity() {
        let body = " v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n      h=Received : From : To : Subject : Date : Message-ID;\r\n      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n      4bmp/YzhwvcubU4=;";
        let (claims, _) = claims(&[(Claim::Dkim, body)], 10);
        let expected = DkimSignature {
            domain: Some("example.com".into()),
            selector: Some("brisbane".into()),
            identity: Some("joe@football.example.com".into()),
            algorithm: Some("rsa-sha256".into()),
        };
        assert_eq!(claims.dkim_signatures, [expected]);
        assert!(claims.list.is_none() && claims.arc.is_empty());
    }

    #[test]
    fn tags_may_be_folded_and_are_left_out_where_they_are() {
        let (claims, _) = claims(
            &[(Claim::Dkim, "d = exam\r\n ple.com ;s=\r\n s1; =; junk; d=other.example"), (Claim::Dkim, "")],
            10,
        );
        let [first, second] = claims.dkim_signatures.try_into().expect("two");
        assert_eq!(
            (first.domain.as_deref(), first.selector.as_deref(), first.identity),
            (Some("example.com"), Some("s1"), None)
        );
        assert_eq!(second, DkimSignature::default());
    }

    /// RFC 8617 appendix B.
    #[test]
    fn the_fields_of_a_chain_in_order() {
        let seal = " i=1; a=rsa-sha256; t=1421363105; cv=none; d=lists.example.org; s=dk-lists; b=TlCCKzgk3TrAa";
        let signature =
            " i=1; a=rsa-sha256; c=relaxed/relaxed; d=lists.example.org; s=dk-lists; t=1421363105; h=subject:from; b=x";
        let results = " i=1; lists.example.org;\r\n    spf=pass smtp.mfrom=jqd@d1.example;\r\n    dkim=pass (512-bit key) header.i=@d1.example;\r\n    dmarc=pass";
        let (claims, _) = claims(
            &[
                (Claim::Arc(ArcKind::Seal), seal),
                (Claim::Arc(ArcKind::MessageSignature), signature),
                (Claim::Arc(ArcKind::AuthenticationResults), results),
            ],
            20,
        );
        let [seal, signature, results] = claims.arc.try_into().expect("three");
        assert_eq!(
            (seal.instance, seal.cv.as_deref(), seal.domain.as_deref()),
            (Some(1), Some("none"), Some("lists.example.org"))
        );
        assert_eq!(
            (signature.instance, signature.cv, signature.selector.as_deref()),
            (Some(1), None, Some("dk-lists"))
        );
        assert_eq!(
            (results.instance, results.authserv_id.as_deref(), results.domain),
            (Some(1), Some("lists.example.org"), None)
        );
        let methods: Vec<_> = results.results.iter().map(|result| (&*result.method, &*result.result)).collect();
        assert_eq!(methods, [("spf", "pass"), ("dkim", "pass"), ("dmarc", "pass")]);
    }

    /// RFC 2369 §3 and RFC 2919 §3.
    #[test]
    fn the_fields_of_a_mailing_list() {
        let (claims, _) = claims(
            &[
                (
                    Claim::ListId,
                    " \"Lena's Personal Joke List\"\r\n          <lenas-jokes.da39efc25c530ad145d41b86f7420c3b.021999.localhost>",
                ),
                (Claim::ListUrls(ListUrls::Help), " <mailto:list@host.com?subject=help> (List Instructions)"),
                (
                    Claim::ListUrls(ListUrls::Unsubscribe),
                    "\r\n     <http://www.host.com/list.cgi?cmd=unsub&lst=list>,\r\n     <mailto:list-request@host.com?subject=unsubscribe>",
                ),
                (Claim::ListUrls(ListUrls::Post), " NO (posting not allowed on this list)"),
                (Claim::ListUrls(ListUrls::Owner), " <mailto:listmom@\r\n host.com> (Contact Person for Help)"),
                (Claim::ListUrls(ListUrls::Archive), " <ftp://ftp.host.com/list/archive/>"),
                (
                    Claim::ListUrls(ListUrls::Subscribe),
                    " (Use this command to join the list)\r\n   <mailto:list-manager@host.com?body=subscribe%20list>",
                ),
                (Claim::ListUnsubscribePost, " List-Unsubscribe=One-Click"),
            ],
            20,
        );
        let list = claims.list.expect("a list");
        assert_eq!(list.id.as_deref(), Some("lenas-jokes.da39efc25c530ad145d41b86f7420c3b.021999.localhost"));
        assert_eq!(list.description.as_deref(), Some("Lena's Personal Joke List"));
        assert_eq!(list.help, ["mailto:list@host.com?subject=help"]);
        assert_eq!(
            list.unsubscribe,
            ["http://www.host.com/list.cgi?cmd=unsub&lst=list", "mailto:list-request@host.com?subject=unsubscribe"]
        );
        assert_eq!(list.post, ["NO"]);
        assert_eq!(list.owner, ["mailto:listmom@host.com"]);
        assert_eq!(list.archive, ["ftp://ftp.host.com/list/archive/"]);
        assert_eq!(list.subscribe, ["mailto:list-manager@host.com?body=subscribe%20list"]);
        assert!(list.one_click);
    }

    /// RFC 2919 §3: the phrase is optional.
    #[test]
    fn a_list_without_a_name() {
        let id = |body| claims(&[(Claim::ListId, body)], 1).0.list.and_then(|list| list.id.map(Cow::into_owned));
        assert_eq!(
            id(" <commonspace-users.list-id.within.com>").as_deref(),
            Some("commonspace-users.list-id.within.com")
        );
        assert_eq!(id(" bare.example.org").as_deref(), Some("bare.example.org"));
    }

    /// A result, each of its properties, a signature, a field of a chain and a URL are one claim each.
    #[test]
    fn claims_beyond_the_limit_are_counted() {
        let fields = [
            (Claim::AuthenticationResults, "a; spf=pass smtp.mailfrom=b; dkim=pass"),
            (Claim::Dkim, "d=a"),
            (Claim::ListUrls(ListUrls::Help), "<a>, <b>"),
        ];
        assert_eq!(claims(&fields, 7).1, 0);
        let (kept, further) = claims(&fields, 3);
        assert_eq!(further, 4);
        assert_eq!(kept.authentication_results.iter().map(|results| results.results.len()).sum::<usize>(), 1);
        assert!(kept.dkim_signatures.is_empty());
    }
}
