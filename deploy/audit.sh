#!/usr/bin/env bash
# Asks for known holes in what SaeUnbox is built from: the NuGet packages of all projects, and the browser scripts that lie in wwwroot/lib, which
# are also held to the files of their packages byte for byte (but for the line that names a map for debuggers). Needs npm, and the advisories of both registries: where those cannot be reached
# it says so and ends with 3. 0: nothing is known; 1: a hole, or a script that is not its package's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
holes=0 unknown=0

echo "NuGet packages:"
# A source without advisories would find nothing, and "nothing found" is what it would say.
has_advisories() {
  local source
  for source in $(dotnet nuget list source --format short | sed -n 's/^E *//p'); do
    ! curl --silent --fail --location --compressed --max-time 30 "$source" | grep -q '"VulnerabilityInfo' || return 0
  done
  return 1
}
if has_advisories; then
  dotnet restore SaeUnbox.sln --verbosity quiet
  found=$(dotnet list SaeUnbox.sln package --vulnerable --include-transitive)
  if grep -q 'has the following vulnerable packages' <<<"$found"; then
    echo "$found"
    holes=1
  else
    echo "  none with a known hole"
  fi
else
  echo "  no source with advisories can be reached; nothing is known"
  unknown=1
fi

echo "browser scripts:"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# PACKAGE VERSION FILE-IN-THE-PACKAGE FILE-HERE; versions stand in the licences beside the files.
version() { sed -nE "s|.*$1 ([0-9]+\.[0-9]+\.[0-9]+).*|\1|p" "$2" | head -n 1; }
lib=wwwroot/lib/signalr
signalr=$(version @microsoft/signalr $lib/LICENSE.txt)
protocol=$(version @microsoft/signalr-protocol-msgpack $lib/LICENSE.txt)
axe=$(sed -nE '1 s|.*axe v([0-9.]+).*|\1|p' tests/SaeUnbox.Web.Tests/lib/axe.min.js)
while read -r package wanted file here; do
  if ! npm pack --silent --pack-destination "$folder" "$package@$wanted" >"$folder/name" 2>/dev/null; then
    echo "  $package $wanted: its registry cannot be reached"
    unknown=1
  elif tar -xzOf "$folder/$(tail -n 1 "$folder/name")" "package/$file" | sed '/^\/\/# sourceMappingURL=/d' | cmp -s - "$here"; then
    echo "  $package $wanted: as published; the newest is $(npm view "$package" version)"
  else
    echo "  $package $wanted: $here is not the file of that package"
    holes=1
  fi
done <<LIST
@microsoft/signalr $signalr dist/browser/signalr.min.js $lib/signalr.min.js
@microsoft/signalr-protocol-msgpack $protocol dist/browser/signalr-protocol-msgpack.min.js $lib/signalr-protocol-msgpack.min.js
axe-core $axe axe.min.js tests/SaeUnbox.Web.Tests/lib/axe.min.js
LIST
printf '{"name":"audited","version":"1.0.0","dependencies":{"@microsoft/signalr":"%s","@microsoft/signalr-protocol-msgpack":"%s","axe-core":"%s"}}' "$signalr" "$protocol" "$axe" >"$folder/package.json"
if npm install --prefix "$folder" --package-lock-only --no-audit --silent && npm audit --prefix "$folder" --json >"$folder/audit.json" 2>/dev/null; then
  echo "  none with a known hole"
elif grep -q '"vulnerabilities": *{ *"' <(tr -d '\n' <"$folder/audit.json"); then
  npm audit --prefix "$folder" || true
  holes=1
else
  echo "  the registry's advisories cannot be reached; nothing is known"
  unknown=1
fi

[ "$holes" -eq 0 ] || exit 1
[ "$unknown" -eq 0 ] || exit 3
