# shellcheck shell=bash
# Files that an installation replaces, and the way back. Sourced after say.sh; the caller has set prefix (what stands
# before every path, empty on a real host) and dir (the folder of the daemons).
#
#   DIR/replaced/0001-20260131-120000/   one installation; the number gives the order
#       files/PATH                       what was at PATH before
#       new                              the paths where nothing was before
#   DIR/replaced/undone/0001-.../files/  what 'scripts/install --back' took away

prefix=${prefix-}

# The folder of this installation; made with the first file that is replaced, since many change nothing.
kept=''

# The names of all installations that can be undone, the oldest first; with depth 2 also of the undone ones.
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
    # Old licences and binaries are the administrator's business alone.
    install -d -m 700 -- "$prefix$dir/replaced" "$kept" "$kept/files"
}

# keep PATH: a copy of what is there, or a note that nothing is. Before it is replaced, so that also an installation
# that breaks off can be undone.
keep() {
    begin_keeping
    if [[ -e $prefix$1 || -L $prefix$1 ]]; then
        mkdir -p -- "$kept/files${1%/*}"
        cp -a -- "$prefix$1" "$kept/files$1"
    else
        printf '%s\n' "$1" >>"$kept/new"
    fi
}

# replace MODE FILE PATH: puts FILE at PATH, whole or not at all, so that a program that runs goes on.
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

# take_away PATH: out of the way, but not lost: it goes to the undone installation.
take_away() {
    [[ -e $prefix$1 || -L $prefix$1 ]] || return 0
    mkdir -p -- "$undone/files${1%/*}"
    cp -a -- "$prefix$1" "$undone/files$1"
}

# Undoes the latest installation. What breaks off is done by the next call.
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
    note "What was taken away is in $undone/files."
}
