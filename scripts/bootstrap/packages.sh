# Debian packages: which are missing, and installing them without starting their services.
# Sourced by bootstrap.sh after requirements.sh; uses say() and die() of the caller.

POLICY="$SYSTEM_ROOT/usr/sbin/policy-rc.d"
POLICY_MARK="put here by lakeproof's bootstrap.sh"
CLUSTERS="$SYSTEM_ROOT/etc/postgresql-common/createcluster.d/lakeproof.conf"
APT_LOCK_WAIT_SECONDS=${APT_LOCK_WAIT_SECONDS:-600}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# missing_packages TABLE: prints "package<TAB>MB<TAB>what for" for each package of the table whose program is absent.
missing_packages() {
    sed '/^#/d; /^$/d' "$1" | while IFS="$(printf '\t')" read -r program package megabytes reason; do
        have "$program" || printf '%s\t%s\t%s\n' "$package" "$megabytes" "$reason"
    done | sort -u -t "$(printf '\t')" -k1,1
}

# interrupted_dpkg: an earlier installation was broken off.
interrupted_dpkg() {
    have dpkg || return 1
    [ -n "$(ls "$SYSTEM_ROOT/var/lib/dpkg/updates" 2>/dev/null)" ] || [ -n "$(dpkg --audit 2>/dev/null)" ]
}

# lists_are_fresh: apt's package lists are there and not older than a week.
lists_are_fresh() {
    [ -n "$(find "$SYSTEM_ROOT/var/lib/apt/lists" -maxdepth 1 -name '*_Packages*' -mtime -7 2>/dev/null | head -n 1)" ]
}

# forbid_service_starts: until allow_service_starts, packages do not start their services. What the file says ends
# by itself when this process is gone, so that a kill -9 leaves nothing behind that matters. PostgreSQL's package would
# also make a database of its own: forbidden by another file (the next run removes one that a kill left).
forbid_service_starts() {
    allow_service_starts
    as_root mkdir -p "${CLUSTERS%/*}"
    printf '# %s\ncreate_main_cluster = false\n' "$POLICY_MARK" | as_root tee "$CLUSTERS" >/dev/null
    if [ -x "$POLICY" ]; then
        refusal=0
        "$POLICY" mariadb start >/dev/null 2>&1 || refusal=$?
        if [ "$refusal" = 101 ]; then return 0; fi
        as_root mv "$POLICY" "$POLICY.lakeproof-saved"
    fi
    as_root tee "$POLICY" >/dev/null <<POLICY_END
#!/bin/sh
# This file was $POLICY_MARK: services of the packages it installs are not started.
if kill -0 $$ 2>/dev/null || [ -n "\$(find "\$0" -mmin -15)" ]; then exit 101; fi
if [ -x "\$0.lakeproof-saved" ]; then exec "\$0.lakeproof-saved" "\$@"; fi
exit 0
POLICY_END
    as_root chmod 755 "$POLICY"
}

# allow_service_starts: take our policy away (one left by a killed run too), and put back what was there before.
allow_service_starts() {
    if [ -e "$CLUSTERS" ]; then
        as_root rm -f "$CLUSTERS"
        for folder in "${CLUSTERS%/*}" "$SYSTEM_ROOT/etc/postgresql-common"; do
            as_root rmdir "$folder" 2>/dev/null || true # only where nothing else is in it
        done
    fi
    if grep -qs "$POLICY_MARK" "$POLICY"; then as_root rm -f "$POLICY"; fi
    if [ -e "$POLICY.lakeproof-saved" ]; then as_root mv "$POLICY.lakeproof-saved" "$POLICY"; fi
}

# run_apt WORDS…: apt-get, quiet, with a line of progress every 8 seconds; waits while another one holds the lock.
run_apt() {
    waited=0
    while :; do
        : >"$LOG.apt"
        as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C \
            apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >"$LOG.apt" 2>&1 </dev/null &
        follow $! "apt"
        cat "$LOG.apt" >>"$LOG"
        if [ "$followed" = 0 ]; then return 0; fi
        if ! grep -qiE 'could not get lock|unable to (acquire|lock)' "$LOG.apt"; then return 1; fi
        if [ "$waited" -ge "$APT_LOCK_WAIT_SECONDS" ]; then return 1; fi
        say "apt: $(grep -iE 'lock' "$LOG.apt" | head -n 1); waiting until it is free"
        sleep 5
        waited=$((waited + 5))
    done
}

# follow PID NAME: wait for a background job, say what it does now and then; its exit code is left in $followed.
follow() {
    ticks=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        ticks=$((ticks + 1))
        if [ $((ticks % 8)) = 0 ]; then say "$2: $(tail -n 1 "$LOG.apt" | cut -c1-100)"; fi
    done
    followed=0
    wait "$1" || followed=$?
}

# install_packages NAMES…: install them; repairs an interrupted dpkg first, refreshes old lists, tries twice.
install_packages() {
    forbid_service_starts
    if interrupted_dpkg; then
        say "apt: an earlier installation was interrupted; it is completed first"
        as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$LOG" 2>&1 </dev/null || true
        run_apt --fix-broken install || true
    fi
    if [ $# -gt 0 ]; then
        if ! lists_are_fresh; then
            say "apt: updating package lists"
            run_apt update || die "apt-get update failed: $(apt_error)" "check the network and /etc/apt, then run this again"
        fi
        say "apt: installing $*"
        if ! run_apt install --no-install-recommends "$@"; then
            say "apt: failed ($(apt_error)); lists are updated and it is tried once more"
            as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$LOG" 2>&1 </dev/null || true
            run_apt update || true
            run_apt install --no-install-recommends "$@" ||
                die "apt-get install failed: $(apt_error)" "see $LOG, then run this again"
        fi
    fi
    allow_service_starts
}

apt_error() {
    grep -E '^E: ' "$LOG.apt" | head -n 2 | tr '\n' ' '
}

# disable_services PACKAGES…: where systemd runs, what was just installed does not start at the next boot either.
disable_services() {
    [ -d "$SYSTEM_ROOT/run/systemd/system" ] || return 0
    for package in "$@"; do
        case $package in
            mariadb-server) unit=mariadb ;;
            postgresql) unit=postgresql ;;
            prometheus* | redis-server) unit=$package ;;
            *) continue ;;
        esac
        as_root systemctl disable --now "$unit.service" >>"$LOG" 2>&1 || true
    done
}
