# shellcheck shell=sh
# What an installation and a removal do beside the files, in deb and in rpm: scripts/release puts this text into the
# scripts of each package, with the name of the package in 'package'. Runs with /bin/sh as root.

dir=/opt/os4x/proxy
unit='' own=''
case ${package:?} in
server) unit=os4x_proxyserver2 own=os4x_proxyserver ;;
client) unit=os4x_proxyclient2 own=os4x_proxyclient ;;
api) unit=os4xapi own=os4xapi ;;
esac

# Whether systemd runs here; it does not while an image is built.
has_systemd() {
    [ -d /run/systemd/system ] && command -v systemctl >/dev/null
}

# A program of the legacy product has the same path. It is kept, for the way back.
before_install() {
    if [ -n "$unit" ] && [ -x "$dir/$unit" ] && ! is_ours; then
        mkdir -p "$dir/replaced/before-packages"
        cp -p "$dir/$unit" "$dir/replaced/before-packages/"
    fi
}

after_install() {
    if [ "$package" = common ]; then
        getent passwd os4x >/dev/null ||
            useradd --system --user-group --home-dir "$dir" --no-create-home --shell /usr/sbin/nologin os4x
    fi
    if [ "$package" = common ] || [ -n "$unit" ]; then
        [ -d "$dir" ] || mkdir -p "$dir"
        # The directory and the files in it (logs, keys, settings; no programs) belong to the daemons' user.
        if [ "$(stat -c %U "$dir")" = root ]; then
            chown os4x:os4x "$dir"
            chmod 750 "$dir"
            find "$dir" -maxdepth 1 -type f ! -perm /111 -exec chown os4x:os4x {} +
        fi
    fi
    ! has_systemd || systemctl daemon-reload
}

# Only the parent is restarted: sessions in progress go on with the program that they began with.
after_upgrade() {
    after_install
    if [ -n "$unit" ] && has_systemd; then
        systemctl try-restart "$unit.service"
    fi
}

before_remove() {
    if [ -n "$unit" ] && has_systemd; then
        systemctl --quiet disable --now "$unit.service" || true
    fi
}

after_remove() {
    ! has_systemd || systemctl daemon-reload
}

# Nothing is left: no key, no log, no database, no user.
purge() {
    [ -z "$own" ] || rm -rf "$dir/$own".*
    case $package in
    server) rm -f /etc/os4x_proxy.lic ;;
    client) rm -f "$dir/client.env" "$dir/token" ;;
    common)
        rm -rf "$dir/replaced"
        [ ! -d "$dir" ] || find "$dir" -maxdepth 1 -name '*.log.????????*' -delete
        if [ -d "$dir" ] && ! rmdir --ignore-fail-on-non-empty "$dir" || [ -d "$dir" ]; then
            echo "$dir has files that the packages did not make: they stay." >&2
            chown -R root:root "$dir"
        else
            rmdir --ignore-fail-on-non-empty "${dir%/*}" || true
        fi
        ! getent passwd os4x >/dev/null || userdel os4x || true
        ! getent group os4x >/dev/null || groupdel os4x || true
        ;;
    esac
}
