# shellcheck shell=bash
# Keeps the files that an installation replaces, and restores them. Sourced after say.sh; the caller has set prefix (the
# beginning of every path, empty on a real host) and dir (the folder of the daemons).
#
#   DIR/replaced/0001-20260131-120000/   one installation; the number gives the order
#       files/PATH                       the earlier file at PATH
#       new                              the paths where there was no file
#   DIR/replaced/undone/0001-.../files/  the files that 'scripts/install --back' removed

prefix=${prefix-}

# The folder of this installation. It is made when the first file is replaced, because many installations replace none.
kept=''

# The names of all installations that can be undone, the oldest first; with depth 2 also the undone ones.
installations() {
    [[ ! -d $prefix${dir:?}/replaced ]] ||
        find "$prefix$dir/replaced" -mindepth 1 -maxdepth "${1:-1}" -type d -name '[0-9]*-*' -printf '%f\n' | LC_ALL=C sort
}

begin_keeping() {
    [[ -z $kept ]] || return 0
    local last number
    # No number is used twice.
    last=$(installations 2 | tail -n 1)
    number=$((10#0${last%%-*} + 1))
    kept=$prefix$dir/replaced/$(printf '%04d' "$number")-$(date -u +%Y%m%d-%H%M%S)
    # Only the administrator may read old licences and binaries.
    install -d -m 700 -- "$prefix$dir/replaced" "$kept" "$kept/files"
}

# keep PATH: copies the file, or notes that there is none. This is done before the file is replaced, so that an
# installation that ends early can be undone, too.
keep() {
    begin_keeping
    if [[ -e $prefix$1 || -L $prefix$1 ]]; then
        mkdir -p -- "$kept/files${1%/*}"
        cp -a -- "$prefix$1" "$kept/files$1"
    else
        printf '%s\n' "$1" >>"$kept/new"
    fi
}

# replace MODE FILE PATH: puts FILE at PATH, whole or not at all, so that a running program is not disturbed.
replace() {
    local to=$prefix$3
    if [[ ! -L $to ]] && cmp -s -- "$2" "$to"; then
        return 0
    fi
    mkdir -p -- "${to%/*}"
    keep "$3"
    install -m "$1" -- "$2" "$to.installing"
    mv -T -- "$to.installing" "$to"
    good "$3"
}

# take_away PATH: copies the file to the undone installation before it is removed or replaced.
take_away() {
    [[ -e $prefix$1 || -L $prefix$1 ]] || return 0
    mkdir -p -- "$undone/files${1%/*}"
    cp -a -- "$prefix$1" "$undone/files$1"
}

# Undoes the latest installation. If this ends early, the next call does the rest.
go_back() {
    local last path undone
    last=$(installations | tail -n 1)
    [[ -n $last ]] || die "There is no installation to undo: $prefix$dir/replaced holds none." \
        'If the programs are in another folder, name it with --dir.'
    undone=$prefix$dir/replaced/undone/$last
    install -d -m 700 -- "$prefix$dir/replaced/undone" "$undone" "$undone/files"
    step "Undoing the installation $last"
    last=$prefix$dir/replaced/$last
    while IFS= read -r -d '' path; do
        take_away "$path"
        mkdir -p -- "$prefix${path%/*}"
        cp -a -- "$last/files$path" "$prefix$path.installing"
        mv -T -- "$prefix$path.installing" "$prefix$path"
        good "$path: as before"
    done < <(cd "$last/files" && find . ! -type d -printf '/%P\0')
    if [[ -e $last/new ]]; then
        while IFS= read -r path; do
            take_away "$path"
            rm -f -- "$prefix$path"
            good "$path: removed, it was not there before"
            [[ $path != *.service ]] || note "If it started with the machine: systemctl disable $(basename "$path" .service)"
        done <"$last/new"
    fi
    rm -rf -- "$last"
    note "The removed files are in $undone/files."
}
