#!/bin/bash
# Records the captures in testdata/tunnels/ again: one mail between two hosts, as it is seen inside the tunnels of
# Open vSwitch, which mirrors it, and of the Linux kernel, which carries it.
#
#     sudo testdata/record/tunnels.sh
#
# Debian 12, root, network namespaces, TUN and (for linux-vxlan) the kernel's VXLAN. Open vSwitch runs with its datapath in
# user space and a database of its own, so neither kernel modules nor the host's configuration are touched. Everything that
# was started ends with this script.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../tunnels
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smtpscope-tunnels.XXXXXX")
apt-get install -y --no-install-recommends openvswitch-switch tcpdump ethtool iproute2 python3-venv > "$scratch/apt.log"
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" -q install 'aiosmtpd==1.4.6'
mkdir -p "$out"

pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    for ns in ssc sss ssw sst; do ip netns del "$ns" 2> /dev/null || true; done
    rm -rf "$scratch"
}
trap finish EXIT

# ssc the client, sss the server, ssw the switch, sst the collector that the mirror goes to.
for ns in ssc sss ssw sst; do
    ip netns add "$ns"
    ip -n "$ns" link set lo up
done

# A cable: namespace, interface, namespace, interface. Checksums and segments as on a wire.
cable() {
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
    for end in "$1 $2" "$3 $4"; do
        read -r ns dev <<< "$end"
        ip netns exec "$ns" ethtool -K "$dev" tx off rx off tso off gso off gro off > /dev/null 2>&1
        ip -n "$ns" link set "$dev" up
    done
}

cable ssc eth0 ssw client
cable sss eth0 ssw server
cable sst eth0 ssw collector
for host in "ssc 198.51.100.10/24 2001:db8:1::10/64" "sss 198.51.100.25/24 2001:db8:1::25/64" \
    "sst 203.0.113.2/24 2001:db8:ffff::2/64"; do
    read -r ns four six <<< "$host"
    ip -n "$ns" address add "$four" dev eth0
    ip -n "$ns" address add "$six" dev eth0 nodad
    ip -n "$ns" link set eth0 mtu 1400
done
ip -n sst link set eth0 mtu 1500

cat > "$scratch/server.py" << 'PYTHON'
import asyncio, sys
from aiosmtpd.smtp import SMTP

class Handler:
    async def handle_DATA(self, server, session, envelope):
        return '250 2.0.0 Ok: queued as 4TUNNEL0001'

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname='mx.example.org', ident='ESMTP'), sys.argv[1], 25)
    await server.serve_forever()

asyncio.run(main())
PYTHON
cat > "$scratch/client.py" << 'PYTHON'
import smtplib, sys

text = ''.join(f'line {number:03} of a mail that goes through a tunnel\r\n' for number in range(100))
message = ('From: <alice@example.org>\r\nTo: <bob@example.net>\r\nSubject: through a tunnel\r\n'
           'Message-ID: <tunnel@example.org>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\n' + text)
with smtplib.SMTP(sys.argv[1], 25, local_hostname='client.example.org', timeout=20) as client:
    client.sendmail('alice@example.org', ['bob@example.net'], message)
PYTHON

serve() {
    ip netns exec sss "$scratch/venv/bin/python" "$scratch/server.py" "$1" 2> "$scratch/server.log" &
    pids+=($!)
}
serve 198.51.100.25
serve 2001:db8:1::25

# Open vSwitch: br0 between client and server, br1 to the collector.
export OVS_RUNDIR=$scratch OVS_LOGDIR=$scratch OVS_DBDIR=$scratch
vsctl() { ovs-vsctl --db="unix:$scratch/db.sock" --timeout=20 "$@"; }
ovsdb-tool create "$scratch/conf.db" /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server "$scratch/conf.db" --remote="punix:$scratch/db.sock" --no-chdir 2> "$scratch/ovsdb.log" &
pids+=($!)
sleep 1
ovs-vsctl --db="unix:$scratch/db.sock" --no-wait init
ip netns exec ssw ovs-vswitchd "unix:$scratch/db.sock" --no-chdir --unixctl="$scratch/ctl" 2> "$scratch/vswitchd.log" &
pids+=($!)
sleep 1
vsctl add-br br0 -- set bridge br0 datapath_type=netdev protocols=OpenFlow10,OpenFlow13
vsctl add-port br0 client -- add-port br0 server
vsctl add-br br1 -- set bridge br1 datapath_type=netdev -- add-port br1 collector
ip -n ssw address add 203.0.113.1/24 dev br1
ip -n ssw address add 2001:db8:ffff::1/64 dev br1 nodad
ip -n ssw link set br1 up
ip -n ssw link set br0 up
sleep 1

# What a mail from client to $2 looks like at $3 of namespace $4, as tunnels/$1.pcap; the filter keeps ARP and such out.
record() {
    local name=$1 server=$2 ns=$3 dev=$4
    shift 4
    ip netns exec "$ns" tcpdump -q -i "$dev" -s 0 -w "$scratch/$name.pcap" "$@" 2> "$scratch/tcpdump.log" &
    local tcpdump=$!
    pids+=("$tcpdump")
    sleep 1
    ip netns exec ssc "$scratch/venv/bin/python" "$scratch/client.py" "$server"
    sleep 1
    kill -INT "$tcpdump"
    wait "$tcpdump" || true
    [ "$(tcpdump -r "$scratch/$name.pcap" 2> /dev/null | wc -l)" -gt 20 ] || { echo "$name: nothing was recorded" >&2; return; }
    cp "$scratch/$name.pcap" "$out/$name.pcap"
}

# A mirror of Open vSwitch: name, server, then type and options of the tunnel's interface.
mirror() {
    local name=$1 server=$2
    shift 2
    vsctl add-port br0 mirror -- set interface mirror "$@" \
        -- --id=@mirror get port mirror -- --id=@m create mirror name=m select-all=true output-port=@mirror \
        -- set bridge br0 mirrors=@m
    sleep 1
    record "$name" "$server" sst eth0 "$mirrored"
    vsctl clear bridge br0 mirrors -- del-port br0 mirror
}

# The same for tunnels of datagrams without Ethernet, which a mirror of Open vSwitch cannot use: a flow copies.
copy() {
    local name=$1 server=$2 protocol=$3
    shift 3
    vsctl add-port br0 mirror -- set interface mirror ofport_request=99 "$@"
    sleep 1
    ovs-ofctl -O OpenFlow13 add-flow "unix:$scratch/br0.mgmt" "priority=9,$protocol,actions=NORMAL,output:99"
    record "$name" "$server" sst eth0 "$mirrored"
    ovs-ofctl -O OpenFlow13 --strict del-flows "unix:$scratch/br0.mgmt" "priority=9,$protocol"
    vsctl del-port br0 mirror
}

mirrored='(src host 203.0.113.1 or src host 2001:db8:ffff::1) and not icmp and not icmp6'
collector=$(ip -n sst link show eth0 | awk '/link\/ether/ { print $2 }')
for address in 203.0.113.2 2001:db8:ffff::2; do
    ovs-appctl -t "$scratch/ctl" tnl/neigh/set br1 "$address" "$collector" > /dev/null
done

four=198.51.100.25 six=2001:db8:1::25 to4=options:remote_ip=203.0.113.2 to6=options:remote_ip=2001:db8:ffff::2
mirror ovs-vxlan "$four" type=vxlan "$to4" options:key=5
mirror ovs-vxlan-in-ipv6 "$four" type=vxlan "$to6" options:key=5
mirror ovs-vxlan-gpe "$six" type=vxlan "$to4" options:key=5 options:exts=gpe options:dst_port=4790
mirror ovs-geneve "$four" type=geneve "$to4" options:key=5
mirror ovs-gre-bridged "$four" type=gre "$to4" options:key=7 options:csum=true options:seq=true
mirror ovs-erspan-ii "$four" type=erspan "$to4" options:key=5 options:erspan_ver=1 options:erspan_idx=3
mirror ovs-erspan-iii "$four" type=erspan "$to4" options:key=5 options:erspan_ver=2 options:erspan_dir=0 options:erspan_hwid=4
copy ovs-gre "$six" tcp6 type=gre "$to4" options:packet_type=legacy_l3
copy ovs-gtp-u "$four" tcp type=gtpu "$to4" options:key=9

# The kernel's VXLAN, on the port it has by default: client and server talk through it, over the same switch.
for host in "ssc 198.51.100.10 198.51.100.25 192.0.2.10" "sss 198.51.100.25 198.51.100.10 192.0.2.25"; do
    read -r ns local remote inside <<< "$host"
    if ip -n "$ns" link add vxlan0 type vxlan id 42 dstport 8472 local "$local" remote "$remote" dev eth0; then
        ip -n "$ns" address add "$inside/24" dev vxlan0
        ip -n "$ns" link set vxlan0 up
    fi
done
serve 192.0.2.25
sleep 1
record linux-vxlan 192.0.2.25 ssc eth0 udp port 8472
chown --reference="$here" "$out"/*.pcap
ls -l "$out"
