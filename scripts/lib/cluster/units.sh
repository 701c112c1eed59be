# shellcheck shell=bash
# Units: programs that run on a host and are started again a second after their end, as systemd does with RestartSec=1.
# Sourced after say.sh, process.sh and hosts.sh.
: "${site:?is the folder of the cluster}"

declare -gA unit_hosts=()

# unit NAME HOST COMMAND...: what the command prints goes to NAME.out in the folder of the host.
unit() {
    local name=$1 host=$2
    shift 2
    unit_hosts[$name]=$host
    (
        trap - EXIT
        while :; do
            # As the units do with a PID file that a killed daemon has left.
            rm -f "$site/$host"/os4x_proxy*.pid
            nsenter --net="/run/netns/$host" -- "$@" >>"$site/$host/$name.out" 2>&1 </dev/null &
            echo "$!" >"$site/run/$name.pid"
            wait "$!" || true
            sleep 1
            # Opening it for reading lasts until bring_up opens it for writing.
            [[ ! -p $site/run/$name.down ]] || : <"$site/run/$name.down"
        done
    ) 2>>"$site/run/units" &
}

unit_pid() {
    cat "$site/run/$1.pid"
}

# units_of HOST
units_of() {
    local name
    for name in "${!unit_hosts[@]}"; do
        [[ ${unit_hosts[$name]} != "$1" ]] || echo "$name"
    done
}

# says SECONDS NAME PATTERN: waits until the unit has printed such a line.
says() {
    local out=$site/${unit_hosts[$2]}/$2.out
    wait_for_line "$1" $$ "$3" "$out" || failed "$2 does not come up." "$out"
}

# put_down PART: kills it with -9 and keeps it down. A part is a unit: its first process is killed, and what it has started
# goes on. Or it is a host: all its processes are killed and its cables are out.
put_down() {
    local name
    if [[ ${unit_hosts[$1]-} ]]; then
        mkfifo "$site/run/$1.down"
        kill -KILL "$(unit_pid "$1")"
        return
    fi
    for name in $(units_of "$1"); do
        mkfifo "$site/run/$name.down"
    done
    plug "$1" down
    # Those that have ended meanwhile are no fault.
    # shellcheck disable=SC2046 # a list
    kill -KILL $(ip netns pids "$1") 2>/dev/null || true
}

# bring_up PART: a unit starts again by itself as soon as nothing keeps it down.
bring_up() {
    local name
    if [[ ${unit_hosts[$1]-} ]]; then
        let_up "$1"
        return
    fi
    plug "$1" up
    for name in $(units_of "$1"); do
        let_up "$name"
    done
}

# let_up NAME: waits until the unit stands before its pipe, which then is gone before the unit can end again.
let_up() {
    local pipe=$site/run/$1.down writer
    exec {writer}>"$pipe"
    rm -f "$pipe"
    exec {writer}>&-
}

# failed TEXT [FILE...]: shows the files, then dies.
failed() {
    local text=$1
    shift
    show_tail "$@"
    die "$text" "All logs are in $site; each line of the daemons is explained in man/os4x_proxy-log.5."
}
