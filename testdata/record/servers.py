"""The servers: their configuration, written into the overlays, and how each is started.

Postfix and Dovecot share an overlay; Exim and OpenSMTPD have one each; aiosmtpd, pyftpdlib and http.server run in
the virtual environment. There is no name server in the network namespace, so nothing looks up names.
"""
import os
import pathlib
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SCRATCH = pathlib.Path(os.environ["SCRATCH"])

POSTFIX, EXIM, OPENSMTPD, AIOSMTPD, OTHER = (f"192.0.2.{n}" for n in (25, 26, 27, 28, 29))

# Made up for these captures; no other secret is in them.
PASSWORDS = {"alice": "Sesam-oeffne-dich-1", "bob": "correct horse 2", "carol": "Tr0ub4dor&3"}
WRONG_PASSWORD = "wrong-guess-4"

HOSTS = f"""127.0.0.1 localhost
::1 localhost
{POSTFIX} mx.example.net
{EXIM} exim.example.net
{OPENSMTPD} open.example.net
{AIOSMTPD} aio.example.net
{OTHER} www.example.net
2001:db8::25 mx6.example.net
198.51.100.10 client.example.org
2001:db8:1::10 client6.example.org
"""

POSTFIX_MAIN = """
compatibility_level = 3.6
maillog_file = /var/log/postfix.log
myhostname = mx.example.net
mydestination =
mynetworks = 127.0.0.0/8, [::1]/128
inet_protocols = all
inet_interfaces = 192.0.2.25, 127.0.0.1, [::1], [2001:db8::25]
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_banner = $myhostname ESMTP Postfix
biff = no
smtputf8_enable = yes
message_size_limit = 51200
virtual_mailbox_domains = example.net
virtual_mailbox_maps = static:yes
virtual_transport = discard:
relay_domains = exim.test, open.test, aio.test, lmtp.test, chain.test
transport_maps = inline:{ exim.test=smtp:[192.0.2.26]:25, open.test=smtp:[192.0.2.27]:25, aio.test=smtp:[192.0.2.28]:2525, chain.test=smtp:[192.0.2.28]:2525, lmtp.test=lmtp:[192.0.2.25]:24 }
default_transport = discard:
smtp_bind_address = 192.0.2.25
lmtp_bind_address = 192.0.2.25
smtp_tls_security_level = none
lmtp_tls_security_level = none
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/testcerts/cert.pem
smtpd_tls_key_file = /etc/testcerts/key.pem
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access texthash:/etc/postfix/senders
smtpd_recipient_restrictions = check_recipient_access texthash:/etc/postfix/recipients, permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
header_checks = regexp:/etc/postfix/header_checks
body_checks = regexp:/etc/postfix/body_checks
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:12345
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = no
disable_vrfy_command = no
maximal_queue_lifetime = 1h
bounce_queue_lifetime = 1h
"""

POSTFIX_MASTER = """
25        inet  n  -  n  -  -  smtpd
587       inet  n  -  n  -  -  smtpd
  -o smtpd_sasl_auth_enable=yes
465       inet  n  -  n  -  -  smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
192.0.2.25:2525 inet  n  -  n  -  -  smtpd
  -o smtpd_tls_cert_file=/nonexistent
2554      inet  n  -  n  -  -  smtpd
  -o smtpd_client_restrictions=reject
postlog   unix-dgram n - n  -  1  postlogd
pickup    unix  n  -  n  60 1  pickup
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  300 1 qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -  -  trivial-rewrite
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
verify    unix  -  -  n  -  1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -  -  proxymap
smtp      unix  -  -  n  -  -  smtp
lmtp      unix  -  -  n  -  -  lmtp
error     unix  -  -  n  -  -  error
retry     unix  -  -  n  -  -  error
discard   unix  -  -  n  -  -  discard
local     unix  -  n  n  -  -  local
virtual   unix  -  n  n  -  -  virtual
anvil     unix  -  -  n  -  1  anvil
scache    unix  -  -  n  -  1  scache
"""

POSTFIX_TABLES = {
    "senders": "spammer@example.org 550 5.7.1 Sender address rejected: unwelcome\n",
    "recipients": "greylisted@example.net 450 4.2.0 Greylisted, try again later\n"
                  "nobody@example.net 550 5.1.1 User unknown in virtual mailbox table\n"
                  "gone@example.net 550 5.1.6 Recipient has moved\n",
    "header_checks": "/^Subject:.*forbidden/ REJECT Message content rejected\n",
    "body_checks": "/cheap pills/ REJECT Body content rejected\n",
}

DOVECOT = """
protocols = imap pop3 lmtp
log_path = /var/log/dovecot.log
listen = 192.0.2.25
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_username_format = %n
mail_location = maildir:/var/lib/testmail/%n
mail_plugins = quota
first_valid_uid = 8
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/testusers
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/testusers
  default_fields = uid=mail gid=mail home=/var/lib/testmail/%n
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1M
}
service auth {
  inet_listener {
    address = 127.0.0.1
    port = 12345
  }
}
service lmtp {
  inet_listener lmtp {
    address = 192.0.2.25
    port = 24
  }
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3s {
    port = 0
  }
}
"""

EXIM_CONF = r"""
primary_hostname = exim.example.net
domainlist local_domains = exim.test : example.net
domainlist routed = postfix.test : chain.test : chunk.test : early.test
local_interfaces = 192.0.2.26.25 : 192.0.2.26.465 : 192.0.2.26.587 : 192.0.2.26.2525 : 192.0.2.26.2554 : 192.0.2.26.2421 : 127.0.0.1.2526
tls_on_connect_ports = 465
daemon_smtp_ports = 25
tls_advertise_hosts = *
tls_certificate = /etc/testcerts/cert.pem
tls_privatekey = /etc/testcerts/key.pem
auth_advertise_hosts = *
chunking_advertise_hosts = ${if eq{$received_port}{2525} {}{*}}
pipelining_connect_advertise_hosts = *
pipelining_advertise_hosts = *
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
prdr_enable = true
host_lookup =
rfc1413_hosts =
smtp_enforce_sync = true
message_size_limit = 50K
never_users =
qualify_domain = example.net
keep_environment =
log_file_path = /var/log/exim4/%slog
smtp_banner = $primary_hostname ESMTP Exim $version_number
acl_smtp_connect = acl_connect
acl_smtp_starttls = acl_starttls
acl_smtp_mail = accept
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
acl_smtp_vrfy = accept
acl_smtp_expn = accept
acl_smtp_data_prdr = acl_prdr

begin acl
acl_connect:
  drop    condition = ${if eq{$received_port}{2554}}
          message = 554 exim.example.net no SMTP service here
  drop    condition = ${if eq{$received_port}{2421}}
          message = 421 exim.example.net too busy, try later
  accept
acl_starttls:
  defer   condition = ${if eq{$received_port}{2525}}
          message = TLS not available due to temporary reason
  accept
acl_rcpt:
  deny    local_parts = nobody
          message = Unrouteable address
  defer   local_parts = greylisted
          message = Greylisted, try again later
  accept  domains = +local_domains : +routed
  accept  hosts = 127.0.0.1
  accept  authenticated = *
  deny    message = relay not permitted
acl_prdr:
  deny    local_parts = picky
          message = picky does not want this message
  accept
acl_data:
  deny    condition = ${if match{$h_subject:}{forbidden}}
          message = message content refused
  accept

begin routers
to_postfix:
  driver = manualroute
  domains = postfix.test : chain.test
  transport = smtp_out
  route_list = * 192.0.2.25 byname
  self = send
to_exim:
  driver = manualroute
  domains = chunk.test
  transport = smtp_out
  route_list = * 127.0.0.1::2526 byname
  self = send
  condition = ${if !eq{$received_port}{2526}}
to_exim_early:
  driver = manualroute
  domains = early.test
  transport = smtp_early
  route_list = * 127.0.0.1::2526 byname
  self = send
  condition = ${if !eq{$received_port}{2526}}
local:
  driver = accept
  transport = nowhere

begin transports
smtp_out:
  driver = smtp
  hosts_avoid_tls = *
  interface = ${if eq{$domain}{chunk.test} {127.0.0.1}{192.0.2.26}}
  allow_localhost = true
smtp_early:
  driver = smtp
  hosts_avoid_tls = *
  hosts_pipe_connect = *
  interface = 127.0.0.1
  allow_localhost = true
nowhere:
  driver = appendfile
  file = /dev/null
  user = mail

begin retry
* * F,1h,15m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{alice}}{eq{$auth3}{PW_ALICE}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{alice}}{eq{$auth2}{PW_ALICE}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{alice}{PW_ALICE}fail}
  server_set_id = $auth1
"""

OPENSMTPD_CONF = """
pki open.example.net cert "/etc/testcerts/cert.pem"
pki open.example.net key "/etc/testcerts/key.pem"
table users file:/etc/opensmtpd-users
smtp max-message-size 50K
listen on 192.0.2.27 port 25 tls pki open.example.net hostname open.example.net
listen on 192.0.2.27 port 587 tls pki open.example.net auth <users> hostname open.example.net
listen on 192.0.2.27 port 465 smtps pki open.example.net auth <users> hostname open.example.net
listen on 127.0.0.1 port 10027 hostname open.example.net
action "drop" mda "cat > /dev/null" virtual { "@" = root }
action "to_aio" relay host smtp://192.0.2.28:2525 src 192.0.2.27 helo open.example.net
match from any for domain "aio.test" action "to_aio"
match from any for domain { "open.test", "example.net" } action "drop"
match auth from any for any action "drop"
"""

processes = []


def overlay(name):
    return SCRATCH / "fs" / name / "root"


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, stdin=subprocess.DEVNULL, **options)


def spawn(log, *command):
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=open(SCRATCH / log, "ab"),
                               stderr=subprocess.STDOUT)
    processes.append(process)
    return process


def wait_for(address, port, seconds=15):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    end = time.monotonic() + seconds
    while True:
        with socket.socket(family) as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        if time.monotonic() > end:
            raise SystemExit(f"record.py: nothing listens on {address} port {port}")
        time.sleep(0.1)


def certificates():
    folder = SCRATCH / "certs"
    if not (folder / "cert.pem").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
            "-subj", "/O=smtpscope tests/CN=mx.example.net", "-addext", "subjectAltName=DNS:mx.example.net,DNS:*.example.net",
            "-keyout", folder / "key.pem", "-out", folder / "cert.pem", stderr=subprocess.DEVNULL)
    for name in ("postfix", "exim", "opensmtpd"):
        target = overlay(name) / "etc/testcerts"
        target.mkdir(parents=True, exist_ok=True)
        (target / "cert.pem").write_bytes((folder / "cert.pem").read_bytes())
        (target / "key.pem").write_bytes((folder / "key.pem").read_bytes())
        (target / "key.pem").chmod(0o600)
        write(overlay(name) / "etc/hosts", HOSTS)
        (overlay(name) / "etc/resolv.conf").unlink(missing_ok=True)
        write(overlay(name) / "etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    return folder


def start_postfix():
    root = overlay("postfix")
    write(root / "etc/postfix/main.cf", POSTFIX_MAIN)
    write(root / "etc/postfix/master.cf", POSTFIX_MASTER)
    for name, text in POSTFIX_TABLES.items():
        write(root / "etc/postfix" / name, text)
    run("chroot", root, "postfix", "start", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(POSTFIX, 25)


def start_dovecot():
    root = overlay("postfix")
    write(root / "etc/dovecot/dovecot.conf", DOVECOT)
    lines = [f"{name}:{{PLAIN}}{password}::::::" for name, password in PASSWORDS.items()]
    lines.append("full:{PLAIN}" + PASSWORDS["bob"] + "::::::userdb_quota_rule=*:storage=1K")
    write(root / "etc/dovecot/testusers", "\n".join(lines) + "\n")
    run("chroot", root, "install", "-d", "-o", "mail", "-g", "mail", "/var/lib/testmail")
    spawn("dovecot.out", "chroot", root, "dovecot", "-F")
    wait_for(POSTFIX, 24)


def start_exim():
    root = overlay("exim")
    write(root / "etc/exim4/exim4.conf", EXIM_CONF.replace("PW_ALICE", PASSWORDS["alice"]), 0o640)
    run("chroot", root, "chgrp", "-R", "Debian-exim", "/etc/exim4/exim4.conf", "/etc/testcerts")
    (root / "etc/testcerts/key.pem").chmod(0o640)
    spawn("exim.out", "chroot", root, "exim4", "-bdf", "-q30m")
    wait_for(EXIM, 25)


def start_opensmtpd():
    root = overlay("opensmtpd")
    write(root / "etc/smtpd.conf", OPENSMTPD_CONF)
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORDS["alice"]], check=True, capture_output=True, text=True).stdout.strip()
    write(root / "etc/opensmtpd-users", f"alice {hashed}\n")
    spawn("opensmtpd.out", "chroot", root, "smtpd", "-dv", "-f", "/etc/smtpd.conf")
    wait_for(OPENSMTPD, 25)


def start_aiosmtpd():
    spawn("aiosmtpd.out", sys.executable, HERE / "aio_servers.py")
    wait_for(AIOSMTPD, 25)
    wait_for(OTHER, 443)


def start_all():
    certificates()
    start_dovecot()
    start_postfix()
    start_exim()
    start_opensmtpd()
    start_aiosmtpd()


def stop_all():
    subprocess.run(["chroot", str(overlay("postfix")), "postfix", "stop"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
