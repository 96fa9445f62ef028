#!/bin/bash
# Records the captures in testdata/other/ and testdata/proxied/ again: connections of other protocols, on their ports and
# on those of mail, and mail that goes through proxies.
#
#     sudo testdata/record/other.sh [SCENARIO...]
#
# Debian 12, root and namespaces. The servers run in a network namespace of their own with a hosts file of their own.
# Everything that was started ends with this script.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
if [ -z "${SCRATCH:-}" ]; then
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/smtpscope-other.XXXXXX")
    export SCRATCH
    chmod 755 "$SCRATCH"
    apt-get install -y --no-install-recommends tcpdump tshark openssl curl swaks ethtool iproute2 python3-venv dovecot-imapd \
        dovecot-pop3d dovecot-managesieved tinyproxy microsocks openssh-server haproxy > "$SCRATCH/apt.log"
    python3 -m venv "$SCRATCH/venv"
    "$SCRATCH/venv/bin/pip" -q install 'aiosmtpd==1.4.6' 'pyftpdlib==2.2.0'
    status=0
    timeout --kill-after=10 600 unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@" || status=$?
    rm -rf "$SCRATCH"
    exit $status
fi
ip link set lo up
ip link set lo mtu 1500
ethtool -K lo tso off gso off gro off > /dev/null || echo "other.sh: offloads stay on" >&2
ip address add 198.51.100.10/32 dev lo
for address in 192.0.2.28 192.0.2.29 192.0.2.30 192.0.2.31 192.0.2.32; do
    ip address add "$address/32" dev lo
    ip route replace table local local "$address" dev lo src 198.51.100.10
done
printf '127.0.0.1 localhost\n192.0.2.28 mx.example.net\n192.0.2.29 www.example.net\n' > "$SCRATCH/hosts"
mount --bind "$SCRATCH/hosts" /etc/hosts
exec "$SCRATCH/venv/bin/python" -W ignore::DeprecationWarning "$here/other.py" "$@"
