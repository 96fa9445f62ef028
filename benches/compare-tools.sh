#!/usr/bin/env bash
# compare-tools.sh FILE [PROGRAM] runs PROGRAM and those of tshark, tcpflow, Zeek and Suricata that are installed over the same
# capture, RUNS times each (3 unless set), in turn, and prints medians of seconds, and how often PROGRAM's `features` fits
# into each. What is not installed is left out. Output goes to a scratch folder or to nowhere.
set -euo pipefail
export LC_ALL=C

[ $# -ge 1 ] || { echo "usage: compare-tools.sh FILE [PROGRAM]" >&2; exit 2; }
file=$(realpath "$1")
program=$(realpath "${2:-$(dirname "$0")/../target/release/smtpscope}")
runs=${RUNS:-3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

declare -A commands
names=()
add() { names+=("$1"); commands[$1]=$2; }

add features "'$program' features '$file' > /dev/null"
add summary "'$program' summary '$file' > /dev/null"
if command -v tshark > /dev/null; then
  # The fields of a dialogue, and of the message behind it.
  fields="-e frame.time_epoch -e ip.src -e tcp.srcport -e ip.dst -e tcp.dstport -e tcp.stream -e smtp.req.command"
  fields="$fields -e smtp.req.parameter -e smtp.response.code -e smtp.rsp.parameter -e imf.from -e imf.to -e imf.subject"
  fields="$fields -e imf.date -e imf.message_id"
  add tshark-fields "tshark -n -r '$file' -Y 'smtp || imf' -T fields $fields > /dev/null 2>&1"
  add tshark-json "tshark -n -r '$file' -Y 'smtp || imf' -T json -J 'smtp imf' > /dev/null 2>&1"
fi
if command -v tcpflow > /dev/null; then
  # Reassembly into files alone; it knows nothing of mail.
  add tcpflow "tcpflow -r '$file' -o '$scratch/tcpflow' > /dev/null 2>&1; rm -rf '$scratch/tcpflow'"
fi
if command -v zeek > /dev/null; then
  add zeek "mkdir -p '$scratch/zeek' && cd '$scratch/zeek' && zeek -C -r '$file' > /dev/null 2>&1"
fi
if command -v suricata > /dev/null; then
  add suricata "mkdir -p '$scratch/suricata' && suricata -r '$file' -l '$scratch/suricata' -k none > /dev/null 2>&1"
fi

# Once unmeasured, so that none has to wait for the disk.
cat "$file" > /dev/null
for run in $(seq "$runs"); do
  for name in "${names[@]}"; do
    begin=$(date +%s.%N)
    bash -c "${commands[$name]}" || echo "$name: ended with $?" >&2
    end=$(date +%s.%N)
    echo "$end $begin" | awk '{ printf "%.3f\n", $1 - $2 }' >> "$scratch/$name.seconds"
  done
done

median() { sort -n "$scratch/$1.seconds" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
ours=$(median features)
printf '%s, %s octets, median of %s runs\n\n' "$(basename "$file")" "$(stat -c %s "$file")" "$runs"
printf '| program | s | times features |\n|---|---|---|\n'
for name in "${names[@]}"; do
  seconds=$(median "$name")
  printf '| %s | %s | %s |\n' "$name" "$seconds" "$(awk "BEGIN { printf \"%.1f\", $seconds / $ours }")"
done
