# shellcheck shell=bash
# Rolling upgrade and measurements of a cluster. Sourced after load.sh.
: "${site:?is the folder of the cluster}" "${bin:?is the folder of the programs}" "${sources:?}"
declare -gA networks unit_hosts

# upgrade_columns: one column after the other, each as the manual says: no new sessions, new programs, start.
upgrade_columns() {
    local letter began
    for letter in a b; do
        settle
        step "Upgrading column $letter"
        began=$EPOCHREALTIME
        drain "$letter"
        replace_program "dmz-$letter" os4x_proxyserver2
        replace_program "inside-$letter" os4x_proxyclient2
        # The client ends with its server, and starts again with the new program.
        kill -TERM "$(unit_pid "server-$letter")"
        undrain "$letter"
        settle
        judge "upgrade-$letter" '' "$began"
    done
}

# A server that drains has closed its TLS port.
drain() {
    api proxy drain "$(<"$site/dmz-$1/id")" >/dev/null
}

undrain() {
    api proxy undrain "$(<"$site/dmz-$1/id")" >/dev/null
}

# replace_program HOST PROGRAM: a new file of the same name; processes go on with the old one.
replace_program() {
    cp -- "$bin/$2" "$site/$1/$2.new"
    mv -- "$site/$1/$2.new" "$site/$1/$2"
}

# measure_columns: what a set-up costs, then what a second column brings. Both columns, the load and everything else share
# the processors of this machine, so each column gets a small share of one: what is left must be enough for the others.
measure_columns() {
    step 'What a set-up costs, 16 at a time'
    measure_parts
    local share=${column_share:-15} letter
    step "Set-ups a second, each column with $share % of a processor"
    for letter in a b; do
        limit_column "$letter" "$share"
    done
    measure_rate 'two columns'
    put_down server-b
    measure_rate 'one column'
    bring_up server-b
    for letter in a b; do
        unlimit_column "$letter"
    done
}

# load_once OPTION...: set-ups through the balancers.
load_once() {
    local ca=$site/partners/ca
    on partners "$site/partners/oftp2load" "$@" --sources "${networks[public]}.100+$sources" \
        --cert "$ca/partner.pem" --key "$ca/partner.key" --ca "$ca/ca.pem" \
        --ssid "$PARTNER_SSID" --password "$PARTNER_PASSWORD" setup-16 2>/dev/null
}

measure_parts() {
    local part chains=()
    for part in server client haproxy os4xapi postgres receive; do
        chains+=(--chain "$part=203.0.113.1:6619,$(pids_of "$part")")
    done
    # Without the ratios, which are for chains of programs.
    load_once "${chains[@]}" --rounds 3 --seconds 3 | sed -n '/^median\|^set-ups\|^CPU/s/^\(.\{98\}\).*/\1/p'
}

# measure_rate NAME
measure_rate() {
    load_once --chain "$1=203.0.113.1:6619" --rounds 3 --seconds 5 |
        awk -v name="$1" '/^set-ups/ { printf "%-12s %6s set-ups a second\n", name, $NF }'
}

# limit_column LETTER PERCENT: all processes of its two hosts together.
limit_column() {
    local group
    group=$(group_of "$1")
    mkdir "$group" 2>/dev/null || failed 'Processor time cannot be limited here: there is no control group for it.'
    if [[ -e $group/cpu.max ]]; then
        echo "${2}000 100000" >"$group/cpu.max"
    else
        echo "${2}000" >"$group/cpu.cfs_quota_us"
    fi
    move_column "$1" "$group"
}

unlimit_column() {
    local group
    group=$(group_of "$1")
    move_column "$1" "${group%/*}"
    # Processes that have ended leave it at once, but not always in time.
    local until=$((SECONDS + 10))
    until rmdir "$group" 2>/dev/null; do
        ((SECONDS < until)) || failed "The control group $group does not become empty."
        move_column "$1" "${group%/*}"
        sleep 0.1
    done
}

# move_column LETTER GROUP
move_column() {
    local pid
    for pid in $(ip netns pids "dmz-$1") $(ip netns pids "inside-$1"); do
        echo "$pid" >"$2/cgroup.procs" 2>/dev/null || true
    done
}

group_of() {
    local top=/sys/fs/cgroup
    [[ ! -d $top/cpu ]] || top=$top/cpu
    echo "$top/os4x-cluster-${site//\//-}-$1"
}

# pids_of PART: its processes on all hosts, separated by commas.
pids_of() {
    local name pids=''
    for name in "${!unit_hosts[@]}"; do
        [[ $name != "$1"-* || -e $site/run/$name.down ]] || pids+=,$(unit_pid "$name")
    done
    echo "${pids#,}"
}
