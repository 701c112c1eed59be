# shellcheck shell=bash
# Packages and tarball of a release, of scripts/packages/list: each package is staged once, and deb and rpm are made of the
# same folder by their own tools. Sourced after say.sh; the caller has set root, version, maintainer and
# SOURCE_DATE_EPOCH.

# Debian 12 and RHEL 9 read both.
deb_compression=(-Zxz) rpm_compression=w19.zstdio

# make_packages BIN OUT
make_packages() {
    local bin=$1 out=$2 stage package='' summary='' needs='' word rest
    stage=$(mktemp -d)
    while read -r word rest; do
        case $word in
        '' | '#'*) ;;
        package)
            finish_package
            read -r package summary <<<"$rest"
            needs=''
            keep=()
            mkdir -p "$stage/$package"
            ;;
        needs) needs=$rest ;;
        program) stage_file 755 "$bin/${rest%% *}" "${rest#* }/${rest%% *}" ;;
        file | keep)
            read -r mode source target <<<"$rest"
            [[ $word == file ]] || keep+=("$target")
            stage_file "$mode" "$root/$source" "$target"
            ;;
        *) die "scripts/packages/list: '$word' is not known." ;;
        esac
    done <"${root:?}/scripts/packages/list"
    finish_package
    rm -rf -- "$stage"
}

# stage_file MODE SOURCE TARGET: puts a file into the present package.
stage_file() {
    local mode=$1 source=$2 target=$3 name section
    case $target in
    @MAN@)
        place_manual "$source"
        return
        ;;
    @ZSH@)
        stage_file "$mode" "$source" "/usr/share/zsh/vendor-completions/${source##*/}"
        stage_file "$mode" "$source" "/usr/share/zsh/site-functions/${source##*/}"
        return
        ;;
    @UNITS@)
        target=$stage/$package/usr/lib/systemd/system/${source##*/}
        mkdir -p "${target%/*}"
        sed -e 's|@DIR@|/opt/os4x/proxy|g' -e 's|@USER@|os4x|g' "$source" >"$target"
        chmod "$mode" "$target"
        return
        ;;
    esac
    target=$stage/$package$target
    if [[ -d $source ]]; then
        mkdir -p "$target"
        cp -R -- "$source/." "$target/"
        find "$target" -type f -exec chmod "$mode" {} +
        find "$target" -type d -exec chmod 755 {} +
    else
        mkdir -p "${target%/*}"
        install -m "$mode" -- "$source" "$target"
    fi
}

# place_manual PAGE: compressed, also under the other names of a page.
place_manual() {
    local page=${1##*/} section=${1##*.} name folder
    folder=$stage/$package/usr/share/man/man$section
    mkdir -p "$folder"
    gzip -9n <"$1" >"$folder/$page.gz"
    while read -r name; do
        [[ $name.$section == "$page" ]] || printf '.so man%s/%s\n' "$section" "$page" | gzip -9n >"$folder/$name.$section.gz"
    done < <(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p' "$1")
}

# The deb and the rpm of the present package, if there is one.
finish_package() {
    [[ -n $package ]] || return 0
    local files=$stage/$package
    find "$files" -type d -exec chmod 755 {} +
    find "$files" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    make_rpm "$files"
    make_deb "$files"
}

# has_programs FILES: whether the package is for one kind of machine.
has_programs() {
    [[ -n $(find "$1" -type f -perm -100 -print -quit) ]]
}

# script_of FORMAT: the script that FORMAT runs, with the steps in it; standard input is what it does.
script_of() {
    printf "package=%s\n" "$package"
    # is_ours: whether the program at the path is of a package already.
    # shellcheck disable=SC2016 # for the script
    case $1 in
    deb) printf 'is_ours() { dpkg-query -S "$dir/$unit" >/dev/null 2>&1; }\n' ;;
    rpm) printf 'is_ours() { rpm -qf "$dir/$unit" >/dev/null 2>&1; }\n' ;;
    esac
    sed '/^# shellcheck/d' "$root/scripts/packages/steps.sh"
    cat
}

make_deb() {
    local files=$1 control=$1/DEBIAN architecture=all depends=''
    ! has_programs "$files" || architecture=$(dpkg --print-architecture)
    mkdir "$control"
    if [[ $architecture != all ]]; then
        depends="libc6 (>= $(glibc_of "$files")), libssl3 | libssl3t64"
        ! needs_library "$files" libgcc_s.so.1 || depends+=', libgcc-s1'
    fi
    [[ -z $needs ]] || depends+=", os4x-smartproxy-$needs (= ${version:?})"
    {
        printf 'Package: os4x-smartproxy-%s\nVersion: %s\nArchitecture: %s\n' "$package" "$version" "$architecture"
        printf 'Maintainer: %s\nSection: net\nPriority: optional\n' "${maintainer:?}"
        printf 'Installed-Size: %s\n' "$(du -k --apparent-size -s "$files" | cut -f 1)"
        [[ -z $depends ]] || printf 'Depends: %s\n' "${depends#, }"
        [[ $package != common ]] || printf 'Recommends: logrotate\n'
        printf 'Description: %s\n' "$summary"
        printf ' OFTP2 over TLS with the trust decision in the DMZ and no way in: see os4x_smartproxy(7).\n'
    } >"$control/control"
    ((${#keep[@]} == 0)) || printf '%s\n' "${keep[@]}" >"$control/conffiles"
    if [[ $package != tools ]]; then
        write_deb_scripts "$control"
    fi
    find "$control" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group "${deb_compression[@]}" --build "$files" "$out" >/dev/null
    rm -rf -- "$control"
}

write_deb_scripts() {
    local name
    for name in preinst postinst prerm postrm; do
        { printf '#!/bin/sh\nset -e\n'; } >"$1/$name"
    done
    # shellcheck disable=SC2016 # the arguments of dpkg
    {
        script_of deb <<<'case $1 in install | upgrade) before_install ;; esac' >>"$1/preinst"
        script_of deb <<<'case $1 in configure) if [ -n "${2-}" ]; then after_upgrade; else after_install; fi ;; esac' \
            >>"$1/postinst"
        script_of deb <<<'case $1 in remove) before_remove ;; esac' >>"$1/prerm"
        script_of deb <<<'case $1 in remove) after_remove ;; purge) purge ;; esac' >>"$1/postrm"
    }
    chmod 755 "$1"/{preinst,postinst,prerm,postrm}
}

# glibc_of FILES: the newest version of the C library whose symbols the programs use.
glibc_of() {
    find "$1" -type f -perm -100 -exec readelf --version-info --wide {} + |
        grep -o 'GLIBC_2\.[0-9.]*' | cut -d _ -f 2 | sort -V | tail -n 1
}

# needs_library FILES NAME: whether a program is linked with it.
needs_library() {
    find "$1" -type f -perm -100 -exec readelf --dynamic --wide {} + | grep -q "Shared library: \[$2\]"
}

make_rpm() {
    local files=$1 work architecture=noarch path
    work=$(mktemp -d)
    ! has_programs "$files" || architecture=$(uname -m)
    {
        printf 'Name: os4x-smartproxy-%s\nVersion: %s\nRelease: 1\nSummary: %s\n' "$package" "$version" "$summary"
        printf 'License: Apache-2.0 OR MIT\nPackager: %s\n' "$maintainer"
        [[ -z $needs ]] || printf 'Requires: os4x-smartproxy-%s = %s\n' "$needs" "$version"
        [[ $package != common ]] || printf 'Requires(pre): shadow-utils\n'
        printf '\n%%description\nOFTP2 over TLS with the trust decision in the DMZ and no way in: see os4x_smartproxy(7).\n\n'
        printf '%%install\nmkdir -p %%{buildroot}\ncp -a %s/. %%{buildroot}/\n\n' "$files"
        if [[ $package != tools ]]; then
            write_rpm_scripts
        fi
        printf '%%files\n'
        while read -r path; do
            if [[ " ${keep[*]} " == *" $path "* ]]; then
                printf '%%config(noreplace) '
            fi
            printf '%s\n' "$path"
        done < <(cd "$files" && find . -type f -printf '/%P\n' | LC_ALL=C sort)
    } >"$work/package.spec"
    rpmbuild -bb --quiet --target "$architecture" --buildroot "$work/root" \
        --define "_topdir $work" --define "_rpmdir $work/rpms" --define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
        --define '_buildhost release' --define 'use_source_date_epoch_as_buildtime 1' \
        --define 'clamp_mtime_to_source_date_epoch 1' --define '_build_id_links none' --define 'debug_package %{nil}' \
        --define '__os_install_post %{nil}' --define "_binary_payload $rpm_compression" \
        "$work/package.spec" >"$work/log" 2>&1 || { cat "$work/log" >&2 && die "The rpm of $package was not made."; }
    cp -- "$work"/rpms/*.rpm "$out/"
    rm -rf -- "$work"
}

# shellcheck disable=SC2016 # the arguments of rpm
write_rpm_scripts() {
    printf '%%pre\n' && script_of rpm <<<'before_install'
    printf '\n%%post\n' && script_of rpm <<<'if [ "$1" -gt 1 ]; then after_upgrade; else after_install; fi'
    printf '\n%%preun\n' && script_of rpm <<<'[ "$1" -gt 0 ] || before_remove'
    printf '\n%%postun\n' && script_of rpm <<<'[ "$1" -gt 0 ] || after_remove'
    printf '\n'
}

# make_tarball BIN OUT: the programs and what scripts/install needs, for hosts without deb and rpm.
make_tarball() {
    local bin=$1 out=$2 name work program
    name=os4x-smartproxy-$version-$(uname -m)
    work=$(mktemp -d)
    mkdir -p "$work/$name/bin"
    for program in os4x_proxyserver2 os4x_proxyclient2 os4xapi oftp2check oftp2peer; do
        install -m 755 -- "$bin/$program" "$work/$name/bin/"
    done
    git -C "${root:?}" archive HEAD README.md CHANGELOG.md LICENSE LICENSE-APACHE LICENSE-MIT SECURITY.md man scripts |
        tar -x -C "$work/$name"
    tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go-w \
        --directory "$work" "$name" | gzip -9n >"$out/$name.tar.gz"
    rm -rf -- "$work"
}
