#!/usr/bin/env bash
# Clients that pause after each reply, as behind a network: throughput then rises with their
# number and levels off, as it does between machines.
#
#   ./scripts/think.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   THINKS       think times                     0 300us 1ms
#   COUNTS       numbers of clients              1 2 4 8 12 16 20 24
#   SYSTEMS      systems to compare              rep router grpc
#   TUNING       default, throughput, or both    default
#   TRIALS       passes over all points          5
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     counted time of each contender  500ms
#   WARMUP       time under load before that     200ms
#   OUT          directory of the results        results/<date and time>-think
set -euo pipefail
source "$(dirname "$0")/lib.sh"

THINKS=${THINKS:-0 300us 1ms}
COUNTS=${COUNTS:-1 2 4 8 12 16 20 24}
SYSTEMS=${SYSTEMS:-rep router grpc}
TUNING=${TUNING:-default}
TRIALS=${TRIALS:-5}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-500ms}
WARMUP=${WARMUP:-200ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-think}

points() {
    local think clients
    for think in $THINKS; do
        for clients in $COUNTS; do
            echo "$(contenders) --clients $clients --think $think"
        done
    done | shuf
}

begin THINKS COUNTS SYSTEMS TUNING TRIALS DRIVER SERVER_CPUS DURATION WARMUP
sweep points
finish
