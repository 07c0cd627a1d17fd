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
