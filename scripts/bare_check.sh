#!/bin/sh
# The two commands of the README in a bare Debian 13, with an empty cache: a machine that has been used hides a
# missing step.
#
#   scripts/bare_check.sh [demo|test|all|setup|shell] [--keep] [--release NAME]
#
# all (the default) runs `make demo`, then `make test`. The root is made by debootstrap in a temporary folder and
# holds only make, git and this machine's certificates and registry settings. It runs in mount and process
# namespaces of its own: when it ends, however it ends, the kernel unmounts and kills what is in it. Needs root.
# What is tested is the last commit, not the work tree. --keep leaves the root there for a look.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
what=all
keep=""
release=trixie
while [ $# -gt 0 ]; do
    case $1 in
        demo | test | all | setup | shell) what=$1 ;;
        --keep) keep=1 ;;
        --release)
            release=$2
            shift
            ;;
        -h | --help)
            sed -n '2,11s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *) echo "error: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
    shift
done
started=$(date +%s)
say() { printf '[bare %5d s] %s\n' $(($(date +%s) - started)) "$*" >&2; }
die() { printf 'error: bare-check: %s. Next: %s\n' "$1" "$2" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "it needs root" "sudo make bare-check"
unshare --mount --pid --fork true 2>/dev/null || die "unshare is refused here" "run it on a machine or in a container that allows namespaces"
if ! command -v debootstrap >/dev/null; then
    say "installing debootstrap"
    apt-get -qq update && apt-get -qq -y install --no-install-recommends debootstrap >/dev/null
fi

# the mirror that this machine's own apt uses
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
    grep '/debian/*$' | head -n 1)
[ -n "$mirror" ] || die "no Debian mirror in /etc/apt" "add one, then run this again"

bare=$(mktemp -d "${TMPDIR:-/tmp}/lakeproof-bare.XXXXXX")
chmod 755 "$bare" # it becomes /, which every user may pass through
clean() {
    if [ -n "$keep" ]; then
        say "kept: $bare"
    else
        say "removing $bare"
        rm -rf --one-file-system "$bare"
    fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "debootstrap $release into $bare"
debootstrap --variant=minbase --include=make,git,ca-certificates "$release" "$bare" "$mirror" >"$bare.log" 2>&1 || {
    tail -n 5 "$bare.log" >&2
    die "debootstrap failed" "see $bare.log"
}
rm -f "$bare.log"

# copy_in FILES…: the same places in the bare root, for those that exist here
copy_in() {
    for file in "$@"; do
        [ -e "$file" ] || continue
        mkdir -p "$bare$(dirname "$file")"
        cp -RLf "$file" "$bare$(dirname "$file")/"
    done
}
say "copying certificates and registry settings of this machine"
copy_in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/java/cacerts \
    /usr/local/share/ca-certificates /etc/pip.conf /etc/uv/uv.toml
for file in .config/pip/pip.conf .pip/pip.conf .config/uv/uv.toml .config/go/env .m2/settings.xml; do
    if [ -e "$HOME/$file" ]; then
        mkdir -p "$bare/root/$(dirname "$file")"
        cp -L "$HOME/$file" "$bare/root/$file"
    fi
done
apt-config dump | grep -i '^Acquire::.*\(proxy\|cainfo\)' >"$bare/etc/apt/apt.conf.d/99-host-settings" || true
chroot "$bare" update-ca-certificates >/dev/null 2>&1

# registry, proxy and certificate variables of this shell, but no path that the bare root does not have
variables="$bare/root/environment"
: >"$variables"
env | grep -iE '^[a-z_]*(proxy|cert|_ca_|cainfo|bundle)[a-z_]*=|^(pip|uv)_[a-z_]*=|^(go(proxy|sumdb|nosumdb|flags)|maven_opts)=' |
    while IFS= read -r line; do
        value=${line#*=}
        case $value in /*) [ -e "$bare$value" ] || continue ;; esac
        printf "export %s='%s'\n" "${line%%=*}" "$value" >>"$variables"
    done

say "cloning $(git -C "$root" rev-parse --short HEAD)"
git clone -q --no-hardlinks "file://$root" "$bare/root/lakeproof"

case $what in
    demo) commands="make demo CI=1" ;;
    test) commands="make test CI=1" ;;
    setup) commands="make setup CI=1 && make setup CI=1 && .venv/bin/lakeproof doctor" ;;
    shell) commands="bash -i" ;;
    all) commands="make demo CI=1 && make test CI=1" ;;
esac
say "in the bare root: $commands"
cat >"$bare/root/run" <<RUN_END
set -eu
mount --make-rprivate /
mount --bind "$bare" "$bare"
mount -t proc proc "$bare/proc"
mount --rbind /sys "$bare/sys"
mount --rbind /dev "$bare/dev"
mkdir -p "$bare/dev/shm"
exec chroot "$bare" /usr/bin/env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \\
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    /bin/bash -c '. /root/environment; cd /root/lakeproof; $commands'
RUN_END
code=0
unshare --mount --pid --fork --kill-child sh "$bare/root/run" || code=$?
say "ended with code $code"
exit "$code"
