#!/usr/bin/env bash
# Installs on Debian 12 what the tests need beside the .NET SDK, and only what is missing: a browser with a font of its own for the page,
# PostgreSQL, RabbitMQ and the proxies nginx and Caddy, which the tests start on loopback, and NumPy for the sample in Python. Safe to run
# again.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

"$(dirname "${BASH_SOURCE[0]}")/../deploy/sdk.sh"

missing=()
for package in chromium fonts-dejavu-core postgresql python3-numpy rabbitmq-server; do
  installed "$package" || missing+=("$package")
done
# Tests of a proxy that is not here are skipped.
optional=()
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || optional+=(nginx-light)
command -v caddy >/dev/null || optional+=(caddy)
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "there is no apt-get here: install ${missing[*]} by hand, then run this again"
  [ ${#as_root[@]} -eq 0 ] || command -v sudo >/dev/null ||
    fail "neither root nor sudo; run as root: apt-get update && apt-get install ${missing[*]}"
  say "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  install "${missing[@]}"
fi
for package in "${optional[@]}"; do
  say "installing: $package"
  install "$package" >/dev/null 2>&1 || say "$package cannot be installed; the tests of it are skipped"
done
say "all set"
