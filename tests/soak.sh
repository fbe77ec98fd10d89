#!/usr/bin/env bash
# The long versions of tests that tests/run.sh runs short: many jobs while workers and the broker are killed at random.
#   tests/soak.sh            10,000 jobs, about twenty minutes
#   tests/soak.sh 2000       as many as that
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SAEUNBOX_TESTS=1 deploy/setup.sh
dotnet build tests/SaeUnbox.RabbitMq.Tests --configuration Release --verbosity quiet --nologo
SAEUNBOX_SOAK_JOBS=${1:-10000} timeout 7200 dotnet artifacts/bin/SaeUnbox.RabbitMq.Tests/release/SaeUnbox.RabbitMq.Tests.dll \
  -noColor -showLiveOutput -class '*ChaosTests' | grep -vE 'Information|Warning'
