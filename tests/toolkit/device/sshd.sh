#!/usr/bin/env bash
# OpenSSH's server and client for the tests of push, which start it for themselves on a port of their own.
set -euo pipefail
if ! { command -v ssh && command -v sshd /usr/sbin/sshd; } >/dev/null; then
    command -v apt-get >/dev/null || { echo "no apt-get: without sshd the tests of push will be skipped"; exit 0; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get install -qq -y openssh-server openssh-client >/dev/null || {
        $sudo apt-get update -qq && $sudo apt-get install -qq -y openssh-server openssh-client >/dev/null
    }
fi
# Where no service manager has started it yet, sshd run by root finds no folder to confine itself to.
[ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd
