# shellcheck shell=bash
# sslyze, which t/tls.rs runs, in a Python environment of its own below the target directory. Sourced after tools.sh;
# the caller has set root.

# The packages that make its environment, which Debian does not include in python3.
need_sslyze() {
    need_command python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

# Makes the environment, unless it exists with these versions. OS4X_SSLYZE is its Python, for the tests.
make_sslyze() {
    local target list=${root:?}/scripts/lib/sslyze.txt log
    # The target folder of cargo; configuration and environment may change it.
    target=$(cargo metadata --format-version 1 --no-deps --locked |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/sslyze
    export OS4X_SSLYZE=$target/bin/python
    # The list is copied last, so that an incomplete environment is made again. An environment contains its own path, so
    # it cannot be moved.
    ! cmp -s "$list" "$target/sslyze.txt" || return 0
    log=$(mktemp)
    if ! { rm -rf "$target" && python3 -m venv "$target" &&
        "$OS4X_SSLYZE" -m pip install --disable-pip-version-check --no-deps \
            --only-binary :all: --no-binary sslyze -r "$list"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die 'sslyze could not be installed from PyPI.' "The whole output is in $log."
    fi
    rm -f "$log"
    cp "$list" "$target/"
}
