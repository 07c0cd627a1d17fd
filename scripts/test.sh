#!/usr/bin/env bash
# Everything that must hold before a change lands: format, lints, documentation, tests.
#
#   ./scripts/test.sh
#
# All of it with --release: the C-core, which takes some ten minutes to build on two CPUs,
# is then built once, and for the program itself too.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$root"

./scripts/setup.sh tests

# Clients in another language, with libraries that are not ours.
python=$(target_directory)/python
if ! cmp -s tests/python/requirements.txt "$python/installed.txt"; then
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    cp tests/python/requirements.txt "$python/installed.txt"
fi
export ECHOMETER_PYTHON=$python/bin/python

cargo fmt --all --check
cargo clippy --release --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps
cargo test --release --locked -- --include-ignored
