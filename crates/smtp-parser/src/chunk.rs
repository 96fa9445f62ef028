//! Commands that bring octets with them, or have them brought: BDAT, BURL and XEXCH50.

use nom::character::complete::digit1;
use nom::{IResult, Parser};

use crate::command::{Command, CommandError};
use crate::number::decimal;
use crate::parameter::{first_word, is_blank, trim};

/// RFC 3030 §2:
/// ```text
/// bdat-cmd   ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF
/// chunk-size ::= 1*DIGIT
/// end-marker ::= "LAST"
/// ```
pub(crate) fn bdat(argument: &[u8]) -> Result<Command<'_>, CommandError> {
    let (size, rest) = chunk_size(argument)?;
    Ok(Command::Bdat { size, last: end_marker(rest)? })
}

/// RFC 4468:
/// ```text
/// burl-cmd    = "BURL" SP absolute-URI [SP end-marker] CRLF
/// end-marker  = "LAST"
/// ```
pub(crate) fn burl(argument: &[u8]) -> Result<Command<'_>, CommandError> {
    let (url, rest) = first_word(argument);
    if url.is_empty() {
        return Err(CommandError::MissingUrl);
    }
    Ok(Command::Burl { url, last: end_marker(rest)? })
}

/// `XEXCH50 <size> <recipients>`, as Exchange sends it. The second number, one more than there are recipients, decides
/// nothing here.
pub(crate) fn xexch50(argument: &[u8]) -> Result<Command<'_>, CommandError> {
    chunk_size(argument).map(|(size, _)| Command::Xexch50 { size })
}

/// A size, and what stands behind it.
fn chunk_size(argument: &[u8]) -> Result<(u64, &[u8]), CommandError> {
    let digits: IResult<&[u8], &[u8]> = digit1.parse(argument);
    let (rest, digits) = digits.map_err(|_| CommandError::ChunkSize)?;
    if rest.first().is_some_and(|&octet| !is_blank(octet)) {
        return Err(CommandError::ChunkSize);
    }
    // Leading zeros do not count; every number below 2^64 has at most twenty digits without them.
    let significant = digits.iter().position(|&digit| digit != b'0').and_then(|start| digits.get(start..));
    let size = significant.map_or(Some(0), |digits| decimal(digits, 20));
    Ok((size.ok_or(CommandError::ChunkSizeOverflow { digits: digits.len() })?, rest))
}

/// Whether `LAST` stands there; anything else but nothing is an error.
fn end_marker(rest: &[u8]) -> Result<bool, CommandError> {
    match trim(rest) {
        [] => Ok(false),
        marker if marker.eq_ignore_ascii_case(b"LAST") => Ok(true),
        marker => Err(CommandError::EndMarker { octets: marker.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3030 §4.2's sizes.
    #[test]
    fn sizes_and_end_markers() {
        assert_eq!(bdat(b"324 LAST"), Ok(Command::Bdat { size: 324, last: true }));
        assert_eq!(bdat(b"100000"), Ok(Command::Bdat { size: 100_000, last: false }));
        assert_eq!(bdat(b"0000000000000000000000005 last"), Ok(Command::Bdat { size: 5, last: true }));
        assert_eq!(bdat(b"000"), Ok(Command::Bdat { size: 0, last: false }));
        let overflow = CommandError::ChunkSizeOverflow { digits: 20 };
        assert_eq!(bdat(b"18446744073709551616"), Err(overflow));
        assert_eq!(bdat(b"5 FIRST"), Err(CommandError::EndMarker { octets: 5 }));
    }

    /// A URL as in RFC 4468's examples.
    #[test]
    fn a_url_and_an_end_marker() {
        let url = b"imap://harry@gryffindor.example.com/outbox;uidvalidity=1078863300/;uid=25;\
            urlauth=submit+harry:internal:91354a473744909de610943775f92038";
        assert_eq!(burl(&[url, &b" LAST"[..]].concat()), Ok(Command::Burl { url, last: true }));
        assert_eq!(burl(url), Ok(Command::Burl { url, last: false }));
        assert_eq!(burl(b""), Err(CommandError::MissingUrl));
        assert_eq!(burl(b"imap://x FIRST"), Err(CommandError::EndMarker { octets: 5 }));
    }

    #[test]
    fn the_blob_of_exchange() {
        assert_eq!(xexch50(b"1096 2"), Ok(Command::Xexch50 { size: 1096 }));
        assert_eq!(xexch50(b"1096"), Ok(Command::Xexch50 { size: 1096 }));
        assert_eq!(xexch50(b"-1 2"), Err(CommandError::ChunkSize));
        assert_eq!(xexch50(b""), Err(CommandError::ChunkSize));
    }
}
