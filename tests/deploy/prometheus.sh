#!/usr/bin/env bash
# Prometheus and promtool from Debian's or Ubuntu's package, unpacked into a folder and not installed.
set -euo pipefail
folder=$1
if [ -x "$folder/usr/bin/promtool" ] || { command -v promtool && command -v prometheus; } >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "The alert rules are tested by promtool, and there is none: https://prometheus.io/download/" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq prometheus)
mkdir -p "$folder"
dpkg-deb -x "$work"/prometheus_*.deb "$folder"
