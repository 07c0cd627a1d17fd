#!/usr/bin/env bash
# Installs the packages that are missing, or does nothing if none is.
#
#   ./scripts/setup.sh          packages for the build
#   ./scripts/setup.sh tests    packages for the build and for the tests
#
# It knows the package managers below and uses sudo where necessary. For any other package
# manager, it prints what to install. Rust must come from https://rustup.rs. Alpine has no bash
# by default: install that first.
set -euo pipefail

managers=(apt-get dnf pacman zypper apk)

# Each line: what must exist (a command, a header or a Python module; | separates alternatives),
# then the package that provides it, for each package manager.
build="
c++                           g++              gcc-c++         gcc                gcc-c++            g++
make                          make             make            make               make               make
cmake                         cmake            cmake           cmake              cmake              cmake
/usr/include/linux/version.h  linux-libc-dev   kernel-headers  linux-api-headers  linux-glibc-devel  linux-headers
"
tests="
python3                       python3          python3         python             python3            python3
python3:ensurepip             python3-venv     python3         python             python3            python3
chromium|chromium-browser     chromium         chromium        chromium           chromium           chromium
chromedriver                  chromium-driver  chromedriver    chromium           chromedriver       chromium-chromedriver
"

exists() { # WHAT
    local alternative alternatives
    IFS='|' read -ra alternatives <<<"$1"
    for alternative in "${alternatives[@]}"; do
        case $alternative in
        /*) [ ! -e "$alternative" ] || return 0 ;;
        python3:*) ! python3 -c "import ${alternative#*:}" 2>/dev/null || return 0 ;;
        *) ! command -v "$alternative" >/dev/null || return 0 ;;
        esac
    done
    return 1
}

# The missing packages, by the names of the package manager with this number.
missing_packages() { # NUMBER
    local line
    while read -ra line; do
        [ ${#line[@]} -eq 0 ] || exists "${line[0]}" || echo "${line[$1 + 1]}"
    done <<<"$needed" | sort -u
}

install_packages() { # MANAGER PACKAGE...
    local manager=$1
    shift
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    case $manager in
    apt-get)
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@"
        ;;
    dnf) "${as_root[@]}" dnf install --quiet --assumeyes "$@" ;;
    pacman)
        # A new system has no package lists. Refreshing existing ones would require a full upgrade.
        [ -e /var/lib/pacman/sync/core.db ] || "${as_root[@]}" pacman -Sy --noconfirm
        "${as_root[@]}" pacman -S --noconfirm --needed "$@"
        ;;
    zypper) "${as_root[@]}" zypper --quiet --non-interactive install "$@" ;;
    apk) "${as_root[@]}" apk add --quiet --update-cache "$@" ;;
    esac >&2
}

needed=$build
[ "${1:-}" != tests ] || needed+=$tests

number=0
for manager in "${managers[@]}"; do
    ! command -v "$manager" >/dev/null || break
    number=$((number + 1))
done
if [ "$number" -eq ${#managers[@]} ]; then
    manager=
    number=0
fi

mapfile -t missing < <(missing_packages "$number")
if [ ${#missing[@]} -gt 0 ]; then
    if [ -z "$manager" ]; then
        echo "setup: please install, by their names here: ${missing[*]}" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "setup: please install as root with $manager: ${missing[*]}" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}" >&2
    install_packages "$manager" "${missing[@]}"
fi

if ! command -v cargo >/dev/null; then
    echo "setup: please install Rust 1.89 or later, from https://rustup.rs" >&2
    exit 1
fi
