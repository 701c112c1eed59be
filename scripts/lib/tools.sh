# shellcheck shell=bash
# Tools that a fresh Debian machine may lack: found out one by one, and only the missing ones installed. Sourced after
# say.sh; the caller has set root, the directory of the workspace.

: "${root:?is the directory of the workspace}"

# Debian packages to install, filled by need_command and need_package.
missing=()

# need_command COMMAND PACKAGE: PACKAGE has it if it is not there.
need_command() {
    command -v "$1" >/dev/null || missing+=("$2")
}

# need_package PACKAGE FILE...: PACKAGE is there if one of the FILEs (patterns) is.
need_package() {
    local package=$1
    shift
    compgen -G "$1" >/dev/null && return
    (($# == 1)) && missing+=("$package") && return
    need_package "$package" "${@:2}"
}

# What the build needs: a C compiler (SQLite), OpenSSL's headers.
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

# The toolchain is not installed by us: where it comes from is the user's choice.
need_rust() {
    # rustup puts cargo where a non-interactive shell does not look.
    if ! command -v cargo >/dev/null && [[ -x $HOME/.cargo/bin/cargo ]]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    command -v cargo >/dev/null ||
        die "Rust's cargo is missing." "Install a toolchain of at least $wanted (https://rustup.rs), then try again."
    # rustc, not cargo, is what compiles: rustup may serve them from different toolchains.
    have=$(cd "$root" && rustc --version | cut -d ' ' -f 2)
    [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
        die "Rust $have is too old: this needs $wanted." "Update it ('rustup update stable'), then try again."
}

# need_cargo_tool NAME VERSION: makes 'cargo NAME' work. Unless it is there it is built below target/, which takes minutes
# the first time; without optimizing, since it runs for seconds.
need_cargo_tool() {
    local tools=$root/target/tools
    [[ :$PATH: == *:"$tools/bin":* ]] || PATH=$PATH:$tools/bin
    ! command -v "cargo-$1" >/dev/null || return 0
    step "Building cargo-$1, which is missing"
    cargo install --quiet --locked --debug --root "$tools" "cargo-$1@$2" ||
        die "cargo-$1 could not be built." "It comes from crates.io: 'cargo install --locked cargo-$1' must work."
}

# Installs what is missing, all of it or nothing.
install_missing() {
    ((${#missing[@]})) || return 0
    local packages=("${missing[@]}") sudo=()
    missing=()
    command -v apt-get >/dev/null ||
        die "These Debian packages are missing, and there is no apt-get: ${packages[*]}" \
            "Install what corresponds to them on this system, then try again."
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "These packages are missing: ${packages[*]}" \
                "As root: apt-get install --no-install-recommends ${packages[*]}"
        sudo=(sudo)
    fi
    step "Installing what is missing: ${packages[*]}"
    local log
    log=$(mktemp)
    # Package lists of a fresh machine are empty or old; what they name may be gone from the mirror.
    if ! "${sudo[@]}" apt-get update >"$log" 2>&1 ||
        ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends "${packages[@]}" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install ${packages[*]}." "Its whole output is in $log."
    fi
    rm -f "$log"
}
