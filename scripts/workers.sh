#!/usr/bin/env bash
# Whether more workers help: a system with a pool of them, over the size of the pool, on one CPU
# and on all.
#
#   ./scripts/workers.sh
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   WORKERS      sizes of the pool               1 2 4 8 16 32 64
#   BACKENDS     transport to the workers        inproc ipc
#   CPUS         CPUs of the server: auto is one auto all
#   SYSTEMS      systems with workers            router
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   TRIALS       passes over all points          7
#   DRIVER       native or lean                  lean
#   DURATION     counted time of each contender  500ms
#   WARMUP       time under load before that     200ms
#   OUT          directory of the results        results/<date and time>-workers
set -euo pipefail
source "$(dirname "$0")/lib.sh"

WORKERS=${WORKERS:-1 2 4 8 16 32 64}
BACKENDS=${BACKENDS:-inproc ipc}
CPUS=${CPUS:-auto all}
SYSTEMS=${SYSTEMS:-router}
TUNING=${TUNING:-default}
CLIENTS=${CLIENTS:-24}
TRIALS=${TRIALS:-7}
DRIVER=${DRIVER:-lean}
DURATION=${DURATION:-500ms}
WARMUP=${WARMUP:-200ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-workers}

points() {
    local workers backend cpus all=
    for backend in $BACKENDS; do
        for workers in $WORKERS; do all+="$(contenders ",workers=$workers,backend=$backend") "; done
    done
    for cpus in $CPUS; do
        echo "$all--clients $CLIENTS --server-cpus $cpus"
    done | shuf
}

begin WORKERS BACKENDS CPUS SYSTEMS TUNING CLIENTS TRIALS DRIVER DURATION WARMUP
sweep points
finish
