# The Python side: uv in a place of its own, .venv in the clone, and the list of artifacts that are still missing.
# Sourced by bootstrap.sh; uses its variables root, cache, python, purpose, UV_VERSION.

STAMP=.venv/.lakeproof-synced

# environment_key GROUPS: what .venv must have been made from.
environment_key() {
    printf '%s %s %s' "$1" "$root" "$(cat "$root/uv.lock" "$root/pyproject.toml" | sha256sum | cut -c1-32)"
}

# environment_is_current: .venv works and holds what uv.lock says (with the tests' tools unless for the demo).
environment_is_current() {
    [ -x "$root/.venv/bin/lakeproof" ] && "$root/.venv/bin/python" -c 'import sys' 2>/dev/null || return 1
    stamp=$(cat "$root/$STAMP" 2>/dev/null) || return 1
    [ "$stamp" = "$(environment_key dev)" ] || { [ "$purpose" = demo ] && [ "$stamp" = "$(environment_key demo)" ]; }
}

# make_environment: uv into the cache, then .venv from uv.lock.
make_environment() {
    if ! "$cache/tools/bin/uv" --version 2>/dev/null | grep -q "^uv $UV_VERSION"; then
        say "uv: installing $UV_VERSION with pip"
        rm -rf "$cache/tools" "$cache/tools.unfinished"
        "$python" -m venv "$cache/tools.unfinished" >>"$LOG" 2>&1 &&
            "$cache/tools.unfinished/bin/python" -m pip install -q --disable-pip-version-check "uv==$UV_VERSION" >>"$LOG" 2>&1 ||
            die "uv could not be installed: $(tail -n 1 "$LOG")" "see $LOG, then run this again"
        mv "$cache/tools.unfinished" "$cache/tools"
    fi
    groups=--no-dev
    kind=demo
    if [ "$purpose" != demo ]; then
        groups=--dev
        kind=dev
    fi
    say "uv: putting Python packages into .venv"
    rm -f "$root/$STAMP"
    (
        cd "$root"
        # the system's certificates, as apt, pip and Maven use them
        UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 \
            "$cache/tools/bin/uv" sync --frozen $groups --python "$python" >>"$LOG" 2>&1
    ) || die "uv sync failed: $(grep -v '^$' "$LOG" | tail -n 3 | tr '\n' ' ')" "see $LOG, then run this again"
    environment_key "$kind" >"$root/$STAMP"
}

# list_missing_artifacts: one line each, seven fields, as lakeproof.install.plan prints them. Without a Python yet,
# every recipe's own figures, for then nothing can be there (without those that are only built on request).
list_missing_artifacts() {
    if [ -n "$python" ]; then
        PYTHONPATH="$root/src" PYTHONDONTWRITEBYTECODE=1 "$python" -m lakeproof.install.plan
        return
    fi
    for recipe in "$root"/third_party/*/artifact.toml; do
        awk -F ' = ' -v OFS="$TAB" '
            /^[a-z_]+ = / && !($1 in value) { gsub(/"/, "", $2); value[$1] = $2 }
            END { if (value["on_request"] != "true") print value["name"], value["version"], value["what"], value["from"],
                        value["download_mb"], value["disk_mb"], value["seconds"] }' "$recipe"
    done
}
