#!/usr/bin/env bash
# Silent where the .NET 10 SDK is here and starts; else says in a sentence what to do, and fails.
set -euo pipefail

fail() { printf 'sdk: %s\n' "$*" >&2; exit 1; }

command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing. Get it with
  curl -fsSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0
  export PATH=\"\$HOME/.dotnet:\$PATH\" DOTNET_ROOT=\"\$HOME/.dotnet\"
and run this again. (Other ways: https://dotnet.microsoft.com/download/dotnet/10.0)"
dotnet --list-sdks | grep -qE '^10\.' || fail "dotnet is here, but no .NET 10 SDK; see https://dotnet.microsoft.com/download/dotnet/10.0"
said=$(dotnet msbuild -version -nologo 2>&1) || case $said in
  *ICU*) fail "the .NET SDK needs the ICU library, which is not installed: apt-get install '^libicu[0-9]+\$' (Fedora: dnf install libicu)" ;;
  *) fail "the .NET SDK does not start: ${said%%$'\n'*}" ;;
esac
