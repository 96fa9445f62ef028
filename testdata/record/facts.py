"""Facts about a capture, from what the driver sent and was answered.

Each scenario in scenarios.py states by hand what its sessions hold (`Session`, `Mail`). This module adds what only
the capture can know, ports, packet times and what a server added to a mail, which tshark reads, and it holds the
hand-written dialogue against the two streams as tshark puts them together: reply codes, commands and message octets
must be there as stated. Nothing here comes from smtpscope.
"""
import decimal
import hashlib
import json
import re
import subprocess

from tls_facts import tls_facts


class Mail:
    """One transaction. `recipients` is text: 'bob@example.net+ nobody@example.net-' (+ accepted, - refused, ? no reply)."""

    def __init__(self, sender, recipients, via="DATA", outcome="accepted", final=250, message=None, octets="message"):
        self.sender, self.via, self.outcome, self.final, self.message = sender, via, outcome, final, message
        self.recipients = [(r[:-1], {"+": True, "-": False, "?": None}[r[-1]]) for r in recipients.split()]
        # "message": exactly the message given; "bare": so too, but it ends or goes on with a dot in bare LF; "wire": it gained header lines on the way; None: not all of it was sent
        self.octets = octets


class Session:
    """One connection. `dialogue` is text: '220 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221'."""

    def __init__(self, server, dialogue, helo="client.example.org", verb="EHLO", starttls=None, auth=(), mails=(), client=None,
                 greeting=True, check=True, tls=None, extra=None):
        words = dialogue.split()
        self.server, self.client, self.helo, self.verb, self.starttls = server, client, helo, verb, starttls
        self.commands = [w for w in words if not w.isdigit()]
        self.codes = [int(w) for w in words if w.isdigit()]
        self.greeting = self.codes[0] if greeting and self.codes else None
        self.auth = [dict(zip(("mechanism", "username", "outcome"), entry)) for entry in auth]
        self.mails, self.check = list(mails), check
        self.extra = extra or {}  # fields that only some captures have
        self.tls = tls  # how the handshake ended, and by whose alert: ("completed",), ("failed", ("server", "unknown_ca"))


def tshark(capture, *arguments):
    return subprocess.run(["tshark", "-n", "-r", str(capture), *arguments], check=True, capture_output=True, text=True).stdout


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def connections(capture):
    """The TCP connections: client, server, first and last packet, number in tshark's count."""
    fields = ["tcp.stream", "frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport"]
    found = {}
    for line in tshark(capture, "-Y", "tcp", "-T", "fields", *sum((["-e", f] for f in fields), [])).splitlines():
        stream, time, s4, s6, sport, d4, d6, dport = line.split("\t")
        time = decimal.Decimal(time)
        sides = [endpoint(s4 or s6, sport), endpoint(d4 or d6, dport)]
        if int(sport) < int(dport):  # no client port in these captures is below a server port
            sides.reverse()
        entry = found.setdefault(int(stream), {"client": sides[0], "server": sides[1], "first": time, "last": time, "number": int(stream)})
        entry["first"], entry["last"] = min(entry["first"], time), max(entry["last"], time)
    return [found[n] for n in sorted(found, key=lambda n: found[n]["first"])]


def streams(capture, number, client):
    """What the client and what the server sent on one connection."""
    text = tshark(capture, "-q", "-z", f"follow,tcp,raw,{number}")
    first = re.search(r"^Node 0: (.*)$", text, re.M).group(1)
    out = [b"", b""]
    for line in text.splitlines():
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            out[line.startswith("\t")] += bytes.fromhex(line.strip())
    return out if first == client else out[::-1]


def stuffed(content):
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", content) + b".\r\n"


def wire_contents(sent):
    """Messages in a client's stream, in order: of DATA unstuffed, of BDAT the chunks together."""
    at, out, chunks = 0, [], b""
    while at < len(sent):
        end = sent.index(b"\r\n", at) + 2
        words = sent[at:end].upper().split()
        at = end
        if words[:1] == [b"DATA"]:
            end = at if sent[at:at + 3] == b".\r\n" else sent.index(b"\r\n.\r\n", at) + 2
            out.append(re.sub(rb"(\A|\r\n)\.", rb"\1", sent[at:end]))
            at = end + 3
        elif words[:1] == [b"BDAT"]:
            chunks += sent[at:at + int(words[1])]
            at += int(words[1])
            if words[2:] == [b"LAST"]:
                out.append(chunks)
                chunks = b""
    return out


def reply_codes(received):
    return [int(m.group(1)) for m in re.finditer(rb"^(\d{3})(?:[ ].*)?\r?$", received, re.M)]


class Number(float):
    """A time with every digit that the capture has."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self):
        return self.text


def message_facts(mail, contents):
    message, empty = mail.message, {"message_bytes": None, "subject": None, "from": None, "from_header": None, "to": [], "message_id": None, "attachments": []}
    if message is None:
        return empty
    octets, message_id = len(message.raw), message.message_id
    if mail.octets == "wire":
        content = next(c for c in contents if message.raw.split(b"\r\n\r\n", 1)[1] in c)
        octets = len(content)
        if isinstance(message_id, re.Pattern):  # a server made it: only its form can be stated
            message_id = message_id.search(content).group(1).decode()
    return {"message_bytes": octets if mail.octets else None, "subject": message.subject, "from": message.sender,
            "from_header": message.from_header, "to": message.to, "message_id": message_id,
            "attachments": message.attachments if mail.octets else message.cut_attachments, **(message.further if mail.octets else {})}


def session_facts(capture, session, connection, problems):
    sent, received = streams(capture, connection["number"], connection["client"])
    where = f"{capture.name} {connection['client']}"
    if session.check:
        tls = re.search(rb"^STARTTLS\r\n", sent, re.M | re.I)
        if session.starttls == "accepted" and tls:
            ready = re.search(rb"^220[ ].*\r\n\x16?\x03?", received[received.index(b"STARTTLS"):], re.M)
            received = received[:received.index(b"STARTTLS") + ready.end()]
            sent = sent[:tls.end()]
        if reply_codes(received) != session.codes:
            problems.append(f"{where}: replies are {reply_codes(received)}, stated {session.codes}")
        at = 0
        for command in session.commands:
            # a command after a chunk need not stand at the beginning of a line
            start = rb"" if "BDAT" in session.commands else rb"(?:\A|\n)"
            match = re.compile(start + re.escape(command.encode()) + rb"\b" if command != "?" else rb"", re.I).search(sent, at)
            if not match:
                problems.append(f"{where}: {command} is not in the client's stream")
                break
            at = max(match.end() - 1, 0)
    try:
        contents = wire_contents(sent)
    except (ValueError, IndexError):
        contents = []
    for mail in session.mails:
        if mail.message and mail.octets == "bare" and mail.message.raw not in sent:
            problems.append(f"{where}: the message {mail.message.subject!r} was not sent as it is")
        if mail.message and mail.octets == "message":
            raw = mail.message.raw
            good = stuffed(raw) in sent if mail.via == "DATA" else raw in contents
            if not good:
                problems.append(f"{where}: the message {mail.message.subject!r} ({len(raw)} octets) was not sent as it is; on the wire: {[len(c) for c in contents]}")
    return {
        "client": connection["client"], "server": connection["server"],
        "first_seen": Number(str(connection["first"])), "last_seen": Number(str(connection["last"])),
        "greeting": session.greeting, "helo": session.helo, "helo_verb": session.verb, "starttls": session.starttls,
        "tls": session.tls and tls_facts(capture, connection["number"], int(connection["server"].rsplit(":", 1)[1]),
                                         "starttls" if session.starttls else "implicit", *session.tls, resumed=False),
        "auth": session.auth, "commands": session.commands, "reply_codes": session.codes,
        "transactions": [{"mail_from": m.sender, "rcpt_to": [{"address": a, "accepted": ok} for a, ok in m.recipients],
                          "via": m.via, "outcome": m.outcome, "final_reply": m.final, **message_facts(m, contents)} for m in session.mails],
        **session.extra,
    }


def write_facts(capture, target, sessions, notes, others=0, open_places=()):
    """Writes the facts of `capture` to `target`; returns what does not fit between statement and capture."""
    problems, out = [], []
    free = connections(capture)
    for session in sessions:
        connection = next((c for c in free if c["server"] == session.server and (session.client is None or c["client"].startswith(session.client))), None)
        if connection is None:
            problems.append(f"{capture.name}: no connection to {session.server}")
            continue
        free.remove(connection)
        out.append(session_facts(capture, session, connection, problems))
    if len(free) != others:
        problems.append(f"{capture.name}: {len(free)} connections are left over, stated {others}: {[(c['client'], c['server']) for c in free]}")
    out.sort(key=lambda s: s["first_seen"])
    document = {"capture": capture.name, "sha256": hashlib.sha256(capture.read_bytes()).hexdigest(), "sessions": out, "notes": notes}
    if open_places:
        document["open"] = [dict(zip(("at", "also", "why"), place)) for place in open_places]
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return problems
