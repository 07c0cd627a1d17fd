# Shared by the scripts, which source it. Sets $root, and $echometer once it is built.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Builds the program and sets $echometer. ECHOMETER names a program that is built already.
build() {
    echometer=${ECHOMETER:-}
    [ -n "$echometer" ] && return
    "$root/scripts/setup.sh"
    (cd "$root" && cargo build --release --locked)
    echometer=$(target_directory)/release/echometer
}

# The directory in which cargo builds.
target_directory() {
    (cd "$root" && cargo metadata --format-version 1 --no-deps --locked) |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Prints a column of a file of rows, one value per line. Columns whose text may contain a comma
# come last in a row, so that a plain split is right for the others.
column() { # FILE NAME
    awk -F, -v name="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { print $at }' "$1"
}

# An experiment is a script that takes its settings from the environment, begins with their
# names, and then measures points:
#
#   begin NAME...   builds the program and creates $OUT
#   sweep POINTS    measures what the function POINTS prints, in TRIALS passes
#   finish          writes the report
#
# Their settings are TRIALS, DRIVER, SERVER_CPUS, DURATION, WARMUP and OUT. If $hgrm names a
# directory, a file of percentiles is written there for each point.
#
# POINTS prints the points of one pass in the order in which to measure them, one per line:
# CONTENDER... FLAGS. Each point is one call of the program, which writes one row per contender.
# Several contenders take turns in slices.
#
# The array $more holds further contenders of every point, whose commands may contain spaces.
#
# Ctrl-C ends an experiment. Run again with the same OUT, it continues where it stopped, and
# measures points that failed again.

more=()

begin() { # NAME...
    build
    mkdir -p "$OUT"
    trap stopped INT TERM
    rows=$OUT/results.csv
    # Which lines of the rows belong to which point.
    begun=$OUT/points.txt
    run=$(basename "$OUT")
    failed=0
    # The command in run.json that repeats all of this.
    again=
    local name
    for name in "$@"; do again+="$name=${!name@Q} "; done
    again+="./scripts/$(basename "$0")"
}

sweep() { # POINTS
    local trial line todo=() measured=0 since=$SECONDS known
    known=$(finished)
    for trial in $(seq "$TRIALS"); do
        while read -r line; do
            grep -qxF -- "$trial $line" <<<"$known" || todo+=("$trial $line")
        done < <("$1")
    done
    for line in "${todo[@]}"; do
        measure "${line%% *}" "${line#* }" || failed=$((failed + 1))
        measured=$((measured + 1))
        progress "${line#* }" "$measured" "${#todo[@]}" $((SECONDS - since))
    done
}

finish() {
    "$echometer" report "$OUT"
    if [ "$failed" -gt 0 ]; then
        echo "$failed points failed; to measure them again: OUT=$OUT $0" >&2
        exit 1
    fi
}

# The points whose rows are all valid, one per line: TRIAL POINT.
finished() {
    [ -s "$rows" ] && [ -s "$begun" ] || return 0
    awk '
        NR == FNR { valid[FNR + 1] = $1 == "true"; next }
        {
            all = 1
            for (i = 0; i < $2; i++) all = all && valid[$1 + i]
            first = $1
            sub(/^[0-9]+ [0-9]+ /, "")
            done[$0] = all
        }
        END { for (point in done) if (done[point]) print point }' \
        <(column "$rows" valid) "$begun"
}

# Every combination of a system of $SYSTEMS with a tuning of $TUNING, as contenders on one line.
# Further keys may be given.
contenders() { # [,KEY=VALUE]...
    local system tuning all=()
    for system in $SYSTEMS; do
        for tuning in $TUNING; do
            [ "$tuning" = default ] && all+=("$system$*") || all+=("$system$*,tuning=$tuning")
        done
    done
    echo "${all[*]}"
}

measure() { # TRIAL POINT
    local status=0
    bench_point "$1" "$2" || status=$?
    # A single window during which the hypervisor took CPU time is measured once more.
    if [ "$status" -eq 0 ] && stolen; then
        echo "measuring again: the hypervisor took CPU time away" >&2
        bench_point "$1" "$2" || status=$?
    fi
    return "$status"
}

bench_point() { # TRIAL POINT
    local before also=() status=0 words=() expected=${#more[@]} word
    for word in $2; do
        [[ $word == --* ]] && break
        words+=("$word")
    done
    expected=$((expected + ${#words[@]}))
    [[ $2 == *--server-cpus* ]] || also+=(--server-cpus "$SERVER_CPUS")
    [ -z "${hgrm:-}" ] || also+=(--hgrm "$hgrm/$(tr -s ' ,=' '-' <<<"${2//--/}")-$1.hgrm")
    count_rows
    before=$count
    # A new file begins with its header.
    echo "$((before > 0 ? before + 1 : 2)) $expected $1 $2" >>"$begun"
    "$echometer" bench $2 "${more[@]}" --spawn --trial "$1" --run-id "$run" \
        --run-command "$again" --driver "$DRIVER" --duration "$DURATION" --warmup "$WARMUP" \
        "${also[@]}" --csv "$rows" --results "$OUT/clients.jsonl" --quiet || status=$?
    [ "$status" -eq 130 ] && stopped
    # Without a row, the next point would fail in the same way.
    count_rows
    [ "$count" -gt "$before" ] || exit "$status"
    return "$status"
}

# Whether steal reached 2 % in the last row, which was not measured in slices.
stolen() {
    [ -z "$(column "$rows" slices | tail -n 1)" ] || return 1
    paste -d' ' <(column "$rows" server_cpus_stolen | tail -n 1) \
        <(column "$rows" client_cpus_stolen | tail -n 1) |
        awk '{ exit !($1 >= 0.02 || $2 >= 0.02) }'
}

# Sets $count, in this very shell: a Ctrl-C reaches every process, and would end one that
# counts in the middle.
count_rows() {
    local lines=()
    [ ! -e "$rows" ] || mapfile -t lines <"$rows"
    count=${#lines[@]}
}

# What was measured, what is left, and when it will end.
progress() { # POINT MEASURED OF SECONDS
    local rates left=$(($4 * ($3 - $2) / $2)) last
    last=$(tail -n 1 "$begun")
    rates=$(column "$rows" throughput_per_s | tail -n "$(cut -d' ' -f2 <<<"$last")" |
        awk '{ printf "%s%.0f", (NR > 1 ? ", " : ""), $1 }')
    printf '[%d/%d] %s: %s msg/s; %d s left, until %(%H:%M:%S)T\n' \
        "$2" "$3" "${1// --/, }" "$rates" "$left" $(($(printf '%(%s)T') + left)) >&2
}

stopped() {
    echo "stopped; the results so far are in $OUT; to continue: OUT=$OUT $0" >&2
    exit 130
}
