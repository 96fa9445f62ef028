"""Messages of mail clients: attachments, names, encodings, nesting, signatures, reports.

Beside each capture stands NAME.eml with the octets of its message, `NAME-2.eml` with those of the next other one.
"""
import re
import shutil
import time

import mail_clients as clients
import mail_facts
import mail_messages as made
import messages as m
from clients import Raw, msmtp, program, python, transcript
from facts import Mail, Session, connections, streams, wire_contents
from messages import ALICE
from record import TESTDATA, capture, scenario
from servers import AIOSMTPD, EXIM, OPENSMTPD, POSTFIX, SCRATCH
from scenarios import BOB, ONE_MAIL, envelope

BY_HELO = ONE_MAIL.replace("EHLO", "HELO")

# Reports as they are read by hand.
BOUNCED = {"reporter": "mx.example.net", "original_envelope_id": "QQ314159", "recipients": [
    {"recipient": "nobody@exim.test", "original_recipient": "list@exim.test", "action": "failed", "status": "5.0.0", "remote_mta": "192.0.2.26",
     "diagnostic_code": "smtp; 550 Unrouteable address"},
    {"recipient": "nobody@aio.test", "original_recipient": "nobody@aio.test", "action": "failed", "status": "5.1.1", "remote_mta": "192.0.2.28",
     "diagnostic_code": "smtp; 550 5.1.1 No such user here"}]}
DISPLAYED = {"reporter": "client.example.net; Reader 1.0", "original_message_id": "mail-figures@example.org", "recipients": [
    {"recipient": BOB, "original_recipient": BOB, "disposition": "manual-action/MDN-sent-manually; displayed"}]}


# The Received fields and claims of `handed_on`, and what the servers of the chain put above, as they are read by hand.
SENT_ON = [{"from": "list.example.com", "addresses": ["203.0.113.8"], "by": "out.example.org", "with": "ESMTPS", "id": "4XyZ12", "for": "bob@chain.test",
            "time": "2026-01-05T11:00:07+01:00", "delay": 5},
           {"from": "[10.0.0.5]", "addresses": ["10.0.0.5"], "by": "list.example.com", "with": "esmtpsa", "id": "1abcde-000123-4F", "for": "announce@example.com",
            "time": "2026-01-05T10:00:02Z", "delay": None}]
BY_EXIM = {"from": "[198.51.100.10]", "addresses": ["198.51.100.10"], "by": "exim.example.net", "with": "esmtp", "for": "bob@chain.test"}
BY_POSTFIX = {"from": "exim.example.net", "addresses": ["192.0.2.26"], "by": "mx.example.net", "with": "ESMTP", "for": "bob@chain.test"}


def passed(method, name, value, result="pass"):
    return {"method": method, "result": result, "properties": [{"name": name, "value": value}]}


CLAIMS = {
    "authentication_results": [{"authserv_id": "out.example.org", "results": [
        passed("dkim", "header.d", "example.org"), passed("spf", "smtp.mailfrom", ALICE, "fail"), passed("dmarc", "header.from", "example.org")]}],
    "dkim_signatures": [{"domain": "example.org", "selector": "k1", "algorithm": "rsa-sha256"}, {"domain": "example.com", "selector": "list", "algorithm": "rsa-sha256"}],
    "arc": [{"field": "seal", "instance": 1, "cv": "none", "domain": "example.com", "selector": "arc"},
            {"field": "authentication_results", "instance": 1, "authserv_id": "list.example.com", "results": [passed("dkim", "header.d", "example.org")]}],
    "list": {"id": "announce.example.com", "description": "Announcements", "unsubscribe": ["https://example.com/unsubscribe?u=1", "mailto:leave@example.com"],
             "one_click": True}}
BLIND = {"bcc": ["carol@example.net"]}


def wrapped(container, protection=None):
    return {"container": container, "protection": protection}


def mail(name, raw, attachments=(), number=1, **facts):
    """Keeps the octets beside the capture and reads what they hold."""
    eml = f"{name}.eml" if number == 1 else f"{name}-{number}.eml"
    (TESTDATA / eml).write_bytes(raw)
    return mail_facts.read(raw, attachments, eml, **facts)


@scenario
def opensmtpd_mutt_attachments():
    name = "opensmtpd-mutt-attachments"
    attached = clients.files({"grey.png": m.png(), made.LONG_NAME: m.pdf()})
    with capture(name, "port 25") as c:
        raw = clients.mutt(OPENSMTPD, 25, "The figures – Übersicht", [BOB], made.TEXT, attached, "-c", "dave@example.net", "-b", "carol@example.net")
        sent = mail(name, raw, [("grey.png", "image/png", m.png()), (made.LONG_NAME, "application/pdf", m.pdf())], alignment=BLIND)
        c.expect([Session(f"{OPENSMTPD}:25", "220 HELO 250 MAIL 250 RCPT 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", verb="HELO",
                          mails=[Mail(ALICE, f"{BOB}+ dave@example.net+ carol@example.net+", message=sent)])],
                 "mutt sends a picture and a PDF whose long name is in RFC 2231 form, in three pieces; lines of the text begin with dots; "
                 "carol stands in no header (Bcc).")


@scenario
def postfix_s_nail_quoted_printable():
    name = "postfix-s-nail-quoted-printable"
    attached = clients.files({"Straßen.csv": made.CSV})
    with capture(name, "port 25") as c:
        raw = clients.s_nail(POSTFIX, 25, "Grüße – die Zahlen für das vierte Quartal", [BOB], made.GERMAN, attached, "-b", "carol@example.net")
        sent = mail(name, raw, [("Straßen.csv", "text/csv", None)], alignment=BLIND)
        c.expect([Session(f"{POSTFIX}:25", "220 HELO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", verb="HELO",
                          mails=[Mail("juergen@example.org", f"{BOB}+ carol@example.net+", message=sent)])],
                 "s-nail sends a German text and a CSV file in UTF-8, both quoted-printable; the subject in several encoded words; Bcc.")


@scenario
def exim_curl_alternative():
    name = "exim-curl-alternative"
    text, html, picture = clients.files({"links.txt": made.LINKS_TEXT, "links.html": made.LINKS_HTML, "logo.png": m.png()})
    headers = ["Date: Mon, 05 Jan 2026 10:00:00 +0000", "From: Your Bank <bank@example.com>", "To: bob@example.net", "Reply-To: bank@203.0.113.7.example.org",
               "Subject: =?UTF-8?Q?Your_statement_=E2=80=93_caf=C3=A9?=", "Message-ID: <mail-links@example.org>"]
    with capture(name, "port 25") as c:
        raw = clients.curl_form(f"smtp://{EXIM}", ALICE, [BOB], headers, "=(;type=multipart/alternative",
                                f"=<{text};type=text/plain; charset=utf-8;encoder=quoted-printable",
                                f"=<{html};type=text/html; charset=utf-8;encoder=quoted-printable", "=)",
                                f'=@{picture};type=image/png;encoder=base64;filename="café.png"')
        sent = mail(name, raw, [("café.png", "image/png", m.png())], urls=[
            {"url": "https://bank.example.com/statement?id=1&year=2026"},
            {"url": "http://203.0.113.7/login?next=/statement&id=1", "text": "https://bank.example.com/statement", "misleading": True},
            {"url": "https://bank.example.com/help", "text": "help is here", "misleading": False},
            {"url": "https://img.example.com/logo.png"}])
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=sent)])],
                 "curl makes text and HTML out of a form: line ends as =0A in quoted-printable, a file name in bare UTF-8, "
                 "and a link whose text names another host than it leads to.")


@scenario
def postfix_mutt_forward():
    name = "postfix-mutt-forward"
    inner = m.with_attachments().raw
    attached = clients.files({"figures.eml": inner.replace(b"\r\n", b"\n")})
    with capture(name, "port 25") as c:
        raw = clients.mutt(POSTFIX, 25, "Fwd: Report with two attachments", [BOB], b"Please see the mail below.\n", attached)
        # the line end before the boundary belongs to the boundary
        sent = mail(name, raw, [("figures.eml", "message/rfc822", inner), ("grey.png", "image/png", m.png()), ("résumé.pdf", "application/pdf", m.pdf())])
        c.expect([Session(f"{POSTFIX}:25", BY_HELO, verb="HELO", mails=[Mail(ALICE, f"{BOB}+", message=sent)])],
                 "mutt forwards a mail as message/rfc822, which has a name and two attachments of its own.")


@scenario
def aiosmtpd_swaks_attachments():
    name = "aiosmtpd-swaks-attachments"
    picture, pdf = clients.files({"grey.png": m.png(), "report.pdf": m.pdf()})
    with capture(name, "port 25") as c:
        raw = clients.swaks_made(AIOSMTPD, 25, ALICE, BOB, "--header", "Subject: Names", "--body", "Two files.\n.\n..\n.end",
                                 "--attach-type", "application/pdf", "--attach-name", "=?UTF-8?Q?r=C3=A9sum=C3=A9.pdf?=", "--attach", f"@{pdf}",
                                 "--attach-type", "image/png", "--attach-name", "grey and small.png", "--attach", f"@{picture}")
        sent = mail(name, raw, [("résumé.pdf", "application/pdf", m.pdf()), ("grey and small.png", "image/png", m.png())])
        if clients.stored(b"X-Mailer: swaks") != raw:
            raise RuntimeError("the server has other octets than swaks sent")
        c.expect([Session(f"{AIOSMTPD}:25", ONE_MAIL, mails=[Mail(ALICE, f"{BOB}+", message=sent)])],
                 "swaks attaches two files: one name is an encoded word in a parameter, which RFC 2047 forbids and clients write, one has blanks; "
                 "the encoding is spelt BASE64; empty lines follow the last boundary.")


@scenario
def opensmtpd_s_nail_archives():
    name = "opensmtpd-s-nail-archives"
    paths = made.archives()
    with capture(name, "port 25") as c:
        raw = clients.s_nail(OPENSMTPD, 25, "Archives", [BOB], b"Four archives.\n", paths)
        kinds = {"zip": "application/zip", "7z": "application/x-7z-compressed"}
        sent = mail(name, raw, [(p.name, kinds[p.suffix[1:]], p.read_bytes()) for p in paths], known={
            2: wrapped("zip"), 3: wrapped("zip", "encrypted"), 4: wrapped("zip", "encrypted"), 5: wrapped("7z", "encrypted")})
        c.expect([Session(f"{OPENSMTPD}:25", BY_HELO, verb="HELO", mails=[Mail("juergen@example.org", f"{BOB}+", message=sent)])],
                 "s-nail attaches four archives of one CSV file: a zip archive, one encrypted by zip (ZipCrypto), one by 7z (AES), and a 7z archive "
                 "whose names are encrypted too.")


@scenario
def exim_smime():
    name = "exim-smime"
    key, certificate, plain = SCRATCH / "certs/smime-key.pem", SCRATCH / "certs/smime.pem", clients.files({"entity": made.entity()})[0]
    program("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=Alice Example",
            "-addext", f"subjectAltName=email:{ALICE}", "-keyout", key, "-out", certificate)
    kinds = {"signed": ["-sign", "-signer", certificate, "-inkey", key], "opaque": ["-sign", "-nodetach", "-signer", certificate, "-inkey", key],
             "encrypted": ["-encrypt", "-aes-128-cbc", "-recip", certificate]}
    raws = []
    for kind, options in kinds.items():
        out = SCRATCH / f"smime-{kind}.eml"
        program("openssl", "cms", *options, "-in", plain, "-out", out)
        raws.append(made.header(f"S/MIME, {kind}", f"smime-{kind}") + out.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    if b"The report is attached" in raws[2]:
        raise RuntimeError("openssl did not encrypt")
    with capture(name, "port 25") as c:
        for raw in raws:
            msmtp(EXIM, 25, ALICE, [BOB], raw)
        sent = [mail(name, raws[0], [("report.pdf", "application/pdf", m.pdf()), ("smime.p7s", "application/pkcs7-signature", None)],
                     known={0: wrapped("smime", "signed"), 4: wrapped("smime", "signature")}),
                mail(name, raws[1], [("smime.p7m", "application/pkcs7-mime", None)], 2, known={0: wrapped("smime", "signed")}),
                mail(name, raws[2], [("smime.p7m", "application/pkcs7-mime", None)], 3, known={0: wrapped("smime", "encrypted")})]
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=one)]) for one in sent],
                 "Three mails made by openssl cms: signed beside the text (multipart/signed), signed around it, encrypted. Sent by msmtp.")


@scenario
def postfix_mutt_pgp():
    name = "postfix-mutt-pgp"
    keys = {}
    shutil.rmtree(clients.home() / ".gnupg", ignore_errors=True)
    for user in (f"Alice Example <{ALICE}>", f"Bob Example <{BOB}>"):
        clients.gpg("--quick-generate-key", user, "ed25519", "sign", "never")
        keys[user] = re.search(rb"^fpr:+([0-9A-F]+):", clients.gpg("--with-colons", "--list-keys", user), re.M).group(1).decode()
        clients.gpg("--quick-add-key", keys[user], "cv25519", "encr", "never")
    alice = next(iter(keys.values()))
    attached = clients.files({"report.pdf": m.pdf()})
    with capture(name, "port 25") as c:
        settings = f"crypt_autosign=yes pgp_sign_as={alice} pgp_default_key={alice}"
        signed = clients.mutt_screen(POSTFIX, 25, "Signed", [BOB], made.GERMAN, attached, settings)
        encrypted = clients.mutt_screen(POSTFIX, 25, "Encrypted", [BOB], made.GERMAN, attached, settings + " crypt_autoencrypt=yes")
        boundary = re.search(rb'protocol="application/pgp-signature"; boundary="(.*?)"', signed).group(1)
        _, content, signature, _ = signed.split(b"--" + boundary)
        parts = clients.files({"content": content.removeprefix(b"\r\n").removesuffix(b"\r\n"), "signature": signature.split(b"\r\n\r\n", 1)[1]})
        clients.gpg("--verify", str(parts[1]), str(parts[0]))
        if m.pdf() not in mail_facts.decoded(clients.gpg("--decrypt", data=encrypted)):
            raise RuntimeError("mutt encrypted something else")
        sent = [mail(name, signed, [("report.pdf", "application/pdf", m.pdf()), ("signature.asc", "application/pgp-signature", None)],
                     known={0: wrapped("openpgp", "signed"), 4: wrapped("openpgp", "signature")}),
                mail(name, encrypted, [(None, "application/pgp-encrypted", b"Version: 1\r\n"), ("msg.asc", "application/octet-stream", None)], 2,
                     known={0: wrapped("openpgp", "encrypted"), 2: wrapped("openpgp", "encrypted")})]
        c.expect([Session(f"{POSTFIX}:25", BY_HELO, verb="HELO", mails=[Mail(ALICE, f"{BOB}+", message=one)]) for one in sent],
                 "mutt signs one mail with OpenPGP and signs and encrypts another (RFC 3156); both have a PDF attached.")


@scenario
def opensmtpd_mpack_tnef():
    name = "opensmtpd-mpack-tnef"
    winmail = clients.files({"winmail.dat": made.tnef()})[0]
    listed = program_output("tnef", "--list", "-f", winmail)
    if "grey.png" not in listed.split():
        raise RuntimeError(f"tnef reads {listed!r}")
    made_by_mpack = clients.mpack("The picture", "application/ms-tnef", winmail)
    raw = (b"Date: Mon, 05 Jan 2026 10:00:00 +0000\nFrom: Alice Example <alice@example.org>\nTo: bob@example.net\n" + made_by_mpack).replace(b"\n", b"\r\n")
    with capture(name, "port 25") as c:
        msmtp(OPENSMTPD, 25, ALICE, [BOB], raw)
        sent = mail(name, raw, [("winmail.dat", "application/ms-tnef", made.tnef())], known={1: wrapped("tnef")})
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=sent)])],
                 "mpack packs a winmail.dat (TNEF) with a picture in it, in a part that is inline and has a name, between boundaries of one hyphen. Sent by msmtp.")


@scenario
def postfix_bounce_report():
    name = "postfix-bounce-report"
    raw = m.with_attachments("To two who do not exist", "bounced", ["nobody@exim.test", "nobody@aio.test"]).raw.replace(b"alice@example.org", b"alice@aio.test")
    with capture(name, f"port 2525 or (port 25 and (host {EXIM} or host 127.0.0.1))") as c:
        with python("127.0.0.1", 25, source="127.0.0.1") as s:
            send_dsn(s, raw)
        time.sleep(4)
        submitted = mail(name, raw, [("grey.png", "image/png", m.png()), ("résumé.pdf", "application/pdf", m.pdf())])
        bounce = mail(name, clients.stored(b"report-type=delivery-status"), [("grey.png", "image/png", m.png()), ("résumé.pdf", "application/pdf", m.pdf())], 2,
                      known={2: {"notification": BOUNCED}})
        c.expect([Session("127.0.0.1:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail("alice@aio.test", "nobody@exim.test+ nobody@aio.test+", message=submitted)]),
                  Session(f"{EXIM}:25", "220 EHLO 250 MAIL RCPT DATA 250 550 503 RSET QUIT 250 221", helo="mx.example.net", starttls="offered",
                          mails=[Mail("alice@aio.test", "nobody@exim.test-", outcome="rejected", final=503)]),
                  Session(f"{AIOSMTPD}:2525", "220 EHLO 250 MAIL 250 RCPT 550 RSET 250 QUIT 221", helo="mx.example.net",
                          mails=[Mail("alice@aio.test", "nobody@aio.test-", None, outcome="rejected", final=550)]),
                  Session(f"{AIOSMTPD}:2525", ONE_MAIL, helo="mx.example.net", mails=[Mail("", "alice@aio.test+", message=bounce)])],
                 "A mail to Postfix with RET, ENVID, NOTIFY and ORCPT; Exim and aiosmtpd refuse its two recipients, and Postfix bounces it: "
                 "multipart/report with both recipients and the whole mail, which has attachments.")


@scenario
def opensmtpd_read_receipt():
    name = "opensmtpd-read-receipt"
    raw = made.read_receipt()
    with capture(name, "port 25") as c:
        with python(OPENSMTPD, 25) as s:
            s.sendmail("", ["alice@example.net"], raw)
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail("", "alice@example.net+", message=mail(name, raw, known={2: {"notification": DISPLAYED}}))])],
                 "A disposition notification (multipart/report, RFC 8098) from the null sender.")


@scenario
def exim_bdat_binary():
    name = "exim-bdat-binary"
    raw = made.binary()
    cut = raw.index(b"IDAT")
    with capture(name, "port 25") as c:
        s = Raw(EXIM, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        for command, piece in ((f"BDAT {cut}\r\n", raw[:cut]), (f"BDAT {len(raw) - cut} LAST\r\n", raw[cut:])):
            s.send(command.encode() + piece)
            s.reply()
        s.quit()
        sent = mail(name, raw, [("grey.png", "image/png", m.png()), ("report.pdf", "application/pdf", m.pdf())])
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250 BDAT 250 BDAT 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=sent)])],
                 "A picture and a PDF without any encoding (Content-Transfer-Encoding: binary), in two chunks, the first of which ends within the picture. "
                 "The server does not offer BINARYMIME.")


@scenario
def exim_smtputf8_attachment():
    name = "exim-smtputf8-attachment"
    raw = made.international()
    with capture(name, "port 25") as c:
        with python(EXIM, 25) as s:
            s.sendmail("jürgen@exämple.test", ["用户@example.net"], raw, ["SMTPUTF8", "BODY=8BITMIME"])
        sent = mail(name, raw, [("Straßen.csv", "text/csv", made.CSV.replace(b"\n", b"\r\n").removesuffix(b"\r\n"))])
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail("jürgen@exämple.test", "用户@example.net+", message=sent)])],
                 "smtplib with SMTPUTF8: UTF-8 in addresses, subject and file name, none of it encoded; the CSV file as 8bit text.")


@scenario
def aiosmtpd_equal_mails():
    name = "aiosmtpd-equal-mails"
    raw = made.made_by_python("Twice the same", "twice")
    with capture(name, "port 25") as c:
        with python(AIOSMTPD, 25) as s:
            for _ in range(2):
                s.sendmail(ALICE, [BOB], raw)
        sent = mail(name, raw, [("grey.png", "image/png", m.png()), ("Straßen.csv", "text/csv", None)])
        c.expect([Session(f"{AIOSMTPD}:25", "220 EHLO 250" + " MAIL 250 RCPT 250 DATA 354 250" * 2 + " QUIT 221",
                          mails=[Mail(ALICE, f"{BOB}+", message=sent)] * 2)],
                 "The same mail twice in one connection, made by Python's email package: text, HTML with a picture inside, and a CSV file.")


@scenario
def exim_relay_chain():
    name = "exim-relay-chain"
    raw = made.handed_on()
    with capture(name, f"port 25 or (port 2525 and host {AIOSMTPD})") as c:
        msmtp(EXIM, 25, "bounces@example.com", ["bob@chain.test"], raw)
        time.sleep(4)
        c.stop()
        last = clients.stored(b"<mail-chain@example.org>")
        to_postfix = next(s for s in connections(c.raw) if s["server"] == f"{POSTFIX}:25")
        middle = wire_contents(streams(c.raw, to_postfix["number"], to_postfix["client"])[0])[0]
        if not last.endswith(middle) or not middle.endswith(raw) or not last.startswith(b"Received: from exim.example.net"):
            raise RuntimeError("a server did more than add header lines")
        above = ([], [BY_EXIM], [BY_POSTFIX, BY_EXIM])
        mails = [mail(name, octets, number=n, received=above[n - 1] + SENT_ON, claims=CLAIMS) for n, octets in enumerate((raw, middle, last), 1)]
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail("bounces@example.com", "bob@chain.test+", message=mails[0])]),
                  Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL RCPT BDAT 250 250 250 QUIT 221", helo="exim.example.net", starttls="offered",
                          mails=[Mail("bounces@example.com", "bob@chain.test+", "BDAT", message=mails[1])]),
                  Session(f"{AIOSMTPD}:2525", ONE_MAIL, helo="mx.example.net", mails=[Mail("bounces@example.com", "bob@chain.test+", message=mails[2])])],
                 "A mail of a list through Exim, Postfix and aiosmtpd, in three connections: two Received lines at first, four in the end; "
                 "Authentication-Results, ARC, DKIM-Signature (made up) and List- lines; a group in To, a comma in a quoted name.")


def send_dsn(connection, raw):
    """RFC 3461 parameters that differ from recipient to recipient, which sendmail() does not do."""
    connection.ehlo()
    connection.mail("alice@aio.test", ["RET=FULL", "ENVID=QQ314159"])
    connection.rcpt("nobody@exim.test", ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;list@exim.test"])
    connection.rcpt("nobody@aio.test", ["NOTIFY=FAILURE"])
    connection.data(raw)


def program_output(*command):
    program(*command)
    return transcript[-1]
