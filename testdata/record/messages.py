"""The messages that are sent. Each knows its own facts, for it is put together from them."""
import base64
import hashlib
import struct
import zlib

ALICE = "alice@example.org"


class Message:
    def __init__(self, raw, subject=None, sender=None, from_header=None, to=(), message_id=None, attachments=()):
        self.raw, self.subject, self.sender, self.from_header = raw, subject, sender, from_header
        self.to, self.message_id, self.attachments = list(to), message_id, list(attachments)
        self.cut_attachments = []
        self.further = {}  # facts that only some messages have


def crlf(text):
    return text.replace("\n", "\r\n").encode()


def plain(subject, number, to=("bob@example.net",), body="This is a test.\n", sender=ALICE):
    to = list(to)
    message_id = f"mail-{number}@example.org"
    head = (f"Date: Mon, 05 Jan 2026 10:00:00 +0000\nFrom: Alice Example <{sender}>\nTo: {', '.join(to)}\n"
            f"Subject: {subject}\nMessage-ID: <{message_id}>\n\n")
    return Message(crlf(head + body), subject, sender, f"Alice Example <{sender}>", to, message_id)


def long_body(octets):
    line = "All lines of this text are alike, seventy letters and a line end long.\n"
    return line * (octets // len(line) + 1)


def png():
    """A picture of 16 x 16 points, grey from dark to light."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((16 * y + x) & 255 for x in range(16)) for y in range(16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pdf():
    """The smallest thing that looks like a PDF file; it has octets above 127."""
    return (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
            b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\n"
            b"trailer<</Root 1 0 R>>\n%%EOF\n")


def attachment_facts(filename, content_type, data):
    return {"filename": filename, "content_type": content_type, "decoded_size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def with_attachments(subject="Report with two attachments", number="attach", to=("bob@example.net",)):
    def encoded(data):
        return base64.encodebytes(data).decode()
    message_id = f"mail-{number}@example.org"
    text = f"""Date: Mon, 05 Jan 2026 10:00:00 +0000
From: Alice Example <{ALICE}>
To: {', '.join(to)}
Subject: {subject}
Message-ID: <{message_id}>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_boundary_1"

This is a message in MIME format.
--=_boundary_1
Content-Type: text/plain; charset=us-ascii

The report and the picture are attached.
--=_boundary_1
Content-Type: image/png
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="grey.png"

{encoded(png())}--=_boundary_1
Content-Type: application/pdf; name="report.pdf"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf

{encoded(pdf())}--=_boundary_1--
"""
    return Message(crlf(text), subject, ALICE, f"Alice Example <{ALICE}>", to, message_id,
                   [attachment_facts("grey.png", "image/png", png()), attachment_facts("résumé.pdf", "application/pdf", pdf())])


def encoded_words():
    text = f"""Date: Mon, 05 Jan 2026 10:00:00 +0000
From: =?utf-8?q?J=C3=BCrgen_Example?= <juergen@example.org>
To: =?iso-8859-1?Q?Andr=E9?= Pirard <andre@example.net>,
 "Doe, John" <john@example.net>
Cc: =?utf-8?B?5bGx55Sw?= <yamada@example.net>
Subject: =?utf-8?B?R3LDvMOfZSBhdXMgTcO8bmNo?=
 =?utf-8?B?ZW4g4pyT?= and =?iso-8859-1?q?caf=E9_au_lait?=
Message-ID: <mail-words@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe!
"""
    return Message(crlf(text), "Grüße aus München ✓ and café au lait", "juergen@example.org", "Jürgen Example <juergen@example.org>",
                   ["andre@example.net", "john@example.net"], "mail-words@example.org")


def international():
    text = """Date: Mon, 05 Jan 2026 10:00:00 +0000
From: Jürgen Example <jürgen@exämple.test>
To: 山田 <用户@example.net>
Subject: Grüße, привет, 你好
Message-ID: <mail-utf8@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Schöne Grüße.
"""
    return Message(crlf(text), "Grüße, привет, 你好", "jürgen@exämple.test", "Jürgen Example <jürgen@exämple.test>", ["用户@example.net"], "mail-utf8@example.org")


def eight_bit():
    text = f"""Date: Mon, 05 Jan 2026 10:00:00 +0000
From: Alice Example <{ALICE}>
To: bob@example.net
Subject: 8BITMIME
Message-ID: <mail-8bit@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: 8bit

Fünf Octets über 127: äöü
"""
    message = Message(b"", "8BITMIME", ALICE, f"Alice Example <{ALICE}>", ["bob@example.net"], "mail-8bit@example.org")
    message.raw = text.replace("\n", "\r\n").encode("iso-8859-1")
    return message


def dotted():
    message = plain("Lines that begin with dots", "dots", body=".\n..\n...\n.hidden file\n..two\n \nno dot\n. dot and blank\n.\n")
    return message


EMPTY = Message(b"")
ONE_LINE_OF_TWO_DOTS = Message(b"..\r\n")
