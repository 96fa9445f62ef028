//! URLs that are secrets. RFC 4467: whoever has the URL with its URLAUTH may read what it names.

/// Splits a URL where its authorization begins; nothing stands behind the split where it has none.
///
/// RFC 4467 §3: `enc-urlauth = 32*HEXDIG`, and before it `";URLAUTH=" access iuav`, with access and mechanism between.
pub(super) fn split(url: &[u8]) -> (&[u8], &[u8]) {
    let at = url.windows(MARK.len()).position(|part| part.eq_ignore_ascii_case(MARK));
    let end = at.map_or(url.len(), |at| at.saturating_add(MARK.len()));
    url.split_at_checked(end).unwrap_or((url, &[]))
}

const MARK: &[u8] = b";URLAUTH=";

#[cfg(test)]
mod tests {
    use super::*;

    /// The URL of RFC 4468's examples.
    #[test]
    fn the_authorization_is_split_off() {
        let url = b"imap://harry@gryffindor.example.com/outbox;uid=25;urlauth=submit+harry:internal:91354a473744909d";
        let (shown, secret) = split(url);
        assert!(shown.ends_with(b";uid=25;urlauth=") && secret.starts_with(b"submit+harry:internal:"));
        assert_eq!(split(b"imap://x/;uid=2"), (&b"imap://x/;uid=2"[..], &b""[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }
}
