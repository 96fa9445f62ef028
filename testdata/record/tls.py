"""The TLS scenarios: aiosmtpd with the context each needs, openssl s_client, tcpdump around both, facts beside it."""
import asyncio
import json
import logging
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

from aiosmtpd.smtp import SMTP

from facts import connections
from tls_facts import tls_facts

SCRATCH = pathlib.Path(os.environ["SCRATCH"])
OUT = pathlib.Path(__file__).resolve().parent.parent / "tls"
SERVER, CLIENT, HELO = "192.0.2.28", "198.51.100.10", "client.example.org"
SECLEVEL0 = "ALL:@SECLEVEL=0"
SCENARIOS = {}
logging.disable()  # that handshakes fail is what is wanted
warnings.filterwarnings("ignore", category=DeprecationWarning)  # TLS 1.0 is recorded on purpose


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificates():
    """Two authorities, one of which nobody knows; a chain of three for the server, an RSA key, one for the client."""
    at = lambda name: SCRATCH / name
    for name in ("ca", "other-ca"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-utf8",
            "-subj", f"/C=DE/O=smtpscope tests, \"quoted\"/CN={name}", "-keyout", at(f"{name}.key"), "-out", at(f"{name}.pem"))

    def signed(name, subject, issuer, extensions, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        run("openssl", "req", "-new", "-newkey", *kind, "-nodes", "-utf8", "-subj", subject, "-keyout", at(f"{name}.key"), "-out", at(f"{name}.csr"))
        at(f"{name}.cnf").write_text(extensions)
        run("openssl", "x509", "-req", "-in", at(f"{name}.csr"), "-CA", at(f"{issuer}.pem"), "-CAkey", at(f"{issuer}.key"), "-days", "3000",
            "-extfile", at(f"{name}.cnf"), "-out", at(f"{name}.pem"))

    signed("intermediate", "/O=smtpscope tests/CN=intermediate", "ca", "basicConstraints=critical,CA:TRUE\n")
    signed("server", "/CN=aio.example.net", "intermediate",
           "subjectAltName=DNS:aio.example.net,DNS:*.example.net,IP:192.0.2.28,IP:2001:db8::28,email:postmaster@example.net,URI:https://example.net/\n")
    signed("rsa", "/O=smtpscope tests/OU=RSA/CN=rsa.example.net", "ca", "subjectAltName=DNS:rsa.example.net\n", ("rsa:2048",))
    signed("client", "/CN=client.example.org", "ca", "subjectAltName=DNS:client.example.org\n")
    at("chain.pem").write_text("".join(at(f"{name}.pem").read_text() for name in ("server", "intermediate", "ca")))


def context(chain="chain.pem", key="server.key", lowest=ssl.TLSVersion.TLSv1, highest=ssl.TLSVersion.TLSv1_3, ciphers=SECLEVEL0):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(SCRATCH / chain, SCRATCH / key)
    made.minimum_version, made.maximum_version = lowest, highest
    made.set_ciphers(ciphers)
    return made


class Server:
    """aiosmtpd with STARTTLS on port 25; on 465 sockets that speak TLS from the first octet and send their alerts, which
    asyncio does not."""

    def __init__(self, tls):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda loop, context: None)
        smtp = lambda: SMTP(Sink(), tls_context=tls, hostname="aio.example.net", ident="Python SMTP", loop=self.loop)
        self.starttls = self.loop.run_until_complete(self.loop.create_server(smtp, SERVER, 25))
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.implicit = socket.create_server((SERVER, 465))
        threading.Thread(target=self.accept, args=(tls,), daemon=True).start()

    def accept(self, tls):
        while True:
            try:
                plain, _ = self.implicit.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(plain, server_side=True) as connection:
                    connection.sendall(b"220 aio.example.net ESMTP\r\n")
                    for line in connection.makefile("rb"):
                        connection.sendall(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 aio.example.net\r\n")
                        if line.startswith(b"QUIT"):
                            break
            except OSError:
                plain.close()

    def stop(self):
        def close():
            self.starttls.close()
            self.loop.stop()

        self.loop.call_soon_threadsafe(close)
        self.implicit.shutdown(socket.SHUT_RDWR)
        self.implicit.close()


class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 Message accepted for delivery"


def s_client(*options, port=25, lines=("EHLO " + HELO, "QUIT")):
    starttls = ["-starttls", "smtp", "-name", HELO] if port == 25 else []
    command = ["openssl", "s_client", "-connect", f"{SERVER}:{port}", "-bind", f"{CLIENT}:0", "-crlf", "-ign_eof", "-quiet",
               "-cipher", SECLEVEL0, *starttls, *map(str, options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for line in lines:
        time.sleep(0.5)
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            break
    try:
        process.communicate(timeout=20)
    except BrokenPipeError:
        process.wait(timeout=20)


def record(name, tls, talk, outcomes, notes):
    """`talk` makes one connection after another; `outcomes` says of each: port, state, and what else is stated."""
    server, path = Server(tls), OUT / f"{name}.pcap"
    tcpdump = subprocess.Popen(["tcpdump", "-Z", "root", "-i", "lo", "-n", "-s", "0", "-U", "--immediate-mode", "-w", str(path), "port 25 or port 465"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while "listening on" not in tcpdump.stderr.readline():
        pass
    time.sleep(0.1)
    talk()
    time.sleep(0.4)
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.communicate(timeout=10)
    server.stop()
    found = connections(path)
    if len(found) != len(outcomes):
        raise SystemExit(f"{name}: {len(found)} connections, stated {len(outcomes)}")
    out = []
    for connection, (port, state, stated) in zip(found, outcomes):
        mode = "implicit" if port == 465 else "starttls"
        out.append({"client": connection["client"], "server": connection["server"],
                    "tls": tls_facts(path, connection["number"], port, mode, state, **stated)})
    (OUT / f"{name}.json").write_text(json.dumps({"capture": path.name, "sessions": out, "notes": notes}, indent=1) + "\n")
    print(f"{path.name}: {path.stat().st_size} octets")


@scenario
def versions(name):
    flags = ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"]
    record(name, context(), lambda: [s_client(flag, "-servername", "aio.example.net") for flag in flags],
           [(25, "completed", {"resumed": False})] * 4, "STARTTLS with TLS 1.0, 1.1, 1.2 and 1.3; a chain of three certificates.")


@scenario
def rsa_key_exchange(name):
    record(name, context("rsa.pem", "rsa.key", highest=ssl.TLSVersion.TLSv1_2, ciphers="AES256-SHA:@SECLEVEL=0"), lambda: s_client(port=465),
           [(465, "completed", {"resumed": False})], "TLS from the first octet, RSA key exchange, no Server Name Indication.")


@scenario
def resumed(name):
    def talk():
        for flag in ("-tls1_2", "-tls1_3"):
            s_client(flag, "-sess_out", SCRATCH / f"session{flag}", port=465)
            s_client(flag, "-sess_in", SCRATCH / f"session{flag}", port=465)

    record(name, context(), talk, [(465, "completed", {"resumed": again}) for again in (False, True, False, True)],
           "A session of TLS 1.2 and one of TLS 1.3, each resumed in a second connection.")


@scenario
def client_certificate(name):
    def talk():
        for flag in ("-tls1_2", "-tls1_3"):
            s_client(flag, "-cert", SCRATCH / "client.pem", "-key", SCRATCH / "client.key", port=465)

    wants = context()
    wants.verify_mode = ssl.CERT_REQUIRED
    wants.load_verify_locations(SCRATCH / "ca.pem")
    record(name, wants, talk, [(465, "completed", {"resumed": False})] * 2, "The server asks for a certificate of the client, in TLS 1.2 and 1.3.")


@scenario
def client_certificate_missing(name):
    wants = context()
    wants.verify_mode = ssl.CERT_REQUIRED
    wants.load_verify_locations(SCRATCH / "ca.pem")
    record(name, wants, lambda: [s_client(flag, port=465) for flag in ("-tls1_2", "-tls1_3")],
           [(465, "failed", {"alert": ("server", "handshake_failure"), "resumed": False}),
            (465, "failed", {"alert": ("server", None), "resumed": False})],
           "The client has no certificate, which the server wants: in TLS 1.2 a plain alert, in TLS 1.3 an encrypted one.")


@scenario
def unknown_ca(name):
    verify = ["-verify_return_error", "-CAfile", SCRATCH / "other-ca.pem"]
    record(name, context(), lambda: [s_client(flag, *verify) for flag in ("-tls1_2", "-tls1_3")],
           [(25, "failed", {"alert": ("client", "unknown_ca"), "resumed": False}),
            (25, "failed", {"alert": ("client", "unknown_ca"), "resumed": False})],
           "The client does not know who signed the certificate; OpenSSL says so in plain in TLS 1.3 as well.")


@scenario
def nothing_shared(name):
    ecdsa = context(lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")

    def talk():
        s_client("-tls1_2", "-cipher", "AES128-SHA", port=465)
        s_client("-tls1_1", port=465)

    record(name, ecdsa, talk, [(465, "failed", {"alert": ("server", "handshake_failure")}), (465, "failed", {"alert": ("server", "protocol_version")})],
           "The client offers no cipher suite, then no version, that the server has.")


@scenario
def alpn(name):
    speaks = context()
    speaks.set_alpn_protocols(["smtp"])
    record(name, speaks, lambda: [s_client(flag, "-alpn", "smtp,http/1.1", "-servername", "aio.example.net", port=465) for flag in ("-tls1_2", "-tls1_3")],
           [(465, "completed", {"resumed": False})] * 2, "ALPN: the choice shows in TLS 1.2, not in TLS 1.3.")


@scenario
def hello_retry_request(name):
    picky = context()
    picky.set_ecdh_curve("secp384r1")
    record(name, picky, lambda: s_client("-tls1_3", "-groups", "X25519:P-384"), [(25, "completed", {"resumed": False})],
           "The server wants a key of another group: HelloRetryRequest.")


@scenario
def aborted(name):
    def talk():
        """s_client's hello, said by a socket that then resets the connection."""
        with socket.create_server((SERVER, 10465)) as taken:
            client = subprocess.Popen(["openssl", "s_client", "-connect", f"{SERVER}:10465", "-tls1_2"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            connection, _ = taken.accept()
            hello = connection.recv(4096)
            connection.close()
            client.wait(timeout=10)
        with socket.create_connection((SERVER, 465), source_address=(CLIENT, 0)) as mute:
            mute.sendall(hello)
            mute.recv(65536)
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    record(name, context(), talk, [(465, "aborted", {"resumed": False})], "The client says hello and resets the connection when the server has answered.")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    certificates()
    for chosen in sys.argv[1:] or SCENARIOS:
        SCENARIOS[chosen](chosen)
