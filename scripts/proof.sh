#!/usr/bin/env bash
# What slices promise, measured: each figure with its target next to it. Takes about ten minutes.
#
#   ./scripts/proof.sh [PART...]
#
#   equal       A/A: one contender under two labels, 20 runs of 2 s
#   lengths     slices of 20, 50 and 200 ms: the same ratio within their intervals
#   known       two servers that spin for 1,000 and 1,030 us per message, 10 runs of 3 s
#   neighbor    a process that uses the server's CPU for 50 ms of every 150 ms
#   precision   half-widths of the ratios of rep, router and grpc, 24 clients, 4 s each
#   overhead    CPU time per message in slices over that of the same contender alone
#   experiment  duration of throughput.sh and half-width of its curve ratios
#
# A benchmark, not a test: missed targets do not change the exit status. Run nothing else meanwhile.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

main() {
    build
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    printf '%-58s %22s %16s\n' 'what' 'measured' 'target'
    local part
    for part in "${@:-equal lengths known neighbor precision overhead experiment}"; do
        for part in $part; do "$part"; done
    done
}

show() { # WHAT MEASURED TARGET
    printf '%-58s %22s %16s\n' "$1" "$2" "$3"
}

# Runs a sliced bench into a new directory and sets $dir to it.
slices() { # CONTENDER... FLAG...
    dir=$(mktemp -d "$work/XXXXXX")
    "$echometer" bench "$@" --driver lean --warmup 200ms --csv "$dir/results.csv" --quiet || true
}

# The ratios of a report, one per line: NUMERATOR DENOMINATOR RATIO LOW HIGH VERDICT. None where
# all rows are invalid.
ratios() { # DIR [overall]
    { "$echometer" report "$1" --format json 2>/dev/null || true; } | awk -v part="\"${2:-ratios}\":" '
        $1 == part { inside = !/\[\]/ }
        inside && /^  \]/ { inside = 0 }
        inside {
            gsub(/[",]/, "")
            value[substr($1, 1, length($1) - 1)] = $2
            if ($1 == "verdict:")
                print value["numerator"], value["denominator"], value["ratio"], value["low"],
                    value["high"], $2
        }'
}

# The CPU time that the hypervisor took since boot, in ticks.
stolen() { awk '$1 == "cpu" { print $9 }' /proc/stat; }

equal() {
    local run found=
    for run in $(seq 20); do
        slices rep,label=a rep,label=b --spawn --clients 24 --duration 2s
        found+="$(ratios "$dir")"$'\n'
    done
    show 'A/A: runs of 20 that report a difference' \
        "$(grep -cE 'higher|lower' <<<"$found")" '<= 2'
    show 'A/A: mean ratio' "$(awk 'NF { sum += $3; n++ } END { if (n) printf "%.4f (%d runs)", sum / n, n; else print "none" }' \
        <<<"$found")" '0.985 to 1.015'
}

lengths() {
    local slice
    for slice in 20ms 50ms 200ms; do
        slices rep tcp --spawn --clients 24 --duration 8s --slice "$slice"
        show "rep / tcp in slices of $slice" \
            "$(ratios "$dir" | awk '{ printf "%.3f (%.3f to %.3f)", $3, $4, $5 }')" 'equal'
    done
}

known() {
    local run found= serve="'$echometer' serve tcp --addr {addr} --work"
    for run in $(seq 10); do
        slices "tcp,label=1000us,exec=$serve spin:1000us" "tcp,label=1030us,exec=$serve spin:1030us" \
            --clients 1 --duration 3s
        found+="$(ratios "$dir")"$'\n'
    done
    show 'spin 1,000 / 1,030 us: runs of 10 that detect it' "$(grep -c higher <<<"$found")" '10'
    show 'the same: intervals of 10 that contain 1.03' \
        "$(awk '$4 <= 1.03 && 1.03 <= $5 { n++ } END { print n + 0 }' <<<"$found")" '10'
    show 'the same: ratio, lowest to highest' \
        "$(awk 'NF { print $3 }' <<<"$found" | sort -g | sed -n '1p;$p' | paste -sd' ')" '1.03'
}

neighbor() {
    local pid quiet noisy cpu
    cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
    slices rep router --spawn --clients 24 --duration 4s
    quiet=$(ratios "$dir")
    taskset -c "$cpu" bash -c '
        while :; do
            end=$((${EPOCHREALTIME/./} + 50000))
            while [ "${EPOCHREALTIME/./}" -lt "$end" ]; do :; done
            sleep 0.1
        done' &
    pid=$!
    slices rep router --spawn --clients 24 --duration 4s
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    noisy=$(ratios "$dir")
    show 'rep / router, quiet' "$(awk '{ printf "%.3f (%.3f to %.3f)", $3, $4, $5 }' <<<"$quiet")" ''
    show 'rep / router, next to a noisy neighbor' \
        "$(awk '{ printf "%.3f (%.3f to %.3f)", $3, $4, $5 }' <<<"$noisy")" 'equal'
    show 'the same: slices left out' "$(column "$dir/results.csv" slices_left_out | paste -sd' ')" '> 0'
}

precision() {
    local before=$(stolen)
    slices rep router grpc --spawn --clients 24 --duration 4s
    ratios "$dir" | grep -v null | while read -r a b ratio low high _; do
        show "$a / $b, 24 clients, 4 s each" "$(awk "BEGIN {
            printf \"%.3f ± %.1f %%\", $ratio, ($high - $low) / 2 / $ratio * 100 }")" '± 5 %'
    done
    show 'ticks of 10 ms that the hypervisor took meanwhile' $(($(stolen) - before)) ''
}

# Passes of short windows, in slices and alone in turn, since the machine's speed drifts. Windows
# alone that steal disturbed are dropped, as slices are.
overhead() {
    local pass system
    for pass in $(seq 16); do
        slices rep router grpc --spawn --clients 24 --duration 300ms
        for system in rep router grpc; do
            "$echometer" bench "$system" --spawn --clients 24 --driver lean --duration 300ms \
                --warmup 200ms --csv "$dir/alone.csv" --quiet || true
            paste -d' ' <(of "$dir/results.csv" "$system") <(of "$dir/alone.csv" "$system") |
                awk 'NF == 4 && $4 < 0.02 { print log($1 / $3) }' >>"$work/overhead-$system"
        done
    done
    for system in rep router grpc; do
        show "$system: CPU per message, in slices / alone" "$(awk '
            { sum += $1; squares += $1 * $1; n++ }
            END {
                if (n < 2) { print "none"; exit }
                mean = sum / n
                error = sqrt((squares - n * mean * mean) / (n - 1) / n)
                printf "%.3f ± %.3f (%d)", exp(mean), exp(mean) * 1.96 * error, n
            }' "$work/overhead-$system")" '0.98 to 1.02'
    done
}

# The server's CPU time per message of a system, and the share of its CPUs that was stolen, one
# row per line.
of() { # FILE SYSTEM
    paste -d' ' <(column "$1" system) <(column "$1" server_cpu_us_per_msg) \
        <(column "$1" server_cpus_stolen) |
        awk -v name="$2" '$1 == name { print $2, $3 }'
}

experiment() {
    local since=$SECONDS
    ECHOMETER=$echometer OUT=$work/experiment "$root/scripts/throughput.sh" >"$work/out.txt" 2>&1 || true
    show 'throughput.sh with its defaults, s' $((SECONDS - since)) '<= 150'
    ratios "$work/experiment" overall | while read -r a b ratio low high _; do
        show "$a / $b, whole curve" "$(awk "BEGIN {
            printf \"%.3f ± %.1f %%\", $ratio, ($high - $low) / 2 / $ratio * 100 }")" '± 2 %'
    done
    head -n 1 "$work/out.txt" | fold -s -w 96
}

main "$@"
