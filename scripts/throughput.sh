#!/usr/bin/env bash
# The main experiment: the throughput of echo servers over the number of concurrent clients. For
# each number of clients, all contenders take turns in slices of 20 ms.
#
#   ./scripts/throughput.sh
#   COUNTS="1 4 8 16 24" TRIALS=3 DURATION=2s ./scripts/throughput.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   COUNTS       numbers of clients                1 to 24
#   SYSTEMS      systems to compare                rep router grpc
#   TUNING       default, throughput, or both      default
#   CONTENDERS   further contenders, one per line, as in grpc,label=mine,exec=./server {addr}
#   TRIALS       passes over all points            1
#   DRIVER       native or lean                    lean
#   SERVER_CPUS  auto (the first), all, or a list  auto
#   NETWORK      loopback, or veth (needs root)    loopback
#   DURATION     counted time of each contender    900ms
#   WARMUP       time under load before that       100ms
#   OUT          directory of the results          results/<date and time>
set -euo pipefail
source "$(dirname "$0")/lib.sh"

COUNTS=${COUNTS:-$(seq -s ' ' 1 24)}
SYSTEMS=${SYSTEMS-rep router grpc}
TUNING=${TUNING:-default}
CONTENDERS=${CONTENDERS:-}
TRIALS=${TRIALS:-1}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
NETWORK=${NETWORK:-loopback}
DURATION=${DURATION:-900ms}
WARMUP=${WARMUP:-100ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)}
mapfile -t more < <(grep . <<<"$CONTENDERS" || true)

points() {
    local clients network=
    # Part of the point: rows of loopback do not count as measured for veth.
    [ "$NETWORK" = loopback ] || network=" --network $NETWORK"
    for clients in $COUNTS; do
        echo "$(contenders) --clients $clients$network"
    done
}

begin COUNTS SYSTEMS TUNING CONTENDERS TRIALS DRIVER SERVER_CPUS NETWORK DURATION WARMUP
sweep points
finish
