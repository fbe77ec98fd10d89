#!/usr/bin/env bash
# The long versions of tests that tests/run.sh runs short.
#   tests/soak.sh                 all of it: hours
#   tests/soak.sh serving 10000   this many jobs while workers and the broker are killed at random, with a greedy client among modest ones: about
#                                 25 minutes. Before that, what ten who paint now and then notice of one canvas that never stops
#   tests/soak.sh pictures 5000   this many pictures while garbage is collected all the time; and 10,000 edits that must leave no tensor and no memory
# The exit status is 0 only where no job was lost, none was answered twice, and every other test passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

part=${1:-all}
case $part in
  all) jobs=10000 pictures=100000 ;;
  serving) jobs=${2:-10000} ;;
  pictures) pictures=${2:-100000} ;;
  *) echo "soak: '$part' is neither serving nor pictures" >&2; exit 2 ;;
esac
[[ ${jobs:-1}${pictures:-1} =~ ^[0-9]+$ ]] || { echo "soak: '$2' is not a number" >&2; exit 2; }

tests/setup.sh
run() { # run ROOM [argument of the test program]...
  local name=SaeUnbox.$1.Tests
  shift
  dotnet build "tests/$name" --configuration Release --verbosity quiet --nologo
  # Without the lines of the nodes' own logs, and each line without the name of its test.
  timeout 7200 dotnet "artifacts/bin/$name/release/$name.dll" -noColor -showLiveOutput "$@" |
    sed -E '/[0-9] (Information|Warning|Error) /d; s/^ *[^ ]+ \[OUTPUT\] //'
}

if [ -n "${pictures:-}" ]; then
  SAEUNBOX_SOAK_PICTURES=$pictures run Steering -class '*.LifetimeSoakTests'
  SAEUNBOX_SOAK_EDITS=10000 run Steering -class '*.MemoryTests'
fi
if [ -n "${jobs:-}" ]; then
  run Serving -explicit only -class '*FairnessBenchmark'
  SAEUNBOX_SOAK_JOBS=$jobs run Serving -class '*ChaosTests'
fi
