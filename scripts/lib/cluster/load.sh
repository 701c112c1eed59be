# shellcheck shell=bash
# The load on a cluster, what is done to it meanwhile, and what the load and the lists say about that. Sourced after
# parts.sh; the caller has set sessions, rate and down.
: "${root:?is the folder of the sources}" "${site:?is the folder of the cluster}"
: "${sessions:?} ${rate:?} ${down:?} ${sources:?}"
declare -gA networks

load_pid=''

# start_load: from the partners to the address of the balancers, until stop_load.
start_load() {
    local ca=$site/partners/ca
    mkfifo "$site/run/load.stop"
    # Not by 'on': this is the process itself.
    nsenter --net=/run/netns/partners -- "$site/partners/oftp2load" \
        --steady oftp.cluster.example:6619 --held "$sessions" --rate "$rate" \
        --sources "${networks[public]}.100+$sources" --timeout 20 \
        --cert "$ca/partner.pem" --key "$ca/partner.key" --ca "$ca/ca.pem" \
        --ssid "$PARTNER_SSID" --password "$PARTNER_PASSWORD" \
        >"$site/partners/load" 2>"$site/partners/load.err" <"$site/run/load.stop" &
    load_pid=$!
    exec {load_stop}>"$site/run/load.stop"
}

# settle: waits until all sessions that shall run do so, the balancers see both columns and both stations, and the
# sessions are spread over them.
settle() {
    local until=$((SECONDS + 60))
    until is_settled; do
        ((SECONDS < until)) || failed 'The cluster does not settle within 60 s.' "$site"/lb-*/haproxy-*.out \
            "$site"/dmz-?/server-?.out "$site"/inside-?/client-?.out "$site"/api-?/os4xapi-?.out
        runs "$load_pid" oftp2load || failed 'The load has ended.' "$site/partners/load.err"
        sleep 0.5
    done
}

is_settled() {
    local running
    running=$(awk '$2 == "held" { n += $3 == "begun" ? 1 : ($4 == "-" ? 0 : -1) } END { print n + 0 }' "$site/partners/load")
    # Sessions that take each other's place are away for a moment.
    ((running >= sessions * 9 / 10)) || return 1
    # HAProxy's list: name, server, sessions (5), state (18). A server counts if one of a pair of balancers has its share.
    local balancer
    for balancer in 1 2 3 4; do
        echo 'show stat' | socat - "unix-connect:$site/lb-$balancer/admin" 2>/dev/null || true
    done | awk -F , -v share="$((sessions / 4))" '
        $18 != "UP" && $2 ~ /^(dmz|station|inside)-/ { away = 1 }
        $2 ~ /^(dmz|station)-/ { if (!($2 in has)) has[$2] = 0; if ($5 >= share) has[$2] = 1 }
        $2 ~ /^db-/ && $18 == "UP" { primaries++ }
        END { for (name in has) spread += has[name]; exit away || spread != 4 || primaries != 2 }' || return 1
    # The other database is a replica again.
    [[ $(replicas) == 1 ]]
}

replicas() {
    local number count=0
    for number in 1 2; do
        ! on lb-3 curl -sf -m 1 -o /dev/null "http://10.2.0.5$number:8008/replica" || count=$((count + 1))
    done
    echo "$count"
}

stop_load() {
    exec {load_stop}>&-
    wait "$load_pid" || failed 'The load has failed.' "$site/partners/load.err"
}

# kill_part PART: under the load; then one line of the table.
kill_part() {
    local part=$1 victim=$1 killed
    settle
    [[ $part != postgres ]] || victim=$(primary)
    step "Killing $part$([[ $part == "$victim" ]] || echo " ($victim)")"
    killed=$EPOCHREALTIME
    put_down "$victim"
    sleep "$down"
    bring_up "$victim"
    settle
    judge "$part" "$victim" "$killed"
}

# judge PART VICTIM KILLED: a line of the table. The lists are complete some seconds after the last session: reports
# are kept while nobody takes them.
judge() {
    local try verdict until=$EPOCHREALTIME
    for ((try = 0; try < 20; try++)); do
        api sessions --limit 1000000 --json >"$site/run/sessions.json"
        verdict=0
        "$root/scripts/lib/cluster/judge" "$site" "$@" "$until" >"$site/run/line" 2>"$site/run/faults" || verdict=$?
        ((verdict == 2)) || break
        sleep 2
    done
    cat "$site/run/faults" >&2
    tee -a "$site/table" <"$site/run/line"
    ((verdict == 0)) || faults=$((faults + 1))
}
