#!/usr/bin/env bash
# The speed that the project promises, measured: each figure with its target beside it.
#
#   ./scripts/speed.sh
#
# A benchmark and no test: it always ends with status 0. Ratios to tcp are taken pass by
# pass, the systems taking turns, and their median is shown; absolute speeds drift.
#
#   PASSES    5      passes over the systems
#   DURATION  2s     the window of one point
set -euo pipefail
source "$(dirname "$0")/lib.sh"

PASSES=${PASSES:-5}
DURATION=${DURATION:-2s}

main() {
    build
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    printf '%-52s %10s %10s\n' 'what' 'measured' 'target'
    throughput
    memory
    own_code
    measuring
}

# Throughput at 24 clients over that of the baseline.
throughput() {
    for pass in $(seq "$PASSES"); do
        for system in $(shuf -e tcp rep router grpc); do
            bench "$system" 24 "$work/24.csv" --trial "$pass"
        done
    done
    show 'rep / tcp, throughput, 24 clients' "$(ratio rep)" '>= 0.55'
    show 'router / tcp' "$(ratio router)" '>= 0.38'
    show 'grpc / tcp' "$(ratio grpc)" '>= 0.33'
}

# Resident memory of the servers.
memory() {
    for system in tcp rep router grpc; do
        bench "$system" 1000 "$work/1000.csv"
        show "$system, memory, 24 clients (MiB)" "$(memory_of "$work/24.csv" "$system")" '<= 32'
        show "$system, memory, 1,000 clients (MiB)" "$(memory_of "$work/1000.csv" "$system")" '<= 160'
    done
}

# What is ours on a message's way through a server: decode, answer, tally, encode.
own_code() {
    local estimates own
    (cd "$root" && cargo bench --locked --bench message -- --noplot '^server$') >"$work/bench.txt" 2>&1
    estimates=$(target_directory)/criterion/server/new/estimates.json
    own=$(sed 's/.*"median":{[^}]*},"point_estimate":\([0-9.]*\).*/\1/' "$estimates")
    show 'our own code per message (us)' "$(awk "BEGIN { print $own / 1000 }")" '<= 1'
    show "the same, over the CPU per message of rep" \
        "$(values "$work/24.csv" rep server_cpu_us_per_msg | median | awk "{ print $own / 1000 / \$1 }")" '<= 0.05'
}

# What it costs to measure: a trial over clients that only count, 9 pairs.
measuring() {
    for system in tcp rep; do
        show "$system, throughput measured / only counted" \
            "$(cd "$root" && SYSTEM=$system cargo bench --locked --bench measuring 2>/dev/null)" '>= 0.98'
    done
}

bench() { # SYSTEM CLIENTS FILE [FLAGS]
    local system=$1 clients=$2 file=$3
    shift 3
    "$echometer" bench "$system" --spawn --clients "$clients" --duration "$DURATION" --warmup 500ms \
        --csv "$file" --quiet "$@"
}

# The values of a column in the rows of a system, in the order of the passes.
values() { # FILE SYSTEM COLUMN
    paste -d' ' <(column "$1" trial) <(column "$1" system) <(column "$1" "$3") |
        sort -n | awk -v name="$2" '$2 == name { print $3 }'
}

ratio() { # SYSTEM
    paste -d' ' <(values "$work/24.csv" "$1" throughput_per_s) <(values "$work/24.csv" tcp throughput_per_s) |
        awk '{ print $1 / $2 }' | median
}

memory_of() { # FILE SYSTEM
    values "$1" "$2" server_rss_mib | sort -n | tail -n 1
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

show() { # WHAT MEASURED TARGET
    printf '%-52s %10.3f %10s\n' "$1" "$2" "$3"
}

main
