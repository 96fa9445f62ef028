//! Notifications: what became of a mail (RFC 3464), and what its reader did with it (RFC 8098).

use serde::Serialize;

/// The machine-readable part of a multipart/report (RFC 6522).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Reporting-MTA, without its type, or Reporting-UA.
    pub reporter: Option<String>,
    /// Original-Envelope-Id.
    pub original_envelope_id: Option<String>,
    /// Original-Message-ID, without its brackets.
    pub original_message_id: Option<String>,
    /// Arrival-Date, as sent.
    pub arrival_date: Option<String>,
    /// What is said about each recipient, up to [`RECIPIENTS`].
    pub recipients: Vec<NotifiedRecipient>,
    /// How many more there are.
    pub further_recipients: u64,
}

/// What is said about a recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NotifiedRecipient {
    /// Final-Recipient, without its address type.
    pub recipient: Option<String>,
    /// Original-Recipient, without its address type.
    pub original_recipient: Option<String>,
    /// `failed`, `delayed`, `delivered`, `relayed`, `expanded`.
    pub action: Option<String>,
    /// Such as `5.1.1`.
    pub status: Option<String>,
    /// Diagnostic-Code, with its type.
    pub diagnostic_code: Option<String>,
    /// Remote-MTA, without its type.
    pub remote_mta: Option<String>,
    /// Last-Attempt-Date, as sent.
    pub last_attempt: Option<String>,
    /// Will-Retry-Until, as sent.
    pub will_retry_until: Option<String>,
    /// Disposition of a message that was delivered.
    pub disposition: Option<String>,
}

/// Recipients of a notification that are kept.
pub const RECIPIENTS: usize = 1000;

/// Whether a part of this type is a notification.
pub(super) fn is_notification(content_type: &str) -> bool {
    matches!(
        content_type,
        "message/delivery-status"
            | "message/global-delivery-status"
            | "message/disposition-notification"
            | "message/global-disposition-notification"
    )
}

/// Reads the decoded body of such a part.
///
/// > delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields ) (RFC 3464 §2.1)
///
/// A disposition notification has one group, with its one recipient in it (RFC 8098 §3.1).
pub(super) fn read(body: &str) -> Notification {
    let mut notification = Notification::default();
    let mut recipient = NotifiedRecipient::default();
    let mut lines = body.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            notification.add(std::mem::take(&mut recipient));
            continue;
        }
        let mut field = line.to_owned();
        // RFC 5322 §2.2.3: a line that begins with white space goes on with the one before.
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t']) && !next.trim().is_empty()) {
            field.push(' ');
            field.push_str(more.trim_start());
        }
        let Some((name, value)) = field.split_once(':') else { continue };
        let value = value.trim();
        let plain = || Some(value.to_owned());
        let typed = || Some(value.split_once(';').map_or(value, |(_, value)| value.trim()).to_owned());
        match name.trim_end().to_ascii_lowercase().as_str() {
            "reporting-mta" => notification.reporter = typed(),
            "reporting-ua" => notification.reporter = plain(),
            "original-envelope-id" => notification.original_envelope_id = plain(),
            "original-message-id" => {
                notification.original_message_id = Some(value.trim_matches(['<', '>']).to_owned());
            }
            "arrival-date" => notification.arrival_date = plain(),
            "final-recipient" => recipient.recipient = typed(),
            "original-recipient" => recipient.original_recipient = typed(),
            "action" => recipient.action = Some(value.to_ascii_lowercase()),
            "status" => recipient.status = plain(),
            "diagnostic-code" => recipient.diagnostic_code = plain(),
            "remote-mta" => recipient.remote_mta = typed(),
            "last-attempt-date" => recipient.last_attempt = plain(),
            "will-retry-until" => recipient.will_retry_until = plain(),
            "disposition" => recipient.disposition = plain(),
            _ => {}
        }
    }
    notification.add(recipient);
    notification
}

impl Notification {
    fn add(&mut self, recipient: NotifiedRecipient) {
        if recipient == NotifiedRecipient::default() {
        } else if self.recipients.len() < RECIPIENTS {
            self.recipients.push(recipient);
        } else {
            self.further_recipients += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3464 appendix E.2, "This is a DSN that is issued upon failure", with its two recipients of which one was
    /// delivered.
    #[test]
    fn a_delivery_status_of_several_recipients() {
        let notification = read(
            "Reporting-MTA: dns; cs.utk.edu\r\n\r\n\
             Original-Recipient: rfc822;arathib@vnet.ibm.com\r\n\
             Final-Recipient: rfc822;arathib@vnet.ibm.com\r\n\
             Action: failed\r\n\
             Status: 5.0.0 (permanent failure)\r\n\
             Diagnostic-Code: smtp;  550 'arathib@vnet.IBM.COM' is not a\r\n  registered gateway user\r\n\
             Remote-MTA: dns; vnet.ibm.com\r\n\r\n\
             Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com\r\n\
             Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com\r\n\
             Action: delayed\r\n\
             Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)\r\n",
        );
        assert_eq!(notification.reporter.as_deref(), Some("cs.utk.edu"));
        let [one, other] = notification.recipients.as_slice() else { panic!("two recipients") };
        assert_eq!(one.recipient.as_deref(), Some("arathib@vnet.ibm.com"));
        assert_eq!(one.action.as_deref(), Some("failed"));
        assert_eq!(
            one.diagnostic_code.as_deref(),
            Some("smtp;  550 'arathib@vnet.IBM.COM' is not a registered gateway user")
        );
        assert_eq!(one.remote_mta.as_deref(), Some("vnet.ibm.com"));
        assert_eq!((other.action.as_deref(), other.diagnostic_code.as_deref()), (Some("delayed"), None));
        assert_eq!(other.status.as_deref(), Some("4.0.0 (hpnjld.njd.jp.com: host name lookup failure)"));
    }

    /// RFC 8098 §9, the example.
    #[test]
    fn a_disposition_notification() {
        let notification = read(
            "Reporting-UA: joes-pc.cs.example.com; Foomail 97.1\r\n\
             Original-Recipient: rfc822;Joe_Recipient@example.com\r\n\
             Final-Recipient: rfc822;Joe_Recipient@example.com\r\n\
             Original-Message-ID: <199509192301.23456@example.org>\r\n\
             Disposition: manual-action/MDN-sent-manually; displayed\r\n",
        );
        assert_eq!(notification.reporter.as_deref(), Some("joes-pc.cs.example.com; Foomail 97.1"));
        assert_eq!(notification.original_message_id.as_deref(), Some("199509192301.23456@example.org"));
        let [recipient] = notification.recipients.as_slice() else { panic!("one recipient") };
        assert_eq!(recipient.disposition.as_deref(), Some("manual-action/MDN-sent-manually; displayed"));
        assert_eq!(recipient.recipient.as_deref(), Some("Joe_Recipient@example.com"));
    }

    #[test]
    fn recipients_beyond_the_limit_are_counted() {
        let notification = read(&"Action: failed\r\n\r\n".repeat(RECIPIENTS + 3));
        assert_eq!((notification.recipients.len(), notification.further_recipients), (RECIPIENTS, 3));
    }
}
