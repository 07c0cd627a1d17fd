#!/usr/bin/env bash
# Measures the project's performance targets and prints each figure next to its target: first the
# precision of slices (proof.sh), then speed.
#
#   ./scripts/speed.sh
#
# A benchmark, not a test: missed targets do not change the exit status. Absolute speeds drift, so
# ratios to tcp are computed within each pass over all systems, and their median is printed.
#
#   PASSES    11     number of passes: many short ones are more precise than few long ones
#   DURATION  700ms  window of one point
set -euo pipefail
source "$(dirname "$0")/lib.sh"

PASSES=${PASSES:-11}
DURATION=${DURATION:-700ms}

main() {
    build
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    ECHOMETER=$echometer "$root/scripts/proof.sh"
    printf '\n%-58s %10s %10s\n' 'what' 'measured' 'target'
    measure
    clients
    servers
    many
    bare_loop
    against_h2load
    native
    memory
    own_code
    measuring
}

# All points of the comparisons at 24 clients, in passes, so that drift affects all of them alike.
measure() {
    for pass in $(seq "$PASSES"); do
        for point in $(shuf -e {tcp,rep,router,grpc}:{native:default,lean:default,lean:throughput} \
            grpc:native:throughput); do
            IFS=: read -r system driver tuning <<<"$point"
            bench "$system" 24 "$work/$driver-$tuning.csv" --trial "$pass" \
                --driver "$driver" --tuning "$tuning"
        done
        bench rep 4000 "$work/many.csv" --trial "$pass" --driver lean --tuning throughput
    done
}

# The CPU time of the lean driver, and whether it is the bound.
clients() {
    local column=client_cpu_us_per_msg
    show 'CPU per message of lean / native clients, rep' \
        "$(ratio "$column" lean-default rep native-default rep)" '<= 0.50'
    show 'the same, grpc' "$(ratio "$column" lean-default grpc native-default grpc)" '<= 0.35'
    show 'the same, grpc, tuned' \
        "$(ratio "$column" lean-throughput grpc native-throughput grpc)" '<= 0.35'
    for system in rep router grpc; do
        show "$system under lean: busy of the clients" \
            "$(values "$work/lean-default.csv" "$system" client_busy | median)" '<= 0.85'
        printf '%-58s %10s %10s\n' "$system under lean: bound" \
            "$(values "$work/lean-default.csv" "$system" bound | sort -u | paste -sd/)" server
    done
}

# What the servers carry, over the baseline, with the lean driver.
servers() {
    local column=throughput_per_s base="lean-default tcp"
    show 'rep / tcp' "$(ratio "$column" lean-default rep $base)" '>= 0.58'
    show 'rep, tuned / tcp' "$(ratio "$column" lean-throughput rep $base)" '>= 0.85'
    show 'router / tcp' "$(ratio "$column" lean-default router $base)" '>= 0.36'
    show 'router, tuned / tcp' "$(ratio "$column" lean-throughput router $base)" '>= 0.50'
    show 'grpc, tuned / grpc' \
        "$(ratio "$column" lean-throughput grpc lean-default grpc)" '>= 1.25'
    show 'grpc, tuned / tcp' "$(ratio "$column" lean-throughput grpc $base)" '>= 0.50'
}

many() {
    show 'rep, tuned: 4,000 / 24 clients' \
        "$(ratio throughput_per_s many rep lean-throughput rep)" '>= 0.60'
}

bare_loop() {
    local carried
    carried=$(PASSES=$(((PASSES + 5) / 6 * 6)) bench_of bare_epoll)
    show 'tcp, tuned / a bare epoll echo loop' "$(field throughput <<<"$carried")" '>= 0.70'
    show 'tcp, a thread per connection / the same' "$(field default <<<"$carried")" '>= 0.70'
}

# What a benchmark prints; `failed` where it does not.
bench_of() { # NAME
    (cd "$root" && cargo bench --locked --bench "$1" 2>/dev/null) || echo failed
}

# The value behind a name; `failed` where it is not there.
field() { # NAME
    awk -v name="$1" '$1 == name { value = $2 } END { print value == "" ? "failed" : value }'
}

# The clients' CPU per request on one grpc server, lean and h2load taking turns.
against_h2load() {
    if ! command -v h2load >/dev/null; then
        printf '%-58s %10s %10s\n' 'lean / h2load, CPU per request on grpc' \
            'no h2load' '<= 0.80'
        return
    fi
    local address pid requests=30000
    # A gRPC frame: not compressed, its length, and a BasicMessage of "h2load" with 64 bytes.
    printf '\x00\x00\x00\x00\x4a\x0a\x06h2load\x12\x40%s' "$(printf 'x%.0s' {1..64})" >"$work/request"
    for _ in $(seq "$PASSES"); do
        coproc SERVER { exec taskset -c "$(first_cpu)" "$echometer" serve grpc --addr 127.0.0.1:0 2>/dev/null; }
        pid=$SERVER_PID
        read -r _ address <&"${SERVER[0]}"
        taskset -c "$(other_cpus)" "$echometer" bench grpc --addr "$address" --clients 24 --driver lean \
            --duration "$DURATION" --warmup 500ms --csv "$work/lean-h2.csv" --quiet
        TIMEFORMAT='%U %S'
        { time taskset -c "$(other_cpus)" h2load -c 24 -m 1 -n "$requests" -d "$work/request" \
            -H 'content-type: application/grpc' -H 'te: trailers' \
            "http://$address/msg.Hello/Respond" >"$work/h2load.txt"; } 2>"$work/time.txt"
        grep -q "$requests succeeded" "$work/h2load.txt" || echo "speed: requests of h2load failed" >&2
        awk -v n="$requests" '{ print ($1 + $2) * 1e6 / n }' "$work/time.txt" >>"$work/h2load.us"
        kill "$pid"
        wait "$pid" 2>/dev/null || true
    done
    show 'lean / h2load, CPU per request on grpc' "$(paste -d' ' \
        <(values "$work/lean-h2.csv" grpc client_cpu_us_per_msg) "$work/h2load.us" |
        awk '{ print $1 / $2 }' | median)" '<= 0.80'
}

first_cpu() { taskset -cp $$ | sed 's/.*: //; s/[-,].*//'; }

# All but the first; the first, where there is no other.
other_cpus() {
    local all
    all=$(nproc)
    [ "$all" -gt 1 ] && echo "$(($(first_cpu) + 1))-$(($(first_cpu) + all - 1))" || first_cpu
}

# The frameworks' own clients, which are the bound on a small machine.
native() {
    for system in rep router grpc; do
        local target='>= 0.55'
        [ "$system" = router ] && target='>= 0.38'
        [ "$system" = grpc ] && target='>= 0.33'
        show "$system / tcp, native clients" \
            "$(ratio throughput_per_s native-default "$system" native-default tcp)" "$target"
    done
}

# Resident memory of the servers.
memory() {
    for system in tcp rep router grpc; do
        bench "$system" 1000 "$work/1000.csv"
        show "$system, memory, 24 clients (MiB)" \
            "$(memory_of "$work/native-default.csv" "$system")" '<= 32'
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
        "$(values "$work/native-default.csv" rep server_cpu_us_per_msg | median | awk "{ print $own / 1000 / \$1 }")" '<= 0.05'
}

# What it costs to measure: a trial over clients that only count, 10 pairs.
measuring() {
    for system in tcp rep; do
        show "$system, throughput measured / only counted" \
            "$(SYSTEM=$system bench_of measuring)" '>= 0.98'
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

# The median over the passes of a column of one system over that of another.
ratio() { # COLUMN FILE SYSTEM FILE SYSTEM
    paste -d' ' <(values "$work/$2.csv" "$3" "$1") <(values "$work/$4.csv" "$5" "$1") |
        awk '{ print $1 / $2 }' | median
}

memory_of() { # FILE SYSTEM
    values "$1" "$2" server_rss_mib | sort -n | tail -n 1
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

show() { # WHAT MEASURED TARGET
    local measured=$2
    [ "$measured" = failed ] || measured=$(printf '%.3f' "$measured")
    printf '%-58s %10s %10s\n' "$1" "$measured" "$3"
}

main
