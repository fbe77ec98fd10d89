#!/usr/bin/env bash
# Installs what building and running SaeUnbox needs on Debian 12, and only what is missing. Safe to run again.
#   SAEUNBOX_TESTS=1       also what the tests need: a browser, and servers that they start on loopback
#   SAEUNBOX_LIBTORCH=DIR  an unpacked libtorch (CPU or CUDA, 1.13 or later) to be used instead of Debian's libtorch-dev
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
has_library() { compgen -G "/usr/lib*/$1" >/dev/null || compgen -G "/usr/lib/*/$1" >/dev/null; }

missing=()
need() { # need PACKAGE [what succeeds where something else stands for it]...
  local package=$1
  shift
  if { [ $# -gt 0 ] && "$@" >/dev/null; } || installed "$package"; then
    say "$package is there"
  else
    missing+=("$package")
  fi
}

need g++ command -v g++
need make command -v make
need cmake command -v cmake
need ca-certificates test -s /etc/ssl/certs/ca-certificates.crt
need curl command -v curl
if [ -n "${SAEUNBOX_LIBTORCH:-}" ]; then
  [ -f "$SAEUNBOX_LIBTORCH/share/cmake/Torch/TorchConfig.cmake" ] ||
    fail "SAEUNBOX_LIBTORCH names '$SAEUNBOX_LIBTORCH', which holds no share/cmake/Torch/TorchConfig.cmake; name the unpacked folder called libtorch"
  say "libtorch is taken from $SAEUNBOX_LIBTORCH"
else
  need libtorch-dev
  need libopenblas0 # without it Debian's libtorch multiplies matrices with a slow reference BLAS
fi
need libwebp7 has_library 'libwebp.so.7*' # pictures as WebP
# The page is tested in a browser, with a font of its own; the stores on servers of their own.
if [ -n "${SAEUNBOX_TESTS:-}" ]; then
  need chromium
  need fonts-dejavu-core
  need postgresql
  need rabbitmq-server
fi
# The .NET SDK needs ICU; the number in the package's name depends on the release.
if ! has_library 'libicuuc.so.*'; then
  missing+=("$(apt-cache pkgnames libicu 2>/dev/null | grep -Ex 'libicu[0-9]+' | sort -V | tail -n 1 | grep . || echo libicu72)")
fi

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "there is no apt-get here: install ${missing[*]} by hand (libtorch, 1.13 or later, may also be an unpacked folder that SAEUNBOX_LIBTORCH names), then run this again"
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

if ! command -v dotnet >/dev/null; then
  fail "the .NET 10 SDK is missing. Get it with
  curl -fsSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0
  export PATH=\"\$HOME/.dotnet:\$PATH\" DOTNET_ROOT=\"\$HOME/.dotnet\"
and run this again. (Other ways: https://dotnet.microsoft.com/download/dotnet/10.0)"
fi
sdks=$(dotnet --list-sdks | grep -E '^10\.' || true)
[ -n "$sdks" ] || fail "dotnet is there, but no .NET 10 SDK; see https://dotnet.microsoft.com/download/dotnet/10.0"
say ".NET SDK $(printf '%s' "$sdks" | tail -n 1 | cut -d' ' -f1) is there"
say "all set"
