#!/usr/bin/env bash
# GCC and newlib for Cortex-M, and qemu with its boards: 112 MB to fetch, without recommended packages. "c++" asks for
# C++'s library too (1.5 GB on disk), which TensorFlow Lite Micro includes.
set -euo pipefail
wanted=(gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm)
[ "${1:-}" != c++ ] || wanted+=(libstdc++-arm-none-eabi-newlib)
command -v apt-get >/dev/null || { echo "no apt-get: where arm-none-eabi-g++ or qemu-system-arm is missing, tests are skipped"; exit 0; }
[ "$(dpkg-query -W -f='${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | grep -cx installed)" != "${#wanted[@]}" ] || exit 0
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
$sudo apt-get install -qq -y --no-install-recommends "${wanted[@]}" >/dev/null || {
    $sudo apt-get update -qq && $sudo apt-get install -qq -y --no-install-recommends "${wanted[@]}" >/dev/null
}
