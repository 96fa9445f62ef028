"""The scenarios. Each records one capture and states by hand what it holds."""
import imaplib
import poplib
import re
import time

import messages as m
from clients import (CLIENT, CLIENT2, CLIENT3, HELO, Raw, b64, cram, curl, msmtp, program, python, s_client, swaks)
from facts import Mail, Session
from messages import ALICE, plain
from record import TESTDATA, Recorder, capture, cut_into_parts, scenario
from servers import AIOSMTPD, EXIM, OPENSMTPD, OTHER, PASSWORDS, POSTFIX, WRONG_PASSWORD

BOB = "bob@example.net"
PASSWORD = PASSWORDS["alice"]
ONE_MAIL = "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221"


def envelope(*recipients, sender=ALICE, options=""):
    return f"MAIL FROM:<{sender}>{options}\r\n" + "".join(f"RCPT TO:<{r}>\r\n" for r in recipients)


def keep(eml, message):
    """Keeps the octets of a message beside the captures."""
    (TESTDATA / eml).write_bytes(message.raw)
    message.further["eml"] = eml


# 1. One plain mail

@scenario
def postfix_plain():
    mail = plain("A plain mail to Postfix", "postfix-plain")
    with capture("postfix-plain", "port 25") as c:
        swaks(POSTFIX, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "swaks sends one mail to Postfix. STARTTLS is offered and not used.")


@scenario
def exim_plain():
    mail = plain("A plain mail to Exim", "exim-plain")
    with capture("exim-plain", "port 25") as c:
        msmtp(EXIM, 25, ALICE, [BOB], mail.raw)
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "msmtp sends one mail to Exim.")


@scenario
def opensmtpd_plain():
    mail = plain("A plain mail to OpenSMTPD", "opensmtpd-plain")
    with capture("opensmtpd-plain", "port 25") as c:
        curl(f"smtp://{OPENSMTPD}", ALICE, [BOB], mail.raw)
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "curl sends one mail to OpenSMTPD, with SIZE in MAIL.")


@scenario
def aiosmtpd_plain():
    mail = plain("A plain mail to aiosmtpd", "aiosmtpd-plain")
    with capture("aiosmtpd-plain", "port 2525") as c:
        with python("127.0.0.1", 2525, source="127.0.0.1") as s:
            s.sendmail(ALICE, [BOB], mail.raw)
        c.expect([Session("127.0.0.1:2525", ONE_MAIL, mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "Python smtplib sends one mail to aiosmtpd on port 2525 of 127.0.0.1; lower-case verbs.")


# 2. Recipients accepted, deferred and refused

@scenario
def postfix_mixed_recipients():
    mail = plain("Many recipients", "mixed", to=[BOB, "greylisted@example.net", "nobody@example.net", "carol@example.net"])
    with capture("postfix-mixed-recipients", "port 25") as c:
        swaks(POSTFIX, 25, ALICE, "bob@example.net,greylisted@example.net,nobody@example.net,carol@example.net,gone@example.net,dave@elsewhere.test,erin@example.net",
              mail.raw)
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 450 RCPT 550 RCPT 250 RCPT 550 RCPT 454 RCPT 250 DATA 354 250 QUIT 221",
                          starttls="offered", mails=[Mail(ALICE, "bob@example.net+ greylisted@example.net- nobody@example.net- carol@example.net+ "
                                                          "gone@example.net- dave@elsewhere.test- erin@example.net+", message=mail)])],
                 "Seven recipients: three accepted, one deferred with 450 4.2.0, two refused with 550 5.1.1 and 5.1.6, one with 454 4.7.1 (relaying).")


@scenario
def opensmtpd_mixed_recipients():
    mail = plain("Two recipients, one refused", "mixed-open", to=[BOB, "dave@elsewhere.test"])
    with capture("opensmtpd-mixed-recipients", "port 25") as c:
        swaks(OPENSMTPD, 25, ALICE, f"{BOB},dave@elsewhere.test", mail.raw)
        c.expect([Session(f"{OPENSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 550 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+ dave@elsewhere.test-", message=mail)])],
                 "OpenSMTPD refuses the second of two recipients.")


# 3. Pipelining

@scenario
def postfix_pipelining():
    mail = plain("Envelope in one segment", "pipelining", to=[BOB, "carol@example.net"])
    with capture("postfix-pipelining", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s.send(envelope(BOB, "nobody@example.net", "carol@example.net") + "DATA\r\n")
        s.replies(5)
        s.send(mail.raw + b".\r\nQUIT\r\n")
        s.replies(2)
        s.close()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL RCPT RCPT RCPT DATA 250 250 550 250 354 QUIT 250 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+ nobody@example.net- carol@example.net+", message=mail)])],
                 "MAIL, three RCPT and DATA in one segment, one recipient refused; message, dot and QUIT in one segment.")


@scenario
def postfix_pipelining_all_refused():
    with capture("postfix-pipelining-all-refused", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s.send(envelope("nobody@example.net", "greylisted@example.net") + "DATA\r\nRSET\r\nQUIT\r\n")
        s.replies(6)
        s.close()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL RCPT RCPT DATA RSET QUIT 250 550 450 554 250 221", starttls="offered",
                          mails=[Mail(ALICE, "nobody@example.net- greylisted@example.net-", outcome="rejected", final=554)])],
                 "MAIL, RCPT, RCPT, DATA, RSET and QUIT in one segment; every recipient is refused, so DATA is too (554 5.5.1).")


@scenario
def exim_pipelining():
    mail = plain("swaks with pipelining", "exim-pipelining", to=[BOB, "carol@example.net"])
    with capture("exim-pipelining", "port 25") as c:
        swaks(EXIM, 25, ALICE, f"{BOB},nobody@example.net,carol@example.net", mail.raw, "--pipeline")
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL RCPT RCPT RCPT DATA 250 250 550 250 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+ nobody@example.net- carol@example.net+", message=mail)])],
                 "swaks pipelines the envelope to Exim.")


@scenario
def postfix_relays_to_exim():
    mail = plain("Relayed by Postfix", "relay-exim", to=["bob@exim.test", "carol@exim.test"])
    with capture("postfix-relays-to-exim", "port 25") as c:
        with python("127.0.0.1", 25, source="127.0.0.1") as s:
            s.sendmail(ALICE, mail.to, mail.raw)
        time.sleep(2)
        c.expect([Session("127.0.0.1:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, "bob@exim.test+ carol@exim.test+", message=mail)]),
                  Session(f"{EXIM}:25", "220 EHLO 250 MAIL RCPT RCPT DATA 250 250 250 354 QUIT 250 221", helo="mx.example.net", starttls="offered",
                          mails=[Mail(ALICE, "bob@exim.test+ carol@exim.test+", message=mail, octets="wire")])],
                 "A mail to Postfix from smtplib, which Postfix relays to Exim: as a client it pipelines MAIL, RCPT and DATA, and the dot with QUIT.")


@scenario
def postfix_relays_to_opensmtpd():
    mail = plain("Relayed by Postfix", "relay-open", to=["bob@open.test"])
    with capture("postfix-relays-to-opensmtpd", f"port 25 and host {OPENSMTPD}") as c:
        with python("127.0.0.1", 25, source="127.0.0.1") as s:
            s.sendmail(ALICE, mail.to, mail.raw)
        time.sleep(2)
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, helo="mx.example.net", starttls="offered",
                          mails=[Mail(ALICE, "bob@open.test+", message=mail, octets="wire")])],
                 "Postfix as a client of OpenSMTPD, which does not offer PIPELINING.")


@scenario
def opensmtpd_relays_to_aiosmtpd():
    mail = plain("Relayed by OpenSMTPD", "relay-aio", to=["bob@aio.test"])
    with capture("opensmtpd-relays-to-aiosmtpd", "port 2525 or port 10027") as c:
        with python("127.0.0.1", 10027, source="127.0.0.1") as s:
            s.sendmail(ALICE, mail.to, mail.raw)
        time.sleep(14)
        c.expect([Session("127.0.0.1:10027", ONE_MAIL, mails=[Mail(ALICE, "bob@aio.test+", message=mail)]),
                  Session(f"{AIOSMTPD}:2525", ONE_MAIL, helo="open.example.net", mails=[Mail(ALICE, "bob@aio.test+", message=mail, octets="wire")])],
                 "OpenSMTPD takes a mail on port 10027 and, as a client, gives it to aiosmtpd on port 2525.")


@scenario
def exim_early_pipelining():
    mails = [plain(f"Early pipelining {n}", f"early-{n}", to=["bob@early.test"]) for n in (1, 2)]
    with capture("exim-early-pipelining", "port 2526") as c:
        for mail in mails:
            swaks(EXIM, 25, ALICE, "bob@early.test", mail.raw)
            time.sleep(2)
        c.expect([Session("127.0.0.1:2526", "220 EHLO 250 MAIL 250 RCPT 250 BDAT QUIT 250 221", helo="exim.example.net", starttls="offered",
                          mails=[Mail(ALICE, "bob@early.test+", "BDAT", message=mail, octets="wire")]) for mail in mails],
                 "Exim to Exim with PIPECONNECT: in the second connection the client, which remembers what the server offers, sends all before "
                 "the greeting: EHLO, MAIL, RCPT and BDAT LAST in one segment, the whole chunk and QUIT with FIN in the next.")


# 4. BDAT

@scenario
def exim_bdat_single():
    mail = plain("One chunk", "bdat-single")
    with capture("exim-bdat-single", "port 25") as c:
        s = Raw(EXIM, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        s.send(f"BDAT {len(mail.raw)} LAST\r\n".encode() + mail.raw)
        s.reply()
        s.quit()
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250 BDAT 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=mail)])], "The whole message in one BDAT LAST.")


@scenario
def postfix_bdat_chunks():
    mail = plain("Several chunks", "bdat-chunks", body="A dot line, which is content in a chunk:\n.\nQUIT\nRSET\n.\n..\nThe end.\n")
    pieces = [mail.raw[:31], mail.raw[31:200], mail.raw[200:201], mail.raw[201:]]
    with capture("postfix-bdat-chunks", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        for n, piece in enumerate(pieces):
            s.send(f"BDAT {len(piece)}{' LAST' if n == 3 else ''}\r\n")
            time.sleep(0.05)
            s.send(piece)
            s.reply()
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 BDAT 250 BDAT 250 BDAT 250 BDAT 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=mail)])],
                 "Four chunks, one of a single octet: the first ends within a header line, the second and the third within the first line of the text. "
                 "The text holds dot lines and the words QUIT and RSET. Command and chunk are in different segments.")


@scenario
def postfix_bdat_pipelined():
    mails = [plain(f"Chunks in one segment {n}", f"bdat-pipelined-{n}") for n in (1, 2)]
    with capture("postfix-bdat-pipelined", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        for mail in mails:
            s.send(envelope(BOB).encode() + f"BDAT 100\r\n".encode() + mail.raw[:100] + f"BDAT {len(mail.raw) - 100} LAST\r\n".encode() + mail.raw[100:])
            s.replies(4)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL RCPT BDAT BDAT 250 250 250 250 MAIL RCPT BDAT BDAT 250 250 250 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=mail) for mail in mails])],
                 "MAIL, RCPT, BDAT 100 and BDAT LAST with their chunks in one segment, twice.")


@scenario
def postfix_bdat_zero_last():
    mail = plain("Ends with an empty chunk", "bdat-zero")
    with capture("postfix-bdat-zero-last", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        s.send(f"BDAT {len(mail.raw)}\r\n".encode() + mail.raw)
        s.reply()
        s("BDAT 0 LAST")
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 BDAT 250 BDAT 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=mail)])], "One chunk without LAST, then BDAT 0 LAST.")


@scenario
def postfix_bdat_refused():
    mail = plain("Refused chunk", "bdat-refused")
    with capture("postfix-bdat-refused", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(*envelope("nobody@example.net").splitlines())
        s.send(f"BDAT {len(mail.raw)} LAST\r\n".encode() + mail.raw)
        s.reply()
        s("RSET")
        s.send(b"BDAT 6 LAST\r\nQUIT\r\n")
        s.reply()
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 550 BDAT 554 RSET 250 BDAT 503 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, "nobody@example.net-", "BDAT", "rejected", 554, mail)])],
                 "BDAT with no valid recipient (554), then BDAT without MAIL whose chunk is the word QUIT (503). The server reads the "
                 "octets of a refused chunk all the same (RFC 3030 section 2).")


@scenario
def exim_relays_with_bdat():
    mail = plain("Thirty kilobytes by BDAT", "bdat-relay", to=["bob@chunk.test"], body=m.long_body(30000))
    with capture("exim-relays-with-bdat", "port 2526") as c:
        swaks(EXIM, 25, ALICE, "bob@chunk.test", mail.raw)
        time.sleep(2)
        c.expect([Session("127.0.0.1:2526", "220 EHLO 250 MAIL RCPT BDAT 250 250 250 BDAT QUIT 250 221", helo="exim.example.net", starttls="offered",
                          mails=[Mail(ALICE, "bob@chunk.test+", "BDAT", message=mail, octets="wire")])],
                 "Exim as a client sends the header pipelined with the envelope, as one chunk, and the text of 30 kB as the last chunk; QUIT follows before the reply, "
                 "in a segment of its own with FIN. The reply to the last chunk has two lines.")


# 5. AUTH

@scenario
def postfix_auth_plain():
    with capture("postfix-auth-plain", "port 587") as c:
        good, bad = b64(f"\0alice\0{PASSWORD}"), b64(f"\0alice\0{WRONG_PASSWORD}")
        for lines in ([f"AUTH PLAIN {good}"], ["AUTH PLAIN", good], [f"AUTH PLAIN {bad}"], ["AUTH PLAIN", bad]):
            s = Raw(POSTFIX, 587)
            s.ehlo()
            s(*lines)
            s.quit()
        s = Raw(POSTFIX, 587)
        s.ehlo()
        s("AUTH PLAIN", "*", f"AUTH PLAIN {good}")
        s.quit()

        def session(dialogue, *outcomes):
            return Session(f"{POSTFIX}:587", f"220 EHLO 250 {dialogue} QUIT 221", starttls="offered", auth=[("PLAIN", u, o) for u, o in outcomes])
        c.expect([session("AUTH 235", ("alice", "success")), session("AUTH 334 235", ("alice", "success")),
                  session("AUTH 535", ("alice", "failure")), session("AUTH 334 535", ("alice", "failure")),
                  session("AUTH 334 501 AUTH 235", (None, "aborted"), ("alice", "success"))],
                 "AUTH PLAIN six times in five connections: with and without initial response, right and wrong password; in the last, cancelled by * and then done.")


@scenario
def exim_auth_login():
    with capture("exim-auth-login", "port 587") as c:
        mail = plain("Sent with AUTH LOGIN", "auth-login", to=["dave@elsewhere.test"])
        swaks(EXIM, 587, ALICE, "dave@elsewhere.test", mail.raw, "--auth", "LOGIN", "--auth-user", "alice", "--auth-password", PASSWORD)
        swaks(EXIM, 587, ALICE, "dave@elsewhere.test", mail.raw, "--auth", "LOGIN", "--auth-user", "alice", "--auth-password", WRONG_PASSWORD, ok=(28,))
        s = Raw(EXIM, 587)
        s.ehlo()
        s(f"AUTH LOGIN {b64('alice')}", b64(PASSWORD))
        s.quit()
        s = Raw(EXIM, 587)
        s.ehlo()
        s("AUTH LOGIN", b64("alice"), "*")
        s.quit()
        c.expect([Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 334 235 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          auth=[("LOGIN", "alice", "success")], mails=[Mail(ALICE, "dave@elsewhere.test+", message=mail)]),
                  Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 334 535 QUIT 221", starttls="offered", auth=[("LOGIN", "alice", "failure")]),
                  Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 235 QUIT 221", starttls="offered", auth=[("LOGIN", "alice", "success")]),
                  Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 334 501 QUIT 221", starttls="offered", auth=[("LOGIN", "alice", "aborted")])],
                 "AUTH LOGIN: accepted (with a mail), wrong password, with the user name as initial response, cancelled by * at the password.",
                 open_places=[("sessions[3].auth[0].username", [None], "the exchange was cancelled after the user name")])


@scenario
def exim_auth_cram_md5():
    with capture("exim-auth-cram-md5", "port 587") as c:
        for password in (PASSWORD, WRONG_PASSWORD):
            s = Raw(EXIM, 587)
            s.ehlo()
            cram(s, "alice", password)
            s.quit()
        s = Raw(EXIM, 587)
        s.ehlo()
        s("AUTH CRAM-MD5", "*")
        s.quit()
        c.expect([Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 235 QUIT 221", starttls="offered", auth=[("CRAM-MD5", "alice", "success")]),
                  Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 535 QUIT 221", starttls="offered", auth=[("CRAM-MD5", "alice", "failure")]),
                  Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 501 QUIT 221", starttls="offered", auth=[("CRAM-MD5", None, "aborted")])],
                 "AUTH CRAM-MD5: accepted, wrong password, cancelled by *.")


@scenario
def aiosmtpd_auth():
    mail = plain("Sent with AUTH", "auth-aio")
    with capture("aiosmtpd-auth", "port 587") as c:
        msmtp(AIOSMTPD, 587, ALICE, [BOB], mail.raw, "--auth=plain", "--user=bob", f"--passwordeval=echo '{PASSWORDS['bob']}'")
        msmtp(AIOSMTPD, 587, ALICE, [BOB], mail.raw, "--auth=login", "--user=carol", f"--passwordeval=echo '{WRONG_PASSWORD}'", ok=(77,))
        s = Raw(AIOSMTPD, 587)
        s.ehlo()
        s("AUTH DIGEST-MD5", "AUTH PLAIN not-base64!", "AUTH LOGIN", "*")
        s.quit()
        c.expect([Session(f"{AIOSMTPD}:587", "220 EHLO 250 AUTH 235 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", auth=[("PLAIN", "bob", "success")],
                          mails=[Mail(ALICE, f"{BOB}+", message=mail)]),
                  Session(f"{AIOSMTPD}:587", "220 EHLO 250 AUTH 334 334 535", auth=[("LOGIN", "carol", "failure")]),
                  Session(f"{AIOSMTPD}:587", "220 EHLO 250 AUTH 504 AUTH 501 AUTH 334 501 QUIT 221",
                          auth=[("DIGEST-MD5", None, "failure"), ("PLAIN", None, "failure"), ("LOGIN", None, "aborted")])],
                 "msmtp with AUTH PLAIN (accepted) and LOGIN (wrong password); a mechanism the server does not have, a response that is not base64, and LOGIN cancelled.")


# 6. STARTTLS

TLS_MAIL = "220 EHLO 250 STARTTLS 220"
COMPLETED = ("completed",)


@scenario
def postfix_starttls_tls13():
    mail = plain("Inside TLS 1.3", "tls13")
    with capture("postfix-starttls-tls13", "port 25") as c:
        swaks(POSTFIX, 25, ALICE, BOB, mail.raw, "--tls", "--tls-protocol", "tlsv1_3", "--tls-sni", "mx.example.net")
        c.expect([Session(f"{POSTFIX}:25", TLS_MAIL, starttls="accepted", tls=COMPLETED)], "swaks: STARTTLS, then TLS 1.3, with the mail inside.")


@scenario
def exim_starttls_tls12():
    mail = plain("Inside TLS 1.2", "tls12")
    with capture("exim-starttls-tls12", "port 25") as c:
        curl(f"smtp://{EXIM}", ALICE, [BOB], mail.raw, "--ssl-reqd", "-k", "--tls-max", "1.2")
        c.expect([Session(f"{EXIM}:25", TLS_MAIL, starttls="accepted", tls=COMPLETED)], "curl: STARTTLS, then TLS 1.2, where the certificate can be read.")


@scenario
def aiosmtpd_starttls_required():
    with capture("aiosmtpd-starttls-required", "port 5870") as c:
        s = Raw(AIOSMTPD, 5870)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        s.quit()
        s_client(AIOSMTPD, 5870, ["EHLO " + HELO, "QUIT"], "-starttls", "smtp", "-name", HELO, "-servername", "aio.example.net")
        c.expect([Session(f"{AIOSMTPD}:5870", "220 EHLO 250 MAIL 530 RCPT 530 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}-", None, "rejected", 530)]),
                  Session(f"{AIOSMTPD}:5870", TLS_MAIL, starttls="accepted", tls=COMPLETED)],
                 "The server wants STARTTLS first: MAIL is refused with 530; then openssl s_client does STARTTLS (TLS 1.2).",
                 open_places=[("sessions[0].transactions[0].rcpt_to", [[]], "RCPT after a refused MAIL")])


@scenario
def exim_starttls_auth():
    mail = plain("Inside TLS, with AUTH", "tls-auth")
    with capture("exim-starttls-auth", "port 587") as c:
        msmtp(EXIM, 587, ALICE, [BOB], mail.raw, "--tls=on", "--tls-starttls=on", "--tls-certcheck=off", "--auth=plain", "--user=alice",
              f"--passwordeval=echo '{PASSWORD}'")
        c.expect([Session(f"{EXIM}:587", TLS_MAIL, starttls="accepted", tls=COMPLETED)],
                 "msmtp: STARTTLS and then AUTH inside TLS, which the capture cannot show.")


@scenario
def opensmtpd_starttls_fails():
    mail = plain("Never sent", "tls-fails")
    with capture("opensmtpd-starttls-fails", "port 587") as c:
        msmtp(OPENSMTPD, 587, ALICE, [BOB], mail.raw, "--tls=on", "--tls-starttls=on", "--tls-certcheck=off", ok=(76,))
        c.expect([Session(f"{OPENSMTPD}:587", TLS_MAIL, starttls="accepted", tls=("failed", ("server", None)))],
                 "STARTTLS is accepted with 220, the handshake then fails with an alert of the server: OpenSMTPD 6.8 of Debian 12 "
                 "cannot reach its private key with OpenSSL 3.")


@scenario
def postfix_starttls_refused():
    mail = plain("Went on in plain text", "tls-refused")
    with capture("postfix-starttls-refused", "port 2525") as c:
        s = Raw(POSTFIX, 2525)
        s.ehlo()
        s("STARTTLS", *envelope(BOB).splitlines(), "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{POSTFIX}:2525", "220 EHLO 250 STARTTLS 454 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="rejected",
                          mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "STARTTLS is refused with 454 4.7.0 (the server has no certificate); the client goes on in plain text.")


@scenario
def exim_starttls_deferred():
    mail = plain("Went on in plain text", "tls-deferred")
    with capture("exim-starttls-deferred", "port 2525") as c:
        curl(f"smtp://{EXIM}:2525", ALICE, [BOB], mail.raw, "--ssl")
        c.expect([Session(f"{EXIM}:2525", "220 EHLO 250 STARTTLS 451 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="rejected",
                          mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "STARTTLS is refused with 451 by an access list; curl, which was asked to try only, goes on in plain text.")


# 7. Implicit TLS

IMPLICIT = [("sessions", [[]], "nothing but TLS is visible; the port says that it is SMTP")]


@scenario
def postfix_implicit_tls():
    mail = plain("SMTPS", "smtps")
    with capture("postfix-implicit-tls", "port 465") as c:
        curl(f"smtps://{POSTFIX}:465", ALICE, [BOB], mail.raw, "-k", "--user", f"alice:{PASSWORD}")
        c.expect([Session(f"{POSTFIX}:465", "", helo=None, verb=None, check=False, tls=COMPLETED)],
                 "curl with TLS from the first octet on port 465, AUTH and mail inside.", open_places=IMPLICIT)


@scenario
def exim_implicit_tls():
    with capture("exim-implicit-tls", "port 465") as c:
        s_client(EXIM, 465, ["EHLO " + HELO, "QUIT"], "-tls1_2", "-servername", "exim.example.net")
        c.expect([Session(f"{EXIM}:465", "", helo=None, verb=None, check=False, tls=COMPLETED)],
                 "openssl s_client with TLS 1.2 from the first octet.", open_places=IMPLICIT)


# 8. RSET; several mails

@scenario
def exim_rset():
    mail = plain("After RSET", "rset")
    with capture("exim-rset", "port 25") as c:
        s = Raw(EXIM, 25)
        s.ehlo()
        s(*envelope("carol@example.net", sender="first@example.org").splitlines(), "RSET", *envelope(BOB).splitlines(), "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250 RSET 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail("first@example.org", "carol@example.net+", None, "aborted", None), Mail(ALICE, f"{BOB}+", message=mail)])],
                 "A transaction ended by RSET, then a mail.")


@scenario
def opensmtpd_three_mails():
    mails = [plain(f"Mail {n} of 3", f"three-{n}") for n in (1, 2, 3)]
    with capture("opensmtpd-three-mails", "port 25") as c:
        with python(OPENSMTPD, 25) as s:
            for mail in mails:
                s.sendmail(ALICE, [BOB], mail.raw)
        c.expect([Session(f"{OPENSMTPD}:25", "220 EHLO 250" + " MAIL 250 RCPT 250 DATA 354 250" * 3 + " QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", message=mail) for mail in mails])],
                 "Three mails in one connection.")


@scenario
def postfix_ehlo_again():
    mail = plain("After a second EHLO", "ehlo-again")
    with capture("postfix-ehlo-again", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s("HELO first.example.org", *envelope("carol@example.net").splitlines(), "MAIL FROM:<nested@example.org>", f"EHLO {HELO}", *envelope(BOB).splitlines(), "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 HELO 250 MAIL 250 RCPT 250 MAIL 503 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, "carol@example.net+", None, "aborted", None), Mail(ALICE, f"{BOB}+", message=mail)])],
                 "HELO, a transaction, a nested MAIL (503), then EHLO, which ends the transaction, and a mail.")


# 9. Refusals

@scenario
def postfix_sender_refused():
    with capture("postfix-sender-refused", "port 25") as c:
        swaks(POSTFIX, 25, "spammer@example.org", BOB, None, ok=(23,))
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s("MAIL FROM:<two words@example.org>", "MAIL alice", "RCPT TO:<bob@example.net>")
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 550 QUIT 221", starttls="offered", mails=[Mail("spammer@example.org", "", None, "rejected", 550)]),
                  Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 501 MAIL 501 RCPT 503 QUIT 221", starttls="offered",
                          mails=[Mail("two words@example.org", "", None, "rejected", 501), Mail("alice", f"{BOB}-", None, "rejected", 501)])],
                 "MAIL refused: 550 5.7.1 for the sender, 501 for the syntax; RCPT without MAIL is refused with 503.",
                 open_places=[("sessions[1].transactions[0].mail_from", ["*"], "an address with a blank"),
                              ("sessions[1].transactions[1].mail_from", ["*"], "MAIL without FROM:"),
                              ("sessions[1].transactions[1].rcpt_to", [[]], "RCPT after a refused MAIL")])


@scenario
def aiosmtpd_auth_required():
    with capture("aiosmtpd-auth-required", "port 587") as c:
        swaks(AIOSMTPD, 587, ALICE, BOB, None, ok=(23,))
        c.expect([Session(f"{AIOSMTPD}:587", "220 EHLO 250 MAIL 530 QUIT 221", mails=[Mail(ALICE, "", None, "rejected", 530)])],
                 "MAIL without AUTH is refused with 530 5.7.0.")


@scenario
def postfix_content_refused():
    mails = [plain("A forbidden subject", "header-check"), plain("Buy now", "body-check", body="We have cheap pills for you.\n")]
    with capture("postfix-content-refused", "port 25") as c:
        for mail in mails:
            swaks(POSTFIX, 25, ALICE, BOB, mail.raw, ok=(26,))
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 550 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=550, message=mail)]) for mail in mails],
                 "Two messages refused at the end of data with 550 5.7.1, one by header_checks, one by body_checks.")


@scenario
def aiosmtpd_content_refused():
    mail = plain("A forbidden subject", "content-aio")
    with capture("aiosmtpd-content-refused", "port 25") as c:
        swaks(AIOSMTPD, 25, ALICE, BOB, mail.raw, ok=(26,))
        c.expect([Session(f"{AIOSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 554 QUIT 221",
                          mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=554, message=mail)])], "The message is refused at the end of data with 554 5.7.1.")


@scenario
def postfix_no_valid_recipients():
    with capture("postfix-no-valid-recipients", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(*envelope("nobody@example.net", "gone@example.net").splitlines(), "DATA")
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 550 RCPT 550 DATA 554 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, "nobody@example.net- gone@example.net-", outcome="rejected", final=554)])],
                 "Every recipient is refused, the client sends DATA all the same: 554 5.5.1.")


@scenario
def opensmtpd_all_recipients_refused():
    with capture("opensmtpd-all-recipients-refused", "port 25") as c:
        swaks(OPENSMTPD, 25, ALICE, "dave@elsewhere.test,erin@elsewhere.test", None, ok=(24,))
        c.expect([Session(f"{OPENSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 550 RCPT 550 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, "dave@elsewhere.test- erin@elsewhere.test-", None, "rejected", 550)])],
                 "Every recipient is refused and the client gives up.")


@scenario
def aiosmtpd_data_refused():
    with capture("aiosmtpd-data-refused", "port 2451") as c:
        swaks(AIOSMTPD, 2451, ALICE, BOB, None, ok=(25,))
        c.expect([Session(f"{AIOSMTPD}:2451", "220 EHLO 250 MAIL 250 RCPT 250 DATA 451 QUIT 221",
                          mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=451)])], "DATA itself is refused with 451.")


# 10. Null sender

@scenario
def postfix_bounce():
    mail = plain("To someone Exim does not know", "bounce", to=["nobody@exim.test"], sender="alice@open.test")
    bounce = m.Message(b"\r\n\r\nThis is the mail system at host mx.example.net.", "Undelivered Mail Returned to Sender", "MAILER-DAEMON@mx.example.net",
                       "Mail Delivery System <MAILER-DAEMON@mx.example.net>", ["alice@open.test"],
                       re.compile(rb"^Message-Id: <(\d{14}\.[0-9A-F]+@mx\.example\.net)>\r$", re.M))
    with capture("postfix-bounce", f"port 25 and src or dst host {EXIM} or (port 25 and host {OPENSMTPD})") as c:
        with python("127.0.0.1", 25, source="127.0.0.1") as s:
            s.sendmail("alice@open.test", ["nobody@exim.test"], mail.raw)
        time.sleep(3)
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL RCPT DATA 250 550 503 RSET QUIT 250 221", helo="mx.example.net", starttls="offered",
                          mails=[Mail("alice@open.test", "nobody@exim.test-", outcome="rejected", final=503)]),
                  Session(f"{OPENSMTPD}:25", ONE_MAIL, helo="mx.example.net", starttls="offered",
                          mails=[Mail("", "alice@open.test+", message=bounce, octets="wire")])],
                 "Postfix relays to Exim, which refuses the recipient, and sends the bounce (null sender, multipart/report) to OpenSMTPD.")


# 11. SMTPUTF8, 8BITMIME

@scenario
def postfix_smtputf8():
    mail = m.international()
    with capture("postfix-smtputf8", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s("MAIL FROM:<jürgen@exämple.test> BODY=8BITMIME SMTPUTF8", "RCPT TO:<用户@example.net>", "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail("jürgen@exämple.test", "用户@example.net+", message=mail)])],
                 "UTF-8 in both addresses and in the header fields.")


@scenario
def aiosmtpd_smtputf8():
    mail = m.international()
    with capture("aiosmtpd-smtputf8", "port 25") as c:
        with python(AIOSMTPD, 25) as s:
            s.sendmail("jürgen@exämple.test", ["用户@example.net"], mail.raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        c.expect([Session(f"{AIOSMTPD}:25", ONE_MAIL, mails=[Mail("jürgen@exämple.test", "用户@example.net+", message=mail)])],
                 "The mail of postfix-smtputf8, addresses and message, from Python smtplib to aiosmtpd.")


@scenario
def opensmtpd_8bitmime():
    mail = m.eight_bit()
    with capture("opensmtpd-8bitmime", "port 25") as c:
        with python(OPENSMTPD, 25) as s:
            s.sendmail(ALICE, [BOB], mail.raw, mail_options=["BODY=8BITMIME"])
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "BODY=8BITMIME with ISO-8859-1 octets in the text.")


# 12. DSN, SIZE

@scenario
def postfix_dsn_parameters():
    mail = plain("With DSN parameters", "dsn", to=[BOB, "carol@example.net"])
    with capture("postfix-dsn-parameters", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(f"MAIL FROM:<{ALICE}> SIZE={len(mail.raw)} BODY=7BIT RET=HDRS ENVID=QQ314159+2B1", f"RCPT TO:<{BOB}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob+2Bx@example.net",
          "RCPT TO:<carol@example.net> NOTIFY=NEVER", "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+ carol@example.net+", message=mail)])],
                 "RET, ENVID, NOTIFY, ORCPT, SIZE and BODY.")


@scenario
def size_exceeded():
    with capture("size-exceeded", "port 25") as c:
        for server in (EXIM, POSTFIX, OPENSMTPD, AIOSMTPD):
            s = Raw(server, 25)
            s.ehlo()
            s(f"MAIL FROM:<{ALICE}> SIZE=99999999")
            s.quit()
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 552 QUIT 221", starttls="offered", mails=[Mail(ALICE, "", None, "rejected", 552)]),
                  Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 552 QUIT 221", starttls="offered", mails=[Mail(ALICE, "", None, "rejected", 552)]),
                  Session(f"{OPENSMTPD}:25", "220 EHLO 250 MAIL 250 QUIT 221", starttls="offered", mails=[Mail(ALICE, "", None, "aborted", None)]),
                  Session(f"{AIOSMTPD}:25", "220 EHLO 250 MAIL 552 QUIT 221", mails=[Mail(ALICE, "", None, "rejected", 552)])],
                 "SIZE over the limit: refused at MAIL with 552 by Exim, Postfix and aiosmtpd; OpenSMTPD takes the MAIL.")


@scenario
def aiosmtpd_too_much_data():
    mail = plain("Sixty kilobytes", "too-much", body=m.long_body(60000))
    with capture("aiosmtpd-too-much-data", "port 25") as c:
        s = Raw(AIOSMTPD, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines(), "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{AIOSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 552 QUIT 221",
                          mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=552, message=mail)])],
                 "A message over the limit without SIZE, refused at the end of data.")


# 13. LMTP

@scenario
def dovecot_lmtp():
    mail = plain("Three kilobytes by LMTP", "lmtp", to=[BOB, "full@example.net"], body=m.long_body(3000))
    with capture("dovecot-lmtp", "port 24") as c:
        swaks(POSTFIX, 24, ALICE, f"{BOB},full@example.net", mail.raw, "--protocol", "LMTP", ok=(0, 26))
        c.expect([Session(f"{POSTFIX}:24", "220 LHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 552 QUIT 221", verb="LHLO",
                          mails=[Mail(ALICE, f"{BOB}+ full@example.net+", message=mail)])],
                 "LMTP: a reply for each accepted recipient after the data, 250 for the first, 552 for the second, who is over quota.",
                 open_places=[("sessions[0].transactions[0].final_reply", [552], "two final replies"),
                              ("sessions[0].transactions[0].outcome", ["rejected"], "two final replies"),
                              ("sessions[0].transactions[0].rcpt_to[1].accepted", [False], "accepted at RCPT, refused after the data")])


@scenario
def aiosmtpd_lmtp():
    mail = plain("By LMTP to three", "lmtp-aio", to=[BOB, "full@example.net"])
    with capture("aiosmtpd-lmtp", "port 24") as c:
        s = Raw(AIOSMTPD, 24)
        s(f"LHLO {HELO}", *envelope("full@example.net", BOB).splitlines(), "DATA")
        s.send(mail.raw + b".\r\n")
        s.replies(2)
        s.quit()
        c.expect([Session(f"{AIOSMTPD}:24", "220 LHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 552 250 QUIT 221", verb="LHLO",
                          mails=[Mail(ALICE, f"full@example.net+ {BOB}+", message=mail)])],
                 "LMTP: 552 for the first recipient, 250 for the second.",
                 open_places=[("sessions[0].transactions[0].final_reply", [552], "two final replies"),
                              ("sessions[0].transactions[0].outcome", ["rejected"], "two final replies"),
                              ("sessions[0].transactions[0].rcpt_to[0].accepted", [False], "accepted at RCPT, refused after the data")])


@scenario
def postfix_relays_by_lmtp():
    mail = plain("Relayed by LMTP", "lmtp-relay", to=["bob@lmtp.test", "carol@lmtp.test"])
    with capture("postfix-relays-by-lmtp", "port 24") as c:
        with python("127.0.0.1", 25, source="127.0.0.1") as s:
            s.sendmail(ALICE, mail.to, mail.raw)
        time.sleep(2)
        c.expect([Session(f"{POSTFIX}:24", "220 LHLO 250 MAIL RCPT RCPT DATA 250 250 250 354 QUIT 250 250 221", helo="mx.example.net", verb="LHLO",
                          mails=[Mail(ALICE, "bob@lmtp.test+ carol@lmtp.test+", message=mail, octets="wire")])],
                 "Postfix as an LMTP client of Dovecot, pipelined; two replies after the data.")


# 14. Two clients at once

@scenario
def postfix_two_clients():
    mails = [plain(f"Client {n}", f"two-{n}") for n in (1, 2)]
    with capture("postfix-two-clients", "port 25") as c:
        one, two = Raw(POSTFIX, 25, CLIENT), Raw(POSTFIX, 25, CLIENT2)
        one.ehlo()
        two("HELO other.example.org")
        for line in envelope(BOB).splitlines() + ["DATA"]:
            one(line)
            two(line.replace("alice", "carol"))
        half = len(mails[0].raw) // 2
        one.send(mails[0].raw[:half])
        two.send(mails[1].raw[:half])
        time.sleep(0.05)
        one.send(mails[0].raw[half:])
        time.sleep(0.05)
        two.content(mails[1].raw[half:])
        one.content(b"")
        two.quit()
        one.quit()
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", client=CLIENT, mails=[Mail(ALICE, f"{BOB}+", message=mails[0])]),
                  Session(f"{POSTFIX}:25", ONE_MAIL.replace("EHLO", "HELO"), helo="other.example.org", verb="HELO", client=CLIENT2,
                          mails=[Mail("carol@example.org", f"{BOB}+", message=mails[1])])],
                 "Two connections, command by command and half by half in turn.")


# 15. Broken off

CUT = plain("Cut off", "cut", body=m.long_body(2000))
HALF = m.Message(CUT.raw[:1200], CUT.subject, CUT.sender, CUT.from_header, CUT.to, CUT.message_id)


def cut_off(name, server, notes, end, outcome, starttls="offered"):
    with capture(name, "port 25") as c:
        s = Raw(server, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines(), "DATA")
        s.send(HALF.raw)
        time.sleep(0.1)
        end(s, c)
        c.expect([Session(f"{server}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354", starttls=starttls,
                          mails=[Mail(ALICE, f"{BOB}+", outcome=outcome, final=None, message=HALF, octets=None)])], notes)


@scenario
def exim_client_reset():
    cut_off("exim-client-reset", EXIM, "The client resets the connection in the middle of the message.", lambda s, c: s.close(reset=True), "aborted")


@scenario
def postfix_client_closed():
    cut_off("postfix-client-closed", POSTFIX, "The client closes the connection in the middle of the message.", lambda s, c: s.close(), "aborted")


@scenario
def opensmtpd_capture_ends():
    def end(s, c):
        c.stop(0.1)
        s.close()
    cut_off("opensmtpd-capture-ends", OPENSMTPD, "The recording ends in the middle of the message.", end, "incomplete")


# 16. IPv6

@scenario
def postfix_ipv6():
    mail = plain("Over IPv6", "ipv6")
    with capture("postfix-ipv6", "port 25") as c:
        swaks("2001:db8::25", 25, ALICE, BOB, mail.raw, source="2001:db8:1::10")
        with python("::1", 25, source="::1") as s:
            s.sendmail(ALICE, [BOB], mail.raw)
        c.expect([Session("[2001:db8::25]:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)]),
                  Session("[::1]:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "Two connections over IPv6, one of them on ::1.")


@scenario
def aiosmtpd_ipv6():
    mail = plain("Over IPv6 to port 2525", "ipv6-aio")
    with capture("aiosmtpd-ipv6", "port 2525") as c:
        with python("::1", 2525, source="::1", helo="[IPv6:::1]") as s:
            s.sendmail(ALICE, [BOB], mail.raw)
        c.expect([Session("[::1]:2525", ONE_MAIL, helo="[IPv6:::1]", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "IPv6 on port 2525; the EHLO argument is an address literal.")


# 17. Other commands

@scenario
def exim_vrfy_expn_help():
    with capture("exim-vrfy-expn-help", "port 25") as c:
        s = Raw(EXIM, 25)
        s.ehlo()
        s("NOOP", "HELP", "VRFY bob@example.net", "EXPN bob@example.net", "noop with words", "BOGUS command", "", "ETRN example.org", "TURN")
        s.quit()
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 NOOP 250 HELP 214 VRFY 250 EXPN 250 NOOP 250 BOGUS 500 500 ETRN 458 TURN 500 QUIT 221", starttls="offered")],
                 "NOOP, HELP, VRFY, EXPN, an unknown command, an empty line, ETRN and TURN.")


@scenario
def postfix_unknown_commands():
    with capture("postfix-unknown-commands", "port 25") as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s("NOOP", "VRFY bob@example.net", "EXPN staff", "HELP", "XYZZY", "DATA")
        s.quit()
        for line in ("GET / HTTP/1.0", "12345"):
            s = Raw(POSTFIX, 25)
            s(line)
            s.close()
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 NOOP 250 VRFY 252 EXPN 500 HELP 500 XYZZY 500 DATA 503 QUIT 221", starttls="offered"),
                  Session(f"{POSTFIX}:25", "220 GET 221", helo=None, verb=None), Session(f"{POSTFIX}:25", "220 ? 221", helo=None, verb=None)],
                 "Unknown commands and one out of order; then an HTTP request line and a line of digits, each of which Postfix ends with 221 2.7.0 at once.")


@scenario
def opensmtpd_help_noop():
    with capture("opensmtpd-help-noop", "port 25") as c:
        s = Raw(OPENSMTPD, 25)
        s("NOOP", "HELP", "MAIL FROM:<early@example.org>", f"EHLO {HELO}", "VRFY bob", "EXPN staff", "WIZ", "RSET")
        s.quit()
        c.expect([Session(f"{OPENSMTPD}:25", "220 NOOP 250 HELP 214 MAIL 503 EHLO 250 VRFY 500 EXPN 500 WIZ 500 RSET 250 QUIT 221", starttls="offered",
                          mails=[Mail("early@example.org", "", None, "rejected", 503)])],
                 "NOOP, HELP and MAIL before EHLO (503), then VRFY, EXPN, an unknown command and RSET.")


# 18. Dots

@scenario
def postfix_dot_stuffing():
    mails = [m.dotted(), m.EMPTY, m.ONE_LINE_OF_TWO_DOTS]
    keep("postfix-dot-stuffing.eml", mails[0])
    with capture("postfix-dot-stuffing", "port 25") as c:
        with python(POSTFIX, 25) as s:
            s.sendmail(ALICE, [BOB], mails[0].raw)
        s = Raw(POSTFIX, 25)
        s.ehlo()
        for text in (b"", b"...\r\n"):
            s(*envelope(BOB).splitlines(), "DATA")
            s.content(text)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mails[0])]),
                  Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", message=mail) for mail in mails[1:]])],
                 "Three messages: lines that begin with dots, nothing at all, one line of two dots. The .eml is the first as it was before dot-stuffing.")


# 19. MIME

@scenario
def opensmtpd_attachments():
    mail = m.with_attachments()
    keep("opensmtpd-attachments.eml", mail)
    with capture("opensmtpd-attachments", "port 25") as c:
        curl(f"smtp://{OPENSMTPD}", ALICE, [BOB], mail.raw)
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])],
                 "A PNG and a PDF in base64; the second file name is in RFC 2231 form. The .eml is the message as sent.")


@scenario
def exim_encoded_words():
    mail = m.encoded_words()
    keep("exim-encoded-words.eml", mail)
    with capture("exim-encoded-words", "port 25") as c:
        msmtp(EXIM, 25, "juergen@example.org", mail.to, mail.raw)
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail("juergen@example.org", "andre@example.net+ john@example.net+", message=mail)])],
                 "Encoded words in Subject (over two lines), From, To and Cc.")


# 20. Greetings

@scenario
def refusing_greetings():
    with capture("refusing-greetings", "port 2554 or port 2421") as c:
        for server, port in ((POSTFIX, 2554), (EXIM, 2554), (AIOSMTPD, 2421)):
            s = Raw(server, port)
            if server == POSTFIX:
                s("EHLO " + HELO, "QUIT")
            time.sleep(0.1)
            s.close()
        c.expect([Session(f"{POSTFIX}:2554", "554 EHLO 503 QUIT 221"), Session(f"{EXIM}:2554", "554", helo=None, verb=None),
                  Session(f"{AIOSMTPD}:2421", "421", helo=None, verb=None)],
                 "Postfix greets with 554 and stays, Exim with 554 and closes, aiosmtpd with 421 and closes.")


@scenario
def aiosmtpd_ehlo_refused():
    mail = plain("HELO after EHLO", "helo")
    with capture("aiosmtpd-ehlo-refused", "port 2502") as c:
        swaks(AIOSMTPD, 2502, ALICE, BOB, mail.raw)
        c.expect([Session(f"{AIOSMTPD}:2502", "220 EHLO 502 HELO 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", verb="HELO",
                          mails=[Mail(ALICE, f"{BOB}+", message=mail)])], "EHLO is refused with 502, HELO accepted.")


@scenario
def opensmtpd_banner_only():
    with capture("opensmtpd-banner-only", "port 25") as c:
        Raw(OPENSMTPD, 25).close()
        Raw(EXIM, 25).close()
        c.expect([Session(f"{OPENSMTPD}:25", "220", helo=None, verb=None), Session(f"{EXIM}:25", "220 421", helo=None, verb=None)],
                 "The client reads the greeting and closes, at OpenSMTPD and at Exim, which says 421 into the closed connection.")


@scenario
def exim_prdr():
    mail = plain("Replies per recipient", "prdr", to=[BOB, "picky@example.net"])
    with capture("exim-prdr", "port 25") as c:
        swaks(EXIM, 25, ALICE, f"{BOB},picky@example.net", mail.raw, "--prdr")
        c.expect([Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 353 250 550 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+ picky@example.net+", message=mail)])],
                 "PRDR: after the data come 353, a reply for each recipient (250 and 550), and the final 250.",
                 open_places=[("sessions[0].transactions[0].rcpt_to[1].accepted", [False], "accepted at RCPT, refused after the data")])


# 21. What is not SMTP

@scenario
def not_smtp():
    with capture("not-smtp", f"tcp and (host {OTHER} or port 110 or port 143)") as c:
        other_protocols()
        c.expect([], "FTP (control and data connection), POP3, IMAP, HTTP and HTTPS with pyftpdlib, Dovecot and http.server. No SMTP.", others=7)


def other_protocols():
    program("curl", "-sv", "--interface", CLIENT, "--user", f"alice:{PASSWORD}", f"ftp://{OTHER}/hello.txt", "--disable-epsv")
    pop = poplib.POP3(POSTFIX, 110, timeout=10)
    pop.user("alice")
    pop.pass_(PASSWORD)
    pop.list()
    pop.quit()
    imap = imaplib.IMAP4(POSTFIX, 143, timeout=10)
    imap.login("alice", PASSWORD)
    imap.select()
    imap.search(None, "ALL")
    imap.logout()
    program("curl", "-sv", "--interface", CLIENT, f"http://{OTHER}/hello.txt")
    program("curl", "-svk", "--interface", CLIENT, f"https://{OTHER}/hello.txt")
    s = Raw(OTHER, 21)
    s("NOOP", "HELP", "USER alice", f"PASS {WRONG_PASSWORD}")
    s.quit()


# Formats and what a capture may lack

@scenario
def postfix_cooked_sll2():
    mail = plain("Linux cooked capture", "sll2")
    with capture("postfix-cooked-sll2", "tcp port 25", interface="any") as c:
        swaks(POSTFIX, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])], "tcpdump -i any: link type LINUX_SLL2.")


@scenario
def exim_cooked_sll():
    mail = plain("Linux cooked capture, version 1", "sll")
    with capture("exim-cooked-sll", "tcp port 25", interface="any", options=["-y", "LINUX_SLL"]) as c:
        swaks(EXIM, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])], "tcpdump -i any -y LINUX_SLL: link type LINUX_SLL.")


@scenario
def exim_nanosecond():
    mail = plain("Times in nanoseconds", "nano")
    with capture("exim-nanosecond", "tcp port 25", options=["--time-stamp-precision=nano"]) as c:
        swaks(EXIM, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail)])], "Time stamps in nanoseconds (magic number a1b23c4d).")


@scenario
def opensmtpd_two_interfaces():
    mails = [plain(f"Interface {n}", f"interface-{n}") for n in (1, 2)]
    with capture("opensmtpd-two-interfaces", "tcp port 25", options=["--time-stamp-precision=nano"], suffix="pcapng") as c:
        second = Recorder("opensmtpd-second-interface", "tcp port 587", interface="any", suffix=None)
        curl(f"smtp://{OPENSMTPD}", ALICE, [BOB], mails[0].raw)
        curl(f"smtp://{AIOSMTPD}:587", ALICE, [BOB], mails[1].raw, "--user", f"alice:{PASSWORD}", source=CLIENT2)
        second.stop()
        c.merge = [second.raw]
        c.expect([Session(f"{OPENSMTPD}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mails[0])]),
                  Session(f"{AIOSMTPD}:587", "220 EHLO 250 AUTH 334 235 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", auth=[("PLAIN", "alice", "success")],
                          mails=[Mail(ALICE, f"{BOB}+", message=mails[1])])],
                 "pcapng with two interfaces: Ethernet in nanoseconds, LINUX_SLL2 in microseconds.")


@scenario
def postfix_snaplen():
    mail = plain("The text is cut by the snap length", "snaplen", body=m.long_body(3000))
    with capture("postfix-snaplen", "port 25", options=["-s", "300"]) as c:
        s = Raw(POSTFIX, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines(), "DATA")
        head = mail.raw.index(b"\r\n\r\n") + 4
        s.send(mail.raw[:head])
        time.sleep(0.05)
        s.send(mail.raw[head:])
        time.sleep(0.05)
        s.content(b"")
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=mail, octets=None)], check=False)],
                 "tcpdump -s 300: the long segments of the text are cut, the dialogue is whole.")


@scenario
def exim_client_side():
    mail = plain("One direction only", "one-side")
    with capture("exim-client-side", f"port 25 and src host {CLIENT}") as c:
        swaks(EXIM, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{EXIM}:25", "EHLO MAIL RCPT DATA QUIT", greeting=False,
                          mails=[Mail(ALICE, f"{BOB}?", outcome="incomplete", final=None, message=mail)])], "Only the packets of the client.")


@scenario
def postfix_server_side():
    mail = plain("One direction only", "server-side")
    with capture("postfix-server-side", f"port 25 and src host {POSTFIX}") as c:
        swaks(POSTFIX, 25, ALICE, BOB, mail.raw)
        c.expect([Session(f"{POSTFIX}:25", "220 250 250 250 354 250 221", helo=None, verb=None, starttls="offered")], "Only the packets of the server.")


@scenario
def postfix_midstream():
    mail = plain("The recording begins after EHLO", "midstream")
    s = Raw(POSTFIX, 25)
    s.ehlo()
    time.sleep(0.3)
    with capture("postfix-midstream", "port 25") as c:
        s(*envelope(BOB).splitlines(), "DATA")
        s.content(mail.raw)
        s.quit()
        c.expect([Session(f"{POSTFIX}:25", "MAIL 250 RCPT 250 DATA 354 250 QUIT 221", helo=None, verb=None, greeting=False,
                          mails=[Mail(ALICE, f"{BOB}+", message=mail)])], "The recording begins after the reply to EHLO.")


# A dot between bare line feeds

def bare_lf_dot(name, server, starttls, then):
    first = plain("Before the bare dot", "bare-1", body="The next line is a dot between bare line feeds.")
    second = plain("After the bare dot", "bare-2")
    inner = envelope(BOB, sender="inner@example.org").encode() + b"DATA\r\n"
    with capture(name, "port 25") as c:
        s = Raw(server, 25)
        s.ehlo()
        s(*envelope(BOB).splitlines(), "DATA")
        s.send(first.raw + b"\n.\r\n" + inner + second.raw + b".\r\n")
        time.sleep(1)
        s.send("QUIT\r\n")
        while s.reply() not in (221, None):
            pass
        s.close()
        then(c, first, second, inner)


@scenario
def postfix_bare_lf_dot():
    def then(c, first, second, inner):
        first.raw += b"\n"
        c.expect([Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", message=first, octets="bare"), Mail("inner@example.org", f"{BOB}+", message=second)])],
                 "SMTP smuggling: Postfix takes LF, dot, CR LF for the end of the data and the rest for commands, so it takes two mails.")
    bare_lf_dot("postfix-bare-lf-dot", POSTFIX, "offered", then)


def one_message(server, starttls, tls_notes):
    def then(c, first, second, inner):
        first.raw += b"\n.\r\n" + inner + second.raw
        c.expect([Session(f"{server}:25", ONE_MAIL, starttls=starttls, mails=[Mail(ALICE, f"{BOB}+", message=first, octets="bare")])], tls_notes)
    return then


@scenario
def exim_bare_lf_dot():
    bare_lf_dot("exim-bare-lf-dot", EXIM, "offered", one_message(EXIM, "offered", "The same octets as in postfix-bare-lf-dot: for Exim all is one message."))


@scenario
def opensmtpd_bare_lf_dot():
    def then(c, first, second, inner):
        first.raw += b"\n"
        whole, where = len(first.raw + b".\r\n" + inner + second.raw), "whether the dot between bare line feeds ends the data"
        c.expect([Session(f"{OPENSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 500 MAIL RCPT DATA QUIT", starttls="offered",
                          mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=500, message=first, octets="bare"),
                                 Mail("inner@example.org", f"{BOB}?", outcome="aborted", final=None, message=second)])],
                 "The same octets as in postfix-bare-lf-dot: OpenSMTPD sees more input before it has answered and closes with 500 5.5.1 Pipelining not supported.",
                 open_places=[("sessions[0].commands", ["EHLO MAIL RCPT DATA QUIT".split()], where),
                              ("sessions[0].transactions[0].message_bytes", [whole], where),
                              ("sessions[0].transactions[1]", ["absent"], where),
                              *((f"sessions[0].transactions[1].{k}", [v], "what follows a DATA that was not answered")
                                for k, v in (("message_bytes", None), ("subject", None), ("from", None), ("to", []), ("message_id", None)))])
    bare_lf_dot("opensmtpd-bare-lf-dot", OPENSMTPD, "offered", then)


@scenario
def aiosmtpd_bare_lf_dot():
    bare_lf_dot("aiosmtpd-bare-lf-dot", AIOSMTPD, None, one_message(AIOSMTPD, None, "The same octets as in postfix-bare-lf-dot: for aiosmtpd all is one message."))


# One recording in three files

@scenario
def exim_rotated():
    mails = [plain(f"Mail {n} across files", f"rotated-{n}", body=m.long_body(3000)) for n in (1, 2, 3)]
    with capture("exim-rotated", "port 25") as c:
        open_connections = [Raw(EXIM, 25, source) for source in (CLIENT, CLIENT2, CLIENT3)]
        for s in open_connections:
            s.ehlo()
        for s in open_connections:
            s(*envelope(BOB).splitlines(), "DATA")
        for start in range(0, len(mails[0].raw), 800):
            for s, mail in zip(open_connections, mails):
                s.send(mail.raw[start:start + 800])
                time.sleep(0.02)
        for s in open_connections:
            s.content(b"")
        for s in open_connections:
            s.quit()
        c.expect([Session(f"{EXIM}:25", ONE_MAIL, starttls="offered", client=source, mails=[Mail(ALICE, f"{BOB}+", message=mail)])
                  for source, mail in zip((CLIENT, CLIENT2, CLIENT3), mails)],
                 "Three connections at once. rotated/part-1.pcap to part-3.pcap are the same packets in three files, every connection begins in the first and ends in the last.")
    cut_into_parts(c.path, TESTDATA / "rotated", 3)


# 22. The demonstration

@scenario
def quickstart():
    def pause():
        time.sleep(0.3)
    ok = plain("Minutes of Monday's meeting", "quick-1")
    many = plain("Invitation to the summer party", "quick-2", to=[BOB, "carol@example.net", "nobody@example.net", "greylisted@example.net"])
    piped = plain("Nightly report", "quick-3", to=[BOB, "carol@example.net"])
    chunked = m.with_attachments("Quarterly figures", "quick-4")
    login = plain("Sent from the phone", "quick-5", to=["dave@elsewhere.test"])
    first, refused = plain("Corrected price list", "quick-6"), plain("A forbidden offer", "quick-7")
    six = plain("Greetings over IPv6", "quick-8")
    words = m.encoded_words()
    with capture("quickstart", "tcp and not port 12345", suffix="pcapng", options=["--time-stamp-precision=nano"]) as c:
        msmtp(POSTFIX, 25, ALICE, [BOB], ok.raw)
        pause()
        swaks(POSTFIX, 25, ALICE, ",".join(many.to + ["gone@example.net"]), many.raw)
        pause()
        s = Raw(POSTFIX, 25, CLIENT2)
        s.ehlo()
        s.send(envelope(*piped.to) + "DATA\r\n")
        s.replies(4)
        s.send(piped.raw + b".\r\nQUIT\r\n")
        s.replies(2)
        s.close()
        pause()
        s = Raw(EXIM, 25, CLIENT2)
        s.ehlo()
        s(*envelope(BOB).splitlines())
        for at in range(0, len(chunked.raw), 1000):
            piece = chunked.raw[at:at + 1000]
            s.send(f"BDAT {len(piece)}{' LAST' if at + 1000 >= len(chunked.raw) else ''}\r\n".encode() + piece)
            s.reply()
        s.quit()
        chunks = -(-len(chunked.raw) // 1000)
        pause()
        swaks(EXIM, 587, ALICE, "dave@elsewhere.test", login.raw, "--auth", "LOGIN", "--auth-user", "alice", "--auth-password", PASSWORD, source=CLIENT3)
        pause()
        s = Raw(POSTFIX, 587, CLIENT3)
        s.ehlo()
        for _ in range(3):
            s("AUTH PLAIN " + b64(f"\0admin\0{WRONG_PASSWORD}"))
        s.quit()
        pause()
        swaks(POSTFIX, 25, ALICE, BOB, plain("Not to be seen", "quick-9").raw, "--tls", "--tls-sni", "mx.example.net")
        pause()
        s = Raw(OPENSMTPD, 25, CLIENT2)
        s.ehlo()
        s(*envelope("carol@example.net").splitlines(), "RSET", *envelope(BOB).splitlines(), "DATA")
        s.content(first.raw)
        s.quit()
        pause()
        swaks(POSTFIX, 25, ALICE, BOB, refused.raw, ok=(26,))
        pause()
        program("curl", "-sv", "--interface", CLIENT, "--user", f"alice:{PASSWORD}", f"ftp://{OTHER}/hello.txt", "--disable-epsv")
        pause()
        with python("2001:db8::25", 25, source="2001:db8:1::10") as s:
            s.sendmail(ALICE, [BOB], six.raw)
        pause()
        with python(AIOSMTPD, 2525, source=CLIENT) as s:
            s.sendmail("juergen@example.org", words.to, words.raw)
        c.expect([
            Session(f"{POSTFIX}:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=ok)]),
            Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 RCPT 550 RCPT 450 RCPT 550 DATA 354 250 QUIT 221", starttls="offered",
                    mails=[Mail(ALICE, f"{BOB}+ carol@example.net+ nobody@example.net- greylisted@example.net- gone@example.net-", message=many)]),
            Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL RCPT RCPT DATA 250 250 250 354 QUIT 250 221", starttls="offered",
                    mails=[Mail(ALICE, f"{BOB}+ carol@example.net+", message=piped)]),
            Session(f"{EXIM}:25", "220 EHLO 250 MAIL 250 RCPT 250" + " BDAT 250" * chunks + " QUIT 221", starttls="offered",
                    mails=[Mail(ALICE, f"{BOB}+", "BDAT", message=chunked)]),
            Session(f"{EXIM}:587", "220 EHLO 250 AUTH 334 334 235 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered", auth=[("LOGIN", "alice", "success")],
                    mails=[Mail(ALICE, "dave@elsewhere.test+", message=login)]),
            Session(f"{POSTFIX}:587", "220 EHLO 250 AUTH 535 AUTH 535 AUTH 535 QUIT 221", starttls="offered", auth=[("PLAIN", "admin", "failure")] * 3),
            Session(f"{POSTFIX}:25", "220 EHLO 250 STARTTLS 220", starttls="accepted", tls=COMPLETED),
            Session(f"{OPENSMTPD}:25", "220 EHLO 250 MAIL 250 RCPT 250 RSET 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221", starttls="offered",
                    mails=[Mail(ALICE, "carol@example.net+", None, "aborted", None), Mail(ALICE, f"{BOB}+", message=first)]),
            Session(f"{POSTFIX}:25", "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 550 QUIT 221", starttls="offered",
                    mails=[Mail(ALICE, f"{BOB}+", outcome="rejected", final=550, message=refused)]),
            Session("[2001:db8::25]:25", ONE_MAIL, starttls="offered", mails=[Mail(ALICE, f"{BOB}+", message=six)]),
            Session(f"{AIOSMTPD}:2525", "220 EHLO 250 MAIL 250 RCPT 250 RCPT 250 DATA 354 250 QUIT 221",
                    mails=[Mail("juergen@example.org", "andre@example.net+ john@example.net+", message=words)]),
        ], "Eleven SMTP connections to four servers and an FTP download: an accepted mail, mixed recipients, pipelining, BDAT with attachments, AUTH accepted and "
           "refused, STARTTLS, RSET, a refused message, IPv6, encoded words.", others=2)
