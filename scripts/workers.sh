#!/usr/bin/env bash
# Whether more workers help: a system with a pool of them, over the size of the pool, on one CPU
# and on all.
#
#   ./scripts/workers.sh
#
# Ctrl-C ends it; run again with the same OUT, it goes on where it stopped.
#
#   WORKERS      sizes of the pool               1 2 4 8 16 32 64
#   BACKENDS     from the proxy to the workers   inproc ipc
#   CPUS         the server's: auto is one       auto all
#   SYSTEMS      what has workers                router
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   TRIALS       passes over all points          7
#   DRIVER       native or lean                  lean
#   DURATION     the window of one point         500ms
#   WARMUP       before the window               200ms
#   OUT          the directory of the results    results/<date and time>-workers
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
    local system workers backend tuning cpus
    for system in $SYSTEMS; do
        for workers in $WORKERS; do
            for backend in $BACKENDS; do
                for tuning in $TUNING; do
                    for cpus in $CPUS; do
                        echo "$system --clients $CLIENTS --tuning $tuning" \
                            "--workers $workers --backend $backend --server-cpus $cpus"
                    done
                done
            done
        done
    done | shuf
}

begin WORKERS BACKENDS CPUS SYSTEMS TUNING CLIENTS TRIALS DRIVER DURATION WARMUP
sweep points
finish
