# shellcheck shell=bash
# The parts of a cluster: what runs on which host, with which configuration. Sourced after units.sh and site.sh; the
# caller has set bin.
: "${root:?is the folder of the sources}" "${site:?is the folder of the cluster}" "${bin:?is the folder of the programs}"

# api ARGUMENT...: the backend's command line, on the host of the first one.
api() {
    on api-1 "$site/api-1/os4xapi" "$@" --db "@$site/api-1/db"
}

# make_folders: each host has a folder with its programs, as on a machine of its own.
make_folders() {
    mkdir -p "$site/run" "$site/partners/ca"
    local letter number
    for letter in a b; do
        cp -- "$bin/os4x_proxyserver2" "$site/dmz-$letter/"
        cp -- "$bin/os4x_proxyclient2" "$site/inside-$letter/"
    done
    for number in 1 2; do
        cp -- "$bin/os4xapi" "$site/api-$number/"
        cp -- "$bin/oftp2peer" "$site/station-$number/"
        mkdir "$site/station-$number/received"
    done
    cp -- "$bin/oftp2peer" "$bin/oftp2load" "$site/partners/"
}

start_cluster() {
    make_folders
    make_certificates
    start_balancers
    start_databases
    start_backends
    start_stations
    start_column a
    start_column b
}

make_certificates() {
    local ca=$site/partners/ca peer=$site/partners/oftp2peer
    {
        "$peer" ca init "$ca" --name 'Cluster CA'
        "$peer" ca issue "$ca" partner --ssid "$PARTNER_SSID"
        "$peer" ca issue "$ca" smartproxy --ssid "$STATION_SSID" --host oftp.cluster.example
    } >/dev/null
}

# Two pairs of balancers: one before the DMZ hosts, one before everything inside. The manual has the same configurations
# (os4x_smartproxy-cluster(7)).
start_balancers() {
    local number
    for number in 1 2; do
        start_balancer "$number" dmz public 203.0.113.1 51
    done
    for number in 3 4; do
        start_balancer "$number" inside inside 10.2.0.1 52
    done
    has_address 1 2
    has_address 3 4
}

# has_address NUMBER NUMBER: one of the pair has the address.
has_address() {
    local logs=("$site/lb-$1/keepalived-$1.out" "$site/lb-$2/keepalived-$2.out")
    wait_for_line 20 $$ 'Entering MASTER STATE' "${logs[@]}" || failed 'No balancer takes the address.' "${logs[@]}"
}

# start_balancer NUMBER KIND NETWORK ADDRESS ROUTER: HAProxy, and keepalived that holds the pair's address.
start_balancer() {
    local host=lb-$1 folder=$site/lb-$1
    "configure_haproxy_$2" "$folder" >"$folder/haproxy.cfg"
    /usr/sbin/haproxy -c -q -f "$folder/haproxy.cfg" || failed "$folder/haproxy.cfg has a fault."
    configure_keepalived "$@" >"$folder/keepalived.conf"
    chmod 644 "$folder/keepalived.conf"
    on "$host" /usr/sbin/keepalived --config-test --use-file "$folder/keepalived.conf" >"$folder/keepalived.test" 2>&1 ||
        failed "$folder/keepalived.conf has a fault." "$folder/keepalived.test"
    unit "haproxy-$1" "$host" /usr/sbin/haproxy -db -f "$folder/haproxy.cfg"
    unit "keepalived-$1" "$host" /usr/sbin/keepalived --dont-fork --log-console --vrrp --use-file "$folder/keepalived.conf" \
        --pid "$site/run/keepalived-$1" --vrrp_pid "$site/run/vrrp-$1"
}

haproxy_defaults() {
    cat <<END
global
    log stdout format raw local0
    stats socket $1/admin mode 600 level admin
    maxconn 4000
defaults
    mode tcp
    log global
    option logasap
    option dontlog-normal
    retries 3
    option redispatch 1
    timeout connect 2s
    timeout check 1s
    timeout client 1h
    timeout server 1h
END
}

configure_haproxy_dmz() {
    haproxy_defaults "$1"
    cat <<'END'
frontend oftp2
    bind :6619
    no option dontlog-normal
    log-format "session %ci:%cp %s"
    default_backend dmz
backend dmz
    balance leastconn
    option tcp-check
    default-server send-proxy-v2 check inter 1s fall 2 rise 1
    server dmz-a 192.0.2.11:6619
    server dmz-b 192.0.2.12:6619
END
}

configure_haproxy_inside() {
    haproxy_defaults "$1"
    cat <<'END'
frontend stations
    bind :3305 accept-proxy
    no option dontlog-normal
    log-format "session %ci:%cp %s"
    default_backend stations
backend stations
    balance leastconn
    default-server check inter 1s fall 2 rise 1
    server station-1 10.2.0.41:3305
    server station-2 10.2.0.42:3305
listen outgoing
    bind :65433
    balance leastconn
    default-server check inter 1s fall 2 rise 1
    server inside-a 10.2.0.21:65433
    server inside-b 10.2.0.22:65433
listen postgres
    bind :5432
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server check port 8008 inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
    server db-1 10.2.0.51:5432
    server db-2 10.2.0.52:5432
END
}

# configure_keepalived NUMBER KIND NETWORK ADDRESS ROUTER
configure_keepalived() {
    local port=6619
    [[ $2 == dmz ]] || port=5432
    cat <<END
global_defs {
    script_user root
    enable_script_security
}
vrrp_script haproxy {
    script "/bin/sh -c 'ss -Hltn sport = :$port | grep -q .'"
    interval 1
    fall 2
    rise 1
}
vrrp_instance balancers {
    state BACKUP
    nopreempt
    interface $3
    virtual_router_id $5
    priority $((200 - $1))
    advert_int 1
    virtual_ipaddress {
        $4/24
    }
    track_script {
        haproxy
    }
}
END
}

# PostgreSQL refuses to run as root, and its user may not reach the folder of the cluster.
start_databases() {
    local number programs first
    programs=$(postgres_programs)
    mount -t tmpfs -o mode=755 tmpfs /mnt
    install -m 755 "$root/scripts/lib/patroni-for-tests" /mnt/patroni
    PGPASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export PGPASSWORD
    for number in 1 2; do
        chown postgres "$site/db-$number"
        mkdir "/mnt/db-$number"
        mount --bind "$site/db-$number" "/mnt/db-$number"
        first=()
        ((number == 2)) || first=(first)
        unit "postgres-$number" "db-$number" setpriv --reuid postgres --regid postgres --clear-groups \
            /mnt/patroni "/mnt/db-$number" "10.2.0.5$number" "10.2.0.5$((3 - number))" "$programs" "${first[@]}"
        says 60 "postgres-$number" '^ready'
    done
    (umask 077 && echo "postgres://os4x:$PGPASSWORD@db.cluster.example:5432/os4x" >"$site/api-1/db")
    cp -a "$site/api-1/db" "$site/api-2/db"
}

postgres_programs() {
    local candidate found=''
    for candidate in /usr/lib/postgresql/*/bin; do
        [[ ! -x $candidate/initdb ]] || found=$candidate
    done
    echo "$found"
}

# primary: the host of the PostgreSQL primary, as the balancers see it.
primary() {
    local number
    for number in 1 2; do
        if on lb-3 curl -sf -m 1 -o /dev/null "http://10.2.0.5$number:8008/primary"; then
            echo "db-$number"
            return
        fi
    done
    return 1
}

start_backends() {
    local ca=$site/partners/ca number limit name
    {
        api init --host api.cluster.example
        api cert set --chain "$ca/smartproxy.pem" --key "$ca/smartproxy.key"
        api trust add "$ca/ca.pem"
        api crl add "$ca/crl.pem"
        api partner add partner --ssid "$PARTNER_SSID"
        api config set proxy_station_host station.cluster.example
        api config set proxy_station_proxy_protocol yes
        api config set tcp_proxy_protocol_from 192.0.2.2,192.0.2.3
        # One partner is the whole load.
        for limit in sessions sessions_per_partner unverified_hard unverified_soft; do
            api config set "proxy_$limit" 2000
        done
        for number in 21 22; do
            api proxyclient add "10.2.0.$number" --listen-ip "10.2.0.$number"
        done
        for name in a b; do
            make_server "$name"
            (umask 077 && api token show >"$site/inside-$name/token")
        done
    } >"$site/api-1/setup.out"
    for number in 1 2; do
        unit "os4xapi-$number" "api-$number" "$site/api-$number/os4xapi" serve --listen "10.2.0.3$number:8443" \
            --db "@$site/api-$number/db"
    done
    says 30 os4xapi-1 '^listening on https://'
    says 30 os4xapi-2 '^listening on https://'
}

# make_server LETTER: its Proxy ID and licence.
make_server() {
    local id
    id=$(on "dmz-$1" "$site/dmz-$1/os4x_proxyserver2" -L)
    id=${id##* }
    echo "$id" >"$site/dmz-$1/id"
    api proxy add "$id" --name "dmz-$1"
    api licence issue "$id" --holder Cluster -o "$site/dmz-$1/os4x_proxy.lic"
}

start_stations() {
    local number
    for number in 1 2; do
        unit "receive-$number" "station-$number" "$site/station-$number/oftp2peer" receive \
            --listen "10.2.0.4$number:3305" --ssid "$STATION_SSID" --password "$STATION_PASSWORD" \
            --into "$site/station-$number/received"
        says 20 "receive-$number" '^listening on '
    done
}

# start_column LETTER: a server with its client.
start_column() {
    local dmz=$site/dmz-$1 inside=$site/inside-$1 address
    address=$(on "dmz-$1" ip -4 -brief address show dev link | awk '{ sub("/.*", "", $3); print $3 }')
    unit "server-$1" "dmz-$1" "$dmz/os4x_proxyserver2" --foreground -i "$address:2878" -l "$dmz/os4x_proxy.lic"
    unit "client-$1" "inside-$1" "$inside/os4x_proxyclient2" --foreground \
        -U https://api.cluster.example:8443/os4xapi/index.php -S "$address:2878" -T "@$inside/token"
    says 60 "server-$1" ' listener_open listener=tls '
}
