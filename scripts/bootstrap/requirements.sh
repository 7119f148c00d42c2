# Finds what must be there before anything is installed. Sourced by bootstrap.sh; changes nothing.
# LAKEPROOF_SYSTEM_ROOT puts another folder in front of the system's paths (tests use it).

SYSTEM_ROOT=${LAKEPROOF_SYSTEM_ROOT:-}

# have PROGRAM: it can be run (an ordinary user's PATH leaves out sbin, and PostgreSQL's programs are on nobody's).
have() {
    (
        PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
        for folder in "$SYSTEM_ROOT"/usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done
        command -v "$1" >/dev/null 2>&1
    )
}

# os_field KEY: a field of os-release, without quotes.
os_field() {
    sed -n "s/^$1=//p" "$SYSTEM_ROOT/etc/os-release" 2>/dev/null | tr -d '"' | head -n 1
}

# os_at_least DEBIAN UBUNTU: this is Debian or Ubuntu of at least that release (testing has no number: yes).
os_at_least() {
    version=$(os_field VERSION_ID)
    case $(os_field ID) in
        debian) wanted=$1 ;;
        ubuntu) wanted=$2 ;;
        *) return 1 ;;
    esac
    [ -z "$version" ] || awk -v a="$version" -v b="$wanted" 'BEGIN { exit !(a + 0 >= b + 0) }'
}

# python_fits PROGRAM: it is Python 3.12 or newer and can make virtual environments.
python_fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

# find_python: prints the interpreter to use; fails when there is none.
find_python() {
    for candidate in ${UV_PYTHON:+"$UV_PYTHON" "python$UV_PYTHON"} python3 python3.12 python3.13 python3.14 \
        "${PYENV_ROOT:-${HOME:-/root}/.pyenv}"/versions/3.1[2-9]*/bin/python3 \
        "$SYSTEM_ROOT"/usr/local/bin/python3.1[2-9] "$SYSTEM_ROOT"/opt/python*/bin/python3; do
        program=$(command -v "$candidate" 2>/dev/null) || continue
        if python_fits "$program"; then
            "$program" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return 0
        fi
    done
    return 1
}

# find_vector_jdk: prints the home of a JDK >= 24 with javac and the Vector API module; fails when there is none.
find_vector_jdk() {
    on_path=$(command -v java 2>/dev/null) && on_path=$(dirname "$(dirname "$(readlink -f "$on_path")")")
    for home in "${JAVA_HOME:-}" "${on_path:-}" "$SYSTEM_ROOT"/usr/lib/jvm/* "$SYSTEM_ROOT"/usr/java/* \
        "$SYSTEM_ROOT"/opt/*jdk* "$SYSTEM_ROOT"/opt/java/* \
        "${HOME:-/root}"/.jdks/* "${HOME:-/root}"/.sdkman/candidates/java/*; do
        [ -n "$home" ] && [ -x "$home/bin/java" ] && [ -x "$home/bin/javac" ] || continue
        [ -f "$home/release" ] || continue
        release=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
        [ "${release:-0}" -ge 24 ] || continue
        grep -q '^MODULES=.*jdk\.incubator\.vector' "$home/release" || continue
        echo "$home"
        return 0
    done
    return 1
}

# can_be_root: we are root, or sudo is there.
can_be_root() {
    [ "$(id -u)" = 0 ] || have sudo
}

# free_mb FOLDER: megabytes free where FOLDER lies or will lie.
free_mb() {
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1000) }'
}
