# shellcheck shell=bash
# The script of axe-core, which the backend's tests run in the browser, below the target directory. Sourced after
# sslyze.sh, whose Python downloads it.

# Fetches the script, unless it is there in this version. OS4X_AXE is its path, for the tests.
make_axe() {
    local list=${root:?}/scripts/lib/axe.txt target log
    target=${OS4X_SSLYZE:?is set by make_sslyze}
    target=${target%/sslyze/bin/python}/axe
    export OS4X_AXE=$target/axe.min.js
    # The list is copied last, so that an incomplete folder is made again.
    ! cmp -s "$list" "$target/axe.txt" || return 0
    log=$(mktemp)
    if ! { rm -rf "$target" && mkdir "$target" &&
        "$OS4X_SSLYZE" -m pip download --disable-pip-version-check --no-deps --only-binary :all: \
            --require-hashes -r "$list" -d "$target" &&
        "$OS4X_SSLYZE" -m zipfile -e "$target"/*.whl "$target" &&
        mv "$target"/axe_playwright_python/axe.min.js "$OS4X_AXE"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die 'axe-core could not be fetched from PyPI.' "The whole output is in $log."
    fi
    rm -f "$log"
    cp "$list" "$target/"
}
