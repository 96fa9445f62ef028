"""The clients: swaks, curl, msmtp, smtplib, openssl s_client, and bare sockets for what none of them does.

What each sent and read is appended to `transcript`, which record.py keeps beside the capture in the scratch folder.
"""
import base64
import hashlib
import hmac
import smtplib
import socket
import struct
import subprocess
import time

import servers

CLIENT, CLIENT2, CLIENT3 = "198.51.100.10", "198.51.100.11", "198.51.100.12"
HELO = "client.example.org"
transcript = []


def program(*command, data=None, ok=(0,), timeout=30):
    run = subprocess.run([str(c) for c in command], input=data, capture_output=True, timeout=timeout)
    transcript.append("$ " + " ".join(str(c) for c in command))
    transcript.append((run.stdout + run.stderr).decode(errors="replace"))
    if ok is not None and run.returncode not in ok:
        raise RuntimeError(f"{command[0]} ended with status {run.returncode}\n" + transcript[-1])


def kept(raw, name="message.eml"):
    path = servers.SCRATCH / name
    path.write_bytes(raw)
    return path


def swaks(server, port, sender, recipients, raw, *options, source=CLIENT, ok=(0,)):
    data = [] if raw is None else ["--data", f"@{kept(raw)}"]
    # swaks ends a message that ends with a line end with one more; so it gets the message without the last one
    if raw is not None:
        kept(raw.removesuffix(b"\r\n").replace(b"\r\n", b"\n"))
    program("swaks", "--server", server, "--port", port, "--local-interface", source, "--helo", HELO, "--from", sender,
            "--to", recipients, *data, *options, ok=ok)


def curl(url, sender, recipients, raw, *options, source=CLIENT, ok=(0,)):
    program("curl", "-sv", "--interface", source, "--mail-from", sender, *sum((["--mail-rcpt", r] for r in recipients), []),
            "--upload-file", kept(raw), *options, f"{url}/{HELO}", ok=ok)


def msmtp(server, port, sender, recipients, raw, *options, source=CLIENT, ok=(0,)):
    program("msmtp", "--debug", f"--host={server}", f"--port={port}", f"--source-ip={source}", f"--domain={HELO}", f"--from={sender}",
            *options, "--", *recipients, data=raw.replace(b"\r\n", b"\n"), ok=ok)


def python(server, port, source=CLIENT, helo=HELO, factory=smtplib.SMTP):
    connection = factory(server, port, local_hostname=helo, source_address=(source, 0), timeout=20)
    transcript.append(f"smtplib to {server} port {port}")
    return connection


def s_client(server, port, lines, *options, source=CLIENT):
    """Lines are sent one a second half, so that each reply comes before the next line."""
    command = ["openssl", "s_client", "-connect", f"{server}:{port}", "-bind", f"{source}:0", "-crlf", "-ign_eof", "-quiet", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in lines:
        time.sleep(0.5)
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
    out = process.communicate(timeout=20)[0]
    transcript.append("$ " + " ".join(command) + "\n" + out.decode(errors="replace"))


class Raw:
    """A socket that sends what it is told, in the segments it is told, and reads reply by reply."""

    def __init__(self, server, port, source=CLIENT, greeting=True):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(20)
        self.socket.bind((source, 0))
        self.socket.connect((server, port))
        self.file = self.socket.makefile("rb")
        transcript.append(f"--- socket to {server} port {port}")
        if greeting:
            self.reply()

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        transcript.append("C: " + data.decode(errors="replace"))
        self.socket.sendall(data)

    def reply(self):
        while True:
            line = self.file.readline()
            transcript.append("S: " + line.decode(errors="replace").rstrip("\r\n"))
            if not line:
                return None
            if line[:3].isdigit() and line[3:4] != b"-":
                return int(line[:3])

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def __call__(self, *lines):
        """Each line is a command; it waits for the reply to each. Returns the codes."""
        codes = []
        for line in lines:
            self.send(line + "\r\n")
            codes.append(self.reply())
        return codes

    def ehlo(self):
        return self(f"EHLO {HELO}")

    def content(self, raw):
        self.send(raw + b".\r\n")
        return self.reply()

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.socket.close()

    def quit(self):
        self("QUIT")
        self.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def cram(connection, user, password):
    """AUTH CRAM-MD5 with the challenge read from the reply."""
    connection.send("AUTH CRAM-MD5\r\n")
    line = connection.file.readline()
    transcript.append("S: " + line.decode().rstrip())
    digest = hmac.new(password.encode(), base64.b64decode(line.split()[1]), hashlib.md5).hexdigest()
    return connection(b64(f"{user} {digest}"))
