"""The servers written in Python: aiosmtpd in several roles, pyftpdlib and http.server."""
import asyncio
import http.server
import os
import pathlib
import ssl
import threading

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

import servers

NAME = "aio.example.net"
SINK = servers.SCRATCH / "sink"


class Handler:
    """Takes what is sent, keeps it, and refuses by what the recipient or the subject says."""

    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user here"
        if address.startswith("greylisted@"):
            return "450 4.2.0 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server, session, envelope):
        Handler.count += 1
        (SINK / f"{Handler.count:03}.eml").write_bytes(envelope.original_content)
        if b"forbidden" in envelope.original_content:
            return "554 5.7.1 Message refused by content"
        return "250 2.0.0 Message accepted for delivery"


class EhloRefused(Handler):
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        return ["502 5.5.1 Command not implemented"]


class PerRecipient(Handler):
    async def handle_DATA(self, server, session, envelope):
        return "\r\n".join("552 5.2.2 Mailbox full" if a.startswith("full@") else f"250 2.1.5 <{a}> delivered"
                           for a in envelope.rcpt_tos)


class RefusesData(SMTP):
    """Refuses the DATA command itself."""

    async def smtp_DATA(self, arg):
        await self.push("451 4.3.0 Not now")


class Line(SMTP):
    """Greets with one line and closes."""

    line = "421 4.3.2 Service not available, closing transmission channel"

    async def _handle_client(self):
        await self.push(self.line)
        self.transport.close()


def authenticator(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and servers.PASSWORDS.get(data.login.decode()) == data.password.decode()
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


async def main():
    loop = asyncio.get_running_loop()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(servers.SCRATCH / "certs/cert.pem", servers.SCRATCH / "certs/key.pem")
    tls12 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls12.load_cert_chain(servers.SCRATCH / "certs/cert.pem", servers.SCRATCH / "certs/key.pem")
    tls12.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = dict(hostname=NAME, ident="Python SMTP", data_size_limit=50000)

    async def serve(address, port, factory, **options):
        await loop.create_server(factory, address, port, **options)

    await serve(servers.AIOSMTPD, 25, lambda: SMTP(Handler(), enable_SMTPUTF8=True, **plain))
    await serve("127.0.0.1", 2525, lambda: SMTP(Handler(), enable_SMTPUTF8=True, **plain))
    await serve(servers.AIOSMTPD, 2525, lambda: SMTP(Handler(), enable_SMTPUTF8=True, **plain))
    await serve(servers.AIOSMTPD, 587, lambda: SMTP(Handler(), authenticator=authenticator, auth_required=True,
                                                    auth_require_tls=False, **plain))
    await serve(servers.AIOSMTPD, 5870, lambda: SMTP(Handler(), tls_context=tls12, require_starttls=True, **plain))
    await serve(servers.AIOSMTPD, 2502, lambda: SMTP(EhloRefused(), **plain))
    await serve(servers.AIOSMTPD, 2451, lambda: RefusesData(Handler(), **plain))
    await serve(servers.AIOSMTPD, 2421, lambda: Line(Handler(), **plain))
    await serve(servers.AIOSMTPD, 24, lambda: LMTP(PerRecipient(), **plain))
    await serve("::1", 2525, lambda: SMTP(Handler(), **plain))

    files = servers.SCRATCH / "files"
    files.mkdir(exist_ok=True)
    (files / "hello.txt").write_text("A small file.\n")
    authorizer = DummyAuthorizer()
    authorizer.add_user("alice", servers.PASSWORDS["alice"], str(files), perm="elr")
    FTPHandler.authorizer = authorizer
    FTPHandler.banner = "ftp.example.net FTP server ready."
    ftp = ThreadedFTPServer((servers.OTHER, 21), FTPHandler)
    threading.Thread(target=ftp.serve_forever, daemon=True).start()
    os.chdir(files)
    for port in (80, 443):
        web = http.server.ThreadingHTTPServer((servers.OTHER, port), http.server.SimpleHTTPRequestHandler)
        if port == 443:
            web.socket = tls.wrap_socket(web.socket, server_side=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    SINK.mkdir(exist_ok=True)
    asyncio.run(main())
