# What the scripts share; to be sourced. Sets $root, and $echometer once it is built.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Builds the program, and says where it is. ECHOMETER names one that is built already.
build() {
    echometer=${ECHOMETER:-}
    [ -n "$echometer" ] && return
    "$root/scripts/setup.sh"
    (cd "$root" && cargo build --release --locked)
    echometer=$(target_directory)/release/echometer
}

# Where cargo builds, whatever the environment and the configuration say.
target_directory() {
    (cd "$root" && cargo metadata --format-version 1 --no-deps --locked) |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Prints the column of a file of rows, one value a line. Those whose text may hold a comma
# come last in a row, so that a plain split is right for the others.
column() { # FILE NAME
    awk -F, -v name="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { print $at }' "$1"
}

# An experiment is a script that takes its settings from the environment, begins with their
# names, and then measures points:
#
#   begin NAME...   builds the program and makes $OUT
#   sweep POINTS    measures what the function POINTS prints, in TRIALS passes
#   finish          the report
#
# Their settings are TRIALS, DRIVER, SERVER_CPUS, DURATION, WARMUP and OUT; with $hgrm, a
# directory, a file of percentiles is left there for each point.
#
# POINTS prints the points of one pass in the order in which to measure them, a line each:
# SYSTEM FLAGS. A machine whose speed drifts hits all systems alike if they take turns, in an
# order that changes from pass to pass.
#
# One call of the program a point, one row a call. Ctrl-C ends it; run again with the same OUT,
# it goes on where it stopped. Points that failed are then measured again.

begin() { # NAME...
    build
    mkdir -p "$OUT"
    trap stopped INT TERM
    rows=$OUT/results.csv
    # Which line of the rows is to be of which point: rows tell that in other words.
    begun=$OUT/points.txt
    run=$(basename "$OUT")
    failed=0
    # What run.json says of how to do all this again.
    again=
    local name
    for name in "$@"; do again+="$name=\"${!name}\" "; done
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
        tell "${line#* }" "$measured" "${#todo[@]}" $((SECONDS - since))
    done
}

finish() {
    "$echometer" report "$OUT"
    if [ "$failed" -gt 0 ]; then
        echo "$failed points failed; to measure them again: OUT=$OUT $0" >&2
        exit 1
    fi
}

# The points that have a valid row, a line each: TRIAL POINT.
finished() {
    [ -s "$rows" ] && [ -s "$begun" ] || return 0
    awk '
        NR == FNR { valid[FNR + 1] = $1 == "true"; next }
        { line = $1; sub(/^[0-9]+ /, ""); point[line] = $0 }
        END { for (line in point) if (valid[line]) print point[line] }' \
        <(column "$rows" valid) "$begun"
}

measure() { # TRIAL POINT
    local before also=() status=0
    [[ $2 == *--server-cpus* ]] || also+=(--server-cpus "$SERVER_CPUS")
    [ -z "${hgrm:-}" ] || also+=(--hgrm "$hgrm/$(tr -s ' -' - <<<"$2")-$1.hgrm")
    count_rows
    before=$count
    # A file that is not there yet begins with its header.
    echo "$((before > 0 ? before + 1 : 2)) $1 $2" >>"$begun"
    "$echometer" bench $2 --spawn --trial "$1" --run-id "$run" --run-command "$again" \
        --driver "$DRIVER" --duration "$DURATION" --warmup "$WARMUP" "${also[@]}" \
        --csv "$rows" --results "$OUT/clients.jsonl" --quiet || status=$?
    [ "$status" -eq 130 ] && stopped
    # It has said what is wrong; without a row, the next point would say the same.
    count_rows
    [ "$count" -gt "$before" ] || exit "$status"
    return "$status"
}

# Sets $count, in this very shell: a Ctrl-C reaches every process, and would end one that
# counts in the middle.
count_rows() {
    local lines=()
    [ ! -e "$rows" ] || mapfile -t lines <"$rows"
    count=${#lines[@]}
}

# What is done, what is left, and when it will end.
tell() { # POINT MEASURED OF SECONDS
    local rate left=$(($4 * ($3 - $2) / $2))
    rate=$(column "$rows" throughput_per_s | tail -n 1)
    printf '[%d/%d] %s: %.0f msg/s; %d s left, until %(%H:%M:%S)T\n' \
        "$2" "$3" "${1// --/, }" "$rate" "$left" $(($(printf '%(%s)T') + left)) >&2
}

stopped() {
    echo "stopped; what was measured is in $OUT; to go on: OUT=$OUT $0" >&2
    exit 130
}
