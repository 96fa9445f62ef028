"""Mail clients that make the message themselves, and what each says it sent.

The octets of such a message are known only when it is sent. Each function here returns them as the client's own log
has them, so that they can be held against the stream that tshark puts together.
"""
import os
import pty
import re
import select
import signal
import subprocess
import time

import servers
from clients import CLIENT, HELO, program, transcript

HOME = servers.SCRATCH / "home"
MUTTRC = f"""set folder={HOME} hostname={HELO} realname='Alice Example' from=alice@example.org use_from=yes use_envelope_from=yes
set ssl_starttls=no ssl_force_tls=no copy=no send_charset=us-ascii:utf-8 crypt_use_gpgme=yes
set editor=true autoedit=yes edit_headers=yes abort_unmodified=no
"""
MIME_TYPES = "message/rfc822 eml\napplication/zip zip\napplication/x-7z-compressed 7z\napplication/pdf pdf\nimage/png png\ntext/csv csv\n"


def home():
    """A home directory without anything of the host's user."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    (HOME / "muttrc").write_text(MUTTRC)
    (HOME / ".mime.types").write_text(MIME_TYPES)
    os.environ.update(HOME=str(HOME), LC_ALL="C.UTF-8", TERM="xterm", TZ="UTC")
    os.environ.pop("GNUPGHOME", None)
    return HOME


def files(contents):
    """Writes what is to be attached; returns the paths."""
    folder = servers.SCRATCH / "attached"
    folder.mkdir(exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]


def unstuffed(lines):
    """The message of the lines between DATA and the dot line, without their ends."""
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines)


def of_mutt():
    """From mutt's debug log of level 5, which has each piece that it writes to the socket."""
    log = (HOME / ".muttdebug0").read_bytes()
    sent = b"".join(re.findall(rb"\[[0-9: -]{19}\] \d+> (.*?)(?=\[[0-9: -]{19}\] |\Z)", log, re.S))
    return unstuffed(sent[sent.index(b"\r\nDATA\r\n") + 8:sent.index(b"\r\n.\r\n")].split(b"\r\n"))


def mutt(server, port, subject, recipients, text, attached=(), *options):
    """mutt in batch mode."""
    attached = ["-a", *attached] if attached else []
    program("mutt", "-F", home() / "muttrc", "-d", "5", "-e", f"set smtp_url=smtp://{server}:{port}/", "-s", subject, *options,
            *attached, "--", *recipients, data=text)
    return of_mutt()


def mutt_screen(server, port, subject, recipients, text, attached, settings):
    """mutt on a terminal, which signs and encrypts only there: `y` in the compose menu sends."""
    body = files({"body.txt": text})[0]
    command = ["mutt", "-F", str(home() / "muttrc"), "-d", "5", "-e", f"set smtp_url=smtp://{server}:{port}/ {settings}", "-s", subject,
               "-i", str(body), "-a", *map(str, attached), "--", *recipients]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    seen, sent, end = b"", False, time.monotonic() + 20
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # the terminal is closed
                break
            seen += data
        elif not sent and b"Mutt: Compose" in seen:
            sent = os.write(terminal, b"y")
    else:
        os.kill(child, signal.SIGKILL)
    os.close(terminal)
    status = os.waitpid(child, 0)[1]
    transcript.append("$ " + " ".join(command) + "\n" + seen.decode(errors="replace"))
    if status:
        raise RuntimeError(f"mutt ended with status {status}:\n{seen[-500:]}")
    return of_mutt()


def s_nail(server, port, subject, recipients, text, attached, *options):
    """s-nail prints what it sends, before it stuffs dots; from its output."""
    settings = {"v15-compat": "yes", "mta": f"smtp://{server}:{port}", "smtp-config": "-all", "smtp-auth": "none", "hostname": HELO,
                "from": "Jürgen Example <juergen@example.org>", "sendwait": "", "mimetypes-load-control": f"f={home() / '.mime.types'}"}
    program("s-nail", "-:/", "-vv", *sum((["-S", f"{k}={v}" if v else k] for k, v in settings.items()), []), "-s", subject,
            *sum((["-a", a] for a in attached), []), *options, *recipients, data=text)
    lines = [line.removeprefix("s-nail: >>> ") for line in transcript[-1].splitlines() if line.startswith("s-nail: >>> ")]
    first = lines.index("DATA") + 2  # the reply stands between
    return b"".join(line.encode() + b"\r\n" for line in lines[first:lines.index(".", first)])


def swaks_made(server, port, sender, recipient, *options):
    """swaks makes the message; from its transcript."""
    program("swaks", "--server", server, "--port", port, "--local-interface", CLIENT, "--helo", HELO, "--from", sender, "--to", recipient, *options)
    lines = [line.removeprefix(" -> ").removesuffix("\r") for line in transcript[-1].split("\n") if line.startswith(" -> ")]
    first = lines.index("DATA") + 1
    return unstuffed(line.encode() for line in lines[first:lines.index(".", first)])


def curl_form(url, sender, recipients, headers, *form):
    """curl makes a multipart message of a form; from its trace, which has the message as it is before dots are stuffed."""
    trace = servers.SCRATCH / "curl.trace"
    program("curl", "-s", "--trace", trace, "--interface", CLIENT, "--mail-from", sender, *sum((["--mail-rcpt", r] for r in recipients), []),
            *sum((["-H", h] for h in headers), []), *sum((["-F", part] for part in form), []), f"{url}/{HELO}")
    out, is_data = b"", False
    for line in trace.read_text(errors="replace").splitlines():
        if line[:2] in ("=>", "<=", "=="):
            is_data = line.startswith("=> Send data")
        elif is_data:
            out += bytes.fromhex(line[6:54])
    return out.removesuffix(b"\r\n.\r\n").removesuffix(b"\r\n") + b"\r\n"


def mpack(subject, content_type, path):
    """The message that mpack makes of one file; it is then given to another program."""
    target = servers.SCRATCH / "mpack.eml"
    target.unlink(missing_ok=True)
    program("mpack", "-s", subject, "-c", content_type, "-o", target, path)
    return target.read_bytes()


def gpg(*arguments, data=None):
    home()
    return subprocess.run(["gpg", "--batch", "--quiet", "--passphrase", "", *arguments], input=data, check=True, capture_output=True).stdout


def stored(needle):
    """The last message with this text that aiosmtpd has kept, octet for octet after dot-unstuffing."""
    found = [path for path in (servers.SCRATCH / "sink").glob("*.eml") if needle in path.read_bytes()]
    return max(found, key=lambda path: path.stat().st_mtime_ns).read_bytes()
