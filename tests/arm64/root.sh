#!/usr/bin/env bash
# A Raspberry Pi's programs for qemu: Debian's arm64 packages, unpacked into the folder given. qemu and proot, which
# runs one program of them from another, are installed. Machines without apt-get have the tests skipped.
set -euo pipefail
root=$1
if ! { command -v qemu-aarch64-static && command -v proot; } >/dev/null; then
    command -v apt-get >/dev/null || { echo "no apt-get: the tests on arm64 will be skipped"; exit 0; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get install -qq -y qemu-user-static proot >/dev/null || {
        $sudo apt-get update -qq && $sudo apt-get install -qq -y qemu-user-static proot >/dev/null
    }
fi
[ -f "$root/.complete" ] && exit 0
command -v apt-get >/dev/null || { echo "no apt-get: the tests on arm64 will be skipped"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,cache/partial}
cat > "$work/sources.list" <<LIST
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
LIST
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o Dir::Cache::archives="$work/cache" -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true "$@"
}
apt update
apt --download-only install python3-venv dash coreutils libgomp1 libstdc++6 ca-certificates
rm -rf "$root"
mkdir -p "$root"/usr/{bin,sbin,lib} "$root"/{tmp,proc,dev,etc,root}
for name in bin sbin lib; do ln -s "usr/$name" "$root/$name"; done
for package in "$work"/cache/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar x --keep-directory-symlink -C "$root"
done
ln -sf dash "$root/usr/bin/sh"
# Without it LiteRT and ONNX Runtime read this machine's, find no ARM processor in it, and crash.
cat > "$root/etc/cpuinfo" <<CPU
processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

CPU
touch "$root/.complete"
