#!/usr/bin/env bash
# Chromium from Debian's or Ubuntu's packages, unless there is a browser of its kind already.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo -n"; fi
if ! command -v apt-get >/dev/null || ! ${as_root:-true} true 2>/dev/null; then
  echo "The page is tested in Chromium, and there is none. Install it (apt install chromium, dnf install" >&2
  echo "chromium, brew install chromium), or run .venv/bin/playwright install chromium, and then" >&2
  echo ".venv/bin/pytest -m page." >&2
  exit 1
fi
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
