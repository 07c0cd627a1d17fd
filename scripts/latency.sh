#!/usr/bin/env bash
# Latency at a given rate: of each system 50, 70 and 90 % of what it carries at most, with
# arrivals that do not wait for replies.
#
#   ./scripts/latency.sh
#   SYSTEMS="rep grpc" ARRIVALS=poisson DURATION=10s ./scripts/latency.sh
#
# First the peak of each system is measured, in the same run; then each share of it. A file of
# percentiles is left for each, which HdrHistogram's plotters read.
#
#   SYSTEMS   what to measure             rep router grpc tcp
#   SHARES    per cent of the peak        50 70 90
#   CLIENTS   concurrent clients          24
#   ARRIVALS  constant or poisson         poisson
#   DRIVER    native or lean              lean
#   DURATION  the window of one point     3s
#   OUT       the directory of results    results/<date and time>-latency
set -euo pipefail
source "$(dirname "$0")/lib.sh"

SYSTEMS=${SYSTEMS:-rep router grpc tcp}
SHARES=${SHARES:-50 70 90}
CLIENTS=${CLIENTS:-24}
ARRIVALS=${ARRIVALS:-poisson}
DRIVER=${DRIVER:-lean}
DURATION=${DURATION:-3s}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)-latency}

main() {
    build
    mkdir -p "$OUT/peak" "$OUT/paced"
    for system in $SYSTEMS; do
        point "$system" peak
    done
    printf '%-8s %6s %12s %12s %10s %10s %10s %10s\n' \
        system share offered/s sent/s 'p50 (us)' 'p99 (us)' 'p99.9' 'sent: p99'
    for share in $SHARES; do
        for system in $(shuf -e $SYSTEMS); do
            local peak rate
            peak=$(of peak "$system" throughput_per_s)
            rate=$(awk "BEGIN { printf \"%.0f\", $peak * $share / 100 }")
            point "$system" paced --rate "$rate" --arrivals "$ARRIVALS" \
                --hgrm "$OUT/paced/$system-$share.hgrm"
            printf '%-8s %5d%% %12.0f %12.0f %10.1f %10.1f %10.1f %10.1f\n' "$system" "$share" \
                "$rate" "$(of paced "$system" throughput_per_s)" \
                "$(of paced "$system" due_p50_us)" "$(of paced "$system" due_p99_us)" \
                "$(of paced "$system" due_p999_us)" "$(of paced "$system" rtt_p99_us)"
        done
    done
    echo "p50 to p99.9: from when a request was due; 'sent': from when it was sent" >&2
    echo "rows and percentiles: $OUT" >&2
}

point() { # SYSTEM KIND [FLAGS]
    local system=$1 kind=$2
    shift 2
    "$echometer" bench "$system" --spawn --clients "$CLIENTS" --driver "$DRIVER" \
        --duration "$DURATION" --warmup 500ms --run-id "$(basename "$OUT")" \
        --csv "$OUT/$kind/results.csv" --quiet "$@"
}

# The value of a column in the last row of a system.
of() { # KIND SYSTEM COLUMN
    local rows=$OUT/$1/results.csv
    paste -d' ' <(column "$rows" system) <(column "$rows" "$3") |
        awk -v name="$2" '$1 == name { last = $2 } END { print last }'
}

main
