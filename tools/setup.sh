#!/usr/bin/env bash
# Sets up what `make TARGET` needs, and does nothing where it is there: setup.sh run|test|deb|e2e|go|pipeline
# System packages are installed when we are root, else the command to do it is named.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-run}

say() { printf 'setup: %s\n' "$*" >&2; }

# What is missing, as Debian calls it: one line per thing, a test and the package that brings it.
missing() {
    command -v dbus-daemon >/dev/null || echo dbus-daemon
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    [ "$target" = run ] && return
    if [ "$target" != test ]; then
        command -v dh >/dev/null || echo debhelper
        command -v dpkg-buildpackage >/dev/null || echo dpkg-dev
    fi
    [ "$target" = deb ] && return
    command -v busctl >/dev/null || echo systemd
    command -v gdbus >/dev/null || echo libglib2.0-bin
    /usr/bin/python3 -c 'import gi' 2>/dev/null || echo python3-gi
    command -v tmux >/dev/null || echo tmux
    command -v chattr >/dev/null || echo e2fsprogs
    ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || echo faketime
    command -v nix-instantiate >/dev/null || echo nix-bin
    command -v man >/dev/null || echo man-db
    command -v mandoc >/dev/null || echo mandoc
    command -v openssl >/dev/null || echo openssl
    command -v node >/dev/null || echo nodejs
    [ "$target" = test ] && return
    if [ "$target" = pipeline ]; then
        command -v prometheus >/dev/null || echo prometheus
        command -v npm >/dev/null || echo npm
        return
    fi
    command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || echo chromium-headless-shell
    command -v npm >/dev/null || echo npm
    command -v sway >/dev/null || echo sway
    command -v foot >/dev/null || echo foot
    command -v unshare >/dev/null || echo util-linux
    [ -d /usr/share/fonts/truetype/dejavu ] || echo fonts-dejavu-core
    command -v i3 >/dev/null || echo i3-wm
    command -v Xvfb >/dev/null || echo xvfb
    command -v xterm >/dev/null || echo xterm
    command -v waybar >/dev/null || echo waybar
    command -v mako >/dev/null || echo mako-notifier
    command -v swaync >/dev/null || echo sway-notification-center
    command -v grim >/dev/null || echo grim
    command -v wtype >/dev/null || echo wtype
    [ -d /usr/share/icons/Adwaita ] || echo adwaita-icon-theme
    command -v zsh >/dev/null || echo zsh
    command -v fish >/dev/null || echo fish
    command -v lintian >/dev/null || echo lintian
    command -v debootstrap >/dev/null || echo debootstrap
    command -v ip >/dev/null || echo iproute2
    [ -e /usr/lib/systemd/user/dbus.socket ] || echo dbus-user-session
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "Python 3.11 or newer is needed as python3; this is $(python3 --version 2>&1 || echo none)"
    exit 1
}
go_is_new() { go version 2>/dev/null | awk '{ split(substr($3, 3), v, "."); exit !(v[1] > 1 || v[2] >= 26) }'; }
case $target in go | pipeline)
    go_is_new || {
        say "Go 1.26 or newer is needed as go, newer than that of Debian 12; see https://go.dev/doc/install"
        exit 1
    } ;;
esac
[ "$target" = go ] && exit
packages=$(missing)
if [ -n "$packages" ]; then
    packages=$(echo $packages)
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $packages"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >&2
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $packages >&2
    else
        say "these system packages are missing; then try again:"
        say "  sudo apt-get install $packages"
        exit 1
    fi
fi

case $target in run) extras="" ;; e2e) extras="[test,top,fuzz]" ;; *) extras="[test,top]" ;; esac
stamp=.venv/.aimond-$target
if [ ! -x .venv/bin/python ]; then
    say "making .venv"
    python3 -m venv .venv
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ requirements.lock -nt "$stamp" ]; then
    say "installing aimond$extras into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable ".$extras"
    touch "$stamp"
fi
