#!/usr/bin/env bash
# Installs what the build lacks, and does nothing where it lacks nothing.
#
#   ./scripts/setup.sh          what the build needs: a C++ compiler, make, cmake
#   ./scripts/setup.sh tests    and what the tests need: Python with venv, and Chromium
#
# On Debian and Ubuntu by apt, with sudo where that is needed; elsewhere it says what to
# install. Rust itself comes from https://rustup.rs.
set -euo pipefail

missing=()

need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || missing+=("$2")
}

need c++ g++
need make make
need cmake cmake
if [ "${1:-}" = tests ]; then
    need python3 python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    need chromium chromium
    need chromedriver chromium-driver
fi

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "setup: please install, by their names here: ${missing[*]}" >&2
        exit 1
    fi
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "setup: please install as root: apt-get install ${missing[*]}" >&2
            exit 1
        }
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}" >&2
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --no-install-recommends "${missing[@]}" >&2
fi

if ! command -v cargo >/dev/null; then
    echo "setup: please install Rust 1.89 or later, from https://rustup.rs" >&2
    exit 1
fi
