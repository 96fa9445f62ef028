//! The argument of MAIL and RCPT: a keyword, a path, and parameters.

use nom::bytes::complete::{tag, tag_no_case, take_while};
use nom::{IResult, Parser};

use crate::command::{Command, CommandError};
use crate::deviation::{Deviation, Deviations};
use crate::esmtp::Parameter;
use crate::parameter::{Parameters, is_blank, trim};
use crate::path::{Path, path};

/// RFC 5321 §4.1.1.2: `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`.
pub(crate) fn reverse_path<'a>(argument: &'a [u8], deviations: &mut Deviations) -> Result<Command<'a>, CommandError> {
    let (path, parameters) = path_and_parameters("FROM", argument, deviations)?;
    deviations.insert_if(!path.is_null() && path.domain().is_none(), Deviation::MissingDomain);
    let is_undeclared = !path.raw.is_ascii()
        && !path.deviations.contains(Deviation::InvalidUtf8)
        && parameters.value_of("SMTPUTF8").is_none();
    deviations.insert_if(is_undeclared, Deviation::UndeclaredUtf8);
    Ok(Command::Mail { path, parameters })
}

/// RFC 5321 §4.1.1.3:
/// ```text
/// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
///      ; Note that, in a departure from the usual rules for local-parts, the "Postmaster" string shown above is
///      ; treated as case-insensitive.
/// ```
pub(crate) fn forward_path<'a>(argument: &'a [u8], deviations: &mut Deviations) -> Result<Command<'a>, CommandError> {
    let (path, parameters) = path_and_parameters("TO", argument, deviations)?;
    deviations.insert_if(path.is_null(), Deviation::NullForwardPath);
    let may_be_without_domain = path.is_null() || path.mailbox.eq_ignore_ascii_case(b"Postmaster");
    deviations.insert_if(!may_be_without_domain && path.domain().is_none(), Deviation::MissingDomain);
    Ok(Command::Rcpt { path, parameters })
}

/// `FROM:` or `TO:`, a path, and ESMTP parameters (RFC 5321 §4.1.1.2, §4.1.1.3).
///
/// > Since it has been a common source of errors, it is worth noting that spaces are not permitted on either side of
/// > the colon following FROM in the MAIL command or TO in the RCPT command.
fn path_and_parameters<'a>(
    keyword: &'static str,
    argument: &'a [u8],
    deviations: &mut Deviations,
) -> Result<(Path<'a>, Parameters<'a>), CommandError> {
    let rest = keyword_and_colon(keyword, argument, deviations)
        .or_else(|| bracket(argument, deviations))
        .ok_or(CommandError::MissingKeyword { wanted: if keyword == "TO" { "TO:" } else { "FROM:" } })?;
    let (rest, path) = path(rest).ok_or(CommandError::MissingPath)?;
    *deviations = deviations.union(path.deviations);
    deviations.insert_if(rest.first().is_some_and(|&octet| !is_blank(octet)), Deviation::NoBlankAfterPath);
    let parameters = Parameters::new(trim(rest));
    // `[SP Mail-parameters]`, `*(SP esmtp-param)`: one SP before each.
    let has_extra_blank = rest.contains(&b'\t') || rest.windows(2).any(|pair| pair == b"  ");
    deviations.insert_if(has_extra_blank, Deviation::ExtraBlank);
    let is_invalid = parameters.typed().any(|(_, meaning)| meaning == Parameter::Invalid) || repeats_one(parameters);
    deviations.insert_if(is_invalid, Deviation::ParameterSyntax);
    Ok((path, parameters))
}

/// Parameters of a command that are compared with each other: more than all standards together have.
const PARAMETERS_COMPARED: usize = 16;

/// Whether a parameter stands there twice: no standard says which one counts.
fn repeats_one(parameters: Parameters<'_>) -> bool {
    let keywords = || parameters.map(|(keyword, _)| keyword).take(PARAMETERS_COMPARED);
    let is_repeated =
        |(before, keyword): (usize, &[u8])| keywords().take(before).any(|other| other.eq_ignore_ascii_case(keyword));
    keywords().enumerate().any(is_repeated)
}

/// What stands behind the keyword, its colon, and the blanks around it. Where the colon is missing, a blank or the
/// path's bracket must show that the keyword has ended.
fn keyword_and_colon<'a>(keyword: &'static str, input: &'a [u8], deviations: &mut Deviations) -> Option<&'a [u8]> {
    let keyword: IResult<&[u8], (&[u8], &[u8])> = (tag_no_case(keyword), take_while(is_blank)).parse(input);
    let (rest, (_, before)) = keyword.ok()?;
    let colon: IResult<&[u8], (&[u8], &[u8])> = (tag(":"), take_while(is_blank)).parse(rest);
    match colon {
        Ok((rest, (_, after))) => {
            deviations.insert_if(!before.is_empty(), Deviation::BlankBeforeColon);
            deviations.insert_if(!after.is_empty(), Deviation::BlankAfterColon);
            Some(rest)
        }
        Err(_) if rest.starts_with(b"=<") => {
            deviations.insert(Deviation::MissingColon);
            rest.get(1..)
        }
        Err(_) if rest.starts_with(b"<") || (!before.is_empty() && !rest.is_empty()) => {
            deviations.insert(Deviation::MissingColon);
            Some(rest)
        }
        Err(_) => None,
    }
}

/// Without the keyword, a bracket alone shows where the path begins.
fn bracket<'a>(input: &'a [u8], deviations: &mut Deviations) -> Option<&'a [u8]> {
    let path = input.get(memchr::memchr(b'<', input)?..)?;
    deviations.insert(Deviation::MissingKeyword);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = fn(&'static [u8], &mut Deviations) -> Result<Command<'static>, CommandError>;

    /// The address that `argument` gives, and how it departs from the grammar.
    #[track_caller]
    fn gives(read: Read, argument: &'static str, address: &str, wanted: &[Deviation]) {
        let mut deviations = Deviations::NONE;
        match read(argument.as_bytes(), &mut deviations).unwrap() {
            Command::Mail { path, .. } | Command::Rcpt { path, .. } => assert_eq!(path.mailbox, address.as_bytes()),
            other => panic!("{other:?}"),
        }
        assert_eq!(deviations, wanted.iter().copied().collect(), "{argument}");
    }

    #[test]
    fn without_a_colon_the_address_is_still_found() {
        gives(reverse_path, "FROM <a@b>", "a@b", &[Deviation::MissingColon]);
        gives(reverse_path, "FROM<a@b>", "a@b", &[Deviation::MissingColon]);
        gives(forward_path, "to a@b", "a@b", &[Deviation::MissingColon, Deviation::MissingBrackets]);
        gives(reverse_path, "FROM=<a@b>", "a@b", &[Deviation::MissingColon]);
        for argument in ["<a@b>", "FORM:<a@b>", "FROMAGE <a@b>"] {
            gives(reverse_path, argument, "a@b", &[Deviation::MissingKeyword]);
            gives(forward_path, argument, "a@b", &[Deviation::MissingKeyword]);
        }
        for argument in ["FROM", "FROM ", "FROMAGE a@b", "a@b"] {
            let error = reverse_path(argument.as_bytes(), &mut Deviations::NONE.clone());
            assert_eq!(error, Err(CommandError::MissingKeyword { wanted: "FROM:" }), "{argument}");
        }
    }

    /// RFC 5321 §4.1.1.3: "<Postmaster>" alone has no domain, in any case; §4.5.5: the null path is a reverse-path.
    #[test]
    fn what_only_one_of_the_two_may_be() {
        gives(forward_path, "TO:<postMASTER>", "postMASTER", &[]);
        gives(forward_path, "TO:<root>", "root", &[Deviation::MissingDomain]);
        gives(reverse_path, "FROM:<Postmaster>", "Postmaster", &[Deviation::MissingDomain]);
        gives(reverse_path, "FROM:<>", "", &[]);
        gives(forward_path, "TO:<>", "", &[Deviation::NullForwardPath]);
    }

    /// RFC 6531 §3.4: the parameter SMTPUTF8 says that the path is UTF-8.
    #[test]
    fn utf_8_is_to_be_declared() {
        gives(reverse_path, "FROM:<и@x> SMTPUTF8", "и@x", &[]);
        gives(reverse_path, "FROM:<и@x>", "и@x", &[Deviation::UndeclaredUtf8]);
        // Whether it was is MAIL's affair.
        gives(forward_path, "TO:<и@x>", "и@x", &[]);
    }

    #[test]
    fn parameters_that_are_none() {
        gives(reverse_path, "FROM:<a@b> SIZE=1 BODY=8BITMIME", "a@b", &[]);
        gives(reverse_path, "FROM:<a@b> SIZE=x", "a@b", &[Deviation::ParameterSyntax]);
        gives(reverse_path, "FROM:<a@b>> SIZE=1", "a@b", &[Deviation::NoBlankAfterPath, Deviation::ParameterSyntax]);
        gives(forward_path, "TO:<a@b> (a comment)", "a@b", &[Deviation::ParameterSyntax]);
        gives(reverse_path, "FROM:<a@b> SIZE=1 size=2", "a@b", &[Deviation::ParameterSyntax]);
    }

    /// RFC 5321 §4.1.1.2: `"MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`; §4.1.2: `*(SP esmtp-param)`.
    #[test]
    fn one_blank_stands_before_a_parameter() {
        for argument in ["FROM:<a@b>  SIZE=1", "FROM:<a@b>\tSIZE=1", "FROM:<a@b> SIZE=1  BODY=7BIT"] {
            gives(reverse_path, argument, "a@b", &[Deviation::ExtraBlank]);
        }
    }
}
