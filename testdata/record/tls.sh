#!/bin/bash
# Records the captures in testdata/tls/ again: handshakes of openssl s_client with aiosmtpd, of every version that OpenSSL
# still has, completed and failed, each with its facts beside it.
#
#     sudo testdata/record/tls.sh [SCENARIO...]
#
# Debian 12, root and a network namespace. Everything that was started ends with this script.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
if [ -z "${SCRATCH:-}" ]; then
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/smtpscope-tls.XXXXXX")
    export SCRATCH
    apt-get install -y --no-install-recommends tcpdump tshark openssl ethtool iproute2 python3-venv > "$SCRATCH/apt.log"
    python3 -m venv "$SCRATCH/venv"
    "$SCRATCH/venv/bin/pip" -q install 'aiosmtpd==1.4.6'
    status=0
    timeout --kill-after=10 600 unshare --net --pid --fork --kill-child --mount-proc "$0" "$@" || status=$?
    rm -rf "$SCRATCH"
    exit $status
fi
ip link set lo up
ip link set lo mtu 1500
ethtool -K lo tso off gso off gro off > /dev/null || echo "tls.sh: offloads stay on" >&2
for address in 192.0.2.28 198.51.100.10; do ip address add "$address/32" dev lo; done
exec "$SCRATCH/venv/bin/python" "$here/tls.py" "$@"
