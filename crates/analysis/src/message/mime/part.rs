//! The parts of a message as users see them.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;

use super::container::{self, Container, Protection};
use super::entity::Entity;
use super::leaf::Body;
use super::report::{self, Notification};
use crate::message::MessageOptions;
use crate::message::header;
use crate::output::pairs_as_map;

/// A part of a message (RFC 2045 §2.4): the message itself is the first one, and those inside another stand behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// In how many multiparts and attached messages it is.
    pub depth: usize,
    /// `type/subtype` in lower case; `text/plain` where nothing is said.
    pub content_type: SmolStr,
    /// The parameters of Content-Type, decoded.
    pub parameters: Vec<(SmolStr, Option<SmolStr>)>,
    /// The parameter of that name.
    pub charset: Option<SmolStr>,
    /// `attachment`, `inline`.
    pub disposition: Option<SmolStr>,
    /// Its filename, decoded (RFC 2231, RFC 2047).
    pub filename: Option<SmolStr>,
    /// Content-Transfer-Encoding in lower case.
    pub transfer_encoding: Option<SmolStr>,
    /// Content-ID without its angle brackets.
    pub content_id: Option<SmolStr>,
    /// Whether the capture has all of it.
    pub complete: bool,
    /// Octets of its body as captured, without the line break before the delimiter.
    pub encoded_size: u64,
    /// Octets of its body when decoded; `None` for a multipart, and where octets are missing.
    pub decoded_size: Option<u64>,
    /// Octets that are no base64 or quoted-printable.
    pub encoding_faults: u64,
    /// The type that its content shows; `None` where it shows none.
    pub detected_type: Option<&'static str>,
    /// SHA-256 of what was decoded, of attachments and of all that is no text; `None` where octets are missing.
    pub sha256: Option<String>,
    /// MD5, on request.
    pub md5: Option<String>,
    /// What the content is wrapped in.
    pub container: Option<Container>,
    /// What that does to it.
    pub protection: Option<Protection>,
    /// What a notification says.
    pub notification: Option<Box<Notification>>,
    /// The header of a message that is attached; that of the message itself is kept elsewhere.
    pub(super) message_header: Option<Box<[u8]>>,
    /// A part with a filename, or with Content-Disposition: attachment, and no multipart.
    pub(super) is_attachment: bool,
    /// Whether it is in an attached message.
    pub(super) is_attached: bool,
}

impl Part {
    pub(super) fn new(entity: Entity, depth: usize, is_attached: bool) -> Self {
        let declared = container::declared(&entity);
        Self {
            depth,
            charset: entity.parameter("charset").map(SmolStr::from),
            is_attachment: entity.is_attachment() && !entity.content_type.starts_with("multipart/"),
            content_type: entity.content_type,
            parameters: entity.parameters,
            disposition: entity.disposition,
            filename: entity.filename,
            transfer_encoding: entity.transfer_encoding,
            content_id: entity.content_id,
            complete: true,
            encoded_size: 0,
            decoded_size: None,
            encoding_faults: 0,
            detected_type: None,
            sha256: None,
            md5: None,
            container: declared.map(|(container, _)| container),
            protection: declared.and_then(|(_, protection)| protection),
            notification: None,
            message_header: None,
            is_attached,
        }
    }

    /// Whether it is an attachment: a part with a filename, or with Content-Disposition: attachment.
    pub fn is_attachment(&self) -> bool {
        self.is_attachment
    }

    /// An attached message whose header has not come yet.
    pub(super) fn is_open_message(&self) -> bool {
        self.message_header.as_ref().is_some_and(|header| header.is_empty())
    }

    /// Takes what was found out about its body.
    pub(super) fn take(&mut self, body: &Body) {
        self.encoded_size = body.encoded;
        self.encoding_faults = body.faults;
        self.detected_type = infer::get(&body.ends.head).map(|kind| kind.mime_type());
        if self.container.is_none()
            && let Some((container, protection)) = container::shown(body)
        {
            (self.container, self.protection) = (Some(container), protection);
        }
        if self.container == Some(Container::Smime) && self.protection.is_none() {
            self.protection = container::cms(&body.ends.head);
        }
        if self.complete {
            self.decoded_size = Some(body.decoded);
            self.sha256.clone_from(&body.sha256);
            self.md5.clone_from(&body.md5);
        }
        if report::is_notification(&self.content_type) {
            self.notification = Some(Box::new(report::read(&String::from_utf8_lossy(&body.text))));
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("Part", 20)?;
        part.serialize_field("content_type", &self.content_type)?;
        part.serialize_field("parameters", &Parameters(&self.parameters))?;
        part.serialize_field("charset", &self.charset)?;
        part.serialize_field("disposition", &self.disposition)?;
        part.serialize_field("filename", &self.filename)?;
        part.serialize_field("transfer_encoding", &self.transfer_encoding)?;
        part.serialize_field("content_id", &self.content_id)?;
        part.serialize_field("encoded_size", &self.encoded_size)?;
        part.serialize_field("decoded_size", &self.decoded_size)?;
        part.serialize_field("depth", &self.depth)?;
        part.serialize_field("complete", &self.complete)?;
        part.serialize_field("encoding_faults", &self.encoding_faults)?;
        part.serialize_field("detected_type", &self.detected_type)?;
        part.serialize_field("container", &self.container)?;
        part.serialize_field("protection", &self.protection)?;
        // What few parts have is left out of the others.
        if let Some(header) = &self.message_header {
            part.serialize_field("message", &AttachedMessage(header))?;
        }
        if let Some(notification) = &self.notification {
            part.serialize_field("notification", notification)?;
        }
        part.end()
    }
}

struct Parameters<'a>(&'a [(SmolStr, Option<SmolStr>)]);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pairs_as_map(self.0, serializer)
    }
}

/// The header fields of an attached message. They are read when they are printed, like those of the message.
struct AttachedMessage<'a>(&'a [u8]);

impl Serialize for AttachedMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = MessageOptions { headers: false, ..MessageOptions::default() };
        let fields = header::read(self.0, &options);
        let mut message = serializer.serialize_struct("AttachedMessage", 7)?;
        message.serialize_field("subject", &fields.subject)?;
        message.serialize_field("from", &fields.from)?;
        message.serialize_field("to", &fields.to)?;
        message.serialize_field("cc", &fields.cc)?;
        message.serialize_field("reply_to", &fields.reply_to)?;
        message.serialize_field("date", &fields.date)?;
        message.serialize_field("message_id", &fields.message_id)?;
        message.end()
    }
}

/// An attachment as the contract has it.
#[derive(Serialize)]
pub(in crate::message) struct Attachment<'a> {
    filename: &'a Option<SmolStr>,
    content_type: &'a SmolStr,
    detected_type: Option<&'static str>,
    encoded_size: u64,
    decoded_size: Option<u64>,
    sha256: &'a Option<String>,
    md5: &'a Option<String>,
    encoding_faults: u64,
    /// Its number in `parts`.
    part: usize,
}

/// The attachments among the parts, in order.
pub(in crate::message) fn attachments(parts: &[Part]) -> impl Iterator<Item = Attachment<'_>> {
    parts.iter().enumerate().filter(|(_, part)| part.is_attachment).map(|(number, part)| Attachment {
        filename: &part.filename,
        content_type: &part.content_type,
        detected_type: part.detected_type,
        encoded_size: part.encoded_size,
        decoded_size: part.decoded_size,
        sha256: &part.sha256,
        md5: &part.md5,
        encoding_faults: part.encoding_faults,
        part: number,
    })
}
