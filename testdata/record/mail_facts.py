"""What a message holds, read with Python's `email` package. ../check_eml.py uses it too.

Facts are read from the octets that the client sent. The attachments that a scenario put in are stated by it, and must
be what is read.
"""
import email
import email.message
import email.policy
import hashlib


class Part(email.message.EmailMessage):
    """A part whose attached messages and reports stay as they are, so that their octets can be counted."""

    def get_content_type(self):
        return "application/octet-stream" if self.declared_type().startswith("message/") else self.declared_type()

    def declared_type(self):
        return super().get_content_type()


POLICY = email.policy.default.clone(message_factory=Part)


def parse(octets):
    return email.message_from_bytes(octets, policy=POLICY)


def utf8(text):
    """The package leaves octets above 127 in addresses undecoded."""
    return text and text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def parts(message, depth=0):
    """The parts in order, each before what is in it, with their decoded octets."""
    data = None if message.is_multipart() else message.get_payload(decode=True)
    kind = message.declared_type()
    encoding = message.get("Content-Transfer-Encoding")
    yield {"depth": depth, "content_type": kind, "disposition": message.get_content_disposition(), "filename": utf8(message.get_filename()),
           "transfer_encoding": encoding and str(encoding).strip().lower(), "decoded_size": None if data is None else len(data)}, data
    if kind == "message/rfc822" and data:
        yield from parts(parse(data), depth + 1)
    elif message.is_multipart():
        for inner in message.get_payload():
            yield from parts(inner, depth + 1)


def attachments(found):
    """Those with a file name or Content-Disposition: attachment, but for multiparts."""
    return [(part, data) for part, data in found if data is not None and (part["filename"] or part["disposition"] == "attachment")]


def field(message, name):
    return utf8(str(message[name])) if name in message else None


def mailboxes(message, name):
    return [utf8(address.addr_spec) for value in message.get_all(name, []) for address in value.addresses]


def read(raw, put_in=(), eml=None, known=(), **stated):
    """The Message of these octets. `put_in`: filename, content type and octets, None where they are not known; `known`:
    what the package does not say of parts, by their number; `stated`: further facts."""
    from messages import Message
    message = parse(raw)
    found = list(parts(message))
    attached = attachments(found)
    got = [(part["filename"], part["content_type"]) for part, _ in attached]
    if got != [(name, kind) for name, kind, _ in put_in]:
        raise RuntimeError(f"attachments are {got}")
    for (_, data), (name, _, wanted) in zip(attached, put_in):
        if wanted not in (None, data):
            raise RuntimeError(f"{name} has {len(data)} octets, put in were {len(wanted)}")
    entries = [{"filename": part["filename"], "content_type": part["content_type"], "decoded_size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
               for part, data in attached]
    for number, more in dict(known).items():
        found[number][0].update(more)
    message_id = field(message, "Message-ID")
    out = Message(raw, field(message, "Subject"), (mailboxes(message, "From") or [None])[0], field(message, "From"), mailboxes(message, "To"),
                  message_id and message_id.strip().strip("<>"), entries)
    out.further = {"cc": mailboxes(message, "Cc"), "reply_to": mailboxes(message, "Reply-To"), "parts": [part for part, _ in found], **stated}
    if eml:
        out.further["eml"] = eml
    return out


def decoded(octets):
    """All that is in a MIME entity, decoded."""
    return b"".join(data for _, data in parts(parse(octets)) if data)
