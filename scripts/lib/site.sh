# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the variables of site.env are set and read by name, or read by the caller
# A quickstart site: everything in one folder, nothing outside of it. Sourced after say.sh and process.sh; the caller
# has set site, the folder's absolute path, and bin, the folder of the built binaries.
#
#   dmz/      os4x_proxyserver2, its licence, key, log          station/  oftp2peer as the station, its files
#   inside/   os4x_proxyclient2, the token, its log             partner/  oftp2peer as a partner, its files, test CA
#   api/      os4xapi, its database and log                     bin/      all of them, to try things with
: "${site:?is the folder of the site}"

site_parts=(dmz inside api partner station bin)
declare -ga key_options
programs=(os4x_proxyserver2 os4x_proxyclient2 os4xapi oftp2peer oftp2check)
# The variables of site.env; the last line is for this script, the others are for people and scripts.
site_variables=(TLS_PORT INTERNAL_PORT OUTGOING_PORT STATION_PORT API_URL PANEL_URL API_DB PARTNER_CERT PARTNER_KEY
    CA_CERT PARTNER_SSID STATION_SSID SERVER_PID CLIENT_PID API_PID BIN
    PARTNER_PASSWORD STATION_PASSWORD STATION_PID PARTNER_PORT PARTNER_PID)

PARTNER_SSID=O0013007000PARTNER
PARTNER_PASSWORD=PARTNER1
STATION_SSID=O0013009000STATION
STATION_PASSWORD=STATION1

# api ARGUMENT...: the backend's command line on this site's database.
api() {
    "$site/api/os4xapi" "$@" --db "$site/api/os4xapi.db"
}

# logs_of STEM: today's log of a daemon and tomorrow's, because midnight may pass in between.
logs_of() {
    local folder=dmz
    [[ $1 == os4x_proxyserver ]] || folder=inside
    printf '%s\n' "$site/$folder/$1.log."{"$(date +%Y%m%d)","$(date -d tomorrow +%Y%m%d)"}
}

# Writes site.env: whole, or the old one stays.
save_site() {
    local name
    {
        echo '# Written by scripts/quickstart. For shells: . site.env'
        for name in "${site_variables[@]}"; do
            printf '%s=%q\n' "$name" "${!name:-}"
        done
    } >"$site/site.env.new"
    mv "$site/site.env.new" "$site/site.env"
}

# Checks whether the folder can be used: a site that does not run is made again, anything else is not touched.
check_site() {
    if [[ -f $site/site.env ]]; then
        (load_site && ! site_runs) ||
            die "A site is running in $site." "Stop it first: scripts/quickstart --stop $(printf %q "$site")"
    elif [[ -e $site && ! -d $site || -n $(ls -A "$site" 2>/dev/null) ]]; then
        die "$site is neither an empty folder nor a site." 'Choose another folder with --dir.'
    fi
}

make_site() {
    rm -rf "${site_parts[@]/#/$site/}" "$site/site.env"
    mkdir -p "${site_parts[@]/#/$site/}" "$site/station/received" "$site/partner/received"
    # The folder has keys and tokens.
    chmod 700 "$site"
    BIN=$site/bin
    cp -- "${programs[@]/#/$bin/}" "$site/bin/"
    cp -- "$bin/os4x_proxyserver2" "$site/dmz/"
    cp -- "$bin/os4x_proxyclient2" "$site/inside/"
    cp -- "$bin/os4xapi" "$site/api/"
    cp -- "$bin/oftp2peer" "$site/partner/"
    cp -- "$bin/oftp2peer" "$site/station/"
    save_site
}

load_site() {
    # shellcheck disable=SC1091 # written by save_site
    . "$site/site.env"
    # If a daemon was restarted by hand, it has another PID.
    local pid
    for pid in SERVER_PID=dmz/os4x_proxyserver.pid CLIENT_PID=inside/os4x_proxyclient.pid; do
        [[ ! -s $site/${pid#*=} ]] || read -r "${pid%%=*}" <"$site/${pid#*=}"
    done
}

site_runs() {
    runs "$SERVER_PID" os4x_proxyserver2 || runs "$CLIENT_PID" os4x_proxyclient2 || runs "$API_PID" os4xapi ||
        runs "$STATION_PID" oftp2peer || runs "$PARTNER_PID" oftp2peer
}

# Ends every process of the site: first those that call, then those that answer.
stop_site() {
    end_process "${CLIENT_PID:-}" os4x_proxyclient2
    end_process "${SERVER_PID:-}" os4x_proxyserver2
    end_process "${STATION_PID:-}" oftp2peer
    end_process "${PARTNER_PID:-}" oftp2peer
    end_process "${API_PID:-}" os4xapi
}

# Makes a CA for the partner and for us, with a CRL, so that certificates are checked as strictly as in production. For
# another kind of key, the caller has set key_options.
make_certificates() {
    local ca=$site/partner/ca peer=$site/partner/oftp2peer
    {
        "$peer" ca init "$ca" --name 'Quickstart CA'
        "$peer" ca issue "$ca" partner --ssid "$PARTNER_SSID" --host 127.0.0.1 "${key_options[@]}"
        "$peer" ca issue "$ca" smartproxy --ssid "$STATION_SSID" --host 127.0.0.1 --host localhost "${key_options[@]}"
    } >/dev/null
    use_certificates
}

use_certificates() {
    local ca=$site/partner/ca
    CA_CERT=$ca/ca.pem PARTNER_CERT=$ca/partner.pem PARTNER_KEY=$ca/partner.key
}

# Database, certificates, the partner; then the service.
start_api() {
    local log=$site/api/os4xapi.log
    API_DB=$site/api/os4xapi.db
    api init --host 127.0.0.1 >/dev/null
    api cert set --chain "$site/partner/ca/smartproxy.pem" --key "$site/partner/ca/smartproxy.key"
    api trust add "$CA_CERT" >/dev/null
    api crl add "$site/partner/ca/crl.pem" >/dev/null
    api partner add partner --ssid "$PARTNER_SSID"
    api config set proxy_station_host 127.0.0.1
    api config set tcp_incoming_ip 127.0.0.1
    # The partner is on this machine, which is not so in production.
    api config set proxy_outgoing_allow_local yes
    background "$log" "$site/api/os4xapi" serve --listen 127.0.0.1:0 --panel 127.0.0.1:0 --db "$API_DB"
    API_PID=$!
    wait_for_line 20 "$API_PID" '^listening on https://' "$log" || failed 'The backend does not listen.' "$log"
    API_URL=$(sed -n 's|^listening on \(https://.*\)/$|\1|p' "$log")$(api config get api_path | cut -d, -f1)
    wait_for_line 20 "$API_PID" '^panel on https://' "$log" || failed 'The panel does not listen.' "$log"
    PANEL_URL=$(sed -n 's|^panel on \(https://.*\)/$|\1|p' "$log")
    api config set panel_url "$PANEL_URL"
    (umask 077 && api token show >"$site/inside/token")
}

# start_peer FOLDER OPTION...: starts an OFTP2 system that serves sessions; sets its PID and port. It stores the files that
# it receives, unless discard is set.
start_peer() {
    local folder=$1 log=$site/$1/$1.log intake=(--into "$site/$1/received")
    [[ -z ${discard:-} ]] || intake=(--discard)
    shift
    background "$log" "$site/$folder/oftp2peer" receive --listen 127.0.0.1:0 "${intake[@]}" "$@"
    printf -v "${folder^^}_PID" %s $!
    wait_for_line 20 $! '^listening on ' "$log" || failed "The $folder does not listen." "$log"
    printf -v "${folder^^}_PORT" %s "$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$log")"
}

start_station() {
    start_peer station --ssid "$STATION_SSID" --password "$STATION_PASSWORD"
    api config set tcp_port "$STATION_PORT"
}

start_partner() {
    start_peer partner --ssid "$PARTNER_SSID" --password "$PARTNER_PASSWORD" \
        --cert "$PARTNER_CERT" --key "$PARTNER_KEY" --ca "$CA_CERT"
    api partner set partner --host 127.0.0.1 --port "$PARTNER_PORT"
}

# background LOG COMMAND...: starts a process that outlives this script and its terminal.
background() {
    local log=$1
    shift
    setsid nohup "$@" >"$log" 2>&1 </dev/null &
}

# Starts server and client on ports that are free now. If another program takes one of them in the meantime, others are
# tried.
start_daemons() {
    local id
    id=$("$site/dmz/os4x_proxyserver2" -L)
    api licence issue "${id##* }" --holder 'Quickstart' -o "$site/dmz/os4x_proxy.lic" >/dev/null
    local try
    for try in 1 2 3 4 5; do
        INTERNAL_PORT=$(free_port)
        TLS_PORT=$(free_port)
        OUTGOING_PORT=$(free_port)
        api config set tcp_port_tls "$TLS_PORT"
        api proxyclient add 127.0.0.1 --port "$OUTGOING_PORT" --listen-ip 127.0.0.1
        start_server && start_client && return 0
        note "a port was taken by another program meanwhile; attempt $try of 5 has failed"
        end_process "${CLIENT_PID:-}" os4x_proxyclient2
        end_process "${SERVER_PID:-}" os4x_proxyserver2
    done
    failed 'Server and client found no ports in five attempts.'
}

# Fails if the internal port is taken; every other fault ends the script.
start_server() {
    local said=$site/dmz/start.log
    if ! "$site/dmz/os4x_proxyserver2" -i "127.0.0.1:$INTERNAL_PORT" -l "$site/dmz/os4x_proxy.lic" >"$said" 2>&1; then
        grep -qi 'address already in use\|EADDRINUSE' "$said" && return 1
        failed 'The server does not start.' "$said"
    fi
    SERVER_PID=$(<"$site/dmz/os4x_proxyserver.pid")
}

# Fails if the TLS port or the station's is taken; every other fault ends the script.
start_client() {
    local said=$site/inside/start.log
    "$site/inside/os4x_proxyclient2" -U "$API_URL" -S "127.0.0.1:$INTERNAL_PORT" -T "@$site/inside/token" \
        >"$said" 2>&1 || failed 'The client does not start.' "$said"
    CLIENT_PID=$(<"$site/inside/os4x_proxyclient.pid")
    opened os4x_proxyserver "$SERVER_PID" tls && opened os4x_proxyclient "$CLIENT_PID" local
}

# opened STEM PID LISTENER: waits until a daemon has opened a listener; fails if its port is taken.
opened() {
    local logs
    mapfile -t logs < <(logs_of "$1")
    wait_for_line 30 "$2" "\[$2\] listener_(open|error) listener=$3 " "${logs[@]}" ||
        failed "The listener '$3' does not open."
    ! grep -qs "\[$2\] listener_error listener=$3 " "${logs[@]}"
}

# failed TEXT [FILE...]: shows the logs, then dies; the caller's exit handler ends the processes.
failed() {
    local text=$1 logs
    shift
    mapfile -t logs < <(logs_of os4x_proxyserver && logs_of os4x_proxyclient)
    show_tail "$@" "${logs[@]}" "$site/api/os4xapi.log" "$site/station/station.log" "$site/partner/partner.log"
    die "$text" "All logs are in $site; each line of the daemons is explained in man/os4x_proxy-log.5."
}
