"""What TLS handshakes in a capture show, as tshark and openssl read them; JA4 from its published description.

The program under test has no part in it. What no other program can know, how a handshake ended, is stated by hand.
"""
import hashlib
import ipaddress
import re
import subprocess

VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
FIELDS = ["tcp.srcport", "tls.handshake.type", "tls.handshake.version", "tls.handshake.extensions.supported_version",
          "tls.handshake.ciphersuite", "tls.handshake.extension.type", "tls.handshake.sig_hash_alg",
          "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str", "tls.handshake.ja3", "tls.handshake.ja3s",
          "tls.handshake.certificate", "tls.handshake.random"]
RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
NAMES = {"DNS": "dns", "IP Address": "ip", "email": "email", "URI": "uri"}


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def cipher_names():
    lines = openssl("ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").decode().splitlines()
    rows = (re.match(r"\s*0x(..),0x(..) - (\S+)", line) for line in lines)
    return {int(row.group(1) + row.group(2), 16): row.group(3) for row in rows}


def certificate(text):
    der = bytes.fromhex(text)
    said = openssl("x509", "-inform", "der", "-noout", "-subject", "-issuer", "-serial", "-nameopt", "RFC2253", data=der).decode()
    lines = dict(line.split("=", 1) for line in said.splitlines())
    dates = openssl("x509", "-inform", "der", "-noout", "-dates", "-dateopt", "iso_8601", data=der).decode()
    times = [int(subprocess.run(["date", "-u", "-d", line.split("=", 1)[1], "+%s"], check=True, capture_output=True).stdout)
             for line in dates.splitlines()]
    names = openssl("x509", "-inform", "der", "-noout", "-ext", "subjectAltName", data=der).decode().splitlines()[1:]
    names = [entry.strip().split(":", 1) for line in names for entry in line.split(", ")]
    plain = lambda kind, value: str(ipaddress.ip_address(value)) if kind == "IP Address" else value
    key = openssl("pkey", "-pubin", "-outform", "der", data=openssl("x509", "-inform", "der", "-noout", "-pubkey", data=der))
    return {"subject": lines["subject"], "issuer": lines["issuer"], "names": [{"type": NAMES[kind], "value": plain(kind, value)} for kind, value in names],
            "not_before": times[0], "not_after": times[1], "serial": lines["serial"].lower(),
            "sha256": hashlib.sha256(der).hexdigest(), "tlsa_3_1_1": hashlib.sha256(key).hexdigest()}


def numbers(text):
    """A list of tshark's, without GREASE (RFC 8701)."""
    values = [int(value, 0) for value in text.split(",") if value]
    return [value for value in values if not (value & 0x0f0f == 0x0a0a and value >> 8 == value & 0xff)]


def ja4(hello):
    """https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md."""
    ciphers, extensions = numbers(hello["tls.handshake.ciphersuite"]), numbers(hello["tls.handshake.extension.type"])
    versions = numbers(hello["tls.handshake.extensions.supported_version"]) or numbers(hello["tls.handshake.version"])
    version = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}[max(versions)]
    alpn = hello["tls.handshake.extensions_alpn_str"].split(",")[0]
    first = f"t{version}{'d' if 0 in extensions else 'i'}{len(ciphers):02}{len(extensions):02}{alpn[0] + alpn[-1] if alpn else '00'}"
    listed = lambda values: ",".join(f"{value:04x}" for value in values)
    algorithms = listed(numbers(hello["tls.handshake.sig_hash_alg"]))
    last = listed(sorted(set(extensions) - {0, 16})) + (f"_{algorithms}" if algorithms else "")
    hashed = lambda text: hashlib.sha256(text.encode()).hexdigest()[:12] if text else "000000000000"
    return f"{first}_{hashed(listed(sorted(ciphers)))}_{hashed(last)}"


def tls_facts(capture, number, server_port, mode, state, alert=None, resumed=None):
    """Of the connection with tshark's number; `alert` is (sender, name), where the name may be unknown."""
    arguments = ["tshark", "-n", "-r", str(capture), "-d", "tcp.port==465,tls", "-T", "fields", "-E", "occurrence=a",
                 "-Y", f"tcp.stream=={number} and tls.handshake.type", *sum((["-e", field] for field in FIELDS), [])]
    rows = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines()
    flights = [dict(zip(FIELDS, row.split("\t"))) for row in rows]
    of = lambda is_server, kind: [flight for flight in flights if (flight["tcp.srcport"] == str(server_port)) == is_server
                                  and str(kind) in flight["tls.handshake.type"].split(",")]
    hello = of(False, 1)[0]
    answers = [flight for flight in of(True, 2) if flight["tls.handshake.random"].replace(":", "") != RETRY]
    chosen = answers[0] if answers else None
    certificates = lambda is_server: [certificate(text.replace(":", "")) for flight in of(is_server, 11)
                                      for text in flight["tls.handshake.certificate"].split(",") if text]
    offered = [name for name in hello["tls.handshake.extensions_alpn_str"].split(",") if name]
    facts = {"mode": mode, "state": state, "alert": alert and {"sender": alert[0], "description": alert[1]},
             "version": None, "cipher": None, "server_name": hello["tls.handshake.extensions_server_name"] or None,
             "alpn": None, "alpn_offered": offered, "ja3": hello["tls.handshake.ja3"], "ja3s": None, "ja4": ja4(hello),
             "resumed": resumed, "certificates": certificates(True), "client_certificates": certificates(False)}
    if chosen:
        version = numbers(chosen["tls.handshake.extensions.supported_version"]) or numbers(chosen["tls.handshake.version"])
        cipher = numbers(chosen["tls.handshake.ciphersuite"])[0]
        facts |= {"version": VERSIONS[version[0]], "cipher": cipher_names()[cipher], "ja3s": chosen["tls.handshake.ja3s"],
                  "alpn": chosen["tls.handshake.extensions_alpn_str"] or None}
    return facts
