# shellcheck shell=bash
# The hosts of a cluster: network namespaces on four networks. They, their files in /etc and everything that is mounted
# belong to the namespaces of the script, and end with it. Sourced after say.sh; the caller has set site.
: "${site:?is the folder of the cluster}"

# The networks: what a host has there as its last octet is in hosts.
declare -gA networks=([public]=203.0.113 [dmz]=192.0.2 [link]=10.1.0 [inside]=10.2.0)

# HOST NETWORK=OCTET...
hosts=(
    'partners public=100'
    'lb-1 public=2 dmz=2'
    'lb-2 public=3 dmz=3'
    'dmz-a public=11 dmz=11 link=11'
    'dmz-b public=12 dmz=12 link=12'
    'inside-a link=21 inside=21'
    'inside-b link=22 inside=22'
    'lb-3 inside=3'
    'lb-4 inside=4'
    'api-1 inside=31'
    'api-2 inside=32'
    'station-1 inside=41'
    'station-2 inside=42'
    'db-1 inside=51'
    'db-2 inside=52'
)
# The partners come from this many addresses, the first of which is that of the host 'partners'.
sources=150

# Makes all hosts. There is no route between the networks, and none to the machine's own.
make_hosts() {
    mount --make-rprivate /
    mkdir -p "$site/etc"
    cp -a /etc/. "$site/etc/"
    mount --bind "$site/etc" /etc
    # A name with two addresses has both.
    echo 'multi on' >/etc/host.conf
    cat >/etc/hosts <<'END'
127.0.0.1 localhost
10.2.0.31 api.cluster.example
10.2.0.32 api.cluster.example
10.2.0.1 station.cluster.example db.cluster.example
203.0.113.1 oftp.cluster.example
END
    mkdir -p /run/netns
    mount -t tmpfs tmpfs /run/netns
    local network host
    for network in "${!networks[@]}"; do
        ip link add name "br-$network" type bridge
        ip link set dev "br-$network" up
    done
    for host in "${hosts[@]}"; do
        # shellcheck disable=SC2086 # words
        make_host $host
    done
    local number
    for ((number = 1; number < sources; number++)); do
        echo "address add ${networks[public]}.$((100 + number))/24 dev public"
    done | ip -netns partners -batch -
}

# make_host HOST NETWORK=OCTET...
make_host() {
    local host=$1 leg network
    shift
    mkdir -p "$site/$host"
    ip netns add "$host"
    ip -netns "$host" link set lo up
    for leg in "$@"; do
        network=${leg%=*}
        # A name has 15 characters at most.
        ip link add name "$host.${network:0:1}" type veth peer name "$network" netns "$host"
        ip link set dev "$host.${network:0:1}" master "br-$network" up
        ip -netns "$host" address add "${networks[$network]}.${leg#*=}/24" dev "$network"
        ip -netns "$host" link set dev "$network" up
    done
}

# on HOST COMMAND...: runs it there.
on() {
    local host=$1
    shift
    nsenter --net="/run/netns/$host" -- "$@"
}

# legs HOST: the ends of its cables in the bridges.
legs() {
    local leg
    for leg in /sys/class/net/"$1".?; do
        [[ ! -e $leg ]] || echo "${leg##*/}"
    done
}

# plug HOST up|down: its cables in or out. Without them nobody is told that its connections are gone.
plug() {
    local leg
    for leg in $(legs "$1"); do
        ip link set dev "$leg" "$2"
    done
}
