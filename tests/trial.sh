#!/usr/bin/env bash
# Tries on loopback what the studio promises strangers: hostile inputs (bodies, links, messages, names, methods, sizes), load, faults and
# stopping. Prints a table of how often it did as promised; the exit status is 0 only where it always did.
#   tests/trial.sh           on what dotnet publish makes: 10 minutes at most
#   tests/trial.sh FOLDER    on a published folder
#   tests/trial.sh --short   on what is built, with fewer tries: a minute at most
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
configuration=${CONFIGURATION:-Release}
tests=artifacts/bin/SaeUnbox.Web.Tests/${configuration,,}/SaeUnbox.Web.Tests.dll

if [ "${1:-}" = --short ]; then
  limit=120
  [ -f "$tests" ] || dotnet build tests/SaeUnbox.Web.Tests --configuration "$configuration" --verbosity quiet --nologo
else
  limit=600 folder=${1:-artifacts/trial}
  dotnet build tests/SaeUnbox.Web.Tests --configuration "$configuration" --verbosity quiet --nologo
  [ $# -gt 0 ] || dotnet publish src/SaeUnbox.Web --configuration "$configuration" --no-self-contained --output "$folder" --verbosity quiet --nologo
  SAEUNBOX_STUDIO=$(realpath "$folder/SaeUnbox.Web.dll")
  [ -f "$SAEUNBOX_STUDIO" ] || { echo "trial: $folder holds no published studio" >&2; exit 2; }
  export SAEUNBOX_STUDIO SAEUNBOX_TRIAL=long
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
timeout "$limit" dotnet "$tests" -noColor -showLiveOutput -explicit only -class '*.Trials.Trial' >"$log" 2>&1 || status=$?
if grep -q 'OUTPUT' "$log"; then
  sed -nE 's/^ *[^ ]+ \[OUTPUT\] //p' "$log"
else
  cat "$log"
  status=1
fi
[ "$status" -ne 124 ] || echo "trial: not done within $limit s" >&2
[ "$status" -eq 0 ] || exit 1
