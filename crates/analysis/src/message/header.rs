//! Reads a header: each field once, in order, as what it is.
//!
//! RFC 5322 §3.6 allows most fields once, and real mail has them more than once. All of them stand in `headers`. Of addresses
//! none is lost: those of all such fields count, in order. Of Subject, Date and Message-ID the first one counts. Readers
//! differ: Python's `email` gives the first of each, mutt shows the first Subject and the last Date and Message-ID. The first
//! it is because a field put on top of a signed message is what RFC 6376 §8.15 warns of.

use std::borrow::Cow;

use serde::Serialize;

use super::address::mailboxes;
use super::claims::{ArcKind, Budget, Claim, Claims, ListUrls};
use super::date::DateTime;
use super::encoded_word::{decoded, unfolded};
use super::field::{RawField, RawFields};
use super::lexical::{Cursor, is_blank, text, without_cfws};
use super::received::{self, Hop};
use super::{Fields, MessageOptions};

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header<'a> {
    /// As sent.
    pub name: Cow<'a, str>,
    /// Unfolded, encoded words decoded.
    pub value: Cow<'a, str>,
}

/// What the header says.
pub(super) fn read<'a>(octets: &'a [u8], options: &MessageOptions) -> Fields<'a> {
    let mut fields = Fields { headers: options.headers.then(Vec::new), ..Fields::default() };
    let mut trace = Trace::new(options);
    let mut date = None;
    let mut lines = RawFields::new(octets);
    for RawField { name, body } in lines.by_ref() {
        let mut value = None;
        match Known::of(name) {
            Some(Known::From) => fields.from.extend(mailboxes(body)),
            Some(Known::To) => fields.to.extend(mailboxes(body)),
            Some(Known::Cc) => fields.cc.extend(mailboxes(body)),
            Some(Known::ReplyTo) => fields.reply_to.extend(mailboxes(body)),
            Some(Known::OtherRecipients) => fields.other_recipients.extend(mailboxes(body)),
            Some(Known::Date) => {
                date.get_or_insert_with(|| DateTime::parse(body));
            }
            Some(Known::MessageId) if fields.message_id.is_none() => fields.message_id = message_id(body),
            Some(Known::Subject) if fields.subject.is_none() => {
                let subject = decoded(body);
                value = options.headers.then(|| subject.clone());
                fields.subject = Some(subject);
            }
            Some(Known::Received) => {
                trace.add_hop(body);
                // > An 'encoded-word' MUST NOT be used in a Received header field. (RFC 2047 §5)
                value = options.headers.then(|| unfolded(body));
            }
            Some(Known::Claim(claim)) => trace.claims.add(claim, body, &mut trace.budget),
            _ => {}
        }
        if let Some(headers) = &mut fields.headers {
            let value = value.unwrap_or_else(|| decoded(body));
            headers.push(Header { name: text(name), value });
        }
    }
    received::measure(&mut trace.hops);
    fields.date = date.flatten();
    fields.is_whole = lines.has_end();
    fields.received = trace.hops;
    fields.further_received = trace.further_hops;
    fields.further_claims = trace.budget.further;
    fields.claims = trace.claims;
    fields
}

/// How many hops and how many claims are beyond their limits.
pub(super) fn beyond_limits(octets: &[u8], options: &MessageOptions) -> (u64, u64) {
    let mut trace = Trace::new(options);
    for RawField { name, body } in RawFields::new(octets) {
        match Known::of(name) {
            Some(Known::Received) => trace.add_hop(body),
            Some(Known::Claim(claim)) => trace.claims.add(claim, body, &mut trace.budget),
            _ => {}
        }
    }
    (trace.further_hops, trace.budget.further)
}

/// What a header says of the message's way.
#[derive(Debug)]
struct Trace<'a> {
    hops: Vec<Hop<'a>>,
    hops_limit: usize,
    further_hops: u64,
    claims: Claims<'a>,
    budget: Budget,
}

impl<'a> Trace<'a> {
    fn new(options: &MessageOptions) -> Self {
        Self {
            hops: Vec::new(),
            hops_limit: options.hops_limit,
            further_hops: 0,
            claims: Claims::default(),
            budget: Budget::new(options.claims_limit),
        }
    }

    fn add_hop(&mut self, body: &'a [u8]) {
        if self.hops.len() < self.hops_limit {
            self.hops.push(Hop::parse(body));
        } else {
            self.further_hops += 1;
        }
    }
}

/// The fields that are more than a name and a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    From,
    To,
    Cc,
    ReplyTo,
    OtherRecipients,
    Date,
    MessageId,
    Subject,
    Received,
    Claim(Claim),
}

impl Known {
    fn of(name: &[u8]) -> Option<Self> {
        let mut small = [0; LONGEST_NAME];
        let small = small.get_mut(..name.len())?;
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        Some(match &*small {
            b"from" => Self::From,
            b"to" => Self::To,
            b"cc" => Self::Cc,
            b"reply-to" => Self::ReplyTo,
            b"bcc" | b"resent-to" | b"resent-cc" | b"resent-bcc" => Self::OtherRecipients,
            b"date" => Self::Date,
            b"message-id" => Self::MessageId,
            b"subject" => Self::Subject,
            b"received" => Self::Received,
            b"authentication-results" => Self::Claim(Claim::AuthenticationResults),
            b"dkim-signature" => Self::Claim(Claim::Dkim),
            b"arc-seal" => Self::Claim(Claim::Arc(ArcKind::Seal)),
            b"arc-message-signature" => Self::Claim(Claim::Arc(ArcKind::MessageSignature)),
            b"arc-authentication-results" => Self::Claim(Claim::Arc(ArcKind::AuthenticationResults)),
            b"list-id" => Self::Claim(Claim::ListId),
            b"list-archive" => Self::Claim(Claim::ListUrls(ListUrls::Archive)),
            b"list-help" => Self::Claim(Claim::ListUrls(ListUrls::Help)),
            b"list-owner" => Self::Claim(Claim::ListUrls(ListUrls::Owner)),
            b"list-post" => Self::Claim(Claim::ListUrls(ListUrls::Post)),
            b"list-subscribe" => Self::Claim(Claim::ListUrls(ListUrls::Subscribe)),
            b"list-unsubscribe" => Self::Claim(Claim::ListUrls(ListUrls::Unsubscribe)),
            b"list-unsubscribe-post" => Self::Claim(Claim::ListUnsubscribePost),
            _ => return None,
        })
    }
}

/// `arc-authentication-results`.
const LONGEST_NAME: usize = 26;

/// > msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS] (RFC 5322 §3.6.4)
///
/// Without its brackets; where it has none, all of it.
fn message_id(body: &[u8]) -> Option<Cow<'_, str>> {
    let mut cursor = Cursor::new(body);
    cursor.skip_cfws();
    let rest = cursor.rest();
    let inside = memchr::memchr(b'<', rest).and_then(|open| rest.get(open + 1..)).unwrap_or(rest);
    let id = inside.split(|&octet| octet == b'>').next().unwrap_or_default().trim_ascii();
    let id = if id.iter().any(|&octet| is_blank(octet) || octet == b'(') { without_cfws(id) } else { text(id) };
    Some(id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Mailbox;

    fn header(octets: &[u8]) -> Fields<'_> {
        read(octets, &MessageOptions::default())
    }

    /// Name and address of each, `-` where there is none.
    fn shown(mailboxes: &[Mailbox<'_>]) -> Vec<String> {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
        mailboxes.iter().map(|mailbox| format!("{}|{}", text(&mailbox.name), text(&mailbox.address))).collect()
    }

    fn values<'a>(fields: &'a Fields<'_>) -> Vec<(&'a str, &'a str)> {
        fields.headers.iter().flatten().map(|header| (&*header.name, &*header.value)).collect()
    }

    /// RFC 5322 appendix A.1.1.
    #[test]
    fn appendix_a_1_1_a_message_from_one_person_to_another() {
        let fields = header(
            b"From: John Doe <jdoe@machine.example>\r\nTo: Mary Smith <mary@example.net>\r\nSubject: Saying Hello\r\n\
              Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1234@local.machine.example>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["John Doe|jdoe@machine.example"]);
        assert_eq!(shown(&fields.to), ["Mary Smith|mary@example.net"]);
        assert_eq!(fields.subject.as_deref(), Some("Saying Hello"));
        assert_eq!(fields.date.map(|date| date.to_string()).as_deref(), Some("1997-11-21T09:55:06-06:00"));
        assert_eq!(fields.message_id.as_deref(), Some("1234@local.machine.example"));
        assert!(fields.is_whole);
    }

    /// RFC 5322 appendices A.1.2 and A.1.3.
    #[test]
    fn appendix_a_1_2_and_a_1_3_mailboxes_and_groups() {
        let fields = header(
            b"From: \"Joe Q. Public\" <john.q.public@example.com>\r\n\
              To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\r\n\
              Cc: <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>\r\n\
              Date: Tue, 1 Jul 2003 10:52:37 +0200\r\nMessage-ID: <5678.21-Nov-1997@example.com>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["Joe Q. Public|john.q.public@example.com"]);
        assert_eq!(shown(&fields.to), ["Mary Smith|mary@x.test", "-|jdoe@example.org", "Who?|one@y.test"]);
        assert_eq!(shown(&fields.cc), ["-|boss@nil.test", "Giant; \"Big\" Box|sysservices@example.net"]);
        let fields = header(
            b"From: Pete <pete@silly.example>\r\n\
              To: A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;\r\n\
              Cc: Undisclosed recipients:;\r\nDate: Thu, 13 Feb 1969 23:32:54 -0330\r\n\
              Message-ID: <testabcd.1234@silly.example>\r\n\r\n",
        );
        assert_eq!(shown(&fields.to), ["Ed Jones|joe@where.test", "-|joe@where.test", "John|jdoe@one.test"]);
        assert!(fields.cc.is_empty());
        assert_eq!(fields.date.map(|date| date.to_string()).as_deref(), Some("1969-02-13T23:32:54-03:30"));
    }

    /// RFC 5322 appendix A.2.
    #[test]
    fn appendix_a_2_replies() {
        let fields = header(
            b"From: Mary Smith <mary@example.net>\r\nTo: John Doe <jdoe@machine.example>\r\n\
              Reply-To: \"Mary Smith: Personal Account\" <smith@home.example>\r\nSubject: Re: Saying Hello\r\n\
              Date: Fri, 21 Nov 1997 10:01:10 -0600\r\nMessage-ID: <3456@example.net>\r\n\
              In-Reply-To: <1234@local.machine.example>\r\nReferences: <1234@local.machine.example>\r\n\r\n",
        );
        assert_eq!(shown(&fields.reply_to), ["Mary Smith: Personal Account|smith@home.example"]);
        assert_eq!(values(&fields)[6], ("In-Reply-To", "<1234@local.machine.example>"));
    }

    /// RFC 5322 appendix A.3.
    #[test]
    fn appendix_a_3_resent_fields_are_fields_of_their_own() {
        let fields = header(
            b"Resent-From: Mary Smith <mary@example.net>\r\nResent-To: Jane Brown <j-brown@other.example>\r\n\
              Resent-Date: Mon, 24 Nov 1997 14:22:01 -0800\r\nResent-Message-ID: <78910@example.net>\r\n\
              From: John Doe <jdoe@machine.example>\r\nTo: Mary Smith <mary@example.net>\r\nSubject: Saying Hello\r\n\
              Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1234@local.machine.example>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["John Doe|jdoe@machine.example"]);
        assert_eq!(shown(&fields.other_recipients), ["Jane Brown|j-brown@other.example"]);
        assert_eq!(fields.message_id.as_deref(), Some("1234@local.machine.example"));
        assert_eq!(fields.headers.as_ref().map(Vec::len), Some(9));
    }

    /// RFC 5322 appendix A.4.
    #[test]
    fn appendix_a_4_messages_with_trace_fields() {
        let fields = header(
            b"Received: from x.y.test\r\n   by example.net\r\n   via TCP\r\n   with ESMTP\r\n   id ABC12345\r\n\
              \x20  for <mary@example.net>;  21 Nov 1997 10:05:43 -0600\r\n\
              Received: from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600\r\n\
              From: John Doe <jdoe@node.example>\r\nTo: Mary Smith <mary@example.net>\r\nSubject: Saying Hello\r\n\
              Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1234@local.node.example>\r\n\r\n",
        );
        let hops: Vec<_> =
            fields.received.iter().map(|hop| (hop.from.as_deref(), hop.by.as_deref(), hop.delay)).collect();
        assert_eq!(
            hops,
            [(Some("x.y.test"), Some("example.net"), Some(261)), (Some("node.example"), Some("x.y.test"), None)]
        );
        assert_eq!(values(&fields)[1], ("Received", "from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600"));
    }

    /// RFC 5322 appendix A.5.
    #[test]
    fn appendix_a_5_white_space_and_comments() {
        let fields = header(
            b"From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\r\n\
              To:A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n\
              \x20        joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)\r\n\
              Cc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\r\n\
              Date: Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n\
              \x20              -0330 (Newfoundland Time)\r\n\
              Message-ID:              <testabcd.1234@silly.test>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["Pete|pete@silly.test"]);
        assert_eq!(shown(&fields.to), ["Chris Jones|c@public.example", "-|joe@example.org", "John|jdoe@one.test"]);
        assert!(fields.cc.is_empty());
        assert_eq!(fields.date.map(|date| date.to_string()).as_deref(), Some("1969-02-13T23:32:00-03:30"));
        assert_eq!(fields.message_id.as_deref(), Some("testabcd.1234@silly.test"));
    }

    /// RFC 5322 appendices A.6.1 to A.6.3.
    #[test]
    fn appendix_a_6_obsolete_forms() {
        let fields = header(
            b"From: Joe Q. Public <john.q.public@example.com>\r\n\
              To: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\r\n\
              Date: Tue, 1 Jul 2003 10:52:37 +0200\r\nMessage-ID: <5678.21-Nov-1997@example.com>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["Joe Q. Public|john.q.public@example.com"]);
        assert_eq!(shown(&fields.to), ["Mary Smith|mary@example.net", "-|jdoe@test.example"]);
        let fields = header(
            b"From: John Doe <jdoe@machine.example>\r\nTo: Mary Smith <mary@example.net>\r\nSubject: Saying Hello\r\n\
              Date: 21 Nov 97 09:55:06 GMT\r\nMessage-ID: <1234@local.machine.example>\r\n\r\n",
        );
        assert_eq!(fields.date.map(|date| date.to_string()).as_deref(), Some("1997-11-21T09:55:06Z"));
        let fields = header(
            b"From  : John Doe <jdoe@machine(comment).  example>\r\nTo    : Mary Smith\r\n  \r\n\
              \x20         <mary@example.net>\r\nSubject     : Saying Hello\r\n\
              Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600\r\n\
              Message-ID  : <1234   @   local(blah)  .machine .example>\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["John Doe|jdoe@machine.example"]);
        assert_eq!(shown(&fields.to), ["Mary Smith|mary@example.net"]);
        assert_eq!(fields.subject.as_deref(), Some("Saying Hello"));
        assert_eq!(fields.date.map(|date| date.to_string()).as_deref(), Some("1997-11-21T09:55:06-06:00"));
        assert_eq!(fields.message_id.as_deref(), Some("1234@local.machine.example"));
        assert_eq!(values(&fields)[0].0, "From");
    }

    /// RFC 2047 §8: all fields are decoded, also those that are lists of addresses.
    #[test]
    fn every_field_is_decoded_and_in_order() {
        let fields = header(
            b"From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>\r\n\
              To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\r\n\
              CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>\r\n\
              Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n \
              =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\r\n\
              X-Comment: =?utf-8?Q?J=C3=BCrgen?=\r\n   folded\r\n\
              Received: by a (=?utf-8?Q?x?=)\r\n\r\n",
        );
        assert_eq!(shown(&fields.from), ["Keith Moore|moore@cs.utk.edu"]);
        assert_eq!(shown(&fields.to), ["Keld J\u{f8}rn Simonsen|keld@dkuug.dk"]);
        assert_eq!(shown(&fields.cc), ["Andr\u{e9} Pirard|PIRARD@vm1.ulg.ac.be"]);
        assert_eq!(
            values(&fields),
            [
                ("From", "Keith Moore <moore@cs.utk.edu>"),
                ("To", "Keld J\u{f8}rn Simonsen <keld@dkuug.dk>"),
                ("CC", "Andr\u{e9} Pirard <PIRARD@vm1.ulg.ac.be>"),
                ("Subject", "If you can read this you understand the example."),
                ("X-Comment", "J\u{fc}rgen   folded"),
                ("Received", "by a (=?utf-8?Q?x?=)"),
            ]
        );
    }

    #[test]
    fn fields_given_twice_lose_no_address_and_the_first_of_the_others_counts() {
        let fields = header(
            b"To: a@example.org\r\nTo: b@example.org\r\nMessage-ID: <1@example.org>\r\nMessage-ID: <2@example.org>\r\n\
              Subject: one\r\nSUBJECT: two\r\nDate: 31 Feb 2024 10:00 +0000\r\nDate: 1 Mar 2024 10:00 +0000\r\n\r\n",
        );
        assert_eq!(shown(&fields.to), ["-|a@example.org", "-|b@example.org"]);
        assert_eq!((fields.message_id.as_deref(), fields.subject.as_deref()), (Some("1@example.org"), Some("one")));
        assert_eq!(fields.date, None, "the first one is impossible");
        let names: Vec<_> = values(&fields).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["To", "To", "Message-ID", "Message-ID", "Subject", "SUBJECT", "Date", "Date"]);
    }

    #[test]
    fn a_line_without_colon_ends_the_header_and_what_is_cut_is_read_as_far_as_it_goes() {
        let fields = header(b"Subject: one\r\nnot a field\r\nFrom: a@example.org\r\n\r\n");
        assert_eq!((fields.subject.as_deref(), fields.from.len(), fields.is_whole), (Some("one"), 0, true));
        let fields = header(b"Subject: one\r\nFrom: a@exa");
        assert_eq!((shown(&fields.from), fields.is_whole), (vec!["-|a@exa".to_owned()], false));
        assert_eq!(header(b"").headers, Some(Vec::new()));
    }

    #[test]
    fn absent_and_empty_are_different() {
        let fields = header(b"Subject:\r\nMessage-ID: \r\n\r\n");
        assert_eq!((fields.subject.as_deref(), fields.message_id), (Some(""), None));
        assert_eq!(header(b"X: y\r\n\r\n").subject, None);
        assert_eq!(header(b"Message-ID: bare@example.org\r\n\r\n").message_id.as_deref(), Some("bare@example.org"));
        assert_eq!(header(b"Message-ID: (<no@x>) <yes@x> (z)\r\n\r\n").message_id.as_deref(), Some("yes@x"));
    }

    #[test]
    fn what_needs_no_change_is_lent() {
        let fields = header(b"Subject: plain\r\nMessage-ID: <1@example.org>\r\nX-Other: text\r\n\r\n");
        let mut all = fields.headers.iter().flatten().flat_map(|header| [&header.name, &header.value]);
        assert!(all.all(|text| matches!(text, Cow::Borrowed(_))));
        assert!(
            matches!(fields.subject, Some(Cow::Borrowed(_))) && matches!(fields.message_id, Some(Cow::Borrowed(_)))
        );
    }

    #[test]
    fn claims_are_read_from_fields_of_any_case() {
        let fields = header(
            b"authentication-results: a; spf=pass\r\nDKIM-SIGNATURE: d=b\r\nList-ID: <c>\r\nARC-Seal: i=1\r\n\r\n",
        );
        let claims = &fields.claims;
        assert_eq!((claims.authentication_results.len(), claims.dkim_signatures.len(), claims.arc.len()), (1, 1, 1));
        assert!(claims.list.is_some());
    }
}
