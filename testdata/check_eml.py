#!/usr/bin/env python3
"""Another opinion on the messages: Python's `email` package reads what the program extracts.

    check_eml.py PROGRAM [CAPTURE...]     runs the program on each capture, by default on all of this folder
    check_eml.py --directory DIR          reads what `extract --attachments --output DIR` has written

For each message that is all there it compares subject, date, Message-ID, the addresses of From, To, Cc and Reply-To,
size and SHA-256 of the message, and name, type, size and SHA-256 of each attachment and of the file it was written to.
Where the facts of a capture name the octets that the client sent (`eml`), the message must have just these; and of a
capture with facts as many messages must be extracted whole as they have.
It prints a line for each disagreement and ends with counts; the exit status is 0 when there is none, else 1.
Python 3.11 or later, standard library only.
"""
import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE / "record"))
from mail_facts import attachments, field, mailboxes, parse, parts  # noqa: E402

ADDRESSES = ("from", "to", "cc", "reply_to")


class Check:
    """Counts what agrees and prints what does not."""

    def __init__(self):
        self.messages = self.attachments = self.originals = self.checks = self.disagreements = self.skipped = 0

    def same(self, where, python, program):
        self.checks += 1
        trim = (lambda v: v.strip() if isinstance(v, str) else v)
        if trim(python) != trim(program):
            self.disagreements += 1
            print(f"{where}: Python {python!r}, the program {program!r}")

    def message(self, where, octets, message, files=None):
        """`message` is what the program says of these octets, `files` what it wrote of its attachments."""
        read = parse(octets)
        self.same(f"{where} bytes", len(octets), message["bytes"])
        if message.get("sha256"):
            self.same(f"{where} sha256", hashlib.sha256(octets).hexdigest(), message["sha256"])
        self.same(f"{where} subject", field(read, "Subject"), message["subject"])
        message_id = field(read, "Message-ID")
        self.same(f"{where} message_id", message_id and message_id.strip().strip("<>"), message["message_id"])
        self.same(f"{where} date", date(read), message["date"] and datetime.datetime.fromisoformat(message["date"]))
        for name in ADDRESSES:
            self.same(f"{where} {name}", mailboxes(read, name.replace("_", "-")), [mailbox["address"] for mailbox in message[name]])
        found = attachments(parts(read))
        got = message.get("attachments")
        if got is None:
            self.same(f"{where} attachments", found, got)
            return
        self.same(f"{where} attachments", [part["filename"] for part, _ in found], [a["filename"] for a in got])
        for number, ((part, data), attachment) in enumerate(zip(found, got)):
            at = f"{where} attachments[{number}]"
            self.same(f"{at}.content_type", part["content_type"], attachment["content_type"])
            self.same(f"{at}.decoded_size", len(data), attachment["decoded_size"])
            self.same(f"{at}.sha256", hashlib.sha256(data).hexdigest(), attachment["sha256"])
        if files is not None:
            hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
            self.same(f"{where} files", [hashlib.sha256(data).hexdigest() for _, data in found], hashes)

    def directory(self, folder, where=""):
        """All messages of an index. Gives the octets of each by its session and time."""
        octets = {}
        for line in (folder / "index.ndjson").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if not (entry["message"]["complete"] and entry["path"]):
                self.skipped += 1
                continue
            raw = (folder / entry["path"]).read_bytes()
            octets[entry["session"], entry["timestamp"]] = raw
            self.messages += 1
            self.attachments += len(entry["attachments"] or [])
            files = entry["attachments"] and [folder / path for path in entry["attachments"]]
            self.message(f"{where}{entry['path']}", raw, entry["message"], files or [])
        return octets

    def capture(self, program, capture):
        """One capture: what `extract` writes, what `features` says of the same messages, and what was sent."""
        name = capture.relative_to(HERE) if capture.is_relative_to(HERE) else capture
        features = json.loads(run(program, "features", "--hashes", capture))
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder) / "out"
            run(program, "extract", capture, "--attachments", "--output", folder)
            extracted = self.directory(folder, f"{name}: ")
        if (whole := whole_messages(capture)) is not None:
            self.same(f"{name}: messages", whole, len(extracted))
        for transaction in features["transactions"]:
            raw = extracted.get((transaction["session"], transaction["timestamp"]))
            if raw is not None:
                self.message(f"{name}: features {transaction['session']}", raw, transaction["message"])
        for session, number, original in originals(capture):
            self.originals += 1
            of_session = [t for t in features["transactions"] if t["session"] == session]
            raw = extracted.get((session, of_session[number]["timestamp"])) if number < len(of_session) else None
            self.same(f"{name}: {original.name}", hashlib.sha256(original.read_bytes()).hexdigest(), raw and hashlib.sha256(raw).hexdigest())


def date(read):
    """None where the package finds no date in it."""
    try:
        moment = read["Date"] and read["Date"].datetime
    except (AttributeError, ValueError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def whole_messages(capture):
    """How many messages are whole by the facts, None where there are none or more than one answer is right."""
    facts = capture.with_suffix(".json")
    found = json.loads(facts.read_text(encoding="utf-8")) if capture.suffix and facts.exists() else {"open": True}
    if found.get("open") or any(session.get("open") for session in found.get("sessions", [])):
        return None
    transactions = [t for session in found.get("sessions", []) for t in session.get("transactions", [])]
    return sum(t.get("message_bytes") is not None for t in transactions)


def originals(capture):
    """Session, number of the transaction in it and file, where the facts name the octets that the client sent."""
    facts = capture.with_suffix(".json")
    if not facts.is_file():
        return
    for session in json.loads(facts.read_text(encoding="utf-8")).get("sessions", []):
        for number, transaction in enumerate(session.get("transactions", [])):
            if transaction.get("eml"):
                yield f"{session['client']}-{session['server']}", number, facts.parent / transaction["eml"]


def run(program, *arguments):
    """What the program prints, also of captures that end early (exit status 1)."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"check_eml.py: {program} {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def main(arguments):
    if len(arguments) < 1 or arguments[0] in ("-h", "--help") or (arguments[0] == "--directory") != (len(arguments) == 2 and arguments[0] == "--directory"):
        print(__doc__)
        return 2
    check = Check()
    if arguments[0] == "--directory":
        check.directory(pathlib.Path(arguments[1]))
    else:
        captures = [pathlib.Path(a).resolve() for a in arguments[1:]] or sorted([*HERE.rglob("*.pcap"), *HERE.rglob("*.pcapng"), *HERE.glob("compressed/*")])
        for capture in captures:
            check.capture(arguments[0], capture)
    print(f"{check.messages} messages with {check.attachments} attachments, {check.originals} of them with the octets that were sent, "
          f"{check.skipped} incomplete ones left out: {check.disagreements} of {check.checks} checks disagree")
    return 1 if check.disagreements or not check.messages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
