# shellcheck shell=bash
# Tools that may be missing on a fresh Debian machine: each is checked, and only missing ones are installed. Sourced after
# say.sh; the caller has set root, the directory of the workspace.

: "${root:?is the directory of the workspace}"

# Debian packages to install, filled by need_command and need_package.
missing=()

# need_command COMMAND PACKAGE: if COMMAND is missing, PACKAGE has to be installed.
need_command() {
    command -v "$1" >/dev/null || missing+=("$2")
}

# need_package PACKAGE FILE...: PACKAGE is installed if one of the FILEs (patterns) exists.
need_package() {
    local package=$1
    shift
    compgen -G "$1" >/dev/null && return
    (($# == 1)) && missing+=("$package") && return
    need_package "$package" "${@:2}"
}

# The build needs a C compiler (for SQLite) and OpenSSL's headers.
need_build_tools() {
    need_rust
    need_command cc gcc
    # libc's headers, for the bundled SQLite.
    need_package libc6-dev /usr/include/stdio.h
    need_command pkg-config pkg-config
    if ! command -v pkg-config >/dev/null || ! pkg-config --exists 'openssl >= 3'; then
        missing+=(libssl-dev)
    fi
}

# We do not install the toolchain: its source is the user's choice.
need_rust() {
    # rustup installs cargo in a folder that a non-interactive shell does not search.
    if ! command -v cargo >/dev/null && [[ -x $HOME/.cargo/bin/cargo ]]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    command -v cargo >/dev/null ||
        die "Rust's cargo is missing." "Install a toolchain of at least $wanted (https://rustup.rs), then try again."
    # rustc compiles, not cargo, and rustup may take them from different toolchains.
    have=$(cd "$root" && rustc --version | cut -d ' ' -f 2)
    [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
        die "Rust $have is too old: this needs $wanted." "Update it ('rustup update stable'), then try again."
}

# need_cargo_tool NAME VERSION: makes 'cargo NAME' work. If the tool is missing, it is installed below target/: as a
# program if cargo-tools.txt has one for this machine, otherwise built, which takes minutes the first time. It runs only
# for seconds, so it is built without optimization and without debug information.
need_cargo_tool() {
    local tools=$root/target/tools
    [[ :$PATH: == *:"$tools/bin":* ]] || PATH=$PATH:$tools/bin
    ! command -v "cargo-$1" >/dev/null || return 0
    ! fetch_cargo_tool "$tools" "$1" "$2" || return 0
    step "Building cargo-$1, which is missing"
    CARGO_PROFILE_DEV_DEBUG=none cargo install --quiet --locked --debug --root "$tools" "cargo-$1@$2" ||
        die "cargo-$1 could not be built." "It comes from crates.io: 'cargo install --locked cargo-$1' must work."
}

# fetch_cargo_tool FOLDER NAME VERSION: fails if the list has no such program, or if PyPI does not provide it.
fetch_cargo_tool() {
    local list=$root/scripts/lib/cargo-tools.txt python=$1/python
    grep -qF -- "-cargo-$2==$3 " "$list" || return 1
    { python3 -m venv "$python" &&
        "$python/bin/python" -m pip install --disable-pip-version-check --no-deps --only-binary :all: \
            --require-hashes -r "$list" && mkdir -p "$1/bin" && cp "$python/bin/cargo-$2" "$1/bin/"; } >/dev/null 2>&1
}

# Installs all missing packages, or none.
install_missing() {
    ((${#missing[@]})) || return 0
    local packages=("${missing[@]}") sudo=()
    missing=()
    command -v apt-get >/dev/null ||
        die "These Debian packages are missing, and there is no apt-get: ${packages[*]}" \
            "Install the corresponding packages of this system, then try again."
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "These packages are missing: ${packages[*]}" \
                "As root: apt-get install --no-install-recommends ${packages[*]}"
        sudo=(sudo)
    fi
    step "Installing missing packages: ${packages[*]}"
    local log
    log=$(mktemp)
    # The package lists of a fresh machine are empty or old, and may name packages that the mirror no longer has.
    if ! "${sudo[@]}" apt-get update >"$log" 2>&1 ||
        ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends "${packages[@]}" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install ${packages[*]}." "Its whole output is in $log."
    fi
    rm -f "$log"
}
