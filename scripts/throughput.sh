#!/usr/bin/env bash
# The experiment: the throughput of echo servers over the number of concurrent clients.
#
#   ./scripts/throughput.sh
#   COUNTS="1 4 8 16 24" TRIALS=3 DURATION=2s ./scripts/throughput.sh
#
# Ctrl-C ends it; run again with the same OUT, it goes on where it stopped.
#
#   COUNTS       numbers of clients              1 to 24
#   SYSTEMS      what to compare                 rep router grpc
#   TUNING       default, throughput, or both    default
#   TRIALS       passes over all points          1
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     the window of one point         1s
#   WARMUP       before the window               250ms
#   OUT          the directory of the results    results/<date and time>
set -euo pipefail
source "$(dirname "$0")/lib.sh"

COUNTS=${COUNTS:-$(seq -s ' ' 1 24)}
SYSTEMS=${SYSTEMS:-rep router grpc}
TUNING=${TUNING:-default}
TRIALS=${TRIALS:-1}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-1s}
WARMUP=${WARMUP:-250ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)}

points() {
    local clients
    for clients in $COUNTS; do
        for system in $SYSTEMS; do
            printf "$system --clients $clients --tuning %s\n" $TUNING
        done | shuf
    done
}

begin COUNTS SYSTEMS TUNING TRIALS DRIVER SERVER_CPUS DURATION WARMUP
sweep points
finish
