#!/usr/bin/env bash
# The long versions of tests that tests/run.sh runs short: painting while garbage is collected all the time; 10,000 edits that must leave no
# tensor and no memory; many jobs while workers and the broker are killed at random; and what ten who paint now and then notice of one who
# never stops.
#   tests/soak.sh             10,000 jobs, 100,000 pictures: hours
#   tests/soak.sh 2000 5000   as many jobs and pictures as that
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/setup.sh
for tests in Steering Serving; do
    dotnet build "tests/SaeUnbox.$tests.Tests" --configuration Release --verbosity quiet --nologo
done
steering=artifacts/bin/SaeUnbox.Steering.Tests/release/SaeUnbox.Steering.Tests.dll
SAEUNBOX_SOAK_PICTURES=${2:-100000} dotnet $steering -noColor -class '*.LifetimeSoakTests'
SAEUNBOX_SOAK_EDITS=10000 dotnet $steering -noColor -class '*.MemoryTests'
program=artifacts/bin/SaeUnbox.Serving.Tests/release/SaeUnbox.Serving.Tests.dll
# Without the lines of the nodes' own logs.
brief() { grep -vE '[0-9] (Information|Warning|Error) '; }
dotnet $program -noColor -showLiveOutput -explicit only -class '*FairnessBenchmark' | brief
SAEUNBOX_SOAK_JOBS=${1:-10000} timeout 7200 dotnet $program -noColor -showLiveOutput -class '*ChaosTests' | brief
