#!/usr/bin/env bash
# Latency at a given rate: of each system 50, 70 and 90 % of its peak, which is what it carries
# of CLIENTS clients in a closed loop, with arrivals that do not wait for replies.
#
#   ./scripts/latency.sh
#   OUT=results/2026-01-31-1200 ./scripts/latency.sh
#
# First the peak of each system, as often as OUT does not have it yet: from a finished
# throughput.sh it is taken if that has so many clients. Then each share of it. hgrm/ has a file of
# percentiles for each, which HdrHistogram's plotters read.
#
# Ctrl-C ends it; run again with the same OUT, it goes on where it stopped.
#
#   SHARES       per cent of the peak            50 70 90
#   SYSTEMS      what to compare                 rep router grpc grpc-stream tcp
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   ARRIVALS     constant or poisson             poisson
#   TRIALS       passes over all points          3
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     the window of one point         3s
#   WARMUP       before the window               500ms
#   OUT          the directory of the results    results/<date and time>-latency
set -euo pipefail
source "$(dirname "$0")/lib.sh"

SHARES=${SHARES:-50 70 90}
SYSTEMS=${SYSTEMS:-rep router grpc grpc-stream tcp}
TUNING=${TUNING:-default}
CLIENTS=${CLIENTS:-24}
ARRIVALS=${ARRIVALS:-poisson}
TRIALS=${TRIALS:-3}
DRIVER=${DRIVER:-lean}
SERVER_CPUS=${SERVER_CPUS:-auto}
DURATION=${DURATION:-3s}
WARMUP=${WARMUP:-500ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-latency}

# The throughputs that are known of a system's peak, one a line.
known() { # SYSTEM TUNING
    [ -s "$rows" ] || return 0
    paste -d, <(column "$rows" system) <(column "$rows" tuning) <(column "$rows" driver) \
        <(column "$rows" clients) <(column "$rows" valid) <(column "$rows" rate_per_s) \
        <(column "$rows" think_us) <(column "$rows" throughput_per_s) \
        <(column "$rows" server_cpus_asked) |
        awk -F, -v wanted="$1,$2,$DRIVER,$CLIENTS,true" -v cpus="$SERVER_CPUS" '
            # A list of CPUs can be written in several ways.
            function kind(cpus) { return cpus ~ /^(auto|all)$/ ? cpus : "list" }
            $1 "," $2 "," $3 "," $4 "," $5 == wanted && $6 == "" && $7 == 0 &&
                kind($9) == kind(cpus) { print $8 }'
}

peaks() {
    local system tuning
    for system in $SYSTEMS; do
        for tuning in $TUNING; do
            [ "$(known "$system" "$tuning" | wc -l)" -ge "$trial" ] ||
                echo "$system --clients $CLIENTS --tuning $tuning"
        done
    done | shuf
}

paced() {
    local system tuning share rate
    for system in $SYSTEMS; do
        for tuning in $TUNING; do
            for share in $SHARES; do
                # None where the peak has failed.
                rate=$(known "$system" "$tuning" | awk -v share="$share" \
                    '{ sum += $1 } END { if (NR) printf "%.0f", sum / NR * share / 100 }')
                [ -z "$rate" ] || echo "$system --clients $CLIENTS --tuning $tuning" \
                    "--rate $rate --arrivals $ARRIVALS"
            done
        done
    done | shuf
}

begin SHARES SYSTEMS TUNING CLIENTS ARRIVALS TRIALS DRIVER SERVER_CPUS DURATION WARMUP
# In a directory of rows that are there already, run.json then has both commands.
run=${run%-latency}-latency
sweep peaks
hgrm=$OUT/hgrm
mkdir -p "$hgrm"
sweep paced
finish
