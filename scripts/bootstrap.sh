#!/bin/sh
# Has everything there that Lakeproof needs: Debian packages, Python packages in .venv, artifacts in the cache.
#
#   scripts/bootstrap.sh [--yes] [--for demo|test|dev]
#
# demo and test: all of it (demo without the tests' tools). dev: only what `make test-fast` needs, no engine, no Java.
# Says first what it lacks that only you can bring, then what it will install, and asks: only at a terminal, and not
# with --yes, LAKEPROOF_YES=1 or CI. Safe to run again at any time, also after it was killed; quick when all is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${LAKEPROOF_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lakeproof}
UV_VERSION=0.13.9
SYNC_MB=150
TAB=$(printf '\t')
started=$(date +%s)
yes=${LAKEPROOF_YES:-}
purpose=test

say() { printf '[%4d s] %s\n' $(($(date +%s) - started)) "$*" >&2; }
die() {
    printf 'error: set-up: %s. Next: %s\n' "$1" "$2" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --yes) yes=1 ;;
        --for)
            [ $# -ge 2 ] || { echo "error: --for wants demo, test or dev" >&2; exit 2; }
            purpose=$2
            shift
            ;;
        --for=*) purpose=${1#--for=} ;;
        -h | --help)
            sed -n '2,9s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *) echo "error: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
    shift
done
case $purpose in demo | test | dev) ;; *) echo "error: --for wants demo, test or dev, not $purpose" >&2; exit 2 ;; esac
if [ -n "${CI:-}" ]; then yes=1; fi

. "$root/scripts/bootstrap/requirements.sh"
. "$root/scripts/bootstrap/packages.sh"
. "$root/scripts/bootstrap/environment.sh"

# --- what only the user can bring, said before any download ------------------------------------------------------
lacking=""
lack() { lacking="$lacking
  - $1"; }

case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) lack "this is $(uname -s) on $(uname -m); Lakeproof runs on Linux, x86-64" ;;
esac

packages=$(missing_packages "$root/third_party/apt.tsv")
if [ "$purpose" = test ] && [ "$(os_field ID)" = debian ]; then
    of_tests=$(missing_packages "$root/third_party/apt-tests.tsv")
    packages="$packages${packages:+${of_tests:+
}}$of_tests"
fi
# promtool and amtool: without them tests of rules, routes and expressions are skipped.
if [ "$purpose" = dev ]; then packages=$(echo "$packages" | grep -E "^prometheus(-alertmanager)?$TAB" || true); fi
want() { packages="$packages${packages:+
}$1$TAB$2$TAB$3"; }

if ! [ -e "$SYSTEM_ROOT/etc/ssl/certs/ca-certificates.crt" ]; then want ca-certificates 1 "trusted certificates"; fi
if ! python=$(find_python); then
    python=""
    if os_at_least 13 24.04 && have apt-get; then
        want python3 6 "Python 3.12 or newer"
        want python3-venv 3 "Python's virtual environments"
    else
        lack "no Python >= 3.12 that can make virtual environments (looked at UV_PYTHON, python3, python3.12 and newer,
    pyenv). Debian 13 and Ubuntu 24.04 have one in apt; elsewhere: pyenv install 3.12, or set UV_PYTHON to one"
    fi
fi
if [ "$purpose" != dev ] && ! find_vector_jdk >/dev/null; then
    if os_at_least 13 25.10 && have apt-get; then
        want openjdk-25-jdk-headless 404 "Java for Trino and Nessie"
    else
        lack "no JDK >= 24 with the Vector API module (Trino and Nessie need it; this system's apt has none). Get an
    Eclipse Temurin 25 JDK, unpack it, and: export JAVA_HOME=/where/it/is (or unpack it into /usr/lib/jvm)"
    fi
fi
repair=""
if interrupted_dpkg || [ -e "$cache/services-to-disable" ] || grep -qs "$POLICY_MARK" "$POLICY" || [ -e "$CLUSTERS" ]; then repair=1; fi
if [ -n "$packages$repair" ]; then
    have apt-get || lack "these are missing and there is no apt-get to install them: $(echo "$packages" | cut -f1 | tr '\n' ' ')"
    can_be_root || lack "packages are to be installed, and you are neither root nor is there sudo. As root run:
    apt-get install --no-install-recommends $(echo "$packages" | cut -f1 | tr '\n' ' ')"
fi

# --- what is to be done ------------------------------------------------------------------------------------------
artifacts=""
if [ "$purpose" != dev ]; then artifacts=$(list_missing_artifacts); fi
sync=""
if ! environment_is_current; then sync=1; fi

download=$(printf '%s\n%s\n' "$packages" "$artifacts" | awk -F "$TAB" -v sync="${sync:+$SYNC_MB}" '
    NF == 3 { mb += $2 } NF == 7 { mb += $5 } END { print mb + sync }')
disk=$(printf '%s\n%s\n' "$packages" "$artifacts" | awk -F "$TAB" -v sync="${sync:+$SYNC_MB}" '
    NF == 3 { mb += 2.5 * $2 } NF == 7 { mb += $6 } END { print int(mb + 3.4 * sync) }')
minutes=$(printf '%s\n%s\n' "$packages" "$artifacts" | awk -F "$TAB" -v sync="${sync:+30}" '
    NF == 3 { s += $2 / 4 } NF == 7 { s += $7 / 1.5 } END { print int((s + sync) / 60) + 1 }')

free=$(free_mb "$cache")
if [ "$free" -lt "$disk" ]; then
    lack "$free MB are free in $cache, and $disk MB are needed: make room, or set LAKEPROOF_CACHE to a larger disk"
fi
if [ -n "$lacking" ]; then
    printf 'error: set-up: this machine lacks what only you can bring:%s\nNothing was downloaded or changed.\n' "$lacking" >&2
    exit 1
fi
if [ -z "$packages$artifacts$sync$repair" ]; then exit 0; fi

{
    echo "Lakeproof will install (in $cache unless said otherwise):"
    if [ -n "$repair" ]; then echo "  apt: complete an interrupted installation"; fi
    if [ -n "$packages" ]; then
        echo "  Debian packages, by apt; their services are not started:"
        echo "$packages" | awk -F "$TAB" '{ printf "    %-30s %4d MB  %s\n", $1, $2, $3 }'
    fi
    if [ -n "$sync" ]; then
        printf '  Python packages and uv %s, from PyPI, in .venv:\n    %-30s %4d MB\n' "$UV_VERSION" "as uv.lock says" "$SYNC_MB"
    fi
    if [ -n "$artifacts" ]; then
        echo "  Artifacts:"
        echo "$artifacts" | awk -F "$TAB" '{ printf "    %-30s %4d MB  %s (%s)\n", $1 " " $2, $5, $3, $4 }'
    fi
    echo "Together about $download MB to download, $disk MB on disk, $minutes minutes on two cores."
} >&2
if [ -z "$yes" ] && [ "$download" -gt 50 ]; then
    if [ -t 0 ]; then
        printf 'Go on? [y/N] ' >&2
        read -r answer
        case $answer in y | Y | yes | j | ja) ;; *) die "you said no; nothing was changed" "run it again when you like" ;; esac
    else
        say "going on: the input is no terminal, so there is nobody to ask"
    fi
fi

# --- do it -------------------------------------------------------------------------------------------------------
mkdir -p "$cache/logs" "$cache/locks"
LOG=$cache/logs/bootstrap.log
: >"$LOG"
exec 9>"$cache/locks/bootstrap.lock"
if ! flock -n 9; then
    say "another set-up of yours is running; waiting for it"
    flock 9
fi
if [ -n "$packages$repair" ]; then
    trap 'allow_service_starts' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    names=$(echo "$packages" | cut -f1 | tr '\n' ' ')
    echo "$names" >>"$cache/services-to-disable"
    # shellcheck disable=SC2086 # one word per package
    install_packages $names
    # shellcheck disable=SC2046
    disable_services $(cat "$cache/services-to-disable")
    rm -f "$cache/services-to-disable"
    trap - EXIT INT TERM HUP
    python=${python:-$(find_python)} || die "Python >= 3.12 is still missing after apt" "see $LOG"
    [ "$purpose" = dev ] || find_vector_jdk >/dev/null || die "a JDK with the Vector API is still missing after apt" "see $LOG"
fi
if [ -n "$sync" ]; then make_environment; fi
exec 9>&-
if [ "$purpose" != dev ]; then "$root/.venv/bin/lakeproof" setup --yes; fi
say "set-up is complete"
