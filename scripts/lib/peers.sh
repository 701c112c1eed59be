# shellcheck shell=bash
# The chains with which ours is compared: each of these programs runs twice, as the hop in the DMZ to which partners
# connect and as the inside hop that connects to the station, with mutual TLS on both. Sourced after say.sh, process.sh
# and site.sh; a site is started first, and the peers use its certificates and its station, too.
#
# All of them check certificates and the CRL of partners, like ours. Between the hops, TLS sessions are resumed if the
# program does so by default: ours uses a pre-shared key there.
# The folder of the site; it is set when the peers are started.
: "${site=}"

# Their processes.
declare -ga peer_pids=()

need_peers() {
    need_package nginx-light /usr/sbin/nginx
    need_package libnginx-mod-stream /usr/lib/nginx/modules/ngx_stream_module.so
    need_package haproxy /usr/sbin/haproxy
    need_package stunnel4 /usr/bin/stunnel4 /usr/bin/stunnel
}

# Certificates of both hops; some programs need certificate and key in one file. CA folder as in site.sh.
make_peer_certificates() {
    local ca=$site/partner/ca name
    {
        "$site/partner/oftp2peer" ca issue "$ca" inside --host 127.0.0.1 --host localhost --server
        "$site/partner/oftp2peer" ca issue "$ca" dmz --client
    } >/dev/null
    for name in smartproxy inside dmz; do
        cat "$ca/$name.pem" "$ca/$name.key" >"$ca/$name.both"
    done
}

# Adds all of them to chains.
start_peers() {
    local name
    make_peer_certificates
    for name in nginx haproxy stunnel; do
        start_peer_chain "$name"
    done
}

# start_peer_chain NAME: starts both hops, on ports that are free now.
start_peer_chain() {
    local name=$1 ca=$site/partner/ca hop folder outer inner pids=''
    outer=$(free_port) inner=$(free_port)
    for hop in inside dmz; do
        folder=$site/$name-$hop
        mkdir -p "$folder"
        if [[ $hop == inside ]]; then
            "configure_$name" "$folder" "$inner" inside "$STATION_PORT" '' >"$folder/conf"
        else
            "configure_$name" "$folder" "$outer" smartproxy "$inner" dmz >"$folder/conf"
        fi
        "run_$name" "$folder"
        peer_pids+=("$!")
        pids+=,$!
        listens "$!" "$([[ $hop == inside ]] && echo "$inner" || echo "$outer")" ||
            failed "$name does not listen." "$folder/log"
    done
    chains+=("$name=127.0.0.1:$outer$pids")
}

# listens PID PORT: waits until the port is open, while the process runs.
listens() {
    local try
    for ((try = 0; try < 100; try++)); do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null || return 0
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

stop_peers() {
    local pid
    for pid in "${peer_pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
}

# configure_NAME FOLDER PORT CERTIFICATE NEXT CLIENT: prints the configuration of a hop that listens on PORT with
# CERTIFICATE and connects to the port NEXT, over TLS with the certificate CLIENT if one is named.

configure_nginx() {
    cat <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root;
daemon off;
pid $1/pid;
error_log $1/error.log warn;
worker_processes auto;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
stream {
    tcp_nodelay on;
    server {
        listen 127.0.0.1:$2 ssl backlog=4096;
        proxy_pass 127.0.0.1:$4;
        ssl_certificate $ca/$3.pem;
        ssl_certificate_key $ca/$3.key;
        ssl_client_certificate $CA_CERT;
        ssl_crl $ca/crl.pem;
        ssl_verify_client on;
        ssl_protocols TLSv1.2 TLSv1.3;
CONF
    [[ -z $5 ]] || cat <<CONF
        proxy_ssl on;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_certificate $ca/$5.pem;
        proxy_ssl_certificate_key $ca/$5.key;
        proxy_ssl_trusted_certificate $CA_CERT;
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
CONF
    echo '    } }'
}

run_nginx() {
    background "$1/log" /usr/sbin/nginx -p "$1" -e "$1/error.log" -c "$1/conf"
}

configure_haproxy() {
    cat <<CONF
global
    maxconn 4000
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.default-dh-param 2048
defaults
    mode tcp
    timeout connect 10s
    timeout client 900s
    timeout server 900s
listen hop
    bind 127.0.0.1:$2 backlog 4096 ssl crt $ca/$3.both ca-file $CA_CERT crl-file $ca/crl.pem verify required
CONF
    if [[ $5 ]]; then
        echo "    server next 127.0.0.1:$4 ssl crt $ca/$5.both ca-file $CA_CERT verify required"
    else
        echo "    server next 127.0.0.1:$4"
    fi
}

run_haproxy() {
    background "$1/log" /usr/sbin/haproxy -db -f "$1/conf"
}

# A service of stunnel is only one end of TLS: the hop in the DMZ needs two services, in one process.
configure_stunnel() {
    local plain=$4
    [[ -z $5 ]] || plain=$(free_port)
    cat <<CONF
foreground = yes
pid =
output = $1/log
debug = warning
[outer]
accept = 127.0.0.1:$2
connect = 127.0.0.1:$plain
cert = $ca/$3.pem
key = $ca/$3.key
CAfile = $CA_CERT
CRLfile = $ca/crl.pem
verifyChain = yes
sslVersionMin = TLSv1.2
TIMEOUTclose = 10
CONF
    [[ -z $5 ]] || cat <<CONF
[link]
client = yes
accept = 127.0.0.1:$plain
connect = 127.0.0.1:$4
cert = $ca/$5.pem
key = $ca/$5.key
CAfile = $CA_CERT
verifyChain = yes
sslVersionMin = TLSv1.3
TIMEOUTclose = 10
CONF
}

run_stunnel() {
    background "$1/said" stunnel "$1/conf"
}
