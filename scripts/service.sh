#!/usr/bin/env bash
# From which service time on a pool of workers pays off: handlers that use the CPU, and handlers
# that wait.
#
#   ./scripts/service.sh
#   SERVER_CPUS=all ./scripts/service.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   WORKS        what the handler does           none, spin and sleep of 10us, 100us and 1ms
#   SYSTEMS      systems to compare              rep router grpc grpc-stream tcp
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   TRIALS       passes over all points          7
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     counted time of each contender  500ms
#   WARMUP       time under load before that     200ms
#   OUT          directory of the results        results/<date and time>-service
set -euo pipefail
source "$(dirname "$0")/lib.sh"

WORKS=${WORKS:-none spin:10us spin:100us spin:1ms sleep:10us sleep:100us sleep:1ms}
SYSTEMS=${SYSTEMS:-rep router grpc grpc-stream tcp}
TUNING=${TUNING:-default}
CLIENTS=${CLIENTS:-24}
TRIALS=${TRIALS:-7}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-500ms}
WARMUP=${WARMUP:-200ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-service}

points() {
    local work
    for work in $WORKS; do
        echo "$(contenders) --clients $CLIENTS --work $work"
    done | shuf
}

begin WORKS SYSTEMS TUNING CLIENTS TRIALS DRIVER SERVER_CPUS DURATION WARMUP
sweep points
finish
