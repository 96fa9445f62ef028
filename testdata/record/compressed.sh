#!/usr/bin/env bash
# Compresses postfix-plain.pcap with the programs people use, in the shapes they leave behind: gzip, pigz, zstd, pzstd,
# lz4, xz and bzip2, as packaged by Debian (gzip pigz zstd lz4 xz-utils bzip2).
set -euo pipefail
cd "$(dirname "$0")/.."
readonly capture=postfix-plain.pcap to=compressed
mkdir -p "$to"

# The capture in two pieces, cut in the middle of a record, each compressed on its own.
two() { # program, its options
  head -c 1001 "$capture" | "$@"
  tail -c +1002 "$capture" | "$@"
}

gzip -9nc "$capture" >"$to/gzip"
two gzip -nc >"$to/gzip-two-members"
pigz -9nc "$capture" >"$to/pigz"
zstd -19 -qc "$capture" >"$to/zstd"
two zstd -qc >"$to/zstd-two-frames"
# A frame to be skipped stands before each frame.
pzstd -p 2 -qc "$capture" >"$to/pzstd"
lz4 -9 -qc "$capture" >"$to/lz4"
two lz4 -BD --content-size -qc >"$to/lz4-two-frames"
xz -9c "$capture" >"$to/xz"
# Stream Padding (The .xz File Format, section 2.2) between two streams.
{ head -c 1001 "$capture" | xz -c; head -c 8 /dev/zero; tail -c +1002 "$capture" | xz -C crc32 -c; } >"$to/xz-two-streams"
bzip2 -c "$capture" >"$to/bzip2"
two bzip2 -c >"$to/bzip2-two-streams"
