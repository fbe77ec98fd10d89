#!/usr/bin/env bash
# Writes a bill of materials (CycloneDX JSON) of the studio and of the command line into a folder: deploy/sbom.sh [DIR].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(realpath -m "${1:-artifacts/sbom}")
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
dotnet tool install CycloneDX --version 6.3.1 --tool-path "$tool" >/dev/null
mkdir -p "$out"
for program in SaeUnbox.Web SaeUnbox.Cli; do
  "$tool/dotnet-CycloneDX" "src/$program/$program.csproj" --output-format Json --exclude-dev --output "$out" --filename "$program.cdx.json" >/dev/null
  echo "$out/$program.cdx.json"
done
