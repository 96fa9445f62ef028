//! How real lines differ from the grammar of RFC 5321. A deviation is recorded beside what was read, never instead of
//! it.

use std::fmt;

/// One way in which a line departs from the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Deviation {
    /// The line ended in LF without CR (RFC 5321 §2.3.8).
    BareLf,
    /// The line ended in more than one CR before its LF.
    RepeatedCr,
    /// A CR inside the line (RFC 5321 §2.3.8: CR and LF occur as CRLF only).
    BareCr,
    /// A NUL inside the line.
    Nul,
    /// The stream ended inside the line, or went on without the line's end.
    Unterminated,
    /// The line, or the reply, was longer than its limit; what was read stops there.
    Truncated,
    /// White space before the verb.
    LeadingBlank,
    /// White space before the line's end.
    TrailingBlank,
    /// Between the verb and its argument, or before a parameter of MAIL or RCPT, stands something other than one SP.
    ExtraBlank,
    /// `MAIL FROM :<…>`.
    BlankBeforeColon,
    /// `MAIL FROM: <…>`.
    BlankAfterColon,
    /// `MAIL FROM <…>`, `MAIL FROM=<…>`.
    MissingColon,
    /// `MAIL <…>`: something else stands in the place of `FROM:` or `TO:`, or nothing.
    MissingKeyword,
    /// `<…>SIZE=1`: no blank between the path and what follows it.
    NoBlankAfterPath,
    /// `MAIL FROM:a@b`: neither bracket.
    MissingBrackets,
    /// `MAIL FROM:a@b>`.
    MissingOpeningBracket,
    /// `MAIL FROM:<a@b`.
    MissingClosingBracket,
    /// `<<a@b>>`.
    RepeatedBracket,
    /// `< a@b >`: blanks inside the brackets.
    BlankInBrackets,
    /// `<@a:@b:c@d>`: a source route whose domains have no commas between them.
    SourceRouteSyntax,
    /// `MAIL FROM:Name <a@b>`: words before the brackets.
    DisplayName,
    /// A quoted local part whose closing quote is missing.
    UnbalancedQuote,
    /// A local part that is neither Dot-string nor Quoted-string (RFC 5321 §4.1.2): `a..b@c`.
    LocalPartSyntax,
    /// A domain that is none (RFC 5321 §4.1.2): `a@b_c`, `a@b.`.
    DomainSyntax,
    /// An address literal that is none (RFC 5321 §4.1.3): `[2001:db8::1]` without its tag.
    AddressLiteralSyntax,
    /// An address without a domain, in a place where not even `<Postmaster>` may have none.
    MissingDomain,
    /// `RCPT TO:<>`; only a reverse-path may be null.
    NullForwardPath,
    /// Octets over 127 in a path that are not UTF-8 (RFC 6531 §3.3).
    InvalidUtf8,
    /// UTF-8 in the path of a MAIL command without the parameter SMTPUTF8 (RFC 6531 §3.4).
    UndeclaredUtf8,
    /// A parameter whose keyword is none, or whose value its standard does not allow, or that stands there twice.
    ParameterSyntax,
    /// A verb whose grammar asks for an argument stands alone.
    MissingArgument,
    /// The lines of one reply carry different codes; the last one counts.
    MixedCodes,
    /// The first digit of a reply code is not 2 to 5, or the second not 0 to 5 (RFC 5321 §4.2).
    CodeOutOfRange,
    /// The last line of a reply is a code without text.
    MissingText,
    /// Inside a multi-line reply stood a line that is no reply line; it is kept as text.
    ForeignLine,
    /// A multi-line reply ended, by force, before its last line.
    Incomplete,
    /// The enhanced status code is of another class than the reply code (RFC 2034 §4).
    EnhancedClassMismatch,
    /// Octets are missing from the capture inside this reply.
    Gap,
}

impl Deviation {
    /// All of them, in order.
    pub const ALL: [Self; 38] = [
        Self::BareLf,
        Self::RepeatedCr,
        Self::BareCr,
        Self::Nul,
        Self::Unterminated,
        Self::Truncated,
        Self::LeadingBlank,
        Self::TrailingBlank,
        Self::ExtraBlank,
        Self::BlankBeforeColon,
        Self::BlankAfterColon,
        Self::MissingColon,
        Self::MissingKeyword,
        Self::NoBlankAfterPath,
        Self::MissingBrackets,
        Self::MissingOpeningBracket,
        Self::MissingClosingBracket,
        Self::RepeatedBracket,
        Self::BlankInBrackets,
        Self::SourceRouteSyntax,
        Self::DisplayName,
        Self::UnbalancedQuote,
        Self::LocalPartSyntax,
        Self::DomainSyntax,
        Self::AddressLiteralSyntax,
        Self::MissingDomain,
        Self::NullForwardPath,
        Self::InvalidUtf8,
        Self::UndeclaredUtf8,
        Self::ParameterSyntax,
        Self::MissingArgument,
        Self::MixedCodes,
        Self::CodeOutOfRange,
        Self::MissingText,
        Self::ForeignLine,
        Self::Incomplete,
        Self::EnhancedClassMismatch,
        Self::Gap,
    ];

    /// The name as it stands in a report: `bare_lf`, `blank_after_colon`, ….
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "bare_lf",
            Self::RepeatedCr => "repeated_cr",
            Self::BareCr => "bare_cr",
            Self::Nul => "nul",
            Self::Unterminated => "unterminated",
            Self::Truncated => "truncated",
            Self::LeadingBlank => "leading_blank",
            Self::TrailingBlank => "trailing_blank",
            Self::ExtraBlank => "extra_blank",
            Self::BlankBeforeColon => "blank_before_colon",
            Self::BlankAfterColon => "blank_after_colon",
            Self::MissingColon => "missing_colon",
            Self::MissingKeyword => "missing_keyword",
            Self::NoBlankAfterPath => "no_blank_after_path",
            Self::MissingBrackets => "missing_brackets",
            Self::MissingOpeningBracket => "missing_opening_bracket",
            Self::MissingClosingBracket => "missing_closing_bracket",
            Self::RepeatedBracket => "repeated_bracket",
            Self::BlankInBrackets => "blank_in_brackets",
            Self::SourceRouteSyntax => "source_route_syntax",
            Self::DisplayName => "display_name",
            Self::UnbalancedQuote => "unbalanced_quote",
            Self::LocalPartSyntax => "local_part_syntax",
            Self::DomainSyntax => "domain_syntax",
            Self::AddressLiteralSyntax => "address_literal_syntax",
            Self::MissingDomain => "missing_domain",
            Self::NullForwardPath => "null_forward_path",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::UndeclaredUtf8 => "undeclared_utf8",
            Self::ParameterSyntax => "parameter_syntax",
            Self::MissingArgument => "missing_argument",
            Self::MixedCodes => "mixed_codes",
            Self::CodeOutOfRange => "code_out_of_range",
            Self::MissingText => "missing_text",
            Self::ForeignLine => "foreign_line",
            Self::Incomplete => "incomplete",
            Self::EnhancedClassMismatch => "enhanced_class_mismatch",
            Self::Gap => "gap",
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of [`Deviation`]s; empty for a line that keeps to the grammar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Deviations(u64);

impl Deviations {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether the line kept to the grammar.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `deviation` was recorded.
    pub const fn contains(self, deviation: Deviation) -> bool {
        self.0 & Self::bit(deviation) != 0
    }

    /// Records `deviation`.
    pub const fn insert(&mut self, deviation: Deviation) {
        self.0 |= Self::bit(deviation);
    }

    /// Records `deviation` where `condition` holds.
    pub const fn insert_if(&mut self, condition: bool, deviation: Deviation) {
        if condition {
            self.insert(deviation);
        }
    }

    /// Both sets in one.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The recorded deviations, in the order of [`Deviation::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Deviation> {
        Deviation::ALL.into_iter().filter(move |&deviation| self.contains(deviation))
    }

    const fn bit(deviation: Deviation) -> u64 {
        1 << deviation as u32
    }
}

impl From<Deviation> for Deviations {
    fn from(deviation: Deviation) -> Self {
        Self(Self::bit(deviation))
    }
}

impl FromIterator<Deviation> for Deviations {
    fn from_iter<I: IntoIterator<Item = Deviation>>(deviations: I) -> Self {
        deviations.into_iter().fold(Self::NONE, |set, deviation| set.union(deviation.into()))
    }
}

impl fmt::Debug for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deviation_has_a_place_and_a_name_of_its_own() {
        let everything: Deviations = Deviation::ALL.into_iter().collect();
        assert_eq!(everything.iter().count(), Deviation::ALL.len());
        let names: std::collections::BTreeSet<_> = Deviation::ALL.iter().map(|d| d.as_str()).collect();
        assert_eq!(names.len(), Deviation::ALL.len());
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let mut set = Deviations::NONE;
        assert!(set.is_empty());
        set.insert(Deviation::Gap);
        set.insert_if(false, Deviation::BareLf);
        assert!(set.contains(Deviation::Gap) && !set.contains(Deviation::BareLf));
    }
}
