#!/bin/bash
# Records every capture in testdata/ again: real SMTP servers and clients on the loopback interface of a private
# network namespace, each scenario taken down by tcpdump, with its facts beside it.
#
#     sudo testdata/record/record.sh [SCENARIO...]
#
# Without arguments all scenarios are recorded. Debian 12 or later, root, and a kernel that allows mount, PID and
# network namespaces and overlayfs. The three mail servers conflict as Debian packages, so each is installed in an
# overlay of the root file system that lives in memory: nothing of /etc, no service and no port of the host is touched.
# Only the clients and tcpdump/tshark are installed on the host. Everything that was started ends with this script.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
scratch=${SCRATCH:-${TMPDIR:-/tmp}/smtpscope-record}
export PYTHONDONTWRITEBYTECODE=1
clients=(tcpdump tshark wireshark-common swaks msmtp curl s-nail mutt mpack openssl gnupg zip p7zip-full tnef ethtool iproute2 python3-venv
         libnet-ssleay-perl libio-socket-ssl-perl libauthen-sasl-perl libdigest-hmac-perl)

# An overlay of / at $scratch/fs/NAME/root with the given packages; daemons are not started by their packages.
overlay() {
    local name=$1 base=$scratch/fs/$1
    shift
    mkdir -p "$base"/{up,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$base/up,workdir=$base/work" "$base/root"
    mount -t proc proc "$base/root/proc"
    mount --rbind /dev "$base/root/dev"
    printf '#!/bin/sh\nexit 101\n' > "$base/root/usr/sbin/policy-rc.d"
    chmod 755 "$base/root/usr/sbin/policy-rc.d"
    chroot "$base/root" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@" > "$scratch/fs/$name.log" 2>&1
}

case ${RECORD_STAGE:-} in
'')
    [ "$(id -u)" = 0 ] || { echo "record.sh: must run as root" >&2; exit 2; }
    mkdir -p "$scratch/fs"
    apt-get update > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${clients[@]}" > "$scratch/clients.log"
    [ -x "$scratch/venv/bin/python" ] || python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" -q install 'aiosmtpd==1.4.6' 'pyftpdlib==2.2.0'
    # The time limit and --kill-child end whatever a scenario may leave behind.
    RECORD_STAGE=install SCRATCH=$scratch exec timeout --kill-after=10 1500 \
        unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
    ;;
install)
    mount -t tmpfs -o size=2g tmpfs "$scratch/fs"
    overlay postfix postfix dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd
    overlay exim exim4-daemon-light
    overlay opensmtpd opensmtpd
    RECORD_STAGE=run exec unshare --net --uts "$0" "$@"
    ;;
run)
    # The order of the commands below does not matter; the addresses are those of RFC 5737 and RFC 3849.
    hostname mail.example.net
    ip link set lo up
    ip link set lo mtu 1500
    ethtool -K lo tso off gso off gro off > /dev/null || echo "record.sh: offloads stay on" >&2
    for address in 192.0.2.{25..29} 198.51.100.{10..19}; do ip address add "$address/32" dev lo; done
    # mutt and s-nail cannot bind to an address of their own
    for address in 192.0.2.{25..28}; do ip route change local "$address" dev lo table local src 198.51.100.10; done
    for address in 2001:db8::{25,26} 2001:db8:1::10; do ip address add "$address/128" dev lo nodad; done
    exec "$scratch/venv/bin/python" "$here/record.py" "$@"
    ;;
esac
