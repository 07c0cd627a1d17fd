#!/usr/bin/env bash
# Latency at a given rate: 50, 70 and 90 % of each system's peak, with arrivals that do not wait
# for replies. The peak is what the system delivers to CLIENTS clients in a closed loop.
#
#   ./scripts/latency.sh
#   OUT=results/2026-01-31-1200 ./scripts/latency.sh
#
# First it measures the peaks, unless OUT has them already, as after throughput.sh with that many
# clients; then each share of them. hgrm/ gets a file of percentiles for each point, which the
# plotters of HdrHistogram read.
#
# Ctrl-C ends it; run again with the same OUT, it continues where it stopped.
#
#   SHARES       percent of the peak             50 70 90
#   SYSTEMS      systems to compare              rep router grpc grpc-stream tcp
#   TUNING       default, throughput, or both    default
#   CLIENTS      concurrent clients              24
#   ARRIVALS     constant or poisson             poisson
#   TRIALS       passes over all points          3
#   DRIVER       native or lean                  lean
#   SERVER_CPUS  auto (the first), all, a list   auto
#   DURATION     the window of one point         3s
#   WARMUP       time under load before that     500ms
#   OUT          directory of the results        results/<date and time>-latency
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

# The known peaks of a system, one throughput per line.
known() { # SYSTEM TUNING
    [ -s "$rows" ] || return 0
    paste -d, <(column "$rows" system) <(column "$rows" tuning) <(column "$rows" driver) \
        <(column "$rows" clients) <(column "$rows" valid) <(column "$rows" rate_per_s) \
        <(column "$rows" think_us) <(column "$rows" throughput_per_s) |
        awk -F, -v wanted="$1,$2,$DRIVER,$CLIENTS,true" '
            $1 "," $2 "," $3 "," $4 "," $5 == wanted && $6 == "" && $7 == 0 { print $8 }'
}

peaks() {
    local system tuning
    for system in $SYSTEMS; do
        for tuning in $TUNING; do
            [ "$(known "$system" "$tuning" | wc -l)" -ge "$trial" ] || {
                echo "$(contenders) --clients $CLIENTS"
                return
            }
        done
    done
}

paced() {
    local system tuning share rate
    for system in $SYSTEMS; do
        for tuning in $TUNING; do
            for share in $SHARES; do
                # None if the peak could not be measured.
                rate=$(known "$system" "$tuning" | awk -v share="$share" \
                    '{ sum += $1 } END { if (NR) printf "%.0f", sum / NR * share / 100 }')
                [ -z "$rate" ] || echo "$system --clients $CLIENTS --tuning $tuning" \
                    "--rate $rate --arrivals $ARRIVALS"
            done
        done
    done | shuf
}

begin SHARES SYSTEMS TUNING CLIENTS ARRIVALS TRIALS DRIVER SERVER_CPUS DURATION WARMUP
# If the rows were there before, run.json then has both commands.
run=${run%-latency}-latency
sweep peaks
hgrm=$OUT/hgrm
mkdir -p "$hgrm"
sweep paced
finish
