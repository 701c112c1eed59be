# shellcheck shell=bash
# Release binaries for people. Sourced after say.sh and tools.sh; the caller has set root, and bin if they are built.

# Sets bin to the folder of the binaries, after building them unless it is set.
built() {
    if [[ -n $bin ]]; then
        bin=$(cd "$bin" && pwd)
        return
    fi
    step 'Building (some minutes the first time)'
    need_build_tools
    install_missing
    (cd "${root:?}" && cargo build --release --workspace --bins --locked)
    # The folder in which cargo puts them; configuration and environment may change it.
    bin=$(cd "$root" && cargo metadata --format-version 1 --no-deps --locked |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
}
