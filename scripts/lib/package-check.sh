# shellcheck shell=bash
# Tries the packages of a release in a Debian root that systemd boots, in a container without a network. Sourced by
# scripts/release, after packages.sh; the caller has set root, version and bin.

# Folders on the host; 'inside' runs in the container.
check_work='' container=''

check_packages_in_a_root() {
    ((EUID == 0)) || die 'The packages are tried in a container: this needs root.'
    check_work=$(mktemp -d)
    trap end_container EXIT
    if [[ -z $bin ]]; then
        build_release "${root:?}/target/release-build"
        bin=${built:?}
    fi
    step 'Two versions of the packages'
    # Nobody downloads them.
    # shellcheck disable=SC2034 # of packages.sh
    deb_compression=(-Zgzip -z1) rpm_compression=w1.gzdio
    mkdir "$check_work/first" "$check_work/second"
    make_packages "$bin" "$check_work/first"
    (version=$version.1 && make_packages "$bin" "$check_work/second")
    make_pristine_root "$root/target/package-root"
    cp -a -- "$root/target/package-root" "$check_work/root"
    boot_container
    try_debs
    stop_container
    try_rpms
    good 'The packages are good.'
}

# make_pristine_root PLACE: a Debian with systemd, made once.
make_pristine_root() {
    [[ ! -e $1/complete ]] || return 0
    step "A Debian root in $1"
    rm -rf -- "$1"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,libssl3,libgcc-s1,logrotate,procps,iproute2 \
        bookworm "$1" >"$check_work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$check_work/debootstrap.log" >&2 && die 'debootstrap has failed.'; }
    touch "$1/complete"
}

boot_container() {
    step 'systemd boots'
    printf '127.0.0.1 localhost inside.example.com dmz.example.com\n' >"$check_work/root/etc/hosts"
    # nspawn forbids Landlock, which the daemons' sandbox needs, unless it is told otherwise.
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory "$check_work/root" --register=no --keep-unit \
        --private-network --console=pipe --bind-ro="$check_work/first:/mnt/first" --bind-ro="$check_work/second:/mnt/second" \
        --bind-ro="$root/scripts/lib:/mnt/lib" \
        '--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self' --boot \
        </dev/null >"$check_work/boot.log" 2>&1 &
    local nspawn=$! until=$((SECONDS + 120))
    until container=$(pgrep --parent "$nspawn") && inside systemctl is-system-running --quiet --wait 2>/dev/null; do
        if ((SECONDS > until)) || ! kill -0 "$nspawn" 2>/dev/null; then
            cat "$check_work/boot.log" >&2
            die 'systemd does not boot.'
        fi
        sleep 0.2
    done
    inside ip link set lo up
}

inside() {
    nsenter --target "$container" --mount --uts --ipc --net --pid --cgroup -- "$@"
}

stop_container() {
    [[ -n $container ]] || return 0
    inside systemctl poweroff >/dev/null 2>&1 || true
    timeout 60 tail --pid="$container" -f /dev/null || kill -KILL "$container"
    container=''
}

end_container() {
    local status=$?
    stop_container
    if ((status != 0)); then
        note "The root is left for you: $check_work/root"
    else
        rm -rf -- "$check_work"
    fi
}

# files_of_root: all files but those of dpkg, caches and logs of the system. /opt belongs to no package in Debian, so dpkg
# removes it if it is empty.
files_of_root() {
    (cd "$check_work/root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./run -o -path ./tmp -o -path ./var/lib/dpkg \
        -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./root -o -path ./mnt \
        -o -path ./var/lib/systemd -o -path ./dev \) -prune -o ! -path ./opt -print | LC_ALL=C sort)
}

try_debs() {
    local debs
    files_of_root >"$check_work/before"
    step 'Installation'
    inside sh -c 'apt-get install --yes --no-install-recommends /mnt/first/*.deb' >"$check_work/install.log" 2>&1 ||
        { tail -n 20 "$check_work/install.log" >&2 && die 'apt-get does not install the packages.'; }
    if inside systemctl is-active --quiet os4x_proxyserver2 os4xapi os4x_proxyclient2; then
        die 'Units run before they are set up.'
    fi
    step 'Set-up and first session'
    inside bash /mnt/lib/package-check-site set_up_and_first_session
    step 'Upgrade while a file is sent'
    inside bash /mnt/lib/package-check-site upgrade_in_mid_file
    step 'Removal and purge'
    debs=$(cd "$check_work/first" && printf '%s\n' *.deb | cut -d _ -f 1 | tr '\n' ' ')
    # shellcheck disable=SC2086 # a list
    inside apt-get remove --yes $debs >"$check_work/remove.log" 2>&1
    [[ -e $check_work/root/opt/os4x/proxy/os4xapi.db ]] || die 'A removal has removed the database.'
    # shellcheck disable=SC2086
    inside dpkg --purge $debs >>"$check_work/remove.log" 2>&1 || { cat "$check_work/remove.log" >&2 && die 'purge fails.'; }
    files_of_root >"$check_work/after"
    diff -- "$check_work/before" "$check_work/after" >&2 || die 'A purge leaves files, or removes those of others.'
    ! inside getent passwd os4x >/dev/null || die 'A purge leaves the user.'
    good 'A purge leaves nothing.'
}

# The root has no database of rpm, so dependencies are left aside; scripts run as on a host without systemd.
try_rpms() {
    step 'rpm'
    local rpms=() new=() installed=() target=$check_work/rpm-root
    cp -a -- "$root/target/package-root" "$target"
    rpms=("$check_work"/first/*.rpm) new=("$check_work"/second/*.rpm)
    rpm --root "$target" --nodeps --install "${rpms[@]}"
    [[ $(chroot "$target" stat -c '%U %a' /opt/os4x/proxy) == 'os4x 750' ]] || die 'The folder is not that of the user.'
    # The daemons need /proc, which a root has only when it runs.
    chroot "$target" /usr/bin/oftp2check --help >/dev/null
    touch "$target/opt/os4x/proxy/os4x_proxyserver.key"
    rpm --root "$target" --nodeps --upgrade "${new[@]}"
    mapfile -t installed < <(rpm --root "$target" --query --all | grep '^os4x-smartproxy')
    rpm --root "$target" --nodeps --erase "${installed[@]}"
    [[ ! -e $target/opt/os4x/proxy/os4xapi && -e $target/opt/os4x/proxy/os4x_proxyserver.key ]] ||
        die 'Erasing the rpms leaves programs, or removes the key.'
    good 'The rpms install, upgrade and are erased; keys stay.'
}
