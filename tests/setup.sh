#!/usr/bin/env bash
# Installs on Debian 12 what the tests need beside the .NET SDK, and only what is missing: a browser with a font of its own for the page,
# PostgreSQL and RabbitMQ, which the tests start on loopback, and NumPy for the sample in Python. Safe to run again.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

"$(dirname "${BASH_SOURCE[0]}")/../deploy/sdk.sh"

missing=()
for package in chromium fonts-dejavu-core postgresql python3-numpy rabbitmq-server; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "there is no apt-get here: install ${missing[*]} by hand, then run this again"
  say "installing: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo; run as root: apt-get update && apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
fi
say "all set"
