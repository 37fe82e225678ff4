# Sourced by ./rockdove and ./check, which set $root: `prepare_environment EXTRA` makes .venv hold this checkout
# with that extra. `use_compiled` then puts the same with its hot modules compiled before it, in .venv/compiled.
#
# One virtual environment serves both, so that the tests run the very program that people run. It is ready for an
# extra when .venv/ready.EXTRA says what `environment_key` says; finding that out starts no Python.

say() { echo "${0##*/}: $*" >&2; }

fail() {
    say "$@"
    exit 1
}

environment_key() { # all that makes an installation stale: dependencies, the interpreter, a checkout that was moved
    cksum < "$root/pyproject.toml"
    readlink -f "$root/.venv/bin/python"
    echo "$root"
}

is_ready() { # for an extra; "test" includes the others
    local ready
    [ -x "$root/.venv/bin/python" ] || return 1
    for ready in "$root/.venv/ready.$1" "$root/.venv/ready.test"; do
        if [ "$(cat "$ready" 2> /dev/null)" = "$(environment_key)" ]; then return; fi
    done
    return 1
}

as_root() { # without asking for a password
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() { # false where that cannot be done
    command -v apt-get && as_root true || return 1
    local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends)
    "${apt[@]}" install "$@" || { "${apt[@]}" update && "${apt[@]}" install "$@"; }
} < /dev/null > /dev/null 2>&1

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv, then run this again"
}

has_ensurepip() { "$1" -c 'import ensurepip' 2> /dev/null; } # Debian ships it apart from Python itself

is_usable() { # an environment is kept when it can be: a server may be running from it
    grep -qsF "$root/.venv" "$root/.venv/bin/activate" && "$root/.venv/bin/python" -m pip --version > /dev/null 2>&1
}

create_venv() {
    local python=$1 without_pip=()
    has_ensurepip "$python" || apt_install python3-venv || true
    if ! has_ensurepip "$python"; then
        "$python" -m pip --version > /dev/null 2>&1 ||
            fail "Python's venv module is incomplete: sudo apt-get install python3-venv, then run this again"
        without_pip=(--without-pip)
    fi
    "$python" -m venv --clear "${without_pip[@]}" "$root/.venv" || fail "$python cannot create $root/.venv, see above"
}

install() { # what pip is told, by the pip of .venv or else that of a Python
    local python=$1 pip log
    pip=("$root/.venv/bin/python" -m pip)
    "${pip[@]}" --version > /dev/null 2>&1 || pip=("$python" -m pip --python "$root/.venv/bin/python")
    log=$(mktemp)
    if ! "${pip[@]}" --disable-pip-version-check install "${@:2}" > "$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "installing the packages failed, see above; the whole output is in $log"
    fi
    rm "$log"
}

take_turns() { # until descriptor 9 is closed. Python locks it, as not every system has flock(1).
    "$1" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

prepare_environment() {
    local extra=$1 python
    if is_ready "$extra"; then return; fi
    python=$(find_python) || exit 1
    {
        take_turns "$python"
        if is_ready "$extra"; then return; fi
        say "setting up .venv in $root; this takes a minute the first time"
        is_usable || create_venv "$python"
        ROCKDOVE_COMPILE='' install "$python" --editable "$root[$extra]"
        environment_key > "$root/.venv/ready.$extra"
    } 9< "$root/pyproject.toml" < /dev/null
}

compiled_key() { # all that the compiled modules are made of, and lie beside
    environment_key
    find "$root/hatch_build.py" "$root/src" -name '*.py' -print0 | sort -z | xargs -0 cat | cksum
}

use_compiled() {
    local python place=$root/.venv/compiled
    python=$(find_python) || exit 1
    {
        take_turns "$python"
        if [ "$(cat "$place/ready" 2> /dev/null)" != "$(compiled_key)" ]; then
            say "compiling; this takes a minute or two"
            rm -rf "$place.new"
            ROCKDOVE_COMPILE=1 install "$python" --no-deps --target "$place.new" "$root"
            compiled_key > "$place.new/ready"
            rm -rf "$place"
            mv "$place.new" "$place"
        fi
    } 9< "$root/pyproject.toml" < /dev/null
    export PYTHONPATH=$place ROCKDOVE_COMPILE=1
}
