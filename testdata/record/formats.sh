#!/usr/bin/env bash
# Writes testdata/formats: captures of testdata/ in other formats, by the tools of the packages tshark and tcpdump.
# Each is named SOURCE.WHAT.pcap or .pcapng, and shows the same mails as its source.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly OUT=formats
mkdir -p "$OUT"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

readonly SMALL=opensmtpd-plain
for format in nsecpcap modpcap rh6_1pcap suse6_3pcap nokiapcap; do
  editcap -F "$format" "$SMALL.pcap" "$OUT/$SMALL.editcap-$format.pcap"
done
editcap -F pcapng "$SMALL.pcap" "$OUT/$SMALL.editcap-pcapng.pcapng"

# Comments of the section and of packets; a Decryption Secrets Block.
printf 'CLIENT_RANDOM %064d %096d\n' 1 2 >"$scratch/keys"
editcap -F pcapng --capture-comment 'a mirror port' -a 2:'the second packet' -a '5:the fifth packet' \
  --inject-secrets "tls,$scratch/keys" "$SMALL.pcap" "$OUT/$SMALL.editcap-comments.pcapng"

# What a client and a server recorded, in one file with two interfaces; and one behind the other, put in order again.
tcpdump -r "$SMALL.pcap" -w "$scratch/client.pcap" 'tcp dst port 25' 2>/dev/null
tcpdump -r "$SMALL.pcap" -w "$scratch/server.pcap" 'tcp src port 25' 2>/dev/null
mergecap -I none -w "$OUT/$SMALL.mergecap.pcapng" "$scratch/client.pcap" "$scratch/server.pcap"
mergecap -a -w "$scratch/behind.pcapng" "$scratch/client.pcap" "$scratch/server.pcap"
reordercap "$scratch/behind.pcapng" "$OUT/$SMALL.reordercap.pcapng"

# Through a hex dump with times; with TCP, tshark would dump the reassembled message, too.
tshark -r "$SMALL.pcap" -T fields -e frame.time_epoch >"$scratch/times" 2>/dev/null
tshark -r "$SMALL.pcap" --disable-protocol tcp -x 2>/dev/null |
  awk -v times="$scratch/times" '/^0000 /{getline time < times; print substr(time, 1, 17)} {print}' >"$scratch/dump"
text2pcap -q -t '%s.%f' "$scratch/dump" "$OUT/$SMALL.text2pcap.pcapng"

# By tcpdump: nanoseconds, and pcap out of pcapng.
tcpdump -r exim-nanosecond.pcap --time-stamp-precision=nano -w "$OUT/exim-nanosecond.tcpdump.pcap" 2>/dev/null
tcpdump -r quickstart.pcapng --time-stamp-precision=nano -w "$scratch/quickstart.pcap" 2>/dev/null
editcap -F pcapng -c 60 "$scratch/quickstart.pcap" "$scratch/part.pcapng"
# Sections one behind the other, as cat makes them of rotated files.
cat "$scratch"/part_*.pcapng >"$OUT/quickstart.sections.pcapng"
