"""What is attached to the messages of mail_scenarios.py, and the messages that no client makes by itself."""
import email.message
import email.policy
import struct
import subprocess

import messages as m
import servers
from messages import ALICE

LONG_NAME = "Prüfbericht – Übersicht über das vierte Quartal und die Aussichten für das kommende Jahr.pdf"
CSV = "Name;Straße;Ort\nJürgen;Große Bleichen 5;Hamburg\n山田;銀座 4丁目;東京\n.Punkt;;\n".encode()
ARCHIVE_PASSWORD = "open-the-box-3"  # no secret of SMTP: it is in no mail

TEXT = b"Dear Bob,\n\nthe figures are attached.\n.\n..\n.dot at the start of a line\n\nAlice\n"
GERMAN = """Lieber Bob,

die Zahlen für das vierte Quartal hängen an: eine lange Zeile, die quoted-printable umbrechen muss, weil sie mehr als 76 Zeichen hat.
Ein Gleichheitszeichen = und ein Leerzeichen am Ende \nFrom hier an geht es weiter.
.
Schöne Grüße
Jürgen
""".encode()

LINKS_TEXT = b"Dear Bob,\n\nyour statement is at https://bank.example.com/statement?id=1&year=2026\n"
LINKS_HTML = """<html><body><p>Dear Bob,</p>
<p>your statement is at <a href="http://203.0.113.7/login?next=/statement&amp;id=1">https://bank.example.com/statement</a>,
<a href="https://bank.example.com/help">help is here</a>, and <a href="mailto:desk@example.com">we</a> are glad to answer. Grüße aus dem Café!</p>
<img src="https://img.example.com/logo.png" alt="logo"></body></html>
""".encode()


def archives():
    """A zip archive, and three that are encrypted: ZipCrypto, AES, and 7z with the names encrypted too."""
    folder = servers.SCRATCH / "attached"
    folder.mkdir(exist_ok=True)
    (folder / "figures.csv").write_bytes(CSV)
    names = ["plain.zip", "zipcrypto.zip", "aes.zip", "names-too.7z"]
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for command in (["zip", "-qX", "plain.zip"], ["zip", "-qXP", ARCHIVE_PASSWORD, "zipcrypto.zip"],
                    ["7z", "a", "-tzip", "-mem=AES256", f"-p{ARCHIVE_PASSWORD}", "aes.zip"],
                    ["7z", "a", "-mhe=on", f"-p{ARCHIVE_PASSWORD}", "names-too.7z"]):
        subprocess.run([*command, "figures.csv"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return [folder / name for name in names]


def tnef():
    """What Outlook sends as winmail.dat ([MS-OXTNEF] section 2.1): a text and one attached file."""
    def attribute(level, kind, data):
        return struct.pack("<BII", level, kind, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
    return (struct.pack("<IH", 0x223E9F78, 1)
            + attribute(1, 0x00089006, struct.pack("<I", 0x00010000))  # attTnefVersion
            + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))  # attOemCodepage
            + attribute(1, 0x00078008, b"IPM.Microsoft Mail.Note\0")  # attMessageClass
            + attribute(1, 0x00018004, b"The picture\0")  # attSubject
            + attribute(1, 0x0002800C, b"The picture is in winmail.dat.\0")  # attBody
            + attribute(2, 0x00069002, struct.pack("<HIHHI", 1, 0xFFFFFFFF, 0, 0, 0))  # attAttachRendData
            + attribute(2, 0x00018010, b"grey.png\0")  # attAttachTitle
            + attribute(2, 0x0006800F, m.png()))  # attAttachData


def header(subject, number, to="bob@example.net", sender=f"Alice Example <{ALICE}>"):
    return (f"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Message-ID: <mail-{number}@example.org>\r\n").encode()


def entity():
    """A MIME entity to be signed or encrypted."""
    part = email.message.EmailMessage(policy=email.policy.SMTP)
    part.set_content("The report is attached.\n")
    part.add_attachment(m.pdf(), maintype="application", subtype="pdf", filename="report.pdf")
    del part["MIME-Version"]
    return part.as_bytes()


def made_by_python(subject, number):
    """EmailMessage: a text in HTML too, with a picture in it, and an attachment of each kind."""
    out = email.message.EmailMessage(policy=email.policy.SMTP)
    for name, value in (("Date", "Mon, 05 Jan 2026 10:00:00 +0000"), ("From", f"Alice Example <{ALICE}>"), ("To", "Bob <bob@example.net>"),
                        ("Reply-To", "Desk <desk@example.com>"), ("Subject", subject), ("Message-ID", f"<mail-{number}@example.org>")):
        out[name] = value
    out.set_content("The same mail twice.\n")
    out.add_alternative('<p>The same mail <b>twice</b>. <img src="cid:grey@example.org"></p>\n', subtype="html")
    out.get_payload()[1].add_related(m.png(), maintype="image", subtype="png", cid="<grey@example.org>", filename="grey.png")
    out.add_attachment(CSV.decode(), subtype="csv", filename="Straßen.csv")
    return out.as_bytes()


def read_receipt():
    """RFC 8098: what a mail reader sends when a mail that asked for it was displayed."""
    boundary = "=_receipt"
    return header("Read: The figures", "receipt", "Alice Example <alice@example.org>", "Bob <bob@example.net>") + m.crlf(f"""\
In-Reply-To: <mail-figures@example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification;
 boundary="{boundary}"

--{boundary}
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Your message was displayed. This is no guarantee that it was read.
--{boundary}
Content-Type: message/disposition-notification

Reporting-UA: client.example.net; Reader 1.0
Original-Recipient: rfc822;bob@example.net
Final-Recipient: rfc822;bob@example.net
Original-Message-ID: <mail-figures@example.org>
Disposition: manual-action/MDN-sent-manually; displayed

--{boundary}
Content-Type: text/rfc822-headers

Date: Mon, 05 Jan 2026 09:00:00 +0000
From: Alice Example <alice@example.org>
To: Bob <bob@example.net>
Subject: The figures
Message-ID: <mail-figures@example.org>
Disposition-Notification-To: alice@example.org

--{boundary}--
""")


def binary():
    """Attachments without any encoding (RFC 3030 section 3)."""
    return header("Binary parts", "binary") + (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_binary"\r\n\r\n'
        b"--=_binary\r\nContent-Type: text/plain\r\n\r\nNothing is encoded.\r\n.\r\n"
        b'--=_binary\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="grey.png"\r\n\r\n'
        + m.png() +
        b'\r\n--=_binary\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="report.pdf"\r\n\r\n'
        + m.pdf() + b"\r\n--=_binary--\r\n")


def international():
    """UTF-8 in the header, also where the file names stand (RFC 6532)."""
    return header("Résumé für 山田", "utf8-names", "山田 <用户@example.net>", "Jürgen Example <jürgen@exämple.test>") + m.crlf("""\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_utf8"

--=_utf8
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Schöne Grüße.
--=_utf8
Content-Type: text/csv; charset=utf-8; name="Straßen.csv"
Content-Transfer-Encoding: 8bit
Content-Disposition: attachment; filename="Straßen.csv"

""") + CSV.replace(b"\n", b"\r\n") + b"--=_utf8--\r\n"


def handed_on():
    """A mail of a list that has gone through two servers, with what they claim. The signatures are made up."""
    return m.crlf("""\
Received: from list.example.com (list.example.com [203.0.113.8])
\tby out.example.org (Postfix) with ESMTPS id 4XyZ12
\tfor <bob@chain.test>; Mon, 05 Jan 2026 11:00:07 +0100 (CET)
Received: from [10.0.0.5] (helo=desk.example.org)
\tby list.example.com with esmtpsa (TLS1.3) tls TLS_AES_256_GCM_SHA384
\t(envelope-from <alice@example.org>) id 1abcde-000123-4F
\tfor announce@example.com; Mon, 05 Jan 2026 10:00:02 +0000
Authentication-Results: out.example.org; dkim=pass header.d=example.org;
\tspf=fail smtp.mailfrom=alice@example.org; dmarc=pass header.from=example.org
ARC-Seal: i=1; a=rsa-sha256; d=example.com; s=arc; t=1767607202; cv=none;
\tb=AAAA
ARC-Authentication-Results: i=1; list.example.com; dkim=pass header.d=example.org
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;
\th=from:to:subject:date:message-id; bh=AAAA; b=BBBB
DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=list; h=from:list-id; bh=AAAA; b=CCCC
List-Id: Announcements <announce.example.com>
List-Unsubscribe: <https://example.com/unsubscribe?u=1>, <mailto:leave@example.com>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Date: Mon, 05 Jan 2026 11:00:00 +0100
From: "Example, Alice" <alice@example.org>
Sender: announce@example.com
Reply-To: announce@example.com, "The Desk" <desk@example.com>
To: Announcements: announce@example.com, bob@chain.test;
Subject: [Announce] The new figures
Message-ID: <mail-chain@example.org>

The new figures are out.
""")
