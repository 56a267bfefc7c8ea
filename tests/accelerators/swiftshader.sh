#!/usr/bin/env bash
# A graphics adapter in software: SwiftShader's Vulkan driver, out of Debian's Chromium, unpacked into
# the folder given (nothing is installed). Machines without apt-get have the GPU tests skipped.
set -euo pipefail
folder=$1
[ -f "$folder/libvk_swiftshader.so" ] && exit 0
command -v apt-get dpkg-deb >/dev/null || { echo "no apt-get: the tests on a GPU will be skipped"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download chromium-common 2>/dev/null || { apt-get update -qq && apt-get download chromium-common; }
dpkg-deb --fsys-tarfile chromium-common_*.deb |
    tar x --wildcards './usr/lib/chromium/libvk_swiftshader.so' \
        './usr/lib/chromium/vk_swiftshader_icd.json' './usr/lib/chromium/libvulkan.so.1'
cd "$OLDPWD"
mkdir -p "$folder"
mv "$work"/usr/lib/chromium/* "$folder"
