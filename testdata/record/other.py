"""The scenarios of other protocols and of mail through proxies: servers, clients, tcpdump around both, facts beside it."""
import asyncio
import functools
import http.server
import imaplib
import logging
import nntplib
import os
import pathlib
import poplib
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

from aiosmtpd.smtp import SMTP
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import ThreadedFTPServer

import facts
from facts import Mail, Session, write_facts
from messages import plain

SCRATCH = pathlib.Path(os.environ["SCRATCH"])
TESTDATA = pathlib.Path(__file__).resolve().parent.parent
CLIENT, MX, OTHER, HTTP_PROXY, SOCKS, FRONT = "198.51.100.10", "192.0.2.28", "192.0.2.29", "192.0.2.30", "192.0.2.31", "192.0.2.32"
HELO, ALICE, BOB = "client.example.org", "alice@example.org", "bob@example.net"
PASSWORD, PROXY_PASSWORD = "Sesam-oeffne-dich-1", "Let-me-through-7"
ONE_MAIL = "220 EHLO 250 MAIL 250 RCPT 250 DATA 354 250 QUIT 221"
SCENARIOS = {}
PROCESSES = []
LIMIT = 100_000
logging.disable()


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


def start(*command, port):
    """A server in the foreground, until it listens on `port` (host, port)."""
    log = open(SCRATCH / f"{pathlib.Path(command[0]).name}-{port[1]}.log", "w")
    PROCESSES.append(subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(port) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"{command[0]} does not listen on {port}")


def run(*command, good=(0,)):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if good and done.returncode not in good:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stderr}")


def talk(host, port, *lines, wait=0.2):
    """Reads and writes by turns, then closes."""
    with socket.create_connection((host, port)) as connection:
        for line in lines:
            time.sleep(wait)
            connection.sendall(line.encode() + b"\r\n")
        time.sleep(wait)


def record(folder, name, which, act, sessions, notes, others=0, open_places=()):
    path = TESTDATA / folder / f"{name}.pcap"
    path.parent.mkdir(exist_ok=True)
    tcpdump = subprocess.Popen(["tcpdump", "-Z", "root", "-i", "lo", "-n", "-s", "0", "-U", "--immediate-mode", "-w", str(path), f"tcp and ({which})"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while "listening on" not in tcpdump.stderr.readline():
        pass
    time.sleep(0.1)
    act()
    time.sleep(0.5)
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.communicate(timeout=10)
    problems = write_facts(path, path.with_suffix(".json"), sessions, notes, others, open_places)
    size = path.stat().st_size
    print(f"{folder}/{path.name}: {size} octets")
    for problem in problems + ([f"{size} octets are too many"] if size > LIMIT else []):
        print(f"  PROBLEM {problem}")


def behind_preface(capture, number, client, streams=facts.streams):
    """The streams without what stands before the mail: the server's begins with its greeting, the client's with EHLO."""
    sent, received = streams(capture, number, client)
    return sent[max(sent.find(b"EHLO "), 0):], received[max(received.find(b"220 "), 0):]


facts.streams = behind_preface


# Servers

def certificate():
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=www.example.net",
        "-keyout", SCRATCH / "key.pem", "-out", SCRATCH / "cert.pem")


def dovecot():
    (SCRATCH / "mail").mkdir(mode=0o777)
    (SCRATCH / "mail").chmod(0o777)
    (SCRATCH / "dovecot.conf").write_text(f"""
protocols = imap pop3 sieve
listen = {OTHER}
base_dir = {SCRATCH}/dovecot
log_path = {SCRATCH}/dovecot.log
ssl = yes
ssl_cert = <{SCRATCH}/cert.pem
ssl_key = <{SCRATCH}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{SCRATCH}/mail/%u
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={SCRATCH}/mail/%u
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 110
  }}
  inet_listener pop3-on-a-port-of-mail {{
    port = 2525
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 143
  }}
  inet_listener imap-on-a-port-of-mail {{
    port = 587
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = 4190
  }}
}}
""")
    start("dovecot", "-F", "-c", SCRATCH / "dovecot.conf", port=(OTHER, 110))


def ftp_server(port, banner):
    authorizer = DummyAuthorizer()
    authorizer.add_user("alice", PASSWORD, str(SCRATCH / "files"))
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "banner": banner, "use_sendfile": False})
    server = ThreadedFTPServer((OTHER, port), handler, ioloop=IOLoop())
    threading.Thread(target=server.serve_forever, daemon=True).start()


class News(socketserver.StreamRequestHandler):
    """As much of RFC 3977 as a reader needs for one article."""

    def handle(self):
        self.say("200 news.example.net ready, posting allowed")
        article = ["Subject: test", "From: alice@example.org", "", "MAIL FROM:<alice@example.org> is said elsewhere."]
        for line in self.rfile:
            command = line.decode().split()
            match command[0].upper() if command else "":
                case "CAPABILITIES":
                    self.say("101 Capability list:", "VERSION 2", "READER", "LIST ACTIVE", "STARTTLS", ".")
                case "MODE":
                    self.say("200 Posting allowed")
                case "GROUP":
                    self.say("211 1 1 1 misc.test")
                case "ARTICLE":
                    self.say("220 1 <1@example.net>", *article, ".")
                case "HELP":
                    self.say("100 Help text follows", "ARTICLE, GROUP, HELP, QUIT", ".")
                case "QUIT":
                    return self.say("205 Bye")
                case _:
                    self.say("500 Unknown command")

    def say(self, *lines):
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class Web(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


def ssh_server():
    for name in ("host_key", "user_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", SCRATCH / name)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    (SCRATCH / "sshd_config").write_text(
        f"ListenAddress {OTHER}:22\nListenAddress {OTHER}:2200\nHostKey {SCRATCH}/host_key\nAuthorizedKeysFile {SCRATCH}/user_key.pub\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nLogLevel ERROR\n")
    start("/usr/sbin/sshd", "-D", "-e", "-f", SCRATCH / "sshd_config", port=(OTHER, 22))


def mail_servers():
    loop = asyncio.new_event_loop()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SCRATCH / "cert.pem", SCRATCH / "key.pem")
    smtp = lambda **options: lambda: SMTP(Sink(), hostname="mx.example.net", ident="ESMTP", loop=loop, **options)

    async def listen():
        await loop.create_server(smtp(), MX, 25)
        await loop.create_server(smtp(), MX, 465, ssl=tls)
        await loop.create_server(smtp(proxy_protocol_timeout=5), MX, 10025)

    loop.run_until_complete(listen())
    threading.Thread(target=loop.run_forever, daemon=True).start()


class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 Message accepted for delivery"

    async def handle_PROXY(self, server, session, envelope, proxy_data):
        return True


# Other protocols

@scenario
def ftp():
    def act():
        for port in (21, 26):
            run("curl", "-s", "--disable-epsv", "--user", f"alice:{PASSWORD}", f"ftp://{OTHER}:{port}/hello.txt")
        run("curl", "-s", "--ssl", "--user", f"alice:{PASSWORD}", f"ftp://{OTHER}:2121/hello.txt")
        talk(OTHER, 2121, "NOOP", "HELP", "QUIT")

    record("other", "ftp", f"host {OTHER}", act, [],
           "curl and a socket with pyftpdlib on ports 21, 26 and 2121, its greetings `220 FTP ready`, `220 mail.example.net ready`, "
           "and `220 mail.example.net FTP beside ESMTP`; on port 2121 curl asks for TLS first.", others=7)


@scenario
def pop3():
    def act():
        for port in (110, 2525):
            pop = poplib.POP3(OTHER, port, timeout=10)
            pop.capa()
            pop.user("alice")
            pop.pass_(PASSWORD)
            pop.stat()
            pop.noop()
            pop.quit()
        pop = poplib.POP3(OTHER, 110, timeout=10)
        pop.stls(ssl._create_unverified_context())
        pop.quit()
        talk(OTHER, 2525, "QUIT")
        talk(OTHER, 2525)

    record("other", "pop3", f"host {OTHER}", act, [], "poplib with Dovecot on ports 110 and 2525, once with STLS; QUIT alone, and nothing at all.", others=5)


@scenario
def imap():
    def act():
        for port in (143, 587):
            imap = imaplib.IMAP4(OTHER, port, timeout=10)
            imap.login("alice", PASSWORD)
            imap.select()
            imap.search(None, "ALL")
            imap.logout()
        imap = imaplib.IMAP4(OTHER, 143, timeout=10)
        imap.starttls(ssl._create_unverified_context())
        imap.logout()
        talk(OTHER, 587)

    record("other", "imap", f"host {OTHER}", act, [], "imaplib with Dovecot on ports 143 and 587, once with STARTTLS, and nothing said at all.", others=4)


@scenario
def managesieve():
    def act():
        talk(OTHER, 4190, "CAPABILITY", "NOOP", "LOGOUT")
        talk(OTHER, 4190, "STARTTLS")

    record("other", "managesieve", f"host {OTHER}", act, [], "A socket with Dovecot's ManageSieve: CAPABILITY, NOOP, LOGOUT; STARTTLS.", others=2)


@scenario
def nntp():
    def act():
        for port in (119, 25):
            news = nntplib.NNTP(OTHER, port, readermode=True)
            news.group("misc.test")
            news.article("1")
            news.quit()
        talk(OTHER, 25, "HELP", "STARTTLS", "QUIT")

    record("other", "nntp", f"host {OTHER}", act, [],
           "nntplib and a socket with a small server of the script on ports 119 and 25. The article has a line that begins with MAIL FROM.", others=3)


@scenario
def http_1():
    def act():
        for port in (80, 2526):
            run("curl", "-s", "-o", "/dev/null", f"http://{OTHER}:{port}/hello.txt")
        run("curl", "-s", "--data-binary", f"@{SCRATCH}/files/smtp.txt", f"http://{OTHER}:80/")
        run("curl", "-s", f"http://{OTHER}:80/smtp.txt")

    record("other", "http-1", f"host {OTHER}", act, [],
           "curl with http.server on ports 80 and 2526; a transcript of SMTP is sent and fetched.", others=4)


@scenario
def https():
    def act():
        for port in (443, 8443):
            run("curl", "-sk", f"https://{OTHER}:{port}/")
        for flag in ("-tls1_2", "-tls1_3"):
            run("openssl", "s_client", "-connect", f"{OTHER}:443", flag, "-servername", "smtp.example.net")

    record("other", "https", f"host {OTHER}", act, [],
           "curl and openssl s_client with openssl s_server on ports 443 and 8443; the name asked for is of mail.", others=4)


@scenario
def ssh():
    def act():
        for port in (22, 2200):
            run("ssh", "-p", port, "-i", SCRATCH / "user_key", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={SCRATCH}/known",
                f"root@{OTHER}", "true")
        talk(OTHER, 2200, "EHLO client.example.org", "QUIT")

    record("other", "ssh", "port 22 or port 2200", act, [], "ssh with OpenSSH on ports 22 and 2200; EHLO, said by a socket.", others=3)


# Mail through proxies

def proxied(protocol, target):
    return {"proxied": [{"protocol": protocol, "target": target}]}


def curl_mail(mail, *options, url="smtp://mx.example.net:25"):
    path = SCRATCH / "message"
    path.write_bytes(mail.raw)
    run("curl", "-sk", *options, "--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file", path, f"{url}/{HELO}")


@scenario
def http_connect():
    mail = plain("Through an HTTP proxy", "http-connect")

    def act():
        curl_mail(mail, "--proxytunnel", "--proxy", f"http://alice:{PROXY_PASSWORD}@{HTTP_PROXY}:8888")
        # Without credentials (407), to a port that the proxy does not connect to (403), and to a server of the web.
        run("curl", "-s", "--proxytunnel", "--proxy", f"http://{HTTP_PROXY}:8888", "smtp://mx.example.net:25", good=())
        run("curl", "-s", "--proxytunnel", "--proxy", f"http://alice:{PROXY_PASSWORD}@{HTTP_PROXY}:8888", "smtp://mx.example.net:110", good=())
        run("curl", "-sk", "--proxy", f"http://alice:{PROXY_PASSWORD}@{HTTP_PROXY}:8888", "https://www.example.net/")

    message = [Mail(ALICE, f"{BOB}+", message=mail)]
    record("proxied", "http-connect", f"port 8888 or host {MX}", act,
           [Session(f"{HTTP_PROXY}:8888", ONE_MAIL, mails=message, extra=proxied("http_connect", "mx.example.net:25")),
            Session(f"{MX}:25", ONE_MAIL, mails=message, extra={"proxied": []})],
           "curl through tinyproxy, which wants a password: a mail; no password (407); a port that is not let through (403); HTTPS. "
           "Both sides of the proxy.", others=3)


@scenario
def http_connect_tls():
    mail = plain("Through an HTTP proxy in TLS", "http-connect-tls")
    record("proxied", "http-connect-tls", "port 8888", lambda: curl_mail(
        mail, "--proxytunnel", "--proxy", f"http://alice:{PROXY_PASSWORD}@{HTTP_PROXY}:8888", url="smtps://mx.example.net:465"),
           [Session(f"{HTTP_PROXY}:8888", "", helo=None, verb=None, check=False, extra={"uses_tls": True, **proxied("http_connect", "mx.example.net:465")})],
           "curl through tinyproxy to port 465, where TLS begins with the first octet.",
           open_places=[("sessions[0].tls", ["*"], "what the handshake shows is stated in tls/")])


@scenario
def socks():
    mails = [plain(f"Through SOCKS, {number}", f"socks-{number}") for number in range(5)]
    ways = [("--socks4", 1080, "", "socks4", f"{MX}:25"), ("--socks4a", 1080, "", "socks4a", "mx.example.net:25"),
            ("--socks5", 1080, "", "socks5", f"{MX}:25"), ("--socks5-hostname", 1080, "", "socks5", "mx.example.net:25"),
            ("--socks5-hostname", 1081, f"alice:{PROXY_PASSWORD}@", "socks5", "mx.example.net:25")]

    def act():
        for mail, (option, port, user, _, _) in zip(mails, ways):
            curl_mail(mail, option, f"{user}{SOCKS}:{port}")
        # A wrong password, and a server of the web.
        run("curl", "-s", "--socks5-hostname", f"alice:wrong-guess-4@{SOCKS}:1081", "smtp://mx.example.net:25", good=())
        run("curl", "-s", "-o", "/dev/null", "--socks5-hostname", f"{SOCKS}:1080", "http://www.example.net/hello.txt")

    record("proxied", "socks", "port 1080 or port 1081", act,
           [Session(f"{SOCKS}:{port}", ONE_MAIL, mails=[Mail(ALICE, f"{BOB}+", message=mail)], extra=proxied(protocol, target))
            for mail, (_, port, _, protocol, target) in zip(mails, ways)],
           "curl through ssh -D with SOCKS 4, 4a and 5 (an address, a name) and through microsocks with user name and password; a wrong "
           "password, and HTTP.", others=2)


@scenario
def proxy_header():
    mails = [plain(f"Behind a PROXY header, {number}", f"proxy-{number}") for number in range(3)]
    path = SCRATCH / "swaks.eml"

    def act():
        for port, mail in zip((25, 26), mails):
            curl_mail(mail, url=f"smtp://{FRONT}:{port}")
        # swaks ends a message that ends with a line end with one more.
        path.write_bytes(mails[2].raw.removesuffix(b"\r\n").replace(b"\r\n", b"\n"))
        run("swaks", "--server", MX, "--port", "10025", "--helo", HELO, "--from", ALICE, "--to", BOB, "--data", f"@{path}",
            "--proxy-version", "1", "--proxy-family", "TCP6", "--proxy-source", "2001:db8:1::10", "--proxy-source-port", "40000",
            "--proxy-dest", "2001:db8::28", "--proxy-dest-port", "25")

    def claim(address, port, to, to_port):
        return {"claimed_client": {"source": "proxy", "address": address, "port": port, "destination_address": to, "destination_port": to_port}}

    session = lambda server, mail, extra: Session(server, ONE_MAIL, mails=[Mail(ALICE, f"{BOB}+", message=mail)], extra=extra)
    front = lambda port, mail: session(f"{FRONT}:{port}", mail, {"claimed_client": None})
    # The client's port is that of its connection to HAProxy, which is the one before.
    behind = lambda port, mail: session(f"{MX}:10025", mail, claim(CLIENT, "before", FRONT, port))
    record("proxied", "proxy-header", f"host {FRONT} or port 10025", act,
           [front(25, mails[0]), behind(25, mails[0]), front(26, mails[1]), behind(26, mails[1]),
            session(f"{MX}:10025", mails[2], claim("2001:db8:1::10", 40000, "2001:db8::28", 25))],
           "curl to HAProxy, which sends aiosmtpd the PROXY header of version 1 and of version 2; swaks with one of its own. Both sides of "
           "HAProxy. In claimed_client a port of `before` is the client's port of the session before.")


def servers():
    files = SCRATCH / "files"
    files.mkdir()
    (files / "hello.txt").write_text("Hello.\n")
    (files / "smtp.txt").write_text("220 mx.example.net ESMTP\r\nEHLO a\r\n250 mx.example.net\r\nMAIL FROM:<a@example.org>\r\n250 ok\r\n")
    certificate()
    dovecot()
    for port, banner in ((21, "FTP ready"), (26, "mail.example.net ready"), (2121, "mail.example.net FTP beside ESMTP")):
        ftp_server(port, banner)
    for port in (119, 25):
        serve(socketserver.ThreadingTCPServer((OTHER, port), News))
    for port in (80, 2526):
        serve(http.server.ThreadingHTTPServer((OTHER, port), functools.partial(Web, directory=str(files))))
    for port in (443, 8443):
        start("openssl", "s_server", "-accept", f"{OTHER}:{port}", "-cert", SCRATCH / "cert.pem", "-key", SCRATCH / "key.pem", "-www", port=(OTHER, port))
    mail_servers()
    (SCRATCH / "tinyproxy.conf").write_text(
        f"Listen {HTTP_PROXY}\nPort 8888\nTimeout 60\nBasicAuth alice {PROXY_PASSWORD}\nConnectPort 25\nConnectPort 465\nConnectPort 443\n")
    start("tinyproxy", "-d", "-c", SCRATCH / "tinyproxy.conf", port=(HTTP_PROXY, 8888))
    ssh_server()
    key = SCRATCH / "user_key"
    start("ssh", "-N", "-g", "-D", f"{SOCKS}:1080", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={SCRATCH}/known",
          f"root@{OTHER}", port=(SOCKS, 1080))
    start("microsocks", "-i", SOCKS, "-p", "1081", "-u", "alice", "-P", PROXY_PASSWORD, port=(SOCKS, 1081))
    proxy = lambda port, option: (f"listen front-{port}\n bind {FRONT}:{port}\n server mx {MX}:10025 {option}\n")
    (SCRATCH / "haproxy.cfg").write_text("defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
                                         + proxy(25, "send-proxy") + proxy(26, "send-proxy-v2"))
    start("haproxy", "-db", "-f", SCRATCH / "haproxy.cfg", port=(FRONT, 25))


def main(names):
    try:
        servers()
        time.sleep(0.5)
        for name in names or SCENARIOS:
            SCENARIOS[name]()
    finally:
        for process in PROCESSES:
            process.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
