# Sourced by the other scripts. `need gateway|tensorflow|dev|torture` puts the locked environment of that
# set first on the PATH. It lies in .venv, or where STN_VENV says; it is made on first use, and
# brought up to date when a lock changes.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${STN_VENV:-$root/.venv}"
case "$venv" in /*) ;; *) venv="$PWD/$venv" ;; esac
# First line: the clone it was made for. Then, for each set that is complete, the locks it follows.
stamp="$venv/.stn-serving"

need() {
    locks="$(cat "$root/pyproject.toml" "$root"/requirements/*.txt | cksum)"
    if ! is_ready "$1"; then
        mkdir -p "$venv"
        # One at a time; the lock hangs on a file that is there anyway. macOS has no flock.
        (
            if command -v flock >/dev/null; then flock 9; fi
            is_ready "$1" || set_up "$1" >&2
        ) 9<"$root/pyproject.toml"
    fi
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
}

is_whole() { [ -x "$venv/bin/python" ] && [ "$(head -n 1 "$stamp" 2>/dev/null)" = "$root" ]; }

is_ready() { is_whole && grep -qxF "$1 $locks" "$stamp"; }

set_up() {
    local name=$1 complete size quiet=
    case "$name" in
        gateway) complete="gateway" size="40 MB to download, 180 MB on disk" ;;
        tensorflow) complete="gateway tensorflow" size="640 MB to download, 2.3 GB on disk" ;;
        dev) complete="gateway tensorflow dev" size="750 MB to download, 2.7 GB on disk" ;;
        torture) complete="gateway tensorflow dev torture" size="800 MB to download, 2.8 GB on disk" ;;
    esac
    if is_whole; then
        echo "Bringing $venv up to date ($name)."
    else
        # Nothing there, half finished, or moved: begin anew, in a folder that is empty or ours.
        if [ -n "$(ls -A "$venv")" ] && [ ! -e "$stamp" ]; then
            fail "$venv was not made by these scripts. Move it away, or set STN_VENV to another folder."
        fi
        find_python
        echo "Setting up $venv ($name), once: about $size."
        echo incomplete >"$stamp"
        find "$venv/" -mindepth 1 ! -name "${stamp##*/}" -delete
        "$python" -m venv "$venv"
    fi
    echo incomplete >"$stamp"
    [ -t 2 ] || quiet=--quiet
    pip_install --only-binary :all: --require-hashes \
        -r "$root/requirements/build.txt" -r "$root/requirements/$name.txt"
    pip_install --no-deps --no-build-isolation -e "$root"
    {
        echo "$root"
        for name in $complete; do echo "$name $locks"; done
    } >"$stamp"
}

pip_install() { "$venv/bin/python" -m pip install --disable-pip-version-check $quiet "$@"; }

# A tool in an environment of its own, which goes when the script ends: `borrow PACKAGE==VERSION`
# leaves it below $tools/bin.
borrow() {
    find_python
    tools="$(mktemp -d)"
    trap 'rm -rf "$tools"' EXIT
    "$python" -m venv "$tools"
    "$tools/bin/python" -m pip install --disable-pip-version-check --quiet "$@"
}

find_python() {
    for python in python3 python3.13 python3.12 python3.11 python; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
            2>/dev/null; then return; fi
    done
    fail "No Python 3.11, 3.12 or 3.13 with venv was found on the PATH (on Debian: apt install python3-venv)."
}

fail() {
    echo "$1" >&2
    exit 1
}
