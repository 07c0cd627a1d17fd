#!/usr/bin/env bash
# The cost of longer messages: requests and replies of the same size, from 16 B to 1 MiB.
#
#   ./scripts/payload.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   PAYLOADS     bytes, both ways                16 64 256 1KiB 4KiB 16KiB 64KiB 256KiB 1MiB
#   SYSTEMS      systems to compare              rep router grpc grpc-stream tcp
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   TRIALS       passes over all points          7
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     counted time of each contender  500ms
#   WARMUP       time under load before that     200ms
#   OUT          directory of the results        results/<date and time>-payload
set -euo pipefail
source "$(dirname "$0")/lib.sh"

PAYLOADS=${PAYLOADS:-16 64 256 1KiB 4KiB 16KiB 64KiB 256KiB 1MiB}
SYSTEMS=${SYSTEMS:-rep router grpc grpc-stream tcp}
TUNING=${TUNING:-default}
CLIENTS=${CLIENTS:-24}
TRIALS=${TRIALS:-7}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-500ms}
WARMUP=${WARMUP:-200ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-payload}

points() {
    local payload
    for payload in $PAYLOADS; do
        # The limit applies to the whole message, of which the text is a part.
        echo "$(contenders) --clients $CLIENTS" \
            "--payload $payload --reply-payload $payload --max-message 2MiB"
    done | shuf
}

begin PAYLOADS SYSTEMS TUNING CLIENTS TRIALS DRIVER SERVER_CPUS DURATION WARMUP
sweep points
finish
