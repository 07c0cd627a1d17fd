#!/usr/bin/env bash
# Latency at a given rate: 50, 70 and 90 % of each system's peak, with arrivals that do not wait
# for replies. The peak is what the system delivers to CLIENTS clients in a closed loop.
#
#   ./scripts/latency.sh
#   OUT=results/2026-01-31-1200 ./scripts/latency.sh
#
# Each pass measures the peak of a system and then, in the same minutes, the shares of that very
# peak, because the speed of a virtual machine drifts. hgrm/ gets a file of percentiles for each
# paced point, which the plotters of HdrHistogram read; histograms.csv has those of all rows.
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

# The last valid peak of a contender in a pass, in messages per second; nothing if there is none.
peak() { # TRIAL SYSTEM TUNING
    [ -s "$rows" ] || return 0
    paste -d, <(column "$rows" trial) <(column "$rows" system) <(column "$rows" tuning) \
        <(column "$rows" driver) <(column "$rows" clients) <(column "$rows" valid) \
        <(column "$rows" rate_per_s) <(column "$rows" throughput_per_s) |
        awk -F, -v wanted="$1,$2,$3,$DRIVER,$CLIENTS,true," '
            $1 "," $2 "," $3 "," $4 "," $5 "," $6 "," $7 == wanted { last = $8 }
            END { if (last) print last }'
}

# Measures a point, unless it is finished already.
measure_new() { # TRIAL POINT
    if grep -qxF -- "$1 $2" <<<"$known"; then
        planned=$((planned - 1))
        return
    fi
    measure "$1" "$2" || failed=$((failed + 1))
    measured=$((measured + 1))
    progress "$2" "$measured" "$planned" $((SECONDS - since))
}

# Measures the peak of a contender, and then its shares in random order.
peak_and_shares() { # TRIAL SYSTEM TUNING
    local contender=$2 share top
    [ "$3" = default ] || contender+=",tuning=$3"
    hgrm=
    measure_new "$1" "$contender --clients $CLIENTS"
    top=$(peak "$1" "$2" "$3")
    if [ -z "$top" ]; then
        echo "no peak of $contender in pass $1, so its shares are not measured" >&2
        return
    fi
    hgrm=$OUT/hgrm
    mkdir -p "$hgrm"
    for share in $(shuf -e $SHARES); do
        measure_new "$1" "$contender --clients $CLIENTS --rate $(awk -v top="$top" \
            -v share="$share" 'BEGIN { printf "%.0f", top * share / 100 }') --arrivals $ARRIVALS"
    done
}

begin SHARES SYSTEMS TUNING CLIENTS ARRIVALS TRIALS DRIVER SERVER_CPUS DURATION WARMUP
# If the rows were there before, run.json then has both commands.
run=${run%-latency}-latency
known=$(finished)
measured=0
since=$SECONDS
shares=($SHARES)
pairs=()
for system in $SYSTEMS; do
    for tuning in $TUNING; do pairs+=("$system $tuning"); done
done
planned=$((TRIALS * ${#pairs[@]} * (1 + ${#shares[@]})))
for trial in $(seq "$TRIALS"); do
    while read -r system tuning <&3; do
        peak_and_shares "$trial" "$system" "$tuning"
    done 3< <(printf '%s\n' "${pairs[@]}" | shuf)
done
finish
