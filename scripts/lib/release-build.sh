# shellcheck shell=bash
# The binaries of a release: built of the committed source, with the list of their dependencies inside, and without a path
# of this machine. Sourced after tools.sh; the caller has set root and SOURCE_DATE_EPOCH.

# build_release PLACE: sets built to the folder of the binaries and built_sboms to that of their SBOMs, both below PLACE.
build_release() {
    local place=$1 cargo_home=${CARGO_HOME:-$HOME/.cargo}
    need_build_tools
    install_missing
    need_cargo_tool auditable 0.7.7
    need_cargo_tool cyclonedx 0.5.9
    step "Building HEAD in $place"
    rm -rf -- "$place/source"
    mkdir -p -- "$place/source" "$place/sbom"
    git -C "${root:?}" archive HEAD | tar -x -C "$place/source"
    local -x CARGO_TARGET_DIR=$place/target
    # Paths of this machine would be in messages of panics, and would differ between machines.
    local hide="--remap-path-prefix=$place/source=/os4x --remap-path-prefix=$place/target=/os4x/target"
    local -x RUSTFLAGS="$hide --remap-path-prefix=$cargo_home=/cargo -C relocation-model=pic -C link-arg=-Wl,-z,relro,-z,now"
    # ThinLTO gives symbols names that depend on the folder; the build ID is a checksum of them, too.
    local -x CARGO_PROFILE_RELEASE_STRIP=symbols
    # SQLite, which is C.
    local -x CFLAGS="-O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$cargo_home=/cargo"
    case $(uname -m) in x86_64) CFLAGS+=' -fcf-protection=full' ;; esac
    (
        cd "$place/source" || exit
        cargo auditable build --release --workspace --bins --locked
        make_sboms "$place/sbom"
    )
    # shellcheck disable=SC2034 # for the caller
    built=$CARGO_TARGET_DIR/release built_sboms=$place/sbom
}

# make_sboms FOLDER: the SBOM of each package of ours, without a serial number, which would be another one each time.
make_sboms() {
    local made
    cargo cyclonedx --format json --quiet --no-build-deps --target all
    while read -r made; do
        # The file is named after its package. The tests are not published.
        [[ $made != */t.cdx.json ]] || continue
        sed -i '/"serialNumber": /d' "$made"
        sed "s|path+file://$PWD|path+file:///os4x|g" "$made" >"$1/${made##*/}"
    done < <(find . -name '*.cdx.json' -not -path './target/*')
}
