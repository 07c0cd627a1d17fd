#!/usr/bin/env bash
# The experiment: the throughput of echo servers over the number of concurrent clients.
#
#   ./scripts/throughput.sh
#   COUNTS="1 4 8 16 24" TRIALS=3 DURATION=2s ./scripts/throughput.sh
#
# One call of the program a point, one row a call. Ctrl-C ends it; run again with the same
# OUT, it goes on where it stopped. Points that failed are then measured again.
#
#   COUNTS    numbers of clients              1 to 24
#   SYSTEMS   what to compare                 rep router grpc
#   TRIALS    passes over all points          1
#   DRIVER    native or lean                  native
#   TUNING    default, throughput, or both    default
#   DURATION  the window of one point         1s
#   WARMUP    before the window               250ms
#   OUT       the directory of the results    results/<date and time>
set -euo pipefail
source "$(dirname "$0")/lib.sh"

COUNTS=${COUNTS:-$(seq -s ' ' 1 24)}
SYSTEMS=${SYSTEMS:-rep router grpc}
TRIALS=${TRIALS:-1}
DRIVER=${DRIVER:-native}
TUNING=${TUNING:-default}
DURATION=${DURATION:-1s}
WARMUP=${WARMUP:-250ms}
OUT=${OUT:-$root/results/$(date +%Y-%m-%d-%H%M%S)}
rows=$OUT/results.csv

# What run.json says of how to do all this again.
again=$(printf 'COUNTS="%s" SYSTEMS="%s" TRIALS=%s DRIVER=%s TUNING="%s" ' \
    "$COUNTS" "$SYSTEMS" "$TRIALS" "$DRIVER" "$TUNING")
again+="DURATION=$DURATION WARMUP=$WARMUP ./scripts/throughput.sh"

main() {
    build
    mkdir -p "$OUT"
    trap 'stopped' INT TERM
    local point=0 measured=0 failed=0 begun=$SECONDS
    local each points
    each=$(for system in $SYSTEMS; do printf "$system:%s " $TUNING; done)
    points=$((TRIALS * $(wc -w <<<"$COUNTS") * $(wc -w <<<"$each")))

    # A machine whose speed drifts hits all systems alike: they take turns, in an order
    # that changes, and whole passes are repeated.
    for trial in $(seq "$TRIALS"); do
        for clients in $COUNTS; do
            for one in $(shuf -e $each); do
                local system=${one%:*} tuning=${one#*:}
                point=$((point + 1))
                is_measured "$trial" "$system" "$clients" "$tuning" && continue
                measure "$trial" "$system" "$clients" "$tuning" || failed=$((failed + 1))
                measured=$((measured + 1))
                tell
            done
        done
    done

    "$echometer" report "$OUT"
    if [ "$failed" -gt 0 ]; then
        echo "$failed points failed; to measure them again: OUT=$OUT $0" >&2
        exit 1
    fi
}

measure() { # TRIAL SYSTEM CLIENTS TUNING
    local before status=0
    count_rows
    before=$count
    "$echometer" bench "$2" --spawn --clients "$3" --trial "$1" --run-id "$(basename "$OUT")" \
        --run-command "$again" --driver "$DRIVER" --tuning "$4" \
        --duration "$DURATION" --warmup "$WARMUP" \
        --csv "$rows" --results "$OUT/clients.jsonl" --quiet || status=$?
    [ "$status" -eq 130 ] && stopped
    # It has said what is wrong; without a row, the next point would say the same.
    count_rows
    [ "$count" -gt "$before" ] || exit "$status"
    return "$status"
}

# Whether there is a valid row of this point.
is_measured() { # TRIAL SYSTEM CLIENTS TUNING
    [ -s "$rows" ] &&
        paste -d' ' <(column "$rows" trial) <(column "$rows" system) \
            <(column "$rows" clients) <(column "$rows" tuning) <(column "$rows" valid) |
        grep -qx "$1 $2 $3 $4 true"
}

# Sets $count, in this very shell: a Ctrl-C reaches every process, and would end one that
# counts in the middle.
count_rows() {
    local lines=()
    [ ! -e "$rows" ] || mapfile -t lines <"$rows"
    count=${#lines[@]}
}

tell() {
    local rate plural=s left=$(((SECONDS - begun) * (points - point) / measured))
    [ "$clients" -eq 1 ] && plural=
    rate=$(column "$rows" throughput_per_s | tail -n 1)
    printf '[%d/%d] %s, %d client%s: %.0f msg/s (%d s left)\n' \
        "$point" "$points" "$system" "$clients" "$plural" "$rate" "$left" >&2
}

stopped() {
    echo "stopped; what was measured is in $OUT; to go on: OUT=$OUT $0" >&2
    exit 130
}

main
